//! Migrations of dumps that hold one of everything that can happen to a record.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use keystar_kit::{
    dump::DumpWriter,
    generate::{self, Shape},
};
use keystar_pipeline::{
    Error, Interrupt, MigrationOptions, MigrationSpec, Progress, Reach, Report, Selection, Start,
    migrate, verify_run,
};
use keystar_rdb::UnixMillis;
use tempfile::TempDir;

const STRING: u8 = 0;
const HASH: u8 = 4;
const HASH_LISTPACK: u8 = 16;
const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// A dump, and where its files go.
struct Job {
    dir: TempDir,
    spec: MigrationSpec,
}

impl Job {
    fn new(write: impl FnOnce(&mut DumpWriter<&mut Vec<u8>>), mapping: &str) -> Self {
        let mut bytes = Vec::new();
        let mut dump = DumpWriter::new(&mut bytes, 11).unwrap();
        write(&mut dump);
        dump.finish().unwrap();
        Self::of_bytes(&bytes, mapping)
    }

    fn of_bytes(bytes: &[u8], mapping: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dump = dir.path().join("dump.rdb");
        fs::write(&dump, bytes).unwrap();
        let out = dir.path().join("out").to_str().unwrap().to_owned();
        let spec = MigrationSpec::new(dump, out, &Reach::default())
            .unwrap()
            .with_format("dynamodb-json", "none")
            .with_mapping(Some(mapping.to_owned()), None);
        Self { dir, spec }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn options(&self, jobs: usize) -> MigrationOptions {
        MigrationOptions::new(NonZeroUsize::new(jobs).unwrap(), NOW)
    }

    fn run(&self, start: Start) -> Result<Report, Error> {
        let options = self.options(2).with_start(start);
        migrate(&self.spec, &options, &Interrupt::new(), &Progress::default())
    }

    /// Runs to the end; the sums must be right and the files must verify.
    fn succeed(&self) -> Report {
        let report = self.run(Start::Fresh).unwrap();
        assert!(report.complete);
        assert!(report.counts.add_up(), "{report}");
        assert_eq!(report.counts.items as usize, lines(&self.out()).len(), "{report}");
        let (work, options) = (self.out().join("run"), self.options(2));
        let found =
            verify_run(&work, None, &options, &Interrupt::new(), &Progress::default()).unwrap();
        assert!(found.ok(), "{found}");
        report
    }

    fn rejects(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.out().join("run/rejects.jsonl")).unwrap();
        text.lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let field = |name: &str| line[name].as_str().unwrap().to_owned();
                (field("key"), field("reason"))
            })
            .collect()
    }
}

fn files(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(out.join("data"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn lines(out: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, bytes) in files(out) {
        lines.extend(String::from_utf8(bytes).unwrap().lines().map(str::to_owned));
    }
    lines.sort();
    lines
}

fn string(dump: &mut DumpWriter<&mut Vec<u8>>, key: &str, value: &[u8]) {
    dump.key(STRING, key.as_bytes(), None);
    dump.string(value);
}

fn hash(
    dump: &mut DumpWriter<&mut Vec<u8>>,
    key: &str,
    fields: usize,
    mut value: impl FnMut(usize) -> Vec<u8>,
) {
    dump.key(HASH, key.as_bytes(), None);
    dump.length(fields as u64);
    for at in 0..fields {
        dump.string(format!("field:{at}").as_bytes());
        dump.string(&value(at));
    }
}

#[test]
fn the_four_ends_of_a_record_add_up() {
    let mapping = r#"
        [[rule]]
        keys = "user:{id}"
        pk = "U#{id}"

        [[rule]]
        keys = "client:{id}"
        pk = "U#{id}"

        [[rule]]
        keys = "old:*"
        expired = "drop"
    "#;
    let mut job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            string(dump, "user:1", b"ada");
            string(dump, "client:1", b"the same item key as user:1");
            string(dump, "big", &vec![b'x'; 500_000]);
            dump.key(STRING, b"old:1", Some(NOW.0 - 1));
            dump.string(b"gone");
            dump.key(STRING, b"late:1", Some(NOW.0));
            dump.string(b"expired, but kept");
            dump.key(HASH_LISTPACK, b"broken", None);
            dump.string(b"no listpack at all");
            dump.key(HASH, b"empty", None);
            dump.length(0);
            dump.select(1, 0, 0);
            string(dump, "other", b"another database");
            string(dump, "skipped", b"not asked for");
        },
        mapping,
    );
    let selection = Selection::new().with_patterns(
        ["user:*", "client:*", "big", "old:*", "late:*", "broken", "empty", "other"]
            .map(str::to_owned)
            .to_vec(),
    );
    job.spec = job.spec.clone().with_selection(selection);
    let report = job.succeed();
    let counts = &report.counts;
    assert_eq!(counts.read, 9, "{report}");
    assert_eq!(counts.written, 3);
    assert_eq!(counts.expired, 1);
    assert_eq!(counts.expired_kept, 1);
    let reasons = |counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(reason, records)| format!("{reason} {records}")).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&counts.filtered), ["empty_collection 1", "filter 1"]);
    assert_eq!(reasons(&counts.rejected), ["corrupt 1", "duplicate_key 1", "oversize 1"]);
    let expected = [("big", "oversize"), ("broken", "corrupt"), ("client:1", "duplicate_key")];
    let mut rejects = job.rejects();
    rejects.sort();
    assert_eq!(rejects, expected.map(|(key, reason)| (key.to_owned(), reason.to_owned())));
}

