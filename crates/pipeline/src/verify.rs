//! Reads the files of a run back and compares them with the dump, record by record.
//!
//! Both sides are read once, in whatever order they come. What each has under a key is added up to
//! a fingerprint; the ledger brings the fingerprints together. The files' side goes through the
//! reverse mapping, so that what is compared with a record is what its items say, not what they
//! were made by. Where the mapping reports a loss, a record cannot come back as it was: then it is
//! what the reverse mapping makes of the record's own items that the files are compared with.

#[cfg(feature = "live")]
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Debug,
    num::NonZeroUsize,
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::Instant,
};

use keystar_extract::{Batch, Source};
use keystar_item::{Item, Table};
use keystar_mapping::{Mapping, Pointer, Unmapped};
use keystar_rdb::{Kind, UnixMillis};
use keystar_transfer::ImportReader;
#[cfg(feature = "live")]
use keystar_transfer::TableItems;
#[cfg(feature = "live")]
use xxhash_rust::xxh3::xxh3_64;

#[cfg(feature = "live")]
use crate::{
    repair::{self, Repair},
    verification::Repaired,
};

use crate::{
    Error, Held, Interrupt, Progress, Verification,
    conveyor::{Ended, Work, convey},
    damage::{self, in_file},
    fingerprint::Fingerprint,
    ledger::{Entry, How, Ledger, Outcome, Side, Unit, file_and_line, line},
    mapper::{self, Fate, Mapper, Pieces, Verdict},
    names::Names,
    rejects::escape,
    report::count,
    reverse::{Beside, Meaning, Reverse, Reversed, assemble, item_key, read_beside, text},
    tally::Key,
    units,
    verification::{Finding, Firsts},
};

/// What is compared with what.
///
/// ```no_run
/// use keystar_extract::{RdbFile, RdbOptions};
/// use keystar_mapping::Mapping;
/// use keystar_pipeline::{Interrupt, Progress, VerifyOptions, verify};
/// use keystar_transfer::ImportReader;
///
/// let open = || Ok(Box::new(RdbFile::open("dump.rdb", RdbOptions::default())?) as Box<_>);
/// let (reader, mapping) = (ImportReader::open("out")?, Mapping::default());
/// let options = VerifyOptions::new(&open, &reader, &mapping, std::env::temp_dir());
/// let found = verify(&options, &Interrupt::new(), &Progress::default())?;
/// assert!(found.ok(), "{found}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct VerifyOptions<'a> {
    /// Opens the dump, with the filter of the run. Called once, and once more to name keys.
    pub open: &'a OpenSource<'a>,
    /// The files, or the table.
    pub held: Held<'a>,
    /// The mapping of the run, with its clock and its salt.
    pub mapping: &'a Mapping,
    /// The offsets of the records that the run set aside, ascending.
    pub rejected: Vec<u64>,
    /// A folder for what memory does not hold, about 50 bytes for each record and each item. The
    /// files in it have no names and vanish by themselves.
    pub folder: PathBuf,
    /// How much of it memory holds, in bytes.
    pub max_bytes: usize,
    /// Whether the offsets of the source's records grow, as in a dump.
    pub ordered: bool,
    /// What of a table is put right.
    #[cfg(feature = "live")]
    pub repair: Repair,
    /// Worker threads.
    pub jobs: NonZeroUsize,
}

/// Opens the dump.
pub type OpenSource<'a> = dyn Fn() -> Result<Box<dyn Source>, keystar_extract::Error> + Sync + 'a;

impl<'a> VerifyOptions<'a> {
    /// One thread, 16 MiB, and no record set aside.
    pub fn new(
        open: &'a OpenSource<'a>,
        held: impl Into<Held<'a>>,
        mapping: &'a Mapping,
        folder: impl Into<PathBuf>,
    ) -> Self {
        Self {
            open,
            held: held.into(),
            mapping,
            rejected: Vec::new(),
            folder: folder.into(),
            max_bytes: 16 << 20,
            ordered: true,
            #[cfg(feature = "live")]
            repair: Repair::Nothing,
            jobs: NonZeroUsize::MIN,
        }
    }

    /// Sets the offsets of the records that the run set aside, in any order.
    #[must_use]
    pub fn with_rejected(mut self, offsets: impl IntoIterator<Item = u64>) -> Self {
        self.rejected = offsets.into_iter().collect();
        self.rejected.sort_unstable();
        self.rejected.dedup();
        self
    }

    /// Sets how many bytes memory holds of what is compared.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Whether the offsets of the source's records grow, as in a dump; a live server's do not.
    #[must_use]
    pub fn with_ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// Sets what of a table is put right.
    #[cfg(feature = "live")]
    #[must_use]
    pub fn with_repair(mut self, repair: Repair) -> Self {
        self.repair = repair;
        self
    }

