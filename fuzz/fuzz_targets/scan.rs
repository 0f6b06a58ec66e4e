//! The scanner and the reader agree: a text that the scanner takes is read as the same item.

#![no_main]

use keystar_item::json;
use keystar_item::scan::Tape;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let mut tape = Tape::new();
    if let Ok(record) = tape.scan_record(text) {
        for (_, item) in record.parts() {
            assert_eq!(json::parse_item(item.text()).expect("an item"), item.to_item());
        }
        return;
    }
    if let Ok(item) = tape.scan(text) {
        assert_eq!(json::parse_item(text).expect("an item"), item.to_item());
    }
});
