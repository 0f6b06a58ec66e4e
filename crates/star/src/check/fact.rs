//! Facts: the grain is unique, each join finds at most one row, each measure counts once.

use super::{column_of, count, find_column, find_entity, joined, listed, name, no_column, quoted};
use crate::error::{At, Faults};
use crate::spec::{FactSpec, JoinSpec, ModelSpec, OperandSpec, RoleSpec};
use crate::text::{Quoted, nearest};
use crate::{
    Calendar, Column, ColumnRef, Dimension, DimensionRole, Entity, Fact, Join, Measure, Name,
    Operand, Resolve, Source, Type, UnnestOver,
};

/// What facts refer to.
pub(super) struct Known<'k> {
    pub(super) spec: &'k ModelSpec,
    pub(super) entities: &'k [Entity],
    pub(super) dimensions: &'k [Dimension],
    pub(super) calendar: Option<&'k Calendar>,
}

pub(super) fn facts(known: &Known<'_>, faults: &mut Faults) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for (text, spec) in &known.spec.facts {
        let at = At::root("fact").name(text);
        let Some(name) = name(text, &at, faults) else { continue };
        let taken = if facts.iter().any(|other| other.name == name) {
            Some("another fact is")
        } else if known.dimensions.iter().any(|other| other.name == name) {
            Some("a dimension is")
        } else if known.calendar.is_some_and(|calendar| calendar.name == name) {
            Some("the calendar is")
        } else {
            None
        };
        if let Some(taken) = taken {
            let message = format!("{taken} called {name} too, and each is a table");
            faults.add(at.clone(), message, "rename one");
        }
        let given = spec.entity.is_some();
        let wanted = spec.entity.as_deref().unwrap_or(text);
        if let Some(entity) = find_entity(wanted, given, &at, known.entities, faults) {
            let mut check = Check { known, spec, at, entity, joins: Vec::new(), faults };
            facts.push(check.fact(name));
        }
    }
    facts
}

struct Check<'k, 'f> {
    known: &'k Known<'k>,
    spec: &'k FactSpec,
    at: At,
    entity: &'k Entity,
    /// Those that are resolved, and the entities that they find.
    joins: Vec<(Join, &'k Entity)>,
    faults: &'f mut Faults,
}

impl<'k> Check<'k, '_> {
    fn fact(&mut self, name: Name) -> Fact {
        let grain = self.grain();
        self.joins();
        let dimensions = self.dimensions();
        let degenerate = self.degenerate();
        let measures = self.measures();
        let mut columns: Vec<(String, At)> = Vec::new();
        for role in &dimensions {
            let at = self.at.name("dimensions").name(role.role.as_str());
            columns.push((format!("{}_key", role.role), at));
        }
        for (index, column) in grain.iter().enumerate() {
            columns.push((column.to_string(), self.at.name("grain").index(index)));
        }
        for (name, _) in &degenerate {
            columns.push((name.to_string(), self.at.name("degenerate").name(name.as_str()).key()));
        }
        for measure in &measures {
            let at = self.at.name("measures").name(measure.name.as_str()).key();
            columns.push((measure.name.to_string(), at));
        }
        for (index, (column, at)) in columns.iter().enumerate() {
            if columns.iter().take(index).any(|(other, _)| other == column) {
                let message = format!("the fact would have two columns {column}");
                self.faults.add(at.clone(), message, "rename one of them, or leave one out");
            }
            if column.len() > Name::MAX_BYTES {
                let message = format!("the column {column} would be longer than 127 bytes");
                self.faults.add(at.clone(), message, "write a shorter name");
            }
        }
        count(columns.len(), &self.at, self.faults);
        Fact {
            name,
            entity: self.entity.name.clone(),
            grain,
            joins: std::mem::take(&mut self.joins).into_iter().map(|(join, _)| join).collect(),
            dimensions,
            measures,
            degenerate,
        }
    }

