//! Big values in pieces that fit into memory.

use crate::array::{Array, Slot};
use crate::blob::Blob;
use crate::event::{Element, Event};
use crate::frame::Head;
use crate::record::{Field, Kind, Scored, Value};
use crate::stream::{Stream, StreamEntry};

/// A run of the elements of one key.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// What the dump says of the key.
    pub head: Head<'static>,
    /// The elements of this part, as a value of the same kind. Of a stream, groups and all else
    /// but entries are in the last part only. Of a string, a run of its bytes.
    pub value: Value<'static>,
    /// The index of the part's first element within the whole value; of a string, the offset of
    /// its first byte.
    pub start: u64,
    /// Whether the value ends with this part.
    pub last: bool,
}

impl Part {
    /// A part of these pieces: for tests, and for sources that are no dumps.
    #[must_use]
    pub const fn new(head: Head<'static>, value: Value<'static>, start: u64, last: bool) -> Self {
        Self { head, value, start, last }
    }
}

/// Gathers elements into [`Part`]s of about `max_bytes`.
///
/// Push it every event; it answers a part whenever one is full, and the last one when the key
/// ends. Other events than [`Event::Key`], [`Event::Element`] and [`Event::KeyEnd`] are ignored.
/// After an error of the parser call [`Parts::abandon`].
///
/// ```
/// use keystar_rdb::{Level, Options, Parts, Reader};
///
/// let dump = b"REDIS0003\xfe\x00\x01\x04list\x03\x01a\x01b\x01c\xff";
/// let mut reader = Reader::new(&dump[..], Options::new(Level::Elements));
/// let mut parts = Parts::new(1);
/// let mut sizes = Vec::new();
/// while let Some(event) = reader.next()? {
///     if let Some(part) = parts.push(event) {
///         sizes.push((part.start, part.value.len(), part.last));
///     }
/// }
/// assert_eq!(sizes, [(0, 1, false), (1, 1, false), (2, 1, true)]);
/// # Ok::<(), keystar_rdb::Error>(())
/// ```
#[derive(Debug)]
pub struct Parts {
    max_bytes: usize,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    head: Head<'static>,
    held: Held,
    insert_index: Option<u64>,
    bytes: usize,
    start: u64,
    next: u64,
}

