//! Runs that cannot be: an exit code that tells whose fault it is, words that say what, and what to do.

use keystar_kit::double::Double;
use keystar_kit::dynamodb::Keys;
use keystar_kit::migrate::Ended;
use keystar_kit::redis_tls::Certificates;
use keystar_kit::s3::{self, S3};
use serde_json::Value;

use crate::job::{Job, wait_until};
use crate::source::{filled, items};
use crate::target::{World, keys, same, table};

const KEYS: usize = 90;
/// A key of the wrong type, and none at all.
const BAD: &str = "{\"Item\":{\"key\":{\"N\":\"7\"}}}\n{\"Item\":{\"other\":{\"S\":\"x\"}}}\n";

#[test]
fn a_server_that_does_not_let_us_in() {
    let redis = filled(KEYS);
    let world = World::new();
    let connection = &mut redis.connect().unwrap();
    connection.command(&["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all"]).unwrap();
    connection.command(&["CONFIG", "SET", "requirepass", "other"]).unwrap();

    let job = world.to_files(&redis.url(), "none");
    job.refused(4, &["refuses the login", "NOAUTH", "password"]);
    let job = world.to_files(&redis.url(), "wrong").environment("REDIS_PASSWORD", "guess-1234");
    let ended = job.refused(4, &["refuses the login", "WRONGPASS", "environment or from a file"]);
    assert!(!ended.stderr.contains("guess-1234"), "a password was told: {}", ended.stderr);
    let job = job.reach(&["--user", "nobody"]);
    job.refused(4, &["refuses the login", "WRONGPASS"]);

    // The place in which a password must not stand.
    let url = redis.url().replace("redis://", "redis://reader:secret@");
    let ended = world.to_files(&url, "url").refused(2, &["a password does not belong into a URL"]);
    assert!(!ended.stderr.contains("secret"), "a password was told: {}", ended.stderr);
}

#[test]
fn a_server_that_forbids_a_command() {
    let redis = filled(KEYS);
    let world = World::new();
    let connection = &mut redis.connect().unwrap();
    for (command, name) in [("DUMP", "dump"), ("SCAN", "scan")] {
        let forbid = format!("-{name}");
        let words = ["ACL", "SETUSER", name, "on", ">secret", "~*", "+@all", &forbid];
        connection.command(&words).unwrap();
        let job = world.to_files(&redis.url(), name).reach(&["--user", name]);
        let job = job.environment("REDIS_PASSWORD", "secret");
        let told = format!("does not let the user run {command}");
        job.refused(4, &[&told, &format!("ACL SETUSER <user> +{name}")]);
    }
}

#[test]
fn certificates_that_do_not_hold() {
    let certificates = Certificates::make().unwrap();
    let world = World::new();
    let ca = certificates.path("ca.crt").display().to_string();
    let expired = certificates.serve("expired", false).unwrap();
    let job = world.to_files(&expired.url(), "expired").reach(&["--tls-ca", &ca]);
    job.refused(4, &["no encrypted connection", "expired"]);

    let good = certificates.serve("server", true).unwrap();
    world.to_files(&good.url(), "unknown").refused(4, &["no encrypted connection", "CA"]);
    let job = world.to_files(&good.url(), "none").reach(&["--tls-ca", &ca]);
    job.refused(4, &["no encrypted connection", "certificate"]);
    let job = world.to_files(&good.url().replace("rediss", "redis"), "plain");
    job.refused(4, &[]);
    let job = world.to_files(&good.url(), "missing").reach(&["--tls-ca", "/nowhere/ca.crt"]);
    job.refused(4, &["/nowhere/ca.crt", "PEM"]);
}

