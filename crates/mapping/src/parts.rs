//! Values that one item cannot hold, or that memory should not: read in pieces, written in parts.
//!
//! A value that is too big for one item is cut into parts, each an item of the same shape with as
//! many elements as fit. The first part has the key of the whole; the key of part 7 ends in
//! `#00000007` (the sort key's, where there is one). Every part says its number, the last one also
//! how many there are, so a reader who knows the key finds them all, and whoever writes need not
//! know the end before the beginning.

use keystar_item::{AttributeValue, Attributes, Item, Number, json, limits};
use keystar_rdb::{Kind, Part, UnixMillis, Value};
use sha2::{Digest as _, Sha256};

use crate::encode::{Encoder, set, slot_value};
use crate::loss::{Loss, merge};
use crate::map::{Envelope, Mapped, Offload, Run, Subject};
use crate::mapping::{Mapping, RuleIndex};
use crate::reject::{Reject, RejectReason};
use crate::rule::ExtraValue;
use crate::spec::{Layout, Oversize};
use crate::text::{hex, text_piece};

/// What [`Mapping::map_part`] remembers between the pieces of one value.
///
/// It holds at most what fits into about one item, whatever the size of the value.
#[derive(Debug)]
pub struct PartState {
    rule: RuleIndex,
    stage: Stage,
    losses: Vec<Loss>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was seen yet.
    Start,
    /// Elements become items as they come.
    Collecting { next: u64 },
    /// All may still fit into one item.
    Holding { value: Value<'static>, next: u64, floor: u64 },
    /// It does not.
    Cutting { cutter: Box<Cutter>, next: u64 },
    /// The value is complete, or was rejected.
    Done,
}

impl PartState {
    /// For a value whose key goes by this rule.
    #[must_use]
    pub const fn new(rule: RuleIndex) -> Self {
        Self { rule, stage: Stage::Start, losses: Vec::new() }
    }

    /// Whether the value is complete, or was rejected: no more pieces are wanted.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }
}

impl Mapping {
    /// Makes items of a piece of a value that is too big to be held whole. Over all pieces these
    /// are the items that [`map`](Self::map) makes of the whole value, in the same order; the
    /// losses of all pieces come with the last. Appends to `out`.
    ///
    /// # Errors
    ///
    /// Why there are no items for this record. Items of earlier pieces may have been handed out
    /// by then: the caller takes them back. Further pieces of the same value are ignored.
    pub fn map_part<'r>(
        &'r self,
        state: &mut PartState,
        part: &'r Part,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        let mark = (out.items.len(), out.offloads.len());
        let earlier = std::mem::replace(&mut out.losses, std::mem::take(&mut state.losses));
        let result = self.try_part(state, part, out);
        if result.is_err() {
            state.stage = Stage::Done;
            out.items.truncate(mark.0);
            out.offloads.truncate(mark.1);
            out.losses.clear();
        } else if !state.is_done() {
            state.losses = std::mem::take(&mut out.losses);
        }
        merge(&mut out.losses, earlier);
        result
    }