    fn grain(&mut self) -> Vec<Name> {
        let at = self.at.name("grain");
        let mut grain: Vec<Name> = Vec::new();
        let mut complete = true;
        for (index, text) in self.spec.grain.iter().enumerate() {
            let at = at.index(index);
            if text.contains('.') && column_of(text, self.entity).is_none() {
                let message = format!("{text} is of a join, and the grain is of the fact's entity");
                let hint =
                    format!("take columns of {}: {}", self.entity.name, joined(&self.entity.key));
                self.faults.add(at, message, hint);
                complete = false;
                continue;
            }
            let Some(column) = find_column(text, self.entity, &at, self.faults) else {
                complete = false;
                continue;
            };
            if grain.contains(&column.name) {
                let message = format!("{} stands there twice", column.name);
                self.faults.add(at.clone(), message, "leave one out");
            }
            if !column.ty.is_key() {
                let message =
                    format!("{} is {}, which rows are not told apart by", column.name, column.ty);
                self.faults.add(at, message, "take text, int, decimal, date or timestamp");
            }
            grain.push(column.name.clone());
        }
        if !complete {
            return grain;
        }
        let name = &self.entity.name;
        let key = quoted(&self.entity.key);
        if self.spec.grain.is_empty() {
            let message = "the fact has no grain, the columns that tell its rows apart";
            self.faults.add(at, message, format!("write grain = [{key}]"));
        } else if !self.entity.is_unique(&grain.iter().collect::<Vec<_>>()) {
            let message = format!(
                "several rows of {name} may have the same {}, since they are told apart by {}",
                joined(&grain),
                joined(&self.entity.key)
            );
            let set = quoted(&grain);
            let hint = format!(
                "write grain = [{key}], or if the data has no two of them declare unique = [[{set}]] \
                 in entity.{name}"
            );
            self.faults.add(at, message, hint);
        }
        grain
    }

