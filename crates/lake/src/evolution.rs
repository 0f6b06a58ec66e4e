//! What an entity that evolves meets and its files have no place for, until the commit makes one.
//!
//! While tasks run, none knows what the others meet, and the schema of a Parquet file is fixed when
//! it is begun. So attributes that are new, and values that need a wider type, wait in a file
//! beside the entity's: a line for each, with the number of its row. The commit knows all of them,
//! settles the columns, and writes those files again to which a value was added.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use keystar_item::scan::{Tape, ValueView};
use keystar_item::{AttributeValue, json};
use keystar_star::{Type, decimal};

use crate::Error;
use crate::cells::Cells;

/// Most attributes of one entity that a task keeps apart; further ones are counted, not kept.
const MAX_ATTRIBUTES: usize = 4096;

/// What one task met for one entity.
#[derive(Debug)]
pub(crate) struct Evolution {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    /// Of the row at hand, until it is known to stay.
    row: Vec<(Target, AttributeValue<'static>)>,
    pub(crate) met: Met,
    /// Values that were not kept.
    left_out: u64,
}

/// What is known of the values that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Met {
    /// By attribute.
    pub(crate) attributes: BTreeMap<Box<str>, Profile>,
    /// By column: the type that holds them.
    pub(crate) wider: BTreeMap<usize, Type>,
}

/// Where a value belongs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Target {
    Attribute(Box<str>),
    Column(usize),
}

impl Evolution {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, row: Vec::new(), met: Met::default(), left_out: 0 }
    }

    /// Keeps the value of an attribute that has no column. NULL is none.
    pub(crate) fn keep_attribute(&mut self, name: &str, value: ValueView<'_>) {
        let met = &self.met.attributes;
        if matches!(value, ValueView::Null) {
            return;
        }
        if !met.contains_key(name) && met.len() + self.row.len() >= MAX_ATTRIBUTES {
            self.left_out += 1;
            return;
        }
        self.row.push((Target::Attribute(name.into()), value.to_value().into_owned()));
    }

    /// Keeps a value that a wider type than the column's holds; `false` if there is none.
    pub(crate) fn keep_value(&mut self, column: usize, ty: &Type, value: ValueView<'_>) -> bool {
        let ty = self.met.wider.get(&column).unwrap_or(ty);
        let Some(wider) = widened(ty, value) else { return false };
        self.met.wider.insert(column, wider);
        self.row.push((Target::Column(column), value.to_value().into_owned()));
        true
    }

    /// Whether the row at hand has a value that waits for this column.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.row.iter().any(|(target, _)| *target == Target::Column(column))
    }

    /// Forgets what was kept of a row that does not stay.
    pub(crate) fn abort(&mut self) {
        self.row.clear();
    }

    /// The row of that number stays.
    pub(crate) fn commit(&mut self, row: u64) -> Result<(), Error> {
        if self.row.is_empty() {
            return Ok(());
        }
        let fault = Error::io(&self.path);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(File::create(&self.path).map_err(&fault)?)),
        };
        let mut line = Vec::new();
        for (target, value) in self.row.drain(..) {
            line.clear();
            line.extend_from_slice(format!("{row}\t").as_bytes());
            match &target {
                Target::Attribute(name) => {
                    line.extend_from_slice(b"a\t");
                    crate::json::write_text(name, &mut line);
                }
                Target::Column(column) => line.extend_from_slice(format!("c\t{column}").as_bytes()),
            }
            line.extend_from_slice(b"\t{\"v\":");
            json::write_value(&value, &mut line);
            line.extend_from_slice(b"}\n");
            file.write_all(&line).map_err(&fault)?;
            if let Target::Attribute(name) = target {
                self.met.attributes.entry(name).or_default().observe(&value);
            }
        }
        Ok(())
    }

    /// The file, if a value waits; what is known of them; and how many were not kept.
    pub(crate) fn finish(self) -> Result<(Option<PathBuf>, Met, u64), Error> {
        let Some(file) = self.file else { return Ok((None, self.met, self.left_out)) };
        file.into_inner().map_err(|error| Error::io(&self.path)(error.into_error()))?;
        Ok((Some(self.path), self.met, self.left_out))
    }
}

impl Met {
    /// Takes in what another task met.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, profile) in other.attributes {
            self.attributes.entry(name).or_default().merge(&profile);
        }
        for (column, ty) in other.wider {
            match self.wider.remove(&column) {
                Some(mine) => self.wider.insert(column, union(&mine, &ty)),
                None => self.wider.insert(column, ty),
            };
        }
    }
}

