//! Records on their way from the source's thread to the workers, in few allocations.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use keystar_rdb::{
    Blob, Context, Db, Encoding, Frame, Head, ModuleId, Part, Record, UnixMillis, Usage,
};
use serde::{Deserialize, Serialize};

/// Where a source can be taken up again: opaque, small, serialisable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub(crate) offset: u64,
    pub(crate) state: Vec<u8>,
}

impl Position {
    /// How many bytes of the source lie behind it.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// A record that is damaged by itself: its neighbours are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The record's database.
    pub db: Db,
    /// The record's key; empty when the damage hides it.
    pub key: Vec<u8>,
    /// Where the record begins.
    pub offset: u64,
    /// What is wrong, in words.
    pub detail: String,
}

impl Failure {
    pub(crate) fn new(error: &keystar_rdb::Error, offset: u64) -> Self {
        Self {
            db: error.db().unwrap_or_default(),
            key: error.key().unwrap_or_default().to_vec(),
            offset,
            detail: error.to_string(),
        }
    }
}

/// What a source met apart from the records that it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remarks {
    /// Records that were passed over, by reason: `filter`, `empty_collection`.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Things that are not keys and therefore no records, by kind: `functions`, `scripts`,
    /// `module_data`, `key_metadata`, `commands`, `slot_imports`.
    pub others: BTreeMap<&'static str, u64>,
    /// What kind of source it is, for people: `Redis RDB version 11`.
    pub description: Option<String>,
    /// The auxiliary fields of a dump: `redis-ver`, `ctime`, `repl-id` …, as text.
    pub aux: Vec<(String, String)>,
    /// A version newer than those tested, bytes after the end, a checksum that does not match.
    pub warnings: Vec<String>,
}

impl Remarks {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn unpack(&self, frame: &PackedFrame) -> Frame<'_> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        let mut head = Head::new(frame.db, Blob::from(bytes(&frame.key)), frame.encoding)
            .with_offset(frame.offset)
            .with_module(frame.module)
            .with_expires_at(frame.expires_at);
        head.usage = frame.usage;
        Frame::new(head, bytes(&frame.payload), frame.payload_offset)
    }
}
