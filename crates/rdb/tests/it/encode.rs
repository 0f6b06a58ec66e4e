//! Values of all kinds, written in every encoding by an encoder of the tests' own, are read back.

use keystar_rdb::{
    Array, Blob, Consumer, Context, Db, Encoding, Event, Family, Field, Frame, Group, Head,
    Idempotency, Level, Options, Parser, Parts, Pending, Producer, Scored, Slot, Step, Stream,
    StreamEntry, StreamId, UnixMillis, Value, decode_dump,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fields;

/// A file made by hand.
pub(crate) struct Dump(Vec<u8>);

impl Dump {
    pub(crate) fn new(magic: &str) -> Self {
        Self(magic.as_bytes().to_vec())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn string(&mut self, bytes: &[u8]) -> &mut Self {
        put_str(&mut self.0, bytes);
        self
    }

    pub(crate) fn len(&mut self, len: u64) -> &mut Self {
        put_len(&mut self.0, len);
        self
    }

    /// The end mark and the checksum.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        self.0.push(0xff);
        let crc = crc(&self.0);
        [&self.0[..], &crc.to_le_bytes()].concat()
    }
}

/// The checksum, bit by bit.
pub(crate) fn crc(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0_u64, |crc, &byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| {
            let reflected = 0xad93_d235_94c9_35a9_u64.reverse_bits();
            if crc & 1 == 1 { crc >> 1 ^ reflected } else { crc >> 1 }
        })
    })
}

pub(crate) fn put_len(out: &mut Vec<u8>, len: u64) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend((len as u16 | 0x4000).to_be_bytes()),
        0x4000..0x1_0000_0000 => {
            out.push(0x80);
            out.extend((len as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend(len.to_be_bytes());
        }
    }
}

/// A string in the form that servers choose: as an integer, compressed, or plain.
pub(crate) fn put_str(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Some(value) = integer(bytes)
        && let Ok(value) = i32::try_from(value)
    {
        if let Ok(value) = i8::try_from(value) {
            out.extend([0xc0, value.cast_unsigned()]);
        } else if let Ok(value) = i16::try_from(value) {
            out.push(0xc1);
            out.extend(value.to_le_bytes());
        } else {
            out.push(0xc2);
            out.extend(value.to_le_bytes());
        }
        return;
    }
    let packed = lzf(bytes);
    if bytes.len() > 20 && packed.len() + 4 < bytes.len() {
        out.push(0xc3);
        put_len(out, packed.len() as u64);
        put_len(out, bytes.len() as u64);
        out.extend(packed);
        return;
    }
    put_len(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The integer that these bytes are the canonical text of.
fn integer(bytes: &[u8]) -> Option<i64> {
    let value: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (value.to_string().as_bytes() == bytes).then_some(value)
}

/// Compresses as LZF, looking only for runs that begin 1, 100 or 256 bytes before.
pub(crate) fn lzf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut literal) = (0, 0);
    let flush = |out: &mut Vec<u8>, literal: &[u8]| {
        for run in literal.chunks(32) {
            out.push(run.len() as u8 - 1);
            out.extend_from_slice(run);
        }
    };
    while at < bytes.len() {
        let best = [1, 100, 256]
            .into_iter()
            .filter(|back| *back <= at)
            .map(|back| {
                let len = (at..bytes.len()).take(264).take_while(|&n| bytes[n] == bytes[n - back]);
                (len.count(), back)
            })
            .max()
            .unwrap_or((0, 0));
        let (len, back) = best;
        if len < 3 {
            at += 1;
            continue;
        }
        flush(&mut out, &bytes[literal..at]);
        let offset = back - 1;
        if len < 9 {
            out.push(((len - 2) << 5 | offset >> 8) as u8);
        } else {
            out.extend([(7 << 5 | offset >> 8) as u8, (len - 9) as u8]);
        }
        out.push(offset as u8);
        at += len;
        literal = at;
    }
    flush(&mut out, &bytes[literal..]);
    out
}

