//! What is counted over a whole source in bounded memory: buckets, prefixes, the largest, the
//! first.
//!
//! Each of these is filled for one batch by a worker and merged in the order of the source, so
//! that the same source gives the same result however many threads worked on it.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use keystar_rdb::{Blob, Db};
use serde::Serialize;

use crate::{document::Bar, rejects::escape, units};

/// Keys are shown up to so many characters.
const SHOWN_CHARS: usize = 200;

/// A Redis key as results show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Key {
    /// Its database.
    pub db: u32,
    /// Its text; bytes that are not UTF-8 are shown as `\xNN`, and what is too long is cut.
    pub key: String,
}

impl Key {
    pub(crate) fn new(db: Db, key: &[u8]) -> Self {
        Self { db: db.0, key: shown(key) }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.db {
            0 => write!(f, "{}", self.key),
            db => write!(f, "{} (db {db})", self.key),
        }
    }
}

/// Bytes as text that fits a line.
pub(crate) fn shown(bytes: &[u8]) -> String {
    // A character has at most four bytes, so what lies behind cannot be shown.
    cut(escape(bytes.get(..SHOWN_CHARS * 4).unwrap_or(bytes)))
}

/// Text that fits a line.
pub(crate) fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A number of records or items, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Sum {
    pub(crate) fn one(bytes: u64) -> Self {
        Self { count: 1, bytes }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// A histogram's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bucket {
    /// What falls into it, e.g. `<=1 KB`.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Bucket {
    /// The bucket as a column of a chart.
    pub(crate) fn column(&self) -> Bar {
        Bar::new(self.name.replace("<=", "≤"), self.count, units::compact(self.count))
    }
}

/// A histogram over `N` buckets that are known beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Histogram<const N: usize>([Sum; N]);

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self([Sum::default(); N])
    }
}

impl<const N: usize> Histogram<N> {
    pub(crate) fn add(&mut self, bucket: usize, sum: Sum) {
        if let Some(own) = self.0.get_mut(bucket) {
            own.add(sum);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            own.add(other);
        }
    }

    /// The rows, under these names.
    pub(crate) fn buckets(&self, names: [&'static str; N]) -> Vec<Bucket> {
        let rows = names.into_iter().zip(self.0);
        rows.map(|(name, Sum { count, bytes })| Bucket { name, count, bytes }).collect()
    }
}

/// Sums by key, for at most so many keys: the heaviest stay, the others are folded into one.
///
/// When there are too many, the lighter half goes (Misra and Gries' idea): a key that is frequent
/// enough to matter survives wherever in the source it comes. What it had before it was folded is
/// missing from its sum then; [`short_by`](Self::short_by) bounds how much.
#[derive(Clone, Debug)]
pub(crate) struct Capped {
    sums: HashMap<Box<[u8]>, Sum>,
    max_keys: usize,
    folded: Sum,
    short_by: u64,
}

/// Keys that are told apart over a whole source: about 10 MB.
pub(crate) const MAX_KEYS: usize = 65_536;

impl Capped {
    /// Tells at most so many keys apart.
    pub(crate) fn new(max_keys: usize) -> Self {
        Self { sums: HashMap::new(), max_keys, folded: Sum::default(), short_by: 0 }
    }

    /// Tells all keys of a batch apart, which is bounded by itself.
    pub(crate) fn of_batch() -> Self {
        Self::new(usize::MAX)
    }

    pub(crate) fn add(&mut self, key: &[u8], sum: Sum) {
        match self.sums.get_mut(key) {
            Some(own) => own.add(sum),
            None => {
                self.sums.insert(key.into(), sum);
                if self.sums.len() > self.max_keys {
                    self.fold();
                }
            }
        }
    }

    /// Adds a batch's sums. In sorted order, since which keys are folded depends on it.
    pub(crate) fn merge(&mut self, other: Self) {
        let mut sums: Vec<_> = other.sums.into_iter().collect();
        if self.sums.len() + sums.len() > self.max_keys {
            sums.sort_unstable();
        }
        for (key, sum) in sums {
            self.add(&key, sum);
        }
        self.folded.add(other.folded);
        self.short_by += other.short_by;
    }

