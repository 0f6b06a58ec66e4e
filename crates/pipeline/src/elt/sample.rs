//! The e-commerce table of the tutorials, in any size: customers with addresses, orders, order
//! lines, in one table.
//!
//! Every customer is made from the seed and a number alone. So files can be written side by side,
//! a later window begins with making the customer again, and memory does not grow.

mod catalogue;
mod customer;
mod expected;
mod folder;
mod random;

use std::{
    io::Write,
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

use self::{
    catalogue::Catalogue,
    customer::{Change, Customer, Window},
    folder::{ExportFolder, Kind, Listed},
};
use super::{Error, Job};
use crate::{Interrupt, Progress, units};

pub use self::expected::{Cell, Expected, Sales};

/// The full export is of 2024-01-01T00:00:00Z.
const EXPORT_SECONDS: i64 = 1_704_067_200;
/// A customer's items come to about so many bytes of DynamoDB JSON.
const CUSTOMER_BYTES: u64 = 4600;
/// Lines are handed on in pieces of about this size.
const PIECE: usize = 1 << 16;
/// Further customers would get the order numbers of the first.
const MOST_CUSTOMERS: u64 = 900_000_000;
const MOST_WINDOWS: u32 = 366;

/// What the sample is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampleSpec {
    customers: u64,
    seed: u64,
    files: NonZeroU32,
    windows: u32,
}

impl SampleSpec {
    /// So many customers; there are about 15 items for each.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for more than 900 million.
    pub fn new(customers: u64) -> Result<Self, Error> {
        if customers > MOST_CUSTOMERS {
            return Err(Error::Usage(format!(
                "a sample has at most {} customers",
                units::count(MOST_CUSTOMERS)
            )));
        }
        Ok(Self { customers, seed: 1, files: NonZeroU32::MIN, windows: 0 })
    }

    /// The same seed gives the same items.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many data files an export has; the items do not depend on it.
    #[must_use]
    pub fn with_files(mut self, files: NonZeroU32) -> Self {
        self.files = files;
        self
    }

    /// So many incremental exports, of a day each, after the full one.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for more than 366.
    pub fn with_windows(mut self, windows: u32) -> Result<Self, Error> {
        if windows > MOST_WINDOWS {
            return Err(Error::Usage(format!("a sample has at most {MOST_WINDOWS} windows")));
        }
        self.windows = windows;
        Ok(self)
    }

    fn window(number: u32) -> Result<(Timestamp, Timestamp, Window), Error> {
        let moment = |day: u32| {
            let days = SignedDuration::from_hours(24 * i64::from(day));
            Timestamp::from_second(EXPORT_SECONDS)
                .and_then(|start| start.checked_add(days))
                .map_err(|error| Error::Usage(error.to_string()))
        };
        let (from, to) = (moment(number - 1)?, moment(number)?);
        let date = from.to_zoned(TimeZone::UTC).date();
        let window = Window {
            number: u64::from(number),
            from_micros: from.as_microsecond().unsigned_abs(),
            year: date.year(),
            month: date.month(),
            day: date.day(),
        };
        Ok((from, to, window))
    }
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SampleReport {
    /// The exports, in the order of their time; none where items were written.
    pub exports: Vec<SampleExport>,
    /// Items and changes that were written.
    pub items: u64,
    /// Their bytes, as text.
    pub bytes: u64,
    /// Their bytes, as they are stored.
    pub stored_bytes: u64,
    /// What the table comes to after the last window.
    #[serde(skip)]
    pub expected: Expected,
}

/// An export that was made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SampleExport {
    /// Its id, which is its folder below `AWSDynamoDB`.
    pub id: String,
    /// Items or changes in it.
    pub items: u64,
}

