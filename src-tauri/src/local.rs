//! Times as the clock on the wall shows them.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};

use crate::language::Language;

/// The time of day of a moment in milliseconds since 1970, with its date when that is not today;
/// `None` for a moment that no calendar has.
pub(crate) fn short_time(at_ms: &str, language: Language) -> Option<String> {
    let at = Timestamp::from_millisecond(at_ms.parse().ok()?).ok()?;
    let at = at.to_zoned_datetime(TimeZone::system());
    Some(near(&at, &ZonedDateTime::now(), language))
}

fn near(at: &ZonedDateTime, now: &ZonedDateTime, language: Language) -> String {
    let format = match language {
        _ if at.date() == now.date() => "%H:%M",
        Language::English => "%b %-d, %H:%M",
        Language::German => "%-d.%-m., %H:%M",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn another_day_is_named() {
        let zoned = |text: &str| {
            text.parse::<Timestamp>()
                .unwrap()
                .to_zoned_datetime(TimeZone::UTC)
        };
        let now = zoned("2026-11-25T22:15:00Z");
        let check = |at, language, shown| assert_eq!(near(&zoned(at), &now, language), shown);
        check("2026-11-25T23:15:00Z", Language::English, "23:15");
        check("2026-11-25T23:15:00Z", Language::German, "23:15");
        check("2026-11-26T06:00:00Z", Language::English, "Nov 26, 06:00");
        check("2026-11-26T06:00:00Z", Language::German, "26.11., 06:00");
        assert_eq!(short_time("soon", Language::German), None);
        assert_eq!(short_time("18446744073709551615", Language::German), None);
        assert!(short_time("1764000000000", Language::English).is_some());
    }
}