const COLLECTION: &str = r#"
    [table]
    key.partition = { name = "pk", type = "S" }
    key.sort = { name = "sk", type = "S" }

    [defaults]
    layout = "collection"
"#;

#[test]
fn a_big_value_passes_in_pieces() {
    let job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            string(dump, "before", b"1");
            hash(dump, "big", 60_000, |at| format!("value {at} {}", "x".repeat(30)).into_bytes());
            string(dump, "after", b"2");
        },
        COLLECTION,
    );
    let report = job.succeed();
    assert_eq!((report.counts.written, report.counts.items), (3, 60_002));
}

#[test]
fn a_big_value_that_cannot_be_carried_leaves_nothing() {
    let job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            string(dump, "before", b"1");
            hash(dump, "big", 60_000, |at| match at {
                50_000 => vec![b'y'; 500_000],
                _ => format!("value {at} {}", "x".repeat(30)).into_bytes(),
            });
            string(dump, "after", b"2");
        },
        COLLECTION,
    );
    let report = job.succeed();
    assert_eq!((report.counts.written, report.counts.items), (2, 2), "{report}");
    assert_eq!(job.rejects(), [("big".to_owned(), "oversize".to_owned())]);
    assert!(lines(&job.out()).iter().all(|line| !line.contains("big")), "it left something");
}

#[test]
fn a_run_that_should_stop_at_a_reject_does() {
    let mut job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            string(dump, "big", &vec![b'x'; 500_000]);
        },
        "",
    );
    job.spec = job.spec.clone().with_stop_at_reject(true);
    let error = job.run(Start::Fresh).unwrap_err();
    assert!(matches!(error, Error::Rejected { corrupt: false, .. }), "{error:?}");
    assert!(error.to_string().contains("\"big\""), "{error}");
}

