use std::{fs, os::unix::fs::symlink};

use futures_executor::block_on;
use keystar_item::{Item, Number};
use keystar_transfer::{
    Compression, CsvOptions, EncodeLoss, Error, Format, ImportOptions, ImportReader, ImportWriter,
    ItemSink, Manifest, Mark, Origin,
    testing::{SinkUnderTest, conformance, repeats, table},
};

use crate::kit::Files;

fn options() -> ImportOptions {
    ImportOptions::new(table()).with_created("2026-01-31T12:00:00Z").with_spec_hash("abc")
}

fn item(n: u64) -> Item<'static> {
    let mut item = Item::new();
    item.push("pk", format!("user:{n}"));
    item.push("sk", Number::parse(n.to_string()).unwrap());
    item.push("note", "x".repeat(100));
    item
}

fn write(sink: &mut dyn ItemSink, numbers: std::ops::Range<u64>) -> Result<(), Error> {
    let mut encoder = sink.encoder();
    for n in numbers {
        encoder.push(&item(n), Origin(n)).unwrap();
    }
    block_on(sink.write(encoder.take()))
}

/// The format with every compression.
fn conform(format: &Format) {
    for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
        let options = options().with_format(format.clone()).with_compression(compression);
        conformance(&mut Files::local(options));
    }
}

#[test]
fn dynamodb_json_conforms() {
    conform(&Format::DynamoDbJson);
}

#[test]
fn ion_conforms() {
    conform(&Format::Ion);
}

#[test]
fn csv_of_unknown_columns_conforms() {
    conform(&Format::Csv(CsvOptions::default()));
}

#[test]
fn csv_of_known_columns_conforms() {
    let known = CsvOptions::default().with_columns(["note"]).with_delimiter(b';');
    conform(&Format::Csv(known));
}

#[test]
fn the_last_of_what_repeats_stays_in_files() {
    let options = options().with_repeats(true);
    repeats(&mut Files::local(options.clone()));
    repeats(&mut Files::local(options.clone().with_max_file(1000, 7)));
    repeats(&mut Files::local(options.with_format(Format::Csv(CsvOptions::default()))));
}

#[test]
fn files_in_memory_conform() {
    conformance(&mut Files::at("memory:///conform", options()));
}

#[test]
fn one_lane_conforms() {
    conformance(&mut Files::local(options().with_lanes(1)));
}

#[test]
fn many_small_files_conform() {
    conformance(&mut Files::local(options().with_max_file(10_000, 50)));
}

#[test]
fn a_small_output_is_one_file_and_its_manifest() {
    let files = Files::local(options());
    let mut sink = Box::new(files.writer());
    write(sink.as_mut(), 0..100).unwrap();
    let receipt = block_on(sink.finish(&[])).unwrap();
    assert_eq!(files.names(), ["data/part-00000.json.gz", "manifest.json"]);
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(files.out().join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest.files, receipt.files);
    assert_eq!((manifest.items, manifest.bytes), (100, receipt.bytes));
    assert_eq!(manifest.created, "2026-01-31T12:00:00Z");
    assert_eq!(
        (manifest.format.as_str(), manifest.compression.as_str()),
        ("dynamodb-json", "gzip")
    );
    assert!(!files.out().join(".tmp").exists());
}

#[test]
fn a_large_output_is_spread_by_key_and_rolls() {
    let files = Files::local(options().with_max_file(2 << 20, 1_000_000));
    let mut sink = Box::new(files.writer());
    let (mut epochs, mut batches) = (1, 0);
    for start in (0..160_000).step_by(1000) {
        if sink.wants_commit() {
            block_on(sink.commit()).unwrap();
            epochs += 1;
        }
        write(sink.as_mut(), start..start + 1000).unwrap();
        batches += 1;
    }
    assert_eq!(batches, 160);
    let receipt = block_on(sink.finish(&[])).unwrap();
    assert_eq!(receipt.items, 160_000);
    assert!(epochs > 1, "the output should have rolled");
    assert_eq!(receipt.files.len(), epochs * 8);
    for (n, file) in receipt.files.iter().enumerate() {
        assert_eq!(file.key, format!("data/part-{n:05}.json.gz"));
        assert!(file.bytes < (2 << 20) + 200_000, "{file:?}");
    }
    // No file is a run of neighbours: it has at most a few pairs of them once all are open.
    let reader = ImportReader::open(&files.to).unwrap();
    let mut previous = (String::new(), 0);
    let (mut neighbours, mut items) = (0, 0);
    let mut reading = reader.items();
    while let Some(read) = reading.next_item().unwrap() {
        let Some(keystar_item::AttributeValue::N(number)) = read.item.get("sk") else { panic!() };
        let number: i64 = number.as_str().parse().unwrap();
        if read.file == previous.0 {
            neighbours += i64::from(number == previous.1 + 1);
        }
        previous = (read.file.to_owned(), number);
        items += 1;
    }
    assert_eq!(items, 160_000);
    assert!(neighbours < items / 4, "{neighbours} of {items} items follow their neighbour");
}