    /// Sets the number of worker threads.
    #[must_use]
    pub fn with_jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.jobs = jobs;
        self
    }
}

impl Debug for VerifyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyOptions")
            .field("held", &self.held)
            .field("rejected", &self.rejected.len())
            .field("folder", &self.folder)
            .field("max_bytes", &self.max_bytes)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// Compares the files of a run with its dump.
///
/// Memory is bounded whatever the size of either, except for 8 bytes for each rejected record.
/// From CSV no record can be read back: there, what the columns say is compared, as text.
///
/// Differences are no errors: they are the result, as are files and lines that cannot be
/// understood. When interrupted, the result is incomplete, and not [`ok`](Verification::ok).
///
/// # Errors
///
/// The dump or the files cannot be read, or the folder cannot be used.
pub fn verify(
    options: &VerifyOptions<'_>,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Verification, Error> {
    let begun = Instant::now();
    let mut verifier = Verifier::new(options);
    let ended = match verifier.read_dump(interrupt, progress)? {
        Ended::Complete => verifier.read_held(interrupt, progress)?,
        interrupted => interrupted,
    };
    let mut found = match ended {
        Ended::Complete => verifier.compare()?,
        Ended::Interrupted => verifier.found,
    };
    found.seconds = begun.elapsed().as_secs_f64();
    Ok(found)
}

struct Verifier<'v> {
    options: &'v VerifyOptions<'v>,
    sides: Sides,
    reverse: Reverse<'v>,
    ledger: Ledger,
    found: Verification,
    missing: Firsts<Missing>,
    damaged: Firsts<Finding>,
    /// Which of the rejected records the dump has.
    known: Vec<bool>,
    /// The record that comes in parts.
    big: Option<Big>,
}

/// What the dump has and the files have not.
enum Missing {
    Unit(Unit),
    /// It can be no items, and the run does not say so.
    Refused(Finding),
}

/// What is compared of a record that comes in parts.
struct Big {
    /// As the record is.
    entry: Entry,
    /// As the reverse mapping has it.
    reversed: Reversed,
    losses: BTreeSet<&'static str>,
}

impl<'v> Verifier<'v> {
    fn new(options: &'v VerifyOptions<'v>) -> Self {
        let sides = Sides::of(options);
        Self {
            options,
            sides,
            reverse: Reverse::new(options.mapping, options.held.format()),
            ledger: Ledger::new(&options.folder, options.max_bytes),
            found: sides.verification(),
            missing: Firsts::default(),
            damaged: Firsts::default(),
            known: vec![false; options.rejected.len()],
            big: None,
        }
    }

    fn read_dump(&mut self, interrupt: &Interrupt, progress: &Progress) -> Result<Ended, Error> {
        let options = self.options;
        let mut source = (options.open)().map_err(Error::Source)?;
        let stored = options.held.stored_bytes();
        progress.start_source(source.as_ref());
        progress.start(source.total_bytes().map(|bytes| bytes + stored));
        let work = DumpSide {
            mapper: Mapper::new(options.mapping),
            reverse: self.reverse,
            rejected: &options.rejected,
            sides: self.sides,
            is_table: self.sides.held == "table",
        };
        let mut records = 0;
        convey(source.as_mut(), options.jobs, interrupt, &work, |read, batch| {
            records += read.records.iter().sum::<u64>();
            self.take(read, batch)?;
            progress.reach(batch.source_bytes(), records);
            Ok(())
        })
    }

    fn take(&mut self, read: ReadBatch, batch: &Batch) -> Result<(), Error> {
        for entry in &read.entries {
            self.ledger.push(Side::Dump, entry)?;
        }
        for part in read.parts {
            self.take_part(part)?;
        }
        for offset in read.rejected {
            if let Ok(at) = self.options.rejected.binary_search(&offset) {
                self.found.rejected += 1;
                self.known[at] = true;
            }
        }
        for (offset, finding) in read.refused {
            self.big = self.big.take().filter(|big| big.entry.place != offset);
            self.missing.push(offset, Missing::Refused(finding));
        }
        for (kind, records) in Kind::ALL.iter().zip(read.records) {
            if records > 0 {
                count(&mut self.found.records, kind.name(), records);
            }
        }
        for (prefix, records) in read.prefixes {
            let prefixes = &mut self.found.prefixes;
            let name = format!("{}:*", escape(&prefix));
            let known =
                !prefix.is_empty() && (prefixes.len() < PREFIXES || prefixes.contains_key(&name));
            count(prefixes, if known { &name } else { OTHERS }, records);
        }
        for (reason, records) in read.filtered {
            count(&mut self.found.filtered, reason, records);
        }
        for (kind, records) in read.losses {
            count(&mut self.found.losses, kind, records);
        }
        self.found.expired += read.expired;
        self.found.compared_forward += read.compared_forward;
        let remarks = batch.remarks();
        for (reason, records) in &remarks.skipped {
            count(&mut self.found.filtered, reason, *records);
        }
        self.found.warnings.extend(remarks.warnings.iter().cloned());
        Ok(())
    }

