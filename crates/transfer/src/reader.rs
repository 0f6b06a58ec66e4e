use std::{collections::VecDeque, path::Path, sync::Arc};

use keystar_item::{Item, Table, ion, json};

use crate::{
    CsvOptions, Error, Format, ImportFile, Manifest, Place,
    csv::RowReader,
    error::OrIo,
    file::{Fingerprint, Records},
    manifest::{DATA, MANIFEST},
    store::Store,
};

/// Reads items back: an output of [`ImportWriter`](crate::ImportWriter), any other folder of such
/// files, or one file.
///
/// With a manifest, every file that is read to its end is held against it: size, SHA-256 and
/// number of items. Files may be compressed with gzip (any number of members) or zstd (any number
/// of frames) whatever their names say.
///
/// ```
/// use keystar_transfer::{Format, ImportReader};
///
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("items.json");
/// # let place = file.to_str().unwrap();
/// std::fs::write(&file, "{\"Item\":{\"key\":{\"S\":\"i:\"}}}\n")?;
///
/// let reader = ImportReader::open(place)?;
/// assert_eq!(reader.format(), &Format::DynamoDbJson);
/// let mut items = reader.items();
/// while let Some(read) = items.next_item()? {
///     println!("{}, line {}: {:?}", read.file, read.line, read.item.get("key"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImportReader {
    pub(crate) store: Store,
    manifest: Option<Arc<Manifest>>,
    format: Format,
    table: Option<Arc<Table>>,
    files: Vec<SourceFile>,
}

/// A file that an [`ImportReader`] reads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceFile {
    /// Relative to what was opened.
    pub name: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// What the manifest says about it.
    pub expected: Option<ImportFile>,
}

/// One item, and where it was.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadItem<'a> {
    /// The item.
    pub item: Item<'a>,
    /// The file's name, relative to what was opened.
    pub file: &'a str,
    /// The line in the file, counted from 1.
    pub line: u64,
}

impl ImportReader {
    /// Finds the files: by the manifest; or those in `data/`; or all, except for names that begin
    /// with `.`, `_` or `manifest` and checksums.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if nothing is there, [`Error::Damaged`] if the manifest and the folder
    /// do not agree on which files there are, or the system.
    pub fn open(from: impl Into<Place>) -> Result<Self, Error> {
        let from: &Place = &from.into();
        if let Some((store, file)) = single_file(from)? {
            let format = format_of(&file.name);
            return Ok(Self { store, manifest: None, format, table: None, files: vec![file] });
        }
        let store = Store::open(from)?;
        let manifest = Manifest::read(&store)?.map(Arc::new);
        let data = store.list(DATA)?;
        let (format, files) = match &manifest {
            Some(manifest) => (manifest.format()?, files_of(manifest, data)?),
            None => {
                let found = if data.is_empty() { store.list("")? } else { data };
                let files: Vec<SourceFile> = found
                    .into_iter()
                    .filter(|(name, _)| is_data(name))
                    .map(|(name, stored_bytes)| SourceFile { name, stored_bytes, expected: None })
                    .collect();
                if files.is_empty() {
                    return Err(Error::Missing {
                        place: store.place(""),
                        source: std::io::ErrorKind::NotFound.into(),
                    });
                }
                (files.first().map_or_else(Format::default, |file| format_of(&file.name)), files)
            }
        };
        let table = manifest.as_ref().map(|manifest| Arc::new(Table::new(manifest.key.clone())));
        Ok(Self { store, manifest, format, table, files })
    }

    /// Sets the text form, which is otherwise known from the manifest or guessed from the first
    /// file's name.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the table: CSV has the types of its keys from it. The manifest knows it too, but not
    /// the keys of indexes.
    #[must_use]
    pub fn with_table(mut self, table: Table) -> Self {
        self.table = Some(Arc::new(table));
        self
    }

    /// The manifest, if there is one.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_deref()
    }

    /// The text form.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The files, in the order in which they are read.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Up to that many readers of about as many bytes each, together of the same files: one for
    /// each thread.
    #[must_use]
    pub fn split(&self, readers: usize) -> Vec<Self> {
        let mut shares: Vec<(u64, Vec<SourceFile>)> =
            vec![(0, Vec::new()); readers.clamp(1, self.files.len().max(1))];
        let mut files = self.files.clone();
        files.sort_by_key(|file| std::cmp::Reverse(file.stored_bytes));
        for file in files {
            if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                *bytes += file.stored_bytes.max(1);
                share.push(file);
            }
        }
        shares
            .into_iter()
            .map(|(_, mut files)| {
                files.sort_by(|a, b| a.name.cmp(&b.name));
                Self { files, ..self.clone() }
            })
            .collect()
    }

    /// The items of all files, one after another.
    #[must_use]
    pub fn items(&self) -> ImportItems {
        ImportItems {
            store: self.store.clone(),
            format: self.format.clone(),
            table: self.table.clone(),
            waiting: self.files.iter().cloned().collect(),
            current: None,
        }
    }
}

/// Items as they are read; see [`ImportReader::items`].
///
/// Not an `Iterator`: an item borrows from the line that it is read from.
#[derive(Debug)]
pub struct ImportItems {
    store: Store,
    format: Format,
    table: Option<Arc<Table>>,
    waiting: VecDeque<SourceFile>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    file: SourceFile,
    records: Records,
    fingerprint: Option<Fingerprint>,
    rows: Option<RowReader>,
    items: u64,
}

