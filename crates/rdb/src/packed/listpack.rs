//! Listpacks (Redis 5 and later).

use super::{Entry, Mark, Packed, bytes_at};
use crate::error::ErrorKind;

const HEADER: usize = 6;
const END: u8 = 0xff;

const CUT: ErrorKind = ErrorKind::Corrupt("listpack entry reaches beyond its end");

/// `total bytes: u32, count: u16, entries …, 0xff`.
#[derive(Debug, Clone)]
pub(crate) struct Listpack<'a> {
    /// All but the end mark.
    body: &'a [u8],
    at: usize,
}

impl<'a> Packed<'a> for Listpack<'a> {
    fn open(bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind> {
        let Some((&END, body)) = bytes.split_last() else {
            return Err(ErrorKind::Corrupt("listpack without an end mark"));
        };
        let (Some(total), Some(count)) = (bytes_at(body, 0), bytes_at(body, 4)) else {
            return Err(ErrorKind::Corrupt("listpack header"));
        };
        if u32::from_le_bytes(total) as usize != bytes.len() {
            return Err(ErrorKind::Corrupt("listpack length"));
        }
        let this = Self { body, at: HEADER };
        if strict {
            let mut walk = this.clone();
            let mut entries = 0;
            while walk.next()?.is_some() {
                entries += 1;
            }
            let count = u16::from_le_bytes(count);
            if count != u16::MAX && usize::from(count) != entries {
                return Err(ErrorKind::Corrupt("listpack count"));
            }
        }
        Ok(this)
    }

    fn resume(bytes: &'a [u8], mark: Mark) -> Self {
        let body = bytes.split_last().map_or(bytes, |(_, body)| body);
        Self { body, at: mark.at }
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, memory: 0 }
    }

    #[inline]
    fn at_end(&self) -> bool {
        self.at >= self.body.len()
    }

    /// By the count in the header, as far as the bytes can hold so many.
    fn bound(&self) -> usize {
        let fits = (self.body.len() - HEADER.min(self.body.len())) / 2;
        match bytes_at(self.body, 4).map(u16::from_le_bytes) {
            Some(count) if count != u16::MAX => fits.min(usize::from(count)),
            _ => fits,
        }
    }

    #[inline(always)]
    fn next(&mut self) -> Result<Option<Entry<'a>>, ErrorKind> {
        let Some(rest) = self.body.get(self.at..) else { return Ok(None) };
        let Some(&first) = rest.first() else { return Ok(None) };
        let (entry, size) = match first {
            0..=0x7f => (Entry::Int(i64::from(first)), 1),
            0x80..=0xbf => {
                let len = usize::from(first & 0x3f);
                (Entry::Text(rest.get(1..1 + len).ok_or(CUT)?), 1 + len)
            }
            _ => Self::long(rest, first)?,
        };
        let back = Self::check_back(rest, size)?;
        self.at += size + back;
        Ok(Some(entry))
    }
}

impl<'a> Listpack<'a> {
    /// The next entry, which must be there and an integer.
    pub(crate) fn int(&mut self) -> Result<i64, ErrorKind> {
        match self.next()? {
            Some(Entry::Int(value)) => Ok(value),
            _ => Err(ErrorKind::Corrupt("listpack entry that should be an integer")),
        }
    }

    /// Stands where [`Packed::mark`] was taken.
    pub(crate) fn seek(&mut self, mark: Mark) {
        self.at = mark.at;
    }

