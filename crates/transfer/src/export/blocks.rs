use std::{
    fmt,
    io::{self, BufReader, Read},
    sync::Arc,
};

use keystar_item::ErrorKind;

use crate::Error;

use super::{
    ExportFile,
    block::Block,
    document::{self, Document},
    ion::IonRecords,
    lines::Lines,
    stored::{self, Checksum, Tally},
};

/// No record's text is longer: 400 KB at six characters for a byte, several times over.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;
/// What is looked at to tell a scan's result from lines.
const HEAD_BYTES: usize = 4 << 10;
const BUFFER_BYTES: usize = 128 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The records of one file of an export, in blocks of whole lines; see
/// [`Export::read`](crate::Export::read).
///
/// Whether the stored bytes are the right ones is known at the file's end only. So whatever is
/// made of a file counts once [`next_block`](Self::next_block) has said `false`, and must be
/// dropped if it failed.
pub struct ExportBlocks {
    file: Arc<str>,
    place: String,
    records: Records,
    tally: Tally,
    expected: Expected,
    target: usize,
    count: Count,
    state: State,
}

/// What is known of a file beforehand.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) checksum: Option<Checksum>,
    pub(super) items: Option<u64>,
}

/// The text form of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Lines of DynamoDB JSON.
    Lines,
    /// Such lines, or the result of a scan: its beginning tells.
    LinesOrDocument,
    /// Ion: of items, of changes, or of what it looks like.
    Ion(Shape),
}

/// What the structs of an Ion text are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Items,
    Changes,
    Either,
}

enum Records {
    Lines(Lines),
    Document(Document),
    Ion(IonRecords),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Reading,
    Ended,
    Failed,
}

/// How much there was.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    /// With blank ones.
    pub(super) lines: u64,
    /// Without.
    pub(super) items: u64,
}

