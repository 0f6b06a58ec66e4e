//! Which items, and of which records, those are that somebody names by file and number.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use keystar_item::{Item, Table, ion, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Error, Format, ImportReader, Mark, Origin, collision::Key, csv::RowReader, error::OrIo,
    file::Records, spill::Spill,
};

/// An item of an output that [`ImportWriter`](crate::ImportWriter) finished.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WrittenItem {
    /// The key's attributes, escaped and cut.
    pub key: String,
    /// The record that it is of.
    pub origin: Origin,
}

impl WrittenItem {
    /// An item of this key, of this record.
    #[must_use]
    pub fn new(key: String, origin: Origin) -> Self {
        Self { key, origin }
    }
}

/// What a place in a file holds.
struct Found {
    key_hash: u64,
    key: String,
}

impl ImportReader {
    /// Finds the items at these places of the output: the file's name, and which item of it, from 0.
    /// `work` is the writer's work directory, and `mark` the last one that it gave; `gone` are the
    /// records that its finish removed.
    ///
    /// A place that has no item, or not one that the writer wrote, is not in the answer: a file may
    /// have been changed since, or be damaged or gone.
    ///
    /// # Errors
    ///
    /// The work directory cannot be read; a file is out of reach, or we may not read it.
    pub fn written(
        &self,
        table: &Table,
        (work, mark): (&Path, &Mark),
        places: impl IntoIterator<Item = (String, u64)>,
        gone: &HashSet<Origin>,
    ) -> Result<BTreeMap<(String, u64), WrittenItem>, Error> {
        let mut wanted: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (file, index) in places {
            wanted.entry(file).or_default().insert(index);
        }
        let mut found = BTreeMap::new();
        for (file, indices) in wanted {
            match self.look(table, &file, indices, &mut found) {
                // The file may be as it was: it is for another try to say.
                Err(error) if is_kept_from_us(&error) => return Err(error),
                // What is read until its damage is found all the same.
                Err(_) | Ok(()) => {}
            }
        }
        let (Some(spill), false) = (&mark.spill, found.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        let mut origins: HashMap<u64, Option<Origin>> =
            found.values().map(|found| (found.key_hash, None)).collect();
        Spill::resume(work, spill)?.for_each(|known| {
            if let Some(origin) = origins.get_mut(&known.key_hash)
                && !gone.contains(&known.origin)
            {
                // Of two records the one that came first has stayed.
                *origin = Some(origin.map_or(known.origin, |other| other.min(known.origin)));
            }
            Ok(())
        })?;
        let with_origin = found.into_iter().filter_map(|(place, Found { key_hash, key })| {
            let origin = origins.get(&key_hash).copied().flatten()?;
            Some((place, WrittenItem { key, origin }))
        });
        Ok(with_origin.collect())
    }

    /// Reads a file until the last item that is wanted.
    fn look(
        &self,
        table: &Table,
        file: &str,
        wanted: BTreeSet<u64>,
        found: &mut BTreeMap<(String, u64), Found>,
    ) -> Result<(), Error> {
        let place = || self.store.place(file);
        let mut records = Records::open(&self.store, file, self.format(), None)?;
        let rows = match self.format() {
            Format::Csv(csv) => {
                let header = records.next().or_io("read", place())?;
                header.and_then(|(header, _)| RowReader::new(header, Some(table), csv.delimiter))
            }
            _ => None,
        };
        let mut wanted = wanted.into_iter().peekable();
        let mut index = 0;
        while let (Some(next), Some((record, _))) =
            (wanted.peek().copied(), records.next().or_io("read", place())?)
        {
            if index == next {
                wanted.next();
                let item: Option<Item<'_>> = match (self.format(), &rows) {
                    (Format::DynamoDbJson, _) => json::parse_item(record).ok(),
                    (Format::Ion, _) => ion::parse_item(record).ok(),
                    (Format::Csv(_), rows) => rows.as_ref().and_then(|rows| rows.item(record).ok()),
                };
                let mut bytes = Vec::new();
                if let Some(item) = item
                    && table.key.encode_key(&item, &mut bytes)
                    && let Some(key) = Key::of(&item, table)
                {
                    let key = key.shown().to_owned();
                    found.insert((file.to_owned(), next), Found { key_hash: xxh3_64(&bytes), key });
                }
            }
            index += 1;
        }
        Ok(())
    }
}

/// Whether a file is kept from us, rather than wrong.
fn is_kept_from_us(error: &Error) -> bool {
    error.is_retryable() || matches!(error, Error::Permission { .. })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_executor::block_on;
    use keystar_item::{KeyAttribute, KeySchema, KeyType};

    use super::*;
    use crate::{CsvOptions, ImportOptions, ImportWriter, ItemSink};

    #[test]
    fn items_are_found_by_place_whatever_was_removed_before_them() {
        let formats = [Format::DynamoDbJson, Format::Ion, Format::Csv(CsvOptions::default())];
        for format in formats {
            let folder = tempfile::tempdir().unwrap();
            let (out, work) = (folder.path().join("out"), folder.path().join("work"));
            let table = Table::new(KeySchema::new(KeyAttribute::new("id", KeyType::S)));
            let options = ImportOptions::new(table.clone())
                .with_lanes(1)
                .with_compression("none".parse().unwrap())
                .with_format(format.clone());
            let writer = ImportWriter::create(out.to_str().unwrap(), &work, options).unwrap();
            let mut sink = Box::new(writer);
            let mut encoder = sink.encoder();
            // The record 300 takes a key that the record 100 has, and the record 200 is retracted.
            for (origin, id) in
                [(100, "a"), (200, "b"), (300, "a"), (300, "c"), (400, "b"), (500, "d")]
            {
                let mut item = Item::new();
                item.push("id", id);
                encoder.push(&item, Origin(origin)).unwrap();
            }
            block_on(sink.write(encoder.take())).unwrap();
            let mark = block_on(sink.commit()).unwrap();
            let retract = [Origin(200)];
            let receipt = block_on(sink.finish(&retract)).unwrap();
            let mut gone: HashSet<Origin> = retract.into();
            gone.extend(receipt.duplicates.iter().map(|duplicate| duplicate.second));
            assert_eq!(gone.len(), 2, "{receipt:?}");

            let reader = ImportReader::open(out.to_str().unwrap()).unwrap();
            let file = receipt.files[0].key.clone();
            let at = |index| (file.clone(), index);
            let places = [at(0), at(2), at(3), ("data/none".to_owned(), 0)];
            let find = || reader.written(&table, (&work, &mark), places.clone(), &gone).unwrap();
            let item = |id: &str, origin| WrittenItem {
                key: format!("id=\"{id}\""),
                origin: Origin(origin),
            };
            let expected = [(at(0), item("a", 100)), (at(2), item("d", 500))];
            assert_eq!(find(), expected.into(), "{format}");

            // What somebody else wrote there is none of ours; what is no item ends nothing.
            let path = out.join(&file);
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace("\"a\"", "\"x\"").replace("\na", "\nx");
            fs::write(&path, text.replace('b', "\u{1}")).unwrap();
            assert_eq!(find(), [(at(2), item("d", 500))].into(), "{format}");
        }
    }
}
