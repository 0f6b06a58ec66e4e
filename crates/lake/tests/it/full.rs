//! Full exports.

use std::fs;

use arrow::datatypes::{DataType, TimeUnit};
use keystar_item::scan::Tape;
use keystar_lake::{Compression, Error, Reason};
use keystar_star::infer::{Profile, Proposal, TableHint};

use crate::kit::{Kit, SHOP, build_all, customer, item, line, model, order, run, thing};

fn strings<const N: usize>(row: [&str; N]) -> Vec<String> {
    row.map(str::to_owned).to_vec()
}

#[test]
fn a_shop() {
    let kit = Kit::new();
    let lines =
        [customer("ann"), order("ann", "o1"), line("o1", "p1", "9.90"), line("o1", "p2", "120")];
    let report = kit.full(&model(SHOP), &[&lines.concat(), &customer("bob")]).unwrap();
    assert_eq!((report.counts.read, report.counts.written), (5, 5));
    assert_eq!(report.counts.rejected(), 0);
    assert!(report.counts.drift.is_empty(), "{:?}", report.counts.drift);
    let rows: Vec<_> = report.rows.iter().map(|(entity, rows)| (entity.as_str(), *rows)).collect();
    assert_eq!(rows, [("_unknown", 0), ("address", 4), ("customer", 2), ("line", 2), ("order", 1)]);

    assert_eq!(
        kit.rows("customer"),
        [strings(["ann", "ann@example.com", "GB"]), strings(["bob", "bob@example.com", "GB"])]
    );
    assert_eq!(
        kit.rows("address"),
        [
            strings(["ann", "home", "1 High St", "AB1", "GB"]),
            strings(["ann", "work", "2 Low St", "-", "FR"]),
            strings(["bob", "home", "1 High St", "AB1", "GB"]),
            strings(["bob", "work", "2 Low St", "-", "FR"]),
        ]
    );
    assert_eq!(kit.rows("order"), [strings(["ann", "o1", "2021-04-12T10:20:30Z", "2", "home"])]);
    assert_eq!(
        kit.rows("line"),
        [
            strings(["o1", "p1", "Kettle & co \"é\"", "9.90"]),
            strings(["o1", "p2", "Kettle & co \"é\"", "120.00"]),
        ]
    );
    assert_eq!(
        kit.stamps("address")[1],
        ["CUST#ann", "CUST#ann", "2021-05-01T00:00:00Z"].map(str::to_owned)
    );
    assert_eq!(
        kit.stamps("line")[0],
        ["ORD#o1", "PROD#p1", "2021-05-01T00:00:00Z"].map(str::to_owned)
    );

    let schema = kit.schema("order");
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| (field.name().as_str(), field.data_type().clone(), field.is_nullable()))
        .collect();
    assert_eq!(
        fields,
        [
            ("_pk", DataType::Utf8, false),
            ("_sk", DataType::Utf8, true),
            ("_written_at", time.clone(), false),
            ("username", DataType::Utf8, true),
            ("orderid", DataType::Utf8, true),
            ("orderdate", time, true),
            ("numberofitems", DataType::Int64, true),
            ("shipto", DataType::Utf8, true),
        ]
    );
    assert_eq!(kit.schema("line").field(6).data_type(), &DataType::Decimal128(10, 2));
    assert!(kit.path().join("type=order/000001-01-full-0000-0000.parquet").is_file());
    assert!(kit.path().join("_keystar/model.lock").is_file());
    assert!(!kit.path().join("_keystar/building").exists());
}

