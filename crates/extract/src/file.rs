//! An RDB file, or any reader of one, as a source.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_core::future::BoxFuture;
use keystar_rdb::{Event, Filter, Level, Options, Parser, Parts, ResumePoint, Step, Trailing};

use crate::{Batch, Compression, Error, Failure, Position, Source, compression};

/// Bytes that are read from the file, and fed to the parser, at a time.
const READ_BYTES: usize = 64 << 10;

/// How an RDB file is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RdbOptions {
    /// Which records are wanted; decided before their values are decoded.
    pub filter: Filter,
    /// Whether a CRC mismatch is an error (it is a warning otherwise).
    pub verify_checksum: bool,
    /// A batch is full when it holds this many bytes.
    pub batch_bytes: usize,
    /// A value of more raw bytes than this comes in parts, each about as big as a batch.
    pub max_value_bytes: usize,
    /// An element of more bytes than this is a failure: it can neither be held nor be an item.
    pub max_element_bytes: u64,
}

impl Default for RdbOptions {
    /// Everything is wanted, the checksum matters, and a batch fits a core's cache.
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            verify_checksum: true,
            batch_bytes: 256 << 10,
            max_value_bytes: 1 << 20,
            max_element_bytes: 32 << 20,
        }
    }
}

impl RdbOptions {
    /// Reads only what the filter allows.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Whether a CRC mismatch is an error.
    #[must_use]
    pub fn with_verify_checksum(mut self, verify: bool) -> Self {
        self.verify_checksum = verify;
        self
    }

    /// Sets the size of a batch, in bytes.
    #[must_use]
    pub fn with_batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Sets the size from which a value comes in parts, in bytes.
    #[must_use]
    pub fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    pub(crate) fn parser(&self) -> Options {
        Options::new(Level::Frames { max_bytes: self.max_value_bytes })
            .with_filter(self.filter.clone())
            .with_verify_checksum(self.verify_checksum)
            .with_max_string_bytes(self.max_element_bytes)
    }
}

/// An RDB file as a source: plain, or compressed with gzip, zstd, lz4 or Valkey's `VCS` envelope.
///
/// ```no_run
/// use keystar_extract::{Batch, RdbFile, RdbOptions, Source};
///
/// # async fn example() -> Result<(), keystar_extract::Error> {
/// let mut source = RdbFile::open("dump.rdb", RdbOptions::default())?;
/// let mut batch = Batch::new();
/// while source.fill(&mut batch).await? {
///     for entry in batch.entries() {
///         // hand it to a worker
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct RdbFile {
    reader: Box<dyn Read + Send>,
    compression: Compression,
    /// Bytes taken from the file itself, below any decompressor.
    stored_read: Arc<AtomicU64>,
    total_bytes: Option<u64>,
    read_bytes: u64,
    options: RdbOptions,
    parser: Parser,
    parts: Parts,
    part: Option<Piecewise>,
    ordinal: u64,
    ended: bool,
}

/// The record that is being given in parts.
struct Piecewise {
    offset: u64,
    /// Whether a part of it was given.
    given: bool,
}

