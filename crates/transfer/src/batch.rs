//! DynamoDB's batches as text: what is sent, what comes back, and trying again.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use bytes::Bytes;
use keystar_item::{Item, KeySchema, Table, json};
use serde_json::value::RawValue;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Error, TableName,
    call::CallError,
    dynamodb::table_error,
    wire::{Refusal, Wire},
};

/// Most puts and deletes of a `BatchWriteItem`.
pub(crate) const MAX_WRITES: usize = 25;
/// Most keys of a `BatchGetItem`.
pub(crate) const MAX_KEYS: usize = 100;
/// Shortest and longest pause before a call is made again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(5));

/// A `BatchWriteItem` in the making, as text; or several writes of one table that go one by one.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    text: Vec<u8>,
    /// Where in the text each write is, and the hash of its key.
    writes: Vec<(usize, usize, u64)>,
}

impl Writes {
    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn has(&self, key_hash: u64) -> bool {
        self.writes.iter().any(|write| write.2 == key_hash)
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.writes.iter().map(|write| write.2)
    }

    /// Appends `{"Item":{…}}`, with or without a newline, to be put.
    pub(crate) fn put(&mut self, line: &[u8], key_hash: u64) {
        self.push(b"{\"PutRequest\":", line.strip_suffix(b"\n").unwrap_or(line), key_hash);
    }

    /// Appends `{"Key":{…}}` to be deleted.
    pub(crate) fn delete(&mut self, key: &[u8], key_hash: u64) {
        self.push(b"{\"DeleteRequest\":", key, key_hash);
    }

    fn push(&mut self, before: &[u8], what: &[u8], key_hash: u64) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        let begin = self.text.len();
        self.text.extend_from_slice(before);
        self.text.extend_from_slice(what);
        self.text.push(b'}');
        self.writes.push((begin, self.text.len(), key_hash));
    }

    /// Each write: `{"PutRequest":{"Item":{…}}}`.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.writes
            .iter()
            .map(|(begin, end, hash)| (self.text.get(*begin..*end).unwrap_or_default(), *hash))
    }

    /// The line that was put: `{"Item":{…}}`.
    pub(crate) fn line(write: &[u8]) -> &[u8] {
        let line = write.strip_prefix(b"{\"PutRequest\":").unwrap_or(write);
        line.strip_suffix(b"}").unwrap_or(line)
    }

    /// Those of the writes that have one of the hashes, in their order.
    fn only(&self, hashes: &[u64]) -> Self {
        let mut some = Self::default();
        for (write, hash) in self.each().filter(|(_, hash)| hashes.contains(hash)) {
            some.push(write, b"", hash);
            // `push` closes what it opens, and this is closed already.
            some.text.pop();
            if let Some(last) = some.writes.last_mut() {
                last.1 -= 1;
            }
        }
        some
    }

    /// The call's input.
    pub(crate) fn body(&self, table: &TableName, count_units: bool) -> Bytes {
        let mut body = Vec::with_capacity(self.text.len() + table.as_str().len() + 64);
        // A table's name needs no escapes.
        body.extend_from_slice(b"{\"RequestItems\":{\"");
        body.extend_from_slice(table.as_str().as_bytes());
        body.extend_from_slice(b"\":[");
        body.extend_from_slice(&self.text);
        body.extend_from_slice(b"]}");
        if count_units {
            body.extend_from_slice(b",\"ReturnConsumedCapacity\":\"TOTAL\"");
        }
        body.push(b'}');
        body.into()
    }

    /// What of it is left to do, and how many units the rest cost.
    pub(crate) fn left(
        &self,
        answer: &[u8],
        table: &Table,
    ) -> Result<(Self, Option<f64>), CallError> {
        // By far the most frequent one.
        if answer == b"{\"UnprocessedItems\":{}}" || answer == b"{}" {
            return Ok((Self::default(), None));
        }
        let answer: WriteAnswer<'_> = serde_json::from_slice(answer).map_err(CallError::network)?;
        let units = answer.units();
        let mut hashes = Vec::new();
        for write in answer.unprocessed.values().flatten() {
            let named = write.put.as_ref().map(|put| put.item);
            let Some(named) = named.or(write.delete.as_ref().map(|delete| delete.key)) else {
                continue;
            };
            match key_hash(named.get().as_bytes(), &table.key) {
                Some(hash) if self.has(hash) => hashes.push(hash),
                // Not what we sent: all of it once more, because a put may be repeated.
                _ => return Ok((self.only(&self.hashes().collect::<Vec<_>>()), units)),
            }
        }
        Ok((self.only(&hashes), units))
    }
}

