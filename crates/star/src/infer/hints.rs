//! Definitions that exist already, as hints: names for what the data show anyway.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::profile::TableHint;
use super::propose::{Draft, Piece, Template, plain_name};
use super::words;

/// What other tools' definitions say of a table. It is followed where the data agree, and reported
/// where they do not.
///
/// ```
/// use keystar_star::infer::Hints;
///
/// let hints = Hints::parse(r#"{
///     "format": "onetable:1.1.0",
///     "indexes": { "primary": { "hash": "pk", "sort": "sk" } },
///     "models": { "Customer": {
///         "pk": { "type": "string", "value": "CUST#${username}" },
///         "sk": { "type": "string", "value": "CUST#${username}" },
///         "email": { "type": "string" }
///     } }
/// }"#)?;
/// assert_eq!(hints.table().partition.as_deref(), Some("pk"));
/// # Ok::<(), keystar_star::infer::HintError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hints {
    table: TableHint,
    entities: Vec<Hinted>,
}

/// Why a definition gives no hints.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HintError {
    /// It is no JSON.
    #[error("line {line}, column {column}: no JSON, export the definition as JSON")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is none of the known formats.
    #[error(
        "neither a NoSQL Workbench model (DataModel), nor a OneTable schema (format, models), nor \
         an ElectroDB schema (model, indexes)"
    )]
    UnknownFormat,
}

/// An entity as a definition has it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Hinted {
    name: String,
    /// The tool whose definition it is.
    tool: &'static str,
    /// The forms of keys: attribute and form.
    keys: Vec<(String, Vec<HintPiece>)>,
    attributes: BTreeSet<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum HintPiece {
    Literal(String),
    Variable(String),
}

impl Hints {
    /// Reads a definition: NoSQL Workbench's model, a OneTable schema, an ElectroDB schema or a
    /// list of these.
    ///
    /// # Errors
    ///
    /// If the text is no JSON, or none of these.
    pub fn parse(json: &str) -> Result<Self, HintError> {
        let value: Value = serde_json::from_str(json)
            .map_err(|error| HintError::NotJson { line: error.line(), column: error.column() })?;
        let mut hints = Self::default();
        if hints.read(&value) { Ok(hints) } else { Err(HintError::UnknownFormat) }
    }

    /// Adds what another definition says of the same table.
    pub fn extend(&mut self, other: Self) {
        self.table.partition = self.table.partition.take().or(other.table.partition);
        self.table.sort = self.table.sort.take().or(other.table.sort);
        self.entities.extend(other.entities);
    }

    /// The table's key, for [`Profile::new`](super::Profile::new).
    #[must_use]
    pub fn table(&self) -> TableHint {
        self.table.clone()
    }

    fn read(&mut self, value: &Value) -> bool {
        if let Some(list) = value.as_array() {
            return !list.is_empty() && list.iter().all(|value| self.read(value));
        }
        let Some(object) = value.as_object() else { return false };
        if let Some(tables) = object.get("DataModel").and_then(Value::as_array) {
            tables.iter().for_each(|table| self.workbench(table));
            true
        } else if let Some(models) = object.get("models").and_then(Value::as_object) {
            self.one_table(object, models);
            true
        } else if object.contains_key("model") && object.contains_key("indexes") {
            self.electro(object);
            true
        } else {
            false
        }
    }

    fn workbench(&mut self, table: &Value) {
        let name = |value: &Value, key: &str| {
            let attribute = value.get("KeyAttributes")?.get(key)?.get("AttributeName")?;
            attribute.as_str().map(str::to_owned)
        };
        let (partition, sort) = (name(table, "PartitionKey"), name(table, "SortKey"));
        self.table.partition = self.table.partition.take().or(partition.clone());
        self.table.sort = self.table.sort.take().or(sort.clone());
        for facet in table.get("TableFacets").and_then(Value::as_array).into_iter().flatten() {
            let Some(facet_name) = facet.get("FacetName").and_then(Value::as_str) else { continue };
            let alias = |key: &str| {
                let alias = facet.get("KeyAttributeAlias")?.get(key)?.as_str()?;
                // A plain word only says what the key is called.
                alias.contains(['#', '<', '{', '|', ':']).then(|| form(alias))
            };
            let keys = [("PartitionKeyAlias", &partition), ("SortKeyAlias", &sort)];
            let keys = keys
                .into_iter()
                .filter_map(|(key, attribute)| Some((attribute.clone()?, alias(key)?)));
            let attributes = facet.get("NonKeyAttributes").and_then(Value::as_array);
            let attributes = attributes.into_iter().flatten().filter_map(|attribute| {
                let name = attribute.as_str().or_else(|| attribute.get("AttributeName")?.as_str());
                name.map(str::to_owned)
            });
            self.entities.push(Hinted {
                name: facet_name.to_owned(),
                tool: "NoSQL Workbench",
                keys: keys.collect(),
                attributes: attributes.collect(),
            });
        }
    }

