//! Days and moments from their text, strict: `2021-02-30` is none.
//!
//! A format is interpreted as it stands, byte by byte and without an allocation, so that nothing
//! needs to be compiled before a value is read.

use crate::{TimeFormat, decimal};

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY: i64 = DAY_SECONDS * SECOND;
/// The days of 0001-01-01 and 9999-12-31: what a calendar's key and every warehouse hold. A moment
/// outside is a unit taken for another, such as milliseconds for seconds.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

impl TimeFormat {
    /// The moment in microseconds since 1970 UTC; `None` if the text is none in this format, is
    /// outside of the years 1 to 9999, or has a fraction that microseconds do not hold.
    ///
    /// A text without an offset is UTC, a day without a time its midnight.
    #[must_use]
    #[inline]
    pub fn timestamp(&self, text: &str) -> Option<i64> {
        match self {
            Self::Iso => iso_timestamp(text.as_bytes()),
            Self::EpochSeconds => within(decimal::integer(text).ok()?.checked_mul(SECOND)?),
            Self::EpochMillis => within(decimal::integer(text).ok()?.checked_mul(1000)?),
            Self::EpochMicros => within(decimal::integer(text).ok()?),
            Self::Pattern(pattern) => Fields::read(pattern.as_bytes(), text.as_bytes())?.micros(),
        }
    }

    /// The day, counted from 1970-01-01; `None` if the text is none in this format, or tells a
    /// time of the day other than midnight, which a day would lose.
    #[must_use]
    #[inline]
    pub fn date(&self, text: &str) -> Option<i32> {
        if let Self::Iso = self {
            let (day, rest) = iso_date(text.as_bytes())?;
            return rest.is_empty().then_some(day);
        }
        let micros = self.timestamp(text)?;
        if micros.rem_euclid(DAY) != 0 {
            return None;
        }
        i32::try_from(micros.div_euclid(DAY)).ok()
    }
}

fn within(micros: i64) -> Option<i64> {
    (i64::from(FIRST_DAY) * DAY..(i64::from(LAST_DAY) + 1) * DAY)
        .contains(&micros)
        .then_some(micros)
}

#[inline]
fn digit(byte: u8) -> Option<u32> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u32::from(digit))
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u32> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[inline]
fn iso_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else { return None };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    Some((day_number(year, two(*m1, *m2)?, two(*d1, *d2)?)?, rest))
}

#[inline]
fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (day, rest) = iso_date(text)?;
    let day = i64::from(day) * DAY;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, rest @ ..] = rest else {
        return rest.is_empty().then_some(day);
    };
    let (hour, minute) = (two(*h1, *h2)?, two(*m1, *m2)?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (two(*s1, *s2)?, rest),
        rest => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        rest => (0, rest),
    };
    let (offset, rest) = match rest {
        [] => (0, rest),
        rest => offset(rest)?,
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset;
    if !rest.is_empty() {
        return None;
    }
    within(day + seconds * SECOND + i64::from(micros))
}

/// Digits after the point as microseconds; zeros may follow, up to the nine places of nanoseconds.
#[inline]
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut micros, mut places) = (0, 0);
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let Some(digit) = digit(*byte) else { break };
        if places < 6 {
            micros = micros * 10 + digit;
        } else if digit != 0 || places == 9 {
            return None;
        }
        places += 1;
        rest = after;
    }
    if places == 0 {
        return None;
    }
    for _ in places..6 {
        micros *= 10;
    }
    Some((micros, rest))
}

/// `Z`, `+01`, `+0100` or `+01:00` in seconds.
fn offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match text {
        [b'Z' | b'z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [h1, h2, rest @ ..] = rest else { return None };
    let (minutes, rest) = match rest {
        [b':', m1, m2, rest @ ..] => (two(*m1, *m2)?, rest),
        [m1 @ b'0'..=b'9', m2, rest @ ..] => (two(*m1, *m2)?, rest),
        rest => (0, rest),
    };
    let hours = two(*h1, *h2)?;
    (hours < 24 && minutes < 60).then(|| (sign * i64::from(hours * 3600 + minutes * 60), rest))
}

/// The day's number, from 1970-01-01.
#[inline]
fn day_number(year: u32, month: u32, day: u32) -> Option<i32> {
    if year == 0 || day == 0 || day > days_of(year, month)? {
        return None;
    }
    // A year that begins in March has its odd day at its end; the months then follow a line.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    let days = before + (153 * month + 2) / 5 + day - 1;
    i32::try_from(days).ok().map(|days| days - 719_468)
}

#[inline]
fn days_of(year: u32, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            Some(29)
        }
        2 => Some(28),
        _ => None,
    }
}

