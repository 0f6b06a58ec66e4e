//! One import file: text in, compressed and hashed bytes out; and back.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::{
    Compression, Error, Format, ImportFile,
    error::OrIo,
    store::{Store, Upload},
};

/// Bytes that are asked for by a read.
const BUFFER_BYTES: usize = 128 << 10;
/// Bytes that are gathered for a write; what is larger is written as it is.
const GATHERED_BYTES: usize = 32 << 10;
/// No item's text is longer: 400 KB at six characters for a byte, with room to spare.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// A file that is being written.
pub(crate) struct FileWriter {
    name: String,
    place: String,
    out: Compressor,
    bytes: u64,
}

enum Compressor {
    None(io::BufWriter<Hashed>),
    Gzip(GzEncoder<Hashed>),
    Zstd(zstd::Encoder<'static, Hashed>),
}

/// Hashes what is stored on its way.
struct Hashed {
    upload: Upload,
    digest: Sha256,
    bytes: u64,
}

impl FileWriter {
    pub(crate) fn create(
        store: &Store,
        name: &str,
        compression: Compression,
    ) -> Result<Self, Error> {
        Self::create_for(store, name, name, compression)
    }

    /// Writes at one place what is to be known by another name.
    pub(crate) fn create_for(
        store: &Store,
        at: &str,
        name: &str,
        compression: Compression,
    ) -> Result<Self, Error> {
        let place = store.place(name);
        let stored = Hashed { upload: store.create(at)?, digest: Sha256::new(), bytes: 0 };
        let out = match compression {
            Compression::None => {
                Compressor::None(io::BufWriter::with_capacity(GATHERED_BYTES, stored))
            }
            Compression::Gzip { level } => {
                Compressor::Gzip(GzEncoder::new(stored, flate2::Compression::new(level)))
            }
            Compression::Zstd { level } => {
                let mut encoder = zstd::Encoder::new(stored, level).or_io("write", &*place)?;
                encoder.include_checksum(true).or_io("write", &*place)?;
                Compressor::Zstd(encoder)
            }
        };
        Ok(Self { name: name.to_owned(), place, out, bytes: 0 })
    }

    pub(crate) fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        self.bytes += text.len() as u64;
        match &mut self.out {
            Compressor::None(out) => out.write_all(text),
            Compressor::Gzip(out) => out.write_all(text),
            Compressor::Zstd(out) => out.write_all(text),
        }
        .or_io("write", &*self.place)
    }

    /// Makes the file durable and visible.
    pub(crate) fn complete(self, items: u64) -> Result<ImportFile, Error> {
        let place = self.place;
        let stored = match self.out {
            Compressor::None(out) => out.into_inner().map_err(io::IntoInnerError::into_error),
            Compressor::Gzip(out) => out.finish(),
            Compressor::Zstd(out) => out.finish(),
        }
        .or_io("write", &*place)?;
        stored.upload.complete().or_io("write", &*place)?;
        Ok(ImportFile {
            key: self.name,
            items,
            bytes: self.bytes,
            stored_bytes: stored.bytes,
            sha256: hex(&stored.digest.finalize()),
        })
    }
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Hashing first brings the bytes into this core's cache, and the copy is half the price.
        self.digest.update(bytes);
        self.upload.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.upload.flush()
    }
}

/// What the bytes of a file were, known once it was read to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprint(Arc<Mutex<(u64, Sha256)>>);

impl Fingerprint {
    fn add(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += bytes.len() as u64;
        state.1.update(bytes);
    }

    /// Bytes so far, and their SHA-256 in hex.
    pub(crate) fn get(&self) -> (u64, String) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.0, hex(&state.1.clone().finalize()))
    }
}

struct Fingerprinted<R> {
    inner: R,
    fingerprint: Fingerprint,
}

