//! Commands as they lie in an append-only file, one after the other.

use std::io::{self, BufRead, Read};

use crate::Error;

/// The longest line that announces a count or a length.
const LINE_BYTES: u64 = 64;
/// The longest line that begins with `#`.
const ANNOTATION_BYTES: u64 = 1 << 10;
/// The longest argument: more than any server takes.
const ARGUMENT_BYTES: u64 = 1 << 32;

/// One command: its name and its arguments, in a buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Command {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Where it begins.
    pub(super) offset: u64,
}

impl Command {
    /// The name, in upper case, and all arguments, of which the first is the name as it was written.
    pub(super) fn parts(&self) -> (String, Vec<&[u8]>) {
        let mut start = 0;
        let mut arguments = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            arguments.push(self.bytes.get(start..*end).unwrap_or_default());
            start = *end;
        }
        let name = arguments.first().copied().unwrap_or_default();
        let name = name.get(..name.len().min(40)).unwrap_or_default();
        (name.escape_ascii().to_string().to_ascii_uppercase(), arguments)
    }
}

/// What comes next in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Command,
    /// `#TS:` – the commands that follow were run in this second or later.
    Time(i64),
    End,
    /// The file ends inside of a command that begins here.
    Cut(u64),
}

/// Reads commands.
#[derive(Debug)]
pub(super) struct Commands<R> {
    reader: R,
    name: String,
    /// What is read next: bytes from the start of the file.
    pub(super) offset: u64,
    line: Vec<u8>,
}

/// What one step of the reading came to.
enum Read1<T> {
    Got(T),
    Eof,
}

impl<R: BufRead> Commands<R> {
    /// Reads the file of that name, from a reader that stands at this offset.
    pub(super) fn new(reader: R, name: &str, offset: u64) -> Self {
        Self { reader, name: name.to_owned(), offset, line: Vec::new() }
    }

    /// Reads the next command into `command`.
    pub(super) fn next(&mut self, command: &mut Command) -> Result<Next, Error> {
        let begin = self.offset;
        command.bytes.clear();
        command.ends.clear();
        command.offset = begin;
        match self.first_byte()? {
            None => return Ok(Next::End),
            Some(b'#') => return self.annotation(begin),
            Some(_) => {}
        }
        let count = match self.number(b'*', "the number of a command's arguments")? {
            Read1::Got(0) => return Err(self.damage(begin, "a command without arguments")),
            Read1::Got(count) => count,
            Read1::Eof => return Ok(Next::Cut(begin)),
        };
        for _ in 0..count {
            let Read1::Got(length) = self.number(b'$', "the length of an argument")? else {
                return Ok(Next::Cut(begin));
            };
            if length > ARGUMENT_BYTES {
                return Err(self.damage(begin, "an argument of more than 4 GiB"));
            }
            // Grows with what is there, whatever the length says.
            let read = self.reader.by_ref().take(length).read_to_end(&mut command.bytes);
            let read = read.map_err(|error| self.unreadable(error))? as u64;
            self.offset += read;
            if read < length {
                return Ok(Next::Cut(begin));
            }
            command.ends.push(command.bytes.len());
            let at = self.offset;
            match self.line(2)? {
                Read1::Got(()) if self.line == b"\r\n" => {}
                // Of a line end, one byte may be there.
                Read1::Eof if b"\r\n".starts_with(&self.line) => return Ok(Next::Cut(begin)),
                _ => return Err(self.damage(at, "no line end where an argument ends")),
            }
        }
        Ok(Next::Command)
    }

    fn annotation(&mut self, begin: u64) -> Result<Next, Error> {
        match self.line(ANNOTATION_BYTES)? {
            Read1::Got(()) => {}
            Read1::Eof if (self.line.len() as u64) < ANNOTATION_BYTES => {
                return Ok(Next::Cut(begin));
            }
            Read1::Eof => return Err(self.damage(begin, "an annotation that does not end")),
        }
        let seconds = self.line.strip_prefix(b"#TS:").and_then(|seconds| {
            std::str::from_utf8(seconds.trim_ascii_end()).ok()?.parse::<i64>().ok()
        });
        // The server passes over annotations that it does not know.
        Ok(Next::Time(seconds.unwrap_or(i64::MIN)))
    }

    fn first_byte(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
    }

