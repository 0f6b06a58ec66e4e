//! Which values an attribute has, told from a few of them.
//!
//! Of all distinct values those with the smallest hashes are kept, each with its exact count. What
//! is kept depends on the set of values alone, so two sketches of parts make the sketch of the
//! whole, in any order. From it come the number of distinct values (exact up to [`KEPT`], within
//! about 6 % beyond), whether values repeat, and whether one attribute's values are among
//! another's.

use xxhash_rust::xxh3::xxh3_64;

/// How many values are kept.
pub(super) const KEPT: usize = 256;

/// A value's hash, never 0.
#[inline]
pub(super) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes()).max(1)
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Sketch {
    /// Hashes in ascending order, and how often each value is there.
    kept: Vec<(u64, u64)>,
    /// Whether there are more values than those.
    more: bool,
}

impl Sketch {
    /// Counts a value; says whether it is new among those that are kept.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, count: u64) -> bool {
        if self.kept.len() == KEPT && self.kept.last().is_some_and(|(last, _)| *last < hash) {
            self.more = true;
            return false;
        }
        match self.kept.binary_search_by_key(&hash, |(kept, _)| *kept) {
            Ok(at) => {
                if let Some((_, counted)) = self.kept.get_mut(at) {
                    *counted += count;
                }
                false
            }
            Err(at) => {
                if self.kept.len() == KEPT {
                    self.kept.pop();
                    self.more = true;
                }
                self.kept.insert(at, (hash, count));
                true
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (hash, count) in &other.kept {
            self.add(*hash, *count);
        }
        self.more |= other.more;
    }

    /// About how many distinct values there are.
    pub(super) fn distinct(&self) -> u64 {
        match self.kept.last() {
            // The values kept are as dense below the last as all are below 2^64.
            Some((last, _)) if self.more => {
                ((KEPT - 1) as f64 / (*last as f64 / u64::MAX as f64)).round() as u64
            }
            _ => self.kept.len() as u64,
        }
    }

    /// Whether every value is kept.
    pub(super) fn is_exact(&self) -> bool {
        !self.more
    }

    /// Whether no value that is kept is there twice.
    pub(super) fn never_repeats(&self) -> bool {
        self.kept.iter().all(|(_, count)| *count == 1)
    }

    /// How often a value is there, on average of those that are kept.
    pub(super) fn repetition(&self) -> f64 {
        let counted: u64 = self.kept.iter().map(|(_, count)| count).sum();
        counted as f64 / self.kept.len().max(1) as f64
    }

    /// Whether the value of that hash is kept.
    pub(super) fn has(&self, hash: u64) -> bool {
        self.kept.binary_search_by_key(&hash, |(kept, _)| *kept).is_ok()
    }

    /// Which share of these values is among the other's, and of how many that was told.
    pub(super) fn within(&self, other: &Self) -> (f64, usize) {
        let bound = |sketch: &Self| match sketch.kept.last() {
            Some((last, _)) if sketch.more => *last,
            _ => u64::MAX,
        };
        // Below both bounds both sketches are complete.
        let bound = bound(self).min(bound(other));
        let (mut found, mut told) = (0usize, 0usize);
        for (hash, _) in self.kept.iter().take_while(|(hash, _)| *hash <= bound) {
            told += 1;
            found += usize::from(other.has(*hash));
        }
        (if told == 0 { 0.0 } else { found as f64 / told as f64 }, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::default();
        range.for_each(|value| {
            sketch.add(hash(&value.to_string()), 1);
        });
        sketch
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_nearly() {
        assert_eq!((of(0..0).distinct(), of(0..200).distinct()), (0, 200));
        assert_eq!((of(0..256).distinct(), of(0..256).is_exact()), (256, true));
        let many = of(0..100_000);
        assert!(!many.is_exact());
        assert!((90_000..110_000).contains(&many.distinct()), "{}", many.distinct());
    }

    #[test]
    fn parts_make_the_whole() {
        let mut parts = of(500..9_000);
        parts.merge(&of(0..500));
        assert_eq!(parts, of(0..9_000));
    }

    #[test]
    fn counts_of_what_is_kept_are_exact() {
        let mut sketch = of(0..5_000);
        assert!(sketch.never_repeats());
        for value in (0..5_000).rev() {
            sketch.add(hash(&value.to_string()), 2);
        }
        assert!(sketch.kept.iter().all(|(_, count)| *count == 3));
        assert!((sketch.repetition() - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn containment_is_told_of_large_sets() {
        let (share, told) = of(20_000..30_000).within(&of(0..100_000));
        assert!(share > 0.999 && told > 10, "{share} of {told}");
        let (share, _) = of(0..20_000).within(&of(10_000..30_000));
        assert!((0.3..0.7).contains(&share), "{share}");
        assert_eq!(of(0..10).within(&of(10..20)).0, 0.0);
    }
}
