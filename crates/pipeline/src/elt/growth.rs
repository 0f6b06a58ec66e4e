//! The answer: what a measure was, what it is a year later, and how much that is more.

use std::{cmp::Reverse, fmt};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use keystar_sql::{Compare, DataFusion, Select};
use keystar_warehouse::QueryResult;
use serde::Serialize;

use super::{Error, Period, store::Store};
use crate::{
    document::{Align, Table},
    units,
};

/// How a measure grew within a year, group by group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Growth {
    /// The fact.
    pub fact: String,
    /// Its measure.
    pub measure: String,
    /// The attributes that make a group.
    pub by: Vec<String>,
    /// The length of a period.
    pub period: Period,
    /// The groups, those of a period together, the largest first.
    pub rows: Vec<GrowthRow>,
}

/// A group in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GrowthRow {
    /// The attributes' values; `None` where they are not known.
    pub group: Vec<Option<String>>,
    /// The year.
    pub year: i32,
    /// The quarter or the month in it; `None` for whole years.
    pub number: Option<u8>,
    /// The sum a year before, exact; `None` if there was nothing.
    pub previous: Option<String>,
    /// The sum, exact; `None` if there is nothing.
    pub current: Option<String>,
    /// How much more it is.
    pub change: Option<String>,
    /// The same as a share of what was; `None` where nothing was.
    pub growth_percent: Option<String>,
    /// `compared`, `new` or `ended`.
    pub status: String,
}

impl Growth {
    pub(super) fn read(
        question: &keystar_sql::Question,
        period: Period,
        select: &Select,
        store: &Store,
    ) -> Result<Self, Error> {
        let sql = select.to_sql(&DataFusion).map_err(Error::Sql)?;
        let groups = question.by.len();
        let mut rows = Vec::new();
        for row in strings(store.query(&sql)?)? {
            let mut cells = row.into_iter();
            let group: Vec<_> = cells.by_ref().take(groups).collect();
            let mut next = || cells.next().flatten();
            let year = next().and_then(|year| year.parse().ok()).unwrap_or_default();
            let number = match period {
                Period::Year => None,
                _ => next().and_then(|number| number.parse().ok()),
            };
            rows.push(GrowthRow {
                group,
                year,
                number,
                previous: next(),
                current: next(),
                change: next(),
                growth_percent: next(),
                status: next().unwrap_or_default(),
            });
        }
        rows.sort_by(|left, right| {
            let key = |row: &GrowthRow| (row.year, row.number, row.group.clone());
            key(left).cmp(&key(right))
        });
        if let Compare::Two { .. } = question.compare {
            // What moves most money is read first, group by group.
            let size = |row: &GrowthRow| {
                let cents = |sum: &Option<String>| {
                    sum.as_deref().and_then(|sum| sum.parse::<f64>().ok()).unwrap_or(0.0)
                };
                cents(&row.current).max(cents(&row.previous))
            };
            let first = |row: &GrowthRow| row.group.first().cloned().flatten();
            let of_group = |group: &Option<String>| -> f64 {
                rows.iter().filter(|row| first(row) == *group).map(size).sum()
            };
            let weights: Vec<_> =
                rows.iter().map(|row| (of_group(&first(row)), size(row))).collect();
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by(|left, right| {
                let weight = |at: &usize| {
                    let (group, row) = weights.get(*at).copied().unwrap_or_default();
                    (Reverse(group as u64), rows.get(*at).map(first), Reverse(row as u64))
                };
                weight(left).cmp(&weight(right))
            });
            rows = order.into_iter().filter_map(|at| rows.get(at).cloned()).collect();
        }
        Ok(Self {
            fact: question.fact.to_string(),
            measure: question.measure.to_string(),
            by: question.by.iter().map(|(_, attribute)| attribute.to_string()).collect(),
            period,
            rows,
        })
    }

    /// The period that a row's is compared with.
    pub(super) fn before(&self, row: &GrowthRow) -> String {
        name(self.period, row.year - 1, row.number)
    }

    /// `sales.price by category and country`.
    pub(super) fn subject(&self) -> String {
        let by = match self.by.as_slice() {
            [] => String::new(),
            [one] => format!(" by {one}"),
            [most @ .., last] => format!(" by {} and {last}", most.join(", ")),
        };
        format!("{}.{}{by}", self.fact, self.measure)
    }
}

impl GrowthRow {
    /// `2022-Q2`, `2022-05`, `2022`.
    pub(super) fn period(&self, period: Period) -> String {
        name(period, self.year, self.number)
    }