    fn try_part<'r>(
        &'r self,
        state: &mut PartState,
        part: &'r Part,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        let subject = Subject {
            db: part.head.db.0,
            key: &part.head.key,
            kind: part.value.kind(),
            expires_at: part.head.expires_at,
        };
        let out_of_order = || Reject::new(RejectReason::PartsOutOfOrder, "");
        let length = length(&part.value);
        match &mut state.stage {
            Stage::Done => {}
            Stage::Start if part.start != 0 => return Err(out_of_order()),
            Stage::Start => {
                let losses = &mut out.losses;
                let envelope = self.envelope(state.rule, subject, losses)?;
                if envelope.encoder.is_collected(subject.kind) {
                    if part.last && part.value.is_empty() {
                        return Err(Reject::new(RejectReason::Empty, subject.kind.name()));
                    }
                    let run = Run { start: 0, first: true, last: part.last };
                    envelope.collect(&part.value, run, out)?;
                    state.stage = Stage::Collecting { next: length };
                } else {
                    losses.clear();
                    let encoder = envelope.encoder;
                    if part.last {
                        self.map_value(state.rule, subject, &part.value, out)?;
                    } else {
                        let value = part.value.clone();
                        let floor = least_bytes(encoder, &value)?;
                        state.stage = Stage::Holding { value, next: length, floor };
                        self.overflow(state, subject, out)?;
                    }
                }
            }
            Stage::Collecting { next } => {
                if *next != part.start {
                    return Err(out_of_order());
                }
                *next += length;
                let envelope = self.envelope(state.rule, subject, &mut Vec::new())?;
                let run = Run { start: part.start, first: false, last: part.last };
                envelope.collect(&part.value, run, out)?;
            }
            Stage::Holding { value, next, floor } => {
                if *next != part.start || !append(value, &part.value) {
                    return Err(out_of_order());
                }
                *next += length;
                if let Some(rule) = self.rule(state.rule) {
                    *floor += least_bytes(Encoder { mapping: self, rule }, &part.value)?;
                }
                if part.last {
                    let mut mapped = Mapped::new();
                    self.map_value(state.rule, subject, value, &mut mapped)?;
                    let Mapped { items, losses, offloads } = mapped;
                    out.items.extend(items.into_iter().map(|item| item.into_owned()));
                    out.offloads.extend(offloads.into_iter().map(|offload| offload.into_owned()));
                    merge(&mut out.losses, losses);
                } else {
                    self.overflow(state, subject, out)?;
                }
            }
            Stage::Cutting { cutter, next } => {
                if *next != part.start {
                    return Err(out_of_order());
                }
                *next += length;
                cutter.add(self, &part.value, out)?;
                if part.last {
                    cutter.finish(self, &part.value, out)?;
                }
            }
        }
        if part.last {
            state.stage = Stage::Done;
        }
        Ok(())
    }

    /// Goes over to cutting once what is held cannot fit into one item.
    fn overflow(
        &self,
        state: &mut PartState,
        subject: Subject<'_>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        match std::mem::replace(&mut state.stage, Stage::Done) {
            Stage::Holding { value, next, floor } if floor > limits::MAX_ITEM_BYTES as u64 => {
                let mut cutter = Box::new(Cutter::new(self, state.rule, subject, None, out)?);
                cutter.add(self, &value, out)?;
                state.stage = Stage::Cutting { cutter, next };
            }
            stage => state.stage = stage,
        }
        Ok(())
    }
}

/// Cuts a value that is at hand whole and does not fit into one item.
pub(crate) fn cut(
    mapping: &Mapping,
    rule: RuleIndex,
    subject: Subject<'_>,
    value: &Value<'_>,
    bytes: u64,
    out: &mut Mapped<'_>,
) -> Result<(), Reject> {
    let mut cutter = Cutter::new(mapping, rule, subject, Some(bytes), out)?;
    cutter.add(mapping, value, out)?;
    cutter.finish(mapping, value, out)
}

/// Bytes of a value that fit into an item which holds this much besides.
pub(crate) fn room(envelope: &Envelope<'_>, start: &Item<'_>) -> usize {
    /// Type, expiries, numbers of parts, and the suffix of the key.
    const BOOKKEEPING: usize = 512;
    let mapping = envelope.encoder.mapping;
    let mut item = start.clone();
    // An error would come again where the item is made.
    let _ = envelope.end(&mut item, envelope.subject.expires_at, &|_| None, &mut Vec::new());
    let names = &mapping.names;
    let named = [
        &names.value,
        &names.r#type,
        &names.ttl_ms,
        &names.field_ttls,
        &names.part,
        &names.parts,
        &names.start,
    ];
    let refers = |value: &ExtraValue| match value {
        ExtraValue::Template(template) => template.fields().next().is_some(),
        _ => false,
    };
    // Attributes that refer to fields are as long as the fields make them: keys of indexes, mostly.
    let referring =
        envelope.encoder.rule.attributes.iter().filter(|extra| refers(&extra.value)).count();
    let taken = usize::try_from(limits::size(&item)).unwrap_or(usize::MAX)
        + named.iter().map(|name| name.len()).sum::<usize>()
        + referring * 4096
        + BOOKKEEPING;
    limits::MAX_ITEM_BYTES.saturating_sub(taken)
}

/// What the key of a part ends in.
pub(crate) fn suffix(number: u64) -> String {
    if number == 0 { String::new() } else { format!("#{number:08}") }
}

