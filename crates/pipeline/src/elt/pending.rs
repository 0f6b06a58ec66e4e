//! Which exports are still to go into the lake, in which order.

use std::{fmt, fs, path::Path, time::UNIX_EPOCH};

use keystar_lake::{Applied, LakeManifest, LoadKind};
use keystar_transfer::{Chain, Export, ExportKind, UnixMicros, Window};

use super::{Error, Origin};
use crate::units;

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The exports, in order.
    pub(super) todo: Vec<Todo>,
    /// Exports that are not needed: older than what the lake holds.
    pub(super) passed_over: Vec<String>,
    /// The table of all of them.
    pub(super) table: Option<String>,
    /// What a user should hear: gaps that were gone over, a summary that was edited.
    pub(super) remarks: Vec<String>,
}

/// An export that is to go into the lake.
#[derive(Debug)]
pub(super) struct Todo {
    pub(super) export: Export,
    /// As the lake names it.
    pub(super) id: String,
    pub(super) kind: LoadKind,
}

impl Pending {
    /// Compares what is there with what the lake holds. With `anew` the lake counts as empty.
    pub(super) fn find(
        from: &Origin,
        manifest: Option<&LakeManifest>,
        table: Option<&str>,
        anew: bool,
    ) -> Result<Self, Error> {
        let exports = Export::open_all(&from.place).map_err(Error::Export)?;
        if let [export] = exports.as_slice()
            && matches!(export.info().kind, ExportKind::Bare)
        {
            return Ok(Self::bare(&from.place, export, manifest, anew));
        }
        let windows: Vec<Window> =
            exports.iter().filter_map(|export| export.info().window()).collect();
        let last = manifest.and_then(|manifest| manifest.applied.last()).map(|applied| {
            let window = window(applied);
            match table {
                Some(table) => window.with_table(table),
                None => window,
            }
        });
        let chain = chain(&windows, last.as_ref().filter(|_| !anew), from.over_gaps)?;
        let mut remarks: Vec<String> = chain.gaps.iter().map(ToString::to_string).collect();
        let name = |at: &usize| windows.get(*at).map(|window| window.id.clone());
        let in_lake = |id: &String| {
            let mut applied = manifest.iter().flat_map(|manifest| &manifest.applied);
            applied.any(|applied| applied.export_id == *id)
        };
        let passed_over = chain.passed_over.iter().filter_map(name);
        let passed_over = passed_over.filter(|id| anew || !in_lake(id)).collect();
        let order: Vec<String> = chain.steps.iter().filter_map(name).collect();
        let table = windows.iter().find_map(|window| window.table.clone());
        let mut todo = Vec::new();
        for id in order {
            let Some(export) = exports.iter().find(|export| export.info().id == id) else {
                continue;
            };
            let kind = match export.info().kind {
                ExportKind::Full { export_time } => LoadKind::Full { written_at: export_time.0 },
                ExportKind::Incremental { from, to, .. } => {
                    LoadKind::Incremental { from: from.0, to: to.0 }
                }
                _ => continue,
            };
            remarks.extend(export.info().remarks.iter().cloned());
            todo.push(Todo { export: export.clone(), id, kind });
        }
        Ok(Self { todo, passed_over, table, remarks })
    }

    /// Items of which nothing else is known are the whole table, as of no time. They are the same
    /// while their files are.
    fn bare(from: &str, export: &Export, manifest: Option<&LakeManifest>, anew: bool) -> Self {
        let id = format!("{}-{:08x}", plain(&export.info().id), stamp(from, export) as u32);
        let applied = manifest.and_then(|manifest| manifest.applied.last());
        let known = !anew && applied.is_some_and(|applied| applied.export_id == id);
        let kind = LoadKind::Full { written_at: 0 };
        let todo = (!known).then(|| Todo { export: export.clone(), id, kind });
        Self { todo: todo.into_iter().collect(), ..Self::default() }
    }
}

