//! Runs that cannot be: an exit code that tells whose fault it is, words that say what, and what to do.

use keystar_kit::double::Double;
use keystar_kit::dynamodb::Keys;
use keystar_kit::redis_tls::Certificates;
use keystar_kit::s3::{self, S3};

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
        let work = self.world.path(&format!("work-{name}"));
        Job::new(from, format!("dynamodb://{name}"), &work)
            .tables_at(&self.double.endpoint())
            .reach(&["--s3-endpoint-url", &self.s3.endpoint()])
            .reach(&["--logs-endpoint-url", &self.double.endpoint()])
            .with(&["--load", "import", "--stage", &format!("s3://stage/{name}")])
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

/// The files that the service reads last, spoiled once the import is under way.
#[test]
fn an_import_that_refuses_items_or_is_cancelled_says_so() {
    // Enough for several files.
    let redis = filled(20 * KEYS);
    let imports = Imports::new();
    imports.double.set_pause(std::time::Duration::from_secs(1));
    let begun = |name: &'static str, meanwhile: &dyn Fn()| {
        let job = imports.job(&redis.url(), name);
        let job = job.with(&["--compress", "none", "--max-file-items", "100"]);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| job.end(&[]));
            wait_until("the import is under way", || {
                let mut client = imports.double.tables().connect().unwrap();
                client.scan(name, &keys()).is_ok_and(|found| !found.is_empty())
            });
            meanwhile();
            run.join().unwrap()
        })
    };
    let spoil = || {
        let mut files = imports.s3.keys("stage", "partly/data/").unwrap();
        // The double reads them in the order of their ends.
        files.sort_by_key(|file| file.chars().rev().collect::<String>());
        assert!(files.len() >= 3, "{files:?}");
        let last = files.last().unwrap();
        let good = imports.s3.get("stage", last).unwrap();
        imports.s3.put("stage", last, &[&good, BAD.as_bytes()].concat()).unwrap();
    };
    let ended = begun("partly", &spoil).expect_code(&[1]).unwrap();
    for word in ["ItemValidationError", "2 refused", "partly/data/part-"] {
        assert!(ended.stdout.contains(word), "no {word:?} in: {}", ended.stdout);
    }
    // The good ones are there.
    let expected = items(&mut redis.connect().unwrap());
    same(&table(&mut imports.double.tables().connect().unwrap(), "partly"), &expected);

    let ended = begun("stopped", &|| imports.double.cancel()).expect_code(&[5]).unwrap();
    for word in ["table stopped was not loaded", "cancelled", "delete it and run again"] {
        assert!(ended.stderr.contains(word), "no {word:?} in: {}", ended.stderr);
    }
}
