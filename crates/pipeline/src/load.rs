//! How items get into a table, as the user says it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, text::count};

/// How items get into a table: part of what a run is. Of no meaning where they go to files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Load {
    /// The way.
    pub by: By,
    /// The bucket and prefix that the files of an import go to, `s3://BUCKET/PREFIX`; for live
    /// writes, where values go that the mapping puts beside the items.
    pub stage: Option<String>,
    /// Whether a table that does not exist is made.
    pub create: bool,
    /// What happens to an item that the table has already.
    pub present: Present,
    /// Write units a second to stay below, if there is such a limit.
    pub units_per_second: Option<u64>,
    /// Of an import: only so many of the files, into a table that the mapping names with `-sample`
    /// behind.
    pub sample: Option<usize>,
}

/// The way into a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum By {
    /// `BatchWriteItem`, into a table that exists.
    #[default]
    Live,
    /// Files in S3, and `ImportTable`, which makes the table.
    Import,
    /// Files in S3, and `StartBulkPutItems`, into a table that exists.
    Bulk,
}

/// What happens to an item that the table has already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Present {
    /// It is replaced.
    #[default]
    Replaced,
    /// It stays.
    Stays,
    /// It is replaced where this attribute is greater in the new one.
    ReplacedIfNewer(String),
}

/// What a service did with the files, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Loaded {
    /// The ARN of the import or of the bulk put.
    pub arn: String,
    /// The table that was loaded.
    pub table: String,
    /// Items that the service read.
    pub items: u64,
    /// Items that it wrote.
    pub written: u64,
    /// Items and files that it refused.
    pub errors: u64,
    /// What was refused and why: the first thousand, or as many as were told.
    pub refused: Vec<String>,
    /// Why it failed, if it did, and what to do.
    pub failure: Option<String>,
}

impl Loaded {
    /// Whether all that the service read is in the table.
    pub fn ok(&self) -> bool {
        self.errors == 0 && self.failure.is_none()
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [written, items, errors] = [self.written, self.items, self.errors].map(count);
        let table = &self.table;
        write!(f, "loaded into {table}: {written} of {items} items, {errors} refused")?;
        if let Some(failure) = &self.failure {
            write!(f, "\n{failure}")?;
        }
        for refused in self.refused.iter().take(SHOWN) {
            write!(f, "\nrefused: {refused}")?;
        }
        if self.refused.len() > SHOWN {
            write!(f, "\n… and {} more; --json tells all of them", self.refused.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// Refused items that are told.
const SHOWN: usize = 10;

/// What the URL of a table begins with.
const SCHEME: &str = "dynamodb://";

/// The name of the table that a URL `dynamodb://NAME` names; `None` for any other place.
pub(crate) fn table_name(to: &str) -> Option<&str> {
    to.strip_prefix(SCHEME)
}

impl Load {
    /// Loads this way.
    #[must_use]
    pub fn by(by: By) -> Self {
        Self { by, ..Self::default() }
    }

    /// Sets where files go.
    #[must_use]
    pub fn with_stage(mut self, stage: Option<String>) -> Self {
        self.stage = stage;
        self
    }

    /// Sets whether a table that does not exist is made.
    #[must_use]
    pub fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Sets what happens to an item that the table has already.
    #[must_use]
    pub fn with_present(mut self, present: Present) -> Self {
        self.present = present;
        self
    }

    /// Sets the write units a second to stay below.
    #[must_use]
    pub fn with_units(mut self, per_second: Option<u64>) -> Self {
        self.units_per_second = per_second;
        self
    }

    /// Imports only so many of the files, into a table for trials.
    #[must_use]
    pub fn with_sample(mut self, files: Option<usize>) -> Self {
        self.sample = files;
        self
    }

    /// Whether all of it goes together.
    pub(crate) fn check(&self, to_table: bool) -> Result<(), Error> {
        let wrong = |reason: &str| Err(Error::Usage(reason.to_owned()));
        if !to_table {
            return match *self == Self::default() {
                true => Ok(()),
                false => wrong("how items are loaded is for a table: --to dynamodb://TABLE"),
            };
        }
        let is_import = self.by == By::Import;
        match self {
            _ if self.by != By::Live && self.stage.is_none() => {
                wrong("an import reads files in S3: name a place for them (--stage s3://…)")
            }
            _ if is_import && self.create => {
                wrong("an import makes its table itself: leave out --create-table")
            }
            _ if self.by != By::Live && self.present != Present::Replaced => {
                wrong("only live writes look at what the table has already")
            }
            _ if is_import && self.units_per_second.is_some() => {
                wrong("an import needs no write units: leave out the limit")
            }
            _ if !is_import && self.sample.is_some() => {
                wrong("only an import can be tried with a few files")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused = |load: Load, to_table| match load.check(to_table) {
            Err(Error::Usage(reason)) => reason,
            other => panic!("expected a refusal, not {other:?}"),
        };
        let stage = || Some("s3://bucket/stage".to_owned());
        assert!(refused(Load::by(By::Import), true).contains("--stage"));
        assert!(refused(Load::by(By::Bulk), true).contains("--stage"));
        assert!(refused(Load::by(By::Import).with_stage(stage()), false).contains("for a table"));
        let import = Load::by(By::Import).with_stage(stage());
        assert!(refused(import.clone().with_create(true), true).contains("--create-table"));
        assert!(refused(import.clone().with_units(Some(1)), true).contains("write units"));
        assert!(refused(import.clone().with_present(Present::Stays), true).contains("live writes"));
        assert!(refused(Load::default().with_sample(Some(1)), true).contains("import"));
        assert!(import.with_sample(Some(2)).check(true).is_ok());
        assert!(Load::default().with_create(true).check(true).is_ok());
        assert!(Load::default().check(false).is_ok());
    }
}
