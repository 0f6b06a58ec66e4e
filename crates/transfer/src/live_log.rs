//! Every item that was written, on disk, packed: a table keeps only the last of the items of one
//! key, and does not tell which record an item was of.
//!
//! One file of frames, each some hundred kilobytes of lines, compressed by itself.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{Error, error::OrIo, sink::LogMark};

/// The name in the work directory.
const NAME: &str = "items.log";
/// Text after which a frame ends: what has to be unpacked to get at one item.
const FRAME_BYTES: usize = 256 << 10;
/// No frame has more: it ends with the line that makes it large enough.
const MAX_FRAME_BYTES: u64 = 16 << 20;
const HEADER_BYTES: usize = 8;

#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Where each frame begins.
    frames: Vec<u64>,
    bytes: u64,
    text: Vec<u8>,
    lines: u32,
}

impl Log {
    /// The log as it was at the mark; the default mark is that of an empty one.
    pub(crate) fn resume(folder: &Path, mark: &LogMark) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let place = shown(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(mark.bytes == 0)
            .truncate(false)
            .open(&path)
            .or_io("open", &*place)?;
        let length = file.metadata().or_io("open", &*place)?.len();
        let wrong = || Error::Resume {
            place: place.clone(),
            reason: "the file is not the one of the mark",
        };
        if length < mark.bytes {
            return Err(wrong());
        }
        file.set_len(mark.bytes).or_io("write", &*place)?;
        let mut log = Self { path, file, frames: Vec::new(), bytes: 0, text: Vec::new(), lines: 0 };
        while log.bytes < mark.bytes {
            let (packed, _) = log.header(log.bytes)?;
            log.frames.push(log.bytes);
            log.bytes += HEADER_BYTES as u64 + u64::from(packed);
        }
        if log.bytes != mark.bytes || log.frames.len() as u64 != u64::from(mark.frames) {
            return Err(wrong());
        }
        Ok(log)
    }

    /// Appends a line that ends with a newline. Where it is: the frame, and the line in it.
    pub(crate) fn push(&mut self, line: &[u8]) -> Result<(u32, u32), Error> {
        let place = (self.frames.len() as u32, self.lines);
        self.text.extend_from_slice(line);
        self.lines += 1;
        if self.text.len() >= FRAME_BYTES {
            self.flush()?;
        }
        Ok(place)
    }

    /// Makes everything durable.
    pub(crate) fn commit(&mut self) -> Result<LogMark, Error> {
        self.flush()?;
        self.file.sync_data().or_io("write", shown(&self.path))?;
        Ok(LogMark { bytes: self.bytes, frames: self.frames.len() as u32 })
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.text.is_empty() {
            return Ok(());
        }
        let place = shown(&self.path);
        let packed = zstd::bulk::compress(&self.text, 1).or_io("write", &*place)?;
        let mut frame = Vec::with_capacity(HEADER_BYTES + packed.len());
        frame.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        frame.extend_from_slice(&(self.text.len() as u32).to_le_bytes());
        frame.extend_from_slice(&packed);
        self.file
            .seek(SeekFrom::Start(self.bytes))
            .and_then(|_| self.file.write_all(&frame))
            .or_io("write", place)?;
        self.frames.push(self.bytes);
        self.bytes += frame.len() as u64;
        self.text.clear();
        self.lines = 0;
        Ok(())
    }

    fn header(&mut self, at: u64) -> Result<(u32, u32), Error> {
        let mut header = [0; HEADER_BYTES];
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut header))
            .or_io("read", shown(&self.path))?;
        let [a, b, c, d, e, f, g, h] = header;
        Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
    }

    /// Visits lines of a frame, newline included; their numbers must be in order.
    pub(crate) fn read(
        &mut self,
        frame: u32,
        wanted: &[u32],
        mut visit: impl FnMut(u32, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.flush()?;
        let place = shown(&self.path);
        let damaged = |reason| Error::Damaged { file: place.clone(), reason };
        let begin = *self.frames.get(frame as usize).ok_or_else(|| damaged("it is cut off"))?;
        let (packed, length) = self.header(begin)?;
        let packed = (&self.file).take(u64::from(packed));
        let mut text = Vec::new();
        zstd::stream::Decoder::new(packed)
            .and_then(|unpacked| unpacked.take(MAX_FRAME_BYTES).read_to_end(&mut text))
            .map_err(|source: io::Error| Error::Compressed {
                file: place.clone(),
                offset: begin,
                source,
            })?;
        if text.len() as u64 != u64::from(length) {
            return Err(damaged("a frame has another length"));
        }
        let mut wanted = wanted.iter().copied().peekable();
        for (index, line) in (0..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            if wanted.next_if_eq(&index).is_some() {
                visit(index, line)?;
            }
        }
        match wanted.next() {
            Some(_) => Err(damaged("a frame has fewer lines than were written")),
            None => Ok(()),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(log: &mut Log, frame: u32, wanted: &[u32]) -> Vec<String> {
        let mut found = Vec::new();
        log.read(frame, wanted, |index, line| {
            found.push(format!("{index}{}", String::from_utf8_lossy(line)));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn lines_are_found_again_and_resuming_drops_what_came_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::resume(folder.path(), &LogMark::default()).unwrap();
        let long = format!("{}\n", "x".repeat(FRAME_BYTES));
        assert_eq!(log.push(b"a\n").unwrap(), (0, 0));
        assert_eq!(log.push(b"b\n").unwrap(), (0, 1));
        let mark = log.commit().unwrap();
        assert_eq!(log.push(b"c\n").unwrap(), (1, 0));
        assert_eq!(log.push(long.as_bytes()).unwrap(), (1, 1));
        assert_eq!(log.push(b"d\n").unwrap(), (2, 0));
        assert_eq!(lines(&mut log, 0, &[0, 1]), ["0a\n", "1b\n"]);
        assert_eq!(lines(&mut log, 1, &[0]), ["0c\n"]);
        assert_eq!(lines(&mut log, 2, &[0]), ["0d\n"]);
        assert!(matches!(log.read(2, &[1], |_, _| Ok(())), Err(Error::Damaged { .. })));

        let mut log = Log::resume(folder.path(), &mark).unwrap();
        assert_eq!(log.push(b"e\n").unwrap(), (1, 0));
        assert_eq!(lines(&mut log, 0, &[1]), ["1b\n"]);
        assert_eq!(lines(&mut log, 1, &[0]), ["0e\n"]);
        let later = LogMark { bytes: 1 << 40, ..mark };
        assert!(matches!(Log::resume(folder.path(), &later), Err(Error::Resume { .. })));
    }
}
