use std::sync::{Mutex, PoisonError};

use crate::Encoded;

/// Batches that wait here for their next use, at most.
const MAX_BATCHES: usize = 16;
/// A buffer that one huge record blew up beyond this is given back to the system.
const MAX_BUFFER_BYTES: usize = 4 << 20;

/// Emptied batches on their way from the sink back to its encoders, so that nothing is allocated
/// once a job is under way.
#[derive(Debug)]
pub(crate) struct Pool {
    lanes: usize,
    batches: Mutex<Vec<Encoded>>,
}

impl Pool {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes, batches: Mutex::default() }
    }

    pub(crate) fn take(&self) -> Encoded {
        let batch = self.batches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        batch.unwrap_or_else(|| Encoded::new(self.lanes))
    }

    pub(crate) fn give(&self, mut batch: Encoded) {
        batch.clear();
        for text in batch.lanes_mut() {
            if text.capacity() > MAX_BUFFER_BYTES {
                *text = Vec::new();
            }
        }
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if batches.len() < MAX_BATCHES {
            batches.push(batch);
        }
    }
}
