//! One pass over the text. Where the text is stays in a register: each function takes the place
//! where it begins and returns the one behind what it read.

use super::view::{MapView, unescape};
use super::{Kind, Node, Span, Tape};
use crate::json::MAX_DEPTH;
use crate::text::to_escape;
use crate::{Error, ErrorKind, Number};

type Place = Result<usize, Error>;

pub(super) struct Scanner<'a, 't> {
    text: &'a str,
    bytes: &'a [u8],
    tape: &'t mut Tape,
}

/// A string's text, without quotes.
#[derive(Clone, Copy, Default)]
struct Scanned {
    span: Span,
    escaped: bool,
}

impl<'a, 't> Scanner<'a, 't> {
    pub(super) fn new(text: &'a str, tape: &'t mut Tape) -> Self {
        Self { text, bytes: text.as_bytes(), tape }
    }

    /// `{"Item":{…}}` and the like: named maps without a type.
    pub(super) fn record(&mut self, at: usize) -> Place {
        let mut at = self.token(at, b'{', "an object")?;
        if let Some(end) = self.skip(at, b'}') {
            return Ok(end);
        }
        let mut names = Names::default();
        loop {
            let (name, behind) = self.string(at)?;
            names.meet(self.bytes, name);
            at = self.space(self.token(behind, b':', "a colon")?);
            let (node, start) = (self.push(name), at);
            at = self.attributes(at, 1)?;
            self.close(node, Kind::M, start, at);
            match self.skip(at, b',') {
                Some(behind) => at = behind,
                None => break,
            }
        }
        at = self.token(at, b'}', "a comma or the end of the object")?;
        self.check_names(&names, 0)?;
        Ok(at)
    }

    /// `{"name":{"S":"…"},…}`. The item's own values are on level 1.
    pub(super) fn attributes(&mut self, at: usize, level: usize) -> Place {
        let mut at = self.token(at, b'{', "an object")?;
        if let Some(end) = self.skip(at, b'}') {
            return Ok(end);
        }
        let first = self.tape.nodes.len();
        let mut names = Names::default();
        loop {
            let (name, behind) = self.string(at)?;
            names.meet(self.bytes, name);
            // Nearly all names are followed by these eight bytes, the first of which is the
            // name's closing quote.
            at = match self.word(behind - 1) {
                Some(word) if word & !TYPE == TYPED && level <= MAX_DEPTH => {
                    match ((word & TYPE) >> TYPE.trailing_zeros()) as u8 {
                        b'S' => {
                            let (value, behind) = self.rest_of_string(behind + 7)?;
                            self.leaf(name, value, Kind::S);
                            behind
                        }
                        b'N' => {
                            let (value, behind) = self.rest_of_string(behind + 7)?;
                            let value = self.check_number(value)?;
                            self.leaf(name, value, Kind::N);
                            behind
                        }
                        _ => self.value_between_braces(behind + 2, name, level)?,
                    }
                }
                _ => {
                    let at = self.token(behind, b':', "a colon")?;
                    self.value_from_brace(at, name, level)?
                }
            };
            at = self.token(at, b'}', "the end of the typed value")?;
            match self.skip(at, b',') {
                Some(behind) => at = behind,
                None => break,
            }
        }
        at = self.token(at, b'}', "a comma or the end of the object")?;
        self.check_names(&names, first)?;
        Ok(at)
    }

    /// A typed value up to its last brace, from its first one on.
    fn value_from_brace(&mut self, at: usize, name: Scanned, level: usize) -> Place {
        if level > MAX_DEPTH {
            return Err(Error::at(ErrorKind::TooDeep, at));
        }
        let at = self.token(at, b'{', "a typed value")?;
        self.value_between_braces(at, name, level)
    }

