//! Questions, good and bad.

use std::sync::Arc;

use keystar_sql::{Schema, TableName};
use keystar_star::Name;
use keystar_warehouse::{
    Embedded, EmbeddedOptions, Error, Landing,
    result::{write_csv, write_parquet},
};

fn embedded(dir: &tempfile::TempDir) -> Embedded {
    let options = EmbeddedOptions { memory_bytes: 64 << 20, threads: 2 };
    Embedded::open(&dir.path().join("wh"), options).unwrap()
}

fn lake(dir: &tempfile::TempDir, warehouse: &Embedded) -> Landing {
    let rows = warehouse.query("SELECT 1 AS id, 'Kiel' AS city", &[]).unwrap();
    let (file, columns) = (dir.path().join("a b=1 [x]?*%20.parquet"), rows.schema());
    write_parquet(&file, &columns, rows).unwrap();
    let table = TableName::new(Schema::Landing, Name::new("order").unwrap());
    Landing { table, files: vec![file], columns }
}

fn csv(warehouse: &Embedded, sql: &str, also: &[Landing]) -> String {
    let rows = warehouse.query(sql, also).unwrap();
    let mut out = Vec::new();
    write_csv(&mut out, &rows.schema(), rows).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_lake_can_be_asked_before_there_is_a_warehouse() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = embedded(&dir);
    let lake = [lake(&dir, &warehouse)];
    assert_eq!(csv(&warehouse, "SELECT * FROM lake.\"order\"", &lake), "id,city\n1,Kiel\n");
    assert_eq!(csv(&warehouse, "SELECT city FROM landing.\"order\"", &lake), "city\nKiel\n");
    assert!(csv(&warehouse, "SHOW TABLES", &lake).contains("keystar,lake,order,BASE TABLE\n"));
    assert!(csv(&warehouse, "DESCRIBE lake.\"order\"", &lake).contains("city,Utf8,NO\n"));
    assert!(csv(&warehouse, "EXPLAIN SELECT 1", &lake).starts_with("plan_type,plan\n"));
    assert!(!dir.path().join("wh").exists(), "a query makes nothing");
}

#[test]
fn nothing_but_queries_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = embedded(&dir);
    let refused = |sql: &str| match warehouse.query(sql, &[]) {
        Err(Error::ReadOnly(what)) => what,
        other => panic!("{sql}: {other:?}"),
    };
    let copy = format!("COPY (SELECT 1) TO '{}' STORED AS PARQUET", dir.path().display());
    assert_eq!(refused(&copy), "COPY");
    assert_eq!(refused(&format!("EXPLAIN {copy}")), "COPY");
    assert_eq!(
        refused("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'"),
        "CREATE EXTERNAL TABLE"
    );
    assert_eq!(refused("CREATE TABLE x AS SELECT 1"), "CREATE");
    assert_eq!(refused("INSERT INTO x SELECT 1"), "INSERT");
    assert_eq!(refused("EXPLAIN ANALYZE INSERT INTO x SELECT 1"), "INSERT");
    assert_eq!(refused("DELETE FROM x"), "DELETE");
    assert_eq!(refused("UPDATE x SET a = 1"), "UPDATE");
    assert_eq!(refused("DROP TABLE x"), "DROP");
    assert_eq!(refused("SET datafusion.execution.batch_size = 1"), "SET");
    assert_eq!(refused("RESET datafusion.execution.batch_size"), "RESET");
    assert_eq!(refused("BEGIN"), "BEGIN");
    let error = warehouse.query("DROP TABLE x", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "only queries can be run here (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE), not DROP"
    );
    // Nor does a query read files by their names.
    assert!(matches!(
        warehouse.query("SELECT * FROM '/etc/passwd'", &[]),
        Err(Error::UnknownTable { .. })
    ));
}

#[test]
fn what_is_wrong_with_a_query_is_said_on_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = embedded(&dir);
    let lake = [lake(&dir, &warehouse)];
    let said = |sql: &str| warehouse.query(sql, &lake).unwrap_err().to_string();
    assert_eq!(said(""), "there is no query");
    assert_eq!(said("SELECT 1; SELECT 2"), "one query at a time: there are several");
    assert_eq!(
        said("SELECT * FROM lake.ordr"),
        "there is no table lake.ordr; did you mean lake.order, landing.order?"
    );
    assert_eq!(
        said("SELECT * FROM customer"),
        "there is no table customer; there are lake.order, landing.order"
    );
    assert_eq!(
        warehouse.query("SELECT * FROM customer", &[]).unwrap_err().to_string(),
        "there is no table customer; nothing is loaded yet"
    );
    let lines = [
        "SELECT towm FROM lake.\"order\"",
        "SELEC 1",
        "SELECT * FROM lake.order WHERE",
        "SELECT nosuch(1)",
        "SELECT sum(city) FROM lake.\"order\"",
    ];
    let told: Vec<String> = lines.iter().map(|sql| said(sql)).collect();
    for text in &told {
        assert!(!text.contains('\n'), "{text}");
        assert!(!text.contains("DataFusion") && !text.contains("error:"), "{text}");
    }
    assert!(told[0].contains("No field named towm"), "{}", told[0]);
    assert!(told[0].contains("city"), "{}", told[0]);
    let rows = warehouse.query("SELECT 1 / (id - 1) FROM lake.\"order\"", &lake).unwrap();
    let error = rows.collect::<Result<Vec<_>, _>>().unwrap_err();
    assert_eq!(error.to_string(), "Divide by zero error");
}

#[test]
fn names_of_a_with_clause_and_functions_are_no_tables() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = embedded(&dir);
    assert_eq!(
        csv(
            &warehouse,
            "WITH x AS (SELECT 1 AS a) SELECT * FROM x, generate_series(1, 2) AS s(b)",
            &[]
        ),
        "a,b\n1,1\n1,2\n"
    );
    assert_eq!(csv(&warehouse, "SELECT 1 AS a WHERE false", &[]), "a\n");
    assert_eq!(csv(&warehouse, "SELECT count(*) AS n FROM (VALUES (1), (2))", &[]), "n\n2\n");
}

#[test]
fn a_query_may_be_dropped_and_several_run_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Arc::new(embedded(&dir));
    let sql = "SELECT sum(value) AS total FROM generate_series(1, 100000)";
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let warehouse = Arc::clone(&warehouse);
            std::thread::spawn(move || csv(&warehouse, sql, &[]))
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "total\n5000050000\n");
    }
    let mut rows = warehouse.query("SELECT * FROM generate_series(1, 100000000)", &[]).unwrap();
    assert!(rows.next().unwrap().unwrap().num_rows() > 0);
    drop(rows);
}
