//! The cost of one item of the usual shape: a short key and a map of four short attributes, about
//! 170 bytes of DynamoDB JSON. `cargo bench -p keystar-item`.

#![allow(clippy::expect_used, missing_docs, reason = "a bench may fail")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keystar_item::{
    AttributeValue, Attributes, Item, KeyAttribute, KeySchema, KeyType, Number, Table, ion, json,
    limits,
};

fn usual() -> Item<'static> {
    let mut value = Attributes::with_capacity(4);
    value.push("name", "Kathryn Robinson");
    value.push("age", Number::parse("6867").expect("a number"));
    value.push("longitude", Number::parse("-48.711598").expect("a number"));
    value.push("email", "kathryn@example.com");
    let mut item = Item::new();
    item.push("key", "i:192.168.17.204");
    item.push("value", AttributeValue::M(value));
    item
}

fn benches(c: &mut Criterion) {
    let item = usual();
    let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
    let mut line = Vec::new();
    json::write_item(&item, &mut line);
    let bytes = line.len() as u64;

    let mut group = c.benchmark_group("item");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("check", |b| b.iter(|| limits::check(black_box(&item), &table)));
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("write json", |b| {
        b.iter(|| {
            if out.len() > 1 << 19 {
                out.clear();
            }
            json::write_item(black_box(&item), &mut out);
        });
    });
    group.bench_function("check and write json", |b| {
        b.iter(|| {
            if out.len() > 1 << 19 {
                out.clear();
            }
            let size = limits::check(black_box(&item), &table);
            json::write_item(black_box(&item), &mut out);
            size
        });
    });
    group.bench_function("write ion", |b| {
        b.iter(|| {
            if out.len() > 1 << 19 {
                out.clear();
            }
            ion::write_item(black_box(&item), &mut out);
        });
    });
    group.bench_function("parse json", |b| b.iter(|| json::parse_item(black_box(&line)).is_ok()));
    let mut ion_line = Vec::new();
    ion::write_item(&item, &mut ion_line);
    group.bench_function("parse ion", |b| b.iter(|| ion::parse_item(black_box(&ion_line)).is_ok()));
    group.bench_function("number from canonical", |b| {
        b.iter(|| Number::from_canonical(black_box(b"-48.711598")).is_some());
    });
    group.finish();

    let mut group = c.benchmark_group("text");
    for (name, text) in [
        ("plain", "The quick brown fox jumps over the lazy dog. ".repeat(200)),
        ("json in json", r#"{"id":12345,"name":"Kathryn","tags":["a","b"]}"#.repeat(200)),
    ] {
        let value = AttributeValue::from(text);
        let mut written = Vec::new();
        json::write_value(&value, &mut written);
        group.throughput(Throughput::Bytes(written.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                json::write_value(black_box(&value), &mut out);
            });
        });
    }
    let value = AttributeValue::B((0..=255u8).cycle().take(10_000).collect::<Vec<_>>().into());
    group.throughput(Throughput::Bytes(13_336));
    group.bench_function("base64", |b| {
        b.iter(|| {
            out.clear();
            json::write_value(black_box(&value), &mut out);
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