    /// The heaviest keys by count, then by key.
    pub(crate) fn heaviest(&self, top: usize) -> Vec<(&[u8], Sum)> {
        self.ranked(top, |sum| (sum.count, sum.bytes))
    }

    /// The heaviest keys by bytes, then by key.
    pub(crate) fn biggest(&self, top: usize) -> Vec<(&[u8], Sum)> {
        self.ranked(top, |sum| (sum.bytes, sum.count))
    }

    fn ranked(&self, top: usize, weight: impl Fn(Sum) -> (u64, u64)) -> Vec<(&[u8], Sum)> {
        let mut sums: Vec<_> = self.sums.iter().map(|(key, sum)| (&**key, *sum)).collect();
        sums.sort_unstable_by_key(|(key, sum)| (Reverse(weight(*sum)), *key));
        sums.truncate(top);
        sums
    }

    /// Keys that are told apart.
    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    /// What was folded, all together.
    pub(crate) fn folded(&self) -> Sum {
        self.folded
    }

    /// By how much the count of a key that is told apart may be too low.
    pub(crate) fn short_by(&self) -> u64 {
        self.short_by
    }

    #[cold]
    fn fold(&mut self) {
        let mut weights: Vec<_> = self.sums.iter().map(|(key, sum)| (*sum, key)).collect();
        let half = weights.len() / 2;
        let (_, (pivot, key), _) = weights.select_nth_unstable(half);
        let (pivot, key) = (*pivot, key.clone());
        self.short_by += pivot.count;
        let folded = &mut self.folded;
        self.sums.retain(|own, sum| {
            let stays = (*sum, own) >= (pivot, &key);
            if !stays {
                folded.add(*sum);
            }
            stays
        });
    }
}

/// The largest of what was offered, at most so many; ties are settled by the rest of the order.
#[derive(Clone, Debug)]
pub(crate) struct Largest<T: Ord> {
    heap: BinaryHeap<Reverse<T>>,
    max: usize,
}

impl<T: Ord> Largest<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { heap: BinaryHeap::new(), max }
    }

    /// The smallest that is kept, once no place is free: what is smaller need not be offered.
    pub(crate) fn smallest(&self) -> Option<&T> {
        if self.heap.len() < self.max { None } else { self.heap.peek().map(|Reverse(own)| own) }
    }

    pub(crate) fn offer(&mut self, candidate: T) {
        if self.heap.len() < self.max {
            self.heap.push(Reverse(candidate));
        } else if let Some(mut smallest) = self.heap.peek_mut()
            && candidate > smallest.0
        {
            smallest.0 = candidate;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for Reverse(candidate) in other.heap {
            self.offer(candidate);
        }
    }

    /// The largest first.
    pub(crate) fn into_sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(own)| own).collect()
    }
}

/// A key with its size. The order is by size; of two equal ones the earlier key is the larger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sized {
    /// What is compared.
    pub(crate) size: u64,
    /// The other number that is shown.
    pub(crate) other: u64,
    pub(crate) db: Db,
    pub(crate) key: Blob<'static>,
    pub(crate) kind: &'static str,
}

impl Ord for Sized {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.size.cmp(&other.size))
            .then_with(|| other.db.cmp(&self.db))
            .then_with(|| other.key.cmp(&self.key))
            .then_with(|| other.kind.cmp(self.kind))
            .then_with(|| other.other.cmp(&self.other))
    }
}

impl PartialOrd for Sized {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// How often something was met, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// How often.
    pub count: u64,
    /// The first keys, in the order of the source.
    pub first: Vec<Key>,
}

/// Keys that a sample names.
const FIRST_KEYS: usize = 5;

impl Sample {
    pub(crate) fn note(&mut self, db: Db, key: &[u8]) {
        self.note_with(|| Key::new(db, key));
    }

