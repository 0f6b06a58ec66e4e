//! Where migrations go, and what is there afterwards, without asking the program.

use std::path::PathBuf;

use keystar_kit::dynamodb::{Client, DynamoDb, Keys, comparable};
use keystar_kit::migrate;
use serde_json::Value;
use tempfile::TempDir;

use crate::job::Job;
use crate::source::Items;

/// A DynamoDB without tables, and a folder for files and for the states of runs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: DynamoDb,
    folder: TempDir,
}

/// The key of the tables that the default mapping writes to.
pub(crate) fn keys() -> Keys {
    Keys::partition("key", "S")
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("keystar-live-").tempdir().unwrap();
        Self { db: DynamoDb::dynoxide().unwrap(), folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn make_table(&self, name: &str) {
        self.db.connect().unwrap().create_table(name, &keys()).unwrap();
    }

    /// A job into a table of this name, by way of whoever is at the endpoint.
    pub(crate) fn to_table_by(&self, endpoint: &str, from: &str, name: &str) -> Job {
        let work = self.path(&format!("work-{name}"));
        Job::new(from, format!("dynamodb://{name}"), &work).tables_at(endpoint)
    }

    /// A job into a table of this name.
    pub(crate) fn to_table(&self, from: &str, name: &str) -> Job {
        self.to_table_by(&self.db.endpoint(), from, name)
    }

    /// A job into files below a folder of this name.
    pub(crate) fn to_files(&self, from: &str, name: &str) -> Job {
        let folder = self.path(name);
        let job = Job::new(from, folder.display().to_string(), &folder.join("run"));
        job.with(&["--compress", "none"])
    }

    pub(crate) fn has_table(&self, name: &str, expected: &Items) {
        same(&table(&mut self.db.connect().unwrap(), name), expected);
    }
}

pub(crate) fn table(client: &mut Client, name: &str) -> Items {
    by_key(client.scan(name, &keys()).unwrap().into_values())
}

/// Exactly these items lie in the files, each once.
pub(crate) fn has_files(job: &Job, expected: &Items) {
    let lines = migrate::sorted_lines(job.folder()).unwrap();
    assert_eq!(lines.len(), expected.len(), "lines");
    let items = lines.iter().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["Item"].take()
    });
    same(&by_key(items), expected);
}

fn by_key(items: impl Iterator<Item = Value>) -> Items {
    items.map(|item| (item["key"]["S"].as_str().unwrap().to_owned(), item)).collect()
}

pub(crate) fn same(found: &Items, expected: &Items) {
    let missing: Vec<_> = expected.keys().filter(|key| !found.contains_key(*key)).collect();
    let extra: Vec<_> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    let first =
        |keys: &[&String]| keys.iter().take(3).map(|key| (*key).clone()).collect::<Vec<_>>();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "of {} there are {} missing, as {:?}, and {} too many, as {:?}",
        expected.len(),
        missing.len(),
        first(&missing),
        extra.len(),
        first(&extra),
    );
    for (key, item) in expected {
        let (found, item) = (comparable(&found[key]), comparable(item));
        assert!(found == item, "{key} is not the same:\n{found}\n{item}");
    }
}
