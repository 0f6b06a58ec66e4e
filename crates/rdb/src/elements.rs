//! Tells a value element by element, from whatever of its bytes there are.
//!
//! A value is a head, units, and for streams a tail. A unit is what the layout repeats (a field, a
//! list node), or the whole value where nothing repeats. The walker finds where a unit ends; when
//! all of it is there, it is decoded by the same functions as a whole value. A unit that packs
//! several elements stays in place until the last of them was told.

use crate::blob::Blob;
use crate::context::Context;
use crate::cursor::{Cursor, Limits, Shape};
use crate::decode::{self, Container, Form, Node, StreamLevel};
use crate::encoding::Layout;
use crate::error::ErrorKind;
use crate::event::Element;
use crate::lzf;
use crate::packed::{Intset, Listpack, Mark, Packed, Ziplist, Zipmap};
use crate::record::{Field, Value};
use crate::stream::StreamId;
use crate::walker::{Walk, Walker, quick, within};

/// The state of one value.
#[derive(Debug)]
pub(crate) struct Elements {
    layout: Layout,
    limits: Limits,
    chunk: usize,
    stage: Stage,
    /// Whether units are passed over unread, after an error.
    skipping: bool,
    /// How many elements were told.
    told: u64,
    /// The first expiry of a hash, from which the others count.
    min_expire: i64,
    /// The decompressed packed value of the unit at hand.
    scratch: Vec<u8>,
    /// The names of the fields of the stream node at hand.
    names: Vec<Blob<'static>>,
    /// The decoded fields of the unit at hand.
    fields: Vec<Field<'static>>,
}

#[derive(Debug)]
enum Stage {
    Head,
    /// What the array says of itself.
    ArrayHead {
        slots: u64,
        insert_index: Option<u64>,
        told: bool,
    },
    /// Finding the end of a unit.
    Unit {
        left: u64,
        walker: Option<Box<Walker>>,
        walked: usize,
    },
    /// A unit of so many bytes is at hand.
    Open {
        left: u64,
        len: usize,
        open: Open,
    },
    /// A plain string in pieces.
    Plain {
        left: u64,
        total: u64,
        told: Option<usize>,
    },
    /// A compressed string in pieces.
    Lzf {
        stream: lzf::Stream,
        ready: bool,
        told: bool,
    },
    Done,
}

/// What is at hand of a unit.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// One element, to be told.
    One,
    /// A packed value, at a place in it.
    Packed { pack: Pack, form: Form, place: Place, mark: Mark },
    /// A node of a stream, at a place in it.
    Entries { base: StreamId, place: Place, mark: Mark },
    /// Fields of a hash by template, which are few, decoded.
    Fields { next: usize, count: usize },
    /// Nothing more.
    Told,
}

/// Where the bytes of a packed value are.
#[derive(Debug, Clone, Copy)]
enum Place {
    Input { start: usize, end: usize },
    Scratch,
}

#[derive(Debug, Clone, Copy)]
enum Pack {
    Listpack,
    Ziplist,
    Intset,
    Zipmap,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poll {
    /// More input is needed.
    More,
    /// So many bytes of input are done with.
    Consume(usize),
    /// An element is ready: take it with [`Elements::element`].
    Ready,
    /// The value is over.
    Done,
}

/// What is wrong, and whether the rest of the value can be passed over nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) skippable: bool,
}

impl Fault {
    const fn fatal(kind: ErrorKind) -> Self {
        Self { kind, skippable: false }
    }

    const fn skippable(kind: ErrorKind) -> Self {
        Self { kind, skippable: true }
    }
}

const NOT_READY: ErrorKind = ErrorKind::Corrupt("no element is ready");
const TOO_MANY: ErrorKind = ErrorKind::Corrupt("count of elements");

impl Elements {
    pub(crate) const fn new(layout: Layout, limits: Limits, chunk: usize) -> Self {
        Self {
            layout,
            limits,
            chunk,
            stage: Stage::Head,
            skipping: false,
            told: 0,
            min_expire: 0,
            scratch: Vec::new(),
            names: Vec::new(),
            fields: Vec::new(),
        }
    }

    pub(crate) const fn told(&self) -> u64 {
        self.told
    }

    /// Whether the value turned out to be bad, so that its end is not told.
    pub(crate) const fn skipping(&self) -> bool {
        self.skipping
    }

