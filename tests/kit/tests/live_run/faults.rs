//! Both sides go wrong while a run is under way, and it ends well by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keystar_kit::double::Double;
use keystar_kit::fault::{Call, Fault, FaultProxy};
use keystar_kit::redis::Reply;
use keystar_kit::redis_cluster::Cluster;
use keystar_kit::redis_proxy::Proxy;
use keystar_kit::redis_sentinel::Watched;
use keystar_kit::s3::S3;

use crate::job::{Job, wait_until};
use crate::source::{cluster_items, fill, fill_cluster, filled, items};
use crate::target::{World, has_files, same, table};

const KEYS: usize = 1800;
/// So that a run takes some seconds.
const SLOWLY: [&str; 2] = ["--max-keys-per-second", "600"];

/// Into a table, with a proxy in between that tells how far the run is.
struct Watch {
    world: World,
    proxy: FaultProxy,
    job: Job,
}

impl Watch {
    fn new(from: &str, script: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> Self {
        let world = World::new();
        world.make_table("target");
        let proxy = FaultProxy::start(&world.db.endpoint(), &["key"], script).unwrap();
        let job = Job::new(from, "dynamodb://target", &world.path("work"));
        let job = job.tables_at(&proxy.endpoint());
        Self { world, proxy, job }
    }

    fn slowly(from: &str) -> Self {
        let mut watch = Self::new(from, |_| None);
        watch.job = watch.job.with(&SLOWLY);
        watch
    }

    fn wait_for_writes(&self, writes: usize) {
        wait_until("the run writes", || self.proxy.seen().writes >= writes);
    }
}

#[test]
fn redis_is_killed_and_comes_back() {
    let mut redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let watch = Watch::slowly(&redis.url());
    watch.job.run_while(|| {
        watch.wait_for_writes(300);
        redis.save().unwrap();
        redis.kill().unwrap();
        thread::sleep(Duration::from_millis(700));
        redis.start_again().unwrap();
    });
    watch.world.has_table("target", &expected);
    watch.job.verify();
}

#[test]
fn connections_are_reset_again_and_again() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let proxy = Proxy::start(redis.address()).unwrap();
    let watch = Watch::slowly(&format!("redis://{}", proxy.address()));
    watch.job.run_while(|| {
        for writes in [100, 600, 1100] {
            watch.wait_for_writes(writes);
            proxy.cut();
        }
    });
    assert!(proxy.connections() >= 4, "{} connections", proxy.connections());
    watch.world.has_table("target", &expected);
    watch.job.verify();

    // And in the middle of answers.
    proxy.cut_after(60_000);
    let files = watch.world.to_files(&format!("redis://{}", proxy.address()), "files");
    files.run();
    has_files(&files, &expected);
}

#[test]
fn a_primary_of_a_cluster_dies_and_a_slot_moves() {
    let mut cluster = Cluster::start(1).unwrap();
    fill_cluster(&cluster, KEYS, false);
    let primaries: Vec<_> = cluster.nodes[..3].iter().collect();
    let expected = cluster_items(&primaries);
    let slots: Vec<u16> = cluster.slots_of(1).unwrap().into_iter().take(300).collect();
    let watch = Watch::slowly(&cluster.nodes[1].url());
    watch.job.run_while(|| {
        watch.wait_for_writes(200);
        for slot in slots {
            cluster.move_slot(slot, 1, 2).unwrap();
        }
        watch.wait_for_writes(600);
        cluster.fail_over(0).unwrap();
    });
    watch.world.has_table("target", &expected);
    watch.job.verify();
}

#[test]
fn sentinels_choose_another_primary() {
    let mut watched = Watched::start().unwrap();
    let connection = &mut watched.servers[0].connect().unwrap();
    fill(connection, KEYS);
    let expected = items(connection);
    connection.command(&["WAIT", "1", "10000"]).unwrap();
    let watch = Watch::slowly(&watched.url());
    watch.job.run_while(|| {
        watch.wait_for_writes(400);
        watched.servers[0].kill().unwrap();
    });
    watch.world.has_table("target", &expected);
    watch.job.verify();
}

/// Each way in which a table's service goes wrong, one after another.
#[test]
fn the_table_throttles_breaks_down_and_loses_answers() {
    let faults = [
        Fault::Unprocessed(3),
        Fault::Refuse(400, "ProvisionedThroughputExceededException"),
        Fault::Refuse(400, "ThrottlingException"),
        Fault::Refuse(500, "InternalServerError"),
        Fault::Refuse(503, "ServiceUnavailable"),
        Fault::Unheard,
        Fault::AnswerLost,
        Fault::Slow(Duration::from_millis(300)),
        Fault::Unprocessed(1),
    ];
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let turn = AtomicUsize::new(0);
    let watch = Watch::new(&redis.url(), move |call| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let is_write = call.operation == "BatchWriteItem";
        (is_write && turn.is_multiple_of(3)).then(|| faults[turn / 3 % faults.len()].clone())
    });
    watch.job.run();
    let seen = watch.proxy.seen();
    assert!(seen.faults > 2 * 9, "{seen:?}");
    assert_eq!(seen.overlaps, 0, "{seen:?}");
    assert!(seen.largest <= 25, "{seen:?}");
    watch.world.has_table("target", &expected);

    // Reading goes wrong as well.
    let turn = AtomicUsize::new(0);
    watch.proxy.script(move |_| match turn.fetch_add(1, Ordering::Relaxed) % 6 {
        1 => Some(Fault::Refuse(400, "ProvisionedThroughputExceededException")),
        2 => Some(Fault::Refuse(500, "InternalServerError")),
        3 => Some(Fault::AnswerLost),
        _ => None,
    });
    watch.job.verify();
}

