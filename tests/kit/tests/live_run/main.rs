//! The whole program between live servers: what it reads, how it writes, what it survives, and what it says when it
//! cannot. Each migration is judged twice: by `migrate verify`, and by asking the server and the table ourselves.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod buckets;
mod faults;
mod job;
mod kills;
mod refusals;
mod routes;
mod source;
mod target;
