//! What every sink promises, kept in a bucket, too: also while one request in seven goes wrong.

use std::collections::BTreeMap;

use keystar_item::Item;
use keystar_transfer::testing::{SinkUnderTest, conformance, repeats, table};
use keystar_transfer::{
    Compression, Format, ImportOptions, ImportReader, ImportWriter, ItemSink, Mark, Place,
};

use crate::{World, with_credentials};

struct Staged<'w> {
    world: &'w World,
    place: Place,
    options: ImportOptions,
    work: tempfile::TempDir,
}

impl<'w> Staged<'w> {
    fn new(world: &'w World, prefix: &str, options: ImportOptions) -> Self {
        let work = tempfile::tempdir().unwrap();
        Self { world, place: world.place(prefix), options, work }
    }
}

impl SinkUnderTest for Staged<'_> {
    fn create(&mut self) -> Box<dyn ItemSink> {
        ImportWriter::clear(&self.place).unwrap();
        let work = self.work.path();
        Box::new(ImportWriter::create(&self.place, work, self.options.clone()).unwrap())
    }

    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
        let work = self.work.path();
        Box::new(ImportWriter::resume(&self.place, work, self.options.clone(), mark).unwrap())
    }

    fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
        let Ok(reader) = ImportReader::open(&self.place) else { return Vec::new() };
        let reader = reader.with_table(table()).with_format(self.options.format.clone());
        let mut files: BTreeMap<String, Vec<Item<'static>>> = BTreeMap::new();
        let mut items = reader.items();
        while let Some(read) = items.next_item().unwrap() {
            files.entry(read.file.to_owned()).or_default().push(read.item.into_owned());
        }
        files.into_values().collect()
    }

    fn fingerprint(&mut self) -> Vec<(String, Vec<u8>)> {
        let prefix = self.place.as_str().trim_start_matches("s3://stage/").to_owned() + "/";
        let keys = self.world.s3.keys("stage", &prefix).unwrap();
        keys.into_iter()
            .map(|key| (key.clone(), self.world.s3.get("stage", &key).unwrap()))
            .collect()
    }
}

#[test]
fn a_bucket_conforms() {
    with_credentials("suite::a_bucket_conforms", || {
        let world = World::new();
        let options = ImportOptions::new(table()).with_lanes(3);
        conformance(&mut Staged::new(&world, "json", options.clone()));
        let ion = options.with_format(Format::Ion).with_compression(Compression::zstd());
        repeats(&mut Staged::new(&world, "ion", ion.with_repeats(true)));
    });
}

#[test]
fn a_bucket_on_a_bad_line_conforms() {
    with_credentials("suite::a_bucket_on_a_bad_line_conforms", || {
        let world = World::new();
        world.s3.shake(7);
        let options = ImportOptions::new(table()).with_lanes(3);
        conformance(&mut Staged::new(&world, "json", options));
    });
}
