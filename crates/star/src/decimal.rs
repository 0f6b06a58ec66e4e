//! Decimal numbers from their text, exact: what does not fit is an error, never rounded.
//!
//! ```
//! use keystar_star::decimal::{self, DecimalError};
//!
//! assert_eq!(decimal::unscaled("12.5", 10, 2), Ok(1250));
//! assert_eq!(decimal::unscaled("1e3", 10, 2), Ok(100_000));
//! assert_eq!(decimal::unscaled("1.005", 10, 2), Err(DecimalError::Inexact));
//! ```

/// The most digits of a decimal.
pub const MAX_PRECISION: u8 = 38;

/// Why a text is no decimal of a precision and scale.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// The text is no number: `sign? digits [. digits] [e sign? digits]`.
    #[error("not a number")]
    NotANumber,
    /// It has more digits than fit.
    #[error("more digits than the decimal holds")]
    TooManyDigits,
    /// It has digits after the point that the scale does not hold.
    #[error("more decimal places than the decimal holds")]
    Inexact,
}

/// The number as so many units of `10^-scale`, exact.
///
/// Zeros at either end do not count: `1.500` fits a scale of 1. `1e3` is 1000, and an exponent of
/// any size costs nothing. No space, no `NaN`, no infinity.
///
/// # Errors
///
/// [`DecimalError`]: where the number has more than `precision` digits in all, or more than
/// `precision - scale` before the point, or more than `scale` after it, the value is refused.
#[inline]
pub fn unscaled(text: &str, precision: u8, scale: u8) -> Result<i128, DecimalError> {
    if let Some(units) = short(text.as_bytes(), scale) {
        return match units.unsigned_abs() < limit(precision)? {
            true => Ok(units),
            false => Err(DecimalError::TooManyDigits),
        };
    }
    Digits::read(text.as_bytes())?.units(precision, scale)
}

/// The whole number, exact: `1e3` and `7.0` are whole.
///
/// # Errors
///
/// [`DecimalError::Inexact`] for a fraction, [`DecimalError::TooManyDigits`] beyond 64 bits.
#[inline]
pub fn integer(text: &str) -> Result<i64, DecimalError> {
    unscaled(text, 19, 0)?.try_into().map_err(|_| DecimalError::TooManyDigits)
}

/// How many digits a number needs before the point and after it, without superfluous zeros: what
/// the smallest decimal that holds it must have. `0` needs none.
///
/// ```
/// use keystar_star::decimal;
///
/// assert_eq!(decimal::digits("-120.50"), Ok((3, 1)));
/// assert_eq!(decimal::digits("0.005"), Ok((0, 3)));
/// assert_eq!(decimal::digits("1e3"), Ok((4, 0)));
/// ```
///
/// # Errors
///
/// [`DecimalError::NotANumber`], and [`DecimalError::TooManyDigits`] for more than 38 significant
/// ones.
pub fn digits(text: &str) -> Result<(u32, u32), DecimalError> {
    let digits = Digits::read(text.as_bytes())?;
    if digits.value == 0 {
        return Ok((0, 0));
    }
    let places = u32::try_from(digits.power.saturating_neg()).unwrap_or(0);
    let count = digits.value.ilog10() + 1;
    let whole = i64::from(count).saturating_add(digits.power);
    Ok((whole.clamp(0, u32::MAX.into()) as u32, places))
}

/// `10^precision`, the first number with more digits.
#[inline]
fn limit(precision: u8) -> Result<u128, DecimalError> {
    TENS.get(usize::from(precision)).copied().ok_or(DecimalError::TooManyDigits)
}

const TENS: [u128; 39] = {
    let mut tens = [1; 39];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// Plain notation of at most 18 digits, which is nearly every number: no overflow to look after.
/// `None` says only that the long way is needed.
#[inline]
fn short(text: &[u8], scale: u8) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (mut value, mut point) = (0_u64, None);
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(index),
            _ => return None,
        }
    }
    let places = match point {
        None => 0,
        Some(_) if digits.len() == 1 => return None,
        Some(point) => digits.len() - 1 - point,
    };
    let shift = usize::from(scale).checked_sub(places)?;
    let units = i128::from(value).checked_mul(i128::try_from(*TENS.get(shift)?).ok()?)?;
    Some(if negative { -units } else { units })
}

