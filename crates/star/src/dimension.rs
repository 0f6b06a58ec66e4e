use crate::Name;

/// A dimension: what facts are sliced by.
///
/// Its table is `dwh.<name>` with `<name>_key` (the surrogate key, -1 is the unknown member), the
/// business key, the attributes, `is_inferred`, `is_deleted`; with history also `valid_from`,
/// `valid_to` and `is_current`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dimension {
    /// Its name.
    pub name: Name,
    /// The entity that it is made of; rows of one business key become one member, the newest write
    /// wins.
    pub entity: Name,
    /// The columns of the business key.
    pub key: Vec<Name>,
    /// The columns that describe a member.
    pub attributes: Vec<Attribute>,
}

impl Dimension {
    /// Whether any attribute keeps its history (type 2).
    #[must_use]
    pub fn has_history(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.history == History::Versions)
    }
}

/// An attribute of a dimension.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attribute {
    /// The column of the entity, and of the dimension.
    pub column: Name,
    /// What a change does.
    pub history: History,
}

/// What a change of an attribute does to the dimension.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum History {
    /// Type 1: the new value takes the old one's place, in every version.
    #[default]
    Overwrite,
    /// Type 2: the current version ends and a new one begins.
    Versions,
}
