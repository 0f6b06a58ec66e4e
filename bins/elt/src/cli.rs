//! Arguments as they are typed.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    done, nothing left behind unnoticed
  1    done, but items were rejected, or a data test or `verify` found differences
  2    bad command line
  3    bad model
  4    the source side failed
  5    the target side failed
  6    the folder belongs to another run: --resume or --restart
  70   our bug
  130  interrupted; resumable";

const DEMO: &str = "\
Everything stays in DIR, so that you can look at it and go on:
  elt query --dir DIR \"SELECT * FROM dwh.product\"";

const QUERY: &str = "\
Schemas: lake (also called landing), keys, dwh (the star; the default)
  elt query --dir DIR \"SELECT count(*) FROM dwh.sales\"
  elt query --dir DIR --file growth.sql --format csv --output growth.csv";

/// From a DynamoDB single table to a star schema that answers questions
#[derive(Debug, Parser)]
#[command(name = "elt", version, styles = STYLES, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// How messages go to stderr
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORM")]
    pub(crate) log: LogForm,

    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people: progress bars on a terminal
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sample data through all steps to an answer, in one go
    #[command(after_help = DEMO)]
    Demo(Demo),
    /// Make the e-commerce table of the tutorials, in any size, as exports or as items
    Sample(Sample),
    /// Read a whole export and propose a model for it: model.toml and a page that shows it
    Infer(Infer),
    /// Can everything be reached, does the model hold, does the lake fit it?
    Check(Check),
    /// Dry run: what would be read, which columns are new, which SQL would run
    Plan(Plan),
    /// Export to lake: typed Parquet, one folder for each entity
    Lake(Lake),
    /// Lake to warehouse: landing, keys, dimensions, facts, data tests, one commit
    Load(Load),
    /// All steps that are not done yet: export, lake, warehouse, answer
    Run(Run),
    /// Ask lake and warehouse in SQL
    #[command(after_help = QUERY)]
    Query(Query),
    /// One HTML page: the star, rows through the layers, data tests, growth, drift and rejects
    Report(Report),
    /// What the lake and the warehouse hold, and what is still to be done
    Status(Status),
    /// Compare counts, sums and checksums from the export to the facts
    Verify(Verify),
    /// Keep a lake as it is now in a folder with the time in its name
    Archive(Archive),
    /// Print the SQL of a model: tables, load, tests
    Ddl(Ddl),
    /// Print a shell's completion script
    Completions {
        /// The shell to print for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command
    Man {
        /// The folder to write to
        #[arg(value_name = "DIR")]
        to: PathBuf,
    },
}

/// Where things are.
#[derive(Args, Debug, Default)]
pub(crate) struct Places {
    /// One folder for all: DIR/model.toml, DIR/lake, DIR/warehouse, DIR/run
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The model (TOML) [default: DIR/model.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// The folder of the lake [default: DIR/lake]
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,

    /// The warehouse, embedded:PATH or just PATH [default: DIR/warehouse]
    #[arg(long, value_name = "PLACE")]
    pub(crate) warehouse: Option<String>,

    /// Where runs keep their state [default: DIR/run, or `run` beside the lake]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// How much of the machine may be used.
#[derive(Args, Debug)]
pub(crate) struct Machine {
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Memory that a load or a query may use before it sorts on disk, in MiB
    #[arg(long, value_name = "MIB", default_value_t = NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN))]
    pub(crate) memory: NonZeroUsize,
}

/// What is asked of the star.
#[derive(Args, Debug, Default)]
pub(crate) struct Question {
    /// The measure whose growth is asked for [default: the first sum of money or numbers]
    #[arg(long, value_name = "FACT.MEASURE")]
    pub(crate) measure: Option<String>,

    /// What it is grouped by [default: the two dimensions' attributes with the fewest values]
    #[arg(long, value_name = "ROLE.ATTRIBUTE", value_delimiter = ',')]
    pub(crate) by: Vec<String>,

    /// What is compared with the same a year before
    #[arg(long, value_enum, default_value_t)]
    pub(crate) period: Period,

    /// Only this period against the same a year before: 2022, 2022-Q2, 2022-05 [default: the last that is complete]
    #[arg(long, value_name = "PERIOD")]
    pub(crate) at: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Period {
    Month,
    #[default]
    Quarter,
    Year,
}

/// What to do with a run that was killed or interrupted.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// Go on where a run stopped
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,

    /// Build the lake again from the latest full export; the warehouse keeps its keys and history
    #[arg(long)]
    pub(crate) restart: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The folder to write to [default: a new one in the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) size: Size,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

/// How large the sample is.
#[derive(Args, Debug)]
pub(crate) struct Size {
    /// How many customers; there are about 15 items, 4.5 kB of DynamoDB JSON, for each
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) customers: u64,

    /// The same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Data files in an export
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::new(4).unwrap_or(NonZeroU32::MIN))]
    pub(crate) files: NonZeroU32,
}

