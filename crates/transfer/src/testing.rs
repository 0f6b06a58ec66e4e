//! The suite that every [`ItemSink`] passes: run it on yours.
//!
//! ```
//! use keystar_item::Item;
//! use keystar_transfer::testing::{SinkUnderTest, conformance, table};
//! use keystar_transfer::{ItemSink, Mark, MemoryItems, MemorySink};
//!
//! #[derive(Default)]
//! struct Memory(MemoryItems);
//!
//! impl SinkUnderTest for Memory {
//!     fn create(&mut self) -> Box<dyn ItemSink> {
//!         Box::new(MemorySink::create(table(), &self.0))
//!     }
//!
//!     fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
//!         Box::new(MemorySink::resume(table(), &self.0, mark))
//!     }
//!
//!     fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
//!         vec![self.0.items()]
//!     }
//! }
//!
//! conformance(&mut Memory::default());
//! ```
#![allow(clippy::expect_used, clippy::panic, reason = "a test says no by a panic")]

use std::collections::BTreeMap;

use futures_core::future::BoxFuture;
use keystar_item::{AttributeValue, Item, KeyAttribute, KeySchema, KeyType, Number, Table};

use crate::{Error, ItemEncoder, ItemSink, Mark, Origin, Receipt};

/// What the suite needs of a sink that it tests.
pub trait SinkUnderTest {
    /// A fresh sink of [`table`], with nothing of what an earlier one wrote.
    fn create(&mut self) -> Box<dyn ItemSink>;

    /// The last created sink, whose program was killed, from a mark of its own.
    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink>;

    /// The items that are durable and not removed: one list for each file, or whatever keeps items
    /// in order.
    fn durable(&mut self) -> Vec<Vec<Item<'static>>>;

    /// Whether there is never anything but what was committed. A table cannot hide what was
    /// accepted, nor take it back.
    fn takes_back(&self) -> bool {
        true
    }

