//! Items into tables and out of them: against Dynoxide, with a proxy in between that goes wrong on purpose, and against
//! DynamoDB Local.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says no by a panic")]

mod conforms;
mod faults;
mod refusals;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use futures_executor::block_on;
use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Number, Table, json};
use keystar_kit::dynamodb as servers;
use keystar_transfer::{
    Aws, AwsOptions, DynamoDb, Error, ItemSink, LiveOptions, LiveWriter, Mark, Origin, Receipt,
    ScanTableOptions, TableExtras, TableItems,
};

/// The stand-ins take any credentials.
const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "keystar"), ("AWS_SECRET_ACCESS_KEY", "secret")];

/// Runs a test in a process of its own that has credentials.
fn with_credentials(name: &str, test: impl FnOnce()) {
    keystar_kit::alone::alone(name, &CREDENTIALS, test);
}

fn connect(endpoint: &str) -> DynamoDb {
    let options = AwsOptions::default().with_region("eu-central-1").with_endpoint_url(endpoint);
    Aws::connect(&options).unwrap().dynamodb()
}

fn dynoxide() -> (servers::DynamoDb, DynamoDb) {
    let server = servers::DynamoDb::dynoxide().unwrap();
    let db = connect(&server.endpoint());
    (server, db)
}

/// A table of items with one key attribute.
fn users() -> Table {
    Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name("users")
}

fn create(db: &DynamoDb, table: &Table) {
    let name = db.create(table, &TableExtras::default()).unwrap();
    db.wait_active(&name, std::time::Duration::from_secs(10)).unwrap();
}

fn user(n: u64) -> Item<'static> {
    let mut item = Item::new();
    item.push("key", format!("user:{n}"));
    item.push("visits", Number::from(n));
    item.push("note", "é\"\\\n".repeat(20));
    item
}

fn options(work: &Path) -> LiveOptions {
    LiveOptions::new(users(), work).unwrap()
}

/// Writes users through the sink in batches, as workers do.
fn write(sink: &mut LiveWriter, numbers: std::ops::Range<u64>) -> Result<(), Error> {
    let mut encoder = sink.encoder();
    let mut batch = 0;
    for n in numbers {
        encoder.push(&user(n), Origin(n)).unwrap();
        batch += 1;
        if batch == 60 {
            block_on(sink.write(encoder.take()))?;
            batch = 0;
        }
    }
    block_on(sink.write(encoder.take()))
}

/// A whole job.
fn load(db: &DynamoDb, options: LiveOptions, users: u64) -> Result<Receipt, Error> {
    let mut sink = Box::new(LiveWriter::open(db, options, None)?);
    write(&mut sink, 0..users)?;
    let _: Mark = block_on(sink.commit())?;
    block_on(sink.finish(&[]))
}

/// All items of a table, as lines of JSON by key.
fn scan(db: &DynamoDb, table: &str, segments: u32) -> BTreeMap<String, String> {
    let options = ScanTableOptions::default().with_segments(segments).with_consistent(true);
    let mut found = BTreeMap::new();
    for item in TableItems::open(db, &table.parse().unwrap(), options).unwrap() {
        let line = sorted(item.unwrap());
        assert!(found.insert(line.clone(), line).is_none(), "an item came twice");
    }
    found
}

/// The attributes in the order of their names.
fn sorted(item: Item<'_>) -> String {
    let attributes: BTreeMap<_, _> = item.attributes.iter().cloned().collect();
    let mut sorted = Item::new();
    for (name, value) in attributes {
        sorted.push(name, value);
    }
    let mut line = Vec::new();
    json::write_item(&sorted, &mut line);
    String::from_utf8(line).unwrap()
}

fn expect_users(db: &DynamoDb, users: u64) {
    let expected: BTreeMap<String, String> =
        (0..users).map(|n| (sorted(user(n)), sorted(user(n)))).collect();
    let found = scan(db, "users", 3);
    assert_eq!(found.len(), expected.len());
    assert!(found == expected);
}
