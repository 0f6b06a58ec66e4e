//! Import files as the rest of the world meets them.

mod import;
mod kit;
mod memory;
mod reading;
