//! Uploads, and what S3 may do to them.

use std::time::Instant;

use keystar_kit::alone::alone;
use keystar_kit::ministack::Ministack;
use keystar_kit::s3::{ACCESS_KEY, Fault, REGION, S3, SECRET_KEY};
use keystar_transfer::{Aws, AwsOptions, Compression, Error, ImportOptions, ImportReader, Place};

use crate::{World, chain, lines, table, with_credentials, with_secret};

/// Items whose text is about 14 MB: one object of three parts.
fn large() -> Vec<String> {
    let line = |number: usize| {
        let text = format!("{number:07}").repeat(2000);
        format!(r#"{{"Item":{{"id":{{"S":"{number}"}},"n":{{"N":"1"}},"x":{{"S":"{text}"}}}}}}"#)
    };
    (0..1000).map(line).collect()
}

fn options() -> ImportOptions {
    ImportOptions::new(table("large")).with_compression(Compression::None).with_lanes(1)
}

/// Uploads and reads back what was uploaded, by the manifest's digests.
fn upload(world: &World, prefix: &str, lines: &[String]) {
    let place = world.place(prefix);
    let receipt = world.write(&place, options(), lines);
    assert_eq!(receipt.items, lines.len() as u64);
    let reader = ImportReader::open(&place).unwrap();
    let mut items = reader.items();
    let mut read = 0;
    while items.next_item().unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, lines.len());
    for file in &receipt.files {
        let stored = world.s3.get("stage", &format!("{prefix}/{}", file.key)).unwrap();
        assert_eq!(stored.len() as u64, file.stored_bytes);
    }
    assert_eq!(world.s3.leftover_parts().unwrap(), 0);
}

#[test]
fn a_large_object_goes_up_in_parts_with_checksums() {
    with_credentials("bucket::a_large_object_goes_up_in_parts_with_checksums", || {
        let world = World::new();
        upload(&world, "p", &large());
        let requests = world.s3.requests();
        assert_eq!(world.s3.unchecked(), 0);
        let of = |text: &str| requests.iter().filter(|request| request.contains(text)).count();
        assert_eq!((of("uploads"), of("partNumber="), of("POST")), (1, 3, 2), "{requests:#?}");
    });
}

#[test]
fn parts_of_all_files_go_up_at_once_but_not_too_many() {
    with_credentials("bucket::parts_of_all_files_go_up_at_once_but_not_too_many", || {
        let world = World::new();
        world.s3.fault("partNumber=", 1000, Fault::Delay(150));
        let lines: Vec<String> = large().into_iter().cycle().take(3000).collect();
        // The keys are the same, and so must be removed at the end: only the first thousand stay.
        let place = world.place("one");
        let receipt = world.write(&place, options().with_max_duplicates(5000), &lines);
        assert_eq!(receipt.items, 1000);
        let most = world.s3.most_parts_at_once();
        assert!((2..=4).contains(&most), "{most} parts of one file at once");

        let distinct: Vec<String> = (0..3)
            .flat_map(|copy| {
                let to = format!(r#""n":{{"N":"{copy}"}}"#);
                large().into_iter().map(move |line| line.replace(r#""n":{"N":"1"}"#, &to))
            })
            .collect();
        let place = world.place("many");
        world.write(&place, options().with_lanes(6), &distinct);
        let most = world.s3.most_parts_at_once();
        assert!((5..=8).contains(&most), "{most} parts of all files at once");
    });
}

#[test]
fn a_profile_and_a_role_are_who_uploads() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    let stranger = "[stranger]\naws_access_key_id = AKIDSTRANGER\naws_secret_access_key = wrong\n";
    std::fs::write(&credentials, stranger).unwrap();
    let ministack = Ministack::start().unwrap();
    let (credentials, sts) = (credentials.display().to_string(), ministack.endpoint());
    let environment = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()),
        ("AWS_ENDPOINT_URL_STS", sts.as_str()),
    ];
    alone("bucket::a_profile_and_a_role_are_who_uploads", &environment, || {
        let s3 = S3::start().unwrap();
        s3.make_bucket("stage").unwrap();
        let upload = |options: &AwsOptions| {
            let aws = Aws::connect(options).unwrap();
            let work = tempfile::tempdir().unwrap();
            let place = Place::from("s3://stage/p").with_aws(&aws);
            let error = crate::write(&place, work.path(), self::options(), &lines(3)).unwrap_err();
            // This S3 knows neither of them, and that is how we know.
            chain(&error)
        };
        let options = AwsOptions::default().with_region(REGION).with_s3_endpoint_url(s3.endpoint());
        let as_profile = options.clone().with_profile("stranger");
        let refused = upload(&as_profile);
        assert_eq!(s3.signers(), ["AKIDSTRANGER"], "{refused}");
        let role = "arn:aws:iam::000000000000:role/migration";
        let refused = upload(&options.with_assume_role(role));
        assert!(s3.signers()[1].starts_with("ASIA"), "{:?} {refused}", s3.signers());
        assert!(refused.contains("S3 does not know these credentials"), "{refused}");
    });
}

