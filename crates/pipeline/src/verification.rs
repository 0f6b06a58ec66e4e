//! What a comparison of files with their dump found.

use std::{
    collections::{BTreeMap, BinaryHeap},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    document::{Align, Document, Section, Table},
    units::count,
};

/// How many findings of each sort are named; all are counted.
const NAMED: usize = 1000;
/// How many of those a terminal shows.
const SHOWN: usize = 20;

/// What a comparison of files with their dump found.
///
/// `records = same + missing + different`, but for the records that are compared by items, of which
/// each item that is missing, extra or different counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verification {
    /// Whether both sides were read to their ends.
    pub complete: bool,
    /// What the source is called: `dump` or `source`.
    pub source: String,
    /// What it was compared with: `files` or `table`.
    pub held: String,
    /// Records of the dump that the files must hold, by type.
    pub records: BTreeMap<String, u64>,
    /// The same, by what stands before the first colon of their keys: the first hundred prefixes
    /// that were met, and the others.
    #[serde(default)]
    pub prefixes: BTreeMap<String, u64>,
    /// Records that are the same on both sides, up to the losses.
    pub same: u64,
    /// Items that are the same on both sides, of the records that are compared by items.
    pub same_items: u64,
    /// Records of the dump that the files do not hold.
    pub missing: Findings,
    /// What the files hold and the dump does not, or what the run set aside.
    pub extra: Findings,
    /// Records that are not the same on both sides: type, elements or expiry.
    pub different: Findings,
    /// Files and lines that are not what they should be.
    pub damaged: Findings,
    /// Of the records, those whose items cannot be read back into records: they were mapped again,
    /// and their items compared.
    pub compared_forward: u64,
    /// Of the records, those that were carried with a loss, by kind of loss: what is left of them
    /// was compared.
    pub losses: BTreeMap<String, u64>,
    /// Records that need not be in the files since nobody wanted them, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Records that need not be in the files since they had expired.
    pub expired: u64,
    /// Records that must not be in the files: the reject file lists them.
    pub rejected: u64,
    /// Entries of the reject file that are no record of this dump.
    pub unknown_rejects: u64,
    /// Files that were read.
    pub files: u64,
    /// Items that were read.
    pub items: u64,
    /// Whether there was a manifest to hold the files against: sizes, SHA-256, numbers of items.
    pub has_manifest: bool,
    /// Remarks on the dump.
    pub warnings: Vec<String>,
    /// What a sample says of the whole, where only one was compared.
    #[cfg(feature = "live")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<crate::Sampled>,
    /// What was put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<Repaired>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// What was put right in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repaired {
    /// Items that were written.
    pub written: u64,
    /// Items that were deleted.
    pub deleted: u64,
    /// Differences that another repair must see to.
    pub left: u64,
}

/// Findings of one sort.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Findings {
    /// How many there are.
    pub count: u64,
    /// The first thousand, in the order of the dump or of the files.
    pub first: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The key as text, with its database where that is not 0; of an item, its own key.
    pub key: String,
    /// Where: a byte of the dump, a line of a file.
    pub place: String,
    /// What is wrong, without contents.
    pub detail: String,
}

impl Verification {
    pub(crate) fn between(source: &str, held: &str) -> Self {
        Self { source: source.to_owned(), held: held.to_owned(), ..Self::default() }
    }

    /// Whether the files hold what the dump holds, no more and no less.
    pub fn ok(&self) -> bool {
        let findings = [&self.missing, &self.extra, &self.different, &self.damaged];
        self.complete
            && self.unknown_rejects == 0
            && findings.iter().all(|findings| findings.count == 0)
    }

    fn is_table(&self) -> bool {
        self.held == "table"
    }

    /// How many records of the dump the files must hold.
    pub fn records(&self) -> u64 {
        self.records.values().sum()
    }

