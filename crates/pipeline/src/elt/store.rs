//! Lake and warehouse as they are asked.

use keystar_lake::Lake;
use keystar_sql::{Schema, TableName};
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

/// The lake's tables as a warehouse takes them, and the items of no entity if there are any.
pub(super) fn landing(lake: &Lake) -> Vec<Landing> {
    let unknown = Some(lake.unknown()).filter(|unknown| !unknown.files.is_empty());
    let tables = lake.tables().into_iter().chain(unknown);
    let landing = tables.map(|table| Landing {
        columns: table.schema(),
        table: TableName::new(Schema::Landing, table.entity),
        files: table.files,
    });
    landing.collect()
}
