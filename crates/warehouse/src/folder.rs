//! The warehouse's folder: where its files are, who may write, and what a dead load left behind.
//!
//! ```text
//! WAREHOUSE/commit.json                          the commit: the one file that tells what holds
//! WAREHOUSE/tables/<schema>/<table>/<commit>-….parquet   the tables' files, never changed
//! WAREHOUSE/lock                                 held by the load that runs
//! WAREHOUSE/spill-…/                             what a load or a query puts aside while it runs
//! ```
//!
//! A load writes new files beside the old ones, then puts a new `commit.json` in the old one's
//! place. Files that the commit no longer names stay until the next load begins, so that a query
//! that began before a commit can end after it.

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use keystar_sql::TableName;

use crate::{Error, error::OrIo};

const COMMIT: &str = "commit.json";
const LOCK: &str = "lock";
const TABLES: &str = "tables";
const SPILL: &str = "spill-";

/// The folder of a warehouse, which may not exist yet.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    #[cfg(test)]
    pub(crate) fault: Fault,
}

/// The path from the root, without links and `..`, neither of which the engine takes. What does not
/// exist yet stays as it is.
pub(crate) fn full(path: &Path) -> io::Result<PathBuf> {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(full(parent)?.join(name))
        }
        (found, ..) => found,
    }
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Result<Self, Error> {
        let root = full(root).or_io("find", root)?;
        Ok(Self {
            root,
            #[cfg(test)]
            fault: Fault::default(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn commit(&self) -> PathBuf {
        self.root.join(COMMIT)
    }

    /// The folder of a table's files.
    pub(crate) fn table(&self, table: &TableName) -> PathBuf {
        self.root.join(TABLES).join(table.schema.as_str()).join(table.name.as_str())
    }

    /// Makes the folder and takes it for one load, until the lock is dropped or its process ends.
    pub(crate) fn lock(&self, holder: &str) -> Result<Lock, Error> {
        self.create_folder(&self.root)?;
        let path = self.root.join(LOCK);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .or_io("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // What is unreadable is no reason for another error: the lock is held.
                let _ = file.take(1024).read_to_string(&mut text);
                let holder = match text.trim() {
                    "" => "another process",
                    line => line,
                };
                return Err(Error::Busy {
                    folder: self.root.display().to_string(),
                    holder: holder.escape_debug().to_string(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{holder} (process {})", std::process::id()))
            .or_io("write", &path)?;
        Ok(Lock { _file: file })
    }

    /// Removes what no commit names and no living process holds.
    pub(crate) fn clean(&self, keep: &HashSet<PathBuf>) -> Result<(), Error> {
        let part = self.commit().with_extension("json.part");
        if part.exists() {
            self.remove(&part)?;
        }
        for schema in entries(&self.root.join(TABLES))? {
            for table in entries(&schema)? {
                for file in entries(&table)? {
                    if is_ours(&file) && !keep.contains(&file) {
                        self.remove(&file)?;
                    }
                }
            }
        }
        for path in entries(&self.root)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(SPILL) && !is_held(&path) {
                self.op(&path, "remove")?;
                fs::remove_dir_all(&path).or_io("remove", &path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn create_folder(&self, path: &Path) -> Result<(), Error> {
        self.op(path, "create")?;
        fs::create_dir_all(path).or_io("create", path)
    }

    pub(crate) fn create_file(&self, path: &Path) -> Result<File, Error> {
        self.op(path, "create")?;
        File::create(path).or_io("create", path)
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.op(path, "remove")?;
        fs::remove_file(path).or_io("remove", path)
    }

    /// Makes a file, or the names in a folder, durable.
    pub(crate) fn sync(&self, path: &Path) -> Result<(), Error> {
        self.op(path, "sync")?;
        File::open(path).and_then(|file| file.sync_all()).or_io("sync", path)
    }

    /// Puts a file in another's place in one step, durably.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let part = path.with_extension("json.part");
        let mut file = self.create_file(&part)?;
        file.write_all(bytes).or_io("write", &part)?;
        self.sync(&part)?;
        self.op(path, "replace")?;
        fs::rename(&part, path).or_io("replace", path)?;
        path.parent().map_or(Ok(()), |parent| self.sync(parent))
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests stop a load here")]
    fn op(&self, _path: &Path, _action: &'static str) -> Result<(), Error> {
        Ok(())
    }

    #[cfg(test)]
    fn op(&self, path: &Path, action: &'static str) -> Result<(), Error> {
        self.fault.strike().or_io(action, path)
    }
}

/// The right to load, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// A folder for what does not fit in memory; it goes when this is dropped, or with the next load
/// if its process dies.
#[derive(Debug)]
pub(crate) struct Spill {
    path: PathBuf,
    _held: File,
}

impl Spill {
    /// Makes one inside a folder that exists.
    pub(crate) fn new(parent: &Path) -> Result<Self, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{SPILL}{}-{number}", std::process::id()));
        fs::create_dir_all(&path).or_io("create", &path)?;
        let lock = path.join(LOCK);
        let held = File::create(&lock).or_io("create", &lock)?;
        held.lock().or_io("lock", &lock)?;
        Ok(Self { path, _held: held })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // What stays is removed by the next load.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether a living process uses this spill folder.
fn is_held(spill: &Path) -> bool {
    File::open(spill.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Whether a file's name is one that a load gives: `000012-…parquet`. Nothing else is removed.
fn is_ours(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    digits >= 6
        && name.get(digits..).is_some_and(|rest| rest.starts_with('-'))
        && file.extension().is_some_and(|extension| extension == "parquet")
}

/// What is in a folder, in the order of names; nothing if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = match fs::read_dir(folder) {
        Ok(list) => list,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(Error::io("list", folder, source)),
    };
    let mut paths = list
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .or_io("list", folder)?;
    paths.sort();
    Ok(paths)
}

/// Stops a load after so many operations on files, as if its process had died there.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Fault {
    left: std::sync::atomic::AtomicI64,
}

#[cfg(test)]
impl Default for Fault {
    fn default() -> Self {
        Self { left: i64::MAX.into() }
    }
}

#[cfg(test)]
impl Fault {
    pub(crate) fn after(&self, operations: i64) {
        self.left.store(operations, Ordering::SeqCst);
    }

    fn strike(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            Ok(())
        } else {
            Err(io::Error::other("the process died here"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_up_and_may_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        assert_eq!(full(&root.join("a/../b/c")).unwrap(), root.join("b/c"));
        assert_eq!(full(&root.join("a/./../a")).unwrap(), root.join("a"));
        let here = fs::canonicalize(".").unwrap();
        assert_eq!(full(Path::new("new")).unwrap(), here.join("new"));
    }

    #[test]
    fn one_load_at_a_time_and_the_other_learns_who() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(&dir.path().join("wh")).unwrap();
        let lock = folder.lock("run a").unwrap();
        let error = folder.lock("run b").unwrap_err();
        let Error::Busy { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(*holder, format!("run a (process {})", std::process::id()));
        assert!(error.is_retryable());
        drop(lock);
        folder.lock("run b").unwrap();
    }

    #[test]
    fn leftovers_go_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path()).unwrap();
        let table = dir.path().join("tables/dwh/sales");
        fs::create_dir_all(&table).unwrap();
        for name in ["000001-003.parquet", "000002-003.parquet", "mine.parquet", "000002-x.csv"] {
            fs::write(table.join(name), "").unwrap();
        }
        fs::write(dir.path().join("commit.json.part"), "").unwrap();
        fs::create_dir(dir.path().join("spill-1-0")).unwrap();
        fs::write(dir.path().join("spill-1-0/x"), "").unwrap();
        let held = Spill::new(dir.path()).unwrap();
        folder.clean(&HashSet::from([table.join("000001-003.parquet")])).unwrap();
        let names = |path: &Path| {
            entries(path)
                .unwrap()
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&table), ["000001-003.parquet", "000002-x.csv", "mine.parquet"]);
        let spill = held.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names(dir.path()), [spill, "tables".to_owned()]);
        drop(held);
        assert_eq!(names(dir.path()), ["tables"]);
    }
}
