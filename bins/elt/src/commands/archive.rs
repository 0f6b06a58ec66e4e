use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Archive,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Archive, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let to = match &command.to {
        Some(to) => to.clone(),
        None => places.beside_lake("archive")?,
    };
    let bench = Bench::new(None, manner.log);
    let kept = bench.run(|job| elt::archive(&places, &to, command.from.as_deref(), job))?;
    output::show(&kept, manner.json)?;
    Ok(Outcome::Done)
}
