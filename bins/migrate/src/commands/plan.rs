use std::sync::Arc;

use keystar_mapping::MappingSpec;
use keystar_pipeline::{MigrationSpec, PlanOptions, Progress, page, plan};

use crate::{
    cli::{LogForm, Plan},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings::{self, compression_name, format_name},
};

pub(super) fn run(command: &Plan, log: LogForm) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&command.rules)?;
    let (source, files) = (&command.source, &command.files);
    let aws = settings::s3(command.region.as_deref(), &command.s3);
    let reach = settings::reach(&source.server, aws)?;
    let mut input = settings::open(source, &reach)?;
    let spec = MigrationSpec::new(settings::input(&source.from, &source.server)?, "", &reach)?
        .with_mapping(rules.text.clone(), rules.salt.as_deref())
        .with_format(format_name(files.format), compression_name(files.compress))
        .with_max_file(files.max_file_bytes, files.max_file_items);
    let clock = rules.clock();
    let import = spec.import_options(&rules.mapping, clock)?;
    let mut options = PlanOptions::new(import, settings::jobs(source.jobs), clock)
        .with_region(command.region.clone());
    if let Some(rules) = rules.text.as_deref().and_then(|text| MappingSpec::from_toml(text).ok()) {
        options = options.with_spec(&rules);
    }
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("planning", &progress, log);
    let found = plan(input.as_mut(), rules.mapping, &options, super::interrupt(), &progress);
    drop(watch);
    let found = found?;
    output::result(&found, &command.shown, page::plan)?;
    Ok(if found.complete { Outcome::Done } else { Outcome::Interrupted })
}
