//! What a command costs: wall time, processor time of both kinds, the most memory that it held.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What one run cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// By the clock on the wall.
    pub wall: Duration,
    /// User and system time together, of all threads.
    pub cpu: Duration,
    /// The most memory resident at once, in bytes.
    pub peak_bytes: u64,
}

/// Runs a command as the only child of this process: the kernel adds up all children, so each is measured by a process
/// of its own (`keystar-kit measure`). What the command prints to stdout is dropped.
///
/// # Errors
/// When the command cannot be run or fails.
pub fn measure_here(command: &mut Command) -> io::Result<Cost> {
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let wall = begun.elapsed();
    let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?} ended with {status}")));
    }
    let total = |usage: nix::sys::resource::Usage| {
        let user = usage.user_time();
        let system = usage.system_time();
        Duration::from_micros(
            (user.tv_sec() + system.tv_sec()) as u64 * 1_000_000
                + (user.tv_usec() + system.tv_usec()) as u64,
        )
    };
    Ok(Cost { wall, cpu: total(after) - total(before), peak_bytes: after.max_rss() as u64 * 1024 })
}

/// The costs of several runs of one command.
#[derive(Debug, Default)]
pub struct Medians(Vec<Cost>);

impl Medians {
    /// Runs a command once, through `kit measure`, so that nothing else is counted with it.
    ///
    /// # Errors
    /// When it fails.
    pub fn one(kit: &Path, command: &[String]) -> io::Result<Cost> {
        let output = Command::new(kit).arg("measure").arg("--").args(command).output()?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!(
                "{}: {}: {errors}",
                command.join(" "),
                output.status
            )));
        }
        Cost::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// One more run.
    pub fn add(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    /// The median of each figure.
    pub fn cost(&self) -> Cost {
        Cost {
            wall: middle(self.0.iter().map(|cost| cost.wall)),
            cpu: middle(self.0.iter().map(|cost| cost.cpu)),
            peak_bytes: middle(self.0.iter().map(|cost| cost.peak_bytes)),
        }
    }
}

fn middle<T: Ord + Copy + Default>(figures: impl Iterator<Item = T>) -> T {
    let mut figures: Vec<T> = figures.collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl Cost {
    /// One line: microseconds of wall, of processor, and peak bytes.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.wall.as_micros(), self.cpu.as_micros(), self.peak_bytes)
    }

    fn parse(line: &str) -> io::Result<Self> {
        let figures: Vec<u64> =
            line.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
        match figures[..] {
            [wall, cpu, peak_bytes] => Ok(Self {
                wall: Duration::from_micros(wall),
                cpu: Duration::from_micros(cpu),
                peak_bytes,
            }),
            _ => Err(io::Error::other(format!("not a cost: {line:?}"))),
        }
    }
}
