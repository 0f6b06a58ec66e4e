//! What runs have done so far: `WORK/ledger.json`.
//!
//! What holds is in the lake's manifest and in the warehouse's commit; the ledger remembers how it
//! came to that, for `status`, `verify` and `report`. A ledger that is lost costs a load, not data.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use keystar_transfer::{ExportInfo, ExportKind};
use keystar_warehouse::LoadReport;
use serde::{Deserialize, Serialize};

use super::{Error, Start};
use crate::workdir::write_json;

const VERSION: u32 = 1;
const LEDGER: &str = "ledger.json";
const RUNNING: &str = "running.json";

/// What runs have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    version: u32,
    /// The table's ARN: exports of another table are refused.
    pub(super) table: Option<String>,
    /// The exports, in the order in which they went into the lake, from the last full one.
    pub(super) landed: Vec<Landed>,
    /// The last load that ended well.
    pub(super) loaded: Option<Loaded>,
}

/// A run that is at work, or died at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Running {
    from: String,
    since: String,
}

/// An export that went into the lake, and what became of its items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Landed {
    /// The export's id.
    pub id: String,
    /// `full`, `incremental` or `items`.
    pub kind: String,
    /// What it covers: `as of …`, `from … to …`.
    pub covers: String,
    /// Items or changes, as its manifest counts them.
    pub items: Option<u64>,
    /// Items or changes that were read.
    pub read: u64,
    /// Items that became a row of their entity.
    pub written: u64,
    /// Changes that remove an item.
    pub removed: u64,
    /// Rows by entity: those of the items, and of the lists and maps in them.
    pub rows: BTreeMap<String, u64>,
    /// Items that are of no entity; they are in the lake as they are.
    pub unknown: u64,
    /// Items that were set aside, by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Members of lists and maps that were set aside, by reason; their items are there.
    pub rejected_members: BTreeMap<String, u64>,
    /// Where all of those are.
    pub rejects_at: Option<PathBuf>,
    /// Where items differ from the model, and how often.
    pub drift: Vec<Drift>,
    /// Columns of the lake that came or grew with it.
    pub evolved: Vec<String>,
    /// Values that no column could be made for.
    pub left_out: u64,
    /// Rows of the lake that it replaced or removed.
    pub replaced: u64,
    /// Rows that were not taken, since the lake has newer ones.
    pub outdated: u64,
    /// Files of the lake afterwards.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

/// A difference between items and model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drift {
    /// The entity.
    pub entity: String,
    /// The attribute.
    pub attribute: String,
    /// How many values differ.
    pub values: u64,
}

/// A load that ended well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Loaded {
    /// The warehouse's commit.
    pub commit: u64,
    /// Whether it changed nothing.
    pub unchanged: bool,
    /// What was loaded: the lake's commit, and the model.
    pub source: String,
    /// The tables of the star, with their rows.
    pub tables: BTreeMap<String, u64>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The data tests, all of which passed.
    pub tests: Vec<DataTest>,
    /// How long it took.
    pub seconds: f64,
}

/// A step of a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// What it does.
    pub name: String,
    /// The table that it writes.
    pub table: String,
    /// The rows that it gave, where it is run by itself.
    pub rows: Option<u64>,
    /// Whether it was done on disk, since its joins did not fit in memory.
    #[serde(default)]
    pub on_disk: bool,
    /// How long it took.
    pub seconds: f64,
}

/// A data test that passed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataTest {
    /// Its name.
    pub name: String,
    /// What it proves.
    pub proves: String,
}

impl Landed {
    pub(super) fn of(info: &ExportInfo) -> Self {
        let (kind, covers) = match info.kind {
            ExportKind::Full { export_time } => ("full", format!("as of {export_time}")),
            ExportKind::Incremental { from, to, .. } => {
                ("incremental", format!("from {from} to {to}"))
            }
            _ => ("items", String::new()),
        };
        let (id, kind) = (info.id.clone(), kind.to_owned());
        Self { id, kind, covers, items: info.items, ..Self::default() }
    }

    /// Items that were set aside.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// Items, and members of lists and maps in items, that were set aside.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.rejected() + self.rejected_members.values().sum::<u64>()
    }

    /// Whether every item is accounted for, from the manifest to the lake.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let ends = self.written + self.removed + self.unknown + self.rejected();
        self.items.is_none_or(|items| items == self.read) && self.read == ends
    }
}

