//! A folder of files, wherever it is. A file is seen under its name only when it is complete.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{Error, error::OrIo, memory_store::MemoryStore};

#[cfg(all(feature = "s3", feature = "dynamodb"))]
use crate::Aws;
#[cfg(feature = "s3")]
use keystar_bucket::{Access, Bucket};

/// Files in the making lie here: beside the import prefix, so that a crash leaves nothing in it,
/// and on the same file system, so that a rename is all it takes to complete them.
pub(crate) const STAGING: &str = ".tmp";

/// A folder or a file: a path, or a URL (`file:///…`, `memory:///…`, with the feature `s3` also
/// `s3://BUCKET/PREFIX`).
///
/// Made of any text. What an `s3://` URL needs besides (a region, credentials, an endpoint) comes
/// from the environment, unless `with_access` or `with_aws` says it.
#[derive(Clone, Debug)]
pub struct Place {
    text: String,
    #[cfg(feature = "s3")]
    access: Option<Access>,
    #[cfg(all(feature = "s3", feature = "dynamodb"))]
    aws: Option<Aws>,
}

impl Place {
    /// The path or the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reaches an `s3://` URL in this way, unless `with_aws` says another.
    #[cfg(feature = "s3")]
    #[cfg_attr(docsrs, doc(cfg(feature = "s3")))]
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Reaches an `s3://` URL as whom and where this was connected to: by profile, role or login.
    #[cfg(all(feature = "s3", feature = "dynamodb"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "s3", feature = "dynamodb"))))]
    #[must_use]
    pub fn with_aws(mut self, aws: &Aws) -> Self {
        self.aws = Some(aws.clone());
        self
    }

    /// Another place that is reached in the same way.
    pub(crate) fn at(&self, text: impl Into<String>) -> Self {
        let mut place = self.clone();
        place.text = text.into();
        place
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        Self {
            text,
            #[cfg(feature = "s3")]
            access: None,
            #[cfg(all(feature = "s3", feature = "dynamodb"))]
            aws: None,
        }
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<&String> for Place {
    fn from(text: &String) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Store {
    Local(PathBuf),
    Memory(MemoryStore),
    #[cfg(feature = "s3")]
    Bucket(Bucket),
}

/// The folder that a target such as `out/` or `file:///data/out` is; `None` for other URLs.
///
/// ```
/// use std::path::Path;
///
/// use keystar_transfer::local_folder;
///
/// assert_eq!(local_folder("file:///my%20data").as_deref(), Some(Path::new("/my data")));
/// assert_eq!(local_folder("memory:///x"), None);
/// ```
#[must_use]
pub fn local_folder(to: &str) -> Option<PathBuf> {
    // Nothing is opened for it: a bucket has connections.
    let is_local = to.split_once("://").is_none_or(|(scheme, _)| scheme == "file");
    match is_local.then(|| Store::open(to)) {
        Some(Ok(Store::Local(folder))) => Some(folder),
        _ => None,
    }
}

/// A file in the making. Dropped before [`complete`](Self::complete) it leaves nothing.
#[derive(Debug)]
pub(crate) enum Upload {
    Local(LocalUpload),
    Memory(crate::memory_store::MemoryUpload),
    #[cfg(feature = "s3")]
    Bucket(keystar_bucket::Upload),
}

#[derive(Debug)]
pub(crate) struct LocalUpload {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    completed: bool,
}

impl Store {
    /// Finds the folder. Nothing is made or asked yet.
    pub(crate) fn open(place: impl Into<Place>) -> Result<Self, Error> {
        let whole: Place = place.into();
        let place = whole.as_str();
        let refuse = |reason| Err(Error::Place { place: place.to_owned(), reason });
        match place.split_once("://") {
            None if place.is_empty() => refuse("an empty path"),
            None => Ok(Self::Local(PathBuf::from(place))),
            Some(("file", path)) => match percent_decoded(path) {
                Some(path) if path.starts_with('/') => Ok(Self::Local(PathBuf::from(path))),
                _ => refuse("a file URL has three slashes and an absolute path"),
            },
            Some(("memory", _)) => match MemoryStore::open(place) {
                Some(store) => Ok(Self::Memory(store)),
                None => refuse("a memory URL is memory:///NAME or memory:///NAME?max_bytes=N"),
            },
            #[cfg(feature = "s3")]
            Some(("s3", _)) => {
                let access = whole.access.clone().unwrap_or_default();
                #[cfg(feature = "dynamodb")]
                let access = match &whole.aws {
                    Some(aws) => aws.bucket_access()?,
                    None => access,
                };
                Ok(Self::Bucket(Bucket::open(place, &access)?))
            }
            #[cfg(not(feature = "s3"))]
            Some(("s3", _)) => refuse("this build is without the feature \"s3\""),
            Some(_) => refuse("URLs are file:///…, s3://… and memory:///…"),
        }
    }

    /// The folder, or a file in it, as errors name it.
    pub(crate) fn place(&self, name: &str) -> String {
        match self {
            Self::Local(root) => root.join(name).display().to_string(),
            Self::Memory(store) => join(store.url(), name),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.place(name),
        }
    }

    /// Begins a file.
    pub(crate) fn create(&self, name: &str) -> Result<Upload, Error> {
        match self {
            Self::Local(root) => LocalUpload::new(root, name).map(Upload::Local),
            Self::Memory(store) => Ok(Upload::Memory(store.create(name))),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => Ok(Upload::Bucket(bucket.create(name))),
        }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        match self {
            Self::Local(root) => {
                let file = File::open(root.join(name)).or_io("read", self.place(name))?;
                Ok(Box::new(file))
            }
            Self::Memory(store) => store.read(name).or_io("read", self.place(name)),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => Ok(bucket.read(name, 0)?),
        }
    }

    /// The files under a folder (`""`: all of it), by name, with their sizes.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let mut files = match self {
            Self::Local(root) => list_local(root, folder).or_io("list", self.place(folder))?,
            Self::Memory(store) => store.list(folder),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.list(folder)?,
        };
        files.sort_unstable();
        Ok(files)
    }

    /// Moves a complete file over another; afterwards it is durable under its new name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        match self {
            Self::Local(root) => {
                let target = root.join(to);
                fs::rename(root.join(from), &target)
                    .and_then(|()| sync_folder_of(&target))
                    .or_io("write", self.place(to))
            }
            Self::Memory(store) => store.rename(from, to).or_io("write", self.place(to)),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => Ok(bucket.rename(from, to)?),
        }
    }

    /// Copies a complete file over another.
    #[cfg(all(feature = "dynamodb", feature = "s3"))]
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        match self {
            Self::Bucket(bucket) => Ok(bucket.copy(from, to)?),
            _ => {
                let mut upload = self.create(to)?;
                io::copy(&mut self.read(from)?, &mut upload).or_io("write", self.place(to))?;
                upload.complete().or_io("write", self.place(to))
            }
        }
    }

    /// Removes a file if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Local(root) => match fs::remove_file(root.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::io("remove", self.place(name), error))
                }
                _ => Ok(()),
            },
            Self::Memory(store) => {
                store.remove(name);
                Ok(())
            }
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => Ok(bucket.remove(name)?),
        }
    }

    /// Removes a folder that has no files; a store of objects has no folders.
    pub(crate) fn remove_empty_folder(&self, folder: &str) {
        if let Self::Local(root) = self {
            // A folder that somebody else put something into stays.
            let _ = fs::remove_dir(root.join(folder));
        }
    }

    /// Writes a small file whole.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut upload = self.create(name)?;
        upload.write_all(bytes).or_io("write", self.place(name))?;
        upload.complete().or_io("write", self.place(name))
    }

    /// Reads a small file whole; `None` if it is not there.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut reader = match self.read(name) {
            Ok(reader) => reader,
            Err(Error::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).or_io("read", self.place(name))?;
        Ok(Some(bytes))
    }
}

