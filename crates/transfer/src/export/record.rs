use keystar_item::{Attributes, Item, json};

use crate::{Error, UnixMicros};

/// The parts of an export's record, as they are in its line; see [`parts`].
///
/// Each is the text of an object with its braces: attributes in DynamoDB JSON.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RecordParts<'a> {
    /// The item of a full export.
    pub item: Option<&'a [u8]>,
    /// The key of the item that changed.
    pub keys: Option<&'a [u8]>,
    /// The item after the change; without it, the item was removed.
    pub new_image: Option<&'a [u8]>,
    /// The item before the export's window, if the export's view has it and there was one.
    pub old_image: Option<&'a [u8]>,
    /// When the item was written last.
    pub written: Option<UnixMicros>,
}

/// Finds the parts of a record without looking into them: for who decodes attributes by himself.
///
/// Takes `{"Item":{…}}` and the records of incremental exports, with fields in any order and fields
/// that it does not know. What lies inside of a part is not checked, except that a part ends where
/// its braces do. Of a line that begins with `{"Item":{` and ends with `}}`, the item is what lies
/// in between: whoever decodes it must see to it that nothing follows the item's own last brace.
///
/// ```
/// use keystar_transfer::{UnixMicros, parts};
///
/// let line = br#"{"Metadata":{"WriteTimestampMicros":{"N":"7"}},"Keys":{"pk":{"S":"a"}}}"#;
/// let record = parts(line)?;
/// assert_eq!(record.keys, Some(br#"{"pk":{"S":"a"}}"#.as_slice()));
/// assert_eq!(record.written, Some(UnixMicros(7)));
/// assert_eq!(record.new_image, None);
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Record`], with the byte at which the line stops being a record.
/// [`Block::locate`](crate::Block::locate) adds the file and the line.
#[inline]
pub fn parts(line: &[u8]) -> Result<RecordParts<'_>, Error> {
    let line = line.trim_ascii_end();
    if line.starts_with(b"{\"Item\":{")
        && line.ends_with(b"}}")
        && let Some(item) = line.get(8..line.len() - 1)
    {
        return Ok(RecordParts { item: Some(item), ..RecordParts::default() });
    }
    Scanner { line, at: 0 }.record()
}

/// What an export's record says about an item.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The key; without attributes for the item of a full export, which does not tell which of its
    /// attributes are the key.
    pub keys: Attributes<'a>,
    /// The item as it is now; `None`: it was removed.
    pub new: Option<Item<'a>>,
    /// The item as it was, if the export's view has it and there was one.
    pub old: Option<Item<'a>>,
    /// When the item was written last: of two changes of one item, the newer wins.
    pub written: Option<UnixMicros>,
}

/// Reads a record with all of its attributes.
///
/// ```
/// use keystar_transfer::change;
///
/// let change = change(br#"{"Item":{"pk":{"S":"a"}}}"#)?;
/// assert_eq!(change.new.unwrap().get("pk"), Some(&"a".into()));
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Record`] if the line is no record, [`Error::Attributes`] if a part of it is none of
/// DynamoDB's. [`Block::locate`](crate::Block::locate) adds the file and the line.
pub fn change(line: &[u8]) -> Result<Change<'_>, Error> {
    let parts = parts(line)?;
    let item = |text: Option<_>| text.map(json::parse_item).transpose().map_err(Error::from);
    Ok(Change {
        keys: item(parts.keys)?.map(|keys| keys.attributes).unwrap_or_default(),
        new: item(parts.item.or(parts.new_image))?,
        old: item(parts.old_image)?,
        written: parts.written,
    })
}

struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn record(mut self) -> Result<RecordParts<'a>, Error> {
        let mut parts = RecordParts::default();
        self.token(b'{', "expected an object")?;
        if self.peek() != Some(b'}') {
            loop {
                self.field(&mut parts)?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.token(b'}', "expected a comma or the end of the object")?;
        if self.peek().is_some() {
            return Err(self.wrong("unexpected text after the record"));
        }
        match (parts.item, parts.keys) {
            (None, None) => Err(record_error(0, "neither Item nor Keys")),
            (Some(_), Some(_)) => Err(record_error(0, "both Item and Keys")),
            _ => Ok(parts),
        }
    }

    fn field(&mut self, parts: &mut RecordParts<'a>) -> Result<(), Error> {
        let start = self.at;
        let name = self.string()?;
        self.token(b':', "expected a colon")?;
        let part = match name {
            b"Item" => &mut parts.item,
            b"Keys" => &mut parts.keys,
            b"NewImage" => &mut parts.new_image,
            b"OldImage" => &mut parts.old_image,
            b"Metadata" => {
                let metadata = self.object()?;
                let end = self.at;
                let inner = Scanner {
                    line: self.line.get(..end).unwrap_or_default(),
                    at: end - metadata.len(),
                };
                if parts.written.is_some() {
                    return Err(record_error(start, "a field that was there before"));
                }
                parts.written = inner.written()?;
                return Ok(());
            }
            _ => return self.skip_value(),
        };
        if part.is_some() {
            return Err(record_error(start, "a field that was there before"));
        }
        *part = Some(self.object()?);
        Ok(())
    }

    /// `{"WriteTimestampMicros":{"N":"1768387643192366"}}`.
    fn written(mut self) -> Result<Option<UnixMicros>, Error> {
        let mut written = None;
        self.token(b'{', "expected an object")?;
        if self.peek() == Some(b'}') {
            return Ok(None);
        }
        loop {
            let name = self.string()?;
            self.token(b':', "expected a colon")?;
            if name == b"WriteTimestampMicros" {
                self.token(b'{', "expected a typed number")?;
                if self.string()? != b"N" {
                    return Err(self.wrong("expected a typed number"));
                }
                self.token(b':', "expected a colon")?;
                let digits = std::str::from_utf8(self.string()?).ok();
                let micros = digits.and_then(|digits| digits.parse().ok());
                written = Some(UnixMicros(
                    micros.ok_or_else(|| self.wrong("expected microseconds before this"))?,
                ));
                self.token(b'}', "expected the end of the typed number")?;
            } else {
                self.skip_value()?;
            }
            if self.peek() != Some(b',') {
                self.token(b'}', "expected a comma or the end of the object")?;
                return Ok(written);
            }
            self.at += 1;
        }
    }

    fn object(&mut self) -> Result<&'a [u8], Error> {
        if self.peek() != Some(b'{') {
            return Err(self.wrong("expected an object"));
        }
        let start = self.at;
        self.skip_container()?;
        Ok(self.line.get(start..self.at).unwrap_or_default())
    }

    fn skip_value(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'{' | b'[') => self.skip_container(),
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                let rest = self.line.get(self.at..).unwrap_or_default();
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                self.at += rest.iter().take_while(is_word).count();
                Ok(())
            }
            _ => Err(self.wrong("expected a value")),
        }
    }

    /// Up to the bracket that closes the one here.
    fn skip_container(&mut self) -> Result<(), Error> {
        match container(self.line.get(self.at..).unwrap_or_default()) {
            Some(length) => {
                self.at += length;
                Ok(())
            }
            None => Err(record_error(self.line.len(), "unexpected end of text")),
        }
    }

    /// The inside of a string as it is written.
    #[inline]
    fn string(&mut self) -> Result<&'a [u8], Error> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("expected a string"));
        }
        let text = self.line.get(self.at + 1..).unwrap_or_default();
        let Some(length) = string(text) else {
            return Err(record_error(self.line.len(), "unexpected end of text"));
        };
        self.at += length + 2;
        Ok(text.get(..length).unwrap_or_default())
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.line.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    #[inline]
    fn token(&mut self, wanted: u8, reason: &'static str) -> Result<(), Error> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(reason))
    }

    #[cold]
    fn wrong(&self, reason: &'static str) -> Error {
        record_error(self.at.min(self.line.len()), reason)
    }
}

/// How long the object or array is that the text begins with.
#[inline]
fn container(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match *text.get(at)? {
            b'"' => at += string(text.get(at + 1..)?)? + 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// How long the string is whose inside the text begins with.
#[inline(always)]
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        if let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let marks = quotes_and_backslashes(u64::from_le_bytes(*word));
            at += (marks.trailing_zeros() / 8) as usize;
            if marks == 0 {
                continue;
            }
        }
        match *text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The highest bit of each byte that is a quote or a backslash; bits above the lowest may be wrong.
#[inline]
fn quotes_and_backslashes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64))
}

#[cold]
fn record_error(offset: usize, reason: &'static str) -> Error {
    Error::Record { offset: offset as u64, reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error_of(line: &str) -> String {
        parts(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn fields_may_stand_in_any_order() {
        let line = br#" { "Other":[1,"]",{"Keys":{}}], "NewImage":{"Keys":{"S":"\"}{\\"}},"Keys" : {"k":{"N":"1"}},
            "Metadata":{"x":-1.5e3,"WriteTimestampMicros":{"N":"1768387643192366"},"y":null},"OldImage":{}} "#;
        assert_eq!(
            parts(line).unwrap(),
            RecordParts {
                item: None,
                keys: Some(br#"{"k":{"N":"1"}}"#),
                new_image: Some(br#"{"Keys":{"S":"\"}{\\"}}"#),
                old_image: Some(b"{}"),
                written: Some(UnixMicros(1_768_387_643_192_366)),
            }
        );
        for line in ["{\"Item\":{}}", "{\"Item\":{}}\r\n", " { \"Item\" :{} }"] {
            assert_eq!(parts(line.as_bytes()).unwrap().item, Some(b"{}".as_slice()), "{line}");
        }
    }

    #[test]
    fn what_is_no_record_is_told_with_its_byte() {
        for (line, expected) in [
            ("", "expected an object at byte 0"),
            ("nonsense", "expected an object at byte 0"),
            ("{}", "neither Item nor Keys at byte 0"),
            ("{\"pk\":{\"S\":\"a\"}}", "neither Item nor Keys at byte 0"),
            ("{\"Item\":[]}", "expected an object at byte 8"),
            ("{\"Item\":{\"a\":{\"S\":\"b\"", "unexpected end of text at byte 21"),
            ("{\"Item\":{\"a", "unexpected end of text at byte 11"),
            ("{\"Item\" {}}", "expected a colon at byte 8"),
            ("{\"Keys\":{},}", "expected a string at byte 11"),
            ("{\"Keys\":{}", "expected a comma or the end of the object at byte 10"),
            ("{\"Keys\":{}}}", "unexpected text after the record at byte 11"),
            ("{\"Keys\":{},\"Keys\":{}}", "a field that was there before at byte 11"),
            ("{\"Keys\":{},\"Item\":{} }", "both Item and Keys at byte 0"),
            ("{\"Keys\":{},\"x\":}", "expected a value at byte 15"),
            ("{\"Metadata\":{\"WriteTimestampMicros\":7}}", "expected a typed number at byte 36"),
            (
                "{\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"x\"}}}",
                "expected microseconds before this at byte 44",
            ),
        ] {
            assert_eq!(error_of(line), expected, "{line}");
        }
    }

    #[test]
    fn changes_are_puts_and_removals() {
        let line = |rest: &str| format!("{{\"Keys\":{{\"k\":{{\"S\":\"a\"}}}}{rest}}}");
        let image = "{\"k\":{\"S\":\"a\"}}";
        for (rest, new, old) in [
            (String::new(), false, false),
            (format!(",\"OldImage\":{image}"), false, true),
            (format!(",\"NewImage\":{image}"), true, false),
            (format!(",\"OldImage\":{image},\"NewImage\":{image}"), true, true),
        ] {
            let line = line(&rest);
            let change = change(line.as_bytes()).unwrap();
            assert_eq!(change.keys.get("k"), Some(&"a".into()));
            assert_eq!((change.new.is_some(), change.old.is_some()), (new, old));
            assert_eq!(change.written, None);
        }
        let broken = line(",\"NewImage\":{\"k\":{\"Q\":\"a\"}}");
        let error = change(broken.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "unknown attribute type at byte 6");
        // The item ends before the line does.
        let error = change(b"{\"Item\":{},\"b\":{}}").unwrap_err();
        assert!(matches!(error, Error::Attributes(_)), "{error:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_record_or_an_error(text in "[{}\\[\\]\",:\\\\ aN0]{0,40}") {
            for line in [format!("{{\"Keys\":{text}"), format!("{{\"Item\":{{{text}}}}}"), text] {
                let _ = change(line.as_bytes());
            }
        }

        #[test]
        fn any_attribute_passes_through(name in ".*", value in ".*") {
            let object = serde_json::json!({ name: { "S": value } }).to_string();
            let line = format!("{{\"Keys\":{object},\"NewImage\":{object}}}");
            let found = parts(line.as_bytes()).unwrap();
            prop_assert_eq!(found.keys, Some(object.as_bytes()));
            prop_assert_eq!(found.new_image, Some(object.as_bytes()));
        }
    }
}
