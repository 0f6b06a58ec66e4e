use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_core::future::BoxFuture;
use keystar_item::Table;

use crate::{
    EncodeLoss, Encoded, Error, Format, ImportFile, ImportOptions, ItemEncoder, ItemSink,
    LossCount, Mark, Origin, Place, Receipt,
    encoder::TextEncoder,
    error::OrIo,
    lane::{Lane, SPOOL_EXTENSION, Setup},
    manifest::{DATA, MANIFEST},
    offload::OFFLOAD,
    pool::Pool,
    removal::{self, Journal},
    spill::{Known, Spill},
    store::{STAGING, Store},
};

/// A file that is not worth a second one: until the open files hold this much text together,
/// there is only one. A handful of items is then one file, not eight.
const SPREAD_AFTER_BYTES: u64 = 1 << 20;

/// Writes the files that DynamoDB's `ImportTable` reads.
///
/// The output folder gets `data/part-00000.json.gz` and so on (point the import at `data/`) and
/// `manifest.json` (see [`Manifest`](crate::Manifest)). Items are spread over the open files by
/// the hash of their key, because an import is slow where neighbouring lines have neighbouring
/// keys. A file is complete and durable before it appears in `data/`.
///
/// The work directory is for this writer alone: it holds who every item is (24 bytes each), to find
/// records that claim the same key. It may be deleted once the receipt is safe.
///
/// The same batches, committed at the same places, give the same bytes: also after a crash.
///
/// ```
/// use futures_executor::block_on;
/// use keystar_item::{Item, KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{ImportOptions, ImportWriter, ItemSink, Origin};
///
/// # let folder = tempfile::tempdir()?;
/// # let (out, work) = (folder.path().join("out"), folder.path().join("work"));
/// # let out = out.to_str().unwrap();
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
/// let mut sink = Box::new(ImportWriter::create(out, &work, ImportOptions::new(table))?);
///
/// let mut encoder = sink.encoder();
/// let mut item = Item::new();
/// item.push("key", "i:");
/// encoder.push(&item, Origin(0))?;
///
/// block_on(sink.write(encoder.take()))?;
/// let mark = block_on(sink.commit())?; // durable: save the mark
/// assert_eq!(mark.items(), 1);
/// let receipt = block_on(sink.finish(&[]))?;
/// assert_eq!(receipt.files[0].key, "data/part-00000.json.gz");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImportWriter {
    setup: Arc<Setup>,
    table: Arc<Table>,
    pool: Arc<Pool>,
    lanes: Vec<Lane>,
    spill: Spill,
    /// What is durable.
    mark: Mark,
    /// Text written since the last commit.
    open_bytes: u64,
    losses: BTreeMap<EncodeLoss, LossCount>,
    wants_commit: bool,
    failed: bool,
    /// A finish was under way when the run was killed.
    journal: Option<Journal>,
}

impl ImportWriter {
    /// Begins an output in a folder that has none: a path, or a URL (`file:///…`, `memory:///…`,
    /// with the feature `s3` also `s3://…`).
    ///
    /// # Errors
    ///
    /// [`Error::Occupied`] if there is an output already: [`resume`](Self::resume) it, or
    /// [`clear`](Self::clear) it first. Otherwise the options, or the system.
    pub fn create(
        to: impl Into<Place>,
        work: &Path,
        options: ImportOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let store = Store::open(to)?;
        if !store.list(DATA)?.is_empty() || store.get(MANIFEST)?.is_some() {
            return Err(Error::Occupied { place: store.place("") });
        }
        Self::start(store, work, options, Mark::default())
    }

