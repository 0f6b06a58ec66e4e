//! The short way leads where the long way does.

use keystar_item::{json, limits};
use keystar_mapping::{Lines, Mapped};
use keystar_rdb::{
    Blob, Context, Db, Encoding, Family, Field, Frame, Head, Kind, Record, UnixMillis, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::data::{MAPPINGS, blob, mapping, record};

/// Mappings whose hashes go the short way.
const STRAIGHT: [&str; 4] =
    ["", "db = 'attribute'", "dbs = [0, 1]\ndb = 'folder'", "defaults.binary = 'reject'"];

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0x80);
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// A hash field by field, as a dump has it.
fn payload(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = vec![0x80];
    out.extend((fields.len() as u32).to_be_bytes());
    for field in fields {
        put(&mut out, &field.name);
        put(&mut out, &field.value);
    }
    out
}

/// The line of the short way, after the same was found by the long way.
fn line(spec: &str, lines: &mut Lines<'_>, record: &Record<'_>) -> Option<String> {
    let mapping = mapping(spec);
    let Value::Hash(fields) = &record.value else { panic!("no hash") };
    let payload = payload(fields);
    let head = Head::new(record.db, record.key.reborrow(), Encoding::plain(Kind::Hash))
        .with_expires_at(record.expires_at);
    let rule = mapping.route(&head).rule()?;
    let frame = Frame::new(head, &payload, 0);
    let line = lines.line(rule, &frame)?.to_vec();

    let context = Context::new(Family::Redis, 11);
    let record = frame.decode(&context).unwrap();
    let mut mapped = Mapped::new();
    mapping.map(rule, &record, &mut mapped).unwrap();
    assert_eq!((mapped.items.len(), mapped.losses.len(), mapped.offloads.len()), (1, 0, 0));
    let item = &mapped.items[0];
    limits::check(item, mapping.table()).unwrap();
    let mut expected = Vec::new();
    json::write_item(item, &mut expected);
    assert_eq!(line, expected, "{spec}");
    Some(String::from_utf8(line).unwrap())
}

fn hash(key: &str, fields: &[(&str, &str)]) -> Record<'static> {
    let blob = |text: &str| Blob::from(text.to_owned());
    let fields = fields.iter().map(|(name, value)| Field::new(blob(name), blob(value)));
    Record::new(Db(0), blob(key), Value::Hash(fields.collect()))
}

proptest! {
    #[test]
    fn lines_are_those_of_mapped_records(
        record in record(),
        key in "[a-z0-9:.]{1,12}",
        texts in vec(("[a-z]{1,8}", blob()), 1..6),
        db in 0..2_u32,
    ) {
        // Any hash, and one that mostly goes the short way.
        let plain = texts.into_iter().map(|(name, value)| Field::new(name.into(), value));
        let plain = Record::new(Db(db), key.into(), Value::Hash(plain.collect()));
        for record in [record, plain] {
            let Value::Hash(fields) = &record.value else { continue };
            if fields.iter().any(|field| field.expires_at.is_some()) {
                continue;
            }
            for (spec, mapping) in &*MAPPINGS {
                let line = line(spec, &mut Lines::new(mapping), &record);
                prop_assert!(line.is_none() || STRAIGHT.contains(spec), "{spec}");
            }
        }
    }
}

#[test]
fn the_short_way_is_taken() {
    let record = hash("i:1.2.3.4", &[("age", "6867"), ("longitude", "-48.71"), ("name", "Ann é")]);
    let expected = concat!(
        r#"{"Item":{"key":{"S":"i:1.2.3.4"},"value":{"M":{"age":{"N":"6867"},"#,
        r#""longitude":{"N":"-48.71"},"name":{"S":"Ann é"}}}}}"#,
        "\n"
    );
    for spec in STRAIGHT {
        let mapping = mapping(spec);
        assert_eq!(line(spec, &mut Lines::new(&mapping), &record).as_deref(), Some(expected));
    }
}

#[test]
fn all_else_takes_the_long_way() {
    let plain = hash("k", &[("a", "1")]);
    let takes = |spec: &str, record: &Record<'_>| {
        line(spec, &mut Lines::new(&mapping(spec)), record).is_some()
    };
    assert!(takes("", &plain));
    for (spec, why) in [
        ("defaults.layout = 'attributes'", "a layout"),
        ("defaults.numbers = 'loose'", "numbers"),
        ("defaults.numbers = 'never'", "numbers"),
        ("defaults.type = 'always'", "the type"),
        ("defaults.attributes = { one = 1 }", "attributes"),
        ("defaults.pk = 'x{key}'", "a template"),
        ("[[rule]]\nkeys = '*'\nfields.b = { drop = true }", "fields"),
        ("table.key.partition = { name = 'pk', type = 'B' }", "bytes"),
        (
            "[[table.indexes]]\nname = 'idx'\nkey.partition = { name = 'value' }",
            "an index whose key is no map",
        ),
    ] {
        assert!(!takes(spec, &plain), "{why}");
    }
    let in_db = |db, key| Record::new(Db(db), hash(key, &[]).key, plain.value.clone());
    assert!(!takes("", &in_db(1, "k")) && takes("db = 'folder'", &in_db(1, "k")));
    assert!(!takes("db = 'attribute'", &in_db(1, "k")));
    assert!(!takes("", &in_db(0, "db1:k")) && takes("db = 'folder'", &in_db(0, "db1:k")));
    assert!(!takes("", &plain.clone().with_expires_at(UnixMillis(1))));
    for (key, fields, why) in [
        ("", [("a", "1")], "the empty key"),
        ("base64:", [("a", "1")], "a key that must be escaped"),
        ("k", [("", "1")], "the empty name"),
        ("k", [("base64:a", "1")], "a name that must be escaped"),
    ] {
        assert!(!takes("", &hash(key, &fields)), "{why}");
    }
    assert!(!takes("", &hash("k", &[])), "no fields");
    assert!(!takes("", &hash("k", &[("a", "1"), ("a", "2")])), "a name twice");
}
