//! RedisJSON documents, in each of the four forms that were ever dumped.

use crate::blob::Blob;
use crate::cbor;
use crate::error::ErrorKind;
use crate::module::ModuleToken;

/// A JSON document with its key order and its numbers as written.
///
/// Numbers are kept as text, since no machine number holds them all; the text is always a valid
/// JSON number. Nesting is at most [`Json::MAX_DEPTH`] deep.
///
/// ```
/// use keystar_rdb::Json;
///
/// let json = Json::parse(br#"{"big": 12345678901234567890}"#)?;
/// assert_eq!(json.to_string(), r#"{"big":12345678901234567890}"#);
/// # Ok::<(), keystar_rdb::ErrorKind>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "JSON has these and no others")]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as text.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of its keys.
    Object(Vec<(String, Json)>),
}

const BAD: ErrorKind = ErrorKind::Corrupt("JSON document");

impl Json {
    /// How deep a document may nest; RedisJSON itself stops at 128.
    pub const MAX_DEPTH: usize = 128;

    /// Reads JSON text, strictly by RFC 8259.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it is none, [`ErrorKind::TooDeep`] if it nests too deep.
    pub fn parse(text: &[u8]) -> Result<Self, ErrorKind> {
        let mut reader = Reader { text, at: 0 };
        let json = reader.value(Self::MAX_DEPTH)?;
        reader.space();
        if reader.at == text.len() { Ok(json) } else { Err(BAD) }
    }

    /// A number that is finite, in the shortest text that reads back as the same double.
    pub(crate) fn from_f64(value: f64) -> Result<Self, ErrorKind> {
        if value.is_finite() {
            Ok(Self::Number(format!("{value:?}")))
        } else {
            Err(ErrorKind::Corrupt("JSON number that is not finite"))
        }
    }
}

impl std::fmt::Display for Json {
    /// Compact JSON text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        fn string(f: &mut std::fmt::Formatter<'_>, text: &str) -> std::fmt::Result {
            use std::fmt::Write;
            f.write_char('"')?;
            for letter in text.chars() {
                match letter {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\u{8}' => f.write_str("\\b")?,
                    '\u{c}' => f.write_str("\\f")?,
                    '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(letter))?,
                    _ => f.write_char(letter)?,
                }
            }
            f.write_char('"')
        }
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => string(f, text),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_str(",")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        f.write_str(",")?;
                    }
                    string(f, name)?;
                    f.write_str(":")?;
                    value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

