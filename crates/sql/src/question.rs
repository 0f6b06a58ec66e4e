//! Year on year: one question in a form that takes any measure, groups and periods.

use keystar_star::{Dimension, Fact, Model, Name};

use crate::plan::{calendar_columns, joined, key_of, total, type_of, unknown};
use crate::{
    Comparison, Error, Expr, Ident, Operator, Relation, Schema, Select, SqlType, TableName,
};

/// A question about a measure: how it changed within a year, by some attributes.
///
/// ```
/// use keystar_sql::{Compare, Period, Question};
/// use keystar_star::Name;
///
/// # fn main() -> Result<(), keystar_star::NameError> {
/// // The quarterly sales growth year on year, by product category and country.
/// let name = Name::new;
/// let question = Question::new(name("sales")?, name("price")?, name("date")?)
///     .by(name("product")?, name("category")?)
///     .by(name("address")?, name("country")?);
/// assert_eq!(question.period, Period::Quarter);
/// assert_eq!(question.compare, Compare::EveryPeriod);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// The fact.
    pub fact: Name,
    /// Its measure, which is summed.
    pub measure: Name,
    /// Its role that is the calendar.
    pub date: Name,
    /// What makes a group: a role of the fact, and an attribute or a column of the business key of
    /// its dimension (or a column of the calendar).
    pub by: Vec<(Name, Name)>,
    /// What is compared: quarters, unless told otherwise.
    pub period: Period,
    /// Which periods.
    pub compare: Compare,
}

impl Question {
    /// Every quarter against the one a year before, in all.
    #[must_use]
    pub fn new(fact: Name, measure: Name, date: Name) -> Self {
        let (period, compare) = (Period::Quarter, Compare::EveryPeriod);
        Self { fact, measure, date, by: Vec::new(), period, compare }
    }

    /// By this attribute of this role's dimension too.
    #[must_use]
    pub fn by(mut self, role: Name, attribute: Name) -> Self {
        self.by.push((role, attribute));
        self
    }

    /// Periods of this length.
    #[must_use]
    pub fn period(mut self, period: Period) -> Self {
        self.period = period;
        self
    }

    /// These periods.
    #[must_use]
    pub fn compare(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }
}

/// The length of a period.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Period {
    /// Three months; column `quarter`, 1 to 4.
    #[default]
    Quarter,
    /// A month; column `month`, 1 to 12.
    Month,
    /// A year; no column of its own.
    Year,
}

impl Period {
    fn column(self) -> Option<&'static str> {
        match self {
            Self::Quarter => Some("quarter"),
            Self::Month => Some("month"),
            Self::Year => None,
        }
    }

    /// How many make a year.
    fn a_year(self) -> u8 {
        match self {
            Self::Quarter => 4,
            Self::Month => 12,
            Self::Year => 1,
        }
    }
}

/// Which periods are compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Compare {
    /// Each with the same one a year before, as far as the facts reach: from a year after the first
    /// period that has any to the last.
    #[default]
    EveryPeriod,
    /// One with another: each a year and the number of the period in it (1 for a year).
    Two {
        /// The earlier one.
        previous: (i16, u8),
        /// The later one.
        current: (i16, u8),
    },
}

