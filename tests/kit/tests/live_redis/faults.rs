//! What happens to servers and connections while they are read.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use keystar_extract::{Access, Batch, Error, Read, Redis, RedisScan, ScanOptions, Source};
use keystar_kit::redis::Redis as Server;
use keystar_kit::redis_proxy::Proxy;
use keystar_kit::redis_sentinel::Watched;

use crate::gathered::{Gathered, saved};
use crate::standalone::{filled, without_clocks};

fn open(url: &str, access: &Access, options: ScanOptions) -> Result<RedisScan, Error> {
    RedisScan::open(&Redis::connect(&url.parse().unwrap(), access)?, options)
}

#[test]
fn connections_that_break_all_the_time_lose_nothing() {
    let server = filled(3000);
    let expected = without_clocks(saved(&server).sorted());
    let proxy = Proxy::start(server.address()).unwrap();
    let url = format!("redis://{}", proxy.address());
    // Pieces as well: their connection breaks, too.
    let small = ScanOptions::default().with_batch_bytes(4000).with_max_value_bytes(8000);
    for (options, budget) in [
        (small.clone(), 100_000),
        (small.with_read(Read::Typed), 150_000),
        (ScanOptions::default().with_read(Read::Typed), 300_000),
    ] {
        let before = proxy.connections();
        let mut source = open(&url, &Access::default(), options).unwrap();
        proxy.cut_after(budget);
        let found = Gathered::all_of(&mut source).unwrap();
        proxy.cut_after(0);
        let made = proxy.connections() - before;
        assert!(made > 5, "{made} connections");
        without_clocks(found.sorted()).assert_same(&expected);
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_read_again() {
    let mut server = filled(3000);
    let expected = saved(&server).sorted();
    let options = ScanOptions::default().with_batch_bytes(1000).with_keys_per_second(10_000);
    let mut source = open(&server.url(), &Access::default(), options).unwrap();
    let mut found = Gathered::default();
    let mut batch = Batch::new();
    let mut killed = false;
    while block_on(source.fill(&mut batch)).unwrap() {
        found.take(&batch);
        if found.records.len() > 1000 && !killed {
            killed = true;
            server.kill().unwrap();
            server.start_again().unwrap();
        }
    }
    assert!(killed);
    assert!(found.warnings.iter().any(|text| text.contains("began again")), "{:?}", found.warnings);
    // A table has another order in another process.
    found.sorted().assert_same(&expected);
}

#[test]
fn a_server_that_does_not_come_back_is_an_error_after_a_while() {
    let mut server = filled(3000);
    let access = Access::default().with_patience(Duration::from_millis(500));
    let options = ScanOptions::default().with_batch_bytes(1000).with_keys_per_second(5000);
    let mut source = open(&server.url(), &access, options).unwrap();
    let mut batch = Batch::new();
    assert!(block_on(source.fill(&mut batch)).unwrap());
    server.kill().unwrap();
    let since = Instant::now();
    let error = loop {
        match block_on(source.fill(&mut batch)) {
            Ok(more) => assert!(more, "the end of a server that is gone"),
            Err(error) => break error,
        }
    };
    assert!(error.is_retryable(), "{error}");
    assert!(error.hint().is_some());
    assert!(since.elapsed() < Duration::from_secs(20));
}

/// Whatever was read before is not read again, and what is left is.
#[test]
fn a_scan_is_taken_up_where_it_was() {
    let server = filled(3000);
    let expected = saved(&server);
    let options = ScanOptions::default().with_batch_bytes(1000);
    for stop in [1, 10, 100, 1000] {
        let mut source = open(&server.url(), &Access::default(), options.clone()).unwrap();
        let mut batch = Batch::new();
        let mut found = Gathered::default();
        let mut position = None;
        while found.batches < stop && block_on(source.fill(&mut batch)).unwrap() {
            found.take(&batch);
            position = batch.position().cloned().or(position);
        }
        let before = found.records.len();
        drop(source);
        let mut source = open(&server.url(), &Access::default(), options.clone()).unwrap();
        if let Some(position) = position {
            block_on(source.resume(&position)).unwrap();
        }
        let rest = Gathered::all_of(&mut source).unwrap();
        // A list of names that was half read is read again: of up to 1000 or so.
        let most = expected.records.len() - before + 1100;
        assert!(rest.records.len() < most, "{} after {before}", rest.records.len());
        found.records.extend(rest.records);
        found.assert_same(&expected);
    }
}

#[test]
fn a_rate_is_kept() {
    let server = Server::start().unwrap();
    let mut connection = server.connect().unwrap();
    connection.command(&["CONFIG", "SET", "rdbcompression", "no"]).unwrap();
    for n in 0..2000 {
        connection.command(&["SET", &format!("{n}"), &"x".repeat(1000)]).unwrap();
    }
    for options in [
        ScanOptions::default().with_keys_per_second(2000),
        ScanOptions::default().with_bytes_per_second(2 << 20),
    ] {
        let since = Instant::now();
        let found =
            Gathered::all_of(&mut open(&server.url(), &Access::default(), options).unwrap());
        assert_eq!(found.unwrap().records.len(), 2000);
        let took = since.elapsed().as_secs_f64();
        assert!((0.7..20.0).contains(&took), "{took} s");
    }
}

#[test]
fn the_primary_that_sentinels_choose_is_read() {
    let mut watched = Watched::start().unwrap();
    let mut connection = watched.servers[0].connect().unwrap();
    for n in 0..2000 {
        connection.command(&["SET", &format!("key:{n}"), "v"]).unwrap();
    }
    connection.command(&["WAIT", "1", "5000"]).unwrap();
    let options = ScanOptions::default().with_batch_bytes(500).with_keys_per_second(2000);
    let mut source = open(&watched.url(), &Access::default(), options).unwrap();
    let mut found = Gathered::default();
    let mut batch = Batch::new();
    let mut killed = false;
    while block_on(source.fill(&mut batch)).unwrap() {
        found.take(&batch);
        if !killed && found.records.len() > 200 {
            killed = true;
            watched.servers[0].kill().unwrap();
        }
    }
    assert!(killed);
    assert_eq!(found.records.len(), 2000);
    let unknown = watched.url().replace("mymaster", "other");
    let error = open(&unknown, &Access::default(), ScanOptions::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable { detail, .. } if detail.contains("other")),
        "{error}"
    );
}
