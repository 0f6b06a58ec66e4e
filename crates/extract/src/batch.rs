//! Records on their way from the source's thread to the workers, in few allocations.

use std::{collections::BTreeMap, ops::Range};

use keystar_rdb::{
    Blob, Context, Db, Encoding, Frame, Head, ModuleId, Part, Record, UnixMillis, Usage, Value,
};
use serde::{Deserialize, Serialize};

#[cfg(feature = "live")]
use crate::live::identity;

/// Where a source can be taken up again: opaque, small, serialisable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub(crate) offset: u64,
    pub(crate) state: Vec<u8>,
}

impl Position {
    /// What is said of a position that another kind of source made.
    pub(crate) const FOREIGN: &'static str = "the checkpoint was not made by this kind of source";

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
    /// What a decoder says of the record that begins at `offset`.
    pub fn new(error: &keystar_rdb::Error, offset: u64) -> Self {
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
    /// Records that were passed over, by reason: `filter`, `empty_collection`; of a live server also
    /// `gone` (deleted or expired before it was read) and `repeat` (told twice by the server).
    pub skipped: BTreeMap<&'static str, u64>,
    /// Things that are not keys and therefore no records, by kind: `functions`, `scripts`,
    /// `module_data`, `key_metadata`, `commands`, `slot_imports`, `stream_producers` (streams that
    /// remember what was added already; what, a typed read is not told).
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

    pub(crate) fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.others.entry(what).or_default() += 1;
    }
}

/// One record, or a piece of one, in a batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// A whole value, still encoded: the workers decode.
    Frame(Frame<'a>),
    /// A whole value, decoded by the source.
    Record {
        /// The record.
        record: &'a Record<'static>,
        /// Its head, as a frame has one; the encoding is the plain one of the type.
        head: Head<'a>,
    },
    /// A piece of a value that is too big to hold.
    Part {
        /// The piece.
        part: &'a Part,
        /// 0 for the source's first piece, then 1, 2 … whichever record they belong to.
        ordinal: u64,
    },
    /// A record that cannot be read.
    Failed {
        /// What is wrong.
        failure: &'a Failure,
        /// The failure's place among the pieces, where pieces of the record came before it.
        ordinal: Option<u64>,
    },
}

/// A piece of the source's work, filled by [`Source::fill`](crate::Source::fill) and used again.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) context: Option<Context>,
    /// Keys and payloads of the frames, one after the other.
    pub(crate) bytes: Vec<u8>,
    pub(crate) packed: Vec<Packed>,
    /// A part is as big as a batch should be.
    has_part: bool,
    /// Bytes of records and failures, which are not among the frames' bytes.
    held_bytes: usize,
    pub(crate) remarks: Remarks,
    pub(crate) position: Option<Position>,
    pub(crate) source_bytes: u64,
}

#[derive(Debug)]
pub(crate) enum Packed {
    Frame(PackedFrame),
    Record(Box<Record<'static>>, u64),
    Part(Box<Part>, u64),
    Failed(Box<Failure>, Option<u64>),
}

/// A frame whose bytes lie in the batch.
#[derive(Debug)]
pub(crate) struct PackedFrame {
    db: Db,
    encoding: Encoding,
    module: Option<ModuleId>,
    usage: Usage,
    expires_at: Option<UnixMillis>,
    offset: u64,
    payload_offset: u64,
    key: Range<usize>,
    payload: Range<usize>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The records, in the source's order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.packed.iter().map(|packed| self.entry(packed))
    }

    /// What the frames need to be decoded.
    pub fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// What the source met while it filled this batch, apart from the records.
    pub fn remarks(&self) -> &Remarks {
        &self.remarks
    }

    /// Where to go on after this batch; `None` inside a record that comes in parts.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Bytes of the source, as stored, that had been read when the batch was full.
    pub fn source_bytes(&self) -> u64 {
        self.source_bytes
    }

    /// Whether the batch carries nothing, neither records nor remarks.
    pub(crate) fn is_empty(&self) -> bool {
        self.packed.is_empty() && self.remarks.is_empty()
    }

    /// Whether the batch holds what a batch of this many bytes should.
    pub(crate) fn is_full(&self, batch_bytes: usize) -> bool {
        self.has_part || self.bytes.len() + self.held_bytes >= batch_bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.packed.clear();
        self.has_part = false;
        self.held_bytes = 0;
        self.remarks = Remarks::default();
        self.position = None;
    }

