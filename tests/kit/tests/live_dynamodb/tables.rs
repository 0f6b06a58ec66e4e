//! Tables are made, described and settled as they were asked for; what goes in comes out.

use std::time::Duration;

use futures_executor::block_on;
use keystar_item::{
    AttributeValue, Billing, Index, Item, KeyAttribute, KeySchema, KeyType, Number, Projection,
    Table,
};
use keystar_kit::dynamodb as servers;
use keystar_transfer::{
    AfterLoad, DynamoDb, ItemSink, LiveOptions, LiveWriter, Origin, ScanTableOptions, StreamView,
    TableItems,
};

use super::{
    connect, create, dynoxide, expect_users, load, options, scan, sorted, users, with_credentials,
    write,
};

#[test]
fn what_is_made_is_described() {
    with_credentials("tables::what_is_made_is_described", || {
        for server in [servers::DynamoDb::dynoxide().unwrap(), servers::DynamoDb::local().unwrap()]
        {
            made_is_described(&connect(&server.endpoint()));
        }
    });
}

fn made_is_described(db: &DynamoDb) {
    let key = KeySchema::new(KeyAttribute::new("pk", KeyType::B))
        .with_sort(KeyAttribute::new("sk", KeyType::N));
    let table = Table::new(key.clone()).with_name("some.Table-1");
    let by_mail = KeySchema::new(KeyAttribute::new("mail", KeyType::S))
        .with_sort(KeyAttribute::new("sk", KeyType::N));
    let table = table
        .with_index(
            Index::new("by-mail", by_mail)
                .with_projection(Projection::Include(vec!["a".to_owned(), "b c".to_owned()])),
        )
        .with_index(
            Index::new("turned", KeySchema::new(KeyAttribute::new("sk", KeyType::N)))
                .with_projection(Projection::KeysOnly),
        )
        .with_billing(Billing::Provisioned { read_units: 7, write_units: 9 });
    let name = "some.Table-1".parse().unwrap();
    assert_eq!(db.describe(&name).unwrap(), None);
    create(db, &table);
    let facts = db.require(&name, &key).unwrap();
    let mut found = facts.table.clone();
    found.indexes.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found, table);
    assert_eq!((facts.status.as_str(), facts.item_count), ("ACTIVE", 0));
    assert!(!facts.deletion_protection && !facts.stream);
    db.delete(&name, Duration::from_secs(10)).unwrap();
    assert_eq!(db.describe(&name).unwrap(), None);
}

#[test]
fn a_loaded_table_is_settled_and_may_be_settled_again() {
    with_credentials("tables::a_loaded_table_is_settled_and_may_be_settled_again", || {
        settled(&servers::DynamoDb::dynoxide().unwrap(), true);
        // Which has no tags.
        settled(&servers::DynamoDb::local().unwrap(), false);
    });
}

fn settled(server: &servers::DynamoDb, tags: bool) {
    let db = connect(&server.endpoint());
    create(&db, &users());
    let mut wanted = AfterLoad::default()
        .with_ttl_attribute("expires")
        .with_stream(StreamView::NewAndOld)
        .with_deletion_protection(true);
    if tags {
        wanted = wanted.with_tag("team", "moving");
    }
    let name = "users".parse().unwrap();
    for _ in 0..2 {
        db.settle(&name, &wanted, Duration::from_secs(20)).unwrap();
    }
    let facts = db.describe(&name).unwrap().unwrap();
    assert!(facts.deletion_protection && facts.stream);
    let mut asked = server.connect().unwrap();
    let ttl = asked.call("DescribeTimeToLive", r#"{"TableName":"users"}"#).unwrap();
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "expires");
    if tags {
        let body = format!("{{\"ResourceArn\":\"{}\"}}", facts.arn);
        let tags = asked.call("ListTagsOfResource", &body).unwrap();
        assert_eq!(tags["Tags"][0]["Value"], "moving");
    }
    let error = db.delete(&name, Duration::from_secs(5)).unwrap_err();
    assert!(!error.is_retryable(), "{error}");
}

/// One item of every type, as strange as the limits allow.
fn strange() -> Vec<Item<'static>> {
    let texts = ["", "é\u{1F600}", "\"\\\n\u{0}\u{7f}\u{2028}", "{\"S\":\"x\"}"];
    let mut items = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let mut item = Item::new();
        item.push("key", format!("{n}{text}"));
        item.push("Item", *text);
        item.push(format!("name {text}"), vec![AttributeValue::from(*text), AttributeValue::Null]);
        item.push("bytes", AttributeValue::B(vec![0, 255, n as u8].into()));
        item.push("number", Number::parse("-1.5e-100").unwrap());
        items.push(item);
    }
    let mut large = Item::new();
    large.push("key", "large");
    large.push("note", "\u{1}".repeat(390_000));
    items.push(large);
    items
}

