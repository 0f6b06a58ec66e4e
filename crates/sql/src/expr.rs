use crate::{Ident, Literal, Select, SqlType};

/// An expression: a value in a row.
///
/// It is made with the functions below, which read in the order of SQL:
///
/// ```
/// use keystar_sql::{DataFusion, Expr, Ident, Redshift};
///
/// # fn main() -> Result<(), keystar_sql::Error> {
/// let (a, b) = (Expr::column(Ident::new("a")?), Expr::column(Ident::new("order")?));
/// let same = a.same(b);
/// assert_eq!(same.to_sql(&DataFusion)?, r#""a" IS NOT DISTINCT FROM "order""#);
/// assert_eq!(
///     same.to_sql(&Redshift)?,
///     r#"(("a" IS NOT NULL AND "order" IS NOT NULL AND "a" = "order") OR ("a" IS NULL AND "order" IS NULL))"#,
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A column, of a relation's alias where it is told.
    Column {
        /// The alias.
        of: Option<Ident>,
        /// The column.
        name: Ident,
    },
    /// A value.
    Literal(Literal),
    /// A value that is given when the statement is run.
    Parameter(Parameter),
    /// A comparison; NULL where a side is.
    Compare(Box<Expr>, Comparison, Box<Expr>),
    /// Equality that holds for two NULLs, and is never NULL itself.
    Same(Box<Expr>, Box<Expr>),
    /// All hold; of none, true.
    And(Vec<Expr>),
    /// Any holds; of none, false.
    Or(Vec<Expr>),
    /// The contrary.
    Not(Box<Expr>),
    /// Whether it is NULL.
    IsNull(Box<Expr>),
    /// Whether it is not NULL.
    IsNotNull(Box<Expr>),
    /// The first that is not NULL.
    Coalesce(Vec<Expr>),
    /// The value beside the first condition that holds.
    Case {
        /// Conditions and values; at least one.
        when: Vec<(Expr, Expr)>,
        /// The value where none holds.
        otherwise: Box<Expr>,
    },
    /// The value as another type.
    Cast(Box<Expr>, SqlType),
    /// A calculation.
    Calculate(Box<Expr>, Operator, Box<Expr>),
    /// Texts, one after the other; NULL where one is.
    Concat(Vec<Expr>),
    /// A value of a group of rows; `None` stands for the rows themselves (`COUNT(*)`).
    Aggregate(Aggregate, Option<Box<Expr>>),
    /// The row's number among those of its partition, from 1.
    RowNumber(Window),
    /// The value in the next row of its partition, or NULL.
    Lead(Box<Expr>, Window),
    /// A part of a date or timestamp, as a whole number of 64 bits.
    Extract(DatePart, Box<Expr>),
    /// A date so many days later.
    AddDays(Box<Expr>, Box<Expr>),
    /// A text that is ordered by its bytes, whatever the database's collation.
    Bytewise(Box<Expr>),
    /// Whether a query has a row.
    Exists(Box<Select>),
}

/// A value that is given when a statement is run: `:name` in Redshift's Data API, `$1` in
/// PostgreSQL, `$name` in DataFusion.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its place among the statement's parameters, from 1.
    pub position: u16,
    /// Its name: a letter or `_`, then letters, digits and `_`.
    pub name: keystar_star::Name,
}

impl Parameter {
    /// A parameter.
    #[must_use]
    pub fn new(position: u16, name: keystar_star::Name) -> Self {
        Self { position, name }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "two values compare in these six ways")]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; of whole numbers the whole part.
    Divide,
    /// `%`, the remainder.
    Remainder,
}

/// A function of a group of rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Aggregate {
    /// How many.
    Count,
    /// How many different ones.
    CountDistinct,
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// Which rows a window function sees, and in which order.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// Rows with the same values here are one partition; all rows where there is none.
    pub partition: Vec<Expr>,
    /// Their order.
    pub order: Vec<Order>,
}

impl Window {
    /// A window.
    #[must_use]
    pub fn new(partition: Vec<Expr>, order: Vec<Order>) -> Self {
        Self { partition, order }
    }
}