impl RdbFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], [`Error::Directory`], or [`Error::Read`] for the first bytes. That the file
    /// is no dump is found by the first `fill`.
    pub fn open(path: impl AsRef<Path>, options: RdbOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |source| Error::Open { path: PathBuf::from(path), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::Directory { path: path.to_owned() });
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        Self::from_reader(file, bytes, options)
    }

    /// Reads a dump from memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, options: RdbOptions) -> Result<Self, Error> {
        let total = bytes.len() as u64;
        Self::from_reader(Cursor::new(bytes), Some(total), options)
    }

    /// Reads a dump from any reader; `total_bytes` is its length, where that is known.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_reader(
        reader: impl Read + Send + 'static,
        total_bytes: Option<u64>,
        options: RdbOptions,
    ) -> Result<Self, Error> {
        let stored_read = Arc::new(AtomicU64::new(0));
        let counted = Counted { reader, bytes: Arc::clone(&stored_read) };
        let (compression, reader) =
            compression::unwrap(BufReader::with_capacity(READ_BYTES, counted))
                .map_err(|source| Error::Read { offset: 0, source })?;
        Ok(Self::new(reader, compression, stored_read, total_bytes, options))
    }

    fn new(
        reader: Box<dyn Read + Send>,
        compression: Compression,
        stored_read: Arc<AtomicU64>,
        total_bytes: Option<u64>,
        options: RdbOptions,
    ) -> Self {
        Self {
            reader,
            compression,
            stored_read,
            total_bytes,
            read_bytes: 0,
            parser: Parser::new(options.parser()),
            parts: Parts::new(options.batch_bytes),
            options,
            part: None,
            ordinal: 0,
            ended: false,
        }
    }

    /// Goes on with a bare dump in its middle: `reader` begins where the position is.
    pub(crate) fn going_on(
        reader: impl Read + Send + 'static,
        total_bytes: Option<u64>,
        options: RdbOptions,
        position: &Position,
    ) -> Result<Self, Error> {
        let point = ResumePoint::from_bytes(&position.state)
            .map_err(|_| Error::Position(Position::FOREIGN))?;
        let stored_read = Arc::new(AtomicU64::new(point.offset));
        let counted = Counted { reader, bytes: Arc::clone(&stored_read) };
        // What stands in a dump's middle may look like the beginning of anything.
        let reader = Box::new(BufReader::with_capacity(READ_BYTES, counted));
        let mut file = Self::new(reader, Compression::None, stored_read, total_bytes, options);
        file.read_bytes = point.offset;
        file.parser = Parser::resume(file.options.parser(), point);
        Ok(file)
    }

    /// Whether the dump's end was reached.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
    }

    /// How the dump is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    pub(crate) fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.clear();
        while !self.ended && !batch.is_full(self.options.batch_bytes) {
            match self.parser.step() {
                Ok(Step::Event(Event::Frame(frame))) => {
                    if frame.head.meta.is_some() {
                        batch.remarks.note("key_metadata");
                    }
                    batch.push_frame(&frame);
                }
                Ok(Step::Event(event)) => {
                    // The parser lends its events, so what they need of `self` is borrowed apart.
                    let mut taker = Taker {
                        batch,
                        part: &mut self.part,
                        parts: &mut self.parts,
                        ordinal: &mut self.ordinal,
                    };
                    taker.take(event);
                }
                Ok(Step::NeedInput) => self.read()?,
                Ok(Step::End) => self.ended = true,
                Err(error) if error.skippable() => {
                    self.fail(&error, batch);
                }
                Err(error) => return Err(error.into()),
            }
        }
        batch.context = Some(self.parser.context().clone());
        batch.source_bytes = self.stored_read.load(Ordering::Relaxed);
        batch.position = self
            .parser
            .resume_point()
            .map(|point| Position { offset: point.offset, state: point.to_bytes() });
        Ok(!self.ended || !batch.is_empty())
    }

    /// Notes a record that is damaged by itself; the parser goes on with the next one.
    fn fail(&mut self, error: &keystar_rdb::Error, batch: &mut Batch) {
        self.parts.abandon();
        let Some(Piecewise { offset, given }) = self.part.take() else {
            return batch.push_failure(Failure::new(error, error.offset()), None);
        };
        let ordinal = given.then_some(self.ordinal);
        self.ordinal += u64::from(given);
        batch.push_failure(Failure::new(error, offset), ordinal);
    }

    fn read(&mut self) -> Result<(), Error> {
        let Self { reader, parser, .. } = self;
        match parser.feed_from(READ_BYTES, |room| read_some(reader, room)) {
            Ok(0) => self.parser.finish(),
            Ok(count) => self.read_bytes += count as u64,
            Err(source) => return Err(self.unreadable(source)),
        }
        Ok(())
    }

    fn unreadable(&self, source: io::Error) -> Error {
        let offset = self.read_bytes;
        match self.compression {
            Compression::None => Error::Read { offset, source },
            compression => Error::Compression { compression: compression.name(), offset, source },
        }
    }

    pub(crate) fn skip_to(&mut self, position: &Position) -> Result<(), Error> {
        let point = ResumePoint::from_bytes(&position.state)
            .map_err(|_| Error::Position(Position::FOREIGN))?;
        let mut chunk = vec![0; READ_BYTES];
        while self.read_bytes < point.offset {
            let left = point.offset - self.read_bytes;
            let count = read_some(&mut self.reader, &mut chunk);
            let count = count.map_err(|source| self.unreadable(source))? as u64;
            self.read_bytes += count;
            if count == 0 {
                return Err(Error::Position("the dump is shorter than what was read before"));
            }
            if count > left {
                self.parser = Parser::resume(self.options.parser(), point);
                let start = usize::try_from(left).unwrap_or(usize::MAX);
                let end = usize::try_from(count).unwrap_or(usize::MAX);
                self.parser.feed(chunk.get(start..end).unwrap_or_default());
                return Ok(());
            }
        }
        self.parser = Parser::resume(self.options.parser(), point);
        Ok(())
    }
}

