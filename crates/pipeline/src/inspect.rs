//! What is in a dump: counts, sizes, the largest keys, prefixes, encodings, expiry.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
};

use keystar_extract::{Batch, Entry, Source};
use keystar_rdb::{
    Blob, Context, Db, Field, Head, Json, Kind, ModuleId, ModuleToken, Part, Record, Slot, Stream,
    UnixMillis, Usage, Value,
};
use serde::Serialize;

use crate::{
    Error, Interrupt, Progress,
    conveyor::{Ended, Work, convey},
    document::{Align, Bar, Document, Form, Section, Table, Tone},
    outcome::words,
    report::count,
    tally::{Bucket, Capped, Histogram, Key, Largest, MAX_KEYS, Sample, Sized, Sum, shown},
    units,
};

/// How a dump is inspected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectOptions {
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// The clock that expiry is judged by.
    pub as_of: UnixMillis,
    /// How many of the largest keys, and of the prefixes, are shown.
    pub top: usize,
    /// What separates the segments of a key.
    pub separator: char,
    /// How many segments of a key are its prefix.
    pub prefix_segments: usize,
}

impl InspectOptions {
    /// The 20 largest keys and prefixes; a prefix is what stands before the first `:`.
    pub fn new(jobs: NonZeroUsize, as_of: UnixMillis) -> Self {
        Self { jobs, as_of, top: 20, separator: ':', prefix_segments: 1 }
    }

    /// How many of the largest keys, and of the prefixes, are shown.
    #[must_use]
    pub fn with_top(mut self, top: usize) -> Self {
        self.top = top;
        self
    }

    /// What separates the segments of a key.
    #[must_use]
    pub fn with_separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// How many segments of a key are its prefix; at least one.
    #[must_use]
    pub fn with_prefix_segments(mut self, segments: usize) -> Self {
        self.prefix_segments = segments.max(1);
        self
    }
}

/// What is in a source.
///
/// Bytes of values are those that the value takes in the dump. A value that is too big to be held
/// at once (by default more than 1 MiB) counts with the bytes of its elements instead.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Whether the source was read to its end.
    pub complete: bool,
    /// What kind of source it is: `Redis RDB version 11`.
    pub description: Option<String>,
    /// The source's size in bytes as it is stored.
    pub source_bytes: Option<u64>,
    /// The auxiliary fields of the dump, in their order: `redis-ver`, `ctime`, `repl-id` ….
    pub facts: Vec<Fact>,
    /// The clock that expiry was judged by, in Unix milliseconds.
    pub as_of: i64,
    /// Records, one for each key.
    pub records: u64,
    /// Bytes of their keys.
    pub key_bytes: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Elements of their values: a string counts as one.
    pub elements: u64,
    /// By type, the most bytes first.
    pub types: Vec<TypeRow>,
    /// By encoding, the most bytes first.
    pub encodings: Vec<EncodingRow>,
    /// By database.
    pub databases: Vec<DatabaseRow>,
    /// By prefix, the most bytes first, as many as were asked for.
    pub prefixes: Vec<PrefixRow>,
    /// How complete the list of prefixes is.
    pub prefix_cover: PrefixCover,
    /// The keys with the most bytes of value.
    pub largest: Vec<LargeKey>,
    /// The keys with the most elements.
    pub longest: Vec<LargeKey>,
    /// By bytes of the value.
    pub sizes: Vec<Bucket>,
    /// By the time that is left.
    pub expiry: Vec<Bucket>,
    /// By the time since the last use, if the dump says (LRU).
    pub idle: Vec<Bucket>,
    /// By the access counter, if the dump says (LFU).
    pub frequency: Vec<Bucket>,
    /// Values of modules by the module type's name.
    pub modules: BTreeMap<String, u64>,
    /// Keys that are not UTF-8.
    pub binary_keys: Sample,
    /// Hashes of which fields expire by themselves.
    pub field_expiry: Sample,
    /// Keys of more bytes than DynamoDB's partition key holds (2,048).
    pub long_keys: Sample,
    /// Keys whose value has more bytes than a DynamoDB item holds (400 KB).
    pub huge_values: Sample,
    /// Records whose bytes are damaged.
    pub damaged: Sample,
    /// Records that were passed over, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// What is no key, by kind: `functions`, `scripts`, `module_data` ….
    pub others: BTreeMap<String, u64>,
    /// Remarks on the source, such as a newer version than was tested or bytes after its end.
    pub warnings: Vec<String>,
}

/// Something that a dump says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fact {
    /// The field's name.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// The records of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TypeRow {
    /// The type, as Redis' `TYPE` names it; `module` for all modules but JSON.
    pub name: &'static str,
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Elements of their values.
    pub elements: u64,
    /// The largest of them.
    pub largest: Option<LargeKey>,
}

/// The records of an encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EncodingRow {
    /// The encoding: `hash_listpack`.
    pub name: &'static str,
    /// The type that it encodes.
    pub kind: &'static str,
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Elements of their values.
    pub elements: u64,
}

/// The records of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatabaseRow {
    /// Its number.
    pub db: u32,
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Records that expire, or have expired.
    pub expiring: u64,
}

/// The records whose keys begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrefixRow {
    /// The prefix with what stands for the rest: `user:*`; `(no prefix)` for keys without one.
    pub prefix: String,
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
}

/// How complete a list of prefixes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrefixCover {
    /// Prefixes that were told apart.
    pub told_apart: u64,
    /// Records of prefixes that were too many to be told apart.
    pub folded_records: u64,
    /// Bytes of their values.
    pub folded_bytes: u64,
    /// By how many records a prefix's number may be too low for that reason.
    pub short_by: u64,
}

