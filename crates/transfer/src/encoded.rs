use std::fmt;

/// Where a record began in its source, in whatever unit the source counts (bytes, for a dump).
///
/// All items of one record carry the same origin. The sink never interprets it beyond its order:
/// of two records that claim the same key, the one with the smaller origin came first and stays.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    serde::Deserialize,
    serde::Serialize,
)]
#[allow(clippy::exhaustive_structs, reason = "a number with a name")]
pub struct Origin(pub u64);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something about an item that the target's text form cannot carry; see
/// [`Format::Csv`](crate::Format::Csv). JSON and Ion carry everything.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EncodeLoss {
    /// A number became text.
    NumberAsText,
    /// A truth value became the text `true` or `false`.
    BoolAsText,
    /// Bytes became base64 text.
    BytesAsText,
    /// A list, a map or a set became its DynamoDB JSON as text.
    NestedAsText,
    /// A NULL was left out.
    NullOmitted,
    /// An empty text was left out: an empty column means "no such attribute".
    EmptyOmitted,
    /// The attribute is not among the columns that were asked for.
    ColumnOmitted,
    /// A text holds a line break. It is quoted as RFC 4180 has it; whether the import takes it is
    /// not documented.
    LineBreak,
}

impl EncodeLoss {
    /// The kind's name as reports show it, such as `number-as-text`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NumberAsText => "number-as-text",
            Self::BoolAsText => "bool-as-text",
            Self::BytesAsText => "bytes-as-text",
            Self::NestedAsText => "nested-as-text",
            Self::NullOmitted => "null-omitted",
            Self::EmptyOmitted => "empty-omitted",
            Self::ColumnOmitted => "column-omitted",
            Self::LineBreak => "line-break",
        }
    }
}

impl fmt::Display for EncodeLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Items as a sink takes them: text in lanes, and who each item is.
///
/// An [`ItemEncoder`](crate::ItemEncoder) fills it on a worker thread, the
/// [`ItemSink`](crate::ItemSink) empties it. Which lane an item goes to depends on its key alone.
#[derive(Debug, Default)]
pub struct Encoded {
    lanes: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    losses: Vec<(usize, EncodeLoss)>,
}

/// One item of an [`Encoded`] batch, in the order in which the items were pushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Hash of the item's whole primary key.
    pub key_hash: u64,
    /// The record that the item belongs to.
    pub origin: Origin,
    /// Bytes of the item's text.
    pub bytes: u32,
    /// The lane that the text is in.
    pub lane: u32,
}

/// A place in an [`Encoded`] batch to go back to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position(usize);

impl Encoded {
    /// An empty batch of that many lanes (at least one).
    #[must_use]
    pub fn new(lanes: usize) -> Self {
        Self { lanes: vec![Vec::new(); lanes.max(1)], ..Self::default() }
    }

    /// Appends an item: `write` appends its text to the lane that the key's hash names.
    pub fn push(&mut self, key_hash: u64, origin: Origin, write: impl FnOnce(&mut Vec<u8>)) {
        let lane = (key_hash % self.lanes.len().max(1) as u64) as usize;
        let Some(text) = self.lanes.get_mut(lane) else { return };
        let before = text.len();
        write(text);
        let bytes = (text.len() - before) as u32;
        self.entries.push(Entry { key_hash, origin, bytes, lane: lane as u32 });
    }

    /// Notes a loss of the item that was pushed last.
    pub fn push_loss(&mut self, loss: EncodeLoss) {
        self.losses.push((self.entries.len().saturating_sub(1), loss));
    }

    /// Where the next item will come.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.entries.len())
    }

    /// Drops every item pushed since the position was taken.
    pub fn truncate(&mut self, to: Position) {
        while self.entries.len() > to.0 {
            let Some(entry) = self.entries.pop() else { return };
            if let Some(text) = self.lanes.get_mut(entry.lane as usize) {
                text.truncate(text.len().saturating_sub(entry.bytes as usize));
            }
        }
        while self.losses.last().is_some_and(|(item, _)| *item >= to.0) {
            self.losses.pop();
        }
    }

    /// Drops everything and keeps the allocations.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Vec::clear);
        self.entries.clear();
        self.losses.clear();
    }

    /// The text of each lane.
    #[must_use]
    pub fn lanes(&self) -> &[Vec<u8>] {
        &self.lanes
    }

    /// The text of each lane, to be taken or swapped.
    pub fn lanes_mut(&mut self) -> &mut [Vec<u8>] {
        &mut self.lanes
    }

    /// The items in the order in which they were pushed.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the items lost in the text form, item by item.
    pub fn losses(&self) -> impl Iterator<Item = (EncodeLoss, Origin)> + '_ {
        self.losses
            .iter()
            .filter_map(|(item, loss)| self.entries.get(*item).map(|entry| (*loss, entry.origin)))
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of text there are, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lanes.iter().map(|text| text.len() as u64).sum()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncating_leaves_nothing_of_the_dropped_items() {
        let mut batch = Encoded::new(3);
        for n in 0..7u64 {
            batch.push(n, Origin(n), |text| text.extend_from_slice(format!("{n}\n").as_bytes()));
        }
        let lanes = batch.lanes().to_vec();
        let position = batch.position();
        for n in 7..20u64 {
            batch.push(n, Origin(n), |text| text.extend_from_slice(b"dropped\n"));
            batch.push_loss(EncodeLoss::BoolAsText);
        }
        batch.truncate(position);
        assert_eq!(batch.lanes(), lanes);
        assert_eq!(batch.items(), 7);
        assert_eq!(batch.losses().count(), 0);
    }
}
