//! The same items come out of every form in which they may lie somewhere.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression as Level, write::GzEncoder};
use futures_executor::block_on;
use keystar_item::{AttributeValue, Attributes, Item, KeyAttribute, KeySchema, KeyType, ion, json};
use keystar_item::{Number, Table};
use keystar_transfer::{
    Change, Compression, Export, ExportKind, ExportView, Format, ImportOptions, ImportWriter,
    ItemSink, Origin, UnixMicros, change,
};
use md5::{Digest, Md5};

use crate::export::{FIXTURE, lines};

pub(crate) const FULL: &str = "01772445612345-1f0c22a7";
pub(crate) const FIRST: &str = "01772446590000-8d41be03";
pub(crate) const SECOND: &str = "01772447490000-c27e95d1";

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An export in the making.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) prefix: Option<String>,
    pub(crate) summary: serde_json::Map<String, serde_json::Value>,
    /// Name, stored bytes, and records in them.
    pub(crate) files: Vec<(String, Vec<u8>, u64)>,
}

impl Made {
    pub(crate) fn new(id: &str, format: &str, window: Option<(&str, &str)>) -> Self {
        let mut summary = serde_json::Map::new();
        let mut set = |name: &str, value: &str| summary.insert(name.to_owned(), value.into());
        set("tableArn", "arn:aws:dynamodb:eu-central-1:000000000000:table/shop");
        set("outputFormat", format);
        match window {
            Some((from, to)) => {
                set("exportFromTime", from);
                set("exportToTime", to);
                set("outputView", "NEW_IMAGE");
                set("exportType", "INCREMENTAL_EXPORT");
            }
            None => {
                set("exportTime", "2026-03-02T10:00:12.345Z");
            }
        }
        Self { id: id.to_owned(), prefix: None, summary, files: Vec::new() }
    }

    pub(crate) fn with_file(mut self, name: &str, stored: Vec<u8>, items: u64) -> Self {
        self.files.push((name.to_owned(), stored, items));
        self
    }

    /// Writes it as DynamoDB would to a bucket; answers with the export's own folder.
    pub(crate) fn write(&self, bucket: &Path) -> PathBuf {
        let full = !self.summary.contains_key("exportType");
        let prefix = self.prefix.as_ref().map_or(String::new(), |prefix| format!("{prefix}/"));
        let exports = format!("{prefix}AWSDynamoDB");
        let own = format!("{exports}/{}", self.id);
        let data = if full { format!("{own}/data") } else { format!("{exports}/data") };
        fs::create_dir_all(bucket.join(&own)).unwrap();
        fs::create_dir_all(bucket.join(&data)).unwrap();
        let mut manifest = String::new();
        for (name, stored, items) in &self.files {
            fs::write(bucket.join(&data).join(name), stored).unwrap();
            let line = serde_json::json!({
                "itemCount": items,
                "md5Checksum": STANDARD.encode(Md5::digest(stored)),
                "etag": "0123456789abcdef0123456789abcdef-1",
                "dataFileS3Key": format!("{data}/{name}"),
            });
            manifest.push_str(&format!("{line}\n"));
        }
        let mut summary = self.summary.clone();
        let total: u64 = self.files.iter().map(|(_, _, items)| items).sum();
        summary.entry("itemCount").or_insert(total.into());
        summary.insert("s3Prefix".into(), self.prefix.clone().into());
        summary.insert("manifestFilesS3Key".into(), format!("{own}/manifest-files.json").into());
        let own = bucket.join(own);
        fs::write(own.join("manifest-files.json"), manifest).unwrap();
        let summary = serde_json::Value::Object(summary).to_string();
        fs::write(own.join("manifest-summary.json"), summary).unwrap();
        own
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn sorted(export: &Export) -> Vec<Item<'static>> {
    let mut items: Vec<Item<'static>> = lines(export)
        .iter()
        .map(|line| {
            assert!(line.starts_with("{\"Item\":{"), "{line}");
            change(line.as_bytes()).unwrap().new.unwrap().into_owned()
        })
        .collect();
    items.sort_by_key(|item| format!("{:?} {:?}", item.get("pk"), item.get("sk")));
    items
}

fn truth() -> Vec<Item<'static>> {
    sorted(&Export::open(format!("{FIXTURE}/AWSDynamoDB/{FULL}")).unwrap())
}

