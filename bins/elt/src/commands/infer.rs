use keystar_pipeline::elt;

use super::Manner;
use crate::{
    cli::Infer,
    exit::{Failure, Outcome},
    output,
    settings::Bench,
};

pub(super) fn run(command: &Infer, manner: Manner) -> Result<Outcome, Failure> {
    let model = match command.to.is_dir() {
        true => command.to.join("model.toml"),
        false => command.to.clone(),
    };
    let page = command.page.clone().unwrap_or_else(|| model.with_extension("html"));
    let bench = Bench::new(command.jobs, manner.log);
    let (from, hints) = (&command.source.from, &command.hints);
    let found = bench.run(|job| elt::infer(from, &model, &page, hints, command.overwrite, job))?;
    output::show(&found, manner.json)?;
    Ok(Outcome::Done)
}
