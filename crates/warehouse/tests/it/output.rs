//! Rows as text and as files.

use std::{fs, path::Path};

use keystar_warehouse::{
    Embedded, EmbeddedOptions, Error, QueryResult,
    result::{write_csv, write_json, write_parquet, write_table},
};

const SQL: &str = "
    SELECT CAST(column1 AS BIGINT) AS id, column2 AS name, CAST(column3 AS DECIMAL(10,2)) AS price,
      arrow_cast(column4, 'Timestamp(Microsecond, Some(\"UTC\"))') AS at, column5 AS ok,
      CAST(column4 AS DATE) AS day
    FROM (VALUES
      (1, 'plain', '1.5', '2021-04-12T10:20:30Z', true),
      (-20, 'a, \"b\"', '-0.01', '2021-04-12T10:20:30.000001Z', false),
      (NULL, '', NULL, NULL, NULL),
      (3, NULL, '12345678.9', '0001-01-01T00:00:00Z', true),
      (4, 'línea 一\n\u{1b}[31m', '0', '9999-12-31T00:00:00Z', true))";

fn ask(sql: &str) -> QueryResult {
    let options = EmbeddedOptions { memory_bytes: 64 << 20, threads: 1 };
    Embedded::open(Path::new("no-such-folder"), options).unwrap().query(sql, &[]).unwrap()
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> Result<u64, Error>) -> (String, u64) {
    let mut out = Vec::new();
    let rows = write(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), rows)
}

#[test]
fn a_table_to_look_at() {
    let rows = ask(SQL);
    let (table, count) = text(|out| write_table(out, &rows.schema(), rows));
    assert_eq!(count, 5);
    let expected = r#"
  id  name                        price  at                           ok     day
----  --------------------  -----------  ---------------------------  -----  ----------
   1  plain                        1.50  2021-04-12T10:20:30Z         true   2021-04-12
 -20  a, "b"                      -0.01  2021-04-12T10:20:30.000001Z  false  2021-04-12
NULL                               NULL  NULL                         NULL   NULL
   3  NULL                  12345678.90  0001-01-01T00:00:00Z         true   0001-01-01
   4  línea 一\n\u{1b}[31m         0.00  9999-12-31T00:00:00Z         true   9999-12-31
(5 rows)
"#;
    assert_eq!(format!("\n{table}"), expected);
    let rows = ask("SELECT 1 AS a WHERE false");
    let (table, _) = text(|out| write_table(out, &rows.schema(), rows));
    assert_eq!(table, "a\n-\n(0 rows)\n");
    // More rows than are measured.
    let rows = ask("SELECT value AS n FROM generate_series(1, 1500)");
    let (table, count) = text(|out| write_table(out, &rows.schema(), rows));
    assert_eq!((count, table.lines().count()), (1500, 1503));
}

#[test]
fn csv_tells_nothing_from_null() {
    let rows = ask(SQL);
    let (csv, count) = text(|out| write_csv(out, &rows.schema(), rows));
    assert_eq!(count, 5);
    assert_eq!(
        csv,
        "id,name,price,at,ok,day\n\
         1,plain,1.50,2021-04-12T10:20:30Z,true,2021-04-12\n\
         -20,\"a, \"\"b\"\"\",-0.01,2021-04-12T10:20:30.000001Z,false,2021-04-12\n\
         ,\"\",,,,\n\
         3,,12345678.90,0001-01-01T00:00:00Z,true,0001-01-01\n\
         4,\"línea 一\n\u{1b}[31m\",0.00,9999-12-31T00:00:00Z,true,9999-12-31\n"
    );
}

#[test]
fn json_has_exact_numbers_and_null() {
    let rows = ask(SQL);
    let (json, count) = text(|out| write_json(out, rows));
    assert_eq!(count, 5);
    let lines: Vec<&str> = json.lines().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[0],
        r#"{"id":1,"name":"plain","price":1.50,"at":"2021-04-12T10:20:30Z","ok":true,"day":"2021-04-12"}"#
    );
    assert_eq!(lines[2], r#"{"id":null,"name":"","price":null,"at":null,"ok":null,"day":null}"#);
}

#[test]
fn lists_and_structs_have_a_text() {
    let sql = "SELECT make_array(1, 2) AS l, named_struct('a', 'x', 'b', NULL) AS s";
    let rows = ask(sql);
    let (csv, _) = text(|out| write_csv(out, &rows.schema(), rows));
    assert_eq!(csv, "l,s\n\"[1, 2]\",\"{a: x, b: }\"\n");
    let (json, _) = text(|out| write_json(out, ask(sql)));
    assert_eq!(json, "{\"l\":[1,2],\"s\":{\"a\":\"x\",\"b\":null}}\n");
}

#[test]
fn a_parquet_file_is_there_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.parquet");
    let rows = ask(SQL);
    assert_eq!(write_parquet(&file, &rows.schema(), rows).unwrap(), 5);
    assert_eq!(&fs::read(&file).unwrap()[..4], b"PAR1");
    let before = fs::read(&file).unwrap();
    let rows = ask("SELECT 1 / (value - 5) AS x FROM generate_series(1, 9)");
    let error = write_parquet(&file, &rows.schema(), rows).unwrap_err();
    assert_eq!(error.to_string(), "Divide by zero error");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part of a file stays");
    let missing = dir.path().join("no/out.parquet");
    let rows = ask("SELECT 1");
    let error = write_parquet(&missing, &rows.schema(), rows).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}
