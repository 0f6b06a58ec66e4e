//! Several dumps as one source: one per shard, as a cluster's backup has them.
//!
//! Each dump has a thread that reads ahead; the source takes one batch of each in turn. So they
//! are read at the same time, and yet the order of the batches depends on nothing but the dumps.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use futures_core::future::BoxFuture;

use crate::{
    Batch, Error, Position, RdbFile, RdbOptions, Source, compression,
    state::{Reading, fingerprint, put, put_bytes},
};
#[cfg(feature = "s3")]
use keystar_bucket::{Access as BucketAccess, Bucket};

/// How many batches of a dump wait to be taken.
const READ_AHEAD: usize = 2;

/// Where the number of the dump begins in a record's offset.
pub(crate) const DUMP_BITS: u32 = 44;

/// As many as there can be: more than a cluster has slots.
const MOST: usize = 1 << 16;

/// What the files of a folder must be called to be taken for dumps.
const ENDINGS: [&str; 4] = [".rdb", ".rdb.gz", ".rdb.zst", ".rdb.lz4"];

/// Several dumps as one source.
///
/// A place is
///
/// - a file;
/// - a folder: every file in it that is called `*.rdb`, or so with `.gz`, `.zst` or `.lz4` behind;
/// - a pattern, with `*` in its last part: `backups/2026-11-20-*.rdb`;
/// - with the feature `s3`, the same in a bucket: `s3://BUCKET/PREFIX/`, `s3://BUCKET/NAME.rdb`,
///   `s3://BUCKET/NAME-*.rdb`. Region, endpoint and credentials come from the environment
///   (`AWS_…`), unless `open_as` is given others. These calls block: asynchronous code has a thread
///   make them.
///
/// The dumps are read in the order of the places, those of one place in the order of their names.
/// As many as [`with_jobs`](Self::with_jobs) says are read at the same time, each by a thread of
/// its own that is two batches ahead; a dump that ends makes room for the next. Batches come from
/// the dumps that are being read in turn; the parts of a big value are not interrupted. A position
/// holds those of all dumps, and how many were being read: a run that resumes goes on with that
/// number.
///
/// # Offsets
///
/// A record's offset is its offset within its dump plus the number of the dump times 2⁴⁴, so no two
/// records have the same, and those of the first dump have the ones that they have in the file
/// alone. [`place_of`](Self::place_of) takes an offset apart.
///
/// ```
/// use keystar_extract::{Batch, Dumps, RdbOptions, Source};
///
/// # futures_executor::block_on(async {
/// let mut shards = Dumps::open(["../../examples"], RdbOptions::default())?;
/// let mut batch = Batch::new();
/// while shards.fill(&mut batch).await? {
///     for entry in batch.entries() {
///         // hand it to a worker
///     }
/// }
/// # Ok::<(), keystar_extract::Error>(()) }).unwrap();
/// ```
pub struct Dumps {
    dumps: Vec<Dump>,
    options: RdbOptions,
    /// One for each dump that is being read; `None` for one that ended when there was no other.
    lanes: Vec<Option<Lane>>,
    jobs: usize,
    /// The lane whose turn it is.
    turn: usize,
    /// The first dump that has no lane yet.
    next: usize,
    begun: bool,
    ordinal: u64,
    /// Bytes, as stored, of the dumps that have ended.
    ended_bytes: u64,
}

/// One dump that was found.
#[derive(Clone, Debug)]
struct Dump {
    name: String,
    bytes: u64,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    #[cfg(feature = "s3")]
    Object(Bucket, String),
}

/// A dump that is being read.
struct Lane {
    dump: usize,
    /// Where to go on after the last batch that was given; `None` at the dump's beginning.
    position: Option<Position>,
    source_bytes: u64,
    thread: Option<Thread>,
}

/// The ends of the channels to a reader's thread, which ends by itself when they are dropped.
struct Thread {
    filled: Receiver<Filled>,
    empty: Sender<Batch>,
}

enum Filled {
    Batch { batch: Batch, over: bool },
    Ended,
    Failed(Error),
}