    /// Joins in an order in which each finds what it refers to.
    fn joins(&mut self) {
        let mut waiting: Vec<&'k (String, JoinSpec)> = self.spec.joins.iter().collect();
        loop {
            let before = waiting.len();
            let open: Vec<&str> = waiting.iter().map(|(alias, _)| alias.as_str()).collect();
            let mut later = Vec::new();
            for entry in waiting {
                let (alias, join) = entry;
                let waits = join.on.iter().any(|(_, operand)| match operand {
                    OperandSpec::Column(text) => {
                        text.split_once('.').is_some_and(|(other, _)| open.contains(&other))
                    }
                    _ => false,
                });
                if waits {
                    later.push(entry);
                } else {
                    self.join(alias, join);
                }
            }
            waiting = later;
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        for (alias, _) in waiting {
            let message = format!("the join {alias} needs itself, or a join that needs it");
            let hint = "take what it equals from the fact's entity, or from a join before";
            self.faults.add(self.at.name("join").name(alias), message, hint);
        }
    }

    fn join(&mut self, text: &str, spec: &'k JoinSpec) {
        let at = self.at.name("join").name(text);
        let Some(alias) = name(text, &at, self.faults) else { return };
        let given = spec.entity.is_some();
        let wanted = spec.entity.as_deref().unwrap_or(text);
        let Some(entity) = find_entity(wanted, given, &at, self.known.entities, self.faults) else {
            return;
        };
        let mut on: Vec<(Name, Operand)> = Vec::new();
        let mut complete = true;
        for (text, operand) in &spec.on {
            let at = at.name("on").name(text);
            let column = find_column(text, entity, &at.clone().key(), self.faults);
            let Some(column) = column else {
                complete = false;
                continue;
            };
            if on.iter().any(|(other, _)| *other == column.name) {
                let message = format!("{} stands there twice", column.name);
                self.faults.add(at.clone().key(), message, "leave one out");
            }
            match self.operand(operand, column, &at) {
                Some(operand) => on.push((column.name.clone(), operand)),
                None => complete = false,
            }
        }
        if complete && !entity.is_unique(&on.iter().map(|(name, _)| name).collect::<Vec<_>>()) {
            self.fans_out(entity, &on, &at);
        }
        self.joins.push((Join { alias, entity: entity.name.clone(), on }, entity));
    }

    fn operand(&mut self, spec: &OperandSpec, column: &Column, at: &At) -> Option<Operand> {
        let (operand, found) = match spec {
            OperandSpec::Column(text) => {
                let (reference, found) = self.reference(text, at)?;
                (Operand::Column(reference), found.ty.clone())
            }
            OperandSpec::Text(text) => {
                let max_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
                (Operand::Text(text.as_str().into()), Type::Text { max_bytes })
            }
            OperandSpec::Int(int) => (Operand::Int(*int), Type::Int),
        };
        if !column.ty.is_key() || !found.is_like(&column.ty) {
            let message =
                format!("{} is {}, which is not compared with {found}", column.name, column.ty);
            self.faults.add(at.clone(), message, "take columns of the same type on both sides");
            return None;
        }
        Some(operand)
    }

    /// A join that may find more than one row: each would count the fact's row once more.
    fn fans_out(&mut self, entity: &'k Entity, on: &[(Name, Operand)], at: &At) {
        let own = &self.entity.name;
        let name = &entity.name;
        let lacks = |set: &'k Vec<Name>| -> Vec<&'k Name> {
            set.iter().filter(|key| on.iter().all(|(name, _)| name != *key)).collect()
        };
        let sets = || std::iter::once(&entity.key).chain(&entity.unique);
        let missing = sets().map(lacks).min_by_key(Vec::len).unwrap_or_default();
        let apart: Vec<String> = sets().map(joined).collect();
        let mut message = format!("the join may find several rows of {name} for one of {own}");
        if let Some(unnest) = &entity.unnest {
            let member = match unnest.over {
                UnnestOver::List => "element of the list",
                UnnestOver::Map => "entry of the map",
            };
            let text = format!(": one {} has one for each {member} {}", unnest.parent, unnest.path);
            message.push_str(&text);
        }
        message.push_str(&format!(
            "; every measure would be counted once for each of them, since rows of {name} are told \
             apart by {} and on lacks {}",
            apart.join(" or by "),
            joined(missing.iter().copied())
        ));
        let all: Vec<String> = missing.iter().map(|name| format!("{name} = \"…\"")).collect();
        let mut hint = format!("add {} to on, with the column that says which one", all.join(", "));
        if let [one] = missing.as_slice() {
            let pick = entity.column(one).map(|column| match (&column.source, &column.ty) {
                (Source::Entry, _) => format!("pick one by {one} = {{ text = \"home\" }}"),
                (_, Type::Int) => format!("pick one by {one} = {{ int = 0 }}"),
                _ => format!("pick one by {one} = {{ text = \"…\" }}"),
            });
            hint.push_str(&pick.map(|pick| format!(", {pick}")).unwrap_or_default());
        }
        let given: Vec<&Name> = on.iter().map(|(name, _)| name).collect();
        if entity.unnest.is_none() && !given.is_empty() {
            hint.push_str(&format!(
                ", or if no two rows have the same {} declare unique = [[{}]] in entity.{name}",
                joined(given.iter().copied()),
                quoted(given.iter().copied())
            ));
        }
        hint.push_str(&format!(", or make {name} the fact's entity, which changes its grain"));
        self.faults.add(at.clone(), message, hint);
    }

    /// A column of the fact's entity, or `join.column`.
    fn reference(&mut self, text: &str, at: &At) -> Option<(ColumnRef, &'k Column)> {
        if let Some(column) = column_of(text, self.entity).filter(|_| !text.contains('.')) {
            return Some((ColumnRef::new(None, column.name.clone()), column));
        }
        let Some((alias, column)) = text.split_once('.') else {
            let holders = self.joins.iter().filter_map(|(join, entity)| {
                column_of(text, entity).map(|column| format!("{}.{}", join.alias, column.name))
            });
            let hint = match holders.collect::<Vec<_>>().first() {
                Some(holder) => format!("write \"{holder}\""),
                None => no_column(text, self.entity),
            };
            let message = format!("the entity {} has no column {text}", self.entity.name);
            self.faults.add(at.clone(), message, hint);
            return None;
        };
        let join = self.joins.iter().find(|(join, _)| join.alias.as_str() == alias);
        let Some((join, entity)) = join else {
            if self.spec.joins.iter().any(|(other, _)| other == alias) {
                // It has been told what is wrong with the join.
                return None;
            }
            let aliases = self.joins.iter().map(|(join, _)| join.alias.as_str());
            let hint = match nearest(alias, aliases) {
                Some(alias) => format!("did you mean {alias}?"),
                None => format!("add {}.{alias} with entity and on", self.at.name("join")),
            };
            self.faults.add(at.clone(), format!("there is no join {alias}"), hint);
            return None;
        };
        let found = find_column(column, entity, at, self.faults)?;
        Some((ColumnRef::new(Some(join.alias.clone()), found.name.clone()), found))
    }

    fn dimensions(&mut self) -> Vec<DimensionRole> {
        let mut roles = Vec::new();
        for (text, spec) in &self.spec.dimensions {
            let at = self.at.name("dimensions").name(text);
            let Some(role) = name(text, &at, self.faults) else { continue };
            let wanted = spec.dimension.as_deref().unwrap_or(text);
            if self.known.calendar.is_some_and(|calendar| calendar.name.as_str() == wanted) {
                roles.extend(self.calendar(role, spec, &at));
                continue;
            }
            let found = self.known.dimensions.iter().find(|other| other.name.as_str() == wanted);
            match found {
                Some(dimension) => roles.extend(self.role(role, dimension, spec, &at)),
                None => self.no_dimension(wanted, spec, &at),
            }
        }
        roles
    }

    fn no_dimension(&mut self, wanted: &str, spec: &RoleSpec, at: &At) {
        if self.known.spec.dimensions.iter().any(|(name, _)| name == wanted) {
            // It has been told what is wrong with the dimension.
            return;
        }
        let names = self.known.spec.dimensions.iter().map(|(name, _)| name.as_str());
        let names: Vec<&str> =
            names.chain(self.known.calendar.map(|calendar| calendar.name.as_str())).collect();
        let hint = match (nearest(wanted, names.iter().copied()), spec.dimension.is_some()) {
            (Some(name), true) => format!("did you mean {name}?"),
            (Some(name), false) => format!("write dimension = \"{name}\""),
            (None, _) if wanted == "date" => "add [calendar]".to_owned(),
            (None, true) => format!("there are {}", listed(names.into_iter())),
            (None, false) => {
                format!("write dimension = \"…\", one of {}", listed(names.into_iter()))
            }
        };
        let at = if spec.dimension.is_some() { at.name("dimension") } else { at.clone() };
        self.faults.add(at, format!("there is no dimension {wanted}"), hint);
    }

    fn role(
        &mut self,
        role: Name,
        dimension: &Dimension,
        spec: &RoleSpec,
        at: &At,
    ) -> Option<DimensionRole> {
        let home = self.known.entities.iter().find(|entity| entity.name == dimension.entity)?;
        if spec.key.len() != dimension.key.len() {
            let message = format!(
                "the dimension {} is found by {}: {}",
                dimension.name,
                columns(dimension.key.len()),
                joined(&dimension.key)
            );
            let hint = format!("write key with {}, in this order", columns(dimension.key.len()));
            self.faults.add(at.name("key"), message, hint);
            return None;
        }
        let mut key = Vec::new();
        for (index, (text, wanted)) in spec.key.iter().zip(&dimension.key).enumerate() {
            let at = at.name("key").index(index);
            let Some((reference, column)) = self.reference(text, &at) else { continue };
            let Some(wanted) = home.column(wanted) else { continue };
            if !column.ty.fits(&wanted.ty) {
                let message = format!(
                    "{text} is {}, and {} of {} is {}",
                    column.ty, wanted.name, home.name, wanted.ty
                );
                let hint = match wanted.ty.fits(&column.ty) {
                    true => format!("make {} of {} {} too", wanted.name, home.name, column.ty),
                    false => "a key and what it equals have the same type".to_owned(),
                };
                self.faults.add(at, message, hint);
            }
            key.push(reference);
        }
        let resolve = match &spec.as_of {
            None => Resolve::Current,
            Some(text) => {
                let at = at.name("as_of");
                let (reference, column) = self.reference(text, &at)?;
                if !column.ty.is_time() {
                    let message = format!("{text} is {}, which tells no moment", column.ty);
                    self.faults.add(at.clone(), message, "take a date or a timestamp");
                }
                if !dimension.has_history() {
                    let message = format!("the dimension {} keeps no history", dimension.name);
                    let hint = "leave as_of out, or make an attribute of it type2";
                    self.faults.add(at, message, hint);
                }
                Resolve::AsOf(reference)
            }
        };
        Some(DimensionRole { role, dimension: dimension.name.clone(), key, resolve })
    }

    fn calendar(&mut self, role: Name, spec: &RoleSpec, at: &At) -> Option<DimensionRole> {
        let calendar = self.known.calendar?;
        let [text] = spec.key.as_slice() else {
            let message =
                format!("the calendar {} is found by one date or timestamp", calendar.name);
            self.faults.add(at.name("key"), message, "write key = [\"…\"] with that column");
            return None;
        };
        if spec.as_of.is_some() {
            let message = "the calendar keeps no history";
            self.faults.add(at.name("as_of"), message, "leave as_of out");
        }
        let at = at.name("key").index(0);
        let (reference, column) = self.reference(text, &at)?;
        if !column.ty.is_time() {
            let message = format!("{text} is {}, which is no day", column.ty);
            self.faults.add(at, message, "make it a date or a timestamp: timestamp(iso)");
        }
        let key = vec![reference];
        Some(DimensionRole {
            role,
            dimension: calendar.name.clone(),
            key,
            resolve: Resolve::Current,
        })
    }

    fn degenerate(&mut self) -> Vec<(Name, ColumnRef)> {
        let mut degenerate = Vec::new();
        for (text, column) in &self.spec.degenerate {
            let at = self.at.name("degenerate").name(text);
            let name = name(text, &at, self.faults);
            let reference = self.reference(column, &at);
            degenerate.extend(name.zip(reference.map(|(reference, _)| reference)));
        }
        degenerate
    }

    fn measures(&mut self) -> Vec<Measure> {
        let mut measures = Vec::new();
        for (text, column) in &self.spec.measures {
            let at = self.at.name("measures").name(text);
            let name = name(text, &at, self.faults);
            let Some(column) = self.measure(column, &at) else { continue };
            if !column.ty.is_numeric() {
                let message = format!("{} is {}, which is not summed", column.name, column.ty);
                let hint = "take int, decimal or double, or write it under degenerate";
                self.faults.add(at, message, hint);
            }
            measures.extend(name.map(|name| Measure { name, column: column.name.clone() }));
        }
        measures
    }

    fn measure(&mut self, text: &str, at: &At) -> Option<&'k Column> {
        if let Some(column) = column_of(text, self.entity).filter(|_| !text.contains('.')) {
            return Some(column);
        }
        let (alias, column) =
            text.split_once('.').map_or((None, text), |(alias, column)| (Some(alias), column));
        let joined = self.joins.iter().find(|(join, entity)| {
            alias.is_none_or(|alias| join.alias.as_str() == alias)
                && column_of(column, entity).is_some()
        });
        if let Some((join, entity)) = joined {
            let message = format!(
                "{column} is of {}, and one {} has many {}: the sum would count it once for each",
                join.alias, entity.name, self.entity.name
            );
            let hint = format!(
                "sum it in a fact of its own: [fact.…] with entity = {} and grain = [{}]",
                Quoted(entity.name.as_str()),
                quoted(&entity.key)
            );
            self.faults.add(at.clone(), message, hint);
            return None;
        }
        self.reference(text, at).map(|(_, column)| column)
    }
}

fn columns(count: usize) -> String {
    match count {
        1 => "one column".to_owned(),
        many => format!("{many} columns"),
    }
}