/// The least type that holds all values of the type, and this one too.
fn widened(ty: &Type, value: ValueView<'_>) -> Option<Type> {
    let ValueView::N(text) = value else { return None };
    let (whole, places) = decimal::digits(text).ok()?;
    match ty {
        Type::Int => decimal_of(whole.max(INT_DIGITS), places),
        Type::Decimal { precision, scale } => {
            let (scale, have) = (u32::from(*scale), u32::from(precision.saturating_sub(*scale)));
            decimal_of(whole.max(have), places.max(scale))
        }
        _ => None,
    }
}

/// Digits of the largest whole number of 64 bits.
const INT_DIGITS: u32 = 19;

fn decimal_of(whole: u32, places: u32) -> Option<Type> {
    let precision = u8::try_from(whole.checked_add(places)?).ok()?.max(1);
    let scale = u8::try_from(places).ok()?;
    let fits = precision <= decimal::MAX_PRECISION && scale <= Type::MAX_SCALE;
    fits.then_some(Type::Decimal { precision, scale })
}

/// The least type that holds the values of both; the first, where no decimal holds them: then the
/// values that do not fit are left out, and counted.
pub(crate) fn union(one: &Type, other: &Type) -> Type {
    let digits = |ty: &Type| match ty {
        Type::Int => Some((INT_DIGITS, 0)),
        Type::Decimal { precision, scale } => {
            Some((u32::from(precision.saturating_sub(*scale)), u32::from(*scale)))
        }
        _ => None,
    };
    match (one, other) {
        (Type::Text { max_bytes: a }, Type::Text { max_bytes: b }) => {
            Type::Text { max_bytes: *a.max(b) }
        }
        _ => match (digits(one), digits(other)) {
            (Some((a, b)), Some((c, d))) => {
                decimal_of(a.max(c), b.max(d)).unwrap_or_else(|| one.clone())
            }
            _ => one.clone(),
        },
    }
}

/// What the values of a new attribute are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Profile {
    text: Option<usize>,
    /// Digits before and after the point.
    number: Option<(u32, u32)>,
    bytes: Option<usize>,
    truth: bool,
    other: bool,
}

