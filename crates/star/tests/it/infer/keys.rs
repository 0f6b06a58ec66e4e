//! Keys that are no text, and the keys of indexes.

use keystar_star::infer::Proposal;
use keystar_star::{Condition, Model, Name, TimeFormat, Type};

use super::items::{item, n, s};
use super::profile;

fn model(items: &[String]) -> (Model, String) {
    let toml = Proposal::from(&profile(items)).to_toml();
    let model = Model::parse(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    (model, toml)
}

fn ty(model: &Model, column: &str) -> Type {
    model.entities[0].column(&Name::new(column).unwrap()).unwrap().ty.clone()
}

fn has(toml: &str, line: &str) {
    assert!(toml.lines().any(|have| have.starts_with(line)), "no {line} in\n{toml}");
}

fn keyed(sk: impl Fn(u32) -> String) -> (Model, String) {
    let items: Vec<String> =
        (0..9).map(|at| item(&[("PK", s(format!("D#{at}"))), ("SK", sk(at))])).collect();
    model(&items)
}

#[test]
fn a_number_has_the_type_that_its_values_say() {
    let (model, toml) = keyed(|at| n(1_600_000_000 + at * 60));
    has(&toml, "sk = \"{moment}\"");
    assert_eq!(ty(&model, "moment"), Type::Timestamp(TimeFormat::EpochSeconds));
    let (model, toml) = keyed(|at| n(at * 7 + 1));
    has(&toml, "sk = \"{sk}\"");
    assert_eq!(ty(&model, "sk"), Type::Int);
    let (model, _) = keyed(|at| n(format!("{at}.25")));
    assert_eq!(ty(&model, "sk"), Type::Decimal { precision: 10, scale: 2 });
    // No key of a warehouse: the key's text.
    let (model, _) = keyed(|at| n(format!("{at}e100")));
    assert_eq!(ty(&model, "sk"), Type::Text { max_bytes: 16 });
    let (model, _) = keyed(|at| s((1_600_000_000 + at).to_string()));
    assert_eq!(ty(&model, "moment"), Type::Text { max_bytes: 16 });
}

#[test]
fn bytes_have_no_parts() {
    // What would be a separator in a text is a digit of base64.
    let digits = ["/A==", "ab/cdefghijklmnopqrs", "AAAA"];
    let (model, toml) =
        keyed(|at| format!(r#"{{"B":"{}"}}"#, digits[at as usize % 3].replace("AA", "A/")));
    assert_eq!(model.entities.len(), 1, "{toml}");
    has(&toml, "sk = \"{sk}\"");
    assert_eq!(ty(&model, "sk"), Type::Text { max_bytes: 32 });
}

#[test]
fn a_number_tells_no_kind() {
    let items: Vec<String> = (0..9)
        .map(|at| item(&[("PK", s(format!("D#{at}"))), ("type", n(at % 2)), ("x", s("y"))]))
        .collect();
    let (model, toml) = model(&items);
    assert_eq!(model.entities.len(), 1, "{toml}");
    assert!(!toml.contains("when"), "{toml}");
    assert_eq!(ty(&model, "type"), Type::Int);
}

#[test]
fn what_every_item_has_for_an_index_is_said() {
    let key = |at: u32| format!("D#{at}");
    let items = |index: &dyn Fn(u32) -> Vec<(&'static str, String)>| {
        let item = |at| {
            let mut attributes = vec![("PK", s(key(at))), ("x", n(at * 3 + 1))];
            attributes.extend(index(at));
            item(&attributes)
        };
        (0..9).map(item).collect::<Vec<_>>()
    };
    let (all, toml) = model(&items(&|at| {
        vec![
            ("GSI1PK", s(format!("K#{}", at + 20))),
            ("GSI1SK", n(at * 7 + 2)),
            ("GSI2PK", s("ALL")),
        ]
    }));
    has(&toml, "like = { GSI1PK = \"K#{k_id}\", GSI1SK = \"{gsi1sk}\", GSI2PK = \"ALL\" }");
    assert!(!toml.contains("index key"), "{toml}");
    let like = |condition: &&Condition| matches!(condition, Condition::Like { .. });
    assert_eq!(all.entities[0].matcher.conditions.iter().filter(like).count(), 4);

    // Some lack it, or have nothing where a variable would be.
    let (some, toml) = model(&items(&|at| match at {
        0 => Vec::new(),
        _ => vec![("GSI1PK", s(format!("K#{}", at + 20)))],
    }));
    has(&toml, "# index key GSI1PK = \"K#{k_id}\" in 88.9 % of them");
    assert_eq!(some.entities[0].matcher.conditions.iter().filter(like).count(), 1);
    let (_, toml) = model(&items(&|at| {
        let id = if at == 0 { String::new() } else { (at + 20).to_string() };
        vec![("GSI1PK", s(format!("K#{id}")))]
    }));
    assert!(!toml.contains("like"), "{toml}");
    has(&toml, "# index key GSI1PK = \"K#{k_id}\"");
}

#[test]
fn a_variable_stands_for_one_text_in_every_key() {
    // The word before the number is a literal where it begins the key.
    let items: Vec<String> = (0..9)
        .map(|at| {
            item(&[
                ("PK", s(format!("user_{at}"))),
                ("SK", s(format!("OF#user_{at}"))),
                ("GSI1PK", s(format!("user_{at}"))),
            ])
        })
        .collect();
    let (model, toml) = model(&items);
    let of = |attribute: &str, at: u32| match attribute {
        "SK" => keystar_star::Seen::Text(format!("OF#user_{at}").into()),
        _ => keystar_star::Seen::Text(format!("user_{at}").into()),
    };
    assert!(model.entities[0].matcher.matches(|attribute| of(attribute, 7)), "{toml}");
}
