//! Values that commands change.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
};

use keystar_rdb::{Blob, Field, Kind, Scored, UnixMillis, Usage, Value};

use super::stream::Log;

/// What one entry of a collection takes besides its own bytes, about.
const ENTRY_BYTES: usize = 48;

/// A key's value, and when it expires.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    pub(super) held: Held,
    pub(super) expires_at: Option<UnixMillis>,
    pub(super) usage: Usage,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Text(Vec<u8>),
    List(VecDeque<Blob<'static>>),
    Set(HashSet<Blob<'static>>),
    Hash(HashMap<Blob<'static>, Cell>),
    Sorted(Sorted),
    Log(Box<Log>),
    /// A type whose commands are not replayed: it can be copied, moved and deleted.
    Other(Box<Value<'static>>),
    /// A record that could not be read, and why.
    Damaged(String),
}

/// A field's value, and when the field expires.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) value: Blob<'static>,
    pub(super) expires_at: Option<UnixMillis>,
}

/// A sorted set: by member, and by score.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    scores: HashMap<Blob<'static>, f64>,
    order: BTreeSet<(Score, Blob<'static>)>,
}

/// A score, ordered as the server orders them: the two zeros are one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score(pub(super) f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    pub(super) fn put(&mut self, member: &[u8], score: f64) {
        self.remove(member);
        self.scores.insert(Blob::copied(member), score);
        self.order.insert((Score(score), Blob::copied(member)));
    }

    pub(super) fn remove(&mut self, member: &[u8]) {
        if let Some((member, score)) = self.scores.remove_entry(member) {
            self.order.remove(&(Score(score), member));
        }
    }

    /// Members with their scores, from the lowest.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Blob<'static>, f64)> {
        self.order.iter().map(|(score, member)| (member, score.0))
    }
}

impl Keyed {
    pub(super) fn new(held: Held) -> Self {
        Self { held, expires_at: None, usage: Usage::Unknown }
    }
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Set(members) => members.is_empty(),
            Self::Hash(fields) => fields.is_empty(),
            Self::Sorted(sorted) => sorted.len() == 0,
            Self::Text(_) | Self::Log(_) | Self::Other(_) | Self::Damaged(_) => false,
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn cost(&self) -> usize {
        let cost = |blob: &Blob<'_>| blob.len() + ENTRY_BYTES;
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(cost).sum(),
            Self::Set(members) => members.iter().map(cost).sum(),
            Self::Hash(fields) => {
                fields.iter().map(|(name, cell)| cost(name) + cost(&cell.value)).sum()
            }
            Self::Sorted(sorted) => sorted.iter().map(|(member, _)| 2 * cost(member)).sum(),
            Self::Log(log) => log.cost(),
            Self::Other(value) => ENTRY_BYTES * value.len(),
            Self::Damaged(detail) => detail.len(),
        }
    }

    /// Takes a value to pieces; `None` for a kind that comes in one.
    pub(super) fn of(value: Value<'static>) -> Self {
        match value {
            Value::String(text) => Self::Text(text.into_vec()),
            Value::List(items) => Self::List(items.into()),
            Value::Set(members) => Self::Set(members.into_iter().collect()),
            Value::Hash(fields) => {
                let cell = |field: Field<'static>| {
                    (field.name, Cell { value: field.value, expires_at: field.expires_at })
                };
                Self::Hash(fields.into_iter().map(cell).collect())
            }
            Value::SortedSet(members) => {
                let mut sorted = Sorted::default();
                for Scored { member, score } in members {
                    sorted.put(&member, score);
                }
                Self::Sorted(sorted)
            }
            Value::Stream(stream) => Self::Log(Box::new(Log::of(*stream))),
            other => Self::Other(Box::new(other)),
        }
    }

    /// Adds another piece of a value that is too big to come whole; whether it fits.
    pub(super) fn extend(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Text(text), Self::Text(more)) => text.extend(more),
            (Self::List(items), Self::List(more)) => items.extend(more),
            (Self::Set(members), Self::Set(more)) => members.extend(more),
            (Self::Hash(fields), Self::Hash(more)) => fields.extend(more),
            (Self::Sorted(sorted), Self::Sorted(more)) => {
                sorted.scores.extend(more.scores);
                sorted.order.extend(more.order);
            }
            (Self::Log(log), Self::Log(more)) => log.extend(*more),
            (Self::Other(value), Self::Other(more)) => match (&mut **value, *more) {
                (Value::Array(array), Value::Array(more)) => {
                    array.slots.extend(more.slots);
                    array.insert_index = array.insert_index.or(more.insert_index);
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// The value of a record: what has no order of its own is in the order of its bytes.
    pub(super) fn into_value(self) -> Result<Value<'static>, String> {
        Ok(match self {
            Self::Text(text) => Value::String(text.into()),
            Self::List(items) => Value::List(items.into()),
            Self::Set(members) => {
                let mut members: Vec<_> = members.into_iter().collect();
                members.sort_unstable();
                Value::Set(members)
            }
            Self::Hash(fields) => {
                let fields: BTreeMap<_, _> = fields.into_iter().collect();
                let field = |(name, cell): (Blob<'static>, Cell)| {
                    Field::new(name, cell.value).with_expires_at(cell.expires_at)
                };
                Value::Hash(fields.into_iter().map(field).collect())
            }
            Self::Sorted(sorted) => {
                let scored = |(score, member): (Score, _)| Scored::new(member, score.0);
                Value::SortedSet(sorted.order.into_iter().map(scored).collect())
            }
            Self::Log(log) => Value::Stream(Box::new(log.into_stream())),
            Self::Other(value) => *value,
            Self::Damaged(detail) => return Err(detail),
        })
    }

    /// What is said of a command for another type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => Kind::String.name(),
            Self::List(_) => Kind::List.name(),
            Self::Set(_) => Kind::Set.name(),
            Self::Hash(_) => Kind::Hash.name(),
            Self::Sorted(_) => Kind::SortedSet.name(),
            Self::Log(_) => Kind::Stream.name(),
            Self::Other(value) => value.kind().name(),
            Self::Damaged(_) => "damaged",
        }
    }
}

