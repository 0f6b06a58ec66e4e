//! The warehouse as its users see it: the shop's star over several loads, queries, and their output.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails fails the test"
)]

mod output;
mod query;
mod shop;