fn back_length(size: usize) -> Vec<u8> {
    let part = |shift: usize, more: u8| (size >> shift & 127) as u8 | more;
    match size {
        ..=127 => vec![part(0, 0)],
        128..16_383 => vec![part(7, 0), part(0, 128)],
        16_383..2_097_151 => vec![part(14, 0), part(7, 128), part(0, 128)],
        _ => vec![part(21, 0), part(14, 128), part(7, 128), part(0, 128)],
    }
}

fn listpack_entry(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match integer(bytes) {
        Some(value @ 0..128) => out.push(value as u8),
        Some(value @ -4096..4096) => out.extend((value as u16 & 0x1fff | 0xc000).to_be_bytes()),
        Some(value) => match (i16::try_from(value), i32::try_from(value)) {
            (Ok(value), _) => {
                out.push(0xf1);
                out.extend(value.to_le_bytes());
            }
            (_, Ok(value)) if (-(1 << 23)..1 << 23).contains(&value) => {
                out.push(0xf2);
                out.extend(&value.to_le_bytes()[..3]);
            }
            (_, Ok(value)) => {
                out.push(0xf3);
                out.extend(value.to_le_bytes());
            }
            _ => {
                out.push(0xf4);
                out.extend(value.to_le_bytes());
            }
        },
        None => {
            match bytes.len() {
                len @ ..64 => out.push(0x80 | len as u8),
                len @ 64..4096 => out.extend((len as u16 | 0xe000).to_be_bytes()),
                len => {
                    out.push(0xf0);
                    out.extend((len as u32).to_le_bytes());
                }
            }
            out.extend_from_slice(bytes);
        }
    }
    let back = back_length(out.len());
    [out, back].concat()
}

pub(crate) fn listpack(entries: &[Vec<u8>]) -> Vec<u8> {
    let body: Vec<u8> = entries.iter().flat_map(|entry| listpack_entry(entry)).collect();
    let mut out = (body.len() as u32 + 7).to_le_bytes().to_vec();
    out.extend((entries.len() as u16).to_le_bytes());
    [out, body, vec![0xff]].concat()
}

pub(crate) fn int_listpack(entries: &[i64]) -> Vec<u8> {
    listpack(&entries.iter().map(|entry| entry.to_string().into_bytes()).collect::<Vec<_>>())
}

