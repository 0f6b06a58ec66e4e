//! Megabytes of JSON a second out of an export, by one thread: the blocks alone, and with the
//! records in them taken apart.

use std::{fs, hint::black_box, io::Write, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compression, write::GzEncoder};
use keystar_item::{ion, json};
use keystar_transfer::{Block, Error, Export, change, parts};

const ITEMS: u64 = 200_000;

/// An order of a shop: about 300 bytes.
fn attributes(n: u64) -> String {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!(
        "{{\"pk\":{{\"S\":\"CUSTOMER#{}\"}},\"sk\":{{\"S\":\"ORDER#{n}\"}},\"total\":{{\"N\":\"{}.{}\"}},\
         \"status\":{{\"S\":\"SHIPPED\"}},\"paid\":{{\"BOOL\":true}},\"lines\":{{\"L\":[{{\"M\":{{\"sku\":\
         {{\"S\":\"{:x}\"}},\"count\":{{\"N\":\"{}\"}}}}}}]}},\"note\":{{\"S\":\"left at {:x}\"}}}}",
        mixed % 10_000,
        mixed >> 54,
        mixed % 100,
        mixed >> 40,
        mixed % 9,
        mixed >> 20,
    )
}

fn read(from: &Path, mut each: impl FnMut(&Block)) -> Result<u64, Error> {
    let export = Export::open(from.display().to_string())?;
    let (mut blocks, mut block, mut bytes) = (export.read(0)?, Block::new(), 0);
    while blocks.next_block(&mut block)? {
        bytes += block.bytes().len() as u64;
        each(&block);
    }
    Ok(bytes)
}

fn read_export(c: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut items = Vec::new();
    let mut changes = Vec::new();
    for n in 0..ITEMS {
        let item = attributes(n);
        let _ = writeln!(items, "{{\"Item\":{item}}}");
        let _ = writeln!(
            changes,
            "{{\"Metadata\":{{\"WriteTimestampMicros\":{{\"N\":\"{}\"}}}},\"Keys\":\
             {{\"pk\":{{\"S\":\"{n}\"}}}},\"OldImage\":{item},\"NewImage\":{item}}}",
            1_700_000_000_000_000 + n
        );
    }
    let mut structs = Vec::new();
    let mut scan = b"{\"Items\":[".to_vec();
    for (line, n) in items.split(|byte| *byte == b'\n').zip(0..ITEMS) {
        let Ok(item) = json::parse_item(line) else { continue };
        ion::write_item(&item, &mut structs);
        scan.extend_from_slice(if n > 0 { b",\n " } else { b"\n " });
        json::write_attributes(&item.attributes, &mut scan);
    }
    scan.extend_from_slice(b"]}");
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default()
    };
    let zstd = zstd::encode_all(items.as_slice(), 3).unwrap_or_default();
    let files = [
        ("plain.json", items.clone()),
        ("items.json.gz", gzip(&items)),
        ("items.json.zst", zstd),
        ("changes.json.gz", gzip(&changes)),
        ("items.ion.gz", gzip(&structs)),
        ("scan.json.gz", gzip(&scan)),
    ];
    let mut group = c.benchmark_group("read_export");
    group.sample_size(10);
    for (name, stored) in files {
        let path = folder.path().join(name);
        if fs::write(&path, stored).is_err() {
            return;
        }
        group.throughput(Throughput::Bytes(read(&path, |_| ()).unwrap_or(0)));
        group.bench_function(format!("blocks/{name}"), |b| {
            b.iter(|| {
                read(&path, |block| {
                    black_box(block.bytes());
                })
                .ok()
            });
        });
    }
    for name in ["plain.json", "changes.json.gz"] {
        let mut all = Vec::new();
        let read = read(&folder.path().join(name), |block| all.push(block.clone()));
        group.throughput(Throughput::Bytes(read.unwrap_or(0)));
        let lines = || all.iter().flat_map(Block::lines);
        group.bench_function(format!("lines/{name}"), |b| {
            b.iter(|| lines().map(|(_, line)| line.len()).sum::<usize>());
        });
        group.bench_function(format!("parts/{name}"), |b| {
            b.iter(|| lines().filter(|(_, line)| parts(black_box(line)).is_ok()).count());
        });
        group.bench_function(format!("change/{name}"), |b| {
            b.iter(|| lines().filter(|(_, line)| change(black_box(line)).is_ok()).count());
        });
    }
    group.finish();
}

criterion_group!(benches, read_export);
criterion_main!(benches);
