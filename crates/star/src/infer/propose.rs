use std::collections::BTreeMap;

use super::hints::Hints;
use super::profile::Profile;
use super::sketch::Sketch;
use super::values::Values;
use crate::spec::{DimensionSpec, EntitySpec, ModelSpec, Named, TableSpec};
use crate::{KeyTemplate, ModelError};

mod columns;
mod draft;
mod entities;
mod relations;
mod star;

pub(super) use draft::{Draft, Piece, Template};
pub(super) use entities::plain_name;
pub(super) use relations::Relation;

/// A model that the items of a table suggest, and why.
///
/// [`to_toml`](Self::to_toml) writes it as a `model.toml` that runs as it is, with the evidence as
/// comments; [`to_html`](Self::to_html) draws it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proposal {
    /// The model.
    pub spec: ModelSpec,
    /// What needs somebody's attention.
    pub alerts: Vec<String>,
    /// How many items it was told from.
    pub items: u64,
    pub(super) drafts: Vec<Draft>,
    pub(super) relations: Vec<Relation>,
    pub(super) notes: BTreeMap<String, Vec<String>>,
}

impl From<&Profile> for Proposal {
    fn from(profile: &Profile) -> Self {
        Self::with_hints(profile, &Hints::default())
    }
}

impl Proposal {
    /// Proposes a model; what definitions say is followed where the data agree.
    #[must_use]
    pub fn with_hints(profile: &Profile, hints: &Hints) -> Self {
        let table = entities::table(profile);
        let mut drafts = entities::drafts(profile, &table);
        let mut alerts = hints.apply(&mut drafts);
        let mut children = Vec::new();
        for (place, draft) in drafts.iter_mut().enumerate() {
            let found = columns::fill(draft, place, &table);
            children.extend(found.children);
            alerts.extend(found.alerts);
        }
        for mut child in children {
            let parent = child.child.as_ref().and_then(|child| drafts.get(child.parent));
            let parent = parent.map(|parent| parent.name.clone()).unwrap_or_default();
            let vague = ["entry", "item", "line", "element", "member", "value", "detail", "part"];
            let is_taken = drafts.iter().any(|draft| draft.name == child.name);
            if is_taken || vague.contains(&child.name.as_str()) {
                child.name = format!("{parent}_{}", child.name);
            }
            let base = child.name.clone();
            let mut number = 2;
            while drafts.iter().any(|draft| draft.name == child.name) {
                child.name = format!("{base}_{number}");
                number += 1;
            }
            drafts.push(child);
        }
        let relations = relations::find(&mut drafts);
        let (mut drafts, relations) = arrange(drafts, relations);
        let star = star::build(&drafts, &relations);
        for at in &star.unused {
            if let Some(draft) = drafts.get_mut(*at) {
                draft.evidence.push("in the lake and in landing, but not in the star".to_owned());
            }
        }
        let mut all = general_alerts(profile, &table, &drafts);
        all.extend(alerts);
        all.extend(look(&drafts));
        all.extend(star.alerts);
        let spec = ModelSpec {
            table: TableSpec { partition_key: table.partition, sort_key: table.sort },
            entities: drafts
                .iter()
                .map(|draft| (draft.name.clone(), entity(draft, &drafts)))
                .collect(),
            dimensions: star.dimensions,
            calendar: star.calendar,
            facts: star.facts,
        };
        let notes = star.notes;
        Self { spec, alerts: all, items: profile.items(), drafts, relations, notes }
    }
}

fn general_alerts(
    profile: &Profile,
    table: &entities::TableNames,
    drafts: &[Draft],
) -> Vec<String> {
    let mut alerts = Vec::new();
    if profile.items() == 0 {
        alerts.push("no items were read: there is nothing to propose".to_owned());
        return alerts;
    }
    if !table.is_known {
        alerts.push(format!(
            "the table's key is not told by the names of attributes; {} is a guess: say which \
             attributes are its partition and sort key",
            table.partition
        ));
    }
    let read: u64 =
        drafts.iter().filter(|draft| draft.child.is_none()).map(|draft| draft.rows).sum();
    if profile.items() > read {
        alerts.push(format!(
            "{} of {} items have not the key {}{}: they are of no entity",
            count(profile.items() - read),
            count(profile.items()),
            table.partition,
            table.sort.as_deref().map(|sort| format!(" and {sort}")).unwrap_or_default()
        ));
    }
    if profile.is_coarse() {
        alerts.push(
            "there are too many shapes of items to tell all of them apart: entities may be several"
                .to_owned(),
        );
    }
    alerts
}

/// What notes on columns ask somebody to look at.
fn look(drafts: &[Draft]) -> Vec<String> {
    let mut alerts = Vec::new();
    for draft in drafts {
        for column in &draft.columns {
            for note in &column.notes {
                if let Some(note) = note.strip_prefix("look: ") {
                    alerts.push(format!("{}.{}: {note}", draft.name, column.name));
                } else if note.starts_with("of several types") {
                    alerts.push(format!("{}.{} is {note}", draft.name, column.name));
                }
            }
        }
    }
    alerts
}