    /// A typed value without its braces.
    #[inline(never)]
    fn value_between_braces(&mut self, at: usize, name: Scanned, level: usize) -> Place {
        let start = self.space(at);
        let (tag, behind) = self.string(start)?;
        let colon = self.token(behind, b':', "a colon")?;
        let at = self.space(colon);
        let unescaped;
        let tag = if tag.escaped {
            unescaped = unescape(tag.span.of(self.text));
            &unescaped
        } else {
            tag.span.of(self.text)
        };
        match tag {
            "S" => self.text_value(at, name),
            "N" => self.number_value(at, name),
            "B" => self.bytes_value(at, name),
            "BOOL" => {
                let (truth, end) = self.truth(at)?;
                let kind = if truth { Kind::True } else { Kind::False };
                self.leaf(name, Scanned::default(), kind);
                Ok(end)
            }
            "NULL" => {
                let (truth, end) = self.truth(at)?;
                if !truth {
                    return Err(Error::at(ErrorKind::Syntax("true"), colon));
                }
                self.leaf(name, Scanned::default(), Kind::Null);
                Ok(end)
            }
            "M" => {
                let node = self.push(name);
                let end = self.attributes(at, level + 1)?;
                self.close(node, Kind::M, at, end);
                Ok(end)
            }
            "L" => self.list(at, name, Kind::L, |scanner, at| {
                let at = scanner.value_from_brace(at, Scanned::default(), level + 1)?;
                scanner.token(at, b'}', "the end of the typed value")
            }),
            "SS" => self
                .list(at, name, Kind::Ss, |scanner, at| scanner.text_value(at, Scanned::default())),
            "NS" => self.list(at, name, Kind::Ns, |scanner, at| {
                scanner.number_value(at, Scanned::default())
            }),
            "BS" => self.list(at, name, Kind::Bs, |scanner, at| {
                scanner.bytes_value(at, Scanned::default())
            }),
            _ => Err(Error::at(ErrorKind::UnknownType, start)),
        }
    }

    fn text_value(&mut self, at: usize, name: Scanned) -> Place {
        let (value, behind) = self.string(at)?;
        self.leaf(name, value, Kind::S);
        Ok(behind)
    }

    fn number_value(&mut self, at: usize, name: Scanned) -> Place {
        let (value, behind) = self.string(at)?;
        let value = self.check_number(value)?;
        self.leaf(name, value, Kind::N);
        Ok(behind)
    }

    fn bytes_value(&mut self, at: usize, name: Scanned) -> Place {
        let (value, behind) = self.string(at)?;
        let text = value.span.of(self.text);
        let is_base64 = if value.escaped {
            is_base64(unescape(text).as_bytes())
        } else {
            is_base64(text.as_bytes())
        };
        if !is_base64 {
            return Err(Error::at(ErrorKind::Base64, value.span.start as usize));
        }
        self.leaf(name, value, Kind::B);
        Ok(behind)
    }

    fn list(
        &mut self,
        start: usize,
        name: Scanned,
        kind: Kind,
        mut element: impl FnMut(&mut Self, usize) -> Place,
    ) -> Place {
        let node = self.push(name);
        let mut at = self.token(start, b'[', "an array")?;
        if let Some(end) = self.skip(at, b']') {
            if kind != Kind::L {
                return Err(Error::at(ErrorKind::Syntax("a member of the set"), end - 1));
            }
            self.close(node, kind, start, end);
            return Ok(end);
        }
        loop {
            at = element(self, at)?;
            match self.skip(at, b',') {
                Some(behind) => at = behind,
                None => break,
            }
        }
        at = self.token(at, b']', "a comma or the end of the array")?;
        self.close(node, kind, start, at);
        Ok(at)
    }

    fn truth(&self, at: usize) -> Result<(bool, usize), Error> {
        let at = self.space(at);
        let rest = self.rest(at);
        if rest.starts_with(b"true") {
            Ok((true, at + 4))
        } else if rest.starts_with(b"false") {
            Ok((false, at + 5))
        } else {
            Err(self.unexpected(at, "true or false"))
        }
    }

