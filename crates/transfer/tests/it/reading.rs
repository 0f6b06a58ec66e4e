use std::fs;

use futures_executor::block_on;
use keystar_item::{Item, Number};
use keystar_transfer::{
    Compression, CsvOptions, Error, Format, ImportOptions, ImportReader, ItemSink, Origin,
    testing::table,
};

use crate::kit::Files;

fn written(options: ImportOptions, items: u64) -> Files {
    let files = Files::local(options);
    let mut sink = Box::new(files.writer());
    let mut encoder = sink.encoder();
    for batch in 0..items.div_ceil(1000) {
        for n in batch * 1000..((batch + 1) * 1000).min(items) {
            let mut item = Item::new();
            item.push("pk", format!("user:{n}"));
            item.push("sk", Number::parse(n.to_string()).unwrap());
            item.push("note", "x".repeat(200));
            encoder.push(&item, Origin(n)).unwrap();
        }
        block_on(sink.write(encoder.take())).unwrap();
    }
    block_on(sink.finish(&[])).unwrap();
    files
}

fn count(reader: &ImportReader) -> Result<u64, Error> {
    let mut items = reader.items();
    let mut count = 0;
    while items.next_item()?.is_some() {
        count += 1;
    }
    Ok(count)
}

#[test]
fn split_readers_read_everything_once() {
    let files = written(ImportOptions::new(table()), 20_000);
    let reader = ImportReader::open(&files.to).unwrap();
    assert_eq!(reader.files().len(), 8);
    assert_eq!(count(&reader).unwrap(), 20_000);
    for readers in [1, 3, 8, 100] {
        let parts = reader.split(readers);
        assert_eq!(parts.len(), readers.min(8));
        let total: u64 = parts.iter().map(|part| count(part).unwrap()).sum();
        assert_eq!(total, 20_000);
    }
}

#[test]
fn damage_is_noticed_by_the_manifest() {
    let options = ImportOptions::new(table()).with_compression(Compression::None);
    let files = written(options, 100);
    let path = files.out().join("data/part-00000.json");
    let good = fs::read(&path).unwrap();
    let reason = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match count(&ImportReader::open(&files.to).unwrap()) {
            Err(Error::Damaged { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let last_line = good.strip_suffix(b"\n").unwrap().iter().rposition(|byte| *byte == b'\n');
    let shorter = &good[..=last_line.unwrap()];
    assert_eq!(reason(shorter), "its size is not the one in the manifest");
    let mut changed = good.clone();
    let x = changed.iter().position(|byte| *byte == b'x').unwrap();
    changed[x] = b'y';
    assert_eq!(reason(&changed), "its SHA-256 is not the one in the manifest");

    fs::write(&path, &good).unwrap();
    fs::write(files.out().join("data/stray.json"), "").unwrap();
    let error = ImportReader::open(&files.to).unwrap_err();
    assert_eq!(
        error.to_string(),
        "data/stray.json: the manifest does not know it, but an import would read it"
    );
    fs::remove_file(files.out().join("data/stray.json")).unwrap();
    fs::remove_file(&path).unwrap();
    let error = ImportReader::open(&files.to).unwrap_err();
    assert_eq!(
        error.to_string(),
        "data/part-00000.json: the manifest has it, but the folder does not"
    );
}

#[test]
fn bad_lines_are_told_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.json");
    fs::write(&path, "{\"Item\":{\"a\":{\"S\":\"1\"}}}\n\nnonsense\n{\"Item\":{}}\n").unwrap();
    let reader = ImportReader::open(path.to_str().unwrap()).unwrap();
    let mut items = reader.items();
    assert_eq!(items.next_item().unwrap().unwrap().line, 1);
    let error = items.next_item().unwrap_err();
    assert_eq!(error.to_string(), "items.json, line 3: not an item");
    assert_eq!(items.next_item().unwrap().unwrap().line, 4);
    assert!(items.next_item().unwrap().is_none());

    fs::write(folder.path().join("rows.csv"), "pk,sk\na,1\nb\nc,x\n\"d,1\n").unwrap();
    let reader = ImportReader::open(folder.path().join("rows.csv").to_str().unwrap())
        .unwrap()
        .with_table(table());
    assert_eq!(reader.format(), &Format::Csv(CsvOptions::default()));
    let mut items = reader.items();
    assert_eq!(items.next_item().unwrap().unwrap().line, 2);
    for expected in [
        "rows.csv, line 3: fewer fields than the header has",
        "rows.csv, line 4: a key that is no number",
        "rows.csv, line 5: a field that is not UTF-8 or not quoted as it must be",
    ] {
        assert_eq!(items.next_item().unwrap_err().to_string(), expected);
    }
    assert!(items.next_item().unwrap().is_none());
}

#[test]
fn a_bare_folder_of_an_export_is_read() {
    let files = written(ImportOptions::new(table()), 50);
    let folder = tempfile::tempdir().unwrap();
    for name in ["manifest-files.json", "_started", "x.md5", ".hidden"] {
        fs::write(folder.path().join(name), "not an item").unwrap();
    }
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(files.out().join("data/part-00000.json.gz"), data.join("abc.json.gz")).unwrap();
    let reader = ImportReader::open(folder.path().to_str().unwrap()).unwrap();
    assert!(reader.manifest().is_none());
    assert_eq!(count(&reader).unwrap(), 50);
    assert_eq!(count(&ImportReader::open(data.to_str().unwrap()).unwrap()).unwrap(), 50);
}

#[test]
fn nothing_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for place in [folder.path().to_str().unwrap(), "/nonexistent/folder", "memory:///nothing"] {
        let error = ImportReader::open(place).unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    }
}

#[test]
fn a_truncated_file_is_an_error_not_an_end() {
    for compression in [Compression::gzip(), Compression::zstd()] {
        let files = written(ImportOptions::new(table()).with_compression(compression), 5000);
        let folder = tempfile::tempdir().unwrap();
        let name = ImportReader::open(&files.to).unwrap().files()[0].name.clone();
        let bytes = fs::read(files.out().join(name)).unwrap();
        let path = folder.path().join("cut");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = count(&ImportReader::open(path.to_str().unwrap()).unwrap()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
}
