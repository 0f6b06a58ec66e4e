use std::sync::Arc;

use keystar_pipeline::{Error, Progress, compare_format, page};

use crate::{
    cli::{CompareFormat, LogForm},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(command: &CompareFormat, log: LogForm) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&command.rules)?;
    let mapping = rules.mapping.with_as_of(rules.as_of.unwrap_or_else(settings::now));
    let reach = settings::reach(&command.source.server, settings::buckets(&command.aws))?;
    let mut source = settings::open(&command.source, &reach)?;
    let jobs = settings::jobs(command.source.jobs);
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("comparing", &progress, log);
    let interrupt = super::interrupt();
    let export = reach.place(&command.export).map_err(Error::Export)?;
    let found = compare_format(export, source.as_mut(), &mapping, jobs, interrupt, &progress);
    drop(watch);
    let found = found?;
    output::result(&found, &command.shown, page::format_comparison)?;
    Ok(match (found.complete, found.ok()) {
        (false, _) => Outcome::Interrupted,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Differences,
    })
}
