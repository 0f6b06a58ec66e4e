//! What is asked of a star, as it is typed and as the model can answer it.

use jiff::{ToSpan, civil::Date};
use keystar_sql::{Compare, Schema, Select, TableName, year_on_year};
use keystar_star::{Fact, Model, Name, Type};
use serde::Serialize;

use super::{
    Error,
    growth::{Growth, strings},
    store::Store,
};

/// What is asked: the growth of a measure within a year, by some attributes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Question {
    measure: Option<(String, String)>,
    by: Vec<(String, String)>,
    period: Period,
    at: Option<(i16, u8)>,
}

/// The length of what is compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Period {
    /// A month.
    Month,
    /// Three months.
    #[default]
    Quarter,
    /// A year.
    Year,
}

impl Question {
    /// What was typed: `FACT.MEASURE`, `ROLE.ATTRIBUTE`, and `2022`, `2022-Q2` or `2022-05`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for what has not that form.
    pub fn new(
        measure: Option<&str>,
        by: &[String],
        period: Period,
        at: Option<&str>,
    ) -> Result<Self, Error> {
        let pair = |text: &str, form: &str| {
            let pair =
                text.split_once('.').filter(|(left, right)| !left.is_empty() && !right.is_empty());
            pair.map(|(left, right)| (left.to_owned(), right.to_owned()))
                .ok_or_else(|| Error::Usage(format!("{text:?} is not of the form {form}")))
        };
        Ok(Self {
            measure: measure.map(|text| pair(text, "FACT.MEASURE")).transpose()?,
            by: by.iter().map(|text| pair(text, "ROLE.ATTRIBUTE")).collect::<Result<_, _>>()?,
            period,
            at: at.map(|text| moment(text, period)).transpose()?,
        })
    }

    /// The answer, of the last period unless said; `None` if the model has no fact with a measure
    /// and a date.
    pub(super) fn ask(&self, model: &Model, store: &Store) -> Result<Option<Growth>, Error> {
        let Some(mut asked) = self.resolve(model, store)? else { return Ok(None) };
        let at = match self.at {
            Some(at) => Some(at),
            None => match &model.calendar {
                Some(calendar) => last_period(&asked, &calendar.name, self.period, store)?,
                None => None,
            },
        };
        let Some((year, number)) = at else { return Ok(None) };
        asked =
            asked.compare(Compare::Two { previous: (year - 1, number), current: (year, number) });
        Growth::read(&asked, self.period, &select(model, &asked)?, store).map(Some)
    }

    /// The answer for every period.
    pub(super) fn ask_all(&self, model: &Model, store: &Store) -> Result<Option<Growth>, Error> {
        let Some(asked) = self.resolve(model, store)? else { return Ok(None) };
        Growth::read(&asked, self.period, &select(model, &asked)?, store).map(Some)
    }