impl Dumps {
    /// Finds the dumps. That one of them is none is found when it is read.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] for a place that cannot be read, [`Error::Places`] for one that has no dump,
    /// for a dump that is named twice, and for an S3 URL without the feature `s3`.
    pub fn open<P: AsRef<Path>>(
        places: impl IntoIterator<Item = P>,
        options: RdbOptions,
    ) -> Result<Self, Error> {
        Self::find(places, options, &BucketAccess::default())
    }

    /// The same, with buckets reached so.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(feature = "s3")]
    #[cfg_attr(docsrs, doc(cfg(feature = "s3")))]
    pub fn open_as<P: AsRef<Path>>(
        places: impl IntoIterator<Item = P>,
        options: RdbOptions,
        access: &BucketAccess,
    ) -> Result<Self, Error> {
        Self::find(places, options, access)
    }

    fn find<P: AsRef<Path>>(
        places: impl IntoIterator<Item = P>,
        options: RdbOptions,
        access: &BucketAccess,
    ) -> Result<Self, Error> {
        let mut dumps = Vec::new();
        for place in places {
            find(place.as_ref(), access, &mut dumps)?;
        }
        let mut names = HashSet::new();
        if let Some(twice) = dumps.iter().find(|dump| !names.insert(dump.name.as_str())) {
            let reason = "the dump is named twice: name each one once";
            return Err(Error::Places { place: twice.name.clone(), reason });
        }
        if let Some(dump) = dumps.get(MOST) {
            let reason = "more than 65536 dumps: read them in several runs";
            return Err(Error::Places { place: dump.name.clone(), reason });
        }
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            dumps,
            options,
            lanes: Vec::new(),
            jobs,
            turn: 0,
            next: 0,
            begun: false,
            ordinal: 0,
            ended_bytes: 0,
        })
    }

    /// How many dumps are read at the same time, at least 1; as many as there are cores by default.
    /// Each takes a thread, and memory for three batches.
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// The paths or URLs of the dumps, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.dumps.iter().map(|dump| dump.name.as_str())
    }

    /// The path or URL of the dump that a record with this offset is of, and its offset in there.
    pub fn place_of(&self, offset: u64) -> Option<(&str, u64)> {
        let dump = self.dumps.get(usize::try_from(offset >> DUMP_BITS).ok()?)?;
        Some((&dump.name, offset & ((1 << DUMP_BITS) - 1)))
    }

    fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        self.begin()?;
        batch.clear();
        loop {
            let Some(turn) = self.waiting_lane() else { return Ok(false) };
            let Some(lane) = self.lanes.get_mut(turn).and_then(Option::as_mut) else { continue };
            let Some(dump) = self.dumps.get(lane.dump) else { continue };
            let named =
                |source| Error::Place { place: dump.name.clone(), source: Box::new(source) };
            match lane.receive() {
                Filled::Batch { batch: filled, over } => {
                    lane.swap(batch, filled);
                    place(batch, lane.dump, &dump.name).map_err(named)?;
                    batch.count_pieces(&mut self.ordinal);
                    let between = batch.position.is_some() || over;
                    if over {
                        self.advance(turn);
                    }
                    if between {
                        self.turn = turn + 1;
                    }
                    batch.source_bytes = self.source_bytes();
                    batch.position = between.then(|| self.position());
                    return Ok(true);
                }
                Filled::Ended => {
                    self.advance(turn);
                    self.turn = turn + 1;
                }
                Filled::Failed(error) => return Err(named(error)),
            }
        }
    }

    /// Starts the readers, on the first call.
    fn begin(&mut self) -> Result<(), Error> {
        if !self.begun {
            self.begun = true;
            if self.lanes.is_empty() {
                let count = self.jobs.min(self.dumps.len());
                self.lanes = (0..count).map(|dump| Some(Lane::new(dump, None, 0))).collect();
                self.next = count;
            }
            for at in 0..self.lanes.len() {
                self.start(at);
            }
        }
        Ok(())
    }

    fn start(&mut self, at: usize) {
        let Some(lane) = self.lanes.get_mut(at).and_then(Option::as_mut) else { return };
        let Some(dump) = self.dumps.get(lane.dump) else { return };
        lane.thread = Some(Thread::start(dump, self.options.clone(), lane.position.clone()));
    }

    /// The lane whose turn it is, or the next one after it that is in use.
    fn waiting_lane(&self) -> Option<usize> {
        let count = self.lanes.len();
        (self.turn..self.turn + count)
            .map(|turn| turn % count)
            .find(|turn| self.lanes.get(*turn).is_some_and(Option::is_some))
    }

    /// Has the next dump read where one has ended.
    fn advance(&mut self, at: usize) {
        let next = (self.next < self.dumps.len()).then(|| Lane::new(self.next, None, 0));
        self.next += usize::from(next.is_some());
        if let Some(lane) = self.lanes.get_mut(at) {
            let ended = std::mem::replace(lane, next);
            let ended = ended.and_then(|ended| self.dumps.get(ended.dump));
            self.ended_bytes += ended.map_or(0, |dump| dump.bytes);
        }
        self.start(at);
    }

    fn source_bytes(&self) -> u64 {
        let reading = self.lanes.iter().flatten().map(|lane| lane.source_bytes);
        self.ended_bytes + reading.sum::<u64>()
    }

    /// A mark of which dumps these are.
    fn identity(&self) -> u64 {
        let parts = self.dumps.iter().map(|dump| (dump.name.as_bytes(), dump.bytes));
        fingerprint(parts)
    }

    fn position(&self) -> Position {
        let mut state = MAGIC.to_vec();
        put(&mut state, self.identity());
        put(&mut state, self.ended_bytes);
        put(&mut state, self.next as u64);
        put(&mut state, (self.turn % self.lanes.len().max(1)) as u64);
        put(&mut state, self.lanes.len() as u64);
        for lane in &self.lanes {
            let Some(lane) = lane else {
                put(&mut state, NO_DUMP);
                continue;
            };
            put(&mut state, lane.dump as u64);
            put(&mut state, lane.source_bytes);
            put(&mut state, lane.position.as_ref().map_or(0, |position| position.offset));
            let inner = lane.position.as_ref().map(|position| &*position.state);
            put_bytes(&mut state, inner.unwrap_or_default());
        }
        Position { offset: self.source_bytes(), state }
    }

    fn go_on(&mut self, position: &Position) -> Result<(), Error> {
        let foreign = Error::Position(Position::FOREIGN);
        let Some(state) = position.state.strip_prefix(MAGIC) else { return Err(foreign) };
        let mut state = Reading::new(state);
        if state.number() != Some(self.identity()) {
            return Err(Error::Position(
                "the dumps are not those of the checkpoint: give the same ones, unchanged",
            ));
        }
        let mut read = || {
            let (ended_bytes, next, turn) = (state.number()?, state.index()?, state.index()?);
            let mut lanes = Vec::new();
            for _ in 0..state.number()? {
                let dump = match state.number()? {
                    NO_DUMP => {
                        lanes.push(None);
                        continue;
                    }
                    dump => usize::try_from(dump).ok().filter(|dump| *dump < self.dumps.len())?,
                };
                let (source_bytes, offset) = (state.number()?, state.number()?);
                let inner = state.bytes()?.to_vec();
                let inner = (!inner.is_empty()).then_some(Position { offset, state: inner });
                lanes.push(Some(Lane::new(dump, inner, source_bytes)));
            }
            state.is_at_end().then_some((ended_bytes, next, turn, lanes))
        };
        (self.ended_bytes, self.next, self.turn, self.lanes) = read().ok_or(foreign)?;
        Ok(())
    }
}

