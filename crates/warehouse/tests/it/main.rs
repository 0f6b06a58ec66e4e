//! The warehouse as its users see it: the shop's star over several loads, queries, and their output.

mod output;
mod query;
mod shop;
