//! Which entity a column refers to: by name, by the tag in a key, by where its values are found.

use super::draft::{Col, Draft};
use crate::infer::values::Values;
use crate::infer::words;
use crate::{SourceSpec, Type, UnnestOver};

/// Many rows of one entity to one of another.
#[derive(Clone, Debug)]
pub(in crate::infer) struct Relation {
    pub(in crate::infer) from: usize,
    pub(in crate::infer) to: usize,
    /// Columns of the entity referred to, and the columns that refer; the first tell one row.
    pub(in crate::infer) on: Vec<(String, String)>,
    pub(in crate::infer) evidence: String,
    pub(in crate::infer) confidence: u8,
}

impl Relation {
    /// The columns that refer.
    pub(in crate::infer) fn own(&self) -> impl Iterator<Item = &str> {
        self.on.iter().map(|(_, own)| own.as_str())
    }
}

/// Finds the relations; columns by which rows turn out to be referred to are declared unique.
pub(super) fn find(drafts: &mut [Draft]) -> Vec<Relation> {
    let mut relations: Vec<Relation> = Vec::new();
    for from in 0..drafts.len() {
        relations.extend(single(drafts, from));
    }
    // A row refers to few things, and to none by way of itself: of two that refer to each other
    // the one by the better name is kept.
    relations = without_circles(relations);
    for from in 0..drafts.len() {
        let more = composite(drafts, from, &relations);
        relations.extend(more);
    }
    for relation in &relations {
        let columns: Vec<&str> = relation.on.iter().map(|(column, _)| column.as_str()).collect();
        if let Some(draft) = drafts.get_mut(relation.to)
            && !draft.has_key(&columns)
        {
            draft.unique.push(columns.into_iter().map(str::to_owned).collect());
        }
    }
    relations.sort_by(|a, b| (a.from, a.to, &a.on).cmp(&(b.from, b.to, &b.on)));
    unify(drafts, &relations);
    relations
}

/// Columns by which alone a row of the entity is found.
fn targets(draft: &Draft) -> Vec<&Col> {
    if draft.child.is_some() {
        return Vec::new();
    }
    let whole = draft.key.len() == 1;
    let keys = draft.key.iter().filter_map(|name| draft.column(name));
    keys.filter(|column| whole || column.seems_unique() && !column.ty.is_time()).collect()
}

fn same_class(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Text { .. }, Type::Text { .. }) => true,
        (Type::Int | Type::Decimal { .. }, Type::Int | Type::Decimal { .. }) => a == b,
        (a, b) => a.is_time() && a == b,
    }
}

/// How well a column's name says that it refers, from 0.
fn by_name(column: &Col, target: &Col, to: &Draft) -> u8 {
    let (name, thing) = (words::plain(&column.name), words::thing(&column.name));
    let entity = words::plain(&to.name);
    if column.name == target.name {
        4
    } else if column.tags.iter().any(|tag| target.tags.contains(tag))
        || !thing.is_empty() && words::plain(&thing) == entity
    {
        3
    } else if words::is_id(&column.name)
        && (words::plain(&thing).ends_with(&entity)
            || name.ends_with(&words::plain(&target.name)) && words::plain(&target.name) != "id")
    {
        2
    } else {
        0
    }
}

