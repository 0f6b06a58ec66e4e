//! Has DynamoDB make a table from files in S3: `ImportTable`.

use std::{fmt, ops::ControlFlow, time::Duration};

use aws_sdk_dynamodb::{
    Client, operation::import_table::builders::ImportTableFluentBuilder, types,
};
use keystar_bucket::split;
use keystar_item::Table;

use crate::{
    Compression, DynamoDb, Error, Format, ImportFile, Manifest, Place, TableExtras, TableName,
    call::CallError,
    dynamodb::{TableParts, place},
    logs::Logs,
    manifest::DATA,
    store::{Store, join},
};

/// How long an import is let alone between two looks at it: from, to.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(15)];
/// How often we look whether to stop.
const SLICE: Duration = Duration::from_millis(100);
/// How long looking at an import may fail for reasons that pass. The import goes on meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);
/// Item errors that are read, of some hundred bytes each: where more is wrong, all of it is.
pub(crate) const MAX_ITEM_ERRORS: usize = 10_000;

/// Files in a bucket, all under one prefix, in one format and compression.
///
/// ```
/// use keystar_transfer::{Compression, Format, ImportSource};
///
/// let source = ImportSource::new("s3://my-bucket/users/data/", Format::DynamoDbJson, Compression::gzip())?;
/// assert_eq!((source.bucket.as_str(), source.prefix.as_str()), ("my-bucket", "users/data/"));
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ImportSource {
    /// The bucket.
    pub bucket: String,
    /// How the keys of all files begin. Nothing else may begin so.
    pub prefix: String,
    /// The account that the bucket belongs to, if that is another.
    pub bucket_owner: Option<String>,
    /// The files' text form.
    pub format: Format,
    /// The files' compression; its level does not matter.
    pub compression: Compression,
}

impl ImportSource {
    /// The files whose URLs begin so.
    ///
    /// # Errors
    ///
    /// [`Error::Place`] if that is not `s3://BUCKET/PREFIX`.
    pub fn new(url: &str, format: Format, compression: Compression) -> Result<Self, Error> {
        let (bucket, prefix) = split(url).ok_or_else(|| Error::Place {
            place: url.to_owned(),
            reason: "an import reads from s3://BUCKET/PREFIX",
        })?;
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            bucket_owner: None,
            format,
            compression,
        })
    }

    /// What an [`ImportWriter`](crate::ImportWriter) wrote to `s3://BUCKET/PREFIX`.
    ///
    /// # Errors
    ///
    /// [`Error::Place`] for another kind of place, [`Error::Options`] for a manifest of unknown
    /// formats.
    pub fn of(stage: &str, manifest: &Manifest) -> Result<Self, Error> {
        let source = Self::new(stage, manifest.format()?, manifest.compression.parse()?)?;
        let prefix = join(source.prefix.trim_matches('/'), manifest.prefix.trim_end_matches('/'));
        Ok(Self { prefix: format!("{prefix}/"), ..source })
    }

    /// Sets the account that the bucket belongs to.
    #[must_use]
    pub fn with_bucket_owner(mut self, account: impl Into<String>) -> Self {
        self.bucket_owner = Some(account.into());
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

/// An import that was begun. It goes on whether anybody waits for it or not; whoever knows its ARN
/// can come back to it.
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{
///     Aws, AwsOptions, Compression, Format, ImportJob, ImportSource, ImportStatus, TableExtras,
/// };
///
/// let db = Aws::connect(&AwsOptions::default())?.dynamodb();
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name("users");
/// let files =
///     ImportSource::new("s3://my-bucket/users/data/", Format::Ion, Compression::zstd())?;
/// let job = ImportJob::start(&db, &files, &table, &TableExtras::default(), "run-2026-01-31")?;
/// println!("{}", job.arn()); // worth keeping
/// let outcome = job.wait(|progress| {
///     println!("{} items", progress.imported_items);
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(outcome.map(|outcome| outcome.progress.status), Some(ImportStatus::Completed));
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImportJob {
    db: DynamoDb,
    arn: String,
}

/// How far an import is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ImportProgress {
    /// Whether it goes on.
    pub status: ImportStatus,
    /// Bytes that were read, uncompressed: what it is billed by.
    pub bytes: u64,
    /// Items that were read.
    pub items: u64,
    /// Items that were written. One that has the key of another counts, too.
    pub imported_items: u64,
    /// Items that were refused, and files that could not be read to their end.
    pub errors: u64,
}

/// Whether an import goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ImportStatus {
    /// It goes on.
    #[default]
    InProgress,
    /// It came to its end; what it refused is counted.
    Completed,
    /// Somebody cancelled it, and it is being stopped.
    Cancelling,
    /// Somebody cancelled it.
    Cancelled,
    /// Some or all items are not in the table, or there is no table.
    Failed,
    /// A word that is not known here.
    Other(String),
}