const MAGIC: &[u8] = b"KSD1";
const NO_DUMP: u64 = u64::MAX;

/// Tells the records of one dump from those of the others.
fn place(batch: &mut Batch, dump: usize, name: &str) -> Result<(), Error> {
    for (_, offset) in batch.heads_mut() {
        if *offset >> DUMP_BITS != 0 {
            let source = io::Error::new(io::ErrorKind::InvalidData, "a dump of more than 16 TiB");
            return Err(Error::Read { offset: *offset, source });
        }
        *offset += (dump as u64) << DUMP_BITS;
    }
    for failure in batch.failures_mut() {
        failure.detail = format!("{name}: {}", failure.detail);
    }
    for warning in &mut batch.remarks.warnings {
        *warning = format!("{name}: {warning}");
    }
    Ok(())
}

impl Lane {
    fn new(dump: usize, position: Option<Position>, source_bytes: u64) -> Self {
        Self { dump, position, source_bytes, thread: None }
    }

    fn receive(&self) -> Filled {
        let gone = || Filled::Failed(Error::Read { offset: 0, source: io::Error::other(GONE) });
        let Some(thread) = &self.thread else { return gone() };
        thread.filled.recv().unwrap_or_else(|_| gone())
    }

    /// Gives a filled batch away, and takes the other for the thread to fill.
    fn swap(&mut self, batch: &mut Batch, filled: Batch) {
        let used = std::mem::replace(batch, filled);
        if let Some(position) = &batch.position {
            self.position = Some(position.clone());
        }
        self.source_bytes = batch.source_bytes;
        if let Some(thread) = &self.thread {
            // A thread that has ended needs none.
            let _ = thread.empty.send(used);
        }
    }
}

