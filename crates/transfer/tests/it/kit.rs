//! What the tests share.

use std::path::PathBuf;

use keystar_item::Item;
use keystar_transfer::{
    ImportOptions, ImportReader, ImportWriter, ItemSink, Mark,
    testing::{SinkUnderTest, table},
};
use tempfile::TempDir;

/// Import files in a folder or in memory.
pub(crate) struct Files {
    pub(crate) to: String,
    pub(crate) options: ImportOptions,
    pub(crate) folder: TempDir,
}

impl Files {
    pub(crate) fn local(options: ImportOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out").to_str().unwrap().to_owned();
        Self { to, options, folder }
    }

    pub(crate) fn at(to: &str, options: ImportOptions) -> Self {
        Self { to: to.to_owned(), options, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn out(&self) -> PathBuf {
        PathBuf::from(&self.to)
    }

    pub(crate) fn writer(&self) -> ImportWriter {
        ImportWriter::create(&self.to, &self.work(), self.options.clone()).unwrap()
    }

    pub(crate) fn resumed(&self, mark: &Mark) -> ImportWriter {
        ImportWriter::resume(&self.to, &self.work(), self.options.clone(), mark).unwrap()
    }

    /// The names of what lies in the output folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.out()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.out()).unwrap();
                    names.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        names
    }
}

impl SinkUnderTest for Files {
    fn create(&mut self) -> Box<dyn ItemSink> {
        ImportWriter::clear(&self.to).unwrap();
        Box::new(self.writer())
    }

    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
        Box::new(self.resumed(mark))
    }

    fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
        let Ok(reader) = ImportReader::open(&self.to) else { return Vec::new() };
        let reader = reader.with_table(table()).with_format(self.options.format.clone());
        let mut files: Vec<Vec<Item<'static>>> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut items = reader.items();
        while let Some(read) = items.next_item().unwrap() {
            if names.last().map(String::as_str) != Some(read.file) {
                names.push(read.file.to_owned());
                files.push(Vec::new());
            }
            files.last_mut().unwrap().push(read.item.into_owned());
        }
        files
    }

    fn fingerprint(&mut self) -> Vec<(String, Vec<u8>)> {
        if self.to.contains("://") {
            return Vec::new();
        }
        self.names()
            .into_iter()
            .map(|name| (name.clone(), std::fs::read(self.out().join(name)).unwrap()))
            .collect()
    }
}
