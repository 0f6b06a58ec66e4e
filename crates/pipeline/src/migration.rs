//! A migration: from a dump to import files, resumable at any point.
//!
//! The order that never changes: write, commit, save the checkpoint.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_executor::block_on;
use jiff::Timestamp;
use keystar_extract::{Batch, Entry, Position, Source};
use keystar_mapping::{DbStyle, Lines, Losses, Mapping, RuleIndex};
use keystar_rdb::{Db, Frame, UnixMillis};
use keystar_transfer::{
    Encoded, ImportOptions, ImportReader, ItemEncoder, ItemSink, Mark, Offloads, Origin, Receipt,
    local_folder,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[cfg(feature = "live")]
use keystar_transfer::ScanTableOptions;

use crate::{
    By, Counts, Error, Input, Interrupt, Load, Progress, Reach, Report, Start, Verification,
    VerifyOptions,
    conveyor::{Ended, Work, convey},
    load::table_name,
    mapper::{Clerk, Fate, Mapper, Verdict},
    names::Names,
    rejects::{self, RejectFile, Rejected},
    report,
    selection::Selection,
    target::Target,
    text, verify,
    workdir::WorkDir,
};
#[cfg(feature = "live")]
use crate::{Repair, TableReader, verify_sample};

/// What a migration is: two specs that are equal write the same files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MigrationSpec {
    /// Where the records come from.
    pub from: Input,
    /// The source's size in bytes, which tells how many files are worth writing side by side; 0 of a
    /// live server.
    pub from_bytes: u64,
    /// Which of its keys.
    pub selection: Selection,
    /// Where the items go: a folder or a URL of files, or a table, `dynamodb://NAME`.
    pub to: String,
    /// How they get into a table.
    #[serde(default)]
    pub load: Load,
    /// The mapping, as the user wrote it; `None` for the default.
    pub mapping: Option<String>,
    /// Tells salts apart without telling the salt.
    pub salt_check: Option<String>,
    /// The clock that expiry is judged by, where the user set one.
    pub as_of: Option<i64>,
    /// `dynamodb-json`, `ion` or `csv`.
    pub format: String,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// A file is full at this many uncompressed bytes.
    pub max_file_bytes: u64,
    /// A file is full at this many items.
    pub max_file_items: u64,
    /// Whether the first record that cannot be carried stops the run.
    pub stop_at_reject: bool,
}

impl MigrationSpec {
    /// The default migration of a source that is reached so: everything, to gzipped DynamoDB JSON.
    ///
    /// # Errors
    ///
    /// The dump cannot be found.
    pub fn new(
        from: impl Into<Input>,
        to: impl Into<String>,
        reach: &Reach,
    ) -> Result<Self, Error> {
        let from = from.into();
        let from_bytes = match from.is_live() {
            true => 0,
            false => {
                let source = from.open(&Selection::default(), reach);
                source.map_err(Error::Source)?.total_bytes().unwrap_or(0)
            }
        };
        Ok(Self {
            from,
            from_bytes,
            selection: Selection::default(),
            to: to.into(),
            load: Load::default(),
            mapping: None,
            salt_check: None,
            as_of: None,
            format: "dynamodb-json".into(),
            compression: "gzip".into(),
            max_file_bytes: DEFAULT_FILE_BYTES,
            max_file_items: DEFAULT_FILE_ITEMS,
            stop_at_reject: false,
        })
    }

    /// Reads only these keys.
    #[must_use]
    pub fn with_selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Sets how the items get into a table.
    ///
    /// # Errors
    ///
    /// It does not fit the target, or not all of it goes together.
    pub fn with_load(mut self, load: Load) -> Result<Self, Error> {
        load.check(table_name(&self.to).is_some())?;
        self.load = load;
        Ok(self)
    }

    /// Where the files of the run go, if there are any.
    pub fn files(&self) -> Option<&str> {
        match (table_name(&self.to), self.load.by) {
            (None, _) => Some(&self.to),
            (Some(_), By::Live) => None,
            (Some(_), _) => self.load.stage.as_deref(),
        }
    }

    /// Notes the mapping as it was written, and which salt it hashes with.
    #[must_use]
    pub fn with_mapping(mut self, text: Option<String>, salt: Option<&[u8]>) -> Self {
        self.mapping = text;
        self.salt_check = salt_check(salt);
        self
    }

    /// Sets the clock that expiry is judged by.
    #[must_use]
    pub fn with_as_of(mut self, as_of: Option<UnixMillis>) -> Self {
        self.as_of = as_of.map(|moment| moment.0);
        self
    }

