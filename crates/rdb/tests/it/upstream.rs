//! What other decoders say of the same dumps.

use keystar_rdb::{Event, Level, Options, Parser, Record, Step, StreamId, Value};
use serde_json::{Value as J, json};

use crate::{fixture, render};

/// One character for each byte, as librdb and rdb-rs print strings.
fn latin(bytes: &[u8]) -> J {
    json!(bytes.iter().map(|&byte| char::from(byte)).collect::<String>())
}

/// librdb prints the members of an object without its braces, some of them with them.
fn members(text: &str) -> serde_json::Map<String, J> {
    let parse = |text: &str| serde_json::from_str::<J>(text).ok();
    let all = parse(text).or_else(|| parse(&format!("{{{text}}}")));
    let all = all.unwrap_or_else(|| panic!("{text}"));
    let J::Object(all) = all else { panic!("{text}") };
    all.into_iter().filter(|(key, _)| !key.starts_with("__")).collect()
}

/// Text where the bytes are text, else one character for each byte, as rdb-rs prints strings.
fn lossy(bytes: &[u8]) -> J {
    std::str::from_utf8(bytes).map_or_else(|_| latin(bytes), |text| json!(text))
}

/// A record as librdb prints it at its data level, with its strings in one of the ways above.
fn data(value: &Value<'_>, latin: fn(&[u8]) -> J) -> J {
    match value {
        Value::String(text) => latin(text),
        Value::List(items) | Value::Set(items) => items.iter().map(|item| latin(item)).collect(),
        Value::Hash(fields) => J::Object(
            fields
                .iter()
                .map(|field| (latin(&field.name).as_str().unwrap().to_owned(), latin(&field.value)))
                .collect(),
        ),
        Value::SortedSet(members) => J::Object(
            members
                .iter()
                .map(|member| {
                    let name = latin(&member.member).as_str().unwrap().to_owned();
                    // Negative zero is printed as zero.
                    (name, render::float(member.score + 0.0))
                })
                .collect(),
        ),
        Value::Stream(stream) => {
            let entries: Vec<_> = stream
                .entries
                .iter()
                .map(|entry| {
                    let items: serde_json::Map<_, _> = entry
                        .fields
                        .iter()
                        .map(|(name, value)| {
                            (latin(name).as_str().unwrap().to_owned(), latin(value))
                        })
                        .collect();
                    json!({ "id": entry.id.to_string(), "items": items })
                })
                .collect();
            J::Array(entries)
        }
        other => panic!("{other:?}"),
    }
}

/// An expected value in the form of [`data`]: scores are compared as numbers, of streams the
/// entries.
fn expected(value: &Value<'_>, text: &J) -> J {
    match value {
        Value::SortedSet(_) => J::Object(
            text.as_object()
                .unwrap()
                .iter()
                .map(|(member, score)| {
                    let text = score.as_str().map_or_else(|| score.to_string(), str::to_owned);
                    (member.clone(), render::float(text.parse().unwrap()))
                })
                .collect(),
        ),
        Value::Stream(_) => text["entries"].clone(),
        _ => text.clone(),
    }
}

