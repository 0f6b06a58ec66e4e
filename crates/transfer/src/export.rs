//! Where exports are found, and what is known of them before they are read.

mod block;
mod blocks;
mod document;
mod ion;
mod lines;
mod place;
mod record;
mod stored;
mod summary;
mod time;
mod window;

use std::fmt;

use crate::{
    Error, Format, ImportReader,
    reader::format_of,
    store::{Store, join},
};

use self::{
    blocks::{Expected, Form, Shape},
    place::{Listing, Place, parent, split},
    stored::Checksum,
    summary::{SUMMARY, Summary},
};

pub use self::{
    block::Block,
    blocks::ExportBlocks,
    record::{Change, RecordParts, change, parts},
    time::UnixMicros,
    window::{Chain, Window, WindowError},
};

/// The folder that DynamoDB makes in the bucket.
const EXPORTS: &str = "AWSDynamoDB";

/// An export of a table, or anything else that holds items, opened for reading.
///
/// | `from` names | what is read |
/// |---|---|
/// | a folder that holds `AWSDynamoDB/`, that folder, or one above | the exports in it |
/// | an export's own folder, or its `manifest-summary.json` | that export |
/// | a folder that [`ImportWriter`](crate::ImportWriter) wrote | its files, checked by its manifest |
/// | any other folder | all of its files but hidden ones, manifests and checksums |
/// | a file | `{"Item":{…}}` lines, Ion, or what `aws dynamodb scan` printed |
///
/// All of them as paths or URLs (`file:///…`, and `s3://…` with the feature `s3`), plain or
/// compressed. A copy of an export may lie anywhere, also without the folders around it: its files
/// are looked for from its manifest upwards.
#[derive(Clone, Debug)]
pub struct Export {
    store: Store,
    info: ExportInfo,
    files: Vec<ExportFile>,
}

/// What is known of an export before it is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportInfo {
    /// The export's id, such as `01768385930622-efd1a093`; the file's or folder's name for what is
    /// no export.
    pub id: String,
    /// What it holds.
    pub kind: ExportKind,
    /// The ARN of the table, if the manifest names it.
    pub table_arn: Option<String>,
    /// The table's own id, if the manifest names it.
    pub table_id: Option<String>,
    /// Records in all files, if a manifest counts them.
    pub items: Option<u64>,
    /// Bytes of all files as stored.
    pub stored_bytes: u64,
    /// The files' text form: never CSV, which knows no types.
    pub format: Format,
    /// What a user should hear of it, though it can be read: a summary that was edited.
    pub remarks: Vec<String>,
}

/// What an export holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExportKind {
    /// Every item.
    Full {
        /// As of when, about a minute more or less.
        export_time: UnixMicros,
    },
    /// What changed.
    Incremental {
        /// From this moment on.
        from: UnixMicros,
        /// Up to but without this one.
        to: UnixMicros,
        /// What is told of each change.
        view: ExportView,
    },
    /// Items of which nothing else is known.
    Bare,
}

/// What an incremental export tells of each change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExportView {
    /// The item afterwards.
    NewImage,
    /// The item before and afterwards.
    NewAndOldImages,
}

/// One file of an export.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportFile {
    /// As the manifest names it; relative to what was opened where there is none.
    pub name: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Records in it, if a manifest counts them. Often none: each of the table's partitions has a
    /// file.
    pub items: Option<u64>,
    /// In the store.
    path: String,
    expected: Expected,
    form: Form,
}

impl Export {
    /// Opens the one export, or the one other thing that holds items.
    ///
    /// # Errors
    ///
    /// [`Error::SeveralExports`], which lists them, if there are several. Otherwise as
    /// [`list`](Self::list).
    pub fn open(from: impl Into<crate::Place>) -> Result<Self, Error> {
        let from = from.into();
        let mut exports = Self::list(&from)?;
        match exports.pop() {
            Some(export) if exports.is_empty() => Ok(export),
            last => {
                exports.extend(last);
                let exports = exports.iter().map(|export| export.info.to_string()).collect();
                Err(Error::SeveralExports { place: from.as_str().to_owned(), exports })
            }
        }
    }

    /// Opens every export of a table, in the order in which they apply: full ones first, then
    /// incremental ones by their windows. [`Chain::new`] picks from their
    /// [windows](ExportInfo::window) and finds what is missing in between.
    ///
    /// # Errors
    ///
    /// [`Error::Windows`] if the exports are of several tables. Otherwise as [`list`](Self::list).
    pub fn open_all(from: impl Into<crate::Place>) -> Result<Vec<Self>, Error> {
        let exports = Self::list(from)?;
        let windows: Vec<Window> =
            exports.iter().filter_map(|export| export.info.window()).collect();
        window::one_table(&windows)?;
        Ok(exports)
    }

