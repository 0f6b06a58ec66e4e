//! What is known of the items of one shape.

use std::collections::BTreeMap;

use keystar_item::scan::ItemView;

use super::dependency::{DEPENDENTS, Determinant};
use super::node::Attributes;
use super::shape::{Found, Shape, Slot};
use super::sketch::hash;
use super::values::Values;
use super::words;

/// So many likely determinants are watched, those whose names come first.
const DETERMINANTS: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) shape: Shape,
    pub(super) items: u64,
    pub(super) attributes: Attributes,
    /// The parts of keys by the key's name and the place.
    pub(super) parts: BTreeMap<PartId, Part>,
    /// Parts that are equal to an attribute or to another part in every item; `None` before the
    /// first item.
    pub(super) equal: Option<Vec<Equal>>,
    determinants: BTreeMap<Side, Determined>,
    /// The hashes of the item at hand, by the place of the attribute.
    hashes: Vec<u64>,
}

/// A key's name, the place of a part in it.
pub(super) type PartId = (Box<str>, u8);

/// What is watched as a determinant, or is equal to a part of a key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Side {
    Attribute(Box<str>),
    Part(PartId),
}

pub(super) type Equal = (PartId, Side);

/// A part of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) slot: Slot,
    pub(super) separator: u8,
    /// How many items have it.
    pub(super) count: u64,
    /// Its text while it is always the same.
    pub(super) always: Option<Box<str>>,
    /// Whether keys are cut in different ways, so that no template can be told.
    pub(super) mixed: bool,
    pub(super) values: Values,
    hash: u64,
}

#[derive(Clone, Debug, Default)]
struct Determined {
    determinant: Determinant,
    /// The attribute's place, for an attribute.
    place: usize,
}

/// Places differ by arrival; what is told of names is compared by the proposal.
impl PartialEq for Determined {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Group {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            items: 0,
            attributes: Attributes::default(),
            parts: BTreeMap::new(),
            equal: None,
            determinants: BTreeMap::new(),
            hashes: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn observe(&mut self, item: ItemView<'_>, keys: &[Found<'_>], depth: u8) {
        self.items += 1;
        self.hashes.clear();
        self.hashes.resize(self.attributes.fields.nodes.len(), 0);
        for (at, (name, value)) in item.iter().enumerate() {
            let Some((place, hash)) = self.attributes.observe(at, name, value, depth) else {
                continue;
            };
            if place >= self.hashes.len() {
                self.hashes.resize(place + 1, 0);
                self.watch(place);
            }
            if let Some(have) = self.hashes.get_mut(place) {
                *have = hash;
            }
        }
        self.observe_parts(keys);
        self.observe_equal();
        self.observe_determinants();
    }

