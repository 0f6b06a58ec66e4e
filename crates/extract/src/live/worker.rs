//! The scan of one shard: a pipeline of questions that the server never runs out of.
//!
//! `SCAN` tells the names of keys, and for each two questions follow: when it expires, and what it
//! holds. The next `SCAN` is asked as soon as the last one is answered, ahead of the questions for
//! the keys that it told, so that the server has work while answers are read. How much is under way
//! follows the size of the values.
//!
//! Typed reads are the same pipeline: the second question is for the key's type, and what the type's
//! command tells is asked for as soon as that is known, between the questions for other keys. A value
//! that is more than an answer or two is read on over a second connection, by itself.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use keystar_rdb::{Blob, Context, Db, Encoding, Frame, Head, Kind, Record, UnixMillis};

use super::{
    identity,
    info::Info,
    link::{Link, Reply, Token},
    pace::Pace,
    pieces::{Gather, Outcome, Piecewise},
    progress::Progress,
    recent::Recent,
    redis::{Connected, Mode, Redis},
    resp,
    scan::{Message, Read, Shared},
    topology::{Shard, slot_of},
};
use crate::{Batch, Error, Failure};

/// How long keys wait for others: of a slow server, or below a limit, a batch is not awaited full.
const LINGER: Duration = Duration::from_secs(1);
/// A data set up to this size holds no value that is a burden to dump: its values are not measured
/// before they are asked for.
const SMALL_DATA_BYTES: u64 = 256 << 20;

/// Whether a server's data may hold a value that is a burden to dump, as far as it says.
fn is_large(link: &mut Link) -> Result<bool, Error> {
    let bytes = Info::of(link)?.number("used_memory_dataset");
    Ok(bytes.is_none_or(|bytes| bytes > SMALL_DATA_BYTES))
}

/// Bytes of values that may be under way, and that may where connections break all the time.
const WINDOW_BYTES: u64 = 1 << 20;
const LEAST_WINDOW_BYTES: u64 = 8 << 10;
/// So many values after a connection was lost, all is well again.
const RECOVERED: u64 = 20_000;
/// Keys that may be under way: more is no faster.
const WINDOW_KEYS: usize = 2048;
/// Keys that one `SCAN` is asked for at most: it holds the server up for under a millisecond.
const MAX_COUNT: usize = 1000;
/// The same where the server leaves most keys out by itself.
const MAX_COUNT_FILTERED: usize = 10_000;
/// A value takes so many times more memory than bytes in a dump, at most and about.
const MEMORY_FACTOR: usize = 4;
/// What a value is taken for before any was seen.
const FIRST_GUESS: u64 = 32 << 10;

