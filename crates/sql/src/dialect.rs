//! How the dialects differ. What is written the same everywhere is in the writer.

use std::fmt;

use crate::{Error, Parameter, SqlType};

mod datafusion;
mod postgresql;
mod redshift;

pub use datafusion::DataFusion;
pub use postgresql::PostgreSql;
pub use redshift::Redshift;

/// A dialect of SQL: what differs from one database to the next.
///
/// The texts that its methods get and give are SQL already; they need no quoting any more.
pub trait Dialect: fmt::Debug {
    /// What it is called in errors: `Redshift`.
    fn name(&self) -> &'static str;

    /// Whether it has a form. What it has not is an error, never written another way that means
    /// almost the same.
    fn has(&self, form: Form) -> bool;

    /// The name of a type, for columns and casts.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a type that it lacks, or of that size.
    fn type_name(&self, ty: &SqlType) -> Result<String, Error>;

    /// A value as another type.
    ///
    /// # Errors
    ///
    /// Those of [`type_name`](Self::type_name).
    fn cast(&self, value: &str, ty: &SqlType) -> Result<String, Error>;

    /// A text, with its quotes. It has no NUL.
    fn text(&self, text: &str) -> String;

    /// Bytes, given as hexadecimal digits.
    fn bytes(&self, hexadecimal: &str) -> String;

    /// A moment, given as `2021-04-12 10:20:30.000001`, UTC.
    fn timestamp(&self, text: &str) -> String;

    /// A date so many days later.
    fn add_days(&self, date: &str, days: &str) -> String;

    /// A text that is ordered by its bytes.
    fn bytewise(&self, text: &str) -> String;

    /// A relation, in brackets, with one column `n`: the whole numbers from 0, so many, at least
    /// one.
    fn numbers(&self, count: u32) -> String;

    /// A parameter.
    fn parameter(&self, parameter: &Parameter) -> String;
}

/// A form that not every dialect has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Form {
    /// `IS NOT DISTINCT FROM`; without it the writer spells the same meaning out.
    NotDistinct,
    /// Transactions, and the locks that they hold.
    Transaction,
    /// `LOCK "a", "b"` rather than `LOCK TABLE … IN EXCLUSIVE MODE`.
    BareLock,
    /// DELETE and UPDATE.
    Change,
    /// Tables of a session.
    Temporary,
    /// Primary keys, and NOT NULL.
    Constraint,
    /// `ALTER TABLE`.
    Alter,
    /// `ALTER TABLE … ALTER COLUMN … TYPE` for a type that is not a text.
    AlterAnyType,
    /// `COMMENT ON`.
    Comment,
    /// `GRANT`.
    Grant,
    /// `COPY … FORMAT AS PARQUET`.
    CopyParquet,
}
