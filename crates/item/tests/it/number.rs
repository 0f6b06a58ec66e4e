use keystar_item::{ErrorKind, Number};
use proptest::prelude::*;

use crate::arbitrary;

/// What DynamoDB hands back for what it is given, as tests of other projects recorded it against
/// the service.
const CANONICAL: &[(&str, &str)] = &[
    ("0", "0"),
    ("10", "10"),
    ("-5", "-5"),
    ("007", "7"),
    ("001.23", "1.23"),
    ("00", "0"),
    ("+3", "3"),
    ("+0", "0"),
    ("+1.5", "1.5"),
    ("1.0", "1"),
    ("1.10", "1.1"),
    ("100.000", "100"),
    ("0.0", "0"),
    ("0.10", "0.1"),
    ("1e3", "1000"),
    ("1E+3", "1000"),
    ("-3e2", "-300"),
    ("1.5e2", "150"),
    ("1.23e4", "12300"),
    ("1e-3", "0.001"),
    ("123e-2", "1.23"),
    ("1.23e-1", "0.123"),
    ("1.0e-1", "0.1"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("0e5", "0"),
    ("0e-5", "0"),
    (".5", "0.5"),
    ("-.5", "-0.5"),
    ("5.", "5"),
    ("1e20", "100000000000000000000"),
    ("9.9e10", "99000000000"),
    ("1e-20", "0.00000000000000000001"),
    ("-273.15", "-273.15"),
    ("0.001", "0.001"),
    ("1.00000000000000007629769841092E+50", "100000000000000007629769841092000000000000000000000"),
];

#[test]
fn canonical_text() {
    for (given, handed_back) in CANONICAL {
        let number = Number::parse(*given).unwrap();
        assert_eq!(number.canonical(), *handed_back, "{given}");
        assert_eq!(number.as_str(), *given);
        assert_eq!(number.is_canonical(), given == handed_back, "{given}");
        let handed_back = Number::parse(*handed_back).unwrap();
        assert!(handed_back.is_canonical());
        assert!(handed_back.is_same(&number));
    }
    let large = format!("1{}", "0".repeat(125));
    assert_eq!(Number::parse("1e125").unwrap().canonical(), large);
    assert!(Number::parse(large).unwrap().is_canonical());
    let small = format!("0.{}1", "0".repeat(129));
    assert_eq!(Number::parse("1e-130").unwrap().canonical(), small);
    assert!(!Number::parse(small).unwrap().is_canonical(), "nobody has published this one");
}

#[test]
fn the_smallest_refused_and_the_largest_taken() {
    let nines = "9".repeat(38);
    let zeros = |count| "0".repeat(count);
    for taken in [
        nines.clone(),
        format!("-{nines}"),
        format!("{nines}e88"),
        format!("{nines}{}", zeros(88)),
        format!("0.{nines}e126"),
        format!("000{nines}.000"),
        "9.9e125".into(),
        "0.1e126".into(),
        "1e-130".into(),
        "-1e-130".into(),
        "10e-131".into(),
        format!("0.{}1", zeros(129)),
        "0e125".into(),
        "0.0e126".into(),
        "0e-130".into(),
        "1e+00000000000000000000005".into(),
        format!("0.{}1e1000", zeros(999)),
    ] {
        assert!(Number::parse(taken.as_str()).is_ok(), "{taken}");
    }
    for (refused, kind) in [
        (format!("1{nines}"), ErrorKind::TooManyDigits),
        (format!("1{}1", zeros(37)), ErrorKind::TooManyDigits),
        (format!("1.{}1", zeros(37)), ErrorKind::TooManyDigits),
        ("1e126".into(), ErrorKind::NumberOutOfRange),
        (format!("1{}", zeros(126)), ErrorKind::NumberOutOfRange),
        ("11e125".into(), ErrorKind::NumberOutOfRange),
        ("1e-131".into(), ErrorKind::NumberOutOfRange),
        ("0.9e-130".into(), ErrorKind::NumberOutOfRange),
        ("0e126".into(), ErrorKind::NumberOutOfRange),
        ("0e-131".into(), ErrorKind::NumberOutOfRange),
        ("1e99999999999999999999".into(), ErrorKind::NumberOutOfRange),
        ("1e-99999999999999999999".into(), ErrorKind::NumberOutOfRange),
        ("0e99999999999999999999".into(), ErrorKind::NumberOutOfRange),
    ] {
        assert_eq!(Number::parse(refused.as_str()).unwrap_err().kind(), kind, "{refused}");
    }
    for (no_number, at) in [
        ("", 0),
        ("-", 1),
        (".", 1),
        ("-.", 2),
        ("1e", 2),
        ("1e+", 3),
        ("e5", 0),
        (" 1", 0),
        ("1 ", 1),
        ("1.2.3", 3),
        ("--1", 1),
        ("+-1", 1),
        ("1e1.5", 3),
        ("1_000", 1),
        ("NaN", 0),
        ("Infinity", 0),
        ("0x1f", 1),
        ("１", 0),
        ("1e5é", 3),
    ] {
        let error = Number::parse(no_number).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotANumber, "{no_number}");
        assert_eq!(error.offset(), Some(at), "{no_number}");
    }
    assert!(Number::parse_bytes(b"1\xff").is_err());
    assert!(Number::from_canonical(b"1\xff").is_none());
}