/// What a pattern has found.
#[derive(Default)]
struct Fields {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    afternoon: Option<bool>,
    offset: i64,
    epoch: Option<i64>,
}

impl Fields {
    fn read(pattern: &[u8], text: &[u8]) -> Option<Self> {
        let mut fields = Self::default();
        let rest = fields.follow(pattern, text)?;
        rest.is_empty().then_some(fields)
    }

    /// Reads what the pattern says, and gives what follows.
    fn follow<'t>(&mut self, mut pattern: &[u8], mut text: &'t [u8]) -> Option<&'t [u8]> {
        while let Some((literal, after)) = pattern.split_first() {
            pattern = after;
            if *literal != b'%' {
                text = text.strip_prefix(&[*literal])?;
                continue;
            }
            let (first, after) = pattern.split_first()?;
            pattern = after;
            let short = *first == b'-';
            let letter = if short {
                let (letter, after) = pattern.split_first()?;
                pattern = after;
                letter
            } else {
                first
            };
            text = self.directive(*letter, short, text)?;
        }
        Some(text)
    }

    fn directive<'t>(&mut self, letter: u8, short: bool, text: &'t [u8]) -> Option<&'t [u8]> {
        let number = |width: usize| number(text, width, short);
        let rest;
        match letter {
            b'Y' => (self.year, rest) = number(4).map(some)?,
            b'y' => {
                // POSIX: 69 to 99 are of the last century.
                let (year, after) = number(2)?;
                self.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                rest = after;
            }
            b'm' => (self.month, rest) = number(2).map(some)?,
            b'd' => (self.day, rest) = number(2).map(some)?,
            b'e' => {
                let padded = text.strip_prefix(b" ");
                let width = if padded.is_some() { 1 } else { 2 };
                let found = self::number(padded.unwrap_or(text), width, width == 2);
                (self.day, rest) = found.map(some)?;
            }
            b'j' => (self.day_of_year, rest) = number(3).map(some)?,
            b'H' => (self.hour, rest) = number(2).filter(|found| found.0 < 24)?,
            b'I' => {
                let (hour, after) = number(2).filter(|found| (1..=12).contains(&found.0))?;
                (self.hour, rest) = (hour % 12, after);
            }
            b'M' => (self.minute, rest) = number(2).filter(|found| found.0 < 60)?,
            b'S' => (self.second, rest) = number(2).filter(|found| found.0 < 60)?,
            b'f' => (self.micros, rest) = fraction(text)?,
            b'p' => {
                let [letter, b'M' | b'm', after @ ..] = text else { return None };
                self.afternoon = match letter {
                    b'A' | b'a' => Some(false),
                    b'P' | b'p' => Some(true),
                    _ => return None,
                };
                rest = after;
            }
            b'z' => (self.offset, rest) = offset(text)?,
            b's' => {
                let digits = text.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
                let (seconds, after) = text.split_at_checked(digits + 1)?;
                self.epoch = Some(std::str::from_utf8(seconds).ok()?.parse().ok()?);
                rest = after;
            }
            b'b' | b'h' => {
                let (month, after) = named(text, &MONTHS, true)?;
                (self.month, rest) = (Some(month + 1), after);
            }
            b'B' => {
                let (month, after) = named(text, &MONTHS, false)?;
                (self.month, rest) = (Some(month + 1), after);
            }
            b'a' => rest = named(text, &WEEKDAYS, true)?.1,
            b'A' => rest = named(text, &WEEKDAYS, false)?.1,
            b'F' => return self.follow(b"%Y-%m-%d", text),
            b'T' => return self.follow(b"%H:%M:%S", text),
            b'R' => return self.follow(b"%H:%M", text),
            b'D' => return self.follow(b"%m/%d/%y", text),
            b'%' => rest = text.strip_prefix(b"%")?,
            _ => return None,
        }
        Some(rest)
    }

    fn micros(&self) -> Option<i64> {
        let fraction = i64::from(self.micros);
        if let Some(epoch) = self.epoch {
            return within(epoch.checked_mul(SECOND)?.checked_add(fraction)?);
        }
        let year = self.year?;
        let day = match (self.month, self.day, self.day_of_year) {
            (Some(month), Some(day), None) => day_number(year, month, day)?,
            (None, None, Some(day)) => {
                let days = 337 + days_of(year, 2)?;
                let first = day_number(year, 1, 1)?;
                (1..=days).contains(&day).then(|| i32::try_from(day - 1).ok())?? + first
            }
            _ => return None,
        };
        let hour = self.hour + if self.afternoon == Some(true) { 12 } else { 0 };
        let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second) - self.offset;
        within(i64::from(day) * DAY + seconds * SECOND + fraction)
    }
}

