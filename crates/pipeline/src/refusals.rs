//! What a service refused that loaded the files of a run. It counts items, and names them by file and
//! number; a run counts records, and every one that is not whole in the table was rejected.

use std::collections::{BTreeMap, BTreeSet};

use keystar_transfer::{ImportFile, ItemError, Origin, WrittenItem};

use crate::{
    Error, Report,
    names::Names,
    rejects::{NOT_OURS, REFUSED, RejectFile, Rejected},
    report,
    text::{count, plural},
};

/// The refused items of a load.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Those that lie in the run's files, by file and number, with the service's words.
    named: BTreeMap<(String, u64), Vec<String>>,
    /// Those that lie elsewhere: in a file, or behind the end of a file, that the run did not write.
    foreign: Vec<ItemError>,
    /// Items of the run that are not in the table.
    missing: u64,
}

impl Refusals {
    /// Sorts what the service told. `files` are those that it was to load, and `written` is how many
    /// items it did.
    pub(crate) fn new(files: &[ImportFile], written: u64, errors: &[ItemError]) -> Self {
        let expected: u64 = files.iter().map(|file| file.items).sum();
        let mut refusals = Self { missing: expected.saturating_sub(written), ..Self::default() };
        // The files may have been copied for the load: only the last part of a name stays.
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let ours: BTreeMap<String, &ImportFile> =
            files.iter().map(|file| (last(&file.key), file)).collect();
        for error in errors {
            let (Some(file), Some(index)) = (&error.file, error.index) else { continue };
            match ours.get(&last(file)).filter(|file| index < file.items) {
                Some(file) => {
                    let reasons = refusals.named.entry((file.key.clone(), index)).or_default();
                    let new = error.reasons.iter().filter(|reason| !reasons.contains(reason));
                    let new: Vec<String> = new.cloned().collect();
                    reasons.extend(new);
                }
                None if !refusals.foreign.contains(error) => refusals.foreign.push(error.clone()),
                None => {}
            }
        }
        refusals
    }