    /// The question in the model's names.
    fn resolve(
        &self,
        model: &Model,
        store: &Store,
    ) -> Result<Option<keystar_sql::Question>, Error> {
        let Some(calendar) = &model.calendar else { return Ok(None) };
        let dated = |fact: &Fact| {
            let mut roles = fact.dimensions.iter();
            roles.find(|role| role.dimension == calendar.name).map(|role| role.role.clone())
        };
        let (fact, measure) = match &self.measure {
            Some((fact, measure)) => {
                let named = model.facts.iter().find(|it| it.name.as_str() == fact);
                let Some(named) = named else {
                    let known = model.facts.iter().map(|it| it.name.as_str());
                    return Err(unknown("fact", fact, known));
                };
                let found = named.measures.iter().find(|it| it.name.as_str() == measure);
                let Some(found) = found else {
                    let known = named.measures.iter().map(|it| it.name.as_str());
                    return Err(unknown("measure", measure, known));
                };
                (named, found.name.clone())
            }
            None => match default_measure(model, dated) {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let Some(date) = dated(fact) else {
            return Err(Error::Usage(format!(
                "the fact {} has no date: there is nothing to compare years by",
                fact.name
            )));
        };
        let period = match self.period {
            Period::Month => keystar_sql::Period::Month,
            Period::Quarter => keystar_sql::Period::Quarter,
            Period::Year => keystar_sql::Period::Year,
        };
        let mut question =
            keystar_sql::Question::new(fact.name.clone(), measure, date).period(period);
        let by = match self.by.is_empty() {
            true => default_groups(model, fact, store)?,
            false => self.by.iter().map(name_pair).collect::<Result<_, _>>()?,
        };
        for (role, attribute) in by {
            question = question.by(role, attribute);
        }
        Ok(Some(question))
    }
}

fn select(model: &Model, question: &keystar_sql::Question) -> Result<Select, Error> {
    // What a question names is the caller's, not the model's fault.
    year_on_year(model, question).map_err(|error| Error::Usage(error.to_string()))
}

fn name_pair((role, attribute): &(String, String)) -> Result<(Name, Name), Error> {
    let name = |text: &str| {
        Name::new(text).map_err(|error| Error::Usage(format!("{text:?} is no name: {error}")))
    };
    Ok((name(role)?, name(attribute)?))
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known = known.collect::<Vec<_>>().join(", ");
    Error::Usage(format!("there is no {kind} {name:?}, but {known}"))
}

/// Money before other numbers, and the finest grain before others: it stands first.
fn default_measure(model: &Model, dated: impl Fn(&Fact) -> Option<Name>) -> Option<(&Fact, Name)> {
    let facts = || model.facts.iter().filter(|fact| dated(fact).is_some());
    let of = |wanted: fn(&Type) -> bool| {
        facts().find_map(|fact| {
            let entity = model.entity(&fact.entity)?;
            let measure = fact.measures.iter().find(|measure| {
                entity.column(&measure.column).is_some_and(|column| wanted(&column.ty))
            })?;
            Some((fact, measure.name.clone()))
        })
    };
    of(|ty| matches!(ty, Type::Decimal { .. })).or_else(|| of(|_| true))
}

/// More values than this make no table that is read.
const MOST_VALUES: u64 = 60;

/// Of each dimension the attribute with the fewest values, more than one; of those the two with the
/// fewest. They are shown with the most values first, as one reads a tree.
fn default_groups(model: &Model, fact: &Fact, store: &Store) -> Result<Vec<(Name, Name)>, Error> {
    let mut best: Vec<(u64, Name, Name)> = Vec::new();
    for role in &fact.dimensions {
        let Some(dimension) = model.dimension(&role.dimension) else { continue };
        let entity = model.entity(&dimension.entity);
        let texts = dimension.attributes.iter().map(|it| &it.column).filter(|column| {
            let ty = entity.and_then(|entity| entity.column(column)).map(|column| &column.ty);
            matches!(ty, Some(Type::Text { .. } | Type::Bool))
        });
        let texts: Vec<_> = texts.collect();
        if texts.is_empty() {
            continue;
        }
        let counts: Vec<String> =
            texts.iter().map(|column| format!("COUNT(DISTINCT \"{column}\")")).collect();
        let table = TableName::new(Schema::Dwh, dimension.name.clone());
        let sql = format!("SELECT {} FROM {}.\"{}\"", counts.join(", "), table.schema, table.name);
        let rows = strings(store.query(&sql)?)?;
        let counts = rows.into_iter().next().unwrap_or_default().into_iter();
        let counted = counts.zip(texts).filter_map(|(count, column)| {
            let count: u64 = count?.parse().ok()?;
            (2..=MOST_VALUES).contains(&count).then(|| (count, role.role.clone(), column.clone()))
        });
        best.extend(counted.min_by_key(|(count, ..)| *count));
    }
    best.sort_by_key(|(count, ..)| *count);
    best.truncate(2);
    best.reverse();
    Ok(best.into_iter().map(|(_, role, attribute)| (role, attribute)).collect())
}

/// The last period that is complete: its facts reach into its last week. Where none is, the one
/// that has begun.
fn last_period(
    asked: &keystar_sql::Question,
    calendar: &Name,
    period: Period,
    store: &Store,
) -> Result<Option<(i16, u8)>, Error> {
    let (fact, role) = (&asked.fact, &asked.date);
    let sql = format!(
        "SELECT MIN(d.\"date\"), MAX(d.\"date\") FROM dwh.\"{fact}\" AS f \
         JOIN dwh.\"{calendar}\" AS d ON f.\"{role}_key\" = d.\"{calendar}_key\""
    );
    let rows = strings(store.query(&sql)?)?;
    let day = |at: usize| rows.first()?.get(at)?.as_deref()?.parse::<Date>().ok();
    Ok(day(0).zip(day(1)).map(|(first, last)| complete(first, last, period)))
}

fn complete(first: Date, last: Date, period: Period) -> (i16, u8) {
    let months = match period {
        Period::Month => 1,
        Period::Quarter => 3,
        Period::Year => 12,
    };
    let number = |day: Date| (i32::from(day.year()) * 12 + i32::from(day.month()) - 1) / months;
    let next = number(last.saturating_add(7.days()));
    let number = (next - 1).max(number(first));
    let (year, month) = (number * months / 12, number * months % 12);
    (year as i16, (month / months + 1) as u8)
}

/// `2022`, `2022-Q2`, `2022-05`.
fn moment(text: &str, period: Period) -> Result<(i16, u8), Error> {
    let (year, number) = match text.split_once('-') {
        Some((year, number)) => (year, Some(number)),
        None => (text, None),
    };
    let number = match (period, number) {
        (Period::Year, None) => Some(1),
        (Period::Quarter, Some(number)) => {
            let number = number.strip_prefix(['Q', 'q']).and_then(|number| number.parse().ok());
            number.filter(|number| (1..=4).contains(number))
        }
        (Period::Month, Some(number)) => {
            number.parse().ok().filter(|number| (1..=12).contains(number))
        }
        _ => None,
    };
    let year = year.parse::<i16>().ok().filter(|year| (1..=9999).contains(year));
    year.zip(number).ok_or_else(|| {
        let form = match period {
            Period::Month => "2022-05",
            Period::Quarter => "2022-Q2",
            Period::Year => "2022",
        };
        Error::Usage(format!("{text:?} is no such period: write it as {form}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_period_is_asked_for() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let of = |first, last, period| complete(day(first), day(last), period);
        assert_eq!(of("2020-01-01", "2023-12-29", Period::Quarter), (2023, 4));
        // A window of a day has begun the next one.
        assert_eq!(of("2020-01-01", "2024-01-01", Period::Quarter), (2023, 4));
        assert_eq!(of("2020-01-01", "2024-01-01", Period::Year), (2023, 1));
        assert_eq!(of("2020-01-01", "2024-05-30", Period::Month), (2024, 5));
        assert_eq!(of("2020-01-01", "2024-05-10", Period::Month), (2024, 4));
        // Nothing is complete.
        assert_eq!(of("2024-02-01", "2024-02-10", Period::Quarter), (2024, 1));
    }

    #[test]
    fn periods_and_names_are_read() {
        assert_eq!(moment("2022-Q2", Period::Quarter).unwrap(), (2022, 2));
        assert_eq!(moment("2022-05", Period::Month).unwrap(), (2022, 5));
        assert_eq!(moment("2022", Period::Year).unwrap(), (2022, 1));
        for (text, period) in [
            ("2022", Period::Quarter),
            ("2022-Q5", Period::Quarter),
            ("2022-13", Period::Month),
            ("Q2-2022", Period::Quarter),
            ("2022-Q2", Period::Year),
        ] {
            assert!(matches!(moment(text, period), Err(Error::Usage(_))), "{text}");
        }
        let by = ["product.category".to_owned()];
        assert!(Question::new(Some("sales.price"), &by, Period::Quarter, None).is_ok());
        let error = Question::new(Some("price"), &[], Period::Quarter, None).unwrap_err();
        assert_eq!(error.to_string(), "\"price\" is not of the form FACT.MEASURE");
    }
}
