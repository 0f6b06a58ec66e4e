//! What rules do to fields, and to keys.

use keystar_item::json;
use keystar_mapping::{LossKind, Mapping, RejectReason, Route, same_record};
use keystar_rdb::{Db, Field, Record, UnixMillis, Value};

use crate::data::{back, map, mapping};

fn hash(key: &'static str, fields: &[(&'static str, &'static str)]) -> Record<'static> {
    let fields = fields.iter().map(|(name, value)| Field::new((*name).into(), (*value).into()));
    Record::new(Db(0), key.into(), Value::Hash(fields.collect()))
}

/// The first item as text, without its wrapping, and the losses by name.
fn shown(mapping: &Mapping, record: &Record<'static>) -> (String, Vec<&'static str>) {
    let mapped = map(mapping, record).unwrap().unwrap();
    let mut line = Vec::new();
    json::write_item(&mapped.items[0], &mut line);
    let line = String::from_utf8(line).unwrap();
    let line = line.trim_end().strip_prefix("{\"Item\":").unwrap().strip_suffix('}').unwrap();
    (line.to_owned(), mapped.losses.iter().map(|loss| loss.kind.name()).collect())
}

#[test]
fn fields_are_cast() {
    let with = |cast: &str| mapping(&format!("[[rule]]\nfields.f = {{ as = '{cast}' }}"));
    for (cast, value, expected, loss) in [
        ("S", "17", r#"{"S":"17"}"#, None),
        ("N", "17", r#"{"N":"17"}"#, None),
        ("N", "1.50", r#"{"N":"1.5"}"#, Some("number_text")),
        ("N", "x", r#"{"S":"x"}"#, Some("cast_failed")),
        ("BOOL", "1", r#"{"BOOL":true}"#, None),
        ("BOOL", "0", r#"{"BOOL":false}"#, None),
        ("BOOL", "True", r#"{"BOOL":true}"#, Some("cast_text")),
        ("BOOL", "yes", r#"{"S":"yes"}"#, Some("cast_failed")),
        ("NULL", "", r#"{"NULL":true}"#, None),
        ("NULL", "x", r#"{"S":"x"}"#, None),
        (
            "JSON",
            r#"{"a":[1,null,true,"x"]}"#,
            r#"{"M":{"a":{"L":[{"N":"1"},{"NULL":true},{"BOOL":true},{"S":"x"}]}}}"#,
            None,
        ),
        ("JSON", "[1, 2]", r#"{"L":[{"N":"1"},{"N":"2"}]}"#, Some("cast_text")),
        ("JSON", "[1.0]", r#"{"L":[{"N":"1"}]}"#, Some("cast_text")),
        ("JSON", "17", r#"{"N":"17"}"#, None),
        ("JSON", "[1", r#"{"S":"[1"}"#, Some("cast_failed")),
        ("JSON", r#"{"a":1,"a":2}"#, r#"{"S":"{\"a\":1,\"a\":2}"}"#, Some("cast_failed")),
        ("B", "aGk=", r#"{"B":"aGk="}"#, None),
        ("B", "aGk", r#"{"S":"aGk"}"#, Some("cast_failed")),
    ] {
        let mapping = with(cast);
        let record = hash("k", &[("f", value)]);
        let (line, losses) = shown(&mapping, &record);
        assert_eq!(line, format!(r#"{{"key":{{"S":"k"}},"value":{{"M":{{"f":{expected}}}}}}}"#));
        assert_eq!(losses, Vec::from_iter(loss), "{cast} {value}");
        let same = same_record(
            &back(&mapping, &map(&mapping, &record).unwrap().unwrap().items).unwrap(),
            &record,
        );
        assert!(same || loss.is_some(), "{cast} {value}");
    }
}

#[test]
fn fields_are_renamed_dropped_and_hashed() {
    let spec = "[[rule]]\nlayout = 'attributes'\n\
                fields = { age = { rename = 'years', as = 'S' }, tmp = { drop = true }, email = { hash = true } }";
    let mapping = mapping(spec);
    assert!(mapping.needs_salt());
    let record = hash("k", &[("age", "7"), ("tmp", "x"), ("email", "ann@example.org")]);
    let refused = map(&mapping, &record).unwrap().unwrap_err();
    assert_eq!(refused.reason, RejectReason::MissingSalt);
    let mapping = mapping.with_salt("pepper");
    assert!(!mapping.needs_salt());
    let (line, losses) = shown(&mapping, &record);
    // printf 'pepperann@example.org' | sha256sum
    let digest = "b18264b09ad9f8f63b8cf409616260694bb363cc52019dd27b0da6e84aa4c545";
    assert_eq!(
        line,
        format!(r#"{{"key":{{"S":"k"}},"years":{{"S":"7"}},"email":{{"S":"{digest}"}}}}"#)
    );
    assert_eq!(losses, ["field_dropped", "field_hashed"]);
    let back = back(&mapping, &map(&mapping, &record).unwrap().unwrap().items).unwrap();
    let Value::Hash(fields) = back.value else { panic!() };
    assert_eq!(fields[0], Field::new("age".into(), "7".into()));

    let both = hash("k", &[("age", "7"), ("years", "8")]);
    assert_eq!(map(&mapping, &both).unwrap().unwrap_err().reason, RejectReason::NameCollision);
}

#[test]
fn attributes_must_not_take_names() {
    let mapping = mapping("[[rule]]\nlayout = 'attributes'\nattributes.kind = 'user'");
    for name in ["key", "ttl", "ttl_ms", "type", "value", "kind", "part", "offload", "field_ttls"] {
        let reject = map(&mapping, &hash("k", &[(name, "x")])).unwrap().unwrap_err();
        assert_eq!(reject.reason, RejectReason::NameCollision, "{name}");
        assert_eq!(reject.detail, name);
    }
    let empty = hash("k", &[("", "x")]);
    let (line, losses) = shown(&mapping, &empty);
    assert_eq!(line, r#"{"key":{"S":"k"},"base64:":{"S":"x"},"kind":{"S":"user"}}"#);
    assert!(losses.is_empty());
}

#[test]
fn keys_of_indexes_have_their_type() {
    let mapping = mapping(
        "[table]\nindexes = [\n\
         { name = 'by-email', key.partition = { name = 'email' } },\n\
         { name = 'by-score', key = { partition = { name = 'gsi' }, sort = { name = 'score', type = 'N' } } },\n\
         ]\n\
         [[rule]]\nkeys = 'user:{id}'\nlayout = 'attributes'\npk = 'U#{id}'\n\
         attributes = { gsi = 'TEAM#{field:team}', score = '{field:points}' }",
    );
    let (line, losses) =
        shown(&mapping, &hash("user:7", &[("email", "42"), ("team", "red"), ("points", "9")]));
    assert_eq!(
        line,
        r#"{"key":{"S":"U#7"},"email":{"S":"42"},"team":{"S":"red"},"points":{"N":"9"},"gsi":{"S":"TEAM#red"},"score":{"N":"9"}}"#
    );
    assert!(losses.is_empty());
    // Without the field, or without a number in it, the item is left out of the index.
    let (line, losses) = shown(&mapping, &hash("user:7", &[("points", "many")]));
    assert_eq!(line, r#"{"key":{"S":"U#7"},"points":{"S":"many"}}"#);
    assert_eq!(losses, ["cast_failed"]);
}

#[test]
fn what_a_key_template_leaves_out_is_a_loss() {
    let spec = "[[rule]]\nkeys = '{kind}:{id}'\npk = '{id}'\n";
    let record = hash("user:7", &[("a", "b")]);
    let lossy = mapping(spec);
    assert_eq!(shown(&lossy, &record).1, ["key_not_kept"]);
    let error = lossy.record(&map(&lossy, &record).unwrap().unwrap().items).unwrap_err();
    assert_eq!(error.to_string(), "the item does not tell the Redis key");
    let kept = mapping(&format!("names.redis_key = 'from'\n{spec}"));
    let (line, losses) = shown(&kept, &record);
    assert!(line.ends_with(r#""from":{"S":"user:7"}}"#) && losses.is_empty());
    assert!(same_record(
        &back(&kept, &map(&kept, &record).unwrap().unwrap().items).unwrap(),
        &record
    ));
}

#[test]
fn number_keys_are_numbers() {
    let mapping = mapping(
        "unmatched = 'skip'\ntable.key = { partition = { name = 'id', type = 'N' } }\n\
         [[rule]]\nkeys = 'user:{id}'\npk = '{id}'\n",
    );
    assert_eq!(
        shown(&mapping, &hash("user:7", &[("a", "b")])).0,
        r#"{"id":{"N":"7"},"value":{"M":{"a":{"S":"b"}}}}"#
    );
    assert_eq!(shown(&mapping, &hash("user:007", &[("a", "b")])).1, ["key_not_kept"]);
    let reject = map(&mapping, &hash("user:x", &[("a", "b")])).unwrap().unwrap_err();
    assert_eq!(reject.reason, RejectReason::KeyNotNumber);
}

#[test]
fn routes_say_what_becomes_of_a_key() {
    let mapping = mapping(
        "dbs = [0, 1]\nunmatched = 'skip'\n\
         [[rule]]\nkeys = 'cache:*'\nskip = true\n\
         [[rule]]\nkeys = 'session:*'\nexpired = 'drop'\n\
         [[rule]]\nkeys = 'user:*'\ntypes = ['hash']\ndbs = [0]\n",
    )
    .with_as_of(UnixMillis(1000));
    let route = |key: &'static str, db: u32, at: i64| {
        let mut record = hash(key, &[("a", "b")]).with_expires_at(UnixMillis(at));
        record.db = Db(db);
        match mapping.route_record(&record) {
            Route::Rule(rule) => format!("rule {}", rule.get()),
            Route::Filtered(reason) => reason.name().to_owned(),
            Route::Expired(rule) => format!("expired {}", rule.get()),
            Route::Rejected => "rejected".to_owned(),
        }
    };
    assert_eq!(route("cache:1", 0, 2000), "skipped_by_rule");
    assert_eq!(route("session:1", 0, 1001), "rule 1");
    assert_eq!(route("session:1", 0, 1000), "expired 1");
    assert_eq!(route("user:1", 0, 1000), "rule 2");
    assert_eq!(route("user:1", 1, 1000), "no_rule");
    assert_eq!(route("user:1", 2, 1000), "db");
    let strict = Mapping::from_toml("unmatched = 'reject'\n[[rule]]\nkeys = 'user:*'").unwrap();
    assert_eq!(strict.route_record(&hash("x", &[("a", "b")])), Route::Rejected);
    assert_eq!(
        Mapping::default().route_record(&hash("x", &[("a", "b")])).rule().map(|rule| rule.get()),
        Some(0)
    );
}

#[test]
fn losses_are_counted_in_the_record() {
    let mapping = mapping("defaults.numbers = 'loose'");
    let record = hash("k", &[("a", "1.50"), ("b", "007"), ("c", "x")]);
    let mapped = map(&mapping, &record).unwrap().unwrap();
    let losses: Vec<_> = mapped.losses.iter().map(|loss| (loss.kind, loss.count)).collect();
    assert_eq!(losses, [(LossKind::NumberText, 2)]);
}

#[test]
fn memory_is_reused() {
    let mapping = Mapping::default();
    let mut spare = keystar_mapping::Mapped::new();
    spare.items.reserve(100);
    let capacity = spare.items.capacity();
    for _ in 0..3 {
        let record = hash("k", &[("a", "b")]);
        let mut mapped = spare.recycle();
        mapping.map(mapping.route_record(&record).rule().unwrap(), &record, &mut mapped).unwrap();
        assert_eq!(mapped.items.len(), 1);
        spare = mapped.recycle();
    }
    assert_eq!(spare.items.capacity(), capacity);
}
