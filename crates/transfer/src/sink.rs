use std::{collections::BTreeMap, fmt::Debug};

use futures_core::future::BoxFuture;
use keystar_item::{Item, limits::Violation};

use crate::{EncodeLoss, Encoded, Error, ImportFile, Origin, Position, spill::SpillMark};

/// Where items go: import files, memory, later a live table.
///
/// A job makes one encoder per worker thread, hands the encoders' batches to [`write`](Self::write)
/// in the order of the source, calls [`commit`](Self::commit) when the sink
/// [wants it](Self::wants_commit) or a checkpoint is due, saves the mark, and ends with
/// [`finish`](Self::finish).
///
/// - **Order**: wherever items follow one another, their batches do so in the order in which they
///   were written; inside of a batch, the sink may order items as it likes.
/// - **Durability**: written means accepted; only a commit makes items durable.
/// - **Replay**: after a crash, a sink resumed from the last saved mark has exactly the items
///   committed by it. The same writes then give the same content. (A table cannot take back what
///   was accepted: until the writes are made again it may have more.)
/// - **Duplicates**: of two records with an item of the same key, the one with the smaller
///   origin stays and the other is removed whole.
/// - **Repeats**: a sink that was told that records may be written more than once
///   ([`ImportOptions::repeats`](crate::ImportOptions::repeats) and its like), as a scan reads a key
///   more than once, keeps the last item of each key of a record. An item that only an earlier
///   reading of the record had stays: what was deleted between two readings may be there.
/// - **Cancellation**: a future that was dropped before its end leaves the sink in an unknown
///   state: drop the sink and resume.
/// - **Empty input**: finishing without a write gives an empty, valid output.
///
/// The futures may block the thread that polls them (files and locks); poll them where blocking
/// is allowed.
pub trait ItemSink: Debug + Send {
    /// A new encoder for one worker thread. Its batches must go to this sink.
    fn encoder(&self) -> Box<dyn ItemEncoder>;

    /// Takes a batch. Waits if the sink is behind.
    ///
    /// # Errors
    ///
    /// What went wrong with this batch or an earlier one; the sink is then of no further use.
    fn write(&mut self, batch: Encoded) -> BoxFuture<'_, Result<(), Error>>;

    /// Whether the sink would rather be committed before the next write. Depends only on what was
    /// written since the last commit.
    fn wants_commit(&self) -> bool;

    /// Makes everything written so far durable. Save the mark afterwards, never before.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    fn commit(&mut self) -> BoxFuture<'_, Result<Mark, Error>>;

    /// Ends the job: everything is made durable, records whose keys are taken by earlier ones are
    /// removed, and so are the records of `retract` (those that the job rejected after a part of
    /// them was written).
    ///
    /// Commit and save the mark before: `finish` may then be killed and repeated on the resumed
    /// sink any number of times, always with the same receipt.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    fn finish(self: Box<Self>, retract: &[Origin]) -> BoxFuture<'static, Result<Receipt, Error>>;
}

/// Turns items into a sink's text on a worker thread.
pub trait ItemEncoder: Debug + Send {
    /// Checks the item against DynamoDB's limits and the table's keys and appends it to the batch.
    /// Returns its size in bytes as DynamoDB counts it.
    ///
    /// # Errors
    ///
    /// The rule that the item breaks; the batch is as before.
    fn push(&mut self, item: &Item<'_>, origin: Origin) -> Result<u32, Violation>;

    /// Whether the sink's text is DynamoDB JSON, so that lines can be
    /// [pushed](Self::push_line) as they are.
    fn takes_lines(&self) -> bool {
        false
    }

    /// Appends an item that is a line of DynamoDB JSON already, newline included. The caller vouches
    /// that it is what [`json::write_item`](keystar_item::json::write_item) writes for an item
    /// that keeps the limits, and that `key` is the item's whole key, one attribute of type S.
    ///
    /// `false`, and the batch is as before, if the sink takes no lines or its table has another
    /// kind of key.
    fn push_line(&mut self, _key: &[u8], _line: &[u8], _origin: Origin) -> bool {
        false
    }

    /// Where the next item will come: to go back to if a record turns out to be rejected.
    fn position(&self) -> Position;

    /// Drops every item pushed since the position was taken.
    fn truncate(&mut self, to: Position);

    /// The batch so far; the encoder goes on with an empty one.
    fn take(&mut self) -> Encoded;
}

/// What a sink must know to go on after a crash; part of a job's checkpoint.
///
/// Opaque: pass it back to the sink that made it.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    /// Digest of the options that shape the output: a resumed sink must have the same.
    pub(crate) shape: u64,
    /// The number that the next file gets.
    pub(crate) next_file: u32,
    pub(crate) files: Vec<ImportFile>,
    pub(crate) losses: BTreeMap<EncodeLoss, LossCount>,
    pub(crate) spill: Option<SpillMark>,
    /// Of a table's writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<LiveMark>,
}

/// What a table's writer must know besides.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveMark {
    pub(crate) log: LogMark,
    /// Items that were left as they were.
    pub(crate) existing: u64,
}

/// How much of the log of items belongs to a commit.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogMark {
    pub(crate) bytes: u64,
    pub(crate) frames: u32,
}

impl Mark {
    /// Items that are durable.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Bytes of text that are durable, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// How often a loss happened and where first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct LossCount {
    /// How many attributes were affected.
    pub count: u64,
    /// The first record that was affected.
    pub first: Origin,
}

/// What a finished sink holds.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// Items in the output.
    pub items: u64,
    /// Bytes of the output before compression: what an import is billed by.
    pub bytes: u64,
    /// Bytes of the output as stored.
    pub stored_bytes: u64,
    /// The files of the output.
    pub files: Vec<ImportFile>,
    /// Records that were removed because an earlier record has the same key, by origin.
    pub duplicates: Vec<Duplicate>,
    /// Items that were removed with retracted and duplicate records.
    pub removed_items: u64,
    /// Items in whose place a later item of the same record and key is. Those of records that were
    /// removed are not among them.
    #[serde(default)]
    pub repeats: u64,
    /// Items that were not written because the table has another one of their key: only where that
    /// was asked for.
    #[serde(default)]
    pub existing: u64,
    /// What the items lost in the text form, counted before anything was removed.
    pub losses: BTreeMap<EncodeLoss, LossCount>,
}

/// A record that was removed because its key was taken.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct Duplicate {
    /// The record that has the key. Equal to `second` if a record claims one key twice.
    pub first: Origin,
    /// The record that was removed.
    pub second: Origin,
    /// The key's attributes, escaped and cut, for the reader of a report.
    pub key: String,
}
