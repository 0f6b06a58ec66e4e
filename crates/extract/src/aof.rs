//! An append-only file: a dump, and the commands that came after it.
//!
//! The commands are read twice. The first time tells which keys they touch. Then the dump is read:
//! records of other keys go straight through, those of touched keys are kept. At the dump's end the
//! commands are replayed on what was kept, and that is given last.

mod command;
mod generic;
mod geo;
mod hashes;
mod hyperloglog;
mod keyspace;
mod lists;
mod manifest;
mod sets;
mod sorted;
mod stream;
mod strings;
mod table;
mod value;

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_core::future::BoxFuture;
use keystar_rdb::{Blob, Db, Event, Filter, Head, Level, Parser, Part, Record, Step, looks_like};

use self::{
    command::{Command, Commands, Next},
    keyspace::{Databases, Fault, Keys, Keyspace, database},
    table::{Action, action},
    value::{Held, Keyed, pieces},
};
use crate::{
    Batch, Entry, Error, Failure, Position, RdbFile, RdbOptions, Remarks, Source,
    batch::plain_head,
    dumps::DUMP_BITS,
    state::{Reading, fingerprint, put},
};

const READ_BYTES: usize = 256 << 10;
/// Where the offsets of records begin that commands have made or changed.
const REPLAYED: u64 = 1 << DUMP_BITS;
const MAGIC: &[u8] = b"KSA1";

/// An append-only file as a source.
///
/// The path is that of
///
/// - the folder of a server from Redis 7 on (`appendonlydir`) or the manifest in it: a base, which is
///   a dump or commands, and increments;
/// - an `.aof` file of any server: commands, with or without a dump before them.
///
/// What comes out is what a server that loads it has in memory, in the order of the dump for the
/// keys that no command touches, then the others by database and key. Keys whose time is over are
/// given, as of a dump.
///
/// # Memory
///
/// The dump streams through. What is kept in memory are the names and values of those keys that the
/// commands touch: a base that is made of commands (`aof-use-rdb-preamble no`) is kept whole. Beyond
/// [`with_max_memory_bytes`](Self::with_max_memory_bytes) that is an [`Error::Memory`]; a server that
/// rewrites its file (`BGREWRITEAOF`) makes the commands few.
///
/// # Damage
///
/// A last file that ends inside of a command or of a transaction, as a crash leaves it, is read up
/// to there with a warning, as a server does. Any other damage is an error with its byte. So is a
/// command that is not known or cannot be replayed: one of a module or of a script, one that expires
/// something after a time from then on, `SORT` by patterns.
///
/// # Positions
///
/// A run that resumes reads the dump's beginning again, without giving it, to find the touched keys.
/// A file that has grown since then is another one.
///
/// ```no_run
/// use keystar_extract::{AppendOnly, Batch, RdbOptions, Source};
///
/// # async fn example() -> Result<(), keystar_extract::Error> {
/// let mut source = AppendOnly::open("/var/lib/redis/appendonlydir", RdbOptions::default())?;
/// let mut batch = Batch::new();
/// while source.fill(&mut batch).await? {
///     for entry in batch.entries() {
///         // hand it to a worker
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct AppendOnly {
    files: Vec<LogFile>,
    options: RdbOptions,
    limit: u64,
    stage: Stage,
    keys: Keyspace,
    /// How much may be added before it is measured again.
    slack: usize,
    /// A touched value that comes in parts.
    gathering: Option<Keyed>,
    ordinal: u64,
    /// Records that were given, also in the run before.
    given: u64,
    /// Records that the run before gave and that were not passed over yet.
    passed: u64,
    /// What the first batch is to tell besides.
    told: Remarks,
}

struct LogFile {
    place: Place,
    name: String,
    /// When it was opened: what comes later is not read.
    bytes: u64,
}

