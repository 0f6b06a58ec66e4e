//! `ImportTable` against the double.

use std::ops::ControlFlow;
use std::time::Duration;

use keystar_item::{Billing, Table};
use keystar_transfer::{
    Compression, CsvOptions, Encryption, Error, Format, ImportJob, ImportOptions, ImportOutcome,
    ImportReader, ImportSample, ImportSource, ImportStatus, TableExtras, TableName,
};
use serde_json::json;

use crate::{World, chain, expected, lines, table, with_credentials};

fn source(prefix: &str, format: Format, compression: Compression) -> ImportSource {
    ImportSource::new(&format!("s3://stage/{prefix}/data/"), format, compression).unwrap()
}

fn plain(prefix: &str) -> ImportSource {
    source(prefix, Format::DynamoDbJson, Compression::None)
}

fn run(world: &World, source: &ImportSource, table: &Table, token: &str) -> ImportOutcome {
    let db = world.aws.dynamodb();
    let job = ImportJob::start(&db, source, table, &TableExtras::default(), token).unwrap();
    job.wait(|_| ControlFlow::Continue(())).unwrap().unwrap()
}

#[test]
fn every_format_and_compression_arrives_whole() {
    with_credentials("import::every_format_and_compression_arrives_whole", || {
        let world = World::new();
        let lines = lines(1300);
        let expected = expected(&lines);
        for format in [Format::DynamoDbJson, Format::Ion] {
            for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
                let name = format!("{format}-{compression}");
                let place = world.place(&name);
                let options = ImportOptions::new(table(&name))
                    .with_format(format.clone())
                    .with_compression(compression)
                    .with_max_file(100_000, 300);
                let receipt = world.write(&place, options, &lines);
                assert!(receipt.files.len() > 3, "{}", receipt.files.len());
                let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
                let source = ImportSource::of(place.as_str(), &manifest).unwrap();
                assert_eq!(source.prefix, format!("{name}/data/"));
                let outcome = run(&world, &source, &table(&name), &name);
                assert!(outcome.is_complete(), "{name}: {outcome:?}");
                assert_eq!(outcome.progress.imported_items, 1300);
                assert_eq!(outcome.progress.bytes, receipt.bytes);
                assert_eq!(outcome.hint(), None);
                assert_eq!(world.items(&name), expected, "{name}");
            }
        }
    });
}

#[test]
fn a_prefix_is_the_same_to_the_upload_and_to_the_import() {
    with_credentials("import::a_prefix_is_the_same_to_the_upload_and_to_the_import", || {
        let world = World::new();
        let lines = lines(20);
        for (number, prefix) in ["", "a b/ä%20+x", "slash/"].into_iter().enumerate() {
            let name = format!("odd-{number}");
            let place = world.place(prefix);
            world.write(&place, ImportOptions::new(table(&name)), &lines);
            let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
            let source = ImportSource::of(place.as_str(), &manifest).unwrap();
            assert_eq!(world.s3.keys("stage", &source.prefix).unwrap().len(), 1, "{prefix}");
            let outcome = run(&world, &source, &table(&name), &name);
            assert!(outcome.is_complete(), "{prefix}: {outcome:?}");
            assert_eq!(world.items(&name), expected(&lines));
        }
    });
}

#[test]
fn csv_arrives_as_text() {
    with_credentials("import::csv_arrives_as_text", || {
        let world = World::new();
        let lines: Vec<String> = (0..700)
            .map(|number| {
                let mut item = json!({"id": {"S": format!("a;\"{number}\nx")}, "n": {"N": number.to_string()}});
                if number % 3 > 0 {
                    item["text"] = json!({"S": format!("it's {number}, \r\n")});
                }
                json!({"Item": item}).to_string()
            })
            .collect();
        for delimiter in [b',', b';', b'\t'] {
            let name = format!("csv-{delimiter}");
            let csv = Format::Csv(CsvOptions::default().with_delimiter(delimiter));
            let options = ImportOptions::new(table(&name)).with_format(csv);
            let place = world.place(&name);
            world.write(&place, options, &lines);
            let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
            let source = ImportSource::of(place.as_str(), &manifest).unwrap();
            let outcome = run(&world, &source, &table(&name), &name);
            assert!(outcome.is_complete(), "{outcome:?}");
            assert_eq!(world.items(&name), expected(&lines));
        }
    });
}