/// A write whose answer does not come is sent again, and the run waits no longer for it.
#[test]
fn the_table_does_not_answer_in_time() {
    let redis = filled(900);
    let expected = items(&mut redis.connect().unwrap());
    let watch = Watch::new(&redis.url(), |call| {
        let is_one = call.operation == "BatchWriteItem" && call.number == 3;
        is_one.then_some(Fault::Slow(Duration::from_secs(50)))
    });
    let begun = Instant::now();
    watch.job.run();
    assert!(begun.elapsed() < Duration::from_secs(48), "{:?}", begun.elapsed());
    let seen = watch.proxy.seen();
    assert_eq!((seen.faults, seen.writes), (1, expected.len() + 25), "{seen:?}");
    watch.world.has_table("target", &expected);
    watch.job.verify();
}

/// One request in three to the bucket goes wrong, in one way after another.
#[test]
fn the_bucket_of_an_import_goes_wrong() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let (world, s3) = (World::new(), S3::start().unwrap());
    s3.make_bucket("stage").unwrap();
    let double = Double::start(&s3).unwrap();
    s3.shake(3);
    let job = Job::new(redis.url(), "dynamodb://target", &world.path("work"))
        .tables_at(&double.endpoint())
        .reach(&["--s3-endpoint-url", &s3.endpoint()])
        .reach(&["--logs-endpoint-url", &double.endpoint()])
        .with(&["--load", "import", "--stage", "s3://stage/x", "--max-file-items", "100"]);
    job.run();
    same(&table(&mut double.tables().connect().unwrap(), "target"), &expected);
    job.verify();
    assert!(s3.requests().len() >= 12, "{} requests", s3.requests().len());
}

/// A service that stays away: the run ends by itself, says who is at fault, and goes on when it is back.
#[test]
fn a_table_that_stays_broken_ends_the_run_which_is_resumed() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    let watch = Watch::new(&redis.url(), |call| {
        let is_late = call.operation == "BatchWriteItem" && call.number > 20;
        is_late.then_some(Fault::Refuse(400, "AccessDeniedException"))
    });
    let ended = watch.job.refused(5, &["not allowed to call", "BatchWriteItem", "IAM policy"]);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    watch.proxy.script(|_| None);
    watch.job.end(&["--resume"]).expect_code(&[0]).unwrap();
    watch.world.has_table("target", &expected);
    watch.job.verify();
}

/// What changes after it was copied is told, by key.
#[test]
fn verify_tells_what_is_not_the_same() {
    let redis = filled(900);
    let watch = Watch::new(&redis.url(), |_| None);
    watch.job.run();
    let connection = &mut redis.connect().unwrap();
    connection.command(&["SET", "text:9", "another"]).unwrap();
    connection.command(&["SET", "new", "one"]).unwrap();
    connection.command(&["DEL", "list:2"]).unwrap();
    let found = watch.job.verify_ends().expect_code(&[1]).unwrap();
    for (word, count) in [("Missing", 1), ("Extra", 1), ("Different", 1)] {
        let line = found.stdout.lines().find(|line| line.contains(word)).unwrap_or_default();
        assert!(line.split_whitespace().any(|part| part == count.to_string()), "{}", found.stdout);
    }
    for key in ["text:9", "new", "list:2"] {
        assert!(found.stdout.contains(key), "{key}: {}", found.stdout);
    }
}

/// Keys that expire while a run is under way, or before it is verified, are no differences.
#[test]
fn keys_expire_between_the_run_and_its_check() {
    let redis = filled(900);
    let mut expected = items(&mut redis.connect().unwrap());
    let watch = Watch::new(&redis.url(), |_| None);
    let connection = &mut redis.connect().unwrap();
    for n in 0..50 {
        connection.command(&["SET", &format!("soon:{n}"), "x", "PX", "2500"]).unwrap();
    }
    watch.job.run();
    wait_until("they expire", || {
        let left = connection.command(&["EXISTS", "soon:0"]).unwrap();
        left == Reply::Integer(0)
    });
    let mut found = table(&mut watch.world.db.connect().unwrap(), "target");
    // The table's own time to live takes them away, some time later.
    found.retain(|key, item| !key.starts_with("soon:") || item["ttl"]["N"].is_null());
    expected.retain(|key, _| !key.starts_with("soon:"));
    same(&found, &expected);
    watch.job.verify();
}
