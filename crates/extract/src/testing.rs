//! What every [`Source`] must show; run it from your own tests.
//!
//! ```
//! use keystar_extract::{MemorySource, testing};
//! use keystar_rdb::{Db, Record, Value};
//!
//! let record = Record::new(Db(0), "greeting".into(), Value::String("hello".into()));
//! # futures_executor::block_on(async {
//! testing::conforms(|| Box::new(MemorySource::new(vec![record.clone()]))).await;
//! # });
//! ```
//!
//! The functions panic where the source does not do as the contract says.
#![allow(clippy::panic, clippy::expect_used, reason = "this is a test suite")]

use crate::{Batch, Entry, Position, Source};

/// What a batch says, comparable.
type Told = Vec<String>;

/// Runs the whole suite; `open` gives the same source each time, from its beginning.
pub async fn conforms(open: impl Fn() -> Box<dyn Source>) {
    let batches = read_from(open(), None).await;
    assert_eq!(read_from(open(), None).await, batches, "a source gives the same twice");
    resumes_anywhere(&open, &batches).await;
    keeps_saying_that_it_is_at_its_end(open()).await;
    counts_its_parts(&batches);
}

/// From each position, what follows is what followed.
async fn resumes_anywhere(
    open: &impl Fn() -> Box<dyn Source>,
    batches: &[(Told, Option<Position>)],
) {
    for (at, (_, position)) in batches.iter().enumerate() {
        let Some(position) = position else { continue };
        let rest = read_from(open(), Some(position)).await;
        let told = |batches: &[(Told, Option<Position>)]| -> Told {
            let entries = batches.iter().flat_map(|(told, _)| told.iter());
            // Parts are counted from the first one that a session sees.
            entries.filter(|line| !line.starts_with("remark")).map(|line| strip(line)).collect()
        };
        assert_eq!(
            told(&rest),
            told(batches.get(at + 1..).unwrap_or_default()),
            "resumed after batch {at}"
        );
    }
}

async fn keeps_saying_that_it_is_at_its_end(mut source: Box<dyn Source>) {
    let mut batch = Batch::new();
    while source.fill(&mut batch).await.expect("the source can be read") {}
    for _ in 0..2 {
        assert!(!source.fill(&mut batch).await.expect("the end is no error"));
        assert_eq!(batch.entries().count(), 0, "nothing comes after the end");
    }
}

fn counts_its_parts(batches: &[(Told, Option<Position>)]) {
    let lines = batches.iter().flat_map(|(told, _)| told.iter());
    let ordinals = lines.filter_map(|line| line.strip_prefix("part ")?.split(' ').next());
    for (expected, ordinal) in ordinals.enumerate() {
        assert_eq!(ordinal, expected.to_string(), "parts are numbered from 0 without a gap");
    }
}

async fn read_from(
    mut source: Box<dyn Source>,
    from: Option<&Position>,
) -> Vec<(Told, Option<Position>)> {
    if let Some(position) = from {
        source.resume(position).await.expect("its own position is one to resume from");
    }
    let mut batch = Batch::new();
    let mut batches = Vec::new();
    while source.fill(&mut batch).await.expect("the source can be read") {
        let mut told: Told = batch.entries().map(|entry| line(&entry)).collect();
        if !batch.remarks().is_empty() {
            told.push(format!("remark {:?}", batch.remarks()));
        }
        batches.push((told, batch.position().cloned()));
    }
    batches
}

fn line(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Frame(frame) => format!("frame {frame:?}"),
        Entry::Record { record, head } => format!("record {} {record:?}", head.offset),
        Entry::Part { part, ordinal } => format!("part {ordinal} {part:?}"),
        Entry::Failed { failure, ordinal } => format!("failed {ordinal:?} {failure:?}"),
    }
}

fn strip(line: &str) -> String {
    match line.strip_prefix("part ").and_then(|rest| rest.split_once(' ')) {
        Some((_, part)) => part.to_owned(),
        None => line.to_owned(),
    }
}
