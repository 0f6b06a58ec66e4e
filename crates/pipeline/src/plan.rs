//! A dry run: what a migration would write, lose, set aside and cost, from the dump alone.
//!
//! It does everything that a run does but write: every record is routed, decoded, mapped, checked
//! against DynamoDB's limits and written as text, which is counted and dropped. A sample of the
//! text goes through the very writer of a run, into memory, to learn how well it compresses.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use futures_executor::block_on;
use keystar_extract::{Batch, Source};
use keystar_item::{AttributeValue, Index, Item, Projection, Table as ItemTable, limits};
use keystar_mapping::{DbStyle, Losses, Mapping, MappingSpec, RuleIndex};
use keystar_rdb::{Blob, UnixMillis};
use keystar_transfer::{
    Compression, Encoded, ImportOptions, ImportWriter, ItemEncoder, ItemSink, Origin,
};
use serde::Serialize;

use crate::{
    Counts, Error, Interrupt, Prices, Progress,
    conveyor::{Ended, Work, convey},
    document::{Align, Bar, Document, Form, Section, Table, Tone},
    mapper::{self, Fate, Mapper, Pieces, Verdict},
    outcome::{self, words},
    pricing::{Cost, Duration, EXAMPLE_REGION, Load, Price},
    report::{self, count},
    tally::{Bucket, Capped, Histogram, Key, Largest, MAX_KEYS, Sample, Sized, Sum, cut, shown},
    units,
};

/// What is planned, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The files as a run would write them.
    pub import: ImportOptions,
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// The clock that expiry is judged by.
    pub as_of: UnixMillis,
    /// The AWS region to price for. Without one, prices are an example.
    pub region: Option<String>,
    /// Prices that come before the listed ones.
    pub prices: Option<Prices>,
    /// How many of the largest items, and of the prefixes, are shown.
    pub top: usize,
    /// What the rules are called, in their order.
    rules: Vec<String>,
}

impl PlanOptions {
    /// No region, the 20 largest.
    pub fn new(import: ImportOptions, jobs: NonZeroUsize, as_of: UnixMillis) -> Self {
        Self { import, jobs, as_of, region: None, prices: None, top: 20, rules: Vec::new() }
    }

    /// The AWS region to price for.
    #[must_use]
    pub fn with_region(mut self, region: Option<String>) -> Self {
        self.region = region;
        self
    }

    /// Prices that come before the listed ones: from a contract, or of a region without any.
    #[must_use]
    pub fn with_prices(mut self, prices: Prices) -> Self {
        self.prices = Some(prices);
        self
    }

    /// How many of the largest items, and of the prefixes, are shown.
    #[must_use]
    pub fn with_top(mut self, top: usize) -> Self {
        self.top = top;
        self
    }

    /// Calls the rules by their patterns, as the spec has them.
    #[must_use]
    pub fn with_spec(mut self, spec: &MappingSpec) -> Self {
        let pattern = |(at, rule): (usize, &keystar_mapping::RuleSpec)| {
            let pattern = rule.keys.as_ref().or(rule.regex.as_ref());
            pattern.map_or(format!("rule[{at}]"), |pattern| shown(pattern.as_bytes()))
        };
        self.rules = spec.rule.iter().enumerate().map(pattern).collect();
        self
    }
}

/// What a migration would do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// Whether the source was read to its end.
    pub complete: bool,
    /// What kind of source it is: `Redis RDB version 11`.
    pub description: Option<String>,
    /// The source's size in bytes as it is stored.
    pub source_bytes: Option<u64>,
    /// The clock that expiry was judged by, in Unix milliseconds.
    pub as_of: i64,
    /// How the records would end, as a run counts them. Two records with the same item key are
    /// found by a run only: it rejects the later one.
    pub counts: Counts,
    /// By rule, in the order of the rules.
    pub rules: Vec<RuleRow>,
    /// The items.
    pub items: ItemFigures,
    /// By the size of the item; also items over 400 KB, which are rejected.
    pub sizes: Vec<Bucket>,
    /// The items with the most bytes.
    pub largest: Vec<LargeItem>,
    /// Records that are rejected because an item would have more than 400 KB.
    pub oversize: Sample,
    /// Where items go: by the beginning of the partition key, the most items first.
    pub key_prefixes: Vec<KeyRow>,
    /// The partition keys with the most items, of those that have several.
    pub partitions: Vec<KeyRow>,
    /// What would be carried, but not exactly.
    pub losses: Losses,
    /// What the format of the files cannot carry (CSV), by kind, with the number of values.
    pub format_losses: BTreeMap<String, u64>,
    /// Records that would be set aside, by reason, with the first keys.
    pub rejects: BTreeMap<String, Sample>,
    /// What is no key, by kind: `functions`, `scripts`, `module_data` ….
    pub notes: BTreeMap<String, u64>,
    /// Remarks on the source, such as a newer version than was tested or bytes after its end.
    pub warnings: Vec<String>,
    /// The files.
    pub files: FileFigures,
    /// Records of the sample that was compressed whose item key is that of an earlier one: a run
    /// rejects them, and those outside of the sample.
    pub sampled_duplicates: u64,
    /// Price and time of an import, and of live writes.
    pub cost: Cost,
}

/// The records of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleRow {
    /// The rule: its pattern, its place in the spec (`rule[0]`), or `defaults`.
    pub rule: String,
    /// Records that it maps.
    pub records: u64,
    /// The items that they become.
    pub items: u64,
    /// The items' bytes, as DynamoDB counts them.
    pub item_bytes: u64,
}

/// The items all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ItemFigures {
    /// How many.
    pub count: u64,
    /// Their bytes, as DynamoDB counts them.
    pub bytes: u64,
    /// Copies of items in indexes.
    pub index_count: u64,
    /// Bytes of these copies.
    pub index_bytes: u64,
    /// Write units that live writes take, copies in indexes included.
    pub write_units: u64,
    /// Values that are written beside the items, since they are too big for one.
    pub offload_count: u64,
    /// Bytes of these values.
    pub offload_bytes: u64,
}

/// An item that is large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LargeItem {
    /// The record that it comes from.
    #[serde(flatten)]
    pub key: Key,
    /// The type of the record.
    pub kind: &'static str,
    /// Its bytes, as DynamoDB counts them.
    pub bytes: u64,
    /// Whether it is within DynamoDB's limit of 400 KB.
    pub fits: bool,
}

/// The items of one partition key, or of those that begin alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyRow {
    /// The partition key, or its beginning and `*`.
    pub key: String,
    /// Items.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their share of all items, from 0 to 1.
    pub share: f64,
}

