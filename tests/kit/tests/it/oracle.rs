//! Live servers are the judges of the decoder: random values are written by commands, and what the decoder reads from
//! `DUMP` must be what the server itself answers when asked for the value by name.
//!
//! `KEYSTAR_ORACLE_CASES` and `KEYSTAR_ORACLE_SEED` make it longer or other. Known gaps: what neither Redis 7.0
//! nor Valkey 9.1 has (arrays, idempotent streams, hash templates), which fixtures of newer servers cover.

use std::collections::BTreeSet;

use keystar_kit::random::Random;
use keystar_kit::redis::Redis;
use keystar_rdb::{Context, decode_dump};

use crate::shown::{Shown, ask, bytes};

const KEY: &str = "k";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn what_is_decoded_from_a_dump_is_what_redis_answers() {
    judge(&Redis::start().unwrap(), false);
}

/// Valkey's own dumps: another family of object types, hashes whose fields expire.
#[test]
fn what_is_decoded_from_a_dump_is_what_valkey_answers() {
    judge(&Redis::valkey().unwrap(), true);
}

fn judge(server: &Redis, fields_expire: bool) {
    let mut connection = server.connect().unwrap();
    let seed = setting("KEYSTAR_ORACLE_SEED", 1);
    let cases = setting("KEYSTAR_ORACLE_CASES", 4000);
    let mut encodings = BTreeSet::new();
    let mut expiries = 0;
    for case in 0..cases {
        let mut random = Random::nth(seed, case);
        connection.command(&["DEL", KEY]).unwrap();
        for command in commands(&mut random, case, fields_expire) {
            connection.command(&command).unwrap();
        }
        let dump = connection.dump(KEY.as_bytes()).unwrap();
        let decoded = decode_dump(&dump);
        let decoded =
            decoded.unwrap_or_else(|error| panic!("seed {seed} case {case}: {error}: {dump:02x?}"));
        let answered = ask(&mut connection, KEY.as_bytes(), fields_expire);
        let encoding = bytes(connection.command(&["OBJECT", "ENCODING", KEY]).unwrap());
        let encoding = String::from_utf8(encoding).unwrap();
        assert_eq!(Shown::from(&decoded), answered, "seed {seed} case {case}, {encoding}");
        encodings.insert(encoding);
        if let Shown::Hash(fields) = answered {
            expiries += fields.iter().filter(|(_, _, expires_at)| expires_at.is_some()).count();
        }
    }
    // All that both servers have: none was left out by chance.
    let all = [
        "embstr",
        "hashtable",
        "int",
        "intset",
        "listpack",
        "quicklist",
        "raw",
        "skiplist",
        "stream",
    ];
    assert!(encodings.iter().eq(&all), "{encodings:?}");
    assert_eq!(expiries > 0, fields_expire, "{expiries} fields expired");
}

/// A payload with one bit wrong is refused, or at the least does not come out as another value of the same checksum.
#[test]
fn a_dump_that_was_damaged_is_refused_by_both() {
    let redis = Redis::start().unwrap();
    let mut connection = redis.connect().unwrap();
    for case in 0..200 {
        let mut random = Random::nth(2, case);
        connection.command(&["DEL", KEY]).unwrap();
        for command in commands(&mut random, case, false) {
            connection.command(&command).unwrap();
        }
        let mut dump = connection.dump(KEY.as_bytes()).unwrap();
        let bit = random.below(dump.len() as u64 * 8);
        dump[(bit / 8) as usize] ^= 1 << (bit % 8);
        connection.command(&["DEL", KEY]).unwrap();
        let restored = connection.command(&[b"RESTORE".as_slice(), KEY.as_bytes(), b"0", &dump]);
        assert!(restored.is_err(), "the server took a damaged payload");
        assert!(decode_dump(&dump).is_err(), "case {case} bit {bit} was not noticed");
    }
}

