//! The model's file, and what is made of it.

use std::{fs, path::Path};

use keystar_sql::{DataFusion, Dialect, Plan, PostgreSql, Redshift, Write};
use keystar_star::Model;

use super::{Error, Places};

/// Reads and checks a model.
pub(super) fn model(path: &Path) -> Result<Model, Error> {
    let text = fs::read_to_string(path)
        .map_err(|source| Error::ModelFile { path: path.to_owned(), source })?;
    Model::parse(&text).map_err(|error| {
        let lines = error.faults().iter().map(|fault| {
            let place = match (fault.line(), fault.column()) {
                (Some(line), Some(column)) => format!(":{line}:{column}"),
                _ => String::new(),
            };
            let setting = match fault.path() {
                path if path.is_empty() => String::new(),
                path => format!(" {path}:"),
            };
            let hint = fault.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}{place}:{setting} {}{hint}", path.display(), fault.message())
        });
        Error::Model(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// A warehouse whose SQL can be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DialectName {
    /// Amazon Redshift.
    Redshift,
    /// PostgreSQL.
    Postgresql,
    /// DataFusion, which is the embedded warehouse's.
    Datafusion,
}

/// The SQL of a model: tables, load and tests, as one text.
///
/// # Errors
///
/// [`Error::Model`]; [`Error::Sql`] where the dialect lacks a form that the model needs.
pub fn ddl(places: &Places, dialect: DialectName) -> Result<String, Error> {
    let model = model(&places.model()?)?;
    let plan = Plan::new(&model).map_err(Error::Sql)?;
    let dialect: &dyn Dialect = match dialect {
        DialectName::Redshift => &Redshift,
        DialectName::Postgresql => &PostgreSql,
        DialectName::Datafusion => &DataFusion,
    };
    sql(&plan, dialect)
}

/// Tables, then the load with its tests. A server runs it as it is, in one transaction; of the
/// embedded warehouse, which runs the steps itself, it is what each of them asks.
pub(super) fn sql(plan: &Plan, dialect: &dyn Dialect) -> Result<String, Error> {
    let mut text = String::new();
    let mut put = |comment: &str, statement: &str| {
        if !comment.is_empty() {
            text.extend(["-- ", comment, "\n"]);
        }
        text.extend([statement.trim_end_matches(';'), ";\n\n"]);
    };
    for statement in plan.ddl(dialect).map_err(Error::Sql)? {
        put("", &statement);
    }
    match plan.script(dialect) {
        Ok(statements) => statements.iter().for_each(|statement| put("", statement)),
        Err(keystar_sql::Error::Unsupported { .. }) => {
            for step in &plan.steps {
                let how = match &step.write {
                    Write::Replace => "replaces the rows of",
                    Write::Append => "is added to",
                    Write::Upsert { .. } => "takes the place of rows of the same key in",
                    Write::Remove { .. } => "is removed from",
                    _ => "is written to",
                };
                let select = step.select.to_sql(dialect).map_err(Error::Sql)?;
                put(&format!("{}; {how} {}", step.name, step.target), &select);
            }
            for test in &plan.tests {
                let select = test.select.to_sql(dialect).map_err(Error::Sql)?;
                put(&format!("Test {}: {}", test.name, test.explains), &select);
            }
        }
        Err(error) => return Err(Error::Sql(error)),
    }
    Ok(text)
}
