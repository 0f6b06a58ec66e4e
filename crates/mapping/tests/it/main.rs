//! The laws of the mapping.
