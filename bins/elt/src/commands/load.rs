use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Load,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Load, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let bench = Bench::with(&command.machine, manner.log);
    let loaded = bench.run(|job| elt::load(&places, job))?;
    output::show(&loaded, manner.json)?;
    Ok(Outcome::Done)
}