/// The windows that follow on what the lake holds; or, where they do not reach, the newest full
/// export and what follows that.
fn chain(windows: &[Window], last: Option<&Window>, over_gaps: bool) -> Result<Chain, Error> {
    let link = if over_gaps { Chain::over_gaps } else { Chain::new };
    let newer =
        |last: &Window| windows.iter().any(|window| window.from.is_none() && window.to > last.to);
    match link(windows, last) {
        Ok(chain) if !chain.steps.is_empty() => Ok(chain),
        result if last.is_some_and(newer) => {
            let anew = link(windows, None);
            anew.or(result).map_err(|error| Error::Export(error.into()))
        }
        result => result.map_err(|error| Error::Export(error.into())),
    }
}

/// What a report tells of exports besides those that were read: a line for one that was passed over
/// and for a year of nights, then the remarks.
pub(super) fn write_notes(
    f: &mut fmt::Formatter<'_>,
    passed_over: &[String],
    remarks: &[String],
) -> fmt::Result {
    match passed_over {
        [] => {}
        [id] => writeln!(f, "passed over {id}: the lake holds what is in it")?,
        ids => {
            let exports = units::plural(ids.len() as u64, "export");
            writeln!(f, "passed over {exports}: the lake holds what is in them")?;
        }
    }
    remarks.iter().try_for_each(|remark| writeln!(f, "note: {remark}"))
}

fn window(applied: &Applied) -> Window {
    match applied.kind {
        LoadKind::Full { written_at } => Window::full(&applied.export_id, UnixMicros(written_at)),
        LoadKind::Incremental { from, to } => {
            Window::incremental(&applied.export_id, UnixMicros(from), UnixMicros(to))
        }
    }
}

/// Names, sizes, and where they can be seen the times of the files.
fn stamp(from: &str, export: &Export) -> u64 {
    let mut text = String::new();
    let root = Path::new(from);
    for file in export.files() {
        let path = if root.is_dir() { root.join(&file.name) } else { root.to_owned() };
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanos = modified.map_or(0, |time| time.as_nanos());
        text.push_str(&format!("{}\n{}\n{nanos}\n", file.name, file.stored_bytes));
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// A name that can be that of a folder.
fn plain(id: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    let name: String = id.chars().map(plain).take(64).collect();
    match name.trim_matches('-') {
        "" => "items".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(id: &str, to: i64) -> Window {
        Window::full(id, UnixMicros(to))
    }

    fn part(id: &str, from: i64, to: i64) -> Window {
        Window::incremental(id, UnixMicros(from), UnixMicros(to))
    }

    fn steps(windows: &[Window], last: Option<&Window>) -> Vec<usize> {
        chain(windows, last, false).unwrap().steps
    }

    #[test]
    fn windows_go_before_a_newer_full_export_and_that_before_nothing() {
        let windows = [full("a", 10), part("b", 10, 20), part("c", 20, 30), full("d", 40)];
        // Nothing yet: the newest full one.
        assert_eq!(steps(&windows, None), [3]);
        // The lake is at the first: windows are small, and keep the history.
        assert_eq!(steps(&windows, Some(&full("a", 10))), [1, 2]);
        // No window follows on the last of them: the newer full one.
        assert_eq!(steps(&windows, Some(&part("c", 20, 30))), [3]);
        assert_eq!(steps(&windows, Some(&full("d", 40))), [] as [usize; 0]);
    }

    #[test]
    fn a_gap_is_named_unless_a_full_export_closes_it() {
        let windows = [part("b", 10, 20), part("c", 25, 30)];
        let last = full("a", 10);
        let error = chain(&windows, Some(&last), false).unwrap_err();
        let told = chain(&windows, Some(&last), true).unwrap();
        assert_eq!((told.steps.as_slice(), told.gaps.len()), ([0, 1].as_slice(), 1));
        let Error::Export(cause) = &error else { panic!("{error:?}") };
        let text = cause.to_string();
        assert!(text.contains('b') && text.contains('c'), "{text}");
        let windows = [part("b", 10, 20), part("c", 25, 30), full("d", 40)];
        assert_eq!(steps(&windows, Some(&last)), [2]);
    }

    #[test]
    fn names_of_files_become_names_of_folders() {
        assert_eq!(plain("items.json.gz"), "items-json-gz");
        assert_eq!(plain("../.."), "items");
    }
}
