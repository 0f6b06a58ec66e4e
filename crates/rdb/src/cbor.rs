//! CBOR (RFC 8949) as RedisJSON of Redis 8.8 writes documents, with typed arrays (RFC 8746).

use crate::error::ErrorKind;
use crate::json::{Json, utf8};

const BAD: ErrorKind = ErrorKind::Corrupt("CBOR document");

/// The private tag of arrays of bfloat16.
const TAG_BF16: u64 = 65_536;

/// Reads one document that takes all bytes.
pub(crate) fn document(bytes: &[u8]) -> Result<Json, ErrorKind> {
    let mut reader = Reader { bytes };
    let json = reader.value(Json::MAX_DEPTH)?;
    if reader.bytes.is_empty() { Ok(json) } else { Err(BAD) }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: u64) -> Result<&'a [u8], ErrorKind> {
        let len = usize::try_from(len).map_err(|_| BAD)?;
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(BAD)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The major type, the low five bits, and the argument of the next item.
    fn head(&mut self) -> Result<(u8, u8, u64), ErrorKind> {
        let first = self.take(1)?.first().copied().ok_or(BAD)?;
        let low = first & 0x1f;
        let argument = match low {
            0..=23 => u64::from(low),
            24..=27 => {
                let bytes = self.take(1 << (low - 24))?;
                bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
            }
            // Indefinite lengths: the writer has none.
            _ => return Err(BAD),
        };
        Ok((first >> 5, low, argument))
    }

    fn text(&mut self) -> Result<String, ErrorKind> {
        match self.head()? {
            (3, _, len) => utf8(self.take(len)?),
            _ => Err(BAD),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, ErrorKind> {
        let (major, low, argument) = self.head()?;
        Ok(match (major, low) {
            (0, _) => Json::Number(argument.to_string()),
            (1, _) => Json::Number((-1 - i128::from(argument)).to_string()),
            (3, _) => Json::String(utf8(self.take(argument)?)?),
            (4, _) => {
                let depth = depth.checked_sub(1).ok_or(ErrorKind::TooDeep)?;
                // Each item takes a byte at least.
                let mut items = Vec::with_capacity(self.capacity(argument, 1));
                for _ in 0..argument {
                    items.push(self.value(depth)?);
                }
                Json::Array(items)
            }
            (5, _) => {
                let depth = depth.checked_sub(1).ok_or(ErrorKind::TooDeep)?;
                let mut members = Vec::with_capacity(self.capacity(argument, 2));
                for _ in 0..argument {
                    members.push((self.text()?, self.value(depth)?));
                }
                Json::Object(members)
            }
            (6, _) => {
                // A typed array nests like any other.
                depth.checked_sub(1).ok_or(ErrorKind::TooDeep)?;
                self.typed_array(argument)?
            }
            (7, 20) => Json::Bool(false),
            (7, 21) => Json::Bool(true),
            (7, 22) => Json::Null,
            (7, 25) => Json::from_f64(half(argument as u16))?,
            (7, 26) => Json::from_f64(f64::from(f32::from_bits(argument as u32)))?,
            (7, 27) => Json::from_f64(f64::from_bits(argument))?,
            _ => return Err(BAD),
        })
    }

    /// Numbers of one type in a byte string, little-endian.
    fn typed_array(&mut self, tag: u64) -> Result<Json, ErrorKind> {
        let (2, _, len) = self.head()? else { return Err(BAD) };
        let bytes = self.take(len)?;
        match tag {
            64 => numbers(bytes, |[byte]: [u8; 1]| Ok(byte.to_string())),
            72 => numbers(bytes, |byte| Ok(i8::from_le_bytes(byte).to_string())),
            69 => numbers(bytes, |bytes| Ok(u16::from_le_bytes(bytes).to_string())),
            77 => numbers(bytes, |bytes| Ok(i16::from_le_bytes(bytes).to_string())),
            70 => numbers(bytes, |bytes| Ok(u32::from_le_bytes(bytes).to_string())),
            78 => numbers(bytes, |bytes| Ok(i32::from_le_bytes(bytes).to_string())),
            71 => numbers(bytes, |bytes| Ok(u64::from_le_bytes(bytes).to_string())),
            79 => numbers(bytes, |bytes| Ok(i64::from_le_bytes(bytes).to_string())),
            84 => numbers(bytes, |bytes| float(half(u16::from_le_bytes(bytes)))),
            85 => numbers(bytes, |bytes| float(f64::from(f32::from_le_bytes(bytes)))),
            86 => numbers(bytes, |bytes| float(f64::from_le_bytes(bytes))),
            TAG_BF16 => numbers(bytes, |bytes| {
                // The upper half of a 32-bit float.
                let bits = u32::from(u16::from_le_bytes(bytes)) << 16;
                float(f64::from(f32::from_bits(bits)))
            }),
            _ => Err(BAD),
        }
    }

    fn capacity(&self, count: u64, each: usize) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.bytes.len() / each)
    }
}

