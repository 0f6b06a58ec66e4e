//! The parser: bytes in, events out, nothing else.
//!
//! It holds what was fed and not yet read. A record is read in three steps: its prefixes (expiry,
//! usage, metadata), its head (type and key), its value. How the value is read depends on the
//! level: held whole and told raw or decoded; told by elements; or passed over.

use crate::blob::Blob;
use crate::context::Context;
use crate::crc64::Crc64;
use crate::cursor::{Cursor, Limits};
use crate::decode;
use crate::elements::{Elements, Poll as ElementPoll};
use crate::encoding::{Encoding, Family};
use crate::error::{Error, ErrorKind};
use crate::event::{Checksum, Event, Step, Trailing, Warning};
use crate::frame::{Frame, Head};
use crate::module::{Module, ModuleId};
use crate::options::{Level, Options};
use crate::record::{Db, Record, UnixMillis, Usage};
use crate::resume::{ResumePoint, Stats};
use crate::sniff;
use crate::walker::{Op, Walk, Walker, command_number, quick, within};

/// A push parser for RDB files: feed it any number of bytes, step it until it needs more.
///
/// The events do not depend on how the input is cut into pieces. After an error that is
/// [`skippable`](Error::skippable) the next step goes on with the next record (and the record at
/// fault gets no [`Event::KeyEnd`]); after any other error each step returns that error again.
///
/// ```
/// use keystar_rdb::{Event, Options, Parser, Step};
///
/// let dump = b"REDIS0003\xfe\x00\x00\x03key\x05value\xff";
/// let mut parser = Parser::new(Options::default());
/// let mut records = 0;
/// for piece in dump.chunks(7) {
///     parser.feed(piece);
///     loop {
///         match parser.step()? {
///             Step::Event(Event::Record(record)) => {
///                 assert_eq!(record.key, "key");
///                 records += 1;
///             }
///             Step::Event(_) => {}
///             Step::NeedInput | Step::End => break,
///         }
///     }
/// }
/// parser.finish();
/// assert_eq!(parser.step()?, Step::End);
/// assert_eq!(records, 1);
/// # Ok::<(), keystar_rdb::Error>(())
/// ```
#[derive(Debug)]
pub struct Parser {
    options: Options,
    limits: Limits,
    /// What was fed and may still be needed.
    buffer: Vec<u8>,
    /// What is read next: an index into `buffer`. While a value is gathered to be told whole,
    /// this stays at the type byte of its record.
    at: usize,
    /// Where in the input `buffer` begins.
    base: u64,
    /// The checksum of all bytes before `summed`, an index into `buffer`. It is brought up to date
    /// in large pieces, before bytes are let go.
    crc: Crc64,
    summed: usize,
    finished: bool,
    state: State,
    ready: Ready,
    context: Context,
    db: Db,
    prefix: Prefix,
    record: Parts,
    /// The key of the record at hand, if it does not stay in `buffer`.
    key: Vec<u8>,
    stats: Stats,
}

#[derive(Debug)]
enum State {
    Magic,
    /// The header was told; whether its version is known is to be told.
    Version,
    /// Between two records, or between the prefixes of one.
    Record,
    /// Finding the end of an opcode's data, which begins at `at`.
    Opcode {
        byte: u8,
        walker: Walker,
        walked: usize,
    },
    /// Finding the end of a value that is to be held whole. `start` is relative to `at`.
    Whole {
        start: usize,
        walker: Walker,
        walked: usize,
    },
    /// Passing over a value that begins at `from`.
    Skip {
        walker: Walker,
        from: u64,
        told: bool,
    },
    /// Telling a value by elements.
    Elements {
        elements: Box<Elements>,
        from: u64,
        announced: bool,
    },
    Checksum,
    /// The checksum was found wrong, and that was told.
    Ignored,
    /// After the end mark.
    Trailing {
        bytes: u64,
        first: Vec<u8>,
    },
    Over,
    Failed(Error),
}

/// What stands before a key and belongs to it.
#[derive(Debug, Default)]
struct Prefix {
    /// Where the first prefix is, if there is one.
    offset: Option<u64>,
    expires_at: Option<UnixMillis>,
    usage: Usage,
    meta: Option<Vec<u8>>,
}

/// What is known of the record at hand, but its key.
#[derive(Debug)]
struct Parts {
    encoding: Encoding,
    module: Option<ModuleId>,
    offset: u64,
    prefix: Prefix,
    key: Place,
}

impl Parts {
    /// The head of the record whose type byte is at `at` in the buffer.
    #[inline]
    fn head<'a>(&'a self, buffer: &'a [u8], at: usize, key: &'a [u8], db: Db) -> Head<'a> {
        let key = match self.key {
            Place::Buffer { start, end } => buffer.get(at + start..at + end).unwrap_or_default(),
            Place::Own => key,
        };
        Head {
            db,
            key: Blob::from(key),
            encoding: self.encoding,
            module: self.module,
            expires_at: self.prefix.expires_at,
            usage: self.prefix.usage,
            offset: self.offset,
            meta: self.prefix.meta.as_deref().map(Blob::from),
        }
    }
}