/// The files that a run would write.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FileFigures {
    /// `dynamodb-json`, `ion` or `csv`.
    pub format: String,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// How many.
    pub count: u64,
    /// Bytes before compression: what an import is billed by.
    pub bytes: u64,
    /// Bytes as stored, estimated from a sample.
    pub stored_bytes: u64,
    /// Bytes of the sample that was compressed.
    pub sample_bytes: u64,
    /// Whether each database gets a folder of its own. Files are counted as if all shared one;
    /// there are a few more then.
    pub folder_per_database: bool,
}

const KB: u64 = 1024;
/// Sizes of items are counted in write units, so the buckets are in KB.
const SIZES: usize = 12;
const SIZE_NAMES: [&str; SIZES] = [
    "<=200 B", "<=512 B", "<=1 KB", "<=2 KB", "<=4 KB", "<=8 KB", "<=16 KB", "<=32 KB", "<=64 KB",
    "<=128 KB", "<=400 KB", ">400 KB",
];
const SIZE_BOUNDS: [u64; SIZES - 1] = [
    200,
    512,
    KB,
    2 * KB,
    4 * KB,
    8 * KB,
    16 * KB,
    32 * KB,
    64 * KB,
    128 * KB,
    limits::MAX_ITEM_BYTES as u64,
];

/// Works out what a migration would do.
///
/// # Errors
///
/// The source fails, or the temporary folder cannot be used. Records that cannot be carried are
/// counted, and no error.
pub fn plan(
    source: &mut dyn Source,
    mapping: Mapping,
    options: &PlanOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Plan, Error> {
    let mapping = mapping.with_as_of(options.as_of);
    let source_bytes = source.total_bytes();
    progress.start_source(source);
    let sampler = Sampler::new(&options.import)?;
    let work = Planning {
        mapper: Mapper::new(&mapping),
        mapping: &mapping,
        table: &options.import.table,
        encoders: sampler.encoders(options.jobs),
        top: options.top,
    };
    let mut whole = Whole::new(options, sampler);
    let ended = convey(source, options.jobs, interrupt, &work, |seen, batch| {
        whole.merge(*seen, batch)?;
        progress.reach(batch.source_bytes(), whole.counts.read);
        Ok(())
    })?;
    let mut plan = whole.finish(options, source_bytes, ended)?;
    plan.files.folder_per_database = mapping.db_style() == DbStyle::Folder;
    Ok(plan)
}

/// What the workers do with a batch.
struct Planning<'m> {
    mapper: Mapper<'m>,
    mapping: &'m Mapping,
    table: &'m ItemTable,
    encoders: Mutex<Vec<Box<dyn ItemEncoder>>>,
    top: usize,
}

/// What was seen in a batch.
#[derive(Default)]
struct Seen {
    counts: Counts,
    made: Items,
    /// Pieces of big records, in order: what they made counts only if the whole record is carried.
    pieces: Vec<Piece>,
    losses: Losses,
    rejects: BTreeMap<String, Sample>,
    encoded: Encoded,
}

/// Items, and the records that they stand for.
struct Items {
    figures: ItemFigures,
    rules: Vec<RuleRow>,
    sizes: Histogram<SIZES>,
    largest: Largest<Sized>,
    prefixes: Capped,
    partitions: Capped,
}

enum Piece {
    Made(Box<Items>),
    /// The record is carried whole.
    Accepted,
    /// The record cannot be carried: what its pieces made is void.
    Void,
}

impl Work for Planning<'_> {
    type Bench = Option<Box<dyn ItemEncoder>>;
    type Output = Box<Seen>;

    fn bench(&self) -> Self::Bench {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn work(&self, encoder: &mut Self::Bench, batch: &Batch) -> Box<Seen> {
        let mut seen = Box::new(Seen { made: Items::new(self.top), ..Seen::default() });
        // There is an encoder for every worker.
        let Some(encoder) = encoder else { return seen };
        self.mapper
            .map_batch(batch, |fate: Fate<'_>| self.settle(&mut seen, encoder.as_mut(), fate));
        seen.encoded = encoder.take();
        seen
    }
}

impl Planning<'_> {
    fn settle(&self, seen: &mut Seen, encoder: &mut dyn ItemEncoder, fate: Fate<'_>) -> Verdict {
        match fate {
            Fate::Filtered(reason) => {
                seen.counts.read += 1;
                seen.counts.filter(reason);
            }
            Fate::Expired => {
                seen.counts.read += 1;
                seen.counts.expired += 1;
            }
            Fate::Rejected { rejected, undo, .. } => {
                seen.counts.read += 1;
                seen.counts.reject(&rejected.reason);
                let key = || Key { db: rejected.db, key: cut(rejected.key) };
                seen.rejects.entry(rejected.reason).or_default().note_with(key);
                if undo {
                    seen.pieces.push(Piece::Void);
                }
            }
            Fate::Mapped(pieces) => return self.mapped(seen, encoder, &pieces),
        }
        Ok(())
    }

    fn mapped(
        &self,
        seen: &mut Seen,
        encoder: &mut dyn ItemEncoder,
        pieces: &Pieces<'_>,
    ) -> Verdict {
        let (head, origin) = (pieces.head, Origin(pieces.head.offset));
        let whole = matches!(pieces.record, mapper::Source::Record(_));
        let mut apart = Items::new(self.top);
        let before = encoder.position();
        let mut sizes = Vec::new();
        for item in &pieces.mapped.items {
            match encoder.push(item, origin) {
                Ok(bytes) => sizes.push(u64::from(bytes)),
                Err(violation) => {
                    encoder.truncate(before);
                    if let limits::ViolationKind::ItemTooLarge { bytes, .. } = violation.kind() {
                        seen.made.too_large(bytes, head);
                    }
                    return Err(violation);
                }
            }
        }
        let made = if whole { &mut seen.made } else { &mut apart };
        let row = made.rule(pieces.rule, self.mapping);
        row.records += u64::from(pieces.last);
        row.items += sizes.len() as u64;
        row.item_bytes += sizes.iter().sum::<u64>();
        for offload in &pieces.mapped.offloads {
            made.figures.offload_count += u64::from(offload.last);
            made.figures.offload_bytes += offload.bytes.len() as u64;
        }
        for (item, bytes) in pieces.mapped.items.iter().zip(sizes) {
            made.add(item, bytes, head, self.table);
        }
        if !whole {
            seen.pieces.push(Piece::Made(Box::new(apart)));
            seen.pieces.extend(pieces.last.then_some(Piece::Accepted));
        }
        if pieces.last {
            seen.counts.read += 1;
            seen.counts.written += 1;
            seen.counts.expired_kept += u64::from(self.mapping.is_expired(head.expires_at));
        }
        seen.losses.add(head.offset, &head.key, &pieces.mapped.losses);
        Ok(())
    }
}

impl Items {
    fn new(top: usize) -> Self {
        Self {
            figures: ItemFigures::default(),
            rules: Vec::new(),
            sizes: Histogram::default(),
            largest: Largest::new(top),
            prefixes: Capped::of_batch(),
            partitions: Capped::of_batch(),
        }
    }

