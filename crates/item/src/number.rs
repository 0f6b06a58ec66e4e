use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::{Error, ErrorKind};

/// A decimal number as DynamoDB knows it, kept as the exact text that was given.
///
/// The text is checked once, by [`parse`](Self::parse), and is from then on known to be a decimal
/// that DynamoDB accepts: `sign? digits [. digits] [e sign? digits]` with a digit on at least one
/// side of the point, at most 38 significant digits, and a magnitude of 0 or 1E-130 to 9.99…E+125.
/// It never becomes a float.
///
/// DynamoDB does not keep the text: it hands back the [`canonical`](Self::canonical) form, plain
/// decimal notation at any magnitude, without superfluous zeros or signs.
///
/// ```
/// use keystar_item::Number;
///
/// for (given, handed_back) in
///     [("1.50", "1.5"), ("1e3", "1000"), ("-0", "0"), ("007", "7"), ("+.5", "0.5"), ("1E-3", "0.001")]
/// {
///     assert_eq!(Number::parse(given)?.canonical(), handed_back);
/// }
/// assert!(Number::parse("-48.711598")?.is_canonical());
/// assert!(Number::parse("1e126").is_err());
/// # Ok::<(), keystar_item::Error>(())
/// ```
///
/// Equality, hashing and order of `==` are those of the text; [`is_same`](Self::is_same) and
/// [`cmp_value`](Self::cmp_value) compare values.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Number<'a>(Cow<'a, str>);

/// Most significant digits that DynamoDB keeps.
const MAX_DIGITS: i64 = 38;
/// The power of ten of the first significant digit lies in this range.
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;
/// Up to so many characters, plain notation can break neither limit; beyond, we look closer.
const SURELY_FITS: usize = MAX_DIGITS as usize;

impl<'a> Number<'a> {
    /// Checks that the text is a number that DynamoDB accepts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotANumber`] (with the offset of the offending byte; spaces, `NaN` and
    /// `Infinity` are no numbers), [`ErrorKind::TooManyDigits`] and
    /// [`ErrorKind::NumberOutOfRange`].
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Error> {
        let text = text.into();
        Shape::of(text.as_bytes())?;
        Ok(Self(text))
    }

