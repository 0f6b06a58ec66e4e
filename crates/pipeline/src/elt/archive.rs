use std::{
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use keystar_lake::Lake;
use serde::Serialize;

use super::{Error, Job, Places, ledger::Work};
use crate::units;

/// An archive that was made.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Archived {
    /// Its folder.
    pub folder: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Their bytes. On the same disk they take no further room: files that never change are shared.
    pub bytes: u64,
}

/// Keeps a lake as it is now, with the model, the ledger, and the manifests of an export, in a
/// folder of `to` that is named after the time.
///
/// # Errors
///
/// [`Error::Usage`] where there is no lake; [`Error::Unfinished`] where a run is at work;
/// [`Error::File`].
pub fn archive(
    places: &Places,
    to: &Path,
    from: Option<&str>,
    job: &Job<'_>,
) -> Result<Archived, Error> {
    let folder = places.lake()?;
    let lake = Lake::open(&folder).map_err(Error::Lake)?;
    if lake.manifest().is_none() {
        return Err(Error::Usage(format!("{} holds no lake yet", folder.display())));
    }
    let work = places.work()?;
    if let Some(since) = Work::new(work.clone()).running()? {
        return Err(Error::Unfinished { path: work, since });
    }
    let name = job.now.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let target = to.join(&name);
    if target.exists() {
        let holds = "an archive of this second".to_owned();
        return Err(Error::Occupied { path: target, holds });
    }
    let part = to.join(format!("{name}.part"));
    let mut archived = Archived { folder: target.clone(), ..Archived::default() };
    remove(&part)?;
    keep(&folder, &part.join("lake"), &mut archived, &|path| !is_under_way(path))?;
    keep(&work, &part.join("run"), &mut archived, &|_| true)?;
    if let Ok(model) = places.model()
        && model.exists()
    {
        keep_file(&model, &part.join("model.toml"), &mut archived)?;
    }
    if let Some(from) = from {
        let manifest = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            path.is_dir() || name.starts_with("manifest-")
        };
        let from = Path::new(from.strip_prefix("file://").unwrap_or(from));
        if !from.is_dir() {
            return Err(Error::Usage(format!(
                "{} is no folder here: manifests are kept of exports on this machine",
                from.display()
            )));
        }
        keep(from, &part.join("export"), &mut archived, &manifest)?;
    }
    fs::rename(&part, &target).map_err(|error| Error::file(&target, error))?;
    Ok(archived)
}

/// What a run has begun and not committed.
fn is_under_way(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name, "building" | "writer.lock")
}

fn keep(
    from: &Path,
    to: &Path,
    archived: &mut Archived,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<(), Error> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file(from, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| Error::file(from, error))?.path();
        let Some(name) = path.file_name() else { continue };
        if !wanted(&path) {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            keep(&path, &target, archived, wanted)?;
        } else {
            keep_file(&path, &target, archived)?;
        }
    }
    Ok(())
}

/// A second name for a file that never changes; a copy where that cannot be, as on another disk.
/// Files that are replaced in one step, as manifests are, never change either.
fn keep_file(from: &Path, to: &Path, archived: &mut Archived) -> Result<(), Error> {
    let fail = |error| Error::file(to, error);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    let ours = from.extension().is_some_and(|extension| extension == "parquet");
    if !ours || fs::hard_link(from, to).is_err() {
        fs::copy(from, to).map_err(fail)?;
    }
    archived.files += 1;
    archived.bytes += fs::metadata(to).map_err(fail)?.len();
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path, error)),
        _ => Ok(()),
    }
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (units::plural(self.files, "file"), units::bytes(self.bytes));
        writeln!(f, "kept {files}, {bytes}, in {}", self.folder.display())
    }
}
