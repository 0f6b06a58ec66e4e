use crate::{KeyTemplate, Name, Path, Type};

/// One column of an entity: what it is called, where its value comes from and what it may be.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Column {
    /// Its name in the lake and in every layer of the warehouse.
    pub name: Name,
    /// Where the value is in an item.
    pub source: Source,
    /// What the value is.
    pub ty: Type,
    /// Whether a row without the value is a reject.
    pub required: bool,
}

impl Column {
    /// A column.
    #[must_use]
    pub fn new(name: Name, source: Source, ty: Type, required: bool) -> Self {
        Self { name, source, ty, required }
    }
}

/// Where a column's value is found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// An attribute of the item, or for a child entity of the member.
    Attribute(Path),
    /// A variable of a key template: `orderid` of `ORD#{orderid}` in the attribute `SK`.
    Key {
        /// The attribute that holds the key.
        attribute: Box<str>,
        /// Its template.
        template: KeyTemplate,
        /// The variable's name in the template.
        variable: Box<str>,
    },
    /// A column of the parent entity, for a child entity.
    Parent(Name),
    /// The position in the parent's list, from 0, for a child entity. Always [`Type::Int`].
    Position,
    /// The name of the entry in the parent's map, for a child entity of a map. Always
    /// [`Type::Text`].
    Entry,
    /// The list's element or the entry's value itself, for a child entity of plain values.
    Element,
    /// Whether the attribute is there as NULL: true for NULL, false for a value, null where it is
    /// missing. Always [`Type::Bool`].
    IsNull(Path),
}
