use std::io::Read;

use super::{
    block::Block,
    blocks::{Count, Fault, MAX_LINE_BYTES, read_some},
};

const BUFFER_BYTES: usize = 128 << 10;
/// Deeper than any item may be.
const MAX_DEPTH: usize = 256;
/// No name or number beside the items is longer.
const MAX_TOKEN_BYTES: usize = 1 << 10;

/// The result of a scan or a query as the AWS CLI prints it, `{"Items":[…],"Count":…}`: item by
/// item made into lines, without the white space between words. Several results may follow upon
/// each other, and a bare list of items counts as one.
pub(super) struct Document {
    text: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// How much of the buffer is text.
    filled: usize,
    at: usize,
    /// Bytes of the text before the buffer.
    before: u64,
    place: Place,
    /// What `Count` said of this result.
    said: Option<u64>,
    /// Items of this result.
    found: u64,
    /// Items of the block at hand.
    in_block: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Before a result.
    Outside,
    /// In a result, before a name.
    Fields,
    /// In the list of items of a result.
    Items,
    /// In a list of items that is all there is.
    List,
}

/// Whether a text that begins so is the result of a scan rather than lines of items.
pub(super) fn begins(head: &[u8]) -> bool {
    const FIELDS: [&[u8]; 6] = [
        b"\"ConsumedCapacity\"",
        b"\"Count\"",
        b"\"Items\"",
        b"\"LastEvaluatedKey\"",
        b"\"NextToken\"",
        b"\"ScannedCount\"",
    ];
    match head.trim_ascii_start().split_first() {
        Some((b'[', _)) => true,
        Some((b'{', rest)) => {
            let rest = rest.trim_ascii_start();
            FIELDS.iter().any(|field| rest.starts_with(field))
        }
        _ => false,
    }
}

impl Document {
    /// `head` is what was read of the text already.
    pub(super) fn new(text: Box<dyn Read + Send>, head: Vec<u8>) -> Self {
        Self {
            text,
            filled: head.len(),
            buffer: head,
            at: 0,
            before: 0,
            place: Place::Outside,
            said: None,
            found: 0,
            in_block: 0,
        }
    }

    pub(super) fn fill(&mut self, block: &mut Block, target: usize) -> Result<Count, Fault> {
        block.buffer.clear();
        self.in_block = 0;
        while block.buffer.len() < target && self.next_item(&mut block.buffer)? {
            self.in_block += 1;
        }
        block.end = block.buffer.len();
        Ok(Count { lines: self.in_block, items: self.in_block })
    }

