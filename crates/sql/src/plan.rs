//! The plan: which tables a model makes, what fills them, and what has to hold.

use std::collections::BTreeSet;

use keystar_star::{Column, Lock, Model, Name, Source};

use crate::{Error, Select, Table, TableName};

mod calendar;
mod column;
mod dimension;
mod fact;
mod landing;
mod proof;

pub(crate) use calendar::columns as calendar_columns;
pub(crate) use column::{entity, joined, key_of, type_of, unknown};
pub(crate) use proof::total;

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
        let facts: Vec<_> =
            model.facts.iter().map(|it| fact::Shape::new(model, it)).collect::<Result<_, _>>()?;
        let members: Vec<_> = model
            .dimensions
            .iter()
            .map(|it| dimension::Shape::new(model, it))
            .collect::<Result<_, _>>()?;

        for entity in &model.entities {
            landing::add(entity, &mut plan);
        }
        for member in &members {
            member.add_staging(&mut plan);
        }
        for fact in &facts {
            fact.add_staging(&mut plan)?;
        }
        for member in &members {
            member.add_keys(&facts, &mut plan);
        }
        for member in &members {
            member.add_dwh(&mut plan);
        }
        if let Some(calendar) = &model.calendar {
            calendar::add(calendar, &facts, &mut plan)?;
        }
        for fact in &facts {
            fact.add_dwh(model, &mut plan)?;
        }
        proof::add(model, &members, &facts, &mut plan)?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan for a model whose lake has been written to: landing has the columns that the lock
    /// has, in its order, which COPY goes by; and every column has room for what is there.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn locked(model: &Model, lock: &Lock) -> Result<Self, Error> {
        let mut model = model.clone();
        for entity in &mut model.entities {
            let mut columns = Vec::new();
            for locked in lock.columns(&entity.name) {
                let own = entity.columns.iter().position(|column| column.name == locked.name);
                columns.push(match own {
                    Some(index) => {
                        let own = entity.columns.remove(index);
                        Column::new(own.name, own.source, locked.ty.clone(), own.required)
                    }
                    // It has left the model, and is NULL in newer files.
                    None => {
                        Column::new(locked.name.clone(), Source::Element, locked.ty.clone(), false)
                    }
                });
            }
            columns.append(&mut entity.columns);
            entity.columns = columns;
        }
        Self::new(&model)
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == *name)
    }

    /// No two tables of a schema, and no two columns of a table, have one name.
    fn check(&self) -> Result<(), Error> {
        let mut tables = BTreeSet::new();
        for table in &self.tables {
            if !tables.insert(&table.name) {
                let (place, name) = (table.name.schema.to_string(), table.name.name.to_string());
                return Err(Error::Collision { place, name });
            }
            let mut columns = BTreeSet::new();
            for column in &table.columns {
                if !columns.insert(&column.name) {
                    let (place, name) = (table.name.to_string(), column.name.to_string());
                    return Err(Error::Collision { place, name });
                }
            }
        }
        Ok(())
    }
}
