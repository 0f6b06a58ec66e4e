//! A Redis string: any bytes, borrowed where they lie in the input, inline where they are short.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// The longest run of bytes that a [`Blob`] holds without a heap allocation of its own.
const INLINE: usize = 22;

/// A Redis string: bytes, not necessarily UTF-8.
///
/// It is borrowed from the input where the input holds the very bytes; integers of the packed
/// encodings are written out inline (no heap); only decompressed and very long owned strings
/// live on the heap. It is 24 bytes big, compares and hashes by its bytes, and derefs to `[u8]`.
///
/// ```
/// use keystar_rdb::Blob;
///
/// let blob = Blob::from_i64(-42);
/// assert_eq!(blob, *b"-42");
/// assert_eq!(blob.as_str(), Some("-42"));
/// ```
#[derive(Clone)]
pub struct Blob<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Inline { len: u8, bytes: [u8; INLINE] },
    Owned(Box<[u8]>),
}

impl<'a> Blob<'a> {
    /// The empty string.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Repr::Borrowed(&[]))
    }

    /// The decimal text of an integer, as Redis would answer it; never allocates.
    #[must_use]
    #[inline]
    pub fn from_i64(value: i64) -> Self {
        let mut bytes = [0_u8; INLINE];
        let len = match value {
            // Ages, counts and flags: most integers have few digits, which fit a register.
            0..100_000_000 => {
                let (mut word, mut rest, mut len) = (0_u64, value as u32, 0);
                loop {
                    word = word << 8 | u64::from(b'0') | u64::from(rest % 10);
                    rest /= 10;
                    len += 1;
                    if rest == 0 {
                        break;
                    }
                }
                bytes[..8].copy_from_slice(&word.to_le_bytes());
                len
            }
            _ => write_digits(value, &mut bytes),
        };
        Self(Repr::Inline { len, bytes })
    }

    /// An owned copy of the bytes; up to 22 bytes are held inline.
    #[must_use]
    #[inline]
    pub fn copied(bytes: &[u8]) -> Blob<'static> {
        if bytes.len() <= INLINE {
            let mut inline = [0_u8; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            Blob(Repr::Inline { len: bytes.len() as u8, bytes: inline })
        } else {
            Blob(Repr::Owned(bytes.into()))
        }
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Owned(bytes) => bytes,
        }
    }

    /// The bytes as text, if they are UTF-8.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The bytes as long as the input lives, if they are borrowed from it.
    #[must_use]
    #[inline]
    pub fn borrowed(&self) -> Option<&'a [u8]> {
        match self.0 {
            Repr::Borrowed(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A second handle on the same bytes: borrowed ones stay borrowed from the input, others are
    /// borrowed from `self`.
    #[must_use]
    #[inline]
    pub fn reborrow(&self) -> Blob<'_> {
        Blob(Repr::Borrowed(self.as_bytes()))
    }

    /// Cuts the tie to the input, copying the bytes if they are borrowed.
    #[must_use]
    #[inline]
    pub fn into_owned(self) -> Blob<'static> {
        match self.0 {
            Repr::Borrowed(bytes) => Blob::copied(bytes),
            Repr::Inline { len, bytes } => Blob(Repr::Inline { len, bytes }),
            Repr::Owned(bytes) => Blob(Repr::Owned(bytes)),
        }
    }

    /// The bytes as a vector, copied unless they are already on the heap.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Repr::Owned(bytes) => bytes.into_vec(),
            other => Blob(other).as_bytes().to_vec(),
        }
    }

    /// The bytes as a `Cow`, borrowed from the input where they can be.
    #[must_use]
    pub fn into_cow(self) -> Cow<'a, [u8]> {
        match self.0 {
            Repr::Borrowed(bytes) => Cow::Borrowed(bytes),
            other => Cow::Owned(Blob(other).into_vec()),
        }
    }
}

/// Writes the decimal text of an integer and returns its length.
fn write_digits(value: i64, bytes: &mut [u8; INLINE]) -> u8 {
    let magnitude = value.unsigned_abs();
    let sign = usize::from(value < 0);
    bytes[0] = b'-';
    let digits = magnitude.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = magnitude;
    for at in (sign..sign + digits).rev() {
        bytes[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    (sign + digits) as u8
}

impl Default for Blob<'_> {
    fn default() -> Self {
        Self::empty()
    }
}

impl Deref for Blob<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Blob<'_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<[u8]> for Blob<'_> {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<'a> From<&'a [u8]> for Blob<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Blob<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Blob<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Blob<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Vec<u8>> for Blob<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= INLINE {
            Blob::copied(&bytes)
        } else {
            Self(Repr::Owned(bytes.into_boxed_slice()))
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for Blob<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl PartialEq for Blob<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Blob<'_> {}

impl PartialEq<[u8]> for Blob<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Blob<'_> {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.as_bytes() == other
    }
}

impl PartialEq<str> for Blob<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Blob<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Blob<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Blob<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Blob<'_> {
    /// Escaped, and cut after 64 bytes: values may be large, and may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(self.as_bytes()))
    }
}

/// Bytes shown as a quoted, escaped text of at most 64 bytes.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if self.0.len() > SHOWN { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert_eq!(size_of::<Blob<'_>>(), 24);
        assert_eq!(size_of::<Option<Blob<'_>>>(), 24);
    }

    #[test]
    fn integers_read_as_decimal_text() {
        for power in 0..19 {
            for value in [10_i64.pow(power) - 1, 10_i64.pow(power), 7 * 10_i64.pow(power.min(17))] {
                assert_eq!(Blob::from_i64(value), *value.to_string().as_str());
                assert_eq!(Blob::from_i64(-value), *(-value).to_string().as_str());
            }
        }
        for value in [127, -128, i64::MAX, i64::MIN, 1_000_000_007] {
            assert_eq!(Blob::from_i64(value), *value.to_string().as_str());
        }
    }

    #[test]
    fn owned_is_equal_to_borrowed() {
        for len in [0, 1, 22, 23, 1000] {
            let bytes = vec![b'x'; len];
            let borrowed = Blob::from(bytes.as_slice());
            let owned = borrowed.clone().into_owned();
            assert_eq!(borrowed, owned);
            assert_eq!(owned.clone().into_vec(), bytes);
            assert_eq!(Blob::from(bytes.clone()), owned);
            assert!(owned.borrowed().is_none());
            assert_eq!(borrowed.borrowed(), Some(bytes.as_slice()));
        }
    }

    #[test]
    fn debug_is_escaped_and_cut() {
        assert_eq!(format!("{:?}", Blob::from(b"a\"\xff\n")), r#""a\"\xff\n""#);
        let long = vec![b'a'; 100];
        assert!(format!("{:?}", Blob::from(long)).ends_with("… (100 bytes)"));
    }
}