fn single(drafts: &[Draft], from: usize) -> Vec<Relation> {
    let mut found = Vec::new();
    let Some(draft) = drafts.get(from) else { return found };
    for column in &draft.columns {
        let mut best: Option<((u8, bool, u64), Relation)> = None;
        for (to, other) in drafts.iter().enumerate() {
            if to == from {
                continue;
            }
            for target in targets(other) {
                if !same_class(&column.ty, &target.ty) {
                    continue;
                }
                let (share, told) = column.values.sketch.within(&target.values.sketch);
                let named = by_name(column, target, other);
                let distinct = column.values.sketch.distinct();
                let long = column.values.text.as_ref().is_some_and(|texts| texts.max_bytes >= 6);
                let enough = match named {
                    3 | 4 => told > 0 && share >= 0.5,
                    2 => told > 0 && share >= 0.8,
                    _ => {
                        told >= 8
                            && distinct >= 8
                            && share >= 0.98
                            && long
                            && words::is_id(&column.name)
                    }
                };
                // One to one: the other is only what is meant if it says so.
                let whole_key = draft.key.len() == 1 && draft.key.contains(&column.name);
                let thing = words::plain(&words::thing(&target.name));
                let owns = thing == words::plain(&other.name)
                    || target.tags.iter().any(|tag| words::abbreviates(tag, &other.name));
                if !enough || whole_key && !(owns && draft.child.is_none()) {
                    continue;
                }
                let alone = other.key.len() == 1;
                let rank = (named + u8::from(owns) * 2 + u8::from(alone), alone, other.rows);
                if best.as_ref().is_none_or(|(have, _)| rank > *have) {
                    let percent = (share * 100.0).floor() as u8;
                    let evidence = format!(
                        "{percent} % of {} are {} of {}",
                        super::watched(&column.values, told),
                        target.name,
                        other.name
                    );
                    let sure = if named >= 3 { share } else { share * 0.85 };
                    let on = vec![(target.name.clone(), column.name.clone())];
                    let confidence = (sure * 99.0).round() as u8;
                    best = Some((rank, Relation { from, to, on, evidence, confidence }));
                }
            }
        }
        found.extend(best.map(|(_, relation)| relation));
    }
    if let Some(child) = &draft.child
        && let Some(parent) = drafts.get(child.parent)
        && !found.iter().any(|relation| relation.to == child.parent)
    {
        let on = parent.key.iter().map(|name| (name.clone(), name.clone())).collect();
        let evidence = format!("each stands in an item of {}", parent.name);
        found.push(Relation { from, to: child.parent, on, evidence, confidence: 100 });
    }
    found
}

