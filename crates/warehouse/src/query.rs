//! Questions to a warehouse. Nothing that a query says can change it.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        compute::cast,
        datatypes::SchemaRef,
    },
    common::TableReference,
    error::DataFusionError,
    execution::{SendableRecordBatchStream, context::SQLOptions},
    prelude::SessionContext,
    sql::{
        parser::{DFParser, Statement},
        resolve::resolve_table_references,
        sqlparser::ast::Statement as Sql,
    },
};
use futures_util::StreamExt;
use tokio::runtime::Runtime;

use crate::{
    Error,
    error::{is_exhausted, one_line},
    folder::Spill,
    schema::plain,
    session::table_names,
};

/// The rows that answer a query, batch by batch, as they are found.
///
/// Dropping it ends the query.
pub struct QueryResult {
    schema: SchemaRef,
    // Dropped in this order: the stream writes to the spill folder.
    stream: SendableRecordBatchStream,
    _spill: Option<Spill>,
    runtime: Arc<Runtime>,
    memory_bytes: usize,
}

impl std::fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryResult").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl QueryResult {
    /// The columns. Text and bytes are Arrow's plain types, which every reader of Arrow knows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Iterator for QueryResult {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.runtime.block_on(self.stream.next())?;
        let plain = batch.and_then(|batch| {
            let columns =
                batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| {
                    if column.data_type() == field.data_type() {
                        return Ok(Arc::clone(column));
                    }
                    cast(column, field.data_type())
                });
            let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
            let options = datafusion::arrow::array::RecordBatchOptions::new()
                .with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(self.schema(), columns, &options)?)
        });
        Some(plain.map_err(|error| failed(&error, self.memory_bytes)))
    }
}

/// Plans a query and starts it.
pub(crate) async fn query(
    context: &SessionContext,
    sql: &str,
    runtime: &Arc<Runtime>,
    spill: Option<Spill>,
    memory_bytes: usize,
) -> Result<QueryResult, Error> {
    let fail = |error: DataFusionError| failed(&error, memory_bytes);
    let mut statements = DFParser::parse_sql(sql).map_err(fail)?;
    let Some(statement) = statements.pop_front() else {
        return Err(Error::Query { reason: "there is no query".to_owned() });
    };
    if !statements.is_empty() {
        return Err(Error::Query { reason: "one query at a time: there are several".to_owned() });
    }
    check(&statement)?;
    let (tables, _) = resolve_table_references(&statement, true).map_err(fail)?;
    for table in tables {
        // The engine's own tables and table functions are made when they are asked for.
        let is_made = table.schema() == Some("information_schema")
            || (table.schema().is_none() && context.table_function(table.table()).is_ok());
        if !is_made && !context.table_exist(table.clone()).map_err(fail)? {
            return Err(unknown(&table, &table_names(context)));
        }
    }
    let state = context.state();
    let plan = state.statement_to_plan(statement).await.map_err(fail)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| Error::ReadOnly("this statement".to_owned()))?;
    let data = context.execute_logical_plan(plan).await.map_err(fail)?;
    let schema = plain(data.schema().as_arrow());
    let stream = data.execute_stream().await.map_err(fail)?;
    Ok(QueryResult { schema, stream, _spill: spill, runtime: Arc::clone(runtime), memory_bytes })
}

/// Whether a statement only asks. The plan is checked once more: what the engine learns to parse
/// later is refused there.
fn check(statement: &Statement) -> Result<(), Error> {
    let refused = |what: &str| Err(Error::ReadOnly(what.to_owned()));
    match statement {
        Statement::Statement(sql) => match sql.as_ref() {
            Sql::Query(_)
            | Sql::ShowTables { .. }
            | Sql::ShowColumns { .. }
            | Sql::ShowVariable { .. }
            | Sql::ShowFunctions { .. }
            | Sql::ExplainTable { .. } => Ok(()),
            Sql::Explain { statement, .. } => {
                check(&Statement::Statement(Box::new(statement.as_ref().clone())))
            }
            other => {
                let text = other.to_string();
                refused(text.split_whitespace().next().unwrap_or("this statement"))
            }
        },
        Statement::Explain(explain) => check(&explain.statement),
        Statement::CreateExternalTable(_) => refused("CREATE EXTERNAL TABLE"),
        Statement::CopyTo(_) => refused("COPY"),
        Statement::Reset(_) => refused("RESET"),
    }
}

/// Says which tables there are, those with a like name first.
fn unknown(table: &TableReference, known: &[(String, String)]) -> Error {
    let name = table.table();
    let mut tables: Vec<_> = known
        .iter()
        .map(|(schema, known)| {
            let other_schema = table.schema().is_some_and(|wanted| wanted != schema);
            (distance(name, known), other_schema, format!("{schema}.{known}"))
        })
        .collect();
    tables.sort();
    let near = tables.iter().take_while(|(far, ..)| *far <= 2.max(name.len() / 3)).count();
    let list = |tables: &[(usize, bool, String)]| {
        tables.iter().map(|(.., name)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let hint = match (near, tables.as_slice()) {
        (_, []) => "nothing is loaded yet".to_owned(),
        (0, all) => {
            let mut names = all.to_vec();
            names.sort_by(|a, b| a.2.cmp(&b.2));
            format!("there are {}", list(&names))
        }
        (near, all) => {
            format!("did you mean {}?", list(all.get(..near.min(3)).unwrap_or_default()))
        }
    };
    Error::UnknownTable { table: table.to_string(), hint }
}

/// How many letters differ.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let replaced = corner + usize::from(x != *y);
            *cell = replaced.min(above + 1).min(left + 1);
            corner = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Sorts the engine's errors by who can act.
pub(crate) fn failed(error: &DataFusionError, memory_bytes: usize) -> Error {
    if is_exhausted(error) {
        return Error::Memory { doing: "the query".to_owned(), bytes: memory_bytes };
    }
    if is_missing(error) {
        return Error::Superseded;
    }
    Error::Query { reason: one_line(error) }
}

/// Whether a file was not there: a reader of Parquet wraps that in an error of its own.
fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let store = error.downcast_ref().or_else(|| match error.downcast_ref()? {
            DataFusionError::ObjectStore(store) => Some(store.as_ref()),
            _ => None,
        });
        if matches!(store, Some(datafusion::object_store::Error::NotFound { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("sales", "sale"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
