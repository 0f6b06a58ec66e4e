//! What cannot work says why, whose fault it is and what to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use futures_executor::block_on;
use keystar_item::{Index, Item, KeyAttribute, KeySchema, KeyType, Number, Table};
use keystar_kit::alone::alone;
use keystar_kit::fault::{Fault, FaultProxy};
use keystar_transfer::{
    Aws, AwsOptions, Error, ItemSink, LiveOptions, LiveWriter, Mark, Origin, TableExtras,
};

use super::{connect, create, dynoxide, load, options, users, with_credentials, write};

#[test]
fn no_region() {
    alone("refusals::no_region", &super::CREDENTIALS, || {
        let error = Aws::connect(&AwsOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "no AWS region is set");
        assert!(error.hint().unwrap().contains("AWS_REGION"));
    });
}

#[test]
fn no_credentials() {
    alone("refusals::no_credentials", &[("AWS_REGION", "eu-central-1")], || {
        let error = Aws::connect(&AwsOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "no AWS credentials were found");
        assert!(!error.is_retryable());
    });
}

#[test]
fn a_profile_gives_region_and_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let (config, secrets) = (folder.path().join("config"), folder.path().join("credentials"));
    std::fs::write(&config, "[profile moving]\nregion = sa-east-1\n").unwrap();
    let words = "[moving]\naws_access_key_id = a\naws_secret_access_key = b\n";
    std::fs::write(&secrets, words).unwrap();
    let environment = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", secrets.to_str().unwrap()),
    ];
    alone("refusals::a_profile_gives_region_and_credentials", &environment, || {
        let aws = Aws::connect(&AwsOptions::default().with_profile("moving")).unwrap();
        assert_eq!(aws.region(), "sa-east-1");
        let shown = format!("{aws:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let error = Aws::connect(&AwsOptions::default().with_profile("other")).unwrap_err();
        assert!(matches!(error, Error::NoRegion), "{error:?}");
    });
}

/// Answers whatever comes with what a role's credentials look like, and keeps who asked.
fn role_giver(asked: &'static Mutex<Vec<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let (mut text, mut line) = (String::new(), String::new());
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut line).unwrap() > 2 {
                text.push_str(&std::mem::take(&mut line).to_lowercase());
            }
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let mut body =
                vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            asked.lock().unwrap().push(text + &String::from_utf8_lossy(&body));
            let answer = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE\
                 </AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
                 </AssumeRoleResponse>";
            let length = answer.len();
            write!(
                &stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
            )
            .unwrap();
        }
    });
    endpoint
}

#[test]
fn a_role_is_taken_on() {
    // Both processes start one: the outer one's gives the role, the inner one's is the service.
    static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let endpoint = role_giver(&ASKED);
    let environment = [super::CREDENTIALS.as_slice(), &[("AWS_REGION", "eu-central-1")]].concat();
    let environment = [environment.as_slice(), &[("AWS_ENDPOINT_URL_STS", &endpoint)]].concat();
    alone("refusals::a_role_is_taken_on", &environment, || {
        let given = std::env::var("AWS_ENDPOINT_URL_STS").unwrap();
        let role = AwsOptions::default()
            .with_assume_role("arn:aws:iam::123456789012:role/moving")
            .with_endpoint_url(&endpoint);
        let db = Aws::connect(&role).unwrap().dynamodb();
        assert_ne!(given, endpoint);
        // It is no DynamoDB, but hears who asks.
        db.describe(&"users".parse().unwrap()).unwrap_err();
        let asked = ASKED.lock().unwrap();
        assert!(asked[0].contains("credential=asiarole/"), "{asked:?}");
        assert!(asked[0].contains("x-amz-security-token: token"), "{asked:?}");
    });
    // Only the outer one is asked for the role.
    if std::env::var_os("KEYSTAR_ALONE").is_none() {
        let asked = ASKED.lock().unwrap();
        assert!(asked[0].contains("role%2Fmoving") && asked[0].contains("credential=keystar/"));
    }
}

