//! What a source is compared with: the files of a run, or a table.

use std::io::Read;

use keystar_transfer::{Format, ImportReader};

#[cfg(feature = "live")]
use crate::table::TableReader;

/// What a source is compared with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Held<'a> {
    /// The files of a run.
    Files(&'a ImportReader),
    /// A table.
    #[cfg(feature = "live")]
    Table(&'a TableReader),
}

impl<'a> From<&'a ImportReader> for Held<'a> {
    fn from(reader: &'a ImportReader) -> Self {
        Self::Files(reader)
    }
}

#[cfg(feature = "live")]
impl<'a> From<&'a TableReader> for Held<'a> {
    fn from(reader: &'a TableReader) -> Self {
        Self::Table(reader)
    }
}

impl Held<'_> {
    /// The text form that the items are in, or as good as.
    pub(crate) fn format(&self) -> &Format {
        match self {
            Self::Files(reader) => reader.format(),
            #[cfg(feature = "live")]
            Self::Table(_) => &Format::DynamoDbJson,
        }
    }

    /// Bytes as stored, where that is known.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Files(reader) => reader.files().iter().map(|file| file.stored_bytes).sum(),
            #[cfg(feature = "live")]
            Self::Table(_) => 0,
        }
    }

    /// What it is, in words.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            #[cfg(feature = "live")]
            Self::Table(_) => "table",
        }
    }

    /// Opens a value that lies beside its item.
    pub(crate) fn beside(
        &self,
        name: &str,
    ) -> Result<Box<dyn Read + Send>, keystar_transfer::Error> {
        match self {
            Self::Files(reader) => reader.offload(name),
            #[cfg(feature = "live")]
            Self::Table(reader) => reader.beside(name),
        }
    }
}
