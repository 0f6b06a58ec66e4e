use std::borrow::Cow;

use keystar_item::limits::{self, ViolationKind, check, size};
use keystar_item::{
    AttributeValue, Attributes, Index, Item, KeyAttribute, KeySchema, KeyType, Number, Table, json,
};
use proptest::prelude::*;

use crate::arbitrary;

fn table() -> Table {
    Table::new(KeySchema::new(KeyAttribute::new("k", KeyType::S)))
}

fn with(name: &str, value: impl Into<AttributeValue<'static>>) -> Item<'static> {
    let mut item = Item::new();
    item.push("k", "1");
    item.push(name.to_owned(), value);
    item
}

fn number(text: &str) -> Number<'static> {
    Number::parse(text.to_owned()).unwrap()
}

fn texts(count: usize) -> Vec<Cow<'static, str>> {
    (0..count).map(|index| index.to_string().into()).collect()
}

#[track_caller]
fn refused(item: &Item<'_>, table: &Table, message: &str) {
    assert_eq!(check(item, table).unwrap_err().to_string(), message);
}

#[test]
fn sizes_of_the_guide() {
    let mut shirt = Item::new();
    shirt.push("shirt-color", "R");
    shirt.push("shirt-size", "M");
    assert_eq!(size(&shirt), 23);

    let value_size = limits::value_size;
    assert_eq!(value_size(&"é😀".into()), 6);
    assert_eq!(value_size(&AttributeValue::B(vec![0; 100].into())), 100);
    assert_eq!(value_size(&AttributeValue::Null), 1);
    assert_eq!(value_size(&true.into()), 1);
    assert_eq!(value_size(&AttributeValue::L(vec![])), 3);
    assert_eq!(value_size(&AttributeValue::M(Attributes::new())), 3);
    assert_eq!(value_size(&AttributeValue::L(vec!["ab".into(), "c".into()])), 3 + 2 + 3);
    let mut map = Attributes::new();
    map.push("name", "Ann");
    assert_eq!(value_size(&map.into()), 3 + 1 + 4 + 3);
    assert_eq!(value_size(&AttributeValue::Ss(vec!["ab".into(), "c".into()])), 3);
    assert_eq!(value_size(&AttributeValue::Ns(vec![number("12"), number("-1")])), 2 + 3);
    assert_eq!(value_size(&AttributeValue::Bs(vec![vec![0].into(), vec![1, 2].into()])), 3);
}

/// Measured by others against the service, at the edge of 400 KB.
#[test]
fn sizes_of_numbers() {
    for (text, bytes) in [
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("1234", 3),
        ("12345", 4),
        ("123456789", 6),
        ("123456789123", 7),
        ("1234567890123456789", 11),
        ("12345678901234567890123456789012345678", 20),
        ("0042", 2),
        ("100", 2),
        ("1010", 3),
        ("0.0000001", 2),
        ("0", 1),
        ("-0", 1),
        ("0.00", 1),
        ("1E125", 2),
        ("1E-100", 2),
        ("1.5", 3),
        ("1.200", 3),
        ("1.234", 4),
        ("3.14159", 5),
        ("100.5", 4),
        ("0.15", 2),
        ("15", 2),
        ("-42", 3),
        ("-12345", 5),
        ("-1E125", 3),
        ("-0.15", 3),
        // Base-100 digits pair up from the point outwards: 1|20 and 12|30.
        ("120", 3),
        ("1230", 3),
        ("0.012", 3),
        ("1.2e2", 3),
        // Nothing takes more than 21.
        ("-1234567890123456789012345678901234567.8", 21),
    ] {
        assert_eq!(limits::value_size(&number(text).into()), bytes, "{text}");
    }
}

#[test]
fn size_of_an_item() {
    let room = limits::MAX_ITEM_BYTES - "k1text".len();
    assert_eq!(check(&with("text", "x".repeat(room)), &table()), Ok(409_600));
    refused(
        &with("text", "x".repeat(room + 1)),
        &table(),
        "item of 409601 bytes, more than 409600",
    );
}

#[test]
fn names() {
    assert!(check(&with("x", "y"), &table()).is_ok());
    refused(&with("", "y"), &table(), "empty attribute name");
    let mut map = Attributes::new();
    map.push("", true);
    refused(&with("map", map), &table(), "empty attribute name: map");

    assert!(check(&with(&"x".repeat(65_535), "y"), &table()).is_ok());
    let violation = check(&with(&"x".repeat(65_536), "y"), &table()).unwrap_err();
    assert_eq!(violation.kind(), ViolationKind::NameTooLong);
    assert_eq!(violation.path(), format!("{}…", "x".repeat(40)));
}

#[test]
fn names_are_there_once() {
    refused(&with("k", "2"), &table(), "attribute name twice: k");
    for names in [2, 16, 17, 1000] {
        let mut map: Attributes<'_> =
            texts(names).into_iter().map(|name| (name, AttributeValue::Null)).collect();
        assert!(check(&with("map", map.clone()), &table()).is_ok(), "{names}");
        map.push("1", "again");
        let item = with("list", AttributeValue::L(vec![true.into(), map.into()]));
        refused(&item, &table(), "attribute name twice: list[1].1");
    }
}

