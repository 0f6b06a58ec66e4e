//! Append-only files: those of live servers, judged by a server that loads them, and damaged ones.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use futures_executor::block_on;
use keystar_extract::{AppendOnly, Batch, Entry, Error, RdbOptions, Source, testing};
use keystar_kit::{
    random::Random,
    redis::{Connection, Redis, Reply},
    redis_aof::random_command,
};
use keystar_rdb::{Db, Filter, Kind, Part, Value, decode_dump};

/// A key's value and expiry, such that equal ones are equal.
type Found = BTreeMap<(u32, Vec<u8>), (String, Option<i64>)>;

/// The value in words, without what has no order and without what a replay cannot know.
fn words(value: &Value<'_>) -> String {
    match value.clone().into_owned() {
        Value::String(text) if text.starts_with(b"HYLL") && text.len() > 16 => {
            let mut text = text.to_vec();
            text[8..16].fill(0);
            format!("hyperloglog {}", text.escape_ascii())
        }
        Value::String(text) => format!("string {}", text.escape_ascii()),
        Value::List(items) => {
            format!("list {:?}", items.iter().map(|item| item.to_vec()).collect::<Vec<_>>())
        }
        Value::Set(mut members) => {
            members.sort();
            format!("set {members:?}")
        }
        Value::SortedSet(mut members) => {
            members.sort_by(|a, b| a.member.cmp(&b.member));
            format!("zset {members:?}")
        }
        Value::Hash(mut fields) => {
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            format!("hash {fields:?}")
        }
        Value::Stream(mut stream) => {
            for group in &mut stream.groups {
                for consumer in &mut group.consumers {
                    consumer.seen_at.0 = 0;
                    consumer.active_at = None;
                }
            }
            stream.groups.sort_by(|a, b| a.name.cmp(&b.name));
            format!("{stream:?}")
        }
        other => format!("{other:?}"),
    }
}

fn read(source: &mut dyn Source) -> Result<Found, Error> {
    let mut batch = Batch::new();
    let mut found = Found::new();
    let mut offsets = std::collections::BTreeSet::new();
    let mut pieces: Option<Value<'static>> = None;
    while block_on(source.fill(&mut batch))? {
        for entry in batch.entries() {
            let (head, value) = match entry {
                Entry::Frame(frame) => {
                    let record = frame.decode(batch.context().unwrap()).unwrap().into_owned();
                    (frame.head.into_owned(), record.value)
                }
                Entry::Record { record, head } => (head.into_owned(), record.value.clone()),
                Entry::Part { part, .. } => {
                    let whole = match pieces.take() {
                        None => part.value.clone(),
                        Some(whole) => join(whole, part),
                    };
                    if !part.last {
                        pieces = Some(whole);
                        continue;
                    }
                    (part.head.clone(), whole)
                }
                other => panic!("unexpected {other:?}"),
            };
            assert!(offsets.insert(head.offset), "two records at one offset");
            let key = (head.db.0, head.key.to_vec());
            let told = (words(&value), head.expires_at.map(|moment| moment.0));
            assert_eq!(found.insert(key, told), None, "a key came twice");
        }
    }
    Ok(found)
}

