//! The way back: items become the Redis commands that make their records.
//!
//! A record that is one item becomes commands at once. The items of any other lie in many files, in
//! no order: they are sorted first, on disk where memory does not hold them, so that the elements
//! of a list and the entries of a stream are added in theirs.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::PathBuf,
    time::Instant,
};

use keystar_item::json;
use keystar_mapping::{Fragment, Mapping, Piece, Pointer, Unmapped};
use keystar_rdb::{Db, Kind, Stream, StreamId, Value};
use keystar_transfer::{Format, ImportReader, ReadItem};

use crate::{
    Error, Interrupt, Progress, RestoreReport,
    damage::{self, in_file},
    fingerprint::key_hash,
    ledger::{file_and_line, line},
    resp::Commands,
    reverse::{Beside, assemble, item_key, read_beside, text},
    spool::{Sorted, Spool},
    tally::Key,
    verification::{Finding, Firsts},
};

/// What is restored from what.
///
/// ```no_run
/// use keystar_mapping::Mapping;
/// use keystar_pipeline::{Interrupt, Progress, RestoreOptions, restore};
/// use keystar_transfer::ImportReader;
///
/// let (reader, mapping) = (ImportReader::open("out")?, Mapping::default());
/// let options = RestoreOptions::new(&reader, &mapping, std::env::temp_dir());
/// let mut out = std::io::stdout().lock();
/// let report = restore(&options, &mut out, &Interrupt::new(), &Progress::default())?;
/// assert!(report.ok(), "{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreOptions<'a> {
    /// The files, of DynamoDB JSON or of Ion.
    pub reader: &'a ImportReader,
    /// The mapping that the items were made by.
    pub mapping: &'a Mapping,
    /// The database of all records, where items do not tell it.
    pub db: Option<Db>,
    /// A folder for what memory does not hold. The files in it have no names and vanish by
    /// themselves.
    pub folder: PathBuf,
    /// How much memory holds of the records that take several items, in bytes.
    pub max_bytes: usize,
}

impl<'a> RestoreOptions<'a> {
    /// With 16 MiB of memory.
    pub fn new(reader: &'a ImportReader, mapping: &'a Mapping, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { reader, mapping, db: None, folder, max_bytes: 16 << 20 }
    }

    /// Sets the database of all records.
    #[must_use]
    pub fn with_db(mut self, db: Db) -> Self {
        self.db = Some(db);
        self
    }

