use crate::{Column, Name};

/// One kind of item in the single table, and how its items become rows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entity {
    /// Its name: the partition `type=<name>` of the lake and the landing table.
    pub name: Name,
    /// How an item is told to be one; of a child entity, how the parent's item is.
    pub matcher: Matcher,
    /// For a child entity: the list or map whose members are its rows.
    pub unnest: Option<Unnest>,
    /// The columns, in the model's order (the lock file keeps the lake's order).
    pub columns: Vec<Column>,
    /// The columns that tell one row from all others by construction: the variables of the table's
    /// key; for a child entity, the parent's key and the position or the entry's name.
    pub key: Vec<Name>,
    /// Other sets of columns that are declared unique; a data test proves each before a commit.
    pub unique: Vec<Vec<Name>>,
    /// What happens to attributes that the model does not know and values that do not fit.
    pub drift: Drift,
}

impl Entity {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &Name) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }

    /// Whether no two rows can have the same values in these columns: they hold the key, or a set
    /// that is declared unique.
    #[must_use]
    pub fn is_unique(&self, columns: &[&Name]) -> bool {
        let holds = |key: &Vec<Name>| key.iter().all(|name| columns.contains(&name));
        holds(&self.key) || self.unique.iter().any(holds)
    }
}

/// How an item is told to be of an entity: every condition holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Matcher {
    /// The conditions; at least one.
    pub conditions: Vec<Condition>,
}

/// One condition of a [`Matcher`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// An attribute is a text with this value: a discriminator, `type = "order"`.
    Equals {
        /// The attribute.
        attribute: Box<str>,
        /// Its value.
        value: Box<str>,
    },
    /// A key attribute has the form of a template.
    Like {
        /// The attribute: of the table's key, or of an index's.
        attribute: Box<str>,
        /// The form.
        template: KeyTemplate,
    },
    /// An attribute is there, whatever its value.
    Has {
        /// The attribute.
        attribute: Box<str>,
    },
}

/// The form of a key: literals and variables by turns, `ORD#{orderid}`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeyTemplate {
    pub(crate) segments: Vec<Segment>,
}

/// A part of a [`KeyTemplate`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a key is made of these two")]
pub enum Segment {
    /// Text that stands as it is.
    Literal(Box<str>),
    /// A variable: up to the literal that follows, or to the end; never empty.
    Variable(Box<str>),
}

impl KeyTemplate {
    /// The parts, in order; no two variables stand side by side.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// A list or a map whose members become the rows of a child entity.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unnest {
    /// The entity whose items hold it.
    pub parent: Name,
    /// Where it is.
    pub path: crate::Path,
    /// What it is.
    pub over: UnnestOver,
}

/// What an [`Unnest`] goes over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB nests in these two ways")]
pub enum UnnestOver {
    /// A list (or a set): its elements, known by [`Source::Position`](crate::Source::Position).
    List,
    /// A map: its values, known by [`Source::Entry`](crate::Source::Entry).
    Map,
}

/// What becomes of an attribute that the model does not know, or of a value that does not fit its
/// column. Whatever it is, it is counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Drift {
    /// A new attribute becomes a column at the end; a type grows as far as no value changes; what
    /// still does not fit is set aside with its row.
    Evolve,
    /// The first difference fails the run.
    Freeze,
    /// An attribute or a value that does not fit is left out, the row stays.
    DiscardValue,
    /// A row with a value that does not fit is left out.
    DiscardRow,
    /// A row with a value that does not fit goes to the reject file with its reason; new
    /// attributes are counted and reported.
    #[default]
    Quarantine,
}
