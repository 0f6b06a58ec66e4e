//! Items that mean no good, and tables in which there is little to find.

use keystar_item::scan::Tape;
use keystar_star::infer::{Profile, Proposal, TableHint};
use keystar_star::{Model, Name, Type};

use super::items::{item, n, s};
use super::profile;

fn model(items: &[String]) -> (Model, Proposal) {
    let proposal = Proposal::from(&profile(items));
    let toml = proposal.to_toml();
    let model = Model::parse(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    (model, proposal)
}

/// Tags are closed in order, attributes are quoted, nothing is loaded from elsewhere.
fn well_formed(page: &str) {
    for forbidden in ["http", "<script", "javascript:", "url(", "@import"] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a bare > before {:.80}", &rest[start..]);
        let end = start + rest[start..].find('>').expect("the tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
        } else if !tag.ends_with('/') {
            let name = tag.split([' ', '\n']).next().unwrap();
            open.push(name);
            if name == "style" {
                rest = &rest[rest.find("</style>").expect("the style ends")..];
            }
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "quotes pair up in <{tag}>");
    }
    assert_eq!(open, [""; 0], "every tag is closed");
}

#[test]
fn pages_stand_alone() {
    well_formed(&Proposal::from(&profile(&[])).to_html());
    let proposal = Proposal::from(&profile(&super::ecommerce::items(40)));
    let page = proposal.to_html();
    well_formed(&page);
    for shown in ["Fact sales", "customer 40", "every shipto is the name of an address"] {
        assert!(page.contains(shown), "{shown}");
    }
    let relations = proposal.relations();
    let of_line = relations.iter().find(|relation| relation.from == "product").unwrap();
    assert_eq!((of_line.to.as_str(), of_line.confidence), ("order", 99));
    assert_eq!(of_line.on, [("orderid".to_owned(), "orderid".to_owned())]);
    let customer = &proposal.entities()[0];
    assert_eq!(customer.keys[1], ("SK".to_owned(), "CUST#{username}".to_owned()));
}

#[test]
fn nothing_is_proposed_for_nothing() {
    let proposal = Proposal::from(&profile(&[]));
    assert_eq!(proposal.alerts, ["no items were read: there is nothing to propose"]);
    assert!(proposal.spec.entities.is_empty());
    assert!(proposal.to_toml().contains("partition_key = \"PK\""));
    assert!(proposal.to_html().contains("<svg"));
}

#[test]
fn names_that_differ_by_case_get_columns_of_their_own() {
    let items: Vec<String> = (0..5)
        .map(|at| {
            item(&[
                ("PK", s(format!("A#{at}"))),
                ("Name", s("x")),
                ("name", s("y")),
                ("NAME", s("z")),
            ])
        })
        .collect();
    let (model, _) = model(&items);
    let columns: Vec<String> =
        model.entities[0].columns.iter().map(|column| column.name.to_string()).collect();
    assert_eq!(columns, ["a_id", "name", "name_2", "name_3"]);
}