    pub(crate) fn document(&self) -> Document {
        let (source, held) = (self.source.as_str(), self.held.as_str());
        let hold = if self.is_table() { "holds" } else { "hold" };
        let verdict = match (self.complete, self.ok()) {
            (false, _) => "Verification, interrupted".to_owned(),
            (true, true) => format!("Verified: the {held} {hold} what the {source} holds"),
            (true, false) => "Differences found".to_owned(),
        };
        let mut document = Document::new(verdict);
        let read = match (self.is_table(), self.has_manifest) {
            (true, _) => format!("{} items in the table", count(self.items)),
            (false, manifest) => format!(
                "{} items in {} files, {}",
                count(self.items),
                count(self.files),
                if manifest { "as the manifest says" } else { "no manifest" }
            ),
        };
        document.figure("Compared", count(self.records()), format!("records; {read}"));
        let by_items = match self.same_items {
            0 => String::new(),
            items => format!("and {} items of records that are compared by items", count(items)),
        };
        document.figure("Same", count(self.same), by_items);
        let damaged = match self.is_table() {
            true => "items that are not what they should be",
            false => "files and lines that are not what they should be",
        };
        let findings = [
            ("Missing", &self.missing, format!("in the {source}, not in the {held}")),
            ("Extra", &self.extra, format!("in the {held}, not in the {source}")),
            ("Different", &self.different, "type, elements or expiry".to_owned()),
            ("Damaged", &self.damaged, damaged.to_owned()),
        ];
        for (name, found, hint) in &findings {
            document.figure(name, count(found.count), hint.as_str());
        }
        self.alerts(&mut document);
        let mut types = Table::new([("type", Align::Left), ("records", Align::Right)]);
        for (kind, records) in &self.records {
            types.row([kind.clone(), count(*records)]);
        }
        document.section(Section::new("Compared, by type").with_table(types));
        document
            .section(Section::new(format!("Not to be in the {held}")).with_table(self.absent()));
        document.section(self.losses());
        for (name, found, _) in findings {
            document.section(found.section(name));
        }
        document
    }

    fn alerts(&self, document: &mut Document) {
        #[cfg(feature = "live")]
        if let Some(sampled) = &self.sampled {
            document.alerts.push(format!(
                "{} of {} records were compared, chosen by chance: with 95 % confidence no more \
                 than {:.4} % of them differ. What the table holds beyond them was not looked at.",
                count(sampled.chosen),
                count(sampled.of),
                sampled.at_most * 100.0
            ));
        }
        if let Some(Repaired { written, deleted, left }) = self.repaired {
            let rest = match left {
                0 => "verify once more".to_owned(),
                left => format!("{} differences are left: repair once more", count(left)),
            };
            document.alerts.push(format!(
                "Repaired: {} items written, {} deleted; {rest}.",
                count(written),
                count(deleted)
            ));
        }
        if self.unknown_rejects > 0 {
            document.alerts.push(format!(
                "{} entries of the reject file are no records of this {source}: is it the {source} \
                 that the run read?",
                count(self.unknown_rejects),
                source = self.source,
            ));
        }
        document.alerts.extend(self.warnings.iter().cloned());
    }

    fn absent(&self) -> Table {
        let mut table = Table::new([("reason", Align::Left), ("records", Align::Right)]);
        for (reason, records) in &self.filtered {
            table.row([format!("filtered: {reason}"), count(*records)]);
        }
        for (reason, records) in [("expired", self.expired), ("rejected", self.rejected)] {
            if records > 0 {
                table.row([reason.to_owned(), count(records)]);
            }
        }
        table
    }

    fn losses(&self) -> Section {
        let mut table = Table::new([("loss", Align::Left), ("records", Align::Right)]);
        for (kind, records) in &self.losses {
            table.row([kind.clone(), count(*records)]);
        }
        let section = Section::new("Compared up to losses").with_table(table);
        if self.compared_forward == 0 {
            return section;
        }
        section.with_remark(format!(
            "{} records cannot be read back from their items; they were mapped again, and their \
             items compared.",
            count(self.compared_forward)
        ))
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}

impl Findings {
    pub(crate) fn section(&self, name: &str) -> Section {
        let mut table =
            Table::new([("key", Align::Left), ("place", Align::Left), ("what", Align::Left)]);
        for finding in self.first.iter().take(SHOWN) {
            table.row([finding.key.clone(), finding.place.clone(), finding.detail.clone()]);
        }
        // A finding may stand for more than one thing.
        let rest = match self.first.len() > SHOWN {
            true => self.count.saturating_sub(SHOWN as u64),
            false => 0,
        };
        let section = Section::new(name).with_table(table);
        if rest == 0 { section } else { section.with_remark(format!("and {} more", count(rest))) }
    }
}

impl Finding {
    pub(crate) fn new(
        key: impl Into<String>,
        place: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), place: place.into(), detail: detail.into() }
    }
}

