//! Puts more records into order than memory holds.
//!
//! Records collect in memory; when they fill it, they are sorted and go to disk as one run. At the
//! end the runs are merged. Nothing is estimated beforehand and no single key can be too big, which
//! is why this is a sort and not a set of partitions.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::Error;

/// Runs that are merged at once: each costs a file handle and a read buffer.
const FAN_IN: usize = 64;
/// A record's length, before the record.
const LENGTH_BYTES: usize = 4;
const READ_BYTES: usize = 128 << 10;
const WRITE_BYTES: usize = 256 << 10;

/// Records with a key of `K` bytes, in no order yet.
#[derive(Debug)]
pub(crate) struct Spool<const K: usize> {
    folder: PathBuf,
    max_bytes: usize,
    buffer: Vec<u8>,
    index: Vec<Place>,
    /// Runs on disk; those at `levels[n]` hold what `FAN_IN^n` buffers held.
    levels: Vec<Vec<File>>,
}

/// Where a record lies in the buffer. The first bytes of its key decide most comparisons, and the
/// place decides the last ones: records of one key stay in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    prefix: u64,
    start: u32,
}

impl<const K: usize> Spool<K> {
    /// Holds up to `max_bytes` in memory, and the rest in nameless files in the folder: whatever
    /// becomes of this process, they are gone afterwards.
    pub(crate) fn new(folder: &Path, max_bytes: usize) -> Self {
        let max_bytes = max_bytes.clamp(1 << 10, 1 << 31);
        let (buffer, index) = (Vec::new(), Vec::new());
        Self { folder: folder.to_owned(), max_bytes, buffer, index, levels: Vec::new() }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, key: &[u8; K], payload: &[u8]) -> Result<(), Error> {
        let held = self.buffer.len() + self.index.len() * size_of::<Place>();
        let more = LENGTH_BYTES + K + payload.len() + size_of::<Place>();
        if held + more > self.max_bytes && !self.index.is_empty() {
            self.spill()?;
        }
        let start = self.buffer.len() as u32;
        let length = u32::try_from(payload.len()).map_err(|_| self.failed(too_long()))?;
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(key);
        self.buffer.extend_from_slice(payload);
        self.index.push(Place { prefix: prefix(key), start });
        Ok(())
    }

    /// Ends the collecting and begins the reading.
    pub(crate) fn sorted(mut self) -> Result<Sorted<K>, Error> {
        if self.levels.is_empty() {
            self.sort();
            let Self { folder, buffer, index, .. } = self;
            let records = Records::Memory { buffer, index: index.into_iter() };
            return Ok(Sorted { folder, records });
        }
        if !self.index.is_empty() {
            self.spill()?;
        }
        self.buffer = Vec::new();
        self.index = Vec::new();
        // Older runs are on higher levels, and lower levels stand after them.
        let mut runs: Vec<File> =
            std::mem::take(&mut self.levels).into_iter().rev().flatten().collect();
        while runs.len() > FAN_IN {
            let tail = runs.split_off(runs.len() - FAN_IN);
            runs.push(self.merged(tail)?);
        }
        let merge = Merge::of(runs).map_err(|source| self.failed(source))?;
        Ok(Sorted { folder: self.folder, records: Records::Disk(merge) })
    }