fn ziplist(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body: Vec<u8> = Vec::new();
    let (mut previous, mut tail) = (0_usize, 10);
    for entry in entries {
        tail = 10 + body.len();
        let start = body.len();
        if previous < 254 {
            body.push(previous as u8);
        } else {
            body.push(254);
            body.extend((previous as u32).to_le_bytes());
        }
        match integer(entry) {
            Some(value @ 0..=12) => body.push(0xf1 + value as u8),
            Some(value) => {
                match (i8::try_from(value), i16::try_from(value), i32::try_from(value)) {
                    (Ok(value), ..) => body.extend([0xfe, value.cast_unsigned()]),
                    (_, Ok(value), _) => {
                        body.push(0xc0);
                        body.extend(value.to_le_bytes());
                    }
                    (.., Ok(value)) if (-(1 << 23)..1 << 23).contains(&value) => {
                        body.push(0xf0);
                        body.extend(&value.to_le_bytes()[..3]);
                    }
                    (.., Ok(value)) => {
                        body.push(0xd0);
                        body.extend(value.to_le_bytes());
                    }
                    _ => {
                        body.push(0xe0);
                        body.extend(value.to_le_bytes());
                    }
                }
            }
            None => {
                match entry.len() {
                    len @ ..64 => body.push(len as u8),
                    len @ 64..16384 => body.extend((len as u16 | 0x4000).to_be_bytes()),
                    len => {
                        body.push(0x80);
                        body.extend((len as u32).to_be_bytes());
                    }
                }
                body.extend_from_slice(entry);
            }
        }
        previous = body.len() - start;
    }
    let mut out = (body.len() as u32 + 11).to_le_bytes().to_vec();
    out.extend((tail as u32).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    [out, body, vec![0xff]].concat()
}

fn zipmap(pairs: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![(pairs.len() / 2).min(254) as u8];
    let len = |out: &mut Vec<u8>, len: usize| {
        if len < 254 {
            out.push(len as u8);
        } else {
            out.push(254);
            out.extend((len as u32).to_le_bytes());
        }
    };
    for pair in pairs.chunks(2) {
        len(&mut out, pair[0].len());
        out.extend_from_slice(&pair[0]);
        len(&mut out, pair[1].len());
        // Some unused bytes, as if the value had been longer once.
        let unused = (pair[1].len() % 4) as u8;
        out.push(unused);
        out.extend_from_slice(&pair[1]);
        out.extend(vec![b'?'; usize::from(unused)]);
    }
    out.push(0xff);
    out
}

fn intset(members: &[i64]) -> Vec<u8> {
    let fits = |bits: u32| members.iter().all(|m| *m >= -(1 << (bits - 1)) && *m < 1 << (bits - 1));
    let width: u32 = if fits(16) {
        2
    } else if fits(32) {
        4
    } else {
        8
    };
    let mut out = [width.to_le_bytes(), (members.len() as u32).to_le_bytes()].concat();
    for member in members {
        out.extend(&member.to_le_bytes()[..width as usize]);
    }
    out
}

fn score(score: f64) -> Vec<u8> {
    if score.is_infinite() {
        return if score > 0.0 { b"inf".to_vec() } else { b"-inf".to_vec() };
    }
    format!("{score:?}").trim_end_matches(".0").as_bytes().to_vec()
}

fn put_raw_id(out: &mut Vec<u8>, id: StreamId) {
    out.extend(id.ms.to_be_bytes());
    out.extend(id.seq.to_be_bytes());
}

fn put_id(out: &mut Vec<u8>, id: StreamId) {
    put_len(out, id.ms);
    put_len(out, id.seq);
}

/// The nodes of a stream, some entries each; the fields of the first are those of the node.
fn put_nodes(out: &mut Vec<u8>, entries: &[StreamEntry<'_>]) {
    let nodes: Vec<_> = entries.chunks(3).collect();
    put_len(out, nodes.len() as u64);
    for node in nodes {
        let base = node[0].id;
        let mut raw = Vec::new();
        put_raw_id(&mut raw, base);
        put_str(out, &raw);
        let text = |number: i64| number.to_string().into_bytes();
        let names: Vec<_> = node[0].fields.iter().map(|(name, _)| name.to_vec()).collect();
        let mut pack = vec![text(node.len() as i64), text(1), text(names.len() as i64)];
        pack.extend(names.iter().cloned());
        pack.push(text(0));
        // A deleted entry that must not be told.
        pack.extend([text(3), text(0), text(0)]);
        pack.extend(names.iter().map(|_| b"gone".to_vec()));
        pack.push(text(names.len() as i64 + 3));
        for entry in node {
            let same = entry.fields.iter().map(|(name, _)| name.to_vec()).eq(names.iter().cloned());
            let before = pack.len();
            pack.push(text(if same { 2 } else { 0 }));
            pack.push(text(entry.id.ms.wrapping_sub(base.ms).cast_signed()));
            pack.push(text(entry.id.seq.wrapping_sub(base.seq).cast_signed()));
            if !same {
                pack.push(text(entry.fields.len() as i64));
            }
            for (name, value) in &entry.fields {
                if !same {
                    pack.push(name.to_vec());
                }
                pack.push(value.to_vec());
            }
            pack.push(text((pack.len() - before) as i64));
        }
        put_str(out, &listpack(&pack));
    }
}

fn put_stream(out: &mut Vec<u8>, stream: &Stream<'_>, level: u8) {
    put_nodes(out, &stream.entries);
    put_len(out, stream.length);
    put_id(out, stream.last_id);
    if level >= 2 {
        put_id(out, stream.first_id.unwrap());
        put_id(out, stream.max_deleted_id.unwrap());
        put_len(out, stream.entries_added.unwrap());
    }
    put_len(out, stream.groups.len() as u64);
    for group in &stream.groups {
        put_str(out, &group.name);
        put_id(out, group.last_id);
        if level >= 2 {
            put_len(out, group.entries_read.unwrap_or(u64::MAX));
        }
        put_len(out, group.pending.len() as u64);
        for pending in &group.pending {
            put_raw_id(out, pending.id);
            out.extend(pending.delivered_at.0.to_le_bytes());
            put_len(out, pending.delivery_count);
        }
        put_len(out, group.consumers.len() as u64);
        for consumer in &group.consumers {
            put_str(out, &consumer.name);
            out.extend(consumer.seen_at.0.to_le_bytes());
            if level >= 3 {
                out.extend(consumer.active_at.map_or(-1, |at| at.0).to_le_bytes());
            }
            let owned = group.pending.iter();
            let owned: Vec<_> =
                owned.filter(|pending| pending.consumer.as_ref() == Some(&consumer.name)).collect();
            put_len(out, owned.len() as u64);
            for pending in owned {
                put_raw_id(out, pending.id);
            }
        }
        if level >= 5 {
            put_len(out, group.nacked.len() as u64);
            for id in &group.nacked {
                put_raw_id(out, *id);
            }
        }
    }
    if level >= 4 {
        let kept = stream.idempotency.clone().unwrap_or_default();
        put_len(out, kept.duration_seconds);
        put_len(out, kept.max_entries);
        put_len(out, kept.producers.len() as u64);
        for producer in &kept.producers {
            put_str(out, &producer.id);
            put_len(out, producer.entries.len() as u64);
            for (id, entry) in &producer.entries {
                put_str(out, id);
                put_id(out, *entry);
            }
        }
        put_len(out, kept.ids_added);
        put_len(out, kept.duplicates);
    }
}

/// The value in every encoding that can hold it: family, type byte, payload. Names of hash
/// templates are those of template 3.
fn encodings(value: &Value<'_>) -> Vec<(Family, u8, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |byte: u8, write: &dyn Fn(&mut Vec<u8>)| {
        let mut payload = Vec::new();
        write(&mut payload);
        all.push((Family::Redis, byte, payload));
    };
    let many = |out: &mut Vec<u8>, items: &[Blob<'_>]| {
        put_len(out, items.len() as u64);
        items.iter().for_each(|item| put_str(out, item));
    };
    match value {
        Value::String(text) => add(0, &|out| put_str(out, text)),
        Value::List(items) => {
            let plain: Vec<_> = items.iter().map(|item| item.to_vec()).collect();
            add(1, &|out| many(out, items));
            add(10, &|out| put_str(out, &ziplist(&plain)));
            add(14, &|out| {
                put_len(out, plain.chunks(2).count() as u64);
                plain.chunks(2).for_each(|node| put_str(out, &ziplist(node)));
            });
            add(18, &|out| {
                put_len(out, plain.chunks(2).count() as u64);
                for node in plain.chunks(2) {
                    if let [item] = node
                        && !item.is_empty()
                    {
                        put_len(out, 1);
                        put_str(out, item);
                    } else {
                        put_len(out, 2);
                        put_str(out, &listpack(node));
                    }
                }
            });
        }
        Value::Set(members) => {
            let plain: Vec<_> = members.iter().map(|member| member.to_vec()).collect();
            add(2, &|out| many(out, members));
            add(20, &|out| put_str(out, &listpack(&plain)));
            let integers: Option<Vec<_>> = members.iter().map(|member| integer(member)).collect();
            if let Some(integers) = integers
                && integers.is_sorted()
            {
                add(11, &|out| put_str(out, &intset(&integers)));
            }
        }
        Value::SortedSet(members) => {
            let flat: Vec<_> =
                members.iter().flat_map(|m| [m.member.to_vec(), score(m.score)]).collect();
            add(3, &|out| {
                put_len(out, members.len() as u64);
                for member in members {
                    put_str(out, &member.member);
                    match member.score {
                        f64::INFINITY => out.push(254),
                        f64::NEG_INFINITY => out.push(255),
                        value => {
                            let text = score(value);
                            out.push(text.len() as u8);
                            out.extend(text);
                        }
                    }
                }
            });
            add(5, &|out| {
                put_len(out, members.len() as u64);
                for member in members {
                    put_str(out, &member.member);
                    out.extend(member.score.to_le_bytes());
                }
            });
            // Integers lose the sign of zero.
            if members.iter().all(|member| member.score.to_bits() != (-0.0_f64).to_bits()) {
                add(12, &|out| put_str(out, &ziplist(&flat)));
                add(17, &|out| put_str(out, &listpack(&flat)));
            }
        }
        Value::Hash(fields) if fields.iter().any(|field| field.expires_at.is_some()) => {
            let at = |field: &Field<'_>| field.expires_at.map_or(0, |at| at.0);
            let first = fields.iter().filter_map(|field| field.expires_at).min().unwrap().0;
            let triples: Vec<_> = fields
                .iter()
                .flat_map(|f| [f.name.to_vec(), f.value.to_vec(), at(f).to_string().into_bytes()])
                .collect();
            add(22, &|out| {
                put_len(out, fields.len() as u64);
                for field in fields {
                    put_len(out, at(field) as u64);
                    put_str(out, &field.name);
                    put_str(out, &field.value);
                }
            });
            add(23, &|out| put_str(out, &listpack(&triples)));
            add(24, &|out| {
                out.extend(first.to_le_bytes());
                put_len(out, fields.len() as u64);
                for field in fields {
                    let ttl = field.expires_at.map_or(0, |at| at.0 - first + 1);
                    put_len(out, ttl as u64);
                    put_str(out, &field.name);
                    put_str(out, &field.value);
                }
            });
            add(25, &|out| {
                out.extend(first.to_le_bytes());
                put_str(out, &listpack(&triples));
            });
            let mut payload = Vec::new();
            put_len(&mut payload, fields.len() as u64);
            for field in fields {
                put_str(&mut payload, &field.name);
                put_str(&mut payload, &field.value);
                payload.extend(field.expires_at.map_or(-1, |at| at.0).to_le_bytes());
            }
            all.push((Family::Valkey, 22, payload));
        }
        Value::Hash(fields) => {
            let flat: Vec<_> =
                fields.iter().flat_map(|f| [f.name.to_vec(), f.value.to_vec()]).collect();
            let names: Vec<_> = fields.iter().map(|field| field.name.to_vec()).collect();
            let mut values: Vec<_> = fields.iter().map(|field| field.value.to_vec()).collect();
            add(4, &|out| {
                put_len(out, fields.len() as u64);
                flat.iter().for_each(|text| put_str(out, text));
            });
            add(9, &|out| put_str(out, &zipmap(&flat)));
            add(13, &|out| put_str(out, &ziplist(&flat)));
            add(16, &|out| put_str(out, &listpack(&flat)));
            let packed_names = |out: &mut Vec<u8>| {
                put_len(out, 0);
                put_str(out, &listpack(&names));
            };
            let plain_names = |out: &mut Vec<u8>| {
                put_len(out, 1);
                put_len(out, names.len() as u64);
                names.iter().for_each(|name| put_str(out, name));
            };
            add(31, &|out| {
                packed_names(out);
                values.iter().for_each(|value| put_str(out, value));
            });
            add(32, &|out| {
                put_len(out, 3);
                values.iter().for_each(|value| put_str(out, value));
            });
            values.insert(0, b"3".to_vec());
            add(29, &|out| {
                plain_names(out);
                put_str(out, &listpack(&values));
            });
            add(30, &|out| put_str(out, &listpack(&values)));
        }
        Value::Stream(stream) => {
            for (byte, level) in [(15, 1), (19, 2), (21, 3), (26, 4), (27, 5)] {
                add(byte, &|out| put_stream(out, stream, level));
            }
        }
        Value::Array(array) => add(28, &|out| {
            put_len(out, array.slots.len() as u64);
            put_len(out, u64::from(array.insert_index.is_some()));
            array.insert_index.iter().for_each(|index| put_len(out, *index));
            for (index, slot) in &array.slots {
                put_len(out, *index);
                match slot {
                    Slot::Text(text) => {
                        put_len(out, if text.len() < 8 { 3 } else { 0 });
                        put_str(out, text);
                    }
                    Slot::Int(value) => {
                        put_len(out, 1);
                        out.extend(value.to_le_bytes());
                    }
                    Slot::Float(value) => {
                        put_len(out, 2);
                        out.extend(value.to_le_bytes());
                    }
                    _ => unreachable!(),
                }
            }
        }),
        other => panic!("{other:?}"),
    }
    all
}

/// What of a stream survives in an encoding.
fn as_of(value: &Value<'static>, byte: u8) -> Value<'static> {
    let Value::Stream(stream) = value else { return value.clone() };
    let mut stream = stream.clone();
    if byte < 19 {
        (stream.first_id, stream.max_deleted_id, stream.entries_added) = (None, None, None);
        stream.groups.iter_mut().for_each(|group| group.entries_read = None);
    }
    if byte < 21 {
        for consumer in stream.groups.iter_mut().flat_map(|group| &mut group.consumers) {
            consumer.active_at = Some(consumer.seen_at);
        }
    }
    if byte < 26 {
        stream.idempotency = None;
    }
    if byte < 27 {
        stream.groups.iter_mut().for_each(|group| group.nacked.clear());
    }
    Value::Stream(stream)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..12),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => (-200_i64..20_000).prop_map(|n| n.to_string().into_bytes()),
        1 => vec(any::<u8>(), 60..300),
        1 => (any::<u8>(), 20_usize..20_000).prop_map(|(byte, len)| vec![byte; len]),
        1 => vec(any::<u8>(), 100..101).prop_map(|pattern| pattern.repeat(3)),
    ]
}