    /// Goes on where the mark was made; what was written later is dropped. `Mark::default()` is
    /// the mark before the first commit.
    ///
    /// If the run was killed in [`finish`](ItemSink::finish), finish again: nothing else is
    /// possible then.
    ///
    /// # Errors
    ///
    /// [`Error::Resume`] if the mark, the options, the output or the work directory are of
    /// different runs.
    pub fn resume(
        to: impl Into<Place>,
        work: &Path,
        options: ImportOptions,
        mark: &Mark,
    ) -> Result<Self, Error> {
        options.check()?;
        let store = Store::open(to)?;
        let wrong = |reason| Err(Error::Resume { place: store.place(""), reason });
        if *mark != Mark::default() && mark.shape != options.shape() {
            return wrong("the options are not those of the mark");
        }
        if let Some(journal) = Journal::load(work)? {
            if journal.before != mark.files {
                return wrong("it was being finished when the mark was older; start over");
            }
            let spill = Spill::resume(work, &mark.spill.clone().unwrap_or_default())?;
            let mut writer = Self::new(store, work, options, mark.clone(), spill);
            writer.journal = Some(journal);
            return Ok(writer);
        }
        if store.get(MANIFEST)?.is_some() {
            return wrong("it is finished");
        }
        let mut found: BTreeMap<String, u64> = store.list(DATA)?.into_iter().collect();
        for file in &mark.files {
            if found.remove(&file.key) != Some(file.stored_bytes) {
                return wrong("a file of the mark is missing or has another size");
            }
        }
        for name in found.keys().filter(|name| is_part(name)) {
            store.remove(name)?;
        }
        Self::start(store, work, options, mark.clone())
    }

