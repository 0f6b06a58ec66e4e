use std::{io, path::Path};

use datafusion::{error::DataFusionError, sql::sqlparser::parser::ParserError};

use crate::TestResult;

/// Why a warehouse could not be loaded, read or asked.
///
/// The variant says who can act: who runs the load ([`Busy`](Error::Busy), the system's errors),
/// who owns the data ([`Tests`](Error::Tests)), who wrote the query ([`Query`](Error::Query),
/// [`ReadOnly`](Error::ReadOnly), [`UnknownTable`](Error::UnknownTable)).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another load holds the warehouse; wait for it, nothing is broken.
    #[error("{folder} is being loaded by {holder}: wait until it ends")]
    Busy {
        /// The warehouse.
        folder: String,
        /// The run and the process, as the holder wrote them down.
        holder: String,
    },
    /// Data tests found rows that must not be; nothing was committed.
    #[error("{} failed, nothing was committed: {}", count(.0.len(), "data test"), names(.0))]
    Tests(
        /// The tests that failed, with what they found.
        Vec<TestResult>,
    ),
    /// A step of the load failed; nothing was committed.
    #[error("step {step} failed: {reason}")]
    Step {
        /// The step, as the plan names it.
        step: String,
        /// What the engine says, on one line.
        reason: String,
    },
    /// A step needs more memory than it may have, even by sorting on disk.
    #[error("{doing} needs more than {} MiB of memory: allow more", .bytes >> 20)]
    Memory {
        /// The step, or the query.
        doing: String,
        /// What the pool has, in bytes.
        bytes: usize,
    },
    /// The plan and the landing tables, or the plan and the warehouse, do not fit together.
    #[error("{table}: {reason}")]
    Plan {
        /// The table.
        table: String,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// The query is wrong.
    #[error("{reason}")]
    Query {
        /// What is wrong, on one line.
        reason: String,
    },
    /// The query is none: it would change something.
    #[error(
        "only queries can be run here (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE), not {0}"
    )]
    ReadOnly(
        /// What it is instead.
        String,
    ),
    /// The query names a table that is not there.
    #[error("there is no table {table}; {hint}")]
    UnknownTable {
        /// The table, as it was written.
        table: String,
        /// Which tables there are, the nearest first.
        hint: String,
    },
    /// A file that the commit names went away while it was read: a later load has put others in
    /// its place. The same call again reads the newer commit.
    #[error("the warehouse was loaded anew while it was read: run the query again")]
    Superseded,
    /// The warehouse was written by a newer version of this program.
    #[error("{file} has format {found}, this version reads up to {known}: use a newer version")]
    Format {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// A file is not what the commit says.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The device is full; the last commit is safe.
    #[error("no space left to write {place}")]
    NoSpace {
        /// The file.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let us.
    #[error("no permission to {action} {place}")]
    Permission {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing is there.
    #[error("{place} does not exist")]
    Missing {
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Any other failure of a file.
    #[error("cannot {action} {place}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing changed by the user.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Superseded => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut)
            }
            _ => false,
        }
    }

    /// Sorts a failure of the system by what the user can do about it.
    pub(crate) fn io(action: &'static str, place: &Path, source: io::Error) -> Self {
        let place = place.display().to_string();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace { place, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { action, place, source }
            }
            io::ErrorKind::NotFound => Self::Missing { place, source },
            _ => Self::Io { action, place, source },
        }
    }

    /// The engine's error, as the failure of a step.
    pub(crate) fn step(step: &str, error: &DataFusionError) -> Self {
        Self::Step { step: step.to_owned(), reason: one_line(error) }
    }
}

/// Whether the engine ran out of the memory that it was given.
pub(crate) fn is_exhausted(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// The end of what the engine says of itself where it failed.
const ENGINE_BUG: &str = "https://github.com/apache/datafusion/issues";

/// The engine's words on one line, without the names of its own layers.
pub(crate) fn one_line(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::Plan(text) | DataFusionError::Execution(text) => text.clone(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.strip_backtrace(),
    };
    // The engine takes a wrong argument for a bug of its own; what helps comes after.
    let text = text.split_once(ENGINE_BUG).map_or(text.as_str(), |(before, after)| {
        let after = after.trim_start_matches(['.', ' ']);
        if after.is_empty() { before } else { after }
    });
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.trim_end_matches('.').to_owned()
}

/// `1 data test`, `2 data tests`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn names(tests: &[TestResult]) -> String {
    tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// `result.or_io("write", path)?`
pub(crate) trait OrIo<T> {
    fn or_io(self, action: &'static str, place: &Path) -> Result<T, Error>;
}

impl<T> OrIo<T> for io::Result<T> {
    fn or_io(self, action: &'static str, place: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::io(action, place, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_sorted_by_what_to_do() {
        let of = |kind: io::ErrorKind| Error::io("write", Path::new("wh/x"), kind.into());
        assert_eq!(of(io::ErrorKind::StorageFull).to_string(), "no space left to write wh/x");
        assert_eq!(of(io::ErrorKind::PermissionDenied).to_string(), "no permission to write wh/x");
        assert_eq!(of(io::ErrorKind::NotFound).to_string(), "wh/x does not exist");
        assert!(of(io::ErrorKind::TimedOut).is_retryable());
        assert!(!of(io::ErrorKind::StorageFull).is_retryable());
    }

    #[test]
    fn the_engines_words_come_on_one_line() {
        let error = DataFusionError::Plan("first\n  second.".into()).context("while planning");
        assert_eq!(one_line(&error), "first second");
        assert!(is_exhausted(&DataFusionError::ResourcesExhausted("x".into()).context("y")));
        assert!(!is_exhausted(&error));
    }
}
