//! Templates: text with references to the key, its segments, its database, or a hash's field.

use std::borrow::Cow;

use crate::pattern::{self, Literal, MAX_SEGMENTS, Pattern, Segments};
use crate::spec::Binary;
use crate::text::{NotText, escape, unescape};

/// A checked template.
#[derive(Debug)]
pub(crate) struct Template {
    prefix: String,
    references: Vec<(Reference, Literal)>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reference {
    Key,
    Db,
    Segment(usize),
    Field(String),
}

/// What a template refers to.
#[derive(Clone, Copy)]
pub(crate) struct Source<'s, 'r> {
    pub(crate) key: &'r [u8],
    pub(crate) db: u32,
    pub(crate) segments: &'s Segments<'r>,
    pub(crate) binary: Binary,
}

/// What was found in text that templates have made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) db: Option<u32>,
    pub(crate) segments: [Option<Vec<u8>>; MAX_SEGMENTS],
}

impl Template {
    /// Reads a template whose references may be the segments of the pattern, and fields of
    /// hashes if `fields` says so.
    pub(crate) fn new(text: &str, pattern: &Pattern, fields: bool) -> Result<Self, TemplateError> {
        let mut template = Self { prefix: String::new(), references: Vec::new() };
        let mut literal: Option<String> = None;
        let mut pending: Option<Reference> = None;
        for piece in pattern::pieces(text).map_err(TemplateError::Syntax)? {
            match piece {
                pattern::Piece::Text(text, _) => {
                    literal.as_mut().unwrap_or(&mut template.prefix).push_str(&text);
                }
                pattern::Piece::Name(name) => {
                    let reference = Reference::new(&name, pattern, fields)?;
                    let before = literal.replace(String::new());
                    if let (Some(reference), Some(before)) = (pending.replace(reference), before) {
                        template.references.push((reference, Literal::new(before.as_bytes())));
                    }
                }
            }
        }
        if let Some(reference) = pending {
            let literal = literal.unwrap_or_default();
            template.references.push((reference, Literal::new(literal.as_bytes())));
        }
        Ok(template)
    }

    /// The template `{key}`.
    pub(crate) fn key() -> Self {
        Self { prefix: String::new(), references: vec![(Reference::Key, Literal::new(b""))] }
    }

    /// Whether it is `{key}` and nothing else.
    pub(crate) fn is_key(&self) -> bool {
        self.prefix.is_empty()
            && matches!(self.references.as_slice(),
                [(Reference::Key, literal)] if literal.bytes().is_empty())
    }

