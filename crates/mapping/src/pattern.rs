//! Which keys a rule is for, and what their parts are called.

use std::fmt;

use memchr::memmem::Finder;
use regex::bytes::Regex;

/// Most named segments of a pattern.
pub(crate) const MAX_SEGMENTS: usize = 8;

/// The values of a key's segments, in the order of their names.
pub(crate) type Segments<'k> = [&'k [u8]; MAX_SEGMENTS];

/// Which keys a rule is for.
#[derive(Debug)]
pub(crate) enum Pattern {
    Any,
    Glob(Regex),
    Named { names: Vec<String>, prefix: Vec<u8>, literals: Vec<Literal> },
    Regex { names: Vec<String>, regex: Regex },
}

/// The text that follows a segment; empty only after the last one.
pub(crate) struct Literal(Finder<'static>);

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

impl Literal {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Finder::new(bytes).into_owned())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.needle()
    }

    /// Cuts what precedes the literal, one byte at least, off `rest`. The last literal of a
    /// pattern stands at the very end.
    pub(crate) fn cut<'t>(&self, rest: &mut &'t [u8], is_last: bool) -> Option<&'t [u8]> {
        let at = if is_last {
            rest.ends_with(self.bytes()).then(|| rest.len() - self.bytes().len())?
        } else {
            self.0.find(rest.get(1..)?)? + 1
        };
        let (value, after) = rest.split_at_checked(at)?;
        *rest = after.get(self.bytes().len()..)?;
        (!value.is_empty()).then_some(value)
    }
}

impl Pattern {
    /// Reads a glob, or a pattern with named segments if it has a name in braces.
    pub(crate) fn keys(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let pieces = pieces(text)?;
        if !pieces.iter().any(|piece| matches!(piece, Piece::Name(_))) {
            return Ok(Self::Glob(glob(text)?));
        }
        let (mut prefix, mut names, mut literals) = (Vec::new(), Vec::new(), Vec::new());
        let mut literal: Option<Vec<u8>> = None;
        for piece in pieces {
            match piece {
                Piece::Text(text, bare) => {
                    if bare.contains(['*', '?', '[']) {
                        return Err(
                            "named segments and glob characters do not mix; write \\* for \
                                    a star, or give every segment a name"
                                .into(),
                        );
                    }
                    literal.as_mut().unwrap_or(&mut prefix).extend_from_slice(text.as_bytes());
                }
                Piece::Name(name) => {
                    if !is_name(&name) {
                        return Err(format!("{{{name}}} is no name of a segment"));
                    }
                    if name == "key" || name == "db" || names.contains(&name) {
                        return Err(format!("the name {{{name}}} is taken"));
                    }
                    match literal.replace(Vec::new()) {
                        Some(literal) if literal.is_empty() => {
                            return Err(format!("no text between {{{name}}} and what precedes it"));
                        }
                        Some(literal) => literals.push(Literal::new(&literal)),
                        None => {}
                    }
                    names.push(name);
                }
            }
        }
        literals.push(Literal::new(&literal.unwrap_or_default()));
        if names.len() > MAX_SEGMENTS {
            return Err(format!("more than {MAX_SEGMENTS} segments"));
        }
        Ok(Self::Named { names, prefix, literals })
    }

    /// Reads a regular expression that is to match all of a key.
    pub(crate) fn regex(text: &str) -> Result<Self, String> {
        let regex = Regex::new(&format!("^(?s:{text})$")).map_err(|error| {
            let error = error.to_string();
            error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        let names: Vec<String> = regex.capture_names().flatten().map(str::to_owned).collect();
        if names.len() > MAX_SEGMENTS {
            return Err(format!("more than {MAX_SEGMENTS} named groups"));
        }
        Ok(Self::Regex { names, regex })
    }

    /// The names of the segments.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Any | Self::Glob(_) => &[],
            Self::Named { names, .. } | Self::Regex { names, .. } => names,
        }
    }