impl Loaded {
    pub(super) fn of(report: &LoadReport, source: String) -> Self {
        let commit = &report.commit;
        let tables = commit.tables.iter();
        let tables = tables.map(|table| (format!("{}.{}", table.schema, table.name), table.rows));
        let steps = report.steps.iter().map(|step| Step {
            name: step.name.clone(),
            table: step.table.clone(),
            rows: step.rows,
            on_disk: step.on_disk,
            seconds: step.elapsed.as_secs_f64(),
        });
        let tests = report.tests.iter();
        let tests =
            tests.map(|test| DataTest { name: test.name.clone(), proves: test.explains.clone() });
        Self {
            commit: commit.number,
            unchanged: report.unchanged,
            source,
            tables: tables.collect(),
            steps: steps.collect(),
            tests: tests.collect(),
            seconds: report.elapsed.as_secs_f64(),
        }
    }
}

/// The folder of a ledger.
#[derive(Clone, Debug)]
pub(super) struct Work(PathBuf);

impl Work {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(super) fn ledger(&self) -> Result<Ledger, Error> {
        let ledger: Ledger = self.read(LEDGER)?.unwrap_or_default();
        if ledger.version > VERSION {
            let path = self.0.join(LEDGER);
            let newer = io::Error::other("it was written by a newer version of elt");
            return Err(Error::file(&path, newer));
        }
        Ok(ledger)
    }

    pub(super) fn save(&self, ledger: &Ledger) -> Result<(), Error> {
        self.write(LEDGER, &Ledger { version: VERSION, ..ledger.clone() })
    }

    /// Since when a run is at work, or was when it died.
    pub(super) fn running(&self) -> Result<Option<String>, Error> {
        Ok(self.read::<Running>(RUNNING)?.map(|running| running.since))
    }

    /// Marks the folder as that of a run that is at work. Whoever finds the mark without having
    /// been told to go on stops.
    pub(super) fn begin(&self, from: &str, now: &str, start: Start) -> Result<Mark, Error> {
        if let (Some(since), Start::Fresh) = (self.running()?, start) {
            return Err(Error::Unfinished { path: self.0.clone(), since });
        }
        self.write(RUNNING, &Running { from: from.to_owned(), since: now.to_owned() })?;
        Ok(Mark { path: self.0.join(RUNNING), keep: false })
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::file(&path, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file(&path, error)),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        fs::create_dir_all(&self.0).map_err(|error| Error::file(&self.0, error))?;
        let path: &Path = &self.0.join(name);
        write_json(path, value).map_err(|error| Error::file(path, error))
    }
}

/// The mark of a run at work; it goes when the run ends, well or not, and stays when it is killed or
/// interrupted.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    keep: bool,
}

impl Mark {
    /// Looks at how the run ended.
    pub(super) fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.keep = matches!(result, Err(Error::Interrupted));
        result
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if !self.keep {
            // A mark that stays only makes the next run ask for --resume.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_not_end_is_gone_on_with_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let work = Work::new(dir.path().join("run"));
        let mark = work.begin("from", "2026-01-01T00:00:00Z", Start::Fresh).unwrap();
        let error = work.begin("from", "now", Start::Fresh).unwrap_err();
        assert!(error.to_string().ends_with("a run of 2026-01-01T00:00:00Z that has not ended"));
        assert!(mark.end::<()>(Err(Error::Interrupted)).is_err());
        assert!(work.begin("from", "now", Start::Fresh).is_err(), "interrupted, not ended");
        let mark = work.begin("from", "now", Start::Resume).unwrap();
        assert!(mark.end::<()>(Err(Error::Usage(String::new()))).is_err());
        assert!(work.begin("from", "now", Start::Fresh).is_ok(), "a failure is an end");
    }

    #[test]
    fn an_item_that_is_nowhere_is_noticed() {
        let mut landed =
            Landed { items: Some(5), read: 5, unknown: 1, written: 3, ..Landed::default() };
        assert!(!landed.adds_up());
        landed.rejects.insert("wrong-type".to_owned(), 1);
        assert!(landed.adds_up());
        landed.items = Some(6);
        assert!(!landed.adds_up());
    }
}
