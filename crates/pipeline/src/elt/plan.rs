//! A dry run.

use std::fmt;

use keystar_lake::Lake;
use keystar_sql::{DataFusion, Plan};
use keystar_star::{Lock, Model};
use serde::Serialize;

use super::{
    Error, Origin, Places,
    ledger::Work,
    modelling::{model, sql},
    pending::{Pending, write_notes},
};
use crate::units;

/// What a run would do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// Where the exports were looked for.
    pub from: String,
    /// The exports that would be read, in order.
    pub exports: Vec<PlannedExport>,
    /// Exports that are older than what the lake holds.
    pub passed_over: Vec<String>,
    /// What a user should hear of the exports.
    pub remarks: Vec<String>,
    /// Columns that the lake would get.
    pub columns: Vec<PlannedColumn>,
    /// The steps of a load.
    pub steps: Vec<String>,
    /// Its data tests.
    pub tests: Vec<String>,
    #[serde(skip)]
    sql: String,
}

/// An export that would be read.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlannedExport {
    /// The export, in a line.
    pub export: String,
    /// Items in it, if its manifest counts them.
    pub items: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Their bytes as stored.
    pub stored_bytes: u64,
}

/// A column that the lake would get, or that would grow.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlannedColumn {
    /// The entity.
    pub entity: String,
    /// The column.
    pub column: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its type in the lake as it is; `None` for a new column.
    pub was: Option<String>,
}

/// Tells what a run would do, from manifests, the lake's lock and the model alone.
///
/// # Errors
///
/// What a run would fail at before it begins.
pub fn plan(from: &Origin, places: &Places) -> Result<Forecast, Error> {
    let model = model(&places.model()?)?;
    let steps = Plan::new(&model).map_err(Error::Sql)?;
    let lake = Lake::open(&places.lake()?).map_err(Error::Lake)?;
    let table = Work::new(places.work()?).ledger()?.table;
    let pending = Pending::find(from, lake.manifest(), table.as_deref(), false)?;
    let exports = pending.todo.iter().map(|todo| {
        let info = todo.export.info();
        PlannedExport {
            export: info.to_string(),
            items: info.items,
            files: todo.export.files().len() as u64,
            stored_bytes: info.stored_bytes,
        }
    });
    let lock = match lake.manifest() {
        Some(manifest) => Lock::parse(&manifest.lock).map_err(Error::Lock)?,
        None => Lock::default(),
    };
    Ok(Forecast {
        from: from.place.clone(),
        exports: exports.collect(),
        passed_over: pending.passed_over,
        remarks: pending.remarks,
        columns: columns(&lock, &model)?,
        steps: steps.steps.iter().map(|step| step.name.clone()).collect(),
        tests: steps.tests.iter().map(|test| test.name.clone()).collect(),
        sql: sql(&steps, &DataFusion)?,
    })
}

fn columns(lock: &Lock, model: &Model) -> Result<Vec<PlannedColumn>, Error> {
    let new = lock.reconcile(model).map_err(Error::Lock)?;
    let mut columns = Vec::new();
    for entity in new.entities() {
        for column in new.columns(entity) {
            let before = lock.columns(entity).iter().find(|old| old.name == column.name);
            if before.is_some_and(|old| old.ty == column.ty) {
                continue;
            }
            columns.push(PlannedColumn {
                entity: entity.to_string(),
                column: column.name.to_string(),
                ty: column.ty.to_string(),
                was: before.map(|old| old.ty.to_string()),
            });
        }
    }
    Ok(columns)
}

impl Forecast {
    /// The SQL of the load.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exports.is_empty() {
            writeln!(f, "nothing new in {}: a run would change nothing", self.from)?;
        }
        for export in &self.exports {
            let (files, stored) =
                (units::plural(export.files, "file"), units::bytes(export.stored_bytes));
            writeln!(f, "read {}, in {files}, {stored}", export.export)?;
        }
        write_notes(f, &self.passed_over, &self.remarks)?;
        if !self.columns.is_empty() {
            writeln!(f, "\ncolumns of the lake")?;
        }
        let width =
            |name: fn(&PlannedColumn) -> usize| self.columns.iter().map(name).max().unwrap_or(0);
        let wide = width(|column| column.entity.len() + 1 + column.column.len());
        for PlannedColumn { entity, column, ty, was } in &self.columns {
            let name = format!("{entity}.{column}");
            match was {
                Some(was) => writeln!(f, "  {name:<wide$}  {ty}, was {was}")?,
                None => writeln!(f, "  {name:<wide$}  {ty}")?,
            }
        }
        writeln!(f, "\nsteps of the load")?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        let tests = units::plural(self.tests.len() as u64, "data test");
        writeln!(f, "\n{tests} before the commit")?;
        writeln!(f, "`elt plan --sql` prints the SQL of all of them")
    }
}
