//! S3 and `ImportTable`, with everything in between that can go wrong: against an S3 that checks signatures, a double of
//! DynamoDB's imports that reads files with parsers of others, and an emulator whose imports are not ours at all.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says no by a panic"
)]

mod bucket;
mod bulk;
mod import;
mod judges;
mod suite;

use std::collections::BTreeMap;
use std::path::Path;

use futures_executor::block_on;
use keystar_item::{Billing, Index, KeyAttribute, KeySchema, KeyType, Table, json};
use keystar_kit::alone::alone;
use keystar_kit::double::Double;
use keystar_kit::dynamodb::Client;
use keystar_kit::s3::{ACCESS_KEY, REGION, S3, SECRET_KEY};
use keystar_transfer::{
    Aws, AwsOptions, ImportOptions, ImportWriter, ItemSink, Origin, Place, Receipt,
};
use serde_json::Value;

/// Runs a test with the credentials that the S3 of the tests knows.
fn with_credentials(name: &str, test: impl FnOnce()) {
    with_secret(name, SECRET_KEY, test);
}

fn with_secret(name: &str, secret: &str, test: impl FnOnce()) {
    let environment = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", secret)];
    alone(name, &environment, test);
}

/// An S3 with one bucket, `stage`, and a DynamoDB before it.
struct World {
    double: Double,
    s3: S3,
    aws: Aws,
    work: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let s3 = S3::start().unwrap();
        s3.make_bucket("stage").unwrap();
        let double = Double::start(&s3).unwrap();
        let options = AwsOptions::default()
            .with_region(REGION)
            .with_endpoint_url(double.endpoint())
            .with_logs_endpoint_url(double.endpoint())
            .with_s3_endpoint_url(s3.endpoint());
        let aws = Aws::connect(&options).unwrap();
        Self { double, s3, aws, work: tempfile::tempdir().unwrap() }
    }

    /// All items of a table by key.
    fn items(&self, table: &str) -> BTreeMap<String, Value> {
        scan(self.double.tables().connect().unwrap(), table)
    }

    fn place(&self, prefix: &str) -> Place {
        Place::from(format!("s3://stage/{prefix}")).with_aws(&self.aws)
    }

    /// Writes items through the import writer, as a run does.
    fn write(&self, place: &Place, options: ImportOptions, lines: &[String]) -> Receipt {
        let work = tempfile::tempdir_in(self.work.path()).unwrap();
        write(place, work.path(), options, lines).unwrap()
    }
}

fn write(
    place: &Place,
    work: &Path,
    options: ImportOptions,
    lines: &[String],
) -> Result<Receipt, keystar_transfer::Error> {
    let mut sink = Box::new(ImportWriter::create(place, work, options)?);
    for (batch, lines) in lines.chunks(100).enumerate() {
        let mut encoder = sink.encoder();
        for (index, line) in lines.iter().enumerate() {
            let item = json::parse_item(line.as_bytes()).unwrap();
            encoder.push(&item, Origin((batch * 100 + index) as u64)).unwrap();
        }
        block_on(sink.write(encoder.take()))?;
        if sink.wants_commit() {
            block_on(sink.commit())?;
        }
    }
    block_on(sink.finish(&[]))
}

/// Key `id` and `n`, an index by `email`, provisioned.
fn table(name: &str) -> Table {
    let key = KeySchema::new(KeyAttribute::new("id", KeyType::S))
        .with_sort(KeyAttribute::new("n", KeyType::N));
    let by_email = KeySchema::new(KeyAttribute::new("email", KeyType::S));
    Table::new(key)
        .with_name(name)
        .with_index(Index::new("by-email", by_email))
        .with_billing(Billing::Provisioned { read_units: 5, write_units: 7 })
}

/// Items of every type, with texts that parsers stumble over.
fn lines(count: usize) -> Vec<String> {
    let texts = ["plain", "it's \"quoted\"\\", "line\nbreak\ttab", "é—😀", "", "\u{1}"];
    let line = |number: usize| {
        let text = texts[number % texts.len()];
        let item = serde_json::json!({"Item": {
            "id": {"S": format!("user#{number}")},
            "n": {"N": (number as i64 - 3).to_string()},
            "email": {"S": format!("{number}@example.com")},
            "text": {"S": text},
            "big": {"N": "12345678901234567890.12345678901234567"},
            "small": {"N": "0.00000015"},
            "raw": {"B": "AAEC/w=="},
            "yes": {"BOOL": number.is_multiple_of(2)},
            "none": {"NULL": true},
            "list": {"L": [{"N": "1"}, {"S": text}, {"L": []}]},
            "map": {"M": {"": {"S": "x"}, "a b": {"M": {}}}},
            "names": {"SS": ["a", "b'"]},
            "numbers": {"NS": ["1", "2.5"]},
            "blobs": {"BS": ["AA==", "AQ=="]},
        }});
        let mut item = item;
        // A map's names are not empty.
        let map = item["Item"]["map"]["M"].as_object_mut().unwrap();
        map.remove("");
        item.to_string()
    };
    (0..count).map(line).collect()
}

/// All items of a table by key, sets in order.
fn scan(mut client: Client, table: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut body = serde_json::json!({"TableName": table});
    loop {
        let page = client.call("Scan", &body.to_string()).unwrap();
        for item in page["Items"].as_array().unwrap() {
            found.insert(key_of(item), comparable(item));
        }
        match &page["LastEvaluatedKey"] {
            Value::Null => return found,
            last => body["ExclusiveStartKey"] = last.clone(),
        }
    }
}

fn expected(lines: &[String]) -> BTreeMap<String, Value> {
    let items = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (key_of(&line["Item"]), comparable(&line["Item"]))
    });
    items.collect()
}

fn key_of(item: &Value) -> String {
    format!("{} {}", item["id"]["S"], item["n"]["N"])
}

fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted = map.iter().map(|(name, value)| {
                let mut value = comparable(value);
                if let ("SS" | "NS" | "BS", Value::Array(members)) = (name.as_str(), &mut value) {
                    members.sort_by_key(Value::to_string);
                }
                (name.clone(), value)
            });
            Value::Object(sorted.collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

/// An error and what caused it, as the program shows it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