    /// Where the items lie that were named.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.named.keys().cloned()
    }

    /// Counts the records as rejected that were counted as written, and names them in the reject
    /// file. `found` says which items and records are at the places, `names` the records' keys.
    pub(crate) fn set_aside(
        self,
        found: &BTreeMap<(String, u64), WrittenItem>,
        names: &Names,
        report: &mut Report,
        rejects: &mut RejectFile,
    ) -> Result<(), Error> {
        let mut records: BTreeMap<Origin, Vec<String>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for ((file, index), reasons) in &self.named {
            let reasons = reasons.join("; ");
            match found.get(&(file.clone(), *index)) {
                Some(WrittenItem { key, origin, .. }) => {
                    let told = format!("{key} ({file}, item {index}): {reasons}");
                    records.entry(*origin).or_default().push(told);
                }
                None => unknown.push(format!("{file}, item {index}: {reasons}")),
            }
        }
        let items: u64 = records.values().map(|items| items.len() as u64).sum();
        let unnamed = self.missing.saturating_sub(items);
        for (origin, items) in &records {
            let detail = format!("the table does not take its item {}", items.join(", nor "));
            rejects.push(&names.rejected(origin.0, REFUSED, detail))?;
        }
        for told in unknown.into_iter().chain(self.foreign.iter().map(ToString::to_string)) {
            let detail = format!("the run did not write what was refused here: {told}");
            rejects.push(&Rejected::unknown(NOT_OURS, detail))?;
        }
        let counts = &mut report.counts;
        if unnamed > 0 {
            let (items, are) = (plural(unnamed, "item"), if unnamed == 1 { "is" } else { "are" });
            let detail = format!(
                "{items} that no log or report names, as far as it was read, {are} not in the table"
            );
            rejects.push(&Rejected::unknown(REFUSED, detail))?;
            // Of a record with several items nobody knows how many are lost together.
            let exact = counts.items == counts.written;
            let most = if exact { String::new() } else { format!(", {} at most", count(unnamed)) };
            report.warnings.push(format!(
                "{items} {are} not in the table, and no log or report, as far as it was read, says \
                 which: counted as rejected records{most}"
            ));
        }
        let rejected = (records.len() as u64 + unnamed).min(counts.written);
        counts.written -= rejected;
        // The service counts what it found in foreign files too: then less seems to be missing.
        counts.items = counts.items.saturating_sub(self.missing.max(items));
        if rejected > 0 {
            report::count(&mut counts.rejected, REFUSED, rejected);
        }
        Ok(())
    }

    /// The records whose keys are of interest.
    pub(crate) fn offsets(found: &BTreeMap<(String, u64), WrittenItem>) -> BTreeSet<u64> {
        found.values().map(|item| item.origin.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use keystar_rdb::Db;
    use tempfile::TempDir;

    use super::*;
    use crate::{Counts, rejects};

    const REPORT: &str = r#"{"run":"","from":"","to":"","rejects":"","complete":true,"counts":{"read":0,
        "written":0,"filtered":{},"expired":0,"rejected":{},"expired_kept":0,"items":0},"losses":{},
        "format_losses":{},"notes":{},"warnings":[],"files":2,"bytes":0,"stored_bytes":0,"seconds":0}"#;

    /// A run with two files, and what the service told of it.
    struct World {
        folder: TempDir,
        files: Vec<ImportFile>,
        found: BTreeMap<(String, u64), WrittenItem>,
        names: Names,
        report: Report,
    }

    impl World {
        /// `items` of each file, by the record that they are of.
        fn new(records: u64, items: [&[u64]; 2]) -> Self {
            let mut world = Self {
                folder: tempfile::tempdir().unwrap(),
                files: Vec::new(),
                found: BTreeMap::new(),
                names: Names::default(),
                report: serde_json::from_str(REPORT).unwrap(),
            };
            for (number, origins) in items.iter().enumerate() {
                let key = format!("data/{number}.json");
                for (index, origin) in origins.iter().enumerate() {
                    let item = WrittenItem::new(format!("k={index}"), Origin(*origin));
                    world.found.insert((key.clone(), index as u64), item);
                    world.names.add(*origin, Db(1), format!("key{origin}").as_bytes());
                }
                let file = format!(
                    r#"{{"key":"{key}","items":{},"bytes":0,"stored_bytes":0,"sha256":""}}"#,
                    origins.len()
                );
                world.files.push(serde_json::from_str(&file).unwrap());
            }
            let items = items.iter().map(|items| items.len() as u64).sum();
            world.report.counts =
                Counts { read: records, written: records, items, ..Counts::default() };
            world
        }

        /// The counts of written and rejected records and of items, and the reject file.
        fn set_aside(
            &mut self,
            written: u64,
            errors: &[ItemError],
        ) -> (u64, u64, u64, Vec<String>) {
            let path = self.folder.path().join("rejects.jsonl");
            let mut file = RejectFile::open(path.clone(), 0).unwrap();
            let refusals = Refusals::new(&self.files, written, errors);
            // Whoever looks finds only what is asked for.
            let places: BTreeSet<_> = refusals.places().collect();
            let found = self.found.clone().into_iter().filter(|(at, _)| places.contains(at));
            refusals.set_aside(&found.collect(), &self.names, &mut self.report, &mut file).unwrap();
            file.commit().unwrap();
            let lines = rejects::read(&path).unwrap().into_iter().map(|line| {
                let offset = line.offset.map_or_else(|| "-".to_owned(), |at| at.to_string());
                format!("{} {} {} {} {}", line.db, line.key, offset, line.reason, line.detail)
            });
            let counts = &self.report.counts;
            assert!(counts.add_up(), "{counts:?}");
            (counts.written, counts.rejected(), counts.items, lines.collect())
        }
    }

    fn error(file: &str, index: u64, reason: &str) -> ItemError {
        let (file, reasons) = (format!("stage/{file}"), vec![reason.to_owned()]);
        ItemError::new(Some(file), Some(index), reasons)
    }

    #[test]
    fn an_item_that_is_named_rejects_its_record() {
        let mut world = World::new(10, [&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]]);
        let errors = [
            error("sample-x/1.json", 4, "too big"),
            error("data/0.json", 1, "no"),
            error("data/0.json", 1, "no"),
            error("data/0.json", 1, "never"),
        ];
        let line = |n, index, file, why| {
            format!(
                "1 key{n} {n} refused the table does not take its item k={index} (data/{file}.json, \
                 item {index}): {why}"
            )
        };
        let lines = vec![line(2, 1, 0, "no; never"), line(10, 4, 1, "too big")];
        assert_eq!(world.set_aside(8, &errors), (8, 2, 8, lines));
        assert_eq!(world.report.warnings, [""; 0]);
    }

    #[test]
    fn a_record_of_several_items_is_rejected_once() {
        let mut world = World::new(2, [&[1, 1, 2], &[1, 2, 2]]);
        let errors = [error("data/0.json", 0, "a"), error("data/1.json", 0, "b")];
        let (written, rejected, items, lines) = world.set_aside(4, &errors);
        assert_eq!((written, rejected, items), (1, 1, 4));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("(data/0.json, item 0): a, nor k=0 (data/1.json, item 0): b"));
    }

    #[test]
    fn what_no_log_names_is_counted_and_told() {
        let mut world = World::new(10, [&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]]);
        let broken = ItemError::new(Some("data/0.json".to_owned()), None, vec!["cut".to_owned()]);
        let (written, rejected, items, lines) =
            world.set_aside(6, &[broken, error("data/0.json", 3, "no")]);
        assert_eq!((written, rejected, items, lines.len()), (6, 4, 6, 2));
        assert_eq!(
            lines[1],
            "0  - refused 3 items that no log or report names, as far as it was read, are not in the \
             table"
        );
        let told = "3 items are not in the table, and no log or report, as far as it was read, says \
                    which: counted as rejected records";
        assert_eq!(world.report.warnings, [told]);

        // Of two records with five items each at most two are lost.
        let mut world = World::new(2, [&[1, 1, 1, 1, 1], &[2, 2, 2, 2, 2]]);
        let (written, rejected, items, _) = world.set_aside(6, &[]);
        assert_eq!((written, rejected, items), (0, 2, 6));
        assert_eq!(world.report.warnings, [format!("{}, 4 at most", told.replace('3', "4"))]);
    }

    #[test]
    fn items_of_others_stand_in_for_none_of_ours() {
        let mut world = World::new(10, [&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]]);
        let errors = [error("data/0.json", 1, "no"), error("data/1.json", 2, "no")];
        // Eight of ours, and one or two that were beside them.
        let (written, rejected, items, lines) = world.set_aside(9, &errors);
        assert_eq!((written, rejected, items, lines.len()), (8, 2, 8, 2));
        let mut world = World::new(10, [&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]]);
        assert_eq!(world.set_aside(10, &errors).2, 8);
    }

    #[test]
    fn what_is_not_ours_is_told_and_not_counted() {
        let mut world = World::new(10, [&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]]);
        let errors = [error("data/0.json", 5, "behind"), error("data/z.json", 0, "beside")];
        world.found.remove(&("data/1.json".to_owned(), 2));
        let errors = [&errors[..], &[error("data/1.json", 2, "between")]].concat();
        let line = |place, why| {
            format!("0  - not_ours the run did not write what was refused here: {place}: {why}")
        };
        let lines = vec![
            line("data/1.json, item 2", "between"),
            line("stage/data/0.json, item 5", "behind"),
            line("stage/data/z.json, item 0", "beside"),
        ];
        assert_eq!(world.set_aside(10, &errors), (10, 0, 10, lines));
    }
}
