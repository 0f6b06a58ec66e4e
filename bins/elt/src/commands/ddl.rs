use keystar_pipeline::elt::{self, DialectName};

use crate::{
    cli::{self, Ddl},
    exit::{Failure, Outcome},
    output, settings,
};

pub(super) fn run(command: &Ddl) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let dialect = match command.dialect {
        cli::DialectName::Redshift => DialectName::Redshift,
        cli::DialectName::Postgresql => DialectName::Postgresql,
        cli::DialectName::Datafusion => DialectName::Datafusion,
    };
    output::data(&elt::ddl(&places, dialect)?)?;
    Ok(Outcome::Done)
}
