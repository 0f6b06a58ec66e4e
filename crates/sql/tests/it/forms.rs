//! Forms of SQL: how each dialect writes them, and which it lacks.

use keystar_sql::{
    Aggregate, Comparison, CopySource, DataFusion, DatePart, Dialect, Error, Expr, Ident, JoinKind,
    Literal, Operator, Parameter, PostgreSql, Redshift, Relation, Right, Schema, Select, SqlType,
    Statement, Table, TableColumn, TableName, Window,
};
use keystar_star::Type;

use crate::ecommerce::{dialects, name};

fn ident(text: &str) -> Ident {
    Ident::new(text).unwrap()
}

fn column(text: &str) -> Expr {
    Expr::column(ident(text))
}

fn table(text: &str) -> TableName {
    TableName::new(Schema::Dwh, name(text))
}

/// Redshift, PostgreSQL, DataFusion.
fn written(expr: &Expr) -> [String; 3] {
    [&Redshift as &dyn Dialect, &PostgreSql, &DataFusion].map(|it| expr.to_sql(it).unwrap())
}

fn unsupported<T: std::fmt::Debug>(outcome: Result<T, Error>, dialect: &str, form: &str) {
    let expected = Error::Unsupported { dialect: "", form: String::new() };
    match outcome {
        Err(Error::Unsupported { dialect: found, form: lacks }) => {
            assert_eq!((found, lacks.as_str()), (dialect, form));
        }
        other => panic!("{other:?} rather than {expected:?}"),
    }
}

