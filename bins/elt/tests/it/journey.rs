//! From the sample to the answer, command by command, compared to the cent with sums that no lake
//! and no warehouse had a hand in.

use std::{collections::BTreeMap, fs, path::Path};

use tempfile::TempDir;

use crate::{elt, rows, text};

/// Year, quarter, category and country with the sum in cents and the number of lines.
type Sales = BTreeMap<String, (i64, i64)>;

struct Shop {
    folder: TempDir,
    dir: String,
    export: String,
}

impl Shop {
    fn new(customers: &str, windows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| text(&folder.path().join(name));
        let (dir, export) = (text(folder.path()), at("export"));
        let (expect, model) = (at("expect.json"), at("model.toml"));
        let size = ["--customers", customers, "--windows", windows];
        elt(&[&["sample", "--to", &export, "--expect", &expect], &size[..]].concat()).expect(0);
        elt(&["infer", "--from", &export, "--to", &model]).expect(0);
        Self { folder, dir, export }
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    fn run(&self) -> crate::Ran {
        elt(&["run", "--from", &self.export, "--dir", &self.dir])
    }

    fn expected(&self) -> Sales {
        let text = fs::read_to_string(self.path("expect.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = expected["sales"].as_array().unwrap().iter().map(|row| {
            let part = |name: &str| match &row[name] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let key = ["year", "quarter", "category", "country"].map(part).join("|");
            (key, (row["cents"].as_i64().unwrap(), row["lines"].as_i64().unwrap()))
        });
        rows.collect()
    }

    fn sales(&self) -> Sales {
        let sql = "SELECT d.year, d.quarter, p.category, a.country, \
                   CAST(SUM(s.price) * 100 AS BIGINT), COUNT(*) FROM dwh.sales AS s \
                   LEFT JOIN dwh.date AS d ON d.date_key = s.date_key \
                   LEFT JOIN dwh.product AS p ON p.product_key = s.product_key \
                   LEFT JOIN dwh.address AS a ON a.address_key = s.address_key \
                   GROUP BY 1, 2, 3, 4";
        let rows = rows(&self.dir, sql);
        let rows = rows.iter().map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            let [year, quarter, category, country, cents, lines] = cells[..] else {
                panic!("{row}");
            };
            let key = [year, quarter, category, country].join("|");
            (key, (cents.parse().unwrap(), lines.parse().unwrap()))
        });
        rows.collect()
    }
}

/// All that the star and its keys hold, the times of loads apart.
pub(crate) fn warehouse(dir: &str) -> Vec<Vec<String>> {
    ["customer", "address", "product", "date", "sales", "orders"]
        .map(|table| {
            let mut rows = rows(dir, &format!("SELECT * FROM dwh.{table}"));
            rows.sort();
            rows
        })
        .to_vec()
}