impl ImportStatus {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "IN_PROGRESS" => Self::InProgress,
            // Of a bulk put: the count of errors tells it from a complete one.
            "COMPLETED" | "COMPLETED_WITH_ERRORS" => Self::Completed,
            "CANCELLING" => Self::Cancelling,
            "CANCELLED" => Self::Cancelled,
            "FAILED" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// How an import ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ImportOutcome {
    /// Its last counts.
    pub progress: ImportProgress,
    /// Its ARN.
    pub arn: String,
    /// Why it failed, if it did: the service's name for it, and its words.
    pub failure: Option<(String, String)>,
    /// What was refused, and why: the first ten thousand.
    pub item_errors: Vec<ItemError>,
    /// Why the log could not be read, if it was to be and could not.
    pub log_unread: Option<String>,
    /// Where the log is: group and stream.
    pub log: Option<(String, String)>,
}

/// Why something in a file is not in the table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ItemError {
    /// The file's key in the bucket, if it is told.
    pub file: Option<String>,
    /// Which item of the file it is, counted from 0, if it is told.
    pub index: Option<u64>,
    /// The service's words.
    pub reasons: Vec<String>,
}

impl ItemError {
    /// An error of an item or a file, as far as it is told.
    #[must_use]
    pub fn new(file: Option<String>, index: Option<u64>, reasons: Vec<String>) -> Self {
        Self { file, index, reasons }
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.index) {
            (Some(file), Some(index)) => write!(f, "{file}, item {index}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            _ => {}
        }
        f.write_str(&self.reasons.join("; "))
    }
}

impl ImportOutcome {
    /// Whether every item is in the table.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.progress.status == ImportStatus::Completed && self.progress.errors == 0
    }

    /// What the user can do about a failure.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        if self.is_complete() {
            return None;
        }
        let code = self.failure.as_ref().map_or("", |(code, _)| code.as_str());
        Some(match code {
            "ItemValidationError" => {
                "the valid items are in the table: correct what the item errors say in the mapping, \
                 then delete the table and run again, or put the items that are missing"
            }
            "S3NoSuchBucket" | "S3NoSuchKey" => {
                "no table was made: look at the stage's bucket and prefix, and whether the files \
                 are still there"
            }
            "S3AccessDenied" | "AccessDenied" | "S3BucketAccessDenied" => {
                "the caller needs s3:GetObject and s3:ListBucket on the stage (and kms:Decrypt if \
                 it is encrypted), and logs:* on /aws-dynamodb/imports"
            }
            "InputFormatError" | "InputCompressionTypeError" => {
                "all objects under the prefix must have the one format and compression: something \
                 else lies there"
            }
            _ if self.progress.status == ImportStatus::Cancelled => {
                "somebody cancelled it: what was imported is in the table; delete it and run again"
            }
            _ if matches!(self.progress.status, ImportStatus::Other(_)) => {
                "look at it in the console: if it goes on, resume when it has ended, or else delete \
                 the table and run again"
            }
            _ => "delete the table if there is one, and run again",
        })
    }
}