    fn add(
        &mut self,
        item: &Item<'_>,
        bytes: u64,
        head: &keystar_rdb::Head<'_>,
        table: &ItemTable,
    ) {
        let sum = Sum::one(bytes);
        let figures = &mut self.figures;
        figures.count += 1;
        figures.bytes += bytes;
        figures.write_units += write_units(bytes);
        for index in &table.indexes {
            if let Some(bytes) = index_bytes(item, bytes, table, index) {
                figures.index_count += 1;
                figures.index_bytes += bytes;
                figures.write_units += write_units(bytes);
            }
        }
        self.sizes.add(size_bucket(bytes), sum);
        if self.largest.smallest().is_none_or(|least| bytes >= least.size) {
            self.largest.offer(large(bytes, head));
        }
        let key = item.get(&table.key.partition.name).map(key_bytes).unwrap_or_default();
        self.prefixes.add(prefix(key), sum);
        // Without a sort key every item has a partition key of its own.
        if table.key.sort.is_some() {
            self.partitions.add(key, sum);
        }
    }

    /// Counts an item that no table takes.
    fn too_large(&mut self, bytes: u64, head: &keystar_rdb::Head<'_>) {
        self.sizes.add(size_bucket(bytes), Sum::one(bytes));
        self.largest.offer(large(bytes, head));
    }

    fn rule(&mut self, rule: RuleIndex, mapping: &Mapping) -> &mut RuleRow {
        let at = rule.get();
        if at >= self.rules.len() {
            self.rules.resize(at + 1, RuleRow::default());
        }
        let row = &mut self.rules[at];
        if row.rule.is_empty() {
            row.rule = match mapping.is_default(rule) {
                true => "defaults".to_owned(),
                false => format!("rule[{at}]"),
            };
        }
        row
    }

    fn merge(&mut self, later: Self) {
        let (own, other) = (&mut self.figures, later.figures);
        own.count += other.count;
        own.bytes += other.bytes;
        own.index_count += other.index_count;
        own.index_bytes += other.index_bytes;
        own.write_units += other.write_units;
        own.offload_count += other.offload_count;
        own.offload_bytes += other.offload_bytes;
        if later.rules.len() > self.rules.len() {
            self.rules.resize(later.rules.len(), RuleRow::default());
        }
        for (own, row) in self.rules.iter_mut().zip(later.rules) {
            if own.rule.is_empty() {
                own.rule = row.rule;
            }
            own.records += row.records;
            own.items += row.items;
            own.item_bytes += row.item_bytes;
        }
        self.sizes.merge(&later.sizes);
        self.largest.merge(later.largest);
        self.prefixes.merge(later.prefixes);
        self.partitions.merge(later.partitions);
    }
}

/// Compresses a sample of the text as a run would, and counts the files that a run would begin.
struct Sampler {
    writer: ImportWriter,
    /// What was written of the sample, before compression, as the encoder gave it.
    encoded: u64,
    batches: u64,
    max_bytes: u64,
    roll: Roll,
    url: String,
    /// The writer's work directory; removed with the sampler.
    _work: tempfile::TempDir,
}

/// The first so many bytes are compressed all, so that plans of small dumps are exact.
const SAMPLE_WHOLE_BYTES: u64 = 8 << 20;
/// Of what follows, one batch in so many.
const SAMPLE_EVERY: u64 = 32;
/// Bytes of text that the sample never exceeds by more than a batch.
const SAMPLE_MAX_BYTES: u64 = 64 << 20;

impl Sampler {
    fn new(import: &ImportOptions) -> Result<Self, Error> {
        // However many there are, a plan goes on and says so: the sample bounds their number.
        let import = import.clone().with_max_duplicates(usize::MAX);
        let work =
            tempfile::tempdir().map_err(|error| Error::work(&std::env::temp_dir(), error))?;
        // A folder in memory by the name of one that no other plan of this process has.
        let url = format!("memory:///plan{}", work.path().display());
        let writer = ImportWriter::create(&url, work.path(), import.clone());
        Ok(Self {
            writer: writer.map_err(Error::Target)?,
            encoded: 0,
            batches: 0,
            roll: Roll::new(&import),
            url,
            max_bytes: match import.compression {
                // Nothing to learn, and it would take its whole size in memory.
                Compression::None => SAMPLE_WHOLE_BYTES,
                _ => SAMPLE_MAX_BYTES,
            },
            _work: work,
        })
    }

    fn encoders(&self, jobs: NonZeroUsize) -> Mutex<Vec<Box<dyn ItemEncoder>>> {
        Mutex::new((0..jobs.get()).map(|_| self.writer.encoder()).collect())
    }

    fn take(&mut self, encoded: Encoded) -> Result<(), Error> {
        self.roll.take(&encoded);
        self.batches += 1;
        let bytes = encoded.bytes();
        let wanted = self.encoded < SAMPLE_WHOLE_BYTES
            || self.encoded < self.max_bytes && self.batches.is_multiple_of(SAMPLE_EVERY);
        if wanted && bytes > 0 {
            self.encoded += bytes;
            block_on(self.writer.write(encoded)).map_err(Error::Target)?;
        }
        Ok(())
    }

    /// The files, and how many records of the sample have the item key of an earlier one.
    fn finish(mut self, import: &ImportOptions) -> Result<(FileFigures, u64), Error> {
        let mark = block_on(self.writer.commit()).map_err(Error::Target)?;
        let receipt = block_on(Box::new(self.writer).finish(&[])).map_err(Error::Target)?;
        ImportWriter::clear(&self.url).map_err(Error::Target)?;
        let scaled = |bytes: u64, by: u64, of: u64| match of {
            0 => 0,
            of => (u128::from(bytes) * u128::from(by) / u128::from(of)) as u64,
        };
        // CSV is put together from cells by the writer, so its bytes are known by the sample too.
        let bytes = scaled(self.roll.bytes, mark.bytes(), self.encoded);
        let mut duplicates: Vec<Origin> =
            receipt.duplicates.iter().map(|duplicate| duplicate.second).collect();
        duplicates.dedup();
        let files = FileFigures {
            format: import.format.to_string(),
            compression: import.compression.to_string(),
            count: self.roll.files(),
            bytes,
            // What was removed as a duplicate was as easy to compress as the rest.
            stored_bytes: scaled(bytes, receipt.stored_bytes, receipt.bytes),
            sample_bytes: mark.bytes(),
            folder_per_database: false,
        };
        Ok((files, duplicates.len() as u64))
    }
}

/// Counts files as the writer of a run begins them: a file a lane, until one of them is full.
struct Roll {
    max_bytes: u64,
    max_items: u64,
    /// Bytes and items of the open files, one a lane.
    open: Vec<(u64, u64)>,
    open_bytes: u64,
    full: bool,
    complete: u64,
    bytes: u64,
}

