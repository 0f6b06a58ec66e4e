//! Ziplists (before Redis 7).

use super::{Entry, Mark, Packed, bytes_at};
use crate::error::ErrorKind;

const HEADER: usize = 10;
const END: u8 = 0xff;

const CUT: ErrorKind = ErrorKind::Corrupt("ziplist entry reaches beyond its end");

/// `total bytes: u32, offset of the last entry: u32, count: u16, entries …, 0xff`.
#[derive(Debug, Clone)]
pub(crate) struct Ziplist<'a> {
    /// All but the end mark.
    body: &'a [u8],
    at: usize,
    /// The length of the entry before `at`, which the next one must repeat.
    previous: usize,
}

impl<'a> Packed<'a> for Ziplist<'a> {
    fn open(bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind> {
        let Some((&END, body)) = bytes.split_last() else {
            return Err(ErrorKind::Corrupt("ziplist without an end mark"));
        };
        let header = (bytes_at(body, 0), bytes_at(body, 4), bytes_at(body, 8));
        let (Some(total), Some(tail), Some(count)) = header else {
            return Err(ErrorKind::Corrupt("ziplist header"));
        };
        if u32::from_le_bytes(total) as usize != bytes.len() {
            return Err(ErrorKind::Corrupt("ziplist length"));
        }
        let tail = u32::from_le_bytes(tail) as usize;
        if tail < HEADER || tail > body.len() {
            return Err(ErrorKind::Corrupt("ziplist tail"));
        }
        let this = Self { body, at: HEADER, previous: 0 };
        if strict {
            let mut walk = this.clone();
            let (mut entries, mut last) = (0, HEADER);
            loop {
                let at = walk.at;
                if walk.next()?.is_none() {
                    break;
                }
                (entries, last) = (entries + 1, at);
            }
            let count = u16::from_le_bytes(count);
            if count != u16::MAX && usize::from(count) != entries {
                return Err(ErrorKind::Corrupt("ziplist count"));
            }
            if tail != last {
                return Err(ErrorKind::Corrupt("ziplist tail"));
            }
        }
        Ok(this)
    }

    fn resume(bytes: &'a [u8], mark: Mark) -> Self {
        let body = bytes.split_last().map_or(bytes, |(_, body)| body);
        Self { body, at: mark.at, previous: mark.memory }
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, memory: self.previous }
    }

    fn at_end(&self) -> bool {
        self.at >= self.body.len()
    }

    fn bound(&self) -> usize {
        let fits = (self.body.len() - HEADER.min(self.body.len())) / 2;
        match bytes_at(self.body, 8).map(u16::from_le_bytes) {
            Some(count) if count != u16::MAX => fits.min(usize::from(count)),
            _ => fits,
        }
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Entry<'a>>, ErrorKind> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let Some(&first) = rest.first() else { return Ok(None) };
        let (previous, rest) = match first {
            0xff => return Err(ErrorKind::Corrupt("ziplist end mark before its end")),
            0xfe => {
                let long = u32::from_le_bytes(bytes_at(rest, 1).ok_or(CUT)?) as usize;
                (long, rest.get(5..).ok_or(CUT)?)
            }
            short => (usize::from(short), rest.get(1..).ok_or(CUT)?),
        };
        if previous != self.previous {
            return Err(ErrorKind::Corrupt("ziplist back-length"));
        }
        let (entry, size) = Self::entry(rest)?;
        let end = self.body.len() - rest.len() + size;
        (self.previous, self.at) = (end - self.at, end);
        Ok(Some(entry))
    }
}

impl<'a> Ziplist<'a> {
    /// The entry after its back-length; also how many bytes it takes.
    #[inline]
    fn entry(rest: &'a [u8]) -> Result<(Entry<'a>, usize), ErrorKind> {
        fn at<const N: usize>(rest: &[u8]) -> Result<[u8; N], ErrorKind> {
            bytes_at(rest, 1).ok_or(CUT)
        }
        let text = |header: usize, len: usize| {
            let text = rest.get(header..).and_then(|text| text.get(..len)).ok_or(CUT)?;
            Ok((Entry::Text(text), header + len))
        };
        let first = *rest.first().ok_or(CUT)?;
        Ok(match first {
            0..=0x3f => text(1, usize::from(first))?,
            0x40..=0x7f => {
                let [low] = at(rest)?;
                text(2, usize::from(first & 0x3f) << 8 | usize::from(low))?
            }
            0x80..=0xbf => text(5, u32::from_be_bytes(at(rest)?) as usize)?,
            0xc0 => (Entry::Int(i64::from(i16::from_le_bytes(at(rest)?))), 3),
            0xd0 => (Entry::Int(i64::from(i32::from_le_bytes(at(rest)?))), 5),
            0xe0 => (Entry::Int(i64::from_le_bytes(at(rest)?)), 9),
            0xf0 => {
                let [a, b, c] = at(rest)?;
                (Entry::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)), 4)
            }
            0xfe => (Entry::Int(i64::from(i8::from_le_bytes(at(rest)?))), 2),
            0xf1..=0xfd => (Entry::Int(i64::from(first & 0x0f) - 1), 1),
            _ => return Err(ErrorKind::Corrupt("ziplist entry encoding")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(entries: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        let (mut previous, mut tail) = (0, HEADER);
        for entry in entries {
            tail = HEADER + body.len();
            let start = body.len();
            if previous < 254 {
                body.push(previous as u8);
            } else {
                body.push(254);
                body.extend((previous as u32).to_le_bytes());
            }
            body.extend_from_slice(entry);
            previous = body.len() - start;
        }
        let total = (body.len() + 11) as u32;
        let count = entries.len() as u16;
        let header = [total.to_le_bytes(), (tail as u32).to_le_bytes()].concat();
        [&header[..], &count.to_le_bytes(), &body, &[0xff]].concat()
    }

    fn all(bytes: &[u8]) -> Result<Vec<Entry<'_>>, ErrorKind> {
        let mut pack = Ziplist::open(bytes, true)?;
        std::iter::from_fn(|| pack.next().transpose()).collect()
    }

    #[test]
    fn every_encoding() {
        use Entry::{Int, Text};
        let long = [&[0x41, 0x00][..], &[b'x'; 256]].concat();
        let bytes = pack(&[
            b"\x03abc",
            &long,
            b"\x80\0\0\0\x01y",
            b"\xc0\xff\xff",
            b"\xd0\0\0\0\x80",
            b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xf0\0\0\x80",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
        ]);
        let expected = vec![
            Text(b"abc"),
            Text(&[b'x'; 256]),
            Text(b"y"),
            Int(-1),
            Int(i64::from(i32::MIN)),
            Int(i64::MAX),
            Int(-(1 << 23)),
            Int(-128),
            Int(0),
            Int(12),
        ];
        assert_eq!(all(&bytes), Ok(expected));
    }

    #[test]
    fn bad_ones_are_refused() {
        let good = pack(&[b"\x01a", b"\x01b"]);
        assert!(all(&good).is_ok());
        for at in 0..good.len() {
            // No single changed byte but the letters goes unnoticed.
            if good[at] == b'a' || good[at] == b'b' {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            assert!(all(&bad).is_err(), "byte {at}");
            assert!(all(&good[..at]).is_err());
        }
    }
}
