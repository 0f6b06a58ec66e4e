//! The cost of a look at an item of a single table: a customer's order line, ten short attributes.
//! `cargo bench -p keystar-item --bench scan`.

#![allow(clippy::expect_used, missing_docs, reason = "a bench may fail")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keystar_item::json;
use keystar_item::scan::{Tape, ValueView};

const LINE: &[u8] = br#"{"Item":{"PK":{"S":"ORD#5f0c2c0f-8d1e-4f0e"},"SK":{"S":"PROD#B00X4WHP5E"},"GSIpk":{"S":"ORD#5f0c2c0f-8d1e-4f0e"},"GSIsk":{"S":"PROD#B00X4WHP5E"},"type":{"S":"product"},"orderid":{"S":"5f0c2c0f-8d1e-4f0e"},"productid":{"S":"B00X4WHP5E"},"category":{"S":"Garden"},"productname":{"S":"Watering can"},"color":{"S":"teal"},"price":{"N":"129.90"}}}"#;

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(LINE.len() as u64 + 1));
    let mut tape = Tape::new();
    group.bench_function("record", |b| {
        b.iter(|| tape.scan_record(black_box(LINE)).is_ok());
    });
    group.bench_function("record and texts", |b| {
        b.iter(|| {
            let record = tape.scan_record(black_box(LINE)).expect("an item");
            let item = record.part("Item").expect("an item");
            item.iter().filter(|(_, value)| matches!(value, ValueView::S(_))).count()
        });
    });
    group.bench_function("parse for comparison", |b| {
        b.iter(|| json::parse_item(black_box(LINE)).is_ok());
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
