//! One thread's share of a load: lines in, rows out.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use keystar_item::scan::{ItemView, MapView, RawText, RecordView, Tape, ValueView};
use keystar_star::{Drift, LockedColumn, Name, TimeFormat, Type, UnnestOver};
use xxhash_rust::xxh3::Xxh3;

use crate::build::Shared;
use crate::cells::Cells;
use crate::reject::{Misfit, Reject, Rejects};
use crate::router::{Found, Memory, Plan, Step, Use, key_text};
use crate::table::{Stamp, Table, TableReport};
use crate::{Error, LoadKind, Reason};

/// Reads lines into rows: one thread's share of a [`LakeBuild`](crate::LakeBuild).
#[derive(Debug)]
pub struct LakeTask {
    shared: Arc<Shared>,
    index: u32,
    tape: Tape,
    rows: Rows,
}

/// What one task has written: the argument of [`LakeBuild::commit`](crate::LakeBuild::commit).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// The task.
    pub index: u32,
    /// What it read and what became of it.
    pub counts: Counts,
    pub(crate) tables: Vec<TableReport>,
    pub(crate) unknown: TableReport,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) changes: Vec<Change>,
}

/// What became of the items that were read: `read` is the sum of `written`, `removed`, `unknown`
/// and `rejected`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Lines that hold an item or a change; blank ones do not count.
    pub read: u64,
    /// Items that became a row of their entity.
    pub written: u64,
    /// Changes that remove an item.
    pub removed: u64,
    /// Items of no entity.
    pub unknown: u64,
    /// Items that were set aside, by reason.
    pub rejects: BTreeMap<Reason, u64>,
    /// Members of lists and maps that became no row of their child entity, by reason.
    pub rejected_members: BTreeMap<Reason, u64>,
    /// Of both, those that [`Drift::DiscardRow`] left out: they are in no reject file.
    pub discarded: u64,
    /// Rows by entity, children too.
    pub rows: BTreeMap<String, u64>,
    /// What differed from the model, by entity and attribute (or column): how many values.
    pub drift: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Counts {
    /// Items that were set aside, for any reason.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.written += other.written;
        self.removed += other.removed;
        self.unknown += other.unknown;
        self.discarded += other.discarded;
        for (mine, others) in [
            (&mut self.rejects, &other.rejects),
            (&mut self.rejected_members, &other.rejected_members),
        ] {
            others.iter().for_each(|(reason, count)| *mine.entry(*reason).or_default() += count);
        }
        for (entity, rows) in &other.rows {
            *self.rows.entry(entity.clone()).or_default() += rows;
        }
        for (entity, attributes) in &other.drift {
            let mine = self.drift.entry(entity.clone()).or_default();
            for (attribute, count) in attributes {
                *mine.entry(attribute.clone()).or_default() += count;
            }
        }
    }
}

/// A key that a window changes, and when.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Change {
    pub(crate) key: u128,
    pub(crate) written_at: i64,
    pub(crate) line: u64,
}

/// What identifies an item among all of its table's: 128 bits of a hash of its key.
pub(crate) fn key_hash(pk: &str, sk: Option<&str>) -> u128 {
    let mut hash = Xxh3::new();
    // The length first, so that ("a", "bc") and ("ab", "c") are two keys.
    hash.update(&(pk.len() as u64).to_le_bytes());
    hash.update(pk.as_bytes());
    if let Some(sk) = sk {
        hash.update(b"\0");
        hash.update(sk.as_bytes());
    }
    hash.digest128()
}

impl LakeTask {
    pub(crate) fn new(shared: Arc<Shared>, index: u32) -> Result<Self, Error> {
        let stem = format!("{}-{index:04}", shared.stem);
        let mut tables = Vec::with_capacity(shared.router.entities.len());
        for plan in &shared.router.entities {
            let folder = shared.temporary_folder(plan.name.as_str());
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            let columns = plan.columns.iter().map(|column| (column.name.as_str(), &column.ty));
            let evolves = plan.drift == Drift::Evolve;
            tables.push(Table::new(&folder, &stem, columns, &shared.options, evolves));
        }
        let folder = shared.temporary_folder(UNKNOWN_ENTITY);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let item = unknown_column();
        let columns = std::iter::once((item.name.as_str(), &item.ty));
        let unknown = Table::new(&folder, &stem, columns, &shared.options, false);
        let rejects =
            Rejects::new(shared.temporary_folder("rejects").join(format!("part-{index:04}.jsonl")));
        let folder = shared.temporary_folder("rejects");
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let memory = Memory::new(&shared.router);
        let drift = vec![HashMap::new(); tables.len()];
        let rows = Rows {
            tables,
            unknown,
            rejects,
            memory,
            found: Vec::new(),
            counts: Counts::default(),
            drift,
            changes: Vec::new(),
        };
        Ok(Self { shared, index, tape: Tape::new(), rows })
    }