/// A number as `value * 10^power`, the value without zeros at its end.
struct Digits {
    negative: bool,
    value: u128,
    power: i64,
}

impl Digits {
    fn read(text: &[u8]) -> Result<Self, DecimalError> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(matches!(text.first(), Some(b'-' | b'+')));
        let mut number = Self { negative, value: 0, power: 0 };
        // Zeros wait until a digit shows that they count.
        let (mut count, mut zeros, mut seen, mut point) = (0_u32, 0_u32, false, false);
        let mut exponent = 0_i64;
        let mut bytes = text.get(start..).unwrap_or_default().iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    number.power -= i64::from(point);
                    if *byte == b'0' {
                        zeros = zeros.saturating_add(u32::from(count > 0));
                        continue;
                    }
                    let more = zeros.saturating_add(1);
                    count = count.saturating_add(more);
                    if count > u32::from(MAX_PRECISION) {
                        return Err(rest_is_number(bytes.as_slice(), point));
                    }
                    let shift = TENS.get(more as usize).ok_or(DecimalError::TooManyDigits)?;
                    number.value = number.value * shift + u128::from(byte - b'0');
                    zeros = 0;
                }
                b'.' if !point => point = true,
                b'e' | b'E' if seen => {
                    exponent = read_exponent(bytes.as_slice())?;
                    break;
                }
                _ => return Err(DecimalError::NotANumber),
            }
        }
        if !seen {
            return Err(DecimalError::NotANumber);
        }
        number.power = number.power.saturating_add(i64::from(zeros)).saturating_add(exponent);
        Ok(number)
    }

    fn units(&self, precision: u8, scale: u8) -> Result<i128, DecimalError> {
        if self.value == 0 {
            return Ok(0);
        }
        let shift = self.power.saturating_add(i64::from(scale));
        if shift < 0 {
            // The value has no zeros at its end that could be dropped.
            return Err(DecimalError::Inexact);
        }
        let shift = usize::try_from(shift).map_err(|_| DecimalError::TooManyDigits)?;
        let units = TENS.get(shift).and_then(|ten| self.value.checked_mul(*ten));
        let limit = limit(precision)?;
        let units = units.filter(|units| *units < limit).ok_or(DecimalError::TooManyDigits)?;
        let units = i128::try_from(units).map_err(|_| DecimalError::TooManyDigits)?;
        Ok(if self.negative { -units } else { units })
    }
}

/// A number of too many digits is one only if what follows them could.
fn rest_is_number(rest: &[u8], mut point: bool) -> DecimalError {
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {}
            b'.' if !point => point = true,
            b'e' | b'E' => {
                return match read_exponent(rest.get(index + 1..).unwrap_or_default()) {
                    Ok(_) => DecimalError::TooManyDigits,
                    Err(error) => error,
                };
            }
            _ => return DecimalError::NotANumber,
        }
    }
    DecimalError::TooManyDigits
}

