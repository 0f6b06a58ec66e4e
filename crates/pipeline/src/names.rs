//! Finds the keys of records by their places in the dump, in one more pass over it.

use std::collections::{BTreeMap, BTreeSet};

use futures_executor::block_on;
use keystar_extract::{Batch, Entry, Source};
use keystar_rdb::Db;

use crate::{
    Error,
    rejects::{Rejected, escape},
    tally::Key,
};

/// The keys of some records.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<u64, (Db, Vec<u8>)>);

impl Names {
    /// Looks for the records with these offsets, in a source that is at its start; `ordered` when
    /// its offsets grow, so that the search may end with the last of them.
    pub(crate) fn find_in(
        source: &mut dyn Source,
        offsets: &BTreeSet<u64>,
        ordered: bool,
    ) -> Result<Self, Error> {
        let mut names = BTreeMap::new();
        let Some(&last) = offsets.last() else { return Ok(Self(names)) };
        let mut batch = Batch::new();
        while block_on(source.fill(&mut batch)).map_err(Error::Source)? {
            for entry in batch.entries() {
                let (offset, db, key) = match &entry {
                    Entry::Frame(frame) => (frame.head.offset, frame.head.db, &*frame.head.key),
                    Entry::Part { part, .. } => (part.head.offset, part.head.db, &*part.head.key),
                    Entry::Record { head, .. } => (head.offset, head.db, &*head.key),
                    _ => continue,
                };
                if ordered && offset > last {
                    return Ok(Self(names));
                }
                if offsets.contains(&offset) {
                    names.entry(offset).or_insert_with(|| (db, key.to_vec()));
                }
            }
        }
        Ok(Self(names))
    }

    #[cfg(feature = "live")]
    pub(crate) fn add(&mut self, offset: u64, db: Db, key: &[u8]) {
        self.0.entry(offset).or_insert_with(|| (db, key.to_vec()));
    }

    /// The record's key, if it was found.
    pub(crate) fn key(&self, offset: u64) -> Option<Key> {
        self.0.get(&offset).map(|(db, key)| Key::new(*db, key))
    }

    /// The record's key as text, with its database where that is not 0.
    pub(crate) fn text(&self, offset: u64) -> String {
        match self.0.get(&offset) {
            Some((Db(0), key)) => format!("key \"{}\"", escape(key)),
            Some((db, key)) => format!("key \"{}\" in db {db}", escape(key)),
            None => format!("the record at byte {offset}"),
        }
    }

    /// The record as one that was set aside.
    pub(crate) fn rejected(&self, offset: u64, reason: &str, detail: String) -> Rejected {
        let (db, key) = self.0.get(&offset).map_or((0, &[][..]), |(db, key)| (db.0, key));
        Rejected::new(db, key, offset, reason, detail)
    }
}
