//! When the volunteer's computer works and how much of it is used.

use serde::{Deserialize, Serialize};

use crate::Rejection;

/// Days of a week. Day 0 is Monday.
pub const WEEKDAYS: usize = 7;
/// Hours of a day.
pub const HOURS: u8 = 24;
/// Every hour of a day, as a mask.
pub const WHOLE_DAY: u32 = (1 << HOURS) - 1;

/// Least share of the processor that can be asked for, percent.
pub const MIN_CPU_PERCENT: u8 = 10;
/// Most jobs at once.
pub const MAX_CORES: u8 = 64;
/// Least memory, bytes: what a small job needs.
pub const MIN_MEMORY_BYTES: u64 = 64 << 20;
/// Most memory, bytes.
pub const MAX_MEMORY_BYTES: u64 = 1 << 40;
/// Least room on disk, bytes.
pub const MIN_DISK_BYTES: u64 = 256 << 20;
/// Most room on disk, bytes.
pub const MAX_DISK_BYTES: u64 = 1 << 44;
/// Shortest time without keyboard and mouse that counts as idle, milliseconds.
pub const MIN_IDLE_AFTER_MS: u64 = 30_000;
/// Longest such time, milliseconds.
pub const MAX_IDLE_AFTER_MS: u64 = 24 * 60 * 60 * 1000;

/// What the volunteer allows. The defaults are careful: half of the processor, one job, neither on
/// battery nor on a metered connection, and a rest when the computer is hot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Share of the whole machine's processor time, percent, 10 ..= 100.
    pub cpu_percent: u8,
    /// Jobs at once, 1 ..= 64.
    pub cores: u8,
    /// Memory of all jobs together, bytes, [`MIN_MEMORY_BYTES`] ..= [`MAX_MEMORY_BYTES`].
    pub memory_bytes: u64,
    /// Room on disk, bytes, [`MIN_DISK_BYTES`] ..= [`MAX_DISK_BYTES`].
    pub disk_bytes: u64,
    /// Work only while nobody uses the computer.
    pub only_when_idle: bool,
    /// Time without keyboard and mouse after which nobody uses the computer, milliseconds,
    /// [`MIN_IDLE_AFTER_MS`] ..= [`MAX_IDLE_AFTER_MS`].
    pub idle_after_ms: u64,
    /// Work on battery.
    pub on_battery: bool,
    /// Work while the connection is metered.
    pub on_metered: bool,
    /// Rest while the computer is hot.
    pub pause_when_hot: bool,
    /// Hours to work in; at any time when `None`.
    pub schedule: Option<WeekSchedule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cpu_percent: 50,
            cores: 1,
            memory_bytes: 1 << 30,
            disk_bytes: 2 << 30,
            only_when_idle: false,
            idle_after_ms: 5 * 60 * 1000,
            on_battery: false,
            on_metered: false,
            pause_when_hot: true,
            schedule: None,
        }
    }
}

impl Settings {
    /// Whether every number is in its range.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when one is not.
    pub fn check(&self) -> Result<(), Rejection> {
        let in_range = (MIN_CPU_PERCENT..=100).contains(&self.cpu_percent)
            && (1..=MAX_CORES).contains(&self.cores)
            && (MIN_MEMORY_BYTES..=MAX_MEMORY_BYTES).contains(&self.memory_bytes)
            && (MIN_DISK_BYTES..=MAX_DISK_BYTES).contains(&self.disk_bytes)
            && (MIN_IDLE_AFTER_MS..=MAX_IDLE_AFTER_MS).contains(&self.idle_after_ms);
        if !in_range {
            return Err(Rejection::Malformed);
        }
        self.schedule.map_or(Ok(()), |schedule| schedule.check())
    }
}

/// Hours of each weekday in which to work, local time: one mask per day from Monday on, bit `h` for
/// the hour from `h`:00. A week without any hour is allowed and means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeekSchedule(pub [u32; WEEKDAYS]);

impl WeekSchedule {
    /// At any time.
    pub const ALWAYS: Self = Self([WHOLE_DAY; WEEKDAYS]);
    /// At no time.
    pub const NEVER: Self = Self([0; WEEKDAYS]);

    /// Whether there is work in this hour. `weekday` 0 is Monday; a day or hour that does not exist
    /// has no work.
    pub fn allows(&self, weekday: u8, hour: u8) -> bool {
        self.0
            .get(usize::from(weekday))
            .is_some_and(|day| hour < HOURS && day >> hour & 1 == 1)
    }

    /// The first hour with work after this one, as weekday and hour; up to the same hour a week
    /// later. `None` when there is none in the whole week, or when the day or hour does not exist.
    pub fn next(&self, weekday: u8, hour: u8) -> Option<(u8, u8)> {
        if usize::from(weekday) >= WEEKDAYS || hour >= HOURS {
            return None;
        }
        let (hours, week) = (u16::from(HOURS), 7 * u16::from(HOURS));
        let here = u16::from(weekday) * hours + u16::from(hour);
        (1..=week).find_map(|step| {
            let there = (here + step) % week;
            let weekday = u8::try_from(there / hours).ok()?;
            let hour = u8::try_from(there % hours).ok()?;
            self.allows(weekday, hour).then_some((weekday, hour))
        })
    }

