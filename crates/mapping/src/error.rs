//! What can be wrong with a spec, and with items that are read back.

use std::fmt;

/// Why a spec is no mapping: where, what, and what was expected instead.
///
/// ```
/// use keystar_mapping::Mapping;
///
/// let error = Mapping::from_toml("[[rule]]\nkeys = 'user:{id}'\npk = 'USER#{name}'\n").unwrap_err();
/// assert_eq!((error.line(), error.column()), (Some(3), Some(6)));
/// assert_eq!(
///     error.to_string(),
///     "line 3, column 6: rule[0].pk: unknown reference {name}, expected {key}, {db} or {id}",
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpecError {
    path: String,
    message: String,
    expected: Option<String>,
    place: Option<(usize, usize)>,
}

impl SpecError {
    /// The line, counted from 1; `None` only for a spec that was not read from text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.map(|(line, _)| line)
    }

    /// The column in characters, counted from 1; `None` only for a spec that was not read from
    /// text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.map(|(_, column)| column)
    }

    /// Which setting: `rule[0].pk`; empty where the text is not even TOML.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was expected instead, if that can be said.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), expected: None, place: None }
    }

    pub(crate) fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let (message, expected) = match error.message().split_once(", expected ") {
            Some((message, expected)) => (message, Some(expected.replace('`', ""))),
            None => (error.message(), None),
        };
        let span = error.span().unwrap_or(0..0);
        Self {
            path: String::new(),
            message: message.replace('`', ""),
            expected,
            place: Some(place(text, span.start)),
        }
    }

    /// Finds the place of the setting in the text that the spec was read from.
    pub(crate) fn placed(mut self, text: &str) -> Self {
        let offset = locate(text, &self.path).unwrap_or(0);
        self.place = Some(place(text, offset));
        self
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.expected {
            Some(expected) => write!(f, ", expected {expected}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SpecError {}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// Where the value lies that a path such as `rule[0].fields."a.b"` leads to, or the nearest thing
/// around it that is there.
fn locate(text: &str, path: &str) -> Option<usize> {
    use toml::de::{DeTable, DeValue};

    let root = DeTable::parse(text).ok()?;
    let (mut table, mut value): (&DeTable<'_>, Option<&DeValue<'_>>) = (root.get_ref(), None);
    let mut offset = None;
    for step in steps(path) {
        match step {
            Step::Name(name) => {
                if let Some(DeValue::Table(inner)) = value {
                    table = inner;
                } else if value.is_some() {
                    break;
                }
                let Some(found) = table.get(name.as_str()) else { break };
                offset = Some(found.span().start);
                value = Some(found.get_ref());
            }
            Step::Index(index) => {
                let Some(DeValue::Array(items)) = value else { break };
                let Some(found) = items.get(index) else { break };
                offset = Some(found.span().start);
                value = Some(found.get_ref());
            }
        }
    }
    offset
}

enum Step {
    Name(String),
    Index(usize),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.extend(index.parse().ok().map(Step::Index));
            rest = after;
        } else if let Some((name, after)) =
            rest.strip_prefix('"').and_then(|rest| rest.split_once('"'))
        {
            steps.push(Step::Name(name.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            steps.push(Step::Name(name.to_owned()));
            rest = after;
        }
    }
    steps
}

/// Why items are no record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    attribute: Option<String>,
}

/// What is wrong: the part of an [`Error`] that a program can match on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No rule of the mapping would have made this item.
    NoRule,
    /// An attribute that the layout needs is missing.
    Missing,
    /// An attribute is not of the type or the form that the layout needs.
    Malformed,
    /// Neither the item's key nor an attribute gives the Redis key back.
    KeyNotKept,
    /// The items belong to more than one record.
    SeveralRecords,
    /// There are no items, or parts of the record are missing.
    Incomplete,
    /// The value lies beside the items: [`Mapping::onload`](crate::Mapping::onload) takes it.
    Offloaded,
    /// What lies beside the items is not what the item points to.
    OffloadMismatch,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, attribute: None }
    }

    pub(crate) fn at(kind: ErrorKind, attribute: &str) -> Self {
        Self { kind, attribute: Some(crate::text::shown(attribute.as_bytes())) }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// With which attribute, escaped and cut.
    #[must_use]
    pub fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::NoRule => "no rule of the mapping makes such an item",
            ErrorKind::Missing => "attribute missing",
            ErrorKind::Malformed => "attribute not of the form that the mapping writes",
            ErrorKind::KeyNotKept => "the item does not tell the Redis key",
            ErrorKind::SeveralRecords => "items of more than one record",
            ErrorKind::Incomplete => "items of the record are missing",
            ErrorKind::Offloaded => "the value lies beside the items",
            ErrorKind::OffloadMismatch => "the value beside the items is not the one pointed to",
        })?;
        match &self.attribute {
            Some(attribute) => write!(f, ": {attribute}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