/// A key that is large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LargeKey {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// Its type.
    pub kind: &'static str,
    /// Bytes of its value.
    pub value_bytes: u64,
    /// Elements of its value.
    pub elements: u64,
}

const KB: u64 = 1024;
/// What an item holds, and a partition key.
const ITEM_BYTES: u64 = keystar_item::limits::MAX_ITEM_BYTES as u64;
const KEY_BYTES: usize = keystar_item::limits::MAX_PARTITION_KEY_BYTES;

const SIZES: usize = 8;
const SIZE_NAMES: [&str; SIZES] =
    ["<=64 B", "<=256 B", "<=1 KB", "<=4 KB", "<=16 KB", "<=64 KB", "<=400 KB", ">400 KB"];
const SIZE_BOUNDS: [u64; SIZES - 1] = [64, 256, KB, 4 * KB, 16 * KB, 64 * KB, ITEM_BYTES];

const EXPIRIES: usize = 8;
const EXPIRY_NAMES: [&str; EXPIRIES] =
    ["never", "expired", "<1 h", "<1 d", "<7 d", "<30 d", "<1 y", "later"];
const IDLES: usize = 6;
const IDLE_NAMES: [&str; IDLES] = ["<1 h", "<1 d", "<7 d", "<30 d", "<1 y", "longer"];
const FREQUENCIES: usize = 6;
const FREQUENCY_NAMES: [&str; FREQUENCIES] = ["0", "1-4", "5", "6-10", "11-50", "51-255"];

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const SPANS: [u64; 5] = [HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY];

/// Keys without a separator; no prefix looks like it, since prefixes end in a separator.
const NO_PREFIX: &[u8] = b"";

/// Looks through a source on many threads.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use keystar_extract::MemorySource;
/// use keystar_pipeline::{InspectOptions, Interrupt, Progress, inspect};
/// use keystar_rdb::{Db, Record, UnixMillis, Value};
///
/// let record = Record::new(Db(0), "user:1".into(), Value::String("Ann".into()));
/// let mut source = MemorySource::new(vec![record]);
/// let options = InspectOptions::new(NonZeroUsize::MIN, UnixMillis(0));
/// let found = inspect(&mut source, &options, &Interrupt::new(), &Progress::default())?;
/// assert_eq!(found.prefixes[0].prefix, "user:*");
/// # Ok::<(), keystar_pipeline::Error>(())
/// ```
///
/// # Errors
///
/// The source fails. Damaged records are counted, and no error.
pub fn inspect(
    source: &mut dyn Source,
    options: &InspectOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Inspection, Error> {
    let source_bytes = source.total_bytes();
    progress.start_source(source);
    let work = Looking::new(options);
    let mut whole = Whole::new(options.top);
    let ended = convey(source, options.jobs, interrupt, &work, |seen, batch| {
        whole.merge(*seen, batch, &work);
        progress.reach(batch.source_bytes(), whole.seen.records);
        Ok(())
    })?;
    Ok(whole.finish(options, source_bytes, ended))
}

/// What the workers do with a batch.
struct Looking<'o> {
    options: &'o InspectOptions,
    separator: Box<[u8]>,
    /// What a key must have to be among the largest so far; what has less need not be offered.
    least_bytes: AtomicU64,
    least_elements: AtomicU64,
}

/// What was seen in a batch.
struct Seen {
    records: u64,
    key_bytes: u64,
    encodings: Vec<Encoded>,
    databases: Vec<DatabaseRow>,
    prefixes: Capped,
    largest: Largest<Sized>,
    longest: Largest<Sized>,
    sizes: Histogram<SIZES>,
    expiry: Histogram<EXPIRIES>,
    idle: Histogram<IDLES>,
    frequency: Histogram<FREQUENCIES>,
    modules: BTreeMap<String, u64>,
    binary_keys: Sample,
    field_expiry: Sample,
    long_keys: Sample,
    huge_values: Sample,
    damaged: Sample,
    /// Pieces of big values, in order; the caller puts them together.
    pieces: Vec<Piece>,
}

/// The records of an encoding; a module's encoding has the kinds JSON and module.
struct Encoded {
    name: &'static str,
    kind: Kind,
    sum: Sum,
    elements: u64,
    largest: Option<Sized>,
}

/// What counts of a record.
struct Look<'a> {
    db: Db,
    key: &'a [u8],
    expires_at: Option<UnixMillis>,
    usage: Usage,
    module: Option<ModuleId>,
    kind: Kind,
    encoding: &'static str,
    bytes: u64,
    elements: u64,
    fields_expire: bool,
}

/// A piece of a value that is too big to be held, or the end of one that is damaged.
enum Piece {
    Part { head: Head<'static>, bytes: u64, elements: u64, fields_expire: bool, last: bool },
    Damaged { db: Db, key: Vec<u8> },
}

/// The encoding of a value that the source gave decoded.
const DECODED: &str = "(decoded)";

impl<'a> Look<'a> {
    fn of(head: &'a Head<'_>, bytes: u64, elements: u64, fields_expire: bool) -> Self {
        Self {
            db: head.db,
            key: &head.key,
            expires_at: head.expires_at,
            usage: head.usage,
            module: head.module,
            kind: head.kind(),
            encoding: head.encoding.name(),
            bytes,
            elements,
            fields_expire,
        }
    }
}

impl<'o> Looking<'o> {
    fn new(options: &'o InspectOptions) -> Self {
        Self {
            options,
            separator: options.separator.to_string().into_bytes().into(),
            least_bytes: AtomicU64::new(0),
            least_elements: AtomicU64::new(0),
        }
    }

