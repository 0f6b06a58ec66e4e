use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Check,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(command: &Check, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let checks = elt::check(command.from.as_deref(), &places)?;
    output::show(&checks, manner.json)?;
    match checks.into_error() {
        None => Ok(Outcome::Done),
        Some(error) => Err(error.into()),
    }
}