/// Until so much text is open, the writer keeps it in one file.
const SPREAD_AFTER_BYTES: u64 = 1 << 20;

impl Roll {
    fn new(import: &ImportOptions) -> Self {
        Self {
            max_bytes: import.max_file_bytes,
            max_items: import.max_file_items,
            open: vec![(0, 0); import.lanes],
            open_bytes: 0,
            full: false,
            complete: 0,
            bytes: 0,
        }
    }

    fn take(&mut self, encoded: &Encoded) {
        let spread = self.open_bytes >= SPREAD_AFTER_BYTES;
        for entry in encoded.entries() {
            let lane = if spread { entry.lane as usize } else { 0 };
            if let Some((bytes, items)) = self.open.get_mut(lane) {
                *bytes += u64::from(entry.bytes);
                *items += 1;
                self.full |= *bytes >= self.max_bytes || *items >= self.max_items;
            }
        }
        self.open_bytes += encoded.bytes();
        self.bytes += encoded.bytes();
        if self.full {
            self.complete = self.files();
            self.open.fill((0, 0));
            self.open_bytes = 0;
            self.full = false;
        }
    }

    fn files(&self) -> u64 {
        self.complete + self.open.iter().filter(|(_, items)| *items > 0).count() as u64
    }
}

/// What was seen of the source so far.
struct Whole {
    counts: Counts,
    made: Items,
    /// What the pieces of a big record made, until it is known whether it is carried whole.
    pending: Option<Items>,
    losses: Losses,
    rejects: BTreeMap<String, Sample>,
    format_losses: BTreeMap<String, u64>,
    notes: BTreeMap<String, u64>,
    description: Option<String>,
    warnings: Vec<String>,
    sampler: Sampler,
    top: usize,
}

impl Whole {
    fn new(options: &PlanOptions, sampler: Sampler) -> Self {
        let mut made = Items::new(options.top);
        made.prefixes = Capped::new(MAX_KEYS);
        made.partitions = Capped::new(MAX_KEYS);
        Self {
            counts: Counts::default(),
            made,
            pending: None,
            losses: Losses::new(),
            rejects: BTreeMap::new(),
            format_losses: BTreeMap::new(),
            notes: BTreeMap::new(),
            description: None,
            warnings: Vec::new(),
            sampler,
            top: options.top,
        }
    }

    fn merge(&mut self, seen: Seen, batch: &Batch) -> Result<(), Error> {
        self.counts.merge(&seen.counts);
        self.made.merge(seen.made);
        for piece in seen.pieces {
            match piece {
                Piece::Made(items) => {
                    self.pending.get_or_insert_with(|| Items::new(self.top)).merge(*items);
                }
                Piece::Accepted => self.made.merge(self.pending.take().unwrap_or_default()),
                Piece::Void => self.pending = None,
            }
        }
        self.losses.merge(&seen.losses);
        for (reason, sample) in seen.rejects {
            self.rejects.entry(reason).or_default().merge(sample);
        }
        for (loss, _) in seen.encoded.losses() {
            count(&mut self.format_losses, loss.as_str(), 1);
        }
        self.sampler.take(seen.encoded)?;
        let remarks = batch.remarks();
        if remarks.description.is_some() {
            self.description.clone_from(&remarks.description);
        }
        report::note(remarks, &mut self.counts, &mut self.notes, &mut self.warnings);
        Ok(())
    }

    fn finish(
        self,
        options: &PlanOptions,
        source_bytes: Option<u64>,
        ended: Ended,
    ) -> Result<Plan, Error> {
        let Items { figures: items, sizes, largest, prefixes, partitions, rules } = self.made;
        let (files, sampled_duplicates) = self.sampler.finish(&options.import)?;
        let mut counts = self.counts;
        counts.items = items.count;
        let hottest = partitions.heaviest(1).first().map_or(0, |(_, sum)| {
            // Each item takes a unit at least.
            sum.count.max(sum.bytes.div_ceil(KB))
        });
        let load = Load {
            items: items.count,
            item_bytes: items.bytes,
            index_bytes: items.index_bytes,
            index_items: items.index_count,
            write_units: items.write_units,
            hottest_units: hottest,
            text_bytes: files.bytes,
        };
        let row = |key: String, sum: Sum| KeyRow {
            key,
            items: sum.count,
            bytes: sum.bytes,
            share: sum.count as f64 / items.count.max(1) as f64,
        };
        let begins = |(prefix, sum): (&[u8], Sum)| match prefix {
            [] => row("(no prefix)".to_owned(), sum),
            prefix => row(format!("{}*", shown(prefix)), sum),
        };
        let key_prefixes = prefixes.heaviest(options.top).into_iter().map(begins).collect();
        // One item alone heats nothing.
        let mut partitions = partitions.heaviest(options.top);
        partitions.retain(|(_, sum)| sum.count > 1);
        let oversize = self.rejects.get("oversize").cloned().unwrap_or_default();
        Ok(Plan {
            complete: ended == Ended::Complete,
            description: self.description,
            source_bytes,
            as_of: options.as_of.0,
            counts,
            rules: named(rules, &options.rules),
            items,
            sizes: sizes.buckets(SIZE_NAMES),
            largest: largest.into_sorted().iter().map(LargeItem::of).collect(),
            oversize,
            key_prefixes,
            partitions: partitions.into_iter().map(|(key, sum)| row(shown(key), sum)).collect(),
            losses: self.losses,
            format_losses: self.format_losses,
            rejects: self.rejects,
            notes: self.notes,
            warnings: self.warnings,
            files,
            sampled_duplicates,
            cost: Cost::of(&load, options.region.as_deref(), options.prices.as_ref()),
        })
    }
}

impl Default for Items {
    fn default() -> Self {
        Self::new(0)
    }
}

impl LargeItem {
    fn of(sized: &Sized) -> Self {
        Self {
            key: Key::new(sized.db, &sized.key),
            kind: sized.kind,
            bytes: sized.size,
            fits: sized.size <= limits::MAX_ITEM_BYTES as u64,
        }
    }
}

/// Calls the rules as the spec does, and leaves out those that map nothing.
fn named(rows: Vec<RuleRow>, names: &[String]) -> Vec<RuleRow> {
    let rows = rows.into_iter().enumerate().filter(|(_, row)| row.records > 0);
    rows.map(|(at, row)| match names.get(at) {
        Some(name) => RuleRow { rule: name.clone(), ..row },
        None => row,
    })
    .collect()
}

fn large(bytes: u64, head: &keystar_rdb::Head<'_>) -> Sized {
    let (db, kind) = (head.db, head.kind().name());
    Sized { size: bytes, other: 0, db, key: Blob::copied(&head.key), kind }
}

fn size_bucket(bytes: u64) -> usize {
    SIZE_BOUNDS.iter().take_while(|bound| bytes > **bound).count()
}

/// A unit for each KB begun.
fn write_units(bytes: u64) -> u64 {
    bytes.div_ceil(KB).max(1)
}