#[track_caller]
fn same(from: &Path, items: Option<u64>, format: &Format) {
    let export = Export::open(text(from)).unwrap();
    assert_eq!(export.info().items, items);
    assert_eq!(&export.info().format, format);
    let (truth, found) = (truth(), sorted(&export));
    assert_eq!(found.len(), truth.len());
    for (found, expected) in found.iter().zip(&truth) {
        assert!(found.is_same(expected), "{found:?} {expected:?}");
    }
}

fn same_json(from: &Path) {
    same(from, None, &Format::DynamoDbJson);
}

#[test]
fn an_export_is_found_wherever_it_lies() {
    let json = Format::DynamoDbJson;
    let own = Path::new(FIXTURE).join("AWSDynamoDB").join(FULL);
    same(&own, Some(7), &json);
    same(&own.join("manifest-summary.json"), Some(7), &json);

    let folder = tempfile::tempdir().unwrap();
    // Its own folder alone, under any name.
    copy(&own, &folder.path().join("alone"));
    same(&folder.path().join("alone"), Some(7), &json);
    // The only one in its bucket, and the folder that DynamoDB makes.
    copy(&own, &folder.path().join("bucket/AWSDynamoDB").join(FULL));
    same(&folder.path().join("bucket"), Some(7), &json);
    same(&folder.path().join("bucket/AWSDynamoDB"), Some(7), &json);
    same(Path::new(&format!("file://{}/bucket", text(folder.path()))), Some(7), &json);

    // Under a prefix, from which the keys of the files begin, or by some accounts do not.
    let lines: String = lines(&Export::open(text(&own)).unwrap()).join("\n");
    let mut made = Made::new("x", "DYNAMODB_JSON", None);
    made.prefix = Some("a/b".to_owned());
    let made = made.with_file("1.json.gz", gzip(lines.as_bytes()), 7);
    let own = made.write(&folder.path().join("prefixed"));
    same(&own, Some(7), &json);
    same(&folder.path().join("prefixed/a/b"), Some(7), &json);
    same(&folder.path().join("prefixed"), Some(7), &json);
    let manifest = own.join("manifest-files.json");
    let keys = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, keys.replace("a/b/AWSDynamoDB/x", "elsewhere")).unwrap();
    fs::create_dir_all(folder.path().join("prefixed/a/b/elsewhere")).unwrap();
    fs::rename(own.join("data"), folder.path().join("prefixed/a/b/elsewhere/data")).unwrap();
    same(&own, Some(7), &json);
}

#[test]
fn bare_files_hold_the_same_items() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let lines = lines(&Export::open(format!("{FIXTURE}/AWSDynamoDB/{FULL}")).unwrap());
    let (some, rest) = lines.split_at(3);
    let all = lines.join("\n");

    fs::write(at("items.json"), &all).unwrap();
    same_json(&at("items.json"));
    fs::write(at("marked.json"), format!("\u{feff}{}\r\n\r\n", lines.join("\r\n"))).unwrap();
    same_json(&at("marked.json"));
    // Two members of gzip, two frames of zstd.
    let two = [format!("{}\n", some.join("\n")), rest.join("\n")];
    fs::write(at("items.json.gz"), two.clone().map(|part| gzip(part.as_bytes())).concat()).unwrap();
    same_json(&at("items.json.gz"));
    let frames = two.clone().map(|part| zstd::encode_all(part.as_bytes(), 1).unwrap()).concat();
    fs::write(at("items.json.zst"), frames).unwrap();
    same_json(&at("items.json.zst"));

    let bare = at("folder");
    fs::create_dir(&bare).unwrap();
    fs::write(bare.join("1.json.gz"), gzip(two[0].as_bytes())).unwrap();
    fs::write(bare.join("2.json"), &two[1]).unwrap();
    same_json(&bare);
}