    /// Appends the next item as a line; `false` after the last.
    fn next_item(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        loop {
            match self.place {
                Place::Outside => match self.word()? {
                    None => return Ok(false),
                    Some(b'{') => self.enter(Place::Fields),
                    Some(b'[') => self.enter(Place::List),
                    Some(_) => return Err(self.wrong("expected the result of a scan")),
                },
                Place::Fields => self.field()?,
                Place::Items | Place::List => match self.word()? {
                    Some(b',') if self.found > 0 => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        let alone = self.place == Place::List;
                        self.place = if alone { Place::Outside } else { Place::Fields };
                    }
                    Some(b'{') => {
                        out.extend_from_slice(b"{\"Item\":");
                        self.value(out)?;
                        out.extend_from_slice(b"}\n");
                        self.found += 1;
                        return Ok(true);
                    }
                    _ => return Err(self.wrong("expected an item or the end of the list")),
                },
            }
        }
    }

    fn enter(&mut self, place: Place) {
        self.at += 1;
        self.place = place;
        self.said = None;
        self.found = 0;
    }

    /// Reads one field of a result: up to the first of the items, or whole.
    fn field(&mut self) -> Result<(), Fault> {
        match self.word()? {
            Some(b',') => self.at += 1,
            Some(b'}') => {
                self.at += 1;
                self.place = Place::Outside;
                if let Some(said) = self.said.filter(|said| *said != self.found) {
                    return Err(Fault::DocumentCount { said, found: self.found });
                }
            }
            Some(b'"') => {
                let mut name = Vec::new();
                self.value(&mut name)?;
                if self.word()? != Some(b':') {
                    return Err(self.wrong("expected a colon"));
                }
                self.at += 1;
                if name == b"\"Items\"" {
                    if self.word()? != Some(b'[') {
                        return Err(self.wrong("expected the list of items"));
                    }
                    self.at += 1;
                    self.place = Place::Items;
                } else {
                    let mut value = Vec::new();
                    self.value(&mut value)?;
                    if name == b"\"Count\"" {
                        let number = std::str::from_utf8(&value).ok();
                        self.said = number.and_then(|number| number.parse().ok());
                        if self.said.is_none() {
                            return Err(self.wrong("expected a number of items before this"));
                        }
                    }
                }
            }
            _ => return Err(self.wrong("expected a field's name or the end of the result")),
        }
        Ok(())
    }

    /// Appends one value without the white space in it.
    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        let mut closing = Vec::new();
        loop {
            let Some(byte) = self.word()? else { return Err(self.wrong("unexpected end of text")) };
            match byte {
                b'"' => self.string(out, start)?,
                b'{' | b'[' => {
                    closing.push(if byte == b'{' { b'}' } else { b']' });
                    if closing.len() > MAX_DEPTH {
                        return Err(self.wrong("nested too deep"));
                    }
                    out.push(byte);
                    self.at += 1;
                }
                b'}' | b']' => {
                    if closing.pop() != Some(byte) {
                        return Err(self.wrong("a bracket that closes none"));
                    }
                    out.push(byte);
                    self.at += 1;
                }
                b',' | b':' if !closing.is_empty() => {
                    out.push(byte);
                    self.at += 1;
                }
                b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E' => self.scalar(out)?,
                _ => return Err(self.wrong("expected a value")),
            }
            if out.len() - start > MAX_LINE_BYTES {
                return Err(self.too_long());
            }
            if closing.is_empty() {
                return Ok(());
            }
        }
    }

    /// Appends a number, `true`, `false` or `null`.
    fn scalar(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        while let Some(byte @ (b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')) =
            self.byte()?
        {
            out.push(byte);
            self.at += 1;
            if out.len() - start > MAX_TOKEN_BYTES {
                return Err(self.wrong("expected a value"));
            }
        }
        Ok(())
    }

    /// Appends a string as it is; `start` is where the value that it is part of begins.
    fn string(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), Fault> {
        out.push(b'"');
        self.at += 1;
        loop {
            let Some(byte) = self.byte()? else {
                return Err(self.wrong("unexpected end of text"));
            };
            match byte {
                b'"' => {
                    out.push(byte);
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    out.push(byte);
                    self.at += 1;
                    let Some(escaped) = self.byte()?.filter(|byte| *byte >= b' ') else {
                        return Err(self.wrong("expected an escape"));
                    };
                    out.push(escaped);
                    self.at += 1;
                }
                0..b' ' => return Err(self.wrong("a control character in a string")),
                _ => {
                    let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
                    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
                    let run = rest.iter().take_while(|byte| plain(byte)).count();
                    out.extend_from_slice(rest.get(..run).unwrap_or_default());
                    self.at += run;
                }
            }
            if out.len() - start > MAX_LINE_BYTES {
                return Err(self.too_long());
            }
        }
    }

    /// The next byte that is no white space; it stays.
    fn word(&mut self) -> Result<Option<u8>, Fault> {
        while let Some(byte) = self.byte()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// The next byte; it stays.
    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        if self.at >= self.filled {
            self.refill()?;
        }
        let there = self.at < self.filled;
        Ok(if there { self.buffer.get(self.at).copied() } else { None })
    }

    #[cold]
    fn refill(&mut self) -> Result<(), Fault> {
        self.before += self.filled as u64;
        (self.at, self.filled) = (0, 0);
        if self.buffer.len() < BUFFER_BYTES {
            self.buffer.resize(BUFFER_BYTES, 0);
        }
        self.filled = read_some(&mut *self.text, &mut self.buffer)?;
        Ok(())
    }

    fn too_long(&self) -> Fault {
        Fault::TooLong(self.in_block)
    }

    fn wrong(&self, reason: &'static str) -> Fault {
        Fault::Document(self.before + self.at as u64, reason)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;

    /// Hands out no more than that many bytes at once.
    struct Slowly(io::Cursor<Vec<u8>>, usize);

    impl Read for Slowly {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn lines(text: &[u8], step: usize, target: usize) -> Result<String, String> {
        let head = text[..text.len().min(step)].to_vec();
        let rest = Slowly(io::Cursor::new(text[head.len()..].to_vec()), step);
        let mut document = Document::new(Box::new(rest), head);
        let mut block = Block::new();
        let mut all = String::new();
        loop {
            match document.fill(&mut block, target) {
                Ok(_) if block.end == 0 => return Ok(all),
                Ok(count) => {
                    assert_eq!(count.lines, block.lines().count() as u64);
                    all.push_str(std::str::from_utf8(block.bytes()).unwrap());
                }
                Err(Fault::Document(offset, reason)) => return Err(format!("{offset}: {reason}")),
                Err(Fault::DocumentCount { said, found }) => return Err(format!("{said}/{found}")),
                Err(_) => return Err("other".to_owned()),
            }
        }
    }

    fn whole(text: &str) -> Result<String, String> {
        lines(text.as_bytes(), 4096, 1 << 20)
    }

    #[test]
    fn results_are_told_from_lines() {
        for text in [
            "{\"Items\":[]}",
            " \n{ \"Count\": 1",
            "[{\"a\":",
            "{\"ScannedCount\"",
            "{\n    \"ConsumedCapacity\": null",
        ] {
            assert!(begins(text.as_bytes()), "{text}");
        }
        for text in ["", "{", "{\"Item\":{", "{\"Itemsy\":[]}", "{\"Metadata\":{", "x", "{}"] {
            assert!(!begins(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn items_become_lines() {
        let one = "{\"Item\":{\"a\":{\"S\":\" x \\\" ] \"}}}\n";
        let text = "{ \"Count\" : 1, \"Items\":[ { \"a\" : {\"S\":\" x \\\" ] \"}\n} ], \"ScannedCount\": 5,\r\n\
             \"ConsumedCapacity\": {\"x\":[1.5e-3,null,true]} }";
        assert_eq!(whole(text).as_deref(), Ok(one));
        assert_eq!(whole(&format!("{text}\n{text}")), Ok([one, one].concat()));
        assert_eq!(whole("[{\"a\":{\"S\":\" x \\\" ] \"}}]\n").as_deref(), Ok(one));
        assert_eq!(whole("{\"Items\":[],\"Count\":0}").as_deref(), Ok(""));
        assert_eq!(whole(" [ ] ").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_byte() {
        for (text, expected) in [
            ("{\"Items\":[{\"a\":{\"S\":\"x\"}}", "25: expected an item or the end of the list"),
            ("{\"Items\":[{\"a\":{\"S\":\"x", "22: unexpected end of text"),
            ("{\"Items\":[{\"a\":", "15: unexpected end of text"),
            ("{\"Items\":{}}", "9: expected the list of items"),
            ("{\"Items\":[1]}", "10: expected an item or the end of the list"),
            ("{\"Items\":[,{}]}", "10: expected an item or the end of the list"),
            ("{\"Items\":[{\"a\":[}]}", "16: a bracket that closes none"),
            ("{\"Items\":[{\"a\":\"\n\"}]}", "16: a control character in a string"),
            ("{\"Items\":[]} nonsense", "13: expected the result of a scan"),
            ("{\"Items\":[],\"Count\":2}", "2/0"),
            ("{\"Count\":0,\"Items\":[{}]}", "0/1"),
            ("{\"Count\":\"0\"}", "12: expected a number of items before this"),
            ("{\"Items\"}", "8: expected a colon"),
            ("{\"Items\":[]", "11: expected a field's name or the end of the result"),
        ] {
            assert_eq!(whole(text), Err(expected.to_owned()), "{text}");
        }
        let deep = format!("[{{\"a\":{}", "[".repeat(MAX_DEPTH + 1));
        assert_eq!(whole(&deep), Err(format!("{}: nested too deep", 5 + MAX_DEPTH)));
    }

    proptest! {
        #[test]
        fn steps_and_targets_change_nothing(
            texts in prop::collection::vec(".{0,12}", 0..8),
            step in 1..50_usize,
            target in 1..80_usize,
        ) {
            let items: Vec<_> =
                texts.iter().map(|text| serde_json::json!({ "a b": { "S": text } })).collect();
            let expected: String =
                items.iter().map(|item| format!("{{\"Item\":{item}}}\n")).collect();
            let result = serde_json::json!({ "Items": items, "Count": items.len() });
            let pretty = serde_json::to_string_pretty(&result).unwrap();
            for text in [pretty, result.to_string(), serde_json::json!(items).to_string()] {
                prop_assert_eq!(lines(text.as_bytes(), step, target), Ok(expected.clone()));
            }
        }

        #[test]
        fn any_bytes_end(text: Vec<u8>, step in 1..9_usize) {
            let text = [b"{\"Items\":[{".as_slice(), &text].concat();
            let _ = lines(&text, step, 100);
        }
    }
}