#[test]
fn a_proposal_takes_all_that_it_was_told_from() {
    let item = |at: u32| {
        let moment = 1_600_000_000 + at * 60;
        format!(
            r#"{{"PK":{{"S":"DEV#d{}"}},"SK":{{"N":"{moment}"}},"GSI1PK":{{"S":"DAY#{}"}},"GSI1SK":{{"N":"{moment}"}},"c":{{"N":"{at}.5"}}}}"#,
            at % 3,
            at % 7,
        )
    };
    let items: Vec<String> = (0..50).map(item).collect();
    let mut profile = Profile::new(TableHint::default());
    let mut tape = Tape::new();
    items.iter().for_each(|item| profile.observe(tape.scan(item.as_bytes()).unwrap()));
    let model = model(&Proposal::from(&profile).to_toml());
    let kit = Kit::new();
    let report = kit.full(&model, &[&items.join("\n")]).unwrap();
    assert_eq!((report.counts.read, report.counts.written, report.counts.unknown), (50, 50, 0));
    assert!(report.counts.drift.is_empty(), "{:?}", report.counts.drift);
    let entity = model.entities[0].name.as_str();
    assert_eq!(kit.stamps(entity)[1][1], "1600000060");
    assert_eq!(kit.rows(entity)[1], strings(["d1", "2020-09-13T12:27:40Z", "1.50"]));
}

#[test]
fn the_same_export_gives_the_same_files() {
    let lines: String = (0..500)
        .flat_map(|n| [customer(&format!("c{n}")), order(&format!("c{n}"), &format!("o{n}"))])
        .collect();
    let load = |reversed: bool| {
        let kit = Kit::new();
        let model = model(SHOP);
        let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
        let indexes = if reversed { [1, 0] } else { [0, 1] };
        let reports = indexes.map(|index| run(&build, index, &lines).unwrap());
        build.commit(reports.to_vec()).unwrap();
        kit.snapshot()
    };
    assert_eq!(load(false), load(true));
}

