//! No bytes do harm: every reader gives an item or an error, and goes on or ends.

use keystar_item::{Item, ion, json};
use proptest::prelude::*;

use crate::arbitrary;

fn read_all(bytes: &[u8]) {
    // An accepted text is an item like any other: it can be written and read again.
    if let Ok(item) = json::parse_item(bytes) {
        let mut line = Vec::new();
        json::write_item(&item, &mut line);
        assert_eq!(json::parse_item(&line).unwrap(), item);
    }
    if let Ok(item) = ion::parse_item(bytes) {
        let mut line = Vec::new();
        ion::write_item(&item, &mut line);
        assert!(ion::parse_item(&line).unwrap().is_same(&item));
    }
    let _ = json::parse_value(bytes);
    assert!(json::Items::new(bytes).count() <= bytes.len());
    assert!(ion::Items::new(bytes).count() <= bytes.len());
}

/// Cuts, doubles, swaps and overwrites.
pub(crate) fn mutated(mut text: Vec<u8>, edits: &[(usize, u8, u8)]) -> Vec<u8> {
    for (at, kind, byte) in edits {
        if text.is_empty() {
            break;
        }
        let at = at % text.len();
        match kind % 5 {
            0 => text[at] = *byte,
            1 => drop(text.remove(at)),
            2 => text.insert(at, *byte),
            3 => text.truncate(at),
            _ => {
                let piece = text[at..(at + usize::from(*byte)).min(text.len())].to_vec();
                text.splice(at..at, piece);
            }
        }
    }
    text
}

fn lines(item: &Item<'_>) -> [Vec<u8>; 2] {
    let mut lines = [Vec::new(), Vec::new()];
    json::write_item(item, &mut lines[0]);
    ion::write_item(item, &mut lines[1]);
    lines
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn any_tokens(tokens in proptest::collection::vec(
        prop::sample::select(&[
            "{", "}", "[", "]", ",", ":", "\"", "'", "'''", "\\", "\\u", "d83d", "{{", "}}", "::",
            "Item", "\"Item\"", "\"S\"", "\"M\"", "\"L\"", "\"N\"", "\"NULL\"", "true", "null", "1",
            ".", "-", "e", "d2", "$ion_1_0", "$dynamodb_SS", "//", "/*", "*/", "\n", "\r", " ", "é",
            "A", "=", "\0",
        ][..]), 0..60,
    )) {
        read_all(tokens.concat().as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn broken_items(
        item in arbitrary::item(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..5),
    ) {
        for line in lines(&item) {
            read_all(&mutated(line, &edits));
        }
    }
}

#[test]
fn depth_bombs() {
    for bomb in
        ["[", "{", "{\"a\":{\"L\":[", "{a:[", "{{", "'", "'''", "\"", "/*", "(", "a::", "\\"]
    {
        read_all(bomb.repeat(100_000).as_bytes());
        read_all(format!("{{\"Item\":{{\"a\":{}", bomb.repeat(100_000)).as_bytes());
        read_all(format!("$ion_1_0 {{Item:{{a:{}", bomb.repeat(100_000)).as_bytes());
    }
}
