//! Readers that are not ours read what we write, and every one of them reads the same items: amazon.ion, Python's
//! gzip, zstandard and csv, and the zstd and gzip programs.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use keystar_kit::generate::{self, Person, Shape};
use keystar_kit::migrate::Ended;
use keystar_kit::{migrate, places, python};
use tempfile::TempDir;

/// Every fixture that the program converts, and generated data of every type, each as uncompressed DynamoDB JSON.
pub(crate) struct Corpus {
    folder: PathBuf,
    /// Name and dump.
    pub(crate) cases: Vec<(String, PathBuf)>,
}

impl Corpus {
    /// Made once for all tests, in a folder of cargo's that the next run clears.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Corpus> = LazyLock::new(Corpus::new);
        &SHARED
    }

    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let generated = folder.join("generated.rdb");
        let file = File::create(&generated).unwrap();
        generate::write(Shape::Mixed { records: 2000 }, 9, 11, file).unwrap();

        let mut dumps = places::rdb_fixtures().unwrap();
        dumps.push(generated);
        let mut corpus = Self { folder, cases: Vec::new() };
        for dump in dumps {
            let name = name_of(&dump);
            match corpus.convert(&name, &dump, "dynamodb-json", "none").code {
                // A dump of no keys may make no file at all.
                Some(0 | 1)
                    if migrate::data_files(&corpus.path(&name, "dynamodb-json-none")).is_ok() =>
                {
                    corpus.convert(&name, &dump, "ion", "none").expect_code(&[0, 1]).unwrap();
                    corpus.cases.push((name, dump));
                }
                // 4: the dump is refused; which are and why is the decoder's own test.
                Some(0 | 1 | 4) => {}
                code => panic!("{name}: exit {code:?}"),
            }
        }
        assert!(corpus.cases.len() >= 70, "only {} dumps were converted", corpus.cases.len());
        corpus
    }

    /// Where a case's output lies, in a form that was converted.
    pub(crate) fn path(&self, name: &str, form: &str) -> PathBuf {
        self.folder.join(format!("{name}.{form}"))
    }

    /// Converts one dump; the form is called by format and compression.
    fn convert(&self, name: &str, dump: &Path, format: &str, compress: &str) -> Ended {
        let output = self.path(name, &format!("{format}-{compress}"));
        let mut arguments =
            ["run", "--format", format, "--compress", compress].map(OsString::from).to_vec();
        arguments.extend(["--from".into(), dump.into(), "--to".into(), output.into()]);
        migrate::run(&arguments).unwrap()
    }

    /// Has Python compare two forms of every case, by items or, once decompressed, by lines.
    fn compare(&self, form: &str, other: &str, by: &[&str]) {
        let mut arguments: Vec<PathBuf> = by.iter().map(PathBuf::from).collect();
        for (name, _) in &self.cases {
            arguments.extend([self.path(name, form), self.path(name, other)]);
        }
        let compared: u64 =
            python::run("same_items.py", &arguments).unwrap().trim().parse().unwrap();
        assert!(compared > 2000, "only {compared} were compared");
    }

    /// Compresses every case, and has Python read what was compressed.
    fn compress(&self, compress: &str) {
        for format in ["dynamodb-json", "ion"] {
            for (name, dump) in &self.cases {
                self.convert(name, dump, format, compress).expect_code(&[0, 1]).unwrap();
            }
            self.compare(&format!("{format}-none"), &format!("{format}-{compress}"), &["--lines"]);
        }
    }
}

/// One of `tests/kit/mappings`.
pub(crate) fn mapping_file(name: &str) -> PathBuf {
    places::workspace().join("tests/kit/mappings").join(name).with_extension("toml")
}

/// `tests/fixtures/rdb/redis/a.rdb` → `redis-a`.
fn name_of(dump: &Path) -> String {
    let parent = dump.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{parent}-{}", dump.file_stem().unwrap().to_string_lossy())
}

#[test]
fn ion_read_by_amazon_ion_holds_the_same_items() {
    Corpus::shared().compare("dynamodb-json-none", "ion-none", &[]);
}

#[test]
fn gzip_read_by_python_holds_the_same_lines() {
    Corpus::shared().compress("gzip");
}

#[test]
fn zstd_read_by_python_holds_the_same_lines() {
    Corpus::shared().compress("zstd");
}

