//! Windows of changes.