#[test]
fn floats() {
    for (float, text) in [
        (0.0, Some("0")),
        (-0.0, Some("0")),
        (1.5, Some("1.5")),
        (-17.0, Some("-17")),
        (0.1 + 0.2, Some("0.30000000000000004")),
        (9_007_199_254_740_993.0, Some("9007199254740992")),
        (1e22, Some("10000000000000000000000")),
        (1e-7, Some("0.0000001")),
        (f64::MAX, None),
        (f64::MIN_POSITIVE, None),
        (f64::NAN, None),
        (f64::NEG_INFINITY, None),
    ] {
        assert_eq!(Number::from_f64(float).as_ref().map(Number::as_str), text, "{float}");
    }
    assert_eq!(Number::from(i64::MIN).as_str(), "-9223372036854775808");
    assert_eq!(Number::from(u64::MAX).as_str(), "18446744073709551615");
}

#[test]
fn zero_is_zero_however_written() {
    for a in ["0", "-0", "0e1", "0.000", "0e-130", "+.0e125"] {
        for b in ["0", "-0.0", "0e9"] {
            assert!(Number::parse(a).unwrap().is_same(&Number::parse(b).unwrap()), "{a} {b}");
        }
    }
}

#[test]
fn order_is_that_of_values() {
    let ascending = [
        "-1e125", "-100", "-99.5", "-2", "-1.5", "-1e-130", "0", "1e-130", "0.001", "0.01", "1",
        "1.05", "1.5", "2", "9", "10", "1e2", "101", "1e125",
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            let (a, b) = (Number::parse(*a).unwrap(), Number::parse(*b).unwrap());
            assert_eq!(a.cmp_value(&b), i.cmp(&j), "{a} {b}");
        }
    }
}

proptest! {
    #[test]
    fn canonical_is_the_same_number(text in arbitrary::number()) {
        let number = Number::parse(text.as_str()).unwrap();
        let canonical = Number::parse(number.canonical().into_owned()).unwrap();
        prop_assert!(canonical.is_same(&number));
        prop_assert_eq!(canonical.canonical(), number.canonical());
        prop_assert_eq!(Number::from_canonical(text.as_bytes()).is_some(), number.is_canonical());
    }

    #[test]
    fn floats_read_back(float in any::<f64>()) {
        if let Some(number) = Number::from_f64(float) {
            prop_assert_eq!(number.as_str().parse::<f64>().unwrap(), float);
            prop_assert_eq!(number.canonical(), number.as_str());
        }
    }

    #[test]
    fn integers_order_as_they_do(a in any::<i64>(), b in any::<i64>()) {
        prop_assert_eq!(Number::from(a).cmp_value(&Number::from(b)), a.cmp(&b));
        prop_assert!(Number::from(a).is_canonical());
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let parsed = Number::parse_bytes(&bytes);
        prop_assert_eq!(
            Number::from_canonical(&bytes).is_some(),
            parsed.is_ok_and(|number| number.is_canonical())
        );
    }
}
