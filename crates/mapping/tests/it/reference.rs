//! The reference page, made of the cases that prove it.
//!
//! With `UPDATE_DOCS=1` the page is written, without it is compared.

use std::fmt::Write as _;

use keystar_item::json;
use keystar_mapping::{LossKind, Mapping, RejectReason, same_record};
use keystar_rdb::{
    Array, Blob, Db, Field, Group, Json, Module, ModuleId, ModuleToken, Pending, Record, Scored,
    Slot, Stream, StreamEntry, StreamId, UnixMillis, Value,
};

use crate::data::{assert_fits, back, is_changed, map, mapping};

const SORTED: &str = "[table]\nkey = { partition = { name = \"pk\" }, sort = { name = \"sk\" } }\n";

/// Text of the page, and cases.
enum Block {
    Text(&'static str),
    Case { spec: String, record: Record<'static> },
}

#[test]
fn the_reference_is_what_the_mapping_does() {
    let mut page = String::new();
    for block in blocks() {
        match block {
            Block::Text(text) => writeln!(page, "{text}\n").unwrap(),
            Block::Case { spec, record } => case(&mut page, &spec, &record),
        }
    }
    tables(&mut page);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/mapping.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/mapping.md is not what the mapping does: regenerate it"
    );
}

fn case(page: &mut String, spec: &str, record: &Record<'static>) {
    let mapping = mapping(spec);
    if !spec.is_empty() {
        writeln!(page, "```toml\n{}\n```\n", spec.trim_end()).unwrap();
    }
    writeln!(page, "```text\n{}```\n", commands(record)).unwrap();
    match map(&mapping, record).expect("a rule takes it") {
        Ok(mapped) => {
            assert_fits(&mapping, &mapped.items);
            let mut lines = Vec::new();
            for item in &mapped.items {
                json::write_item(item, &mut lines);
            }
            write!(page, "```json\n{}```\n\n", String::from_utf8(lines).unwrap()).unwrap();
            for loss in &mapped.losses {
                let times =
                    if loss.count == 1 { String::new() } else { format!(" × {}", loss.count) };
                writeln!(page, "Loss: `{}`{times}.\n", loss.kind).unwrap();
            }
            if !is_changed(&mapped) {
                assert!(same_record(&back(&mapping, &mapped.items).unwrap(), record), "{page}");
            }
        }
        Err(reject) => writeln!(page, "Rejected: `{}` ({reject}).\n", reject.reason).unwrap(),
    }
}

/// The commands that make the record.
fn commands(record: &Record<'_>) -> String {
    let key = word(&record.key);
    let mut text = String::new();
    if record.db != Db(0) {
        writeln!(text, "SELECT {}", record.db).unwrap();
    }
    let words = |words: &mut dyn Iterator<Item = &Blob<'_>>| {
        words.map(|blob| word(blob)).collect::<Vec<_>>().join(" ")
    };
    match &record.value {
        Value::String(value) => writeln!(text, "SET {key} {}", word(value)),
        Value::List(items) => writeln!(text, "RPUSH {key} {}", words(&mut items.iter())),
        Value::Set(items) => writeln!(text, "SADD {key} {}", words(&mut items.iter())),
        Value::SortedSet(members) => {
            let pairs = members.iter().map(|m| format!(" {} {}", m.score, word(&m.member)));
            writeln!(text, "ZADD {key}{}", pairs.collect::<String>())
        }
        Value::Hash(fields) => {
            let pairs = fields.iter().map(|f| format!(" {} {}", word(&f.name), word(&f.value)));
            writeln!(text, "HSET {key}{}", pairs.collect::<String>()).unwrap();
            for field in fields {
                if let Some(at) = field.expires_at {
                    let name = word(&field.name);
                    writeln!(text, "HPEXPIREAT {key} {} FIELDS 1 {name}", at.0).unwrap();
                }
            }
            Ok(())
        }
        Value::Stream(stream) => {
            for entry in &stream.entries {
                let pairs = entry
                    .fields
                    .iter()
                    .map(|(name, value)| format!(" {} {}", word(name), word(value)));
                writeln!(text, "XADD {key} {}{}", entry.id, pairs.collect::<String>()).unwrap();
            }
            for group in &stream.groups {
                writeln!(text, "XGROUP CREATE {key} {} {}", word(&group.name), group.last_id)
                    .unwrap();
            }
            Ok(())
        }
        Value::Json(json) => writeln!(text, "JSON.SET {key} $ '{}'", document(json)),
        Value::Array(array) => {
            for (index, slot) in &array.slots {
                let value = match slot {
                    Slot::Text(value) => word(value),
                    Slot::Int(value) => value.to_string(),
                    Slot::Float(value) => value.to_string(),
                    _ => String::new(),
                };
                writeln!(text, "ARSET {key} {index} {value}").unwrap();
            }
            Ok(())
        }
        Value::Module(module) => {
            writeln!(
                text,
                "(a value of the module type {}, version {})",
                module.name, module.version
            )
        }
        _ => Ok(()),
    }
    .unwrap();
    if let Some(at) = record.expires_at {
        writeln!(text, "PEXPIREAT {key} {}", at.0).unwrap();
    }
    text
}

