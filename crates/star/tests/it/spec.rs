//! Specs: every setting is read, written and read back; no text makes a reader fall over.

use keystar_star::{Drift, Lock, Model, ModelSpec, OperandSpec, SourceSpec, Type, UnnestOver};
use proptest::prelude::*;

use crate::ecommerce::MODEL;

/// Every setting there is, and names that must be quoted.
const EVERYTHING: &str = r##"
[table]
partition_key = "the key"
sort_key = "s.k"

[entity.user]
when = { "a.b" = "x \"y\"", type = "user" }
has = ["ttl", 'c"d']
pk = 'U\{{id}\}'
sk = "{kind}"
like = { GSI1PK = "E#{email}" }
drift = "discard-value"
unique = [["id"], ["email", "name"]]

[entity.user.columns]
id = { key = "the key", type = "int", required = true }
kind = { key = "s.k", variable = "kind", type = "text(9)" }
email = { key = "GSI1PK", type = "text(254)" }
name = "text(100)"
city = { from = "address.\"home.1\".city", type = "text(64)" }
zip = { from = ["address", "zip.code"], type = "text(9)" }
gone = { is_null = "ttl" }
"Größe" = "double"
notes = "list<struct<at: timestamp('%d/%m/%Y %H:%M'), said=\"what was said\": text(65535)>>"
seen = { type = "timestamp(epoch-micros)", required = true }

[entity.visit]
parent = "user"
unnest = "log.visits"
over = "list"

[entity.visit.columns]
id = { parent = "id" }
user_kind = { parent = "kind", type = "text(9)" }
position = { position = true }
day = { element = true, type = "date(iso)" }

[dimension.user]
key = ["id", "kind"]
attributes = { name = "type2", city = "type1" }

[calendar]
name = "day"
fiscal_start_month = 0x4
first = 2020-01-01
last = "2025-12-31"

[fact.visit]
grain = ["id", "user_kind", "position"]
measures = {}
degenerate = { zip = "user.zip" }
join.first.entity = "visit"
join.first.on = { id = "user.id", user_kind = "user.kind", position = { int = 0 } }
join.user.on = { id = "id", kind = { text = "root" } }

[fact.visit.dimensions]
user = { key = ["id", "user_kind"], as_of = "day" }
first_day = { dimension = "day", key = ["first.day"] }
"##;

#[test]
fn every_setting_is_read() {
    let spec = ModelSpec::parse(EVERYTHING).unwrap();
    let user = &spec.entities[0].1;
    assert_eq!(user.when, [("a.b".into(), "x \"y\"".into()), ("type".into(), "user".into())]);
    assert_eq!(user.has, ["ttl", "c\"d"]);
    assert_eq!(user.pk.as_ref().unwrap().to_string(), r"U\{{id}\}");
    assert_eq!(user.drift, Some(Drift::DiscardValue));
    assert_eq!(user.unique, [vec!["id"], vec!["email", "name"]]);
    let names: Vec<&str> = user.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["id", "kind", "email", "name", "city", "zip", "gone", "Größe", "notes", "seen"]
    );
    let SourceSpec::From(path) = &user.columns[5].1.source else { panic!("{:?}", user.columns[5]) };
    assert_eq!(path.names(), [Box::from("address"), "zip.code".into()]);
    assert!(user.columns[0].1.required);

    let visit = &spec.entities[1].1;
    assert_eq!(visit.over, Some(UnnestOver::List));
    assert_eq!(visit.columns[0].1.ty, None);
    assert_eq!(visit.columns[1].1.ty, Some(Type::Text { max_bytes: 9 }));

    let calendar = spec.calendar.as_ref().unwrap();
    assert_eq!(calendar.fiscal_start_month, Some(4));
    assert_eq!(calendar.last.unwrap().to_string(), "2025-12-31");
    let fact = &spec.facts[0].1;
    assert_eq!(fact.joins[0].1.on[2].1, OperandSpec::Int(0));
    assert_eq!(fact.joins[1].1.on[1].1, OperandSpec::Text("root".into()));
}

#[test]
fn every_setting_is_read_back() {
    let spec = ModelSpec::parse(EVERYTHING).unwrap();
    let text = spec.to_toml();
    assert_eq!(ModelSpec::parse(&text).unwrap(), spec);
    assert_eq!(Model::try_from(spec).unwrap(), Model::parse(EVERYTHING).unwrap());
    assert_eq!(Model::parse(&text).unwrap(), Model::parse(EVERYTHING).unwrap());
}

#[test]
fn joins_stand_in_the_order_in_which_they_need_each_other() {
    let model = Model::parse(EVERYTHING).unwrap();
    let aliases: Vec<&str> = model.facts[0].joins.iter().map(|join| join.alias.as_str()).collect();
    assert_eq!(aliases, ["user", "first"]);
}

#[test]
fn children_stand_after_their_parents_and_take_after_them() {
    let text = r#"
        table.partition_key = "pk"
        [entity.leaf]
        parent = "branch"
        unnest = "leaves"
        over = "map"
        columns = { id = { parent = "id" }, n = { parent = "n" }, name = { entry = true, type = "text(9)" } }
        [entity.branch]
        parent = "tree"
        unnest = "branches"
        over = "list"
        drift = "freeze"
        columns = { id = { parent = "id" }, n = { position = true } }
        [entity.tree]
        pk = "TREE#{id}"
        drift = "evolve"
        columns = { id = "int" }
    "#;
    let model = Model::parse(text).unwrap();
    let entities: Vec<_> = model
        .entities
        .iter()
        .map(|entity| {
            let key: Vec<&str> = entity.key.iter().map(|name| name.as_str()).collect();
            (entity.name.as_str(), key, entity.drift)
        })
        .collect();
    assert_eq!(
        entities,
        [
            ("tree", vec!["id"], Drift::Evolve),
            ("branch", vec!["id", "n"], Drift::Freeze),
            ("leaf", vec!["id", "n", "name"], Drift::Freeze),
        ]
    );
}

#[test]
fn a_lock_of_everything_is_read_back() {
    let lock = Lock::default().reconcile(&Model::parse(EVERYTHING).unwrap()).unwrap();
    assert_eq!(Lock::parse(&lock.to_toml()).unwrap(), lock);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Lines that go missing, change places or are cut leave a model or faults with places.
    #[test]
    fn a_broken_model_is_told_about(
        everything: bool,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, "[a-z{}\\[\\]\"'=.#0-9 ]{0,4}"), 1..4),
    ) {
        let mut lines: Vec<String> =
            if everything { EVERYTHING } else { MODEL }.lines().map(Into::into).collect();
        for (place, what, text) in cuts {
            let at = place.index(lines.len());
            match what {
                0 => drop(lines.remove(at)),
                1 => {
                    let line = &mut lines[at];
                    let middle = line.char_indices().nth(line.chars().count() / 2).map_or(0, |char| char.0);
                    line.insert_str(middle, &text);
                }
                _ => lines.swap(at, 0),
            }
        }
        if let Err(error) = Model::parse(&lines.join("\n")) {
            for fault in error.faults() {
                let (line, column) = (fault.line().unwrap(), fault.column().unwrap());
                prop_assert!((1..=lines.len() + 1).contains(&line) && column > 0, "{}", fault);
            }
        }
    }
}
