//! The table that items go into: made or looked at before a run reads anything, loaded, and given
//! the rest of its settings in the end.

use std::{io::Read, ops::ControlFlow, path::Path, time::Duration};

use keystar_item::{Item, KeySchema};
use keystar_mapping::{Mapping, StreamImages, TableSettings};
use keystar_transfer::{
    AfterLoad, Aws, BulkPut, DynamoDb, Encryption, ImportFile, ImportJob, ImportProgress,
    ImportReader, ImportSample, ImportSource, ImportStatus, ItemError, ItemSink, LiveOptions,
    LiveWriter, Manifest, Mark, Offloads, Place, Put, ScanTableOptions, StreamView, TableExtras,
    TableItems, TableName,
};
use serde::{Deserialize, Serialize};

use crate::{
    Checks, Error, Interrupt, Load, Loaded, MigrationOptions, Progress, Reach, Report, State,
    load::{By, Present},
    migration::{self, Run, SealedFiles},
    names::Names,
    refusals::Refusals,
    text::{count, plural},
    workdir::{LOAD, WorkDir},
};

/// How long a new table may take to be there.
const PATIENCE: Duration = Duration::from_secs(600);
/// What the name of a table for trials ends with.
const SAMPLE: &str = "-sample";
/// Refused items that the report tells.
const TOLD: usize = 1000;

/// A table, and whom we ask for it.
#[derive(Debug)]
pub(crate) struct TableTarget {
    aws: Aws,
    db: DynamoDb,
    table: keystar_item::Table,
    name: TableName,
    settings: TableSettings,
    load: Load,
}

/// Reads a table, to compare it with a source.
#[derive(Debug)]
pub struct TableReader {
    db: DynamoDb,
    name: TableName,
    beside: Offloads,
    options: ScanTableOptions,
}

impl TableReader {
    /// Reads a table in so many segments at once, and the values beside its items from a place.
    ///
    /// # Errors
    ///
    /// The place is none.
    pub fn new(
        db: &DynamoDb,
        name: &TableName,
        beside: impl Into<Place>,
        options: ScanTableOptions,
    ) -> Result<Self, Error> {
        let beside = Offloads::open(beside).map_err(Error::Target)?;
        Ok(Self { db: db.clone(), name: name.clone(), beside, options })
    }

    /// Begins a scan of the whole table.
    pub(crate) fn scan(&self) -> Result<TableItems, Error> {
        TableItems::open(&self.db, &self.name, self.options.clone()).map_err(Error::Target)
    }

    /// The table's items of these items' keys, as they are now.
    pub(crate) fn get_many(
        &self,
        key: &KeySchema,
        keys: &[Item<'_>],
    ) -> Result<Vec<Option<Item<'static>>>, Error> {
        self.db.get_many(&self.name, key, keys, true).map_err(Error::Target)
    }

    pub(crate) fn put_many(&self, key: &KeySchema, items: &[Item<'_>]) -> Result<(), Error> {
        self.db.put_many(&self.name, key, items).map_err(Error::Target)
    }

    pub(crate) fn delete_many(&self, key: &KeySchema, items: &[Item<'_>]) -> Result<(), Error> {
        self.db.delete_many(&self.name, key, items).map_err(Error::Target)
    }

    pub(crate) fn beside(
        &self,
        name: &str,
    ) -> Result<Box<dyn Read + Send>, keystar_transfer::Error> {
        self.beside.read(name)
    }
}

/// What a service loaded, and what it was to load.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) loaded: Loaded,
    /// Whether somebody stopped it, or nobody knows how it ended: it need not have looked at all.
    halted: bool,
    /// What it told of the items that it refused.
    errors: Vec<ItemError>,
    reader: ImportReader,
}

impl Loading {
    /// Why there is something to mend before the load is worth anything, if there is. Items that were
    /// refused are counted and told; whatever else made the service stop, a file that it cannot read
    /// or a person, comes first.
    pub(crate) fn stopped(&self) -> Option<&str> {
        let Loaded { items, errors, failure, .. } = &self.loaded;
        failure.as_deref().filter(|_| self.halted || *items == 0 || *errors == 0)
    }
}

/// What was loaded, whether it was halted, and what was told of refused items.
type Ended = (Loaded, bool, Vec<ItemError>);

/// How a job ended that did not come to its end, where it does not say so itself.
fn ended(status: &ImportStatus) -> Option<String> {
    match status {
        ImportStatus::Completed => None,
        ImportStatus::Cancelled => Some("was cancelled".to_owned()),
        ImportStatus::Other(word) => Some(format!("is {word}, which is not known here")),
        _ => Some("failed, and does not say why".to_owned()),
    }
}

/// A service's job that was begun, as the work directory has it.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    arn: String,
}

