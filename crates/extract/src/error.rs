use std::{io, path::PathBuf};

/// What went wrong while reading Redis data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or is not a file.
    #[error("cannot open {path}", path = path.display())]
    Open {
        /// The path as it was given.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The path names a folder; one dump file is expected.
    #[error("{path} is a directory, not an RDB file", path = path.display())]
    Directory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// Reading stopped with an I/O error.
    #[error("cannot read the source at byte {offset}")]
    Read {
        /// How many (decompressed) bytes had been read.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The compressed envelope around the dump is damaged.
    #[error("the {compression} stream is damaged after {offset} decompressed bytes")]
    Compression {
        /// The envelope's name: `gzip`, `zstd` or `lz4`.
        compression: &'static str,
        /// How many decompressed bytes were good.
        offset: u64,
        /// The decompressor's reason.
        source: io::Error,
    },
    /// The bytes are not a readable dump.
    #[error("the dump cannot be read")]
    Dump(#[from] keystar_rdb::Error),
    /// One of several dumps cannot be read; the cause says why.
    #[error("cannot read {place}")]
    Place {
        /// The dump's path or URL.
        place: String,
        /// What went wrong with it.
        source: Box<Error>,
    },
    /// A list of dumps cannot be made of what was given.
    #[error("{place}: {reason}")]
    Places {
        /// The path, pattern or URL as it was given.
        place: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The position to resume from does not fit this source.
    #[error("cannot resume: {0}")]
    Position(&'static str),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Read { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ),
            Self::Place { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}
