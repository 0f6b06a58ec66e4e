use std::borrow::Cow;

use keystar_item::ion::{self, Items};
use keystar_item::{AttributeValue, ErrorKind, Item, Number};
use proptest::prelude::*;

use crate::arbitrary;

fn written(item: &Item<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    ion::write_item(item, &mut line);
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_comes_back(item in arbitrary::item()) {
        let line = written(&item);
        prop_assert!(ion::parse_item(&line).unwrap().is_same(&item), "{}", String::from_utf8_lossy(&line));
        prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        // What was read has Ion's spelling of numbers: from there on, nothing changes.
        let read = ion::parse_item(&line).unwrap();
        prop_assert_eq!(written(&read), line);
    }

    #[test]
    fn a_file_comes_back(items in proptest::collection::vec(arbitrary::item(), 0..8), chunk in 1usize..50) {
        let file: Vec<u8> = items.iter().flat_map(written).collect();
        let reader = std::io::BufReader::with_capacity(chunk, file.as_slice());
        let read: Vec<_> = Items::new(reader).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read.len(), items.len());
        prop_assert!(read.iter().zip(&items).all(|(a, b)| a.is_same(b)));
    }

    /// A pretty list, as another writer would have it, has the same items.
    #[test]
    fn a_pretty_list_comes_back(items in proptest::collection::vec(arbitrary::item(), 1..5)) {
        let lines = items.iter().map(|item| {
            let line = String::from_utf8(written(item)).unwrap();
            line.strip_prefix("$ion_1_0 ").unwrap().trim_end().replacen('{', "\n  {\n    ", 1)
        });
        let file = format!("$ion_1_0\n[ {}\n]\n", lines.collect::<Vec<_>>().join(", // comment }\n"));
        let read: Vec<_> = Items::new(file.as_bytes()).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read.len(), items.len());
        prop_assert!(read.iter().zip(&items).all(|(a, b)| a.is_same(b)));
    }
}

#[test]
fn numbers_are_decimals() {
    for (number, decimal) in [
        ("103", "103."),
        ("1.50", "1.50"),
        ("6e2", "6d2"),
        ("6E+2", "6d2"),
        ("-1E-130", "-1d-130"),
        (".5", "0.5"),
        ("5.", "5."),
        ("+5.e1", "5d1"),
        ("007", "7."),
        ("00", "0."),
        ("-0", "-0."),
        ("-00.10e05", "-0.10d05"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678."),
    ] {
        let mut item = Item::new();
        item.push("n", Number::parse(number).unwrap());
        let line = String::from_utf8(written(&item)).unwrap();
        assert_eq!(line, format!("$ion_1_0 {{Item:{{n:{decimal}}}}}\n"));
    }
}

#[test]
fn names_are_quoted_where_ion_demands_it() {
    for (name, symbol) in [
        ("plain_Name9", "plain_Name9"),
        ("_", "_"),
        ("", "''"),
        ("9a", "'9a'"),
        ("a-b", "'a-b'"),
        ("null", "'null'"),
        ("true", "'true'"),
        ("false", "'false'"),
        ("nan", "'nan'"),
        ("nulls", "nulls"),
        ("+inf", "'+inf'"),
        ("$10", "'$10'"),
        ("$ion_1_0", "'$ion_1_0'"),
        ("it's", "'it\\'s'"),
        ("'", "'\\''"),
        ("a\"b", "'a\\\"b'"),
        ("a\\b", "'a\\\\b'"),
        ("a\nb", "'a\\nb'"),
        ("é", "'é'"),
        ("a b", "'a b'"),
        ("==", "'=='"),
    ] {
        let mut item = Item::new();
        item.push(name, AttributeValue::Null);
        let line = String::from_utf8(written(&item)).unwrap();
        assert_eq!(line, format!("$ion_1_0 {{Item:{{{symbol}:null}}}}\n"));
        assert_eq!(ion::parse_item(line.as_bytes()).unwrap(), item);
    }
}

#[test]
fn every_type_has_its_text() {
    let line = concat!(
        r#"$ion_1_0 {Item:{s:"é\"\\\u0000\n'",n:1.50,b:{{AP8=}},t:true,f:false,z:null,l:["",[]],m:{k:{}},"#,
        r#"ss:$dynamodb_SS::["a","b"],ns:$dynamodb_NS::[1.,2d3],bs:$dynamodb_BS::[{{}},{{AQ==}}]}}"#,
        "\n"
    );
    let item = ion::parse_item(line.as_bytes()).unwrap();
    assert_eq!(item.get("b"), Some(&AttributeValue::B(Cow::Borrowed(&[0, 255]))));
    assert_eq!(String::from_utf8(written(&item)).unwrap(), line);
}

/// The developer guide's example, and what else Ion lets a writer do.
#[test]
fn other_writers_are_read() {
    let guide = br#"$ion_1_0 {Item:{Authors:$dynamodb_SS::["Author1","Author2"],Dimensions:"8.5 x 11.0 x 1.5",ISBN:"333-3333333333",Id:103.,InPublication:false,PageCount:6d2,Price:2d3,ProductCategory:"Book",Title:"Book 103 Title"}}"#;
    let item = ion::parse_item(guide).unwrap();
    assert_eq!(item.attributes.len(), 9);
    assert_eq!(item.get("Id"), Some(&Number::parse("103").unwrap().into()));
    let price = Number::parse("2000").unwrap().into();
    assert!(item.get("Price").unwrap().is_same(&price));

    let odd = br#"
        // a comment { with a brace
        $ion_1_0 $ion_1_0 /* another } */
        { 'Item' : { "quoted" : 'dynamodb'/**/ } }"#;
    assert_eq!(ion::parse_item(odd).unwrap_err().kind(), ErrorKind::UnknownType);

    let odd = br#"{ "Item" : {
        'long' : '''it's '' a '''
                 '''long\
 \x41\u00e9\U0001f600\ud83d\ude00 string''' ,
        n : 1_000.5_0, i : 42, 'set' : '$dynamodb_NS' :: [ 1. , 2d0 , ],
        blob : {{ A P
 8 = }}, nothing : null.string, list : [ 1., /* ] */ "]" , ],
    } , }"#;
    let item = ion::parse_item(odd).unwrap();
    assert_eq!(item.get("long"), Some(&"it's '' a long Aé😀😀 string".into()));
    assert_eq!(item.get("n"), Some(&Number::parse("1000.50").unwrap().into()));
    assert_eq!(item.get("i"), Some(&Number::parse("42").unwrap().into()));
    assert_eq!(item.get("blob"), Some(&AttributeValue::B(Cow::Borrowed(&[0, 255]))));
    assert_eq!(item.get("nothing"), Some(&AttributeValue::Null));
    assert!(matches!(item.get("set"), Some(AttributeValue::Ns(set)) if set.len() == 2));
    let mut items = Items::new(odd.as_slice());
    assert_eq!(items.next().unwrap().unwrap(), item);
    assert!(items.next().is_none());
}

