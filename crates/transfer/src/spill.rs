//! Who every item is, on disk: the hash of its key, its record, its file and line.
//!
//! One file of blocks. An item's block is chosen by the top bits of its hash, so that items of the
//! same key are in the same partition, and each block names the block of its partition before it:
//! a partition is read backwards along that chain. One file rather than one for each partition,
//! because a commit then costs one sync and a mark needs one length.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{Error, Origin, error::OrIo};

/// Partitions, as bits of the hash. Each has a write buffer of [`BLOCK_BYTES`].
const PARTITION_BITS: u32 = 7;
const PARTITIONS: usize = 1 << PARTITION_BITS;
const ENTRY_BYTES: usize = 24;
const HEADER_BYTES: usize = 16;
const BLOCK_ENTRIES: usize = 682;
const BLOCK_BYTES: usize = HEADER_BYTES + BLOCK_ENTRIES * ENTRY_BYTES;
/// Most slots of the table that finds equal hashes: 16 MiB.
const MAX_SLOTS: usize = 1 << 21;
/// The name in the work directory.
const NAME: &str = "keys.spill";

/// One item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Known {
    pub(crate) key_hash: u64,
    pub(crate) origin: Origin,
    /// The number of the file.
    pub(crate) file: u32,
    /// The record in the file, from 0.
    pub(crate) index: u32,
}

/// Items whose hash another item has.
#[derive(Debug, Default)]
pub(crate) struct Collisions {
    /// Those that may be of several records.
    pub(crate) items: Vec<Known>,
    /// File and index of those that a later item of the same record has taken the place of.
    pub(crate) repeats: Vec<(u32, u32)>,
}