    /// Sets how many bytes memory holds.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// Writes the Redis commands that make the records of some items: RESP, as `redis-cli --pipe` takes
/// it, for an empty server.
///
/// Streams with groups need Redis 7.0, fields that expire 7.4 or Valkey 9, documents RedisJSON.
/// What no command says is in the report: values of modules, sparse arrays, and of streams what
/// [`RestoreReport::left_out`] names. A record that had expired is written too; the server drops it.
///
/// # Errors
///
/// The files or the folder cannot be read, or the commands cannot be written. What is wrong with
/// single files, lines or records is in the report.
pub fn restore(
    options: &RestoreOptions<'_>,
    out: &mut dyn Write,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<RestoreReport, Error> {
    if matches!(options.reader.format(), Format::Csv(_)) {
        let text = "CSV does not keep types: records come back from DynamoDB JSON and from Ion";
        return Err(Error::Usage(text.to_owned()));
    }
    let begun = Instant::now();
    let mut restorer = Restorer::new(options, out);
    let complete = restorer.read(interrupt, progress)? && restorer.join(interrupt)?;
    let mut report = restorer.finish()?;
    report.complete = complete;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// The record's name, then what comes first, then the place among its like.
const KEY_BYTES: usize = 16 + 1 + 16;
/// Items between two looks at the interrupt.
const ITEMS: u64 = 1024;

struct Restorer<'v, 'w> {
    options: &'v RestoreOptions<'v>,
    files: HashMap<&'v str, usize>,
    commands: Commands<'w>,
    /// Items of records that take several.
    spool: Option<Spool<KEY_BYTES>>,
    report: RestoreReport,
    not_restored: BTreeMap<&'static str, Firsts<Finding>>,
    left_out: BTreeMap<&'static str, Firsts<Finding>>,
    incomplete: Firsts<Finding>,
    damaged: Firsts<Finding>,
    line: Vec<u8>,
}

impl<'v, 'w> Restorer<'v, 'w> {
    fn new(options: &'v RestoreOptions<'v>, out: &'w mut dyn Write) -> Self {
        let files = options.reader.files();
        Self {
            options,
            files: files.iter().map(|file| file.name.as_str()).zip(0..).collect(),
            commands: Commands::new(out),
            spool: Some(Spool::new(&options.folder, options.max_bytes)),
            report: RestoreReport { files: files.len() as u64, ..RestoreReport::default() },
            not_restored: BTreeMap::new(),
            left_out: BTreeMap::new(),
            incomplete: Firsts::default(),
            damaged: Firsts::default(),
            line: Vec::new(),
        }
    }

    /// Reads all items. Tells whether it came to the end.
    fn read(&mut self, interrupt: &Interrupt, progress: &Progress) -> Result<bool, Error> {
        let files = self.options.reader.files();
        progress.start(Some(files.iter().map(|file| file.stored_bytes).sum()));
        let mut done = 0;
        // One reader a file, so that progress can be told.
        for reader in self.options.reader.split(files.len()) {
            let mut items = reader.items();
            loop {
                match items.next_item() {
                    Ok(Some(read)) => self.take(&read)?,
                    Ok(None) => break,
                    Err(error) => {
                        let (file, number, detail) = damage::of(error)?;
                        let place = line(self.number(&file), number.unwrap_or(u64::MAX));
                        let text = number.map_or(file.clone(), |number| in_file(&file, number));
                        self.damaged.push(place, Finding::new("", text, detail));
                    }
                }
                if self.report.items.is_multiple_of(ITEMS) {
                    progress.reach(done, self.report.records());
                    if interrupt.is_set() {
                        return Ok(false);
                    }
                }
            }
            done += reader.files().iter().map(|file| file.stored_bytes).sum::<u64>();
            progress.reach(done, self.report.records());
        }
        Ok(true)
    }

    fn number(&self, file: &str) -> usize {
        self.files.get(file).copied().unwrap_or(self.files.len())
    }

    fn take(&mut self, read: &ReadItem<'_>) -> Result<(), Error> {
        self.report.items += 1;
        let place = line(self.number(read.file), read.line);
        let unmapped = match self.options.mapping.unmap(&read.item) {
            Ok(unmapped) => unmapped,
            Err(error) => {
                let key = item_key(&read.item, self.options.mapping.table());
                let finding = Finding::new(key, in_file(read.file, read.line), error.to_string());
                self.not_restored.entry("not_of_this_mapping").or_default().push(place, finding);
                return Ok(());
            }
        };
        if let Some(pointer) = unmapped.offloaded() {
            return self.beside(&unmapped, pointer, place);
        }
        if let Fragment::Whole(value) = &unmapped.fragment {
            return self.whole(&unmapped, value, place);
        }
        self.line.clear();
        self.line.extend_from_slice(&place.to_le_bytes());
        json::write_item(&read.item, &mut self.line);
        let Some(spool) = &mut self.spool else { return Ok(()) };
        let name = key_hash(unmapped.db, &unmapped.key);
        for turn in turns(&unmapped) {
            spool.push(&turn.to_bytes(name), &self.line)?;
        }
        Ok(())
    }

    fn whole(&mut self, unmapped: &Unmapped, value: &Value<'_>, place: u64) -> Result<(), Error> {
        if self.open(unmapped, place)? {
            self.piece(value)?;
            self.close(unmapped, place, None)?;
        }
        Ok(())
    }

    /// Restores a value that lies beside its item.
    fn beside(&mut self, unmapped: &Unmapped, pointer: &Pointer, place: u64) -> Result<(), Error> {
        let (mapping, reader) = (self.options.mapping, self.options.reader);
        if !self.open(unmapped, place)? {
            return Ok(());
        }
        let mut texts = Vec::new();
        if unmapped.kind == Kind::Stream {
            // What is not an entry comes last in the file, and is needed first.
            read_beside(
                mapping,
                |name| reader.offload(name),
                (unmapped, pointer),
                |piece| match piece {
                    Beside::Item(Unmapped { fragment: Fragment::Part(part), .. })
                        if part.count.is_some() =>
                    {
                        self.head(&part.piece)
                    }
                    _ => Ok(()),
                },
            )?;
        }
        let wrong = read_beside(
            mapping,
            |name| reader.offload(name),
            (unmapped, pointer),
            |piece| match piece {
                Beside::Bytes(bytes, _) => self.piece(&text(bytes)),
                Beside::Item(item) if item.value().is_none() => {
                    texts.push(item);
                    Ok(())
                }
                Beside::Item(item) => self.elements(item),
            },
        )?;
        let wrong = match (wrong, texts.is_empty()) {
            (Some(wrong), _) => Some(format!("the file {} {wrong}", pointer.name)),
            (None, true) => None,
            (None, false) => match assemble(texts) {
                Some(value) => {
                    self.piece(&value)?;
                    None
                }
                None => Some(format!("the file {} holds no value", pointer.name)),
            },
        };
        self.close(unmapped, place, wrong)
    }

    /// Begins a record; `false` if it cannot be restored.
    fn open(&mut self, unmapped: &Unmapped, place: u64) -> Result<bool, Error> {
        let db = self.options.db.unwrap_or(unmapped.db);
        if self.commands.open(db, &unmapped.key, unmapped.kind).map_err(Error::Output)? {
            return Ok(true);
        }
        let reason = match unmapped.kind {
            Kind::Array => "array",
            _ => "module",
        };
        self.refuse(reason, unmapped, place, "no command makes such a value");
        Ok(false)
    }

    fn refuse(&mut self, reason: &'static str, unmapped: &Unmapped, place: u64, detail: &str) {
        let finding = self.finding(unmapped, place, detail);
        self.not_restored.entry(reason).or_default().push(place, finding);
    }

    fn finding(&self, unmapped: &Unmapped, place: u64, detail: impl Into<String>) -> Finding {
        let db = self.options.db.unwrap_or(unmapped.db);
        let (file, number) = file_and_line(place);
        let file = self.options.reader.files().get(file).map_or("", |file| &file.name);
        Finding::new(Key::new(db, &unmapped.key).to_string(), in_file(file, number), detail)
    }

    fn piece(&mut self, value: &Value<'_>) -> Result<(), Error> {
        self.commands.piece(value).map_err(Error::Output)
    }

    /// Of a piece of a stream, what is no entry.
    fn head(&mut self, piece: &Piece) -> Result<(), Error> {
        let Piece::Value(Value::Stream(stream)) = piece else { return Ok(()) };
        let mut head = stream.clone();
        head.entries.clear();
        self.piece(&Value::Stream(head))
    }

    /// Of a piece, its elements alone.
    fn elements(&mut self, item: Unmapped) -> Result<(), Error> {
        let value = match item.fragment {
            Fragment::Element(_, value) => value,
            Fragment::Part(part) => match part.piece {
                Piece::Value(value) => value,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Value::Stream(stream) = value else { return self.piece(&value) };
        let mut bare = Stream::default();
        bare.entries = stream.entries;
        self.piece(&Value::Stream(Box::new(bare)))
    }

    fn close(
        &mut self,
        unmapped: &Unmapped,
        place: u64,
        wrong: Option<String>,
    ) -> Result<(), Error> {
        self.commands.close(unmapped.expires_at).map_err(Error::Output)?;
        *self.report.records.entry(unmapped.kind.name().to_owned()).or_default() += 1;
        self.report.expiring += u64::from(unmapped.expires_at.is_some());
        for (what, count) in self.commands.take_unsaid() {
            let finding = self.finding(unmapped, place, format!("{count} of them"));
            self.left_out.entry(what).or_default().push_many(place, count, finding);
        }
        if let Some(detail) = wrong {
            let finding = self.finding(unmapped, place, detail);
            self.incomplete.push(place, finding);
        }
        Ok(())
    }

    /// Restores the records that take several items. Tells whether it came to the end.
    fn join(&mut self, interrupt: &Interrupt) -> Result<bool, Error> {
        let Some(spool) = self.spool.take() else { return Ok(true) };
        let mut items: Sorted<KEY_BYTES> = spool.sorted()?;
        let mut current: Option<Joined> = None;
        let mut count = 0_u64;
        while let Some((key, payload)) = items.next()? {
            count += 1;
            if count.is_multiple_of(ITEMS) && interrupt.is_set() {
                return Ok(false);
            }
            let Some((name, turn)) = key.split_first_chunk::<16>() else { continue };
            let Some((place, text)) = payload.split_first_chunk::<8>() else { continue };
            let place = u64::from_le_bytes(*place);
            // Both went well when the item was spooled.
            let unmapped = json::parse_item(text).ok();
            let unmapped = unmapped.and_then(|item| self.options.mapping.unmap(&item).ok());
            let Some(unmapped) = unmapped else { continue };
            let is_head = turn.first() == Some(&Turn::HEAD);
            let joined = match current.take() {
                Some(joined) if joined.name == *name => joined,
                before => {
                    if let Some(before) = before {
                        self.end(before)?;
                    }
                    let opened = self.open(&unmapped, place)?;
                    Joined::new(*name, opened, &unmapped, place)
                }
            };
            current = Some(self.add(joined, unmapped, is_head)?);
        }
        if let Some(last) = current {
            self.end(last)?;
        }
        Ok(true)
    }

    fn add(
        &mut self,
        mut joined: Joined,
        unmapped: Unmapped,
        is_head: bool,
    ) -> Result<Joined, Error> {
        if !joined.is_new(&unmapped, is_head) || !joined.opened {
            return Ok(joined);
        }
        if is_head {
            match &unmapped.fragment {
                Fragment::Part(part) | Fragment::Tail(part) => match &part.piece {
                    Piece::Value(_) => self.head(&part.piece)?,
                    _ => joined.texts.push(unmapped),
                },
                _ => {}
            }
            return Ok(joined);
        }
        self.text(&mut joined)?;
        self.elements(unmapped)?;
        Ok(joined)
    }

    /// Restores what was cut as text, once it is complete.
    fn text(&mut self, joined: &mut Joined) -> Result<(), Error> {
        if joined.texts.is_empty() {
            return Ok(());
        }
        match assemble(std::mem::take(&mut joined.texts)) {
            Some(value) => self.piece(&value),
            None => {
                joined.wrong = Some("pieces of its text are missing");
                Ok(())
            }
        }
    }

    fn end(&mut self, mut joined: Joined) -> Result<(), Error> {
        if !joined.opened {
            return Ok(());
        }
        self.text(&mut joined)?;
        let wrong = joined.wrong.or_else(|| joined.lacks()).map(str::to_owned);
        self.close(&joined.first, joined.place, wrong)
    }

    fn finish(self) -> Result<RestoreReport, Error> {
        let Self { commands, mut report, not_restored, left_out, incomplete, damaged, .. } = self;
        let done = commands.finish().map_err(Error::Output)?;
        let named = |firsts: Firsts<Finding>| firsts.named(|_, finding| finding);
        let all = |all: BTreeMap<&'static str, Firsts<Finding>>| {
            all.into_iter().map(|(what, firsts)| (what.to_owned(), named(firsts))).collect()
        };
        report.commands =
            done.commands.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        report.bytes = done.bytes;
        report.not_restored = all(not_restored);
        report.left_out = all(left_out);
        report.incomplete = named(incomplete);
        report.damaged = named(damaged);
        Ok(report)
    }
}

/// When an item is due among those of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    class: u8,
    place: u128,
}

impl Turn {
    /// What is no element: text, and what a stream has besides entries.
    const HEAD: u8 = 0;
    const ELEMENTS: u8 = 1;

    fn to_bytes(self, name: u128) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        let (names, turn) = bytes.split_at_mut(16);
        names.copy_from_slice(&name.to_be_bytes());
        if let Some((class, place)) = turn.split_first_mut() {
            *class = self.class;
            place.copy_from_slice(&self.place.to_be_bytes());
        }
        bytes
    }
}

/// When an item is due; the last part of a stream is due twice.
fn turns(unmapped: &Unmapped) -> impl Iterator<Item = Turn> {
    let head = |number: u64| Turn { class: Turn::HEAD, place: number.into() };
    let elements = |place: u128| Turn { class: Turn::ELEMENTS, place };
    let (first, second) = match &unmapped.fragment {
        Fragment::Tail(tail) => (Some(head(tail.number)), None),
        Fragment::Part(part) => match &part.piece {
            Piece::Value(Value::Stream(_)) if part.count.is_some() => {
                (Some(head(part.number)), Some(elements(part.number.into())))
            }
            Piece::Value(_) => (None, Some(elements(part.number.into()))),
            _ => (Some(head(part.number)), None),
        },
        Fragment::Element(index, value) => {
            let place = match value {
                Value::Stream(stream) => stream.entries.first().map_or(0, |entry| number(entry.id)),
                _ => (*index).into(),
            };
            (None, Some(elements(place)))
        }
        _ => (None, None),
    };
    first.into_iter().chain(second)
}

fn number(id: StreamId) -> u128 {
    u128::from(id.ms) << 64 | u128::from(id.seq)
}

/// The record whose items are coming.
struct Joined {
    name: [u8; 16],
    /// Whether commands can make it.
    opened: bool,
    first: Unmapped,
    place: u64,
    texts: Vec<Unmapped>,
    /// Parts that came, by their numbers, and how many there should be.
    parts: u64,
    highest: Option<u64>,
    parts_expected: Option<u64>,
    /// The same of the pieces of a tail.
    tails: u64,
    tails_expected: Option<u64>,
    /// Of a list, the index that is due.
    due: u64,
    has_elements: bool,
    wrong: Option<&'static str>,
}

impl Joined {
    fn new(name: [u8; 16], opened: bool, first: &Unmapped, place: u64) -> Self {
        // Only its head is needed later.
        let mut first = first.clone();
        first.fragment = Fragment::Whole(text(&[]).into_owned());
        Self {
            name,
            opened,
            first,
            place,
            texts: Vec::new(),
            parts: 0,
            highest: None,
            parts_expected: None,
            tails: 0,
            tails_expected: None,
            due: 0,
            has_elements: false,
            wrong: None,
        }
    }

    /// Notes what came; `false` if it came before.
    fn is_new(&mut self, unmapped: &Unmapped, is_head: bool) -> bool {
        const TWICE: &str = "an item of it is there twice";
        let same_record =
            (unmapped.kind, unmapped.expires_at) == (self.first.kind, self.first.expires_at);
        if !same_record {
            self.wrong = Some("its items do not agree on its type or on when it expires");
        }
        match &unmapped.fragment {
            Fragment::Part(part) => {
                let is_text = matches!(part.piece, Piece::Text(_));
                if is_head && !is_text {
                    return true;
                }
                self.parts += 1;
                self.parts_expected = self.parts_expected.or(part.count);
                if self.highest == Some(part.number) {
                    self.wrong = Some(TWICE);
                    return false;
                }
                self.highest = Some(part.number);
            }
            Fragment::Tail(tail) => {
                self.tails += 1;
                self.tails_expected = self.tails_expected.or(tail.count);
            }
            Fragment::Element(index, Value::List(_)) => {
                self.has_elements = true;
                if *index < self.due {
                    self.wrong = Some(TWICE);
                    return false;
                }
                if *index > self.due {
                    self.wrong = Some("items of it are missing");
                }
                self.due = index.saturating_add(1);
            }
            _ => self.has_elements = true,
        }
        true
    }

    /// What is missing, if that can be told.
    fn lacks(&self) -> Option<&'static str> {
        let parts = self.parts > 0 && self.parts_expected != Some(self.parts);
        let tails = match self.first.kind {
            Kind::Stream if self.parts == 0 => self.tails_expected != Some(self.tails),
            _ => self.tails > 0 && self.tails_expected != Some(self.tails),
        };
        (parts || tails).then_some("items of it are missing")
    }
}