#[test]
fn the_table_is_made_as_asked() {
    with_credentials("import::the_table_is_made_as_asked", || {
        let world = World::new();
        world.s3.put("stage", "a/data/x.json", b"").unwrap();
        let extras = TableExtras::default()
            .with_encryption(Encryption::Key("alias/mine".to_owned()))
            .with_max_units(Some(100), Some(200));
        let asked = table("asked").with_billing(Billing::OnDemand);
        let source = plain("a").with_bucket_owner("123456789012");
        ImportJob::start(&world.aws.dynamodb(), &source, &asked, &extras, "run-1").unwrap();
        let recorded = world.double.recorded();
        let body: serde_json::Value = serde_json::from_str(&recorded[0].body).unwrap();
        assert_eq!(recorded[0].target, "DynamoDB_20120810.ImportTable");
        assert_eq!(
            body,
            json!({
                "ClientToken": "run-1",
                "S3BucketSource": {"S3Bucket": "stage", "S3KeyPrefix": "a/data/", "S3BucketOwner": "123456789012"},
                "InputFormat": "DYNAMODB_JSON",
                "InputCompressionType": "NONE",
                "TableCreationParameters": {
                    "TableName": "asked",
                    "AttributeDefinitions": [
                        {"AttributeName": "email", "AttributeType": "S"},
                        {"AttributeName": "id", "AttributeType": "S"},
                        {"AttributeName": "n", "AttributeType": "N"},
                    ],
                    "KeySchema": [
                        {"AttributeName": "id", "KeyType": "HASH"},
                        {"AttributeName": "n", "KeyType": "RANGE"},
                    ],
                    "BillingMode": "PAY_PER_REQUEST",
                    "OnDemandThroughput": {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 200},
                    "SSESpecification": {"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": "alias/mine"},
                    "GlobalSecondaryIndexes": [{
                        "IndexName": "by-email",
                        "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }],
                },
            })
        );
    });
}

#[test]
fn bad_items_are_named_with_file_and_reason() {
    with_credentials("import::bad_items_are_named_with_file_and_reason", || {
        let world = World::new();
        let item = |id: &str, more: serde_json::Value| {
            let mut item = json!({"id": {"S": id}, "n": {"N": "1"}});
            item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"Item": item}).to_string() + "\n"
        };
        let good = item("good", json!({}));
        let huge = item("huge", json!({"x": {"S": "x".repeat(410_000)}}));
        let index = item("index", json!({"email": {"N": "1"}}));
        let keyless = "{\"Item\":{\"id\":{\"S\":\"keyless\"}}}\n";
        let first = format!("{good}{huge}{keyless}");
        let cut = item("after", json!({}));
        let second = format!("{index}{}{{\"Item\":{{\n{cut}", item("fine", json!({})));
        world.s3.put("stage", "a/data/1.json", first.as_bytes()).unwrap();
        world.s3.put("stage", "a/data/2.json", second.as_bytes()).unwrap();
        let outcome = run(&world, &plain("a"), &table("bad"), "t");
        assert_eq!(outcome.progress.status, ImportStatus::Failed);
        assert!(!outcome.is_complete());
        assert_eq!(outcome.failure.as_ref().unwrap().0, "ItemValidationError");
        assert_eq!((outcome.progress.imported_items, outcome.progress.errors), (2, 4));
        let mut named: Vec<(String, u64)> = outcome
            .item_errors
            .iter()
            .map(|error| (error.file.clone().unwrap(), error.index.unwrap()))
            .collect();
        named.sort();
        let at = |file: &str, index| (format!("a/data/{file}.json"), index);
        assert_eq!(named, [at("1", 1), at("1", 2), at("2", 0), at("2", 2)]);
        let huge = outcome.item_errors.iter().find(|error| error.index == Some(1)).unwrap();
        assert!(huge.to_string().starts_with("a/data/1.json, item 1: "), "{huge}");
        assert!(huge.to_string().contains("size"), "{huge}");
        assert!(outcome.hint().unwrap().starts_with("the valid items are in the table"));
        assert_eq!(outcome.log_unread, None);
        let (group, stream) = outcome.log.unwrap();
        assert_eq!(group, "/aws-dynamodb/imports");
        assert!(outcome.arn.ends_with(stream.trim_end_matches("/error")), "{stream}");
        let ids: Vec<String> = world.items("bad").into_keys().collect();
        assert_eq!(ids, ["\"fine\" \"1\"", "\"good\" \"1\""]);
    });
}

#[test]
fn a_long_log_is_read_page_by_page_and_cut() {
    with_credentials("import::a_long_log_is_read_page_by_page_and_cut", || {
        let world = World::new();
        for (prefix, count, read) in [("few", 250, 250), ("many", 10_050, 10_000)] {
            let text = "{}\n".repeat(count);
            world.s3.put("stage", &format!("{prefix}/data/x.json"), text.as_bytes()).unwrap();
            let outcome = run(&world, &plain(prefix), &table(prefix), prefix);
            assert_eq!(outcome.progress.errors, count as u64);
            assert_eq!(outcome.item_errors.len(), read);
            let last = outcome.item_errors.last().unwrap();
            assert_eq!(last.index, Some(read as u64 - 1));
        }
    });
}

