//! Whether one attribute tells the others: `productid` the `productname`.
//!
//! For the values of a likely determinant that have the smallest hashes, what else stands in their
//! items is kept; where it differs between two items, it is not told. Which values are kept
//! depends on the set of values alone, and each is watched from its first item on.

/// So many values of a determinant are watched.
const WATCHED: usize = 48;
/// Groups with more attributes are not watched: they are no lists of things.
pub(super) const DEPENDENTS: usize = 32;

/// What stands beside a value: nothing yet, one value's hash, or several.
type Beside = Option<Result<u64, Several>>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Several;

#[derive(Clone, Debug, Default)]
pub(super) struct Determinant {
    /// Ascending hashes of values; how many items; what is beside, by the place of the attribute.
    watched: Vec<(u64, u64, Box<[Beside; DEPENDENTS]>)>,
}

impl Determinant {
    #[inline]
    fn entry(&mut self, hash: u64) -> Option<&mut (u64, u64, Box<[Beside; DEPENDENTS]>)> {
        let full = self.watched.len() == WATCHED;
        if full && self.watched.last().is_some_and(|last| last.0 < hash) {
            return None;
        }
        let at = match self.watched.binary_search_by_key(&hash, |watched| watched.0) {
            Ok(at) => at,
            Err(at) => {
                if full {
                    self.watched.pop();
                }
                self.watched.insert(at, (hash, 0, Box::new([None; DEPENDENTS])));
                at
            }
        };
        self.watched.get_mut(at)
    }

    /// Looks at an item: the determinant's hash, and the hashes of all plain attributes by their
    /// place, 0 where there is none.
    #[inline]
    pub(super) fn observe(&mut self, hash: u64, attributes: &[u64]) {
        let Some((_, items, beside)) = self.entry(hash) else { return };
        *items += 1;
        for (beside, hash) in beside.iter_mut().zip(attributes) {
            if *hash != 0 {
                note(beside, Ok(*hash));
            }
        }
    }

    /// Adds what another has seen; `place` says where its attributes are here.
    pub(super) fn merge(&mut self, other: &Self, place: impl Fn(usize) -> Option<usize>) {
        for (hash, count, others) in &other.watched {
            let Some((_, items, beside)) = self.entry(*hash) else { continue };
            *items += count;
            for (at, other) in others.iter().enumerate() {
                if let (Some(other), Some(at)) = (other, place(at))
                    && let Some(beside) = beside.get_mut(at)
                {
                    note(beside, *other);
                }
            }
        }
    }

    /// Of the watched values that stand in several items: how many there are, and with how many of
    /// them the attribute at that place never changes.
    pub(super) fn tells(&self, place: usize) -> (usize, usize) {
        let repeated = self.watched.iter().filter(|(_, items, _)| *items > 1);
        let beside = repeated.filter_map(|(_, _, beside)| beside.get(place).copied().flatten());
        beside.fold((0, 0), |(all, told), beside| (all + 1, told + usize::from(beside.is_ok())))
    }
}

fn note(beside: &mut Beside, seen: Result<u64, Several>) {
    match beside {
        None => *beside = Some(seen),
        Some(have) if *have != seen => *have = Err(Several),
        Some(_) => {}
    }
}
