//! A load: the steps of a plan, its tests, then one commit.
//!
//! Files are written once and never changed. A step that changes a table gives it another list of
//! files; the list of the last commit holds until the new commit is in its place. A table whose
//! rows are those of the last commit keeps the last commit's files, and when all tables do, there is
//! no new commit: the same load twice is one load.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    arrow::{
        array::{Array, Int64Array, RecordBatch},
        datatypes::{Schema as ArrowSchema, SchemaRef},
    },
    catalog::TableProvider,
    common::{Column, NullEquality, ScalarValue},
    datasource::{ViewTable, provider_as_source},
    error::DataFusionError,
    execution::{SendableRecordBatchStream, SessionState},
    functions_aggregate::count::count_all,
    logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, cast, ident, lit},
    physical_plan::{execute_stream, execute_stream_partitioned},
    prelude::SessionContext,
};
use futures_util::StreamExt;
use keystar_sql::{Schema, TableName};

use crate::{
    Commit, CommitFile, CommitTable, EmbeddedOptions, Error, Landing,
    commit::{hex, unhex},
    error::is_exhausted,
    folder::{Folder, Spill},
    result::row_text,
    schema,
    script::{Action, Script, ScriptStep, ScriptTest},
    session,
    write::{Failure, Target, read_schema, write},
};

/// How many offending rows a test tells.
const SAMPLE: usize = 20;
/// How long tasks that are given up may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// A file of fewer bytes is small.
const SMALL_BYTES: u64 = 8 << 20;
/// So many small files of a table are made one.
const MANY: usize = 8;

/// Which run loads, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller makes it")]
pub struct LoadRun {
    /// The run's id.
    pub id: String,
    /// The time of the load: microseconds since 1970.
    pub loaded_at: i64,
    /// What is loaded, in words: the exports that the lake holds.
    pub source: String,
}

/// What a load tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepEvent<'a> {
    /// A step or a test begins.
    Started {
        /// Its place: 0 is the first.
        index: usize,
        /// How many steps and tests there are.
        count: usize,
        /// Its name.
        name: &'a str,
    },
    /// It ended.
    Ended {
        /// Its place.
        index: usize,
        /// How many steps and tests there are.
        count: usize,
        /// Its name.
        name: &'a str,
        /// The rows that a step gave, or that failed a test; `None` for a query in place, which is
        /// run with the step that reads it.
        rows: Option<u64>,
        /// How long it took.
        elapsed: Duration,
    },
}

/// What a load did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoadReport {
    /// The warehouse's commit after the load: a new one, or the last one if nothing changed.
    pub commit: Commit,
    /// Whether the load changed nothing, so that there is no new commit.
    pub unchanged: bool,
    /// The steps, in order.
    pub steps: Vec<StepReport>,
    /// The data tests, in order; all passed.
    pub tests: Vec<TestResult>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// The table, `schema.name`.
    pub table: String,
    /// The rows that its query gave; `None` for a query in place, which is run with the step that
    /// reads it.
    pub rows: Option<u64>,
    /// Whether the table changed.
    pub changed: bool,
    /// Whether it was done on disk, since its joins did not fit in memory.
    pub on_disk: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a data test found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestResult {
    /// The test.
    pub name: String,
    /// What it proves.
    pub explains: String,
    /// How many rows offend it.
    pub rows: u64,
    /// Up to 20 of them, `column=value, …`.
    pub sample: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl TestResult {
    /// Whether no row offends it.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.rows == 0
    }
}

/// Runs a script and commits.
pub(crate) async fn load(
    folder: &Arc<Folder>,
    options: &EmbeddedOptions,
    script: &Script,
    landing: &[Landing],
    run: &LoadRun,
    on_step: &dyn Fn(StepEvent<'_>),
) -> Result<LoadReport, Error> {
    let started = Instant::now();
    let _lock = folder.lock(&format!("run {}", run.id))?;
    let last = Commit::read(folder)?;
    folder.clean(&last.as_ref().map(|last| last.paths(folder)).unwrap_or_default())?;
    let spill = Spill::new(folder.root())?;
    let mut load = Load {
        context: session::session(options, Some(&spill))
            .map_err(|error| Error::step("set up", &error))?,
        folder,
        options,
        script,
        spill: &spill,
        number: last.as_ref().map_or(0, |last| last.number) + 1,
        tables: BTreeMap::new(),
        written: Vec::new(),
        on_disk: false,
    };
    let result = async {
        load.open(last.as_ref(), landing).await?;
        let steps = load.steps(on_step).await?;
        let tests = load.tests(on_step).await?;
        load.compact().await?;
        let (commit, unchanged) = load.commit(last, run).await?;
        Ok(LoadReport { commit, unchanged, steps, tests, elapsed: started.elapsed() })
    }
    .await;
    if result.is_err() {
        // A load that died leaves its files to the next one; this one is alive.
        for path in &load.written {
            let _ = folder.remove(path);
        }
    }
    result
}

struct Load<'a> {
    folder: &'a Arc<Folder>,
    options: &'a EmbeddedOptions,
    script: &'a Script,
    context: SessionContext,
    spill: &'a Spill,
    /// The number of the commit to be.
    number: u64,
    tables: BTreeMap<TableName, Stored>,
    /// All files that this load has put beside those of the last commit.
    written: Vec<PathBuf>,
    /// Whether the step that is being done went to disk.
    on_disk: bool,
}

/// A table in files.
#[derive(Clone, Debug)]
struct Stored {
    schema: SchemaRef,
    home: PathBuf,
    /// Files with rows.
    files: Vec<CommitFile>,
    temporary: bool,
}

impl Stored {
    fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    fn provider(&self) -> Result<Arc<dyn TableProvider>, Error> {
        self.provider_of(&self.files)
    }

    fn provider_of(&self, files: &[CommitFile]) -> Result<Arc<dyn TableProvider>, Error> {
        open(&self.schema, files.iter().map(|file| self.home.join(&file.name)))
    }

