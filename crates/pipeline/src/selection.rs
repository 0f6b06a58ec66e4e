use keystar_extract::RdbOptions;
use keystar_rdb::{Db, Filter, Kind, ParseKindError};
use serde::{Deserialize, Serialize};

/// Which keys of a source a job is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Selection {
    /// Only these databases; all when empty.
    pub dbs: Vec<u32>,
    /// Only keys that match one of these patterns, as in Redis' `KEYS`; all when empty.
    pub patterns: Vec<String>,
    /// Only these types, by their names; all when empty.
    pub types: Vec<String>,
    /// Go on after a CRC mismatch.
    pub ignore_checksum: bool,
}

impl Selection {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these databases; all when empty.
    #[must_use]
    pub fn with_dbs(mut self, dbs: Vec<u32>) -> Self {
        self.dbs = dbs;
        self
    }

    /// Only keys that match one of these patterns; all when empty.
    #[must_use]
    pub fn with_patterns(mut self, patterns: Vec<String>) -> Self {
        self.patterns = patterns;
        self
    }

    /// Only these types; all when empty.
    ///
    /// # Errors
    ///
    /// A name is none of a type.
    pub fn with_types(mut self, types: Vec<String>) -> Result<Self, ParseKindError> {
        for name in &types {
            name.parse::<Kind>()?;
        }
        self.types = types;
        Ok(self)
    }

    /// Whether a CRC mismatch is a warning only.
    #[must_use]
    pub fn with_ignore_checksum(mut self, ignore: bool) -> Self {
        self.ignore_checksum = ignore;
        self
    }

    /// How a dump is read under this selection.
    pub fn options(&self) -> RdbOptions {
        let mut filter = Filter::new();
        if !self.dbs.is_empty() {
            filter = filter.with_dbs(self.dbs.iter().copied().map(Db));
        }
        if !self.types.is_empty() {
            // The names were checked when they were set.
            filter = filter.with_kinds(self.types.iter().filter_map(|name| name.parse().ok()));
        }
        for pattern in &self.patterns {
            filter = filter.with_match(pattern);
        }
        RdbOptions::default().with_filter(filter).with_verify_checksum(!self.ignore_checksum)
    }
}