    /// Sets the files' format (`dynamodb-json`, `ion`, `csv`) and compression (`none`, `gzip`,
    /// `zstd`).
    #[must_use]
    pub fn with_format(mut self, format: &str, compression: &str) -> Self {
        self.format = format.to_owned();
        self.compression = compression.to_owned();
        self
    }

    /// Sets when a file is full: at this many uncompressed bytes, or at this many items.
    #[must_use]
    pub fn with_max_file(mut self, bytes: u64, items: u64) -> Self {
        (self.max_file_bytes, self.max_file_items) = (bytes, items);
        self
    }

    /// Whether the first record that cannot be carried stops the run.
    #[must_use]
    pub fn with_stop_at_reject(mut self, stop: bool) -> Self {
        self.stop_at_reject = stop;
        self
    }

    /// Names the run: the same spec has the same name.
    fn id(&self) -> String {
        let words = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(&words)[..6])
    }

    /// Builds the mapping that the spec holds as text.
    pub(crate) fn mapping(&self, options: &MigrationOptions) -> Result<Mapping, Error> {
        let mapping = match &self.mapping {
            Some(text) => Mapping::from_toml(text).map_err(Error::Mapping)?,
            None => Mapping::default(),
        };
        Ok(match &options.salt {
            Some(salt) => mapping.with_salt(salt.as_slice()),
            None => mapping,
        })
    }

    pub(crate) fn open_source(&self, reach: &Reach) -> Result<Box<dyn Source>, Error> {
        self.from.open(&self.selection, reach).map_err(Error::Source)
    }

    /// How the files are written; `created` is the time that the manifest tells.
    ///
    /// # Errors
    ///
    /// The format or the compression is none that is known.
    pub fn import_options(
        &self,
        mapping: &Mapping,
        created: UnixMillis,
    ) -> Result<ImportOptions, Error> {
        let mapping_text = self.mapping.as_deref().unwrap_or_default();
        Ok(ImportOptions::new(mapping.table().clone())
            .with_format(self.format.parse().map_err(Error::Target)?)
            .with_compression(self.compression.parse().map_err(Error::Target)?)
            .with_lanes(self.lanes())
            .with_max_file(self.max_file_bytes, self.max_file_items)
            .with_created(rfc3339(created))
            .with_repeats(self.from.is_live())
            .with_spec_hash(hex(&Sha256::digest(mapping_text))))
    }

    /// The longest time between two checkpoints. What is read from a dump into files has none: where
    /// its files end depends on the text alone, so that a resumed run writes the same bytes.
    fn checkpoint_every(&self) -> Option<Duration> {
        match (self.files(), self.from.is_live()) {
            (None, _) => Some(CHECKPOINT_OF_WRITES),
            (Some(_), true) => Some(CHECKPOINT_OF_SERVER),
            (Some(_), false) => None,
        }
    }

    /// Files that are written side by side: one for a small dump, so that it gives one file.
    fn lanes(&self) -> usize {
        if self.from.is_live() {
            return MAX_LANES;
        }
        let lanes = self.from_bytes.div_ceil(BYTES_PER_LANE);
        usize::try_from(lanes).unwrap_or(MAX_LANES).clamp(1, MAX_LANES)
    }
}

/// A dump of this many bytes is worth another file at a time.
const BYTES_PER_LANE: u64 = 32 << 20;
const MAX_LANES: usize = 8;
/// Live writes wait for their answers at a checkpoint: a moment, and worth it every so often.
const CHECKPOINT_OF_WRITES: Duration = Duration::from_secs(2);
/// Files are closed at a checkpoint. Seldom enough that there are not too many, often enough that a
/// slow reading of a live server loses minutes and not hours.
const CHECKPOINT_OF_SERVER: Duration = Duration::from_secs(300);
const DEFAULT_FILE_BYTES: u64 = 256 << 20;
const DEFAULT_FILE_ITEMS: u64 = 4_000_000;

/// What a migration needs to know and must not keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MigrationOptions {
    /// Where the run keeps its state; beside the files by default, which then must be local.
    pub work: Option<PathBuf>,
    /// What to do with what an earlier run left.
    pub start: Start,
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// The time now, for a run whose spec sets no clock.
    pub now: UnixMillis,
    /// What the mapping's `hash` casts are salted with.
    pub salt: Option<Vec<u8>>,
    /// How both sides are reached.
    pub reach: Reach,
    /// Of a verification of a table: so many records, chosen by chance, instead of all.
    #[cfg(feature = "live")]
    pub sample: Option<usize>,
    /// Of a verification of a table: what is put right.
    #[cfg(feature = "live")]
    pub repair: Repair,
}