#[test]
fn an_output_is_not_overwritten() {
    let files = Files::local(options());
    let mut sink = Box::new(files.writer());
    write(sink.as_mut(), 0..10).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    drop(sink);
    let again = ImportWriter::create(&files.to, &files.work(), options());
    assert!(matches!(again, Err(Error::Occupied { .. })));

    let other = options().with_compression(Compression::None);
    let resumed = ImportWriter::resume(&files.to, &files.work(), other, &mark);
    assert_eq!(
        resumed.unwrap_err().to_string(),
        format!("cannot resume at {}: the options are not those of the mark", files.to)
            .replace("out:", "out/:")
    );

    fs::write(files.out().join("data/mine.txt"), "not yours").unwrap();
    ImportWriter::clear(&files.to).unwrap();
    assert_eq!(files.names(), ["data/mine.txt"], "what is not ours stays");
    let again = ImportWriter::create(&files.to, &files.work(), options());
    assert!(matches!(again, Err(Error::Occupied { .. })));
}

#[test]
fn a_lost_file_is_noticed_on_resume() {
    let files = Files::local(options());
    let mut sink = Box::new(files.writer());
    write(sink.as_mut(), 0..10).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    drop(sink);
    fs::remove_file(files.out().join("data/part-00000.json.gz")).unwrap();
    let resumed = ImportWriter::resume(&files.to, &files.work(), options(), &mark);
    assert!(matches!(resumed, Err(Error::Resume { .. })), "{resumed:?}");
}

#[test]
fn what_a_killed_run_leaves_is_dropped_on_resume() {
    let files = Files::local(options().with_compression(Compression::None));
    let mut sink = Box::new(files.writer());
    write(sink.as_mut(), 0..10).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    write(sink.as_mut(), 10..20).unwrap();
    let later = block_on(sink.commit()).unwrap();
    assert_eq!(later.items(), 20);
    drop(sink);
    // As if the program had been killed while it wrote, and before it saved the second mark.
    fs::create_dir_all(files.out().join(".tmp")).unwrap();
    fs::write(files.out().join(".tmp/data-part-00002.json"), "{\"It").unwrap();
    fs::write(files.work().join("data-part-00002.csv.cells"), "x").unwrap();
    let mut sink = Box::new(files.resumed(&mark));
    assert_eq!(files.names(), ["data/part-00000.json"]);
    write(sink.as_mut(), 10..20).unwrap();
    let receipt = block_on(sink.finish(&[])).unwrap();
    assert_eq!((receipt.items, receipt.files.len()), (20, 2));
    assert_eq!(files.names(), ["data/part-00000.json", "data/part-00001.json", "manifest.json"]);
    assert!(fs::read_dir(files.work()).unwrap().all(|entry| {
        entry.unwrap().path().extension().is_none_or(|extension| extension != "cells")
    }));
}

/// A finish that was killed between any two of its steps, played back by hand.
#[test]
fn a_killed_finish_is_completed_from_its_journal() {
    let mut files = Files::local(options().with_max_file(1, 1).with_lanes(4));
    let mut sink = Box::new(files.writer());
    for start in 0..6 {
        write(sink.as_mut(), start * 10..start * 10 + 12).unwrap();
        block_on(sink.commit()).unwrap();
    }
    let mark = block_on(sink.commit()).unwrap();
    let before = files.fingerprint();
    let receipt = block_on(sink.finish(&[Origin(0), Origin(33)])).unwrap();
    let after = files.fingerprint();
    assert!(receipt.removed_items > 2);
    let rewritten: Vec<&(String, Vec<u8>)> =
        after.iter().filter(|file| file.0 != "manifest.json" && !before.contains(file)).collect();
    assert!(rewritten.len() > 2);

    for moved in 0..=rewritten.len() {
        // The journal is there, the first few files have moved, the others still wait.
        ImportWriter::clear(&files.to).unwrap();
        fs::create_dir_all(files.out().join(".tmp")).unwrap();
        fs::create_dir_all(files.out().join("data")).unwrap();
        for (name, bytes) in &before {
            fs::write(files.out().join(name), bytes).unwrap();
        }
        for (n, (name, bytes)) in rewritten.iter().enumerate() {
            let staged = format!(".tmp/rewritten-{}", name.replace('/', "-"));
            let target = if n < moved { name } else { &staged };
            fs::write(files.out().join(target), bytes).unwrap();
        }
        let mut sink = Box::new(files.resumed(&mark));
        let refused = write(sink.as_mut(), 0..1).unwrap_err();
        assert!(matches!(refused, Error::Resume { .. }), "{refused}");
        drop(sink);
        let sink = Box::new(files.resumed(&mark));
        assert_eq!(block_on(sink.finish(&[])).unwrap(), receipt);
        assert!(files.fingerprint() == after, "{moved} files moved");
    }
    // An older mark cannot undo what was removed.
    let older = ImportWriter::resume(&files.to, &files.work(), options(), &Mark::default());
    assert!(matches!(older, Err(Error::Resume { .. })), "{older:?}");
}