    /// Whether Redis would not keep a key with such a value if it has no elements.
    pub(crate) const fn is_collection(&self) -> bool {
        !matches!(self.layout, Layout::String | Layout::Module2) && !self.layout.is_stream()
    }

    /// Works out what comes next. `data` begins after what was consumed.
    pub(crate) fn poll(&mut self, data: &[u8], context: &Context) -> Result<Poll, Fault> {
        let limit = self.limit();
        loop {
            match &mut self.stage {
                Stage::Head => match self.head(data) {
                    Ok(at) => return Ok(Poll::Consume(at)),
                    Err(ErrorKind::Truncated) => return Ok(Poll::More),
                    Err(kind) => return Err(Fault::fatal(kind)),
                },
                Stage::ArrayHead { told: false, .. } if !self.skipping => return Ok(Poll::Ready),
                Stage::ArrayHead { slots, .. } => {
                    let slots = *slots;
                    self.stage = Self::units(slots);
                }
                Stage::Unit { left, walker, walked } => {
                    let tail = self.layout.is_stream() && *left == 0;
                    let steps = if tail { self.layout.tail() } else { self.layout.unit() };
                    if walker.is_none()
                        && let Some(len) = quick(steps, data)
                        && len as u64 <= limit
                    {
                        *walked = len;
                        self.opened(data, context)?;
                        continue;
                    }
                    let walker = walker.get_or_insert_with(|| Box::new(Walker::new(steps)));
                    let limit = if self.skipping { u64::MAX } else { limit };
                    let (there, full) = within(data, limit);
                    let rest = there.get(*walked..).unwrap_or_default();
                    match walker.walk(rest, context).map_err(Fault::fatal)? {
                        Walk::More(passed) => {
                            *walked += passed;
                            if self.skipping {
                                let passed = std::mem::take(walked);
                                return Ok(if passed > 0 {
                                    Poll::Consume(passed)
                                } else {
                                    Poll::More
                                });
                            }
                            if full {
                                return Err(self.too_long(limit));
                            }
                            return Ok(Poll::More);
                        }
                        Walk::Done(passed) => {
                            *walked += passed;
                            self.opened(data, context)?;
                        }
                    }
                }
                Stage::Open { left, len, open } => {
                    let done = self.skipping
                        || match more(
                            open,
                            data.get(..*len).unwrap_or_default(),
                            &self.scratch,
                            &self.names,
                        ) {
                            Ok(more) => !more,
                            Err(kind) => {
                                self.skipping = true;
                                return Err(Fault::skippable(kind));
                            }
                        };
                    if !done {
                        return Ok(Poll::Ready);
                    }
                    let (left, len) = (*left, *len);
                    self.stage = Self::units(left);
                    return Ok(Poll::Consume(len));
                }
                Stage::Plain { left: 0, told: None, .. } => self.stage = Stage::Done,
                Stage::Plain { left, told, .. } => {
                    if let Some(len) = told.take() {
                        *left -= len as u64;
                        return Ok(Poll::Consume(len));
                    }
                    let chunk = (self.chunk as u64).min(*left);
                    return Ok(if data.len() as u64 >= chunk { Poll::Ready } else { Poll::More });
                }
                Stage::Lzf { stream, ready, told } => {
                    if self.skipping {
                        let skip = stream.input_left().min(data.len() as u64) as usize;
                        if stream.input_left() == 0 {
                            self.stage = Stage::Done;
                            continue;
                        }
                        stream.pass(skip);
                        return Ok(if skip == 0 { Poll::More } else { Poll::Consume(skip) });
                    }
                    if std::mem::take(told) {
                        stream.consume(self.chunk);
                        *ready = false;
                    }
                    if *ready {
                        return Ok(Poll::Ready);
                    }
                    match stream.fill(data, self.chunk) {
                        Ok((used, now)) => {
                            *ready = now;
                            if used > 0 {
                                return Ok(Poll::Consume(used));
                            }
                            if !now {
                                if stream.input_left() > 0 {
                                    return Ok(Poll::More);
                                }
                                self.stage = Stage::Done;
                            }
                        }
                        Err(kind) => {
                            self.skipping = true;
                            return Err(Fault::skippable(kind));
                        }
                    }
                }
                Stage::Done => return Ok(Poll::Done),
            }
        }
    }

