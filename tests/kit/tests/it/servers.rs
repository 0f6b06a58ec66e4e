//! Servers that validate as DynamoDB does accept every item that we write, and hand it back as it was.

use keystar_kit::dynamodb::{DynamoDb, Keys};
use keystar_kit::migrate;

use crate::readers::{Corpus, mapping_file};

/// Every case of the corpus, one item a record and one item an element.
fn every_item_is_accepted(server: &DynamoDb) {
    let corpus = Corpus::shared();
    let mut client = server.connect().unwrap();
    let one = Keys::partition("key", "S");
    let text = |name: &str| (name.to_owned(), "S".to_owned());
    let many = Keys { partition: text("pk"), sort: Some(text("sk")) };
    let mut items = 0;
    let mut findings = Vec::new();
    for (number, (name, dump)) in corpus.cases.iter().enumerate() {
        let form = format!("collection-{}", server.name());
        let folder = corpus.path(name, &form);
        let mapping = mapping_file("collection");
        migrate::convert(
            dump,
            &folder,
            "dynamodb-json",
            "none",
            &["--mapping", mapping.to_str().unwrap()],
        )
        .unwrap();
        for (keys, folder) in [(&one, corpus.path(name, "dynamodb-json-none")), (&many, folder)] {
            let lines = migrate::sorted_lines(&folder).unwrap();
            items += lines.len();
            let table = format!("table{number}-{}", keys.partition.0);
            let differences = client.round_trip(&table, keys, &lines).unwrap();
            findings.extend(
                differences.iter().take(3).map(|difference| format!("{name}: {difference:?}")),
            );
        }
    }
    assert!(items > 10_000, "only {items} items");
    let shown: Vec<String> =
        findings.iter().map(|finding| finding.chars().take(1000).collect()).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), shown.join("\n"));
}

#[test]
fn dynoxide_accepts_every_item_and_hands_it_back() {
    every_item_is_accepted(&DynamoDb::dynoxide().unwrap());
}

#[test]
fn dynamodb_local_accepts_every_item_and_hands_it_back() {
    every_item_is_accepted(&DynamoDb::local().unwrap());
}

/// The judges can say no, and the comparison sees what changed on the way.
#[test]
fn the_judges_refuse_what_dynamodb_refuses() {
    for server in [DynamoDb::dynoxide().unwrap(), DynamoDb::local().unwrap()] {
        let mut client = server.connect().unwrap();
        let keys = Keys::partition("key", "S");
        let line = |value: &str| format!(r#"{{"Item":{{"key":{{"S":"k"}},"value":{value}}}}}"#);
        let cases = [
            (line(r#"{"N":"10"}"#), 0),
            // Put as 1.50, handed back as 1.5.
            (line(r#"{"N":"1.50"}"#), 1),
            (line(r#"{"N":"1E126"}"#), 1),
            (line(r#"{"SS":["a","a"]}"#), 1),
            (line(&format!(r#"{{"S":"{}"}}"#, "x".repeat(410_000))), 1),
            (r#"{"Item":{"value":{"S":"no key"}}}"#.to_owned(), 1),
        ];
        for (number, (line, expected)) in cases.into_iter().enumerate() {
            let differences = client.round_trip(&format!("case{number}"), &keys, &[line]).unwrap();
            assert_eq!(
                differences.len(),
                expected,
                "{} case {number}: {differences:?}",
                server.endpoint()
            );
        }
    }
}
