use keystar_pipeline::dax_template;

use crate::{
    cli::{Dax, DaxCommand, DaxPlan},
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(dax: &Dax) -> Result<Outcome, Failure> {
    let DaxCommand::Plan(DaxPlan { mapping, table }) = &dax.command;
    let table = match (table, mapping) {
        (Some(table), _) => table.clone(),
        (None, Some(path)) => {
            let mapping = settings::mapping(&settings::mapping_text(path)?, None, path)?;
            mapping.table().name.clone().ok_or_else(|| {
                Failure::mapping("the mapping's [table] has no name")
                    .hint("name it there, or with --table")
            })?
        }
        (None, None) => return Err(Failure::usage("no table is named")),
    };
    output::data(&dax_template(&table))?;
    Ok(Outcome::Done)
}