    /// Appends a value that holds no others.
    #[inline(always)]
    fn leaf(&mut self, name: Scanned, value: Scanned, kind: Kind) {
        self.tape.nodes.push(Node {
            name: name.span,
            value: value.span,
            nodes: 1,
            kind,
            name_escaped: name.escaped,
            value_escaped: value.escaped,
        });
    }

    /// Appends a value that holds others, to be [closed](Self::close) when they are read.
    fn push(&mut self, name: Scanned) -> usize {
        self.leaf(name, Scanned::default(), Kind::Null);
        self.tape.nodes.len() - 1
    }

    #[allow(clippy::cast_possible_truncation, reason = "a node takes bytes of the text, too")]
    fn close(&mut self, node: usize, kind: Kind, start: usize, end: usize) {
        let nodes = self.tape.nodes.len() - node;
        if let Some(node) = self.tape.nodes.get_mut(node) {
            (node.kind, node.value, node.nodes) = (kind, Span::new(start, end), nodes as u32);
        }
    }

    #[inline(always)]
    fn check_number(&mut self, number: Scanned) -> Result<Scanned, Error> {
        let text = number.span.of(self.text);
        if !number.escaped && surely_number(text.as_bytes()) {
            return Ok(number);
        }
        self.look_at_number(number)
    }

    /// Checks a number that is not short and plain; of one with escapes, keeps the plain text.
    #[inline(never)]
    fn look_at_number(&mut self, number: Scanned) -> Result<Scanned, Error> {
        let at = number.span.start as usize;
        let text = number.span.of(self.text);
        if !number.escaped {
            return match Number::parse(text) {
                Ok(_) => Ok(number),
                Err(error) => Err(error.within(at)),
            };
        }
        let text = unescape(text);
        Number::parse(text.as_str()).map_err(|error| error.within(at))?;
        let start = self.tape.unescaped.len();
        self.tape.unescaped.push_str(&text);
        Ok(Scanned { span: Span::new(start, self.tape.unescaped.len()), escaped: true })
    }

    /// Whether no two of the names from node `first` on, on its level, are the same.
    #[inline(always)]
    fn check_names(&self, names: &Names, first: usize) -> Result<(), Error> {
        if names.clash { self.compare_names(first) } else { Ok(()) }
    }

    #[inline(never)]
    fn compare_names(&self, first: usize) -> Result<(), Error> {
        /// Up to so many names are compared each with each.
        const FEW: usize = 16;
        let map = MapView::new(self.text, self.tape, first);
        let place = |name: &Span| name.start as usize;
        let twice = if map.iter().nth(FEW).is_none() {
            map.spans().enumerate().find_map(|(index, (span, name))| {
                map.spans().take(index).any(|(_, other)| other == name).then(|| place(&span))
            })
        } else {
            let mut names: Vec<_> =
                map.spans().map(|(span, name)| (name.as_str(), place(&span))).collect();
            names.sort_unstable();
            let pairs = names.windows(2).filter(|pair| match pair {
                [a, b] => a.0 == b.0,
                _ => false,
            });
            pairs.filter_map(|pair| pair.last().map(|(_, place)| *place)).min()
        };
        match twice {
            Some(at) => Err(Error::at(ErrorKind::Syntax("a name that was not there before"), at)),
            None => Ok(()),
        }
    }

    /// A string with its quotes.
    #[inline(always)]
    fn string(&self, at: usize) -> Result<(Scanned, usize), Error> {
        let at = self.token(at, b'"', "a string")?;
        self.rest_of_string(at)
    }

    /// A string whose first quote was read, and the place behind its last one.
    #[inline(always)]
    fn rest_of_string(&self, start: usize) -> Result<(Scanned, usize), Error> {
        let at = self.run(start);
        if self.byte(at) == Some(b'"') {
            return Ok((Scanned { span: Span::new(start, at), escaped: false }, at + 1));
        }
        let end = self.escaped_string(at)?;
        Ok((Scanned { span: Span::new(start, end), escaped: true }, end + 1))
    }

