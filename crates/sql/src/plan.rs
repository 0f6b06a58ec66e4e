use keystar_star::{Model, Name};

use crate::{Dialect, Error, Schema, Select, SqlType, Statement, Table, TableColumn, TableName};

/// How a warehouse is loaded: its tables, the steps that fill them in order, and the tests that
/// hold before a commit.
///
/// The landing tables hold the lake's current state. A plan keeps no time and no run in it: the
/// same lake loaded twice changes nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// All tables, in the order of the layers. A plan of a grown model has columns that the tables
    /// of a warehouse lack: they are appended there and are NULL.
    pub tables: Vec<Table>,
    /// What fills them, one after the other.
    pub steps: Vec<Step>,
    /// What holds afterwards.
    pub tests: Vec<Test>,
}

/// A step of a load.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What it does: `dwh.customer: members and their versions`.
    pub name: String,
    /// The table that it writes.
    pub target: TableName,
    /// How.
    pub write: Write,
    /// What: columns with the names of the target's. It reads the target as it was before the step.
    pub select: Select,
}

/// How a step writes the rows of its query.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Write {
    /// The table holds these rows and no others.
    Replace,
    /// They are added.
    Append,
    /// Each takes the place of the row with its key, or is added. Keys are never NULL, and there
    /// are no two rows of one.
    Upsert {
        /// The columns of the key.
        key: Vec<Name>,
    },
    /// The rows with these keys are removed; the query gives keys.
    Remove {
        /// The columns of the key.
        key: Vec<Name>,
    },
}

/// What has to hold after a load: a query for the rows that offend. None, and it has passed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Test {
    /// A short name, unique in the plan: `dwh.sales: rows`.
    pub name: String,
    /// What holds, and what a row of the query tells about where it does not.
    pub explains: String,
    /// The offending rows.
    pub select: Select,
}

impl Plan {
    /// The plan for a model.
    ///
    /// # Errors
    ///
    /// [`Error::Collision`] and [`Error::LongName`] for names that cannot stand beside one another
    /// in a warehouse, [`Error::Unknown`] for a reference to nothing, which a checked model has not.
    pub fn new(model: &Model) -> Result<Self, Error> {
        let mut plan = Self { tables: Vec::new(), steps: Vec::new(), tests: Vec::new() };
        landing(model, &mut plan)?;
        Ok(plan)
    }

    /// The statements that make the schemas and tables where they are missing.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a type that the dialect lacks.
    pub fn ddl(&self, dialect: &dyn Dialect) -> Result<Vec<String>, Error> {
        let schemas = Schema::ALL.map(Statement::CreateSchema);
        let tables = self.tables.iter().cloned().map(Statement::CreateTable);
        schemas.into_iter().chain(tables).map(|statement| statement.to_sql(dialect)).collect()
    }
}

/// The system columns, which every landing table begins with.
fn landing(model: &Model, plan: &mut Plan) -> Result<(), Error> {
    let name = |text: &str| {
        Name::new(text)
            .map_err(|_| Error::Identifier { text: text.into(), reason: "it is no name" })
    };
    for entity in &model.entities {
        let mut columns = vec![
            TableColumn::new(name("_pk")?, SqlType::Text { max_bytes: 2048 }).required(),
            TableColumn::new(name("_sk")?, SqlType::Text { max_bytes: 1024 }),
            TableColumn::new(name("_written_at")?, SqlType::Timestamp).required(),
        ];
        let own = entity.columns.iter();
        columns.extend(own.map(|it| TableColumn::new(it.name.clone(), (&it.ty).into())));
        let table = TableName::new(Schema::Landing, entity.name.clone());
        let comment = format!("{}, as the lake has them", entity.name);
        plan.tables.push(Table::new(table, comment, columns));
    }
    Ok(())
}
