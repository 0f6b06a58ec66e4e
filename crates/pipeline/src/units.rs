//! Shares, money and time as people read them.

pub(crate) use crate::text::{bytes, count, plural};

/// `999`, `17.4k`, `1.07M`: where there is no room for all digits.
pub(crate) fn compact(number: u64) -> String {
    let mut size = number as f64;
    for unit in ["", "k", "M", "G", "T", "P"] {
        if size < 999.5 {
            let digits = match size {
                _ if unit.is_empty() => 0,
                small if small < 9.995 => 2,
                small if small < 99.95 => 1,
                _ => 0,
            };
            return format!("{size:.digits$}{unit}");
        }
        size /= 1000.0;
    }
    count(number)
}

/// `12.3%`; what is there but would be shown as nothing is `<0.1%`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0%".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if percent < 0.1 {
        "<0.1%".to_owned()
    } else if part == whole {
        "100%".to_owned()
    } else {
        // Not 100.0% while something is missing.
        format!("{:.1}%", percent.min(99.9))
    }
}

/// `$1,234.56`; `<$0.01` for what is not nothing.
pub(crate) fn dollars(dollars: f64) -> String {
    if dollars <= 0.0 {
        return "$0.00".to_owned();
    }
    if dollars < 0.01 {
        return "<$0.01".to_owned();
    }
    let cents = (dollars * 100.0).round() as u64;
    format!("${}.{:02}", count(cents / 100), cents % 100)
}

/// `under 1 min`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    let minutes = (seconds.max(0.0) / 60.0).round() as u64;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    if seconds < 60.0 {
        "under 1 min".to_owned()
    } else if hours == 0 {
        format!("{minutes} min")
    } else if days == 0 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{} d {} h", count(days), hours % 24)
    }
}

/// A moment in UTC: `2026-11-21T06:00:00Z`.
pub(crate) fn moment(millis: i64) -> String {
    match jiff::Timestamp::from_second(millis.div_euclid(1000)) {
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{millis} ms after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1, 100_000), "<0.1%");
        assert_eq!(percent(99_999, 100_000), "99.9%");
        assert_eq!(percent(3, 3), "100%");
        assert_eq!(percent(0, 0), "0%");
        assert_eq!(dollars(0.0), "$0.00");
        assert_eq!(dollars(0.0004), "<$0.01");
        assert_eq!(dollars(1234.567), "$1,234.57");
        assert_eq!(duration(5.0), "under 1 min");
        assert_eq!(duration(100.0), "2 min");
        assert_eq!(
            ["999", "1.00k", "17.4k", "1.07M"],
            [compact(999), compact(1000), compact(17_383), compact(1_072_566),]
        );
        assert_eq!(compact(u64::MAX), count(u64::MAX));
        assert_eq!(duration(12_000.0), "3 h 20 min");
        assert_eq!(duration(86_400.0 * 2.0 + 3600.0 * 4.0), "2 d 4 h");
    }

    #[test]
    fn moments_are_dates() {
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(moment(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(moment(1_795_244_399_999), "2026-11-21T06:59:59Z");
        assert_eq!(moment(i64::MIN), "-9223372036854775808 ms after 1970");
        assert_eq!(moment(-1), "1969-12-31T23:59:59Z");
    }
}
