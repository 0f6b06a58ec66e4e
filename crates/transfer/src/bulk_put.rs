//! Has DynamoDB put the items of files in S3 into a table that exists: `StartBulkPutItems`.
//!
//! The SDK does not have these calls yet, so they go over the wire as text.

use std::ops::ControlFlow;

use keystar_bucket::split;
use serde_json::{Value, json};

use crate::{
    Compression, DynamoDb, Error, Format, ImportProgress, ImportSource, ImportStatus, ItemError,
    Place, TableName, bulk_report,
    call::CallError,
    dynamodb::place,
    import_table::{MAX_ITEM_ERRORS, watch},
    store::Store,
};

/// A bulk put that was begun. It goes on whether anybody waits for it or not; whoever knows its ARN
/// can come back to it.
///
/// It writes over items of the same key. Regions may not have it yet: [`Error::NoBulkPuts`].
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use keystar_transfer::{Aws, AwsOptions, BulkPut, Compression, Format, ImportSource};
///
/// let db = Aws::connect(&AwsOptions::default())?.dynamodb();
/// let files =
///     ImportSource::new("s3://my-bucket/users/data/", Format::Ion, Compression::zstd())?;
/// let report = "s3://my-bucket/users/report/";
/// let job = BulkPut::start(&db, &files, &"users".parse()?, report, None, "run-2026-01-31")?;
/// let outcome = job.wait(|_| ControlFlow::Continue(()))?;
/// assert!(outcome.is_some_and(|outcome| outcome.is_complete()));
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BulkPut {
    db: DynamoDb,
    arn: String,
}

/// How a bulk put ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BulkPutOutcome {
    /// Its last counts.
    pub progress: ImportProgress,
    /// Its ARN.
    pub arn: String,
    /// Why it failed, if it did: the service's name for it, and its words.
    pub failure: Option<(String, String)>,
    /// Where the report is of what was refused.
    pub report: Option<String>,
}

impl BulkPutOutcome {
    /// Whether every item is in the table.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.progress.status == ImportStatus::Completed && self.progress.errors == 0
    }

    /// What was refused, and why: the first ten thousand that the report names. A file of the report
    /// in which nothing of that kind is found is named, to look into. `as_whom` is any place that
    /// says how the bucket is reached.
    ///
    /// # Errors
    ///
    /// What S3 said.
    pub fn item_errors(&self, as_whom: &Place) -> Result<Vec<ItemError>, Error> {
        let Some(report) = &self.report else { return Ok(Vec::new()) };
        let store = Store::open(as_whom.at(report.trim_end_matches('/')))?;
        let mut files = store.list("")?;
        // Where the files of several bulk puts lie together, those of this one have its name.
        let id = self.arn.rsplit('/').next().unwrap_or_default();
        if files.iter().any(|(name, _)| name.contains(id)) {
            files.retain(|(name, _)| name.contains(id));
        }
        let mut found = Vec::new();
        for (name, _) in files {
            let errors = bulk_report::item_errors(&store, &name, MAX_ITEM_ERRORS - found.len())?;
            if errors.is_empty() {
                let reasons = vec![format!("see {}", store.place(&name))];
                found.push(ItemError { file: None, index: None, reasons });
            }
            found.extend(errors);
            if found.len() >= MAX_ITEM_ERRORS {
                break;
            }
        }
        Ok(found)
    }
}

impl BulkPut {
    /// Begins to put the items of the files into a table. What is refused is reported to the URL
    /// `report`, `s3://BUCKET/PREFIX`. It writes at most so many units a second, 1024 or more, if
    /// that is given. The same token, within eight hours and with the same parameters, gives the
    /// same bulk put again.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`]; [`Error::NoBulkPuts`]; [`Error::ImportConflict`] if the token was
    /// used with other parameters; [`Error::ImportLimit`] if too many are under way or the table is
    /// busy; [`Error::Options`] for CSV; and as for every call.
    pub fn start(
        db: &DynamoDb,
        source: &ImportSource,
        table: &TableName,
        report: &str,
        max_write_units: Option<u64>,
        token: &str,
    ) -> Result<Self, Error> {
        let body = request(source, table, report, max_write_units, token)?;
        let told = call(db, "StartBulkPutItems", body).map_err(|error| {
            let name = table.to_string();
            match error.code.as_str() {
                "ResourceNotFoundException" => Error::TableMissing { table: name },
                "IdempotentParameterMismatchException" => Error::ImportConflict {
                    table: name,
                    token: token.to_owned(),
                    from: source.url(),
                },
                "LimitExceededException" | "ResourceInUseException" => {
                    Error::ImportLimit { table: name, message: error.message }
                }
                "UnknownOperationException" => Error::NoBulkPuts,
                _ => error.into_error("StartBulkPutItems", place(table)),
            }
        })?;
        let arn = told["BulkOperationArn"].as_str().map(str::to_owned).ok_or_else(|| {
            CallError::network("the answer has no ARN")
                .into_error("StartBulkPutItems", place(table))
        })?;
        Ok(Self { db: db.clone(), arn })
    }

