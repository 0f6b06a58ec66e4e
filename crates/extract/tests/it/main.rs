//! Sources, by the suite that every one of them runs, and RDB files in all their wrappings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod aof;
mod dumps;
#[cfg(feature = "live")]
mod snapshot;

use std::{fs, io::Write, path::PathBuf};

use futures_executor::block_on;
use keystar_extract::{
    Batch, Compression, Entry, Error, MemorySource, RdbFile, RdbOptions, Source, testing,
};
use keystar_rdb::{Db, ErrorKind, Filter, Kind, Record, Value};

fn shop() -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop.rdb")).unwrap()
}

fn small_pieces() -> RdbOptions {
    RdbOptions::default().with_batch_bytes(100).with_max_value_bytes(30)
}

fn keys(mut source: RdbFile) -> Result<Vec<String>, Error> {
    let mut batch = Batch::new();
    let mut keys = Vec::new();
    while block_on(source.fill(&mut batch))? {
        for entry in batch.entries() {
            match entry {
                Entry::Frame(frame) => keys.push(format!("{:?}", frame.head.key)),
                Entry::Part { part, .. } if part.last => keys.push(format!("{:?}", part.head.key)),
                Entry::Part { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    Ok(keys)
}

#[test]
fn every_source_conforms() {
    let records: Vec<_> = (0..250)
        .map(|n| {
            let key = format!("key:{n}");
            Record::new(Db(0), key.as_str().into(), Value::String("v".into())).into_owned()
        })
        .collect();
    block_on(testing::conforms(|| {
        Box::new(MemorySource::new(records.clone()).with_batch_records(60))
    }));
    block_on(testing::conforms(|| Box::new(MemorySource::new(Vec::new()))));
    for options in [RdbOptions::default(), small_pieces()] {
        block_on(testing::conforms(|| {
            Box::new(RdbFile::from_bytes(shop(), options.clone()).unwrap())
        }));
    }
}

#[test]
fn a_compressed_dump_is_the_same_dump_and_resumes_too() {
    let plain = keys(RdbFile::from_bytes(shop(), RdbOptions::default()).unwrap()).unwrap();
    assert_eq!(plain.len(), 22);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&shop()).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&shop()).unwrap();
    let zstd = zstd::encode_all(&*shop(), 3).unwrap();
    for (bytes, compression) in [
        (gzip.finish().unwrap(), Compression::Gzip),
        (lz4.finish().unwrap(), Compression::Lz4),
        (zstd, Compression::Zstd),
    ] {
        let open = || RdbFile::from_bytes(bytes.clone(), small_pieces()).unwrap();
        assert_eq!(open().compression(), compression);
        assert_eq!(keys(open()).unwrap(), plain);
        block_on(testing::conforms(|| Box::new(open())));
    }
}

#[test]
fn a_truncated_wrapping_is_an_error_with_its_name() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&shop()).unwrap();
    let mut bytes = gzip.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    let error = keys(RdbFile::from_bytes(bytes, RdbOptions::default()).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("the gzip stream is damaged after"), "{error}");
}

#[test]
fn filtered_records_are_counted() {
    let filter = Filter::new().with_dbs([Db(0)]).with_kinds([Kind::Hash]);
    let options = RdbOptions::default().with_filter(filter);
    let mut source = RdbFile::from_bytes(shop(), options).unwrap();
    let mut batch = Batch::new();
    assert!(block_on(source.fill(&mut batch)).unwrap());
    assert_eq!(batch.entries().count(), 6);
    assert_eq!(batch.remarks().skipped.get("filter"), Some(&16));
    assert_eq!(batch.remarks().description.as_deref(), Some("Redis RDB version 10"));
}

#[test]
fn what_is_no_dump_is_named() {
    let error = keys(RdbFile::from_bytes(b"<html>".to_vec(), RdbOptions::default()).unwrap());
    let Err(Error::Dump(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error.kind(), ErrorKind::NotRdb { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = RdbFile::open(folder.path(), RdbOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error}");
}