#[derive(Args, Debug)]
pub(crate) struct Sample {
    /// The folder to write exports to, as DIR/AWSDynamoDB/…
    #[arg(long, value_name = "DIR", required_unless_present = "items")]
    pub(crate) to: Option<PathBuf>,

    /// Write {"Item": …} lines to a file instead, or to stdout (-)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "windows"])]
    pub(crate) items: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) size: Size,

    /// Incremental exports, of a day each, after the full one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) windows: u32,

    /// Write what the data comes to (JSON): counts, and sums in cents for each group of sales
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// Which export.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// A folder with AWSDynamoDB/, an export's own folder or its manifest, a folder or file of
    /// {"Item": …} lines, the result of a scan; a path, file:// or s3://
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: String,
}

/// Which exports, and whether all changes between them have to be there.
#[derive(Args, Debug)]
pub(crate) struct Windows {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Go on where changes between two exports are missing; each gap is told
    #[arg(long)]
    pub(crate) allow_gaps: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Infer {
    #[command(flatten)]
    pub(crate) source: Source,

    /// A definition of the table that exists: NoSQL Workbench, OneTable or ElectroDB, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) hints: Vec<PathBuf>,

    /// The model to write; of a folder that is there, its model.toml
    #[arg(long, value_name = "FILE", default_value = "model.toml")]
    pub(crate) to: PathBuf,

    /// The page to write [default: the model's name with .html]
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,

    /// Write over a model that is there
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// As in `run`; without it the export is not looked at
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) windows: Windows,

    #[command(flatten)]
    pub(crate) places: Places,

    /// Print the SQL of the load, and nothing else
    #[arg(long)]
    pub(crate) sql: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lake {
    #[command(flatten)]
    pub(crate) windows: Windows,
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) start: Start,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

#[derive(Args, Debug)]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) windows: Windows,
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) start: Start,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write the page of `report` too
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableForm {
    /// Lined up for people
    #[default]
    Table,
    /// A header and one line a row
    Csv,
    /// One JSON object a line
    Json,
    /// A Parquet file; needs --output
    Parquet,
}

#[derive(Args, Debug)]
pub(crate) struct Query {
    /// The query
    #[arg(value_name = "SQL", required_unless_present = "file")]
    pub(crate) sql: Option<String>,

    /// Read the query from a file (- for stdin)
    #[arg(long, value_name = "FILE", conflicts_with = "sql")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) places: Places,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TableForm,

    /// Write the result to a file [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) places: Places,

    /// The page to write [default: DIR/report.html, or `report.html` beside the lake]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) question: Question,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// As in `run`; with it, exports that are not in the lake yet are told
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// As in `run`; with it, the export's files are read again and compared too
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) places: Places,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Args, Debug)]
pub(crate) struct Archive {
    #[command(flatten)]
    pub(crate) places: Places,

    /// Where archives are kept; each is a folder in it [default: `archive` beside the lake]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    /// Keep the manifests of this export too
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectName {
    Redshift,
    Postgresql,
    Datafusion,
}

#[derive(Args, Debug)]
pub(crate) struct Ddl {
    #[command(flatten)]
    pub(crate) places: Places,

    /// The warehouse that the SQL is for
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) dialect: DialectName,
}