    /// The key up to and with its separator.
    fn prefix<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        let mut end = 0;
        for _ in 0..self.options.prefix_segments {
            match find(key.get(end..).unwrap_or_default(), &self.separator) {
                Some(at) => end += at + self.separator.len(),
                None => break,
            }
        }
        key.get(..end).unwrap_or(NO_PREFIX)
    }

    fn look(&self, seen: &mut Seen, look: &Look<'_>) {
        let Look { db, key, expires_at, usage, module, .. } = *look;
        let sum = Sum::one(look.bytes);
        seen.records += 1;
        seen.key_bytes += key.len() as u64;
        let large =
            |size, other| Sized { size, other, db, key: Blob::copied(key), kind: look.kind.name() };
        let encoded = seen.encoded(look.encoding, look.kind);
        encoded.sum.add(sum);
        encoded.elements += look.elements;
        if encoded.largest.as_ref().is_none_or(|largest| largest.size < look.bytes) {
            encoded.largest = Some(large(look.bytes, look.elements));
        }
        seen.database(db, look.bytes, expires_at.is_some());
        seen.prefixes.add(self.prefix(key), sum);
        if look.bytes >= self.least_bytes.load(Ordering::Relaxed)
            && seen.largest.smallest().is_none_or(|least| look.bytes >= least.size)
        {
            seen.largest.offer(large(look.bytes, look.elements));
        }
        if look.elements > 1
            && look.elements >= self.least_elements.load(Ordering::Relaxed)
            && seen.longest.smallest().is_none_or(|least| look.elements >= least.size)
        {
            seen.longest.offer(large(look.elements, look.bytes));
        }
        let size = SIZE_BOUNDS.iter().take_while(|bound| look.bytes > **bound).count();
        seen.sizes.add(size, sum);
        seen.expiry.add(expiry(expires_at, self.options.as_of), sum);
        match usage {
            Usage::Unknown => {}
            Usage::Idle(seconds) => seen.idle.add(bucket(seconds, &SPANS), sum),
            Usage::Frequency(counter) => {
                seen.frequency.add(bucket(u64::from(counter), &[1, 5, 6, 11, 51]), sum);
            }
        }
        if let Some(module) = module {
            count(&mut seen.modules, &module.name(), 1);
        }
        if look.fields_expire {
            seen.field_expiry.note(db, key);
        }
        if look.bytes > ITEM_BYTES {
            seen.huge_values.note(db, key);
        }
        if key.len() > KEY_BYTES {
            seen.long_keys.note(db, key);
        }
        if std::str::from_utf8(key).is_err() {
            seen.binary_keys.note(db, key);
        }
    }

    fn frame(&self, seen: &mut Seen, frame: &keystar_rdb::Frame<'_>, context: &Context) {
        let kind = frame.head.kind();
        let (mut elements, mut fields_expire) = (1, false);
        // The others are one element, whatever their bytes say.
        if !matches!(kind, Kind::String | Kind::Json | Kind::Module) {
            let Ok(record) = frame.decode(context) else {
                seen.damaged.note(frame.head.db, &frame.head.key);
                return;
            };
            elements = record.value.len() as u64;
            fields_expire = expiring_fields(&record.value);
        }
        let bytes = frame.payload.len() as u64;
        self.look(seen, &Look::of(&frame.head, bytes, elements, fields_expire));
    }

    fn record(&self, seen: &mut Seen, record: &Record<'_>) {
        self.look(
            seen,
            &Look {
                db: record.db,
                key: &record.key,
                expires_at: record.expires_at,
                usage: record.usage,
                module: None,
                kind: record.value.kind(),
                encoding: DECODED,
                bytes: value_bytes(&record.value),
                elements: record.value.len() as u64,
                fields_expire: expiring_fields(&record.value),
            },
        );
    }
}

impl Work for Looking<'_> {
    type Bench = ();
    type Output = Box<Seen>;

    fn bench(&self) {}

    fn work(&self, (): &mut (), batch: &Batch) -> Box<Seen> {
        let mut seen = Box::new(Seen::new(Capped::of_batch(), self.options.top));
        for entry in batch.entries() {
            match entry {
                Entry::Frame(frame) => {
                    if let Some(context) = batch.context() {
                        self.frame(&mut seen, &frame, context);
                    }
                }
                Entry::Record { record, .. } => self.record(&mut seen, record),
                Entry::Part { part, .. } => seen.pieces.push(Piece::of(part)),
                Entry::Failed { failure, ordinal: None } => {
                    seen.damaged.note(failure.db, &failure.key);
                }
                Entry::Failed { failure, ordinal: Some(_) } => {
                    let (db, key) = (failure.db, failure.key.clone());
                    seen.pieces.push(Piece::Damaged { db, key });
                }
                _ => {}
            }
        }
        seen
    }
}

impl Piece {
    fn of(part: &Part) -> Self {
        Self::Part {
            head: part.head.clone(),
            bytes: value_bytes(&part.value),
            elements: match part.value {
                // A string in pieces is one string.
                Value::String(_) => u64::from(part.last),
                _ => part.value.len() as u64,
            },
            fields_expire: expiring_fields(&part.value),
            last: part.last,
        }
    }
}

