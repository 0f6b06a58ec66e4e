//! Where a run keeps its state: what it is, how far it came, what it set aside.
//!
//! ```text
//! WORK/run.json         what the run is: its arguments, its mapping, its clock; written once
//! WORK/checkpoint.json  how far it came; replaced after every commit of the target
//! WORK/report.json      how it ended; the run is finished when this file is there
//! WORK/rejects.jsonl    what it set aside, and why
//! WORK/load.json        the import that was begun
//! WORK/spill/           what finds duplicate keys
//! ```

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, error::Occupied};

/// A work directory, which may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
}

/// What to do with what an earlier run left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Refuse to touch it.
    #[default]
    Fresh,
    /// Go on where it stopped.
    Resume,
    /// Throw it away.
    Restart,
}

const RUN: &str = "run.json";
const CHECKPOINT: &str = "checkpoint.json";
const REPORT: &str = "report.json";
const REJECTS: &str = "rejects.jsonl";
/// What a service that loads the files is asked by.
pub(crate) const LOAD: &str = "load.json";
const SPILL: &str = "spill";

impl WorkDir {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn rejects(&self) -> PathBuf {
        self.root.join(REJECTS)
    }

    pub(crate) fn spill(&self) -> PathBuf {
        self.root.join(SPILL)
    }

    /// Applies the caller's wish to what is there; gives the run as it was recorded, and whether it
    /// is to be continued. Nothing is touched unless `ready` says that the run can begin.
    pub(crate) fn open<R: Serialize + DeserializeOwned + PartialEq>(
        &self,
        run: R,
        start: Start,
        ready: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(R, bool), Error> {
        let state = match self.read::<R>(RUN)? {
            None => None,
            Some(found) if found != run => Some(Occupied::OtherRun),
            Some(found) if start == Start::Resume => return Ok((found, true)),
            Some(_) if self.path(REPORT).exists() => Some(Occupied::Finished),
            Some(_) => Some(Occupied::Unfinished),
        };
        if let (Some(state), false) = (state, start == Start::Restart) {
            return Err(Error::Occupied { path: self.root.clone(), state });
        }
        ready()?;
        self.clear()?;
        fs::create_dir_all(&self.root).map_err(|source| Error::work(&self.root, source))?;
        self.write(RUN, &run)?;
        Ok((run, false))
    }

    pub(crate) fn run<R: DeserializeOwned>(&self) -> Result<Option<R>, Error> {
        self.read(RUN)
    }

    pub(crate) fn checkpoint<C: DeserializeOwned>(&self) -> Result<Option<C>, Error> {
        self.read(CHECKPOINT)
    }

    pub(crate) fn save_checkpoint<C: Serialize>(&self, checkpoint: &C) -> Result<(), Error> {
        self.write(CHECKPOINT, checkpoint)
    }

    /// What one kind of run keeps besides, in a file of this name.
    #[cfg(feature = "live")]
    pub(crate) fn extra<C: DeserializeOwned>(&self, name: &str) -> Result<Option<C>, Error> {
        self.read(name)
    }

    #[cfg(feature = "live")]
    pub(crate) fn save_extra<C: Serialize>(&self, name: &str, value: &C) -> Result<(), Error> {
        self.write(name, value)
    }

    pub(crate) fn report<C: DeserializeOwned>(&self) -> Result<Option<C>, Error> {
        self.read(REPORT)
    }

    /// Marks the run as finished; what only an unfinished run needs goes.
    pub(crate) fn save_report<C: Serialize>(&self, report: &C) -> Result<(), Error> {
        self.write(REPORT, report)?;
        remove(&self.spill(), fs::remove_dir_all)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Removes our own files only: the directory may be the user's.
    fn clear(&self) -> Result<(), Error> {
        for name in [RUN, CHECKPOINT, REPORT, REJECTS, LOAD] {
            remove(&self.path(name), fs::remove_file)?;
        }
        remove(&self.spill(), fs::remove_dir_all)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::work(&path, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::work(&path, source)),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let path = self.path(name);
        write_json(&path, value).map_err(|source| Error::work(&path, source))
    }
}

/// Replaces a file in one step: a crash leaves the old one or the new one.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let part = path.with_extension("json.part");
    let mut file = File::create(&part)?;
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn remove(path: &Path, how: impl FnOnce(PathBuf) -> io::Result<()>) -> Result<(), Error> {
    match how(path.to_owned()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::work(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_continued_only_when_asked_and_only_when_it_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let work = WorkDir::new(dir.path().join("work"));
        let open = |run: &str, start| work.open(run.to_owned(), start, || Ok(()));
        let refused = |run, start| match open(run, start) {
            Err(Error::Occupied { state, .. }) => state,
            other => panic!("expected a refusal, not {other:?}"),
        };
        assert!(!open("a", Start::Fresh).unwrap().1, "nothing was there");
        assert_eq!(refused("a", Start::Fresh), Occupied::Unfinished);
        assert_eq!(refused("b", Start::Fresh), Occupied::OtherRun);
        assert_eq!(refused("b", Start::Resume), Occupied::OtherRun);
        assert!(open("a", Start::Resume).unwrap().1);
        work.save_checkpoint(&7).unwrap();
        work.save_report(&8).unwrap();
        assert_eq!(refused("a", Start::Fresh), Occupied::Finished);
        assert!(!open("b", Start::Restart).unwrap().1);
        assert_eq!(work.checkpoint::<u8>().unwrap(), None, "a restart forgets");
        assert_eq!(work.report::<u8>().unwrap(), None);
        assert_eq!(work.run::<String>().unwrap().as_deref(), Some("b"));
    }
}
