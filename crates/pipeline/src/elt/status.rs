use std::{collections::BTreeMap, fmt};

use keystar_lake::Lake;
use keystar_warehouse::{Embedded, EmbeddedOptions};
use serde::Serialize;

use super::{Error, Origin, Places, ledger::Work, pending::Pending};
use crate::units;

/// What the lake and the warehouse hold.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Since when a run is at work, or was when it died.
    pub running: Option<String>,
    /// The lake; `None` while there is none.
    pub lake: Option<LakeStatus>,
    /// The warehouse; `None` while there is none.
    pub warehouse: Option<WarehouseStatus>,
    /// Exports that the lake lacks, if exports were looked at.
    pub pending: Option<Vec<String>>,
}

/// What a lake holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LakeStatus {
    /// Its folder.
    pub folder: String,
    /// How many commits it had.
    pub commit: u64,
    /// The exports in it.
    pub exports: Vec<String>,
    /// Rows by entity.
    pub rows: BTreeMap<String, u64>,
    /// Bytes of its files.
    pub bytes: u64,
}

/// What a warehouse holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WarehouseStatus {
    /// Its folder.
    pub folder: String,
    /// Its commit.
    pub commit: u64,
    /// When that was made.
    pub loaded_at: String,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Bytes of its files.
    pub bytes: u64,
}

/// Looks at the places that are known.
///
/// # Errors
///
/// [`Error::Usage`] where neither a lake nor a warehouse is named, and what cannot be read.
pub fn status(from: Option<&str>, places: &Places) -> Result<Status, Error> {
    if !places.has_lake() {
        places.warehouse()?;
    }
    let mut status = Status { running: None, lake: None, warehouse: None, pending: None };
    if places.has_lake() {
        let folder = places.lake()?;
        let lake = Lake::open(&folder).map_err(Error::Lake)?;
        let work = Work::new(places.work()?);
        status.running = work.running()?;
        if let Some(from) = from {
            let table = work.ledger()?.table;
            let from = Origin::new(from).with_over_gaps(true);
            let pending = Pending::find(&from, lake.manifest(), table.as_deref(), false)?;
            let todo = pending.todo.iter().map(|todo| todo.export.info().to_string());
            status.pending = Some(todo.collect());
        }
        status.lake = lake.manifest().map(|manifest| {
            let files = manifest.entities.values().flat_map(|entity| &entity.files);
            let entities = manifest.entities.iter();
            let rows = entities.map(|(name, entity)| (name.clone(), entity.rows));
            LakeStatus {
                folder: folder.display().to_string(),
                commit: manifest.commit,
                exports: manifest.applied.iter().map(|it| it.export_id.clone()).collect(),
                rows: rows.filter(|(name, rows)| name != "_unknown" || *rows > 0).collect(),
                bytes: files.map(|file| file.bytes).sum(),
            }
        });
    }
    if places.has_warehouse() {
        let folder = places.warehouse()?;
        let embedded =
            Embedded::open(&folder, EmbeddedOptions::default()).map_err(Error::Warehouse)?;
        status.warehouse = embedded.status().map_err(Error::Warehouse)?.map(|commit| {
            let rows = commit.tables.iter();
            let rows = rows.map(|table| (format!("{}.{}", table.schema, table.name), table.rows));
            WarehouseStatus {
                folder: folder.display().to_string(),
                commit: commit.number,
                loaded_at: units::moment(commit.loaded_at.div_euclid(1000)),
                rows: rows.collect(),
                bytes: commit.bytes(),
            }
        });
    }
    Ok(status)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = |f: &mut fmt::Formatter<'_>, rows: &BTreeMap<String, u64>| {
            rows.iter()
                .try_for_each(|(name, rows)| writeln!(f, "{:>14}  {name}", units::count(*rows)))
        };
        if let Some(since) = &self.running {
            writeln!(f, "a run of {since} has not ended; `elt run --resume` goes on with it\n")?;
        }
        match &self.lake {
            Some(lake) => {
                let bytes = units::bytes(lake.bytes);
                writeln!(f, "lake {}: commit {}, {bytes}", lake.folder, lake.commit)?;
                for export in &lake.exports {
                    writeln!(f, "  holds {export}")?;
                }
                rows(f, &lake.rows)?;
            }
            None => writeln!(f, "no lake yet")?,
        }
        match &self.warehouse {
            Some(warehouse) => {
                let WarehouseStatus { folder, commit, loaded_at, bytes, .. } = warehouse;
                let bytes = units::bytes(*bytes);
                writeln!(f, "\nwarehouse {folder}: commit {commit} of {loaded_at}, {bytes}")?;
                rows(f, &warehouse.rows)?;
            }
            None => writeln!(f, "\nno warehouse yet")?,
        }
        match self.pending.as_deref() {
            None => Ok(()),
            Some([]) => writeln!(f, "\nnothing new to load"),
            Some(pending) => {
                writeln!(f, "\nto be loaded")?;
                pending.iter().try_for_each(|export| writeln!(f, "  {export}"))
            }
        }
    }
}
