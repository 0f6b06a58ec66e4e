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

    fn takes_lines(&self) -> bool {
        matches!(self.text, Text::Json)
    }

    fn push_line(&mut self, key: &[u8], line: &[u8], origin: Origin) -> bool {
        self.key.clear();
        if !self.takes_lines() || !self.table.key.encode_text(key, &mut self.key) {
            return false;
        }
        self.batch.push(xxh3_64(&self.key), origin, |out| out.extend_from_slice(line));
        true
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

#[cfg(test)]
mod tests {
    use keystar_item::{KeyAttribute, KeySchema, KeyType};

    use super::*;
    use crate::CsvOptions;

    fn encoder(key: KeySchema, format: &Format) -> TextEncoder {
        TextEncoder::new(Arc::new(Table::new(key)), format, Arc::new(Pool::new(4)))
    }

    #[test]
    fn a_line_is_as_its_item() {
        let schema = KeySchema::new(KeyAttribute::new("key", KeyType::S));
        let [mut items, mut lines] =
            [(); 2].map(|()| encoder(schema.clone(), &Format::DynamoDbJson));
        assert!(lines.takes_lines());
        for n in 0..100 {
            let key = format!("i:{n}");
            let mut item = Item::new();
            item.push("key", key.as_str());
            let mut line = Vec::new();
            json::write_item(&item, &mut line);
            items.push(&item, Origin(n)).unwrap();
            assert!(lines.push_line(key.as_bytes(), &line, Origin(n)));
        }
        let [items, lines] = [items.take(), lines.take()];
        assert_eq!(items.entries(), lines.entries());
        assert_eq!(items.lanes(), lines.lanes());
    }

    #[test]
    fn no_line_goes_where_it_does_not_belong() {
        let text = KeyAttribute::new("key", KeyType::S);
        let bytes = KeyAttribute::new("key", KeyType::B);
        let sorted = KeySchema::new(text.clone()).with_sort(KeyAttribute::new("sk", KeyType::S));
        let csv = Format::Csv(CsvOptions::default());
        for (key, format) in [
            (KeySchema::new(text.clone()), Format::Ion),
            (KeySchema::new(text), csv),
            (KeySchema::new(bytes), Format::DynamoDbJson),
            (sorted, Format::DynamoDbJson),
        ] {
            let mut encoder = encoder(key, &format);
            assert_eq!(encoder.takes_lines(), format == Format::DynamoDbJson);
            assert!(!encoder.push_line(b"k", b"{}\n", Origin(0)));
            assert!(encoder.take().is_empty());
        }
    }
}
