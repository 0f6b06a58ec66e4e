//! What a restore wrote and what it could not.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    Findings,
    document::{Align, Document, Section, Table},
    units::{bytes, count},
};

/// What a restore wrote, and what no command says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// Whether all items were read and all their records dealt with.
    pub complete: bool,
    /// Records that commands were written for, by type.
    pub records: BTreeMap<String, u64>,
    /// Of these, those that expire.
    pub expiring: u64,
    /// Commands by name.
    pub commands: BTreeMap<String, u64>,
    /// Bytes of the commands.
    pub bytes: u64,
    /// Files that were read.
    pub files: u64,
    /// Items that were read.
    pub items: u64,
    /// Records, and items of no record, that no command was written for, by reason: `array`,
    /// `module`, `not_of_this_mapping`.
    pub not_restored: BTreeMap<String, Findings>,
    /// What of restored records no command says, by kind: `stream_consumer_times` (the server
    /// stamps consumers itself), `stream_idempotency_ids`, `stream_idempotency_settings`,
    /// `stream_nacks`, `stream_pending_of_deleted_entries`, `stream_pending_without_consumer`,
    /// `stream_entry_without_fields`.
    pub left_out: BTreeMap<String, Findings>,
    /// Records that were restored from the items that are there, while others are not.
    pub incomplete: Findings,
    /// Files and lines that are not what they should be.
    pub damaged: Findings,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl RestoreReport {
    /// Whether there are commands for every record, from all of its items.
    pub fn ok(&self) -> bool {
        self.complete
            && self.not_restored.is_empty()
            && self.incomplete.count == 0
            && self.damaged.count == 0
    }

    /// Records that commands were written for.
    pub fn records(&self) -> u64 {
        self.records.values().sum()
    }

    pub(crate) fn document(&self) -> Document {
        let title = match (self.complete, self.ok()) {
            (false, _) => "Restore, interrupted",
            (true, true) => "Restored",
            (true, false) => "Restored in part",
        };
        let mut document = Document::new(title);
        let refused = self.not_restored.values().map(|findings| findings.count).sum();
        let read = format!("from {} items in {} files", count(self.items), count(self.files));
        let expiring = format!("{read}; {} of them expire", count(self.expiring));
        document.figure("Records", count(self.records()), expiring);
        let commands = self.commands.values().sum();
        document.figure("Commands", count(commands), bytes(self.bytes));
        document.figure("Not restored", count(refused), "no command says them");
        document.figure(
            "Incomplete",
            count(self.incomplete.count),
            "some of their items are missing",
        );
        document.figure("Damaged", count(self.damaged.count), "files and lines");
        let tables = [
            ("Records, by type", "type", &self.records),
            ("Commands, by name", "command", &self.commands),
        ];
        for (title, name, counts) in tables {
            let mut table = Table::new([(name, Align::Left), ("number", Align::Right)]);
            for (name, number) in counts {
                table.row([name.clone(), count(*number)]);
            }
            document.section(Section::new(title).with_table(table));
        }
        for (reason, findings) in &self.not_restored {
            document.section(findings.section(&format!("Not restored: {reason}")));
        }
        for (what, findings) in &self.left_out {
            document.section(findings.section(&format!("Left out: {what}")));
        }
        document.section(self.incomplete.section("Incomplete"));
        document.section(self.damaged.section("Damaged"));
        document
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}
