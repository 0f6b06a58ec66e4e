use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_core::future::BoxFuture;
use keystar_item::{Item, Table, json};

use crate::{
    Encoded, Error, Format, ItemEncoder, ItemSink, Mark, Origin, Receipt,
    collision::{self, Candidate, Key, Settled},
    encoder::TextEncoder,
    pool::Pool,
};

/// Keeps items in memory, with every promise of [`ItemSink`]: for tests of what writes to a sink.
///
/// ```
/// use futures_executor::block_on;
/// use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{ItemSink, MemoryItems, MemorySink, Origin};
///
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
/// let items = MemoryItems::default();
/// let mut sink = MemorySink::create(table, &items);
/// let mut encoder = sink.encoder();
/// let mut item = Item::new();
/// item.push("key", "i:");
/// encoder.push(&item, Origin(0))?;
/// block_on(sink.write(encoder.take()))?;
/// assert_eq!(items.items().len(), 0, "accepted is not durable");
/// block_on(sink.commit())?;
/// assert_eq!(items.items(), [item]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemorySink {
    table: Arc<Table>,
    pool: Arc<Pool>,
    committed: MemoryItems,
    pending: Vec<Kept>,
    repeats: bool,
}

/// What a [`MemorySink`] made durable. Clones share it: keep one to look.
#[derive(Clone, Debug, Default)]
pub struct MemoryItems(Arc<Mutex<Durable>>);

#[derive(Debug, Default)]
struct Durable {
    items: Vec<Kept>,
    /// By a finish. The items stay, so that the finish can be repeated.
    removed: HashSet<Origin>,
    /// Items by their number, likewise.
    replaced: HashSet<u32>,
}

#[derive(Clone, Debug)]
struct Kept {
    origin: Origin,
    text: Vec<u8>,
}

impl MemoryItems {
    /// The items in the order in which they were written.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'static>> {
        let durable = self.lock();
        durable
            .kept()
            // What was not written by the encoder cannot get here.
            .filter_map(|kept| json::parse_item(&kept.text).ok())
            .map(Item::into_owned)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Durable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable {
    fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.numbered().filter(|(n, _)| !self.replaced.contains(n)).map(|(_, kept)| kept)
    }

    fn numbered(&self) -> impl Iterator<Item = (u32, &Kept)> {
        (0..).zip(&self.items).filter(|(_, kept)| !self.removed.contains(&kept.origin))
    }
}

impl MemorySink {
    /// An empty sink; what `items` had is dropped.
    #[must_use]
    pub fn create(table: Table, items: &MemoryItems) -> Self {
        Self::resume(table, items, &Mark::default())
    }

    /// Goes on where the mark was made.
    #[must_use]
    pub fn resume(table: Table, items: &MemoryItems, mark: &Mark) -> Self {
        let mut durable = items.lock();
        durable.items.truncate(usize::try_from(mark.items).unwrap_or(usize::MAX));
        durable.removed.clear();
        durable.replaced.clear();
        drop(durable);
        Self {
            table: Arc::new(table),
            pool: Arc::new(Pool::new(1)),
            committed: items.clone(),
            pending: Vec::new(),
            repeats: false,
        }
    }

    /// Sets whether a record may be written more than once.
    #[must_use]
    pub fn with_repeats(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    fn commit_all(&mut self) -> Mark {
        let items = &mut self.committed.lock().items;
        items.append(&mut self.pending);
        Mark {
            items: items.len() as u64,
            bytes: items.iter().map(|kept| kept.text.len() as u64).sum(),
            ..Mark::default()
        }
    }

    fn finish_all(mut self, retract: &[Origin]) -> Receipt {
        self.commit_all();
        let mut durable = self.committed.lock();
        durable.removed.extend(retract);
        let candidates = durable
            .numbered()
            .filter_map(|(number, kept)| {
                let item = json::parse_item(&kept.text).ok()?;
                let key = Key::of(&item, &self.table)?;
                Some(Candidate { origin: kept.origin, place: (0, number), key })
            })
            .collect();
        let Settled { duplicates, repeats } = collision::settle(candidates, self.repeats);
        durable.replaced = repeats.iter().map(|(_, number)| *number).collect();
        let repeats = repeats.len() as u64;
        durable.removed.extend(duplicates.iter().map(|duplicate| duplicate.second));
        let items = durable.kept().count() as u64;
        let bytes = durable.kept().map(|kept| kept.text.len() as u64).sum();
        Receipt {
            items,
            bytes,
            stored_bytes: bytes,
            files: Vec::new(),
            duplicates,
            removed_items: durable.items.len() as u64 - items - repeats,
            repeats,
            existing: 0,
            losses: BTreeMap::new(),
        }
    }
}

impl ItemSink for MemorySink {
    fn encoder(&self) -> Box<dyn ItemEncoder> {
        let (table, pool) = (Arc::clone(&self.table), Arc::clone(&self.pool));
        Box::new(TextEncoder::new(table, &Format::DynamoDbJson, pool))
    }

    fn write(&mut self, batch: Encoded) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if batch.is_empty() {
                return Ok(());
            }
            let [text] = batch.lanes() else {
                return Err(Error::Options("the batch is of another sink's encoder"));
            };
            let mut rest = text.as_slice();
            for entry in batch.entries() {
                let (text, after) =
                    rest.split_at_checked(entry.bytes as usize).ok_or(Error::Poisoned)?;
                self.pending.push(Kept { origin: entry.origin, text: text.to_vec() });
                rest = after;
            }
            self.pool.give(batch);
            Ok(())
        })
    }

    /// Never: memory has no files to complete.
    fn wants_commit(&self) -> bool {
        false
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<Mark, Error>> {
        Box::pin(async move { Ok(self.commit_all()) })
    }

    fn finish(self: Box<Self>, retract: &[Origin]) -> BoxFuture<'static, Result<Receipt, Error>> {
        let retract = retract.to_vec();
        Box::pin(async move { Ok(self.finish_all(&retract)) })
    }
}
