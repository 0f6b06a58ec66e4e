#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod compression;
mod error;
mod file;
mod memory;
mod source;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use batch::{Batch, Entry, Failure, Position, Remarks};
pub use compression::Compression;
pub use error::Error;
pub use file::{RdbFile, RdbOptions};
pub use memory::MemorySource;
pub use source::Source;
