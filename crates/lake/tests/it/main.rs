//! What a lake is after a load: files, types, values, rejects, reports.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests may fail, in their helpers too")]

mod drift;
mod full;
mod kit;
mod laws;
mod window;