#[test]
fn without_a_log_the_failure_itself_is_told() {
    with_credentials("import::without_a_log_the_failure_itself_is_told", || {
        let world = World::new();
        world.double.forget_logs();
        world.s3.put("stage", "a/data/x.json", b"{\"Item\":{}}\n").unwrap();
        let outcome = run(&world, &plain("a"), &table("a-table"), "t");
        assert_eq!(outcome.progress.errors, 1);
        assert!(outcome.log_unread.as_deref().unwrap().contains("ResourceNotFoundException"));
        assert_eq!(outcome.item_errors.len(), 1);
        assert!(outcome.item_errors[0].to_string().starts_with("Some of the items failed"));
    });
}

#[test]
fn wrong_declarations_and_empty_places_fail_with_what_to_do() {
    with_credentials("import::wrong_declarations_and_empty_places_fail_with_what_to_do", || {
        let world = World::new();
        world.s3.put("stage", "plain/data/x.json", b"{\"Item\":{}}\n").unwrap();
        let gzip = source("plain", Format::DynamoDbJson, Compression::gzip());
        let outcome = run(&world, &gzip, &table("gzip"), "gzip");
        assert_eq!(outcome.progress.errors, 1);
        assert!(outcome.item_errors[0].to_string().contains("cannot be decompressed"));

        let nowhere = ImportSource::new("s3://nobody/x/", Format::Ion, Compression::None).unwrap();
        let outcome = run(&world, &nowhere, &table("nowhere"), "nowhere");
        assert_eq!(outcome.failure.as_ref().unwrap().0, "S3NoSuchBucket");
        assert!(outcome.hint().unwrap().starts_with("no table was made"));
        let name: TableName = "nowhere".parse().unwrap();
        assert_eq!(world.aws.dynamodb().describe(&name).unwrap(), None);

        let outcome = run(&world, &plain("nothing"), &table("nothing"), "nothing");
        assert_eq!(outcome.failure.as_ref().unwrap().0, "S3NoSuchKey");
    });
}

#[test]
fn twins_are_counted_and_one_of_them_stays() {
    with_credentials("import::twins_are_counted_and_one_of_them_stays", || {
        let world = World::new();
        let lines = lines(1000);
        let twice = lines.join("\n") + "\n" + &lines.join("\n");
        world.s3.put("stage", "a/data/x.json", twice.as_bytes()).unwrap();
        let outcome = run(&world, &plain("a"), &table("twins"), "t");
        assert!(outcome.is_complete());
        assert_eq!((outcome.progress.items, outcome.progress.imported_items), (2000, 2000));
        assert_eq!(world.items("twins").len(), 1000);
    });
}

#[test]
fn a_token_begins_one_import() {
    with_credentials("import::a_token_begins_one_import", || {
        let world = World::new();
        world.s3.put("stage", "a/data/x.json", lines(10).join("\n").as_bytes()).unwrap();
        let db = world.aws.dynamodb();
        let extras = TableExtras::default();
        let start = |source: &ImportSource, name: &str, token: &str| {
            ImportJob::start(&db, source, &table(name), &extras, token)
        };
        let first = start(&plain("a"), "one", "run-1").unwrap();
        let second = start(&plain("a"), "one", "run-1").unwrap();
        assert_eq!((first.arn(), world.double.jobs()), (second.arn(), 1));
        let outcome = second.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
        assert!(outcome.is_complete());
        // After its end, too.
        assert_eq!(start(&plain("a"), "one", "run-1").unwrap().arn(), first.arn());

        let conflict = start(&plain("b"), "one", "run-1").unwrap_err();
        assert!(matches!(conflict, Error::ImportConflict { .. }), "{conflict:?}");
        assert_eq!(
            conflict.to_string(),
            "another import than that of s3://stage/b/data/ into table one has the token run-1"
        );
        assert!(conflict.hint().unwrap().contains("new id"));

        // The service says that the table is there: by our own import, whose answer was lost, or by somebody else's.
        world.double.refuse("ImportTable", "ResourceInUseException");
        assert_eq!(start(&plain("a"), "one", "run-1").unwrap().arn(), first.arn());
        // Of several imports of the name it is the right one.
        let name: TableName = "one".parse().unwrap();
        db.delete(&name, Duration::from_secs(10)).unwrap();
        let third = start(&plain("a"), "one", "run-3").unwrap();
        assert_ne!(third.arn(), first.arn());
        world.double.refuse("ImportTable", "ResourceInUseException");
        assert_eq!(start(&plain("a"), "one", "run-3").unwrap().arn(), third.arn());
        let exists = start(&plain("a"), "one", "run-2").unwrap_err();
        assert!(matches!(exists, Error::TableExists { .. }), "{exists:?}");
        assert_eq!(exists.to_string(), "table one exists already");
        assert!(exists.hint().is_some());

        for token in ["", "a$b"] {
            assert!(matches!(start(&plain("a"), "one", token), Err(Error::Options(_))));
        }
    });
}