#[test]
fn nobody_is_there() {
    let world = World::new();
    let mut redis = filled(KEYS);
    redis.kill().unwrap();
    // Nobody ever answered: that is told at once, and not waited for.
    let begun = std::time::Instant::now();
    world.to_files(&redis.url(), "gone").refused(4, &["cannot connect to", "the host, the port"]);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn tables_that_are_not_as_they_must_be() {
    let redis = filled(KEYS);
    let world = World::new();
    let job = world.to_table(&redis.url(), "missing");
    job.refused(5, &["table missing does not exist", "--create-table"]);

    let other = Keys::partition("id", "S");
    world.db.connect().unwrap().create_table("other", &other).unwrap();
    let job = world.to_table(&redis.url(), "other");
    job.refused(5, &["the key of table other is id", "not key", "[table]"]);
    let number = Keys::partition("key", "N");
    world.db.connect().unwrap().create_table("number", &number).unwrap();
    world.to_table(&redis.url(), "number").refused(5, &["the key of table number is key"]);
    // Nothing was begun: the same command works once the table is right.
    world.make_table("missing");
    job_again(&world, &redis.url());

    let work = world.path("work-region");
    let job = Job::new(redis.url(), "dynamodb://missing", &work)
        .reach(&["--endpoint-url", &world.db.endpoint()]);
    job.refused(5, &["no AWS region is set", "AWS_REGION"]);
    let job = Job::new(redis.url(), "dynamodb://missing", &world.path("work-nowhere"))
        .tables_at("http://127.0.0.1:9");
    job.refused(5, &["no answer to", "endpoint"]);
    let job = world.to_table(&redis.url(), "missing");
    let job = job.environment("AWS_ACCESS_KEY_ID", "").environment("AWS_SECRET_ACCESS_KEY", "");
    let job = Job::clone(&job).with(&["--restart"]);
    job.refused(5, &["no AWS credentials were found"]);
}

fn job_again(world: &World, from: &str) {
    let job = world.to_table(from, "missing");
    job.run();
    job.refused(6, &["a finished run of the same arguments", "--restart"]);
}

/// A bucket to stage files in, and a DynamoDB that imports them.
struct Imports {
    world: World,
    double: Double,
    s3: S3,
}

impl Imports {
    fn new() -> Self {
        let s3 = S3::start().unwrap();
        s3.make_bucket("stage").unwrap();
        let double = Double::start(&s3).unwrap();
        Self { world: World::new(), double, s3 }
    }

    fn job(&self, from: &str, name: &str) -> Job {
        self.load(from, name, "import")
    }

    fn load(&self, from: &str, name: &str, how: &str) -> Job {
        let work = self.world.path(&format!("work-{name}"));
        Job::new(from, format!("dynamodb://{name}"), &work)
            .tables_at(&self.double.endpoint())
            .reach(&["--s3-endpoint-url", &self.s3.endpoint()])
            .reach(&["--logs-endpoint-url", &self.double.endpoint()])
            .with(&["--load", how, "--stage", &format!("s3://stage/{name}")])
    }
}

#[test]
fn an_import_into_a_table_that_exists_or_from_a_bucket_that_does_not() {
    let redis = filled(KEYS);
    let imports = Imports::new();
    let expected = items(&mut redis.connect().unwrap());
    let job = imports.job(&redis.url(), "good");
    job.run();
    same(&table(&mut imports.double.tables().connect().unwrap(), "good"), &expected);
    job.verify();

    // By another run.
    let again = imports.job(&redis.url(), "good").with(&["--max-file-items", "7", "--restart"]);
    again.refused(5, &["table good exists already", "live writes"]);

    let elsewhere = imports.job(&redis.url(), "nowhere");
    let elsewhere = elsewhere.with(&["--stage", "s3://nobody/x"]);
    elsewhere.end(&[]).expect_code(&[2]).unwrap();
    let work = imports.world.path("work-bucket");
    let bucket = Job::new(redis.url(), "dynamodb://bucket", &work)
        .tables_at(&imports.double.endpoint())
        .reach(&["--s3-endpoint-url", &imports.s3.endpoint()])
        .with(&["--load", "import", "--stage", "s3://nobody/x"]);
    bucket.refused(5, &["nobody"]);

    imports.s3.fault("stage", 1000, s3::Fault::Elsewhere("us-west-2"));
    imports.job(&redis.url(), "region").refused(5, &["us-west-2"]);
}

/// Between the end of the files and the beginning of the import somebody changes them.
#[test]
fn files_that_changed_before_the_import_are_noticed() {
    let redis = filled(KEYS);
    let imports = Imports::new();
    // A run that has staged its files and may not begin its import.
    let staged = |name: &str| {
        let job = imports.job(&redis.url(), name).with(&["--compress", "none"]);
        imports.double.refuse("ImportTable", "AccessDeniedException");
        job.refused(5, &["not allowed to call", "ImportTable", "IAM policy"]);
        let files = imports.s3.keys("stage", &format!("{name}/data/")).unwrap();
        assert!(!files.is_empty());
        (job, files)
    };

    let (job, files) = staged("foreign");
    imports.s3.put("stage", "foreign/data/zzz.json", BAD.as_bytes()).unwrap();
    let ended = job.end(&["--resume"]).expect_code(&[5]).unwrap();
    assert!(ended.stderr.contains("data/zzz.json: the manifest does not know"), "{}", ended.stderr);
    assert!(!files.contains(&"foreign/data/zzz.json".to_owned()));

    let (job, files) = staged("changed");
    imports.s3.put("stage", &files[0], BAD.as_bytes()).unwrap();
    let ended = job.end(&["--resume"]).expect_code(&[5]).unwrap();
    assert!(ended.stderr.contains("it was changed while"), "{}", ended.stderr);
}

/// Has a job load files slowly, spoils the one that the service reads last, and says how the run ended; with the name of
/// that file. Whoever kills it meanwhile resumes it.
fn spoiled(
    imports: &Imports,
    job: &Job,
    name: &str,
    killed: bool,
    spoil: impl FnOnce(&str) -> String,
) -> (Ended, String) {
    let job = job.clone().with(&["--compress", "none", "--max-file-items", "100"]);
    let is_under_way = || {
        let mut client = imports.double.tables().connect().unwrap();
        client.scan(name, &keys()).is_ok_and(|found| !found.is_empty())
    };
    let meanwhile = || {
        let mut files = imports.s3.keys("stage", &format!("{name}/data/")).unwrap();
        // The double reads them in the order of their ends.
        files.sort_by_key(|file| file.chars().rev().collect::<String>());
        assert!(files.len() >= 3, "{files:?}");
        let last = files.pop().unwrap();
        let good = String::from_utf8(imports.s3.get("stage", &last).unwrap()).unwrap();
        imports.s3.put("stage", &last, spoil(&good).as_bytes()).unwrap();
        last
    };
    let mut arguments = vec!["--json"];
    if killed {
        assert!(job.kill_when(&arguments, is_under_way));
        arguments.push("--resume");
    }
    // Whoever resumes looks first whether the files are still the same, and then at the load.
    let looks = || {
        imports.double.recorded().iter().filter(|call| call.target.contains(".Describe")).count()
    };
    let before = looks();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| job.end(&arguments));
        wait_until("the load is under way", || is_under_way() && looks() > before);
        let file = meanwhile();
        (run.join().unwrap(), file)
    })
}

