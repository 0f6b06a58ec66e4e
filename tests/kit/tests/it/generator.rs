//! What we invent is what a Redis would have saved: it loads the files, and saves the same values as the same bytes.

use std::io::Write;

use keystar_kit::dump::{DumpWriter, kind};
use keystar_kit::generate::{Person, Shape, write};
use keystar_kit::random::Random;
use keystar_kit::redis::{Redis, Reply};

fn load(shape: Shape) -> (Redis, Vec<u8>) {
    let mut bytes = Vec::new();
    // Redis 7.0 loads up to version 10.
    write(shape, 5, 10, &mut bytes).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    (Redis::load(file.path()).unwrap(), bytes)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The value's bytes in a DUMP: without the version and the checksum.
fn value_of(dump: &[u8]) -> &[u8] {
    &dump[..dump.len() - 10]
}

#[test]
fn redis_loads_every_key_of_mixed_data() {
    let records = 3000;
    let (redis, _) = load(Shape::Mixed { records });
    let mut connection = redis.connect().unwrap();
    assert_eq!(connection.command(&["DBSIZE"]).unwrap(), Reply::Integer(2700));
    connection.command(&["SELECT", "1"]).unwrap();
    assert_eq!(connection.command(&["DBSIZE"]).unwrap(), Reply::Integer(300));

    let Reply::Bytes(keyspace) = connection.command(&["INFO", "keyspace"]).unwrap() else {
        panic!("no keyspace")
    };
    let keyspace = String::from_utf8(keyspace).unwrap();
    assert!(keyspace.contains("db0:keys=2700,expires=386"), "{keyspace}");
    assert!(keyspace.contains("db1:keys=300,expires=43"), "{keyspace}");
}

/// Types whose order is Redis's own (tables) are left out: there the same value has many forms.
#[test]
fn redis_dumps_what_it_loaded_as_the_same_bytes() {
    let (redis, file) = load(Shape::Mixed { records: 900 });
    let mut connection = redis.connect().unwrap();
    let Reply::Array(keys) = connection.command(&["KEYS", "*"]).unwrap() else { panic!("no keys") };
    let mut compared = 0;
    for key in keys {
        let Reply::Bytes(key) = key else { panic!("{key:?}") };
        if ["set:", "bigset:", "bighash:"].iter().any(|name| key.starts_with(name.as_bytes())) {
            continue;
        }
        let dump = connection.dump(&key).unwrap();
        let value = value_of(&dump);
        let expected = [&value[..1], &[key.len() as u8], &key, &value[1..]].concat();
        assert!(
            contains(&file, &expected),
            "{:?} is dumped as {value:02x?}",
            String::from_utf8_lossy(&key)
        );
        compared += 1;
    }
    assert!(compared > 600, "only {compared} were compared");
}

#[test]
fn the_articles_hashes_are_what_redis_makes_of_their_fields() {
    let records = 500;
    let mut file = Vec::new();
    write(Shape::Article { records }, 5, 10, &mut file).unwrap();
    let redis = Redis::start().unwrap();
    let mut connection = redis.connect().unwrap();
    let mut person = Person::default();
    for index in 0..records {
        person.become_nth(5, index);
        let Person { key, age, longitude, name, email } = &person;
        let arguments =
            ["HSET", key, "age", age, "longitude", longitude, "name", name, "email", email];
        connection.command(&arguments).unwrap();
        let dump = connection.dump(key.as_bytes()).unwrap();
        let value = value_of(&dump);
        let expected = [&value[..1], &[key.len() as u8], key.as_bytes(), &value[1..]].concat();
        assert!(contains(&file, &expected), "{key} is dumped as {value:02x?}");
    }
}

/// Integers, plain strings, and LZF: the choice among them and the compressed bytes.
#[test]
fn strings_are_encoded_as_redis_encodes_them() {
    let redis = Redis::start().unwrap();
    let mut connection = redis.connect().unwrap();
    let mut random = Random::new(11);
    let mut compressed = 0;
    for round in 0..2000_u64 {
        let letters = 1 + random.below(1 + round % 40);
        let length = random.below(400);
        let text: Vec<u8> = (0..length).map(|_| b'0' + random.below(letters) as u8).collect();
        connection.command(&[b"SET", b"k".as_slice(), &text]).unwrap();
        let dump = connection.dump(b"k").unwrap();

        let mut ours = Vec::new();
        let mut writer = DumpWriter::new(&mut ours, 10).unwrap();
        writer.key(kind::STRING, b"k", None);
        writer.string(&text);
        compressed += writer.compressed();
        writer.finish().unwrap();
        let value = value_of(&dump);
        let expected = [&[0, 1, b'k'], &value[1..]].concat();
        assert_eq!(&ours[ours.len() - 9 - expected.len()..ours.len() - 9], expected, "{text:?}");
    }
    assert!(compressed > 500, "only {compressed} were compressed");
}
