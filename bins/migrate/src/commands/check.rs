use keystar_pipeline::{MigrationOptions, MigrationSpec};

use crate::{
    cli::Check,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(check: &Check) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&check.rules)?;
    let from = settings::input(&check.source.from, &check.source.server)?;
    let reach = settings::reach(&check.source.server, settings::aws(&check.aws))?;
    let spec = MigrationSpec::new(from, check.to.as_deref().unwrap_or_default(), &reach)?
        .with_selection(settings::selection(&check.source)?)
        .with_mapping(rules.text.clone(), rules.salt.as_deref())
        .with_load(settings::load(&check.load))?;
    let jobs = settings::jobs(check.source.jobs);
    let options = MigrationOptions::new(jobs, settings::now())
        .with_reach(reach)
        .with_salt(rules.salt.clone());
    let checks = keystar_pipeline::check(&spec, &options)?;
    output::show(&checks, check.json)?;
    match checks.ok() {
        true => Ok(Outcome::Done),
        false => Err(Failure::target("a run would fail")),
    }
}