    /// Whether the pattern matches all of the key.
    #[inline]
    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Glob(regex) | Self::Regex { regex, .. } => regex.is_match(key),
            Self::Named { .. } => self.segments(key).is_some(),
        }
    }

    /// The values of the segments, if the pattern matches all of the key.
    #[inline]
    pub(crate) fn segments<'k>(&self, key: &'k [u8]) -> Option<Segments<'k>> {
        let mut values: Segments<'k> = [&[]; MAX_SEGMENTS];
        match self {
            Self::Any => {}
            Self::Glob(regex) => return regex.is_match(key).then_some(values),
            Self::Named { prefix, literals, .. } => {
                let mut rest = key.strip_prefix(prefix.as_slice())?;
                for (index, (literal, value)) in literals.iter().zip(&mut values).enumerate() {
                    *value = literal.cut(&mut rest, index + 1 == literals.len())?;
                }
            }
            Self::Regex { names, regex } => {
                let captures = regex.captures(key)?;
                for (name, value) in names.iter().zip(&mut values) {
                    *value = captures.name(name).map_or(&[][..], |found| found.as_bytes());
                }
            }
        }
        Some(values)
    }

    /// The key whose segments have these values, if the pattern tells.
    pub(crate) fn key(&self, values: &[Option<Vec<u8>>; MAX_SEGMENTS]) -> Option<Vec<u8>> {
        let Self::Named { prefix, literals, .. } = self else { return None };
        let mut key = prefix.clone();
        for (value, literal) in values.iter().zip(literals) {
            key.extend_from_slice(value.as_ref()?);
            key.extend_from_slice(literal.bytes());
        }
        Some(key)
    }

    /// Two patterns with the same shape match the same keys.
    pub(crate) fn shape(&self) -> String {
        match self {
            Self::Any => "*".into(),
            Self::Glob(regex) | Self::Regex { regex, .. } => regex.as_str().into(),
            Self::Named { prefix, literals, .. } => format!("{prefix:?}{literals:?}"),
        }
    }
}

/// A piece of a pattern or a template.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text without its escapes; and what of it was not escaped.
    Text(String, String),
    /// What stands in braces.
    Name(String),
}

/// Cuts text at names in braces. A backslash takes the meaning of the character after it.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut literal, mut bare) = (Vec::new(), String::new(), String::new());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => literal.extend(chars.next()),
            '{' => {
                if !literal.is_empty() {
                    pieces
                        .push(Piece::Text(std::mem::take(&mut literal), std::mem::take(&mut bare)));
                }
                match chars.as_str().split_once('}') {
                    Some((name, after)) => {
                        pieces.push(Piece::Name(name.to_owned()));
                        chars = after.chars();
                    }
                    None => return Err("a brace is not closed; write \\{ for a brace".into()),
                }
            }
            '}' => return Err("a brace is not opened; write \\} for a brace".into()),
            char => {
                literal.push(char);
                bare.push(char);
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal, bare));
    }
    Ok(pieces)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Redis' glob as a regular expression, which takes no more than linear time.
fn glob(text: &str) -> Result<Regex, String> {
    let mut regex = String::from("^(?s-u:");
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'*' => regex.push_str(".*"),
            b'?' => regex.push('.'),
            b'[' => at = class(bytes, at, &mut regex),
            b'\\' if at < bytes.len() => {
                literal(bytes.get(at).copied().unwrap_or(byte), &mut regex);
                at += 1;
            }
            other => literal(other, &mut regex),
        }
    }
    regex.push_str(")$");
    Regex::new(&regex).map_err(|_| "glob is too long".into())
}

fn literal(byte: u8, regex: &mut String) {
    regex.push_str(&format!("\\x{byte:02x}"));
}