enum Place {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

enum Stage {
    Closed,
    Base { file: Box<RdbFile>, plan: Box<Plan>, filter: Arc<Wanted> },
    Rest(Rest),
}

/// What was replayed and is still to be given.
#[derive(Default)]
struct Rest {
    keys: VecDeque<(u32, Blob<'static>, Keyed)>,
    parts: VecDeque<Part>,
    /// How many keys were taken.
    taken: u64,
}

/// What the first reading of the commands told.
#[derive(Default)]
struct Plan {
    /// How many bytes of the first file are a dump.
    base: u64,
    /// Where a `FLUSHALL` stands that makes all before it idle: the file, and the byte after it.
    start: Option<(usize, u64, u32)>,
    /// Where the last file ends for us.
    end: u64,
    touched: Arc<Keys>,
    /// Databases of the base of which nothing is left but what is touched.
    flushed: HashSet<u32>,
    /// Whether that is so of all.
    void: bool,
    names: Databases,
    commands: u64,
}

/// Which records of the base are wanted.
struct Wanted {
    touched: Arc<Keys>,
    flushed: HashSet<u32>,
    void: bool,
    names: Databases,
    filter: Filter,
    /// Records that are no more.
    dropped: AtomicU64,
}

impl Wanted {
    fn allows(&self, head: &Head<'_>) -> bool {
        if self.touched.contains(head.db.0, &head.key) {
            return true;
        }
        if self.void || self.flushed.contains(&head.db.0) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if self.names.are_as_before() {
            return self.filter.allows(head);
        }
        let mut head = head.clone();
        head.db = Db(self.names.now(head.db.0));
        self.filter.allows(&head)
    }
}

impl AppendOnly {
    /// Finds the files. They are read by the first `fill`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] for a file that cannot be opened, and [`Error::Places`] for a folder without a
    /// manifest or a manifest that cannot be read.
    pub fn open(path: impl AsRef<Path>, options: RdbOptions) -> Result<Self, Error> {
        let mut files = Vec::new();
        for path in manifest::files(path.as_ref())? {
            let metadata = path.metadata();
            let metadata = metadata.map_err(|source| Error::Open { path: path.clone(), source })?;
            let name = path.display().to_string();
            files.push(LogFile { place: Place::File(path), name, bytes: metadata.len() });
        }
        Ok(Self::new(files, options))
    }

    /// Reads an `.aof` file from memory.
    pub fn from_bytes(bytes: Vec<u8>, options: RdbOptions) -> Self {
        let (name, length) = ("the append-only file".to_owned(), bytes.len() as u64);
        let file = LogFile { place: Place::Memory(bytes.into()), name, bytes: length };
        Self::new(vec![file], options)
    }

    fn new(files: Vec<LogFile>, options: RdbOptions) -> Self {
        Self {
            files,
            options,
            limit: 1 << 30,
            stage: Stage::Closed,
            keys: Keyspace::default(),
            slack: 0,
            gathering: None,
            ordinal: 0,
            given: 0,
            passed: 0,
            told: Remarks::default(),
        }
    }

    /// How much memory the touched keys may take, about, in bytes; 1 GiB by default.
    #[must_use]
    pub fn with_max_memory_bytes(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        loop {
            batch.clear();
            let more = match &self.stage {
                Stage::Closed => {
                    self.begin()?;
                    continue;
                }
                Stage::Base { .. } => self.base_batch(batch)?,
                Stage::Rest(_) => self.replayed_batch(batch),
            };
            if !more {
                return Ok(false);
            }
            if self.skip(batch) {
                continue;
            }
            self.tell(&mut batch.remarks);
            if batch.is_empty() {
                continue;
            }
            batch.count_pieces(&mut self.ordinal);
            return Ok(true);
        }
    }

