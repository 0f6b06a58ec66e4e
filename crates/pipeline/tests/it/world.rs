//! Records, and the files that a run would make of them.

use std::path::{Path, PathBuf};

use futures_executor::block_on;
use keystar_extract::{MemorySource, Source};
use keystar_mapping::{Mapped, Mapping};
use keystar_pipeline::{Interrupt, Progress, Verification, VerifyOptions, verify};
use keystar_rdb::{
    Array, Blob, Consumer, Db, Field, Group, Json, Module, ModuleId, ModuleToken, Pending, Record,
    Scored, Slot, Stream, StreamEntry, StreamId, UnixMillis, Value,
};
use keystar_transfer::{
    Compression, Format, ImportOptions, ImportReader, ImportWriter, ItemSink, Offloads, Origin,
};
use tempfile::TempDir;

/// Some records, and the files made of them.
pub(crate) struct World {
    pub(crate) records: Vec<Record<'static>>,
    pub(crate) mapping: Mapping,
    dir: TempDir,
    /// The reject file's offsets.
    pub(crate) rejected: Vec<u64>,
}

impl World {
    /// Writes DynamoDB JSON, uncompressed, in two files.
    pub(crate) fn new(records: Vec<Record<'static>>, spec: &str) -> Self {
        Self::with_format(records, spec, Format::DynamoDbJson)
    }

    pub(crate) fn with_format(records: Vec<Record<'static>>, spec: &str, format: Format) -> Self {
        let mapping = Mapping::from_toml(spec).unwrap().with_salt("pepper");
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self { records, mapping, dir, rejected: Vec::new() };
        world.write(format);
        world
    }

    fn write(&mut self, format: Format) {
        let options = ImportOptions::new(self.mapping.table().clone())
            .with_format(format)
            .with_compression(Compression::None)
            .with_lanes(2);
        let (out, work) = (self.out(), self.dir.path().join("work"));
        let mut sink = Box::new(ImportWriter::create(&out, &work, options).unwrap());
        let mut offloads = Offloads::open(&out).unwrap();
        let mut encoder = sink.encoder();
        for (offset, record) in (0..).zip(&self.records) {
            let Some(rule) = self.mapping.route_record(record).rule() else { continue };
            let mut mapped = Mapped::new();
            if self.mapping.map(rule, record, &mut mapped).is_err() {
                self.rejected.push(offset);
                continue;
            }
            for item in &mapped.items {
                encoder.push(item, Origin(offset)).unwrap();
            }
            for offload in &mapped.offloads {
                offloads.write(&offload.name, &offload.bytes, offload.last).unwrap();
            }
            if offset % 1000 == 999 {
                block_on(sink.write(encoder.take())).unwrap();
            }
        }
        block_on(sink.write(encoder.take())).unwrap();
        block_on(sink.commit()).unwrap();
        let receipt = block_on(sink.finish(&[])).unwrap();
        self.rejected.extend(receipt.duplicates.iter().map(|duplicate| duplicate.second.0));
    }

    pub(crate) fn out(&self) -> String {
        self.dir.path().join("out").to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn reader(&self) -> ImportReader {
        ImportReader::open(self.out()).unwrap().with_table(self.mapping.table().clone())
    }

    /// The data files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let folder = self.dir.path().join("out/data");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The lines of all files; their text is replaced by what `edit` makes of it, and then no
    /// manifest knows better.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Vec<String>)) {
        let mut lines = Vec::new();
        for file in self.files() {
            let text = std::fs::read_to_string(&file).unwrap();
            lines.extend(text.lines().map(str::to_owned));
            std::fs::remove_file(file).unwrap();
        }
        lines.sort();
        edit(&mut lines);
        std::fs::remove_file(self.dir.path().join("out/manifest.json")).unwrap();
        let text = lines.join("\n") + "\n";
        std::fs::write(self.dir.path().join("out/data/edited.json"), text).unwrap();
    }

    pub(crate) fn verify(&self) -> Verification {
        self.verify_with(|options| options)
    }

    pub(crate) fn verify_with(
        &self,
        set: impl for<'a> FnOnce(VerifyOptions<'a>) -> VerifyOptions<'a>,
    ) -> Verification {
        let records = self.records.clone();
        let open = move || {
            let source = MemorySource::new(records.clone()).with_batch_records(7);
            Ok(Box::new(source) as Box<dyn Source>)
        };
        let reader = self.reader();
        let options = VerifyOptions::new(&open, &reader, &self.mapping, self.path())
            .with_rejected(self.rejected.iter().copied());
        verify(&set(options), &Interrupt::new(), &Progress::default()).unwrap()
    }
}

