use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Verify,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Verify, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let bench = Bench::with(&command.machine, manner.log);
    let found = bench.run(|job| elt::verify(command.from.as_deref(), &places, job))?;
    output::show(&found, manner.json)?;
    Ok(Outcome::of(found.ok()))
}
