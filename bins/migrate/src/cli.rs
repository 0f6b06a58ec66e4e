//! Arguments as they are typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    done, nothing left behind unnoticed
  1    done, but records were rejected or `verify` found differences
  2    bad command line
  3    bad mapping
  4    the source side failed
  5    the target side failed
  6    the target folder belongs to another run: --resume or --restart
  70   our bug
  130  interrupted; resumable";

/// Move Redis data to Amazon DynamoDB and lose nothing
#[derive(Debug, Parser)]
#[command(name = "migrate", version, styles = STYLES, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// How messages go to stderr
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORM")]
    pub(crate) log: LogForm,

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
    /// Can both sides be reached, and does the mapping hold?
    Check(Check),
    /// Dry run: items, sizes, losses, rejects, files, price and time
    Plan(Plan),
    /// Write the import files
    Run(Run),
    /// How far a run is, or how it ended
    Status(Status),
    /// Compare the files of a run with its dump, record by record
    Verify(Verify),
    /// What is in a dump: counts, bytes, largest keys, prefixes, encodings, expiry
    Inspect(Inspect),
    /// The way back: DynamoDB JSON files to Redis commands (RESP)
    Restore(Restore),
    /// Print the JSON schema of a mapping file
    Schema,
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

/// Which dump, and which of its keys.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// The RDB file, plain or compressed (gzip, zstd, lz4, Valkey VCS)
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: PathBuf,

    /// Only these databases [default: all]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) db: Vec<u32>,

    /// Only keys that match this pattern, as in Redis' KEYS (repeat for more)
    #[arg(long = "match", value_name = "GLOB")]
    pub(crate) matching: Vec<String>,

    /// Only keys of these types: string, list, set, zset, hash, stream, json, array, module
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub(crate) types: Vec<String>,

    /// Go on after a CRC mismatch, with a warning
    #[arg(long)]
    pub(crate) no_checksum: bool,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
}

/// How records become items.
#[derive(Args, Debug)]
pub(crate) struct Rules {
    /// The mapping file (TOML) [default: one item a key, {"key": …, "value": …}]
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,

    /// The clock that tells which keys have expired: Unix seconds, or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<String>,

    /// The environment variable with the salt of the mapping's `hash` casts
    #[arg(long, value_name = "NAME", default_value = "KEYSTAR_SALT")]
    pub(crate) salt_env: String,
}

/// How items become files.
#[derive(Args, Debug)]
pub(crate) struct Files {
    /// The format of the files
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// The compression of the files
    #[arg(long, value_enum, default_value_t)]
    pub(crate) compress: Compress,

    /// A file is full at this many uncompressed bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    pub(crate) max_file_bytes: u64,

    /// A file is full at this many items
    #[arg(long, value_name = "N", default_value_t = 4_000_000)]
    pub(crate) max_file_items: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One {"Item": …} a line
    #[default]
    DynamodbJson,
    /// One Ion item a line
    Ion,
    /// A header and one item a line; only keys keep their type
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compress {
    None,
    #[default]
    Gzip,
    Zstd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Stop at the first record that cannot be carried
    Fail,
    /// Set it aside in the reject file and go on
    #[default]
    Reject,
}

/// How a result is shown.
#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the result to a file too: .json, or .html for a self-contained page
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// The folder or URL to write to: DIR, file://…, s3://…
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) files: Files,
    /// The AWS region to price for
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) files: Files,
    /// The folder or URL to write to: DIR, file://…, s3://…
    #[arg(long, value_name = "DIR")]
    pub(crate) to: String,
    /// Where the run keeps its state [default: DIR/run; needed when DIR is not local]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// What to do with a record that cannot be carried
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on_error: OnError,
    /// Go on where a run of the same arguments stopped
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,
    /// Throw away what an earlier run wrote here, and begin again
    #[arg(long)]
    pub(crate) restart: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The folder or URL that the run writes to
    #[arg(long, value_name = "DIR")]
    pub(crate) to: String,
    /// Where the run keeps its state [default: DIR/run]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The RDB file that the run read [default: the run's own]
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: Option<PathBuf>,
    /// The folder or URL that the run wrote to
    #[arg(long, value_name = "DIR")]
    pub(crate) to: String,
    /// Where the run keeps its state [default: DIR/run]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// The environment variable with the salt of the mapping's `hash` casts
    #[arg(long, value_name = "NAME", default_value = "KEYSTAR_SALT")]
    pub(crate) salt_env: String,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How many of the largest keys and prefixes to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// What separates the segments of a key
    #[arg(long, value_name = "CHAR", default_value_t = ':')]
    pub(crate) separator: char,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The folder that a run wrote, or a folder or file of {"Item": …} lines
    #[arg(long, value_name = "PATH")]
    pub(crate) from: String,
    /// The file to write the commands to [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// The mapping file that the items were written by [default: the run's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// The database of all keys, where the items do not tell it
    #[arg(long, value_name = "N")]
    pub(crate) db: Option<u32>,
    /// Tell what was restored as JSON; it goes to stderr
    #[arg(long)]
    pub(crate) json: bool,
}
