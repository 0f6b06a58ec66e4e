//! From entities to the star: what happens is a fact, what it happens to is a dimension.

use std::collections::BTreeMap;

use super::columns::is_plain;
use super::draft::{Col, Draft};
use super::relations::{Relation, repeats};
use crate::infer::group::Side;
use crate::infer::words::{self, Time};
use crate::spec::{CalendarSpec, DimensionSpec, FactSpec, JoinSpec, Named, OperandSpec, RoleSpec};
use crate::{History, SourceSpec, Type, UnnestOver};

/// So many joins are followed from a fact.
const DEEPEST: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Star {
    pub(super) dimensions: Named<DimensionSpec>,
    pub(super) facts: Named<FactSpec>,
    pub(super) calendar: Option<CalendarSpec>,
    /// Why, by the name of the dimension or fact.
    pub(super) notes: BTreeMap<String, Vec<String>>,
    pub(super) alerts: Vec<String>,
    /// The entities that are neither.
    pub(super) unused: Vec<usize>,
}

/// What repeats under an id inside another entity: product name, color, category under the
/// product's id in order lines.
#[derive(Debug)]
struct Embedded {
    of: usize,
    id: String,
    told: Vec<String>,
    name: String,
    evidence: String,
}

pub(super) fn build(drafts: &[Draft], relations: &[Relation]) -> Star {
    let mut star = Star::default();
    let embedded: Vec<Embedded> =
        (0..drafts.len()).flat_map(|at| embedded(drafts, at, relations)).collect();
    let events = events(drafts, relations, &embedded);
    let mut builder =
        Builder { drafts, relations, embedded: &embedded, events: &events, names: BTreeMap::new() };
    builder.name_dimensions();
    let mut facts: Vec<usize> = (0..drafts.len()).filter(|at| events.contains(at)).collect();
    // The finest first.
    facts.sort_by_key(|at| std::cmp::Reverse(builder.depth(*at, 0)));
    let mut used: Vec<Target> = Vec::new();
    let mut dated = false;
    let mut built = Vec::new();
    for at in facts {
        let (fact, targets, has_date) = builder.fact(at);
        dated |= has_date;
        for target in targets {
            if !used.contains(&target) {
                used.push(target);
            }
        }
        built.push((at, fact));
    }
    used.sort();
    for target in &used {
        let (name, spec, notes) = builder.dimension(target);
        star.notes.insert(name.clone(), notes);
        star.dimensions.push((name, spec));
    }
    let mut taken: Vec<String> = star.dimensions.iter().map(|(name, _)| name.clone()).collect();
    let calendar = builder.calendar_name();
    taken.push(calendar.clone());
    for (at, mut fact) in built {
        let name = builder.fact_name(at, &fact, &taken);
        taken.push(name.clone());
        if let Some(draft) = drafts.get(at) {
            if draft.name == name {
                fact.entity = None;
            }
            star.notes.insert(name.clone(), builder.fact_notes(at, &fact));
        }
        star.facts.push((name, fact));
    }
    if dated {
        let name = (calendar != "date").then_some(calendar);
        star.calendar =
            Some(CalendarSpec { name, fiscal_start_month: Some(1), ..CalendarSpec::default() });
    }
    star.alerts = builder.unreached(&used);
    let is_used = |at: &usize| events.contains(at) || used.contains(&Target::Entity(*at));
    star.unused = (0..drafts.len()).filter(|at| !is_used(at)).collect();
    star
}

/// What a dimension is made of.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Target {
    Entity(usize),
    /// The place among what is embedded.
    Embedded(usize),
}