/// The query that answers a question, over the tables of `dwh`.
///
/// Its columns: one for each attribute (by its name; `<role>_<attribute>` where two have one name),
/// `year`, the period's (`quarter` or `month`) of the current side, `previous`, `current`,
/// `change`, `growth_percent` and `status`.
///
/// `previous` and `current` are sums, NULL where the group has no facts in that period: `status` is
/// then `new` or `ended`, else `compared`. `change` counts a missing side as 0. `growth_percent` is
/// rounded to two digits, and NULL where there is nothing to grow from: no previous sum, or one that
/// is not above 0. Facts of the unknown day are in no period. A group whose attribute is NULL is a
/// group.
///
/// The two sides are brought together by a grouping, not by a full outer join: PostgreSQL cannot
/// join so on columns that may be NULL.
///
/// # Errors
///
/// [`Error::Unknown`] for a name that the model has not there, [`Error::Question`] for a role that
/// is no date, a period that no year has, or the same attribute twice.
pub fn year_on_year(model: &Model, question: &Question) -> Result<Select, Error> {
    let place = format!("question about {}", question.fact);
    let fact = model.fact(&question.fact).ok_or_else(|| {
        unknown(&place, "fact", &question.fact, model.facts.iter().map(|fact| &fact.name))
    })?;
    let Some(measure) = fact.measures.iter().find(|it| it.name == question.measure) else {
        let known = fact.measures.iter().map(|measure| &measure.name);
        return Err(unknown(&place, "measure", &question.measure, known));
    };
    let entity = crate::plan::entity(model, &fact.entity, &place)?;
    let ty = SqlType::from(type_of(entity, &measure.column, &place)?);

    let groups = groups(model, fact, question)?;
    let totals = totals(model, fact, question, &groups, &ty)?;
    Ok(compared(question, &groups, totals, &ty))
}

/// An attribute by which is grouped.
struct Group<'q> {
    role: &'q Name,
    attribute: &'q Name,
    column: Ident,
}

fn groups<'q>(model: &Model, fact: &Fact, question: &'q Question) -> Result<Vec<Group<'q>>, Error> {
    // Columns of the answer, and of the query on the way.
    const OURS: [&str; 9] = [
        "year",
        "quarter",
        "month",
        "total",
        "previous",
        "current",
        "change",
        "growth_percent",
        "status",
    ];
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (role, attribute) in &question.by {
        let place = format!("question about {}, by {role}.{attribute}", fact.name);
        let dimension = dimension_of(model, fact, role, &place)?;
        let known: Vec<Name> = match dimension {
            Some(dimension) => {
                let attributes = dimension.attributes.iter().map(|it| it.column.clone());
                dimension.key.iter().cloned().chain(attributes).collect()
            }
            None => calendar_columns(),
        };
        if !known.contains(attribute) {
            return Err(unknown(&place, "attribute", attribute, &known));
        }
        let same_name = question.by.iter().filter(|(_, other)| other == attribute).count() > 1;
        let column = if same_name || OURS.contains(&attribute.as_str()) {
            joined(&format!("{role}_{attribute}"), &place)?
        } else {
            attribute.clone()
        };
        let column = Ident::from(column);
        if groups.iter().any(|group| group.column == column) {
            let reason = "two columns of the answer would have this name; ask for it once".into();
            return Err(Error::Question { place, reason });
        }
        groups.push(Group { role, attribute, column });
    }
    Ok(groups)
}

/// The dimension of a role; `None` for the calendar.
fn dimension_of<'m>(
    model: &'m Model,
    fact: &Fact,
    role: &Name,
    place: &str,
) -> Result<Option<&'m Dimension>, Error> {
    let Some(found) = fact.dimensions.iter().find(|it| it.role == *role) else {
        let known = fact.dimensions.iter().map(|it| &it.role);
        return Err(unknown(place, "role", role, known));
    };
    if model.calendar.as_ref().is_some_and(|calendar| calendar.name == found.dimension) {
        return Ok(None);
    }
    let known = model.dimensions.iter().map(|dimension| &dimension.name);
    match model.dimension(&found.dimension) {
        Some(dimension) => Ok(Some(dimension)),
        None => Err(unknown(place, "dimension", &found.dimension, known)),
    }
}