#[test]
fn the_result_of_a_scan_holds_the_same_items() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.json");
    let items: Vec<serde_json::Value> =
        lines(&Export::open(format!("{FIXTURE}/AWSDynamoDB/{FULL}")).unwrap())
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["Item"].clone())
            .collect();
    let scan = serde_json::json!({
        "Items": items, "Count": 7, "ScannedCount": 7, "ConsumedCapacity": null
    });
    let pages: String = items
        .iter()
        .map(|item| serde_json::json!({ "Count": 1, "Items": [item] }).to_string() + "\n")
        .collect();
    for text in [
        serde_json::to_string_pretty(&scan).unwrap(),
        scan.to_string(),
        pages,
        serde_json::to_string_pretty(&items).unwrap(),
    ] {
        fs::write(&path, &text).unwrap();
        same_json(&path);
        fs::write(&path, gzip(text.as_bytes())).unwrap();
        same_json(&path);
    }
}

#[test]
fn ion_holds_the_same_items() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for item in truth() {
        ion::write_item(&item, &mut lines);
    }
    let made = Made::new("x", "ION", None).with_file("1.ion.gz", gzip(&lines), 7);
    same(&made.write(folder.path()), Some(7), &Format::Ion);

    let path = folder.path().join("items.ion");
    fs::write(&path, &lines).unwrap();
    same(&path, None, &Format::Ion);
    let pretty =
        String::from_utf8(lines).unwrap().replace("$ion_1_0 ", "").replace("}\n", "\n},\n");
    fs::write(&path, format!("$ion_1_0\n[\n{pretty}]")).unwrap();
    same(&path, None, &Format::Ion);
}

#[test]
fn our_own_output_holds_the_same_items() {
    let key = KeySchema::new(KeyAttribute::new("pk", KeyType::S))
        .with_sort(KeyAttribute::new("sk", KeyType::S));
    for format in [Format::DynamoDbJson, Format::Ion] {
        for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out");
            let options = ImportOptions::new(Table::new(key.clone()))
                .with_format(format.clone())
                .with_compression(compression);
            let work = folder.path().join("work");
            let mut sink = Box::new(ImportWriter::create(text(&out), &work, options).unwrap());
            let mut encoder = sink.encoder();
            for (item, origin) in truth().iter().zip(0..) {
                encoder.push(item, Origin(origin)).unwrap();
            }
            block_on(sink.write(encoder.take())).unwrap();
            block_on(sink.finish(&[])).unwrap();
            same(&out, Some(7), &format);
        }
    }
}