    fn take_part(&mut self, part: ReadPart) -> Result<(), Error> {
        let ReadPart { entry, reversed, losses, last } = part;
        let mut big = match self.big.take() {
            Some(mut big) if big.entry.place == entry.place => {
                big.entry.join(&entry);
                big
            }
            _ => Big { entry, reversed: Reversed::default(), losses: BTreeSet::new() },
        };
        big.losses.extend(losses);
        for entry in reversed.entries {
            match entry.unit {
                // Too many to hold until it is known whether they count. If they do not, the record
                // as it is will not be found in the files: the mapping promised to read it back.
                Unit::Item => self.ledger.push(Side::Dump, &entry)?,
                Unit::Record(_) => big.reversed.push(entry),
            }
        }
        big.reversed.text.extend(reversed.text);
        big.reversed.beside |= reversed.beside;
        big.reversed.by_items |= reversed.by_items;
        if !last {
            self.big = Some(big);
            return Ok(());
        }
        for kind in &big.losses {
            count(&mut self.found.losses, kind, 1);
        }
        let offset = big.entry.place;
        let is_exact = self.reverse.reads_records() && big.losses.is_empty();
        match choose(big.entry, is_exact, big.reversed) {
            Choice::Compare(entries, by_items) => {
                self.found.compared_forward += u64::from(by_items);
                entries.iter().try_for_each(|entry| self.ledger.push(Side::Dump, entry))
            }
            Choice::Refuse => {
                let finding = Finding::new("", self.sides.place(offset), NOT_THE_RECORD);
                self.missing.push(offset, Missing::Refused(finding));
                Ok(())
            }
        }
    }
}

const NOT_THE_RECORD: &str = "its own items do not read back as the record";

/// By what a record is compared.
enum Choice {
    /// By these, some of which may be items.
    Compare(Vec<Entry>, bool),
    /// By nothing: what it was mapped to does not stand for it.
    Refuse,
}

/// Chooses by what a record is compared: as it is, where the mapping can give it back exactly.
fn choose(as_it_is: Entry, is_exact: bool, reversed: Reversed) -> Choice {
    let Reversed { entries, text, beside, by_items } = reversed;
    let is_text = as_it_is.unit == Unit::Record(Kind::String);
    if !is_exact {
        // The bytes of a string beside its item are not read through the mapping.
        return match beside && is_text && !by_items {
            true => Choice::Compare(vec![as_it_is], false),
            false => Choice::Compare(entries, by_items),
        };
    }
    if text.is_empty() {
        return Choice::Compare(vec![as_it_is], false);
    }
    // Its text is compared piece by piece, as items; so here it must be shown that the pieces are
    // the record.
    let Some(value) = assemble(text) else { return Choice::Refuse };
    let mut sum = Entry { fingerprint: Fingerprint::of(&value, 0), ..as_it_is };
    for entry in entries.iter().filter(|entry| entry.unit != Unit::Item) {
        sum.join(entry);
    }
    match sum.fingerprint == as_it_is.fingerprint {
        true => Choice::Compare(entries, true),
        false => Choice::Refuse,
    }
}

/// What the workers do with the dump.
struct DumpSide<'v> {
    mapper: Mapper<'v>,
    reverse: Reverse<'v>,
    rejected: &'v [u64],
    sides: Sides,
    is_table: bool,
}

/// What comes of a batch of the dump.
#[derive(Default)]
struct ReadBatch {
    entries: Vec<Entry>,
    parts: Vec<ReadPart>,
    /// Offsets of records that the run set aside.
    rejected: Vec<u64>,
    /// Records that can be no items, and that the run did not set aside.
    refused: Vec<(u64, Finding)>,
    records: [u64; Kind::ALL.len()],
    prefixes: BTreeMap<Vec<u8>, u64>,
    filtered: BTreeMap<&'static str, u64>,
    losses: BTreeMap<&'static str, u64>,
    expired: u64,
    compared_forward: u64,
}

/// A piece of a record that comes in parts.
struct ReadPart {
    entry: Entry,
    reversed: Reversed,
    losses: Vec<&'static str>,
    last: bool,
}

impl Work for DumpSide<'_> {
    type Bench = ();
    type Output = ReadBatch;

    fn bench(&self) {}

    fn work(&self, (): &mut (), batch: &Batch) -> ReadBatch {
        let mut read = ReadBatch::default();
        self.mapper.map_batch(batch, |fate: Fate<'_>| {
            self.settle(fate, &mut read);
            Verdict::Ok(())
        });
        read
    }
}