fn embedded(drafts: &[Draft], of: usize, relations: &[Relation]) -> Vec<Embedded> {
    let mut found: Vec<Embedded> = Vec::new();
    let Some(draft) = drafts.get(of) else { return found };
    let refers = |name: &str| {
        relations
            .iter()
            .any(|relation| relation.from == of && relation.own().any(|own| own == name))
    };
    let mut ids: Vec<&Col> = draft
        .columns
        .iter()
        .filter(|column| {
            let is_key = draft.key.contains(&column.name);
            (is_key || words::is_id(&column.name))
                && !(draft.key.len() == 1 && is_key)
                && !refers(&column.name)
                && column.side.is_some()
                && matches!(column.ty, Type::Text { .. } | Type::Int)
                && repeats(&column.values)
        })
        .collect();
    ids.sort_by_key(|column| !draft.key.contains(&column.name));
    for id in ids {
        let Some(side) = &id.side else { continue };
        let mut watched = 0;
        let told: Vec<String> = draft
            .columns
            .iter()
            .filter(|column| {
                let Some(Side::Attribute(attribute)) = &column.side else { return false };
                let taken = found.iter().any(|other| other.told.contains(&column.name));
                let constant = column.values.sketch.distinct() <= 1;
                let is_ours = column.name != id.name
                    && !draft.key.contains(&column.name)
                    && !words::is_id(&column.name)
                    && !refers(&column.name)
                    && matches!(column.ty, Type::Text { .. } | Type::Bool);
                if !is_ours || taken || constant {
                    return false;
                }
                let (repeated, same) = draft.group.tells(side, attribute);
                watched = watched.max(repeated);
                repeated >= 3 && repeated == same
            })
            .map(|column| column.name.clone())
            .collect();
        if told.is_empty() {
            continue;
        }
        let thing = words::thing(&id.name);
        let name = if thing.is_empty() { id.name.clone() } else { thing };
        let evidence = format!(
            "{} tells {}: so with all {watched} watched values that stand in several items",
            id.name,
            told.join(", ")
        );
        found.push(Embedded { of, id: id.name.clone(), told, name, evidence });
    }
    found
}

fn time_of(column: &Col) -> Option<Time> {
    if !column.ty.is_time() {
        return None;
    }
    Some(words::time(&column.name).unwrap_or(Time::Event))
}

fn is_measure(draft: &Draft, column: &Col, refers: bool) -> bool {
    column.ty.is_numeric()
        && !refers
        && !draft.key.contains(&column.name)
        && !words::is_id(&column.name)
        && !words::is_no_measure(&column.name)
        && words::time(&column.name) != Some(Time::Audit)
        && !matches!(
            column.spec.source,
            SourceSpec::Position | SourceSpec::Entry | SourceSpec::Parent(_)
        )
}

/// The entities whose items are events.
fn events(drafts: &[Draft], relations: &[Relation], embedded: &[Embedded]) -> Vec<usize> {
    let refers = |at: usize, name: &str| {
        relations
            .iter()
            .any(|relation| relation.from == at && relation.own().any(|own| own == name))
    };
    let score = |at: usize, known: &[usize]| -> i32 {
        let Some(draft) = drafts.get(at) else { return 0 };
        let told = |name: &str| {
            embedded
                .iter()
                .any(|embedded| embedded.of == at && embedded.told.iter().any(|t| t == name))
        };
        let times: Vec<Time> = draft.columns.iter().filter_map(time_of).collect();
        let measures = draft
            .columns
            .iter()
            .filter(|column| is_measure(draft, column, refers(at, &column.name)));
        let describes = draft.columns.iter().any(|column| {
            column.is_text()
                && words::is_description(&column.name)
                && !told(&column.name)
                && !refers(at, &column.name)
        });
        let out: Vec<&Relation> = relations.iter().filter(|relation| relation.from == at).collect();
        let mut score = i32::try_from(measures.count().min(2)).unwrap_or(0);
        score += if times.contains(&Time::Event) { 2 } else { i32::from(!times.is_empty()) };
        score += i32::from(out.len() >= 2);
        score += if out.iter().any(|relation| known.contains(&relation.to)) { 2 } else { 0 };
        score -= if describes { 3 } else { 0 };
        // What refers to nothing and is referred to is what others happen to.
        if out.is_empty() && relations.iter().any(|relation| relation.to == at) {
            score -= 3;
        }
        score
    };
    let mut known: Vec<usize> = Vec::new();
    loop {
        let now: Vec<usize> = (0..drafts.len()).filter(|at| score(*at, &known) >= 2).collect();
        if now == known || now.len() < known.len() {
            return known;
        }
        known = now;
    }
}

struct Builder<'b> {
    drafts: &'b [Draft],
    relations: &'b [Relation],
    embedded: &'b [Embedded],
    events: &'b [usize],
    names: BTreeMap<Target, String>,
}

/// A way from a fact to an entity.
#[derive(Clone, Debug)]
struct Way {
    to: usize,
    /// The join's alias; none for the fact's own entity.
    alias: Option<String>,
    deep: usize,
}

impl Way {
    fn column(&self, name: &str) -> String {
        match &self.alias {
            Some(alias) => format!("{alias}.{name}"),
            None => name.to_owned(),
        }
    }
}