/// An order of rows. NULLs come last upwards and first downwards, as in all three dialects.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// By what.
    pub by: Expr,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A part of a date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DatePart {
    /// The year.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// The day of the month, 1 to 31.
    Day,
    /// 0 (Sunday) to 6.
    DayOfWeek,
    /// 1 to 366.
    DayOfYear,
}

impl Expr {
    /// A column.
    pub fn column(name: impl Into<Ident>) -> Self {
        Self::Column { of: None, name: name.into() }
    }

    /// A column of the relation of that alias.
    pub fn of(alias: &Ident, name: impl Into<Ident>) -> Self {
        Self::Column { of: Some(alias.clone()), name: name.into() }
    }

    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Literal(text.into())
    }

    /// A whole number.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Literal(number.into())
    }

    /// A truth value.
    #[must_use]
    pub fn bool(truth: bool) -> Self {
        Self::Literal(truth.into())
    }

    /// NULL of a type.
    #[must_use]
    pub fn null(ty: SqlType) -> Self {
        Self::Literal(Literal::Null).cast(ty)
    }

    /// How many rows.
    #[must_use]
    pub fn count() -> Self {
        Self::Aggregate(Aggregate::Count, None)
    }

    /// `self = other`
    #[must_use]
    pub fn equals(self, other: Self) -> Self {
        self.compare(Comparison::Equal, other)
    }

    /// A comparison.
    #[must_use]
    pub fn compare(self, comparison: Comparison, other: Self) -> Self {
        Self::Compare(Box::new(self), comparison, Box::new(other))
    }

    /// Equality that holds for two NULLs.
    #[must_use]
    pub fn same(self, other: Self) -> Self {
        Self::Same(Box::new(self), Box::new(other))
    }

    /// The contrary of [`same`](Self::same).
    #[must_use]
    pub fn differs(self, other: Self) -> Self {
        self.same(other).negate()
    }

    /// The contrary.
    #[must_use]
    pub fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// Whether it is NULL.
    #[must_use]
    pub fn is_null(self) -> Self {
        Self::IsNull(Box::new(self))
    }

    /// Whether it is not NULL.
    #[must_use]
    pub fn is_not_null(self) -> Self {
        Self::IsNotNull(Box::new(self))
    }

    /// The value, or another where it is NULL.
    #[must_use]
    pub fn or_else(self, other: Self) -> Self {
        Self::Coalesce(vec![self, other])
    }

    /// `value` where `condition` holds, else `otherwise`.
    #[must_use]
    pub fn choose(condition: Self, value: Self, otherwise: Self) -> Self {
        Self::Case { when: vec![(condition, value)], otherwise: Box::new(otherwise) }
    }

    /// The value as another type.
    #[must_use]
    pub fn cast(self, ty: SqlType) -> Self {
        Self::Cast(Box::new(self), ty)
    }

    /// A calculation.
    #[must_use]
    pub fn calculate(self, operator: Operator, other: Self) -> Self {
        Self::Calculate(Box::new(self), operator, Box::new(other))
    }

    /// `self + other`
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.calculate(Operator::Add, other)
    }

    /// `self - other`
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.calculate(Operator::Subtract, other)
    }

    /// `self * other`
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        self.calculate(Operator::Multiply, other)
    }

    /// An aggregate of the value.
    #[must_use]
    pub fn aggregate(self, function: Aggregate) -> Self {
        Self::Aggregate(function, Some(Box::new(self)))
    }

    /// A part of the date.
    #[must_use]
    pub fn extract(self, part: DatePart) -> Self {
        Self::Extract(part, Box::new(self))
    }

    /// The date so many days later.
    #[must_use]
    pub fn add_days(self, days: Self) -> Self {
        Self::AddDays(Box::new(self), Box::new(days))
    }

    /// A date's key: `20210401`.
    #[must_use]
    pub fn date_key(self) -> Self {
        let year = self.clone().extract(DatePart::Year).times(Self::int(10_000));
        let month = self.clone().extract(DatePart::Month).times(Self::int(100));
        year.plus(month).plus(self.extract(DatePart::Day))
    }

    /// In order of the value, the least first.
    #[must_use]
    pub fn ascending(self) -> Order {
        Order { by: self, descending: false }
    }

    /// In order of the value, the greatest first.
    #[must_use]
    pub fn descending(self) -> Order {
        Order { by: self, descending: true }
    }
}
