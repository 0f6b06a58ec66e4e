//! Every way in which an export may be wrong, and what is said of it.

use std::{error::Error as _, fs, path::Path};

use keystar_transfer::{Block, Chain, Error, Export, parts};
use proptest::prelude::*;

use crate::{
    export::FIXTURE,
    export_forms::{FIRST, FULL, Made, SECOND, copy, gzip},
};

/// The chain of an error, as the program prints it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// How reading the place fails, with the folder cut off.
fn failure(folder: &Path, from: &str) -> String {
    let read = || -> Result<(), Error> {
        let export = Export::open(folder.join(from).to_str().unwrap())?;
        let mut block = Block::new();
        for file in 0..export.files().len() {
            let mut blocks = export.read(file)?;
            loop {
                match blocks.next_block(&mut block) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        // What failed cannot be mistaken for what has ended.
                        assert_eq!(block.bytes(), b"");
                        let again = blocks.next_block(&mut block).unwrap_err().to_string();
                        assert!(again.ends_with(": reading it failed before"), "{again}");
                        return Err(error);
                    }
                }
                for (number, line) in block.lines() {
                    parts(line).map_err(|error| block.locate(number, error))?;
                }
            }
        }
        Ok(())
    };
    let here = format!("{}/", fs::canonicalize(folder).unwrap().display());
    chain(&read().unwrap_err()).replace(&here, "")
}

fn item(n: usize) -> String {
    format!("{{\"Item\":{{\"pk\":{{\"S\":\"{n:032x}\"}}}}}}\n")
}

fn made(text: &[u8], items: u64) -> Made {
    Made::new("x", "DYNAMODB_JSON", None).with_file("1.json.gz", gzip(text), items)
}

#[test]
fn a_file_that_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let text: String =
        (0..1000_usize).map(|n| item(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let whole = gzip(text.as_bytes());
    let half = whole[..whole.len() / 2].to_vec();
    let length = half.len();
    let cut = Made::new("x", "DYNAMODB_JSON", None).with_file("1.json.gz", half.clone(), 1000);
    cut.write(folder.path());
    let said = failure(folder.path(), "AWSDynamoDB/x");
    let expected =
        format!("AWSDynamoDB/x/data/1.json.gz: cannot decompress it at or before byte {length}: ");
    assert!(said.starts_with(&expected), "{said}");
    for (name, stored) in [
        ("cut.json.gz", half),
        ("cut.ion.gz", gzip(b"$ion_1_0 {Item:{pk:\"a\"}}\n")[..25].to_vec()),
        ("cut.json.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()[..500].to_vec()),
    ] {
        fs::write(folder.path().join(name), &stored).unwrap();
        let said = failure(folder.path(), name);
        let expected = format!("{name}: cannot decompress it at or before byte {}: ", stored.len());
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn a_file_that_is_another() {
    let folder = tempfile::tempdir().unwrap();
    made(item(1).as_bytes(), 1).write(folder.path());
    let path = folder.path().join("AWSDynamoDB/x/data/1.json.gz");
    fs::write(&path, gzip(item(2).as_bytes())).unwrap();
    let export = Export::open(folder.path().to_str().unwrap()).unwrap();
    let mut blocks = export.read(0).unwrap();
    let mut block = Block::new();
    // It is known only when it was read.
    assert!(blocks.next_block(&mut block).unwrap());
    assert_eq!(block.bytes(), item(2).as_bytes());
    let error = blocks.next_block(&mut block).unwrap_err();
    let Error::Checksum { expected, found, .. } = &error else { panic!("{error:?}") };
    assert_ne!(expected, found);
    assert_eq!(
        error.to_string(),
        format!("AWSDynamoDB/x/data/1.json.gz: its MD5 is {found}, not {expected} as expected")
    );

    fs::remove_file(path).unwrap();
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/data/1.json.gz: the manifest has it, but it is not there"
    );
}

#[test]
fn a_list_of_files_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("AWSDynamoDB").join(FULL);
    for end in ["md5", "checksum"] {
        copy(&Path::new(FIXTURE).join("AWSDynamoDB").join(FULL), &own);
        let path = own.join("manifest-files.json");
        fs::rename(path.with_extension("md5"), own.join(format!("manifest-files.{end}"))).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text} ")).unwrap();
        let said = failure(folder.path(), "");
        let expected = format!("AWSDynamoDB/{FULL}/manifest-files.json: its MD5 is ");
        assert!(said.starts_with(&expected), "{said}");
        fs::remove_dir_all(&own).unwrap();
    }
}

/// Exports are handed on with their account and bucket taken out.
#[test]
fn a_summary_that_was_edited_is_remarked_on_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("AWSDynamoDB").join(FULL);
    copy(&Path::new(FIXTURE).join("AWSDynamoDB").join(FULL), &own);
    let path = own.join("manifest-summary.json");
    let untouched = Export::open(folder.path().to_str().unwrap()).unwrap();
    assert!(untouched.info().remarks.is_empty());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text} ")).unwrap();
    let export = Export::open(folder.path().to_str().unwrap()).unwrap();
    let [remark] = &export.info().remarks[..] else { panic!("{:?}", export.info().remarks) };
    assert!(remark.contains("manifest-summary.json: its MD5 is "), "{remark}");
    assert!(remark.ends_with("as expected: it was changed after the export"), "{remark}");
    assert_eq!(export.info().items, untouched.info().items);
}

