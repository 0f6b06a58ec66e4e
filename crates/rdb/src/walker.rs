//! Finds where a value ends without decoding it, and without holding it.
//!
//! Each layout is a short program over the primitive encodings; the walker runs it over whatever
//! bytes there are, and goes on where it stopped when there are more. It needs the same few words
//! of memory for a value of any size.

use crate::context::Context;
use crate::cursor::{Cursor, Limits};
use crate::decode;
use crate::encoding::Layout;
use crate::error::ErrorKind;

/// One step of a layout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// A string.
    Str,
    /// A length.
    Len,
    /// As many raw bytes.
    Raw(u8),
    /// A score as text.
    Score,
    /// A count, then as many times the steps.
    Repeat(&'static [Op]),
    /// A length that must be 0 or 1; if 1, the steps.
    Maybe(&'static [Op]),
    /// A module's tokens up to its end mark.
    Tokens,
    /// The head of an array, then its slots.
    Array,
    /// A slot of an array.
    Slot,
    /// The names of a hash template.
    Names,
    /// The names of a hash template, then as many strings.
    NamesValues,
    /// The id of a hash template, then as many strings as it has names.
    TemplateValues,
    /// A command as clients send it: `*2\r\n$3\r\nGET\r\n…`.
    Command,
    /// One argument of a command.
    Argument,
}

use Op::{Len, Names, NamesValues, Raw, Repeat, Score, Slot, Str, TemplateValues, Tokens};

const ID: Op = Raw(16);
const MILLIS: Op = Raw(8);
const PENDING: &[Op] = &[ID, MILLIS, Len];
const CONSUMER: &[Op] = &[Str, MILLIS, Repeat(&[ID])];
const CONSUMER_3: &[Op] = &[Str, MILLIS, MILLIS, Repeat(&[ID])];
const IDEMPOTENCY: &[Op] = &[Str, Repeat(&[Str, Len, Len])];
const NODE: &[Op] = &[Str, Str];

macro_rules! stream {
    ($name:ident, $tail:ident, $($op:expr),*) => {
        const $tail: &[Op] = &[$($op),*];
        const $name: &[Op] = &[Repeat(NODE), $($op),*];
    };
}

stream!(
    STREAM_1,
    TAIL_1,
    Len,
    Len,
    Len,
    Repeat(&[Str, Len, Len, Repeat(PENDING), Repeat(CONSUMER)])
);
stream!(
    STREAM_2,
    TAIL_2,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Repeat(&[Str, Len, Len, Len, Repeat(PENDING), Repeat(CONSUMER)])
);
stream!(
    STREAM_3,
    TAIL_3,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Repeat(&[Str, Len, Len, Len, Repeat(PENDING), Repeat(CONSUMER_3)])
);
stream!(
    STREAM_4,
    TAIL_4,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Repeat(&[Str, Len, Len, Len, Repeat(PENDING), Repeat(CONSUMER_3)]),
    Len,
    Len,
    Repeat(IDEMPOTENCY),
    Len,
    Len
);
stream!(
    STREAM_5,
    TAIL_5,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Repeat(&[Str, Len, Len, Len, Repeat(PENDING), Repeat(CONSUMER_3), Repeat(&[ID])]),
    Len,
    Len,
    Repeat(IDEMPOTENCY),
    Len,
    Len
);

impl Layout {
    /// The steps of a whole value.
    #[inline]
    pub(crate) const fn steps(self) -> &'static [Op] {
        match self {
            Self::String
            | Self::HashZipmap
            | Self::ListZiplist
            | Self::SetIntset
            | Self::ZsetZiplist
            | Self::HashZiplist
            | Self::HashListpack
            | Self::ZsetListpack
            | Self::SetListpack
            | Self::HashListpackExPreGa
            | Self::HashTemplateListpackRef => &[Str],
            Self::List | Self::Set | Self::Quicklist => &[Repeat(&[Str])],
            Self::Zset => &[Repeat(&[Str, Score])],
            Self::Hash => &[Repeat(&[Str, Str])],
            Self::Zset2 => &[Repeat(&[Str, Raw(8)])],
            Self::Module2 => &[Len, Tokens],
            Self::Quicklist2 => &[Repeat(&[Len, Str])],
            Self::Stream1 => STREAM_1,
            Self::Stream2 => STREAM_2,
            Self::Stream3 => STREAM_3,
            Self::Stream4 => STREAM_4,
            Self::Stream5 => STREAM_5,
            Self::HashMetadataPreGa => &[Repeat(&[Len, Str, Str])],
            Self::HashMetadata => &[MILLIS, Repeat(&[Len, Str, Str])],
            Self::HashListpackEx => &[MILLIS, Str],
            Self::Array => &[Op::Array],
            Self::HashTemplateListpack => &[Names, Str],
            Self::HashTemplateArray => &[NamesValues],
            Self::HashTemplateArrayRef => &[TemplateValues],
            Self::ValkeyHash2 => &[Repeat(&[Str, Str, MILLIS])],
        }
    }

    /// The steps of one unit, where a value is a count and as many units; of the whole value
    /// where it is one unit.
    pub(crate) const fn unit(self) -> &'static [Op] {
        match self {
            Self::Array => &[Slot],
            _ if self.is_stream() => NODE,
            _ => match self.steps() {
                [.., Repeat(unit)] => unit,
                whole => whole,
            },
        }
    }

    /// The steps that follow the units of a stream.
    pub(crate) const fn tail(self) -> &'static [Op] {
        match self {
            Self::Stream1 => TAIL_1,
            Self::Stream2 => TAIL_2,
            Self::Stream3 => TAIL_3,
            Self::Stream4 => TAIL_4,
            Self::Stream5 => TAIL_5,
            _ => &[],
        }
    }

    /// Whether the value is a count and as many units.
    pub(crate) const fn repeats(self) -> bool {
        self.is_stream() || matches!(self.steps(), [.., Repeat(_)] | [Op::Array])
    }

    /// Whether a unit is made of strings as clients sent them, rather than of packed ones.
    pub(crate) const fn is_plain(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::List
                | Self::Set
                | Self::Zset
                | Self::Zset2
                | Self::Hash
                | Self::HashMetadataPreGa
                | Self::HashMetadata
                | Self::ValkeyHash2
                | Self::Array
        )
    }

    /// Whether the names of a hash's fields are told apart from their values.
    pub(crate) const fn is_template(self) -> bool {
        matches!(
            self,
            Self::HashTemplateListpack
                | Self::HashTemplateListpackRef
                | Self::HashTemplateArray
                | Self::HashTemplateArrayRef
        )
    }

    pub(crate) const fn is_stream(self) -> bool {
        matches!(
            self,
            Self::Stream1 | Self::Stream2 | Self::Stream3 | Self::Stream4 | Self::Stream5
        )
    }
}

