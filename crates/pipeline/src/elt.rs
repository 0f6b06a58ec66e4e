//! From a DynamoDB single table to a star schema: exports to a lake to a warehouse to an answer.

mod error;
mod sample;

pub use error::Error;
pub use sample::{
    Cell, Expected, Sales, SampleExport, SampleReport, SampleSpec, sample, sample_items,
};
