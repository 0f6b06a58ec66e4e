//! `StartBulkPutItems` against the double.

use std::ops::ControlFlow;
use std::time::Duration;

use keystar_transfer::{
    BulkPut, Compression, CsvOptions, Error, Format, ImportOptions, ImportReader, ImportSource,
    ImportStatus, TableExtras, TableName,
};

use crate::{World, expected, lines, table, with_credentials};

const REPORT: &str = "s3://stage/report/";

fn make(world: &World, name: &str) -> TableName {
    let db = world.aws.dynamodb();
    let table = db.create(&table(name), &TableExtras::default()).unwrap();
    db.wait_active(&table, Duration::from_secs(10)).unwrap();
    table
}

#[test]
fn files_are_put_into_a_table_that_exists() {
    with_credentials("bulk::files_are_put_into_a_table_that_exists", || {
        let world = World::new();
        let db = world.aws.dynamodb();
        let lines = lines(800);
        let table_name = make(&world, "old");
        // One item is there before and is written over, another stays.
        let mut client = world.double.tables().connect().unwrap();
        let before = r#"{"id":{"S":"user#0"},"n":{"N":"-3"},"old":{"BOOL":true}}"#;
        let other = r#"{"id":{"S":"other"},"n":{"N":"1"}}"#;
        for item in [before, other] {
            let body = format!(r#"{{"TableName":"old","Item":{item}}}"#);
            client.call("PutItem", &body).unwrap();
        }
        for (format, compression) in
            [(Format::DynamoDbJson, Compression::gzip()), (Format::Ion, Compression::zstd())]
        {
            let name = format.to_string();
            let place = world.place(&name);
            let options = ImportOptions::new(table("old"))
                .with_format(format)
                .with_compression(compression)
                .with_max_file(1 << 20, 300);
            world.write(&place, options, &lines);
            let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
            let source = ImportSource::of(place.as_str(), &manifest).unwrap();
            let start = || BulkPut::start(&db, &source, &table_name, REPORT, Some(1024), &name);
            let job = start().unwrap();
            assert_eq!(start().unwrap().arn(), job.arn());
            let known = BulkPut::known(&db, job.arn());
            let outcome = known.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
            assert!(outcome.is_complete(), "{outcome:?}");
            assert_eq!((outcome.progress.items, outcome.progress.imported_items), (800, 800));
            assert_eq!(outcome.report.as_deref(), Some(REPORT));
            assert_eq!(outcome.item_errors(&place).unwrap(), []);
            let mut all = expected(&lines);
            all.insert("\"other\" \"1\"".to_owned(), serde_json::from_str(other).unwrap());
            assert_eq!(world.items("old"), all);
        }
    });
}

#[test]
fn what_is_refused_is_counted_and_reported() {
    with_credentials("bulk::what_is_refused_is_counted_and_reported", || {
        let world = World::new();
        let db = world.aws.dynamodb();
        let table = make(&world, "old");
        let mut text = lines(5).join("\n");
        text.push_str("\n{\"Item\":{\"id\":{\"S\":\"keyless\"}}}\n");
        world.s3.put("stage", "a/data/x.json", text.as_bytes()).unwrap();
        let new =
            |url: &str| ImportSource::new(url, Format::DynamoDbJson, Compression::None).unwrap();
        let source = new("s3://stage/a/data/");
        let start = |source: &ImportSource, table: &TableName, token: &str| {
            BulkPut::start(&db, source, table, REPORT, None, token)
        };
        let job = start(&source, &table, "one").unwrap();
        let outcome = job.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
        assert_eq!(outcome.progress.status, ImportStatus::Completed);
        assert!(!outcome.is_complete());
        assert_eq!((outcome.progress.items, outcome.progress.errors), (6, 1));
        let errors = outcome.item_errors(&world.place("")).unwrap();
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!((error.file.as_deref(), error.index), (Some("a/data/x.json"), Some(5)));
        assert!(error.to_string().starts_with("a/data/x.json, item 5: "), "{error}");

        // Reports of others lie beside it, and one in a form that nobody knows.
        world
            .s3
            .put("stage", "report/other/errors.json", b"{\"message\":\"not this one\"}")
            .unwrap();
        assert_eq!(outcome.item_errors(&world.place("")).unwrap(), errors);
        let id = outcome.arn.rsplit('/').next().unwrap();
        let odd = format!("report/{id}/summary.csv");
        world.s3.put("stage", &odd, b"file,item\nx,5\n").unwrap();
        let errors = outcome.item_errors(&world.place("")).unwrap();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!(errors[1].to_string(), format!("see s3://stage/{odd}"));

        let missing = start(&source, &"nobody".parse().unwrap(), "two").unwrap_err();
        assert!(matches!(missing, Error::TableMissing { .. }), "{missing:?}");
        let conflict = start(&new("s3://stage/b/"), &table, "one").unwrap_err();
        assert!(matches!(conflict, Error::ImportConflict { .. }), "{conflict:?}");
        world.double.refuse("StartBulkPutItems", "LimitExceededException");
        let limit = start(&source, &table, "three").unwrap_err();
        assert!(matches!(limit, Error::ImportLimit { .. }), "{limit:?}");
        world.double.refuse("StartBulkPutItems", "UnknownOperationException");
        let old = start(&source, &table, "three").unwrap_err();
        assert!(matches!(old, Error::NoBulkPuts), "{old:?}");
        world.double.refuse("StartBulkPutItems", "InternalServerError");
        start(&source, &table, "three").unwrap();

        let csv = Format::Csv(CsvOptions::default());
        let csv = ImportSource::new("s3://stage/a/", csv, Compression::None).unwrap();
        assert!(matches!(start(&csv, &table, "four"), Err(Error::Options(_))));
        let slow = BulkPut::start(&db, &source, &table, REPORT, Some(10), "five");
        assert!(matches!(slow, Err(Error::Options(_))));
        let lost = BulkPut::known(
            &db,
            "arn:aws:dynamodb:eu-central-1:123456789012:table/x/bulk-operation/1",
        );
        assert!(matches!(lost.progress(), Err(Error::ImportMissing { .. })));
    });
}