impl DumpSide<'_> {
    fn settle(&self, fate: Fate<'_>, read: &mut ReadBatch) {
        match fate {
            Fate::Filtered(reason) => *read.filtered.entry(reason).or_default() += 1,
            Fate::Expired => read.expired += 1,
            Fate::Rejected { rejected, .. } => {
                let offset = rejected.offset.unwrap_or_default();
                if self.is_rejected(offset) {
                    read.rejected.push(offset);
                    return;
                }
                let key = match rejected.db {
                    0 => rejected.key,
                    db => format!("{} (db {db})", rejected.key),
                };
                let detail =
                    format!("cannot be carried, and the run does not say so: {}", rejected.detail);
                let finding = Finding::new(key, self.sides.place(offset), detail);
                read.refused.push((offset, finding));
            }
            Fate::Mapped(pieces) if self.is_rejected(pieces.head.offset) => {
                if pieces.last {
                    read.rejected.push(pieces.head.offset);
                }
            }
            // A table lets go of it whenever it likes.
            Fate::Mapped(pieces) if self.is_table && self.is_expired(pieces.head.expires_at) => {
                read.expired += u64::from(pieces.last);
            }
            Fate::Mapped(pieces) => self.compare(&pieces, read),
        }
    }

    fn is_expired(&self, expires_at: Option<UnixMillis>) -> bool {
        self.reverse.mapping().is_expired(expires_at)
    }

    fn is_rejected(&self, offset: u64) -> bool {
        self.rejected.binary_search(&offset).is_ok()
    }

    fn compare(&self, pieces: &Pieces<'_>, read: &mut ReadBatch) {
        let head = pieces.head;
        let (value, start) = match pieces.record {
            mapper::Source::Record(record) => (&record.value, None),
            mapper::Source::Part(part) => (&part.value, Some(part.start)),
        };
        let kind = head.kind();
        if pieces.last {
            let at = Kind::ALL.iter().position(|known| *known == kind);
            if let Some(records) = at.and_then(|at| read.records.get_mut(at)) {
                *records += 1;
            }
            count_prefix(&mut read.prefixes, &head.key);
        }
        let losses = pieces.mapped.losses.iter().map(|loss| loss.kind.name());
        let as_it_is = Entry {
            unit: Unit::Record(kind),
            name: self.reverse.name(head.db, &head.key),
            fingerprint: Fingerprint::of(value, start.unwrap_or(0)),
            expires_at: head.expires_at,
            place: head.offset,
        };
        if start.is_some() {
            read.parts.push(ReadPart {
                entry: as_it_is,
                reversed: self.reverse.reverse(pieces.mapped, head.offset),
                losses: losses.collect(),
                last: pieces.last,
            });
            return;
        }
        let is_exact = self.reverse.reads_records() && pieces.mapped.losses.is_empty();
        if is_exact && (pieces.mapped.items.len() == 1 || !has_text(kind)) {
            read.entries.push(as_it_is);
            return;
        }
        for kind in losses {
            *read.losses.entry(kind).or_default() += 1;
        }
        let reversed = self.reverse.reverse(pieces.mapped, head.offset);
        match choose(as_it_is, is_exact, reversed) {
            Choice::Compare(entries, by_items) => {
                read.compared_forward += u64::from(by_items);
                read.entries.extend(entries);
            }
            Choice::Refuse => {
                let key = Key::new(head.db, &head.key).to_string();
                let finding = Finding::new(key, self.sides.place(head.offset), NOT_THE_RECORD);
                read.refused.push((head.offset, finding));
            }
        }
    }
}

/// Prefixes that are counted by themselves.
const PREFIXES: usize = 100;
/// What the keys without a prefix, and those of further prefixes, are counted as.
const OTHERS: &str = "(others)";

/// Counts a key by what stands before its first colon; an empty prefix stands for none, or for one
/// too many.
fn count_prefix(prefixes: &mut BTreeMap<Vec<u8>, u64>, key: &[u8]) {
    let prefix = match key.iter().position(|byte| *byte == b':') {
        Some(end) => key.get(..end).unwrap_or_default(),
        None => &[],
    };
    let full = prefixes.len() >= PREFIXES && !prefixes.contains_key(prefix);
    let prefix = if full { &[][..] } else { prefix };
    // A prefix is allocated once, not once a key.
    match prefixes.get_mut(prefix) {
        Some(records) => *records += 1,
        None => drop(prefixes.insert(prefix.to_vec(), 1)),
    }
}

/// Whether such a value, where it takes several items, may be cut as text.
fn has_text(kind: Kind) -> bool {
    matches!(kind, Kind::Json | Kind::Module | Kind::Stream | Kind::Array)
}

