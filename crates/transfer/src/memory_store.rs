//! Files in memory: `memory:///NAME` is the same folder everywhere in the process.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

static FOLDERS: Mutex<BTreeMap<String, MemoryStore>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Debug)]
pub(crate) struct MemoryStore {
    url: String,
    /// How full it may get; for tests of what happens then.
    max_bytes: usize,
    files: Arc<Mutex<BTreeMap<String, Arc<[u8]>>>>,
}

#[derive(Debug)]
pub(crate) struct MemoryUpload {
    store: MemoryStore,
    name: String,
    bytes: Vec<u8>,
}

impl MemoryStore {
    /// `None` if the URL is not one of memory.
    pub(crate) fn open(url: &str) -> Option<Self> {
        let (name, query) = url.split_once('?').map_or((url, None), |(url, q)| (url, Some(q)));
        let max_bytes = match query {
            Some(query) => query.strip_prefix("max_bytes=")?.parse().ok()?,
            None => usize::MAX,
        };
        if name.strip_prefix("memory:///")?.is_empty() {
            return None;
        }
        let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = folders.entry(name.to_owned()).or_insert_with(|| Self {
            url: name.to_owned(),
            max_bytes: usize::MAX,
            files: Arc::default(),
        });
        Some(Self { max_bytes, ..folder.clone() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn create(&self, name: &str) -> MemoryUpload {
        MemoryUpload { store: self.clone(), name: name.to_owned(), bytes: Vec::new() }
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        match self.files().get(name) {
            Some(bytes) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn list(&self, folder: &str) -> Vec<(String, u64)> {
        let prefix = super::store::join(folder, "x");
        let prefix = prefix.strip_suffix('x').unwrap_or_default();
        self.files()
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
            .collect()
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files();
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) {
        self.files().remove(name);
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryUpload {
    pub(crate) fn complete(self) -> io::Result<()> {
        self.store.files().insert(self.name, self.bytes.into());
        Ok(())
    }
}

impl Write for MemoryUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stored: usize = self.store.files().values().map(|file| file.len()).sum();
        if stored + self.bytes.len() + bytes.len() > self.store.max_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
