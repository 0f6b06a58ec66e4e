//! What models are refused for: each case of `faults.txt` changes the model of the e-commerce
//! table and is told what is wrong, where, and what to do.

use std::fmt::Write;

use keystar_star::{Model, ModelError};

use crate::ecommerce::MODEL;

const CASES: &str = include_str!("faults.txt");

/// A case: the title, the text that is taken out, the one that is put in its place.
fn cases() -> Vec<(String, String, String)> {
    let mut cases: Vec<(String, String, String)> = Vec::new();
    for line in CASES.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            cases.push((title.to_owned(), String::new(), String::new()));
        } else if let Some(case) = cases.last_mut() {
            if let Some(old) = line.strip_prefix("- ") {
                writeln!(case.1, "{old}").unwrap();
            } else if let Some(new) = line.strip_prefix("+ ") {
                writeln!(case.2, "{new}").unwrap();
            }
        }
    }
    cases
}

#[test]
fn every_fault_says_where_it_is_and_what_to_do() {
    let cases = cases();
    assert!(cases.len() > 60, "{} cases", cases.len());
    let mut told = String::new();
    for (title, old, new) in cases {
        if !told.is_empty() {
            told.push('\n');
        }
        writeln!(told, "# {title}").unwrap();
        for (mark, text) in [('-', &old), ('+', &new)] {
            for line in text.lines() {
                writeln!(told, "{mark} {line}").unwrap();
            }
        }
        let text = match old.is_empty() {
            true => format!("{MODEL}{new}"),
            false => {
                assert_eq!(MODEL.matches(&old).count(), 1, "{title}: {old}");
                MODEL.replace(&old, &new)
            }
        };
        match Model::parse(&text) {
            Ok(_) => told.push_str("= no fault\n"),
            Err(error) => {
                for fault in error.faults() {
                    assert!(fault.hint().is_some_and(|hint| !hint.is_empty()), "{fault}");
                    assert!(fault.line().is_some() && fault.column().is_some(), "{fault}");
                    writeln!(told, "= {fault}").unwrap();
                }
            }
        }
    }
    if told != CASES {
        let at = told.lines().zip(CASES.lines()).position(|(told, case)| told != case);
        panic!(
            "faults.txt differs from its line {:?} on; all of it is now:\n{told}",
            at.map(|at| at + 1)
        );
    }
}

/// The fault of the e-commerce model after a change, as it is written below.
fn fault(old: &str, new: &str) -> ModelError {
    assert_eq!(MODEL.matches(old).count(), 1);
    let error = Model::parse(&MODEL.replace(old, new)).unwrap_err();
    assert_eq!(error.faults().len(), 1, "{error}");
    error
}

#[test]
fn defect_1_a_join_that_fans_out_is_refused_with_a_remedy() {
    let error = fault(
        "\n[fact.sales.dimensions]",
        "\n[fact.sales.join.address]\non = { username = \"order.username\" }\n\n[fact.sales.dimensions]",
    );
    let hint = error.hint().unwrap();
    for remedy in [
        "add name = \"…\" to on",
        "pick one by name = { text = \"home\" }",
        "make address the fact's entity, which changes its grain",
    ] {
        assert!(hint.contains(remedy), "{hint}");
    }
    // What the remedies say is accepted.
    for on in ["name = \"order.shipto\"", "name = { text = \"home\" }"] {
        let join = format!(
            "\n[fact.sales.join.address]\non = {{ username = \"order.username\", {on} }}\n\
             \n[fact.sales.dimensions]"
        );
        Model::parse(&MODEL.replace("\n[fact.sales.dimensions]", &join)).unwrap();
    }
}

#[test]
fn defect_2_a_false_grain_is_refused() {
    let error = fault("grain = [\"orderid\", \"productid\"]", "grain = [\"orderid\"]");
    assert_eq!(
        error.faults()[0].message(),
        "several rows of line may have the same orderid, since they are told apart by orderid, \
         productid",
    );
}

#[test]
fn defect_2_a_measure_of_a_coarser_entity_is_refused() {
    let error =
        fault("measures = { price = \"price\" }", "measures = { items = \"order.numberofitems\" }");
    assert_eq!(
        error.hint(),
        Some(
            "sum it in a fact of its own: [fact.…] with entity = \"order\" and grain = [\"username\", \"orderid\"]"
        ),
    );
}

