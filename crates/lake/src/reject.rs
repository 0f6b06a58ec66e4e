//! What does not fit, why, and the file in which it waits for somebody to look at it.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use keystar_star::decimal::DecimalError;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::json;

/// Why an item or a row was set aside, or a value left out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The line is no item: no JSON, a number of more digits than DynamoDB knows, and so on.
    Unreadable,
    /// The item lacks a key attribute of the table.
    NoKey,
    /// An attribute that is required is missing or NULL.
    Missing,
    /// The attribute has another type than its column can take.
    WrongType,
    /// A text, bytes or JSON of more bytes than the column takes.
    TooLong,
    /// A number of more digits before the point than the column takes.
    OutOfRange,
    /// A number of more decimal places than the column takes: nothing is ever rounded.
    TooPrecise,
    /// A text that is no number, for a column of numbers.
    NotANumber,
    /// A text that is no date or time of the column's format, or a day that no calendar has.
    NotATime,
    /// The item has an attribute that the model does not know.
    NewAttribute,
}

impl Reason {
    /// The reason as reports name it: `wrong-type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoKey => "no-key",
            Self::Missing => "missing",
            Self::WrongType => "wrong-type",
            Self::TooLong => "too-long",
            Self::OutOfRange => "out-of-range",
            Self::TooPrecise => "too-precise",
            Self::NotANumber => "not-a-number",
            Self::NotATime => "not-a-time",
            Self::NewAttribute => "new-attribute",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a value does not fit its column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Misfit {
    WrongType { expected: &'static str, found: &'static str },
    TooLong { bytes: usize, max_bytes: usize },
    OutOfRange,
    TooPrecise,
    NotANumber,
    NotATime,
    Missing,
    NoKey,
}

impl Misfit {
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::WrongType { .. } => Reason::WrongType,
            Self::TooLong { .. } => Reason::TooLong,
            Self::OutOfRange => Reason::OutOfRange,
            Self::TooPrecise => Reason::TooPrecise,
            Self::NotANumber => Reason::NotANumber,
            Self::NotATime => Reason::NotATime,
            Self::Missing => Reason::Missing,
            Self::NoKey => Reason::NoKey,
        }
    }
}

impl From<DecimalError> for Misfit {
    fn from(error: DecimalError) -> Self {
        match error {
            DecimalError::TooManyDigits => Self::OutOfRange,
            DecimalError::Inexact => Self::TooPrecise,
            _ => Self::NotANumber,
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType { expected, found } => write!(f, "{found} where {expected} is needed"),
            Self::TooLong { bytes, max_bytes } => {
                write!(f, "{bytes} bytes, more than {max_bytes}")
            }
            Self::OutOfRange => f.write_str("number of more digits than the column holds"),
            Self::TooPrecise => f.write_str("number of more decimal places than the column holds"),
            Self::NotANumber => f.write_str("not a number"),
            Self::NotATime => f.write_str("not a date or time of the column's format"),
            Self::Missing => f.write_str("required, but missing or NULL"),
            Self::NoKey => f.write_str("key attribute of the table missing or of no key's type"),
        }
    }
}

/// Where the lines of a task that were set aside go: one JSON object a line, with `file`, `line`,
/// `entity`, `column`, `reason`, `detail`, and the `item` as it was read. Begun with the first.
#[derive(Debug)]
pub(crate) struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    line: Vec<u8>,
}

/// One thing that was set aside.
pub(crate) struct Reject<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u64,
    pub(crate) entity: Option<&'a str>,
    pub(crate) column: Option<&'a str>,
    pub(crate) reason: Reason,
    pub(crate) detail: &'a dyn fmt::Display,
    /// The line as it was read: JSON, or anything.
    pub(crate) item: &'a [u8],
    /// Whether the item was read as JSON.
    pub(crate) is_json: bool,
}

impl Rejects {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, line: Vec::new() }
    }

    pub(crate) fn write(&mut self, reject: &Reject<'_>) -> Result<(), Error> {
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(b"{\"file\":");
        json::write_text(reject.file, line);
        line.extend_from_slice(format!(",\"line\":{},\"entity\":", reject.line).as_bytes());
        for (text, next) in [
            (reject.entity, ",\"column\":"),
            (reject.column, ",\"reason\":"),
            (Some(reject.reason.as_str()), ",\"detail\":"),
            (Some(&*reject.detail.to_string()), ",\"item\":"),
        ] {
            match text {
                Some(text) => json::write_text(text, line),
                None => line.extend_from_slice(b"null"),
            }
            line.extend_from_slice(next.as_bytes());
        }
        if reject.is_json {
            // White space between lines of JSON may be newlines; a reject is one line.
            line.extend(reject.item.iter().map(|byte| if *byte < 0x20 { b' ' } else { *byte }));
        } else {
            json::write_text(&String::from_utf8_lossy(reject.item), line);
        }
        line.extend_from_slice(b"}\n");
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = File::create(&self.path).map_err(Error::io(&self.path))?;
                self.file.insert(BufWriter::new(file))
            }
        };
        file.write_all(&self.line).map_err(Error::io(&self.path))
    }

    /// The file, if anything was set aside.
    pub(crate) fn finish(self) -> Result<Option<PathBuf>, Error> {
        let Some(file) = self.file else { return Ok(None) };
        let file = file.into_inner().map_err(|error| Error::io(&self.path)(error.into_error()))?;
        file.sync_all().map_err(Error::io(&self.path))?;
        Ok(Some(self.path))
    }
}
