//! Parquet files, one after the other, each begun when the one before is large enough.

use std::collections::HashSet;
use std::fs::File;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{self, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::manifest::LakeFile;
use crate::{Compression, Error, LakeOptions};

pub(crate) struct Writer {
    folder: PathBuf,
    stem: String,
    schema: SchemaRef,
    options: LakeOptions,
    open: Option<Open>,
    done: Vec<LakeFile>,
}

struct Open {
    name: String,
    path: PathBuf,
    rows: u64,
    writer: ArrowWriter<File>,
}

impl Writer {
    /// Files `<stem>-0000.parquet` and so on in a folder that is there.
    pub(crate) fn new(
        folder: PathBuf,
        stem: String,
        schema: SchemaRef,
        options: LakeOptions,
    ) -> Self {
        Self { folder, stem, schema, options, open: None, done: Vec::new() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let name = format!("{}-{:04}.parquet", self.stem, self.done.len());
                let path = self.folder.join(&name);
                let file = File::create(&path).map_err(Error::io(&path))?;
                let options = ArrowWriterOptions::new()
                    .with_properties(properties(&self.options, batch))
                    .with_skip_arrow_metadata(true);
                let schema = SchemaRef::clone(&self.schema);
                let writer = ArrowWriter::try_new_with_options(file, schema, options)
                    .map_err(Error::parquet(&path))?;
                self.open.insert(Open { name, path, rows: 0, writer })
            }
        };
        open.rows += batch.num_rows() as u64;
        open.writer.write(batch).map_err(Error::parquet(&open.path))?;
        let size = open.writer.bytes_written() + open.writer.in_progress_size();
        if size as u64 >= self.options.file_bytes {
            self.close()?;
        }
        Ok(())
    }

    /// What the row group that is not yet written holds in memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.writer.memory_size())
    }

    /// Writes the row group as it is.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match &mut self.open {
            Some(open) => open.writer.flush().map_err(Error::parquet(&open.path)),
            None => Ok(()),
        }
    }

    /// The files, durable.
    pub(crate) fn finish(mut self) -> Result<Vec<LakeFile>, Error> {
        self.close()?;
        Ok(self.done)
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let file = open.writer.into_inner().map_err(Error::parquet(&open.path))?;
        file.sync_all().map_err(Error::io(&open.path))?;
        let bytes = file.metadata().map_err(Error::io(&open.path))?.len();
        self.done.push(LakeFile { name: open.name, rows: open.rows, bytes });
        Ok(())
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("stem", &self.stem).finish_non_exhaustive()
    }
}

/// How a file is written whose first rows are these.
fn properties(options: &LakeOptions, batch: &RecordBatch) -> WriterProperties {
    let compression = match options.compression {
        Compression::Zstd => basic::Compression::ZSTD(ZstdLevel::default()),
        Compression::Snappy => basic::Compression::SNAPPY,
    };
    let mut properties = WriterProperties::builder()
        .set_created_by("keystar".to_owned())
        // COPY reads what the first version of the format has.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)));
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        // A dictionary of values that hardly ever come twice costs a look-up for each value, is
        // given up when it is full, and saves nothing.
        if has_many_values(column) {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}

/// Whether most of the first values differ.
fn has_many_values(column: &ArrayRef) -> bool {
    /// So many values are looked at.
    const LOOKED_AT: usize = 2048;
    /// Fewer say nothing.
    const ENOUGH: usize = 512;
    fn many<T: Eq + Hash>(values: impl Iterator<Item = Option<T>>) -> bool {
        let (mut count, mut seen) = (0, HashSet::new());
        for value in values.flatten().take(LOOKED_AT) {
            count += 1;
            seen.insert(value);
        }
        count >= ENOUGH && seen.len() * 4 > count
    }
    match column.data_type() {
        DataType::Utf8 => many(column.as_string::<i32>().iter()),
        DataType::Binary => many(column.as_binary::<i32>().iter()),
        DataType::Int64 => many(column.as_primitive::<Int64Type>().iter()),
        DataType::Date32 => many(column.as_primitive::<Date32Type>().iter()),
        DataType::Decimal128(..) => many(column.as_primitive::<Decimal128Type>().iter()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            many(column.as_primitive::<TimestampMicrosecondType>().iter())
        }
        DataType::Float64 => {
            let bits = column.as_primitive::<Float64Type>().iter();
            many(bits.map(|float| float.map(f64::to_bits)))
        }
        _ => false,
    }
}
