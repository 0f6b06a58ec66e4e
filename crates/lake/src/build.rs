//! A load, from its begin to its commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use keystar_star::{Drift, Entity, Lock, LockError, LockedColumn, Model, Name, Type};

use crate::evolution::{Met, Target, union};
use crate::lake::{entity_folder, plain_name};
use crate::manifest::{
    Applied, EntityFiles, EvolvedColumn, LakeFile, LakeManifest, LoadKind, SYSTEM, replace,
    sync_folder,
};
use crate::rewrite::{Rewrite, Source};
use crate::router::{Columns, Router};
use crate::table::{SYSTEM_COLUMNS, TableReport};
use crate::task::{Counts, LakeTask, TaskReport, UNKNOWN_ENTITY, unknown_column};
use crate::window::Window;
use crate::{Error, LakeOptions};

/// Most columns of an entity that evolution leads to, with those that every file has: Redshift's
/// tables have no more.
const MAX_COLUMNS: usize = 1600;

/// What is loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LoadInput {
    /// The export's id; files are named after it.
    pub export_id: String,
    /// What it holds.
    pub kind: LoadKind,
    /// The run that loads it.
    pub run_id: String,
}

impl LoadInput {
    /// An export, loaded by a run.
    pub fn new(export_id: impl Into<String>, kind: LoadKind, run_id: impl Into<String>) -> Self {
        Self { export_id: export_id.into(), kind, run_id: run_id.into() }
    }
}

/// A load under way: [tasks](Self::task) read the export's files side by side, then one
/// [commit](Self::commit) makes all of it the lake's state. Dropped before that, it leaves the
/// lake as it was.
#[derive(Debug)]
pub struct LakeBuild {
    shared: Arc<Shared>,
    input: LoadInput,
    /// The entities in the model's order.
    entities: Vec<Name>,
    base: LakeManifest,
    lock: Lock,
    tasks: AtomicU32,
    /// Locked while this lives.
    _guard: File,
}

/// By entity: attributes that became columns.
type Evolved = BTreeMap<String, Vec<(Box<str>, Name)>>;

/// What all tasks of a build share.
#[derive(Debug)]
pub(crate) struct Shared {
    folder: PathBuf,
    /// What files' names begin with.
    pub(crate) stem: String,
    pub(crate) kind: LoadKind,
    pub(crate) router: Router,
    pub(crate) options: LakeOptions,
}

impl Shared {
    /// Where files wait for the commit.
    pub(crate) fn temporary_folder(&self, name: &str) -> PathBuf {
        self.folder.join(SYSTEM).join(TEMPORARY).join(name)
    }
}

const TEMPORARY: &str = "building";

