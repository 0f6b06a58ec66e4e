use std::{fs, io::Write, path::Path};

use keystar_warehouse::{QueryResult, result};

use super::{Error, Job, Places, store::Store};

/// The form in which an answer is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableForm {
    /// Lined up for people.
    Table,
    /// A header and one line a row; NULL is empty.
    Csv,
    /// One JSON object a line.
    Json,
}

/// The rows that answer a query, which are found while they are written.
#[derive(Debug)]
pub struct Answer(QueryResult);

impl Answer {
    /// Writes all rows; gives their number.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if the writer fails, [`Error::Warehouse`] if the query does.
    pub fn write(self, form: TableForm, out: &mut dyn Write) -> Result<u64, Error> {
        let schema = self.0.schema();
        let rows = match form {
            TableForm::Table => result::write_table(out, &schema, self.0),
            TableForm::Csv => result::write_csv(out, &schema, self.0),
            TableForm::Json => result::write_json(out, self.0),
        };
        rows.map_err(output)
    }

    /// Writes all rows into a Parquet file, which is there as a whole or not at all; gives their
    /// number.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_parquet(self, path: &Path) -> Result<u64, Error> {
        let schema = self.0.schema();
        result::write_parquet(path, &schema, self.0).map_err(output)
    }
}

/// A failure of what is written to is no failure of the warehouse.
fn output(error: keystar_warehouse::Error) -> Error {
    match error {
        keystar_warehouse::Error::Io { action: "write", source, .. } => Error::Output(source),
        other => Error::Warehouse(other),
    }
}

/// Asks lake and warehouse a question in SQL.
///
/// # Errors
///
/// [`Error::Usage`] where neither is there, and for a query that is wrong; [`Error::Warehouse`].
pub fn query(sql: &str, places: &Places, job: &Job<'_>) -> Result<Answer, Error> {
    let store = Store::open(places, job)?;
    if store.commit()?.is_none() && store.landing.is_empty() {
        let warehouse = match places.has_warehouse() {
            true => places.warehouse()?,
            false => places.lake()?,
        };
        return Err(match fs::exists(&warehouse) {
            Ok(true) => Error::Usage(format!(
                "{} holds nothing yet: `elt run` loads it",
                warehouse.display()
            )),
            _ => Error::Usage(format!("{} is not there", warehouse.display())),
        });
    }
    store.query(sql).map(Answer).map_err(|error| match error {
        // What is wrong with a query says itself.
        Error::Warehouse(cause) if error_is_query(&cause) => Error::Usage(cause.to_string()),
        other => other,
    })
}

fn error_is_query(error: &keystar_warehouse::Error) -> bool {
    use keystar_warehouse::Error as Warehouse;
    matches!(
        error,
        Warehouse::Query { .. } | Warehouse::ReadOnly(_) | Warehouse::UnknownTable { .. }
    )
}