/// The raw level is lossless: every value of a file, wrapped as a `DUMP`, is restored by the server, which then dumps
/// the very same bytes.
#[test]
fn frames_are_restored_by_the_server() {
    use keystar_kit::generate::{Shape, write};
    use keystar_rdb::{Event, Level, Options, Parser, Step};

    let mut file = Vec::new();
    write(Shape::Mixed { records: 600 }, 3, 10, &mut file).unwrap();
    let redis = Redis::start().unwrap();
    let mut connection = redis.connect().unwrap();
    let mut parser = Parser::new(Options::new(Level::FRAMES));
    parser.feed(&file);
    parser.finish();
    let context = Context::redis(10);
    let mut restored = 0;
    loop {
        match parser.step().unwrap() {
            Step::Event(Event::Frame(frame)) => {
                let key = frame.head.key.as_bytes().to_vec();
                let dump = frame.to_dump(&context).unwrap();
                connection.command(&[b"RESTORE".as_slice(), &key, b"0", &dump]).unwrap();
                restored += 1;
                // Tables have an order of their own in every server.
                if !key.starts_with(b"big") && !key.starts_with(b"set") {
                    assert_eq!(
                        connection.dump(&key).unwrap(),
                        dump,
                        "{:?}",
                        String::from_utf8_lossy(&key)
                    );
                }
            }
            Step::Event(_) => {}
            Step::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(restored, 600);
}

/// Commands that leave a value of a random type at the key; the sizes lie on both sides of where encodings change.
fn commands(random: &mut Random, case: u64, fields_expire: bool) -> Vec<Vec<Vec<u8>>> {
    let key = || KEY.as_bytes().to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    let sizes = [1, 2, 5, 20, 127, 128, 129, 200, 511, 512, 513, 600];
    let count = *random.pick(&sizes[..if case.is_multiple_of(5) { sizes.len() } else { 4 }]);
    match case % 8 {
        0 => vec![vec![text("SET"), key(), scrap(random)]],
        1 => vec![many("RPUSH", count, random, |random, _| vec![scrap(random)])],
        2 => vec![many("SADD", count, random, |random, _| vec![scrap(random)])],
        3 => {
            let bits = random.below(64);
            vec![many("SADD", count, random, |random, _| {
                vec![text(&(random.next() as i64 >> bits).to_string())]
            })]
        }
        4 => {
            vec![many("ZADD", count, random, |random, _| vec![text(&score(random)), scrap(random)])]
        }
        5 => {
            let set = many("HSET", count, random, |random, _| vec![scrap(random), scrap(random)]);
            let some: Vec<_> =
                set[2..].iter().step_by(2).filter(|_| random.below(2) == 0).cloned().collect();
            if !fields_expire || some.is_empty() {
                return vec![set];
            }
            let at = 4_102_444_800_000 + random.below(1 << 40);
            let expire = format!("HPEXPIREAT {KEY} {at} FIELDS {}", some.len());
            vec![set, expire.split(' ').map(text).chain(some).collect()]
        }
        6 => {
            // Grown and cut: lists with holes in their nodes, hashes that were once larger.
            let mut commands = vec![
                many("RPUSH", count, random, |random, _| vec![scrap(random)]),
                many("LPUSH", 5, random, |random, _| vec![scrap(random)]),
            ];
            commands.push(vec![text("LPOP"), key()]);
            commands.push(vec![text("LSET"), key(), text("-1"), scrap(random)]);
            commands
        }
        _ => stream_commands(random, count.min(200)),
    }
}

fn many(
    command: &str,
    count: u64,
    random: &mut Random,
    element: impl Fn(&mut Random, u64) -> Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut arguments = vec![command.as_bytes().to_vec(), KEY.as_bytes().to_vec()];
    for index in 0..count {
        arguments.extend(element(random, index));
    }
    arguments
}

fn stream_commands(random: &mut Random, count: u64) -> Vec<Vec<Vec<u8>>> {
    let text = |words: &str| -> Vec<Vec<u8>> {
        words.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    };
    let mut commands = Vec::new();
    let mut ids = Vec::new();
    let mut at = random.below(1 << 42);
    for _ in 0..count {
        let most = 1 << (1 + random.below(33));
        at += random.below(most);
        let id = format!("{}-{}", at + 1, random.below(5));
        at += 1;
        let mut command = text(&format!("XADD {KEY} {id}"));
        // Mostly the same fields, so that entries share them; sometimes others.
        let fields = if random.below(4) == 0 { 1 + random.below(5) } else { 2 };
        for field in 0..fields {
            command.push(format!("field{field}").into_bytes());
            command.push(scrap(random));
        }
        commands.push(command);
        ids.push(id);
    }
    for id in ids.iter().filter(|_| random.below(6) == 0) {
        commands.push(text(&format!("XDEL {KEY} {id}")));
    }
    for group in 0..random.below(3) {
        commands.push(text(&format!("XGROUP CREATE {KEY} group{group} 0")));
        commands.push(text(&format!("XGROUP CREATECONSUMER {KEY} group{group} idle")));
        for consumer in ["ana", "bo"] {
            let some = 1 + random.below(10);
            let read =
                format!("XREADGROUP GROUP group{group} {consumer} COUNT {some} STREAMS {KEY} >");
            commands.push(text(&read));
        }
        for id in ids.iter().take(5).filter(|_| random.below(2) == 0) {
            commands.push(text(&format!("XACK {KEY} group{group} {id}")));
        }
    }
    if random.below(5) == 0 {
        commands.push(text(&format!("XTRIM {KEY} MAXLEN {}", random.below(10))));
    }
    commands
}

/// Bytes of the kinds that are encoded each in its own way: numbers of every width, what only looks like one, text,
/// binary, long and compressible.
fn scrap(random: &mut Random) -> Vec<u8> {
    match random.below(9) {
        0 => (random.next() as i64 >> random.below(64)).to_string().into_bytes(),
        1 => random
            .pick(&["007", "-0", "+1", "1.50", "1e3", " 1", "9223372036854775808", ""])
            .as_bytes()
            .to_vec(),
        2 => (0..random.below(70)).map(|_| random.next() as u8).collect(),
        3 => vec![b'x'; *random.pick(&[20, 21, 63, 64, 65, 4095, 4096, 9000])],
        4 => "ünïcode ✓".repeat(1 + random.below(8) as usize).into_bytes(),
        _ => {
            let length = random.below(40);
            (0..length).map(|_| b'a' + random.below(26) as u8).collect()
        }
    }
}

fn score(random: &mut Random) -> String {
    match random.below(5) {
        0 => (random.next() as i64 >> random.below(64)).to_string(),
        1 => random.pick(&["inf", "-inf", "0", "-0", "1e308", "5e-324", "0.1", "1e20"]).to_string(),
        2 => format!("{:e}", f64::from_bits(random.next() & !(0x400 << 52))),
        _ => format!("{}.{}", random.below(1000), random.below(1000)),
    }
}
