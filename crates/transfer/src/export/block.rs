use std::sync::Arc;

use crate::Error;

/// Whole records of an export's file, each on a line of its own: the unit in which
/// [`ExportBlocks`](crate::ExportBlocks) hands them out.
///
/// A block is memory to be used again and again, for one file after another.
#[derive(Clone, Debug)]
pub struct Block {
    /// As long as it ever was; what it holds ends at `end`.
    pub(super) buffer: Vec<u8>,
    pub(super) end: usize,
    pub(super) first_line: u64,
    pub(super) file: Arc<str>,
}

impl Block {
    /// About as many bytes as a block holds: more if one line is longer, fewer at the end of a
    /// file.
    pub const TARGET: usize = 1 << 20;

    /// An empty block; allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: Vec::new(), end: 0, first_line: 1, file: Arc::from("") }
    }

    /// The lines, each with its newline. Lines of white space may be between them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.end).unwrap_or_default()
    }

    /// The number of the first line, from 1. In a file of DynamoDB JSON it is the file's own line;
    /// in one of another form, it is that of the record.
    #[must_use]
    pub fn first_line(&self) -> u64 {
        self.first_line
    }

    /// The file that the lines are from.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The records, without line ends and blank lines, with the numbers of their lines.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = 0;
        let bytes = self.bytes();
        memchr::memchr_iter(b'\n', bytes).zip(self.first_line..).filter_map(move |(end, number)| {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (!is_blank(line)).then_some((number, line))
        })
    }

    /// Says of an error of [`parts`](crate::parts), [`change`](crate::change) or
    /// `keystar_item` in which line of which file it is.
    #[must_use]
    pub fn locate(&self, line: u64, error: impl Into<Error>) -> Error {
        Error::Line { file: self.file.to_string(), line, source: Box::new(error.into()) }
    }

    /// Forgets what it holds.
    pub(super) fn begin(&mut self, file: &Arc<str>, first_line: u64) {
        self.end = 0;
        self.first_line = first_line;
        if !Arc::ptr_eq(&self.file, file) {
            self.file = Arc::clone(file);
        }
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether nothing but white space is there: known at the first byte of nearly every line.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii_start().is_empty()
}