#[test]
fn every_type() {
    let kit = Kit::new();
    let model = thing(
        "quarantine",
        r#"
        b = "bool"
        i = "int"
        d = "decimal(38,10)"
        f = "double"
        day = "date(iso)"
        us = "date('%d/%m/%Y')"
        at = "timestamp(epoch-millis)"
        raw = "bytes(10)"
        doc = "json"
        l = "list<text(5)>"
        ns = { from = "ns", type = "list<decimal(5,1)>" }
        m = "struct<a: int, b=\"B b\": list<bool>>"
        gone = { is_null = "gone" }
        "#,
    );
    let lines = [
        item(
            "1",
            r#""b":{"BOOL":true},"i":{"N":"-9223372036854775808"},"d":{"N":"1e3"},"f":{"N":"1e-3"},"day":{"S":"1969-12-31"},"us":{"S":"29/02/2020"},"at":{"N":"1618222830123"},"raw":{"B":"AAEC"},"doc":{"M":{"x":{"L":[{"N":"1"},{"NULL":true}]}}},"l":{"L":[{"S":"p"},{"NULL":true},{"S":"q"}]},"ns":{"NS":["1","2.5"]},"m":{"M":{"B b":{"L":[{"BOOL":false}]},"other":{"S":"x"}}},"gone":{"NULL":true}"#,
        ),
        item("2", r#""l":{"L":[]},"at":{"S":"0"},"gone":{"S":"x"},"b":{"NULL":true}"#),
        item("3", ""),
    ];
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!(report.counts.written, 3, "{:?}", kit.rejects("01-full"));
    assert_eq!(
        kit.rows("thing"),
        [
            strings([
                "1",
                "true",
                "-9223372036854775808",
                "1000.0000000000",
                "0.001",
                "1969-12-31",
                "2020-02-29",
                "2021-04-12T10:20:30.123Z",
                "000102",
                r#"{"x":[1,null]}"#,
                "[p, , q]",
                "[1.0, 2.5]",
                "{a: , b: [false]}",
                "true",
            ]),
            strings([
                "2",
                "-",
                "-",
                "-",
                "-",
                "-",
                "-",
                "1970-01-01T00:00:00Z",
                "-",
                "-",
                "[]",
                "-",
                "-",
                "false",
            ]),
            strings(["3", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
        ]
    );
}

#[test]
fn items_of_no_entity_are_kept() {
    let kit = Kit::new();
    let strange = r#"{"Item":{"PK":{"S":"X#1"},"SK":{"S":"Y"},"n":{"N":"1.50"}}}"#;
    // The discriminator alone does not make an order.
    let wrong_key = order("ann", "o1").replace("ORD#o1", "LINE#o1");
    let report = kit.full(&model(SHOP), &[&format!("{strange}\n{wrong_key}")]).unwrap();
    assert_eq!((report.counts.unknown, report.counts.written), (2, 0));
    let rows = kit.rows("_unknown");
    assert_eq!(rows[0], [r#"{"PK":{"S":"X#1"},"SK":{"S":"Y"},"n":{"N":"1.50"}}"#]);
    assert_eq!(kit.stamps("_unknown")[0][..2], ["X#1".to_owned(), "Y".to_owned()]);
    assert!(rows[1][0].contains("LINE#o1"));
}

#[test]
fn lines_in_other_forms() {
    let kit = Kit::new();
    // As the API writes an item, with white space, with CRLF, blank lines, no newline at the end.
    let lines = format!(
        "{}\r\n\n   \n{{ \"Item\" : {} }}\r\n{{\"PK\":{{\"S\":\"T#3\"}}}}",
        r#"{"PK":{"S":"T#1"},"n":{"N":"1"}}"#,
        r#"{"P\u004b":{"S":"T\u00232"},"\u006e":{"N":"\u0032"}}"#,
    );
    let report = kit.full(&thing("freeze", "n = \"int\""), &[&lines]).unwrap();
    assert_eq!(report.counts.read, 3);
    assert_eq!(kit.rows("thing"), [strings(["1", "1"]), strings(["2", "2"]), strings(["3", "-"])]);
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    let kit = Kit::new();
    let lines = [
        item("1", r#""n":{"N":"1"}"#),
        "this is not JSON\n".to_owned(),
        item("2", &format!(r#""n":{{"N":"{}"}}"#, "1".repeat(60))),
        "{\"Item\":{\"PK\":{\"S\":\"T#3\"}}\n".to_owned(),
        "{\"Item\":{\"n\":{\"N\":\"1\"}}}\n".to_owned(),
        "{}\n".to_owned(),
        item("4", r#""n":{"N":"4"}"#),
    ];
    let report = kit.full(&thing("quarantine", "n = \"int\""), &[&lines.concat()]).unwrap();
    assert_eq!((report.counts.read, report.counts.written), (7, 2));
    assert_eq!(report.counts.rejects[&Reason::Unreadable], 4);
    assert_eq!(report.counts.rejects[&Reason::NoKey], 1);
    assert_eq!(kit.rows("thing"), [strings(["1", "1"]), strings(["4", "4"])]);

    let rejects = kit.rejects("01-full");
    let told: Vec<_> = rejects
        .iter()
        .map(|reject| {
            let text = |name: &str| reject[name].as_str().unwrap_or("-").to_owned();
            (reject["line"].as_u64().unwrap(), text("reason"), text("detail"))
        })
        .collect();
    let aside = |line, reason: &str, detail: &str| (line, reason.to_owned(), detail.to_owned());
    assert_eq!(
        told,
        [
            aside(2, "unreadable", "expected an object at byte 0"),
            aside(3, "unreadable", "number of more than 38 significant digits at byte 36"),
            aside(4, "unreadable", "unexpected end of text at byte 26"),
            aside(5, "no-key", "key attribute of the table missing or of no key's type"),
            aside(6, "unreadable", "no Item in the line"),
        ]
    );
    assert_eq!(rejects[0]["file"], "data/0.json.gz");
    assert_eq!(rejects[0]["item"], "this is not JSON");
    assert_eq!(rejects[3]["item"]["Item"]["n"]["N"], "1");
}

#[test]
fn a_second_full_export_takes_the_first_ones_place() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    kit.full(&model, &[&item("1", r#""n":{"N":"1"}"#)]).unwrap();
    let before = kit.files("thing");
    let build = kit.begin(&model, "02-full", Kit::full_kind()).unwrap();
    let report = build_all(build, &[&item("2", r#""n":{"N":"2"}"#)]).unwrap();
    assert_eq!(report.rows["thing"], 1);
    assert_eq!(kit.rows("thing"), [strings(["2", "2"])]);
    assert!(!before[0].exists());
    let lake = kit.lake();
    let manifest = lake.manifest().unwrap();
    assert_eq!(manifest.commit, 2);
    assert_eq!(manifest.applied.len(), 1);
    assert_eq!(manifest.applied[0].export_id, "02-full");
}

#[test]
fn many_rows_in_many_files_and_little_memory() {
    let mut kit = Kit::new();
    kit.options.file_bytes = 60_000;
    kit.options.row_group_rows = 3000;
    kit.options.task_bytes = 200_000;
    kit.options.compression = Compression::Snappy;
    let lines: String = (0..30_000)
        .map(|n| item(&format!("{n}"), &format!(r#""n":{{"N":"{n}"}},"t":{{"S":"text {n}"}}"#)))
        .collect();
    let model = thing("quarantine", "n = \"int\"\nt = \"text(20)\"");
    let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
    let mut task = build.task(0).unwrap();
    let mut number = 1;
    for lines in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(1000) {
        task.push("data", number, lines.concat().as_bytes()).unwrap();
        number += lines.len() as u64;
    }
    let report = build.commit(vec![task.finish().unwrap()]).unwrap();
    assert_eq!(report.rows["thing"], 30_000);
    assert!(kit.files("thing").len() > 3, "{:?}", kit.files("thing"));
    let rows = kit.rows("thing");
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row[..], strings([&n.to_string(), &n.to_string(), &format!("text {n}")]));
    }
}

#[test]
fn children_of_children_and_of_lists() {
    let model = model(
        r#"
        [table]
        partition_key = "PK"
        [entity.cart]
        pk = "C#{id}"
        [entity.cart.columns]
        id = { key = "PK", type = "int" }
        [entity.box]
        parent = "cart"
        unnest = "contents.boxes"
        over = "list"
        [entity.box.columns]
        id = { parent = "id", type = "int" }
        position = { position = true }
        label = "text(10)"
        [entity.tag]
        parent = "box"
        unnest = "tags"
        over = "list"
        [entity.tag.columns]
        id = { parent = "id", type = "int" }
        position = { parent = "position", type = "int" }
        at = { position = true }
        tag = { element = true, type = "text(5)" }
        "#,
    );
    let cart = |id: &str, boxes: &str| {
        format!(r#"{{"Item":{{"PK":{{"S":"C#{id}"}},"contents":{{"M":{{"boxes":{boxes}}}}}}}}}"#)
            + "\n"
    };
    let lines = [
        cart(
            "7",
            r#"{"L":[{"M":{"label":{"S":"a"},"tags":{"SS":["x","y"]}}},{"M":{"tags":{"L":[{"S":"too long"},{"S":"z"}]}}},{"M":{"label":{"N":"1"},"tags":{"SS":["never"]}}}]}"#,
        ),
        cart("8", r#"{"S":"no list"}"#),
        cart("nine", r#"{"L":[{"M":{}}]}"#),
        cart("10", r#"{"NULL":true}"#),
    ];
    let kit = Kit::new();
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!(kit.rows("cart"), [strings(["7"]), strings(["8"]), strings(["10"])]);
    assert_eq!(kit.rows("box"), [strings(["7", "0", "a"]), strings(["7", "1", "-"])]);
    assert_eq!(
        kit.rows("tag"),
        [
            strings(["7", "0", "0", "x"]),
            strings(["7", "0", "1", "y"]),
            strings(["7", "1", "1", "z"])
        ]
    );
    assert_eq!(report.counts.rejects[&Reason::NotANumber], 1);
    let members: Vec<_> = report.counts.rejected_members.clone().into_iter().collect();
    assert_eq!(members, [(Reason::WrongType, 2), (Reason::TooLong, 1)]);
    let rejects = kit.rejects("01-full");
    let told: Vec<_> = rejects
        .iter()
        .map(|reject| format!("{} {} {}", reject["line"], reject["entity"], reject["detail"]))
        .collect();
    assert_eq!(
        told,
        [
            r#"1 "tag" "8 bytes, more than 5""#,
            r#"1 "box" "N where S is needed""#,
            r#"2 "box" "S where L is needed""#,
            r#"3 "cart" "not a number""#,
        ]
    );
}

#[test]
fn two_builds_at_once_are_refused() {
    let kit = Kit::new();
    let model = thing("quarantine", "");
    let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
    let error = kit.begin(&model, "02-full", Kit::full_kind()).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(error.is_retryable());
    drop(build);
    assert!(kit.begin(&model, "02-full", Kit::full_kind()).is_ok());
}

#[test]
fn a_commit_takes_every_task_once() {
    let kit = Kit::new();
    let model = thing("quarantine", "");
    let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
    let one = run(&build, 0, &item("1", "")).unwrap();
    let _lost = run(&build, 1, &item("2", "")).unwrap();
    assert!(matches!(build.commit(vec![one.clone(), one]), Err(Error::Misuse(_))));
    let build = kit.begin(&model, "01-full", Kit::full_kind()).unwrap();
    let one = run(&build, 0, &item("1", "")).unwrap();
    let _lost = run(&build, 1, &item("2", "")).unwrap();
    assert!(matches!(build.commit(vec![one]), Err(Error::Misuse(_))));
    assert!(kit.lake().manifest().is_none());
}

#[test]
fn what_an_abandoned_build_left_is_cleaned_up() {
    let kit = Kit::new();
    let model = thing("quarantine", "n = \"int\"");
    kit.full(&model, &[&item("1", r#""n":{"N":"1"}"#)]).unwrap();
    let before = kit.snapshot();
    let build = kit.begin(&model, "02-full", Kit::full_kind()).unwrap();
    let _report = run(&build, 0, &item("2", "")).unwrap();
    drop(build);
    assert_eq!(kit.rows("thing"), [strings(["1", "1"])]);
    fs::write(kit.path().join("type=thing/000002-02-full-0000-0000.parquet"), "half").unwrap();
    fs::write(kit.path().join("type=thing/notes.txt"), "a stranger's").unwrap();
    drop(kit.begin(&model, "03-full", Kit::full_kind()).unwrap());
    fs::remove_file(kit.path().join("type=thing/notes.txt")).unwrap();
    assert_eq!(kit.snapshot(), before);
}

#[test]
fn a_manifest_that_leads_out_of_the_lake_is_refused() {
    let kit = Kit::new();
    kit.full(&thing("quarantine", ""), &[&item("1", "")]).unwrap();
    let path = kit.path().join("_keystar/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("000001-01-full-0000-0000.parquet", "../../x.parquet")).unwrap();
    assert!(matches!(keystar_lake::Lake::open(kit.path()), Err(Error::Manifest { .. })));
}

#[test]
fn entities_told_apart_by_keys_alone_in_the_models_order() {
    let model = model(
        r#"
        [table]
        partition_key = "PK"
        sort_key = "SK"
        [entity.visit]
        pk = "USER#{user}"
        sk = "{year}-{month}#visit"
        [entity.visit.columns]
        user = { key = "PK", type = "text(20)" }
        year = { key = "SK", type = "int" }
        month = { key = "SK", type = "int" }
        [entity.user]
        pk = "USER#{user}"
        sk = "USER#{user}"
        [entity.user.columns]
        user = { key = "PK", type = "text(20)" }
        "#,
    );
    let item = |pk: &str, sk: &str| {
        format!(r#"{{"Item":{{"PK":{{"S":"{pk}"}},"SK":{{"S":"{sk}"}}}}}}"#) + "\n"
    };
    let lines = [
        item("USER#ann", "USER#ann"),
        item("USER#ann", "2021-04#visit"),
        item("USER#bob", "2021-#visit"),
        item("USER#bob", "USER#ann"),
        item("USER#", "USER#"),
        item("\\u0055SER#c\\u0061t", "1999-12#visit"),
    ];
    let kit = Kit::new();
    let report = kit.full(&model, &[&lines.concat()]).unwrap();
    assert_eq!(kit.rows("user"), [strings(["ann"])]);
    assert_eq!(kit.rows("visit"), [strings(["ann", "2021", "4"]), strings(["cat", "1999", "12"])]);
    // A month that is empty, another's item, and nobody's: of no entity.
    assert_eq!(report.counts.unknown, 3);
}