    /// Takes a block of whole lines of an export's file; `first_line` is the number of the first,
    /// from 1. Blank lines are passed over, the last may lack its newline.
    ///
    /// Of a full export, a line is `{"Item":{…}}` or an item as the API writes it; of an
    /// incremental one, a record with `Metadata`, `Keys` and images.
    ///
    /// # Errors
    ///
    /// [`Error::Drift`] for what a frozen entity does not know, and when the lake cannot be
    /// written. What cannot be read or does not fit is no error: it is set aside and counted.
    pub fn push(&mut self, file: &str, first_line: u64, lines: &[u8]) -> Result<(), Error> {
        let Self { shared, tape, rows, .. } = self;
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', lines).chain(std::iter::once(lines.len()));
        for (number, end) in (first_line..).zip(ends) {
            let text = lines.get(start..end).unwrap_or_default().trim_ascii();
            start = end + 1;
            if !text.is_empty() {
                let line = Line { shared, file, number, text };
                rows.counts.read += 1;
                match shared.kind {
                    LoadKind::Full { written_at } => rows.item_line(tape, written_at, &line)?,
                    LoadKind::Incremental { .. } => rows.change_line(tape, &line)?,
                }
            }
        }
        rows.bound_memory(shared)
    }

    /// Writes what is left; nothing of it is in the lake before
    /// [`LakeBuild::commit`](crate::LakeBuild::commit).
    ///
    /// # Errors
    ///
    /// When the lake cannot be written.
    pub fn finish(self) -> Result<TaskReport, Error> {
        let Rows { tables, unknown, rejects, mut counts, drift, changes, .. } = self.rows;
        let tables = tables.into_iter().map(Table::finish).collect::<Result<Vec<_>, _>>()?;
        for ((plan, table), drift) in self.shared.router.entities.iter().zip(&tables).zip(drift) {
            counts.rows.insert(plan.name.to_string(), table.rows);
            if !drift.is_empty() {
                let drift = drift.into_iter().map(|(name, count)| (name.into(), count)).collect();
                counts.drift.insert(plan.name.to_string(), drift);
            }
        }
        Ok(TaskReport {
            index: self.index,
            tables,
            unknown: unknown.finish()?,
            rejects: rejects.finish()?,
            changes,
            counts,
        })
    }
}

/// What items of no entity are kept as.
pub(crate) const UNKNOWN_ENTITY: &str = "_unknown";

/// The column of their text. No limit: an item has at most 400 KB, and a landing table for these
/// is nobody's wish.
pub(crate) fn unknown_column() -> LockedColumn {
    LockedColumn::new(Name::fold("item"), Type::Text { max_bytes: u32::MAX })
}

/// A line at hand.
struct Line<'l> {
    shared: &'l Shared,
    file: &'l str,
    number: u64,
    text: &'l [u8],
}

#[derive(Debug)]
struct Rows {
    tables: Vec<Table>,
    unknown: Table,
    rejects: Rejects,
    memory: Memory,
    /// Empty between items; kept for its memory.
    found: Vec<Found<'static>>,
    counts: Counts,
    /// By entity: what differed.
    drift: Vec<HashMap<Box<str>, u64>>,
    changes: Vec<Change>,
}

/// Why a row ends early.
enum Stop {
    /// It was set aside.
    Aside,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A value of a parent whose members are rows of a child entity.
#[derive(Clone, Copy)]
struct Nested<'a> {
    entity: usize,
    value: ValueView<'a>,
}

