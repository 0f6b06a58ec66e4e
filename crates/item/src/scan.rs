//! DynamoDB JSON, looked at where it stands.
//!
//! [`Tape::scan`] goes over the text of an item once, checks all of it, and notes where each name
//! and each value is. Nothing is copied and nothing is decoded before it is asked for: whoever
//! wants three attributes of an item, or wants them as something else than an
//! [`Item`](crate::Item), pays for no more.
//!
//! ```
//! use keystar_item::scan::{Tape, ValueView};
//!
//! let mut tape = Tape::new();
//! for line in [r#"{"PK":{"S":"ORD#1"},"price":{"N":"9.90"}}"#, r#"{"PK":{"S":"ORD#2"}}"#] {
//!     let item = tape.scan(line.as_bytes())?;
//!     let Some(ValueView::S(key)) = item.get("PK") else { panic!("all have a key") };
//!     assert!(key.as_str().starts_with("ORD#"));
//! }
//! # Ok::<(), keystar_item::Error>(())
//! ```
//!
//! What is accepted is what [`json::parse_item`](crate::json::parse_item) accepts, less what no
//! item can be: an attribute name twice in one map, and an empty set.

mod scanner;
mod view;

use crate::{Error, ErrorKind};
use scanner::Scanner;

pub use view::{
    Attributes, Elements, ItemView, ListView, MapView, NumberSet, Numbers, RawText, RecordView,
    TextSet, Texts, ValueView,
};

/// Where the values of the item at hand are. One tape serves any number of items, one after the
/// other, and keeps its memory: 24 bytes for each value, on any level.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    /// The texts of numbers that are written with escapes, one behind the other.
    unescaped: String,
}

impl Tape {
    /// A tape without memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Scans an item as DynamoDB's API writes it: `{"PK":{"S":"…"},"price":{"N":"…"}}`.
    ///
    /// White space may stand wherever JSON allows it, names and values may be written with
    /// escapes. Everything else is strict, so that views need not check again: one type for each
    /// value, numbers as strings and within DynamoDB's digits and range, base64 with padding, no
    /// raw control character, no escape of half a surrogate pair, no name twice in a map, no empty
    /// set, nothing behind the item. Depth is bounded by [`json::MAX_DEPTH`](crate::json::MAX_DEPTH).
    ///
    /// # Errors
    ///
    /// With the byte at which the text stops being an item.
    pub fn scan<'a>(&'a mut self, text: &'a [u8]) -> Result<ItemView<'a>, Error> {
        let text = self.start(text)?;
        let mut scanner = Scanner::new(text, self);
        let end = scanner.attributes(0, 1)?;
        scanner.end(end)?;
        Ok(ItemView(MapView::new(text, self, 0)))
    }

    /// Scans a line of an export, an object of named items: `{"Item":{…}}` of a full export,
    /// `{"Metadata":{…},"Keys":{…},"OldImage":{…},"NewImage":{…}}` of an incremental one. The names
    /// are not checked, the items are as in [`scan`](Self::scan).
    ///
    /// ```
    /// use keystar_item::scan::Tape;
    ///
    /// let mut tape = Tape::new();
    /// let line = br#"{"Item":{"PK":{"S":"ORD#1"},"price":{"N":"9.90"}}}"#;
    /// let record = tape.scan_record(line)?;
    /// let item = record.part("Item").unwrap();
    /// assert_eq!((item.len(), item.text()), (2, &line[8..line.len() - 1]));
    /// # Ok::<(), keystar_item::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    pub fn scan_record<'a>(&'a mut self, text: &'a [u8]) -> Result<RecordView<'a>, Error> {
        let text = self.start(text)?;
        let mut scanner = Scanner::new(text, self);
        let end = scanner.record(0)?;
        scanner.end(end)?;
        Ok(RecordView(MapView::new(text, self, 0)))
    }

    fn start<'a>(&mut self, text: &'a [u8]) -> Result<&'a str, Error> {
        self.nodes.clear();
        self.unescaped.clear();
        // Places are kept in 32 bits.
        if u32::try_from(text.len()).is_err() {
            return Err(Error::new(ErrorKind::LineTooLong));
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text),
            Err(error) => Err(Error::at(ErrorKind::Utf8, error.valid_up_to())),
        }
    }
}

/// A value, and its name if it has one. What a list, a map or a set holds follows it.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where the name's text is, without quotes.
    name: Span,
    /// Where the value's text is: without quotes, or from bracket to bracket.
    value: Span,
    /// How many nodes the value is, with all that it holds.
    nodes: u32,
    kind: Kind,
    name_escaped: bool,
    /// Of a number: its text is in [`Tape::unescaped`].
    value_escaped: bool,
}

/// Two places in a text: bytes from its start.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of places in a text whose length was checked to fit.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "texts are checked to be short enough")]
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    #[inline(always)]
    fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    S,
    N,
    B,
    True,
    False,
    Null,
    L,
    M,
    Ss,
    Ns,
    Bs,
}
