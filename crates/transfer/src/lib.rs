#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "dynamodb")]
mod aws;
#[cfg(feature = "dynamodb")]
mod batch;
#[cfg(all(feature = "dynamodb", feature = "s3"))]
mod bulk_put;
#[cfg(all(feature = "dynamodb", feature = "s3"))]
mod bulk_report;
#[cfg(feature = "dynamodb")]
mod call;
mod collision;
mod csv;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod encoded;
mod encoder;
mod error;
mod export;
mod file;
mod import;
#[cfg(all(feature = "dynamodb", feature = "s3"))]
mod import_table;
mod lane;
#[cfg(feature = "dynamodb")]
mod live;
#[cfg(feature = "dynamodb")]
mod live_log;
#[cfg(feature = "dynamodb")]
mod live_options;
#[cfg(feature = "dynamodb")]
mod live_pump;
#[cfg(feature = "dynamodb")]
mod live_rate;
#[cfg(feature = "dynamodb")]
mod live_settle;
#[cfg(all(feature = "dynamodb", feature = "s3"))]
mod logs;
mod manifest;
mod memory;
mod memory_store;
mod offload;
mod options;
mod pool;
mod reader;
mod removal;
mod sink;
mod spill;
mod store;
#[cfg(feature = "dynamodb")]
mod table_items;
#[cfg(feature = "dynamodb")]
mod table_keys;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
#[cfg(feature = "dynamodb")]
mod wire;
mod written;

#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use aws::{Aws, AwsOptions};
#[cfg(all(feature = "dynamodb", feature = "s3"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "dynamodb", feature = "s3"))))]
pub use bulk_put::{BulkPut, BulkPutOutcome};
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use dynamodb::{
    AfterLoad, DynamoDb, Encryption, StreamView, TableExtras, TableFacts, TableName,
};
pub use encoded::{EncodeLoss, Encoded, Entry, Origin, Position};
pub use error::Error;
pub use export::{
    Block, Chain, Change, Export, ExportBlocks, ExportFile, ExportInfo, ExportKind, ExportView,
    RecordParts, UnixMicros, Window, WindowError, change, parts,
};
pub use import::ImportWriter;
#[cfg(all(feature = "dynamodb", feature = "s3"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "dynamodb", feature = "s3"))))]
pub use import_table::{
    ImportJob, ImportOutcome, ImportProgress, ImportSample, ImportSource, ImportStatus, ItemError,
};
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use live::LiveWriter;
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use live_options::{LiveOptions, Put};
pub use manifest::{ImportFile, Manifest};
pub use memory::{MemoryItems, MemorySink};
pub use offload::Offloads;
pub use options::{Compression, CsvOptions, Format, ImportOptions};
pub use reader::{ImportItems, ImportReader, ReadItem, SourceFile};
pub use sink::{Duplicate, ItemEncoder, ItemSink, LossCount, Mark, Receipt};
pub use store::{Place, local_folder};
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use table_items::{ScanTableOptions, TableItems, TablePage};
pub use written::WrittenItem;