    pub(crate) fn refers_to(&self, wanted: &Reference) -> bool {
        self.references().any(|reference| reference == wanted)
    }

    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().map(|(reference, _)| reference)
    }

    /// The names of the fields that it refers to.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(|reference| match reference {
            Reference::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.references.is_empty()
    }

    /// Whether text can be told from what precedes and follows each reference.
    pub(crate) fn is_readable(&self) -> bool {
        let inner = self.references.split_last().map_or(&[][..], |(_, inner)| inner);
        inner.iter().all(|(_, literal)| !literal.bytes().is_empty())
    }

    /// Whether the text after the last reference, if there is one, is empty.
    pub(crate) fn ends_open(&self) -> bool {
        self.references.last().is_some_and(|(_, literal)| literal.bytes().is_empty())
    }

    /// Text that both templates could make may exist. `open` says that more may follow.
    pub(crate) fn may_meet(&self, other: &Self, open: bool) -> bool {
        let (a, b) = (self.prefix.as_bytes(), other.prefix.as_bytes());
        let common = a.len().min(b.len());
        if a.get(..common) != b.get(..common) {
            return false;
        }
        if open {
            return true;
        }
        match (self.suffix(), other.suffix()) {
            (None, None) => a == b,
            (Some(suffix), None) => b.len() > a.len() && b.ends_with(suffix),
            (None, Some(suffix)) => a.len() > b.len() && a.ends_with(suffix),
            (Some(a), Some(b)) => a.ends_with(b) || b.ends_with(a),
        }
    }

    fn suffix(&self) -> Option<&[u8]> {
        self.references.last().map(|(_, literal)| literal.bytes())
    }

    /// The text; borrowed where it is one reference and nothing else, or nothing but text.
    #[inline]
    pub(crate) fn text<'r>(&'r self, source: Source<'_, 'r>) -> Result<Cow<'r, str>, NotText> {
        match self.references.as_slice() {
            [] => Ok(Cow::Borrowed(&self.prefix)),
            [(reference, literal)] if self.prefix.is_empty() && literal.bytes().is_empty() => {
                reference.text(source)
            }
            references => {
                let mut text = self.prefix.clone();
                for (reference, literal) in references {
                    text.push_str(&reference.text(source)?);
                    text.push_str(&String::from_utf8_lossy(literal.bytes()));
                }
                Ok(Cow::Owned(text))
            }
        }
    }

    /// The same for a key of bytes, where nothing needs to be escaped.
    pub(crate) fn bytes<'r>(&'r self, source: Source<'_, 'r>) -> Cow<'r, [u8]> {
        match self.references.as_slice() {
            [] => Cow::Borrowed(self.prefix.as_bytes()),
            [(reference, literal)] if self.prefix.is_empty() && literal.bytes().is_empty() => {
                reference.bytes(source)
            }
            references => {
                let mut bytes = self.prefix.clone().into_bytes();
                for (reference, literal) in references {
                    bytes.extend_from_slice(&reference.bytes(source));
                    bytes.extend_from_slice(literal.bytes());
                }
                Cow::Owned(bytes)
            }
        }
    }

    /// The text of a template for an attribute; `None` if it refers to a field that is not there
    /// or not text.
    pub(crate) fn attribute<'r>(
        &'r self,
        source: Source<'_, 'r>,
        field: &dyn Fn(&str) -> Option<&'r [u8]>,
    ) -> Result<Option<Cow<'r, str>>, NotText> {
        if self.fields().next().is_none() {
            return self.text(source).map(Some);
        }
        let mut text = self.prefix.clone();
        for (reference, literal) in &self.references {
            match reference {
                Reference::Field(name) => {
                    match field(name).and_then(|value| std::str::from_utf8(value).ok()) {
                        Some(value) => text.push_str(value),
                        None => return Ok(None),
                    }
                }
                other => text.push_str(&other.text(source)?),
            }
            text.push_str(&String::from_utf8_lossy(literal.bytes()));
        }
        Ok(Some(Cow::Owned(text)))
    }

    /// Reads what the references stood for; `escaped` as the text of a key is, not its bytes.
    pub(crate) fn read(&self, text: &[u8], escaped: bool, found: &mut Found) -> Option<()> {
        let rest = self.read_front(text, escaped, found, false)?;
        rest.is_empty().then_some(())
    }

    /// Reads from the front; returns what follows. With `open`, something must follow.
    pub(crate) fn read_front<'t>(
        &self,
        text: &'t [u8],
        escaped: bool,
        found: &mut Found,
        open: bool,
    ) -> Option<&'t [u8]> {
        let mut rest = text.strip_prefix(self.prefix.as_bytes())?;
        for (index, (reference, literal)) in self.references.iter().enumerate() {
            let is_last = index + 1 == self.references.len() && !open;
            let value = literal.cut(&mut rest, is_last)?;
            let value = match escaped {
                true => unescape(std::str::from_utf8(value).ok()?)?,
                false => Cow::Borrowed(value),
            };
            let agrees = match reference {
                Reference::Key => agree(&mut found.key, value.into_owned()),
                Reference::Db => {
                    agree(&mut found.db, std::str::from_utf8(&value).ok()?.parse().ok()?)
                }
                Reference::Segment(index) => {
                    agree(found.segments.get_mut(*index)?, value.into_owned())
                }
                Reference::Field(_) => true,
            };
            agrees.then_some(())?;
        }
        Some(rest)
    }
}