const DATA: [(&str, &str); 26] = [
    ("cluster_slot_info.rdb", "cluster_slot_info.json"),
    ("function2.rdb", "function2.json"),
    ("hash_lp_v11.rdb", "hash_lp_v11_data.json"),
    ("hash_lp_with_hexpire_v12.rdb", "hash_lp_ex_v12_data.json"),
    ("hash_v3.rdb", "hash_data.json"),
    ("hash_with_expire_v12.rdb", "hash_ex_v12_data.json"),
    ("hash_zl_v6.rdb", "hash_zl_v6_data.json"),
    ("hash_zm_v2.rdb", "hash_zm_v2_data.json"),
    ("mem_policy_lfu.rdb", "mem_policy_lfu.json"),
    ("mem_policy_lru.rdb", "mem_policy_lru.json"),
    ("multiple_lists_strings.rdb", "multiple_lists_strings_data.json"),
    ("multiple_lists_strings.rdb", "multiple_lists_strings_no_aux.json"),
    ("plain_hash_v3.rdb", "plain_hash_data.json"),
    ("plain_list_v6.rdb", "plain_list_v6_data.json"),
    ("plain_set_v6.rdb", "plain_set_v6_data.json"),
    ("plain_zset_2_v11.rdb", "plain_zset_2_v11_data.json"),
    ("plain_zset_v6.rdb", "plain_zset_v6_data.json"),
    ("quicklist.rdb", "quicklist_data.json"),
    ("set_is_v11.rdb", "set_is_v11_data.json"),
    ("set_lp_v11.rdb", "set_lp_v11_data.json"),
    ("single_key.rdb", "single_key_data.json"),
    ("single_list.rdb", "single_list_data.json"),
    ("stream_v11.rdb", "stream_data_with_meta.json"),
    ("string_int_encoded.rdb", "string_int_encoded.json"),
    ("zset_lp_v11.rdb", "zset_lp_v11_data.json"),
    ("zset_zl_v6.rdb", "zset_zl_v6_data.json"),
];

#[test]
fn librdb_prints_the_same_values() {
    for (dump, text) in DATA {
        let all = members(&fixture::text(&format!("librdb/{text}")));
        let records = render::records(&fixture::rdb(&format!("librdb/{dump}")));
        assert_eq!(all.len(), records.len(), "{dump}");
        for record in records {
            let key = latin(&record.key);
            let told = &all[key.as_str().unwrap()];
            assert_eq!(data(&record.value, latin), expected(&record.value, told), "{dump} {key}");
        }
    }
    // One more, whose list is of another dump than its name says.
    let all = members(&fixture::text("librdb/ziplist_data.json"));
    let records = render::records(&fixture::rdb("librdb/ziplist_v3.rdb"));
    for record in records {
        assert_eq!(data(&record.value, latin), all[latin(&record.key).as_str().unwrap()]);
    }
}

#[test]
fn librdb_prints_the_same_databases() {
    let text = fixture::text("librdb/multiple_dbs_data.json");
    let records = render::records(&fixture::rdb("librdb/multiple_dbs.rdb"));
    let dbs: J = serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(&format!("[{text}]")))
        .unwrap_or_else(|_| panic!("{text}"));
    let told: Vec<_> = records
        .iter()
        .map(|record| json!({ latin(&record.key).as_str().unwrap(): data(&record.value, latin) }))
        .collect();
    assert_eq!(dbs, J::Array(told));
    assert_eq!(records.iter().map(|record| record.db.0).collect::<Vec<_>>(), [0, 1, 2]);
}

const RAW: [(&str, &str); 15] = [
    ("hash_lp_v11.rdb", "hash_lp_v11_raw.json"),
    ("hash_v3.rdb", "hash_raw.json"),
    ("hash_zl_v6.rdb", "hash_zl_v6_raw.json"),
    ("hash_zm_v2.rdb", "hash_zm_v2_raw.json"),
    ("module.rdb", "module_raw.json"),
    ("multiple_lists_strings.rdb", "multiple_lists_strings_raw.json"),
    ("plain_list_v6.rdb", "plain_list_v6_raw.json"),
    ("plain_set_v6.rdb", "plain_set_v6_raw.json"),
    ("plain_zset_2_v11.rdb", "plain_zset_2_v11_raw.json"),
    ("plain_zset_v6.rdb", "plain_zset_v6_raw.json"),
    ("quicklist.rdb", "quicklist_raw.json"),
    ("set_lp_v11.rdb", "set_lp_v11_raw.json"),
    ("single_key.rdb", "single_key_raw.json"),
    ("single_list.rdb", "single_list_raw.json"),
    ("zset_lp_v11.rdb", "zset_lp_v11_raw.json"),
];

