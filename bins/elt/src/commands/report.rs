use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Report,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Report, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let question = settings::question(&command.question)?;
    let path = match &command.output {
        Some(path) => path.clone(),
        None => places.beside_lake("report.html")?,
    };
    let bench = Bench::with(&command.machine, manner.log);
    bench.run(|job| elt::report(&places, &question, &path, job))?;
    output::note(&format!("the page is {}", path.display()));
    Ok(Outcome::Done)
}
