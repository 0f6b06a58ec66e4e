//! Entities: who matches which item, what the columns are, and what tells rows apart.

use super::{SYSTEM_COLUMNS, count, get, listed, name};
use crate::error::{At, Faults};
use crate::spec::{ColumnSpec, EntitySpec, ModelSpec, SourceSpec};
use crate::text::{Key, Quoted, nearest};
use crate::{
    Column, Condition, Entity, KeyTemplate, Matcher, Name, Path, Source, TableKey, Type, Unnest,
    UnnestOver,
};

pub(super) fn entities(spec: &ModelSpec, table: &TableKey, faults: &mut Faults) -> Vec<Entity> {
    if spec.entities.is_empty() {
        let hint = "write [entity.order] with pk and [entity.order.columns]";
        faults.add(At::root("entity"), "the model has no entity", hint);
    }
    let mut entities: Vec<Entity> = Vec::new();
    // Parents come before their children, whatever the order of the text; otherwise it is kept.
    let mut waiting: Vec<&(String, EntitySpec)> = spec.entities.iter().collect();
    let mut names: Vec<&str> = Vec::new();
    loop {
        let before = waiting.len();
        waiting.retain(|(text, entity)| {
            let ready = entity.parent.as_deref().is_none_or(|parent| names.contains(&parent));
            if !ready {
                return true;
            }
            let at = At::root("entity").name(text);
            if names.contains(&text.as_str()) {
                faults.add(at.clone(), format!("two entities are called {text}"), "rename one");
            }
            names.push(text);
            if let Some(name) = name(text, &at, faults) {
                let checked = Check { spec: entity, at, table, entities: &entities, faults };
                let entity = checked.entity(name);
                entities.extend(entity);
            }
            false
        });
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for (text, entity) in waiting {
        let at = At::root("entity").name(text).name("parent");
        let parent = entity.parent.as_deref().unwrap_or_default();
        if get(&spec.entities, parent).is_none() {
            let names = spec.entities.iter().map(|(name, _)| name.as_str());
            let hint = match nearest(parent, names.clone()) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("there are {}", listed(names)),
            };
            faults.add(at, format!("there is no entity {parent}"), hint);
        } else if let Some(circle) = circle(spec, text) {
            let message = format!("the parents go in a circle: {}", circle.join(", "));
            faults.add(at, message, "the last of a chain of parents has none");
        }
    }
    shadows(&entities, faults);
    entities
}

/// The chain of parents from an entity back to itself, if it is the first of its circle in the
/// text.
fn circle<'s>(spec: &'s ModelSpec, first: &'s str) -> Option<Vec<&'s str>> {
    let mut chain = vec![first];
    let place = |name: &str| spec.entities.iter().position(|(other, _)| other == name);
    let mut last = first;
    while chain.len() <= spec.entities.len() {
        last = get(&spec.entities, last)?.parent.as_deref()?;
        if place(last) < place(first) {
            return None;
        }
        chain.push(last);
        if last == first {
            return Some(chain);
        }
    }
    None
}

/// An entity that an earlier one leaves no item to.
fn shadows(entities: &[Entity], faults: &mut Faults) {
    let roots: Vec<&Entity> = entities.iter().filter(|entity| entity.unnest.is_none()).collect();
    for (index, later) in roots.iter().enumerate() {
        let covers = |earlier: &&&Entity| {
            let implied = |condition: &Condition| {
                later.matcher.conditions.iter().any(|other| implies(other, condition))
            };
            earlier.matcher.conditions.iter().all(implied)
        };
        if let Some(earlier) = roots.iter().take(index).find(covers) {
            let message =
                format!("no item is left for it: {} takes all of them before", earlier.name);
            let hint = format!(
                "put {} before {}, or tell them apart by when, has, pk, sk or like",
                later.name, earlier.name
            );
            faults.add(At::root("entity").name(later.name.as_str()), message, hint);
        }
    }
}

