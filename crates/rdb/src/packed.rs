//! Packed values: small collections that the server keeps, and dumps, as one run of bytes.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

pub(crate) use intset::Intset;
pub(crate) use listpack::Listpack;
pub(crate) use ziplist::Ziplist;
pub(crate) use zipmap::Zipmap;

use crate::blob::Blob;
use crate::error::ErrorKind;

/// One entry of a packed value. Integers stand for their decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Int(i64),
    Text(&'a [u8]),
}

impl<'a> Entry<'a> {
    #[inline]
    pub(crate) fn into_blob(self) -> Blob<'a> {
        match self {
            Self::Int(value) => Blob::from_i64(value),
            Self::Text(bytes) => bytes.into(),
        }
    }

    /// The same, written where it is to stay.
    #[inline(always)]
    pub(crate) fn write_to(self, blob: &mut Blob<'a>) {
        match self {
            Self::Int(value) => *blob = Blob::from_i64(value),
            Self::Text(bytes) => *blob = bytes.into(),
        }
    }
}

/// A packed value that is read entry by entry, and can be left and taken up again.
pub(crate) trait Packed<'a>: Sized {
    /// Checks what can be checked without walking, and stands before the first entry.
    fn open(bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind>;

    /// Stands where [`Packed::mark`] was taken from a value over the same bytes.
    fn resume(bytes: &'a [u8], mark: Mark) -> Self;

    fn mark(&self) -> Mark;

    fn next(&mut self) -> Result<Option<Entry<'a>>, ErrorKind>;

    fn at_end(&self) -> bool;

    /// At most how many entries there are.
    fn bound(&self) -> usize;
}

/// A place between two entries of a packed value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    /// What else the layout has to remember: a ziplist the length of the previous entry.
    pub(crate) memory: usize,
}

/// `N` bytes at a place, if they are there.
#[inline]
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
