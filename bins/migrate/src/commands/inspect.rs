use std::sync::Arc;

use keystar_pipeline::{InspectOptions, Progress, inspect, page};

use crate::{
    cli::{Inspect, LogForm},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(command: &Inspect, log: LogForm) -> Result<Outcome, Failure> {
    let reach = settings::reach(&command.source.server, settings::buckets(&command.aws))?;
    let mut source = settings::open(&command.source, &reach)?;
    let options = InspectOptions::new(settings::jobs(command.source.jobs), settings::now())
        .with_top(command.top)
        .with_separator(command.separator);
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("reading", &progress, log);
    let found = inspect(source.as_mut(), &options, super::interrupt(), &progress);
    drop(watch);
    let found = found?;
    output::result(&found, &command.shown, page::inspection)?;
    Ok(if found.complete { Outcome::Done } else { Outcome::Interrupted })
}
