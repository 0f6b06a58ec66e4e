//! Lake to warehouse.

use std::fmt;

use keystar_lake::{Lake, LakeManifest};
use keystar_sql::Plan;
use keystar_star::Model;
use keystar_warehouse::{Embedded, EmbeddedOptions, LoadRun, StepEvent};

use super::{Error, Job, Loaded, Places, ledger::Work, modelling::model, store::landing};
use crate::units;

/// Loads what the lake holds into the warehouse: landing, keys, dimensions, facts, tests, one commit.
/// The same lake loaded twice changes nothing.
///
/// # Errors
///
/// [`Error::Warehouse`], also where a data test fails: then nothing is committed.
pub fn load(places: &Places, job: &Job<'_>) -> Result<Loaded, Error> {
    let model = model(&places.model()?)?;
    let work = Work::new(places.work()?);
    let lake = Lake::open(&places.lake()?).map_err(Error::Lake)?;
    if lake.manifest().is_none() {
        return Err(Error::Usage(format!(
            "{} holds no lake yet: `elt lake` makes one",
            places.lake()?.display()
        )));
    }
    load_lake(&model, &lake, places, &work, job)
}

/// The same with what a run has at hand.
pub(super) fn load_lake(
    model: &Model,
    lake: &Lake,
    places: &Places,
    work: &Work,
    job: &Job<'_>,
) -> Result<Loaded, Error> {
    let plan = Plan::new(model).map_err(Error::Sql)?;
    let source = source(model, lake.manifest());
    let options = EmbeddedOptions { memory_bytes: job.memory_bytes, threads: job.jobs.get() };
    let warehouse = Embedded::open(&places.warehouse()?, options).map_err(Error::Warehouse)?;
    let now = job.now;
    let run =
        LoadRun { id: now.to_string(), loaded_at: now.as_microsecond(), source: source.clone() };
    let landing = landing(lake);
    let on_step = |event: StepEvent<'_>| {
        if let StepEvent::Ended { index, count, rows, .. } = event {
            job.progress.start(Some(count as u64));
            let records = job.progress.records() + rows.unwrap_or(0);
            job.progress.reach(index as u64 + 1, records);
        }
    };
    let load = || {
        job.go_on()?;
        let report = warehouse.load(&plan, &landing, &run, &on_step).map_err(Error::Warehouse)?;
        Ok(Loaded::of(&report, source))
    };
    let steps = (plan.steps.len() + plan.tests.len()) as u64;
    let loaded = job.step("load", steps, load, |loaded, seconds| {
        let facts = model.facts.iter().map(|fact| {
            let rows = loaded.rows_of("dwh", fact.name.as_str());
            format!("{} of {}", units::count(rows), fact.name)
        });
        let facts = facts.collect::<Vec<_>>().join(", ");
        let facts = if facts.is_empty() { "no facts" } else { &facts };
        let tests = units::plural(loaded.tests.len() as u64, "data test");
        let commit = if loaded.unchanged { "nothing new" } else { "committed" };
        format!("{facts}; {tests} passed, {commit}, in {seconds:.1} s")
    })?;
    let mut ledger = work.ledger()?;
    ledger.loaded = Some(loaded.clone());
    work.save(&ledger)?;
    Ok(loaded)
}

/// Names what a load makes of what: the same name, and there is nothing to do.
pub(super) fn source(model: &Model, manifest: Option<&LakeManifest>) -> String {
    let digest = xxhash_rust::xxh3::xxh3_64(format!("{model:?}").as_bytes());
    let Some(manifest) = manifest else { return format!("no lake, model {digest:016x}") };
    let last = manifest.applied.last().map_or("nothing", |applied| applied.export_id.as_str());
    format!("lake commit {} with {last}, model {digest:016x}", manifest.commit)
}

impl Loaded {
    pub(super) fn rows_of(&self, schema: &str, table: &str) -> u64 {
        self.tables.get(&format!("{schema}.{table}")).copied().unwrap_or(0)
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.unchanged { "nothing new: the warehouse stays at" } else { "loaded" };
        writeln!(f, "{state} commit {} in {:.1} s\n", self.commit, self.seconds)?;
        for (table, rows) in &self.tables {
            writeln!(f, "{:>14}  {table}", units::count(*rows))?;
        }
        let tests = units::plural(self.tests.len() as u64, "data test");
        writeln!(f, "\n{tests} passed")?;
        match self.steps.iter().filter(|step| step.on_disk).count() as u64 {
            0 => Ok(()),
            steps => writeln!(
                f,
                "{} joined on disk, for want of memory: --memory MIB gives more",
                units::plural(steps, "step")
            ),
        }
    }
}
