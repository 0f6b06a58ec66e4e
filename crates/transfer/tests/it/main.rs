//! Import files as the rest of the world meets them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says no by a panic"
)]

mod export;
mod export_errors;
mod export_forms;
mod import;
mod kit;
mod memory;
mod reading;