impl Seen {
    fn new(prefixes: Capped, top: usize) -> Self {
        Self {
            records: 0,
            key_bytes: 0,
            encodings: Vec::new(),
            databases: Vec::new(),
            prefixes,
            largest: Largest::new(top),
            longest: Largest::new(top),
            sizes: Histogram::default(),
            expiry: Histogram::default(),
            idle: Histogram::default(),
            frequency: Histogram::default(),
            modules: BTreeMap::new(),
            binary_keys: Sample::default(),
            field_expiry: Sample::default(),
            long_keys: Sample::default(),
            huge_values: Sample::default(),
            damaged: Sample::default(),
            pieces: Vec::new(),
        }
    }

    /// There are few encodings, so looking through them is the fastest way to find one.
    fn encoded(&mut self, name: &'static str, kind: Kind) -> &mut Encoded {
        let found = self.encodings.iter().position(|row| row.name == name && row.kind == kind);
        let at = found.unwrap_or(self.encodings.len());
        if found.is_none() {
            let row = Encoded { name, kind, sum: Sum::default(), elements: 0, largest: None };
            self.encodings.push(row);
        }
        &mut self.encodings[at]
    }

    fn database(&mut self, db: Db, bytes: u64, expires: bool) {
        let found = self.databases.iter().position(|row| row.db == db.0);
        let at = found.unwrap_or(self.databases.len());
        if found.is_none() {
            let row = DatabaseRow { db: db.0, records: 0, value_bytes: 0, expiring: 0 };
            self.databases.push(row);
        }
        let row = &mut self.databases[at];
        row.records += 1;
        row.value_bytes += bytes;
        row.expiring += u64::from(expires);
    }

    fn merge(&mut self, later: Self) {
        self.records += later.records;
        self.key_bytes += later.key_bytes;
        for row in later.encodings {
            let own = self.encoded(row.name, row.kind);
            own.sum.add(row.sum);
            own.elements += row.elements;
            if let Some(largest) = row.largest
                && own.largest.as_ref().is_none_or(|own| own.size < largest.size)
            {
                own.largest = Some(largest);
            }
        }
        for row in later.databases {
            match self.databases.iter_mut().find(|own| own.db == row.db) {
                Some(own) => {
                    own.records += row.records;
                    own.value_bytes += row.value_bytes;
                    own.expiring += row.expiring;
                }
                None => self.databases.push(row),
            }
        }
        self.prefixes.merge(later.prefixes);
        self.largest.merge(later.largest);
        self.longest.merge(later.longest);
        self.sizes.merge(&later.sizes);
        self.expiry.merge(&later.expiry);
        self.idle.merge(&later.idle);
        self.frequency.merge(&later.frequency);
        for (name, values) in later.modules {
            count(&mut self.modules, &name, values);
        }
        self.binary_keys.merge(later.binary_keys);
        self.field_expiry.merge(later.field_expiry);
        self.long_keys.merge(later.long_keys);
        self.huge_values.merge(later.huge_values);
        self.damaged.merge(later.damaged);
    }
}