const GONE: &str = "the thread that reads it is gone";

impl Thread {
    fn start(dump: &Dump, options: RdbOptions, from: Option<Position>) -> Self {
        let (filling, filled) = sync_channel(READ_AHEAD);
        let (empty, emptied) = channel();
        let dump = dump.clone();
        let failing = filling.clone();
        let spawned = thread::Builder::new().name("keystar-dump".to_owned()).spawn(move || {
            if let Err(error) = read(&dump, options, from.as_ref(), &filling, &emptied) {
                // Nobody listens any more, so nobody wants to know.
                let _ = filling.send(Filled::Failed(error));
            }
        });
        if let Err(source) = spawned {
            let _ = failing.send(Filled::Failed(Error::Read { offset: 0, source }));
        }
        Self { filled, empty }
    }
}

/// Reads a dump until its end, or until nobody listens.
fn read(
    dump: &Dump,
    options: RdbOptions,
    from: Option<&Position>,
    filling: &SyncSender<Filled>,
    emptied: &Receiver<Batch>,
) -> Result<(), Error> {
    let mut file = dump.open(options, from)?;
    loop {
        let mut batch = emptied.try_recv().unwrap_or_default();
        if !file.next_batch(&mut batch)? {
            let _ = filling.send(Filled::Ended);
            return Ok(());
        }
        let over = file.is_over();
        if filling.send(Filled::Batch { batch, over }).is_err() || over {
            return Ok(());
        }
    }
}

impl Dump {
    fn open(&self, options: RdbOptions, from: Option<&Position>) -> Result<RdbFile, Error> {
        let total = Some(self.bytes);
        let Some(position) = from else {
            return RdbFile::from_reader(self.reader(0)?, total, options);
        };
        let mut head = Vec::new();
        let peeked = self.reader(0)?.take(compression::PEEK_BYTES as u64).read_to_end(&mut head);
        peeked.map_err(|source| Error::Read { offset: 0, source })?;
        // Only what is not compressed can be entered in its middle.
        if compression::is_bare(&head) && position.offset <= self.bytes {
            let reader = self.reader(position.offset)?;
            return RdbFile::going_on(reader, total, options, position);
        }
        let mut file = RdbFile::from_reader(self.reader(0)?, total, options)?;
        file.skip_to(position)?;
        Ok(file)
    }

    /// The stored bytes, from this one on.
    fn reader(&self, from: u64) -> Result<Box<dyn Read + Send>, Error> {
        match &self.place {
            Place::File(path) => {
                let failed = |source| Error::Open { path: path.clone(), source };
                let mut file = File::open(path).map_err(failed)?;
                // A pipe is read from its beginning only.
                if from > 0 {
                    file.seek(SeekFrom::Start(from)).map_err(failed)?;
                }
                Ok(Box::new(file))
            }
            #[cfg(feature = "s3")]
            Place::Object(bucket, name) => Ok(bucket.read(name, from)?),
        }
    }
}