/// The bytes of the item's copy in the index; `None` if the item is not in it.
fn index_bytes(item: &Item<'_>, item_bytes: u64, table: &ItemTable, index: &Index) -> Option<u64> {
    let own =
        |name: &str| item.get(name).map(|value| name.len() as u64 + limits::value_size(value));
    let mut bytes = own(&index.key.partition.name)?;
    if let Some(sort) = &index.key.sort {
        bytes += own(&sort.name)?;
    }
    let is_key = |name: &str| index.key.attributes().any(|key| key.name == name);
    let table_keys = table.key.attributes().map(|key| key.name.as_str());
    let included = match &index.projection {
        Projection::All => return Some(item_bytes),
        Projection::KeysOnly => &[][..],
        Projection::Include(names) => names.as_slice(),
    };
    let mut counted: Vec<&str> = Vec::new();
    for name in table_keys.chain(included.iter().map(String::as_str)) {
        if !is_key(name) && !counted.contains(&name) {
            counted.push(name);
            bytes += own(name).unwrap_or(0);
        }
    }
    Some(bytes)
}

fn key_bytes<'i>(value: &'i AttributeValue<'_>) -> &'i [u8] {
    match value {
        AttributeValue::S(text) => text.as_bytes(),
        AttributeValue::N(number) => number.as_str().as_bytes(),
        AttributeValue::B(bytes) => bytes,
        _ => &[],
    }
}

/// A partition key up to and with its first separator, whichever it is.
fn prefix(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| b"#:/|".contains(byte));
    end.and_then(|end| key.get(..=end)).unwrap_or_default()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}

