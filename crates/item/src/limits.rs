//! What DynamoDB refuses to store, and what it counts as an item's size.
//!
//! One call, [`check`], says in one pass over the item whether DynamoDB will take it, and how big
//! it is. An import that meets an item which breaks a rule ends as failed, though it has loaded the
//! others, so items are checked before they are written.
//!
//! The limits are those of the developer guide's pages *Quotas* (`ServiceQuotas`) and *Supported data
//! types and naming rules* (`HowItWorks.NamingRulesDataTypes`).
//!
//! Numbers need no check here: a [`Number`] that exists is one that DynamoDB takes.
//!
//! # Sizes
//!
//! After the developer guide's page *DynamoDB item sizes and formats* (`CapacityUnitCalculations`):
//!
//! | part | bytes |
//! |---|---|
//! | name of an attribute, on any level | its UTF-8 bytes |
//! | S | its UTF-8 bytes |
//! | N | 1, and 1 for each pair of significant digits; see below |
//! | B | its bytes, before base64 |
//! | BOOL, NULL | 1 |
//! | L, M | 3, and 1 for each element besides the element itself |
//! | SS, NS, BS | their members |
//!
//! The guide calls its rule for numbers approximate. What the service counts (as measured by others
//! at the edge of 400 KB) is a base-100 notation: digits pair up from the decimal point outwards,
//! leading and trailing pairs of zeros do not count, a negative number takes one byte more, zero
//! takes one byte, and no number takes more than 21. So `15` takes 2 bytes, `1.5` takes 3, `-42`
//! takes 3. The storage overhead of 100 bytes an item that the same page names is for billing; it
//! is no part of the size that the limit is about.

use std::cmp::Ordering;
use std::fmt;

use crate::{AttributeValue, Attributes, Item, KeyAttribute, KeySchema, KeyType, Number, Table};

/// Most bytes that an item has: 400 KB.
pub const MAX_ITEM_BYTES: usize = 409_600;
/// Most levels of values: an item's attributes are on level 1, what a list or a map among them
/// holds is on level 2.
pub const MAX_DEPTH: usize = 32;
/// Most bytes of a partition key's value.
pub const MAX_PARTITION_KEY_BYTES: usize = 2048;
/// Most bytes of a sort key's value.
pub const MAX_SORT_KEY_BYTES: usize = 1024;
/// Most bytes of an attribute's name, on any level.
pub const MAX_NAME_BYTES: usize = 65_535;
/// Most bytes of the name of an attribute that is part of a key.
pub const MAX_KEY_NAME_BYTES: usize = 255;
/// Most global secondary indexes of a table.
pub const MAX_INDEXES: usize = 20;

/// Checks that DynamoDB takes the item into the table, and returns the item's size in bytes.
///
/// ```
/// use keystar_item::limits::{self, ViolationKind};
/// use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Table};
///
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
/// let mut item = Item::new();
/// item.push("shirt-color", "R");
///
/// let violation = limits::check(&item, &table).unwrap_err();
/// assert_eq!(violation.kind(), ViolationKind::KeyMissing);
/// assert_eq!(violation.to_string(), "key attribute missing: key");
///
/// item.push("key", "1");
/// assert_eq!(limits::check(&item, &table), Ok(16));
/// ```
///
/// # Errors
///
/// One of the rules that the item breaks: the first that was met, where it breaks several.
pub fn check(item: &Item<'_>, table: &Table) -> Result<u32, Violation> {
    let key = &table.key;
    let (mut has_partition, mut has_sort) = (false, key.sort.is_none());
    let (mut bytes, mut names) = (0, Names::default());
    for (name, value) in &item.attributes {
        names.meet(name.as_bytes());
        bytes += check_attribute(name, value, 1)?;
        match check_key_part(name, value, key)? {
            Some(Part::Partition) => has_partition = true,
            Some(Part::Sort) => has_sort = true,
            None => {}
        }
        for index in &table.indexes {
            check_key_part(name, value, &index.key)?;
        }
    }
    names.check(&item.attributes)?;
    if !has_partition {
        return Err(Violation::new(ViolationKind::KeyMissing).below(&key.partition.name));
    }
    if let (false, Some(sort)) = (has_sort, &key.sort) {
        return Err(Violation::new(ViolationKind::KeyMissing).below(&sort.name));
    }
    match u32::try_from(bytes) {
        Ok(bytes) if bytes as usize <= MAX_ITEM_BYTES => Ok(bytes),
        _ => Err(Violation::new(ViolationKind::ItemTooLarge { bytes })),
    }
}

/// The item's size in bytes, whether or not it keeps the limits.
///
/// ```
/// use keystar_item::{Item, limits};
///
/// let mut item = Item::new();
/// item.push("shirt-color", "R");
/// item.push("shirt-size", "M");
/// assert_eq!(limits::size(&item), 23);
/// ```
#[must_use]
pub fn size(item: &Item<'_>) -> u64 {
    item.attributes.iter().map(|(name, value)| name.len() as u64 + value_size(value)).sum()
}