    /// Reads the commands for the first time, and opens the dump.
    fn begin(&mut self) -> Result<(), Error> {
        let plan = self.scan()?;
        self.keys.longest = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let wanted = Arc::new(Wanted {
            touched: Arc::clone(&plan.touched),
            flushed: plan.flushed.clone(),
            void: plan.void,
            names: plan.names.clone(),
            filter: self.options.filter.clone(),
            dropped: AtomicU64::new(0),
        });
        let bytes = if plan.start.is_some() { 0 } else { plan.base };
        if bytes == 0 {
            self.told.description = Some(describe(plan.commands, None));
        }
        let Some(file) = self.files.first().filter(|_| bytes > 0) else {
            self.replay(&plan)?;
            return Ok(());
        };
        let shared = Arc::clone(&wanted);
        let filter = if plan.touched.is_empty()
            && plan.names.are_as_before()
            && plan.flushed.is_empty()
            && !plan.void
        {
            self.options.filter.clone()
        } else {
            Filter::new().with_predicate(move |head| shared.allows(head))
        };
        let options = self.options.clone().with_filter(filter);
        let base = RdbFile::from_reader(file.read(0, bytes)?, Some(bytes), options)
            .map_err(|error| file.named(error))?;
        self.stage = Stage::Base { file: Box::new(base), plan: Box::new(plan), filter: wanted };
        Ok(())
    }

    fn scan(&mut self) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        let mut touched = Keys::default();
        let mut command = Command::default();
        let last = self.files.len().saturating_sub(1);
        for (nth, file) in self.files.iter().enumerate() {
            let from = if nth == 0 { file.dump_bytes(&self.options)? } else { 0 };
            if nth == 0 {
                plan.base = from;
            }
            let mut commands = file.commands(from, file.bytes)?;
            let mut selected = 0;
            // What is taken back if a transaction does not end: where it begins, and all before.
            let mut open: Option<(u64, Databases, HashSet<u32>, bool)> = None;
            let end = loop {
                let next = commands.next(&mut command)?;
                match next {
                    Next::Time(_) => continue,
                    Next::End => break open.as_ref().map(|(begin, ..)| *begin),
                    Next::Cut(at) => break Some(open.as_ref().map_or(at, |(begin, ..)| *begin)),
                    Next::Command => {}
                }
                let (name, args) = command.parts();
                let fault = |fault: &Fault| file.fault(&command, &name, fault);
                plan.commands += 1;
                let Some(action) = action(&name) else {
                    let detail = Fault::Unsupported("it is not known, perhaps one of a module");
                    return Err(fault(&detail));
                };
                match action {
                    Action::Select => {
                        selected = database(&args, 1).map_err(|wrong| fault(&wrong))?
                    }
                    Action::Begin => {
                        open = Some((
                            command.offset,
                            plan.names.clone(),
                            plan.flushed.clone(),
                            plan.void,
                        ));
                    }
                    Action::Commit => open = None,
                    Action::Swap => {
                        let one = database(&args, 1).map_err(|wrong| fault(&wrong))?;
                        let other = database(&args, 2).map_err(|wrong| fault(&wrong))?;
                        plan.names.swap(one, other);
                    }
                    Action::Flush => {
                        plan.flushed.insert(plan.names.was(selected));
                    }
                    Action::FlushAll if open.is_none() => {
                        touched.clear();
                        plan.names = Databases::default();
                        plan.start = Some((nth, commands.offset, selected));
                    }
                    Action::FlushAll => plan.void = true,
                    Action::Change { keys, .. } => {
                        let keys = keys.of(&args, selected).map_err(|wrong| fault(&wrong))?;
                        for (db, key) in keys {
                            touched.insert(plan.names.was(db), key);
                        }
                        if touched.bytes as u64 > self.limit {
                            return Err(Error::Memory {
                                file: file.name.clone(),
                                limit: self.limit,
                            });
                        }
                    }
                    Action::Aside(what) => self.told.note(what),
                    Action::Refused(why) => return Err(fault(&Fault::Unsupported(why))),
                    Action::Nothing => {}
                }
            };
            plan.end = file.bytes;
            let Some(at) = end else { continue };
            if nth < last {
                let detail = "the file ends inside of a command, and others follow it".to_owned();
                return Err(Error::Log { file: file.name.clone(), offset: at, detail });
            }
            plan.end = at;
            if let Some((_, names, flushed, void)) = open {
                (plan.names, plan.flushed, plan.void) = (names, flushed, void);
            }
            let lost = file.bytes - at;
            self.told.warnings.push(format!(
                "{}: the last {lost} bytes, from byte {at} on, are no whole command or transaction \
                 and were left out, as a server leaves them out",
                file.name
            ));
        }
        plan.touched = Arc::new(touched);
        Ok(plan)
    }

