//! CSV in two steps. Which columns a file has is known only when all of its items are, so the
//! encoder writes *cells* (names with values), and the lane turns cells into rows.

use std::{borrow::Cow, collections::HashMap, ops::Range, str};

use base64::{Engine, engine::general_purpose::STANDARD};
use keystar_item::{AttributeValue, Item, KeyType, Number, Table, json};

use crate::{CsvOptions, EncodeLoss, Error};

/// Writes the cells of items: for each item the length of what follows, then for each cell the
/// length of its name, the length of its value, name and value. Lengths are four bytes, little end
/// first. Nothing here is trusted when it is read back: it lay on a disk.
#[derive(Debug)]
pub(crate) struct CellWriter {
    /// Attributes whose type the import knows from the table: of its key and its indexes' keys.
    typed: Vec<(String, KeyType)>,
    /// The columns besides the key, if they are given.
    columns: Option<Vec<String>>,
    value: Vec<u8>,
    losses: Vec<EncodeLoss>,
}

impl CellWriter {
    pub(crate) fn new(table: &Table, options: &CsvOptions) -> Self {
        let columns = options.columns.as_ref().map(|_| options.fixed_columns(table));
        Self { typed: typed(table), columns, value: Vec::new(), losses: Vec::new() }
    }

    /// Appends the item's cells; afterwards [`losses`](Self::losses) has what they cost.
    pub(crate) fn write(&mut self, item: &Item<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        for (name, value) in item.attributes.iter() {
            if self.columns.as_ref().is_some_and(|columns| !columns.iter().any(|c| c == name)) {
                self.losses.push(EncodeLoss::ColumnOmitted);
                continue;
            }
            let kind = self.typed.iter().find(|(typed, _)| typed == name).map(|(_, kind)| *kind);
            self.value.clear();
            self.losses.extend(write_value(value, kind, &mut self.value));
            if self.value.is_empty() {
                if !matches!(value, AttributeValue::Null) {
                    self.losses.push(EncodeLoss::EmptyOmitted);
                }
                continue;
            }
            out.extend_from_slice(&(name.len() as u32).to_le_bytes());
            out.extend_from_slice(&(self.value.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&self.value);
        }
        let length = (out.len() - start - 4) as u32;
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    pub(crate) fn losses(&mut self) -> impl Iterator<Item = EncodeLoss> + '_ {
        self.losses.drain(..)
    }
}

fn typed(table: &Table) -> Vec<(String, KeyType)> {
    std::iter::once(&table.key)
        .chain(table.indexes.iter().map(|index| &index.key))
        .flat_map(|key| key.attributes())
        .map(|attribute| (attribute.name.clone(), attribute.kind))
        .collect()
}

fn write_value(
    value: &AttributeValue<'_>,
    kind: Option<KeyType>,
    out: &mut Vec<u8>,
) -> Option<EncodeLoss> {
    match value {
        AttributeValue::S(text) => {
            out.extend_from_slice(text.as_bytes());
            memchr::memchr2(b'\n', b'\r', text.as_bytes()).map(|_| EncodeLoss::LineBreak)
        }
        AttributeValue::N(number) => {
            out.extend_from_slice(number.as_str().as_bytes());
            (kind != Some(KeyType::N)).then_some(EncodeLoss::NumberAsText)
        }
        AttributeValue::B(bytes) => {
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            (kind != Some(KeyType::B) && !bytes.is_empty()).then_some(EncodeLoss::BytesAsText)
        }
        AttributeValue::Bool(truth) => {
            out.extend_from_slice(if *truth { b"true" } else { b"false" });
            Some(EncodeLoss::BoolAsText)
        }
        AttributeValue::Null => Some(EncodeLoss::NullOmitted),
        nested => {
            json::write_value(nested, out);
            Some(EncodeLoss::NestedAsText)
        }
    }
}

/// The columns of one file, and the way from cells to its rows.
#[derive(Debug)]
pub(crate) struct Columns {
    names: Vec<String>,
    index: HashMap<String, usize>,
    limit: usize,
    delimiter: u8,
    /// Where in the cells at hand each column's value lies.
    values: Vec<Range<usize>>,
}

impl Columns {
    pub(crate) fn new(table: &Table, options: &CsvOptions) -> Self {
        let names = options.fixed_columns(table);
        Self {
            index: names.iter().cloned().zip(0..).collect(),
            names,
            limit: options.max_columns,
            delimiter: options.delimiter,
            values: Vec::new(),
        }
    }