impl MigrationOptions {
    /// A fresh run on this many threads.
    pub fn new(jobs: NonZeroUsize, now: UnixMillis) -> Self {
        Self {
            work: None,
            start: Start::Fresh,
            jobs,
            now,
            salt: None,
            reach: Reach::default(),
            #[cfg(feature = "live")]
            sample: None,
            #[cfg(feature = "live")]
            repair: Repair::Nothing,
        }
    }

    /// Keeps the run's state in this folder.
    #[must_use]
    pub fn with_work(mut self, work: Option<PathBuf>) -> Self {
        self.work = work;
        self
    }

    /// Salts the mapping's `hash` casts.
    #[must_use]
    pub fn with_salt(mut self, salt: Option<Vec<u8>>) -> Self {
        self.salt = salt;
        self
    }

    /// Reaches both sides so.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Verifies so many records of a table, chosen by chance, instead of all.
    #[cfg(feature = "live")]
    #[must_use]
    pub fn with_sample(mut self, records: Option<usize>) -> Self {
        self.sample = records;
        self
    }

    /// Puts right what a verification finds in a table.
    #[cfg(feature = "live")]
    #[must_use]
    pub fn with_repair(mut self, repair: Repair) -> Self {
        self.repair = repair;
        self
    }

    /// What to do with what an earlier run left.
    #[must_use]
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }
}

/// A run, as its work directory records it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) spec: MigrationSpec,
    /// The clock of this run, in Unix milliseconds: the same in every session of it.
    pub(crate) as_of: i64,
    /// When it was begun, in Unix milliseconds: a restart begins another run of the same id.
    pub(crate) began: i64,
}

/// How far a run has come, all of it durable.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// `None` when the source is at its end.
    position: Option<Position>,
    mark: Mark,
    tally: Tally,
    reject_bytes: u64,
}

/// What has been counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tally {
    counts: Counts,
    losses: Losses,
    notes: BTreeMap<String, u64>,
    warnings: Vec<String>,
    /// Records of which pieces were accepted before the rest could not be carried.
    retract: Vec<Origin>,
}

