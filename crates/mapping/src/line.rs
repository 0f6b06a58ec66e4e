//! The short way there: a plain hash becomes its line of DynamoDB JSON, with neither a record nor
//! an item in between.

use keystar_item::json::MapLine;
use keystar_rdb::Frame;

use crate::mapping::{Mapping, RuleIndex};
use crate::spec::DbStyle;
use crate::text::is_marked;

/// Writes the lines of hashes about which there is nothing to decide or to report.
///
/// Decoding such a hash, [mapping](Mapping::map) it, checking its item and writing that gives the
/// same line, and no loss. Only the cost differs: this way reads the raw fields once and writes
/// them where they stay.
///
/// ```
/// use keystar_mapping::{Lines, Mapping};
/// use keystar_rdb::{Blob, Db, Encoding, Frame, Head, Kind};
///
/// let mapping = Mapping::default();
/// let mut lines = Lines::new(&mapping);
/// let head = Head::new(Db(0), Blob::from(b"i:"), Encoding::plain(Kind::Hash));
/// let frame = Frame::new(head, b"\x01\x03age\xc1\xd3\x1a", 0);
/// let rule = mapping.route(&frame.head).rule().expect("the default takes every key");
/// let line = br#"{"Item":{"key":{"S":"i:"},"value":{"M":{"age":{"N":"6867"}}}}}"#;
/// assert_eq!(lines.line(rule, &frame), Some([line.as_slice(), b"\n"].concat().as_slice()));
/// ```
#[derive(Debug)]
pub struct Lines<'m> {
    mapping: &'m Mapping,
    line: MapLine,
}

impl<'m> Lines<'m> {
    /// For the hashes of this mapping.
    #[must_use]
    pub fn new(mapping: &'m Mapping) -> Self {
        let (key, value) = (&mapping.table.key.partition.name, &mapping.names.value);
        Self { mapping, line: MapLine::new(key, value) }
    }

    /// The line of the hash's one item, whose key is the Redis key itself; `None` for whatever
    /// takes [the long way](Mapping::map): other rules and other values, an expiry, another
    /// database than 0 where items tell it, bytes that are no text, an item that may be too large.
    #[inline]
    pub fn line(&mut self, rule: RuleIndex, frame: &Frame<'_>) -> Option<&[u8]> {
        let head = &frame.head;
        let is_straight = self.mapping.rule(rule)?.is_straight
            && head.expires_at.is_none()
            && !is_marked(&head.key)
            && !self.mapping.is_prefixed(&head.key, head.db.0)
            && (head.db.0 == 0 || self.mapping.db_style != DbStyle::Attribute);
        if !is_straight {
            return None;
        }
        let mut entries = self.line.begin(&head.key)?;
        frame.for_each_field(
            |name, value| {
                if is_marked(name) { None } else { entries.push(name, value) }
            },
        )?;
        entries.finish()
    }
}
