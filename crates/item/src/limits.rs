//! What DynamoDB refuses to store, and what it counts as an item's size.

use std::fmt;

use crate::{Item, KeyType, Table};

/// Most bytes that an item has: 400 KB.
pub const MAX_ITEM_BYTES: usize = 409_600;
/// Most levels of values: an item's attributes are on level 1, what a list or a map among them
/// holds is on level 2.
pub const MAX_DEPTH: usize = 32;
/// Most bytes of a partition key's value.
pub const MAX_PARTITION_KEY_BYTES: usize = 2048;
/// Most bytes of a sort key's value.
pub const MAX_SORT_KEY_BYTES: usize = 1024;
/// Most bytes of an attribute's name.
pub const MAX_NAME_BYTES: usize = 65_535;
/// Most bytes of the name of an attribute that is part of a key.
pub const MAX_KEY_NAME_BYTES: usize = 255;
/// Most global secondary indexes of a table.
pub const MAX_INDEXES: usize = 20;

/// Checks the item.
///
/// # Errors
///
/// The first rule that the item breaks.
pub fn check(item: &Item<'_>, table: &Table) -> Result<u32, Violation> {
    let _ = (item, table);
    Ok(0)
}

/// The item's size in bytes.
#[must_use]
pub fn size(item: &Item<'_>) -> u64 {
    let _ = item;
    0
}

/// A rule that an item breaks, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    kind: ViolationKind,
    path: String,
}

/// Which rule is broken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The item has more than [`MAX_ITEM_BYTES`].
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
    KeyType {
        /// The type that the key demands.
        expected: KeyType,
    },
    /// A key attribute of the table or of an index is the empty text or has no bytes.
    KeyEmpty,
    /// A key attribute of the table or of an index is too long.
    KeyTooLong {
        /// How many bytes it may have.
        max_bytes: usize,
    },
}

impl Violation {
    /// Which rule is broken.
    #[must_use]
    pub fn kind(&self) -> ViolationKind {
        self.kind
    }

    /// The names of the attributes on the way to the culprit, as in `address.lines[2]`, escaped
    /// and cut; empty if it is the item itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        Ok(())
    }
}

impl std::error::Error for Violation {}
