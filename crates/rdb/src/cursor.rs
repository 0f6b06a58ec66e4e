//! Reads the primitive encodings from a slice.

use crate::blob::Blob;
use crate::error::ErrorKind;
use crate::lzf;
use crate::stream::StreamId;

/// Largest sizes of what is held whole, as the caller allows them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) string: u64,
    pub(crate) packed: u64,
    /// Whether to refuse what Redis refuses in `RESTORE`, beyond what would be misread: wrong
    /// counts, duplicates, empty collections.
    pub(crate) strict: bool,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self { string: 512 << 20, packed: 1 << 30, strict: false };
}

/// A length, or one of the special encodings that stand in its place before strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Plain(u64),
    Int8,
    Int16,
    Int32,
    Lzf,
}

/// Where a string lies, told by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain { len: u64 },
    Int { len: u64 },
    Lzf { compressed: u64, original: u64 },
}

impl Shape {
    /// How many bytes follow the header.
    pub(crate) const fn follows(self) -> u64 {
        match self {
            Self::Plain { len } | Self::Int { len } => len,
            Self::Lzf { compressed, .. } => compressed,
        }
    }
}

/// A slice and a place in it. Whatever is not all there is [`ErrorKind::Truncated`].
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(crate) limits: Limits,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { bytes, at: 0, limits }
    }

    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A capacity for `count` elements that take at least `each` bytes: never more than the bytes
    /// that are left can hold.
    pub(crate) fn capacity(&self, count: u64, each: usize) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.left() / each.max(1))
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, ErrorKind> {
        let byte = *self.bytes.get(self.at).ok_or(ErrorKind::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], ErrorKind> {
        let len = usize::try_from(len).map_err(|_| ErrorKind::Truncated)?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(ErrorKind::Truncated)?;
        self.at += len;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ErrorKind> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let array = *rest.first_chunk::<N>().ok_or(ErrorKind::Truncated)?;
        self.at += N;
        Ok(array)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, ErrorKind> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, ErrorKind> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// The id of a stream entry as 16 raw bytes.
    pub(crate) fn raw_id(&mut self) -> Result<StreamId, ErrorKind> {
        let ms = u64::from_be_bytes(self.array()?);
        Ok(StreamId { ms, seq: u64::from_be_bytes(self.array()?) })
    }

    /// The id of a stream entry as two lengths.
    pub(crate) fn len_id(&mut self) -> Result<StreamId, ErrorKind> {
        Ok(StreamId { ms: self.len()?, seq: self.len()? })
    }

    #[inline]
    pub(crate) fn length(&mut self) -> Result<Length, ErrorKind> {
        let first = self.u8()?;
        Ok(match first >> 6 {
            0 => Length::Plain(u64::from(first)),
            1 => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.u8()?)),
            2 => match first {
                0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
                0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
                _ => return Err(ErrorKind::Corrupt("length encoding")),
            },
            _ => match first & 0x3f {
                0 => Length::Int8,
                1 => Length::Int16,
                2 => Length::Int32,
                3 => Length::Lzf,
                _ => return Err(ErrorKind::Corrupt("string encoding")),
            },
        })
    }

    #[inline]
    pub(crate) fn len(&mut self) -> Result<u64, ErrorKind> {
        match self.length()? {
            Length::Plain(len) => Ok(len),
            _ => Err(ErrorKind::Corrupt("string encoding where a length belongs")),
        }
    }

    /// The header of a string; the bytes that it announces need not be there.
    #[inline]
    pub(crate) fn shape(&mut self) -> Result<Shape, ErrorKind> {
        Ok(match self.length()? {
            Length::Plain(len) => Shape::Plain { len },
            Length::Int8 => Shape::Int { len: 1 },
            Length::Int16 => Shape::Int { len: 2 },
            Length::Int32 => Shape::Int { len: 4 },
            Length::Lzf => Shape::Lzf { compressed: self.len()?, original: self.len()? },
        })
    }

    /// A string: a key, a member, an item.
    #[inline]
    pub(crate) fn str(&mut self) -> Result<Blob<'a>, ErrorKind> {
        self.bounded("string", self.limits.string)
    }

    /// A string that holds a packed value.
    #[inline]
    pub(crate) fn packed(&mut self) -> Result<Blob<'a>, ErrorKind> {
        self.bounded("packed value", self.limits.packed)
    }

    #[inline]
    fn bounded(&mut self, what: &'static str, limit: u64) -> Result<Blob<'a>, ErrorKind> {
        match self.shape()? {
            Shape::Plain { len } if len <= limit => self.take(len).map(Blob::from),
            Shape::Lzf { compressed, original } if original <= limit => {
                lzf::decompress(self.take(compressed)?, original).map(Blob::from)
            }
            Shape::Int { len } => {
                let value = match len {
                    1 => i64::from(i8::from_le_bytes(self.array()?)),
                    2 => i64::from(i16::from_le_bytes(self.array()?)),
                    _ => i64::from(i32::from_le_bytes(self.array()?)),
                };
                Ok(Blob::from_i64(value))
            }
            Shape::Plain { .. } | Shape::Lzf { .. } => Err(ErrorKind::TooLarge { what, limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(bytes: &[u8]) -> Cursor<'_> {
        Cursor::new(bytes, Limits::DEFAULT)
    }

    #[test]
    fn lengths() {
        for (bytes, len) in [
            (&[0x3f_u8][..], 63),
            (&[0x41, 0x02], 0x102),
            (&[0x80, 0, 1, 0, 0], 65536),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
        ] {
            assert_eq!(cursor(bytes).len(), Ok(len));
            assert_eq!(cursor(&bytes[..bytes.len() - 1]).len(), Err(ErrorKind::Truncated));
        }
        assert!(matches!(cursor(&[0x82, 0, 0]).len(), Err(ErrorKind::Corrupt(_))));
        assert!(matches!(cursor(&[0xc0, 0, 0]).len(), Err(ErrorKind::Corrupt(_))));
        assert!(matches!(cursor(&[0xc4, 0, 0]).str(), Err(ErrorKind::Corrupt(_))));
    }

    #[test]
    fn strings() {
        assert_eq!(cursor(b"\x03foo").str(), Ok("foo".into()));
        assert_eq!(cursor(b"\xc0\xff").str(), Ok("-1".into()));
        assert_eq!(cursor(b"\xc1\x00\x80").str(), Ok("-32768".into()));
        assert_eq!(cursor(b"\xc2\xff\xff\xff\x7f").str(), Ok("2147483647".into()));
        assert_eq!(cursor(b"\xc3\x06\x0c\x01ab\xe0\x01\x01").str(), Ok("abababababab".into()));
        assert_eq!(cursor(b"\x04foo").str(), Err(ErrorKind::Truncated));
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        let huge = [0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(cursor(&huge).str(), Err(ErrorKind::TooLarge { .. })));
        assert_eq!(cursor(&[0x80, 0x10, 0, 0, 0]).str(), Err(ErrorKind::Truncated));
    }
}
