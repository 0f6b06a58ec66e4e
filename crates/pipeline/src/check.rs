//! Can a run begin? Both sides are touched as a run touches them, and nothing is left behind.

use std::{fmt, fs, io, path::Path};

use futures_executor::block_on;
use keystar_extract::{Batch, RdbFile, Source};
use keystar_transfer::{ImportReader, Place, local_folder};
use serde::Serialize;

use crate::{
    Error, MigrationOptions, MigrationSpec, Reach, migration::work_dir, target::Target, text::bytes,
};

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Checks {
    /// In the order of the looking.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// As a run needs it.
    Ok,
    /// A run can begin, and the user should know this.
    Warning,
    /// A run would fail on the target's side.
    Failed,
}

impl Checks {
    /// Whether a run can begin.
    pub fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.state != State::Failed)
    }

    pub(crate) fn push(&mut self, name: &'static str, state: State, found: impl Into<String>) {
        self.checks.push(Check { name, state, found: found.into() });
    }

    /// Looks whether files could be written to a place.
    pub(crate) fn look(&mut self, name: &'static str, place: &Place) {
        let url = place.as_str();
        match ImportReader::open(place) {
            Ok(_) => self.push(name, State::Warning, format!("{url} holds files")),
            // Of a bucket that is not there the cause is another than that nothing is in it.
            Err(keystar_transfer::Error::Missing { source, .. }) if source.get_ref().is_none() => {
                self.push(name, State::Ok, format!("{url} is empty"));
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                self.push(name, State::Failed, format!("{error}{cause}"));
            }
        }
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, state, found } in &self.checks {
            let state = match state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failed => "FAILED",
            };
            writeln!(f, "{state:<8} {name:<12} {found}")?;
        }
        Ok(())
    }
}

/// Text of DynamoDB JSON for a byte of dump, by experience: used to foresee the space.
const TEXT_PER_DUMP_BYTE: u64 = 2;

/// Looks at both sides of a run.
///
/// # Errors
///
/// The dump cannot be opened, or is none.
pub fn check(spec: &MigrationSpec, options: &MigrationOptions) -> Result<Checks, Error> {
    let mut checks = Checks::default();
    source(spec, &options.reach, &mut checks)?;
    checks.push(
        "mapping",
        State::Ok,
        match &spec.mapping {
            Some(_) => "the rules hold",
            None => "the default: one item a key",
        },
    );
    if !spec.to.is_empty() {
        target(spec, options, &mut checks)?;
    }
    Ok(checks)
}

fn source(spec: &MigrationSpec, reach: &Reach, checks: &mut Checks) -> Result<(), Error> {
    #[cfg(feature = "live")]
    if spec.from.is_live() {
        return crate::server::check(&spec.from, reach, checks);
    }
    let (mut source, compression): (Box<dyn Source>, _) = match spec.from.dump() {
        Some(path) => {
            let dump = RdbFile::open(path, spec.selection.options()).map_err(Error::Source)?;
            let compression = dump.compression();
            (Box::new(dump), Some(compression))
        }
        None => (spec.open_source(reach)?, None),
    };
    let mut batch = Batch::new();
    block_on(source.fill(&mut batch)).map_err(Error::Source)?;
    let remarks = batch.remarks();
    let mut found = remarks.description.clone().unwrap_or_default();
    for (key, value) in &remarks.aux {
        if matches!(key.as_str(), "redis-ver" | "valkey-ver") {
            found = format!("{found}, written by {} {value}", key.trim_end_matches("-ver"));
        }
    }
    if let Some(compression) = compression {
        found = format!("{found}, {} {}", bytes(spec.from_bytes), compression.name());
    }
    checks.push("source", State::Ok, found);
    for warning in &remarks.warnings {
        checks.push("source", State::Warning, warning.clone());
    }
    Ok(())
}

fn target(
    spec: &MigrationSpec,
    options: &MigrationOptions,
    checks: &mut Checks,
) -> Result<(), Error> {
    let work = work_dir(&spec.to, options.work.as_deref());
    if let Ok(work) = work
        && work.join("run.json").exists()
    {
        let found = format!("{} holds a run: --resume or --restart", work.display());
        checks.push("target", State::Warning, found);
    }
    let Some(folder) = local_folder(&spec.to) else {
        let mapping = spec.mapping(options)?;
        return Target::find(spec, &mapping, options)?.check(checks);
    };
    match writable(&folder) {
        Ok(()) => checks.push("target", State::Ok, format!("{} can be written", folder.display())),
        Err(error) => {
            let found = format!("{} cannot be written: {error}", folder.display());
            checks.push("target", State::Failed, found);
            return Ok(());
        }
    }
    let needed = spec.from_bytes.saturating_mul(TEXT_PER_DUMP_BYTE);
    if let Ok(room) = rustix::fs::statvfs(existing(&folder)) {
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let state = if free < needed { State::Warning } else { State::Ok };
        let found =
            format!("{} free, about {} needed before compression", bytes(free), bytes(needed));
        checks.push("space", state, found);
    }
    Ok(())
}

/// Writes a file and removes it, and the folders that had to be made for it.
fn writable(folder: &Path) -> io::Result<()> {
    let mut made = Vec::new();
    let mut missing = folder;
    while !missing.exists() {
        made.push(missing);
        match missing.parent() {
            Some(parent) if parent != Path::new("") => missing = parent,
            _ => break,
        }
    }
    fs::create_dir_all(folder)?;
    let probe = folder.join(".keystar-check");
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    for folder in made {
        // Whatever cannot be removed is an empty folder.
        let _ = fs::remove_dir(folder);
    }
    written
}

/// The folder itself or its nearest parent that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."))
}
