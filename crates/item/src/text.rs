//! The end of a byte buffer, as the writers of text see it.
//!
//! The buffer is kept a little longer than what is written, so that text goes into it by copies of
//! fixed size, which compile to single moves; [`finish`](Text::finish) cuts the slack off. Text is
//! copied and searched for bytes to escape in the same pass, eight bytes at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How much longer than asked for the buffer becomes when it grows.
const SLACK: usize = 256;

/// Passed on by value from call to call: where the text ends then stays in a register, instead of
/// making each copy wait for the one before it to store where it ended.
#[must_use]
pub(crate) struct Text<'o> {
    out: &'o mut Vec<u8>,
    at: usize,
}

impl<'o> Text<'o> {
    /// Text that follows what `out` holds.
    pub(crate) fn after(out: &'o mut Vec<u8>) -> Self {
        let at = out.len();
        Self { out, at }
    }

    /// Text that goes on at that place, where `out` may hold what is to be overwritten: whoever
    /// does so again and again finds the room made.
    #[inline(always)]
    pub(crate) fn at(out: &'o mut Vec<u8>, at: usize) -> Self {
        Self { out, at }
    }

    pub(crate) fn finish(self) {
        self.out.truncate(self.at);
    }

    /// Where the text ends; what `out` holds beyond means nothing.
    #[inline(always)]
    pub(crate) fn end(&self) -> usize {
        self.at
    }

    /// Appends bytes of a length known at compile time.
    #[inline(always)]
    pub(crate) fn literal<const N: usize>(mut self, bytes: &[u8; N]) -> Self {
        self.room(N);
        if let Some(place) = self.out.get_mut(self.at..self.at + N) {
            place.copy_from_slice(bytes);
        }
        self.at += N;
        self
    }

    /// Appends bytes as they are, with what comes before and after them.
    #[inline(always)]
    pub(crate) fn plain<const B: usize, const A: usize>(
        mut self,
        before: &[u8; B],
        bytes: &[u8],
        after: &[u8; A],
    ) -> Self {
        self.place::<false, B, A>(before, bytes, after);
        self.at += B + bytes.len() + A;
        self
    }

    /// Appends the inside of a string in double quotes, for JSON and for Ion alike, with what comes
    /// before and after it: escapes what must be (the quote, the backslash, control characters) and
    /// nothing else.
    #[inline(always)]
    pub(crate) fn escaped<const B: usize, const A: usize>(
        mut self,
        before: &[u8; B],
        text: &str,
        after: &[u8; A],
    ) -> Self {
        if self.place::<false, B, A>(before, text.as_bytes(), after) != 0 {
            self.at += B;
            return self.escape(text.as_bytes()).literal(after);
        }
        self.at += B + text.len() + A;
        self
    }

    /// The same for bytes that may not be text; `None` if they are none. That most bytes are ASCII
    /// is seen on the way.
    #[inline(always)]
    pub(crate) fn checked<const B: usize, const A: usize>(
        mut self,
        before: &[u8; B],
        bytes: &[u8],
        after: &[u8; A],
    ) -> Option<Self> {
        if self.place::<true, B, A>(before, bytes, after) != 0 {
            return self.checked_again(before, bytes, after);
        }
        self.at += B + bytes.len() + A;
        Some(self)
    }

