//! The attributes of a group of items, down into maps and lists.

use std::collections::HashMap;

use keystar_item::scan::{MapView, RawText, ValueView};

use super::sketch::hash;
use super::values::{Kind, Values};

/// So many attributes of an item are told apart; those with the smallest hashes.
pub(super) const ATTRIBUTES: usize = 4_096;
/// A map with more names than that is taken as a map of like entries, and all its entries as one.
const NAMES: usize = 64;
/// Fields up to so many are looked up one by one.
const FEW: usize = 8;

/// A value that may hold others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub(super) values: Values,
    /// Of maps.
    pub(super) fields: Option<Box<Fields>>,
    /// Of lists and sets.
    pub(super) elements: Option<Box<Elements>>,
}

/// What a map holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) nodes: Vec<Field>,
    /// Where a name's hash is; empty while there are few.
    index: HashMap<u64, usize>,
    /// Whether there were too many names: then one field without a name stands for all.
    pub(super) any: bool,
    /// The names of entries that were taken as one, as if they were values.
    names: Values,
}

/// A name in a map, and what is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    name_hash: u64,
    /// The sum of its positions, to write fields in the order in which most items have them.
    positions: u64,
    pub(super) node: Node,
}

impl Field {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), name_hash: hash(name), positions: 0, node: Node::default() }
    }

    /// Where items have it, on average.
    pub(super) fn position(&self) -> f64 {
        self.positions as f64 / self.node.values.count.max(1) as f64
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Elements {
    pub(super) node: Node,
    /// The most elements of one list.
    pub(super) longest: u64,
    pub(super) empty: u64,
}

impl Node {
    /// Looks at a value, and so deep into it; gives the hash of a plain value, else 0.
    #[inline]
    pub(super) fn observe(&mut self, value: ValueView<'_>, depth: u8) -> u64 {
        match value {
            ValueView::S(text) => match text.as_plain() {
                Some(plain) => self.values.observe_text(plain, 1),
                None => self.values.observe_text(&text.as_str(), 1),
            },
            ValueView::N(number) => self.values.observe_number(number),
            ValueView::Bool(truth) => self.values.observe_bool(truth),
            ValueView::Null => {
                self.values.observe_kind(Kind::Null, 1);
                0
            }
            value => self.observe_rare(value, depth),
        }
    }

    fn observe_rare(&mut self, value: ValueView<'_>, depth: u8) -> u64 {
        match value {
            ValueView::B(base64) => return self.values.observe_binary(&base64.as_str()),
            ValueView::M(map) => {
                self.values.observe_kind(Kind::M, 1);
                if depth > 0 {
                    self.fields.get_or_insert_default().observe(map, depth - 1);
                }
            }
            ValueView::L(list) => self.observe_elements(Kind::L, list.iter(), depth),
            ValueView::Ss(set) => {
                self.observe_elements(Kind::Ss, set.iter().map(ValueView::S), depth);
            }
            ValueView::Ns(set) => {
                self.observe_elements(Kind::Ns, set.iter().map(ValueView::N), depth);
            }
            ValueView::Bs(set) => {
                self.observe_elements(Kind::Bs, set.iter().map(ValueView::B), depth);
            }
            _ => {}
        }
        0
    }

    fn observe_elements<'a>(
        &mut self,
        kind: Kind,
        values: impl Iterator<Item = ValueView<'a>>,
        depth: u8,
    ) {
        self.values.observe_kind(kind, 1);
        if depth == 0 {
            return;
        }
        let elements = self.elements.get_or_insert_default();
        let mut length = 0;
        for value in values {
            elements.node.observe(value, depth - 1);
            length += 1;
        }
        elements.longest = elements.longest.max(length);
        elements.empty += u64::from(length == 0);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.values.merge(&other.values);
        if let Some(others) = &other.fields {
            self.fields.get_or_insert_default().merge(others);
        }
        if let Some(others) = &other.elements {
            let elements = self.elements.get_or_insert_default();
            elements.node.merge(&others.node);
            elements.longest = elements.longest.max(others.longest);
            elements.empty += others.empty;
        }
    }

    /// Forgets what lies deeper.
    pub(super) fn prune(&mut self, depth: u8) {
        if depth == 0 {
            self.fields = None;
            self.elements = None;
            return;
        }
        for field in self.fields.iter_mut().flat_map(|fields| &mut fields.nodes) {
            field.node.prune(depth - 1);
        }
        if let Some(elements) = &mut self.elements {
            elements.node.prune(depth - 1);
        }
    }

    /// How many nodes there are.
    pub(super) fn size(&self) -> usize {
        let fields = self.fields.iter().flat_map(|fields| &fields.nodes);
        let elements = self.elements.iter().map(|elements| &elements.node);
        1 + fields.map(|field| field.node.size()).sum::<usize>()
            + elements.map(Self::size).sum::<usize>()
    }
}

impl Fields {
    fn observe(&mut self, map: MapView<'_>, depth: u8) {
        for (at, (name, value)) in map.iter().enumerate() {
            let place = self.place(name, at);
            if self.any {
                self.names.observe_text(&name.as_str(), 1);
            }
            if let Some(field) = place.and_then(|at| self.nodes.get_mut(at)) {
                field.node.observe(value, depth);
            }
        }
    }

    /// The names, as if they were values.
    pub(super) fn names(&self) -> Values {
        let mut names = self.names.clone();
        if !self.any {
            for field in &self.nodes {
                names.observe_text(&field.name, field.node.values.count);
            }
        }
        names
    }

