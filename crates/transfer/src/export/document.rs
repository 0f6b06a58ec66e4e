use std::io::{self, Read};

use super::{
    block::Block,
    blocks::{Count, Fault, MAX_LINE_BYTES},
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
    at: usize,
    /// Bytes of the text before the buffer.
    before: u64,
    place: Place,
    /// What `Count` said of this result.
    said: Option<u64>,
    /// Items of this result.
    found: u64,
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
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    match head.split_first() {
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
        let at = if head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { text, buffer: head, at, before: 0, place: Place::Outside, said: None, found: 0 }
    }

    pub(super) fn fill(&mut self, block: &mut Block, target: usize) -> Result<Count, Fault> {
        block.buffer.clear();
        let mut count = Count::default();
        while block.buffer.len() < target && self.next_item(&mut block.buffer)? {
            count.lines += 1;
            count.items += 1;
        }
        block.end = block.buffer.len();
        Ok(count)
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
                return Err(Fault::TooLong);
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
                    let rest = self.buffer.get(self.at..).unwrap_or_default();
                    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
                    let run = rest.iter().take_while(|byte| plain(byte)).count();
                    out.extend_from_slice(rest.get(..run).unwrap_or_default());
                    self.at += run;
                }
            }
            if out.len() - start > MAX_LINE_BYTES {
                return Err(Fault::TooLong);
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
        if let Some(byte) = self.buffer.get(self.at) {
            return Ok(Some(*byte));
        }
        self.refill()?;
        Ok(self.buffer.first().copied())
    }

    #[cold]
    fn refill(&mut self) -> Result<(), Fault> {
        self.before += self.buffer.len() as u64;
        self.at = 0;
        self.buffer.resize(BUFFER_BYTES, 0);
        let read = loop {
            match self.text.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(error.into());
                }
                Ok(read) => break read,
            }
        };
        self.buffer.truncate(read);
        Ok(())
    }

    fn wrong(&self, reason: &'static str) -> Fault {
        Fault::Document(self.before + self.at as u64, reason)
    }
}
