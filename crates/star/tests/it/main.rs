//! Models as users write them: what they become, and what they are refused for.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod documents;
mod ecommerce;
mod faults;
mod infer;
mod spec;
