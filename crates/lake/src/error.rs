use std::io;
use std::path::{Path, PathBuf};

use crate::Reason;

/// Why the lake could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A Parquet file of the lake could not be written, or is damaged.
    #[error("cannot read or write the Parquet file {}", path.display())]
    Parquet {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The manifest or the lock in it is damaged, or of a later version.
    #[error("{} is not a manifest of this version: {message}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The model does not go with the columns that the lake has.
    #[error("the model does not go with the lake's columns: {0}")]
    Lock(String),
    /// Another run writes to the lake.
    #[error("another run writes to {}; wait until it has ended", path.display())]
    Busy {
        /// The lake's folder.
        path: PathBuf,
    },
    /// A window without a full export before it.
    #[error("{} has no full export yet that the window could change; load one first", path.display())]
    NothingToChange {
        /// The lake's folder.
        path: PathBuf,
    },
    /// The export is in the lake already.
    #[error("the export {export_id} is in the lake already")]
    AlreadyApplied {
        /// Which.
        export_id: String,
    },
    /// An item differs from the model, and its entity is frozen.
    #[error(
        "{file}, line {line}: {entity} differs from the model at {column}: {detail}; its drift is freeze"
    )]
    Drift {
        /// The input file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The entity.
        entity: String,
        /// The column or the attribute, escaped and cut.
        column: String,
        /// Why.
        reason: Reason,
        /// What is wrong with it.
        detail: String,
    },
    /// One window changes a key twice at the same time, so that none of the two is the newer.
    #[error(
        "line {line} changes a key that the window changes elsewhere at the same time, {micros} microseconds since 1970; load each of its files once"
    )]
    Twice {
        /// The line of one of them in its file, from 1.
        line: u64,
        /// When.
        micros: i64,
    },
    /// The build was used in a way that its documentation excludes.
    #[error("{0}")]
    Misuse(&'static str),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn parquet<E>(path: &Path) -> impl Fn(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Parquet { path: path.to_owned(), source: Box::new(source) }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}
