//! Windows of changes, applied to what the lake has.

use keystar_lake::{Error, LoadKind};

use crate::kit::{EXPORT_TIME, Kit, SHOP, customer, item, line, model, order, thing};

fn texts(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| row.join(" ")).collect()
}

/// A change of a thing, so many microseconds after the export; without attributes it is removed.
fn change(id: &str, after: i64, attributes: Option<&str>) -> String {
    let image = attributes.map_or(String::new(), |attributes| {
        format!(r#","NewImage":{{"PK":{{"S":"T#{id}"}},{attributes}}}"#)
    });
    let micros = EXPORT_TIME + after;
    format!(
        r#"{{"Metadata":{{"WriteTimestampMicros":{{"N":"{micros}"}}}},"Keys":{{"PK":{{"S":"T#{id}"}}}}{image}}}"#
    ) + "\n"
}

fn number(n: u32) -> String {
    format!(r#""n":{{"N":"{n}"}}"#)
}

#[test]
fn put_change_and_remove() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    let full = [item("1", &number(1)), item("2", &number(2)), item("3", &number(3))];
    kit.full(&model, &[&full.concat(), &item("8", &number(8))]).unwrap();
    let first = kit.files("thing");
    let window = [
        change("1", 10, Some(&number(100))),
        change("2", 20, None),
        change("4", 30, Some(&number(400))),
        change("9", 40, None),
    ];
    let report = kit.window(&model, "02", &[&window.concat()]).unwrap();
    assert_eq!((report.counts.written, report.counts.removed), (2, 2));
    assert_eq!((report.replaced, report.outdated), (2, 0));
    let mut rows = texts(&kit.rows("thing"));
    rows.sort();
    assert_eq!(rows, ["1 100", "3 3", "4 400", "8 8"]);
    assert_eq!(report.rows["thing"], 4);
    // The file without such rows stays; the other is gone.
    assert!(kit.files("thing").contains(&first[1]));
    assert!(!first[0].exists());
    let lake = kit.lake();
    let applied = &lake.manifest().unwrap().applied;
    let ids: Vec<_> = applied.iter().map(|applied| applied.export_id.as_str()).collect();
    assert_eq!(ids, ["01-full", "02"]);
    assert_eq!(applied[1].kind, LoadKind::Incremental { from: 0, to: 1 });
    let written = kit.stamps("thing").into_iter().find(|stamp| stamp[0] == "T#4").unwrap();
    assert_eq!(written[2], "2021-05-01T00:00:00.000030Z");
}

#[test]
fn the_newer_wins() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    kit.full(&model, &[&item("1", &number(1))]).unwrap();
    kit.window(&model, "02", &[&change("1", 50, Some(&number(2)))]).unwrap();
    let late = [change("1", 40, Some(&number(3))), change("2", 41, Some(&number(5)))];
    let report = kit.window(&model, "03", &[&late.concat()]).unwrap();
    assert_eq!((report.replaced, report.outdated), (0, 1));
    let late = change("1", 45, None);
    kit.window(&model, "04", &[&late]).unwrap();
    let mut rows = texts(&kit.rows("thing"));
    rows.sort();
    assert_eq!(rows, ["1 2", "2 5"]);
    // Within one window, too: the tasks' order does not matter.
    let both = [change("2", 70, Some(&number(7))), change("2", 60, Some(&number(6)))];
    kit.window(&model, "05", &[&both[0], &both[1]]).unwrap();
    let mut rows = texts(&kit.rows("thing"));
    rows.sort();
    assert_eq!(rows, ["1 2", "2 7"]);
}

