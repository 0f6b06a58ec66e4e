//! Sets of integers.

use super::{Entry, Mark, Packed, bytes_at};
use crate::error::ErrorKind;

const HEADER: usize = 8;

/// `width: u32, count: u32, integers …`, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Intset<'a> {
    bytes: &'a [u8],
    width: usize,
    at: usize,
}

impl<'a> Packed<'a> for Intset<'a> {
    fn open(bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind> {
        let (Some(width), Some(count)) = (bytes_at(bytes, 0), bytes_at(bytes, 4)) else {
            return Err(ErrorKind::Corrupt("intset header"));
        };
        let (width, count) = (u32::from_le_bytes(width), u32::from_le_bytes(count));
        if !matches!(width, 2 | 4 | 8) {
            return Err(ErrorKind::Corrupt("intset width"));
        }
        if u64::from(width) * u64::from(count) + HEADER as u64 != bytes.len() as u64 {
            return Err(ErrorKind::Corrupt("intset length"));
        }
        let this = Self { bytes, width: width as usize, at: HEADER };
        if strict {
            let mut walk = this.clone();
            let mut last = None;
            while let Some(Entry::Int(value)) = walk.next()? {
                if last.is_some_and(|last| last >= value) {
                    return Err(ErrorKind::Corrupt("intset order"));
                }
                last = Some(value);
            }
        }
        Ok(this)
    }

    fn resume(bytes: &'a [u8], mark: Mark) -> Self {
        Self { bytes, width: mark.memory, at: mark.at }
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, memory: self.width }
    }

    fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn bound(&self) -> usize {
        (self.bytes.len() - HEADER.min(self.bytes.len())) / self.width.max(2)
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Entry<'a>>, ErrorKind> {
        if self.at_end() {
            return Ok(None);
        }
        let value = match self.width {
            2 => bytes_at(self.bytes, self.at).map(|b| i64::from(i16::from_le_bytes(b))),
            4 => bytes_at(self.bytes, self.at).map(|b| i64::from(i32::from_le_bytes(b))),
            _ => bytes_at(self.bytes, self.at).map(i64::from_le_bytes),
        };
        self.at += self.width;
        value.map(|value| Some(Entry::Int(value))).ok_or(ErrorKind::Corrupt("intset length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_signed() {
        let bytes = [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 1, 0];
        let mut set = Intset::open(&bytes, true).unwrap();
        assert_eq!(set.bound(), 2);
        assert_eq!(set.next(), Ok(Some(Entry::Int(-1))));
        assert_eq!(set.next(), Ok(Some(Entry::Int(1))));
        assert_eq!(set.next(), Ok(None));
    }

    #[test]
    fn bad_ones_are_refused() {
        assert!(Intset::open(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0], true).is_err());
        assert!(Intset::open(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0], false).is_err());
        assert!(Intset::open(&[3, 0, 0, 0, 0, 0, 0, 0], false).is_err());
        assert!(Intset::open(&[2, 0, 0, 0], false).is_err());
    }
}
