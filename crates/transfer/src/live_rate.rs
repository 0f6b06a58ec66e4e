//! How much may be under way, and how much in a second.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// Requests that are under way at first.
const FIRST: f64 = 8.0;

/// How many requests may be under way: one more for as many successes as there are requests, half
/// of them when the table throttles all of what was asked for.
#[derive(Debug)]
pub(crate) struct Flight {
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// How often the limit fell. Requests that were under way when it fell say nothing new.
    falls: u64,
}

impl Flight {
    pub(crate) fn new(most: usize) -> Self {
        let most = most as f64;
        Self { most, state: Mutex::new(State { limit: FIRST.min(most), falls: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limit(&self) -> usize {
        self.state().limit as usize
    }

    /// A request begins: what its end is to be told with.
    pub(crate) fn start(&self) -> u64 {
        self.state().falls
    }

    /// A request ended; this share of it was throttled.
    pub(crate) fn end(&self, start: u64, throttled: f64) {
        let mut state = self.state();
        if throttled <= 0.0 {
            state.limit = (state.limit + 1.0 / state.limit).min(self.most);
        } else if start == state.falls {
            state.limit = (state.limit * (1.0 - throttled.min(1.0) / 2.0)).max(1.0);
            state.falls += 1;
        }
    }
}

/// So many units a second, and no more saved up than for a tenth of one.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    purse: Mutex<(f64, Instant)>,
}

impl Rate {
    pub(crate) fn new(per_second: u64) -> Self {
        Self { per_second: per_second as f64, purse: Mutex::new((0.0, Instant::now())) }
    }

    fn purse(&self) -> MutexGuard<'_, (f64, Instant)> {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the units. Whoever comes next waits for these, too.
    pub(crate) async fn take(&self, units: f64) {
        let debt = {
            let (purse, at) = &mut *self.purse();
            let now = Instant::now();
            let earned = now.duration_since(*at).as_secs_f64() * self.per_second;
            *purse = (*purse + earned).min(self.per_second / 10.0) - units;
            *at = now;
            -*purse
        };
        if debt > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(debt / self.per_second)).await;
        }
    }

    /// Units that were taken and not used; those that were used and not taken are negative.
    pub(crate) fn give_back(&self, units: f64) {
        self.purse().0 += units;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_falls_once_for_a_burst_and_grows_slowly() {
        let flight = Flight::new(32);
        assert_eq!(flight.limit(), 8);
        let starts: Vec<u64> = (0..8).map(|_| flight.start()).collect();
        for start in starts {
            flight.end(start, 1.0);
        }
        assert_eq!(flight.limit(), 4);
        for _ in 0..10 {
            let start = flight.start();
            flight.end(start, 1.0);
        }
        assert_eq!(flight.limit(), 1);
        for _ in 0..2000 {
            let start = flight.start();
            flight.end(start, 0.0);
        }
        assert_eq!(flight.limit(), 32);
    }

    #[test]
    fn a_part_that_is_throttled_costs_a_part() {
        let flight = Flight::new(8);
        flight.end(flight.start(), 0.5);
        assert_eq!(flight.limit(), 6);
        assert_eq!(Flight::new(1).limit(), 1);
    }

    #[test]
    fn no_more_than_so_many_a_second() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rate = Rate::new(1000);
            let begun = Instant::now();
            for _ in 0..30 {
                rate.take(10.0).await;
            }
            let took = begun.elapsed().as_secs_f64();
            assert!((0.28..2.0).contains(&took), "{took}");
            // Half of it was not needed after all.
            rate.give_back(150.0);
            let begun = Instant::now();
            rate.take(100.0).await;
            assert!(begun.elapsed() < Duration::from_millis(90));
        });
    }
}
