//! A run of `elt` that is killed at any moment is resumed to the same lake and the same answers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keystar_kit::elt::{self, Shop};
use keystar_kit::migrate::Moment;
use keystar_kit::random::Random;
use serde_json::Value;
use tempfile::TempDir;

const ROUNDS: u32 = 12;

const TABLES: [&str; 9] = [
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
    /// What lies in the lake.
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
        below(&lake, &lake, &mut files);
        Self { tables: TABLES.map(rows).into(), manifest, files }
    }

    fn assert_is(&self, whole: &Self, round: &str) {
        for ((table, rows), (_, expected)) in self.tables.iter().zip(&whole.tables) {
            assert!(rows == expected, "{round}: {table} differs: {:?}", differing(rows, expected));
        }
        assert_eq!(self.manifest, whole.manifest, "{round}: the lake's manifest");
        assert_eq!(self.files, whole.files, "{round}: the lake's files");
    }
}

fn differing<'a>(rows: &'a [String], expected: &[String]) -> Option<&'a String> {
    rows.iter().find(|row| !expected.contains(row))
}

fn below(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
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
    let shop = Shop::new(&folder.path().join("shop"), 100, 1, 1).unwrap();
    let place = folder.path().join("whole");
    let begun = Instant::now();
    let answer = shop.run("run", &place, &[]).unwrap().stdout;
    let wall = begun.elapsed();
    let whole = Made::read(&place);
    let answer = growth(&answer).to_owned();
    assert!(answer.lines().count() > 20, "{answer}");

    let mut random = Random::new(5);
    let (mut struck, mut resumed) = (0, 0);
    for round in 0..ROUNDS {
        let place = folder.path().join(format!("killed{round}"));
        // A moment in every twelfth of the run; what is left of the last twelfth may be too short.
        let mut after = |from: f64, share: f64| -> Moment {
            let share = from + share * random.below(1000) as f64 / 1000.0;
            Moment::After(wall.mul_f64(share).max(Duration::from_millis(5)))
        };
        let part = 0.97 / f64::from(ROUNDS);
        let moment = after(part * f64::from(round), part);
        let mut killed = elt::kill_at(&shop.job("run", &place, &[]), &moment).unwrap();
        struck += u32::from(killed);
        // Every third is killed again while it resumes.
        if killed && round % 3 == 2 {
            let moment = after(0.0, 0.7);
            killed = elt::kill_at(&shop.job("run", &place, &["--resume"]), &moment).unwrap();
            resumed += u32::from(killed);
        }
        let said = shop.run("run", &place, &["--resume"]).unwrap();
        let round = format!("round {round}, {moment:?}");
        assert_eq!(growth(&said.stdout), answer, "{round}");
        Made::read(&place).assert_is(&whole, &round);
    }
    assert!(struck >= ROUNDS - 3, "only {struck} of {ROUNDS} runs were killed before their end");
    assert!(resumed >= 1, "no run was killed while it resumed");
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