    /// Whether the rows are the same, whatever their order. Temporary files are not compared.
    fn is_same(&self, files: &[CommitFile]) -> bool {
        !self.temporary && rows_and_digest(&self.files) == rows_and_digest(files)
    }
}

fn rows_and_digest(files: &[CommitFile]) -> (u64, u128) {
    files.iter().fold((0, 0_u128), |(rows, digest), file| {
        (rows + file.rows, digest.wrapping_add(unhex(&file.digest).unwrap_or_default()))
    })
}

impl Load<'_> {
    /// Registers the landing tables, the tables of the last commit, and the plan's that are new.
    async fn open(&mut self, last: Option<&Commit>, landing: &[Landing]) -> Result<(), Error> {
        for table in &self.script.tables {
            if table.name.schema == Schema::Landing
                && !landing.iter().any(|landing| landing.table == table.name)
            {
                self.register(&table.name, open(&table.schema, [])?)?;
            }
        }
        for landing in landing {
            let schema = landing_schema(landing, self.script.schema(&landing.table));
            self.register(&landing.table, open(&schema, landing.paths()?)?)?;
        }
        for table in last.iter().flat_map(|last| &last.tables) {
            let (Some(name), Some(first)) = (table.table_name(), table.files.first()) else {
                continue;
            };
            let home = self.folder.table(&name);
            let schema = read_schema(&home.join(&first.name))?;
            let files = table.files.iter().filter(|file| file.rows > 0).cloned().collect();
            let stored = Stored { schema, home, files, temporary: false };
            self.register(&name, stored.provider()?)?;
            self.tables.insert(name, stored);
        }
        for table in &self.script.tables {
            let stored = match table.name.schema {
                Schema::Landing => continue,
                Schema::Staging => self.temporary(&table.name, &table.schema)?,
                Schema::Keys | Schema::Dwh => match self.tables.get(&table.name) {
                    Some(stored) => {
                        self.evolved(&table.name, stored.clone(), &table.schema).await?
                    }
                    None => {
                        let home = self.folder.table(&table.name);
                        self.folder.create_folder(&home)?;
                        let schema = Arc::clone(&table.schema);
                        Stored { schema, home, files: Vec::new(), temporary: false }
                    }
                },
            };
            self.register(&table.name, stored.provider()?)?;
            self.tables.insert(table.name.clone(), stored);
        }
        Ok(())
    }

    /// A table in the spill folder.
    fn temporary(&self, name: &TableName, schema: &SchemaRef) -> Result<Stored, Error> {
        let home = self.spill.path().join(format!("{}.{}", name.schema, name.name));
        self.folder.create_folder(&home)?;
        Ok(Stored { schema: Arc::clone(schema), home, files: Vec::new(), temporary: true })
    }

    /// The table with the plan's columns: a new one is NULL in the rows that there are, a type grows,
    /// a column that the plan no longer has goes.
    async fn evolved(
        &mut self,
        name: &TableName,
        mut stored: Stored,
        schema: &SchemaRef,
    ) -> Result<Stored, Error> {
        if schema::described(&stored.schema) == schema::described(schema) {
            return Ok(stored);
        }
        let step = format!("new columns of {name}");
        let fail = |error: DataFusionError| Error::step(&step, &error);
        let old = scan("old", stored.provider()?, None).map_err(fail)?;
        let expressions = schema.fields().iter().map(|field| {
            let value = match stored.schema.field_with_name(field.name()) {
                Ok(_) => ident(field.name()),
                Err(_) => lit(ScalarValue::Null),
            };
            cast(value, field.data_type().clone()).alias(field.name())
        });
        let plan = LogicalPlanBuilder::from(old)
            .project(expressions.collect::<Vec<_>>())
            .and_then(LogicalPlanBuilder::build)
            .map_err(fail)?;
        stored.schema = Arc::clone(schema);
        let prefix = format!("{:06}-new", self.number);
        stored.files = self.write(&step, &plan, &stored, &prefix).await?;
        Ok(stored)
    }

    async fn steps(&mut self, on_step: &dyn Fn(StepEvent<'_>)) -> Result<Vec<StepReport>, Error> {
        let count = self.script.steps.len() + self.script.tests.len();
        let mut reports = Vec::with_capacity(self.script.steps.len());
        for (index, step) in self.script.steps.iter().enumerate() {
            on_step(StepEvent::Started { index, count, name: &step.name });
            let started = Instant::now();
            self.on_disk = false;
            let (rows, changed) = self.step(index, step).await?;
            let on_disk = self.on_disk;
            let elapsed = started.elapsed();
            on_step(StepEvent::Ended { index, count, name: &step.name, rows, elapsed });
            let (name, table) = (step.name.clone(), step.target.to_string());
            reports.push(StepReport { name, table, rows, changed, on_disk, elapsed });
        }
        Ok(reports)
    }

    /// Gives the rows of the step's query, and whether the table changed.
    async fn step(
        &mut self,
        index: usize,
        step: &ScriptStep,
    ) -> Result<(Option<u64>, bool), Error> {
        let name = step.name.as_str();
        let plan = self.plan(&step.sql).await.map_err(|error| Error::step(name, &error))?;
        let Some(mut stored) = self.tables.get(&step.target).cloned() else {
            return Err(Error::Plan {
                table: step.target.to_string(),
                reason: format!("step {name} writes it, and the plan does not declare it"),
            });
        };
        let keys = match &step.action {
            Action::Remove(key) | Action::Upsert(key) => key.clone(),
            Action::Replace | Action::Append => Vec::new(),
        };
        if matches!(step.action, Action::Remove(_)) {
            let schema = projected(&stored.schema, &keys, &step.target)?;
            let target = TableName::new(Schema::Staging, step.target.name.clone());
            let mut gone = self.temporary(&target, &schema)?;
            let plan = shaped(plan, &schema, &step.target)?;
            gone.files = self.write(name, &plan, &gone, &format!("remove-{index:03}")).await?;
            let before = stored.rows();
            if gone.rows() > 0 && before > 0 {
                let prefix = format!("{:06}-{index:03}", self.number);
                stored.files = self.without(name, &stored, &gone, &keys, &prefix).await?;
            }
            let (rows, changed) = (gone.rows(), stored.rows() != before);
            if changed {
                self.put(&step.target, stored)?;
            }
            return Ok((Some(rows), changed));
        }
        let plan = shaped(plan, &stored.schema, &step.target)?;
        if self.script.is_view(step) {
            self.register(&step.target, Arc::new(ViewTable::new(plan, None)))?;
            return Ok((None, true));
        }
        let prefix = format!("{:06}-{index:03}", self.number);
        let files = self.write(name, &plan, &stored, &prefix).await?;
        let new = Stored { files, ..stored.clone() };
        let rows = Some(new.rows());
        let unchanged = match step.action {
            Action::Append => new.files.is_empty(),
            Action::Replace => stored.is_same(&new.files),
            _ => new.files.is_empty() || stored.is_same(&new.files),
        };
        if unchanged {
            self.discard(&new)?;
            return Ok((rows, false));
        }
        let mut files = match step.action {
            Action::Replace => Vec::new(),
            Action::Upsert(_) if stored.rows() > 0 => {
                self.without(name, &stored, &new, &keys, &format!("{prefix}-kept")).await?
            }
            _ => stored.files.clone(),
        };
        files.extend(new.files);
        let changed = !stored.is_same(&files);
        stored.files = files;
        self.put(&step.target, stored)?;
        Ok((rows, changed))
    }

    /// The files of a table without the rows that have these keys. Files that hold none of them stay
    /// as they are.
    async fn without(
        &mut self,
        step: &str,
        stored: &Stored,
        keys: &Stored,
        columns: &[String],
        prefix: &str,
    ) -> Result<Vec<CommitFile>, Error> {
        let fail = |error: DataFusionError| Error::step(step, &error);
        let (mut kept, mut hit) = (Vec::new(), Vec::new());
        // Keys for most of the table: to look at each file alone would only cost.
        if keys.rows() >= stored.rows() / 4 {
            hit.clone_from(&stored.files);
        } else {
            for file in &stored.files {
                let old = stored.provider_of(std::slice::from_ref(file))?;
                let plan = keyed(old, keys.provider()?, columns, JoinType::LeftSemi, true)
                    .and_then(|plan| {
                        LogicalPlanBuilder::from(plan)
                            .aggregate(Vec::<Expr>::new(), vec![count_all()])?
                            .build()
                    })
                    .map_err(fail)?;
                match self.number_of(step, &plan).await? {
                    0 => kept.push(file.clone()),
                    found if found == file.rows => {}
                    _ => hit.push(file.clone()),
                }
            }
        }
        if !hit.is_empty() {
            let old = stored.provider_of(&hit)?;
            let plan =
                keyed(old, keys.provider()?, columns, JoinType::LeftAnti, false).map_err(fail)?;
            kept.extend(self.write(step, &plan, stored, prefix).await?);
        }
        Ok(kept)
    }

    async fn tests(&mut self, on_step: &dyn Fn(StepEvent<'_>)) -> Result<Vec<TestResult>, Error> {
        let done = self.script.steps.len();
        let count = done + self.script.tests.len();
        let mut results = Vec::with_capacity(self.script.tests.len());
        for (index, test) in self.script.tests.iter().enumerate() {
            let (index, name) = (done + index, test.name.as_str());
            on_step(StepEvent::Started { index, count, name });
            let result = self.test(test).await?;
            let (rows, elapsed) = (Some(result.rows), result.elapsed);
            on_step(StepEvent::Ended { index, count, name, rows, elapsed });
            results.push(result);
        }
        if results.iter().all(TestResult::passed) {
            return Ok(results);
        }
        results.retain(|result| !result.passed());
        Err(Error::Tests(results))
    }

    async fn test(&self, test: &ScriptTest) -> Result<TestResult, Error> {
        let started = Instant::now();
        let doing = format!("test {}", test.name);
        let plan = self.plan(&test.sql).await.map_err(|error| Error::step(&doing, &error))?;
        let count = |rows: &mut u64, batch: &RecordBatch| *rows += batch.num_rows() as u64;
        let rows = self.read(&doing, &plan, count).await?;
        let mut sample = Vec::new();
        if rows > 0 {
            // In an order, so that the same data tell the same rows.
            let order = plan
                .schema()
                .columns()
                .into_iter()
                .zip(plan.schema().fields())
                .filter(|(_, field)| !field.data_type().is_nested())
                .map(|(column, _)| Expr::Column(column).sort(true, true))
                .collect::<Vec<_>>();
            let first = LogicalPlanBuilder::from(plan.clone())
                .sort_with_limit(order, Some(SAMPLE))
                .and_then(LogicalPlanBuilder::build)
                .map_err(|error| Error::step(&doing, &error))?;
            let tell = |sample: &mut Vec<String>, batch: &RecordBatch| {
                sample.extend((0..batch.num_rows()).map(|row| row_text(batch, row)));
            };
            sample = self.read(&doing, &first, tell).await?;
        }
        Ok(TestResult {
            name: test.name.clone(),
            explains: test.explains.clone(),
            rows,
            sample,
            elapsed: started.elapsed(),
        })
    }

    /// Makes one file of many small ones, which small loads leave.
    async fn compact(&mut self) -> Result<(), Error> {
        let is_small = |file: &CommitFile| file.bytes < SMALL_BYTES;
        let names = self.tables.iter().filter(|(_, stored)| {
            !stored.temporary && stored.files.iter().filter(|file| is_small(file)).count() > MANY
        });
        for name in names.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let Some(mut stored) = self.tables.get(&name).cloned() else { continue };
            let (small, mut files): (Vec<_>, Vec<_>) = stored.files.into_iter().partition(is_small);
            stored.files = small;
            let step = format!("compact {name}");
            let plan = scan("old", stored.provider()?, None)
                .map_err(|error| Error::step(&step, &error))?;
            let prefix = format!("{:06}-compact", self.number);
            files.extend(self.write(&step, &plan, &stored, &prefix).await?);
            stored.files = files;
            self.put(&name, stored)?;
        }
        Ok(())
    }

    /// Gives the warehouse's commit, and whether it is still the last one.
    async fn commit(
        &mut self,
        last: Option<Commit>,
        run: &LoadRun,
    ) -> Result<(Commit, bool), Error> {
        let mut commit = Commit::new(self.number, &run.id, &run.source, run.loaded_at);
        let tables = std::mem::take(&mut self.tables);
        for (name, mut stored) in tables.into_iter().filter(|(_, stored)| !stored.temporary) {
            let columns = schema::described(&stored.schema);
            let (rows, digest) = rows_and_digest(&stored.files);
            let digest = hex(digest);
            let before = last
                .as_ref()
                .and_then(|last| last.table(name.schema.as_str(), name.name.as_str()))
                .filter(|old| old.rows == rows && old.digest == digest && old.columns == columns);
            if let Some(before) = before {
                commit.tables.push(before.clone());
                continue;
            }
            if stored.files.is_empty() {
                let target = self.target(&stored, &format!("{:06}-empty", self.number));
                stored.files = self
                    .kept(&target, write(self.folder, Vec::new(), &target).await)
                    .map_err(|failure| self.failed("commit", failure))?;
            }
            stored.files.sort_by(|a, b| a.name.cmp(&b.name));
            commit.tables.push(CommitTable {
                schema: name.schema.as_str().to_owned(),
                name: name.name.as_str().to_owned(),
                rows,
                digest,
                columns,
                files: stored.files,
            });
        }
        if let Some(last) = last
            && last.tables == commit.tables
        {
            self.clear(&last)?;
            return Ok((last, true));
        }
        for table in commit.tables.iter().filter_map(CommitTable::table_name) {
            self.folder.sync(&self.folder.table(&table))?;
        }
        commit.write(self.folder)?;
        self.clear(&commit)?;
        Ok((commit, false))
    }

    /// Removes what this load wrote and did not commit.
    fn clear(&mut self, commit: &Commit) -> Result<(), Error> {
        let keep = commit.paths(self.folder);
        for path in std::mem::take(&mut self.written) {
            if !keep.contains(&path) {
                self.folder.remove(&path)?;
            }
        }
        Ok(())
    }

    fn discard(&mut self, stored: &Stored) -> Result<(), Error> {
        for file in &stored.files {
            let path = stored.home.join(&file.name);
            self.written.retain(|written| *written != path);
            self.folder.remove(&path)?;
        }
        Ok(())
    }

    /// The table is this from now on.
    fn put(&mut self, name: &TableName, stored: Stored) -> Result<(), Error> {
        self.register(name, stored.provider()?)?;
        self.tables.insert(name.clone(), stored);
        Ok(())
    }

    fn register(&self, name: &TableName, table: Arc<dyn TableProvider>) -> Result<(), Error> {
        session::register(&self.context, name.schema.as_str(), name.name.as_str(), table)
            .map_err(|error| Error::step("set up", &error))
    }

    async fn plan(&self, sql: &str) -> Result<LogicalPlan, DataFusionError> {
        self.context.state().create_logical_plan(sql).await
    }

    /// Writes the rows of a plan into new files of a table; gives those that have rows.
    async fn write(
        &mut self,
        step: &str,
        plan: &LogicalPlan,
        stored: &Stored,
        prefix: &str,
    ) -> Result<Vec<CommitFile>, Error> {
        let target = self.target(stored, prefix);
        for frugal in [false, true] {
            let result = match streams(&self.state(frugal).await, plan).await {
                Ok(streams) => write(self.folder, streams, &target).await,
                Err(error) => Err(error.into()),
            };
            match self.kept(&target, result) {
                Ok(mut files) => {
                    for file in files.iter().filter(|file| file.rows == 0) {
                        let path = target.home.join(&file.name);
                        self.written.retain(|written| *written != path);
                        self.folder.remove(&path)?;
                    }
                    files.retain(|file| file.rows > 0);
                    return Ok(files);
                }
                Err(Failure::Engine(error)) if is_exhausted(&error) => self.on_disk = true,
                Err(failure) => return Err(self.failed(step, failure)),
            }
        }
        Err(Error::Memory { doing: format!("step {step}"), bytes: self.options.memory_bytes })
    }

    /// Remembers what was written beside the commit's files.
    fn kept(
        &mut self,
        target: &Target,
        result: Result<Vec<CommitFile>, Failure>,
    ) -> Result<Vec<CommitFile>, Failure> {
        if let (Ok(files), false) = (&result, target.temporary) {
            self.written.extend(files.iter().map(|file| target.home.join(&file.name)));
        }
        result
    }

    fn target(&self, stored: &Stored, prefix: &str) -> Target {
        Target {
            home: stored.home.clone(),
            prefix: prefix.to_owned(),
            schema: Arc::clone(&stored.schema),
            temporary: stored.temporary,
        }
    }

    /// Takes the rows of a plan together; from the start again if memory was too little.
    async fn read<T: Default>(
        &self,
        doing: &str,
        plan: &LogicalPlan,
        take: impl Fn(&mut T, &RecordBatch),
    ) -> Result<T, Error> {
        for frugal in [false, true] {
            let result = async {
                let state = self.state(frugal).await;
                let mut taken = T::default();
                let physical = state.create_physical_plan(plan).await?;
                let mut stream = execute_stream(physical, state.task_ctx())?;
                while let Some(batch) = stream.next().await {
                    take(&mut taken, &batch?);
                }
                Ok::<T, DataFusionError>(taken)
            }
            .await;
            match result {
                Ok(taken) => return Ok(taken),
                Err(error) if is_exhausted(&error) => {}
                Err(error) => return Err(Error::step(doing, &error)),
            }
        }
        Err(Error::Memory { doing: doing.to_owned(), bytes: self.options.memory_bytes })
    }

    /// The number that a plan of one row gives.
    async fn number_of(&self, step: &str, plan: &LogicalPlan) -> Result<u64, Error> {
        self.read(step, plan, |number: &mut u64, batch| {
            let values = batch.columns().first().and_then(|column| {
                column.as_any().downcast_ref::<Int64Array>().filter(|values| !values.is_empty())
            });
            *number = values.map_or(*number, |values| u64::try_from(values.value(0)).unwrap_or(0));
        })
        .await
    }

    /// How to run a plan: first with hash joins, which are fast and must fit in memory; if they do
    /// not, frugally, with joins of sorted rows, which go to disk. A plan has dozens of sorts, and
    /// each keeps some memory back for its merge, which holds a batch or two of each of its runs.
    async fn state(&self, frugal: bool) -> SessionState {
        let mut state = self.context.state();
        if frugal {
            // What has failed still holds memory, until the last of its tasks has seen that.
            let pool = &state.runtime_env().memory_pool;
            let until = Instant::now() + PATIENCE;
            while pool.reserved() > 0 && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let config = state.config_mut();
            let bytes = self.options.memory_bytes;
            *config = std::mem::take(config)
                .with_batch_size((bytes >> 16).clamp(256, 1024))
                .with_sort_spill_reservation_bytes(bytes / 128);
            let options = config.options_mut();
            options.optimizer.prefer_hash_join = false;
            options.optimizer.repartition_joins = true;
            // Without partitions the engine would take the hash join all the same.
            let partitions = &mut options.execution.target_partitions;
            *partitions = (*partitions).max(2);
        }
        state
    }

    fn failed(&self, step: &str, failure: Failure) -> Error {
        match failure {
            Failure::File(error) => error,
            Failure::Engine(error) if is_exhausted(&error) => {
                Error::Memory { doing: format!("step {step}"), bytes: self.options.memory_bytes }
            }
            Failure::Engine(error) => Error::step(step, &error),
        }
    }
}