/// Where the key of the record at hand is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the buffer, relative to the type byte.
    Buffer { start: usize, end: usize },
    /// In [`Parser::key`].
    Own,
}

/// What [`Parser::event`] is to tell. Indexes are into the buffer.
#[derive(Debug, Clone, Copy)]
enum Ready {
    Nothing,
    Start,
    Warning(Warning),
    Opcode { byte: u8, start: usize, end: usize },
    Frame { at: usize, start: usize, end: usize },
    Record { at: usize, start: usize, end: usize },
    Key { at: usize },
    Filtered { at: usize },
    Empty { at: usize },
    Element,
    KeyEnd { elements: u64, bytes: u64 },
    End(Checksum),
    Trailing { bytes: u64, looks_like: Trailing },
}

/// What [`Parser::poll`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poll {
    NeedInput,
    Event,
    End,
}

mod opcode {
    pub(super) const HASH_TEMPLATE_OR_UPDATE: u8 = 242;
    pub(super) const KEY_META_OR_SLOT_IMPORT: u8 = 243;
    pub(super) const SLOT_INFO: u8 = 244;
    pub(super) const FUNCTION_2: u8 = 245;
    pub(super) const FUNCTION_PRE_GA: u8 = 246;
    pub(super) const MODULE_AUX: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQ: u8 = 249;
    pub(super) const AUX: u8 = 250;
    pub(super) const RESIZE_DB: u8 = 251;
    pub(super) const EXPIRE_MS: u8 = 252;
    pub(super) const EXPIRE: u8 = 253;
    pub(super) const SELECT_DB: u8 = 254;
    pub(super) const EOF: u8 = 255;
    /// Redis Enterprise, each with one length that says nothing to us.
    pub(super) const ENTERPRISE_RAM_LRU: u8 = 107;
    pub(super) const ENTERPRISE_SLOT: u8 = 121;
}

/// What follows an opcode; `None` if it is not an opcode that can be walked over.
fn steps(family: Family, byte: u8) -> Option<&'static [Op]> {
    use Op::{Command, Len, Maybe, Raw, Repeat, Str, Tokens};
    Some(match (byte, family) {
        (opcode::AUX, _) => &[Str, Str],
        (opcode::SELECT_DB, _) => &[Len],
        (opcode::RESIZE_DB, _) => &[Len, Len],
        (opcode::FUNCTION_2, _) => &[Str],
        (opcode::FUNCTION_PRE_GA, _) => &[Str, Str, Maybe(&[Str]), Str],
        (opcode::MODULE_AUX, _) => &[Len, Len, Len, Tokens],
        (opcode::SLOT_INFO, _) => &[Len, Len, Len],
        (opcode::ENTERPRISE_RAM_LRU | opcode::ENTERPRISE_SLOT, _) => &[Len],
        (opcode::KEY_META_OR_SLOT_IMPORT, Family::Redis) => &[Repeat(&[Raw(4), Tokens])],
        (opcode::KEY_META_OR_SLOT_IMPORT, Family::Valkey) => &[Str, Repeat(&[Len, Len])],
        (opcode::HASH_TEMPLATE_OR_UPDATE, Family::Redis) => &[Len, Repeat(&[Str])],
        (opcode::HASH_TEMPLATE_OR_UPDATE, Family::Valkey) => &[Command],
        _ => return None,
    })
}

/// How long `REDIS0011` and `VALKEY080` are.
const MAGIC: usize = 9;

