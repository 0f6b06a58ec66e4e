//! The binary as its users meet it: every command on the sample, what a killed run leaves, hostile
//! input, exit codes with their words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod crash;
mod exit_codes;
mod hostile;
mod journey;
mod reference;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// How a command ended.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Itself, when the exit code is this.
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stderr, self.stdout);
        self
    }
}

/// The `elt` binary with nothing of the caller's environment.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elt"));
    command.args(args).current_dir(root()).env_clear();
    command
}

fn elt(args: &[&str]) -> Ran {
    let output = command(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The answer to a query as CSV, without the header.
fn rows(dir: &str, sql: &str) -> Vec<String> {
    let ran = elt(&["query", "--dir", dir, sql, "--format", "csv"]).expect(0);
    ran.stdout.lines().skip(1).map(str::to_owned).collect()
}

/// The workspace's folder, from which examples and docs are named.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
