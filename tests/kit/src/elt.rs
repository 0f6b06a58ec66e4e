//! Runs the `elt` program on the e-commerce table: to its end, or until it is killed at a chosen moment.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::migrate::{Ended, Moment, quiet, strike_command};
use crate::places;

/// The program with these arguments, in no one's way: no stdin, no colours, no configuration from the environment.
///
/// # Errors
/// When the program was not built.
pub fn command<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Command> {
    let mut command = Command::new(places::elt()?);
    quiet(command.args(arguments));
    Ok(command)
}

/// Runs to the end.
///
/// # Errors
/// When the program was not built or cannot be started; its exit code is the caller's to judge.
pub fn run<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Ended> {
    Ok(command(arguments)?.output()?.into())
}

/// `kill -9` at a moment; whether it came before the end.
///
/// # Errors
/// When it cannot be started, or neither ends nor reaches the moment within two minutes.
pub fn kill_at<A: AsRef<OsStr>>(arguments: &[A], moment: &Moment) -> io::Result<bool> {
    Ok(strike_command(&mut command(arguments)?, moment, Signal::SIGKILL)?.is_some())
}

/// The model of the e-commerce table.
pub fn model() -> PathBuf {
    places::workspace().join("examples/ecommerce/model.toml")
}

/// An e-commerce table as `elt sample` makes it: what is read from, and all that is made of it, in one folder.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The folder with `AWSDynamoDB`.
    pub source: PathBuf,
}

impl Shop {
    /// Makes the exports, four files each, below a folder.
    ///
    /// # Errors
    /// When the program was not built or does not end well.
    pub fn new(source: &Path, customers: u64, windows: u64, seed: u64) -> io::Result<Self> {
        let (customers, windows, seed) =
            (customers.to_string(), windows.to_string(), seed.to_string());
        let numbers = ["--customers", &customers, "--windows", &windows, "--seed", &seed];
        let mut arguments = vec!["sample", "--files", "4"];
        arguments.extend(numbers);
        let mut command = command(&arguments)?;
        Ended::from(command.arg("--to").arg(source).output()?).expect_code(&[0])?;
        Ok(Self { source: source.to_owned() })
    }

    /// The arguments of a job that reads the exports into a folder with lake, warehouse and the state of runs.
    pub fn job(&self, job: &str, folder: &Path, more: &[&str]) -> Vec<std::ffi::OsString> {
        let model = model();
        let mut arguments: Vec<std::ffi::OsString> = vec![job.into()];
        for (name, path) in [("--from", &*self.source), ("--dir", folder), ("--model", &model)] {
            arguments.extend([name.into(), path.into()]);
        }
        arguments.extend(more.iter().map(Into::into));
        arguments
    }

    /// Runs such a job to its end.
    ///
    /// # Errors
    /// When the program was not built or does not end with exit code 0.
    pub fn run(&self, job: &str, folder: &Path, more: &[&str]) -> io::Result<Ended> {
        run(&self.job(job, folder, more))?.expect_code(&[0])
    }
}

/// Asks the lake and the warehouse of a folder in SQL; the answer as CSV, a header and one line a row.
///
/// # Errors
/// When the program was not built or does not end with exit code 0.
pub fn query(folder: &Path, sql: &str) -> io::Result<String> {
    let mut command = command(&["query", "--format", "csv", sql])?;
    command.arg("--dir").arg(folder).arg("--model").arg(model());
    Ok(Ended::from(command.output()?).expect_code(&[0])?.stdout)
}
