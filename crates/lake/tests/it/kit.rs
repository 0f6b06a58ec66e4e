//! A lake in a temporary folder, loaded from lines of text and read back with arrow-rs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use keystar_lake::{
    Error, Lake, LakeBuild, LakeOptions, LakeReport, LoadInput, LoadKind, TaskReport,
};
use keystar_star::Model;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// 2021-05-01T00:00:00Z.
pub(crate) const EXPORT_TIME: i64 = 1_619_827_200_000_000;

/// The article's table: customers with addresses, orders, and order lines.
pub(crate) const SHOP: &str = r#"
[table]
partition_key = "PK"
sort_key = "SK"

[entity.customer]
when = { type = "customer" }
pk = "CUST#{username}"
sk = "CUST#{username}"
[entity.customer.columns]
username = "text(64)"
email = { type = "text(254)", required = true }
country = { from = "address.home.country", type = "text(2)" }

[entity.address]
parent = "customer"
unnest = "address"
over = "map"
[entity.address.columns]
username = { parent = "username", type = "text(64)" }
name = { entry = true, type = "text(16)" }
street = "text(100)"
postcode = "text(16)"
country = "text(2)"

[entity.order]
when = { type = "order" }
pk = "CUST#{username}"
sk = "ORD#{orderid}"
like = { GSIpk = "ORD#{orderid}", GSIsk = "ORD#{orderid}" }
[entity.order.columns]
username = { key = "PK", type = "text(64)" }
orderid = "text(36)"
orderdate = "timestamp(iso)"
numberofitems = "int"
shipto = "text(16)"

[entity.line]
when = { type = "product" }
pk = "ORD#{orderid}"
sk = "PROD#{productid}"
like = { GSIpk = "ORD#{orderid}", GSIsk = "PROD#{productid}" }
[entity.line.columns]
orderid = "text(36)"
productid = "text(36)"
productname = "text(100)"
price = "decimal(10,2)"
"#;

pub(crate) fn model(toml: &str) -> Model {
    Model::parse(toml).unwrap_or_else(|error| panic!("{error}\n{:?}", error.faults()))
}

/// A model of one entity, all of whose items have the key `PK` and these columns.
pub(crate) fn thing(drift: &str, columns: &str) -> Model {
    model(&format!(
        "[table]\npartition_key = \"PK\"\n[entity.thing]\npk = \"T#{{id}}\"\ndrift = \"{drift}\"\n\
         [entity.thing.columns]\nid = {{ key = \"PK\", type = \"text(20)\" }}\n{columns}\n"
    ))
}

pub(crate) struct Kit {
    folder: TempDir,
    pub(crate) options: LakeOptions,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), options: LakeOptions::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::open(self.path()).unwrap()
    }

    pub(crate) fn begin(
        &self,
        model: &Model,
        export: &str,
        kind: LoadKind,
    ) -> Result<LakeBuild, Error> {
        let input = LoadInput::new(export, kind, "run-1");
        self.lake().begin(model, input, self.options.clone())
    }

    pub(crate) fn full_kind() -> LoadKind {
        LoadKind::Full { written_at: EXPORT_TIME }
    }

    /// Loads a full export whose tasks have these lines.
    pub(crate) fn full(&self, model: &Model, tasks: &[&str]) -> Result<LakeReport, Error> {
        let build = self.begin(model, "01-full", Self::full_kind())?;
        build_all(build, tasks)
    }

    /// Loads a window whose tasks have these lines.
    pub(crate) fn window(
        &self,
        model: &Model,
        export: &str,
        tasks: &[&str],
    ) -> Result<LakeReport, Error> {
        let build = self.begin(model, export, LoadKind::Incremental { from: 0, to: 1 })?;
        build_all(build, tasks)
    }

    /// The rows of an entity, the columns after the system's as text in the order of the files.
    pub(crate) fn rows(&self, entity: &str) -> Vec<Vec<String>> {
        let batches = self.files(entity).into_iter().flat_map(|file| read(&file));
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                rows.push(batch.columns()[3..].iter().map(|array| cell(array, row)).collect());
            }
        }
        rows
    }

    /// `_pk`, `_sk` and `_written_at` of an entity's rows.
    pub(crate) fn stamps(&self, entity: &str) -> Vec<[String; 3]> {
        let batches = self.files(entity).into_iter().flat_map(|file| read(&file));
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                rows.push([0, 1, 2].map(|column| cell(batch.column(column), row)));
            }
        }
        rows
    }

    pub(crate) fn files(&self, entity: &str) -> Vec<PathBuf> {
        if entity == "_unknown" {
            return self.lake().unknown().files;
        }
        let tables = self.lake().tables();
        let table = tables.iter().find(|table| table.entity.as_str() == entity);
        table.map(|table| table.files.clone()).unwrap_or_default()
    }

    pub(crate) fn schema(&self, entity: &str) -> SchemaRef {
        let file = self.files(entity).into_iter().next().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
        let schema: &Schema = reader.schema();
        schema.clone().into()
    }

    /// The reject file's lines of an export.
    pub(crate) fn rejects(&self, export: &str) -> Vec<serde_json::Value> {
        let Ok(folder) = fs::read_dir(self.lake().rejects(export)) else { return Vec::new() };
        let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let text: String = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every file of the lake, with a hash of what is in it.
    pub(crate) fn snapshot(&self) -> Vec<(String, u64)> {
        fn visit(folder: &Path, root: &Path, out: &mut Vec<(String, u64)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    visit(&path, root, out);
                    continue;
                }
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if !name.ends_with("writer.lock") {
                    out.push((name, xxhash_rust::xxh3::xxh3_64(&fs::read(&path).unwrap())));
                }
            }
        }
        let mut files = Vec::new();
        visit(self.path(), self.path(), &mut files);
        files.sort();
        files
    }
}

