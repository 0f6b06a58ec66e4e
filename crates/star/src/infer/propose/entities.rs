//! From groups of items to entities: what tells them, and the templates of their keys.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Index, Piece, Template, Variable};
use crate::Name;
use crate::infer::group::{Group, Part, PartId, Side};
use crate::infer::profile::Profile;
use crate::infer::shape::{PARTS, Slot, Token};
use crate::infer::values::Kind;
use crate::infer::words;

/// Groups that have so much of their attributes in common are of one kind.
const ALIKE: f64 = 0.6;

/// The table's key, as its items have it.
#[derive(Clone, Debug, Default)]
pub(super) struct TableNames {
    pub(super) partition: String,
    pub(super) sort: Option<String>,
    /// Whether the items say so; otherwise it is a guess.
    pub(super) is_known: bool,
}

pub(super) fn table(profile: &Profile) -> TableNames {
    let groups = profile.groups();
    let name = |group: &Group, slot: Slot| {
        group.shape.iter().find(|key| key.slot == slot).map(|key| key.name.to_string())
    };
    let mut counts: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
    for group in &groups {
        if let Some(partition) = name(group, Slot::Partition) {
            *counts.entry((partition, name(group, Slot::Sort))).or_default() += group.items;
        }
    }
    // All items of a table have the same key; others are damaged.
    let most = counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    if let Some(((partition, sort), _)) = most {
        return TableNames { partition, sort, is_known: true };
    }
    let mut all: Option<Group> = None;
    for group in groups {
        match &mut all {
            Some(all) => all.merge(group),
            None => all = Some(group.clone()),
        }
    }
    let guess = all.and_then(|all| {
        let fields = all.attributes.fields.ordered();
        let everywhere = |name: &str| {
            let field = all.attributes.fields.get(name)?;
            let values = &field.node.values;
            let is_key = values.text.is_some() || values.number.is_some();
            (values.present() == all.items && is_key).then_some(values)
        };
        let rank = |name: &str| {
            let unique = everywhere(name)?.sketch.never_repeats();
            (unique || words::is_id(name)).then_some((unique, words::is_id(name)))
        };
        let names = fields.iter().rev().map(|field| field.name.to_string());
        names.filter_map(|name| Some((rank(&name)?, name))).max_by_key(|(rank, _)| *rank)
    });
    let hint = profile.hint().partition.clone();
    let partition = hint.or(guess.map(|(_, name)| name)).unwrap_or_else(|| "PK".to_owned());
    TableNames { partition, sort: profile.hint().sort.clone(), is_known: false }
}

/// The attributes of a group that are no keys.
fn own_attributes(group: &Group) -> BTreeSet<&str> {
    let is_key = |name: &str| group.shape.iter().any(|key| *key.name == *name);
    let fields = group.attributes.fields.nodes.iter();
    fields.map(|field| &*field.name).filter(|name| !is_key(name)).collect()
}

fn similarity(a: &Group, b: &Group) -> f64 {
    let (a, b) = (own_attributes(a), own_attributes(b));
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

/// The tokens of the table's key.
fn key_tokens<'g>(group: &'g Group, table: &TableNames) -> Vec<(Slot, u8, &'g [Token])> {
    let is_table = |name: &str| *name == *table.partition || Some(name) == table.sort.as_deref();
    let keys = group.shape.iter().filter(|key| matches!(key.slot, Slot::Partition | Slot::Sort));
    keys.filter(|key| is_table(&key.name))
        .map(|key| (key.slot, key.separator, key.tokens.as_slice()))
        .collect()
}

