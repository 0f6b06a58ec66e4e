//! All steps that are not done yet.

use std::fmt;

use keystar_lake::Lake;
use keystar_star::Model;
use serde::Serialize;

use super::{
    Error, Growth, Job, Landed, Loaded, Origin, Places, Question, Start,
    lake::land,
    ledger::Work,
    load::{load_lake, source},
    modelling::model,
    pending::{Pending, write_notes},
    store::Store,
};
use crate::units;

/// What a run did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunReport {
    /// Where the export was looked for.
    pub from: String,
    /// The exports that went into the lake, in order.
    pub landed: Vec<Landed>,
    /// Exports that are older than what the lake holds.
    pub passed_over: Vec<String>,
    /// What a user should hear of the exports.
    pub remarks: Vec<String>,
    /// The loads; one after each export, so that history is the same whenever runs take place.
    pub loaded: Vec<Loaded>,
    /// The answer; none for a model without a measure and a date.
    pub answer: Option<Growth>,
}

impl RunReport {
    /// Items, and members of lists and maps in items, that were set aside.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.landed.iter().map(Landed::set_aside).sum()
    }
}

/// Takes every export that the lake lacks into the lake, loads it into the warehouse, and answers.
/// What is done is not done again: a run that finds nothing to do only answers.
///
/// # Errors
///
/// [`Error::Unfinished`] if an earlier run did not end and `start` does not say what to do;
/// [`Error::Export`] where windows leave a gap, overlap or are of another table.
pub fn run(
    from: &Origin,
    places: &Places,
    start: Start,
    question: &Question,
    job: &Job<'_>,
) -> Result<RunReport, Error> {
    let model = model(&places.model()?)?;
    let work = Work::new(places.work()?);
    places.warehouse()?;
    let mark = work.begin(&from.place, &job.now.to_string(), start)?;
    mark.end(go(&model, from, places, &work, start, question, job))
}

fn go(
    model: &Model,
    from: &Origin,
    places: &Places,
    work: &Work,
    start: Start,
    question: &Question,
    job: &Job<'_>,
) -> Result<RunReport, Error> {
    let folder = places.lake()?;
    let lake = Lake::open(&folder).map_err(Error::Lake)?;
    let ledger = work.ledger()?;
    let anew = start == Start::Restart;
    let pending = Pending::find(from, lake.manifest(), ledger.table.as_deref(), anew)?;
    let mut report = RunReport {
        from: from.place.clone(),
        landed: Vec::new(),
        passed_over: pending.passed_over,
        remarks: pending.remarks,
        loaded: Vec::new(),
        answer: None,
    };
    // What the lake got and the warehouse did not, before the next window comes on top of it.
    if lake.manifest().is_some() && !anew && !is_loaded(model, &lake, places, work, job)? {
        report.loaded.push(load_lake(model, &lake, places, work, job)?);
    }
    for todo in &pending.todo {
        report.landed.push(land(model, &folder, todo, pending.table.as_deref(), work, job)?);
        let lake = Lake::open(&folder).map_err(Error::Lake)?;
        report.loaded.push(load_lake(model, &lake, places, work, job)?);
    }
    let store = Store::open(places, job)?;
    let ask = || question.ask(model, &store);
    report.answer = job.step("answer", 1, ask, |answer, seconds| match answer {
        Some(growth) => format!("growth of {}, in {seconds:.1} s", growth.subject()),
        None => "the model has no measure with a date".to_owned(),
    })?;
    Ok(report)
}

/// Whether the warehouse's last commit is of this lake and this model.
fn is_loaded(
    model: &Model,
    lake: &Lake,
    places: &Places,
    work: &Work,
    job: &Job<'_>,
) -> Result<bool, Error> {
    let commit = Store::open(places, job)?.commit()?;
    let Some((commit, loaded)) = commit.zip(work.ledger()?.loaded) else { return Ok(false) };
    Ok(loaded.commit == commit.number && loaded.source == source(model, lake.manifest()))
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.landed.is_empty() && self.loaded.iter().all(|loaded| loaded.unchanged) {
            writeln!(f, "nothing new in {}", self.from)?;
        }
        for landed in &self.landed {
            write!(f, "{landed}")?;
        }
        if let Some(loaded) = self.loaded.last().filter(|loaded| !loaded.unchanged) {
            let tests = units::plural(loaded.tests.len() as u64, "data test");
            writeln!(f, "warehouse at commit {}, {tests} passed", loaded.commit)?;
        }
        write_notes(f, &self.passed_over, &self.remarks)?;
        match &self.answer {
            Some(answer) => write!(f, "\n{answer}"),
            None => Ok(()),
        }
    }
}
