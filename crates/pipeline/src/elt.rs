//! From a DynamoDB single table to a star schema: exports to a lake to a warehouse to an answer.
//!
//! ```text
//! export ──lake──▶ typed Parquet ──load──▶ landing, keys, star ──query──▶ answer
//! ```
//!
//! Every step is a function of its own, and [`run`] does those that are not done yet. All of them
//! take a [`Job`] (how much of the machine, what time it is, who watches) and [`Places`].

mod archive;
mod check;
mod demo;
mod error;
mod growth;
mod infer;
mod job;
mod lake;
mod ledger;
mod load;
mod modelling;
mod origin;
mod page;
mod pending;
mod places;
mod plan;
mod query;
mod question;
mod reading;
mod run;
mod sample;
mod status;
mod store;
mod verify;

pub use archive::{Archived, archive};
pub use check::{Checked, check};
pub use demo::{Demo, demo};
pub use error::{Error, Fault};
pub use growth::{Growth, GrowthRow};
pub use infer::{Inferred, infer};
pub use job::{Event, Job};
pub use lake::{LakeReport, lake};
pub use ledger::{DataTest, Drift, Landed, Loaded, Step};
pub use load::load;
pub use modelling::{DialectName, ddl};
pub use origin::Origin;
pub use page::report;
pub use places::Places;
pub use plan::{Forecast, plan};
pub use query::{Answer, TableForm, query};
pub use question::{Period, Question};
pub use run::{RunReport, run};
pub use sample::{
    Cell, Expected, Sales, SampleExport, SampleReport, SampleSpec, sample, sample_items,
};
pub use status::{Status, status};
pub use verify::{Verified, verify};

pub use crate::Start;