impl Verifier<'_> {
    fn read_held(&mut self, interrupt: &Interrupt, progress: &Progress) -> Result<Ended, Error> {
        match self.options.held {
            Held::Files(reader) => {
                let readers = reader.split(self.options.jobs.get());
                let files: HashMap<&str, usize> =
                    reader.files().iter().map(|file| file.name.as_str()).zip(0..).collect();
                self.found.files = files.len() as u64;
                self.found.has_manifest = reader.manifest().is_some();
                let files = &files;
                let read = |side: HeldSide<'_>, reader| FileSide { side, files }.read(reader);
                self.read_with(readers, interrupt, progress, read)
            }
            #[cfg(feature = "live")]
            Held::Table(table) => {
                let scan = Mutex::new(table.scan()?);
                let threads = vec![&scan; self.options.jobs.get()];
                let read = |side: HeldSide<'_>, scan| side.read_table(scan);
                self.read_with(threads, interrupt, progress, read)
            }
        }
    }

    /// Reads shares of what is held, each on a thread.
    fn read_with<T: Send>(
        &mut self,
        shares: Vec<T>,
        interrupt: &Interrupt,
        progress: &Progress,
        read: impl Fn(HeldSide<'_>, T) -> Result<Ended, Error> + Sync,
    ) -> Result<Ended, Error> {
        let (options, reverse) = (self.options, self.reverse);
        let (send, receive) = sync_channel(shares.len() * 2);
        let read = &read;
        thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| {
                    let side = HeldSide { options, reverse, interrupt, send: send.clone() };
                    scope.spawn(move || read(side, share))
                })
                .collect();
            drop(send);
            let mut taken = Ok(());
            for lines in &receive {
                taken = self.take_lines(lines, progress);
                if taken.is_err() {
                    break;
                }
            }
            // Threads that find nobody listening end.
            drop(receive);
            let mut ended = Ended::Complete;
            for thread in threads {
                match thread.join() {
                    Ok(Ok(Ended::Complete)) => {}
                    Ok(Ok(interrupted)) => ended = interrupted,
                    Ok(Err(error)) => taken = taken.and(Err(error)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            taken.map(|()| ended)
        })
    }

    fn take_lines(&mut self, read: ReadLines, progress: &Progress) -> Result<(), Error> {
        for entry in &read.entries {
            self.ledger.push(Side::Files, entry)?;
        }
        for (place, finding) in read.damaged {
            self.damaged.push(place, finding);
        }
        self.found.items += read.items;
        progress.reach(progress.source_bytes() + read.stored_bytes, progress.records());
        Ok(())
    }

    /// Compares what both sides have, and names what differs.
    fn compare(self) -> Result<Verification, Error> {
        let Self { options, sides, ledger, mut found, mut missing, damaged, known, .. } = self;
        let Sides { source, held, .. } = sides;
        let (mut extra, mut different) = (Firsts::default(), Firsts::default());
        let mut wrong = Wrong::default();
        let mut comparison = ledger.compare()?;
        while let Some(outcome) = comparison.next()? {
            match outcome {
                Outcome::Same(Unit::Record(_)) => found.same += 1,
                Outcome::Same(Unit::Item) => found.same_items += 1,
                Outcome::Missing { unit, offset } => {
                    wrong.record(options, offset);
                    missing.push(offset, Missing::Unit(unit));
                }
                Outcome::Extra { unit, line } => {
                    wrong.item(options, line);
                    extra.push(line, unit);
                }
                Outcome::Different { unit, offset, line, how } => {
                    wrong.record(options, offset);
                    different.push(offset, (unit, line, how));
                }
            }
        }
        let named = missing.places().chain(different.places());
        let (keys, paths) = wrong.look(options, named, &mut found)?;
        let lines = Lines::find(options, &extra.places().collect())?;
        let key = |offset| keys.key(offset).map_or_else(String::new, |key| key.to_string());
        found.missing = missing.named(|offset, missing| match missing {
            Missing::Refused(finding) => finding,
            Missing::Unit(Unit::Record(kind)) => {
                let detail = format!("{kind} not in the {held}");
                Finding::new(key(offset), sides.place(offset), detail)
            }
            Missing::Unit(Unit::Item) => Finding::new(
                key(offset),
                sides.place(offset),
                format!("one of its items is not in the {held}, or differs in the key"),
            ),
        });
        found.different = different.named(|offset, (unit, line, how)| {
            let places = [sides.place(offset), lines.place(line)];
            let told: Vec<_> = places.into_iter().filter(|place| !place.is_empty()).collect();
            let mut detail = sides.difference(unit, how);
            if let Some(path) = paths.get(&offset) {
                detail = format!("{detail}; first at {path}");
            }
            Finding::new(key(offset), told.join("; "), detail)
        });
        found.extra = extra.named(|line, unit| {
            let what = match unit {
                Unit::Record(kind) => {
                    format!("{kind} not in the {source}, or set aside by the run")
                }
                Unit::Item => format!("item of no record of the {source}"),
            };
            Finding::new(lines.key(line), lines.place(line), what)
        });
        found.damaged = damaged.named(|_, finding| finding);
        found.unknown_rejects = known.iter().filter(|known| !**known).count() as u64;
        found.complete = true;
        Ok(found)
    }
}

