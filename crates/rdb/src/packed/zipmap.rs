//! Zipmaps: small hashes before Redis 2.6.

use super::{Entry, Mark, Packed, bytes_at};
use crate::error::ErrorKind;

const END: u8 = 0xff;

const CUT: ErrorKind = ErrorKind::Corrupt("zipmap entry reaches beyond its end");

/// `count: u8, (name, value, unused bytes) …, 0xff`. Read as names and values by turns.
#[derive(Debug, Clone)]
pub(crate) struct Zipmap<'a> {
    /// All but the end mark.
    body: &'a [u8],
    at: usize,
    /// Whether a value is next.
    value: bool,
}

impl<'a> Packed<'a> for Zipmap<'a> {
    fn open(bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind> {
        let Some((&END, body)) = bytes.split_last() else {
            return Err(ErrorKind::Corrupt("zipmap without an end mark"));
        };
        let &count = body.first().ok_or(ErrorKind::Corrupt("zipmap header"))?;
        let this = Self { body, at: 1, value: false };
        if strict {
            let mut walk = this.clone();
            let mut entries = 0;
            while walk.next()?.is_some() {
                entries += 1;
            }
            if count < 254 && usize::from(count) * 2 != entries {
                return Err(ErrorKind::Corrupt("zipmap count"));
            }
        }
        Ok(this)
    }

    fn resume(bytes: &'a [u8], mark: Mark) -> Self {
        let body = bytes.split_last().map_or(bytes, |(_, body)| body);
        Self { body, at: mark.at, value: mark.memory != 0 }
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, memory: usize::from(self.value) }
    }

    fn at_end(&self) -> bool {
        self.at >= self.body.len()
    }

    fn bound(&self) -> usize {
        self.body.len()
    }

    fn next(&mut self) -> Result<Option<Entry<'a>>, ErrorKind> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let Some(&first) = rest.first() else { return Ok(None) };
        let (len, mut header) = match first {
            0xff => return Err(ErrorKind::Corrupt("zipmap end mark before its end")),
            0xfe => (u32::from_le_bytes(bytes_at(rest, 1).ok_or(CUT)?) as usize, 5),
            len => (usize::from(len), 1),
        };
        let mut unused = 0;
        if self.value {
            unused = usize::from(*rest.get(header).ok_or(CUT)?);
            header += 1;
        }
        let text = rest.get(header..).and_then(|text| text.get(..len)).ok_or(CUT)?;
        self.at += header + len + unused;
        if self.at > self.body.len() {
            return Err(CUT);
        }
        self.value = !self.value;
        Ok(Some(Entry::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_bytes_are_passed_over() {
        let bytes = b"\x02\x03foo\x03\x02bar..\x01k\x00\x00\xff";
        let mut map = Zipmap::open(bytes, true).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| map.next().unwrap()).collect();
        let text = |text: &'static [u8]| Entry::Text(text);
        assert_eq!(all, [text(b"foo"), text(b"bar"), text(b"k"), text(b"")]);
    }

    #[test]
    fn bad_ones_are_refused() {
        for bytes in
            [&b""[..], b"\xff", b"\x01\x03foo\x03\x09bar\xff", b"\x01\xfe\xff\xff\xff\xff\xff"]
        {
            assert!(Zipmap::open(bytes, true).is_err(), "{bytes:?}");
        }
    }
}
