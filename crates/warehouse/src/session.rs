//! The engine, set up for one load or one query: its memory, its place on disk, its tables.

use std::{path::PathBuf, sync::Arc};

use datafusion::{
    arrow::datatypes::SchemaRef,
    catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, TableProvider},
    common::TableReference,
    datasource::{
        empty::EmptyTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    error::DataFusionError,
    execution::{
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        runtime_env::RuntimeEnvBuilder,
    },
    prelude::{SessionConfig, SessionContext},
};
use url::Url;

use crate::{EmbeddedOptions, Error, folder::Spill, memory::Shares};

const CATALOG: &str = "keystar";
const DEFAULT_SCHEMA: &str = "dwh";

/// An engine without tables. What it puts on disk goes to `spill`, or to the system's place.
pub(crate) fn session(
    options: &EmbeddedOptions,
    spill: Option<&Spill>,
) -> Result<SessionContext, DataFusionError> {
    let mode = spill.map_or(DiskManagerMode::OsTmpDirectory, |spill| {
        DiskManagerMode::Directories(vec![spill.path().to_owned()])
    });
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(Shares::new(options.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    // Rows that go from thread to thread wait in memory for the slower one, without a bound: a hash
    // join reads its own share of the larger side in each, and has one table of the smaller.
    config.options_mut().optimizer.repartition_joins = false;
    // A sort holds this much back for its merge; a share of a small pool must still hold more.
    let sort = &mut config.options_mut().execution;
    sort.sort_spill_reservation_bytes =
        sort.sort_spill_reservation_bytes.min(options.memory_bytes / 16 / options.threads.max(1));
    let context = SessionContext::new_with_config_rt(config, runtime);
    let catalog = MemoryCatalogProvider::new();
    for schema in ["dwh", "keys", "staging", "landing", "lake"] {
        catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
    }
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(context)
}

/// Puts a table in the place of any of the same name.
pub(crate) fn register(
    context: &SessionContext,
    schema: &str,
    name: &str,
    table: Arc<dyn TableProvider>,
) -> Result<(), DataFusionError> {
    let reference = TableReference::full(CATALOG, schema, name);
    context.deregister_table(reference.clone())?;
    context.register_table(reference, table)?;
    Ok(())
}

/// A table over Parquet files: columns that a file lacks read as NULL, types that it has narrower
/// are widened.
pub(crate) fn table(
    schema: &SchemaRef,
    files: impl IntoIterator<Item = PathBuf>,
) -> Result<Arc<dyn TableProvider>, Error> {
    let mut urls = Vec::new();
    for path in files {
        let bad = || Error::Damaged {
            file: path.display().to_string(),
            reason: "its path cannot be written as a URL".to_owned(),
        };
        let url = Url::from_file_path(&path).map_err(|()| bad())?;
        urls.push(ListingTableUrl::try_new(url, None).map_err(|_| bad())?);
    }
    if urls.is_empty() {
        return Ok(Arc::new(EmptyTable::new(Arc::clone(schema))));
    }
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()));
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::clone(schema));
    let table = ListingTable::try_new(config)
        .map_err(|error| Error::Query { reason: crate::error::one_line(&error) })?;
    Ok(Arc::new(table))
}

/// The names of all tables, `schema.name`, in order; the engine's own are left out.
pub(crate) fn table_names(context: &SessionContext) -> Vec<(String, String)> {
    let Some(catalog) = context.catalog(CATALOG) else { return Vec::new() };
    let mut names = Vec::new();
    for schema in catalog.schema_names() {
        if let Some(provider) = catalog.schema(&schema)
            && schema != "information_schema"
        {
            names.extend(provider.table_names().into_iter().map(|name| (schema.clone(), name)));
        }
    }
    names.sort();
    names
}