    #[inline(never)]
    fn checked_again<const B: usize, const A: usize>(
        self,
        before: &[u8; B],
        bytes: &[u8],
        after: &[u8; A],
    ) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(self.escaped(before, text, after))
    }

    /// Copies three pieces behind the text, which stays as long as it is: the result is not 0 if a
    /// byte of the middle one must be escaped, or is not `ASCII` where that is asked for.
    #[inline(always)]
    fn place<const ASCII: bool, const B: usize, const A: usize>(
        &mut self,
        before: &[u8; B],
        bytes: &[u8],
        after: &[u8; A],
    ) -> u64 {
        let length = B + bytes.len() + A;
        self.room(length);
        let Some(place) = self.out.get_mut(self.at..self.at + length) else { return 0 };
        let Some((first, place)) = place.split_first_chunk_mut::<B>() else { return 0 };
        let Some((middle, last)) = place.split_last_chunk_mut::<A>() else { return 0 };
        *first = *before;
        *last = *after;
        copy::<ASCII>(bytes, middle)
    }

    /// Appends base64 with padding.
    pub(crate) fn base64(mut self, bytes: &[u8]) -> Self {
        self.room(bytes.len().div_ceil(3) * 4);
        if let Some(place) = self.out.get_mut(self.at..) {
            // There is room: the call cannot fail.
            self.at += STANDARD.encode_slice(bytes, place).unwrap_or(0);
        }
        self
    }

    /// Copies the runs between bytes to escape; overwrites what [`escaped`](Self::escaped) tried.
    #[inline(never)]
    fn escape(mut self, mut bytes: &[u8]) -> Self {
        loop {
            // For the word, for the longest escape after it, and for what is left to copy.
            self.room(bytes.len() + 14);
            if let (Some(word), Some(place)) =
                (bytes.first_chunk::<8>(), self.out.get_mut(self.at..self.at + 8))
            {
                place.copy_from_slice(word);
                let marks = to_escape(u64::from_le_bytes(*word));
                let clean = (marks.trailing_zeros() / 8) as usize;
                self.at += clean;
                bytes = bytes.get(clean..).unwrap_or_default();
                if marks == 0 {
                    continue;
                }
            }
            let Some((&byte, rest)) = bytes.split_first() else { return self };
            bytes = rest;
            self = match ESCAPES[usize::from(byte)] {
                0 => self.literal(&[byte]),
                b'u' => {
                    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit & 15)];
                    self.literal(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte)])
                }
                short => self.literal(&[b'\\', short]),
            };
        }
    }

    #[inline(always)]
    fn room(&mut self, bytes: usize) {
        if self.out.len().wrapping_sub(self.at) < bytes {
            self.grow(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        self.out.resize(self.at + bytes + SLACK, 0);
    }
}

/// Copies a piece of text; the result is not 0 if a byte of it must be escaped, or is not `ASCII`
/// where that is asked for. A loop over words instead of `memcpy`, because most texts are shorter
/// than a call of it is worth.
#[inline(always)]
fn copy<const ASCII: bool>(from: &[u8], to: &mut [u8]) -> u64 {
    let to_escape = if ASCII { to_look_at } else { to_escape };
    let mut marks = 0;
    let (words, _) = from.as_chunks::<8>();
    let (places, _) = to.as_chunks_mut::<8>();
    for (word, place) in words.iter().zip(places) {
        marks |= to_escape(u64::from_le_bytes(*word));
        *place = *word;
    }
    // The last word overlaps the one before, where there is one.
    if let (Some(word), Some(place)) = (from.last_chunk::<8>(), to.last_chunk_mut::<8>()) {
        marks |= to_escape(u64::from_le_bytes(*word));
        *place = *word;
    } else if let (Some(head), Some(tail)) = (from.first_chunk::<4>(), from.last_chunk::<4>()) {
        if let Some(place) = to.first_chunk_mut::<4>() {
            *place = *head;
        }
        if let Some(place) = to.last_chunk_mut::<4>() {
            *place = *tail;
        }
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        marks |= to_escape(u64::from(head) | u64::from(tail) << 32);
    } else if let (Some(first), Some(last)) = (from.first(), from.last()) {
        // One to three bytes: the first, the last, and the one between, if any, is in the middle.
        let middle = from.len() / 2;
        if let (Some(byte), Some(place)) = (from.get(middle), to.get_mut(middle)) {
            *place = *byte;
            marks |= mark_of::<ASCII>(*byte);
        }
        if let Some(place) = to.first_mut() {
            *place = *first;
        }
        if let Some(place) = to.last_mut() {
            *place = *last;
        }
        marks |= mark_of::<ASCII>(*first) | mark_of::<ASCII>(*last);
    }
    marks
}

#[inline(always)]
fn mark_of<const ASCII: bool>(byte: u8) -> u64 {
    let beyond = if ASCII { byte & 0x80 } else { 0 };
    u64::from(ESCAPES[usize::from(byte)] | beyond)
}

/// Marks the bytes of a word that must be escaped with their top bit. Bytes above a marked one may
/// be marked wrongly, so only zero or not, and the lowest mark, mean something.
#[inline(always)]
pub(crate) const fn to_escape(word: u64) -> u64 {
    // Bytes of 0x80 and more are never escaped, so one `!word` serves all.
    below_or_special(word) & !word & (ONES * 0x80)
}

/// The same, and marks the bytes of 0x80 and more.
#[inline(always)]
const fn to_look_at(word: u64) -> u64 {
    (below_or_special(word) | word) & (ONES * 0x80)
}

const ONES: u64 = 0x0101_0101_0101_0101;

#[inline(always)]
const fn below_or_special(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    control | quote | backslash
}

/// What follows the backslash for each byte; 0 for bytes that stand for themselves.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        escapes[control] = b'u';
        control += 1;
    }
    escapes[0x08] = b'b';
    escapes[b'\t' as usize] = b't';
    escapes[b'\n' as usize] = b'n';
    escapes[0x0c] = b'f';
    escapes[b'\r' as usize] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = b"before ".to_vec();
        Text::after(&mut out).escaped(b"<", text, b">").finish();
        let text = String::from_utf8(out).unwrap();
        text.strip_prefix("before <").unwrap().strip_suffix(">").unwrap().to_owned()
    }

    #[test]
    fn every_ascii_byte_at_every_place_of_a_word() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=0x7fu8 {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let text = String::from_utf8(text).unwrap();
                    let expected = match byte {
                        b'"' | b'\\' => format!("\\{}", char::from(byte)),
                        0x08 => "\\b".to_owned(),
                        b'\t' => "\\t".to_owned(),
                        b'\n' => "\\n".to_owned(),
                        0x0c => "\\f".to_owned(),
                        b'\r' => "\\r".to_owned(),
                        0..0x20 => format!("\\u{byte:04x}"),
                        _ => char::from(byte).to_string(),
                    };
                    let expected =
                        format!("{}{expected}{}", "x".repeat(at), "x".repeat(length - at - 1));
                    assert_eq!(escaped(&text), expected);
                }
            }
        }
    }

    #[test]
    fn text_beyond_ascii_stands_for_itself() {
        for text in
            ["\u{7f}", "\u{80}", "é", "\u{2028}\u{2029}", "日本語テキスト", "a😀b", "\u{10ffff}"]
        {
            assert_eq!(escaped(text), text);
            assert_eq!(escaped(&format!("\"{text}\"")), format!("\\\"{text}\\\""));
        }
    }

    #[test]
    fn many_escapes_in_a_long_text() {
        for length in [0, 1, 255, 256, 257, 5000] {
            assert_eq!(escaped(&"\u{1}".repeat(length)), "\\u0001".repeat(length));
            assert_eq!(escaped(&"ab\"".repeat(length)), "ab\\\"".repeat(length));
        }
    }
}
