//! What real servers answered of their keys is what their dumps are decoded to, value by value.

use std::collections::BTreeMap;

use base64::Engine;
use keystar_rdb::{Record, Value};
use serde_json::Value as J;

use crate::{fixture, render};

const SERVERS: [&str; 6] =
    ["redis-6.2.14", "redis-7.0.15", "redis-8.0.2", "redis-8.10.2", "valkey-8.1.1", "valkey-9.1.2"];

fn bytes(value: &J) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn pairs(value: &J) -> Vec<(Vec<u8>, Vec<u8>)> {
    value.as_array().unwrap().iter().map(|pair| (bytes(&pair[0]), bytes(&pair[1]))).collect()
}

fn list(value: &J) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

/// The server's answer about one key is the record.
fn assert_same(name: &str, truth: &J, record: &Record<'_>) {
    let key = &record.key;
    let kind = truth["type"].as_str().unwrap();
    match &record.value {
        Value::Module(module) => assert_eq!(module.name, kind, "{name} {key:?}"),
        value => assert_eq!(value.kind().name(), kind, "{name} {key:?}"),
    }
    let expires = truth.get("expires").and_then(J::as_i64);
    // Redis 6.2 has no command that tells the moment of an expiry.
    if name == "redis-6.2.14" {
        assert_eq!(expires, None);
    } else {
        assert_eq!(record.expires_at.map(|at| at.0), expires, "{name} {key:?}");
    }
    let answer = &truth["value"];
    match &record.value {
        Value::String(text) => assert!(**text == bytes(answer), "{name} {key:?}"),
        Value::List(items) => {
            assert!(items.iter().map(|item| item.to_vec()).eq(list(answer)), "{name} {key:?}");
        }
        Value::Set(members) => {
            let mut members: Vec<_> = members.iter().map(|member| member.to_vec()).collect();
            members.sort();
            let mut answer = list(answer);
            answer.sort();
            assert!(members == answer, "{name} {key:?}");
        }
        Value::SortedSet(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|member| (member.member.to_vec(), member.score.to_bits()))
                .collect();
            members.sort();
            let score = |pair: &J| pair[1].as_str().unwrap().parse::<f64>().unwrap().to_bits();
            let pairs = answer.as_array().unwrap().iter();
            let mut answer: Vec<_> = pairs.map(|pair| (bytes(&pair[0]), score(pair))).collect();
            answer.sort();
            assert!(members == answer, "{name} {key:?}");
        }
        Value::Hash(fields) => {
            let mut all: Vec<_> =
                fields.iter().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
            all.sort();
            let mut answer = pairs(answer);
            answer.sort();
            assert!(all == answer, "{name} {key:?}");
            let expiries: BTreeMap<Vec<u8>, i64> = fields
                .iter()
                .filter_map(|field| Some((field.name.to_vec(), field.expires_at?.0)))
                .collect();
            let answer: BTreeMap<Vec<u8>, i64> = truth
                .get("field_expires")
                .and_then(J::as_object)
                .into_iter()
                .flatten()
                .map(|(field, at)| (bytes(&J::String(field.clone())), at.as_i64().unwrap()))
                .collect();
            assert_eq!(expiries, answer, "{name} {key:?}");
        }
        Value::Stream(stream) => {
            let entries: Vec<_> = stream
                .entries
                .iter()
                .map(|entry| {
                    let fields = entry.fields.iter();
                    let flat = fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]);
                    (entry.id.to_string(), flat.collect::<Vec<_>>())
                })
                .collect();
            let answers: Vec<_> = answer
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| (entry[0].as_str().unwrap().to_owned(), list(&entry[1])))
                .collect();
            assert!(entries == answers, "{name} {key:?}");
            let groups = truth["groups"].as_u64().unwrap();
            assert_eq!(stream.groups.len() as u64, groups, "{name} {key:?}");
        }
        Value::Json(json) => {
            // Compared as text: the server's numbers and key order, too.
            assert_eq!(json.to_string(), answer.as_str().unwrap(), "{name} {key:?}");
        }
        Value::Array(_) | Value::Module(_) => assert!(answer.is_null(), "{name} {key:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn dumps_hold_what_servers_answered() {
    for name in SERVERS {
        let truth: J =
            serde_json::from_str(&fixture::text(&format!("servers/{name}.truth.json.gz"))).unwrap();
        let records = render::records(&fixture::rdb(&format!("servers/{name}.rdb")));
        let mut by_key: BTreeMap<(u32, Vec<u8>), &Record<'_>> = BTreeMap::new();
        for record in &records {
            let twice = by_key.insert((record.db.0, record.key.to_vec()), record);
            assert!(twice.is_none(), "{name} {:?}", record.key);
        }
        for (db, keys) in truth.as_object().unwrap() {
            for (key, truth) in keys.as_object().unwrap() {
                let key = bytes(&J::String(key.clone()));
                let record = by_key.remove(&(db.parse().unwrap(), key.clone()));
                let record = record.unwrap_or_else(|| panic!("{name}: no {key:?}"));
                assert_same(name, truth, record);
            }
        }
        assert!(by_key.is_empty(), "{name}: the server did not have {by_key:?}");
    }
}
