//! A scan of a deployment as a source: a thread a server, whose batches are taken as they come.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures_core::future::BoxFuture;
use keystar_rdb::{Db, Filter};

use super::{
    info::Info,
    link::Breaker,
    pace::Pace,
    progress::{self, Progress},
    queue::Queue,
    redis::{Mode, Redis},
    topology::Shard,
    worker::{Sweep, Work, Worker, patiently},
};
use crate::{Batch, Error, Position, Source, batch::Packed};

/// How the values of keys are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Read {
    /// By `DUMP`, which every type has: the values come as they lie in a dump.
    #[default]
    Dump,
    /// By the commands of each type, where `DUMP` is not given. Types of modules cannot be read so,
    /// but for documents of RedisJSON.
    Typed,
}

/// How a scan reads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Which records are wanted. What the server can decide by itself is left to it.
    pub filter: Filter,
    /// How values are asked for.
    pub read: Read,
    /// A batch is full when it holds this many bytes.
    pub batch_bytes: usize,
    /// A value of more bytes than this comes in parts, each about as big as a batch.
    pub max_value_bytes: usize,
    /// An element of more bytes than this is a failure: it can neither be held nor be an item.
    pub max_element_bytes: u64,
    /// Whether the server is asked for the size of each value before it is asked for the value, so
    /// that it never has to dump one that is too big. Without, it dumps each of those once for
    /// nothing, and all others about a quarter faster. A server with less than 256 MiB of data is
    /// never asked.
    pub sizes_first: bool,
    /// Not more keys a second than this, all servers together.
    pub keys_per_second: Option<u64>,
    /// Not more bytes of values a second than this, all servers together.
    pub bytes_per_second: Option<u64>,
}

impl Default for ScanOptions {
    /// Everything is wanted, by `DUMP`, as fast as the servers give it.
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            read: Read::default(),
            batch_bytes: 256 << 10,
            max_value_bytes: 1 << 20,
            max_element_bytes: 32 << 20,
            sizes_first: true,
            keys_per_second: None,
            bytes_per_second: None,
        }
    }
}

