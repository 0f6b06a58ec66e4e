//! Items into a table that is there, while they come.

use std::{collections::BTreeMap, sync::Arc};

use futures_core::future::BoxFuture;
use keystar_item::Table;

use crate::{
    DynamoDb, EncodeLoss, Encoded, Error, Format, ItemEncoder, ItemSink, LiveOptions, LossCount,
    Mark, Origin, Put, Receipt,
    batch::{MAX_WRITES, Writes},
    encoder::TextEncoder,
    error::OrIo,
    live_log::Log,
    live_pump::Pump,
    live_settle,
    pool::Pool,
    sink::LiveMark,
    spill::{Known, Spill},
};

/// Writes items to a table by `BatchWriteItem`.
///
/// - **Accepted** items are on their way; a [`commit`](ItemSink::commit) waits until the table has
///   acknowledged all of them. A run that is resumed writes what came after the mark once more.
/// - **In order of a key**: two items of one key are never under way at once. Otherwise items
///   arrive in any order.
/// - **What the table does not take at once** (`UnprocessedItems`, throttling, errors of the
///   service, lost answers) is sent again after a pause that grows; only what is left of a request.
///   While the table throttles, fewer requests are under way at once.
/// - **Work directory**: for each item, 24 bytes say who it is, and its packed text is kept:
///   when the job is finished, items whose key another record had first are put back or deleted
///   from that, as are retracted records. It may be deleted once the receipt is safe.
///
/// The futures need no runtime of the caller's.
///
/// ```no_run
/// use futures_executor::block_on;
/// use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{Aws, AwsOptions, ItemSink, LiveOptions, LiveWriter, Origin};
///
/// let db = Aws::connect(&AwsOptions::default())?.dynamodb();
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name("users");
/// let mut sink = Box::new(LiveWriter::open(&db, LiveOptions::new(table, "work")?, None)?);
///
/// let mut encoder = sink.encoder();
/// let mut item = Item::new();
/// item.push("key", "i:");
/// encoder.push(&item, Origin(0))?;
///
/// block_on(sink.write(encoder.take()))?;
/// let mark = block_on(sink.commit())?; // the table has it: save the mark
/// assert_eq!(mark.items(), 1);
/// let receipt = block_on(sink.finish(&[]))?;
/// assert_eq!(receipt.items, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LiveWriter {
    db: DynamoDb,
    options: LiveOptions,
    table: Arc<Table>,
    pool: Arc<Pool>,
    pump: Pump,
    spill: Spill,
    log: Log,
    /// The request in the making.
    open: Writes,
    /// Most writes of a request.
    most: usize,
    mark: Mark,
    /// Written since the last commit.
    items: u64,
    bytes: u64,
    losses: BTreeMap<EncodeLoss, LossCount>,
    failed: bool,
}

impl LiveWriter {
    /// Begins, or goes on where the mark was made. The table must be there, with the key that the
    /// options say.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`], [`Error::TableKey`], [`Error::TableStatus`]; [`Error::Resume`] if
    /// the mark or the work directory are of another run; and whatever may keep us from asking.
    pub fn open(db: &DynamoDb, options: LiveOptions, mark: Option<&Mark>) -> Result<Self, Error> {
        options.check()?;
        db.require(&options.name, &options.table.key)?;
        let mut mark = mark.cloned().unwrap_or_default();
        if mark != Mark::default() && mark.shape != options.shape() {
            let reason = "the options are not those of the mark";
            return Err(Error::Resume { place: options.name.url(), reason });
        }
        mark.shape = options.shape();
        let work = &options.work;
        std::fs::create_dir_all(work).or_io("create", work.display().to_string())?;
        let spill = match &mark.spill {
            Some(spill) => Spill::resume(work, spill)?,
            None => Spill::create(work)?,
        };
        let log = Log::resume(work, &mark.live.clone().unwrap_or_default().log)?;
        Ok(Self {
            db: db.clone(),
            table: Arc::new(options.table.clone()),
            pool: Arc::new(Pool::new(1)),
            pump: Pump::start(db, &options),
            spill,
            log,
            open: Writes::default(),
            most: if options.put == Put::Always { MAX_WRITES } else { 1 },
            items: 0,
            bytes: 0,
            losses: mark.losses.clone(),
            mark,
            options,
            failed: false,
        })
    }

