//! What a command came to: an exit code, and for a failure the chain of causes and what to do.

use std::{error::Error as StdError, fmt, panic, process::ExitCode};

use keystar_pipeline::elt::{Error, Fault};

use crate::output;

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Items were rejected, or `verify` found differences.
    Differences,
}

impl Outcome {
    pub(crate) fn of(clean: bool) -> Self {
        if clean { Self::Done } else { Self::Differences }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    cause: Box<dyn StdError + Send + Sync>,
    hints: Vec<String>,
}

impl Failure {
    const DIFFERENCES: u8 = 1;
    const USAGE: u8 = 2;
    const MODEL: u8 = 3;
    const SOURCE: u8 = 4;
    const TARGET: u8 = 5;
    const OCCUPIED: u8 = 6;
    const INTERRUPTED: u8 = 130;
    const BUG: i32 = 70;

    fn new(code: u8, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { code, cause: cause.into(), hints: Vec::new() }
    }

    pub(crate) fn usage(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Self::USAGE, cause)
    }

    pub(crate) fn target(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Self::TARGET, cause)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.fault() {
            Fault::Data => Self::DIFFERENCES,
            Fault::Usage => Self::USAGE,
            Fault::Model => Self::MODEL,
            Fault::Source => Self::SOURCE,
            Fault::Occupied => Self::OCCUPIED,
            Fault::Interrupted => Self::INTERRUPTED,
            _ => Self::TARGET,
        };
        let hints = error.hints();
        Self { hints, ..Self::new(code, error) }
    }
}

/// Says how the command ended, and with which code.
pub(crate) fn report(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differences) => ExitCode::from(1),
        Err(failure) => {
            let mut causes = vec![failure.cause.to_string()];
            let mut source = failure.cause.source();
            while let Some(cause) = source {
                causes.push(cause.to_string());
                source = cause.source();
            }
            // A cause that only repeats the one before it says nothing.
            causes.dedup();
            output::failure(&causes, &failure.hints);
            ExitCode::from(failure.code)
        }
    }
}

/// Makes a panic end the process with the code that says whose fault it is: other threads may wait
/// for the one that broke.
pub(crate) fn own_our_bugs() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        hook(panic);
        let bug = "this is a bug in elt; nothing that was committed is lost";
        output::failure(&[bug.to_owned()], &["please report the lines above".to_owned()]);
        std::process::exit(Failure::BUG);
    }));
}