impl ImportJob {
    /// Begins an import into a new table. The same token, within eight hours and with the same
    /// parameters, gives the same import again: take it from the run's id.
    ///
    /// # Errors
    ///
    /// [`Error::TableExists`]; [`Error::ImportConflict`] if the token was used with other
    /// parameters; [`Error::ImportLimit`] if too many are under way; [`Error::Options`] if the
    /// table has no name; and as for every call.
    pub fn start(
        db: &DynamoDb,
        source: &ImportSource,
        table: &Table,
        extras: &TableExtras,
        token: &str,
    ) -> Result<Self, Error> {
        table.validate()?;
        let name = table.name.as_deref().ok_or(Error::Options("an import's table needs a name"))?;
        let name: TableName = name.parse()?;
        if token.is_empty() || token.contains('$') {
            return Err(Error::Options("an import's token is not empty and has no dollar sign"));
        }
        let request = request(db.client(), source, table, &name, extras, token)?;
        let (client, token, from) = (db.client().clone(), token.to_owned(), source.url());
        let arn = db.aws().wait(async move {
            let error = match request.send().await.map_err(CallError::of) {
                Ok(begun) => {
                    let arn = begun.import_table_description.and_then(|told| told.import_arn);
                    let lost = || CallError::network("the answer has no ARN");
                    return arn.ok_or_else(|| lost().into_error("ImportTable", place(&name)));
                }
                Err(error) => error,
            };
            match error.code.as_str() {
                // Our own import made it, if the answer to an earlier attempt was lost.
                "ResourceInUseException" => match ours(&client, &name, &token).await? {
                    Some(arn) => Ok(arn),
                    None => Err(Error::TableExists { table: name.to_string() }),
                },
                "ImportConflictException" => {
                    Err(Error::ImportConflict { table: name.to_string(), token, from })
                }
                "LimitExceededException" => {
                    Err(Error::ImportLimit { table: name.to_string(), message: error.message })
                }
                _ => Err(error.into_error("ImportTable", place(&name))),
            }
        })?;
        Ok(Self { db: db.clone(), arn })
    }