/// Most attributes of one entity whose drift is told apart.
const MAX_DRIFT: usize = 10_000;
/// What stands for the others.
const OTHER_ATTRIBUTES: &str = "…";

impl Rows {
    fn item_line(
        &mut self,
        tape: &mut Tape,
        written_at: i64,
        line: &Line<'_>,
    ) -> Result<(), Error> {
        let error = match tape.scan_record(line.text) {
            Ok(record) => {
                return match record.part("Item") {
                    Some(item) => self.item(item, written_at, line),
                    None => self.unreadable(line, &"no Item in the line"),
                };
            }
            Err(error) => error,
        };
        // An item without the wrapping.
        match tape.scan(line.text) {
            Ok(item) => self.item(item, written_at, line),
            Err(_) => self.unreadable(line, &error),
        }
    }

    fn change_line(&mut self, tape: &mut Tape, line: &Line<'_>) -> Result<(), Error> {
        let record = match tape.scan_record(line.text) {
            Ok(record) => record,
            Err(error) => return self.unreadable(line, &error),
        };
        let Some(written_at) = written_at(record) else {
            return self.unreadable(line, &"no Metadata with a WriteTimestampMicros in the line");
        };
        let Some(keys) = record.part("Keys").or_else(|| record.part("NewImage")) else {
            return self.unreadable(line, &"no Keys in the line");
        };
        let router = &line.shared.router;
        let pk = keys.get(router.name(router.partition)).and_then(stamp_text);
        let sk = router.sort.map(|sort| keys.get(router.name(sort)).and_then(stamp_text));
        let (Some(pk), None | Some(Some(_))) = (&pk, &sk) else {
            return self.unreadable(line, &Misfit::NoKey);
        };
        let key = key_hash(pk, sk.flatten().as_deref());
        self.changes.push(Change { key, written_at, line: line.number });
        match record.part("NewImage") {
            Some(item) => self.item(item, written_at, line),
            None => {
                self.counts.removed += 1;
                Ok(())
            }
        }
    }

    fn item(&mut self, item: ItemView<'_>, written_at: i64, line: &Line<'_>) -> Result<(), Error> {
        let mut found = std::mem::take(&mut self.found);
        line.shared.router.look(item, &mut self.memory, &mut found);
        let result = self.found_item(&found, item, written_at, line);
        self.found = recycle(found);
        result
    }

