//! What a run did, in numbers that add up.

use std::{collections::BTreeMap, fmt};

use keystar_extract::Remarks;
use keystar_mapping::Losses;
use serde::{Deserialize, Serialize};

use crate::{
    Loaded,
    text::{self, bytes, plural},
};

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

/// Counts what a source met apart from the records that it gave.
pub(crate) fn note(
    remarks: &Remarks,
    counts: &mut Counts,
    notes: &mut BTreeMap<String, u64>,
    warnings: &mut Vec<String>,
) {
    for (reason, records) in &remarks.skipped {
        counts.read += records;
        count(&mut counts.filtered, reason, *records);
    }
    for (what, number) in &remarks.others {
        count(notes, what, *number);
    }
    warnings.extend(remarks.warnings.iter().cloned());
}

fn merge(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (reason, records) in from {
        count(into, reason, *records);
    }
}

pub(crate) fn count(counts: &mut BTreeMap<String, u64>, reason: &str, records: u64) {
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
    /// The dump.
    pub from: String,
    /// Where the files are.
    pub to: String,
    /// The reject file.
    pub rejects: String,
    /// Whether the source was read to its end and the target sealed.
    pub complete: bool,
    /// How the records ended.
    pub counts: Counts,
    /// What was carried, but not exactly.
    pub losses: Losses,
    /// What the format of the files cannot carry (CSV), by kind, with the number of values.
    pub format_losses: BTreeMap<String, u64>,
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
    /// What the service did that loaded the files into a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<Loaded>,
    /// Wall time of the last session of this run, in seconds.
    pub seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, .. } = self;
        let state = if self.complete { "migrated" } else { "interrupted: migrated a part of" };
        writeln!(f, "{state} {} to {}", self.from, self.to)?;
        writeln!(f)?;
        line(f, counts.read, "read", "")?;
        line(f, counts.written, "written", &self.written())?;
        line(f, counts.filtered(), "filtered", &list(&counts.filtered))?;
        line(f, counts.expired, "expired", "")?;
        line(f, counts.rejected(), "rejected", &self.rejected())?;
        writeln!(f)?;
        if counts.expired_kept > 0 {
            writeln!(f, "{} had expired and were written", plural(counts.expired_kept, "record"))?;
        }
        for (kind, loss) in self.losses.iter() {
            let (values, records) = (plural(loss.values, "value"), plural(loss.records, "record"));
            let first = loss.keys().next().unwrap_or_default();
            writeln!(f, "loss: {kind}: {values} in {records}, first in \"{first}\"")?;
        }
        for (loss, values) in &self.format_losses {
            writeln!(f, "loss: {} {loss}, by the format of the files", plural(*values, "value"))?;
        }
        if !self.notes.is_empty() {
            writeln!(f, "not carried, as they are no keys: {}", list(&self.notes))?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        if let Some(loaded) = &self.loaded {
            writeln!(f, "{loaded}")?;
        }
        if !self.complete {
            writeln!(f, "run the same command with --resume to go on")?;
        }
        Ok(())
    }
}

impl Report {
    /// Adds what another run of the same job did.
    pub(crate) fn add(&mut self, other: Self) {
        self.complete &= other.complete;
        self.counts.merge(&other.counts);
        self.losses.merge(&other.losses);
        merge(&mut self.format_losses, &other.format_losses);
        self.files += other.files;
        self.bytes += other.bytes;
        self.stored_bytes += other.stored_bytes;
        self.seconds += other.seconds;
    }

    fn written(&self) -> String {
        let items = plural(self.counts.items, "item");
        if !self.complete {
            return items;
        }
        let (size, stored) = (bytes(self.bytes), bytes(self.stored_bytes));
        let stored = match self.bytes == self.stored_bytes {
            true => String::new(),
            false => format!(", {stored} stored"),
        };
        let files = match self.files {
            0 => String::new(),
            files => format!(" in {}", plural(files, "file")),
        };
        format!("{items}{files}, {size}{stored}, in {:.1} s", self.seconds)
    }

    fn rejected(&self) -> String {
        match self.counts.rejected() {
            0 => String::new(),
            _ => format!("{}; see {}", list(&self.counts.rejected), self.rejects),
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, records: u64, what: &str, more: &str) -> fmt::Result {
    let text = format!("{:>14}  {what:<9} {more}", text::count(records));
    writeln!(f, "{}", text.trim_end())
}

/// `oversize 3, corrupt 1`.
fn list(counts: &BTreeMap<String, u64>) -> String {
    let parts = counts.iter().map(|(what, number)| format!("{what} {}", text::count(*number)));
    parts.collect::<Vec<_>>().join(", ")
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