    /// The same for bytes that may be anything.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_bytes(bytes: &'a [u8]) -> Result<Self, Error> {
        Shape::of(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(Cow::Borrowed(text))),
            Err(error) => Err(Error::at(ErrorKind::NotANumber, error.valid_up_to())),
        }
    }

    /// The number in these bytes, if DynamoDB is certain to hand back these very bytes: what
    /// [`parse_bytes`](Self::parse_bytes) and [`is_canonical`](Self::is_canonical) say together,
    /// in one cheap pass and without an error to build.
    ///
    /// ```
    /// use keystar_item::Number;
    ///
    /// assert!(Number::from_canonical(b"6867").is_some());
    /// assert!(Number::from_canonical(b"-48.711598").is_some());
    /// for other in ["007", "1.50", "1e3", "-0", "+1", ".5", "5.", "", "-", "i:"] {
    ///     assert!(Number::from_canonical(other.as_bytes()).is_none(), "{other}");
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn from_canonical(bytes: &'a [u8]) -> Option<Self> {
        if !is_canonical(bytes) {
            return None;
        }
        std::str::from_utf8(bytes).ok().map(|text| Self(Cow::Borrowed(text)))
    }

    /// The number nearest to a float: its shortest decimal form that reads back as the same float,
    /// in plain notation, canonical. Negative zero becomes `0`. `None` for infinities, NaN, and
    /// magnitudes that DynamoDB does not hold.
    ///
    /// ```
    /// use keystar_item::Number;
    ///
    /// assert_eq!(Number::from_f64(0.1).map(|n| n.to_string()), Some("0.1".into()));
    /// assert_eq!(Number::from_f64(1e21).map(|n| n.to_string()), Some("1000000000000000000000".into()));
    /// assert_eq!(Number::from_f64(f64::INFINITY), None);
    /// assert_eq!(Number::from_f64(1e-300), None);
    /// ```
    #[must_use]
    pub fn from_f64(float: f64) -> Option<Number<'static>> {
        // Beyond 2^53 a float's neighbours are more than one apart and its exact integer value has
        // more digits than it takes to name it.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if float.abs() < EXACT && float.fract() == 0.0 {
            #[allow(clippy::cast_possible_truncation, reason = "integral and below 2^53")]
            return Some(Number::from(float as i64));
        }
        if !float.is_finite() {
            return None;
        }
        Number::parse(float.to_string()).ok()
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Number<'static> {
        Number(Cow::Owned(self.0.into_owned()))
    }

    /// Whether DynamoDB is certain to hand back the same text. `false` is no proof of the
    /// contrary: a plain fraction of more than 38 places says `false`, since nobody has published
    /// what comes back.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        is_canonical(self.0.as_bytes())
    }

    /// The text that DynamoDB hands back.
    #[must_use]
    pub fn canonical(&self) -> Cow<'_, str> {
        if self.is_canonical() {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(expand(self.0.as_bytes()))
    }

    /// Whether the two are the same number, however written.
    #[must_use]
    pub fn is_same(&self, other: &Number<'_>) -> bool {
        self.0 == other.0 || self.cmp_value(other).is_eq()
    }

    /// The order of the numbers' values.
    ///
    /// ```
    /// use keystar_item::Number;
    ///
    /// let (a, b) = (Number::parse("-2e1")?, Number::parse("-3.5")?);
    /// assert!(a.cmp_value(&b).is_lt());
    /// # Ok::<(), keystar_item::Error>(())
    /// ```
    #[must_use]
    pub fn cmp_value(&self, other: &Number<'_>) -> Ordering {
        let (a, b) = (Shape::of_checked(&self.0), Shape::of_checked(&other.0));
        let sign = a.sign().cmp(&b.sign());
        if sign.is_ne() || a.zero {
            return sign;
        }
        let magnitude = a
            .first
            .cmp(&b.first)
            .then_with(|| significant(&self.0, &a).cmp(significant(&other.0, &b)));
        if a.negative { magnitude.reverse() } else { magnitude }
    }

    /// What the number adds to an item's size, in bytes.
    #[must_use]
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        let text = self.0.as_bytes();
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        // Most numbers begin and end with a digit that counts: only the point is to be found.
        if let ([b'1'..=b'9', ..], Some(b'1'..=b'9')) = (digits, digits.last()) {
            let (mut point, mut exponent) = (digits.len(), false);
            for (index, byte) in digits.iter().enumerate() {
                if *byte == b'.' {
                    point = index;
                }
                exponent |= *byte > b'9';
            }
            if !exponent {
                let fraction = digits.len().saturating_sub(point + 1);
                return size_of_pairs(point.div_ceil(2) + fraction.div_ceil(2), negative);
            }
        }
        Shape::of_checked(&self.0).size()
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", self.0)
    }
}

impl From<i64> for Number<'_> {
    fn from(integer: i64) -> Self {
        Self(Cow::Owned(integer.to_string()))
    }
}

impl From<u64> for Number<'_> {
    fn from(integer: u64) -> Self {
        Self(Cow::Owned(integer.to_string()))
    }
}

/// What one pass over a number's text finds out. A digit's place is its power of ten.
#[derive(Clone, Copy, Debug)]
struct Shape {
    negative: bool,
    zero: bool,
    /// The place of the first digit that is not zero.
    first: i64,
    /// The place of the last digit that is not zero.
    last: i64,
}