#[test]
fn sets_have_members_once() {
    refused(&with("set", AttributeValue::Ss(vec![])), &table(), "empty set: set");
    refused(&with("set", AttributeValue::Ns(vec![])), &table(), "empty set: set");
    refused(&with("set", AttributeValue::Bs(vec![])), &table(), "empty set: set");
    assert!(check(&with("set", AttributeValue::Ss(vec!["".into()])), &table()).is_ok());
    for count in [2, 16, 17, 1000] {
        let strings = texts(count);
        let numbers: Vec<_> = strings.iter().map(|text| number(text)).collect();
        let bytes: Vec<Cow<'_, [u8]>> =
            strings.iter().map(|text| Cow::Owned(text.as_bytes().to_vec())).collect();
        let also = |mut members: Vec<Cow<'static, str>>| {
            members.push("1".into());
            members
        };
        assert!(check(&with("set", AttributeValue::Ss(strings.clone())), &table()).is_ok());
        let twice = with("set", AttributeValue::Ss(also(strings)));
        refused(&twice, &table(), "set member twice: set");

        assert!(check(&with("set", AttributeValue::Ns(numbers.clone())), &table()).is_ok());
        let twice = [numbers, vec![number("10e-1")]].concat();
        refused(&with("set", AttributeValue::Ns(twice)), &table(), "set member twice: set");

        assert!(check(&with("set", AttributeValue::Bs(bytes.clone())), &table()).is_ok());
        let twice = [bytes, vec![Cow::Borrowed(b"1".as_slice())]].concat();
        refused(&with("set", AttributeValue::Bs(twice)), &table(), "set member twice: set");
    }
}

#[test]
fn depth() {
    let nested = |levels: usize| {
        let lists =
            (1..levels).fold(AttributeValue::Null, |inner, _| AttributeValue::L(vec![inner]));
        with("deep", lists)
    };
    assert!(check(&nested(32), &table()).is_ok());
    let path = format!("deep{}", "[0]".repeat(32));
    refused(&nested(33), &table(), &format!("more than 32 levels of values: {path}"));
    // The reader follows it far enough for the check to say so.
    let mut line = Vec::new();
    json::write_item(&nested(33), &mut line);
    assert!(json::parse_item(&line).is_ok());
}

#[test]
fn keys() {
    let sorted = Table::new(
        KeySchema::new(KeyAttribute::new("pk", KeyType::S))
            .with_sort(KeyAttribute::new("sk", KeyType::B)),
    );
    let item = |pk: &str, sk: usize| {
        let mut item = Item::new();
        item.push("pk", pk.to_owned());
        item.push("sk", AttributeValue::B(vec![7; sk].into()));
        item
    };
    assert_eq!(check(&item(&"x".repeat(2048), 1024), &sorted), Ok(2 + 2048 + 2 + 1024));
    refused(&item(&"x".repeat(2049), 1), &sorted, "key attribute of more than 2048 bytes: pk");
    refused(&item("x", 1025), &sorted, "key attribute of more than 1024 bytes: sk");
    assert!(check(&item("x", 1), &sorted).is_ok());
    refused(&item("", 1), &sorted, "empty key attribute: pk");
    refused(&item("x", 0), &sorted, "empty key attribute: sk");
    let mut missing = Item::new();
    refused(&missing, &sorted, "key attribute missing: pk");
    missing.push("pk", "x");
    refused(&missing, &sorted, "key attribute missing: sk");
    missing.push("sk", "text");
    refused(&missing, &sorted, "key attribute not of type B: sk");

    let numbered = Table::new(KeySchema::new(KeyAttribute::new("id", KeyType::N)));
    let mut item = Item::new();
    item.push("id", number("0"));
    assert!(check(&item, &numbered).is_ok());
    let mut item = Item::new();
    item.push("id", AttributeValue::Null);
    refused(&item, &numbered, "key attribute not of type N: id");
}

#[test]
fn keys_of_indexes() {
    let key = KeySchema::new(KeyAttribute::new("email", KeyType::S))
        .with_sort(KeyAttribute::new("age", KeyType::N));
    let table = table().with_index(Index::new("by-email", key));
    assert!(check(&with("other", "x"), &table).is_ok(), "an item may lack an index's attributes");
    assert!(check(&with("email", "x"), &table).is_ok());
    refused(&with("email", ""), &table, "empty key attribute: email");
    refused(&with("email", true), &table, "key attribute not of type S: email");
    refused(&with("age", "7"), &table, "key attribute not of type N: age");
    assert!(check(&with("email", "x".repeat(2048)), &table).is_ok());
    let message = "key attribute of more than 2048 bytes: email";
    refused(&with("email", "x".repeat(2049)), &table, message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The size that the check counts is the size that `size` counts, and an item that passes has
    /// no name and no member twice.
    #[test]
    fn one_pass_is_as_good_as_many(item in arbitrary::item()) {
        let mut item = item;
        item.push("k", "1");
        if let Ok(bytes) = check(&item, &table()) {
            prop_assert_eq!(u64::from(bytes), size(&item));
            let mut names: Vec<_> = item.attributes.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), item.attributes.len());
        }
    }

    #[test]
    fn sizes_do_not_depend_on_spelling(text in arbitrary::number()) {
        let number = number(&text);
        let canonical = Number::parse(number.canonical().into_owned()).unwrap();
        prop_assert_eq!(
            limits::value_size(&number.into()),
            limits::value_size(&canonical.into())
        );
    }
}
