//! What a star answers, and what it holds, against a replay of the exports in Python.

use std::path::Path;
use std::sync::LazyLock;

use keystar_kit::elt::{self, Shop};
use keystar_kit::python;
use serde_json::Value;
use tempfile::TempDir;

fn judge(script: &str, source: &Path, other: &Path) -> std::io::Result<Value> {
    serde_json::from_str(&python::run(script, &[source, other])?).map_err(Into::into)
}

const QUARTERS: &str = "
    SELECT d.year, d.quarter, p.category, a.country, count(*), sum(s.price)
    FROM dwh.sales AS s
    JOIN dwh.date AS d ON d.date_key = s.date_key
    JOIN dwh.product AS p ON p.product_key = s.product_key
    JOIN dwh.address AS a ON a.address_key = s.address_key
    GROUP BY d.year, d.quarter, p.category, a.country";

#[test]
fn growth_by_category_and_country_is_that_of_the_raw_export() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::new(&folder.path().join("shop"), 200, 0, 1).unwrap();
    shop.run("run", folder.path(), &[]).unwrap();
    let answers = folder.path().join("answers");
    std::fs::create_dir(&answers).unwrap();
    // From the first quarter, in which all is new, to one after the last, in which all has ended.
    for quarter in (2020..2026).flat_map(|year| (1..5).map(move |it| format!("{year}-Q{it}"))) {
        let question = ["--measure", "sales.price", "--by", "product.category,address.country"];
        let more = [&question[..], &["--json", "--at", &quarter]].concat();
        let answer = shop.run("run", folder.path(), &more).unwrap().stdout;
        std::fs::write(answers.join(format!("{quarter}.json")), answer).unwrap();
    }
    std::fs::write(answers.join("sales.csv"), elt::query(folder.path(), QUARTERS).unwrap())
        .unwrap();
    let seen = judge("yoy.py", &shop.source, &answers).unwrap();
    // There was something to be wrong about.
    for (what, at_least) in [
        ("compared", 200),
        ("new", 100),
        ("ended", 100),
        ("unknown", 50),
        ("lines", 1500),
        ("without_country", 50),
        ("without_order", 5),
    ] {
        let count = seen[what].as_u64().unwrap();
        assert!(count >= at_least, "{what}: only {count}");
    }

    // And to the cent: a cent more is seen.
    let path = answers.join("2022-Q2.json");
    let answer = std::fs::read_to_string(&path).unwrap();
    let mut harmed: Value = serde_json::from_str(&answer).unwrap();
    let current = &mut harmed["answer"]["rows"][0]["current"];
    let text = current.as_str().unwrap().to_owned();
    *current =
        format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { 1 } else { 0 }).into();
    std::fs::write(&path, harmed.to_string()).unwrap();
    let error = judge("yoy.py", &shop.source, &answers).unwrap_err().to_string();
    assert!(error.contains("2022-Q2.json"), "{error}");
}

/// A table with two windows of the sample's and two by hand, in a lake and a warehouse.
struct Changed {
    folder: TempDir,
    shop: Shop,
}

impl Changed {
    fn shared() -> &'static Self {
        static SHARED: LazyLock<Changed> = LazyLock::new(Changed::new);
        &SHARED
    }

    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let shop = Shop::new(&folder.path().join("shop"), 200, 2, 1).unwrap();
        python::run("more_windows.py", &[&shop.source]).unwrap();
        shop.run("run", folder.path(), &[]).unwrap();
        Self { folder, shop }
    }
}

#[test]
fn windows_come_to_what_a_replay_comes_to() {
    let Changed { folder, shop } = Changed::shared();
    let seen = judge("replay.py", &shop.source, &folder.path().join("warehouse")).unwrap();
    for (what, at_least) in [
        ("versions", 5),
        ("inferred customers", 1),
        ("deleted customers", 1),
        ("inferred addresses", 1),
        ("deleted addresses", 1),
        ("sales without an order", 1),
        ("sales of later versions", 2),
    ] {
        let count = seen[what].as_u64().unwrap();
        assert!(count >= at_least, "{what}: only {count}");
    }
    // The lake too, with the times of the writes.
    judge("lake_types.py", &shop.source, &folder.path().join("lake")).unwrap();
}

#[test]
fn another_engine_finds_the_warehouse_whole() {
    let Changed { folder, shop } = Changed::shared();
    let checks = judge("second_engine.py", &shop.source, &folder.path().join("warehouse")).unwrap();
    assert!(checks.as_u64().unwrap() >= 40, "only {checks} checks");
}

/// What a run finds done it does not do again.
#[test]
fn a_run_with_nothing_new_changes_nothing() {
    let Changed { shop, .. } = Changed::shared();
    let folder = TempDir::new().unwrap();
    let copied = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    shop.run("run", folder.path(), &[]).unwrap();
    let names = ["lake/_keystar/manifest.json", "warehouse/commit.json"];
    let before = names.map(copied);
    let said = shop.run("run", folder.path(), &[]).unwrap().stdout;
    assert!(said.contains("nothing new"), "{said}");
    assert!(names.map(copied) == before, "a second run wrote something");
}