    /// Everything that should be the same after the same writes, whether the program was killed in
    /// between or not, such as the bytes of files.
    fn fingerprint(&mut self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

/// The table of the suite: partition key `pk` (S), sort key `sk` (N).
#[must_use]
pub fn table() -> Table {
    Table::new(
        KeySchema::new(KeyAttribute::new("pk", KeyType::S))
            .with_sort(KeyAttribute::new("sk", KeyType::N)),
    )
}

/// Runs the whole suite.
///
/// # Panics
///
/// If the sink breaks a promise of [`ItemSink`].
pub fn conformance(sink: &mut dyn SinkUnderTest) {
    empty_input_gives_empty_output(sink);
    accepted_is_not_durable_and_committed_is(sink);
    batches_keep_their_order(sink);
    what_an_encoder_takes_back_leaves_nothing(sink);
    killed_anywhere_the_end_is_the_same(sink);
    the_later_of_two_records_goes_whole(sink);
    a_record_may_collide_with_itself(sink);
    retracted_records_go_whole(sink);
    a_finish_may_be_repeated(sink);
}

/// Runs the suite of sinks that were told that records may be written more than once.
///
/// # Panics
///
/// If the sink breaks a promise of [`ItemSink`].
pub fn repeats(sink: &mut dyn SinkUnderTest) {
    the_last_of_what_repeats_stays(sink);
    repeats_of_two_records_still_collide(sink);
    repeats_survive_a_kill(sink);
    retracted_records_go_whole(sink);
    empty_input_gives_empty_output(sink);
}

/// Polls a future on this thread, whoever does its work.
fn wait<T>(future: BoxFuture<'_, T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = future;
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn item(pk: &str, sk: &str, note: &str) -> Item<'static> {
    let mut item = Item::new();
    item.push("pk", pk.to_owned());
    item.push("sk", Number::parse(sk.to_owned()).expect("a number"));
    item.push("note", note.to_owned());
    item
}

/// The keys and notes of what is durable, sorted.
fn content(sink: &mut dyn SinkUnderTest) -> Vec<String> {
    let mut content: Vec<String> = sink.durable().iter().flatten().map(|item| line(item)).collect();
    content.sort();
    content
}

fn line(item: &Item<'_>) -> String {
    let text = |name| match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone().into_owned(),
        Some(AttributeValue::N(number)) => number.canonical().into_owned(),
        other => format!("{other:?}"),
    };
    format!("{}/{} {}", text("pk"), text("sk"), text("note"))
}

fn write(sink: &mut dyn ItemSink, encoder: &mut dyn ItemEncoder, records: &[(u64, &[Item<'_>])]) {
    for (origin, items) in records {
        for item in *items {
            encoder.push(item, Origin(*origin)).expect("a valid item");
        }
    }
    wait(sink.write(encoder.take())).expect("a write");
}

/// Nothing in, nothing out, and the receipt says so.
pub fn empty_input_gives_empty_output(sink: &mut dyn SinkUnderTest) {
    let receipt = wait(sink.create().finish(&[])).expect("a finish");
    assert_eq!((receipt.items, receipt.bytes, receipt.removed_items), (0, 0, 0));
    assert_eq!((receipt.files.len(), receipt.duplicates.len()), (0, 0));
    assert!(content(sink).is_empty());

    let mut empty = sink.create();
    assert!(!empty.wants_commit(), "an empty sink has nothing to commit");
    let batch = empty.encoder().take();
    wait(empty.write(batch)).expect("a write of nothing");
    let first = wait(empty.commit()).expect("a commit of nothing");
    assert_eq!((first.items(), first.bytes()), (0, 0));
    drop(empty);
    let resumed = sink.resume(&first);
    let receipt = wait(resumed.finish(&[Origin(7)])).expect("a finish");
    assert_eq!(receipt.items, 0, "retracting what was never written is fine");
}

/// Nothing counts before the commit, everything after.
pub fn accepted_is_not_durable_and_committed_is(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    write(writer.as_mut(), encoder.as_mut(), &[(1, &[item("a", "1", "x")])]);
    if sink.takes_back() {
        assert!(content(sink).is_empty(), "accepted is not durable");
    }
    let mark = wait(writer.commit()).expect("a commit");
    assert_eq!(mark.items(), 1);
    assert_eq!(content(sink), ["a/1 x"]);
    write(writer.as_mut(), encoder.as_mut(), &[(2, &[item("b", "1", "y")])]);
    drop(writer);
    if !sink.takes_back() {
        drop(sink.resume(&mark));
        let there = content(sink);
        assert!(there.contains(&"a/1 x".to_owned()), "what was committed stays: {there:?}");
        return;
    }
    assert_eq!(content(sink), ["a/1 x"]);
    let resumed = sink.resume(&mark);
    assert_eq!(content(sink), ["a/1 x"]);
    drop(resumed);
    let resumed = sink.resume(&Mark::default());
    assert!(content(sink).is_empty(), "the default mark is the beginning");
    drop(resumed);
}

/// In every list the batches are in the order in which they were written.
pub fn batches_keep_their_order(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    // Two encoders whose batches alternate, as two workers' do.
    let mut encoders = [writer.encoder(), writer.encoder()];
    for batch in 0..40_u64 {
        let encoder = &mut encoders[(batch % 2) as usize];
        for n in 0..25_u64 {
            let item = item(&format!("k{n}"), &batch.to_string(), &"x".repeat(1500));
            encoder.push(&item, Origin(batch * 100 + n)).expect("a valid item");
        }
        wait(writer.write(encoder.take())).expect("a write");
    }
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(receipt.items, 1000);
    let lists = sink.durable();
    assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 1000);
    for list in lists {
        let batches: Vec<u64> = list
            .iter()
            .map(|item| match item.get("sk") {
                Some(AttributeValue::N(number)) => number.as_str().parse().expect("a number"),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(batches.is_sorted(), "{batches:?}");
    }
}

/// Neither a truncated record nor a refused item is in the output.
pub fn what_an_encoder_takes_back_leaves_nothing(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    encoder.push(&item("a", "1", "kept"), Origin(1)).expect("a valid item");
    let position = encoder.position();
    for n in 0..100 {
        let dropped = item(&format!("dropped{n}"), "1", "x");
        encoder.push(&dropped, Origin(2)).expect("a valid item");
    }
    let mut keyless = Item::new();
    keyless.push("pk", "b");
    encoder.push(&keyless, Origin(2)).expect_err("an item without its sort key is refused");
    encoder.truncate(position);
    // The key of a truncated item is free.
    encoder.push(&item("dropped7", "1", "kept"), Origin(3)).expect("a valid item");
    encoder.push(&keyless, Origin(4)).expect_err("refused");
    wait(writer.write(encoder.take())).expect("a write");
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(receipt.items, 2);
    assert_eq!(receipt.duplicates, []);
    assert_eq!(content(sink), ["a/1 kept", "dropped7/1 kept"]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Write(u64),
    Commit,
}

/// A job that is killed after any of its calls and resumed from its last saved mark ends as one
/// that was not.
pub fn killed_anywhere_the_end_is_the_same(sink: &mut dyn SinkUnderTest) {
    use Step::{Commit, Write};
    let steps =
        [Write(0), Write(1), Commit, Commit, Write(2), Write(3), Commit, Write(4), Write(5)];
    let perform = |writer: &mut Box<dyn ItemSink>, step: Step| -> Option<Mark> {
        match step {
            Write(batch) => {
                let mut encoder = writer.encoder();
                for n in 0..200 {
                    // Every seventh record of a batch has a key of the batch before.
                    let number = if n % 7 == 0 && batch > 0 { n } else { batch * 1000 + n };
                    let item = item(&format!("key{number}"), "1", &format!("{batch} {n}"));
                    let origin = Origin(batch * 1000 + n);
                    encoder.push(&item, origin).expect("a valid item");
                }
                wait(writer.write(encoder.take())).expect("a write");
                None
            }
            Commit => Some(wait(writer.commit()).expect("a commit")),
        }
    };
    let mut whole = sink.create();
    for step in steps {
        perform(&mut whole, step);
    }
    let retract = [Origin(3), Origin(5005)];
    let receipt = wait(whole.finish(&retract)).expect("a finish");
    let (expected, fingerprint) = (content(sink), sink.fingerprint());
    assert_eq!(receipt.items as usize, expected.len());
    assert!(!receipt.duplicates.is_empty());

    for kill_after in 0..=steps.len() {
        let mut writer = sink.create();
        let (mut mark, mut resume_at) = (Mark::default(), 0);
        for (n, step) in steps.iter().enumerate().take(kill_after) {
            if let Some(committed) = perform(&mut writer, *step) {
                // Marks are part of a checkpoint: they must survive being written down.
                let text = serde_json::to_string(&committed).expect("a mark in JSON");
                mark = serde_json::from_str(&text).expect("a mark from JSON");
                resume_at = n + 1;
            }
        }
        drop(writer);
        let mut writer = sink.resume(&mark);
        for step in steps.iter().skip(resume_at) {
            perform(&mut writer, *step);
        }
        let again = wait(writer.finish(&retract)).expect("a finish");
        assert_eq!(again, receipt, "killed after {kill_after} calls");
        assert_eq!(content(sink), expected, "killed after {kill_after} calls");
        assert!(sink.fingerprint() == fingerprint, "killed after {kill_after} calls");
    }
}

fn duplicates(receipt: &Receipt) -> Vec<(u64, u64)> {
    receipt.duplicates.iter().map(|found| (found.first.0, found.second.0)).collect()
}

/// Of two records with an item of the same key, the one with the larger origin goes, with all of
/// its items, whichever was written first.
pub fn the_later_of_two_records_goes_whole(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    write(
        writer.as_mut(),
        encoder.as_mut(),
        &[
            (1, &[item("same", "1", "first")]),
            (9, &[item("x", "1", "late"), item("y", "1", "late"), item("y", "2", "late")]),
        ],
    );
    wait(writer.commit()).expect("a commit");
    write(
        writer.as_mut(),
        encoder.as_mut(),
        &[
            // Numbers are keys by value.
            (2, &[item("same", "1.0", "second"), item("other", "1", "second")]),
            (3, &[item("y", "2e0", "early")]),
            // Collides only with a record that goes.
            (4, &[item("other", "1", "third")]),
            (5, &[item("sam", "1", "unlike"), item("same", "11", "unlike")]),
        ],
    );
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(duplicates(&receipt), [(1, 2), (3, 9)]);
    let keys: Vec<&str> = receipt.duplicates.iter().map(|found| found.key.as_str()).collect();
    assert!(keys[0].starts_with("pk=\"same\" sk=1"), "{keys:?}");
    assert!(keys[1].starts_with("pk=\"y\" sk=2"), "{keys:?}");
    assert_eq!((receipt.items, receipt.removed_items), (5, 5));
    assert_eq!(
        content(sink),
        ["other/1 third", "sam/1 unlike", "same/1 first", "same/11 unlike", "y/2 early"]
    );
}

/// A record with two items of one key goes, too.
pub fn a_record_may_collide_with_itself(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    let twice = [item("a", "1", "x"), item("b", "1", "x"), item("a", "1", "y")];
    write(writer.as_mut(), encoder.as_mut(), &[(1, &twice), (2, &[item("a", "1", "z")])]);
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(duplicates(&receipt), [(1, 1)]);
    assert_eq!(content(sink), ["a/1 z"]);
}

/// A retracted record leaves nothing, wherever its items are, and its keys are free.
pub fn retracted_records_go_whole(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    let many: Vec<Item<'_>> = (0..50).map(|n| item("big", &n.to_string(), "part one")).collect();
    write(writer.as_mut(), encoder.as_mut(), &[(1, &[item("a", "1", "kept")]), (2, &many)]);
    let mark = wait(writer.commit()).expect("a commit");
    let more: Vec<Item<'_>> = (50..90).map(|n| item("big", &n.to_string(), "part two")).collect();
    write(writer.as_mut(), encoder.as_mut(), &[(2, &more), (3, &[item("big", "60", "kept")])]);
    assert_eq!(mark.items(), 51);
    let receipt = wait(writer.finish(&[Origin(2)])).expect("a finish");
    assert_eq!((receipt.items, receipt.removed_items), (2, 90));
    assert_eq!(receipt.duplicates, []);
    assert_eq!(content(sink), ["a/1 kept", "big/60 kept"]);
}

/// Whoever is killed before the receipt is safe finishes again, from the mark of the last commit.
pub fn a_finish_may_be_repeated(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    let mut origins = BTreeMap::new();
    for n in 0..100_u64 {
        let item = item(&format!("key{}", n % 60), "1", &n.to_string());
        origins.insert(n, item.clone());
        write(writer.as_mut(), encoder.as_mut(), &[(n, &[item])]);
    }
    let mark = wait(writer.commit()).expect("a commit");
    let first = wait(writer.finish(&[Origin(1)])).expect("a finish");
    let (expected, fingerprint) = (content(sink), sink.fingerprint());
    assert_eq!(first.items, 60);
    for _ in 0..2 {
        let again: Result<Receipt, Error> = wait(sink.resume(&mark).finish(&[Origin(1)]));
        assert_eq!(again.expect("a finish"), first);
        assert_eq!(content(sink), expected);
        assert!(sink.fingerprint() == fingerprint);
    }
}

/// A record that is written again takes the place of what it was, item by item.
pub fn the_last_of_what_repeats_stays(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    let first = [item("a", "1", "old"), item("a", "2", "gone"), item("b", "1", "old")];
    write(writer.as_mut(), encoder.as_mut(), &[(8, &first), (3, &[item("c", "1", "once")])]);
    wait(writer.commit()).expect("a commit");
    // The same key by value, in another batch and in the same one.
    let second = [item("a", "1.0", "new"), item("b", "1", "newer")];
    write(writer.as_mut(), encoder.as_mut(), &[(8, &second), (8, &[item("b", "1", "newest")])]);
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(receipt.duplicates, []);
    assert_eq!((receipt.items, receipt.repeats, receipt.removed_items), (4, 3, 0));
    // What only the first reading had is still there: nothing says that it is gone.
    assert_eq!(content(sink), ["a/1 new", "a/2 gone", "b/1 newest", "c/1 once"]);
}

/// Of two records with the same key one goes, however often they were written.
pub fn repeats_of_two_records_still_collide(sink: &mut dyn SinkUnderTest) {
    let mut writer = sink.create();
    let mut encoder = writer.encoder();
    let later = [item("same", "1", "nine"), item("x", "1", "nine")];
    write(writer.as_mut(), encoder.as_mut(), &[(9, &later), (2, &[item("same", "1", "two")])]);
    wait(writer.commit()).expect("a commit");
    write(writer.as_mut(), encoder.as_mut(), &[(2, &[item("same", "1", "two again")])]);
    write(writer.as_mut(), encoder.as_mut(), &[(9, &later)]);
    let receipt = wait(writer.finish(&[])).expect("a finish");
    assert_eq!(duplicates(&receipt), [(2, 9)]);
    assert_eq!((receipt.items, receipt.repeats, receipt.removed_items), (1, 1, 4));
    assert_eq!(content(sink), ["same/1 two again"]);
}

/// Killed after any of its calls, a job that repeats records ends as one that was not.
pub fn repeats_survive_a_kill(sink: &mut dyn SinkUnderTest) {
    let write_all = |writer: &mut Box<dyn ItemSink>, reading: u64| {
        let mut encoder = writer.encoder();
        for n in (0..120_u64).filter(|n| reading == 0 || n % 3 == 0) {
            let one = item(&format!("key{n}"), "1", &format!("reading {reading}"));
            encoder.push(&one, Origin(n)).expect("a valid item");
        }
        wait(writer.write(encoder.take())).expect("a write");
        wait(writer.commit()).expect("a commit")
    };
    let mut whole = sink.create();
    for reading in 0..3 {
        write_all(&mut whole, reading);
    }
    let receipt = wait(whole.finish(&[])).expect("a finish");
    assert_eq!((receipt.items, receipt.repeats), (120, 80));
    let (expected, fingerprint) = (content(sink), sink.fingerprint());
    assert_eq!(expected.iter().filter(|line| line.ends_with("reading 2")).count(), 40);
    for killed_in in 0..3 {
        let mut writer = sink.create();
        let mut mark = Mark::default();
        for reading in 0..killed_in {
            mark = write_all(&mut writer, reading);
        }
        // This one's mark is lost.
        write_all(&mut writer, killed_in);
        drop(writer);
        let mut writer = sink.resume(&mark);
        for reading in killed_in..3 {
            write_all(&mut writer, reading);
        }
        let again = wait(writer.finish(&[])).expect("a finish");
        assert_eq!(again, receipt, "killed in reading {killed_in}");
        assert_eq!(content(sink), expected, "killed in reading {killed_in}");
        assert!(sink.fingerprint() == fingerprint, "killed in reading {killed_in}");
    }
}
