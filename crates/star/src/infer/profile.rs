use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use keystar_item::scan::{ItemView, RawText, ValueView};

use super::group::Group;
use super::shape::{self, Cut, Finder, Fold, Found, Level, Shape, Slot};
use super::words;

/// Groups of items that are told apart; with more, less of their shapes counts.
const MOST_GROUPS: usize = 512;
/// Attributes, nested paths and parts of keys in all groups.
const MOST_NODES: usize = 16_384;
/// Names of attributes whose part in the shape is remembered.
const MOST_NAMES: usize = 8_192;
/// Attributes of one item that count for its shape.
const MOST_KEYS: usize = 14;

/// What is known of a table before its items are read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableHint {
    /// The partition key's attribute; without it, the usual names are looked for (`PK`, `pk`,
    /// `partition_key` …).
    pub partition: Option<String>,
    /// The sort key's attribute; likewise.
    pub sort: Option<String>,
}

impl TableHint {
    /// The names of the table's key, if known.
    #[must_use]
    pub fn new(partition: Option<String>, sort: Option<String>) -> Self {
        Self { partition, sort }
    }
}

/// All that one pass over a table's items tells, in bounded memory.
///
/// Items are gathered in groups of one shape (their keys' literals and what may be their type); of
/// each group every attribute is measured, into maps and lists: presence, types, bytes, digits,
/// ranges, forms of dates, distinct values.
///
/// Profiles of parts of a table, [merged](Self::merge), are the profile of the whole: neither the
/// order of the items nor how they are dealt to threads matters.
#[derive(Clone, Debug)]
pub struct Profile {
    hint: TableHint,
    level: Level,
    items: u64,
    groups: Vec<Group>,
    finder: Finder,
    names: HashMap<Box<str>, Option<(Slot, u8)>, BuildHasherDefault<Fold>>,
}

impl Profile {
    /// An empty profile.
    #[must_use]
    pub fn new(hint: TableHint) -> Self {
        Self {
            hint,
            level: Level::default(),
            items: 0,
            groups: Vec::new(),
            finder: Finder::default(),
            names: HashMap::default(),
        }
    }

    /// Looks at an item.
    pub fn observe(&mut self, item: ItemView<'_>) {
        let mut keys = Keys::default();
        for (name, value) in item.iter() {
            if let Some((slot, rank)) = self.slot(name)
                && let Some(text) = key_text(value)
                // A model tells kinds by texts.
                && (!matches!(slot, Slot::Kind(_)) || matches!(value, ValueView::S(_)))
            {
                keys.add(slot, rank, name, text);
            }
        }
        let (found, length) = keys.found();
        let keys = found.get(..length).unwrap_or_default();
        self.items += 1;
        let place = match self.finder.find(keys, self.level) {
            Some(place) => place,
            None => self.learn(keys),
        };
        let depth = self.level.depth();
        if let Some(group) = self.groups.get_mut(place) {
            group.observe(item, keys, depth);
        }
        if self.items.is_multiple_of(1_024) {
            self.relieve();
        }
    }

