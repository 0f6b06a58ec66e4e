//! JSON text, for fields that hold documents.

use keystar_item::AttributeValue;
use keystar_rdb::Json;

use crate::text::unescape;

/// Most levels that the reader follows.
const MAX_DEPTH: usize = 64;

/// Reads a JSON text; `None` if it is none, or nested too deep.
pub(crate) fn parse(text: &str) -> Option<Json> {
    let mut reader = Reader { text, at: 0 };
    let json = reader.value(MAX_DEPTH)?;
    reader.space();
    (reader.at == text.len()).then_some(json)
}

/// Whether an object in it has a name twice.
pub(crate) fn has_duplicates(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(has_duplicates),
        Json::Object(entries) => {
            let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            names.windows(2).any(|pair| pair[0] == pair[1])
                || entries.iter().any(|(_, value)| has_duplicates(value))
        }
        _ => false,
    }
}

/// A value that was made of a document, as a document; `None` for sets and bytes, which no
/// document holds.
pub(crate) fn of_value(value: &AttributeValue<'_>) -> Option<Json> {
    Some(match value {
        AttributeValue::Null => Json::Null,
        AttributeValue::Bool(truth) => Json::Bool(*truth),
        AttributeValue::N(number) => Json::Number(number.as_str().to_owned()),
        AttributeValue::S(text) => Json::String(text.clone().into_owned()),
        AttributeValue::L(items) => Json::Array(items.iter().map(of_value).collect::<Option<_>>()?),
        AttributeValue::M(map) => {
            let entries = map.iter().map(|(name, value)| {
                let name = String::from_utf8(unescape(name)?.into_owned()).ok()?;
                Some((name, of_value(value)?))
            });
            Json::Object(entries.collect::<Option<_>>()?)
        }
        AttributeValue::B(_)
        | AttributeValue::Ss(_)
        | AttributeValue::Ns(_)
        | AttributeValue::Bs(_) => return None,
    })
}

/// The JSON text, without spaces, of a value that was made of a document.
pub(crate) fn text_of_value(value: &AttributeValue<'_>) -> Option<String> {
    let mut text = String::new();
    write(&of_value(value)?, &mut text);
    Some(text)
}

/// Appends the JSON text, without spaces.
pub(crate) fn write(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Json::Number(text) => out.push_str(text),
        Json::String(text) => quote(text, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (name, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(wanted).then(|| self.at += wanted.len())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        self.space();
        match self.peek()? {
            b'n' => self.eat("null").map(|()| Json::Null),
            b't' => self.eat("true").map(|()| Json::Bool(true)),
            b'f' => self.eat("false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::String),
            b'[' => {
                let mut items = Vec::new();
                self.series(b']', |reader| {
                    items.push(reader.value(depth)?);
                    Some(())
                })?;
                Some(Json::Array(items))
            }
            b'{' => {
                let mut entries = Vec::new();
                self.series(b'}', |reader| {
                    let name = reader.string()?;
                    reader.space();
                    reader.eat(":")?;
                    entries.push((name, reader.value(depth)?));
                    Some(())
                })?;
                Some(Json::Object(entries))
            }
            _ => self.number(),
        }
    }

    /// What stands between an opening bracket and its end, parted by commas.
    fn series(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            item(self)?;
            self.space();
            let next = self.peek()?;
            self.at += 1;
            if next == end {
                return Some(());
            }
            (next == b',').then_some(())?;
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let _ = self.eat("-");
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.eat(".").is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Json::Number(self.text.get(start..self.at)?.to_owned()))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<String> {
        self.eat("\"")?;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let end = rest.find(|char| char == '"' || char == '\\' || char < ' ')?;
            string.push_str(rest.get(..end)?);
            self.at += end;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(string);
                }
                b'\\' => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if (0xd800..0xdc00).contains(&first) {
                    self.eat("\\u")?;
                    let second = self.hex()?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_another_reader_reads() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            r#"{"a":[1,-0.5e+3,true,false,null,"x"],"":{}}"#,
            r#""\"\\\/\b\f\n\r\té😀""#,
            "0",
            "-1.5",
            "[1,2",
            "[1,]",
            "01",
            "1.",
            "+1",
            "{\"a\"}",
            "\"\n\"",
            r#""\ud800""#,
            "nul",
            "[1] 2",
            r#"{"a":1,"a":2}"#,
        ] {
            let theirs = serde_json::from_str::<serde_json::Value>(text);
            let ours = parse(text);
            assert_eq!(ours.is_some(), theirs.is_ok(), "{text}");
            if let (Some(ours), Ok(theirs)) = (ours, theirs) {
                let mut written = String::new();
                write(&ours, &mut written);
                assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), theirs);
                assert_eq!(has_duplicates(&ours), text.contains("\"a\":2"));
            }
        }
    }

    #[test]
    fn deep_text_is_refused_and_not_followed() {
        assert!(parse(&"[".repeat(100_000)).is_none());
    }
}
