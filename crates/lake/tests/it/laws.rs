//! What holds for any lines: nothing is lost, rows are whole, and what is written is what an
//! independent reading of the item says.

use std::fmt::Write as _;

use keystar_item::{AttributeValue, json};
use proptest::prelude::*;

use crate::kit::{Kit, thing};

/// Values that fit one column or another, or none.
const VALUES: &[&str] = &[
    r#"{"N":"0"}"#,
    r#"{"N":"-12"}"#,
    r#"{"N":"1.5"}"#,
    r#"{"N":"9223372036854775808"}"#,
    r#"{"N":"12345678.25"}"#,
    r#"{"N":"123456789"}"#,
    r#"{"S":""}"#,
    r#"{"S":"abc"}"#,
    r#"{"S":"äöü"}"#,
    r#"{"S":"abcdef"}"#,
    r#"{"S":"\u0061\n\"\ud83d\ude00"}"#,
    r#"{"BOOL":true}"#,
    r#"{"BOOL":false}"#,
    r#"{"NULL":true}"#,
    r#"{"L":[{"S":"abc"},{"NULL":true}]}"#,
    r#"{"L":[{"S":"abc"},{"N":"1"}]}"#,
    r#"{"SS":["a","b"]}"#,
];

const COLUMNS: [&str; 5] = ["i", "d", "t", "b", "l"];
const MODEL: &str = r#"
i = "int"
d = "decimal(10,2)"
t = "text(5)"
b = { type = "bool", required = true }
l = "list<text(5)>"
"#;

/// What a column's cell shows, by the long way round; `Err` if the value does not fit.
fn cell(column: &str, value: Option<&AttributeValue<'_>>) -> Result<String, ()> {
    let null = || "-".to_owned();
    let text = |value: &AttributeValue<'_>| match value {
        AttributeValue::S(text) if text.len() <= 5 => Ok(text.to_string()),
        AttributeValue::Null => Ok(String::new()),
        _ => Err(()),
    };
    match (column, value) {
        ("b", None | Some(AttributeValue::Null)) => Err(()),
        (_, None | Some(AttributeValue::Null)) => Ok(null()),
        ("i", Some(AttributeValue::N(number))) => {
            number.as_str().parse::<i64>().map(|number| number.to_string()).map_err(|_| ())
        }
        ("d", Some(AttributeValue::N(number))) => {
            let number: f64 = number.as_str().parse().unwrap();
            if number.abs() < 1e8 { Ok(format!("{number:.2}")) } else { Err(()) }
        }
        ("t", Some(value)) => text(value),
        ("b", Some(AttributeValue::Bool(truth))) => Ok(truth.to_string()),
        ("l", Some(AttributeValue::L(list))) => {
            let texts: Result<Vec<_>, ()> = list.iter().map(text).collect();
            Ok(format!("[{}]", texts?.join(", ")))
        }
        ("l", Some(AttributeValue::Ss(set))) => Ok(format!("[{}]", set.join(", "))),
        _ => Err(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_are_what_the_items_say(
        items in proptest::collection::vec(
            proptest::collection::vec(
                (prop::sample::select(&COLUMNS[..]), prop::sample::select(VALUES)), 0..7,
            ).prop_shuffle(),
            0..40,
        ),
    ) {
        let (mut lines, mut expected, mut aside) = (String::new(), Vec::new(), 0);
        for (number, attributes) in items.iter().enumerate() {
            let mut line = format!(r#"{{"Item":{{"PK":{{"S":"T#{number}"}}"#);
            let mut have: Vec<&str> = Vec::new();
            for (name, value) in attributes {
                if !have.contains(name) {
                    have.push(name);
                    write!(line, ",\"{name}\":{value}").unwrap();
                }
            }
            line.push_str("}}");
            let item = json::parse_item(line.as_bytes()).unwrap();
            let cells: Result<Vec<String>, ()> =
                COLUMNS.iter().map(|column| cell(column, item.get(column))).collect();
            match cells {
                Ok(mut cells) => {
                    cells.insert(0, number.to_string());
                    expected.push(cells);
                }
                Err(()) => aside += 1,
            }
            lines.push_str(&line);
            lines.push('\n');
        }
        let kit = Kit::new();
        let report = kit.full(&thing("quarantine", MODEL), &[&lines]).unwrap();
        prop_assert_eq!(report.counts.rejected(), aside);
        prop_assert_eq!(kit.rejects("01-full").len() as u64, aside);
        prop_assert_eq!(kit.rows("thing"), expected);
    }

    #[test]
    fn any_bytes_are_counted(
        lines in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| {
                    let mut line = br#"{"Item":{"PK":{"S":"T#1"},"b":{"BOOL":true},"t":{"S":"x"}}}"#.to_vec();
                    let at = at.index(line.len());
                    line[at] = byte;
                    line
                }),
            ],
            0..20,
        ),
        drift in prop::sample::select(&["quarantine", "discard-value", "discard-row", "evolve"][..]),
    ) {
        let kit = Kit::new();
        let model = thing(drift, MODEL);
        let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
        let mut task = build.task(0).unwrap();
        let text = lines.join(&b'\n');
        task.push("data", 1, &text).unwrap();
        let report = build.commit(vec![task.finish().unwrap()]).unwrap();
        let read = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        prop_assert_eq!(report.counts.read, read.count() as u64);
        let counts = &report.counts;
        prop_assert_eq!(counts.read, counts.written + counts.unknown + counts.rejected());
        prop_assert_eq!(report.rows["thing"], counts.written);
    }
}
