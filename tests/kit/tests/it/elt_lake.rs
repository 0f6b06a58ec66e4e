//! The lake that `elt lake` writes, read by pyarrow and DuckDB: types, counts, statistics and every value are what Python
//! finds in the export.

use std::path::{Path, PathBuf};

use keystar_kit::elt::{self, Shop};
use keystar_kit::python;
use serde_json::Value;
use tempfile::TempDir;

fn judge(source: &Path, lake: &Path) -> std::io::Result<Value> {
    let said = python::run("lake_types.py", &[source, lake])?;
    serde_json::from_str(&said).map_err(Into::into)
}

#[test]
fn two_other_readers_find_the_exports_values_in_the_lake() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::new(&folder.path().join("shop"), 200, 0, 1).unwrap();
    shop.run("lake", folder.path(), &[]).unwrap();
    let lake = folder.path().join("lake");
    let rows = judge(&shop.source, &lake).unwrap();
    for (entity, at_least) in [("customer", 190), ("address", 300), ("order", 500), ("line", 1500)]
    {
        let count = rows[entity].as_u64().unwrap();
        assert!(count >= at_least, "only {count} rows of {entity}");
    }
    // The judge has teeth: the lake of other items is not this export's.
    let other = Shop::new(&folder.path().join("other"), 200, 0, 2).unwrap();
    let error = judge(&other.source, &lake).unwrap_err().to_string();
    assert!(error.contains("address: 401 rows by the manifest, not 380"), "{error}");
}

#[test]
fn two_other_readers_find_every_type_at_its_limits() {
    let folder = TempDir::new().unwrap();
    let script = |job: &str, path: &Path| {
        python::run("all_types.py", &[PathBuf::from(job), path.to_owned()]).unwrap()
    };
    script("make", folder.path());
    let mut command = elt::command(&["lake"]).unwrap();
    command.arg("--dir").arg(folder.path()).arg("--from").arg(folder.path().join("items.json"));
    // Exit 1: what fits no column was set aside, and that is told.
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(script("judge", &folder.path().join("lake")).trim(), "5");
}