impl Plan {
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new("Plan of a migration from Redis to DynamoDB");
        document.about = self.about();
        self.figures(&mut document);
        document.alerts = self.alerts();
        document.section(
            outcome::records("What becomes of the records", &self.counts).with_remark(
                "Two records whose items have the same key are found by a run only: it rejects the \
             later one.",
            ),
        );
        document.section(outcome::losses(&self.losses, &self.format_losses));
        document.section(self.rejects_section());
        document.section(self.cost_section());
        document.section(self.time_section());
        document.section(self.files_section());
        document.section(self.rules_section());
        document.section(self.sizes_section());
        document.section(self.largest_section());
        document.section(self.keys_section());
        document.section(outcome::notes(&self.notes));
        document
    }

    fn about(&self) -> Vec<String> {
        let size = self.source_bytes.map(|bytes| format!("{} as stored", units::bytes(bytes)));
        let source: Vec<String> = self.description.iter().cloned().chain(size).collect();
        let mut about = Vec::new();
        if !source.is_empty() {
            about.push(source.join(", "));
        }
        about.push(format!("expiry as of {}", units::moment(self.as_of)));
        let prices = &self.cost.prices;
        about.push(match &self.cost.region {
            Some(region) if prices.iter().all(|price| price.example) => format!(
                "no price of {region} is listed: prices are those of {EXAMPLE_REGION}, as an example"
            ),
            Some(region) => format!("prices of {region}"),
            None => format!("no region named: prices are those of {EXAMPLE_REGION}, as an example"),
        });
        about
    }

    fn figures(&self, document: &mut Document) {
        let Self { counts, items, files, .. } = self;
        document.figure(
            "Records",
            units::count(counts.read),
            format!("{} become items", units::percent(counts.written, counts.read)),
        );
        document.figure(
            "Items",
            units::count(items.count),
            format!("{} on average", average(items.bytes, items.count)),
        );
        document.figure(
            "Files",
            units::count(files.count),
            format!("{}, {} of text", units::bytes(files.stored_bytes), units::bytes(files.bytes)),
        );
        for (name, title, hint) in [
            ("import", "Import from S3", "once"),
            ("write_on_demand", "Live writes", "once, on demand"),
            ("storage_month", "Storage", "a month"),
        ] {
            if let Some(price) = self.cost.price(name) {
                let example = if price.example { ", example" } else { "" };
                document.figure(title, units::dollars(price.dollars), format!("{hint}{example}"));
            }
        }
    }

    fn alerts(&self) -> Vec<String> {
        let mut alerts = Vec::new();
        if !self.complete {
            alerts.push("interrupted: this plan is of a part of the dump only".to_owned());
        }
        let rejected = self.counts.rejected();
        if rejected > 0 {
            alerts.push(format!(
                "{} cannot be carried: see Rejects",
                units::plural(rejected, "record")
            ));
        }
        let lossy = self.losses.iter().map(|(_, loss)| loss.records).max().unwrap_or(0);
        if lossy > 0 || !self.format_losses.is_empty() {
            alerts.push("some values are carried, but not exactly: see Losses".to_owned());
        }
        if self.sampled_duplicates > 0 {
            alerts.push(format!(
                "{} in the {} that were looked at have the item key of an earlier one: a run \
                 rejects them",
                units::plural(self.sampled_duplicates, "record"),
                units::bytes(self.files.sample_bytes),
            ));
        }
        if let Some(hottest) = self.partitions.first()
            && hottest.items > 1000
            && hottest.share > 0.1
        {
            alerts.push(format!(
                "{:.0}% of the items have the partition key {}: a partition takes 1,000 write \
                 units a second, and such an import is slow",
                hottest.share * 100.0,
                hottest.key,
            ));
        }
        if self.files.count > MAX_IMPORT_FILES {
            alerts.push(format!(
                "{} files, and an import takes {}: raise --max-file-bytes",
                units::count(self.files.count),
                units::count(MAX_IMPORT_FILES),
            ));
        }
        let wide = self.cost.region.as_deref().is_some_and(|own| WIDE_REGIONS.contains(&own));
        let most = if wide { 15 * MAX_IMPORT_BYTES } else { MAX_IMPORT_BYTES };
        if self.files.stored_bytes > most {
            alerts.push(format!(
                "{} of files, and an import takes {}: split the migration, or ask AWS for more",
                units::bytes(self.files.stored_bytes),
                units::bytes(most),
            ));
        }
        if self.counts.expired_kept > 0 {
            alerts.push(format!(
                "{} had expired and would be written all the same (expired = \"drop\" in a rule \
                 leaves them out)",
                units::plural(self.counts.expired_kept, "record"),
            ));
        }
        alerts.extend(self.warnings.iter().map(|warning| format!("the source: {warning}")));
        alerts
    }

    fn rejects_section(&self) -> Section {
        let mut table = Table::new([
            ("reason", Align::Left),
            ("records", Align::Right),
            ("first keys", Align::Left),
        ]);
        for (reason, sample) in &self.rejects {
            table.row([words(reason), units::count(sample.count), sample.keys()]);
        }
        Section::new("Rejects").with_table(table)
    }

    fn cost_section(&self) -> Section {
        let mut table = Table::new([
            ("price", Align::Left),
            ("dollars", Align::Right),
            ("quantity", Align::Right),
            ("of", Align::Left),
            ("at", Align::Right),
            ("region", Align::Left),
        ]);
        for price in &self.cost.prices {
            let example = if price.example { " (example)" } else { "" };
            table.row([
                price_title(price).to_owned(),
                units::dollars(price.dollars),
                quantity(price.quantity),
                price.unit.to_owned(),
                format!("${}", price.dollars_per_unit),
                format!("{}{example}, {}", price.priced_in, price.as_of),
            ]);
        }
        let ways = self.cost.prices.iter().filter(|price| price.name != "storage_month");
        let bars = ways.map(|price| {
            let cents = (price.dollars * 10_000.0).round() as u64;
            Bar::new(price_title(price), cents, units::dollars(price.dollars))
        });
        let mut section = Section::new("Price")
            .with_chart("Price of moving the data once", Form::Bars, bars.collect())
            .with_table(table);
        let examples = self.cost.prices.iter().filter(|price| price.example).count();
        if let Some(region) = &self.cost.region
            && (1..self.cost.prices.len()).contains(&examples)
        {
            section = section.with_remark(format!(
                "Not all prices of {region} are listed: where another region stands, its price is \
                 an example."
            ));
        }
        for price in &self.cost.prices {
            section = section.with_remark(format!("{}: {}.", price_title(price), price.assumption));
        }
        section
    }

    fn time_section(&self) -> Section {
        let mut table =
            Table::new([("way", Align::Left), ("from", Align::Right), ("to", Align::Right)]);
        let title = |duration: &Duration| match duration.name {
            "import" => "Import from S3",
            _ => "Live writes",
        };
        let mut section = Section::new("Time");
        for duration in &self.cost.durations {
            table.row([
                title(duration).to_owned(),
                units::duration(duration.seconds_min),
                units::duration(duration.seconds_max),
            ]);
            section = section.with_remark(format!("{}: {}.", title(duration), duration.assumption));
        }
        section.with_table(table)
    }

    fn files_section(&self) -> Section {
        let FileFigures { format, compression, count, bytes, stored_bytes, sample_bytes, .. } =
            &self.files;
        let mut table = Table::new([
            ("files", Align::Left),
            ("number", Align::Right),
            ("uncompressed", Align::Right),
            ("as stored", Align::Right),
            ("average file", Align::Right),
        ]);
        table.row([
            format!("{format}, {compression}"),
            units::count(*count),
            units::bytes(*bytes),
            units::bytes(*stored_bytes),
            units::bytes(stored_bytes / (*count).max(1)),
        ]);
        let mut section = Section::new("Files").with_table(table);
        if self.files.folder_per_database {
            section = section.with_remark(
                "Each database gets a folder of its own; the files are counted as if all shared one.",
            );
        }
        if self.items.offload_count > 0 {
            section = section.with_remark(format!(
                "Besides: {} beside the items, {}.",
                units::plural(self.items.offload_count, "value"),
                units::bytes(self.items.offload_bytes)
            ));
        }
        if sample_bytes == bytes {
            section.with_remark("Measured by writing all of it to memory.")
        } else {
            section.with_remark(format!(
                "The size as stored is estimated from {} of text that was really compressed.",
                units::bytes(*sample_bytes)
            ))
        }
    }

    fn rules_section(&self) -> Section {
        let mut table = Table::new([
            ("rule", Align::Left),
            ("records", Align::Right),
            ("items", Align::Right),
            ("share", Align::Right),
            ("bytes", Align::Right),
            ("average item", Align::Right),
        ]);
        for row in &self.rules {
            table.row([
                row.rule.clone(),
                units::count(row.records),
                units::count(row.items),
                units::percent(row.items, self.items.count),
                units::bytes(row.item_bytes),
                average(row.item_bytes, row.items),
            ]);
        }
        let bars =
            self.rules.iter().map(|row| Bar::new(&*row.rule, row.items, units::count(row.items)));
        let bars = if self.rules.len() > 1 { bars.collect() } else { Vec::new() };
        Section::new("Items by rule")
            .with_chart("Items by rule", Form::Bars, bars)
            .with_table(table)
    }

    fn sizes_section(&self) -> Section {
        let mut table = Table::new([
            ("item size", Align::Left),
            ("items", Align::Right),
            ("share", Align::Right),
            ("bytes", Align::Right),
        ]);
        let whole: u64 = self.sizes.iter().map(|bucket| bucket.count).sum();
        for bucket in self.sizes.iter().filter(|bucket| bucket.count > 0) {
            table.row([
                bucket.name.to_owned(),
                units::count(bucket.count),
                units::percent(bucket.count, whole),
                units::bytes(bucket.bytes),
            ]);
        }
        let bars = self.sizes.iter().map(|bucket| {
            let tone = if bucket.name == ">400 KB" { Tone::Bad } else { Tone::Plain };
            bucket.column().with_tone(tone)
        });
        let mut section = Section::new("Item sizes")
            .with_chart("Items by size", Form::Columns, bars.collect())
            .with_table(table)
            .with_remark("As DynamoDB counts them; 1 KB is 1,024 bytes, and costs one write unit.");
        if self.oversize.count > 0 {
            section = section.with_remark(format!(
                "{} with an item of more than 400 KB: {}. A rule can split them (oversize = \
                 \"split\") or put their values beside the items (\"offload\").",
                units::plural(self.oversize.count, "record"),
                self.oversize.keys(),
            ));
        }
        section
    }

    fn largest_section(&self) -> Section {
        let mut table = Table::new([
            ("record", Align::Left),
            ("type", Align::Left),
            ("item bytes", Align::Right),
            ("", Align::Left),
        ]);
        for item in &self.largest {
            let remark = if item.fits { "" } else { "too large" };
            let bytes = units::count(item.bytes);
            table.row([item.key.to_string(), item.kind.to_owned(), bytes, remark.to_owned()]);
        }
        Section::new("Largest items").with_table(table)
    }

    fn keys_section(&self) -> Section {
        let rows = |title: &'static str, rows: &[KeyRow]| {
            let mut table = Table::new([
                (title, Align::Left),
                ("items", Align::Right),
                ("share", Align::Right),
                ("bytes", Align::Right),
            ]);
            for row in rows {
                table.row([
                    row.key.clone(),
                    units::count(row.items),
                    units::percent(row.items, self.items.count),
                    units::bytes(row.bytes),
                ]);
            }
            table
        };
        let bars = self
            .key_prefixes
            .iter()
            .take(BARS)
            .map(|row| Bar::new(&*row.key, row.items, units::count(row.items)));
        Section::new("Partition keys")
            .with_chart("Items by the beginning of the partition key", Form::Bars, bars.collect())
            .with_table(rows("partition key begins", &self.key_prefixes))
            .with_table(rows("hottest partition key", &self.partitions))
    }
}

