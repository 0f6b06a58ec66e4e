use std::sync::Arc;

use keystar_extract::RdbFile;
use keystar_pipeline::{Error, PlanOptions, Progress, page, plan};

use crate::{
    cli::{LogForm, Plan},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings::{self, compression_name, format_name},
};

pub(super) fn run(command: &Plan, log: LogForm) -> Result<Outcome, Failure> {
    let rules = settings::Rules::load(&command.rules)?;
    let selection = settings::selection(&command.source)?;
    let mut source =
        RdbFile::open(&command.source.from, selection.options()).map_err(Error::Source)?;
    let files = &command.files;
    let options = PlanOptions::new(settings::jobs(command.source.jobs), rules.clock())
        .with_format(format_name(files.format), compression_name(files.compress))
        .with_max_file(files.max_file_bytes, files.max_file_items)
        .with_region(command.region.clone());
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("planning", &progress, log);
    let found = plan(&mut source, &rules.mapping, &options, super::interrupt(), &progress);
    drop(watch);
    output::result(&found?, &command.shown, page::plan)?;
    Ok(Outcome::Done)
}
