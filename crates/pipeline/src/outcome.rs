//! How records ended and what was lost on the way: what plans and reports have in common.

use std::collections::BTreeMap;

use keystar_mapping::Losses;

use crate::{
    Counts,
    document::{Align, Bar, Form, Section, Table, Tone},
    units,
};

/// Keys that a table names for each loss.
const FIRST_KEYS: usize = 5;

/// The records by their end.
pub(crate) fn records(title: &str, counts: &Counts) -> Section {
    let read = counts.read;
    let ends = [
        ("written", counts.written, Tone::Good),
        ("filtered", counts.filtered(), Tone::Muted),
        ("expired", counts.expired, Tone::Warning),
        ("rejected", counts.rejected(), Tone::Bad),
    ];
    let bars = ends.map(|(name, records, tone)| {
        Bar::new(name, records, units::count(records)).with_tone(tone)
    });
    let mut table =
        Table::new([("outcome", Align::Left), ("records", Align::Right), ("share", Align::Right)]);
    let mut row = |name: String, records: u64| {
        table.row([name, units::count(records), units::percent(records, read)]);
    };
    row("written".to_owned(), counts.written);
    for (reason, records) in &counts.filtered {
        row(format!("filtered: {}", words(reason)), *records);
    }
    if counts.expired > 0 {
        row("expired, dropped".to_owned(), counts.expired);
    }
    for (reason, records) in &counts.rejected {
        row(format!("rejected: {}", words(reason)), *records);
    }
    row("read".to_owned(), read);
    Section::new(title)
        .with_chart("Records by outcome", Form::Shares, bars.into())
        .with_table(table)
}

/// What was carried, but not exactly.
pub(crate) fn losses(losses: &Losses, format_losses: &BTreeMap<String, u64>) -> Section {
    let mut table = Table::new([
        ("loss", Align::Left),
        ("records", Align::Right),
        ("values", Align::Right),
        ("first keys", Align::Left),
    ]);
    for (kind, loss) in losses.iter() {
        let mut keys: Vec<&str> = loss.keys().take(FIRST_KEYS).collect();
        if loss.records > keys.len() as u64 {
            keys.push("…");
        }
        table.row([
            words(kind.name()),
            units::count(loss.records),
            units::count(loss.values),
            keys.join(", "),
        ]);
    }
    for (kind, values) in format_losses {
        let name = format!("{}, by the format", words(kind));
        table.row([name, String::new(), units::count(*values), String::new()]);
    }
    Section::new("Losses").with_table(table)
}

/// What a dump has besides keys.
pub(crate) fn notes(notes: &BTreeMap<String, u64>) -> Section {
    let mut table = Table::new([("what", Align::Left), ("number", Align::Right)]);
    for (what, number) in notes {
        table.row([words(what), units::count(*number)]);
    }
    Section::new("Not carried, as they are no keys").with_table(table)
}

/// A stable name as words.
pub(crate) fn words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}
