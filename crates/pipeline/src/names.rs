//! Finds the keys of records by their places in the dump, in one more pass over it.

use std::collections::{BTreeMap, BTreeSet};

use futures_executor::block_on;
use keystar_extract::{Batch, Entry, Source};
use keystar_rdb::Db;

use crate::{
    Error, Interrupt,
    rejects::{Rejected, escape},
    tally::Key,
};

/// The keys of some records.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<u64, (Db, Vec<u8>)>);

impl Names {
    /// Looks for the records with these offsets, in a source that is at its start; `ordered` when
    /// its offsets grow, so that the search may end behind the last of them. It ends when all are
    /// found; `None` if it was interrupted before.
    pub(crate) fn find_in(
        source: &mut dyn Source,
        offsets: &BTreeSet<u64>,
        ordered: bool,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>, Error> {
        let mut names = BTreeMap::new();
        let Some(&last) = offsets.last() else { return Ok(Some(Self(names))) };
        let mut batch = Batch::new();
        while names.len() < offsets.len()
            && block_on(source.fill(&mut batch)).map_err(Error::Source)?
        {
            if interrupt.is_set() {
                return Ok(None);
            }
            for entry in batch.entries() {
                let (offset, db, key) = match &entry {
                    Entry::Frame(frame) => (frame.head.offset, frame.head.db, &*frame.head.key),
                    Entry::Part { part, .. } => (part.head.offset, part.head.db, &*part.head.key),
                    Entry::Record { head, .. } => (head.offset, head.db, &*head.key),
                    _ => continue,
                };
                if ordered && offset > last {
                    return Ok(Some(Self(names)));
                }
                if offsets.contains(&offset) {
                    names.entry(offset).or_insert_with(|| (db, key.to_vec()));
                }
            }
        }
        Ok(Some(Self(names)))
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

#[cfg(test)]
mod tests {
    use keystar_extract::MemorySource;
    use keystar_rdb::{Record, Value};

    use super::*;

    /// What is found of these, and with which record the source would go on.
    fn found(offsets: &[u64], ordered: bool, interrupt: &Interrupt) -> (Option<usize>, u64) {
        let record = |at: u64| {
            let value = Value::String("v".into());
            Record::new(Db(0), at.to_string().into_bytes().into(), value)
        };
        let mut source = MemorySource::new((0..10).map(record).collect()).with_batch_records(1);
        let offsets = offsets.iter().copied().collect();
        let names = Names::find_in(&mut source, &offsets, ordered, interrupt).unwrap();
        if let Some(names) = &names {
            for at in names.0.keys() {
                assert_eq!(names.key(*at).map(|key| key.to_string()), Some(at.to_string()));
            }
        }
        let mut batch = Batch::new();
        let next = match block_on(source.fill(&mut batch)).unwrap() {
            true => batch.position().unwrap().offset() - 1,
            false => 10,
        };
        (names.map(|names| names.0.len()), next)
    }

    #[test]
    fn a_search_ends_with_the_last_that_is_found() {
        let never = Interrupt::new();
        for ordered in [true, false] {
            assert_eq!(found(&[2, 5], ordered, &never), (Some(2), 6));
            assert_eq!(found(&[], ordered, &never), (Some(0), 0));
        }
        assert_eq!(found(&[2, 50], false, &never), (Some(1), 10));
    }

    #[test]
    fn a_search_can_be_interrupted() {
        let interrupt = Interrupt::new();
        interrupt.set();
        assert_eq!(found(&[2, 5], true, &interrupt).0, None);
        assert_eq!(found(&[], true, &interrupt).0, Some(0));
    }
}
