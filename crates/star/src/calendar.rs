use jiff::civil::Date;

use crate::Name;

/// The date dimension, `dwh.<name>`: one row a day with `<name>_key` (`20210401`, -1 for unknown),
/// `date`, `year`, `quarter`, `month`, `day`, `iso_year`, `iso_week`, `weekday`, `month_name`,
/// `weekday_name`, `fiscal_year`, `fiscal_quarter`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Calendar {
    /// Its name, usually `date`.
    pub name: Name,
    /// The first month of the fiscal year, 1 to 12. A fiscal year is named after the calendar year
    /// in which it ends.
    pub fiscal_start_month: u8,
    /// The first day; without it, the first day of the year of the earliest date in any fact.
    pub first: Option<Date>,
    /// The last day, included; without it, the last day of the year of the latest date in any fact.
    pub last: Option<Date>,
}
