use futures_core::future::BoxFuture;
use keystar_rdb::Record;

use crate::{Batch, Error, Position, Source, batch::Packed};

/// Records in memory as a source: the twin that tests and small jobs use.
///
/// ```
/// use keystar_extract::{Batch, MemorySource, Source};
/// use keystar_rdb::{Db, Record, Value};
///
/// let record = Record::new(Db(0), "greeting".into(), Value::String("hello".into()));
/// let mut source = MemorySource::new(vec![record]);
/// let mut batch = Batch::new();
/// # futures_executor::block_on(async {
/// assert!(source.fill(&mut batch).await?);
/// assert_eq!(batch.entries().count(), 1);
/// assert!(!source.fill(&mut batch).await?);
/// # Ok::<(), keystar_extract::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemorySource {
    records: Vec<Record<'static>>,
    next: usize,
    batch_records: usize,
}

impl MemorySource {
    /// Gives these records, in this order; a record's offset is its index.
    pub fn new(records: Vec<Record<'static>>) -> Self {
        Self { records, next: 0, batch_records: 100 }
    }

    /// How many records a batch holds.
    #[must_use]
    pub fn with_batch_records(mut self, records: usize) -> Self {
        self.batch_records = records.max(1);
        self
    }
}

impl Source for MemorySource {
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            batch.clear();
            let left = self.records.iter().enumerate().skip(self.next);
            batch.packed.extend(
                left.take(self.batch_records)
                    .map(|(at, record)| Packed::Record(Box::new(record.clone()), at as u64)),
            );
            self.next += batch.packed.len();
            batch.source_bytes = self.next as u64;
            batch.position = Some(Position { offset: self.next as u64, state: Vec::new() });
            Ok(!batch.is_empty())
        })
    }

    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.next = usize::try_from(position.offset)
                .ok()
                .filter(|next| *next <= self.records.len())
                .ok_or(Error::Position("the checkpoint lies behind the end of the records"))?;
            Ok(())
        })
    }

    fn total_bytes(&self) -> Option<u64> {
        Some(self.records.len() as u64)
    }
}