fn agree<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    match slot {
        Some(known) => *known == value,
        None => {
            *slot = Some(value);
            true
        }
    }
}

/// Why a template is none.
#[derive(Debug)]
pub(crate) enum TemplateError {
    Syntax(String),
    Unknown { name: String, expected: String },
}

impl Reference {
    fn new(name: &str, pattern: &Pattern, fields: bool) -> Result<Self, TemplateError> {
        match (name, name.strip_prefix("field:")) {
            ("key", _) => return Ok(Self::Key),
            ("db", _) => return Ok(Self::Db),
            (_, Some(field)) if fields && !field.is_empty() => {
                return Ok(Self::Field(field.to_owned()));
            }
            _ => {}
        }
        if let Some(index) = pattern.names().iter().position(|known| known == name) {
            return Ok(Self::Segment(index));
        }
        let mut known: Vec<String> = vec!["{key}".into(), "{db}".into()];
        known.extend(pattern.names().iter().map(|name| format!("{{{name}}}")));
        if fields {
            known.push("{field:…}".into());
        }
        let last = known.pop().unwrap_or_default();
        let expected = format!("{} or {last}", known.join(", "));
        Err(TemplateError::Unknown { name: name.to_owned(), expected })
    }

    fn bytes<'r>(&self, source: Source<'_, 'r>) -> Cow<'r, [u8]> {
        match self {
            Self::Key => Cow::Borrowed(source.key),
            Self::Db => Cow::Owned(source.db.to_string().into_bytes()),
            Self::Segment(index) => {
                Cow::Borrowed(source.segments.get(*index).copied().unwrap_or_default())
            }
            Self::Field(_) => Cow::Borrowed(&[]),
        }
    }

    #[inline]
    fn text<'r>(&self, source: Source<'_, 'r>) -> Result<Cow<'r, str>, NotText> {
        match self.bytes(source) {
            Cow::Borrowed(bytes) => escape(bytes, source.binary),
            Cow::Owned(bytes) => Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let pattern = Pattern::keys("{a}:{b}").unwrap();
        for (template, key, text) in [
            ("{key}", "x:y", "x:y"),
            ("X#{a}#{b}", "x:y", "X#x#y"),
            ("{b}@{a}@{db}", "x:y", "y@x@3"),
            (r"\{{a}\}{b}", "x:y", "{x}y"),
            ("{a}-{b}", "base64:y", "base64-y"),
        ] {
            let template = Template::new(template, &pattern, false).unwrap();
            let segments = pattern.segments(key.as_bytes()).unwrap();
            let source =
                Source { key: key.as_bytes(), db: 3, segments: &segments, binary: Binary::Base64 };
            let made = template.text(source).ok().unwrap();
            assert_eq!(made, text);
            assert_eq!(template.bytes(source).as_ref(), text.as_bytes());
            let mut found = Found::default();
            template.read(made.as_bytes(), true, &mut found).unwrap();
            let read = found.key.or_else(|| pattern.key(&found.segments)).unwrap();
            assert_eq!(read, key.as_bytes());
        }
    }

    #[test]
    fn templates_that_never_meet_are_known() {
        let pattern = Pattern::keys("{a}:{b}").unwrap();
        let may_meet = |a, b| {
            let [a, b] = [a, b].map(|text| Template::new(text, &pattern, false).unwrap());
            assert_eq!(a.may_meet(&b, false), b.may_meet(&a, false));
            a.may_meet(&b, false)
        };
        assert!(may_meet("{a}", "USER#{b}"));
        assert!(may_meet("U{a}", "USER#{b}"));
        assert!(may_meet("X", "X"));
        assert!(may_meet("{a}X", "UX"));
        assert!(!may_meet("A#{a}", "B#{b}"));
        assert!(!may_meet("X", "Y"));
        assert!(!may_meet("{a}X", "{b}Y"));
        assert!(!may_meet("{a}X", "UY"));
    }
}
