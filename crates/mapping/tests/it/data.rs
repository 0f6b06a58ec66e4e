//! Records, mappings and pieces to try the laws on.

use std::sync::LazyLock;

use keystar_item::{Item, limits};
use keystar_mapping::{Assembly, Error, LossKind, Mapped, Mapping, PartState, Reject};
use keystar_rdb::{
    Array, Blob, Consumer, Db, Field, Group, Head, Idempotency, Json, Level, Module, ModuleId,
    ModuleToken, Options, Part, Parts, Pending, Producer, Reader, Record, Scored, Slot, Stream,
    StreamEntry, StreamId, UnixMillis, Value,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// Mappings under which every record without a reported loss must come back.
const SPECS: &[&str] = &[
    "",
    "defaults.layout = 'attributes'",
    "defaults = { type = 'always', numbers = 'never', geo = true }",
    "defaults = { type = 'never', numbers = 'loose' }\nnames.redis_key = 'redis_key'",
    "db = 'attribute'",
    "db = 'attribute'\ndefaults.pk = '{db}/{key}'",
    "table.key = { partition = { name = 'pk', type = 'B' } }",
    "table.key = { partition = { name = 'pk', type = 'B' } }\ndb = 'attribute'\n\
     [[rule]]\nkeys = 'user:{a}:{b}'\npk = '{b}|{a}'\n",
    "defaults = { layout = 'collection', geo = true }\n\
     table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }",
    "defaults = { layout = 'collection', sk = 'E#', type = 'always', stream_fields = 'map' }\n\
     table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }",
    "defaults = { layout = 'collection', pk = 'all', sk = '{key}#', numbers = 'loose' }\n\
     table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }",
    "defaults = { pk = 'all', sk = '{key}' }\n\
     table.key = { partition = { name = 'pk' }, sort = { name = 'sk', type = 'B' } }",
    // Rules that get in each other's way, and templates that cannot be read.
    "[[rule]]\nkeys = 'user:{id}'\npk = 'USER#{id}'\nlayout = 'attributes'\n\
     [[rule]]\nkeys = 'db{n}:{rest}'\npk = '{rest}:{n}'\n",
    "names.redis_key = 'redis_key'\n\
     [[rule]]\nkeys = 'user:{id}'\npk = 'USER#{id}'\nlayout = 'attributes'\n\
     [[rule]]\nkeys = 'user*'\npk = '{key}!'\n\
     [[rule]]\nkeys = '{a}:{b}'\npk = '{b}{a}'\n",
    "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\ndefaults.sk = 'V'\n\
     [[rule]]\nkeys = 'user:{id}'\ntypes = ['hash', 'string']\nlayout = 'attributes'\n\
     pk = 'U#{id}'\nsk = 'V'\n\
     [[rule]]\nkeys = 'user:{id}'\npk = 'U#{id}'\nsk = 'V'\n\
     [[rule]]\nkeys = '{a}:{b}'\npk = '{a}'\nsk = 'B{b}#'\nlayout = 'collection'\n",
    "names.redis_key = 'from'\n\
     table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n\
     [[rule]]\nkeys = '{a}:{b}'\npk = '{db}{b}'\nsk = '{a}{db}:'\nlayout = 'collection'\n\
     [[rule]]\nkeys = '*'\npk = 'x'\nsk = '{key}{db}'\n",
    "[[rule]]\nregex = '(?<kind>[a-z]+):(?<id>.*)'\npk = '{kind}'\nnumbers = 'never'\n\
     attributes = { id = '{id}', whole = '{key}', one = 1, yes = true }\n",
    "dbs = [0, 1]\ndb = 'folder'",
    "defaults.binary = 'reject'",
];

pub(crate) static MAPPINGS: LazyLock<Vec<(&str, Mapping)>> =
    LazyLock::new(|| SPECS.iter().map(|spec| (*spec, mapping(spec))).collect());

pub(crate) fn mapping(spec: &str) -> Mapping {
    Mapping::from_toml(spec).unwrap_or_else(|error| panic!("{spec}\n{error}"))
}

/// Maps a record that some rule takes.
pub(crate) fn map<'r>(
    mapping: &'r Mapping,
    record: &'r Record<'_>,
) -> Option<Result<Mapped<'r>, Reject>> {
    let rule = mapping.route_record(record).rule()?;
    let mut mapped = Mapped::new();
    Some(mapping.map(rule, record, &mut mapped).map(|()| mapped))
}

