use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MAX_DEPTH;
use crate::{AttributeValue, Attributes, Error, ErrorKind, Item, Number};

/// Reads an item: `$ion_1_0 {Item:{…}}`, with or without the version marker, or the bare struct of
/// attributes.
///
/// Of Ion text it takes all that can stand for an item: quoted and unquoted names, long strings,
/// comments, any escape, underscores in numbers, ints where decimals are due. Other types (floats,
/// timestamps, clobs, symbols as values, s-expressions) and other annotations than those of sets
/// are errors. A decimal's text is kept where Ion and DynamoDB write it alike; `6d2` becomes `6e2`,
/// `103.` becomes `103`. Text without escapes is borrowed. Limits are not checked.
///
/// # Errors
///
/// With the byte at which the text stops being an item. Any bytes whatever give an error or an
/// item, with memory and depth ([`MAX_DEPTH`]) bounded by what the bytes hold.
pub fn parse_item(text: &[u8]) -> Result<Item<'_>, Error> {
    let mut reader = Reader::new(text)?;
    reader.markers()?;
    let start = reader.at;
    reader.token(b'{', "a struct")?;
    let wrapped = reader.peek()?.is_some_and(|byte| byte != b'}') && reader.name()? == "Item";
    if wrapped {
        match reader.wrapped_item() {
            Ok(item) => return Ok(item),
            // A bare item may have an attribute of that name.
            Err(error) => {
                reader.at = start;
                return reader.bare_item().map_err(|_| error);
            }
        }
    }
    reader.at = start;
    reader.bare_item()
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

    fn markers(&mut self) -> Result<(), Error> {
        while self.peek()? == Some(b'$') {
            if !self.rest().starts_with(b"$ion_1_0")
                || self.rest().get(8).is_some_and(|byte| is_symbol_byte(*byte))
            {
                return Err(self.unexpected("the version marker $ion_1_0"));
            }
            self.at += 8;
        }
        Ok(())
    }

    /// What follows `{Item`.
    fn wrapped_item(&mut self) -> Result<Item<'a>, Error> {
        self.token(b':', "a colon")?;
        let attributes = self.structure(1)?;
        self.skip(b',')?;
        self.token(b'}', "the end of the struct")?;
        self.end()?;
        Ok(Item { attributes })
    }

    fn bare_item(&mut self) -> Result<Item<'a>, Error> {
        let attributes = self.structure(1)?;
        self.end()?;
        Ok(Item { attributes })
    }

    /// A struct whose fields are values of that level; a comma may follow the last, as Ion has it.
    fn structure(&mut self, level: usize) -> Result<Attributes<'a>, Error> {
        self.token(b'{', "a struct")?;
        let mut map = Attributes::new();
        while !self.skip(b'}')? {
            let name = self.name()?;
            self.token(b':', "a colon")?;
            map.push(name, self.value(level)?);
            if !self.skip(b',')? {
                self.token(b'}', "a comma or the end of the struct")?;
                break;
            }
        }
        Ok(map)
    }

    fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.token(b'[', "a list")?;
        let mut list = Vec::new();
        while !self.skip(b']')? {
            list.push(element(self)?);
            if !self.skip(b',')? {
                self.token(b']', "a comma or the end of the list")?;
                break;
            }
        }
        Ok(list)
    }

    /// A field's name: a symbol, quoted or not, or a string.
    fn name(&mut self) -> Result<Cow<'a, str>, Error> {
        match self.peek()? {
            Some(b'"') => self.string(),
            Some(b'\'') if self.rest().starts_with(b"'''") => self.long_string().map(Cow::Owned),
            Some(b'\'') => self.quoted(b'\''),
            Some(byte) if is_symbol_byte(byte) && !byte.is_ascii_digit() => {
                let start = self.at;
                let name = self.bare_symbol();
                let is_reference = name.strip_prefix('$').is_some_and(|id| {
                    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
                });
                if is_reference || matches!(name, "null" | "true" | "false" | "nan") {
                    return Err(Error::at(ErrorKind::Syntax("a field name"), start));
                }
                Ok(Cow::Borrowed(name))
            }
            _ => Err(self.unexpected("a field name")),
        }
    }

    /// A value; the item's own are on level 1.
    fn value(&mut self, level: usize) -> Result<AttributeValue<'a>, Error> {
        let first = self.peek()?;
        if level > MAX_DEPTH {
            return Err(Error::at(ErrorKind::TooDeep, self.at));
        }
        let unknown = |at: usize| Err(Error::at(ErrorKind::UnknownType, at));
        let start = self.at;
        match first {
            Some(b'"') => self.string().map(AttributeValue::S),
            Some(b'\'') if self.rest().starts_with(b"'''") => {
                self.long_string().map(|text| AttributeValue::S(Cow::Owned(text)))
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(AttributeValue::N),
            Some(b'{') if self.rest().starts_with(b"{{") => self.blob().map(AttributeValue::B),
            Some(b'{') => self.structure(level + 1).map(AttributeValue::M),
            Some(b'[') => self.list(|reader| reader.value(level + 1)).map(AttributeValue::L),
            Some(b'\'') => {
                let annotation = self.quoted(b'\'')?;
                self.annotated(&annotation, start)
            }
            Some(byte) if is_symbol_byte(byte) => match self.bare_symbol() {
                "true" => Ok(AttributeValue::Bool(true)),
                "false" => Ok(AttributeValue::Bool(false)),
                "null" => {
                    if self.byte() == Some(b'.') {
                        self.at += 1;
                        const TYPES: [&str; 13] = [
                            "null",
                            "bool",
                            "int",
                            "float",
                            "decimal",
                            "timestamp",
                            "symbol",
                            "string",
                            "clob",
                            "blob",
                            "list",
                            "sexp",
                            "struct",
                        ];
                        if !TYPES.contains(&self.bare_symbol()) {
                            return unknown(start);
                        }
                    }
                    Ok(AttributeValue::Null)
                }
                annotation => self.annotated(annotation, start),
            },
            Some(b'(' | b'+') => unknown(start),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// What follows an annotation: a set.
    fn annotated(&mut self, annotation: &str, start: usize) -> Result<AttributeValue<'a>, Error> {
        // A symbol without colons is a symbol as a value, which DynamoDB does not have.
        if self.peek()? != Some(b':') || !self.rest().starts_with(b"::") {
            return Err(Error::at(ErrorKind::UnknownType, start));
        }
        self.at += 2;
        self.peek()?;
        match annotation {
            "$dynamodb_SS" => self.list(Self::text).map(AttributeValue::Ss),
            "$dynamodb_NS" => self
                .list(|reader| {
                    reader.peek()?;
                    reader.number()
                })
                .map(AttributeValue::Ns),
            "$dynamodb_BS" => self
                .list(|reader| {
                    reader.peek()?;
                    reader.blob()
                })
                .map(AttributeValue::Bs),
            _ => Err(Error::at(ErrorKind::UnknownType, start)),
        }
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        self.peek()?;
        if self.rest().starts_with(b"'''") {
            return self.long_string().map(Cow::Owned);
        }
        self.string()
    }

    fn number(&mut self) -> Result<Number<'a>, Error> {
        let start = self.at;
        self.while_byte(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte));
        let token = self.slice(start);
        if token.contains(['e', 'E']) && !token.contains(['x', 'X']) {
            return Err(Error::at(ErrorKind::UnknownType, start));
        }
        let (coefficient, exponent) = match token.split_once(['d', 'D']) {
            Some((coefficient, exponent)) => (coefficient, Some(exponent)),
            None => (token, None),
        };
        let coefficient = coefficient.strip_suffix('.').unwrap_or(coefficient);
        let text: Cow<'a, str> = match exponent {
            None if !coefficient.contains('_') => coefficient.into(),
            None => coefficient.replace('_', "").into(),
            Some(exponent) => format!("{}e{exponent}", coefficient.replace('_', "")).into(),
        };
        // Offsets inside of a rewritten number would mislead; its start does not.
        Number::parse(text).map_err(|error| Error::at(error.kind(), start))
    }

    fn blob(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        if !self.rest().starts_with(b"{{") {
            return Err(self.unexpected("a blob"));
        }
        let start = self.at;
        self.at += 2;
        let inside = self.at;
        self.while_byte(|byte| byte.is_ascii_alphanumeric() || b"+/= \t\r\n".contains(&byte));
        let text = self.slice(inside);
        if !self.rest().starts_with(b"}}") {
            // Quotes would make it a clob: characters of no type that DynamoDB has.
            return Err(match self.byte() {
                Some(b'"' | b'\'') => Error::at(ErrorKind::UnknownType, start),
                Some(_) => Error::at(ErrorKind::Base64, inside),
                None => self.unexpected("the end of the blob"),
            });
        }
        self.at += 2;
        let decoded = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            STANDARD.decode(dense)
        } else {
            STANDARD.decode(text)
        };
        match decoded {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(_) => Err(Error::at(ErrorKind::Base64, inside)),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        self.quoted(b'"')
    }

    /// A string or a quoted symbol: on one line, up to the quote with which it begins.
    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, Error> {
        let is_plain = |byte| byte != quote && byte != b'\\' && byte != b'\n' && byte != b'\r';
        self.at += 1;
        let start = self.at;
        self.while_byte(is_plain);
        let mut text = Cow::Borrowed(self.slice(start));
        loop {
            match self.byte() {
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape(text.to_mut())?,
                _ => return Err(self.unexpected("the end of the string")),
            }
            let start = self.at;
            self.while_byte(is_plain);
            text.to_mut().push_str(self.slice(start));
        }
    }

    /// `'''…'''`, as often as it follows upon itself.
    fn long_string(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        while self.peek()? == Some(b'\'') && self.rest().starts_with(b"'''") {
            self.at += 3;
            while !self.rest().starts_with(b"'''") {
                match self.byte() {
                    Some(b'\\') => self.escape(&mut text)?,
                    // A line ends with a newline in Ion, however it ends in the file.
                    Some(b'\r') => {
                        self.at += 1 + usize::from(self.rest().starts_with(b"\r\n"));
                        text.push('\n');
                    }
                    Some(b'\'') => {
                        self.at += 1;
                        text.push('\'');
                    }
                    Some(_) => {
                        let start = self.at;
                        self.while_byte(|byte| !b"\\\r'".contains(&byte));
                        text.push_str(self.slice(start));
                    }
                    None => return Err(self.unexpected("the end of the string")),
                }
            }
            self.at += 3;
        }
        Ok(text)
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Error> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.byte() else { return Err(self.unexpected("an escape")) };
        self.at += 1;
        let character = match byte {
            b'0' => '\0',
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b't' => '\t',
            b'n' => '\n',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'v' => '\u{b}',
            b'"' | b'\'' | b'?' | b'\\' | b'/' => char::from(byte),
            b'\n' => return Ok(()),
            b'\r' => {
                self.at += usize::from(self.byte() == Some(b'\n'));
                return Ok(());
            }
            b'x' => self.code(2, start)?,
            b'u' => self.code(4, start)?,
            b'U' => self.code(8, start)?,
            _ => return Err(Error::at(ErrorKind::Syntax("an escape"), start)),
        };
        text.push(character);
        Ok(())
    }

    /// The character of that many hexadecimal digits, or of two such escapes: a surrogate pair.
    fn code(&mut self, digits: usize, start: usize) -> Result<char, Error> {
        let lone = || Error::at(ErrorKind::LoneSurrogate, start);
        let first = self.hex(digits)?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first)
                .ok_or(Error::at(ErrorKind::Syntax("a character's code"), start));
        }
        if first >= 0xdc00 || !self.rest().starts_with(b"\\u") {
            return Err(lone());
        }
        self.at += 2;
        let second = self.hex(4)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone());
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)
    }

    fn hex(&mut self, digits: usize) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..digits {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.unexpected("hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn bare_symbol(&mut self) -> &'a str {
        let start = self.at;
        self.while_byte(is_symbol_byte);
        self.slice(start)
    }

    fn while_byte(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
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

    /// The next byte that is neither white space nor in a comment.
    fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) => self.at += 1,
                Some(b'/') if self.rest().starts_with(b"//") => {
                    self.while_byte(|byte| byte != b'\n' && byte != b'\r');
                }
                Some(b'/') if self.rest().starts_with(b"/*") => {
                    let rest = self.rest().get(2..).unwrap_or_default();
                    match rest.windows(2).position(|pair| pair == b"*/") {
                        Some(length) => self.at += length + 4,
                        None => return Err(Error::at(ErrorKind::UnexpectedEnd, self.text.len())),
                    }
                }
                byte => return Ok(byte),
            }
        }
    }

    fn skip(&mut self, wanted: u8) -> Result<bool, Error> {
        let there = self.peek()? == Some(wanted);
        self.at += usize::from(there);
        Ok(there)
    }

    fn token(&mut self, wanted: u8, name: &'static str) -> Result<(), Error> {
        if self.skip(wanted)? { Ok(()) } else { Err(self.unexpected(name)) }
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.peek()? {
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

fn is_symbol_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}