/// What a repair must look at.
#[derive(Default)]
struct Wrong {
    #[cfg(feature = "live")]
    records: HashSet<u64>,
    #[cfg(feature = "live")]
    items: HashSet<u64>,
    #[cfg(feature = "live")]
    left: u64,
}

/// By offset, where a record's items differ first.
type Paths = BTreeMap<u64, String>;

#[cfg(feature = "live")]
impl Wrong {
    /// Differences that one repair sees to: it holds 16 bytes or so for each.
    const MOST: usize = 4_000_000;

    fn record(&mut self, options: &VerifyOptions<'_>, offset: u64) {
        if options.repair != Repair::Nothing {
            match self.records.len() < Self::MOST {
                true => drop(self.records.insert(offset)),
                false => self.left += 1,
            }
        }
    }

    fn item(&mut self, options: &VerifyOptions<'_>, place: u64) {
        if options.repair == Repair::WriteAndDelete {
            match self.items.len() < Self::MOST {
                true => drop(self.items.insert(place)),
                false => self.left += 1,
            }
        }
    }

    /// Finds the keys of the records that are named; of a table, also where they differ, and puts
    /// right what is wrong.
    fn look(
        mut self,
        options: &VerifyOptions<'_>,
        named: impl Iterator<Item = u64>,
        found: &mut Verification,
    ) -> Result<(Names, Paths), Error> {
        let Held::Table(table) = options.held else { return names(options, named) };
        self.records.extend(named);
        let look = repair::look(options, table, &self.records, &self.items)?;
        if options.repair != Repair::Nothing {
            found.repaired =
                Some(Repaired { written: look.written, deleted: look.deleted, left: self.left });
        }
        Ok((look.names, look.paths))
    }
}

#[cfg(not(feature = "live"))]
impl Wrong {
    fn record(&mut self, _: &VerifyOptions<'_>, _: u64) {}

    fn item(&mut self, _: &VerifyOptions<'_>, _: u64) {}

    fn look(
        self,
        options: &VerifyOptions<'_>,
        named: impl Iterator<Item = u64>,
        _: &mut Verification,
    ) -> Result<(Names, Paths), Error> {
        names(options, named)
    }
}

fn names(
    options: &VerifyOptions<'_>,
    named: impl Iterator<Item = u64>,
) -> Result<(Names, Paths), Error> {
    let offsets: BTreeSet<u64> = named.collect();
    let names = match offsets.is_empty() {
        true => Names::default(),
        false => {
            let mut source = (options.open)().map_err(Error::Source)?;
            // What was found is told, whoever is in a hurry.
            let never = Interrupt::new();
            Names::find_in(source.as_mut(), &offsets, options.ordered, &never)?.unwrap_or_default()
        }
    };
    Ok((names, Paths::new()))
}

/// Items that go to the ledger at once.
const LINES: usize = 1024;

/// What a thread does with some of what is held.
struct HeldSide<'v> {
    options: &'v VerifyOptions<'v>,
    reverse: Reverse<'v>,
    interrupt: &'v Interrupt,
    send: SyncSender<ReadLines>,
}

/// The same with some of the files.
struct FileSide<'v> {
    side: HeldSide<'v>,
    /// The files' numbers.
    files: &'v HashMap<&'v str, usize>,
}

/// What comes of some lines.
#[derive(Default)]
struct ReadLines {
    entries: Vec<Entry>,
    damaged: Vec<(u64, Finding)>,
    items: u64,
    stored_bytes: u64,
}