    fn base_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let Stage::Base { file, plan, filter } = &mut self.stage else { return Ok(false) };
        let Some(base) = self.files.first() else { return Ok(false) };
        if !file.next_batch(batch).map_err(|error| base.named(error))? {
            let plan = std::mem::take(plan);
            self.replay(&plan)?;
            return Ok(true);
        }
        let remarks = &mut batch.remarks;
        let dropped = filter.dropped.swap(0, Ordering::Relaxed);
        if let Some(filtered) = remarks.skipped.get_mut("filter") {
            *filtered -= dropped.min(*filtered);
        }
        remarks.skipped.retain(|_, count| *count > 0);
        if let Some(description) = &mut remarks.description {
            *description = describe(plan.commands, Some(description));
        }
        if !plan.touched.is_empty() {
            let context = batch.context().cloned();
            let (keys, gathering) = (&mut self.keys, &mut self.gathering);
            batch.take_out(|entry| {
                let (db, key) = match &entry {
                    Entry::Frame(frame) => (frame.head.db, &*frame.head.key),
                    Entry::Part { part, .. } => (part.head.db, &*part.head.key),
                    Entry::Failed { failure, .. } => (failure.db, &*failure.key),
                    Entry::Record { record, .. } => (record.db, &*record.key),
                };
                if !plan.touched.contains(db.0, key) {
                    return false;
                }
                let key = Blob::copied(key);
                if let Some(keyed) = keep(entry, context.as_ref(), gathering) {
                    keys.load(db.0, &key, keyed);
                }
                true
            });
        }
        if !plan.names.are_as_before() {
            for (db, _) in batch.heads_mut() {
                db.0 = plan.names.now(db.0);
            }
        }
        let between = batch.position.is_some() || file.is_over();
        self.given += units(batch);
        batch.position = between.then(|| self.position(batch.source_bytes));
        let first = self.files.first().map(|file| file.name.clone());
        self.measure(&first.unwrap_or_default())?;
        Ok(true)
    }

    /// Replays the commands on what was kept.
    fn replay(&mut self, plan: &Plan) -> Result<(), Error> {
        self.keys.names = Databases::default();
        let (first, start, selected) = plan.start.unwrap_or((0, plan.base, 0));
        let last = self.files.len().saturating_sub(1);
        let mut command = Command::default();
        for nth in first..self.files.len() {
            let Some(file) = self.files.get(nth) else { continue };
            let from = if nth == first { start } else { 0 };
            self.keys.selected = if nth == first { selected } else { 0 };
            let end = if nth == last { plan.end } else { file.bytes };
            let mut commands = file.commands(from, end.max(from))?;
            let name = file.name.clone();
            loop {
                match commands.next(&mut command)? {
                    Next::Command => {}
                    Next::Time(seconds) => {
                        if seconds > i64::MIN {
                            self.keys.clock = Some(seconds.saturating_mul(1000));
                        }
                        continue;
                    }
                    Next::End => break,
                    Next::Cut(offset) => {
                        let detail = "the file became shorter while it was read".to_owned();
                        return Err(Error::Log { file: name, offset, detail });
                    }
                }
                let done = apply(&mut self.keys, &command);
                if let (Err(fault), Some(file)) = (done, self.files.get(nth)) {
                    let (command_name, _) = command.parts();
                    return Err(file.fault(&command, &command_name, &fault));
                }
                self.measure(&name)?;
            }
        }
        let keys = self.keys.drain();
        self.stage = Stage::Rest(Rest { keys, ..Rest::default() });
        Ok(())
    }