/// What a load came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LakeReport {
    /// What was read and what became of it.
    pub counts: Counts,
    /// Of an incremental load: rows of items that were changed or removed, and are gone.
    pub replaced: u64,
    /// Of an incremental load: rows that were not newer than those that the lake has, and were not
    /// taken.
    pub outdated: u64,
    /// Columns that came or grew by [`Drift::Evolve`], by entity: the column and its type.
    pub evolved: BTreeMap<String, Vec<LockedColumn>>,
    /// Values that no column could be made for, and were left out.
    pub left_out: u64,
    /// Rows by entity, of the whole lake.
    pub rows: BTreeMap<String, u64>,
    /// The files of the whole lake.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl LakeBuild {
    pub(crate) fn begin(
        folder: &Path,
        model: &Model,
        input: LoadInput,
        options: LakeOptions,
    ) -> Result<Self, Error> {
        let system = folder.join(SYSTEM);
        fs::create_dir_all(&system).map_err(Error::io(&system))?;
        let path = system.join("writer.lock");
        let guard = File::create(&path).map_err(Error::io(&path))?;
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
        }
        // Only now: another run may just have committed.
        let base = LakeManifest::read(folder)?;
        if let LoadKind::Incremental { .. } = input.kind {
            let Some(base) = &base else {
                return Err(Error::NothingToChange { path: folder.to_owned() });
            };
            if base.applied.iter().any(|applied| applied.export_id == input.export_id) {
                return Err(Error::AlreadyApplied { export_id: input.export_id });
            }
        }
        let base = base.unwrap_or_else(LakeManifest::new);
        tidy(folder, &base)?;

        let fault = |error: LockError| Error::Lock(error.to_string());
        let before = if base.lock.is_empty() {
            Lock::default()
        } else {
            Lock::parse(&base.lock).map_err(fault)?
        };
        let lock = reconcile(&before, model).map_err(fault)?;
        let evolved: BTreeMap<&str, Vec<(Box<str>, Name)>> = base
            .entities
            .iter()
            .map(|(entity, files)| {
                let column = |column: &EvolvedColumn| {
                    (column.attribute.as_str().into(), Name::fold(&column.column))
                };
                (entity.as_str(), files.evolved.iter().map(column).collect())
            })
            .collect();
        let router = Router::new(model, |entity| Columns {
            locked: physical(&lock, entity),
            evolved: evolved.get(entity.name.as_str()).map_or(&[], |columns| columns),
        });
        let commit = base.commit + 1;
        let stem = format!("{commit:06}-{}", plain_name(&input.export_id));
        let shared = Shared { folder: folder.to_owned(), stem, kind: input.kind, router, options };
        Ok(Self {
            shared: Arc::new(shared),
            entities: model.entities.iter().map(|entity| entity.name.clone()).collect(),
            input,
            base,
            lock,
            tasks: AtomicU32::new(0),
            _guard: guard,
        })
    }

    /// Begins one task: a share of the export's files, read by one thread. The same files in the
    /// same order under the same index give the same files in the lake, to the byte, however the
    /// threads run.
    ///
    /// # Errors
    ///
    /// When its folder cannot be made.
    pub fn task(&self, index: u32) -> Result<LakeTask, Error> {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        LakeTask::new(Arc::clone(&self.shared), index)
    }

    /// Makes what the tasks have written the lake's state, all or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if a task that was begun is missing or an index is there twice, and when
    /// the lake cannot be written. The lake is then as it was.
    pub fn commit(self, reports: Vec<TaskReport>) -> Result<LakeReport, Error> {
        self.commit_until(reports, |_| false)
    }

    /// Commits, or stops before the step of that number where a test says so.
    fn commit_until(
        mut self,
        mut reports: Vec<TaskReport>,
        stops_at: impl Fn(u32) -> bool,
    ) -> Result<LakeReport, Error> {
        let stop = |step: u32| {
            if stops_at(step) { Err(Error::Misuse("stopped by a test")) } else { Ok(()) }
        };
        reports.sort_by_key(|report| report.index);
        let is_twice = reports.windows(2).any(|pair| match pair {
            [one, other] => one.index == other.index,
            _ => false,
        });
        if is_twice || reports.len() != self.tasks.load(Ordering::Relaxed) as usize {
            return Err(Error::Misuse(
                "a commit takes the report of every task that was begun, once",
            ));
        }
        let mut report = LakeReport::default();
        for task in &reports {
            report.counts.add(&task.counts);
        }
        let before = self.lock.clone();
        let evolved = self.evolve(&reports, &mut report)?;
        stop(0)?;

        let mut manifest = LakeManifest {
            commit: self.base.commit + 1,
            run_id: self.input.run_id.clone(),
            lock: self.lock.to_toml(),
            ..LakeManifest::new()
        };
        let applied = Applied { export_id: self.input.export_id.clone(), kind: self.input.kind };
        if matches!(self.input.kind, LoadKind::Incremental { .. }) {
            manifest.applied.clone_from(&self.base.applied);
        }
        manifest.applied.push(applied);

        let mut window = match self.input.kind {
            LoadKind::Full { .. } => None,
            LoadKind::Incremental { .. } => Some(Window::new(&reports)?),
        };
        // Every file of the lake is looked at before any new one: what the lake has newer of a key
        // keeps the window's row out, of whichever entity it is.
        let mut kept: BTreeMap<String, Vec<Source>> = BTreeMap::new();
        if let Some(window) = &mut window {
            for (entity, files) in &self.base.entities {
                let folder = entity_folder(&self.shared.folder, entity);
                let mut sources = Vec::new();
                for file in &files.files {
                    let keep = window.look_at_old(&folder.join(&file.name), file)?;
                    sources.push(Source::old(&folder, file, keep));
                }
                kept.insert(entity.clone(), sources);
            }
        }
        stop(1)?;

        let known = self.entities.iter().map(Name::to_string);
        let all: BTreeSet<String> =
            known.chain(kept.keys().cloned()).chain([UNKNOWN_ENTITY.to_owned()]).collect();
        let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
        for entity in all {
            let mut sources = kept.remove(&entity).unwrap_or_default();
            let place = self.entities.iter().position(|name| *name.as_str() == *entity);
            let folder = self.shared.temporary_folder(&entity);
            for task in &reports {
                let table = match place {
                    Some(place) => task.tables.get(place),
                    None if entity == UNKNOWN_ENTITY => Some(&task.unknown),
                    None => None,
                };
                if let Some(table) = table {
                    add_new(table, &folder, window.as_mut(), &mut sources)?;
                }
            }
            let files =
                self.settle(&entity, &before, &evolved, sources, &mut report, &mut moves)?;
            let mut evolved_columns = self
                .base
                .entities
                .get(&entity)
                .map(|files| files.evolved.clone())
                .unwrap_or_default();
            if let Some(evolved) = evolved.get(&entity) {
                evolved_columns.extend(evolved.iter().map(|(attribute, column)| EvolvedColumn {
                    attribute: attribute.to_string(),
                    column: column.to_string(),
                }));
            }
            let rows = files.iter().map(|file| file.rows).sum();
            report.rows.insert(entity.clone(), rows);
            report.files += files.len() as u64;
            report.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
            manifest.entities.insert(entity, EntityFiles { rows, files, evolved: evolved_columns });
        }
        if let Some(window) = window {
            report.replaced = window.replaced;
            report.outdated = window.outdated;
        }
        stop(2)?;

        self.publish(&moves, &reports)?;
        stop(3)?;
        manifest.commit(&self.shared.folder)?;
        stop(4)?;
        // The commit is done. The rest the next build does, if this one cannot.
        tidy(&self.shared.folder, &manifest)?;
        Ok(report)
    }

    /// Settles the columns that entities grew, and tells them by entity.
    fn evolve(
        &mut self,
        reports: &[TaskReport],
        report: &mut LakeReport,
    ) -> Result<Evolved, Error> {
        let mut evolved = BTreeMap::new();
        for (place, plan) in self.shared.router.entities.iter().enumerate() {
            if plan.drift != Drift::Evolve {
                continue;
            }
            let tables = || reports.iter().filter_map(|report| report.tables.get(place));
            let mut met = Met::default();
            for table in tables() {
                met.merge(table.met.clone());
                report.left_out += table.left_out;
            }
            let mut grown = Vec::new();
            for (at, column) in plan.columns.iter().enumerate() {
                let longest = tables().filter_map(|table| table.longest.get(at)).max();
                let ty = match (&column.ty, met.wider.get(&at), longest) {
                    (ty, Some(wider), _) => union(ty, wider),
                    (Type::Text { max_bytes }, None, Some(longest)) => {
                        let longest = u32::try_from(*longest).unwrap_or(Type::MAX_TEXT_BYTES);
                        Type::Text { max_bytes: longest.max(*max_bytes) }
                    }
                    _ => continue,
                };
                if ty != column.ty {
                    grown.push(LockedColumn::new(column.name.clone(), ty));
                }
            }
            let mut taken: HashSet<Name> =
                plan.columns.iter().map(|column| column.name.clone()).collect();
            let mut new = Vec::new();
            for (attribute, profile) in met.attributes {
                let Some(ty) = profile.ty() else { continue };
                if SYSTEM_COLUMNS + taken.len() >= MAX_COLUMNS {
                    break;
                }
                let name = free_name(&attribute, &taken);
                taken.insert(name.clone());
                grown.push(LockedColumn::new(name.clone(), ty));
                new.push((attribute, name));
            }
            for column in &grown {
                self.lock
                    .append(&plan.name, column.clone())
                    .map_err(|error| Error::Lock(error.to_string()))?;
            }
            if !grown.is_empty() {
                report.evolved.insert(plan.name.to_string(), grown);
            }
            evolved.insert(plan.name.to_string(), new);
        }
        Ok(evolved)
    }

    /// Brings an entity's files to their final form; those that have it stay as they are.
    fn settle(
        &self,
        entity: &str,
        before: &Lock,
        evolved: &Evolved,
        sources: Vec<Source>,
        report: &mut LakeReport,
        moves: &mut Vec<(PathBuf, PathBuf)>,
    ) -> Result<Vec<LakeFile>, Error> {
        let target = entity_folder(&self.shared.folder, entity);
        let folder = self.shared.temporary_folder(entity);
        let name = Name::fold(entity);
        let columns: Vec<LockedColumn> = if entity == UNKNOWN_ENTITY {
            vec![unknown_column()]
        } else {
            self.lock.columns(&name).to_vec()
        };
        let old = before.columns(&name);
        let base = self.base_lock()?;
        let retyped = |old: &[LockedColumn]| {
            old.iter().zip(&columns).any(|(old, new)| {
                crate::cells::data_type(&old.ty) != crate::cells::data_type(&new.ty)
            })
        };
        let (old_retyped, new_retyped) = (retyped(base.columns(&name)), retyped(old));
        let attributes = evolved.get(entity).map_or(&[][..], |columns| columns);
        let mut rewrite = Rewrite::new(
            &folder,
            &format!("{}-merged", self.shared.stem),
            &columns,
            |target| match target {
                Target::Column(column) => Some(*column),
                Target::Attribute(attribute) => {
                    let name = attributes.iter().find(|(other, _)| other == attribute);
                    let (_, name) = name?;
                    columns.iter().position(|column| column.name == *name)
                }
            },
            &self.shared.options,
        );
        let mut sources = sources;
        compact(&mut sources, self.shared.options.file_bytes);
        let mut files = Vec::new();
        for source in sources {
            let retyped = if source.is_new { new_retyped } else { old_retyped };
            if retyped || source.needs_rewrite() {
                rewrite.add(&source)?;
                continue;
            }
            if source.is_new {
                moves.push((source.path, target.join(&source.file.name)));
            }
            files.push(source.file);
        }
        let (rewritten, lost) = rewrite.finish()?;
        report.left_out += lost;
        for file in rewritten {
            moves.push((folder.join(&file.name), target.join(&file.name)));
            files.push(file);
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    fn base_lock(&self) -> Result<Lock, Error> {
        if self.base.lock.is_empty() {
            return Ok(Lock::default());
        }
        Lock::parse(&self.base.lock).map_err(|error| Error::Lock(error.to_string()))
    }

    /// Moves files to where the manifest will say that they are.
    fn publish(&self, moves: &[(PathBuf, PathBuf)], reports: &[TaskReport]) -> Result<(), Error> {
        let mut folders = BTreeSet::new();
        for (from, to) in moves {
            if let Some(folder) = to.parent()
                && folders.insert(folder.to_owned())
            {
                fs::create_dir_all(folder).map_err(Error::io(folder))?;
            }
            fs::rename(from, to).map_err(Error::io(from))?;
        }
        let all = self.shared.folder.join(SYSTEM).join("rejects");
        let rejects = all.join(plain_name(&self.input.export_id));
        match fs::remove_dir_all(&rejects) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&rejects)(error));
            }
            _ => {}
        }
        for path in reports.iter().filter_map(|report| report.rejects.as_ref()) {
            fs::create_dir_all(&rejects).map_err(Error::io(&rejects))?;
            if let Some(name) = path.file_name() {
                fs::rename(path, rejects.join(name)).map_err(Error::io(path))?;
            }
            folders.insert(rejects.clone());
            folders.insert(all.clone());
        }
        folders.insert(self.shared.folder.clone());
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