    /// Where the last quote of a string is that has an escape, or something worse, here.
    #[inline(never)]
    fn escaped_string(&self, mut at: usize) -> Place {
        loop {
            match self.byte(at) {
                Some(b'"') => return Ok(at),
                Some(b'\\') => at = self.run(self.escape(at)?),
                Some(_) => return Err(self.unexpected(at, "an escape for the control character")),
                None => return Err(self.unexpected(at, "the end of the string")),
            }
        }
    }

    fn escape(&self, start: usize) -> Place {
        match self.byte(start + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(start + 2),
            Some(b'u') => {
                let lone = || Error::at(ErrorKind::LoneSurrogate, start);
                let first = self.hex(start + 2)?;
                match first {
                    0xd800..0xdc00 => {
                        if !self.rest(start + 6).starts_with(b"\\u") {
                            return Err(lone());
                        }
                        let second = self.hex(start + 8)?;
                        if (0xdc00..0xe000).contains(&second) {
                            Ok(start + 12)
                        } else {
                            Err(lone())
                        }
                    }
                    0xdc00..0xe000 => Err(lone()),
                    _ => Ok(start + 6),
                }
            }
            Some(_) => Err(self.unexpected(start + 1, "an escape")),
            None => Err(self.unexpected(start + 1, "the end of the string")),
        }
    }

    fn hex(&self, start: usize) -> Result<u32, Error> {
        let mut code = 0;
        for at in start..start + 4 {
            let digit = self.byte(at).and_then(|byte| char::from(byte).to_digit(16));
            code =
                code << 4 | digit.ok_or_else(|| self.unexpected(at, "four hexadecimal digits"))?;
        }
        Ok(code)
    }

