use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a job stopped. The variant says who can act, which is what the exit code tells.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a folder of ours cannot be read or written.
    #[error("cannot use {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A folder holds something else than what was to be written there.
    #[error("{path} holds {holds}", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there.
        holds: String,
    },
    /// What was asked for cannot be written out.
    #[error("cannot write the result")]
    Output(#[source] io::Error),
    /// Something the caller gave is not usable.
    #[error("{0}")]
    Usage(String),
    /// The caller asked the job to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
