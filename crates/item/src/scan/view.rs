use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Kind, Node, Span, Tape};
use crate::{AttributeValue, Number};

/// An item, where it stands in its text.
#[derive(Clone, Copy)]
pub struct ItemView<'a>(pub(super) MapView<'a>);

impl<'a> ItemView<'a> {
    /// How many attributes there are; counts them.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below")]
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The attributes in their order.
    #[inline]
    pub fn iter(self) -> Attributes<'a> {
        self.0.iter()
    }

    /// The value of the attribute of that name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<ValueView<'a>> {
        self.0.get(name)
    }

    /// The attributes as a map.
    #[must_use]
    pub fn as_map(self) -> MapView<'a> {
        self.0
    }

    /// The item's text: an object, as the API writes it, from brace to brace.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.0.text().as_bytes().trim_ascii()
    }

    /// The item, decoded.
    #[must_use]
    pub fn to_item(self) -> crate::Item<'a> {
        self.0.to_attributes().into()
    }
}

impl<'a> IntoIterator for ItemView<'a> {
    type Item = (RawText<'a>, ValueView<'a>);
    type IntoIter = Attributes<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for ItemView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A line of an export, where it stands: named items.
#[derive(Clone, Copy)]
pub struct RecordView<'a>(pub(super) MapView<'a>);

impl<'a> RecordView<'a> {
    /// The item of that name: `Item`, `Keys`, `NewImage`.
    #[must_use]
    #[inline]
    pub fn part(self, name: &str) -> Option<ItemView<'a>> {
        match self.0.get(name) {
            Some(ValueView::M(map)) => Some(ItemView(map)),
            _ => None,
        }
    }

    /// The items with their names, in their order.
    pub fn parts(self) -> impl Iterator<Item = (RawText<'a>, ItemView<'a>)> {
        self.0.iter().filter_map(|(name, value)| match value {
            ValueView::M(map) => Some((name, ItemView(map))),
            _ => None,
        })
    }
}

impl fmt::Debug for RecordView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of an attribute, where it stands: one of DynamoDB's ten types.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB has exactly these ten types")]
pub enum ValueView<'a> {
    /// Text.
    S(RawText<'a>),
    /// A decimal number within DynamoDB's digits and range; see [`Number`](crate::Number).
    N(&'a str),
    /// Bytes as base64; see [`RawText::decode_base64`].
    B(RawText<'a>),
    /// A truth value.
    Bool(bool),
    /// Nothing, on purpose.
    Null,
    /// A list.
    L(ListView<'a>),
    /// A map.
    M(MapView<'a>),
    /// A set of texts.
    Ss(TextSet<'a>),
    /// A set of numbers.
    Ns(NumberSet<'a>),
    /// A set of bytes, each as base64.
    Bs(TextSet<'a>),
}

impl<'a> ValueView<'a> {
    /// The name of the value's type in DynamoDB JSON: `S`, `N`, `B`, `BOOL`, `NULL`, `L`, `M`,
    /// `SS`, `NS` or `BS`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// The value, decoded.
    #[must_use]
    pub fn to_value(self) -> AttributeValue<'a> {
        // Scanned numbers parse.
        let number = |text: &'a str| Number::parse(text).unwrap_or_else(|_| Number::from(0i64));
        let bytes = |text: RawText<'a>| {
            let mut bytes = Vec::new();
            text.decode_base64(&mut bytes);
            Cow::Owned(bytes)
        };
        match self {
            Self::S(text) => AttributeValue::S(text.as_str()),
            Self::N(text) => AttributeValue::N(number(text)),
            Self::B(text) => AttributeValue::B(bytes(text)),
            Self::Bool(truth) => AttributeValue::Bool(truth),
            Self::Null => AttributeValue::Null,
            Self::L(list) => AttributeValue::L(list.iter().map(Self::to_value).collect()),
            Self::M(map) => AttributeValue::M(map.to_attributes()),
            Self::Ss(set) => AttributeValue::Ss(set.iter().map(RawText::as_str).collect()),
            Self::Ns(set) => AttributeValue::Ns(set.iter().map(number).collect()),
            Self::Bs(set) => AttributeValue::Bs(set.iter().map(bytes).collect()),
        }
    }
}

/// A map, where it stands.
#[derive(Clone, Copy)]
pub struct MapView<'a> {
    /// What the spans of the nodes are places in.
    whole: &'a str,
    tape: &'a Tape,
    /// Its first node on the tape, and the one behind its last.
    first: u32,
    end: u32,
}

impl<'a> MapView<'a> {
    /// The map of all nodes of the tape from the first on.
    #[allow(clippy::cast_possible_truncation, reason = "a node takes bytes of the text")]
    pub(super) fn new(whole: &'a str, tape: &'a Tape, first: usize) -> Self {
        Self { whole, tape, first: first as u32, end: tape.nodes.len() as u32 }
    }

    /// How many entries there are; counts them.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below")]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.first == self.end
    }

    /// The entries in their order.
    #[inline]
    pub fn iter(self) -> Attributes<'a> {
        Attributes(self.cursor())
    }

    /// The value of that name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<ValueView<'a>> {
        self.iter().find(|(have, _)| *have == *name).map(|(_, value)| value)
    }

    /// The map's text: an object, from brace to brace.
    #[must_use]
    pub fn text(self) -> &'a str {
        // The node before a value's first is the value's own; only the item has none.
        match self.first.checked_sub(1).and_then(|own| self.tape.nodes.get(own as usize)) {
            Some(own) => own.value.of(self.whole),
            None => self.whole,
        }
    }

    fn to_attributes(self) -> crate::Attributes<'a> {
        self.iter().map(|(name, value)| (name.as_str(), value.to_value())).collect()
    }

    /// The names, and where they are.
    pub(super) fn spans(self) -> impl Iterator<Item = (Span, RawText<'a>)> {
        let mut cursor = self.cursor();
        std::iter::from_fn(move || {
            let (_, node) = cursor.step()?;
            Some((node.name, cursor.name(node)))
        })
    }

    fn cursor(self) -> Cursor<'a> {
        Cursor(self)
    }
}