    /// The place behind the bytes of a string that stand for themselves.
    #[inline(always)]
    fn run(&self, mut at: usize) -> usize {
        while let Some(word) = self.word(at) {
            let marks = to_escape(word);
            if marks != 0 {
                return at + (marks.trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
        while self.byte(at).is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            at += 1;
        }
        at
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<u64> {
        self.bytes.get(at..at + 8)?.first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn rest(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    #[inline(always)]
    fn space(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(at) {
            at += 1;
        }
        at
    }

    /// The place behind this byte, if it is what comes next.
    #[inline(always)]
    fn skip(&self, at: usize, wanted: u8) -> Option<usize> {
        if self.byte(at) == Some(wanted) {
            return Some(at + 1);
        }
        let at = self.space(at);
        (self.byte(at) == Some(wanted)).then_some(at + 1)
    }

    #[inline(always)]
    fn token(&self, at: usize, wanted: u8, name: &'static str) -> Place {
        match self.skip(at, wanted) {
            Some(behind) => Ok(behind),
            None => Err(self.unexpected(self.space(at), name)),
        }
    }

    pub(super) fn end(&self, at: usize) -> Result<(), Error> {
        let at = self.space(at);
        match self.byte(at) {
            None => Ok(()),
            Some(_) => Err(Error::at(ErrorKind::Trailing, at)),
        }
    }

    #[cold]
    fn unexpected(&self, at: usize, expected: &'static str) -> Error {
        let kind = match self.byte(at) {
            Some(_) => ErrorKind::Syntax(expected),
            None => ErrorKind::UnexpectedEnd,
        };
        Error::at(kind, at.min(self.bytes.len()))
    }
}

/// `":{"S":"` with nothing for the S.
const TYPED: u64 = u64::from_le_bytes(*b"\":{\"\0\":\"");
/// Where the S is.
const TYPE: u64 = 0xff << 32;

/// Whether a short text is a plain number: in plain notation, so few characters can break neither
/// limit of DynamoDB's.
#[inline(always)]
fn surely_number(text: &[u8]) -> bool {
    const FITS: usize = 38;
    let digits = match text {
        [b'-', digits @ ..] => digits,
        digits => digits,
    };
    let (Some(b'0'..=b'9'), Some(b'0'..=b'9'), ..=FITS) =
        (digits.first(), digits.last(), digits.len())
    else {
        return false;
    };
    let (mut points, mut others) = (0u32, false);
    for byte in digits {
        points += u32::from(*byte == b'.');
        others |= !byte.is_ascii_digit() && *byte != b'.';
    }
    points <= 1 && !others
}

/// Whether the text is standard base64 with padding and without spare bits.
fn is_base64(text: &[u8]) -> bool {
    let (groups, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return false;
    }
    let Some((last, groups)) = groups.split_last() else { return true };
    let all = |sextets: &[u8]| sextets.iter().all(|byte| sextet(*byte).is_some());
    let is_tail = match last {
        // The bits of the last character that no byte takes are zero.
        [a, b, b'=', b'='] => all(&[*a]) && sextet(*b).is_some_and(|bits| bits & 15 == 0),
        [a, b, c, b'='] => all(&[*a, *b]) && sextet(*c).is_some_and(|bits| bits & 3 == 0),
        group => all(group),
    };
    is_tail && all(groups.as_flattened())
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// The names of one map, as far as it takes to see that none is there twice: a filter of 1,024
/// bits. Only if two names set the same bit are the names themselves compared.
struct Names {
    seen: [u64; 16],
    clash: bool,
}

impl Default for Names {
    #[inline(always)]
    fn default() -> Self {
        Self { seen: [0; 16], clash: false }
    }
}

impl Names {
    #[inline(always)]
    fn meet(&mut self, text: &[u8], name: Scanned) {
        let (start, end) = (name.span.start as usize, name.span.end as usize);
        let word = |at: usize| match text.get(at..at + 8).and_then(<[u8]>::first_chunk) {
            Some(word) => u64::from_le_bytes(*word),
            None => 0,
        };
        let length = end - start;
        let ends = if length < 8 {
            word(start) & ((1 << (length * 8)) - 1)
        } else {
            word(start) ^ word(end - 8).rotate_left(23)
        };
        let hash = (ends ^ (length as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = 1 << (hash >> 58);
        let word = &mut self.seen[(hash >> 54 & 15) as usize];
        self.clash |= name.escaped | (*word & bit != 0);
        *word |= bit;
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn base64_is_what_the_decoder_takes(text in "[A-Za-z0-9+/=_ ]{0,13}") {
            prop_assert_eq!(is_base64(text.as_bytes()), STANDARD.decode(&text).is_ok());
        }

        #[test]
        fn base64_of_bytes(bytes in prop::collection::vec(any::<u8>(), 0..20), last in any::<u8>()) {
            let mut text = STANDARD.encode(bytes).into_bytes();
            prop_assert!(is_base64(&text));
            if let Some(byte) = text.iter_mut().rev().find(|byte| **byte != b'=') {
                *byte = last;
            }
            prop_assert_eq!(is_base64(&text), STANDARD.decode(&text).is_ok());
        }

        #[test]
        fn what_is_surely_a_number_is_one(text in "[-+]?[0-9.e]{0,42}") {
            prop_assert!(!surely_number(text.as_bytes()) || Number::parse(text.as_str()).is_ok());
        }
    }

    #[test]
    fn usual_numbers_need_no_closer_look() {
        for number in ["0", "7", "-1", "9.90", "123456789.123456789", "007", "-0.5"] {
            assert!(surely_number(number.as_bytes()), "{number}");
        }
        for other in ["", "-", ".5", "5.", "1.2.3", "1e3", "+1", "1 "] {
            assert!(!surely_number(other.as_bytes()), "{other}");
        }
    }
}
