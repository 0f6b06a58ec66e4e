//! What holds for any item: texts come back equal, hostile bytes do no harm, limits are exact.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests may fail, in their helpers too")]

mod arbitrary;
mod hostile;
mod ion;
mod json;
mod limits;
mod line;
mod number;
mod scan;
mod table;

#[cfg(any(feature = "aws-sdk-dynamodb-1", feature = "serde_dynamo-4"))]
mod foreign;
