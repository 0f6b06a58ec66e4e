//! Any bytes as DynamoDB JSON: an item or an error, and an item that was read can be written and
//! read again.

#![no_main]

use keystar_item::{KeyAttribute, KeySchema, KeyType, Table, json, limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(item) = json::parse_item(input) {
        let mut line = Vec::new();
        json::write_item(&item, &mut line);
        assert_eq!(json::parse_item(&line).as_ref().ok(), Some(&item));
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));

        let table = Table::new(KeySchema::new(KeyAttribute::new("k", KeyType::S)));
        if let Ok(bytes) = limits::check(&item, &table) {
            assert_eq!(u64::from(bytes), limits::size(&item));
        }
    }
    assert!(json::Items::new(input).count() <= input.len());
});