    /// Makes a column for every name in these items' cells.
    pub(crate) fn learn(&mut self, mut items: &[u8]) -> Result<(), Error> {
        while let Some(item) = split(&mut items) {
            for (name, _) in cells(item) {
                if self.index.contains_key(name) {
                    continue;
                }
                if self.names.len() >= self.limit {
                    return Err(Error::TooManyColumns { limit: self.limit });
                }
                self.index.insert(name.to_owned(), self.names.len());
                self.names.push(name.to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn write_header(&self, out: &mut Vec<u8>) {
        for (n, name) in self.names.iter().enumerate() {
            if n > 0 {
                out.push(self.delimiter);
            }
            write_field(name.as_bytes(), self.delimiter, out);
        }
        out.push(b'\n');
    }

    /// Writes a row for each of these items' cells.
    pub(crate) fn write_rows(&mut self, mut items: &[u8], out: &mut Vec<u8>) {
        while let Some(item) = split(&mut items) {
            self.write_row(item, out);
        }
    }

    pub(crate) fn write_row(&mut self, item: &[u8], out: &mut Vec<u8>) {
        self.values.clear();
        self.values.resize(self.names.len(), 0..0);
        for (name, value) in cells(item) {
            let column = self.index.get(name).and_then(|column| self.values.get_mut(*column));
            if let Some(place) = column {
                *place = value;
            }
        }
        for (n, value) in self.values.iter().enumerate() {
            if n > 0 {
                out.push(self.delimiter);
            }
            write_field(item.get(value.clone()).unwrap_or_default(), self.delimiter, out);
        }
        out.push(b'\n');
    }
}

/// Takes the cells of one item off the front.
fn split<'a>(items: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = items.split_first_chunk::<4>()?;
    let (cells, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *items = rest;
    Some(cells)
}

/// The cells of one item: each one's name, and where in the item's bytes its value is.
fn cells(item: &[u8]) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut position = 0;
    std::iter::from_fn(move || {
        let mut length = || {
            let bytes = item.get(position..position + 4)?.try_into().ok()?;
            position += 4;
            Some(u32::from_le_bytes(bytes) as usize)
        };
        let (name_length, value_length) = (length()?, length()?);
        let name = item.get(position..position.checked_add(name_length)?)?;
        let value = position + name_length..(position + name_length).checked_add(value_length)?;
        position = value.end;
        Some((str::from_utf8(name).ok()?, value))
    })
}

fn write_field(field: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let plain = |byte: &u8| *byte != delimiter && !matches!(*byte, b'"' | b'\n' | b'\r');
    let spaced = field.first() == Some(&b' ') || field.last() == Some(&b' ');
    if field.iter().all(plain) && !spaced {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for piece in field.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(piece);
        if piece.last() == Some(&b'"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

/// Reads rows back into items, under the header that it was given.
#[derive(Clone, Debug)]
pub(crate) struct RowReader {
    columns: Vec<(String, KeyType)>,
    delimiter: u8,
}

impl RowReader {
    /// `None` if the header is not UTF-8 or breaks the quoting.
    pub(crate) fn new(header: &[u8], table: Option<&Table>, delimiter: u8) -> Option<Self> {
        let typed = table.map(typed).unwrap_or_default();
        let columns = fields(header, delimiter)
            .map(|name| {
                let name = name?.into_owned();
                let kind = typed.iter().find(|(typed, _)| *typed == name);
                Some((name, kind.map_or(KeyType::S, |(_, kind)| *kind)))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { columns, delimiter })
    }

    /// The item of a row; what is wrong with the row if it has none.
    pub(crate) fn item<'a>(&'a self, row: &'a [u8]) -> Result<Item<'a>, &'static str> {
        let mut item = Item::new();
        let mut columns = self.columns.iter();
        for field in fields(row, self.delimiter) {
            let field = field.ok_or("a field that is not UTF-8 or not quoted as it must be")?;
            let (name, kind) = columns.next().ok_or("more fields than the header has")?;
            if field.is_empty() {
                continue;
            }
            let value = match kind {
                KeyType::S => AttributeValue::S(field),
                KeyType::N => {
                    AttributeValue::N(Number::parse(field).map_err(|_| "a key that is no number")?)
                }
                KeyType::B => AttributeValue::B(Cow::Owned(
                    STANDARD.decode(field.as_bytes()).map_err(|_| "a key that is not base64")?,
                )),
            };
            item.push(name.as_str(), value);
        }
        if columns.next().is_some() {
            return Err("fewer fields than the header has");
        }
        Ok(item)
    }
}

/// The fields of a row without its line end; `None` once, last, where the quoting is broken.
fn fields(row: &[u8], delimiter: u8) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let row = rest.take()?;
        let Some((field, after)) = first_field(row, delimiter) else { return Some(None) };
        rest = after;
        Some(Some(field))
    })
}

/// The first field, and what follows its delimiter if it has one.
#[allow(clippy::type_complexity, reason = "named where it is used")]
fn first_field(row: &[u8], delimiter: u8) -> Option<(Cow<'_, str>, Option<&[u8]>)> {
    let Some(quoted) = row.strip_prefix(b"\"") else {
        let end = memchr::memchr(delimiter, row).unwrap_or(row.len());
        let (field, after) = row.split_at_checked(end)?;
        if field.contains(&b'"') {
            return None;
        }
        return Some((Cow::Borrowed(str::from_utf8(field).ok()?), after.get(1..)));
    };
    let mut text: Option<Vec<u8>> = None;
    let mut rest = quoted;
    loop {
        let (piece, after) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
        match after.get(1) {
            Some(b'"') => {
                let text = text.get_or_insert_default();
                text.extend_from_slice(piece);
                text.push(b'"');
                rest = after.get(2..)?;
            }
            Some(next) if *next != delimiter => return None,
            next => {
                let field = match text {
                    None => Cow::Borrowed(str::from_utf8(piece).ok()?),
                    Some(mut text) => {
                        text.extend_from_slice(piece);
                        Cow::Owned(String::from_utf8(text).ok()?)
                    }
                };
                return Some((field, next.and_then(|_| after.get(2..))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keystar_item::{KeyAttribute, KeySchema};
    use proptest::prelude::*;

    use super::*;

    fn table() -> Table {
        Table::new(
            KeySchema::new(KeyAttribute::new("pk", KeyType::S))
                .with_sort(KeyAttribute::new("sk", KeyType::N)),
        )
    }

    fn rows(items: &[Item<'_>], options: &CsvOptions) -> (String, Vec<EncodeLoss>) {
        let (mut cells, mut losses) = (Vec::new(), Vec::new());
        let mut writer = CellWriter::new(&table(), options);
        for item in items {
            writer.write(item, &mut cells);
            losses.extend(writer.losses());
        }
        let mut columns = Columns::new(&table(), options);
        if options.columns.is_none() {
            columns.learn(&cells).unwrap();
        }
        let mut out = Vec::new();
        columns.write_header(&mut out);
        columns.write_rows(&cells, &mut out);
        (String::from_utf8(out).unwrap(), losses)
    }

    fn item(attributes: Vec<(&'static str, AttributeValue<'static>)>) -> Item<'static> {
        attributes.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect()
    }

    fn number(text: &'static str) -> AttributeValue<'static> {
        AttributeValue::N(Number::parse(text).unwrap())
    }

    #[test]
    fn unlike_items_share_a_header_and_losses_are_told() {
        let items = [
            item(vec![("pk", "a".into()), ("sk", number("1")), ("age", number("7"))]),
            item(vec![
                ("sk", number("2")),
                ("pk", "b".into()),
                ("say", "one, \"two\"\nthree".into()),
                ("none", AttributeValue::Null),
                ("empty", "".into()),
                (
                    "map",
                    AttributeValue::M(
                        [("x", true.into())].map(|(n, v)| (n.into(), v)).into_iter().collect(),
                    ),
                ),
            ]),
        ];
        let (text, losses) = rows(&items, &CsvOptions::default());
        assert_eq!(
            text,
            "pk,sk,age,say,map\na,1,7,,\nb,2,,\"one, \"\"two\"\"\nthree\",\"{\"\"M\"\":{\"\"x\"\":{\"\"BOOL\"\":true}}}\"\n"
        );
        assert_eq!(
            losses,
            [
                EncodeLoss::NumberAsText,
                EncodeLoss::LineBreak,
                EncodeLoss::NullOmitted,
                EncodeLoss::EmptyOmitted,
                EncodeLoss::NestedAsText
            ]
        );
        let (text, losses) = rows(&items, &CsvOptions::default().with_columns(["say"]));
        assert!(text.starts_with("pk,sk,say\na,1,\nb,2,\"one"), "{text}");
        assert_eq!(losses.iter().filter(|l| **l == EncodeLoss::ColumnOmitted).count(), 4);
    }

    #[test]
    fn too_many_columns_are_an_error() {
        let mut cells = Vec::new();
        let options = CsvOptions::default().with_max_columns(2);
        CellWriter::new(&table(), &options).write(&item(vec![("x", "1".into())]), &mut cells);
        let error = Columns::new(&table(), &options).learn(&cells).unwrap_err();
        assert_eq!(error.to_string(), "more than 2 CSV columns");
    }

    proptest! {
        #[test]
        fn rows_come_back_as_their_items(
            texts in prop::collection::vec("[a-c ,;\"\n\r\u{e9}]{1,6}", 1..6),
            delimiter in prop::sample::select(b",;:|\t ".to_vec()),
        ) {
            let names = ["pk", "b", "with, \"quotes\"", "d", "e"];
            let item: Item<'_> = names.iter().zip(&texts)
                .map(|(name, text)| (Cow::Borrowed(*name), AttributeValue::S(text.as_str().into())))
                .collect();
            let options = CsvOptions::default().with_delimiter(delimiter);
            let (text, _) = rows(std::slice::from_ref(&item), &options);
            let mut header = Vec::new();
            let mut columns = Columns::new(&table(), &options);
            let mut cells = Vec::new();
            CellWriter::new(&table(), &options).write(&item, &mut cells);
            columns.learn(&cells).unwrap();
            columns.write_header(&mut header);
            let row = &text.as_bytes()[header.len()..text.len() - 1];
            let reader = RowReader::new(&header[..header.len() - 1], Some(&table()), delimiter).unwrap();
            prop_assert_eq!(reader.item(row).unwrap(), item);
        }

        #[test]
        fn no_row_and_no_cells_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let reader = RowReader { columns: vec![("a".into(), KeyType::N)], delimiter: b',' };
            let _ = reader.item(&bytes);
            let mut columns = Columns::new(&table(), &CsvOptions::default());
            let _ = columns.learn(&bytes);
            columns.write_rows(&bytes, &mut Vec::new());
        }
    }
}
