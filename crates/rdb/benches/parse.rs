//! How fast dumps are scanned, told and decoded, by encoding.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::panic, reason = "a benchmark of a failure measures nothing")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keystar_rdb::{Context, Event, Frame, Head, Level, Options, Parser, Step};

/// How much is fed at once, as a file source would.
const PIECE: usize = 256 << 10;

fn parse(dump: &[u8], level: Level) -> u64 {
    let mut parser = Parser::new(Options::new(level));
    let mut events = 0;
    for piece in dump.chunks(PIECE) {
        parser.feed(piece);
        loop {
            match parser.step() {
                Ok(Step::Event(event)) => {
                    black_box(&event);
                    events += 1;
                }
                Ok(Step::NeedInput | Step::End) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    events
}

fn len(out: &mut Vec<u8>, len: usize) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend((len as u16 | 0x4000).to_be_bytes()),
        _ => {
            out.push(0x80);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    len(out, text.len());
    out.extend_from_slice(text);
}

/// Short strings and small integers only.
fn listpack(entries: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let start = body.len();
        match entry.parse::<i16>() {
            Ok(small @ 0..128) => body.push(small as u8),
            Ok(value @ -4096..4096) => body.extend((value as u16 & 0x1fff | 0xc000).to_be_bytes()),
            Ok(value) => {
                body.push(0xf1);
                body.extend(value.to_le_bytes());
            }
            Err(_) => {
                body.push(0x80 | entry.len() as u8);
                body.extend_from_slice(entry.as_bytes());
            }
        }
        body.push((body.len() - start) as u8);
    }
    let mut out = (body.len() as u32 + 7).to_le_bytes().to_vec();
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend(body);
    out.push(0xff);
    out
}

/// A hash as the article's: named by an IP address, with name, age, longitude and email.
fn person(n: u32) -> (String, Vec<u8>) {
    let age = (n % 90).to_string();
    let name = format!("Person {n}");
    let longitude = format!("-{}.{:06}", n % 180, n % 1_000_000);
    let email = format!("person{n}@example.com");
    let key = format!("i:{}.{}.{}.{}", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
    let fields = ["name", &name, "age", &age, "longitude", &longitude, "email", &email];
    (key, listpack(&fields))
}

fn file(records: u32, mut record: impl FnMut(u32, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"REDIS0011\xfe\x00".to_vec();
    for n in 0..records {
        record(n, &mut out);
    }
    out.push(0xff);
    out.extend([0; 8]);
    out
}

fn hashes() -> Vec<u8> {
    file(100_000, |n, out| {
        let (key, pack) = person(n);
        out.push(16);
        string(out, key.as_bytes());
        string(out, &pack);
    })
}

fn strings() -> Vec<u8> {
    file(100_000, |n, out| {
        out.push(0);
        string(out, format!("key:{n}").as_bytes());
        string(out, format!("the value of key number {n}, of some length").as_bytes());
    })
}

fn big_hash() -> Vec<u8> {
    file(1, |_, out| {
        out.push(4);
        string(out, b"big");
        len(out, 200_000);
        for n in 0..200_000 {
            string(out, format!("field:{n}").as_bytes());
            string(out, format!("value of field {n}").as_bytes());
        }
    })
}

fn big_zset() -> Vec<u8> {
    file(1, |_, out| {
        out.push(5);
        string(out, b"big");
        len(out, 200_000);
        for n in 0..200_000_u32 {
            string(out, format!("member:{n}").as_bytes());
            out.extend(f64::from(n).to_le_bytes());
        }
    })
}

fn quicklist() -> Vec<u8> {
    file(1, |_, out| {
        out.push(18);
        string(out, b"list");
        len(out, 2000);
        for n in 0..2000 {
            let items: Vec<_> = (0..100).map(|at| format!("item {n} {at}")).collect();
            let items: Vec<_> = items.iter().map(String::as_str).collect();
            len(out, 2);
            string(out, &listpack(&items));
        }
    })
}

fn files(c: &mut Criterion) {
    let mut group = c.benchmark_group("file");
    group.sample_size(20);
    for (name, dump) in [
        ("hash_listpack", hashes()),
        ("string", strings()),
        ("hash", big_hash()),
        ("zset_2", big_zset()),
        ("list_quicklist_2", quicklist()),
    ] {
        group.throughput(Throughput::Bytes(dump.len() as u64));
        for (level, what) in [
            (Level::FRAMES, "frames"),
            (Level::Elements, "elements"),
            (Level::Records, "records"),
            (Level::Skip, "skip"),
        ] {
            group.bench_function(format!("{name}/{what}"), |b| b.iter(|| parse(&dump, level)));
        }
    }
    group.finish();
}

fn frames(c: &mut Criterion) {
    let dump = hashes();
    let mut parser = Parser::new(Options::new(Level::FRAMES));
    parser.feed(&dump);
    parser.finish();
    let mut frames: Vec<(Head<'static>, Vec<u8>)> = Vec::new();
    while let Ok(Step::Event(event)) = parser.step() {
        if let Event::Frame(frame) = event
            && frames.len() < 1000
        {
            frames.push((frame.head.into_owned(), frame.payload.to_vec()));
        }
    }
    let context = Context::redis(11);
    let mut group = c.benchmark_group("frame");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("decode 1000 hashes of 4 fields", |b| {
        b.iter_batched(
            || (),
            |()| {
                for (head, payload) in &frames {
                    let head = Head::new(head.db, head.key.reborrow(), head.encoding);
                    let frame = Frame::new(head, payload, 0);
                    black_box(frame.decode(&context).is_ok());
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, files, frames);
criterion_main!(benches);