fn add_new(
    table: &TableReport,
    folder: &Path,
    mut window: Option<&mut Window>,
    sources: &mut Vec<Source>,
) -> Result<(), Error> {
    let mut start = 0;
    for file in &table.files {
        let keep = match &mut window {
            Some(window) => window.look_at_new(&folder.join(&file.name), file)?,
            None => None,
        };
        sources.push(Source::new(folder, file, keep, start, table.waiting.clone()));
        start += file.rows;
    }
    Ok(())
}

/// Lets small files be written again as larger ones, where there are many of them.
fn compact(sources: &mut [Source], file_bytes: u64) {
    /// So many are no trouble to anyone.
    const MANY: usize = 16;
    let is_small = |source: &Source| source.file.bytes < file_bytes / 2;
    let small = sources.iter().filter(|source| is_small(source));
    if small.clone().count() > MANY && small.clone().any(|source| !source.is_new) {
        sources.iter_mut().filter(|source| is_small(source)).for_each(|source| {
            source.merges = true;
        });
    }
}

/// The columns of an entity's files with the formats that the model reads times in.
fn physical(lock: &Lock, entity: &Entity) -> Vec<(Name, Type)> {
    let column = |locked: &LockedColumn| {
        let model = entity.column(&locked.name).map(|column| &column.ty);
        let ty = match model {
            Some(ty) if crate::cells::data_type(ty) == crate::cells::data_type(&locked.ty) => {
                match (ty, &locked.ty) {
                    // The longer one.
                    (Type::Text { .. } | Type::Bytes { .. }, locked) => locked.clone(),
                    (ty, _) => ty.clone(),
                }
            }
            _ => locked.ty.clone(),
        };
        (locked.name.clone(), ty)
    };
    lock.columns(&entity.name).iter().map(column).collect()
}