    fn found_item(
        &mut self,
        found: &[Found<'_>],
        item: ItemView<'_>,
        written_at: i64,
        line: &Line<'_>,
    ) -> Result<(), Error> {
        let router = &line.shared.router;
        let key = |number| self.memory.find(found, number).and_then(stamp_text);
        let pk = key(router.partition);
        let sk = router.sort.map(key);
        let (Some(pk), None | Some(Some(_))) = (&pk, &sk) else {
            return self.set_aside(None, None, Misfit::NoKey, line);
        };
        let stamp = Stamp { pk, sk: sk.as_ref().and_then(Option::as_deref), written_at };
        let Some(entity) = router.route(found, &self.memory) else {
            if let Some(cells) = self.unknown.columns.first_mut()
                && let Ok(text) = std::str::from_utf8(item.text())
                && cells.push_part(text).is_ok()
            {
                self.counts.unknown += 1;
                self.unknown.commit(&stamp, line.text.len())?;
                self.unknown.encode_if_full()?;
            }
            return Ok(());
        };
        let Some(plan) = router.entities.get(entity) else { return Ok(()) };
        let mut nested = Vec::new();
        let bytes = line.text.len();
        match self.row(entity, plan, &stamp, line, bytes, false, |row| {
            row.attributes(found, &mut nested)
        })? {
            true => self.counts.written += 1,
            false => return Ok(()),
        }
        for nested in nested {
            self.members(entity, nested, &stamp, line)?;
        }
        if let Some(table) = self.tables.get_mut(entity) {
            table.encode_if_full()?;
        }
        Ok(())
    }

    /// Fills a row; says whether it stays.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "a struct of them would be used once")]
    fn row(
        &mut self,
        entity: usize,
        plan: &Plan,
        stamp: &Stamp<'_>,
        line: &Line<'_>,
        bytes: usize,
        is_member: bool,
        fill: impl FnOnce(&mut Row<'_>) -> Result<(), Stop>,
    ) -> Result<bool, Error> {
        let (Some(table), Some(drift)) = (self.tables.get_mut(entity), self.drift.get_mut(entity))
        else {
            return Ok(false);
        };
        let mut row = Row {
            at: table.row(),
            table,
            plan,
            line,
            counts: &mut self.counts,
            rejects: &mut self.rejects,
            drift,
            is_member,
        };
        match fill(&mut row).and_then(|()| row.end()) {
            Ok(()) => {
                row.table.commit(stamp, bytes)?;
                Ok(true)
            }
            Err(Stop::Aside) => {
                row.table.abort();
                Ok(false)
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Makes rows of a child entity of a value's members.
    fn members(
        &mut self,
        parent: usize,
        nested: Nested<'_>,
        stamp: &Stamp<'_>,
        line: &Line<'_>,
    ) -> Result<(), Error> {
        let Nested { entity, value } = nested;
        let Some(plan) = line.shared.router.entities.get(entity) else { return Ok(()) };
        match (plan.unnest, value) {
            (_, ValueView::Null) => Ok(()),
            (Some(UnnestOver::List), ValueView::L(list)) => {
                let members = list.iter().zip(0..).map(|(value, at)| (at, None, value));
                self.each_member(parent, entity, plan, members, stamp, line)
            }
            (Some(UnnestOver::List), ValueView::Ss(set)) => {
                let members = set.iter().zip(0..).map(|(text, at)| (at, None, ValueView::S(text)));
                self.each_member(parent, entity, plan, members, stamp, line)
            }
            (Some(UnnestOver::List), ValueView::Ns(set)) => {
                let members = set.iter().zip(0..).map(|(text, at)| (at, None, ValueView::N(text)));
                self.each_member(parent, entity, plan, members, stamp, line)
            }
            (Some(UnnestOver::List), ValueView::Bs(set)) => {
                let members = set.iter().zip(0..).map(|(text, at)| (at, None, ValueView::B(text)));
                self.each_member(parent, entity, plan, members, stamp, line)
            }
            (Some(UnnestOver::Map), ValueView::M(map)) => {
                let members =
                    map.iter().zip(0..).map(|((name, value), at)| (at, Some(name), value));
                self.each_member(parent, entity, plan, members, stamp, line)
            }
            (over, value) => {
                let expected = if over == Some(UnnestOver::Map) { "M" } else { "L" };
                let misfit = Misfit::WrongType { expected, found: value.type_name() };
                self.row(entity, plan, stamp, line, 0, true, |row| {
                    row.misfit("the list or map of the rows", misfit)?;
                    Err(Stop::Aside)
                })
                .map(|_| ())
            }
        }
    }

    fn each_member<'a>(
        &mut self,
        parent: usize,
        entity: usize,
        plan: &Plan,
        members: impl Iterator<Item = (i64, Option<RawText<'a>>, ValueView<'a>)>,
        stamp: &Stamp<'_>,
        line: &Line<'_>,
    ) -> Result<(), Error> {
        for (position, name, value) in members {
            let mut nested = Vec::new();
            let bytes = value_bytes(value) + name.map_or(0, |name| name.raw().len());
            let copied = self.copy_parent(parent, entity, plan);
            let stays = self.row(entity, plan, stamp, line, bytes, true, |row| {
                if let Err((column, misfit)) = copied {
                    row.column_misfit(column, None, misfit)?;
                }
                row.member(position, name, value, &mut nested)
            })?;
            if stays {
                for nested in nested {
                    self.members(entity, nested, stamp, line)?;
                }
            }
            if let Some(table) = self.tables.get_mut(entity) {
                table.encode_if_full()?;
            }
        }
        Ok(())
    }

    /// Copies the columns that a child has of its parent, whose row is the last of its table.
    fn copy_parent(
        &mut self,
        parent: usize,
        entity: usize,
        plan: &Plan,
    ) -> Result<(), (usize, Misfit)> {
        let Ok([from, to]) = self.tables.get_disjoint_mut([parent, entity]) else { return Ok(()) };
        for (source, target) in &plan.members.parent {
            let (Some(source), Some(cells)) =
                (from.columns.get(*source), to.columns.get_mut(*target))
            else {
                continue;
            };
            let row = from.row().saturating_sub(1);
            cells.push_copy(source, row).map_err(|misfit| (*target, misfit))?;
        }
        Ok(())
    }

    #[cold]
    fn unreadable(&mut self, line: &Line<'_>, detail: &dyn fmt::Display) -> Result<(), Error> {
        *self.counts.rejects.entry(Reason::Unreadable).or_default() += 1;
        self.rejects.write(&Reject {
            file: line.file,
            line: line.number,
            entity: None,
            column: None,
            reason: Reason::Unreadable,
            detail,
            item: line.text,
            is_json: false,
        })
    }

    #[cold]
    fn set_aside(
        &mut self,
        entity: Option<&str>,
        column: Option<&str>,
        misfit: Misfit,
        line: &Line<'_>,
    ) -> Result<(), Error> {
        *self.counts.rejects.entry(misfit.reason()).or_default() += 1;
        self.rejects.write(&line.reject(entity, column, misfit.reason(), &misfit))
    }

    /// Writes early what would otherwise take more memory than the task may have. What is written
    /// when follows from the lines alone.
    fn bound_memory(&mut self, shared: &Shared) -> Result<(), Error> {
        let tables = || self.tables.iter().chain(std::iter::once(&self.unknown));
        let waiting: usize = tables().map(Table::waiting_bytes).sum();
        let half = shared.options.task_bytes / 2;
        if waiting > half {
            for table in self.tables.iter_mut().chain(std::iter::once(&mut self.unknown)) {
                table.encode()?;
            }
        }
        loop {
            let tables = self.tables.iter_mut().chain(std::iter::once(&mut self.unknown));
            let (mut total, mut largest) = (0, None::<(usize, &mut Table)>);
            for table in tables {
                let bytes = table.encoded_bytes();
                total += bytes;
                if largest.as_ref().is_none_or(|(most, _)| bytes > *most) {
                    largest = Some((bytes, table));
                }
            }
            match largest {
                Some((bytes, table)) if total > half && bytes > 0 => table.flush()?,
                _ => return Ok(()),
            }
        }
    }
}

impl<'l> Line<'l> {
    fn reject<'r>(
        &'r self,
        entity: Option<&'r str>,
        column: Option<&'r str>,
        reason: Reason,
        detail: &'r dyn fmt::Display,
    ) -> Reject<'r> {
        Reject {
            file: self.file,
            line: self.number,
            entity,
            column,
            reason,
            detail,
            item: self.text,
            is_json: true,
        }
    }
}

/// The row at hand.
struct Row<'r> {
    table: &'r mut Table,
    at: usize,
    plan: &'r Plan,
    line: &'r Line<'r>,
    counts: &'r mut Counts,
    rejects: &'r mut Rejects,
    drift: &'r mut HashMap<Box<str>, u64>,
    is_member: bool,
}

impl Row<'_> {
    #[inline(always)]
    fn attributes<'a>(
        &mut self,
        found: &[Found<'a>],
        nested: &mut Vec<Nested<'a>>,
    ) -> Result<(), Stop> {
        for found in found {
            match self.plan.use_of(found.number) {
                Use::Column(column) => self.value(column, found.value)?,
                Use::Nothing => {}
                Use::Steps(from, to) => {
                    for step in self.plan.steps(from, to) {
                        self.step(step, found.value, nested)?;
                    }
                }
                Use::Drift => self.new_attribute(found.name, found.value)?,
            }
        }
        Ok(())
    }

