//! Several dumps as one source.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use futures_executor::block_on;
use keystar_extract::{Batch, Dumps, Entry, Error, RdbOptions, Source, testing};
use keystar_rdb::{Element, Event, Level, Options, Reader};

use crate::{shop, small_pieces};

/// A dump of version 3 with these keys; the values are lists of `items` items.
fn dump(keys: impl IntoIterator<Item = String>, items: usize) -> Vec<u8> {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for key in keys {
        bytes.extend([1, key.len() as u8]);
        bytes.extend(key.as_bytes());
        bytes.push(items as u8);
        for item in 0..items {
            bytes.extend([2, b'0' + item as u8 % 10, b'.']);
        }
    }
    bytes.push(0xff);
    bytes
}

/// Shards of different sizes, one of them empty and one compressed.
fn shards(folder: &Path) {
    let keys = |shard: usize, count: usize| (0..count).map(move |n| format!("{shard}:{n}"));
    for (shard, count) in [(1, 14), (2, 3), (3, 0), (5, 25)] {
        let name = folder.join(format!("night-{shard:04}.rdb"));
        fs::write(name, dump(keys(shard, count), 1 + 3 * shard)).unwrap();
    }
    let file = fs::File::create(folder.join("night-0004.rdb.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(&dump(keys(4, 9), 30)).unwrap();
    gzip.finish().unwrap();
    fs::write(folder.join("night.txt"), "not a dump").unwrap();
}

/// Every record's key and the number of its elements, by its offset; parts must follow each other.
fn read(source: &mut dyn Source) -> Result<BTreeMap<u64, (String, usize)>, Error> {
    let mut batch = Batch::new();
    let mut found = BTreeMap::new();
    let mut open: Option<(u64, usize)> = None;
    let mut pieces = 0;
    while block_on(source.fill(&mut batch))? {
        for entry in batch.entries() {
            let (head, len) = match entry {
                Entry::Frame(frame) => {
                    assert_eq!(open, None, "a record between the parts of another");
                    let context = batch.context().unwrap();
                    let len = frame.decode(context).unwrap().value.len();
                    (frame.head.into_owned(), len)
                }
                Entry::Part { part, ordinal } => {
                    assert_eq!(ordinal, pieces);
                    pieces += 1;
                    let (offset, before) = open.take().unwrap_or((part.head.offset, 0));
                    assert_eq!((offset, before as u64), (part.head.offset, part.start));
                    let len = before + part.value.len();
                    if !part.last {
                        open = Some((offset, len));
                        continue;
                    }
                    (part.head.clone(), len)
                }
                other => panic!("unexpected {other:?}"),
            };
            let key = String::from_utf8(head.key.to_vec()).unwrap();
            assert_eq!(found.insert(head.offset, (key, len)), None, "an offset stands for two");
        }
    }
    Ok(found)
}

fn tiny() -> RdbOptions {
    RdbOptions::default().with_batch_bytes(20).with_max_value_bytes(25)
}

#[test]
fn the_shards_of_a_folder_are_one_source() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path());
    for (options, jobs) in [(RdbOptions::default(), 8), (tiny(), 1), (tiny(), 2), (tiny(), 5)] {
        let open = || Dumps::open([folder.path()], options.clone()).unwrap().with_jobs(jobs);
        assert_eq!(open().names().count(), 5);
        let found = read(&mut open()).unwrap();
        assert_eq!(found.len(), 14 + 3 + 9 + 25);
        for (offset, (key, len)) in &found {
            let shard: usize = key.split_once(':').unwrap().0.parse().unwrap();
            assert_eq!(*len, if shard == 4 { 30 } else { 1 + 3 * shard });
            let source = open();
            let (place, within) = source.place_of(*offset).unwrap();
            assert!(place.contains(&format!("night-{shard:04}.rdb")), "{place} {key}");
            assert_eq!(*offset, ((shard as u64 - 1) << 44) + within);
        }
        block_on(testing::conforms(|| Box::new(open())));
    }
}

#[test]
fn one_dump_among_several_gives_what_it_gives_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.rdb"), folder.path().join("b"));
    fs::write(&first, shop()).unwrap();
    fs::write(&second, shop()).unwrap();
    let mut source = Dumps::open([&first, &second], small_pieces()).unwrap().with_jobs(2);
    assert_eq!(source.total_bytes(), Some(2 * shop().len() as u64));
    let mut alone = BTreeMap::new();
    let bytes = shop();
    let mut reader = Reader::new(&*bytes, Options::new(Level::Elements));
    let (mut offset, mut key, mut elements) = (0, String::new(), 0);
    while let Some(event) = reader.next().unwrap() {
        match event {
            Event::Key(head) => {
                (offset, elements) = (head.offset, 0);
                key = String::from_utf8(head.key.to_vec()).unwrap();
            }
            Event::Element(Element::StreamTail(_)) => {}
            Event::Element(_) => elements += 1,
            Event::KeyEnd { .. } => {
                alone.insert(offset, (key.clone(), elements));
            }
            _ => {}
        }
    }
    let found = {
        let mut batch = Batch::new();
        let mut found = Vec::new();
        while block_on(source.fill(&mut batch)).unwrap() {
            for entry in batch.entries() {
                match entry {
                    Entry::Frame(frame) => found.push(frame.head.offset),
                    Entry::Part { part, .. } if part.last => found.push(part.head.offset),
                    _ => {}
                }
            }
        }
        found.sort_unstable();
        found
    };
    let second = alone.keys().map(|offset| offset + (1 << 44));
    assert_eq!(found, alone.keys().copied().chain(second).collect::<Vec<_>>());
}