    /// Whether every mask is within a day.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when a bit above hour 23 is set.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.0.iter().all(|day| day & !WHOLE_DAY == 0) {
            Ok(())
        } else {
            Err(Rejection::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::canonical::{from_bytes, to_bytes};

    #[test]
    fn the_defaults_are_in_range_and_careful() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        assert!(!settings.on_battery && !settings.on_metered && settings.pause_when_hot);
    }

    #[test]
    fn numbers_out_of_range_are_not_accepted() {
        type Change = fn(&mut Settings);
        let cases: &[(&str, Change, bool)] = &[
            ("cpu at least", |s| s.cpu_percent = 10, true),
            ("cpu too low", |s| s.cpu_percent = 9, false),
            ("cpu at most", |s| s.cpu_percent = 100, true),
            ("cpu too high", |s| s.cpu_percent = 101, false),
            ("no core", |s| s.cores = 0, false),
            ("most cores", |s| s.cores = 64, true),
            ("too many cores", |s| s.cores = 65, false),
            (
                "memory too small",
                |s| s.memory_bytes = MIN_MEMORY_BYTES - 1,
                false,
            ),
            (
                "memory at least",
                |s| s.memory_bytes = MIN_MEMORY_BYTES,
                true,
            ),
            (
                "memory at most",
                |s| s.memory_bytes = MAX_MEMORY_BYTES,
                true,
            ),
            (
                "memory too large",
                |s| s.memory_bytes = MAX_MEMORY_BYTES + 1,
                false,
            ),
            (
                "disk too small",
                |s| s.disk_bytes = MIN_DISK_BYTES - 1,
                false,
            ),
            ("disk at least", |s| s.disk_bytes = MIN_DISK_BYTES, true),
            ("disk at most", |s| s.disk_bytes = MAX_DISK_BYTES, true),
            ("disk too large", |s| s.disk_bytes = u64::MAX, false),
            (
                "idle too short",
                |s| s.idle_after_ms = MIN_IDLE_AFTER_MS - 1,
                false,
            ),
            (
                "idle at least",
                |s| s.idle_after_ms = MIN_IDLE_AFTER_MS,
                true,
            ),
            (
                "idle at most",
                |s| s.idle_after_ms = MAX_IDLE_AFTER_MS,
                true,
            ),
            (
                "idle too long",
                |s| s.idle_after_ms = MAX_IDLE_AFTER_MS + 1,
                false,
            ),
            ("never", |s| s.schedule = Some(WeekSchedule::NEVER), true),
            ("always", |s| s.schedule = Some(WeekSchedule::ALWAYS), true),
            (
                "hour 24",
                |s| s.schedule = Some(WeekSchedule([0, 0, 0, 0, 0, 0, 1 << 24])),
                false,
            ),
        ];
        for (name, change, accepted) in cases {
            let mut settings = Settings::default();
            change(&mut settings);
            let expected = if *accepted {
                Ok(())
            } else {
                Err(Rejection::Malformed)
            };
            assert_eq!(settings.check(), expected, "{name}");
        }
    }

    #[test]
    fn settings_have_one_canonical_form() {
        for schedule in [None, Some(WeekSchedule([1, 0, 0, 0, 0, 0, WHOLE_DAY]))] {
            let settings = Settings {
                schedule,
                ..Settings::default()
            };
            let bytes = to_bytes(&settings).unwrap();
            assert!(bytes.windows(11).any(|part| part == b"cpu-percent"));
            assert_eq!(from_bytes::<Settings>(&bytes, 1024), Ok(settings));
        }
    }

    #[test]
    fn a_schedule_tells_its_hours_and_the_next_one() {
        // Monday from 22:00, Wednesday at 00:00 and 23:00.
        let schedule = WeekSchedule([3 << 22, 0, 1 | 1 << 23, 0, 0, 0, 0]);
        for (weekday, hour, allowed, next) in [
            (0, 21, false, Some((0, 22))),
            (0, 22, true, Some((0, 23))),
            (0, 23, true, Some((2, 0))),
            (1, 5, false, Some((2, 0))),
            (2, 0, true, Some((2, 23))),
            (2, 23, true, Some((0, 22))),
            (6, 23, false, Some((0, 22))),
            (0, 24, false, None),
            (7, 22, false, None),
            (255, 255, false, None),
        ] {
            assert_eq!(schedule.allows(weekday, hour), allowed, "{weekday} {hour}");
            assert_eq!(schedule.next(weekday, hour), next, "{weekday} {hour}");
        }
        assert_eq!(WeekSchedule::NEVER.next(3, 3), None);
        let single = WeekSchedule([0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(
            single.next(1, 0),
            Some((1, 0)),
            "the same hour a week later"
        );
    }
}
