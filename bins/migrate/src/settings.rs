//! Arguments as they are meant. Everything that can fail without touching data fails here.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use jiff::Timestamp;
use keystar_extract::{Access, Secret, Source};
use keystar_mapping::{Mapping, SpecError};
use keystar_pipeline::{
    By, Error, Input, Load, MigrationSpec, Present, Reach, Selection, Start, Via, recorded,
    work_dir,
};
use keystar_rdb::UnixMillis;
use keystar_transfer::AwsOptions;

use crate::{
    cli::{self, Compress, Format, OnError, Server},
    exit::Failure,
};

/// A mapping with the text that it was read from.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) mapping: Mapping,
    pub(crate) text: Option<String>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) as_of: Option<UnixMillis>,
}

impl Rules {
    pub(crate) fn load(rules: &cli::Rules) -> Result<Self, Failure> {
        let as_of = rules.as_of.as_deref().map(moment).transpose()?;
        let salt = salt(&rules.salt_env);
        let Some(path) = &rules.mapping else {
            return Ok(Self { mapping: Mapping::default(), text: None, salt, as_of });
        };
        let text = mapping_text(path)?;
        let mapping = mapping(&text, salt.as_deref(), path)?;
        if mapping.needs_salt() {
            return Err(Failure::mapping("the mapping hashes fields, and there is no salt")
                .hint(format!("put a secret into the environment variable {}", rules.salt_env)));
        }
        Ok(Self { mapping, text: Some(text), salt, as_of })
    }

    /// The clock that expiry is judged by.
    pub(crate) fn clock(&self) -> UnixMillis {
        self.as_of.unwrap_or_else(now)
    }
}

pub(crate) fn mapping_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::mapping(error).hint(format!("the mapping file is {}", path.display()))
    })
}

/// Checks a mapping; an error names the file, the line and the column.
pub(crate) fn mapping(text: &str, salt: Option<&[u8]>, path: &Path) -> Result<Mapping, Failure> {
    let mapping = Mapping::from_toml(text).map_err(|error| misread(&error, path))?;
    match salt {
        Some(salt) => Ok(mapping.with_salt(salt)),
        None => Ok(mapping),
    }
}

/// `mapping.toml:3:1: unknown field layuot`, as editors and terminals know to follow.
fn misread(error: &SpecError, path: &Path) -> Failure {
    let place = match (error.line(), error.column()) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    let setting = match error.path() {
        "" => String::new(),
        setting => format!(" {setting}:"),
    };
    let failure =
        Failure::mapping(format!("{}{place}:{setting} {}", path.display(), error.message()));
    match error.expected() {
        Some(expected) => failure.hint(format!("expected {expected}")),
        None => failure,
    }
}

pub(crate) fn salt(variable: &str) -> Option<Vec<u8>> {
    std::env::var_os(variable).map(|salt| salt.into_encoded_bytes())
}

/// Where the records come from.
pub(crate) fn input(from: &[String], server: &Server) -> Result<Input, Failure> {
    let via = match server.via {
        cli::Via::Scan => Via::Scan,
        cli::Via::Typed => Via::Typed,
        cli::Via::Rdb => Via::Rdb,
    };
    Ok(Input::new(from, via)?)
}

/// How a live server is reached, and AWS where it is asked. Secrets come from the environment or
/// from a file: arguments can be seen by everybody.
pub(crate) fn reach(server: &Server, aws: AwsOptions) -> Result<Reach, Failure> {
    let secret = |variable: &str| std::env::var(variable).ok().map(Secret::new);
    let password = match &server.password_file {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::usage(error).hint(format!("the password file is {}", path.display()))
            })?;
            Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
        }
        None => secret(&server.password_env),
    };
    let mut access = Access::default()
        .with_user(server.user.clone())
        .with_password(password)
        .with_sentinel_user(server.sentinel_user.clone())
        .with_sentinel_password(secret(&server.sentinel_password_env))
        .with_ca(server.tls_ca.clone())
        .with_server_name(server.tls_server_name.clone())
        .with_replicas(server.replicas);
    if let (Some(certificate), Some(key)) = (&server.tls_cert, &server.tls_key) {
        access = access.with_certificate(certificate, key);
    }
    let limits = (server.max_keys_per_second, server.max_bytes_per_second);
    Ok(Reach::default()
        .with_access(access)
        .with_aws(aws)
        .with_skip_sizes(server.skip_sizes)
        .with_limits(limits.0, limits.1))
}

pub(crate) fn selection(source: &cli::Source) -> Result<Selection, Failure> {
    Selection::new()
        .with_dbs(source.db.clone())
        .with_patterns(source.matching.clone())
        .with_ignore_checksum(source.no_checksum)
        .with_types(source.types.clone())
        .map_err(Failure::usage)
}

