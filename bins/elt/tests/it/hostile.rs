//! Input that is damaged, odd or evil: the exact outcome of each, and nothing else is lost.

use std::{fs, path::Path, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{elt, rows, text};

const MODEL: &str = r#"
[table]
partition_key = "PK"

[entity.thing]
pk = "THING#{id}"

[entity.thing.columns]
id = { key = "PK", type = "text(16)" }
n = "decimal(10,2)"
day = "date(iso)"
"#;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.toml"), MODEL).unwrap();
        Self { folder }
    }

    fn dir(&self) -> String {
        text(self.folder.path())
    }

    /// A file with a line between two good ones, taken into the lake.
    fn lake(&self, line: &str, code: i32) -> (crate::Ran, Vec<Value>) {
        let good =
            |id: u8| json!({"Item": {"PK": {"S": format!("THING#{id}")}, "n": {"N": "1.5"}}});
        let file = self.folder.path().join("items.json");
        fs::write(&file, format!("{}\n{line}\n{}\n", good(1), good(2))).unwrap();
        let ran = elt(&["lake", "--from", &text(&file), "--dir", &self.dir()]).expect(code);
        let mut rejects = Vec::new();
        for file in files(&self.folder.path().join("lake/_keystar/rejects")) {
            let lines = fs::read_to_string(file).unwrap();
            rejects.extend(lines.lines().map(|line| serde_json::from_str(line).unwrap()));
        }
        let count = "SELECT count(*) FROM lake.thing WHERE id IN ('1', '2') AND n = 1.5";
        assert_eq!(rows(&self.dir(), count), ["2"], "the good ones are there");
        (ran, rejects)
    }

    /// The only thing that was set aside.
    fn rejected(line: &str) -> (String, String, Value) {
        let bench = Self::new();
        let (ran, rejects) = bench.lake(line, 1);
        assert!(ran.stdout.contains("1  rejected"), "{}", ran.stdout);
        let [reject] = rejects.as_slice() else { panic!("{rejects:?}") };
        assert_eq!(
            (reject["file"].as_str(), reject["line"].as_u64()),
            (Some("items.json"), Some(2))
        );
        let part = |name: &str| reject[name].as_str().unwrap_or_default().to_owned();
        (part("reason"), part("detail"), reject["item"].clone())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[test]
fn a_line_that_is_not_json_is_set_aside() {
    let (reason, detail, item) = Bench::rejected("nonsense");
    assert_eq!((reason.as_str(), detail.as_str()), ("unreadable", "expected an object at byte 0"));
    assert_eq!(item, json!("nonsense"));
}

#[test]
fn a_number_of_60_digits_is_set_aside() {
    let digits = "123456789012345678901234567890".repeat(2);
    let line = json!({"Item": {"PK": {"S": "THING#x"}, "n": {"N": digits}}}).to_string();
    let (reason, detail, _) = Bench::rejected(&line);
    assert_eq!(reason, "unreadable");
    assert!(detail.starts_with("number of more than 38 significant digits"), "{detail}");
}

#[test]
fn a_text_where_a_number_is_needed_is_set_aside() {
    let line = json!({"Item": {"PK": {"S": "THING#x"}, "n": {"S": "one"}}});
    let (reason, detail, item) = Bench::rejected(&line.to_string());
    assert_eq!((reason.as_str(), detail.as_str()), ("wrong-type", "S where N is needed"));
    assert_eq!(item, line, "the item as it was");
}

#[test]
fn the_thirtieth_of_february_is_set_aside() {
    let line = json!({"Item": {"PK": {"S": "THING#x"}, "day": {"S": "2021-02-30"}}}).to_string();
    let (reason, _, _) = Bench::rejected(&line);
    assert_eq!(reason, "not-a-time");
}

#[test]
fn a_number_is_never_rounded() {
    let line = json!({"Item": {"PK": {"S": "THING#x"}, "n": {"N": "1.005"}}}).to_string();
    assert_eq!(Bench::rejected(&line).0, "too-precise");
}

#[test]
fn an_item_of_no_entity_is_kept_as_it_is() {
    let bench = Bench::new();
    let item = json!({"PK": {"S": "OTHER#x"}, "n": {"N": "1.005"}});
    let (ran, rejects) = bench.lake(&json!({"Item": item}).to_string(), 0);
    assert!(ran.stdout.contains("1  unknown   kept in type=_unknown"), "{}", ran.stdout);
    assert!(rejects.is_empty());
    let kept = elt(&["query", "--dir", &bench.dir(), "--json", "SELECT item FROM lake._unknown"]);
    let kept: Value = serde_json::from_str(&kept.expect(0).stdout).unwrap();
    let kept: Value = serde_json::from_str(kept["item"].as_str().unwrap()).unwrap();
    assert_eq!(kept, item);
}

/// Names that differ by case, a name that is SQL, and 3,000 attributes: a model of its own is made
/// for them, and every value that it has a column for is there.
#[test]
fn odd_names_and_many_of_them_go_through_all_steps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let mut lines = String::new();
    for id in 0..3 {
        let mut item = json!({
            "PK": {"S": format!("THING#{id}")},
            "Name": {"S": format!("upper{id}")},
            "name": {"S": format!("lower{id}")},
            "\"; drop table x; --": {"S": format!("drop{id}")},
        });
        for attribute in 0..if id == 1 { 3000 } else { 0 } {
            item[format!("attribute{attribute}")] = json!({"N": attribute.to_string()});
        }
        lines.push_str(&format!("{}\n", json!({"Item": item})));
    }
    fs::write(at("items.json"), lines).unwrap();
    let found = elt(&["infer", "--from", &at("items.json"), "--to", &at("model.toml")]).expect(0);
    assert!(found.stdout.contains("have no column"), "what is left out is told: {}", found.stdout);
    let run = elt(&["run", "--from", &at("items.json"), "--dir", &at("")]).expect(0);
    assert!(run.stdout.contains("3  written"), "{}", run.stdout);
    assert!(run.stdout.contains("not as in the model"), "{}", run.stdout);
    let answer = elt(&[
        "query",
        "--dir",
        &at(""),
        "--json",
        "SELECT * FROM lake.thing WHERE _pk = 'THING#1'",
    ]);
    let row: Value = serde_json::from_str(&answer.expect(0).stdout).unwrap();
    let values: Vec<&str> = row.as_object().unwrap().values().filter_map(Value::as_str).collect();
    for value in ["upper1", "lower1", "drop1"] {
        assert!(values.contains(&value), "{value} of {values:?}");
    }
    let numbers = row.as_object().unwrap().iter().filter_map(|(name, value)| {
        let number: u64 = name.strip_prefix("attribute")?.parse().ok()?;
        assert_eq!(value.as_u64(), Some(number), "{name}");
        Some(number)
    });
    assert!(numbers.count() > 1400, "as many as a table holds");
}