impl<'b> Builder<'b> {
    fn draft(&self, at: usize) -> Option<&'b Draft> {
        self.drafts.get(at)
    }

    fn from(&self, at: usize) -> impl Iterator<Item = &'b Relation> + use<'b> {
        self.relations.iter().filter(move |relation| relation.from == at)
    }

    /// How many events lie behind one another.
    fn depth(&self, at: usize, deep: usize) -> usize {
        if deep > self.drafts.len() {
            return deep;
        }
        let parents = self.from(at).filter(|relation| self.events.contains(&relation.to));
        parents.map(|relation| 1 + self.depth(relation.to, deep + 1)).max().unwrap_or(0)
    }

    /// Names of dimensions differ from each other; entities come first.
    fn name_dimensions(&mut self) {
        let mut taken: Vec<String> = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            if !self.events.contains(&at) {
                taken.push(draft.name.clone());
                self.names.insert(Target::Entity(at), draft.name.clone());
            }
        }
        for (at, embedded) in self.embedded.iter().enumerate() {
            let mut name = embedded.name.clone();
            let mut number = 2;
            while taken.contains(&name) {
                name = format!("{}_{number}", embedded.name);
                number += 1;
            }
            taken.push(name.clone());
            self.names.insert(Target::Embedded(at), name);
        }
    }

    fn calendar_name(&self) -> String {
        let taken = |name: &str| self.names.values().any(|have| have == name);
        if taken("date") { "calendar".to_owned() } else { "date".to_owned() }
    }

    /// The columns of a dimension's business key: those by which most refer to it.
    fn key(&self, target: &Target) -> Vec<String> {
        match target {
            Target::Embedded(at) => {
                self.embedded.get(*at).map(|e| e.id.clone()).into_iter().collect()
            }
            Target::Entity(at) => {
                let first = self.relations.iter().find(|relation| relation.to == *at);
                match first {
                    Some(relation) => relation.on.iter().map(|(key, _)| key.clone()).collect(),
                    None => self.draft(*at).map(|draft| draft.key.clone()).unwrap_or_default(),
                }
            }
        }
    }

    fn dimension(&self, target: &Target) -> (String, DimensionSpec, Vec<String>) {
        let name = self.names.get(target).cloned().unwrap_or_default();
        let key = self.key(target);
        let own = ["is_inferred", "is_deleted", "valid_from", "valid_to", "is_current"];
        let free = |column: &&Col| {
            !key.contains(&column.name)
                && !own.contains(&column.name.as_str())
                && column.name != format!("{name}_key")
        };
        let mut spec = DimensionSpec { key: key.clone(), ..DimensionSpec::default() };
        let mut notes = Vec::new();
        let of = match target {
            Target::Entity(at) => *at,
            Target::Embedded(at) => self.embedded.get(*at).map_or(0, |embedded| embedded.of),
        };
        let Some(draft) = self.draft(of) else { return (name, spec, notes) };
        spec.entity = (draft.name != name).then(|| draft.name.clone());
        match target {
            Target::Entity(at) => {
                // Only items of their own tell when they changed.
                let versions = draft.child.is_none();
                for column in
                    draft.columns.iter().filter(free).filter(|column| is_plain(&column.ty))
                {
                    let changes = matches!(column.ty, Type::Text { .. } | Type::Bool)
                        && !words::is_contact(&column.name)
                        && !words::is_id(&column.name);
                    let history =
                        if versions && changes { History::Versions } else { History::Overwrite };
                    spec.attributes.push((column.name.clone(), history));
                }
                for relation in self.relations.iter().filter(|relation| relation.to == *at) {
                    if let Some(from) = self.draft(relation.from) {
                        notes.push(format!(
                            "referred to by {}: {}, confidence {} %",
                            from.name, relation.evidence, relation.confidence
                        ));
                    }
                }
            }
            Target::Embedded(at) => {
                if let Some(embedded) = self.embedded.get(*at) {
                    let told = embedded.told.iter().map(|told| (told.clone(), History::Overwrite));
                    spec.attributes.extend(told);
                    notes.push(embedded.evidence.clone());
                }
            }
        }
        (name, spec, notes)
    }

    /// The fact of an entity, the dimensions that it has, and whether it has a date.
    fn fact(&self, at: usize) -> (FactSpec, Vec<Target>, bool) {
        let mut fact = FactSpec::default();
        let mut targets: Vec<Target> = Vec::new();
        let Some(draft) = self.draft(at) else { return (fact, targets, false) };
        fact.entity = Some(draft.name.clone());
        fact.grain.clone_from(&draft.key);
        let mut roles: Named<RoleSpec> = Vec::new();
        let mut joins: Vec<(String, JoinSpec, Option<String>)> = Vec::new();
        let mut needed: Vec<String> = Vec::new();
        let mut seen = vec![at];
        let mut ways = vec![Way { to: at, alias: None, deep: 0 }];
        let mut next = 0;
        let mut date: Option<String> = None;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let Some(here) = self.draft(way.to) else { continue };
            // What tells when it happened: of its own, else of the event that it belongs to.
            if date.is_none()
                && (way.to == at || self.events.contains(&way.to))
                && let Some(column) = primary_time(here)
            {
                date = Some(way.column(&column.name));
                needed.extend(way.alias.clone());
            }
            for relation in self.from(way.to) {
                let Some(to) = self.draft(relation.to) else { continue };
                let target = Target::Entity(relation.to);
                let is_event = self.events.contains(&relation.to);
                if !is_event {
                    let key: Vec<String> = self
                        .key(&target)
                        .iter()
                        .filter_map(|key| relation.on.iter().find(|(to, _)| to == key))
                        .map(|(_, own)| way.column(own))
                        .collect();
                    let fits =
                        key.len() == self.key(&target).len() && key.len() == relation.on.len();
                    let again = way.alias.is_some() && targets.contains(&target);
                    if fits && !again {
                        let role = role_name(&roles, &to.name, relation, to);
                        let dimension = (role != to.name).then(|| to.name.clone());
                        roles.push((role, RoleSpec { dimension, key, as_of: None }));
                        targets.push(target);
                        needed.extend(way.alias.clone());
                    }
                }
                if way.deep < DEEPEST && !seen.contains(&relation.to) {
                    seen.push(relation.to);
                    let alias = to.name.clone();
                    let on = relation
                        .on
                        .iter()
                        .map(|(key, own)| (key.clone(), OperandSpec::Column(way.column(own))))
                        .collect();
                    let join = JoinSpec { entity: None, on };
                    joins.push((alias.clone(), join, way.alias.clone()));
                    ways.push(Way { to: relation.to, alias: Some(alias), deep: way.deep + 1 });
                }
            }
            for (place, embedded) in self.embedded.iter().enumerate() {
                let target = Target::Embedded(place);
                if embedded.of == way.to && way.to == at && !targets.contains(&target) {
                    let name = self.names.get(&target).cloned().unwrap_or_default();
                    let key = vec![way.column(&embedded.id)];
                    roles.push((name, RoleSpec { dimension: None, key, as_of: None }));
                    targets.push(target);
                }
            }
        }
        for (role, spec) in &mut roles {
            let name = spec.dimension.as_deref().unwrap_or(role);
            let target = targets
                .iter()
                .find(|target| self.names.get(target).is_some_and(|have| have == name));
            let has_history = target.is_some_and(|target| {
                let (_, spec, _) = self.dimension(target);
                spec.attributes.iter().any(|(_, history)| *history == History::Versions)
            });
            if has_history {
                spec.as_of.clone_from(&date);
            }
        }
        let calendar = self.calendar_name();
        if let Some(date) = &date {
            let role = if roles.iter().any(|(role, _)| *role == calendar) {
                format!("{calendar}_of_event")
            } else {
                calendar.clone()
            };
            let dimension = (role != calendar).then(|| calendar.clone());
            roles.push((role, RoleSpec { dimension, key: vec![date.clone()], as_of: None }));
        }
        for column in &draft.columns {
            let is_main = date.as_deref() == Some(column.name.as_str());
            if time_of(column) == Some(Time::Event)
                && !is_main
                && !roles.iter().any(|(role, _)| *role == column.name)
            {
                let dimension = Some(calendar.clone());
                let key = vec![column.name.clone()];
                roles.push((column.name.clone(), RoleSpec { dimension, key, as_of: None }));
            }
        }
        // A join is there for what it leads to.
        for at in (0..joins.len()).rev() {
            if let Some((alias, _, through)) = joins.get(at)
                && needed.contains(alias)
            {
                needed.extend(through.clone());
            }
        }
        fact.joins = joins
            .into_iter()
            .filter(|(alias, _, _)| needed.contains(alias))
            .map(|(alias, join, _)| (alias, join))
            .collect();
        fact.dimensions = roles;
        self.own_columns(at, draft, &mut fact);
        let dated = date.is_some() || draft.columns.iter().any(|c| time_of(c) == Some(Time::Event));
        (fact, targets, dated)
    }

    /// The measures and the degenerate columns.
    fn own_columns(&self, at: usize, draft: &Draft, fact: &mut FactSpec) {
        let refers =
            |name: &str| self.from(at).any(|relation| relation.own().any(|own| own == name));
        let told = |name: &str| {
            self.embedded.iter().any(|embedded| {
                embedded.of == at
                    && (embedded.id == name || embedded.told.iter().any(|t| t == name))
            })
        };
        let roles: Vec<String> =
            fact.dimensions.iter().map(|(role, _)| format!("{role}_key")).collect();
        for column in &draft.columns {
            let name = &column.name;
            let taken = draft.key.contains(name) || roles.contains(name);
            if taken || refers(name) || told(name) {
                continue;
            }
            if is_measure(draft, column, false) {
                fact.measures.push((name.clone(), name.clone()));
                continue;
            }
            let short = match column.ty {
                Type::Text { max_bytes } => max_bytes <= 64,
                Type::Bool | Type::Int => true,
                _ => false,
            };
            if short && !words::is_contact(name) && time_of(column).is_none() {
                fact.degenerate.push((name.clone(), name.clone()));
            }
        }
    }

    fn fact_name(&self, at: usize, fact: &FactSpec, taken: &[String]) -> String {
        let Some(draft) = self.draft(at) else { return "fact".to_owned() };
        let money = fact.measures.iter().any(|(name, _)| words::is_money(name));
        let of_sale = self
            .from(at)
            .filter(|relation| self.events.contains(&relation.to))
            .filter_map(|relation| self.draft(relation.to))
            .any(|parent| words::is_sale(&parent.name));
        let mut name = words::plural(&draft.name);
        if money && of_sale && !taken.iter().any(|name| name == "sales") {
            name = "sales".to_owned();
        }
        if taken.contains(&name) {
            name = format!("{name}_fact");
        }
        let base = name.clone();
        let mut number = 2;
        while taken.contains(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        name
    }

    fn fact_notes(&self, at: usize, fact: &FactSpec) -> Vec<String> {
        let Some(draft) = self.draft(at) else { return Vec::new() };
        let mut notes =
            vec![format!("one row for each {}: {}", draft.name, super::count(draft.rows))];
        for (alias, _) in &fact.joins {
            let relation = self
                .relations
                .iter()
                .find(|relation| self.draft(relation.to).is_some_and(|to| to.name == *alias));
            if let Some(relation) = relation {
                notes.push(format!(
                    "{alias} is looked up: {}, confidence {} %; at most one row each",
                    relation.evidence, relation.confidence
                ));
            }
        }
        if fact.measures.is_empty() {
            notes.push("nothing to sum: its rows are counted".to_owned());
        }
        notes
    }

    /// What a fact could be joined with only by counting its rows several times.
    fn unreached(&self, used: &[Target]) -> Vec<String> {
        let mut alerts = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            let Some(child) = &draft.child else { continue };
            if self.events.contains(&at) || used.contains(&Target::Entity(at)) {
                continue;
            }
            let Some(parent) = self.draft(child.parent) else { continue };
            if child.over == UnnestOver::List {
                continue;
            }
            alerts.push(format!(
                "{}: no fact says which {} of its {} it means, and a join with all of them would \
                 count the fact once for each; add a column that says it, or pick one in on, such \
                 as {{ text = \"home\" }}",
                draft.name, draft.name, parent.name
            ));
        }
        alerts
    }
}