/// Whether an item that meets one condition surely meets the other.
fn implies(one: &Condition, other: &Condition) -> bool {
    match (one, other) {
        (
            Condition::Equals { attribute: a, .. }
            | Condition::Like { attribute: a, .. }
            | Condition::Has { attribute: a },
            Condition::Has { attribute: b },
        ) => a == b,
        (
            Condition::Like { attribute: a, template: narrow },
            Condition::Like { attribute: b, template: wide },
        ) => a == b && wide.covers(narrow),
        (Condition::Equals { attribute: a, value }, Condition::Like { attribute: b, template }) => {
            a == b && template.matches(value)
        }
        (Condition::Same { left: a, right: b, .. }, Condition::Same { left: c, right: d, .. }) => {
            // The variables' names do not matter, their places do.
            let alike = |one: &(Box<str>, KeyTemplate), other: &(Box<str>, KeyTemplate)| {
                one.0 == other.0 && one.1.covers(&other.1) && other.1.covers(&one.1)
            };
            alike(a, c) && alike(b, d)
        }
        (one, other) => one == other,
    }
}

/// How long a name may be that is suggested in the place of one that is too long.
const SUGGESTED: usize = 60;

struct Check<'s, 'f> {
    spec: &'s EntitySpec,
    at: At,
    table: &'s TableKey,
    /// Those before it, its parent among them.
    entities: &'s [Entity],
    faults: &'f mut Faults,
}