async fn streams(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<Vec<SendableRecordBatchStream>, DataFusionError> {
    let physical = state.create_physical_plan(plan).await?;
    execute_stream_partitioned(physical, state.task_ctx())
}

/// A table over files, of whose columns the engine does not know which have no NULL: its merge join
/// keeps the columns of a condition as they were declared, and fails where an outer join puts a NULL
/// into one. What may not be NULL is checked when it is written.
fn open(
    schema: &SchemaRef,
    files: impl IntoIterator<Item = PathBuf>,
) -> Result<Arc<dyn TableProvider>, Error> {
    session::table(&schema::nullable(schema), files)
}

/// The lake's columns, and after them those of the plan that no file has yet.
fn landing_schema(landing: &Landing, planned: Option<&SchemaRef>) -> SchemaRef {
    let given = schema::plain(&landing.columns);
    let Some(planned) = planned else { return given };
    let mut fields = given.fields().to_vec();
    for field in planned.fields() {
        if given.field_with_name(field.name()).is_err() {
            fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
    }
    Arc::new(ArrowSchema::new(fields))
}

/// Some columns of a table.
fn projected(
    schema: &SchemaRef,
    columns: &[String],
    table: &TableName,
) -> Result<SchemaRef, Error> {
    let fields = columns.iter().map(|column| {
        schema.field_with_name(column).cloned().map_err(|_| Error::Plan {
            table: table.to_string(),
            reason: format!("it has no column {column}"),
        })
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// The plan's rows with a table's columns: by name, in the table's order, of its types.
fn shaped(plan: LogicalPlan, schema: &SchemaRef, table: &TableName) -> Result<LogicalPlan, Error> {
    let misfit = |reason: String| Error::Plan { table: table.to_string(), reason };
    let columns: HashMap<String, (Column, bool)> = plan
        .schema()
        .columns()
        .into_iter()
        .zip(plan.schema().fields())
        .map(|(column, field)| {
            let same = schema
                .field_with_name(&column.name)
                .is_ok_and(|target| target.data_type() == field.data_type());
            (column.name.clone(), (column, same))
        })
        .collect();
    if let Some(extra) = columns.keys().find(|name| schema.field_with_name(name).is_err()) {
        return Err(misfit(format!("it has no column {extra}, which its step gives")));
    }
    let mut expressions = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some((column, same)) = columns.get(field.name()) else {
            return Err(misfit(format!("its step gives no column {}", field.name())));
        };
        let column = Expr::Column(column.clone());
        let value = if *same { column } else { cast(column, field.data_type().clone()) };
        expressions.push(value.alias(field.name()));
    }
    LogicalPlanBuilder::from(plan)
        .project(expressions)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| misfit(crate::error::one_line(&error)))
}

fn scan(
    name: &str,
    table: Arc<dyn TableProvider>,
    columns: Option<&[String]>,
) -> Result<LogicalPlan, DataFusionError> {
    let schema = table.schema();
    let projection = columns
        .map(|columns| columns.iter().map(|column| schema.index_of(column)).collect())
        .transpose()?;
    LogicalPlanBuilder::scan(name, provider_as_source(table), projection)?.build()
}

/// The rows of a table that have one of these keys (semi), or none of them (anti).
fn keyed(
    old: Arc<dyn TableProvider>,
    keys: Arc<dyn TableProvider>,
    columns: &[String],
    join: JoinType,
    keys_only: bool,
) -> Result<LogicalPlan, DataFusionError> {
    let of = |table: &str| {
        let columns = columns.iter().map(|name| Column::new(Some(table), name));
        columns.collect::<Vec<_>>()
    };
    LogicalPlanBuilder::from(scan("old", old, keys_only.then_some(columns))?)
        .join_detailed(
            scan("new", keys, Some(columns))?,
            join,
            (of("old"), of("new")),
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, fs};

    use super::*;
    use crate::{
        result::write_parquet,
        sample::{Place, contents, files, name, rows, run, script},
    };

    const FIRST: &str = "(1, 'bob', '1.50'), (2, 'ann', '2.25'), (3, NULL, '4.00')";

    #[test]
    fn a_load_fills_the_star_and_the_same_load_changes_nothing() {
        let place = Place::new();
        assert_eq!(place.warehouse.status().unwrap(), None);
        let lines = place.lines("a.parquet", FIRST);
        let first = place.load(std::slice::from_ref(&lines)).unwrap();
        assert!(!first.unchanged);
        assert_eq!(first.commit.number, 1);
        assert_eq!(
            contents(&place.warehouse),
            [
                "key,1,ann",
                "key,2,bob",
                "member,-1,",
                "member,1,ann",
                "member,2,bob",
                "sale,2,1,1.50",
                "sale,1,2,2.25",
                "sale,-1,3,4.00",
            ]
        );
        let steps: Vec<_> =
            first.steps.iter().map(|step| (step.table.as_str(), step.rows, step.changed)).collect();
        assert_eq!(
            steps,
            [
                ("staging.sales", Some(3), true),
                ("staging.names", None, true),
                ("keys.customer", Some(2), true),
                ("dwh.customer", Some(3), true),
                ("dwh.sales", Some(0), false),
                ("dwh.sales", Some(3), true),
            ]
        );
        assert_eq!(first.tests.len(), 1);
        assert!(first.tests[0].passed());
        let before = (fs::read(place.root().join("commit.json")).unwrap(), files(&place.root()));

        let again = place.load(&[lines]).unwrap();
        assert!(again.unchanged);
        assert_eq!(again.commit, first.commit);
        assert_eq!(again.steps.iter().filter(|step| step.changed).count(), 2, "staging only");
        let after = (fs::read(place.root().join("commit.json")).unwrap(), files(&place.root()));
        assert_eq!(after, before);
        assert_eq!(fs::read_dir(place.root()).unwrap().count(), 3, "commit, lock, tables");
    }

    #[test]
    fn a_later_load_keeps_keys_follows_removals_and_rewrites_only_what_changed() {
        let place = Place::new();
        let first = place.load(&[place.lines("a.parquet", FIRST)]).unwrap().commit;
        let lines = "(1, 'bob', '1.75'), (3, NULL, '4.00'), (4, 'abe', '8.00'), (5, 'ann', '0.10')";
        let second = place.load(&[place.lines("b.parquet", lines)]).unwrap().commit;
        assert_eq!(second.number, 2);
        assert_eq!(
            contents(&place.warehouse),
            [
                "key,1,ann",
                "key,2,bob",
                "key,3,abe",
                "member,-1,",
                "member,1,ann",
                "member,2,bob",
                "member,3,abe",
                "sale,2,1,1.75",
                "sale,-1,3,4.00",
                "sale,3,4,8.00",
                "sale,1,5,0.10",
            ]
        );
        let names = |commit: &Commit, schema: &str, table: &str| -> Vec<String> {
            let table = commit.table(schema, table).unwrap();
            table.files.iter().map(|file| file.name.clone()).collect()
        };
        assert_eq!(names(&first, "keys", "customer"), ["000001-002.parquet"]);
        assert_eq!(
            names(&second, "keys", "customer"),
            ["000001-002.parquet", "000002-002.parquet"],
            "an append writes what it appends"
        );

        // No sale changes a member: the dimension's files stay.
        let lines = "(1, 'bob', '1.75')";
        let third = place.load(&[place.lines("c.parquet", lines)]).unwrap().commit;
        assert_eq!(third.table("dwh", "customer"), second.table("dwh", "customer"));
        assert_eq!(rows(&place.warehouse, "SELECT * FROM sales"), ["2,1,1.75"]);
        // Everything goes.
        let empty = place.landing(Vec::new());
        let fourth = place.load(&[empty]).unwrap().commit;
        assert_eq!(fourth.table("dwh", "sales").unwrap().rows, 0);
        assert_eq!(rows(&place.warehouse, "SELECT count(*) FROM sales"), ["0"]);
        assert!(place.load(&[]).unwrap().unchanged, "a landing table that is not given is empty");
        assert_eq!(place.warehouse.verify().unwrap().problems, []);
    }

    #[test]
    fn a_load_that_dies_anywhere_leaves_the_last_commit_and_its_rerun_ends_the_same() {
        let first = "(1, 'bob', '1.50'), (2, 'ann', '2.25'), (3, NULL, '4.00')";
        let second = "(1, 'bob', '1.75'), (3, 'cid', '4.00'), (4, 'abe', '8.00')";
        let expected = {
            let place = Place::new();
            place.load(&[place.lines("a.parquet", first)]).unwrap();
            let commit = place.load(&[place.lines("b.parquet", second)]).unwrap().commit;
            (commit, contents(&place.warehouse))
        };
        let mut died = 0;
        for operations in 0.. {
            let place = Place::new();
            let before = place.load(&[place.lines("a.parquet", first)]).unwrap().commit;
            let was = contents(&place.warehouse);
            let lines = place.lines("b.parquet", second);
            place.warehouse.folder().fault.after(operations);
            let result = place.load(std::slice::from_ref(&lines));
            let survivor = place.reopened();
            let Err(error) = result else {
                assert_eq!(survivor.status().unwrap().as_ref(), Some(&expected.0));
                break;
            };
            died += 1;
            assert!(error.to_string().starts_with("cannot "), "{error}");
            let now = survivor.status().unwrap().unwrap();
            // The rename is the commit: what dies after it has committed.
            if now == before {
                assert_eq!(contents(&survivor), was, "after {operations} operations");
            } else {
                assert_eq!(now, expected.0);
            }
            let rerun = survivor.run(&script(), &[lines], &run(), &|_| ()).unwrap();
            assert_eq!(rerun.unchanged, now == expected.0);
            assert_eq!(rerun.commit, expected.0, "after {operations} operations");
            assert_eq!(contents(&survivor), expected.1);
            assert_eq!(survivor.verify().unwrap().problems, []);
            survivor.run(&script(), &[], &run(), &|_| ()).unwrap();
        }
        assert!(died > 20, "only {died} places to die at");
    }

    #[test]
    fn a_query_reads_the_commit_that_it_began_with_while_loads_come_and_go() {
        let place = Place::new();
        place.load(&[place.lines("a.parquet", FIRST)]).unwrap();
        let ask = || place.warehouse.query("SELECT id FROM sales ORDER BY id", &[]).unwrap();
        let count = |batches: Vec<RecordBatch>| -> usize {
            batches.iter().map(RecordBatch::num_rows).sum()
        };
        let (one, two) = (ask(), ask());
        place.load(&[place.lines("b.parquet", "(9, 'bob', '1')")]).unwrap();
        assert_eq!(count(one.collect::<Result<_, _>>().unwrap()), 3);
        assert_eq!(count(ask().collect::<Result<_, _>>().unwrap()), 1);
        // The load after the next removes the files; what has not begun to read them begins anew.
        place.load(&[place.lines("c.parquet", "(8, 'bob', '1')")]).unwrap();
        let error = two.collect::<Result<Vec<_>, _>>().unwrap_err();
        assert!(matches!(error, Error::Superseded) && error.is_retryable(), "{error:?}");
    }

    #[test]
    fn what_a_dead_load_left_is_gone_after_the_next() {
        let place = Place::new();
        let lines = place.lines("a.parquet", FIRST);
        let commit = place.load(std::slice::from_ref(&lines)).unwrap().commit;
        let whole = files(&place.root());
        let orphan = place.root().join("tables/dwh/sales/000002-005-000-000.parquet");
        fs::write(&orphan, "half a file").unwrap();
        fs::create_dir(place.root().join("spill-99999-0")).unwrap();
        assert_eq!(place.load(&[lines]).unwrap().commit, commit);
        assert_eq!(files(&place.root()), whole);
        assert!(!place.root().join("spill-99999-0").exists());
    }

    #[test]
    fn a_failed_test_commits_nothing_and_tells_the_rows() {
        let place = Place::new();
        let good = place.load(&[place.lines("a.parquet", FIRST)]).unwrap().commit;
        let whole = files(&place.root());
        let many: Vec<_> = (0..30).map(|id| format!("({}, 'bob', '1')", id / 2)).collect();
        let error = place.load(&[place.lines("b.parquet", &many.join(", "))]).unwrap_err();
        assert_eq!(error.to_string(), "1 data test failed, nothing was committed: sales are once");
        let Error::Tests(tests) = error else { panic!("not a test") };
        assert_eq!(tests[0].rows, 15);
        assert_eq!(tests[0].explains, "each sale has one row");
        let told: Vec<_> = (0..15).map(|id| format!("id={id}, rows=2")).collect();
        assert_eq!(tests[0].sample, told);
        let many: Vec<_> = (0..60).map(|id| format!("({}, 'bob', '1')", id / 2)).collect();
        let error = place.load(&[place.lines("b.parquet", &many.join(", "))]).unwrap_err();
        let Error::Tests(tests) = error else { panic!("not a test") };
        assert_eq!((tests[0].rows, tests[0].sample.len()), (30, SAMPLE));
        assert_eq!(place.warehouse.status().unwrap(), Some(good));
        assert_eq!(files(&place.root()), whole);
    }

    #[test]
    fn a_model_that_grew_gives_the_tables_its_columns() {
        let place = Place::new();
        let lines = place.lines("a.parquet", FIRST);
        place.load(std::slice::from_ref(&lines)).unwrap();
        let mut grown = script();
        let table =
            grown.tables.iter_mut().find(|table| table.name == name(Schema::Dwh, "customer"));
        let mut columns = table.as_ref().unwrap().schema.fields().to_vec();
        columns.push(Arc::new(datafusion::arrow::datatypes::Field::new(
            "email",
            datafusion::arrow::datatypes::DataType::Utf8,
            true,
        )));
        table.unwrap().schema = Arc::new(ArrowSchema::new(columns));
        grown.steps.retain(|step| step.name != "members");
        place.warehouse.run(&grown, std::slice::from_ref(&lines), &run(), &|_| ()).unwrap();
        assert_eq!(
            rows(&place.warehouse, "SELECT * FROM customer ORDER BY 1"),
            ["-1,,", "1,ann,", "2,bob,"]
        );
        assert!(place.warehouse.run(&grown, &[lines], &run(), &|_| ()).unwrap().unchanged);
        assert_eq!(place.warehouse.verify().unwrap().problems, []);
    }

    #[test]
    fn tables_that_the_plan_does_not_name_stay() {
        let place = Place::new();
        let lines = place.lines("a.parquet", FIRST);
        let first = place.load(std::slice::from_ref(&lines)).unwrap().commit;
        let mut smaller = script();
        smaller.tables.retain(|table| table.name != name(Schema::Dwh, "customer"));
        smaller.steps.retain(|step| step.name != "members");
        let report = place.warehouse.run(&smaller, &[lines], &run(), &|_| ()).unwrap();
        assert_eq!(report.commit, first);
    }

    #[test]
    fn a_step_that_does_not_fit_its_table_says_so() {
        let place = Place::new();
        let lines = place.lines("a.parquet", FIRST);
        let said = |change: &dyn Fn(&mut Script)| {
            let mut script = script();
            change(&mut script);
            let landing = std::slice::from_ref(&lines);
            place.warehouse.run(&script, landing, &run(), &|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            said(&|script| script.steps[5].sql = r#"SELECT 1 AS "id", 2 AS "price""#.into()),
            "dwh.sales: its step gives no column customer_key"
        );
        assert_eq!(
            said(&|script| script.steps[5].sql = r#"SELECT 1 AS "id", 2 AS "x""#.into()),
            "dwh.sales: it has no column x, which its step gives"
        );
        assert_eq!(
            said(&|script| {
                script.steps[5].sql =
                    r#"SELECT 1 AS "id", 2 AS "price", CAST(NULL AS BIGINT) AS "customer_key""#
                        .into();
            }),
            "step sales failed: Invalid argument error: Column 'customer_key' is declared as \
             non-nullable but contains null values"
        );
        let wide = "SELECT 1 AS \"id\", 1 AS \"customer_key\", 123456789.00 AS \"price\"";
        assert!(
            said(&|script| script.steps[5].sql = wide.into()).starts_with("step sales failed: "),
        );
        assert_eq!(place.warehouse.status().unwrap(), None);
        assert_eq!(files(&place.root()), [""; 0]);
    }

    #[test]
    fn files_of_an_older_lake_lack_columns_and_have_narrower_types() {
        let place = Place::new();
        let old = place.file("old.parquet", "SELECT 1 AS id, 'bob' AS username");
        let narrow = place.file(
            "narrow.parquet",
            "SELECT 2 AS id, 'ann' AS username, CAST(7 AS BIGINT) AS price",
        );
        place.load(&[place.landing(vec![old, narrow])]).unwrap();
        assert_eq!(
            rows(&place.warehouse, "SELECT id, price FROM sales ORDER BY id"),
            ["1,", "2,7.00"]
        );
    }

    #[test]
    fn small_files_are_made_one() {
        let place = Place::new();
        let mut values = Vec::new();
        for id in 0..12 {
            values.push(format!("({id}, 'user{id:02}', '1')"));
            place.load(&[place.lines("a.parquet", &values.join(", "))]).unwrap();
        }
        let commit = place.warehouse.status().unwrap().unwrap();
        let keys = commit.table("keys", "customer").unwrap();
        assert_eq!(keys.rows, 12);
        assert!(keys.files.len() <= MANY, "{} files", keys.files.len());
        let expected: Vec<_> = (0..12).map(|id| format!("{},user{id:02}", id + 1)).collect();
        assert_eq!(rows(&place.warehouse, "SELECT * FROM keys.customer ORDER BY 1"), expected);
        assert_eq!(place.warehouse.verify().unwrap().problems, []);
    }

    #[test]
    fn many_rows_go_to_several_files_and_a_change_rewrites_only_the_files_that_it_hits() {
        let place = Place::new();
        let sql = |more: &str| {
            format!(
                "SELECT value AS id, CAST('user' || (value % 1000) AS VARCHAR) AS username,
                   CAST(value % 100{more} AS DECIMAL(10,2)) AS price
                 FROM generate_series(1, 300000)"
            )
        };
        let all = place.landing(vec![place.file("a.parquet", &sql(""))]);
        let first = place.load(std::slice::from_ref(&all)).unwrap().commit;
        let sales = first.table("dwh", "sales").unwrap();
        assert_eq!(sales.rows, 300_000);
        assert!(sales.files.len() > 1);
        assert!(place.load(std::slice::from_ref(&all)).unwrap().unchanged, "in any order");

        // A step that gives few rows: files without them stay.
        let mut few = script();
        few.steps.retain(|step| step.name == "sales");
        few.steps[0].sql = r#"SELECT 7 AS "id", 7 AS "customer_key", 7.77 AS "price""#.into();
        let report = place.warehouse.run(&few, &[], &run(), &|_| ()).unwrap();
        let changed = report.commit.table("dwh", "sales").unwrap();
        assert_eq!(changed.rows, 300_000);
        let kept = changed.files.iter().filter(|file| sales.files.contains(file)).count();
        assert_eq!(kept, sales.files.len() - 1);
        assert!(place.warehouse.run(&few, &[], &run(), &|_| ()).unwrap().unchanged);
        assert_eq!(
            rows(&place.warehouse, "SELECT count(*), sum(price) FROM sales"),
            ["300000,14850000.77"]
        );
        // Keys for most rows are removed in one pass.
        few.steps[0].action = Action::Remove(vec!["id".into()]);
        few.steps[0].sql =
            r#"SELECT "id" FROM "dwh"."sales" WHERE "id" > 2 OR "id" IS NULL"#.into();
        place.warehouse.run(&few, &[], &run(), &|_| ()).unwrap();
        assert_eq!(rows(&place.warehouse, "SELECT id FROM sales ORDER BY 1"), ["1", "2"]);
        assert_eq!(place.warehouse.verify().unwrap().problems, []);
    }

    #[test]
    fn joins_and_sorts_beyond_memory_go_to_disk() {
        let options = EmbeddedOptions { memory_bytes: 24 << 20, threads: 2 };
        let place = Place::with(options);
        let wide = Place::new();
        let sql =
            "SELECT value AS id, CAST('a-rather-long-user-name-' || value AS VARCHAR) AS username,
                   CAST(1 AS DECIMAL(10,2)) AS price FROM generate_series(1, 200000)";
        let file = place.dir.path().join("a.parquet");
        let all = wide.warehouse.query(sql, &[]).unwrap();
        write_parquet(&file, &all.schema(), all).unwrap();
        let all = place.landing(vec![file]);
        let spilled = RefCell::new(0);
        let report = place
            .warehouse
            .run(&script(), &[all], &run(), &|event| {
                *spilled.borrow_mut() += usize::from(matches!(event, StepEvent::Ended { .. }));
            })
            .unwrap();
        assert_eq!(*spilled.borrow(), 7);
        assert_eq!(report.commit.table("dwh", "sales").unwrap().rows, 200_000);
        assert_eq!(
            rows(&place.reopened(), "SELECT max(customer_key), count(*) FROM sales"),
            ["200000,200000"]
        );
    }
}
