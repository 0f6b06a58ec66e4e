//! The values of one column, before they are an Arrow array.
//!
//! Unlike Arrow's builders, a column of cells can take its last values back: a row that turns out
//! not to fit leaves no trace in the columns that it had reached.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit};
use arrow::error::ArrowError;
use keystar_item::scan::{RawText, ValueView};
use keystar_star::{TimeFormat, Type, decimal};

use crate::json;
use crate::reject::Misfit;

/// Most bytes of JSON text in a cell: a VARCHAR of Redshift's holds no more.
const MAX_JSON_BYTES: usize = 65_535;

#[derive(Debug)]
pub(crate) struct Cells {
    valid: Vec<bool>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text { bytes: Bytes, max_bytes: usize },
    Json(Bytes),
    Binary { bytes: Bytes, max_bytes: usize },
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Decimal { units: Vec<i128>, precision: u8, scale: u8 },
    Double(Vec<f64>),
    Date { days: Vec<i32>, format: TimeFormat },
    Timestamp { micros: Vec<i64>, format: TimeFormat },
    List { ends: Vec<i32>, elements: Box<Cells> },
    Struct(Vec<(Box<str>, FieldRef, Cells)>),
}

/// Pieces of bytes, one behind the other.
#[derive(Debug)]
struct Bytes {
    /// Where each piece ends; begins with 0.
    ends: Vec<i32>,
    bytes: Vec<u8>,
    /// The longest piece ever.
    longest: usize,
}

impl Bytes {
    fn new() -> Self {
        Self { ends: vec![0], bytes: Vec::new(), longest: 0 }
    }

    #[inline]
    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.longest = self.longest.max(piece.len());
        self.end();
    }

    /// Ends the piece that was appended to `bytes`. Batches are cut long before an end could
    /// outgrow its type.
    #[inline]
    fn end(&mut self) {
        self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    fn start_of(&self, index: usize) -> usize {
        self.ends.get(index).map_or(0, |end| usize::try_from(*end).unwrap_or(0))
    }

    fn get(&self, index: usize) -> &[u8] {
        self.bytes.get(self.start_of(index)..self.start_of(index + 1)).unwrap_or_default()
    }

    fn truncate(&mut self, pieces: usize) {
        self.bytes.truncate(self.start_of(pieces));
        self.ends.truncate(pieces + 1);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let ends = Vec::with_capacity(self.ends.len());
        let bytes = Vec::with_capacity(self.bytes.len());
        let ends = std::mem::replace(&mut self.ends, ends);
        let bytes = std::mem::replace(&mut self.bytes, bytes);
        self.ends.push(0);
        (OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(bytes))
    }
}

impl Cells {
    pub(crate) fn new(ty: &Type) -> Self {
        let values = match ty {
            Type::Text { max_bytes } => {
                Values::Text { bytes: Bytes::new(), max_bytes: *max_bytes as usize }
            }
            Type::Bytes { max_bytes } => {
                Values::Binary { bytes: Bytes::new(), max_bytes: *max_bytes as usize }
            }
            Type::Bool => Values::Bool(Vec::new()),
            Type::Int => Values::Int(Vec::new()),
            Type::Decimal { precision, scale } => {
                Values::Decimal { units: Vec::new(), precision: *precision, scale: *scale }
            }
            Type::Double => Values::Double(Vec::new()),
            Type::Date(format) => Values::Date { days: Vec::new(), format: format.clone() },
            Type::Timestamp(format) => {
                Values::Timestamp { micros: Vec::new(), format: format.clone() }
            }
            Type::List(ty) => Values::List { ends: vec![0], elements: Box::new(Self::new(ty)) },
            Type::Struct(fields) => Values::Struct(
                fields
                    .iter()
                    .map(|field| {
                        let (name, ty) = (field.name.as_str(), &field.ty);
                        (field.attribute.clone(), arrow_field(name, ty), Self::new(ty))
                    })
                    .collect(),
            ),
            // JSON text holds any value, so also one of a type that came later than this.
            _ => Values::Json(Bytes::new()),
        };
        Self { valid: Vec::new(), values }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.valid.len()
    }

    /// The most bytes that any text had so far, for a column of text.
    pub(crate) fn longest_text(&self) -> Option<usize> {
        match &self.values {
            Values::Text { bytes, .. } => Some(bytes.longest),
            _ => None,
        }
    }

    /// Lets texts be of any length that some text may have.
    pub(crate) fn lengthen(&mut self) {
        if let Values::Text { max_bytes, .. } = &mut self.values {
            *max_bytes = Type::MAX_TEXT_BYTES as usize;
        }
    }

