use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a job stopped. The variant says which side failed, which is what the exit code tells.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source side failed.
    #[error("the source failed")]
    Source(#[source] keystar_extract::Error),
    /// The target side failed.
    #[error("the target failed")]
    Target(#[source] keystar_transfer::Error),
    /// The export that items are held against cannot be read.
    #[error("the export cannot be read")]
    Export(#[source] keystar_transfer::Error),
    /// The service that was to load the files into a table loaded nothing, or was stopped.
    #[error("table {table} was not loaded: {reason}")]
    Load {
        /// The table.
        table: String,
        /// The service's words, and what to do.
        reason: String,
    },
    /// The mapping does not hold.
    #[error("the mapping does not hold")]
    Mapping(#[source] keystar_mapping::SpecError),
    /// The work directory, the reject file or a spool cannot be read or written.
    #[error("cannot use {path}", path = path.display())]
    Work {
        /// The file concerned.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The work directory holds a run, and the caller asked neither to resume nor to restart it.
    #[error("{path} holds {state}", path = path.display())]
    Occupied {
        /// The work directory or target folder.
        path: PathBuf,
        /// What is there.
        state: Occupied,
    },
    /// A record cannot be carried, and the caller asked to stop at the first such.
    #[error("record {key:?} in db {db} at byte {offset} cannot be carried: {detail}")]
    Rejected {
        /// The record's database.
        db: u32,
        /// The record's key, escaped and cut.
        key: String,
        /// Where the record begins in the dump.
        offset: u64,
        /// The reason in words.
        detail: String,
        /// Whether the source's bytes are at fault, and not the mapping's or the target's limits.
        corrupt: bool,
    },
    /// The commands of a restore cannot be written.
    #[error("cannot write the commands")]
    Output(#[source] io::Error),
    /// Something the caller gave is not usable.
    #[error("{0}")]
    Usage(String),
}

/// What a work directory was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occupied {
    /// A run of the same arguments that has not ended.
    Unfinished,
    /// A run of the same arguments that has ended.
    Finished,
    /// A run of other arguments.
    OtherRun,
    /// Files that no run of ours wrote.
    Foreign,
}

impl std::fmt::Display for Occupied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "an unfinished run of the same arguments",
            Self::Finished => "a finished run of the same arguments",
            Self::OtherRun => "a run of other arguments",
            Self::Foreign => "files that no run of this tool wrote",
        })
    }
}

impl Error {
    pub(crate) fn work(path: &Path, source: io::Error) -> Self {
        Self::Work { path: path.to_owned(), source }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::Target(error) | Self::Export(error) => error.is_retryable(),
            _ => false,
        }
    }
}