/// Counts things and keeps the first of them by place, whatever the order they come in.
#[derive(Debug)]
pub(crate) struct Firsts<T> {
    pub(crate) count: u64,
    /// The last of the first on top.
    heap: BinaryHeap<Placed<T>>,
}

#[derive(Debug)]
struct Placed<T>(u64, T);

impl<T> Default for Firsts<T> {
    fn default() -> Self {
        Self { count: 0, heap: BinaryHeap::new() }
    }
}

impl<T> Firsts<T> {
    pub(crate) fn push(&mut self, place: u64, thing: T) {
        self.push_many(place, 1, thing);
    }

    /// Adds a thing that stands for several.
    pub(crate) fn push_many(&mut self, place: u64, count: u64, thing: T) {
        self.count += count;
        if self.heap.len() < NAMED {
            self.heap.push(Placed(place, thing));
        } else if self.heap.peek().is_some_and(|last| place < last.0) {
            self.heap.pop();
            self.heap.push(Placed(place, thing));
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = u64> + '_ {
        self.heap.iter().map(|placed| placed.0)
    }

    /// The first things in their order, named.
    pub(crate) fn named(self, name: impl Fn(u64, T) -> Finding) -> Findings {
        let first = self.heap.into_sorted_vec();
        let first = first.into_iter().map(|Placed(place, thing)| name(place, thing)).collect();
        Findings { count: self.count, first }
    }
}

impl<T> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Placed<T> {}

impl<T> PartialOrd for Placed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Placed<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_the_first_whatever_the_order() {
        let mut firsts = Firsts::default();
        for n in (0..5000_u64).rev() {
            firsts.push(n, n);
        }
        let findings = firsts.named(|place, n| Finding::new(n.to_string(), place.to_string(), ""));
        assert_eq!(findings.count, 5000);
        assert_eq!(findings.first.len(), NAMED);
        let keys = findings.first.iter().map(|finding| finding.key.parse::<usize>().unwrap());
        assert!(keys.eq(0..NAMED));
    }

    #[test]
    fn only_what_was_read_whole_is_ok() {
        let mut verification = Verification { complete: true, ..Verification::default() };
        assert!(verification.ok());
        verification.damaged.count = 1;
        assert!(!verification.ok());
        assert!(!Verification::default().ok());
        let unknown =
            Verification { complete: true, unknown_rejects: 1, ..Verification::default() };
        assert!(!unknown.ok());
    }

    #[test]
    fn the_text_names_what_was_found() {
        let finding = Finding::new("user:1", "byte 9", "3 elements in the dump, 2 in the files");
        let verification = Verification {
            complete: true,
            records: [("hash".to_owned(), 2)].into(),
            same: 1,
            different: Findings { count: 1, first: vec![finding] },
            compared_forward: 1,
            losses: [("field_hashed".to_owned(), 1)].into(),
            items: 2,
            files: 1,
            has_manifest: true,
            ..Verification::between("dump", "files")
        };
        let expected = "\
Differences found

  Compared   2  records; 2 items in 1 files, as the manifest says
  Same       1
  Missing    0  in the dump, not in the files
  Extra      0  in the files, not in the dump
  Different  1  type, elements or expiry
  Damaged    0  files and lines that are not what they should be

Compared, by type
  type  records
  hash        2

Compared up to losses
  loss          records
  field_hashed        1
  1 records cannot be read back from their items; they were mapped again, and their items
  compared.

Different
  key     place   what
  user:1  byte 9  3 elements in the dump, 2 in the files
";
        assert_eq!(verification.to_string(), expected);
    }
}