fn kind<'g>(group: &'g Group, attribute: &str) -> Option<&'g str> {
    let key = group
        .shape
        .iter()
        .find(|key| matches!(key.slot, Slot::Kind(_)) && *key.name == *attribute)?;
    match key.tokens.first() {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

/// The attribute whose values name the entities, if there is one.
fn discriminator(groups: &[&Group], table: &TableNames) -> Option<String> {
    let all: u64 = groups.iter().map(|group| group.items).sum();
    let mut candidates: BTreeSet<(Slot, &str)> = BTreeSet::new();
    for key in groups.iter().flat_map(|group| &group.shape) {
        if matches!(key.slot, Slot::Kind(_)) {
            candidates.insert((key.slot, &key.name));
        }
    }
    let mut best: Option<((u64, std::cmp::Reverse<Slot>), &str)> = None;
    for (slot, name) in candidates {
        let with: Vec<(&&Group, &str)> =
            groups.iter().filter_map(|group| Some((group, kind(group, name)?))).collect();
        let covered: u64 = with.iter().map(|(group, _)| group.items).sum();
        // Where items of one key form and like attributes differ in it, it only describes them.
        let describes = |(a, value): &(&&Group, &str)| {
            with.iter().any(|(b, other)| {
                other != value
                    && key_tokens(a, table) == key_tokens(b, table)
                    && similarity(a, b) >= ALIKE
            })
        };
        let described: u64 =
            with.iter().filter(|with| describes(with)).map(|(group, _)| group.items).sum();
        // An attribute of some items with one value is one of theirs like others.
        let values: BTreeSet<&str> = with.iter().map(|(_, value)| *value).collect();
        let tells = (covered == all || values.len() > 1)
            && described * 2 <= covered
            && (covered == all || described == 0);
        let rank = (covered, std::cmp::Reverse(slot));
        if covered > 0 && tells && best.is_none_or(|(have, _)| rank > have) {
            best = Some((rank, name));
        }
    }
    best.map(|(_, name)| name.to_owned())
}

/// Groups that are of one entity, together.
fn clusters<'g>(groups: &[&'g Group], table: &TableNames, told: bool) -> Vec<Vec<&'g Group>> {
    let mut clusters: Vec<Vec<&'g Group>> = Vec::new();
    for group in groups {
        let tokens = key_tokens(group, table);
        let same = |other: &&Group| {
            let others = key_tokens(other, table);
            if tokens == others {
                return true;
            }
            let fits = tokens.len() == others.len()
                && tokens.iter().zip(&others).all(|(a, b)| {
                    a.0 == b.0
                        && a.1 == b.1
                        && a.2.len() == b.2.len()
                        && a.2.iter().zip(b.2).enumerate().all(|(at, (x, y))| {
                            // The first part of several says what a key is of.
                            x == y || told || at > 0 || a.2.len() == 1
                        })
                });
            fits && similarity(group, other) >= ALIKE
        };
        let (mut joined, rest): (Vec<_>, Vec<_>) =
            clusters.into_iter().partition(|cluster| cluster.iter().any(same));
        clusters = rest;
        let mut cluster: Vec<&Group> = joined.drain(..).flatten().collect();
        cluster.push(group);
        clusters.push(cluster);
    }
    clusters
}

/// The entities that are told by their keys and discriminators, without their columns.
pub(super) fn drafts(profile: &Profile, table: &TableNames) -> Vec<Draft> {
    let groups: Vec<&Group> = profile
        .groups()
        .into_iter()
        .filter(|group| {
            let has = |name: &str| group.attributes.fields.get(name).is_some();
            has(&table.partition) && table.sort.as_deref().is_none_or(has)
        })
        .collect();
    let discriminator = discriminator(&groups, table);
    let mut by_kind: BTreeMap<Option<&str>, Vec<&Group>> = BTreeMap::new();
    for group in &groups {
        let kind = discriminator.as_deref().and_then(|name| kind(group, name));
        by_kind.entry(kind).or_default().push(group);
    }
    let mut drafts: Vec<Draft> = Vec::new();
    for (kind, groups) in by_kind {
        for cluster in clusters(&groups, table, kind.is_some()) {
            let when = discriminator.clone().zip(kind.map(str::to_owned));
            drafts.extend(draft(&cluster, table, when));
        }
    }
    name_variables(&mut drafts);
    name_entities(&mut drafts);
    drafts
}