    pub(crate) fn note_with(&mut self, key: impl FnOnce() -> Key) {
        self.count += 1;
        if self.first.len() < FIRST_KEYS {
            self.first.push(key());
        }
    }

    /// Adds what came later.
    pub(crate) fn merge(&mut self, later: Self) {
        self.count += later.count;
        let room = FIRST_KEYS.saturating_sub(self.first.len());
        self.first.extend(later.first.into_iter().take(room));
    }

    /// The first keys as text, in one line.
    pub(crate) fn keys(&self) -> String {
        let keys: Vec<String> = self.first.iter().map(Key::to_string).collect();
        let more = if self.count > self.first.len() as u64 { ", …" } else { "" };
        format!("{}{more}", keys.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_keys_survive_however_many_light_ones_there_are() {
        let mut capped = Capped::new(100);
        for number in 0..10_000_u32 {
            let mut batch = Capped::of_batch();
            batch.add(format!("light:{number}").as_bytes(), Sum::one(1));
            // It comes late, when all places were taken long ago.
            if number > 5_000 {
                batch.add(b"heavy", Sum { count: 2, bytes: 7 });
            }
            capped.merge(batch);
        }
        let [(key, sum)] = capped.heaviest(1).try_into().unwrap();
        assert_eq!((key, sum), (&b"heavy"[..], Sum { count: 9_998, bytes: 34_993 }));
        assert!(capped.len() <= 100);
        let shown: u64 = capped.heaviest(1000).iter().map(|(_, sum)| sum.count).sum();
        assert_eq!(shown + capped.folded().count, 10_000 + 9_998, "nothing is lost");
        assert!(capped.short_by() > 0);
    }

    #[test]
    fn few_keys_are_exact() {
        let mut capped = Capped::new(2);
        for key in ["b", "a", "b"] {
            capped.add(key.as_bytes(), Sum::one(10));
        }
        assert_eq!(
            capped.heaviest(9),
            [(&b"b"[..], Sum { count: 2, bytes: 20 }), (&b"a"[..], Sum { count: 1, bytes: 10 }),]
        );
        assert_eq!((capped.folded(), capped.short_by()), (Sum::default(), 0));
    }

    #[test]
    fn the_largest_do_not_depend_on_the_order() {
        let sized = |size: u64, key: &str| Sized {
            size,
            other: 0,
            db: Db(0),
            key: Blob::copied(key.as_bytes()),
            kind: "hash",
        };
        let all = [sized(5, "b"), sized(5, "a"), sized(9, "z"), sized(1, "q"), sized(5, "c")];
        let expected = [all[2].clone(), all[1].clone(), all[0].clone()];
        for turn in 0..all.len() {
            let mut largest = Largest::new(3);
            for at in 0..all.len() {
                largest.offer(all[(at + turn) % all.len()].clone());
            }
            assert_eq!(largest.smallest(), Some(&expected[2]));
            assert_eq!(largest.into_sorted(), expected);
        }
        let mut none = Largest::new(0);
        none.offer(1);
        assert_eq!(none.into_sorted(), [0; 0]);
    }

    #[test]
    fn samples_name_the_first() {
        let mut sample = Sample::default();
        for number in 0..3 {
            sample.note(Db(number), format!("k{number}").as_bytes());
        }
        let mut later = Sample::default();
        for number in 3..9 {
            later.note(Db(0), format!("k{number}").as_bytes());
        }
        sample.merge(later);
        assert_eq!(sample.keys(), "k0, k1 (db 1), k2 (db 2), k3, k4, …");
        assert_eq!(sample.count, 9);
    }

    #[test]
    fn long_keys_are_cut() {
        assert_eq!(shown(b"a\xff\n"), "a\\xff\\n");
        assert_eq!(shown(&[b'x'; 5000]).chars().count(), SHOWN_CHARS + 1);
        assert_eq!(shown("\u{eb}".repeat(5000).as_bytes()).chars().count(), SHOWN_CHARS + 1);
    }
}
