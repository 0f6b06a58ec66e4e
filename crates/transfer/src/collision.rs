//! Which records have to go because an earlier one has their key.

use std::collections::{BTreeMap, HashMap};

use keystar_item::{AttributeValue, Item, Table};
use sha2::{Digest, Sha256};

use crate::{Duplicate, Origin};

/// Most characters of an attribute of a key in a report.
const SHOWN_CHARS: usize = 64;

/// An item whose hash another item has.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) origin: Origin,
    /// Where it is: of two items of one key, the one that was written later has the greater place.
    pub(crate) place: (u32, u32),
    pub(crate) key: Key,
}

/// An item's key as it is compared and shown.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// SHA-256 of the whole key: two keys may be long and many.
    identity: [u8; 32],
    shown: String,
}

/// A key and where its item is.
type Placed = ((u32, u32), Key);

/// What is to go.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Settled {
    /// Records, with all of their items.
    pub(crate) duplicates: Vec<Duplicate>,
    /// Items of records that stay, by their places: the record has a later item of the same key.
    pub(crate) repeats: Vec<(u32, u32)>,
}

impl Key {
    /// The key's attributes, escaped and cut.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    #[cfg(feature = "dynamodb")]
    pub(crate) fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// `None` if the item has no key of that table.
    pub(crate) fn of(item: &Item<'_>, table: &Table) -> Option<Self> {
        let mut bytes = Vec::new();
        if !table.key.encode_key(item, &mut bytes) {
            return None;
        }
        let identity = Sha256::digest(&bytes).into();
        let shown = table
            .key
            .attributes()
            .filter_map(|attribute| Some((attribute, item.get(&attribute.name)?)))
            .map(|(attribute, value)| format!("{}={}", attribute.name, shown(value)))
            .collect::<Vec<_>>()
            .join(" ");
        Some(Self { identity, shown })
    }
}

/// Goes through the records in order. A record stays if none of its keys is taken by a record that
/// stays, and takes them; so what a removed record collided with later stays.
///
/// With `repeats`, a record may have been written more than once: of its items of one key the last
/// one stays. Without, it collides with itself.
pub(crate) fn settle(candidates: Vec<Candidate>, repeats: bool) -> Settled {
    let mut records: BTreeMap<Origin, Vec<Placed>> = BTreeMap::new();
    for Candidate { origin, place, key } in candidates {
        records.entry(origin).or_default().push((place, key));
    }
    let mut taken: HashMap<[u8; 32], Origin> = HashMap::new();
    let mut settled = Settled::default();
    for (origin, mut keys) in records {
        keys.sort_by_key(|(place, key)| (key.identity, *place));
        let same = |pair: &&[Placed]| pair[0].1.identity == pair[1].1.identity;
        let clash = keys
            .iter()
            .find_map(|(_, key)| Some((*taken.get(&key.identity)?, key)))
            .or_else(|| match keys.windows(2).find(same) {
                Some(pair) if !repeats => Some((origin, &pair[0].1)),
                _ => None,
            });
        match clash {
            Some((first, key)) => {
                let key = key.shown.clone();
                settled.duplicates.push(Duplicate { first, second: origin, key });
            }
            None => {
                settled.repeats.extend(keys.windows(2).filter(same).map(|pair| pair[0].0));
                taken.extend(keys.into_iter().map(|(_, key)| (key.identity, origin)));
            }
        }
    }
    settled
}

fn shown(value: &AttributeValue<'_>) -> String {
    let (text, chars) = match value {
        AttributeValue::S(text) => (format!("{:?}", cut(text)), text.chars().count()),
        AttributeValue::N(number) => return number.as_str().to_owned(),
        AttributeValue::B(bytes) => {
            let head = bytes.get(..SHOWN_CHARS).unwrap_or(bytes);
            (format!("\"{}\"", head.escape_ascii()), bytes.len())
        }
        _ => return String::new(),
    };
    if chars > SHOWN_CHARS { format!("{text}…") } else { text }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(SHOWN_CHARS).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use keystar_item::{KeyAttribute, KeySchema, KeyType};

    use super::*;

    fn candidate(origin: u64, key: &str) -> Candidate {
        let table = Table::new(KeySchema::new(KeyAttribute::new("pk", KeyType::S)));
        let mut item = Item::new();
        item.push("pk", key.to_owned());
        let key = Key::of(&item, &table).unwrap();
        Candidate { origin: Origin(origin), place: (0, 0), key }
    }

    fn found(candidates: Vec<Candidate>) -> Vec<(u64, u64, String)> {
        let settled = settle(candidates, false);
        assert_eq!(settled.repeats, []);
        settled.duplicates.into_iter().map(|d| (d.first.0, d.second.0, d.key)).collect()
    }

    #[test]
    fn the_earlier_record_stays_whatever_the_order() {
        let a = vec![candidate(2, "x"), candidate(1, "x"), candidate(3, "x")];
        assert_eq!(found(a), [(1, 2, "pk=\"x\"".to_owned()), (1, 3, "pk=\"x\"".to_owned())]);
    }

    #[test]
    fn equal_hashes_of_unequal_keys_are_no_duplicates() {
        assert_eq!(found(vec![candidate(1, "x"), candidate(2, "y")]), []);
    }

    #[test]
    fn what_a_removed_record_collided_with_stays() {
        let a = vec![candidate(1, "x"), candidate(2, "x"), candidate(2, "y"), candidate(3, "y")];
        assert_eq!(found(a), [(1, 2, "pk=\"x\"".to_owned())]);
    }

    #[test]
    fn a_record_may_collide_with_itself() {
        let a = vec![candidate(1, "x"), candidate(1, "x"), candidate(2, "x")];
        assert_eq!(found(a), [(1, 1, "pk=\"x\"".to_owned())]);
    }

    #[test]
    fn the_last_of_a_records_items_stays_where_records_repeat() {
        let at = |place, origin, key| Candidate { place, ..candidate(origin, key) };
        let all = vec![
            at((1, 5), 1, "x"),
            at((0, 9), 1, "x"),
            at((1, 4), 1, "x"),
            at((0, 0), 1, "y"),
            // Goes whole: its repeats are none.
            at((0, 1), 2, "y"),
            at((0, 2), 2, "z"),
            at((0, 3), 2, "z"),
        ];
        let settled = settle(all, true);
        assert_eq!(settled.repeats, [(0, 9), (1, 4)]);
        let pairs: Vec<_> = settled.duplicates.iter().map(|d| (d.first.0, d.second.0)).collect();
        assert_eq!(pairs, [(1, 2)]);
    }

    #[test]
    fn keys_are_shown_escaped_and_cut() {
        let long = format!("\n{}", "é".repeat(500));
        let shown = candidate(1, &long).key.shown;
        assert_eq!(shown, format!("pk=\"\\n{}\"…", "é".repeat(63)));
    }
}
