//! Lake and warehouse as they are asked.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use keystar_lake::{Lake, LakeTable};
use keystar_sql::{Schema, TableName};
use keystar_star::{Name, Type};
use keystar_warehouse::{Commit, Embedded, EmbeddedOptions, Landing, QueryResult};

use super::{Error, Job, Places};

#[derive(Debug)]
pub(super) struct Store {
    pub(super) embedded: Embedded,
    pub(super) landing: Vec<Landing>,
}

impl Store {
    /// The places that are known; a lake that is not there has no tables.
    pub(super) fn open(places: &Places, job: &Job<'_>) -> Result<Self, Error> {
        let options = EmbeddedOptions { memory_bytes: job.memory_bytes, threads: job.jobs.get() };
        // A lake can be asked without a warehouse.
        let folder = match places.has_lake() && !places.has_warehouse() {
            true => places.lake()?.join("_keystar").join("no-warehouse"),
            false => places.warehouse()?,
        };
        let embedded = Embedded::open(&folder, options).map_err(Error::Warehouse)?;
        let landing = match places.has_lake() {
            true => landing(&Lake::open(&places.lake()?).map_err(Error::Lake)?),
            false => Vec::new(),
        };
        Ok(Self { embedded, landing })
    }

    pub(super) fn query(&self, sql: &str) -> Result<QueryResult, Error> {
        self.embedded.query(sql, &self.landing).map_err(Error::Warehouse)
    }

    /// The last commit.
    pub(super) fn commit(&self) -> Result<Option<Commit>, Error> {
        self.embedded.status().map_err(Error::Warehouse)
    }
}

/// The lake's tables as a warehouse takes them, and the items of no entity.
pub(super) fn landing(lake: &Lake) -> Vec<Landing> {
    let tables = lake.tables().into_iter().map(|table| Landing {
        columns: Arc::new(schema(&table)),
        table: TableName::new(Schema::Landing, table.entity),
        files: table.files,
    });
    let mut columns = system_columns();
    columns.push(Field::new("item", DataType::Utf8, true));
    let unknown = Landing {
        table: TableName::new(Schema::Landing, Name::fold("_unknown")),
        files: lake.unknown(),
        columns: Arc::new(ArrowSchema::new(columns)),
    };
    let unknown = (!unknown.files.is_empty()).then_some(unknown);
    tables.chain(unknown).collect()
}

fn schema(table: &LakeTable) -> ArrowSchema {
    let own = table.columns.iter();
    let own = own.map(|column| Field::new(column.name.as_str(), data_type(&column.ty), true));
    ArrowSchema::new(system_columns().into_iter().chain(own).collect::<Vec<_>>())
}

fn system_columns() -> Vec<Field> {
    vec![
        Field::new("_pk", DataType::Utf8, false),
        Field::new("_sk", DataType::Utf8, true),
        Field::new("_written_at", timestamp(), false),
    ]
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The type of a column in the lake's files.
fn data_type(ty: &Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Decimal { precision, scale } => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or_default())
        }
        Type::Double => DataType::Float64,
        Type::Date(_) => DataType::Date32,
        Type::Timestamp(_) => timestamp(),
        Type::Bytes { .. } => DataType::Binary,
        Type::List(of) => DataType::List(Arc::new(Field::new("element", data_type(of), true))),
        Type::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name.as_str(), data_type(&field.ty), true))
                .collect(),
        ),
        _ => DataType::Utf8,
    }
}