    /// Finds the field of that name, or makes it; `at` is its position in the map.
    #[inline]
    fn place(&mut self, name: RawText<'_>, at: usize) -> Option<usize> {
        if self.any {
            return Some(0);
        }
        // Items of one kind mostly have their attributes in one order.
        if let Some(field) = self.nodes.get_mut(at)
            && name == *field.name
        {
            field.positions += at as u64;
            return Some(at);
        }
        let name = name.as_str();
        let found = self.find(&name).or_else(|| {
            self.insert(Field::new(&name), NAMES);
            if self.any { Some(0) } else { self.find(&name) }
        })?;
        if let Some(field) = self.nodes.get_mut(found) {
            field.positions += at as u64;
        }
        Some(found)
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.nodes.iter().position(|field| *field.name == *name);
        }
        let at = *self.index.get(&hash(name))?;
        self.nodes.get(at).filter(|field| *field.name == *name).map(|_| at)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Field> {
        self.find(name).and_then(|at| self.nodes.get(at))
    }

    /// Adds a field of a name that is not there. With too many, all entries become one.
    fn insert(&mut self, field: Field, most: usize) {
        self.nodes.push(field);
        if self.nodes.len() > most {
            self.become_any();
        } else if self.nodes.len() > FEW {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        if self.index.is_empty() {
            self.index =
                self.nodes.iter().enumerate().map(|(at, field)| (field.name_hash, at)).collect();
        } else if let Some(last) = self.nodes.last() {
            self.index.insert(last.name_hash, self.nodes.len() - 1);
        }
    }

    fn become_any(&mut self) {
        let mut all = Field::new("");
        for field in self.nodes.drain(..) {
            if field.node.values.count > 0 {
                self.names.observe_text(&field.name, field.node.values.count);
            }
            all.node.merge(&field.node);
        }
        self.nodes.push(all);
        self.index.clear();
        self.any = true;
    }

    fn merge(&mut self, other: &Self) {
        self.names.merge(&other.names);
        if other.any && !self.any {
            self.become_any();
        }
        for field in &other.nodes {
            if self.any && !other.any {
                self.names.observe_text(&field.name, field.node.values.count);
            }
            let found = if self.any { Some(0) } else { self.find(&field.name) };
            match found.and_then(|at| self.nodes.get_mut(at)) {
                Some(have) => {
                    have.positions += field.positions;
                    have.node.merge(&field.node);
                }
                None => self.insert(field.clone(), NAMES),
            }
        }
        if self.any
            && let Some(all) = self.nodes.first_mut()
        {
            all.positions = 0;
        }
    }

    /// The fields in the order in which items have them.
    pub(super) fn ordered(&self) -> Vec<&Field> {
        let mut fields: Vec<&Field> = self.nodes.iter().collect();
        fields.sort_by(|a, b| {
            a.position().total_cmp(&b.position()).then_with(|| a.name.cmp(&b.name))
        });
        fields
    }
}

/// The order of fields is that of their arrival, which says nothing.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.any == other.any && self.names == other.names && self.ordered() == other.ordered()
    }
}

/// The attributes of a group's items themselves: as [`Fields`], but never taken as one, and what
/// is beyond the bound is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    pub(super) fields: Fields,
    /// Values of attributes that are beyond the bound.
    pub(super) overflow: u64,
    /// With as many attributes as there may be, the greatest hash of a name and where it is.
    last: Option<(u64, usize)>,
}

impl Attributes {
    /// Looks at an attribute; gives its place and the hash of its plain value.
    #[inline]
    pub(super) fn observe(
        &mut self,
        at: usize,
        name: RawText<'_>,
        value: ValueView<'_>,
        depth: u8,
    ) -> Option<(usize, u64)> {
        let found = match self.fields.nodes.get_mut(at) {
            Some(field) if name == *field.name => {
                field.positions += at as u64;
                at
            }
            _ => {
                let name = name.as_str();
                let found = match self.fields.find(&name) {
                    Some(found) => found,
                    None => self.insert(Field::new(&name))?,
                };
                if let Some(field) = self.fields.nodes.get_mut(found) {
                    field.positions += at as u64;
                }
                found
            }
        };
        let field = self.fields.nodes.get_mut(found)?;
        Some((found, field.node.observe(value, depth)))
    }

    /// Adds an attribute that is not there, unless those that are there come first.
    fn insert(&mut self, field: Field) -> Option<usize> {
        if self.fields.nodes.len() < ATTRIBUTES {
            self.fields.insert(field, ATTRIBUTES);
            return Some(self.fields.nodes.len() - 1);
        }
        let hashes = self.fields.nodes.iter().enumerate().map(|(at, field)| (field.name_hash, at));
        let (last, at) = match self.last {
            Some(last) => last,
            None => hashes.max()?,
        };
        self.last = Some((last, at));
        if last < field.name_hash {
            self.overflow += field.node.values.count.max(1);
            return None;
        }
        let out = std::mem::replace(self.fields.nodes.get_mut(at)?, field);
        self.overflow += out.node.values.count;
        self.last = None;
        self.fields.index.clear();
        self.fields.reindex();
        Some(at)
    }

    /// Whether there are as many as there may be, so that some may go.
    pub(super) fn is_full(&self) -> bool {
        self.fields.nodes.len() >= ATTRIBUTES
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.overflow += other.overflow;
        for field in &other.fields.nodes {
            match self.fields.find(&field.name).and_then(|at| self.fields.nodes.get_mut(at)) {
                Some(have) => {
                    have.positions += field.positions;
                    have.node.merge(&field.node);
                }
                None => {
                    self.insert(field.clone());
                }
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        self.fields.nodes.iter().map(|field| field.node.size()).sum()
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.overflow == other.overflow && self.fields == other.fields
    }
}
