use crate::{Expr, Ident, Order, TableName};

/// A query.
///
/// ```
/// use keystar_sql::{Aggregate, Expr, Ident, PostgreSql, Schema, Select, TableName};
/// use keystar_star::Name;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (line, price) = (Ident::new("l")?, Ident::new("price")?);
/// let select = Select::from(TableName::new(Schema::Landing, Name::new("order")?), line.clone())
///     .column(Expr::of(&line, price.clone()).aggregate(Aggregate::Sum), price.clone())
///     .filter(Expr::of(&line, price).is_not_null());
/// assert_eq!(
///     select.to_sql(&PostgreSql)?,
///     "SELECT\n  SUM(\"l\".\"price\") AS \"price\"\nFROM \"landing\".\"order\" AS \"l\"\n\
///      WHERE \"l\".\"price\" IS NOT NULL",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Select {
    /// Queries with a name, each of which may use those before it.
    pub with: Vec<(Ident, Select)>,
    /// Whether equal rows are one.
    pub distinct: bool,
    /// The columns; each has a name.
    pub columns: Vec<(Expr, Ident)>,
    /// Where the rows come from; one row without.
    pub from: Option<(Relation, Ident)>,
    /// What is joined to them.
    pub joins: Vec<JoinClause>,
    /// Which rows are taken.
    pub filter: Option<Expr>,
    /// What makes a group.
    pub group: Vec<Expr>,
    /// Which groups are taken.
    pub having: Option<Expr>,
    /// The rows of further queries, whose columns stand in the same order.
    pub union_all: Vec<Select>,
    /// The order of all rows.
    pub order: Vec<Order>,
}

/// What a query reads.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Relation {
    /// A table.
    Table(TableName),
    /// A query of [`Select::with`], or a temporary table.
    Named(Ident),
    /// A query in place.
    Query(Box<Select>),
    /// The whole numbers from 0, so many, at least one; one column, `n`. Each database makes them in
    /// its own way.
    Numbers(u32),
}

impl From<TableName> for Relation {
    fn from(name: TableName) -> Self {
        Self::Table(name)
    }
}

impl From<&TableName> for Relation {
    fn from(name: &TableName) -> Self {
        Self::Table(name.clone())
    }
}

impl From<Select> for Relation {
    fn from(select: Select) -> Self {
        Self::Query(Box::new(select))
    }
}

impl From<Ident> for Relation {
    fn from(name: Ident) -> Self {
        Self::Named(name)
    }
}

/// A join.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JoinClause {
    /// Its kind.
    pub kind: JoinKind,
    /// What is joined.
    pub relation: Relation,
    /// What it is called.
    pub alias: Ident,
    /// Which rows belong together; `None` for a cross join only.
    pub on: Option<Expr>,
}

/// A kind of join.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JoinKind {
    /// Rows that have a partner.
    Inner,
    /// All rows of the left side.
    Left,
    /// All rows of both sides.
    Full,
    /// Each row with each.
    Cross,
}

impl Select {
    /// A query over a relation.
    pub fn from(relation: impl Into<Relation>, alias: Ident) -> Self {
        Self { from: Some((relation.into(), alias)), ..Self::default() }
    }

    /// A query of one row.
    #[must_use]
    pub fn row() -> Self {
        Self::default()
    }

    /// With a query that has a name.
    #[must_use]
    pub fn with(mut self, name: Ident, select: Self) -> Self {
        self.with.push((name, select));
        self
    }

    /// With one more column.
    #[must_use]
    pub fn column(mut self, value: Expr, name: impl Into<Ident>) -> Self {
        self.columns.push((value, name.into()));
        self
    }

    /// Equal rows are one.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// With a join of a kind that has a condition.
    #[must_use]
    pub fn join(
        mut self,
        kind: JoinKind,
        relation: impl Into<Relation>,
        alias: Ident,
        on: Expr,
    ) -> Self {
        self.joins.push(JoinClause { kind, relation: relation.into(), alias, on: Some(on) });
        self
    }

    /// With a left join, which loses no row.
    #[must_use]
    pub fn left_join(self, relation: impl Into<Relation>, alias: Ident, on: Expr) -> Self {
        self.join(JoinKind::Left, relation, alias, on)
    }

    /// With a cross join.
    #[must_use]
    pub fn cross_join(mut self, relation: impl Into<Relation>, alias: Ident) -> Self {
        let relation = relation.into();
        self.joins.push(JoinClause { kind: JoinKind::Cross, relation, alias, on: None });
        self
    }

    /// Only rows for which this holds too.
    #[must_use]
    pub fn filter(mut self, condition: Expr) -> Self {
        self.filter = Some(match self.filter.take() {
            None => condition,
            Some(earlier) => earlier.and(condition),
        });
        self
    }

    /// One row for each value of this, together with the earlier ones.
    #[must_use]
    pub fn group(mut self, by: Expr) -> Self {
        self.group.push(by);
        self
    }

    /// Only groups for which this holds.
    #[must_use]
    pub fn having(mut self, condition: Expr) -> Self {
        self.having = Some(condition);
        self
    }

    /// And the rows of another query.
    #[must_use]
    pub fn union_all(mut self, other: Self) -> Self {
        self.union_all.push(other);
        self
    }

    /// In this order, after the earlier ones.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order.push(order);
        self
    }
}