impl Parser {
    /// A parser that stands before the first byte of a file.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let limits = Limits {
            string: options.max_string_bytes,
            packed: options.max_packed_bytes,
            strict: false,
        };
        Self {
            options,
            limits,
            buffer: Vec::new(),
            at: 0,
            base: 0,
            crc: Crc64::new(),
            summed: 0,
            finished: false,
            state: State::Magic,
            ready: Ready::Nothing,
            context: Context::redis(0),
            db: Db(0),
            prefix: Prefix::default(),
            record: Parts {
                encoding: Encoding::STRING,
                module: None,
                offset: 0,
                prefix: Prefix::default(),
                key: Place::Own,
            },
            key: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// A parser that goes on where [`Parser::resume_point`] was taken. Feed it the input from
    /// [`ResumePoint::offset`] on. It tells the same events as the first one would have, and
    /// verifies the checksum of the whole file.
    #[must_use]
    pub fn resume(options: Options, point: ResumePoint) -> Self {
        Self {
            base: point.offset,
            crc: Crc64::from_state(point.crc),
            state: State::Record,
            context: point.context,
            db: point.db,
            stats: point.stats,
            ..Self::new(options)
        }
    }

    /// Hands over the next bytes of the input. They are copied; see
    /// [`feed_from`](Self::feed_from) for a way without.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.let_go(chunk.len());
        self.buffer.extend_from_slice(chunk);
    }

    /// Lets `read` put the next bytes of the input where the parser wants them: `most` bytes of
    /// room, of which it fills the first ones and says how many. What it returns is handed on.
    ///
    /// # Errors
    ///
    /// Those of `read`; nothing was fed then.
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// let mut dump = &b"REDIS0003\xff"[..];
    /// let mut parser = keystar_rdb::Parser::new(keystar_rdb::Options::default());
    /// while parser.feed_from(4, |room| dump.read(room))? > 0 {}
    /// assert_eq!(parser.buffered(), 10);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn feed_from<E>(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.let_go(most);
        let before = self.buffer.len();
        self.buffer.resize(before + most, 0);
        let read = read(self.buffer.get_mut(before..).unwrap_or_default());
        let count = read.as_ref().map_or(0, |count| most.min(*count));
        self.buffer.truncate(before + count);
        read
    }

    /// What was read is let go before more comes, unless that would move more than it frees.
    fn let_go(&mut self, coming: usize) {
        if self.at < self.buffer.len() - self.at {
            return;
        }
        self.sum();
        self.base += self.at as u64;
        self.buffer.drain(..self.at);
        (self.at, self.summed) = (0, 0);
        // What one big element needed is given back.
        const KEPT: usize = 8 << 20;
        if self.buffer.capacity() > KEPT && self.buffer.len() + coming < KEPT / 2 {
            self.buffer.shrink_to(KEPT / 2);
        }
    }

    /// Says that no more bytes will come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Reads on until there is something to tell.
    ///
    /// # Errors
    ///
    /// What is wrong with the input; see [`Error::skippable`] for whether to step again.
    #[inline]
    pub fn step(&mut self) -> Result<Step<'_>, Error> {
        match self.poll()? {
            Poll::NeedInput => Ok(Step::NeedInput),
            Poll::End => Ok(Step::End),
            Poll::Event => self.event().map(Step::Event),
        }
    }

    /// How much of the input was read: what was told last ends here.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// How many bytes were fed and not yet read.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// All that is needed to go on from here, if this is between two records: after a frame, a
    /// record, a key's end, or anything that is told besides keys.
    #[must_use]
    pub fn resume_point(&self) -> Option<ResumePoint> {
        if !matches!(self.state, State::Record) || self.prefix.offset.is_some() {
            return None;
        }
        let mut crc = self.crc;
        crc.update(self.buffer.get(self.summed..self.at).unwrap_or_default());
        Some(ResumePoint {
            offset: self.offset(),
            db: self.db,
            crc: crc.get(),
            context: self.context.clone(),
            stats: self.stats,
        })
    }

    /// What the frames that were told so far need to be decoded. Cheap to clone.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Reads on until there is something to tell, without telling it yet.
    pub(crate) fn poll(&mut self) -> Result<Poll, Error> {
        let result = self.advance();
        if let Err(error) = &result {
            if error.skippable() {
                self.stats.skipped += 1;
            } else {
                self.state = State::Failed(error.clone());
            }
        }
        result
    }

    fn advance(&mut self) -> Result<Poll, Error> {
        self.ready = Ready::Nothing;
        loop {
            let poll = match &self.state {
                State::Record => self.between()?,
                State::Whole { .. } => self.whole()?,
                State::Elements { .. } => self.elements()?,
                State::Skip { .. } => self.skip()?,
                State::Opcode { .. } => self.opcode()?,
                State::Magic => self.magic()?,
                State::Version => self.version(),
                State::Checksum => self.checksum()?,
                State::Ignored => Some(self.end(Checksum::Ignored)),
                State::Trailing { .. } => Some(self.trailing()),
                State::Over => Some(Poll::End),
                State::Failed(error) => return Err(error.clone()),
            };
            if let Some(poll) = poll {
                return Ok(poll);
            }
        }
    }

    /// What [`Parser::poll`] found. Frames come by the million, and an event is large: inlined, it
    /// is made where it is used instead of being moved there.
    #[inline]
    pub(crate) fn event(&mut self) -> Result<Event<'_>, Error> {
        let Ready::Frame { at, start, end } = self.ready else { return self.other_event() };
        Ok(Event::Frame(Frame {
            head: self.record.head(&self.buffer, at, &self.key, self.db),
            payload: self.buffer.get(start..end).unwrap_or_default(),
            payload_offset: self.base + start as u64,
        }))
    }

    fn other_event(&mut self) -> Result<Event<'_>, Error> {
        let Self { buffer, record, key, db, limits, context, state, base, stats, .. } = self;
        let slice = |start: usize, end: usize| buffer.get(start..end).unwrap_or_default();
        let head = |at: usize| record.head(buffer, at, key, *db);
        Ok(match self.ready {
            Ready::Nothing | Ready::Frame { .. } => return Err(Error::new(NOT_READY, *base)),
            Ready::Start => Event::Start { family: context.family(), version: context.version() },
            Ready::Warning(warning) => Event::Warning(warning),
            Ready::Opcode { byte, start, end } => {
                let mut cursor = Cursor::new(slice(start, end), *limits);
                let event = opcode_event(context.family(), byte, &mut cursor, *db);
                return event.map_err(|kind| {
                    stats.skipped += 1;
                    Error::new(kind, *base + start as u64).skippable_if(true)
                });
            }
            Ready::Record { at, start, end } => {
                let head = head(at);
                let mut cursor = Cursor::new(slice(start, end), *limits);
                match decode::value(record.encoding.layout, &mut cursor, context) {
                    Ok(value) => Event::Record(Record {
                        db: head.db,
                        key: head.key,
                        value,
                        expires_at: head.expires_at,
                        usage: head.usage,
                    }),
                    Err(kind) => {
                        stats.skipped += 1;
                        let error = Error::new(whole(kind), *base + start as u64);
                        return Err(error.in_record(head.db, &head.key).skippable_if(true));
                    }
                }
            }
            Ready::Key { at } => Event::Key(head(at)),
            Ready::Filtered { at } => Event::Filtered(head(at)),
            Ready::Empty { at } => Event::Empty(head(at)),
            Ready::Element => {
                let State::Elements { elements, from, .. } = state else {
                    return Err(Error::new(NOT_READY, *base));
                };
                let offset = *from;
                match elements.element(buffer.get(self.at..).unwrap_or_default()) {
                    Ok(element) => Event::Element(element),
                    Err(kind) => {
                        stats.skipped += 1;
                        let error = Error::new(whole(kind), offset);
                        return Err(error.in_record(*db, key).skippable_if(true));
                    }
                }
            }
            Ready::KeyEnd { elements, bytes } => Event::KeyEnd { elements, bytes },
            Ready::End(checksum) => Event::End { checksum },
            Ready::Trailing { bytes, looks_like } => Event::Trailing { bytes, looks_like },
        })
    }

    fn tell(&mut self, ready: Ready) -> Option<Poll> {
        self.ready = ready;
        Some(Poll::Event)
    }

    /// There is not enough input to go on.
    fn need(&self, in_record: bool) -> Result<Option<Poll>, Error> {
        if !self.finished {
            return Ok(Some(Poll::NeedInput));
        }
        let error = Error::new(ErrorKind::Truncated, self.base + self.buffer.len() as u64);
        Err(if in_record { self.named(error) } else { error })
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.offset())
    }

    /// The error with the key of the record at hand.
    fn named(&self, error: Error) -> Error {
        match self.record.key {
            Place::Own => error.in_record(self.db, &self.key),
            Place::Buffer { start, end } => {
                let key = self.buffer.get(self.at + start..self.at + end);
                error.in_record(self.db, key.unwrap_or_default())
            }
        }
    }

    fn magic(&mut self) -> Result<Option<Poll>, Error> {
        let there = self.buffer.get(self.at..).unwrap_or_default();
        let start = there.get(..MAGIC).unwrap_or(there);
        let digits = |family: &[u8]| {
            let (name, digits) = start.split_at(family.len().min(start.len()));
            (family.starts_with(name) && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
        };
        let (family, digits) = match (digits(b"REDIS"), digits(b"VALKEY")) {
            (Some(digits), _) => (Family::Redis, digits),
            (_, Some(digits)) => (Family::Valkey, digits),
            _ => return self.not_rdb(),
        };
        if start.len() < MAGIC {
            return if self.finished { self.not_rdb() } else { Ok(Some(Poll::NeedInput)) };
        }
        let version = digits.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
        if version == 0 {
            return self.not_rdb();
        }
        self.context = Context::new(family, version);
        self.at += MAGIC;
        self.state = State::Version;
        Ok(self.tell(Ready::Start))
    }

    fn not_rdb(&self) -> Result<Option<Poll>, Error> {
        let there = self.buffer.get(self.at..).unwrap_or_default();
        if there.len() < sniff::ENOUGH && !self.finished {
            return Ok(Some(Poll::NeedInput));
        }
        let looks_like = sniff::looks_like(there.get(..sniff::ENOUGH).unwrap_or(there));
        Err(self.error(ErrorKind::NotRdb { looks_like }))
    }

    fn version(&mut self) -> Option<Poll> {
        self.state = State::Record;
        let (family, version) = (self.context.family(), self.context.version());
        if version <= family.tested_version() {
            return None;
        }
        self.stats.warnings += 1;
        self.tell(Ready::Warning(Warning::UntestedVersion { family, version }))
    }

    /// Reads the prefixes and the head of a record, or begins an opcode.
    fn between(&mut self) -> Result<Option<Poll>, Error> {
        let there = self.buffer.get(self.at..).unwrap_or_default();
        let mut cursor = Cursor::new(there, self.limits);
        let Ok(byte) = cursor.u8() else { return self.need(false) };
        let prefix = match byte {
            opcode::EXPIRE_MS => cursor.i64().map(|at| {
                self.prefix.expires_at = Some(UnixMillis(at));
            }),
            opcode::EXPIRE => cursor.array().map(|seconds| {
                let seconds = i64::from(i32::from_le_bytes(seconds));
                self.prefix.expires_at = Some(UnixMillis::from_seconds(seconds));
            }),
            opcode::IDLE => cursor.len().map(|idle| self.prefix.usage = Usage::Idle(idle)),
            opcode::FREQ => cursor.u8().map(|count| self.prefix.usage = Usage::Frequency(count)),
            opcode::EOF => {
                self.at += 1;
                self.state = State::Checksum;
                return Ok(None);
            }
            byte => match steps(self.context.family(), byte) {
                None => return self.head(byte),
                Some(steps) => {
                    let walker = Walker::new(steps);
                    self.state = State::Opcode { byte, walker, walked: 1 };
                    return Ok(None);
                }
            },
        };
        match prefix {
            Ok(()) => {
                let read = cursor.at();
                self.prefix.offset.get_or_insert(self.base + self.at as u64);
                self.at += read;
                Ok(None)
            }
            Err(ErrorKind::Truncated) => self.need(false),
            Err(kind) => Err(self.error(kind)),
        }
    }

    fn opcode(&mut self) -> Result<Option<Poll>, Error> {
        let State::Opcode { byte, walker, walked } = &mut self.state else { return Ok(None) };
        let byte = *byte;
        let limit = self.limits.packed;
        let (there, full) = within(self.buffer.get(self.at..).unwrap_or_default(), limit);
        let walk = walker.walk(there.get(*walked..).unwrap_or_default(), &self.context);
        let (done, len) = match walk {
            Ok(Walk::Done(passed)) => (true, *walked + passed),
            Ok(Walk::More(passed)) => (false, *walked + passed),
            Err(kind) => return Err(self.error(kind)),
        };
        *walked = len;
        if len as u64 > limit || (full && !done) {
            return Err(self.error(ErrorKind::TooLarge { what: "data of an opcode", limit }));
        }
        if !done {
            return self.need(false);
        }
        let (start, end) = (self.at, self.at + len);
        let family = self.context.family();
        let mut cursor =
            Cursor::new(self.buffer.get(start + 1..end).unwrap_or_default(), self.limits);
        match (byte, family) {
            (opcode::ENTERPRISE_RAM_LRU | opcode::ENTERPRISE_SLOT, _) => {
                self.prefix.offset.get_or_insert(self.base + start as u64);
            }
            (opcode::KEY_META_OR_SLOT_IMPORT, Family::Redis) => {
                self.prefix.offset.get_or_insert(self.base + start as u64);
                let meta = cursor.take(cursor.left() as u64).unwrap_or_default();
                self.prefix.meta = Some(meta.to_vec());
            }
            (opcode::HASH_TEMPLATE_OR_UPDATE, Family::Redis) => {
                match template(&mut cursor) {
                    Ok((id, names)) => self.context.define(id, names),
                    Err(kind) => return Err(self.error(kind)),
                }
                self.at = end;
                self.state = State::Record;
                return Ok(self.tell(Ready::Opcode { byte, start, end }));
            }
            (opcode::SELECT_DB, _) => match cursor.len().map(u32::try_from) {
                Ok(Ok(db)) => {
                    self.db = Db(db);
                    self.at = end;
                    self.state = State::Record;
                    return Ok(self.tell(Ready::Opcode { byte, start, end }));
                }
                _ => return Err(self.error(ErrorKind::Corrupt("database number"))),
            },
            (opcode::FUNCTION_PRE_GA, _) if !self.stats.pre_release_function => {
                self.stats.pre_release_function = true;
                self.stats.warnings += 1;
                // The next poll finds the same place, with nothing left to walk.
                self.state = State::Opcode { byte, walker: Walker::new(&[]), walked: len };
                return Ok(self.tell(Ready::Warning(Warning::PreReleaseFunction)));
            }
            (opcode::RESIZE_DB, _) => {
                if let (Ok(keys), Ok(expires)) = (cursor.len(), cursor.len()) {
                    self.stats.expected_keys = self.stats.expected_keys.saturating_add(keys);
                    let total = self.stats.expected_expires.saturating_add(expires);
                    self.stats.expected_expires = total;
                }
                self.at = end;
                self.state = State::Record;
                return Ok(self.tell(Ready::Opcode { byte, start, end }));
            }
            _ => {
                self.at = end;
                self.state = State::Record;
                return Ok(self.tell(Ready::Opcode { byte, start, end }));
            }
        }
        self.at = end;
        self.state = State::Record;
        Ok(None)
    }

    /// Reads the type and the key of a record, and decides how its value is read.
    fn head(&mut self, byte: u8) -> Result<Option<Poll>, Error> {
        let there = self.buffer.get(self.at..).unwrap_or_default();
        let mut cursor = Cursor::new(there.get(1..).unwrap_or_default(), self.limits);
        let encoding = match Encoding::new(self.context.family(), byte) {
            Ok(encoding) => encoding,
            Err(ErrorKind::UnknownType(100..)) => {
                return Err(self.error(ErrorKind::UnknownOpcode(byte)));
            }
            // An object type that came later: its key stands where keys stand.
            Err(kind) => {
                return match cursor.str() {
                    Ok(key) => Err(self.error(kind).in_record(self.db, &key)),
                    Err(ErrorKind::Truncated) if !self.finished => Ok(Some(Poll::NeedInput)),
                    Err(_) => Err(self.error(kind)),
                };
            }
        };
        let key = match cursor.str() {
            Ok(key) => key,
            Err(ErrorKind::Truncated) => return self.need(false),
            Err(kind) => return Err(self.error(kind)),
        };
        let start = 1 + cursor.at();
        let place = match key.borrowed() {
            Some(key) => Place::Buffer { start: start - key.len(), end: start },
            None => {
                self.key.clear();
                self.key.extend_from_slice(&key);
                Place::Own
            }
        };
        let module = if encoding.kind() == crate::Kind::Module {
            match cursor.len() {
                Ok(id) => Some(ModuleId(id)),
                Err(ErrorKind::Truncated) => return self.need(false),
                Err(kind) => return Err(self.error(kind)),
            }
        } else {
            None
        };
        let offset = self.prefix.offset.unwrap_or(self.base + self.at as u64);
        // Most records have no prefix, nor had the one before: then there is nothing to move.
        if self.prefix.offset.is_some() || self.record.prefix.offset.is_some() {
            self.record.prefix = std::mem::take(&mut self.prefix);
        }
        self.record.encoding = encoding;
        self.record.module = module;
        self.record.offset = offset;
        self.record.key = place;
        self.choose(start)
    }

    /// How the value is read that begins at `start`, relative to the type byte.
    fn choose(&mut self, start: usize) -> Result<Option<Poll>, Error> {
        let steps = self.record.encoding.layout.steps();
        let at = self.at;
        let filter = &self.options.filter;
        if !filter.is_open()
            && !filter.allows(&self.record.head(&self.buffer, at, &self.key, self.db))
        {
            self.at += start;
            let walker = Walker::new(steps);
            self.state = State::Skip { walker, from: self.offset(), told: false };
            self.stats.filtered += 1;
            return Ok(self.tell(Ready::Filtered { at }));
        }
        match self.options.level {
            Level::Elements => {
                self.tell_elements(start);
                Ok(None)
            }
            Level::Skip => {
                self.at += start;
                let walker = Walker::new(steps);
                self.state = State::Skip { walker, from: self.offset(), told: true };
                self.count();
                Ok(self.tell(Ready::Key { at }))
            }
            Level::Frames { .. } | Level::Records => {
                let there = self.buffer.get(at + start..).unwrap_or_default();
                match quick(steps, there) {
                    Some(len) if len as u64 <= self.max_whole() => Ok(self.gathered(start, len)),
                    _ => {
                        let walker = Walker::new(steps);
                        self.state = State::Whole { start, walker, walked: 0 };
                        Ok(None)
                    }
                }
            }
        }
    }

    /// Turns to telling the value by elements, from its first byte.
    fn tell_elements(&mut self, start: usize) {
        self.own_key();
        self.at += start;
        let chunk = self.options.chunk_bytes.max(1);
        let elements = Elements::new(self.record.encoding.layout, self.limits, chunk);
        let elements = Box::new(elements);
        self.state = State::Elements { elements, from: self.offset(), announced: false };
    }

    /// Keeps the key apart from the buffer, whose bytes are about to be let go.
    fn own_key(&mut self) {
        if let Place::Buffer { start, end } = self.record.key {
            self.key.clear();
            let key = self.buffer.get(self.at + start..self.at + end).unwrap_or_default();
            self.key.extend_from_slice(key);
            self.record.key = Place::Own;
        }
    }

    fn count(&mut self) {
        self.stats.records += 1;
        self.stats.expiring += u64::from(self.record.prefix.expires_at.is_some());
    }

    /// The longest value that is held whole.
    const fn max_whole(&self) -> u64 {
        match self.options.level {
            Level::Frames { max_bytes } => max_bytes as u64,
            _ => self.options.max_record_bytes,
        }
    }

    fn whole(&mut self) -> Result<Option<Poll>, Error> {
        let limit = self.max_whole();
        let State::Whole { start, walker, walked } = &mut self.state else { return Ok(None) };
        let start = *start;
        let there = self.buffer.get(self.at + start..).unwrap_or_default();
        let (there, full) = within(there, limit);
        let offset = self.base + (self.at + start) as u64;
        let rest = there.get(*walked..).unwrap_or_default();
        let (done, len) = match walker.walk(rest, &self.context) {
            Ok(Walk::Done(passed)) => (true, *walked + passed),
            Ok(Walk::More(passed)) => (false, *walked + passed),
            Err(kind) => return Err(self.named(Error::new(kind, offset))),
        };
        *walked = len;
        let too_long = len as u64 > limit || (full && !done);
        match self.options.level {
            Level::Frames { .. } if too_long => {
                self.tell_elements(start);
                return Ok(None);
            }
            _ if too_long => {
                let kind = ErrorKind::TooLarge { what: "record", limit };
                let walker = walker.clone();
                let error = self.named(Error::new(kind, offset)).skippable_if(true);
                self.own_key();
                self.at += start + len;
                self.state = State::Skip { walker, from: offset, told: false };
                return Err(error);
            }
            _ if !done => return self.need(true),
            _ => {}
        }
        Ok(self.gathered(start, len))
    }

    /// All of a value is there: `len` bytes from `start` on, relative to the type byte.
    fn gathered(&mut self, start: usize, len: usize) -> Option<Poll> {
        let at = self.at;
        let (start, end) = (at + start, at + start + len);
        self.at = end;
        self.state = State::Record;
        let payload = self.buffer.get(start..end).unwrap_or_default();
        let mut cursor = Cursor::new(payload, self.limits);
        if decode::is_empty(self.record.encoding.layout, &mut cursor) {
            self.stats.empty += 1;
            return self.tell(Ready::Empty { at });
        }
        self.count();
        self.tell(match self.options.level {
            Level::Records => Ready::Record { at, start, end },
            _ => Ready::Frame { at, start, end },
        })
    }

    fn elements(&mut self) -> Result<Option<Poll>, Error> {
        let State::Elements { elements, from, announced } = &mut self.state else {
            return Ok(None);
        };
        let data = self.buffer.get(self.at..).unwrap_or_default();
        let offset = self.base + self.at as u64;
        match elements.poll(data, &self.context) {
            Ok(ElementPoll::More) => self.need(true),
            Ok(ElementPoll::Consume(bytes)) => {
                self.at += bytes;
                Ok(None)
            }
            Ok(ElementPoll::Ready) if *announced => Ok(self.tell(Ready::Element)),
            Ok(ElementPoll::Ready) => {
                *announced = true;
                self.count();
                Ok(self.tell(Ready::Key { at: 0 }))
            }
            Ok(ElementPoll::Done) => {
                let (told, bytes) = (elements.told(), offset - *from);
                let (announced, bad) = (*announced, elements.skipping());
                let empty = !announced && elements.is_collection();
                self.state = State::Record;
                if bad {
                    return Ok(None);
                }
                if empty {
                    self.stats.empty += 1;
                    return Ok(self.tell(Ready::Empty { at: 0 }));
                }
                Ok(self.tell(Ready::KeyEnd { elements: told, bytes }))
            }
            Err(fault) => {
                let error = Error::new(whole(fault.kind), *from).skippable_if(fault.skippable);
                Err(self.named(error))
            }
        }
    }

    fn skip(&mut self) -> Result<Option<Poll>, Error> {
        let State::Skip { walker, from, told } = &mut self.state else { return Ok(None) };
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        match walker.walk(rest, &self.context) {
            Ok(Walk::More(passed)) => {
                self.at += passed;
                self.need(false)
            }
            Ok(Walk::Done(passed)) => {
                self.at += passed;
                let bytes = self.base + self.at as u64 - *from;
                let told = *told;
                self.state = State::Record;
                Ok(if told { self.tell(Ready::KeyEnd { elements: 0, bytes }) } else { None })
            }
            Err(kind) => Err(Error::new(kind, *from)),
        }
    }

    fn checksum(&mut self) -> Result<Option<Poll>, Error> {
        if self.context.version() < 5 {
            return Ok(Some(self.end(Checksum::Absent)));
        }
        let there = self.buffer.get(self.at..).unwrap_or_default();
        let Some(stored) = there.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return self.need(false);
        };
        self.sum();
        let computed = self.crc.get();
        if stored != 0 && stored != computed {
            if self.options.verify_checksum {
                return Err(self.error(ErrorKind::ChecksumMismatch { stored, computed }));
            }
            self.at += 8;
            self.state = State::Ignored;
            self.stats.warnings += 1;
            let warning = Warning::ChecksumMismatch { stored, computed };
            return Ok(self.tell(Ready::Warning(warning)));
        }
        self.at += 8;
        Ok(Some(self.end(if stored == 0 { Checksum::Disabled } else { Checksum::Matched })))
    }

    fn end(&mut self, checksum: Checksum) -> Poll {
        self.state = State::Trailing { bytes: 0, first: Vec::new() };
        self.ready = Ready::End(checksum);
        Poll::Event
    }

    /// Brings the checksum up to date.
    fn sum(&mut self) {
        if matches!(self.state, State::Trailing { .. } | State::Over | State::Ignored) {
            return;
        }
        self.crc.update(self.buffer.get(self.summed..self.at).unwrap_or_default());
        self.summed = self.at;
    }

    fn trailing(&mut self) -> Poll {
        const LOOKED_AT: usize = 64;
        let State::Trailing { bytes, first } = &mut self.state else { return Poll::End };
        let there = self.buffer.get(self.at..).unwrap_or_default();
        let more = there.get(..LOOKED_AT - first.len()).unwrap_or(there);
        first.extend_from_slice(more);
        *bytes += there.len() as u64;
        self.at = self.buffer.len();
        if !self.finished {
            return Poll::NeedInput;
        }
        let (bytes, looks_like) = (*bytes, trailing(first, *bytes));
        self.state = State::Over;
        if bytes == 0 {
            return Poll::End;
        }
        self.ready = Ready::Trailing { bytes, looks_like };
        Poll::Event
    }
}