    /// Appends a value; appends nothing if it does not fit. NULL is the caller's.
    #[inline]
    pub(crate) fn push(&mut self, value: ValueView<'_>) -> Result<(), Misfit> {
        match (&mut self.values, value) {
            (Values::Text { bytes, max_bytes }, ValueView::S(text)) => {
                match text.as_plain() {
                    Some(text) => push_text(bytes, *max_bytes, text)?,
                    None => push_text(bytes, *max_bytes, &text.as_str())?,
                }
                self.valid.push(true);
                Ok(())
            }
            (Values::Int(integers), ValueView::N(text)) => {
                integers.push(decimal::integer(text)?);
                self.valid.push(true);
                Ok(())
            }
            (Values::Decimal { units, precision, scale }, ValueView::N(text)) => {
                units.push(decimal::unscaled(text, *precision, *scale)?);
                self.valid.push(true);
                Ok(())
            }
            _ => self.push_other(value),
        }
    }

    #[inline(never)]
    fn push_other(&mut self, value: ValueView<'_>) -> Result<(), Misfit> {
        let row = self.valid.len();
        match (&mut self.values, value) {
            (Values::Bool(truths), ValueView::Bool(truth)) => truths.push(truth),
            (Values::Double(floats), ValueView::N(text)) => {
                floats.push(text.parse().map_err(|_| Misfit::NotANumber)?);
            }
            (Values::Date { days, format }, value) => {
                days.push(time(format, value, TimeFormat::date)?);
            }
            (Values::Timestamp { micros, format }, value) => {
                micros.push(time(format, value, TimeFormat::timestamp)?);
            }
            (Values::Binary { bytes, max_bytes }, ValueView::B(text)) => {
                let start = bytes.bytes.len();
                text.decode_base64(&mut bytes.bytes);
                let length = bytes.bytes.len() - start;
                if length > *max_bytes {
                    bytes.bytes.truncate(start);
                    return Err(Misfit::TooLong { bytes: length, max_bytes: *max_bytes });
                }
                bytes.end();
            }
            (Values::Json(bytes), value) => push_json(bytes, |out| json::write(value, out))?,
            (Values::Struct(fields), ValueView::M(map)) => {
                for (name, value) in map {
                    let field = fields.iter_mut().find(|(attribute, ..)| name == **attribute);
                    let Some((_, _, cells)) = field else { continue };
                    let fits = match value {
                        ValueView::Null => {
                            cells.push_null();
                            Ok(())
                        }
                        value => cells.push(value),
                    };
                    if let Err(misfit) = fits {
                        fields.iter_mut().for_each(|(_, _, cells)| cells.truncate(row));
                        return Err(misfit);
                    }
                }
                for (_, _, cells) in fields.iter_mut().filter(|(_, _, cells)| cells.len() == row) {
                    cells.push_null();
                }
            }
            (Values::List { ends, elements }, value) => {
                let before = elements.len();
                if let Err(misfit) = push_elements(elements, value) {
                    elements.truncate(before);
                    return Err(misfit);
                }
                ends.push(i32::try_from(elements.len()).unwrap_or(i32::MAX));
            }
            (values, value) => {
                let (expected, found) = (values.expected(), value.type_name());
                return Err(Misfit::WrongType { expected, found });
            }
        }
        self.valid.push(true);
        Ok(())
    }

    /// Appends what a text says: a part of a key has no type of its own.
    pub(crate) fn push_part(&mut self, text: &str) -> Result<(), Misfit> {
        match &mut self.values {
            Values::Text { bytes, max_bytes } => push_text(bytes, *max_bytes, text)?,
            Values::Int(integers) => integers.push(decimal::integer(text)?),
            Values::Decimal { units, precision, scale } => {
                units.push(decimal::unscaled(text, *precision, *scale)?);
            }
            Values::Double(floats) => {
                let float: f64 = text.parse().map_err(|_| Misfit::NotANumber)?;
                if !float.is_finite() {
                    return Err(Misfit::NotANumber);
                }
                floats.push(float);
            }
            Values::Date { days, format } => {
                days.push(format.date(text).ok_or(Misfit::NotATime)?);
            }
            Values::Timestamp { micros, format } => {
                micros.push(format.timestamp(text).ok_or(Misfit::NotATime)?);
            }
            Values::Json(bytes) => push_json(bytes, |out| json::write_text(text, out))?,
            values => {
                return Err(Misfit::WrongType { expected: values.expected(), found: "S" });
            }
        }
        self.valid.push(true);
        Ok(())
    }

