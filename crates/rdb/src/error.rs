//! What can be wrong with the bytes, and where.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::blob::Escaped;
use crate::record::Db;

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is no RDB file.
    #[non_exhaustive]
    NotRdb {
        /// What it looks like instead, e.g. `an append-only file (AOF)`.
        looks_like: &'static str,
    },
    /// The input ends in the middle.
    Truncated,
    /// An object type that this crate does not know.
    UnknownType(u8),
    /// An opcode that this crate knows to have no meaning it could skip.
    UnknownOpcode(u8),
    /// A value of a module from before Redis 4.0 was released: its extent cannot be known.
    ModulePreGa,
    /// The bytes contradict the format.
    Corrupt(&'static str),
    /// The checksum is not that of the bytes.
    #[non_exhaustive]
    ChecksumMismatch {
        /// What the dump says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// Something is larger than [`Options`](crate::Options) allow.
    #[non_exhaustive]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A document nests deeper than the decoder follows.
    TooDeep,
    /// A hash refers to a template that the file never defined.
    UnknownTemplate(u64),
    /// Reading the input failed; the cause is the error's source.
    Io(io::ErrorKind),
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRdb { looks_like } => {
                write!(f, "not a Redis RDB file: this looks like {looks_like}")
            }
            Self::Truncated => f.write_str("unexpected end of input"),
            Self::UnknownType(33) => {
                f.write_str("unknown object type 33 (reserved: rate limiter or roaring bitmap)")
            }
            Self::UnknownType(byte) => write!(f, "unknown object type {byte}"),
            Self::UnknownOpcode(byte @ 100..=102) => {
                write!(f, "unsupported opcode {byte} (legacy Redis Enterprise)")
            }
            Self::UnknownOpcode(byte) => write!(f, "unknown opcode {byte}"),
            Self::ModulePreGa => {
                f.write_str("module value of a Redis 4.0 release candidate, which cannot be read")
            }
            Self::Corrupt(what) => write!(f, "corrupt data: {what}"),
            Self::ChecksumMismatch { stored, computed } => {
                write!(f, "checksum mismatch: stored {stored:016x}, computed {computed:016x}")
            }
            Self::TooLarge { what, limit } => {
                write!(f, "{what} exceeds the limit of {limit} bytes")
            }
            Self::TooDeep => f.write_str("document nests too deep"),
            Self::UnknownTemplate(id) => write!(f, "hash template {id} is not defined"),
            Self::Io(_) => f.write_str("cannot read the input"),
        }
    }
}

/// An error with its place: the offset, and the database and key where it is inside of a record.
///
/// Its text is one line and tells the key, escaped and cut, but nothing of the value.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    offset: u64,
    db: Option<Db>,
    key: Option<Box<[u8]>>,
    skippable: bool,
    source: Option<Arc<io::Error>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: u64) -> Self {
        Self(Box::new(Inner { kind, offset, db: None, key: None, skippable: false, source: None }))
    }

    pub(crate) fn from_io(error: io::Error, offset: u64) -> Self {
        let mut this = Self::new(ErrorKind::Io(error.kind()), offset);
        this.0.source = Some(Arc::new(error));
        this
    }

    pub(crate) fn in_record(mut self, db: Db, key: &[u8]) -> Self {
        self.0.db = Some(db);
        self.0.key = Some(key.into());
        self
    }

    pub(crate) fn skippable_if(mut self, skippable: bool) -> Self {
        self.0.skippable = skippable;
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where: bytes from the start of the input. For an error inside of a packed value this is
    /// where the value begins; for a truncated input, where it ends.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The database of the record, if the error is inside of one.
    #[must_use]
    pub fn db(&self) -> Option<Db> {
        self.0.db
    }

    /// The key of the record, if the error is inside of one.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    /// Whether the extent of the bad record is known, so that the parser goes on with the next
    /// one when it is stepped again. After any other error it only repeats the error.
    #[must_use]
    pub fn skippable(&self) -> bool {
        self.0.skippable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.0.kind, self.0.offset)?;
        if let Some(key) = &self.0.key {
            write!(f, ", key {}", Escaped(key))?;
        }
        match self.0.db {
            Some(db) if db.0 != 0 => write!(f, " in db {db}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Error");
        f.field("kind", &self.0.kind).field("offset", &self.0.offset);
        f.field("db", &self.0.db).field("key", &self.0.key.as_deref().map(crate::Blob::from));
        f.field("skippable", &self.0.skippable).finish()
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        (a.kind, a.offset, a.db, &a.key, a.skippable)
            == (b.kind, b.offset, b.db, &b.key, b.skippable)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_place_and_key() {
        let error = Error::new(ErrorKind::UnknownType(34), 1234).in_record(Db(0), b"foo");
        assert_eq!(error.to_string(), "unknown object type 34 at offset 1234, key \"foo\"");
        let error = Error::new(ErrorKind::Truncated, 9).in_record(Db(3), b"\xff");
        assert_eq!(error.to_string(), r#"unexpected end of input at offset 9, key "\xff" in db 3"#);
    }

    #[test]
    fn is_cheap_to_return() {
        assert_eq!(size_of::<Error>(), 8);
        assert!(size_of::<ErrorKind>() <= 32);
    }
}
