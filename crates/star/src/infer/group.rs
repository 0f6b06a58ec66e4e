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

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) shape: Shape,
    pub(super) items: u64,
    pub(super) attributes: Attributes,
    /// The parts of keys by the key's name and the place, in the order of their arrival.
    parts: Vec<(PartId, Part)>,
    /// Parts that are equal to an attribute or to another part in every item; `None` before the
    /// first item.
    equal: Option<Vec<(usize, At)>>,
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

/// The same by its place among the attributes or the parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Attribute(usize),
    Part(usize),
}

/// A part of a key, and what it is equal to.
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

#[derive(Clone, Debug)]
struct Determined {
    determinant: Determinant,
    at: At,
}

impl Determined {
    fn new(at: At) -> Self {
        Self { determinant: Determinant::default(), at }
    }
}

impl Group {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            items: 0,
            attributes: Attributes::default(),
            parts: Vec::new(),
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
        for (_, part) in &mut self.parts {
            part.hash = 0;
        }
        // Items of one shape mostly have their keys in one order.
        let mut next = 0;
        for key in keys {
            if matches!(key.slot, Slot::Kind(_)) {
                continue;
            }
            for (at, text) in (0u8..).zip(key.cut.parts()) {
                let is = |((name, place), _): &(PartId, Part)| *place == at && **name == *key.name;
                let place = match self.parts.get(next) {
                    Some(part) if is(part) => Some(next),
                    _ => self.parts.iter().position(is),
                };
                let place = place.unwrap_or_else(|| self.add_part(key, at, text));
                if let Some((_, part)) = self.parts.get_mut(place) {
                    part.observe(key, text);
                }
                next = place + 1;
            }
        }
    }

    fn add_part(&mut self, key: &Found<'_>, at: u8, text: &str) -> usize {
        let place = self.parts.len();
        let id: PartId = (key.name.into(), at);
        if key.slot != Slot::Index {
            self.determinants.insert(Side::Part(id.clone()), Determined::new(At::Part(place)));
        }
        self.parts.push((id, Part::new(key, text)));
        place
    }

    fn observe_equal(&mut self) {
        let hashes = &self.hashes;
        let parts = &self.parts;
        let part = |at: usize| parts.get(at).map_or(0, |(_, part)| part.hash);
        let hash = |at: At| match at {
            At::Attribute(at) => hashes.get(at).copied().unwrap_or(0),
            At::Part(at) => part(at),
        };
        if self.attributes.is_full() {
            // Attributes change places.
            self.equal = Some(Vec::new());
            return;
        }
        match &mut self.equal {
            Some(equal) => {
                equal.retain(|(one, other)| part(*one) != 0 && part(*one) == hash(*other))
            }
            None => {
                let mut equal = Vec::new();
                for one in (0..parts.len()).filter(|at| part(*at) != 0) {
                    let attributes = (0..hashes.len()).map(At::Attribute);
                    let others = (one + 1..parts.len()).map(At::Part);
                    let same = attributes.chain(others).filter(|other| hash(*other) == part(one));
                    equal.extend(same.map(|other| (one, other)));
                }
                self.equal = Some(equal);
            }
        }
    }

    fn side(&self, at: At) -> Option<Side> {
        match at {
            At::Attribute(at) => {
                let field = self.attributes.fields.nodes.get(at)?;
                Some(Side::Attribute(field.name.clone()))
            }
            At::Part(at) => self.parts.get(at).map(|(id, _)| Side::Part(id.clone())),
        }
    }

    fn place(&self, side: &Side) -> Option<At> {
        match side {
            Side::Attribute(name) => self.attributes.fields.find(name).map(At::Attribute),
            Side::Part(id) => self.parts.iter().position(|(have, _)| have == id).map(At::Part),
        }
    }

    /// The parts in the order of their keys' names.
    pub(super) fn parts(&self) -> Vec<(&PartId, &Part)> {
        let mut parts: Vec<(&PartId, &Part)> =
            self.parts.iter().map(|(id, part)| (id, part)).collect();
        parts.sort_by_key(|(id, _)| *id);
        parts
    }

    pub(super) fn part(&self, id: &PartId) -> Option<&Part> {
        self.parts.iter().find(|(have, _)| have == id).map(|(_, part)| part)
    }

    /// What is equal in every item; of two parts the first by name is the first of the pair.
    pub(super) fn equals(&self) -> Vec<Equal> {
        let pairs = self.equal.iter().flatten().filter_map(|(one, other)| {
            let (id, _) = self.parts.get(*one)?;
            Some(match self.side(*other)? {
                Side::Part(other) if other < *id => (other, Side::Part(id.clone())),
                side => (id.clone(), side),
            })
        });
        let mut pairs: Vec<Equal> = pairs.collect();
        pairs.sort();
        pairs
    }

    /// Watches the attribute at that place, if it may tell others.
    fn watch(&mut self, place: usize) {
        if let Some(field) = self.attributes.fields.nodes.get(place)
            && words::is_id(&field.name)
        {
            let determined = Determined::new(At::Attribute(place));
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
        for determined in self.determinants.values_mut() {
            let hash = match determined.at {
                At::Attribute(at) => self.hashes.get(at).copied().unwrap_or(0),
                At::Part(at) => self.parts.get(at).map_or(0, |(_, part)| part.hash),
            };
            if hash != 0 {
                determined.determinant.observe(hash, &self.hashes);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let equals = self.equal.as_ref().map(|_| self.equals());
        let others = other.equal.as_ref().map(|_| other.equals());
        self.items += other.items;
        self.attributes.merge(&other.attributes);
        for (id, part) in &other.parts {
            match self.parts.iter_mut().find(|(have, _)| have == id) {
                Some((_, have)) => have.merge(part),
                None => self.parts.push((id.clone(), part.clone())),
            }
        }
        let equal = match (equals, others) {
            (Some(equals), Some(others)) => {
                Some(equals.into_iter().filter(|pair| others.contains(pair)).collect())
            }
            (one, other) => one.or(other),
        };
        self.equal = equal.map(|equal: Vec<Equal>| {
            let known = equal.iter().filter(|_| !self.attributes.is_full());
            let places =
                known.filter_map(|(id, side)| match self.place(&Side::Part(id.clone()))? {
                    At::Part(at) => Some((at, self.place(side)?)),
                    At::Attribute(_) => None,
                });
            places.collect()
        });
        self.merge_determinants(other);
    }

    fn merge_determinants(&mut self, other: &Self) {
        let places: Vec<Option<At>> =
            other.determinants.keys().map(|side| self.place(side)).collect();
        for ((side, others), at) in other.determinants.iter().zip(places) {
            let fields = &self.attributes.fields;
            let place = |at: usize| {
                let field = other.attributes.fields.nodes.get(at)?;
                fields.find(&field.name)
            };
            let Some(at) = at else { continue };
            let have = self.determinants.entry(side.clone()).or_insert_with(|| Determined::new(at));
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