/// Pieces of the text of a value, as DynamoDB JSON, that take at most `room` bytes each.
pub(crate) fn text_pieces(value: &AttributeValue<'_>, room: usize) -> Vec<String> {
    let mut text = Vec::new();
    json::write_value(value, &mut text);
    let text = String::from_utf8_lossy(&text);
    let (mut rest, mut pieces) = (text.as_ref(), Vec::new());
    while !rest.is_empty() {
        let piece = text_piece(rest.as_bytes(), room.max(4)).unwrap_or(rest);
        pieces.push(piece.to_owned());
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    pieces
}

impl Offload<'_> {
    fn into_owned(self) -> Offload<'static> {
        Offload { name: self.name, bytes: self.bytes.into_owned().into(), last: self.last }
    }
}

/// Cuts a value into parts as its elements come.
#[derive(Debug)]
struct Cutter {
    rule: RuleIndex,
    db: u32,
    key: Vec<u8>,
    kind: Kind,
    expires_at: Option<UnixMillis>,
    top_level: bool,
    room: usize,
    held: Held,
    /// The number of the part that is being filled.
    number: u64,
    /// How many elements, or bytes of a string, earlier parts hold.
    start: u64,
    offload: Option<Beside>,
}

/// What is to go into the next part.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    list: Vec<AttributeValue<'static>>,
    map: Attributes<'static>,
    ttls: Attributes<'static>,
    members: Vec<Vec<u8>>,
    text: Vec<u8>,
    /// Fields that attributes of the rule refer to.
    referred: Vec<(String, Vec<u8>)>,
}

/// A file beside the items.
#[derive(Debug)]
struct Beside {
    name: String,
    bytes: u64,
    digest: Sha256,
}

impl Cutter {
    fn new(
        mapping: &Mapping,
        rule: RuleIndex,
        subject: Subject<'_>,
        bytes: Option<u64>,
        out: &mut Mapped<'_>,
    ) -> Result<Self, Reject> {
        let envelope = mapping.envelope(rule, subject, &mut out.losses)?;
        let oversize = || {
            let detail = bytes.map(|bytes| format!("{bytes} bytes"));
            Reject::new(RejectReason::Oversize, detail.unwrap_or_default())
        };
        let offload = match envelope.encoder.rule.oversize {
            Oversize::Reject => return Err(oversize()),
            Oversize::Split if !envelope.can_be_cut() => return Err(oversize()),
            Oversize::Split => None,
            Oversize::Offload => Some(Beside::new(subject)),
        };
        Ok(Self {
            rule,
            db: subject.db,
            key: subject.key.to_vec(),
            kind: subject.kind,
            expires_at: subject.expires_at,
            top_level: envelope.encoder.rule.layout == Layout::Attributes
                && subject.kind == Kind::Hash,
            room: room(&envelope, &envelope.start(None, 4)),
            held: Held::default(),
            number: 0,
            start: 0,
            offload,
        })
    }

    fn envelope<'m>(&'m self, mapping: &'m Mapping) -> Result<Envelope<'m>, Reject> {
        let subject =
            Subject { db: self.db, key: &self.key, kind: self.kind, expires_at: self.expires_at };
        // What is lost with the key was reported when the cutter was made.
        mapping.envelope(self.rule, subject, &mut Vec::new())
    }

    /// Takes more elements.
    fn add(
        &mut self,
        mapping: &Mapping,
        value: &Value<'_>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        let Some(rule) = mapping.rule(self.rule) else { return Ok(()) };
        let encoder = Encoder { mapping, rule };
        match value {
            Value::String(text) => self.add_text(mapping, text, out)?,
            Value::List(items) => {
                for item in items {
                    let item = encoder.scalar(item, &mut out.losses).into_owned();
                    self.add_item(mapping, item, out)?;
                }
            }
            Value::Set(members) => {
                for member in members {
                    self.make_room(mapping, member.len(), out)?;
                    self.held.bytes += member.len();
                    self.held.members.push(member.to_vec());
                }
            }
            Value::SortedSet(members) => {
                for member in members {
                    let member = encoder.scored(member, &mut out.losses).into_owned();
                    self.add_item(mapping, member, out)?;
                }
            }
            Value::Stream(stream) => {
                for entry in &stream.entries {
                    let entry = encoder.entry(entry, &mut out.losses)?.into_owned();
                    self.add_item(mapping, entry, out)?;
                }
            }
            Value::Array(array) => {
                for (index, slot) in &array.slots {
                    let item = vec![Number::from(*index).into(), slot_value(slot).into_owned()];
                    self.add_item(mapping, AttributeValue::L(item), out)?;
                }
            }
            Value::Hash(fields) => {
                for field in fields {
                    self.add_field(mapping, encoder, field, out)?;
                }
            }
            // These come whole, and have no elements: their text is cut.
            _ => {
                let value = encoder.value(value, &mut out.losses)?;
                for piece in text_pieces(&value, self.room) {
                    self.make_room(mapping, self.room, out)?;
                    self.held.bytes = piece.len();
                    self.held.list.push(piece.into());
                }
            }
        }
        Ok(())
    }

