//! The way back from items, taken item by item: nothing is put together that memory may not hold.

use std::io::{self, BufRead, BufReader, Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use keystar_item::{AttributeValue, Item, Table, ion, json};
use keystar_mapping::{Assembly, DbStyle, Fragment, Mapped, Mapping, Pointer, Unmapped};
use keystar_rdb::{Blob, Db, Kind, Value};
use keystar_transfer::Format;
use sha2::{Digest, Sha256};

use crate::{
    Error,
    fingerprint::{Fingerprint, key_hash},
    ledger::{Entry, Unit},
    tally::shown,
};

/// Reads items of one form back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reverse<'v> {
    mapping: &'v Mapping,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Ion,
    /// Of types it keeps the keys' only: no item can be read back.
    Csv,
}

/// What an item is to a comparison.
pub(crate) enum Meaning {
    /// A record or a piece of one; or an item that cannot be read back, by its own key.
    Entry(Entry),
    /// A piece of text that means something only with its neighbours: compared as an item.
    Text(Entry, Unmapped),
    /// The value lies elsewhere.
    Offloaded(Unmapped, Pointer),
    /// It lacks its own key.
    Nameless,
}

/// What the items of a record, or of a part of one, read back as.
#[derive(Default)]
pub(crate) struct Reversed {
    pub(crate) entries: Vec<Entry>,
    /// Pieces of text, in order; the entries have them as items.
    pub(crate) text: Vec<Unmapped>,
    /// Whether the value lies beside the items; lines of it are among the entries.
    pub(crate) beside: bool,
    /// Whether some items cannot be read back.
    pub(crate) by_items: bool,
}

impl<'v> Reverse<'v> {
    pub(crate) fn new(mapping: &'v Mapping, format: &Format) -> Self {
        let form = match format {
            Format::Ion => Form::Ion,
            Format::Csv(_) => Form::Csv,
            _ => Form::Json,
        };
        Self { mapping, form }
    }

    /// Whether records can be read back from items of this form.
    pub(crate) fn reads_records(&self) -> bool {
        self.form != Form::Csv
    }

    /// The name of a record; where items do not tell the database, nor does the name.
    pub(crate) fn name(&self, db: Db, key: &[u8]) -> u128 {
        let told = self.mapping.db_style() != DbStyle::Folder;
        key_hash(if told { db } else { Db(0) }, key)
    }

    pub(crate) fn mapping(&self) -> &'v Mapping {
        self.mapping
    }

    pub(crate) fn read(&self, item: &Item<'_>, place: u64) -> Meaning {
        let by_item = || match item_entry(item, self.mapping.table(), self.form, place) {
            Some(entry) => Meaning::Entry(entry),
            None => Meaning::Nameless,
        };
        if !self.reads_records() {
            return by_item();
        }
        let Ok(unmapped) = self.mapping.unmap(item) else { return by_item() };
        if let Some(pointer) = unmapped.offloaded().cloned() {
            return Meaning::Offloaded(unmapped, pointer);
        }
        match self.entry(&unmapped, place) {
            Some(entry) => Meaning::Entry(entry),
            None => match by_item() {
                Meaning::Entry(entry) => Meaning::Text(entry, unmapped),
                other => other,
            },
        }
    }

    /// What a piece of a record is to a comparison; `None` for a piece of text.
    pub(crate) fn entry(&self, unmapped: &Unmapped, place: u64) -> Option<Entry> {
        let fingerprint = Fingerprint::of(unmapped.value()?, unmapped.start());
        Some(Entry {
            unit: Unit::Record(unmapped.kind),
            name: self.name(unmapped.db, &unmapped.key),
            fingerprint,
            expires_at: unmapped.expires_at,
            place,
        })
    }

    /// Reads back what a record, or a part of one, was mapped to; as a file of this form holds it.
    pub(crate) fn reverse(&self, mapped: &Mapped<'_>, place: u64) -> Reversed {
        let mut reversed = Reversed::default();
        let mut text = Vec::new();
        for item in &mapped.items {
            let as_written = (self.form == Form::Ion).then(|| {
                text.clear();
                ion::write_item(item, &mut text);
                ion::parse_item(&text).map(Item::into_owned)
            });
            match as_written {
                Some(Ok(item)) => reversed.add(self.read(&item, place)),
                _ => reversed.add(self.read(item, place)),
            }
        }
        for offload in &mapped.offloads {
            reversed.beside = true;
            let lines = offload.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for line in lines {
                // The bytes of a string are no lines: the caller has them.
                if let (true, Ok(item)) = (offload.name.ends_with(LINES), json::parse_item(line)) {
                    reversed.add(self.read(&item, place));
                }
            }
        }
        reversed
    }
}