    /// How many items were looked at.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Adds what another profile of the same table knows.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        self.items += other.items;
        let level = self.level.max(other.level);
        for profile in [&mut self, &mut other] {
            while profile.level < level {
                profile.rise();
            }
        }
        self.groups.append(&mut other.groups);
        self.regroup();
        self.relieve();
        self
    }

    pub(super) fn hint(&self) -> &TableHint {
        &self.hint
    }

    /// The groups in an order that depends on the items alone.
    pub(super) fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|a, b| a.shape.cmp(&b.shape));
        groups
    }

    /// Whether there were so many shapes that not all of them could be told apart.
    pub(super) fn is_coarse(&self) -> bool {
        self.level > Level::default()
    }

    #[inline]
    fn slot(&mut self, name: RawText<'_>) -> Option<(Slot, u8)> {
        let plain = name.as_plain()?;
        if let Some(slot) = self.names.get(plain) {
            return *slot;
        }
        let hint = |hint: &Option<String>| hint.as_deref() == Some(plain);
        let slot = if hint(&self.hint.partition) {
            Some((Slot::Partition, 0))
        } else if hint(&self.hint.sort) {
            Some((Slot::Sort, 0))
        } else {
            // Where the key is named, nothing else is taken for it.
            words::slot(plain).filter(|(slot, _)| {
                !(matches!(slot, Slot::Partition | Slot::Sort) && self.hint.partition.is_some())
            })
        };
        if self.names.len() < MOST_NAMES {
            self.names.insert(plain.into(), slot);
        }
        slot
    }

    /// Makes a group for a shape that is new.
    #[cold]
    fn learn(&mut self, keys: &[Found<'_>]) -> usize {
        let mut shape: Shape = keys.iter().filter_map(|key| key.key(self.level)).collect();
        shape.sort();
        self.groups.push(Group::new(shape));
        self.regroup();
        self.relieve();
        self.finder.find(keys, self.level).unwrap_or(0)
    }

    /// Settles which words are values and merges groups that have become alike.
    fn regroup(&mut self) {
        let mut shapes: Vec<Shape> = self.groups.iter().map(|group| group.shape.clone()).collect();
        shape::settle(&mut shapes);
        let mut alike: BTreeMap<Shape, Group> = BTreeMap::new();
        for (mut group, shape) in self.groups.drain(..).zip(shapes) {
            match alike.get_mut(&shape) {
                Some(have) => have.merge(&group),
                None => {
                    group.shape = shape.clone();
                    alike.insert(shape, group);
                }
            }
        }
        self.groups = alike.into_values().collect();
        self.finder = Finder::new(self.groups.iter().map(|group| &group.shape));
    }

    /// Tells less apart while there is too much.
    fn relieve(&mut self) {
        while self.level < Level::LAST
            && (self.groups.len() > MOST_GROUPS
                || self.groups.iter().map(Group::size).sum::<usize>() > MOST_NODES)
        {
            self.rise();
        }
    }

    fn rise(&mut self) {
        self.level.0 += 1;
        for group in &mut self.groups {
            shape::reduce(&mut group.shape, self.level);
            for field in &mut group.attributes.fields.nodes {
                field.node.prune(self.level.depth());
            }
        }
        self.regroup();
    }
}

/// The text of a key attribute; of bytes one that stands for all of them, since base64 has no parts
/// to tell.
#[inline]
fn key_text(value: ValueView<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueView::S(text) => Some(text.as_str()),
        ValueView::N(number) => Some(Cow::Borrowed(number)),
        ValueView::B(_) => Some(Cow::Borrowed("0")),
        _ => None,
    }
}

/// An attribute that counts for the shape: how likely its name is, the name and the value.
type KeyText<'a> = (Slot, u8, &'a str, Cow<'a, str>);

/// The attributes of one item that count for its shape.
#[derive(Debug, Default)]
struct Keys<'a> {
    keys: [Option<KeyText<'a>>; MOST_KEYS],
    length: usize,
}

impl<'a> Keys<'a> {
    #[inline]
    fn add(&mut self, slot: Slot, rank: u8, name: RawText<'a>, text: Cow<'a, str>) {
        let Some(name) = name.as_plain() else { return };
        // Of several names for one key the likeliest is taken.
        let same = |key: &&mut Option<KeyText<'_>>| key.as_ref().is_some_and(|key| key.0 == slot);
        if matches!(slot, Slot::Partition | Slot::Sort)
            && let Some(Some(have)) = self.keys.iter_mut().find(same)
        {
            if rank < have.1 {
                *have = (slot, rank, name, text);
            }
            return;
        }
        if let Slot::Kind(_) = slot
            && text.len() > 64
        {
            return;
        }
        if let Some(place) = self.keys.get_mut(self.length) {
            *place = Some((slot, rank, name, text));
            self.length += 1;
        }
    }

    fn found(&self) -> ([Found<'_>; MOST_KEYS], usize) {
        let mut found = [Found::default(); MOST_KEYS];
        let kept = self.keys.iter().flatten();
        for ((slot, _, name, text), place) in kept.zip(&mut found) {
            let cut = match slot {
                Slot::Kind(_) => Cut::whole(text),
                _ => Cut::new(text),
            };
            *place = Found { slot: *slot, name, cut };
        }
        (found, self.length)
    }
}