    /// Appends a whole number or a truth value that the lake itself knows.
    pub(crate) fn push_known(&mut self, number: i64) -> Result<(), Misfit> {
        match &mut self.values {
            Values::Int(integers) => integers.push(number),
            Values::Timestamp { micros, .. } => micros.push(number),
            Values::Bool(truths) => truths.push(number != 0),
            values => {
                return Err(Misfit::WrongType { expected: values.expected(), found: "N" });
            }
        }
        self.valid.push(true);
        Ok(())
    }

    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.valid.push(false);
        match &mut self.values {
            Values::Text { bytes, .. } | Values::Json(bytes) | Values::Binary { bytes, .. } => {
                bytes.end();
            }
            Values::Bool(truths) => truths.push(false),
            Values::Int(integers) => integers.push(0),
            Values::Decimal { units, .. } => units.push(0),
            Values::Double(floats) => floats.push(0.0),
            Values::Date { days, .. } => days.push(0),
            Values::Timestamp { micros, .. } => micros.push(0),
            Values::List { ends, elements } => {
                ends.push(i32::try_from(elements.len()).unwrap_or(i32::MAX));
            }
            Values::Struct(fields) => fields.iter_mut().for_each(|(_, _, cells)| cells.push_null()),
        }
    }

    /// Appends another column's value of that row.
    pub(crate) fn push_copy(&mut self, other: &Self, row: usize) -> Result<(), Misfit> {
        if other.valid.get(row) != Some(&true) {
            self.push_null();
            return Ok(());
        }
        match (&mut self.values, &other.values) {
            (Values::Text { bytes, max_bytes }, Values::Text { bytes: other, .. }) => {
                let text = other.get(row);
                if text.len() > *max_bytes {
                    let max_bytes = *max_bytes;
                    return Err(Misfit::TooLong { bytes: text.len(), max_bytes });
                }
                bytes.push(text);
            }
            (Values::Json(bytes), Values::Json(other)) => bytes.push(other.get(row)),
            (Values::Binary { bytes, .. }, Values::Binary { bytes: other, .. }) => {
                bytes.push(other.get(row));
            }
            (Values::Bool(to), Values::Bool(from)) => to.extend(from.get(row)),
            (Values::Int(to), Values::Int(from)) => to.extend(from.get(row)),
            (
                Values::Decimal { units: to, precision, scale },
                Values::Decimal { units: from, precision: other, scale: places },
            ) if *scale == *places && *precision >= *other => to.extend(from.get(row)),
            (Values::Double(to), Values::Double(from)) => to.extend(from.get(row)),
            (Values::Date { days: to, .. }, Values::Date { days: from, .. }) => {
                to.extend(from.get(row));
            }
            (Values::Timestamp { micros: to, .. }, Values::Timestamp { micros: from, .. }) => {
                to.extend(from.get(row));
            }
            (to, from) => {
                return Err(Misfit::WrongType { expected: to.expected(), found: from.expected() });
            }
        }
        self.valid.push(true);
        Ok(())
    }

    /// Takes all rows from this one on back.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if self.valid.len() <= rows {
            return;
        }
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Text { bytes, .. } | Values::Json(bytes) | Values::Binary { bytes, .. } => {
                bytes.truncate(rows);
            }
            Values::Bool(truths) => truths.truncate(rows),
            Values::Int(integers) => integers.truncate(rows),
            Values::Decimal { units, .. } => units.truncate(rows),
            Values::Double(floats) => floats.truncate(rows),
            Values::Date { days, .. } => days.truncate(rows),
            Values::Timestamp { micros, .. } => micros.truncate(rows),
            Values::List { ends, elements } => {
                ends.truncate(rows + 1);
                elements.truncate(ends.last().map_or(0, |end| usize::try_from(*end).unwrap_or(0)));
            }
            Values::Struct(fields) => {
                fields.iter_mut().for_each(|(_, _, cells)| cells.truncate(rows));
            }
        }
    }

    /// The values as an array; the column is empty afterwards.
    pub(crate) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let valid = std::mem::take(&mut self.valid);
        self.valid.reserve(valid.len());
        let rows = valid.len();
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        Ok(match &mut self.values {
            Values::Text { bytes, .. } | Values::Json(bytes) => {
                let (offsets, bytes) = bytes.take();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Values::Binary { bytes, .. } => {
                let (offsets, bytes) = bytes.take();
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Values::Bool(truths) => Arc::new(BooleanArray::new(renew(truths).into(), nulls)),
            Values::Int(integers) => Arc::new(Int64Array::try_new(renew(integers).into(), nulls)?),
            Values::Decimal { units, precision, scale } => {
                let array = Decimal128Array::try_new(renew(units).into(), nulls)?;
                Arc::new(array.with_precision_and_scale(*precision, signed(*scale))?)
            }
            Values::Double(floats) => Arc::new(Float64Array::try_new(renew(floats).into(), nulls)?),
            Values::Date { days, .. } => Arc::new(Date32Array::try_new(renew(days).into(), nulls)?),
            Values::Timestamp { micros, .. } => {
                let array = TimestampMicrosecondArray::try_new(renew(micros).into(), nulls)?;
                Arc::new(array.with_timezone(UTC))
            }
            Values::List { ends, elements } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::take(ends)));
                ends.push(0);
                let values = elements.take()?;
                let field = Arc::new(element_field(values.data_type().clone()));
                Arc::new(ListArray::try_new(field, offsets, values, nulls)?)
            }
            Values::Struct(fields) => {
                let mut arrays = Vec::with_capacity(fields.len());
                let mut names = Vec::with_capacity(fields.len());
                for (_, field, cells) in fields {
                    arrays.push(cells.take()?);
                    names.push(FieldRef::clone(field));
                }
                let fields = Fields::from(names);
                Arc::new(StructArray::try_new_with_length(fields, arrays, nulls, rows)?)
            }
        })
    }
}