/// Every item keeps DynamoDB's limits.
pub(crate) fn assert_fits(mapping: &Mapping, items: &[Item<'_>]) {
    for item in items {
        if let Err(violation) = limits::check(item, mapping.table()) {
            panic!("{violation}: {item:?}");
        }
    }
}

/// Whether a record with these losses cannot be expected back.
pub(crate) fn is_changed(mapped: &Mapped<'_>) -> bool {
    mapped.losses.iter().any(|loss| {
        // These change the type of an attribute, not what it says.
        !matches!(loss.kind, LossKind::InfiniteScore | LossKind::NanScore)
    })
}

pub(crate) fn back(mapping: &Mapping, items: &[Item<'_>]) -> Result<Record<'static>, Error> {
    let mut assembly = Assembly::new();
    // The order of items means nothing.
    for item in items.iter().rev() {
        assembly.add(mapping.unmap(item)?)?;
    }
    assembly.finish()
}

/// Maps a record in pieces that end at these elements.
pub(crate) fn map_in_pieces(
    mapping: &Mapping,
    record: &Record<'static>,
    cuts: &[usize],
) -> Result<Mapped<'static>, Reject> {
    let rule = mapping.route_record(record).rule().unwrap();
    let mut state = PartState::new(rule);
    let mut all = Mapped::new();
    for part in pieces(record, cuts) {
        let mut mapped = Mapped::new();
        mapping.map_part(&mut state, &part, &mut mapped)?;
        all.items.extend(mapped.items.into_iter().map(|item| item.into_owned()));
        all.losses.extend(mapped.losses);
        for offload in mapped.offloads {
            let line = (offload.name, offload.bytes.into_owned(), offload.last);
            all.offloads.push(to_offload(line));
        }
    }
    assert!(state.is_done());
    Ok(all)
}

fn to_offload((name, bytes, last): (String, Vec<u8>, bool)) -> keystar_mapping::Offload<'static> {
    keystar_mapping::Offload::new(name, bytes, last)
}

/// A part to change: only the reader of dumps makes one.
fn any_part() -> Part {
    let dump = b"REDIS0003\xfe\x00\x01\x04list\x01\x01a\xff";
    let mut reader = Reader::new(&dump[..], Options::new(Level::Elements));
    let mut parts = Parts::new(1);
    while let Some(event) = reader.next().unwrap() {
        if let Some(part) = parts.push(event) {
            return part;
        }
    }
    panic!("no part");
}

fn pieces(record: &Record<'static>, cuts: &[usize]) -> Vec<Part> {
    let length = match &record.value {
        Value::String(text) => text.len(),
        other => other.len(),
    };
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (length + 1)).collect();
    ends.push(length);
    ends.sort_unstable();
    let count = ends.len();
    let mut start = 0;
    let mut pieces = Vec::new();
    for (index, end) in ends.into_iter().enumerate() {
        let last = index + 1 == count;
        let mut part = any_part();
        let head = Head::new(record.db, record.key.clone(), part.head.encoding);
        part.head = head.with_expires_at(record.expires_at);
        part.value = match &record.value {
            Value::String(text) => Value::String(Blob::copied(&text[start..end])),
            Value::List(items) => Value::List(items[start..end].to_vec()),
            Value::Set(items) => Value::Set(items[start..end].to_vec()),
            Value::SortedSet(items) => Value::SortedSet(items[start..end].to_vec()),
            Value::Hash(items) => Value::Hash(items[start..end].to_vec()),
            Value::Stream(stream) => {
                let mut piece = if last { (**stream).clone() } else { Stream::default() };
                piece.entries = stream.entries[start..end].to_vec();
                Value::Stream(Box::new(piece))
            }
            Value::Array(array) => Value::Array(
                Array::new(array.slots[start..end].to_vec()).with_insert_index(array.insert_index),
            ),
            other if last => other.clone(),
            _ => continue,
        };
        part.start = if matches!(record.value, Value::Json(_) | Value::Module(_)) {
            0
        } else {
            start as u64
        };
        part.last = last;
        pieces.push(part);
        start = end;
    }
    pieces
}

/// Text and bytes with everything that makes trouble.
pub(crate) fn blob() -> impl Strategy<Value = Blob<'static>> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "", "0", "-0", "007", "1.50", "1e3", "6867", "-48.711598", "+1", ".5", "true", "null",
            "base64:", "base64:YQ==", "db1:x", "db0:", "value", "tail", "part", "type", "key", "#",
            "12345678901234567890123456789012345678", "123456789012345678901234567890123456789",
            "1e126", "[1,2]", "{\"a\":1}", "é", "\u{0}", "a#00000001",
        ]).prop_map(|text| Blob::from(text.to_owned())),
        3 => "[a-z0-9:#. -]{0,12}".prop_map(Blob::from),
        2 => any::<i64>().prop_map(|number| Blob::from(number.to_string())),
        1 => any::<f64>().prop_map(|number| Blob::from(number.to_string())),
        2 => vec(any::<u8>(), 0..12).prop_map(Blob::from),
        1 => ".{0,8}".prop_map(Blob::from),
    ]
}

fn key() -> impl Strategy<Value = Blob<'static>> {
    prop_oneof![
        3 => "(user|shop|USER#|U#|db[0-9]|all)[:#]?[a-z0-9:#|]{0,6}".prop_map(Blob::from),
        1 => "[a-z]{1,3}:[a-z:]{1,4}".prop_map(Blob::from),
        2 => blob(),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            1.5,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e-300,
            1e300,
            f64::MIN_POSITIVE,
            1_479_047_776_116_889.0,
        ]),
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("NaN is never equal", |score| !score.is_nan()),
    ]
}

fn millis() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![Just(1_700_000_000_000), Just(-1), 0..i64::from(u32::MAX) * 1000]
        .prop_map(UnixMillis)
}

