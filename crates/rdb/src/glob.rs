//! Redis' own glob matching, on bytes.

/// Whether the text matches the pattern as `KEYS` and `SCAN` would say.
///
/// Only the last `*` is ever tried again, so the time is at most the product of the two lengths.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        if let (Some(_), Some(&byte)) = (pattern.get(p), text.get(t)) {
            let (hit, next) = one(pattern, p, byte);
            if hit {
                (p, t) = (next, t + 1);
                continue;
            }
        }
        // A dead end: let the last star swallow one byte more.
        match &mut star {
            Some((after, from)) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            _ => return false,
        }
    }
}

/// Whether one byte matches the pattern's element at `p`, and where the next element begins.
fn one(pattern: &[u8], p: usize, byte: u8) -> (bool, usize) {
    match pattern.get(p) {
        Some(b'?') => (true, p + 1),
        Some(b'[') => class(pattern, p + 1, byte),
        Some(b'\\') if p + 1 < pattern.len() => (pattern.get(p + 1) == Some(&byte), p + 2),
        other => (other == Some(&byte), p + 1),
    }
}

fn class(pattern: &[u8], mut p: usize, byte: u8) -> (bool, usize) {
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut hit = false;
    // An unclosed class ends with the pattern, as in Redis.
    while let Some(&first) = pattern.get(p) {
        match (first, pattern.get(p + 1), pattern.get(p + 2)) {
            (b'\\', Some(&literal), _) => {
                hit |= literal == byte;
                p += 2;
            }
            (b']', ..) => {
                p += 1;
                break;
            }
            (_, Some(b'-'), Some(&last)) => {
                hit |= (first.min(last)..=first.max(last)).contains(&byte);
                p += 3;
            }
            _ => {
                hit |= first == byte;
                p += 1;
            }
        }
    }
    (hit != negated, p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_redis_does() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("user:*:orders", "user:1:orders", true),
            ("user:*:orders", "user:1:order", false),
            ("a*b*c", "aXbXbXc", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "aXb", false),
            (r"[\]]", "]", true),
            ("[a", "a", true),
            (r"a\", r"a\", true),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = b"*a".repeat(200);
        let text = vec![b'b'; 20_000];
        assert!(!matches(&pattern, &text));
    }
}
