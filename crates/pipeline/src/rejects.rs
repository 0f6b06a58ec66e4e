//! The reject file: one JSON object a line for every record that was set aside.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A record that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejected {
    /// The record's database.
    pub db: u32,
    /// The record's key, as text; bytes that are not UTF-8 are shown as `\xNN`.
    pub key: String,
    /// Where the record begins in the (decompressed) dump; `None` where it is not known which one
    /// it is, and the key is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// A stable name for the reason: `oversize`, `corrupt`, `duplicate_key` ….
    pub reason: String,
    /// The reason in words, without the record's contents.
    pub detail: String,
}

impl Rejected {
    pub(crate) fn new(
        db: u32,
        key: &[u8],
        offset: u64,
        reason: &str,
        detail: impl Into<String>,
    ) -> Self {
        let (key, reason) = (escape(key), reason.to_owned());
        Self { db, key, offset: Some(offset), reason, detail: detail.into() }
    }

    /// Something of which nobody knows the record, if it is of any.
    #[cfg(feature = "live")]
    pub(crate) fn unknown(reason: &str, detail: String) -> Self {
        Self { db: 0, key: String::new(), offset: None, reason: reason.to_owned(), detail }
    }

    /// Where the record begins that the mapping or the target's files cannot have. What a table
    /// refused may be put there later.
    pub(crate) fn kept_from_files(&self) -> Option<u64> {
        self.offset.filter(|_| self.reason != REFUSED)
    }
}

/// Why a record is not in the table though it is in the files: the service did not take all of it.
pub(crate) const REFUSED: &str = "refused";
/// Not a record of the run: something else that lies where its files are.
#[cfg(feature = "live")]
pub(crate) const NOT_OURS: &str = "not_ours";

impl Rejected {
    /// The same as an error, for a run that stops at it.
    pub(crate) fn to_error(&self, corrupt: bool) -> Error {
        let key = self.key.chars().take(KEY_CHARS).collect();
        let (db, offset) = (self.db, self.offset.unwrap_or_default());
        let detail = self.detail.clone();
        Error::Rejected { db, key, offset, detail, corrupt }
    }
}

/// A key in an error is cut: the reject file has it whole.
const KEY_CHARS: usize = 80;

/// A key as text that shows every byte: UTF-8 as it is, other bytes and controls as `\xNN`.
pub(crate) fn escape(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for chunk in key.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                char if char.is_control() => text.extend(char.escape_default()),
                char => text.push(char),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Appends to the reject file; what was not flushed before a checkpoint is dropped by a resume.
#[derive(Debug)]
pub(crate) struct RejectFile {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl RejectFile {
    /// Opens the file with its first `bytes` bytes, and drops what came after them.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> Result<Self, Error> {
        let open = || -> io::Result<File> {
            let mut file =
                OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|source| Error::work(&path, source))?;
        Ok(Self { path, file: BufWriter::new(file), bytes })
    }

    pub(crate) fn push(&mut self, rejected: &Rejected) -> Result<(), Error> {
        let mut line = serde_json::to_vec(rejected)
            .map_err(io::Error::from)
            .map_err(|source| Error::work(&self.path, source))?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        self.file.write_all(&line).map_err(|source| Error::work(&self.path, source))
    }

    /// Makes the file durable and tells its length.
    pub(crate) fn commit(&mut self) -> Result<u64, Error> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data())
            .map_err(|source| Error::work(&self.path, source))?;
        Ok(self.bytes)
    }
}

/// Reads a reject file back; a file that is not there holds nothing.
pub(crate) fn read(path: &Path) -> Result<Vec<Rejected>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::work(path, source)),
    };
    BufReader::new(file)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<io::Result<_>>()
        .map_err(|source| Error::work(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_committed_is_dropped_by_a_resume() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.jsonl");
        let first = Rejected::new(0, b"user:\xff\n", 9, "oversize", "an item of 500000 bytes");
        let second = Rejected::new(1, b"b", 99, "corrupt", "listpack");
        let mut file = RejectFile::open(path.clone(), 0).unwrap();
        file.push(&first).unwrap();
        let committed = file.commit().unwrap();
        file.push(&second).unwrap();
        drop(file);
        assert_eq!(read(&path).unwrap().len(), 2);
        drop(RejectFile::open(path.clone(), committed).unwrap());
        assert_eq!(read(&path).unwrap(), [first]);
        assert_eq!(read(&dir.path().join("none")).unwrap(), []);
    }

    #[test]
    fn keys_are_shown_whole() {
        assert_eq!(escape(b"user:1"), "user:1");
        assert_eq!(escape("Zo\u{eb}\n".as_bytes()), "Zo\u{eb}\\n");
        assert_eq!(escape(b"\xff\\x"), "\\xff\\\\x");
    }
}
