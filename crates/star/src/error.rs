use std::fmt;
use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use crate::text::Key;

/// Why a text is no model: everything that is wrong with it, each with its place and what to do.
///
/// ```
/// use keystar_star::Model;
///
/// let error = Model::parse("[table]\npartition_kye = \"PK\"\n").unwrap_err();
/// assert_eq!((error.line(), error.column()), (Some(2), Some(1)));
/// assert_eq!(error.hint(), Some("did you mean partition_key?"));
/// assert_eq!(
///     error.faults()[0].to_string(),
///     "line 2, column 1: table.partition_kye: unknown setting; did you mean partition_key?",
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelError {
    faults: Vec<Fault>,
}

impl ModelError {
    /// What is wrong, in the order of the text; never empty.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The line of the first fault, counted from 1; `None` for a spec that was not read from text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.faults.first().and_then(Fault::line)
    }

    /// The column of the first fault in characters, counted from 1; `None` for a spec that was not
    /// read from text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.faults.first().and_then(Fault::column)
    }

    /// What to do about the first fault, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.faults.first().and_then(Fault::hint)
    }

    /// Text that is no TOML.
    pub(crate) fn no_toml(text: &str, error: &toml::de::Error) -> Self {
        let (message, hint) = match error.message().split_once(", expected ") {
            Some((message, expected)) => (message, Some(format!("expected {expected}"))),
            None => (error.message(), None),
        };
        let span = error.span().unwrap_or(0..0);
        Self {
            faults: vec![Fault {
                at: At::default(),
                message: message.replace('`', ""),
                hint: hint.map(|hint| hint.replace('`', "")),
                place: Some(place(text, span.start)),
            }],
        }
    }

    /// Finds the places in the text that the spec was read from.
    pub(crate) fn placed(mut self, text: &str) -> Self {
        let Ok(root) = DeTable::parse(text) else { return self };
        for fault in &mut self.faults {
            let span = fault.at.find(root.get_ref());
            fault.place = Some(place(text, span.map_or(0, |span| span.start)));
        }
        self.faults.sort_by_key(|fault| fault.place);
        self
    }
}

impl fmt::Display for ModelError {
    /// One line for each fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelError {}

/// One thing that is wrong with a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    at: At,
    message: String,
    hint: Option<String>,
    place: Option<(usize, usize)>,
}

impl Fault {
    /// The line, counted from 1; `None` for a spec that was not read from text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.map(|(line, _)| line)
    }

    /// The column in characters, counted from 1; `None` for a spec that was not read from text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.map(|(_, column)| column)
    }

    /// Which setting: `fact.sales.grain[0]`; empty where the text is not even TOML.
    #[must_use]
    pub fn path(&self) -> String {
        self.at.to_string()
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.at.steps.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The faults that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        let fault = Fault { at, message: message.into(), hint: Some(hint.into()), place: None };
        self.0.push(fault);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults as an error.
    pub(crate) fn or_fail<T>(self) -> Result<T, ModelError> {
        Err(ModelError { faults: self.0 })
    }

    /// The value, unless there are faults.
    pub(crate) fn or<T>(self, value: T) -> Result<T, ModelError> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(ModelError { faults: self.0 }),
        }
    }
}

/// A place in a spec: `fact.sales.grain[0]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct At {
    steps: Vec<Step>,
    /// Whether the name of the setting is meant rather than its value.
    key: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

impl At {
    pub(crate) fn root(name: &str) -> Self {
        Self::default().name(name)
    }

    pub(crate) fn name(&self, name: &str) -> Self {
        let mut at = self.clone();
        at.steps.push(Step::Name(name.to_owned()));
        at.key = false;
        at
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        let mut at = self.clone();
        at.steps.push(Step::Index(index));
        at.key = false;
        at
    }

    pub(crate) fn key(mut self) -> Self {
        self.key = true;
        self
    }

    /// Where it is in the text, or where the nearest thing around it is. A table is where its name
    /// is, since its value may be spread over the text.
    fn find(&self, root: &DeTable<'_>) -> Option<Range<usize>> {
        let mut table = Some(root);
        let mut array: Option<&DeArray<'_>> = None;
        let mut found: Option<Range<usize>> = None;
        for (index, step) in self.steps.iter().enumerate() {
            let value = match step {
                Step::Name(name) => {
                    let Some(table) = table else { break };
                    let entry = table.iter().find(|(key, _)| key.get_ref() == name);
                    let Some((key, value)) = entry else { break };
                    let is_last = index + 1 == self.steps.len();
                    found = match value.get_ref() {
                        DeValue::Table(_) => Some(key.span()),
                        _ if is_last && self.key => Some(key.span()),
                        _ => Some(value.span()),
                    };
                    value
                }
                Step::Index(index) => {
                    let Some(value) = array.and_then(|items| items.get(*index)) else { break };
                    found = Some(value.span());
                    value
                }
            };
            (table, array) = match value.get_ref() {
                DeValue::Table(table) => (Some(table), None),
                DeValue::Array(items) => (None, Some(items)),
                _ => break,
            };
        }
        found
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Name(name) if index == 0 => write!(f, "{}", Key(name))?,
                Step::Name(name) => write!(f, ".{}", Key(name))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
