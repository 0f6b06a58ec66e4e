use crate::Name;

/// A fact table: one row for each thing that happened, `dwh.<name>`.
///
/// Its columns: for each [`DimensionRole`] `<role>_key`, the grain's columns, the degenerate ones,
/// the measures.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Fact {
    /// Its name.
    pub name: Name,
    /// The entity whose rows are its rows, one for one.
    pub entity: Name,
    /// The columns of the entity that tell one row from another: unique by construction, and the
    /// key that an upsert goes by.
    pub grain: Vec<Name>,
    /// Entities that are looked up; each gives at most one row, so that no row of the fact is
    /// counted twice. Later joins may use columns of earlier ones.
    pub joins: Vec<Join>,
    /// The dimensions.
    pub dimensions: Vec<DimensionRole>,
    /// What is summed: columns of the fact's own entity, never of a join (they would repeat).
    pub measures: Vec<Measure>,
    /// Further columns that are kept in the fact: order numbers and the like.
    pub degenerate: Vec<(Name, ColumnRef)>,
}

/// An entity that a fact looks up.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Join {
    /// What the join is called in [`ColumnRef::join`].
    pub alias: Name,
    /// The entity.
    pub entity: Name,
    /// Pairs: a column of the joined entity, and what it equals. The joined columns are unique in
    /// their entity.
    pub on: Vec<(Name, Operand)>,
}

/// What a column of a join equals.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// Another column.
    Column(ColumnRef),
    /// A text: `home`.
    Text(Box<str>),
    /// A number: position 0.
    Int(i64),
}

/// A column of the fact's entity, or of a join's.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ColumnRef {
    /// The join's alias; `None` for the fact's own entity.
    pub join: Option<Name>,
    /// The column.
    pub column: Name,
}

impl ColumnRef {
    /// A column of the fact's own entity (`None`), or of a join.
    #[must_use]
    pub fn new(join: Option<Name>, column: Name) -> Self {
        Self { join, column }
    }
}

/// A dimension as a fact uses it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DimensionRole {
    /// What it is for the fact: `customer`, `ship_date`; the column is `<role>_key`.
    pub role: Name,
    /// The dimension's name, or the calendar's.
    pub dimension: Name,
    /// What the dimension's business key equals, in the order of [`Dimension::key`]; for the
    /// calendar one date or timestamp.
    ///
    /// [`Dimension::key`]: crate::Dimension::key
    pub key: Vec<ColumnRef>,
    /// Which version, if the dimension has history.
    pub resolve: Resolve,
}

/// Which version of a dimension's member a fact refers to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Resolve {
    /// The one that is current at the time of the load.
    #[default]
    Current,
    /// The one that was valid at this date or timestamp.
    AsOf(ColumnRef),
}

/// A measure of a fact.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Measure {
    /// Its column in the fact.
    pub name: Name,
    /// The column of the fact's entity.
    pub column: Name,
}