impl Upload {
    /// Makes the file durable and visible under its name.
    pub(crate) fn complete(self) -> io::Result<()> {
        match self {
            Self::Local(upload) => upload.complete(),
            Self::Memory(upload) => upload.complete(),
            #[cfg(feature = "s3")]
            Self::Bucket(upload) => upload.complete(),
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(upload) => upload.file.write(bytes),
            Self::Memory(upload) => upload.write(bytes),
            #[cfg(feature = "s3")]
            Self::Bucket(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LocalUpload {
    fn new(root: &Path, name: &str) -> Result<Self, Error> {
        let target = root.join(name);
        let temporary = root.join(STAGING).join(name.replace('/', "-"));
        let shown = target.display().to_string();
        for folder in [temporary.parent(), target.parent()].into_iter().flatten() {
            fs::create_dir_all(folder).or_io("create", folder.display().to_string())?;
        }
        let file = File::create(&temporary).or_io("create", shown)?;
        Ok(Self { file, temporary, target, completed: false })
    }

    fn complete(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.target)?;
        self.completed = true;
        sync_folder_of(&self.target)
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.completed {
            // What cannot be removed now is removed when the run is resumed.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A rename is durable once the folder is.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}

fn list_local(root: &Path, folder: &str) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = join(&folder, &name.to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                files.push((name, entry.metadata()?.len()));
            }
        }
    }
    Ok(files)
}

pub(crate) fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty() || folder.ends_with('/'), name.is_empty()) {
        (_, true) => folder.to_owned(),
        (true, _) => format!("{folder}{name}"),
        (false, _) => format!("{folder}/{name}"),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_paths_and_urls() {
        let local = |place: &str| match Store::open(place) {
            Ok(Store::Local(path)) => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(local("out/here"), Path::new("out/here"));
        assert_eq!(local("file:///tmp/a%20b"), Path::new("/tmp/a b"));
        for (place, error) in [
            ("", "cannot use : an empty path"),
            (
                "file://host/x",
                "cannot use file://host/x: a file URL has three slashes and an absolute path",
            ),
            ("ftp://x", "cannot use ftp://x: URLs are file:///…, s3://… and memory:///…"),
        ] {
            assert_eq!(Store::open(place).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn a_file_is_seen_only_when_complete() {
        let folder = tempfile::tempdir().unwrap();
        for place in [folder.path().to_str().unwrap(), "memory:///seen-when-complete"] {
            let store = Store::open(place).unwrap();
            let mut upload = store.create("data/a").unwrap();
            upload.write_all(b"hello").unwrap();
            assert_eq!(store.list("data").unwrap(), []);
            upload.complete().unwrap();
            assert_eq!(store.list("data").unwrap(), [("data/a".to_owned(), 5)]);
            let mut dropped = store.create("data/b").unwrap();
            dropped.write_all(b"hello").unwrap();
            drop(dropped);
            assert_eq!(store.list("").unwrap(), [("data/a".to_owned(), 5)]);
            store.rename("data/a", "data/c").unwrap();
            assert_eq!(store.get("data/c").unwrap().as_deref(), Some(&b"hello"[..]));
            assert_eq!(store.get("data/a").unwrap(), None);
            store.remove("data/c").unwrap();
            store.remove("data/c").unwrap();
        }
    }
}
