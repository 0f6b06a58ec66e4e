//! Whatever ends a run early, `--resume` ends it well: the same files as without, byte by byte.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use keystar_kit::generate::{self, Shape};
use keystar_kit::migrate::{self, Moment};
use keystar_kit::random::Random;
use nix::sys::signal::Signal;

const RECORDS: u64 = 25_000;

/// Small files, so that a run has many checkpoints.
const MAX_FILE_BYTES: &str = "1000000";

/// A dump and what a run without trouble makes of it.
struct Job {
    folder: PathBuf,
    dump: PathBuf,
    whole: PathBuf,
    wall: Duration,
    bytes: u64,
}

impl Job {
    /// Made once for all tests, in a folder of cargo's that the next run clears.
    fn shared() -> &'static Self {
        static SHARED: LazyLock<Job> = LazyLock::new(Job::new);
        &SHARED
    }

    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let dump = folder.join("dump.rdb");
        let file = File::create(&dump).unwrap();
        generate::write(Shape::Mixed { records: RECORDS }, 2, 11, file).unwrap();
        let whole = folder.join("whole");
        let begun = Instant::now();
        migrate::run(&run(&dump, &whole, &[])).unwrap().expect_code(&[0]).unwrap();
        let wall = begun.elapsed();
        assert_eq!(migrate::sorted_lines(&whole).unwrap().len() as u64, RECORDS);
        assert!(
            migrate::data_files(&whole).unwrap().len() > 8,
            "too few files for checkpoints between them"
        );
        let bytes = migrate::bytes_below(&whole);
        Self { folder, dump, whole, wall, bytes }
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn resume(&self, output: &Path) {
        let ended = migrate::run(&run(&self.dump, output, &["--resume"])).unwrap();
        ended.expect_code(&[0]).unwrap();
    }

    /// The very files that a run without trouble writes, and no others.
    fn has_the_same_files(&self, output: &Path) {
        let names = |folder: &Path| -> Vec<_> {
            migrate::data_files(folder)
                .unwrap()
                .iter()
                .map(|file| file.file_name().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(output), names(&self.whole));
        for (file, whole) in migrate::data_files(output)
            .unwrap()
            .iter()
            .zip(migrate::data_files(&self.whole).unwrap())
        {
            assert!(
                std::fs::read(file).unwrap() == std::fs::read(whole).unwrap(),
                "{} is another",
                file.display()
            );
        }
    }

    /// The same items, in whatever files, and none that was left half written.
    fn has_the_same_items(&self, output: &Path) {
        for file in migrate::data_files(output).unwrap() {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("part-") && name.ends_with(".json"), "{name} was left behind");
        }
        let lines = migrate::sorted_lines(output).unwrap();
        assert_eq!(lines.len() as u64, RECORDS);
        assert!(
            lines == migrate::sorted_lines(&self.whole).unwrap(),
            "other items than without trouble"
        );
    }
}

fn run(dump: &Path, output: &Path, more: &[&str]) -> Vec<OsString> {
    let fixed = ["run", "--compress", "none", "--max-file-bytes", MAX_FILE_BYTES, "--from"];
    let paths = [dump.into(), "--to".into(), output.into()];
    fixed
        .map(OsString::from)
        .into_iter()
        .chain(paths)
        .chain(more.iter().map(OsString::from))
        .collect()
}

#[test]
fn a_killed_run_is_resumed_to_the_same_files() {
    let job = Job::shared();
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
        job.has_the_same_files(&output);
    }
    assert!(struck >= 6, "only {struck} of 12 runs were killed before their end");
}

#[test]
fn an_interrupted_run_says_so_and_is_resumed() {
    let job = Job::shared();
    let output = job.output("interrupted");
    let moment = Moment::Written { folder: output.clone(), bytes: job.bytes / 4 };
    let ended = migrate::strike(&run(&job.dump, &output, &[]), &moment, Signal::SIGINT).unwrap();
    let ended = ended.expect("it ended before it could be interrupted");
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    job.resume(&output);
    job.has_the_same_items(&output);
}

/// A disk that fills up is the target's fault (exit 5), and what was written stays good.
#[test]
fn a_full_disk_is_told_and_the_run_is_resumed() {
    let job = Job::shared();
    let output = job.output("full");
    let ended = migrate::run_with_small_files(&run(&job.dump, &output, &[]), 300 << 10).unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    job.resume(&output);
    job.has_the_same_items(&output);
}

/// Without a flag, a folder in which a run was begun is refused (exit 6); `--restart` begins anew.
#[test]
fn a_begun_run_is_neither_resumed_nor_overwritten_unasked() {
    let job = Job::shared();
    let output = job.output("begun");
    let moment = Moment::Written { folder: output.clone(), bytes: job.bytes / 4 };
    assert!(migrate::kill_at(&run(&job.dump, &output, &[]), &moment).unwrap());
    let ended = migrate::run(&run(&job.dump, &output, &[])).unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    migrate::run(&run(&job.dump, &output, &["--restart"])).unwrap().expect_code(&[0]).unwrap();
    job.has_the_same_files(&output);
}