    /// The element that is ready. After an error the rest of the value is passed over.
    pub(crate) fn element<'a>(&'a mut self, data: &'a [u8]) -> Result<Element<'a>, ErrorKind> {
        let Self {
            layout,
            limits,
            chunk,
            stage,
            skipping,
            told,
            min_expire,
            scratch,
            names,
            fields,
        } = self;
        let element = match stage {
            Stage::ArrayHead { insert_index, told, .. } => {
                *told = true;
                Ok(Element::ArrayHead { insert_index: *insert_index })
            }
            Stage::Open { left, len, open } => {
                let unit = data.get(..*len).unwrap_or_default();
                match open {
                    Open::One => {
                        *open = Open::Told;
                        let cursor = &mut Cursor::new(unit, *limits);
                        if layout.is_stream() && *left == 0 {
                            let tail = decode::stream_tail(cursor, StreamLevel::of(*layout));
                            tail.map(|tail| Element::StreamTail(Box::new(tail)))
                        } else {
                            one(*layout, cursor, *min_expire)
                        }
                    }
                    Open::Packed { pack, form, place, mark } => {
                        packed(*pack, *form, bytes(*place, unit, scratch), mark)
                    }
                    Open::Entries { base, place, mark } => {
                        let bytes = bytes(*place, unit, scratch);
                        let mut node = Node::resume(*base, bytes, names, *mark);
                        let entry = node.next();
                        *mark = node.mark();
                        entry.and_then(|entry| entry.map(Element::Entry).ok_or(NOT_READY))
                    }
                    Open::Fields { next, .. } => {
                        let field = fields.get(*next).map(|field| {
                            Element::Field(Field {
                                name: field.name.reborrow(),
                                value: field.value.reborrow(),
                                expires_at: field.expires_at,
                            })
                        });
                        *next += 1;
                        field.ok_or(NOT_READY)
                    }
                    Open::Told => Err(NOT_READY),
                }
            }
            Stage::Plain { left, total, told } => {
                let chunk = (*chunk as u64).min(*left) as usize;
                *told = Some(chunk);
                let bytes = data.get(..chunk).unwrap_or_default();
                Ok(Element::Chunk { bytes, offset: *total - *left, total: *total })
            }
            Stage::Lzf { stream, told, .. } => {
                *told = true;
                let (offset, total) = (stream.offset(), stream.total());
                Ok(Element::Chunk { bytes: stream.piece(*chunk), offset, total })
            }
            Stage::Head | Stage::Unit { .. } | Stage::Done => Err(NOT_READY),
        };
        match &element {
            Ok(_) => *told += 1,
            Err(_) => *skipping = true,
        }
        element
    }

    /// Reads what stands before the units, and returns how long it is.
    fn head(&mut self, data: &[u8]) -> Result<usize, ErrorKind> {
        let mut cursor = Cursor::new(data, self.limits);
        match self.layout {
            Layout::String => {
                let shape = cursor.shape()?;
                let at = cursor.at();
                let chunk = self.chunk as u64;
                self.stage = match shape {
                    Shape::Plain { len } if len > chunk => {
                        Stage::Plain { left: len, total: len, told: None }
                    }
                    Shape::Lzf { compressed, original } if original > chunk => {
                        match lzf::Stream::new(compressed, original) {
                            Ok(stream) => Stage::Lzf { stream, ready: false, told: false },
                            // The unit's decoder says what is wrong, and knows the extent.
                            Err(_) => Self::units(1),
                        }
                    }
                    _ => Self::units(1),
                };
                let whole = matches!(self.stage, Stage::Unit { .. });
                return Ok(if whole { 0 } else { at });
            }
            Layout::Array => {
                let (slots, insert_index) = decode::array_head(&mut cursor)?;
                self.stage = Stage::ArrayHead { slots, insert_index, told: slots == 0 };
            }
            layout if layout.repeats() => {
                if layout == Layout::HashMetadata {
                    self.min_expire = cursor.i64()?;
                }
                // A stream's tail counts as one unit more, its last.
                let units = cursor.len()?;
                let tail = u64::from(layout.is_stream());
                self.stage = Self::units(units.checked_add(tail).ok_or(TOO_MANY)?);
            }
            _ => self.stage = Self::units(1),
        }
        Ok(cursor.at())
    }

