use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::Arc,
};

use keystar_mapping::Mapping;
use keystar_pipeline::{Error, Progress, Reach, RestoreOptions, recorded, restore, work_dir};
use keystar_rdb::Db;
use keystar_transfer::ImportReader;

use crate::{
    cli::{LogForm, Restore},
    exit::{Failure, Outcome},
    output,
    progress::Watch,
    settings,
};

pub(super) fn run(command: &Restore, log: LogForm) -> Result<Outcome, Failure> {
    let mapping = mapping(command)?;
    let reach = Reach::default().with_aws(settings::buckets(&command.aws));
    let from = reach.place(&command.from).and_then(ImportReader::open);
    let reader = from.map_err(Failure::source)?;
    let mut options = RestoreOptions::new(&reader, &mapping, std::env::temp_dir());
    if let Some(db) = command.db {
        options = options.with_db(Db(db));
    }
    let mut out: Box<dyn Write> = match &command.to {
        Some(path) => Box::new(File::create(path).map_err(Failure::target)?),
        None => Box::new(io::stdout().lock()),
    };
    let progress = Arc::new(Progress::default());
    let watch = Watch::start("restoring", &progress, log);
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut out);
    let restored = restore(&options, &mut buffered, super::interrupt(), &progress);
    drop(watch);
    let restored = restored?;
    buffered.flush().map_err(Failure::target)?;
    output::note_result(&restored, command.json)?;
    Ok(match (restored.complete, restored.ok()) {
        (false, _) => Outcome::Interrupted,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Differences,
    })
}

/// The mapping that was named, or else the one of the run that wrote the files, or the default.
fn mapping(command: &Restore) -> Result<Mapping, Failure> {
    if let Some(path) = &command.mapping {
        let text = std::fs::read_to_string(path).map_err(Failure::mapping)?;
        return settings::mapping(&text, None, path);
    }
    let run = match work_dir(&command.from, None) {
        Ok(work) => recorded(&work)?,
        Err(_) => None,
    };
    match run.and_then(|run| run.mapping) {
        Some(text) => Mapping::from_toml(&text).map_err(|error| Error::Mapping(error).into()),
        None => Ok(Mapping::default()),
    }
}