/// Finds the dumps of a place.
fn find(place: &Path, access: &BucketAccess, dumps: &mut Vec<Dump>) -> Result<(), Error> {
    let before = dumps.len();
    match place.to_str().filter(|text| text.starts_with("s3://")) {
        Some(url) => find_objects(url, access, dumps)?,
        None => find_files(place, dumps)?,
    }
    if let Some(found) = dumps.get_mut(before..) {
        found.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if dumps.len() == before {
        let reason = "there is no dump here: a folder's dumps are called *.rdb, *.rdb.gz, *.rdb.zst \
                      or *.rdb.lz4";
        return Err(Error::Places { place: place.display().to_string(), reason });
    }
    Ok(())
}

fn find_files(place: &Path, dumps: &mut Vec<Dump>) -> Result<(), Error> {
    let failed = |source| Error::Open { path: place.to_owned(), source };
    let pattern = place.file_name().and_then(|name| name.to_str()).filter(|_| !place.exists());
    let (folder, wanted): (&Path, &dyn Fn(&str) -> bool) = match pattern {
        Some(pattern) if pattern.contains('*') => {
            let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
            (folder.unwrap_or(Path::new(".")), &move |name| matches(pattern, name))
        }
        _ => {
            let metadata = place.metadata().map_err(failed)?;
            if !metadata.is_dir() {
                dumps.push(Dump::file(place.to_owned(), metadata.len()));
                return Ok(());
            }
            (place, &|name| is_dump(name))
        }
    };
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Follows links, as opening does.
        let metadata = path.metadata().map_err(failed)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if metadata.is_file() && wanted(&name) {
            dumps.push(Dump::file(path, metadata.len()));
        }
    }
    Ok(())
}

impl Dump {
    fn file(path: PathBuf, bytes: u64) -> Self {
        Self { name: path.display().to_string(), bytes, place: Place::File(path) }
    }
}

/// Nothing, where there are no buckets.
#[cfg(not(feature = "s3"))]
#[derive(Default)]
struct BucketAccess {}

#[cfg(not(feature = "s3"))]
fn find_objects(url: &str, _: &BucketAccess, _: &mut Vec<Dump>) -> Result<(), Error> {
    let reason = "this build reads no buckets: build keystar-extract with the feature s3";
    Err(Error::Places { place: url.to_owned(), reason })
}

#[cfg(feature = "s3")]
fn find_objects(url: &str, access: &BucketAccess, dumps: &mut Vec<Dump>) -> Result<(), Error> {
    let (name, key) = keystar_bucket::split(url).ok_or_else(|| Error::Places {
        place: url.to_owned(),
        reason: "an S3 URL is s3://BUCKET/PREFIX/ or s3://BUCKET/NAME.rdb",
    })?;
    let (folder, last) = key.rsplit_once('/').unwrap_or(("", key));
    let folder = format!("s3://{name}/{folder}");
    let bucket = Bucket::open(folder.trim_end_matches('/'), access)?;
    let wanted: &dyn Fn(&str) -> bool = match last {
        "" => &|name| is_dump(name),
        pattern if pattern.contains('*') => &move |name| matches(pattern, name),
        // A name, or the first part of the names that an export of a cluster gives.
        start => &move |name| {
            let rest = name.strip_prefix(start);
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('-') && is_dump(name)))
        },
    };
    for (object, bytes) in bucket.list("")? {
        if !object.contains('/') && wanted(&object) {
            let name = bucket.place(&object);
            dumps.push(Dump { name, bytes, place: Place::Object(bucket.clone(), object) });
        }
    }
    Ok(())
}

fn is_dump(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
}

/// Whether the name is as the pattern says, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.into_iter().any(|at| name.get(at..).is_some_and(|name| matches(rest, name)))
}

impl Source for Dumps {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.next_batch(batch) })
    }

    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.go_on(position) })
    }

    fn total_bytes(&self) -> Option<u64> {
        Some(self.dumps.iter().map(|dump| dump.bytes).sum())
    }
}

impl fmt::Debug for Dumps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dumps")
            .field("dumps", &self.names().collect::<Vec<_>>())
            .field("jobs", &self.jobs)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_matches() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a-*.rdb", "a-0001.rdb", true),
            ("a-*.rdb", "a-.rdb", true),
            ("a-*.rdb", "a-0001.rdb.gz", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("*é*", "caché", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(is_dump("x-0001.rdb") && is_dump("X.RDB.GZ") && !is_dump(".rdb") && !is_dump("x"));
    }
}
