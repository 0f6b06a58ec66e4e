//! All records of a source, whole, by database and key.

use std::collections::BTreeMap;

use futures_executor::block_on;
use keystar_extract::{
    Access, Batch, Entry, Error, RdbFile, RdbOptions, Redis, RedisScan, RedisSnapshot, ScanOptions,
    Source,
};
use keystar_kit::redis::Redis as Server;
use keystar_rdb::{Db, Record, UnixMillis, Value};

/// What a source gave.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) records: BTreeMap<(Db, Vec<u8>), (Value<'static>, Option<UnixMillis>)>,
    /// Records that came more than once.
    pub(crate) repeats: u64,
    pub(crate) parts: u64,
    pub(crate) failures: Vec<String>,
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    pub(crate) warnings: Vec<String>,
    pub(crate) batches: u64,
}

impl Gathered {
    pub(crate) fn all_of(source: &mut dyn Source) -> Result<Self, Error> {
        let mut gathered = Self::default();
        let mut batch = Batch::new();
        while block_on(source.fill(&mut batch))? {
            gathered.take(&batch);
        }
        Ok(gathered)
    }

    pub(crate) fn take(&mut self, batch: &Batch) {
        self.batches += 1;
        for (reason, count) in &batch.remarks().skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.warnings.extend(batch.remarks().warnings.iter().cloned());
        for entry in batch.entries() {
            match entry {
                Entry::Frame(frame) => {
                    let record = frame.decode(batch.context().unwrap()).unwrap();
                    self.put(record.into_owned());
                }
                Entry::Record { record, .. } => self.put(record.clone()),
                Entry::Part { part, .. } => {
                    self.parts += 1;
                    let key = (part.head.db, part.head.key.to_vec());
                    if part.start == 0 {
                        let value = (part.value.clone(), part.head.expires_at);
                        self.repeats += u64::from(self.records.insert(key, value).is_some());
                    } else {
                        let (held, _) = self.records.get_mut(&key).unwrap();
                        append(held, part.value.clone());
                    }
                }
                Entry::Failed { failure, .. } => {
                    let key = String::from_utf8_lossy(&failure.key).into_owned();
                    self.failures.push(format!("{key}: {}", failure.detail));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn put(&mut self, record: Record<'static>) {
        let key = (record.db, record.key.to_vec());
        let value = (record.value, record.expires_at);
        self.repeats += u64::from(self.records.insert(key, value).is_some());
    }

    /// Says where two differ, key by key.
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_eq!(self.failures, other.failures);
        for (key, value) in &self.records {
            let name = String::from_utf8_lossy(&key.1);
            let found = other.records.get(key);
            assert_eq!(Some(value), found, "{name} in db {}", key.0);
        }
        assert_eq!(self.records.len(), other.records.len(), "the other side has more");
    }

    /// Puts the elements of sets and tables in order, which pieces do not keep.
    pub(crate) fn sorted(mut self) -> Self {
        for (value, _) in self.records.values_mut() {
            match value {
                Value::Set(members) => members.sort_by(|a, b| a.as_bytes().cmp(b)),
                Value::Hash(fields) => fields.sort_by(|a, b| a.name.as_bytes().cmp(&b.name)),
                Value::SortedSet(members) => {
                    members.sort_by(|a, b| a.member.as_bytes().cmp(&b.member));
                }
                _ => {}
            }
        }
        self
    }
}

fn append(held: &mut Value<'static>, more: Value<'static>) {
    match (held, more) {
        (Value::String(held), Value::String(more)) => {
            *held = [held.as_bytes(), &more].concat().into();
        }
        (Value::List(held), Value::List(more)) | (Value::Set(held), Value::Set(more)) => {
            held.extend(more);
        }
        (Value::SortedSet(held), Value::SortedSet(more)) => held.extend(more),
        (Value::Hash(held), Value::Hash(more)) => held.extend(more),
        (Value::Stream(held), Value::Stream(more)) => {
            let mut entries = std::mem::take(&mut held.entries);
            *held = more;
            entries.append(&mut held.entries);
            held.entries = entries;
        }
        (held, more) => panic!("{} after {}", more.kind(), held.kind()),
    }
}

/// What a scan of a server gives.
pub(crate) fn scan(server: &Server, options: ScanOptions) -> Gathered {
    let redis = Redis::connect(&server.url().parse().unwrap(), &Access::default()).unwrap();
    Gathered::all_of(&mut RedisScan::open(&redis, options).unwrap()).unwrap()
}

/// What snapshots of the servers give.
pub(crate) fn snapshot(redis: &Redis) -> Gathered {
    let mut source = RedisSnapshot::open(redis, RdbOptions::default()).unwrap();
    Gathered::all_of(&mut source).unwrap()
}

/// What RDB files of these servers give together.
pub(crate) fn all_saved(servers: &[Server]) -> Gathered {
    let mut all = Gathered::default();
    servers.iter().for_each(|server| all.records.extend(saved(server).records));
    all
}

/// What an RDB file of the same server gives.
pub(crate) fn saved(server: &Server) -> Gathered {
    let file = server.save().unwrap();
    Gathered::all_of(&mut RdbFile::open(file, RdbOptions::default()).unwrap()).unwrap()
}
