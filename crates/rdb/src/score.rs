//! Scores of sorted sets.

use crate::error::ErrorKind;

const NAN: ErrorKind = ErrorKind::Corrupt("score that is not a number");

/// A score as text: a decimal number, `inf` or `-inf`, rounded to the nearest double.
pub(crate) fn parse(text: &[u8]) -> Result<f64, ErrorKind> {
    let score = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    score.ok_or(NAN).and_then(number)
}

/// A score as a double, which must be a number.
#[inline]
pub(crate) fn number(score: f64) -> Result<f64, ErrorKind> {
    if score.is_nan() { Err(NAN) } else { Ok(score) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_exact() {
        for (text, score) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("1.5", 1.5),
            ("3.0000000000000004", 3.000_000_000_000_000_4),
            ("1e+20", 1e20),
            ("17976931348623157e292", f64::MAX),
            ("4.9406564584124654e-324", f64::from_bits(1)),
            ("inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse(text.as_bytes()).map(f64::to_bits), Ok(score.to_bits()), "{text}");
        }
        for text in ["", "nan", "-nan", "x", "1 ", "0x10"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