fn join(whole: Value<'static>, part: &Part) -> Value<'static> {
    match (whole, part.value.clone()) {
        (Value::String(text), Value::String(more)) => {
            Value::String([text.to_vec(), more.to_vec()].concat().into())
        }
        (Value::List(items), Value::List(more)) => Value::List([items, more].concat()),
        (Value::Set(items), Value::Set(more)) => Value::Set([items, more].concat()),
        (Value::SortedSet(items), Value::SortedSet(more)) => {
            Value::SortedSet([items, more].concat())
        }
        (Value::Hash(items), Value::Hash(more)) => Value::Hash([items, more].concat()),
        (Value::Stream(stream), Value::Stream(mut more)) => {
            more.entries = [stream.entries, more.entries].concat();
            Value::Stream(more)
        }
        (whole, more) => panic!("parts of {whole:?} and {more:?}"),
    }
}

/// What a server has.
fn ask(server: &Redis) -> Found {
    let mut link = server.connect().unwrap();
    let mut found = Found::new();
    for db in 0..3_u32 {
        link.command(&["SELECT", &db.to_string()]).unwrap();
        let Reply::Array(keys) = link.command(&["KEYS", "*"]).unwrap() else { panic!() };
        for key in keys {
            let Reply::Bytes(key) = key else { panic!("{key:?}") };
            let dump = link.dump(&key).unwrap();
            let value = words(&decode_dump(&dump).unwrap());
            let command = [b"PEXPIRETIME".as_slice(), &key];
            let Reply::Integer(moment) = link.command(&command).unwrap() else { panic!() };
            found.insert((db, key), (value, (moment >= 0).then_some(moment)));
        }
    }
    found
}

fn compare(ours: &Found, theirs: &Found, name: &str) {
    for (key, value) in theirs {
        let shown = (key.0, key.1.escape_ascii().to_string());
        assert_eq!(ours.get(key), Some(value), "{name}: key {shown:?}");
    }
    let more = ours.keys().find(|key| !theirs.contains_key(*key));
    assert_eq!(more.map(|key| (key.0, key.1.escape_ascii().to_string())), None, "{name}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

fn rewrite(link: &mut Connection) {
    link.command(&["BGREWRITEAOF"]).unwrap();
    for _ in 0..3000 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let Reply::Bytes(info) = link.command(&["INFO", "persistence"]).unwrap() else { panic!() };
        let info = String::from_utf8(info).unwrap();
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            assert!(info.contains("aof_last_bgrewrite_status:ok"), "{info}");
            return;
        }
    }
    panic!("the rewrite does not end");
}

/// Random commands against a server that writes a file; when it is killed, a new one that loads the
/// file says what is in it.
fn judged_by_a_server(
    program: &Path,
    options: &[&str],
    seed: u64,
    steps: u64,
    done: &mut BTreeMap<Vec<u8>, u64>,
) {
    let folder = tempfile::tempdir().unwrap();
    let server = Redis::append_only(program, folder.path(), options).unwrap();
    let mut link = server.connect().unwrap();
    let mut random = Random::new(seed);
    for step in 0..steps {
        if step == steps / 3 || step == steps / 2 {
            rewrite(&mut link);
        }
        let block = random.below(30) == 0;
        let count = if block { 3 } else { 1 };
        if block {
            link.command(&["MULTI"]).unwrap();
        }
        for nth in 0..count {
            let command = random_command(&mut random, step * 4 + nth);
            // Most fail now and then, by design; none is to fail always.
            let answer = link.command(&command);
            *done.entry(command[0].clone()).or_default() += u64::from(answer.is_ok());
        }
        if block {
            // An error in the midst of its answers leaves the others unread.
            let _ = link.command(&["EXEC"]);
            link = server.connect().unwrap();
        }
        if step % 25 == 0 {
            // A value of every kind, moved through the payload of DUMP.
            let key =
                format!("{}{}", random.pick(&["s", "l", "t", "h", "z", "x", "p"]), random.below(5));
            if let Ok(payload) = link.dump(key.as_bytes()) {
                let command = [b"RESTORE".as_slice(), b"r0", b"90000000", &payload, b"REPLACE"];
                link.command(&command).unwrap();
            }
        }
    }
    let before = ask(&server);
    drop(server);
    let aof = folder.path().join("appendonlydir");
    let options_read = [
        RdbOptions::default(),
        RdbOptions::default().with_batch_bytes(60).with_max_value_bytes(80),
    ];
    let ours: Vec<_> = options_read
        .iter()
        .map(|options| read(&mut AppendOnly::open(&aof, options.clone()).unwrap()).unwrap())
        .collect();
    let loaded = tempfile::tempdir().unwrap();
    copy(folder.path(), loaded.path());
    let server = Redis::append_only(program, loaded.path(), options).unwrap();
    let theirs = ask(&server);
    assert!(theirs.len() > 20, "too few keys to mean something: {}", theirs.len());
    for ours in &ours {
        compare(ours, &theirs, &format!("seed {seed}, loaded, {options:?}"));
        // What was in memory before says that the file was read to its end. Either server makes
        // consumers that it does not write down, and Valkey 9.1 loads now and then another hash than
        // it had.
        if program != Path::new("redis-server") {
            continue;
        }
        let streams = |(value, _): &(String, _)| value.starts_with("Stream");
        let but_streams = |found: &Found| -> Found {
            let others = found.iter().filter(|(_, value)| !streams(value));
            others.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let name = format!("seed {seed}, before, {options:?}");
        compare(&but_streams(ours), &but_streams(&before), &name);
    }
}

#[test]
fn what_a_server_loads_is_what_we_read() {
    let redis = Path::new("redis-server");
    let mut done = BTreeMap::new();
    judged_by_a_server(redis, &["--appendfsync", "always"], 1, 1500, &mut done);
    for seed in 2..6 {
        judged_by_a_server(redis, &[], seed, 4000, &mut done);
    }
    judged_by_a_server(redis, &["--aof-use-rdb-preamble", "no"], 7, 4000, &mut done);
    judged_by_a_server(redis, &["--aof-timestamp-enabled", "yes"], 8, 4000, &mut done);
    // Most commands fail now and then, by design; none is to fail always.
    let never: Vec<_> = done.into_iter().filter(|(_, count)| *count == 0).collect();
    let never: Vec<_> = never.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
    assert_eq!(never, ["HEXPIRE", "HGETEX", "HPERSIST", "HPEXPIREAT", "HSETEX"]);
}

#[test]
fn what_valkey_loads_is_what_we_read() {
    let program = keystar_kit::places::installed("tools/bin/valkey-server").unwrap();
    let mut done = BTreeMap::new();
    for seed in 20..23 {
        judged_by_a_server(&program, &[], seed, 4000, &mut done);
    }
    judged_by_a_server(&program, &["--aof-use-rdb-preamble", "no"], 24, 3000, &mut done);
    // Ranges by text of members whose scores differ.
    judged_by_a_server(&program, &[], 213, 4000, &mut done);
    assert!(done.values().all(|count| *count > 0), "{done:?}");
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

fn commands(lines: &str) -> Vec<u8> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// A dump of version 3 with strings, in database 0.
fn dump(keys: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for (key, value) in keys {
        bytes.extend([0, key.len() as u8]);
        bytes.extend(key.as_bytes());
        bytes.push(value.len() as u8);
        bytes.extend(value.as_bytes());
    }
    bytes.push(0xff);
    bytes
}

struct Written {
    folder: tempfile::TempDir,
}

impl Written {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.aof"), bytes).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("x.aof")
    }

    fn open(&self, options: RdbOptions) -> AppendOnly {
        AppendOnly::open(self.path(), options).unwrap()
    }

    fn read(&self) -> Result<BTreeMap<String, String>, Error> {
        let found = read(&mut self.open(RdbOptions::default()))?;
        let shown = |((db, key), (value, _)): ((u32, Vec<u8>), (String, _))| {
            (format!("{db}:{}", key.escape_ascii()), value)
        };
        Ok(found.into_iter().map(shown).collect())
    }
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_dump_with_commands_behind_it_is_one_data_set() {
    let tail = "SELECT 0\nAPPEND b 2\nRENAME c d\nSWAPDB 0 1\nSELECT 0\nSET e 5\nMOVE e 3";
    let bytes = [dump(&[("a", "1"), ("b", "1"), ("c", "3"), ("f", "6")]), commands(tail)].concat();
    let written = Written::new(&bytes);
    let found = written.read().unwrap();
    let all = [
        ("1:a", "string 1"),
        ("1:b", "string 12"),
        ("1:d", "string 3"),
        ("1:f", "string 6"),
        ("3:e", "string 5"),
    ];
    assert_eq!(found, expected(&all));

    // A filter sees the keys as they are at the end.
    let filter = Filter::new().with_dbs([Db(1)]).with_match(b"[abd]").with_kinds([Kind::String]);
    let mut source = written.open(RdbOptions::default().with_filter(filter));
    assert_eq!(source.total_bytes(), Some(bytes.len() as u64));
    let found = read(&mut source).unwrap();
    assert_eq!(found.keys().map(|(_, key)| &key[..]).collect::<Vec<_>>(), [b"a", b"b", b"d"]);
}

#[test]
fn what_was_flushed_is_gone_and_not_counted() {
    let base = dump(&[("a", "1"), ("b", "2")]);
    let tail = "SELECT 0\nSET n 1\nFLUSHDB\nSET a 9\nSELECT 2\nSET c 3";
    let written = Written::new(&[base.clone(), commands(tail)].concat());
    assert_eq!(written.read().unwrap(), expected(&[("0:a", "string 9"), ("2:c", "string 3")]));
    let mut source = written.open(RdbOptions::default());
    let mut batch = Batch::new();
    let (mut description, mut skipped) = (None, 0);
    while block_on(source.fill(&mut batch)).unwrap() {
        description = batch.remarks().description.clone().or(description);
        skipped += batch.remarks().skipped.values().sum::<u64>();
    }
    assert_eq!(
        (description.as_deref(), skipped),
        (Some("append-only file: Redis RDB version 3, then 6 commands"), 0)
    );
    for tail in ["SELECT 1\nFLUSHALL\nSET a 9", "SELECT 1\nMULTI\nFLUSHALL\nSET a 9\nEXEC"] {
        let written = Written::new(&[base.clone(), commands(tail)].concat());
        assert_eq!(written.read().unwrap(), expected(&[("1:a", "string 9")]));
    }
}

#[test]
fn every_source_of_commands_conforms() {
    let keys: Vec<_> = (0..20).map(|n| (format!("k{n:02}"), "v".repeat(n))).collect();
    let keys: Vec<_> = keys.iter().map(|(key, value)| (&**key, &**value)).collect();
    let mut tail = String::from("SELECT 0\nAPPEND k03 x\nDEL k19\nSELECT 1\n");
    for n in 0..30 {
        tail.push_str(&format!("RPUSH list item{n}\nHSET hash{} field{n} value\n", n % 4));
        tail.push_str(&format!("XADD stream {}-0 field value\nZADD sorted {n} m{n}\n", n + 1));
    }
    tail.push_str("PUBLISH channel message");
    let written = Written::new(&[dump(&keys), commands(&tail)].concat());
    for (batch, value) in [(256 << 10, 1 << 20), (100, 200), (1, 1), (50, 1000)] {
        let options = RdbOptions::default().with_batch_bytes(batch).with_max_value_bytes(value);
        assert_eq!(read(&mut written.open(options.clone())).unwrap().len(), 19 + 7);
        block_on(testing::conforms(|| Box::new(written.open(options.clone()))));
    }
    let empty = Written::new(b"");
    assert_eq!(empty.read().unwrap(), BTreeMap::new());
}

#[test]
fn a_cut_tail_is_left_out_with_a_warning_and_damage_is_an_error() {
    let whole = commands("SELECT 0\nSET a 1\nMULTI\nSET b 2\nSWAPDB 0 1\nEXEC\nSET c 3");
    let ends: Vec<usize> = ["SET", "MULTI", "SET", "SWAPDB", "EXEC", "SET"]
        .iter()
        .scan(0, |from, name| {
            let name = format!("${}\r\n{name}", name.len());
            let at = whole[*from..].windows(name.len()).position(|bytes| bytes == name.as_bytes());
            *from += at.unwrap() + 1;
            // The line before says how many arguments there are.
            Some(*from - 1 - 4)
        })
        .collect();
    for end in 0..=whole.len() {
        let written = Written::new(&whole[..end]);
        let mut source = written.open(RdbOptions::default());
        let mut batch = Batch::new();
        let (mut count, mut warnings) = (0, Vec::new());
        while block_on(source.fill(&mut batch)).unwrap() {
            count += batch.entries().count();
            warnings.extend(batch.remarks().warnings.clone());
        }
        let committed = ends[4] + b"*1\r\n$4\r\nEXEC\r\n".len();
        let keys = match end {
            end if end < ends[1] => 0,
            end if end < committed => 1,
            end if end < whole.len() => 2,
            _ => 3,
        };
        assert_eq!(count, keys, "cut at {end}");
        let clean = [0, ends[0], ends[1], committed, whole.len()].contains(&end);
        assert_eq!(warnings.is_empty(), clean, "cut at {end}: {warnings:?}");
    }
    let mut damaged = whole.clone();
    damaged[ends[2]] = b'?';
    let error = Written::new(&damaged).read().unwrap_err();
    let Error::Log { offset, .. } = error else { panic!("{error}") };
    assert_eq!(offset, ends[2] as u64);

    // Only the last of several files may be cut.
    let folder = tempfile::tempdir().unwrap();
    let manifest = "file b seq 1 type b\nfile i1 seq 1 type i\nfile i2 seq 2 type i\n";
    fs::write(folder.path().join("x.manifest"), manifest).unwrap();
    for (name, bytes) in
        [("b", dump(&[("z", "0")])), ("i1", whole.clone()), ("i2", whole[..50].to_vec())]
    {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let open = || AppendOnly::open(folder.path(), RdbOptions::default()).unwrap();
    // `a` is in both databases now.
    assert_eq!(read(&mut open()).unwrap().len(), 5);
    fs::write(folder.path().join("i1"), &whole[..49]).unwrap();
    let error = read(&mut open()).unwrap_err();
    assert!(error.to_string().contains("i1, byte "), "{error}");
    fs::remove_file(folder.path().join("i1")).unwrap();
    let error = AppendOnly::open(folder.path(), RdbOptions::default()).unwrap_err();
    let Error::Open { path, source } = &error else { panic!("{error}") };
    assert!(path.ends_with("i1") && source.kind() == io::ErrorKind::NotFound);
}

#[test]
fn what_cannot_be_replayed_is_named_with_its_byte() {
    let begin = commands("SELECT 0\nSET a x").len();
    for (line, said) in [
        ("JSON.SET a $ 1", "cannot replay JSON.SET: it is not known, perhaps one of a module"),
        ("EVAL return~1 0", "cannot replay EVAL: what a script does is not in the file"),
        ("EXPIRE a 10", "cannot replay EXPIRE: its expiry counts from a moment"),
        ("LPUSH a 1", "cannot replay LPUSH: the key holds a value of type string"),
        ("INCR a", "cannot replay INCR: the value is no integer"),
        ("SORT a BY w_* STORE b", "cannot replay SORT: which keys its patterns name"),
        ("XADD s MAXLEN ~ 3 1-1 f v", "cannot replay XADD: how much an inexact trim removes"),
        ("SET b", "cannot replay SET: its arguments are not those that it takes"),
        ("RESTORE b 0 payload", "cannot replay RESTORE: its payload cannot be read"),
        ("SETRANGE b 900000000000 x", "cannot replay SETRANGE: the string would be longer"),
    ] {
        let written = Written::new(&commands(&format!("SELECT 0\nSET a x\n{line}\nSET c 1")));
        let error = written.read().unwrap_err();
        let place = format!("x.aof, byte {begin}: ");
        assert!(error.to_string().contains(&place) && error.to_string().contains(said), "{error}");
        assert!(error.hint().unwrap().contains("BGREWRITEAOF"));
    }
    let error = Written::new(b"hello, world").read().unwrap_err();
    assert!(error.to_string().contains("looks like text"), "{error}");
    let timed = [b"#TS:1000\r\n".to_vec(), commands("SELECT 0\nSET a 1\nEXPIRE a 10")].concat();
    let found = read(&mut Written::new(&timed).open(RdbOptions::default())).unwrap();
    assert_eq!(found[&(0, b"a".to_vec())].1, Some(1_010_000));
}

#[test]
fn memory_has_a_limit_that_only_touched_keys_count_for() {
    let value = "x".repeat(60);
    let keys: Vec<_> = (0..2000).map(|n| format!("k{n}")).collect();
    let keys: Vec<_> = keys.iter().map(|key| (&**key, &*value)).collect();
    let few = [dump(&keys), commands("SELECT 0\nAPPEND k1 y\nAPPEND k2 y")].concat();
    let written = Written::new(&few);
    let open = || written.open(RdbOptions::default()).with_max_memory_bytes(4000);
    assert_eq!(read(&mut open()).unwrap().len(), 2000);
    let many: String = (0..100).map(|n| format!("APPEND k{n} y\n")).collect();
    let growing = format!("SELECT 0\n{}", "RPUSH l abcdefghij\n".repeat(1000));
    for tail in [format!("SELECT 0\n{many}"), growing] {
        let written = Written::new(&[dump(&keys), commands(&tail)].concat());
        let error =
            read(&mut written.open(RdbOptions::default()).with_max_memory_bytes(4000)).unwrap_err();
        assert!(matches!(error, Error::Memory { limit: 4000, .. }), "{error}");
    }
    // A list that is emptied again does not grow.
    let turning = format!("SELECT 0\n{}", "RPUSH l abcdefghij\nLPOP l\n".repeat(1000));
    let written = Written::new(&commands(&turning));
    assert!(
        read(&mut written.open(RdbOptions::default()).with_max_memory_bytes(4000))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn hostile_bytes_are_ordinary_input() {
    let tail = "SELECT 0\nMULTI\nSETRANGE b 3 2\nSETBIT a 77 1\nEXEC\nZADD z 1 m\nXADD x 1-1 f v\n\
        XGROUP CREATE x g 0\nPFADD p a b c\nBITFIELD b SET u8 #1 7\nSORT l LIMIT 0 3 STORE m\n\
        HSET h f v\nRPUSH l 1 2 3\nLTRIM l -2 9\nZRANGESTORE y z 0 -1\nSWAPDB 0 1\nCOPY a b DB 4";
    let whole = [dump(&[("a", "1"), ("b", "1")]), commands(tail)].concat();
    let mut random = Random::new(9);
    let (mut read_whole, mut refused) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = *random.pick(b"\r\n*$#0129-: ax\xff\x00"),
                1 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, *b"9")),
            }
            if bytes.is_empty() {
                bytes = whole.clone();
            }
        }
        let source = AppendOnly::from_bytes(bytes, RdbOptions::default());
        let mut source = source.with_max_memory_bytes(1 << 20);
        let mut batch = Batch::new();
        loop {
            match block_on(source.fill(&mut batch)) {
                Ok(true) => {}
                Ok(false) => break read_whole += 1,
                Err(_) => break refused += 1,
            }
        }
    }
    assert!(read_whole > 100 && refused > 100, "{read_whole} {refused}");
}

#[test]
fn a_file_that_has_grown_is_another_one() {
    let written = Written::new(&commands("SELECT 0\nSET a 1\nSET b 2"));
    let mut source = written.open(RdbOptions::default().with_batch_bytes(1));
    let mut batch = Batch::new();
    assert!(block_on(source.fill(&mut batch)).unwrap());
    let position = batch.position().unwrap().clone();
    let mut rest = written.open(RdbOptions::default());
    block_on(rest.resume(&position)).unwrap();
    assert_eq!(read(&mut rest).unwrap().len(), 1);
    fs::write(written.path(), commands("SELECT 0\nSET a 1\nSET b 2\nSET c 3")).unwrap();
    let error = block_on(written.open(RdbOptions::default()).resume(&position)).unwrap_err();
    assert!(error.to_string().contains("have grown: begin again"), "{error}");
}