#[test]
fn the_demo_answers_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let to = text(&folder.path().join("demo"));
    let demo = elt(&["demo", "--to", &to, "--customers", "150"]).expect(0);
    let first = "Growth of sales.price by category and country: 2022-Q2 against 2021-Q2\n";
    assert!(demo.stdout.starts_with(first), "{}", demo.stdout);
    assert!(demo.stdout.contains("ended") && demo.stdout.contains("new"), "{}", demo.stdout);
    for step in ["sample", "infer", "lake", "load", "answer", "report"] {
        assert!(demo.stderr.contains(&format!("{step}  ")), "{step}: {}", demo.stderr);
    }
    let page = fs::read_to_string(folder.path().join("demo/report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.matches("<svg").count() >= 4);
    assert!(!page.contains("http"), "nothing is loaded from elsewhere");
    let again = elt(&["demo", "--to", &to, "--customers", "150", "--json"]).expect(0);
    let answer: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(answer["by"], serde_json::json!(["category", "country"]));
}

#[test]
fn sums_are_exact_and_a_second_run_changes_nothing() {
    let shop = Shop::new("200", "0");
    shop.run().expect(0);
    assert_eq!(shop.sales(), shop.expected());
    let before = fs::read(Path::new(&shop.path("warehouse")).join("commit.json")).unwrap();
    let lake = fs::read(Path::new(&shop.path("lake")).join("_keystar/manifest.json")).unwrap();
    let again = shop.run().expect(0);
    assert!(again.stdout.starts_with("nothing new in "), "{}", again.stdout);
    assert_eq!(fs::read(Path::new(&shop.path("warehouse")).join("commit.json")).unwrap(), before);
    assert_eq!(
        fs::read(Path::new(&shop.path("lake")).join("_keystar/manifest.json")).unwrap(),
        lake
    );
    // Even where it is asked to be built again, the numbers stay.
    elt(&["run", "--from", &shop.export, "--dir", &shop.dir, "--restart"]).expect(0);
    assert_eq!(shop.sales(), shop.expected());
}

#[test]
fn windows_applied_at_once_or_one_by_one_come_to_the_same() {
    let shop = Shop::new("200", "3");
    shop.run().expect(0);
    assert_eq!(shop.sales(), shop.expected());
    let verify = elt(&["verify", "--from", &shop.export, "--dir", &shop.dir]).expect(0);
    assert!(verify.stdout.lines().all(|line| line.starts_with("ok ")), "{}", verify.stdout);

    // The same day by day: exports arrive one after the other.
    let daily = tempfile::tempdir().unwrap();
    let dir = text(daily.path());
    fs::copy(shop.path("model.toml"), daily.path().join("model.toml")).unwrap();
    let arrived = daily.path().join("export/AWSDynamoDB");
    fs::create_dir_all(&arrived).unwrap();
    let all = Path::new(&shop.export).join("AWSDynamoDB");
    let mut exports: Vec<_> =
        fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    exports.sort();
    exports.retain(|name| name != "data");
    assert_eq!(exports.len(), 4);
    copy(&all.join("data"), &arrived.join("data"));
    let from = text(&daily.path().join("export"));
    for export in exports {
        copy(&all.join(&export), &arrived.join(&export));
        elt(&["run", "--from", &from, "--dir", &dir]).expect(0);
    }
    assert_eq!(warehouse(&dir), warehouse(&shop.dir));
}

#[test]
fn a_gap_between_windows_is_refused_by_name() {
    let shop = Shop::new("40", "3");
    let folder = Path::new(&shop.export).join("AWSDynamoDB");
    let mut exports: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    exports.sort();
    exports.retain(|name| name != "data");
    fs::remove_dir_all(folder.join(&exports[2])).unwrap();
    let run = shop.run().expect(4);
    let ids = [&exports[1], &exports[3]].map(|id| id.to_str().unwrap());
    assert!(ids.iter().all(|id| run.stderr.contains(id)), "{}", run.stderr);
    assert!(run.stderr.contains("gap:"), "{}", run.stderr);
    assert!(run.stderr.contains("--allow-gaps"), "{}", run.stderr);

    // A model is of the items, whatever is missing between windows.
    let model = shop.path("again.toml");
    elt(&["infer", "--from", &shop.export, "--to", &model]).expect(0);
    let gaps = ["run", "--from", &shop.export, "--dir", &shop.dir, "--restart", "--allow-gaps"];
    let run = elt(&gaps).expect(0);
    assert!(run.stdout.contains("note: gap: "), "{}", run.stdout);
}

/// A definition that exists lends its names where the items bear them out.
#[test]
fn a_definition_names_what_is_inferred() {
    let shop = Shop::new("30", "0");
    let (model, hints) = (shop.path("named.toml"), shop.path("schema.json"));
    let definition = r#"{
        "format": "onetable:1.1.0",
        "indexes": { "primary": { "hash": "PK", "sort": "SK" } },
        "models": {
            "Line": {
                "PK": { "type": "string", "value": "ORD#${orderid}" },
                "SK": { "type": "string", "value": "PROD#${productid}" }
            }
        }
    }"#;
    fs::write(&hints, definition).unwrap();
    let infer = ["infer", "--from", &shop.export, "--to", &model, "--hints", &hints];
    elt(&infer).expect(0);
    let proposed = fs::read_to_string(&model).unwrap();
    assert!(proposed.contains("[entity.line]"), "{proposed}");

    fs::write(&hints, "no JSON").unwrap();
    let failed = elt(&[&infer[..], &["--overwrite"]].concat()).expect(3);
    let expected = "schema.json\n  caused by: line 1, column 2: no JSON";
    assert!(failed.stderr.contains(expected), "{}", failed.stderr);
}