    /// Whether what is kept still fits.
    fn measure(&mut self, file: &str) -> Result<(), Error> {
        if self.keys.grown <= self.slack {
            return Ok(());
        }
        let limit = self.limit;
        let cost = self.keys.cost() as u64;
        if cost > limit {
            return Err(Error::Memory { file: file.to_owned(), limit });
        }
        self.keys.grown = 0;
        self.slack = usize::try_from((limit - cost).max(limit / 64)).unwrap_or(usize::MAX);
        Ok(())
    }

    fn replayed_batch(&mut self, batch: &mut Batch) -> bool {
        let total = self.total();
        let options = &self.options;
        let Stage::Rest(rest) = &mut self.stage else { return false };
        let mut bytes = 0;
        while !batch.is_full(options.batch_bytes) && bytes < options.batch_bytes {
            if let Some(part) = rest.parts.pop_front() {
                batch.push_part(part, 0);
                continue;
            }
            let Some((db, key, keyed)) = rest.keys.pop_front() else { break };
            let offset = REPLAYED + rest.taken;
            rest.taken += 1;
            let cost = keyed.held.cost() + key.len();
            bytes += cost;
            let value = match keyed.held.into_value() {
                Ok(value) => value,
                Err(detail) => {
                    let failure = Failure { db: Db(db), key: key.into_vec(), offset, detail };
                    batch.push_failure(failure, None);
                    continue;
                }
            };
            let record = Record::new(Db(db), key, value)
                .with_expires_at(keyed.expires_at)
                .with_usage(keyed.usage);
            let head = plain_head(&record, offset);
            if !options.filter.allows(&head) {
                batch.remarks.skip("filter");
            } else if cost <= options.max_value_bytes {
                batch.push_record(record, offset, cost);
            } else {
                let head = head.into_owned();
                let pieces = pieces(record.value, options.batch_bytes);
                let count = pieces.len();
                let part =
                    |(nth, (start, value))| Part::new(head.clone(), value, start, nth + 1 == count);
                rest.parts = pieces.into_iter().enumerate().map(part).collect();
                if !batch.packed.is_empty() {
                    break;
                }
            }
        }
        let between = rest.parts.is_empty();
        let over = rest.keys.is_empty() && between;
        batch.source_bytes = total;
        self.given += units(batch);
        batch.position = between.then(|| self.position(total));
        !(over && batch.is_empty() && self.told.is_empty())
    }

    /// Leaves out what the run before gave; whether nothing is left.
    fn skip(&mut self, batch: &mut Batch) -> bool {
        if self.passed == 0 {
            return false;
        }
        let mut left = self.passed;
        batch.take_out(|entry| {
            let passed = left > 0;
            left -= u64::from(passed && ends(&entry));
            passed
        });
        self.passed = left;
        batch.remarks = Remarks::default();
        self.told = Remarks::default();
        batch.packed.is_empty()
    }

    fn tell(&mut self, remarks: &mut Remarks) {
        if self.told.is_empty() {
            return;
        }
        let told = std::mem::take(&mut self.told);
        remarks.warnings.extend(told.warnings);
        for (what, count) in told.others {
            *remarks.others.entry(what).or_default() += count;
        }
        remarks.description = remarks.description.take().or(told.description);
    }

