//! The fields of a hash as they lie in its frame, one after the other, with nothing built of them.

use crate::blob::Blob;
use crate::cursor::{Cursor, Limits};
use crate::encoding::Layout;
use crate::frame::Frame;
use crate::packed::{Entry, Listpack, Packed, Ziplist, Zipmap};

impl Frame<'_> {
    /// Shows the name and the value of every field to `visit`, in the dump's order, without
    /// decoding the hash: for whoever needs the bytes once and keeps none of them.
    ///
    /// `None` as soon as `visit` answers so, and for every frame that takes more than this: other
    /// types, fields that may expire by themselves or whose names are in a template, and a value
    /// that contradicts its format, of which `visit` may have seen a part. What is wrong with that
    /// one [`decode`](Self::decode) says; where this ends well, `decode` gives a hash of the same
    /// fields.
    ///
    /// ```
    /// use keystar_rdb::{Blob, Db, Encoding, Frame, Head, Kind};
    ///
    /// let head = Head::new(Db(0), Blob::from(b"key"), Encoding::plain(Kind::Hash));
    /// let frame = Frame::new(head, b"\x01\x03age\xc1\xd3\x1a", 0);
    /// let mut text = Vec::new();
    /// let shown = frame.for_each_field(|name, value| {
    ///     text.extend([name, b"=", value].concat());
    ///     Some(())
    /// });
    /// assert_eq!((shown, text), (Some(()), b"age=6867".to_vec()));
    /// ```
    #[inline]
    pub fn for_each_field(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Option<()>) -> Option<()> {
        let mut cursor = Cursor::new(self.payload, Limits::DEFAULT);
        let layout = self.head.encoding.layout;
        if layout == Layout::Hash {
            for _ in 0..cursor.len().ok()? {
                let (name, value) = (cursor.str().ok()?, cursor.str().ok()?);
                visit(&name, &value)?;
            }
            return (cursor.left() == 0).then_some(());
        }
        if !matches!(layout, Layout::HashListpack | Layout::HashZiplist | Layout::HashZipmap) {
            return None;
        }
        let packed = cursor.packed().ok()?;
        if cursor.left() > 0 {
            return None;
        }
        match layout {
            Layout::HashListpack => show(Listpack::open(&packed, false).ok()?, visit),
            Layout::HashZiplist => show(Ziplist::open(&packed, false).ok()?, visit),
            _ => show(Zipmap::open(&packed, false).ok()?, visit),
        }
    }
}

#[inline(always)]
fn show<'a, P: Packed<'a>>(
    mut pack: P,
    mut visit: impl FnMut(&[u8], &[u8]) -> Option<()>,
) -> Option<()> {
    // Where an integer is written out.
    let (mut name_digits, mut value_digits) = (Blob::empty(), Blob::empty());
    while let Some(name) = pack.next().ok()? {
        let value = pack.next().ok()??;
        visit(bytes(name, &mut name_digits), bytes(value, &mut value_digits))?;
    }
    Some(())
}

#[inline(always)]
fn bytes<'b>(entry: Entry<'b>, digits: &'b mut Blob<'static>) -> &'b [u8] {
    match entry {
        Entry::Text(bytes) => bytes,
        Entry::Int(value) => {
            *digits = Blob::from_i64(value);
            digits.as_bytes()
        }
    }
}