#[test]
fn hostile_names_are_quoted() {
    let hostile = r#"\"; drop table x; --"#;
    let items: Vec<String> = (0..5)
        .map(|at| {
            item(&[
                ("PK", s(format!("A#{at}"))),
                (hostile, s("x")),
                ("_pk", s("mine")),
                ("</title><script>", s("<b>")),
                (r"a\nb = 1", s(r"# x\n[table]")),
                ("\u{442}\u{438}\u{43f}", s("x")),
                ("", s("x")),
            ])
        })
        .collect();
    // DynamoDB has no empty names; the scan may refuse them.
    let items: Vec<String> =
        items.into_iter().map(|item| item.replace(r#","":{"S":"x"}"#, "")).collect();
    let (model, proposal) = model(&items);
    let columns: Vec<String> =
        model.entities[0].columns.iter().map(|column| column.name.to_string()).collect();
    assert_eq!(columns, ["a_id", "drop_table_x", "pk", "title_script", "a_b_1", "attribute"]);
    well_formed(&proposal.to_html());
}

#[test]
fn no_variable_has_a_name_that_nobody_would_write() {
    for (attribute, variable) in [
        (r#"\"; drop table x; --"#, "ord_id"),
        ("order id", "ord_id"),
        ("\u{442}\u{438}\u{43f}", "ord_id"),
        ("order.id", "order_id"),
        ("order-id", "order_id"),
    ] {
        let items: Vec<String> = (0..5)
            .map(|at| item(&[("PK", s(format!("ORD#{at}"))), (attribute, s(at.to_string()))]))
            .collect();
        let (model, proposal) = model(&items);
        let keys = &proposal.entities()[0].keys;
        assert_eq!(keys[0].1, format!("ORD#{{{variable}}}"), "{attribute}");
        let key: Vec<&str> = model.entities[0].key.iter().map(Name::as_str).collect();
        assert_eq!(key, [variable]);
    }
}

#[test]
fn numbers_beyond_every_type_are_told() {
    let mut tape = Tape::new();
    let long = item(&[("PK", s("A#1")), ("x", n("9".repeat(60)))]);
    assert!(tape.scan(long.as_bytes()).is_err());
    let items: Vec<String> = (0..5)
        .map(|at| {
            item(&[
                ("PK", s(format!("A#{at}"))),
                ("x", n("1e120")),
                ("y", n("1e-100")),
                ("z", n("12345678901234567890")),
            ])
        })
        .collect();
    let (model, proposal) = model(&items);
    let ty = |name: &str| model.entities[0].column(&Name::new(name).unwrap()).unwrap().ty.clone();
    assert_eq!((ty("x"), ty("y")), (Type::Double, Type::Double));
    assert_eq!(ty("z"), Type::Decimal { precision: 28, scale: 0 });
    assert_eq!(
        proposal.alerts,
        [
            "a.x: 121 digits before and 0 after the point are more than a decimal holds",
            "a.y: 0 digits before and 100 after the point are more than a decimal holds",
        ]
    );
}

#[test]
fn a_type_that_changes_is_told_and_loses_nothing() {
    let items: Vec<String> = (0..10)
        .map(|at| {
            item(&[("PK", s(format!("A#{at}"))), ("x", if at == 3 { n(1) } else { s("one") })])
        })
        .collect();
    let (model, proposal) = model(&items);
    let x = Name::new("x").unwrap();
    assert_eq!(model.entities[0].column(&x).unwrap().ty, Type::Json);
    assert_eq!(proposal.alerts, ["a.x is of several types: 9 S, 1 N"]);
}

#[test]
fn a_date_that_does_not_exist_leaves_a_text() {
    let dates = ["2021-02-28", "2021-02-30", "2021-03-01"];
    let items: Vec<String> = dates
        .iter()
        .enumerate()
        .map(|(at, date)| {
            item(&[("PK", s(format!("A#{at}"))), ("day", s(date)), ("other", s("03/04/2021"))])
        })
        .collect();
    let (model, proposal) = model(&items);
    let ty = |name: &str| model.entities[0].column(&Name::new(name).unwrap()).unwrap().ty.clone();
    assert_eq!(
        (ty("day"), ty("other")),
        (Type::Text { max_bytes: 16 }, Type::Text { max_bytes: 16 })
    );
    assert_eq!(proposal.alerts, ["a.other: is it date('%d/%m/%Y') or date('%m/%d/%Y')?"]);
}

#[test]
fn items_without_the_key_are_counted() {
    let mut items: Vec<String> =
        (0..9).map(|at| item(&[("PK", s(format!("A#{at}"))), ("x", n(at))])).collect();
    items.push(item(&[("x", n(1))]));
    let (_, proposal) = model(&items);
    assert_eq!(proposal.alerts, ["1 of 10 items have not the key PK: they are of no entity"]);
}

#[test]
fn a_key_of_another_name_is_guessed_or_said() {
    let items: Vec<String> = (0..9)
        .map(|at| {
            item(&[
                ("city", s("x")),
                ("device_id", s(format!("d{at}"))),
                ("at", n(1_600_000_000 + at)),
            ])
        })
        .collect();
    let (model, proposal) = model(&items);
    assert_eq!(&*model.table.partition, "device_id");
    assert!(proposal.alerts[0].starts_with("the table's key is not told by the names"));
    let hint = TableHint::new(Some("device_id".into()), Some("at".into()));
    let mut said = Profile::new(hint);
    let mut tape = Tape::new();
    items.iter().for_each(|item| said.observe(tape.scan(item.as_bytes()).unwrap()));
    let proposal = Proposal::from(&said);
    assert_eq!(proposal.alerts, [""; 0]);
    let model = Model::parse(&proposal.to_toml()).unwrap();
    assert_eq!(model.table.sort.as_deref(), Some("at"));
}

#[test]
fn three_thousand_attributes_fit() {
    let names: Vec<String> = (0..3_000).map(|at| format!("attribute{at}")).collect();
    let items: Vec<String> = (0..20)
        .map(|at| {
            let mut attributes = vec![("PK", s(format!("A#{at}")))];
            attributes.extend(names.iter().map(|name| (name.as_str(), n(at))));
            item(&attributes)
        })
        .collect();
    let (model, proposal) = model(&items);
    assert_eq!(model.entities[0].columns.len(), 1_500);
    assert_eq!(
        proposal.alerts,
        ["a: 30,000 values of further attributes have no column, since a table holds 1,500"]
    );
}

#[test]
fn shapes_without_end_are_read_coarser() {
    // Five words in each of four parts: more shapes than are told apart.
    let word = |at: u64| ["ab", "cd", "ef", "gh", "ij"][at as usize % 5];
    let items: Vec<String> = (0..4_000u64)
        .map(|at| {
            let key = format!("{}#{}#{}", word(at), word(at / 5), word(at / 25));
            item(&[
                ("PK", s(key)),
                ("SK", s(format!("{}#{}", word(at / 125), word(at / 625)))),
                ("x", n(at)),
            ])
        })
        .collect();
    let (_, proposal) = model(&items);
    assert!(proposal.alerts[0].contains("too many shapes"), "{:?}", proposal.alerts);
}
