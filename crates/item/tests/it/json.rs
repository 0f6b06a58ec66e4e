use keystar_item::json::{self, Items};
use keystar_item::{AttributeValue, ErrorKind, Item};
use proptest::prelude::*;

use crate::arbitrary;

fn written(item: &Item<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    json::write_item(item, &mut line);
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_comes_back(item in arbitrary::item()) {
        let line = written(&item);
        prop_assert_eq!(&json::parse_item(&line).unwrap(), &item);

        let mut bare = Vec::new();
        json::write_attributes(&item.attributes, &mut bare);
        prop_assert_eq!(&json::parse_item(&bare).unwrap(), &item);
    }

    #[test]
    fn a_line_is_one_line_of_json(item in arbitrary::item()) {
        let line = written(&item);
        prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let ours: serde_json::Value = serde_json::from_slice(&line).unwrap();
        prop_assert!(ours["Item"].is_object());
    }

    /// Another parser finds the same text, and another writer's escapes are read.
    #[test]
    fn serde_json_agrees_about_texts(text in arbitrary::text()) {
        let mut ours = Vec::new();
        json::write_value(&AttributeValue::from(text.as_str()), &mut ours);
        let theirs: serde_json::Value = serde_json::from_slice(&ours).unwrap();
        prop_assert_eq!(theirs["S"].as_str(), Some(text.as_str()));

        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let all_escaped = format!("{{ \"S\" :\t\"{escaped}\"\r\n}}");
        prop_assert_eq!(json::parse_value(all_escaped.as_bytes()).unwrap(), text.as_str().into());
    }

    #[test]
    fn the_buffer_keeps_what_it_had(before in proptest::collection::vec(any::<u8>(), 0..600), item in arbitrary::item()) {
        let mut out = before.clone();
        json::write_item(&item, &mut out);
        prop_assert_eq!(&out[..before.len()], &before);
        prop_assert_eq!(&out[before.len()..], &written(&item));
    }

    #[test]
    fn a_file_of_lines_comes_back(items in proptest::collection::vec(arbitrary::item(), 0..8), chunk in 1usize..50) {
        let file: Vec<u8> = items.iter().flat_map(written).collect();
        let reader = std::io::BufReader::with_capacity(chunk, file.as_slice());
        let read: Vec<_> = Items::new(reader).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, items);
    }
}

#[test]
fn every_type_has_its_text() {
    let line = concat!(
        r#"{"Item":{"s":{"S":"é\"\\\u0000\n/"},"n":{"N":"1.50"},"b":{"B":"AP8="},"t":{"BOOL":true},"#,
        r#""f":{"BOOL":false},"0":{"NULL":true},"l":{"L":[{"S":""},{"L":[]}]},"m":{"M":{"":{"M":{}}}},"#,
        r#""ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"bs":{"BS":["","AQ=="]},"e":{"SS":[]}}}"#,
        "\n"
    );
    let item = json::parse_item(line.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(written(&item)).unwrap(), line);
    assert_eq!(written(&Item::new()), b"{\"Item\":{}}\n");
}

