//! Values that no item holds.

use keystar_item::{Number, json, limits};
use keystar_mapping::{Mapped, Mapping, RejectReason, same_record};
use keystar_rdb::{
    Array, Blob, Db, Field, Group, Json, Module, ModuleId, ModuleToken, Pending, Record, Scored,
    Slot, Stream, StreamEntry, StreamId, UnixMillis, Value,
};

use crate::data::{assert_fits, back, map, map_in_pieces, mapping};

const SORTED: &str = "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n";

fn texts(count: usize) -> Vec<Blob<'static>> {
    (0..count)
        .map(|index| Blob::from(format!("element {index} {}", "é".repeat(index % 90))))
        .collect()
}

fn numbers(count: usize) -> Vec<Blob<'static>> {
    (0..count).map(|index| Blob::from((index * 7919).to_string())).collect()
}

/// About 1.5 MB each, and all that can be odd about them.
fn values() -> Vec<(&'static str, Value<'static>)> {
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|index| (index % 251) as u8).collect();
    let fields = texts(12_000).into_iter().zip(numbers(12_000)).enumerate();
    let fields = fields.map(|(index, (name, value))| {
        let at = (index % 100 == 0).then_some(UnixMillis(1_900_000_000_001));
        Field::new(name, value).with_expires_at(at)
    });
    let mut stream = Stream::default();
    stream.entries = (0..20_000)
        .map(|ms| StreamEntry {
            id: StreamId::new(ms, 0),
            fields: vec![("name".into(), "v".repeat(60).into()), ("n".into(), "17".into())],
        })
        .collect();
    stream.length = 20_000;
    stream.last_id = StreamId::new(20_000, 1);
    let mut busy = stream.clone();
    let mut group = Group::new("workers".into(), StreamId::new(9, 9));
    group.pending =
        (0..12_000).map(|ms| Pending::new(StreamId::new(ms, 0), UnixMillis(5), 1)).collect();
    busy.groups = vec![group];
    let slots = texts(12_000).into_iter().enumerate();
    let slots = slots.map(|(index, text)| (index as u64 * 3, Slot::Text(text))).collect();
    let document = (0..20_000).map(|index| (format!("name {index}"), Json::String("é".repeat(30))));
    let tokens = texts(12_000).into_iter().map(ModuleToken::Text).collect();
    let members = texts(12_000).into_iter().enumerate();
    vec![
        ("text", Value::String("a日".repeat(400_000).into())),
        ("bytes", Value::String(bytes.into())),
        ("digits", Value::String("7".repeat(1_500_000).into())),
        ("list", Value::List(texts(12_000))),
        ("numbers", Value::List(numbers(300_000))),
        ("set", Value::Set(texts(12_000))),
        (
            "zset",
            Value::SortedSet(
                members.map(|(at, member)| Scored::new(member, -1.0 - at as f64)).collect(),
            ),
        ),
        ("hash", Value::Hash(fields.collect())),
        ("stream", Value::Stream(Box::new(stream))),
        ("busy stream", Value::Stream(Box::new(busy))),
        ("array", Value::Array(Array::new(slots).with_insert_index(77))),
        ("json", Value::Json(Json::Object(document.collect()))),
        ("module", Value::Module(Module::new(ModuleId(0), tokens))),
    ]
}

fn records() -> impl Iterator<Item = (&'static str, Record<'static>)> {
    values().into_iter().map(|(name, value)| {
        let record = Record::new(Db(1), "big".into(), value);
        (name, record.with_expires_at(UnixMillis(1_800_000_000_500)))
    })
}

fn content(mapped: &Mapped<'_>) -> (String, Vec<u8>) {
    let (last, before) = mapped.offloads.split_last().unwrap();
    assert!(last.last && before.iter().all(|piece| !piece.last && piece.name == last.name));
    let bytes = mapped.offloads.iter().flat_map(|piece| piece.bytes.iter().copied()).collect();
    (last.name.clone(), bytes)
}

/// The same, whole and in pieces of any size.
fn whole_and_in_pieces<'r>(mapping: &'r Mapping, record: &'r Record<'static>) -> Mapped<'r> {
    let whole = map(mapping, record).unwrap().unwrap();
    for cuts in [vec![1, 5_000, 11_999], (0..60).map(|n| n * 900).collect()] {
        let pieces = map_in_pieces(mapping, record, &cuts).unwrap();
        assert!(whole.items == pieces.items, "items of pieces {cuts:?}");
        assert_eq!(whole.losses, pieces.losses);
        if !whole.offloads.is_empty() {
            assert!(content(&whole) == content(&pieces), "offloads of pieces {cuts:?}");
        }
    }
    whole
}

#[test]
fn split_values_come_back() {
    for spec in [
        "defaults.oversize = 'split'".to_owned(),
        "defaults = { oversize = 'split', layout = 'attributes' }".to_owned(),
        format!("{SORTED}defaults = {{ oversize = 'split', sk = 'V' }}"),
        format!("{SORTED}defaults = {{ oversize = 'split', layout = 'collection' }}"),
    ] {
        let mapping = mapping(&spec);
        for (name, record) in records() {
            let mapped = whole_and_in_pieces(&mapping, &record);
            assert_fits(&mapping, &mapped.items);
            assert!(mapped.items.len() > 2, "{spec}: {name}");
            assert!(mapped.losses.is_empty(), "{spec}: {name}: {:?}", mapped.losses);
            let back = back(&mapping, &mapped.items).unwrap();
            assert!(same_record(&back, &record), "{spec}: {name}");
            if !spec.contains("collection") && name != "busy stream" {
                // Parts are full, and the first has the key of the whole.
                let sizes: Vec<u64> = mapped.items.iter().map(limits::size).collect();
                assert!(sizes[..sizes.len() - 2].iter().all(|size| *size > 390_000), "{sizes:?}");
                let mut key = Vec::new();
                assert!(mapping.table().key.encode_key(&mapped.items[0], &mut key));
                assert!(!key.contains(&b'#'));
            }
        }
    }
}

