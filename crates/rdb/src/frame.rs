//! One key as it lies in the dump: its head, and the raw bytes of its value.

use crate::blob::Blob;
use crate::encoding::Encoding;
use crate::module::ModuleId;
use crate::record::{Db, Kind, UnixMillis, Usage};

/// What the dump says of a key before its value begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Head<'a> {
    /// The database that the key lives in.
    pub db: Db,
    /// The key.
    pub key: Blob<'a>,
    /// How the value lies in the dump.
    pub encoding: Encoding,
    /// The module type of the value, if it is a module's.
    pub module: Option<ModuleId>,
    /// When the key expires, if it does; also moments in the past are kept.
    pub expires_at: Option<UnixMillis>,
    /// What the eviction policy remembered of the key.
    pub usage: Usage,
    /// Where the record begins, with its first prefix (expiry, usage, metadata) or its type byte:
    /// bytes from the start of the input. No two records of a file have the same.
    pub offset: u64,
    /// The raw metadata that modules attached to the key (Redis 8.6), if any.
    pub meta: Option<Blob<'a>>,
}

impl<'a> Head<'a> {
    /// The head of a key in no file: for tests, and for sources that are no dumps.
    #[must_use]
    pub const fn new(db: Db, key: Blob<'a>, encoding: Encoding) -> Self {
        Self {
            db,
            key,
            encoding,
            module: None,
            expires_at: None,
            usage: Usage::Unknown,
            offset: 0,
            meta: None,
        }
    }

    /// The same head with an expiry.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: impl Into<Option<UnixMillis>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }

    /// The same head with a module type.
    #[must_use]
    pub fn with_module(mut self, module: impl Into<Option<ModuleId>>) -> Self {
        self.module = module.into();
        self
    }

    /// The same head at another place.
    #[must_use]
    pub const fn with_offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The logical type of the value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.module {
            Some(id) if id.is_json() => Kind::Json,
            _ => self.encoding.kind(),
        }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Head<'static> {
        Head {
            db: self.db,
            key: self.key.into_owned(),
            encoding: self.encoding,
            module: self.module,
            expires_at: self.expires_at,
            usage: self.usage,
            offset: self.offset,
            meta: self.meta.map(Blob::into_owned),
        }
    }
}

/// One key whose value's bytes are all at hand, not yet decoded.
///
/// Frames are what a scanner hands to decoders on other threads: the payload is plain bytes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// What the dump says of the key.
    pub head: Head<'a>,
    /// The bytes of the value alone: without type byte and key.
    pub payload: &'a [u8],
    /// Where the payload begins: bytes from the start of the input.
    pub payload_offset: u64,
}

impl<'a> Frame<'a> {
    /// A frame of these parts.
    #[must_use]
    pub const fn new(head: Head<'a>, payload: &'a [u8], payload_offset: u64) -> Self {
        Self { head, payload, payload_offset }
    }
}
