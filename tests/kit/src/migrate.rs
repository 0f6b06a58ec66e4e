//! Runs the `migrate` program: to its end, or until it is killed at a chosen moment.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::places;

/// How a run that went to its end ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Itself, when the exit code is one of these.
    ///
    /// # Errors
    /// When it is another; with what the program said.
    pub fn expect_code(self, allowed: &[i32]) -> io::Result<Self> {
        if self.code.is_some_and(|code| allowed.contains(&code)) {
            Ok(self)
        } else {
            Err(io::Error::other(format!(
                "exit {:?}, not {allowed:?}:\n{}{}",
                self.code, self.stderr, self.stdout
            )))
        }
    }
}

/// When to strike.
#[derive(Debug, Clone)]
pub enum Moment {
    /// So long after the start.
    After(Duration),
    /// Once the files below a folder hold so many bytes together.
    Written {
        /// The folder that is watched.
        folder: PathBuf,
        /// The bytes that it must hold.
        bytes: u64,
    },
}

/// The program with these arguments, in no one's way: no stdin, no colours, no configuration from the environment.
///
/// # Errors
/// When the program was not built.
pub fn command<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> io::Result<Command> {
    let mut command = Command::new(places::migrate()?);
    quiet(command.args(arguments));
    Ok(command)
}

pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("RUST_LOG")
}

/// Runs to the end.
///
/// # Errors
/// When the program was not built or cannot be started; its exit code is the caller's to judge.
pub fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> io::Result<Ended> {
    Ok(command(arguments)?.output()?.into())
}

/// The plain run: `--from` a dump `--to` a folder, in a format and a compression.
///
/// # Errors
/// As [`run`], and when the exit code is neither 0 nor 1 (records were rejected).
pub fn convert(
    from: &Path,
    to: &Path,
    format: &str,
    compress: &str,
    more: &[&str],
) -> io::Result<Ended> {
    let mut arguments: Vec<std::ffi::OsString> =
        vec!["run".into(), "--from".into(), from.into(), "--to".into()];
    arguments.push(to.into());
    arguments.extend(["--format", format, "--compress", compress].map(Into::into));
    arguments.extend(more.iter().map(Into::into));
    run(&arguments)?.expect_code(&[0, 1])
}

/// Runs where no file can grow beyond so many bytes, which is what a full disk looks like to a program that does not
/// expect it.
///
/// # Errors
/// As [`run`].
pub fn run_with_small_files<A: AsRef<std::ffi::OsStr>>(
    arguments: &[A],
    max_file_bytes: u64,
) -> io::Result<Ended> {
    // With the signal ignored, the write itself fails. The unit of POSIX's `ulimit -f` is 512 bytes.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", max_file_bytes / 512);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(places::migrate()?).args(arguments);
    Ok(quiet(&mut command).output()?.into())
}

/// Starts the program and sends it a signal at a moment; `None` when it ended before that.
///
/// # Errors
/// When it cannot be started, or neither ends nor reaches the moment within two minutes.
pub fn strike<A: AsRef<std::ffi::OsStr>>(
    arguments: &[A],
    moment: &Moment,
    signal: Signal,
) -> io::Result<Option<Ended>> {
    strike_command(&mut command(arguments)?, moment, signal)
}

pub(crate) fn strike_command(
    command: &mut Command,
    moment: &Moment,
    signal: Signal,
) -> io::Result<Option<Ended>> {
    let begun = Instant::now();
    strike_when(command, signal, || match moment {
        Moment::After(pause) => begun.elapsed() >= *pause,
        Moment::Written { folder, bytes } => bytes_below(folder) >= *bytes,
    })
}

/// Starts a command and sends it a signal once that is due; `None` when it ended before that.
///
/// # Errors
/// As [`strike`].
pub fn strike_when(
    command: &mut Command,
    signal: Signal,
    mut is_due: impl FnMut() -> bool,
) -> io::Result<Option<Ended>> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut child = Reaped(Some(child));
    let begun = Instant::now();
    loop {
        let Some(running) = child.0.as_mut() else { return Ok(None) };
        if running.try_wait()?.is_some() {
            return Ok(None);
        }
        if is_due() {
            kill(Pid::from_raw(running.id().cast_signed()), signal)?;
            let Some(child) = child.0.take() else { return Ok(None) };
            return Ok(Some(child.wait_with_output()?.into()));
        }
        if begun.elapsed() > Duration::from_secs(120) {
            return Err(io::Error::other(
                "neither ended nor came to the moment within two minutes",
            ));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// `kill -9` at a moment; whether it came before the end.
///
/// # Errors
/// As [`strike`].
pub fn kill_at<A: AsRef<std::ffi::OsStr>>(arguments: &[A], moment: &Moment) -> io::Result<bool> {
    Ok(strike(arguments, moment, Signal::SIGKILL)?.is_some())
}

/// The files that an import would read, in order of their names.
///
/// # Errors
/// When the folder cannot be read or holds none.
pub fn data_files(output: &Path) -> io::Result<Vec<PathBuf>> {
    let data = output.join("data");
    let entries = data.read_dir().map_err(|error| places::at(&data, &error))?;
    let mut files =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other(format!("{}: no data file", data.display())));
    }
    Ok(files)
}

/// The lines of all data files of an uncompressed output, sorted: item order is not part of the promise.
///
/// # Errors
/// When the files cannot be read.
pub fn sorted_lines(output: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in data_files(output)? {
        lines.extend(std::fs::read_to_string(file)?.lines().map(str::to_owned));
    }
    lines.sort();
    Ok(lines)
}

/// Bytes of all files below a folder; a folder that is not there holds none.
pub fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// A child that does not outlive the test.
struct Reaped(Option<Child>);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