    fn growth(&self) -> String {
        match (&self.growth_percent, self.status.as_str()) {
            (Some(percent), _) => {
                let sign = if percent.starts_with('-') { "" } else { "+" };
                format!("{sign}{percent}%")
            }
            (None, "compared") => "-".to_owned(),
            (None, status) => status.to_owned(),
        }
    }
}

fn name(period: Period, year: i32, number: Option<u8>) -> String {
    match (period, number) {
        (Period::Quarter, Some(number)) => format!("{year}-Q{number}"),
        (Period::Month, Some(number)) => format!("{year}-{number:02}"),
        _ => year.to_string(),
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.rows.first() else {
            return writeln!(f, "Growth of {}: there is nothing to compare", self.subject());
        };
        let now = first.period(self.period);
        let before = self.before(first);
        writeln!(f, "Growth of {}: {now} against {before}\n", self.subject())?;
        writeln!(f, "{}", self.table(&before, &now))?;
        let ended = self.rows.iter().filter(|row| row.status == "ended").count() as u64;
        let new = self.rows.iter().filter(|row| row.status == "new").count() as u64;
        writeln!(
            f,
            "\n  {}: {} new, {} ended",
            units::plural(self.rows.len() as u64, "group"),
            units::count(new),
            units::count(ended)
        )
    }
}

impl Growth {
    pub(super) fn table(&self, before: &str, now: &str) -> Table {
        let groups = self.by.iter().map(|name| (name.clone(), Align::Left));
        let sums = [before, now, "change", "growth"].map(|name| (name.to_owned(), Align::Right));
        let mut table = Table::named(groups.chain(sums));
        for row in &self.rows {
            let group = row.group.iter();
            let group = group.map(|value| value.clone().unwrap_or_else(|| "(unknown)".to_owned()));
            let sums = [&row.previous, &row.current, &row.change];
            let sums = sums.map(|sum| sum.as_deref().map_or_else(|| "-".to_owned(), grouped));
            table.row(group.chain(sums).chain([row.growth()]));
        }
        table
    }
}

/// `1234567.50` as `1,234,567.50`.
pub(super) fn grouped(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let (whole, part) = match digits.split_once('.') {
        Some((whole, part)) => (whole, format!(".{part}")),
        None => (digits, String::new()),
    };
    match whole.parse::<u64>() {
        Ok(number) => format!("{sign}{}{part}", units::count(number)),
        Err(_) => number.to_owned(),
    }
}

/// The rows of a small result as text; `None` for NULL.
pub(super) fn strings(rows: QueryResult) -> Result<Vec<Vec<Option<String>>>, Error> {
    let bad = |error: arrow::error::ArrowError| Error::Output(std::io::Error::other(error));
    let mut all = Vec::new();
    for batch in rows {
        let batch = batch.map_err(Error::Warehouse)?;
        let options = FormatOptions::new();
        let columns = batch.columns().iter();
        let columns = columns
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad)?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().zip(batch.columns()).map(|(column, array)| {
                let text = || column.value(row).try_to_string().map_err(bad);
                (!array.is_null(row)).then(text).transpose()
            });
            all.push(cells.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_stay_exact() {
        assert_eq!(grouped("1234567.50"), "1,234,567.50");
        assert_eq!(grouped("-1000"), "-1,000");
        assert_eq!(grouped("0.05"), "0.05");
        assert_eq!(grouped("1e30"), "1e30");
    }

    #[test]
    fn new_and_ended_groups_are_shown() {
        let row =
            |group: &str, previous: Option<&str>, current: Option<&str>, percent: Option<&str>| {
                let status = match (previous, current) {
                    (None, _) => "new",
                    (_, None) => "ended",
                    _ => "compared",
                };
                GrowthRow {
                    group: vec![Some(group.to_owned())],
                    year: 2022,
                    number: Some(2),
                    previous: previous.map(str::to_owned),
                    current: current.map(str::to_owned),
                    change: Some("1.00".to_owned()),
                    growth_percent: percent.map(str::to_owned),
                    status: status.to_owned(),
                }
            };
        let growth = Growth {
            fact: "sales".to_owned(),
            measure: "price".to_owned(),
            by: vec!["category".to_owned()],
            period: Period::Quarter,
            rows: vec![
                row("Books", Some("1000.00"), Some("1001.00"), Some("0.10")),
                row("DVDs", Some("1.00"), None, None),
                row("Smart home", None, Some("1.00"), None),
            ],
        };
        let expected = "\
Growth of sales.price by category: 2022-Q2 against 2021-Q2

  category     2021-Q2   2022-Q2  change  growth
  Books       1,000.00  1,001.00    1.00  +0.10%
  DVDs            1.00         -    1.00   ended
  Smart home         -      1.00    1.00     new

  3 groups: 1 new, 1 ended
";
        assert_eq!(growth.to_string(), expected);
    }
}
