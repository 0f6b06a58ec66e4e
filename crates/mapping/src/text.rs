//! Redis' bytes as DynamoDB's text, so that the way back is certain.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::spec::Binary;

/// Begins text that stands for other bytes. Text that begins like this itself is written in
/// base64 as well, so no two names ever become the same.
const MARK: &str = "base64:";

/// The bytes are not text, and the rule refuses such bytes.
pub(crate) struct NotText;

/// The text of bytes that stand for themselves: what nearly all keys and names do.
#[inline]
pub(crate) fn plain(bytes: &[u8]) -> Option<&str> {
    if is_marked(bytes) { None } else { std::str::from_utf8(bytes).ok() }
}

/// Whether the bytes stand for others than themselves even if they are text.
#[inline]
pub(crate) fn is_marked(bytes: &[u8]) -> bool {
    // Most names do not begin with the mark's first letter: one look tells.
    match bytes.first() {
        None => true,
        Some(b'b') => bytes.starts_with(MARK.as_bytes()),
        Some(_) => false,
    }
}

/// The text that stands for a key or a name; never empty.
#[inline]
pub(crate) fn escape(bytes: &[u8], binary: Binary) -> Result<Cow<'_, str>, NotText> {
    match plain(bytes) {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => encode(bytes, binary).map(Cow::Owned),
    }
}

#[cold]
fn encode(bytes: &[u8], binary: Binary) -> Result<String, NotText> {
    if binary == Binary::Reject && std::str::from_utf8(bytes).is_err() {
        return Err(NotText);
    }
    Ok(format!("{MARK}{}", STANDARD.encode(bytes)))
}

/// The bytes that a text stands for.
pub(crate) fn unescape(text: &str) -> Option<Cow<'_, [u8]>> {
    match text.strip_prefix(MARK) {
        None => Some(Cow::Borrowed(text.as_bytes())),
        Some(encoded) => STANDARD.decode(encoded).ok().map(Cow::Owned),
    }
}

/// A key or a name as messages show it: escaped, and cut after 64 characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 64;
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        shown.extend(chunk.valid().chars().flat_map(char::escape_debug).take(SHOWN + 1));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        if shown.chars().count() > SHOWN {
            shown = shown.chars().take(SHOWN).collect();
            shown.push('…');
            break;
        }
    }
    shown
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

/// Sixteen digits that sort as the float does: by sign, then magnitude; every bit is kept.
pub(crate) fn sortable(float: f64) -> String {
    let bits = float.to_bits();
    let flip = if bits >> 63 == 0 { 1 << 63 } else { u64::MAX };
    format!("{:016x}", bits ^ flip)
}

/// The float that sixteen digits stand for.
pub(crate) fn unsortable(text: &str) -> Option<f64> {
    if text.len() != 16 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let bits = u64::from_str_radix(text, 16).ok()?;
    let flip = if bits >> 63 == 1 { 1 << 63 } else { u64::MAX };
    Some(f64::from_bits(bits ^ flip))
}

/// The length of the longest piece of at most `max` bytes that does not end within a character,
/// if the bytes before are text at all.
pub(crate) fn text_piece(bytes: &[u8], max: usize) -> Option<&str> {
    let piece = bytes.get(..max).unwrap_or(bytes);
    match std::str::from_utf8(piece) {
        Ok(text) => Some(text),
        // Only a character that is cut off at the end may be left over.
        Err(error) if error.error_len().is_none() && bytes.len() > piece.len() => {
            std::str::from_utf8(piece.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_bytes_come_back_and_never_meet() {
        let samples: [&[u8]; 8] =
            [b"", b"a", b"base64:", b"base64:YQ==", b"base64", "é".as_bytes(), b"\xff", b"\0"];
        let mut seen = std::collections::HashSet::new();
        for bytes in samples {
            let text = escape(bytes, Binary::Base64).ok().unwrap();
            assert!(!text.is_empty());
            assert_eq!(unescape(&text).unwrap(), bytes);
            assert!(seen.insert(text.into_owned()));
        }
        assert!(escape(b"\xff", Binary::Reject).is_err());
        assert!(escape(b"base64:", Binary::Reject).is_ok());
        assert!(unescape("base64:?").is_none());
    }

    #[test]
    fn sortable_scores_sort_and_come_back() {
        let scores = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -1.0,
            -f64::MIN_POSITIVE,
            -5e-324,
            -0.0,
            0.0,
            5e-324,
            0.1,
            1.0,
            1.5,
            2.0,
            1e300,
            f64::MAX,
            f64::INFINITY,
        ];
        let texts = scores.map(sortable);
        assert!(texts.is_sorted());
        for (text, score) in texts.iter().zip(scores) {
            assert_eq!(unsortable(text).unwrap().to_bits(), score.to_bits());
        }
        for bad in ["", "0", "BFF0000000000000", "+ff0000000000000"] {
            assert_eq!(unsortable(bad), None);
        }
    }

    #[test]
    fn shown_is_escaped_and_cut() {
        assert_eq!(shown(b"a\n\xff\xc3\xa9"), "a\\n\\xffé");
        assert_eq!(shown(&[b'a'; 100]).chars().count(), 65);
    }

    #[test]
    fn pieces_end_between_characters() {
        assert_eq!(text_piece("aé".as_bytes(), 2), Some("a"));
        assert_eq!(text_piece("aé".as_bytes(), 3), Some("aé"));
        assert_eq!(text_piece(b"a\xff", 2), None);
        assert_eq!(text_piece(b"a\xc3", 2), None);
    }
}
