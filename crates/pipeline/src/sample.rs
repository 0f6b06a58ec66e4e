//! Compares some records of a source with a table, chosen by chance, and says how sure that makes.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use keystar_extract::Batch;
use keystar_item::Item;
use keystar_rdb::{Db, Kind};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Interrupt, Progress, Verification, VerifyOptions,
    conveyor::{Ended, Work, convey},
    diff::differences,
    held::Held,
    mapper::{Fate, Mapper, Verdict},
    report::count,
    reverse::Reverse,
    table::TableReader,
    tally::Key,
    verification::{Finding, Firsts},
    verify::Sides,
};

/// Records that may be chosen: their items are held in memory.
const MAX_RECORDS: usize = 1_000_000;
/// Items of a record that are compared.
const ITEMS: usize = 100;
/// Keys that are asked for at once.
const KEYS: usize = 100;
/// One of so many times the bound is broken.
const CONFIDENCE: f64 = 0.95;
/// The quantile of the normal distribution that belongs to it, one-sided.
const QUANTILE: f64 = 1.644_853_627;

/// What a sample says of the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sampled {
    /// Records of the source that could have been chosen.
    pub of: u64,
    /// Records that were chosen.
    pub chosen: u64,
    /// With 95 % confidence, no larger share of all records differs.
    pub at_most: f64,
}

impl Sampled {
    /// The upper bound of a share of which `bad` of `chosen` were found: exact where there are none,
    /// Wilson's interval else.
    fn new(of: u64, chosen: u64, bad: u64) -> Self {
        let (n, found) = (chosen as f64, bad as f64);
        let at_most = match (chosen, bad) {
            (0, _) => 1.0,
            // All were looked at.
            _ if chosen >= of => found / n,
            (_, 0) => 1.0 - (1.0 - CONFIDENCE).powf(1.0 / n),
            _ => {
                let (share, square) = (found / n, QUANTILE * QUANTILE);
                let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
                (share + square / (2.0 * n) + QUANTILE * spread) / (1.0 + square / n)
            }
        };
        Self { of, chosen, at_most: at_most.min(1.0) }
    }
}

/// Compares `records` records of the source, chosen by a hash of their keys, with the table. What the
/// table holds beyond them is not looked at.
///
/// # Errors
///
/// What is held is no table, more than a million records are asked for, or either side cannot be
/// read.
pub fn verify_sample(
    options: &VerifyOptions<'_>,
    records: usize,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Verification, Error> {
    let Held::Table(table) = options.held else {
        return Err(Error::Usage(
            "only a table is compared by a sample: leave out --sample".into(),
        ));
    };
    if !(1..=MAX_RECORDS).contains(&records) {
        return Err(Error::Usage(format!("a sample has 1 to {MAX_RECORDS} records")));
    }
    let begun = Instant::now();
    let mut source = (options.open)().map_err(Error::Source)?;
    progress.start_source(source.as_ref());
    let work = Choosing {
        mapper: Mapper::new(options.mapping),
        reverse: Reverse::new(options.mapping, options.held.format()),
        below: AtomicU64::new(u64::MAX),
    };
    let mut chosen: BTreeMap<u64, Chosen> = BTreeMap::new();
    let mut of = 0;
    let mut found = Sides::of(options).verification();
    let ended = convey(source.as_mut(), options.jobs, interrupt, &work, |seen: Seen, batch| {
        of += seen.records;
        for (hash, candidate) in seen.candidates {
            match chosen.get_mut(&hash) {
                // The next part of the record, or the record once more.
                Some(known) => known.add(candidate),
                None => {
                    chosen.insert(hash, candidate);
                }
            }
        }
        while chosen.len() > records {
            chosen.pop_last();
        }
        if let (Some((last, _)), true) = (chosen.last_key_value(), chosen.len() == records) {
            work.below.store(*last, Ordering::Relaxed);
        }
        found.warnings.extend(batch.remarks().warnings.iter().cloned());
        progress.reach(batch.source_bytes(), of);
        Ok(())
    })?;
    if ended == Ended::Complete {
        compare(table, options, &chosen, &mut found)?;
        let bad = found.missing.count + found.different.count;
        found.sampled = Some(Sampled::new(of, chosen.len() as u64, bad));
        found.complete = true;
    }
    found.seconds = begun.elapsed().as_secs_f64();
    Ok(found)
}

/// A record that was chosen.
struct Chosen {
    db: Db,
    key: Vec<u8>,
    kind: Kind,
    place: u64,
    items: Vec<Item<'static>>,
    /// Whether its last piece was seen.
    whole: bool,
}

impl Chosen {
    fn add(&mut self, more: Self) {
        if self.whole {
            *self = more;
            return;
        }
        let room = ITEMS.saturating_sub(self.items.len());
        self.items.extend(more.items.into_iter().take(room));
        self.whole = more.whole;
    }
}

struct Choosing<'v> {
    mapper: Mapper<'v>,
    reverse: Reverse<'v>,
    /// Only records with a smaller hash can still be chosen.
    below: AtomicU64,
}