fn id() -> impl Strategy<Value = StreamId> {
    prop_oneof![(0..3_u64, 0..3_u64), (any::<u64>(), any::<u64>()),]
        .prop_map(|(ms, seq)| StreamId::new(ms, seq))
}

fn stream() -> impl Strategy<Value = Stream<'static>> {
    let entries = btree_map(id(), vec((blob(), blob()), 0..4), 0..4);
    let pending = (id(), prop::option::of(blob()), millis(), any::<u64>())
        .prop_map(|(id, consumer, at, count)| Pending::new(id, at, count).with_consumer(consumer));
    let consumer = (blob(), millis(), prop::option::of(millis()))
        .prop_map(|(name, seen, active)| Consumer::new(name, seen, active));
    let group = (
        blob(),
        id(),
        prop::option::of(any::<u64>()),
        vec(pending, 0..3),
        vec(consumer, 0..3),
        vec(id(), 0..3),
    )
        .prop_map(|(name, last_id, read, pending, consumers, nacked)| {
            let mut group = Group::new(name, last_id);
            group.entries_read = read;
            group.pending = pending;
            group.consumers = consumers;
            group.nacked = nacked;
            group
        });
    let producers = vec(
        (blob(), vec((blob(), id()), 0..3)).prop_map(|(id, entries)| Producer::new(id, entries)),
        0..3,
    );
    let idempotency = (any::<[u64; 4]>(), producers).prop_map(|(numbers, producers)| {
        let mut data = Idempotency::default();
        [data.duration_seconds, data.max_entries, data.ids_added, data.duplicates] = numbers;
        data.producers = producers;
        data
    });
    (
        entries,
        any::<u64>(),
        id(),
        prop::option::of(id()),
        prop::option::of(id()),
        prop::option::of(any::<u64>()),
        vec(group, 0..3),
        prop::option::of(idempotency),
    )
        .prop_map(|(entries, length, last, first, deleted, added, groups, idempotency)| {
            let mut stream = Stream::default();
            stream.entries =
                entries.into_iter().map(|(id, fields)| StreamEntry { id, fields }).collect();
            stream.length = length;
            stream.last_id = last;
            stream.first_id = first;
            stream.max_deleted_id = deleted;
            stream.entries_added = added;
            stream.groups = groups;
            stream.idempotency = idempotency;
            stream
        })
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        prop::sample::select(vec!["0", "-1", "1.5", "1.0", "1e3", "1e999", "-0"])
            .prop_map(|number| Json::Number(number.into())),
        ".{0,6}".prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            btree_map(prop_oneof!["[a-c]{0,2}", "base64:.?"], inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn module() -> impl Strategy<Value = Module<'static>> {
    let float = any::<f64>().prop_filter("NaN is never equal", |float| !float.is_nan());
    let token = prop_oneof![
        any::<i64>().prop_map(ModuleToken::Int),
        any::<u64>().prop_map(ModuleToken::Uint),
        float.clone().prop_map(|float| ModuleToken::Float(float as f32)),
        float.prop_map(ModuleToken::Double),
        blob().prop_map(ModuleToken::Text),
    ];
    (any::<u64>(), vec(token, 0..5)).prop_map(|(id, tokens)| Module::new(ModuleId(id), tokens))
}

fn array() -> impl Strategy<Value = Array<'static>> {
    let slot = prop_oneof![
        blob().prop_map(Slot::Text),
        any::<i64>().prop_map(Slot::Int),
        any::<f64>()
            .prop_filter("NaN is never equal", |float| !float.is_nan())
            .prop_map(Slot::Float),
    ];
    (btree_map(any::<u64>(), slot, 1..5), prop::option::of(any::<u64>()))
        .prop_map(|(slots, index)| Array::new(slots.into_iter().collect()).with_insert_index(index))
}

pub(crate) fn value() -> impl Strategy<Value = Value<'static>> {
    let fields = btree_map(blob(), (blob(), prop::option::weighted(0.2, millis())), 1..6);
    prop_oneof![
        2 => blob().prop_map(Value::String),
        2 => vec(blob(), 1..6).prop_map(Value::List),
        2 => btree_set(blob(), 1..6).prop_map(|set| Value::Set(set.into_iter().collect())),
        2 => btree_map(blob(), score(), 1..6).prop_map(|members| Value::SortedSet(
            members.into_iter().map(|(member, score)| Scored::new(member, score)).collect(),
        )),
        4 => fields.prop_map(|fields| Value::Hash(
            fields
                .into_iter()
                .map(|(name, (value, at))| Field::new(name, value).with_expires_at(at))
                .collect(),
        )),
        2 => stream().prop_map(|stream| Value::Stream(Box::new(stream))),
        1 => array().prop_map(Value::Array),
        1 => json().prop_map(Value::Json),
        1 => module().prop_map(Value::Module),
    ]
}

pub(crate) fn record() -> impl Strategy<Value = Record<'static>> {
    (0..3_u32, key(), value(), prop::option::weighted(0.3, millis()))
        .prop_map(|(db, key, value, at)| Record::new(Db(db), key, value).with_expires_at(at))
}
