//! A lane: a thread that turns the text of one open file after another into stored bytes.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, Write},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

use crate::{
    Compression, CsvOptions, Error, Format, ImportFile, ImportOptions, csv::Columns, error::OrIo,
    file::FileWriter, store::Store,
};

/// Text is gathered to pieces of this size: waking a thread costs as much as compressing a few
/// kilobytes. The pieces do not depend on timing, because a compressor's output may depend on them.
const PIECE_BYTES: usize = 128 << 10;
/// Text of this size is a piece of its own: copying it would cost more than one more wake-up.
const WHOLE_PIECE_BYTES: usize = 32 << 10;
/// Pieces that may wait for a lane that is behind.
const QUEUE: usize = 2;

/// What every lane writes with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) store: Store,
    pub(crate) options: ImportOptions,
    /// Where rows wait for their header.
    pub(crate) work: PathBuf,
}

/// The near end of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    open: Option<OpenFile>,
    pending: Vec<u8>,
    thread: Option<Thread>,
}

/// The file that a lane is writing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenFile {
    pub(crate) number: u32,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Thread {
    orders: Option<SyncSender<Order>>,
    spent: Receiver<Vec<u8>>,
    completed: Receiver<Result<ImportFile, Error>>,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Open(String),
    Text(Vec<u8>),
    Complete { items: u64 },
}

impl Lane {
    /// The thread starts with the first file.
    pub(crate) fn new() -> Self {
        Self { open: None, pending: Vec::new(), thread: None }
    }

    pub(crate) fn file(&self) -> Option<OpenFile> {
        self.open
    }

    pub(crate) fn open(&mut self, setup: &Arc<Setup>, number: u32) -> Result<(), Error> {
        if self.thread.is_none() {
            self.thread = Some(Thread::start(Arc::clone(setup))?);
        }
        self.open = Some(OpenFile { number, items: 0, bytes: 0 });
        self.order(Order::Open(part_name(&setup.options, number)))
    }

    /// Appends text of that many items to the open file. The buffer comes back empty, if not the
    /// same.
    pub(crate) fn write(&mut self, text: &mut Vec<u8>, items: u64) -> Result<(), Error> {
        if let Some(file) = &mut self.open {
            file.items += items;
            file.bytes += text.len() as u64;
        }
        if self.pending.is_empty() && text.len() >= WHOLE_PIECE_BYTES {
            std::mem::swap(&mut self.pending, text);
            return self.send_pending();
        }
        self.pending.extend_from_slice(text);
        text.clear();
        if self.pending.len() >= PIECE_BYTES { self.send_pending() } else { Ok(()) }
    }

    /// Asks for the open file to be completed; [`completed`](Self::completed) waits for it.
    pub(crate) fn complete(&mut self) -> Result<(), Error> {
        let Some(file) = self.open else { return Ok(()) };
        if !self.pending.is_empty() {
            self.send_pending()?;
        }
        self.order(Order::Complete { items: file.items })
    }

    pub(crate) fn completed(&mut self) -> Result<Option<ImportFile>, Error> {
        match (self.open.take(), &self.thread) {
            (Some(_), Some(thread)) => {
                thread.completed.recv().map_err(|_| Error::Poisoned)?.map(Some)
            }
            _ => Ok(None),
        }
    }

    fn send_pending(&mut self) -> Result<(), Error> {
        let spare = self.thread.as_ref().and_then(|thread| thread.spent.try_recv().ok());
        let text = std::mem::replace(&mut self.pending, spare.unwrap_or_default());
        self.order(Order::Text(text))
    }

    /// Waits for a free place in the queue; if the thread is gone, says why it went.
    fn order(&mut self, order: Order) -> Result<(), Error> {
        let Some(thread) = &self.thread else { return Err(Error::Poisoned) };
        let sent = thread.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent {
            return Ok(());
        }
        match thread.completed.recv() {
            Ok(Err(error)) => Err(error),
            _ => Err(Error::Poisoned),
        }
    }
}

impl Thread {
    fn start(setup: Arc<Setup>) -> Result<Self, Error> {
        let (orders, incoming) = sync_channel(QUEUE);
        let (give_back, spent) = channel();
        let (report, completed) = channel();
        let place = setup.store.place("");
        let handle = thread::Builder::new()
            .name("import-file".to_owned())
            .spawn(move || {
                if let Err(error) = run(&setup, &incoming, &give_back, &report) {
                    // Nobody asks any more if the writer is gone.
                    let _ = report.send(Err(error));
                }
            })
            .or_io("start a thread for", place)?;
        Ok(Self { orders: Some(orders), spent, completed, handle: Some(handle) })
    }
}