/// How deep steps nest at most: a stream's groups' consumers' ids.
const DEPTH: usize = 5;

/// The run of one program.
#[derive(Debug, Clone)]
pub(crate) struct Walker {
    stack: [Run; DEPTH],
    depth: usize,
    /// Bytes to pass over before the next step.
    skip: u64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    steps: &'static [Op],
    next: usize,
    /// How many times more, this one included.
    left: u64,
}

/// How far a walk came: it is over or needs more bytes; and how many it passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    Done(usize),
    More(usize),
}

impl Walker {
    #[inline]
    pub(crate) const fn new(steps: &'static [Op]) -> Self {
        const NONE: Run = Run { steps: &[], next: 0, left: 0 };
        let mut stack = [NONE; DEPTH];
        stack[0] = Run { steps, next: 0, left: 1 };
        Self { stack, depth: 1, skip: 0 }
    }

    /// Walks on. `data` begins where the last walk came to.
    ///
    /// # Errors
    ///
    /// Where the end of the value cannot be found any more.
    pub(crate) fn walk(&mut self, data: &[u8], context: &Context) -> Result<Walk, ErrorKind> {
        let mut at = 0;
        loop {
            if self.skip > 0 {
                let there = (data.len() - at) as u64;
                if self.skip > there {
                    self.skip -= there;
                    return Ok(Walk::More(data.len()));
                }
                at += self.skip as usize;
                self.skip = 0;
            }
            let Some(run) = self.depth.checked_sub(1).and_then(|top| self.stack.get_mut(top))
            else {
                return Ok(Walk::Done(at));
            };
            let Some(&op) = run.steps.get(run.next) else {
                run.left -= 1;
                run.next = 0;
                if run.left == 0 {
                    self.depth -= 1;
                }
                continue;
            };
            let mut cursor = Cursor::new(data.get(at..).unwrap_or_default(), Limits::DEFAULT);
            match token(op, &mut cursor, context) {
                Ok(Token { skip, again, then }) => {
                    at += cursor.at();
                    self.skip = skip;
                    run.next += usize::from(!again);
                    if let Some((steps, left)) = then
                        && left > 0
                    {
                        let next = Run { steps, next: 0, left };
                        *self.stack.get_mut(self.depth).ok_or(ErrorKind::TooDeep)? = next;
                        self.depth += 1;
                    }
                }
                Err(ErrorKind::Truncated) => return Ok(Walk::More(at)),
                Err(kind) => return Err(kind),
            }
        }
    }
}