/// What a dimension is for a fact: its own name, or what the column says where there are several.
fn role_name(roles: &Named<RoleSpec>, dimension: &str, relation: &Relation, to: &Draft) -> String {
    let taken = |name: &str| roles.iter().any(|(role, _)| role == name);
    let own: Vec<&str> = relation.own().collect();
    let thing = match own.as_slice() {
        [one] => words::thing(one),
        _ => String::new(),
    };
    let special = words::plain(&thing).ends_with(&words::plain(&to.name))
        && words::plain(&thing) != words::plain(&to.name);
    let name = if special { thing.clone() } else { dimension.to_owned() };
    if !taken(&name) {
        return name;
    }
    let base = if thing.is_empty() || taken(&thing) { name } else { return thing };
    let mut number = 2;
    while taken(&format!("{base}_{number}")) {
        number += 1;
    }
    format!("{base}_{number}")
}

/// The date or timestamp that tells when the event happened.
fn primary_time(draft: &Draft) -> Option<&Col> {
    let entity = words::plain(&draft.name);
    let rank = |column: &&Col| {
        let plain = words::plain(&column.name);
        let event = time_of(column) == Some(Time::Event);
        let later = ["due", "end", "until", "to", "return", "returned", "delivered", "paid"];
        let is_later = words::words(&column.name).iter().any(|word| later.contains(&word.as_str()));
        (event, column.present >= 0.99, !is_later, plain.contains(&entity))
    };
    let times = draft.columns.iter().rev().filter(|column| time_of(column).is_some());
    times.max_by_key(rank)
}