fn blob() -> impl Strategy<Value = Blob<'static>> {
    bytes().prop_map(Blob::from)
}

fn distinct() -> impl Strategy<Value = Vec<Blob<'static>>> {
    proptest::collection::btree_set(blob(), 1..8).prop_map(|set| set.into_iter().collect())
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        (-1000..1000).prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn id() -> impl Strategy<Value = StreamId> {
    (any::<u32>(), 0..3_u64).prop_map(|(ms, seq)| StreamId::new(u64::from(ms), seq))
}

fn ids(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<StreamId>> {
    proptest::collection::btree_set(id(), count).prop_map(|set| set.into_iter().collect())
}

fn entries() -> impl Strategy<Value = Vec<StreamEntry<'static>>> {
    ids(0..8).prop_flat_map(|ids| {
        let names = prop_oneof![Just("a"), Just("b")].prop_map(Blob::from);
        vec(vec((names, blob()), 1..3), ids.len()).prop_map(move |all| {
            let all = ids.iter().zip(all);
            all.map(|(id, fields)| StreamEntry { id: *id, fields }).collect()
        })
    })
}

fn group() -> impl Strategy<Value = Group<'static>> {
    let consumers = proptest::collection::btree_map(blob(), (any::<i64>(), 0..i64::MAX), 0..3);
    (blob(), id(), any::<u32>(), ids(0..6), consumers, ids(0..3)).prop_map(
        |(name, last_id, read, pending, consumers, nacked)| {
            let mut group = Group::new(name, last_id);
            group.entries_read = Some(u64::from(read)).filter(|read| read % 3 != 0);
            group.consumers = consumers
                .into_iter()
                .map(|(name, (seen, active))| {
                    let active = Some(UnixMillis(active)).filter(|at| at.0 % 2 == 0);
                    Consumer::new(name, UnixMillis(seen), active)
                })
                .collect();
            let names: Vec<_> = group.consumers.iter().map(|c| c.name.clone()).collect();
            let pending = pending.into_iter().enumerate();
            group.pending = pending
                .map(|(at, id)| {
                    let consumer = names.get(at % (names.len() + 1)).cloned();
                    let at = UnixMillis(at as i64 * 1000);
                    Pending::new(id, at, 3).with_consumer(consumer)
                })
                .collect();
            group.nacked = nacked;
            group
        },
    )
}

