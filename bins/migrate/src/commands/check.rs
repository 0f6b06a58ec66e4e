use keystar_pipeline::MigrationSpec;

use crate::{
    cli::Check,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(check: &Check) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&check.rules)?;
    let from = settings::input(&check.source.from, &check.source.server)?;
    let spec = MigrationSpec::new(from, check.to.as_deref().unwrap_or_default())?
        .with_selection(settings::selection(&check.source)?)
        .with_mapping(rules.text.clone(), rules.salt.as_deref())
        .with_load(settings::load(&check.load))?;
    let options = settings::options(&check.source)?
        .with_aws(settings::aws(&check.aws))
        .with_salt(rules.salt.clone());
    let checks = keystar_pipeline::check(&spec, &options)?;
    output::show(&checks, check.json)?;
    match checks.ok() {
        true => Ok(Outcome::Done),
        false => Err(Failure::target("a run would fail")),
    }
}
