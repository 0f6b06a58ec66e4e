//! Every opcode, in files made by hand: real dumps have few of them.

use keystar_rdb::{Event, Level, Options, Parser, Step};
use serde_json::json;

use crate::chunks;
use crate::encode::{Dump, int_listpack, put_len, put_str};
use crate::render;

fn assert_told(dump: &[u8], expected: &[serde_json::Value]) {
    let told = render::whole(dump, Options::new(Level::Records));
    assert_eq!(told, expected);
    for options in chunks::levels() {
        chunks::assert_law("opcodes", dump, &options);
    }
}

#[test]
fn opcodes_of_redis() {
    let mut dump = Dump::new("REDIS0015");
    dump.raw(b"\xfa\x09redis-ver\x068.10.2");
    dump.raw(b"\xfa\x04time\xc2\x00\x00\x00\x7f");
    // Function libraries, of today and of the release candidates.
    dump.raw(b"\xf5\x10#!lua name=mylib");
    dump.raw(b"\xf6\x04name\x03LUA\x01\x04desc\x04code");
    dump.raw(b"\xf6\x04nam2\x03LUA\x00\x04cod2");
    // A template of two fields.
    dump.raw(b"\xf2\x07\x02\x01a\x02bb");
    dump.raw(b"\xfe\x03\xfb\x05\x02");
    dump.raw(b"\xf4\x05\x06\x07");
    // Redis Enterprise.
    dump.raw(b"\x79\x05\x6b\x06");
    // Metadata of one class, with an unsigned integer.
    dump.raw(b"\xf3\x01\x01\x02\x03\x04\x02\x05\x00");
    dump.raw(b"\xfc\x00\x10\x00\x00\x00\x00\x00\x00\xf8\x41\x00\x00\x01k\x01v");
    dump.raw(b"\xfd\xff\xff\xff\xff\xf9\x07\x00\x01l\xc0\x05");
    dump.raw(b"\x1e\x01t").string(&int_listpack(&[7, 1, 2]));
    dump.raw(b"\x20\x01u\x07\x01x\x01y");
    // Data of a module after the keys.
    dump.raw(b"\xf7\x00\x02\x02\x05\x01x\x00");
    let dump = dump.end();
    assert_told(
        &dump,
        &[
            json!({ "start": "Redis", "version": 15 }),
            json!({ "aux": "redis-ver", "value": "8.10.2" }),
            json!({ "aux": "time", "value": "2130706432" }),
            json!({ "function": "#!lua name=mylib", "name": null }),
            json!({ "warning": "function in the form of a Redis 7.0 release candidate" }),
            json!({ "function": "code", "name": "name" }),
            json!({ "function": "cod2", "name": "nam2" }),
            json!({ "template": [7, 2] }),
            json!({ "select": 3 }),
            json!({ "resize": [5, 2] }),
            json!({ "slot_info": [5, 6, 7] }),
            json!({ "db": 3, "key": "k", "type": "string", "expires_at": 4096, "usage": "Idle(256)", "value": "v" }),
            json!({ "db": 3, "key": "l", "type": "string", "expires_at": -1000, "usage": "Frequency(7)", "value": "5" }),
            json!({ "db": 3, "key": "t", "type": "hash", "expires_at": null, "usage": "Unknown", "value": [["a", "1"], ["bb", "2"]] }),
            json!({ "db": 3, "key": "u", "type": "hash", "expires_at": null, "usage": "Unknown", "value": [["a", "x"], ["bb", "y"]] }),
            json!({ "module_aux": "AAAAAAAAA v0", "after_keys": true, "value": { "name": "AAAAAAAAA", "version": 0, "tokens": [{ "text": "x" }] } }),
            json!({ "end": "Matched" }),
        ],
    );
}

#[test]
fn metadata_of_keys_is_kept_for_restore() {
    let mut dump = Dump::new("REDIS0013");
    dump.raw(b"\xf3\x01\x01\x02\x03\x04\x02\x05\x00\x00\x01k\x01v");
    let mut parser = Parser::new(Options::new(Level::FRAMES));
    parser.feed(&dump.end());
    loop {
        let context = parser.context().clone();
        let Step::Event(event) = parser.step().unwrap() else { break };
        let Event::Frame(frame) = event else { continue };
        assert_eq!(frame.head.offset, 9);
        assert_eq!(frame.head.meta.as_deref(), Some(&b"\x01\x01\x02\x03\x04\x02\x05\x00"[..]));
        let payload = frame.to_dump(&context).unwrap();
        assert!(payload.starts_with(b"\xf3\x01\x01\x02\x03\x04\x02\x05\x00\x00\x01v\x0d\x00"));
        let value = keystar_rdb::decode_dump(&payload).unwrap();
        assert_eq!(value, keystar_rdb::Value::String("v".into()));
        return;
    }
    panic!("no frame");
}

