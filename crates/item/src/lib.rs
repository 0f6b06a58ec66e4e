#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attributes;
mod error;
#[cfg(any(feature = "aws-sdk-dynamodb-1", feature = "serde_dynamo-4"))]
mod foreign;
mod item;
mod lines;
mod number;
mod table;
mod text;
mod value;

pub mod ion;
pub mod json;
pub mod limits;
pub mod scan;

pub use attributes::Attributes;
pub use error::{Error, ErrorKind};
pub use item::Item;
pub use number::Number;
pub use table::{Billing, Index, KeyAttribute, KeySchema, KeyType, Projection, Table};
pub use value::AttributeValue;