    /// Comes back to a bulk put that was begun before. Nothing is asked yet.
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
    /// [`Error::ImportMissing`] if it is unknown; and as for every call.
    pub fn progress(&self) -> Result<ImportProgress, Error> {
        self.describe().map(|(progress, _)| progress)
    }

    /// Waits for its end, as [`ImportJob::wait`](crate::ImportJob::wait) does.
    ///
    /// # Errors
    ///
    /// As for [`progress`](Self::progress), if it lasts for five minutes.
    pub fn wait(
        &self,
        look: impl FnMut(&ImportProgress) -> ControlFlow<()>,
    ) -> Result<Option<BulkPutOutcome>, Error> {
        let ended = watch(|| self.describe(), look)?;
        Ok(ended.map(|(progress, told)| {
            let text = |name: &str| told[name].as_str().map(str::to_owned);
            let report = &told["OutputS3Configuration"];
            let report = report["S3Bucket"].as_str().map(|bucket| {
                format!("s3://{bucket}/{}", report["S3KeyPrefix"].as_str().unwrap_or_default())
            });
            let failure =
                text("FailureCode").map(|code| (code, text("FailureMessage").unwrap_or_default()));
            BulkPutOutcome { progress, arn: self.arn.clone(), failure, report }
        }))
    }

    fn describe(&self) -> Result<(ImportProgress, Value), Error> {
        let body = json!({"BulkOperationArn": self.arn});
        let told = call(&self.db, "DescribeBulkOperation", body).map_err(|error| {
            match error.code.as_str() {
                "ResourceNotFoundException" => Error::ImportMissing { arn: self.arn.clone() },
                _ => error.into_error("DescribeBulkOperation", &*self.arn),
            }
        })?;
        let count = |name: &str| told[name].as_u64().unwrap_or(0);
        let (items, errors) = (count("ProcessedItemCount"), count("FailedItemCount"));
        let status = told["BulkOperationStatus"].as_str().unwrap_or("IN_PROGRESS");
        let progress = ImportProgress {
            status: ImportStatus::of(status),
            bytes: count("ProcessedInputBytes"),
            items,
            imported_items: items.saturating_sub(errors),
            errors,
        };
        Ok((progress, told))
    }
}

fn request(
    source: &ImportSource,
    table: &TableName,
    report: &str,
    max_write_units: Option<u64>,
    token: &str,
) -> Result<Value, Error> {
    let format = match source.format {
        Format::DynamoDbJson => "DYNAMODB_JSON",
        Format::Ion => "ION",
        Format::Csv(_) => return Err(Error::Options("bulk puts take dynamodb-json and ion")),
    };
    let compression = match source.compression {
        Compression::None => "NONE",
        Compression::Gzip { .. } => "GZIP",
        Compression::Zstd { .. } => "ZSTD",
    };
    if max_write_units.is_some_and(|units| units < 1024) {
        return Err(Error::Options("a bulk put writes at least 1024 units a second"));
    }
    if token.is_empty() || token.contains('$') {
        return Err(Error::Options("a bulk put's token is not empty and has no dollar sign"));
    }
    let (bucket, prefix) = split(report).ok_or_else(|| Error::Place {
        place: report.to_owned(),
        reason: "a report goes to s3://BUCKET/PREFIX",
    })?;
    let mut input = json!({
        "S3Bucket": source.bucket,
        "S3KeyPrefix": source.prefix,
        "InputFormat": format,
        "InputCompressionType": compression,
    });
    if let (Some(owner), Some(input)) = (&source.bucket_owner, input.as_object_mut()) {
        input.insert("S3BucketOwner".to_owned(), json!(owner));
    }
    let mut body = json!({
        "ClientToken": token,
        "TableName": table.as_str(),
        "InputS3Configuration": input,
        "OutputS3Configuration": {
            "S3Bucket": bucket,
            "S3KeyPrefix": prefix,
            "OutputType": ["ERROR"],
        },
    });
    if let (Some(units), Some(body)) = (max_write_units, body.as_object_mut()) {
        body.insert("MaxWriteRequestUnits".to_owned(), json!(units));
    }
    Ok(body)
}

/// Calls it, and unwraps what is described.
fn call(db: &DynamoDb, operation: &'static str, body: Value) -> Result<Value, CallError> {
    let wire = db.wire().clone();
    let called = db.aws().wait(async move { Ok(wire.insist(operation, &body).await) });
    // What is lost with the runtime was never answered.
    let mut told = called.map_err(CallError::network)??;
    Ok(told["BulkOperationDescription"].take())
}
