#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
mod conveyor;
mod error;
mod fingerprint;
mod mapper;
mod migration;
mod names;
mod progress;
mod rejects;
mod report;
mod selection;
mod text;
mod workdir;

pub use check::{Check, Checks, State, check};
pub use conveyor::Interrupt;
pub use error::{Error, Occupied};
pub use migration::{MigrationOptions, MigrationSpec, Status, migrate, status, work_dir};
pub use progress::Progress;
pub use rejects::Rejected;
pub use report::{Counts, Report};
pub use selection::Selection;
pub use workdir::Start;
