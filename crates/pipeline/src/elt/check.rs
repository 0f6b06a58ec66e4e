use std::{fmt, fs};

use keystar_lake::Lake;
use keystar_sql::Plan;
use keystar_star::{Lock, Model};
use keystar_transfer::Export;
use keystar_warehouse::{Embedded, EmbeddedOptions};
use serde::{Serialize, Serializer};

use super::{Error, Places, modelling::model};
use crate::{Checks, State, units};

/// What was looked at, and the first thing that a run would fail at.
#[derive(Debug)]
pub struct Checked {
    checks: Checks,
    error: Option<Error>,
}

impl Checked {
    /// Why a run would fail.
    #[must_use]
    pub fn into_error(self) -> Option<Error> {
        self.error
    }

    fn look(&mut self, name: &'static str, look: impl FnOnce(&mut Checks) -> Result<(), Error>) {
        let Err(error) = look(&mut self.checks) else { return };
        let mut found = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            found = format!("{found}: {cause}");
            source = cause.source();
        }
        self.checks.push(name, State::Failed, found);
        self.error.get_or_insert(error);
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.fmt(f)
    }
}

impl Serialize for Checked {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.checks.serialize(out)
    }
}

/// Can a run begin? Everything is touched as a run touches it, and nothing is left behind.
///
/// # Errors
///
/// [`Error::Usage`] where the model's place is not known; all else is in the result.
pub fn check(from: Option<&str>, places: &Places) -> Result<Checked, Error> {
    let mut checked = Checked { checks: Checks::default(), error: None };
    let file = places.model()?;
    let mut found = None;
    checked.look("model", |checks| {
        let model = model(&file)?;
        let plan = Plan::new(&model).map_err(Error::Sql)?;
        let entities = match model.entities.len() {
            1 => "1 entity".to_owned(),
            many => format!("{many} entities"),
        };
        let parts = [
            entities,
            units::plural(model.dimensions.len() as u64, "dimension"),
            units::plural(model.facts.len() as u64, "fact"),
            units::plural(plan.tests.len() as u64, "data test"),
        ];
        checks.push("model", State::Ok, format!("{}: {}", file.display(), parts.join(", ")));
        found = Some(model);
        Ok(())
    });
    if let Some(from) = from {
        checked.look("export", |checks| export(from, checks));
    }
    if let (Some(model), true) = (&found, places.has_lake()) {
        checked.look("lake", |checks| lake(model, places, checks));
    }
    if places.has_warehouse() {
        checked.look("warehouse", |checks| warehouse(places, checks));
    }
    Ok(checked)
}

fn export(from: &str, checks: &mut Checks) -> Result<(), Error> {
    for export in Export::open_all(from).map_err(Error::Export)? {
        let info = export.info();
        let stored = units::bytes(info.stored_bytes);
        let files = units::plural(export.files().len() as u64, "file");
        checks.push("export", State::Ok, format!("{info}, {files}, {stored}"));
        for remark in &info.remarks {
            checks.push("export", State::Warning, remark.clone());
        }
    }
    Ok(())
}

fn lake(model: &Model, places: &Places, checks: &mut Checks) -> Result<(), Error> {
    let folder = places.lake()?;
    let lake = Lake::open(&folder).map_err(Error::Lake)?;
    let Some(manifest) = lake.manifest() else {
        let there = fs::exists(&folder).unwrap_or(false);
        let found = if there { "holds none yet" } else { "will be made" };
        checks.push("lake", State::Ok, format!("{}: {found}", folder.display()));
        return Ok(());
    };
    let lock = Lock::parse(&manifest.lock).map_err(Error::Lock)?;
    let new = lock.reconcile(model).map_err(Error::Lock)?;
    let count =
        |lock: &Lock| lock.entities().map(|entity| lock.columns(entity).len()).sum::<usize>();
    let added = count(&new) - count(&lock);
    let found = match added {
        0 => "its columns fit".to_owned(),
        _ => format!("{} will be appended", units::plural(added as u64, "column")),
    };
    checks.push("lake", State::Ok, format!("{}: {found}", folder.display()));
    for entity in &model.entities {
        for column in new.vanished(entity) {
            let found =
                format!("{}.{} is not in the model: it stays, as NULL", entity.name, column.name);
            checks.push("lake", State::Warning, found);
        }
    }
    Ok(())
}

fn warehouse(places: &Places, checks: &mut Checks) -> Result<(), Error> {
    let folder = places.warehouse()?;
    let embedded = Embedded::open(&folder, EmbeddedOptions::default()).map_err(Error::Warehouse)?;
    let found = match embedded.status().map_err(Error::Warehouse)? {
        Some(commit) => {
            let tables = units::plural(commit.tables.len() as u64, "table");
            format!("commit {}, {tables}", commit.number)
        }
        None => "will be made".to_owned(),
    };
    checks.push("warehouse", State::Ok, format!("{}: {found}", folder.display()));
    Ok(())
}
