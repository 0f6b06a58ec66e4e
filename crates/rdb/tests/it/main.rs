//! The decoder against real dumps, their expected contents, corrupt payloads and random bytes.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod chunks;
mod dumps;
mod encode;
mod fields;
mod fixture;
mod golden;
mod law;
mod negative;
mod opcodes;
mod render;
mod resume;
mod truth;
mod upstream;
