use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Lake,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Lake, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let start = settings::start(&command.start);
    let bench = Bench::new(command.jobs, manner.log);
    let landed =
        bench.run(|job| elt::lake(&settings::origin(&command.windows), &places, start, job))?;
    output::show(&landed, manner.json)?;
    Ok(Outcome::of(landed.set_aside() == 0))
}