/// Makes these lines items that no table takes, with the key that they have.
fn too_big(text: &str, lines: &[usize]) -> String {
    let big = format!("{{\"Item\":{{\"big\":{{\"S\":\"{}\"}},", "x".repeat(410_000));
    let spoil = |(at, line): (usize, &str)| match lines.contains(&at) {
        true => line.replacen("{\"Item\":{", &big, 1),
        false => line.to_owned(),
    };
    text.lines().enumerate().map(spoil).collect::<Vec<_>>().join("\n")
}

/// The keys of these lines.
fn keys_of(text: &str, lines: &[usize]) -> Vec<String> {
    let key = |at: &usize| {
        let line: Value = serde_json::from_str(text.lines().nth(*at).unwrap()).unwrap();
        line["Item"]["key"]["S"].as_str().unwrap().to_owned()
    };
    lines.iter().map(key).collect()
}

/// How many records were read, written and rejected, and how many items are in the table.
fn counts(ended: &Ended) -> [u64; 4] {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let counts = &report["counts"];
    let rejected: u64 =
        counts["rejected"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(count("read"), count("written") + rejected, "{}", ended.stdout);
    [count("read"), count("written"), rejected, count("items")]
}

/// The lines of a reject file, by key.
fn rejects(imports: &Imports, name: &str) -> Vec<Value> {
    let path = imports.world.path(&format!("work-{name}")).join("rejects.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["key"].to_string());
    lines
}

/// Every record of which the service refused the item is rejected: counted, named, and missing in the table.
#[test]
fn records_whose_items_are_refused_are_rejected_by_name() {
    let redis = filled(20 * KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let dump = redis.save().unwrap();
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_millis(300));
    imports.double.tables().connect().unwrap().create_table("bulk", &keys()).unwrap();
    let from_server = redis.url();
    let from_dump = dump.display().to_string();
    for (name, from, how, killed) in [
        ("refused", &from_server, "import", false),
        ("killed", &from_dump, "import", true),
        ("bulk", &from_dump, "bulk", false),
    ] {
        let job = imports.load(from, name, how);
        let lines = [3, 5, 40];
        let mut spoiled_keys = Vec::new();
        let (ended, file) = spoiled(&imports, &job, name, killed, |text| {
            spoiled_keys = keys_of(text, &lines);
            too_big(text, &lines)
        });
        let ended = ended.expect_code(&[1]).unwrap();
        let all = expected.len() as u64;
        assert_eq!(counts(&ended), [all, all - 3, 3, all - 3], "{name}");
        let mut left = expected.clone();
        left.retain(|key, _| !spoiled_keys.contains(key));
        same(&table(&mut imports.double.tables().connect().unwrap(), name), &left);

        let told = rejects(&imports, name);
        assert_eq!(told.len(), 3, "{name}: {told:?}");
        for (key, at) in spoiled_keys.iter().zip(lines) {
            let is_it = |line: &&Value| match line["db"].as_u64().unwrap() {
                0 => line["key"] == key.as_str(),
                db => format!("db{db}:{}", line["key"].as_str().unwrap()) == *key,
            };
            let line = told.iter().find(is_it).unwrap();
            assert_eq!(line["reason"], "refused");
            assert!(line["offset"].is_u64(), "{line}");
            let data = file.strip_prefix(&format!("{name}/")).unwrap();
            let begins =
                format!("the table does not take its item key=\"{key}\" ({data}, item {at}): ");
            let detail = line["detail"].as_str().unwrap();
            assert!(detail.starts_with(&begins) && detail.contains("size"), "{detail}");
        }

        // Once more, and nothing is counted or named twice.
        let job = job.with(&["--compress", "none", "--max-file-items", "100"]);
        let again = job.end(&["--json", "--resume"]).expect_code(&[1]).unwrap();
        assert_eq!(counts(&again), counts(&ended));
        assert_eq!(rejects(&imports, name), told);

        // What is missing can be put there.
        let found = job.verify_ends().expect_code(&[1]).unwrap();
        assert!(found.stdout.contains("  Missing        3  in the"), "{}", found.stdout);
        job.repair().expect_code(&[0, 1]).unwrap();
        job.verify();
        same(&table(&mut imports.double.tables().connect().unwrap(), name), &expected);
    }
}

/// Without a log, or after the end of what can be read of a file, nobody knows which records are missing; but how many.
#[test]
fn items_that_nobody_names_are_counted_all_the_same() {
    let redis = filled(20 * KEYS);
    let all = 20 * KEYS as u64;
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_millis(300));
    let told = |count: usize| {
        format!(
            "{count} items that no log or report names, as far as it was read, are not in the table"
        )
    };

    // The file ends in the middle of a line.
    let job = imports.job(&redis.url(), "cut");
    let mut lost = 0;
    let (ended, file) = spoiled(&imports, &job, "cut", false, |text| {
        let at = text.match_indices('\n').nth(9).unwrap().0;
        lost = text.lines().count() - 10;
        format!("{}\n{{\"Item\":{{\"key\":", &text[..at])
    });
    let ended = ended.expect_code(&[1]).unwrap();
    let missing = lost as u64;
    assert_eq!(counts(&ended), [all, all - missing, missing, all - missing]);
    let lines = rejects(&imports, "cut");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let data = file.strip_prefix("cut/").unwrap();
    for (line, reason, begins) in [
        (
            &lines[0],
            "not_ours",
            format!("the run did not write what was refused here: {data}, item 10: "),
        ),
        (&lines[1], "refused", told(lost)),
    ] {
        assert_eq!((&line["reason"], &line["key"]), (&reason.into(), &"".into()));
        assert!(
            line.get("offset").is_none() && line["detail"].as_str().unwrap().starts_with(&begins),
            "{line}"
        );
    }

    imports.double.forget_logs();
    let job = imports.job(&redis.url(), "silent");
    let (ended, _) = spoiled(&imports, &job, "silent", false, |text| too_big(text, &[7, 8]));
    let ended = ended.expect_code(&[1]).unwrap();
    assert_eq!(counts(&ended), [all, all - 2, 2, all - 2]);
    let lines = rejects(&imports, "silent");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["detail"], told(2));
    assert!(ended.stdout.contains("2 items are not in the table, and no log or report, as far as"));
}