/// A failure that does not know its file yet.
pub(super) enum Fault {
    Io(io::Error),
    /// After so many lines of the block.
    TooLong(u64),
    /// On that line.
    Item(u64, keystar_item::Error),
    Shape(u64, &'static str),
    /// At that byte of the text.
    Document(u64, &'static str),
    DocumentCount {
        said: u64,
        found: u64,
    },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ExportBlocks {
    pub(super) fn new(
        stored: Box<dyn Read + Send>,
        place: String,
        file: &ExportFile,
    ) -> Result<Self, Error> {
        let tally = Tally::new(file.expected.checksum.as_ref());
        let mut blocks = Self {
            file: Arc::from(file.name.as_str()),
            place,
            records: Records::Lines(Lines::new(Box::new(io::empty()), Vec::new())),
            tally: tally.clone(),
            expected: file.expected.clone(),
            target: Block::TARGET,
            count: Count::default(),
            state: State::Reading,
        };
        let records = stored::text(stored, &tally).and_then(|text| Records::new(text, file.form));
        blocks.records = records.map_err(|error| blocks.error(Fault::Io(error)))?;
        Ok(blocks)
    }

    /// Fills blocks with about that many bytes, instead of [`Block::TARGET`].
    #[must_use]
    pub fn with_block_bytes(mut self, bytes: usize) -> Self {
        self.target = bytes.clamp(1, MAX_LINE_BYTES);
        self
    }

    /// Fills `block` with whole records; `false`, and an empty block, after the last.
    ///
    /// Every record is one line of DynamoDB JSON that ends with a newline: `{"Item":{…}}`, or
    /// `{"Metadata":…,"Keys":{…},"NewImage":{…}}` in an incremental export. Lines of DynamoDB JSON
    /// are as they are in the file, unchecked ([`parts`](crate::parts) checks them). Of Ion, and
    /// of the result of a scan, they are made.
    ///
    /// # Errors
    ///
    /// [`Error::Checksum`] and [`Error::Count`] at the end of a file that is not the manifest's;
    /// [`Error::Compressed`] for one that is cut off, [`Error::LongLine`] for a record of over
    /// 16 MiB of text, [`Error::Line`] for Ion and [`Error::Document`] for a scan's result that
    /// cannot be made into lines, and any failure to read. Each names the file, and none can be
    /// gone on behind: further calls fail, too.
    pub fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.begin(&self.file, self.count.lines + 1);
        match self.state {
            State::Reading => {}
            State::Ended => return Ok(false),
            State::Failed => {
                let reason = "reading it failed before";
                return Err(Error::Damaged { file: self.file.to_string(), reason });
            }
        }
        let filled = match &mut self.records {
            Records::Lines(lines) => lines.fill(block, self.target),
            Records::Document(document) => document.fill(block, self.target),
            Records::Ion(ion) => ion.fill(block, self.target),
        };
        let more = match filled {
            Ok(count) => {
                self.count.lines += count.lines;
                self.count.items += count.items;
                if block.end > 0 { Ok(true) } else { self.verify().map(|()| false) }
            }
            Err(fault) => Err(self.error(fault)),
        };
        self.state = match more {
            Ok(true) => State::Reading,
            Ok(false) => State::Ended,
            Err(_) => State::Failed,
        };
        if more.is_err() {
            block.end = 0;
        }
        more
    }

    /// How many of the file's stored bytes were read: for progress.
    #[must_use]
    pub fn stored_bytes_read(&self) -> u64 {
        self.tally.bytes()
    }

    /// How many records were handed out.
    #[must_use]
    pub fn items_read(&self) -> u64 {
        self.count.items
    }

    fn verify(&self) -> Result<(), Error> {
        let file = || self.file.to_string();
        if let (Some(expected), Some(found)) = (&self.expected.checksum, self.tally.checksum())
            && expected.text() != found
        {
            return Err(Error::Checksum {
                file: file(),
                algorithm: expected.name(),
                expected: expected.text().to_owned(),
                found,
            });
        }
        match self.expected.items {
            Some(expected) if expected != self.count.items => {
                Err(Error::Count { file: file(), expected, found: self.count.items })
            }
            _ => Ok(()),
        }
    }

    fn error(&self, fault: Fault) -> Error {
        let file = self.file.to_string();
        match fault {
            Fault::Io(error) if self.tally.store_failed() => {
                Error::io("read", self.place.clone(), error)
            }
            Fault::Io(source) => Error::Compressed { file, offset: self.tally.bytes(), source },
            Fault::TooLong(before) => Error::LongLine { file, line: self.count.lines + before + 1 },
            Fault::Item(line, source) if source.kind() == ErrorKind::LineTooLong => {
                Error::LongLine { file, line }
            }
            Fault::Item(line, source) => {
                Error::Line { file, line, source: Box::new(Error::Attributes(source)) }
            }
            Fault::Shape(line, reason) => {
                Error::Line { file, line, source: Box::new(Error::Record { offset: 0, reason }) }
            }
            Fault::Document(offset, reason) => Error::Document { file, offset, reason },
            Fault::DocumentCount { said, found } => Error::Count { file, expected: said, found },
        }
    }
}

impl Records {
    fn new(mut text: Box<dyn Read + Send>, form: Form) -> io::Result<Self> {
        match form {
            Form::Lines => Ok(Self::Lines(Lines::new(text, Vec::new()))),
            Form::LinesOrDocument => {
                let mut head = Vec::new();
                text.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
                if head.starts_with(BYTE_ORDER_MARK) {
                    head.drain(..BYTE_ORDER_MARK.len());
                }
                if document::begins(&head) {
                    return Ok(Self::Document(Document::new(text, head)));
                }
                Ok(Self::Lines(Lines::new(text, head)))
            }
            Form::Ion(shape) => {
                let text = BufReader::with_capacity(BUFFER_BYTES, text);
                Ok(Self::Ion(IonRecords::new(text, shape)))
            }
        }
    }
}

/// Reads what there is, at least a byte before the end.
pub(super) fn read_some(text: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match text.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

impl fmt::Debug for ExportBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportBlocks")
            .field("file", &self.file)
            .field("count", &self.count)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that answers for a while.
    struct Failing(&'static [u8]);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
            }
            self.0.read(buffer)
        }
    }

    #[test]
    fn a_store_that_fails_is_not_a_file_that_is_damaged() {
        let gzip: &[u8] = &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
        for (form, text) in [
            (Form::Lines, b"{\"Item\":{}}\n{".as_slice()),
            (Form::LinesOrDocument, b"{\"Items\":["),
            (Form::Ion(Shape::Items), b"$ion_1_0 {Item:{}}\n{"),
            (Form::Lines, gzip),
        ] {
            let file = ExportFile {
                name: "x".to_owned(),
                stored_bytes: 0,
                items: None,
                path: "x".to_owned(),
                expected: Expected::default(),
                form,
            };
            let blocks = ExportBlocks::new(Box::new(Failing(text)), "s3://b/x".to_owned(), &file);
            let error = blocks.and_then(|mut blocks| blocks.next_block(&mut Block::new()));
            let error = error.unwrap_err();
            assert_eq!(error.to_string(), "cannot read s3://b/x");
            assert!(error.is_retryable());
        }
    }

    #[test]
    fn blocks_may_be_sent_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<ExportBlocks>();
        is_send::<Block>();
    }
}
