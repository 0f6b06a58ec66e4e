//! What a run did, as a document.

use crate::{Counts, Report, document::Document, outcome, units};

pub(super) fn of(report: &Report) -> Document {
    let title = match report.complete {
        true => "Migration from Redis to DynamoDB",
        false => "Migration from Redis to DynamoDB, interrupted",
    };
    let mut document = Document::new(title);
    document.about = vec![
        format!("from {}", report.from),
        format!("to {}", report.to),
        format!("run {}", report.run),
    ];
    let Counts { read, written, expired_kept, items, .. } = report.counts;
    let rejected = report.counts.rejected();
    document.figure(
        "Records",
        units::count(read),
        format!("{} written", units::percent(written, read)),
    );
    document.figure("Items", units::count(items), "");
    document.figure(
        "Files",
        units::count(report.files),
        format!("{}, {} of text", units::bytes(report.stored_bytes), units::bytes(report.bytes)),
    );
    document.figure("Time", units::duration(report.seconds), "the last session");
    if !report.complete {
        document.alerts.push("not at its end: resume it".to_owned());
    }
    if rejected > 0 {
        let records = units::plural(rejected, "record");
        document
            .alerts
            .push(format!("{records} set aside, each with its reason: {}", report.rejects));
    }
    if expired_kept > 0 {
        let records = units::plural(expired_kept, "record");
        document.alerts.push(format!("{records} had expired and were written all the same"));
    }
    document.alerts.extend(report.warnings.iter().map(|warning| format!("the source: {warning}")));

    document.section(outcome::records("What became of the records", &report.counts));
    document.section(outcome::losses(&report.losses, &report.format_losses));
    document.section(outcome::notes(&report.notes));
    document
}
