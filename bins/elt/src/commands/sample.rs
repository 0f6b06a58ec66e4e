use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use keystar_pipeline::elt::{self, SampleReport, SampleSpec};

use super::Manner;
use crate::{
    cli::Sample,
    exit::{Failure, Outcome},
    output,
    settings::{self, Bench},
};

pub(super) fn run(command: &Sample, manner: Manner) -> Result<Outcome, Failure> {
    let spec = settings::sample(&command.size)?.with_windows(command.windows)?;
    let bench = Bench::new(command.jobs, manner.log);
    let made = match (&command.to, &command.items) {
        (Some(to), _) => bench.run(|job| elt::sample(&spec, to, job))?,
        (None, items) => {
            let path = items.as_ref().and_then(settings::named);
            bench.run(|job| items_to(&spec, path.map(AsRef::as_ref), job))?
        }
    };
    if let Some(path) = &command.expect {
        let file = File::create(path).map_err(|error| at(path, error))?;
        let mut out = BufWriter::new(file);
        made.expected
            .write(&mut out)
            .and_then(|()| out.flush())
            .map_err(|error| at(path, error))?;
    }
    // Items may have gone to stdout.
    match command.to {
        Some(_) => output::show(&made, manner.json)?,
        None => output::note_result(&made, manner.json)?,
    }
    Ok(Outcome::Done)
}

fn items_to(
    spec: &SampleSpec,
    path: Option<&Path>,
    job: &elt::Job<'_>,
) -> Result<SampleReport, Failure> {
    let mut out: Box<dyn Write> = match path {
        Some(path) => Box::new(File::create(path).map_err(|error| at(path, error))?),
        None => Box::new(io::stdout().lock()),
    };
    let made = elt::sample_items(spec, &mut out, job)?;
    out.flush().map_err(Failure::target)?;
    Ok(made)
}

fn at(path: &Path, error: io::Error) -> Failure {
    Failure::target(error).hint(format!("the file is {}", path.display()))
}
