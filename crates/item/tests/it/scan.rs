//! The scanner against the reader: the same texts, the same values, the same errors.

use keystar_item::scan::{Tape, ValueView};
use keystar_item::{AttributeValue, Attributes, ErrorKind, Item, json};
use proptest::prelude::*;

use crate::arbitrary;
use crate::hostile::mutated;

/// Whether no map has a name twice and no set is empty: what the scanner asks for and the reader
/// does not.
fn can_be(value: &AttributeValue<'_>) -> bool {
    match value {
        AttributeValue::M(map) => can_be_map(map),
        AttributeValue::L(list) => list.iter().all(can_be),
        AttributeValue::Ss(set) => !set.is_empty(),
        AttributeValue::Ns(set) => !set.is_empty(),
        AttributeValue::Bs(set) => !set.is_empty(),
        _ => true,
    }
}

fn can_be_map(map: &Attributes<'_>) -> bool {
    let mut names: Vec<&str> = map.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.dedup();
    names.len() == map.len() && map.iter().all(|(_, value)| can_be(value))
}

fn compare(text: &[u8]) {
    let mut tape = Tape::new();
    let is_record = tape.scan_record(text).is_ok_and(|record| record.part("Item").is_some());
    let read = json::parse_item(text);
    let is_bare = !text.trim_ascii_start().starts_with(b"{") || {
        let inside = &text.trim_ascii_start()[1..];
        !inside.trim_ascii_start().starts_with(b"\"Item\"")
    };
    let scanned = if is_record {
        tape.scan_record(text).map(|record| record.part("Item").unwrap())
    } else {
        tape.scan(text)
    };
    match (read, scanned) {
        (Ok(read), Ok(scanned)) => {
            assert!(can_be_map(&read.attributes));
            assert_eq!(scanned.to_item(), read);
            assert_eq!(scanned.len(), read.attributes.len());
            for ((name, value), (scanned_name, scanned_value)) in
                &mut read.attributes.iter().zip(scanned)
            {
                assert!(scanned_name == **name);
                assert_eq!(scanned_value.type_name(), value.type_name());
                assert_eq!(&scanned.get(name).unwrap().to_value(), value);
            }
            // An item's own text is the item.
            assert_eq!(json::parse_item(scanned.text()).unwrap(), read);
        }
        (Ok(read), Err(_)) => assert!(!can_be_map(&read.attributes), "{}", text.escape_ascii()),
        // The reader knows records only by one name.
        (Err(_), Ok(_)) if is_record => {}
        (Err(error), Ok(_)) => panic!("{error}: {}", text.escape_ascii()),
        (Err(read), Err(scanned)) => match scanned.kind() {
            ErrorKind::Syntax("a name that was not there before" | "a member of the set") => {}
            _ if !is_bare => {}
            kind => assert_eq!(
                (kind, scanned.offset()),
                (read.kind(), read.offset()),
                "{}",
                text.escape_ascii()
            ),
        },
    }
}

fn bare(item: &Item<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    json::write_attributes(&item.attributes, &mut text);
    text
}

