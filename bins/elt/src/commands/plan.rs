use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Plan,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(command: &Plan, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let forecast = elt::plan(&settings::origin(&command.windows), &places)?;
    match command.sql {
        true => output::data(forecast.sql())?,
        false => output::show(&forecast, manner.json)?,
    }
    Ok(Outcome::Done)
}
