//! Live servers: how they are found and logged in to, and the scan that reads them.

mod access;
pub(crate) mod address;
mod facts;
pub(crate) mod info;
pub(crate) mod link;
mod pace;
mod pieces;
mod progress;
mod queue;
mod recent;
pub(crate) mod redis;
pub(crate) mod resp;
mod scan;
mod tls;
pub(crate) mod topology;
mod url;
mod worker;

pub use access::{Access, Secret};
pub use facts::{DbFacts, DeploymentKind, Fact, Facts, MemoryFacts, NodeFacts, Permission};
pub use redis::Redis;
pub use scan::{Read, RedisScan, ScanOptions};
pub use url::RedisUrl;

/// What a record of a live server is known by, in the place of an offset: a server has no order that
/// a second reading would find again.
pub(crate) fn identity(db: keystar_rdb::Db, key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key, db.0.into())
}