#[test]
fn counts_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let text = item(1) + &item(2);
    made(text.as_bytes(), 3).write(folder.path());
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/data/1.json.gz: 2 records, not 3 as expected"
    );
    let mut sum = made(text.as_bytes(), 2);
    sum.summary.insert("itemCount".into(), 4.into());
    sum.write(folder.path());
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/manifest-files.json: 2 records, not 4 as expected"
    );
    let file = made(text.as_bytes(), 2);
    file.clone().with_file("1.json.gz", file.files[0].1.clone(), 2).write(folder.path());
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/data/1.json.gz: manifest-files.json names it twice"
    );
    fs::write(folder.path().join("scan.json"), "{\"Items\":[{}],\"Count\":2}").unwrap();
    assert_eq!(failure(folder.path(), "scan.json"), "scan.json: 1 records, not 2 as expected");
}

#[test]
fn lines_that_are_no_records() {
    let folder = tempfile::tempdir().unwrap();
    let text = item(1) + "\n{\"Item\" nonsense}\n";
    made(text.as_bytes(), 2).write(folder.path());
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/data/1.json.gz, line 3: not a record of an export: \
         expected a colon at byte 8"
    );
    for (name, text, expected) in [
        (
            "1.ion",
            "$ion_1_0 {Item:{pk:\"a\"}}\n$ion_1_0 {Item:{pk:(1)}}\n",
            "1.ion, line 2: not a record of an export: unknown attribute type at byte 10 of line 2",
        ),
        (
            "1.json",
            "{\"Items\":[{},7]}",
            "1.json, byte 13: expected an item or the end of the list",
        ),
        (
            "2.json",
            "nonsense",
            "2.json, line 1: not a record of an export: expected an object at byte 0",
        ),
        (
            "items.csv",
            "pk\na\n",
            "items.csv: CSV does not have the types of attributes: write DynamoDB JSON or Ion",
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(failure(folder.path(), name), expected);
    }
    let window = Some(("2026-03-02T10:15:00Z", "2026-03-02T10:30:00Z"));
    let items = gzip(b"$ion_1_0 {Item:{pk:\"a\"}}\n");
    Made::new("y", "ION", window).with_file("1.ion.gz", items, 1).write(folder.path());
    assert_eq!(
        failure(folder.path(), "AWSDynamoDB/y"),
        "AWSDynamoDB/data/1.ion.gz, line 1: not a record of an export: \
         a change has Metadata, Keys and images, all of them structs at byte 0"
    );
}

