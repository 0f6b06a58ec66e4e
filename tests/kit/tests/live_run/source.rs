//! What is put into servers, and what items must become of it, by the servers' own account and the mapping's reference
//! page.

use std::collections::BTreeMap;

use keystar_kit::random::Random;
use keystar_kit::redis::{Connection, Redis, Reply};
use keystar_kit::redis_cluster::Cluster;
use serde_json::{Value, json};

/// Items by their keys.
pub(crate) type Items = BTreeMap<String, Value>;

/// In 2100.
const FAR: u64 = 4_102_444_800_000;

/// One key with a value, a type in turn.
fn record(n: usize) -> (String, Vec<Vec<u8>>) {
    let words = |text: String| -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    };
    let (name, mut command) = match n % 9 {
        0 => (format!("text:{n}"), words(format!("SET _ “naïve”-text-{n}"))),
        1 => (format!("number:{n}"), words(format!("SET _ {}", n * 37))),
        2 => (format!("list:{n}"), words(format!("RPUSH _ first {n} first -1.5 l{n}"))),
        3 => (format!("set:{n}"), words(format!("SADD _ red {n} green ünï"))),
        4 => (format!("zset:{n}"), words(format!("ZADD _ 1.5 ann {n} bob -3 cat"))),
        5 => (
            format!("hash:{n}"),
            words(format!("HSET _ name Ann{n} age {} longitude -48.711598", n % 90)),
        ),
        6 => (format!("stream:{n}"), words(format!("XADD _ {}-1 sensor {n} tag a tag b", n + 1))),
        7 => (format!("long:{n}"), words(format!("SET _ {}", letters(n, 6000)))),
        _ => {
            let raw = [&n.to_be_bytes()[..], &[0xff, 0x00, 0xfe]].concat();
            (format!("raw:{n}"), vec![b"SET".to_vec(), Vec::new(), raw])
        }
    };
    command[1] = name.clone().into_bytes();
    (name, command)
}

/// Text that servers cannot compress, so that data of a few megabytes is read in many pieces.
fn letters(n: usize, count: usize) -> String {
    let mut random = Random::nth(5, n as u64);
    (0..count).map(|_| char::from(b'0' + random.below(75) as u8)).collect()
}

/// When the `n`th key expires: some never do, some at a full second, some between two.
fn expiry(n: usize) -> Option<u64> {
    match n % 7 {
        0 => Some(FAR + n as u64 * 1000),
        1 => Some(FAR + n as u64 * 1000 + 1),
        _ => None,
    }
}

/// The commands that make the `n`th key.
fn commands(n: usize) -> Vec<Vec<Vec<u8>>> {
    let (name, words) = record(n);
    let expire = expiry(n)
        .map(|at| vec![b"PEXPIREAT".to_vec(), name.into_bytes(), at.to_string().into_bytes()]);
    [words].into_iter().chain(expire).collect()
}

/// Puts keys of every type into databases 0 (most of them), 1 and 3.
pub(crate) fn fill(connection: &mut Connection, keys: usize) {
    for (db, part) in [("1", keys / 10), ("3", keys / 10), ("0", keys - 2 * (keys / 10))] {
        connection.command(&["SELECT", db]).unwrap();
        for n in 0..part {
            for words in commands(n) {
                connection.command(&words).unwrap();
            }
        }
    }
}

/// Puts keys of every type into a cluster, and waits until the replicas have them. Keys that expire cannot be compared
/// once their slots have moved: nodes hand each other the time that is left, which is a millisecond more or less.
pub(crate) fn fill_cluster(cluster: &Cluster, keys: usize, with_expiry: bool) {
    let mut connections: Vec<_> =
        cluster.nodes[..3].iter().map(|node| node.connect().unwrap()).collect();
    for n in 0..keys {
        for words in commands(n).into_iter().take(if with_expiry { 2 } else { 1 }) {
            let taken = connections.iter_mut().any(|connection| match connection.command(&words) {
                Ok(_) => true,
                Err(error) => {
                    assert!(error.to_string().starts_with("MOVED"), "{error}");
                    false
                }
            });
            assert!(taken, "no node takes key {n}");
        }
    }
    for connection in &mut connections {
        let replicas = if cluster.nodes.len() > 3 { "1" } else { "0" };
        connection.command(&["WAIT", replicas, "10000"]).unwrap();
    }
}

/// A server with keys.
pub(crate) fn filled(keys: usize) -> Redis {
    let redis = Redis::start().unwrap();
    fill(&mut redis.connect().unwrap(), keys);
    redis
}

