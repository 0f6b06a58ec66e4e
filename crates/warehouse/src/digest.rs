//! A sum over rows that does not depend on their order.
//!
//! It is what tells whether a load changed a table: the tables' rows come in the order in which
//! threads finish, so their files differ where their rows do not.

use datafusion::arrow::{
    array::RecordBatch,
    datatypes::Schema,
    error::ArrowError,
    row::{RowConverter, Rows, SortField},
};
use xxhash_rust::xxh3::xxh3_128;

/// Adds up the hashes of rows, each of 128 bits.
#[derive(Debug)]
pub(crate) struct Digest {
    converter: RowConverter,
    rows: Option<Rows>,
    sum: u128,
}

impl Digest {
    pub(crate) fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        Ok(Self { converter: RowConverter::new(fields.collect())?, rows: None, sum: 0 })
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let rows = self.rows.get_or_insert_with(|| self.converter.empty_rows(0, 0));
        rows.clear();
        self.converter.append(rows, batch.columns())?;
        for row in rows.iter() {
            self.sum = self.sum.wrapping_add(xxh3_128(row.data()));
        }
        Ok(())
    }

    pub(crate) fn sum(&self) -> u128 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::{
        array::{ArrayRef, Int64Array, StringArray},
        datatypes::{DataType, Field},
    };

    use super::*;

    fn sum(rows: &[(Option<i64>, Option<&str>)], cuts: &[usize]) -> u128 {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Utf8, true),
        ]));
        let mut digest = Digest::new(&schema).unwrap();
        let mut from = 0;
        for &to in cuts.iter().chain([&rows.len()]) {
            let part = &rows[from..to];
            from = to;
            let columns: Vec<ArrayRef> = vec![
                Arc::new(part.iter().map(|row| row.0).collect::<Int64Array>()),
                Arc::new(part.iter().map(|row| row.1).collect::<StringArray>()),
            ];
            digest.add(&RecordBatch::try_new(schema.clone(), columns).unwrap()).unwrap();
        }
        digest.sum()
    }

    #[test]
    fn order_and_batches_do_not_count_but_every_row_does() {
        let rows = [(Some(1), Some("x")), (None, Some("")), (Some(2), None), (Some(1), Some("x"))];
        let mut other = rows;
        other.reverse();
        assert_eq!(sum(&rows, &[]), sum(&other, &[1, 3]));
        assert_ne!(sum(&rows, &[]), sum(&rows[..3], &[]), "a row twice is not a row once");
        assert_ne!(sum(&[(None, Some(""))], &[]), sum(&[(None, None)], &[]), "empty is not NULL");
        assert_ne!(sum(&[(Some(1), Some("2"))], &[]), sum(&[(Some(2), Some("1"))], &[]));
        assert_eq!(sum(&[], &[]), 0);
    }
}
