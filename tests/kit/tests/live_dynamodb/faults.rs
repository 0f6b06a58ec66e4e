//! What goes wrong on the way is made good, and nothing is lost or there twice.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use keystar_item::{Item, Number};
use keystar_kit::dynamodb as servers;
use keystar_kit::fault::{Call, Fault, FaultProxy};
use keystar_transfer::{
    DynamoDb, Error, ItemSink, LiveWriter, Mark, Origin, Put, ScanTableOptions, TableItems,
};
use tempfile::TempDir;

use super::{
    connect, create, expect_users, load, options, scan, user, users, with_credentials, write,
};

/// A server with a table of users, a proxy before it, and clients of both.
struct World {
    _server: servers::DynamoDb,
    proxy: FaultProxy,
    /// Past the proxy.
    straight: DynamoDb,
    db: DynamoDb,
    work: TempDir,
}

impl World {
    fn new(script: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> Self {
        let server = servers::DynamoDb::dynoxide().unwrap();
        let proxy = FaultProxy::start(&server.endpoint(), &["key"], script).unwrap();
        let straight = connect(&server.endpoint());
        create(&straight, &users());
        let db = connect(&proxy.endpoint());
        let work = tempfile::tempdir().unwrap();
        Self { _server: server, proxy, straight, db, work }
    }

    fn work(&self) -> &std::path::Path {
        self.work.path()
    }
}

fn writes(call: &Call) -> bool {
    call.operation == "BatchWriteItem"
}

/// Every so many-th write call has a fault.
fn every(
    n: usize,
    fault: impl Fn() -> Fault + Send + 'static,
) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    move |call| (writes(call) && call.number % n == n - 1).then(&fault)
}

