//! Dumps that servers send to a replica: real servers, and one that misbehaves as told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use futures_executor::block_on;
use keystar_extract::{
    Access, Batch, Entry, Error, RdbFile, RdbOptions, Redis, RedisSnapshot, Source,
};
use keystar_kit::{random::Random, redis, redis_aof::random_command, redis_cluster::Cluster};

use crate::{shop, small_pieces};

/// Every record, by database and key: its expiry and value, or how many bytes its parts have.
fn read(source: &mut dyn Source) -> Result<BTreeMap<(u32, Vec<u8>), String>, Error> {
    let mut batch = Batch::new();
    let mut found = BTreeMap::new();
    let mut offsets = std::collections::BTreeSet::new();
    let mut len = 0;
    while block_on(source.fill(&mut batch))? {
        for entry in batch.entries() {
            let (head, told) = match entry {
                Entry::Frame(frame) => {
                    let record = frame.decode(batch.context().unwrap()).unwrap();
                    let told = format!("{:?} {:?}", record.expires_at, record.value);
                    (frame.head.into_owned(), told)
                }
                Entry::Part { part, .. } => {
                    len += part.value.len();
                    if !part.last {
                        continue;
                    }
                    (part.head.clone(), format!("{} in parts", std::mem::take(&mut len)))
                }
                other => panic!("unexpected {other:?}"),
            };
            assert!(offsets.insert(head.offset), "two records at one offset");
            assert_eq!(found.insert((head.db.0, head.key.to_vec()), told), None);
        }
    }
    Ok(found)
}

fn connect(url: &str) -> Result<Redis, Error> {
    let access = Access::default()
        .with_patience(Duration::from_secs(20))
        .with_read_timeout(Duration::from_secs(20));
    Redis::connect(&url.parse().unwrap(), &access)
}

#[test]
fn a_snapshot_is_what_the_server_saves() {
    let redis = Path::new("redis-server").to_owned();
    let valkey = keystar_kit::places::installed("tools/bin/valkey-server").unwrap();
    for (program, diskless) in [(&redis, "yes"), (&redis, "no"), (&valkey, "yes"), (&valkey, "no")]
    {
        let options = ["--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0"];
        let options = options.map(str::to_owned).to_vec();
        let server = redis::Redis::start_with(program, None, |_| Ok(options.clone())).unwrap();
        let mut link = server.connect().unwrap();
        let mut random = Random::new(6);
        for step in 0..2000 {
            let _ = link.command(&random_command(&mut random, step));
        }
        link.command(&["SELECT", "0"]).unwrap();
        let big = "x".repeat(3 << 20);
        link.command(&["SET", "big", &big]).unwrap();
        let saved = server.save().unwrap();
        let deployment = connect(&server.url()).unwrap();
        for options in [RdbOptions::default(), small_pieces()] {
            let file = read(&mut RdbFile::open(&saved, options.clone()).unwrap()).unwrap();
            let mut source = RedisSnapshot::open(&deployment, options).unwrap();
            assert_eq!(source.total_keys(), Some(file.len() as u64));
            let sent = read(&mut source).unwrap();
            assert!(sent.contains_key(&(0, b"big".to_vec())));
            assert!(sent.len() > 10, "too few keys to mean something: {:?}", sent.keys());
            assert_eq!(sent, file, "{program:?}, diskless {diskless}");
            let mut batch = Batch::new();
            assert!(!block_on(source.fill(&mut batch)).unwrap(), "nothing comes after the end");
        }
    }
}

#[test]
fn every_primary_of_a_cluster_sends_its_keys() {
    let cluster = Cluster::start(0).unwrap();
    cluster.fill((0..300).map(|n| format!("key:{n}"))).unwrap();
    let mut source =
        RedisSnapshot::open(&connect(&cluster.url()).unwrap(), RdbOptions::default()).unwrap();
    assert_eq!(source.total_keys(), Some(300));
    let found = read(&mut source).unwrap();
    let mut keys: Vec<_> =
        found.into_keys().map(|(_, key)| String::from_utf8(key).unwrap()).collect();
    keys.sort();
    let mut expected: Vec<_> = (0..300).map(|n| format!("key:{n}")).collect();
    expected.sort();
    assert_eq!(keys, expected);
}

