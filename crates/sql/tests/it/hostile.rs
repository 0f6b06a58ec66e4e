//! Whatever stands in a name or a text, it stays a name or a text.

use keystar_sql::{DataFusion, Error, Expr, Ident, Literal, PostgreSql, Redshift, Select};
use proptest::prelude::*;
use sqlparser::ast::{self, SelectItem, SetExpr, Statement};
use sqlparser::dialect::{GenericDialect, PostgreSqlDialect, RedshiftSqlDialect};
use sqlparser::parser::Parser;

use crate::ecommerce;

/// The one column of a query of one row: its value and its alias.
fn parsed(dialect: &str, sql: &str) -> (ast::Expr, String) {
    let parser: &dyn sqlparser::dialect::Dialect = match dialect {
        "redshift" => &RedshiftSqlDialect {},
        "postgresql" => &PostgreSqlDialect {},
        _ => &GenericDialect {},
    };
    let mut statements = Parser::parse_sql(parser, sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    assert_eq!(statements.len(), 1, "{sql}");
    let Some(Statement::Query(query)) = statements.pop() else { panic!("{sql}") };
    let SetExpr::Select(select) = *query.body else { panic!("{sql}") };
    let [SelectItem::ExprWithAlias { expr, alias }] = &select.projection[..] else {
        panic!("{sql}")
    };
    (expr.clone(), alias.value.clone())
}

/// The text that an expression of texts comes to.
fn value(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Nested(inner) => value(inner),
        ast::Expr::BinaryOp { left, op: ast::BinaryOperator::StringConcat, right } => {
            value(left) + &value(right)
        }
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => text.clone(),
            ast::Value::EscapedStringLiteral(text) => text.clone(),
            other => panic!("{other:?}"),
        },
        ast::Expr::Function(function) => {
            assert_eq!(function.to_string(), "CHR(92)");
            "\\".into()
        }
        other => panic!("{other:?}"),
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let bits = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\'".to_owned()),
        Just("--".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just(";".to_owned()),
        Just("$$".to_owned()),
        Just("\n".to_owned()),
        Just("'; DROP TABLE x; --".to_owned()),
        "[a-z]{1,4}",
        any::<char>().prop_filter("NUL", |it| *it != '\0').prop_map(String::from),
    ];
    proptest::collection::vec(bits, 0..12).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn texts_and_names_come_back_as_they_were(text in hostile(), name in hostile()) {
        let name = Ident::new(&name).or_else(|_| Ident::new("fine")).unwrap();
        for (folder, dialect) in ecommerce::dialects() {
            let sql = Select::row().column(Expr::text(&text), name.clone()).to_sql(dialect).unwrap();
            let (expr, alias) = parsed(folder, &sql);
            prop_assert_eq!(value(&expr), text.clone(), "{}: {}", folder, sql);
            prop_assert_eq!(alias, name.to_string(), "{}: {}", folder, sql);
        }
    }

    /// A backslash within quotes begins an escape on some servers and not on others: none is left.
    #[test]
    fn redshift_texts_have_no_backslash(text in hostile()) {
        prop_assert!(!Expr::text(&text).to_sql(&Redshift).unwrap().contains('\\'));
    }

    #[test]
    fn whole_numbers_come_back(number in any::<i64>()) {
        for (_, dialect) in ecommerce::dialects() {
            let sql = Expr::int(number).to_sql(dialect).unwrap();
            let digits = sql.trim_start_matches("CAST('").trim_end_matches("' AS BIGINT)");
            prop_assert_eq!(digits.parse::<i64>().unwrap(), number);
        }
    }
}

#[test]
fn what_no_literal_can_tell_is_an_error() {
    for literal in [
        Literal::Text("a\0b".into()),
        Literal::Double(f64::NAN),
        Literal::Double(f64::INFINITY),
        Literal::Date(i32::MAX),
        Literal::Date(-719_163),
        Literal::Timestamp(i64::MAX),
        Literal::Timestamp(i64::MIN),
        Literal::Decimal { unscaled: i128::MAX, scale: 2 },
        Literal::Decimal { unscaled: 1, scale: 38 },
    ] {
        for (folder, dialect) in ecommerce::dialects() {
            let outcome = Expr::Literal(literal.clone()).to_sql(dialect);
            assert!(
                matches!(outcome, Err(Error::Literal { .. } | Error::Unsupported { .. })),
                "{folder}: {literal:?}: {outcome:?}"
            );
        }
    }
}

#[test]
fn literals_are_written_by_their_type() {
    let written = |literal: Literal| {
        let literal = Expr::Literal(literal);
        [
            literal.to_sql(&Redshift).unwrap(),
            literal.to_sql(&PostgreSql).unwrap(),
            literal.to_sql(&DataFusion).unwrap(),
        ]
    };
    assert_eq!(written(Literal::Null), ["NULL"; 3]);
    assert_eq!(written(Literal::Bool(true)), ["TRUE"; 3]);
    assert_eq!(written(Literal::Int(-5)), ["-5"; 3]);
    assert_eq!(
        written(Literal::Decimal { unscaled: -5, scale: 2 }),
        ["CAST('-0.05' AS DECIMAL(38,2))"; 3]
    );
    assert_eq!(
        written(Literal::Decimal { unscaled: 1200, scale: 0 }),
        ["CAST('1200' AS DECIMAL(38,0))"; 3]
    );
    assert_eq!(written(Literal::Double(0.1)), ["CAST('1e-1' AS DOUBLE PRECISION)"; 3]);
    assert_eq!(written(Literal::Date(0)), ["DATE '1970-01-01'"; 3]);
    assert_eq!(written(Literal::Date(-719_162)), ["DATE '0001-01-01'"; 3]);
    assert_eq!(
        written(Literal::Timestamp(-1)),
        [
            "TIMESTAMP '1969-12-31 23:59:59.999999'",
            "TIMESTAMP '1969-12-31 23:59:59.999999'",
            r#"arrow_cast('1969-12-31T23:59:59.999999Z', 'Timestamp(Microsecond, Some("UTC"))')"#,
        ]
    );
    assert_eq!(
        written(Literal::Bytes([0, 255].into())),
        ["FROM_HEX('00ff')", "DECODE('00ff', 'hex')", "X'00ff'"]
    );
    assert_eq!(
        written("it's \\ 1".into()),
        [r"('it''s ' || CHR(92) || ' 1')", r"E'it''s \\ 1'", r"'it''s \ 1'"]
    );
}
