//! A plan as the engine runs it: names, columns, and queries as text.

use datafusion::arrow::datatypes::SchemaRef;
use keystar_sql::{DataFusion, Plan, Schema, TableName, Write};
use keystar_star::Name;

use crate::{Error, schema};

/// A plan in the engine's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) tables: Vec<ScriptTable>,
    pub(crate) steps: Vec<ScriptStep>,
    pub(crate) tests: Vec<ScriptTest>,
}

/// A table with its columns.
#[derive(Clone, Debug)]
pub(crate) struct ScriptTable {
    pub(crate) name: TableName,
    pub(crate) schema: SchemaRef,
}

/// A query, and what becomes of its rows.
#[derive(Clone, Debug)]
pub(crate) struct ScriptStep {
    pub(crate) name: String,
    pub(crate) target: TableName,
    pub(crate) action: Action,
    pub(crate) sql: String,
}

/// What becomes of the rows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// They are the table.
    Replace,
    /// They come to the table's.
    Append,
    /// They take the place of rows with the same key, or come to the table's.
    Upsert(Vec<String>),
    /// Rows with these keys go.
    Remove(Vec<String>),
}

impl Action {
    /// `None` for a way of writing that a later version of plans has.
    fn of(write: &Write) -> Option<Self> {
        let names = |key: &[Name]| key.iter().map(|name| name.as_str().to_owned()).collect();
        Some(match write {
            Write::Replace => Self::Replace,
            Write::Append => Self::Append,
            Write::Upsert { key } => Self::Upsert(names(key)),
            Write::Remove { key } => Self::Remove(names(key)),
            _ => return None,
        })
    }
}

/// A query whose rows must not be.
#[derive(Clone, Debug)]
pub(crate) struct ScriptTest {
    pub(crate) name: String,
    pub(crate) explains: String,
    pub(crate) sql: String,
}

impl Script {
    /// A plan in the engine's dialect.
    pub(crate) fn of(plan: &Plan) -> Result<Self, Error> {
        let text = |table: &dyn std::fmt::Display, select: &keystar_sql::Select| {
            select.to_sql(&DataFusion).map_err(|error| Error::Plan {
                table: table.to_string(),
                reason: error.to_string(),
            })
        };
        let tables = plan.tables.iter();
        let tables = tables
            .map(|table| ScriptTable { name: table.name.clone(), schema: schema::of_table(table) })
            .collect();
        let mut steps = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            steps.push(ScriptStep {
                name: step.name.clone(),
                target: step.target.clone(),
                action: Action::of(&step.write).ok_or_else(|| Error::Plan {
                    table: step.target.to_string(),
                    reason: format!("step {} writes in an unknown way", step.name),
                })?,
                sql: text(&step.target, &step.select)?,
            });
        }
        let mut tests = Vec::with_capacity(plan.tests.len());
        for test in &plan.tests {
            tests.push(ScriptTest {
                name: test.name.clone(),
                explains: test.explains.clone(),
                sql: text(&test.name, &test.select)?,
            });
        }
        Ok(Self { tables, steps, tests })
    }

    /// The columns of a table that the plan declares.
    pub(crate) fn schema(&self, name: &TableName) -> Option<&SchemaRef> {
        self.tables.iter().find(|table| table.name == *name).map(|table| &table.schema)
    }

    /// Whether a staging table may be a query in place: one step makes it as a whole, and one query
    /// reads it.
    pub(crate) fn is_view(&self, step: &ScriptStep) -> bool {
        let writers = self.steps.iter().filter(|other| other.target == step.target).count();
        let name = format!("\"{}\".\"{}\"", step.target.schema, step.target.name);
        let texts = self.steps.iter().map(|step| &step.sql);
        let readers: usize = texts
            .chain(self.tests.iter().map(|test| &test.sql))
            .map(|sql| sql.matches(&name).count())
            .sum();
        step.target.schema == Schema::Staging
            && step.action == Action::Replace
            && writers == 1
            && readers <= 1
    }
}
