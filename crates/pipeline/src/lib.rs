#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod conveyor;
mod error;
mod fingerprint;
mod progress;
mod rejects;
mod report;
mod workdir;

pub use conveyor::Interrupt;
pub use error::{Error, Occupied};
pub use progress::Progress;
pub use rejects::Rejected;
pub use report::{Counts, Report};
pub use workdir::Start;