#[test]
fn a_full_device_is_told_and_what_was_committed_stays() {
    let files = Files::local(options().with_compression(Compression::None));
    let mut sink = Box::new(files.writer());
    write(sink.as_mut(), 0..1000).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    // The kernel's own full device, where the next file will be made.
    symlink("/dev/full", files.out().join(".tmp/data-part-00001.json")).unwrap();
    let error = (1..100).find_map(|n| write(sink.as_mut(), n * 1000..(n + 1) * 1000).err());
    let error = error.expect("a full device");
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    assert!(error.to_string().ends_with("out/data/part-00001.json"), "{error}");
    assert!(!error.is_retryable());
    assert!(matches!(write(sink.as_mut(), 0..1), Err(Error::Poisoned)));
    drop(sink);
    let mut sink = Box::new(files.resumed(&mark));
    write(sink.as_mut(), 1000..2000).unwrap();
    assert_eq!(block_on(sink.finish(&[])).unwrap().items, 2000);
}

#[test]
fn a_full_store_is_told_at_the_commit_too() {
    for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
        let options = options().with_compression(compression);
        let files = Files::at("memory:///full?max_bytes=100", options);
        ImportWriter::clear(&files.to).unwrap();
        let mut sink = Box::new(files.writer());
        let result = write(sink.as_mut(), 0..10).and_then(|()| block_on(sink.commit()));
        assert!(matches!(result, Err(Error::NoSpace { .. })), "{result:?}");
    }
}

#[test]
fn an_unwritable_target_is_told_at_once() {
    let work = tempfile::tempdir().unwrap();
    let error = ImportWriter::create("/sys/keystar", work.path(), options()).unwrap_err();
    assert!(matches!(error, Error::Permission { .. }), "{error:?}");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let below = folder.path().join("file/out");
    let error = ImportWriter::create(below.to_str().unwrap(), work.path(), options()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let work = tempfile::tempdir().unwrap();
    for options in [
        options().with_lanes(0),
        options().with_lanes(65),
        options().with_max_file(0, 1),
        options().with_compression(Compression::Gzip { level: 10 }),
        options().with_compression(Compression::Zstd { level: 23 }),
        options().with_format(Format::Csv(CsvOptions::default().with_delimiter(b'"'))),
    ] {
        let error = ImportWriter::create("memory:///options", work.path(), options).unwrap_err();
        assert!(matches!(error, Error::Options(_)), "{error:?}");
    }
}

#[test]
fn too_many_duplicates_are_an_error_and_nothing_is_removed() {
    let files = Files::local(options().with_max_duplicates(10));
    let mut sink = Box::new(files.writer());
    let mut encoder = sink.encoder();
    for n in 0..1000 {
        encoder.push(&item(7), Origin(n)).unwrap();
    }
    block_on(sink.write(encoder.take())).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    let error = block_on(sink.finish(&[])).unwrap_err();
    assert_eq!(error.to_string(), "more than 10 items have a key that another item has");
    let more = files.options.clone().with_max_duplicates(1000);
    let sink = ImportWriter::resume(&files.to, &files.work(), more, &mark).unwrap();
    let receipt = block_on(Box::new(sink).finish(&[])).unwrap();
    assert_eq!((receipt.items, receipt.duplicates.len()), (1, 999));
}

#[test]
fn csv_losses_are_counted_with_their_first_record() {
    let files = Files::local(options().with_format(Format::Csv(CsvOptions::default())));
    let mut sink = Box::new(files.writer());
    let mut encoder = sink.encoder();
    for n in 0..10 {
        let mut item = item(n);
        if n >= 4 {
            item.push("age", Number::parse("7").unwrap());
            item.push("seen", true);
        }
        encoder.push(&item, Origin(n)).unwrap();
    }
    block_on(sink.write(encoder.take())).unwrap();
    let mark = block_on(sink.commit()).unwrap();
    drop(sink);
    let receipt = block_on(Box::new(files.resumed(&mark)).finish(&[])).unwrap();
    let losses: Vec<_> =
        receipt.losses.iter().map(|(loss, seen)| (*loss, seen.count, seen.first)).collect();
    assert_eq!(
        losses,
        [(EncodeLoss::NumberAsText, 6, Origin(4)), (EncodeLoss::BoolAsText, 6, Origin(4))]
    );
}

#[test]
fn batches_of_another_sink_are_refused() {
    let (files, others) = (Files::local(options()), Files::local(options().with_lanes(3)));
    let mut sink = files.writer();
    let mut encoder = others.writer().encoder();
    encoder.push(&item(1), Origin(1)).unwrap();
    let error = block_on(sink.write(encoder.take())).unwrap_err();
    assert!(matches!(error, Error::Options(_)), "{error:?}");
}