/// Bars of a chart, where the table below has more rows.
const BARS: usize = 12;
/// Objects that an import takes.
const MAX_IMPORT_FILES: u64 = 50_000;
/// Bytes that an import takes, as stored; fifteen times as many in some regions.
const MAX_IMPORT_BYTES: u64 = 1_000_000_000_000;
const WIDE_REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];

fn price_title(price: &Price) -> &'static str {
    match price.name {
        "import" => "Import from S3",
        "write_on_demand" => "Live writes, on demand",
        "write_provisioned" => "Live writes, provisioned",
        _ => "Storage, a month",
    }
}

fn average(bytes: u64, number: u64) -> String {
    format!("{} B", units::count(bytes.checked_div(number).unwrap_or(0)))
}

fn quantity(quantity: f64) -> String {
    match quantity {
        0.0 => "0".to_owned(),
        small if small < 0.001 => "<0.001".to_owned(),
        number if number < 1000.0 => format!("{number:.3}"),
        number => units::count(number as u64),
    }
}

#[cfg(test)]
mod tests {
    use keystar_extract::{MemorySource, RdbFile, RdbOptions};
    use keystar_item::{KeyAttribute, KeySchema, KeyType};
    use keystar_rdb::{Db, Field, Record, Scored, Value};

    use super::*;
    use crate::{MigrationOptions, MigrationSpec, Reach, migrate, page};

    const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop.rdb");
    const SHOP_MAPPING: &str = include_str!("../../../examples/shop.toml");
    const NOW: UnixMillis = UnixMillis(1_795_244_400_000);

    fn options(mapping: &Mapping) -> PlanOptions {
        let import = ImportOptions::new(mapping.table().clone());
        PlanOptions::new(import, NonZeroUsize::MIN, NOW)
    }

    fn planned(source: &mut dyn Source, mapping: Mapping, options: &PlanOptions) -> Plan {
        let plan = plan(source, mapping, options, &Interrupt::new(), &Progress::default()).unwrap();
        assert!(plan.complete);
        assert!(plan.counts.add_up(), "{:?}", plan.counts);
        assert_eq!(plan.counts.items, plan.items.count);
        assert_eq!(plan.rules.iter().map(|row| row.items).sum::<u64>(), plan.items.count);
        assert_eq!(plan.rules.iter().map(|row| row.item_bytes).sum::<u64>(), plan.items.bytes);
        assert_eq!(plan.rules.iter().map(|row| row.records).sum::<u64>(), plan.counts.written);
        let rejects: BTreeMap<_, _> =
            plan.rejects.iter().map(|(reason, sample)| (reason.clone(), sample.count)).collect();
        assert_eq!(rejects, plan.counts.rejected);
        page::tests::assert_well_formed(&page::plan(&plan));
        plan
    }

    fn shop(max_value_bytes: usize, options: impl FnOnce(PlanOptions) -> PlanOptions) -> Plan {
        let mapping = Mapping::from_toml(SHOP_MAPPING).unwrap();
        let spec = MappingSpec::from_toml(SHOP_MAPPING).unwrap();
        let options = options(self::options(&mapping).with_spec(&spec));
        let rdb = RdbOptions::default().with_max_value_bytes(max_value_bytes);
        planned(&mut RdbFile::open(SHOP, rdb).unwrap(), mapping, &options)
    }

    #[test]
    fn the_shop_reads_well() {
        let plan = shop(1 << 20, |options| options.with_region(Some("us-east-1".to_owned())));
        insta::assert_snapshot!(plan);
    }

    #[test]
    fn a_region_without_prices_is_told() {
        let about = |region: &str| {
            shop(1 << 20, |options| options.with_region(Some(region.to_owned()))).to_string()
        };
        assert!(about("mars-north-1").contains("no price of mars-north-1 is listed"));
        let text = about("eu-central-1");
        assert!(text.contains("prices of eu-central-1\n"), "{text}");
        assert!(text.contains("Not all prices of eu-central-1 are listed"), "{text}");
        assert!(text.contains("us-east-1 (example)"), "{text}");
    }

    #[test]
    fn a_plan_is_what_a_run_does() {
        let folder = tempfile::tempdir().unwrap();
        let spec = MigrationSpec::new(SHOP, folder.path().to_str().unwrap(), &Reach::default())
            .unwrap()
            .with_mapping(Some(SHOP_MAPPING.to_owned()), None);
        let mapping = Mapping::from_toml(SHOP_MAPPING).unwrap();
        let import = spec.import_options(&mapping, NOW).unwrap();
        let plan = shop(1 << 20, |options| PlanOptions { import, ..options });
        let options = MigrationOptions::new(NonZeroUsize::MIN, NOW);
        let report = migrate(&spec, &options, &Interrupt::new(), &Progress::default()).unwrap();
        assert_eq!(plan.counts, report.counts);
        assert_eq!(plan.losses, report.losses);
        assert_eq!(plan.notes, report.notes);
        assert_eq!(plan.files.count, report.files);
        assert_eq!(plan.files.bytes, report.bytes);
        assert_eq!(plan.files.stored_bytes, report.stored_bytes, "all of it was compressed");
        page::tests::assert_well_formed(&page::report(&report));
    }

    #[test]
    fn values_in_pieces_make_the_same_plan() {
        let whole = shop(1 << 20, |options| options);
        for max_value_bytes in [0, 16, 64] {
            let pieces = shop(max_value_bytes, |options| options);
            assert_eq!(pieces.counts, whole.counts, "pieces of {max_value_bytes} bytes");
            assert_eq!(pieces.items, whole.items);
            assert_eq!(pieces.rules, whole.rules);
            assert_eq!(pieces.losses, whole.losses);
        }
    }