fn read_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(matches!(text.first(), Some(b'-' | b'+')))..);
    let digits = digits.filter(|digits| !digits.is_empty()).ok_or(DecimalError::NotANumber)?;
    let mut exponent = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::NotANumber);
        }
        exponent = exponent.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    }
    Ok(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_rounded() {
        use DecimalError::{Inexact, NotANumber, TooManyDigits};
        let nines = "9".repeat(38);
        let sixty = "1".repeat(60);
        for (text, precision, scale, expected) in [
            ("0", 10, 2, Ok(0)),
            ("-0", 10, 2, Ok(0)),
            ("12.5", 10, 2, Ok(1250)),
            ("-12.50", 10, 2, Ok(-1250)),
            ("12.500000", 10, 2, Ok(1250)),
            ("+.5", 10, 2, Ok(50)),
            ("5.", 10, 2, Ok(500)),
            ("007", 10, 2, Ok(700)),
            ("1e3", 10, 2, Ok(100_000)),
            ("1.25e1", 10, 2, Ok(1250)),
            ("1250E-2", 10, 2, Ok(1250)),
            ("1000e-3", 10, 0, Ok(1)),
            ("1.005", 10, 2, Err(Inexact)),
            ("1e-3", 10, 2, Err(Inexact)),
            ("99999999.99", 10, 2, Ok(9_999_999_999)),
            ("100000000", 10, 2, Err(TooManyDigits)),
            ("1e8", 10, 2, Err(TooManyDigits)),
            ("0e999999999999999999999999", 10, 2, Ok(0)),
            ("1e999999999999999999999999", 10, 2, Err(TooManyDigits)),
            ("1e-999999999999999999999999", 10, 2, Err(Inexact)),
            (&nines, 38, 0, Ok(99_999_999_999_999_999_999_999_999_999_999_999_999)),
            (&nines, 37, 0, Err(TooManyDigits)),
            (&sixty, 38, 0, Err(TooManyDigits)),
            ("1", 39, 0, Err(TooManyDigits)),
            ("", 10, 2, Err(NotANumber)),
            ("-", 10, 2, Err(NotANumber)),
            (".", 10, 2, Err(NotANumber)),
            ("e1", 10, 2, Err(NotANumber)),
            ("1e", 10, 2, Err(NotANumber)),
            ("1e+", 10, 2, Err(NotANumber)),
            ("1.2.3", 10, 2, Err(NotANumber)),
            (" 1", 10, 2, Err(NotANumber)),
            ("1 ", 10, 2, Err(NotANumber)),
            ("NaN", 10, 2, Err(NotANumber)),
            ("1,5", 10, 2, Err(NotANumber)),
            ("--1", 10, 2, Err(NotANumber)),
        ] {
            assert_eq!(unscaled(text, precision, scale), expected, "{text}");
        }
        assert_eq!(unscaled(&format!("{sixty}x"), 38, 0), Err(NotANumber));
        assert_eq!(unscaled(&format!("{sixty}.1e5"), 38, 0), Err(TooManyDigits));
        let zeros = "0".repeat(100);
        assert_eq!(unscaled(&format!("1.{zeros}"), 10, 2), Ok(100));
        assert_eq!(unscaled(&format!("{zeros}1"), 10, 2), Ok(100));
        assert_eq!(unscaled(&format!("0.{zeros}1"), 10, 2), Err(Inexact));
    }

    #[test]
    fn whole_numbers_have_64_bits() {
        assert_eq!(integer("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer("9223372036854775808"), Err(DecimalError::TooManyDigits));
        assert_eq!(integer("7.0"), Ok(7));
        assert_eq!(integer("7.5"), Err(DecimalError::Inexact));
        assert_eq!(integer("1e3"), Ok(1000));
    }

    #[test]
    fn digits_that_count_are_counted() {
        for (text, expected) in [
            ("0", (0, 0)),
            ("0.00", (0, 0)),
            ("100", (3, 0)),
            ("1e-30", (0, 30)),
            ("12.340", (2, 2)),
        ] {
            assert_eq!(digits(text), Ok(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(units in any::<i64>(), scale in 0_u8..=18) {
            let ten = i128::pow(10, scale.into());
            let magnitude = i128::from(units).abs();
            let sign = if units < 0 { "-" } else { "" };
            let (whole, fraction) = (magnitude / ten, magnitude % ten);
            let plain = match scale {
                0 => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{fraction:0width$}", width = usize::from(scale)),
            };
            prop_assert_eq!(unscaled(&plain, 38, scale), Ok(units.into()));
            prop_assert_eq!(unscaled(&format!("{units}e-{scale}"), 38, scale), Ok(units.into()));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,50}", precision: u8, scale: u8) {
            let _ = unscaled(&text, precision, scale);
            let _ = digits(&text);
        }
    }
}
