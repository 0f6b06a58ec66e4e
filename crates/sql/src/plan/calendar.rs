//! The date dimension: every day of a span.

use jiff::civil::{Date, date};
use keystar_star::{Calendar, Name};

use super::column::{UNKNOWN, fixed, key_of};
use super::{Plan, Step, Write, fact};
use crate::{
    Aggregate, Comparison, DatePart, Error, Expr, Ident, Literal, Operator, Relation, Schema,
    Select, SqlType, Table, TableColumn, TableName,
};

/// Without a span in the model, dates outside these years are taken for errors: one order of the
/// year 9999 would make a calendar of eight thousand years. Such facts refer to the unknown day.
const FIRST: Date = date(1900, 1, 1);
const LAST: Date = date(2199, 12, 31);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) fn add(
    calendar: &Calendar,
    facts: &[fact::Shape<'_>],
    plan: &mut Plan,
) -> Result<(), Error> {
    let target = TableName::new(Schema::Dwh, calendar.name.clone());
    let surrogate = key_of(&calendar.name, "calendar")?;
    let day = Ident::fixed("day");
    let of = |name: &'static str| Expr::of(&day, fixed(name));
    let number = |name: &'static str, value: Expr| (fixed(name), SqlType::Int, value);
    let text =
        |name: &'static str, value: Expr| (fixed(name), SqlType::Text { max_bytes: 9 }, value);

    // The week belongs to the year in which its Thursday lies.
    let thursday_number = of("thursday").extract(DatePart::DayOfYear).minus(Expr::int(1));
    let iso_week = thursday_number.calculate(Operator::Divide, Expr::int(7)).plus(Expr::int(1));
    let start = i64::from(calendar.fiscal_start_month.clamp(1, 12));
    let begun = of("month").compare(Comparison::GreaterOrEqual, Expr::int(start));
    let fiscal_year = match start {
        1 => of("year"),
        _ => Expr::choose(begun, of("year").plus(Expr::int(1)), of("year")),
    };
    let fiscal_month =
        of("month").plus(Expr::int(12 - start)).calculate(Operator::Remainder, Expr::int(12));
    let fiscal_quarter = fiscal_month.calculate(Operator::Divide, Expr::int(3)).plus(Expr::int(1));
    let columns: Vec<(Name, SqlType, Expr)> = vec![
        (surrogate.clone(), SqlType::Int, of("date").date_key()),
        (fixed("date"), SqlType::Date, of("date")),
        number("year", of("year")),
        number("quarter", of("date").extract(DatePart::Quarter)),
        number("month", of("month")),
        number("day", of("date").extract(DatePart::Day)),
        number("iso_year", of("thursday").extract(DatePart::Year)),
        number("iso_week", iso_week),
        number("weekday", of("weekday")),
        text("month_name", named(of("month"), &MONTHS)),
        text("weekday_name", named(of("weekday"), &WEEKDAYS)),
        number("fiscal_year", fiscal_year),
        number("fiscal_quarter", fiscal_quarter),
    ];

    let mut select = days(calendar, facts, &day);
    let mut unknown = Select::row();
    let mut described = Vec::new();
    for (name, ty, value) in columns {
        let is_key = name == surrogate;
        let nothing = if is_key { Expr::int(UNKNOWN) } else { Expr::null(ty.clone()) };
        select = select.column(value, &name);
        unknown = unknown.column(nothing, &name);
        let column = TableColumn::new(name, ty);
        described.push(if is_key { column.required() } else { column });
    }
    let comment = format!("{}: every day; -1 is the unknown one", calendar.name);
    let table = Table::new(target.clone(), comment, described).with_primary_key(vec![surrogate]);
    plan.tables.push(table);
    plan.steps.push(Step {
        name: format!("{target}: every day"),
        target,
        write: Write::Replace,
        select: select.union_all(unknown),
    });
    Ok(())
}

/// The calendar's columns by which can be grouped.
pub(crate) fn columns() -> Vec<Name> {
    const COLUMNS: [&str; 12] = [
        "date",
        "year",
        "quarter",
        "month",
        "day",
        "iso_year",
        "iso_week",
        "weekday",
        "month_name",
        "weekday_name",
        "fiscal_year",
        "fiscal_quarter",
    ];
    COLUMNS.map(fixed).into()
}

/// The days of the span with what more than one column needs.
fn days(calendar: &Calendar, facts: &[fact::Shape<'_>], day: &Ident) -> Select {
    let [number, span, value] = ["number", "span", "n"].map(Ident::fixed);
    let [fact_day, found] = ["fact_day", "found"].map(Ident::fixed);
    let [first, last, date] = ["first", "last", "date"].map(Ident::fixed);
    let (earliest, latest) = (calendar.first.unwrap_or(FIRST), calendar.last.unwrap_or(LAST));

    let count = (days_since_1970(latest) - days_since_1970(earliest) + 1).max(1);
    let numbers = Relation::Numbers(u32::try_from(count).unwrap_or(u32::MAX));

    // The days that facts have, where the model leaves an end of the span to them.
    let dates = facts.iter().flat_map(|fact| {
        let roles = fact.roles.iter().filter(|role| role.is_date);
        roles.flat_map(|role| role.key.iter()).map(|name| (fact.table(Schema::Staging), name))
    });
    let row = Ident::fixed("row");
    let of_facts = dates
        .map(|(table, name)| {
            Select::from(table, row.clone()).column(Expr::of(&row, name), date.clone())
        })
        .reduce(Select::union_all);

    let mut bounds = Select::row();
    let (from, until) = match (&of_facts, calendar.first, calendar.last) {
        (Some(_), None, _) | (Some(_), _, None) => {
            let found_date = || Expr::of(&found, &date);
            bounds = Select::from(fact_day.clone(), found.clone())
                .filter(found_date().compare(Comparison::GreaterOrEqual, literal(earliest)))
                .filter(found_date().compare(Comparison::LessOrEqual, literal(latest)));
            (found_date().aggregate(Aggregate::Min), found_date().aggregate(Aggregate::Max))
        }
        // No fact and no span: no days.
        (None, first, last) if first.is_none() || last.is_none() => {
            (Expr::null(SqlType::Date), Expr::null(SqlType::Date))
        }
        _ => (literal(earliest), literal(latest)),
    };
    let from = match calendar.first {
        Some(first) => literal(first),
        None => {
            let into_year = from.clone().extract(DatePart::DayOfYear);
            from.add_days(Expr::int(1).minus(into_year))
        }
    };
    let until = match calendar.last {
        Some(last) => literal(last),
        None => until,
    };
    let bounds = bounds.column(from, first.clone()).column(until, last.clone());

    let counted = Select::from(span.clone(), span.clone())
        .cross_join(numbers, number.clone())
        .column(Expr::of(&span, &first).add_days(Expr::of(&number, &value)), date.clone())
        .column(Expr::of(&span, &last), last.clone());
    let within = match calendar.last {
        Some(_) => Expr::of(day, &date).compare(Comparison::LessOrEqual, Expr::of(day, &last)),
        // To the end of the last year.
        None => Expr::of(day, &date)
            .extract(DatePart::Year)
            .compare(Comparison::LessOrEqual, Expr::of(day, &last).extract(DatePart::Year)),
    };
    let sunday_first = Expr::of(day, &date).extract(DatePart::DayOfWeek);
    let is_sunday = sunday_first.clone().equals(Expr::int(0));
    let weekday = || Expr::choose(is_sunday.clone(), Expr::int(7), sunday_first.clone());
    let parts = Select::from(counted, day.clone())
        .filter(within)
        .column(Expr::of(day, &date), date.clone())
        .column(Expr::of(day, &date).extract(DatePart::Year), fixed("year"))
        .column(Expr::of(day, &date).extract(DatePart::Month), fixed("month"))
        .column(weekday(), fixed("weekday"))
        .column(Expr::of(day, &date).add_days(Expr::int(4).minus(weekday())), fixed("thursday"));

    let mut select = Select::from(parts, day.clone());
    if let Some(of_facts) = of_facts.filter(|_| calendar.first.is_none() || calendar.last.is_none())
    {
        select = select.with(fact_day, of_facts);
    }
    select.with(span, bounds)
}

fn named(number: Expr, names: &[&str]) -> Expr {
    let when = names
        .iter()
        .zip(1..)
        .map(|(name, value)| (number.clone().equals(Expr::int(value)), Expr::text(name)));
    Expr::Case {
        when: when.collect(),
        otherwise: Box::new(Expr::null(SqlType::Text { max_bytes: 9 })),
    }
}

fn literal(date: Date) -> Expr {
    let days = i32::try_from(days_since_1970(date)).unwrap_or_default();
    Expr::Literal(Literal::Date(days))
}

fn days_since_1970(day: Date) -> i64 {
    day.duration_since(date(1970, 1, 1)).as_hours() / 24
}
