//! The kit judged by real servers, and the programs judged by the kit.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod crash;
mod dax;
mod documents;
mod elt_crash;
mod elt_lake;
mod elt_star;
mod generator;
mod oracle;
mod readers;
mod round_trip;
mod servers;
mod shown;
mod warehouse_history;
mod warehouse_sql;
