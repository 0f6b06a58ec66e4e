//! Streams: entries, consumer groups and idempotency data, as values.

use std::fmt;
use std::str::FromStr;

use crate::blob::Blob;
use crate::record::UnixMillis;

/// The id of a stream entry.
///
/// ```
/// use keystar_rdb::StreamId;
///
/// let id: StreamId = "1526919030474-55".parse()?;
/// assert_eq!((id.ms, id.seq), (1526919030474, 55));
/// assert_eq!(id.to_string(), "1526919030474-55");
/// # Ok::<(), keystar_rdb::ParseStreamIdError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "128 bits in two parts, by nature")]
pub struct StreamId {
    /// Milliseconds since 1970, by the clock of the server.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// An id from its two parts.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text is no stream id, such as `1526919030474-55`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseStreamIdError;

impl fmt::Display for ParseStreamIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a stream id: expected milliseconds, a hyphen, and a sequence number")
    }
}

impl std::error::Error for ParseStreamIdError {}

impl FromStr for StreamId {
    type Err = ParseStreamIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fn number(text: &str) -> Result<u64, ParseStreamIdError> {
            if text.starts_with('+') {
                return Err(ParseStreamIdError);
            }
            text.parse().map_err(|_| ParseStreamIdError)
        }
        let (ms, seq) = text.split_once('-').ok_or(ParseStreamIdError)?;
        Ok(Self { ms: number(ms)?, seq: number(seq)? })
    }
}

/// A stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stream<'a> {
    /// The live entries, in the order of their ids.
    pub entries: Vec<StreamEntry<'a>>,
    /// The number of entries as the dump declares it. Some servers wrote a wrong one: trust
    /// `entries`.
    pub length: u64,
    /// The last id that was ever given.
    pub last_id: StreamId,
    /// The id of the first live entry as the dump declares it (RDB 10 and later).
    pub first_id: Option<StreamId>,
    /// The greatest id that was ever deleted (RDB 10 and later).
    pub max_deleted_id: Option<StreamId>,
    /// How many entries were ever added (RDB 10 and later).
    pub entries_added: Option<u64>,
    /// The consumer groups.
    pub groups: Vec<Group<'a>>,
    /// What the stream keeps to recognise repeated `XADD`s (RDB 13 and later).
    pub idempotency: Option<Idempotency<'a>>,
}

impl Stream<'_> {
    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Stream<'static> {
        Stream {
            entries: self.entries.into_iter().map(StreamEntry::into_owned).collect(),
            length: self.length,
            last_id: self.last_id,
            first_id: self.first_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
            groups: self.groups.into_iter().map(Group::into_owned).collect(),
            idempotency: self.idempotency.map(Idempotency::into_owned),
        }
    }
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "an id and its fields, by nature")]
pub struct StreamEntry<'a> {
    /// The id.
    pub id: StreamId,
    /// Names and values in the order they were added; a name may occur more than once.
    pub fields: Vec<(Blob<'a>, Blob<'a>)>,
}

impl StreamEntry<'_> {
    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> StreamEntry<'static> {
        let fields = self.fields.into_iter();
        StreamEntry {
            id: self.id,
            fields: fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        }
    }
}

/// A consumer group of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group<'a> {
    /// The group's name.
    pub name: Blob<'a>,
    /// The last id that was delivered to the group.
    pub last_id: StreamId,
    /// How many entries the group has read; `None` where the server did not know.
    pub entries_read: Option<u64>,
    /// Delivered but not yet acknowledged, in the order of ids.
    pub pending: Vec<Pending<'a>>,
    /// The consumers.
    pub consumers: Vec<Consumer<'a>>,
    /// Ids that were handed back to the group (RDB 14 and later).
    pub nacked: Vec<StreamId>,
}

impl<'a> Group<'a> {
    /// A group that has read nothing.
    #[must_use]
    pub fn new(name: Blob<'a>, last_id: StreamId) -> Self {
        Self { name, last_id, ..Self::default() }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Group<'static> {
        Group {
            name: self.name.into_owned(),
            last_id: self.last_id,
            entries_read: self.entries_read,
            pending: self.pending.into_iter().map(Pending::into_owned).collect(),
            consumers: self.consumers.into_iter().map(Consumer::into_owned).collect(),
            nacked: self.nacked,
        }
    }
}

