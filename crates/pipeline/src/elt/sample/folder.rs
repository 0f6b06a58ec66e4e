//! An export as DynamoDB leaves it in a bucket: data files, their list, and the summary.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};
use serde::Serialize;
use serde_json::json;

use super::random::Random;
use crate::elt::Error;

const ROOT: &str = "AWSDynamoDB";
const TABLE: &str = "arn:aws:dynamodb:eu-north-1:123456789012:table/shop";
const BUCKET: &str = "shop-exports";
/// Speed before size: a sample is made to be read soon.
const LEVEL: Compression = Compression::new(3);

/// Where and when an export is.
#[derive(Clone, Debug)]
pub(super) struct ExportFolder {
    root: PathBuf,
    pub(super) id: String,
    started: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Full { at: jiff::Timestamp },
    Incremental { from: jiff::Timestamp, to: jiff::Timestamp },
}

/// A data file that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    #[serde(rename = "itemCount")]
    pub(super) items: u64,
    md5_checksum: String,
    etag: String,
    #[serde(rename = "dataFileS3Key")]
    key: String,
    #[serde(skip)]
    pub(super) bytes: u64,
    #[serde(skip)]
    pub(super) stored_bytes: u64,
}

impl ExportFolder {
    pub(super) fn new(root: &Path, kind: Kind, seed: u64) -> Self {
        let started = match &kind {
            Kind::Full { at } => *at,
            Kind::Incremental { to, .. } => *to,
        };
        let millis = started.as_millisecond();
        let tail = Random::nth(seed, millis.unsigned_abs()).next() as u32;
        Self {
            root: root.to_owned(),
            id: format!("{millis:014}-{tail:08x}"),
            started: instant(started),
            kind,
        }
    }

    /// The exports that a folder holds already.
    pub(super) fn there(root: &Path) -> Result<Vec<String>, Error> {
        let folder = root.join(ROOT);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file(&folder, error)),
        };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name != "data").collect())
    }

    fn own(&self) -> PathBuf {
        self.root.join(ROOT).join(&self.id)
    }

    /// The folder of the data files, and the prefix of their keys.
    fn data(&self) -> (PathBuf, String) {
        match self.kind {
            Kind::Full { .. } => (self.own().join("data"), format!("{ROOT}/{}/data", self.id)),
            // Incremental exports share one.
            Kind::Incremental { .. } => (self.root.join(ROOT).join("data"), format!("{ROOT}/data")),
        }
    }

    pub(super) fn begin(&self) -> Result<(), Error> {
        let own = self.own();
        let (data, _) = self.data();
        fs::create_dir_all(&own).map_err(|error| Error::file(&own, error))?;
        fs::create_dir_all(&data).map_err(|error| Error::file(&data, error))?;
        self.write("_started", b"")
    }

    pub(super) fn file(&self, number: u64, seed: u64) -> Result<DataFile, Error> {
        let name = file_name(&self.id, number, seed);
        let (folder, prefix) = self.data();
        let path = folder.join(&name);
        let file = File::create(&path).map_err(|error| Error::file(&path, error))?;
        let hashed =
            Hashed { file: BufWriter::with_capacity(1 << 16, file), md5: Md5::new(), bytes: 0 };
        let out = GzEncoder::new(hashed, LEVEL);
        Ok(DataFile { path, key: format!("{prefix}/{name}"), out, items: 0, bytes: 0 })
    }

    /// The manifests come last: an export without them is none.
    pub(super) fn finish(&self, files: &[Listed]) -> Result<(), Error> {
        let own = self.own();
        let mut list = Vec::new();
        for file in files {
            serde_json::to_writer(&mut list, file)
                .map_err(|error| Error::file(&own, error.into()))?;
            list.push(b'\n');
        }
        let items: u64 = files.iter().map(|file| file.items).sum();
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut summary = json!({
            "version": "2020-06-30",
            "exportArn": format!("{TABLE}/export/{}", self.id),
            "startTime": self.started,
            "endTime": self.started,
            "tableArn": TABLE,
            "tableId": "9d3a4a5e-6f0b-4b7e-8a53-0c1f7a3d2b10",
            "s3Bucket": BUCKET,
            "s3Prefix": null,
            "s3SseAlgorithm": "AES256",
            "s3SseKmsKeyId": null,
            "manifestFilesS3Key": format!("{ROOT}/{}/manifest-files.json", self.id),
            "billedSizeBytes": bytes,
            "itemCount": items,
            "outputFormat": "DYNAMODB_JSON",
        });
        let more = match &self.kind {
            Kind::Full { at } => vec![("exportTime", instant(*at))],
            Kind::Incremental { from, to } => vec![
                ("version", "2023-08-01".to_owned()),
                ("exportFromTime", instant(*from)),
                ("exportToTime", instant(*to)),
                ("outputView", "NEW_AND_OLD_IMAGES".to_owned()),
                ("exportType", "INCREMENTAL_EXPORT".to_owned()),
            ],
        };
        if let Some(summary) = summary.as_object_mut() {
            summary.extend(more.into_iter().map(|(name, text)| (name.to_owned(), text.into())));
        }
        self.write("manifest-files.json", &list)?;
        self.write("manifest-files.md5", md5_base64(&list).as_bytes())?;
        let summary = summary.to_string();
        self.write("manifest-summary.md5", md5_base64(summary.as_bytes()).as_bytes())?;
        self.write("manifest-summary.json", summary.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.own().join(name);
        fs::write(&path, bytes).map_err(|error| Error::file(&path, error))
    }
}

/// A data file that is being written.
#[derive(Debug)]
pub(super) struct DataFile {
    path: PathBuf,
    key: String,
    out: GzEncoder<Hashed>,
    items: u64,
    bytes: u64,
}

impl DataFile {
    /// Adds lines that hold so many items.
    pub(super) fn push(&mut self, lines: &[u8], items: u64) -> Result<(), Error> {
        self.items += items;
        self.bytes += lines.len() as u64;
        self.out.write_all(lines).map_err(|error| Error::file(&self.path, error))
    }

    pub(super) fn finish(self) -> Result<Listed, Error> {
        let end = || {
            let mut hashed = self.out.finish()?;
            hashed.file.flush()?;
            Ok(hashed)
        };
        let Hashed { md5, bytes: stored_bytes, .. } =
            end().map_err(|error| Error::file(&self.path, error))?;
        let digest = md5.finalize();
        let etag: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Listed {
            items: self.items,
            md5_checksum: BASE64_STANDARD.encode(digest),
            etag: format!("{etag}-1"),
            key: self.key,
            bytes: self.bytes,
            stored_bytes,
        })
    }
}

#[derive(Debug)]
struct Hashed {
    file: BufWriter<File>,
    md5: Md5,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.md5.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// 26 letters and digits, as the real ones have.
fn file_name(id: &str, number: u64, seed: u64) -> String {
    let id = id.bytes().fold(seed, |hash, byte| hash.rotate_left(7) ^ u64::from(byte));
    let mut random = Random::nth(id, number);
    let name = (0..26).map(|_| char::from(random.pick(b"abcdefghijklmnopqrstuvwxyz234567", b'a')));
    name.chain(".json.gz".chars()).collect()
}

fn md5_base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(bytes))
}

/// `2024-01-01T00:00:00.000Z`.
fn instant(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}
