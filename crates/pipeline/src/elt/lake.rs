//! Export to lake.

use std::{fmt, path::Path};

use keystar_lake::{Lake, LakeOptions, LoadInput};
use keystar_star::Model;
use serde::Serialize;

use super::{
    Error, Job, Landed, Origin, Places, Start,
    ledger::{Drift, Work},
    modelling::model,
    pending::{Pending, Todo, write_notes},
    reading,
};
use crate::units;

/// So many differences are told on a terminal; the page has all of them.
const SHOWN: usize = 12;

/// The exports that went into the lake.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LakeReport {
    /// Where they were looked for.
    pub from: String,
    /// The lake.
    pub lake: String,
    /// The exports, in order.
    pub landed: Vec<Landed>,
    /// Exports that are older than what the lake holds.
    pub passed_over: Vec<String>,
    /// What a user should hear of the exports.
    pub remarks: Vec<String>,
}

impl LakeReport {
    /// Items, and members of lists and maps in items, that were set aside.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.landed.iter().map(Landed::set_aside).sum()
    }
}

/// Takes every export that the lake lacks into it, in order.
///
/// # Errors
///
/// As [`run`](super::run).
pub fn lake(
    from: &Origin,
    places: &Places,
    start: Start,
    job: &Job<'_>,
) -> Result<LakeReport, Error> {
    let model = model(&places.model()?)?;
    let work = Work::new(places.work()?);
    let mark = work.begin(&from.place, &job.now.to_string(), start)?;
    let folder = places.lake()?;
    let go = || {
        let lake = Lake::open(&folder).map_err(Error::Lake)?;
        let table = work.ledger()?.table;
        let anew = start == Start::Restart;
        let pending = Pending::find(from, lake.manifest(), table.as_deref(), anew)?;
        let mut landed = Vec::new();
        for todo in &pending.todo {
            landed.push(land(&model, &folder, todo, pending.table.as_deref(), &work, job)?);
        }
        let lake = folder.display().to_string();
        let Pending { passed_over, remarks, .. } = pending;
        Ok(LakeReport { from: from.place.clone(), lake, landed, passed_over, remarks })
    };
    mark.end(go())
}

/// Takes one export into the lake.
pub(super) fn land(
    model: &Model,
    folder: &Path,
    todo: &Todo,
    table: Option<&str>,
    work: &Work,
    job: &Job<'_>,
) -> Result<Landed, Error> {
    let info = todo.export.info();
    let go = || {
        let begun = std::time::Instant::now();
        let lake = Lake::open(folder).map_err(Error::Lake)?;
        let run_id = job.now.to_string();
        let input = LoadInput::new(&todo.id, todo.kind, run_id);
        let build = lake.begin(model, input, LakeOptions::default()).map_err(Error::Lake)?;
        let tasks = reading::read(
            &todo.export,
            job,
            |index| build.task(index).map_err(Error::Lake),
            |task, block| {
                task.push(block.file(), block.first_line(), block.bytes()).map_err(Error::Lake)
            },
            |task| task.finish().map_err(Error::Lake),
        )?;
        let report = build.commit(tasks).map_err(Error::Lake)?;
        let counts = &report.counts;
        let drift = counts.drift.iter().flat_map(|(entity, attributes)| {
            attributes.iter().map(|(attribute, values)| Drift {
                entity: entity.clone(),
                attribute: attribute.clone(),
                values: *values,
            })
        });
        let evolved = report.evolved.iter().flat_map(|(entity, columns)| {
            columns.iter().map(move |column| format!("{entity}.{} is {}", column.name, column.ty))
        });
        let by_reason = |counts: &std::collections::BTreeMap<keystar_lake::Reason, u64>| {
            counts.iter().map(|(reason, count)| (reason.to_string(), *count)).collect()
        };
        Ok(Landed {
            id: todo.id.clone(),
            read: counts.read,
            written: counts.written,
            removed: counts.removed,
            rows: counts.rows.clone(),
            unknown: counts.unknown,
            rejects: by_reason(&counts.rejects),
            rejected_members: by_reason(&counts.rejected_members),
            replaced: report.replaced,
            outdated: report.outdated,
            rejects_at: (counts.rejected() + counts.rejected_members.values().sum::<u64>()
                > counts.discarded)
                .then(|| lake.rejects(&todo.id)),
            evolved: evolved.collect(),
            left_out: report.left_out,
            drift: drift.collect(),
            files: report.files,
            bytes: report.bytes,
            seconds: begun.elapsed().as_secs_f64(),
            ..Landed::of(info)
        })
    };
    let landed = job.step("lake", info.stored_bytes, go, |landed, seconds| {
        let items = units::plural(landed.read, "item");
        let rows =
            landed.rows.iter().map(|(entity, rows)| format!("{} {entity}", units::count(*rows)));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let aside = match landed.set_aside() {
            0 => String::new(),
            aside => format!("; {} set aside", units::count(aside)),
        };
        format!("{items} to {rows}{aside}, in {seconds:.1} s")
    })?;
    // After the lake's commit: what is lost in between is told by the lake's own manifest.
    let mut ledger = work.ledger()?;
    if landed.kind != "incremental" {
        ledger.landed.clear();
    }
    ledger.table = table.map(str::to_owned);
    ledger.landed.push(landed.clone());
    work.save(&ledger)?;
    Ok(landed)
}