fn word(bytes: &[u8]) -> String {
    let plain = !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
    let text = bytes.escape_ascii().to_string();
    if plain { text } else { format!("\"{text}\"") }
}

fn document(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(text) => text.clone(),
        Json::String(text) => format!("{text:?}"),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(document).collect::<Vec<_>>().join(","))
        }
        Json::Object(entries) => {
            let entries =
                entries.iter().map(|(name, value)| format!("{name:?}:{}", document(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

fn tables(page: &mut String) {
    page.push_str(
        "## Losses\n\nA loss is counted, with the first keys, and never stops a run.\n\n",
    );
    for kind in LossKind::ALL {
        writeln!(page, "- `{kind}`: {}", kind.explanation().trim()).unwrap();
    }
    page.push_str("\n## Rejects\n\nA reject sets the record aside, with its reason.\n\n");
    for reason in RejectReason::ALL {
        writeln!(page, "- `{reason}`: {}", reason.explanation().trim()).unwrap();
    }
}

fn record(key: &'static str, value: Value<'static>) -> Record<'static> {
    Record::new(Db(0), key.into(), value)
}

fn string(value: &'static str) -> Value<'static> {
    Value::String(value.into())
}

fn hash(fields: &[(&'static str, &'static str)]) -> Value<'static> {
    Value::Hash(
        fields.iter().map(|(name, value)| Field::new((*name).into(), (*value).into())).collect(),
    )
}

fn article() -> Record<'static> {
    record(
        "i:",
        hash(&[
            ("name", "Ann"),
            ("age", "6867"),
            ("longitude", "-48.711598"),
            ("email", "ann@example.org"),
        ]),
    )
}

fn list() -> Record<'static> {
    record("todo", Value::List(vec!["wash".into(), "7".into(), "cook".into()]))
}

fn set() -> Record<'static> {
    record("tags", Value::Set(vec!["red".into(), "7".into()]))
}

fn board() -> Record<'static> {
    let members = [("bob", 2.0), ("ann", 1.5), ("cat", 2.0)];
    record(
        "board",
        Value::SortedSet(members.map(|(member, score)| Scored::new(member.into(), score)).into()),
    )
}

fn stream() -> Record<'static> {
    let entry = |ms, fields: &[(&'static str, &'static str)]| StreamEntry {
        id: StreamId::new(ms, 0),
        fields: fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    let mut stream = Stream::default();
    stream.entries = vec![
        entry(1_700_000_000_000, &[("sensor", "7"), ("celsius", "21.5")]),
        entry(1_700_000_000_001, &[("tag", "a"), ("tag", "b")]),
    ];
    stream.length = 2;
    stream.last_id = StreamId::new(1_700_000_000_001, 0);
    stream.entries_added = Some(2);
    let mut group = Group::new("workers".into(), StreamId::new(1_700_000_000_000, 0));
    group.pending = vec![
        Pending::new(StreamId::new(1_700_000_000_000, 0), UnixMillis(1_700_000_001_000), 1)
            .with_consumer(Blob::from("w1")),
    ];
    stream.groups = vec![group];
    record("readings", Value::Stream(Box::new(stream)))
}

