//! `DUMP` payloads that made servers fall, and those that we make of frames.

use keystar_rdb::{
    Error, ErrorKind, Event, Frame, Level, Options, Parser, Step, Value, decode_dump,
    decode_dump_unverified,
};

use crate::fixture;

fn corrupt() -> Vec<(serde_json::Value, Vec<u8>)> {
    let index: Vec<serde_json::Value> =
        serde_json::from_str(&fixture::text("corrupt-dump-payloads/index.json")).unwrap();
    assert_eq!(index.len(), 34);
    let dir = fixture::root().join("corrupt-dump-payloads");
    let read = |entry: serde_json::Value| {
        let bytes = fixture::read(&dir.join(entry["file"].as_str().unwrap()));
        (entry, bytes)
    };
    index.into_iter().map(read).collect()
}

#[test]
fn what_servers_refuse_is_refused() {
    for (entry, payload) in corrupt() {
        let result: Result<Value<'_>, Error> = if entry["skip_checksum"] == true {
            decode_dump_unverified(&payload)
        } else {
            decode_dump(&payload)
        };
        let verdict = result.as_ref().map(Value::kind).map_err(ToString::to_string);
        println!("{} {}: {verdict:?}", entry["file"], entry["title"]);
        if entry["redis_rejects"] == true {
            assert!(result.is_err(), "{entry}: {result:?}");
        }
        // The checksum itself is told apart.
        if entry["crc_ok"] == false {
            let error = decode_dump(&payload).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }), "{entry}");
        }
    }
}

#[test]
fn frames_of_every_dump_become_payloads() {
    for name in fixture::all() {
        let bytes = fixture::rdb(&name);
        let mut parser = Parser::new(Options::new(Level::Frames { max_bytes: usize::MAX }));
        parser.feed(&bytes);
        parser.finish();
        loop {
            let context = parser.context().clone();
            let Ok(Step::Event(event)) = parser.step() else { break };
            let Event::Frame(frame) = event else { continue };
            let Ok(record) = frame.decode(&context) else {
                assert_eq!(name, "redis/corrupt_ziplist.rdb");
                continue;
            };
            let dump = frame.to_dump(&context).unwrap();
            match decode_dump(&dump) {
                Ok(value) => assert_eq!(value, record.value, "{name} {:?}", record.key),
                Err(error) => panic!("{name} {:?}: {error}", record.key),
            }
        }
    }
}

#[test]
fn any_changed_byte_of_a_payload_is_noticed_or_harmless() {
    for (_, payload) in corrupt() {
        for at in 0..payload.len() {
            let mut bad = payload.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(decode_dump(&bad).is_err() || bad.ends_with(&[0; 8]));
            // Without a checksum anything may come out, but no panic.
            let _ = decode_dump_unverified(&bad);
        }
    }
}

#[test]
fn a_bad_frame_is_an_error_of_its_own() {
    let bytes = fixture::rdb("redis/corrupt_ziplist.rdb");
    let mut parser = Parser::new(Options::new(Level::FRAMES));
    parser.feed(&bytes);
    let mut errors = Vec::new();
    loop {
        let context = parser.context().clone();
        match parser.step().unwrap() {
            Step::Event(Event::Frame(Frame { .. })) if false => {}
            Step::Event(Event::Frame(frame)) => errors.extend(frame.decode(&context).err()),
            Step::Event(_) => {}
            _ => break,
        }
    }
    assert_eq!(errors.len(), 1);
    assert!(matches!(errors[0].kind(), ErrorKind::Corrupt(_)));
    assert!(errors[0].skippable());
    assert_eq!(errors[0].offset(), 488);
}