/// What the changes of an export are, by key: `+` put, `-` removed, with the time.
fn told(export: &Export) -> Vec<String> {
    let mut told: Vec<String> = lines(export)
        .iter()
        .map(|line| {
            let change = change(line.as_bytes()).unwrap();
            let (mut key, mut new, mut old) = (Vec::new(), Vec::new(), Vec::new());
            json::write_attributes(&change.keys, &mut key);
            for (item, out) in [(&change.new, &mut new), (&change.old, &mut old)] {
                item.iter().for_each(|item| json::write_attributes(&item.attributes, out));
            }
            let text = |bytes| String::from_utf8(bytes).unwrap();
            let sign = if change.new.is_some() { '+' } else { '-' };
            let at = change.written.unwrap();
            format!("{at} {sign}{} {} was {}", text(key), text(new), text(old))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn changes_are_as_they_were() {
    let all: Vec<String> = [FIRST, SECOND]
        .iter()
        .flat_map(|id| told(&Export::open(format!("{FIXTURE}/AWSDynamoDB/{id}")).unwrap()))
        .collect();
    let golden = include_str!("export_changes.txt");
    assert_eq!(all.join("\n"), golden.trim_end_matches('\n'));
}

fn owned(change: &Change<'_>) -> Item<'static> {
    let mut record = Item::new();
    let mut metadata = Attributes::new();
    let micros = change.written.unwrap().0;
    metadata.push("WriteTimestampMicros", Number::parse(micros.to_string()).unwrap());
    record.push("Metadata", AttributeValue::M(metadata));
    record.push("Keys", AttributeValue::M(change.keys.clone().into_owned()));
    for (name, item) in [("NewImage", &change.new), ("OldImage", &change.old)] {
        if let Some(item) = item {
            record.push(name, AttributeValue::M(item.attributes.clone().into_owned()));
        }
    }
    record
}

#[test]
fn changes_in_ion_are_the_same() {
    let export = Export::open(format!("{FIXTURE}/AWSDynamoDB/{SECOND}")).unwrap();
    let (mut plain, mut wrapped) = (String::new(), String::new());
    for line in lines(&export) {
        let mut text = Vec::new();
        ion::write_item(&owned(&change(line.as_bytes()).unwrap()), &mut text);
        let text = String::from_utf8(text).unwrap();
        let record = text.strip_prefix("$ion_1_0 {Item:").unwrap().strip_suffix("}\n").unwrap();
        plain.push_str(&format!("$ion_1_0 {record}\n"));
        wrapped.push_str(&format!("$ion_1_0 {{Record:{record}}}\n"));
    }
    let window = Some(("2026-03-02T10:15:00.000Z", "2026-03-02T10:30:00.000Z"));
    for text in [plain, wrapped] {
        let folder = tempfile::tempdir().unwrap();
        let made = Made::new("x", "ION", window);
        let made = made.with_file("1.ion.gz", gzip(text.as_bytes()), 4);
        let ion = Export::open(self::text(&made.write(folder.path()))).unwrap();
        assert_eq!(told(&ion), told(&export));
        // Without its manifest, it is known by its looks.
        let bare = folder.path().join("AWSDynamoDB/data/1.ion.gz");
        assert_eq!(told(&Export::open(self::text(&bare)).unwrap()), told(&export));
    }
}

#[test]
fn new_images_alone_are_changes_too() {
    let text = "{\"Keys\":{\"pk\":{\"S\":\"b\"}},\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"2\"}}}\n\
        {\"NewImage\":{\"pk\":{\"S\":\"a\"}},\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"1\"}},\
        \"Keys\":{\"pk\":{\"S\":\"a\"}}}\n";
    let folder = tempfile::tempdir().unwrap();
    let window = Some(("2026-03-02T10:15:00Z", "2026-03-02T10:30:00Z"));
    let made = Made::new("x", "DYNAMODB_JSON", window);
    let own = made.with_file("1.json.gz", gzip(text.as_bytes()), 2).write(folder.path());
    // The folder of the data is shared: what another export left there is not this one's.
    fs::write(folder.path().join("AWSDynamoDB/data/other.json.gz"), "another's").unwrap();
    let export = Export::open(self::text(&own)).unwrap();
    assert_eq!(
        told(&export),
        [
            "1970-01-01T00:00:00.000001Z +{\"pk\":{\"S\":\"a\"}} {\"pk\":{\"S\":\"a\"}} was ",
            "1970-01-01T00:00:00.000002Z -{\"pk\":{\"S\":\"b\"}}  was ",
        ]
    );
    let at = |text: &str| text.parse::<UnixMicros>().unwrap();
    assert_eq!(
        export.info().kind,
        ExportKind::Incremental {
            from: at("2026-03-02T10:15:00Z"),
            to: at("2026-03-02T10:30:00Z"),
            view: ExportView::NewImage,
        }
    );
}