    /// Records of every fate.
    fn varied() -> Vec<Record<'static>> {
        let text = |key: String, value: Vec<u8>| {
            Record::new(Db(0), key.into(), Value::String(value.into()))
        };
        let mut records: Vec<Record<'static>> = (0..3000)
            .map(|number| text(format!("user:{number}"), vec![b'x'; number * 7 % 5000]))
            .collect();
        records.push(text("big".to_owned(), vec![b'x'; 500_000]));
        records.push(text("old".to_owned(), b"gone".to_vec()).with_expires_at(UnixMillis(1)));
        let scored = vec![Scored::new("ann".into(), f64::INFINITY)];
        records.push(Record::new(Db(1), "board<&>".into(), Value::SortedSet(scored)));
        let fields = (0..50).map(|n| Field::new(format!("f{n}").into(), "1".into())).collect();
        records.push(Record::new(Db(0), "cart:1".into(), Value::Hash(fields)));
        records.push(text("skip:1".to_owned(), Vec::new()));
        records.push(text("huge:1".to_owned(), vec![b'x'; 600_000]));
        records
    }

    const VARIED: &str = r#"
        [table]
        key.partition = { name = "pk" }
        key.sort = { name = "sk" }
        [[table.indexes]]
        name = "by-kind"
        key.partition = { name = "kind" }
        projection = "keys-only"
        [defaults]
        sk = "VALUE"
        expired = "drop"
        oversize = "reject"
        [[rule]]
        keys = "cart:{id}"
        layout = "collection"
        pk = "CART"
        sk = "{id}#"
        attributes = { kind = "cart" }
        [[rule]]
        keys = "skip:*"
        skip = true
        [[rule]]
        keys = "huge:*"
        sk = "VALUE"
        oversize = "offload"
    "#;

    #[test]
    fn every_fate_is_told() {
        let mapping = Mapping::from_toml(VARIED).unwrap();
        let options = options(&mapping).with_top(3);
        let plan = planned(&mut MemorySource::new(varied()), mapping, &options);
        let counts = &plan.counts;
        assert_eq!((counts.read, counts.written, counts.expired), (3006, 3003, 1));
        assert_eq!(counts.filtered["skipped_by_rule"], 1);
        assert_eq!(counts.rejected["oversize"], 1);
        assert_eq!(plan.oversize.first[0].key, "big");
        assert_eq!(plan.items.count, 3052);
        assert_eq!((plan.items.offload_count, plan.items.offload_bytes), (1, 600_000));
        assert_eq!((plan.items.index_count, plan.items.write_units > 3101), (50, true));
        // kind=cart, pk=CART, sk: 4+4 + 2+4 + 2+(1#f…) bytes each.
        assert!((1000..1400).contains(&plan.items.index_bytes), "{}", plan.items.index_bytes);
        assert_eq!(plan.partitions.len(), 1);
        assert_eq!((plan.partitions[0].key.as_str(), plan.partitions[0].items), ("CART", 50));
        assert_eq!(plan.key_prefixes[0].key, "user:*");
        assert_eq!(plan.largest.len(), 3);
        let histogram: u64 = plan.sizes.iter().map(|bucket| bucket.count).sum();
        let too_large = plan.sizes.last().unwrap().count;
        assert_eq!(histogram - too_large, plan.items.count);
        let loss = plan.losses.get(keystar_mapping::LossKind::InfiniteScore).unwrap();
        assert_eq!(loss.records, 1);
        let text = plan.to_string();
        assert!(text.contains("1 record cannot be carried"), "{text}");
        let page = page::plan(&plan);
        assert!(page.contains("board&lt;&amp;&gt;"), "keys are escaped");
    }

    #[test]
    fn threads_and_batches_change_nothing() {
        let json = |jobs: usize, batch_records: usize| {
            let mapping = Mapping::from_toml(VARIED).unwrap();
            let mut options = options(&mapping);
            options.jobs = NonZeroUsize::new(jobs).unwrap();
            let mut source = MemorySource::new(varied()).with_batch_records(batch_records);
            serde_json::to_value(planned(&mut source, mapping, &options)).unwrap()
        };
        let one = json(1, 100);
        assert_eq!(json(3, 100), one);
        let mut other = json(2, 7);
        // Which file an item is in depends on the batches; the compressed size with it.
        other["files"]["stored_bytes"] = one["files"]["stored_bytes"].clone();
        assert_eq!(other, one);
    }

    #[test]
    fn files_are_counted_as_the_writer_begins_them() {
        let key = KeySchema::new(KeyAttribute::new("key", KeyType::S));
        for (max_bytes, max_items) in [(150_000, 1_000_000), (1 << 30, 900), (1 << 30, 1 << 30)] {
            let import = ImportOptions::new(ItemTable::new(key.clone()))
                .with_lanes(4)
                .with_max_file(max_bytes, max_items);
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out");
            let work = folder.path().join("work");
            let mut writer =
                ImportWriter::create(out.to_str().unwrap(), &work, import.clone()).unwrap();
            let mut encoder = writer.encoder();
            let mut roll = Roll::new(&import);
            for batch in 0..100_u64 {
                for number in 0..100_u64 {
                    let mut item = Item::new();
                    item.push("key", format!("{batch}:{number}"));
                    item.push("value", "x".repeat(200));
                    encoder.push(&item, Origin(batch * 100 + number)).unwrap();
                }
                let encoded = encoder.take();
                roll.take(&encoded);
                block_on(writer.write(encoded)).unwrap();
                if writer.wants_commit() {
                    block_on(writer.commit()).unwrap();
                }
            }
            let receipt = block_on(Box::new(writer).finish(&[])).unwrap();
            assert_eq!(roll.files(), receipt.files.len() as u64, "{max_bytes}, {max_items}");
            assert_eq!(roll.bytes, receipt.bytes);
        }
    }

    #[test]
    fn duplicates_in_the_sample_are_told() {
        let record = |key: String| Record::new(Db(0), key.into(), Value::String("x".into()));
        let records = (0..50).map(|number| record(format!("a:1:{number}"))).collect();
        let text = "[[rule]]\nkeys = \"a:{id}:{version}\"\npk = \"A#{id}\"";
        let mapping = Mapping::from_toml(text).unwrap();
        let options = options(&mapping);
        let plan = planned(&mut MemorySource::new(records), mapping, &options);
        assert_eq!((plan.counts.written, plan.sampled_duplicates), (50, 49));
        assert!(plan.to_string().contains("49 records in the"), "{plan}");
        // One of the 50 lines is left in the sample, and all of them count.
        let line = br#"{"Item":{"key":{"S":"A#1"},"value":{"S":"x"}}}"#.len() as u64 + 1;
        assert_eq!(plan.files.bytes, 50 * line);
    }

    /// Dumps of other servers and other readers' tests, whole and broken.
    #[test]
    fn whatever_a_dump_is_its_plan_adds_up() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/rdb");
        let (mut folders, mut planned_dumps) = (vec![std::path::PathBuf::from(root)], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rdb") {
                    let mut source = RdbFile::open(&path, RdbOptions::default()).unwrap();
                    let (mapping, interrupt) = (Mapping::default(), Interrupt::new());
                    let (options, progress) = (options(&mapping), Progress::default());
                    let result = plan(&mut source, mapping, &options, &interrupt, &progress);
                    if let Ok(plan) = result {
                        assert!(plan.counts.add_up(), "{}", path.display());
                        page::tests::assert_well_formed(&page::plan(&plan));
                        planned_dumps += 1;
                    }
                }
            }
        }
        assert!(planned_dumps > 50, "only {planned_dumps} dumps were planned");
    }

    #[test]
    fn an_interrupted_plan_says_so() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let mapping = Mapping::default();
        let options = options(&mapping);
        let mut source = MemorySource::new(varied());
        let plan = plan(&mut source, mapping, &options, &interrupt, &Progress::default()).unwrap();
        assert!(!plan.complete);
        assert!(plan.to_string().contains("interrupted: this plan is of a part"));
    }
}
