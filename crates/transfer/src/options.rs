use std::{fmt, str::FromStr};

use keystar_item::Table;

use crate::Error;

/// How import files are written.
///
/// ```
/// use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{Compression, Format, ImportOptions};
///
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S)));
/// let options = ImportOptions::new(table)
///     .with_format(Format::Ion)
///     .with_compression("zstd".parse()?)
///     .with_created("2026-01-31T12:00:00Z");
/// assert_eq!(options.compression, Compression::zstd());
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportOptions {
    /// The table that the items must fit.
    pub table: Table,
    /// The text form of the items.
    pub format: Format,
    /// How files are compressed.
    pub compression: Compression,
    /// Files that are open at once, 1 to 64; items are spread over them by key. Each one that
    /// is open costs a thread and about 1.5 MB.
    pub lanes: usize,
    /// Text, before compression, after which the open files are completed. A file exceeds it by
    /// at most the batch that was being written.
    pub max_file_bytes: u64,
    /// Items after which the open files are completed; exceeded by at most a batch.
    pub max_file_items: u64,
    /// Items whose key may be taken. More of them means that the mapping is wrong, and is an
    /// error: it bounds memory, at about 250 bytes for each.
    pub max_duplicates: usize,
    /// Whether a record may be written more than once, as a scan reads a key more than once: its
    /// later item then takes the place of its earlier one of the same key.
    pub repeats: bool,
    /// When the run began, for the manifest; any text, RFC 3339 by custom.
    pub created: String,
    /// What the items were made by, for the manifest: the mapping's digest.
    pub spec_hash: String,
}

impl ImportOptions {
    /// DynamoDB JSON, gzip, 8 lanes, files of up to 256 MiB or 4 million items.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self {
            table,
            format: Format::default(),
            compression: Compression::default(),
            lanes: 8,
            max_file_bytes: 256 << 20,
            max_file_items: 4_000_000,
            max_duplicates: 100_000,
            repeats: false,
            created: String::new(),
            spec_hash: String::new(),
        }
    }

    /// Sets the text form.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Sets how many files are open at once.
    #[must_use]
    pub fn with_lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// Sets how many bytes of text and how many items a file has at most.
    #[must_use]
    pub fn with_max_file(mut self, bytes: u64, items: u64) -> Self {
        self.max_file_bytes = bytes;
        self.max_file_items = items;
        self
    }

    /// Sets how many items' keys may be taken.
    #[must_use]
    pub fn with_max_duplicates(mut self, items: usize) -> Self {
        self.max_duplicates = items;
        self
    }

    /// Sets whether a record may be written more than once.
    #[must_use]
    pub fn with_repeats(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    /// Sets when the run began.
    #[must_use]
    pub fn with_created(mut self, created: impl Into<String>) -> Self {
        self.created = created.into();
        self
    }

    /// Sets the digest of what the items were made by.
    #[must_use]
    pub fn with_spec_hash(mut self, spec_hash: impl Into<String>) -> Self {
        self.spec_hash = spec_hash.into();
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=64).contains(&self.lanes) {
            return Err(Error::Options("lanes are 1 to 64"));
        }
        if self.max_file_bytes == 0 || !(1..=u64::from(u32::MAX) / 2).contains(&self.max_file_items)
        {
            return Err(Error::Options("a file has at least 1 byte and 1 to 2147483647 items"));
        }
        match self.compression {
            Compression::Gzip { level } if level > 9 => {
                return Err(Error::Options("gzip levels are 0 to 9"));
            }
            Compression::Zstd { level } if !(-7..=22).contains(&level) => {
                return Err(Error::Options("zstd levels are -7 to 22"));
            }
            _ => {}
        }
        if let Format::Csv(csv) = &self.format {
            csv.check(&self.table)?;
        }
        Ok(())
    }

    /// Digest of everything that shapes the files, so that a resumed run is the same run.
    pub(crate) fn shape(&self) -> u64 {
        let mut words = format!(
            "{:?} {:?} {} {} {} {:?} {}",
            self.format,
            self.compression,
            self.lanes,
            self.max_file_bytes,
            self.max_file_items,
            self.table.key,
            self.spec_hash,
        );
        if self.repeats {
            words.push_str(" repeats");
        }
        xxhash_rust::xxh3::xxh3_64(words.as_bytes())
    }
}