fn stream() -> impl Strategy<Value = Value<'static>> {
    let groups = proptest::collection::btree_map(blob(), group(), 0..3);
    let producer = (blob(), vec((blob(), id()), 0..3)).prop_map(|(id, all)| Producer::new(id, all));
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), id());
    (entries(), groups, vec(producer, 0..3), numbers).prop_map(
        |(entries, groups, producers, (a, b, c, id))| {
            let mut stream = Stream::default();
            stream.length = entries.len() as u64;
            stream.entries = entries;
            stream.last_id = id;
            stream.first_id = Some(StreamId::new(a, b));
            stream.max_deleted_id = Some(StreamId::new(b, a));
            stream.entries_added = Some(c);
            stream.groups = groups
                .into_iter()
                .map(|(name, group)| {
                    let mut group = group;
                    group.name = name;
                    group
                })
                .collect();
            let mut kept = Idempotency::default();
            (kept.duration_seconds, kept.max_entries) = (a, 100);
            (kept.ids_added, kept.duplicates) = (c, b);
            kept.producers = producers;
            stream.idempotency = Some(kept);
            Value::Stream(Box::new(stream))
        },
    )
}

fn slot() -> impl Strategy<Value = Slot<'static>> {
    prop_oneof![
        blob().prop_map(Slot::Text),
        any::<i64>().prop_map(Slot::Int),
        number().prop_map(Slot::Float),
    ]
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let expiry = proptest::option::of((1..1_i64 << 46).prop_map(UnixMillis));
    let slots = proptest::collection::btree_map(0..u64::MAX - 1, slot(), 1..6);
    prop_oneof![
        blob().prop_map(Value::String),
        vec(blob(), 1..8).prop_map(Value::List),
        distinct().prop_map(Value::Set),
        proptest::collection::btree_set(any::<i64>(), 1..8)
            .prop_map(|set| { Value::Set(set.into_iter().map(Blob::from_i64).collect()) }),
        (distinct(), vec(number(), 8)).prop_map(|(members, scores)| {
            let members = members.into_iter().zip(scores);
            Value::SortedSet(members.map(|(member, score)| Scored { member, score }).collect())
        }),
        (distinct(), vec(blob(), 8)).prop_map(|(names, values)| {
            let fields = names.into_iter().zip(values);
            Value::Hash(fields.map(|(name, value)| Field::new(name, value)).collect())
        }),
        (distinct(), vec((blob(), expiry), 8)).prop_map(|(names, values)| {
            let fields = names.into_iter().zip(values);
            let field = |(name, (value, at))| Field::new(name, value).with_expires_at(at);
            Value::Hash(fields.map(field).collect())
        }),
        stream(),
        (slots, proptest::option::of(any::<u64>())).prop_map(|(slots, index)| {
            Value::Array(Array::new(slots.into_iter().collect()).with_insert_index(index))
        }),
    ]
}

