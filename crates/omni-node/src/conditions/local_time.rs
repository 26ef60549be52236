//! Times as the volunteer's clock on the wall shows them.

use jiff::tz::TimeZone;
use omni_core::governor::LocalTime;
use omni_types::Timestamp;

/// Hour of the day at which a pause "until tomorrow" ends, local time.
pub const MORNING_HOUR: i8 = 6;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Weekday and hour of a moment in the time zone of this computer. A moment that no calendar has
/// gives a day and an hour that do not exist, so that no schedule allows it.
pub fn local(at: Timestamp) -> LocalTime {
    local_in(TimeZone::system(), at)
}

/// "Until tomorrow": the next calendar day at 06:00 in the time zone of this computer. Shortly after
/// midnight that is more than a day away.
pub fn tomorrow(now: Timestamp) -> Timestamp {
    tomorrow_in(TimeZone::system(), now)
}

fn local_in(zone: TimeZone, at: Timestamp) -> LocalTime {
    let time = zoned(zone, at);
    let weekday = time.as_ref().map(|it| it.weekday().to_monday_zero_offset());
    let hour = time.map(|it| it.hour());
    let number = |it: Option<i8>| it.and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX);
    LocalTime {
        weekday: number(weekday),
        hour: number(hour),
    }
}

fn tomorrow_in(zone: TimeZone, now: Timestamp) -> Timestamp {
    let morning = zoned(zone.clone(), now).and_then(|today| {
        let tomorrow = today.date().tomorrow().ok()?;
        let morning = tomorrow.at(MORNING_HOUR, 0, 0, 0);
        let morning = morning.to_zoned_datetime(zone).ok()?;
        u64::try_from(morning.timestamp().as_millisecond()).ok()
    });
    morning.map_or(now.plus_ms(DAY_MS), Timestamp)
}

fn zoned(zone: TimeZone, at: Timestamp) -> Option<jiff::ZonedDateTime> {
    let ms = i64::try_from(at.0).ok()?;
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(at.to_zoned_datetime(zone))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Central European time, with its summer time.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
    const AUCKLAND: &str = "NZST-12NZDT,M9.5.0,M4.1.0/3";

    fn zone(posix: &str) -> TimeZone {
        TimeZone::posix(posix).unwrap()
    }

    fn utc(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp(at.as_millisecond().try_into().unwrap())
    }

    #[test]
    fn weekday_and_hour_are_local() {
        for (posix, at, weekday, hour) in [
            ("UTC0", "1970-01-01T00:00:00Z", 3, 0),
            ("UTC0", "2026-11-25T23:59:59.999Z", 2, 23),
            (BERLIN, "2026-11-25T23:59:59.999Z", 3, 0),
            (BERLIN, "2026-07-05T21:59:59Z", 6, 23),
            (BERLIN, "2026-07-05T22:00:00Z", 0, 0),
            (NEW_YORK, "2026-11-02T04:59:59Z", 6, 23),
            (AUCKLAND, "2026-11-25T11:00:00Z", 3, 0),
            // The hour that summer time leaves out, and the one that it repeats.
            (BERLIN, "2026-03-29T00:59:59Z", 6, 1),
            (BERLIN, "2026-03-29T01:00:00Z", 6, 3),
            (BERLIN, "2026-10-25T00:30:00Z", 6, 2),
            (BERLIN, "2026-10-25T01:30:00Z", 6, 2),
        ] {
            let expected = LocalTime { weekday, hour };
            assert_eq!(local_in(zone(posix), utc(at)), expected, "{posix} {at}");
        }
    }

    #[test]
    fn tomorrow_is_the_next_morning_at_six() {
        for (posix, now, morning) in [
            ("UTC0", "2026-11-25T22:15:00Z", "2026-11-26T06:00:00Z"),
            ("UTC0", "2026-11-25T03:00:00Z", "2026-11-26T06:00:00Z"),
            ("UTC0", "2026-12-31T12:00:00Z", "2027-01-01T06:00:00Z"),
            (BERLIN, "2026-11-25T22:15:00Z", "2026-11-26T05:00:00Z"),
            (BERLIN, "2026-11-25T23:15:00Z", "2026-11-27T05:00:00Z"),
            (NEW_YORK, "2026-11-26T02:00:00Z", "2026-11-26T11:00:00Z"),
            // The nights in which the clocks change.
            (BERLIN, "2026-03-28T20:00:00Z", "2026-03-29T04:00:00Z"),
            (BERLIN, "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
        ] {
            assert_eq!(
                tomorrow_in(zone(posix), utc(now)),
                utc(morning),
                "{posix} {now}"
            );
        }
    }

    #[test]
    fn moments_that_no_calendar_has_are_harmless() {
        for far in [Timestamp(u64::MAX), Timestamp(1 << 62)] {
            let nowhere = LocalTime {
                weekday: u8::MAX,
                hour: u8::MAX,
            };
            assert_eq!(local_in(zone(BERLIN), far), nowhere);
            assert!(tomorrow_in(zone(BERLIN), far) >= far);
        }
        let now = crate::clock::now();
        assert!(tomorrow(now) > now);
        assert!(local(now).weekday < 7 && local(now).hour < 24);
    }
}
