//! What an item costs: to scan, and to look at for a proposal.

#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keystar_item::scan::Tape;
use keystar_star::infer::{Profile, TableHint};

/// Order lines and orders of the article's table, in DynamoDB JSON.
fn items() -> Vec<String> {
    let line = |number: u64| {
        let (order, product) = (number / 3 * 7_919, number * 31 % 2_000);
        let (category, color, cents) = (product % 9, product % 5, number % 100);
        format!(
            r#"{{"PK":{{"S":"ORD#{order:012}"}},"SK":{{"S":"PROD#p{product:05}"}},"GSIpk":{{"S":"ORD#{order:012}"}},"GSIsk":{{"S":"PROD#p{product:05}"}},"type":{{"S":"product"}},"orderid":{{"S":"{order:012}"}},"productid":{{"S":"p{product:05}"}},"category":{{"S":"category {category}"}},"productname":{{"S":"Product number {product}"}},"color":{{"S":"color {color}"}},"price":{{"N":"{}.{cents:02}"}}}}"#,
            number % 300
        )
    };
    let order = |number: u64| {
        let (order, day) = (number / 3 * 7_919, 1 + number % 28);
        format!(
            r#"{{"PK":{{"S":"CUST#user{user}"}},"SK":{{"S":"ORD#{order:012}"}},"GSIpk":{{"S":"ORD#{order:012}"}},"GSIsk":{{"S":"ORD#{order:012}"}},"type":{{"S":"order"}},"orderid":{{"S":"{order:012}"}},"orderdate":{{"S":"2021-04-{day:02}T10:20:30Z"}},"numberofitems":{{"N":"3"}},"shipto":{{"S":"home"}}}}"#,
            user = number / 12
        )
    };
    (0..20_000).flat_map(|number| [line(number), order(number)]).collect()
}

fn infer(criterion: &mut Criterion) {
    let items = items();
    let mut group = criterion.benchmark_group("infer");
    group.throughput(Throughput::Elements(items.len() as u64)).sample_size(10);
    let mut tape = Tape::new();
    group.bench_function("scan", |bencher| {
        bencher.iter(|| {
            for item in &items {
                black_box(tape.scan(item.as_bytes()).expect("an item"));
            }
        });
    });
    group.bench_function("scan and observe", |bencher| {
        bencher.iter(|| {
            let mut profile = Profile::new(TableHint::default());
            for item in &items {
                profile.observe(tape.scan(item.as_bytes()).expect("an item"));
            }
            profile.items()
        });
    });
    group.finish();
}

criterion_group!(benches, infer);
criterion_main!(benches);
