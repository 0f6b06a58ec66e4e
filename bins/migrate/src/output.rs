//! The one place that prints: data to stdout, everything else to stderr.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the binary's output")]

use std::{
    fmt::Display,
    fs,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    cli::{LogForm, Shown},
    exit::Failure,
};

/// Starts the log on stderr; `RUST_LOG` chooses what it shows.
pub(crate) fn start_log(form: LogForm) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,aws_config=off,migrate::progress=info"));
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    match form {
        LogForm::Text => log.with_ansi(colours(io::stderr().is_terminal())).without_time().init(),
        LogForm::Json => log.json().init(),
    }
}

/// Colours are for a terminal, and for people who did not refuse them.
fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes data to stdout. A reader that went away is not our failure.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::target(error)),
        _ => Ok(()),
    }
}

/// Shows a result: as text for people or as JSON on stdout, and in a file where one was asked for.
pub(crate) fn result<T: Display + Serialize>(
    result: &T,
    shown: &Shown,
    page: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    if let Some(path) = &shown.report {
        let html = path.extension().is_some_and(|extension| extension == "html");
        let text = if html { page(result) } else { to_json(result)? };
        fs::write(path, text).map_err(|error| {
            Failure::target(error).hint(format!("the report file is {}", path.display()))
        })?;
    }
    show(result, shown.json)
}

/// Shows a result on stdout.
pub(crate) fn show<T: Display + Serialize>(result: &T, as_json: bool) -> Result<(), Failure> {
    data(&if as_json { to_json(result)? } else { result.to_string() })
}

/// Tells a result on stderr, where stdout carries data.
pub(crate) fn note_result<T: Display + Serialize>(
    result: &T,
    as_json: bool,
) -> Result<(), Failure> {
    let text = if as_json { to_json(result)? } else { result.to_string() };
    eprint!("{text}");
    Ok(())
}

/// Shows a value as JSON on stdout.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    data(&to_json(value)?)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::target)?;
    text.push('\n');
    Ok(text)
}

/// Writes a line for people to stderr.
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}

pub(crate) fn failure(causes: &[String], hints: &[String]) {
    for (depth, cause) in causes.iter().enumerate() {
        match depth {
            0 => eprintln!("{} {cause}", painted("error:", "31")),
            _ => eprintln!("  caused by: {cause}"),
        }
    }
    for hint in hints {
        eprintln!("{} {hint}", painted("hint:", "36"));
    }
}

fn painted(word: &str, colour: &str) -> String {
    match colours(io::stderr().is_terminal()) {
        true => format!("\x1b[1;{colour}m{word}\x1b[0m"),
        false => word.to_owned(),
    }
}
