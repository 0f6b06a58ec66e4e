//! The rows of one entity that one task has read.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use keystar_star::{TimeFormat, Type};

use crate::cells::{Cells, arrow_field};
use crate::evolution::{Evolution, Met};
use crate::manifest::LakeFile;
use crate::writer::Writer;
use crate::{Error, LakeOptions};

/// The columns that every file of the lake has, first and in this order.
pub(crate) const PK: &str = "_pk";
pub(crate) const SK: &str = "_sk";
pub(crate) const WRITTEN_AT: &str = "_written_at";
/// How many they are.
pub(crate) const SYSTEM_COLUMNS: usize = 3;

/// Rows are encoded in batches of so many.
const BATCH_ROWS: usize = 8192;
/// Or when the items that they are from were about so many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// Key, sort key and time of an item, as the lake has them.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'a> {
    pub(crate) pk: &'a str,
    pub(crate) sk: Option<&'a str>,
    pub(crate) written_at: i64,
}

#[derive(Debug)]
pub(crate) struct Table {
    schema: SchemaRef,
    system: [Cells; SYSTEM_COLUMNS],
    pub(crate) columns: Vec<Cells>,
    /// Rows of the batch at hand.
    rows: usize,
    /// Rows of all batches before.
    rows_before: u64,
    /// About what the batch holds.
    bytes: usize,
    writer: Writer,
    pub(crate) evolution: Option<Evolution>,
}

/// The files of one entity that one task has written.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableReport {
    pub(crate) files: Vec<LakeFile>,
    pub(crate) rows: u64,
    /// By column: the most bytes of a text.
    pub(crate) longest: Vec<usize>,
    /// The values that wait for a column.
    pub(crate) waiting: Option<std::path::PathBuf>,
    pub(crate) met: Met,
    /// Values of attributes beyond those that a task keeps apart.
    pub(crate) left_out: u64,
}

/// The schema of an entity's files.
pub(crate) fn schema<'t>(columns: impl IntoIterator<Item = (&'t str, &'t Type)>) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields: Vec<FieldRef> = vec![
        Arc::new(Field::new(PK, DataType::Utf8, false)),
        Arc::new(Field::new(SK, DataType::Utf8, true)),
        Arc::new(Field::new(WRITTEN_AT, time, false)),
    ];
    fields.extend(columns.into_iter().map(|(name, ty)| arrow_field(name, ty)));
    Arc::new(Schema::new(fields))
}

impl Table {
    pub(crate) fn new<'t>(
        folder: &Path,
        stem: &str,
        columns: impl Iterator<Item = (&'t str, &'t Type)> + Clone,
        options: &LakeOptions,
        evolves: bool,
    ) -> Self {
        let key = Type::Text { max_bytes: Type::MAX_TEXT_BYTES };
        let schema = schema(columns.clone());
        let mut columns: Vec<Cells> = columns.map(|(_, ty)| Cells::new(ty)).collect();
        if evolves {
            columns.iter_mut().for_each(Cells::lengthen);
        }
        Self {
            system: [
                Cells::new(&key),
                Cells::new(&key),
                Cells::new(&Type::Timestamp(TimeFormat::EpochMicros)),
            ],
            columns,
            rows: 0,
            rows_before: 0,
            bytes: 0,
            writer: Writer::new(
                folder.to_owned(),
                stem.to_owned(),
                SchemaRef::clone(&schema),
                options.clone(),
            ),
            evolution: evolves.then(|| Evolution::new(folder.join(format!("{stem}.waiting")))),
            schema,
        }
    }

    /// Where in the columns the row at hand is.
    #[inline(always)]
    pub(crate) fn row(&self) -> usize {
        self.rows
    }

    /// Takes back what the row at hand has put into the columns.
    pub(crate) fn abort(&mut self) {
        let rows = self.rows;
        self.system.iter_mut().chain(&mut self.columns).for_each(|cells| cells.truncate(rows));
        if let Some(evolution) = &mut self.evolution {
            evolution.abort();
        }
    }

    /// The row at hand, whose columns are all filled, stays. `bytes` is about what it holds.
    #[inline]
    pub(crate) fn commit(&mut self, stamp: &Stamp<'_>, bytes: usize) -> Result<(), Error> {
        let [pk, sk, written_at] = &mut self.system;
        // Keys were looked at before: these cannot fail.
        let _ = pk.push_part(stamp.pk);
        match stamp.sk {
            Some(text) => {
                let _ = sk.push_part(text);
            }
            None => sk.push_null(),
        }
        let _ = written_at.push_known(stamp.written_at);
        if let Some(evolution) = &mut self.evolution {
            evolution.commit(self.rows_before + self.rows as u64)?;
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Encodes the rows if they are enough; says whether.
    #[inline]
    pub(crate) fn encode_if_full(&mut self) -> Result<bool, Error> {
        let is_full = self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES;
        if is_full {
            self.encode()?;
        }
        Ok(is_full)
    }

    /// Encodes the rows that there are.
    pub(crate) fn encode(&mut self) -> Result<(), Error> {
        let cells = self.system.iter_mut().chain(&mut self.columns);
        let arrays: Result<Vec<ArrayRef>, _> = cells.map(Cells::take).collect();
        let batch =
            arrays.and_then(|arrays| RecordBatch::try_new(SchemaRef::clone(&self.schema), arrays));
        let batch = batch.map_err(Error::parquet(Path::new("")))?;
        self.rows_before += batch.num_rows() as u64;
        (self.rows, self.bytes) = (0, 0);
        self.writer.write(&batch)
    }

    /// What rows that wait to be encoded hold in memory.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// What rows that wait to be written hold in memory.
    pub(crate) fn encoded_bytes(&self) -> usize {
        self.writer.memory()
    }

    /// Writes what is encoded.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush()
    }

    pub(crate) fn finish(mut self) -> Result<TableReport, Error> {
        self.encode()?;
        let longest = self.columns.iter().map(|cells| cells.longest_text().unwrap_or(0)).collect();
        let (waiting, met, left_out) = match self.evolution {
            Some(evolution) => evolution.finish()?,
            None => (None, Met::default(), 0),
        };
        Ok(TableReport {
            files: self.writer.finish()?,
            rows: self.rows_before,
            longest,
            waiting,
            met,
            left_out,
        })
    }
}
