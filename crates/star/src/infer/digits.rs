//! What a decimal number takes, told from its text.

/// The digits of a number that are not superfluous.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Digits {
    /// Before the point.
    pub(super) whole: u16,
    /// After the point.
    pub(super) scale: u16,
    /// The number, if it is a whole one of 64 bits.
    pub(super) integer: Option<i64>,
}

impl Digits {
    /// `None` for what is no decimal number.
    #[inline]
    pub(super) fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, digits) = match bytes {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        // The usual number: at most 18 digits, no point, no exponent.
        if matches!(digits.len(), 1..=18) && digits.iter().all(u8::is_ascii_digit) {
            let value =
                digits.iter().fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
            let whole = if value == 0 { 0 } else { value.ilog10() as u16 + 1 };
            let integer = Some(if negative { -value } else { value });
            return Some(Self { whole, scale: 0, integer });
        }
        Self::of_any(text, digits)
    }

    fn of_any(text: &str, digits: &[u8]) -> Option<Self> {
        let (mut seen, mut point, mut first, mut last) = (0i64, None, None, None);
        let mut exponent = 0i64;
        for (at, byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    if *byte != b'0' {
                        first.get_or_insert(seen);
                        last = Some(seen);
                    }
                    seen += 1;
                }
                b'.' if point.is_none() => point = Some(seen),
                b'e' | b'E' => {
                    exponent = std::str::from_utf8(digits.get(at + 1..)?).ok()?.parse().ok()?;
                    break;
                }
                _ => return None,
            }
        }
        if seen == 0 || exponent.abs() > 10_000 {
            return None;
        }
        let (Some(first), Some(last)) = (first, last) else {
            return Some(Self { whole: 0, scale: 0, integer: Some(0) });
        };
        // Places are counted from the point, that of the unit is 0.
        let unit = point.unwrap_or(seen) - 1 + exponent;
        let whole = u16::try_from((unit - first + 1).max(0)).ok()?;
        let scale = u16::try_from((last - unit).max(0)).ok()?;
        let integer = if scale == 0 && exponent == 0 {
            text.split('.').next().and_then(|whole| whole.parse().ok())
        } else {
            None
        };
        Some(Self { whole, scale, integer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superfluous_zeros_do_not_count() {
        let of = |text: &str| {
            Digits::of(text).map(|digits| (digits.whole, digits.scale, digits.integer))
        };
        assert_eq!(of("0"), Some((0, 0, Some(0))));
        assert_eq!(of("-0.00"), Some((0, 0, Some(0))));
        assert_eq!(of("42"), Some((2, 0, Some(42))));
        assert_eq!(of("-100"), Some((3, 0, Some(-100))));
        assert_eq!(of("0019.90"), Some((2, 1, None)));
        assert_eq!(of("0.005"), Some((0, 3, None)));
        assert_eq!(of("7.0"), Some((1, 0, Some(7))));
        assert_eq!(of("1.25e1"), Some((2, 1, None)));
        assert_eq!(of("1e3"), Some((4, 0, None)));
        assert_eq!(of("5E-3"), Some((0, 3, None)));
        assert_eq!(of("9223372036854775807"), Some((19, 0, Some(i64::MAX))));
        assert_eq!(of("9223372036854775808"), Some((19, 0, None)));
        let long = "9".repeat(60);
        assert_eq!(of(&long), Some((60, 0, None)));
        for other in ["", "-", "1a", "1.2.3", "e5", ".", "1e", "0x10", "1e99999999999"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