#[test]
fn opcodes_of_valkey() {
    let mut dump = Dump::new("VALKEY081");
    dump.raw(b"\xf3\x28").raw(&[b'a'; 40]).raw(b"\x02\x00\x05\x0a\x41\x00");
    dump.raw(b"\xfe\x00\x16\x01h\x02\x01a\x01b").raw(&(-1_i64).to_le_bytes());
    dump.raw(b"\x01c\x01d").raw(&5000_i64.to_le_bytes());
    dump.raw(b"\xf2*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    assert_told(
        &dump.end(),
        &[
            json!({ "start": "Valkey", "version": 81 }),
            json!({ "slot_import": "a".repeat(40), "ranges": [[0, 5], [10, 256]] }),
            json!({ "select": 0 }),
            json!({ "db": 0, "key": "h", "type": "hash", "expires_at": null, "usage": "Unknown", "value": [["a", "b"], ["c", "d", 5000]] }),
            json!({ "command": ["SET", "k", ""] }),
            json!({ "end": "Matched" }),
        ],
    );
}

#[test]
fn what_follows_the_end_is_named() {
    let dump = Dump::new("REDIS0011").end();
    for (tail, name) in [
        (&b"0123456789abcdef0123456789abcdef01234567"[..], "DisklessMark"),
        (b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "Commands"),
        (b"\0\0\0", "Zeros"),
        (b"?", "Unknown"),
    ] {
        let all = [&dump, tail].concat();
        let expected = [
            json!({ "start": "Redis", "version": 11 }),
            json!({ "end": "Matched" }),
            json!({ "trailing": tail.len(), "looks_like": name }),
        ];
        assert_told(&all, &expected);
        let mut parser = Parser::new(Options::default());
        parser.feed(&all);
        while !matches!(parser.step().unwrap(), Step::Event(Event::End { .. })) {}
        assert_eq!(parser.offset(), dump.len() as u64);
    }
}

#[test]
fn checksums_may_be_absent() {
    let told = render::whole(b"REDIS0004\xff", Options::default());
    assert_eq!(told[1], json!({ "end": "Absent" }));
    let told = render::whole(b"REDIS0005\xff\0\0\0\0\0\0\0\0", Options::default());
    assert_eq!(told[1], json!({ "end": "Disabled" }));
}

#[test]
fn a_missing_template_stops_or_is_skipped() {
    // The extent of the listpack is known.
    let mut dump = Dump::new("REDIS0015");
    dump.raw(b"\x1e\x01t").string(&int_listpack(&[7, 1, 2])).raw(b"\x00\x01k\x01v");
    let told = render::whole(&dump.end(), Options::default());
    assert_eq!(told[1]["error"], "hash template 7 is not defined at offset 12, key \"t\"");
    assert_eq!(told[1]["skippable"], true);
    assert_eq!(told[2]["key"], "k");
    // That of the array is not.
    let mut dump = Dump::new("REDIS0015");
    dump.raw(b"\x20\x01u\x07\x01x\x01y\x00\x01k\x01v");
    let told = render::whole(&dump.end(), Options::default());
    assert_eq!(told[1]["skippable"], false);
    assert_eq!(told.len(), 2);
}

#[test]
fn long_strings_come_in_pieces_of_one_length() {
    let text: Vec<u8> = (0..100_000_u32).map(|n| (n / 100) as u8).collect();
    for packed in [false, true] {
        let mut dump = Dump::new("REDIS0011");
        dump.raw(b"\x00\x01k");
        if packed {
            let lzf = crate::encode::lzf(&text);
            assert!(lzf.len() < text.len() / 2);
            dump.raw(b"\xc3").len(lzf.len() as u64).len(text.len() as u64).raw(&lzf);
        } else {
            dump.string(&text);
        }
        dump.raw(b"\x00\x01l\x01v");
        let dump = dump.end();
        let options = Options::new(Level::Elements).with_chunk_bytes(1 << 14);
        let mut parser = Parser::new(options.clone());
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        for piece in dump.chunks(1000) {
            parser.feed(piece);
            while let Step::Event(event) = parser.step().unwrap() {
                if let Event::Element(keystar_rdb::Element::Chunk {
                    bytes, offset, total, ..
                }) = event
                {
                    assert_eq!((offset, total), (whole.len() as u64, text.len() as u64));
                    whole.extend_from_slice(bytes);
                    pieces.push(bytes.len());
                }
            }
            // No more is held than a piece needs.
            assert!(parser.buffered() < (1 << 14) + 1000);
        }
        assert!(whole == text);
        assert_eq!(pieces, [16384, 16384, 16384, 16384, 16384, 16384, 1696]);
        assert_eq!(parser.stats().records, 2);
        chunks::assert_law("long string", &dump, &options);
    }
}

#[test]
fn a_huge_hash_takes_no_more_memory_than_a_field() {
    // As big as wanted: the bytes are made as they are fed.
    let fields = 1_000_000_u32;
    let mut parser = Parser::new(Options::new(Level::Elements));
    let mut piece = b"REDIS0003\xfe\x00\x04\x01h".to_vec();
    put_len(&mut piece, u64::from(fields));
    let (mut told, mut most) = (0, 0);
    for field in 0..fields {
        put_str(&mut piece, &field.to_be_bytes());
        put_str(&mut piece, &[b'v'; 30]);
        if piece.len() > 10_000 {
            parser.feed(&piece);
            piece.clear();
            while let Step::Event(event) = parser.step().unwrap() {
                told += u32::from(matches!(event, Event::Element(_)));
            }
            most = most.max(parser.buffered());
        }
    }
    parser.feed(&piece);
    parser.feed(b"\xff");
    while let Step::Event(event) = parser.step().unwrap() {
        told += u32::from(matches!(event, Event::Element(_)));
    }
    assert_eq!(told, fields);
    assert!(most < 100, "{most}");
}