/// Puts what is referred to before what refers, children behind their parents, and of two forms
/// that a key may have the narrower first.
fn arrange(drafts: Vec<Draft>, relations: Vec<Relation>) -> (Vec<Draft>, Vec<Relation>) {
    let mut order: Vec<usize> = Vec::new();
    let children = |of: usize| {
        drafts.iter().enumerate().filter_map(move |(at, draft)| {
            draft.child.as_ref().is_some_and(|child| child.parent == of).then_some(at)
        })
    };
    let mut waiting: Vec<usize> =
        (0..drafts.len()).filter(|at| drafts.get(*at).is_some_and(|d| d.child.is_none())).collect();
    waiting.sort_by_key(|at| {
        let draft = drafts.get(*at);
        (general(draft), draft.map(|draft| draft.name.clone()))
    });
    while !waiting.is_empty() {
        let is_ready = |at: &usize| {
            let own: Vec<usize> = std::iter::once(*at).chain(children(*at)).collect();
            let narrow = general(drafts.get(*at));
            relations.iter().filter(|relation| own.contains(&relation.from)).all(|relation| {
                let to = match drafts.get(relation.to).and_then(|draft| draft.child.as_ref()) {
                    Some(child) => child.parent,
                    None => relation.to,
                };
                order.contains(&to) || to == *at || general(drafts.get(to)) > narrow
            })
        };
        let first = waiting.iter().position(is_ready).unwrap_or(0);
        let next = waiting.remove(first);
        order.push(next);
        order.extend(children(next));
    }
    let place = |old: usize| order.iter().position(|at| *at == old).unwrap_or(old);
    let relations = relations
        .into_iter()
        .map(|relation| Relation { from: place(relation.from), to: place(relation.to), ..relation })
        .collect::<Vec<_>>();
    let places: Vec<usize> = (0..drafts.len()).map(place).collect();
    let mut placed: Vec<(usize, Draft)> = places.iter().copied().zip(drafts).collect();
    placed.sort_by_key(|(at, _)| *at);
    let drafts = placed.into_iter().map(|(_, mut draft)| {
        if let Some(child) = &mut draft.child {
            child.parent = places.get(child.parent).copied().unwrap_or(child.parent);
        }
        draft
    });
    let mut relations = relations;
    relations.sort_by(|a, b| (a.from, a.to, &a.on).cmp(&(b.from, b.to, &b.on)));
    (drafts.collect(), relations)
}

/// How many keys of the entity say nothing by themselves; with a discriminator that does no harm.
fn general(draft: Option<&Draft>) -> usize {
    draft.map_or(0, |draft| match draft.when {
        Some(_) => 0,
        None => draft.templates().filter(|template| template.literals() == 0).count(),
    })
}

fn entity(draft: &Draft, drafts: &[Draft]) -> EntitySpec {
    let mut spec = EntitySpec { unique: draft.unique.clone(), ..EntitySpec::default() };
    spec.when = draft.when.clone().into_iter().collect();
    if let Some(child) = &draft.child {
        spec.parent = drafts.get(child.parent).map(|parent| parent.name.clone());
        spec.unnest = Some(child.path.clone());
        spec.over = Some(child.over);
    } else {
        let mut forms = draft.templates().map(|template| KeyTemplate::parse(&template.text()).ok());
        spec.pk = forms.next().flatten();
        spec.sk = forms.next().flatten();
        let like = draft.indexes.iter();
        spec.like = like
            .filter_map(|index| Some((index.template.attribute.clone(), index.form()?)))
            .collect();
    }
    let columns = draft.columns.iter();
    spec.columns = columns.map(|column| (column.text.clone(), column.spec.clone())).collect();
    spec
}

impl Proposal {
    /// The model, checked.
    ///
    /// # Errors
    ///
    /// If the proposal is no model: that of an empty table is none.
    pub fn model(&self) -> Result<crate::Model, ModelError> {
        crate::Model::parse(&self.to_toml())
    }

    pub(super) fn dimension(&self, name: &str) -> Option<&DimensionSpec> {
        named(&self.spec.dimensions, name)
    }
}

fn named<'n, T>(all: &'n Named<T>, name: &str) -> Option<&'n T> {
    all.iter().find(|(have, _)| have == name).map(|(_, value)| value)
}

/// A count with its digits in groups.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share, never rounded up to all nor down to none.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if part == whole {
        return "100 %".to_owned();
    }
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    match share {
        share if part > 0 && share < 0.1 => "< 0.1 %".to_owned(),
        share if share > 99.9 => "> 99.9 %".to_owned(),
        share => format!("{share:.1} %"),
    }
}

/// The number of distinct values: two digits of it, where it is an estimate.
fn rounded(sketch: &Sketch) -> u64 {
    let distinct = sketch.distinct();
    if sketch.is_exact() {
        return distinct;
    }
    let unit = 10u64.pow(distinct.max(1).ilog10().saturating_sub(1));
    distinct.div_euclid(unit) * unit
}

/// Of how many values something was told.
fn watched(values: &Values, told: usize) -> String {
    match values.sketch.is_exact() && values.sketch.distinct() == told as u64 {
        true => format!("its {} values", count(told as u64)),
        false => format!("{} watched values", count(told as u64)),
    }
}

/// A name with its article.
fn article(name: &str) -> String {
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}
