//! Whatever ends a run early, `--resume` ends it well: the same items as without, and no file that was half written.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keystar_kit::generate::{self, Shape};
use keystar_kit::migrate::{self, Moment};
use keystar_kit::random::Random;
use nix::sys::signal::Signal;
use tempfile::TempDir;

const RECORDS: u64 = 120_000;

/// A dump and what a run without trouble makes of it.
struct Job {
    folder: TempDir,
    dump: PathBuf,
    expected: Vec<String>,
    wall: Duration,
    bytes: u64,
}

impl Job {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let dump = folder.path().join("dump.rdb");
        generate::write(Shape::Mixed { records: RECORDS }, 2, 11, File::create(&dump).unwrap())
            .unwrap();
        let output = folder.path().join("whole");
        let begun = Instant::now();
        migrate::run(&run(&dump, &output, &[])).unwrap().expect_code(&[0]).unwrap();
        let wall = begun.elapsed();
        let expected = migrate::sorted_lines(&output).unwrap();
        assert_eq!(expected.len() as u64, RECORDS);
        let bytes = migrate::bytes_below(&output);
        Self { folder, dump, expected, wall, bytes }
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Resumes a run that was ended early, and compares what is there with what must be.
    fn resume(&self, output: &Path) {
        let ended = migrate::run(&run(&self.dump, output, &["--resume"])).unwrap();
        ended.expect_code(&[0]).unwrap();
        self.is_whole(output);
    }

    fn is_whole(&self, output: &Path) {
        for file in migrate::data_files(output).unwrap() {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("part-") && name.ends_with(".json"), "{name} was left behind");
        }
        let lines = migrate::sorted_lines(output).unwrap();
        assert_eq!(lines.len(), self.expected.len());
        assert!(lines == self.expected, "other items than without trouble");
    }
}

fn run(dump: &Path, output: &Path, more: &[&str]) -> Vec<OsString> {
    let fixed =
        ["run", "--format", "dynamodb-json", "--compress", "none", "--from"].map(OsString::from);
    let paths = [dump.into(), "--to".into(), output.into()];
    fixed.into_iter().chain(paths).chain(more.iter().map(OsString::from)).collect()
}

#[test]
fn a_killed_run_is_resumed_to_the_same_items() {
    let job = Job::new();
    let mut random = Random::new(3);
    let mut struck = 0;
    for round in 0..12_u64 {
        let output = job.output(&format!("killed{round}"));
        let moment = |random: &mut Random, more: &[&str]| {
            let moment = if round.is_multiple_of(2) {
                Moment::After(job.wall.mul_f64(random.below(1000) as f64 / 1000.0))
            } else {
                Moment::Written { folder: output.clone(), bytes: random.below(job.bytes) }
            };
            migrate::kill_at(&run(&job.dump, &output, more), &moment).unwrap()
        };
        // Killed, and now and then killed again while it resumes.
        let mut again = moment(&mut random, &[]);
        struck += u32::from(again);
        while again && random.below(3) == 0 {
            again = moment(&mut random, &["--resume"]);
        }
        job.resume(&output);
    }
    assert!(struck >= 6, "only {struck} of 12 runs were killed before their end");
}

#[test]
fn an_interrupted_run_says_so_and_is_resumed() {
    let job = Job::new();
    let output = job.output("interrupted");
    let moment = Moment::Written { folder: output.clone(), bytes: job.bytes / 4 };
    let ended = migrate::strike(&run(&job.dump, &output, &[]), &moment, Signal::SIGINT).unwrap();
    let ended = ended.expect("it ended before it could be interrupted");
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    job.resume(&output);
}

/// A disk that fills up is the target's fault (exit 5), and what was written stays good.
#[test]
fn a_full_disk_is_told_and_the_run_is_resumed() {
    let job = Job::new();
    let output = job.output("full");
    let ended = migrate::run_with_small_files(&run(&job.dump, &output, &[]), 1 << 20).unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    job.resume(&output);
}

/// Without a flag, a folder in which a run was begun is refused (exit 6); `--restart` begins anew.
#[test]
fn a_begun_run_is_neither_resumed_nor_overwritten_unasked() {
    let job = Job::new();
    let output = job.output("begun");
    let moment = Moment::Written { folder: output.clone(), bytes: job.bytes / 4 };
    assert!(migrate::kill_at(&run(&job.dump, &output, &[]), &moment).unwrap());
    let ended = migrate::run(&run(&job.dump, &output, &[])).unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    migrate::run(&run(&job.dump, &output, &["--restart"])).unwrap().expect_code(&[0]).unwrap();
    job.is_whole(&output);
}
