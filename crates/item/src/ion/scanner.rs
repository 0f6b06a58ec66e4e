use std::io::BufRead;

use super::parse_item;
use crate::{Error, ErrorKind, Item};

/// The items of an Ion text: an import or export file.
///
/// Takes the line form (`$ion_1_0 {Item:{…}}`) and the pretty one, where items go over several
/// lines, with or without a list around them. Finds where each item ends before it is read, so that
/// an item that is wrong is an error with the line on which it begins, and reading goes on behind
/// it; after text that is neither item nor list, and after a failure of the input, it ends. At most
/// [`with_max_item_bytes`](Self::with_max_item_bytes) are held at a time.
///
/// ```
/// use keystar_item::ion::Items;
///
/// let file = b"$ion_1_0 {Item:{key:\"a\"}}\n$ion_1_0 {Item:{key:(1)}}\n$ion_1_0 {Item:{key:\"b\"}}\n";
/// let mut items = Items::new(file.as_slice());
/// assert!(items.next().unwrap().is_ok());
/// assert_eq!(items.next().unwrap().unwrap_err().line(), Some(2));
/// assert_eq!(items.next().unwrap()?.get("key"), Some(&"b".into()));
/// assert!(items.next().is_none());
/// # Ok::<(), keystar_item::Error>(())
/// ```
#[derive(Debug)]
pub struct Items<R> {
    input: R,
    scanner: Scanner,
    item: Vec<u8>,
    ended: bool,
    start_line: u64,
    max_item_bytes: usize,
}

impl<R: BufRead> Items<R> {
    /// Reads items from `input`, each of up to 8 MiB of text.
    pub fn new(input: R) -> Self {
        Self {
            input,
            scanner: Scanner::default(),
            item: Vec::new(),
            ended: false,
            start_line: 1,
            max_item_bytes: 8 << 20,
        }
    }

    /// Refuses items of more bytes of text than that.
    #[must_use]
    pub fn with_max_item_bytes(mut self, max_item_bytes: usize) -> Self {
        self.max_item_bytes = max_item_bytes;
        self
    }

    /// The next item, borrowed from the text that is held: spares the copies that the iterator
    /// makes.
    pub fn next_item(&mut self) -> Option<Result<Item<'_>, Error>> {
        match self.find() {
            Ok(true) => {
                let line = self.start_line;
                Some(parse_item(&self.item).map_err(|error| error.on_line(line)))
            }
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error.on_line(self.scanner.line)))
            }
        }
    }

    /// The number, from 1, of the line on which the item that was read last begins.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.start_line
    }

    /// Gathers the text of the next item.
    fn find(&mut self) -> Result<bool, Error> {
        self.item.clear();
        while !self.ended {
            let bytes = self.input.fill_buf().map_err(Error::io)?;
            if bytes.is_empty() {
                return if self.scanner.may_end() {
                    Ok(false)
                } else {
                    Err(Error::new(ErrorKind::UnexpectedEnd))
                };
            }
            let mut done = false;
            let mut used = 0;
            for &byte in bytes {
                used += 1;
                match self.scanner.step(byte) {
                    Place::Between => {}
                    Place::Wrong => {
                        return Err(Error::new(ErrorKind::Syntax("an item")));
                    }
                    Place::First => {
                        self.start_line = self.scanner.line;
                        self.item.push(byte);
                    }
                    Place::Inside => self.item.push(byte),
                    Place::Last => {
                        self.item.push(byte);
                        done = true;
                        break;
                    }
                }
                if self.item.len() > self.max_item_bytes {
                    return Err(Error::new(ErrorKind::LineTooLong));
                }
            }
            self.input.consume(used);
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Iterator for Items<R> {
    type Item = Result<Item<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_item().map(|item| item.map(Item::into_owned))
    }
}

/// Where a byte stands.
enum Place {
    /// Between items: white space, comments, version markers, the brackets of a list.
    Between,
    First,
    Inside,
    Last,
    /// Between items, where it has no business.
    Wrong,
}

/// Tells items from what is between them by braces, for which it must know strings and comments.
#[derive(Debug)]
struct Scanner {
    state: State,
    /// Open braces, brackets and parentheses of the item.
    depth: u64,
    line: u64,
    /// How much of the version marker was seen.
    marker: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Plain,
    /// A slash that may begin a comment.
    Slash,
    LineComment,
    BlockComment,
    BlockCommentStar,
    /// In `"`, or in `'`.
    Quoted(u8),
    QuotedEscape(u8),
    /// After one or two single quotes: a quoted symbol, an empty one, or a long string.
    Quote,
    QuoteQuote,
    Long,
    LongEscape,
    LongQuote,
    LongQuoteQuote,
    /// A brace that may begin a blob, which may hold slashes that begin no comment.
    Brace,
    Blob,
    BlobQuoted,
    BlobEscape,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { state: State::Plain, depth: 0, line: 1, marker: 0 }
    }
}