    /// Comes back to an import that was begun before. Nothing is asked yet.
    #[must_use]
    pub fn known(db: &DynamoDb, arn: impl Into<String>) -> Self {
        Self { db: db.clone(), arn: arn.into() }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// How far it is.
    ///
    /// # Errors
    ///
    /// [`Error::ImportMissing`] if it was never, or ended more than 90 days ago; and as for every
    /// call.
    pub fn progress(&self) -> Result<ImportProgress, Error> {
        self.describe().map(|told| progress(&told))
    }

    /// Waits for its end. `look` is told how far it is, at first after every 200 ms, later every 15
    /// seconds, and called with the same again every 100 ms in between: `Break` stops the waiting,
    /// not the import, and gives `None`.
    ///
    /// A failed import is an outcome, not an error.
    ///
    /// # Errors
    ///
    /// As for [`progress`](Self::progress), if it lasts for five minutes.
    pub fn wait(
        &self,
        look: impl FnMut(&ImportProgress) -> ControlFlow<()>,
    ) -> Result<Option<ImportOutcome>, Error> {
        let describe = || self.describe().map(|told| (progress(&told), told));
        match watch(describe, look)? {
            Some((last, told)) => self.outcome(last, &told).map(Some),
            None => Ok(None),
        }
    }

    fn describe(&self) -> Result<types::ImportTableDescription, Error> {
        let (client, arn) = (self.db.client().clone(), self.arn.clone());
        self.db.aws().wait(async move {
            match client.describe_import().import_arn(&arn).send().await.map_err(CallError::of) {
                Ok(found) => found.import_table_description.ok_or_else(|| {
                    CallError::network("the answer is empty").into_error("DescribeImport", arn)
                }),
                Err(error) if error.code == "ImportNotFoundException" => {
                    Err(Error::ImportMissing { arn })
                }
                Err(error) => Err(error.into_error("DescribeImport", arn)),
            }
        })
    }

    fn outcome(
        &self,
        progress: ImportProgress,
        told: &types::ImportTableDescription,
    ) -> Result<ImportOutcome, Error> {
        let failure = told.failure_code.clone().map(|code| {
            let message = told.failure_message.clone().unwrap_or_default();
            (code, message)
        });
        let mut outcome = ImportOutcome {
            arn: self.arn.clone(),
            failure,
            item_errors: Vec::new(),
            log_unread: None,
            log: None,
            progress,
        };
        if outcome.is_complete() {
            return Ok(outcome);
        }
        // arn:aws:logs:REGION:ACCOUNT:log-group:/aws-dynamodb/imports:*
        let group = told.cloud_watch_log_group_arn.as_deref().unwrap_or_default();
        let group = group.split(":log-group:").nth(1).map(|group| group.trim_end_matches(":*"));
        let group = group.filter(|group| !group.is_empty()).unwrap_or("/aws-dynamodb/imports");
        let stream = format!("{}/error", self.arn.rsplit('/').next().unwrap_or_default());
        let (logs, group) = (Logs::new(self.db.aws()), group.to_owned());
        outcome.log = Some((group.clone(), stream.clone()));
        let read = self
            .db
            .aws()
            .wait(async move { Ok(logs.item_errors(&group, &stream, MAX_ITEM_ERRORS).await) })?;
        match read {
            Ok(errors) => outcome.item_errors = errors,
            Err(error) => {
                let why = error.into_error("GetLogEvents", "the import's log");
                outcome.log_unread = Some(why.to_string());
                // Better than nothing.
                if let Some((_, message)) = &outcome.failure {
                    let reasons = vec![message.clone()];
                    outcome.item_errors.push(ItemError { file: None, index: None, reasons });
                }
            }
        }
        Ok(outcome)
    }
}

/// Looks again and again until it has ended; `None` if `look` wants no more.
pub(crate) fn watch<T>(
    describe: impl Fn() -> Result<(ImportProgress, T), Error>,
    mut look: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<Option<(ImportProgress, T)>, Error> {
    let [mut pause, longest] = PAUSES;
    let mut last = ImportProgress::default();
    let mut failing = Duration::ZERO;
    loop {
        match describe() {
            Ok((now, told)) => {
                failing = Duration::ZERO;
                last = now;
                if !matches!(last.status, ImportStatus::InProgress | ImportStatus::Cancelling) {
                    // The last look: for a progress bar that ends full.
                    let _ = look(&last);
                    return Ok(Some((last, told)));
                }
            }
            Err(error) if error.is_retryable() && failing < PATIENCE => failing += pause,
            Err(error) => return Err(error),
        }
        let mut left = pause;
        while !left.is_zero() {
            if look(&last).is_break() {
                return Ok(None);
            }
            std::thread::sleep(left.min(SLICE));
            left = left.saturating_sub(SLICE);
        }
        pause = (pause * 3 / 2).min(longest);
    }
}

/// A few of an output's files, beside it in the bucket, for an import into a table of trial: an
/// import takes all that lies under a prefix.
#[derive(Debug)]
pub struct ImportSample {
    store: Store,
    folder: String,
    names: Vec<String>,
    source: ImportSource,
}

impl ImportSample {
    /// Copies files of the output at `stage` to `STAGE/sample-NAME/`; what lies there already is
    /// written over. The copies stay until [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// [`Error::Place`] if the stage is no bucket; what S3 said.
    pub fn copy(
        stage: impl Into<Place>,
        manifest: &Manifest,
        files: &[ImportFile],
        name: &str,
    ) -> Result<Self, Error> {
        let stage = stage.into();
        let source = ImportSource::of(stage.as_str(), manifest)?;
        let store = Store::open(&stage)?;
        let folder = format!("sample-{name}");
        let prefix = source.prefix.trim_end_matches('/').strip_suffix(DATA).unwrap_or_default();
        let source = ImportSource { prefix: format!("{prefix}{folder}/"), ..source };
        let mut sample = Self { store, folder, names: Vec::new(), source };
        for file in files {
            let last = file.key.rsplit('/').next().unwrap_or(&file.key);
            let copied = format!("{}/{last}", sample.folder);
            sample.store.copy(&file.key, &copied)?;
            sample.names.push(copied);
        }
        Ok(sample)
    }

    /// What to import.
    #[must_use]
    pub fn source(&self) -> &ImportSource {
        &self.source
    }

    /// Removes the copies.
    ///
    /// # Errors
    ///
    /// What S3 said.
    pub fn remove(self) -> Result<(), Error> {
        self.names.iter().try_for_each(|name| self.store.remove(name))
    }
}

fn request(
    client: &Client,
    source: &ImportSource,
    table: &Table,
    name: &TableName,
    extras: &TableExtras,
    token: &str,
) -> Result<ImportTableFluentBuilder, Error> {
    let incomplete = |_| Error::Options("an import's description is incomplete");
    let parts = TableParts::of(table)?;
    let bucket = types::S3BucketSource::builder()
        .s3_bucket(&source.bucket)
        .s3_key_prefix(&source.prefix)
        .set_s3_bucket_owner(source.bucket_owner.clone())
        .build()
        .map_err(incomplete)?;
    let parameters = types::TableCreationParameters::builder()
        .table_name(name.as_str())
        .set_attribute_definitions(Some(parts.attributes))
        .set_key_schema(Some(parts.key))
        .set_global_secondary_indexes(parts.indexes)
        .billing_mode(parts.billing)
        .set_provisioned_throughput(parts.provisioned)
        .set_on_demand_throughput(extras.on_demand())
        .set_sse_specification(extras.sse())
        .build()
        .map_err(incomplete)?;
    let format = match source.format {
        Format::DynamoDbJson => types::InputFormat::DynamodbJson,
        Format::Ion => types::InputFormat::Ion,
        Format::Csv(_) => types::InputFormat::Csv,
    };
    let compression = match source.compression {
        Compression::None => types::InputCompressionType::None,
        Compression::Gzip { .. } => types::InputCompressionType::Gzip,
        Compression::Zstd { .. } => types::InputCompressionType::Zstd,
    };
    // Every file has its own header: columns differ from file to file.
    let options = match &source.format {
        Format::Csv(csv) => {
            let delimiter = char::from(csv.delimiter).to_string();
            let csv = types::CsvOptions::builder().delimiter(delimiter).build();
            Some(types::InputFormatOptions::builder().csv(csv).build())
        }
        _ => None,
    };
    Ok(client
        .import_table()
        .client_token(token)
        .s3_bucket_source(bucket)
        .input_format(format)
        .set_input_format_options(options)
        .input_compression_type(compression)
        .table_creation_parameters(parameters))
}

/// The import of this token that made the table, if it is one.
async fn ours(client: &Client, table: &TableName, token: &str) -> Result<Option<String>, Error> {
    let found = client.describe_table().table_name(table.as_str()).send().await;
    let found = found.map_err(|error| {
        crate::dynamodb::table_error(CallError::of(error), "DescribeTable", table)
    })?;
    let Some(table_arn) = found.table.and_then(|table| table.table_arn) else { return Ok(None) };
    let mut pages = client.list_imports().table_arn(table_arn).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| CallError::of(error).into_error("ListImports", place(table)))?;
        let imports = page.import_summary_list.into_iter().flatten();
        arns.extend(imports.filter_map(|import| import.import_arn));
    }
    for arn in arns {
        let told = client.describe_import().import_arn(&arn).send().await;
        let told =
            told.map_err(|error| CallError::of(error).into_error("DescribeImport", &*arn))?;
        let told = told.import_table_description;
        if told.is_some_and(|told| told.client_token.as_deref() == Some(token)) {
            return Ok(Some(arn));
        }
    }
    Ok(None)
}

