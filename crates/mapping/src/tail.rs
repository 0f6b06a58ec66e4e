//! What a stream has besides its entries: ids, consumer groups, idempotency data.

use keystar_item::{AttributeValue, Attributes, Number};
use keystar_rdb::{
    Blob, Consumer, Group, Idempotency, Pending, Producer, Stream, StreamId, UnixMillis,
};

use crate::encode::text_or_bytes;

/// Adds what the stream says of itself.
pub(crate) fn encode<'r>(stream: &'r Stream<'_>, map: &mut Attributes<'r>) {
    // Some servers wrote a wrong length: it is kept, since nothing else tells.
    map.push("length", Number::from(stream.length));
    map.push("last_id", stream.last_id.to_string());
    if let Some(id) = stream.first_id {
        map.push("first_id", id.to_string());
    }
    if let Some(id) = stream.max_deleted_id {
        map.push("max_deleted_id", id.to_string());
    }
    if let Some(added) = stream.entries_added {
        map.push("entries_added", Number::from(added));
    }
    if !stream.groups.is_empty() {
        map.push("groups", list(&stream.groups, group));
    }
    if let Some(data) = &stream.idempotency {
        map.push("idempotency", idempotency(data));
    }
}

fn list<'r, T>(items: &'r [T], encode: impl Fn(&'r T) -> AttributeValue<'r>) -> AttributeValue<'r> {
    AttributeValue::L(items.iter().map(encode).collect())
}

fn group<'r>(group: &'r Group<'_>) -> AttributeValue<'r> {
    let mut map = Attributes::with_capacity(6);
    map.push("name", text_or_bytes(&group.name));
    map.push("last_id", group.last_id.to_string());
    if let Some(read) = group.entries_read {
        map.push("entries_read", Number::from(read));
    }
    if !group.pending.is_empty() {
        map.push("pending", list(&group.pending, pending));
    }
    if !group.consumers.is_empty() {
        map.push("consumers", list(&group.consumers, consumer));
    }
    if !group.nacked.is_empty() {
        map.push("nacked", list(&group.nacked, |id| id.to_string().into()));
    }
    AttributeValue::M(map)
}

fn pending<'r>(pending: &'r Pending<'_>) -> AttributeValue<'r> {
    let mut map = Attributes::with_capacity(4);
    map.push("id", pending.id.to_string());
    if let Some(consumer) = &pending.consumer {
        map.push("consumer", text_or_bytes(consumer));
    }
    map.push("delivered_at", Number::from(pending.delivered_at.0));
    map.push("delivery_count", Number::from(pending.delivery_count));
    AttributeValue::M(map)
}

fn consumer<'r>(consumer: &'r Consumer<'_>) -> AttributeValue<'r> {
    let mut map = Attributes::with_capacity(3);
    map.push("name", text_or_bytes(&consumer.name));
    map.push("seen_at", Number::from(consumer.seen_at.0));
    if let Some(at) = consumer.active_at {
        map.push("active_at", Number::from(at.0));
    }
    AttributeValue::M(map)
}

fn idempotency<'r>(data: &'r Idempotency<'_>) -> AttributeValue<'r> {
    let mut map = Attributes::with_capacity(5);
    map.push("duration_seconds", Number::from(data.duration_seconds));
    map.push("max_entries", Number::from(data.max_entries));
    map.push("producers", list(&data.producers, producer));
    map.push("ids_added", Number::from(data.ids_added));
    map.push("duplicates", Number::from(data.duplicates));
    AttributeValue::M(map)
}

fn producer<'r>(producer: &'r Producer<'_>) -> AttributeValue<'r> {
    let entries = list(&producer.entries, |(id, entry)| {
        let mut map = Attributes::with_capacity(2);
        map.push("id", text_or_bytes(id));
        map.push("entry", entry.to_string());
        AttributeValue::M(map)
    });
    let mut map = Attributes::with_capacity(2);
    map.push("id", text_or_bytes(&producer.id));
    map.push("entries", entries);
    AttributeValue::M(map)
}

/// Reads back what [`encode`] added.
pub(crate) fn decode(map: &Attributes<'_>, stream: &mut Stream<'static>) -> Option<()> {
    stream.last_id = id(map.get("last_id")?)?;
    stream.length = number(map.get("length")?)?;
    stream.first_id = optional(map.get("first_id"), id)?;
    stream.max_deleted_id = optional(map.get("max_deleted_id"), id)?;
    stream.entries_added = optional(map.get("entries_added"), number)?;
    stream.groups = items(map.get("groups"), |map| {
        let mut group = Group::new(blob(map.get("name")?)?, id(map.get("last_id")?)?);
        group.entries_read = optional(map.get("entries_read"), number)?;
        group.pending = items(map.get("pending"), |map| {
            let at = UnixMillis(number(map.get("delivered_at")?)?);
            let pending =
                Pending::new(id(map.get("id")?)?, at, number(map.get("delivery_count")?)?);
            Some(pending.with_consumer(optional(map.get("consumer"), blob)?))
        })?;
        group.consumers = items(map.get("consumers"), |map| {
            let seen_at = UnixMillis(number(map.get("seen_at")?)?);
            let active_at = optional(map.get("active_at"), number)?.map(UnixMillis);
            Some(Consumer::new(blob(map.get("name")?)?, seen_at, active_at))
        })?;
        if let Some(nacked) = map.get("nacked") {
            let AttributeValue::L(ids) = nacked else { return None };
            group.nacked = ids.iter().map(id).collect::<Option<_>>()?;
        }
        Some(group)
    })?;
    stream.idempotency = optional(map.get("idempotency"), |value| {
        let AttributeValue::M(map) = value else { return None };
        let mut data = Idempotency::default();
        data.duration_seconds = number(map.get("duration_seconds")?)?;
        data.max_entries = number(map.get("max_entries")?)?;
        data.ids_added = number(map.get("ids_added")?)?;
        data.duplicates = number(map.get("duplicates")?)?;
        data.producers = items(map.get("producers"), |map| {
            let entries = items(map.get("entries"), |map| {
                Some((blob(map.get("id")?)?, id(map.get("entry")?)?))
            })?;
            Some(Producer::new(blob(map.get("id")?)?, entries))
        })?;
        Some(data)
    })?;
    Some(())
}

/// `Some(None)` if the attribute is not there, `None` if it is wrong.
#[allow(clippy::option_option, reason = "absent and wrong are two things")]
fn optional<T>(
    value: Option<&AttributeValue<'_>>,
    decode: impl Fn(&AttributeValue<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => decode(value).map(Some),
    }
}

fn items<T>(
    value: Option<&AttributeValue<'_>>,
    decode: impl Fn(&Attributes<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = match value {
        None => return Some(Vec::new()),
        Some(AttributeValue::L(items)) => items,
        Some(_) => return None,
    };
    items
        .iter()
        .map(|item| match item {
            AttributeValue::M(map) => decode(map),
            _ => None,
        })
        .collect()
}

fn id(value: &AttributeValue<'_>) -> Option<StreamId> {
    match value {
        AttributeValue::S(text) => text.parse().ok(),
        _ => None,
    }
}

fn blob(value: &AttributeValue<'_>) -> Option<Blob<'static>> {
    match value {
        AttributeValue::S(text) => Some(Blob::copied(text.as_bytes())),
        AttributeValue::B(bytes) => Some(Blob::copied(bytes)),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(value: &AttributeValue<'_>) -> Option<T> {
    match value {
        AttributeValue::N(number) => number.as_str().parse().ok(),
        _ => None,
    }
}