    fn sort(&mut self) {
        let buffer = &self.buffer;
        let key = |place: &Place| key_at::<K>(buffer, place.start);
        self.index.sort_unstable_by(|a, b| {
            a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b))).then(a.start.cmp(&b.start))
        });
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.sort();
        let run = self.write_run().map_err(|source| self.failed(source))?;
        self.buffer.clear();
        self.index.clear();
        self.keep(run, 0)
    }

    /// Adds a run; a full level becomes one run of the next.
    fn keep(&mut self, run: File, level: usize) -> Result<(), Error> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let Some(runs) = self.levels.get_mut(level) else { return Ok(()) };
        runs.push(run);
        if runs.len() < FAN_IN {
            return Ok(());
        }
        let runs = std::mem::take(runs);
        let merged = self.merged(runs)?;
        self.keep(merged, level + 1)
    }

    fn write_run(&self) -> io::Result<File> {
        let mut run = BufWriter::with_capacity(WRITE_BYTES, tempfile::tempfile_in(&self.folder)?);
        for place in &self.index {
            run.write_all(record_at::<K>(&self.buffer, place.start))?;
        }
        Ok(run.into_inner()?)
    }

    fn merged(&self, runs: Vec<File>) -> Result<File, Error> {
        let merge = || -> io::Result<File> {
            let mut merge = Merge::<K>::of(runs)?;
            let file = tempfile::tempfile_in(&self.folder)?;
            let mut run = BufWriter::with_capacity(WRITE_BYTES, file);
            while let Some((key, payload)) = merge.next()? {
                run.write_all(&(payload.len() as u32).to_le_bytes())?;
                run.write_all(key)?;
                run.write_all(payload)?;
            }
            Ok(run.into_inner()?)
        };
        merge().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::work(&self.folder, source)
    }
}

/// A record's key and payload.
pub(crate) type Spooled<'s, const K: usize> = (&'s [u8; K], &'s [u8]);

/// The records of a [`Spool`] by ascending keys; those of one key in the order in which they came.
#[derive(Debug)]
pub(crate) struct Sorted<const K: usize> {
    folder: PathBuf,
    records: Records<K>,
}

#[derive(Debug)]
enum Records<const K: usize> {
    /// Everything fitted: the disk was never touched.
    Memory {
        buffer: Vec<u8>,
        index: std::vec::IntoIter<Place>,
    },
    Disk(Merge<K>),
}

impl<const K: usize> Sorted<K> {
    /// The next record.
    pub(crate) fn next(&mut self) -> Result<Option<Spooled<'_, K>>, Error> {
        match &mut self.records {
            Records::Memory { buffer, index } => {
                let Some(place) = index.next() else { return Ok(None) };
                let record = record_at::<K>(buffer, place.start);
                let payload = record.get(LENGTH_BYTES + K..).unwrap_or_default();
                Ok(Some((key_at(buffer, place.start), payload)))
            }
            Records::Disk(merge) => {
                merge.next().map_err(|source| Error::work(&self.folder, source))
            }
        }
    }
}

/// Runs that are read side by side.
#[derive(Debug)]
struct Merge<const K: usize> {
    runs: Vec<Run<K>>,
    /// The key that each run is at, the smallest on top; of equal ones the oldest run's.
    heads: BinaryHeap<Reverse<([u8; K], usize)>>,
    /// The run whose record was given last.
    given: Option<usize>,
}

impl<const K: usize> Merge<K> {
    fn of(files: Vec<File>) -> io::Result<Self> {
        let runs = files.into_iter().map(Run::open).collect::<io::Result<Vec<_>>>()?;
        let mut merge = Self { runs, heads: BinaryHeap::new(), given: None };
        for at in 0..merge.runs.len() {
            merge.advance(at)?;
        }
        Ok(merge)
    }

    fn next(&mut self) -> io::Result<Option<Spooled<'_, K>>> {
        if let Some(given) = self.given.take() {
            self.advance(given)?;
        }
        let Some(Reverse((_, at))) = self.heads.pop() else { return Ok(None) };
        self.given = Some(at);
        Ok(self.runs.get(at).map(|run| (&run.key, run.payload.as_slice())))
    }

    fn advance(&mut self, at: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(at) else { return Ok(()) };
        if run.read()? {
            self.heads.push(Reverse((run.key, at)));
        }
        Ok(())
    }
}

/// A run on disk and the record that it is at.
#[derive(Debug)]
struct Run<const K: usize> {
    file: BufReader<File>,
    key: [u8; K],
    payload: Vec<u8>,
}