/// Not one item is taken, and every record is accounted for.
#[test]
fn a_table_that_takes_nothing_leaves_every_record_rejected() {
    let redis = filled(KEYS);
    let all = KEYS as u64;
    let imports = Imports::new();
    let job = imports.job(&redis.url(), "none").with(&["--compress", "none"]);
    imports.double.refuse("ImportTable", "AccessDeniedException");
    job.refused(5, &["not allowed to call", "ImportTable"]);
    for file in imports.s3.keys("stage", "none/data/").unwrap() {
        let text = String::from_utf8(imports.s3.get("stage", &file).unwrap()).unwrap();
        // As long as before, or it would be noticed.
        let text = text.replace("{\"key\":", "{\"kez\":");
        imports.s3.put("stage", &file, text.as_bytes()).unwrap();
    }
    let ended = job.end(&["--json", "--resume"]).expect_code(&[1]).unwrap();
    assert_eq!(counts(&ended), [all, 0, all, 0]);
    let lines = rejects(&imports, "none");
    let of = |reason: &str| lines.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!((of("not_ours"), of("refused")), (KEYS, 1));
}

/// What somebody else put behind the items of a run is none of its records.
#[test]
fn foreign_items_are_named_and_a_cancelled_import_is_told() {
    let redis = filled(20 * KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_millis(300));
    let job = imports.job(&redis.url(), "partly");
    let mut good = 0;
    let (ended, file) = spoiled(&imports, &job, "partly", false, |text| {
        good = text.lines().count();
        format!("{text}{BAD}")
    });
    let ended = ended.expect_code(&[1]).unwrap();
    let all = expected.len() as u64;
    assert_eq!(counts(&ended), [all, all, 0, all]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&report["loaded"]["errors"], &report["loaded"]["written"]),
        (&2.into(), &all.into())
    );
    assert!(report["loaded"]["failure"].as_str().unwrap().starts_with("ItemValidationError"));
    let lines = rejects(&imports, "partly");
    for (line, at) in lines.iter().zip([good, good + 1]) {
        assert_eq!(line["reason"], "not_ours");
        let place = format!("refused here: {file}, item {at}: ");
        assert!(line["detail"].as_str().unwrap().contains(&place), "{line}");
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
    // The good ones are there.
    same(&table(&mut imports.double.tables().connect().unwrap(), "partly"), &expected);

    // Once more, from the beginning: that is another import, and not the failed one remembered.
    imports.double.set_pause(std::time::Duration::ZERO);
    let mut client = imports.double.tables().connect().unwrap();
    client.call("DeleteTable", "{\"TableName\":\"partly\"}").unwrap();
    let job = job.with(&["--compress", "none", "--max-file-items", "100"]);
    let ended = job.end(&["--json", "--restart"]).expect_code(&[0]).unwrap();
    assert_eq!(counts(&ended), [all, all, 0, all]);
    assert!(rejects(&imports, "partly").is_empty());
    same(&table(&mut client, "partly"), &expected);

    imports.double.set_pause(std::time::Duration::from_millis(300));
    let job = imports.job(&redis.url(), "stopped");
    let (ended, _) = spoiled(&imports, &job, "stopped", false, |text| {
        imports.double.cancel();
        text.to_owned()
    });
    let ended = ended.expect_code(&[5]).unwrap();
    for word in ["table stopped was not loaded", "cancelled", "delete it and run again"] {
        assert!(ended.stderr.contains(word), "no {word:?} in: {}", ended.stderr);
    }
}

