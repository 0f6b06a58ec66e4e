//! An entity as it takes form: what is proposed, and why.

use crate::infer::group::{Group, PartId, Side};
use crate::infer::values::Values;
use crate::{ColumnSpec, KeyTemplate, Path, Type, UnnestOver};

#[derive(Clone, Debug)]
pub(in crate::infer) struct Draft {
    pub(in crate::infer) name: String,
    /// The discriminator and its value.
    pub(in crate::infer) when: Option<(String, String)>,
    pub(in crate::infer) partition: Template,
    pub(in crate::infer) sort: Option<Template>,
    /// Keys of indexes.
    pub(in crate::infer) indexes: Vec<Index>,
    pub(in crate::infer) child: Option<Child>,
    pub(in crate::infer) rows: u64,
    pub(in crate::infer) columns: Vec<Col>,
    /// Names of columns.
    pub(in crate::infer) key: Vec<String>,
    pub(in crate::infer) unique: Vec<Vec<String>>,
    pub(in crate::infer) group: Group,
    pub(in crate::infer) evidence: Vec<String>,
    pub(in crate::infer) confidence: u8,
}

#[derive(Clone, Debug)]
pub(in crate::infer) struct Child {
    /// The parent's place among the drafts.
    pub(in crate::infer) parent: usize,
    pub(in crate::infer) path: Path,
    pub(in crate::infer) over: UnnestOver,
}

/// The key of an index.
#[derive(Clone, Debug)]
pub(in crate::infer) struct Index {
    pub(in crate::infer) template: Template,
    /// The share of items that have it.
    pub(in crate::infer) share: f64,
    /// Whether every item has it, in this form.
    pub(in crate::infer) is_sure: bool,
}

impl Index {
    /// What the model says of it: nothing, unless that holds for every item.
    pub(in crate::infer) fn form(&self) -> Option<KeyTemplate> {
        self.is_sure.then(|| KeyTemplate::parse(&self.template.text()).ok()).flatten()
    }
}

#[derive(Clone, Debug, Default)]
pub(in crate::infer) struct Template {
    /// The key's attribute.
    pub(in crate::infer) attribute: String,
    pub(in crate::infer) pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(in crate::infer) enum Piece {
    Literal(String),
    Variable(Box<Variable>),
}

#[derive(Clone, Debug, Default)]
pub(in crate::infer) struct Variable {
    pub(in crate::infer) name: String,
    pub(in crate::infer) part: Option<PartId>,
    /// Whether the part begins with a word that is a literal of the template.
    pub(in crate::infer) is_rest: bool,
    /// The attribute that is equal in every item.
    pub(in crate::infer) attribute: Option<String>,
    /// The word before it: `ORD`.
    pub(in crate::infer) tag: String,
    pub(in crate::infer) values: Values,
}

impl Template {
    pub(in crate::infer) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(&**variable),
            Piece::Literal(_) => None,
        })
    }

    pub(in crate::infer) fn variables_mut(&mut self) -> impl Iterator<Item = &mut Variable> {
        self.pieces.iter_mut().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(&mut **variable),
            Piece::Literal(_) => None,
        })
    }

    /// Its text, as the model writes it.
    pub(in crate::infer) fn text(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => {
                    for character in literal.chars() {
                        if matches!(character, '{' | '}' | '\\') {
                            text.push('\\');
                        }
                        text.push(character);
                    }
                }
                Piece::Variable(variable) => {
                    text.push('{');
                    text.push_str(&variable.name);
                    text.push('}');
                }
            }
        }
        text
    }

    /// How many characters are literal: of two forms that a key has, the one that says more.
    pub(in crate::infer) fn literals(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Literal(literal) => literal.len(),
            Piece::Variable(_) => 0,
        };
        self.pieces.iter().map(length).sum()
    }

    /// Its first word, if it has one: `ORD` of `ORD#{orderid}`.
    pub(in crate::infer) fn tag(&self) -> Option<&str> {
        match self.pieces.first() {
            Some(Piece::Literal(literal)) => {
                let word = literal.trim_matches(|character: char| !character.is_alphanumeric());
                let word = word.split(['#', '|', '~', ':', '/']).next().unwrap_or(word);
                (!word.is_empty()).then_some(word)
            }
            _ => None,
        }
    }
}

impl Draft {
    /// Both templates of the table's key.
    pub(in crate::infer) fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    pub(in crate::infer) fn column(&self, name: &str) -> Option<&Col> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// All sets of columns by which rows are told apart: the key, and what seems unique.
    pub(in crate::infer) fn has_key(&self, columns: &[&str]) -> bool {
        let holds = |key: &Vec<String>| key.iter().all(|name| columns.contains(&name.as_str()));
        holds(&self.key) || self.unique.iter().any(holds)
    }
}

/// A column as it takes form.
#[derive(Clone, Debug)]
pub(in crate::infer) struct Col {
    /// Its name in a warehouse.
    pub(in crate::infer) name: String,
    /// Its name in the model, which may say the attribute as it is written.
    pub(in crate::infer) text: String,
    pub(in crate::infer) spec: ColumnSpec,
    /// Its type, also where the model need not say it.
    pub(in crate::infer) ty: Type,
    pub(in crate::infer) values: Values,
    /// The share of rows that have a value.
    pub(in crate::infer) present: f64,
    pub(in crate::infer) notes: Vec<String>,
    /// What tells it in an item, to look up what else it tells.
    pub(in crate::infer) side: Option<Side>,
    /// The words before it in keys.
    pub(in crate::infer) tags: Vec<String>,
}

impl Col {
    pub(in crate::infer) fn is_text(&self) -> bool {
        matches!(self.ty, Type::Text { .. })
    }

    /// Whether every value is there and none twice.
    pub(in crate::infer) fn seems_unique(&self) -> bool {
        self.present >= 1.0 && self.values.present() >= 10 && self.values.sketch.never_repeats()
    }
}
