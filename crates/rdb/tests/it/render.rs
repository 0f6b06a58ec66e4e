//! Everything that is told, as stable and readable JSON.

use base64::Engine;
use keystar_rdb::{
    Element, Error, Event, Field, Head, Json, Level, Module, ModuleToken, Options, Parser, Scored,
    Slot, Step, Stream, StreamEntry, UnixMillis, Value,
};
use serde_json::{Value as J, json};

/// Text where the bytes are text, else base64.
pub(crate) fn blob(bytes: &[u8]) -> J {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => {
            json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
    }
}

fn millis(at: Option<UnixMillis>) -> J {
    at.map_or(J::Null, |at| json!(at.0))
}

pub(crate) fn float(value: f64) -> J {
    json!(format!("{value:?}"))
}

fn field(field: &Field<'_>) -> J {
    match field.expires_at {
        None => json!([blob(&field.name), blob(&field.value)]),
        at => json!([blob(&field.name), blob(&field.value), millis(at)]),
    }
}

fn scored(scored: &Scored<'_>) -> J {
    json!([blob(&scored.member), float(scored.score)])
}

fn slot(index: u64, slot: &Slot<'_>) -> J {
    match slot {
        Slot::Text(text) => json!([index, blob(text)]),
        Slot::Int(value) => json!([index, { "int": value }]),
        Slot::Float(value) => json!([index, { "float": float(*value) }]),
        _ => unreachable!(),
    }
}

fn entry(entry: &StreamEntry<'_>) -> J {
    let fields: Vec<_> =
        entry.fields.iter().map(|(name, value)| json!([blob(name), blob(value)])).collect();
    json!({ "id": entry.id.to_string(), "fields": fields })
}

