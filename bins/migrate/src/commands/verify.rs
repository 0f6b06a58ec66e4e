use std::sync::Arc;

use keystar_pipeline::{
    MigrationOptions, MigrationSpec, Progress, Repair, Verification, page, verify_run, verify_table,
};

use crate::{
    cli::{self, LogForm, Verify},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(command: &Verify, log: LogForm) -> Result<Outcome, Failure> {
    let repair = match (command.repair, command.delete_extra) {
        (false, _) => Repair::Nothing,
        (true, false) => Repair::Write,
        (true, true) => Repair::WriteAndDelete,
    };
    let options = MigrationOptions::new(settings::jobs(command.jobs), settings::now())
        .with_reach(settings::reach(&command.server, settings::aws(&command.aws))?)
        .with_sample(command.sample)
        .with_repair(repair)
        .with_salt(settings::salt(&command.salt_env));
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("verifying", &progress, log);
    let found = compare(command, &options, &progress);
    drop(watch);
    let found = found?;
    output::result(&found, &command.shown, page::verification)?;
    Ok(match (found.complete, found.ok()) {
        (false, _) => Outcome::Interrupted,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Differences,
    })
}

fn compare(
    command: &Verify,
    options: &MigrationOptions,
    progress: &Progress,
) -> Result<Verification, Failure> {
    let from = match command.from.is_empty() {
        true => None,
        false => Some(settings::input(&command.from, &command.server)?),
    };
    let interrupt = super::interrupt();
    if command.work.is_some() || !command.to.starts_with("dynamodb://") {
        let work = settings::work(&command.to, command.work.as_deref())?;
        return Ok(verify_run(&work, from, options, interrupt, progress)?);
    }
    let Some(from) = from else {
        return Err(Failure::usage("a table is compared with a source: name it")
            .hint("--from names it, or --work the state of the run that wrote the table"));
    };
    let rules = settings::Rules::load(&cli::Rules {
        mapping: command.mapping.clone(),
        as_of: None,
        salt_env: command.salt_env.clone(),
    })?;
    let spec = MigrationSpec::new(from, &command.to, &options.reach)?
        .with_mapping(rules.text.clone(), rules.salt.as_deref());
    let folder = std::env::temp_dir();
    Ok(verify_table(&spec, &folder, options, interrupt, progress)?)
}