    fn observe_parts(&mut self, keys: &[Found<'_>]) {
        for part in self.parts.values_mut() {
            part.hash = 0;
        }
        for key in keys {
            if matches!(key.slot, Slot::Kind(_)) {
                continue;
            }
            for (at, text) in (0u8..).zip(key.cut.parts()) {
                // The name is borrowed for the search and owned only by a part that is new.
                let found = self
                    .parts
                    .iter_mut()
                    .find(|((name, place), _)| *place == at && **name == *key.name);
                match found {
                    Some((_, part)) => part.observe(key, text),
                    None => {
                        let mut part = Part::new(key, text);
                        part.observe(key, text);
                        let id = (key.name.into(), at);
                        if key.slot != Slot::Index {
                            self.determinants.insert(Side::Part(id.clone()), Determined::default());
                        }
                        self.parts.insert(id, part);
                    }
                }
            }
        }
    }

    fn observe_equal(&mut self) {
        let nodes = &self.attributes.fields.nodes;
        let attribute = |name: &str| {
            let at = self.attributes.fields.find(name)?;
            self.hashes.get(at).copied().filter(|hash| *hash != 0)
        };
        let part = |id: &PartId| self.parts.get(id).map(|part| part.hash).filter(|hash| *hash != 0);
        match &mut self.equal {
            Some(equal) => equal.retain(|(id, side)| {
                let hash = part(id);
                hash.is_some()
                    && hash
                        == match side {
                            Side::Attribute(name) => attribute(name),
                            Side::Part(other) => part(other),
                        }
            }),
            None => {
                let mut equal = Vec::new();
                for (id, Part { hash, .. }) in &self.parts {
                    for (field, have) in nodes.iter().zip(&self.hashes) {
                        if have == hash && *have != 0 {
                            equal.push((id.clone(), Side::Attribute(field.name.clone())));
                        }
                    }
                    for (other, have) in &self.parts {
                        if have.hash == *hash && id < other {
                            equal.push((id.clone(), Side::Part(other.clone())));
                        }
                    }
                }
                self.equal = Some(equal);
            }
        }
    }

    /// Watches the attribute at that place, if it may tell others.
    fn watch(&mut self, place: usize) {
        if let Some(field) = self.attributes.fields.nodes.get(place)
            && words::is_id(&field.name)
        {
            let determined = Determined { place, ..Determined::default() };
            self.determinants.insert(Side::Attribute(field.name.clone()), determined);
        }
    }

    fn observe_determinants(&mut self) {
        if self.hashes.len() > DEPENDENTS {
            self.determinants.clear();
            return;
        }
        while self.determinants.len() > DETERMINANTS {
            self.determinants.pop_last();
        }
        for (side, determined) in &mut self.determinants {
            let hash = match side {
                Side::Attribute(_) => self.hashes.get(determined.place).copied().unwrap_or(0),
                Side::Part(id) => self.parts.get(id).map_or(0, |part| part.hash),
            };
            if hash != 0 {
                determined.determinant.observe(hash, &self.hashes);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.items += other.items;
        self.attributes.merge(&other.attributes);
        for (id, part) in &other.parts {
            match self.parts.get_mut(id) {
                Some(have) => have.merge(part),
                None => {
                    self.parts.insert(id.clone(), part.clone());
                }
            }
        }
        match (&mut self.equal, &other.equal) {
            (Some(equal), Some(others)) => equal.retain(|pair| others.contains(pair)),
            (equal @ None, Some(others)) => *equal = Some(others.clone()),
            (_, None) => {}
        }
        self.merge_determinants(other);
    }

    fn merge_determinants(&mut self, other: &Self) {
        for (side, others) in &other.determinants {
            let fields = &self.attributes.fields;
            let place = |at: usize| {
                let field = other.attributes.fields.nodes.get(at)?;
                fields.find(&field.name)
            };
            let have = self.determinants.entry(side.clone()).or_insert_with(|| Determined {
                place: match side {
                    Side::Attribute(name) => fields.find(name).unwrap_or(usize::MAX),
                    Side::Part(_) => 0,
                },
                ..Determined::default()
            });
            have.determinant.merge(&others.determinant, place);
        }
        if self.attributes.fields.nodes.len() > DEPENDENTS {
            self.determinants.clear();
        }
        while self.determinants.len() > DETERMINANTS {
            self.determinants.pop_last();
        }
    }

    /// Of the values of the determinant that stand in several items: how many were watched, and
    /// with how many of them the attribute never changes.
    pub(super) fn tells(&self, determinant: &Side, attribute: &str) -> (usize, usize) {
        let determined = self.determinants.get(determinant);
        let place = self.attributes.fields.find(attribute);
        determined
            .zip(place)
            .map_or((0, 0), |(determined, place)| determined.determinant.tells(place))
    }

    /// How much memory it takes, in nodes.
    pub(super) fn size(&self) -> usize {
        self.attributes.size() + self.parts.len()
    }
}

impl Part {
    fn new(key: &Found<'_>, text: &str) -> Self {
        Self {
            slot: key.slot,
            separator: key.cut.separator,
            count: 0,
            always: Some(text.into()),
            mixed: false,
            values: Values::default(),
            hash: 0,
        }
    }

    #[inline]
    fn observe(&mut self, key: &Found<'_>, text: &str) {
        self.count += 1;
        self.mixed |= self.separator != key.cut.separator;
        if let Some(always) = &self.always {
            if **always == *text {
                // A word's values are made up when they are asked for.
                self.hash = hash(text);
                return;
            }
            let (always, count) = (always.clone(), self.count - 1);
            self.values.observe_text(&always, count);
            self.always = None;
        }
        self.hash = self.values.observe_text(text, 1);
    }

    fn merge(&mut self, other: &Self) {
        self.mixed |= other.mixed || self.separator != other.separator;
        self.separator = self.separator.min(other.separator);
        if self.always.is_none() || self.always != other.always {
            self.values = self.all_values();
            self.values.merge(&other.all_values());
            self.always = None;
        }
        self.count += other.count;
    }

    /// The values, those of a word too.
    pub(super) fn all_values(&self) -> Values {
        let mut values = self.values.clone();
        if let Some(always) = &self.always {
            values.observe_text(always, self.count);
        }
        values
    }
}
