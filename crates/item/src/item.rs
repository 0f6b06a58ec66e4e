use std::borrow::Cow;

use crate::{AttributeValue, Attributes};

/// One DynamoDB item: its attributes, key attributes among them.
///
/// ```
/// use keystar_item::{Item, Number, json};
///
/// let mut item = Item::new();
/// item.push("key", "i:");
/// item.push("age", Number::parse("6867")?);
///
/// let mut line = Vec::new();
/// json::write_item(&item, &mut line);
/// assert_eq!(line, b"{\"Item\":{\"key\":{\"S\":\"i:\"},\"age\":{\"N\":\"6867\"}}}\n");
/// # Ok::<(), keystar_item::Error>(())
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "an item is its attributes and nothing else")]
pub struct Item<'a> {
    /// The attributes in the order in which they are written.
    pub attributes: Attributes<'a>,
}

impl<'a> Item<'a> {
    /// An item without attributes; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { attributes: Attributes::new() }
    }

    /// Appends an attribute; see [`Attributes::push`].
    #[inline]
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<AttributeValue<'a>>) {
        self.attributes.push(name, value);
    }

    /// The value of the first attribute of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue<'a>> {
        self.attributes.get(name)
    }

    /// The item with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Item<'static> {
        Item { attributes: self.attributes.into_owned() }
    }

    /// Whether DynamoDB would see the two as the same item; see [`AttributeValue::is_same`].
    #[must_use]
    pub fn is_same(&self, other: &Item<'_>) -> bool {
        self.attributes.is_same(&other.attributes)
    }
}

impl<'a> From<Attributes<'a>> for Item<'a> {
    fn from(attributes: Attributes<'a>) -> Self {
        Self { attributes }
    }
}

impl<'a> FromIterator<(Cow<'a, str>, AttributeValue<'a>)> for Item<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, AttributeValue<'a>)>>(
        attributes: I,
    ) -> Self {
        Attributes::from_iter(attributes).into()
    }
}
