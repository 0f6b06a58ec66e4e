//! From the text of a spec to the spec. All that is wrong is found in one go, with its place.

use jiff::civil::Date;
use toml::de::{DeTable, DeValue};

use crate::error::{At, Faults};
use crate::spec::{
    CalendarSpec, ColumnSpec, DimensionSpec, EntitySpec, FactSpec, JoinSpec, ModelSpec, Named,
    OperandSpec, RoleSpec, SourceSpec, TableSpec,
};
use crate::text::nearest;
use crate::{Drift, History, KeyTemplate, ModelError, Path, TimeFormat, Type, UnnestOver};

pub(crate) fn spec(text: &str) -> Result<ModelSpec, ModelError> {
    let root = DeTable::parse(text).map_err(|error| ModelError::no_toml(text, &error))?;
    let mut faults = Faults::default();
    let spec = model(&mut Table { table: root.get_ref(), at: At::default(), faults: &mut faults });
    faults.or(spec).map_err(|error| error.placed(text))
}

fn model(table: &mut Table<'_, '_>) -> ModelSpec {
    table.know(&["table", "entity", "dimension", "calendar", "fact"]);
    ModelSpec {
        table: table
            .table("table", |table| {
                table.know(&["partition_key", "sort_key"]);
                TableSpec {
                    partition_key: table.text("partition_key").unwrap_or_default(),
                    sort_key: table.text("sort_key"),
                }
            })
            .unwrap_or_default(),
        entities: table.each_table("entity", entity),
        dimensions: table.each_table("dimension", dimension),
        calendar: table.table("calendar", calendar),
        facts: table.each_table("fact", fact),
    }
}

fn entity(table: &mut Table<'_, '_>) -> EntitySpec {
    table.know(&[
        "when", "has", "pk", "sk", "like", "parent", "unnest", "over", "unique", "drift", "columns",
    ]);
    EntitySpec {
        when: table.each("when", text),
        has: table.list("has", text),
        pk: table.read("pk", template),
        sk: table.read("sk", template),
        like: table.each("like", template),
        parent: table.text("parent"),
        unnest: table.read("unnest", path),
        over: table.read("over", |value| {
            choice(value, &[("list", UnnestOver::List), ("map", UnnestOver::Map)])
        }),
        unique: table.list("unique", |value| value.list(text)),
        drift: table.read("drift", |value| {
            choice(
                value,
                &[
                    ("quarantine", Drift::Quarantine),
                    ("evolve", Drift::Evolve),
                    ("freeze", Drift::Freeze),
                    ("discard-value", Drift::DiscardValue),
                    ("discard-row", Drift::DiscardRow),
                ],
            )
        }),
        columns: table.each("columns", column),
    }
}

/// What tells where a column's value is found; a column has at most one of them.
const SOURCES: [&str; 7] = ["from", "key", "parent", "position", "entry", "element", "is_null"];

fn column(value: &mut Value<'_, '_>) -> Option<ColumnSpec> {
    if let DeValue::String(_) = value.value {
        return Some(ColumnSpec::new(SourceSpec::Same, Some(ty(value)?)));
    }
    let mut table = value.table("a type such as \"text(64)\", or a table with from and type")?;
    table.know(&[
        "type", "required", "from", "key", "variable", "parent", "position", "entry", "element",
        "is_null",
    ]);
    let given: Vec<&str> = SOURCES.into_iter().filter(|name| table.has(name)).collect();
    if let [first, second, ..] = given.as_slice() {
        table.fault(second, format!("a column has {first} or {second}, not both"), "leave one out");
    }
    let ty = table.read("type", ty);
    let required = table.flag("required");
    let variable = table.text("variable");
    let source = match given.first().copied() {
        None => Some(SourceSpec::Same),
        Some("from") => table.read("from", path).map(SourceSpec::From),
        Some("key") => table
            .text("key")
            .map(|attribute| SourceSpec::Key { attribute, variable: variable.clone() }),
        Some("parent") => table.text("parent").map(SourceSpec::Parent),
        Some("is_null") => table.read("is_null", path).map(SourceSpec::IsNull),
        Some(name) => {
            if !table.flag(name) {
                table.fault(name, format!("{name} is true or not there"), "leave it out");
            }
            Some(match name {
                "position" => SourceSpec::Position,
                "entry" => SourceSpec::Entry,
                _ => SourceSpec::Element,
            })
        }
    };
    if variable.is_some() && given.first() != Some(&"key") {
        let hint = "write key = \"PK\", or the key attribute whose template has the variable";
        table.fault("variable", "a variable is one of a key", hint);
    }
    source.map(|source| ColumnSpec { source, ty, required })
}