#[derive(serde::Deserialize)]
struct WriteAnswer<'a> {
    #[serde(borrow, default, rename = "UnprocessedItems")]
    unprocessed: HashMap<Cow<'a, str>, Vec<WriteRequest<'a>>>,
    #[serde(default, rename = "ConsumedCapacity")]
    consumed: Vec<Consumed>,
}

#[derive(serde::Deserialize)]
struct WriteRequest<'a> {
    #[serde(borrow, rename = "PutRequest")]
    put: Option<PutRequest<'a>>,
    #[serde(borrow, rename = "DeleteRequest")]
    delete: Option<DeleteRequest<'a>>,
}

#[derive(serde::Deserialize)]
struct PutRequest<'a> {
    #[serde(borrow, rename = "Item")]
    item: &'a RawValue,
}

#[derive(serde::Deserialize)]
struct DeleteRequest<'a> {
    #[serde(borrow, rename = "Key")]
    key: &'a RawValue,
}

#[derive(Clone, Copy, serde::Deserialize)]
pub(crate) struct Consumed {
    #[serde(rename = "CapacityUnits")]
    pub(crate) units: f64,
}

impl WriteAnswer<'_> {
    fn units(&self) -> Option<f64> {
        (!self.consumed.is_empty()).then(|| self.consumed.iter().map(|one| one.units).sum())
    }
}

/// The hash that an encoder gives to the item's key.
pub(crate) fn key_hash(item: &[u8], key: &KeySchema) -> Option<u64> {
    let item = json::parse_item(item).ok()?;
    hash_of(&item, key)
}

pub(crate) fn hash_of(item: &Item<'_>, key: &KeySchema) -> Option<u64> {
    let mut bytes = Vec::new();
    key.encode_key(item, &mut bytes).then(|| xxh3_64(&bytes))
}

/// `{"key":{"S":"a"}}`: the key alone, as the API wants it.
pub(crate) fn key_of(item: &Item<'_>, key: &KeySchema) -> Option<Vec<u8>> {
    let mut alone = Item::new();
    for attribute in key.attributes() {
        alone.push(attribute.name.as_str(), item.get(&attribute.name)?.clone());
    }
    let mut text = Vec::new();
    json::write_attributes(&alone.attributes, &mut text);
    Some(text)
}

/// How long a call is tried again before it has failed.
#[derive(Debug)]
pub(crate) struct Patience {
    most: Duration,
    since: Instant,
    attempt: u32,
}

impl Patience {
    pub(crate) fn new(most: Duration) -> Self {
        Self { most, since: Instant::now(), attempt: 0 }
    }

    /// A part of the work was done.
    pub(crate) fn renew(&mut self) {
        self.since = Instant::now();
    }

    /// Waits before the next attempt: longer from one to the next, and never as long as others
    /// that wait. `false` if it is time to give up.
    pub(crate) async fn pause(&mut self) -> bool {
        let longest = PAUSE.0.saturating_mul(1 << self.attempt.min(10)).min(PAUSE.1);
        self.attempt += 1;
        if self.since.elapsed() + PAUSE.0 > self.most {
            return false;
        }
        tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        true
    }
}

/// A call whose repetition does no harm, until it is answered or patience is at an end.
pub(crate) async fn call(
    wire: &Wire,
    operation: &'static str,
    body: Bytes,
    timeout: Duration,
    patience: &mut Patience,
) -> Result<Bytes, Refusal> {
    loop {
        match wire.call(operation, body.clone(), timeout).await {
            Err(refusal) if refusal.error.is_retryable() && patience.pause().await => {}
            answer => return answer,
        }
    }
}

