//! One server: every key once, as its RDB file has it.

use std::path::PathBuf;

use futures_executor::block_on;
use keystar_extract::{Access, Batch, Read, RedisScan, ScanOptions, Source};
use keystar_kit::generate::{Shape, write};
use keystar_kit::places::installed;
use keystar_kit::redis::{Connection, Redis as Server, Reply};

use keystar_rdb::Value;

use crate::gathered::{Gathered, saved, scan, snapshot};

/// A server that holds what the generator makes, in which every type and encoding occurs.
pub(crate) fn filled(records: u64) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.rdb");
    write(Shape::Mixed { records }, 1, 10, std::fs::File::create(&file).unwrap()).unwrap();
    Server::load(&file).unwrap()
}

/// Keys in several databases, some of them with an expiry.
fn add_databases(connection: &mut Connection) {
    for db in ["1", "7"] {
        connection.command(&["SELECT", db]).unwrap();
        for n in 0..500 {
            let key = format!("key:{n}");
            connection.command(&["SET", &key, &format!("{db}-{n}")]).unwrap();
            if n % 3 == 0 {
                let at = 4_102_444_800_000_u64 + n;
                connection.command(&["PEXPIREAT", &key, &at.to_string()]).unwrap();
            }
        }
    }
    connection.command(&["SELECT", "0"]).unwrap();
}

#[test]
fn every_key_of_a_scan_is_as_the_rdb_file_has_it() {
    let server = filled(3000);
    add_databases(&mut server.connect().unwrap());
    let expected = saved(&server);
    assert!(expected.records.len() > 3000, "{}", expected.records.len());
    for options in [ScanOptions::default(), ScanOptions::default().with_batch_bytes(1000)] {
        let found = scan(&server, options);
        found.assert_same(&expected);
        assert_eq!(found.repeats, 0);
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    }
}

/// Values that are too big to hold come in parts, and are what they were.
#[test]
fn big_values_come_in_parts_and_typed_reads_give_the_same() {
    let server = filled(600);
    let mut connection = server.connect().unwrap();
    for n in 0..20_000 {
        let (n, padded) = (n.to_string(), format!("{n:0100}"));
        connection.command(&["RPUSH", "big list", &padded]).unwrap();
        connection.command(&["SADD", "big set", &padded]).unwrap();
        connection.command(&["ZADD", "big zset", &n, &padded]).unwrap();
        connection.command(&["HSET", "big hash", &n, &padded]).unwrap();
        connection.command(&["XADD", "big stream", &format!("{n}-1"), "f", &padded]).unwrap();
        connection.command(&["APPEND", "big string", &padded]).unwrap();
    }
    connection.command(&["PEXPIREAT", "big hash", "4102444800000"]).unwrap();
    connection.command(&["XGROUP", "CREATE", "big stream", "readers", "0"]).unwrap();
    connection
        .command(&[
            "XREADGROUP",
            "GROUP",
            "readers",
            "ada",
            "COUNT",
            "3",
            "STREAMS",
            "big stream",
            ">",
        ])
        .unwrap();
    connection.command(&["SET", "empty", ""]).unwrap();
    let expected = without_clocks(saved(&server).sorted());
    let small = ScanOptions::default().with_batch_bytes(64 << 10).with_max_value_bytes(100 << 10);
    let found = without_clocks(scan(&server, small.clone()).sorted());
    assert!(found.parts > 6 * 10, "{} parts", found.parts);
    found.assert_same(&expected);
    let typed = without_clocks(scan(&server, small.with_read(Read::Typed)).sorted());
    typed.assert_same(&expected);
}

