//! What no emulator has of DynamoDB: `ImportTable` of every format and compression, its item errors in a log stream, and
//! bulk puts. Behaves as Amazon's documents say, reads files with parsers that are not ours, and has Dynoxide behind it
//! for the tables, to which everything else is passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::double_http::{Listener, Request, Response, forward};
use crate::dynamodb::{Client, DynamoDb};
use crate::python;
use crate::s3::{self, S3};

/// The log group of every import.
pub const LOG_GROUP: &str = "/aws-dynamodb/imports";
/// The account that everything is in.
const ACCOUNT: &str = "123456789012";
/// Log events of one answer.
const LOG_PAGE: usize = 100;

/// DynamoDB with imports and bulk puts from an [`S3`], on loopback.
#[derive(Debug)]
pub struct Double {
    // Before the server that it passes things on to.
    listener: Listener,
    state: Arc<State>,
    dynoxide: DynamoDb,
}

/// A request that the double answered itself.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `DynamoDB_20120810.ImportTable`.
    pub target: String,
    /// Its body.
    pub body: String,
}

#[derive(Debug)]
struct State {
    dynoxide: std::net::SocketAddr,
    objects: PathBuf,
    tables: Mutex<Client>,
    jobs: Mutex<Vec<Job>>,
    recorded: Mutex<Vec<Recorded>>,
    refusals: Mutex<Vec<(&'static str, &'static str)>>,
    pause: Mutex<Duration>,
    /// How the next job ends.
    end: Mutex<Option<&'static str>>,
    most_jobs: Mutex<usize>,
    logs_missing: AtomicBool,
    /// Whatever is still working stops soon after this.
    ended: AtomicBool,
}

