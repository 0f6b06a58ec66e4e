//! Which ways of writing a date or a timestamp all values of an attribute follow.
//!
//! Every form is tried on every value and dropped at the first that does not follow it, so what is
//! left holds for all of them.

use crate::TimeFormat;

/// A way of writing a date or a timestamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    IsoDate,
    IsoTimestamp,
    /// `31/12/2021`, with `/`, `.` or `-`.
    DayFirst(u8),
    MonthFirst(u8),
    YearFirst(u8),
    Compact,
    DayFirstTime(u8, bool),
    MonthFirstTime(u8, bool),
    Seconds,
    Millis,
    Micros,
}

use Form::{
    Compact, DayFirst, DayFirstTime, IsoDate, IsoTimestamp, Micros, Millis, MonthFirst,
    MonthFirstTime, Seconds, YearFirst,
};

const FORMS: [Form; 20] = [
    IsoDate,
    IsoTimestamp,
    DayFirst(b'/'),
    MonthFirst(b'/'),
    DayFirst(b'.'),
    MonthFirst(b'.'),
    DayFirst(b'-'),
    MonthFirst(b'-'),
    YearFirst(b'/'),
    YearFirst(b'.'),
    Compact,
    DayFirstTime(b'/', false),
    MonthFirstTime(b'/', false),
    DayFirstTime(b'/', true),
    MonthFirstTime(b'/', true),
    DayFirstTime(b'.', false),
    DayFirstTime(b'.', true),
    Seconds,
    Millis,
    Micros,
];

/// From 1990 to 2100: whole seconds outside are more likely to be something else.
const PLAUSIBLE: std::ops::Range<i64> = 631_152_000..4_102_444_800;

impl Form {
    /// Whether it tells the time of day.
    pub(super) fn has_time(self) -> bool {
        matches!(
            self,
            IsoTimestamp | DayFirstTime(..) | MonthFirstTime(..) | Seconds | Millis | Micros
        )
    }

    /// Whether it is a number like many others, so that only the attribute's name tells.
    pub(super) fn is_doubtful(self) -> bool {
        matches!(self, Compact | Seconds | Millis | Micros)
    }

    /// As the model writes it.
    pub(super) fn format(self) -> TimeFormat {
        let pattern = |order: [&str; 3], separator: u8, time: &str| {
            let separator = char::from(separator).to_string();
            TimeFormat::Pattern(format!("{}{time}", order.join(&separator)).into())
        };
        let clock = |seconds| if seconds { " %H:%M:%S" } else { " %H:%M" };
        match self {
            IsoDate | IsoTimestamp => TimeFormat::Iso,
            DayFirst(separator) => pattern(["%d", "%m", "%Y"], separator, ""),
            MonthFirst(separator) => pattern(["%m", "%d", "%Y"], separator, ""),
            YearFirst(separator) => pattern(["%Y", "%m", "%d"], separator, ""),
            Compact => TimeFormat::Pattern("%Y%m%d".into()),
            DayFirstTime(separator, seconds) => {
                pattern(["%d", "%m", "%Y"], separator, clock(seconds))
            }
            MonthFirstTime(separator, seconds) => {
                pattern(["%m", "%d", "%Y"], separator, clock(seconds))
            }
            Seconds => TimeFormat::EpochSeconds,
            Millis => TimeFormat::EpochMillis,
            Micros => TimeFormat::EpochMicros,
        }
    }