/// How long the steps are if they are simple and all there, as they mostly are: found without a
/// walker. `None` says nothing.
#[inline]
pub(crate) fn quick(steps: &[Op], data: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(data, Limits::DEFAULT);
    for step in steps {
        let skip = match step {
            Str => cursor.shape().ok()?.follows(),
            Len => cursor.len().map(|_| 0).ok()?,
            Raw(len) => u64::from(*len),
            Score => match cursor.u8().ok()? {
                253.. => 0,
                len => u64::from(len),
            },
            _ => return None,
        };
        cursor.take(skip).ok()?;
    }
    Some(cursor.at())
}

/// What of `data` may be looked at if nothing may be longer than `limit`: one byte more than that,
/// and whether it is there. A walk that is not over then can be given up, and what a walk finds
/// before does not depend on how much more there is.
#[inline]
pub(crate) fn within(data: &[u8], limit: u64) -> (&[u8], bool) {
    let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    data.get(..most).map_or((data, false), |cut| (cut, true))
}

/// What follows the head of a step: bytes to skip, the same step again, or other steps so many
/// times.
#[derive(Default)]
struct Token {
    skip: u64,
    again: bool,
    then: Option<(&'static [Op], u64)>,
}

impl Token {
    fn skip(skip: u64) -> Self {
        Self { skip, ..Self::default() }
    }

