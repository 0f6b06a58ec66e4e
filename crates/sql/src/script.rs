//! A plan as statements for a server: what makes the tables, what makes them fit a grown model, and
//! a load in one transaction.

use keystar_star::Name;

use crate::{
    CopySource, Dialect, Error, Expr, Form, Ident, Plan, Relation, Right, Schema, Select, SqlType,
    Statement, Step, Table, TableName, Test, Write,
};

impl Plan {
    /// The statements that make the schemas and the tables where they are missing, with a comment
    /// on each table where the dialect has them.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a type that the dialect lacks.
    pub fn ddl(&self, dialect: &dyn Dialect) -> Result<Vec<String>, Error> {
        let mut statements = Vec::from(Schema::ALL.map(Statement::CreateSchema));
        statements.extend(self.tables.iter().flat_map(|table| created(table, dialect)));
        written(&statements, dialect)
    }

    /// The statements that give roles their rights on what is there, after [`ddl`](Self::ddl): a
    /// loader writes all layers, a reader reads the star.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where the dialect has no rights.
    pub fn grants(
        &self,
        dialect: &dyn Dialect,
        loader: Option<&Ident>,
        reader: Option<&Ident>,
    ) -> Result<Vec<String>, Error> {
        let grant = |right, schema, to: &Ident| Statement::Grant { right, schema, to: to.clone() };
        let mut statements = Vec::new();
        for schema in Schema::ALL {
            if let Some(loader) = loader {
                statements.push(grant(Right::Usage, schema, loader));
                statements.push(grant(Right::Write, schema, loader));
            }
        }
        if let Some(reader) = reader {
            statements.push(grant(Right::Usage, Schema::Dwh, reader));
            statements.push(grant(Right::Read, Schema::Dwh, reader));
        }
        written(&statements, dialect)
    }

    /// The statements that make the tables of an earlier plan those of this one: missing tables are
    /// made, missing columns appended (and NULL), texts lengthened. What has left the model stays.
    ///
    /// # Errors
    ///
    /// [`Error::Change`] for a column whose type may not become the new one in place.
    pub fn upgrade(&self, dialect: &dyn Dialect, there: &[Table]) -> Result<Vec<String>, Error> {
        let mut statements = Vec::new();
        for table in &self.tables {
            let Some(old) = there.iter().find(|old| old.name == table.name) else {
                statements.extend(created(table, dialect));
                continue;
            };
            for column in &table.columns {
                let name = &table.name;
                let Some(old) = old.column(&column.name) else {
                    let (table, column) = (name.clone(), column.clone());
                    if !column.nullable {
                        let reason = "it may not be NULL, and the rows that are there would be; \
                                      make the table anew";
                        return Err(change(&table, &column.name, reason));
                    }
                    statements.push(Statement::AddColumn { table, column });
                    continue;
                };
                if old.ty == column.ty {
                    continue;
                }
                if !widens(&old.ty, &column.ty, dialect) {
                    let reason = "its type cannot become the new one in place; give the new values \
                                  a column of another name";
                    return Err(change(name, &column.name, reason));
                }
                statements.push(Statement::WidenColumn {
                    table: name.clone(),
                    column: (&column.name).into(),
                    ty: column.ty.clone(),
                });
            }
        }
        written(&statements, dialect)
    }

    /// A whole load in one transaction, from `BEGIN` to `COMMIT`: the steps, then the tests, each as
    /// a statement that fails, with the test's name, if a row offends. Landing has been filled.
    ///
    /// Rows that are the same stay as they are: what a step replaces is compared by primary key
    /// through a temporary table. Nothing in it commits by itself (no TRUNCATE), and the key tables
    /// are locked first, so that two loads at once wait for each other.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a dialect that has no transactions: the embedded warehouse runs the
    /// steps itself.
    pub fn script(&self, dialect: &dyn Dialect) -> Result<Vec<String>, Error> {
        self.script_copying(dialect, &[])
    }