#[test]
fn parts_that_fail_are_sent_again_and_the_object_is_the_same() {
    with_credentials("bucket::parts_that_fail_are_sent_again_and_the_object_is_the_same", || {
        let lines = large();
        let faults = [
            ("partNumber=2", Fault::HangUp),
            ("partNumber=1", Fault::Refuse(500, "InternalError")),
            ("partNumber=3", Fault::Refuse(503, "SlowDown")),
            ("partNumber=2", Fault::LoseAnswer),
            // A signature that was too old when it came: only a new one helps.
            ("partNumber=1", Fault::Refuse(400, "ExpiredToken")),
            ("?uploads", Fault::HangUp),
            ("?uploadId=", Fault::HangUp),
            ("?uploadId=", Fault::LoseAnswer),
            ("manifest.json", Fault::Refuse(500, "InternalError")),
        ];
        for (matching, fault) in faults {
            let world = World::new();
            world.s3.fault(matching, 1, fault);
            upload(&world, "p", &lines);
            let hit = world.s3.requests();
            let hit = hit.iter().filter(|request| request.contains(matching)).count();
            assert!(hit >= 2, "{matching} was never tried again: {fault:?}");
        }
    });
}

#[test]
fn what_is_given_up_leaves_nothing() {
    with_credentials("bucket::what_is_given_up_leaves_nothing", || {
        let world = World::new();
        world.s3.fault("partNumber=2", 1, Fault::Refuse(403, "AccessDenied"));
        let work = world.work.path();
        let failed = crate::write(&world.place("p"), work, options(), &large()).unwrap_err();
        assert!(matches!(failed, Error::Permission { .. }), "{failed:?}");
        assert_eq!(world.s3.keys("stage", "p").unwrap(), [""; 0]);
        assert_eq!(world.s3.leftover_parts().unwrap(), 0);
    });
}

#[test]
fn refusals_say_what_to_do() {
    with_credentials("bucket::refusals_say_what_to_do", || {
        let world = World::new();
        let told = |place: &Place, matching: &'static str, fault: Option<Fault>| {
            if let Some(fault) = fault {
                world.s3.fault(matching, 1, fault);
            }
            let begun = Instant::now();
            let work = tempfile::tempdir_in(world.work.path()).unwrap();
            let error = crate::write(place, work.path(), options(), &lines(3)).unwrap_err();
            assert!(begun.elapsed().as_secs() < 5, "was tried again: {error}");
            assert!(!error.is_retryable(), "{error:?}");
            chain(&error)
        };
        let stage = world.place("p");

        let elsewhere = told(&stage, "GET", Some(Fault::Elsewhere("ap-south-1")));
        assert!(
            elsewhere.contains(
                "the bucket stage is in the region ap-south-1, but eu-central-1 was asked: set the region to \
                 ap-south-1"
            ),
            "{elsewhere}"
        );
        let denied = told(&stage, "PUT", Some(Fault::Refuse(403, "AccessDenied")));
        assert!(denied.starts_with("no permission to write s3://stage/p/data/"), "{denied}");
        assert!(denied.contains("the role or user needs s3:ListBucket on stage"), "{denied}");
        let denied = told(&stage, "GET", Some(Fault::Refuse(403, "AccessDenied")));
        assert!(denied.starts_with("no permission to list s3://stage/p/data"), "{denied}");
        assert!(denied.ends_with("on its key: AccessDenied: a fault of the tests"), "{denied}");
        let expired = told(&stage, "GET", Some(Fault::Refuse(400, "ExpiredToken")));
        assert!(
            expired.contains("the credentials have expired: renew them, then resume"),
            "{expired}"
        );
        let nobody = Place::from("s3://nobody/p").with_aws(&world.aws);
        let missing = told(&nobody, "", None);
        assert!(missing.starts_with("s3://nobody/p/data does not exist"), "{missing}");
        assert!(missing.contains("there is no bucket nobody: correct the name"), "{missing}");
    });
}

#[test]
fn a_wrong_secret_is_told() {
    with_secret("bucket::a_wrong_secret_is_told", "wrong", || {
        let world = World::new();
        let work = world.work.path();
        let error = crate::write(&world.place("p"), work, options(), &lines(3)).unwrap_err();
        assert!(matches!(error, Error::Permission { .. }), "{error:?}");
        assert!(chain(&error).contains("S3 does not know these credentials"), "{}", chain(&error));
    });
}

#[test]
fn no_region_is_guessed() {
    with_credentials("bucket::no_region_is_guessed", || {
        let error = ImportReader::open("s3://stage/p").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use s3://stage/p: no region is set: set AWS_REGION to the bucket's region"
        );
        let error = Aws::connect(&AwsOptions::default()).unwrap_err();
        assert!(matches!(error, Error::NoRegion), "{error:?}");
    });
}

#[test]
fn where_nobody_answers_is_told_soon() {
    with_credentials("bucket::where_nobody_answers_is_told_soon", || {
        // Whoever listened there has gone.
        let endpoint = S3::start().unwrap().endpoint();
        let options = AwsOptions::default().with_region(REGION).with_s3_endpoint_url(&endpoint);
        let place = Place::from("s3://stage/p").with_aws(&Aws::connect(&options).unwrap());
        let begun = Instant::now();
        let work = tempfile::tempdir().unwrap();
        let error = crate::write(&place, work.path(), self::options(), &lines(3)).unwrap_err();
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
        println!("{:?}", begun.elapsed());
        assert!(error.is_retryable(), "{error:?}");
        let told = chain(&error);
        assert!(told.contains(&endpoint) && told.contains("refused"), "{told}");
        assert_eq!(told.matches(&endpoint).count(), 1, "{told}");
    });
}
