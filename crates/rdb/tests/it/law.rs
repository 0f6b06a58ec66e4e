//! No input makes the decoder panic, and none is told differently when it is cut.

use keystar_rdb::{Parser, ResumePoint, decode_dump, decode_dump_unverified, looks_like};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{chunks, fixture, render};

/// Small dumps of all kinds, to be damaged.
fn small() -> Vec<Vec<u8>> {
    let all = fixture::all().into_iter().map(|name| fixture::rdb(&name));
    all.filter(|bytes| bytes.len() < 6000).collect()
}

/// Reads it in every way; with the checksum off, or nothing after the first change would be read.
fn read(bytes: &[u8]) {
    let limit = 1 << 20;
    for options in chunks::levels() {
        let options = options.with_verify_checksum(false).with_max_packed_bytes(limit);
        let whole = render::whole(bytes, options.clone());
        let pieces = render::drive(&mut Parser::new(options), bytes.chunks(5));
        assert_eq!(whole, pieces);
    }
}

/// Bytes that look like records more often than chance.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => (0..34_u8).prop_map(|byte| vec![byte]),
        2 => (242..=255_u8).prop_map(|byte| vec![byte]),
        4 => vec(any::<u8>(), 0..10).prop_map(|text| [vec![text.len() as u8], text].concat()),
        1 => vec(any::<u8>(), 0..4),
        1 => Just(vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        1 => Just(vec![0x80, 0x7f, 0xff, 0xff, 0xff]),
        1 => Just(vec![0xc3, 0x05, 0x80, 0x10, 0, 0, 0]),
    ];
    vec(token, 0..30).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_records_never_panic(body in records(), valkey in any::<bool>()) {
        let magic: &[u8] = if valkey { b"VALKEY081" } else { b"REDIS0015" };
        read(&[magic, &body].concat());
    }

    #[test]
    fn random_payloads_never_panic(body in records(), version in 0_u8..90) {
        let payload = [&body[..], &[version, 0], &[0; 8]].concat();
        let _ = decode_dump(&payload);
        let _ = decode_dump_unverified(&body);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        read(&bytes);
        let _ = looks_like(&bytes);
        let _ = ResumePoint::from_bytes(&bytes);
        let _ = keystar_rdb::Json::parse(&bytes);
    }

    #[test]
    fn damaged_dumps_never_panic(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let dumps = small();
        let mut bytes = which.get(&dumps).clone();
        for (at, byte) in changes {
            // The magic stays, or there would be little to see.
            let at = 9 + at.index(bytes.len() - 9);
            bytes[at] = byte;
        }
        read(&bytes);
    }

    #[test]
    fn damaged_payloads_never_panic(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let dir = fixture::root().join("corrupt-dump-payloads");
        let mut payloads: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "dump"))
            .collect();
        payloads.sort();
        let mut bytes = fixture::read(which.get(&payloads[..]).as_path());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_dump_unverified(&bytes);
    }
}
