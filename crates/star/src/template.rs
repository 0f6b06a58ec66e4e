//! The form of a key: what `ORD#{orderid}` matches, and what its variables stand for.

use std::fmt;
use std::str::FromStr;

use memchr::memmem;

use crate::text::is_plain;

/// The form of a key: literals and variables by turns, `ORD#{orderid}`.
///
/// A variable stands for one character or more, up to the first place where the literal after it
/// begins; the last one reaches to the literal that ends the key. A backslash takes the meaning of
/// the character after it: `\{`.
///
/// ```
/// use keystar_star::KeyTemplate;
///
/// let template = KeyTemplate::parse("CUST#{username}")?;
/// assert_eq!(template.capture("CUST#ann").and_then(|found| found.get("username")), Some("ann"));
/// assert!(!template.matches("ORD#1"));
/// assert!(!template.matches("CUST#"));
/// # Ok::<(), keystar_star::TemplateError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeyTemplate {
    segments: Vec<Segment>,
}

/// A part of a [`KeyTemplate`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a key is made of these two")]
pub enum Segment {
    /// Text that stands as it is; not empty.
    Literal(Box<str>),
    /// A variable: up to the literal that follows, or to the end; never empty.
    Variable(Box<str>),
}

impl KeyTemplate {
    /// The most variables of a template.
    pub const MAX_VARIABLES: usize = 8;

    /// Reads a template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '\\' => literal.push(chars.next().ok_or(TemplateError::Escape)?),
                '{' => {
                    if !literal.is_empty() {
                        segments.push(Segment::Literal(std::mem::take(&mut literal).into()));
                    }
                    let (name, after) =
                        chars.as_str().split_once('}').ok_or(TemplateError::NotClosed)?;
                    chars = after.chars();
                    add_variable(&mut segments, name)?;
                }
                '}' => return Err(TemplateError::NotOpened),
                char => literal.push(char),
            }
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.into()));
        }
        if segments.is_empty() {
            return Err(TemplateError::Empty);
        }
        Ok(Self { segments })
    }

    /// The parts, in order; no two variables stand side by side, and no two literals.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of the variables, in order; each occurs once.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// Whether a key has this form.
    #[must_use]
    #[inline]
    pub fn matches(&self, key: &str) -> bool {
        self.capture(key).is_some()
    }

    /// What the variables stand for in a key; `None` if it has not this form. Nothing is
    /// allocated.
    #[must_use]
    #[inline]
    pub fn capture<'t, 'k>(&'t self, key: &'k str) -> Option<Captures<'t, 'k>> {
        let mut values = [""; Self::MAX_VARIABLES];
        let mut free = values.iter_mut();
        let mut rest = key;
        let mut segments = self.segments.iter();
        while let Some(segment) = segments.next() {
            match segment {
                Segment::Literal(literal) => rest = rest.strip_prefix(&**literal)?,
                Segment::Variable(_) => {
                    let (value, after) = match segments.next() {
                        Some(Segment::Literal(literal)) if segments.as_slice().is_empty() => {
                            (rest.strip_suffix(&**literal)?, "")
                        }
                        Some(Segment::Literal(literal)) => cut(rest, literal)?,
                        _ => (rest, ""),
                    };
                    if value.is_empty() {
                        return None;
                    }
                    *free.next()? = value;
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(Captures { template: self, values })
    }

    /// The key in which the variables have these values; `None` if the closure has none for one.
    pub fn render<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
        let mut key = String::new();
        for segment in &self.segments {
            key.push_str(match segment {
                Segment::Literal(literal) => literal,
                Segment::Variable(name) => value(name)?,
            });
        }
        Some(key)
    }

    /// Whether every key of the other form also has this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // A character that no literal has stands for any text: what takes it takes all.
        let unused = ('\u{e000}'..='\u{f8ff}').find(|unused| {
            !self.segments.iter().any(
                |segment| matches!(segment, Segment::Literal(literal) if literal.contains(*unused)),
            )
        });
        let Some(unused) = unused else { return false };
        let mut buffer = [0; 4];
        let any: &str = unused.encode_utf8(&mut buffer);
        other.render(|_| Some(any)).is_some_and(|key| self.matches(&key))
    }
}

