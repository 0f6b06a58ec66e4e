//! One file a command.

mod archive;
mod check;
mod ddl;
mod demo;
mod infer;
mod lake;
mod load;
mod plan;
mod query;
mod reference;
mod report;
mod run;
mod sample;
mod status;
mod verify;

use std::sync::OnceLock;

use keystar_pipeline::Interrupt;

use crate::{
    cli::{Cli, Command, LogForm},
    exit::{Failure, Outcome},
};

/// What all commands are told.
#[derive(Clone, Copy, Debug)]
struct Manner {
    log: LogForm,
    json: bool,
}

/// Runs the command that was typed.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    let manner = Manner { log: cli.log, json: cli.json };
    match cli.command {
        Command::Demo(demo) => demo::run(&demo, manner),
        Command::Sample(sample) => sample::run(&sample, manner),
        Command::Infer(infer) => infer::run(&infer, manner),
        Command::Check(check) => check::run(&check, manner),
        Command::Plan(plan) => plan::run(&plan, manner),
        Command::Lake(lake) => lake::run(&lake, manner),
        Command::Load(load) => load::run(&load, manner),
        Command::Run(run) => run::run(&run, manner),
        Command::Query(query) => query::run(&query, manner),
        Command::Report(report) => report::run(&report, manner),
        Command::Status(status) => status::run(&status, manner),
        Command::Verify(verify) => verify::run(&verify, manner),
        Command::Archive(archive) => archive::run(&archive, manner),
        Command::Ddl(ddl) => ddl::run(&ddl),
        Command::Completions { shell } => reference::completions(shell),
        Command::Man { to } => reference::man(&to),
    }
}

/// Set by Ctrl-C or a termination signal; a second one ends the process at once.
pub(crate) fn interrupt() -> &'static Interrupt {
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