#[test]
fn each_database_can_have_a_folder() {
    let job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            string(dump, "key", b"in 0");
            dump.select(7, 0, 0);
            string(dump, "key", b"in 7");
            string(dump, "more", b"in 7");
        },
        r#"db = "folder""#,
    );
    let report = job.run(Start::Fresh).unwrap();
    assert!(report.complete && report.counts.add_up(), "{report}");
    assert_eq!(report.counts.written, 3);
    let zero = lines(&job.out().join("db0"));
    assert_eq!(zero, [r#"{"Item":{"key":{"S":"key"},"value":{"S":"in 0"}}}"#]);
    assert_eq!(lines(&job.out().join("db7")).len(), 2);
}

/// Enough small records for several epochs of small files.
fn many() -> Job {
    let mut job = Job::new(
        |dump| {
            dump.select(0, 0, 0);
            for at in 0..40_000 {
                string(dump, &format!("key:{at}"), format!("the value of {at}").as_bytes());
            }
        },
        "",
    );
    job.spec = job.spec.clone().with_max_file(300_000, 1_000_000);
    job
}

#[test]
fn threads_do_not_change_the_files() {
    let job = many();
    job.succeed();
    let alone = files(&job.out());
    assert!(alone.len() > 3, "several epochs: {}", alone.len());
    let options = job.options(5).with_start(Start::Restart);
    let report = migrate(&job.spec, &options, &Interrupt::new(), &Progress::default()).unwrap();
    assert!(report.complete);
    assert_eq!(files(&job.out()), alone);
}

/// Plain hashes go from the dump to the files without being mapped; a rule with something to say
/// about a field that none of them has sends them the long way.
#[test]
fn the_short_way_leads_to_the_same_files() {
    let ruled = "[[rule]]\nkeys = '*'\nfields.absent = { drop = true }";
    for shape in [Shape::Article { records: 3000 }, Shape::Mixed { records: 3000 }] {
        let mut bytes = Vec::new();
        generate::write(shape, 7, 11, &mut bytes).unwrap();
        let [short, long] = ["", ruled].map(|mapping| Job::of_bytes(&bytes, mapping));
        let [a, b] = [&short, &long].map(|job| job.run(Start::Fresh).unwrap());
        assert_eq!(a.counts, b.counts);
        assert_eq!(a.losses, b.losses);
        assert!(a.counts.written > 1000);
        assert!(files(&short.out()) == files(&long.out()), "{shape:?}: the files differ");
    }
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_items() {
    let job = many();
    job.succeed();
    let whole = lines(&job.out());
    let (interrupt, progress) = (Interrupt::new(), Progress::default());
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.records() < 5_000 {
                std::thread::yield_now();
            }
            interrupt.set();
        });
        let options = job.options(1).with_start(Start::Restart);
        migrate(&job.spec, &options, &interrupt, &progress)
    });
    let report = report.unwrap();
    assert!(report.counts.add_up(), "{report}");
    let resumed = job.run(Start::Resume).unwrap();
    assert!(resumed.complete && resumed.counts.add_up(), "{resumed}");
    assert_eq!(resumed.counts.read, 40_000);
    assert_eq!(lines(&job.out()), whole);
    let again = job.run(Start::Resume).unwrap();
    assert_eq!(again.counts, resumed.counts, "a finished run is told, not run");
}

#[test]
fn a_truncated_dump_keeps_what_was_committed() {
    let whole = many();
    let bytes = fs::read(&whole.spec.from.places[0]).unwrap();
    let mut job = Job::of_bytes(&bytes[..bytes.len() - 1000], "");
    job.spec = job.spec.clone().with_max_file(300_000, 1_000_000);
    assert!(job.spec.from_bytes < whole.spec.from_bytes);
    let error = job.run(Start::Fresh).unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error:?}");
    let committed = lines(&job.out());
    assert!(committed.len() > 10_000, "only {} items were kept", committed.len());
    // The rest of the dump arrives: the run goes on as if nothing had been.
    fs::write(&job.spec.from.places[0], &bytes).unwrap();
    job.spec.from_bytes = whole.spec.from_bytes;
    let report = job.run(Start::Resume).unwrap();
    assert!(report.complete);
    assert_eq!(report.counts.written, 40_000);
}

/// Files may be committed before the first checkpoint is saved: inside a big first record there is
/// no position to resume from, and a kill may come between the two.
#[test]
fn a_run_killed_before_its_first_checkpoint_begins_again() {
    let whole = many();
    let bytes = fs::read(&whole.spec.from.places[0]).unwrap();
    let mut job = Job::of_bytes(&bytes[..bytes.len() - 1000], "");
    job.spec = job.spec.clone().with_max_file(300_000, 1_000_000);
    job.run(Start::Fresh).unwrap_err();
    assert!(!lines(&job.out()).is_empty(), "files were committed");
    fs::remove_file(job.out().join("run/checkpoint.json")).unwrap();
    fs::write(&job.spec.from.places[0], &bytes).unwrap();
    let report = job.run(Start::Resume).unwrap();
    assert!(report.complete && report.counts.add_up(), "{report}");
    assert_eq!(report.counts.written, 40_000);
    assert_eq!(lines(&job.out()).len(), 40_000);
}
