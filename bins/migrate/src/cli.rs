//! Arguments as they are typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

/// Headings of the help.
const SERVERS: &str = "Live servers";
const TABLES: &str = "Tables";
const AWS: &str = "AWS";

const EXIT_CODES: &str = "\
Exit codes:
  0    done, nothing left behind unnoticed
  1    done, but records were rejected or `verify` found differences
  2    bad command line
  3    bad mapping
  4    the source side failed
  5    the target side failed
  6    the work directory belongs to another run: --resume or --restart
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
    /// Move the keys: to import files, or into a table
    Run(Run),
    /// How far a run is, or how it ended
    Status(Status),
    /// Compare files or a table with the source, record by record
    Verify(Verify),
    /// What is in a source: counts, bytes, largest keys, prefixes, encodings, expiry
    Inspect(Inspect),
    /// The way back: DynamoDB JSON files to Redis commands (RESP)
    Restore(Restore),
    /// Hold our items against a small export that DynamoDB wrote
    CompareFormat(CompareFormat),
    /// A cache in front of the table
    Dax(Dax),
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

/// Which source, and which of its keys.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// Where the keys are: an RDB file, plain or compressed; a folder, pattern or s3:// prefix of
    /// such files (repeat for more); an append-only file or its folder; redis://USER@HOST:PORT,
    /// rediss://…, unix:///PATH, redis+sentinel://HOST:PORT,…/PRIMARY
    #[arg(long, value_name = "SOURCE", required = true)]
    pub(crate) from: Vec<String>,

    #[command(flatten)]
    pub(crate) server: Server,

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

/// How a live server is reached and read.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// How a live server is read
    #[arg(long, help_heading = SERVERS, value_enum, default_value_t)]
    pub(crate) via: Via,

    /// The ACL user, where the URL names none
    #[arg(long, help_heading = SERVERS, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// The environment variable with the password
    #[arg(long, help_heading = SERVERS, value_name = "NAME", default_value = "REDIS_PASSWORD")]
    pub(crate) password_env: String,

    /// The file with the password, in place of the variable
    #[arg(long, help_heading = SERVERS, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// The ACL user of the Sentinels
    #[arg(long, help_heading = SERVERS, value_name = "NAME")]
    pub(crate) sentinel_user: Option<String>,

    /// The environment variable with the password of the Sentinels
    #[arg(long, help_heading = SERVERS, value_name = "NAME", default_value = "REDIS_SENTINEL_PASSWORD")]
    pub(crate) sentinel_password_env: String,

    /// The certificates that may have signed the server's, as PEM [default: the system's]
    #[arg(long, help_heading = SERVERS, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Our own certificate, as PEM
    #[arg(long, help_heading = SERVERS, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of our own certificate, as PEM
    #[arg(long, help_heading = SERVERS, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The name that the server's certificate has [default: the host]
    #[arg(long, help_heading = SERVERS, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,

    /// Read from replicas where there are any
    #[arg(long, help_heading = SERVERS)]
    pub(crate) replicas: bool,

    /// Do not ask how big values are before they are read: a quarter faster, but the server dumps
    /// each value of more than 1 MiB once for nothing
    #[arg(long, help_heading = SERVERS)]
    pub(crate) skip_sizes: bool,

    /// Read no more than so many keys a second
    #[arg(long, help_heading = SERVERS, value_name = "N")]
    pub(crate) max_keys_per_second: Option<u64>,

    /// Read no more than so many bytes of values a second
    #[arg(long, help_heading = SERVERS, value_name = "BYTES")]
    pub(crate) max_bytes_per_second: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// SCAN, and DUMP of every key
    #[default]
    Scan,
    /// SCAN, and a command of the key's type: where DUMP is forbidden
    Typed,
    /// A snapshot, asked for as replicas do (PSYNC)
    Rdb,
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

/// How items get into a table.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// How items get into a table
    #[arg(long, help_heading = TABLES, value_enum, default_value_t)]
    pub(crate) load: By,

    /// The bucket for the files of an import, s3://BUCKET/PREFIX
    #[arg(long, help_heading = TABLES, value_name = "URL")]
    pub(crate) stage: Option<String>,

    /// Make the table if there is none, by the table of the mapping
    #[arg(long, help_heading = TABLES)]
    pub(crate) create_table: bool,

    /// Leave alone what the table has already
    #[arg(long, help_heading = TABLES, conflicts_with = "if_newer")]
    pub(crate) if_absent: bool,

    /// Replace what the table has already only where this attribute is greater
    #[arg(long, help_heading = TABLES, value_name = "ATTRIBUTE")]
    pub(crate) if_newer: Option<String>,

    /// Stay below so many write units a second
    #[arg(long, help_heading = TABLES, value_name = "N")]
    pub(crate) max_write_units: Option<u64>,

    /// Try an import with so many of the files, into the table NAME-sample
    #[arg(long, help_heading = TABLES, value_name = "FILES")]
    pub(crate) sample: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// BatchWriteItem, into a table that exists
    #[default]
    Live,
    /// Files in S3 and ImportTable, which makes the table
    Import,
    /// Files in S3 and StartBulkPutItems, into a table that exists
    Bulk,
}

