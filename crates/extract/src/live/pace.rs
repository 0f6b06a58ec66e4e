use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keeps the threads of a scan together below a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: u64,
    /// When what was taken so far is paid for.
    paid: Mutex<Instant>,
}

/// How much may be taken ahead: a stop and go of this length is not felt by a server.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    pub(crate) fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), paid: Mutex::new(Instant::now()) }
    }

    /// Takes so much, and says how long to wait before taking it.
    pub(crate) fn take(&self, count: u64) -> Duration {
        self.take_at(count, Instant::now())
    }

    fn take_at(&self, count: u64, now: Instant) -> Duration {
        let cost = Duration::from_secs_f64(count as f64 / self.per_second as f64);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        // Time that was not used is not saved up beyond a burst.
        let from = now.checked_sub(BURST).map_or(*paid, |earliest| (*paid).max(earliest));
        *paid = from + cost;
        from.saturating_duration_since(now)
    }

    /// How much to take at a time, so that a wait is short.
    pub(crate) fn portion(&self) -> u64 {
        (self.per_second / 20).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_from_the_start_and_after_a_pause() {
        let pace = Pace::new(1000);
        let start = Instant::now();
        let mut now = start;
        for _ in 0..100 {
            now += pace.take_at(50, now);
        }
        // 5000 at 1000 a second, the last portion not waited for.
        let took = now - start;
        assert!((4800..=5000).contains(&took.as_millis()), "{took:?}");
        now += Duration::from_secs(60);
        assert_eq!(pace.take_at(1000, now), Duration::ZERO);
        assert_eq!(pace.take_at(1, now), Duration::from_millis(900));
    }
}
