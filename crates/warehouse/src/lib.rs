#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod commit;
mod digest;
mod embedded;
mod error;
mod folder;
mod load;
mod memory;
mod query;
pub mod result;
#[cfg(test)]
mod sample;
mod schema;
mod script;
mod session;
mod verify;
mod write;

pub use commit::{Commit, CommitColumn, CommitFile, CommitTable};
pub use embedded::{Embedded, EmbeddedOptions, Landing};
pub use error::Error;
pub use load::{LoadReport, LoadRun, StepEvent, StepReport, TestResult};
pub use query::QueryResult;
pub use verify::{Problem, VerifyReport};
