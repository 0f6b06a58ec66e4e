//! The rows of a query as text and as files.
//!
//! Each writer takes the rows batch by batch and keeps at most a screenful of them.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use datafusion::arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::Schema,
    error::ArrowError,
    json::{WriterBuilder, writer::LineDelimited},
    util::display::{ArrayFormatter, FormatOptions},
};
use parquet::{
    arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
};
use unicode_width::UnicodeWidthStr;

use crate::{Error, error::OrIo};

/// So many rows tell how wide a table's columns are. Later rows may be wider; they are not cut.
const MEASURED_ROWS: usize = 1000;
/// The widest that a column is made for the sake of few rows.
const MAX_WIDTH: usize = 60;

/// Writes the rows as a table to look at: numbers on the right, NULL as `NULL`, control characters
/// escaped. Returns the number of rows.
///
/// # Errors
///
/// The rows' own, and those of the output as [`Error::Io`].
///
/// ```
/// use keystar_warehouse::{Embedded, EmbeddedOptions, result::write_table};
///
/// let nowhere = std::path::Path::new("does-not-exist");
/// let warehouse = Embedded::open(nowhere, EmbeddedOptions::default())?;
/// let rows = warehouse.query("VALUES ('Books', 12.50), ('Games', NULL)", &[])?;
/// let mut text = Vec::new();
/// write_table(&mut text, &rows.schema(), rows)?;
/// assert_eq!(
///     String::from_utf8_lossy(&text),
///     "column1  column2\n\
///      -------  -------\n\
///      Books       12.5\n\
///      Games       NULL\n\
///      (2 rows)\n"
/// );
/// # Ok::<(), keystar_warehouse::Error>(())
/// ```
pub fn write_table(
    out: &mut dyn Write,
    schema: &Schema,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<u64, Error> {
    let names: Vec<String> = schema.fields().iter().map(|field| plain(field.name())).collect();
    let mut table = Table {
        widths: names.iter().map(|name| name.width().max(1)).collect(),
        right: schema.fields().iter().map(|field| field.data_type().is_numeric()).collect(),
        names,
        waiting: Vec::new(),
        started: false,
    };
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        let columns = formatters(batch.columns(), "NULL")?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| cell(column, row));
            table.push(out, cells.collect::<Result<_, _>>()?)?;
            rows += 1;
        }
    }
    table.finish(out)?;
    let noun = if rows == 1 { "row" } else { "rows" };
    writeln!(out, "({rows} {noun})").map_err(output)?;
    Ok(rows)
}

struct Table {
    names: Vec<String>,
    widths: Vec<usize>,
    right: Vec<bool>,
    waiting: Vec<Vec<String>>,
    started: bool,
}

impl Table {
    fn push(&mut self, out: &mut dyn Write, cells: Vec<String>) -> Result<(), Error> {
        if self.started {
            return self.line(out, &cells);
        }
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.width().min(MAX_WIDTH));
        }
        self.waiting.push(cells);
        if self.waiting.len() >= MEASURED_ROWS { self.start(out) } else { Ok(()) }
    }

    fn start(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        self.started = true;
        self.line(out, &self.names)?;
        let rules: Vec<String> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
        self.line(out, &rules)?;
        for cells in std::mem::take(&mut self.waiting) {
            self.line(out, &cells)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        if self.started { Ok(()) } else { self.start(out) }
    }

    fn line(&self, out: &mut dyn Write, cells: &[String]) -> Result<(), Error> {
        let mut line = String::new();
        for ((cell, width), right) in cells.iter().zip(&self.widths).zip(&self.right) {
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            if *right {
                line.push_str(&gap);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&gap);
            }
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end()).map_err(output)
    }
}