/// The elements at hand.
#[derive(Debug)]
enum Held {
    Nothing,
    Text(Vec<u8>),
    Items(Vec<Blob<'static>>),
    Members(Vec<Blob<'static>>),
    Scored(Vec<Scored<'static>>),
    Fields(Vec<Field<'static>>),
    Entries(Vec<StreamEntry<'static>>, Option<Box<Stream<'static>>>),
    Slots(Vec<(u64, Slot<'static>)>),
    Whole(Value<'static>),
}

impl Parts {
    /// Parts of about this size, in bytes as they lie in memory; a single element may be larger.
    #[must_use]
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, current: None }
    }

    /// Takes an event; answers a part that is full, or the last one of a key.
    pub fn push(&mut self, event: Event<'_>) -> Option<Part> {
        match event {
            Event::Key(head) => {
                self.current = Some(Current {
                    head: head.into_owned(),
                    held: Held::Nothing,
                    insert_index: None,
                    bytes: 0,
                    start: 0,
                    next: 0,
                });
                None
            }
            Event::Element(element) => {
                let current = self.current.as_mut()?;
                // A full part waits until it is known whether it is the last.
                let tail = matches!(element, Element::StreamTail(_));
                let full = current.bytes >= self.max_bytes && current.bytes > 0 && !tail;
                let part = full.then(|| current.part(false));
                current.add(element);
                part
            }
            Event::KeyEnd { .. } => self.current.take().map(|mut current| current.part(true)),
            _ => None,
        }
    }

    /// Forgets the key at hand.
    pub fn abandon(&mut self) {
        self.current = None;
    }
}

impl Current {
    fn add(&mut self, element: Element<'_>) {
        const FIELD: usize = size_of::<Field<'_>>();
        let (bytes, count) = match element {
            Element::Text(text) => {
                let len = text.len();
                self.held = Held::Text(text.into_vec());
                (len, len as u64)
            }
            Element::Chunk { bytes, .. } => {
                match &mut self.held {
                    Held::Text(text) => text.extend_from_slice(bytes),
                    held => *held = Held::Text(bytes.to_vec()),
                }
                (bytes.len(), bytes.len() as u64)
            }
            Element::Item(item) => {
                let len = item.len() + size_of::<Blob<'_>>();
                match &mut self.held {
                    Held::Items(items) => items.push(item.into_owned()),
                    held => *held = Held::Items(vec![item.into_owned()]),
                }
                (len, 1)
            }
            Element::Member(member) => {
                let len = member.len() + size_of::<Blob<'_>>();
                match &mut self.held {
                    Held::Members(members) => members.push(member.into_owned()),
                    held => *held = Held::Members(vec![member.into_owned()]),
                }
                (len, 1)
            }
            Element::Scored(scored) => {
                let len = scored.member.len() + size_of::<Scored<'_>>();
                match &mut self.held {
                    Held::Scored(members) => members.push(scored.into_owned()),
                    held => *held = Held::Scored(vec![scored.into_owned()]),
                }
                (len, 1)
            }
            Element::Field(field) => {
                let len = field.name.len() + field.value.len() + FIELD;
                match &mut self.held {
                    Held::Fields(fields) => fields.push(field.into_owned()),
                    held => *held = Held::Fields(vec![field.into_owned()]),
                }
                (len, 1)
            }
            Element::Entry(entry) => {
                let fields = entry.fields.iter();
                let len =
                    fields.map(|(name, value)| name.len() + value.len() + FIELD).sum::<usize>();
                match &mut self.held {
                    Held::Entries(entries, _) => entries.push(entry.into_owned()),
                    held => *held = Held::Entries(vec![entry.into_owned()], None),
                }
                (len + size_of::<StreamEntry<'_>>(), 1)
            }
            Element::StreamTail(stream) => {
                let stream = Box::new(stream.into_owned());
                match &mut self.held {
                    Held::Entries(_, tail) => *tail = Some(stream),
                    held => *held = Held::Entries(Vec::new(), Some(stream)),
                }
                (0, 0)
            }
            Element::Slot(index, slot) => {
                let text = match &slot {
                    Slot::Text(text) => text.len(),
                    _ => 0,
                };
                match &mut self.held {
                    Held::Slots(slots) => slots.push((index, slot.into_owned())),
                    held => *held = Held::Slots(vec![(index, slot.into_owned())]),
                }
                (text + size_of::<(u64, Slot<'_>)>(), 1)
            }
            Element::ArrayHead { insert_index } => {
                self.insert_index = insert_index;
                (0, 0)
            }
            Element::Json(json) => {
                self.held = Held::Whole(Value::Json(json));
                (1, 1)
            }
            Element::Module(module) => {
                self.held = Held::Whole(Value::Module(module.into_owned()));
                (1, 1)
            }
        };
        self.bytes += bytes;
        self.next += count;
    }

    fn part(&mut self, last: bool) -> Part {
        let value = match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => self.nothing(),
            Held::Text(text) => Value::String(text.into()),
            Held::Items(items) => Value::List(items),
            Held::Members(members) => Value::Set(members),
            Held::Scored(members) => Value::SortedSet(members),
            Held::Fields(fields) => Value::Hash(fields),
            Held::Entries(entries, tail) => {
                let tail = tail.map(|tail| *tail).unwrap_or_default();
                Value::Stream(Box::new(Stream { entries, ..tail }))
            }
            Held::Slots(slots) => Value::Array(Array { insert_index: self.insert_index, slots }),
            Held::Whole(value) => value,
        };
        let start = std::mem::replace(&mut self.start, self.next);
        self.bytes = 0;
        Part { head: self.head.clone(), value, start, last }
    }

    /// The value of a part without elements: a key that was told without any.
    fn nothing(&self) -> Value<'static> {
        match self.head.kind() {
            Kind::List => Value::List(Vec::new()),
            Kind::Set => Value::Set(Vec::new()),
            Kind::SortedSet => Value::SortedSet(Vec::new()),
            Kind::Hash => Value::Hash(Vec::new()),
            Kind::Stream => Value::Stream(Box::default()),
            Kind::Array => {
                Value::Array(Array { insert_index: self.insert_index, slots: Vec::new() })
            }
            Kind::String | Kind::Json | Kind::Module => Value::String(Blob::empty()),
        }
    }
}