#[test]
fn unescaped_text_is_borrowed() {
    let item = json::parse_item(br#"{"Item":{"k":{"S":"plain"},"e":{"S":"a\tb"}}}"#).unwrap();
    let borrowed = |name| match item.get(name) {
        Some(AttributeValue::S(text)) => matches!(text, std::borrow::Cow::Borrowed(_)),
        _ => panic!("no text"),
    };
    assert!(borrowed("k"));
    assert!(!borrowed("e"));
}

#[test]
fn an_attribute_may_be_called_item() {
    for text in [r#"{"Item":{"S":"x"}}"#, r#"{"Item":{"M":{"Item":{"M":{}}}},"a":{"N":"1"}}"#] {
        let item = json::parse_item(text.as_bytes()).unwrap();
        assert!(item.get("Item").is_some(), "{text}");
    }
    // Both ways of reading end here: the wrapped one, with an attribute S, is the right one.
    let item = json::parse_item(br#"{"Item":{"S":{"S":"x"}}}"#).unwrap();
    assert_eq!(item.get("S"), Some(&"x".into()));
}

#[test]
fn errors_say_where() {
    for (text, kind, offset) in [
        ("", ErrorKind::UnexpectedEnd, 0),
        ("  ", ErrorKind::UnexpectedEnd, 2),
        ("[]", ErrorKind::Syntax("an object"), 0),
        (r#"{"Item":{"a":{"S":"x"}}"#, ErrorKind::UnexpectedEnd, 23),
        (r#"{"Item":{"a":{"S":"x"}}} x"#, ErrorKind::Trailing, 25),
        (r#"{"Item":{"a":{"S":"x"}},"b":1}"#, ErrorKind::Syntax("the end of the object"), 23),
        (r#"{"Item":{"a":{"S":"x",}}}"#, ErrorKind::Syntax("the end of the typed value"), 21),
        (r#"{"Item":{"a":{"S":"x"},}}"#, ErrorKind::Syntax("a string"), 23),
        (r#"{"Item":{"a":{}}}"#, ErrorKind::Syntax("a string"), 14),
        (r#"{"Item":{"a":"x"}}"#, ErrorKind::Syntax("a typed value"), 13),
        (r#"{"Item":{"a":{"X":"x"}}}"#, ErrorKind::UnknownType, 14),
        (r#"{"Item":{"a":{"N":1}}}"#, ErrorKind::Syntax("a string"), 18),
        (r#"{"Item":{"a":{"N":"1x"}}}"#, ErrorKind::NotANumber, 20),
        (r#"{"Item":{"a":{"N":"1e126"}}}"#, ErrorKind::NumberOutOfRange, 19),
        (r#"{"Item":{"a":{"B":"AP8"}}}"#, ErrorKind::Base64, 19),
        (r#"{"Item":{"a":{"B":"A-8="}}}"#, ErrorKind::Base64, 19),
        (r#"{"Item":{"a":{"BOOL":"true"}}}"#, ErrorKind::Syntax("true or false"), 21),
        (r#"{"Item":{"a":{"NULL":false}}}"#, ErrorKind::Syntax("true"), 21),
        (r#"{"Item":{"a":{"S":"\ud800"}}}"#, ErrorKind::LoneSurrogate, 19),
        (r#"{"Item":{"a":{"S":"\udc00\ud800"}}}"#, ErrorKind::LoneSurrogate, 19),
        (r#"{"Item":{"a":{"S":"\ud800A"}}}"#, ErrorKind::LoneSurrogate, 19),
        (r#"{"Item":{"a":{"S":"\x"}}}"#, ErrorKind::Syntax("an escape"), 20),
        (r#"{"Item":{"a":{"S":"\u12"}}}"#, ErrorKind::Syntax("four hexadecimal digits"), 23),
        (
            "{\"Item\":{\"a\":{\"S\":\"\n\"}}}",
            ErrorKind::Syntax("an escape for the control character"),
            19,
        ),
    ] {
        let error = json::parse_item(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, Some(offset)), "{text}");
    }
    let error = json::parse_item(b"{\"Item\":{\"a\xff\":{\"S\":\"\"}}}").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Utf8, Some(11)));
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"L":["#.repeat(levels - 1), "]}".repeat(levels - 1));
        format!(r#"{{"Item":{{"a":{open}{{"NULL":true}}{close}}}}}"#)
    };
    assert!(json::parse_item(nested(json::MAX_DEPTH).as_bytes()).is_ok());
    let text = nested(json::MAX_DEPTH + 1);
    let error = json::parse_item(text.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    assert!(json::parse_item(r#"{"a":{"M":"#.repeat(1_000_000).as_bytes()).is_err());
    assert!(json::parse_item("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn lines_go_on_after_errors() {
    let good = r#"{"Item":{"a":{"S":"x"}}}"#;
    let long = format!(r#"{{"Item":{{"a":{{"S":"{}"}}}}}}"#, "x".repeat(200));
    let file = format!("{good}\r\n\n  \n{{\n{long}\n{good}");
    let reader = std::io::BufReader::with_capacity(7, file.as_bytes());
    let mut items = Items::new(reader).with_max_line_bytes(100);
    assert!(items.next().unwrap().is_ok());
    assert_eq!(items.line(), 1);
    let error = items.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.line()), (ErrorKind::UnexpectedEnd, Some(4)));
    assert_eq!(error.to_string(), "unexpected end of text at byte 2 of line 4");
    let error = items.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.line()), (ErrorKind::LineTooLong, Some(5)));
    assert!(items.next().unwrap().is_ok());
    assert_eq!(items.line(), 6);
    assert!(items.next().is_none());
    assert!(items.next().is_none());
}

#[test]
fn a_failing_input_ends_the_items() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    let mut items = Items::new(std::io::BufReader::new(Failing));
    let error = items.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "unplugged");
    assert!(items.next().is_none());
}