#[test]
fn defect_3_lines_without_an_order_keep_their_row() {
    // A join only looks up: it has no form that could take rows away, and a role that finds
    // nothing is the unknown member.
    let model = Model::parse(MODEL).unwrap();
    let sales = &model.facts[0];
    assert_eq!(sales.entity.as_str(), "line");
    assert_eq!(sales.joins.len(), 1);
    let inner =
        MODEL.replace("[fact.sales.join.order]\n", "[fact.sales.join.order]\nkind = \"inner\"\n");
    let error = Model::parse(&inner).unwrap_err();
    assert_eq!(error.faults()[0].message(), "unknown setting");
}

#[test]
fn defect_5_a_decimal_without_precision_is_refused() {
    let error = fault("price = \"decimal(10,2)\"", "price = \"decimal\"");
    assert_eq!(error.faults()[0].message(), "decimal has no precision and scale");
    assert!(error.hint().unwrap().ends_with("and cut the cents off"));
}

#[test]
fn defect_10_reserved_words_are_names() {
    let model = MODEL
        .replace("[entity.order]", "[entity.table]")
        .replace("[entity.order.", "[entity.table.")
        .replace("entity = \"order\"", "entity = \"table\"")
        .replace(
            "shipto = \"text(16)\"",
            "shipto = \"text(16)\"\nselect = \"int\"\nend = \"date\"",
        );
    let model = Model::parse(&model).unwrap();
    assert_eq!(model.entities[2].name.as_str(), "table");
    assert_eq!(model.entities[2].columns[5].name.as_str(), "select");
}

#[test]
fn several_faults_are_told_at_once() {
    let text = MODEL
        .replace("price = \"decimal(10,2)\"", "price = \"decimal\"")
        .replace("over = \"map\"", "over = \"mop\"")
        .replace("partition_key", "partitionkey");
    let error = Model::parse(&text).unwrap_err();
    let lines: Vec<_> = error.faults().iter().map(|fault| (fault.line(), fault.path())).collect();
    assert_eq!(
        lines,
        [
            (Some(10), "table.partitionkey".to_owned()),
            (Some(27), "entity.address.over".to_owned()),
            (Some(65), "entity.line.columns.price".to_owned()),
        ]
    );
    assert_eq!(error.to_string().lines().count(), 3);
    assert_eq!((error.line(), error.column()), (Some(10), Some(1)));
}

#[test]
fn more_columns_than_redshift_holds_are_refused() {
    let with = |count: usize| {
        let mut text = String::from(
            "table.partition_key = \"pk\"\n[entity.wide]\npk = \"{id}\"\n[entity.wide.columns]\nid = \"text(9)\"\n",
        );
        for index in 1..count {
            writeln!(text, "c{index} = \"int\"").unwrap();
        }
        Model::parse(&text)
    };
    assert_eq!(with(1597).unwrap().entities[0].columns.len(), 1597);
    assert_eq!(
        with(3000).unwrap_err().to_string(),
        "line 2, column 9: entity.wide: 3003 columns with those of Keystar, Redshift holds 1600 in \
         a table; leave columns out, or take a map of them as one column of type json",
    );
}

#[test]
fn an_attribute_may_be_called_anything() {
    let evil = r#"'"; drop table x; --' = "text(9)""#;
    let text = |columns: &str| {
        format!(
            "table.partition_key = \"pk\"\n[entity.e]\npk = \"{{id}}\"\n[entity.e.columns]\nid = \"int\"\n{columns}\n"
        )
    };
    let error = Model::parse(&text(evil)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 6, column 1: entity.e.columns.\"\\\"; drop table x; --\": the column would be called \
         _drop_table_x_, and only Keystar's own begin with _; write drop_table_x = { from = \
         \"\\\"\\\\\\\"; drop table x; --\\\"\", … }",
    );
    for from in [r#""\"\\\"; drop table x; --\"""#, r#"['"; drop table x; --']"#] {
        let columns = format!("drop_table_x = {{ from = {from}, type = \"text(9)\" }}");
        let model = Model::parse(&text(&columns)).unwrap();
        let keystar_star::Source::Attribute(path) = &model.entities[0].columns[1].source else {
            panic!("{model:?}")
        };
        assert_eq!(path.names(), [Box::from("\"; drop table x; --")]);
    }
    let model = Model::parse(&text("\"a.b\" = \"int\"\n'Größe' = \"int\"")).unwrap();
    let columns: Vec<&str> =
        model.entities[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["id", "a_b", "gr_e"]);
}

#[test]
fn a_spec_that_was_not_read_has_no_places() {
    let mut spec = keystar_star::ModelSpec::parse(MODEL).unwrap();
    spec.facts[0].1.grain.pop();
    let error = Model::try_from(spec).unwrap_err();
    assert_eq!((error.line(), error.column()), (None, None));
    assert!(error.to_string().starts_with("fact.sales.grain: several rows of line"), "{error}");
}