/// The sums by group, year and period.
fn totals(
    model: &Model,
    fact: &Fact,
    question: &Question,
    groups: &[Group<'_>],
    ty: &SqlType,
) -> Result<Select, Error> {
    let own = Ident::fixed("_fact");
    let place = format!("question about {}", fact.name);
    let place_of_date = format!("{place}, date {}", question.date);
    if dimension_of(model, fact, &question.date, &place_of_date)?.is_some() {
        let reason = "the role is no date; name a role of the calendar".into();
        return Err(Error::Question { place: place_of_date, reason });
    }

    let mut select = Select::from(TableName::new(Schema::Dwh, fact.name.clone()), own.clone());
    let mut joined_roles: Vec<&Name> = Vec::new();
    for role in groups.iter().map(|group| group.role).chain([&question.date]) {
        if joined_roles.contains(&role) {
            continue;
        }
        joined_roles.push(role);
        let alias = Ident::from(role);
        let name = match dimension_of(model, fact, role, &place)? {
            Some(dimension) => &dimension.name,
            None => match &model.calendar {
                Some(calendar) => &calendar.name,
                None => continue,
            },
        };
        let ours = Expr::of(&own, key_of(role, &place)?);
        let on = Expr::of(&alias, key_of(name, &place)?).equals(ours);
        select = select.left_join(TableName::new(Schema::Dwh, name.clone()), alias, on);
    }
    for group in groups {
        let value = Expr::of(&group.role.into(), group.attribute);
        select = select.column(value.clone(), group.column.clone()).group(value);
    }
    let date = Ident::from(&question.date);
    let mut times = vec![Ident::fixed("year")];
    times.extend(question.period.column().map(Ident::fixed));
    for name in times {
        let value = Expr::of(&date, &name);
        select = select.column(value.clone(), name).group(value);
    }
    let sum = total(Expr::of(&own, &question.measure), ty).or_else(zero(ty));
    select = select.column(sum, Ident::fixed("total"));
    let year = Expr::of(&date, Ident::fixed("year"));
    Ok(match question.compare {
        Compare::EveryPeriod => select.filter(year.is_not_null()),
        Compare::Two { previous, current } => {
            for (year, number) in [previous, current] {
                if !(1..=question.period.a_year()).contains(&number) {
                    let reason = format!(
                        "period {number} of {year}: a year has 1 to {}",
                        question.period.a_year()
                    );
                    return Err(Error::Question { place, reason });
                }
            }
            let is = |period| is_period(question, &date, period);
            select.filter(Expr::Or(vec![is(previous), is(current)]))
        }
    })
}

/// Whether a row is of a period.
fn is_period(question: &Question, of: &Ident, (year, number): (i16, u8)) -> Expr {
    let year = Expr::of(of, Ident::fixed("year")).equals(Expr::int(year.into()));
    match question.period.column() {
        Some(column) => {
            let number = Expr::int(number.into());
            year.and(Expr::of(of, Ident::fixed(column)).equals(number))
        }
        None => year,
    }
}

/// Both sides of every comparison in one row, and what comes of it.
fn compared(question: &Question, groups: &[Group<'_>], totals: Select, ty: &SqlType) -> Select {
    let [total, side, both] = ["totals", "side", "both_sides"].map(Ident::fixed);
    let [value, year, previous, current] =
        ["total", "year", "previous", "current"].map(Ident::fixed);
    let sum_type = sum_type(ty);
    let nothing = || Expr::null(sum_type.clone());
    let period = question.period.column().map(Ident::fixed);

    // Each total is the current side of its own period, and the previous side of the later one.
    let half = |is_current: bool| {
        let mut select = Select::from(total.clone(), total.clone());
        for group in groups {
            select = select.column(Expr::of(&total, &group.column), group.column.clone());
        }
        let mut times = vec![&year];
        times.extend(&period);
        for name in times {
            let here = Expr::of(&total, name);
            let time = match (question.compare, is_current) {
                (_, true) => here,
                (Compare::EveryPeriod, false) if *name == year => here.plus(Expr::int(1)),
                (Compare::EveryPeriod, false) => here,
                (Compare::Two { current: (of, _), .. }, false) if *name == year => {
                    Expr::int(of.into())
                }
                (Compare::Two { current: (_, number), .. }, false) => Expr::int(number.into()),
            };
            select = select.column(time, name.clone());
        }
        let sum = Expr::of(&total, &value);
        let (left, right) = if is_current { (nothing(), sum) } else { (sum, nothing()) };
        select = select.column(left, previous.clone()).column(right, current.clone());
        match question.compare {
            Compare::EveryPeriod => select,
            Compare::Two { previous, current } => {
                let which = if is_current { current } else { previous };
                select.filter(is_period(question, &total, which))
            }
        }
    };
    let sides: Relation = half(true).union_all(half(false)).into();

    let mut rows = Select::from(sides, side.clone());
    for group in groups {
        let value = Expr::of(&side, &group.column);
        rows = rows.column(value.clone(), group.column.clone()).group(value);
    }
    for name in [&year].into_iter().chain(&period) {
        let value = Expr::of(&side, name);
        rows = rows.column(value.clone(), name.clone()).group(value);
    }
    // At most one of each: the greatest is the one.
    for name in [&previous, &current] {
        let value = Expr::of(&side, name).aggregate(crate::Aggregate::Max);
        rows = rows.column(value, name.clone());
    }

    let [before, after] = [&previous, &current].map(|name| Expr::of(&both, name));
    let change = after.clone().or_else(zero(ty)).minus(before.clone().or_else(zero(ty)));
    let as_number = |value: Expr| value.cast(SqlType::Double);
    let growth = as_number(after.clone().minus(before.clone()))
        .times(Expr::int(100))
        .calculate(Operator::Divide, as_number(before.clone()))
        .cast(PERCENT);
    let comparable =
        before.clone().compare(Comparison::Greater, Expr::int(0)).and(after.clone().is_not_null());
    let status = Expr::Case {
        when: vec![(before.is_null(), Expr::text("new")), (after.is_null(), Expr::text("ended"))],
        otherwise: Box::new(Expr::text("compared")),
    };

    let mut answer = Select::from(rows, both.clone()).with(total.clone(), totals);
    for group in groups {
        answer = answer.column(Expr::of(&both, &group.column), group.column.clone());
    }
    for name in [&year].into_iter().chain(&period) {
        answer = answer.column(Expr::of(&both, name), name.clone());
    }
    answer = answer
        .column(Expr::of(&both, &previous), previous.clone())
        .column(Expr::of(&both, &current), current.clone())
        .column(change, Ident::fixed("change"))
        .column(
            Expr::choose(comparable, growth, Expr::null(PERCENT)),
            Ident::fixed("growth_percent"),
        )
        .column(status, Ident::fixed("status"));
    if question.compare == Compare::EveryPeriod {
        answer = within_span(question, answer, &total, &both);
    }
    for name in [&year].into_iter().chain(&period) {
        answer = answer.order(Expr::column(name.clone()).ascending());
    }
    for group in groups {
        answer = answer.order(Expr::column(group.column.clone()).ascending());
    }
    answer
}

const PERCENT: SqlType = SqlType::Decimal { precision: 38, scale: 2 };

/// Only periods whose both sides lie where the facts are: before the first year has passed all
/// would be new, and after the last period all ended.
fn within_span(question: &Question, answer: Select, totals: &Ident, both: &Ident) -> Select {
    let [span, first, last] = ["span", "first", "last"].map(Ident::fixed);
    let a_year = Expr::int(question.period.a_year().into());
    let number = |of: &Ident| {
        let year = Expr::of(of, Ident::fixed("year")).times(a_year.clone());
        match question.period.column() {
            Some(column) => year.plus(Expr::of(of, Ident::fixed(column))),
            None => year,
        }
    };
    let bounds = Select::from(totals.clone(), totals.clone())
        .column(number(totals).aggregate(crate::Aggregate::Min), first.clone())
        .column(number(totals).aggregate(crate::Aggregate::Max), last.clone());
    let from = Expr::of(&span, &first).plus(a_year.clone());
    answer
        .with(span.clone(), bounds)
        .cross_join(span.clone(), span.clone())
        .filter(number(both).compare(Comparison::GreaterOrEqual, from))
        .filter(number(both).compare(Comparison::LessOrEqual, Expr::of(&span, &last)))
}

fn sum_type(ty: &SqlType) -> SqlType {
    match ty {
        SqlType::Int => SqlType::Decimal { precision: 38, scale: 0 },
        SqlType::Decimal { scale, .. } => SqlType::Decimal { precision: 38, scale: *scale },
        _ => SqlType::Double,
    }
}

fn zero(ty: &SqlType) -> Expr {
    Expr::int(0).cast(sum_type(ty))
}