fn numbers<const N: usize>(
    bytes: &[u8],
    text: impl Fn([u8; N]) -> Result<String, ErrorKind>,
) -> Result<Json, ErrorKind> {
    let (chunks, []) = bytes.as_chunks::<N>() else { return Err(BAD) };
    let items = chunks.iter().map(|&chunk| text(chunk).map(Json::Number));
    items.collect::<Result<_, _>>().map(Json::Array)
}

fn float(value: f64) -> Result<String, ErrorKind> {
    match Json::from_f64(value)? {
        Json::Number(text) => Ok(text),
        _ => Err(BAD),
    }
}

/// A 16-bit float: 1 bit of sign, 5 of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1024.0 + fraction) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, ErrorKind> {
        document(bytes).map(|json| json.to_string())
    }

    #[test]
    fn examples_of_the_rfc() {
        for (bytes, json) in [
            (&b"\x00"[..], "0"),
            (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "-18446744073709551616"),
            (b"\x39\x03\xe7", "-1000"),
            (b"\xf9\x3c\x00", "1.0"),
            (b"\xf9\x7b\xff", "65504.0"),
            (b"\xf9\x00\x01", "5.960464477539063e-8"),
            (b"\xf9\xc4\x00", "-4.0"),
            (b"\xfa\x47\xc3\x50\x00", "100000.0"),
            (b"\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "1e300"),
            (b"\xa2\x61a\x01\x61b\x82\x02\x03", r#"{"a":1,"b":[2,3]}"#),
            (b"\x84\xf4\xf5\xf6\x60", r#"[false,true,null,""]"#),
        ] {
            assert_eq!(text(bytes).as_deref(), Ok(json));
        }
    }

    #[test]
    fn typed_arrays() {
        for (bytes, json) in [
            (&b"\xd8\x40\x43\x01\x02\xff"[..], "[1,2,255]"),
            (b"\xd8\x48\x42\x01\xff", "[1,-1]"),
            (b"\xd8\x4d\x42\xfe\xff", "[-2]"),
            (b"\xd8\x54\x42\x00\x3e", "[1.5]"),
            (b"\xd8\x55\x44\x00\x00\x20\x40", "[2.5]"),
            (b"\xda\x00\x01\x00\x00\x42\xc0\x3f", "[1.5]"),
        ] {
            assert_eq!(text(bytes).as_deref(), Ok(json));
        }
        assert!(text(b"\xd8\x4d\x43\xfe\xff\x00").is_err());
    }

    #[test]
    fn bad_documents_are_refused() {
        for bytes in [
            &b""[..],
            b"\x18",
            b"\x1c",
            b"\x9f\xff",
            b"\x61",
            b"\x61\xff",
            b"\xa1\x01\x02",
            b"\x00\x00",
            b"\xf9\x7c\x00",
            b"\x41a",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(document(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(document(&[0x81; 1_000_000]), Err(ErrorKind::TooDeep));
    }
}