impl<'s> Check<'s, '_> {
    fn entity(mut self, name: Name) -> Option<Entity> {
        let parent = match &self.spec.parent {
            // A parent that is wrong itself has been told.
            Some(parent) => {
                Some(self.entities.iter().find(|entity| entity.name.as_str() == parent)?)
            }
            None => None,
        };
        let matcher = match parent {
            Some(parent) => parent.matcher.clone(),
            None => self.matcher(),
        };
        let unnest = self.unnest(parent);
        if parent.is_some() && unnest.is_none() {
            return None;
        }
        if !count(self.spec.columns.len() + SYSTEM_COLUMNS, &self.at, self.faults) {
            return None;
        }
        let columns = self.columns(parent, unnest.as_ref());
        let key = match (parent, &unnest) {
            // A column of the key may be among those that are wrong.
            _ if columns.len() < self.spec.columns.len() => Vec::new(),
            (Some(parent), Some(unnest)) => self.child_key(parent, unnest, &columns),
            _ => self.key(&columns),
        };
        let unique = self.unique(&columns);
        self.keys_are_plain(&columns, &key);
        let drift = self.spec.drift.or(parent.map(|parent| parent.drift)).unwrap_or_default();
        Some(Entity { name, matcher, unnest, columns, key, unique, drift })
    }

    fn fault(&mut self, setting: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(self.at.name(setting), message, hint);
    }

    fn matcher(&mut self) -> Matcher {
        let mut conditions = Vec::new();
        for (attribute, value) in &self.spec.when {
            let (attribute, value) = (attribute.as_str().into(), value.as_str().into());
            conditions.push(Condition::Equals { attribute, value });
        }
        for attribute in &self.spec.has {
            conditions.push(Condition::Has { attribute: attribute.as_str().into() });
        }
        if self.spec.pk.is_none() {
            let message = format!("no template of the partition key {}", self.table.partition);
            self.fault("pk", message, "write pk = \"ORDER#{orderid}\", or pk = \"{pk}\" for any");
        }
        match (&self.table.sort, &self.spec.sk) {
            (Some(sort), None) => {
                let message = format!("no template of the sort key {sort}");
                self.fault("sk", message, "write sk = \"ITEM#{itemid}\", or sk = \"{sk}\" for any");
            }
            (None, Some(_)) => {
                let hint = "name it in [table] as sort_key, or leave sk out";
                self.fault("sk", "the table has no sort key", hint);
            }
            _ => {}
        }
        for (attribute, _) in &self.spec.like {
            let (table, setting) = if **attribute == *self.table.partition {
                ("partition key", "pk")
            } else if Some(attribute.as_str()) == self.table.sort.as_deref() {
                ("sort key", "sk")
            } else {
                continue;
            };
            let at = self.at.name("like").name(attribute);
            self.faults.add(
                at,
                format!("{attribute} is the table's {table}"),
                format!("write it as {setting}"),
            );
        }
        let templates: Vec<(&str, &KeyTemplate)> = self.templates().collect();
        for (index, (attribute, template)) in templates.iter().enumerate() {
            let (attribute, template) = (Box::from(*attribute), (*template).clone());
            conditions.push(Condition::Like { attribute, template: template.clone() });
            // What one template has seen, later ones must see again.
            for variable in template.variables() {
                let earlier = templates.iter().take(index);
                let shared = earlier
                    .into_iter()
                    .find(|(_, other)| other.variables().any(|other| other == variable));
                if let Some((other, earlier)) = shared {
                    let left = (Box::from(*other), (*earlier).clone());
                    let right = (
                        Box::from(templates.get(index).map_or("", |found| found.0)),
                        template.clone(),
                    );
                    conditions.push(Condition::Same { variable: variable.into(), left, right });
                }
            }
        }
        Matcher { conditions }
    }

    /// The templates and the attributes that they are of, the table's key first.
    fn templates(&self) -> impl Iterator<Item = (&'s str, &'s KeyTemplate)> + use<'s> {
        let like =
            self.spec.like.iter().map(|(attribute, template)| (attribute.as_str(), template));
        self.key_templates().chain(like)
    }

    fn key_templates(&self) -> impl Iterator<Item = (&'s str, &'s KeyTemplate)> + use<'s> {
        let partition = self.spec.pk.iter().map(|template| (&*self.table.partition, template));
        let sort = self.table.sort.as_deref().zip(self.spec.sk.as_ref());
        partition.chain(sort)
    }

    fn unnest(&mut self, parent: Option<&Entity>) -> Option<Unnest> {
        let spec = self.spec;
        let Some(parent) = parent else {
            for (setting, given) in
                [("unnest", spec.unnest.is_some()), ("over", spec.over.is_some())]
            {
                if given {
                    let hint = "write parent = \"…\", the entity whose items hold it";
                    self.fault(setting, format!("{setting} is for what a parent holds"), hint);
                }
            }
            return None;
        };
        for (setting, given) in [
            ("when", !spec.when.is_empty()),
            ("has", !spec.has.is_empty()),
            ("pk", spec.pk.is_some()),
            ("sk", spec.sk.is_some()),
            ("like", !spec.like.is_empty()),
        ] {
            if given {
                let message = format!("the items are those of the parent {}", parent.name);
                self.fault(setting, message, format!("leave {setting} out"));
            }
        }
        if spec.unnest.is_none() {
            let message = format!("what of {} holds it is not told", parent.name);
            self.fault("unnest", message, "write unnest = \"…\", the path to the list or map");
        }
        if spec.over.is_none() {
            let message = "whether it is held by a list or a map is not told";
            self.fault("over", message, "write over = \"list\" or over = \"map\"");
        }
        Some(Unnest { parent: parent.name.clone(), path: spec.unnest.clone()?, over: spec.over? })
    }

    fn columns(&mut self, parent: Option<&Entity>, unnest: Option<&Unnest>) -> Vec<Column> {
        if self.spec.columns.is_empty() {
            self.fault("columns", "the entity has no columns", "write columns.name = \"text(64)\"");
        }
        let mut columns: Vec<(&str, Column)> = Vec::new();
        for (text, spec) in &self.spec.columns {
            let at = self.at.name("columns").name(text);
            let Some(name) = self.column_name(text, spec, &at) else { continue };
            if let Some((other, _)) = columns.iter().find(|(_, column)| column.name == name) {
                let message = format!("{text} and {other} are both called {name} in a warehouse");
                let hint = format!(
                    "write other_name = {{ from = {}, … }}",
                    Quoted(&source_path(text, spec))
                );
                self.faults.add(at.clone().key(), message, hint);
                continue;
            }
            let source = self.source(text, &name, spec, parent, unnest, &at);
            let ty = source.as_ref().and_then(|source| self.ty(text, spec, source, parent, &at));
            let (Some(source), Some(ty)) = (source, ty) else { continue };
            columns.push((text, Column { name, source, ty, required: spec.required }));
        }
        columns.into_iter().map(|(_, column)| column).collect()
    }

    /// A column is called after the text of the spec, folded as a warehouse folds it.
    fn column_name(&mut self, text: &str, spec: &ColumnSpec, at: &At) -> Option<Name> {
        let name = Name::fold(text);
        let plain = name.as_str().trim_matches('_');
        let plain = match plain.as_bytes().first() {
            None => "other_name".to_owned(),
            Some(b'0'..=b'9') => format!("column_{plain}"),
            Some(_) => plain.chars().take(SUGGESTED).collect(),
        };
        let from = Quoted(&source_path(text, spec)).to_string();
        let hint = format!("write {plain} = {{ from = {from}, … }}");
        let message = if text.len() > Name::MAX_BYTES {
            format!("a column's name has at most 127 bytes, this one has {}", text.len())
        } else if text.is_empty() {
            "a column's name may not be empty".to_owned()
        } else if name.as_str().starts_with('_') {
            format!("the column would be called {name}, and only Keystar's own begin with _")
        } else {
            return Some(name);
        };
        self.faults.add(at.clone().key(), message, hint);
        None
    }

    fn source(
        &mut self,
        text: &str,
        name: &Name,
        spec: &ColumnSpec,
        parent: Option<&Entity>,
        unnest: Option<&Unnest>,
        at: &At,
    ) -> Option<Source> {
        let over = unnest.map(|unnest| unnest.over);
        let mut misplaced = |setting: &str, message: &str, hint: &str| {
            self.faults.add(at.name(setting).key(), message, hint);
            None
        };
        const NO_PARENT: &str = "the entity has no parent that holds it";
        const WRITE_PARENT: &str = "leave it out, or write parent and unnest";
        match &spec.source {
            SourceSpec::Same => Path::new([text]).map(Source::Attribute),
            SourceSpec::From(path) => Some(Source::Attribute(path.clone())),
            SourceSpec::IsNull(path) => Some(Source::IsNull(path.clone())),
            SourceSpec::Key { attribute, variable } => match parent {
                Some(parent) => {
                    let hint =
                        format!("make it a column of {}, and write parent = \"…\"", parent.name);
                    misplaced("key", "the key is the parent's", &hint)
                }
                None => self.key_source(text, name, attribute, variable.as_deref(), at),
            },
            SourceSpec::Parent(column) => {
                let Some(parent) = parent else {
                    return misplaced("parent", NO_PARENT, WRITE_PARENT);
                };
                let at = at.name("parent");
                super::find_column(column, parent, &at, self.faults)
                    .map(|column| Source::Parent(column.name.clone()))
            }
            SourceSpec::Position => match over {
                Some(UnnestOver::List) => Some(Source::Position),
                Some(UnnestOver::Map) => misplaced(
                    "position",
                    "a map has no positions",
                    "write entry = true for the entry's name",
                ),
                None => misplaced("position", NO_PARENT, WRITE_PARENT),
            },
            SourceSpec::Entry => match over {
                Some(UnnestOver::Map) => Some(Source::Entry),
                Some(UnnestOver::List) => misplaced(
                    "entry",
                    "a list's elements have no names",
                    "write position = true for the place in the list",
                ),
                None => misplaced("entry", NO_PARENT, WRITE_PARENT),
            },
            SourceSpec::Element => match over {
                Some(_) => Some(Source::Element),
                None => misplaced("element", NO_PARENT, WRITE_PARENT),
            },
        }
    }

    fn key_source(
        &mut self,
        text: &str,
        name: &Name,
        attribute: &str,
        variable: Option<&str>,
        at: &At,
    ) -> Option<Source> {
        let template = self.templates().find(|(other, _)| *other == attribute);
        let Some((_, template)) = template else {
            let known: Vec<&str> = self.templates().map(|(attribute, _)| attribute).collect();
            let hint = match nearest(attribute, known.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None if known.is_empty() => "write pk or sk in the entity".to_owned(),
                None => format!("there are {}; others are written as like", known.join(", ")),
            };
            let message = format!("the entity has no template of a key {attribute}");
            self.faults.add(at.name("key"), message, hint);
            return None;
        };
        let wanted = variable.unwrap_or(text);
        let found = template.variables().find(|known| *known == wanted);
        let folded = || template.variables().find(|known| Name::fold(known) == *name);
        let Some(variable) = found.or_else(|| folded().filter(|_| variable.is_none())) else {
            let known: Vec<&str> = template.variables().collect();
            let hint = match known.as_slice() {
                [] => "leave the column out, the key has no variable".to_owned(),
                [one] => format!("write variable = \"{one}\""),
                many => format!("write variable = \"…\", one of {}", many.join(", ")),
            };
            let setting = if variable.is_some() { "variable" } else { "key" };
            let message = format!("the template {template} has no variable {wanted}");
            self.faults.add(at.name(setting), message, hint);
            return None;
        };
        Some(Source::Key {
            attribute: attribute.into(),
            template: template.clone(),
            variable: variable.into(),
        })
    }

    fn ty(
        &mut self,
        text: &str,
        spec: &ColumnSpec,
        source: &Source,
        parent: Option<&Entity>,
        at: &At,
    ) -> Option<Type> {
        let told = match source {
            Source::Position => Some(Type::Int),
            Source::IsNull(_) => Some(Type::Bool),
            Source::Parent(column) => {
                let column = parent.and_then(|parent| parent.column(column));
                column.map(|column| column.ty.clone())
            }
            _ => None,
        };
        let Some(ty) = spec.ty.clone().or_else(|| told.clone()) else {
            self.faults.add(at.clone(), "the column has no type", "write type = \"text(64)\"");
            return None;
        };
        let ty_at = match spec.source {
            SourceSpec::Same => at.clone(),
            _ => at.name("type"),
        };
        if let Some(told) = told.filter(|told| *told != ty) {
            let what = match source {
                Source::Position => "a position is an int".to_owned(),
                Source::IsNull(_) => "whether it is NULL is a bool".to_owned(),
                _ => format!("the parent's column is {told}"),
            };
            self.faults.add(ty_at, what, "leave the type out");
            return None;
        }
        let text_only = matches!(source, Source::Entry);
        let from_text = matches!(source, Source::Key { .. });
        if (text_only && !matches!(ty, Type::Text { .. }))
            || (from_text && (!ty.is_key() || matches!(ty, Type::Bool | Type::Bytes { .. })))
        {
            let message = format!("{text} is a part of a text, which is no {ty}");
            let hint = match text_only {
                true => "write type = \"text(64)\"",
                false => "write type = \"text(64)\", an int, a decimal, a date or a timestamp",
            };
            self.faults.add(ty_at, message, hint);
            return None;
        }
        Some(ty)
    }

    /// The columns that hold the variables of the table's key.
    fn key(&mut self, columns: &[Column]) -> Vec<Name> {
        let mut key: Vec<Name> = Vec::new();
        let mut missing: Vec<(&str, &str)> = Vec::new();
        for (attribute, template) in self.key_templates() {
            for variable in template.variables() {
                match key_column(columns, variable, &self.table.clone()) {
                    Some(column) if !key.contains(&column.name) => key.push(column.name.clone()),
                    Some(_) => {}
                    None if missing.iter().any(|(other, _)| *other == variable) => {}
                    None => missing.push((variable, attribute)),
                }
            }
        }
        for (variable, attribute) in missing {
            let message =
                format!("rows are told apart by {{{variable}}} of {attribute}, which is no column");
            let name = Name::fold(variable);
            let other = if name.as_str() == variable {
                String::new()
            } else {
                format!(", variable = \"{variable}\"")
            };
            let hint = format!(
                "add {} = {{ key = {}{other}, type = \"text(64)\" }}",
                Key(name.as_str()),
                Quoted(attribute)
            );
            self.fault("columns", message, hint);
        }
        key
    }

    /// The parent's key, and what tells the members of one parent apart.
    fn child_key(&mut self, parent: &Entity, unnest: &Unnest, columns: &[Column]) -> Vec<Name> {
        let mut key = Vec::new();
        for wanted in &parent.key {
            let held =
                columns.iter().find(|column| column.source == Source::Parent(wanted.clone()));
            match held {
                Some(column) => key.push(column.name.clone()),
                None => {
                    let message = format!(
                        "rows are told apart by {wanted} of the parent, which is no column"
                    );
                    let hint = format!("add {wanted} = {{ parent = \"{wanted}\" }}");
                    self.fault("columns", message, hint);
                }
            }
        }
        let (source, message, hint) = match unnest.over {
            UnnestOver::List => (
                Source::Position,
                "rows are told apart by their position in the list, which is no column",
                "add position = { position = true }",
            ),
            UnnestOver::Map => (
                Source::Entry,
                "rows are told apart by their entry's name in the map, which is no column",
                "add name = { entry = true, type = \"text(64)\" }",
            ),
        };
        match columns.iter().find(|column| column.source == source) {
            Some(column) => key.push(column.name.clone()),
            None => self.fault("columns", message, hint),
        }
        key
    }

    /// Rows can be told apart by the columns of the key.
    fn keys_are_plain(&mut self, columns: &[Column], key: &[Name]) {
        for column in columns.iter().filter(|column| key.contains(&column.name)) {
            if !column.ty.is_key() {
                let spec =
                    self.spec.columns.iter().find(|(text, _)| Name::fold(text) == column.name);
                let at = self.at.name("columns").name(spec.map_or("", |(text, _)| text));
                let message = format!(
                    "rows are told apart by {}, which {} does not do",
                    column.name, column.ty
                );
                self.faults.add(at, message, "take text, int, decimal, date or timestamp");
            }
        }
    }

    fn unique(&mut self, columns: &[Column]) -> Vec<Vec<Name>> {
        let mut unique = Vec::new();
        for (index, set) in self.spec.unique.iter().enumerate() {
            let at = self.at.name("unique").index(index);
            if set.is_empty() {
                self.faults.add(
                    at.clone(),
                    "a set of no columns",
                    "write unique = [[\"orderid\"]]",
                );
            }
            let mut names = Vec::new();
            for (index, text) in set.iter().enumerate() {
                let name = Name::fold(text);
                if let Some(column) = columns.iter().find(|column| column.name == name) {
                    if !column.ty.is_key() {
                        let message = format!("{name} is {}, which is not compared", column.ty);
                        let hint = "take text, int, decimal, date or timestamp";
                        self.faults.add(at.index(index), message, hint);
                    }
                    names.push(name);
                    continue;
                }
                let known = columns.iter().map(|column| column.name.as_str());
                let hint = match nearest(text, known.clone()) {
                    Some(name) => format!("did you mean {name}?"),
                    None => format!("there are {}", listed(known)),
                };
                self.faults.add(at.index(index), format!("there is no column {text}"), hint);
            }
            unique.push(names);
        }
        unique
    }
}

/// The column that holds a variable of the key: read from it, or an attribute of its name, which a
/// single table repeats outside of the key.
fn key_column<'c>(columns: &'c [Column], variable: &str, table: &TableKey) -> Option<&'c Column> {
    let from_key = |column: &&Column| match &column.source {
        Source::Key { attribute, variable: other, .. } => {
            **other == *variable
                && (*attribute == table.partition || Some(attribute) == table.sort.as_ref())
        }
        _ => false,
    };
    let attribute = |column: &&Column| match &column.source {
        Source::Attribute(path) => path.tail().is_empty() && path.head() == variable,
        _ => false,
    };
    let name = Name::fold(variable);
    let called = |column: &&Column| {
        column.name == name && matches!(column.source, Source::Attribute(_) | Source::Key { .. })
    };
    columns
        .iter()
        .find(from_key)
        .or_else(|| columns.iter().find(attribute))
        .or_else(|| columns.iter().find(called))
}

/// The path that a column of another name would be read from.
fn source_path(text: &str, spec: &ColumnSpec) -> String {
    match &spec.source {
        SourceSpec::From(path) => path.to_string(),
        _ => Path::new([text]).map(|path| path.to_string()).unwrap_or_default(),
    }
}
