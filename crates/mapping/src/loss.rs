//! What a mapping could not carry exactly, as values.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::shown;

macro_rules! losses {
    ($($(#[doc = $doc:literal])+ $kind:ident $name:literal,)+) => {
        /// A way in which a value is carried inexactly, or not at all.
        #[derive(
            Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum LossKind { $($(#[doc = $doc])+ $kind,)+ }

        impl LossKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The stable name, as in reports: `infinite_score`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+),)+ }
            }
        }
    };
}

losses! {
    /// A score is infinite, which no DynamoDB number is: it is written as the text `inf`.
    InfiniteScore "infinite_score",
    /// A score is not a number: it is written as the text `nan`.
    NanScore "nan_score",
    /// A score is negative zero, which DynamoDB hands back as `0`.
    NegativeZero "negative_zero",
    /// A number lies outside DynamoDB's range or has too many digits: it is written as text.
    NumberRange "number_range",
    /// A number is the same, but DynamoDB hands it back in other words: `1.50` as `1.5`.
    NumberText "number_text",
    /// A cast changed a value's text beyond what the way back can tell: `true` for `1`.
    CastText "cast_text",
    /// A value could not be cast, and is written as it would be without the cast.
    CastFailed "cast_failed",
    /// A rule dropped a field.
    FieldDropped "field_dropped",
    /// A rule replaced a field's value by its hash.
    FieldHashed "field_hashed",
    /// A stream entry has a field more than once; only the last is kept.
    DuplicateStreamField "duplicate_stream_field",
    /// The order of the fields of a stream entry is not kept.
    StreamFieldOrder "stream_field_order",
    /// The Redis key cannot be read back from the item's key.
    KeyNotKept "key_not_kept",
    /// The Redis type is not written, and the item does not tell it.
    TypeNotKept "type_not_kept",
    /// Something that modules attached to the key is left out.
    KeyMeta "key_meta",
}

impl fmt::Display for LossKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something of one record that was not carried exactly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Loss {
    /// In which way.
    pub kind: LossKind,
    /// How many times in this record.
    pub count: u64,
}

impl Loss {
    /// What is lost with the head of a key, which no value shows: whoever has the head adds it to
    /// the losses of the record.
    #[must_use]
    pub fn of_head(head: &keystar_rdb::Head<'_>) -> Option<Self> {
        head.meta.is_some().then_some(Self { kind: LossKind::KeyMeta, count: 1 })
    }
}

/// Adds one loss to those of a record, where each kind stands once.
#[inline]
pub(crate) fn lose(losses: &mut Vec<Loss>, kind: LossKind) {
    match losses.iter_mut().find(|loss| loss.kind == kind) {
        Some(loss) => loss.count += 1,
        None => losses.push(Loss { kind, count: 1 }),
    }
}

/// Adds the losses of one piece of a record to those of the others.
#[inline]
pub(crate) fn merge(losses: &mut Vec<Loss>, more: Vec<Loss>) {
    for loss in more {
        match losses.iter_mut().find(|known| known.kind == loss.kind) {
            Some(known) => known.count += loss.count,
            None => losses.push(loss),
        }
    }
}

/// The losses of many records, counted by kind, with the first keys of each.
///
/// Which keys are the first is told by where they lie in the source, so threads may count apart
/// and [`merge`](Self::merge) later without a change in the result.
///
/// ```
/// use keystar_mapping::{Loss, LossKind, Losses, Mapped, Mapping};
/// use keystar_rdb::{Db, Record, Scored, Value};
///
/// let mapping = Mapping::default();
/// let record = Record::new(
///     Db(0),
///     "board".into(),
///     Value::SortedSet(vec![Scored::new("ann".into(), f64::INFINITY)]),
/// );
/// let mut mapped = Mapped::new();
/// mapping.map(mapping.route_record(&record).rule().unwrap(), &record, &mut mapped).unwrap();
///
/// let mut losses = Losses::new();
/// losses.add(0, &record.key, &mapped.losses);
/// let count = losses.get(LossKind::InfiniteScore).unwrap();
/// assert_eq!((count.records, count.values), (1, 1));
/// assert_eq!(count.keys().next(), Some("board"));
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Losses {
    kinds: BTreeMap<LossKind, LossCount>,
}

/// How often one kind of loss occurred.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LossCount {
    /// Records that it occurred in.
    pub records: u64,
    /// Occurrences.
    pub values: u64,
    /// The first keys, escaped and cut, each with its place in the source.
    first: BTreeMap<u64, String>,
}

impl LossCount {
    /// The first keys that it occurred in, escaped and cut, in the order of the source.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.first.values().map(String::as_str)
    }

    fn note(&mut self, place: u64, key: impl FnOnce() -> String) {
        let is_first = self.first.len() < Losses::MAX_KEYS
            || self.first.last_key_value().is_some_and(|(last, _)| place < *last);
        if is_first {
            self.first.entry(place).or_insert_with(key);
            if self.first.len() > Losses::MAX_KEYS {
                self.first.pop_last();
            }
        }
    }
}

impl Losses {
    /// How many keys are kept of each kind.
    pub const MAX_KEYS: usize = 10;

    /// No losses.
    #[must_use]
    pub const fn new() -> Self {
        Self { kinds: BTreeMap::new() }
    }

    /// Counts the losses of one record; `place` is where it lies in the source, e.g. its offset.
    pub fn add(&mut self, place: u64, key: &[u8], losses: &[Loss]) {
        for loss in losses {
            let count = self.kinds.entry(loss.kind).or_default();
            count.records += 1;
            count.values += loss.count;
            count.note(place, || shown(key));
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (kind, theirs) in &other.kinds {
            let ours = self.kinds.entry(*kind).or_default();
            ours.records += theirs.records;
            ours.values += theirs.values;
            for (place, key) in &theirs.first {
                ours.note(*place, || key.clone());
            }
        }
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The counts of one kind, if it occurred.
    #[must_use]
    pub fn get(&self, kind: LossKind) -> Option<&LossCount> {
        self.kinds.get(&kind)
    }

    /// The kinds that occurred with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (LossKind, &LossCount)> {
        self.kinds.iter().map(|(kind, count)| (*kind, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes() {
        for kind in LossKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn merging_does_not_depend_on_who_counted_what() {
        let one = [Loss { kind: LossKind::NumberText, count: 2 }];
        let mut whole = Losses::new();
        let mut halves = [Losses::new(), Losses::new()];
        for place in (0..40_u64).rev() {
            let key = format!("key:{place}");
            whole.add(place, key.as_bytes(), &one);
            halves[(place % 3 == 0) as usize].add(place, key.as_bytes(), &one);
        }
        let [mut left, right] = halves;
        left.merge(&right);
        assert_eq!(left, whole);
        let count = whole.get(LossKind::NumberText).unwrap();
        assert_eq!((count.records, count.values), (40, 80));
        assert_eq!(count.keys().count(), Losses::MAX_KEYS);
        assert_eq!(count.keys().next(), Some("key:0"));
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Losses>(&text).unwrap(), whole);
    }
}
