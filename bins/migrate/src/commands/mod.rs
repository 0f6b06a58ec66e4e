//! One file a command.

mod check;
mod compare_format;
mod dax;
mod inspect;
mod plan;
mod reference;
mod restore;
mod run;
mod status;
mod verify;

use std::sync::OnceLock;

use keystar_pipeline::Interrupt;

use crate::{
    cli::{Cli, Command},
    exit::{Failure, Outcome},
};

/// Runs the command that was typed.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    let log = cli.log;
    match cli.command {
        Command::Check(check) => check::run(&check),
        Command::Plan(plan) => plan::run(&plan, log),
        Command::Run(run) => run::run(&run, log),
        Command::Status(status) => status::run(&status),
        Command::Verify(verify) => verify::run(&verify, log),
        Command::Inspect(inspect) => inspect::run(&inspect, log),
        Command::Restore(restore) => restore::run(&restore, log),
        Command::CompareFormat(compare) => compare_format::run(&compare, log),
        Command::Dax(dax) => dax::run(&dax),
        Command::Schema => reference::schema(),
        Command::Completions { shell } => reference::completions(shell),
        Command::Man { to } => reference::man(&to),
    }
}

/// Set by Ctrl-C or a termination signal; a second one ends the process at once.
fn interrupt() -> &'static Interrupt {
    static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();
    INTERRUPT.get_or_init(|| {
        // Without a handler Ctrl-C kills the process, which a run survives as well.
        let _ = ctrlc::set_handler(|| {
            let interrupt = interrupt();
            if interrupt.is_set() {
                std::process::exit(130);
            }
            interrupt.set();
        });
        Interrupt::new()
    })
}