/// What precedes the literal, one character at least, and what follows it.
#[inline]
fn cut<'k>(text: &'k str, literal: &str) -> Option<(&'k str, &'k str)> {
    // In UTF-8 a match of text never begins inside of a character.
    let at = memmem::find(text.as_bytes().get(1..)?, literal.as_bytes())? + 1;
    Some((text.get(..at)?, text.get(at + literal.len()..)?))
}

fn add_variable(segments: &mut Vec<Segment>, name: &str) -> Result<(), TemplateError> {
    if !is_plain(name) {
        return Err(TemplateError::Name(name.into()));
    }
    let (mut count, mut taken) = (0, false);
    for segment in segments.iter() {
        if let Segment::Variable(other) = segment {
            count += 1;
            taken |= **other == *name;
        }
    }
    if taken {
        return Err(TemplateError::Taken(name.into()));
    }
    if count == KeyTemplate::MAX_VARIABLES {
        return Err(TemplateError::TooMany);
    }
    if matches!(segments.last(), Some(Segment::Variable(_))) {
        return Err(TemplateError::NothingBetween(name.into()));
    }
    segments.push(Segment::Variable(name.into()));
    Ok(())
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => {
                    for char in literal.chars() {
                        if matches!(char, '\\' | '{' | '}') {
                            f.write_str("\\")?;
                        }
                        write!(f, "{char}")?;
                    }
                }
                Segment::Variable(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

/// What the variables of a [`KeyTemplate`] stand for in one key.
#[derive(Clone, Copy, Debug)]
pub struct Captures<'t, 'k> {
    template: &'t KeyTemplate,
    values: [&'k str; KeyTemplate::MAX_VARIABLES],
}

impl<'t, 'k> Captures<'t, 'k> {
    /// What a variable stands for; `None` if the template has no such one.
    #[must_use]
    #[inline]
    pub fn get(&self, variable: &str) -> Option<&'k str> {
        self.iter().find(|(name, _)| *name == variable).map(|(_, value)| value)
    }

    /// The value of the variable with this number, from 0, in the template's order.
    #[must_use]
    #[inline]
    pub fn at(&self, index: usize) -> Option<&'k str> {
        self.values.get(index).copied().filter(|value| !value.is_empty())
    }

    /// The variables and what they stand for, in the template's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'t str, &'k str)> {
        self.template.variables().zip(self.values)
    }
}

