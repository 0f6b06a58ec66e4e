//! From the spec to the model: every reference is resolved, every grain unique, no join fans out.
//!
//! Entities come first. Only when they are right are dimensions and facts looked at: what refers
//! to an entity that is wrong could only be told nonsense.

mod entity;
mod fact;

use crate::error::{At, Faults};
use crate::spec::{CalendarSpec, DimensionSpec, ModelSpec, Named};
use crate::text::nearest;
use crate::{Attribute, Calendar, Column, Dimension, Entity, Model, ModelError, Name, TableKey};

/// The most columns that Redshift gives a table; PostgreSQL has the same limit.
const MAX_COLUMNS: usize = 1600;
/// Columns that every table of the lake and of landing has besides the model's: `_pk`, `_sk`,
/// `_written_at`.
const SYSTEM_COLUMNS: usize = 3;
/// The most bytes of a key attribute's name in DynamoDB.
const MAX_KEY_NAME_BYTES: usize = 255;

impl Model {
    /// Reads and checks a spec.
    ///
    /// # Errors
    ///
    /// What is wrong, each with its line and column and what to do about it. What is no spec at
    /// all is told first, then what is wrong with entities, then the rest.
    pub fn parse(toml: &str) -> Result<Self, ModelError> {
        Self::try_from(ModelSpec::parse(toml)?).map_err(|error| error.placed(toml))
    }
}

impl TryFrom<ModelSpec> for Model {
    type Error = ModelError;

    fn try_from(spec: ModelSpec) -> Result<Self, ModelError> {
        let mut faults = Faults::default();
        let table = table(&spec, &mut faults);
        if !faults.is_empty() {
            return faults.or_fail();
        }
        let entities = entity::entities(&spec, &table, &mut faults);
        if !faults.is_empty() {
            return faults.or_fail();
        }
        let calendar = spec
            .calendar
            .as_ref()
            .and_then(|calendar| self::calendar(calendar, &spec.dimensions, &mut faults));
        let dimensions = dimensions(&spec, &entities, &mut faults);
        if calendar.is_none() && spec.calendar.is_some() {
            return faults.or_fail();
        }
        let known = fact::Known {
            spec: &spec,
            entities: &entities,
            dimensions: &dimensions,
            calendar: calendar.as_ref(),
        };
        let facts = fact::facts(&known, &mut faults);
        faults.or(Self { table, entities, dimensions, facts, calendar })
    }
}

fn table(spec: &ModelSpec, faults: &mut Faults) -> TableKey {
    let at = At::root("table");
    let attribute = |setting: &str, name: &str, faults: &mut Faults| {
        if name.is_empty() || name.len() > MAX_KEY_NAME_BYTES {
            let hint = format!("write {setting} = \"PK\", or what the table calls it");
            faults.add(at.name(setting), format!("{setting} is a name of 1 to 255 bytes"), hint);
        }
    };
    attribute("partition_key", &spec.table.partition_key, faults);
    if let Some(sort) = &spec.table.sort_key {
        attribute("sort_key", sort, faults);
        if *sort == spec.table.partition_key {
            let message = "the sort key is the same attribute as the partition key";
            faults.add(at.name("sort_key"), message, "leave sort_key out, or name the other one");
        }
    }
    TableKey {
        partition: spec.table.partition_key.as_str().into(),
        sort: spec.table.sort_key.as_deref().map(Into::into),
    }
}

fn calendar(
    spec: &CalendarSpec,
    dimensions: &Named<DimensionSpec>,
    faults: &mut Faults,
) -> Option<Calendar> {
    let at = At::root("calendar");
    let name = name(spec.name.as_deref().unwrap_or("date"), &at.name("name"), faults);
    let month = spec.fiscal_start_month.unwrap_or(1);
    if !(1..=12).contains(&month) {
        faults.add(at.name("fiscal_start_month"), "a month is from 1 to 12", "write 1 for January");
    }
    if let (Some(first), Some(last)) = (spec.first, spec.last)
        && first > last
    {
        faults.add(
            at.name("last"),
            format!("the last day is before the first, {first}"),
            "swap them",
        );
    }
    let name = name?;
    if get(dimensions, name.as_str()).is_some() {
        let message = format!("a dimension is called {name} too, and each is a table");
        faults.add(at.name("name"), message, "write name = \"calendar\", or rename the dimension");
        return None;
    }
    Some(Calendar { name, fiscal_start_month: month, first: spec.first, last: spec.last })
}

fn dimensions(spec: &ModelSpec, entities: &[Entity], faults: &mut Faults) -> Vec<Dimension> {
    let mut dimensions: Vec<Dimension> = Vec::new();
    for (text, dimension) in &spec.dimensions {
        let at = At::root("dimension").name(text);
        let Some(name) = name(text, &at, faults) else { continue };
        if dimensions.iter().any(|other| other.name == name) {
            faults.add(at.clone(), format!("two dimensions are called {name}"), "rename one");
        }
        dimensions.extend(self::dimension(dimension, name, &at, entities, faults));
    }
    dimensions
}