    fn then(steps: &'static [Op], times: u64) -> Self {
        Self { then: Some((steps, times)), ..Self::default() }
    }
}

#[inline]
fn token(op: Op, cursor: &mut Cursor<'_>, context: &Context) -> Result<Token, ErrorKind> {
    Ok(match op {
        Str => Token::skip(cursor.shape()?.follows()),
        Len => cursor.len().map(|_| Token::default())?,
        Raw(len) => Token::skip(u64::from(len)),
        Score => match cursor.u8()? {
            253.. => Token::default(),
            len => Token::skip(u64::from(len)),
        },
        Repeat(steps) => Token::then(steps, cursor.len()?),
        Op::Maybe(steps) => match cursor.len()? {
            times @ 0..=1 => Token::then(steps, times),
            _ => return Err(ErrorKind::Corrupt("flag")),
        },
        Tokens => {
            let skip = match cursor.len()? {
                0 => return Ok(Token::default()),
                1 | 2 => cursor.len().map(|_| 0)?,
                3 => 4,
                4 => 8,
                5 => cursor.shape()?.follows(),
                _ => return Err(ErrorKind::Corrupt("module opcode")),
            };
            Token { skip, again: true, then: None }
        }
        Op::Array => Token::then(&[Slot], decode::array_head(cursor)?.0),
        Slot => {
            cursor.len()?;
            match cursor.len()? {
                0 | 3 => Token::then(&[Str], 1),
                1 | 2 => Token::skip(8),
                _ => return Err(ErrorKind::Corrupt("array slot tag")),
            }
        }
        Names => match cursor.len()? {
            0 => Token::then(&[Str], 1),
            1 => Token::then(&[Str], cursor.len()?),
            _ => return Err(ErrorKind::Corrupt("form of a hash template")),
        },
        // As many values as names: the count tells, or else the names have to be counted.
        NamesValues if cursor.clone().len()? == 1 => {
            cursor.len()?;
            Token::then(&[Str], cursor.len()?.saturating_mul(2))
        }
        NamesValues => Token::then(&[Str], decode::names(cursor)?.len() as u64),
        TemplateValues => {
            let id = cursor.len()?;
            let names = context.template(id).ok_or(ErrorKind::UnknownTemplate(id))?;
            Token::then(&[Str], names.len() as u64)
        }
        Op::Command => Token::then(&[Op::Argument], command_number(cursor, b'*')?),
        Op::Argument => Token::skip(command_number(cursor, b'$')?.saturating_add(2)),
    })
}

/// A line of a command: a mark, a number, a line end.
pub(crate) fn command_number(cursor: &mut Cursor<'_>, mark: u8) -> Result<u64, ErrorKind> {
    const BAD: ErrorKind = ErrorKind::Corrupt("command");
    if cursor.u8()? != mark {
        return Err(BAD);
    }
    let mut number = 0_u64;
    let mut digits = 0;
    loop {
        match cursor.u8()? {
            digit @ b'0'..=b'9' if digits < 18 => {
                number = number * 10 + u64::from(digit - b'0');
                digits += 1;
            }
            b'\r' if digits > 0 => break,
            _ => return Err(BAD),
        }
    }
    if cursor.u8()? == b'\n' { Ok(number) } else { Err(BAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(steps: &'static [Op], bytes: &[u8]) -> Result<usize, ErrorKind> {
        let context = Context::redis(15);
        let whole = Walker::new(steps).walk(bytes, &context)?;
        if let Some(len) = quick(steps, bytes) {
            assert_eq!(whole, Walk::Done(len));
        }
        // In single bytes it comes to the same end.
        let (mut walker, mut at) = (Walker::new(steps), 0);
        for end in 0..=bytes.len() {
            match walker.walk(&bytes[at..end], &context)? {
                Walk::Done(passed) => {
                    assert_eq!(whole, Walk::Done(at + passed));
                    return Ok(at + passed);
                }
                Walk::More(passed) => at += passed,
            }
        }
        assert!(matches!(whole, Walk::More(_)));
        Err(ErrorKind::Truncated)
    }

    #[test]
    fn ends_are_found() {
        assert_eq!(walk(Layout::Hash.steps(), b"\x02\x01a\x01b\xc0\x05\x00rest"), Ok(8));
        assert_eq!(walk(Layout::List.steps(), b"\x00rest"), Ok(1));
        assert_eq!(walk(Layout::Zset.steps(), b"\x02\x01a\xfe\x01b\x0212rest"), Ok(9));
        assert_eq!(
            walk(Layout::Module2.steps(), b"\x00\x02\x07\x05\x01x\x04abcdefgh\x00r"),
            Ok(16)
        );
        assert_eq!(walk(&[Op::Command], b"*2\r\n$1\r\na\r\n$0\r\n\r\nrest"), Ok(17));
        assert_eq!(walk(Layout::Hash.steps(), b"\x02\x01a\x01b"), Err(ErrorKind::Truncated));
        assert!(walk(Layout::List.steps(), b"\xff").is_err());
    }

    #[test]
    fn a_unit_is_what_repeats() {
        assert_eq!(Layout::Hash.unit().len(), 2);
        assert_eq!(Layout::Stream1.unit().len(), 2);
        assert_eq!(Layout::Stream5.unit().len(), 2);
        assert_eq!(Layout::HashListpackEx.unit().len(), 2);
        assert_eq!(Layout::HashMetadata.unit().len(), 3);
        assert_eq!(Layout::Array.unit().len(), 1);
    }
}