#[test]
fn a_window_is_applied_once_and_after_a_full_export() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    let error = kit.window(&model, "02", &[]).unwrap_err();
    assert!(matches!(error, Error::NothingToChange { .. }), "{error}");
    kit.full(&model, &[]).unwrap();
    kit.window(&model, "02", &[&change("1", 1, Some(&number(1)))]).unwrap();
    let error = kit.window(&model, "02", &[&change("1", 1, Some(&number(1)))]).unwrap_err();
    assert!(matches!(error, Error::AlreadyApplied { export_id } if export_id == "02"));
    let twice = [change("1", 5, None), change("1", 5, Some(&number(2)))];
    let error = kit.window(&model, "03", &[&twice.concat()]).unwrap_err();
    assert!(matches!(error, Error::Twice { line: 2, .. }), "{error}");
    assert_eq!(texts(&kit.rows("thing")), ["1 1"]);
}

#[test]
fn children_and_other_entities_go_with_their_item() {
    let kit = Kit::new();
    let model = model(SHOP);
    let strange = r#"{"Item":{"PK":{"S":"X"},"SK":{"S":"Y"}}}"#;
    let lines = [customer("ann"), order("ann", "o1"), line("o1", "p1", "1"), strange.to_owned()];
    kit.full(&model, &[&lines.concat()]).unwrap();
    let change = |pk: &str, sk: &str, image: &str| {
        let image = if image.is_empty() { String::new() } else { format!(",\"NewImage\":{image}") };
        format!(
            r#"{{"Metadata":{{"WriteTimestampMicros":{{"N":"{}"}}}},"Keys":{{"PK":{{"S":"{pk}"}},"SK":{{"S":"{sk}"}}}}{image}}}"#,
            EXPORT_TIME + 1
        ) + "\n"
    };
    let image = |line: String| {
        line.trim().strip_prefix("{\"Item\":").unwrap().strip_suffix('}').unwrap().to_owned()
    };
    let window = [
        change("CUST#ann", "CUST#ann", &image(customer("ann").replace("FR", "DE"))),
        change("ORD#o1", "PROD#p1", ""),
        // What was of no entity becomes an order, and an order something of no entity.
        change("X", "Y", ""),
        change("CUST#ann", "ORD#o1", r#"{"PK":{"S":"CUST#ann"},"SK":{"S":"ORD#o1"}}"#),
    ];
    let report = kit.window(&model, "02", &[&window.concat()]).unwrap();
    assert_eq!(report.replaced, 6);
    assert_eq!(
        texts(&kit.rows("address")),
        ["ann home 1 High St AB1 GB", "ann work 2 Low St - DE"]
    );
    assert_eq!(texts(&kit.rows("customer")), ["ann ann@example.com GB"]);
    assert!(kit.rows("line").is_empty() && kit.rows("order").is_empty());
    assert!(!kit.path().join("type=line").exists());
    assert_eq!(texts(&kit.rows("_unknown")), [r#"{"PK":{"S":"CUST#ann"},"SK":{"S":"ORD#o1"}}"#]);
}

#[test]
fn lines_that_are_no_changes() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    kit.full(&model, &[]).unwrap();
    let lines = [
        item("1", &number(1)),
        "{\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"1\"}}}\n".to_owned(),
        "{\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"1\"}},\"Keys\":{\"other\":{\"S\":\"x\"}}}\n".to_owned(),
        "{\"Metadata\":\n".to_owned(),
        change("2", 1, Some("\"n\":{\"S\":\"x\"}")),
        change("3", 1, Some(&number(3))).replace("\"}}", "\"}} ").replace(':', " :"),
    ];
    let report = kit.window(&model, "02", &[&lines.concat()]).unwrap();
    assert_eq!((report.counts.read, report.counts.written, report.counts.rejected()), (6, 1, 5));
    let details: Vec<_> = kit
        .rejects("02")
        .iter()
        .map(|reject| format!("{}: {}", reject["line"], reject["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(
        details,
        [
            "1: no Metadata with a WriteTimestampMicros in the line",
            "2: no Keys in the line",
            "3: key attribute of the table missing or of no key's type",
            "4: unexpected end of text at byte 12",
            "5: S where N is needed",
        ]
    );
    assert_eq!(texts(&kit.rows("thing")), ["3 3"]);
}

#[test]
fn many_small_files_become_one() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    kit.full(&model, &[&item("0", &number(0))]).unwrap();
    let mut most = 0;
    for n in 1..40 {
        let id = format!("{n}");
        kit.window(&model, &format!("w{n}"), &[&change(&id, i64::from(n), Some(&number(n)))])
            .unwrap();
        most = most.max(kit.files("thing").len());
        assert_eq!(kit.rows("thing").len(), n as usize + 1);
    }
    assert_eq!(most, 16);
    let mut rows = kit.rows("thing");
    rows.sort_by_key(|row| row[1].parse::<u32>().unwrap());
    assert!(rows.iter().zip(0..).all(|(row, n)| row[1] == format!("{n}")));
}

#[test]
fn keys_that_are_numbers_or_bytes() {
    let kit = Kit::new();
    let model = model(
        r#"
        [table]
        partition_key = "PK"
        sort_key = "SK"
        [entity.reading]
        pk = "DEV#{device}"
        sk = "{moment}"
        like = { GSI1SK = "{moment}" }
        [entity.reading.columns]
        device = { key = "PK", type = "text(16)" }
        moment = { key = "SK", type = "timestamp(epoch-seconds)" }
        text = { key = "SK", variable = "moment", type = "text(16)" }
        SK = "int"
        exact = { from = "SK", type = "decimal(12,2)" }
        at = { from = "SK", type = "timestamp(epoch-seconds)" }
        [entity.blob]
        pk = "{hash}"
        sk = "q{rest}=="
        [entity.blob.columns]
        hash = { key = "PK", type = "text(16)" }
        rest = { key = "SK", type = "text(16)" }
        raw = { from = "PK", type = "bytes(8)" }
        "#,
    );
    let reading = |sk: u32, like: u32| {
        format!(r#"{{"PK":{{"S":"DEV#a"}},"SK":{{"N":"{sk}"}},"GSI1SK":{{"N":"{like}"}}}}"#)
    };
    let blob = |sk: &str| format!(r#"{{"PK":{{"B":"AQID"}},"SK":{{"B":"{sk}"}}}}"#);
    let lines = [
        reading(1_600_000_000, 1_600_000_000),
        reading(1_600_000_060, 1_600_000_060),
        reading(1_600_000_120, 7),
        blob("qg=="),
        blob("AQ=="),
    ];
    let lines = lines.map(|line| format!("{{\"Item\":{line}}}\n"));
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!((report.counts.read, report.counts.written, report.counts.unknown), (5, 3, 2));
    assert!(report.counts.drift.is_empty(), "{:?}", report.counts.drift);
    let row = |time: &str, number: u32| format!("a {time} {number} {number} {number}.00 {time}");
    let first = row("2020-09-13T12:26:40Z", 1_600_000_000);
    assert_eq!(
        texts(&kit.rows("reading")),
        [first.clone(), row("2020-09-13T12:27:40Z", 1_600_000_060)]
    );
    assert_eq!(texts(&kit.rows("blob")), ["AQID g 010203"]);
    assert_eq!(kit.stamps("reading")[1][..2], ["DEV#a", "1600000060"]);
    assert_eq!(kit.stamps("blob")[0][..2], ["AQID", "qg=="]);

    let remove = |keys: &str| {
        let micros = EXPORT_TIME + 1;
        format!(
            "{{\"Metadata\":{{\"WriteTimestampMicros\":{{\"N\":\"{micros}\"}}}},\"Keys\":{keys}}}\n"
        )
    };
    let keys = r#"{"PK":{"S":"DEV#a"},"SK":{"N":"1600000060"}}"#;
    let window = [remove(keys), remove(&blob("qg=="))].concat();
    let report = kit.window(&model, "02", &[&window]).unwrap();
    assert_eq!((report.counts.removed, report.replaced), (2, 2));
    assert_eq!(texts(&kit.rows("reading")), [first]);
    assert!(kit.rows("blob").is_empty());
}