fn draft(cluster: &[&Group], table: &TableNames, when: Option<(String, String)>) -> Option<Draft> {
    let mut group = (*cluster.first()?).clone();
    for other in cluster.get(1..)? {
        group.merge(other);
    }
    let template = |name: &str| {
        let slot = |key: &&crate::infer::shape::Key| *key.name == *name;
        let tokens: Vec<&[Token]> = cluster
            .iter()
            .flat_map(|group| group.shape.iter().filter(slot))
            .map(|key| key.tokens.as_slice())
            .collect();
        template(&group, name, &tokens, when.as_ref().map(|when| when.0.as_str()))
    };
    let partition = template(&table.partition);
    let sort = table.sort.as_deref().map(template);
    let indexes: BTreeSet<&str> = group
        .parts()
        .into_iter()
        .filter(|(_, part)| part.slot == Slot::Index)
        .map(|((name, _), _)| &**name)
        .collect();
    let indexes = indexes
        .into_iter()
        .map(|name| {
            let count = group.part(&(name.into(), 0)).map_or(0, |part| part.count);
            let mut parts = group.parts().into_iter().filter(|((key, _), _)| **key == *name);
            // A variable stands for one character at least.
            let is_whole =
                |(_, part): (_, &Part)| part.all_values().text.is_none_or(|texts| texts.empty == 0);
            Index {
                template: template(name),
                share: count as f64 / group.items as f64,
                is_sure: count == group.items && parts.all(is_whole),
            }
        })
        .collect();
    // What is told by a discriminator and by keys is as sure as there are items to tell it.
    let sure: f64 = if when.is_some() { 0.99 } else { 0.95 };
    let has_literal = partition.literals() + sort.as_ref().map_or(0, Template::literals) > 0;
    let sure = if when.is_none() && !has_literal { 0.5 } else { sure };
    let confidence = (100.0 * sure * (1.0 - 0.5 / (group.items as f64 + 1.0))).round() as u8;
    Some(Draft {
        name: String::new(),
        when,
        partition,
        sort,
        indexes,
        child: None,
        rows: group.items,
        columns: Vec::new(),
        key: Vec::new(),
        unique: Vec::new(),
        group,
        evidence: Vec::new(),
        confidence,
    })
}