    fn one_table(&mut self, schema: &Map<String, Value>, models: &Map<String, Value>) {
        let index = |key: &str| {
            let primary = schema.get("indexes")?.get("primary")?;
            primary.get(key)?.as_str().map(str::to_owned)
        };
        let (partition, sort) = (index("hash"), index("sort"));
        self.table.partition = self.table.partition.take().or(partition);
        self.table.sort = self.table.sort.take().or(sort);
        for (name, model) in models {
            let mut keys = Vec::new();
            let mut attributes = BTreeSet::new();
            for (attribute, field) in model.as_object().into_iter().flatten() {
                match field.get("value").and_then(Value::as_str) {
                    Some(value) => keys.push((attribute.clone(), form(value))),
                    None => {
                        // `map` says under which name it is kept.
                        let kept = field.get("map").and_then(Value::as_str).unwrap_or(attribute);
                        attributes.insert(kept.to_owned());
                    }
                }
            }
            self.entities.push(Hinted { name: name.clone(), tool: "OneTable", keys, attributes });
        }
    }

    fn electro(&mut self, schema: &Map<String, Value>) {
        let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
        let Some(model) = schema.get("model") else { return };
        let entity = text(model, "entity").unwrap_or_default();
        let (service, version) = (
            text(model, "service").unwrap_or_default(),
            text(model, "version").unwrap_or_default(),
        );
        let mut keys = Vec::new();
        let indexes = schema.get("indexes").and_then(Value::as_object);
        for index in indexes.into_iter().flat_map(Map::values) {
            for (side, start) in
                [("pk", format!("${service}")), ("sk", format!("${entity}_{version}"))]
            {
                let Some(key) = index.get(side) else { continue };
                let Some(field) = text(key, "field") else { continue };
                // An index without a name is the table itself.
                if index.get("index").is_none() {
                    let place = match side {
                        "pk" => &mut self.table.partition,
                        _ => &mut self.table.sort,
                    };
                    if place.is_none() {
                        *place = Some(field.clone());
                    }
                }
                let template = match text(key, "template") {
                    Some(template) => form(&template),
                    None => {
                        let composite = key.get("composite").and_then(Value::as_array);
                        let names = composite.into_iter().flatten().filter_map(Value::as_str);
                        let mut pieces = vec![HintPiece::Literal(start)];
                        for name in names {
                            let literal = format!("#{}_", name.to_lowercase());
                            match pieces.last_mut() {
                                Some(HintPiece::Literal(before)) => before.push_str(&literal),
                                _ => pieces.push(HintPiece::Literal(literal)),
                            }
                            pieces.push(HintPiece::Variable(name.to_owned()));
                        }
                        pieces
                    }
                };
                keys.push((field, template));
            }
        }
        let attributes = schema.get("attributes").and_then(Value::as_object);
        let attributes = attributes
            .into_iter()
            .flatten()
            .map(|(name, attribute)| text(attribute, "field").unwrap_or_else(|| name.clone()));
        let attributes = attributes.collect();
        self.entities.push(Hinted { name: entity, tool: "ElectroDB", keys, attributes });
    }

    /// Gives entities and variables the names of the definitions that fit them; says which do not.
    pub(super) fn apply(&self, drafts: &mut [Draft]) -> Vec<String> {
        let mut alerts = Vec::new();
        let mut taken: Vec<usize> = Vec::new();
        for hinted in &self.entities {
            let rank = |(at, draft): (usize, &Draft)| {
                let fit = hinted.fits(draft)?;
                (!taken.contains(&at)).then_some((fit, std::cmp::Reverse(at)))
            };
            let best = drafts.iter().enumerate().filter_map(rank).max();
            let Some((_, std::cmp::Reverse(at))) = best else {
                alerts.push(format!(
                    "{} defines {}, but no items fit it: it is not followed",
                    hinted.tool, hinted.name
                ));
                continue;
            };
            taken.push(at);
            let name = plain_name(&words::words(&hinted.name).join("_"));
            let is_free = !drafts.iter().any(|draft| draft.name == name);
            let Some(draft) = drafts.get_mut(at) else { continue };
            draft.evidence.push(format!("{} defines it as {}", hinted.tool, hinted.name));
            if is_free {
                draft.name = name;
            }
            hinted.name_variables(draft);
            let fields = &draft.group.attributes.fields;
            let in_keys = |name: &str| {
                draft
                    .templates()
                    .flat_map(Template::variables)
                    .any(|variable| variable.name == plain_name(name))
            };
            let missing: Vec<&str> = hinted
                .attributes
                .iter()
                .map(String::as_str)
                .filter(|name| fields.get(name).is_none() && !in_keys(name))
                .collect();
            if !missing.is_empty() {
                alerts.push(format!(
                    "{} defines {} of {}, which no item has",
                    hinted.tool,
                    missing.join(", "),
                    hinted.name
                ));
            }
        }
        alerts
    }
}

