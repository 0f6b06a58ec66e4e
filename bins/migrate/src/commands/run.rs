use std::sync::Arc;

use keystar_pipeline::{MigrationOptions, Progress, migrate, page};

use crate::{
    cli::{LogForm, Run},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(run: &Run, log: LogForm) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&run.rules)?;
    let reach = settings::reach(&run.source.server, settings::aws(&run.aws))?;
    let spec = settings::migration(run, &rules, &reach)?;
    let options = MigrationOptions::new(settings::jobs(run.source.jobs), settings::now())
        .with_reach(reach)
        .with_work(run.work.clone())
        .with_salt(rules.salt.clone())
        .with_start(settings::start(run));
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("migrating", &progress, log);
    let report = migrate(&spec, &options, super::interrupt(), &progress);
    drop(watch);
    let report = report?;
    output::result(&report, &run.shown, page::report)?;
    let all_loaded = report.loaded.as_ref().is_none_or(keystar_pipeline::Loaded::ok);
    Ok(match (report.complete, report.counts.rejected()) {
        (false, _) => Outcome::Interrupted,
        (true, 0) if all_loaded => Outcome::Done,
        (true, _) => Outcome::Differences,
    })
}