/// The text form of items in files, as `ImportTable` knows them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// `{"Item":{…}}` lines. Carries everything.
    #[default]
    DynamoDbJson,
    /// `$ion_1_0 {Item:{…}}` lines. Carries everything.
    Ion,
    /// One row per item; each file has its header (the import wants no list of headers then).
    /// An empty column means that the item has no such attribute. Carries the table's keys with
    /// their types, and text; everything else becomes text and is counted as an
    /// [`EncodeLoss`](crate::EncodeLoss).
    Csv(CsvOptions),
}

impl Format {
    /// The name as users write it: `dynamodb-json`, `ion` or `csv`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::DynamoDbJson => "dynamodb-json",
            Self::Ion => "ion",
            Self::Csv(_) => "csv",
        }
    }

    /// How names of files end.
    pub(crate) fn extension(&self) -> &'static str {
        match self {
            Self::DynamoDbJson => ".json",
            Self::Ion => ".ion",
            Self::Csv(_) => ".csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "dynamodb-json" => Ok(Self::DynamoDbJson),
            "ion" => Ok(Self::Ion),
            "csv" => Ok(Self::Csv(CsvOptions::default())),
            _ => Err(Error::Options("formats are dynamodb-json, ion and csv")),
        }
    }
}

/// How CSV is written and read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CsvOptions {
    /// The columns besides the table's key. `None`: each file has the columns that its items
    /// need, in the order in which they appear; its rows then wait in the work directory until the
    /// file is completed.
    pub columns: Option<Vec<String>>,
    /// Columns that a file may have if they are not given. More is an error.
    pub max_columns: usize,
    /// Between columns: one of `,` `;` `:` `|` tab and space.
    pub delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { columns: None, max_columns: 4096, delimiter: b',' }
    }
}

impl CsvOptions {
    /// Sets the columns besides the table's key.
    #[must_use]
    pub fn with_columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the delimiter.
    #[must_use]
    pub fn with_delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Sets how many columns a file may have if they are not given.
    #[must_use]
    pub fn with_max_columns(mut self, max_columns: usize) -> Self {
        self.max_columns = max_columns;
        self
    }

    /// The columns that every file begins with: the key's, then those asked for.
    pub(crate) fn fixed_columns(&self, table: &Table) -> Vec<String> {
        let mut columns: Vec<String> =
            table.key.attributes().map(|attribute| attribute.name.clone()).collect();
        for column in self.columns.iter().flatten() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        columns
    }

    fn check(&self, table: &Table) -> Result<(), Error> {
        if !b",;:|\t ".contains(&self.delimiter) {
            return Err(Error::Options("csv delimiters are , ; : | tab and space"));
        }
        if self.columns.iter().flatten().any(String::is_empty) {
            return Err(Error::Options("a csv column has a name"));
        }
        if self.max_columns < self.fixed_columns(table).len() {
            return Err(Error::Options("more csv columns are given than max_columns allows"));
        }
        Ok(())
    }
}

/// How files are compressed: one gzip member or one zstd frame a file, so that any reader copes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip {
        /// 0 (store) to 9 (smallest).
        level: u32,
    },
    /// zstd, with checksum.
    Zstd {
        /// -7 (fastest) to 22 (smallest).
        level: i32,
    },
}

impl Compression {
    /// gzip at the level that keeps up with the rest of a migration.
    #[must_use]
    pub const fn gzip() -> Self {
        // A quarter smaller than level 1 for about 200 ns an item; level 1 of this compressor packs
        // worse than level 1 of gzip itself, level 2 better.
        Self::Gzip { level: 2 }
    }

    /// zstd at the level that keeps up with the rest of a migration.
    #[must_use]
    pub const fn zstd() -> Self {
        Self::Zstd { level: 1 }
    }

    /// The name as users write it: `none`, `gzip` or `zstd`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip { .. } => "gzip",
            Self::Zstd { .. } => "zstd",
        }
    }

    /// How names of files end.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip { .. } => ".gz",
            Self::Zstd { .. } => ".zst",
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::gzip()
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::gzip()),
            "zstd" => Ok(Self::zstd()),
            _ => Err(Error::Options("compressions are none, gzip and zstd")),
        }
    }
}
