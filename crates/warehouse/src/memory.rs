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
/// One that can go to disk gets what it asks for while a quarter of the pool is enough for all;
/// beyond that, up to an even share of half of the pool. One that cannot gets what is there.
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

    fn of(&mut self, reservation: &MemoryReservation) -> &mut usize {
        if reservation.consumer().can_spill() { &mut self.by_frugal } else { &mut self.by_others }
    }
}

impl MemoryPool for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.used().frugal += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut used = self.used();
            used.frugal = used.frugal.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut used = self.used();
        let used = used.of(reservation);
        *used = used.saturating_add(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut used = self.used();
        let used = used.of(reservation);
        *used = used.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut used = self.used();
        let all = used.all().saturating_add(additional);
        let fits = if reservation.consumer().can_spill() {
            let half = (self.bytes / 2).min(self.bytes.saturating_sub(used.by_others));
            let share = half / used.frugal.max(1);
            all <= self.bytes / 4
                || (reservation.size().saturating_add(additional) <= share && all <= self.bytes)
        } else {
            all <= self.bytes
        };
        if !fits {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} needs {additional} bytes more, {} of {} are in use",
                reservation.consumer().name(),
                used.all(),
                self.bytes
            )));
        }
        let used = used.of(reservation);
        *used = used.saturating_add(additional);
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

    #[test]
    fn those_that_can_go_to_disk_leave_room_for_those_that_cannot() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shares::new(800));
        let sort = || MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let (first, second) = (sort(), sort());
        let merge = MemoryConsumer::new("merge").register(&pool);
        first.try_grow(150).unwrap();
        second.try_grow(50).unwrap();
        first.try_grow(60).expect_err("a quarter is used up, and 210 are more than half of 400");
        first.try_grow(50).unwrap();
        second.try_grow(150).unwrap();
        second.try_grow(1).expect_err("an even share");
        merge.try_grow(401).expect_err("what the sorts hold is theirs");
        merge.try_grow(400).unwrap();
        assert_eq!(pool.reserved(), 800);
        first.free();
        second.try_grow(1).expect_err("the merge's is not theirs to share");
        drop((first, second, merge));
        assert_eq!(pool.reserved(), 0);
        let alone = sort();
        alone.try_grow(400).unwrap();
        alone.try_grow(1).expect_err("half is the most");
    }
}