impl<'a> IntoIterator for MapView<'a> {
    type Item = (RawText<'a>, ValueView<'a>);
    type IntoIter = Attributes<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for MapView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A list, where it stands.
#[derive(Clone, Copy)]
pub struct ListView<'a>(MapView<'a>);

impl<'a> ListView<'a> {
    /// How many elements there are; counts them.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below")]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The elements in their order.
    pub fn iter(self) -> Elements<'a> {
        Elements(self.0.cursor())
    }

    /// The list's text: an array, from bracket to bracket.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0.text()
    }
}

impl<'a> IntoIterator for ListView<'a> {
    type Item = ValueView<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for ListView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A set of texts, or of bytes as base64, where it stands; never empty.
#[derive(Clone, Copy)]
pub struct TextSet<'a>(MapView<'a>);

impl<'a> TextSet<'a> {
    /// The members in their order.
    pub fn iter(self) -> Texts<'a> {
        Texts(self.0.cursor())
    }

    /// The set's text: an array, from bracket to bracket.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0.text()
    }
}

impl<'a> IntoIterator for TextSet<'a> {
    type Item = RawText<'a>;
    type IntoIter = Texts<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for TextSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A set of numbers, where it stands; never empty.
#[derive(Clone, Copy)]
pub struct NumberSet<'a>(MapView<'a>);

impl<'a> NumberSet<'a> {
    /// The members in their order.
    pub fn iter(self) -> Numbers<'a> {
        Numbers(self.0.cursor())
    }

    /// The set's text: an array, from bracket to bracket.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0.text()
    }
}

impl<'a> IntoIterator for NumberSet<'a> {
    type Item = &'a str;
    type IntoIter = Numbers<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for NumberSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The entries of a map: [`MapView::iter`].
#[derive(Clone, Debug)]
pub struct Attributes<'a>(Cursor<'a>);

impl<'a> Iterator for Attributes<'a> {
    type Item = (RawText<'a>, ValueView<'a>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (at, node) = self.0.step()?;
        Some((self.0.name(node), self.0.value(at, node)))
    }
}

/// The elements of a list: [`ListView::iter`].
#[derive(Clone, Debug)]
pub struct Elements<'a>(Cursor<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = ValueView<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, node) = self.0.step()?;
        Some(self.0.value(at, node))
    }
}

/// The members of a set of texts: [`TextSet::iter`].
#[derive(Clone, Debug)]
pub struct Texts<'a>(Cursor<'a>);

impl<'a> Iterator for Texts<'a> {
    type Item = RawText<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, node) = self.0.step()?;
        Some(self.0.text(node))
    }
}