/// Reads what there is, however often a signal comes between.
fn read_some(reader: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Puts an event that is no frame where it belongs.
struct Taker<'s> {
    batch: &'s mut Batch,
    part: &'s mut Option<Piecewise>,
    parts: &'s mut Parts,
    ordinal: &'s mut u64,
}

impl Taker<'_> {
    fn take(&mut self, event: Event<'_>) {
        let remarks = &mut self.batch.remarks;
        match event {
            Event::Filtered(_) => remarks.skip("filter"),
            Event::Empty(_) => remarks.skip("empty_collection"),
            Event::Start { family, version, .. } => {
                remarks.description = Some(format!("{family} RDB version {version}"));
            }
            Event::Aux { key, value, .. } => {
                if key == *b"lua" {
                    remarks.note("scripts");
                }
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                remarks.aux.push((text(&key), text(&value)));
            }
            Event::Function { .. } => remarks.note("functions"),
            Event::ModuleAux { .. } => remarks.note("module_data"),
            Event::Command(_) => remarks.note("commands"),
            Event::SlotImport { .. } => remarks.note("slot_imports"),
            Event::Warning(warning) => remarks.warnings.push(warning.to_string()),
            Event::Trailing { bytes, looks_like, .. } => {
                let what = trailing_name(looks_like);
                remarks.warnings.push(format!("{bytes} bytes after the end of the dump: {what}"));
            }
            event => self.piece(event),
        }
    }

    /// An event of a value that is too big to hold.
    fn piece(&mut self, event: Event<'_>) {
        if let Event::Key(head) = &event {
            *self.part = Some(Piecewise { offset: head.offset, given: false });
            if head.meta.is_some() {
                self.batch.remarks.note("key_metadata");
            }
        }
        if let Some(part) = self.parts.push(event) {
            match self.part {
                Some(piecewise) if !part.last => piecewise.given = true,
                _ => *self.part = None,
            }
            self.batch.push_part(part, *self.ordinal);
            *self.ordinal += 1;
        }
    }
}

fn trailing_name(trailing: Trailing) -> &'static str {
    match trailing {
        Trailing::DisklessMark => "the end mark of a diskless sync",
        Trailing::Commands => "commands of an AOF, which are not read",
        Trailing::Zeros => "zeros",
        _ => "unknown",
    }
}

impl Source for RdbFile {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.next_batch(batch) })
    }

    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.skip_to(position) })
    }

    fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }
}

impl fmt::Debug for RdbFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RdbFile")
            .field("compression", &self.compression)
            .field("total_bytes", &self.total_bytes)
            .field("read_bytes", &self.read_bytes)
            .finish_non_exhaustive()
    }
}

/// Counts what is read, for the progress bar.
struct Counted<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