/// Writes all of it, 25 at most, however often that takes.
pub(crate) async fn write_all(
    wire: &Wire,
    name: &TableName,
    table: &Table,
    mut writes: Writes,
    timeout: Duration,
    patience: Duration,
) -> Result<(), Error> {
    let failed = |error| table_error(error, "BatchWriteItem", name);
    let mut patience = Patience::new(patience);
    while !writes.is_empty() {
        let body = writes.body(name, false);
        let answer = call(wire, "BatchWriteItem", body, timeout, &mut patience).await;
        let answer = answer.map_err(|refusal| failed(refusal.error))?;
        let (left, _) = writes.left(&answer, table).map_err(failed)?;
        if left.len() < writes.len() {
            patience.renew();
        }
        writes = left;
        if !writes.is_empty() && !patience.pause().await {
            return Err(failed(unprocessed()));
        }
    }
    Ok(())
}

/// The table took less than was sent for as long as we tried.
pub(crate) fn unprocessed() -> CallError {
    CallError::answered(
        400,
        "ProvisionedThroughputExceededException",
        "items were left unprocessed",
    )
}

#[cfg(test)]
mod tests {
    use keystar_item::{KeyAttribute, KeyType};

    use super::*;

    fn table() -> Table {
        Table::new(KeySchema::new(KeyAttribute::new("pk", KeyType::N)))
    }

    fn line(n: &str) -> Vec<u8> {
        format!("{{\"Item\":{{\"pk\":{{\"N\":\"{n}\"}},\"x\":{{\"S\":\"}}\"}}}}}}\n").into_bytes()
    }

    fn writes(numbers: &[&str]) -> Writes {
        let mut writes = Writes::default();
        for n in numbers {
            writes.put(&line(n), key_hash(&line(n), &table().key).unwrap());
        }
        writes
    }

    #[test]
    fn a_body_is_what_the_api_takes() {
        let mut two = writes(&["1"]);
        let key = br#"{"Key":{"pk":{"N":"2"}}}"#;
        two.delete(key, key_hash(br#"{"pk":{"N":"2"}}"#, &table().key).unwrap());
        let expected = concat!(
            r#"{"RequestItems":{"a.b":[{"PutRequest":{"Item":{"pk":{"N":"1"},"x":{"S":"}"}}}},"#,
            r#"{"DeleteRequest":{"Key":{"pk":{"N":"2"}}}}]},"ReturnConsumedCapacity":"TOTAL"}"#
        );
        assert_eq!(two.body(&"a.b".parse().unwrap(), true), expected);
    }

    #[test]
    fn only_what_is_left_is_sent_again() {
        let sent = writes(&["1", "2", "3"]);
        // Numbers come back in the server's own form.
        let answer = concat!(
            r#"{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"x":{"S":"}"},"pk":{"N":"3.0"}}}},"#,
            r#"{"PutRequest":{"Item":{"pk":{"N":"1"},"x":{"S":"}"}}}}]},"#,
            r#""ConsumedCapacity":[{"TableName":"t","CapacityUnits":1.5}]}"#
        );
        let (left, units) = sent.left(answer.as_bytes(), &table()).unwrap();
        let kept: Vec<&[u8]> = left.each().map(|(write, _)| Writes::line(write)).collect();
        assert_eq!(kept, [&line("1")[..line("1").len() - 1], &line("3")[..line("3").len() - 1]]);
        assert_eq!(units, Some(1.5));
        let (none, units) = left.left(br#"{"UnprocessedItems":{}}"#, &table()).unwrap();
        assert!(none.is_empty() && units.is_none());
        // A stranger's item: everything again.
        let answer = br#"{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"pk":{"N":"9"}}}}]}}"#;
        assert_eq!(sent.left(answer, &table()).unwrap().0.text, sent.text);
    }
}
