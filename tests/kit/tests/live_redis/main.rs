//! Live servers as sources: what a scan gives is what the servers hold, whatever happens to them meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access;
mod cluster;
mod encrypted;
mod faults;
mod gathered;
mod scripted;
mod standalone;
