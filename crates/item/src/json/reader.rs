use std::borrow::Cow;
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MAX_DEPTH;
use crate::lines::Lines;
use crate::text::to_escape;
use crate::{AttributeValue, Attributes, Error, ErrorKind, Item, Number};

/// Reads an item: `{"Item":{…}}` as imports and exports have it, or the bare `{…}` of the API.
///
/// White space may stand wherever JSON allows it, attributes in any order. Text without escapes is
/// borrowed. Everything else is strict: one type for each value, numbers as strings, base64 with
/// padding, no escape of half a surrogate pair, nothing after the item. Limits are not checked.
///
/// # Errors
///
/// With the byte at which the text stops being an item. Any bytes whatever give an error or an
/// item, with memory and depth ([`MAX_DEPTH`]) bounded by what the bytes hold.
pub fn parse_item(text: &[u8]) -> Result<Item<'_>, Error> {
    let mut reader = Reader::new(text)?;
    reader.token(b'{', "an object")?;
    let wrapped = reader.peek() == Some(b'"') && reader.string()? == "Item";
    if !wrapped {
        return bare_item(text);
    }
    match reader.wrapped_item() {
        Ok(item) => Ok(item),
        // A bare item may have an attribute of that name; no text is an item in both ways.
        Err(error) => bare_item(text).map_err(|_| error),
    }
}

/// Reads one typed value, such as `{"S":"Ann"}`.
///
/// # Errors
///
/// As [`parse_item`].
pub fn parse_value(text: &[u8]) -> Result<AttributeValue<'_>, Error> {
    let mut reader = Reader::new(text)?;
    let value = reader.value(1)?;
    reader.end()?;
    Ok(value)
}

fn bare_item(text: &[u8]) -> Result<Item<'_>, Error> {
    let mut reader = Reader::new(text)?;
    let attributes = reader.attributes(1)?;
    reader.end()?;
    Ok(Item { attributes })
}

/// The items of a text in which each line is one: an import or export file.
///
/// A line that is no item is an error with its line number, and reading goes on behind it; a
/// failure of the input ends it. Blank lines are skipped. At most
/// [`with_max_line_bytes`](Self::with_max_line_bytes) are held at a time.
///
/// ```
/// use keystar_item::json::Items;
///
/// let file = b"{\"Item\":{\"key\":{\"S\":\"a\"}}}\n{\"Item\":\n{\"Item\":{\"key\":{\"S\":\"b\"}}}\n";
/// let mut items = Items::new(file.as_slice());
/// assert!(items.next().unwrap().is_ok());
/// assert_eq!(items.next().unwrap().unwrap_err().line(), Some(2));
/// assert_eq!(items.next().unwrap()?.get("key"), Some(&"b".into()));
/// assert!(items.next().is_none());
/// # Ok::<(), keystar_item::Error>(())
/// ```
#[derive(Debug)]
pub struct Items<R> {
    lines: Lines<R>,
}

impl<R: BufRead> Items<R> {
    /// Reads items from `input`, lines of up to 8 MiB.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input) }
    }

    /// Refuses lines of more bytes than that. An item of 400 KB can take six times as many, if
    /// each of its bytes is escaped.
    #[must_use]
    pub fn with_max_line_bytes(mut self, max_line_bytes: usize) -> Self {
        self.lines.max_bytes = max_line_bytes;
        self
    }

    /// The next item, borrowed from the line that it was on: spares the copies that the iterator
    /// makes.
    pub fn next_item(&mut self) -> Option<Result<Item<'_>, Error>> {
        let (line, number) = match self.lines.next_line()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        Some(parse_item(line).map_err(|error| error.on_line(number)))
    }

    /// The number, from 1, of the line that was read last.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.lines.number
    }
}