fn dimension(table: &mut Table<'_, '_>) -> DimensionSpec {
    table.know(&["entity", "key", "attributes"]);
    DimensionSpec {
        entity: table.text("entity"),
        key: table.list("key", text),
        attributes: table.each("attributes", |value| {
            choice(value, &[("type1", History::Overwrite), ("type2", History::Versions)])
        }),
    }
}

fn calendar(table: &mut Table<'_, '_>) -> CalendarSpec {
    table.know(&["name", "fiscal_start_month", "first", "last"]);
    CalendarSpec {
        name: table.text("name"),
        fiscal_start_month: table.read("fiscal_start_month", |value| {
            let month = u8::try_from(integer(value)?).ok();
            let month = month.filter(|month| (1..=12).contains(month));
            if month.is_none() {
                value.fault("a month is from 1 to 12", "write 1 for January");
            }
            month
        }),
        first: table.read("first", date),
        last: table.read("last", date),
    }
}

fn fact(table: &mut Table<'_, '_>) -> FactSpec {
    table.know(&["entity", "grain", "measures", "degenerate", "join", "dimensions"]);
    FactSpec {
        entity: table.text("entity"),
        grain: table.list("grain", text),
        measures: table.each("measures", text),
        degenerate: table.each("degenerate", text),
        joins: table.each_table("join", |table| {
            table.know(&["entity", "on"]);
            JoinSpec { entity: table.text("entity"), on: table.each("on", operand) }
        }),
        dimensions: table.each_table("dimensions", |table| {
            table.know(&["dimension", "key", "as_of"]);
            RoleSpec {
                dimension: table.text("dimension"),
                key: table.list("key", text),
                as_of: table.text("as_of"),
            }
        }),
    }
}

fn operand(value: &mut Value<'_, '_>) -> Option<OperandSpec> {
    if let DeValue::String(text) = value.value {
        return Some(OperandSpec::Column(text.to_string()));
    }
    let mut table = value.table("a column, { text = \"home\" } or { int = 0 }")?;
    table.know(&["text", "int"]);
    match (table.has("text"), table.has("int")) {
        (true, false) => table.text("text").map(OperandSpec::Text),
        (false, true) => table.read("int", integer).map(OperandSpec::Int),
        _ => {
            let at = table.at.clone();
            table.faults.add(at, "one value is needed", "write { text = \"home\" } or { int = 0 }");
            None
        }
    }
}

/// A table of the text, where it is, and the faults to add to.
struct Table<'t, 'f> {
    table: &'t DeTable<'t>,
    at: At,
    faults: &'f mut Faults,
}

impl<'t, 'f> Table<'t, 'f> {
    /// Settings that are not among the known ones are faults.
    fn know(&mut self, known: &[&str]) {
        for (key, _) in self.table {
            let name = key.get_ref();
            if known.contains(&&**name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("there are {}", known.join(", ")),
            };
            self.faults.add(self.at.name(name).key(), "unknown setting", hint);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    fn fault(&mut self, name: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(self.at.name(name).key(), message, hint);
    }

    fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Value<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.table.get(name)?;
        read(&mut Value { value: value.get_ref(), at: self.at.name(name), faults: self.faults })
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, text)
    }

    fn flag(&mut self, name: &str) -> bool {
        let flag = self.read(name, |value| match value.value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => value.expected("true or false"),
        });
        flag.unwrap_or_default()
    }

    fn list<T>(&mut self, name: &str, read: impl FnMut(&mut Value<'_, '_>) -> Option<T>) -> Vec<T> {
        self.read(name, |value| value.list(read)).unwrap_or_default()
    }

    fn table<T>(&mut self, name: &str, read: impl FnOnce(&mut Table<'_, '_>) -> T) -> Option<T> {
        self.read(name, |value| Some(read(&mut value.table("a table")?)))
    }

    /// The values of a table, in the order of the text.
    fn each<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Value<'_, '_>) -> Option<T>,
    ) -> Named<T> {
        let named = self.table(name, |table| {
            let mut entries: Vec<_> = table.table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            let mut named = Vec::new();
            for (key, _) in entries {
                if let Some(value) = table.read(key.get_ref(), &mut read) {
                    named.push((key.get_ref().to_string(), value));
                }
            }
            named
        });
        named.unwrap_or_default()
    }

    fn each_table<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Table<'_, '_>) -> T,
    ) -> Named<T> {
        self.each(name, |value| Some(read(&mut value.table("a table")?)))
    }
}

