//! Seconds since 1970 as a UTC date: no time zone, no environment, no leap seconds.

/// Year, month (1 to 12) and day (1 to 31) of the proleptic Gregorian calendar, and the second of the day.
fn civil(seconds: i64) -> (i64, i64, i64, i64) {
    // Years are counted from 1 March of year 0, so that the leap day is the last day of a year and a
    // 400-year era always has 146,097 days.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on repeat every five in 153 days.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, seconds.rem_euclid(86_400))
}

/// A time for people: `2026-11-23 21:44:51 UTC`.
pub fn date(seconds: i64) -> String {
    let (year, month, day, second) = civil(seconds);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} UTC")
}

/// A time in ISO 8601, at a distance of so many seconds from UTC: `2026-11-23 22:44:51 +0100`.
pub fn iso(seconds: i64, offset: i32) -> String {
    let (year, month, day, second) = civil(seconds.saturating_add(i64::from(offset)));
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
    let zone = minutes / 60 * 100 + minutes % 60;
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} {sign}{zone:04}")
}

/// A time as the beginning of a transaction's name, in order as text: `20261123-214451`.
pub fn stamp(seconds: i64) -> String {
    let (year, month, day, second) = civil(seconds);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_date_says() {
        // Each from `date -u -d @N`.
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
        assert_eq!(iso(1_709_251_199, 19_800), "2024-03-01 05:29:59 +0530");
        assert_eq!(iso(0, -3600), "1969-12-31 23:00:00 -0100");
        assert_eq!(stamp(1_709_251_199), "20240229-235959");
    }
}
