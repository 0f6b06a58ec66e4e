use std::collections::HashMap;

use crate::limits;
use crate::{AttributeValue, Error, ErrorKind, Item};

/// A table as far as items must fit it: its key, its indexes, and what the import call asks for.
///
/// With the feature `serde` it is read from and written to specs:
///
/// ```toml
/// name = "users"
/// billing = "on-demand"
/// ttl_attribute = "expires"
/// key.partition = { name = "pk", type = "S" }
/// key.sort = { name = "sk", type = "S" }
///
/// [[indexes]]
/// name = "by-email"
/// key.partition = { name = "email", type = "S" }
/// projection = { include = ["name"] }
/// ```
///
/// ```
/// use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
///
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
/// table.validate()?;
/// # Ok::<(), keystar_item::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Table {
    /// The table's name, where it is known.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub name: Option<String>,
    /// The table's primary key.
    pub key: KeySchema,
    /// Global secondary indexes.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub indexes: Vec<Index>,
    /// How reads and writes are paid for.
    #[cfg_attr(feature = "serde", serde(default))]
    pub billing: Billing,
    /// The attribute (a number: epoch seconds) after which items expire.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub ttl_attribute: Option<String>,
}

/// The attributes that name an item (in a table) or order it (in an index).
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeySchema {
    /// The partition key, also called hash key.
    pub partition: KeyAttribute,
    /// The sort key, also called range key, if there is one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub sort: Option<KeyAttribute>,
}

/// One attribute of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// The type that the attribute has in every item.
    #[cfg_attr(feature = "serde", serde(rename = "type", default))]
    pub kind: KeyType,
}

/// The type of a key attribute: text (the default), number or bytes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB has exactly these key types")]
pub enum KeyType {
    /// Text.
    #[default]
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

/// A global secondary index.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Index {
    /// The index's name.
    pub name: String,
    /// The attributes that it is searched by. Items that lack one of them are not in the index.
    pub key: KeySchema,
    /// Which attributes it holds a copy of.
    #[cfg_attr(feature = "serde", serde(default))]
    pub projection: Projection,
}

/// Which attributes an index holds a copy of, besides the keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB has exactly these projections")]
pub enum Projection {
    /// All attributes.
    #[default]
    All,
    /// None besides the keys.
    KeysOnly,
    /// The attributes of these names.
    Include(Vec<String>),
}

/// How reads and writes are paid for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", deny_unknown_fields))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB has exactly these billing modes")]
pub enum Billing {
    /// By request.
    #[default]
    OnDemand,
    /// By reserved capacity.
    Provisioned {
        /// Read capacity units: strongly consistent reads of 4 KB a second.
        read_units: u64,
        /// Write capacity units: writes of 1 KB a second.
        write_units: u64,
    },
}

impl Table {
    /// A table with that key, without name, indexes or TTL, billed by request.
    #[must_use]
    pub fn new(key: KeySchema) -> Self {
        Self {
            name: None,
            key,
            indexes: Vec::new(),
            billing: Billing::default(),
            ttl_attribute: None,
        }
    }

    /// Names the table.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds an index.
    #[must_use]
    pub fn with_index(mut self, index: Index) -> Self {
        self.indexes.push(index);
        self
    }

    /// Sets how the table is paid for.
    #[must_use]
    pub fn with_billing(mut self, billing: Billing) -> Self {
        self.billing = billing;
        self
    }

    /// Sets the attribute after which items expire.
    #[must_use]
    pub fn with_ttl_attribute(mut self, name: impl Into<String>) -> Self {
        self.ttl_attribute = Some(name.into());
        self
    }

