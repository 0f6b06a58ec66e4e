/// Why there is no SQL text, or no plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dialect has no such form; nothing is written in its place.
    #[error("{dialect} has no {form}")]
    Unsupported {
        /// The dialect's name.
        dialect: &'static str,
        /// The form.
        form: String,
    },
    /// A text cannot be the name of anything in SQL.
    #[error("`{text}` is no identifier: {reason}")]
    Identifier {
        /// The text, escaped.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A value cannot be written as a literal.
    #[error("a literal cannot be written: {reason}")]
    Literal {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A model or a question refers to something that is not there.
    #[error("{place}: there is no {kind} `{name}`, but {known}")]
    Unknown {
        /// Where the reference stands: `fact sales, role customer`.
        place: String,
        /// What is referred to: `entity`, `column`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What there is instead: a list of names.
        known: String,
    },
    /// Two tables of a schema, or two columns of a table, would have one name.
    #[error("{place} would have `{name}` twice; rename one of them in the model")]
    Collision {
        /// The schema or the table.
        place: String,
        /// The name.
        name: String,
    },
    /// A name made of the model's names is too long for Redshift.
    #[error("{place}: `{name}` has more than 127 bytes; shorten the name that it is made of")]
    LongName {
        /// What the name is for.
        place: String,
        /// The name.
        name: String,
    },
    /// A question cannot be answered as it is put.
    #[error("{place}: {reason}")]
    Question {
        /// The part of the question.
        place: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A table that is there cannot become the table that a plan wants without losing values.
    #[error("{table}, column `{column}`: {reason}")]
    Change {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why not, and what to do.
        reason: String,
    },
}

impl Error {
    pub(crate) fn unsupported(dialect: &'static str, form: impl Into<String>) -> Self {
        Self::Unsupported { dialect, form: form.into() }
    }
}
