//! Judges that are not ours: AWS's own models of requests, and an emulator's `ImportTable`.

use std::ops::ControlFlow;

use keystar_item::Billing;
use keystar_kit::ministack::Ministack;
use keystar_kit::python;
use keystar_kit::s3::REGION;
use keystar_transfer::{
    Aws, AwsOptions, BulkPut, Compression, CsvOptions, Encryption, Format, ImportJob,
    ImportOptions, ImportReader, ImportSource, ImportStatus, Place, TableExtras, TableName,
};
use serde_json::json;

use crate::{World, chain, expected, lines, scan, table, with_credentials, write};

#[test]
fn every_request_is_as_the_service_models_say() {
    with_credentials("judges::every_request_is_as_the_service_models_say", || {
        let world = World::new();
        world.s3.put("stage", "a/data/x", b"{\"Item\":{}}\n").unwrap();
        let db = world.aws.dynamodb();
        let all = TableExtras::default()
            .with_encryption(Encryption::Key("alias/mine".to_owned()))
            .with_max_units(Some(10), Some(20));
        let none = TableExtras::default();
        let formats = [
            Format::DynamoDbJson,
            Format::Ion,
            Format::Csv(CsvOptions::default().with_delimiter(b'\t')),
        ];
        let compressions = [Compression::None, Compression::gzip(), Compression::zstd()];
        for (number, format) in formats.into_iter().enumerate() {
            for (other, compression) in compressions.into_iter().enumerate() {
                let name = format!("t-{number}-{other}");
                let source =
                    ImportSource::new("s3://stage/a/data/", format.clone(), compression).unwrap();
                let source = source.with_bucket_owner("123456789012");
                let (table, extras) = match other {
                    0 => (table(&name), &none),
                    _ => (table(&name).with_billing(Billing::OnDemand), &all),
                };
                let job = ImportJob::start(&db, &source, &table, extras, &name).unwrap();
                job.wait(|_| ControlFlow::Continue(())).unwrap();
                world.double.refuse("ImportTable", "ResourceInUseException");
                ImportJob::start(&db, &source, &table, extras, &name).unwrap();
            }
        }
        let name: TableName = "t-0-0".parse().unwrap();
        let source =
            ImportSource::new("s3://stage/a/data/", Format::Ion, Compression::zstd()).unwrap();
        let source = source.with_bucket_owner("123456789012");
        let report = "s3://stage/report/";
        let job = BulkPut::start(&db, &source, &name, report, Some(2000), "all").unwrap();
        job.progress().unwrap();
        let recorded = world.double.recorded();
        let file = world.work.path().join("requests");
        let text: String = recorded
            .iter()
            .map(|request| {
                json!({"target": request.target, "body": request.body}).to_string() + "\n"
            })
            .collect();
        std::fs::write(&file, text).unwrap();
        let valid = python::run("aws_requests.py", &[&file]).unwrap();
        assert_eq!(valid.trim(), recorded.len().to_string());
        for operation in [
            "ImportTable",
            "DescribeImport",
            "ListImports",
            "GetLogEvents",
            "StartBulkPutItems",
            "DescribeBulkOperation",
        ] {
            assert!(
                recorded.iter().any(|request| request.target.ends_with(operation)),
                "{operation}"
            );
        }

        // The judge can say no.
        for bad in [r#"{"ImportArn":"short"}"#, r#"{"ImportArm":"x"}"#, "{}"] {
            let line =
                json!({"target": "DynamoDB_20120810.DescribeImport", "body": bad}).to_string();
            std::fs::write(&file, line).unwrap();
            assert!(python::run("aws_requests.py", &[&file]).is_err(), "{bad}");
        }
    });
}

#[test]
fn an_emulators_import_takes_what_we_stage() {
    with_credentials("judges::an_emulators_import_takes_what_we_stage", || {
        let ministack = Ministack::start().unwrap();
        let endpoint = ministack.endpoint();
        ministack.make_bucket("stage").unwrap();
        let options = AwsOptions::default()
            .with_region("us-east-1")
            .with_endpoint_url(&endpoint)
            .with_logs_endpoint_url(&endpoint)
            .with_s3_endpoint_url(&endpoint);
        let aws = Aws::connect(&options).unwrap();
        let db = aws.dynamodb();
        let work = tempfile::tempdir().unwrap();

        let elsewhere = Aws::connect(&options.with_region(REGION)).unwrap();
        let place = Place::from("s3://stage/x").with_aws(&elsewhere);
        let error = ImportReader::open(&place).unwrap_err();
        let told = "the bucket stage is in the region us-east-1, but eu-central-1 was asked";
        assert!(chain(&error).contains(told), "{}", chain(&error));

        let typed = lines(700);
        let texts: Vec<String> = (0..700)
            .map(|number| {
                json!({"Item": {
                    "id": {"S": format!("it's, \"{number}\"\nx")}, "n": {"N": number.to_string()}, "t": {"S": "é"},
                }})
                .to_string()
            })
            .collect();
        let cases = [
            (Format::DynamoDbJson, Compression::None, &typed),
            (Format::DynamoDbJson, Compression::gzip(), &typed),
            (Format::Csv(CsvOptions::default()), Compression::gzip(), &texts),
        ];
        for (format, compression, lines) in cases {
            let name = format!("{format}-{compression}");
            let place = Place::from(format!("s3://stage/{name}")).with_aws(&aws);
            let options = ImportOptions::new(table(&name))
                .with_format(format)
                .with_compression(compression)
                .with_max_file(1 << 20, 300);
            write(&place, &work.path().join(&name), options, lines).unwrap();
            let manifest = ImportReader::open(&place).unwrap().manifest().unwrap().clone();
            let source = ImportSource::of(place.as_str(), &manifest).unwrap();
            let start =
                || ImportJob::start(&db, &source, &table(&name), &TableExtras::default(), &name);
            let job = start().unwrap();
            // It says that the table is there before it looks at the token.
            assert_eq!(start().unwrap().arn(), job.arn());
            let outcome = job.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
            assert!(outcome.is_complete(), "{outcome:?}");
            assert_eq!(outcome.progress.imported_items, 700);
            assert_eq!(scan(ministack.tables().unwrap(), &name), expected(lines));
        }

        // What it refuses it says in a log that is its own.
        let place = Place::from("s3://stage/bad").with_aws(&aws);
        let key = table("bad").key;
        let loose = keystar_item::Table::new(key);
        let bad = [r#"{"Item":{"id":{"S":"a"},"n":{"N":"1"},"email":{"N":"5"}}}"#.to_owned()];
        let options = ImportOptions::new(loose).with_compression(Compression::None);
        write(&place, &work.path().join("bad"), options, &bad).unwrap();
        let source =
            ImportSource::new("s3://stage/bad/data/", Format::DynamoDbJson, Compression::None)
                .unwrap();
        let job =
            ImportJob::start(&db, &source, &table("bad"), &TableExtras::default(), "bad").unwrap();
        let outcome = job.wait(|_| ControlFlow::Continue(())).unwrap().unwrap();
        assert_eq!(outcome.progress.status, ImportStatus::Failed);
        assert_eq!(outcome.log_unread, None);
        assert_eq!(outcome.item_errors.len(), 1);
        assert_eq!(outcome.item_errors[0].index, Some(0));
        let file = outcome.item_errors[0].file.as_deref().unwrap();
        assert!(file.starts_with("bad/data/part-"), "{file}");
        let name: TableName = "bad".parse().unwrap();
        assert!(db.describe(&name).unwrap().is_some());
    });
}