/// What was seen of the source so far.
struct Whole {
    seen: Seen,
    /// The big value whose pieces are coming.
    big: Option<(Head<'static>, u64, u64, bool)>,
    description: Option<String>,
    facts: Vec<Fact>,
    skipped: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
    warnings: Vec<String>,
}

impl Whole {
    fn new(top: usize) -> Self {
        Self {
            seen: Seen::new(Capped::new(MAX_KEYS), top),
            big: None,
            description: None,
            facts: Vec::new(),
            skipped: BTreeMap::new(),
            others: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn merge(&mut self, mut seen: Seen, batch: &Batch, work: &Looking<'_>) {
        let pieces = std::mem::take(&mut seen.pieces);
        self.seen.merge(seen);
        for piece in pieces {
            self.piece(piece, work);
        }
        let least = |largest: &Largest<Sized>| largest.smallest().map_or(0, |least| least.size);
        work.least_bytes.store(least(&self.seen.largest), Ordering::Relaxed);
        work.least_elements.store(least(&self.seen.longest), Ordering::Relaxed);
        let remarks = batch.remarks();
        if remarks.description.is_some() {
            self.description.clone_from(&remarks.description);
        }
        for (name, value) in &remarks.aux {
            // A dump tells its functions and scripts so too, before Redis 7.
            if name != "lua" {
                let (name, value) = (shown(name.as_bytes()), shown(value.as_bytes()));
                self.facts.push(Fact { name, value });
            }
        }
        for (reason, records) in &remarks.skipped {
            count(&mut self.skipped, reason, *records);
        }
        for (what, number) in &remarks.others {
            count(&mut self.others, what, *number);
        }
        self.warnings.extend(remarks.warnings.iter().cloned());
    }

    fn piece(&mut self, piece: Piece, work: &Looking<'_>) {
        match piece {
            Piece::Damaged { db, key } => {
                self.big = None;
                self.seen.damaged.note(db, &key);
            }
            Piece::Part { head, bytes, elements, fields_expire, last } => {
                let (head, before, told, expire) = self.big.take().unwrap_or((head, 0, 0, false));
                let sum = (before + bytes, told + elements, expire || fields_expire);
                if last {
                    let (bytes, elements, fields_expire) = sum;
                    let look = Look::of(&head, bytes, elements, fields_expire);
                    work.look(&mut self.seen, &look);
                } else {
                    self.big = Some((head, sum.0, sum.1, sum.2));
                }
            }
        }
    }

    fn finish(
        self,
        options: &InspectOptions,
        source_bytes: Option<u64>,
        ended: Ended,
    ) -> Inspection {
        let seen = self.seen;
        let mut types: Vec<TypeRow> = Vec::new();
        for row in &seen.encodings {
            let found = types.iter().position(|own| own.name == row.kind.name());
            let at = found.unwrap_or(types.len());
            if found.is_none() {
                let name = row.kind.name();
                types.push(TypeRow {
                    name,
                    records: 0,
                    value_bytes: 0,
                    elements: 0,
                    largest: None,
                });
            }
            let own = &mut types[at];
            own.records += row.sum.count;
            own.value_bytes += row.sum.bytes;
            own.elements += row.elements;
            let largest = row.largest.as_ref().map(LargeKey::by_bytes);
            let bytes = |key: &Option<LargeKey>| key.as_ref().map(|key| key.value_bytes);
            if bytes(&largest) > bytes(&own.largest) {
                own.largest = largest;
            }
        }
        types.sort_by_key(|row| (std::cmp::Reverse(row.value_bytes), row.name));
        let mut encodings: Vec<EncodingRow> = seen.encodings.iter().map(EncodingRow::of).collect();
        encodings.sort_by_key(|row| (std::cmp::Reverse(row.value_bytes), row.name, row.kind));
        let mut databases = seen.databases;
        databases.sort_by_key(|row| row.db);
        let prefixes = seen.prefixes.biggest(options.top);
        let folded = seen.prefixes.folded();
        Inspection {
            complete: ended == Ended::Complete,
            description: self.description,
            source_bytes,
            facts: self.facts,
            as_of: options.as_of.0,
            records: seen.records,
            key_bytes: seen.key_bytes,
            value_bytes: types.iter().map(|row| row.value_bytes).sum(),
            elements: types.iter().map(|row| row.elements).sum(),
            types,
            encodings,
            databases,
            prefixes: prefixes.into_iter().map(PrefixRow::of).collect(),
            prefix_cover: PrefixCover {
                told_apart: seen.prefixes.len() as u64,
                folded_records: folded.count,
                folded_bytes: folded.bytes,
                short_by: seen.prefixes.short_by(),
            },
            largest: seen.largest.into_sorted().iter().map(LargeKey::by_bytes).collect(),
            longest: seen.longest.into_sorted().iter().map(LargeKey::by_elements).collect(),
            sizes: seen.sizes.buckets(SIZE_NAMES),
            expiry: seen.expiry.buckets(EXPIRY_NAMES),
            idle: some(seen.idle.buckets(IDLE_NAMES)),
            frequency: some(seen.frequency.buckets(FREQUENCY_NAMES)),
            modules: seen.modules,
            binary_keys: seen.binary_keys,
            field_expiry: seen.field_expiry,
            long_keys: seen.long_keys,
            huge_values: seen.huge_values,
            damaged: seen.damaged,
            skipped: self.skipped,
            others: self.others,
            warnings: self.warnings,
        }
    }
}

impl EncodingRow {
    fn of(row: &Encoded) -> Self {
        Self {
            name: row.name,
            kind: row.kind.name(),
            records: row.sum.count,
            value_bytes: row.sum.bytes,
            elements: row.elements,
        }
    }
}

impl PrefixRow {
    fn of((prefix, sum): (&[u8], Sum)) -> Self {
        let prefix = match prefix {
            NO_PREFIX => "(no prefix)".to_owned(),
            prefix => format!("{}*", shown(prefix)),
        };
        Self { prefix, records: sum.count, value_bytes: sum.bytes }
    }
}

impl LargeKey {
    fn by_bytes(sized: &Sized) -> Self {
        Self::new(sized, sized.size, sized.other)
    }

    fn by_elements(sized: &Sized) -> Self {
        Self::new(sized, sized.other, sized.size)
    }

    fn new(sized: &Sized, value_bytes: u64, elements: u64) -> Self {
        let key = Key::new(sized.db, &sized.key);
        Self { key, kind: sized.kind, value_bytes, elements }
    }
}

/// The histogram, if anything is in it.
fn some(buckets: Vec<Bucket>) -> Vec<Bucket> {
    if buckets.iter().any(|bucket| bucket.count > 0) { buckets } else { Vec::new() }
}

/// The first bucket whose bound lies above the number.
fn bucket(number: u64, bounds: &[u64]) -> usize {
    bounds.iter().take_while(|bound| number >= **bound).count()
}

fn expiry(expires_at: Option<UnixMillis>, as_of: UnixMillis) -> usize {
    match expires_at {
        None => 0,
        Some(moment) if moment <= as_of => 1,
        Some(moment) => 2 + bucket(moment.0.abs_diff(as_of.0) / 1000, &SPANS),
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    match word {
        [byte] => text.iter().position(|own| own == byte),
        word => text.windows(word.len().max(1)).position(|window| window == word),
    }
}

fn expiring_fields(value: &Value<'_>) -> bool {
    matches!(value, Value::Hash(fields) if fields.iter().any(|field| field.expires_at.is_some()))
}

/// The bytes of a value's elements.
fn value_bytes(value: &Value<'_>) -> u64 {
    fn blobs<'b>(blobs: impl IntoIterator<Item = &'b Blob<'b>>) -> u64 {
        blobs.into_iter().map(|blob| blob.len() as u64).sum()
    }
    fn stream(stream: &Stream<'_>) -> u64 {
        let fields = stream.entries.iter().flat_map(|entry| &entry.fields);
        let fields = fields.map(|(name, value)| name.len() + value.len());
        stream.entries.len() as u64 * 16 + fields.map(|bytes| bytes as u64).sum::<u64>()
    }
    fn json(value: &Json) -> u64 {
        match value {
            Json::Null | Json::Bool(_) => 1,
            Json::Number(text) | Json::String(text) => text.len() as u64,
            Json::Array(values) => values.iter().map(json).sum(),
            Json::Object(members) => {
                members.iter().map(|(name, value)| name.len() as u64 + json(value)).sum()
            }
        }
    }
    match value {
        Value::String(text) => text.len() as u64,
        Value::List(items) | Value::Set(items) => blobs(items),
        Value::SortedSet(members) => members.iter().map(|own| own.member.len() as u64 + 8).sum(),
        Value::Hash(fields) => {
            let bytes = |field: &Field<'_>| (field.name.len() + field.value.len()) as u64;
            fields.iter().map(bytes).sum()
        }
        Value::Stream(own) => stream(own),
        Value::Array(array) => array
            .slots
            .iter()
            .map(|(_, slot)| match slot {
                Slot::Text(text) => text.len() as u64,
                _ => 8,
            })
            .sum(),
        Value::Json(document) => json(document),
        Value::Module(module) => module
            .tokens
            .iter()
            .map(|token| match token {
                ModuleToken::Text(text) => text.len() as u64,
                _ => 8,
            })
            .sum(),
        _ => 0,
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}

impl Inspection {
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new("Contents of a Redis dump");
        document.about = self.about();
        let value_bytes = units::bytes(self.value_bytes);
        document.figure("Keys", units::count(self.records), "");
        document.figure(
            "Bytes of values",
            value_bytes,
            format!("and {} of keys", units::bytes(self.key_bytes)),
        );
        document.figure("Elements", units::count(self.elements), "a string counts as one");
        let [never, expired] = ["never", "expired"].map(|name| {
            self.expiry.iter().find(|bucket| bucket.name == name).map_or(0, |bucket| bucket.count)
        });
        document.figure(
            "Keys that expire",
            units::count(self.records.saturating_sub(never)),
            format!("{} have expired", units::count(expired)),
        );
        document.alerts = self.alerts();
        document.section(self.types_section());
        document.section(self.prefix_section());
        document.section(large("Largest keys", &self.largest).with_chart(
            "Bytes of the largest values",
            Form::Bars,
            self.largest.iter().take(BARS).map(LargeKey::bar).collect(),
        ));
        document.section(large("Keys with the most elements", &self.longest));
        document.section(
            histogram("Sizes of values", "size", &self.sizes, "Keys by bytes of the value")
                .with_remark("1 KB is 1,024 bytes; a DynamoDB item holds 400 KB."),
        );
        document.section(histogram("Expiry", "expires in", &self.expiry, "Keys by time left"));
        document.section(histogram("Idle time", "idle for", &self.idle, "Keys by last use (LRU)"));
        let frequency = "Keys by access counter (LFU)";
        document.section(histogram("Access counter", "counter", &self.frequency, frequency));
        document.section(self.encodings_section());
        document.section(self.databases_section());
        document.section(self.others_section());
        document
    }

    fn about(&self) -> Vec<String> {
        let mut about = Vec::new();
        let size = self.source_bytes.map(|bytes| format!("{} as stored", units::bytes(bytes)));
        let source: Vec<String> = self.description.iter().cloned().chain(size).collect();
        if !source.is_empty() {
            about.push(source.join(", "));
        }
        let facts = self.facts.iter();
        let facts: Vec<String> =
            facts.map(|fact| format!("{} {}", fact.name, fact.value)).collect();
        if !facts.is_empty() {
            about.push(facts.join(", "));
        }
        about.push(format!("expiry as of {}", units::moment(self.as_of)));
        about
    }

    fn alerts(&self) -> Vec<String> {
        let mut alerts = Vec::new();
        if !self.complete {
            alerts.push("interrupted: this is a part of the dump only".to_owned());
        }
        let samples = [
            (&self.damaged, "damaged, and counted nowhere else"),
            (&self.huge_values, "with more bytes than a DynamoDB item holds (400 KB)"),
            (&self.long_keys, "longer than DynamoDB's partition key (2,048 bytes)"),
            (&self.binary_keys, "not UTF-8"),
            (&self.field_expiry, "of type hash with fields that expire by themselves"),
        ];
        for (sample, what) in samples {
            if sample.count > 0 {
                let keys = if sample.count == 1 { "key" } else { "keys" };
                let number = units::count(sample.count);
                alerts.push(format!("{number} {keys} {what}: {}", sample.keys()));
            }
        }
        alerts.extend(self.warnings.iter().map(|warning| format!("the source: {warning}")));
        alerts
    }

    fn types_section(&self) -> Section {
        let mut table = Table::new([
            ("type", Align::Left),
            ("keys", Align::Right),
            ("of keys", Align::Right),
            ("bytes", Align::Right),
            ("of bytes", Align::Right),
            ("elements", Align::Right),
            ("largest", Align::Right),
        ]);
        for row in &self.types {
            table.row([
                row.name.to_owned(),
                units::count(row.records),
                units::percent(row.records, self.records),
                units::bytes(row.value_bytes),
                units::percent(row.value_bytes, self.value_bytes),
                units::count(row.elements),
                row.largest.as_ref().map(|key| units::bytes(key.value_bytes)).unwrap_or_default(),
            ]);
        }
        let bars = self
            .types
            .iter()
            .map(|row| Bar::new(row.name, row.value_bytes, units::bytes(row.value_bytes)));
        Section::new("Types")
            .with_chart("Bytes by type", Form::Bars, bars.collect())
            .with_table(table)
    }

    fn prefix_section(&self) -> Section {
        let mut table = Table::new([
            ("prefix", Align::Left),
            ("keys", Align::Right),
            ("of keys", Align::Right),
            ("bytes", Align::Right),
            ("of bytes", Align::Right),
        ]);
        let folded = PrefixRow {
            prefix: "(other)".to_owned(),
            records: self.prefix_cover.folded_records,
            value_bytes: self.prefix_cover.folded_bytes,
        };
        for row in self.prefixes.iter().chain(Some(&folded).filter(|row| row.records > 0)) {
            table.row([
                row.prefix.clone(),
                units::count(row.records),
                units::percent(row.records, self.records),
                units::bytes(row.value_bytes),
                units::percent(row.value_bytes, self.value_bytes),
            ]);
        }
        let bars = self.prefixes.iter().take(BARS).map(|row| {
            Bar::new(row.prefix.as_str(), row.value_bytes, units::bytes(row.value_bytes))
        });
        let section = Section::new("Prefixes")
            .with_chart("Bytes by prefix", Form::Bars, bars.collect())
            .with_table(table);
        let PrefixCover { told_apart, folded_records, short_by, .. } = self.prefix_cover;
        if folded_records > 0 {
            section.with_remark(format!(
                "There are too many prefixes to tell all of them apart: (other) has those with few \
                 keys. A prefix above may have up to {} keys more.",
                units::count(short_by)
            ))
        } else if told_apart > self.prefixes.len() as u64 {
            let hidden = told_apart - self.prefixes.len() as u64;
            section.with_remark(format!("{} more prefixes are not shown.", units::count(hidden)))
        } else {
            section
        }
    }

    fn encodings_section(&self) -> Section {
        let mut table = Table::new([
            ("encoding", Align::Left),
            ("type", Align::Left),
            ("keys", Align::Right),
            ("bytes", Align::Right),
            ("elements", Align::Right),
        ]);
        for row in &self.encodings {
            table.row([
                row.name.to_owned(),
                row.kind.to_owned(),
                units::count(row.records),
                units::bytes(row.value_bytes),
                units::count(row.elements),
            ]);
        }
        Section::new("Encodings").with_table(table)
    }

    fn databases_section(&self) -> Section {
        let mut table = Table::new([
            ("database", Align::Left),
            ("keys", Align::Right),
            ("bytes", Align::Right),
            ("with expiry", Align::Right),
        ]);
        for row in &self.databases {
            table.row([
                row.db.to_string(),
                units::count(row.records),
                units::bytes(row.value_bytes),
                units::count(row.expiring),
            ]);
        }
        Section::new("Databases").with_table(table)
    }

    fn others_section(&self) -> Section {
        let mut table = Table::new([("what", Align::Left), ("number", Align::Right)]);
        let modules = self
            .modules
            .iter()
            .map(|(name, number)| (format!("values of module type {name}"), number));
        let skipped = self
            .skipped
            .iter()
            .map(|(reason, number)| (format!("keys passed over: {}", words(reason)), number));
        let others = self.others.iter().map(|(what, number)| (words(what), number));
        for (what, number) in modules.chain(skipped).chain(others) {
            table.row([what, units::count(*number)]);
        }
        Section::new("Besides").with_table(table)
    }
}

/// Bars of a chart, where the table below has more rows.
const BARS: usize = 12;

impl LargeKey {
    fn bar(&self) -> Bar {
        Bar::new(self.key.to_string(), self.value_bytes, units::bytes(self.value_bytes))
    }
}

fn large(title: &str, keys: &[LargeKey]) -> Section {
    let mut table = Table::new([
        ("key", Align::Left),
        ("type", Align::Left),
        ("bytes", Align::Right),
        ("elements", Align::Right),
    ]);
    for key in keys {
        table.row([
            key.key.to_string(),
            key.kind.to_owned(),
            units::bytes(key.value_bytes),
            units::count(key.elements),
        ]);
    }
    Section::new(title).with_table(table)
}

/// A section with a histogram of keys.
fn histogram(title: &str, what: &'static str, buckets: &[Bucket], chart: &str) -> Section {
    let whole: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let mut table = Table::new([
        (what, Align::Left),
        ("keys", Align::Right),
        ("share", Align::Right),
        ("bytes", Align::Right),
    ]);
    for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
        table.row([
            bucket.name.to_owned(),
            units::count(bucket.count),
            units::percent(bucket.count, whole),
            units::bytes(bucket.bytes),
        ]);
    }
    let bars = buckets.iter().map(|bucket| {
        let tone = match bucket.name {
            "expired" | ">400 KB" => Tone::Warning,
            "never" => Tone::Muted,
            _ => Tone::Plain,
        };
        bucket.column().with_tone(tone)
    });
    Section::new(title).with_chart(chart, Form::Columns, bars.collect()).with_table(table)
}

#[cfg(test)]
mod tests {
    use keystar_extract::{MemorySource, RdbFile, RdbOptions};
    use keystar_rdb::Scored;