    fn holds(self, text: &[u8]) -> bool {
        let three = |text: &[u8], order: [(usize, usize); 3], separators: [(usize, u8); 2]| {
            let [year, month, day] = order.map(|(from, to)| number(text, from, to));
            separators.iter().all(|(at, byte)| text.get(*at) == Some(byte))
                && is_day(year, month, day)
        };
        let day_first = |text: &[u8], separator| {
            three(text, [(6, 10), (3, 5), (0, 2)], [(2, separator), (5, separator)])
        };
        let month_first = |text: &[u8], separator| {
            three(text, [(6, 10), (0, 2), (3, 5)], [(2, separator), (5, separator)])
        };
        let clock = |seconds: bool| {
            text.len() == if seconds { 19 } else { 16 }
                && text.get(10) == Some(&b' ')
                && text.get(11..).is_some_and(|time| time_of_day(time) == Some(time.len()))
        };
        match self {
            IsoDate => text.len() == 10 && iso_day(text),
            // Days among moments are midnights.
            IsoTimestamp => reads_iso(text),
            DayFirst(separator) => text.len() == 10 && day_first(text, separator),
            MonthFirst(separator) => text.len() == 10 && month_first(text, separator),
            YearFirst(separator) => {
                text.len() == 10
                    && three(text, [(0, 4), (5, 7), (8, 10)], [(4, separator), (7, separator)])
            }
            Compact => {
                text.len() == 8
                    && number(text, 0, 4).is_some_and(|year| (1900..2100).contains(&year))
                    && is_day(number(text, 0, 4), number(text, 4, 6), number(text, 6, 8))
            }
            DayFirstTime(separator, seconds) => clock(seconds) && day_first(text, separator),
            MonthFirstTime(separator, seconds) => clock(seconds) && month_first(text, separator),
            Seconds | Millis | Micros => whole(text).is_some_and(|value| self.holds_number(value)),
        }
    }

    fn holds_number(self, value: i64) -> bool {
        match self {
            Seconds => PLAUSIBLE.contains(&value),
            Millis => PLAUSIBLE.contains(&value.div_euclid(1_000)),
            Micros => PLAUSIBLE.contains(&value.div_euclid(1_000_000)),
            Compact => value.to_string().len() == 8 && self.holds(value.to_string().as_bytes()),
            _ => false,
        }
    }
}

/// The forms that still hold, a bit for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Forms(u32);

impl Default for Forms {
    fn default() -> Self {
        Self((1 << FORMS.len()) - 1)
    }
}

impl Forms {
    #[inline]
    pub(super) fn observe(&mut self, text: &str) {
        if self.0 == 0 {
            return;
        }
        let bytes = text.as_bytes();
        if !(8..=40).contains(&bytes.len()) || !bytes.first().is_some_and(u8::is_ascii_digit) {
            self.0 = 0;
            return;
        }
        self.keep(|form| form.holds(bytes));
    }

    /// The same for a whole number, or for another number as `None`.
    #[inline]
    pub(super) fn observe_number(&mut self, integer: Option<i64>) {
        if self.0 != 0 {
            match integer {
                Some(value) => self.keep(|form| form.holds_number(value)),
                None => self.0 = 0,
            }
        }
    }