#[test]
fn a_line_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}{{\"Item\":{{\"a\":{{\"S\":\"{}", item(1), "x".repeat(17 << 20));
    made(long.as_bytes(), 2).write(folder.path());
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/data/1.json.gz, line 2: longer than 16 MiB"
    );
    let x = "x".repeat(17 << 20);
    for (name, text) in [
        ("1.json", format!("{{\"Items\":[{{}},{{\"a\":{{\"S\":\"{x}\"}}}}]}}")),
        ("1.ion", format!("$ion_1_0 {{Item:{{}}}}\n$ion_1_0 {{Item:{{a:\"{x}\"}}}}\n")),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(failure(folder.path(), name), format!("{name}, line 2: longer than 16 MiB"));
    }
    // One that is just long is whole.
    let long = format!("{{\"Item\":{{\"a\":{{\"S\":\"{}\"}}}}}}\n", "x".repeat(15 << 20));
    fs::write(folder.path().join("2.json"), item(1) + &long + &item(2)).unwrap();
    let export = Export::open(folder.path().join("2.json").to_str().unwrap()).unwrap();
    let (mut blocks, mut block) = (export.read(0).unwrap(), Block::new());
    let mut lengths = Vec::new();
    while blocks.next_block(&mut block).unwrap() {
        lengths.extend(block.lines().map(|(number, line)| (number, line.len() + 1)));
    }
    assert_eq!(lengths, [(1, item(1).len()), (2, long.len()), (3, item(2).len())]);
}

#[test]
fn manifests_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let own = made(item(1).as_bytes(), 1).write(folder.path());
    let summary = fs::read_to_string(own.join("manifest-summary.json")).unwrap();
    for (from, to, expected) in [
        ("DYNAMODB_JSON", "CSV", "its outputFormat is neither DYNAMODB_JSON nor ION"),
        ("2026-03-02T10", "yesterday", "its exportTime is not a time"),
        (
            "\"tableArn\"",
            "\"exportType\":\"OTHER\",\"tableArn\"",
            "its exportType is neither FULL_EXPORT nor INCREMENTAL_EXPORT",
        ),
        (
            "\"tableArn\"",
            "\"exportType\":\"INCREMENTAL_EXPORT\",\"tableArn\"",
            "its exportFromTime is not a time",
        ),
    ] {
        fs::write(own.join("manifest-summary.json"), summary.replace(from, to)).unwrap();
        let expected = format!("AWSDynamoDB/x/manifest-summary.json: {expected}");
        assert_eq!(failure(folder.path(), ""), expected);
    }
    fs::write(own.join("manifest-summary.json"), "{}").unwrap();
    assert_eq!(
        failure(folder.path(), ""),
        "cannot understand AWSDynamoDB/x/manifest-summary.json: \
         missing field `manifestFilesS3Key` at line 1 column 2"
    );
    fs::write(own.join("manifest-summary.json"), &summary).unwrap();
    let files = fs::read_to_string(own.join("manifest-files.json")).unwrap();
    fs::write(own.join("manifest-files.json"), format!("{files}nonsense\n")).unwrap();
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB/x/manifest-files.json, line 2: not a file's entry: \
         expected ident at line 1 column 2"
    );
    fs::remove_file(own.join("manifest-files.json")).unwrap();
    let said = failure(folder.path(), "");
    assert!(said.starts_with("AWSDynamoDB/x/manifest-files.json does not exist: "), "{said}");
    fs::remove_file(own.join("manifest-summary.json")).unwrap();
    fs::write(own.join("_started"), "").unwrap();
    assert_eq!(
        failure(folder.path(), ""),
        "AWSDynamoDB: an export was begun here, but it is not complete"
    );
    assert_eq!(
        failure(folder.path(), "AWSDynamoDB/x"),
        "AWSDynamoDB/x: an export was begun here, but it is not complete"
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Export::open(empty.path().to_str().unwrap()), Err(Error::Missing { .. })));
    assert!(matches!(Export::open("/nonexistent/x"), Err(Error::Missing { .. })));
}