#[derive(Debug, Clone)]
struct Job {
    arn: String,
    bulk: bool,
    /// What was asked for.
    request: Value,
    status: &'static str,
    failure: Option<(&'static str, String)>,
    size: u64,
    processed: u64,
    imported: u64,
    errors: Vec<ItemError>,
}

#[derive(Debug, Clone)]
struct ItemError {
    key: String,
    index: usize,
    message: String,
}

/// An item of a file, or why it is none; and whether the rest of the file can still be read.
enum Parsed {
    Item(Value),
    Bad(String),
    Broken(String),
}

impl Double {
    /// Starts it before an S3.
    ///
    /// # Errors
    /// When Dynoxide is not installed or does not start.
    pub fn start(s3: &S3) -> io::Result<Self> {
        let dynoxide = DynamoDb::dynoxide()?;
        let address = dynoxide.endpoint().replace("http://", "");
        let state = Arc::new(State {
            dynoxide: address.parse().map_err(io::Error::other)?,
            objects: s3.root(),
            tables: Mutex::new(dynoxide.connect()?),
            jobs: Mutex::default(),
            recorded: Mutex::default(),
            refusals: Mutex::default(),
            pause: Mutex::default(),
            end: Mutex::default(),
            most_jobs: Mutex::new(50),
            logs_missing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let listener = Listener::start(move |request| State::answer(&shared, &request))?;
        Ok(Self { listener, state, dynoxide })
    }

    /// Where an SDK finds it, for DynamoDB and for CloudWatch Logs.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// The tables themselves.
    pub fn tables(&self) -> &DynamoDb {
        &self.dynoxide
    }

    /// How long a job takes for every file.
    pub fn set_pause(&self, pause: Duration) {
        *locked(&self.state.pause) = pause;
    }

    /// How many imports may be under way.
    pub fn set_most_jobs(&self, jobs: usize) {
        *locked(&self.state.most_jobs) = jobs;
    }

    /// As if the job's role may not write logs.
    pub fn forget_logs(&self) {
        self.state.logs_missing.store(true, Ordering::SeqCst);
    }

    /// Refuses the next call of an operation (`ImportTable`) with this code.
    pub fn refuse(&self, operation: &'static str, code: &'static str) {
        locked(&self.state.refusals).push((operation, code));
    }

    /// As if somebody cancelled all that is under way.
    pub fn cancel(&self) {
        for job in locked(&self.state.jobs).iter_mut().filter(|job| job.status == "IN_PROGRESS") {
            job.status = "CANCELLED";
        }
    }

    /// Has the next job that comes to its end be in this state then, and not say why.
    pub fn end_as(&self, status: &'static str) {
        *locked(&self.state.end) = Some(status);
    }

    /// How many jobs were ever begun.
    pub fn jobs(&self) -> usize {
        locked(&self.state.jobs).len()
    }

    /// Every request that was not simply passed on.
    pub fn recorded(&self) -> Vec<Recorded> {
        locked(&self.state.recorded).clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn answer(state: &Arc<Self>, request: &Request) -> Option<Response> {
        let target = request.headers.get("x-amz-target").unwrap_or_default().to_owned();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let ours = matches!(
            operation,
            "ImportTable"
                | "DescribeImport"
                | "ListImports"
                | "StartBulkPutItems"
                | "DescribeBulkOperation"
                | "DescribeLogStreams"
                | "GetLogEvents"
        );
        if !ours {
            return forward(request, state.dynoxide).ok();
        }
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        locked(&state.recorded).push(Recorded { target: target.clone(), body: text });
        let refused = {
            let mut refusals = locked(&state.refusals);
            let at = refusals.iter().position(|(refused, _)| *refused == operation);
            at.map(|at| refusals.remove(at).1)
        };
        let service = if target.starts_with("Logs_") { "logs" } else { "dynamodb" };
        let scope = format!("/{}/{service}/aws4_request", s3::REGION);
        let signed = request.headers.get("authorization").is_some_and(|text| text.contains(&scope));
        let answer = match (refused, operation) {
            _ if !signed => Err(("InvalidSignatureException", format!("not signed for {scope}"))),
            (Some(code), _) => Err((code, "a fault of the tests".to_owned())),
            (None, "ImportTable") => Self::begin(state, body, false),
            (None, "StartBulkPutItems") => Self::begin(state, body, true),
            (None, "DescribeImport") => {
                state.describe(&body, "ImportArn", "ImportNotFoundException")
            }
            (None, "DescribeBulkOperation") => {
                state.describe(&body, "BulkOperationArn", "ResourceNotFoundException")
            }
            (None, "ListImports") => Ok(state.list(&body)),
            (None, "DescribeLogStreams") => state.log_streams(&body),
            (None, _) => state.log_events(&body),
        };
        Some(match answer {
            Ok(answer) => Response::json(200, &answer),
            Err((code, message)) => {
                let status = if code == "InternalServerError" { 500 } else { 400 };
                let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
                Response::json(status, &json!({"__type": kind, "message": message}))
            }
        })
    }

    fn begin(
        state: &Arc<Self>,
        request: Value,
        bulk: bool,
    ) -> Result<Value, (&'static str, String)> {
        let table = match bulk {
            true => request["TableName"].as_str(),
            false => request["TableCreationParameters"]["TableName"].as_str(),
        };
        let table = table.unwrap_or_default().to_owned();
        let job = {
            let mut jobs = locked(&state.jobs);
            let token = &request["ClientToken"];
            let same =
                jobs.iter().find(|job| !token.is_null() && job.request["ClientToken"] == *token);
            if let Some(job) = same {
                return match (job.request == request, bulk) {
                    (true, _) => Ok(job.describe()),
                    (false, false) => Err((
                        "ImportConflictException",
                        "the token has other parameters".to_owned(),
                    )),
                    (false, true) => Err((
                        "IdempotentParameterMismatchException",
                        "the token has other parameters".to_owned(),
                    )),
                };
            }
            let found = locked(&state.tables)
                .call("DescribeTable", &json!({"TableName": table}).to_string());
            match (found.is_ok(), bulk) {
                (true, false) => {
                    return Err((
                        "ResourceInUseException",
                        format!("Table already exists: {table}"),
                    ));
                }
                (false, true) => {
                    return Err(("ResourceNotFoundException", format!("Table not found: {table}")));
                }
                _ => {}
            }
            let running = jobs.iter().filter(|job| job.status == "IN_PROGRESS").count();
            if running >= *locked(&state.most_jobs) {
                let message = format!("There is a limit of {running} concurrent imports");
                return Err(("LimitExceededException", message));
            }
            let number = format!("{:020}", jobs.len() + 1);
            let kind = if bulk { "bulk-operation" } else { "import" };
            let arn = format!(
                "arn:aws:dynamodb:{}:{ACCOUNT}:table/{table}/{kind}/{number}-0a1b2c3d",
                s3::REGION
            );
            let job = Job {
                arn,
                bulk,
                request,
                status: "IN_PROGRESS",
                failure: None,
                size: 0,
                processed: 0,
                imported: 0,
                errors: Vec::new(),
            };
            jobs.push(job.clone());
            job
        };
        // What is wrong with the table is told at once.
        let source = source(&job.request, bulk);
        let folder = state.objects.join(source["S3Bucket"].as_str().unwrap_or_default());
        let described = job.describe();
        if !bulk && folder.is_dir() {
            let created = locked(&state.tables)
                .call("CreateTable", &job.request["TableCreationParameters"].to_string());
            if let Err(error) = created {
                locked(&state.jobs).retain(|known| known.arn != job.arn);
                return Err(("ValidationException", error.to_string()));
            }
        }
        let shared = Arc::clone(state);
        std::thread::spawn(move || {
            let mut done = shared.work(&job, &table, &folder);
            if bulk && let Err(error) = shared.report(&job) {
                done = Err(("InternalServerError", error.to_string()));
            }
            shared.update(&job.arn, |job| {
                if job.status != "IN_PROGRESS" {
                    return;
                }
                if let Some(status) = locked(&shared.end).take() {
                    job.status = status;
                    return;
                }
                match done {
                    Err((code, message)) => {
                        job.status = "FAILED";
                        job.failure = Some((code, message));
                    }
                    Ok(()) if job.errors.is_empty() => job.status = "COMPLETED",
                    Ok(()) if job.bulk => job.status = "COMPLETED_WITH_ERRORS",
                    Ok(()) => {
                        job.status = "FAILED";
                        let message = "Some of the items failed validation checks and were not imported. \
                                       Please check CloudWatch error logs for more details.";
                        job.failure = Some(("ItemValidationError", message.to_owned()));
                    }
                }
            });
        });
        Ok(described)
    }

    /// Loads the files, in no particular order.
    fn work(&self, job: &Job, table: &str, bucket: &Path) -> Result<(), (&'static str, String)> {
        let source = source(&job.request, job.bulk);
        let prefix = source["S3KeyPrefix"].as_str().unwrap_or_default();
        let place = format!("s3://{}/{prefix}", source["S3Bucket"].as_str().unwrap_or_default());
        if !bucket.is_dir() {
            return Err((
                "S3NoSuchBucket",
                format!("The specified bucket does not exist: {place}"),
            ));
        }
        let keys = s3::keys(bucket, prefix).unwrap_or_default();
        if keys.is_empty() {
            return Err(("S3NoSuchKey", format!("No objects were found under {place}")));
        }
        // By their ends: files that follow each other by name do not do so here.
        let mut keys: Vec<String> = keys;
        keys.sort_by_key(|key| key.chars().rev().collect::<String>());
        let pause = *locked(&self.pause);
        for key in keys {
            let begun = SystemTime::now();
            let text = match plain(&bucket.join(&key), &source_compression(&job.request, job.bulk))
            {
                Ok(text) => text,
                Err(error) => {
                    let message = format!("the object cannot be decompressed: {error}");
                    self.note(job, &key, 0, message);
                    continue;
                }
            };
            self.update(&job.arn, |job| job.size += text.len() as u64);
            let items = parsed(job, &text)
                .map_err(|error| ("InternalServerError", format!("{key}: {error}")))?;
            self.load(job, table, &key, items)?;
            while begun.elapsed().unwrap_or_default() < pause {
                if self.ended.load(Ordering::SeqCst) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// The report of a bulk put: the documents show that it lies below the prefix, not what it looks like.
    fn report(&self, job: &Job) -> io::Result<()> {
        let jobs = locked(&self.jobs);
        let job = jobs.iter().find(|known| known.arn == job.arn);
        let Some(job) = job.filter(|job| !job.errors.is_empty()) else { return Ok(()) };
        let output = &job.request["OutputS3Configuration"];
        let text = |name: &str| output[name].as_str().unwrap_or_default().to_owned();
        let id = job.arn.rsplit('/').next().unwrap_or_default();
        let folder = self.objects.join(text("S3Bucket")).join(text("S3KeyPrefix")).join(id);
        std::fs::create_dir_all(&folder)?;
        let lines: Vec<String> = job.errors.iter().map(|error| job.event(error)).collect();
        std::fs::write(folder.join("errors.json"), lines.join("\n"))
    }

    fn load(
        &self,
        job: &Job,
        table: &str,
        key: &str,
        items: Vec<Parsed>,
    ) -> Result<(), (&'static str, String)> {
        let mut batch: Vec<(usize, Value)> = Vec::new();
        let mut identities = BTreeSet::new();
        for (index, parsed) in items.into_iter().enumerate() {
            let item = match parsed {
                Parsed::Item(item) => item,
                Parsed::Bad(message) => {
                    self.update(&job.arn, |job| job.processed += 1);
                    self.note(job, key, index, message);
                    continue;
                }
                Parsed::Broken(message) => {
                    self.note(job, key, index, message);
                    break;
                }
            };
            // A batch may not have a key twice; the whole item is told from others by its keys' text.
            let identity = identity(&job.request, job.bulk, &item);
            if batch.len() == 25 || identities.contains(&identity) {
                self.flush(job, table, key, &mut batch)?;
                identities.clear();
            }
            identities.insert(identity);
            batch.push((index, item));
        }
        self.flush(job, table, key, &mut batch)
    }

    fn flush(
        &self,
        job: &Job,
        table: &str,
        key: &str,
        batch: &mut Vec<(usize, Value)>,
    ) -> Result<(), (&'static str, String)> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.ended.load(Ordering::SeqCst) {
            return Err(("InternalServerError", "the double has ended".to_owned()));
        }
        let items = std::mem::take(batch);
        let puts: Vec<Value> =
            items.iter().map(|(_, item)| json!({"PutRequest": {"Item": item}})).collect();
        let mut imported = items.len() as u64;
        let mut bad = Vec::new();
        {
            let mut tables = locked(&self.tables);
            // Without a bulk put's keys we cannot tell twins apart: the server does.
            let whole =
                tables.call("BatchWriteItem", &json!({"RequestItems": {table: puts}}).to_string());
            if whole.is_err() {
                imported = 0;
                for (index, item) in &items {
                    let body = json!({"TableName": table, "Item": item}).to_string();
                    match tables.call("PutItem", &body) {
                        Ok(_) => imported += 1,
                        Err(error) => bad.push((*index, error.to_string())),
                    }
                }
            }
        }
        self.update(&job.arn, |job| {
            job.processed += items.len() as u64;
            job.imported += imported;
        });
        for (index, message) in bad {
            self.note(job, key, index, message);
        }
        Ok(())
    }

    fn note(&self, job: &Job, key: &str, index: usize, message: String) {
        let error = ItemError { key: key.to_owned(), index, message };
        self.update(&job.arn, |job| job.errors.push(error));
    }

    fn update(&self, arn: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = locked(&self.jobs).iter_mut().find(|job| job.arn == arn) {
            change(job);
        }
    }

    fn describe(
        &self,
        body: &Value,
        name: &str,
        missing: &'static str,
    ) -> Result<Value, (&'static str, String)> {
        let jobs = locked(&self.jobs);
        let job = jobs.iter().find(|job| body[name] == job.arn.as_str());
        job.map(Job::describe).ok_or_else(|| (missing, format!("{} is unknown", body[name])))
    }

    fn list(&self, body: &Value) -> Value {
        let jobs = locked(&self.jobs);
        let found = jobs.iter().filter(|job| !job.bulk).filter(|job| {
            // Dynoxide has tables in an account and a region of its own: the name decides.
            let asked = body["TableArn"].as_str().map(|arn| arn.rsplit('/').next());
            asked.is_none_or(|table| table == job.table_arn().rsplit('/').next())
        });
        let summaries: Vec<Value> = found
            .map(|job| {
                json!({
                    "ImportArn": job.arn, "ImportStatus": job.status, "TableArn": job.table_arn(),
                    "S3BucketSource": job.request["S3BucketSource"],
                    "InputFormat": job.request["InputFormat"],
                })
            })
            .collect();
        // One a page: whoever reads only the first page shall notice.
        let at: usize = body["NextToken"].as_str().and_then(|at| at.parse().ok()).unwrap_or(0);
        let page: Vec<&Value> = summaries.iter().skip(at).take(1).collect();
        let mut answer = json!({"ImportSummaryList": page});
        if at + 1 < summaries.len() {
            answer["NextToken"] = json!((at + 1).to_string());
        }
        answer
    }

    fn log_streams(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let jobs = locked(&self.jobs);
        let failed: Vec<&Job> =
            jobs.iter().filter(|job| !job.bulk && !job.errors.is_empty()).collect();
        let none = failed.is_empty() || self.logs_missing.load(Ordering::SeqCst);
        if body["logGroupName"] != LOG_GROUP || none {
            let message = "The specified log group does not exist.";
            return Err(("ResourceNotFoundException", message.to_owned()));
        }
        let prefix = body["logStreamNamePrefix"].as_str().unwrap_or_default();
        let streams: Vec<Value> = failed
            .into_iter()
            .map(Job::stream)
            .filter(|stream| stream.starts_with(prefix))
            .map(|stream| json!({"logStreamName": stream}))
            .collect();
        Ok(json!({"logStreams": streams}))
    }

    fn log_events(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let jobs = locked(&self.jobs);
        let job = jobs.iter().find(|job| body["logStreamName"] == job.stream().as_str());
        let job = job.filter(|job| !job.errors.is_empty());
        let there = body["logGroupName"] == LOG_GROUP && !self.logs_missing.load(Ordering::SeqCst);
        let Some(job) = job.filter(|_| there) else {
            let message = "The specified log stream does not exist.";
            return Err(("ResourceNotFoundException", message.to_owned()));
        };
        let token = body["nextToken"].as_str().unwrap_or("f/0");
        let from: usize = token.trim_start_matches("f/").parse().unwrap_or(0);
        let page: Vec<Value> = job
            .errors
            .iter()
            .skip(from)
            .take(LOG_PAGE)
            .map(|error| json!({"timestamp": millis(), "ingestionTime": millis(), "message": job.event(error)}))
            .collect();
        // At the end the same token comes again, and nothing else tells it.
        let next = format!("f/{}", from + page.len());
        Ok(json!({"events": page, "nextForwardToken": next, "nextBackwardToken": token}))
    }
}

impl Job {
    fn table_arn(&self) -> String {
        let kind = if self.bulk { "/bulk-operation/" } else { "/import/" };
        self.arn.split(kind).next().unwrap_or_default().to_owned()
    }

    fn stream(&self) -> String {
        format!("{}/error", self.arn.rsplit('/').next().unwrap_or_default())
    }

    fn event(&self, error: &ItemError) -> String {
        let source = source(&self.request, self.bulk);
        json!({
            "itemS3Pointer": {"bucket": source["S3Bucket"], "key": error.key, "itemIndex": error.index},
            "importArn": self.arn,
            "errorMessages": [error.message],
        })
        .to_string()
    }

    fn describe(&self) -> Value {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| {
            if !value.is_null() {
                told.insert(name.to_owned(), value);
            }
        };
        tell("ClientToken", self.request["ClientToken"].clone());
        if self.bulk {
            tell("BulkOperationArn", json!(self.arn));
            tell("BulkOperationStatus", json!(self.status));
            tell("InputS3Configuration", self.request["InputS3Configuration"].clone());
            tell("OutputS3Configuration", self.request["OutputS3Configuration"].clone());
            tell("ProcessedInputBytes", json!(self.size));
            tell("FailedItemCount", json!(self.errors.len()));
        } else {
            tell("ImportArn", json!(self.arn));
            tell("ImportStatus", json!(self.status));
            tell("TableArn", json!(self.table_arn()));
            for name in [
                "S3BucketSource",
                "InputFormat",
                "InputFormatOptions",
                "InputCompressionType",
                "TableCreationParameters",
            ] {
                tell(name, self.request[name].clone());
            }
            let group = format!("arn:aws:logs:{}:{ACCOUNT}:log-group:{LOG_GROUP}:*", s3::REGION);
            tell("CloudWatchLogGroupArn", json!(group));
            tell("ProcessedSizeBytes", json!(self.size));
            tell("ImportedItemCount", json!(self.imported));
            tell("ErrorCount", json!(self.errors.len()));
        }
        tell("ProcessedItemCount", json!(self.processed));
        if let Some((code, message)) = &self.failure {
            tell("FailureCode", json!(code));
            tell("FailureMessage", json!(message));
        }
        let name = if self.bulk { "BulkOperationDescription" } else { "ImportTableDescription" };
        json!({name: told})
    }
}

fn source(request: &Value, bulk: bool) -> &Value {
    &request[if bulk { "InputS3Configuration" } else { "S3BucketSource" }]
}

fn source_compression(request: &Value, bulk: bool) -> String {
    let holder = if bulk { &request["InputS3Configuration"] } else { request };
    holder["InputCompressionType"].as_str().unwrap_or("NONE").to_owned()
}

/// The text of an object, by the system's own programs: what is declared is done, whatever the name says.
fn plain(path: &Path, compression: &str) -> io::Result<Vec<u8>> {
    let program = match compression {
        "GZIP" => "gzip",
        "ZSTD" => "zstd",
        _ => return std::fs::read(path),
    };
    let output = Command::new(program)
        .args(["-q", "-d", "-c"])
        .stdin(std::fs::File::open(path)?)
        .output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

fn parsed(job: &Job, text: &[u8]) -> io::Result<Vec<Parsed>> {
    let format = match job.bulk {
        true => &job.request["InputS3Configuration"]["InputFormat"],
        false => &job.request["InputFormat"],
    };
    match format.as_str() {
        Some("DYNAMODB_JSON") => Ok(json_items(text)),
        Some("ION") => ion_items(text),
        Some("CSV") => Ok(csv_items(&job.request, &String::from_utf8_lossy(text))),
        other => Err(io::Error::other(format!("no such format: {other:?}"))),
    }
}

fn json_items(text: &[u8]) -> Vec<Parsed> {
    let mut items = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice::<Value>(line) {
            Ok(mut value) if value["Item"].is_object() => {
                items.push(Parsed::Item(value["Item"].take()))
            }
            Ok(_) => items.push(Parsed::Bad("the line has no Item".to_owned())),
            // What follows cannot be trusted to begin where a line does.
            Err(error) => {
                items.push(Parsed::Broken(format!("not JSON: {error}")));
                break;
            }
        }
    }
    items
}

fn ion_items(text: &[u8]) -> io::Result<Vec<Parsed>> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    let lines = python::run("ion_items.py", &[file.path()])?;
    let items = lines.lines().map(|line| {
        let mut value: Value = serde_json::from_str(line).map_err(io::Error::other)?;
        Ok(match value["error"].as_str() {
            Some(error) => Parsed::Broken(error.to_owned()),
            None => Parsed::Item(value["Item"].take()),
        })
    });
    items.collect()
}

fn csv_items(request: &Value, text: &str) -> Vec<Parsed> {
    let options = &request["InputFormatOptions"]["Csv"];
    let delimiter =
        options["Delimiter"].as_str().and_then(|text| text.chars().next()).unwrap_or(',');
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let attributes = request["TableCreationParameters"]["AttributeDefinitions"].as_array();
    for attribute in attributes.into_iter().flatten() {
        let name = attribute["AttributeName"].as_str().unwrap_or_default();
        kinds.insert(name, attribute["AttributeType"].as_str().unwrap_or_default());
    }
    let mut rows = rows(text, delimiter).into_iter();
    let header: Vec<String> = match options["HeaderList"].as_array() {
        Some(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        None => match rows.next() {
            Some(Ok(header)) => header,
            Some(Err(error)) => return vec![Parsed::Broken(error.to_owned())],
            None => return Vec::new(),
        },
    };
    let mut items = Vec::new();
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                items.push(Parsed::Broken(error.to_owned()));
                break;
            }
        };
        if row.len() != header.len() {
            items.push(Parsed::Bad("the row has not as many columns as the header".to_owned()));
            continue;
        }
        // An empty column is an attribute that the item has not.
        let attributes = header.iter().zip(row).filter(|(_, value)| !value.is_empty());
        let attributes = attributes.map(|(name, value)| {
            let kind = kinds.get(name.as_str()).copied().unwrap_or("S");
            (name.clone(), json!({kind: value}))
        });
        items.push(Parsed::Item(Value::Object(attributes.collect())));
    }
    items
}

fn rows(text: &str, delimiter: char) -> Vec<Result<Vec<String>, &'static str>> {
    let mut rows = Vec::new();
    let (mut row, mut field) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while characters.peek().is_some() {
        let quoted = characters.next_if_eq(&'"').is_some();
        loop {
            match characters.next() {
                Some('"') if quoted => match characters.next_if_eq(&'"') {
                    Some(quote) => field.push(quote),
                    None => break,
                },
                Some('"') => {
                    rows.push(Err("a quote inside of an unquoted field"));
                    return rows;
                }
                Some(character) if quoted => field.push(character),
                None if quoted => {
                    rows.push(Err("a quoted field without an end"));
                    return rows;
                }
                Some(character) if character == delimiter || character == '\n' => {
                    row.push(std::mem::take(&mut field));
                    if character == '\n' {
                        rows.push(Ok(std::mem::take(&mut row)));
                    }
                    break;
                }
                Some('\r') if characters.peek() == Some(&'\n') => {}
                Some(character) => field.push(character),
                None => {
                    row.push(std::mem::take(&mut field));
                    rows.push(Ok(std::mem::take(&mut row)));
                    break;
                }
            }
        }
        if quoted {
            row.push(std::mem::take(&mut field));
            characters.next_if_eq(&'\r');
            match characters.next() {
                Some('\n') | None => rows.push(Ok(std::mem::take(&mut row))),
                Some(character) if character == delimiter => {}
                Some(_) => {
                    rows.push(Err("text after a closing quote"));
                    return rows;
                }
            }
        }
    }
    rows
}

/// The item's key, where the request tells what it is; else all of it.
fn identity(request: &Value, bulk: bool, item: &Value) -> String {
    let schema = request["TableCreationParameters"]["KeySchema"].as_array();
    match schema.filter(|_| !bulk) {
        Some(schema) => schema
            .iter()
            .map(|key| item[key["AttributeName"].as_str().unwrap_or_default()].to_string())
            .collect(),
        None => item.to_string(),
    }
}

fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_rows_are_read_as_the_import_reads_them() {
        let good = |text: &str| -> Vec<Vec<String>> {
            rows(text, ',').into_iter().map(|row| row.unwrap()).collect()
        };
        assert_eq!(good("a,b\n1,\n"), [["a", "b"], ["1", ""]]);
        assert_eq!(good("a,\"b \"\"c\"\"\nd\"\r\n,\"\"\n"), [["a", "b \"c\"\nd"], ["", ""]]);
        assert_eq!(good("a,b"), [["a", "b"]]);
        assert!(rows("a\"b,c\n", ',')[0].is_err());
        assert!(rows("\"a\nb\n", ',')[0].is_err());
        assert!(rows("\"a\"b\n", ',')[0].is_err());
    }
}
