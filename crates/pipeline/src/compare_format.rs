//! Holds our items against items that DynamoDB itself wrote: the surest way to get a mapping right
//! is to make a few items by hand, to export them, and to look where ours differ.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    num::NonZeroUsize,
};

use keystar_extract::{Batch, Source};
use keystar_item::{Item, Table};
use keystar_mapping::Mapping;
use keystar_transfer::{Block, Export, Place, change};
use serde::Serialize;

use crate::{
    Difference, Error, Interrupt, Progress, Unlike,
    conveyor::{Ended, Work, convey},
    diff::differences,
    document::{Align, Document, Section, Table as Rows},
    mapper::{Fate, Mapper, Verdict},
    reverse::item_key,
    units::count,
};

/// Items of the export that memory holds: it is made by hand, or a small sample of a table.
const MAX_ITEMS: usize = 10_000;
/// Places that are named for each item.
const PLACES: usize = 20;
/// Items that are named.
const NAMED: usize = 1000;

/// Where our items differ from those of an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FormatComparison {
    /// Whether the source was read to its end.
    pub complete: bool,
    /// Items of the export.
    pub exported: u64,
    /// Of these, those that are the same as ours.
    pub same: u64,
    /// Of these, how many differ.
    pub different: u64,
    /// The first thousand that differ.
    pub items: Vec<DifferentItem>,
    /// Of these, how many are none of ours.
    pub unmatched: u64,
    /// The keys of the first thousand that are none of ours.
    pub unmatched_keys: Vec<String>,
    /// How many items of the export lack the table's key, or have it in another type.
    pub without_key: u64,
    /// Where nothing matches: how the attributes of the first item of either side differ.
    pub shapes: Vec<Difference>,
}

/// An item that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DifferentItem {
    /// Its key.
    pub key: String,
    /// Where it differs: `first` is the export's item, `second` is ours.
    pub differences: Vec<Difference>,
}

/// Maps the source, and compares the items that have the key of an item of the export at `export`
/// (anything that [`Export::open`] opens).
///
/// # Errors
///
/// Either side cannot be read, or the export has more than 10 000 items.
pub fn compare_format(
    export: impl Into<Place>,
    source: &mut dyn Source,
    mapping: &Mapping,
    jobs: NonZeroUsize,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<FormatComparison, Error> {
    let mut found = FormatComparison::default();
    let theirs = read(export.into(), mapping.table(), &mut found)?;
    progress.start_source(source);
    let work = Comparing { mapper: Mapper::new(mapping), table: mapping.table(), theirs: &theirs };
    let (mut seen, mut first, mut records) = (BTreeSet::new(), None, 0);
    let ended = convey(source, jobs, interrupt, &work, |compared: Compared, batch| {
        for (at, differences) in compared.items {
            if !seen.insert(at) {
                continue;
            }
            if differences.is_empty() {
                found.same += 1;
                continue;
            }
            found.different += 1;
            if let (true, Some(item)) = (found.items.len() < NAMED, theirs.items.get(at)) {
                let key = item_key(item, mapping.table());
                found.items.push(DifferentItem { key, differences });
            }
        }
        first = first.take().or(compared.first);
        records += compared.records;
        progress.reach(batch.source_bytes(), records);
        Ok(())
    })?;
    found.complete = ended == Ended::Complete;
    for (_, item) in theirs.items.iter().enumerate().filter(|(at, _)| !seen.contains(at)) {
        found.unmatched += 1;
        if found.unmatched_keys.len() < NAMED {
            found.unmatched_keys.push(item_key(item, mapping.table()));
        }
    }
    if let (true, Some(theirs), Some(ours)) = (seen.is_empty(), theirs.first, first) {
        let differ = differences(&theirs, &ours, PLACES);
        found.shapes =
            differ.into_iter().filter(|it| !matches!(it.how, Unlike::Value { .. })).collect();
    }
    Ok(found)
}

/// The items of the export, by key.
#[derive(Default)]
struct Theirs {
    items: Vec<Item<'static>>,
    by_key: HashMap<Vec<u8>, usize>,
    /// The first one, with or without a key.
    first: Option<Item<'static>>,
}

fn read(export: Place, table: &Table, found: &mut FormatComparison) -> Result<Theirs, Error> {
    let export = Export::open(export).map_err(Error::Export)?;
    let mut theirs = Theirs::default();
    for file in 0..export.files().len() {
        let mut blocks = export.read(file).map_err(Error::Export)?;
        let mut block = Block::new();
        while blocks.next_block(&mut block).map_err(Error::Export)? {
            for line in block.bytes().split_inclusive(|byte| *byte == b'\n') {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let Some(item) = change(line).map_err(Error::Export)?.new else { continue };
                let item = item.into_owned();
                found.exported += 1;
                theirs.first.get_or_insert_with(|| item.clone());
                let mut key = Vec::new();
                if !table.key.encode_key(&item, &mut key) {
                    found.without_key += 1;
                    continue;
                }
                if theirs.items.len() == MAX_ITEMS {
                    return Err(Error::Usage(format!(
                        "the export has more than {MAX_ITEMS} items: a few are enough to compare \
                         the format"
                    )));
                }
                theirs.by_key.insert(key, theirs.items.len());
                theirs.items.push(item);
            }
        }
    }
    Ok(theirs)
}

struct Comparing<'c> {
    mapper: Mapper<'c>,
    table: &'c Table,
    theirs: &'c Theirs,
}