impl Begun {
    fn save(work: &WorkDir, arn: &str) -> Result<(), Error> {
        work.save_extra(LOAD, &Self { arn: arn.to_owned() })
    }
}

impl TableTarget {
    pub(crate) fn connect(
        name: &str,
        mapping: &Mapping,
        load: &Load,
        reach: &Reach,
    ) -> Result<Self, Error> {
        let mut table = mapping.table().clone();
        table.name = Some(match load.sample {
            Some(_) => format!("{name}{SAMPLE}"),
            None => name.to_owned(),
        });
        let usage = |error: keystar_transfer::Error| Error::Usage(error.to_string());
        let name: TableName = table.name.as_deref().unwrap_or_default().parse().map_err(usage)?;
        let aws = reach.aws().map_err(Error::Target)?;
        let settings = mapping.settings().clone();
        Ok(Self { db: aws.dynamodb(), aws, table, name, settings, load: load.clone() })
    }

    /// A place in a bucket, reached as the table is.
    pub(crate) fn place(&self, url: &str) -> Place {
        Place::from(url).with_aws(&self.aws)
    }

    pub(crate) fn db(&self) -> &DynamoDb {
        &self.db
    }

    pub(crate) fn name(&self) -> &TableName {
        &self.name
    }

    /// Sees to it that the table is as the way into it needs it, before anything is read: there and
    /// with the mapping's key, or not there where an import will make it.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        if self.load.by == By::Import {
            if self.describe()?.is_some() {
                let table = self.name.to_string();
                return Err(Error::Target(keystar_transfer::Error::TableExists { table }));
            }
            return Ok(());
        }
        if self.load.create && self.describe()?.is_none() {
            let extras = self.extras();
            match self.db.create(&self.table, &extras) {
                // Somebody was quicker.
                Ok(_) | Err(keystar_transfer::Error::TableExists { .. }) => {}
                Err(error) => return Err(Error::Target(error)),
            }
            self.db.wait_active(&self.name, PATIENCE).map_err(Error::Target)?;
        }
        self.db.require(&self.name, &self.table.key).map_err(Error::Target)?;
        Ok(())
    }

    /// Looks at the table as [`prepare`](Self::prepare) does, and makes none.
    pub(crate) fn check(&self, checks: &mut Checks) -> Result<(), Error> {
        let found = self.describe()?;
        let (name, is_import) = (&self.name, self.load.by == By::Import);
        let (state, told) = match found {
            None if is_import => (State::Ok, format!("table {name} will be made by the import")),
            Some(_) if is_import => {
                (State::Failed, format!("table {name} exists, and an import makes its table"))
            }
            None if self.load.create => (State::Ok, format!("table {name} will be made")),
            None => {
                (State::Failed, format!("table {name} does not exist: --create-table makes it"))
            }
            Some(facts) => match self.db.require(name, &self.table.key) {
                Err(error) => (State::Failed, error.to_string()),
                Ok(_) => {
                    let items = plural(facts.item_count, "item");
                    let warm = facts.warm_write_units.map_or_else(String::new, |units| {
                        format!(", takes {} write units a second at once", count(units))
                    });
                    (State::Ok, format!("table {name} has {items}{warm}"))
                }
            },
        };
        checks.push("target", state, told);
        if let Some(stage) = self.load.stage.as_deref() {
            checks.look("stage", &self.place(stage));
        }
        Ok(())
    }

    fn describe(&self) -> Result<Option<keystar_transfer::TableFacts>, Error> {
        self.db.describe(&self.name).map_err(Error::Target)
    }

    /// A sink that writes to it.
    pub(crate) fn writer(
        &self,
        work: &Path,
        mark: Option<&Mark>,
        repeats: bool,
    ) -> Result<Box<dyn ItemSink>, Error> {
        let put = match &self.load.present {
            Present::Replaced => Put::Always,
            Present::Stays => Put::IfAbsent,
            Present::ReplacedIfNewer(attribute) => Put::IfNewer { attribute: attribute.clone() },
        };
        let options = LiveOptions::new(self.table.clone(), work)
            .map_err(Error::Target)?
            .with_put(put)
            .with_units(self.load.units_per_second)
            .with_repeats(repeats);
        let writer = LiveWriter::open(&self.db, options, mark).map_err(Error::Target)?;
        Ok(Box::new(writer))
    }

    /// Has the service load the files that lie at `stage`, and waits for it; `None` if that was
    /// interrupted. Repeated with the same token, it comes back to the job that was begun.
    pub(crate) fn load(
        &self,
        stage: &str,
        token: &str,
        work: &WorkDir,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<Option<Loading>, Error> {
        let look = |told: &ImportProgress| {
            progress.reach(told.bytes, told.imported_items);
            match interrupt.is_set() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let reader = ImportReader::open(self.place(stage)).map_err(Error::Target)?;
        let Some(manifest) = reader.manifest() else {
            return Err(Error::Usage(format!("{stage} holds no manifest")));
        };
        progress.start(Some(manifest.bytes));
        let loaded = match self.load.by {
            By::Bulk => self.bulk_put(stage, manifest, token, work, look),
            _ => self.import(stage, manifest, token, work, look),
        };
        Ok(loaded?.map(|(loaded, halted, errors)| Loading { loaded, halted, errors, reader }))
    }

    /// The files that the service loads.
    fn files<'m>(&self, manifest: &'m Manifest) -> &'m [ImportFile] {
        let most = self.load.sample.unwrap_or(usize::MAX);
        manifest.files.get(..most.min(manifest.files.len())).unwrap_or_default()
    }

    /// Whether items of the run are not in the table, as far as the service counted.
    pub(crate) fn is_short(&self, load: &Loading) -> bool {
        let files = load.reader.manifest().map(|manifest| self.files(manifest)).unwrap_or_default();
        load.loaded.written < files.iter().map(|file| file.items).sum()
    }

    /// Counts and names as rejected what the service refused, and what it did not load. Leaves the
    /// report incomplete if that was interrupted.
    pub(crate) fn set_aside(
        &self,
        load: &Loading,
        run: &Run,
        options: &MigrationOptions,
        (work, sealed): (&WorkDir, SealedFiles),
        report: &mut Report,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let SealedFiles { mark, gone, mut rejects } = sealed;
        let files = load.reader.manifest().map(|manifest| self.files(manifest));
        let refusals = Refusals::new(files.unwrap_or_default(), load.loaded.written, &load.errors);
        let state = (&*work.spill(), &mark);
        let found = load.reader.written(&self.table, state, refusals.places(), &gone);
        let found = found.map_err(Error::Target)?;
        // A server may be gone by now, and the counts are true without the keys.
        let offsets = Refusals::offsets(&found);
        let names = migration::names(&run.spec, options, &offsets, interrupt);
        let names = names.unwrap_or_else(|error| {
            let told = "the keys of refused records could not be read again";
            report.warnings.push(format!("{told}: {error}"));
            Some(Names::default())
        });
        let Some(names) = names else {
            report.complete = false;
            return Ok(());
        };
        refusals.set_aside(&found, &names, report, &mut rejects)?;
        rejects.commit().map(drop)
    }

    fn bulk_put(
        &self,
        stage: &str,
        manifest: &Manifest,
        token: &str,
        work: &WorkDir,
        look: impl FnMut(&ImportProgress) -> ControlFlow<()>,
    ) -> Result<Option<Ended>, Error> {
        let job = match work.extra::<Begun>(LOAD)? {
            Some(Begun { arn }) => BulkPut::known(&self.db, arn),
            None => {
                let source = ImportSource::of(stage, manifest).map_err(Error::Target)?;
                let report = format!("{}/report/{token}/", stage.trim_end_matches('/'));
                let units = self.load.units_per_second;
                let job = BulkPut::start(&self.db, &source, &self.name, &report, units, token)
                    .map_err(Error::Target)?;
                Begun::save(work, job.arn())?;
                job
            }
        };
        let Some(outcome) = job.wait(look).map_err(Error::Target)? else { return Ok(None) };
        let errors = match outcome.is_complete() {
            true => Vec::new(),
            // The items are where they are, whoever may read the report.
            false => outcome.item_errors(&self.place(stage)).unwrap_or_else(|error| {
                let report = outcome.report.as_deref().unwrap_or("the report");
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let cause = cause.unwrap_or_default();
                let reason = format!("{report} cannot be read: {error}{cause}");
                vec![ItemError::new(None, None, vec![reason])]
            }),
        };
        let failure = outcome.failure.map(|(code, words)| format!("{code}: {words}"));
        let failure = failure.or_else(|| {
            let hint = match outcome.progress.status {
                ImportStatus::Other(_) => "look at it in the console, and resume when it has ended",
                _ => "what was put by then is in the table; run again from the beginning",
            };
            ended(&outcome.progress.status).map(|how| format!("the bulk put {how} ({hint})"))
        });
        Ok(Some(self.loaded(outcome.arn, &outcome.progress, errors, failure)))
    }

    fn import(
        &self,
        stage: &str,
        manifest: &Manifest,
        token: &str,
        work: &WorkDir,
        look: impl FnMut(&ImportProgress) -> ControlFlow<()>,
    ) -> Result<Option<Ended>, Error> {
        let sample = match self.load.sample {
            Some(_) => {
                let files = self.files(manifest);
                let copied = ImportSample::copy(self.place(stage), manifest, files, token);
                Some(copied.map_err(Error::Target)?)
            }
            None => None,
        };
        let job = match work.extra::<Begun>(LOAD)? {
            Some(Begun { arn }) => ImportJob::known(&self.db, arn),
            None => {
                let whole = ImportSource::of(stage, manifest).map_err(Error::Target)?;
                let source = sample.as_ref().map_or(&whole, ImportSample::source);
                let job = ImportJob::start(&self.db, source, &self.table, &self.extras(), token)
                    .map_err(Error::Target)?;
                Begun::save(work, job.arn())?;
                job
            }
        };
        let Some(outcome) = job.wait(look).map_err(Error::Target)? else { return Ok(None) };
        if let Some(sample) = sample {
            sample.remove().map_err(Error::Target)?;
        }
        let hint = outcome.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let failure = match &outcome.failure {
            Some((code, words)) => Some(format!("{code}: {words}{hint}")),
            None => ended(&outcome.progress.status).map(|how| format!("the import {how}{hint}")),
        };
        Ok(Some(self.loaded(outcome.arn, &outcome.progress, outcome.item_errors, failure)))
    }

    fn loaded(
        &self,
        arn: String,
        progress: &ImportProgress,
        errors: Vec<ItemError>,
        failure: Option<String>,
    ) -> Ended {
        let loaded = Loaded {
            arn,
            table: self.name.to_string(),
            items: progress.items,
            written: progress.imported_items,
            errors: progress.errors,
            refused: errors.iter().take(TOLD).map(ToString::to_string).collect(),
            failure,
        };
        let halted = matches!(progress.status, ImportStatus::Cancelled | ImportStatus::Other(_));
        (loaded, halted, errors)
    }

    /// Gives the loaded table what it shall have besides its items.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let settings = &self.settings;
        let mut wanted = AfterLoad::default()
            .with_point_in_time_recovery(settings.point_in_time_recovery)
            .with_deletion_protection(settings.deletion_protection);
        if let (Some(attribute), true) =
            (&self.table.ttl_attribute, settings.expire.unwrap_or(true))
        {
            wanted = wanted.with_ttl_attribute(attribute);
        }
        for (name, value) in &settings.tags {
            wanted = wanted.with_tag(name, value);
        }
        if let Some(stream) = settings.stream {
            wanted = wanted.with_stream(match stream {
                StreamImages::New => StreamView::New,
                StreamImages::Old => StreamView::Old,
                StreamImages::NewAndOld => StreamView::NewAndOld,
                _ => StreamView::Keys,
            });
        }
        self.db.settle(&self.name, &wanted, PATIENCE).map_err(Error::Target)
    }

    fn extras(&self) -> TableExtras {
        let settings = &self.settings;
        TableExtras::default()
            .with_encryption(match settings.encryption.as_deref() {
                None | Some("owned") => Encryption::Owned,
                Some("managed") => Encryption::Managed,
                Some(key) => Encryption::Key(key.to_owned()),
            })
            .with_max_units(settings.max_read_units, settings.max_write_units)
            .with_warm_units(settings.warm_read_units, settings.warm_write_units)
    }
}