/// What a server does when it is asked for its dump; an answer to anything else is made up.
type Script = Vec<Vec<u8>>;

/// A server that answers one `PSYNC` after the other as told, each in pieces, and then hangs up.
/// Tells every command that it was sent.
fn pretend(scripts: Vec<Script>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut scripts = scripts.into_iter();
        while let Ok((stream, _)) = listener.accept() {
            serve(stream, &mut scripts, &tell);
        }
    });
    (url, told)
}

fn serve(
    stream: TcpStream,
    scripts: &mut impl Iterator<Item = Script>,
    tell: &std::sync::mpsc::Sender<String>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    stream.set_nodelay(true).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = Vec::new();
        for _ in 0..line[1..].trim_end().parse().unwrap() {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let mut word = vec![0; line[1..].trim_end().parse::<usize>().unwrap() + 2];
            reader.read_exact(&mut word).unwrap();
            word.truncate(word.len() - 2);
            words.push(String::from_utf8(word).unwrap());
        }
        tell.send(words.join(" ")).unwrap();
        let info = "run_id:1\r\nrole:master\r\ndb0:keys=7,expires=0,avg_ttl=0\r\n";
        let answer = match (&*words[0], words.get(1).map(|word| &**word)) {
            ("INFO", _) => format!("${}\r\n{info}\r\n", info.len()),
            ("HELLO", _) => "-ERR unknown command 'HELLO'\r\n".to_owned(),
            ("REPLCONF", Some("rdb-only")) => "-ERR Unrecognized REPLCONF option\r\n".to_owned(),
            ("PSYNC", _) => {
                for piece in scripts.next().unwrap_or_default() {
                    if stream.write_all(&piece).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                return;
            }
            _ => "+OK\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

const ACCEPTED: &str = "+FULLRESYNC 8a6e7c1f0e4b4d1b8a6e7c1f0e4b4d1b8a6e7c1f 42\r\n";
const MARK: &str = "0123456789abcdef0123456789abcdef01234567";

/// The transfer of a dump, in pieces of so many bytes.
fn transfer(header: &str, dump: &[u8], trailer: &str, piece: usize) -> Script {
    let bytes =
        [format!("\n\n{ACCEPTED}\n\n\n{header}\r\n").as_bytes(), dump, trailer.as_bytes()].concat();
    bytes.chunks(piece).map(<[u8]>::to_vec).collect()
}

#[test]
fn both_forms_of_a_transfer_are_read_however_they_are_cut() {
    let dump = shop();
    let file =
        read(&mut RdbFile::from_bytes(dump.clone(), RdbOptions::default()).unwrap()).unwrap();
    let eof = format!("$EOF:{MARK}");
    let length = format!("${}", dump.len());
    for piece in [7, 39, 41, 1000, 1 << 20] {
        let with_mark = transfer(&eof, &dump, MARK, piece);
        let with_length = transfer(&length, &dump, "*1\r\n$4\r\nPING\r\n", piece);
        let (url, told) = pretend(vec![with_mark, with_length]);
        let deployment = connect(&url).unwrap();
        for _ in 0..2 {
            let mut source = RedisSnapshot::open(&deployment, RdbOptions::default()).unwrap();
            assert_eq!(source.total_keys(), Some(7));
            assert_eq!(read(&mut source).unwrap(), file, "in pieces of {piece}");
        }
        let told: Vec<_> = told.try_iter().collect();
        for command in ["REPLCONF capa eof capa psync2", "REPLCONF version 9.2.0", "PSYNC ? -1"] {
            assert!(told.iter().any(|told| told == command), "{told:?}");
        }
        assert_eq!(told.last().map(String::as_str), Some("PSYNC ? -1"), "nothing comes after it");
    }
}

#[test]
fn a_server_that_cannot_yet_is_asked_again() {
    let dump = shop();
    let loading = vec![b"-LOADING Redis is loading the dataset in memory\r\n".to_vec()];
    let orphaned =
        vec![b"\n-NOMASTERLINK Can't SYNC while not connected with my master\r\n".to_vec()];
    let forgotten = vec![ACCEPTED.as_bytes().to_vec()];
    let whole = transfer(&format!("${}", dump.len()), &dump, "", 1 << 20);
    let (url, _told) = pretend(vec![loading, orphaned, forgotten, whole]);
    let mut source = RedisSnapshot::open(&connect(&url).unwrap(), RdbOptions::default()).unwrap();
    assert_eq!(read(&mut source).unwrap().len(), 22);
}

#[test]
fn who_is_at_fault_is_said() {
    let dump = shop();
    let half = &dump[..dump.len() / 2];
    let eof = format!("$EOF:{MARK}");
    let mut bent = dump.clone();
    let at = bent.len() - 1;
    bent[at] ^= 1;
    type Check = fn(&Error) -> bool;
    let cases: [(Script, Check, &str, &str); 6] = [
        (
            vec![b"-ERR unknown command 'PSYNC', with args beginning with: '?'\r\n".to_vec()],
            |error| matches!(error, Error::Unsupported { .. }),
            "does not know PSYNC",
            "use the scan",
        ),
        (
            vec![b"-NOPERM this user has no permissions to run the 'psync' command\r\n".to_vec()],
            |error| matches!(error, Error::Forbidden { .. }),
            "does not let the user run PSYNC",
            "+psync",
        ),
        (
            vec![b"+CONTINUE\r\n".to_vec()],
            |error| matches!(error, Error::Protocol { .. }),
            "begins no full dump",
            "",
        ),
        (
            transfer(&eof, half, "", 500),
            |error| matches!(error, Error::Snapshot { source, .. } if matches!(**source, Error::Lost { .. })),
            "cannot be read to its end",
            "repl-timeout",
        ),
        (
            transfer(&format!("${}", dump.len()), half, "", 500),
            |error| matches!(error, Error::Snapshot { source, .. } if matches!(**source, Error::Lost { .. })),
            "cannot be read to its end",
            "client-output-buffer-limit",
        ),
        (
            transfer(&eof, &bent, MARK, 500),
            |error| matches!(error, Error::Snapshot { source, .. } if matches!(**source, Error::Dump(_))),
            "cannot be read to its end",
            "",
        ),
    ];
    for (script, check, said, hint) in cases {
        let (url, _told) = pretend(vec![script]);
        let mut source =
            RedisSnapshot::open(&connect(&url).unwrap(), RdbOptions::default()).unwrap();
        let error = read(&mut source).unwrap_err();
        assert!(check(&error), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{:?}", error.hint());
    }
}

#[test]
fn a_snapshot_is_not_resumed() {
    let (url, _told) = pretend(vec![]);
    let mut source = RedisSnapshot::open(&connect(&url).unwrap(), RdbOptions::default()).unwrap();
    let mut file = RdbFile::from_bytes(shop(), small_pieces()).unwrap();
    let mut batch = Batch::new();
    while batch.position().is_none() {
        assert!(block_on(file.fill(&mut batch)).unwrap());
    }
    let error = block_on(source.resume(batch.position().unwrap())).unwrap_err();
    assert!(matches!(error, Error::Position(_)));
    assert!(error.to_string().contains("begin the run again"), "{error}");
}

#[test]
fn a_snapshot_that_nobody_wants_any_more_is_left() {
    let endless: Vec<u8> = [b"REDIS0003\xfe\x00".to_vec(), b"\x00\x01k\x40\xc8".to_vec()].concat();
    let mut script = transfer("$99999999999", &endless, "", 1 << 20);
    script.extend((0..200).map(|_| vec![0; 1 << 20]));
    let (url, told) = pretend(vec![script]);
    let mut source = RedisSnapshot::open(&connect(&url).unwrap(), RdbOptions::default()).unwrap();
    let mut batch = Batch::new();
    assert!(block_on(source.fill(&mut batch)).unwrap());
    drop(source);
    // The one that pretends ends its connection when we hang up, and takes the next.
    let begun = std::time::Instant::now();
    connect(&url).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(told);
}
