//! `kill -9` at random moments, again and again, on every route; resumed until it ends, the target equals the source.
//!
//! `KEYSTAR_KILL_ROUNDS` is how often on the four main routes together (default 50; the others have a few more),
//! `KEYSTAR_KILL_SEED` makes it another series.

use std::time::Duration;

use keystar_kit::double::Double;
use keystar_kit::fault::{Call, Fault, FaultProxy};
use keystar_kit::migrate;
use keystar_kit::random::Random;
use keystar_kit::redis_cluster::Cluster;
use keystar_kit::s3::S3;

use crate::job::Job;
use crate::source::{Items, cluster_items, fill_cluster, filled, items};
use crate::target::{World, has_files, same, table};

const KEYS: usize = 1500;
const ROUTES: u64 = 4;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What the rounds of a route have in common.
struct Series {
    rounds: u64,
    random: Random,
    kills: u64,
}

impl Series {
    fn new(route: u64) -> Self {
        let part = if route < ROUTES { ROUTES } else { 4 * ROUTES };
        let rounds = setting("KEYSTAR_KILL_ROUNDS", 50).div_ceil(part);
        let random = Random::nth(setting("KEYSTAR_KILL_SEED", 1), route);
        Self { rounds, random, kills: 0 }
    }

    /// Kills the run once it has come a random part of the whole further, resumes it, kills it again one time in two,
    /// and so on; the last resume goes to the end. `progress` tells how far it is.
    fn round(&mut self, job: &Job, whole: u64, progress: impl Fn() -> u64) {
        let mut more: &[&str] = &[];
        loop {
            let goal = progress() + self.random.below(whole);
            if !job.kill_when(more, || progress() >= goal) {
                break;
            }
            self.kills += 1;
            more = &["--resume"];
            if self.random.below(2) == 0 {
                break;
            }
        }
        job.end(&["--resume"]).expect_code(&[0]).unwrap();
    }

    fn ended(&self) {
        assert!(
            2 * self.kills >= self.rounds,
            "only {} kills came before the end in {} rounds",
            self.kills,
            self.rounds
        );
    }
}

/// DynamoDB behind a proxy that takes its time and counts.
fn slow_tables(world: &World) -> FaultProxy {
    let slow = |call: &Call| {
        (call.operation == "BatchWriteItem").then_some(Fault::Slow(Duration::from_millis(20)))
    };
    FaultProxy::start(&world.db.endpoint(), &["key"], slow).unwrap()
}

/// Into a table, from anywhere.
fn into_tables(route: u64, from: &str, expected: &Items, limit: &[&str]) {
    let world = World::new();
    let proxy = slow_tables(&world);
    let mut series = Series::new(route);
    for round in 0..series.rounds {
        let name = format!("round{round}");
        world.make_table(&name);
        let job = world.to_table_by(&proxy.endpoint(), from, &name).with(limit);
        let progress = || proxy.seen().writes as u64;
        series.round(&job, expected.len() as u64, progress);
        world.has_table(&name, expected);
        if round == 0 {
            job.verify();
        }
    }
    series.ended();
}

#[test]
fn a_server_to_a_table() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    into_tables(0, &redis.url(), &expected, &["--max-keys-per-second", "1500"]);
}

#[test]
fn a_dump_to_a_table() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let dump = redis.save().unwrap();
    into_tables(1, dump.to_str().unwrap(), &expected, &["--max-write-units", "3000"]);
}

/// A snapshot cannot be gone on with: it is read again, and what it says of a key is written again.
#[test]
fn a_snapshot_to_a_table() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let limit = ["--via", "rdb", "--max-write-units", "3000"];
    into_tables(4, &redis.url(), &expected, &limit);
}

#[test]
fn a_cluster_to_a_table() {
    let cluster = Cluster::start(0).unwrap();
    fill_cluster(&cluster, KEYS, true);
    let primaries: Vec<_> = cluster.nodes.iter().collect();
    let expected = cluster_items(&primaries);
    into_tables(5, &cluster.url(), &expected, &["--max-keys-per-second", "1500"]);
}

#[test]
fn a_server_to_files() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let world = World::new();
    let mut series = Series::new(2);
    // Small files, so that there are checkpoints between them.
    let job = |name: &str| {
        let job = world.to_files(&redis.url(), name);
        job.with(&["--max-file-items", "40", "--max-keys-per-second", "1500"])
    };
    let whole = job("whole");
    whole.run();
    let bytes = migrate::bytes_below(whole.folder());
    for round in 0..series.rounds {
        let job = job(&format!("round{round}"));
        series.round(&job, bytes, || migrate::bytes_below(job.folder()));
        has_files(&job, &expected);
        job.verify();
    }
    series.ended();
}

#[test]
fn a_dump_to_an_import() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let dump = redis.save().unwrap();
    let (world, s3) = (World::new(), S3::start().unwrap());
    s3.make_bucket("stage").unwrap();
    let double = Double::start(&s3).unwrap();
    double.set_pause(Duration::from_millis(30));
    let mut series = Series::new(3);
    let job = |name: &str| {
        Job::new(dump.to_str().unwrap(), format!("dynamodb://{name}"), &world.path(name))
            .tables_at(&double.endpoint())
            .reach(&["--s3-endpoint-url", &s3.endpoint()])
            .reach(&["--logs-endpoint-url", &double.endpoint()])
            .with(&["--load", "import", "--stage", &format!("s3://stage/{name}")])
            .with(&["--max-file-items", "100"])
    };
    // Uploads, the import's beginning, and every look at how far it is.
    let progress = || (s3.requests().len() + double.recorded().len()) as u64;
    let before = progress();
    job("whole").run();
    let whole = progress() - before;
    for round in 0..series.rounds {
        let name = format!("round{round}");
        let jobs = double.jobs();
        let job = job(&name);
        series.round(&job, whole, progress);
        same(&table(&mut double.tables().connect().unwrap(), &name), &expected);
        assert_eq!(double.jobs(), jobs + 1, "a killed run began its import again");
        if round == 0 {
            job.verify();
        }
    }
    series.ended();
}

/// A resumed run reads and writes what comes after its last checkpoint, and not all of it again.
#[test]
fn what_was_written_is_not_written_again() {
    let redis = filled(6000);
    let expected = items(&mut redis.connect().unwrap());
    let world = World::new();
    let proxy = FaultProxy::start(&world.db.endpoint(), &["key"], |_| None).unwrap();
    world.make_table("target");
    let job = world.to_table_by(&proxy.endpoint(), &redis.url(), "target");
    let job = job.with(&["--max-keys-per-second", "1000"]);
    assert!(job.kill_when(&[], || proxy.seen().writes >= 4500));
    let before = proxy.seen().writes;
    job.end(&["--resume"]).expect_code(&[0]).unwrap();
    let after = proxy.seen().writes - before;
    assert!(after < 4500, "{after} of 6000 items were written after {before}");
    world.has_table("target", &expected);
    job.verify();
}
