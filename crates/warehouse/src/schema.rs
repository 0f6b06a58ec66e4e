//! The types of columns: Arrow's, as in the lake's files.
//!
//! Text and bytes have their plain types. Views would be somewhat faster to join and to group, but
//! hold whole pages of a file in memory for the sake of a few rows, and a sort that goes to disk
//! needs twice the memory.

use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit,
};
use keystar_sql::{SqlType, Table};
use keystar_star::Type;

use crate::commit::CommitColumn;

/// A table's columns.
pub(crate) fn of_table(table: &Table) -> SchemaRef {
    let fields = table
        .columns
        .iter()
        .map(|column| Field::new(column.name.as_str(), of_sql(&column.ty), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same columns with the plain types of text and bytes.
pub(crate) fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| -> FieldRef {
        let ty = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
            other => other.clone(),
        };
        Arc::new(Field::new(field.name(), ty, field.is_nullable()))
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

/// The same columns, each of which may be NULL.
pub(crate) fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| -> FieldRef { Arc::new(field.as_ref().clone().with_nullable(true)) });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

/// The columns as a commit tells them.
pub(crate) fn described(schema: &Schema) -> Vec<CommitColumn> {
    schema
        .fields()
        .iter()
        .map(|field| CommitColumn {
            name: field.name().clone(),
            ty: field.data_type().to_string(),
            nullable: field.is_nullable(),
        })
        .collect()
}

fn of_sql(ty: &SqlType) -> DataType {
    match ty {
        SqlType::Bool => DataType::Boolean,
        SqlType::Int => DataType::Int64,
        SqlType::Decimal { precision, scale } => decimal(*precision, *scale),
        SqlType::Double => DataType::Float64,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp => timestamp(),
        SqlType::Bytes { .. } => DataType::Binary,
        SqlType::Nested(ty) => of_model(ty),
        // Text and JSON; a type that is added later has text that every reader can show.
        _ => DataType::Utf8,
    }
}

fn of_model(ty: &Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Decimal { precision, scale } => decimal(*precision, *scale),
        Type::Double => DataType::Float64,
        Type::Date(_) => DataType::Date32,
        Type::Timestamp(_) => timestamp(),
        Type::Bytes { .. } => DataType::Binary,
        Type::List(element) => {
            DataType::List(Arc::new(Field::new("item", of_model(element), true)))
        }
        Type::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name.as_str(), of_model(&field.ty), true))
                .collect(),
        ),
        _ => DataType::Utf8,
    }
}

/// No more than 38 digits, and a scale within them: the model is checked.
fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
