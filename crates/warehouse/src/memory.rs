//! How the engine's operators share their memory.
//!
//! Two kinds ask for it: those that can go to disk (sorts, groups) and those that cannot (the hash
//! table of a join, a merge). The engine's own fair pool lets the first kind take everything, and
//! then the second kind fails for want of a few kilobytes. Here a quarter is always theirs.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use datafusion::{
    error::{DataFusionError, Result},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};

/// A pool of so many bytes.
///
/// Everyone gets a [`grain`] while there is room for it. Beyond that, one that can go to disk gets what it
/// asks for while a quarter of the pool is enough for all, and then up to an even share of half of
/// it. A merge of sorted runs takes as many of them as it gets memory for, and leaves a quarter of
/// the pool to others. One that cannot go to disk gets what is there; a join's rows count twice,
/// since the engine copies them into one batch once it has them all. An exchange of rows between
/// threads, which holds a few batches, gets them always.
#[derive(Debug)]
pub(crate) struct Shares {
    bytes: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How many can go to disk.
    frugal: usize,
    /// What those hold.
    by_frugal: usize,
    /// What the others hold.
    by_others: usize,
}

/// What an operator gets of a pool, however many there are: a sort takes a batch and goes to disk, a
/// merge has two of its runs.
fn grain(bytes: usize) -> usize {
    (bytes / 128).max(1 << 20)
}

/// How the engine calls those that it registers.
const MERGE: &str = "ExternalSorterMerge";
const JOIN: &str = "HashJoinInput";
const EXCHANGE: &str = "RepartitionExec";

/// Whether it goes to disk when it gets nothing. An exchange of rows between threads would, too, and
/// then may wait for ever (<https://github.com/apache/datafusion/issues/24883>).
fn is_frugal(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && !is_exchange(consumer)
}

fn is_exchange(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(EXCHANGE)
}

impl Shares {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, used: Mutex::default() }
    }

    /// The numbers are whole after every statement, so a panic elsewhere does not spoil them.
    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn all(&self) -> usize {
        self.by_frugal.saturating_add(self.by_others)
    }

    fn of(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        if is_frugal(consumer) { &mut self.by_frugal } else { &mut self.by_others }
    }

    fn grow(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        let used = self.of(consumer);
        *used = used.saturating_add(counted(consumer, bytes));
    }
}

/// What so many bytes of a consumer count.
fn counted(consumer: &MemoryConsumer, bytes: usize) -> usize {
    if consumer.name().starts_with(JOIN) { bytes.saturating_mul(2) } else { bytes }
}

impl MemoryPool for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if is_frugal(consumer) {
            self.used().frugal += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if is_frugal(consumer) {
            let mut used = self.used();
            used.frugal = used.frugal.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used().grow(reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let consumer = reservation.consumer();
        let mut used = self.used();
        let used = used.of(consumer);
        *used = used.saturating_sub(counted(consumer, shrink));
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        let mut used = self.used();
        let all = used.all().saturating_add(counted(consumer, additional));
        let own = reservation.size().saturating_add(additional);
        let most = if is_exchange(consumer) {
            usize::MAX
        } else if own <= grain(self.bytes) {
            self.bytes
        } else if is_frugal(consumer) {
            let half = (self.bytes / 2).min(self.bytes.saturating_sub(used.by_others));
            if own <= half / used.frugal.max(1) { self.bytes } else { self.bytes / 4 }
        } else if consumer.name().starts_with(MERGE) {
            self.bytes / 4 * 3
        } else {
            self.bytes
        };
        if all > most {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} has {} bytes and needs {additional} more, {} of {} are in use",
                consumer.name(),
                reservation.size(),
                used.all(),
                self.bytes
            )));
        }
        used.grow(consumer, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used().all()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shares of {} bytes", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MIB: usize = 1 << 20;

    fn spilling(name: &str) -> MemoryConsumer {
        MemoryConsumer::new(name).with_can_spill(true)
    }

    #[test]
    fn those_that_can_go_to_disk_leave_room_for_those_that_cannot() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shares::new(800 * MIB));
        let (first, second) = (spilling("a").register(&pool), spilling("b").register(&pool));
        let other = MemoryConsumer::new("other").register(&pool);
        first.try_grow(150 * MIB).unwrap();
        second.try_grow(50 * MIB).unwrap();
        first
            .try_grow(60 * MIB)
            .expect_err("a quarter is used up, and 210 are more than half of 400");
        first.try_grow(50 * MIB).unwrap();
        second.try_grow(150 * MIB).unwrap();
        second.try_grow(1).expect_err("an even share");
        other.try_grow(401 * MIB).expect_err("what the first two hold is theirs");
        other.try_grow(400 * MIB).unwrap();
        assert_eq!(pool.reserved(), 800 * MIB);
        first.free();
        second.try_grow(1).expect_err("the other's is not theirs to share");
        drop((first, second, other));
        assert_eq!(pool.reserved(), 0);
        let alone = spilling("alone").register(&pool);
        alone.try_grow(400 * MIB).unwrap();
        alone.try_grow(1).expect_err("half is the most");
    }

    #[test]
    fn everyone_gets_a_grain_while_there_is_room() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shares::new(256 * MIB));
        let other = MemoryConsumer::new("other").register(&pool);
        other.try_grow(250 * MIB).unwrap();
        let some: Vec<_> = (0..5).map(|_| spilling("some").register(&pool)).collect();
        for reservation in &some[..3] {
            reservation.try_grow(2 * MIB).unwrap();
        }
        some[3].try_grow(1).expect_err("nothing is left");
        some[0].free();
        some[4].try_grow(2 * MIB + 1).expect_err("more than a grain, beyond a quarter and a share");
        some[4].try_grow(2 * MIB).unwrap();
    }

    #[test]
    fn merges_leave_a_quarter_and_joins_count_twice() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shares::new(256 * MIB));
        let merge = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        merge.try_grow(192 * MIB).unwrap();
        merge.try_grow(1).expect_err("the last quarter is for others");
        let join = MemoryConsumer::new("HashJoinInput[1]").register(&pool);
        join.try_grow(33 * MIB).expect_err("66 of 64");
        join.try_grow(32 * MIB).unwrap();
        assert_eq!(pool.reserved(), 256 * MIB);
        join.shrink(16 * MIB);
        assert_eq!(pool.reserved(), 224 * MIB);
        drop((merge, join));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn an_exchange_never_has_to_go_to_disk() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shares::new(256 * MIB));
        let exchange = spilling("RepartitionExec[0]").register(&pool);
        exchange.try_grow(300 * MIB).unwrap();
        let sort = spilling("sort").register(&pool);
        sort.try_grow(1).expect_err("what it holds is no one else's");
    }
}
