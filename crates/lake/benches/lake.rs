//! DynamoDB JSON to Parquet: one task's share of the e-commerce table of the tutorial, in blocks of
//! a megabyte. `cargo bench -p keystar-lake`.

#![allow(clippy::expect_used, missing_docs, reason = "a bench may fail")]

use std::fmt::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keystar_lake::{Compression, Lake, LakeOptions, LoadInput, LoadKind};
use keystar_star::Model;

const MODEL: &str = r#"
[table]
partition_key = "PK"
sort_key = "SK"

[entity.customer]
when = { type = "customer" }
pk = "CUST#{username}"
sk = "CUST#{username}"
[entity.customer.columns]
username = "text(64)"
email = "text(254)"
fullname = "text(100)"

[entity.address]
parent = "customer"
unnest = "address"
over = "map"
[entity.address.columns]
username = { parent = "username", type = "text(64)" }
name = { entry = true, type = "text(16)" }
street = "text(100)"
city = "text(60)"
state = "text(60)"
postcode = "text(16)"
country = "text(2)"

[entity.order]
when = { type = "order" }
pk = "CUST#{username}"
sk = "ORD#{orderid}"
like = { GSIpk = "ORD#{orderid}", GSIsk = "ORD#{orderid}" }
[entity.order.columns]
username = { key = "PK", type = "text(64)" }
orderid = "text(36)"
orderdate = "timestamp(iso)"
numberofitems = "int"
shipto = "text(16)"

[entity.line]
when = { type = "product" }
pk = "ORD#{orderid}"
sk = "PROD#{productid}"
like = { GSIpk = "ORD#{orderid}", GSIsk = "PROD#{productid}" }
[entity.line.columns]
orderid = "text(36)"
productid = "text(36)"
category = "text(30)"
productname = "text(60)"
color = "text(20)"
price = "decimal(10,2)"
"#;

/// Customers with two orders of three lines each: nine items and about 3,200 bytes.
fn export(customers: u64) -> String {
    let mut lines = String::new();
    // A generator of Knuth's: any will do.
    let mut state = 1u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for customer in 0..customers {
        let name = format!("user{customer:07}");
        let (street, city) = (random(900) + 1, random(200));
        writeln!(
            lines,
            r#"{{"Item":{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"CUST#{name}"}},"type":{{"S":"customer"}},"username":{{"S":"{name}"}},"email":{{"S":"{name}@example.com"}},"fullname":{{"S":"Ann Example"}},"address":{{"M":{{"home":{{"M":{{"street":{{"S":"{street} High Street"}},"city":{{"S":"City {city}"}},"state":{{"S":"State"}},"postcode":{{"S":"{city}{street}"}},"country":{{"S":"GB"}}}}}}}}}}}}}}"#
        )
        .expect("memory");
        for _ in 0..2 {
            let id =
                format!("{:08x}-{:04x}-{:012x}", random(1 << 31), random(1 << 16), random(1 << 31));
            let (month, day, second) = (random(12) + 1, random(28) + 1, random(60));
            writeln!(
                lines,
                r#"{{"Item":{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"ORD#{id}"}},"GSIpk":{{"S":"ORD#{id}"}},"GSIsk":{{"S":"ORD#{id}"}},"type":{{"S":"order"}},"orderid":{{"S":"{id}"}},"orderdate":{{"S":"2021-{month:02}-{day:02}T10:20:{second:02}Z"}},"numberofitems":{{"N":"3"}},"shipto":{{"S":"home"}}}}}}"#
            )
            .expect("memory");
            for line in 0..3 {
                let (product, cents) = (random(3000) * 3 + line, random(50_000));
                let (category, color) = (product % 12, product % 9);
                writeln!(
                    lines,
                    r#"{{"Item":{{"PK":{{"S":"ORD#{id}"}},"SK":{{"S":"PROD#B{product:09}"}},"GSIpk":{{"S":"ORD#{id}"}},"GSIsk":{{"S":"PROD#B{product:09}"}},"type":{{"S":"product"}},"orderid":{{"S":"{id}"}},"productid":{{"S":"B{product:09}"}},"category":{{"S":"Category {category}"}},"productname":{{"S":"Product number {product}"}},"color":{{"S":"color {color}"}},"price":{{"N":"{}.{:02}"}}}}}}"#,
                    cents / 100, cents % 100
                )
                .expect("memory");
            }
        }
    }
    lines
}

/// Whole lines of about a megabyte.
fn blocks(mut lines: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    while !lines.is_empty() {
        let end = lines.get(1 << 20..).and_then(|rest| rest.find('\n'));
        let (block, rest) = lines.split_at(end.map_or(lines.len(), |end| (1 << 20) + end + 1));
        blocks.push(block);
        lines = rest;
    }
    blocks
}

fn benches(c: &mut Criterion) {
    let model = Model::parse(MODEL).expect("a model");
    let lines = export(15_000);
    let blocks = blocks(&lines);
    let mut group = c.benchmark_group("lake");
    group.throughput(Throughput::Bytes(lines.len() as u64)).sample_size(10);
    for (name, compression) in [("zstd", Compression::Zstd), ("snappy", Compression::Snappy)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let folder = tempfile::tempdir().expect("a folder");
                let lake = Lake::open(folder.path()).expect("a lake");
                let input = LoadInput::new("bench", LoadKind::Full { written_at: 0 }, "bench");
                let mut options = LakeOptions::default();
                options.compression = compression;
                let build = lake.begin(&model, input, options).expect("a build");
                let mut task = build.task(0).expect("a task");
                for block in &blocks {
                    task.push("bench", 1, block.as_bytes()).expect("written");
                }
                let report = build.commit(vec![task.finish().expect("written")]).expect("written");
                assert_eq!(report.counts.written, report.counts.read);
                report.bytes
            });
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
