//! What a run did, in numbers that add up.

use std::collections::BTreeMap;

use keystar_mapping::Losses;
use serde::{Deserialize, Serialize};

/// How every record that was read ended: `read = written + filtered + expired + rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Records that the source gave.
    pub read: u64,
    /// Records whose items are all in the target.
    pub written: u64,
    /// Records that the user did not want, or that hold nothing, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Records that a rule drops because they had expired.
    pub expired: u64,
    /// Records that could not be carried, by reason; each is in the reject file.
    pub rejected: BTreeMap<String, u64>,
    /// Records that had expired and were written all the same.
    pub expired_kept: u64,
    /// Items in the target.
    pub items: u64,
}

impl Counts {
    /// Records that the user did not want.
    pub fn filtered(&self) -> u64 {
        self.filtered.values().sum()
    }

    /// Records that could not be carried.
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Whether every record is accounted for.
    pub fn add_up(&self) -> bool {
        self.read == self.written + self.filtered() + self.expired + self.rejected()
    }

    pub(crate) fn filter(&mut self, reason: &str) {
        count(&mut self.filtered, reason, 1);
    }

    pub(crate) fn reject(&mut self, reason: &str) {
        count(&mut self.rejected, reason, 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.read += other.read;
        self.written += other.written;
        self.expired += other.expired;
        self.expired_kept += other.expired_kept;
        self.items += other.items;
        merge(&mut self.filtered, &other.filtered);
        merge(&mut self.rejected, &other.rejected);
    }
}

fn merge(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (reason, records) in from {
        count(into, reason, *records);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str, records: u64) {
    // A reason is allocated once, not once a record.
    match counts.get_mut(reason) {
        Some(sum) => *sum += records,
        None => {
            counts.insert(reason.to_owned(), records);
        }
    }
}

/// What a run did and where it put it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Identifies the run: a digest of its source, mapping and options.
    pub run: String,
    /// Whether the source was read to its end and the target sealed.
    pub complete: bool,
    /// How the records ended.
    pub counts: Counts,
    /// What was carried, but not exactly.
    pub losses: Losses,
    /// What the source holds apart from keys, and is not carried: functions, scripts, module data.
    pub notes: BTreeMap<String, u64>,
    /// Remarks on the source, such as a newer version than was tested or bytes after its end.
    pub warnings: Vec<String>,
    /// The files of the target.
    pub files: u64,
    /// The files' bytes before compression.
    pub bytes: u64,
    /// The files' bytes as they are stored.
    pub stored_bytes: u64,
    /// Wall time of the last session of this run, in seconds.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_ends_of_a_record_add_up() {
        let mut counts = Counts { read: 4, written: 1, expired: 1, ..Counts::default() };
        counts.filter("type");
        assert!(!counts.add_up());
        counts.reject("oversize");
        assert!(counts.add_up());
        let mut sum = counts.clone();
        sum.merge(&counts);
        assert!(sum.add_up());
        assert_eq!((sum.read, sum.filtered(), sum.rejected()), (8, 2, 2));
    }
}