#[test]
fn several_exports() {
    assert_eq!(
        Export::open(FIXTURE).unwrap_err().to_string(),
        format!(
            "{FIXTURE} holds several exports; name one of them: \
             {FULL}: full, as of 2026-03-02T10:00:12.345Z, of table shop, 7 records; \
             {FIRST}: incremental, from 2026-03-02T10:00:00Z to 2026-03-02T10:15:00Z, \
             of table shop, 3 records; \
             {SECOND}: incremental, from 2026-03-02T10:15:00Z to 2026-03-02T10:30:00Z, \
             of table shop, 4 records"
        )
    );
    let windows: Vec<_> = Export::open_all(FIXTURE)
        .unwrap()
        .iter()
        .filter_map(|export| export.info().window())
        .collect();
    assert_eq!(Chain::new(&windows, None).unwrap().steps, [0, 1, 2]);
    assert_eq!(Chain::new(&windows, windows.get(1)).unwrap().steps, [2]);
    assert_eq!(
        Chain::new(&windows, windows.first()).unwrap().to,
        Some("2026-03-02T10:30:00Z".parse().unwrap())
    );
    assert_eq!(
        Export::open(format!("{FIXTURE}/AWSDynamoDB/data")).unwrap_err().to_string(),
        format!(
            "{}/AWSDynamoDB/data: all incremental exports have their files here: \
             name the folder of one export",
            fs::canonicalize(FIXTURE).unwrap().display()
        )
    );
    let gap = [windows[0].clone(), windows[2].clone()];
    assert_eq!(
        Chain::new(&gap, None).unwrap_err().to_string(),
        format!(
            "gap: {FULL} ends at 2026-03-02T10:00:12.345Z, {SECOND} begins at 2026-03-02T10:15:00Z"
        )
    );
}

#[test]
fn two_tables_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new(FIXTURE), folder.path());
    let mut other = Made::new("01772440000000-00000000", "DYNAMODB_JSON", None);
    other.summary.insert("tableArn".into(), "arn:aws:dynamodb:x:0:table/other".into());
    other.with_file("1.json.gz", gzip(b""), 0).write(folder.path());
    let from = folder.path().to_str().unwrap();
    let tables: Vec<_> = Export::list(from)
        .unwrap()
        .iter()
        .map(|export| export.info().table().unwrap().to_owned())
        .collect();
    assert_eq!(tables, ["shop", "shop", "shop", "other"]);
    assert_eq!(
        Export::open_all(from).unwrap_err().to_string(),
        format!(
            "two tables: {FULL} is of arn:aws:dynamodb:eu-central-1:000000000000:table/shop, \
             01772440000000-00000000 of arn:aws:dynamodb:x:0:table/other"
        )
    );
}

fn stored(text: &[u8], compression: usize) -> Vec<u8> {
    match compression {
        0 => text.to_vec(),
        1 => gzip(text),
        2 => {
            let (first, second) = text.split_at(text.len() / 2);
            [gzip(first), gzip(second)].concat()
        }
        _ => zstd::encode_all(text, 1).unwrap(),
    }
}

proptest! {
    #[test]
    fn blocks_of_any_size_hold_the_same_lines(
        lines in prop::collection::vec("( ?|\\{[a-z]{1,40}\\}|é{3,9})\r?", 0..60),
        ended: bool,
        bytes in 1..200_usize,
        compression in 0..4_usize,
    ) {
        let mut text = lines.join("\n");
        if ended && !text.is_empty() {
            text.push('\n');
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.json");
        fs::write(&path, stored(text.as_bytes(), compression)).unwrap();
        let export = Export::open(path.to_str().unwrap()).unwrap();
        let mut blocks = export.read(0).unwrap().with_block_bytes(bytes);
        let (mut block, mut all, mut numbered) = (Block::new(), Vec::new(), Vec::new());
        while blocks.next_block(&mut block).unwrap() {
            prop_assert!(block.bytes().ends_with(b"\n"));
            prop_assert_eq!(block.file(), "items.json");
            all.extend_from_slice(block.bytes());
            numbered.extend(
                block.lines().map(|(n, line)| (n, String::from_utf8(line.to_vec()).unwrap())),
            );
        }
        prop_assert_eq!(block.bytes(), b"");
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        prop_assert_eq!(String::from_utf8(all).unwrap(), format!("{text}{newline}"));
        let expected: Vec<(u64, String)> = (1..)
            .zip(text.split('\n'))
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(|(n, line)| (n, line.strip_suffix('\r').unwrap_or(line).to_owned()))
            .collect();
        prop_assert_eq!(blocks.items_read(), expected.len() as u64);
        prop_assert_eq!(numbered, expected);
        prop_assert_eq!(blocks.stored_bytes_read(), export.info().stored_bytes);
    }
}
