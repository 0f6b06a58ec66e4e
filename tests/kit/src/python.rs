//! Readers that are not ours: scripts for the Python that `scripts/setup` made.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::places;

/// Runs a script of `tests/kit/python` and gives back what it printed.
///
/// # Errors
/// When Python is not installed or the script fails; with what it wrote to stderr.
pub fn run<A: AsRef<Path>>(script: &str, arguments: &[A]) -> io::Result<String> {
    let python = places::installed("venv/bin/python")?;
    let script = places::workspace().join("tests/kit/python").join(script);
    let mut command = Command::new(python);
    command.arg(&script);
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    let output = command.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{}: {}: {errors}", script.display(), output.status)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
