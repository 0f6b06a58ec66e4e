use crate::{
    cli::Status,
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(status: &Status) -> Result<Outcome, Failure> {
    let work = settings::work(&status.to, status.work.as_deref())?;
    if let Some(found) = keystar_pipeline::status(&work)? {
        output::show(&found, status.json)?;
    }
    Ok(Outcome::Done)
}
