use std::borrow::Cow;
use std::slice;
use std::vec;

use crate::AttributeValue;
use crate::value::owned_text;

/// Named values in the order in which they were added: an item's attributes, or a map's.
///
/// DynamoDB keeps no order; we do, so that the same input always gives the same text. Names are
/// not checked for duplicates here ([`limits::check`](crate::limits::check) refuses them), which
/// keeps [`push`](Self::push) a plain append.
///
/// ```
/// use keystar_item::{AttributeValue, Attributes};
///
/// let mut map = Attributes::new();
/// map.push("name", AttributeValue::from("Ann"));
/// assert_eq!(map.get("name"), Some(&AttributeValue::from("Ann")));
/// assert_eq!(map.len(), 1);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Attributes<'a>(Vec<(Cow<'a, str>, AttributeValue<'a>)>);

impl<'a> Attributes<'a> {
    /// No attributes; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No attributes, with room for `capacity` of them.
    #[must_use]
    #[inline]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Appends an attribute; a name that is there already is there twice afterwards.
    #[inline]
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<AttributeValue<'a>>) {
        self.0.push((name.into(), value.into()));
    }

    /// So many attributes without a name and with the value NULL, for the caller to fill through
    /// [`iter_mut`](Self::iter_mut): each is then written where it stays, while
    /// [`push`](Self::push) copies it there.
    #[must_use]
    #[inline]
    pub fn blank(count: usize) -> Self {
        let mut blank = Vec::with_capacity(count);
        blank.resize_with(count, || (Cow::Borrowed(""), AttributeValue::Null));
        Self(blank)
    }

    /// The attributes in their order, to change them.
    #[inline]
    pub fn iter_mut(&mut self) -> slice::IterMut<'_, (Cow<'a, str>, AttributeValue<'a>)> {
        self.0.iter_mut()
    }

    /// The value of the first attribute of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue<'a>> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// The value of the first attribute of that name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut AttributeValue<'a>> {
        self.0.iter_mut().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// Takes the first attribute of that name out; the order of the others stays.
    pub fn remove(&mut self, name: &str) -> Option<AttributeValue<'a>> {
        let index = self.0.iter().position(|(have, _)| have == name)?;
        Some(self.0.remove(index).1)
    }

    /// How many attributes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all attributes and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The attributes in their order.
    pub fn iter(&self) -> slice::Iter<'_, (Cow<'a, str>, AttributeValue<'a>)> {
        self.0.iter()
    }

    pub(crate) fn as_slice(&self) -> &[(Cow<'a, str>, AttributeValue<'a>)] {
        &self.0
    }

    /// The attributes with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Attributes<'static> {
        self.0.into_iter().map(|(name, value)| (owned_text(name), value.into_owned())).collect()
    }

    /// Whether DynamoDB would see the two as the same map: without regard to order, numbers by
    /// value. Maps with duplicate names are the same only in the same order.
    #[must_use]
    pub fn is_same(&self, other: &Attributes<'_>) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let in_order = |(a, b): (&(Cow<'_, str>, AttributeValue<'_>), &(Cow<'_, str>, _))| {
            a.0 == b.0 && AttributeValue::is_same(&a.1, &b.1)
        };
        if self.iter().zip(other.iter()).all(in_order) {
            return true;
        }
        let (mut left, mut right): (Vec<_>, Vec<_>) =
            (self.iter().collect(), other.iter().collect());
        left.sort_by(|a, b| a.0.cmp(&b.0));
        right.sort_by(|a, b| a.0.cmp(&b.0));
        left.iter().zip(&right).all(|(a, b)| a.0 == b.0 && a.1.is_same(&b.1))
    }
}

impl<'a> FromIterator<(Cow<'a, str>, AttributeValue<'a>)> for Attributes<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, AttributeValue<'a>)>>(
        attributes: I,
    ) -> Self {
        Self(attributes.into_iter().collect())
    }
}

impl<'a> Extend<(Cow<'a, str>, AttributeValue<'a>)> for Attributes<'a> {
    fn extend<I: IntoIterator<Item = (Cow<'a, str>, AttributeValue<'a>)>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = (Cow<'a, str>, AttributeValue<'a>);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, 'i> IntoIterator for &'i Attributes<'a> {
    type Item = &'i (Cow<'a, str>, AttributeValue<'a>);
    type IntoIter = slice::Iter<'i, (Cow<'a, str>, AttributeValue<'a>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