#[test]
fn librdb_cuts_the_same_frames() {
    let mut compared = 0;
    for (dump, text) in RAW {
        let all = members(&fixture::text(&format!("librdb/{text}")));
        let mut parser = Parser::new(Options::new(Level::FRAMES));
        parser.feed(&fixture::rdb(&format!("librdb/{dump}")));
        let mut frames = 0;
        while let Step::Event(event) = parser.step().unwrap() {
            let Event::Frame(frame) = event else { continue };
            let mut raw = vec![frame.head.encoding.byte()];
            raw.extend_from_slice(frame.payload);
            let key = latin(&frame.head.key);
            frames += 1;
            // Some of the files hold the structure rather than the raw value.
            let told = &all[key.as_str().unwrap()];
            if told.is_string() {
                assert_eq!(latin(&raw), *told, "{dump} {key}");
                compared += 1;
            }
        }
        assert_eq!(frames, all.len(), "{dump}");
    }
    assert!(compared >= 15, "{compared}");
}

#[test]
fn rdb_rs_prints_the_same_values() {
    let mut dumps = 0;
    for name in fixture::all() {
        let Some(dump) = name.strip_prefix("badboy-rdb-rs/") else { continue };
        let text = fixture::text(&format!("badboy-rdb-rs/{}", dump.replace(".rdb", ".json")));
        let J::Array(dbs) =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{dump} {text:.200}"))
        else {
            panic!("{dump}")
        };
        let records = render::records(&fixture::rdb(&name));
        let mut numbers: Vec<_> = records.iter().map(|record| record.db.0).collect();
        numbers.dedup();
        let dbs: Vec<_> =
            dbs.iter().filter(|db| db.as_object().is_none_or(|db| !db.is_empty())).collect();
        assert_eq!(dbs.len(), numbers.len(), "{dump} {text:.200}");
        for (db, number) in dbs.iter().zip(numbers) {
            let here: Vec<&Record<'_>> =
                records.iter().filter(|record| record.db.0 == number).collect();
            assert_eq!(db.as_object().unwrap().len(), here.len(), "{dump}");
            for record in here {
                let key = lossy(&record.key);
                let told = &db[key.as_str().unwrap()];
                assert_eq!(
                    data(&record.value, lossy),
                    expected(&record.value, told),
                    "{dump} {key}"
                );
            }
        }
        dumps += 1;
    }
    assert_eq!(dumps, 27);
}

#[test]
fn redis_tests_expect_the_same_values() {
    let records = render::records(&fixture::rdb("redis/encodings.rdb"));
    let text = fixture::text("redis/encodings.expected.csv");
    let mut lines = 0;
    for line in text.lines() {
        let mut cells: Vec<_> = line
            .trim_end_matches(',')
            .split(',')
            .map(|cell| cell.trim_matches('"').to_owned())
            .collect();
        let items = cells.split_off(3);
        let record = records.iter().find(|record| record.key == *cells[1].as_str()).unwrap();
        assert_eq!(record.db.0.to_string(), cells[0]);
        assert_eq!(record.value.kind().name(), cells[2]);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut told: Vec<String> = match &record.value {
            Value::String(value) => vec![text(value)],
            Value::List(items) | Value::Set(items) => items.iter().map(|item| text(item)).collect(),
            Value::Hash(fields) => {
                fields.iter().flat_map(|field| [text(&field.name), text(&field.value)]).collect()
            }
            Value::SortedSet(members) => members
                .iter()
                .flat_map(|member| [text(&member.member), member.score.to_string()])
                .collect(),
            other => panic!("{other:?}"),
        };
        let mut items = items;
        if !matches!(record.value, Value::List(_)) {
            // The servers' test sorts what has no order; a zset is by score there.
            told.sort();
            items.sort();
        }
        assert_eq!(told, items, "{}", cells[1]);
        lines += 1;
    }
    assert_eq!((lines, records.len()), (13, 13));
}

/// The commands of a file in the form that clients send them.
fn commands(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    fn line<'a>(text: &mut &'a [u8]) -> &'a str {
        let end = text.windows(2).position(|two| two == b"\r\n").unwrap();
        let (line, rest) = text.split_at(end);
        *text = &rest[2..];
        std::str::from_utf8(line).unwrap()
    }
    let mut text = text;
    let mut all = Vec::new();
    while !text.is_empty() {
        let count: usize = line(&mut text)[1..].parse().unwrap();
        let arguments = (0..count).map(|_| {
            let len: usize = line(&mut text)[1..].parse().unwrap();
            let (argument, rest) = text.split_at(len);
            text = &rest[2..];
            argument.to_vec()
        });
        all.push(arguments.collect());
    }
    all
}