pub(crate) fn blob(text: &str) -> Blob<'static> {
    Blob::copied(text.as_bytes())
}

pub(crate) fn record(key: &str, value: Value<'static>) -> Record<'static> {
    Record::new(Db(0), blob(key), value)
}

pub(crate) fn text(text: &str) -> Value<'static> {
    Value::String(blob(text))
}

pub(crate) fn list(items: &[&str]) -> Value<'static> {
    Value::List(items.iter().map(|item| blob(item)).collect())
}

pub(crate) fn hash(fields: &[(&str, &str)]) -> Value<'static> {
    Value::Hash(fields.iter().map(|(name, value)| Field::new(blob(name), blob(value))).collect())
}

/// What restores to a stream on any Redis since 7.0.
pub(crate) fn stream() -> Stream<'static> {
    let id = |seq| StreamId::new(1_700_000_000_000, seq);
    let mut stream = Stream::default();
    stream.entries = (1..=3)
        .filter(|seq| *seq != 2)
        .map(|seq| StreamEntry {
            id: id(seq),
            fields: vec![(blob("f"), blob(&seq.to_string())), (blob("f"), blob("again"))],
        })
        .collect();
    stream.length = 2;
    stream.first_id = Some(id(1));
    stream.last_id = id(9);
    stream.max_deleted_id = Some(id(2));
    stream.entries_added = Some(4);
    let mut group = Group::new(blob("readers"), id(3));
    group.entries_read = Some(3);
    group.pending =
        vec![Pending::new(id(3), UnixMillis(1_700_000_000_500), 2).with_consumer(blob("ann"))];
    let seen = UnixMillis(1_700_000_001_000);
    group.consumers =
        vec![Consumer::new(blob("ann"), seen, Some(seen)), Consumer::new(blob("bob"), seen, None)];
    stream.groups = vec![group, Group::new(blob("idle"), StreamId::default())];
    stream
}

/// One of everything, with expiries, databases and bytes that are no text.
pub(crate) fn everything() -> Vec<Record<'static>> {
    let at = UnixMillis(4_102_444_800_123);
    let fields = vec![
        Field::new(blob("a"), blob("1")),
        Field::new(blob("b"), Blob::copied(b"\xff\x00")).with_expires_at(at),
    ];
    let scores =
        [("low", f64::NEG_INFINITY), ("zero", 0.0), ("half", 0.5), ("high", f64::INFINITY)];
    let scored = scores.map(|(member, score)| Scored::new(blob(member), score)).to_vec();
    let slots = vec![(3, Slot::Int(-7)), (9, Slot::Float(0.5)), (10, Slot::Text(blob("x")))];
    let json = Json::parse(br#"{"name":"Zo\u00eb","n":[1,2.5,-3e10,null,true],"o":{}}"#).unwrap();
    let module = Module::new(
        ModuleId(0x1234_5678_9abc_def0),
        vec![ModuleToken::Int(-1), ModuleToken::Uint(7), ModuleToken::Text(blob("token"))],
    );
    let set = ["x", "7", "y"].map(blob).to_vec();
    vec![
        record("text", text("hello")),
        record("number", text("6867")).with_expires_at(UnixMillis(4_102_444_800_000)),
        record("nearly a number", text("007")),
        record("empty", text("")),
        record("bytes", Value::String(Blob::copied(b"\x00\xff\r\n"))).with_expires_at(at),
        Record::new(Db(0), Blob::copied(b"binary \xfe key"), text("x")),
        Record::new(Db(3), blob("text"), text("another db")),
        record("list", list(&["a", "b", "", "a", "5"])),
        record("set", Value::Set(set)),
        record("binary set", Value::Set(vec![blob("x"), Blob::copied(b"\xff")])),
        record("zset", Value::SortedSet(scored)).with_expires_at(at),
        record("hash", Value::Hash(fields)).with_expires_at(at),
        record("stream", Value::Stream(Box::new(stream()))),
        record("array", Value::Array(Array::new(slots).with_insert_index(11))),
        record("json", Value::Json(json)),
        record("module", Value::Module(module)),
    ]
}

pub(crate) const COLLECTION: &str = "\
table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }
defaults.layout = 'collection'
";
