use std::io;

/// Why a bucket could not be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL names no prefix, or what it needs besides is missing.
    #[error("cannot use {place}: {reason}")]
    Place {
        /// The URL as it was given.
        place: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// S3 did not do what it was to do. The cause tells why, and its
    /// [kind](std::io::Error::kind) who can do something about it: `NotFound`, `PermissionDenied`,
    /// `InvalidInput` (the bucket is in another region), `NetworkDown` (nobody answered for as long
    /// as we tried), `Other`.
    #[error("cannot {action} {place}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The URL of the object or folder.
        place: String,
        /// What S3 or the network said.
        source: io::Error,
    },
}

/// `result.or_io("write", place)?`
pub(crate) trait OrIo<T> {
    fn or_io(self, action: &'static str, place: impl Into<String>) -> Result<T, Error>;
}

impl<T> OrIo<T> for io::Result<T> {
    fn or_io(self, action: &'static str, place: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, place: place.into(), source })
    }
}