/// The members of a set of numbers: [`NumberSet::iter`].
#[derive(Clone, Debug)]
pub struct Numbers<'a>(Cursor<'a>);

impl<'a> Iterator for Numbers<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, node) = self.0.step()?;
        Some(self.0.number(node))
    }
}

/// Goes over the nodes of one level; what is left of them.
#[derive(Clone, Debug)]
struct Cursor<'a>(MapView<'a>);

impl<'a> Cursor<'a> {
    /// The next node, and which it is.
    #[inline(always)]
    fn step(&mut self) -> Option<(u32, &'a Node)> {
        let at = self.0.first;
        if at >= self.0.end {
            return None;
        }
        let node = self.0.tape.nodes.get(at as usize)?;
        self.0.first = at + node.nodes;
        Some((at, node))
    }

    #[inline(always)]
    fn name(&self, node: &Node) -> RawText<'a> {
        RawText { raw: node.name.of(self.0.whole), escaped: node.name_escaped }
    }

    #[inline(always)]
    fn text(&self, node: &Node) -> RawText<'a> {
        RawText { raw: node.value.of(self.0.whole), escaped: node.value_escaped }
    }

    #[inline(always)]
    fn number(&self, node: &Node) -> &'a str {
        node.value.of(if node.value_escaped { &self.0.tape.unescaped } else { self.0.whole })
    }

    #[inline(always)]
    fn value(&self, at: u32, node: &Node) -> ValueView<'a> {
        let inside = || MapView { first: at + 1, end: at + node.nodes, ..self.0 };
        match node.kind {
            Kind::S => ValueView::S(self.text(node)),
            Kind::N => ValueView::N(self.number(node)),
            Kind::B => ValueView::B(self.text(node)),
            Kind::True => ValueView::Bool(true),
            Kind::False => ValueView::Bool(false),
            Kind::Null => ValueView::Null,
            Kind::L => ValueView::L(ListView(inside())),
            Kind::M => ValueView::M(inside()),
            Kind::Ss => ValueView::Ss(TextSet(inside())),
            Kind::Ns => ValueView::Ns(NumberSet(inside())),
            Kind::Bs => ValueView::Bs(TextSet(inside())),
        }
    }
}

/// A string of JSON as it is written, without its quotes; its escapes are checked, not replaced.
#[derive(Clone, Copy)]
pub struct RawText<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> RawText<'a> {
    /// What the string says: borrowed, unless it is written with escapes.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// What the string says, if it is written without escapes.
    #[must_use]
    #[inline]
    pub fn as_plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The string as it is written, escapes and all.
    #[must_use]
    #[inline]
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// Of a value of type B or a member of BS, appends the bytes; of any other text that is no
    /// base64, says `false` and appends nothing.
    pub fn decode_base64(self, out: &mut Vec<u8>) -> bool {
        let length = out.len();
        let is_base64 = STANDARD.decode_vec(self.as_str().as_bytes(), out).is_ok();
        if !is_base64 {
            out.truncate(length);
        }
        is_base64
    }
}

impl PartialEq<str> for RawText<'_> {
    #[inline]
    fn eq(&self, text: &str) -> bool {
        if self.escaped { unescape(self.raw) == text } else { self.raw == text }
    }
}

impl PartialEq<&str> for RawText<'_> {
    #[inline]
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl PartialEq for RawText<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.escaped || other.escaped {
            self.as_str() == other.as_str()
        } else {
            self.raw == other.raw
        }
    }
}

impl Eq for RawText<'_> {}

impl fmt::Debug for RawText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_str(), f)
    }
}

impl fmt::Display for RawText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.as_str())
    }
}

/// Replaces escapes that were checked before.
#[cold]
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut characters = escape.chars();
        let character = match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let code = |at: usize| {
                    let digits = escape.get(at..at + 4);
                    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
                };
                let (first, skipped) = (code(1), 5);
                let (character, skipped) = match char::from_u32(first) {
                    Some(character) => (character, skipped),
                    None => {
                        let second = code(7);
                        let code = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
                        (char::from_u32(code).unwrap_or('\u{fffd}'), skipped + 6)
                    }
                };
                characters = escape.get(skipped..).unwrap_or_default().chars();
                character
            }
            Some(other) => other,
            None => '\\',
        };
        text.push(character);
        rest = characters.as_str();
    }
    text.push_str(rest);
    text
}
