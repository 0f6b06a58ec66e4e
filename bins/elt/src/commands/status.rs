use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Status,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(command: &Status, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let found = elt::status(command.from.as_deref(), &places)?;
    output::show(&found, manner.json)?;
    Ok(Outcome::Done)
}
