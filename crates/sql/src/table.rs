use std::fmt;

use keystar_star::Name;

use crate::SqlType;

/// The layers of a warehouse, each a schema.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_enums, reason = "a layer more is another design")]
pub enum Schema {
    /// `landing`: the lake's tables, as they are.
    Landing,
    /// `staging`: business keys resolved, one row a member, one row a fact; made anew by each load.
    Staging,
    /// `keys`: which surrogate key a member has. The system of record: never made anew.
    Keys,
    /// `dwh`: the star.
    Dwh,
}

impl Schema {
    /// All of them, in the order of the flow.
    pub const ALL: [Self; 4] = [Self::Landing, Self::Staging, Self::Keys, Self::Dwh];

    /// The schema's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landing => "landing",
            Self::Staging => "staging",
            Self::Keys => "keys",
            Self::Dwh => "dwh",
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A table's name with its schema.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_structs, reason = "a table is named by these two")]
pub struct TableName {
    /// The layer.
    pub schema: Schema,
    /// The name in it.
    pub name: Name,
}

impl TableName {
    /// A table of a layer.
    #[must_use]
    pub fn new(schema: Schema, name: Name) -> Self {
        Self { schema, name }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A table of a warehouse.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What it holds, in one sentence; becomes a comment where the dialect has them.
    pub comment: String,
    /// Its columns, in order.
    pub columns: Vec<TableColumn>,
    /// The columns that tell its rows apart, none for landing and staging. A load's tests prove it
    /// before the commit, since Redshift believes it and does not check.
    pub primary_key: Vec<Name>,
}

impl Table {
    /// A table without a primary key.
    #[must_use]
    pub fn new(name: TableName, comment: impl Into<String>, columns: Vec<TableColumn>) -> Self {
        Self { name, comment: comment.into(), columns, primary_key: Vec::new() }
    }

    /// The same table with a primary key.
    #[must_use]
    pub fn with_primary_key(mut self, key: Vec<Name>) -> Self {
        self.primary_key = key;
        self
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &Name) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == *name)
    }
}

/// A column of a [`Table`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableColumn {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: SqlType,
    /// Whether it may be NULL.
    pub nullable: bool,
}

impl TableColumn {
    /// A column that may be NULL.
    #[must_use]
    pub fn new(name: Name, ty: SqlType) -> Self {
        Self { name, ty, nullable: true }
    }

    /// The same column, never NULL.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }
}
