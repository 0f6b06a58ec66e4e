use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
};

use keystar_pipeline::elt::{self, TableForm};

use super::Manner;
use crate::{
    cli::{self, Query},
    exit::{Failure, Outcome},
    settings::{self, Bench},
};

pub(super) fn run(command: &Query, manner: Manner) -> Result<Outcome, Failure> {
    let places = settings::places(&command.places)?;
    let sql = sql(command)?;
    let bench = Bench::with(&command.machine, manner.log);
    let form = match command.format {
        _ if manner.json => TableForm::Json,
        cli::TableForm::Table => TableForm::Table,
        cli::TableForm::Csv => TableForm::Csv,
        cli::TableForm::Json => TableForm::Json,
        cli::TableForm::Parquet => {
            let Some(path) = &command.output else {
                let cause = "a Parquet file cannot go to stdout";
                return Err(Failure::usage(cause).hint("say --output FILE"));
            };
            bench.run(|job| elt::query(&sql, &places, job)?.write_parquet(path))?;
            return Ok(Outcome::Done);
        }
    };
    bench.run(|job| {
        let answer = elt::query(&sql, &places, job)?;
        let mut out: Box<dyn Write> = match &command.output {
            Some(path) => Box::new(BufWriter::new(File::create(path).map_err(|error| {
                Failure::target(error).hint(format!("the file is {}", path.display()))
            })?)),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        };
        let written = answer.write(form, &mut out);
        match written.and_then(|_| out.flush().map_err(elt::Error::Output)) {
            // A reader that went away is not our failure.
            Err(elt::Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::from),
        }
    })?;
    Ok(Outcome::Done)
}

fn sql(command: &Query) -> Result<String, Failure> {
    let Some(file) = &command.file else {
        return Ok(command.sql.clone().unwrap_or_default());
    };
    let text = match settings::named(file) {
        Some(path) => fs::read_to_string(path),
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map(|_| text)
        }
    };
    text.map_err(|error| {
        Failure::usage(error).hint(format!("the query's file is {}", file.display()))
    })
}