/// A damaged export: the file is named, and nothing is committed.
fn damaged(harm: impl Fn(&Path), words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    elt(&["sample", "--to", &at("export"), "--customers", "30", "--files", "2"]).expect(0);
    elt(&["infer", "--from", &at("export"), "--to", &at("model.toml")]).expect(0);
    let data = files(&folder.path().join("export"));
    let data = data.iter().find(|file| file.extension().is_some_and(|it| it == "gz")).unwrap();
    harm(data);
    let run = elt(&["run", "--from", &at("export"), "--dir", &at("")]).expect(4);
    let name = data.file_name().unwrap().to_str().unwrap();
    for word in words.iter().chain(&[name]) {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    assert!(!folder.path().join("lake/_keystar/manifest.json").exists(), "nothing was committed");
    assert!(!folder.path().join("warehouse/commit.json").exists());
}

#[test]
fn a_truncated_gzip_fails_and_is_named() {
    let halve = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    damaged(halve, &["cannot decompress it at or before byte", "copy it again"]);
}

#[test]
fn a_wrong_checksum_fails_and_is_named() {
    // Another file in its place: whole, and of the right form.
    let replace = |path: &Path| {
        let other = fs::read_dir(path.parent().unwrap()).unwrap();
        let other = other.map(|entry| entry.unwrap().path()).find(|other| other != path).unwrap();
        fs::copy(other, path).unwrap();
    };
    damaged(replace, &["its MD5 is", "as expected"]);
}

#[test]
fn a_missing_file_fails_and_is_named() {
    damaged(|path| fs::remove_file(path).unwrap(), &["the manifest has it, but it is not there"]);
}
