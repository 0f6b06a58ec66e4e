use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Demo,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Demo, manner: Manner) -> Result<Outcome, Failure> {
    let spec = settings::sample(&command.size)?;
    let to = match &command.to {
        Some(to) => to.clone(),
        // The process makes the name new; the folder is left for whoever wants to look at it.
        None => std::env::temp_dir().join(format!("elt-demo-{}", std::process::id())),
    };
    let bench = Bench::with(&command.machine, manner.log).telling(manner.log);
    let demo = bench.run(|job| elt::demo(&spec, &to, job))?;
    output::show(&demo.answer, manner.json)?;
    for line in demo.next_steps() {
        output::note(&line);
    }
    Ok(Outcome::Done)
}