/// Where a load was stopped, or nobody knows how it ended, there is no telling what it would have taken: the run has not
/// ended either.
#[test]
fn a_load_that_did_not_come_to_its_end_is_no_finished_run() {
    let redis = filled(20 * KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let all = expected.len() as u64;
    let imports = Imports::new();
    for (name, status, word) in [
        ("cancelled", "CANCELLED", "the bulk put was cancelled"),
        ("failed", "FAILED", "the bulk put failed, and does not say why"),
        ("unknown", "PAUSED", "the bulk put is PAUSED"),
    ] {
        imports.double.tables().connect().unwrap().create_table(name, &keys()).unwrap();
        let job = imports.load(&redis.url(), name, "bulk");
        imports.double.end_as(status);
        job.refused(5, &[&format!("table {name} was not loaded"), word]);
        let again = job.end(&["--resume"]).expect_code(&[5]).unwrap();
        assert!(again.stderr.contains(word), "{}", again.stderr);
        assert!(!imports.world.path(&format!("work-{name}")).join("report.json").exists());
        let ended = job.end(&["--json", "--restart"]).expect_code(&[0]).unwrap();
        assert_eq!(counts(&ended), [all, all, 0, all]);
        same(&table(&mut imports.double.tables().connect().unwrap(), name), &expected);
    }

    // Nor where it had refused something by then.
    imports.double.set_pause(std::time::Duration::from_millis(300));
    imports.double.end_as("CANCELLED");
    let job = imports.job(&redis.url(), "both");
    let (ended, _) = spoiled(&imports, &job, "both", false, |text| too_big(text, &[7]));
    let ended = ended.expect_code(&[5]).unwrap();
    assert!(ended.stderr.contains("the import was cancelled"), "{}", ended.stderr);
    assert!(rejects(&imports, "both").is_empty());
}

/// Files that may not be read again are not taken for somebody else's.
#[test]
fn refused_items_are_named_once_the_files_can_be_read() {
    let redis = filled(20 * KEYS);
    let all = 20 * KEYS as u64;
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_millis(300));
    imports.s3.fault("GET /stage/kept/data/", 1, s3::Fault::Refuse(403, "AccessDenied"));
    let job = imports.job(&redis.url(), "kept");
    let mut good = String::new();
    let (ended, file) = spoiled(&imports, &job, "kept", false, |text| {
        good = text.to_owned();
        too_big(text, &[3, 5])
    });
    let ended = ended.expect_code(&[5]).unwrap();
    assert!(ended.stderr.contains("access denied"), "{}", ended.stderr);
    assert!(rejects(&imports, "kept").is_empty());

    // Or the resume would notice that it was changed.
    imports.s3.put("stage", &file, good.as_bytes()).unwrap();
    let job = job.with(&["--compress", "none", "--max-file-items", "100"]);
    let ended = job.end(&["--json", "--resume"]).expect_code(&[1]).unwrap();
    assert_eq!(counts(&ended), [all, all - 2, 2, all - 2]);
    let lines = rejects(&imports, "kept");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line["reason"] == "refused" && line["key"] != ""), "{lines:?}");
}

