//! Going on in the middle of a file.

use crate::context::Context;
use crate::crc64::Crc64;
use crate::cursor::{Cursor, Limits};
use crate::encoding::Family;
use crate::error::{Error, ErrorKind};
use crate::record::Db;

/// What a parser counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys that were told, as frames, records or heads; also those that turned out to be bad.
    pub records: u64,
    /// Those among them that expire.
    pub expiring: u64,
    /// Collections without elements, which were skipped.
    pub empty: u64,
    /// Keys that the filter refused.
    pub filtered: u64,
    /// Skippable errors.
    pub skipped: u64,
    /// Warnings.
    pub warnings: u64,
    /// How many keys the databases have that were begun so far, says the file.
    pub expected_keys: u64,
    /// How many of them expire, says the file.
    pub expected_expires: u64,
    pub(crate) pre_release_function: bool,
}

/// A place between two records, with all that a parser needs to go on from there: plain data that
/// can be saved in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumePoint {
    /// Where to go on reading: bytes from the start of the input.
    pub offset: u64,
    /// The database selected there.
    pub db: Db,
    /// The state of the checksum: that of all bytes before.
    pub crc: u64,
    /// Whose dump it is, and the hash templates defined before.
    pub context: Context,
    /// What was counted before.
    pub stats: Stats,
}

const MAGIC: &[u8; 4] = b"KSR1";

impl ResumePoint {
    /// The point as bytes, in a form of this crate's own with a checksum of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let stats = &self.stats;
        let mut out = MAGIC.to_vec();
        for number in [
            self.offset,
            u64::from(self.db.0),
            self.crc,
            u64::from(self.context.version()),
            u64::from(self.context.family() == Family::Valkey),
            stats.records,
            stats.expiring,
            stats.empty,
            stats.filtered,
            stats.skipped,
            stats.warnings,
            stats.expected_keys,
            stats.expected_expires,
            u64::from(stats.pre_release_function),
            self.context.templates().count() as u64,
        ] {
            put(&mut out, number);
        }
        for (id, names) in self.context.templates() {
            put(&mut out, id);
            put(&mut out, names.len() as u64);
            for name in names {
                put(&mut out, name.len() as u64);
                out.extend_from_slice(name);
            }
        }
        let mut crc = Crc64::new();
        crc.update(&out);
        out.extend(crc.get().to_le_bytes());
        out
    }

    /// Reads what [`ResumePoint::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it did not write these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).ok_or(Error::new(ErrorKind::Corrupt("resume point"), 0))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (body, stored) = bytes.split_last_chunk()?;
        let mut crc = Crc64::new();
        crc.update(body);
        if crc.get() != u64::from_le_bytes(*stored) {
            return None;
        }
        let mut cursor = Cursor::new(body.strip_prefix(MAGIC)?, Limits::DEFAULT);
        let mut next = || get(&mut cursor);
        let (offset, db, crc) = (next()?, Db(u32::try_from(next()?).ok()?), next()?);
        let version = u16::try_from(next()?).ok()?;
        let family = if next()? == 0 { Family::Redis } else { Family::Valkey };
        let stats = Stats {
            records: next()?,
            expiring: next()?,
            empty: next()?,
            filtered: next()?,
            skipped: next()?,
            warnings: next()?,
            expected_keys: next()?,
            expected_expires: next()?,
            pre_release_function: next()? != 0,
        };
        let mut context = Context::new(family, version);
        for _ in 0..next()? {
            let id = get(&mut cursor)?;
            let count = get(&mut cursor)?;
            let mut names = Vec::with_capacity(cursor.capacity(count, 8));
            for _ in 0..count {
                let len = get(&mut cursor)?;
                names.push(Box::from(cursor.take(len).ok()?));
            }
            context.define(id, names.into());
        }
        (cursor.left() == 0).then_some(Self { offset, db, crc, context, stats })
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

fn get(cursor: &mut Cursor<'_>) -> Option<u64> {
    cursor.array().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back() {
        let mut context = Context::new(Family::Valkey, 81);
        context.define(7, vec![Box::from(&b"name"[..]), Box::from(&b""[..])].into());
        let stats = Stats { records: 3, warnings: 1, ..Stats::default() };
        let point = ResumePoint { offset: 99, db: Db(2), crc: u64::MAX, context, stats };
        let bytes = point.to_bytes();
        assert_eq!(ResumePoint::from_bytes(&bytes), Ok(point));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(ResumePoint::from_bytes(&bad).is_err());
            assert!(ResumePoint::from_bytes(&bytes[..at]).is_err());
        }
    }
}