/// An entry that was delivered to a consumer but not yet acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending<'a> {
    /// The entry's id; the entry itself may have been deleted since.
    pub id: StreamId,
    /// The consumer that owns it; `None` if no consumer of the group does.
    pub consumer: Option<Blob<'a>>,
    /// When it was last delivered.
    pub delivered_at: UnixMillis,
    /// How often it was delivered.
    pub delivery_count: u64,
}

impl<'a> Pending<'a> {
    /// A pending entry that no consumer owns yet.
    #[must_use]
    pub const fn new(id: StreamId, delivered_at: UnixMillis, delivery_count: u64) -> Self {
        Self { id, consumer: None, delivered_at, delivery_count }
    }

    /// The same entry, owned by a consumer.
    #[must_use]
    pub fn with_consumer(mut self, consumer: impl Into<Option<Blob<'a>>>) -> Self {
        self.consumer = consumer.into();
        self
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Pending<'static> {
        Pending {
            id: self.id,
            consumer: self.consumer.map(Blob::into_owned),
            delivered_at: self.delivered_at,
            delivery_count: self.delivery_count,
        }
    }
}

/// A consumer of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer<'a> {
    /// The consumer's name.
    pub name: Blob<'a>,
    /// When it last tried to read.
    pub seen_at: UnixMillis,
    /// When it last read something; `None` if never. Before RDB 11 this is `seen_at`.
    pub active_at: Option<UnixMillis>,
}

impl<'a> Consumer<'a> {
    /// A consumer.
    #[must_use]
    pub const fn new(name: Blob<'a>, seen_at: UnixMillis, active_at: Option<UnixMillis>) -> Self {
        Self { name, seen_at, active_at }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Consumer<'static> {
        Consumer { name: self.name.into_owned(), seen_at: self.seen_at, active_at: self.active_at }
    }
}

/// What a stream keeps to recognise repeated `XADD`s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Idempotency<'a> {
    /// How long an id is remembered, in seconds.
    pub duration_seconds: u64,
    /// How many ids are remembered for each producer.
    pub max_entries: u64,
    /// The producers.
    pub producers: Vec<Producer<'a>>,
    /// How many ids were ever added.
    pub ids_added: u64,
    /// How many repeats were recognised.
    pub duplicates: u64,
}

impl Idempotency<'_> {
    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Idempotency<'static> {
        Idempotency {
            duration_seconds: self.duration_seconds,
            max_entries: self.max_entries,
            producers: self.producers.into_iter().map(Producer::into_owned).collect(),
            ids_added: self.ids_added,
            duplicates: self.duplicates,
        }
    }
}

/// One producer and the ids remembered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Producer<'a> {
    /// The producer's id.
    pub id: Blob<'a>,
    /// The idempotency ids, each with the entry that it added.
    pub entries: Vec<(Blob<'a>, StreamId)>,
}

impl<'a> Producer<'a> {
    /// A producer and its ids.
    #[must_use]
    pub const fn new(id: Blob<'a>, entries: Vec<(Blob<'a>, StreamId)>) -> Self {
        Self { id, entries }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Producer<'static> {
        let entries = self.entries.into_iter();
        Producer {
            id: self.id.into_owned(),
            entries: entries.map(|(id, entry)| (id.into_owned(), entry)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_then_number() {
        let mut ids = [StreamId::new(2, 0), StreamId::new(1, 9), StreamId::new(1, 10)];
        ids.sort();
        assert_eq!(ids.map(|id| id.to_string()), ["1-9", "1-10", "2-0"]);
    }

    #[test]
    fn bad_ids_are_refused() {
        for text in ["", "1", "-", "1-", "-1", "+1-1", "1-+1", "a-1", "1-1-1"] {
            assert_eq!(text.parse::<StreamId>(), Err(ParseStreamIdError), "{text}");
        }
        let max = StreamId::new(u64::MAX, u64::MAX);
        assert_eq!(max.to_string().parse(), Ok(max));
    }
}
