//! The belt that every job runs on: one thread fills batches, many work on them, and the caller
//! takes the results in the order of the source.
//!
//! Batches are recycled: there are only so many of them, so memory is bounded whichever side is
//! slow, and nothing is allocated once the belt runs.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use futures_executor::block_on;
use keystar_extract::{Batch, Source};

use crate::Error;

/// Batches in flight for each worker: one at work, one waiting, one being taken.
const BATCHES_PER_WORKER: usize = 3;

/// What a job does with a batch, on any thread.
pub(crate) trait Work: Sync {
    /// What one worker keeps from batch to batch.
    type Bench: Send;
    /// What comes of a batch.
    type Output: Send;

    fn bench(&self) -> Self::Bench;
    fn work(&self, bench: &mut Self::Bench, batch: &Batch) -> Self::Output;
}

/// Whether the source had more to give when the belt stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Complete,
    Interrupted,
}

/// Set from a signal handler or another thread: the run stops at the next batch, resumable.
#[derive(Debug, Default)]
pub struct Interrupt(AtomicBool);

impl Interrupt {
    /// Not interrupted yet.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Asks the run to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run was asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Done<O> {
    sequence: u64,
    batch: Batch,
    /// A worker's panic travels as a value: the caller must not wait for a batch that is lost.
    output: thread::Result<O>,
}

/// Runs every batch of the source through `work`; `take` sees the outputs in source order.
pub(crate) fn convey<W: Work>(
    source: &mut dyn Source,
    jobs: NonZeroUsize,
    interrupt: &Interrupt,
    work: &W,
    mut take: impl FnMut(W::Output, &Batch) -> Result<(), Error>,
) -> Result<Ended, Error> {
    let workers = jobs.get();
    let batches = workers * BATCHES_PER_WORKER + 1;
    let (give_empty, empties) = sync_channel(batches);
    let (give_full, fulls) = sync_channel(batches);
    let (give_done, dones) = sync_channel(batches);
    for _ in 0..batches {
        // The channel holds exactly this many, so it can neither be full nor closed.
        let _ = give_empty.send(Batch::new());
    }
    let fulls = Mutex::new(fulls);
    thread::scope(|scope| {
        let filler = scope.spawn(move || fill(source, interrupt, &empties, &give_full));
        for _ in 0..workers {
            let (fulls, give_done) = (&fulls, give_done.clone());
            scope.spawn(move || labour(work, fulls, &give_done));
        }
        drop(give_done);
        let taken = deliver(dones, &give_empty, &mut take);
        // Without empty batches the filler stops, without full ones the workers do.
        drop(give_empty);
        let filled = match filler.join() {
            Ok(filled) => filled,
            Err(panic) => resume_unwind(panic),
        };
        taken.and(filled)
    })
}

fn fill(
    source: &mut dyn Source,
    interrupt: &Interrupt,
    empties: &Receiver<Batch>,
    fulls: &SyncSender<(u64, Batch)>,
) -> Result<Ended, Error> {
    let mut sequence = 0;
    while let Ok(mut batch) = empties.recv() {
        if interrupt.is_set() {
            return Ok(Ended::Interrupted);
        }
        if !block_on(source.fill(&mut batch)).map_err(Error::Source)? {
            return Ok(Ended::Complete);
        }
        if fulls.send((sequence, batch)).is_err() {
            break;
        }
        sequence += 1;
    }
    Ok(Ended::Interrupted)
}

fn labour<W: Work>(
    work: &W,
    fulls: &Mutex<Receiver<(u64, Batch)>>,
    dones: &SyncSender<Done<W::Output>>,
) {
    let mut bench = work.bench();
    loop {
        let full = fulls.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((sequence, batch)) = full else { return };
        let output = catch_unwind(AssertUnwindSafe(|| work.work(&mut bench, &batch)));
        if dones.send(Done { sequence, batch, output }).is_err() {
            return;
        }
    }
}

/// Puts the outputs back into order; the batches in flight bound how many wait.
fn deliver<O>(
    dones: Receiver<Done<O>>,
    empties: &SyncSender<Batch>,
    take: &mut impl FnMut(O, &Batch) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for done in dones {
        waiting.insert(done.sequence, (done.batch, done.output));
        while let Some((batch, output)) = waiting.remove(&next) {
            take(output.unwrap_or_else(|panic| resume_unwind(panic)), &batch)?;
            next += 1;
            // The filler has gone when the source is at its end.
            let _ = empties.send(batch);
        }
    }
    Ok(())
}