/// The lock with what the model has. A column that evolution made wider than the model has it
/// stays as wide.
fn reconcile(before: &Lock, model: &Model) -> Result<Lock, LockError> {
    let mut model = model.clone();
    for entity in model.entities.iter_mut().filter(|entity| entity.drift == Drift::Evolve) {
        for locked in before.columns(&entity.name) {
            let column = entity.columns.iter_mut().find(|column| column.name == locked.name);
            if let Some(column) = column.filter(|column| column.ty.fits(&locked.ty)) {
                column.ty.clone_from(&locked.ty);
            }
        }
    }
    before.reconcile(&model)
}

/// The nearest name to the attribute's that is free.
fn free_name(attribute: &str, taken: &HashSet<Name>) -> Name {
    let folded = Name::fold(attribute);
    // A leading `_` is the lake's own.
    let folded = match folded.as_str().strip_prefix('_') {
        Some(_) => Name::fold(&format!("a{folded}")),
        None => folded,
    };
    if !taken.contains(&folded) {
        return folded;
    }
    let numbered = |number: u32| {
        let end = format!("_{number}");
        let room = Name::MAX_BYTES - end.len();
        let start = folded.as_str().get(..room).unwrap_or(folded.as_str());
        Name::fold(&format!("{start}{end}"))
    };
    (2..).map(numbered).find(|name| !taken.contains(name)).unwrap_or(folded.clone())
}