/// The template of a key in a group of items.
fn template(
    group: &Group,
    key: &str,
    tokens: &[&[Token]],
    discriminator: Option<&str>,
) -> Template {
    let mut parts: Vec<(PartId, &Part)> = Vec::new();
    for at in 0..PARTS {
        let id: PartId = (key.into(), at as u8);
        match group.part(&id) {
            Some(part) => parts.push((id, part)),
            None => break,
        }
    }
    let mut template = Template { attribute: key.to_owned(), pieces: Vec::new() };
    let whole = || {
        let values = group.attributes.fields.get(key).map(|field| field.node.values.clone());
        let values = values.unwrap_or_default();
        Variable { attribute: Some(key.to_owned()), values, ..Variable::default() }
    };
    // Base64 has no parts.
    let is_binary = group.attributes.fields.get(key).is_some_and(|field| {
        let values = &field.node.values;
        values.kind(Kind::B) > 0 && values.kind(Kind::B) == values.present()
    });
    let Some((_, first)) = parts.first().filter(|_| !is_binary) else {
        template.pieces.push(Piece::Variable(Box::new(whole())));
        return template;
    };
    let separator = char::from(first.separator).to_string();
    let uneven = first.mixed || parts.iter().any(|(_, part)| part.count != first.count);
    if uneven {
        if let (Some(word), false) = (&first.always, first.mixed)
            && first.count == group.items
            && parts.get(1).is_some_and(|(_, second)| second.count == first.count)
        {
            template.pieces.push(Piece::Literal(format!("{word}{separator}")));
            let tag = word.to_string();
            template
                .pieces
                .push(Piece::Variable(Box::new(Variable { tag, ..Variable::default() })));
        } else {
            let values = whole().values;
            template
                .pieces
                .push(Piece::Variable(Box::new(Variable { values, ..Variable::default() })));
        }
        return template;
    }
    let mut literal = String::new();
    let mut tag = String::new();
    for (at, (id, part)) in parts.iter().enumerate() {
        if at > 0 {
            literal.push_str(&separator);
        }
        let equal = equal_attribute(group, id, discriminator, &tag);
        let tokens: BTreeSet<&Token> = tokens.iter().filter_map(|tokens| tokens.get(at)).collect();
        let looks_word = tokens.iter().all(|token| matches!(token, Token::Word(_)));
        let alone = parts.len() == 1;
        if let Some(word) = &part.always
            && is_literal(word, at, alone, looks_word, &tag, equal.is_some(), part.count)
        {
            literal.push_str(word);
            tag = word.to_string();
            continue;
        }
        let mut is_rest = false;
        if let (Some(Token::Prefix(prefix)), 1, None, 0) =
            (tokens.first(), tokens.len(), &equal, at)
        {
            is_rest = true;
            literal.push_str(prefix);
            tag = prefix.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        }
        if !literal.is_empty() {
            template.pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        template.pieces.push(Piece::Variable(Box::new(Variable {
            name: String::new(),
            part: Some(id.clone()),
            is_rest,
            attribute: equal,
            tag: std::mem::take(&mut tag),
            values: part.all_values(),
        })));
    }
    if !literal.is_empty() {
        template.pieces.push(Piece::Literal(literal));
    }
    template
}

/// Whether a part that is always the same is meant to be.
fn is_literal(
    word: &str,
    at: usize,
    alone: bool,
    looks_word: bool,
    tag: &str,
    has_equal: bool,
    count: u64,
) -> bool {
    if word.is_empty() {
        return true;
    }
    if at == 0 && !alone {
        return looks_word || count > 100;
    }
    if has_equal {
        return false;
    }
    if !looks_word {
        return count > 1_000;
    }
    // `CUST#alice` of a table with one customer.
    let upper = |text: &str| text.chars().any(char::is_uppercase);
    let shouted = |text: &str| upper(text) && !text.chars().any(char::is_lowercase);
    !(at > 0 && count < 50 && shouted(tag) && !shouted(word))
}

/// The attribute that is equal to a part of a key in every item.
fn equal_attribute(
    group: &Group,
    id: &PartId,
    discriminator: Option<&str>,
    tag: &str,
) -> Option<String> {
    let is_key = |name: &str| {
        let is = |key: &crate::infer::shape::Key| {
            *key.name == *name && !matches!(key.slot, Slot::Kind(_))
        };
        group.shape.iter().any(is) || group.parts().iter().any(|((key, _), _)| **key == *name)
    };
    let equals = group.equals();
    let names = equals.iter().filter(|(part, _)| part == id).filter_map(|(_, side)| match side {
        Side::Attribute(name) if !is_key(name) && Some(&**name) != discriminator => Some(&**name),
        _ => None,
    });
    let names = names.filter(|name| is_decent(name));
    let of_tag = |name: &str| {
        let thing = words::thing(name);
        !tag.is_empty() && !thing.is_empty() && words::abbreviates(tag, &thing)
    };
    let rank = |name: &&str| {
        (of_tag(name), words::is_id(name), std::cmp::Reverse((name.len(), (*name).to_owned())))
    };
    names.max_by_key(rank).map(str::to_owned)
}

/// Whether an attribute's name may be a variable's: anybody may have chosen the others.
fn is_decent(attribute: &str) -> bool {
    attribute.contains(|c: char| c.is_ascii_alphabetic())
        && attribute.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// Gives every variable a name: that of the equal attribute, what the same tag has elsewhere, or
/// one made of the tag.
fn name_variables(drafts: &mut [Draft]) {
    // What stands after a tag is called the same in every entity.
    let mut by_tag: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for draft in drafts.iter() {
        for variable in draft.templates().flat_map(Template::variables) {
            if let Some(attribute) = &variable.attribute
                && !variable.tag.is_empty()
                && words::plain(attribute) != "id"
            {
                let names = by_tag.entry(variable.tag.clone()).or_default();
                *names.entry(Name::fold(attribute).as_str().to_owned()).or_default() += draft.rows;
            }
        }
    }
    let of_tag = |tag: &str| {
        let names = by_tag.get(tag)?;
        let most = names.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))?;
        Some(most.0.clone())
    };
    for draft in drafts.iter_mut() {
        let Draft { partition, sort, indexes, group, .. } = draft;
        let equals = group.equals();
        let mut named: Vec<(String, Option<PartId>, bool)> = Vec::new();
        // Behind those of the table's key come those of indexes, which need no columns.
        let keys = partition.variables().count()
            + sort.as_ref().map_or(0, |sort| sort.variables().count());
        let templates = std::iter::once(partition)
            .chain(sort.iter_mut())
            .chain(indexes.iter_mut().map(|index| &mut index.template));
        for template in templates {
            let key = template.attribute.clone();
            let mut here: Vec<String> = Vec::new();
            for variable in template.variables_mut() {
                let equal_to = |other: &Option<PartId>| match (other, &variable.part) {
                    (Some(a), Some(b)) => equals.iter().any(|(part, side)| {
                        let pair = (part, side);
                        pair == (a, &Side::Part(b.clone())) || pair == (b, &Side::Part(a.clone()))
                    }),
                    _ => false,
                };
                // One name stands for one text, of what is left of a part as of whole ones.
                let same = named.iter().find(|(name, part, is_rest)| {
                    equal_to(part) && *is_rest == variable.is_rest && !here.contains(name)
                });
                let name = match (same, &variable.attribute) {
                    (Some((name, ..)), _) => name.clone(),
                    (None, Some(attribute)) => plain_name(attribute),
                    (None, None) => {
                        let base =
                            of_tag(&variable.tag).unwrap_or_else(|| tag_name(variable, &key));
                        // An attribute of that name says something else.
                        let taken =
                            group.attributes.fields.nodes.iter().any(|field| {
                                plain_name(&field.name) == base && *field.name != *key
                            });
                        match (taken, named.len() >= keys) {
                            (false, _) => base,
                            (true, false) => format!("{base}_key"),
                            (true, true) => plain_name(&variable.tag),
                        }
                    }
                };
                let is_same = same.is_some();
                let mut free = name.clone();
                let mut number = 2;
                while !is_same && named.iter().any(|(other, ..)| *other == free) {
                    free = format!("{name}_{number}");
                    number += 1;
                }
                variable.name.clone_from(&free);
                here.push(free.clone());
                named.push((free, variable.part.clone(), variable.is_rest));
            }
        }
    }
}