#[test]
fn librdb_rebuilds_the_same_streams() {
    for (dump, text) in [
        ("stream_v11.rdb", "stream_v11_target_ver_6.2.resp"),
        ("stream_v11.rdb", "stream_v11_target_ver_7.2.resp"),
        ("stream_v13_idmp.rdb", "stream_v13_target_ver_8.4.resp"),
        ("stream_v13_idmp.rdb", "stream_v13_target_ver_8.6.resp"),
    ] {
        let commands = commands(&fixture::read(&fixture::root().join("librdb").join(text)));
        let named = |name: &str| {
            let name = name.as_bytes().to_vec();
            commands.iter().filter(move |command| command[0].eq_ignore_ascii_case(&name))
        };
        let mut records = render::records(&fixture::rdb(&format!("librdb/{dump}")));
        assert_eq!(records.len(), 1);
        let Value::Stream(stream) = records.remove(0).value else { panic!() };
        let added: Vec<_> = named("XADD")
            .map(|command| {
                let id = command.iter().position(|word| {
                    std::str::from_utf8(word).is_ok_and(|word| word.parse::<StreamId>().is_ok())
                });
                let id = id.unwrap();
                let fields: Vec<_> = command[id + 1..]
                    .chunks(2)
                    .map(|two| (two[0].clone(), two[1].clone()))
                    .collect();
                (String::from_utf8(command[id].clone()).unwrap(), fields)
            })
            .collect();
        let told: Vec<_> = stream
            .entries
            .iter()
            .map(|entry| {
                let fields = entry.fields.iter();
                let fields = fields.map(|(name, value)| (name.to_vec(), value.to_vec()));
                (entry.id.to_string(), fields.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(told, added, "{text}");
        let groups: Vec<_> = named("XGROUP")
            .filter(|command| command[1].eq_ignore_ascii_case(b"CREATE"))
            .map(|command| (command[3].clone(), String::from_utf8(command[4].clone()).unwrap()))
            .collect();
        let told: Vec<_> = stream
            .groups
            .iter()
            .map(|group| (group.name.to_vec(), group.last_id.to_string()))
            .collect();
        assert_eq!(told, groups, "{text}");
        let claimed = named("XCLAIM").count();
        let told: usize = stream.groups.iter().map(|group| group.pending.len()).sum();
        assert_eq!(told, claimed, "{text}");
        let last = named("XSETID").next().unwrap();
        assert_eq!(stream.last_id.to_string().as_bytes(), last[2]);
    }
}

#[test]
fn librdb_prints_the_same_idempotency() {
    let all = members(&fixture::text("librdb/stream_v13.json"));
    let records = render::records(&fixture::rdb("librdb/stream_v13_idmp.rdb"));
    assert_eq!((all.len(), records.len()), (1, 1));
    let told = &all[latin(&records[0].key).as_str().unwrap()];
    assert_eq!(data(&records[0].value, latin), told["entries"]);
    let Value::Stream(stream) = &records[0].value else { panic!() };
    let kept = stream.idempotency.as_ref().unwrap();
    let producers: Vec<_> = kept
        .producers
        .iter()
        .map(|producer| {
            let entries: Vec<_> = producer
                .entries
                .iter()
                .map(|(id, entry)| json!({ "iid": latin(id), "streamId": entry.to_string() }))
                .collect();
            json!({ "pid": latin(&producer.id), "numEntries": entries.len(), "entries": entries })
        })
        .collect();
    let kept = json!({
        "duration": kept.duration_seconds,
        "maxEntries": kept.max_entries,
        "numProducers": producers.len(),
        "producers": producers,
    });
    assert_eq!(kept, told["idmp"]);
}
