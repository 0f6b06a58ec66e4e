//! The binary as its users meet it: help, errors, exit codes. What commands do is tested below,
//! in the crates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod documents;
mod exit_codes;
mod reference;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The `migrate` binary with nothing of the caller's environment.
fn migrate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_migrate"))
        .args(args)
        .current_dir(root())
        .env_clear()
        .output()
        .unwrap()
}

/// The workspace's folder, from which examples and docs are named.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