/// Elements that are too big fail by themselves: what is read in the same pipeline is none the worse for it.
#[test]
fn values_by_type_fail_alone() {
    let server = Server::start().unwrap();
    let mut connection = server.connect().unwrap();
    let big = "x".repeat(100_000);
    for n in 0..1000 {
        let n = n.to_string();
        connection.command(&["SET", &format!("string:{n}"), &n]).unwrap();
        connection.command(&["HSET", &format!("hash:{n}"), "f", &n, "g", "v"]).unwrap();
        connection.command(&["XADD", &format!("stream:{n}"), "5-1", "f", &n]).unwrap();
        connection.command(&["SET", &format!("empty:{n}"), ""]).unwrap();
        connection.command(&["RPUSH", &format!("list:{n}"), "a", "b", &n, "d"]).unwrap();
        if n.ends_with("50") {
            connection.command(&["SET", &format!("big string:{n}"), &big]).unwrap();
            connection.command(&["HSET", &format!("big hash:{n}"), "a", &big, "b", "1"]).unwrap();
            connection.command(&["RPUSH", &format!("big list:{n}"), "a", &big, "c"]).unwrap();
            connection.command(&["ZADD", &format!("big zset:{n}"), "1", "a", "2", &big]).unwrap();
            connection.command(&["XADD", &format!("big stream:{n}"), "1-1", "f", &big]).unwrap();
        }
    }
    let mut expected = saved(&server);
    let mut options = ScanOptions::default().with_read(Read::Typed).with_max_element_bytes(50_000);
    for batch_bytes in [256 << 10, 4000] {
        options = options.with_batch_bytes(batch_bytes);
        let mut found = without_clocks(scan(&server, options.clone()));
        assert_eq!(found.failures.len(), 50, "{:?}", found.failures);
        for failure in std::mem::take(&mut found.failures) {
            let (key, detail) = failure.split_once(": ").unwrap();
            assert!(key.starts_with("big "), "{failure}");
            assert!(detail.contains("00000 bytes exceeds the limit of 50000"), "{failure}");
        }
        expected.records.retain(|(_, key), _| !key.starts_with(b"big "));
        found.assert_same(&expected);
    }
}

/// Moments of delivery are told as ages: they are exact to a few milliseconds.
pub(crate) fn without_clocks(mut gathered: Gathered) -> Gathered {
    for (value, _) in gathered.records.values_mut() {
        if let Value::Stream(stream) = value {
            for group in &mut stream.groups {
                group.pending.iter_mut().for_each(|pending| pending.delivered_at.0 /= 60_000);
                group.consumers.iter_mut().for_each(|consumer| consumer.active_at = None);
            }
        }
    }
    gathered
}

/// Other servers than Debian's; and those that `KEYSTAR_SERVERS` names, with colons between them.
fn others() -> Vec<PathBuf> {
    let named = std::env::var("KEYSTAR_SERVERS").unwrap_or_default();
    let named = named.split(':').filter(|path| !path.is_empty()).map(PathBuf::from);
    let own = ["redis-server-8", "valkey-server-8", "valkey-server"];
    let own = own.map(|program| installed(&format!("tools/bin/{program}")).unwrap());
    own.into_iter().chain(named).collect()
}

/// Their dumps are of other versions and families, and their fields may expire.
#[test]
fn other_servers_are_read_too() {
    for program in others() {
        let server = Server::start_program(&program, None).unwrap();
        let mut connection = server.connect().unwrap();
        let fields_expire = connection.command(&["COMMAND", "INFO", "HPEXPIREAT"]).unwrap()
            != Reply::Array(vec![Reply::Nil]);
        // What is big is told by what it takes in a dump.
        connection.command(&["CONFIG", "SET", "rdbcompression", "no"]).unwrap();
        for n in 0..300 {
            let n = n.to_string();
            connection.command(&["RPUSH", &format!("list:{n}"), "a", &n]).unwrap();
            connection.command(&["HSET", &format!("hash:{n}"), "f", &n, "g", "v"]).unwrap();
            connection.command(&["XADD", &format!("stream:{n}"), "5-1", "f", &n]).unwrap();
            connection.command(&["HSET", "big", &n, &"v".repeat(500)]).unwrap();
            if fields_expire {
                let at = 4_102_444_800_000_u64.to_string();
                for key in [&format!("hash:{n}"), "big"] {
                    let field = if key == "big" { &n } else { "f" };
                    let command = ["HPEXPIREAT", key, &at, "FIELDS", "1", field];
                    connection.command(&command).unwrap();
                }
            }
        }
        let expected = saved(&server).sorted();
        assert_eq!(expected.records.len(), 901, "{}", program.display());
        let small = ScanOptions::default().with_batch_bytes(9000).with_max_value_bytes(10_000);
        let found = scan(&server, small.clone()).sorted();
        assert!(found.parts > 3, "{} parts", found.parts);
        found.assert_same(&expected);
        scan(&server, small.with_read(Read::Typed)).sorted().assert_same(&expected);
    }
}