impl Profile {
    fn observe(&mut self, value: &AttributeValue<'_>) {
        match value {
            AttributeValue::S(text) => self.text = self.text.max(Some(text.len())),
            AttributeValue::N(number) => match decimal::digits(number.as_str()) {
                Ok((whole, places)) => {
                    let (a, b) = self.number.unwrap_or_default();
                    self.number = Some((a.max(whole), b.max(places)));
                }
                Err(_) => self.other = true,
            },
            AttributeValue::B(bytes) => self.bytes = self.bytes.max(Some(bytes.len())),
            AttributeValue::Bool(_) => self.truth = true,
            AttributeValue::Null => {}
            _ => self.other = true,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.text = self.text.max(other.text);
        self.bytes = self.bytes.max(other.bytes);
        self.truth |= other.truth;
        self.other |= other.other;
        self.number = match (self.number, other.number) {
            (Some((a, b)), Some((c, d))) => Some((a.max(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }

    /// The type of the attribute's column: JSON where values are of several types; `None` while
    /// all were NULL.
    pub(crate) fn ty(&self) -> Option<Type> {
        // As much again may come, and a column of text is no larger for it.
        let room = |bytes: usize, most: u32| {
            let bytes = u32::try_from(bytes).unwrap_or(most);
            bytes.checked_next_power_of_two().unwrap_or(most).clamp(16, most)
        };
        Some(match (self.text, self.number, self.bytes, self.truth, self.other) {
            (None, None, None, false, false) => return None,
            (Some(bytes), None, None, false, false) if bytes <= Type::MAX_TEXT_BYTES as usize => {
                Type::Text { max_bytes: room(bytes, Type::MAX_TEXT_BYTES) }
            }
            (None, Some((whole, 0)), None, false, false) if whole < INT_DIGITS => Type::Int,
            (None, Some((whole, places)), None, false, false) => {
                decimal_of(whole, places).unwrap_or(Type::Json)
            }
            (None, None, Some(bytes), false, false) => {
                Type::Bytes { max_bytes: room(bytes, Type::MAX_BYTES) }
            }
            (None, None, None, true, false) => Type::Bool,
            _ => Type::Json,
        })
    }
}

/// Reads the values that wait, in the order of their rows.
pub(crate) struct Waiting {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    next: Option<(u64, Target)>,
}

impl Waiting {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        let mut waiting = Self { path: path.to_owned(), file, line: Vec::new(), next: None };
        waiting.advance()?;
        Ok(waiting)
    }

    /// The columns of the values of the rows from `start` up to `end`; `make` makes an empty one.
    /// Counts the values that do not fit.
    pub(crate) fn take(
        &mut self,
        start: u64,
        end: u64,
        mut make: impl FnMut(&Target) -> Option<Cells>,
        lost: &mut u64,
    ) -> Result<Vec<(Target, Cells)>, Error> {
        let mut columns: Vec<(Target, Option<Cells>)> = Vec::new();
        let mut tape = Tape::new();
        while let Some((row, target)) = self.next.take_if(|(row, _)| *row < end) {
            let at = match columns.iter().position(|(other, _)| *other == target) {
                Some(at) => at,
                None => {
                    let cells = make(&target);
                    columns.push((target, cells));
                    columns.len() - 1
                }
            };
            if let Some((_, Some(cells))) = columns.get_mut(at)
                && let Ok(place) = usize::try_from(row.saturating_sub(start))
            {
                (cells.len()..place).for_each(|_| cells.push_null());
                let text = self.line.splitn(4, |byte| *byte == b'\t').nth(3).unwrap_or_default();
                let item = tape.scan(text.trim_ascii()).map_err(Error::parquet(&self.path))?;
                match item.get("v") {
                    None | Some(ValueView::Null) => cells.push_null(),
                    Some(value) => {
                        if cells.push(value).is_err() {
                            cells.push_null();
                            *lost += 1;
                        }
                    }
                }
            } else {
                *lost += 1;
            }
            self.advance()?;
        }
        let rows = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        let whole = |(target, cells): (Target, Option<Cells>)| {
            let mut cells = cells?;
            (cells.len()..rows).for_each(|_| cells.push_null());
            Some((target, cells))
        };
        Ok(columns.into_iter().filter_map(whole).collect())
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.line.clear();
        self.next = None;
        if self.file.read_until(b'\n', &mut self.line).map_err(Error::io(&self.path))? == 0 {
            return Ok(());
        }
        let damaged = || Error::Misuse("a file of values that wait for a column was changed");
        let mut parts = self.line.splitn(4, |byte| *byte == b'\t');
        let mut part = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
        let (Some(row), Some(kind), Some(name)) = (part(), part(), part()) else {
            return Err(damaged());
        };
        let row = row.parse().map_err(|_| damaged())?;
        let target = match kind {
            "a" => {
                let name: String = serde_json::from_str(name).map_err(|_| damaged())?;
                Target::Attribute(name.into())
            }
            _ => Target::Column(name.parse().map_err(|_| damaged())?),
        };
        self.next = Some((row, target));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use keystar_item::Number;

    use super::*;

    fn ty(values: &[AttributeValue<'_>]) -> Option<String> {
        let mut whole = Profile::default();
        values.iter().for_each(|value| whole.observe(value));
        // In two parts it comes to the same.
        let (mut one, mut other) = (Profile::default(), Profile::default());
        let (left, right) = values.split_at(values.len() / 2);
        left.iter().for_each(|value| one.observe(value));
        right.iter().for_each(|value| other.observe(value));
        one.merge(&other);
        assert_eq!(one, whole);
        whole.ty().map(|ty| ty.to_string())
    }

    fn number(text: &str) -> AttributeValue<'_> {
        AttributeValue::N(Number::parse(text).unwrap())
    }

    #[test]
    fn new_attributes_get_the_least_type() {
        let text = |bytes: usize| AttributeValue::from("x".repeat(bytes));
        for (values, expected) in [
            (vec![AttributeValue::Null], None),
            (vec![text(3)], Some("text(16)")),
            (vec![text(3), text(40), AttributeValue::Null], Some("text(64)")),
            (vec![text(65_535)], Some("text(65535)")),
            (vec![text(65_536)], Some("json")),
            (vec![number("1"), number("-999999999999999999")], Some("int")),
            (vec![number("9999999999999999999")], Some("decimal(19,0)")),
            (vec![number("1"), number("2.505"), number("100")], Some("decimal(6,3)")),
            (vec![number("1e100")], Some("json")),
            (vec![number("1e-38")], Some("json")),
            (vec![AttributeValue::Bool(true)], Some("bool")),
            (vec![AttributeValue::B((&[1, 2][..]).into())], Some("bytes(16)")),
            (vec![text(1), number("1")], Some("json")),
            (vec![AttributeValue::L(vec![])], Some("json")),
        ] {
            assert_eq!(ty(&values).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn a_type_grows_as_far_as_decimals_go() {
        for (ty, value, expected) in [
            ("int", "1.5", Some("decimal(20,1)")),
            ("int", "99999999999999999999", Some("decimal(20,0)")),
            ("decimal(10,2)", "1.005", Some("decimal(11,3)")),
            ("decimal(10,2)", "123456789", Some("decimal(11,2)")),
            ("decimal(38,0)", "0.5", None),
            ("decimal(38,2)", "1e37", None),
            ("text(5)", "1", None),
        ] {
            let ty: Type = ty.parse().unwrap();
            let wider = widened(&ty, ValueView::N(value)).map(|ty| ty.to_string());
            assert_eq!(wider.as_deref(), expected, "{ty} {value}");
            if let Some(wider) = wider {
                assert!(ty.fits(&wider.parse().unwrap()), "{ty} {wider}");
            }
        }
    }
}