    pub(crate) fn push_frame(&mut self, frame: &Frame<'_>) {
        self.bytes.reserve(frame.head.key.len() + frame.payload.len());
        let key = self.append(&frame.head.key);
        let payload = self.append(frame.payload);
        self.packed.push(Packed::Frame(PackedFrame {
            db: frame.head.db,
            encoding: frame.head.encoding,
            module: frame.head.module,
            usage: frame.head.usage,
            expires_at: frame.head.expires_at,
            offset: frame.head.offset,
            payload_offset: frame.payload_offset,
            key,
            payload,
        }));
    }

    pub(crate) fn push_part(&mut self, part: Part, ordinal: u64) {
        self.has_part = true;
        self.packed.push(Packed::Part(Box::new(part), ordinal));
    }

    pub(crate) fn push_failure(&mut self, failure: Failure, ordinal: Option<u64>) {
        self.held_bytes += failure.key.len() + failure.detail.len();
        self.packed.push(Packed::Failed(Box::new(failure), ordinal));
    }

    /// Takes a record that holds about so many bytes.
    pub(crate) fn push_record(&mut self, record: Record<'static>, offset: u64, bytes: usize) {
        self.held_bytes += bytes;
        self.packed.push(Packed::Record(Box::new(record), offset));
    }

    /// Takes those records out for which `taken` is true, be they whole or in parts. Their bytes
    /// stay until the batch is filled again.
    pub(crate) fn take_out(&mut self, mut taken: impl FnMut(Entry<'_>) -> bool) {
        let mut packed = std::mem::take(&mut self.packed);
        packed.retain(|packed| !taken(self.entry(packed)));
        self.packed = packed;
    }

    /// Counts pieces on from `next`, where the records of several readers are one source.
    pub(crate) fn count_pieces(&mut self, next: &mut u64) {
        for packed in &mut self.packed {
            if let Packed::Part(_, ordinal) | Packed::Failed(_, Some(ordinal)) = packed {
                *ordinal = *next;
                *next += 1;
            }
        }
    }

    /// What stands for each record: its database, and where it begins.
    pub(crate) fn heads_mut(&mut self) -> impl Iterator<Item = (&mut Db, &mut u64)> {
        self.packed.iter_mut().map(|packed| match packed {
            Packed::Frame(frame) => (&mut frame.db, &mut frame.offset),
            Packed::Record(record, offset) => (&mut record.db, offset),
            Packed::Part(part, _) => (&mut part.head.db, &mut part.head.offset),
            Packed::Failed(failure, _) => (&mut failure.db, &mut failure.offset),
        })
    }

    /// Puts what a live server's records are known by in the place of their offsets.
    #[cfg(feature = "live")]
    pub(crate) fn identify(&mut self) {
        let Self { packed, bytes, .. } = self;
        for packed in packed {
            match packed {
                Packed::Frame(frame) => {
                    let key = bytes.get(frame.key.clone()).unwrap_or_default();
                    frame.offset = identity(frame.db, key);
                }
                Packed::Record(record, offset) => *offset = identity(record.db, &record.key),
                Packed::Part(part, _) => {
                    part.head.offset = identity(part.head.db, &part.head.key);
                }
                Packed::Failed(failure, _) => failure.offset = identity(failure.db, &failure.key),
            }
        }
    }

    pub(crate) fn failures_mut(&mut self) -> impl Iterator<Item = &mut Failure> {
        self.packed.iter_mut().filter_map(|packed| match packed {
            Packed::Failed(failure, _) => Some(&mut **failure),
            _ => None,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn entry<'a>(&'a self, packed: &'a Packed) -> Entry<'a> {
        match packed {
            Packed::Frame(frame) => Entry::Frame(self.unpack(frame)),
            Packed::Record(record, offset) => {
                Entry::Record { record, head: plain_head(record, *offset) }
            }
            Packed::Part(part, ordinal) => Entry::Part { part, ordinal: *ordinal },
            Packed::Failed(failure, ordinal) => Entry::Failed { failure, ordinal: *ordinal },
        }
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

/// The head of a record that no dump holds.
pub(crate) fn plain_head<'a>(record: &'a Record<'_>, offset: u64) -> Head<'a> {
    /// `ReJSON-RL`, version 3.
    const JSON: ModuleId = ModuleId(0x45e2_5238_df91_2c03);
    let module = matches!(record.value, Value::Json(_)).then_some(JSON);
    let mut head =
        Head::new(record.db, record.key.reborrow(), Encoding::plain(record.value.kind()))
            .with_offset(offset)
            .with_module(module)
            .with_expires_at(record.expires_at);
    head.usage = record.usage;
    head
}
