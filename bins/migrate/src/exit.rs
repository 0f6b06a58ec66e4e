//! What a command came to: an exit code, and for a failure the chain of causes and what to do.

use std::{error::Error as StdError, fmt, panic, process::ExitCode};

use keystar_pipeline::{Error, Occupied};
use keystar_rdb::ErrorKind;

use crate::output;

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Records were rejected, or `verify` found differences.
    Differences,
    Interrupted,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    cause: Box<dyn StdError + Send + Sync>,
    hints: Vec<String>,
}

impl Failure {
    const USAGE: u8 = 2;
    const MAPPING: u8 = 3;
    const SOURCE: u8 = 4;
    const TARGET: u8 = 5;
    const OCCUPIED: u8 = 6;
    const REJECTED: u8 = 1;
    const BUG: i32 = 70;

    fn new(code: u8, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { code, cause: cause.into(), hints: Vec::new() }
    }

    pub(crate) fn usage(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Self::USAGE, cause)
    }

    pub(crate) fn mapping(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Self::MAPPING, cause)
    }

    /// Files that cannot be read, where they are the source.
    pub(crate) fn source(error: keystar_transfer::Error) -> Self {
        let hint = error.hint();
        let failure = Self::new(Self::SOURCE, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
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
        const RESUME: &str = "run the same command with --resume";
        let (code, hint) = match &error {
            Error::Source(source) if dump_error(source).is_some() => {
                let hint = dump_error(source).and_then(source_hint);
                (Self::SOURCE, hint.map(str::to_owned))
            }
            Error::Source(source @ keystar_extract::Error::Url { .. }) => {
                (Self::USAGE, source.hint())
            }
            Error::Source(source) => (Self::SOURCE, source.hint().or_else(|| aws_hint(source))),
            Error::Export(export) => (Self::SOURCE, export.hint().map(str::to_owned)),
            Error::Mapping(_) => (Self::MAPPING, None),
            Error::Target(keystar_transfer::Error::TableMissing { .. }) => {
                let create = "look at the name and the region; --create-table makes the table";
                (Self::TARGET, Some(create.to_owned()))
            }
            Error::Target(target) => {
                (Self::TARGET, Some(target.hint().unwrap_or(RESUME).to_owned()))
            }
            Error::Work { .. } => (Self::TARGET, Some(RESUME.to_owned())),
            Error::Rejected { corrupt, .. } => (
                if *corrupt { Self::SOURCE } else { Self::REJECTED },
                Some("with --on-error reject it is set aside in the reject file instead".into()),
            ),
            Error::Occupied { state, .. } => (
                Self::OCCUPIED,
                Some(
                    match state {
                        Occupied::Unfinished => "--resume goes on with it, --restart begins again",
                        Occupied::Finished => {
                            "--restart throws its files away and writes them again"
                        }
                        Occupied::OtherRun => "choose another --to, or --restart to throw it away",
                        _ => "choose an empty folder",
                    }
                    .to_owned(),
                ),
            ),
            Error::Usage(_) => (Self::USAGE, None),
            _ => (Self::TARGET, None),
        };
        let failure = Self::new(code, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Says how the command ended, and with which code.
pub(crate) fn report(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differences) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            let mut causes = vec![failure.cause.to_string()];
            let mut source = failure.cause.source();
            while let Some(cause) = source {
                causes.push(cause.to_string());
                source = cause.source();
            }
            output::failure(&causes, &failure.hints);
            ExitCode::from(failure.code)
        }
    }
}

/// What a dump is blamed for, perhaps one of several.
fn dump_error(error: &keystar_extract::Error) -> Option<&keystar_rdb::Error> {
    match error {
        keystar_extract::Error::Dump(dump) => Some(dump),
        keystar_extract::Error::Place { source, .. } => dump_error(source),
        _ => None,
    }
}

/// Of a dump in a bucket: who we are is found out by other means than those of sources.
fn aws_hint(error: &keystar_extract::Error) -> Option<String> {
    let keystar_extract::Error::Open { source, .. } = error else { return None };
    let inner = source.get_ref()?.downcast_ref::<keystar_transfer::Error>()?;
    inner.hint().map(str::to_owned)
}

fn source_hint(error: &keystar_rdb::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::ChecksumMismatch { .. } => {
            Some("the dump is damaged; --no-checksum goes on with a warning")
        }
        ErrorKind::Truncated => Some("the dump ends too early: was it copied whole?"),
        ErrorKind::UnknownType(_) | ErrorKind::UnknownOpcode(_) => {
            Some("the dump may be of a newer server than this version of migrate knows")
        }
        _ => None,
    }
}

/// Makes a panic end the process with the code that says whose fault it is: other threads may wait
/// for the one that broke.
pub(crate) fn own_our_bugs() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        hook(panic);
        let bug = "this is a bug in migrate; nothing that was committed is lost";
        output::failure(&[bug.to_owned()], &["please report the lines above".to_owned()]);
        std::process::exit(Failure::BUG);
    }));
}