    fn add_item(
        &mut self,
        mapping: &Mapping,
        item: AttributeValue<'static>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        let bytes = 1 + size(&item);
        self.make_room(mapping, bytes, out)?;
        self.held.bytes += bytes;
        self.held.list.push(item);
        Ok(())
    }

    fn add_field(
        &mut self,
        mapping: &Mapping,
        encoder: Encoder<'_>,
        field: &keystar_rdb::Field<'_>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        // The encoder borrows from the field for as long as it lives itself.
        let encoder = Encoder { mapping: encoder.mapping, rule: encoder.rule };
        let encoded = if self.top_level {
            encoder.top_level(field, &mut out.losses)?
        } else {
            encoder.field(field, &mut out.losses)?
        };
        let Some(encoded) = encoded else { return Ok(()) };
        let expiry = encoded.expires_at.map(Number::from);
        let bytes = encoded.name.len()
            + 1
            + size(&encoded.value)
            + expiry.as_ref().map_or(0, |_| encoded.name.len() + 12);
        self.make_room(mapping, bytes, out)?;
        let held = &mut self.held;
        held.bytes += bytes;
        let name = encoded.name.into_owned();
        if let Some(expiry) = expiry {
            held.ttls.push(name.clone(), expiry);
        }
        held.map.push(name, encoded.value.into_owned());
        let is_referred = encoder.rule.attributes.iter().any(|extra| match &extra.value {
            ExtraValue::Template(template) => template.fields().any(|name| field.name == *name),
            _ => false,
        });
        if is_referred {
            let name = String::from_utf8_lossy(&field.name).into_owned();
            held.referred.push((name, field.value.to_vec()));
        }
        Ok(())
    }

    fn add_text(
        &mut self,
        mapping: &Mapping,
        text: &[u8],
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        if let Some(beside) = &mut self.offload {
            beside.write(text.to_vec(), false, out);
            return Ok(());
        }
        let mut rest = text;
        while !rest.is_empty() {
            // One byte more than fits tells that the text goes on.
            let wanted = (self.room + 1).saturating_sub(self.held.text.len());
            let (more, after) = rest.split_at(wanted.min(rest.len()));
            self.held.text.extend_from_slice(more);
            rest = after;
            if self.held.text.len() > self.room {
                let piece = text_piece(&self.held.text, self.room);
                let length = piece.map_or(self.room, str::len);
                let kept = self.held.text.split_off(length);
                self.flush(mapping, None, out)?;
                self.held.text = kept;
            }
        }
        Ok(())
    }

    /// Hands the part out if this many bytes more do not fit.
    fn make_room(
        &mut self,
        mapping: &Mapping,
        bytes: usize,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        if self.held.bytes > 0 && self.held.bytes + bytes > self.room {
            self.flush(mapping, None, out)?;
        }
        if bytes > self.room && self.offload.is_none() {
            let detail = format!("one element of {bytes} bytes");
            return Err(Reject::new(RejectReason::Oversize, detail));
        }
        Ok(())
    }

    /// Hands the last part out.
    fn finish(
        &mut self,
        mapping: &Mapping,
        value: &Value<'_>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        let mut tail = Attributes::new();
        match value {
            Value::Stream(stream) => crate::tail::encode(stream, &mut tail),
            Value::Array(array) => {
                if let Some(index) = array.insert_index {
                    tail.push("insert_index", Number::from(index));
                }
            }
            _ => {}
        }
        let tail_bytes = size(&AttributeValue::M(tail.clone()));
        let mut pieces = Vec::new();
        if tail_bytes > self.room && self.offload.is_none() {
            pieces = text_pieces(&AttributeValue::M(tail), self.room);
            tail = Attributes::new();
        } else if !tail.is_empty() {
            self.make_room(mapping, tail_bytes, out)?;
        }
        let last_piece = pieces.pop();
        if last_piece.is_some() {
            self.flush(mapping, Some(Attributes::new()), out)?;
            for piece in pieces {
                self.held.list.push(piece.into());
                self.flush(mapping, None, out)?;
            }
        }
        let tail = match last_piece {
            Some(piece) => {
                self.held.list.push(piece.into());
                None
            }
            None => Some(tail),
        };
        self.flush_last(mapping, tail, out)?;
        if self.offload.is_some() {
            self.point(mapping, out)?;
        }
        Ok(())
    }

