use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use crate::{Error, error::OrIo, store::Store};

/// What `--from` names, as a path in a store that reaches up to the root: the keys of a manifest
/// count from there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: Store,
    /// Absolute in the file system; relative to the bucket, or to the folder in memory.
    pub(super) path: String,
    /// Whether it is known to be one file.
    pub(super) is_file: bool,
}

impl Place {
    pub(super) fn open(place: &crate::Place) -> Result<Self, Error> {
        let from = place.as_str();
        match Store::open(place)? {
            Store::Local(path) => {
                let path = fs::canonicalize(path).or_io("read", from)?;
                let is_file = path.is_file();
                let path = path.to_str().ok_or_else(|| Error::Place {
                    place: from.to_owned(),
                    reason: "a path that is not UTF-8",
                })?;
                let path = path.replace(MAIN_SEPARATOR, "/");
                Ok(Self { store: Store::Local(PathBuf::new()), path, is_file })
            }
            store @ Store::Memory(_) => Ok(Self { store, path: String::new(), is_file: false }),
            #[cfg(feature = "s3")]
            Store::Bucket(_) => {
                let (bucket, path, is_file) = in_bucket(from);
                let store = Store::open(place.at(format!("s3://{bucket}")))?;
                Ok(Self { store, path: path.to_owned(), is_file })
            }
        }
    }
}

/// The bucket, the path in it, and whether its name is a file's.
#[cfg(feature = "s3")]
fn in_bucket(url: &str) -> (&str, &str, bool) {
    let rest = url.strip_prefix("s3://").unwrap_or(url);
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_file = [".json", ".gz", ".zst", ".ion"].iter().any(|end| last.ends_with(end));
    (bucket, path, is_file)
}

/// The folder that something lies in; the root has none.
pub(super) fn parent(path: &str) -> Option<&str> {
    match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(0) => None,
        Some(end) => path.get(..end),
        None if path.is_empty() => None,
        None => Some(""),
    }
}

/// The folder that something lies in, and its name there.
pub(super) fn split(path: &str) -> (&str, &str) {
    match path.rfind('/') {
        Some(_) => (parent(path).unwrap_or_default(), path.rsplit('/').next().unwrap_or_default()),
        None => ("", path),
    }
}

/// Sizes of files, asked for once a folder: an object store answers slowly, a thousand at a time.
#[derive(Debug)]
pub(super) struct Listing<'s> {
    store: &'s Store,
    asked: BTreeSet<String>,
    folders: BTreeMap<String, BTreeMap<String, u64>>,
}

impl<'s> Listing<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store, asked: BTreeSet::new(), folders: BTreeMap::new() }
    }

    /// The files under a folder, relative to it.
    pub(super) fn under(&mut self, folder: &str) -> Result<Vec<String>, Error> {
        let start = if folder.is_empty() || folder.ends_with('/') { 0 } else { 1 };
        let mut names = Vec::new();
        for (path, bytes) in self.store.list(folder)? {
            if let Some(name) = path.get(folder.len() + start..) {
                names.push(name.to_owned());
            }
            let (folder, name) = split(&path);
            self.folders.entry(folder.to_owned()).or_default().insert(name.to_owned(), bytes);
        }
        self.asked.insert(folder.to_owned());
        Ok(names)
    }

    /// How many bytes a file has, if it is there.
    pub(super) fn size(&mut self, folder: &str, name: &str) -> Result<Option<u64>, Error> {
        let find = |listing: &Self| Some(*listing.folders.get(folder)?.get(name)?);
        if let Some(bytes) = find(self) {
            return Ok(Some(bytes));
        }
        if self.asked.contains(folder) || !self.may_be_folder(folder) {
            return Ok(None);
        }
        self.under(folder)?;
        Ok(find(self))
    }

    /// Spares the look into what is certainly no folder, which a file system takes ill.
    fn may_be_folder(&self, folder: &str) -> bool {
        !matches!(self.store, Store::Local(_)) || Path::new(folder).is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_end_at_the_root() {
        let up = |path: &'static str| {
            std::iter::successors(Some(path), |path| parent(path)).collect::<Vec<_>>()
        };
        assert_eq!(up("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(up("a/b"), ["a/b", "a", ""]);
        assert_eq!(split("/x"), ("/", "x"));
        assert_eq!(split("x"), ("", "x"));
        assert_eq!(split("a/x"), ("a", "x"));
    }

    #[cfg(feature = "s3")]
    #[test]
    fn keys_count_from_the_bucket() {
        let of = in_bucket;
        assert_eq!(of("s3://bucket/some/AWSDynamoDB/"), ("bucket", "some/AWSDynamoDB", false));
        assert_eq!(of("s3://bucket/items.json.gz"), ("bucket", "items.json.gz", true));
        assert_eq!(of("s3://bucket"), ("bucket", "", false));
    }
}