impl Shape {
    fn of(text: &[u8]) -> Result<Self, Error> {
        let not_a_number = |at: usize| Error::at(ErrorKind::NotANumber, at);
        let mut at = usize::from(matches!(text.first(), Some(b'-' | b'+')));
        let (mut digits, mut first, mut last, mut point) = (0i64, -1i64, -1i64, -1i64);
        let mut exponent = 0i64;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'0' => digits += 1,
                b'1'..=b'9' => {
                    if first < 0 {
                        first = digits;
                    }
                    last = digits;
                    digits += 1;
                }
                b'.' if point < 0 => point = digits,
                b'e' | b'E' => {
                    exponent = parse_exponent(text, at + 1)?;
                    break;
                }
                _ => return Err(not_a_number(at)),
            }
            at += 1;
        }
        if digits == 0 {
            return Err(not_a_number(at.min(text.len())));
        }
        let units = if point < 0 { digits } else { point } - 1;
        let place = |digit: i64| (units - digit).saturating_add(exponent);
        let negative = text.first() == Some(&b'-');
        let shape = if first < 0 {
            // DynamoDB holds zero to the range too, as if its last written digit were a 1:
            // it refuses 0e126 and takes 0.0e126.
            Shape { negative: false, zero: true, first: place(digits - 1), last: 0 }
        } else {
            Shape { negative, zero: false, first: place(first), last: place(last) }
        };
        if last - first >= MAX_DIGITS {
            return Err(Error::new(ErrorKind::TooManyDigits));
        }
        if !MAGNITUDES.contains(&shape.first) {
            return Err(Error::new(ErrorKind::NumberOutOfRange));
        }
        Ok(shape)
    }

    /// For text that [`Shape::of`] has accepted before.
    fn of_checked(text: &str) -> Self {
        Self::of(text.as_bytes()).unwrap_or(Shape {
            negative: false,
            zero: true,
            first: 0,
            last: 0,
        })
    }

    fn sign(&self) -> i8 {
        match (self.zero, self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn size(&self) -> u32 {
        if self.zero {
            return 1;
        }
        // Shifting to the right rounds down on both sides of the point.
        let pairs = (self.first >> 1) - (self.last >> 1) + 1;
        size_of_pairs(pairs.unsigned_abs() as usize, self.negative)
    }
}

/// The guide says "approximately 1 byte per two significant digits, plus 1". What was measured
/// against the service is a base-100 notation: digits pair up from the decimal point outwards, so
/// that `1.5` takes two pairs where `15` takes one; one byte holds sign and exponent; a negative
/// number takes one byte more; 21 bytes hold any number.
#[inline]
fn size_of_pairs(pairs: usize, negative: bool) -> u32 {
    (pairs as u32 + 1 + u32::from(negative)).min(21)
}

fn parse_exponent(text: &[u8], start: usize) -> Result<i64, Error> {
    let not_a_number = |at: usize| Error::at(ErrorKind::NotANumber, at);
    let negative = text.get(start) == Some(&b'-');
    let start = start + usize::from(matches!(text.get(start), Some(b'-' | b'+')));
    let digits = text.get(start..).unwrap_or_default();
    if digits.is_empty() {
        return Err(not_a_number(text.len()));
    }
    let mut exponent = 0i64;
    for (index, byte) in digits.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(not_a_number(start + index));
        }
        exponent = exponent.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    }
    // Text can make up for some of an exponent (0.001e128) but not for one of this size.
    let exponent = exponent.min(i64::MAX / 4);
    Ok(if negative { -exponent } else { exponent })
}

#[inline]
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    // Most texts that are no number show it at their first or second byte.
    matches!(text, [b'0'..=b'9' | b'-', ..]) && is_canonical_digits(text)
}

fn is_canonical_digits(text: &[u8]) -> bool {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (Some(first @ b'0'..=b'9'), Some(last)) = (digits.first(), digits.last()) else {
        return false;
    };
    let mut point = None;
    for (index, byte) in digits.iter().enumerate() {
        if !byte.is_ascii_digit() {
            if *byte != b'.' || point.is_some() {
                return false;
            }
            point = Some(index);
        }
    }
    let whole = point.unwrap_or(digits.len());
    let fraction = digits.len() - whole;
    // No zero in front but the one before the point, none at the end of a fraction, no point
    // without a fraction, no negative zero.
    (*first != b'0' || whole == 1)
        && (point.is_none() || !matches!(last, b'0' | b'.'))
        && !(negative && digits == b"0")
        && fraction <= 1 + SURELY_FITS
        && (digits.len() <= SURELY_FITS || Shape::of(text).is_ok())
}

/// The digits from the first to the last that is not zero.
fn significant<'t>(text: &'t str, shape: &Shape) -> impl Iterator<Item = u8> + use<'t> {
    let wanted =
        if shape.zero { 0 } else { (shape.first - shape.last + 1).unsigned_abs() as usize };
    text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').take(wanted)
}

/// Plain notation: how DynamoDB prints every number.
fn expand(text: &[u8]) -> String {
    let text = std::str::from_utf8(text).unwrap_or("0");
    let shape = Shape::of_checked(text);
    if shape.zero {
        return "0".to_owned();
    }
    let mut plain = String::with_capacity(text.len().max(8));
    if shape.negative {
        plain.push('-');
    }
    if shape.first < 0 {
        plain.push_str("0.");
        plain.extend((shape.first + 1..0).map(|_| '0'));
    }
    for (place, digit) in (shape.last..=shape.first).rev().zip(significant(text, &shape)) {
        if place == -1 && shape.first >= 0 {
            plain.push('.');
        }
        plain.push(char::from(digit));
    }
    plain.extend((0..shape.last).map(|_| '0'));
    plain
}