/// The document that RedisJSON wrote as these tokens; `None` for a version that is not known.
pub(crate) fn from_module(
    version: u16,
    tokens: &[ModuleToken<'_>],
) -> Result<Option<Json>, ErrorKind> {
    match (version, tokens) {
        (0 | 1, tokens) => {
            let mut tokens = tokens.iter();
            let json = node(&mut tokens, Json::MAX_DEPTH)?;
            if tokens.next().is_some() {
                return Err(BAD);
            }
            Ok(Some(json))
        }
        // What may follow the text in version 2 is about a search index of the old server.
        (2, [ModuleToken::Text(text), ..]) | (3, [ModuleToken::Text(text)]) => {
            Json::parse(text).map(Some)
        }
        (4, [ModuleToken::Text(bytes)]) => cbor::document(bytes).map(Some),
        (2..=4, _) => Err(BAD),
        _ => Ok(None),
    }
}

/// A node of the oldest form: a tag, then what the tag says.
fn node<'a>(
    tokens: &mut impl Iterator<Item = &'a ModuleToken<'a>>,
    depth: usize,
) -> Result<Json, ErrorKind> {
    fn uint(token: Option<&ModuleToken<'_>>) -> Result<u64, ErrorKind> {
        match token {
            Some(ModuleToken::Uint(value)) => Ok(*value),
            _ => Err(BAD),
        }
    }
    fn text(token: Option<&ModuleToken<'_>>) -> Result<String, ErrorKind> {
        match token {
            Some(ModuleToken::Text(text)) => text.as_str().map(str::to_owned).ok_or(BAD),
            _ => Err(BAD),
        }
    }
    let depth_left = depth.checked_sub(1);
    Ok(match uint(tokens.next())? {
        1 => Json::Null,
        2 => Json::String(text(tokens.next())?),
        4 => match tokens.next() {
            Some(ModuleToken::Double(value)) => Json::from_f64(*value)?,
            _ => return Err(BAD),
        },
        8 => match tokens.next() {
            Some(ModuleToken::Int(value)) => Json::Number(value.to_string()),
            _ => return Err(BAD),
        },
        0x10 => match tokens.next() {
            Some(ModuleToken::Text(flag)) => Json::Bool(match flag.as_bytes() {
                b"1" => true,
                b"0" => false,
                _ => return Err(BAD),
            }),
            _ => return Err(BAD),
        },
        0x20 => {
            let depth = depth_left.ok_or(ErrorKind::TooDeep)?;
            let count = uint(tokens.next())?;
            let mut members = Vec::new();
            for _ in 0..count {
                if uint(tokens.next())? != 0x80 {
                    return Err(BAD);
                }
                members.push((text(tokens.next())?, node(tokens, depth)?));
            }
            Json::Object(members)
        }
        0x40 => {
            let depth = depth_left.ok_or(ErrorKind::TooDeep)?;
            let count = uint(tokens.next())?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(node(tokens, depth)?);
            }
            Json::Array(items)
        }
        _ => return Err(BAD),
    })
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, literal: &[u8]) -> bool {
        let there = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(literal));
        if there {
            self.at += literal.len();
        }
        there
    }

    fn value(&mut self, depth: usize) -> Result<Json, ErrorKind> {
        self.space();
        Ok(match self.peek() {
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(ErrorKind::TooDeep)?)?,
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(ErrorKind::TooDeep)?)?,
            Some(b'"') => Json::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number()?),
            _ if self.eat(b"null") => Json::Null,
            _ if self.eat(b"true") => Json::Bool(true),
            _ if self.eat(b"false") => Json::Bool(false),
            _ => return Err(BAD),
        })
    }

    fn array(&mut self, depth: usize) -> Result<Json, ErrorKind> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b"]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.eat(b"]") {
                return Ok(Json::Array(items));
            }
            if !self.eat(b",") {
                return Err(BAD);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, ErrorKind> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.eat(b"}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(BAD);
            }
            let name = self.string()?;
            self.space();
            if !self.eat(b":") {
                return Err(BAD);
            }
            members.push((name, self.value(depth)?));
            self.space();
            if self.eat(b"}") {
                return Ok(Json::Object(members));
            }
            if !self.eat(b",") {
                return Err(BAD);
            }
        }
    }

    fn digits(&mut self) -> Result<(), ErrorKind> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(BAD) }
    }

    fn number(&mut self) -> Result<String, ErrorKind> {
        let start = self.at;
        self.eat(b"-");
        // A leading zero stands alone.
        if !self.eat(b"0") {
            self.digits()?;
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"e") || self.eat(b"E") {
            let _sign = self.eat(b"+") || self.eat(b"-");
            self.digits()?;
        }
        let text = self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok());
        text.map(str::to_owned).ok_or(BAD)
    }

    fn string(&mut self) -> Result<String, ErrorKind> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let run = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            let run = run.ok_or(BAD)?;
            out.extend_from_slice(rest.get(..run).unwrap_or_default());
            self.at += run + 1;
            match rest.get(run) {
                Some(b'"') => return String::from_utf8(out).map_err(|_| BAD),
                Some(b'\\') => self.escape(&mut out)?,
                _ => return Err(BAD),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let letter = self.peek().ok_or(BAD)?;
        self.at += 1;
        out.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) {
                    // The first half of a pair; alone, neither half is a character.
                    if !self.eat(b"\\u") {
                        return Err(BAD);
                    }
                    let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    code = 0x10000 + ((code - 0xd800) << 10) + low.ok_or(BAD)?;
                }
                let letter = char::from_u32(code).ok_or(BAD)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(BAD),
        });
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, ErrorKind> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(BAD)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, &digit| {
            char::from(digit).to_digit(16).map(|digit| code << 4 | digit).ok_or(BAD)
        })
    }
}

/// The text of a blob, which must be UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Result<String, ErrorKind> {
    let text = Blob::from(bytes);
    text.as_str().map(str::to_owned).ok_or(BAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept() {
        for text in [
            r#"{"b":1,"a":[1.50,-0,1e400,123456789012345678901234567890],"":null}"#,
            r#""é\"\\\n""#,
            "[true,false,[],{}]",
            "-0.0e-5",
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(Json::parse(br#""\ud83d\ude00\/""#), Ok(Json::String("😀/".into())));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "nul",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "[1 2]",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\n\"",
            "\"",
            "1 1",
            "NaN",
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert!(Json::parse(&nested(128)).is_ok());
        assert_eq!(Json::parse(&nested(129)), Err(ErrorKind::TooDeep));
        assert_eq!(Json::parse(&b"[".repeat(1_000_000)), Err(ErrorKind::TooDeep));
    }

    #[test]
    fn oldest_form_is_read() {
        use ModuleToken::{Double, Int, Text, Uint};
        let tokens = [
            Uint(0x20),
            Uint(2),
            Uint(0x80),
            Text("a".into()),
            Uint(0x40),
            Uint(3),
            Uint(1),
            Uint(8),
            Int(-7),
            Uint(4),
            Double(0.5),
            Uint(0x80),
            Text("b".into()),
            Uint(0x10),
            Text("1".into()),
        ];
        let json = from_module(0, &tokens).unwrap().unwrap();
        assert_eq!(json.to_string(), r#"{"a":[null,-7,0.5],"b":true}"#);
        assert!(from_module(0, &tokens[..14]).is_err());
        let deep: Vec<_> = std::iter::repeat_n([Uint(0x40), Uint(1)], 500).flatten().collect();
        assert_eq!(from_module(0, &deep), Err(ErrorKind::TooDeep));
    }

    #[test]
    fn unknown_versions_are_left_alone() {
        assert_eq!(from_module(9, &[]), Ok(None));
        assert!(from_module(3, &[]).is_err());
    }
}