/// Runs a migration to its end, or to the interrupt.
///
/// With the mapping's `db = "folder"` each database has a folder and a run of its own, `TO/db0`,
/// `TO/db1` …, and the report is the sum of theirs.
///
/// # Errors
///
/// The side that failed; what was committed stays, and a resume goes on from there.
pub fn migrate(
    spec: &MigrationSpec,
    options: &MigrationOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Report, Error> {
    if spec.mapping(options)?.db_style() != DbStyle::Folder {
        return migrate_one(spec, options, interrupt, progress);
    }
    if table_name(&spec.to).is_some() {
        let reason = "a table has no folders: choose another `db` in the mapping";
        return Err(Error::Usage(reason.into()));
    }
    let mut whole: Option<Report> = None;
    for db in databases(spec, &options.reach)? {
        let folder = format!("db{db}");
        let work = options.work.as_ref().map(|work| work.join(&folder));
        let mut one = spec.clone();
        one.to = format!("{}/{folder}", spec.to.trim_end_matches('/'));
        one.selection.dbs = vec![db.0];
        let options = options.clone().with_work(work);
        let report = migrate_one(&one, &options, interrupt, progress)?;
        whole = Some(match whole {
            Some(mut whole) => {
                whole.add(report);
                whole
            }
            None => report,
        });
        if interrupt.is_set() {
            break;
        }
    }
    // A dump without keys has no database.
    let Some(mut whole) = whole else {
        return migrate_one(spec, options, interrupt, progress);
    };
    whole.to = spec.to.clone();
    Ok(whole)
}

fn migrate_one(
    spec: &MigrationSpec,
    options: &MigrationOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Report, Error> {
    let began = Instant::now();
    let work = WorkDir::new(work_dir(&spec.to, options.work.as_deref())?);
    let run = Run::new(spec, options.now);
    let mapping = spec.mapping(options)?;
    let target = Target::find(spec, &mapping, options)?;
    let ready = || {
        spec.from.prepare(&options.reach).map_err(Error::Source)?;
        target.prepare()
    };
    let (run, resumed) = work.open(run, options.start, ready)?;
    if let (true, Some(report)) = (resumed, work.report()?) {
        return Ok(report);
    }
    let mapping = mapping.with_as_of(UnixMillis(run.as_of));
    let mut session = Session::open(&run, &mapping, &work, &target, resumed, options)?;
    let ended = session.copy(options.jobs, interrupt, progress)?;
    let mut report = match ended {
        Ended::Interrupted => session.pause()?,
        Ended::Complete => {
            let Sealed { mut report, files } = session.seal(interrupt)?;
            if let Some(files) = files {
                target.finish(&run, options, (&work, files), &mut report, interrupt, progress)?;
            }
            report
        }
    };
    report.seconds = began.elapsed().as_secs_f64();
    if report.complete {
        work.save_report(&report)?;
    }
    Ok(report)
}

/// The databases that hold a key of the selection.
fn databases(spec: &MigrationSpec, reach: &Reach) -> Result<BTreeSet<Db>, Error> {
    let mut source = spec.open_source(reach)?;
    let mut batch = Batch::new();
    let mut dbs = BTreeSet::new();
    while block_on(source.fill(&mut batch)).map_err(Error::Source)? {
        for entry in batch.entries() {
            match entry {
                Entry::Frame(frame) => dbs.insert(frame.head.db),
                Entry::Part { part, .. } => dbs.insert(part.head.db),
                Entry::Record { head, .. } => dbs.insert(head.db),
                Entry::Failed { failure, .. } => dbs.insert(failure.db),
                _ => false,
            };
        }
    }
    Ok(dbs)
}

/// The folder of a run's state when the caller names none.
///
/// # Errors
///
/// The target is not a local folder, so there is none.
pub fn work_dir(to: &str, given: Option<&Path>) -> Result<PathBuf, Error> {
    match (given, local_folder(to)) {
        (Some(given), _) => Ok(given.to_owned()),
        (None, Some(folder)) => Ok(folder.join("run")),
        (None, None) => Err(Error::Usage(format!(
            "{to} is not a local folder: name one for the state of the run (--work)"
        ))),
    }
}

impl Run {
    fn new(spec: &MigrationSpec, now: UnixMillis) -> Self {
        let as_of = spec.as_of.unwrap_or(now.0);
        Self { id: spec.id(), spec: spec.clone(), as_of, began: now.0 }
    }

    /// Names this run to a service: what has this token is begun once. Services remember it for hours,
    /// so a run that was restarted has another.
    #[cfg(feature = "live")]
    pub(crate) fn token(&self) -> String {
        format!("{}-{}", self.id, self.began)
    }
}

impl PartialEq for Run {
    /// The clock is set by the first session, and so is the dump's size: a dump that was cut short
    /// may be copied again whole. That it is the same dump, its checksum tells in the end.
    fn eq(&self, other: &Self) -> bool {
        let from_bytes = self.spec.from_bytes;
        self.spec == MigrationSpec { from_bytes, ..other.spec.clone() }
    }
}

/// One process's share of a run.
struct Session<'r> {
    run: &'r Run,
    options: &'r MigrationOptions,
    mapping: &'r Mapping,
    work: &'r WorkDir,
    source: Option<Box<dyn Source>>,
    sink: Box<dyn ItemSink>,
    offloads: Offloads,
    rejects: RejectFile,
    tally: Tally,
    /// Where the last batch that was written ended.
    position: Option<Position>,
    /// When the last checkpoint was saved, or the session began.
    saved: Instant,
}

impl<'r> Session<'r> {
    /// Begins a run, or goes on from its checkpoint. A run may have been killed before it saved
    /// one: then what it committed is dropped, and it begins again.
    fn open(
        run: &'r Run,
        mapping: &'r Mapping,
        work: &'r WorkDir,
        target: &Target,
        resumed: bool,
        options: &'r MigrationOptions,
    ) -> Result<Self, Error> {
        let spec = &run.spec;
        let checkpoint: Option<Checkpoint> = if resumed { work.checkpoint()? } else { None };
        let unread = checkpoint.as_ref().is_none_or(|checkpoint| checkpoint.position.is_some());
        let checkpoint = checkpoint.filter(|_| !unread || spec.from.is_resumable());
        let Checkpoint { position, mark, tally, reject_bytes } = checkpoint.unwrap_or_default();
        let source = match unread {
            true => {
                let mut source = spec.open_source(&options.reach)?;
                if let Some(position) = &position {
                    block_on(source.resume(position)).map_err(Error::Source)?;
                }
                Some(source)
            }
            false => None,
        };
        let begun = (resumed.then_some(&mark), options.start);
        let sink = target.sink(run, mapping, work, begun)?;
        let offloads = target.offloads(spec, work)?;
        Ok(Self {
            run,
            mapping,
            work,
            source,
            options,
            sink,
            offloads,
            rejects: RejectFile::open(work.rejects(), reject_bytes)?,
            tally,
            position,
            saved: Instant::now(),
        })
    }

    fn copy(
        &mut self,
        jobs: NonZeroUsize,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<Ended, Error> {
        let Some(mut source) = self.source.take() else { return Ok(Ended::Complete) };
        progress.start_source(source.as_ref());
        let encoders = Encoders::of(self.sink.as_ref(), jobs);
        let work = Copying { mapping: self.mapping, mapper: Mapper::new(self.mapping), encoders };
        convey(source.as_mut(), jobs, interrupt, &work, |copied, batch| {
            self.take(copied, batch)?;
            progress.reach(batch.source_bytes(), self.tally.counts.read);
            Ok(())
        })
    }

    fn take(&mut self, copied: Copied, batch: &Batch) -> Result<(), Error> {
        for (rejected, corrupt) in &copied.rejected {
            if self.run.spec.stop_at_reject {
                return Err(rejected.to_error(*corrupt));
            }
            self.rejects.push(rejected)?;
        }
        for (name, bytes, last) in &copied.offloads {
            self.offloads.write(name, bytes, *last).map_err(Error::Target)?;
        }
        self.tally.merge(copied.tally, batch);
        block_on(self.sink.write(copied.encoded)).map_err(Error::Target)?;
        self.position = batch.position().cloned();
        if self.sink.wants_commit() || self.is_due() {
            self.commit(self.position.clone())?;
        }
        Ok(())
    }

    /// Whether a checkpoint should wait no longer, and can be had.
    fn is_due(&self) -> bool {
        let pause = self.run.spec.checkpoint_every();
        self.position.is_some() && pause.is_some_and(|pause| self.saved.elapsed() >= pause)
    }

    /// Makes durable what was written. Inside a record that comes in parts there is no position to
    /// resume from, so the checkpoint before it stays.
    fn commit(&mut self, position: Option<Position>) -> Result<(), Error> {
        let mark = block_on(self.sink.commit()).map_err(Error::Target)?;
        match position {
            Some(position) => self.save(Some(position), mark),
            None => Ok(()),
        }
    }

    fn save(&mut self, position: Option<Position>, mark: Mark) -> Result<(), Error> {
        let reject_bytes = self.rejects.commit()?;
        let tally = self.tally.clone();
        self.saved = Instant::now();
        self.work.save_checkpoint(&Checkpoint { position, mark, tally, reject_bytes })
    }

    fn pause(mut self) -> Result<Report, Error> {
        self.commit(self.position.clone())?;
        Ok(self.tally.report(self.run, self.work, None))
    }

    fn seal(mut self, interrupt: &Interrupt) -> Result<Sealed, Error> {
        // From here on a resume needs the source no more.
        let mark = block_on(self.sink.commit()).map_err(Error::Target)?;
        self.save(None, mark.clone())?;
        let finished = self.sink.finish(&self.tally.retract);
        let receipt = block_on(finished).map_err(Error::Target)?;
        let pairs = receipt.duplicates.iter();
        let offsets = pairs.flat_map(|found| [found.first.0, found.second.0]).collect();
        let Some(names) = names(&self.run.spec, self.options, &offsets, interrupt)? else {
            let report = self.tally.report(self.run, self.work, None);
            return Ok(Sealed { report, files: None });
        };
        self.tally.settle_repeats(receipt.repeats);
        if receipt.existing > 0 {
            let items = text::plural(receipt.existing, "item");
            self.tally
                .warnings
                .push(format!("{items} of these keys were there already, and stayed"));
        }
        self.tally.set_aside_duplicates(&receipt, &names, &mut self.rejects)?;
        self.rejects.commit()?;
        let gone = self.tally.retract.iter().copied();
        let gone = gone.chain(receipt.duplicates.iter().map(|found| found.second)).collect();
        let report = self.tally.report(self.run, self.work, Some(&receipt));
        Ok(Sealed { report, files: Some(SealedFiles { mark, gone, rejects: self.rejects }) })
    }
}

/// A target that has everything of its source.
struct Sealed {
    report: Report,
    /// None when it was interrupted: a resume seals again.
    files: Option<SealedFiles>,
}

/// What is known of a sealed target besides, until the service has loaded it.
#[derive(Debug)]
#[cfg_attr(not(feature = "live"), allow(dead_code, reason = "of what a service loads"))]
pub(crate) struct SealedFiles {
    /// The last one of the sink.
    pub(crate) mark: Mark,
    /// Records whose items were removed.
    pub(crate) gone: HashSet<Origin>,
    /// All of it is durable; a resume drops what is added, because it seals again.
    pub(crate) rejects: RejectFile,
}

/// The keys of the records at these offsets, for the reject file; `None` if the search was
/// interrupted.
pub(crate) fn names(
    spec: &MigrationSpec,
    options: &MigrationOptions,
    offsets: &BTreeSet<u64>,
    interrupt: &Interrupt,
) -> Result<Option<Names>, Error> {
    if offsets.is_empty() {
        return Ok(Some(Names::default()));
    }
    let mut source = spec.open_source(&options.reach)?;
    Names::find_in(source.as_mut(), offsets, spec.from.is_ordered(), interrupt)
}

/// Four bytes of a digest tell two salts apart and give no salt away.
fn salt_check(salt: Option<&[u8]>) -> Option<String> {
    let digest = |salt| Sha256::new().chain_update("keystar salt").chain_update(salt).finalize();
    salt.map(|salt| hex(&digest(salt)[..4]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rfc3339(moment: UnixMillis) -> String {
    Timestamp::from_millisecond(moment.0).map_or_else(|_| String::new(), |time| time.to_string())
}

/// What the workers do: map, and write the items as text.
struct Copying<'m> {
    mapping: &'m Mapping,
    mapper: Mapper<'m>,
    encoders: Encoders,
}

/// What comes of a batch.
#[derive(Default)]
struct Copied {
    encoded: Encoded,
    tally: Tally,
    rejected: Vec<(Rejected, bool)>,
    /// Pieces of values that are written beside the items: name, bytes, whether it is the last.
    offloads: Vec<(String, Vec<u8>, bool)>,
}

/// An encoder for each worker, made before the belt starts: the sink is busy afterwards.
struct Encoders(Mutex<Vec<Box<dyn ItemEncoder>>>);

impl Encoders {
    fn of(sink: &dyn ItemSink, jobs: NonZeroUsize) -> Self {
        Self(Mutex::new((0..jobs.get()).map(|_| sink.encoder()).collect()))
    }

    fn take(&self) -> Option<Box<dyn ItemEncoder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl<'m> Work for Copying<'m> {
    type Bench = Option<Bench<'m>>;
    type Output = Copied;

    fn bench(&self) -> Self::Bench {
        let encoder = self.encoders.take()?;
        let lines = encoder.takes_lines().then(|| Lines::new(self.mapping));
        Some(Bench { mapping: self.mapping, encoder, lines })
    }

    fn work(&self, bench: &mut Self::Bench, batch: &Batch) -> Copied {
        let mut copied = Copied::default();
        // There is an encoder for every worker.
        let Some(bench) = bench else { return copied };
        self.mapper.map_batch(batch, Copyist { bench, copied: &mut copied });
        copied.encoded = bench.encoder.take();
        copied.tally.counts.items = copied.encoded.items() as u64;
        copied
    }
}

/// What a worker keeps from batch to batch.
struct Bench<'m> {
    mapping: &'m Mapping,
    encoder: Box<dyn ItemEncoder>,
    /// Where the encoder takes lines: the short way of plain hashes.
    lines: Option<Lines<'m>>,
}

/// A worker at a batch.
struct Copyist<'b, 'm> {
    bench: &'b mut Bench<'m>,
    copied: &'b mut Copied,
}

impl Clerk for Copyist<'_, '_> {
    fn take(&mut self, fate: Fate<'_>) -> Verdict {
        let Bench { mapping, encoder, .. } = &mut *self.bench;
        self.copied.settle(encoder.as_mut(), fate, mapping)
    }

    #[inline]
    fn take_raw(&mut self, rule: RuleIndex, frame: &Frame<'_>) -> bool {
        let Bench { encoder, lines: Some(lines), .. } = &mut *self.bench else { return false };
        let Some(line) = lines.line(rule, frame) else { return false };
        let taken = encoder.push_line(&frame.head.key, line, Origin(frame.head.offset));
        let counts = &mut self.copied.tally.counts;
        counts.read += u64::from(taken);
        counts.written += u64::from(taken);
        taken
    }
}

impl Copied {
    fn settle(
        &mut self,
        encoder: &mut dyn ItemEncoder,
        fate: Fate<'_>,
        mapping: &Mapping,
    ) -> Verdict {
        let counts = &mut self.tally.counts;
        match fate {
            Fate::Filtered(reason) => {
                counts.read += 1;
                counts.filter(reason);
            }
            Fate::Expired => {
                counts.read += 1;
                counts.expired += 1;
            }
            Fate::Rejected { rejected, undo, corrupt } => {
                counts.read += 1;
                counts.reject(&rejected.reason);
                if undo {
                    self.tally.retract.extend(rejected.offset.map(Origin));
                }
                self.rejected.push((rejected, corrupt));
            }
            Fate::Mapped(pieces) => {
                let (head, origin) = (pieces.head, Origin(pieces.head.offset));
                let before = encoder.position();
                for item in &pieces.mapped.items {
                    if let Err(violation) = encoder.push(item, origin) {
                        encoder.truncate(before);
                        return Err(violation);
                    }
                }
                if pieces.last {
                    counts.read += 1;
                    counts.written += 1;
                    counts.expired_kept += u64::from(mapping.is_expired(head.expires_at));
                }
                for offload in &pieces.mapped.offloads {
                    let (name, bytes) = (offload.name.clone(), offload.bytes.to_vec());
                    self.offloads.push((name, bytes, offload.last));
                }
                if !pieces.mapped.losses.is_empty() {
                    self.tally.losses.add(head.offset, &head.key, &pieces.mapped.losses);
                }
            }
        }
        Ok(())
    }
}

impl Tally {
    fn merge(&mut self, other: Self, batch: &Batch) {
        self.counts.merge(&other.counts);
        self.losses.merge(&other.losses);
        self.retract.extend(other.retract);
        report::note(batch.remarks(), &mut self.counts, &mut self.notes, &mut self.warnings);
    }

    /// A scan may read a key twice: then it was counted twice, and is in the target once.
    fn settle_repeats(&mut self, items: u64) {
        if items == 0 {
            return;
        }
        let counts = &mut self.counts;
        match counts.items == counts.written {
            // An item a record: so many records.
            true => {
                counts.written -= items;
                report::count(&mut counts.filtered, "repeat", items);
            }
            false => {
                let items = text::plural(items, "item");
                self.warnings.push(format!("{items} were read twice; the later reading counts"));
            }
        }
    }

    /// A duplicate was counted as written when it was; its items are gone from the files now.
    fn set_aside_duplicates(
        &mut self,
        receipt: &Receipt,
        names: &Names,
        rejects: &mut RejectFile,
    ) -> Result<(), Error> {
        let mut settled = BTreeSet::new();
        for found in &receipt.duplicates {
            if !settled.insert(found.second) {
                continue;
            }
            self.counts.written -= 1;
            self.counts.reject("duplicate_key");
            let first = names.text(found.first.0);
            let detail = format!("its item key {} is also that of {first}", found.key);
            rejects.push(&names.rejected(found.second.0, "duplicate_key", detail))?;
        }
        Ok(())
    }

    fn report(mut self, run: &Run, work: &WorkDir, receipt: Option<&Receipt>) -> Report {
        if let Some(receipt) = receipt {
            self.counts.items = receipt.items;
        }
        let format_losses = receipt.map(|receipt| &receipt.losses).into_iter().flatten();
        Report {
            run: run.id.clone(),
            from: run.spec.from.name(),
            to: run.spec.to.clone(),
            rejects: work.rejects().display().to_string(),
            complete: receipt.is_some(),
            counts: self.counts,
            losses: self.losses,
            format_losses: format_losses
                .map(|(loss, found)| (loss.as_str().to_owned(), found.count))
                .collect(),
            notes: self.notes,
            warnings: self.warnings,
            files: receipt.map_or(0, |receipt| receipt.files.len() as u64),
            bytes: receipt.map_or(0, |receipt| receipt.bytes),
            stored_bytes: receipt.map_or(0, |receipt| receipt.stored_bytes),
            loaded: None,
            seconds: 0.0,
        }
    }
}

/// How far the run in a work directory is.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Identifies the run.
    pub run: String,
    /// Whether it has ended.
    pub finished: bool,
    /// The dump.
    pub from: String,
    /// Where the files go.
    pub to: String,
    /// Bytes of the (decompressed) dump that lie behind the last checkpoint; `None` when the
    /// source is at its end.
    pub offset: Option<u64>,
    /// Bytes of the dump as it is stored.
    pub from_bytes: u64,
    /// How the records ended up to the last checkpoint.
    pub counts: Counts,
}

/// Tells how far the run in a work directory is; `None` when there is none.
///
/// # Errors
///
/// The work directory cannot be read.
pub fn status(work: &Path) -> Result<Option<Status>, Error> {
    let work = WorkDir::new(work);
    let Some(run) = work.run::<Run>()? else { return Ok(None) };
    let report: Option<Report> = work.report()?;
    let checkpoint: Option<Checkpoint> = work.checkpoint()?;
    let position = checkpoint.as_ref().map(|checkpoint| &checkpoint.position);
    Ok(Some(Status {
        run: run.id,
        finished: report.is_some(),
        from: run.spec.from.name(),
        to: run.spec.to,
        offset: match position {
            None => Some(0),
            Some(position) => position.as_ref().map(Position::offset),
        },
        from_bytes: run.spec.from_bytes,
        counts: match (report, checkpoint) {
            (Some(report), _) => report.counts,
            (None, Some(checkpoint)) => checkpoint.tally.counts,
            (None, None) => Counts::default(),
        },
    }))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.finished, self.offset) {
            (true, _) => "finished".to_owned(),
            (false, None) => "unfinished: all is read, the target is not finished".to_owned(),
            (false, Some(offset)) => format!(
                "unfinished: {} of the dump are dealt with ({} as stored)",
                text::bytes(offset),
                text::bytes(self.from_bytes)
            ),
        };
        writeln!(f, "run {}, {} to {}: {state}", self.run, self.from, self.to)?;
        let counts = &self.counts;
        let [written, filtered, expired, rejected] =
            [counts.written, counts.filtered(), counts.expired, counts.rejected()].map(text::count);
        writeln!(
            f,
            "{} read = {written} written + {filtered} filtered + {expired} expired + {rejected} \
             rejected",
            text::plural(counts.read, "record")
        )
    }
}

/// What the run in a work directory is; `None` when there is none.
///
/// # Errors
///
/// The work directory cannot be read.
pub fn recorded(work: &Path) -> Result<Option<MigrationSpec>, Error> {
    Ok(WorkDir::new(work).run::<Run>()?.map(|run| run.spec))
}

/// Compares the files of the run in a work directory with its source, or with `from` instead.
///
/// # Errors
///
/// There is no run, it is not finished, or either side cannot be read.
pub fn verify_run(
    work: &Path,
    from: Option<Input>,
    options: &MigrationOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Verification, Error> {
    let work = WorkDir::new(work);
    let no_run = || Error::Usage(format!("{} holds no finished run", work.root().display()));
    let run: Run = work.run()?.ok_or_else(no_run)?;
    work.report::<Report>()?.ok_or_else(no_run)?;
    let mut spec = run.spec.clone();
    if let Some(from) = from {
        spec.from = from;
    }
    if spec.salt_check != salt_check(options.salt.as_deref()) {
        return Err(Error::Usage("the salt is not the one that the run hashed with".into()));
    }
    let rejected = rejects::read(&work.rejects())?;
    let as_of = UnixMillis(run.as_of);
    verify_spec(&spec, as_of, &rejected, work.root(), options, interrupt, progress)
}

/// Compares a table with a source, whoever wrote it. `folder` is for what memory does not hold.
///
/// # Errors
///
/// What is held is no table, or either side cannot be read.
#[cfg(feature = "live")]
pub fn verify_table(
    spec: &MigrationSpec,
    folder: &Path,
    options: &MigrationOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Verification, Error> {
    if table_name(&spec.to).is_none() {
        return Err(Error::Usage(format!("{} is no table", spec.to)));
    }
    verify_spec(spec, options.now, &[], folder, options, interrupt, progress)
}

fn verify_spec(
    spec: &MigrationSpec,
    as_of: UnixMillis,
    rejected: &[Rejected],
    folder: &Path,
    options: &MigrationOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Verification, Error> {
    let mapping = spec.mapping(options)?;
    let target = Target::find(spec, &mapping, options)?;
    let open = || spec.from.open(&spec.selection, &options.reach);
    #[cfg(feature = "live")]
    if let Target::Table(table) = &target {
        // What has expired by now may be gone from either side.
        let mapping = mapping.with_as_of(options.now);
        let beside = match spec.load.stage.as_deref() {
            Some(stage) => table.place(stage),
            None => folder.display().to_string().into(),
        };
        let scan = ScanTableOptions::default().with_consistent(true);
        let reader = TableReader::new(table.db(), table.name(), beside, scan)?;
        let verify_options = VerifyOptions::new(&open, &reader, &mapping, folder);
        let verify_options =
            of_run(verify_options, spec, rejected, options.jobs).with_repair(options.repair);
        return match options.sample {
            Some(records) => verify_sample(&verify_options, records, interrupt, progress),
            None => verify(&verify_options, interrupt, progress),
        };
    }
    #[cfg(feature = "live")]
    if options.sample.is_some() || options.repair != Repair::Nothing {
        let reason = "only a table is sampled or repaired: files are compared whole";
        return Err(Error::Usage(reason.into()));
    }
    let mapping = mapping.with_as_of(as_of);
    let reader = ImportReader::open(target.files(spec)?).map_err(Error::Target)?;
    let verify_options = VerifyOptions::new(&open, &reader, &mapping, folder);
    verify(&of_run(verify_options, spec, rejected, options.jobs), interrupt, progress)
}

fn of_run<'a>(
    options: VerifyOptions<'a>,
    spec: &MigrationSpec,
    rejected: &[Rejected],
    jobs: NonZeroUsize,
) -> VerifyOptions<'a> {
    options
        .with_rejected(rejected.iter().filter_map(Rejected::kept_from_files))
        .with_ordered(spec.from.is_ordered())
        .with_jobs(jobs)
}