/// The comparison itself can fail: an item less, a number changed, a name twice.
#[test]
fn the_comparison_sees_a_difference() {
    let folder = TempDir::new().unwrap();
    let good = r#"{"Item":{"key":{"S":"a"},"value":{"N":"10"}}}"#;
    let write = |name: &str, text: &str| {
        let data = folder.path().join(name).join("data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("part-00000.json"), text).unwrap();
        folder.path().join(name)
    };
    let ours = write("ours", &format!("{good}\n"));
    assert_eq!(python::run("same_items.py", &[&ours, &ours]).unwrap().trim(), "1");
    for (name, text) in [
        ("less", String::new()),
        ("changed", good.replace("10", "11")),
        ("twice", good.replace(r#""value""#, r#""key":{"S":"b"},"value""#)),
        ("cut", good[..good.len() - 1].to_owned()),
    ] {
        let theirs = write(name, &text);
        assert!(python::run("same_items.py", &[&ours, &theirs]).is_err(), "{name} went unnoticed");
    }
}

#[test]
fn the_zstd_and_gzip_programs_read_what_was_compressed() {
    let folder = TempDir::new().unwrap();
    let dump = folder.path().join("dump.rdb");
    let records = 20_000;
    let file = File::create(&dump).unwrap();
    generate::write(Shape::Article { records }, 4, 11, file).unwrap();
    let mut expected = Vec::new();
    generate::write_article_items(records, 4, &mut expected).unwrap();
    let mut expected: Vec<&str> = std::str::from_utf8(&expected).unwrap().lines().collect();
    expected.sort_unstable();

    for (compress, program) in [("zstd", "zstd"), ("gzip", "gzip")] {
        let output = folder.path().join(compress);
        migrate::convert(&dump, &output, "dynamodb-json", compress, &[]).unwrap();
        let mut text = Vec::new();
        for file in migrate::data_files(&output).unwrap() {
            let unpacked = Command::new(program).arg("-dc").arg(&file).output().unwrap();
            assert!(unpacked.status.success(), "{program} on {}: {unpacked:?}", file.display());
            text.extend(unpacked.stdout);
        }
        let mut lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
        lines.sort_unstable();
        assert!(lines == expected, "{program} read other lines than were to be written");
    }
}

/// The article's own data, byte by byte: the line of each record is written here a second time, by hand.
#[test]
fn the_articles_items_are_what_the_article_shows() {
    let folder = TempDir::new().unwrap();
    let dump = folder.path().join("dump.rdb");
    generate::write(Shape::Article { records: 30_000 }, 8, 11, File::create(&dump).unwrap())
        .unwrap();
    let output = folder.path().join("out");
    migrate::convert(&dump, &output, "dynamodb-json", "none", &[])
        .unwrap()
        .expect_code(&[0])
        .unwrap();
    let mut expected = Vec::new();
    generate::write_article_items(30_000, 8, &mut expected).unwrap();
    let mut expected: Vec<String> =
        String::from_utf8(expected).unwrap().lines().map(str::to_owned).collect();
    expected.sort();
    let lines = migrate::sorted_lines(&output).unwrap();
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(line, expected);
    }
}

#[test]
fn csv_read_by_python_holds_the_fields_as_columns() {
    let folder = TempDir::new().unwrap();
    let dump = folder.path().join("dump.rdb");
    let records = 5000;
    generate::write(Shape::Article { records }, 6, 11, File::create(&dump).unwrap()).unwrap();
    let output = folder.path().join("out");
    let mapping = mapping_file("attributes");
    migrate::convert(&dump, &output, "csv", "none", &["--mapping", mapping.to_str().unwrap()])
        .unwrap();
    let rows = python::run("csv_rows.py", &[&output]).unwrap();
    let mut rows: Vec<serde_json::Value> =
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let mut person = Person::default();
    let mut expected: Vec<serde_json::Value> = (0..records)
        .map(|index| {
            person.become_nth(6, index);
            let Person { key, age, longitude, name, email } = &person;
            serde_json::json!({"key": key, "age": age, "longitude": longitude, "name": name, "email": email})
        })
        .collect();
    for rows in [&mut rows, &mut expected] {
        rows.sort_by_key(|row| row["key"].to_string());
    }
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
}
