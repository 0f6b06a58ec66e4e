//! What the caller wants to be told, and how much memory a value may take.

use crate::filter::Filter;

/// How much of each key the parser tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Raw: a value of at most `max_bytes` comes as [`Event::Frame`](crate::Event::Frame), a
    /// bigger one as its elements. This is the level for a scanner that feeds other threads.
    Frames {
        /// The longest value, in bytes as they lie in the dump, that is held whole.
        max_bytes: usize,
    },
    /// Streaming: every key comes as [`Event::Key`](crate::Event::Key), its elements and
    /// [`Event::KeyEnd`](crate::Event::KeyEnd), in bounded memory whatever its size is.
    Elements,
    /// Convenient: every key comes as [`Event::Record`](crate::Event::Record), whole.
    Records,
    /// Heads only: values are skipped unread.
    Skip,
}

impl Level {
    /// Frames of at most 1 MiB.
    pub const FRAMES: Self = Self::Frames { max_bytes: 1 << 20 };
}

/// How to parse.
///
/// ```
/// use keystar_rdb::{Level, Options};
///
/// let options = Options::new(Level::Elements).with_max_string_bytes(16 << 20);
/// assert!(options.verify_checksum);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How much of each key is told.
    pub level: Level,
    /// Which keys are told; decided before the value is decoded.
    pub filter: Filter,
    /// Whether a wrong checksum is an error (default) or a warning.
    pub verify_checksum: bool,
    /// The longest string that is held whole: a key, an item, a field, a member (default 512 MiB,
    /// the longest that Redis takes).
    pub max_string_bytes: u64,
    /// The longest packed value that is held whole (default 1 GiB, the longest listpack).
    pub max_packed_bytes: u64,
    /// The longest value, as it lies in the dump, that [`Level::Records`] holds whole (default
    /// 4 GiB).
    pub max_record_bytes: u64,
    /// String values longer than this come in pieces of this length in [`Level::Elements`]
    /// (default 1 MiB).
    pub chunk_bytes: usize,
}

impl Options {
    /// Defaults at this level.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            level,
            filter: Filter::default(),
            verify_checksum: true,
            max_string_bytes: 512 << 20,
            max_packed_bytes: 1 << 30,
            max_record_bytes: 4 << 30,
            chunk_bytes: 1 << 20,
        }
    }

    /// The same options with a filter.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The same options, with a wrong checksum an error or a warning.
    #[must_use]
    pub const fn with_verify_checksum(mut self, verify: bool) -> Self {
        self.verify_checksum = verify;
        self
    }

    /// The same options with another limit for strings.
    #[must_use]
    pub const fn with_max_string_bytes(mut self, bytes: u64) -> Self {
        self.max_string_bytes = bytes;
        self
    }

    /// The same options with another limit for packed values.
    #[must_use]
    pub const fn with_max_packed_bytes(mut self, bytes: u64) -> Self {
        self.max_packed_bytes = bytes;
        self
    }

    /// The same options with another limit for whole records.
    #[must_use]
    pub const fn with_max_record_bytes(mut self, bytes: u64) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// The same options with another length of string pieces (at least 1).
    #[must_use]
    pub const fn with_chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = if bytes == 0 { 1 } else { bytes };
        self
    }
}

impl Default for Options {
    /// [`Level::Records`], everything told, checksum verified.
    fn default() -> Self {
        Self::new(Level::Records)
    }
}