#[test]
fn a_run_resumes_with_another_number_of_jobs_and_not_with_other_dumps() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path());
    let open = || Dumps::open([folder.path()], tiny()).unwrap();
    let all = read(&mut open()).unwrap();
    let mut source = open().with_jobs(2);
    let mut batch = Batch::new();
    let mut position = None;
    for _ in 0..9 {
        assert!(block_on(source.fill(&mut batch)).unwrap());
        position = batch.position().cloned().or(position);
    }
    let position = position.unwrap();
    assert!(position.offset() > 0);
    let mut rest = open().with_jobs(7);
    block_on(rest.resume(&position)).unwrap();
    let rest = read(&mut rest).unwrap();
    assert!(rest.len() < all.len() && rest.iter().all(|(at, record)| all.get(at) == Some(record)));

    fs::remove_file(folder.path().join("night-0002.rdb")).unwrap();
    let error = block_on(open().resume(&position)).unwrap_err();
    assert!(error.to_string().contains("not those of the checkpoint"), "{error}");
    let other = dump((0..20).map(|n| format!("k{n}")), 1);
    let mut file = keystar_extract::RdbFile::from_bytes(other, tiny()).unwrap();
    assert!(block_on(file.fill(&mut batch)).unwrap());
    let error = block_on(open().resume(batch.position().unwrap())).unwrap_err();
    assert!(matches!(error, Error::Position(_)), "{error}");
}

#[test]
fn patterns_choose_and_errors_name_the_dump() {
    let folder = tempfile::tempdir().unwrap();
    shards(folder.path());
    let at = |name: &str| folder.path().join(name);
    let dumps = Dumps::open([at("night-000[12].rdb")], tiny()).unwrap_err();
    assert!(matches!(dumps, Error::Open { .. }), "{dumps}");
    let dumps = Dumps::open([at("night-*.rdb"), at("night-0004.rdb.gz")], tiny()).unwrap();
    let names: Vec<_> = dumps.names().map(|name| name.rsplit('-').next().unwrap()).collect();
    assert_eq!(names, ["0001.rdb", "0002.rdb", "0003.rdb", "0005.rdb", "0004.rdb.gz"]);
    for (places, said) in [
        (vec![at("night-0001.rdb"), at("*.rdb")], "is named twice"),
        (vec![at("dawn-*.rdb")], "there is no dump here"),
    ] {
        let error = Dumps::open(places, tiny()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = Dumps::open(["s3://bucket/x/"], tiny());
    if !cfg!(feature = "s3") {
        assert!(error.unwrap_err().to_string().contains("with the feature s3"));
    }

    fs::write(at("night-0002.rdb"), &dump(["k".to_owned()], 1)[..12]).unwrap();
    let error = read(&mut Dumps::open([folder.path()], tiny()).unwrap()).unwrap_err();
    let Error::Place { place, source } = &error else { panic!("{error:?}") };
    assert!(place.ends_with("night-0002.rdb"), "{place}");
    assert!(matches!(**source, Error::Dump(_)), "{source}");
    assert!(!error.is_retryable());
}

/// What the test below has a process with another environment do.
#[cfg(feature = "s3")]
#[test]
#[ignore = "run by the test of buckets, in an environment of its own"]
fn reads_a_bucket() {
    for (place, count) in [
        ("s3://backups/nightly/", 14 + 3 + 9 + 25),
        ("s3://backups/nightly/night-*.rdb", 14 + 3 + 25),
        ("s3://backups/nightly/night-0001.rdb", 14),
        ("s3://backups/nightly/night", 14 + 3 + 9 + 25),
    ] {
        let open = || Dumps::open([place], tiny()).unwrap().with_jobs(3);
        let found = read(&mut open()).unwrap();
        assert_eq!(found.len(), count, "{place}");
    }
    let open = || Dumps::open(["s3://backups/nightly/"], RdbOptions::default()).unwrap();
    block_on(testing::conforms(|| Box::new(open())));
    let error = Dumps::open(["s3://backups/hourly/"], tiny()).unwrap_err();
    assert!(error.to_string().contains("there is no dump here"), "{error}");
    let error = Dumps::open(["s3://nowhere/hourly/"], tiny()).unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error:?}");
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_is_read_though_requests_go_wrong() {
    use keystar_kit::s3::{ACCESS_KEY, REGION, S3, SECRET_KEY};

    let folder = tempfile::tempdir().unwrap();
    shards(folder.path());
    let s3 = S3::start().unwrap();
    s3.make_bucket("backups").unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        for key in [format!("nightly/{name}"), format!("nightly/older/{name}")] {
            s3.put("backups", &key, &fs::read(&path).unwrap()).unwrap();
        }
    }
    s3.shake(7);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "dumps::reads_a_bucket", "--include-ignored", "--nocapture"]);
    let set = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &s3.endpoint()),
    ];
    let output = command.envs(set).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(s3.requests().len() > 30, "{:?}", s3.requests());
}