impl Scanner {
    const MARKER: &'static [u8] = b"$ion_1_0";

    fn may_end(&self) -> bool {
        self.depth == 0
            && matches!(self.state, State::Plain | State::LineComment)
            && matches!(self.marker, 0 | 8)
    }

    fn step(&mut self, byte: u8) -> Place {
        self.line += u64::from(byte == b'\n');
        let outside = self.depth == 0;
        let place = if outside { Place::Between } else { Place::Inside };
        self.state = match (self.state, byte) {
            (State::LineComment, b'\n' | b'\r') => State::Plain,
            (State::LineComment, _) => State::LineComment,
            (State::BlockComment | State::BlockCommentStar, b'*') => State::BlockCommentStar,
            (State::BlockCommentStar, b'/') => State::Plain,
            (State::BlockComment | State::BlockCommentStar, _) => State::BlockComment,
            (State::Slash, b'/') => State::LineComment,
            (State::Slash, b'*') => State::BlockComment,
            (State::Quoted(quote), _) if byte == quote => State::Plain,
            (State::Quoted(quote), b'\\') => State::QuotedEscape(quote),
            (State::Quoted(quote) | State::QuotedEscape(quote), _) => State::Quoted(quote),
            (State::Quote, b'\'') => State::QuoteQuote,
            (State::Quote, b'\\') => State::QuotedEscape(b'\''),
            (State::Quote, _) => State::Quoted(b'\''),
            (State::QuoteQuote | State::Long | State::LongEscape, b'\'')
                if self.state != State::Long =>
            {
                State::Long
            }
            (State::Long, b'\'') => State::LongQuote,
            (State::LongQuote, b'\'') => State::LongQuoteQuote,
            (State::LongQuoteQuote, b'\'') => State::Plain,
            (State::Long | State::LongQuote | State::LongQuoteQuote, b'\\') => State::LongEscape,
            (State::Long | State::LongQuote | State::LongQuoteQuote | State::LongEscape, _) => {
                State::Long
            }
            (State::Brace, b'{') => {
                self.depth += 1;
                State::Blob
            }
            (State::Blob, b'}') => {
                self.depth = self.depth.saturating_sub(1);
                State::Plain
            }
            (State::Blob, b'"') => State::BlobQuoted,
            (State::BlobQuoted, b'\\') => State::BlobEscape,
            (State::BlobQuoted, b'"') | (State::Blob, _) => State::Blob,
            (State::BlobQuoted | State::BlobEscape, _) => State::BlobQuoted,
            (State::Plain | State::Slash | State::QuoteQuote | State::Brace, _) => {
                return self.step_plain(byte, outside);
            }
        };
        place
    }

    fn step_plain(&mut self, byte: u8, outside: bool) -> Place {
        if outside && self.state == State::Slash {
            return Place::Wrong;
        }
        self.state = match byte {
            b'/' => State::Slash,
            b'"' => State::Quoted(b'"'),
            b'\'' => State::Quote,
            b'{' => State::Brace,
            _ => State::Plain,
        };
        if outside {
            return self.step_between(byte);
        }
        match byte {
            b'{' | b'[' | b'(' => self.depth += 1,
            b'}' | b']' | b')' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Place::Last;
                }
            }
            _ => {}
        }
        Place::Inside
    }

    fn step_between(&mut self, byte: u8) -> Place {
        match byte {
            _ if Self::MARKER.get(self.marker) == Some(&byte) => {
                self.marker += 1;
                return Place::Between;
            }
            _ if !matches!(self.marker, 0 | 8) => return Place::Wrong,
            b'{' => {
                self.depth = 1;
                self.marker = 0;
                return Place::First;
            }
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | b'/' | b',' | b'[' | b']' => {
                self.marker = 0;
            }
            _ => return Place::Wrong,
        }
        Place::Between
    }
}
