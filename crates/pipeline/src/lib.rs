#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "live")]
mod account;
mod check;
mod compare_format;
mod conveyor;
mod damage;
mod dax;
mod diff;
mod document;
#[cfg(feature = "elt")]
pub mod elt;
mod error;
mod fingerprint;
mod held;
mod input;
mod inspect;
mod ledger;
mod load;
mod mapper;
mod migration;
mod names;
mod outcome;
pub mod page;
mod plan;
mod pricing;
mod progress;
#[cfg(feature = "live")]
mod refusals;
mod rejects;
#[cfg(feature = "live")]
mod repair;
mod report;
mod resp;
mod restoration;
mod restore;
mod reverse;
#[cfg(feature = "live")]
mod sample;
mod selection;
#[cfg(feature = "live")]
mod server;
mod spool;
#[cfg(feature = "live")]
mod table;
mod tally;
mod target;
mod text;
mod units;
mod verification;
mod verify;
mod workdir;

pub use check::{Check, Checks, State, check};
pub use compare_format::{DifferentItem, FormatComparison, compare_format};
pub use conveyor::Interrupt;
pub use dax::dax_template;
pub use diff::{Difference, Unlike};
pub use error::{Error, Occupied};
pub use held::Held;
pub use input::{Input, Reach, Via};
pub use inspect::{
    DatabaseRow, EncodingRow, Fact, InspectOptions, Inspection, LargeKey, PrefixCover, PrefixRow,
    TypeRow, inspect,
};
pub use load::{By, Load, Loaded, Present};
#[cfg(feature = "live")]
pub use migration::verify_table;
pub use migration::{
    MigrationOptions, MigrationSpec, Status, migrate, recorded, status, verify_run, work_dir,
};
pub use plan::{FileFigures, ItemFigures, KeyRow, LargeItem, Plan, PlanOptions, RuleRow, plan};
pub use pricing::{Cost, Duration, Price, Prices};
pub use progress::Progress;
pub use rejects::Rejected;
#[cfg(feature = "live")]
pub use repair::Repair;
pub use report::{Counts, Report};
pub use restoration::RestoreReport;
pub use restore::{RestoreOptions, restore};
#[cfg(feature = "live")]
pub use sample::{Sampled, verify_sample};
pub use selection::Selection;
#[cfg(feature = "live")]
pub use table::TableReader;
pub use tally::{Bucket, Key, Sample};
pub use verification::{Finding, Findings, Repaired, Verification};
pub use verify::{OpenSource, VerifyOptions, verify};
pub use workdir::Start;
