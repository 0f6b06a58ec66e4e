//! Live servers: how they are found and logged in to, and the scan that reads them.

mod access;
pub(crate) mod address;
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
pub use redis::Redis;
pub use scan::{Read, RedisScan, ScanOptions};
pub use url::RedisUrl;