/// How the name of a file of items ends.
const LINES: &str = ".jsonl";

impl Reversed {
    fn add(&mut self, read: Meaning) {
        match read {
            Meaning::Entry(entry) => {
                self.by_items |= entry.unit == Unit::Item;
                self.push(entry);
            }
            Meaning::Text(entry, unmapped) => {
                self.by_items = true;
                self.push(entry);
                self.text.push(unmapped);
            }
            Meaning::Offloaded(..) => self.beside = true,
            Meaning::Nameless => self.by_items = true,
        }
    }

    /// Adds an entry; those of one record are put together at once, since they come in order.
    pub(crate) fn push(&mut self, entry: Entry) {
        match self.entries.last_mut() {
            Some(last) if last.unit == entry.unit && last.name == entry.name => last.join(&entry),
            _ => self.entries.push(entry),
        }
    }
}

/// What pieces of text read as: a document, a module value, or what of a stream or an array is no
/// element.
pub(crate) fn assemble(pieces: Vec<Unmapped>) -> Option<Value<'static>> {
    let first = pieces.first().and_then(number).unwrap_or_default();
    let mut assembly = Assembly::new();
    for mut piece in pieces {
        // Those before them hold elements, and are dealt with elsewhere.
        if let Fragment::Part(numbered) = &mut piece.fragment {
            numbered.number = numbered.number.checked_sub(first)?;
            numbered.count = numbered.count.map(|count| count.saturating_sub(first));
        }
        assembly.add(piece).ok()?;
    }
    assembly.finish().ok().map(|record| record.value)
}

fn number(piece: &Unmapped) -> Option<u64> {
    match &piece.fragment {
        Fragment::Part(numbered) => Some(numbered.number),
        _ => None,
    }
}

/// A piece of a value that lies beside the items.
pub(crate) enum Beside<'b> {
    /// Some bytes of a string, and where they begin.
    Bytes(&'b [u8], u64),
    /// What an item in the file says.
    Item(Unmapped),
}

/// Reads a value beside the items, piece by piece. Tells what is wrong with the file, if anything.
pub(crate) fn read_beside(
    mapping: &Mapping,
    open: impl FnOnce(&str) -> Result<Box<dyn Read + Send>, keystar_transfer::Error>,
    (unmapped, pointer): (&Unmapped, &Pointer),
    mut on: impl FnMut(Beside<'_>) -> Result<(), Error>,
) -> Result<Option<String>, Error> {
    let file = match open(&pointer.name) {
        Ok(file) => file,
        Err(keystar_transfer::Error::Missing { .. }) => return Ok(Some("is not there".to_owned())),
        Err(keystar_transfer::Error::Place { reason, .. }) => return Ok(Some(reason.to_owned())),
        Err(error) => return Err(Error::Target(error)),
    };
    let mut file = BufReader::with_capacity(CHUNK_BYTES, Digested::new(file));
    let failed = |source: io::Error| {
        Error::Target(keystar_transfer::Error::Io {
            action: "read",
            place: pointer.name.clone(),
            source,
        })
    };
    let mut line = Vec::new();
    let mut offset = 0;
    loop {
        if unmapped.kind == Kind::String {
            let chunk = file.fill_buf().map_err(failed)?;
            if chunk.is_empty() {
                break;
            }
            on(Beside::Bytes(chunk, offset))?;
            let read = chunk.len();
            offset += read as u64;
            file.consume(read);
            continue;
        }
        line.clear();
        file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            break;
        }
        let item = json::parse_item(&line).ok().and_then(|item| mapping.unmap(&item).ok());
        match item {
            Some(item) if item.key == unmapped.key && item.db == unmapped.db => {
                on(Beside::Item(item))?;
            }
            _ => return Ok(Some("holds a line that is no part of the value".to_owned())),
        }
    }
    let (bytes, sha256) = file.into_inner().finish();
    let is_it = bytes == pointer.bytes && sha256 == pointer.sha256;
    Ok((!is_it).then(|| "is not the file that its item points to".to_owned()))
}

