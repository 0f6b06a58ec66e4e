//! The whole loop: records → items → commands → a live server, which must hold the same records.

use std::collections::BTreeMap;

use keystar_kit::redis::{Connection, Redis, Reply};
use keystar_mapping::same_value;
use keystar_pipeline::{
    Interrupt, MigrationOptions, MigrationSpec, Progress, Reach, RestoreOptions, RestoreReport,
    migrate, restore,
};
use keystar_rdb::{
    Blob, Db, Field, Kind, Record, Records, Scored, StreamEntry, StreamId, UnixMillis, Value,
    decode_dump,
};
use keystar_transfer::{CsvOptions, Format};

use crate::world::{COLLECTION, World, blob, everything, list, record, stream, text};

fn restored(world: &World) -> (Vec<u8>, RestoreReport) {
    restored_with(world, 32 << 20)
}

fn restored_with(world: &World, max_bytes: usize) -> (Vec<u8>, RestoreReport) {
    let reader = world.reader();
    let options =
        RestoreOptions::new(&reader, &world.mapping, world.path()).with_max_bytes(max_bytes);
    let mut commands = Vec::new();
    let report = restore(&options, &mut commands, &Interrupt::new(), &Progress::default()).unwrap();
    assert_eq!(report.bytes, commands.len() as u64);
    (commands, report)
}