/// A file with this value, its template and a key that follows.
fn file(family: Family, byte: u8, payload: &[u8], names: &[Vec<u8>]) -> Vec<u8> {
    let mut dump = match family {
        Family::Redis => Dump::new("REDIS0015"),
        Family::Valkey => Dump::new("VALKEY081"),
    };
    if family == Family::Redis && !names.is_empty() {
        dump.raw(b"\xf2\x03").len(names.len() as u64);
        for name in names {
            dump.string(name);
        }
    }
    dump.raw(&[byte]).string(b"key").raw(payload).raw(b"\x00\x04next\x05value");
    dump.end()
}

fn assert_read_back(value: &Value<'static>) {
    let names: Vec<_> = match value {
        Value::Hash(fields) => fields.iter().map(|field| field.name.to_vec()).collect(),
        _ => Vec::new(),
    };
    for (family, byte, payload) in encodings(value) {
        let encoding = Encoding::new(family, byte).unwrap();
        let expected = as_of(value, byte);
        let dump = file(family, byte, &payload, &names);
        // Frames, DUMP payloads.
        let mut parser = Parser::new(Options::new(Level::FRAMES));
        parser.feed(&dump);
        let mut keys = 0;
        loop {
            let context = parser.context().clone();
            let Step::Event(event) = parser.step().unwrap() else { break };
            let Event::Frame(frame) = event else { continue };
            keys += 1;
            if keys == 1 {
                assert_eq!(frame.payload, payload, "{encoding}");
                assert_eq!(frame.decode(&context).unwrap().value, expected, "{encoding}");
                assert_shown(&frame, &context, &expected);
                let restore = frame.to_dump(&context).unwrap();
                // RESTORE would count the deleted entries of our streams, too.
                assert_eq!(decode_dump(&restore).unwrap(), expected, "{encoding}");
            }
        }
        assert_eq!(keys, 2, "{encoding}");
        // Elements, in small pieces.
        let options = Options::new(Level::Elements).with_chunk_bytes(50);
        for step in [1, 7, dump.len()] {
            let mut parser = Parser::new(options.clone());
            let mut parts = Parts::new(usize::MAX);
            let mut told = Vec::new();
            for piece in dump.chunks(step) {
                parser.feed(piece);
                while let Step::Event(event) = parser.step().unwrap() {
                    told.extend(parts.push(event).map(|part| part.value));
                }
            }
            assert_eq!(told, [expected.clone(), Value::String("value".into())], "{encoding}");
        }
    }
}