#[test]
fn what_is_no_item_is_refused() {
    for (text, kind) in [
        ("", ErrorKind::UnexpectedEnd),
        ("$ion_1_1 {}", ErrorKind::Syntax("the version marker $ion_1_0")),
        ("$ion_1_0 {Item:{a:1e0}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:b}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:x::1.}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:(1.)}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:+inf}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:nan}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:{{\"clob\"}}}}", ErrorKind::UnknownType),
        ("$ion_1_0 {Item:{a:{{A}}}}", ErrorKind::Base64),
        ("$ion_1_0 {Item:{a:0x1f}}", ErrorKind::NotANumber),
        ("$ion_1_0 {Item:{a:2026-01-01T}}", ErrorKind::NotANumber),
        ("$ion_1_0 {Item:{a:1d126}}", ErrorKind::NumberOutOfRange),
        ("$ion_1_0 {Item:{$10:1.}}", ErrorKind::Syntax("a field name")),
        ("$ion_1_0 {Item:{null:1.}}", ErrorKind::Syntax("a field name")),
        ("$ion_1_0 {Item:{a:$dynamodb_SS::[1.]}}", ErrorKind::Syntax("a string")),
        ("$ion_1_0 {Item:{a:\"x\ny\"}}", ErrorKind::Syntax("the end of the string")),
        ("$ion_1_0 {Item:{a:\"\\ud800\"}}", ErrorKind::LoneSurrogate),
        ("$ion_1_0 {Item:{a:\"\\q\"}}", ErrorKind::Syntax("an escape")),
        ("$ion_1_0 {Item:{}} {Item:{}}", ErrorKind::Trailing),
        ("$ion_1_0 {Item:{/*}}", ErrorKind::UnexpectedEnd),
        ("\u{e0}\u{1}\u{0}\u{ea}", ErrorKind::Syntax("a struct")),
    ] {
        assert_eq!(ion::parse_item(text.as_bytes()).unwrap_err().kind(), kind, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!("$ion_1_0 {{Item:{{a:{open}null{close}}}}}")
    };
    assert!(ion::parse_item(nested(ion::MAX_DEPTH).as_bytes()).is_ok());
    let error = ion::parse_item(nested(ion::MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    assert!(ion::parse_item("{a:".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn a_file_goes_on_after_errors() {
    let file =
        b"$ion_1_0 {Item:{a:\"}\"}}\n\n$ion_1_0 {Item:{a:{{//}}}}\n$ion_1_0 {Item:{a:(})}}\n";
    let mut items = Items::new(file.as_slice());
    assert!(items.next().unwrap().is_ok());
    let error = items.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.line()), (ErrorKind::Base64, Some(3)));
    assert!(items.next().unwrap().is_err());

    let between = "$ion_1_0/**/$ion_1_0\u{b}{}\u{c}//\n,[{}]/**/";
    assert_eq!(Items::new(between.as_bytes()).filter(Result::is_ok).count(), 2);

    for unended in ["$ion_1_0 {Item:{", "$ion", "/", "/*"] {
        let mut items = Items::new(unended.as_bytes());
        assert_eq!(items.next().unwrap().unwrap_err().kind(), ErrorKind::UnexpectedEnd);
        assert!(items.next().is_none());
    }
    for wrong in ["x", "\"a\"", "/x", "$ion_1_1 {}", "$ion {}", "} {}"] {
        let mut items = Items::new(wrong.as_bytes());
        let kind = items.next().unwrap().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Syntax("an item"), "{wrong}");
        assert!(items.next().is_none());
    }
    let long = format!("$ion_1_0 {{Item:{{a:\"{}\"}}}}", "x".repeat(200));
    let mut items = Items::new(long.as_bytes()).with_max_item_bytes(100);
    assert_eq!(items.next().unwrap().unwrap_err().kind(), ErrorKind::LineTooLong);
}
