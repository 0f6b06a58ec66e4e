use crate::{
    cli::Status,
    exit::{Failure, Outcome},
    output,
};

pub(super) fn run(status: &Status) -> Result<Outcome, Failure> {
    let work = keystar_pipeline::work_dir(&status.to, status.work.as_deref())?;
    match keystar_pipeline::status(&work)? {
        Some(found) => output::show(&found, status.json).map(|()| Outcome::Done),
        None => Err(Failure::usage(format!("{} holds no run", work.display()))
            .hint("--to names the folder that `migrate run --to` was given")),
    }
}