impl Drop for Thread {
    /// A file that was not completed is gone when this returns.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn run(
    setup: &Setup,
    orders: &Receiver<Order>,
    give_back: &Sender<Vec<u8>>,
    report: &Sender<Result<ImportFile, Error>>,
) -> Result<(), Error> {
    let mut file: Option<Body> = None;
    for order in orders {
        match (order, &mut file) {
            (Order::Open(name), _) => file = Some(Body::open(setup, &name)?),
            (Order::Text(mut text), Some(file)) => {
                file.write(&text)?;
                text.clear();
                let _ = give_back.send(text);
            }
            (Order::Complete { items }, _) => {
                let Some(file) = file.take() else { return Err(Error::Poisoned) };
                let _ = report.send(Ok(file.complete(setup, items)?));
            }
            (Order::Text(_), None) => return Err(Error::Poisoned),
        }
    }
    Ok(())
}

/// What text goes through before it is a file's.
#[derive(Debug)]
enum Body {
    /// Nothing.
    Lines(FileWriter),
    /// From cells to rows, of columns that are known.
    Rows { file: FileWriter, columns: Columns, rows: Vec<u8> },
    /// From cells to rows, once all the file's columns are known.
    Waiting { name: String, columns: Columns, spool: Spool },
}

impl Body {
    fn open(setup: &Setup, name: &str) -> Result<Self, Error> {
        let options = &setup.options;
        let create = || FileWriter::create(&setup.store, name, options.compression);
        match &options.format {
            Format::Csv(csv @ CsvOptions { columns: Some(_), .. }) => {
                let mut file = create()?;
                let columns = Columns::new(&options.table, csv);
                let mut rows = Vec::new();
                columns.write_header(&mut rows);
                file.write(&rows)?;
                Ok(Self::Rows { file, columns, rows })
            }
            Format::Csv(csv) => Ok(Self::Waiting {
                name: name.to_owned(),
                columns: Columns::new(&options.table, csv),
                spool: Spool::create(setup.work.join(spool_name(name)))?,
            }),
            _ => create().map(Self::Lines),
        }
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        match self {
            Self::Lines(file) => file.write(text),
            Self::Rows { file, columns, rows } => {
                rows.clear();
                columns.write_rows(text, rows);
                file.write(rows)
            }
            Self::Waiting { columns, spool, .. } => {
                columns.learn(text)?;
                spool.file.write_all(text).or_io("write", spool.place())
            }
        }
    }

    fn complete(self, setup: &Setup, items: u64) -> Result<ImportFile, Error> {
        match self {
            Self::Lines(file) | Self::Rows { file, .. } => file.complete(items),
            Self::Waiting { name, columns, spool } => {
                let compression = setup.options.compression;
                let mut file = FileWriter::create(&setup.store, &name, compression)?;
                spool.write_rows(columns, &mut file)?;
                file.complete(items)
            }
        }
    }
}

/// A file of cells in the work directory; gone when dropped.
#[derive(Debug)]
struct Spool {
    path: PathBuf,
    file: File,
}

impl Spool {
    fn create(path: PathBuf) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .or_io("create", shown)?;
        Ok(Self { path, file })
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn write_rows(mut self, mut columns: Columns, file: &mut FileWriter) -> Result<(), Error> {
        let place = self.place();
        let mut text = Vec::new();
        columns.write_header(&mut text);
        self.file.rewind().or_io("read", &*place)?;
        let mut cells = BufReader::with_capacity(PIECE_BYTES, &self.file);
        let mut item = Vec::new();
        loop {
            let mut length = [0; 4];
            let read = cells.read(&mut length).or_io("read", &*place)?;
            if read == 0 {
                break;
            }
            let tail = length.get_mut(read..).unwrap_or_default();
            cells.read_exact(tail).or_io("read", &*place)?;
            let length = u64::from(u32::from_le_bytes(length));
            item.clear();
            cells.by_ref().take(length).read_to_end(&mut item).or_io("read", &*place)?;
            columns.write_row(&item, &mut text);
            if text.len() >= PIECE_BYTES {
                file.write(&text)?;
                text.clear();
            }
        }
        file.write(&text)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What stays is removed when the run is resumed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Rows that wait for their header.
pub(crate) const SPOOL_EXTENSION: &str = "cells";

fn spool_name(name: &str) -> String {
    format!("{}.{SPOOL_EXTENSION}", name.replace('/', "-"))
}

/// The name of an import file.
pub(crate) fn part_name(options: &ImportOptions, number: u32) -> String {
    let compression: Compression = options.compression;
    format!(
        "{}/part-{number:05}{}{}",
        crate::manifest::DATA,
        options.format.extension(),
        compression.extension()
    )
}