/// A class such as `[a-z]`; unclosed, it ends with the pattern, as in Redis.
fn class(bytes: &[u8], mut at: usize, regex: &mut String) -> usize {
    let negated = bytes.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut members = [false; 256];
    while let Some(&first) = bytes.get(at) {
        match (first, bytes.get(at + 1), bytes.get(at + 2)) {
            (b'\\', Some(&escaped), _) => {
                members[usize::from(escaped)] = true;
                at += 2;
            }
            (b']', ..) => {
                at += 1;
                break;
            }
            (_, Some(b'-'), Some(&last)) => {
                for byte in first.min(last)..=first.max(last) {
                    members[usize::from(byte)] = true;
                }
                at += 3;
            }
            _ => {
                members[usize::from(first)] = true;
                at += 1;
            }
        }
    }
    let wanted = (0..=u8::MAX).filter(|byte| members[usize::from(*byte)] != negated);
    let wanted: Vec<String> = wanted.map(|byte| format!("\\x{byte:02x}")).collect();
    if wanted.is_empty() {
        // Nothing matches an empty class.
        regex.push_str("[^\\x00-\\xff]");
    } else {
        regex.push_str(&format!("[{}]", wanted.concat()));
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(pattern: &str, key: &str) -> Option<Vec<String>> {
        let pattern = Pattern::keys(pattern).unwrap();
        let count = pattern.names().len();
        let values = pattern.segments(key.as_bytes())?;
        let owned = values.map(|value| Some(value.to_vec()));
        assert_eq!(pattern.key(&owned).unwrap(), key.as_bytes());
        Some(values[..count].iter().map(|value| String::from_utf8_lossy(value).into()).collect())
    }

    #[test]
    fn segments_reach_up_to_what_follows() {
        let some = |values: &[&str]| Some(values.iter().map(|&value| value.into()).collect());
        assert_eq!(segments("user:{id}", "user:1"), some(&["1"]));
        assert_eq!(segments("user:{id}", "user:1:x"), some(&["1:x"]));
        assert_eq!(segments("user:{id}", "user:"), None);
        assert_eq!(segments("user:{id}:orders", "user:1:orders"), some(&["1"]));
        assert_eq!(segments("user:{id}:orders", "user:1:orders:orders"), some(&["1:orders"]));
        assert_eq!(segments("user:{id}:orders", "user::orders"), None);
        assert_eq!(segments("{a}:{b}", "x:y:z"), some(&["x", "y:z"]));
        assert_eq!(segments("{a}:{b}", "::z"), some(&[":", "z"]));
        assert_eq!(segments("{a}:{b}.json", "x:y.json"), some(&["x", "y"]));
        assert_eq!(segments(r"\{{tag}\}:cart", "{7}:cart"), some(&["7"]));
    }

    #[test]
    fn bad_patterns_are_explained() {
        for (pattern, message) in [
            ("user:{id", "not closed"),
            ("user:id}", "not opened"),
            ("user:{id}{no}", "no text between"),
            ("user:{id}:{id}", "taken"),
            ("user:{key}", "taken"),
            ("user:{1}", "no name"),
            ("user:{id}:*", "do not mix"),
            ("{a}-{b}-{c}-{d}-{e}-{f}-{g}-{h}-{i}", "more than 8"),
        ] {
            let error = Pattern::keys(pattern).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
        assert_eq!(Pattern::regex("a(").unwrap_err(), "unclosed group");
    }

    #[test]
    fn globs_match_as_redis_does() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[]llo", "hllo", false),
            ("user:*:orders", "user:1:orders", true),
            ("user:*:orders", "user:1:order", false),
            ("a.c", "abc", false),
            ("*\n*", "a\nb", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "aXb", false),
            (r"[\]]", "]", true),
            ("[a", "a", true),
            (r"a\", r"a\", true),
            ("é*", "é1", true),
        ] {
            let matches = Pattern::keys(pattern).unwrap().matches(text.as_bytes());
            assert_eq!(matches, expected, "{pattern} {text}");
        }
        assert!(Pattern::keys("a?b*").unwrap().matches(b"a\xffb\xfe"));
    }

    #[test]
    fn regexes_name_their_groups() {
        let pattern = Pattern::regex("(?<kind>user|shop):(?<id>[0-9]+)").unwrap();
        assert_eq!(pattern.names(), ["kind", "id"]);
        assert_eq!(pattern.segments(b"shop:12").unwrap()[..2], [&b"shop"[..], b"12"]);
        assert!(pattern.segments(b"shop:12x").is_none());
        assert!(!Pattern::regex("a|b").unwrap().matches(b"ab"));
    }
}
