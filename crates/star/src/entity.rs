use std::borrow::Cow;

use crate::{Column, KeyTemplate, Name};

/// One kind of item in the single table, and how its items become rows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entity {
    /// Its name: the partition `type=<name>` of the lake and the landing table.
    pub name: Name,
    /// How an item is told to be one; of a child entity, how the parent's item is.
    pub matcher: Matcher,
    /// For a child entity: the list or map whose members are its rows.
    pub unnest: Option<Unnest>,
    /// The columns, in the model's order (the lock file keeps the lake's order).
    pub columns: Vec<Column>,
    /// The columns that tell one row from all others by construction: the variables of the table's
    /// key; for a child entity, the parent's key and the position or the entry's name.
    ///
    /// A variable's column is read from the key, or is the attribute of the variable's name. Where
    /// an attribute differs from the key, or a type makes one value of two texts (`7` and `007` as
    /// an int), only a test of the data can tell.
    pub key: Vec<Name>,
    /// Other sets of columns that are declared unique; a data test proves each before a commit.
    pub unique: Vec<Vec<Name>>,
    /// What happens to attributes that the model does not know and values that do not fit.
    pub drift: Drift,
}

impl Entity {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &Name) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }

    /// Whether no two rows can have the same values in these columns: they hold the key, or a set
    /// that is declared unique.
    #[must_use]
    pub fn is_unique(&self, columns: &[&Name]) -> bool {
        let holds = |key: &Vec<Name>| key.iter().all(|name| columns.contains(&name));
        holds(&self.key) || self.unique.iter().any(holds)
    }
}

/// How an item is told to be of an entity: every condition holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Matcher {
    /// The conditions; at least one.
    pub conditions: Vec<Condition>,
}

/// One condition of a [`Matcher`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// An attribute is a text with this value: a discriminator, `type = "order"`.
    Equals {
        /// The attribute.
        attribute: Box<str>,
        /// Its value.
        value: Box<str>,
    },
    /// A key attribute has the form of a template: a text, or a number's text as it is, or bytes as
    /// base64.
    Like {
        /// The attribute: of the table's key, or of an index's.
        attribute: Box<str>,
        /// The form.
        template: KeyTemplate,
    },
    /// An attribute is there, whatever its value.
    Has {
        /// The attribute.
        attribute: Box<str>,
    },
    /// A variable that two templates share stands for the same text in both: `USER#{name}` in the
    /// partition key and in the sort key is the user's own item, not one about two users.
    Same {
        /// The variable.
        variable: Box<str>,
        /// One attribute and its template.
        left: (Box<str>, KeyTemplate),
        /// The other attribute and its template.
        right: (Box<str>, KeyTemplate),
    },
}

