//! Whole jobs, on data in memory and on files in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod migration;
mod restore;
mod verify;
mod world;
