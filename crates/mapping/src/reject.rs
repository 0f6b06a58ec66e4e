//! Why a record is set aside.

use std::fmt;

/// A record that no items can stand for under this mapping.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// More about it, escaped and cut; never a value.
    pub detail: String,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident $name:literal,)+) => {
        /// Why a record is set aside.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum RejectReason { $($(#[doc = $doc])+ $reason,)+ }

        impl RejectReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// The stable name, as in reports: `name_collision`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$reason => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// No rule matches the key, and the spec says to reject such keys.
    NoRule "no_rule",
    /// The item would have more than 400 KB.
    Oversize "oversize",
    /// The key is not text, and the rule says to reject such keys.
    BinaryKey "binary_key",
    /// A name is not text, and the rule says to reject such names.
    BinaryName "binary_name",
    /// A field has the name of an attribute that the mapping writes itself, or that another
    /// field was renamed to.
    NameCollision "name_collision",
    /// The collection has no elements; Redis keeps no such keys.
    Empty "empty",
    /// A key attribute must be a number and its template gives none.
    KeyNotNumber "key_not_number",
    /// The rule hashes fields, and no salt was given.
    MissingSalt "missing_salt",
    /// The value is of a type that this version does not know.
    UnknownType "unknown_type",
    /// The pieces of a value do not follow each other.
    PartsOutOfOrder "parts_out_of_order",
}

impl Reject {
    #[cold]
    pub(crate) fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            RejectReason::NoRule => "no rule matches the key",
            RejectReason::Oversize => "item of more than 400 KB",
            RejectReason::BinaryKey => "key is not text",
            RejectReason::BinaryName => "name is not text",
            RejectReason::NameCollision => "attribute name is taken",
            RejectReason::Empty => "collection without elements",
            RejectReason::KeyNotNumber => "key attribute is not a number",
            RejectReason::MissingSalt => "no salt to hash fields with",
            RejectReason::UnknownType => "unknown type of value",
            RejectReason::PartsOutOfOrder => "pieces of the value do not follow each other",
        })?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for Reject {}