    fn member<'a>(
        &mut self,
        position: i64,
        name: Option<RawText<'a>>,
        value: ValueView<'a>,
        nested: &mut Vec<Nested<'a>>,
    ) -> Result<(), Stop> {
        let members = &self.plan.members;
        for column in &members.position {
            self.put(*column, |cells| cells.push_known(position), None)?;
        }
        if let Some(name) = name {
            for column in &members.entry {
                self.put(*column, |cells| cells.push_part(&name.as_str()), None)?;
            }
        }
        for column in &members.element {
            self.value(*column, value)?;
        }
        match value {
            ValueView::M(map) if members.element.is_empty() => {
                for (name, value) in map {
                    let steps = match name.as_plain() {
                        Some(name) => members.attributes.get(name),
                        None => members.attributes.get(&*name.as_str()),
                    };
                    match steps {
                        Some(steps) => {
                            for step in steps {
                                self.step(step, value, nested)?;
                            }
                        }
                        None => self.new_attribute(name, value)?,
                    }
                }
                Ok(())
            }
            ValueView::Null => Ok(()),
            value if members.element.is_empty() && !members.attributes.is_empty() => {
                let misfit = Misfit::WrongType { expected: "M", found: value.type_name() };
                self.misfit("the member", misfit)
            }
            _ => Ok(()),
        }
    }

    fn step<'a>(
        &mut self,
        step: &Step,
        value: ValueView<'a>,
        nested: &mut Vec<Nested<'a>>,
    ) -> Result<(), Stop> {
        match step {
            Step::Value { column, path } => match walk(value, path) {
                Ok(Some(value)) => self.value(*column, value),
                Ok(None) => Ok(()),
                Err(misfit) => self.column_misfit(*column, None, misfit),
            },
            Step::Parts { form, columns } => {
                let Some(text) = key_text(value) else { return Ok(()) };
                for (variable, column) in columns {
                    if let Some(part) = form.part(&text, variable) {
                        self.put(*column, |cells| cells.push_part(part), None)?;
                    }
                }
                Ok(())
            }
            Step::IsNull { column, path } => match walk(value, path) {
                Ok(Some(value)) => {
                    let is_null = i64::from(matches!(value, ValueView::Null));
                    self.put(*column, |cells| cells.push_known(is_null), None)
                }
                Ok(None) => Ok(()),
                Err(misfit) => self.column_misfit(*column, None, misfit),
            },
            Step::Members { entity, path } => {
                match walk(value, path) {
                    Ok(Some(value)) => nested.push(Nested { entity: *entity, value }),
                    Ok(None) => {}
                    Err(misfit) => self.misfit("the list or map of the rows", misfit)?,
                }
                Ok(())
            }
        }
    }

    /// NULL is as good as nothing: the row's end fills it in.
    #[inline(always)]
    fn value(&mut self, column: usize, value: ValueView<'_>) -> Result<(), Stop> {
        if matches!(value, ValueView::Null) {
            return Ok(());
        }
        self.put(column, |cells| cells.push(value), Some(value))
    }

    #[inline(always)]
    fn put(
        &mut self,
        column: usize,
        push: impl FnOnce(&mut Cells) -> Result<(), Misfit>,
        value: Option<ValueView<'_>>,
    ) -> Result<(), Stop> {
        let Some(cells) = self.table.columns.get_mut(column) else { return Ok(()) };
        match push(cells) {
            Ok(()) => Ok(()),
            Err(misfit) => self.column_misfit(column, value, misfit),
        }
    }

    /// Fills what is missing.
    #[inline(always)]
    fn end(&mut self) -> Result<(), Stop> {
        for at in 0..self.table.columns.len() {
            if self.table.columns.get(at).is_some_and(|cells| cells.len() == self.at) {
                let required = self.plan.columns.get(at).is_some_and(|column| column.required);
                let is_kept = self.table.evolution.as_ref().is_some_and(|kept| kept.has(at));
                if required && !is_kept {
                    self.missing(at)?;
                }
                if let Some(cells) = self.table.columns.get_mut(at) {
                    cells.push_null();
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn missing(&mut self, column: usize) -> Result<(), Stop> {
        let name = self.plan.columns.get(column).map_or("", |column| column.name.as_str());
        self.misfit(name, Misfit::Missing)?;
        // Even where values may be left out, a row without a required one is none.
        self.aside(name, Misfit::Missing, self.plan.drift != Drift::DiscardRow)
    }

    /// A value does not fit its column.
    #[cold]
    fn column_misfit(
        &mut self,
        column: usize,
        value: Option<ValueView<'_>>,
        misfit: Misfit,
    ) -> Result<(), Stop> {
        let Some(planned) = self.plan.columns.get(column) else { return Ok(()) };
        if let (Some(evolution), Some(value)) = (&mut self.table.evolution, value)
            && evolution.keep_value(column, &planned.ty, value)
        {
            self.drifted(planned.name.as_str());
            return Ok(());
        }
        self.misfit(planned.name.as_str(), misfit)
    }

    /// Something does not fit; does what the entity's drift says.
    #[cold]
    fn misfit(&mut self, name: &str, misfit: Misfit) -> Result<(), Stop> {
        self.drifted(name);
        match self.plan.drift {
            Drift::Freeze => Err(self.frozen(name, misfit.reason(), &misfit)),
            Drift::DiscardValue => Ok(()),
            Drift::DiscardRow => self.aside(name, misfit, false),
            _ => self.aside(name, misfit, true),
        }
    }

    fn frozen(&self, name: &str, reason: Reason, detail: &dyn fmt::Display) -> Stop {
        Stop::Failed(Error::Drift {
            file: self.line.file.to_owned(),
            line: self.line.number,
            entity: self.plan.name.to_string(),
            column: shown(name),
            reason,
            detail: detail.to_string(),
        })
    }

    #[cold]
    fn aside(&mut self, name: &str, misfit: Misfit, is_written: bool) -> Result<(), Stop> {
        let counts = &mut self.counts;
        let rejects =
            if self.is_member { &mut counts.rejected_members } else { &mut counts.rejects };
        *rejects.entry(misfit.reason()).or_default() += 1;
        if is_written {
            let entity = Some(self.plan.name.as_str());
            let reject = self.line.reject(entity, Some(name), misfit.reason(), &misfit);
            self.rejects.write(&reject)?;
        } else {
            counts.discarded += 1;
        }
        Err(Stop::Aside)
    }

    #[inline(never)]
    fn new_attribute(&mut self, name: RawText<'_>, value: ValueView<'_>) -> Result<(), Stop> {
        let name = name.as_str();
        self.drifted(&name);
        match (self.plan.drift, &mut self.table.evolution) {
            (Drift::Freeze, _) => {
                Err(self.frozen(&name, Reason::NewAttribute, &"the model does not know it"))
            }
            (_, Some(evolution)) => {
                evolution.keep_attribute(&name, value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn drifted(&mut self, name: &str) {
        if let Some(count) = self.drift.get_mut(name) {
            *count += 1;
            return;
        }
        let name = if self.drift.len() < MAX_DRIFT { name } else { OTHER_ATTRIBUTES };
        *self.drift.entry(name.into()).or_default() += 1;
    }
}

/// The value at the end of a path; `None` if an entry is missing or NULL on the way.
fn walk<'a>(value: ValueView<'a>, path: &[Box<str>]) -> Result<Option<ValueView<'a>>, Misfit> {
    let mut at = value;
    for name in path {
        at = match at {
            ValueView::M(map) => match map.get(name) {
                Some(value) => value,
                None => return Ok(None),
            },
            ValueView::Null => return Ok(None),
            other => {
                return Err(Misfit::WrongType { expected: "M", found: other.type_name() });
            }
        };
    }
    Ok(Some(at))
}

/// What a row keeps of a key attribute.
fn stamp_text(value: ValueView<'_>) -> Option<Cow<'_, str>> {
    key_text(value).filter(|text| text.len() <= Type::MAX_TEXT_BYTES as usize)
}

fn written_at(record: RecordView<'_>) -> Option<i64> {
    match record.part("Metadata")?.get("WriteTimestampMicros")? {
        // What a transfer from Ion wrote may end in a point.
        ValueView::N(text) => {
            TimeFormat::EpochMicros.timestamp(text.strip_suffix('.').unwrap_or(text))
        }
        _ => None,
    }
}

/// About what a member holds.
fn value_bytes(value: ValueView<'_>) -> usize {
    match value {
        ValueView::S(text) | ValueView::B(text) => text.raw().len(),
        ValueView::M(map) => MapView::text(map).len(),
        ValueView::L(list) => list.text().len(),
        _ => 16,
    }
}

/// The vector's memory, for items that borrow from another line.
fn recycle(mut found: Vec<Found<'_>>) -> Vec<Found<'static>> {
    found.clear();
    // Collects in place.
    found.into_iter().map_while(|_| None).collect()
}

fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let mut shown: String = name.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
