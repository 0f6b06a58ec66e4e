use crate::{Calendar, Dimension, Entity, Fact, Name};

/// A single table read as a star schema: checked, so that nobody checks again.
///
/// What a user writes is a `ModelSpec`; `TryFrom` makes this of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Model {
    /// The table's key.
    pub table: TableKey,
    /// The entities; parents before their children. An item is of the first that it matches.
    pub entities: Vec<Entity>,
    /// The dimensions.
    pub dimensions: Vec<Dimension>,
    /// The facts.
    pub facts: Vec<Fact>,
    /// The date dimension.
    pub calendar: Option<Calendar>,
}

impl Model {
    /// The entity of that name.
    #[must_use]
    pub fn entity(&self, name: &Name) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == *name)
    }

    /// The dimension of that name; the calendar is none.
    #[must_use]
    pub fn dimension(&self, name: &Name) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.name == *name)
    }

    /// The fact of that name.
    #[must_use]
    pub fn fact(&self, name: &Name) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.name == *name)
    }
}

/// The names of the table's key attributes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableKey {
    /// The partition key.
    pub partition: Box<str>,
    /// The sort key, if the table has one.
    pub sort: Option<Box<str>>,
}
