use std::ops::Range;

use crate::limits::{MAX_ITEM_BYTES, MAX_NAME_BYTES, MAX_PARTITION_KEY_BYTES, Names};
use crate::number;
use crate::text::Text;

/// Writes lines of one shape, `{"Item":{"key":{"S":"…"},"value":{"M":{…}}}}`, straight from bytes:
/// an item that is its key and a map of texts and numbers, without an [`Item`](crate::Item) in
/// between.
///
/// A line that is written is that of [`write_item`](super::write_item) for the same item, and the
/// item keeps every limit of [`limits::check`](crate::limits::check) in a table whose key is this
/// attribute and that has no indexes. Whatever needs a closer look is refused, and so are some
/// items that would pass, e.g. one of hundreds of names: build an item of those, and check it.
///
/// ```
/// use keystar_item::json::MapLine;
///
/// let mut lines = MapLine::new("key", "value");
/// let mut entries = lines.begin(b"i:").expect("a key");
/// entries.push(b"name", b"Ann").expect("text");
/// entries.push(b"age", b"6867").expect("a number");
/// assert!(entries.push(b"photo", b"\xff").is_none());
/// let expected = r#"{"Item":{"key":{"S":"i:"},"value":{"M":{"name":{"S":"Ann"},"age":{"N":"6867"}}}}}"#;
/// assert_eq!(entries.finish(), Some(format!("{expected}\n").as_bytes()));
/// ```
#[derive(Clone, Debug)]
pub struct MapLine {
    before_key: Vec<u8>,
    before_map: Vec<u8>,
    /// The line at hand, and room for the next.
    line: Vec<u8>,
    /// Where in it the names of the map are.
    places: Vec<Range<u32>>,
}

/// A line that is being written: see [`MapLine`].
#[derive(Debug)]
#[must_use]
pub struct MapEntries<'l> {
    line: &'l mut Vec<u8>,
    /// Where the line ends so far.
    at: usize,
    names: Names,
    places: &'l mut Vec<Range<u32>>,
}

/// Names are compared each with each where they look alike, so they must not be too many.
const MAX_ALIKE: usize = 256;

impl MapLine {
    /// Lines of items with these two attributes: the partition key, of type S, and the map.
    #[must_use]
    pub fn new(key: &str, map: &str) -> Self {
        let (mut before_key, mut before_map) = (Vec::new(), Vec::new());
        Text::after(&mut before_key).escaped(b"{\"Item\":{\"", key, b"\":{\"S\":\"").finish();
        Text::after(&mut before_map).escaped(b"\"},\"", map, b"\":{\"M\":{").finish();
        Self { before_key, before_map, line: Vec::new(), places: Vec::new() }
    }

    /// Begins the line of the item with this key; `None` if it is empty, too long, or not text.
    #[inline]
    pub fn begin(&mut self, key: &[u8]) -> Option<MapEntries<'_>> {
        if key.is_empty() || key.len() > MAX_PARTITION_KEY_BYTES {
            return None;
        }
        let text = Text::at(&mut self.line, 0).plain(b"", &self.before_key, b"");
        let text = text.checked(b"", key, b"")?.plain(b"", &self.before_map, b"");
        let at = text.end();
        self.places.clear();
        let (line, places) = (&mut self.line, &mut self.places);
        Some(MapEntries { line, at, names: Names::default(), places })
    }
}

impl<'l> MapEntries<'l> {
    /// Appends an entry to the map: a number where the value is the very text that DynamoDB would
    /// hand back ([`Number::from_canonical`](crate::Number::from_canonical)), else a text.
    ///
    /// `None` for a name that is empty, too long, not text, or there already; for a value that is
    /// not text; and for a line that gets long. The entry is not there then.
    #[inline(always)]
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        // No item is larger than its line: what is written counts for no more than its length.
        let is_short = self.at + name.len() + value.len() <= MAX_ITEM_BYTES;
        if !is_short || name.is_empty() || name.len() > MAX_NAME_BYTES {
            return None;
        }
        let text = Text::at(self.line, self.at).checked(b"\"", name, b"\":")?;
        let name_end = text.end();
        let text = if number::is_canonical(value) {
            text.plain(b"{\"N\":\"", value, b"\"},")
        } else {
            text.checked(b"{\"S\":\"", value, b"\"},")?
        };
        let end = text.end();
        let place = self.at as u32..name_end as u32;
        if self.names.meet(name) && is_twice(self.line, self.places, &place) {
            return None;
        }
        self.places.push(place);
        self.at = end;
        Some(())
    }

    /// Ends the line, newline included; `None` if the map is empty or the line got long.
    #[inline]
    #[must_use]
    pub fn finish(self) -> Option<&'l [u8]> {
        if self.places.is_empty() {
            return None;
        }
        // In the place of the last entry's comma.
        let end = Text::at(self.line, self.at - 1).literal(b"}}}}\n").end();
        if end > MAX_ITEM_BYTES { None } else { self.line.get(..end) }
    }
}

/// Whether a name is there already; they are compared as they are written.
#[inline(never)]
fn is_twice(line: &[u8], places: &[Range<u32>], place: &Range<u32>) -> bool {
    let name = |place: &Range<u32>| line.get(place.start as usize..place.end as usize);
    places.len() > MAX_ALIKE
        || places.iter().any(|earlier| earlier.len() == place.len() && name(earlier) == name(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mut names: impl Iterator<Item = String>) -> bool {
        let mut lines = MapLine::new("key", "value");
        let mut entries = lines.begin(b"k").unwrap();
        names.all(|name| entries.push(name.as_bytes(), b"1").is_some())
            && entries.finish().is_some()
    }

    #[test]
    fn names_that_look_alike_are_compared() {
        assert!(line((0..MAX_ALIKE).map(|n| format!("field\"{n}"))));
        for twice in [0, 1, 70, MAX_ALIKE - 2] {
            let names = (0..MAX_ALIKE - 1).chain([twice]);
            assert!(!line(names.map(|n| format!("field\"{n}"))));
        }
        assert!(!line((0..2 * MAX_ALIKE).map(|n| n.to_string())));
    }

    #[test]
    fn what_needs_a_closer_look_is_refused() {
        let refused = |key: &[u8], name: &[u8], value: &[u8]| {
            let mut lines = MapLine::new("key", "value");
            let Some(mut entries) = lines.begin(key) else { return true };
            entries.push(name, value).is_none() || entries.finish().is_none()
        };
        assert!(!refused(&[b'k'; 2048], b"n", b""));
        assert!(refused(&[b'k'; 2049], b"n", b""));
        assert!(refused(b"", b"n", b""));
        assert!(refused(b"\xff", b"n", b""));
        assert!(refused(b"k", b"", b""));
        assert!(refused(b"k", b"\xc3", b""));
        assert!(refused(b"k", b"n", b"abcdefgh\xc3"));
        assert!(!refused(b"k", "\u{e9}".as_bytes(), "\u{1f600}".as_bytes()));
        assert!(!refused(b"k", &[b'n'; MAX_NAME_BYTES], b""));
        assert!(refused(b"k", &[b'n'; MAX_NAME_BYTES + 1], b""));
        assert!(!refused(b"k", b"n", &vec![b'v'; MAX_ITEM_BYTES - 100]));
        assert!(refused(b"k", b"n", &vec![b'v'; MAX_ITEM_BYTES]));
        // Escaped, it is longer than it would count for.
        assert!(refused(b"k", b"n", &vec![b'"'; MAX_ITEM_BYTES / 2]));
        assert!(MapLine::new("key", "value").begin(b"k").unwrap().finish().is_none());
    }
}