#[derive(Default)]
struct Compared {
    /// The number of the export's item, and where ours is another.
    items: Vec<(usize, Vec<Difference>)>,
    first: Option<Item<'static>>,
    records: u64,
}

impl Work for Comparing<'_> {
    type Bench = Vec<u8>;
    type Output = Compared;

    fn bench(&self) -> Vec<u8> {
        Vec::new()
    }

    fn work(&self, key: &mut Vec<u8>, batch: &Batch) -> Compared {
        let mut compared = Compared::default();
        self.mapper.map_batch(batch, |fate: Fate<'_>| {
            let Fate::Mapped(pieces) = fate else { return Verdict::Ok(()) };
            compared.records += u64::from(pieces.last);
            for ours in &pieces.mapped.items {
                if compared.first.is_none() {
                    compared.first = Some(ours.clone().into_owned());
                }
                key.clear();
                if !self.table.key.encode_key(ours, key) {
                    continue;
                }
                let Some(at) = self.theirs.by_key.get(key) else { continue };
                if let Some(theirs) = self.theirs.items.get(*at) {
                    compared.items.push((*at, differences(theirs, ours, PLACES)));
                }
            }
            Ok(())
        });
        compared
    }
}

impl FormatComparison {
    /// Whether every item of the export is one of ours.
    pub fn ok(&self) -> bool {
        self.complete && self.different == 0 && self.unmatched == 0 && self.without_key == 0
    }

    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new(match (self.complete, self.ok()) {
            (false, _) => "Comparison of formats, interrupted",
            (true, true) => "The formats are the same",
            (true, false) => "The formats differ",
        });
        document.figure("Exported", count(self.exported), "items that DynamoDB wrote");
        document.figure("Same", count(self.same), "");
        document.figure("Different", count(self.different), "the same key, other attributes");
        document.figure("Unmatched", count(self.unmatched), "no record of the source becomes them");
        if self.without_key > 0 {
            document.alerts.push(format!(
                "{} items of the export lack the key of the mapping's [table], or have it in \
                 another type: are they of this table?",
                count(self.without_key)
            ));
        }
        let mut rows = Rows::new([("item", Align::Left), ("difference", Align::Left)]);
        for item in &self.items {
            for difference in &item.differences {
                let told = difference.told("in the export", "in ours").to_string();
                rows.row([item.key.clone(), told]);
            }
        }
        document.section(Section::new("Different").with_table(rows));
        let mut rows = Rows::new([("item", Align::Left)]);
        for key in &self.unmatched_keys {
            rows.row([key.clone()]);
        }
        document.section(Section::new("Unmatched").with_table(rows));
        let mut rows = Rows::new([("difference", Align::Left)]);
        for difference in &self.shapes {
            rows.row([difference.told("in the export", "in ours").to_string()]);
        }
        document.section(Section::new("The first item of either side").with_table(rows));
        document
    }
}

impl fmt::Display for FormatComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}
