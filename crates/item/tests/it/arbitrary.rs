//! Items of any shape, with the texts that writers get wrong.

use std::borrow::Cow;

use keystar_item::{AttributeValue, Attributes, Item, Number};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9:_-]{0,20}",
        2 => any::<String>(),
        1 => vec(
            prop_oneof![
                Just('"'), Just('\\'), Just('\''), Just('/'), Just('\n'), Just('\r'), Just('\t'),
                Just('\0'), Just('\u{1f}'), Just('\u{7f}'), Just('\u{85}'), Just('\u{2028}'),
                Just('\u{2029}'), Just('\u{feff}'), Just('\u{fffd}'), Just('\u{d7ff}'),
                Just('😀'), Just('\u{10ffff}'), Just('{'), Just('}'), Just('$'), Just('a'),
            ],
            0..40,
        )
        .prop_map(String::from_iter),
        1 => prop_oneof![
            Just("null"), Just("true"), Just("nan"), Just("null.int"), Just("+inf"), Just("$10"),
            Just("$ion_1_0"), Just("$dynamodb_SS"), Just("''"), Just("'''"), Just("{{"), Just("//"),
            Just("/*"), Just("0a"), Just("Item"), Just("\\u0041"), Just("::"), Just("=="),
        ]
        .prop_map(str::to_owned),
    ]
}

/// Any number that DynamoDB takes, in all its spellings.
pub(crate) fn number() -> impl Strategy<Value = String> {
    let digits = "[0-9]{1,30}";
    let exponent = prop_oneof![Just(String::new()), "[eE][+-]?[0-9]{1,2}", "[eE]-?1[0-2][0-9]"];
    let any_spelling = ("[+-]?", digits, "(\\.[0-9]{0,12})?", exponent)
        .prop_map(|(sign, whole, fraction, exponent)| format!("{sign}{whole}{fraction}{exponent}"));
    prop_oneof![
        any::<i64>().prop_map(|integer| integer.to_string()),
        "-?[1-9][0-9]{0,37}",
        "[+-]?\\.[0-9]{1,30}",
        any_spelling,
    ]
    .prop_filter("within DynamoDB's range", |text| Number::parse(text.as_str()).is_ok())
}

fn owned_number() -> impl Strategy<Value = Number<'static>> {
    number().prop_map(|text| Number::parse(text).unwrap())
}

fn bytes() -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..40).prop_map(Cow::Owned)
}

pub(crate) fn value() -> impl Strategy<Value = AttributeValue<'static>> {
    let texts = vec(text().prop_map(Cow::Owned), 0..5);
    let leaf = prop_oneof![
        4 => text().prop_map(AttributeValue::from),
        3 => owned_number().prop_map(AttributeValue::N),
        1 => bytes().prop_map(AttributeValue::B),
        1 => any::<bool>().prop_map(AttributeValue::Bool),
        1 => Just(AttributeValue::Null),
        1 => texts.prop_map(AttributeValue::Ss),
        1 => vec(owned_number(), 0..5).prop_map(AttributeValue::Ns),
        1 => vec(bytes(), 0..5).prop_map(AttributeValue::Bs),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(AttributeValue::L),
            attributes_of(inner).prop_map(AttributeValue::M),
        ]
    })
}

fn attributes_of(
    value: impl Strategy<Value = AttributeValue<'static>>,
) -> impl Strategy<Value = Attributes<'static>> {
    vec((text().prop_map(Cow::Owned), value), 0..6).prop_map(Attributes::from_iter)
}

pub(crate) fn item() -> impl Strategy<Value = Item<'static>> {
    attributes_of(value()).prop_map(Item::from)
}