#[test]
fn a_missing_part_is_noticed() {
    let mapping = mapping("defaults.oversize = 'split'");
    for (name, record) in records() {
        let mapped = map(&mapping, &record).unwrap().unwrap();
        for missing in [0, 1, mapped.items.len() - 1] {
            let mut items = mapped.items.clone();
            items.remove(missing);
            assert!(back(&mapping, &items).is_err(), "{name} without {missing}");
        }
    }
}

#[test]
fn offloaded_values_come_back() {
    for spec in [
        "defaults.oversize = 'offload'".to_owned(),
        format!("{SORTED}defaults = {{ oversize = 'offload', sk = 'V' }}"),
    ] {
        let mapping = mapping(&spec);
        for (name, record) in records() {
            let mapped = whole_and_in_pieces(&mapping, &record);
            assert_eq!(mapped.items.len(), 1, "{name}");
            assert_fits(&mapping, &mapped.items);
            let (file, mut bytes) = content(&mapped);
            let pointer = mapping.unmap(&mapped.items[0]).unwrap();
            assert_eq!(pointer.offloaded().unwrap().name, file);
            if let Value::String(text) = &record.value {
                assert!(bytes == text.as_bytes() && file.ends_with(".bin"));
            } else {
                assert!(bytes.ends_with(b"\n") && file.ends_with(".jsonl"));
            }
            let back = mapping.onload(&mapped.items[0], &bytes).unwrap();
            assert!(same_record(&back, &record), "{name}");
            bytes[10] ^= 1;
            assert!(mapping.onload(&mapped.items[0], &bytes).is_err());
            assert!(mapping.record(&mapped.items).is_err());
        }
    }
}

#[test]
fn by_default_big_values_are_rejected() {
    let mapping = Mapping::default();
    for (name, record) in records() {
        let whole = map(&mapping, &record).unwrap().unwrap_err();
        assert_eq!(whole.reason, RejectReason::Oversize, "{name}");
        assert!(whole.detail.ends_with(" bytes"), "{whole}");
        let pieces = map_in_pieces(&mapping, &record, &[400, 700_000]).unwrap_err();
        assert_eq!(pieces.reason, RejectReason::Oversize, "{name}");
    }
}

#[test]
fn one_element_that_is_too_big_cannot_be_split() {
    let value = Value::List(vec!["a".into(), "x".repeat(500_000).into()]);
    let record = Record::new(Db(0), "k".into(), value);
    let split = mapping("defaults.oversize = 'split'");
    assert_eq!(map(&split, &record).unwrap().unwrap_err().reason, RejectReason::Oversize);
    let offload = mapping("defaults.oversize = 'offload'");
    let mapped = whole_and_in_pieces(&offload, &record);
    assert!(same_record(&offload.onload(&mapped.items[0], &content(&mapped).1).unwrap(), &record));
}

/// The item is as large as it may be, or one byte larger.
#[test]
fn the_edge_of_400_kb() {
    let split = mapping("defaults.oversize = 'split'");
    let room = limits::MAX_ITEM_BYTES - "key".len() - "k".len() - "value".len();
    for (length, items) in [(room, 1), (room + 1, 2)] {
        let record = Record::new(Db(0), "k".into(), Value::String("x".repeat(length).into()));
        let mapped = whole_and_in_pieces(&split, &record);
        assert_eq!(mapped.items.len(), items, "{length}");
        assert!(same_record(&back(&split, &mapped.items).unwrap(), &record));
    }
    // And where elements have overheads: 3 bytes for the list, 1 for each of its elements.
    for extra in 0..=1 {
        let mut items = vec![Blob::from("y".repeat(999)); 409];
        items.push("z".repeat(limits::MAX_ITEM_BYTES - 409_000 - 9 - 3 - 1 + extra).into());
        let record = Record::new(Db(0), "k".into(), Value::List(items));
        assert_eq!(whole_and_in_pieces(&split, &record).items.len(), 1 + extra);
    }
}

#[test]
fn parts_are_shaped_as_documented() {
    let mapping = mapping("defaults.oversize = 'split'");
    let record = Record::new(Db(0), "k".into(), Value::List(texts(12_000)));
    let mapped = map(&mapping, &record).unwrap().unwrap();
    let last = mapped.items.last().unwrap();
    let number = |name: &str| last.get(name).cloned();
    let count = mapped.items.len() as u64;
    assert_eq!(number("parts"), Some(Number::from(count).into()));
    assert_eq!(number("part"), Some(Number::from(count - 1).into()));
    let mut line = Vec::new();
    json::write_item(&mapped.items[1], &mut line);
    assert!(line.starts_with(br##"{"Item":{"key":{"S":"k#00000001"},"value":{"L":["##));
}