    fn keep(&mut self, holds: impl Fn(Form) -> bool) {
        let mut left = self.0;
        while left != 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            if !FORMS.get(at as usize).is_some_and(|form| holds(*form)) {
                self.0 &= !(1 << at);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0 &= other.0;
    }

    /// Those that hold, the likeliest first. All days are moments too, which goes without saying.
    pub(super) fn all(self) -> impl Iterator<Item = Form> {
        let days = self.0 & 1 == 1;
        FORMS
            .into_iter()
            .enumerate()
            .filter(move |(at, form)| self.0 >> at & 1 == 1 && !(days && *form == IsoTimestamp))
            .map(|(_, form)| form)
    }
}

fn number(text: &[u8], from: usize, to: usize) -> Option<i64> {
    text.get(from..to).and_then(whole)
}

fn whole(text: &[u8]) -> Option<i64> {
    if !matches!(text.len(), 1..=18) {
        return None;
    }
    text.iter().try_fold(0i64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn is_day(year: Option<i64>, month: Option<i64>, day: Option<i64>) -> bool {
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day)
}

fn iso_day(text: &[u8]) -> bool {
    text.get(4) == Some(&b'-')
        && text.get(7) == Some(&b'-')
        && is_day(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10))
}

/// How many bytes the time of day takes: `10:20`, `10:20:30`.
fn time_of_day(text: &[u8]) -> Option<usize> {
    let in_range = |from, to, below| number(text, from, to).is_some_and(|value| value < below);
    if text.get(2) != Some(&b':') || !in_range(0, 2, 24) || !in_range(3, 5, 60) {
        return None;
    }
    match text.get(5) {
        Some(b':') => in_range(6, 8, 60).then_some(8),
        _ => Some(5),
    }
}

/// A moment in ISO 8601, with its time of day.
pub(super) fn is_iso_timestamp(text: &[u8]) -> bool {
    text.len() > 10 && reads_iso(text)
}

/// The model's own reader tells, so that it accepts whatever is found here.
fn reads_iso(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| TimeFormat::Iso.timestamp(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(values: &[&str]) -> Vec<Form> {
        let mut forms = Forms::default();
        values.iter().for_each(|value| forms.observe(value));
        forms.all().collect()
    }

    #[test]
    fn a_form_holds_for_all_values_or_not_at_all() {
        assert_eq!(forms(&["2021-04-12", "2020-02-29"]), [IsoDate]);
        assert_eq!(forms(&["2021-04-12", "2021-02-30"]), []);
        assert_eq!(
            forms(&["2021-04-12T10:20:30Z", "2021-04-12T10:20:30.123456+01:00"]),
            [IsoTimestamp]
        );
        assert_eq!(forms(&["2021-04-12T24:00:00Z"]), []);
        // The model reads no part of a microsecond.
        assert_eq!(forms(&["2021-04-12T10:20:30.123456789Z"]), []);
        assert_eq!(forms(&["2021-04-12", "2021-04-12T10:20:30Z"]), [IsoTimestamp]);
        assert_eq!(forms(&["01/02/2021", "03/04/2021"]), [DayFirst(b'/'), MonthFirst(b'/')]);
        assert_eq!(forms(&["01/02/2021", "31/12/2021"]), [DayFirst(b'/')]);
        assert_eq!(forms(&["01/02/2021 10:20", "12/31/2021 23:59"]), [MonthFirstTime(b'/', false)]);
        assert_eq!(forms(&["31.12.2021 23:59:58"]), [DayFirstTime(b'.', true)]);
        assert_eq!(forms(&["20210412"]), [Compact]);
        assert_eq!(forms(&["1618222830"]), [Seconds]);
        assert_eq!(forms(&["1618222830000"]), [Millis]);
        assert_eq!(forms(&["PROD-1"]), []);
        assert_eq!(forms(&[""]), []);
    }

    #[test]
    fn numbers_follow_the_forms_of_numbers() {
        let of = |values: &[Option<i64>]| {
            let mut forms = Forms::default();
            values.iter().for_each(|value| forms.observe_number(*value));
            forms.all().collect::<Vec<_>>()
        };
        assert_eq!(of(&[Some(1_618_222_830), Some(1_700_000_000)]), [Seconds]);
        assert_eq!(of(&[Some(1_618_222_830_123)]), [Millis]);
        assert_eq!(of(&[Some(1_618_222_830_123_456)]), [Micros]);
        assert_eq!(of(&[Some(20_211_231)]), [Compact]);
        assert_eq!(of(&[Some(1_618_222_830), Some(3)]), []);
        assert_eq!(of(&[Some(1_618_222_830), None]), []);
        assert_eq!(of(&[Some(i64::MIN), Some(i64::MAX)]), []);
    }

    /// What is found to be of a form is read by the model, or a proposal would reject its own data.
    #[test]
    fn the_model_reads_what_follows_a_form() {
        let values = [
            "2021-04-12",
            "2021-04-12T10:20:30Z",
            "2021-04-12 10:20:30",
            "2021-04-12T10:20",
            "2021-04-12T10:20:30.123456000+05:30",
            "2021-04-12T10:20-01:00",
            "01/02/2021",
            "31/12/2021",
            "12/31/2021",
            "31.12.2021",
            "31-12-2021",
            "12.31.2021",
            "12-31-2021",
            "2021/12/31",
            "2021.12.31",
            "20210412",
            "31/12/2021 10:20",
            "12/31/2021 10:20",
            "31/12/2021 10:20:30",
            "12/31/2021 10:20:30",
            "31.12.2021 10:20",
            "31.12.2021 10:20:30",
            "1618222830",
            "1618222830000",
            "1618222830000000",
        ];
        let mut seen = 0;
        for value in values {
            let mut forms = Forms::default();
            forms.observe(value);
            let mut any = false;
            for form in forms.all() {
                any = true;
                seen |= 1 << FORMS.iter().position(|other| *other == form).unwrap();
                let is_read = match form.has_time() {
                    true => form.format().timestamp(value).is_some(),
                    false => form.format().date(value).is_some(),
                };
                assert!(is_read, "{value} as {form:?}");
            }
            assert!(any, "{value}");
        }
        assert_eq!(seen, (1 << FORMS.len()) - 1, "every form was tried");
    }
}
