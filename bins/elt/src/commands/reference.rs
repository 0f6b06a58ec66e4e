//! What the tool says of itself: completions, man pages.

use std::{fs, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    cli::Cli,
    exit::{Failure, Outcome},
    output,
};

pub(super) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "elt", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}

pub(super) fn man(to: &Path) -> Result<Outcome, Failure> {
    fs::create_dir_all(to).map_err(Failure::target)?;
    clap_mangen::generate_to(Cli::command(), to).map_err(Failure::target)?;
    output::note(&format!("man pages are in {}", to.display()));
    Ok(Outcome::Done)
}
