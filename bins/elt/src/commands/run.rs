use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Run,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Run, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let question = settings::question(&command.question)?;
    if command.dry_run {
        output::show(&elt::plan(&settings::origin(&command.windows), &places)?, manner.json)?;
        return Ok(Outcome::Done);
    }
    let start = settings::start(&command.start);
    let bench = Bench::with(&command.machine, manner.log).telling(manner.log);
    let report = bench.run(|job| {
        let report = elt::run(&settings::origin(&command.windows), &places, start, &question, job)?;
        if let Some(path) = &command.report {
            elt::report(&places, &question, path, job)?;
        }
        Ok::<_, elt::Error>(report)
    })?;
    output::show(&report, manner.json)?;
    Ok(Outcome::of(report.set_aside() == 0))
}
