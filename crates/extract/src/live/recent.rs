use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// How many names are remembered, at most.
const PLACES: usize = 1 << 15;
/// Places of a table that grows, at first.
const FIRST_PLACES: usize = 1 << 8;

/// The names that were given lately, so that those which `SCAN` tells twice are given once.
///
/// It is bounded: a repeat from long ago is not noticed here. Names are told apart by 128 bits of a
/// keyed hash, so that two names are never taken for one.
#[derive(Debug)]
pub(crate) struct Recent {
    seed: u64,
    /// A power of two of them.
    places: Vec<u128>,
    /// How many of them are taken.
    taken: usize,
}

impl Recent {
    /// All places at once, for as many names as there may be.
    pub(crate) fn new() -> Self {
        Self::with_places(PLACES)
    }

    /// A few places, and more as names come: for one of many tables that are held together.
    pub(crate) fn growing() -> Self {
        Self::with_places(FIRST_PLACES)
    }

    fn with_places(count: usize) -> Self {
        Self { seed: RandomState::new().hash_one(0), places: vec![0; count], taken: 0 }
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.places.len() * size_of::<u128>()
    }

    /// Remembers a name of a space, such as a database; `false` when it was remembered already.
    pub(crate) fn insert(&mut self, space: u32, name: &[u8]) -> bool {
        let hash = self.hash(space, name);
        let at = self.place(hash);
        let Some(place) = self.places.get_mut(at) else { return true };
        let before = std::mem::replace(place, hash);
        if before == hash {
            return false;
        }
        self.taken += usize::from(before == 0);
        if !self.is_full_size() && self.taken * 2 > self.places.len() {
            self.grow();
        }
        true
    }

    /// Whether a name is remembered.
    pub(crate) fn contains(&self, space: u32, name: &[u8]) -> bool {
        let hash = self.hash(space, name);
        self.places.get(self.place(hash)) == Some(&hash)
    }

    fn hash(&self, space: u32, name: &[u8]) -> u128 {
        // 0 is an empty place.
        xxh3_128_with_seed(name, self.seed.wrapping_add(u64::from(space))) | 1
    }

    /// Where a name is, or would be. At full size each has one place, and the last one keeps it; while
    /// the table grows, at least half of it is free, and the next free place is as good.
    fn place(&self, hash: u128) -> usize {
        let mask = self.places.len() - 1;
        let mut at = (hash >> 64) as usize & mask;
        if !self.is_full_size() {
            let is_other = |place: &u128| *place != 0 && *place != hash;
            while self.places.get(at).is_some_and(is_other) {
                at = (at + 1) & mask;
            }
        }
        at
    }

    fn is_full_size(&self) -> bool {
        self.places.len() >= PLACES
    }

    fn grow(&mut self) {
        let twice = vec![0; self.places.len() * 2];
        for hash in std::mem::replace(&mut self.places, twice).into_iter().filter(|hash| *hash != 0)
        {
            let at = self.place(hash);
            if let Some(place) = self.places.get_mut(at) {
                *place = hash;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_new_once() {
        let mut recent = Recent::new();
        let names: Vec<_> = (0..100_000_u32).map(u32::to_be_bytes).collect();
        assert!(names.iter().all(|name| recent.insert(0, name)));
        // The last ones are remembered, but for those whose places were taken since.
        let known = names.iter().rev().take(1000).filter(|name| !recent.insert(0, *name)).count();
        assert!(known > 950, "{known}");
        assert!(recent.contains(0, &names[99_999]));
        assert!(recent.insert(1, &names[99_999]), "a name of another space");
    }

    #[test]
    fn a_table_that_grows_forgets_nothing_until_it_is_full_size() {
        let mut recent = Recent::growing();
        let names: Vec<_> = (0..100_000_u32).map(u32::to_be_bytes).collect();
        assert_eq!(recent.bytes(), 256 * 16);
        for (count, name) in (1..).zip(&names[..8000]) {
            assert!(recent.insert(0, name));
            assert!(!recent.insert(0, name));
            // At least half of it is free, and no more than three quarters once it has grown.
            let most = (count * 4).max(256) * 16;
            assert!((count * 2 * 16..=most).contains(&recent.bytes()), "{count}: {recent:?}");
        }
        assert!(names[..8000].iter().all(|name| recent.contains(0, name)));
        assert!(!recent.contains(0, &names[8000]) && !recent.contains(1, &names[0]));
        assert!(names[8000..].iter().all(|name| recent.insert(0, name)));
        assert_eq!(recent.bytes(), Recent::new().bytes());
        let known = names.iter().rev().take(1000).filter(|name| recent.contains(0, *name)).count();
        assert!(known > 950, "{known}");
    }
}
