use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// How many names are remembered, at most.
const PLACES: usize = 1 << 15;

/// The names that were given lately, so that those which `SCAN` tells twice are given once.
///
/// It is bounded: a repeat from long ago is not noticed here. Names are told apart by 128 bits of a
/// keyed hash, so that two names are never taken for one.
#[derive(Debug)]
pub(crate) struct Recent {
    seed: u64,
    places: Vec<u128>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self { seed: RandomState::new().hash_one(0), places: vec![0; PLACES] }
    }

    /// Remembers a name of a space, such as a database; `false` when it was remembered already.
    pub(crate) fn insert(&mut self, space: u32, name: &[u8]) -> bool {
        let (hash, at) = self.place(space, name);
        match self.places.get_mut(at) {
            Some(place) if *place == hash => false,
            Some(place) => {
                *place = hash;
                true
            }
            None => true,
        }
    }

    /// Whether a name is remembered.
    pub(crate) fn contains(&self, space: u32, name: &[u8]) -> bool {
        let (hash, at) = self.place(space, name);
        self.places.get(at) == Some(&hash)
    }

    fn place(&self, space: u32, name: &[u8]) -> (u128, usize) {
        // 0 is an empty place.
        let hash = xxh3_128_with_seed(name, self.seed.wrapping_add(u64::from(space))) | 1;
        (hash, (hash >> 64) as usize % PLACES)
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
}