    /// Reads a line such as `*3`.
    fn number(&mut self, mark: u8, what: &'static str) -> Result<Read1<u64>, Error> {
        let at = self.offset;
        let ended = match self.line(LINE_BYTES)? {
            Read1::Got(()) => true,
            Read1::Eof => false,
        };
        let digits = self.line.strip_prefix(&[mark]);
        let digits = digits.map(|digits| digits.strip_suffix(b"\r\n").unwrap_or(digits));
        match digits {
            None if self.line.is_empty() => Ok(Read1::Eof),
            Some(digits) if !ended => {
                let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
                if digits.iter().all(u8::is_ascii_digit) && digits.len() < 20 {
                    Ok(Read1::Eof)
                } else {
                    Err(self.damage(at, what))
                }
            }
            Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                let number =
                    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                number.map(Read1::Got).ok_or_else(|| self.damage(at, what))
            }
            _ => Err(self.damage(at, what)),
        }
    }

    /// Reads up to a line feed, or as many bytes as that.
    fn line(&mut self, most: u64) -> Result<Read1<()>, Error> {
        self.line.clear();
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
        self.offset += read.map_err(|error| self.unreadable(error))? as u64;
        Ok(if self.line.ends_with(b"\n") { Read1::Got(()) } else { Read1::Eof })
    }

    fn damage(&self, offset: u64, what: &str) -> Error {
        let detail = format!("damaged: {what} is expected");
        let detail = if what.starts_with("a") || what.starts_with("no ") {
            format!("damaged: {what}")
        } else {
            detail
        };
        Error::Log { file: self.name.clone(), offset, detail }
    }

    fn unreadable(&self, source: io::Error) -> Error {
        Error::Place {
            place: self.name.clone(),
            source: Box::new(Error::Read { offset: self.offset, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments of a command.
    type Words = Vec<Vec<u8>>;

    fn read(bytes: &[u8]) -> Result<(Vec<Words>, Next), String> {
        let mut commands = Commands::new(bytes, "x.aof", 0);
        let mut command = Command::default();
        let mut found = Vec::new();
        loop {
            match commands.next(&mut command).map_err(|error| error.to_string())? {
                Next::Command => {
                    let (_, arguments) = command.parts();
                    found.push(arguments.iter().map(|argument| argument.to_vec()).collect());
                }
                Next::Time(_) => {}
                end => return Ok((found, end)),
            }
        }
    }

    const TWO: &[u8] = b"*2\r\n$3\r\nDEL\r\n$2\r\na\n\r\n#TS:17\r\n*1\r\n$0\r\n\r\n";

    #[test]
    fn every_cut_is_found_and_is_where_the_command_begins() {
        let second = TWO.iter().position(|byte| *byte == b'#').unwrap();
        let third = second + 8;
        for end in 0..=TWO.len() {
            let (found, next) = read(&TWO[..end]).unwrap();
            let (count, expected) = match end {
                0 => (0, Next::End),
                end if end < second => (0, Next::Cut(0)),
                end if end == second => (1, Next::End),
                end if end < third => (1, Next::Cut(second as u64)),
                end if end == third => (1, Next::End),
                end if end < TWO.len() => (1, Next::Cut(third as u64)),
                _ => (2, Next::End),
            };
            assert_eq!((found.len(), next), (count, expected), "cut at {end}");
        }
        assert_eq!(read(TWO).unwrap().0[0], [b"DEL".to_vec(), b"a\n".to_vec()]);
    }

    #[test]
    fn damage_is_told_with_its_byte() {
        for (bytes, said) in [
            (
                &b"DEL a\r\n"[..],
                "x.aof, byte 0: damaged: the number of a command's arguments is expected",
            ),
            (
                b"*1\r\n$3\r\nDELx\r\n",
                "x.aof, byte 11: damaged: no line end where an argument ends",
            ),
            (
                b"*1\r\n+3\r\nDEL\r\n",
                "x.aof, byte 4: damaged: the length of an argument is expected",
            ),
            (b"*0\r\n", "x.aof, byte 0: damaged: a command without arguments"),
            (b"*1\r\n$99999999999\r\n", "x.aof, byte 0: damaged: an argument of more than 4 GiB"),
            (&[0; 70], "x.aof, byte 0: damaged: the number of a command's arguments is expected"),
        ] {
            assert_eq!(read(bytes).unwrap_err(), said);
        }
    }
}