#[test]
fn what_goes_in_comes_out() {
    with_credentials("tables::what_goes_in_comes_out", || {
        for server in [servers::DynamoDb::dynoxide().unwrap(), servers::DynamoDb::local().unwrap()]
        {
            let db = connect(&server.endpoint());
            create(&db, &users());
            let work = tempfile::tempdir().unwrap();
            let mut sink = Box::new(LiveWriter::open(&db, options(work.path()), None).unwrap());
            let mut encoder = sink.encoder();
            let items = strange();
            for (n, item) in (0..).zip(&items) {
                encoder.push(item, Origin(n)).unwrap();
            }
            block_on(sink.write(encoder.take())).unwrap();
            assert_eq!(block_on(sink.finish(&[])).unwrap().items, 5);
            let name = "users".parse().unwrap();
            let found = db.get_many(&name, &users().key, &items, true).unwrap();
            for (item, found) in items.iter().zip(found) {
                let found = found.unwrap();
                assert!(found.is_same(item), "{}: {}", server.name(), &sorted(found)[..100]);
            }
            let all = TableItems::open(&db, &name, ScanTableOptions::default()).unwrap();
            let all: Vec<Item<'_>> = all.map(|item| item.unwrap()).collect();
            assert_eq!(all.len(), 5);
            for item in &items {
                assert_eq!(all.iter().filter(|found| found.is_same(item)).count(), 1);
            }
        }
    });
}

#[test]
fn keys_of_two_attributes_are_written_read_and_deleted() {
    with_credentials("tables::keys_of_two_attributes_are_written_read_and_deleted", || {
        let (_server, db) = dynoxide();
        let key = KeySchema::new(KeyAttribute::new("pk", KeyType::B))
            .with_sort(KeyAttribute::new("sk", KeyType::N));
        let table = Table::new(key.clone()).with_name("pairs");
        create(&db, &table);
        let item = |n: u64| {
            let mut item = Item::new();
            item.push("pk", AttributeValue::B(vec![n as u8 % 7, 255].into()));
            item.push("sk", Number::parse(format!("{n}.50")).unwrap());
            item
        };
        let work = tempfile::tempdir().unwrap();
        let options = LiveOptions::new(table, work.path()).unwrap();
        let mut sink = Box::new(LiveWriter::open(&db, options, None).unwrap());
        let mut encoder = sink.encoder();
        for n in 0..300 {
            encoder.push(&item(n), Origin(n / 3)).unwrap();
        }
        block_on(sink.write(encoder.take())).unwrap();
        // Three items of each of two records.
        let receipt = block_on(sink.finish(&[Origin(5), Origin(60)])).unwrap();
        assert_eq!((receipt.items, receipt.removed_items), (294, 6));
        let name = "pairs".parse().unwrap();
        let wanted: Vec<Item<'_>> = (14..19).map(item).collect();
        let found = db.get_many(&name, &key, &wanted, true).unwrap();
        assert_eq!(
            found.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, false, false, false, true]
        );
        db.delete_many(&name, &key, &wanted).unwrap();
        assert_eq!(scan(&db, "pairs", 4).len(), 292);
    });
}

#[test]
fn the_scan_is_bounded_and_may_be_dropped() {
    with_credentials("tables::the_scan_is_bounded_and_may_be_dropped", || {
        let (server, db) = dynoxide();
        create(&db, &users());
        let work = tempfile::tempdir().unwrap();
        load(&db, options(work.path()), 30_000).unwrap();
        expect_users(&db, 30_000);
        let proxy =
            keystar_kit::fault::FaultProxy::start(&server.endpoint(), &["key"], |_| None).unwrap();
        let slow = connect(&proxy.endpoint());
        let options = ScanTableOptions::default().with_segments(2).with_consistent(true);
        let mut items = TableItems::open(&slow, &"users".parse().unwrap(), options).unwrap();
        let first = items.next_page().unwrap().unwrap();
        assert!(first.len() > 100 && first.items().all(|item| item.is_ok()));
        std::thread::sleep(Duration::from_millis(300));
        let calls = proxy.seen().calls["Scan"];
        assert!(calls <= 5, "nobody reads on, but {calls} pages were asked for");
        drop(items);
    });
}

#[test]
fn a_writer_works_inside_of_another_runtime() {
    with_credentials("tables::a_writer_works_inside_of_another_runtime", || {
        let (_server, db) = dynoxide();
        create(&db, &users());
        let work = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            // Blocking calls, too: they are not forbidden here, only unwise.
            let mut sink = Box::new(LiveWriter::open(&db, options(work.path()), None).unwrap());
            let mut encoder = sink.encoder();
            encoder.push(&super::user(1), Origin(1)).unwrap();
            sink.write(encoder.take()).await.unwrap();
            sink.commit().await.unwrap();
            assert_eq!(sink.finish(&[]).await.unwrap().items, 1);
            assert_eq!(scan(&db, "users", 1).len(), 1);
            drop(db);
        });
    });
}

#[test]
fn a_run_that_is_dropped_anywhere_goes_on() {
    with_credentials("tables::a_run_that_is_dropped_anywhere_goes_on", || {
        let (_server, db) = dynoxide();
        create(&db, &users());
        let work = tempfile::tempdir().unwrap();
        let mut mark = None;
        for part in 0..6_u64 {
            // A part is begun twice, and dropped the first time with requests under way.
            for attempt in 0..2 {
                let mut sink = LiveWriter::open(&db, options(work.path()), mark.as_ref()).unwrap();
                write(&mut sink, part * 500..part * 500 + 250 * (attempt + 1)).unwrap();
                if attempt == 1 {
                    mark = Some(block_on(sink.commit()).unwrap());
                }
            }
        }
        let sink = Box::new(LiveWriter::open(&db, options(work.path()), mark.as_ref()).unwrap());
        assert_eq!(block_on(sink.finish(&[])).unwrap().items, 3000);
        expect_users(&db, 3000);
    });
}
