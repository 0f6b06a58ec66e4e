#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod build;
mod cells;
mod error;
mod evolution;
mod json;
mod lake;
mod manifest;
mod options;
mod reject;
mod rewrite;
mod router;
mod table;
mod task;
mod window;
mod writer;

pub use build::{LakeBuild, LakeReport, LoadInput};
pub use error::Error;
pub use lake::{Lake, LakeTable};
pub use manifest::{Applied, EntityFiles, EvolvedColumn, LakeFile, LakeManifest, LoadKind};
pub use options::{Compression, LakeOptions};
pub use reject::Reason;
pub use task::{Counts, LakeTask, TaskReport};
