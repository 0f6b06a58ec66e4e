//! The promises of every sink, kept by a table.

use keystar_item::Item;
use keystar_kit::dynamodb as servers;
use keystar_transfer::testing::{SinkUnderTest, conformance, repeats, table};
use keystar_transfer::{DynamoDb, ItemSink, LiveOptions, LiveWriter, Mark, Put};
use keystar_transfer::{ScanTableOptions, TableItems};
use tempfile::TempDir;

use super::{connect, create, with_credentials};

struct Live {
    db: DynamoDb,
    tables: u32,
    work: TempDir,
    put: Put,
    repeats: bool,
}

impl Live {
    fn at(endpoint: &str) -> Self {
        Self {
            db: connect(endpoint),
            tables: 0,
            work: tempfile::tempdir().unwrap(),
            put: Put::Always,
            repeats: false,
        }
    }

    fn name(&self) -> String {
        format!("trial-{}", self.tables)
    }

    fn options(&self) -> LiveOptions {
        LiveOptions::new(table().with_name(self.name()), self.work.path())
            .unwrap()
            .with_put(self.put.clone())
            .with_repeats(self.repeats)
    }
}

impl SinkUnderTest for Live {
    fn create(&mut self) -> Box<dyn ItemSink> {
        self.tables += 1;
        create(&self.db, &table().with_name(self.name()));
        Box::new(LiveWriter::open(&self.db, self.options(), None).unwrap())
    }

    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
        Box::new(LiveWriter::open(&self.db, self.options(), Some(mark)).unwrap())
    }

    /// A table keeps nothing in the order of writing: each item is a list of its own.
    fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
        let options = ScanTableOptions::default().with_consistent(true);
        let items = TableItems::open(&self.db, &self.name().parse().unwrap(), options).unwrap();
        items.map(|item| vec![item.unwrap()]).collect()
    }

    fn takes_back(&self) -> bool {
        false
    }
}

#[test]
fn a_table_conforms() {
    with_credentials("conforms::a_table_conforms", || {
        let server = servers::DynamoDb::dynoxide().unwrap();
        conformance(&mut Live::at(&server.endpoint()));
    });
}

#[test]
fn a_table_keeps_the_last_of_what_repeats() {
    with_credentials("conforms::a_table_keeps_the_last_of_what_repeats", || {
        let server = servers::DynamoDb::dynoxide().unwrap();
        repeats(&mut Live { repeats: true, ..Live::at(&server.endpoint()) });
    });
}

#[test]
fn amazons_own_conforms() {
    with_credentials("conforms::amazons_own_conforms", || {
        let server = servers::DynamoDb::local().unwrap();
        conformance(&mut Live::at(&server.endpoint()));
        repeats(&mut Live { repeats: true, tables: 100, ..Live::at(&server.endpoint()) });
    });
}