/// Writes the rows as CSV (RFC 4180) with a header. NULL is nothing, an empty text is `""`. Returns
/// the number of rows.
///
/// # Errors
///
/// The rows' own, and those of the output as [`Error::Io`].
pub fn write_csv(
    out: &mut dyn Write,
    schema: &Schema,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<u64, Error> {
    let header: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    writeln!(out, "{}", header.join(",")).map_err(output)?;
    let mut rows = 0;
    let mut line = String::new();
    for batch in batches {
        let batch = batch?;
        let columns = formatters(batch.columns(), "")?;
        for row in 0..batch.num_rows() {
            line.clear();
            for (index, (column, array)) in columns.iter().zip(batch.columns()).enumerate() {
                if index > 0 {
                    line.push(',');
                }
                if array.is_valid(row) {
                    line.push_str(&quoted(&value(column, row)?));
                }
            }
            writeln!(out, "{line}").map_err(output)?;
            rows += 1;
        }
    }
    Ok(rows)
}

fn quoted(text: &str) -> String {
    let odd = |character| matches!(character, '"' | ',' | '\n' | '\r');
    // A space at an end is lost on some readers.
    let plain = !text.is_empty() && !text.contains(odd) && text.trim() == text;
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Writes the rows as JSON, an object a line; NULL is null. Returns the number of rows.
///
/// # Errors
///
/// The rows' own, and those of the output as [`Error::Io`].
pub fn write_json(
    out: &mut dyn Write,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<u64, Error> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(arrow)?;
    }
    writer.finish().map_err(arrow)?;
    Ok(rows)
}

/// Writes the rows into a Parquet file, which is there as a whole or not at all. Returns the number
/// of rows.
///
/// # Errors
///
/// The rows' own, and the system's for the file.
pub fn write_parquet(
    path: &Path,
    schema: &Schema,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<u64, Error> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let result = fill_parquet(part, schema, batches)
        .and_then(|rows| fs::rename(part, path).or_io("replace", path).map(|()| rows));
    if result.is_err() {
        let _ = fs::remove_file(part);
    }
    result
}

fn fill_parquet(
    part: &Path,
    schema: &Schema,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<u64, Error> {
    let failed = |error: ParquetError| match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => Error::io("write", part, *source),
            Err(other) => Error::Query { reason: other.to_string() },
        },
        other => Error::Query { reason: other.to_string() },
    };
    let file = File::create(part).or_io("create", part)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("keystar".to_owned())
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let schema = std::sync::Arc::new(schema.clone());
    let mut writer = ArrowWriter::try_new_with_options(file, schema, options).map_err(failed)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
    }
    let file = writer.into_inner().map_err(failed)?;
    file.sync_all().or_io("sync", part)?;
    Ok(rows)
}

/// A row in words: `orderid=7, price=1.50`. Long values are cut.
pub(crate) fn row_text(batch: &RecordBatch, row: usize) -> String {
    let Ok(columns) = formatters(batch.columns(), "NULL") else { return String::new() };
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(&columns).map(|(field, column)| {
        let mut text = cell(column, row).unwrap_or_default();
        if let Some((end, _)) = text.char_indices().nth(100) {
            text.truncate(end);
            text.push('…');
        }
        format!("{}={text}", field.name())
    });
    cells.collect::<Vec<_>>().join(", ")
}

fn formatters<'a>(
    columns: &'a [ArrayRef],
    null: &'static str,
) -> Result<Vec<ArrayFormatter<'a>>, Error> {
    let options = FormatOptions::new().with_null(null);
    columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<_, _>>()
        .map_err(arrow)
}

fn value(column: &ArrayFormatter<'_>, row: usize) -> Result<String, Error> {
    column.value(row).try_to_string().map_err(arrow)
}

fn cell(column: &ArrayFormatter<'_>, row: usize) -> Result<String, Error> {
    value(column, row).map(|text| plain(&text))
}

/// Control characters could move the cursor, or look like another row.
fn plain(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escaped = text.chars().flat_map(|character| {
        let escaped = character.is_control().then(|| character.escape_default());
        let kept = (!character.is_control()).then_some(character);
        escaped.into_iter().flatten().chain(kept)
    });
    escaped.collect()
}

fn arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => output(source),
        other => Error::Query { reason: other.to_string() },
    }
}

fn output(source: io::Error) -> Error {
    Error::Io { action: "write", place: "the output".to_owned(), source }
}
