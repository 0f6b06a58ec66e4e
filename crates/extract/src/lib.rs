#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod aof;
mod batch;
mod compression;
mod dumps;
mod error;
mod file;
#[cfg(feature = "live")]
#[cfg_attr(docsrs, doc(cfg(feature = "live")))]
mod live;
mod memory;
#[cfg(feature = "live")]
mod snapshot;
mod source;
mod state;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use aof::AppendOnly;
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
#[cfg(feature = "live")]
pub use snapshot::RedisSnapshot;
pub use source::Source;
