use std::{path::PathBuf, time::Duration};

use keystar_item::Table;

use crate::{Error, TableName};

/// How items are written to a table.
///
/// ```
/// use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{LiveOptions, Put};
///
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name("users");
/// let options = LiveOptions::new(table, "work")?.with_put(Put::IfAbsent).with_units(Some(4000));
/// assert_eq!(options.name.as_str(), "users");
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveOptions {
    /// The table that the items must fit.
    pub table: Table,
    /// Its name.
    pub name: TableName,
    /// A folder for this writer alone: who every item is (24 bytes each), and the items, packed.
    pub work: PathBuf,
    /// What happens to an item that the table has already.
    pub put: Put,
    /// Write units a second to stay below, if there is such a limit: 1 KB of an item, and of each
    /// index that it is in.
    pub units_per_second: Option<u64>,
    /// Requests that are under way at once at most; there are fewer while the table throttles.
    pub max_in_flight: usize,
    /// Text that a request has at most, up to 16 MB; a request has no more than 25 items.
    pub max_request_bytes: usize,
    /// How long an answer may take before the request is sent again.
    pub timeout: Duration,
    /// How long a request that gets nowhere is sent again.
    pub patience: Duration,
    /// Whether a record may be written more than once, as a scan reads a key more than once: its
    /// later item then takes the place of its earlier one of the same key.
    pub repeats: bool,
    /// Items whose key may be taken. More of them means that the mapping is wrong, and is an
    /// error: it bounds memory, at about 250 bytes for each.
    pub max_duplicates: usize,
}

/// What happens to an item that the table has already.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Put {
    /// It is replaced. 25 items go at once.
    #[default]
    Always,
    /// It stays, and is counted. Each item is a request of its own. Where records are written
    /// more than once, the first reading stays, and a later one that differs is counted twice.
    IfAbsent,
    /// It is replaced if the new one's attribute is greater, or if it has no such attribute. An
    /// item without the attribute replaces none. Each item is a request of its own: in a
    /// transaction a write costs twice as much, and one item that is not newer fails all.
    IfNewer {
        /// The attribute that grows with each version: a number, or a text that sorts.
        attribute: String,
    },
}

impl LiveOptions {
    /// 32 requests of up to 1 MiB at once, 30 seconds for an answer, 5 minutes of trying.
    ///
    /// # Errors
    ///
    /// If the table has no name, or none that DynamoDB would take.
    pub fn new(table: Table, work: impl Into<PathBuf>) -> Result<Self, Error> {
        let name = table.name.as_deref().ok_or(Error::Options("the table needs a name"))?;
        Ok(Self {
            name: name.parse()?,
            table,
            work: work.into(),
            put: Put::default(),
            units_per_second: None,
            max_in_flight: 32,
            // A partition takes no more in a second; larger ones only fail more.
            max_request_bytes: 1 << 20,
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(300),
            repeats: false,
            max_duplicates: 100_000,
        })
    }

    /// Sets what happens to an item that the table has already.
    #[must_use]
    pub fn with_put(mut self, put: Put) -> Self {
        self.put = put;
        self
    }

    /// Sets the write units a second to stay below.
    #[must_use]
    pub fn with_units(mut self, per_second: Option<u64>) -> Self {
        self.units_per_second = per_second;
        self
    }

    /// Sets how many requests are under way at once at most.
    #[must_use]
    pub fn with_max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests;
        self
    }

    /// Sets how much text a request has at most.
    #[must_use]
    pub fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// Sets how long an answer may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a request that gets nowhere is sent again.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets whether a record may be written more than once.
    #[must_use]
    pub fn with_repeats(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    /// Sets how many items' keys may be taken.
    #[must_use]
    pub fn with_max_duplicates(mut self, items: usize) -> Self {
        self.max_duplicates = items;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=1024).contains(&self.max_in_flight) {
            return Err(Error::Options("requests in flight are 1 to 1024"));
        }
        if !(1..=16_000_000).contains(&self.max_request_bytes) {
            return Err(Error::Options("a request has 1 to 16000000 bytes"));
        }
        if self.units_per_second == Some(0) {
            return Err(Error::Options("at least one write unit a second"));
        }
        Ok(())
    }

    /// Digest of everything that shapes what is in the table in the end.
    pub(crate) fn shape(&self) -> u64 {
        let words =
            format!("live {} {:?} {:?} {}", self.name, self.table.key, self.put, self.repeats);
        xxhash_rust::xxh3::xxh3_64(words.as_bytes())
    }
}