impl HeldSide<'_> {
    /// Takes an item; tells what is wrong with it, if anything.
    fn take(
        &self,
        item: &Item<'_>,
        place: u64,
        lines: &mut ReadLines,
    ) -> Result<Option<String>, Error> {
        lines.items += 1;
        Ok(match self.reverse.read(item, place) {
            Meaning::Entry(entry) | Meaning::Text(entry, _) => {
                lines.entries.push(entry);
                None
            }
            Meaning::Offloaded(unmapped, pointer) => {
                self.read_beside(&unmapped, &pointer, place, lines)?
            }
            Meaning::Nameless => Some("an item without its key".to_owned()),
        })
    }

    /// Hands over what was read once it is enough; `false` when nobody wants more.
    fn hand_over(&self, lines: &mut ReadLines) -> bool {
        lines.entries.len() + lines.damaged.len() < LINES
            || (!self.interrupt.is_set() && self.send.send(std::mem::take(lines)).is_ok())
    }

    #[cfg(feature = "live")]
    fn read_table(self, scan: &Mutex<TableItems>) -> Result<Ended, Error> {
        let mut lines = ReadLines::default();
        loop {
            let page = scan.lock().unwrap_or_else(PoisonError::into_inner).next_page();
            let Some(page) = page.map_err(Error::Target)? else { break };
            for item in page.items() {
                let item = item.map_err(Error::Target)?;
                let place = key_place(&item, self.options.mapping.table());
                let before = lines.entries.len();
                if let Some(detail) = self.take(&item, place, &mut lines)? {
                    let key = item_key(&item, self.options.mapping.table());
                    lines.damaged.push((place, Finding::new(key, "", detail)));
                }
                // It may still be there, or be gone, as the table likes.
                let mapping = self.options.mapping;
                let last = lines.entries.get(before);
                if last.is_some_and(|entry| mapping.is_expired(entry.expires_at)) {
                    lines.entries.truncate(before);
                }
            }
            if !self.hand_over(&mut lines) {
                return Ok(Ended::Interrupted);
            }
        }
        let _ = self.send.send(lines);
        Ok(Ended::Complete)
    }

    /// Reads a value that lies beside its item; tells what is wrong with it, if anything.
    fn read_beside(
        &self,
        unmapped: &Unmapped,
        pointer: &Pointer,
        place: u64,
        lines: &mut ReadLines,
    ) -> Result<Option<String>, Error> {
        let mut whole = Entry {
            unit: Unit::Record(unmapped.kind),
            name: self.reverse.name(unmapped.db, &unmapped.key),
            fingerprint: Fingerprint::default(),
            expires_at: unmapped.expires_at,
            place,
        };
        let mut texts = Vec::new();
        let (mapping, held) = (self.options.mapping, self.options.held);
        let open = |name: &str| held.beside(name);
        let wrong = read_beside(mapping, open, (unmapped, pointer), |piece| {
            match piece {
                Beside::Bytes(bytes, offset) => {
                    let fingerprint = Fingerprint::of(&text(bytes), offset);
                    whole.join(&Entry { fingerprint, ..whole });
                }
                Beside::Item(item) => match self.reverse.entry(&item, place) {
                    Some(entry) => whole.join(&entry),
                    None => texts.push(item),
                },
            }
            Ok(())
        })?;
        if let Some(wrong) = wrong {
            return Ok(Some(format!("the file {} {wrong}", pointer.name)));
        }
        if !texts.is_empty() {
            let Some(value) = assemble(texts) else {
                return Ok(Some(format!("the file {} holds no value", pointer.name)));
            };
            whole.join(&Entry { fingerprint: Fingerprint::of(&value, 0), ..whole });
        }
        lines.entries.push(whole);
        Ok(None)
    }
}

impl FileSide<'_> {
    fn read(self, reader: ImportReader) -> Result<Ended, Error> {
        let mut items = reader.items();
        let mut lines = ReadLines::default();
        let mut at = (String::new(), 0);
        loop {
            match items.next_item() {
                Ok(Some(read)) => {
                    if at.0 != read.file {
                        at = (read.file.to_owned(), self.number(read.file));
                    }
                    let place = line(at.1, read.line);
                    if let Some(detail) = self.side.take(&read.item, place, &mut lines)? {
                        let key = item_key(&read.item, self.side.options.mapping.table());
                        let finding = Finding::new(key, in_file(read.file, read.line), detail);
                        lines.damaged.push((place, finding));
                    }
                }
                Ok(None) => break,
                Err(error) => lines.damaged.push(self.damage(error)?),
            }
            if !self.side.hand_over(&mut lines) {
                return Ok(Ended::Interrupted);
            }
        }
        lines.stored_bytes = reader.files().iter().map(|file| file.stored_bytes).sum();
        // Nobody listens only after an error, which is told by whoever had it.
        let _ = self.side.send.send(lines);
        Ok(Ended::Complete)
    }

    fn number(&self, file: &str) -> usize {
        self.files.get(file).copied().unwrap_or(self.files.len())
    }

    fn damage(&self, error: keystar_transfer::Error) -> Result<(u64, Finding), Error> {
        let (file, number, detail) = damage::of(error)?;
        // What is wrong with a file as a whole comes after its lines.
        let place = line(self.number(&file), number.unwrap_or(u64::MAX));
        let text = number.map_or_else(|| file.clone(), |number| in_file(&file, number));
        Ok((place, Finding::new("", text, detail)))
    }
}

