//! Where two items differ, by path: what a person looks at first. Never what they hold.

use std::{collections::BTreeMap, fmt};

use keystar_item::{AttributeValue, Attributes, Item};
use serde::{Deserialize, Serialize};

use crate::fingerprint::{forget_estimate, is_hyperloglog};

/// A place where two items are not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// Which attribute: `address.home[0]`. A name with other characters than `A-Z a-z 0-9 _ -`
    /// stands in quotes.
    pub path: String,
    /// How they differ there.
    pub how: Unlike,
}

/// How two items differ at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unlike {
    /// The first has nothing there.
    OnlySecond {
        /// The type of what the second has.
        second: String,
    },
    /// The second has nothing there.
    OnlyFirst {
        /// The type of what the first has.
        first: String,
    },
    /// They have values of different types.
    Type {
        /// The type in the first.
        first: String,
        /// The type in the second.
        second: String,
    },
    /// They have different values of this type.
    Value {
        /// The type of both.
        of: String,
    },
    /// They have different numbers of entries.
    Length {
        /// How many the first has.
        first: usize,
        /// How many the second has.
        second: usize,
    },
}

/// Every place where two items differ, in the order of the first; `most` bounds how many are named.
pub(crate) fn differences(first: &Item<'_>, second: &Item<'_>, most: usize) -> Vec<Difference> {
    let mut walk = Walk { path: String::new(), found: Vec::new(), most };
    walk.attributes(&first.attributes, &second.attributes);
    walk.found
}

struct Walk {
    path: String,
    found: Vec<Difference>,
    most: usize,
}

impl Walk {
    fn note(&mut self, how: Unlike) {
        if self.found.len() < self.most {
            self.found.push(Difference { path: self.path.clone(), how });
        }
    }

    /// Does something one step further down.
    fn at(&mut self, step: &str, then: impl FnOnce(&mut Self)) {
        let end = self.path.len();
        self.path.push_str(step);
        then(self);
        self.path.truncate(end);
    }

    fn attributes(&mut self, first: &Attributes<'_>, second: &Attributes<'_>) {
        // By name once: an item may have thousands of attributes.
        let others: BTreeMap<&str, &AttributeValue<'_>> =
            second.iter().map(|(name, value)| (&**name, value)).collect();
        let mut known = BTreeMap::new();
        for (name, value) in first.iter() {
            known.insert(&**name, ());
            let step = self.step(name);
            self.at(&step, |walk| match others.get(&**name) {
                Some(other) => walk.values(value, other),
                None => walk.note(Unlike::OnlyFirst { first: value.type_name().to_owned() }),
            });
        }
        for (name, value) in second.iter().filter(|(name, _)| !known.contains_key(&**name)) {
            let step = self.step(name);
            self.at(&step, |walk| {
                walk.note(Unlike::OnlySecond { second: value.type_name().to_owned() });
            });
        }
    }

    fn values(&mut self, first: &AttributeValue<'_>, second: &AttributeValue<'_>) {
        if first.is_same(second) || same_hyperloglog(first, second) {
            return;
        }
        match (first, second) {
            (AttributeValue::M(first), AttributeValue::M(second)) => self.attributes(first, second),
            (AttributeValue::L(first), AttributeValue::L(second)) => {
                if first.len() != second.len() {
                    let (first, second) = (first.len(), second.len());
                    self.note(Unlike::Length { first, second });
                }
                for (at, (first, second)) in first.iter().zip(second).enumerate() {
                    self.at(&format!("[{at}]"), |walk| walk.values(first, second));
                }
            }
            _ if first.type_name() != second.type_name() => self.note(Unlike::Type {
                first: first.type_name().to_owned(),
                second: second.type_name().to_owned(),
            }),
            _ => self.note(Unlike::Value { of: first.type_name().to_owned() }),
        }
    }

    fn step(&self, name: &str) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
        let name = match name.chars().all(plain) {
            true => name.to_owned(),
            false => format!("\"{}\"", name.escape_default()),
        };
        if self.path.is_empty() { name } else { format!(".{name}") }
    }
}