fn survives(script: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> World {
    let world = World::new(script);
    let receipt = load(&world.db, options(world.work()), 2000).unwrap();
    assert_eq!((receipt.items, receipt.existing, receipt.repeats), (2000, 0, 0));
    expect_users(&world.straight, 2000);
    let seen = world.proxy.seen();
    assert!(seen.faults > 10, "{seen:?}");
    assert_eq!((seen.overlaps, seen.largest), (0, 25), "{seen:?}");
    world
}

#[test]
fn only_what_was_left_unprocessed_is_sent_again() {
    with_credentials("faults::only_what_was_left_unprocessed_is_sent_again", || {
        let mut lucky = false;
        let world = survives(move |call| {
            lucky = !lucky;
            (writes(call) && lucky).then_some(Fault::Unprocessed(3))
        });
        // A third of half of the calls, and so on: far fewer than if whole calls were repeated.
        let seen = world.proxy.seen();
        assert!((2001..2800).contains(&seen.writes), "{seen:?}");
    });
}

#[test]
fn throttling_is_waited_out() {
    with_credentials("faults::throttling_is_waited_out", || {
        survives(every(5, || Fault::Refuse(400, "ProvisionedThroughputExceededException")));
        survives(every(4, || Fault::Refuse(400, "ThrottlingException")));
    });
}

#[test]
fn errors_of_the_service_are_waited_out() {
    with_credentials("faults::errors_of_the_service_are_waited_out", || {
        survives(every(4, || Fault::Refuse(500, "InternalServerError")));
        survives(every(5, || Fault::Refuse(503, "ServiceUnavailable")));
    });
}

#[test]
fn lost_connections_and_lost_answers_are_made_good() {
    with_credentials("faults::lost_connections_and_lost_answers_are_made_good", || {
        survives(every(5, || Fault::Unheard));
        survives(every(4, || Fault::AnswerLost));
    });
}

#[test]
fn everything_at_once_is_made_good() {
    with_credentials("faults::everything_at_once_is_made_good", || {
        let mut turn = 0;
        survives(move |call| {
            turn += 1;
            let faults = [
                Fault::Unprocessed(2),
                Fault::Refuse(400, "ThrottlingException"),
                Fault::AnswerLost,
                Fault::Unprocessed(1),
                Fault::Refuse(500, "InternalServerError"),
                Fault::Unheard,
                Fault::Slow(Duration::from_millis(30)),
            ];
            if writes(call) && turn % 2 == 0 { faults.get(turn / 2 % 8).cloned() } else { None }
        });
    });
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    with_credentials("faults::an_answer_that_does_not_come_is_not_waited_for", || {
        let world = World::new(every(10, || Fault::Slow(Duration::from_secs(3))));
        let options = options(world.work()).with_timeout(Duration::from_millis(500));
        load(&world.db, options, 1000).unwrap();
        expect_users(&world.straight, 1000);
        assert!(world.proxy.seen().faults >= 4);
    });
}

#[test]
fn a_table_that_throttles_is_asked_for_less() {
    with_credentials("faults::a_table_that_throttles_is_asked_for_less", || {
        // Takes 40 writes in 20 ms, as a bucket that leaks.
        let (mut level, mut at) = (0.0_f64, Instant::now());
        let world = World::new(move |call| {
            if !writes(call) {
                return None;
            }
            level = (level - at.elapsed().as_secs_f64() * 2000.0).max(0.0);
            at = Instant::now();
            if level > 40.0 {
                return Some(Fault::Refuse(400, "ThrottlingException"));
            }
            level += call.parts as f64;
            Some(Fault::Slow(Duration::from_millis(5)))
        });
        let begun = Instant::now();
        load(&world.db, options(world.work()), 4000).unwrap();
        let (took, seen) = (begun.elapsed().as_secs_f64(), world.proxy.seen());
        expect_users(&world.straight, 4000);
        // Two seconds is what there is; asking all the time would be refused most of the time.
        assert!((1.5..8.0).contains(&took), "{took} {seen:?}");
        let calls = seen.calls["BatchWriteItem"];
        assert!(calls < 160 * 4, "{seen:?}");
    });
}

#[test]
fn no_more_units_a_second_than_allowed() {
    with_credentials("faults::no_more_units_a_second_than_allowed", || {
        let world = World::new(|_| None);
        let begun = Instant::now();
        load(&world.db, options(world.work()).with_units(Some(400)), 800).unwrap();
        let took = begun.elapsed().as_secs_f64();
        // Each user is a unit.
        assert!((1.7..6.0).contains(&took), "{took}");
        expect_users(&world.straight, 800);
    });
}

#[test]
fn patience_has_an_end_and_the_run_goes_on_later() {
    with_credentials("faults::patience_has_an_end_and_the_run_goes_on_later", || {
        let world = World::new(|_| None);
        let options = options(world.work()).with_patience(Duration::from_millis(300));
        let mut sink = LiveWriter::open(&world.db, options.clone(), None).unwrap();
        write(&mut sink, 0..500).unwrap();
        let mark = block_on(sink.commit()).unwrap();

        for (fault, words) in [
            (
                Fault::Refuse(400, "ProvisionedThroughputExceededException"),
                "table users is throttled: ProvisionedThroughputExceededException for BatchWriteItem",
            ),
            (
                Fault::Unprocessed(1),
                "table users is throttled: ProvisionedThroughputExceededException for BatchWriteItem",
            ),
            (
                Fault::Refuse(500, "InternalServerError"),
                "BatchWriteItem on table users failed: InternalServerError: on purpose",
            ),
            (Fault::Unheard, "no answer to BatchWriteItem on table users"),
        ] {
            world.proxy.script(move |call| writes(call).then(|| fault.clone()));
            let mut sink = LiveWriter::open(&world.db, options.clone(), Some(&mark)).unwrap();
            let error =
                write(&mut sink, 500..900).and_then(|()| block_on(sink.commit())).unwrap_err();
            assert_eq!(error.to_string(), words);
            assert!(error.is_retryable(), "{error}");
            let error = block_on(sink.commit()).unwrap_err();
            assert!(matches!(error, Error::Poisoned), "{error}");
        }
        world.proxy.script(|_| None);
        let text = serde_json::to_string(&mark).unwrap();
        let mark: Mark = serde_json::from_str(&text).unwrap();
        let mut sink = Box::new(LiveWriter::open(&world.db, options, Some(&mark)).unwrap());
        write(&mut sink, 500..900).unwrap();
        let receipt = block_on(sink.finish(&[])).unwrap();
        assert_eq!(receipt.items, 900);
        expect_users(&world.straight, 900);
    });
}

#[test]
fn a_key_is_never_under_way_twice_and_its_last_item_stays() {
    with_credentials("faults::a_key_is_never_under_way_twice_and_its_last_item_stays", || {
        let mut slow = 0_u64;
        let world = World::new(move |call| {
            slow += 7;
            writes(call).then(|| Fault::Slow(Duration::from_millis(slow % 13)))
        });
        let options = options(world.work()).with_repeats(true);
        let mut sink = Box::new(LiveWriter::open(&world.db, options, None).unwrap());
        let mut encoder = sink.encoder();
        for n in 0..1500_u64 {
            let mut item = user(n % 40);
            item.push("reading", Number::from(n));
            encoder.push(&item, Origin(n % 40)).unwrap();
            if n % 30 == 0 {
                block_on(sink.write(encoder.take())).unwrap();
            }
        }
        block_on(sink.write(encoder.take())).unwrap();
        let receipt = block_on(sink.finish(&[])).unwrap();
        assert_eq!((receipt.items, receipt.repeats), (40, 1460));
        let seen = world.proxy.seen();
        assert_eq!(seen.overlaps, 0, "{seen:?}");
        let found = scan(&world.straight, "users", 1);
        assert_eq!(found.len(), 40);
        for reading in 1460..1500 {
            let needle = format!("\"reading\":{{\"N\":\"{reading}\"}}");
            assert!(found.keys().any(|line| line.contains(&needle)), "{reading}");
        }
    });
}

#[test]
fn what_is_there_already_stays_if_asked_for() {
    with_credentials("faults::what_is_there_already_stays_if_asked_for", || {
        // Every third answer is lost: that the item is there is then our own doing.
        let world = World::new(|call| {
            (call.operation == "PutItem" && call.number % 3 == 2).then_some(Fault::AnswerLost)
        });
        let mut theirs = user(7);
        theirs.push("theirs", true);
        let name = "users".parse().unwrap();
        world.straight.put_many(&name, &users().key, &[theirs.clone()]).unwrap();
        let options = options(world.work()).with_put(Put::IfAbsent);
        let receipt = load(&world.db, options, 60).unwrap();
        assert_eq!((receipt.items, receipt.existing), (59, 1));
        let found =
            world.straight.get_many(&name, &users().key, &[user(7), user(8)], true).unwrap();
        assert!(found[0].as_ref().unwrap().is_same(&theirs));
        assert!(found[1].as_ref().unwrap().is_same(&user(8)));
        assert_eq!(scan(&world.straight, "users", 2).len(), 60);
        assert_eq!(world.proxy.seen().overlaps, 0);
    });
}

#[test]
fn what_is_there_already_stays_whatever_goes() {
    with_credentials("faults::what_is_there_already_stays_whatever_goes", || {
        let world = World::new(|_| None);
        let noted = |n: u64, note: &str| {
            let mut item = Item::new();
            item.push("key", format!("user:{n}"));
            item.push("note", note.to_owned());
            item
        };
        let name = "users".parse().unwrap();
        let theirs = [noted(1, "theirs"), noted(2, "theirs")];
        world.straight.put_many(&name, &users().key, &theirs).unwrap();
        let options = options(world.work()).with_put(Put::IfAbsent);
        let mut sink = Box::new(LiveWriter::open(&world.db, options.clone(), None).unwrap());
        let mut encoder = sink.encoder();
        for (origin, n, note) in [
            // Retracted; the first one's key is taken.
            (10, 1, "ten"),
            (10, 11, "ten"),
            // The first record has the key, whatever came first; the table has it, too.
            (22, 2, "late"),
            (21, 2, "early"),
            // Likewise, but the table has it not.
            (39, 3, "late"),
            (31, 3, "early"),
            (35, 3, "later"),
            (40, 4, "kept"),
        ] {
            encoder.push(&noted(n, note), Origin(origin)).unwrap();
        }
        block_on(sink.write(encoder.take())).unwrap();
        let mark = block_on(sink.commit()).unwrap();
        let receipt = block_on(sink.finish(&[Origin(10)])).unwrap();
        let pairs: Vec<_> = receipt.duplicates.iter().map(|d| (d.first.0, d.second.0)).collect();
        assert_eq!(pairs, [(21, 22), (31, 35), (31, 39)]);
        assert_eq!((receipt.items, receipt.existing, receipt.removed_items), (2, 3, 3));
        let expected =
            [noted(1, "theirs"), noted(2, "theirs"), noted(3, "early"), noted(4, "kept")];
        let expected: Vec<String> = expected.into_iter().map(super::sorted).collect();
        let found = || scan(&world.straight, "users", 1).into_keys().collect::<Vec<_>>();
        assert_eq!(found(), expected);
        let sink = Box::new(LiveWriter::open(&world.db, options, Some(&mark)).unwrap());
        assert_eq!(block_on(sink.finish(&[Origin(10)])).unwrap(), receipt);
        assert_eq!(found(), expected);
    });
}

#[test]
fn what_is_newer_wins_if_asked_for() {
    with_credentials("faults::what_is_newer_wins_if_asked_for", || {
        let world = World::new(|call| {
            (call.operation == "PutItem" && call.number % 4 == 3).then_some(Fault::AnswerLost)
        });
        let versioned = |n: u64, version: Option<u64>| {
            let mut item = user(n);
            if let Some(version) = version {
                item.push("version", Number::from(version));
            }
            item
        };
        let name = "users".parse().unwrap();
        // Older, newer, the same, and without a version.
        let there = [
            versioned(0, Some(9)),
            versioned(1, Some(11)),
            versioned(2, Some(10)),
            versioned(3, None),
        ];
        world.straight.put_many(&name, &users().key, &there).unwrap();
        let put = Put::IfNewer { attribute: "version".to_owned() };
        let options = options(world.work()).with_put(put);
        let mut sink = Box::new(LiveWriter::open(&world.db, options, None).unwrap());
        let mut encoder = sink.encoder();
        let mut ours: Vec<Item<'static>> = (0..5).map(|n| versioned(n, Some(10))).collect();
        // The table's is the same but for one attribute.
        ours[2].push("changed", true);
        // One without a version replaces none, and is put where there is none.
        ours.push(versioned(5, None));
        for (n, item) in (0..).zip(&ours) {
            encoder.push(item, Origin(n)).unwrap();
        }
        block_on(sink.write(encoder.take())).unwrap();
        let receipt = block_on(sink.finish(&[])).unwrap();
        assert_eq!((receipt.items, receipt.existing), (4, 2));
        let found = world.straight.get_many(&name, &users().key, &ours, true).unwrap();
        let same = |n: usize, item: &Item<'_>| found[n].as_ref().unwrap().is_same(item);
        assert!(same(0, &ours[0]) && same(1, &there[1]) && same(2, &there[2]));
        assert!(same(3, &ours[3]) && same(4, &ours[4]) && same(5, &ours[5]));
    });
}

#[test]
fn a_scan_and_reads_by_key_survive() {
    with_credentials("faults::a_scan_and_reads_by_key_survive", || {
        let world = World::new(|_| None);
        load(&world.db, options(world.work()), 5000).unwrap();
        world.proxy.script(|call| match (call.operation.as_str(), call.number % 4) {
            ("Scan", 0) => Some(Fault::Refuse(400, "ProvisionedThroughputExceededException")),
            ("Scan", 1) => Some(Fault::AnswerLost),
            ("Scan", 2) => Some(Fault::Refuse(500, "InternalServerError")),
            ("BatchGetItem", 0) => Some(Fault::Unprocessed(3)),
            ("BatchGetItem", 1) => Some(Fault::Unprocessed(1)),
            ("BatchGetItem", 2) => Some(Fault::Unheard),
            _ => None,
        });
        assert_eq!(scan(&world.db, "users", 1).len(), 5000);
        assert_eq!(scan(&world.db, "users", 7).len(), 5000);
        let name = "users".parse().unwrap();
        let keys: Vec<Item<'_>> = [4999, 7, 100_000].into_iter().chain(0..240).map(user).collect();
        let found = world.db.get_many(&name, &users().key, &keys, false).unwrap();
        assert_eq!(found.len(), 243);
        for (n, (key, found)) in keys.iter().zip(&found).enumerate() {
            match found {
                Some(found) => assert!(found.is_same(key), "{n}"),
                None => assert_eq!(n, 2),
            }
        }
        let patience = ScanTableOptions::default().with_patience(Duration::from_millis(100));
        world.proxy.script(|_| Some(Fault::Unheard));
        let mut items = TableItems::open(&world.db, &name, patience).unwrap();
        let error = items.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "no answer to Scan on table users");
        assert!(items.next().is_none(), "a scan that failed is at its end");
    });
}

#[test]
fn repairs_survive() {
    with_credentials("faults::repairs_survive", || {
        let world = World::new(every(2, || Fault::Unprocessed(2)));
        let name = "users".parse().unwrap();
        let key = users().key;
        let mut items: Vec<Item<'_>> = (0..130).map(user).collect();
        // Of two items of one key the later one stays.
        let mut again = user(3);
        again.push("again", true);
        items.push(again.clone());
        world.db.put_many(&name, &key, &items).unwrap();
        let found = world.straight.get_many(&name, &key, &[user(3), user(4)], true).unwrap();
        assert!(found[0].as_ref().unwrap().is_same(&again));
        let gone: Vec<Item<'_>> = (10..130).map(user).collect();
        world.db.delete_many(&name, &key, &gone).unwrap();
        assert_eq!(scan(&world.straight, "users", 1).len(), 10);
        assert_eq!(world.proxy.seen().overlaps, 0);
    });
}