    /// The stage in which so many units are left.
    const fn units(left: u64) -> Stage {
        let Some(after) = left.checked_sub(1) else { return Stage::Done };
        Stage::Unit { left: after, walker: None, walked: 0 }
    }

    /// A unit is too long to be held: it is passed over with all that follows.
    const fn too_long(&mut self, limit: u64) -> Fault {
        self.skipping = true;
        Fault::skippable(ErrorKind::TooLarge { what: "element", limit })
    }

    /// How long a unit may be.
    fn limit(&self) -> u64 {
        // Room for the heads of strings, and for scores and expiries.
        const HEADS: u64 = 64;
        let Limits { string, packed, .. } = self.limits;
        let limit = match self.layout {
            layout if layout.is_plain() => string.saturating_mul(2),
            Layout::Quicklist2 => packed.max(string),
            _ => packed,
        };
        limit.saturating_add(HEADS)
    }

    /// All of a unit is there: looks what is in it.
    fn opened(&mut self, data: &[u8], context: &Context) -> Result<(), Fault> {
        let Stage::Unit { left, walked, .. } = &self.stage else { return Ok(()) };
        let (left, walked) = (*left, *walked);
        let limit = self.limit();
        let too_long = walked as u64 > limit && !self.skipping;
        let tail = self.layout.is_stream() && left == 0;
        let unit = data.get(..walked).unwrap_or_default();
        let looked = match (too_long, tail) {
            (true, _) => Err(self.too_long(limit)),
            _ if self.skipping => Ok(Open::Told),
            (_, true) => Ok(Open::One),
            _ => self.look(unit, context).map_err(Fault::skippable),
        };
        self.skipping |= looked.is_err();
        let open = *looked.as_ref().unwrap_or(&Open::Told);
        self.stage = Stage::Open { left, len: walked, open };
        looked.map(|_| ())
    }

    /// What is in a unit.
    fn look(&mut self, unit: &[u8], context: &Context) -> Result<Open, ErrorKind> {
        let mut cursor = Cursor::new(unit, self.limits);
        let (pack, form) = match self.layout {
            Layout::Quicklist2 => match decode::container(&mut cursor)? {
                Container::Plain => return Ok(Open::One),
                Container::Packed => (Pack::Listpack, Form::Item),
            },
            Layout::HashListpackEx => {
                cursor.i64()?;
                (Pack::Listpack, Form::FieldEx)
            }
            Layout::HashListpackExPreGa => (Pack::Listpack, Form::FieldEx),
            Layout::HashListpack => (Pack::Listpack, Form::Field),
            Layout::ZsetListpack => (Pack::Listpack, Form::Scored),
            Layout::SetListpack => (Pack::Listpack, Form::Member),
            Layout::HashZiplist => (Pack::Ziplist, Form::Field),
            Layout::ZsetZiplist => (Pack::Ziplist, Form::Scored),
            Layout::ListZiplist | Layout::Quicklist => (Pack::Ziplist, Form::Item),
            Layout::HashZipmap => (Pack::Zipmap, Form::Field),
            Layout::SetIntset => (Pack::Intset, Form::Member),
            layout if layout.is_stream() => {
                let (base, blob) = decode::stream_node(&mut cursor)?;
                let place = place(unit, blob, &mut self.scratch);
                let node = Node::open(base, bytes(place, unit, &self.scratch), false)?;
                let mark = node.mark();
                self.names = node.into_names();
                return Ok(Open::Entries { base, place, mark });
            }
            // Hashes by template are small: their fields are told from the whole.
            layout if layout.is_template() => {
                let value = decode::value(layout, &mut cursor, context)?;
                self.fields = match value.into_owned() {
                    Value::Hash(fields) => fields,
                    _ => Vec::new(),
                };
                return Ok(Open::Fields { next: 0, count: self.fields.len() });
            }
            _ => return Ok(Open::One),
        };
        let blob = cursor.packed()?;
        let place = place(unit, blob, &mut self.scratch);
        let bytes = bytes(place, unit, &self.scratch);
        let mark = match pack {
            Pack::Listpack => Listpack::open(bytes, false)?.mark(),
            Pack::Ziplist => Ziplist::open(bytes, false)?.mark(),
            Pack::Intset => Intset::open(bytes, false)?.mark(),
            Pack::Zipmap => Zipmap::open(bytes, false)?.mark(),
        };
        Ok(Open::Packed { pack, form, place, mark })
    }
}