    use super::*;
    use crate::page;

    const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop.rdb");
    const NOW: UnixMillis = UnixMillis(1_795_244_400_000);

    fn inspected(source: &mut dyn Source, options: &InspectOptions) -> Inspection {
        let found = inspect(source, options, &Interrupt::new(), &Progress::default()).unwrap();
        assert!(found.complete);
        let sums = [
            found.types.iter().map(|row| row.records).sum::<u64>(),
            found.encodings.iter().map(|row| row.records).sum(),
            found.databases.iter().map(|row| row.records).sum(),
            found.sizes.iter().map(|bucket| bucket.count).sum(),
            found.expiry.iter().map(|bucket| bucket.count).sum(),
        ];
        assert_eq!(sums, [found.records; 5]);
        page::tests::assert_well_formed(&page::inspection(&found));
        found
    }

    fn shop(max_value_bytes: usize) -> Inspection {
        let rdb = RdbOptions::default().with_max_value_bytes(max_value_bytes);
        let options = InspectOptions::new(NonZeroUsize::MIN, NOW).with_top(5);
        inspected(&mut RdbFile::open(SHOP, rdb).unwrap(), &options)
    }

    #[test]
    fn the_shop_reads_well() {
        insta::assert_snapshot!(shop(1 << 20));
    }