    /// The longer encodings; also how many bytes they take without the back-length.
    #[inline]
    fn long(rest: &'a [u8], first: u8) -> Result<(Entry<'a>, usize), ErrorKind> {
        fn at<const N: usize>(rest: &[u8]) -> Result<[u8; N], ErrorKind> {
            bytes_at(rest, 1).ok_or(CUT)
        }
        Ok(match first {
            0xc0..=0xdf => {
                let [low] = at(rest)?;
                let value = u16::from(first & 0x1f) << 8 | u16::from(low);
                // 13 bits, two's complement.
                (Entry::Int(i64::from((value << 3) as i16 >> 3)), 2)
            }
            0xe0..=0xef => {
                let [low] = at(rest)?;
                let len = usize::from(first & 0x0f) << 8 | usize::from(low);
                (Entry::Text(rest.get(2..2 + len).ok_or(CUT)?), 2 + len)
            }
            0xf0 => {
                let len = u32::from_le_bytes(at(rest)?) as usize;
                let text = rest.get(5..).and_then(|text| text.get(..len)).ok_or(CUT)?;
                (Entry::Text(text), 5 + len)
            }
            0xf1 => (Entry::Int(i64::from(i16::from_le_bytes(at(rest)?))), 3),
            0xf2 => {
                let [a, b, c] = at(rest)?;
                (Entry::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)), 4)
            }
            0xf3 => (Entry::Int(i64::from(i32::from_le_bytes(at(rest)?))), 5),
            0xf4 => (Entry::Int(i64::from_le_bytes(at(rest)?)), 9),
            0xff => return Err(ErrorKind::Corrupt("listpack end mark before its end")),
            _ => return Err(ErrorKind::Corrupt("listpack entry encoding")),
        })
    }

    /// Checks the back-length that follows an entry of `size` bytes; returns its own length.
    #[inline(always)]
    fn check_back(rest: &[u8], size: usize) -> Result<usize, ErrorKind> {
        const BAD: ErrorKind = ErrorKind::Corrupt("listpack back-length");
        if size <= 127 {
            return if rest.get(size).copied() == Some(size as u8) { Ok(1) } else { Err(BAD) };
        }
        // The limits are one short of the powers of two: so the servers write it.
        let len = match size {
            ..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        let back = rest.get(size..size + len).ok_or(BAD)?;
        for (at, &byte) in back.iter().rev().enumerate() {
            let more = if at + 1 < len { 0x80 } else { 0 };
            if byte != (size >> (7 * at) & 0x7f) as u8 | more {
                return Err(BAD);
            }
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(entries: &[&[u8]], count: u16) -> Vec<u8> {
        let body = entries.concat();
        let total = (body.len() + 7) as u32;
        [&total.to_le_bytes()[..], &count.to_le_bytes(), &body, &[0xff]].concat()
    }

    fn all(bytes: &[u8], strict: bool) -> Result<Vec<Entry<'_>>, ErrorKind> {
        let mut pack = Listpack::open(bytes, strict)?;
        std::iter::from_fn(|| pack.next().transpose()).collect()
    }

    #[test]
    fn every_encoding() {
        let bytes = pack(
            &[
                b"\x7f\x01",
                b"\x83abc\x04",
                b"\xdf\xff\x02",
                b"\xcf\xff\x02",
                b"\xe0\x01x\x03",
                b"\xf0\x01\0\0\0y\x06",
                b"\xf1\x00\x80\x03",
                b"\xf2\xff\xff\xff\x04",
                b"\xf3\x00\x00\x00\x80\x05",
                b"\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09",
            ],
            10,
        );
        use Entry::{Int, Text};
        let expected = vec![
            Int(127),
            Text(b"abc"),
            Int(-1),
            Int(4095),
            Text(b"x"),
            Text(b"y"),
            Int(-32768),
            Int(-1),
            Int(i64::from(i32::MIN)),
            Int(i64::MAX),
        ];
        assert_eq!(all(&bytes, true), Ok(expected));
    }

    #[test]
    fn long_back_lengths() {
        for len in [127_usize, 128, 16_377, 16_378, 16_379, 70_000] {
            let size = len + 5;
            let mut entry = [&[0xf0][..], &(len as u32).to_le_bytes(), &vec![b'z'; len]].concat();
            let back = if size < 16_383 {
                vec![(size >> 7) as u8, (size & 127) as u8 | 128]
            } else {
                vec![(size >> 14) as u8, (size >> 7 & 127) as u8 | 128, (size & 127) as u8 | 128]
            };
            entry.extend(back);
            let bytes = pack(&[&entry, b"\x01\x01"], 2);
            assert_eq!(all(&bytes, true).unwrap().len(), 2, "{len}");
        }
    }

    #[test]
    fn bad_ones_are_refused() {
        for bytes in [
            &b""[..],
            b"\xff",
            b"\x07\0\0\0\0\0\xfe",
            b"\x08\0\0\0\0\0\xff",
            b"\x08\0\0\0\x01\0\x85\xff",
            b"\x09\0\0\0\x01\0\x01\x02\xff",
            b"\x09\0\0\0\x01\0\xff\x01\xff",
            b"\x0c\0\0\0\x01\0\xf0\xff\xff\xff\xff\xff",
            b"\x09\0\0\0\x01\0\xf5\x01\xff",
        ] {
            assert!(all(bytes, false).is_err(), "{bytes:?}");
        }
        // A wrong count matters to the strict only.
        let bytes = pack(&[b"\x01\x01"], 2);
        assert_eq!(all(&bytes, false), Ok(vec![Entry::Int(1)]));
        assert!(all(&bytes, true).is_err());
    }
}