impl<const K: usize> Run<K> {
    fn open(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let file = BufReader::with_capacity(READ_BYTES, file);
        Ok(Self { file, key: [0; K], payload: Vec::new() })
    }

    fn read(&mut self) -> io::Result<bool> {
        let mut length = [0; LENGTH_BYTES];
        match self.file.read_exact(&mut length) {
            Ok(()) => {}
            // The file is ours and whole: it ends between records.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        self.file.read_exact(&mut self.key)?;
        self.payload.resize(u32::from_le_bytes(length) as usize, 0);
        self.file.read_exact(&mut self.payload)?;
        Ok(true)
    }
}

fn prefix(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

fn key_at<const K: usize>(buffer: &[u8], start: u32) -> &[u8; K] {
    let key = buffer.get(start as usize + LENGTH_BYTES..).and_then(<[u8]>::first_chunk);
    // The place is that of a record that was written whole.
    key.unwrap_or(&[0; K])
}

fn record_at<const K: usize>(buffer: &[u8], start: u32) -> &[u8] {
    let record = buffer.get(start as usize..).unwrap_or_default();
    let length = record.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    record.get(..LENGTH_BYTES + K + length as usize).unwrap_or_default()
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a record of more than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `count` records in a scrambled order and returns them as they come out.
    fn sorted(count: u64, max_bytes: usize) -> Vec<(u64, String)> {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::<12>::new(folder.path(), max_bytes);
        for n in 0..count {
            let number = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count;
            let mut key = [0; 12];
            key[4..].copy_from_slice(&(number / 3).to_be_bytes());
            spool.push(&key, format!("{number}.{n}").as_bytes()).unwrap();
        }
        let mut sorted = spool.sorted().unwrap();
        let mut all = Vec::new();
        while let Some((key, payload)) = sorted.next().unwrap() {
            let number = u64::from_be_bytes(key[4..].try_into().unwrap());
            all.push((number, String::from_utf8(payload.to_vec()).unwrap()));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file has a name");
        all
    }

    #[test]
    fn memory_disk_and_many_levels_of_disk_give_the_same_order() {
        let whole = sorted(150_000, 64 << 20);
        assert_eq!(whole.len(), 150_000);
        assert!(whole.is_sorted_by_key(|(key, _)| *key));
        assert_eq!(sorted(150_000, 256 << 10), whole, "one level of runs");
        assert_eq!(sorted(150_000, 1 << 10), whole, "runs of runs");
        assert_eq!(sorted(0, 1 << 10), []);
    }

    #[test]
    fn records_of_one_key_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::<2>::new(folder.path(), 1 << 10);
        for n in 0..10_000_u32 {
            spool.push(&[0, (n % 2) as u8], &n.to_le_bytes()).unwrap();
        }
        let mut sorted = spool.sorted().unwrap();
        for key in 0..2_u32 {
            for n in 0..5000 {
                let (found, payload) = sorted.next().unwrap().unwrap();
                assert_eq!((found, payload), (&[0, key as u8], &(2 * n + key).to_le_bytes()[..]));
            }
        }
        assert!(sorted.next().unwrap().is_none());
    }

    #[test]
    fn a_record_bigger_than_the_memory_passes() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::<1>::new(folder.path(), 1 << 10);
        let big = vec![7; 100_000];
        for key in [2, 1, 3] {
            spool.push(&[key], &big).unwrap();
        }
        let mut sorted = spool.sorted().unwrap();
        for key in 1..=3 {
            assert_eq!(sorted.next().unwrap().unwrap(), (&[key], big.as_slice()));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let mut spool = Spool::<1>::new(&missing, 1 << 10);
        let error = (0..1000).find_map(|_| spool.push(&[1], &[0; 64]).err()).unwrap();
        assert_eq!(error.to_string(), format!("cannot use {}", missing.display()));
    }
}