/// Why a scan stops short.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Nobody wants it any more.
    Stopped,
    Error(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What a thread is to read.
pub(crate) enum Work {
    /// All of its shard, from where an earlier scan came to.
    Scan(Progress),
    /// These, one after the other.
    Sweep(Vec<Sweep>),
}

/// Slots that are read by their lists of keys.
pub(crate) struct Sweep {
    pub(crate) shard: Shard,
    pub(crate) slots: Vec<u16>,
    /// Whether the slots are on their way to the shard, which then wants to be asked for each key
    /// with `ASKING`.
    pub(crate) asking: bool,
}

/// The scan of one shard, on its own thread.
pub(crate) struct Worker {
    index: usize,
    redis: Redis,
    shard: Shard,
    shared: Arc<Shared>,
    progress: Progress,
    sweeps: Vec<Sweep>,
    moved: BTreeSet<u16>,
    batch: Box<Batch>,
    /// When a batch was handed over last.
    emitted: Instant,
    context: Option<Context>,
    recent: Recent,
    /// A second connection, for values that are read in pieces; and the database it is in.
    side: Option<(Link, Db)>,
    /// The process that is scanned, and the one at the other end of the second connection.
    run_id: String,
    side_run_id: String,
    /// Keys that were answered since the thread began: while they grow, the server is well.
    answered: u64,
    /// The size of a value, about.
    value_bytes: u64,
    /// Bytes of values that may be under way: fewer where connections break before these are given.
    window_bytes: u64,
    /// Values that were given since a connection was lost.
    given: u64,
}

/// How the server wants to be asked.
struct Manner {
    /// The command that tells when a key expires.
    expiry: &'static str,
    /// Whether what it tells is milliseconds from now.
    relative: bool,
    /// So far is the server's clock ahead of ours.
    ahead: i64,
    /// The command that tells the value, or with typed reads its type.
    value: &'static str,
    /// Whether the server has fields that expire.
    fields_expire: bool,
    /// What is added to `SCAN`.
    scan: Vec<Vec<u8>>,
    /// Whether the sizes of values are asked for first.
    sizes: bool,
    /// Whether names are still to be matched here.
    match_names: bool,
    /// Whether each question wants to be announced, since the slot is not the node's own yet.
    asking: bool,
}

impl Manner {
    /// When a key expires, by what the server tells of it.
    fn moment(&self, told: i64) -> Option<UnixMillis> {
        match told {
            ..0 => None,
            left if self.relative => {
                let now = now_millis().saturating_add(self.ahead);
                Some(UnixMillis(now.saturating_add(left)))
            }
            moment => Some(UnixMillis(moment)),
        }
    }
}

/// What the next replies answer.
enum Expected {
    Names,
    /// The sizes of the values of the keys that `SCAN` told last.
    Sizes,
    /// So many keys, two replies each.
    Keys(usize),
    /// So many values that are read by their type, one reply each.
    Values(usize),
}

/// A value that is read by its type, between those of others.
struct Typed {
    /// The number of its chunk.
    chunk: u64,
    value: Piecewise,
    gather: Gather,
}

/// So many values are asked for at once when their types are known: the server is to begin with them
/// before we have read all types.
const VALUES_AT_ONCE: usize = 128;

/// Keys that one `SCAN` told.
#[derive(Default)]
struct Chunk {
    names: Vec<u8>,
    ends: Vec<usize>,
    /// The cursor that tells them again.
    before: u64,
    asked: usize,
    told: usize,
    /// Of those that are told, how many have a type so far, and no value.
    open: usize,
    /// Whether the sizes of its values are known, or not asked for.
    sized: bool,
    /// Those that are too big for `DUMP`, in order.
    big: Vec<usize>,
}

impl Chunk {
    fn name(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        let end = self.ends.get(at).copied().unwrap_or_default();
        self.names.get(start.unwrap_or_default()..end).unwrap_or_default()
    }

    fn push(&mut self, name: &[u8]) {
        self.names.extend_from_slice(name);
        self.ends.push(self.names.len());
    }
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        redis: &Redis,
        shard: Shard,
        shared: &Arc<Shared>,
        work: Work,
    ) -> Self {
        let (progress, sweeps) = match work {
            Work::Scan(progress) => (progress, Vec::new()),
            Work::Sweep(sweeps) => (Progress::default(), sweeps),
        };
        Self {
            index,
            redis: redis.clone(),
            shard,
            shared: Arc::clone(shared),
            moved: progress.moved.iter().copied().collect(),
            progress,
            sweeps,
            batch: shared.batch(),
            emitted: Instant::now(),
            context: None,
            recent: Recent::new(),
            side: None,
            run_id: String::new(),
            side_run_id: String::new(),
            answered: 0,
            value_bytes: FIRST_GUESS,
            window_bytes: WINDOW_BYTES,
            given: 0,
        }
    }

    /// Scans to the end, and tells it.
    pub(crate) fn run(mut self) {
        let last = match self.work() {
            Ok(()) => {
                self.progress.done = true;
                Message::Done { index: self.index, progress: Box::new(self.progress()) }
            }
            Err(Halt::Stopped) => return,
            Err(Halt::Error(error)) => Message::Failed { index: self.index, error },
        };
        // Whoever does not listen any more does not want to know.
        self.shared.queue.put(last);
    }

    /// Whether slots are read by their lists, and no cursor is to be kept.
    fn is_sweep(&self) -> bool {
        self.progress.id.is_empty()
    }

    fn work(&mut self) -> Result<(), Halt> {
        if self.sweeps.is_empty() {
            return self.persist(Self::scan);
        }
        for sweep in std::mem::take(&mut self.sweeps) {
            self.shard = sweep.shard.clone();
            self.persist(|worker| worker.sweep(&sweep))?;
        }
        Ok(())
    }

    /// Works, and begins again where it was whenever the server is lost.
    fn persist(&mut self, mut work: impl FnMut(&mut Self) -> Result<(), Halt>) -> Result<(), Halt> {
        let patience = self.redis.access().patience;
        let mut trouble: Option<(Instant, u32, u64)> = None;
        loop {
            let error = match work(self) {
                Ok(()) => return Ok(()),
                Err(Halt::Error(error)) if error.is_retryable() => error,
                Err(halt) => return Err(halt),
            };
            if self.shared.is_stopped() {
                return Err(Halt::Stopped);
            }
            let fresh = (Instant::now(), 0, self.answered);
            // Whatever was answered meanwhile shows that the server is well.
            let (since, tries, answered) = trouble.unwrap_or(fresh);
            let (since, tries, _) =
                if self.answered > answered { fresh } else { (since, tries, answered) };
            if since.elapsed() > patience {
                return Err(error.into());
            }
            trouble = Some((since, tries + 1, self.answered));
            // Answers that come with the loss of those before them are of no use.
            if std::mem::take(&mut self.given) < self.limit() as u64 / 2 {
                self.window_bytes = (self.window_bytes / 2).max(LEAST_WINDOW_BYTES);
            }
            if !self.shared.sleep(pause(tries)) {
                return Err(Halt::Stopped);
            }
            self.relocate();
        }
    }

    /// Finds the shard again after its server was lost: another may have taken its place.
    fn relocate(&mut self) {
        // When nobody can be asked, the old place is tried again.
        let Ok(shards) = self.redis.shards() else { return };
        let first = self.shard.slots.first().map(|(first, _)| *first);
        let owns = |shard: &&Shard| {
            let covers = |slot| shard.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot));
            first.is_none_or(covers)
        };
        let same = shards.iter().find(|shard| shard.id == self.shard.id);
        if let Some(found) = same.or_else(|| shards.iter().find(owns)) {
            self.shard = found.clone();
        }
    }

    /// Scans what is left, as long as the connection holds.
    fn scan(&mut self) -> Result<(), Halt> {
        self.side = None;
        let Connected { mut link, info } = self.redis.dial_shard(&self.shard)?;
        if let Ok(breaker) = link.breaker() {
            self.shared.watch(self.index, breaker, true);
        }
        info.run_id().clone_into(&mut self.run_id);
        if info.run_id().is_empty() || info.run_id() != self.progress.run_id {
            self.begin(info.run_id());
        }
        let manner = self.manner(&mut link)?;
        let options = &self.shared.options;
        let wanted = |db: &Db| {
            self.redis.url().db.is_none_or(|only| only == db.0)
                && options.filter.dbs().is_none_or(|dbs| dbs.contains(db))
                && *db >= self.progress.db
        };
        let databases: Vec<Db> = if info.is_known() {
            info.keyspaces().into_keys().filter(wanted).collect()
        } else {
            self.databases(&mut link)?.into_iter().filter(wanted).collect()
        };
        let mut selected = Db(0);
        for db in databases {
            if db != selected {
                link.ask(&["SELECT", &db.to_string()])?;
                selected = db;
            }
            if db != self.progress.db {
                (self.progress.db, self.progress.cursor) = (db, 0);
            }
            self.scan_db(&mut link, &manner, db)?;
        }
        if !self.batch.is_empty() {
            self.emit(true)?;
        }
        Ok(())
    }

    /// Reads the keys of slots.
    fn sweep(&mut self, sweep: &Sweep) -> Result<(), Halt> {
        self.side = None;
        let Connected { mut link, info } = self.redis.dial_shard(&self.shard)?;
        if let Ok(breaker) = link.breaker() {
            self.shared.watch(self.index, breaker, true);
        }
        info.run_id().clone_into(&mut self.run_id);
        let mut manner = self.manner(&mut link)?;
        (manner.match_names, manner.asking) = (true, sweep.asking);
        manner.sizes = false;
        let databases: Vec<Db> = match info.is_known() {
            true => info.keyspaces().into_keys().collect(),
            false => vec![Db(0)],
        };
        let shared = Arc::clone(&self.shared);
        let unwanted = |db: &Db| shared.options.filter.dbs().is_some_and(|dbs| !dbs.contains(db));
        for db in databases.into_iter().filter(|db| !unwanted(db)) {
            if db != Db(0) {
                link.ask(&["SELECT", &db.to_string()])?;
            }
            for slot in &sweep.slots {
                let slot = slot.to_string();
                let count = link.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot])?;
                let count = count.integer().unwrap_or_default();
                if count == 0 {
                    continue;
                }
                // Some may have come since.
                let count = count.saturating_mul(2).to_string();
                let mut run = Run::new(db, None);
                link.push(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]);
                link.flush()?;
                self.take_list(&mut link, "CLUSTER GETKEYSINSLOT", &manner, &mut run)?;
                self.tell(&mut link, &manner, &mut run)?;
            }
        }
        if self.batch.is_empty() { Ok(()) } else { self.emit(true) }
    }

    /// Begins the shard's scan: no cursor is known that this process would understand.
    fn begin(&mut self, run_id: &str) {
        if !self.progress.run_id.is_empty() {
            let warning = format!(
                "{} is another process than before: its scan began again",
                self.shard.primary
            );
            self.batch.remarks.warnings.push(warning);
        }
        self.progress = Progress {
            id: self.shard.id.clone(),
            slots: self.shard.slots.clone(),
            run_id: run_id.to_owned(),
            ..Progress::default()
        };
    }

    /// Finds out what the server can and lets us do.
    fn manner(&self, link: &mut Link) -> Result<Manner, Error> {
        let read = self.shared.options.read;
        let mut manner = Manner {
            expiry: "PEXPIRETIME",
            relative: false,
            ahead: clock_ahead(link)?,
            value: if read == Read::Typed { "TYPE" } else { "DUMP" },
            fields_expire: false,
            scan: vec![],
            sizes: self.shared.options.sizes_first && read == Read::Dump && is_large(link)?,
            match_names: false,
            asking: false,
        };
        if let Reply::Error(detail) = link.try_ask(&["PEXPIRETIME", "keystar:none"])? {
            match link.refused("PEXPIRETIME", &detail) {
                // Before Redis 7.0, or not granted.
                Error::Unsupported { .. } | Error::Forbidden { .. } => {
                    (manner.expiry, manner.relative) = ("PTTL", true);
                }
                // A cluster says where the key would be.
                _ if resp::redirect(detail.as_bytes()).is_some() => {}
                error => return Err(error),
            }
        }
        if manner.sizes
            && let Reply::Error(detail) = link.try_ask(&["MEMORY", "USAGE", "keystar:none"])?
        {
            // Where it is not granted, a value is found to be big when it comes.
            manner.sizes = resp::redirect(detail.as_bytes()).is_some();
        }
        let fields = ["HPEXPIRETIME", "keystar:none", "FIELDS", "1", "f"];
        manner.fields_expire = match link.try_ask(&fields)? {
            Reply::Error(detail) => {
                !matches!(link.refused("HPEXPIRETIME", &detail), Error::Unsupported { .. })
            }
            _ => true,
        };
        let filter = &self.shared.options.filter;
        let mut patterns = filter.patterns();
        match (patterns.next(), patterns.next()) {
            (Some(only), None) => {
                manner.scan.extend([b"MATCH".to_vec(), only.to_vec()]);
            }
            (Some(_), Some(_)) => manner.match_names = true,
            (None, _) => {}
        }
        // Newer servers refuse a type that they have not got, such as that of a missing module.
        if let Some([kind]) = filter.kinds()
            && !matches!(kind, Kind::Module | Kind::Json | Kind::Array)
        {
            manner.scan.extend([b"TYPE".to_vec(), kind.name().as_bytes().to_vec()]);
        }
        Ok(manner)
    }

    /// The databases of a server that does not let us ask for them.
    fn databases(&self, link: &mut Link) -> Result<Vec<Db>, Error> {
        if self.redis.mode() == Mode::Cluster {
            return Ok(vec![Db(0)]);
        }
        let mut found = Vec::new();
        for db in 0..u32::from(u16::MAX) {
            match link.try_ask(&["SELECT", &db.to_string()])? {
                Reply::Error(_) => break,
                _ => found.push(Db(db)),
            }
        }
        link.ask(&["SELECT", "0"])?;
        Ok(found)
    }

    fn scan_db(&mut self, link: &mut Link, manner: &Manner, db: Db) -> Result<(), Halt> {
        let mut run = Run::new(db, Some(self.progress.cursor));
        self.tell(link, manner, &mut run)?;
        self.progress.cursor = 0;
        // Whoever resumes here goes on with the next database.
        self.progress.db = Db(db.0.saturating_add(1));
        Ok(())
    }

    /// Asks and answers until all of the run is told.
    fn tell(&mut self, link: &mut Link, manner: &Manner, run: &mut Run) -> Result<(), Halt> {
        loop {
            self.ask(link, manner, run)?;
            let limit = self.limit();
            match run.expected.pop_front() {
                None => return Ok(()),
                Some(Expected::Names) => self.take_names(link, manner, run)?,
                Some(Expected::Sizes) => self.take_sizes(link, run)?,
                Some(Expected::Keys(mut count)) => {
                    let mut bytes = 0;
                    while count > 0 {
                        bytes += self.take_key(link, manner, run)?;
                        count -= 1;
                        if run.may_ask(limit) {
                            break;
                        }
                    }
                    if count > 0 {
                        run.expected.push_front(Expected::Keys(count));
                    }
                    if let Some(pace) = &self.shared.bytes_pace {
                        self.wait(pace.take(bytes))?;
                    }
                }
                Some(Expected::Values(mut count)) => {
                    while count > 0 {
                        self.take_value(link, manner, run)?;
                        count -= 1;
                        if run.may_ask(limit) {
                            break;
                        }
                    }
                    if count > 0 {
                        run.expected.push_front(Expected::Values(count));
                    }
                }
            }
        }
    }

    fn wait(&self, time: Duration) -> Result<(), Halt> {
        if time.is_zero() || self.shared.sleep(time) { Ok(()) } else { Err(Halt::Stopped) }
    }

    /// How many keys may be under way.
    fn limit(&self) -> usize {
        let window = if self.given > RECOVERED { WINDOW_BYTES } else { self.window_bytes };
        let bytes = self.shared.bytes_pace.as_ref().map_or(window, Pace::portion);
        let keys = bytes.min(window) / self.value_bytes.max(1);
        let keys = usize::try_from(keys).unwrap_or(WINDOW_KEYS).clamp(8, WINDOW_KEYS);
        match &self.shared.keys_pace {
            Some(pace) => keys.min(usize::try_from(pace.portion()).unwrap_or(WINDOW_KEYS)),
            None => keys,
        }
    }

    /// Sends as many questions as may be under way.
    fn ask(&mut self, link: &mut Link, manner: &Manner, run: &mut Run) -> Result<(), Halt> {
        let limit = self.limit();
        if let (false, Some(cursor)) = (run.asking, run.next) {
            let max = if run.yielded < 0.1 { MAX_COUNT_FILTERED } else { MAX_COUNT };
            let count = ((limit as f64 / run.yielded) as usize).clamp(10, max);
            if run.unasked + run.unsized_keys <= limit {
                let mut digits = (itoa::Buffer::new(), itoa::Buffer::new());
                let mut command = vec![
                    b"SCAN".as_slice(),
                    digits.0.format(cursor).as_bytes(),
                    b"COUNT",
                    digits.1.format(count).as_bytes(),
                ];
                command.extend(manner.scan.iter().map(Vec::as_slice));
                link.push(&command);
                run.asking = true;
                run.expected.push_back(Expected::Names);
                run.asked_for = count;
            }
        }
        if !run.typed.is_empty() {
            let count = run.typed.len();
            run.typed.iter().for_each(|typed| typed.value.ask(link, &typed.gather));
            run.asked.append(&mut run.typed);
            match run.expected.back_mut() {
                Some(Expected::Values(known)) => *known += count,
                _ => run.expected.push_back(Expected::Values(count)),
            }
        }
        let room = limit.saturating_sub(run.under_way).min(run.unasked);
        if room > 0 {
            if let Some(pace) = &self.shared.keys_pace {
                self.wait(pace.take(room as u64))?;
            }
            let mut left = room;
            for chunk in &mut run.chunks {
                while left > 0 && chunk.sized && chunk.asked < chunk.ends.len() {
                    let name = chunk.name(chunk.asked);
                    // What is too big to be dumped is asked for its type, and read by that.
                    let is_big = chunk.big.binary_search(&chunk.asked).is_ok();
                    for question in [manner.expiry, if is_big { "TYPE" } else { manner.value }] {
                        if manner.asking {
                            link.push(&["ASKING"]);
                        }
                        link.push(&[question.as_bytes(), name]);
                    }
                    chunk.asked += 1;
                    left -= 1;
                }
            }
            run.unasked -= room;
            run.under_way += room;
            match run.expected.back_mut() {
                Some(Expected::Keys(count)) => *count += room,
                _ => run.expected.push_back(Expected::Keys(room)),
            }
        }
        if link.pending() > 0 {
            link.flush()?;
        }
        Ok(())
    }

    /// Reads the answer to `SCAN`.
    fn take_names(&mut self, link: &mut Link, manner: &Manner, run: &mut Run) -> Result<(), Halt> {
        let odd = "an answer to SCAN that is none";
        match link.token()? {
            Token::Array(2) => {}
            Token::Error(detail) => {
                let detail = String::from_utf8_lossy(detail).into_owned();
                return Err(link.refused("SCAN", &detail).into());
            }
            _ => return Err(link.protocol(odd).into()),
        }
        let Token::Bulk(len) = link.token()? else { return Err(link.protocol(odd).into()) };
        let cursor = std::str::from_utf8(link.bulk(len)?).ok().and_then(|text| text.parse().ok());
        let Some(cursor) = cursor else { return Err(link.protocol(odd).into()) };
        self.take_list(link, "SCAN", manner, run)?;
        let told = run.chunks.back().map_or(0, |chunk| chunk.ends.len());
        let yielded = (told as f64 / run.asked_for.max(1) as f64).clamp(0.001, 1.0);
        run.yielded = run.yielded * 0.5 + yielded * 0.5;
        run.asking = false;
        run.next = (cursor != 0).then_some(cursor);
        self.retire(run);
        Ok(())
    }

    /// Reads a list of names.
    fn take_list(
        &mut self,
        link: &mut Link,
        command: &str,
        manner: &Manner,
        run: &mut Run,
    ) -> Result<(), Halt> {
        let odd = "a list of names that is none";
        let count = match link.token()? {
            Token::Array(count) => count,
            Token::Error(detail) => {
                let detail = String::from_utf8_lossy(detail).into_owned();
                return Err(link.refused(command, &detail).into());
            }
            _ => return Err(link.protocol(odd).into()),
        };
        let mut chunk = run.spare.pop().unwrap_or_default();
        chunk.before = run.next.unwrap_or_default();
        let filter = &self.shared.options.filter;
        for _ in 0..count {
            let Token::Bulk(len) = link.token()? else { return Err(link.protocol(odd).into()) };
            let name = link.bulk(len)?;
            if manner.match_names && !filter.allows_key(name) {
                self.batch.remarks.skip("filter");
            } else if self.recent.contains(run.db.0, name) {
                // Not asked for again: so a list is told to its end at some time, however often the
                // connection breaks before.
                self.batch.remarks.skip("repeat");
            } else {
                chunk.push(name);
            }
        }
        let count = chunk.ends.len();
        chunk.sized = !manner.sizes || count == 0;
        if chunk.sized {
            run.unasked += count;
        } else {
            run.unsized_keys += count;
            for at in 0..count {
                link.push(&[b"MEMORY".as_slice(), b"USAGE", chunk.name(at)]);
            }
            run.expected.push_back(Expected::Sizes);
        }
        run.chunks.push_back(chunk);
        Ok(())
    }

    /// Reads how much memory values take, which is about what they are, or more.
    fn take_sizes(&mut self, link: &mut Link, run: &mut Run) -> Result<(), Halt> {
        let limit = self.shared.options.max_value_bytes.saturating_mul(MEMORY_FACTOR);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let Some(chunk) = run.chunks.iter_mut().find(|chunk| !chunk.sized) else {
            return Err(link.protocol("more answers than questions").into());
        };
        for at in 0..chunk.ends.len() {
            // One that is gone or has moved is told so when it is asked for.
            if let Token::Integer(bytes) = link.token()?
                && bytes > limit
            {
                chunk.big.push(at);
            }
        }
        chunk.sized = true;
        run.unsized_keys -= chunk.ends.len();
        run.unasked += chunk.ends.len();
        Ok(())
    }

    /// Drops the chunks that are told to their end; the cursor moves on with them.
    fn retire(&mut self, run: &mut Run) {
        let is_done = |chunk: &Chunk| chunk.told == chunk.ends.len() && chunk.open == 0;
        while run.chunks.front().is_some_and(is_done) {
            if let Some(mut chunk) = run.chunks.pop_front() {
                run.first_chunk += 1;
                chunk.names.clear();
                chunk.ends.clear();
                chunk.big.clear();
                (chunk.asked, chunk.told) = (0, 0);
                run.spare.push(chunk);
            }
        }
        if self.is_sweep() {
            return;
        }
        let next = run.chunks.front().map(|chunk| chunk.before).or(run.next);
        match next {
            Some(cursor) => self.progress.cursor = cursor,
            None => {
                self.progress.cursor = 0;
                self.progress.db = Db(run.db.0.saturating_add(1));
            }
        }
    }

    /// Reads the two answers for a key; how many bytes the value has.
    fn take_key(&mut self, link: &mut Link, manner: &Manner, run: &mut Run) -> Result<u64, Halt> {
        let mut chunks = run.chunks.iter_mut().zip(run.first_chunk..);
        let found = chunks.find(|(chunk, _)| chunk.told < chunk.ends.len());
        let Some((chunk, number_of_chunk)) = found else {
            return Err(link.protocol("more answers than questions").into());
        };
        let at = chunk.told;
        chunk.told += 1;
        run.under_way -= 1;
        self.answered += 1;
        let name = chunk.name(at);
        if manner.asking {
            link.token()?;
        }
        let expires_at = match link.token()? {
            Token::Integer(time) => manner.moment(time),
            // The other answer says the same, unless this alone is not granted.
            Token::Error(detail) if detail.starts_with(b"NOPERM") => {
                let detail = String::from_utf8_lossy(detail).into_owned();
                return Err(link.refused(manner.expiry, &detail).into());
            }
            Token::Error(_) => None,
            _ => return Err(link.protocol("no time where a time was asked for").into()),
        };
        if manner.asking {
            link.token()?;
        }
        let mut bytes = 0;
        match link.token()? {
            Token::Bulk(len) if len > self.shared.options.max_value_bytes => {
                link.skip_bulk(len)?;
                let name = name.to_vec();
                self.by_type(manner, run.db, name)?;
            }
            Token::Status(b"none") => self.batch.remarks.skip("gone"),
            Token::Status(kind) => {
                let kind = String::from_utf8_lossy(kind).into_owned();
                if let Some(value) = self.of_type(manner, run.db, name.to_vec(), expires_at, &kind)
                {
                    if chunk.big.binary_search(&at).is_ok() {
                        self.read_by_type(manner, &value)?;
                    } else {
                        chunk.open += 1;
                        run.under_way += 1;
                        let gather = value.gather();
                        run.typed.push_back(Typed { chunk: number_of_chunk, value, gather });
                    }
                }
            }
            Token::Bulk(len) => {
                bytes = len as u64;
                self.value_bytes = (self.value_bytes * 15 + bytes) / 16;
                let payload = link.bulk(len)?;
                let number = identity(run.db, name);
                match Frame::from_dump(run.db, Blob::from(name), payload) {
                    Ok((mut frame, family, version)) => {
                        frame.head.expires_at = expires_at;
                        frame.head.offset = number;
                        let current = self.context.as_ref();
                        if current.is_none_or(|own| own.version() != version) {
                            self.context = Some(Context::new(family, version));
                        }
                        if !self.shared.options.filter.allows(&frame.head) {
                            self.batch.remarks.skip("filter");
                        } else if !self.recent.insert(run.db.0, name) {
                            self.batch.remarks.skip("repeat");
                        } else {
                            if frame.head.meta.is_some() {
                                self.batch.remarks.note("key_metadata");
                            }
                            self.batch.push_frame(&frame);
                            self.given += 1;
                        }
                    }
                    Err(error) => {
                        if self.recent.insert(run.db.0, name) {
                            self.batch.push_failure(Failure::new(&error, number), None);
                        } else {
                            self.batch.remarks.skip("repeat");
                        }
                    }
                }
                self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Token::Nil => self.batch.remarks.skip("gone"),
            Token::Error(detail) => {
                if resp::redirect(detail).is_some() {
                    let slot = slot_of(name);
                    self.note_moved(slot);
                } else {
                    let detail = String::from_utf8_lossy(detail).into_owned();
                    return Err(link.refused(manner.value, &detail).into());
                }
            }
            _ => return Err(link.protocol("no value where a value was asked for").into()),
        }
        self.retire(run);
        self.emit_if_full()?;
        Ok(bytes)
    }

    fn emit_if_full(&mut self) -> Result<(), Halt> {
        let is_late = !self.batch.is_empty() && self.emitted.elapsed() > LINGER;
        match is_late || self.batch.is_full(self.shared.options.batch_bytes) {
            true => self.emit(true),
            false => Ok(()),
        }
    }

    /// Takes the answer to a question about a value that is read by its type.
    fn take_value(&mut self, link: &mut Link, manner: &Manner, run: &mut Run) -> Result<(), Halt> {
        let Some(mut typed) = run.asked.pop_front() else {
            return Err(link.protocol("more answers than questions").into());
        };
        let (told, held) = (typed.gather.bytes_told(), typed.gather.bytes_held());
        let outcome = typed.value.take(link, &mut typed.gather)?;
        run.held = run.held.saturating_sub(held);
        let bytes = typed.gather.bytes_told() - told;
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(pace) = &self.shared.bytes_pace {
            self.wait(pace.take(bytes))?;
        }
        let held = run.held + typed.gather.bytes_held();
        if outcome.is_none() && typed.gather.ready.is_empty() && held <= WINDOW_BYTES {
            run.held = held;
            run.typed.push_back(typed);
            return Ok(());
        }
        let whole = typed.gather.bytes_told();
        self.value_bytes = (self.value_bytes * 15 + whole) / 16;
        self.answered += 1;
        run.under_way -= 1;
        if self.recent.contains(run.db.0, &typed.value.name) {
            self.batch.remarks.skip("repeat");
        } else {
            self.finish(manner, &typed.value, typed.gather, outcome)?;
        }
        let at = typed.chunk.checked_sub(run.first_chunk).and_then(|at| usize::try_from(at).ok());
        if let Some(chunk) = at.and_then(|at| run.chunks.get_mut(at)) {
            chunk.open -= 1;
        }
        self.retire(run);
        self.emit_if_full()
    }

    /// A key's slot is not here any more: it is read at the end, where it went. What moves while
    /// slots are read by their lists is noticed by whoever compares the owners.
    fn note_moved(&mut self, slot: u16) {
        if !self.is_sweep() {
            self.moved.insert(slot);
        }
    }

    /// Reads one key by the commands of its type, over the second connection.
    fn by_type(&mut self, manner: &Manner, db: Db, name: Vec<u8>) -> Result<(), Halt> {
        let link = self.side(db)?;
        for question in [manner.expiry, "TYPE"] {
            if manner.asking {
                link.push(&["ASKING"]);
            }
            link.push(&[question.as_bytes(), &name]);
        }
        link.flush()?;
        let mut answer = |command: &str| {
            if manner.asking {
                link.reply()?;
            }
            match link.reply()? {
                Reply::Error(detail) if resp::redirect(detail.as_bytes()).is_some() => Ok(None),
                Reply::Error(detail) => Err(link.refused(command, &detail)),
                reply => Ok(Some(reply)),
            }
        };
        let (expiry, kind) = (answer(manner.expiry)?, answer("TYPE")?);
        let (Some(expiry), Some(kind)) = (expiry, kind) else {
            self.note_moved(slot_of(&name));
            return Ok(());
        };
        let expires_at = expiry.integer().and_then(|time| manner.moment(time));
        let kind = kind.text().unwrap_or("none");
        match self.of_type(manner, db, name, expires_at, kind) {
            Some(value) => self.read_by_type(manner, &Piecewise { is_second: true, ..value }),
            None => Ok(()),
        }
    }

    /// What is to be read of a key by its type; none where nothing is.
    fn of_type(
        &mut self,
        manner: &Manner,
        db: Db,
        name: Vec<u8>,
        expires_at: Option<UnixMillis>,
        text: &str,
    ) -> Option<Piecewise> {
        if text == "none" {
            self.batch.remarks.skip("gone");
            return None;
        }
        let kind = text.parse().unwrap_or(Kind::Module);
        let number = identity(db, &name);
        let head = Head::new(db, Blob::from(&*name), Encoding::plain(kind))
            .with_expires_at(expires_at)
            .with_offset(number);
        let options = &self.shared.options;
        if !options.filter.allows(&head) {
            self.batch.remarks.skip("filter");
            return None;
        }
        if self.recent.contains(db.0, &name) {
            self.batch.remarks.skip("repeat");
            return None;
        }
        let value = Piecewise {
            db,
            name,
            kind,
            expires_at,
            number,
            part_bytes: options.batch_bytes,
            max_element_bytes: options.max_element_bytes,
            fields_expire: manner.fields_expire,
            clock_ahead: manner.ahead,
            asking: manner.asking,
            is_second: false,
        };
        if matches!(kind, Kind::Module | Kind::Array) {
            let detail = format!("a value of type {text} is read by DUMP, and in one piece only");
            self.fail(&value, detail, None);
            return None;
        }
        Some(value)
    }

    /// Reads a value over the second connection.
    fn read_by_type(&mut self, manner: &Manner, value: &Piecewise) -> Result<(), Halt> {
        self.finish(manner, value, value.gather(), None)
    }

    /// Hands over what is told of a value, and reads the rest of it, if there is more, over the second
    /// connection: to its end, here and now.
    fn finish(
        &mut self,
        manner: &Manner,
        value: &Piecewise,
        mut gather: Gather,
        mut outcome: Option<Outcome>,
    ) -> Result<(), Halt> {
        let patience = self.redis.access().patience;
        let (mut since, mut tries) = (Instant::now(), 0);
        // The one whose cursor it is.
        let mut process = self.run_id.clone();
        gather.alone();
        loop {
            let first = gather.is_first();
            for part in std::mem::take(&mut gather.ready) {
                if part.last && part.start == 0 {
                    let (head, bytes) = (part.head, gather.bytes_told());
                    let bytes = value.name.len() + usize::try_from(bytes).unwrap_or(usize::MAX);
                    let record =
                        Record::new(head.db, head.key, part.value).with_expires_at(head.expires_at);
                    self.batch.push_record(record, value.number, bytes);
                } else {
                    let last = part.last;
                    // Numbered where it is taken, after what other threads gave.
                    self.batch.push_part(part, 0);
                    self.emit(last)?;
                }
            }
            let detail = match outcome.take() {
                None => {
                    let before = gather.bytes_told();
                    match self.ask_aside(value, &mut gather, &mut process) {
                        Ok(told) => outcome = told,
                        // What was given in part has to be given to its end.
                        Err(error) if error.is_retryable() && !gather.is_first() => {
                            if since.elapsed() > patience {
                                return Err(error.into());
                            }
                            self.wait(pause(tries))?;
                            tries += 1;
                            self.side = None;
                            self.relocate();
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    (since, tries) = (Instant::now(), 0);
                    let bytes = gather.bytes_told() - before;
                    self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
                    if let Some(pace) = &self.shared.bytes_pace {
                        self.wait(pace.take(bytes))?;
                    }
                    continue;
                }
                Some(Outcome::Told) => {
                    if gather.has_producers {
                        self.batch.remarks.note("stream_producers");
                    }
                    // Not before: what a lost connection cuts short is told again.
                    self.recent.insert(value.db.0, &value.name);
                    self.given += 1;
                    return Ok(());
                }
                Some(Outcome::Gone) if first => {
                    self.batch.remarks.skip("gone");
                    return Ok(());
                }
                Some(Outcome::Changed) if first && !value.is_second => {
                    return self.by_type(manner, value.db, value.name.clone());
                }
                Some(Outcome::Moved) if first => {
                    self.note_moved(slot_of(&value.name));
                    return Ok(());
                }
                Some(Outcome::Gone) => "the key was deleted while it was read".to_owned(),
                Some(Outcome::Changed) => {
                    "the key was replaced, or lost a group, while it was read".to_owned()
                }
                Some(Outcome::Moved) => "the key was moved while it was read".to_owned(),
                Some(Outcome::Failed(detail)) => detail,
            };
            self.fail(value, detail, (!first).then_some(0));
            return if first { Ok(()) } else { self.emit(true) };
        }
    }

    /// Asks one question over the second connection.
    fn ask_aside(
        &mut self,
        value: &Piecewise,
        gather: &mut Gather,
        process: &mut String,
    ) -> Result<Option<Outcome>, Error> {
        self.side(value.db)?;
        if *process != self.side_run_id {
            process.clone_from(&self.side_run_id);
            if gather.rewind() {
                let warning = "a value was read on from another process: elements may come twice";
                self.batch.remarks.warnings.push(warning.to_owned());
            }
        }
        let link = self.side(value.db)?;
        value.ask(link, gather);
        link.flush()?;
        value.take(link, gather)
    }

    /// Gives a value up. It is remembered like one that was given: told again, it would count twice,
    /// or be whole where its first reading was counted as failed.
    fn fail(&mut self, value: &Piecewise, detail: String, ordinal: Option<u64>) {
        self.recent.insert(value.db.0, &value.name);
        let (db, key, offset) = (value.db, value.name.clone(), value.number);
        self.batch.push_failure(Failure { db, key, offset, detail }, ordinal);
    }

    /// The second connection, in this database.
    fn side(&mut self, db: Db) -> Result<&mut Link, Error> {
        let (mut link, selected) = match self.side.take() {
            Some(side) => side,
            None => {
                let Connected { link, info } = self.redis.dial_shard(&self.shard)?;
                if let Ok(breaker) = link.breaker() {
                    self.shared.watch(self.index, breaker, false);
                }
                info.run_id().clone_into(&mut self.side_run_id);
                (link, Db(0))
            }
        };
        if selected != db {
            link.ask(&["SELECT", &db.to_string()])?;
        }
        Ok(&mut self.side.insert((link, db)).0)
    }

    fn progress(&self) -> Progress {
        Progress { moved: self.moved.iter().copied().collect(), ..self.progress.clone() }
    }

    /// Hands the batch over.
    fn emit(&mut self, whole: bool) -> Result<(), Halt> {
        self.emitted = Instant::now();
        let mut batch = std::mem::replace(&mut self.batch, self.shared.batch());
        batch.context.clone_from(&self.context);
        let progress = whole.then(|| Box::new(self.progress()));
        let message = Message::Batch { index: self.index, batch, progress };
        if self.shared.queue.put(message) { Ok(()) } else { Err(Halt::Stopped) }
    }
}

/// The scan of one database.
struct Run {
    db: Db,
    /// The cursor to ask with next; none at the end.
    next: Option<u64>,
    /// Whether a `SCAN` is under way.
    asking: bool,
    /// How many keys it was asked for.
    asked_for: usize,
    chunks: VecDeque<Chunk>,
    /// The number of the first of them.
    first_chunk: u64,
    /// Values to be asked for by their types, and those that were, in order; and how many bytes are
    /// held of them.
    typed: VecDeque<Typed>,
    asked: VecDeque<Typed>,
    held: u64,
    spare: Vec<Chunk>,
    expected: VecDeque<Expected>,
    /// Keys whose values were not asked for yet.
    unasked: usize,
    /// Keys whose values' sizes were asked for and are not here yet.
    unsized_keys: usize,
    /// Keys whose values were asked for and are not here yet.
    under_way: usize,
    /// How many keys come for each that `SCAN` is asked for: few where the server filters.
    yielded: f64,
}

impl Run {
    fn new(db: Db, cursor: Option<u64>) -> Self {
        Self {
            db,
            next: cursor,
            asking: false,
            asked_for: 0,
            chunks: VecDeque::new(),
            first_chunk: 0,
            typed: VecDeque::new(),
            asked: VecDeque::new(),
            held: 0,
            spare: Vec::new(),
            expected: VecDeque::new(),
            unasked: 0,
            unsized_keys: 0,
            under_way: 0,
            yielded: 1.0,
        }
    }

    /// Whether there are questions to be sent before further answers are read.
    fn may_ask(&self, limit: usize) -> bool {
        self.typed.len() >= VALUES_AT_ONCE || (self.under_way * 2 <= limit && self.unasked > 0)
    }
}

/// Tries until it succeeds, is given up, or the patience is at its end.
pub(crate) fn patiently<T>(
    shared: &Shared,
    patience: Duration,
    work: impl Fn() -> Result<T, Error>,
) -> Result<T, Error> {
    let since = Instant::now();
    let mut tries = 0;
    loop {
        match work() {
            Err(error) if error.is_retryable() && since.elapsed() < patience => {
                if !shared.sleep(pause(tries)) {
                    return Err(error);
                }
                tries += 1;
            }
            done => return done,
        }
    }
}

/// How far the server's clock is ahead of ours, in milliseconds; 0 where it does not say.
fn clock_ahead(link: &mut Link) -> Result<i64, Error> {
    let before = now_millis();
    let reply = link.try_ask(&["TIME"])?;
    let between = before.midpoint(now_millis());
    let number = |at: usize| reply.array()?.get(at)?.integer();
    let server = number(0).zip(number(1)).map(|(seconds, micros)| seconds * 1000 + micros / 1000);
    Ok(server.map_or(0, |server| server - between))
}

pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How long to wait before the next try: longer each time, and never in step with others.
fn pause(tries: u32) -> Duration {
    let most = Duration::from_millis(50 << tries.min(7));
    let random = RandomState::new().hash_one(tries) % 1024;
    most.mul_f64(0.5 + random as f64 / 2048.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        for tries in 0..40 {
            let most = Duration::from_millis(50 << tries.min(7));
            let pause = pause(tries);
            assert!(pause >= most / 2 && pause <= most, "{tries}: {pause:?}");
        }
    }
}