#[test]
fn a_table_that_is_not_there_or_not_the_one() {
    with_credentials("refusals::a_table_that_is_not_there_or_not_the_one", || {
        let (_server, db) = dynoxide();
        let work = tempfile::tempdir().unwrap();
        let error = LiveWriter::open(&db, options(work.path()), None).unwrap_err();
        assert_eq!(error.to_string(), "table users does not exist");
        create(&db, &users());
        let other = Table::new(
            KeySchema::new(KeyAttribute::new("key", KeyType::S))
                .with_sort(KeyAttribute::new("part", KeyType::N)),
        );
        let other = LiveOptions::new(other.with_name("users"), work.path()).unwrap();
        let error = LiveWriter::open(&db, other, None).unwrap_err();
        assert_eq!(error.to_string(), "the key of table users is key (S), not key (S), part (N)");
        let error = db.create(&users(), &TableExtras::default()).unwrap_err();
        assert_eq!(error.to_string(), "table users exists already");

        let mut sink = LiveWriter::open(&db, options(work.path()), None).unwrap();
        write(&mut sink, 0..10).unwrap();
        let mark: Mark = block_on(sink.commit()).unwrap();
        let changed = options(work.path()).with_repeats(true);
        let error = LiveWriter::open(&db, changed, Some(&mark)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot resume at dynamodb://users: the options are not those of the mark"
        );
        // The table goes while it is written to.
        db.delete(&"users".parse().unwrap(), Duration::from_secs(10)).unwrap();
        write(&mut sink, 10..20).unwrap();
        let error = block_on(sink.commit()).unwrap_err();
        assert_eq!(error.to_string(), "table users does not exist");
    });
}

#[test]
fn the_item_that_is_refused_is_named() {
    with_credentials("refusals::the_item_that_is_refused_is_named", || {
        let (_server, db) = dynoxide();
        // The table has an index that the spec does not know of.
        let by_score = KeySchema::new(KeyAttribute::new("score", KeyType::N));
        create(&db, &users().with_index(Index::new("by-score", by_score)));
        let work = tempfile::tempdir().unwrap();
        let mut sink = LiveWriter::open(&db, options(work.path()), None).unwrap();
        let mut encoder = sink.encoder();
        for n in 0..40_u64 {
            let mut item = Item::new();
            item.push("key", format!("user:\n{n}"));
            match n {
                33 => item.push("score", "a secret"),
                _ => item.push("score", Number::from(n)),
            }
            encoder.push(&item, Origin(n)).unwrap();
        }
        block_on(sink.write(encoder.take())).unwrap();
        let error = block_on(sink.commit()).unwrap_err();
        let Error::ItemRefused { table, key, reason } = &error else { panic!("{error:?}") };
        assert_eq!((table.as_str(), key.as_str()), ("users", "key=\"user:\\n33\""));
        assert!(reason.contains("score") && !reason.contains("secret"), "{reason}");
        assert!(!error.is_retryable());
        assert!(error.hint().unwrap().contains("index"));
    });
}

#[test]
fn who_is_at_fault_is_said() {
    with_credentials("refusals::who_is_at_fault_is_said", || {
        let (server, db) = dynoxide();
        create(&db, &users());
        let proxy = FaultProxy::start(&server.endpoint(), &["key"], |_| None).unwrap();
        let db = connect(&proxy.endpoint());
        let work = tempfile::tempdir().unwrap();
        for (code, words) in [
            ("AccessDeniedException", "not allowed to call BatchWriteItem on table users"),
            (
                "UnrecognizedClientException",
                "AWS does not accept the credentials: UnrecognizedClientException",
            ),
            ("ExpiredTokenException", "AWS does not accept the credentials: ExpiredTokenException"),
        ] {
            proxy.script(move |call| {
                (call.operation == "BatchWriteItem").then_some(Fault::Refuse(400, code))
            });
            let error = load(&db, options(work.path()), 100).unwrap_err();
            assert_eq!(error.to_string(), words);
            assert!(!error.is_retryable() && error.hint().is_some());
        }
        proxy.script(|_| Some(Fault::Refuse(400, "AccessDeniedException")));
        let error = db.describe(&"users".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "not allowed to call DescribeTable on table users");
    });
}

#[test]
fn nobody_is_there() {
    with_credentials("refusals::nobody_is_there", || {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let db = connect(&format!("http://{port}"));
        let error = db.describe(&"users".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no answer to DescribeTable on table users");
        assert!(error.is_retryable() && std::error::Error::source(&error).is_some());
    });
}