/// A value of the text, where it is, and the faults to add to.
struct Value<'t, 'f> {
    value: &'t DeValue<'t>,
    at: At,
    faults: &'f mut Faults,
}

impl Value<'_, '_> {
    fn fault(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(self.at.clone(), message, hint);
    }

    fn expected<T>(&mut self, what: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a truth value",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(format!("{found} does not belong here"), format!("write {what}"));
        None
    }

    fn table(&mut self, what: &str) -> Option<Table<'_, '_>> {
        let DeValue::Table(table) = self.value else { return self.expected(what) };
        Some(Table { table, at: self.at.clone(), faults: self.faults })
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Value<'_, '_>) -> Option<T>) -> Option<Vec<T>> {
        let DeValue::Array(values) = self.value else { return self.expected("a list [\"…\"]") };
        let mut list = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let at = self.at.index(index);
            let mut value = Value { value: value.get_ref(), at, faults: self.faults };
            list.extend(read(&mut value));
        }
        Some(list)
    }

    /// A fault whose text says after a comma what to do.
    fn reworded(&mut self, text: &str) {
        let (message, hint) = text.split_once(", ").unwrap_or((text, "write another"));
        self.fault(message, hint);
    }
}

fn text(value: &mut Value<'_, '_>) -> Option<String> {
    match value.value {
        DeValue::String(text) => Some(text.to_string()),
        _ => value.expected("a text"),
    }
}

fn integer(value: &mut Value<'_, '_>) -> Option<i64> {
    let DeValue::Integer(integer) = value.value else { return value.expected("a whole number") };
    let digits: String = integer.as_str().chars().filter(|char| *char != '_').collect();
    let found = i64::from_str_radix(&digits, integer.radix()).ok();
    if found.is_none() {
        value.fault("the number has more than 64 bits", "write a smaller one");
    }
    found
}

fn ty(value: &mut Value<'_, '_>) -> Option<Type> {
    let text = text(value)?;
    match text.parse::<Type>() {
        Ok(ty) => Some(ty),
        Err(error) => {
            value.fault(error.to_string(), error.hint());
            None
        }
    }
}

fn template(value: &mut Value<'_, '_>) -> Option<KeyTemplate> {
    let text = text(value)?;
    match KeyTemplate::parse(&text) {
        Ok(template) => Some(template),
        Err(error) => {
            value.reworded(&error.to_string());
            None
        }
    }
}

/// `address.city`, or `["address", "city"]` with the names as they are.
fn path(value: &mut Value<'_, '_>) -> Option<Path> {
    if let DeValue::Array(_) = value.value {
        let names = value.list(text)?;
        let path = Path::new(names.iter().map(String::as_str));
        let short = names.len() <= Path::MAX_NAMES && names.iter().all(|name| !name.is_empty());
        if path.is_none() || !short {
            value.fault(
                "a path has 1 to 32 names, none of them empty",
                "write [\"address\", \"city\"]",
            );
        }
        return path.filter(|_| short);
    }
    let text = text(value)?;
    match text.parse::<Path>() {
        Ok(path) => Some(path),
        Err(error) => {
            value.reworded(&error.to_string());
            None
        }
    }
}

fn date(value: &mut Value<'_, '_>) -> Option<Date> {
    let text = match value.value {
        DeValue::Datetime(date) => date.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => return value.expected("a day such as 2020-01-31"),
    };
    let date = TimeFormat::Iso.date(&text).and_then(|_| text.parse().ok());
    if date.is_none() {
        value.fault(format!("{text} is no day"), "write a day such as 2020-01-31");
    }
    date
}

fn choice<T: Copy>(value: &mut Value<'_, '_>, choices: &[(&str, T)]) -> Option<T> {
    let text = text(value)?;
    let found = choices.iter().find(|choice| choice.0 == text).map(|choice| choice.1);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
        let hint = match nearest(&text, names.iter().copied()) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("write one of {}", names.join(", ")),
        };
        value.fault(format!("{text:?} is not known here"), hint);
    }
    found
}
