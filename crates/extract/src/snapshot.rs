//! What a live server sends a replica first: its whole data set as a dump, over the wire.
//!
//! We say that we are a replica that wants the dump and nothing after it. The server forks, and the
//! child writes the dump to our connection; a thread reads it into a bounded buffer, and the parser
//! of RDB files takes it from there. No file is written on either side, and the server answers no
//! question per key.

use std::{
    fmt,
    io::{self, Read},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use futures_core::future::BoxFuture;

use crate::{
    Batch, Error, Position, RdbFile, RdbOptions, Redis, Source,
    live::{
        link::{Breaker, Link, Reply},
        topology::Shard,
    },
};

/// Bytes in a piece that the reading thread hands on.
const PIECE_BYTES: usize = 256 << 10;
/// How many pieces wait: 16 MiB.
const PIECES: usize = 64;
/// How long the mark is that ends a dump whose length the server does not know beforehand.
const MARK_BYTES: usize = 40;
/// The longest line before the dump.
const LINE_BYTES: usize = 1 << 10;
/// The newest server whose dumps we read: a newer one writes an older dump for us.
const VERSION: &str = "9.2.0";
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_secs(1);

/// The data of live servers as dumps that they send over the replication protocol (`PSYNC`).
///
/// It is the fastest way to read a server, and asks it nothing per key; but the server forks, which
/// may double its memory while it writes much, and has to let us: `+psync +replconf` for an ACL
/// user. Services that do not give their replication stream away (ElastiCache, MemoryDB, Azure,
/// Memorystore, Upstash) say so, as [`Error::Unsupported`]: read those by
/// [`RedisScan`](crate::RedisScan).
///
/// Of a cluster all primaries are read, one after the other, so that one forks at a time. With
/// [`Access::replicas`](crate::Access) their replicas are asked instead. The moment of a dump is that of its fork:
/// each primary has its own.
///
/// # Back-pressure
///
/// 16 MiB are read ahead; then the server waits for us. It does so for its `repl-timeout` (60
/// seconds, unless configured otherwise) and then hangs up, which is an [`Error::Snapshot`]. Servers
/// before Redis 7 also gather the writes of that time for us, up to their
/// `client-output-buffer-limit replica`, and hang up beyond. So whoever takes the batches must not
/// rest for a minute.
///
/// # Positions
///
/// There are none: a server that is asked again sends another dump. `resume` is an
/// [`Error::Position`]; begin again.
///
/// # Offsets
///
/// A record's offset is a hash of its database and key, as of [`RedisScan`](crate::RedisScan):
/// another dump would have it at another place.
///
/// ```no_run
/// use keystar_extract::{Access, Batch, RdbOptions, Redis, RedisSnapshot, Source};
///
/// # async fn example() -> Result<(), keystar_extract::Error> {
/// let redis = Redis::connect(&"redis://cache.example".parse()?, &Access::default())?;
/// let mut source = RedisSnapshot::open(&redis, RdbOptions::default())?;
/// let mut batch = Batch::new();
/// while source.fill(&mut batch).await? {
///     for entry in batch.entries() {
///         // hand it to a worker
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct RedisSnapshot {
    redis: Redis,
    options: RdbOptions,
    shards: Vec<Shard>,
    total_keys: Option<u64>,
    /// The shard that is being read.
    at: usize,
    transfer: Option<Transfer>,
    ordinal: u64,
    /// Bytes of the shards that are done.
    done_bytes: u64,
}

/// A dump on its way.
struct Transfer {
    node: Arc<str>,
    file: RdbFile,
    breaker: Breaker,
    /// Why the thread ended, if not at the dump's end.
    failure: Failing,
}

type Failing = Arc<Mutex<Option<Error>>>;

/// How the dump's end is known.
enum End {
    Bytes(u64),
    Mark([u8; MARK_BYTES]),
}

impl RedisSnapshot {
    /// Finds the servers, without asking for their dumps: the first `fill` does.
    ///
    /// # Errors
    ///
    /// Those of [`Redis::connect`].
    pub fn open(redis: &Redis, options: RdbOptions) -> Result<Self, Error> {
        let shards = redis.shards()?;
        let mut total_keys = Some(0);
        for shard in &shards {
            let info = redis.dial_shard(shard)?.info;
            let keys = info.keyspaces().values().map(|keyspace| keyspace.keys).sum::<u64>();
            total_keys = total_keys.filter(|_| info.is_known()).map(|total| total + keys);
        }
        Ok(Self {
            redis: redis.clone(),
            options,
            shards,
            total_keys,
            at: 0,
            transfer: None,
            ordinal: 0,
            done_bytes: 0,
        })
    }

    fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        loop {
            batch.clear();
            let Some(transfer) = &mut self.transfer else {
                let Some(shard) = self.shards.get(self.at) else { return Ok(false) };
                self.transfer = Some(self.begin(shard)?);
                continue;
            };
            let more = transfer.file.next_batch(batch).map_err(|error| transfer.broken(error))?;
            if !more {
                self.done_bytes += batch.source_bytes;
                self.transfer = None;
                self.at += 1;
                continue;
            }
            batch.source_bytes += self.done_bytes;
            batch.position = None;
            batch.count_pieces(&mut self.ordinal);
            batch.identify();
            return Ok(true);
        }
    }

    /// Asks a shard for its dump, again and again where it cannot give it yet.
    fn begin(&self, shard: &Shard) -> Result<Transfer, Error> {
        let begun = Instant::now();
        loop {
            let asked = self.redis.dial_shard(shard).and_then(|connected| {
                let mut link = connected.link;
                let end = ask(&mut link)?;
                Ok((link, end))
            });
            match asked {
                Ok((link, end)) => return Transfer::start(link, end, self.options.clone()),
                Err(error) => {
                    let patience = self.redis.access().patience;
                    if !error.is_retryable() || begun.elapsed() + PAUSE > patience {
                        return Err(error);
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
    }
}

/// Has the server send its dump, and reads up to the dump's first byte.
fn ask(link: &mut Link) -> Result<End, Error> {
    // The server may send a dump whose length it does not know.
    let answer = link.try_ask(&["REPLCONF", "capa", "eof", "capa", "psync2"])?;
    if let Reply::Error(detail) = answer {
        return Err(match link.refused("REPLCONF", &detail) {
            Error::Unsupported { node, .. } => {
                Error::Unsupported { node, command: "PSYNC".to_owned() }
            }
            error => error,
        });
    }
    // Valkey writes what a replica of this version reads; Redis does not know the word.
    link.try_ask(&["REPLCONF", "version", VERSION])?;
    // From Redis 7 on: no commands after the dump. Others' commands we do not wait for.
    link.try_ask(&["REPLCONF", "rdb-only", "1"])?;
    link.push(&["PSYNC", "?", "-1"]);
    link.flush()?;
    let answer = line(link)?;
    if let Some(detail) = answer.strip_prefix('-') {
        return Err(link.refused("PSYNC", detail));
    }
    if !answer.starts_with("+FULLRESYNC ") {
        return Err(link.protocol("an answer to PSYNC that begins no full dump"));
    }
    let header = line(link)?;
    if let Some(detail) = header.strip_prefix('-') {
        return Err(link.refused("PSYNC", detail));
    }
    let end = header.strip_prefix('$').and_then(|rest| match rest.strip_prefix("EOF:") {
        Some(mark) => Some(End::Mark(mark.as_bytes().try_into().ok()?)),
        None => Some(End::Bytes(rest.parse().ok()?)),
    });
    end.ok_or_else(|| link.protocol("no length, nor a mark, before the dump"))
}

/// Reads a line; empty ones say that the server is still there while it prepares the dump.
fn line(link: &mut Link) -> Result<String, Error> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match link.read(&mut byte) {
            Ok(0) => return Err(link.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Err(link.lost(error)),
        }
        match byte {
            [b'\n'] if line.iter().all(|byte| *byte == b'\r') => line.clear(),
            [b'\n'] => return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
            [byte] if line.len() < LINE_BYTES => line.push(byte),
            _ => return Err(link.protocol("a line without an end")),
        }
    }
}

impl Transfer {
    fn start(link: Link, end: End, options: RdbOptions) -> Result<Self, Error> {
        let node = Arc::clone(link.node());
        let lost = |source| Error::Lost { node: node.to_string(), source };
        let breaker = link.breaker().map_err(lost)?;
        let (sending, pieces) = sync_channel(PIECES);
        let failure = Failing::default();
        let total = match end {
            End::Bytes(bytes) => Some(bytes),
            End::Mark(_) => None,
        };
        let failing = Arc::clone(&failure);
        let read = move || {
            if let Err(error) = receive(link, end, &sending) {
                *failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        };
        let spawned = thread::Builder::new().name("keystar-snapshot".to_owned()).spawn(read);
        spawned.map_err(lost)?;
        let piece = io::Cursor::default();
        let file = RdbFile::from_reader(Pieces { pieces, piece }, total, options);
        match file {
            Ok(file) => Ok(Self { node, file, breaker, failure }),
            Err(error) => {
                let failed = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(failed.unwrap_or(error))
            }
        }
    }

    /// Says what broke the dump off: the connection, if it did.
    fn broken(&self, error: Error) -> Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let node = self.node.to_string();
        Error::Snapshot { node, source: Box::new(failure.unwrap_or(error)) }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        // The thread may wait for the server.
        self.breaker.shut();
    }
}

/// Reads the dump and hands it on in pieces, until its end or until nobody wants it.
fn receive(mut link: Link, end: End, sending: &SyncSender<Vec<u8>>) -> Result<(), Error> {
    let mut left = match end {
        End::Bytes(bytes) => bytes,
        End::Mark(_) => u64::MAX,
    };
    // The last bytes may be the mark, or a part of it.
    let mut held = Vec::new();
    while left > 0 {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        piece.append(&mut held);
        let (mut full, mut over) = (piece.len(), false);
        piece.resize(PIECE_BYTES, 0);
        // A socket gives little at a time.
        while full < PIECE_BYTES && left > 0 && !over {
            let room = piece.get_mut(full..).unwrap_or_default();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
            match link.read(room.get_mut(..most).unwrap_or_default()) {
                Ok(0) => return Err(link.lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    full += count;
                    left -= count as u64;
                }
                Err(error) => return Err(link.lost(error)),
            }
            if let End::Mark(mark) = &end {
                // Nothing comes after the mark before we say that we have it.
                over = piece.get(..full).is_some_and(|piece| piece.ends_with(mark));
            }
        }
        piece.truncate(full);
        if matches!(end, End::Mark(_)) {
            held = piece.split_off(full.saturating_sub(MARK_BYTES));
        }
        if over {
            left = 0;
        }
        if sending.send(piece).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What the thread hands on, to be read.
struct Pieces {
    pieces: Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(room)?;
            if read > 0 || room.is_empty() {
                return Ok(read);
            }
            match self.pieces.recv() {
                Ok(piece) => self.piece = io::Cursor::new(piece),
                // The end, or a failure, which leaves the dump without one.
                Err(_) => return Ok(0),
            }
        }
    }
}

impl Source for RedisSnapshot {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.next_batch(batch) })
    }

    fn resume<'a>(&'a mut self, _: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        const AGAIN: &str = "a server sends its dump from the beginning only: begin the run again";
        Box::pin(async { Err(Error::Position(AGAIN)) })
    }

    fn total_bytes(&self) -> Option<u64> {
        None
    }

    fn total_keys(&self) -> Option<u64> {
        self.total_keys
    }
}

impl fmt::Debug for RedisSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSnapshot")
            .field("redis", &self.redis)
            .field("shards", &self.shards.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