fn array() -> Record<'static> {
    let slots = vec![(0, Slot::Text("a".into())), (5, Slot::Int(7)), (6, Slot::Float(0.5))];
    record("sparse", Value::Array(Array::new(slots).with_insert_index(7)))
}

fn json_document() -> Record<'static> {
    let entries = vec![
        ("name".into(), Json::String("Ann".into())),
        ("age".into(), Json::Number("41".into())),
        ("tags".into(), Json::Array(vec![Json::Bool(true), Json::Null])),
    ];
    record("doc", Value::Json(Json::Object(entries)))
}

fn module() -> Record<'static> {
    let tokens =
        vec![ModuleToken::Uint(2), ModuleToken::Double(0.01), ModuleToken::Text("bits".into())];
    let mut module = Module::new(ModuleId(0), tokens);
    module.name = "MBbloom--".into();
    module.version = 4;
    record("seen", Value::Module(module))
}

fn field_expiry() -> Record<'static> {
    let fields = vec![
        Field::new("token".into(), "abc".into()).with_expires_at(UnixMillis(1_900_000_000_500)),
        Field::new("user".into(), "7".into()),
    ];
    record("session", Value::Hash(fields)).with_expires_at(UnixMillis(1_900_000_100_000))
}

#[allow(clippy::too_many_lines, reason = "the page, from top to bottom")]
fn blocks() -> Vec<Block> {
    let text = Block::Text;
    let case = |spec: &str, record| Block::Case { spec: spec.to_owned(), record };
    let plain = |record| case("", record);
    let collection = format!("{SORTED}\n[defaults]\nlayout = \"collection\"");
    let collected = |record| case(&collection, record);
    vec![
        text(
            "# Mapping reference\n\nHow each Redis type becomes items, and what is lost. This page is generated by the tests of `keystar-mapping` from the very cases that prove it: every record below was mapped, checked against DynamoDB's limits, and, unless a loss says otherwise, read back and found the same.\n\n`migrate schema` prints the JSON schema of the mapping file.",
        ),
        text(
            "## The layout `item`\n\nThe default: one item, the value in the attribute `value`. The Redis type is written (`type`) where the attribute does not tell it.\n\n### Hash",
        ),
        plain(article()),
        text(
            "### String\n\nA number where DynamoDB hands back the same text, else text, else bytes.",
        ),
        plain(record("counter", string("6867"))),
        plain(record("zip", string("007"))),
        plain(record("bitmap", Value::String(b"\xff\x01".into()))),
        text("### List"),
        plain(list()),
        text(
            "### Set\n\nAlways of texts, also where all members look like numbers, since DynamoDB would take `1` and `1.0` for one; of bytes where one member is no text.",
        ),
        plain(set()),
        plain(record("hashes", Value::Set(vec![b"\xff".into(), "a".into()]))),
        text(
            "### Sorted set\n\nBy score, then member. A score that is no number of DynamoDB's is text.",
        ),
        plain(board()),
        plain(record("odds", Value::SortedSet(vec![Scored::new("never".into(), f64::INFINITY)]))),
        text(
            "With `geo = true`, members of geo indexes say where they are; the score keeps the exact cell.",
        ),
        case(
            "[defaults]\ngeo = true",
            record(
                "towns",
                Value::SortedSet(vec![Scored::new("Palermo".into(), 3_479_099_956_230_698.0)]),
            ),
        ),
        text(
            "### Stream\n\nThe fields of an entry are a list of names and values in turn, as `XRANGE` answers them, so that order and repeated names survive.",
        ),
        plain(stream()),
        text("As a map they are handier in queries, and lose both."),
        case("[defaults]\nstream_fields = \"map\"", stream()),
        text("### JSON document"),
        plain(json_document()),
        text(
            "### Array (Redis 8.8)\n\nIndex and value of each slot that is filled. Floats are maps, to tell them from integers.",
        ),
        plain(array()),
        text(
            "### Values of other modules\n\nTheir tokens, each with its type; only the module knows what they mean.",
        ),
        plain(module()),
        text(
            "## The layout `attributes`\n\nThe fields of a hash are attributes of their own. Other types are as in `item`, with their `type`.",
        ),
        case("[defaults]\nlayout = \"attributes\"", article()),
        case("[defaults]\nlayout = \"attributes\"", list()),
        text(
            "A field that has the name of an attribute which the mapping writes itself needs a `rename`.",
        ),
        case("[defaults]\nlayout = \"attributes\"", record("clash", hash(&[("type", "admin")]))),
        text(
            "## The layout `collection`\n\nOne item for each element. The sort key is what tells elements apart: the field, the member, the index with ten digits, the score as sixteen digits that sort as it does and then the member, the id with twice twenty digits.",
        ),
        collected(article()),
        collected(list()),
        collected(set()),
        collected(board()),
        text("What a stream has besides entries is one more item."),
        collected(stream()),
        collected(array()),
        text("Types without elements are one item."),
        collected(record("counter", string("6867"))),
        text(
            "## Expiry\n\nWhole seconds, rounded up so that nothing vanishes too early, in the table's TTL attribute; the exact milliseconds beside where they differ.",
        ),
        plain(record("session", string("x")).with_expires_at(UnixMillis(1_900_000_000_000))),
        plain(record("session", string("x")).with_expires_at(UnixMillis(1_900_000_000_001))),
        text("Fields that expire by themselves: milliseconds by name, or an expiry of each item."),
        plain(field_expiry()),
        collected(field_expiry()),
        text(
            "## Numbers\n\n`numbers` is `exact` by default: only texts that come back the same. `loose` takes every decimal that fits, `never` none.",
        ),
        case(
            "[defaults]\nnumbers = \"loose\"",
            record("prices", hash(&[("a", "1.50"), ("b", "1e3"), ("c", "12")])),
        ),
        case(
            "[defaults]\nnumbers = \"never\"",
            record("prices", hash(&[("a", "1.50"), ("c", "12")])),
        ),
        text(
            "## Databases\n\n`db = \"prefix\"` (the default), `\"attribute\"` or `\"folder\"`. A key of database 0 that looks as if it had a prefix gets one.",
        ),
        plain(Record::new(Db(3), "counter".into(), string("1"))),
        plain(record("db3:counter", string("1"))),
        case("db = \"attribute\"", Record::new(Db(3), "counter".into(), string("1"))),
        text(
            "## Keys and names that are not text\n\nBase64 with `base64:` before it; so are the empty name and names that begin like that themselves. Nothing is lost, and no two names become one. `binary = \"reject\"` sets such records aside.",
        ),
        plain(Record::new(
            Db(0),
            b"\xff\xfe".into(),
            hash(&[("", "empty"), ("base64:x", "marked")]),
        )),
        case(
            "[defaults]\nbinary = \"reject\"",
            Record::new(Db(0), b"\xff\xfe".into(), string("x")),
        ),
        text("In tables whose keys are bytes, keys are as they are."),
        case(
            "[table]\nkey = { partition = { name = \"pk\", type = \"B\" } }",
            Record::new(Db(0), b"\xff\xfe".into(), string("x")),
        ),
        text(
            "## Rules\n\nThe first rule whose keys, types and databases fit maps the key. `keys` is a glob, or has named segments; `regex` is a regular expression with named groups. Templates of keys and attributes refer to segments, to `{key}` and `{db}`, attributes also to fields of the hash. A backslash takes the meaning of a brace or of a glob's character: `\\{`.",
        ),
        case(
            &format!(
                "{SORTED}indexes = [{{ name = \"by-email\", key.partition = {{ name = \"email\" }} }}]\n\n[defaults]\nsk = \"VALUE\"\n\n[[rule]]\nkeys = \"user:{{id}}\"\ntypes = [\"hash\"]\nlayout = \"attributes\"\npk = \"USER#{{id}}\"\nsk = \"PROFILE\"\nattributes = {{ entity = \"user\", search = \"{{field:name}}#{{id}}\" }}\n\n[rule.fields]\nage = {{ as = \"N\" }}\nadmin = {{ as = \"BOOL\" }}\nprefs = {{ as = \"JSON\" }}\nmail = {{ rename = \"email\" }}\npassword = {{ drop = true }}\n"
            ),
            record(
                "user:7",
                hash(&[
                    ("name", "Ann"),
                    ("age", "41"),
                    ("admin", "1"),
                    ("prefs", "{\"dark\":true}"),
                    ("mail", "ann@example.org"),
                    ("password", "x"),
                ]),
            ),
        ),
        case(
            &format!(
                "{SORTED}\n[defaults]\nsk = \"VALUE\"\n\n[[rule]]\nkeys = \"user:{{id}}:orders\"\nlayout = \"collection\"\npk = \"USER#{{id}}\"\nsk = \"ORDER#\""
            ),
            record("user:7:orders", Value::List(vec!["a17".into(), "b18".into()])),
        ),
        text(
            "Where the item's key does not give the Redis key back, that is a loss, unless an attribute is to keep it.",
        ),
        case("[[rule]]\nkeys = \"{kind}:{id}\"\npk = \"{id}\"", record("user:7", string("x"))),
        case(
            "[names]\nredis_key = \"redis_key\"\n\n[[rule]]\nkeys = \"{kind}:{id}\"\npk = \"{id}\"",
            record("user:7", string("x")),
        ),
        text(
            "## Values over 400 KB\n\n`oversize` is `reject` by default. `split` cuts the value into parts, each an item with as many elements as fit: the first has the key of the whole, part 7 has `#00000007` after the sort key, or after the partition key where there is no sort key. Every part has its number (`part`) and how many elements, or bytes of a string, come before (`start`); the last has how many parts there are (`parts`). `offload` writes the value beside the items, a string as its bytes (`.bin`), other types as the lines that `split` would make (`.jsonl`), and the item has an attribute `offload` with the file's `name`, `bytes` and `sha256`.",
        ),
        text(
            "## The table\n\n`[table]` says what the key is, which every item must have; the name is that of `--to` where that names a table. The rest holds where a table is made or loaded for you: an import and `--create-table` make it with key, `indexes`, `billing`, `encryption` and the limits and warm throughput of units a second; what would cost or get in the way during the load (expiry by `ttl_attribute`, `point_in_time_recovery`, `tags`, `stream`, `deletion_protection`) is set once the items are in it, also in a table that was there before. All settings may be left out; what they are without is in the comments.",
        ),
        case(
            "[table]\nname = \"users\"\nkey = { partition = { name = \"pk\", type = \"S\" }, sort = { name = \"sk\", type = \"S\" } }\nbilling = \"on-demand\"        # or { provisioned = { read_units = 100, write_units = 1000 } }\nttl_attribute = \"ttl\"        # the attribute with the expiry\nindexes = [{ name = \"by-email\", key.partition = { name = \"email\" }, projection = \"keys-only\" }]\n\n[table.settings]\nencryption = \"owned\"         # by DynamoDB; \"managed\" by AWS in the account; or a key's ARN, id or alias\nmax_read_units = 10000       # on demand: no limit\nmax_write_units = 40000      # on demand: no limit\nwarm_read_units = 12000      # at once, from the first second: what DynamoDB gives\nwarm_write_units = 40000     # the same\nexpire = true                # time to live is switched on\npoint_in_time_recovery = true # false\ndeletion_protection = true   # false\nstream = \"new-and-old\"       # or \"keys\", \"new\", \"old\"; none\ntags = { team = \"cache\" }     # none\n\n[defaults]\nsk = \"VALUE\"",
            record("counter", string("6867")),
        ),
    ]
}

/// The page shows the default; here it is said again so that it cannot change unseen.
#[test]
fn the_default_is_the_articles_shape() {
    let mapping = Mapping::default();
    let record = article();
    let mapped = map(&mapping, &record).unwrap().unwrap();
    let mut line = Vec::new();
    json::write_item(&mapped.items[0], &mut line);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "{\"Item\":{\"key\":{\"S\":\"i:\"},\"value\":{\"M\":{\"name\":{\"S\":\"Ann\"},\
         \"age\":{\"N\":\"6867\"},\"longitude\":{\"N\":\"-48.711598\"},\
         \"email\":{\"S\":\"ann@example.org\"}}}}}\n"
    );
}