/// The same value as far as commands can say it: servers stamp consumers with their own clock.
fn sayable(mut value: Value<'static>) -> Value<'static> {
    if let Value::Stream(stream) = &mut value {
        for group in &mut stream.groups {
            for consumer in &mut group.consumers {
                consumer.seen_at = UnixMillis(0);
                consumer.active_at = None;
            }
            group.consumers.sort_by(|a, b| a.name.cmp(&b.name));
        }
        stream.groups.sort_by(|a, b| a.name.cmp(&b.name));
        // What older servers do not tell is what the new one makes of it.
        stream.first_id = None;
    }
    value
}

#[track_caller]
fn assert_held(connection: &mut Connection, record: &Record<'static>) {
    connection.command(&[b"SELECT".to_vec(), record.db.to_string().into_bytes()]).unwrap();
    let dump = connection.dump(&record.key).unwrap();
    let value = sayable(decode_dump(&dump).unwrap().into_owned());
    let expected = sayable(record.value.clone());
    let shown = |value: &Value<'_>| format!("{value:?}").chars().take(2000).collect::<String>();
    let (found, wanted) = (shown(&value), shown(&expected));
    assert!(same_value(&value, &expected), "{:?}: {found} is not {wanted}", record.key);
    let expires = connection.command(&[b"PEXPIRETIME", record.key.as_bytes()]).unwrap();
    assert_eq!(
        expires,
        Reply::Integer(record.expires_at.map_or(-1, |at| at.0)),
        "{:?}",
        record.key
    );
}

fn held(connection: &mut Connection, dbs: &[u32]) -> i64 {
    let mut keys = 0;
    for db in dbs {
        connection.command(&["SELECT".to_owned(), db.to_string()]).unwrap();
        match connection.command(&["DBSIZE"]).unwrap() {
            Reply::Integer(size) => keys += size,
            other => panic!("{other:?}"),
        }
    }
    keys
}

/// Redis 7.0 knows neither fields that expire, nor arrays, documents or other modules.
fn known_to_redis_7(record: &Record<'_>) -> bool {
    match &record.value {
        Value::Hash(fields) => fields.iter().all(|field| field.expires_at.is_none()),
        Value::Array(_) | Value::Json(_) | Value::Module(_) => false,
        _ => true,
    }
}

#[test]
fn a_live_redis_holds_the_same_records() {
    let mut records: Vec<_> = everything().into_iter().filter(known_to_redis_7).collect();
    let fields = (0..2000).map(|n| Field::new(blob(&format!("f{n}")), blob(&n.to_string())));
    records.push(record("wide", Value::Hash(fields.collect())));
    let mut bare = stream();
    bare.entries.clear();
    bare.groups.clear();
    bare.length = 0;
    records.push(record("bare stream", Value::Stream(Box::new(bare))));
    for spec in ["", COLLECTION, "defaults.layout = 'attributes'\n"] {
        for format in [Format::DynamoDbJson, Format::Ion] {
            let world = World::with_format(records.clone(), spec, format);
            let (commands, report) = restored(&world);
            assert!(report.ok(), "{report}");
            assert_eq!(report.records(), records.len() as u64);
            assert_eq!(report.expiring, 3);
            assert_eq!(report.left_out.keys().collect::<Vec<_>>(), ["stream_consumer_times"]);
            let redis = Redis::start().unwrap();
            let mut connection = redis.connect().unwrap();
            connection.play(&commands).unwrap();
            assert_eq!(held(&mut connection, &[0, 3]), records.len() as i64);
            for record in &records {
                assert_held(&mut connection, record);
            }
        }
    }
}

#[test]
fn a_live_valkey_holds_fields_that_expire() {
    let records: Vec<_> =
        everything().into_iter().filter(|record| record.value.kind() == Kind::Hash).collect();
    assert_eq!(records.len(), 1);
    for spec in ["", COLLECTION] {
        let world = World::new(records.clone(), spec);
        let (commands, report) = restored(&world);
        assert!(report.ok(), "{report}");
        assert_eq!(report.commands["HPEXPIREAT"], 1);
        let valkey = Redis::valkey().unwrap();
        let mut connection = valkey.connect().unwrap();
        connection.play(&commands).unwrap();
        assert_held(&mut connection, &records[0]);
    }
}

#[test]
fn a_dump_makes_the_loop_through_a_whole_migration() {
    let dump =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/rdb/servers/redis-7.0.15.rdb");
    let records: Vec<Record<'static>> = Records::new(std::fs::File::open(dump).unwrap())
        .map(|record| record.unwrap())
        .filter(known_to_redis_7)
        .collect();
    assert!(records.len() > 20, "the fixture has one of everything");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let spec = MigrationSpec::new(dump, &out, &Reach::default()).unwrap();
    let options = MigrationOptions::new(std::num::NonZeroUsize::MIN, UnixMillis(0));
    migrate(&spec, &options, &Interrupt::new(), &Progress::default()).unwrap();

    let reader = keystar_transfer::ImportReader::open(&out).unwrap();
    let mapping = keystar_mapping::Mapping::default();
    let options = RestoreOptions::new(&reader, &mapping, dir.path());
    let mut commands = Vec::new();
    let report = restore(&options, &mut commands, &Interrupt::new(), &Progress::default()).unwrap();
    assert!(report.ok(), "{report}");

    let redis = Redis::start().unwrap();
    let mut connection = redis.connect().unwrap();
    connection.play(&commands).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = UnixMillis(now.as_millis() as i64);
    let living = records.iter().filter(|record| record.expires_at.is_none_or(|at| at > now));
    let mut dbs = BTreeMap::new();
    for record in living {
        assert_held(&mut connection, record);
        *dbs.entry(record.db.0).or_insert(0) += 1;
    }
    let keys: i64 = dbs.values().sum();
    assert_eq!(held(&mut connection, &dbs.into_keys().collect::<Vec<_>>()), keys);
}

#[test]
fn values_of_many_items_are_restored_in_order_on_little_memory() {
    let big = |n: usize| format!("{n:06}{}", "é".repeat(30));
    let items: Vec<_> = (0..20_000).map(|n| blob(&big(n))).collect();
    let mut long = stream();
    long.entries = (1..=8000)
        .map(|seq| StreamEntry {
            id: StreamId::new(1_700_000_000_000 + seq / 7, seq),
            fields: vec![(blob("f"), blob(&big(seq as usize)))],
        })
        .collect();
    long.length = 8000;
    long.entries_added = Some(8002);
    long.max_deleted_id = Some(StreamId::default());
    long.last_id = long.entries.last().unwrap().id;
    let first = long.entries[4].id;
    long.groups[0].pending[0].id = first;
    let group = long.groups[0].clone();
    long.groups.extend((0..2000).map(|n| {
        let mut group = group.clone();
        group.name = blob(&format!("group-{n}"));
        group
    }));
    let records = vec![
        record("text", text(&"text ".repeat(300_000))),
        record("bytes", Value::String(Blob::copied(&[0xff; 900_000]))),
        record("list", Value::List(items.clone())).with_expires_at(UnixMillis(4_102_444_800_000)),
        record("set", Value::Set(items.clone())),
        record(
            "zset",
            Value::SortedSet((0..20_000).map(|n| Scored::new(blob(&big(n)), n as f64)).collect()),
        ),
        record("stream", Value::Stream(Box::new(long))),
    ];
    let split = "defaults.oversize = 'split'\n";
    let offload = "defaults.oversize = 'offload'\n";
    let collection = format!("{COLLECTION}{split}");
    for spec in [split, offload, &collection] {
        let world = World::new(records.clone(), spec);
        assert!(world.verify().ok());
        let (commands, report) = restored_with(&world, 64 << 10);
        assert!(report.ok(), "{report}");
        let redis = Redis::start().unwrap();
        let mut connection = redis.connect().unwrap();
        connection.play(&commands).unwrap();
        for record in &records {
            assert_held(&mut connection, record);
        }
    }
}

#[test]
fn what_no_command_says_is_told() {
    let mut records = everything();
    let mut odd = stream();
    odd.groups[0].pending[0].id = StreamId::new(1_700_000_000_000, 2);
    records.push(record("odd", Value::Stream(Box::new(odd))));
    for spec in ["", COLLECTION] {
        let world = World::new(records.clone(), spec);
        let (_, report) = restored(&world);
        assert!(!report.ok());
        let refused: Vec<_> = report
            .not_restored
            .iter()
            .map(|(reason, found)| (reason.as_str(), found.count, found.first[0].key.as_str()))
            .collect();
        assert_eq!(refused, [("array", 1, "array"), ("module", 1, "module")]);
        assert_eq!(report.left_out["stream_consumer_times"].count, 4);
        let deleted = &report.left_out["stream_pending_of_deleted_entries"];
        assert_eq!((deleted.count, deleted.first[0].key.as_str()), (1, "odd"));
        assert_eq!(report.records() + 2, records.len() as u64);
    }
}

#[test]
fn lost_and_foreign_items_are_told() {
    let records = vec![record("l", list(&["a", "b", "c"])), record("s", list(&["x"]))];
    let world = World::new(records, COLLECTION);
    world.edit(|lines| {
        lines.remove(1);
        lines.push(lines[0].clone());
        lines.push(r#"{"Item":{"pk":{"N":"1"},"sk":{"S":"x"}}}"#.to_owned());
        lines.push("garbage".to_owned());
    });
    let (commands, report) = restored(&world);
    assert_eq!(report.incomplete.count, 1, "{report}");
    assert_eq!(report.incomplete.first[0].key, "l");
    assert_eq!(report.not_restored["not_of_this_mapping"].count, 1);
    assert_eq!(report.damaged.first[0].place, "data/edited.json, line 6");
    let text = String::from_utf8(commands).unwrap();
    assert!(text.contains("$1\r\na\r\n$1\r\nc\r\n"), "what is there is restored, once: {text}");
    let csv = World::with_format(Vec::new(), "", Format::Csv(CsvOptions::default()));
    let reader = csv.reader();
    let options = RestoreOptions::new(&reader, &csv.mapping, csv.path()).with_db(Db(1));
    let mut out = Vec::new();
    let error = restore(&options, &mut out, &Interrupt::new(), &Progress::default()).unwrap_err();
    assert!(error.to_string().starts_with("CSV does not keep types"), "{error}");
}
