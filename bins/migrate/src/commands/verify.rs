use std::sync::Arc;

use keystar_pipeline::{MigrationOptions, Progress, page, verify_run};

use crate::{
    cli::{LogForm, Verify},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(command: &Verify, log: LogForm) -> Result<Outcome, Failure> {
    let work = settings::work(&command.to, command.work.as_deref())?;
    let options = MigrationOptions::new(settings::jobs(command.jobs), settings::now())
        .with_aws(settings::aws(&command.aws))
        .with_reach(settings::reach(&command.server)?)
        .with_salt(settings::salt(&command.salt_env));
    let from = match command.from.is_empty() {
        true => None,
        false => Some(settings::input(&command.from, &command.server)?),
    };
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("verifying", &progress, log);
    let found = verify_run(&work, from, &options, super::interrupt(), &progress);
    drop(watch);
    let found = found?;
    output::result(&found, &command.shown, page::verification)?;
    Ok(match (found.complete, found.ok()) {
        (false, _) => Outcome::Interrupted,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Differences,
    })
}
