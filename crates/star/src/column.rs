use crate::{KeyTemplate, Name};

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

/// The names that lead to an attribute: `address.postcode`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path(pub(crate) Box<[Box<str>]>);

impl Path {
    /// A path of at least one name; `None` without any.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// The first name: a top-level attribute.
    #[must_use]
    pub fn head(&self) -> &str {
        self.0.first().map_or("", |name| name)
    }

    /// The names below the first.
    #[must_use]
    pub fn tail(&self) -> &[Box<str>] {
        self.0.get(1..).unwrap_or_default()
    }

    /// All names.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }
}

/// The type of a column, in the lake and in the warehouse.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Type {
    /// UTF-8 text of at most so many bytes.
    Text {
        /// The most bytes: Redshift counts bytes, at most 65,535.
        max_bytes: u32,
    },
    /// A truth value.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// An exact decimal number.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision` and at most 37.
        scale: u8,
    },
    /// A floating-point number: for measurements whose range no decimal holds.
    Double,
    /// A day.
    Date(TimeFormat),
    /// A moment, microseconds UTC.
    Timestamp(TimeFormat),
    /// Bytes, at most so many.
    Bytes {
        /// The most bytes.
        max_bytes: u32,
    },
    /// Any value, as plain JSON text (not DynamoDB JSON).
    Json,
    /// A list or a set of one type.
    List(Box<Type>),
    /// A map with known fields.
    Struct(Vec<Field>),
}

/// A field of a [`Type::Struct`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Its name in the lake.
    pub name: Name,
    /// The attribute in the map.
    pub attribute: Box<str>,
    /// Its type.
    pub ty: Type,
}

impl Field {
    /// A field.
    #[must_use]
    pub fn new(name: Name, attribute: &str, ty: Type) -> Self {
        Self { name, attribute: attribute.into(), ty }
    }
}

/// How a date or a timestamp is written in an item.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimeFormat {
    /// ISO 8601: `2021-04-01`, `2021-04-01T10:20:30.123456Z`, with an offset or without (UTC).
    Iso,
    /// Whole seconds since 1970, as N or S.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMillis,
    /// Whole microseconds since 1970.
    EpochMicros,
    /// A pattern in the manner of strftime: `%d/%m/%Y`.
    Pattern(Box<str>),
}