    #[test]
    fn values_in_pieces_count_once() {
        let (whole, pieces) = (shop(1 << 20), shop(16));
        assert_eq!(pieces.records, whole.records);
        assert_eq!(pieces.elements, whole.elements);
        assert_eq!(pieces.expiry, {
            let bytes = |at: usize| pieces.expiry[at].bytes;
            let rows = whole.expiry.iter().enumerate();
            rows.map(|(at, row)| Bucket { bytes: bytes(at), ..*row }).collect::<Vec<_>>()
        });
        assert_eq!(pieces.facts, whole.facts);
    }

    /// Records of every kind of finding.
    fn varied() -> Vec<Record<'static>> {
        let text = |key: &[u8], value: &[u8]| {
            Record::new(Db(0), Blob::copied(key), Value::String(Blob::copied(value)))
        };
        let mut records: Vec<Record<'static>> = (0..2000_u32)
            .map(|number| text(format!("k{}:{number}", number % 300).as_bytes(), b"value"))
            .collect();
        records.push(text(b"\xff<b>", &[0; 500_000]));
        records.push(text(&[b'k'; 3000], b""));
        let hour = UnixMillis(NOW.0 + 3_599_999);
        records.push(text(b"soon", b"1").with_expires_at(hour).with_usage(Usage::Idle(90_000)));
        records.push(text(b"gone", b"1").with_expires_at(NOW).with_usage(Usage::Frequency(5)));
        let field = Field::new("f".into(), "v".into()).with_expires_at(hour);
        records.push(Record::new(Db(3), "h".into(), Value::Hash(vec![field])));
        let scores = (0..500).map(|n| Scored::new(Blob::from_i64(n), 1.0)).collect();
        records.push(Record::new(Db(3), "z".into(), Value::SortedSet(scores)));
        records
    }