impl<R: BufRead> Iterator for Items<R> {
    type Item = Result<Item<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_item().map(|item| item.map(Item::into_owned))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Result<Self, Error> {
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(Error::at(ErrorKind::Utf8, error.valid_up_to())),
        }
    }

    /// What follows `{"Item"`.
    fn wrapped_item(&mut self) -> Result<Item<'a>, Error> {
        self.token(b':', "a colon")?;
        let attributes = self.attributes(1)?;
        self.token(b'}', "the end of the object")?;
        self.end()?;
        Ok(Item { attributes })
    }

    fn attributes(&mut self, level: usize) -> Result<Attributes<'a>, Error> {
        self.token(b'{', "an object")?;
        let mut map = Attributes::new();
        if self.skip(b'}') {
            return Ok(map);
        }
        loop {
            let name = self.string()?;
            self.token(b':', "a colon")?;
            map.push(name, self.value(level)?);
            if !self.skip(b',') {
                self.token(b'}', "a comma or the end of the object")?;
                return Ok(map);
            }
        }
    }

    /// `{"S":"…"}` and the like. The item's own values are on level 1.
    fn value(&mut self, level: usize) -> Result<AttributeValue<'a>, Error> {
        if level > MAX_DEPTH {
            return Err(Error::at(ErrorKind::TooDeep, self.at));
        }
        // Nearly all values begin so, and nearly all of these are texts or numbers.
        let value = match self.rest().first_chunk() {
            Some(b"{\"S\":") => {
                self.at += 5;
                AttributeValue::S(self.string()?)
            }
            Some(b"{\"N\":") => {
                self.at += 5;
                AttributeValue::N(self.number()?)
            }
            _ => self.other_value(level)?,
        };
        self.token(b'}', "the end of the typed value")?;
        Ok(value)
    }

    /// A value of any type and with any white space, up to its last brace.
    fn other_value(&mut self, level: usize) -> Result<AttributeValue<'a>, Error> {
        self.token(b'{', "a typed value")?;
        self.space();
        let start = self.at;
        let kind = self.string()?;
        self.token(b':', "a colon")?;
        Ok(match &*kind {
            "S" => AttributeValue::S(self.string()?),
            "N" => AttributeValue::N(self.number()?),
            "M" => AttributeValue::M(self.attributes(level + 1)?),
            "B" => AttributeValue::B(self.bytes()?),
            "BOOL" => AttributeValue::Bool(self.truth()?),
            "NULL" => {
                let start = self.at;
                if !self.truth()? {
                    return Err(Error::at(ErrorKind::Syntax("true"), start));
                }
                AttributeValue::Null
            }
            "L" => AttributeValue::L(self.list(|reader| reader.value(level + 1))?),
            "SS" => AttributeValue::Ss(self.list(Self::string)?),
            "NS" => AttributeValue::Ns(self.list(Self::number)?),
            "BS" => AttributeValue::Bs(self.list(Self::bytes)?),
            _ => return Err(Error::at(ErrorKind::UnknownType, start)),
        })
    }

    fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.token(b'[', "an array")?;
        let mut list = Vec::new();
        if self.skip(b']') {
            return Ok(list);
        }
        loop {
            list.push(element(self)?);
            if !self.skip(b',') {
                self.token(b']', "a comma or the end of the array")?;
                return Ok(list);
            }
        }
    }

    fn number(&mut self) -> Result<Number<'a>, Error> {
        self.space();
        let start = self.at + 1;
        Number::parse(self.string()?).map_err(|error| error.within(start))
    }

    fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        self.space();
        let start = self.at + 1;
        let text = self.string()?;
        match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(_) => Err(Error::at(ErrorKind::Base64, start)),
        }
    }

    fn truth(&mut self) -> Result<bool, Error> {
        self.space();
        let rest = self.rest();
        let (truth, length) = if rest.starts_with(b"true") {
            (true, 4)
        } else if rest.starts_with(b"false") {
            (false, 5)
        } else {
            return Err(self.unexpected("true or false"));
        };
        self.at += length;
        Ok(truth)
    }

    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.token(b'"', "a string")?;
        let start = self.at;
        self.run();
        match self.byte() {
            Some(b'"') => {
                let text = self.slice(start);
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => {
                let text = self.slice(start).to_owned();
                self.escaped_string(text).map(Cow::Owned)
            }
            Some(_) => Err(self.unexpected("an escape for the control character")),
            None => Err(self.unexpected("the end of the string")),
        }
    }

    /// The rest of a string from its first escape on.
    #[cold]
    fn escaped_string(&mut self, mut text: String) -> Result<String, Error> {
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    text.push(character);
                }
                Some(_) => return Err(self.unexpected("an escape for the control character")),
                None => return Err(self.unexpected("the end of the string")),
            }
            let start = self.at;
            self.run();
            text.push_str(self.slice(start));
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let start = self.at;
        self.at += 1;
        let character = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hex()?;
                return self.surrogate(first, start);
            }
            Some(_) => return Err(self.unexpected("an escape")),
            None => return Err(self.unexpected("the end of the string")),
        };
        self.at += 1;
        Ok(character)
    }

    /// The character that one or two `\u` escapes stand for; the first of them was read.
    fn surrogate(&mut self, first: u32, start: usize) -> Result<char, Error> {
        let lone = || Error::at(ErrorKind::LoneSurrogate, start);
        if (0xd800..0xdc00).contains(&first) {
            if !self.rest().starts_with(b"\\u") {
                return Err(lone());
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(lone());
            }
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).ok_or_else(lone);
        }
        char::from_u32(first).ok_or_else(lone)
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.unexpected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// Skips the bytes of a string that stand for themselves.
    #[inline]
    fn run(&mut self) {
        while let Some(word) = self.rest().first_chunk::<8>() {
            let marks = to_escape(u64::from_le_bytes(*word));
            self.at += (marks.trailing_zeros() / 8) as usize;
            if marks != 0 {
                return;
            }
        }
        while self.byte().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    /// From `start` to here; both are next to ASCII characters, so never inside of another.
    fn slice(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.byte()
    }

    #[inline]
    fn skip(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn token(&mut self, wanted: u8, name: &'static str) -> Result<(), Error> {
        if self.skip(wanted) { Ok(()) } else { Err(self.unexpected(name)) }
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Error::at(ErrorKind::Trailing, self.at)),
        }
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Error {
        let kind = match self.byte() {
            Some(_) => ErrorKind::Syntax(expected),
            None => ErrorKind::UnexpectedEnd,
        };
        Error::at(kind, self.at.min(self.text.len()))
    }
}
