//! Inputs that must be refused, and how.

use keystar_rdb::{ErrorKind, Event, Level, Options, Parser, Records, Step};

use crate::{fixture, render};

fn last_error(bytes: &[u8]) -> keystar_rdb::Error {
    Records::new(bytes).find_map(Result::err).unwrap()
}

#[test]
fn a_version_of_the_future_warns_and_its_wrong_checksum_refuses() {
    let told = render::whole(&fixture::rdb("librdb/future_v19.rdb"), Options::default());
    let warning = "Redis RDB version 99 is newer than any that was tested";
    assert_eq!(told[1], serde_json::json!({ "warning": warning }));
    let last = told.last().unwrap();
    assert!(last["error"].as_str().unwrap().starts_with("checksum mismatch"), "{last}");
    assert_eq!(last["skippable"], false);
}

#[test]
fn a_wrong_checksum_refuses_unless_told_otherwise() {
    let bytes = fixture::rdb("librdb/invalid_chksum_v8.rdb");
    assert!(matches!(last_error(&bytes).kind(), ErrorKind::ChecksumMismatch { .. }));
    let told = render::whole(&bytes, Options::default().with_verify_checksum(false));
    let told: Vec<_> = told.iter().rev().take(2).collect();
    assert!(told[1]["warning"].as_str().unwrap().starts_with("checksum mismatch"));
    assert_eq!(told[0]["end"], "Ignored");
}

#[test]
fn a_corrupt_list_is_skipped_and_what_follows_is_read() {
    let bytes = fixture::rdb("redis/corrupt_ziplist.rdb");
    let results: Vec<_> = Records::new(&bytes[..]).collect();
    let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    // One record is corrupt.
    let first = errors[0];
    assert!(first.skippable());
    assert!(matches!(first.kind(), ErrorKind::Corrupt(_)));
    assert_eq!(first.key(), Some(&b"key:000000000091"[..]));
    // All others are read.
    assert_eq!(errors.len(), 1);
    assert_eq!(results.len(), 54);
}

#[test]
fn empty_collections_are_told_as_such() {
    let bytes = fixture::rdb("redis/corrupt_empty_keys.rdb");
    for level in [Level::FRAMES, Level::Elements, Level::Records] {
        let mut parser = Parser::new(Options::new(level));
        parser.feed(&bytes);
        parser.finish();
        let mut empty = 0;
        loop {
            match parser.step().unwrap() {
                Step::Event(Event::Empty(_)) => empty += 1,
                Step::Event(Event::Frame(_) | Event::Record(_) | Event::Key(_)) => panic!(),
                Step::Event(_) => {}
                _ => break,
            }
        }
        assert_eq!((empty, parser.stats().empty, parser.stats().records), (9, 9, 0));
    }
}

#[test]
fn what_is_no_dump_is_named() {
    for (bytes, name) in [
        (&b""[..], "an empty file"),
        (b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "an append-only file (AOF)"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a git-lfs pointer: the file itself was not fetched",
        ),
        (b"\x1f\x8b\x08\0", "gzip-compressed data"),
        (b"REDIS00", "the first bytes of an RDB file"),
        (b"REDIS0000\xff", "a Redis RDB file with a damaged version number"),
        (&[0; 1000], "zero bytes only"),
    ] {
        let error = last_error(bytes);
        let ErrorKind::NotRdb { looks_like, .. } = error.kind() else { panic!("{error}") };
        assert_eq!((looks_like, error.offset()), (name, 0));
        for options in crate::chunks::levels() {
            crate::chunks::assert_law(name, bytes, &options);
        }
    }
}

#[test]
fn unknown_types_and_opcodes_are_named_with_their_place() {
    let error = last_error(b"REDIS0011\xfe\x00\x22\x03foo");
    assert_eq!(error.to_string(), "unknown object type 34 at offset 11, key \"foo\"");
    let error = last_error(b"REDIS0011\xfe\x00\x06\x03foo");
    assert_eq!(error.kind(), ErrorKind::ModulePreGa);
    let error = last_error(b"REDIS0011\xfe\x00\xc8\x03foo");
    assert_eq!(error.to_string(), "unknown opcode 200 at offset 11");
    let error = last_error(b"REDIS0011\x64\x03foo");
    assert_eq!(error.to_string(), "unsupported opcode 100 (legacy Redis Enterprise) at offset 9");
    let error = last_error(b"VALKEY080\x17\x03foo\x00");
    assert_eq!(error.to_string(), "unknown object type 23 at offset 9, key \"foo\"");
}

#[test]
fn after_a_fatal_error_each_step_repeats_it() {
    let mut parser = Parser::new(Options::default());
    parser.feed(b"REDIS0011\xc8");
    assert!(parser.step().is_ok());
    let error = parser.step().unwrap_err();
    assert_eq!(parser.step().unwrap_err(), error);
    assert!(!error.skippable());
}

#[test]
fn too_long_strings_are_skipped_with_their_record() {
    let dump = b"REDIS0003\xfe\x00\x04\x01h\x02\x01a\x01b\x05longe\x01c\x00\x01k\x01v\xff";
    for level in [Level::Elements, Level::Records] {
        let options = Options::new(level).with_max_string_bytes(4);
        let told = render::whole(dump, options.clone());
        let errors: Vec<_> = told.iter().filter(|line| line.get("error").is_some()).collect();
        assert_eq!(errors.len(), 1, "{told:#?}");
        assert_eq!(errors[0]["skippable"], true);
        assert!(told.iter().any(|line| line.to_string().contains("\"v\"")));
        crate::chunks::assert_law("too long", dump, &options);
    }
}

#[test]
fn too_long_records_are_skipped() {
    let dump = b"REDIS0003\xfe\x00\x01\x01l\x03\x01a\x01b\x01c\x00\x01k\x01v\xff";
    let options = Options::new(Level::Records).with_max_record_bytes(4);
    let told = render::whole(dump, options.clone());
    assert_eq!(told[2]["error"], "record exceeds the limit of 4 bytes at offset 14, key \"l\"");
    assert_eq!(told[3]["key"], "k");
    crate::chunks::assert_law("too long", dump, &options);
}

#[test]
fn filters_decide_before_the_value() {
    use keystar_rdb::{Filter, Kind};
    let bytes = fixture::rdb("librdb/multiple_lists_strings.rdb");
    for level in [Level::FRAMES, Level::Elements, Level::Records, Level::Skip] {
        let filter = Filter::new().with_kinds([Kind::List]);
        let mut parser = Parser::new(Options::new(level).with_filter(filter));
        parser.feed(&bytes);
        parser.finish();
        while !matches!(parser.step().unwrap(), Step::End) {}
        assert_eq!((parser.stats().records, parser.stats().filtered), (3, 3));
    }
}