/// The size in bytes of an attribute's value: what it adds to an item besides its name.
#[must_use]
pub fn value_size(value: &AttributeValue<'_>) -> u64 {
    match value {
        AttributeValue::S(text) => text.len() as u64,
        AttributeValue::N(number) => u64::from(number.size()),
        AttributeValue::B(bytes) => bytes.len() as u64,
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_size(value)).sum::<u64>(),
        AttributeValue::M(map) => {
            let entries = map.iter().map(|(name, value)| name.len() as u64 + value_size(value));
            3 + map.len() as u64 + entries.sum::<u64>()
        }
        AttributeValue::Ss(set) => set.iter().map(|member| member.len() as u64).sum(),
        AttributeValue::Ns(set) => set.iter().map(|member| u64::from(member.size())).sum(),
        AttributeValue::Bs(set) => set.iter().map(|member| member.len() as u64).sum(),
    }
}

/// A rule that an item breaks, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation(Box<Breach>);

/// Boxed, so that the way without a violation stays cheap.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Breach {
    kind: ViolationKind,
    path: String,
}

/// Which rule is broken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The item has more than [`MAX_ITEM_BYTES`].
    #[non_exhaustive]
    ItemTooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
    /// An attribute, on any level, has the empty name.
    EmptyName,
    /// An attribute's name has more than [`MAX_NAME_BYTES`].
    NameTooLong,
    /// Two attributes of an item or of a map have the same name.
    DuplicateName,
    /// A set has no members.
    EmptySet,
    /// A set has a member twice (numbers count by value).
    DuplicateMember,
    /// A value is on a level below [`MAX_DEPTH`].
    TooDeep,
    /// The item lacks a key attribute of the table.
    KeyMissing,
    /// A key attribute of the table or of an index has another type than the key demands.
    #[non_exhaustive]
    KeyType {
        /// The type that the key demands.
        expected: KeyType,
    },
    /// A key attribute of the table or of an index is the empty text or has no bytes.
    KeyEmpty,
    /// A key attribute of the table or of an index is too long.
    #[non_exhaustive]
    KeyTooLong {
        /// How many bytes it may have.
        max_bytes: usize,
    },
}

impl Violation {
    /// Which rule is broken.
    #[must_use]
    pub fn kind(&self) -> ViolationKind {
        self.0.kind
    }

    /// The names of the attributes on the way to the culprit, as in `address.lines[2]`, escaped
    /// and cut; empty if it is the item itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    #[cold]
    fn new(kind: ViolationKind) -> Self {
        Self(Box::new(Breach { kind, path: String::new() }))
    }

    /// Puts the name of a surrounding attribute before the path.
    #[cold]
    fn below(mut self, name: &str) -> Self {
        const SHOWN_CHARS: usize = 40;
        let mut path: String =
            name.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
        if name.chars().nth(SHOWN_CHARS).is_some() {
            path.push('…');
        }
        if !self.0.path.is_empty() && !self.0.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.0.path);
        self.0.path = path;
        self
    }

    #[cold]
    fn at_index(mut self, index: usize) -> Self {
        let dot = if self.0.path.is_empty() || self.0.path.starts_with('[') { "" } else { "." };
        self.0.path = format!("[{index}]{dot}{}", self.0.path);
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            ViolationKind::ItemTooLarge { bytes } => {
                write!(f, "item of {bytes} bytes, more than {MAX_ITEM_BYTES}")
            }
            ViolationKind::EmptyName => f.write_str("empty attribute name"),
            ViolationKind::NameTooLong => {
                write!(f, "attribute name of more than {MAX_NAME_BYTES} bytes")
            }
            ViolationKind::DuplicateName => f.write_str("attribute name twice"),
            ViolationKind::EmptySet => f.write_str("empty set"),
            ViolationKind::DuplicateMember => f.write_str("set member twice"),
            ViolationKind::TooDeep => write!(f, "more than {MAX_DEPTH} levels of values"),
            ViolationKind::KeyMissing => f.write_str("key attribute missing"),
            ViolationKind::KeyType { expected } => {
                write!(f, "key attribute not of type {}", expected.as_str())
            }
            ViolationKind::KeyEmpty => f.write_str("empty key attribute"),
            ViolationKind::KeyTooLong { max_bytes } => {
                write!(f, "key attribute of more than {max_bytes} bytes")
            }
        }?;
        if self.0.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.0.path) }
    }
}

impl std::error::Error for Violation {}

type Checked<T> = Result<T, Violation>;

#[inline]
fn check_attribute(name: &str, value: &AttributeValue<'_>, level: usize) -> Checked<u64> {
    if name.is_empty() {
        return Err(Violation::new(ViolationKind::EmptyName));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Violation::new(ViolationKind::NameTooLong).below(name));
    }
    match check_value(value, level) {
        Ok(bytes) => Ok(name.len() as u64 + bytes),
        Err(violation) => Err(violation.below(name)),
    }
}

/// Checks a value of that level and returns its size.
#[inline]
fn check_value(value: &AttributeValue<'_>, level: usize) -> Checked<u64> {
    if level > MAX_DEPTH {
        return Err(Violation::new(ViolationKind::TooDeep));
    }
    match value {
        AttributeValue::S(text) => Ok(text.len() as u64),
        AttributeValue::N(number) => Ok(u64::from(number.size())),
        _ => check_other(value, level),
    }
}

