//! The SQL of the e-commerce model: goldens, parsers, and laws.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails fails the test"
)]

mod ecommerce;
mod forms;
mod golden;
mod hostile;
mod models;
