//! Files in buckets, on either side, by credentials that only a profile has.

use std::path::{Path, PathBuf};

use keystar_kit::s3::{ACCESS_KEY, Fault, REGION, S3, SECRET_KEY};
use keystar_kit::{migrate, places};
use tempfile::TempDir;

use crate::job::Job;

/// An S3, and a profile that it knows: nothing else in the environment of a run says who it is.
struct World {
    s3: S3,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = format!(
            "[moving]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        );
        std::fs::write(folder.path().join("credentials"), profile).unwrap();
        let s3 = S3::start().unwrap();
        s3.make_bucket("backups").unwrap();
        Self { s3, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shop() -> PathBuf {
        places::workspace().join("examples/shop.rdb")
    }

    /// Without anybody's keys in the environment, nor a region.
    fn nobodys(&self, from: &str, to: &Path, work: &str) -> Job {
        Job::new(from, to.to_str().unwrap(), &self.path(work))
            .environment("AWS_ACCESS_KEY_ID", "")
            .environment("AWS_SECRET_ACCESS_KEY", "")
            .environment("AWS_SHARED_CREDENTIALS_FILE", self.path("credentials").to_str().unwrap())
            .with(&["--compress", "none"])
    }

    fn job(&self, from: &str, to: &Path, work: &str) -> Job {
        self.nobodys(from, to, work)
            .reach(&["--profile", "moving", "--region", REGION])
            .reach(&["--s3-endpoint-url", &self.s3.endpoint()])
    }

    /// A command other than `run` and `verify`.
    fn other(&self, command: &str, arguments: &[&str]) -> migrate::Ended {
        let endpoint = self.s3.endpoint();
        let words = ["--profile", "moving", "--region", REGION, "--s3-endpoint-url", &endpoint];
        let mut program = migrate::command(&[&[command], arguments, &words].concat()).unwrap();
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("AWS_") {
                program.env_remove(variable);
            }
        }
        program
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", self.path("credentials"));
        migrate::Ended::from(program.output().unwrap()).expect_code(&[0]).unwrap()
    }

    /// What a run writes that has nothing to do with buckets.
    fn expected(&self) -> Vec<String> {
        let to = self.path("expected");
        let shop = Self::shop();
        self.nobodys(shop.to_str().unwrap(), &to, "expected/run").run();
        migrate::sorted_lines(&to).unwrap()
    }

    fn lines(&self, prefix: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for key in self.s3.keys("backups", prefix).unwrap() {
            let text = String::from_utf8(self.s3.get("backups", &key).unwrap()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        lines
    }
}

#[test]
fn files_go_to_a_bucket_by_a_profile() {
    let world = World::new();
    let shop = World::shop();
    let to = Path::new("s3://backups/out");
    let job = world.job(shop.to_str().unwrap(), to, "work");
    job.run();
    assert_eq!(world.lines("out/data/"), world.expected());
    job.verify();
    assert_eq!(world.s3.signers(), [ACCESS_KEY]);

    let checked =
        world.other("check", &["--from", shop.to_str().unwrap(), "--to", "s3://backups/x"]);
    assert!(checked.stdout.contains("s3://backups/x is empty"), "{}", checked.stdout);
    let restored = world.path("restored");
    world.other("restore", &["--from", "s3://backups/out", "--to", restored.to_str().unwrap()]);
    assert!(std::fs::read(restored).unwrap().starts_with(b"*"));

    // The environment alone says as whom no more than it says where.
    let nobodys = world.nobodys(shop.to_str().unwrap(), to, "nobodys");
    nobodys.refused(5, &["no AWS region is set", "AWS_REGION"]);
    let nobodys = nobodys.reach(&["--region", REGION]);
    nobodys.refused(5, &["no AWS credentials were found", "name a profile"]);
    let missing = world.job(shop.to_str().unwrap(), Path::new("s3://nobody/x"), "missing");
    missing.refused(5, &["there is no bucket nobody"]);
}

#[test]
fn dumps_come_from_a_bucket_by_a_profile() {
    let world = World::new();
    let dump = std::fs::read(World::shop()).unwrap();
    world.s3.put("backups", "nightly/shop-0001.rdb", &dump).unwrap();
    let from = "s3://backups/nightly/";
    let job = world.job(from, &world.path("out"), "out/run");
    job.run();
    let expected = world.expected();
    assert_eq!(migrate::sorted_lines(job.folder()).unwrap(), expected);
    job.verify();
    for command in ["inspect", "plan", "check"] {
        let told = world.other(command, &["--from", from, "--json"]);
        assert!(told.stdout.starts_with('{'), "{command}: {}", told.stdout);
    }
    assert_eq!(world.s3.signers(), [ACCESS_KEY]);

    // What the environment says is enough, too.
    let environments = world
        .nobodys(from, &world.path("env"), "env/run")
        .environment("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .environment("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .environment("AWS_REGION", REGION)
        .environment("AWS_ENDPOINT_URL_S3", &world.s3.endpoint());
    environments.run();
    assert_eq!(migrate::sorted_lines(environments.folder()).unwrap(), expected);
}

#[test]
fn dumps_that_cannot_be_had_say_why() {
    let world = World::new();
    let dump = std::fs::read(World::shop()).unwrap();
    world.s3.put("backups", "nightly/shop-0001.rdb", &dump).unwrap();
    let job = |from: &str, name: &str| world.job(from, &world.path(name), &format!("{name}/run"));
    job("s3://nobody/nightly/", "nobody")
        .refused(4, &["cannot open s3://nobody/nightly", "there is no bucket nobody: correct"]);
    job("s3://backups/hourly/", "none").refused(4, &["there is no dump here"]);

    world.s3.fault("GET", 1, Fault::Elsewhere("ap-south-1"));
    let told =
        "the bucket backups is in the region ap-south-1, but eu-central-1 was asked: set the";
    job("s3://backups/nightly/", "region").refused(4, &[told]);
    world.s3.fault("GET", 1, Fault::Refuse(403, "AccessDenied"));
    job("s3://backups/nightly/", "denied")
        .refused(4, &["access denied", "s3:ListBucket on backups"]);

    // A bucket for everybody is asked without a signature: this one is none, and it is S3 that says so.
    let signers = world.s3.signers();
    let public = |name: &str| {
        world
            .nobodys("s3://backups/nightly/", &world.path(name), &format!("{name}/run"))
            .environment("AWS_SKIP_SIGNATURE", "true")
    };
    public("public")
        .environment("AWS_REGION", REGION)
        .environment("AWS_ENDPOINT_URL_S3", &world.s3.endpoint())
        .refused(4, &["access denied", "s3:ListBucket on backups"]);
    let options = ["--region", REGION, "--s3-endpoint-url", &world.s3.endpoint()];
    public("options").reach(&options).refused(4, &["access denied", "s3:ListBucket on backups"]);
    assert_eq!(world.s3.signers(), signers);
    // Whoever names a profile wants to be that one.
    public("named").reach(&options).reach(&["--profile", "nobody"]).refused(4, &["credentials"]);

    let stranger = job("s3://backups/nightly/", "stranger").reach(&["--assume-role", "arn:none"]);
    stranger.environment("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9").refused(
        4,
        &["cannot open s3://backups/nightly/", "no AWS credentials were found", "name a profile"],
    );
}
