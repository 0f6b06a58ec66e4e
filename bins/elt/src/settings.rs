//! Arguments as they are meant. Everything that can fail without touching data fails here.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, thread};

use jiff::Timestamp;
use keystar_pipeline::{
    Progress,
    elt::{Event, Job, Origin, Period, Places, Question, SampleSpec, Start},
};

use crate::{
    cli::{self, LogForm},
    commands::interrupt,
    exit::Failure,
    progress::Steps,
};

/// Everything that a job needs, kept for as long as it runs.
#[derive(Debug)]
pub(crate) struct Bench {
    jobs: NonZeroUsize,
    memory: Option<NonZeroUsize>,
    progress: Arc<Progress>,
    steps: Steps,
}

impl Bench {
    pub(crate) fn new(jobs: Option<NonZeroUsize>, log: LogForm) -> Self {
        let progress = Arc::new(Progress::default());
        let steps = Steps::new(&progress, log, false);
        let jobs =
            jobs.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        Self { jobs, memory: None, progress, steps }
    }

    pub(crate) fn with(machine: &cli::Machine, log: LogForm) -> Self {
        Self { memory: Some(machine.memory), ..Self::new(machine.jobs, log) }
    }

    /// A line on stderr for each step that ended.
    pub(crate) fn telling(mut self, log: LogForm) -> Self {
        self.steps = Steps::new(&self.progress, log, true);
        self
    }

    /// Hands the job to whoever runs it.
    pub(crate) fn run<T, E>(&self, run: impl FnOnce(&Job<'_>) -> Result<T, E>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let tell = |event: &Event<'_>| self.steps.tell(event);
        let mut job =
            Job::new(self.jobs, Timestamp::now(), interrupt(), &self.progress).with_tell(&tell);
        if let Some(mebibytes) = self.memory {
            job = job.with_memory(mebibytes.get().saturating_mul(1 << 20));
        }
        let result = run(&job);
        self.steps.stop();
        Ok(result?)
    }
}

pub(crate) fn places(given: &cli::Places) -> Result<Places, Failure> {
    let cli::Places { dir, model, lake, warehouse, work } = given;
    Ok(Places::new(dir.clone(), model.clone(), lake.clone(), warehouse.as_deref(), work.clone())?)
}

pub(crate) fn origin(windows: &cli::Windows) -> Origin {
    Origin::new(windows.source.from.as_str()).with_over_gaps(windows.allow_gaps)
}

pub(crate) fn start(start: &cli::Start) -> Start {
    match (start.resume, start.restart) {
        (true, _) => Start::Resume,
        (_, true) => Start::Restart,
        _ => Start::Fresh,
    }
}

pub(crate) fn question(given: &cli::Question) -> Result<Question, Failure> {
    let period = match given.period {
        cli::Period::Month => Period::Month,
        cli::Period::Quarter => Period::Quarter,
        cli::Period::Year => Period::Year,
    };
    Ok(Question::new(given.measure.as_deref(), &given.by, period, given.at.as_deref())?)
}

pub(crate) fn sample(size: &cli::Size) -> Result<SampleSpec, Failure> {
    Ok(SampleSpec::new(size.customers)?.with_seed(size.seed).with_files(size.files))
}

/// A file, or stdin or stdout for `-`.
pub(crate) fn named(path: &PathBuf) -> Option<&PathBuf> {
    (path.as_os_str() != "-").then_some(path)
}