impl ScanOptions {
    /// Reads only what the filter allows.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how values are asked for.
    #[must_use]
    pub fn with_read(mut self, read: Read) -> Self {
        self.read = read;
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

    /// Sets the size from which an element is a failure, in bytes.
    #[must_use]
    pub fn with_max_element_bytes(mut self, bytes: u64) -> Self {
        self.max_element_bytes = bytes;
        self
    }

    /// Whether the sizes of values are asked for first.
    #[must_use]
    pub fn with_sizes_first(mut self, sizes_first: bool) -> Self {
        self.sizes_first = sizes_first;
        self
    }

    /// Reads not more keys a second than this.
    #[must_use]
    pub fn with_keys_per_second(mut self, keys: impl Into<Option<u64>>) -> Self {
        self.keys_per_second = keys.into();
        self
    }

    /// Reads not more bytes of values a second than this.
    #[must_use]
    pub fn with_bytes_per_second(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.bytes_per_second = bytes.into();
        self
    }
}

/// Every key of a deployment, by `SCAN`: from each primary, or from a replica of each.
///
/// It is no snapshot. A key that is there all the time is given; one that is written or deleted
/// meanwhile may be given in either state, or twice. A repeat that `SCAN` tells soon after is
/// dropped here; a later one has the same database and key.
///
/// Lost connections are made again, with pauses, and the scan goes on where it was; after a failover
/// or a restart the scan of that server begins again, since the cursor of one process means nothing
/// to another. Keys whose slots move to another node meanwhile are read there at the end.
///
/// ```no_run
/// use keystar_extract::{Access, Batch, Redis, RedisScan, ScanOptions, Source};
///
/// # async fn example() -> Result<(), keystar_extract::Error> {
/// let redis = Redis::connect(&"redis://localhost".parse()?, &Access::default())?;
/// let mut source = RedisScan::open(&redis, ScanOptions::default())?;
/// let mut batch = Batch::new();
/// while source.fill(&mut batch).await? {
///     for entry in batch.entries() {
///         // hand it to a worker
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct RedisScan {
    redis: Redis,
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    progress: Vec<Progress>,
    total_keys: Option<u64>,
    keys: u64,
    description: Option<String>,
    /// Threads that have not said that they are done; none before the first `fill`.
    running: Option<usize>,
    /// The thread that is in the middle of a value, whose parts follow each other.
    within: Option<usize>,
    /// Numbers the parts.
    ordinal: u64,
    /// Of a cluster, by slot: the node that was read for it.
    owners: Vec<Option<String>>,
    /// Slots whose keys were seen to move, and that were not read again since.
    moved: BTreeSet<u16>,
    /// Slots that were on their way when they were read again at both ends.
    on_their_way: BTreeSet<u16>,
    ended: bool,
}

/// What a thread tells.
#[derive(Debug)]
pub(crate) enum Message {
    /// A batch, and how far the scan is when it was given; `None` inside of a value.
    Batch { index: usize, batch: Box<Batch>, progress: Option<Box<Progress>> },
    /// The thread is at its end.
    Done { index: usize, progress: Box<Progress> },
    /// The scan cannot go on.
    Failed { index: usize, error: Error },
}

impl Message {
    /// The thread that tells it.
    pub(crate) fn index(&self) -> usize {
        match self {
            Self::Batch { index, .. } | Self::Done { index, .. } | Self::Failed { index, .. } => {
                *index
            }
        }
    }
}

/// What the threads of a scan have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: ScanOptions,
    pub(crate) queue: Queue,
    pub(crate) keys_pace: Option<Pace>,
    pub(crate) bytes_pace: Option<Pace>,
    /// Bytes of values that were read.
    pub(crate) bytes: AtomicU64,
    /// Batches to be filled again.
    pool: Mutex<Vec<Batch>>,
    stopped: AtomicBool,
    bell: (Mutex<()>, Condvar),
    /// By thread, what ends its connections.
    breakers: Mutex<HashMap<usize, Vec<Breaker>>>,
}

impl Shared {
    fn new(options: ScanOptions) -> Self {
        Self {
            keys_pace: options.keys_per_second.map(Pace::new),
            bytes_pace: options.bytes_per_second.map(Pace::new),
            options,
            queue: Queue::default(),
            bytes: AtomicU64::new(0),
            pool: Mutex::default(),
            stopped: AtomicBool::new(false),
            bell: (Mutex::default(), Condvar::new()),
            breakers: Mutex::default(),
        }
    }

    /// An empty batch, with the room of one that was used before.
    pub(crate) fn batch(&self) -> Box<Batch> {
        let used = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Box::new(used.unwrap_or_default())
    }

    fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < 16 {
            pool.push(batch);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Waits, unless the scan is given up; `false` then.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut guard = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            guard = self.bell.1.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Remembers how to end a thread's new connection; `fresh` forgets its older ones.
    pub(crate) fn watch(&self, index: usize, breaker: Breaker, fresh: bool) {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let own = breakers.entry(index).or_default();
        if fresh {
            own.clear();
        }
        own.push(breaker);
        if self.is_stopped() {
            own.iter().for_each(Breaker::shut);
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.bell.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.1.notify_all();
        self.queue.close();
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.values().flatten().for_each(Breaker::shut);
    }
}

impl RedisScan {
    /// Asks the servers what they are and how much they hold. They are read from the first `fill`
    /// on.
    ///
    /// # Errors
    ///
    /// As [`Redis::connect`].
    pub fn open(redis: &Redis, options: ScanOptions) -> Result<Self, Error> {
        let shards = redis.shards()?;
        let mut total_keys = Some(0);
        let mut description = None;
        for shard in &shards {
            let info = redis.dial_shard(shard)?.info;
            let keys = keys_of(redis, &info, &options.filter);
            total_keys = total_keys.zip(keys).map(|(sum, keys)| sum + keys);
            description = description.or_else(|| describe(redis, &info, shards.len()));
        }
        let progress = shards.iter().map(|shard| Progress {
            id: shard.id.clone(),
            slots: shard.slots.clone(),
            ..Progress::default()
        });
        Ok(Self {
            redis: redis.clone(),
            shared: Arc::new(Shared::new(options)),
            progress: progress.collect(),
            shards,
            total_keys,
            keys: 0,
            description,
            running: None,
            within: None,
            ordinal: 0,
            owners: Vec::new(),
            moved: BTreeSet::new(),
            on_their_way: BTreeSet::new(),
            ended: false,
        })
    }

    fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.clear();
        if self.ended {
            return Ok(false);
        }
        if self.running.is_none() {
            self.start()?;
        }
        loop {
            if self.running == Some(0) && !self.sweep()? {
                self.ended = true;
                return Ok(false);
            }
            match self.shared.queue.take(self.within) {
                Some(Message::Batch { index, batch: full, progress }) => {
                    let whole = progress.is_some();
                    self.within = (!whole).then_some(index);
                    self.note(index, progress);
                    self.hand_over(*full, batch, whole);
                    return Ok(true);
                }
                Some(Message::Done { index, progress }) => {
                    self.running = self.running.map(|running| running.saturating_sub(1));
                    self.moved.extend(&progress.moved);
                    self.note(index, Some(progress));
                }
                Some(Message::Failed { error, .. }) => {
                    self.shared.stop();
                    self.ended = true;
                    return Err(error);
                }
                None => return Err(Error::Position("the scan was given up")),
            }
        }
    }

    fn note(&mut self, index: usize, progress: Option<Box<Progress>>) {
        if let (Some(own), Some(progress)) = (self.progress.get_mut(index), progress) {
            *own = *progress;
        }
    }

    fn hand_over(&mut self, full: Batch, batch: &mut Batch, whole: bool) {
        let used = std::mem::replace(batch, full);
        self.shared.give_back(used);
        self.keys += batch.packed.len() as u64;
        for packed in &mut batch.packed {
            if let Packed::Part(_, ordinal) | Packed::Failed(_, Some(ordinal)) = packed {
                *ordinal = self.ordinal;
                self.ordinal += 1;
            }
        }
        batch.remarks.description = self.description.take();
        batch.source_bytes = self.shared.bytes.load(Ordering::Relaxed);
        batch.position = whole
            .then(|| Position { offset: self.keys, state: progress::to_bytes(&self.progress) });
    }

    fn start(&mut self) -> Result<(), Error> {
        let mut running = 0;
        for (index, shard) in self.shards.iter().enumerate() {
            let Some(progress) = self.progress.get(index).filter(|progress| !progress.done) else {
                continue;
            };
            let (redis, shared) = (&self.redis, &self.shared);
            let worker =
                Worker::new(index, redis, shard.clone(), shared, Work::Scan(progress.clone()));
            spawn(format!("scan {}", shard.primary), move || worker.run())?;
            running += 1;
        }
        self.running = Some(running);
        Ok(())
    }

    /// Reads what moved between nodes while they were scanned; `false` when there is nothing left.
    ///
    /// A key that moved from a node that was not there yet to one that was past its place is on
    /// neither's list. So at the end each slot that has another owner than the one that was scanned
    /// for it is read again, by its list of keys; and one that is on its way at both ends, the old
    /// one first. Most of these keys come twice.
    fn sweep(&mut self) -> Result<bool, Error> {
        if self.redis.mode() != Mode::Cluster {
            return Ok(false);
        }
        if self.owners.is_empty() {
            self.owners = vec![None; usize::from(u16::MAX) + 1];
            for shard in &self.progress {
                self.moved.extend(&shard.moved);
                for slot in shard.slots.iter().flat_map(|(from, to)| *from..=*to) {
                    if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
                        *owner = Some(shard.id.clone());
                    }
                }
            }
        }
        let redis = self.redis.clone();
        let (shards, migrations) = patiently(&self.shared, redis.access().patience, || {
            let shards = redis.shards()?;
            let migrations = redis.migrations(&shards)?;
            Ok((shards, migrations))
        })?;
        let mut work: Vec<Vec<Sweep>> = Vec::new();
        for shard in &shards {
            let mut slots = Vec::new();
            for slot in shard.slots.iter().flat_map(|(from, to)| *from..=*to) {
                let Some(owner) = self.owners.get_mut(usize::from(slot)) else { continue };
                if owner.as_deref() != Some(&shard.id) || self.moved.contains(&slot) {
                    *owner = Some(shard.id.clone());
                    slots.push(slot);
                }
            }
            if !slots.is_empty() {
                work.push(vec![Sweep { shard: shard.clone(), slots, asking: false }]);
            }
        }
        self.moved.clear();
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        for (slot, from, to) in migrations {
            if self.on_their_way.insert(slot) {
                let find = |id: &str| shards.iter().find(|shard| shard.id == id).cloned();
                let sweep = |shard, asking| Sweep { shard, slots: vec![slot], asking };
                sources.extend(find(&from).map(|shard| sweep(shard, false)));
                targets.extend(find(&to).map(|shard| sweep(shard, true)));
            }
        }
        sources.append(&mut targets);
        if !sources.is_empty() {
            work.push(sources);
        }
        let running = work.len();
        for (number, sweeps) in work.into_iter().enumerate() {
            let Some(shard) = sweeps.first().map(|sweep| sweep.shard.clone()) else { continue };
            let (redis, shared) = (&self.redis, &self.shared);
            let index = self.shards.len() + number;
            let worker = Worker::new(index, redis, shard, shared, Work::Sweep(sweeps));
            spawn("sweep".to_owned(), move || worker.run())?;
        }
        self.running = Some(running);
        Ok(running > 0)
    }