#[test]
fn operators_are_read_as_they_are_built() {
    let (a, b, c) = (|| column("a"), || column("b"), || column("c"));
    let expr = a().plus(b()).times(c().minus(Expr::int(-1)));
    assert_eq!(written(&expr), [r#"("a" + "b") * ("c" - (-1))"#; 3]);
    let any =
        Expr::Or(vec![a().is_null(), b().equals(c()).and(a().compare(Comparison::Less, b()))]);
    assert_eq!(written(&any), [r#"(("a" IS NULL) OR (("b" = "c") AND ("a" < "b")))"#; 3]);
    assert_eq!(written(&Expr::And(Vec::new())), ["TRUE"; 3]);
    assert_eq!(written(&Expr::Or(Vec::new())), ["FALSE"; 3]);
    assert_eq!(written(&Expr::Or(vec![a().is_null()]).negate()), [r#"NOT ("a" IS NULL)"#; 3]);
    assert_eq!(
        written(&a().calculate(Operator::Remainder, b()).calculate(Operator::Divide, c())),
        [r#"("a" % "b") / "c""#; 3]
    );
    assert_eq!(
        written(&Expr::Concat(vec![a(), Expr::Concat(vec![b(), c()])])),
        [r#""a" || ("b" || "c")"#; 3]
    );
    let count = a().aggregate(Aggregate::CountDistinct);
    assert_eq!(written(&count), [r#"COUNT(DISTINCT "a")"#; 3]);
}

#[test]
fn null_safe_comparison_is_a_form_or_spelled_out() {
    let differs = column("a").differs(Expr::int(1));
    let spelled =
        r#"NOT (("a" IS NOT NULL AND 1 IS NOT NULL AND "a" = 1) OR ("a" IS NULL AND 1 IS NULL))"#;
    let form = r#""a" IS DISTINCT FROM 1"#;
    assert_eq!(written(&differs), [spelled, form, form]);
    let both = column("a").same(column("b")).and(column("c").same(column("d")));
    assert_eq!(
        both.to_sql(&PostgreSql).unwrap(),
        r#"(("a" IS NOT DISTINCT FROM "b") AND ("c" IS NOT DISTINCT FROM "d"))"#
    );
}

#[test]
fn dates_windows_casts_and_parameters_differ() {
    let date = column("d").add_days(Expr::int(3));
    assert_eq!(
        written(&date),
        [
            r#"CAST(DATEADD(DAY, 3, "d") AS DATE)"#,
            r#"("d" + CAST(3 AS INTEGER))"#,
            r#"CAST(CAST(CAST("d" AS INTEGER) + 3 AS INTEGER) AS DATE)"#,
        ]
    );
    let week = column("d").extract(DatePart::DayOfWeek);
    assert_eq!(written(&week), [r#"CAST(EXTRACT(DOW FROM "d") AS BIGINT)"#; 3]);
    let order = vec![Expr::Bytewise(Box::new(column("t"))).descending()];
    let number = Expr::RowNumber(Window::new(vec![column("p")], order));
    assert_eq!(
        written(&number),
        [
            r#"ROW_NUMBER() OVER (PARTITION BY "p" ORDER BY "t" DESC)"#,
            r#"ROW_NUMBER() OVER (PARTITION BY "p" ORDER BY "t" COLLATE "C" DESC)"#,
            r#"ROW_NUMBER() OVER (PARTITION BY "p" ORDER BY "t" DESC)"#,
        ]
    );
    let lead =
        Expr::Lead(Box::new(column("t")), Window::new(Vec::new(), vec![column("t").ascending()]));
    assert_eq!(written(&lead), [r#"LEAD("t") OVER (ORDER BY "t")"#; 3]);
    let parameter = Expr::Parameter(Parameter::new(2, name("loaded_at")));
    assert_eq!(written(&parameter), [":loaded_at", "$2", "$loaded_at"]);
    let nested = || SqlType::Nested(Type::List(Box::new(Type::Int)));
    assert_eq!(
        written(&Expr::null(nested())),
        ["CAST(NULL AS SUPER)", "CAST(NULL AS JSONB)", "NULL"]
    );
    assert_eq!(
        written(&Expr::null(SqlType::Text { max_bytes: 9 })),
        ["CAST(NULL AS VARCHAR(9))", "CAST(NULL AS VARCHAR(9))", "arrow_cast(NULL, 'Utf8')"]
    );
}

#[test]
fn a_type_that_a_dialect_cannot_hold_is_an_error() {
    let cast = |ty| column("a").cast(ty);
    let long = || SqlType::Text { max_bytes: 70_000 };
    unsupported(
        cast(long()).to_sql(&Redshift),
        "Redshift",
        "VARCHAR of 70000 bytes, at most 65,535",
    );
    assert_eq!(cast(long()).to_sql(&PostgreSql).unwrap(), r#"CAST("a" AS VARCHAR(70000))"#);
    for (_, dialect) in dialects() {
        for (precision, scale) in [(39, 0), (0, 0), (10, 11), (38, 38)] {
            let outcome = cast(SqlType::Decimal { precision, scale }).to_sql(dialect);
            unsupported(outcome, dialect.name(), &format!("DECIMAL({precision},{scale})"));
        }
    }
    let nested = SqlType::Nested(Type::List(Box::new(Type::Int)));
    unsupported(cast(nested).to_sql(&DataFusion), "DataFusion", "name for a nested type");
}

#[test]
fn statements_that_change_things() {
    let (new, old) = (ident("new"), ident("sales"));
    let on = Expr::of(&old, ident("order")).equals(Expr::of(&new, ident("order")));
    let delete = Statement::Delete {
        table: table("sales"),
        using: Some((Relation::Named(new.clone()), new.clone())),
        filter: Some(on.clone()),
    };
    let update = Statement::Update {
        table: table("sales"),
        set: vec![(ident("price"), Expr::of(&new, ident("price")))],
        from: Some((Relation::Named(new.clone()), new.clone())),
        filter: Some(on),
    };
    let there = Select::from(table("sales"), old.clone()).column(Expr::int(1), ident("one"));
    let absent = Expr::Exists(Box::new(there)).negate();
    let delete_absent =
        Statement::Delete { table: table("orders"), using: None, filter: Some(absent) };
    for dialect in [&Redshift as &dyn Dialect, &PostgreSql] {
        assert_eq!(
            delete.to_sql(dialect).unwrap(),
            "DELETE FROM \"dwh\".\"sales\"\nUSING \"new\"\nWHERE \"sales\".\"order\" = \"new\".\"order\""
        );
        assert_eq!(
            update.to_sql(dialect).unwrap(),
            "UPDATE \"dwh\".\"sales\"\nSET\n  \"price\" = \"new\".\"price\"\nFROM \"new\"\n\
             WHERE \"sales\".\"order\" = \"new\".\"order\""
        );
        assert_eq!(
            delete_absent.to_sql(dialect).unwrap(),
            "DELETE FROM \"dwh\".\"orders\"\nWHERE NOT EXISTS (\n    SELECT\n      1 AS \"one\"\n    \
             FROM \"dwh\".\"sales\" AS \"sales\"\n  )"
        );
    }
    unsupported(delete.to_sql(&DataFusion), "DataFusion", "DELETE");
    unsupported(update.to_sql(&DataFusion), "DataFusion", "UPDATE");
    unsupported(Statement::Begin.to_sql(&DataFusion), "DataFusion", "transactions");
}

#[test]
fn statements_that_make_things() {
    let columns = vec![
        TableColumn::new(name("order"), SqlType::Int).required(),
        TableColumn::new(name("note"), SqlType::Json),
    ];
    let make = Table::new(table("sales"), "it's", columns).with_primary_key(vec![name("order")]);
    let make = Statement::CreateTable(make);
    assert_eq!(
        make.to_sql(&Redshift).unwrap(),
        "CREATE TABLE IF NOT EXISTS \"dwh\".\"sales\" (\n  \"order\" BIGINT NOT NULL,\n  \
         \"note\" VARCHAR(65535),\n  PRIMARY KEY (\"order\")\n)"
    );
    assert_eq!(
        make.to_sql(&DataFusion).unwrap(),
        "CREATE TABLE IF NOT EXISTS \"dwh\".\"sales\" (\n  \"order\" BIGINT,\n  \"note\" VARCHAR\n)"
    );
    let widen = |ty| Statement::WidenColumn { table: table("sales"), column: ident("note"), ty };
    assert_eq!(
        widen(SqlType::Text { max_bytes: 20 }).to_sql(&Redshift).unwrap(),
        "ALTER TABLE \"dwh\".\"sales\" ALTER COLUMN \"note\" TYPE VARCHAR(20)"
    );
    let decimal = widen(SqlType::Decimal { precision: 20, scale: 2 });
    unsupported(decimal.to_sql(&Redshift), "Redshift", "ALTER COLUMN to another type");
    assert_eq!(
        decimal.to_sql(&PostgreSql).unwrap(),
        "ALTER TABLE \"dwh\".\"sales\" ALTER COLUMN \"note\" TYPE DECIMAL(20,2)"
    );
    let grant = Statement::Grant { right: Right::Read, schema: Schema::Dwh, to: ident("a\"b") };
    assert_eq!(
        grant.to_sql(&Redshift).unwrap(),
        "GRANT SELECT ON ALL TABLES IN SCHEMA \"dwh\" TO \"a\"\"b\""
    );
    unsupported(grant.to_sql(&DataFusion), "DataFusion", "GRANT");

    let copy = |nested, source| Statement::Copy {
        table: TableName::new(Schema::Landing, name("order")),
        columns: vec![ident("_pk"), ident("order")],
        source,
        nested,
    };
    assert_eq!(
        copy(true, CopySource::manifest("s3://b/m", "arn:aws:iam::1:role/r")).to_sql(&Redshift),
        Ok("COPY \"landing\".\"order\" (\"_pk\", \"order\")\nFROM 's3://b/m'\n\
            IAM_ROLE 'arn:aws:iam::1:role/r'\nFORMAT AS PARQUET SERIALIZETOJSON\nMANIFEST"
            .to_owned())
    );
    assert_eq!(
        copy(false, CopySource::prefix("s3://b/it's", "r")).to_sql(&Redshift),
        Ok("COPY \"landing\".\"order\" (\"_pk\", \"order\")\nFROM 's3://b/it''s'\nIAM_ROLE 'r'\n\
            FORMAT AS PARQUET"
            .to_owned())
    );
    let plain = copy(false, CopySource::prefix("s3://b", "r"));
    unsupported(plain.to_sql(&PostgreSql), "PostgreSQL", "COPY from Parquet");
}

#[test]
fn queries_nest() {
    let (a, b) = (ident("a"), ident("b"));
    let inner =
        Select::from(table("sales"), a.clone()).column(Expr::of(&a, ident("x")), ident("x"));
    let select = Select::from(b.clone(), b.clone())
        .with(b.clone(), inner.clone().distinct())
        .join(JoinKind::Full, inner.clone(), a.clone(), Expr::bool(true))
        .cross_join(table("date"), ident("d"))
        .column(Expr::count(), ident("n"))
        .group(Expr::of(&b, ident("x")))
        .having(Expr::count().compare(Comparison::Greater, Expr::Literal(Literal::Int(1))))
        .union_all(Select::row().column(Expr::int(0), ident("n")))
        .order(column("n").descending());
    assert_eq!(
        select.to_sql(&PostgreSql).unwrap(),
        "WITH \"b\" AS (\n  SELECT DISTINCT\n    \"a\".\"x\" AS \"x\"\n  FROM \"dwh\".\"sales\" AS \"a\"\n)\n\
         SELECT\n  COUNT(*) AS \"n\"\nFROM \"b\"\n\
         FULL OUTER JOIN (\n  SELECT\n    \"a\".\"x\" AS \"x\"\n  FROM \"dwh\".\"sales\" AS \"a\"\n) AS \"a\" ON TRUE\n\
         CROSS JOIN \"dwh\".\"date\" AS \"d\"\nGROUP BY \"b\".\"x\"\nHAVING COUNT(*) > 1\n\
         UNION ALL\nSELECT\n  0 AS \"n\"\nORDER BY \"n\" DESC"
    );
}
