//! Reads an export on all cores: groups of files, one thread a group at a time.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use keystar_transfer::{Block, Export};

use super::{Error, Job};

/// So many groups at most: a group becomes a file of the lake for each entity.
const GROUPS: usize = 16;

/// Groups of an export's files by number, the same on every machine: each file by itself while
/// there are few, else neighbours of about the same size together.
pub(super) fn groups(sizes: &[u64]) -> Vec<Vec<usize>> {
    if sizes.len() <= GROUPS {
        return (0..sizes.len()).map(|file| vec![file]).collect();
    }
    let total: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
    let mut groups = vec![Vec::new(); GROUPS];
    let mut before = 0_u128;
    for (file, size) in sizes.iter().enumerate() {
        // The group in whose share the file's middle lies.
        let middle = before + u128::from(*size) / 2;
        let group = (middle * GROUPS as u128).checked_div(total).unwrap_or(0) as usize;
        if let Some(group) = groups.get_mut(group.min(GROUPS - 1)) {
            group.push(file);
        }
        before += u128::from(*size);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Reads all groups: `begin` for each, `push` for each of its blocks, `end` for what it came to.
/// The results are in the order of the groups. The first failure stops all.
pub(super) fn read<T, R: Send>(
    export: &Export,
    job: &Job<'_>,
    begin: impl Fn(u32) -> Result<T, Error> + Sync,
    push: impl Fn(&mut T, &Block) -> Result<(), Error> + Sync,
    end: impl Fn(T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let sizes: Vec<u64> = export.files().iter().map(|file| file.stored_bytes).collect();
    let groups = groups(&sizes);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(groups.len()));
    let (interrupt, progress) = (job.interrupt, job.progress);
    let work = || -> Result<(), Error> {
        let mut block = Block::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(group) = groups.get(number) else { return Ok(()) };
            let mut task = begin(number as u32)?;
            for file in group {
                let mut blocks = export.read(*file).map_err(Error::Export)?;
                let (mut bytes, mut items) = (0, 0);
                while blocks.next_block(&mut block).map_err(Error::Export)? {
                    if failed.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    if interrupt.is_set() {
                        return Err(Error::Interrupted);
                    }
                    push(&mut task, &block)?;
                    let (read, seen) = (blocks.stored_bytes_read(), blocks.items_read());
                    progress.add(read - bytes, seen - items);
                    (bytes, items) = (read, seen);
                }
            }
            let result = end(task)?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    let work = || {
        let result = work();
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    };
    thread::scope(|scope| {
        let threads = job.jobs.get().min(groups.len().max(1));
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // All of them have ended before the first failure is told.
        ended.collect::<Vec<_>>().into_iter().collect::<Result<(), Error>>()
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_grouped_the_same_way_everywhere() {
        assert_eq!(groups(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(groups(&[7, 0, 9]), [[0], [1], [2]]);
        // A table of a thousand partitions, most of them empty.
        let mut sizes = vec![20; 1000];
        sizes[500] = 1_000_000;
        let many = groups(&sizes);
        assert!(many.len() <= GROUPS);
        assert_eq!(many.concat(), (0..1000).collect::<Vec<_>>(), "all, in their order");
        let even = groups(&[10; 64]);
        assert_eq!((even.len(), even[0].len(), even[15].len()), (16, 4, 4));
    }
}