    fn skip_to(&mut self, position: &Position) -> Result<(), Error> {
        const OTHER: Error = Error::Position("the checkpoint was not made by a scan");
        let known = progress::from_bytes(&position.state).ok_or(OTHER)?;
        for own in &mut self.progress {
            let same = |known: &&Progress| known.id == own.id;
            // After a failover a shard has another id and its old slots.
            let heir = |known: &&Progress| !own.slots.is_empty() && known.slots == own.slots;
            let found = known.iter().find(same).or_else(|| known.iter().find(heir));
            if let Some(found) = found {
                *own = Progress { id: own.id.clone(), ..found.clone() };
            }
        }
        self.keys = position.offset;
        Ok(())
    }
}

pub(crate) fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let spawned = thread::Builder::new().name(name).spawn(work);
    spawned.map(|_| ()).map_err(|source| Error::Read { offset: 0, source })
}

/// How many keys the wanted databases of a server hold.
fn keys_of(redis: &Redis, info: &Info, filter: &Filter) -> Option<u64> {
    let wanted = |db: Db| {
        redis.url().db().is_none_or(|only| only == db.0)
            && filter.dbs().is_none_or(|dbs| dbs.contains(&db))
    };
    let keyspaces = info.is_known().then(|| info.keyspaces())?;
    Some(keyspaces.iter().filter(|(db, _)| wanted(**db)).map(|(_, space)| space.keys).sum())
}

/// What is read, for people: `Redis 7.0.15, a cluster of 3`.
fn describe(redis: &Redis, info: &Info, shards: usize) -> Option<String> {
    let server = match info.get("valkey_version") {
        Some(version) => format!("Valkey {version}"),
        None => format!("Redis {}", info.get("redis_version")?),
    };
    Some(match redis.mode() {
        Mode::Server => server,
        Mode::Cluster => format!("{server}, a cluster of {shards}"),
        Mode::Sentinel => format!("{server}, watched by Sentinels"),
    })
}

impl Source for RedisScan {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.next_batch(batch) })
    }

    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.skip_to(position) })
    }

    fn total_bytes(&self) -> Option<u64> {
        None
    }

    fn total_keys(&self) -> Option<u64> {
        self.total_keys
    }
}

impl Drop for RedisScan {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl fmt::Debug for RedisScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisScan")
            .field("url", &self.redis.url().to_string())
            .field("shards", &self.shards.len())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
