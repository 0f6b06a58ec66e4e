//! What differs from the model, under each policy.

use std::fmt::Write as _;

use arrow::datatypes::DataType;
use keystar_lake::{Error, Reason};

use crate::kit::{Kit, item, model, thing};

fn texts(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| row.join(" ")).collect()
}

/// One item that fits, three values that do not, and one attribute that is new.
fn mixed() -> String {
    [
        item("1", r#""n":{"N":"1"},"day":{"S":"2021-02-28"}"#),
        item("2", r#""n":{"S":"2"},"day":{"S":"2021-02-28"}"#),
        item("3", r#""n":{"N":"3"},"day":{"S":"2021-02-30"}"#),
        item("4", r#""n":{"N":"4.5"}"#),
        item("5", r#""n":{"N":"5"},"new":{"S":"x"}"#),
    ]
    .concat()
}

const COLUMNS: &str = "n = \"int\"\nday = \"date(iso)\"";

#[test]
fn quarantine() {
    let kit = Kit::new();
    let report = kit.full(&thing("quarantine", COLUMNS), &[&mixed()]).unwrap();
    assert_eq!(texts(&kit.rows("thing")), ["1 1 2021-02-28", "5 5 -"]);
    let rejects: Vec<_> = report.counts.rejects.clone().into_iter().collect();
    assert_eq!(rejects, [(Reason::WrongType, 1), (Reason::TooPrecise, 1), (Reason::NotATime, 1)]);
    assert_eq!(report.counts.discarded, 0);
    let drift: Vec<_> =
        report.counts.drift["thing"].iter().map(|(a, n)| (a.as_str(), *n)).collect();
    assert_eq!(drift, [("day", 1), ("n", 2), ("new", 1)]);
    let told: Vec<_> = kit
        .rejects("01-full")
        .iter()
        .map(|reject| {
            let text = |name: &str| reject[name].as_str().unwrap().to_owned();
            format!("{} {} {}: {}", reject["line"], text("entity"), text("column"), text("detail"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "2 thing n: S where N is needed",
            "3 thing day: not a date or time of the column's format",
            "4 thing n: number of more decimal places than the column holds",
        ]
    );
    assert_eq!(kit.rejects("01-full")[0]["item"]["Item"]["n"]["S"], "2");
}

#[test]
fn discard_row() {
    let kit = Kit::new();
    let report = kit.full(&thing("discard-row", COLUMNS), &[&mixed()]).unwrap();
    assert_eq!(texts(&kit.rows("thing")), ["1 1 2021-02-28", "5 5 -"]);
    assert_eq!((report.counts.rejected(), report.counts.discarded), (3, 3));
    assert!(kit.rejects("01-full").is_empty());
}

#[test]
fn discard_value() {
    let kit = Kit::new();
    let report = kit.full(&thing("discard-value", COLUMNS), &[&mixed()]).unwrap();
    assert_eq!(
        texts(&kit.rows("thing")),
        ["1 1 2021-02-28", "2 - 2021-02-28", "3 3 -", "4 - -", "5 5 -"]
    );
    assert_eq!(report.counts.rejected(), 0);
    assert_eq!(report.counts.drift["thing"].values().sum::<u64>(), 4);
}

#[test]
fn discard_value_but_not_a_required_one() {
    let kit = Kit::new();
    let model = thing("discard-value", "n = { type = \"int\", required = true }");
    let lines = [item("1", r#""n":{"S":"x"}"#), item("2", r#""n":{"NULL":true}"#), item("3", "")];
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!(report.counts.rejects[&Reason::Missing], 3);
    assert_eq!(kit.rejects("01-full").len(), 3);
    assert!(kit.rows("thing").is_empty());
}

#[test]
fn freeze() {
    for (line, expected) in [
        (
            item("2", r#""n":{"S":"2"}"#),
            "data/0.json.gz, line 2: thing differs from the model at n: S where N is needed; its drift is freeze",
        ),
        (
            item("2", r#""new":{"S":"2"}"#),
            "data/0.json.gz, line 2: thing differs from the model at new: the model does not know it; its drift is freeze",
        ),
    ] {
        let kit = Kit::new();
        let lines = [item("1", r#""n":{"N":"1"}"#), line];
        let error = kit.full(&thing("freeze", COLUMNS), &[&lines.concat()]).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(kit.lake().manifest().is_none());
    }
}

#[test]
fn evolve() {
    let kit = Kit::new();
    let model = thing("evolve", "n = \"int\"\nday = \"date(iso)\"\nt = \"text(3)\"");
    let one = [
        item("1", r#""n":{"N":"1"},"t":{"S":"abc"}"#),
        item("2", r#""n":{"N":"2.5"},"b":{"N":"7"},"t":{"S":"longer"}"#),
        item("3", r#""day":{"S":"2021-02-30"},"lost":{"S":"never"}"#),
        item("4", r#""n":{"S":"4"}"#),
    ];
    let two = [
        item("5", r#""a":{"S":"x"},"n":{"N":"99999999999999999999"},"none":{"NULL":true}"#),
        item("6", r#""b":{"N":"0.125"},"m":{"L":[{"S":"y"}]}"#),
    ];
    let report = kit.full(&model, &[&one.concat(), &two.concat()]).unwrap();
    assert_eq!(report.left_out, 0);
    assert_eq!(
        texts(&kit.rows("thing")),
        [
            "1 1.0 - abc - - -",
            "2 2.5 - longer - 7.000 -",
            "5 99999999999999999999.0 - - x - -",
            "6 - - - - 0.125 [\"y\"]",
        ]
    );
    let rejects: Vec<_> = report.counts.rejects.clone().into_iter().collect();
    assert_eq!(rejects, [(Reason::WrongType, 1), (Reason::NotATime, 1)]);
    let columns: Vec<_> = kit.lake().tables()[0]
        .columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.ty))
        .collect();
    assert_eq!(
        columns,
        [
            "id text(20)",
            "n decimal(21,1)",
            "day date(iso)",
            "t text(6)",
            "a text(16)",
            "b decimal(4,3)",
            "m json",
        ]
    );
    let evolved: Vec<_> =
        report.evolved["thing"].iter().map(|column| column.name.to_string()).collect();
    assert_eq!(evolved, ["n", "t", "a", "b", "m"]);

    // The next export finds the columns there, and the model need not know them.
    let build = kit.begin(&model, "02-full", Kit::full_kind()).unwrap();
    let lines = item("7", r#""n":{"N":"3"},"a":{"S":"known"},"t":{"S":"longer"}"#);
    let report = crate::kit::build_all(build, &[&lines]).unwrap();
    assert!(report.counts.drift.is_empty(), "{:?}", report.counts.drift);
    assert!(report.evolved.is_empty(), "{:?}", report.evolved);
    assert_eq!(texts(&kit.rows("thing")), ["7 3.0 - longer known - -"]);
}

#[test]
fn evolve_in_a_window_leaves_files_that_need_no_change() {
    let kit = Kit::new();
    let model = thing("evolve", "n = \"int\"");
    kit.full(&model, &[&item("1", r#""n":{"N":"1"}"#)]).unwrap();
    let first = kit.files("thing");
    let change = |id: &str, micros: u64, attributes: &str| {
        format!(
            r#"{{"Metadata":{{"WriteTimestampMicros":{{"N":"{micros}"}}}},"Keys":{{"PK":{{"S":"T#{id}"}}}},"NewImage":{{"PK":{{"S":"T#{id}"}},{attributes}}}}}"#
        )
    };
    let later = 1_700_000_000_000_000;
    kit.window(&model, "02", &[&change("2", later, r#""new":{"BOOL":true}"#)]).unwrap();
    // A column at the end: the first file simply lacks it.
    assert_eq!(kit.files("thing")[0], first[0]);
    assert_eq!(texts(&kit.rows("thing")), ["1 1", "2 - true"]);
    kit.window(&model, "03", &[&change("3", later, r#""n":{"N":"0.5"}"#)]).unwrap();
    // Another type: every file is written again.
    assert!(!kit.files("thing").contains(&first[0]));
    assert_eq!(kit.schema("thing").field(4).data_type(), &DataType::Decimal128(20, 1));
    assert_eq!(texts(&kit.rows("thing")), ["1 1.0 -", "2 - true", "3 0.5 -"]);
}

#[test]
fn attributes_that_differ_by_case() {
    let lines = item("1", r#""Name":{"S":"a"},"name":{"S":"b"},"NAME":{"N":"3"}"#);
    let columns = "name = { from = \"Name\", type = \"text(5)\" }";
    let kit = Kit::new();
    let report = kit.full(&thing("quarantine", columns), &[&lines]).unwrap();
    assert_eq!(texts(&kit.rows("thing")), ["1 a"]);
    let drift: Vec<_> = report.counts.drift["thing"].keys().map(String::as_str).collect();
    assert_eq!(drift, ["NAME", "name"]);

    let kit = Kit::new();
    kit.full(&thing("evolve", columns), &[&lines]).unwrap();
    let names: Vec<_> =
        kit.lake().tables()[0].columns.iter().map(|column| column.name.to_string()).collect();
    assert_eq!(names, ["id", "name", "name_2", "name_3"]);
    assert_eq!(texts(&kit.rows("thing")), ["1 a 3 b"]);
    let lake = kit.lake();
    let evolved: Vec<_> = lake.manifest().unwrap().entities["thing"]
        .evolved
        .iter()
        .map(|column| (column.attribute.as_str(), column.column.as_str()))
        .collect();
    assert_eq!(evolved, [("NAME", "name_2"), ("name", "name_3")]);
}

#[test]
fn a_hostile_attribute_name() {
    let lines = item(
        "1",
        r#""\"; drop table x; --":{"S":"a"},"../../etc":{"S":"b"},"_pk":{"S":"c"},"":{"S":"d"}"#,
    );
    let kit = Kit::new();
    kit.full(&thing("evolve", ""), &[&lines]).unwrap();
    let names: Vec<_> =
        kit.lake().tables()[0].columns.iter().map(|column| column.name.to_string()).collect();
    assert_eq!(names, ["id", "a_", "a_drop_table_x_", "a_etc", "a_pk"]);
    assert_eq!(texts(&kit.rows("thing")), ["1 d a b c"]);

    let kit = Kit::new();
    let report = kit.full(&thing("quarantine", ""), &[&lines]).unwrap();
    assert_eq!(report.counts.drift["thing"]["\"; drop table x; --"], 1);
    assert_eq!(texts(&kit.rows("thing")), ["1"]);
}

#[test]
fn three_thousand_attributes() {
    let mut attributes = String::new();
    for n in 0..3000 {
        write!(attributes, "{}\"a{n:04}\":{{\"N\":\"{n}\"}}", if n > 0 { "," } else { "" })
            .unwrap();
    }
    let lines = [item("1", &attributes), item("2", "")].concat();
    let kit = Kit::new();
    let report = kit.full(&thing("quarantine", "a0001 = \"int\""), &[&lines]).unwrap();
    assert_eq!(texts(&kit.rows("thing")), ["1 1", "2 -"]);
    assert_eq!(report.counts.drift["thing"].len(), 2999);

    // As many columns as Redshift's tables have, by name; the others are counted.
    let kit = Kit::new();
    let report = kit.full(&thing("evolve", "a0001 = \"int\""), &[&lines]).unwrap();
    let rows = kit.rows("thing");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].len() + 3, 1600);
    assert_eq!(rows[0][..4], ["1", "1", "0", "2"].map(str::to_owned));
    assert_eq!(rows[0][1596], "1595");
    assert_eq!(report.left_out, 3000 - 1596);
}

#[test]
fn a_type_that_changes_is_refused() {
    let kit = Kit::new();
    kit.full(&thing("quarantine", "n = \"int\""), &[&item("1", "")]).unwrap();
    let changed = thing("quarantine", "n = \"text(5)\"");
    let error = kit.begin(&changed, "02", Kit::full_kind()).unwrap_err();
    assert!(matches!(error, Error::Lock(_)), "{error}");
    // A column that vanishes stays, and is NULL.
    let build = kit.begin(&thing("quarantine", "m = \"int\""), "02", Kit::full_kind()).unwrap();
    crate::kit::build_all(build, &[&item("1", r#""m":{"N":"5"}"#)]).unwrap();
    assert_eq!(texts(&kit.rows("thing")), ["1 - 5"]);
}

#[test]
fn rows_that_do_not_fit_leave_no_trace_in_nested_columns() {
    let kit = Kit::new();
    let model = thing("quarantine", "l = \"list<struct<a: int, b: text(3)>>\"\nz = \"int\"");
    let good = r#"{"L":[{"M":{"a":{"N":"1"},"b":{"S":"x"}}}]}"#;
    let bad = r#"{"L":[{"M":{"a":{"N":"2"}}},{"M":{"b":{"S":"long"},"a":{"N":"3"}}}]}"#;
    let lines = [
        item("1", &format!("\"l\":{good},\"z\":{{\"N\":\"1\"}}")),
        item("2", &format!("\"l\":{bad},\"z\":{{\"N\":\"1\"}}")),
        item("3", &format!("\"l\":{good},\"z\":{{\"S\":\"late\"}}")),
        item("4", &format!("\"l\":{good},\"z\":{{\"N\":\"4\"}}")),
    ];
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!(report.counts.rejected(), 2);
    assert_eq!(texts(&kit.rows("thing")), ["1 [{a: 1, b: x}] 1", "4 [{a: 1, b: x}] 4"]);
}

#[test]
fn a_child_has_its_own_drift() {
    let model = model(
        r#"
        [table]
        partition_key = "PK"
        [entity.user]
        pk = "U#{name}"
        [entity.user.columns]
        name = { key = "PK", type = "text(10)" }
        [entity.phone]
        parent = "user"
        unnest = "phones"
        over = "list"
        drift = "evolve"
        [entity.phone.columns]
        name = { parent = "name", type = "text(10)" }
        at = { position = true }
        number = "text(5)"
        "#,
    );
    let kit = Kit::new();
    let line = r#"{"Item":{"PK":{"S":"U#ann"},"phones":{"L":[{"M":{"number":{"S":"1"}}},{"M":{"number":{"S":"2"},"kind":{"S":"home"}}}]}}}"#;
    let report = kit.full(&model, &[line]).unwrap();
    assert_eq!(texts(&kit.rows("phone")), ["ann 0 1 -", "ann 1 2 home"]);
    assert_eq!(report.counts.drift["phone"]["kind"], 1);
}
