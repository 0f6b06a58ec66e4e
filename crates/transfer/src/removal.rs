//! Takes records out of files that are complete.
//!
//! Every file that loses an item is written anew beside, then a journal says what goes where, then
//! the new files take the old ones' places. Killed before the journal is durable, nothing has
//! happened; killed after it, the rest is done from the journal, any number of times.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use keystar_item::{ion, json};

use crate::{
    Error, Format, ImportFile, Origin, Receipt,
    collision::{self, Candidate, Key, Settled},
    csv::RowReader,
    error::OrIo,
    file::{FileWriter, Records},
    lane::{Setup, part_name},
    manifest::{DATA, Manifest},
    spill::{Known, Spill},
    store::{STAGING, sync_folder_of},
};

const JOURNAL: &str = "finish.json";

/// What a finish does once it is decided.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub(crate) struct Journal {
    /// The files that it was decided on.
    pub(crate) before: Vec<ImportFile>,
    /// The files that change; those that are left without an item go.
    changed: Vec<String>,
    receipt: Receipt,
}

impl Journal {
    pub(crate) fn load(work: &Path) -> Result<Option<Self>, Error> {
        let path = path(work);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => {
                let place = path.display().to_string();
                let text = read.or_io("read", &*place)?;
                serde_json::from_slice(&text)
                    .map(Some)
                    .map_err(|source| Error::Json { place, source })
            }
        }
    }

    pub(crate) fn remove(work: &Path) -> Result<(), Error> {
        match fs::remove_file(path(work)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path(work).display().to_string(), error))
            }
            _ => Ok(()),
        }
    }

    fn save(&self, work: &Path) -> Result<(), Error> {
        let target = path(work);
        let place = target.display().to_string();
        let text = serde_json::to_vec(self)
            .map_err(|source| Error::Json { place: place.clone(), source })?;
        let temporary = target.with_extension("tmp");
        File::create(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &target))
            .and_then(|()| sync_folder_of(&target))
            .or_io("write", place)
    }

    /// Puts the new files in place and writes the manifest.
    pub(crate) fn apply(self, setup: &Setup) -> Result<Receipt, Error> {
        let store = &setup.store;
        let kept: HashSet<&str> = self.receipt.files.iter().map(|f| f.key.as_str()).collect();
        for name in &self.changed {
            if !kept.contains(name.as_str()) {
                store.remove(name)?;
                continue;
            }
            match store.rename(&staged(name), name) {
                // It was moved before we were killed.
                Err(Error::Missing { .. }) => {}
                moved => moved?,
            }
        }
        let found: HashMap<String, u64> = store.list(DATA)?.into_iter().collect();
        for file in &self.receipt.files {
            if found.get(&file.key) != Some(&file.stored_bytes) {
                let reason = "it was changed while the run was being finished";
                return Err(Error::Damaged { file: file.key.clone(), reason });
            }
        }
        Manifest::new(&setup.options, &self.receipt).write(store)?;
        for (name, _) in store.list(STAGING)? {
            store.remove(&name)?;
        }
        store.remove_empty_folder(STAGING);
        Ok(self.receipt)
    }
}

/// Finds what has to go, writes the files anew that lose something, and the journal.
pub(crate) fn decide(
    setup: &Setup,
    files: Vec<ImportFile>,
    spill: &mut Spill,
    retract: &[Origin],
    mut receipt: Receipt,
) -> Result<Journal, Error> {
    let mut removed: HashSet<Origin> = retract.iter().copied().collect();
    let Settled { duplicates, repeats } = find_duplicates(setup, spill, &removed)?;
    receipt.duplicates = duplicates;
    removed.extend(receipt.duplicates.iter().map(|duplicate| duplicate.second));

    let mut lines: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    if !removed.is_empty() {
        spill.for_each(|item| {
            if removed.contains(&item.origin) {
                lines.entry(item.file).or_default().push(item.index);
                receipt.removed_items += 1;
            }
            Ok(())
        })?;
    }
    for (file, index) in repeats {
        lines.entry(file).or_default().push(index);
    }
    for lines in lines.values_mut() {
        lines.sort_unstable();
        // What a record repeated that is removed is removed with it.
        lines.dedup();
        receipt.repeats += lines.len() as u64;
    }
    receipt.repeats -= receipt.removed_items;
    let mut changed: BTreeMap<String, Option<ImportFile>> = BTreeMap::new();
    for (file, rewritten) in rewrite_all(setup, lines)? {
        changed.insert(part_name(&setup.options, file), rewritten);
    }
    receipt.files = files
        .iter()
        .filter_map(|file| match changed.get(&file.key) {
            Some(rewritten) => rewritten.clone(),
            None => Some(file.clone()),
        })
        .collect();
    receipt.items = receipt.files.iter().map(|file| file.items).sum();
    receipt.bytes = receipt.files.iter().map(|file| file.bytes).sum();
    receipt.stored_bytes = receipt.files.iter().map(|file| file.stored_bytes).sum();
    let changed = changed.into_keys().collect();
    let journal = Journal { before: files, changed, receipt };
    journal.save(&setup.work)?;
    Ok(journal)
}