pub(crate) fn jobs(given: Option<NonZeroUsize>) -> NonZeroUsize {
    given.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

pub(crate) fn migration(
    run: &cli::Run,
    rules: &Rules,
    reach: &Reach,
) -> Result<MigrationSpec, Failure> {
    let from = input(&run.source.from, &run.source.server)?;
    let spec = MigrationSpec::new(from, &run.to, reach)?
        .with_selection(selection(&run.source)?)
        .with_mapping(rules.text.clone(), rules.salt.as_deref())
        .with_as_of(rules.as_of)
        .with_format(format_name(run.files.format), compression_name(run.files.compress))
        .with_max_file(run.files.max_file_bytes, run.files.max_file_items)
        .with_stop_at_reject(run.on_error == OnError::Fail);
    Ok(spec.with_load(load(&run.load))?)
}

/// How items get into a table.
pub(crate) fn load(load: &cli::Load) -> Load {
    let present = match (&load.if_newer, load.if_absent) {
        (Some(attribute), _) => Present::ReplacedIfNewer(attribute.clone()),
        (None, true) => Present::Stays,
        (None, false) => Present::Replaced,
    };
    Load::by(match load.load {
        cli::By::Live => By::Live,
        cli::By::Import => By::Import,
        cli::By::Bulk => By::Bulk,
    })
    .with_stage(load.stage.clone())
    .with_create(load.create_table)
    .with_present(present)
    .with_units(load.max_write_units)
    .with_sample(load.sample)
}

/// As whom AWS is asked, and where.
pub(crate) fn aws(aws: &cli::Aws) -> AwsOptions {
    let mut options = s3(aws.region.as_deref(), &aws.s3);
    options.endpoint_url = aws.endpoint_url.clone();
    options.logs_endpoint_url = aws.logs_endpoint_url.clone();
    options
}

/// As whom buckets are asked, and where.
pub(crate) fn s3(region: Option<&str>, s3: &cli::S3) -> AwsOptions {
    let mut options = AwsOptions::default();
    options.region = region.map(str::to_owned);
    options.profile = s3.profile.clone();
    options.assume_role = s3.assume_role.clone();
    options.s3_endpoint_url = s3.s3_endpoint_url.clone();
    options
}

pub(crate) fn buckets(aws: &cli::Buckets) -> AwsOptions {
    s3(aws.region.as_deref(), &aws.s3)
}

/// The source of a command, at its beginning.
pub(crate) fn open(source: &cli::Source, reach: &Reach) -> Result<Box<dyn Source>, Failure> {
    let input = input(&source.from, &source.server)?;
    Ok(input.open(&selection(source)?, reach).map_err(Error::Source)?)
}

/// The work directory of the run that wrote to `to`.
pub(crate) fn work(to: &str, given: Option<&Path>) -> Result<PathBuf, Failure> {
    let work = work_dir(to, given)?;
    if recorded(&work)?.is_some() {
        return Ok(work);
    }
    let failure = Failure::usage(format!("{} holds no run", work.display()));
    let entries = fs::read_dir(to).into_iter().flatten().flatten();
    let mut folders = entries.map(|entry| entry.path()).filter(|path| path.join("run").is_dir());
    Err(match folders.next() {
        Some(folder) => failure
            .hint(format!("each database has a run of its own, such as --to {}", folder.display())),
        None => failure.hint("--to names the folder that `migrate run --to` was given"),
    })
}

pub(crate) fn start(run: &cli::Run) -> Start {
    match (run.resume, run.restart) {
        (true, _) => Start::Resume,
        (_, true) => Start::Restart,
        _ => Start::Fresh,
    }
}

pub(crate) fn format_name(format: Format) -> &'static str {
    match format {
        Format::DynamodbJson => "dynamodb-json",
        Format::Ion => "ion",
        Format::Csv => "csv",
    }
}

pub(crate) fn compression_name(compress: Compress) -> &'static str {
    match compress {
        Compress::None => "none",
        Compress::Gzip => "gzip",
        Compress::Zstd => "zstd",
    }
}

pub(crate) fn now() -> UnixMillis {
    UnixMillis(Timestamp::now().as_millisecond())
}

/// Reads Unix seconds or RFC 3339.
fn moment(text: &str) -> Result<UnixMillis, Failure> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(UnixMillis(seconds.saturating_mul(1000)));
    }
    text.parse::<Timestamp>().map(|time| UnixMillis(time.as_millisecond())).map_err(|error| {
        Failure::usage(error)
            .hint("--as-of takes Unix seconds (1767225600) or RFC 3339 (2026-01-01T00:00:00Z)")
    })
}