    /// Opens every export that is there, by table, then in the order in which they apply.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if nothing is there, [`Error::Damaged`], [`Error::Checksum`],
    /// [`Error::Count`] or [`Error::Json`] if a manifest is damaged or names a file that is not
    /// there, or the system.
    pub fn list(from: impl Into<crate::Place>) -> Result<Vec<Self>, Error> {
        let from = &from.into();
        let place = Place::open(from)?;
        let mut listing = Listing::new(&place.store);
        let mut exports = Vec::new();
        for folder in manifest_folders(&place, &mut listing)? {
            exports.push(Self::by_manifest(&place.store, &mut listing, &folder)?);
        }
        if exports.is_empty() {
            return Self::without_manifest(from).map(|export| vec![export]);
        }
        exports.sort_by(|a, b| {
            let table = a.info.table_arn.cmp(&b.info.table_arn);
            let (first, second) = (a.info.window(), b.info.window());
            let order = first.as_ref().map(Window::order).cmp(&second.as_ref().map(Window::order));
            table.then(order)
        });
        Ok(exports)
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &ExportInfo {
        &self.info
    }

    /// The files by name, which is the same order every time.
    #[must_use]
    pub fn files(&self) -> &[ExportFile] {
        &self.files
    }

    /// Begins to read one of the [files](Self::files), by its index. Reading blocks: give each
    /// file a thread, and as many at once as there are cores.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if there is no such file, or why it cannot be opened.
    pub fn read(&self, file: usize) -> Result<ExportBlocks, Error> {
        let file = self.files.get(file);
        let file = file.ok_or(Error::Options("the export has no file of that number"))?;
        let stored = self.store.read(&file.path)?;
        ExportBlocks::new(stored, self.store.place(&file.path), file)
    }

    fn by_manifest(store: &Store, listing: &mut Listing<'_>, folder: &str) -> Result<Self, Error> {
        let (summary, remark) = Summary::read(store, listing, folder)?;
        let place = store.place(&join(folder, SUMMARY));
        let kind = summary.kind(&place)?;
        let format = summary.format(&place)?;
        let form = match (&format, kind) {
            (Format::Ion, ExportKind::Incremental { .. }) => Form::Ion(Shape::Changes),
            (Format::Ion, _) => Form::Ion(Shape::Items),
            _ => Form::Lines,
        };
        let prefix = summary.s3_prefix.as_deref().unwrap_or_default();
        let mut files = Vec::new();
        for data in summary.files(store, listing, folder)? {
            let key = &data.data_file_s3_key;
            let Some((path, stored_bytes)) = locate(listing, folder, prefix, key)? else {
                let reason = "the manifest has it, but it is not there";
                return Err(Error::Damaged { file: data.data_file_s3_key, reason });
            };
            files.push(ExportFile {
                path,
                stored_bytes,
                items: Some(data.item_count),
                expected: Expected {
                    checksum: data.md5_checksum.map(Checksum::Md5),
                    items: Some(data.item_count),
                },
                form,
                name: data.data_file_s3_key,
            });
        }
        let id = summary.export_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
        let info = ExportInfo {
            id: id.unwrap_or(split(folder).1).to_owned(),
            kind,
            table_arn: summary.table_arn,
            table_id: summary.table_id,
            items: Some(summary.item_count),
            stored_bytes: files.iter().map(|file| file.stored_bytes).sum(),
            format,
            remarks: remark.into_iter().collect(),
        };
        Ok(Self { store: store.clone(), info, files })
    }

    fn without_manifest(from: &crate::Place) -> Result<Self, Error> {
        let reader = ImportReader::open(from)?;
        let format = reader.format().clone();
        let known = reader.manifest().is_some();
        let mut files = Vec::new();
        for file in reader.files() {
            let form = match (format_of(&file.name), &format) {
                (Format::Csv(_), _) | (_, Format::Csv(_)) => {
                    return Err(Error::Damaged {
                        file: file.name.clone(),
                        reason: "CSV does not have the types of attributes: write DynamoDB JSON or Ion",
                    });
                }
                (_, Format::Ion) if known => Form::Ion(Shape::Items),
                (_, Format::DynamoDbJson) if known => Form::Lines,
                (Format::Ion, _) => Form::Ion(Shape::Either),
                _ => Form::LinesOrDocument,
            };
            let items = file.expected.as_ref().map(|expected| expected.items);
            let checksum = file.expected.as_ref().map(|file| Checksum::Sha256(file.sha256.clone()));
            files.push(ExportFile {
                path: file.name.clone(),
                name: file.name.clone(),
                stored_bytes: file.stored_bytes,
                items,
                expected: Expected { checksum, items },
                form,
            });
        }
        let from = from.as_str();
        let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or(from);
        let info = ExportInfo {
            id: name.to_owned(),
            kind: ExportKind::Bare,
            table_arn: None,
            table_id: None,
            items: reader.manifest().map(|manifest| manifest.items),
            stored_bytes: files.iter().map(|file| file.stored_bytes).sum(),
            format,
            remarks: Vec::new(),
        };
        Ok(Self { store: reader.store, info, files })
    }
}

impl ExportInfo {
    /// The table's name: the end of its ARN.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        let arn = self.table_arn.as_deref()?;
        Some(arn.rsplit_once(":table/").map_or(arn, |(_, name)| name))
    }