    fn total(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn identity(&self) -> u64 {
        fingerprint(self.files.iter().map(|file| (file.name.as_bytes(), file.bytes)))
    }

    fn position(&self, offset: u64) -> Position {
        let mut state = MAGIC.to_vec();
        put(&mut state, self.identity());
        put(&mut state, self.given);
        Position { offset, state }
    }

    fn go_on(&mut self, position: &Position) -> Result<(), Error> {
        let state = position.state.strip_prefix(MAGIC).and_then(|state| {
            let mut state = Reading::new(state);
            let found = (state.number()?, state.number()?);
            state.is_at_end().then_some(found)
        });
        let (identity, given) = state.ok_or(Error::Position(Position::FOREIGN))?;
        if identity != self.identity() {
            return Err(Error::Position(
                "the append-only files are not those of the checkpoint, or have grown: begin again",
            ));
        }
        self.passed = given;
        Ok(())
    }
}

/// What kind of source it is, for people.
fn describe(commands: u64, base: Option<&str>) -> String {
    match base {
        Some(base) => format!("append-only file: {base}, then {commands} commands"),
        None => format!("append-only file: {commands} commands"),
    }
}

/// Whether a record ends with this entry.
fn ends(entry: &Entry<'_>) -> bool {
    !matches!(entry, Entry::Part { part, .. } if !part.last)
}

/// How many records end in the batch.
fn units(batch: &Batch) -> u64 {
    batch.entries().filter(ends).count() as u64
}

/// Takes a touched record of the base to pieces; `None` until its last part.
fn keep(
    entry: Entry<'_>,
    context: Option<&keystar_rdb::Context>,
    gathering: &mut Option<Keyed>,
) -> Option<Keyed> {
    let damaged = |detail: String| Some(Keyed::new(Held::Damaged(detail)));
    match entry {
        Entry::Frame(frame) => match context.map(|context| frame.decode(context)) {
            Some(Ok(record)) => Some(Keyed {
                expires_at: record.expires_at,
                usage: record.usage,
                held: Held::of(record.value.into_owned()),
            }),
            Some(Err(error)) => damaged(error.to_string()),
            None => damaged("no context".to_owned()),
        },
        Entry::Part { part, .. } => {
            let more = Held::of(part.value.clone());
            match gathering {
                Some(keyed) if part.start > 0 => {
                    if !keyed.held.extend(more) {
                        keyed.held = Held::Damaged("its parts do not fit".to_owned());
                    }
                }
                _ => {
                    let expires_at = part.head.expires_at;
                    *gathering = Some(Keyed { held: more, expires_at, usage: part.head.usage });
                }
            }
            if part.last { gathering.take() } else { None }
        }
        Entry::Failed { failure, .. } => {
            *gathering = None;
            damaged(failure.detail.clone())
        }
        Entry::Record { record, .. } => Some(Keyed::new(Held::of(record.value.clone()))),
    }
}

/// Runs one command.
fn apply(keys: &mut Keyspace, command: &Command) -> Result<(), Fault> {
    let (name, args) = command.parts();
    keys.grown += args.iter().map(|argument| argument.len() + 64).sum::<usize>();
    match action(&name) {
        Some(Action::Change { keys: touched, run }) => {
            let touched = touched.of(&args, keys.selected)?;
            if let Some(detail) = damage(keys, &name, &touched) {
                // Whatever the command made of it is not known either.
                for (db, key) in touched {
                    let held = Held::Damaged(detail.clone());
                    keys.within(db, |keys| keys.insert(key, Keyed::new(held)));
                }
                return Ok(());
            }
            run(keys, &args)
        }
        Some(Action::Select) => {
            keys.selected = database(&args, 1)?;
            Ok(())
        }
        Some(Action::Swap) => generic::swap(keys, &args),
        Some(Action::Flush) => generic::flush(keys, &args),
        Some(Action::FlushAll) => generic::flush_all(keys, &args),
        _ => Ok(()),
    }
}

/// Why a value that the command reads is damaged, if one is.
fn damage(keys: &mut Keyspace, name: &str, touched: &[(u32, &[u8])]) -> Option<String> {
    const BLIND: [&str; 15] = [
        "DEL",
        "UNLINK",
        "GETDEL",
        "SET",
        "MSET",
        "SETEX",
        "PSETEX",
        "RESTORE",
        "RENAME",
        "COPY",
        "MOVE",
        "PERSIST",
        "PEXPIREAT",
        "EXPIREAT",
        "GETEX",
    ];
    if BLIND.contains(&name) {
        return None;
    }
    touched.iter().find_map(|(db, key)| {
        keys.within(*db, |keys| match keys.get(key).map(|keyed| &keyed.held) {
            Some(Held::Damaged(detail)) => Some(detail.clone()),
            _ => None,
        })
    })
}

type Bytes = Take<Box<dyn Read + Send>>;

impl LogFile {
    /// The bytes from one place to another.
    fn read(&self, from: u64, end: u64) -> Result<Bytes, Error> {
        let reader: Box<dyn Read + Send> = match &self.place {
            Place::File(path) => {
                let failed = |source| Error::Open { path: path.clone(), source };
                let mut file = File::open(path).map_err(failed)?;
                file.seek(SeekFrom::Start(from)).map_err(failed)?;
                Box::new(file)
            }
            Place::Memory(bytes) => {
                let mut bytes = io::Cursor::new(Arc::clone(bytes));
                bytes.set_position(from);
                Box::new(bytes)
            }
        };
        Ok(reader.take(end - from))
    }

