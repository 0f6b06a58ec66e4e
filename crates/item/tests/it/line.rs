//! Lines written straight from bytes are those of items that were checked.

use keystar_item::json::{self, MapLine};
use keystar_item::{
    AttributeValue, Attributes, Item, KeyAttribute, KeySchema, KeyType, Number, Table, limits,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => arbitrary::text().prop_map(String::into_bytes),
        3 => arbitrary::number().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn line<'l>(lines: &'l mut MapLine, key: &[u8], entries: &Entries) -> Option<&'l [u8]> {
    let mut written = lines.begin(key)?;
    for (name, value) in entries {
        written.push(name, value)?;
    }
    written.finish()
}

/// The same by way of an item.
fn checked(table: &Table, key: &[u8], entries: &Entries) -> Option<Vec<u8>> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let mut map = Attributes::new();
    for (name, value) in entries {
        let value = match Number::from_canonical(value) {
            Some(number) => AttributeValue::N(number),
            None => AttributeValue::from(text(value)?),
        };
        map.push(text(name)?, value);
    }
    let mut item = Item::new();
    item.push(table.key.partition.name.as_str(), text(key)?);
    item.push("a \"value\"", map);
    let bytes = limits::check(&item, table).ok()?;
    let mut line = Vec::new();
    json::write_item(&item, &mut line);
    assert!(bytes as usize <= line.len(), "larger than its line: {item:?}");
    Some(line)
}

proptest! {
    #[test]
    fn lines_are_those_of_checked_items(
        items in vec((bytes(), vec((bytes(), bytes()), 0..12)), 1..4),
    ) {
        let table = Table::new(KeySchema::new(KeyAttribute::new("\u{e9}\n", KeyType::S)));
        // One after the other in the same room.
        let mut lines = MapLine::new("\u{e9}\n", "a \"value\"");
        for (key, entries) in items {
            let expected = checked(&table, &key, &entries).filter(|_| !entries.is_empty());
            prop_assert_eq!(line(&mut lines, &key, &entries), expected.as_deref());
        }
    }
}