const CHUNK_BYTES: usize = 256 << 10;
/// More than the text of any item takes.
const MAX_LINE_BYTES: u64 = 16 << 20;

struct Digested<R> {
    reader: R,
    bytes: u64,
    digest: Sha256,
}

impl<R> Digested<R> {
    fn new(reader: R) -> Self {
        Self { reader, bytes: 0, digest: Sha256::new() }
    }

    fn finish(self) -> (u64, String) {
        let digest = self.digest.finalize();
        (self.bytes, digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

/// An item as one that is compared by itself; `None` if it lacks its own key.
fn item_entry(item: &Item<'_>, table: &Table, form: Form, place: u64) -> Option<Entry> {
    let key = table
        .key
        .attributes()
        .map(|attribute| Some((attribute.name.as_str(), item.get(&attribute.name)?)))
        .collect::<Option<Vec<_>>>()?;
    let (name, fingerprint) = match form {
        Form::Csv => (as_text(key), Fingerprint::of_item(&as_text(attributes(item)))),
        _ => {
            let key = key.into_iter().map(|(name, value)| (name.into(), value.clone()));
            (key.collect(), Fingerprint::of_item(item))
        }
    };
    let name = Fingerprint::of_item(&name).sum();
    Some(Entry { unit: Unit::Item, name, fingerprint, expires_at: None, place })
}

fn attributes<'i, 'a>(
    item: &'i Item<'a>,
) -> impl Iterator<Item = (&'i str, &'i AttributeValue<'a>)> {
    item.attributes.iter().map(|(name, value)| (name.as_ref(), value))
}

/// An item as the columns of CSV say it: all is text, and what is empty is not there.
fn as_text<'i, 'a: 'i>(
    attributes: impl IntoIterator<Item = (&'i str, &'i AttributeValue<'a>)>,
) -> Item<'i> {
    let mut item = Item::new();
    for (name, value) in attributes {
        let text = match value {
            AttributeValue::S(text) => text.clone().into_owned(),
            AttributeValue::N(number) => number.as_str().to_owned(),
            AttributeValue::B(bytes) => STANDARD.encode(bytes),
            AttributeValue::Bool(truth) => truth.to_string(),
            AttributeValue::Null => continue,
            nested => {
                let mut text = Vec::new();
                json::write_value(nested, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            }
        };
        if !text.is_empty() {
            item.push(name, text);
        }
    }
    item
}

/// The key of an item as people read it: `pk "USER#1", sk "A"`.
pub(crate) fn item_key(item: &Item<'_>, table: &Table) -> String {
    let attributes = table.key.attributes().map(|attribute| {
        let value = match item.get(&attribute.name) {
            Some(AttributeValue::S(text)) => format!("\"{}\"", shown(text.as_bytes())),
            Some(AttributeValue::N(number)) => number.to_string(),
            Some(AttributeValue::B(bytes)) => format!("\"{}\"", shown(bytes)),
            _ => "?".to_owned(),
        };
        format!("{} {value}", attribute.name)
    });
    attributes.collect::<Vec<_>>().join(", ")
}

/// Bytes of a string as a value.
pub(crate) fn text(bytes: &[u8]) -> Value<'_> {
    Value::String(Blob::from(bytes))
}