const UTC: &str = "UTC";

/// What is in the vector; in its place is one with as much room.
fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

fn signed(scale: u8) -> i8 {
    i8::try_from(scale).unwrap_or(i8::MAX)
}

#[inline(always)]
fn push_text(bytes: &mut Bytes, max_bytes: usize, text: &str) -> Result<(), Misfit> {
    if text.len() > max_bytes {
        return Err(Misfit::TooLong { bytes: text.len(), max_bytes });
    }
    bytes.push(text.as_bytes());
    Ok(())
}

fn push_json(bytes: &mut Bytes, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Misfit> {
    let start = bytes.bytes.len();
    write(&mut bytes.bytes);
    let length = bytes.bytes.len() - start;
    if length > MAX_JSON_BYTES {
        bytes.bytes.truncate(start);
        return Err(Misfit::TooLong { bytes: length, max_bytes: MAX_JSON_BYTES });
    }
    bytes.end();
    Ok(())
}

fn push_elements(elements: &mut Cells, value: ValueView<'_>) -> Result<(), Misfit> {
    match value {
        ValueView::L(list) => list.iter().try_for_each(|value| match value {
            ValueView::Null => {
                elements.push_null();
                Ok(())
            }
            value => elements.push(value),
        }),
        ValueView::Ss(set) => set.iter().try_for_each(|text| elements.push(ValueView::S(text))),
        ValueView::Ns(set) => set.iter().try_for_each(|text| elements.push(ValueView::N(text))),
        ValueView::Bs(set) => set.iter().try_for_each(|text| elements.push(ValueView::B(text))),
        other => Err(Misfit::WrongType { expected: "L", found: other.type_name() }),
    }
}

fn time<T>(
    format: &TimeFormat,
    value: ValueView<'_>,
    read: impl Fn(&TimeFormat, &str) -> Option<T>,
) -> Result<T, Misfit> {
    let read_raw = |text: RawText<'_>| match text.as_plain() {
        Some(text) => read(format, text),
        None => read(format, &text.as_str()),
    };
    let is_epoch = !matches!(format, TimeFormat::Iso | TimeFormat::Pattern(_));
    let time = match value {
        ValueView::S(text) => read_raw(text),
        ValueView::N(text) if is_epoch => read(format, text),
        other => {
            let expected = if is_epoch { "N" } else { "S" };
            return Err(Misfit::WrongType { expected, found: other.type_name() });
        }
    };
    time.ok_or(Misfit::NotATime)
}

impl Values {
    /// The type of attribute that such a column takes.
    fn expected(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Date { .. } => "S",
            Self::Json(_) => "any type",
            Self::Binary { .. } => "B",
            Self::Bool(_) => "BOOL",
            Self::Int(_) | Self::Decimal { .. } | Self::Double(_) => "N",
            Self::Timestamp { .. } => "S",
            Self::List { .. } => "L",
            Self::Struct(_) => "M",
        }
    }
}

/// How a type is stored.
pub(crate) fn data_type(ty: &Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Decimal { precision, scale } => DataType::Decimal128(*precision, signed(*scale)),
        Type::Double => DataType::Float64,
        Type::Date(_) => DataType::Date32,
        Type::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Type::Bytes { .. } => DataType::Binary,
        Type::List(ty) => DataType::List(Arc::new(element_field(data_type(ty)))),
        Type::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| arrow_field(field.name.as_str(), &field.ty)).collect(),
        ),
        _ => DataType::Utf8,
    }
}

pub(crate) fn arrow_field(name: &str, ty: &Type) -> FieldRef {
    Arc::new(arrow::datatypes::Field::new(name, data_type(ty), true))
}

fn element_field(ty: DataType) -> arrow::datatypes::Field {
    arrow::datatypes::Field::new("element", ty, true)
}