impl Hinted {
    /// How well the definition fits, if at all: by its keys, its name, its attributes.
    fn fits(&self, draft: &Draft) -> Option<u32> {
        let mut fit = 0;
        for (attribute, form) in &self.keys {
            let own = draft.templates().find(|template| template.attribute == *attribute);
            if let Some(own) = own {
                fit += same_form(own, form).then_some(100)?;
            }
        }
        let value = draft.when.as_ref().map_or(draft.name.as_str(), |(_, value)| value);
        let named = words::plain(value) == words::plain(&self.name);
        fit += if named { 50 } else { 0 };
        let fields = &draft.group.attributes.fields;
        let shared = self.attributes.iter().filter(|name| fields.get(name).is_some()).count();
        if fit == 0 && shared * 10 < self.attributes.len() * 6 {
            return None;
        }
        // Attributes decide between entities that fit alike.
        fit += u32::try_from(shared.min(40)).unwrap_or(0);
        (fit > 0).then_some(fit)
    }

    /// Variables that no attribute names are called as in the definition.
    fn name_variables(&self, draft: &mut Draft) {
        let mut renamed: Vec<(String, String)> = Vec::new();
        for template in draft.templates() {
            let form = self.keys.iter().find(|(attribute, _)| *attribute == template.attribute);
            let names =
                form.into_iter().flat_map(|(_, form)| form).filter_map(|piece| match piece {
                    HintPiece::Variable(name) => Some(plain_name(name)),
                    HintPiece::Literal(_) => None,
                });
            for (variable, name) in template.variables().zip(names) {
                if variable.attribute.is_none()
                    && !renamed.iter().any(|(old, _)| *old == variable.name)
                {
                    renamed.push((variable.name.clone(), name));
                }
            }
        }
        for (old, new) in renamed {
            let templates =
                draft.templates().chain(draft.indexes.iter().map(|index| &index.template));
            let is_variable =
                templates.flat_map(Template::variables).any(|other| other.name == new);
            let fields = &draft.group.attributes.fields.nodes;
            if is_variable || fields.iter().any(|field| plain_name(&field.name) == new) {
                continue;
            }
            let Draft { partition, sort, indexes, .. } = draft;
            let templates = std::iter::once(partition)
                .chain(sort.iter_mut())
                .chain(indexes.iter_mut().map(|index| &mut index.template));
            for variable in templates.flat_map(Template::variables_mut) {
                if variable.name == old {
                    variable.name.clone_from(&new);
                }
            }
        }
    }
}

/// Whether a key found in the data has the form that a definition gives it.
fn same_form(own: &Template, form: &[HintPiece]) -> bool {
    own.pieces.len() == form.len()
        && own.pieces.iter().zip(form).all(|pair| match pair {
            (Piece::Literal(own), HintPiece::Literal(hint)) => own.eq_ignore_ascii_case(hint),
            (Piece::Variable(_), HintPiece::Variable(_)) => true,
            _ => false,
        })
}

/// Reads `CUST#${username}`, `CUST#{username}`, `CUST#<username>`.
fn form(text: &str) -> Vec<HintPiece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '<']) {
        let (before, from) = rest.split_at(start);
        let close = if from.starts_with('{') { '}' } else { '>' };
        let Some((name, after)) = from.get(1..).and_then(|inner| inner.split_once(close)) else {
            break;
        };
        let before = before.strip_suffix('$').unwrap_or(before);
        if !before.is_empty() {
            pieces.push(HintPiece::Literal(before.to_owned()));
        }
        pieces.push(HintPiece::Variable(name.trim().to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(HintPiece::Literal(rest.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_the_tools_write_them() {
        let literal = |text: &str| HintPiece::Literal(text.to_owned());
        let variable = |name: &str| HintPiece::Variable(name.to_owned());
        for text in ["A#${x}#B#${y}", "A#{x}#B#{y}", "A#<x>#B#< y >"] {
            assert_eq!(form(text), [literal("A#"), variable("x"), literal("#B#"), variable("y")]);
        }
        assert_eq!(form("PROFILE"), [literal("PROFILE")]);
        assert_eq!(form("A#{x"), [literal("A#{x")]);
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        assert_eq!(Hints::parse("{"), Err(HintError::NotJson { line: 1, column: 1 }));
        for text in ["{}", "[]", "7", "[{}]", r#"{"models":7}"#] {
            assert_eq!(Hints::parse(text), Err(HintError::UnknownFormat), "{text}");
        }
    }
}