/// A column's name for an attribute: never with `_` in front, as only Keystar's own have.
pub(in crate::infer) fn plain_name(attribute: &str) -> String {
    let name = Name::fold(attribute);
    let plain = name.as_str().trim_matches('_');
    match plain.chars().next() {
        None => "attribute".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("n{plain}"),
        Some(_) => plain.to_owned(),
    }
}

fn tag_name(variable: &Variable, key: &str) -> String {
    let tag = plain_name(&variable.tag);
    let time = variable.values.text.as_ref().and_then(|texts| texts.forms.all().next());
    match (variable.tag.is_empty(), time) {
        (true, Some(form)) => if form.has_time() { "moment" } else { "day" }.to_owned(),
        (true, None) => plain_name(key),
        (false, Some(_)) if words::time(&tag).is_some() => tag,
        (false, Some(form)) => format!("{tag}_{}", if form.has_time() { "at" } else { "date" }),
        (false, None) => format!("{}_id", words::singular(&tag)),
    }
}

/// Names entities after their discriminator, else after their keys.
fn name_entities(drafts: &mut [Draft]) {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    // Of several that would have one name, the one with most items gets it.
    order.sort_by_key(|at| std::cmp::Reverse(drafts.get(*at).map_or(0, |draft| draft.rows)));
    let mut taken: Vec<String> = Vec::new();
    for at in order {
        let Some(draft) = drafts.get_mut(at) else { continue };
        let by_key = name_by_key(draft);
        let name = match &draft.when {
            Some((_, value)) => {
                let value = value.rsplit(['#', ':', '/', '.']).next().unwrap_or(value);
                words::words(value).join("_")
            }
            None => by_key.clone(),
        };
        let name = plain_name(&name);
        let mut free = name.clone();
        if taken.contains(&free) && draft.when.is_some() {
            free = format!("{name}_{by_key}");
        }
        let mut number = 2;
        while taken.contains(&free) {
            free = format!("{name}_{number}");
            number += 1;
        }
        taken.push(free.clone());
        draft.name = free;
    }
}

fn name_by_key(draft: &Draft) -> String {
    let thing = |template: &Template| {
        let tag = template.tag()?.to_owned();
        // `ORD#{orderid}`: the variable says what `ORD` stands for.
        let ids = template.variables().filter(|variable| words::is_id(&variable.name));
        let things = ids.map(|variable| words::thing(&variable.name));
        let spelled = things.into_iter().find(|thing| words::abbreviates(&tag, thing));
        Some(plain_name(&spelled.unwrap_or_else(|| words::spell_out(&tag.to_lowercase()))))
    };
    let partition = thing(&draft.partition);
    let sort = draft.sort.as_ref().and_then(thing);
    let sort_varies = draft.sort.as_ref().is_some_and(|sort| sort.variables().next().is_some());
    let name = match (partition, sort) {
        (Some(partition), Some(sort)) if !sort_varies && words::is_main(&sort) => partition,
        (Some(partition), Some(sort)) if !sort_varies && sort != partition => {
            format!("{}_{sort}", words::singular(&partition))
        }
        (_, Some(sort)) => sort,
        (Some(partition), None) if draft.sort.is_some() => {
            format!("{}_entry", words::singular(&partition))
        }
        (Some(partition), None) => partition,
        (None, None) => "item".to_owned(),
    };
    words::singular(&name)
}
