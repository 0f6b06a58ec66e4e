//! The laws of the mapping, the words of its errors, and the reference page that its cases make.

mod big;
mod casts;
mod data;
mod laws;
mod reference;
mod spec;