impl ImportItems {
    /// The next item; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`Error::Item`] for a line that is no item: the next call goes on with the next line.
    /// [`Error::Damaged`] for a file that is not the manifest's, at its end, and any failure to
    /// read: the next call goes on with the next file.
    pub fn next_item(&mut self) -> Result<Option<ReadItem<'_>>, Error> {
        // Two steps, because a borrowed item may not leave a loop that still needs what it
        // borrows from.
        let Some(line) = self.advance()? else { return Ok(None) };
        let Some(current) = &mut self.current else { return Ok(None) };
        let name = current.file.name.as_str();
        let record = current.records.current();
        let item = match (&self.format, &current.rows) {
            (Format::DynamoDbJson, _) => json::parse_item(record),
            (Format::Ion, _) => ion::parse_item(record),
            (Format::Csv(_), rows) => {
                let rows = rows.as_ref().ok_or("the header cannot be read");
                let item = rows.and_then(|rows| rows.item(record));
                return match item {
                    Ok(item) => Ok(Some(ReadItem { item, file: name, line })),
                    Err(reason) => Err(Error::Row { file: name.to_owned(), line, reason }),
                };
            }
        };
        match item {
            Ok(item) => Ok(Some(ReadItem { item, file: name, line })),
            Err(source) => Err(Error::Item { file: name.to_owned(), line, source }),
        }
    }

    /// Moves on to the next item's record; its line.
    fn advance(&mut self) -> Result<Option<u64>, Error> {
        loop {
            let current = match &mut self.current {
                Some(current) => current,
                None => match self.waiting.pop_front() {
                    Some(file) => self.current.insert(Current::open(
                        &self.store,
                        &self.format,
                        self.table.as_deref(),
                        file,
                    )?),
                    None => return Ok(None),
                },
            };
            match current.records.advance() {
                Ok(Some(line)) => {
                    current.items += 1;
                    return Ok(Some(line));
                }
                Ok(None) => {
                    let read = self.current.take();
                    read.map_or(Ok(()), |read| read.verify())?;
                }
                Err(error) => {
                    let place = self.store.place(&current.file.name);
                    self.current = None;
                    return Err(Error::io("read", place, error));
                }
            }
        }
    }
}

impl Current {
    fn open(
        store: &Store,
        format: &Format,
        table: Option<&Table>,
        file: SourceFile,
    ) -> Result<Self, Error> {
        let fingerprint = file.expected.as_ref().map(|_| Fingerprint::default());
        let mut records = Records::open(store, &file.name, format, fingerprint.clone())?;
        let rows = match format {
            Format::Csv(CsvOptions { delimiter, .. }) => {
                let header = records.next().or_io("read", store.place(&file.name))?;
                header.and_then(|(header, _)| RowReader::new(header, table, *delimiter))
            }
            _ => None,
        };
        Ok(Self { file, records, fingerprint, rows, items: 0 })
    }

    fn verify(self) -> Result<(), Error> {
        let (Some(expected), Some(fingerprint)) = (self.file.expected, self.fingerprint) else {
            return Ok(());
        };
        let (bytes, sha256) = fingerprint.get();
        let reason = if bytes != expected.stored_bytes {
            "its size is not the one in the manifest"
        } else if sha256 != expected.sha256 {
            "its SHA-256 is not the one in the manifest"
        } else if self.items != expected.items {
            "its number of items is not the one in the manifest"
        } else {
            return Ok(());
        };
        Err(Error::Damaged { file: self.file.name, reason })
    }
}

/// A place that is one file rather than a folder.
fn single_file(from: &Place) -> Result<Option<(Store, SourceFile)>, Error> {
    let (folder, name) = match Store::open(from)? {
        Store::Local(path) => {
            let Ok(metadata) = path.metadata() else { return Ok(None) };
            let (Some(name), true) =
                (path.file_name().and_then(|n| n.to_str()), metadata.is_file())
            else {
                return Ok(None);
            };
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            let file = source_file(name, metadata.len());
            return Ok(Some((Store::Local(folder), file)));
        }
        _ => match from.as_str().rsplit_once('/') {
            // Only what looks like a file is looked for: listing a bucket is not free.
            Some((folder, name)) if name.contains('.') => (folder, name),
            _ => return Ok(None),
        },
    };
    let Ok(store) = Store::open(from.at(folder)) else { return Ok(None) };
    let found = store.list("")?.into_iter().find(|(found, _)| found == name);
    Ok(found.map(|(_, stored_bytes)| (store, source_file(name, stored_bytes))))
}

fn source_file(name: &str, stored_bytes: u64) -> SourceFile {
    SourceFile { name: name.to_owned(), stored_bytes, expected: None }
}

fn files_of(manifest: &Manifest, found: Vec<(String, u64)>) -> Result<Vec<SourceFile>, Error> {
    let damaged = |file: &str, reason| Err(Error::Damaged { file: file.to_owned(), reason });
    for (name, _) in &found {
        if !manifest.files.iter().any(|file| file.key == *name) {
            return damaged(name, "the manifest does not know it, but an import would read it");
        }
    }
    let mut files = Vec::with_capacity(manifest.files.len());
    for file in &manifest.files {
        if !found.iter().any(|(name, _)| *name == file.key) {
            return damaged(&file.key, "the manifest has it, but the folder does not");
        }
        files.push(SourceFile {
            name: file.key.clone(),
            stored_bytes: file.stored_bytes,
            expected: Some(file.clone()),
        });
    }
    Ok(files)
}

fn is_data(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let foreign = ["manifest", ".", "_"].iter().any(|prefix| last.starts_with(prefix))
        || [".md5", ".checksum"].iter().any(|suffix| last.ends_with(suffix))
        || name.starts_with('.')
        || last == MANIFEST;
    !foreign
}

pub(crate) fn format_of(name: &str) -> Format {
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    match name.rsplit_once('.') {
        Some((_, "ion")) => Format::Ion,
        Some((_, "csv")) => Format::Csv(CsvOptions::default()),
        _ => Format::DynamoDbJson,
    }
}
