//! A cluster: all of it, whatever fails over or moves while it is read.

use std::collections::BTreeSet;

use futures_executor::block_on;
use keystar_extract::{Access, Batch, Read, Redis, RedisScan, ScanOptions, Source};
use keystar_kit::redis_cluster::Cluster;
use keystar_rdb::Value;

use crate::gathered::Gathered;

const KEYS: usize = 9000;

fn names() -> impl Iterator<Item = String> {
    (0..KEYS).map(|n| format!("key:{n}"))
}

fn open(cluster: &Cluster, options: ScanOptions) -> RedisScan {
    let redis = Redis::connect(&cluster.url().parse().unwrap(), &Access::default()).unwrap();
    RedisScan::open(&redis, options).unwrap()
}

/// Slow enough that things can happen meanwhile.
fn slow() -> ScanOptions {
    ScanOptions::default().with_batch_bytes(500).with_keys_per_second(20_000)
}

fn assert_all(gathered: &Gathered) {
    let found: BTreeSet<_> = gathered.records.keys().map(|(_, name)| name.clone()).collect();
    for ((_, name), (value, _)) in &gathered.records {
        let name = String::from_utf8_lossy(name);
        assert_eq!(*value, Value::String(format!("value of {name}").into_bytes().into()), "{name}");
    }
    let missing: Vec<_> = names().filter(|name| !found.contains(name.as_bytes())).collect();
    assert!(missing.is_empty(), "{} missing: {:?}", missing.len(), missing.first());
    assert_eq!(found.len(), KEYS);
    assert!(gathered.failures.is_empty(), "{:?}", gathered.failures);
}

#[test]
fn every_key_of_every_shard_is_read_once() {
    let cluster = Cluster::start(1).unwrap();
    cluster.fill(names()).unwrap();
    let mut source = open(&cluster, ScanOptions::default());
    assert_eq!(source.total_keys(), Some(KEYS as u64));
    let gathered = Gathered::all_of(&mut source).unwrap();
    assert_all(&gathered);
    assert_eq!(gathered.repeats, 0);

    // From the replicas it is the same, and the primaries are left alone.
    let access = Access::default().with_replicas(true);
    let redis = Redis::connect(&cluster.url().parse().unwrap(), &access).unwrap();
    let facts = redis.facts().unwrap();
    assert_eq!(facts.nodes.len(), 3);
    assert!(facts.nodes.iter().all(|node| node.role.as_deref() == Ok("slave")), "{facts:?}");
    let mut source = RedisScan::open(&redis, ScanOptions::default()).unwrap();
    assert_all(&Gathered::all_of(&mut source).unwrap());
}

#[test]
fn slots_that_move_while_they_are_read_are_read() {
    slots_move(slow());
}

#[test]
fn slots_that_move_while_they_are_read_by_type_are_read() {
    slots_move(slow().with_read(Read::Typed));
}

fn slots_move(options: ScanOptions) {
    let cluster = Cluster::start(0).unwrap();
    cluster.fill(names()).unwrap();
    let mut source = open(&cluster, options);
    let mut gathered = Gathered::default();
    let mut batch = Batch::new();
    let slots: Vec<_> = (0..3).map(|node| cluster.slots_of(node).unwrap()).collect();
    let mut moved = 0;
    let mut on_its_way = None;
    while block_on(source.fill(&mut batch)).unwrap() {
        gathered.take(&batch);
        // From each node to the next, a slot after each batch, from both ends of the range.
        if moved < 30 {
            let (from, to) = (moved % 3, (moved + 1) % 3);
            let at = if moved % 2 == 0 { moved } else { slots[from].len() - 1 - moved };
            cluster.move_slot(slots[from][at], from, to).unwrap();
            moved += 1;
        } else if on_its_way.is_none() {
            // One stays on its way to the end, half of it at either side.
            let slot = slots[0][2000];
            cluster.begin_move(slot, 0, 1).unwrap();
            cluster.move_keys(slot, 0, 1, 1).unwrap();
            on_its_way = Some(slot);
        }
    }
    assert_eq!(moved, 30);
    assert!(on_its_way.is_some());
    assert_all(&gathered);
}

#[test]
fn a_failover_while_it_is_read_loses_nothing() {
    let mut cluster = Cluster::start(1).unwrap();
    cluster.fill(names()).unwrap();
    let mut source = open(&cluster, slow());
    let mut gathered = Gathered::default();
    let mut batch = Batch::new();
    let mut failed = false;
    while block_on(source.fill(&mut batch)).unwrap() {
        gathered.take(&batch);
        if gathered.batches == 20 {
            cluster.fail_over(0).unwrap();
            failed = true;
        }
    }
    assert!(failed);
    assert_all(&gathered);
    assert!(gathered.warnings.iter().any(|text| text.contains("began again")), "{gathered:?}");
}
