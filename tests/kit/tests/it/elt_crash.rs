//! A run of `elt` that is killed at any moment is resumed to the same lake and the same answers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use keystar_kit::elt::{self, Shop};
use keystar_kit::migrate::{Moment, bytes_below};
use keystar_kit::random::Random;
use serde_json::Value;
use tempfile::TempDir;

/// Rounds that are killed after a time, and after so many bytes of the lake.
const BY_TIME: u32 = 12;
const BY_BYTES: u32 = 4;

const TABLES: [&str; 13] = [
    "landing.customer",
    "landing.address",
    "landing.order",
    "landing.line",
    "keys.customer",
    "keys.address",
    "keys.product",
    "dwh.customer",
    "dwh.address",
    "dwh.product",
    "dwh.date",
    "dwh.sales",
    "dwh.orders",
];

/// What is left of a run when its times and names are taken away.
#[derive(PartialEq)]
struct Made {
    /// The rows of every table, in the order of all columns.
    tables: Vec<(&'static str, Vec<String>)>,
    /// The lake's manifest without the name of the run.
    manifest: Value,
    /// What lies in the lake and in the warehouse.
    files: BTreeSet<PathBuf>,
}

impl Made {
    fn read(folder: &Path) -> Self {
        let rows = |table: &'static str| {
            let text = elt::query(folder, &format!("SELECT * FROM {table}")).unwrap();
            let mut rows: Vec<_> = text.lines().map(str::to_owned).collect();
            assert!(rows.len() > 20, "{table} is all but empty");
            rows.sort();
            (table, rows)
        };
        let lake = folder.join("lake");
        let manifest = std::fs::read(lake.join("_keystar/manifest.json")).unwrap();
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["run_id"].take();
        let mut files = BTreeSet::new();
        below(folder, &lake, &mut files);
        below(folder, &folder.join("warehouse"), &mut files);
        Self { tables: TABLES.map(rows).into(), manifest, files }
    }

    fn assert_is(&self, whole: &Self, round: &str) {
        for ((table, rows), (_, expected)) in self.tables.iter().zip(&whole.tables) {
            assert!(rows == expected, "{round}: {table} differs: {:?}", differing(rows, expected));
        }
        assert_eq!(self.manifest, whole.manifest, "{round}: the lake's manifest");
        // Of an earlier commit fewer may be left: whatever loads next removes them.
        let strays: Vec<_> = self.files.difference(&whole.files).collect();
        assert!(strays.is_empty(), "{round}: left behind: {strays:?}");
    }
}

fn differing<'a>(rows: &'a [String], expected: &[String]) -> Option<&'a String> {
    rows.iter().find(|row| !expected.contains(row))
}

fn below(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        // What a killed query put aside goes with the next load.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spill-")) {
            continue;
        }
        if path.is_dir() {
            below(root, &path, files);
        } else {
            files.insert(path.strip_prefix(root).unwrap().to_owned());
        }
    }
}

#[test]
fn a_killed_run_is_resumed_to_the_same_lake_and_answers() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::new(&folder.path().join("shop"), 60, 1, 1).unwrap();
    let place = folder.path().join("whole");
    let begun = Instant::now();
    let answer = shop.run("run", &place, &[]).unwrap().stdout;
    let mut wall = begun.elapsed();
    let bytes = bytes_below(&place.join("lake"));
    let whole = Made::read(&place);
    let answer = growth(&answer).to_owned();
    assert!(answer.lines().count() > 20, "{answer}");

    let mut random = Random::new(5);
    let (mut stages, mut resumed) = (BTreeSet::new(), 0);
    for round in 0..BY_TIME + BY_BYTES {
        let place = folder.path().join(format!("killed{round}"));
        // In every twelfth of the run; then while the lake is written, which is short.
        let share = |random: &mut Random| random.below(1000) as f64 / 1000.0;
        let moment = loop {
            let moment = if round < BY_TIME {
                let share = (f64::from(round) + share(&mut random)) / f64::from(BY_TIME);
                Moment::After(wall.mul_f64(share))
            } else {
                Moment::Written { folder: place.join("lake"), bytes: random.below(bytes) }
            };
            let begun = Instant::now();
            if elt::kill_at(&shop.job("run", &place, &[]), &moment).unwrap() {
                break moment;
            }
            // Less is going on beside it than when the whole run was measured.
            wall = wall.min(begun.elapsed());
            std::fs::remove_dir_all(&place).unwrap();
        };
        stages.insert(stage(&place));
        // Every third is killed again while it resumes.
        if round % 3 == 2 {
            let moment = Moment::After(wall.mul_f64(0.7 * share(&mut random)));
            let killed = elt::kill_at(&shop.job("run", &place, &["--resume"]), &moment).unwrap();
            resumed += u32::from(killed);
        }
        let said = shop.run("run", &place, &["--resume"]).unwrap();
        let round = format!("round {round}, {moment:?}");
        assert_eq!(growth(&said.stdout), answer, "{round}");
        Made::read(&place).assert_is(&whole, &round);
    }
    assert!(stages.len() >= 3, "killed only at the commits {stages:?} of lake and warehouse");
    assert!(resumed >= 2, "only {resumed} runs were killed while they resumed");
}

/// The commits of lake and warehouse.
fn stage(place: &Path) -> (u64, u64) {
    let number = |path: &str, name: &str| {
        let Ok(text) = std::fs::read(place.join(path)) else { return 0 };
        serde_json::from_slice::<Value>(&text).unwrap()[name].as_u64().unwrap()
    };
    (number("lake/_keystar/manifest.json", "commit"), number("warehouse/commit.json", "number"))
}

/// The part of what a run says that is its answer.
fn growth(said: &str) -> &str {
    said.find("Growth of").map_or("", |at| &said[at..])
}

/// Without a flag, a folder in which a run was begun is refused (exit 6); `--restart` builds the lake anew.
#[test]
fn a_begun_run_is_neither_resumed_nor_overwritten_unasked() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::new(&folder.path().join("shop"), 100, 0, 1).unwrap();
    let place = folder.path().join("place");
    let lake = place.join("lake");
    let moment = Moment::Written { folder: lake, bytes: 20_000 };
    assert!(elt::kill_at(&shop.job("run", &place, &[]), &moment).unwrap());
    let ended = elt::run(&shop.job("run", &place, &[])).unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert!(ended.stderr.contains("--resume"), "{}", ended.stderr);
    shop.run("run", &place, &["--restart"]).unwrap();
    let sound = folder.path().join("sound");
    shop.run("run", &sound, &[]).unwrap();
    let (restarted, sound) = (Made::read(&place), Made::read(&sound));
    for ((table, rows), (_, expected)) in restarted.tables.iter().zip(&sound.tables) {
        assert!(rows == expected, "{table} differs: {:?}", differing(rows, expected));
    }
}