fn stream(stream: &Stream<'_>) -> J {
    let groups: Vec<_> = stream
        .groups
        .iter()
        .map(|group| {
            let pending: Vec<_> = group
                .pending
                .iter()
                .map(|pending| {
                    json!({
                        "id": pending.id.to_string(),
                        "consumer": pending.consumer.as_ref().map(|name| blob(name)),
                        "delivered_at": pending.delivered_at.0,
                        "delivery_count": pending.delivery_count,
                    })
                })
                .collect();
            let consumers: Vec<_> = group
                .consumers
                .iter()
                .map(|consumer| {
                    json!({
                        "name": blob(&consumer.name),
                        "seen_at": consumer.seen_at.0,
                        "active_at": millis(consumer.active_at),
                    })
                })
                .collect();
            json!({
                "name": blob(&group.name),
                "last_id": group.last_id.to_string(),
                "entries_read": group.entries_read,
                "pending": pending,
                "consumers": consumers,
                "nacked": group.nacked.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let idempotency = stream.idempotency.as_ref().map(|kept| {
        let producers: Vec<_> = kept
            .producers
            .iter()
            .map(|producer| {
                let entries: Vec<_> = producer
                    .entries
                    .iter()
                    .map(|(id, entry)| json!([blob(id), entry.to_string()]))
                    .collect();
                json!({ "id": blob(&producer.id), "entries": entries })
            })
            .collect();
        json!({
            "duration_seconds": kept.duration_seconds,
            "max_entries": kept.max_entries,
            "producers": producers,
            "ids_added": kept.ids_added,
            "duplicates": kept.duplicates,
        })
    });
    json!({
        "entries": stream.entries.iter().map(entry).collect::<Vec<_>>(),
        "length": stream.length,
        "last_id": stream.last_id.to_string(),
        "first_id": stream.first_id.map(|id| id.to_string()),
        "max_deleted_id": stream.max_deleted_id.map(|id| id.to_string()),
        "entries_added": stream.entries_added,
        "groups": groups,
        "idempotency": idempotency,
    })
}

fn document(json: &Json) -> J {
    json!({ "document": json.to_string() })
}

fn module(module: &Module<'_>) -> J {
    let tokens: Vec<_> = module
        .tokens
        .iter()
        .map(|token| match token {
            ModuleToken::Int(value) => json!({ "int": value }),
            ModuleToken::Uint(value) => json!({ "uint": value }),
            ModuleToken::Float(value) => json!({ "float": format!("{value:?}") }),
            ModuleToken::Double(value) => json!({ "double": float(*value) }),
            ModuleToken::Text(text) => json!({ "text": blob(text) }),
        })
        .collect();
    json!({ "name": module.name, "version": module.version, "tokens": tokens })
}

pub(crate) fn value(value: &Value<'_>) -> J {
    match value {
        Value::String(text) => blob(text),
        Value::List(items) | Value::Set(items) => items.iter().map(|item| blob(item)).collect(),
        Value::SortedSet(members) => members.iter().map(scored).collect(),
        Value::Hash(fields) => fields.iter().map(field).collect(),
        Value::Stream(value) => stream(value),
        Value::Array(array) => json!({
            "insert_index": array.insert_index,
            "slots": array.slots.iter().map(|(index, value)| slot(*index, value)).collect::<Vec<_>>(),
        }),
        Value::Json(json) => document(json),
        Value::Module(value) => module(value),
        _ => unreachable!(),
    }
}

fn head(head: &Head<'_>) -> J {
    json!({
        "db": head.db.0,
        "key": blob(&head.key),
        "type": head.kind().name(),
        "encoding": head.encoding.name(),
        "module": head.module.map(|id| id.to_string()),
        "expires_at": millis(head.expires_at),
        "usage": format!("{:?}", head.usage),
        "offset": head.offset,
        "meta": head.meta.as_ref().map(|meta| blob(meta)),
    })
}

fn element(element: &Element<'_>) -> J {
    match element {
        Element::Text(text) => json!({ "text": blob(text) }),
        Element::Chunk { bytes, offset, total, .. } => {
            json!({ "chunk": blob(bytes), "offset": offset, "total": total })
        }
        Element::Item(item) => json!({ "item": blob(item) }),
        Element::Member(member) => json!({ "member": blob(member) }),
        Element::Scored(member) => json!({ "scored": scored(member) }),
        Element::Field(value) => json!({ "field": field(value) }),
        Element::Entry(value) => json!({ "entry": entry(value) }),
        Element::StreamTail(value) => json!({ "tail": stream(value) }),
        Element::Slot(index, value) => json!({ "slot": slot(*index, value) }),
        Element::ArrayHead { insert_index, .. } => json!({ "array": insert_index }),
        Element::Json(json) => document(json),
        Element::Module(value) => json!({ "module": module(value) }),
        _ => unreachable!(),
    }
}

pub(crate) fn event(event: &Event<'_>) -> J {
    match event {
        Event::Start { family, version, .. } => {
            json!({ "start": family.to_string(), "version": version })
        }
        Event::Aux { key, value, .. } => json!({ "aux": blob(key), "value": blob(value) }),
        Event::Select(db) => json!({ "select": db.0 }),
        Event::Resize { keys, expires, .. } => json!({ "resize": [keys, expires] }),
        Event::Function { code, name, .. } => {
            json!({ "function": blob(code), "name": name.as_ref().map(|name| blob(name)) })
        }
        Event::ModuleAux { id, after_keys, module: value, .. } => {
            json!({ "module_aux": id.to_string(), "after_keys": after_keys, "value": module(value) })
        }
        Event::SlotInfo { slot, keys, expires, .. } => {
            json!({ "slot_info": [slot, keys, expires] })
        }
        Event::SlotImport { job, ranges, .. } => {
            json!({ "slot_import": blob(job), "ranges": ranges })
        }
        Event::HashTemplate { id, fields, .. } => json!({ "template": [id, fields] }),
        Event::Command(arguments) => {
            json!({ "command": arguments.iter().map(|argument| blob(argument)).collect::<Vec<_>>() })
        }
        Event::Warning(warning) => json!({ "warning": warning.to_string() }),
        Event::Frame(frame) => json!({
            "frame": head(&frame.head),
            "payload": blob(frame.payload),
            "payload_offset": frame.payload_offset,
        }),
        Event::Record(record) => json!({
            "db": record.db.0,
            "key": blob(&record.key),
            "type": record.value.kind().name(),
            "expires_at": millis(record.expires_at),
            "usage": format!("{:?}", record.usage),
            "value": value(&record.value),
        }),
        Event::Key(value) => json!({ "key": head(value) }),
        Event::Element(value) => element(value),
        Event::KeyEnd { elements, bytes, .. } => json!({ "key_end": [elements, bytes] }),
        Event::Filtered(value) => json!({ "filtered": head(value) }),
        Event::Empty(value) => json!({ "empty": head(value) }),
        Event::End { checksum, .. } => json!({ "end": format!("{checksum:?}") }),
        Event::Trailing { bytes, looks_like, .. } => {
            json!({ "trailing": bytes, "looks_like": format!("{looks_like:?}") })
        }
        _ => unreachable!(),
    }
}

pub(crate) fn error(error: &Error) -> J {
    json!({ "error": error.to_string(), "skippable": error.skippable() })
}

/// All that a parser tells of pieces, with errors in their places.
pub(crate) fn drive<'a>(parser: &mut Parser, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<J> {
    let mut told = Vec::new();
    let mut pieces = pieces.peekable();
    loop {
        match parser.step() {
            Ok(Step::Event(value)) => told.push(event(&value)),
            Ok(Step::End) => return told,
            Ok(Step::NeedInput) => match pieces.next() {
                Some(piece) => parser.feed(piece),
                None => parser.finish(),
            },
            Err(value) => {
                told.push(error(&value));
                if !value.skippable() {
                    return told;
                }
            }
        }
    }
}

/// All that is told of an input fed whole.
pub(crate) fn whole(bytes: &[u8], options: Options) -> Vec<J> {
    drive(&mut Parser::new(options), std::iter::once(bytes))
}

/// One line for each event.
pub(crate) fn lines(told: &[J]) -> String {
    told.iter().map(|line| format!("{line}\n")).collect()
}

/// The records of a dump, the rest left out.
pub(crate) fn records(bytes: &[u8]) -> Vec<keystar_rdb::Record<'static>> {
    let records = keystar_rdb::Records::with_options(bytes, Options::new(Level::Records));
    records.map(|record| record.unwrap()).collect()
}

/// The records that can be read, whatever else is wrong.
pub(crate) fn records_of(bytes: &[u8]) -> Vec<keystar_rdb::Record<'static>> {
    keystar_rdb::Records::new(bytes).filter_map(Result::ok).collect()
}