pub(crate) fn build_all(build: LakeBuild, tasks: &[&str]) -> Result<LakeReport, Error> {
    let reports: Result<Vec<_>, _> =
        tasks.iter().zip(0..).map(|(lines, index)| run(&build, index, lines)).collect();
    let report = build.commit(reports?)?;
    let counts = &report.counts;
    let sum = counts.written + counts.removed + counts.unknown + counts.rejected();
    assert_eq!(counts.read, sum, "{counts:?}");
    Ok(report)
}

pub(crate) fn run(build: &LakeBuild, index: u32, lines: &str) -> Result<TaskReport, Error> {
    let mut task = build.task(index)?;
    task.push(&format!("data/{index}.json.gz"), 1, lines.as_bytes())?;
    task.finish()
}

fn read(file: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn cell(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "-".to_owned();
    }
    if let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        // Names of time zones take a database to show.
        let times = times.clone().with_timezone("+00:00");
        return array_value_to_string(&times, row).unwrap();
    }
    array_value_to_string(array, row).unwrap()
}

/// Lines of the shop.
pub(crate) fn customer(name: &str) -> String {
    format!(
        r#"{{"Item":{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"CUST#{name}"}},"type":{{"S":"customer"}},"username":{{"S":"{name}"}},"email":{{"S":"{name}@example.com"}},"address":{{"M":{{"home":{{"M":{{"street":{{"S":"1 High St"}},"postcode":{{"S":"AB1"}},"country":{{"S":"GB"}}}}}},"work":{{"M":{{"street":{{"S":"2 Low St"}},"country":{{"S":"FR"}}}}}}}}}}}}}}"#
    ) + "\n"
}

pub(crate) fn order(name: &str, id: &str) -> String {
    format!(
        r#"{{"Item":{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"ORD#{id}"}},"GSIpk":{{"S":"ORD#{id}"}},"GSIsk":{{"S":"ORD#{id}"}},"type":{{"S":"order"}},"orderid":{{"S":"{id}"}},"orderdate":{{"S":"2021-04-12T10:20:30Z"}},"numberofitems":{{"N":"2"}},"shipto":{{"S":"home"}}}}}}"#
    ) + "\n"
}

pub(crate) fn line(id: &str, product: &str, price: &str) -> String {
    format!(
        r#"{{"Item":{{"PK":{{"S":"ORD#{id}"}},"SK":{{"S":"PROD#{product}"}},"GSIpk":{{"S":"ORD#{id}"}},"GSIsk":{{"S":"PROD#{product}"}},"type":{{"S":"product"}},"orderid":{{"S":"{id}"}},"productid":{{"S":"{product}"}},"productname":{{"S":"Kettle \u0026 co \"é\""}},"price":{{"N":"{price}"}}}}}}"#
    ) + "\n"
}

/// An item of [`thing`] with these attributes besides its key.
pub(crate) fn item(id: &str, attributes: &str) -> String {
    let comma = if attributes.is_empty() { "" } else { "," };
    format!("{{\"Item\":{{\"PK\":{{\"S\":\"T#{id}\"}}{comma}{attributes}}}}}\n")
}