    fn flush(
        &mut self,
        mapping: &Mapping,
        tail: Option<Attributes<'static>>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        self.write_part(mapping, tail, false, out)
    }

    fn flush_last(
        &mut self,
        mapping: &Mapping,
        tail: Option<Attributes<'_>>,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        self.write_part(mapping, tail.map(Attributes::into_owned), true, out)
    }

    /// Makes an item of what is held.
    fn write_part(
        &mut self,
        mapping: &Mapping,
        tail: Option<Attributes<'static>>,
        is_last: bool,
        out: &mut Mapped<'_>,
    ) -> Result<(), Reject> {
        if self.kind == Kind::String
            && let Some(beside) = &mut self.offload
        {
            beside.write(Vec::new(), is_last, out);
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        let number = self.number;
        self.number += 1;
        let envelope = self.envelope(mapping)?;
        let names = &mapping.names;
        let element = suffix(number);
        let element = (number > 0).then_some(element.as_str());
        let mut item = envelope.start(element, held.map.len() + 6);
        let (start, length) = (self.start, held.length());
        let ttls = std::mem::take(&mut held.ttls);
        let referred = std::mem::take(&mut held.referred);
        if self.top_level {
            item.attributes.extend(held.map);
        } else {
            item.push(names.value.as_str(), held.value(self.kind, tail));
        }
        if !ttls.is_empty() {
            item.push(names.field_ttls.as_str(), AttributeValue::M(ttls));
        }
        let field = |name: &str| {
            let found = referred.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_slice())
        };
        envelope.end(&mut item, self.expires_at, &field, &mut out.losses)?;
        item.push(names.part.as_str(), Number::from(number));
        item.push(names.start.as_str(), Number::from(start));
        if is_last {
            item.push(names.parts.as_str(), Number::from(number + 1));
        }
        let mut line = Vec::new();
        let item = if self.offload.is_some() {
            json::write_item(&item, &mut line);
            None
        } else {
            Some(item.into_owned())
        };
        out.items.extend(item);
        if let Some(beside) = &mut self.offload {
            beside.write(line, is_last, out);
        }
        self.start += length;
        Ok(())
    }

    /// Makes the item that says where the value lies.
    fn point(&self, mapping: &Mapping, out: &mut Mapped<'_>) -> Result<(), Reject> {
        let Some(beside) = &self.offload else { return Ok(()) };
        let envelope = self.envelope(mapping)?;
        let names = &mapping.names;
        let mut item = envelope.start(None, 6);
        let mut map = Attributes::with_capacity(3);
        map.push("name", beside.name.as_str());
        map.push("bytes", Number::from(beside.bytes));
        map.push("sha256", hex(&beside.digest.clone().finalize()));
        item.push(names.offload.as_str(), AttributeValue::M(map));
        envelope.end(&mut item, self.expires_at, &|_| None, &mut Vec::new())?;
        if item.get(&names.r#type).is_none() {
            // Nothing else tells the type here, whatever the rule says.
            item.push(names.r#type.as_str(), crate::map::type_name(self.kind));
        }
        out.items.push(item.into_owned());
        Ok(())
    }
}

impl Held {
    /// The number of elements, or of bytes of a string.
    fn length(&self) -> u64 {
        (self.list.len() + self.map.len() + self.members.len() + self.text.len()) as u64
    }