/// Of relations that lead back to where they start, keeps the surest.
fn without_circles(mut relations: Vec<Relation>) -> Vec<Relation> {
    relations.sort_by(|a, b| {
        b.confidence
            .cmp(&a.confidence)
            .then_with(|| (a.from, a.to, &a.on).cmp(&(b.from, b.to, &b.on)))
    });
    let mut kept: Vec<Relation> = Vec::new();
    for relation in relations {
        let mut reached = vec![relation.to];
        let mut at = 0;
        while let Some(here) = reached.get(at).copied() {
            for next in kept.iter().filter(|kept| kept.from == here).map(|kept| kept.to) {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            at += 1;
        }
        if !reached.contains(&relation.from) {
            kept.push(relation);
        }
    }
    kept
}

/// Relations to entities that it takes several columns to find: the members of a map, above all.
fn composite(drafts: &[Draft], from: usize, known: &[Relation]) -> Vec<Relation> {
    let mut found = Vec::new();
    let Some(draft) = drafts.get(from) else { return found };
    for (to, other) in drafts.iter().enumerate() {
        let is_parent = other.child.as_ref().is_some_and(|child| child.parent == from);
        let is_list = other.child.as_ref().is_some_and(|child| child.over == UnnestOver::List);
        let is_child = draft.child.as_ref().is_some_and(|child| child.parent == to);
        if to == from || other.key.len() < 2 || is_list || is_child {
            continue;
        }
        let mut on: Vec<(String, String)> = Vec::new();
        let mut open: Vec<&Col> = Vec::new();
        for target in other.key.iter().filter_map(|name| other.column(name)) {
            let same = draft.column(&target.name).filter(|column| {
                same_class(&column.ty, &target.ty)
                    && column.values.sketch.within(&target.values.sketch).0 >= 0.5
            });
            // Both may refer to the same third entity, by other names.
            let shared = || {
                let theirs = known.iter().find(|relation| {
                    relation.from == to && relation.own().eq([target.name.as_str()])
                })?;
                let ours = known.iter().find(|relation| {
                    relation.from == from && relation.to == theirs.to && relation.on.len() == 1
                })?;
                draft.column(ours.own().next()?)
            };
            match same.or_else(shared) {
                Some(column) if is_parent || !is_entry(target) => {
                    on.push((target.name.clone(), column.name.clone()));
                }
                _ => open.push(target),
            }
        }
        if on.is_empty() {
            continue;
        }
        let (evidence, sure) = match open.as_slice() {
            [] => {
                let own: Vec<&String> = on.iter().map(|(_, own)| own).collect();
                // Of one grain: neither is what the other refers to.
                let same_grain = own.len() == draft.key.len()
                    && draft.key.iter().all(|name| own.contains(&name));
                if same_grain || on.len() < 2 {
                    continue;
                }
                (format!("has all of {}", other.key.join(", ")), 90)
            }
            [target] if is_entry(target) => {
                let picks = |column: &&Col| {
                    let (share, told) = column.values.sketch.within(&target.values.sketch);
                    column.is_text()
                        && !on.iter().any(|(_, own)| *own == column.name)
                        && !draft.key.contains(&column.name)
                        && column.values.sketch.is_exact()
                        && target.values.sketch.is_exact()
                        && told > 0
                        && share >= 1.0
                };
                let Some(column) = draft.columns.iter().find(picks) else { continue };
                on.push((target.name.clone(), column.name.clone()));
                let evidence =
                    format!("every {} is the name of {}", column.name, super::article(&other.name));
                (evidence, 85)
            }
            _ => continue,
        };
        // In the order of the key.
        on.sort_by_key(|(target, _)| other.key.iter().position(|name| name == target));
        found.push(Relation { from, to, on, evidence, confidence: sure });
    }
    found
}

fn is_entry(column: &Col) -> bool {
    column.spec.source == SourceSpec::Entry
}

/// Columns that are compared get one type: the wider of theirs.
fn unify(drafts: &mut [Draft], relations: &[Relation]) {
    let ty = |drafts: &[Draft], at: usize, name: &str| {
        drafts.get(at).and_then(|draft| draft.column(name)).map(|column| column.ty.clone())
    };
    let mut pairs: Vec<((usize, String), (usize, String))> = Vec::new();
    for relation in relations {
        for (to, from) in &relation.on {
            pairs.push(((relation.to, to.clone()), (relation.from, from.clone())));
        }
    }
    for (at, draft) in drafts.iter().enumerate() {
        if let Some(child) = &draft.child {
            for column in &draft.columns {
                if let SourceSpec::Parent(name) = &column.spec.source {
                    pairs.push(((child.parent, name.clone()), (at, column.name.clone())));
                }
            }
        }
    }
    // Each round carries a bound one pair further.
    for _ in 0..=pairs.len().min(64) {
        let mut changed = false;
        for (a, b) in &pairs {
            let (Some(one), Some(other)) = (ty(drafts, a.0, &a.1), ty(drafts, b.0, &b.1)) else {
                continue;
            };
            let (Type::Text { max_bytes: x }, Type::Text { max_bytes: y }) = (one, other) else {
                continue;
            };
            let wide = Type::Text { max_bytes: x.max(y) };
            for (at, name) in [a, b] {
                let columns = drafts.get_mut(*at).map(|draft| &mut draft.columns);
                let column = columns.into_iter().flatten().find(|column| column.name == *name);
                if let Some(column) = column
                    && column.ty != wide
                {
                    column.ty = wide.clone();
                    if column.spec.ty.is_some() {
                        column.spec.ty = Some(wide.clone());
                    }
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
}

/// Whether two attributes have the same values: what is a fact's own and what only repeats.
pub(super) fn repeats(values: &Values) -> bool {
    values.sketch.repetition() >= 1.3
}