    /// The same, with landing filled by COPY in the same transaction: of each entity, where its
    /// files are.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a dialect that has no COPY from Parquet, [`Error::Unknown`] for an
    /// entity that has no landing table, and those of [`script`](Self::script).
    pub fn script_copying(
        &self,
        dialect: &dyn Dialect,
        sources: &[(Name, CopySource)],
    ) -> Result<Vec<String>, Error> {
        let mut statements = vec![Statement::Begin];
        let keys = self.tables.iter().map(|table| &table.name);
        let keys: Vec<_> = keys.filter(|name| name.schema == Schema::Keys).cloned().collect();
        if !keys.is_empty() {
            statements.push(Statement::Lock(keys));
        }
        for (entity, source) in sources {
            statements.extend(self.copy(entity, source)?);
        }
        for step in &self.steps {
            let table = self.table(&step.target);
            statements.extend(step_statements(step, table));
        }
        statements.extend(self.tests.iter().map(guard));
        statements.push(Statement::Commit);
        written(&statements, dialect)
    }

    fn copy(&self, entity: &Name, source: &CopySource) -> Result<[Statement; 2], Error> {
        let table = TableName::new(Schema::Landing, entity.clone());
        let landing = self.tables.iter().filter(|table| table.name.schema == Schema::Landing);
        let Some(found) = landing.clone().find(|it| it.name == table) else {
            let known = landing.map(|table| &table.name.name);
            return Err(crate::plan::unknown("COPY", "entity", entity, known));
        };
        let nested = found.columns.iter().any(|it| matches!(it.ty, SqlType::Nested(_)));
        let columns = found.columns.iter().map(|column| (&column.name).into()).collect();
        let source = source.clone();
        Ok([
            Statement::Delete { table: table.clone(), using: None, filter: None },
            Statement::Copy { table, columns, source, nested },
        ])
    }
}

fn written(statements: &[Statement], dialect: &dyn Dialect) -> Result<Vec<String>, Error> {
    statements.iter().map(|statement| statement.to_sql(dialect)).collect()
}

fn created(table: &Table, dialect: &dyn Dialect) -> Vec<Statement> {
    let mut statements = vec![Statement::CreateTable(table.clone())];
    if dialect.has(Form::Comment) {
        let (table, text) = (table.name.clone(), table.comment.clone());
        statements.push(Statement::Comment { table, text });
    }
    statements
}

fn change(table: &TableName, column: &Name, reason: &str) -> Error {
    Error::Change { table: table.to_string(), column: column.to_string(), reason: reason.into() }
}

/// Whether every value of one type is one of the other, and the dialect can tell the column so.
fn widens(old: &SqlType, new: &SqlType, dialect: &dyn Dialect) -> bool {
    let any = dialect.has(Form::AlterAnyType);
    match (old, new) {
        (SqlType::Text { max_bytes: old }, SqlType::Text { max_bytes: new }) => old <= new,
        (SqlType::Text { .. }, SqlType::Json) | (SqlType::Json, SqlType::Text { .. }) => false,
        (SqlType::Bytes { max_bytes: old }, SqlType::Bytes { max_bytes: new }) => old <= new,
        (SqlType::Int, SqlType::Decimal { precision, scale }) => {
            any && precision.saturating_sub(*scale) >= 19
        }
        (SqlType::Decimal { precision: p, scale: s }, SqlType::Decimal { precision, scale }) => {
            any && scale >= s && precision.saturating_sub(*scale) >= p.saturating_sub(*s)
        }
        _ => false,
    }
}

/// The step, written to a server's table.
fn step_statements(step: &Step, table: Option<&Table>) -> Vec<Statement> {
    let target = &step.target;
    let insert = |select| Statement::Insert { table: target.clone(), select };
    let key = table.map(|table| table.primary_key.as_slice()).unwrap_or_default();
    match &step.write {
        Write::Append => vec![insert(step.select.clone())],
        Write::Replace if key.is_empty() => {
            let delete = Statement::Delete { table: target.clone(), using: None, filter: None };
            vec![delete, insert(step.select.clone())]
        }
        Write::Replace => through(step, |staged| {
            let [gone, fresh] =
                [differing(target, key, staged, step), missing(target, key, staged, step)];
            [delete_all(target, key, gone), vec![insert(fresh)]].concat()
        }),
        Write::Upsert { key } => through(step, |staged| {
            let select = listed(step, staged);
            [vec![delete(target, key, staged)], vec![insert(select)]].concat()
        }),
        Write::Remove { key } => through(step, |staged| vec![delete(target, key, staged)]),
    }
}

