//! Small things about text that several readers and writers share.

use std::fmt;

/// Whether it may stand without quotes: letters, digits and `_`, not a digit first.
pub(crate) fn is_plain(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Text in double quotes, as TOML reads it.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                control if control.is_control() => write!(f, "\\u{:04X}", u32::from(control))?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Reads what [`Quoted`] writes, without the quote at the front; gives what follows the other.
pub(crate) fn unescape(text: &str) -> Option<(String, &str)> {
    let mut plain = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((plain, chars.as_str())),
            '\\' => plain.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => {
                    let (digits, rest) = chars.as_str().split_at_checked(4)?;
                    chars = rest.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                char => char,
            }),
            char => plain.push(char),
        }
    }
}

/// A name as a key of TOML: bare if it can be.
pub(crate) struct Key<'a>(pub(crate) &'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !self.0.is_empty() && self.0.bytes().all(bare) {
            f.write_str(self.0)
        } else {
            Quoted(self.0).fmt(f)
        }
    }
}

/// The candidate that was probably meant: near in letters, or the same but for case.
pub(crate) fn nearest<'a>(
    meant: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let meant = meant.to_ascii_lowercase();
    let most = match meant.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let distance = |candidate: &str| distance(&meant, &candidate.to_ascii_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out, replaced, or swapped with their neighbour.
/// Names longer than any that may be meant are far from everything.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > LONGEST {
        return if a == b { 0 } else { LONGEST };
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(LONGEST);
            let mut least = at(&last, j) + usize::from(x != y);
            least = least.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["partition_key", "sort_key", "orderid", "SK", "on"];
        assert_eq!(nearest("partition_kye", names), Some("partition_key"));
        assert_eq!(nearest("OrderId", names), Some("orderid"));
        assert_eq!(nearest("sk", names), Some("SK"));
        assert_eq!(nearest("no", names), Some("on"));
        assert_eq!(nearest("price", names), None);
        assert_eq!(nearest("x", names), None);
    }

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        assert_eq!(Key("GSI1-pk").to_string(), "GSI1-pk");
        assert_eq!(Key("a.b").to_string(), r#""a.b""#);
        assert_eq!(Key("").to_string(), r#""""#);
        assert_eq!(Key("a\"\n\u{1}").to_string(), "\"a\\\"\\n\\u0001\"");
    }
}
