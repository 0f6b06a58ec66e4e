#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
#[cfg(feature = "s3")]
mod bucket;
mod compression;
mod dumps;
mod error;
mod file;
#[cfg(feature = "live")]
#[cfg_attr(docsrs, doc(cfg(feature = "live")))]
mod live;
mod memory;
mod source;
mod state;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use batch::{Batch, Entry, Failure, Position, Remarks};
pub use compression::Compression;
pub use dumps::Dumps;
pub use error::Error;
pub use file::{RdbFile, RdbOptions};
#[cfg(feature = "live")]
pub use live::{
    Access, DbFacts, DeploymentKind, Fact, Facts, MemoryFacts, NodeFacts, Permission, Read, Redis,
    RedisScan, RedisUrl, ScanOptions, Secret,
};
pub use memory::MemorySource;
pub use source::Source;