/// The statements between the making and the dropping of a temporary table with the step's rows.
fn through(step: &Step, statements: impl FnOnce(&Ident) -> Vec<Statement>) -> Vec<Statement> {
    let staged = Ident::fixed("keystar_rows");
    let create = Statement::CreateTemporary { name: staged.clone(), select: step.select.clone() };
    let mut all = vec![create];
    all.extend(statements(&staged));
    all.push(Statement::DropTemporary(staged));
    all
}

/// The staged rows.
fn listed(step: &Step, staged: &Ident) -> Select {
    let select = Select::from(staged.clone(), staged.clone());
    step.select
        .columns
        .iter()
        .fold(select, |select, (_, name)| select.column(Expr::of(staged, name), name.clone()))
}

fn on(left: &Ident, right: &Ident, key: &[Name]) -> Expr {
    let equal = key.iter().map(|name| Expr::of(left, name).equals(Expr::of(right, name)));
    Expr::And(equal.collect())
}

/// The keys of rows that are no longer, or no longer the same.
fn differing(target: &TableName, key: &[Name], staged: &Ident, step: &Step) -> Select {
    let old = Ident::fixed("old");
    let absent = key.first().map(|name| Expr::of(staged, name).is_null());
    let others = step.select.columns.iter().map(|(_, name)| name);
    let others = others.filter(|name| key.iter().all(|it| it.as_str() != name.as_str()));
    let changed = others.map(|name| Expr::of(&old, name).differs(Expr::of(staged, name)));
    let select = Select::from(target, old.clone())
        .left_join(staged.clone(), staged.clone(), on(&old, staged, key))
        .filter(Expr::Or(absent.into_iter().chain(changed).collect()));
    key.iter().fold(select, |select, name| select.column(Expr::of(&old, name), name))
}

/// The staged rows whose key the table does not have.
fn missing(target: &TableName, key: &[Name], staged: &Ident, step: &Step) -> Select {
    let old = Ident::fixed("old");
    let select = listed(step, staged).left_join(target, old.clone(), on(&old, staged, key));
    match key.first() {
        Some(name) => select.filter(Expr::of(&old, name).is_null()),
        None => select,
    }
}

/// Removes the rows with these keys, by way of a temporary table: not every server takes a query
/// after USING.
fn delete_all(target: &TableName, key: &[Name], keys: Select) -> Vec<Statement> {
    let gone = Ident::fixed("keystar_gone");
    vec![
        Statement::CreateTemporary { name: gone.clone(), select: keys },
        delete(target, key, &gone),
        Statement::DropTemporary(gone),
    ]
}

fn delete(target: &TableName, key: &[Name], keys: &Ident) -> Statement {
    let filter = on(&(&target.name).into(), keys, key);
    let using = Some((Relation::Named(keys.clone()), keys.clone()));
    Statement::Delete { table: target.clone(), using, filter: Some(filter) }
}

/// A query that fails if a test has offending rows. The message is part of a number that cannot be
/// read, and made from the count, so that no server reads it before it is needed.
fn guard(test: &Test) -> Statement {
    let rows = Ident::fixed("offending");
    let message = Expr::Concat(vec![
        Expr::text(&format!("failed test: {}: ", test.name)),
        Expr::count().cast(SqlType::Text { max_bytes: 20 }),
    ]);
    let none = Expr::count().equals(Expr::int(0));
    let value = Expr::choose(none, Expr::int(0), message.cast(SqlType::Int));
    Statement::Select(
        Select::from(test.select.clone(), rows).column(value, Ident::fixed("failures")),
    )
}