/// What `infer` says comes next is a command that runs.
#[test]
fn the_next_command_runs_as_it_stands() {
    let shop = Shop::new("20", "0");
    let folder = shop.path("nested/../next");
    fs::create_dir_all(shop.path("nested")).unwrap();
    fs::create_dir_all(shop.path("next")).unwrap();
    let infer = elt(&["infer", "--from", &shop.export, "--to", &folder]).expect(0);
    let next = infer.stdout.lines().last().unwrap().split("then: elt ").nth(1).unwrap();
    let run = elt(&next.split(' ').collect::<Vec<_>>()).expect(0);
    assert!(run.stdout.contains("data tests passed"), "{}", run.stdout);
}

#[test]
fn every_command_tells_json_when_asked() {
    let shop = Shop::new("30", "1");
    let (dir, from) = (shop.dir.as_str(), shop.export.as_str());
    let page = shop.path("page.html");
    for args in [
        vec!["check", "--from", from, "--dir", dir],
        vec!["plan", "--from", from, "--dir", dir],
        vec!["lake", "--from", from, "--dir", dir],
        vec!["load", "--dir", dir],
        vec!["run", "--from", from, "--dir", dir],
        vec!["query", "--dir", dir, "SELECT count(*) AS n FROM dwh.sales"],
        vec!["status", "--from", from, "--dir", dir],
        vec!["verify", "--dir", dir],
        vec!["archive", "--dir", dir, "--from", from],
    ] {
        let ran = elt(&[&args[..], &["--json"]].concat()).expect(0);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.stdout));
        assert!(value.is_object(), "{args:?}");
    }
    elt(&["report", "--dir", dir, "--output", &page, "--by", "product.color"]).expect(0);
    assert!(fs::read_to_string(page).unwrap().contains("by color"));
    for dialect in ["redshift", "postgresql", "datafusion"] {
        let ddl = elt(&["ddl", "--dir", dir, "--dialect", dialect]).expect(0);
        assert!(ddl.stdout.contains("\"dwh\".\"sales\""), "{dialect}");
    }
    let parquet = shop.path("sales.parquet");
    let select = "SELECT * FROM dwh.sales";
    let query = ["query", "--dir", dir, select, "--format", "parquet", "--output", &parquet];
    elt(&query).expect(0);
    assert!(fs::read(parquet).unwrap().starts_with(b"PAR1"));
    let csv = elt(&["query", "--lake", &shop.path("lake"), "SELECT 1 FROM lake.order LIMIT 1"]);
    assert_eq!(csv.code, Some(0), "a lake can be asked by itself: {}", csv.stderr);
}

#[test]
fn the_example_does_what_its_page_shows() {
    let folder = tempfile::tempdir().unwrap();
    let dir = text(folder.path());
    let export = text(&folder.path().join("export"));
    elt(&["sample", "--to", &export, "--customers", "100", "--windows", "1"]).expect(0);
    let model = "examples/ecommerce/model.toml";
    elt(&["run", "--from", &export, "--model", model, "--dir", &dir]).expect(0);
    let growth =
        elt(&["query", "--dir", &dir, "--file", "examples/ecommerce/growth.sql"]).expect(0);
    let dvds = growth.stdout.lines().filter(|line| line.starts_with("DVDs")).count();
    assert_eq!(dvds, 2, "2020 and 2021: {}", growth.stdout);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