impl<R: Read> Read for Fingerprinted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.fingerprint.add(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The records of a file, decompressed as their first bytes ask for: lines, or CSV rows.
pub(crate) struct Records {
    text: Box<dyn BufRead + Send>,
    quoted: bool,
    record: Vec<u8>,
    /// What of it is the record.
    span: Range<usize>,
    lines: u64,
}

impl Records {
    /// With a fingerprint the stored bytes are hashed on the way.
    pub(crate) fn open(
        store: &Store,
        name: &str,
        format: &Format,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, Error> {
        let stored = store.read(name)?;
        let stored: Box<dyn Read + Send> = match fingerprint {
            Some(fingerprint) => Box::new(Fingerprinted { inner: stored, fingerprint }),
            None => stored,
        };
        let text = decompressed(stored).or_io("read", store.place(name))?;
        Ok(Self::new(text, format))
    }

    pub(crate) fn new(text: Box<dyn BufRead + Send>, format: &Format) -> Self {
        let quoted = matches!(format, Format::Csv(_));
        Self { text, quoted, record: Vec::new(), span: 0..0, lines: 0 }
    }

    /// The next record without its line end, and the line that it begins on, from 1. Empty lines
    /// are passed over.
    pub(crate) fn next(&mut self) -> io::Result<Option<(&[u8], u64)>> {
        let line = self.advance()?;
        Ok(line.map(|line| (self.current(), line)))
    }

    /// The record that [`advance`](Self::advance) found.
    pub(crate) fn current(&self) -> &[u8] {
        self.record.get(self.span.clone()).unwrap_or_default()
    }

    /// Moves on to the next record; the line that it begins on.
    pub(crate) fn advance(&mut self) -> io::Result<Option<u64>> {
        loop {
            self.record.clear();
            let line = self.lines + 1;
            if !self.read_line()? {
                self.span = 0..0;
                return Ok(None);
            }
            // A line break between quotes is part of a CSV field.
            let (mut quotes, mut counted) = (0, 0);
            while self.quoted {
                let added = self.record.get(counted..).unwrap_or_default();
                quotes += memchr::memchr_iter(b'"', added).count();
                counted = self.record.len();
                if quotes % 2 == 0 || !self.read_line()? {
                    break;
                }
            }
            let marked = line == 1 && self.record.starts_with(b"\xEF\xBB\xBF");
            let record = self.record.strip_suffix(b"\n").unwrap_or(&self.record);
            let record = record.strip_suffix(b"\r").unwrap_or(record);
            self.span = if marked { 3 } else { 0 }..record.len();
            if !self.span.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Appends one line with its end; `false` if there is none.
    fn read_line(&mut self) -> io::Result<bool> {
        let before = self.record.len();
        loop {
            let available = match self.text.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = memchr::memchr(b'\n', available);
            let taken = end.map_or(available.len(), |end| end + 1);
            self.record.extend_from_slice(available.get(..taken).unwrap_or_default());
            self.text.consume(taken);
            if self.record.len() > MAX_RECORD_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of over 16 MiB"));
            }
            if end.is_some() || taken == 0 {
                let any = self.record.len() > before;
                self.lines += u64::from(any);
                return Ok(any);
            }
        }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// Looks at the first bytes and puts the right decompressor in between.
pub(crate) fn decompressed(stored: Box<dyn Read + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    let mut stored = BufReader::with_capacity(BUFFER_BYTES, stored);
    Ok(match Packing::of(stored.fill_buf()?) {
        Packing::None => Box::new(stored),
        packing => Box::new(BufReader::with_capacity(BUFFER_BYTES, packing.undo(stored)?)),
    })
}

/// How a file is compressed, by its first bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1F, 0x8B, ..] => Self::Gzip,
            // Frames of either kind: of data, or to be skipped.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The text: of any number of gzip members, of any number of zstd frames, or as it is. Without a
    /// buffer after the decompressor.
    pub(crate) fn undo(
        self,
        stored: impl BufRead + Send + 'static,
    ) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => Box::new(stored),
            Self::Gzip => Box::new(MultiGzDecoder::new(stored)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(stored)?),
        })
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(*DIGITS.get(usize::from(nibble)).unwrap_or(&b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CsvOptions;

    fn records(text: &'static [u8], format: &Format) -> Vec<(String, u64)> {
        let mut records = Records::new(Box::new(text), format);
        let mut all = Vec::new();
        while let Some((record, line)) = records.next().unwrap() {
            all.push((String::from_utf8_lossy(record).into_owned(), line));
        }
        all
    }

    #[test]
    fn records_know_their_lines() {
        let of = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            pairs.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect()
        };
        let json = Format::DynamoDbJson;
        assert_eq!(records(b"", &json), of(&[]));
        assert_eq!(records(b"\xEF\xBB\xBFa\r\n\n\nb", &json), of(&[("a", 1), ("b", 4)]));
        let csv = Format::Csv(CsvOptions::default());
        assert_eq!(
            records(b"a,\"b\nc\"\"\n\"\nd\n", &csv),
            of(&[("a,\"b\nc\"\"\n\"", 1), ("d", 4)])
        );
    }

    #[test]
    fn every_member_and_every_frame_is_read() {
        let store = Store::open("memory:///every-member").unwrap();
        for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
            let mut twice = Vec::new();
            let mut digest = String::new();
            for text in [b"one\n", b"two\n"] {
                let mut file = FileWriter::create(&store, "x", compression).unwrap();
                file.write(text).unwrap();
                digest = file.complete(1).unwrap().sha256;
                twice.extend(store.get("x").unwrap().unwrap());
            }
            let fingerprint = Fingerprint::default();
            let json = Format::DynamoDbJson;
            let mut last = Records::open(&store, "x", &json, Some(fingerprint.clone())).unwrap();
            while last.next().unwrap().is_some() {}
            assert_eq!(fingerprint.get().1, digest);

            store.put("x", &twice).unwrap();
            let mut records = Records::open(&store, "x", &json, None).unwrap();
            assert_eq!(records.next().unwrap(), Some((&b"one"[..], 1)));
            assert_eq!(records.next().unwrap(), Some((&b"two"[..], 2)));
            assert_eq!(records.next().unwrap(), None);
        }
    }
}