impl fmt::Display for LakeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.landed.is_empty() {
            writeln!(f, "nothing new in {}", self.from)?;
        }
        for landed in &self.landed {
            write!(f, "{landed}")?;
        }
        write_notes(f, &self.passed_over, &self.remarks)
    }
}

impl fmt::Display for Landed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, covers, .. } = self;
        let title = format!("{kind} {id} {covers}");
        writeln!(f, "{}\n", title.trim_end())?;
        let line = |f: &mut fmt::Formatter<'_>, number: u64, what: &str, more: &str| {
            let text = format!("{:>14}  {what:<9} {more}", units::count(number));
            writeln!(f, "{}", text.trim_end())
        };
        let list = |counts: &std::collections::BTreeMap<String, u64>| {
            let parts = counts.iter();
            let parts = parts.map(|(what, number)| format!("{what} {}", units::count(*number)));
            parts.collect::<Vec<_>>().join(", ")
        };
        line(f, self.read, "read", "")?;
        line(f, self.written, "written", &list(&self.rows))?;
        if kind == "incremental" {
            line(f, self.removed, "removed", "")?;
        }
        let unknown = if self.unknown > 0 { "kept in type=_unknown" } else { "" };
        line(f, self.unknown, "unknown", unknown)?;
        line(f, self.rejected(), "rejected", &list(&self.rejects))?;
        writeln!(f)?;
        if !self.rejected_members.is_empty() {
            let members = list(&self.rejected_members);
            writeln!(f, "members of lists and maps that were set aside: {members}")?;
        }
        if let Some(path) = &self.rejects_at {
            writeln!(f, "what was set aside is in {}", path.display())?;
        }
        if !self.drift.is_empty() {
            let parts = self.drift.iter().take(SHOWN).map(|drift| {
                format!("{}.{} {}", drift.entity, drift.attribute, units::count(drift.values))
            });
            let more = match self.drift.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(", and {} more", units::count(more as u64)),
            };
            let parts = parts.collect::<Vec<_>>().join(", ");
            writeln!(f, "not as in the model, in values: {parts}{more}")?;
        }
        for column in &self.evolved {
            writeln!(f, "new or wider: {column}")?;
        }
        if self.left_out > 0 {
            writeln!(f, "left out: {}", units::plural(self.left_out, "value"))?;
        }
        if self.outdated > 0 {
            let rows = units::plural(self.outdated, "row");
            writeln!(f, "not taken, since the lake has newer ones: {rows}")?;
        }
        if !self.adds_up() {
            writeln!(f, "warning: the numbers of items do not add up")?;
        }
        let (files, bytes) = (units::plural(self.files, "file"), units::bytes(self.bytes));
        writeln!(f, "the lake has {files}, {bytes}; it took {:.1} s\n", self.seconds)
    }
}
