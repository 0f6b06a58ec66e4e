//! What differs between a source and a table, looked at once more: to say where, and to put it
//! right.

use std::collections::{BTreeMap, HashSet};

use futures_executor::block_on;
use keystar_extract::Batch;
use keystar_item::Item;

use crate::{
    Error, VerifyOptions,
    diff::differences,
    mapper::{Fate, Mapper, Verdict},
    names::Names,
    reverse::{Meaning, Reverse},
    table::TableReader,
    verify::key_place,
};

/// Items that are asked for, written or deleted at once.
const AT_ONCE: usize = 100;

/// What is put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Nothing: differences are told.
    #[default]
    Nothing,
    /// What is missing or differs is written, and items go that a record had and has no more.
    Write,
    /// That, and what the source does not have is deleted.
    WriteAndDelete,
}

/// What a second look saw, and what it put right.
#[derive(Default)]
pub(crate) struct SecondLook {
    pub(crate) names: Names,
    /// By offset, where the first of a record's items differs.
    pub(crate) paths: BTreeMap<u64, String>,
    pub(crate) written: u64,
    pub(crate) deleted: u64,
}

/// Reads the records with these offsets again and compares them item by item; `extra` are the places
/// of the table's items that no record has.
pub(crate) fn look(
    options: &VerifyOptions<'_>,
    table: &TableReader,
    offsets: &HashSet<u64>,
    extra: &HashSet<u64>,
) -> Result<SecondLook, Error> {
    let mut look = Looking {
        options,
        table,
        waiting: Vec::new(),
        told: SecondLook::default(),
        records: HashSet::new(),
        places: HashSet::new(),
        many: false,
    };
    if !offsets.is_empty() {
        look.read_source(offsets)?;
    }
    let deletes = options.repair == Repair::WriteAndDelete && !extra.is_empty();
    let is_stale = options.repair != Repair::Nothing && look.many;
    if deletes || is_stale {
        let none = HashSet::new();
        look.read_table(if deletes { extra } else { &none })?;
    }
    Ok(look.told)
}

struct Looking<'v> {
    options: &'v VerifyOptions<'v>,
    table: &'v TableReader,
    /// Items of the records, to be compared.
    waiting: Vec<(u64, Item<'static>)>,
    told: SecondLook,
    /// The records that were looked at, by name.
    records: HashSet<u128>,
    /// The places of their items.
    places: HashSet<u64>,
    /// Whether a record may have several items, so that the table may hold some that it lost.
    many: bool,
}

impl Looking<'_> {
    fn read_source(&mut self, offsets: &HashSet<u64>) -> Result<(), Error> {
        let options = self.options;
        let mapper = Mapper::new(options.mapping);
        let reverse = Reverse::new(options.mapping, options.held.format());
        let mut source = (options.open)().map_err(Error::Source)?;
        let mut batch = Batch::new();
        while block_on(source.fill(&mut batch)).map_err(Error::Source)? {
            mapper.map_batch(&batch, |fate: Fate<'_>| {
                let Fate::Mapped(pieces) = fate else { return Verdict::Ok(()) };
                let head = pieces.head;
                if offsets.contains(&head.offset) {
                    self.told.names.add(head.offset, head.db, &head.key);
                    self.records.insert(reverse.name(head.db, &head.key));
                    self.many |= pieces.mapped.items.len() != 1 || !pieces.last;
                    let items = pieces.mapped.items.iter();
                    let items = items.map(|item| (head.offset, item.clone().into_owned()));
                    self.waiting.extend(items);
                }
                Ok(())
            });
            self.compare(AT_ONCE)?;
        }
        self.compare(1)
    }

    /// Compares what waits, once it is so many items.
    fn compare(&mut self, from: usize) -> Result<(), Error> {
        if self.waiting.len() < from {
            return Ok(());
        }
        let schema = &self.options.mapping.table().key;
        for waiting in std::mem::take(&mut self.waiting).chunks(AT_ONCE) {
            let ours: Vec<Item<'_>> = waiting.iter().map(|(_, item)| item.clone()).collect();
            let theirs = self.table.get_many(schema, &ours)?;
            let mut wrong = Vec::new();
            for ((offset, ours), theirs) in waiting.iter().zip(theirs) {
                self.places.insert(key_place(ours, self.options.mapping.table()));
                let first = theirs.as_ref().map(|theirs| differences(ours, theirs, 1));
                match first.as_ref().map(|first| first.first()) {
                    Some(None) => continue,
                    Some(Some(first)) => {
                        let told = first.told("in the source", "in the table").to_string();
                        self.told.paths.entry(*offset).or_insert(told);
                    }
                    None => {}
                }
                wrong.push(ours.clone());
            }
            if self.options.repair != Repair::Nothing && !wrong.is_empty() {
                self.table.put_many(schema, &wrong)?;
                self.told.written += wrong.len() as u64;
            }
        }
        Ok(())
    }

    /// Deletes what no record has, and what the records that were looked at have no more.
    fn read_table(&mut self, extra: &HashSet<u64>) -> Result<(), Error> {
        let table = self.options.mapping.table();
        let reverse = Reverse::new(self.options.mapping, self.options.held.format());
        let mut scan = self.table.scan()?;
        let mut stale = Vec::new();
        while let Some(page) = scan.next_page().map_err(Error::Target)? {
            for item in page.items() {
                let item = item.map_err(Error::Target)?;
                let place = key_place(&item, table);
                let is_of_these = || match reverse.read(&item, place) {
                    Meaning::Entry(entry) | Meaning::Text(entry, _) => {
                        self.records.contains(&entry.name)
                    }
                    _ => false,
                };
                if extra.contains(&place) || (is_of_these() && !self.places.contains(&place)) {
                    stale.push(item.into_owned());
                }
            }
            if stale.len() >= AT_ONCE {
                self.delete(&mut stale)?;
            }
        }
        self.delete(&mut stale)
    }

    fn delete(&mut self, stale: &mut Vec<Item<'static>>) -> Result<(), Error> {
        self.table.delete_many(&self.options.mapping.table().key, stale)?;
        self.told.deleted += stale.len() as u64;
        stale.clear();
        Ok(())
    }
}
