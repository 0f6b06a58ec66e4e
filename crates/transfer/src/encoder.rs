use std::sync::Arc;

use keystar_item::{Item, Table, ion, json, limits, limits::Violation};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Encoded, Format, ItemEncoder, Origin, Position, csv::CellWriter, pool::Pool};

/// The encoder of every sink here: check, hash of the key, text.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    table: Arc<Table>,
    text: Text,
    pool: Arc<Pool>,
    batch: Encoded,
    /// The key of the item at hand; kept for its allocation.
    key: Vec<u8>,
}

#[derive(Debug)]
enum Text {
    Json,
    Ion,
    Cells(CellWriter),
}

impl TextEncoder {
    pub(crate) fn new(table: Arc<Table>, format: &Format, pool: Arc<Pool>) -> Self {
        let text = match format {
            Format::DynamoDbJson => Text::Json,
            Format::Ion => Text::Ion,
            Format::Csv(csv) => Text::Cells(CellWriter::new(&table, csv)),
        };
        let batch = pool.take();
        Self { table, text, pool, batch, key: Vec::new() }
    }
}

impl ItemEncoder for TextEncoder {
    fn push(&mut self, item: &Item<'_>, origin: Origin) -> Result<u32, Violation> {
        let size = limits::check(item, &self.table)?;
        self.key.clear();
        // The check made sure that the key is there.
        let _ = self.table.key.encode_key(item, &mut self.key);
        let hash = xxh3_64(&self.key);
        match &mut self.text {
            Text::Json => self.batch.push(hash, origin, |out| json::write_item(item, out)),
            Text::Ion => self.batch.push(hash, origin, |out| ion::write_item(item, out)),
            Text::Cells(cells) => {
                self.batch.push(hash, origin, |out| cells.write(item, out));
                for loss in cells.losses() {
                    self.batch.push_loss(loss);
                }
            }
        }
        Ok(size)
    }

    fn position(&self) -> Position {
        self.batch.position()
    }

    fn truncate(&mut self, to: Position) {
        self.batch.truncate(to);
    }

    fn take(&mut self) -> Encoded {
        std::mem::replace(&mut self.batch, self.pool.take())
    }
}