impl std::fmt::Display for SampleReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { items, bytes, stored_bytes, .. } = self;
        let (items, bytes) = (units::plural(*items, "item"), units::bytes(*bytes));
        writeln!(f, "made {items}, {bytes}, {} stored", units::bytes(*stored_bytes))?;
        for export in &self.exports {
            writeln!(f, "{:>14}  export {}", units::count(export.items), export.id)?;
        }
        let Expected { customers, addresses, orders, lines, cents, .. } = &self.expected;
        let count = |number| units::count(number);
        writeln!(f)?;
        for (number, what) in [
            (count(*customers), "customers"),
            (count(*addresses), "addresses"),
            (count(*orders), "orders"),
            (count(*lines), "order lines"),
            (format!("{}.{:02}", count(cents / 100), cents % 100), "the sum of all prices"),
        ] {
            writeln!(f, "{number:>14}  {what}")?;
        }
        Ok(())
    }
}

/// Writes the sample as exports below `to`, as a bucket would hold them: `to/AWSDynamoDB/…`.
///
/// Writing the same sample again changes nothing.
///
/// # Errors
///
/// [`Error::Occupied`] where `to` holds other exports; [`Error::File`] where a file cannot be
/// written; [`Error::Interrupted`].
pub fn sample(spec: &SampleSpec, to: &Path, job: &Job<'_>) -> Result<SampleReport, Error> {
    let summary = |made: &SampleReport, seconds: f64| {
        let items = units::plural(made.items, "item");
        format!("{items}, {}, in {seconds:.1} s", units::bytes(made.bytes))
    };
    job.step("sample", spec.customers * CUSTOMER_BYTES, || make(spec, to, job), summary)
}

fn make(spec: &SampleSpec, to: &Path, job: &Job<'_>) -> Result<SampleReport, Error> {
    let at =
        Timestamp::from_second(EXPORT_SECONDS).map_err(|error| Error::Usage(error.to_string()))?;
    let mut exports = vec![(ExportFolder::new(to, Kind::Full { at }, spec.digest()), None)];
    for number in 1..=spec.windows {
        let (from, to_time, window) = SampleSpec::window(number)?;
        let kind = Kind::Incremental { from, to: to_time };
        exports.push((ExportFolder::new(to, kind, spec.digest()), Some(window)));
    }
    let ours = |id: &String| exports.iter().any(|(export, _)| export.id == *id);
    if let Some(other) = ExportFolder::there(to)?.into_iter().find(|id| !ours(id)) {
        return Err(Error::Occupied {
            path: to.to_owned(),
            holds: format!("another export, {other}"),
        });
    }
    let maker = Maker {
        spec,
        catalogue: Catalogue::new(spec.seed, spec.customers),
        windows: exports.iter().filter_map(|(_, window)| *window).collect(),
        interrupt: job.interrupt,
        progress: job.progress,
    };
    let mut report = SampleReport {
        exports: Vec::new(),
        items: 0,
        bytes: 0,
        stored_bytes: 0,
        expected: Expected::default(),
    };
    for (at, (export, _)) in exports.iter().enumerate() {
        export.begin()?;
        let (files, expected) = maker.export(export, at, job.jobs)?;
        export.finish(&files)?;
        let items = files.iter().map(|file| file.items).sum();
        report.exports.push(SampleExport { id: export.id.clone(), items });
        report.items += items;
        report.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        report.stored_bytes += files.iter().map(|file| file.stored_bytes).sum::<u64>();
        report.expected = expected;
    }
    Ok(report)
}

/// Writes the items as `{"Item": …}` lines; the windows are left out.
///
/// # Errors
///
/// [`Error::Output`] where the writer fails; [`Error::Interrupted`].
pub fn sample_items(
    spec: &SampleSpec,
    out: &mut dyn Write,
    job: &Job<'_>,
) -> Result<SampleReport, Error> {
    let catalogue = Catalogue::new(spec.seed, spec.customers);
    let Job { interrupt, progress, .. } = *job;
    let maker = Maker { spec, catalogue, windows: Vec::new(), interrupt, progress };
    let mut expected = Expected::default();
    let (mut bytes, mut items) = (0, 0);
    let write = || {
        maker.customers(0, 1, 0, &mut expected, &mut |lines, count| {
            bytes += lines.len() as u64;
            items += count;
            out.write_all(lines).map_err(Error::Output)
        })
    };
    job.step("sample", spec.customers * CUSTOMER_BYTES, write, |(), _| String::new())?;
    Ok(SampleReport { exports: Vec::new(), items, bytes, stored_bytes: bytes, expected })
}