/// As whom AWS is asked, and where; what is not said is looked for as all AWS tools do.
#[derive(Args, Debug)]
pub(crate) struct Aws {
    /// The region of the table and the buckets [default: AWS_REGION, or the profile's]
    #[arg(long, help_heading = AWS, value_name = "REGION")]
    pub(crate) region: Option<String>,

    #[command(flatten)]
    pub(crate) s3: S3,

    /// Where DynamoDB is, if not where the region has it
    #[arg(long, help_heading = AWS, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,

    /// Where CloudWatch Logs is, if not where the region has it
    #[arg(long, help_heading = AWS, value_name = "URL")]
    pub(crate) logs_endpoint_url: Option<String>,
}

/// As whom a bucket is asked, and where.
#[derive(Args, Debug)]
pub(crate) struct S3 {
    /// A profile of ~/.aws/config [default: AWS_PROFILE]
    #[arg(long, help_heading = AWS, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// A role to take on
    #[arg(long, help_heading = AWS, value_name = "ARN")]
    pub(crate) assume_role: Option<String>,

    /// Where S3 is, if not where the region has it
    #[arg(long, help_heading = AWS, value_name = "URL")]
    pub(crate) s3_endpoint_url: Option<String>,
}

/// The buckets of a command that asks AWS for nothing else.
#[derive(Args, Debug)]
pub(crate) struct Buckets {
    /// The region of the buckets [default: AWS_REGION, or the profile's]
    #[arg(long, help_heading = AWS, value_name = "REGION")]
    pub(crate) region: Option<String>,

    #[command(flatten)]
    pub(crate) s3: S3,
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
    /// Where to: files below DIR, file://… or s3://…, or a table, dynamodb://NAME
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) aws: Aws,
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
    /// The AWS region to price for; also that of an s3:// source [default of a source: AWS_REGION,
    /// or the profile's]
    #[arg(long, help_heading = AWS, value_name = "REGION")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) s3: S3,
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
    /// Where to: files below DIR, file://… or s3://…, or a table, dynamodb://NAME
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) aws: Aws,
    /// Where the run keeps its state [default: DIR/run; needed when TARGET is not local]
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
    /// What the run writes to: a folder, a URL, or dynamodb://NAME
    #[arg(long, value_name = "TARGET")]
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
    /// The source to compare with [default: the one that the run read]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Vec<String>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// What the run wrote to: a folder, a URL, or dynamodb://NAME
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) aws: Aws,
    /// Where the run keeps its state [default: DIR/run; a table is compared without a run, too]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// The mapping file, where a table is compared without a run
    #[arg(long, value_name = "FILE", conflicts_with = "work")]
    pub(crate) mapping: Option<PathBuf>,
    /// The environment variable with the salt of the mapping's `hash` casts
    #[arg(long, value_name = "NAME", default_value = "KEYSTAR_SALT")]
    pub(crate) salt_env: String,
    /// Compare so many records with a table, chosen by chance, instead of all
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<usize>,
    /// Write to the table what is missing or differs
    #[arg(long, conflicts_with = "sample")]
    pub(crate) repair: bool,
    /// With --repair: delete from the table what the source does not have
    #[arg(long, requires = "repair")]
    pub(crate) delete_extra: bool,
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
    pub(crate) aws: Buckets,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct CompareFormat {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// The export: its folder, a file of {"Item": …} lines, or what `aws dynamodb scan` printed
    #[arg(long, value_name = "PATH")]
    pub(crate) export: String,
    #[command(flatten)]
    pub(crate) aws: Buckets,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Args, Debug)]
pub(crate) struct Dax {
    #[command(subcommand)]
    pub(crate) command: DaxCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DaxCommand {
    /// Print the CloudFormation template of a DAX cluster; nothing is created
    Plan(DaxPlan),
}

#[derive(Args, Debug)]
pub(crate) struct DaxPlan {
    /// The mapping file, which names the table
    #[arg(long, value_name = "FILE", required_unless_present = "table")]
    pub(crate) mapping: Option<PathBuf>,
    /// The table
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    pub(crate) table: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The folder that a run wrote, or a folder or file of {"Item": …} lines; file://… or s3://…
    #[arg(long, value_name = "PATH")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) aws: Buckets,
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
