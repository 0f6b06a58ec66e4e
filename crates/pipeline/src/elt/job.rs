use std::num::NonZeroUsize;

use jiff::Timestamp;

use super::Error;
use crate::{Interrupt, Progress};

/// What every job is given: how much of the machine it may use, what time it is, who watches.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub(super) jobs: NonZeroUsize,
    pub(super) memory_bytes: usize,
    pub(super) now: Timestamp,
    pub(super) interrupt: &'a Interrupt,
    pub(super) progress: &'a Progress,
    tell: &'a dyn Fn(&Event<'_>),
}

/// What a job tells while it runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step begins; [`Progress`] counts from 0 again.
    Began {
        /// What it is: `lake`, `load`.
        step: &'a str,
    },
    /// It ended well.
    Ended {
        /// What it was.
        step: &'a str,
        /// What it came to, in a line.
        summary: &'a str,
    },
}

impl<'a> Job<'a> {
    /// So much memory a load or a query takes before it sorts on disk, unless told otherwise.
    pub const MEMORY_BYTES: usize = 512 << 20;

    /// So many threads; the time is written down as that of the run.
    #[must_use]
    pub fn new(
        jobs: NonZeroUsize,
        now: Timestamp,
        interrupt: &'a Interrupt,
        progress: &'a Progress,
    ) -> Self {
        let memory_bytes = Self::MEMORY_BYTES;
        Self { jobs, memory_bytes, now, interrupt, progress, tell: &|_| {} }
    }

    /// With so much memory for a load or a query.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Tells somebody of each step.
    #[must_use]
    pub fn with_tell(mut self, tell: &'a dyn Fn(&Event<'_>)) -> Self {
        self.tell = tell;
        self
    }

    /// Runs a step; its progress is of so many bytes, or steps, in all.
    pub(super) fn step<T>(
        &self,
        step: &str,
        total: u64,
        run: impl FnOnce() -> Result<T, Error>,
        summary: impl FnOnce(&T, f64) -> String,
    ) -> Result<T, Error> {
        self.progress.start(Some(total));
        self.progress.reach(0, 0);
        (self.tell)(&Event::Began { step });
        let begun = std::time::Instant::now();
        let done = run()?;
        let summary = summary(&done, begun.elapsed().as_secs_f64());
        (self.tell)(&Event::Ended { step, summary: &summary });
        Ok(done)
    }

    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.interrupt.is_set() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("jobs", &self.jobs)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
