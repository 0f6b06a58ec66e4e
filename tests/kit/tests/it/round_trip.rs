//! There and back: what `restore` writes, played to an empty Redis, makes the data that the dump was made of; and
//! `verify` sees every harm that is done to the files in between.

use std::fs::File;
use std::path::{Path, PathBuf};

use keystar_kit::generate::{self, Shape};
use keystar_kit::migrate;
use keystar_kit::redis::{Connection, Redis, Reply};
use tempfile::TempDir;

use crate::readers::mapping_file;
use crate::shown::{ask, several, sorted};

fn dump(folder: &Path, records: u64) -> PathBuf {
    let dump = folder.join("dump.rdb");
    generate::write(Shape::Mixed { records }, 21, 10, File::create(&dump).unwrap()).unwrap();
    dump
}

fn keys(connection: &mut Connection, db: &str) -> Vec<Vec<u8>> {
    connection.command(&["SELECT", db]).unwrap();
    sorted(several(connection.command(&["KEYS", "*"]).unwrap()))
}

fn comes_back(mapping: Option<&str>) {
    let folder = TempDir::new().unwrap();
    let dump = dump(folder.path(), 3000);
    let output = folder.path().join("out");
    let commands = folder.path().join("commands.resp");
    let mapping = mapping.map(|name| mapping_file(name).to_str().unwrap().to_owned());
    let more: Vec<&str> = mapping.iter().flat_map(|mapping| ["--mapping", mapping]).collect();
    migrate::convert(&dump, &output, "dynamodb-json", "none", &more)
        .unwrap()
        .expect_code(&[0])
        .unwrap();
    let (from, to) = (output.to_str().unwrap(), commands.to_str().unwrap());
    migrate::run(&["restore", "--from", from, "--to", to]).unwrap().expect_code(&[0]).unwrap();

    let (before, after) = (Redis::load(&dump).unwrap(), Redis::start().unwrap());
    let (mut before, mut after) = (before.connect().unwrap(), after.connect().unwrap());
    after.play(&std::fs::read(&commands).unwrap()).unwrap();
    for db in ["0", "1"] {
        let names = keys(&mut before, db);
        assert!(names.len() >= 300);
        assert_eq!(keys(&mut after, db), names);
        for name in names {
            let shown = String::from_utf8_lossy(&name).into_owned();
            // When a consumer was last seen is the server's own clock.
            let value = |connection: &mut Connection| {
                let value = ask(connection, &name, false).without_clock();
                let expiry = connection.command(&[b"PEXPIRETIME".as_slice(), &name]).unwrap();
                assert!(matches!(expiry, Reply::Integer(_)));
                (value, expiry)
            };
            assert_eq!(value(&mut after), value(&mut before), "{shown}");
        }
    }
}

#[test]
fn one_item_a_record_comes_back() {
    comes_back(None);
}

#[test]
fn one_item_an_element_comes_back() {
    comes_back(Some("collection"));
}

#[test]
fn fields_as_attributes_come_back() {
    comes_back(Some("attributes"));
}

#[test]
fn verify_sees_what_was_done_to_the_files() {
    let folder = TempDir::new().unwrap();
    let dump = dump(folder.path(), 900);
    let output = folder.path().join("out");
    migrate::convert(&dump, &output, "dynamodb-json", "none", &[]).unwrap();
    let verify = || migrate::run(&["verify", "--to", output.to_str().unwrap()]).unwrap();
    verify().expect_code(&[0]).unwrap();

    let file = migrate::data_files(&output).unwrap().remove(0);
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let longest = lines.iter().max_by_key(|line| line.len()).unwrap();
    for (harm, text) in [
        ("an item less", lines[1..].concat()),
        ("an item twice", [&lines[..1], &lines[..]].concat().concat()),
        (
            "a foreign item",
            [whole.as_str(), "{\"Item\":{\"key\":{\"S\":\"x\"},\"value\":{\"S\":\"y\"}}}\n"]
                .concat(),
        ),
        ("a letter changed", whole.replacen('a', "b", 1)),
        ("the longest line cut", whole.replace(longest, &longest[..longest.len() / 2])),
        ("nothing left", String::new()),
    ] {
        assert_ne!(text, whole);
        std::fs::write(&file, text).unwrap();
        let ended = verify();
        assert!(
            matches!(ended.code, Some(1 | 5)),
            "{harm}: exit {:?}: {}{}",
            ended.code,
            ended.stdout,
            ended.stderr
        );
    }
    std::fs::write(&file, whole).unwrap();
    verify().expect_code(&[0]).unwrap();
}
