//! A small star, written by hand, that the tests of this crate load.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use keystar_sql::{Schema, TableName};
use keystar_star::Name;

use crate::{
    Embedded, EmbeddedOptions, Error, Landing, LoadReport, LoadRun,
    result::{write_csv, write_parquet},
    script::{Action, Script, ScriptStep, ScriptTable, ScriptTest},
};

pub(crate) fn name(schema: Schema, name: &str) -> TableName {
    TableName::new(schema, Name::new(name).unwrap())
}

pub(crate) fn columns(list: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = list.iter().map(|(name, ty, nullable)| Field::new(*name, ty.clone(), *nullable));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn money() -> DataType {
    DataType::Decimal128(10, 2)
}

/// Members by name, with keys that last; sales by order, which lose no row and follow removals.
pub(crate) fn script() -> Script {
    let text = || DataType::Utf8;
    let table = |schema, table: &str, list: &[(&str, DataType, bool)]| ScriptTable {
        name: name(schema, table),
        schema: columns(list),
    };
    let step = |label: &str, target: TableName, action: Action, sql: &str| ScriptStep {
        name: label.to_owned(),
        target,
        action,
        sql: sql.to_owned(),
    };
    let key = |column: &str| vec![column.to_owned()];
    Script {
        tables: vec![
            table(
                Schema::Landing,
                "line",
                &[
                    ("id", DataType::Int64, true),
                    ("username", text(), true),
                    ("price", money(), true),
                ],
            ),
            table(
                Schema::Staging,
                "sales",
                &[
                    ("id", DataType::Int64, true),
                    ("username", text(), true),
                    ("price", money(), true),
                ],
            ),
            table(Schema::Staging, "names", &[("username", text(), true)]),
            table(
                Schema::Keys,
                "customer",
                &[("customer_key", DataType::Int64, false), ("username", text(), false)],
            ),
            table(
                Schema::Dwh,
                "customer",
                &[("customer_key", DataType::Int64, false), ("username", text(), true)],
            ),
            table(
                Schema::Dwh,
                "sales",
                &[
                    ("customer_key", DataType::Int64, false),
                    ("id", DataType::Int64, false),
                    ("price", money(), true),
                ],
            ),
        ],
        steps: vec![
            step(
                "read sales",
                name(Schema::Staging, "sales"),
                Action::Replace,
                r#"SELECT "id", "username", "price" FROM "landing"."line""#,
            ),
            step(
                "read names",
                name(Schema::Staging, "names"),
                Action::Replace,
                r#"SELECT DISTINCT "username" FROM "staging"."sales" WHERE "username" IS NOT NULL"#,
            ),
            step(
                "new keys",
                name(Schema::Keys, "customer"),
                Action::Append,
                r#"SELECT "n"."username",
                     (SELECT COALESCE(MAX("customer_key"), 0) FROM "keys"."customer")
                       + ROW_NUMBER() OVER (ORDER BY "n"."username") AS "customer_key"
                   FROM "staging"."names" AS "n"
                   LEFT JOIN "keys"."customer" AS "k" ON "k"."username" = "n"."username"
                   WHERE "k"."username" IS NULL"#,
            ),
            step(
                "members",
                name(Schema::Dwh, "customer"),
                Action::Upsert(key("customer_key")),
                r#"SELECT "customer_key", "username" FROM "keys"."customer"
                   UNION ALL SELECT -1, NULL"#,
            ),
            step(
                "gone sales",
                name(Schema::Dwh, "sales"),
                Action::Remove(key("id")),
                r#"SELECT "d"."id" FROM "dwh"."sales" AS "d"
                   LEFT JOIN "staging"."sales" AS "s" ON "s"."id" = "d"."id"
                   WHERE "s"."id" IS NULL"#,
            ),
            step(
                "sales",
                name(Schema::Dwh, "sales"),
                Action::Upsert(key("id")),
                r#"SELECT "s"."id", "s"."price", COALESCE("k"."customer_key", -1) AS "customer_key"
                   FROM "staging"."sales" AS "s"
                   LEFT JOIN "keys"."customer" AS "k" ON "k"."username" = "s"."username""#,
            ),
        ],
        tests: vec![ScriptTest {
            name: "sales are once".to_owned(),
            explains: "each sale has one row".to_owned(),
            sql: r#"SELECT "id", COUNT(*) AS "rows" FROM "dwh"."sales"
                    GROUP BY "id" HAVING COUNT(*) > 1"#
                .to_owned(),
        }],
    }
}

/// A folder with a warehouse `wh`, and beside it the lake's files.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) warehouse: Embedded,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(EmbeddedOptions { memory_bytes: 256 << 20, threads: 2 })
    }

    pub(crate) fn with(options: EmbeddedOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let warehouse = Embedded::open(&dir.path().join("wh"), options).unwrap();
        Self { dir, warehouse }
    }

    /// The same folder as a new process finds it.
    pub(crate) fn reopened(&self) -> Embedded {
        let options = EmbeddedOptions { memory_bytes: 256 << 20, threads: 2 };
        Embedded::open(&self.root(), options).unwrap()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("wh")
    }

    /// Writes a file of the lake that holds the rows of a query.
    pub(crate) fn file(&self, file: &str, sql: &str) -> PathBuf {
        let path = self.dir.path().join(file);
        let rows = self.warehouse.query(sql, &[]).unwrap();
        write_parquet(&path, &rows.schema(), rows).unwrap();
        path
    }

    /// The sales that are the lake now: `(id, 'username', 'price')`.
    pub(crate) fn lines(&self, file: &str, values: &str) -> Landing {
        let sql = format!(
            "SELECT column1 AS id, column2 AS username, CAST(column3 AS DECIMAL(10,2)) AS price
             FROM (VALUES {values})"
        );
        self.landing(vec![self.file(file, &sql)])
    }

    pub(crate) fn landing(&self, files: Vec<PathBuf>) -> Landing {
        let table = name(Schema::Landing, "line");
        let columns = script().schema(&table).unwrap().clone();
        Landing { table, files, columns }
    }

    pub(crate) fn load(&self, landing: &[Landing]) -> Result<LoadReport, Error> {
        self.warehouse.run(&script(), landing, &run(), &|_| ())
    }
}

pub(crate) fn run() -> LoadRun {
    LoadRun { id: "r1".into(), loaded_at: 1_617_235_200_000_000, source: "export a".into() }
}

/// The answer to a query as lines of CSV, without the header.
pub(crate) fn rows(warehouse: &Embedded, sql: &str) -> Vec<String> {
    let result = warehouse.query(sql, &[]).unwrap();
    let mut out = Vec::new();
    write_csv(&mut out, &result.schema(), result).unwrap();
    String::from_utf8(out).unwrap().lines().skip(1).map(str::to_owned).collect()
}

/// All that a warehouse holds, in an order.
pub(crate) fn contents(warehouse: &Embedded) -> Vec<String> {
    let mut all = rows(warehouse, "SELECT 'key', * FROM keys.customer ORDER BY 2");
    all.extend(rows(warehouse, "SELECT 'member', * FROM dwh.customer ORDER BY 2"));
    all.extend(rows(warehouse, "SELECT 'sale', * FROM dwh.sales ORDER BY id, price"));
    all
}

/// The paths of all files in the tables' folder.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("tables")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let tail = path.strip_prefix(root.join("tables")).unwrap();
                found.push(tail.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
