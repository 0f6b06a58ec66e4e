use std::sync::atomic::{AtomicU64, Ordering};

use keystar_extract::Source;

/// How far a job is; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    source_bytes: AtomicU64,
    total_bytes: AtomicU64,
    records: AtomicU64,
    total_records: AtomicU64,
}

impl Progress {
    /// Bytes of the source that have been dealt with, as they are stored.
    pub fn source_bytes(&self) -> u64 {
        self.source_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of the source in all; 0 while that is unknown.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    /// Records that have been dealt with.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Records in all, as far as the source says so; 0 while that is unknown.
    pub fn total_records(&self) -> u64 {
        self.total_records.load(Ordering::Relaxed)
    }

    pub(crate) fn start(&self, total_bytes: Option<u64>) {
        self.total_bytes.store(total_bytes.unwrap_or(0), Ordering::Relaxed);
    }

    /// A source that knows its keys, but not its bytes, is measured by keys.
    pub(crate) fn start_source(&self, source: &dyn Source) {
        self.start(source.total_bytes());
        self.total_records.store(source.total_keys().unwrap_or(0), Ordering::Relaxed);
    }

    /// For threads that each know only their own part.
    #[cfg(feature = "elt")]
    pub(crate) fn add(&self, source_bytes: u64, records: u64) {
        self.source_bytes.fetch_add(source_bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn reach(&self, source_bytes: u64, records: u64) {
        self.source_bytes.store(source_bytes, Ordering::Relaxed);
        self.records.store(records, Ordering::Relaxed);
    }
}