    async fn accept(&mut self, batch: Encoded) -> Result<(), Error> {
        for (loss, origin) in batch.losses() {
            let seen = self.losses.entry(loss).or_insert(LossCount { count: 0, first: origin });
            seen.count += 1;
        }
        let mut rest: &[u8] = match batch.lanes() {
            [text] => text,
            _ => return Err(Error::Options("the batch is of another sink's encoder")),
        };
        for entry in batch.entries() {
            let (line, after) =
                rest.split_at_checked(entry.bytes as usize).ok_or(Error::Poisoned)?;
            rest = after;
            let place = self.log.push(line)?;
            self.spill.push(Known {
                key_hash: entry.key_hash,
                origin: entry.origin,
                file: place.0,
                index: place.1,
            })?;
            if self.open.len() >= self.most
                || self.open.bytes() + line.len() > self.options.max_request_bytes
                || self.open.has(entry.key_hash)
            {
                self.send_open().await?;
            }
            self.open.put(line, entry.key_hash);
            self.items += 1;
            self.bytes += u64::from(entry.bytes);
        }
        self.pool.give(batch);
        Ok(())
    }

    async fn send_open(&mut self) -> Result<(), Error> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.pump.write(std::mem::take(&mut self.open)).await
    }

    async fn commit_all(&mut self) -> Result<Mark, Error> {
        self.send_open().await?;
        let existing = self.pump.flush().await?;
        self.mark.items += std::mem::take(&mut self.items);
        self.mark.bytes += std::mem::take(&mut self.bytes);
        self.mark.losses.clone_from(&self.losses);
        self.mark.spill = Some(self.spill.commit()?);
        let before = self.mark.live.as_ref().map_or(0, |live| live.existing);
        self.mark.live = Some(LiveMark { log: self.log.commit()?, existing: before + existing });
        Ok(self.mark.clone())
    }

    async fn finish_all(mut self, retract: &[Origin]) -> Result<Receipt, Error> {
        if self.failed {
            return Err(Error::Poisoned);
        }
        self.commit_all().await?;
        let existing = self.mark.live.as_ref().map_or(0, |live| live.existing);
        let receipt = Receipt {
            items: self.mark.items,
            bytes: self.mark.bytes,
            stored_bytes: self.mark.bytes,
            existing,
            losses: self.losses,
            ..Receipt::default()
        };
        let Self { db, options, spill, log, .. } = self;
        live_settle::settle(&db, options, spill, log, retract, receipt).await
    }
}

impl ItemSink for LiveWriter {
    fn encoder(&self) -> Box<dyn ItemEncoder> {
        let (table, pool) = (Arc::clone(&self.table), Arc::clone(&self.pool));
        Box::new(TextEncoder::new(table, &Format::DynamoDbJson, pool))
    }

    fn write(&mut self, batch: Encoded) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            // Until it is through: a future that is dropped half-way has failed.
            if std::mem::replace(&mut self.failed, true) {
                return Err(Error::Poisoned);
            }
            self.accept(batch).await?;
            self.failed = false;
            Ok(())
        })
    }

    /// Never: a table has no files to complete.
    fn wants_commit(&self) -> bool {
        false
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<Mark, Error>> {
        Box::pin(async move {
            if std::mem::replace(&mut self.failed, true) {
                return Err(Error::Poisoned);
            }
            let mark = self.commit_all().await?;
            self.failed = false;
            Ok(mark)
        })
    }

    fn finish(self: Box<Self>, retract: &[Origin]) -> BoxFuture<'static, Result<Receipt, Error>> {
        let retract = retract.to_vec();
        Box::pin(async move { self.finish_all(&retract).await })
    }
}
