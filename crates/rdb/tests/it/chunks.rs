//! The chunk law: what is told does not depend on how the input is cut.

use keystar_rdb::{Level, Options, Parser};

use crate::{fields, fixture, render};

pub(crate) fn levels() -> [Options; 7] {
    [
        Options::new(Level::FRAMES),
        Options::new(Level::Frames { max_bytes: 60 }),
        Options::new(Level::Frames { max_bytes: 0 }),
        Options::new(Level::Elements),
        Options::new(Level::Elements).with_chunk_bytes(13),
        Options::new(Level::Records),
        Options::new(Level::Skip),
    ]
}

/// Pieces of random lengths, by a generator of our own: short ones mostly, sometimes long ones.
fn cuts(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let most = [1, 3, 20, 300, 5000][(state >> 20) as usize % 5];
        let len = (1 + (state >> 32) as usize % most).min(rest.len());
        let (piece, after) = rest.split_at(len);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

pub(crate) fn assert_law(name: &str, bytes: &[u8], options: &Options) {
    let whole = render::whole(bytes, options.clone());
    let single = render::drive(&mut Parser::new(options.clone()), bytes.chunks(1));
    assert!(whole == single, "{name} byte by byte at {:?}", options.level);
    for seed in 1..=(if bytes.len() > 100_000 { 1 } else { 3 }) {
        let pieces = cuts(bytes, seed * 0x9e37_79b9);
        let cut = render::drive(&mut Parser::new(options.clone()), pieces.into_iter());
        assert!(whole == cut, "{name} in random cuts {seed} at {:?}", options.level);
    }
}

#[test]
fn every_dump_tells_the_same_however_it_is_cut() {
    for name in fixture::all() {
        let bytes = fixture::rdb(&name);
        // The big ones are much of the same: fewer of the levels are enough for them.
        let step = if bytes.len() > 100_000 { 2 } else { 1 };
        for options in levels().iter().step_by(step) {
            assert_law(&name, &bytes, options);
        }
    }
}

#[test]
fn truncated_dumps_tell_the_same_however_they_are_cut() {
    for name in ["librdb/misc_with_stream.rdb", "librdb/stream_v13_idmp.rdb", "redis/encodings.rdb"]
    {
        let bytes = fixture::rdb(name);
        for len in (0..bytes.len()).step_by(7) {
            for options in levels() {
                let whole = render::whole(&bytes[..len], options.clone());
                let single = render::drive(&mut Parser::new(options), bytes[..len].chunks(1));
                assert_eq!(whole, single, "{name} cut at {len}");
                let last = whole.last().unwrap().to_string();
                assert!(last.contains("unexpected end") || last.contains("not a Redis"), "{last}");
            }
        }
    }
}

#[test]
fn levels_tell_the_same_values() {
    for name in fixture::all() {
        let bytes = fixture::rdb(&name);
        let records = render::whole(&bytes, Options::new(Level::Records));
        // Frames, decoded on the side.
        let mut parser = Parser::new(Options::new(Level::FRAMES));
        parser.feed(&bytes);
        parser.finish();
        let mut frames = Vec::new();
        let mut heads = Vec::new();
        loop {
            let context = parser.context().clone();
            match parser.step() {
                Ok(keystar_rdb::Step::Event(keystar_rdb::Event::Frame(frame))) => {
                    heads.push(frame.head.clone().into_owned());
                    fields::assert_as_decoded(&frame, &context);
                    frames.push(match frame.decode(&context) {
                        Ok(record) => render::event(&keystar_rdb::Event::Record(record)),
                        Err(error) => render::error(&error),
                    });
                }
                Ok(keystar_rdb::Step::Event(event)) => frames.push(render::event(&event)),
                Ok(_) => break,
                Err(error) => {
                    frames.push(render::error(&error));
                    break;
                }
            }
        }
        assert_eq!(frames, records, "{name}: frames");
        // Elements, gathered into one part, and into many.
        for max_bytes in [usize::MAX, 1, 1000] {
            let parts = parts(&bytes, max_bytes);
            let records = render::records_of(&bytes);
            assert_eq!(parts.len(), records.len(), "{name}");
            for (part, record) in parts.iter().zip(&records) {
                assert_eq!(part.0, record.key.to_vec(), "{name}");
                let (part, record) = (render::value(&part.1), render::value(&record.value));
                assert!(
                    part == record,
                    "{name}: {:.300} {:.300}",
                    part.to_string(),
                    record.to_string()
                );
            }
        }
    }
}

/// All values, put together from parts.
fn parts(bytes: &[u8], max_bytes: usize) -> Vec<(Vec<u8>, keystar_rdb::Value<'static>)> {
    use keystar_rdb::Value;
    let mut reader =
        keystar_rdb::Reader::new(bytes, Options::new(Level::Elements).with_chunk_bytes(700));
    let mut parts = keystar_rdb::Parts::new(max_bytes);
    let mut all: Vec<(Vec<u8>, Value<'static>)> = Vec::new();
    let mut open = false;
    loop {
        let part = match reader.next() {
            Ok(Some(event)) => parts.push(event),
            Ok(None) => break,
            Err(error) if error.skippable() => {
                parts.abandon();
                if open {
                    all.pop();
                    open = false;
                }
                None
            }
            Err(_) => break,
        };
        let Some(part) = part else { continue };
        let key = part.head.key.to_vec();
        if !open {
            assert_eq!(part.start, 0);
            all.push((key, part.value));
        } else {
            let (before, whole) = all.last_mut().unwrap();
            assert_eq!(*before, key);
            let len = match (&mut *whole, part.value) {
                (Value::String(text), Value::String(more)) => {
                    let len = text.len();
                    *text = [&**text, &*more].concat().into();
                    len
                }
                (Value::List(all), Value::List(more)) | (Value::Set(all), Value::Set(more)) => {
                    extend(all, more)
                }
                (Value::SortedSet(all), Value::SortedSet(more)) => extend(all, more),
                (Value::Hash(all), Value::Hash(more)) => extend(all, more),
                (Value::Stream(all), Value::Stream(more)) => {
                    let mut entries = std::mem::take(&mut all.entries);
                    let len = entries.len();
                    **all = *more;
                    entries.append(&mut all.entries);
                    all.entries = entries;
                    len
                }
                (Value::Array(all), Value::Array(more)) => extend(&mut all.slots, more.slots),
                other => panic!("{other:?}"),
            };
            assert_eq!(part.start, len as u64);
        }
        open = !part.last;
    }
    all
}

fn extend<T>(all: &mut Vec<T>, more: Vec<T>) -> usize {
    let len = all.len();
    all.extend(more);
    len
}
