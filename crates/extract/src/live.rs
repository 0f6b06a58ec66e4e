//! Live servers: how they are found and logged in to, and the scan that reads them.

mod access;
mod address;
mod info;
mod link;
mod pace;
mod pieces;
mod progress;
mod queue;
mod recent;
mod redis;
mod resp;
mod scan;
mod tls;
mod topology;
mod url;
mod worker;

pub use access::{Access, Secret};
pub use redis::Redis;
pub use scan::{Read, RedisScan, ScanOptions};
pub use url::RedisUrl;
