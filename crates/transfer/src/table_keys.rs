//! Items of a table by their keys: to look at some, and to set some right.

use std::{collections::HashMap, time::Duration};

use keystar_item::{Item, KeySchema, Table, json};
use serde_json::value::RawValue;

use crate::{
    DynamoDb, Error, TableName,
    batch::{self, MAX_KEYS, MAX_WRITES, Patience, Writes},
    call::CallError,
    dynamodb::table_error,
    wire::Wire,
};

/// Text of a request; there are 16 MB.
const MAX_BYTES: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(300);

impl DynamoDb {
    /// The items of these keys, in their order; `None` where there is none. Of each given item
    /// only the key's attributes count.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`] and their like; [`Error::Options`] if one of them lacks the key.
    pub fn get_many(
        &self,
        table: &TableName,
        key: &KeySchema,
        keys: &[Item<'_>],
        consistent: bool,
    ) -> Result<Vec<Option<Item<'static>>>, Error> {
        let (wire, table, schema) = (self.wire().clone(), table.clone(), key.clone());
        let keys: Vec<_> = keys.iter().map(|item| item.clone().into_owned()).collect();
        self.aws().wait(async move {
            let mut found = Vec::with_capacity(keys.len());
            for keys in keys.chunks(MAX_KEYS) {
                found.extend(
                    get(&wire, &table, &schema, keys, consistent, TIMEOUT, PATIENCE).await?,
                );
            }
            Ok(found)
        })
    }

    /// Puts items, whatever the table has of their keys. Of two items of one key the later one
    /// stays.
    ///
    /// # Errors
    ///
    /// As for [`get_many`](Self::get_many).
    pub fn put_many(
        &self,
        table: &TableName,
        key: &KeySchema,
        items: &[Item<'_>],
    ) -> Result<(), Error> {
        let mut requests = Requests::default();
        let mut line = Vec::new();
        for item in items {
            line.clear();
            json::write_item(item, &mut line);
            let hash = batch::hash_of(item, key).ok_or(NO_KEY)?;
            requests.room(line.len(), hash).put(&line, hash);
        }
        self.send(table, key, requests.0)
    }

    /// Deletes the items of these keys, if they are there.
    ///
    /// # Errors
    ///
    /// As for [`get_many`](Self::get_many).
    pub fn delete_many(
        &self,
        table: &TableName,
        key: &KeySchema,
        keys: &[Item<'_>],
    ) -> Result<(), Error> {
        let mut requests = Requests::default();
        for item in keys {
            let named = batch::key_of(item, key).ok_or(NO_KEY)?;
            let hash = batch::hash_of(item, key).ok_or(NO_KEY)?;
            let named = [b"{\"Key\":", named.as_slice(), b"}"].concat();
            requests.room(named.len(), hash).delete(&named, hash);
        }
        self.send(table, key, requests.0)
    }

    fn send(&self, name: &TableName, key: &KeySchema, requests: Vec<Writes>) -> Result<(), Error> {
        let (wire, name, table) = (self.wire().clone(), name.clone(), Table::new(key.clone()));
        self.aws().wait(async move {
            for writes in requests {
                batch::write_all(&wire, &name, &table, writes, TIMEOUT, PATIENCE).await?;
            }
            Ok(())
        })
    }
}

const NO_KEY: Error = Error::Options("an item lacks the table's key");

#[derive(Default)]
struct Requests(Vec<Writes>);

impl Requests {
    fn room(&mut self, bytes: usize, hash: u64) -> &mut Writes {
        let full = self.0.last().is_none_or(|last| {
            last.len() >= MAX_WRITES || last.bytes() + bytes > MAX_BYTES || last.has(hash)
        });
        if full {
            self.0.push(Writes::default());
        }
        let last = self.0.len().saturating_sub(1);
        &mut self.0[last]
    }
}

/// 100 keys at most.
pub(crate) async fn get(
    wire: &Wire,
    table: &TableName,
    key: &KeySchema,
    keys: &[Item<'static>],
    consistent: bool,
    timeout: Duration,
    patience: Duration,
) -> Result<Vec<Option<Item<'static>>>, Error> {
    let failed = |error| table_error(error, "BatchGetItem", table);
    let mut wanted = Vec::with_capacity(keys.len());
    // A key that is asked for twice must go out once.
    let mut open: Vec<(u64, String)> = Vec::with_capacity(keys.len());
    for item in keys {
        let named = batch::key_of(item, key).ok_or(NO_KEY)?;
        let hash = batch::hash_of(item, key).ok_or(NO_KEY)?;
        wanted.push(hash);
        if !open.iter().any(|(other, _)| *other == hash) {
            // The writer writes UTF-8.
            open.push((hash, String::from_utf8(named).map_err(|_| NO_KEY)?));
        }
    }
    let mut found: HashMap<u64, Item<'static>> = HashMap::with_capacity(open.len());
    let mut patience = Patience::new(patience);
    while !open.is_empty() {
        let list: Vec<&str> = open.iter().map(|(_, key)| key.as_str()).collect();
        let body = format!(
            "{{\"RequestItems\":{{\"{table}\":{{\"Keys\":[{}],\"ConsistentRead\":{consistent}}}}}}}",
            list.join(",")
        );
        let answer = batch::call(wire, "BatchGetItem", body.into(), timeout, &mut patience).await;
        let answer = answer.map_err(|refusal| failed(refusal.error))?;
        let answer: Answer<'_> =
            serde_json::from_slice(&answer).map_err(|error| failed(CallError::network(error)))?;
        let before = open.len();
        for item in answer.responses.values().flatten() {
            let item = json::parse_item(item.get().as_bytes())?.into_owned();
            if let Some(hash) = batch::hash_of(&item, key) {
                found.insert(hash, item);
            }
        }
        let left: Vec<u64> = answer
            .unprocessed
            .values()
            .flat_map(|table| &table.keys)
            .filter_map(|named| batch::key_hash(named.get().as_bytes(), key))
            .collect();
        open.retain(|(hash, _)| left.contains(hash));
        if open.len() < before {
            patience.renew();
        }
        if !open.is_empty() && !patience.pause().await {
            return Err(failed(batch::unprocessed()));
        }
    }
    // The same key may be wanted twice.
    Ok(wanted.iter().map(|hash| found.get(hash).cloned()).collect())
}

#[derive(serde::Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, rename = "Responses")]
    responses: HashMap<String, Vec<&'a RawValue>>,
    #[serde(borrow, default, rename = "UnprocessedKeys")]
    unprocessed: HashMap<String, Unprocessed<'a>>,
}

#[derive(serde::Deserialize)]
struct Unprocessed<'a> {
    #[serde(borrow, rename = "Keys")]
    keys: Vec<&'a RawValue>,
}