/// What is wrong with the text of a [`KeyTemplate`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is empty.
    #[error("a template may not be empty, write {{name}} for any key")]
    Empty,
    /// A `{` without its `}`.
    #[error("a brace is not closed, write \\{{ for a brace")]
    NotClosed,
    /// A `}` without its `{`.
    #[error("a brace is not opened, write \\}} for a brace")]
    NotOpened,
    /// A backslash at the end.
    #[error("a backslash at the end, write \\\\ for a backslash")]
    Escape,
    /// What stands in braces is no name.
    #[error("{{{0}}} is no variable, its name has letters, digits and _")]
    Name(Box<str>),
    /// Two variables of one name.
    #[error("{{{0}}} stands there twice, give one of them another name")]
    Taken(Box<str>),
    /// Two variables side by side.
    #[error("no text before {{{0}}} tells where the variable before it ends, write one such as #")]
    NothingBetween(Box<str>),
    /// More than [`KeyTemplate::MAX_VARIABLES`].
    #[error("more than 8 variables, read the last ones as one")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(template: &str, key: &str) -> Option<Vec<String>> {
        let template = KeyTemplate::parse(template).unwrap();
        let found = template.capture(key)?;
        assert_eq!(template.render(|name| found.get(name)).unwrap(), key);
        Some(found.iter().map(|(_, value)| value.to_owned()).collect())
    }

    #[test]
    fn variables_reach_up_to_what_follows() {
        let some = |values: &[&str]| Some(values.iter().map(|&value| value.into()).collect());
        assert_eq!(captured("CUST#{u}", "CUST#ann"), some(&["ann"]));
        assert_eq!(captured("CUST#{u}", "CUST#"), None);
        assert_eq!(captured("CUST#{u}", "cust#ann"), None);
        assert_eq!(captured("CONFIG", "CONFIG"), some(&[]));
        assert_eq!(captured("CONFIG", "CONFIG2"), None);
        assert_eq!(captured("{a}#{b}", "x#y#z"), some(&["x", "y#z"]));
        assert_eq!(captured("{a}#{b}", "##z"), some(&["#", "z"]));
        assert_eq!(captured("{a}#{b}", "#z"), None);
        assert_eq!(captured("{a}#{b}#END", "x#y#END#END"), some(&["x", "y#END"]));
        assert_eq!(captured("{a}é{b}", "üéß"), some(&["ü", "ß"]));
        assert_eq!(captured("{a}é", "é"), None);
        assert_eq!(captured("{a}", ""), None);
        assert_eq!(captured(r"\{{tag}\}", "{7}"), some(&["7"]));
    }

    #[test]
    fn what_is_no_template_is_explained() {
        for (text, message) in [
            ("", "a template may not be empty, write {name} for any key"),
            ("A#{id", "a brace is not closed, write \\{ for a brace"),
            ("A#id}", "a brace is not opened, write \\} for a brace"),
            ("A\\", "a backslash at the end, write \\\\ for a backslash"),
            ("{order id}", "{order id} is no variable, its name has letters, digits and _"),
            ("{}", "{} is no variable, its name has letters, digits and _"),
            ("{a}#{a}", "{a} stands there twice, give one of them another name"),
            (
                "{a}{b}",
                "no text before {b} tells where the variable before it ends, write one such as #",
            ),
            (
                "{a}-{b}-{c}-{d}-{e}-{f}-{g}-{h}-{i}",
                "more than 8 variables, read the last ones as one",
            ),
        ] {
            assert_eq!(KeyTemplate::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_wider_form_covers_a_narrower_one() {
        let covers = |a, b| KeyTemplate::parse(a).unwrap().covers(&KeyTemplate::parse(b).unwrap());
        assert!(covers("{pk}", "CUST#{u}"));
        assert!(covers("CUST#{name}", "CUST#{u}"));
        assert!(covers("CUST#{u}", "CUST#{u}#{v}"));
        assert!(covers("CUST#{u}", "CUST#7"));
        assert!(covers("C{a}#{b}", "CUST#{u}"));
        assert!(!covers("CUST#{u}", "{pk}"));
        assert!(!covers("CUST#{u}", "ORD#{o}"));
        assert!(!covers("CUST#{u}#{v}", "CUST#{u}"));
        assert!(!covers("CUST#7", "CUST#{u}"));
    }

    fn any_template() -> impl Strategy<Value = KeyTemplate> {
        let literals = prop::collection::vec("[#a\\\\{}é]{1,3}", 0..5);
        (any::<bool>(), any::<bool>(), literals).prop_map(|(first, last, literals)| {
            let mut segments = Vec::new();
            let variable = |index: usize| Segment::Variable(format!("v{index}").into());
            for (index, literal) in literals.iter().enumerate() {
                if index > 0 || first {
                    segments.push(variable(index));
                }
                segments.push(Segment::Literal(literal.as_str().into()));
            }
            if last || segments.is_empty() {
                segments.push(variable(literals.len()));
            }
            KeyTemplate { segments }
        })
    }

    proptest! {
        #[test]
        fn a_template_is_read_back(template in any_template()) {
            prop_assert_eq!(KeyTemplate::parse(&template.to_string()), Ok(template.clone()));
            prop_assert!(template.covers(&template));
        }

        #[test]
        fn what_is_captured_makes_the_key_again(template in any_template(), key in "[#aé]{0,8}") {
            if let Some(found) = template.capture(&key) {
                prop_assert!(found.iter().all(|(_, value)| !value.is_empty()));
                prop_assert_eq!(template.render(|name| found.get(name)), Some(key));
            }
        }

        #[test]
        fn what_is_rendered_matches(template in any_template(), values in prop::collection::vec("[#aé]{1,3}", 5)) {
            let value = |name: &str| values.get(usize::from(name.as_bytes()[1] - b'0')).map(String::as_str);
            let key = template.render(value).unwrap();
            let found = template.capture(&key).unwrap();
            prop_assert_eq!(template.render(|name| found.get(name)), Some(key));
        }

        #[test]
        fn what_one_covers_it_matches(one in any_template(), other in any_template(), key in "[#aé]{0,8}") {
            if one.covers(&other) && other.matches(&key) {
                prop_assert!(one.matches(&key));
            }
        }
    }
}