    /// Checks what DynamoDB checks when a table is made: names' lengths and characters, counts,
    /// and that an attribute has one type however many keys it is part of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Table`] with the rule that is broken.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |rule| Err(Error::new(ErrorKind::Table(rule)));
        if self.name.as_deref().is_some_and(|name| !is_resource_name(name)) {
            return invalid("a table's name has 3 to 255 characters out of a-z A-Z 0-9 _ - .");
        }
        if self.indexes.len() > limits::MAX_INDEXES {
            return invalid("a table has at most 20 global secondary indexes");
        }
        let mut types: HashMap<&str, KeyType> = HashMap::new();
        let mut names: Vec<&str> = Vec::new();
        let mut included = 0;
        for key in std::iter::once(&self.key).chain(self.indexes.iter().map(|index| &index.key)) {
            for attribute in key.attributes() {
                if !(1..=limits::MAX_KEY_NAME_BYTES).contains(&attribute.name.len()) {
                    return invalid("the name of a key attribute has 1 to 255 bytes");
                }
                let known = types.entry(&attribute.name).or_insert(attribute.kind);
                if *known != attribute.kind {
                    return invalid("an attribute has the same type in every key");
                }
            }
            if key.sort.as_ref().is_some_and(|sort| sort.name == key.partition.name) {
                return invalid("partition key and sort key are two attributes");
            }
        }
        for index in &self.indexes {
            if !is_resource_name(&index.name) {
                return invalid("an index's name has 3 to 255 characters out of a-z A-Z 0-9 _ - .");
            }
            if names.contains(&index.name.as_str()) {
                return invalid("the indexes of a table have different names");
            }
            names.push(&index.name);
            if let Projection::Include(attributes) = &index.projection {
                if !(1..=20).contains(&attributes.len()) {
                    return invalid("an index includes 1 to 20 attributes by name");
                }
                if attributes.iter().any(|name| !(1..=255).contains(&name.len())) {
                    return invalid("the name of an included attribute has 1 to 255 bytes");
                }
                included += attributes.len();
            }
        }
        if included > 100 {
            return invalid("the indexes of a table include at most 100 attributes by name");
        }
        if self.ttl_attribute.as_ref().is_some_and(|name| !(1..=255).contains(&name.len())) {
            return invalid("the name of the TTL attribute has 1 to 255 bytes");
        }
        Ok(())
    }
}

impl KeySchema {
    /// A key of one attribute.
    #[must_use]
    pub fn new(partition: KeyAttribute) -> Self {
        Self { partition, sort: None }
    }

    /// Adds a sort key.
    #[must_use]
    pub fn with_sort(mut self, sort: KeyAttribute) -> Self {
        self.sort = Some(sort);
        self
    }

    /// The one or two attributes: partition key first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    /// Appends bytes that name the item in a table with this key: equal for two items exactly if
    /// DynamoDB would take the one for the other (numbers count by value). Fit for hashing and
    /// comparing; the form may change between versions of this crate.
    ///
    /// Returns `false`, with nothing appended, if a key attribute is missing or has another type.
    ///
    /// ```
    /// use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Number};
    ///
    /// let schema = KeySchema::new(KeyAttribute::new("id", KeyType::N));
    /// let key_of = |text| {
    ///     let mut item = Item::new();
    ///     item.push("id", Number::parse(text)?);
    ///     let mut key = Vec::new();
    ///     assert!(schema.encode_key(&item, &mut key));
    ///     Ok::<_, keystar_item::Error>(key)
    /// };
    /// assert_eq!(key_of("1000")?, key_of("1e3")?);
    /// # Ok::<(), keystar_item::Error>(())
    /// ```
    #[must_use]
    pub fn encode_key(&self, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        for attribute in self.attributes() {
            let bytes: &[u8] = match (attribute.kind, item.get(&attribute.name)) {
                (KeyType::S, Some(AttributeValue::S(text))) => text.as_bytes(),
                (KeyType::B, Some(AttributeValue::B(bytes))) => bytes,
                (KeyType::N, Some(AttributeValue::N(number))) => {
                    let canonical = number.canonical();
                    append_framed(canonical.as_bytes(), out);
                    continue;
                }
                _ => {
                    out.truncate(before);
                    return false;
                }
            };
            append_framed(bytes, out);
        }
        true
    }

    /// What [`encode_key`](Self::encode_key) appends for an item whose whole key is this text;
    /// `false`, and nothing appended, if the key is not one attribute of type S.
    pub fn encode_text(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let is_text = self.sort.is_none() && self.partition.kind == KeyType::S;
        if is_text {
            append_framed(text, out);
        }
        is_text
    }
}

/// Length first, so that ("a", "bc") and ("ab", "c") are two keys.
fn append_framed(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

impl KeyAttribute {
    /// A key attribute of that name and type.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: KeyType) -> Self {
        Self { name: name.into(), kind }
    }
}

impl KeyType {
    /// The type's name in DynamoDB JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }
}

impl Index {
    /// An index of that name and key that holds a copy of every attribute.
    #[must_use]
    pub fn new(name: impl Into<String>, key: KeySchema) -> Self {
        Self { name: name.into(), key, projection: Projection::default() }
    }

    /// Sets which attributes the index holds a copy of.
    #[must_use]
    pub fn with_projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }
}

fn is_resource_name(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}