/// The fields of hashes of the layouts without expiries and templates are shown, others never.
fn assert_shown(frame: &Frame<'_>, context: &Context, value: &Value<'_>) {
    const SHOWN: [&str; 4] = ["hash", "hash_zipmap", "hash_ziplist", "hash_listpack"];
    let shown = fields::assert_as_decoded(frame, context);
    assert_eq!(shown, SHOWN.contains(&frame.head.encoding.name()), "{value:?}");
    // Whatever is changed or cut, no other fields are told than those of the decoder.
    let bytes = if shown { frame.payload.len().min(60) } else { 0 };
    for at in 0..bytes {
        let mut payload = frame.payload.to_vec();
        payload[at] ^= 0x51;
        for payload in [&payload[..], &frame.payload[..at]] {
            fields::assert_as_decoded(&Frame::new(frame.head.clone(), payload, 0), context);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn values_are_read_back(value in any_value()) {
        assert_read_back(&value);
    }

    #[test]
    fn lzf_is_read_back(text in bytes()) {
        let packed = lzf(&text);
        let mut payload = vec![0xc3];
        put_len(&mut payload, packed.len() as u64);
        put_len(&mut payload, text.len() as u64);
        payload.extend(packed);
        let encoding = Encoding::new(Family::Redis, 0).unwrap();
        let context = Context::redis(11);
        let frame = Frame::new(Head::new(Db(0), "k".into(), encoding), &payload, 0);
        let record = frame.decode(&context).unwrap();
        prop_assert_eq!(record.value, Value::String(text.into()));
    }
}

#[test]
fn every_encoding_is_read_back_somewhere() {
    use std::collections::BTreeSet;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let values = [
        Value::String("a".into()),
        Value::List(vec!["a".into()]),
        Value::Set(vec!["1".into()]),
        Value::SortedSet(vec![Scored::new("a".into(), 1.0)]),
        Value::Hash(vec![Field::new("a".into(), "b".into())]),
        Value::Hash(vec![Field::new("a".into(), "b".into()).with_expires_at(UnixMillis(5))]),
        Value::Stream(Box::default()),
        Value::Array(Array::new(vec![(3, Slot::Int(1))])),
    ];
    for value in values {
        let mut value = value;
        if let Value::Stream(stream) = &mut value {
            stream.first_id = Some(StreamId::default());
            stream.max_deleted_id = Some(StreamId::default());
            stream.entries_added = Some(0);
        }
        for (family, byte, _) in encodings(&value) {
            seen.insert(Encoding::new(family, byte).unwrap().name());
        }
    }
    // Modules are in the dumps of servers.
    seen.insert("module_2");
    let known: BTreeSet<&str> = [Family::Redis, Family::Valkey]
        .into_iter()
        .flat_map(|family| (0..=255).filter_map(move |byte| Encoding::new(family, byte).ok()))
        .map(Encoding::name)
        .collect();
    assert_eq!(seen, known);
    assert_eq!(known.len(), 32);
}