/// What some lines of the files hold, for the reader of a report.
#[derive(Default)]
struct Lines {
    files: Vec<String>,
    keys: BTreeMap<u64, String>,
}

impl Lines {
    /// Reads once more what has these places.
    fn find(options: &VerifyOptions<'_>, places: &BTreeSet<u64>) -> Result<Self, Error> {
        match options.held {
            Held::Files(reader) => Self::in_files(reader, options.mapping.table(), places),
            #[cfg(feature = "live")]
            Held::Table(table) => Self::in_table(table, options.mapping.table(), places),
        }
    }

    #[cfg(feature = "live")]
    fn in_table(
        reader: &crate::table::TableReader,
        table: &Table,
        places: &BTreeSet<u64>,
    ) -> Result<Self, Error> {
        let mut lines = Self::default();
        if places.is_empty() {
            return Ok(lines);
        }
        let mut scan = reader.scan()?;
        while let Some(page) = scan.next_page().map_err(Error::Target)? {
            for item in page.items() {
                let item = item.map_err(Error::Target)?;
                let place = key_place(&item, table);
                if places.contains(&place) {
                    lines.keys.insert(place, item_key(&item, table));
                }
            }
        }
        Ok(lines)
    }

    fn in_files(
        reader: &ImportReader,
        table: &Table,
        places: &BTreeSet<u64>,
    ) -> Result<Self, Error> {
        let files: Vec<String> = reader.files().iter().map(|file| file.name.clone()).collect();
        let mut keys = BTreeMap::new();
        for reader in reader.split(files.len()) {
            let Some(file) = reader.files().first() else { continue };
            let Some(number) = files.iter().position(|name| *name == file.name) else { continue };
            let mut wanted = places.range(line(number, 0)..=line(number, u64::MAX)).copied();
            let Some(mut next) = wanted.next() else { continue };
            let mut items = reader.items();
            // What is damaged was told before.
            while let Ok(Some(read)) = items.next_item() {
                if line(number, read.line) < next {
                    continue;
                }
                let key = item_key(&read.item, table);
                keys.insert(next, key);
                match wanted.next() {
                    Some(place) => next = place,
                    None => break,
                }
            }
        }
        Ok(Self { files, keys })
    }

    fn key(&self, place: u64) -> String {
        self.keys.get(&place).cloned().unwrap_or_default()
    }

    /// The file and the line; of a table's item, nothing.
    fn place(&self, place: u64) -> String {
        let (file, line) = file_and_line(place);
        self.files.get(file).map_or_else(String::new, |file| in_file(file, line))
    }
}

/// The place of an item in a table, which has no lines.
#[cfg(feature = "live")]
pub(crate) fn key_place(item: &Item<'_>, table: &Table) -> u64 {
    let mut key = Vec::new();
    // Every item of a table has its key.
    let _ = table.key.encode_key(item, &mut key);
    xxh3_64(&key)
}

/// What the two sides are called, and whether a record's offset is a place.
#[derive(Clone, Copy)]
pub(crate) struct Sides {
    source: &'static str,
    held: &'static str,
    ordered: bool,
}

impl Sides {
    pub(crate) fn of(options: &VerifyOptions<'_>) -> Self {
        let source = if options.ordered { "dump" } else { "source" };
        Self { source, held: options.held.name(), ordered: options.ordered }
    }

    /// A comparison of the two that has found nothing yet.
    pub(crate) fn verification(self) -> Verification {
        Verification::between(self.source, self.held)
    }

    fn place(self, offset: u64) -> String {
        if self.ordered { format!("byte {offset} of the dump") } else { String::new() }
    }

    /// What differs, in words.
    fn difference(self, unit: Unit, how: How) -> String {
        let Self { source, held, .. } = self;
        let moment = |at: Option<UnixMillis>| match at {
            Some(UnixMillis(millis)) => format!("at {} ({millis} ms)", units::moment(millis)),
            None => "never".to_owned(),
        };
        match how {
            _ if unit == Unit::Item => "one of its items has other attributes".to_owned(),
            How::Kind { dump, files } => format!("{dump} in the {source}, {files} in the {held}"),
            How::Elements { dump, files } => {
                let what = match unit {
                    Unit::Record(Kind::String) => "bytes",
                    _ => "elements",
                };
                match dump == files {
                    true => format!("{dump} {what} on both sides, but not the same"),
                    false => format!("{dump} {what} in the {source}, {files} in the {held}"),
                }
            }
            How::Expiry { dump, files } => {
                let (dump, files) = (moment(dump), moment(files));
                format!("expires {dump} in the {source}, {files} in the {held}")
            }
            How::TornExpiry => "its items do not agree on when it expires".to_owned(),
        }
    }
}