/// A file that lost its end after the last look is read without any error.
#[test]
fn items_that_a_complete_load_did_not_find_are_counted() {
    let redis = filled(20 * KEYS);
    let all = 20 * KEYS as u64;
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_millis(300));
    imports.double.tables().connect().unwrap().create_table("bulk", &keys()).unwrap();
    for (name, how) in [("import", "import"), ("bulk", "bulk")] {
        let job = imports.load(&redis.url(), name, how);
        let mut lost = 0;
        let (ended, _) = spoiled(&imports, &job, name, false, |text| {
            lost = text.lines().count() as u64 - 10;
            text[..=text.match_indices('\n').nth(9).unwrap().0].to_owned()
        });
        let ended = ended.expect_code(&[1]).unwrap();
        assert!(lost > 1);
        assert_eq!(counts(&ended), [all, all - lost, lost, all - lost], "{name}");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (&report["loaded"]["errors"], &report["loaded"]["failure"]),
            (&0.into(), &Value::Null)
        );
        let lines = rejects(&imports, name);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let told = format!("{lost} items that no log or report names");
        assert!(lines[0]["detail"].as_str().unwrap().starts_with(&told), "{}", lines[0]);
        let found = table(&mut imports.double.tables().connect().unwrap(), name);
        assert_eq!(found.len() as u64, all - lost);
    }
}