/// Takes lines and the number of items in them.
type Push<'a> = &'a mut dyn FnMut(&[u8], u64) -> Result<(), Error>;

struct Maker<'a> {
    spec: &'a SampleSpec,
    catalogue: Catalogue,
    windows: Vec<Window>,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
}

impl Maker<'_> {
    /// The files of an export: the full one is 0, those after it are numbered as their windows.
    fn export(
        &self,
        export: &ExportFolder,
        number: usize,
        jobs: NonZeroUsize,
    ) -> Result<(Vec<Listed>, Expected), Error> {
        let files = u64::from(self.spec.files.get());
        let next = AtomicU64::new(0);
        let work = || {
            let (mut made, mut expected) = (Vec::new(), Expected::default());
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= files {
                    return Ok((made, expected));
                }
                let mut file = export.file(at, self.spec.digest())?;
                self.customers(at, files, number, &mut expected, &mut |lines, items| {
                    file.push(lines, items)
                })?;
                made.push((at, file.finish()?));
            }
        };
        let (mut made, mut expected) = (Vec::new(), Expected::default());
        thread::scope(|scope| -> Result<(), Error> {
            let threads: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                let (files, part) = match thread.join() {
                    Ok(result) => result?,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                made.extend(files);
                expected.merge(part);
            }
            Ok(())
        })?;
        made.sort_by_key(|(at, _)| *at);
        Ok((made.into_iter().map(|(_, file)| file).collect(), expected))
    }

    /// Every `step`th customer from the `first`, as lines of an export.
    fn customers(
        &self,
        first: u64,
        step: u64,
        export: usize,
        expected: &mut Expected,
        push: Push<'_>,
    ) -> Result<(), Error> {
        let (mut lines, mut items) = (Vec::with_capacity(2 * PIECE), 0);
        let (before, window) = match export.checked_sub(1) {
            Some(last) => self.windows.split_at(last.min(self.windows.len())),
            None => (&[][..], &[][..]),
        };
        let mut changes: Vec<Change> = Vec::new();
        let mut index = first;
        while index < self.spec.customers {
            let mut customer = Customer::new(self.spec.seed, index, &self.catalogue);
            for window in before.iter().chain(window.first()) {
                changes.clear();
                customer.advance(self.spec.seed, *window, &self.catalogue, &mut changes);
            }
            expected.add(&customer);
            if window.is_empty() {
                customer.items(|item| {
                    lines.extend_from_slice(b"{\"Item\":");
                    lines.extend_from_slice(item);
                    lines.extend_from_slice(b"}\n");
                    items += 1;
                });
            } else {
                changes.iter().for_each(|change| change.write(&mut lines));
                items += changes.len() as u64;
            }
            index += step;
            if lines.len() >= PIECE || index >= self.spec.customers {
                if self.interrupt.is_set() {
                    return Err(Error::Interrupted);
                }
                push(&lines, items)?;
                self.progress.add(lines.len() as u64, items);
                lines.clear();
                items = 0;
            }
        }
        Ok(())
    }
}

impl SampleSpec {
    /// Names what a sample's files hold: another sample has other names.
    fn digest(&self) -> u64 {
        let files = u64::from(self.files.get());
        self.seed.rotate_left(40) ^ self.customers.rotate_left(8) ^ files
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, io::Read};

    use super::*;