/// Where a blob's bytes are: in the unit, or, if they had to be decompressed, in the scratch.
fn place(unit: &[u8], blob: Blob<'_>, scratch: &mut Vec<u8>) -> Place {
    match blob.borrowed() {
        Some(bytes) => {
            let start = bytes.as_ptr().addr().saturating_sub(unit.as_ptr().addr());
            Place::Input { start, end: start + bytes.len() }
        }
        None => {
            *scratch = blob.into_vec();
            Place::Scratch
        }
    }
}

fn bytes<'a>(place: Place, unit: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
    match place {
        Place::Input { start, end } => unit.get(start..end).unwrap_or_default(),
        Place::Scratch => scratch,
    }
}

/// Whether the unit at hand has another element.
fn more(
    open: &mut Open,
    unit: &[u8],
    scratch: &[u8],
    names: &[Blob<'static>],
) -> Result<bool, ErrorKind> {
    Ok(match open {
        Open::One => true,
        Open::Told => false,
        Open::Fields { next, count } => next < count,
        Open::Packed { pack, place, mark, .. } => {
            let bytes = bytes(*place, unit, scratch);
            !match pack {
                Pack::Listpack => Listpack::resume(bytes, *mark).at_end(),
                Pack::Ziplist => Ziplist::resume(bytes, *mark).at_end(),
                Pack::Intset => Intset::resume(bytes, *mark).at_end(),
                Pack::Zipmap => Zipmap::resume(bytes, *mark).at_end(),
            }
        }
        Open::Entries { base, place, mark } => {
            let mut node = Node::resume(*base, bytes(*place, unit, scratch), names, *mark);
            let more = node.has_next()?;
            *mark = node.mark();
            more
        }
    })
}

/// The next element of a packed value.
fn packed<'a>(
    pack: Pack,
    form: Form,
    bytes: &'a [u8],
    mark: &mut Mark,
) -> Result<Element<'a>, ErrorKind> {
    fn next<'a, P: Packed<'a>>(
        mut pack: P,
        form: Form,
        mark: &mut Mark,
    ) -> Result<Element<'a>, ErrorKind> {
        let element = form.next(&mut pack);
        *mark = pack.mark();
        element
    }
    match pack {
        Pack::Listpack => next(Listpack::resume(bytes, *mark), form, mark),
        Pack::Ziplist => next(Ziplist::resume(bytes, *mark), form, mark),
        Pack::Intset => next(Intset::resume(bytes, *mark), form, mark),
        Pack::Zipmap => next(Zipmap::resume(bytes, *mark), form, mark),
    }
}

/// The element of a unit that holds just one.
fn one<'a>(
    layout: Layout,
    cursor: &mut Cursor<'a>,
    min_expire: i64,
) -> Result<Element<'a>, ErrorKind> {
    Ok(match layout {
        Layout::String => Element::Text(cursor.str()?),
        Layout::List => Element::Item(cursor.str()?),
        Layout::Quicklist2 => {
            decode::container(cursor)?;
            Element::Item(cursor.str()?)
        }
        Layout::Set => Element::Member(cursor.str()?),
        Layout::Zset => Element::Scored(decode::scored_text(cursor)?),
        Layout::Zset2 => Element::Scored(decode::scored_double(cursor)?),
        Layout::Hash => Element::Field(decode::field(cursor)?),
        Layout::HashMetadataPreGa => Element::Field(decode::field_ttl(cursor, None)?),
        Layout::HashMetadata => Element::Field(decode::field_ttl(cursor, Some(min_expire))?),
        Layout::ValkeyHash2 => Element::Field(decode::field_valkey(cursor)?),
        Layout::Array => {
            let (index, slot) = decode::array_slot(cursor)?;
            Element::Slot(index, slot)
        }
        Layout::Module2 => match decode::module(cursor)? {
            Value::Json(json) => Element::Json(json),
            Value::Module(module) => Element::Module(module),
            _ => return Err(NOT_READY),
        },
        _ => return Err(NOT_READY),
    })
}
