//! The laws of the mapping, the words of its errors, and the reference page that its cases make.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails fails the test"
)]

mod big;
mod casts;
mod data;
mod laws;
mod lines;
mod reference;
mod spec;
