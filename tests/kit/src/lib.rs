#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "unpublished: whoever uses it is compiled with it"
)]

pub mod alone;
pub mod bench;
pub mod bench_elt;
pub mod bench_live;
pub mod crc64;
pub mod double;
mod double_http;
pub mod dump;
pub mod dynamodb;
pub mod elt;
pub mod fault;
pub mod generate;
pub mod listpack;
pub mod lzf;
pub mod measure;
pub mod migrate;
pub mod ministack;
pub mod places;
pub mod postgres;
pub mod process;
pub mod python;
pub mod random;
pub mod redis;
pub mod redis_aof;
pub mod redis_cluster;
pub mod redis_proxy;
pub mod redis_sentinel;
pub mod redis_tls;
pub mod s3;
