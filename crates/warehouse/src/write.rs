//! Streams of rows into Parquet files: one file while they are few, then one or more for each
//! stream, written side by side.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use datafusion::{
    arrow::{
        array::{RecordBatch, UInt64Array},
        compute::{concat_batches, take_record_batch},
        datatypes::{Schema, SchemaRef},
        error::ArrowError,
        row::{Row, RowConverter, SortField},
    },
    error::DataFusionError,
    execution::SendableRecordBatchStream,
};
use futures_util::StreamExt;
use parquet::{
    arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions},
    basic::Compression,
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
};
use tokio::task::JoinSet;
use xxhash_rust::xxh3::Xxh3;

use crate::{
    Error,
    commit::{CommitFile, hex},
    digest::Digest,
    error::OrIo,
    folder::Folder,
    schema,
};

/// A stream gets files of its own when it has more rows than this.
const FEW_ROWS: usize = 1 << 16;
/// Or more bytes in memory.
const FEW_BYTES: usize = 16 << 20;
/// Engines skip whole row groups, and read them side by side.
const GROUP_ROWS: usize = 1 << 18;
/// What a row group may hold in memory before it is written early.
const GROUP_BYTES: usize = 32 << 20;
/// A file is full then.
const FILE_BYTES: usize = 256 << 20;

/// Where rows go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The folder, which is there.
    pub(crate) home: PathBuf,
    /// How the files' names begin.
    pub(crate) prefix: String,
    /// The columns: a stream has the same, but for what may be NULL.
    pub(crate) schema: SchemaRef,
    /// Whether the files are for a while only: they are not compressed, hashed or synced.
    pub(crate) temporary: bool,
}

/// Why rows could not be written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The rows could not be made.
    Engine(DataFusionError),
    /// The files could not be written.
    File(Error),
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error)
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

