use std::{
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use datafusion::arrow::datatypes::SchemaRef;
use keystar_sql::{Plan, TableName};
use tokio::runtime::{Builder, Runtime};

use crate::{
    Commit, Error, LoadReport, LoadRun, QueryResult, StepEvent, VerifyReport,
    error::OrIo,
    folder::{Folder, Spill, full},
    load, query, schema,
    script::Script,
    session, verify,
};

/// How much of the machine a warehouse may use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller makes it, with ..Default::default()")]
pub struct EmbeddedOptions {
    /// What joins, sorts and groups may hold in memory together, in bytes; beyond it they go to
    /// disk, inside the warehouse's folder. The program needs some 100 MiB besides.
    pub memory_bytes: usize,
    /// Threads that work: at least 1.
    pub threads: usize,
}

impl Default for EmbeddedOptions {
    /// 512 MiB, and a thread for each core.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { memory_bytes: 512 << 20, threads }
    }
}

/// Files of the lake as a table.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a caller makes it")]
pub struct Landing {
    /// Its name: `landing.<entity>`. A query finds it as `lake.<entity>` too.
    pub table: TableName,
    /// Its files: Parquet.
    pub files: Vec<PathBuf>,
    /// Its columns. A file may lack some (they read as NULL), and may have narrower types.
    pub columns: SchemaRef,
}

impl Landing {
    pub(crate) fn paths(&self) -> Result<Vec<PathBuf>, Error> {
        self.files.iter().map(|file| full(file).or_io("find", file)).collect()
    }
}

/// The embedded warehouse: a folder of Parquet tables, with one file that tells which of them hold.
///
/// Calls block, and run on threads of their own: make them outside of async code. Loads exclude each
/// other, across processes too; queries run at any time and see one commit from first to last.
#[derive(Debug)]
pub struct Embedded {
    folder: Arc<Folder>,
    options: EmbeddedOptions,
    runtime: Arc<Runtime>,
}

impl Embedded {
    /// A warehouse in a folder, which the first load makes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if threads cannot be started.
    pub fn open(folder: &Path, options: EmbeddedOptions) -> Result<Self, Error> {
        let options = EmbeddedOptions { threads: options.threads.max(1), ..options };
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads)
            .enable_time()
            .thread_name("warehouse")
            .build()
            .or_io("start threads for", folder)?;
        let folder = Arc::new(Folder::new(folder)?);
        Ok(Self { folder, options, runtime: Arc::new(runtime) })
    }

    /// Runs a plan over the lake's tables: all steps, all tests, then one commit. Until the commit
    /// nothing that a query sees has changed, whatever happens; a load that died is simply run again.
    /// If nothing changed, there is no new commit.
    ///
    /// A landing table that the plan names and `landing` lacks is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another load runs, [`Error::Tests`] if rows offend the plan's tests,
    /// [`Error::Step`] and [`Error::Memory`] if a step cannot be run, and the system's errors.
    pub fn load(
        &self,
        plan: &Plan,
        landing: &[Landing],
        run: &LoadRun,
        on_step: &dyn Fn(StepEvent<'_>),
    ) -> Result<LoadReport, Error> {
        let script = Script::of(plan)?;
        self.run(&script, landing, run, on_step)
    }

    pub(crate) fn run(
        &self,
        script: &Script,
        landing: &[Landing],
        run: &LoadRun,
        on_step: &dyn Fn(StepEvent<'_>),
    ) -> Result<LoadReport, Error> {
        let load = load::load(&self.folder, &self.options, script, landing, run, on_step);
        self.runtime.block_on(Box::pin(load))
    }

    /// Asks the last commit a question, in SQL. Its tables are `dwh.<table>` (or the bare name) and
    /// `keys.<table>`; the lake's are `lake.<entity>` and `landing.<entity>`.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] for a statement that is no query, [`Error::UnknownTable`],
    /// [`Error::Query`] for what else is wrong with it, [`Error::Damaged`] if a table is.
    pub fn query(&self, sql: &str, also: &[Landing]) -> Result<QueryResult, Error> {
        let commit = self.status()?;
        // A warehouse that may only be read can be asked too.
        let spill = commit.as_ref().and_then(|_| Spill::new(self.folder.root()).ok());
        let memory = self.options.memory_bytes;
        let fail = |error| query::failed(&error, memory);
        let context = session::session(&self.options, spill.as_ref()).map_err(fail)?;
        for table in commit.iter().flat_map(|commit| &commit.tables) {
            let (Some(name), Some(first)) = (table.table_name(), table.files.first()) else {
                continue;
            };
            let home = self.folder.table(&name);
            let schema = crate::write::read_schema(&home.join(&first.name))?;
            let files = table.files.iter().map(|file| home.join(&file.name));
            let provider = session::table(&schema, files)?;
            session::register(&context, &table.schema, &table.name, provider).map_err(fail)?;
        }
        for landing in also {
            let schema = schema::plain(&landing.columns);
            let provider = session::table(&schema, landing.paths()?)?;
            for schema in ["lake", landing.table.schema.as_str()] {
                let name = landing.table.name.as_str();
                session::register(&context, schema, name, Arc::clone(&provider)).map_err(fail)?;
            }
        }
        let query = query::query(&context, sql, &self.runtime, spill, memory);
        self.runtime.block_on(Box::pin(query))
    }

    /// The last commit; `None` before the first.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] and [`Error::Format`] if it cannot be understood.
    pub fn status(&self) -> Result<Option<Commit>, Error> {
        Commit::read(&self.folder)
    }

    /// Reads every file of the last commit, and compares its length, hash and rows with what the
    /// commit says.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Embedded::status); what is wrong with a file is in the report.
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        let commit = self.status()?;
        Ok(commit.map(|commit| verify::verify(&self.folder, &commit)).unwrap_or_default())
    }

    #[cfg(test)]
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}