proptest! {
    #[test]
    fn any_item(item in arbitrary::item()) {
        compare(&bare(&item));
        let mut line = Vec::new();
        json::write_item(&item, &mut line);
        compare(&line);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        compare(&bytes);
    }

    #[test]
    fn any_tokens(tokens in proptest::collection::vec(
        prop::sample::select(&[
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\\ude00", "\"a\"", "\"b\"", "\"S\"",
            "\"M\"", "\"L\"", "\"N\"", "\"B\"", "\"SS\"", "\"NULL\"", "\"BOOL\"", "true", "false", "1",
            "{\"S\":\"", "\"}", "{\"N\":\"", "{\"NS\":[\"", "\":{\"S\":\"", "-", "e", "\n", "\t", " ", "é",
            "AA==", "\0", "\\n", "{\"M\":{\"", "{\"a\":",
        ][..]), 0..40,
    )) {
        compare(tokens.concat().as_bytes());
        compare(format!("{{\"a\":{}}}", tokens.concat()).as_bytes());
        compare(format!("{{\"a\":{{\"S\":\"{}\"}}}}", tokens.concat()).as_bytes());
    }

    #[test]
    fn escapes(pieces in proptest::collection::vec(
        prop::sample::select(&[
            "\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t", "\\u0041", "\\ud83d\\ude00",
            "\\ud83d", "\\ude00", "\\u00e9", "\\x", "\\", "a", "é", "1", ".",
        ][..]), 0..8,
    )) {
        let text = pieces.concat();
        compare(format!("{{\"a\":{{\"S\":\"{text}\"}}}}").as_bytes());
        compare(format!("{{\"{text}\":{{\"N\":\"1\"}}}}").as_bytes());
        compare(format!("{{\"a\":{{\"N\":\"{text}\"}},\"b\":{{\"N\":\"\\u0031{text}\"}}}}").as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn broken_items(
        item in arbitrary::item(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..5),
    ) {
        compare(&mutated(bare(&item), &edits));
    }
}

#[test]
fn white_space_anywhere() {
    let text = " { \"a\" : { \"S\" : \"x\" } , \"b\"\n:\t{\r\"L\" : [ { \"N\" : \"1\" } , { \"NULL\" : true } ] } , \
                \"c\" : { \"SS\" : [ \"p\" , \"q\" ] } , \"d\" : { \"M\" : { } } , \"e\" : { \"BOOL\" : false } } ";
    compare(text.as_bytes());
    let mut tape = Tape::new();
    let item = tape.scan(text.as_bytes()).unwrap();
    assert_eq!(item.len(), 5);
    let Some(ValueView::L(list)) = item.get("b") else { panic!("a list") };
    assert_eq!(list.text(), "[ { \"N\" : \"1\" } , { \"NULL\" : true } ]");
    assert_eq!(list.len(), 2);
    let Some(ValueView::M(map)) = item.get("d") else { panic!("a map") };
    assert!(map.is_empty());
}

#[test]
fn names_twice() {
    for (text, offset) in [
        (r#"{"a":{"S":""},"a":{"S":""}}"#, 15),
        (r#"{"a":{"S":""},"\u0061":{"S":""}}"#, 15),
        (r#"{"m":{"M":{"x":{"S":""},"y":{"S":""},"x":{"S":""}}}}"#, 38),
    ] {
        let error = Tape::new().scan(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax("a name that was not there before"), "{text}");
        assert_eq!(error.offset(), Some(offset), "{text}");
    }
    // The same name on two levels, and names that only look alike, are fine.
    compare(br#"{"a":{"M":{"a":{"S":""}}},"A":{"S":""}}"#);
}

#[test]
fn thousands_of_names() {
    let name = |index: u32| format!("\"attribute_{index:04}\":{{\"N\":\"{index}\"}}");
    let names: Vec<_> = (0..3000).map(name).collect();
    let text = format!("{{{}}}", names.join(","));
    compare(text.as_bytes());
    let twice = format!("{{{},{}}}", names.join(","), name(1234));
    let error = Tape::new().scan(twice.as_bytes()).unwrap_err();
    assert_eq!(error.offset(), Some(text.len() as u64 + 1));
}

#[test]
fn empty_sets() {
    for text in [r#"{"a":{"SS":[]}}"#, r#"{"a":{"NS":[]}}"#, r#"{"a":{"BS":[]}}"#] {
        let error = Tape::new().scan(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax("a member of the set"), "{text}");
        assert_eq!(error.offset(), Some(12), "{text}");
    }
}

#[test]
fn numbers_too_large() {
    let digits = "1".repeat(60);
    let text = format!(r#"{{"PK":{{"S":"a"}},"n":{{"N":"{digits}"}}}}"#);
    let error = Tape::new().scan(text.as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::TooManyDigits, Some(26)));
}

#[test]
fn depth() {
    let nested = |levels: usize| {
        format!("{}{}{}", "{\"a\":{\"M\":".repeat(levels), "{}", "}}".repeat(levels))
    };
    for levels in [1, json::MAX_DEPTH - 1, json::MAX_DEPTH, json::MAX_DEPTH + 1, 50_000] {
        compare(nested(levels).as_bytes());
        let lists = format!("{{\"a\":{}", "{\"L\":[".repeat(levels));
        compare(lists.as_bytes());
    }
    assert!(Tape::new().scan(nested(json::MAX_DEPTH).as_bytes()).is_ok());
    let error = Tape::new().scan(nested(json::MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooDeep);
}

#[test]
fn records() {
    let line = br#"{"Metadata":{"WriteTimestampMicros":{"N":"1768387643192366"}},"Keys":{"PK":{"S":"a"}},"NewImage":{"PK":{"S":"a"},"x":{"BOOL":true}}}"#;
    let mut tape = Tape::new();
    let record = tape.scan_record(line).unwrap();
    let names: Vec<_> = record.parts().map(|(name, item)| (name.to_string(), item.len())).collect();
    assert_eq!(
        names,
        [("Metadata".to_owned(), 1), ("Keys".to_owned(), 1), ("NewImage".to_owned(), 2)]
    );
    let Some(ValueView::N(time)) = record.part("Metadata").unwrap().get("WriteTimestampMicros")
    else {
        panic!("a number")
    };
    assert_eq!(time, "1768387643192366");
    assert_eq!(record.part("NewImage").unwrap().text(), br#"{"PK":{"S":"a"},"x":{"BOOL":true}}"#);
    assert!(record.part("OldImage").is_none());

    for (line, offset) in [
        (&br#"{"Item":{"PK":{"S":"a"}}}}"#[..], 25),
        (br#"{"Item":{"PK":{"S":"a"}},"Item":{}}"#, 26),
        (br#"{"Item":{"PK":"a"}}"#, 14),
        (br#"{"Item":"#, 8),
        (b"", 0),
    ] {
        let error = Tape::new().scan_record(line).unwrap_err();
        assert_eq!(error.offset(), Some(offset), "{}", line.escape_ascii());
    }
}

#[test]
fn a_tape_forgets_the_item_before() {
    let mut tape = Tape::new();
    assert_eq!(tape.scan(br#"{"a":{"N":"\u0031"},"b":{"S":"x"}}"#).unwrap().len(), 2);
    assert!(tape.scan(br#"{"c":{"S":"x"}"#).is_err());
    let item = tape.scan(br#"{"d":{"N":"\u0032"}}"#).unwrap();
    assert!(item.get("a").is_none());
    assert!(matches!(item.get("d"), Some(ValueView::N("2"))));
}