#[test]
fn too_many_imports_and_unknown_ones_are_told() {
    with_credentials("import::too_many_imports_and_unknown_ones_are_told", || {
        let world = World::new();
        world.double.set_pause(Duration::from_secs(30));
        world.double.set_most_jobs(2);
        world.s3.put("stage", "a/data/x.json", b"").unwrap();
        let db = world.aws.dynamodb();
        let start = |name: &str| {
            ImportJob::start(&db, &plain("a"), &table(name), &TableExtras::default(), name)
        };
        start("one").unwrap();
        start("two").unwrap();
        let limit = start("three").unwrap_err();
        assert!(matches!(limit, Error::ImportLimit { .. }), "{limit:?}");
        assert!(limit.to_string().starts_with("cannot import into table three now"), "{limit}");
        assert!(limit.hint().unwrap().contains("50 imports"));

        let arn =
            "arn:aws:dynamodb:eu-central-1:123456789012:table/x/import/0000000000000000001-00";
        let missing = ImportJob::known(&db, arn).progress().unwrap_err();
        assert!(matches!(missing, Error::ImportMissing { .. }), "{missing:?}");

        world.double.refuse("ImportTable", "AccessDeniedException");
        let denied = start("four").unwrap_err();
        assert!(matches!(denied, Error::Denied { .. }), "{}", chain(&denied));
    });
}

#[test]
fn waiting_shows_progress_can_stop_and_go_on_and_survives_failures() {
    let name = "import::waiting_shows_progress_can_stop_and_go_on_and_survives_failures";
    with_credentials(name, || {
        let world = World::new();
        world.double.set_pause(Duration::from_secs(1));
        let lines = lines(100);
        for (number, lines) in lines.chunks(20).enumerate() {
            let key = format!("a/data/{number}.json");
            world.s3.put("stage", &key, lines.join("\n").as_bytes()).unwrap();
        }
        let db = world.aws.dynamodb();
        let extras = TableExtras::default();
        let job = ImportJob::start(&db, &plain("a"), &table("slow"), &extras, "t").unwrap();
        let mut looks = 0;
        let stopped = job.wait(|progress| {
            looks += 1;
            match progress.items {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        assert_eq!(stopped.unwrap(), None);
        assert!(looks > 0);

        // The SDK tries three times by itself.
        for _ in 0..3 {
            world.double.refuse("DescribeImport", "InternalServerError");
        }
        let mut seen = Vec::new();
        let outcome = ImportJob::known(&db, job.arn())
            .wait(|progress| {
                seen.push(progress.items);
                ControlFlow::Continue(())
            })
            .unwrap()
            .unwrap();
        assert!(outcome.is_complete());
        assert!(seen.is_sorted(), "{seen:?}");
        seen.dedup();
        assert!(seen.len() > 2 && seen.last() == Some(&100), "{seen:?}");
        assert_eq!(world.items("slow"), expected(&lines));

        let job = ImportJob::start(&db, &plain("a"), &table("cancelled"), &extras, "u").unwrap();
        world.double.cancel();
        let outcome = job.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
        assert_eq!(outcome.progress.status, ImportStatus::Cancelled);
        assert!(outcome.hint().unwrap().starts_with("somebody cancelled it"));
    });
}

#[test]
fn a_sample_is_imported_beside_the_rest() {
    with_credentials("import::a_sample_is_imported_beside_the_rest", || {
        let world = World::new();
        let lines = lines(900);
        let place = world.place("some/where");
        let options = ImportOptions::new(table("whole")).with_max_file(1 << 20, 100);
        let receipt = world.write(&place, options, &lines);
        assert!(receipt.files.len() >= 5);
        let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
        let files = &receipt.files[1..3];
        let sample = ImportSample::copy(&place, &manifest, files, "run-1").unwrap();
        assert_eq!(sample.source().prefix, "some/where/sample-run-1/");
        let outcome = run(&world, sample.source(), &table("trial"), "trial");
        assert!(outcome.is_complete());
        let items: u64 = files.iter().map(|file| file.items).sum();
        assert_eq!(world.items("trial").len() as u64, items);
        sample.remove().unwrap();
        assert_eq!(world.s3.keys("stage", "some/where/sample").unwrap(), [""; 0]);

        let source = ImportSource::of(place.as_str(), &manifest).unwrap();
        assert!(run(&world, &source, &table("whole"), "whole").is_complete());
        assert_eq!(world.items("whole"), expected(&lines));
    });
}
