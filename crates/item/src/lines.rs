use std::io::{self, BufRead, Read};

use crate::{Error, ErrorKind};

/// The lines of a text that are not blank, one at a time, in bounded memory.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    ended: bool,
    pub(crate) number: u64,
    pub(crate) max_bytes: usize,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), ended: false, number: 0, max_bytes: 8 << 20 }
    }

    /// The next line with its number, from 1.
    pub(crate) fn next_line(&mut self) -> Option<Result<(&[u8], u64), Error>> {
        loop {
            if self.ended {
                return None;
            }
            self.line.clear();
            self.number += 1;
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => {
                    let error = Error::new(ErrorKind::LineTooLong).on_line(self.number);
                    return Some(Err(error));
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(Error::io(error).on_line(self.number)));
                }
            }
            if self.line.is_empty() {
                self.ended = true;
                return None;
            }
            if !self.line.trim_ascii().is_empty() {
                return Some(Ok((&self.line, self.number)));
            }
        }
    }

    /// Reads a line, or skips it and says `false` if it is too long.
    fn read_line(&mut self) -> io::Result<bool> {
        let limit = self.max_bytes as u64 + 1;
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if self.line.len() as u64 == limit && self.line.last() != Some(&b'\n') {
            self.input.skip_until(b'\n')?;
            return Ok(false);
        }
        Ok(true)
    }
}