/// What an item has for an attribute, as far as a [`Matcher`] asks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a matcher asks for no more")]
pub enum Seen<'a> {
    /// Nothing.
    Missing,
    /// A text.
    Text(Cow<'a, str>),
    /// A number, as its text.
    Number(Cow<'a, str>),
    /// Bytes, as base64.
    Bytes(Cow<'a, str>),
    /// A value that no key has.
    Other,
}

impl Matcher {
    /// Whether every condition holds for an item; the closure tells what it has for an attribute.
    ///
    /// ```
    /// use keystar_star::{Model, Seen};
    ///
    /// let model = Model::parse(r#"
    ///     table = { partition_key = "PK", sort_key = "SK" }
    ///     entity.user = { pk = "USER#{name}", sk = "USER#{name}", columns.name = "text(64)" }
    /// "#)?;
    /// let matches = |pk: &'static str, sk: &'static str| {
    ///     model.entities[0].matcher.matches(|attribute| match attribute {
    ///         "PK" => Seen::Text(pk.into()),
    ///         "SK" => Seen::Text(sk.into()),
    ///         _ => Seen::Missing,
    ///     })
    /// };
    /// assert!(matches("USER#ann", "USER#ann"));
    /// assert!(!matches("USER#ann", "USER#bob"));
    /// # Ok::<(), keystar_star::ModelError>(())
    /// ```
    pub fn matches<'a>(&self, seen: impl Fn(&str) -> Seen<'a>) -> bool {
        let text = |attribute: &str| match seen(attribute) {
            Seen::Text(text) => Some(text),
            _ => None,
        };
        let key = |attribute: &str| match seen(attribute) {
            Seen::Text(text) | Seen::Number(text) | Seen::Bytes(text) => Some(text),
            Seen::Missing | Seen::Other => None,
        };
        self.conditions.iter().all(|condition| match condition {
            Condition::Equals { attribute, value } => {
                text(attribute).is_some_and(|text| text == **value)
            }
            Condition::Like { attribute, template } => {
                key(attribute).is_some_and(|key| template.matches(&key))
            }
            Condition::Has { attribute } => seen(attribute) != Seen::Missing,
            Condition::Same { variable, left, right } => {
                let (Some(one), Some(other)) = (key(&left.0), key(&right.0)) else {
                    return false;
                };
                let one = left.1.capture(&one).and_then(|found| found.get(variable));
                let other = right.1.capture(&other).and_then(|found| found.get(variable));
                one.is_some() && one == other
            }
        })
    }
}

/// A list or a map whose members become the rows of a child entity.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unnest {
    /// The entity whose items hold it.
    pub parent: Name,
    /// Where it is: in the parent's item, or if the parent is a child itself, in its member.
    pub path: crate::Path,
    /// What it is.
    pub over: UnnestOver,
}

/// What an [`Unnest`] goes over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB nests in these two ways")]
pub enum UnnestOver {
    /// A list (or a set): its elements, known by [`Source::Position`](crate::Source::Position).
    List,
    /// A map: its values, known by [`Source::Entry`](crate::Source::Entry).
    Map,
}

/// What becomes of an attribute that the model does not know, or of a value that does not fit its
/// column. Whatever it is, it is counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Drift {
    /// A new attribute becomes a column at the end; a type grows as far as no value changes; what
    /// still does not fit is set aside with its row.
    Evolve,
    /// The first difference fails the run.
    Freeze,
    /// An attribute or a value that does not fit is left out, the row stays.
    DiscardValue,
    /// A row with a value that does not fit is left out.
    DiscardRow,
    /// A row with a value that does not fit goes to the reject file with its reason; new
    /// attributes are counted and reported.
    #[default]
    Quarantine,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_of_any_key_and_discriminators_of_text() {
        let like = |attribute: &str| Condition::Like {
            attribute: attribute.into(),
            template: KeyTemplate::parse("1{rest}").unwrap(),
        };
        let rest = |attribute: &str| (attribute.into(), KeyTemplate::parse("1{rest}").unwrap());
        let (left, right) = (rest("a"), rest("b"));
        let same = Condition::Same { variable: "rest".into(), left, right };
        let equals = Condition::Equals { attribute: "a".into(), value: "12".into() };
        let matches = |condition: &Condition, a: Seen<'static>, b: Seen<'static>| {
            let matcher = Matcher { conditions: vec![condition.clone()] };
            matcher.matches(|attribute| if attribute == "a" { a.clone() } else { b.clone() })
        };
        let all = [Seen::Text("12".into()), Seen::Number("12".into()), Seen::Bytes("12".into())];
        for seen in &all {
            assert!(matches(&like("a"), seen.clone(), Seen::Missing), "{seen:?}");
            assert!(matches(&same, seen.clone(), Seen::Number("12".into())), "{seen:?}");
            assert!(!matches(&same, seen.clone(), Seen::Number("13".into())), "{seen:?}");
            let is_text = matches!(seen, Seen::Text(_));
            assert_eq!(matches(&equals, seen.clone(), Seen::Missing), is_text, "{seen:?}");
        }
        assert!(!matches(&like("a"), Seen::Other, Seen::Missing));
        assert!(!matches(&like("a"), Seen::Number("21".into()), Seen::Missing));
    }
}
