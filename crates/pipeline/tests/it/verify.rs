//! A clean run has no differences; every kind of damage is found and named.

use std::{num::NonZeroUsize, path::Path};

use keystar_extract::{MemorySource, RdbFile, RdbOptions, Source};
use keystar_mapping::Mapping;
use keystar_pipeline::{
    Interrupt, MigrationOptions, MigrationSpec, Progress, Reach, Verification, VerifyOptions,
    migrate, verify,
};
use keystar_rdb::{Blob, Db, Record, Scored, UnixMillis, Value};
use keystar_transfer::{CsvOptions, Format, ImportReader};

use crate::world::{COLLECTION, World, blob, everything, hash, list, record, stream, text};

/// What was found, in short.
fn found(verification: &Verification) -> [u64; 4] {
    let Verification { missing, extra, different, damaged, .. } = verification;
    [missing.count, extra.count, different.count, damaged.count]
}

#[track_caller]
fn assert_clean(world: &World) -> Verification {
    let verification = world.verify();
    assert!(verification.ok(), "{verification}");
    let compared = verification.records();
    let filtered = verification.filtered.values().sum::<u64>();
    assert_eq!(compared + verification.rejected + filtered, world.records.len() as u64);
    assert!(verification.same + verification.compared_forward >= compared, "{verification}");
    verification
}

#[test]
fn a_clean_run_has_no_differences_in_any_layout_and_form() {
    let attributes = "defaults.layout = 'attributes'\n";
    for spec in ["", attributes, COLLECTION, "defaults.type = 'always'\n"] {
        for format in [Format::DynamoDbJson, Format::Ion] {
            let world = World::with_format(everything(), spec, format.clone());
            let verification = assert_clean(&world);
            assert_eq!(verification.compared_forward, 0, "{spec} {format}: {verification}");
            assert_eq!(verification.same, 16);
            assert!(verification.has_manifest);
        }
    }
}

#[test]
fn csv_is_compared_by_items_as_text() {
    let world = World::with_format(everything(), "", Format::Csv(CsvOptions::default()));
    let verification = assert_clean(&world);
    assert_eq!((verification.same, verification.compared_forward), (0, 16));
    assert_eq!(verification.same_items, 16);
}