fn dimension(
    spec: &DimensionSpec,
    name: Name,
    at: &At,
    entities: &[Entity],
    faults: &mut Faults,
) -> Option<Dimension> {
    let wanted = spec.entity.as_deref().unwrap_or(name.as_str());
    let entity = find_entity(wanted, spec.entity.is_some(), at, entities, faults)?;
    let mut own: Vec<String> = vec![format!("{name}_key")];
    own.extend(["is_inferred", "is_deleted"].map(Into::into));
    let history = spec.attributes.iter().any(|(_, history)| *history == crate::History::Versions);
    if history {
        own.extend(["valid_from", "valid_to", "is_current"].map(Into::into));
    }
    let check = |column: &Column, at: At, faults: &mut Faults| {
        if own.iter().any(|own| own == column.name.as_str()) {
            let message = format!("every dimension has a column {} of its own", column.name);
            let hint = format!("call the column of {} otherwise", entity.name);
            faults.add(at, message, hint);
        }
    };
    let complete = |key: &[Name]| !key.is_empty() && key.len() == spec.key.len();
    if spec.key.is_empty() {
        let hint = match entity.key.is_empty() {
            true => "write key = [\"…\"], the columns that tell members apart".to_owned(),
            false => format!(
                "write key = [{}], or other columns that tell members apart",
                quoted(&entity.key)
            ),
        };
        faults.add(at.name("key"), "the dimension has no business key", hint);
    }
    let mut key: Vec<Name> = Vec::new();
    for (index, text) in spec.key.iter().enumerate() {
        let at = at.name("key").index(index);
        let Some(column) = find_column(text, entity, &at, faults) else { continue };
        if key.contains(&column.name) {
            faults.add(at.clone(), format!("{} stands there twice", column.name), "leave one out");
        }
        if !column.ty.is_key() {
            let message = format!("{} is {}, which is no business key", column.name, column.ty);
            faults.add(at.clone(), message, "take text, int, decimal, date or timestamp");
        }
        check(column, at, faults);
        key.push(column.name.clone());
    }
    let mut attributes: Vec<Attribute> = Vec::new();
    for (text, history) in &spec.attributes {
        let at = at.name("attributes").name(text).key();
        let Some(column) = find_column(text, entity, &at, faults) else { continue };
        if key.contains(&column.name) {
            let message = format!("{} is of the business key, which never changes", column.name);
            faults.add(at.clone(), message, "leave it out here, it is in the dimension anyway");
        }
        if attributes.iter().any(|other| other.column == column.name) {
            faults.add(at.clone(), format!("{} stands there twice", column.name), "leave one out");
        }
        check(column, at, faults);
        attributes.push(Attribute { column: column.name.clone(), history: *history });
    }
    if own.iter().any(|name| name.len() > Name::MAX_BYTES) {
        let message = format!("{name}_key would be longer than 127 bytes");
        faults.add(at.clone(), message, "give the dimension a shorter name");
    }
    count(own.len() + key.len() + attributes.len(), at, faults);
    // What refers to a key that is not all there could only be told nonsense.
    complete(&key).then(|| Dimension { name, entity: entity.name.clone(), key, attributes })
}

/// A name that is already as it will be: of an entity, a dimension, a fact, a role, a join.
fn name(text: &str, at: &At, faults: &mut Faults) -> Option<Name> {
    let folded = Name::fold(text);
    let suggestion = match folded.as_str().trim_matches('_') {
        "" => "write another",
        plain => plain,
    };
    let hint = format!("write {suggestion}");
    match Name::new(text) {
        Ok(name) if text.starts_with('_') => {
            let message = format!("{name} begins with _, as only Keystar's own names do");
            faults.add(at.clone().key(), message, hint);
            None
        }
        Ok(name) => Some(name),
        Err(error) => {
            faults.add(at.clone().key(), error.to_string(), hint);
            None
        }
    }
}

/// Whether a warehouse gives a table so many columns.
fn count(columns: usize, at: &At, faults: &mut Faults) -> bool {
    if columns > MAX_COLUMNS {
        let message = format!(
            "{columns} columns with those of Keystar, Redshift holds {MAX_COLUMNS} in a table"
        );
        let hint = "leave columns out, or take a map of them as one column of type json";
        faults.add(at.clone(), message, hint);
    }
    columns <= MAX_COLUMNS
}

fn find_entity<'e>(
    text: &str,
    given: bool,
    at: &At,
    entities: &'e [Entity],
    faults: &mut Faults,
) -> Option<&'e Entity> {
    let found = entities.iter().find(|entity| entity.name.as_str() == text);
    if found.is_none() {
        let names = entities.iter().map(|entity| entity.name.as_str());
        let at = if given { at.name("entity") } else { at.clone() };
        let hint = match (nearest(text, names.clone()), given) {
            (Some(name), true) => format!("did you mean {name}?"),
            (Some(name), false) => format!("write entity = \"{name}\""),
            (None, true) => format!("there are {}", listed(names)),
            (None, false) => format!("write entity = \"…\", one of {}", listed(names)),
        };
        faults.add(at, format!("there is no entity {text}"), hint);
    }
    found
}

fn find_column<'e>(
    text: &str,
    entity: &'e Entity,
    at: &At,
    faults: &mut Faults,
) -> Option<&'e Column> {
    let found = column_of(text, entity);
    if found.is_none() {
        let hint = no_column(text, entity);
        faults.add(at.clone(), format!("the entity {} has no column {text}", entity.name), hint);
    }
    found
}

/// The column that a reference means: written as its name, or as the attribute it is named after.
fn column_of<'e>(text: &str, entity: &'e Entity) -> Option<&'e Column> {
    let name = Name::fold(text);
    (name.as_str().len() <= text.len()).then_some(())?;
    entity.columns.iter().find(|column| column.name == name)
}

fn no_column(text: &str, entity: &Entity) -> String {
    let names = entity.columns.iter().map(|column| column.name.as_str());
    match nearest(text, names.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            format!("add it to entity.{}.columns, or take one of {}", entity.name, listed(names))
        }
    }
}

/// The first few of many names.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = names.collect();
    match names.get(..MOST) {
        Some(first) if names.len() > MOST => {
            format!("{} and {} more", first.join(", "), names.len() - MOST)
        }
        _ => names.join(", "),
    }
}

fn joined<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    names.join(", ")
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}

/// The value of a name.
fn get<'n, T>(named: &'n Named<T>, name: &str) -> Option<&'n T> {
    named.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}
