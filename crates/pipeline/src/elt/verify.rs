//! The same counts, sums and checksums, once more, from the export to the facts.

use std::fmt;

use keystar_lake::Lake;
use keystar_sql::{DataFusion, Plan};
use keystar_star::Model;
use serde::{Serialize, Serializer};

use super::{
    Error, Job, Origin, Places,
    growth::strings,
    ledger::{Ledger, Work},
    load::source,
    modelling::model,
    pending::Pending,
    reading,
    store::Store,
};
use crate::{Checks, State, units};

/// What was compared, and what differs.
#[derive(Clone, Debug, Default)]
pub struct Verified(Checks);

impl Verified {
    /// Whether nothing differs.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.0.ok()
    }

    fn compare(&mut self, name: &'static str, same: bool, found: impl Into<String>) {
        self.0.push(name, if same { State::Ok } else { State::Failed }, found);
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Verified {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

/// Compares the export's files with their manifests (if `from` is said), the manifests with what
/// went into the lake, the lake's files with its manifest, the lake with the star, the star's rules
/// with its rows, and the warehouse's files with their checksums.
///
/// # Errors
///
/// What cannot be read at all; a difference is in the result.
pub fn verify(from: Option<&str>, places: &Places, job: &Job<'_>) -> Result<Verified, Error> {
    let model = model(&places.model()?)?;
    let lake = Lake::open(&places.lake()?).map_err(Error::Lake)?;
    let ledger = Work::new(places.work()?).ledger()?;
    let mut verified = Verified::default();
    if let Some(from) = from {
        exports(from, &lake, &ledger, &mut verified, job)?;
    }
    for landed in &ledger.landed {
        let items = landed.items.map_or_else(|| "?".to_owned(), units::count);
        let ends = [
            (landed.written, "written"),
            (landed.removed, "removed"),
            (landed.unknown, "unknown"),
            (landed.rejected(), "rejected"),
        ];
        let ends = ends.into_iter().filter(|(count, _)| *count > 0);
        let ends = ends.map(|(count, what)| format!("{} {what}", units::count(count)));
        let ends = ends.collect::<Vec<_>>().join(" + ");
        let found = format!("{}: {items} in the manifest = {ends}", landed.id);
        verified.compare("items", landed.adds_up(), found);
    }
    let store = Store::open(places, job)?;
    let check = || -> Result<(), Error> {
        lake_rows(&lake, &store, &mut verified)?;
        let Some(commit) = store.commit()? else {
            verified.compare("warehouse", false, "holds nothing yet");
            return Ok(());
        };
        let current = source(&model, lake.manifest());
        if ledger.loaded.as_ref().is_some_and(|loaded| loaded.source == current) {
            facts(&model, &store, &mut verified)?;
            rules(&model, &store, &mut verified)?;
        } else {
            let found =
                format!("commit {} is older than the lake or the model: load it", commit.number);
            verified.0.push("warehouse", State::Warning, found);
        }
        let report = store.embedded.verify().map_err(Error::Warehouse)?;
        let (files, bytes) = (units::plural(report.files, "file"), units::bytes(report.bytes));
        let found = format!("{files}, {bytes}: checksums as committed");
        if report.problems.is_empty() {
            verified.compare("files", true, found);
        }
        for problem in report.problems {
            verified.compare("files", false, format!("{}: {}", problem.file, problem.reason));
        }
        Ok(())
    };
    job.step("verify", 1, check, |(), _| String::new())?;
    Ok(verified)
}

/// Reads the export's files again: their checksums and counts are their manifest's, or it fails.
fn exports(
    from: &str,
    lake: &Lake,
    ledger: &Ledger,
    verified: &mut Verified,
    job: &Job<'_>,
) -> Result<(), Error> {
    // As if the lake were empty: all that a run would read.
    let from = Origin::new(from).with_over_gaps(true);
    let all = Pending::find(&from, None, None, true)?;
    let applied = lake.manifest().map(|manifest| manifest.applied.clone()).unwrap_or_default();
    for todo in &all.todo {
        let info = todo.export.info();
        let read = || {
            let push = |count: &mut u64, block: &keystar_transfer::Block| {
                *count += block.lines().count() as u64;
                Ok(())
            };
            let counts = reading::read(&todo.export, job, |_| Ok(0), push, Ok)?;
            Ok(counts.into_iter().sum::<u64>())
        };
        let items = match job.step("export", info.stored_bytes, read, |_, _| String::new()) {
            Ok(items) => items,
            Err(Error::Export(error)) => {
                verified.compare("export", false, format!("{}: {error}", todo.id));
                continue;
            }
            Err(error) => return Err(error),
        };
        let files = units::plural(todo.export.files().len() as u64, "file");
        let counted = units::plural(items, "item");
        let is_in = applied.iter().any(|applied| applied.export_id == todo.id);
        let landed = ledger.landed.iter().find(|landed| landed.id == todo.id);
        let same = landed.is_none_or(|landed| landed.read == items);
        let found = format!("{}: {files}, {counted}, checksums as in the manifest", todo.id);
        verified.compare("export", same, found);
        if !is_in {
            verified.0.push("export", State::Warning, format!("{}: not in the lake yet", todo.id));
        }
    }
    Ok(())
}

/// The rows that the files hold, and those that the lake's manifest counts.
fn lake_rows(lake: &Lake, store: &Store, verified: &mut Verified) -> Result<(), Error> {
    for table in lake.tables() {
        let sql = format!("SELECT COUNT(\"_pk\") FROM landing.\"{}\"", table.entity);
        let rows = store.query(&sql).and_then(strings);
        let counted = match rows {
            Ok(rows) => rows.into_iter().flatten().flatten().next(),
            Err(Error::Warehouse(error)) => {
                verified.compare("lake", false, format!("{}: {error}", table.entity));
                continue;
            }
            Err(error) => return Err(error),
        };
        let counted = counted.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
        let files = units::plural(table.files.len() as u64, "file");
        let found = format!("{}: {} in {files}", table.entity, units::plural(counted, "row"));
        verified.compare("lake", counted == table.rows, found);
    }
    Ok(())
}

/// Rows and sums of measures, of the lake and of the star.
fn facts(model: &Model, store: &Store, verified: &mut Verified) -> Result<(), Error> {
    for fact in &model.facts {
        let sums = |of: &dyn Fn(&keystar_star::Measure) -> String, table: String| {
            let sums = fact.measures.iter().map(|measure| format!("SUM(\"{}\")", of(measure)));
            let columns = std::iter::once("COUNT(*)".to_owned()).chain(sums);
            let sql = format!("SELECT {} FROM {table}", columns.collect::<Vec<_>>().join(", "));
            let rows = strings(store.query(&sql)?)?;
            Ok::<_, Error>(rows.into_iter().next().unwrap_or_default())
        };
        let landing =
            sums(&|measure| measure.column.to_string(), format!("landing.\"{}\"", fact.entity))?;
        let star = sums(&|measure| measure.name.to_string(), format!("dwh.\"{}\"", fact.name))?;
        let names = std::iter::once("rows".to_owned())
            .chain(fact.measures.iter().map(|measure| measure.name.to_string()));
        for ((name, landing), star) in names.zip(landing).zip(star) {
            let text = |value: &Option<String>| {
                value.as_deref().map_or_else(|| "none".to_owned(), super::growth::grouped)
            };
            let (ours, theirs) = (text(&landing), text(&star));
            let found = match landing == star {
                true => format!("{}: {name} {ours} in lake and star", fact.name),
                false => format!("{}: {name} {ours} in the lake, {theirs} in the star", fact.name),
            };
            verified.compare("sums", landing == star, found);
        }
    }
    Ok(())
}

/// The data tests of a load that need nothing but landing, keys and star.
fn rules(model: &Model, store: &Store, verified: &mut Verified) -> Result<(), Error> {
    let plan = Plan::new(model).map_err(Error::Sql)?;
    let mut passed = 0;
    for test in &plan.tests {
        let sql = test.select.to_sql(&DataFusion).map_err(Error::Sql)?;
        if sql.contains("\"staging\"") {
            continue;
        }
        let rows = strings(store.query(&sql)?)?;
        if rows.is_empty() {
            passed += 1;
        } else {
            let offending = units::plural(rows.len() as u64, "row");
            verified.compare("rules", false, format!("{}: {offending} offend it", test.name));
        }
    }
    verified.compare("rules", true, format!("{} hold", units::plural(passed, "data test")));
    Ok(())
}