    fn run<T>(run: impl FnOnce(&Job<'_>) -> T) -> T {
        let (interrupt, progress) = (Interrupt::new(), Progress::default());
        run(&Job::new(NonZeroUsize::new(2).unwrap(), Timestamp::UNIX_EPOCH, &interrupt, &progress))
    }

    fn made(spec: &SampleSpec, to: &Path) -> SampleReport {
        run(|job| sample(spec, to, job)).unwrap()
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(self::files(&path));
            } else {
                files.insert(path.to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
        files
    }

    fn spec(files: u32) -> SampleSpec {
        let files = NonZeroU32::new(files).unwrap();
        SampleSpec::new(60).unwrap().with_files(files).with_windows(2).unwrap()
    }

    #[test]
    fn the_same_sample_is_the_same_bytes_and_no_other_is_written_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let report = made(&spec(4), dir.path());
        let first = files(dir.path());
        // Three exports with 4 data files, 4 manifests and a mark each.
        assert_eq!(first.len(), 3 * (4 + 4 + 1));
        made(&spec(4), dir.path());
        assert_eq!(files(dir.path()), first);
        let other = spec(4).with_seed(2);
        let refused = run(|job| sample(&other, dir.path(), job));
        assert!(matches!(refused, Err(Error::Occupied { .. })), "{refused:?}");
        assert_eq!(report.exports.len(), 3);
        assert!(report.exports[0].id.starts_with("01704067200000-"), "{report:?}");
    }

    #[test]
    fn what_is_expected_does_not_depend_on_the_files() {
        let (one, four) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, four) = (made(&spec(1), one.path()), made(&spec(4), four.path()));
        assert_eq!((one.expected, one.items, one.bytes), (four.expected, four.items, four.bytes));
    }

    /// The sums are made from the customers; the lines of the export say the same.
    #[test]
    fn the_exports_come_to_what_is_expected() {
        let dir = tempfile::tempdir().unwrap();
        let report = made(&spec(3), dir.path());
        let mut table: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        // The full export's id sorts first; windows share a folder, so their changes are put into
        // the order of their time.
        let mut changes = Vec::new();
        for (name, bytes) in files(dir.path()) {
            if !name.ends_with(".gz") {
                continue;
            }
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let key = |item: &serde_json::Value| format!("{}{}", item["PK"], item["SK"]);
                if let Some(item) = line.get("Item") {
                    assert!(table.insert(key(item), item.clone()).is_none());
                } else {
                    let micros = line["Metadata"]["WriteTimestampMicros"]["N"].as_str().unwrap();
                    changes.push((micros.to_owned(), key(&line["Keys"]), line));
                }
            }
        }
        changes.sort_by(|left, right| left.0.cmp(&right.0));
        assert!(changes.len() > 10);
        for (_, key, change) in changes {
            assert_eq!(change.get("OldImage"), table.get(&key), "{key}");
            match change.get("NewImage") {
                Some(new) => table.insert(key, new.clone()),
                None => table.remove(&key),
            };
        }
        let of =
            |kind: &str| table.values().filter(|item| item["type"]["S"] == kind).count() as u64;
        let expected = &report.expected;
        assert_eq!(of("customer"), expected.customers);
        assert_eq!((of("order"), of("product")), (expected.orders, expected.lines));
        let cents: f64 = table
            .values()
            .filter_map(|item| item["price"]["N"].as_str())
            .map(|price| price.parse::<f64>().unwrap() * 100.0)
            .sum();
        assert_eq!(cents.round() as u64, expected.cents);
        assert_eq!(expected.sales.values().map(|sales| sales.cents).sum::<u64>(), expected.cents);
    }

    #[test]
    fn items_are_those_of_the_full_export() {
        let mut lines = Vec::new();
        let spec = spec(1).with_windows(0).unwrap();
        let report = run(|job| sample_items(&spec, &mut lines, job)).unwrap();
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count() as u64, report.items);
        let dir = tempfile::tempdir().unwrap();
        let export = made(&spec, dir.path());
        assert_eq!((export.items, &export.expected), (report.items, &report.expected));
        assert!(lines.starts_with(b"{\"Item\":{\"PK\":{\"S\":\"CUST#"));
    }
}