    #[test]
    fn every_finding_is_told() {
        let options = InspectOptions::new(NonZeroUsize::MIN, NOW).with_top(2);
        let found = inspected(&mut MemorySource::new(varied()), &options);
        assert_eq!(found.records, 2006);
        assert_eq!(found.largest[0].key.key, "\\xff<b>");
        assert_eq!((found.largest[0].value_bytes, found.largest[0].kind), (500_000, "string"));
        assert_eq!((found.longest[0].key.db, found.longest[0].elements), (3, 500));
        for sample in [&found.binary_keys, &found.huge_values, &found.long_keys] {
            assert_eq!(sample.count, 1);
        }
        assert_eq!(found.field_expiry.first[0].key, "h");
        let bucket = |buckets: &[Bucket], name| {
            buckets.iter().find(|bucket| bucket.name == name).unwrap().count
        };
        assert_eq!(bucket(&found.expiry, "<1 h"), 1);
        assert_eq!(bucket(&found.expiry, "expired"), 1, "a moment is over when it has come");
        assert_eq!(bucket(&found.idle, "<7 d"), 1);
        assert_eq!(bucket(&found.frequency, "5"), 1);
        assert_eq!(bucket(&found.sizes, ">400 KB"), 1);
        assert_eq!(found.prefixes[0].prefix, "(no prefix)");
        assert_eq!(found.prefix_cover.told_apart, 301);
        assert_eq!(found.databases.iter().map(|row| row.db).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(found.databases[0].expiring, 2);
        let text = found.to_string();
        assert!(text.contains("1 key not UTF-8: \\xff<b>"), "{text}");
        assert!(page::inspection(&found).contains("\\xff&lt;b&gt;"));
    }

    #[test]
    fn threads_and_batches_change_nothing() {
        let json = |jobs: usize, batch_records: usize| {
            let options = InspectOptions::new(NonZeroUsize::new(jobs).unwrap(), NOW);
            let mut source = MemorySource::new(varied()).with_batch_records(batch_records);
            serde_json::to_string(&inspected(&mut source, &options)).unwrap()
        };
        let one = json(1, 100);
        assert_eq!(json(3, 100), one);
        assert_eq!(json(2, 7), one);
    }

    #[test]
    fn prefixes_have_as_many_segments_as_asked_for() {
        let prefix = |options: &InspectOptions, key: &str| {
            String::from_utf8_lossy(Looking::new(options).prefix(key.as_bytes())).into_owned()
        };
        let one = InspectOptions::new(NonZeroUsize::MIN, NOW);
        assert_eq!(prefix(&one, "a:b:c"), "a:");
        assert_eq!(prefix(&one, ":b"), ":");
        assert_eq!(prefix(&one, "plain"), "");
        let two = one.clone().with_prefix_segments(2);
        assert_eq!(prefix(&two, "a:b:c"), "a:b:");
        assert_eq!(prefix(&two, "a:b"), "a:");
        let arrow = one.with_separator('→');
        assert_eq!(prefix(&arrow, "a→b"), "a→");
    }
}
