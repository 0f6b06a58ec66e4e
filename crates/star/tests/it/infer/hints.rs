//! Definitions of other tools: followed where they fit, reported where they do not.

use keystar_item::scan::Tape;
use keystar_star::Model;
use keystar_star::infer::{Hints, Profile, Proposal};

use super::items::{item, n, s};

/// Devices and their readings; nothing but the keys says what an item is.
fn items() -> Vec<String> {
    let mut items = Vec::new();
    for device in 0..12 {
        let key = format!("D#{device:04}");
        items.push(item(&[("pk", s(&key)), ("sk", s("META")), ("model", s("T1"))]));
        for day in 1..9 {
            items.push(item(&[
                ("pk", s(&key)),
                ("sk", s(format!("R#2024-01-{day:02}"))),
                ("celsius", n(format!("{day}.5"))),
            ]));
        }
    }
    items
}

fn proposal(definition: &str) -> Proposal {
    let hints = Hints::parse(definition).unwrap();
    let mut profile = Profile::new(hints.table());
    let mut tape = Tape::new();
    items().iter().for_each(|item| profile.observe(tape.scan(item.as_bytes()).unwrap()));
    let proposal = Proposal::with_hints(&profile, &hints);
    Model::parse(&proposal.to_toml()).unwrap();
    proposal
}

fn keys(proposal: &Proposal) -> Vec<(String, Vec<String>)> {
    let keys = |keys: Vec<(String, String)>| keys.into_iter().map(|(_, key)| key).collect();
    proposal.entities().into_iter().map(|entity| (entity.name, keys(entity.keys))).collect()
}

fn expected() -> Vec<(String, Vec<String>)> {
    vec![
        ("device".into(), vec!["D#{serial}".into(), "META".into()]),
        ("reading".into(), vec!["D#{serial}".into(), "R#{taken}".into()]),
    ]
}

#[test]
fn one_tables_names_are_used() {
    let proposal = proposal(
        r#"{
            "format": "onetable:1.1.0",
            "indexes": { "primary": { "hash": "pk", "sort": "sk" } },
            "models": {
                "Device": {
                    "pk": { "type": "string", "value": "D#${serial}" },
                    "sk": { "type": "string", "value": "META" },
                    "model": { "type": "string" }
                },
                "Reading": {
                    "pk": { "type": "string", "value": "D#${serial}" },
                    "sk": { "type": "string", "value": "R#${taken}" },
                    "celsius": { "type": "number" },
                    "humidity": { "type": "number" }
                },
                "Alarm": {
                    "pk": { "type": "string", "value": "ALARM#${serial}" },
                    "sk": { "type": "string", "value": "ALARM" }
                }
            }
        }"#,
    );
    assert_eq!(keys(&proposal), expected());
    assert_eq!(
        proposal.alerts,
        [
            "OneTable defines Alarm, but no items fit it: it is not followed",
            "OneTable defines humidity of Reading, which no item has",
        ]
    );
}

#[test]
fn facets_of_the_workbench_are_used() {
    let proposal = proposal(
        r#"{
            "ModelName": "Weather",
            "DataModel": [{
                "TableName": "Weather",
                "KeyAttributes": {
                    "PartitionKey": { "AttributeName": "pk", "AttributeType": "S" },
                    "SortKey": { "AttributeName": "sk", "AttributeType": "S" }
                },
                "NonKeyAttributes": [{ "AttributeName": "celsius", "AttributeType": "N" }],
                "TableFacets": [
                    {
                        "FacetName": "Device",
                        "KeyAttributeAlias": { "PartitionKeyAlias": "D#<serial>", "SortKeyAlias": "id" },
                        "NonKeyAttributes": ["model"]
                    },
                    {
                        "FacetName": "Reading",
                        "KeyAttributeAlias": { "PartitionKeyAlias": "D#<serial>", "SortKeyAlias": "R#<taken>" },
                        "NonKeyAttributes": ["celsius"]
                    }
                ]
            }]
        }"#,
    );
    assert_eq!(keys(&proposal), expected());
    assert_eq!(proposal.alerts, [""; 0]);
}

#[test]
fn electros_templates_are_used() {
    let entity = |entity: &str, sort: &str, attribute: &str| {
        format!(
            r#"{{
                "model": {{ "entity": "{entity}", "version": "1", "service": "weather" }},
                "attributes": {{ "serial": {{ "type": "string" }}, "{attribute}": {{ "type": "number" }} }},
                "indexes": {{ "main": {{
                    "pk": {{ "field": "pk", "composite": ["serial"], "template": "D#${{serial}}" }},
                    "sk": {{ "field": "sk", "composite": [], "template": "{sort}" }}
                }} }}
            }}"#
        )
    };
    let both = format!(
        "[{},{}]",
        entity("device", "META", "model"),
        entity("reading", "R#${taken}", "celsius")
    );
    let proposal = proposal(&both);
    assert_eq!(keys(&proposal), expected());
    assert_eq!(proposal.alerts, [""; 0]);
}

#[test]
fn without_hints_names_come_from_the_keys() {
    let proposal = Proposal::from(&super::profile(&items()));
    assert_eq!(
        keys(&proposal),
        [
            ("d".to_owned(), vec!["D#{d_id}".to_owned(), "META".to_owned()]),
            ("r".to_owned(), vec!["D#{d_id}".to_owned(), "R#{r_date}".to_owned()]),
        ]
    );
}