#[derive(Default)]
struct Seen {
    records: u64,
    candidates: Vec<(u64, Chosen)>,
}

impl Work for Choosing<'_> {
    type Bench = ();
    type Output = Seen;

    fn bench(&self) {}

    fn work(&self, (): &mut (), batch: &Batch) -> Seen {
        let mut seen = Seen::default();
        let below = self.below.load(Ordering::Relaxed);
        self.mapper.map_batch(batch, |fate: Fate<'_>| {
            let Fate::Mapped(pieces) = fate else { return Verdict::Ok(()) };
            seen.records += u64::from(pieces.last);
            let head = pieces.head;
            let hash = (self.reverse.name(head.db, &head.key) >> 64) as u64;
            if hash <= below {
                let items = pieces.mapped.items.iter().take(ITEMS);
                seen.candidates.push((
                    hash,
                    Chosen {
                        db: head.db,
                        key: head.key.to_vec(),
                        kind: head.kind(),
                        place: head.offset,
                        items: items.map(|item| item.clone().into_owned()).collect(),
                        whole: pieces.last,
                    },
                ));
            }
            Ok(())
        });
        seen
    }
}

/// Asks the table for the items of the chosen records.
fn compare(
    table: &TableReader,
    options: &VerifyOptions<'_>,
    chosen: &BTreeMap<u64, Chosen>,
    found: &mut Verification,
) -> Result<(), Error> {
    let (mut missing, mut different) = (Firsts::default(), Firsts::default());
    let schema = &options.mapping.table().key;
    for record in chosen.values() {
        count(&mut found.records, record.kind.name(), 1);
        let key = || Key::new(record.db, &record.key).to_string();
        let (mut absent, mut path) = (0, None);
        for ours in record.items.chunks(KEYS) {
            let theirs = table.get_many(schema, ours)?;
            found.items += theirs.iter().flatten().count() as u64;
            for (ours, theirs) in ours.iter().zip(&theirs) {
                match theirs {
                    None => absent += 1,
                    Some(theirs) => {
                        let first = differences(ours, theirs, 1).into_iter().next();
                        path = path.or(first);
                    }
                }
            }
        }
        if absent > 0 && absent == record.items.len() {
            let detail = format!("{} not in the table", record.kind);
            missing.push(record.place, Finding::new(key(), "", detail));
        } else if absent > 0 {
            let detail = format!("{absent} of its items not in the table");
            different.push(record.place, Finding::new(key(), "", detail));
        } else if let Some(first) = path {
            let detail = first.told("in the source", "in the table").to_string();
            different.push(record.place, Finding::new(key(), "", detail));
        } else {
            found.same += 1;
        }
    }
    found.missing = missing.named(|_, finding| finding);
    found.different = different.named(|_, finding| finding);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_one_of_the_books() {
        let at_most = |of, chosen, bad| Sampled::new(of, chosen, bad).at_most;
        // The rule of three.
        assert!((at_most(1_000_000, 1000, 0) - 0.002_991).abs() < 1e-6);
        assert!(
            (at_most(1_000_000, 1000, 10) - 0.016_567).abs() < 1e-4,
            "{}",
            at_most(1_000_000, 1000, 10)
        );
        assert_eq!(at_most(100, 100, 7), 0.07);
        assert_eq!(at_most(100, 0, 0), 1.0);
    }
}
