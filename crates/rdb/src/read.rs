//! The parser on top of [`std::io::Read`].

use std::io::Read;

use crate::error::Error;
use crate::event::Event;
use crate::options::{Level, Options};
use crate::parser::{Parser, Poll};
use crate::record::Record;

/// How much is read at once, in bytes.
const READ: usize = 256 << 10;

/// Reads events from anything that can be read.
///
/// ```
/// use keystar_rdb::{Event, Level, Options, Reader};
///
/// let dump = b"REDIS0003\xfe\x00\x01\x04list\x02\x01a\x01b\xff";
/// let mut reader = Reader::new(&dump[..], Options::new(Level::Elements));
/// let mut elements = 0;
/// while let Some(event) = reader.next()? {
///     elements += u32::from(matches!(event, Event::Element(_)));
/// }
/// assert_eq!(elements, 2);
/// # Ok::<(), keystar_rdb::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    parser: Parser,
    chunk: Box<[u8]>,
}

impl<R: Read> Reader<R> {
    /// A reader from the start of a file. The input need not be buffered.
    pub fn new(input: R, options: Options) -> Self {
        Self::with_parser(input, Parser::new(options))
    }

    /// A reader that goes on with a parser, e.g. a resumed one; the input must stand where the
    /// parser does.
    pub fn with_parser(input: R, parser: Parser) -> Self {
        Self { input, parser, chunk: vec![0; READ].into() }
    }

    /// The next event; `None` after the last.
    ///
    /// # Errors
    ///
    /// As for [`Parser::step`]; and [`ErrorKind::Io`](crate::ErrorKind::Io) if reading fails, after
    /// which it may be tried again.
    #[allow(clippy::should_implement_trait, reason = "events borrow from the reader")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        loop {
            match self.parser.poll()? {
                Poll::End => return Ok(None),
                Poll::Event => return self.parser.event().map(Some),
                Poll::NeedInput => self.fill()?,
            }
        }
    }

    /// The parser: its offset, context, counts and resume point.
    pub const fn parser(&self) -> &Parser {
        &self.parser
    }

    fn fill(&mut self) -> Result<(), Error> {
        loop {
            match self.input.read(&mut self.chunk) {
                Ok(0) => self.parser.finish(),
                Ok(len) => self.parser.feed(self.chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::from_io(error, self.parser.offset())),
            }
            return Ok(());
        }
    }
}

/// The records of a file, whole, one by one.
///
/// A record that is corrupt but whose extent is known is an error in its place, and the iterator
/// goes on; after any other error it ends.
///
/// ```
/// use keystar_rdb::Records;
///
/// let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// for record in Records::new(&dump[..]) {
///     println!("{:?}", record?.key);
/// }
/// # Ok::<(), keystar_rdb::Error>(())
/// ```
#[derive(Debug)]
pub struct Records<R> {
    reader: Reader<R>,
    over: bool,
}

impl<R: Read> Records<R> {
    /// The records of a file.
    pub fn new(input: R) -> Self {
        Self::with_options(input, Options::default())
    }

    /// The records of a file, by these options; their level does not matter.
    pub fn with_options(input: R, mut options: Options) -> Self {
        options.level = Level::Records;
        Self { reader: Reader::new(input, options), over: false }
    }

    /// The parser: its offset, context, counts and resume point.
    pub const fn parser(&self) -> &Parser {
        self.reader.parser()
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.reader.next() {
                Ok(Some(Event::Record(record))) => return Some(Ok(record.into_owned())),
                Ok(Some(_)) => {}
                Ok(None) => self.over = true,
                Err(error) => {
                    self.over = !error.skippable();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;
    use std::io;

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }

    #[test]
    fn a_failure_to_read_keeps_its_cause() {
        let mut records = Records::new((&b"REDIS0003\xfe\x00"[..]).chain(Broken));
        let error = records.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cannot read the input at offset 11");
        assert_eq!(error.source().unwrap().to_string(), "unplugged");
        assert!(records.next().is_none());
    }
}
