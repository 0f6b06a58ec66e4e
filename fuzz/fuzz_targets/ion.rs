//! Any bytes as an Ion item: an item or an error; an item that was read can be written and read
//! again, and is found by the reader of files.

#![no_main]

use keystar_item::ion;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(item) = ion::parse_item(input) {
        let mut line = Vec::new();
        ion::write_item(&item, &mut line);
        assert!(ion::parse_item(&line).is_ok_and(|again| again.is_same(&item)));
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));

        let found: Vec<_> = ion::Items::new(input).collect();
        assert!(matches!(found.as_slice(), [Ok(only)] if *only == item));
    }
    assert!(ion::Items::new(input).count() <= input.len());
});