#[test]
fn what_cannot_be_read_back_is_compared_forward() {
    let spec = "\
table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }
defaults.sk = 'V'
unmatched = 'skip'
[[rule]]
keys = 'user:{id}:{rest}'
pk = 'USER#{id}'
sk = '{rest}'
layout = 'attributes'
fields = { secret = { hash = true }, gone = { drop = true }, kept = { rename = 'held' } }
[[rule]]
keys = 'order:{shard}:{id}'
pk = 'ORDER#{id}'
";
    let fields = [("secret", "s3cret"), ("gone", "x"), ("kept", "y")];
    let mut world = World::new(
        vec![
            record("user:1:profile", hash(&fields)),
            record("order:7:99", hash(&[("total", "5")])),
            record("order:8:98", text("x")),
            record("plain", list(&["a"])),
        ],
        spec,
    );
    let verification = assert_clean(&world);
    assert_eq!(verification.compared_forward, 2, "{verification}");
    assert_eq!(verification.losses["field_hashed"], 1);
    assert_eq!(verification.losses["key_not_kept"], 2);
    // What is lost is not compared, what is left is.
    world.edit(|lines| {
        let edited = lines.iter_mut().filter(|line| line.contains("held"));
        edited.for_each(|line| *line = line.replace(r#"{"S":"y"}"#, r#"{"S":"z"}"#));
        let edited = lines.iter_mut().filter(|line| line.contains("total"));
        edited.for_each(|line| *line = line.replace(r#"{"N":"5"}"#, r#"{"N":"6"}"#));
    });
    let verification = world.verify();
    assert_eq!(found(&verification), [0, 0, 2, 0], "{verification}");
    let names: Vec<_> = verification.different.first.iter().map(|found| &found.key).collect();
    assert_eq!(names, ["user:1:profile", "order:7:99"]);
    world.records.remove(2);
    world.records.push(record("order:8:97", text("x")));
    assert_eq!(found(&world.verify()), [1, 1, 2, 0]);
}

#[test]
fn a_missing_and_an_extra_line_are_found_and_named() {
    let world = World::new(everything(), "");
    world.edit(|lines| {
        lines.retain(|line| !line.contains("another db"));
        lines.push(r#"{"Item":{"key":{"S":"stranger"},"value":{"L":[]}}}"#.to_owned());
        lines.push(r#"{"Item":{"key":{"S":"odd"},"value":{"BOOL":"no"}}}"#.to_owned());
        lines.push("not an item".to_owned());
    });
    let verification = world.verify();
    assert_eq!(found(&verification), [1, 1, 0, 2], "{verification}");
    let missing = &verification.missing.first[0];
    assert_eq!(
        (missing.key.as_str(), missing.place.as_str()),
        ("text (db 3)", "byte 6 of the dump")
    );
    let extra = &verification.extra.first[0];
    assert_eq!(extra.key, "key \"stranger\"");
    assert_eq!(extra.place, "data/edited.json, line 16");
    assert_eq!(verification.damaged.first[0].place, "data/edited.json, line 17");
    assert!(!verification.has_manifest);
}

#[test]
fn values_types_and_expiries_that_changed_are_told_apart() {
    let world = World::new(everything(), "");
    world.edit(|lines| {
        for line in lines {
            *line = line
                .replace(r#"{"S":"hello"}"#, r#"{"S":"hullo"}"#)
                .replace(
                    r#"{"S":"list"},"value":{"L":[{"S":"a"},"#,
                    r#"{"S":"list"},"value":{"L":["#,
                )
                .replace(r#""ttl":{"N":"4102444800"}"#, r#""ttl":{"N":"4102444801"}"#)
                .replace(r#"{"S":"007"}"#, r#"{"L":[{"S":"007"}]}"#);
        }
    });
    let verification = world.verify();
    assert_eq!(found(&verification), [0, 0, 4, 0], "{verification}");
    let told: Vec<_> = verification
        .different
        .first
        .iter()
        .map(|finding| (finding.key.as_str(), finding.detail.as_str()))
        .collect();
    assert_eq!(told[0], ("text", "5 bytes on both sides, but not the same"));
    assert!(told[1].1.starts_with("expires at 2100-01-01"), "{told:?}");
    assert_eq!(told[2], ("nearly a number", "string in the dump, list in the files"));
    assert_eq!(told[3], ("list", "5 elements in the dump, 4 in the files"));
}

#[test]
fn swapped_elements_are_found_in_any_layout() {
    let records = vec![record("l", list(&["a", "b", "c"])), record("s", list(&["a"]))];
    let whole = World::new(records.clone(), "");
    whole.edit(|lines| {
        lines[0] = lines[0].replace(r#"{"S":"a"},{"S":"b"}"#, r#"{"S":"b"},{"S":"a"}"#);
    });
    assert_eq!(found(&whole.verify()), [0, 0, 1, 0]);
    let collection = World::new(records, COLLECTION);
    collection.edit(|lines| {
        let (a, b) = (lines[0].clone(), lines[1].clone());
        lines[0] = a.replace(r#"{"S":"a"}"#, r#"{"S":"b"}"#);
        lines[1] = b.replace(r#"{"S":"b"}"#, r#"{"S":"a"}"#);
        assert!(lines[0] != a && lines[1] != b);
    });
    let verification = collection.verify();
    assert_eq!(found(&verification), [0, 0, 1, 0]);
    assert_eq!(
        verification.different.first[0].detail,
        "3 elements on both sides, but not the same"
    );
}

#[test]
fn the_items_of_one_record_must_agree_on_its_expiry() {
    let records = vec![record("l", list(&["a", "b"])).with_expires_at(UnixMillis(5000))];
    let world = World::new(records, COLLECTION);
    world.edit(|lines| lines[1] = lines[1].replace(r#"{"N":"5"}"#, r#"{"N":"6"}"#));
    let verification = world.verify();
    assert_eq!(verification.different.first[0].detail, "its items do not agree on when it expires");
}

#[test]
fn files_are_held_against_the_manifest() {
    let records = (0..40_000).map(|n| record(&format!("key:{n}"), text(&n.to_string())));
    let world = World::new(records.collect(), "");
    let files = world.files();
    assert_eq!(files.len(), 2, "enough for two lanes");
    let aside = world.path().join("aside");
    std::fs::rename(&files[0], &aside).unwrap();
    std::fs::rename(&files[1], &files[0]).unwrap();
    std::fs::rename(&aside, &files[1]).unwrap();
    let verification = world.verify();
    assert_eq!(found(&verification), [0, 0, 0, 2], "the content is still there: {verification}");
    assert_eq!(verification.damaged.first[0].place, "data/part-00000.json");
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes.truncate(bytes.len() - 10);
    std::fs::write(&files[0], bytes).unwrap();
    let verification = world.verify();
    assert_eq!(found(&verification), [1, 0, 0, 3], "{verification}");
}

#[test]
fn what_the_run_set_aside_is_not_missed_and_must_not_be_there() {
    let long = "x".repeat(500_000);
    let mut world = World::new(
        vec![
            record("a", text("1")),
            record("long", text(&long)),
            // Two keys that become one.
            record("b", text("2")),
            Record::new(Db(0), blob("b"), text("3")),
        ],
        "",
    );
    assert_eq!(world.rejected, [1, 3]);
    let verification = assert_clean(&world);
    assert_eq!((verification.rejected, verification.same), (2, 2));
    // The reject file says more than is true, and less.
    world.rejected = vec![0, 3, 77];
    let verification = world.verify();
    assert_eq!(found(&verification), [1, 1, 0, 0], "{verification}");
    assert_eq!(verification.unknown_rejects, 1);
    let refused = &verification.missing.first[0];
    assert_eq!(refused.key, "long");
    assert!(refused.detail.contains("400 KB"), "{}", refused.detail);
}

#[test]
fn values_in_parts_and_beside_the_items_are_read_back() {
    let big = |n: usize| format!("{n:06}{}", "é".repeat(40));
    let mut tail = stream();
    let group = tail.groups[0].clone();
    tail.groups.extend((0..4000).map(|n| {
        let mut group = group.clone();
        group.name = blob(&format!("group-{n}"));
        group
    }));
    let document = format!("[{}]", vec![r#""0123456789""#; 60_000].join(","));
    let records = vec![
        record("text", text(&"text ".repeat(200_000))),
        record("bytes", Value::String(Blob::copied(&[0xff; 900_000]))),
        record("list", Value::List((0..20_000).map(|n| blob(&big(n))).collect())),
        record("set", Value::Set((0..20_000).map(|n| blob(&big(n))).collect())),
        record(
            "zset",
            Value::SortedSet((0..20_000).map(|n| Scored::new(blob(&big(n)), n as f64)).collect()),
        ),
        record("stream", Value::Stream(Box::new(tail))),
        record("json", Value::Json(keystar_rdb::Json::parse(document.as_bytes()).unwrap())),
    ];
    for oversize in ["split", "offload"] {
        let spec = format!("defaults.oversize = '{oversize}'\n");
        let world = World::new(records.clone(), &spec);
        assert_eq!(world.rejected, [] as [u64; 0]);
        let verification = assert_clean(&world);
        // Pieces of text are compared as items.
        assert_eq!(verification.compared_forward, if oversize == "split" { 2 } else { 0 });
    }
}

/// Migrates a dump and verifies the files, with values of more than `max_value_bytes` in parts.
fn migrated(dump: &Path, spec: Option<&str>, format: &str, max_value_bytes: usize) -> Verification {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let migration = MigrationSpec::new(dump, &out, &Reach::default())
        .unwrap()
        .with_mapping(spec.map(str::to_owned), None)
        .with_format(format, "none");
    let jobs = NonZeroUsize::new(3).unwrap();
    let options = MigrationOptions::new(jobs, UnixMillis(0));
    let report = migrate(&migration, &options, &Interrupt::new(), &Progress::default()).unwrap();
    assert_eq!(report.counts.rejected(), 0, "{:?}", report.counts);
    let reader = ImportReader::open(&out).unwrap();
    let mapping = Mapping::from_toml(spec.unwrap_or_default()).unwrap();
    let open = || -> Result<Box<dyn Source>, keystar_extract::Error> {
        let options = RdbOptions::default().with_max_value_bytes(max_value_bytes);
        Ok(Box::new(RdbFile::open(dump, options)?))
    };
    let options = VerifyOptions::new(&open, &reader, &mapping, dir.path()).with_jobs(jobs);
    verify(&options, &Interrupt::new(), &Progress::default()).unwrap()
}

#[test]
fn what_real_servers_dumped_is_verified_whole_and_in_parts() {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/rdb/servers");
    let dumps: Vec<_> = std::fs::read_dir(servers)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rdb"))
        .collect();
    assert_eq!(dumps.len(), 6);
    let loose = Some("defaults.numbers = 'loose'\n");
    let ways = [
        (None, "dynamodb-json", 1 << 20),
        (None, "dynamodb-json", 1),
        (None, "ion", 1),
        (None, "csv", 1),
        (Some(COLLECTION), "dynamodb-json", 1),
        (loose, "ion", 1),
    ];
    for dump in &dumps {
        for (spec, format, max_value_bytes) in ways {
            let verification = migrated(dump, spec, format, max_value_bytes);
            let way = format!("{} {spec:?} {format} {max_value_bytes}", dump.display());
            assert!(verification.ok(), "{way}: {verification}");
            assert!(verification.records() > 20, "{way}");
            let forward = if format == "csv" { verification.records() } else { 0 };
            assert_eq!(verification.compared_forward, forward, "{way}");
        }
    }
}

#[test]
fn many_keys_on_little_memory() {
    let records = (0..50_000).map(|n| record(&format!("key:{n}"), text(&n.to_string())));
    let mut world = World::new(records.collect(), "");
    let little = |world: &World| world.verify_with(|options| options.with_max_bytes(64 << 10));
    let verification = little(&world);
    assert!(verification.ok(), "{verification}");
    assert_eq!(verification.same, 50_000);
    // The first thousand are named, in the order of the dump; all are counted.
    for record in &mut world.records[100..2100] {
        record.value = text("changed");
    }
    let verification = little(&world);
    assert_eq!(found(&verification), [0, 0, 2000, 0]);
    let named: Vec<_> =
        verification.different.first.iter().map(|finding| finding.key.clone()).collect();
    assert!(named.iter().cloned().eq((100..1100).map(|n| format!("key:{n}"))));
    assert_eq!(verification.different, world.verify().different, "whatever the memory");
}

#[test]
fn an_interrupted_verification_is_not_ok() {
    let world = World::new(everything(), "");
    let interrupt = Interrupt::new();
    interrupt.set();
    let open = || Ok(Box::new(MemorySource::new(world.records.clone())) as Box<dyn Source>);
    let reader = world.reader();
    let options = VerifyOptions::new(&open, &reader, &world.mapping, world.path());
    let verification = verify(&options, &interrupt, &Progress::default()).unwrap();
    assert!(!verification.complete && !verification.ok());
}