fn some(found: (u32, &[u8])) -> (Option<u32>, &[u8]) {
    (Some(found.0), found.1)
}

/// A number of so many digits, or if it may be short of one digit at least.
fn number(text: &[u8], width: usize, short: bool) -> Option<(u32, &[u8])> {
    let (mut value, mut count, mut rest) = (0, 0, text);
    while let [byte, after @ ..] = rest {
        let Some(digit) = digit(*byte).filter(|_| count < width) else { break };
        value = value * 10 + digit;
        count += 1;
        rest = after;
    }
    (count == width || (short && count > 0)).then_some((value, rest))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// An English name, or the first three letters of one, in any case.
fn named<'t>(text: &'t [u8], names: &[&str], short: bool) -> Option<(u32, &'t [u8])> {
    for (index, name) in (0..).zip(names) {
        let name = if short { name.get(..3)? } else { name };
        if let Some((found, rest)) = text.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name.as_bytes())
        {
            return Some((index, rest));
        }
    }
    None
}

/// Whether a pattern tells a moment, or with `day` a day and nothing finer.
pub(crate) fn check_pattern(pattern: &str, day: bool) -> Result<(), String> {
    const LETTERS: &str = "%Y %y %m %d %e %j %H %I %M %S %f %p %z %s %b %B %a %A %F %T %R %D %%";
    let mut found = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            continue;
        }
        let (mut letter, mut short) = (chars.next(), false);
        if letter == Some('-') {
            (letter, short) = (chars.next(), true);
        }
        let letter = letter.ok_or("a % at the end, write %% for the sign itself")?;
        let whole = match letter {
            'F' => "Ymd",
            'D' => "ymd",
            'T' => "HMS",
            'R' => "HM",
            'h' => "b",
            'Y' | 'y' | 'm' | 'd' | 'e' | 'j' | 'H' | 'I' | 'M' | 'S' | 'f' | 'p' | 'z' | 's'
            | 'b' | 'B' | 'a' | 'A' | '%' => "",
            _ => return Err(format!("%{letter} is not known, there are {LETTERS}")),
        };
        if short && !"YymdjHIMS".contains(letter) {
            return Err(format!("%-{letter} is not known, %-d, %-m and other numbers are"));
        }
        match whole {
            "" => found.push(letter),
            whole => found.push_str(whole),
        }
    }
    let has = |letters: &str| letters.chars().any(|letter| found.contains(letter));
    let times = |letters: &str| found.chars().filter(|found| letters.contains(*found)).count();
    if day && has("HIMSfpzs") {
        return Err("the pattern tells a time, write timestamp(…) for it".into());
    }
    for letters in ["Yy", "mbB", "dej", "HI", "M", "S", "f", "p", "z", "s"] {
        if times(letters) > 1 {
            let names: Vec<String> = letters.chars().map(|letter| format!("%{letter}")).collect();
            return Err(format!("the pattern has {} more than once", names.join(" or ")));
        }
    }
    if has("s") {
        return match has("YymdejHIMSpzbB") {
            true => Err("%s is the whole moment, nothing else can be beside it".into()),
            false => Ok(()),
        };
    }
    if !has("Yy") || !(has("j") || (has("mbB") && has("de"))) {
        return Err("the pattern tells no day, it needs a year, a month and a day".into());
    }
    if has("j") && has("mbB") {
        return Err("%j is the day of the year, no month can be beside it".into());
    }
    if has("I") != has("p") {
        return Err("%I and %p stand together, for 24 hours write %H".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil};
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Option<i64> {
        Some(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn iso_moments() {
        for (text, expected) in [
            ("2021-04-12T10:20:30Z", "2021-04-12T10:20:30Z"),
            ("2021-04-12T10:20:30", "2021-04-12T10:20:30Z"),
            ("2021-04-12 10:20:30", "2021-04-12T10:20:30Z"),
            ("2021-04-12t10:20:30z", "2021-04-12T10:20:30Z"),
            ("2021-04-12T10:20Z", "2021-04-12T10:20:00Z"),
            ("2021-04-12", "2021-04-12T00:00:00Z"),
            ("2021-04-12T10:20:30.1Z", "2021-04-12T10:20:30.1Z"),
            ("2021-04-12T10:20:30.123456Z", "2021-04-12T10:20:30.123456Z"),
            ("2021-04-12T10:20:30.123456000Z", "2021-04-12T10:20:30.123456Z"),
            ("2021-04-12T10:20:30+02:00", "2021-04-12T08:20:30Z"),
            ("2021-04-12T10:20:30-0930", "2021-04-12T19:50:30Z"),
            ("2021-04-12T10:20:30+05", "2021-04-12T05:20:30Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "+009999-12-31T23:59:59.999999Z"),
        ] {
            let expected = match expected.strip_prefix('+') {
                // Jiff's moments end a day before.
                Some(_) => Some(253_402_300_799_999_999),
                None => micros(expected),
            };
            assert_eq!(TimeFormat::Iso.timestamp(text), expected, "{text}");
        }
        for text in [
            "",
            "2021",
            "2021-4-12",
            "2021-04-12T",
            "2021-04-12T10",
            "2021-04-12T24:00:00Z",
            "2021-04-12T10:60:00Z",
            "2021-04-12T10:20:60Z",
            "2021-04-12T10:20:30.Z",
            "2021-04-12T10:20:30.1234567Z",
            "2021-04-12T10:20:30.1234560000Z",
            "2021-04-12T10:20:30ZZ",
            "2021-04-12T10:20:30 Z",
            "2021-04-12T10:20:30+24:00",
            "2021-04-12T10:20:30+02:60",
            "2021-04-12T10:20:30+2",
            "2021-02-30T00:00:00Z",
            "2021-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-00-01T00:00:00Z",
            "2021-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            " 2021-04-12T10:20:30Z",
            "२०२१-04-12",
        ] {
            assert_eq!(TimeFormat::Iso.timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn days_lose_no_time() {
        assert_eq!(TimeFormat::Iso.date("2021-04-01"), Some(18_718));
        assert_eq!(TimeFormat::Iso.date("2021-02-30"), None);
        assert_eq!(TimeFormat::Iso.date("2021-04-01T00:00:00Z"), None);
        assert_eq!(TimeFormat::EpochSeconds.date("86400"), Some(1));
        assert_eq!(TimeFormat::EpochSeconds.date("-86400"), Some(-1));
        assert_eq!(TimeFormat::EpochSeconds.date("86401"), None);
    }

    #[test]
    fn epochs() {
        assert_eq!(
            TimeFormat::EpochSeconds.timestamp("1618222830"),
            micros("2021-04-12T10:20:30Z")
        );
        assert_eq!(
            TimeFormat::EpochMillis.timestamp("1618222830123"),
            micros("2021-04-12T10:20:30.123Z")
        );
        assert_eq!(TimeFormat::EpochMicros.timestamp("-1"), Some(-1));
        assert_eq!(
            TimeFormat::EpochSeconds.timestamp("1.618222830e9"),
            micros("2021-04-12T10:20:30Z")
        );
        assert_eq!(TimeFormat::EpochSeconds.timestamp("1618222830.5"), None);
        assert_eq!(TimeFormat::EpochSeconds.timestamp("1618222830123"), None);
        assert_eq!(TimeFormat::EpochSeconds.timestamp("9223372036854775807"), None);
        assert_eq!(TimeFormat::EpochSeconds.timestamp("soon"), None);
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("%d/%m/%Y %H:%M", "12/04/2021 10:20", "2021-04-12T10:20:00Z"),
            ("%-d.%-m.%Y", "1.4.2021", "2021-04-01T00:00:00Z"),
            ("%-d.%-m.%Y", "12.04.2021", "2021-04-12T00:00:00Z"),
            ("%Y%m%d%H%M%S", "20210412102030", "2021-04-12T10:20:30Z"),
            ("%m/%d/%y", "04/12/69", "1969-04-12T00:00:00Z"),
            ("%m/%d/%y", "04/12/68", "2068-04-12T00:00:00Z"),
            ("%b %e, %Y %I:%M %p", "Apr  2, 2021 12:05 am", "2021-04-02T00:05:00Z"),
            ("%b %e, %Y %I:%M %p", "apr 12, 2021 12:05 PM", "2021-04-12T12:05:00Z"),
            ("%A, %d %B %Y", "Monday, 12 April 2021", "2021-04-12T00:00:00Z"),
            ("%a, %d %b %Y %T %z", "Mon, 12 Apr 2021 10:20:30 +0200", "2021-04-12T08:20:30Z"),
            ("%Y-%j", "2021-102", "2021-04-12T00:00:00Z"),
            ("%Y-%j", "2020-366", "2020-12-31T00:00:00Z"),
            ("%F %T.%f", "2021-04-12 10:20:30.25", "2021-04-12T10:20:30.25Z"),
            ("%s", "1618222830", "2021-04-12T10:20:30Z"),
            ("100%% %D", "100% 04/12/21", "2021-04-12T00:00:00Z"),
        ] {
            assert_eq!(check_pattern(pattern, false), Ok(()), "{pattern}");
            let format = TimeFormat::Pattern(pattern.into());
            assert_eq!(format.timestamp(text), micros(expected), "{pattern}: {text}");
        }
        for (pattern, text) in [
            ("%d/%m/%Y", "1/4/2021"),
            ("%d/%m/%Y", "30/02/2021"),
            ("%d/%m/%Y", "01/04/2021 "),
            ("%d/%m/%Y", "01/04/21"),
            ("%Y-%j", "2021-366"),
            ("%Y-%j", "2021-000"),
            ("%F %I:%M %p", "2021-04-12 13:00 PM"),
            ("%F %I:%M %p", "2021-04-12 00:00 AM"),
            ("%s", "+"),
            ("%s", ""),
            ("%s", "é"),
        ] {
            let format = TimeFormat::Pattern(pattern.into());
            assert_eq!(format.timestamp(text), None, "{pattern}: {text}");
        }
    }

    #[test]
    fn patterns_that_tell_no_moment_are_refused() {
        for (pattern, day, message) in [
            ("%Y-%m", false, "tells no day"),
            ("%d.%m.", false, "tells no day"),
            ("%Q", false, "%Q is not known"),
            ("%", false, "% at the end"),
            ("%-b", false, "%-b is not known"),
            ("%Y-%m-%d %H", true, "write timestamp"),
            ("%Y %y-%m-%d", false, "%Y or %y more than once"),
            ("%F %I", false, "%I and %p stand together"),
            ("%F %s", false, "nothing else can be beside it"),
            ("%Y-%b-%j", false, "%j is the day of the year"),
        ] {
            let error = check_pattern(pattern, day).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
        assert_eq!(check_pattern("%d/%m/%Y", true), Ok(()));
    }

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(day in FIRST_DAY..=LAST_DAY) {
            let date = civil::date(1970, 1, 1) + jiff::Span::new().days(day);
            let text = date.to_string();
            prop_assert_eq!(TimeFormat::Iso.date(&text), Some(day));
            let pattern = TimeFormat::Pattern("%d%m%Y".into());
            prop_assert_eq!(pattern.date(&date.strftime("%d%m%Y").to_string()), Some(day));
        }

        #[test]
        fn moments_are_those_of_the_clock(micros in -62_135_596_800_000_000_i64..253_402_000_000_000_000) {
            let text = Timestamp::from_microsecond(micros).unwrap().to_string();
            prop_assert_eq!(TimeFormat::Iso.timestamp(&text), Some(micros));
        }

        #[test]
        fn no_text_panics(pattern in "[%a-zA-Z-]{0,12}", text in "\\PC{0,30}") {
            let _ = TimeFormat::Pattern(pattern.into()).timestamp(&text);
            let _ = TimeFormat::Iso.timestamp(&text);
        }
    }
}