    fn commands(&self, from: u64, end: u64) -> Result<Commands<BufReader<Bytes>>, Error> {
        let mut reader = BufReader::with_capacity(READ_BYTES, self.read(from, end)?);
        let head =
            reader.fill_buf().map_err(|source| self.named(Error::Read { offset: from, source }))?;
        if !matches!(head.first(), None | Some(b'*' | b'#')) && from == 0 {
            let looks_like = looks_like(head.get(..512).unwrap_or(head));
            let detail = format!("this is not an append-only file but looks like {looks_like}");
            return Err(Error::Log { file: self.name.clone(), offset: from, detail });
        }
        Ok(Commands::new(reader, &self.name, from))
    }

    /// How many bytes of the file, at its beginning, are a dump.
    fn dump_bytes(&self, options: &RdbOptions) -> Result<u64, Error> {
        let mut reader = BufReader::with_capacity(READ_BYTES, self.read(0, self.bytes)?);
        let unreadable = |offset| move |source| Error::Read { offset, source };
        let head = reader.fill_buf().map_err(unreadable(0)).map_err(|error| self.named(error))?;
        if !head.starts_with(b"REDIS") && !head.starts_with(b"VALKEY") {
            return Ok(0);
        }
        // The server writes nothing behind such a base.
        if self.name.ends_with(".rdb") {
            return Ok(self.bytes);
        }
        let mut options = options.parser().with_filter(Filter::new());
        options.level = Level::Skip;
        let mut parser = Parser::new(options);
        loop {
            match parser.step() {
                Ok(Step::Event(Event::End { .. })) => return Ok(parser.offset()),
                Ok(Step::Event(_)) => {}
                Ok(Step::NeedInput) => {
                    let read = parser.feed_from(READ_BYTES, |room| reader.read(room));
                    let read = read.map_err(unreadable(parser.offset()));
                    if read.map_err(|error| self.named(error))? == 0 {
                        parser.finish();
                    }
                }
                Ok(Step::End) => return Ok(parser.offset()),
                Err(error) if error.skippable() => {}
                Err(error) => return Err(self.named(error.into())),
            }
        }
    }

    fn named(&self, error: Error) -> Error {
        Error::Place { place: self.name.clone(), source: Box::new(error) }
    }

    fn fault(&self, command: &Command, name: &str, fault: &Fault) -> Error {
        Error::Command {
            file: self.name.clone(),
            offset: command.offset,
            command: name.to_owned(),
            detail: fault.words(),
        }
    }
}

impl Source for AppendOnly {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.next_batch(batch) })
    }

    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.go_on(position) })
    }

    fn total_bytes(&self) -> Option<u64> {
        Some(self.total())
    }
}

impl fmt::Debug for AppendOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendOnly")
            .field("files", &self.files.iter().map(|file| &file.name).collect::<Vec<_>>())
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