/// What must come of all keys that a server holds, as it tells them now.
pub(crate) fn items(connection: &mut Connection) -> Items {
    let mut items = Items::new();
    for db in [0, 1, 3] {
        if connection.command(&["SELECT", &db.to_string()]).is_err() {
            // A node of a cluster has one database.
            continue;
        }
        for key in several(connection.command(&["KEYS", "*"]).unwrap()) {
            let name = String::from_utf8(key.clone()).unwrap();
            let name = if db == 0 { name } else { format!("db{db}:{name}") };
            let item = item(connection, &name, &key);
            items.insert(name, item);
        }
    }
    items
}

/// The same of a cluster, by its primaries.
pub(crate) fn cluster_items(nodes: &[&Redis]) -> Items {
    nodes.iter().flat_map(|node| items(&mut node.connect().unwrap())).collect()
}

fn item(connection: &mut Connection, name: &str, key: &[u8]) -> Value {
    let Reply::Status(kind) = connection.command(&[b"TYPE", key]).unwrap() else {
        panic!("no type of {name}")
    };
    let mut ask = |command: &str, more: &[&str]| {
        let mut words = vec![command.as_bytes(), key];
        words.extend(more.iter().map(|word| word.as_bytes()));
        connection.command(&words).unwrap()
    };
    let (value, tells_type) = match kind.as_str() {
        "string" => (scalar(bytes(ask("GET", &[]))), false),
        "list" => (list(several(ask("LRANGE", &["0", "-1"]))), false),
        "set" => {
            let mut members: Vec<String> =
                several(ask("SMEMBERS", &[])).into_iter().map(text).collect();
            members.sort();
            (json!({ "SS": members }), false)
        }
        "zset" => {
            let flat = several(ask("ZRANGE", &["0", "-1", "WITHSCORES"]));
            let members = flat.chunks_exact(2).map(|pair| {
                json!({"M": {"member": scalar(pair[0].clone()), "score": {"N": text(pair[1].clone())}}})
            });
            (json!({"L": members.collect::<Vec<_>>()}), true)
        }
        "hash" => {
            let flat = several(ask("HGETALL", &[]));
            let fields =
                flat.chunks_exact(2).map(|pair| (text(pair[0].clone()), scalar(pair[1].clone())));
            (json!({"M": fields.collect::<serde_json::Map<_, _>>()}), false)
        }
        "stream" => {
            let Reply::Array(entries) = ask("XRANGE", &["-", "+"]) else { panic!("no entries") };
            let mut last = String::new();
            let entries: Vec<Value> = entries
                .into_iter()
                .map(|entry| {
                    let Reply::Array(pair) = entry else { panic!("{entry:?}") };
                    let [id, fields] = pair.try_into().unwrap();
                    last = text(bytes(id));
                    json!({"M": {"id": {"S": last}, "fields": list(several(fields))}})
                })
                .collect();
            let count = entries.len().to_string();
            let stream = json!({
                "entries": {"L": entries}, "length": {"N": count}, "last_id": {"S": last},
                "entries_added": {"N": count}, "first_id": {"S": last}, "max_deleted_id": {"S": "0-0"},
            });
            (json!({ "M": stream }), true)
        }
        other => panic!("what is a {other}"),
    };
    let mut item = json!({"key": {"S": name}, "value": value});
    if tells_type {
        item["type"] = json!({"S": kind});
    }
    let Reply::Integer(at) = ask("PEXPIRETIME", &[]) else { panic!("no expiry of {name}") };
    if at > 0 {
        item["ttl"] = json!({"N": ((at + 999) / 1000).to_string()});
        if at % 1000 != 0 {
            item["ttl_ms"] = json!({"N": at.to_string()});
        }
    }
    item
}

fn list(elements: Vec<Vec<u8>>) -> Value {
    json!({"L": elements.into_iter().map(scalar).collect::<Vec<_>>()})
}

/// A number that reads as it is written, else text, else bytes.
fn scalar(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let digits = text.strip_prefix('-').unwrap_or(&text);
            let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
                && digits.len() < 20
                && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                && (digits == "0" || digits.starts_with("0.") || !digits.starts_with('0'))
                && !(digits.contains('.') && digits.ends_with('0'));
            if is_number { json!({ "N": text }) } else { json!({ "S": text }) }
        }
        Err(error) => json!({"B": base64(&error.into_bytes())}),
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = bytes.chunks(3).flat_map(|chunk| {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        (0..4).map(move |at| match at <= chunk.len() {
            true => LETTERS[(word >> (18 - 6 * at) & 63) as usize] as char,
            false => '=',
        })
    });
    letters.collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn bytes(reply: Reply) -> Vec<u8> {
    let Reply::Bytes(bytes) = reply else { panic!("{reply:?}") };
    bytes
}

fn several(reply: Reply) -> Vec<Vec<u8>> {
    let Reply::Array(replies) = reply else { panic!("{reply:?}") };
    replies.into_iter().map(bytes).collect()
}
