use std::io;

/// Why items could not be written or read back.
///
/// Texts name places (paths, URLs, line numbers), never the contents of items.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The place is not one that this build can use.
    #[error("cannot use {place}: {reason}")]
    Place {
        /// The path or URL as it was given.
        place: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The options contradict each other or a limit.
    #[error("invalid option: {0}")]
    Options(&'static str),
    /// The target holds files already: resume the run that wrote them, or clear it first.
    #[error("{place} is not empty")]
    Occupied {
        /// The target.
        place: String,
    },
    /// The run cannot go on from this mark.
    #[error("cannot resume at {place}: {reason}")]
    Resume {
        /// The target or the work directory.
        place: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The device is full. What was committed is safe; make room and resume.
    #[error("no space left to write {place}")]
    NoSpace {
        /// The file.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let us.
    #[error("no permission to {action} {place}")]
    Permission {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing is there.
    #[error("{place} does not exist")]
    Missing {
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Any other failure of a file or of an object store.
    #[error("cannot {action} {place}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The sink failed before; drop it and resume from the last mark.
    #[error("an earlier write failed")]
    Poisoned,
    /// More items than the limit have the key of another item: the mapping is wrong.
    #[error("more than {limit} items have a key that another item has")]
    TooManyDuplicates {
        /// [`ImportOptions::max_duplicates`](crate::ImportOptions::max_duplicates).
        limit: usize,
    },
    /// The items of one CSV file have more attribute names than a header should.
    #[error("more than {limit} CSV columns")]
    TooManyColumns {
        /// [`CsvOptions::max_columns`](crate::CsvOptions::max_columns).
        limit: usize,
    },
    /// A line of a file is not an item.
    #[error("{file}, line {line}: not an item")]
    Item {
        /// The file, relative to the folder.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        source: keystar_item::Error,
    },
    /// A row of a CSV file is not an item.
    #[error("{file}, line {line}: {reason}")]
    Row {
        /// The file, relative to the folder.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file is not what it should be.
    #[error("{file}: {reason}")]
    Damaged {
        /// The file, relative to the folder.
        file: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file's stored bytes are not those that its manifest was made for.
    #[error("{file}: its {algorithm} is {found}, not {expected} as expected")]
    Checksum {
        /// The file.
        file: String,
        /// `MD5` or `SHA-256`.
        algorithm: &'static str,
        /// What the manifest says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// There are more or fewer records than there should be.
    #[error("{file}: {found} records, not {expected} as expected")]
    Count {
        /// The file.
        file: String,
        /// What the manifest, or the result of a scan, says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// A compressed file is damaged or cut off.
    #[error("{file}: cannot decompress it at or before byte {offset}")]
    Compressed {
        /// The file.
        file: String,
        /// How many of its stored bytes were read.
        offset: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// A record of over 16 MiB of text, where no item has more than 400 KB.
    #[error("{file}, line {line}: longer than 16 MiB")]
    LongLine {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
    },
    /// The result of a scan cannot be understood.
    #[error("{file}, byte {offset}: {reason}")]
    Document {
        /// The file.
        file: String,
        /// Where in its text.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A line of an export is not a record; its source says why.
    #[error("{file}, line {line}: not a record of an export")]
    Line {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A line of `manifest-files.json` does not name a file.
    #[error("{file}, line {line}: not a file's entry")]
    Entry {
        /// The manifest.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A text is not a record of an export.
    #[error("{reason} at byte {offset}")]
    Record {
        /// Where in the text.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Attributes are none that DynamoDB has.
    #[error(transparent)]
    Attributes(#[from] keystar_item::Error),
    /// There are several exports where one is to be opened.
    #[error("{place} holds several exports; name one of them: {}", .exports.join("; "))]
    SeveralExports {
        /// What was to be opened.
        place: String,
        /// The exports, one line for each.
        exports: Vec<String>,
    },
    /// Exports do not follow upon each other.
    #[error(transparent)]
    Windows(#[from] crate::WindowError),
    /// No region was given, and none is set.
    #[error("no AWS region is set")]
    NoRegion,
    /// Nothing in the environment, in `~/.aws` or of this machine says who we are.
    #[error("no AWS credentials were found")]
    NoCredentials {
        /// What the SDK said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The credentials are wrong, or no longer good.
    #[error("AWS does not accept the credentials: {code}")]
    BadCredentials {
        /// The service's name for it.
        code: String,
        /// The service's words.
        message: String,
    },
    /// The credentials are good, but not for this.
    #[error("not allowed to call {action} on {place}")]
    Denied {
        /// The API's name for what was tried: `BatchWriteItem`.
        action: String,
        /// What it was to be done to.
        place: String,
        /// The service's words: which policy is missing.
        message: String,
    },
    /// Nobody answered for as long as we tried, or not to the end.
    #[error("no answer to {action} on {place}")]
    Unreachable {
        /// The API's name for what was tried.
        action: String,
        /// What it was to be done to.
        place: String,
        /// What the network said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Too much was asked for, for as long as we tried.
    #[error("{place} is throttled: {code} for {action}")]
    Throttled {
        /// The API's name for what was tried.
        action: String,
        /// What it was to be done to.
        place: String,
        /// The service's name for it.
        code: String,
    },
    /// A service refused for another reason, or has a problem of its own.
    #[error("{action} on {place} failed: {code}: {message}")]
    Service {
        /// The API's name for what was tried.
        action: String,
        /// What it was to be done to.
        place: String,
        /// The service's name for it.
        code: String,
        /// The service's words.
        message: String,
        /// Whether it is the service's fault.
        retryable: bool,
    },
    /// There is no such table.
    #[error("table {table} does not exist")]
    TableMissing {
        /// The table.
        table: String,
    },
    /// There is such a table.
    #[error("table {table} exists already")]
    TableExists {
        /// The table.
        table: String,
    },
    /// The table has another key.
    #[error("the key of table {table} is {found}, not {expected}")]
    TableKey {
        /// The table.
        table: String,
        /// The key that it has: `pk (S), sk (N)`.
        found: String,
        /// The key that the items have.
        expected: String,
    },
    /// The table cannot be used now.
    #[error("table {table} is {status}")]
    TableStatus {
        /// The table.
        table: String,
        /// The service's name for it: `CREATING`, `DELETING`, …
        status: String,
    },
    /// The table does not take an item.
    #[error("table {table} refuses the item with {key}: {reason}")]
    ItemRefused {
        /// The table.
        table: String,
        /// The item's key, escaped and cut.
        key: String,
        /// The service's words.
        reason: String,
    },
    /// The token of this import was that of another one, within the last eight hours.
    #[error("another import than that of {from} into table {table} has the token {token}")]
    ImportConflict {
        /// The table.
        table: String,
        /// The token.
        token: String,
        /// Where the files are.
        from: String,
    },
    /// The account has as many imports under way as it may.
    #[error("cannot import into table {table} now: {message}")]
    ImportLimit {
        /// The table.
        table: String,
        /// The service's words.
        message: String,
    },
    /// DynamoDB does not have bulk puts here.
    #[error("DynamoDB has no bulk puts in this region")]
    NoBulkPuts,
    /// There is no such import.
    #[error("the import {arn} is unknown")]
    ImportMissing {
        /// Its ARN.
        arn: String,
    },
    /// A manifest, a mark or a journal cannot be read.
    #[error("cannot understand {place}")]
    Json {
        /// The file.
        place: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether the same call, made again on a fresh sink or reader, may succeed with nothing
    /// changed in between.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::WouldBlock
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::ResourceBusy
                    | io::ErrorKind::NetworkDown
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::HostUnreachable
            ),
            Self::Unreachable { .. } | Self::Throttled { .. } => true,
            Self::Service { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// What the user can do about it, where that is not plain.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoRegion => "give a region: the option, AWS_REGION, or that of the profile",
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, \
                 log in with `aws sso login`, or run where a role gives credentials"
            }
            Self::BadCredentials { .. } => {
                "get fresh credentials, and look whether this machine's clock is right; what was \
                 committed is safe, so the run can be resumed"
            }
            Self::Denied { .. } => "let the role do this action on this resource (IAM policy)",
            Self::Unreachable { .. } => {
                "look at the endpoint, the region and the network; then resume"
            }
            Self::Throttled { .. } => {
                "give the table more write capacity or warm throughput, or limit the run's write \
                 units a second; then resume"
            }
            Self::TableMissing { .. } => "look at the name and the region, or have it created",
            Self::TableExists { .. } => {
                "load into it by live writes, or name a table that does not exist"
            }
            Self::TableKey { .. } => {
                "change the mapping's [table] to the key that the table has, or name another table"
            }
            Self::TableStatus { .. } => "wait until the table is ACTIVE",
            Self::ItemRefused { .. } => {
                "an index of the table may want another type of an attribute: change the mapping"
            }
            Self::ImportConflict { .. } => {
                "the run changed its table or its files since it began the import: start it over \
                 under a new id"
            }
            Self::ImportLimit { .. } => {
                "50 imports may be under way in a region: wait for one to end, then resume"
            }
            Self::NoBulkPuts => "load the table by live writes",
            Self::ImportMissing { .. } => {
                "look at the region and the account; imports are remembered for 90 days"
            }
            _ => return None,
        })
    }

    /// Sorts a failure of the system by what the user can do about it.
    pub(crate) fn io(action: &'static str, place: impl Into<String>, source: io::Error) -> Self {
        let place = place.into();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace { place, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { action, place, source }
            }
            io::ErrorKind::NotFound => Self::Missing { place, source },
            _ => Self::Io { action, place, source },
        }
    }
}

#[cfg(feature = "s3")]
impl From<keystar_bucket::Error> for Error {
    fn from(error: keystar_bucket::Error) -> Self {
        match error {
            keystar_bucket::Error::Place { place, reason } => Self::Place { place, reason },
            keystar_bucket::Error::Io { action, place, source } => Self::io(action, place, source),
            other => Self::io("use", "the bucket", io::Error::other(other)),
        }
    }
}

/// `result.or_io("write", place)?`
pub(crate) trait OrIo<T> {
    fn or_io(self, action: &'static str, place: impl Into<String>) -> Result<T, Error>;
}

impl<T> OrIo<T> for io::Result<T> {
    fn or_io(self, action: &'static str, place: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::io(action, place, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_sorted_by_what_to_do() {
        let of = |kind: io::ErrorKind| Error::io("write", "out/x", kind.into());
        assert_eq!(of(io::ErrorKind::StorageFull).to_string(), "no space left to write out/x");
        assert_eq!(of(io::ErrorKind::PermissionDenied).to_string(), "no permission to write out/x");
        assert!(of(io::ErrorKind::TimedOut).is_retryable());
        assert!(!of(io::ErrorKind::StorageFull).is_retryable());
    }
}