fn find_duplicates(
    setup: &Setup,
    spill: &mut Spill,
    retracted: &HashSet<Origin>,
) -> Result<Settled, Error> {
    let repeats = setup.options.repeats;
    let limit = setup.options.max_duplicates.saturating_mul(2);
    let found = spill.collisions(limit, repeats)?;
    let mut colliding = found.items;
    colliding.retain(|item| !retracted.contains(&item.origin));
    let mut by_file: HashMap<u32, Vec<Known>> = HashMap::new();
    for item in colliding {
        by_file.entry(item.file).or_default().push(item);
    }
    let read =
        in_parallel(by_file.into_iter().collect(), |(file, items)| read_keys(setup, file, items))?;
    let mut settled = collision::settle(read.into_iter().flatten().collect(), repeats);
    settled.repeats.extend(found.repeats);
    Ok(settled)
}

/// Reads the keys of these items of a file, in one pass over it.
fn read_keys(setup: &Setup, file: u32, mut items: Vec<Known>) -> Result<Vec<Candidate>, Error> {
    items.sort_unstable_by_key(|item| item.index);
    let name = part_name(&setup.options, file);
    let damaged = |reason| Error::Damaged { file: name.clone(), reason };
    let mut parser = None;
    let mut candidates = Vec::with_capacity(items.len());
    let mut wanted = items.into_iter().peekable();
    for_each_record(setup, &name, |index, record, line| {
        let Some(index) = index else {
            parser = header_parser(setup, record);
            return Ok(());
        };
        while let Some(item) = wanted.next_if(|item| item.index == index) {
            let parsed = match (&setup.options.format, &parser) {
                (Format::Csv(_), Some(rows)) => rows.item(record).map_err(damaged)?,
                (Format::Csv(_), None) => return Err(damaged("its header cannot be read")),
                (Format::Ion, _) => ion::parse_item(record).map_err(|source| Error::Item {
                    file: name.clone(),
                    line,
                    source,
                })?,
                (Format::DynamoDbJson, _) => json::parse_item(record)
                    .map_err(|source| Error::Item { file: name.clone(), line, source })?,
            };
            let key = Key::of(&parsed, &setup.options.table)
                .ok_or_else(|| damaged("an item is without its key"))?;
            let place = (item.file, item.index);
            candidates.push(Candidate { origin: item.origin, place, key });
        }
        Ok(())
    })?;
    match wanted.next() {
        Some(_) => Err(damaged("it has fewer items than were written")),
        None => Ok(candidates),
    }
}

fn header_parser(setup: &Setup, header: &[u8]) -> Option<RowReader> {
    match &setup.options.format {
        Format::Csv(csv) => RowReader::new(header, Some(&setup.options.table), csv.delimiter),
        _ => None,
    }
}

/// Visits a file's items with their place in it, from 0, and their line, from 1. A header has no
/// place.
fn for_each_record(
    setup: &Setup,
    name: &str,
    mut visit: impl FnMut(Option<u32>, &[u8], u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut records = Records::open(&setup.store, name, &setup.options.format, None)?;
    let mut header = matches!(setup.options.format, Format::Csv(_));
    let mut index = 0;
    while let Some((record, line)) = records.next().or_io("read", setup.store.place(name))? {
        if std::mem::take(&mut header) {
            visit(None, record, line)?;
        } else {
            visit(Some(index), record, line)?;
            index += 1;
        }
    }
    Ok(())
}

/// Each file with what it is without those items; `None` if nothing is left.
fn rewrite_all(
    setup: &Setup,
    lines: BTreeMap<u32, Vec<u32>>,
) -> Result<Vec<(u32, Option<ImportFile>)>, Error> {
    in_parallel(lines.into_iter().collect(), |(file, lines)| {
        Ok((file, rewrite(setup, file, lines)?))
    })
}

fn rewrite(setup: &Setup, file: u32, lines: Vec<u32>) -> Result<Option<ImportFile>, Error> {
    let name = part_name(&setup.options, file);
    let compression = setup.options.compression;
    let mut out = FileWriter::create_for(&setup.store, &staged(&name), &name, compression)?;
    let mut removed = lines.iter().copied().peekable();
    let mut items = 0;
    let mut text = Vec::new();
    for_each_record(setup, &name, |index, record, _| {
        match index {
            Some(index) if removed.next_if_eq(&index).is_some() => return Ok(()),
            Some(_) => items += 1,
            None => {}
        }
        text.clear();
        text.extend_from_slice(record);
        text.push(b'\n');
        out.write(&text)
    })?;
    if removed.next().is_some() {
        return Err(Error::Damaged { file: name, reason: "it has fewer items than were written" });
    }
    if items == 0 { Ok(None) } else { out.complete(items).map(Some) }
}

/// The results in the order of the tasks; one of the errors if there are any.
fn in_parallel<T: Send, R: Send>(
    tasks: Vec<T>,
    work: impl Fn(T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8).min(tasks.len());
    if threads <= 1 {
        return tasks.into_iter().map(work).collect();
    }
    let queue = Mutex::new(tasks.into_iter().enumerate());
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((number, task)) = next else { return };
                    let result = work(task);
                    let failed = result.is_err();
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
                    if failed {
                        // The others need not go on.
                        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                        while queue.next().is_some() {}
                        return;
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Where a file's new text waits.
fn staged(name: &str) -> String {
    format!("{STAGING}/rewritten-{}", name.replace('/', "-"))
}

fn path(work: &Path) -> PathBuf {
    work.join(JOURNAL)
}