    /// What it covers, for [`Chain`]; `None` if nothing is known of that.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        let mut window = Window::new(&self.id, self.kind)?;
        window.table.clone_from(&self.table_arn);
        window.table_id.clone_from(&self.table_id);
        Some(window)
    }
}

/// One line, for lists to choose from.
impl fmt::Display for ExportInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.id)?;
        match self.kind {
            ExportKind::Full { export_time } => write!(f, "full, as of {export_time}")?,
            ExportKind::Incremental { from, to, .. } => {
                write!(f, "incremental, from {from} to {to}")?;
            }
            ExportKind::Bare => f.write_str("items")?,
        }
        if let Some(table) = self.table() {
            write!(f, ", of table {table}")?;
        }
        if let Some(items) = self.items {
            write!(f, ", {items} records")?;
        }
        Ok(())
    }
}

/// The folders with a `manifest-summary.json` that a place stands for; none, if it is no export.
fn manifest_folders(place: &Place, listing: &mut Listing<'_>) -> Result<Vec<String>, Error> {
    let (folder, name) = split(&place.path);
    if place.is_file {
        return Ok(if name == SUMMARY { vec![folder.to_owned()] } else { Vec::new() });
    }
    if name == "data" && split(folder).1 == EXPORTS {
        return Err(Error::Damaged {
            file: place.store.place(&place.path),
            reason: "all incremental exports have their files here: name the folder of one export",
        });
    }
    // Where DynamoDB puts them; else anywhere below, as under the prefix of a bucket.
    for folder in [join(&place.path, EXPORTS), place.path.clone()] {
        let (mut found, mut begun) = (Vec::new(), false);
        for name in listing.under(&folder)? {
            match split(&name) {
                ("", SUMMARY) => return Ok(vec![folder]),
                (export, SUMMARY) => found.push(join(&folder, export)),
                (_, "_started") => begun = true,
                _ => {}
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if begun {
            let reason = "an export was begun here, but it is not complete";
            return Err(Error::Damaged { file: place.store.place(&folder), reason });
        }
    }
    Ok(Vec::new())
}

/// Finds a file that a manifest names: its key counts from the bucket's root, of which a copy need
/// not have more than the export's own folder. Nearest first.
fn locate(
    listing: &mut Listing<'_>,
    manifest: &str,
    prefix: &str,
    key: &str,
) -> Result<Option<(String, u64)>, Error> {
    let (data, name) = split(key);
    let mut folders = Vec::new();
    if let (Some(at), Some(root)) = (key.rfind("AWSDynamoDB/"), parent(manifest).and_then(parent)) {
        folders.push(join(root, data.get(at..).unwrap_or_default()));
    }
    folders.push(join(manifest, "data"));
    let ancestors = std::iter::successors(parent(manifest), |folder| parent(folder));
    for (ancestor, near) in ancestors.zip(0..) {
        if near == 0 {
            folders.push(join(ancestor, "data"));
        }
        folders.push(join(ancestor, data));
        if !prefix.is_empty() {
            let prefix = join(ancestor, prefix.trim_end_matches('/'));
            folders.push(join(&prefix, data));
        }
    }
    for folder in folders {
        if let Some(bytes) = listing.size(&folder, name)? {
            return Ok(Some((join(&folder, name), bytes)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_stores_are_searched_alike() {
        let place = "memory:///other-stores-are-searched-alike";
        let store = Store::open(place).unwrap();
        let data = "a/AWSDynamoDB/x/data/1.json";
        let summary = r#"{"tableArn":"arn:aws:dynamodb:x:0:table/t","exportTime":"2026-03-02T10:00:00Z",
            "s3Prefix":"a","manifestFilesS3Key":"a/AWSDynamoDB/x/manifest-files.json","itemCount":1,
            "outputFormat":"DYNAMODB_JSON"}"#;
        let files = format!("{{\"itemCount\":1,\"dataFileS3Key\":\"{data}\"}}\n");
        let line = b"{\"Item\":{}}\n";
        store.put("a/AWSDynamoDB/x/manifest-summary.json", summary.as_bytes()).unwrap();
        store.put("a/AWSDynamoDB/x/manifest-files.json", files.as_bytes()).unwrap();
        let error = Export::open(place).unwrap_err().to_string();
        assert_eq!(error, format!("{data}: the manifest has it, but it is not there"));
        store.put(data, line).unwrap();
        let export = Export::open(place).unwrap();
        assert_eq!(
            export.info().to_string(),
            "x: full, as of 2026-03-02T10:00:00Z, of table t, 1 records"
        );
        assert_eq!(export.info().stored_bytes, 12);
        let (mut blocks, mut block) = (export.read(0).unwrap(), Block::new());
        assert!(blocks.next_block(&mut block).unwrap());
        assert_eq!(block.bytes(), line);
        assert!(!blocks.next_block(&mut block).unwrap());
        assert!(!blocks.next_block(&mut block).unwrap());
        let error = export.read(1).unwrap_err().to_string();
        assert_eq!(error, "invalid option: the export has no file of that number");
    }
}
