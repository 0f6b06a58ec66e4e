//! Items a second on their way into files: the encoder alone, then all the way.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_executor::block_on;
use keystar_item::{Attributes, Item, KeyAttribute, KeySchema, KeyType, Number, Table};
use keystar_transfer::{
    Compression, CsvOptions, Encoded, Format, ImportOptions, ImportWriter, ItemSink, MemoryItems,
    MemorySink, Origin,
};

const ITEMS: u64 = 100_000;
const BATCH: u64 = 4000;

fn table() -> Table {
    Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)))
}

/// The shape of the article that the project began with: about 170 bytes of JSON.
fn item(n: u64) -> Item<'static> {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let address =
        format!("i:{}.{}.{}.{}", mixed >> 56, (mixed >> 48) & 255, (mixed >> 40) & 255, n % 256);
    let mut value = Attributes::new();
    value.push("name", format!("Person {:x}", mixed >> 40));
    value.push("age", Number::parse((mixed % 100).to_string()).unwrap_or_else(|_| 0_i64.into()));
    let longitude = format!("{}.{}", mixed % 180, 100_000 + mixed % 900_000);
    value.push("longitude", Number::parse(longitude).unwrap_or_else(|_| 0_i64.into()));
    value.push("email", format!("{:x}@example.com", mixed >> 32));
    let mut item = Item::new();
    item.push("key", format!("{address}:{n}"));
    item.push("value", value);
    item
}

fn formats() -> Vec<(&'static str, Format)> {
    vec![
        ("dynamodb-json", Format::DynamoDbJson),
        ("ion", Format::Ion),
        ("csv", Format::Csv(CsvOptions::default())),
    ]
}

fn batches(sink: &dyn ItemSink, items: &[Item<'_>]) -> Vec<Encoded> {
    let mut encoder = sink.encoder();
    items
        .chunks(BATCH as usize)
        .zip(0..)
        .map(|(chunk, batch)| {
            for (item, n) in chunk.iter().zip(0..) {
                let pushed = encoder.push(item, Origin(batch * BATCH + n));
                assert!(pushed.is_ok(), "a benchmark's items are valid");
            }
            encoder.take()
        })
        .collect()
}

fn encode(c: &mut Criterion) {
    let items: Vec<Item<'_>> = (0..BATCH).map(item).collect();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(BATCH));
    let sink = MemorySink::create(table(), &MemoryItems::default());
    group.bench_function("memory", |b| {
        let mut encoder = sink.encoder();
        b.iter(|| {
            let start = encoder.position();
            for item in &items {
                let _ = black_box(encoder.push(item, Origin(1)));
            }
            encoder.truncate(start);
        });
    });
    let Ok(work) = tempfile::tempdir() else { return };
    for (name, format) in formats() {
        let options = ImportOptions::new(table()).with_format(format);
        let Ok(sink) = ImportWriter::create("memory:///bench-encode", work.path(), options) else {
            return;
        };
        group.bench_function(name, |b| {
            let mut encoder = sink.encoder();
            b.iter(|| {
                let start = encoder.position();
                for item in &items {
                    let _ = black_box(encoder.push(item, Origin(1)));
                }
                encoder.truncate(start);
            });
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let items: Vec<Item<'_>> = (0..ITEMS).map(item).collect();
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(ITEMS));
    group.sample_size(10);
    for (name, format) in formats() {
        for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
            let options = || {
                ImportOptions::new(table())
                    .with_format(format.clone())
                    .with_compression(compression)
            };
            group.bench_function(format!("{name}/{compression}"), |b| {
                b.iter_batched(
                    || {
                        let folder = tempfile::tempdir().ok()?;
                        let out = folder.path().join("out");
                        let work = folder.path().join("work");
                        let sink = ImportWriter::create(out.to_str()?, &work, options()).ok()?;
                        let batches = batches(&sink, &items);
                        Some((folder, Box::new(sink), batches))
                    },
                    |ready| {
                        let (folder, mut sink, batches) = ready?;
                        for batch in batches {
                            block_on(sink.write(batch)).ok()?;
                        }
                        let receipt = block_on(sink.finish(&[])).ok()?;
                        assert_eq!(receipt.items, ITEMS);
                        Some((folder, receipt))
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode, write);
criterion_main!(benches);
