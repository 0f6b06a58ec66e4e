//! What is written for the e-commerce model, in every dialect, and that others can read it.
//!
//! `UPDATE_GOLDENS=1 cargo test -p keystar-sql` writes the goldens anew; read the difference before
//! you commit it.

use std::path::Path;

use sqlparser::dialect::{GenericDialect, PostgreSqlDialect, RedshiftSqlDialect};
use sqlparser::parser::Parser;

use crate::ecommerce;

#[test]
fn the_sql_of_the_model_is_that_of_the_goldens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/sql");
    let mut wrong = Vec::new();
    for (folder, dialect) in ecommerce::dialects() {
        for (file, statements) in ecommerce::all(dialect) {
            let path = root.join(folder).join(file);
            let text: String =
                statements.iter().map(|statement| format!("{statement};\n\n")).collect();
            let text = format!("{}\n", text.trim_end());
            if std::env::var_os("UPDATE_GOLDENS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            if std::fs::read_to_string(&path).unwrap_or_default() != text {
                wrong.push(path);
            }
        }
    }
    assert!(wrong.is_empty(), "these differ from their goldens: {wrong:#?}");
}

#[test]
fn every_statement_is_one_statement_to_another_parser() {
    let mut parsed = 0;
    for (folder, dialect) in ecommerce::dialects() {
        let parser: &dyn sqlparser::dialect::Dialect = match folder {
            "redshift" => &RedshiftSqlDialect {},
            "postgresql" => &PostgreSqlDialect {},
            _ => &GenericDialect {},
        };
        for (file, statements) in ecommerce::all(dialect) {
            for statement in statements {
                // Its Redshift does not know this form, which Redshift has from PostgreSQL.
                let parser = match statement.split(' ').next() {
                    Some("COMMENT" | "LOCK") if folder == "redshift" => &PostgreSqlDialect {},
                    _ => parser,
                };
                match Parser::parse_sql(parser, &statement) {
                    Ok(all) => assert_eq!(all.len(), 1, "{folder}/{file}: {statement}"),
                    Err(error) => panic!("{folder}/{file}: {error}: {statement}"),
                }
                parsed += 1;
            }
        }
    }
    assert!(parsed > 150, "{parsed}");
}

#[test]
fn nothing_commits_in_the_middle_of_a_load() {
    for (folder, dialect) in ecommerce::dialects() {
        for (file, statements) in ecommerce::all(dialect) {
            let last = statements.len() - 1;
            for (index, statement) in statements.iter().enumerate() {
                for word in ["TRUNCATE", "MERGE", "IDENTITY", "INNER JOIN \"landing\""] {
                    assert!(!statement.contains(word), "{folder}/{file}: {word}: {statement}");
                }
                assert!(!statement.contains("COMMIT") || index == last, "{folder}/{file}");
                // DECIMAL without a precision has no cents in Redshift.
                for (at, _) in statement.match_indices("DECIMAL") {
                    assert_eq!(&statement[at + 7..at + 8], "(", "{folder}/{file}: {statement}");
                }
            }
        }
    }
}
