use crate::{Expr, Ident, Relation, Schema, Select, SqlType, Table, TableColumn, TableName};

/// A statement: what changes a warehouse.
///
/// There is no TRUNCATE, which commits in Redshift, and no MERGE, which Redshift knows only in part.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Statement {
    /// Makes a schema where it is missing.
    CreateSchema(Schema),
    /// Makes a table where it is missing.
    CreateTable(Table),
    /// Appends a column to a table. It is filled with NULL.
    AddColumn {
        /// The table.
        table: TableName,
        /// The column; it may be NULL.
        column: TableColumn,
    },
    /// Gives a column a type that holds more.
    WidenColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: Ident,
        /// Its new type.
        ty: SqlType,
    },
    /// Says what a table holds.
    Comment {
        /// The table.
        table: TableName,
        /// The text.
        text: String,
    },
    /// Gives a role a right.
    Grant {
        /// The right.
        right: Right,
        /// The schema.
        schema: Schema,
        /// Who gets it.
        to: Ident,
    },
    /// Makes a table for the session out of a query.
    CreateTemporary {
        /// Its name.
        name: Ident,
        /// Its rows.
        select: Select,
    },
    /// Drops a table of the session.
    DropTemporary(Ident),
    /// Adds the rows of a query, by the names of its columns.
    Insert {
        /// The table.
        table: TableName,
        /// The rows.
        select: Select,
    },
    /// Removes rows. The table is called by its bare name in the condition.
    Delete {
        /// The table.
        table: TableName,
        /// What else the condition looks at.
        using: Option<(Relation, Ident)>,
        /// Which rows; all without.
        filter: Option<Expr>,
    },
    /// Changes rows. The table is called by its bare name in the condition.
    Update {
        /// The table.
        table: TableName,
        /// The columns and their new values.
        set: Vec<(Ident, Expr)>,
        /// What else the values and the condition look at.
        from: Option<(Relation, Ident)>,
        /// Which rows; all without.
        filter: Option<Expr>,
    },
    /// A query.
    Select(Select),
    /// Begins a transaction.
    Begin,
    /// Makes it last.
    Commit,
    /// Keeps others from writing these tables until the transaction ends.
    Lock(Vec<TableName>),
    /// Loads Parquet files into a table.
    Copy {
        /// The table.
        table: TableName,
        /// Its columns, in the order of the files': Redshift goes by position.
        columns: Vec<Ident>,
        /// The files.
        source: CopySource,
        /// Whether lists and structs go into SUPER columns.
        nested: bool,
    },
}

/// What a role may do in a schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Right {
    /// See that it is there.
    Usage,
    /// Read all its tables.
    Read,
    /// Read and write all its tables.
    Write,
}

/// Where COPY finds its files, and by whose leave.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CopySource {
    /// `s3://bucket/prefix`, or the manifest's.
    pub url: String,
    /// The role's ARN, or several with commas between.
    pub iam_role: String,
    /// Whether the URL is a manifest's. It is the exact set of files, and so may be loaded again.
    pub manifest: bool,
}

impl CopySource {
    /// The files that a manifest lists.
    pub fn manifest(url: impl Into<String>, iam_role: impl Into<String>) -> Self {
        Self { url: url.into(), iam_role: iam_role.into(), manifest: true }
    }

    /// All files whose URL begins so.
    pub fn prefix(url: impl Into<String>, iam_role: impl Into<String>) -> Self {
        Self { url: url.into(), iam_role: iam_role.into(), manifest: false }
    }
}