    /// The value of a part in the layout `item`.
    fn value(self, kind: Kind, tail: Option<Attributes<'static>>) -> AttributeValue<'static> {
        match kind {
            Kind::String => match String::from_utf8(self.text) {
                Ok(text) => AttributeValue::S(text.into()),
                Err(error) => AttributeValue::B(error.into_bytes().into()),
            },
            Kind::List | Kind::SortedSet => AttributeValue::L(self.list),
            Kind::Set => set(self.members.iter().map(Vec::as_slice)).into_owned(),
            Kind::Hash => AttributeValue::M(self.map),
            Kind::Stream | Kind::Array => {
                if let (Some(AttributeValue::S(_)), 1) = (self.list.first(), self.list.len()) {
                    // A piece of the text of a tail that is too big.
                    return self.list.into_iter().next().unwrap_or(AttributeValue::Null);
                }
                let mut map = Attributes::with_capacity(8);
                let name = if kind == Kind::Stream { "entries" } else { "slots" };
                map.push(name, AttributeValue::L(self.list));
                map.extend(tail.into_iter().flatten());
                AttributeValue::M(map)
            }
            _ => self.list.into_iter().next().unwrap_or(AttributeValue::Null),
        }
    }
}

impl Beside {
    fn new(subject: Subject<'_>) -> Self {
        let digest = Sha256::new()
            .chain_update(subject.db.to_le_bytes())
            .chain_update(subject.key)
            .finalize();
        let extension = if subject.kind == Kind::String { "bin" } else { "jsonl" };
        let digits = hex(digest.get(..16).unwrap_or_default());
        Self { name: format!("{digits}.{extension}"), bytes: 0, digest: Sha256::new() }
    }

    fn write(&mut self, bytes: Vec<u8>, last: bool, out: &mut Mapped<'_>) {
        self.bytes += bytes.len() as u64;
        self.digest.update(&bytes);
        if last || !bytes.is_empty() {
            out.offloads.push(Offload { name: self.name.clone(), bytes: bytes.into(), last });
        }
    }
}

fn size(value: &AttributeValue<'_>) -> usize {
    usize::try_from(limits::value_size(value)).unwrap_or(usize::MAX)
}

/// The number of elements, as a part's `start` counts them.
fn length(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        other => other.len() as u64,
    }
}

/// No more bytes than an item with these elements has: exact but for what joins them.
fn least_bytes(encoder: Encoder<'_>, value: &Value<'_>) -> Result<u64, Reject> {
    /// Shorter text may be a number, which takes fewer bytes than it has digits.
    const NO_NUMBER: usize = crate::encode::MAX_NUMBER_BYTES + 1;
    let ignored = &mut Vec::new();
    let encoder = Encoder { mapping: encoder.mapping, rule: encoder.rule };
    Ok(match value {
        Value::String(text) if text.len() < NO_NUMBER => 0,
        Value::String(text) => text.len() as u64,
        Value::List(items) => {
            items.iter().map(|item| 1 + limits::value_size(&encoder.scalar(item, ignored))).sum()
        }
        Value::Set(members) => members.iter().map(|member| member.len() as u64).sum(),
        Value::SortedSet(items) => {
            items.iter().map(|item| 1 + limits::value_size(&encoder.scored(item, ignored))).sum()
        }
        Value::Hash(fields) => {
            let mut bytes = 0;
            for field in fields {
                if let Some(field) = encoder.field(field, ignored)? {
                    bytes += field.name.len() as u64 + limits::value_size(&field.value);
                }
            }
            bytes
        }
        Value::Stream(stream) => {
            let mut bytes = 0;
            for entry in &stream.entries {
                bytes += 1 + limits::value_size(&encoder.entry(entry, ignored)?);
            }
            bytes
        }
        Value::Array(array) => {
            array.slots.iter().map(|(_, slot)| 4 + limits::value_size(&slot_value(slot))).sum()
        }
        _ => 0,
    })
}

/// Adds the elements of a further piece; `false` if it is of another kind.
fn append(value: &mut Value<'static>, more: &Value<'static>) -> bool {
    match (value, more) {
        (Value::String(text), Value::String(more)) => {
            let mut bytes = std::mem::take(text).into_vec();
            bytes.extend_from_slice(more);
            *text = bytes.into();
        }
        (Value::List(items), Value::List(more)) | (Value::Set(items), Value::Set(more)) => {
            items.extend_from_slice(more);
        }
        (Value::SortedSet(items), Value::SortedSet(more)) => items.extend_from_slice(more),
        (Value::Hash(fields), Value::Hash(more)) => fields.extend_from_slice(more),
        (Value::Stream(stream), Value::Stream(more)) => {
            let mut entries = std::mem::take(&mut stream.entries);
            entries.extend_from_slice(&more.entries);
            *stream = more.clone();
            stream.entries = entries;
        }
        (Value::Array(array), Value::Array(more)) => {
            array.insert_index = more.insert_index.or(array.insert_index);
            array.slots.extend_from_slice(&more.slots);
        }
        _ => return false,
    }
    true
}
