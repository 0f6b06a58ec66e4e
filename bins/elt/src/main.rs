#![doc = include_str!("../README.md")]

mod cli;
mod commands;
mod exit;
mod output;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::Parser;

/// Small, short-lived buffers by the million: the system's allocator is the slowest part of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    exit::own_our_bugs();
    let cli = cli::Cli::parse();
    output::start_log(cli.log);
    exit::report(commands::run(cli))
}