/// By a command that it takes: how a key is made that older servers have nothing like.
const NEW: &[(&str, &[&str])] = &[
    ("VADD", &["VADD vectors VALUES 3 1 2.5 -3 north", "VADD vectors VALUES 3 0 1 0 south"]),
    ("HSETEX", &["HSETEX expiring PXAT 4102444800000 FIELDS 2 a 1 b 2", "HSET expiring c 3"]),
    (
        "XNACK",
        &[
            "XADD given-back 1-1 f v",
            "XADD given-back 2-1 f v",
            "XADD given-back 3-1 f v",
            "XGROUP CREATE given-back readers 0",
            "XREADGROUP GROUP readers ada COUNT 3 STREAMS given-back >",
            "XNACK given-back readers SILENT IDS 1 1-1",
            "XNACK given-back readers FATAL IDS 1 3-1",
        ],
    ),
    (
        "XCFGSET",
        &[
            "XADD once 1-1 f v",
            "XCFGSET once IDMP-DURATION 5000 IDMP-MAXSIZE 77",
            "XADD once IDMP ada first * f v",
            "XADD once IDMP ada first * f v",
            "XADD once IDMP bob first * f v",
        ],
    ),
    (
        "HIMPORT",
        &[
            "HIMPORT PREPARE names age city email",
            "HIMPORT SET person:1 names 36 Paris ada@example.org",
            "HIMPORT SET person:2 names 41 Rome bob@example.org",
        ],
    ),
    ("ARSET", &["ARSET array 5 hello", "ARSET array 1000000 -7", "ARSET array 20 1.5"]),
];

/// What no older server has: by its dumps and by its snapshot it is what its file says; by type, but for two
/// types that no command tells exactly.
#[test]
fn what_only_newer_servers_hold_is_read() {
    let mut vectors = 0;
    for program in others() {
        let server = Server::start_program(&program, None).unwrap();
        let mut connection = server.connect().unwrap();
        connection.command(&["SET", "plain", "v"]).unwrap();
        for (needed, commands) in NEW {
            let info = connection.command(&["COMMAND", "INFO", needed]).unwrap();
            if info == Reply::Array(vec![Reply::Nil]) {
                continue;
            }
            vectors += usize::from(*needed == "VADD");
            for command in *commands {
                let words: Vec<_> = command.split(' ').collect();
                connection.command(&words).unwrap();
            }
            if *needed == "ARSET" {
                for n in 0..5000 {
                    let (n, value) = (n.to_string(), format!("{n:0>30}"));
                    connection.command(&["ARSET", "long array", &n, &value]).unwrap();
                }
            }
        }
        let mut expected = saved(&server);
        scan(&server, ScanOptions::default()).assert_same(&expected);
        let redis =
            keystar_extract::Redis::connect(&server.url().parse().unwrap(), &Access::default());
        snapshot(&redis.unwrap()).assert_same(&expected);

        let mut typed =
            without_clocks(scan(&server, ScanOptions::default().with_read(Read::Typed)));
        typed.failures.sort();
        let by_dump_only = |value: &Value<'_>| matches!(value, Value::Module(_) | Value::Array(_));
        let names = expected.records.iter().filter(|(_, (value, _))| by_dump_only(value));
        let mut names: Vec<_> = names.map(|((_, key), _)| String::from_utf8_lossy(key)).collect();
        names.sort();
        assert_eq!(typed.failures.len(), names.len(), "{:?}", typed.failures);
        for (failure, name) in typed.failures.iter().zip(names) {
            assert!(failure.starts_with(&format!("{name}: a value of type ")), "{failure}");
            assert!(failure.ends_with("is read by DUMP, and in one piece only"), "{failure}");
        }
        expected.failures = std::mem::take(&mut typed.failures);
        typed.failures.clone_from(&expected.failures);
        expected.records.retain(|_, (value, _)| !by_dump_only(value));
        for (value, _) in expected.records.values_mut() {
            // How many there are is noted; which they are no command tells.
            if let Value::Stream(stream) = value
                && let Some(idempotency) = &mut stream.idempotency
            {
                idempotency.producers.clear();
            }
        }
        typed.assert_same(&without_clocks(expected));
    }
    assert!(vectors > 0);
}

/// Below a limit, nobody waits until a batch is full.
#[test]
fn a_slow_scan_hands_over_what_it_has() {
    let server = Server::start().unwrap();
    let mut connection = server.connect().unwrap();
    for n in 0..400 {
        connection.command(&["SET", &format!("key:{n}"), "v"]).unwrap();
    }
    let url = format!("redis://{}", server.address()).parse().unwrap();
    let redis = keystar_extract::Redis::connect(&url, &Access::default()).unwrap();
    let options = ScanOptions::default().with_keys_per_second(100);
    let mut source = RedisScan::open(&redis, options).unwrap();
    let (mut batch, mut counts, mut marked) = (Batch::new(), Vec::new(), 0);
    while block_on(source.fill(&mut batch)).unwrap() {
        counts.push(batch.entries().count());
        marked += u64::from(batch.position().is_some());
    }
    assert_eq!(counts.iter().sum::<usize>(), 400);
    assert!(counts.len() > 2 && marked > 2, "{counts:?}, {marked} with a position");
}