/// How much of the spill belongs to a commit.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub(crate) struct SpillMark {
    bytes: u64,
    /// For each partition: its last block (offset plus one; 0 for none) and its items.
    chains: Vec<(u64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Spill {
    path: PathBuf,
    file: File,
    bytes: u64,
    partitions: Vec<Partition>,
    /// Bits of the hash that are used up by the spills that this one came from.
    used_bits: u32,
    max_slots: usize,
}

#[derive(Debug, Default)]
struct Partition {
    last_block: u64,
    items: u64,
    buffer: Vec<u8>,
}

impl Spill {
    /// An empty spill; what an earlier run left is dropped.
    pub(crate) fn create(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).or_io("create", shown(folder))?;
        Self::create_file(folder.join(NAME), 0, MAX_SLOTS)
    }

    /// The spill as it was at the mark.
    pub(crate) fn resume(folder: &Path, mark: &SpillMark) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let wrong = |reason| Err(Error::Resume { place: shown(&path), reason });
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return wrong("the file is missing");
            }
            other => other.or_io("open", shown(&path))?,
        };
        let length = file.metadata().or_io("open", shown(&path))?.len();
        if length < mark.bytes || mark.chains.len() != PARTITIONS {
            return wrong("the file is not the one of the mark");
        }
        file.set_len(mark.bytes).or_io("write", shown(&path))?;
        let partitions = mark
            .chains
            .iter()
            .map(|(last_block, items)| Partition {
                last_block: *last_block,
                items: *items,
                buffer: Vec::new(),
            })
            .collect();
        Ok(Self { path, file, bytes: mark.bytes, partitions, used_bits: 0, max_slots: MAX_SLOTS })
    }

    fn create_file(path: PathBuf, used_bits: u32, max_slots: usize) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .or_io("create", shown(&path))?;
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Ok(Self { path, file, bytes: 0, partitions, used_bits, max_slots })
    }

    /// Notes an item.
    pub(crate) fn push(&mut self, item: Known) -> Result<(), Error> {
        let number = partition_of(item.key_hash, self.used_bits);
        let Some(partition) = self.partitions.get_mut(number) else { return Ok(()) };
        if partition.buffer.is_empty() {
            partition.buffer.reserve_exact(BLOCK_BYTES);
            partition.buffer.resize(HEADER_BYTES, 0);
        }
        let mut entry = [0; ENTRY_BYTES];
        entry[..8].copy_from_slice(&item.key_hash.to_le_bytes());
        entry[8..16].copy_from_slice(&item.origin.0.to_le_bytes());
        entry[16..20].copy_from_slice(&item.file.to_le_bytes());
        entry[20..].copy_from_slice(&item.index.to_le_bytes());
        partition.buffer.extend_from_slice(&entry);
        partition.items += 1;
        if partition.buffer.len() >= BLOCK_BYTES {
            self.flush(number)?;
        }
        Ok(())
    }

    /// Makes everything durable.
    pub(crate) fn commit(&mut self) -> Result<SpillMark, Error> {
        self.flush_all()?;
        self.file.sync_data().or_io("write", shown(&self.path))?;
        Ok(SpillMark {
            bytes: self.bytes,
            chains: self.partitions.iter().map(|p| (p.last_block, p.items)).collect(),
        })
    }

    /// Gives the write buffers back: nothing more will be pushed.
    fn flush_all(&mut self) -> Result<(), Error> {
        (0..PARTITIONS).try_for_each(|number| self.flush(number))
    }

    fn flush(&mut self, number: usize) -> Result<(), Error> {
        let Some(partition) = self.partitions.get_mut(number) else { return Ok(()) };
        if partition.buffer.len() <= HEADER_BYTES {
            return Ok(());
        }
        let entries = (partition.buffer.len() - HEADER_BYTES) / ENTRY_BYTES;
        let (before, rest) = partition.buffer.split_at_mut(8);
        before.copy_from_slice(&partition.last_block.to_le_bytes());
        rest[..4].copy_from_slice(&(entries as u32).to_le_bytes());
        rest[4..8].copy_from_slice(&(number as u32).to_le_bytes());
        // The offset is ours, not the file's: a failed write leaves no hole behind a retry.
        self.file
            .seek(SeekFrom::Start(self.bytes))
            .and_then(|_| self.file.write_all(&partition.buffer))
            .or_io("write", shown(&self.path))?;
        partition.last_block = self.bytes + 1;
        self.bytes += partition.buffer.len() as u64;
        partition.buffer.truncate(HEADER_BYTES);
        Ok(())
    }

    /// All items, in no order.
    pub(crate) fn for_each(
        &mut self,
        mut visit: impl FnMut(Known) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.flush_all()?;
        (0..PARTITIONS).try_for_each(|number| self.for_each_of(number, &mut visit))
    }

    /// Every item whose hash another item has too, in no order; an error if they are more than the
    /// limit. Reads each partition once if it has none.
    ///
    /// With `repeats`, items of one record are not among them if no other record has their hash:
    /// all but the last one are in [`Collisions::repeats`], in eight bytes each, because a scan that
    /// starts over reads everything again. That two items of one record have the same hash and
    /// different keys has a chance of one in 3 × 10⁷ where it has a million of them.
    pub(crate) fn collisions(&mut self, limit: usize, repeats: bool) -> Result<Collisions, Error> {
        self.flush_all()?;
        for partition in &mut self.partitions {
            partition.buffer = Vec::new();
        }
        let mut found = Collisions::default();
        self.collect_collisions((limit, repeats), &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    fn collect_collisions(
        &mut self,
        (limit, repeats): (usize, bool),
        slots: &mut Vec<u64>,
        found: &mut Collisions,
    ) -> Result<(), Error> {
        for number in 0..PARTITIONS {
            let items = self.partitions.get(number).map_or(0, |partition| partition.items);
            if items == 0 {
                continue;
            }
            // A third of the slots stays free, or probing gets slow.
            let wanted = (items as usize).saturating_mul(3) / 2;
            if wanted > self.max_slots && self.used_bits + PARTITION_BITS < 56 {
                let mut finer = self.split(number)?;
                let searched = finer.collect_collisions((limit, repeats), slots, found);
                let _ = fs::remove_file(&finer.path);
                searched?;
                continue;
            }
            let twice = self.hashes_seen_twice(number, wanted.min(self.max_slots), slots)?;
            if twice.is_empty() {
                continue;
            }
            let (items, places) = (&mut found.items, &mut found.repeats);
            let mut take = |item| {
                if items.len() >= limit {
                    return Err(Error::TooManyDuplicates { limit: limit / 2 });
                }
                items.push(item);
                Ok(())
            };
            if !repeats {
                self.for_each_of(number, &mut |item| {
                    if twice.contains(&item.key_hash) { take(item) } else { Ok(()) }
                })?;
                continue;
            }
            let mut same: Vec<Known> = Vec::new();
            self.for_each_of(number, &mut |item| {
                if twice.contains(&item.key_hash) {
                    same.push(item);
                }
                Ok(())
            })?;
            same.sort_unstable_by_key(|item| (item.key_hash, item.file, item.index));
            for group in same.chunk_by(|a, b| a.key_hash == b.key_hash) {
                if group.windows(2).all(|pair| pair[0].origin == pair[1].origin) {
                    let earlier = group.split_last().map_or(&[][..], |(_, earlier)| earlier);
                    places.extend(earlier.iter().map(|item| (item.file, item.index)));
                } else {
                    group.iter().copied().try_for_each(&mut take)?;
                }
            }
        }
        Ok(())
    }

    /// Copies a partition that is too large for the table into a spill of its own.
    fn split(&mut self, number: usize) -> Result<Self, Error> {
        let used_bits = self.used_bits + PARTITION_BITS;
        let path = self.path.with_extension(format!("{used_bits}"));
        let mut finer = Self::create_file(path, used_bits, self.max_slots)?;
        let copied = self.for_each_of(number, &mut |item| finer.push(item));
        let copied = copied.and_then(|()| finer.flush_all());
        if let Err(error) = copied {
            let _ = fs::remove_file(&finer.path);
            return Err(error);
        }
        for partition in &mut finer.partitions {
            partition.buffer = Vec::new();
        }
        Ok(finer)
    }

    /// A hash table without values, in one allocation that all partitions share.
    fn hashes_seen_twice(
        &mut self,
        number: usize,
        wanted: usize,
        slots: &mut Vec<u64>,
    ) -> Result<HashSet<u64>, Error> {
        let mut twice = HashSet::new();
        let bits = wanted.max(16).next_power_of_two().ilog2();
        slots.clear();
        slots.resize(1 << bits, 0);
        let mask = slots.len() - 1;
        let skip = self.used_bits + PARTITION_BITS;
        let (mut zero_seen, mut free) = (false, slots.len() - 1);
        self.for_each_of(number, &mut |item| {
            let hash = item.key_hash;
            if hash == 0 {
                // 0 marks a free slot.
                if std::mem::replace(&mut zero_seen, true) {
                    twice.insert(0);
                }
                return Ok(());
            }
            let mut place = ((hash << skip) >> (64 - bits)) as usize;
            while let Some(slot) = slots.get_mut(place) {
                if *slot == hash {
                    twice.insert(hash);
                    return Ok(());
                }
                if *slot == 0 {
                    if free == 0 {
                        // Only hashes that agree in 56 bits get here.
                        return Err(Error::TooManyDuplicates { limit: mask });
                    }
                    free -= 1;
                    *slot = hash;
                    return Ok(());
                }
                place = (place + 1) & mask;
            }
            Ok(())
        })?;
        Ok(twice)
    }

    fn for_each_of(
        &mut self,
        number: usize,
        visit: &mut dyn FnMut(Known) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(partition) = self.partitions.get(number) else { return Ok(()) };
        let (mut next, mut left) = (partition.last_block, partition.items);
        let mut block = vec![0; BLOCK_BYTES];
        let damaged =
            || Error::Damaged { file: shown(&self.path), reason: "a block is not in its chain" };
        while let Some(offset) = next.checked_sub(1) {
            let length = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
            let block = block.get_mut(..length.min(BLOCK_BYTES)).unwrap_or_default();
            self.file
                .seek(SeekFrom::Start(offset))
                .and_then(|_| self.file.read_exact(block))
                .or_io("read", shown(&self.path))?;
            let (header, entries) = block.split_at_checked(HEADER_BYTES).ok_or_else(damaged)?;
            let count = u64::from(u32_at(header, 8));
            let before = u64_at(header, 0);
            if before > offset || count > left || u32_at(header, 12) as usize != number {
                return Err(damaged());
            }
            let entries = entries.get(..count as usize * ENTRY_BYTES).ok_or_else(damaged)?;
            for entry in entries.chunks_exact(ENTRY_BYTES) {
                visit(Known {
                    key_hash: u64_at(entry, 0),
                    origin: Origin(u64_at(entry, 8)),
                    file: u32_at(entry, 16),
                    index: u32_at(entry, 20),
                })?;
            }
            left -= count;
            next = before;
        }
        if left == 0 { Ok(()) } else { Err(damaged()) }
    }
}

fn partition_of(hash: u64, used_bits: u32) -> usize {
    ((hash << used_bits) >> (64 - PARTITION_BITS)) as usize
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key_hash: u64, origin: u64) -> Known {
        Known { key_hash, origin: Origin(origin), file: origin as u32 % 7, index: origin as u32 }
    }

    /// Well spread, as hashes are.
    fn hash(n: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes())
    }

    fn origins(mut found: Vec<Known>) -> Vec<u64> {
        found.sort_by_key(|item| item.origin);
        found.iter().map(|item| item.origin.0).collect()
    }

    #[test]
    fn equal_hashes_are_found_in_any_partition_and_any_block() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        for n in 0..200_000 {
            spill.push(known(hash(n), n)).unwrap();
        }
        for (n, origin) in [(0, 900_000), (77, 900_001), (77, 900_002), (199_999, 900_003)] {
            spill.push(known(hash(n), origin)).unwrap();
        }
        spill.push(known(0, 1_000_000)).unwrap();
        spill.push(known(0, 1_000_001)).unwrap();
        spill.push(known(u64::MAX, 1_000_002)).unwrap();
        let found = spill.collisions(100, false).unwrap().items;
        assert_eq!(
            origins(found),
            [0, 77, 199_999, 900_000, 900_001, 900_002, 900_003, 1_000_000, 1_000_001]
        );
        let error = spill.collisions(8, false).unwrap_err();
        assert_eq!(error.to_string(), "more than 4 items have a key that another item has");
        let mut seen = 0;
        spill
            .for_each(|_| {
                seen += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, 200_007);
    }

    #[test]
    fn what_one_record_repeats_costs_little() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        spill.max_slots = 64;
        let at =
            |n, origin, index| Known { key_hash: hash(n), origin: Origin(origin), file: 1, index };
        for reading in 0..3 {
            for n in 0..10_000 {
                spill.push(at(n, n, reading * 10_000 + n as u32)).unwrap();
            }
        }
        // Another record has the key of record 7.
        spill.push(at(7, 20_000, 90_000)).unwrap();
        let mut found = spill.collisions(4, true).unwrap();
        assert_eq!(origins(found.items), [7, 7, 7, 20_000]);
        found.repeats.sort_unstable();
        let earlier = (0..20_000).filter(|index| index % 10_000 != 7).map(|index| (1, index));
        assert!(found.repeats.into_iter().eq(earlier));
    }

    #[test]
    fn a_partition_too_large_for_the_table_is_split() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        spill.max_slots = 64;
        for n in 0..50_000 {
            spill.push(known(hash(n), n)).unwrap();
        }
        for n in 50_000..50_100 {
            spill.push(known(hash(5), n)).unwrap();
        }
        spill.push(known(hash(7) ^ 1, 60_000)).unwrap();
        let found = origins(spill.collisions(1000, false).unwrap().items);
        assert_eq!(found.len(), 101);
        assert_eq!(found[..2], [5, 50_000]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "split files are removed");
    }

    #[test]
    fn resuming_drops_what_came_after_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        for n in 0..10_000 {
            spill.push(known(hash(n), n)).unwrap();
        }
        let mark = spill.commit().unwrap();
        for n in 0..100_000 {
            spill.push(known(hash(n), 20_000 + n)).unwrap();
        }
        drop(spill);
        let mut spill = Spill::resume(folder.path(), &mark).unwrap();
        assert_eq!(spill.collisions(10, false).unwrap().items, []);
        spill.push(known(hash(9_999), 10_000)).unwrap();
        assert_eq!(origins(spill.collisions(10, false).unwrap().items), [9_999, 10_000]);

        let later = SpillMark { bytes: 1 << 40, ..mark };
        let error = Spill::resume(folder.path(), &later).unwrap_err();
        assert!(matches!(error, Error::Resume { .. }), "{error}");
    }

    #[test]
    fn a_damaged_spill_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        for n in 0..10_000 {
            spill.push(known(hash(n), n)).unwrap();
        }
        spill.commit().unwrap();
        let path = folder.path().join(NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] ^= 0xFF;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(spill.collisions(10, false), Err(Error::Damaged { .. })));
    }
}