const NOT_READY: ErrorKind = ErrorKind::Corrupt("no event is ready");

/// All bytes of the value were there: if its parts reach beyond them, the value is corrupt.
const fn whole(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Truncated => ErrorKind::Corrupt("value is cut off"),
        kind => kind,
    }
}

/// A hash template: its id and the names of its fields.
fn template(cursor: &mut Cursor<'_>) -> Result<(u64, crate::context::Template), ErrorKind> {
    let id = cursor.len()?;
    let count = cursor.len()?;
    if count == 0 {
        return Err(ErrorKind::Corrupt("hash template without fields"));
    }
    let mut names = Vec::with_capacity(cursor.capacity(count, 1));
    for _ in 0..count {
        names.push(Box::from(&*cursor.str()?));
    }
    Ok((id, names.into()))
}

fn opcode_event<'a>(
    family: Family,
    byte: u8,
    cursor: &mut Cursor<'a>,
    db: Db,
) -> Result<Event<'a>, ErrorKind> {
    cursor.u8()?;
    Ok(match (byte, family) {
        (opcode::AUX, _) => Event::Aux { key: cursor.str()?, value: cursor.str()? },
        (opcode::SELECT_DB, _) => Event::Select(db),
        (opcode::RESIZE_DB, _) => Event::Resize { keys: cursor.len()?, expires: cursor.len()? },
        (opcode::FUNCTION_2, _) => Event::Function { code: cursor.str()?, name: None },
        (opcode::FUNCTION_PRE_GA, _) => {
            let name = cursor.str()?;
            let _engine = cursor.str()?;
            if cursor.len()? == 1 {
                let _description = cursor.str()?;
            }
            Event::Function { code: cursor.str()?, name: Some(name) }
        }
        (opcode::MODULE_AUX, _) => {
            let id = ModuleId(cursor.len()?);
            // The time is an unsigned integer with its own opcode before it.
            let (2, when) = (cursor.len()?, cursor.len()?) else {
                return Err(ErrorKind::Corrupt("time of module data"));
            };
            let module = Module::new(id, decode::module_tokens(cursor)?);
            Event::ModuleAux { id, after_keys: when == 2, module }
        }
        (opcode::SLOT_INFO, _) => {
            let (slot, keys) = (cursor.len()?, cursor.len()?);
            Event::SlotInfo { slot, keys, expires: cursor.len()? }
        }
        (opcode::HASH_TEMPLATE_OR_UPDATE, Family::Redis) => {
            Event::HashTemplate { id: cursor.len()?, fields: cursor.len()? }
        }
        (opcode::HASH_TEMPLATE_OR_UPDATE, Family::Valkey) => {
            let count = command_number(cursor, b'*')?;
            let mut arguments = Vec::with_capacity(cursor.capacity(count, 5));
            for _ in 0..count {
                let len = command_number(cursor, b'$')?;
                arguments.push(Blob::from(cursor.take(len)?));
                if cursor.array()? != *b"\r\n" {
                    return Err(ErrorKind::Corrupt("command"));
                }
            }
            Event::Command(arguments)
        }
        (opcode::KEY_META_OR_SLOT_IMPORT, Family::Valkey) => {
            let job = cursor.str()?;
            let count = cursor.len()?;
            let mut ranges = Vec::with_capacity(cursor.capacity(count, 2));
            for _ in 0..count {
                ranges.push((cursor.len()?, cursor.len()?));
            }
            Event::SlotImport { job, ranges }
        }
        _ => return Err(ErrorKind::UnknownOpcode(byte)),
    })
}

/// What follows the end of a dump, by its first bytes.
fn trailing(first: &[u8], bytes: u64) -> Trailing {
    const MARK: usize = 40;
    if bytes == MARK as u64 && first.iter().all(u8::is_ascii_hexdigit) {
        return Trailing::DisklessMark;
    }
    if first.starts_with(b"*") || first.starts_with(b"#TS:") {
        return Trailing::Commands;
    }
    if first.iter().all(|&byte| byte == 0) { Trailing::Zeros } else { Trailing::Unknown }
}
