#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "dynamodb")]
mod aws;
#[cfg(feature = "s3")]
mod bucket;
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
mod lane;
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
mod wire;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use aws::{Aws, AwsOptions};
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
pub use manifest::{ImportFile, Manifest};
pub use memory::{MemoryItems, MemorySink};
pub use offload::Offloads;
pub use options::{Compression, CsvOptions, Format, ImportOptions};
pub use reader::{ImportItems, ImportReader, ReadItem, SourceFile};
pub use sink::{Duplicate, ItemEncoder, ItemSink, LossCount, Mark, Receipt};
pub use store::local_folder;