    /// Removes an output, finished or not, with the values beside it (see
    /// [`Offloads`](crate::Offloads)), and nothing else that may lie in the folder.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn clear(to: impl Into<Place>) -> Result<(), Error> {
        let store = Store::open(to)?;
        // First the manifest: what it promises is about to go.
        store.remove(MANIFEST)?;
        let parts = store.list(DATA)?.into_iter().filter(|(name, _)| is_part(name));
        let ours = store.list(STAGING)?.into_iter().chain(store.list(OFFLOAD)?);
        for (name, _) in ours.chain(parts) {
            store.remove(&name)?;
        }
        for folder in [STAGING, OFFLOAD, DATA] {
            store.remove_empty_folder(folder);
        }
        Ok(())
    }

    fn start(store: Store, work: &Path, options: ImportOptions, mark: Mark) -> Result<Self, Error> {
        for (name, _) in store.list(STAGING)? {
            store.remove(&name)?;
        }
        fs::create_dir_all(work).or_io("create", work.display().to_string())?;
        Journal::remove(work)?;
        remove_spools(work).or_io("clear", work.display().to_string())?;
        let spill = match &mark.spill {
            Some(spill) => Spill::resume(work, spill)?,
            None => Spill::create(work)?,
        };
        // An unwritable target is better told now than after the first piece of work.
        let probe = store.create(&format!("{STAGING}/probe"))?;
        drop(probe);
        Ok(Self::new(store, work, options, mark, spill))
    }

    fn new(
        store: Store,
        work: &Path,
        options: ImportOptions,
        mut mark: Mark,
        spill: Spill,
    ) -> Self {
        mark.shape = options.shape();
        let work: PathBuf = work.to_owned();
        Self {
            table: Arc::new(options.table.clone()),
            pool: Arc::new(Pool::new(options.lanes)),
            lanes: (0..options.lanes).map(|_| Lane::new()).collect(),
            setup: Arc::new(Setup { store, options, work }),
            spill,
            open_bytes: 0,
            losses: mark.losses.clone(),
            mark,
            wants_commit: false,
            failed: false,
            journal: None,
        }
    }

    /// Whatever fails, fails for good: what the lanes have is unknown then.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.failed {
            return Err(Error::Poisoned);
        }
        let result = step(self);
        self.failed = result.is_err();
        result
    }

    fn accept(&mut self, mut batch: Encoded) -> Result<(), Error> {
        if self.journal.is_some() {
            let place = self.setup.store.place("");
            return Err(Error::Resume { place, reason: "it was being finished" });
        }
        if batch.is_empty() {
            return Ok(());
        }
        if batch.lanes().len() != self.lanes.len() {
            return Err(Error::Options("the batch is of another sink's encoder"));
        }
        let mut items = vec![0; self.lanes.len()];
        for entry in batch.entries() {
            if let Some(items) = items.get_mut(entry.lane as usize) {
                *items += 1;
            }
        }
        let spread = self.open_bytes >= SPREAD_AFTER_BYTES;
        let lane_of = |number| if spread { number } else { 0 };
        self.note_items(&batch, &items, lane_of)?;
        for (loss, origin) in batch.losses() {
            let seen = self.losses.entry(loss).or_insert(LossCount { count: 0, first: origin });
            seen.count += 1;
        }
        for ((number, text), items) in batch.lanes_mut().iter_mut().enumerate().zip(items) {
            let Some(lane) = self.lanes.get_mut(lane_of(number)) else { continue };
            if items == 0 {
                continue;
            }
            self.open_bytes += text.len() as u64;
            lane.write(text, u64::from(items))?;
            if let Some(file) = lane.file() {
                self.wants_commit |= file.bytes >= self.setup.options.max_file_bytes
                    || file.items >= self.setup.options.max_file_items;
            }
        }
        self.pool.give(batch);
        Ok(())
    }

    /// Opens the files that are needed, and writes down where every item will be.
    fn note_items(
        &mut self,
        batch: &Encoded,
        items: &[u32],
        lane_of: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        // For each of the batch's lanes: the file, and the next item's place in it.
        let mut places = vec![(0, 0); self.lanes.len()];
        // Items of this batch that come before, where its lanes share a file.
        let mut before = vec![0; self.lanes.len()];
        for (number, (items, place)) in items.iter().zip(&mut places).enumerate() {
            let number = lane_of(number);
            let (Some(lane), Some(before)) = (self.lanes.get_mut(number), before.get_mut(number))
            else {
                continue;
            };
            if *items == 0 {
                continue;
            }
            let file = match lane.file() {
                Some(file) => file,
                None => {
                    lane.open(&self.setup, self.mark.next_file)?;
                    self.mark.next_file += 1;
                    lane.file().ok_or(Error::Poisoned)?
                }
            };
            *place = (file.number, file.items as u32 + *before);
            *before += items;
        }
        for entry in batch.entries() {
            let Some((file, next)) = places.get_mut(entry.lane as usize) else { continue };
            self.spill.push(Known {
                key_hash: entry.key_hash,
                origin: entry.origin,
                file: *file,
                index: *next,
            })?;
            *next += 1;
        }
        Ok(())
    }

    fn commit_all(&mut self) -> Result<Mark, Error> {
        if self.journal.is_some() {
            return Ok(self.mark.clone());
        }
        // All lanes first: they sync at the same time.
        self.lanes.iter_mut().try_for_each(Lane::complete)?;
        let mut files: Vec<ImportFile> = Vec::new();
        for lane in &mut self.lanes {
            files.extend(lane.completed()?);
        }
        files.sort_unstable_by(|a, b| (a.key.len(), &a.key).cmp(&(b.key.len(), &b.key)));
        self.mark.items += files.iter().map(|file| file.items).sum::<u64>();
        self.mark.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        self.mark.files.extend(files);
        self.mark.losses.clone_from(&self.losses);
        self.mark.spill = Some(self.spill.commit()?);
        self.open_bytes = 0;
        self.wants_commit = false;
        Ok(self.mark.clone())
    }

    fn finish_all(mut self, retract: &[Origin]) -> Result<Receipt, Error> {
        if self.failed {
            return Err(Error::Poisoned);
        }
        if let Some(journal) = self.journal.take() {
            return journal.apply(&self.setup);
        }
        self.commit_all()?;
        // Threads and compressors are no longer needed; what follows wants their memory.
        self.lanes.clear();
        let receipt = Receipt { losses: self.losses, ..Receipt::default() };
        let files = self.mark.files;
        removal::decide(&self.setup, files, &mut self.spill, retract, receipt)?.apply(&self.setup)
    }
}

impl ItemSink for ImportWriter {
    fn encoder(&self) -> Box<dyn ItemEncoder> {
        let format: &Format = &self.setup.options.format;
        Box::new(TextEncoder::new(Arc::clone(&self.table), format, Arc::clone(&self.pool)))
    }

    fn write(&mut self, batch: Encoded) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.guarded(|writer| writer.accept(batch)) })
    }

    fn wants_commit(&self) -> bool {
        self.wants_commit
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<Mark, Error>> {
        Box::pin(async move { self.guarded(Self::commit_all) })
    }

    fn finish(self: Box<Self>, retract: &[Origin]) -> BoxFuture<'static, Result<Receipt, Error>> {
        let retract = retract.to_vec();
        Box::pin(async move { self.finish_all(&retract) })
    }
}

fn is_part(name: &str) -> bool {
    name.strip_prefix(DATA).is_some_and(|name| name.starts_with("/part-"))
}

fn remove_spools(work: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SPOOL_EXTENSION) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