/// A value in pieces of about so many bytes each; the first one's index within the value, and the
/// piece. A value that has no parts is one piece.
pub(super) fn pieces(value: Value<'static>, bytes: usize) -> Vec<(u64, Value<'static>)> {
    fn cut<T>(items: Vec<T>, bytes: usize, cost: impl Fn(&T) -> usize) -> Vec<(u64, Vec<T>)> {
        let mut runs: Vec<(u64, Vec<T>)> = Vec::new();
        let (mut held, mut start) = (usize::MAX, 0);
        for item in items {
            if held >= bytes {
                runs.push((start, Vec::new()));
                held = 0;
            }
            held += cost(&item);
            start += 1;
            if let Some((_, run)) = runs.last_mut() {
                run.push(item);
            }
        }
        runs
    }
    fn all<T>(
        runs: Vec<(u64, Vec<T>)>,
        make: impl Fn(Vec<T>) -> Value<'static>,
    ) -> Vec<(u64, Value<'static>)> {
        runs.into_iter().map(|(start, run)| (start, make(run))).collect()
    }
    let cost = |blob: &Blob<'_>| blob.len() + ENTRY_BYTES;
    match value {
        Value::String(text) => {
            let run = |(at, run): (usize, &[u8])| {
                ((at * bytes.max(1)) as u64, Value::String(Blob::copied(run)))
            };
            text.chunks(bytes.max(1)).enumerate().map(run).collect()
        }
        Value::List(items) => all(cut(items, bytes, cost), Value::List),
        Value::Set(members) => all(cut(members, bytes, cost), Value::Set),
        Value::SortedSet(members) => {
            all(cut(members, bytes, |scored| cost(&scored.member)), Value::SortedSet)
        }
        Value::Hash(fields) => {
            all(cut(fields, bytes, |field| cost(&field.name) + cost(&field.value)), Value::Hash)
        }
        Value::Stream(mut stream) => {
            let entries = std::mem::take(&mut stream.entries);
            let mut runs = cut(entries, bytes, |entry| {
                entry.fields.iter().map(|(name, value)| cost(name) + cost(value)).sum()
            });
            let (start, tail) = runs.pop().unwrap_or_default();
            stream.entries = tail;
            let part = |entries| {
                let mut part = keystar_rdb::Stream::default();
                part.entries = entries;
                Value::Stream(Box::new(part))
            };
            let mut pieces = all(runs, part);
            pieces.push((start, Value::Stream(stream)));
            pieces
        }
        other => vec![(0, other)],
    }
}