/// Checks what is neither text nor a number.
#[inline(never)]
fn check_other(value: &AttributeValue<'_>, level: usize) -> Checked<u64> {
    match value {
        AttributeValue::M(map) => {
            let (mut bytes, mut names) = (3 + map.len() as u64, Names::default());
            for (name, value) in map {
                names.meet(name.as_bytes());
                bytes += check_attribute(name, value, level + 1)?;
            }
            names.check(map)?;
            Ok(bytes)
        }
        AttributeValue::L(list) => {
            let mut bytes = 3 + list.len() as u64;
            for (index, value) in list.iter().enumerate() {
                bytes +=
                    check_value(value, level + 1).map_err(|violation| violation.at_index(index))?;
            }
            Ok(bytes)
        }
        AttributeValue::Ss(set) => check_set(set, Ord::cmp).map(|()| value_size(value)),
        AttributeValue::Ns(set) => check_set(set, Number::cmp_value).map(|()| value_size(value)),
        AttributeValue::Bs(set) => check_set(set, Ord::cmp).map(|()| value_size(value)),
        _ => Ok(value_size(value)),
    }
}

/// The names of one map, as far as it takes to see that none is there twice: a filter of 64 bits.
/// Names that differ in length, first or last byte mostly set different ones, and only if two set
/// the same are the names themselves compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    seen: u64,
    clash: bool,
}

impl Names {
    /// Notes a name; whether it looks like one that was there.
    #[inline(always)]
    pub(crate) fn meet(&mut self, name: &[u8]) -> bool {
        let end = |byte: Option<&u8>| usize::from(*byte.unwrap_or(&0));
        let ends = end(name.first()) * 5 + end(name.last()) * 11;
        let bit = 1 << ((name.len() + ends) & 63);
        let alike = self.seen & bit != 0;
        self.clash |= alike;
        self.seen |= bit;
        alike
    }

    #[inline(always)]
    fn check(&self, map: &Attributes<'_>) -> Checked<()> {
        if self.clash { compare_names(map) } else { Ok(()) }
    }
}

#[inline(never)]
fn compare_names(map: &Attributes<'_>) -> Checked<()> {
    match find_twice(map.as_slice(), |(a, _), (b, _)| a.cmp(b)) {
        Some((name, _)) => Err(Violation::new(ViolationKind::DuplicateName).below(name)),
        None => Ok(()),
    }
}

fn check_set<T>(members: &[T], order: impl Fn(&T, &T) -> Ordering) -> Checked<()> {
    if members.is_empty() {
        return Err(Violation::new(ViolationKind::EmptySet));
    }
    match find_twice(members, order) {
        Some(_) => Err(Violation::new(ViolationKind::DuplicateMember)),
        None => Ok(()),
    }
}

/// Up to so many members are compared each with each, which needs no memory.
const FEW: usize = 16;

/// A member that is there twice.
fn find_twice<T>(members: &[T], order: impl Fn(&T, &T) -> Ordering) -> Option<&T> {
    if members.len() <= FEW {
        let twice = |(index, member): &(usize, &T)| {
            members[..*index].iter().any(|other| order(other, member).is_eq())
        };
        return members.iter().enumerate().find(twice).map(|(_, member)| member);
    }
    let mut sorted: Vec<&T> = members.iter().collect();
    sorted.sort_unstable_by(|a, b| order(a, b));
    sorted.windows(2).find(|pair| order(pair[0], pair[1]).is_eq()).map(|pair| pair[0])
}

enum Part {
    Partition,
    Sort,
}

/// Which part of the key the attribute is, if any; an attribute that is one must be fit for it.
#[inline]
fn check_key_part(
    name: &str,
    value: &AttributeValue<'_>,
    key: &KeySchema,
) -> Checked<Option<Part>> {
    if name == key.partition.name {
        check_key(value, &key.partition, MAX_PARTITION_KEY_BYTES)?;
        return Ok(Some(Part::Partition));
    }
    match &key.sort {
        Some(sort) if name == sort.name => {
            check_key(value, sort, MAX_SORT_KEY_BYTES)?;
            Ok(Some(Part::Sort))
        }
        _ => Ok(None),
    }
}

fn check_key(value: &AttributeValue<'_>, key: &KeyAttribute, max_bytes: usize) -> Checked<()> {
    let bytes = match (key.kind, value) {
        (KeyType::S, AttributeValue::S(text)) => text.len(),
        (KeyType::B, AttributeValue::B(bytes)) => bytes.len(),
        (KeyType::N, AttributeValue::N(_)) => return Ok(()),
        (expected, _) => {
            return Err(Violation::new(ViolationKind::KeyType { expected }).below(&key.name));
        }
    };
    if bytes == 0 {
        return Err(Violation::new(ViolationKind::KeyEmpty).below(&key.name));
    }
    if bytes > max_bytes {
        return Err(Violation::new(ViolationKind::KeyTooLong { max_bytes }).below(&key.name));
    }
    Ok(())
}