/// Removes what no commit has made part of the lake, and writes the lock file anew if it is not
/// that of the last commit.
fn tidy(folder: &Path, manifest: &LakeManifest) -> Result<(), Error> {
    let lock = folder.join(SYSTEM).join("model.lock");
    if !manifest.lock.is_empty()
        && fs::read(&lock).ok().as_deref() != Some(manifest.lock.as_bytes())
    {
        replace(&lock, manifest.lock.as_bytes())?;
    }
    let building = folder.join(SYSTEM).join(TEMPORARY);
    match fs::remove_dir_all(&building) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(&building)(error));
        }
        _ => {}
    }
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name();
        let Some(entity) = name.to_str().and_then(|name| name.strip_prefix("type=")) else {
            continue;
        };
        let files = manifest.entities.get(entity).map_or(&[][..], |files| &files.files);
        let known: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let path = entry.path();
        for file in fs::read_dir(&path).map_err(Error::io(&path))? {
            let file = file.map_err(Error::io(&path))?;
            let name = file.file_name();
            let is_known = name.to_str().is_some_and(|name| known.contains(name));
            let is_ours = name.to_str().is_some_and(|name| name.ends_with(".parquet"));
            if is_ours && !is_known {
                fs::remove_file(file.path()).map_err(Error::io(&file.path()))?;
            }
        }
        if files.is_empty() {
            // Only if nothing else is in it.
            let _ = fs::remove_dir(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Lake;

    const MODEL: &str = r#"
        table.partition_key = "PK"
        entity.thing.pk = "T#{id}"
        entity.thing.drift = "evolve"
        entity.thing.columns = { id = { key = "PK", type = "text(20)" }, n = "int" }
    "#;

    fn begin(folder: &Path, export: &str, kind: LoadKind) -> LakeBuild {
        let model = Model::parse(MODEL).unwrap();
        let input = LoadInput::new(export, kind, "run");
        Lake::open(folder).unwrap().begin(&model, input, LakeOptions::default()).unwrap()
    }

    fn task(build: &LakeBuild, lines: &str) -> TaskReport {
        let mut task = build.task(0).unwrap();
        task.push("data", 1, lines.as_bytes()).unwrap();
        task.finish().unwrap()
    }

    fn full(folder: &Path) -> (LakeBuild, Vec<TaskReport>) {
        let build = begin(folder, "full", LoadKind::Full { written_at: 10 });
        let lines = r#"{"Item":{"PK":{"S":"T#1"},"n":{"N":"1"}}}
            {"Item":{"PK":{"S":"T#2"},"n":{"N":"2"}}}
            {"Item":{"PK":{"S":"X"}}}
            no item"#;
        let report = task(&build, lines);
        (build, vec![report])
    }

    fn window(folder: &Path) -> (LakeBuild, Vec<TaskReport>) {
        let build = begin(folder, "window", LoadKind::Incremental { from: 10, to: 20 });
        let lines = r#"{"Metadata":{"WriteTimestampMicros":{"N":"15"}},"Keys":{"PK":{"S":"T#1"}}}
            {"Metadata":{"WriteTimestampMicros":{"N":"16"}},"Keys":{"PK":{"S":"T#3"}},"NewImage":{"PK":{"S":"T#3"},"n":{"N":"3.5"},"new":{"S":"x"}}}"#;
        let report = task(&build, lines);
        (build, vec![report])
    }

    /// What a reader of the lake can see, and a hash of each file that counts.
    fn seen(folder: &Path) -> (Option<LakeManifest>, Vec<(PathBuf, u64)>) {
        let lake = Lake::open(folder).unwrap();
        let files =
            lake.tables().into_iter().flat_map(|table| table.files).chain(lake.unknown().files);
        let hash = |path: PathBuf| {
            let hash = xxhash_rust::xxh3::xxh3_64(&fs::read(&path).unwrap());
            (path.strip_prefix(folder).unwrap().to_owned(), hash)
        };
        (lake.manifest().cloned(), files.map(hash).collect())
    }

    #[test]
    fn a_commit_that_stops_anywhere_is_none_or_whole() {
        let whole = TempDir::new().unwrap();
        let nothing = seen(whole.path());
        let (build, reports) = full(whole.path());
        build.commit(reports).unwrap();
        let after_full = seen(whole.path());
        let (build, reports) = window(whole.path());
        let report = build.commit(reports).unwrap();
        assert_eq!(report.rows["thing"], 2);
        let after_window = seen(whole.path());
        let left_over = |folder: &Path| {
            let count = |name: &str| fs::read_dir(folder.join(name)).map_or(0, Iterator::count);
            (count("type=thing"), count("_keystar"))
        };
        let tidy = left_over(whole.path());

        for step in 0..=4 {
            let broken = TempDir::new().unwrap();
            let (build, reports) = full(broken.path());
            assert!(build.commit_until(reports, |at| at == step).is_err());
            let done = step == 4;
            assert_eq!(
                seen(broken.path()),
                if done { after_full.clone() } else { nothing.clone() }
            );
            if !done {
                let (build, reports) = full(broken.path());
                build.commit(reports).unwrap();
            }
            assert_eq!(seen(broken.path()), after_full, "step {step}");

            let (build, reports) = window(broken.path());
            assert!(build.commit_until(reports, |at| at == step).is_err());
            let expected = if done { &after_window } else { &after_full };
            assert_eq!(&seen(broken.path()), expected, "step {step}");
            if done {
                // The next build tidies up, whatever it is for.
                drop(begin(broken.path(), "other", LoadKind::Full { written_at: 30 }));
            } else {
                let (build, reports) = window(broken.path());
                build.commit(reports).unwrap();
            }
            assert_eq!(seen(broken.path()), after_window, "step {step}");
            assert_eq!(left_over(broken.path()), tidy, "step {step}");
        }
    }
}