/// Whether both are the same HyperLogLog, but for the estimate in its head.
fn same_hyperloglog(first: &AttributeValue<'_>, second: &AttributeValue<'_>) -> bool {
    let (AttributeValue::B(first), AttributeValue::B(second)) = (first, second) else {
        return false;
    };
    if !is_hyperloglog(first) || !is_hyperloglog(second) {
        return false;
    }
    let [mut first, mut second] = [first.to_vec(), second.to_vec()];
    forget_estimate(&mut first);
    forget_estimate(&mut second);
    first == second
}

impl Difference {
    /// In words, of two sides that have names.
    pub(crate) fn told<'a>(&'a self, first: &'a str, second: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let path = &self.path;
            match &self.how {
                Unlike::OnlyFirst { first: of } => write!(f, "{path}: {of} only {first}"),
                Unlike::OnlySecond { second: of } => write!(f, "{path}: {of} only {second}"),
                Unlike::Type { first: one, second: other } => {
                    write!(f, "{path}: {one} {first}, {other} {second}")
                }
                Unlike::Value { of } => write!(f, "{path}: another {of}"),
                Unlike::Length { first: one, second: other } => {
                    write!(f, "{path}: {one} entries {first}, {other} {second}")
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use keystar_item::json;

    use super::*;

    fn told(first: &str, second: &str) -> Vec<String> {
        let item = |text: &str| {
            json::parse_item(format!("{{\"Item\":{text}}}").as_bytes()).unwrap().into_owned()
        };
        differences(&item(first), &item(second), 10)
            .iter()
            .map(|difference| difference.told("here", "there").to_string())
            .collect()
    }

    #[test]
    fn each_difference_is_told_with_its_path() {
        let first = r#"{"k":{"S":"a"},"n":{"N":"1"},"m":{"M":{"x y":{"L":[{"S":"a"},{"S":"b"}]}}},"z":{"SS":["a","b"]}}"#;
        let second = r#"{"k":{"S":"b"},"n":{"S":"1"},"m":{"M":{"x y":{"L":[{"N":"1"}]}}},"z":{"SS":["b","a"]},"w":{"NULL":true}}"#;
        assert_eq!(
            told(first, second),
            [
                "k: another S",
                "n: N here, S there",
                "m.\"x y\": 2 entries here, 1 there",
                "m.\"x y\"[0]: S here, N there",
                "w: NULL only there",
            ]
        );
        assert_eq!(told(r#"{"a":{"BOOL":true}}"#, "{}"), ["a: BOOL only here"]);
    }

    #[test]
    fn numbers_are_compared_by_value_and_sets_without_order() {
        let first = r#"{"n":{"N":"1e3"},"s":{"NS":["1","2"]}}"#;
        let second = r#"{"s":{"NS":["2.0","1"]},"n":{"N":"1000"}}"#;
        assert_eq!(told(first, second), [""; 0]);
    }

    #[test]
    fn the_estimate_of_a_hyperloglog_says_nothing() {
        // HYLL, sparse, then the estimate, then registers.
        let with = |estimate: &str, rest: &str| {
            let bytes = [&b"HYLL\x01\0\0\0"[..], estimate.as_bytes(), rest.as_bytes()].concat();
            let mut item = Item::new();
            item.push("v", AttributeValue::B(bytes.into()));
            item
        };
        let found = |first, second| differences(&first, &second, 9).len();
        assert_eq!(found(with("12345678", "abc"), with("87654321", "abc")), 0);
        assert_eq!(found(with("12345678", "abc"), with("12345678", "abd")), 1);
        let texts = [with("12345678", "abc"), with("87654321", "abc")].map(|item| {
            let Some(AttributeValue::B(bytes)) = item.get("v") else { panic!() };
            let text = keystar_rdb::Value::String(keystar_rdb::Blob::from(bytes.to_vec()));
            crate::fingerprint::Fingerprint::of(&text, 0)
        });
        assert_eq!(texts[0], texts[1]);
    }

    #[test]
    fn only_so_many_are_named() {
        let wide: Vec<String> = (0..50).map(|at| format!("\"a{at}\":{{\"N\":\"1\"}}")).collect();
        assert_eq!(told(&format!("{{{}}}", wide.join(",")), "{}").len(), 10);
    }
}