/// Writes the rows of all streams, and gives the files in the order of their names: at least one.
pub(crate) async fn write(
    folder: &Arc<Folder>,
    streams: Vec<SendableRecordBatchStream>,
    target: &Target,
) -> Result<Vec<CommitFile>, Failure> {
    let mut tasks = JoinSet::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let (folder, target) = (Arc::clone(folder), target.clone());
        tasks.spawn(async move { (number, drain(&folder, stream, &target, number).await) });
    }
    let mut parts = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (number, result) = ended.map_err(|error| {
            Failure::Engine(DataFusionError::Execution(format!("a thread ended: {error}")))
        })?;
        parts.push((number, result?));
    }
    parts.sort_by_key(|(number, _)| *number);
    let mut files = Vec::new();
    let mut rest = Vec::new();
    for (_, (written, few)) in parts {
        files.extend(written);
        rest.extend(few);
    }
    if files.is_empty() && !target.temporary {
        rest = sorted(&target.schema, &rest)?;
    }
    if !rest.is_empty() || files.is_empty() {
        let mut file = Output::create(folder, target, format!("{}.parquet", target.prefix))?;
        for batch in &rest {
            file.write(batch)?;
        }
        files.push(file.finish(folder, target)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Few rows in one order: a small table that is made again has the same bytes.
fn sorted(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let batch = concat_batches(schema, batches)?;
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
    let rows = RowConverter::new(fields.collect())?.convert_columns(batch.columns())?;
    let mut order: Vec<(Row<'_>, u64)> = rows.iter().zip(0..).collect();
    order.sort_unstable();
    let order: UInt64Array = order.into_iter().map(|(_, row)| row).collect();
    Ok(vec![take_record_batch(&batch, &order)?])
}

/// Writes one stream; gives back what was too little for a file of its own.
async fn drain(
    folder: &Folder,
    mut stream: SendableRecordBatchStream,
    target: &Target,
    number: usize,
) -> Result<(Vec<CommitFile>, Vec<RecordBatch>), Failure> {
    let (mut few, mut rows, mut bytes) = (Vec::new(), 0, 0);
    let mut files = Vec::new();
    let mut open: Option<Output> = None;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        // What may not be NULL is checked here.
        let batch = RecordBatch::try_new(Arc::clone(&target.schema), batch.columns().to_vec())?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        few.push(batch);
        if open.is_none() && files.is_empty() && rows <= FEW_ROWS && bytes <= FEW_BYTES {
            continue;
        }
        let file = match &mut open {
            Some(file) => file,
            None => open.insert(Output::create(
                folder,
                target,
                format!("{}-{number:03}-{:03}.parquet", target.prefix, files.len()),
            )?),
        };
        for batch in few.drain(..) {
            file.write(&batch)?;
        }
        if file.is_full()
            && let Some(full) = open.take()
        {
            files.push(full.finish(folder, target)?);
        }
    }
    if let Some(last) = open {
        files.push(last.finish(folder, target)?);
    }
    Ok((files, few))
}

/// A file that is being written.
struct Output {
    name: String,
    path: PathBuf,
    writer: ArrowWriter<Hashed>,
    digest: Option<Digest>,
    rows: u64,
}

impl Output {
    fn create(folder: &Folder, target: &Target, name: String) -> Result<Self, Failure> {
        let path = target.home.join(&name);
        let file = folder.create_file(&path)?;
        let hash = (!target.temporary).then(Xxh3::new);
        let output = Hashed { file, hash, bytes: 0 };
        // The types are all Parquet's own; readers that know no Arrow lose nothing.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(target.temporary))
            .with_skip_arrow_metadata(true);
        let plain = Arc::clone(&target.schema);
        let writer = ArrowWriter::try_new_with_options(output, plain, options)
            .map_err(|error| failed(error, &path))?;
        let digest = (!target.temporary).then(|| Digest::new(&target.schema)).transpose()?;
        Ok(Self { name, path, writer, digest, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if let Some(digest) = &mut self.digest {
            digest.add(batch)?;
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| failed(error, &self.path))?;
        if self.writer.memory_size() > GROUP_BYTES {
            self.writer.flush().map_err(|error| failed(error, &self.path))?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.writer.bytes_written() >= FILE_BYTES
    }

    fn finish(self, folder: &Folder, target: &Target) -> Result<CommitFile, Failure> {
        let output = self.writer.into_inner().map_err(|error| failed(error, &self.path))?;
        if !target.temporary {
            folder.sync(&self.path)?;
        }
        Ok(CommitFile {
            name: self.name,
            rows: self.rows,
            bytes: output.bytes,
            xxh3: hex(output.hash.map_or(0, |hash| hash.digest128())),
            digest: hex(self.digest.map_or(0, |digest| digest.sum())),
        })
    }
}

fn properties(temporary: bool) -> WriterProperties {
    let compression = if temporary { Compression::UNCOMPRESSED } else { Compression::SNAPPY };
    WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(!temporary)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("keystar".to_owned())
        .build()
}

/// A failure of the system is told as one.
fn failed(error: ParquetError, path: &Path) -> Failure {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => Failure::File(Error::io("write", path, *source)),
            Err(other) => Failure::Engine(DataFusionError::External(other)),
        },
        other => Failure::Engine(DataFusionError::ParquetError(Box::new(other))),
    }
}

/// A file with the hash of what was written.
struct Hashed {
    file: File,
    hash: Option<Xxh3>,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes.get(..written).unwrap_or_default());
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The columns of a Parquet file.
pub(crate) fn read_schema(path: &Path) -> Result<SchemaRef, Error> {
    let file = File::open(path).or_io("open", path)?;
    let metadata = parquet::arrow::arrow_reader::ArrowReaderMetadata::load(
        &file,
        parquet::arrow::arrow_reader::ArrowReaderOptions::new(),
    )
    .map_err(|error| Error::Damaged {
        file: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let schema: &Schema = metadata.schema();
    Ok(schema::plain(schema))
}
