//! A listpack as Redis builds it by appending.

/// Redis keeps a hash or sorted set packed up to these limits of `redis.conf`.
pub const MAX_VALUE_BYTES: usize = 64;

/// A listpack under construction; reusable.
#[derive(Debug)]
pub struct Listpack {
    bytes: Vec<u8>,
    count: u16,
}

impl Default for Listpack {
    fn default() -> Self {
        let mut new = Self { bytes: Vec::new(), count: 0 };
        new.clear();
        new
    }
}

impl Listpack {
    /// Empty again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; 6]);
        self.count = 0;
    }

    /// Bytes so far, with the header, without the end mark.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends an element: as an integer when its text is just that integer's, else as a string.
    pub fn push(&mut self, element: &[u8]) {
        match integer(element) {
            Some(value) => self.push_integer(value),
            None => self.push_string(element),
        }
    }

    /// Appends an integer in the shortest of its forms.
    pub fn push_integer(&mut self, value: i64) {
        let begin = self.bytes.len();
        let le = value.to_le_bytes();
        match value {
            0..=127 => self.bytes.push(value as u8),
            -4096..=4095 => {
                let bits = (value as u16) & 0x1fff;
                self.bytes.extend_from_slice(&[0xc0 | (bits >> 8) as u8, bits as u8]);
            }
            -0x8000..=0x7fff => self.tagged(0xf1, &le[..2]),
            -0x80_0000..=0x7f_ffff => self.tagged(0xf2, &le[..3]),
            -0x8000_0000..=0x7fff_ffff => self.tagged(0xf3, &le[..4]),
            _ => self.tagged(0xf4, &le),
        }
        self.close(begin);
    }

    fn push_string(&mut self, text: &[u8]) {
        let begin = self.bytes.len();
        match text.len() {
            length @ 0..64 => self.bytes.push(0x80 | length as u8),
            length @ 64..4096 => {
                self.bytes.extend_from_slice(&[0xe0 | (length >> 8) as u8, length as u8]);
            }
            length => self.tagged(0xf0, &(length as u32).to_le_bytes()),
        }
        self.bytes.extend_from_slice(text);
        self.close(begin);
    }

    fn tagged(&mut self, tag: u8, payload: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(payload);
    }

    /// The element's own length backwards, seven bits a byte, the top bit on all but the first.
    fn close(&mut self, begin: usize) {
        let length = self.bytes.len() - begin;
        let bytes = match length {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        for index in (0..bytes).rev() {
            let more = if index == bytes - 1 { 0 } else { 0x80 };
            self.bytes.push((length >> (7 * index)) as u8 & 0x7f | more);
        }
        self.count += 1;
    }

    /// The finished bytes; `clear` before the next.
    pub fn finish(&mut self) -> &[u8] {
        self.bytes.push(0xff);
        let total = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..6].copy_from_slice(&self.count.to_le_bytes());
        &self.bytes
    }
}

/// The number whose decimal text is exactly this: no sign but a minus, no leading zero.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [] => return None,
        [b'0'] if text.len() == 1 => return Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => {}
        _ => return None,
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("007", None),
            ("+1", None),
            ("", None),
            ("-", None),
            ("1.5", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text:?}");
        }
    }
}
