//! What a record costs: to route, to map, and to read back.

#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keystar_mapping::{Mapped, Mapping};
use keystar_rdb::{Blob, Db, Encoding, Family, Field, Head, Record, Scored, Value};

/// The article's shape: a hash named by an IP address, with name, age, longitude and email.
fn article() -> Record<'static> {
    let field = |name: &'static str, value: Blob<'static>| Field::new(name.into(), value);
    let fields = vec![
        field("name", "Alexandria Whitmore".into()),
        field("age", Blob::from_i64(6867)),
        field("longitude", "-48.711598".into()),
        field("email", "alexandria.whitmore@example.org".into()),
    ];
    Record::new(Db(0), "i:203.0.113.187".into(), Value::Hash(fields))
}

fn users() -> Mapping {
    Mapping::from_toml(
        "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n\
         defaults.sk = 'VALUE'\n\
         [[rule]]\nkeys = 'session:{id}'\npk = 'SESSION#{id}'\n\
         [[rule]]\nkeys = 'i:{address}'\nlayout = 'attributes'\npk = 'IP#{address}'\nsk = 'PROFILE'\n",
    )
    .expect("the spec is a mapping")
}

fn collections() -> Mapping {
    Mapping::from_toml(
        "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n\
         defaults.layout = 'collection'\n",
    )
    .expect("the spec is a mapping")
}

fn map(criterion: &mut Criterion, name: &str, mapping: &Mapping, record: &Record<'_>) {
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(1));
    let rule = mapping.route_record(record).rule().expect("a rule takes it");
    let mut spare = Some(Mapped::new());
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut mapped = spare.take().unwrap_or_default().recycle();
            let _ = mapping.map(rule, black_box(record), &mut mapped);
            black_box(&mapped.items);
            spare = Some(mapped.recycle());
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let record = article();
    let encoding = Encoding::new(Family::Redis, 16).expect("a hash");
    let head = Head::new(Db(0), record.key.clone(), encoding);
    for (name, mapping) in [("default", Mapping::default()), ("rules", users())] {
        let mut group = criterion.benchmark_group("route");
        group.bench_function(name, |bencher| bencher.iter(|| mapping.route(black_box(&head))));
        group.finish();
        map(criterion, &format!("article/{name}"), &mapping, &record);
    }
    map(criterion, "article/collection", &collections(), &record);
    let members = (0..100_u32)
        .map(|index| Scored::new(Blob::from(format!("player:{index}")), f64::from(index) * 1.5));
    let board = Record::new(Db(0), "board".into(), Value::SortedSet(members.collect()));
    map(criterion, "zset of 100", &Mapping::default(), &board);

    let mapping = Mapping::default();
    let mut mapped = Mapped::new();
    let rule = mapping.route_record(&record).rule().expect("the default takes every key");
    mapping.map(rule, &record, &mut mapped).expect("it fits");
    criterion.bench_function("record/article/default", |bencher| {
        bencher.iter(|| mapping.record(black_box(&mapped.items)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(std::time::Duration::from_secs(2))
        .warm_up_time(std::time::Duration::from_millis(500));
    targets = all
}
criterion_main!(benches);