fn progress(told: &types::ImportTableDescription) -> ImportProgress {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    ImportProgress {
        status: told
            .import_status
            .as_ref()
            .map_or(ImportStatus::InProgress, |status| ImportStatus::of(status.as_str())),
        bytes: count(told.processed_size_bytes.unwrap_or(0)),
        items: count(told.processed_item_count),
        imported_items: count(told.imported_item_count),
        errors: count(told.error_count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_where_the_writer_wrote() {
        let manifest = r#"{"version":1,"tool":"","created":"","format":"csv","delimiter":";",
            "compression":"zstd","prefix":"data/","key":{"partition":{"name":"k","type":"S"}},
            "spec_hash":"","items":0,"bytes":0,"stored_bytes":0,"files":[]}"#;
        let manifest: Manifest = serde_json::from_str(manifest).unwrap();
        for (stage, prefix) in [
            ("s3://b", "data/"),
            ("s3://b/", "data/"),
            ("s3://b/p/q", "p/q/data/"),
            ("s3://b/p q//", "p q/data/"),
        ] {
            let source = ImportSource::of(stage, &manifest).unwrap();
            assert_eq!((source.bucket.as_str(), source.prefix.as_str()), ("b", prefix), "{stage}");
            let Format::Csv(csv) = &source.format else { panic!("{:?}", source.format) };
            assert_eq!(csv.delimiter, b';');
            assert_eq!(source.compression, Compression::zstd());
        }
        let local = ImportSource::of("out/", &manifest).unwrap_err();
        assert_eq!(local.to_string(), "cannot use out/: an import reads from s3://BUCKET/PREFIX");
    }

    #[test]
    fn unknown_words_are_kept() {
        assert_eq!(ImportStatus::of("PAUSED"), ImportStatus::Other("PAUSED".to_owned()));
        assert_eq!(ImportStatus::of("COMPLETED_WITH_ERRORS"), ImportStatus::Completed);
    }
}
