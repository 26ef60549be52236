//! The governor: quick to yield, slow to return, never silent about what it cannot know.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use omni_core::governor::{
    Allowance, Conditions, Governor, Hold, LocalTime, MAX_GAP_MS, RETURN_AFTER_HEAT_MS,
    RETURN_AFTER_MS, Signal, Untold,
};
use omni_types::{Settings, Timestamp, WeekSchedule};
use proptest::prelude::*;

const STEP_MS: u64 = 2_000;
const START: Timestamp = Timestamp(1_700_000_000_000);

/// Everything known and good.
const FINE: Conditions = Conditions {
    at: LocalTime {
        weekday: 2,
        hour: 10,
    },
    on_battery: Signal::Known(false),
    metered: Signal::Known(false),
    idle_ms: Signal::Known(10_000_000),
    hot: Signal::Known(false),
    disk_used_bytes: Signal::Known(0),
    foreign_cpu_percent: Signal::Known(100),
};

const UNTOLD: Conditions = Conditions {
    at: FINE.at,
    on_battery: Signal::Unavailable,
    metered: Signal::Unavailable,
    idle_ms: Signal::Unavailable,
    hot: Signal::Unavailable,
    disk_used_bytes: Signal::Unavailable,
    foreign_cpu_percent: Signal::Unavailable,
};

/// Every limit on; work on Wednesday from 10:00 to 11:00.
fn strict() -> Settings {
    Settings {
        only_when_idle: true,
        schedule: Some(WeekSchedule([0, 0, 1 << 10, 0, 0, 0, 0])),
        ..Settings::default()
    }
}

fn lenient() -> Settings {
    Settings {
        on_battery: true,
        on_metered: true,
        pause_when_hot: false,
        ..Settings::default()
    }
}

fn bad(hold: Hold) -> Conditions {
    let mut now = FINE;
    match hold {
        Hold::Schedule => now.at.hour = 11,
        Hold::Battery => now.on_battery = Signal::Known(true),
        Hold::Metered => now.metered = Signal::Known(true),
        Hold::Disk => now.disk_used_bytes = Signal::Known(u64::MAX),
        Hold::Hot => now.hot = Signal::Known(true),
        Hold::InUse => now.idle_ms = Signal::Known(0),
        Hold::IdleUnknown => now.idle_ms = Signal::Unavailable,
        Hold::Settling => {}
    }
    now
}

const BY_CONDITION: [Hold; 6] = [
    Hold::Schedule,
    Hold::Battery,
    Hold::Metered,
    Hold::Hot,
    Hold::InUse,
    Hold::IdleUnknown,
];

fn held(hold: Hold, until: Option<Timestamp>) -> Allowance {
    Allowance {
        work: false,
        why_not: Some(hold),
        until,
    }
}

const WORK: Allowance = Allowance {
    work: true,
    why_not: None,
    until: None,
};

/// Observes `conditions` every two seconds up to and including `end`.
fn keep(governor: &mut Governor, conditions: Conditions, from: Timestamp, end: Timestamp) {
    let mut now = from;
    while now < end {
        governor.observe(conditions, now);
        now = now.plus_ms(STEP_MS);
    }
    governor.observe(conditions, end);
}

#[test]
fn nothing_runs_before_the_first_look_and_everything_fine_runs_at_once() {
    let mut governor = Governor::new(strict());
    assert_eq!(governor.allowance(START), held(Hold::Settling, None));
    assert_eq!(governor.next_change(START), None);
    governor.observe(FINE, START);
    assert_eq!(governor.allowance(START), WORK);
}

#[test]
fn each_reason_holds_at_once_and_returns_only_after_its_time() {
    for hold in BY_CONDITION {
        let mut governor = Governor::new(strict());
        governor.observe(FINE, START);
        let began = START.plus_ms(STEP_MS);
        governor.observe(bad(hold), began);
        assert_eq!(governor.allowance(began), held(hold, None), "{hold:?}");
        assert_eq!(governor.next_change(began), None, "{hold:?}");

        let good = began.plus_ms(STEP_MS);
        let after = if hold == Hold::Hot {
            RETURN_AFTER_HEAT_MS
        } else {
            RETURN_AFTER_MS
        };
        let until = good.plus_ms(after);
        keep(&mut governor, FINE, good, Timestamp(until.0 - 1));
        let before = Timestamp(until.0 - 1);
        assert_eq!(
            governor.allowance(before),
            held(hold, Some(until)),
            "{hold:?}"
        );
        assert_eq!(governor.next_change(before), Some(until), "{hold:?}");
        assert_eq!(governor.allowance(until), WORK, "{hold:?}");
        assert_eq!(governor.next_change(until), None, "{hold:?}");
    }
}

#[test]
fn a_limit_that_is_off_holds_nothing() {
    for hold in BY_CONDITION {
        let mut governor = Governor::new(lenient());
        governor.observe(bad(hold), START);
        assert_eq!(governor.allowance(START), WORK, "{hold:?}");
    }
}

#[test]
fn disk_space_is_compared_with_the_setting() {
    let settings = Settings {
        disk_bytes: 1 << 30,
        ..lenient()
    };
    for (used, work) in [(0, true), (1 << 30, true), ((1 << 30) + 1, false)] {
        let mut governor = Governor::new(settings.clone());
        let disk_used_bytes = Signal::Known(used);
        let now = Conditions {
            disk_used_bytes,
            ..FINE
        };
        governor.observe(now, START);
        let expected = match work {
            true => WORK,
            false => held(Hold::Disk, None),
        };
        assert_eq!(governor.allowance(START), expected, "{used}");
        // More room helps at once.
        let roomier = Settings {
            disk_bytes: 2 << 30,
            ..settings.clone()
        };
        governor.set(roomier, START);
        assert_eq!(governor.allowance(START), WORK, "{used}");
    }
}

#[test]
fn idle_time_is_compared_with_the_setting() {
    let settings = strict();
    for (idle_ms, work) in [
        (0, false),
        (settings.idle_after_ms - 1, false),
        (settings.idle_after_ms, true),
        (u64::MAX, true),
    ] {
        let mut governor = Governor::new(settings.clone());
        let now = Conditions {
            idle_ms: Signal::Known(idle_ms),
            ..FINE
        };
        governor.observe(now, START);
        assert_eq!(governor.allowance(START).work, work, "{idle_ms}");
    }
}

#[test]
fn days_and_hours_that_do_not_exist_are_outside_the_schedule() {
    let always = Settings {
        schedule: Some(WeekSchedule::ALWAYS),
        ..Settings::default()
    };
    for (weekday, hour, work) in [(0, 0, true), (6, 23, true), (7, 0, false), (0, 24, false)] {
        let mut governor = Governor::new(always.clone());
        let at = LocalTime { weekday, hour };
        governor.observe(Conditions { at, ..FINE }, START);
        assert_eq!(governor.allowance(START).work, work, "{weekday} {hour}");
    }
}

#[test]
fn what_is_not_told_is_listed_and_only_idle_time_cannot_do_without() {
    let mut governor = Governor::new(Settings::default());
    assert_eq!(governor.unavailable(), Untold::ALL);
    governor.observe(UNTOLD, START);
    assert_eq!(governor.allowance(START), WORK);
    assert_eq!(governor.unavailable(), Untold::ALL);
    governor.observe(FINE, START);
    assert_eq!(governor.unavailable(), []);
    for (conditions, untold) in [
        (
            Conditions {
                on_battery: Signal::Unavailable,
                ..FINE
            },
            Untold::Battery,
        ),
        (
            Conditions {
                metered: Signal::Unavailable,
                ..FINE
            },
            Untold::Metered,
        ),
        (
            Conditions {
                idle_ms: Signal::Unavailable,
                ..FINE
            },
            Untold::Idle,
        ),
        (
            Conditions {
                hot: Signal::Unavailable,
                ..FINE
            },
            Untold::Heat,
        ),
        (
            Conditions {
                foreign_cpu_percent: Signal::Unavailable,
                ..FINE
            },
            Untold::Cpu,
        ),
    ] {
        governor.observe(conditions, START);
        assert_eq!(governor.unavailable(), [untold]);
    }
    let mut governor = Governor::new(strict());
    governor.observe(UNTOLD, START);
    assert_eq!(governor.allowance(START), held(Hold::IdleUnknown, None));
}

#[test]
fn of_several_reasons_the_bad_one_is_shown_then_the_longest_wait() {
    let mut governor = Governor::new(Settings::default());
    let hot_on_battery = Conditions {
        hot: Signal::Known(true),
        on_battery: Signal::Known(true),
        ..FINE
    };
    governor.observe(hot_on_battery, START);
    assert_eq!(governor.allowance(START), held(Hold::Battery, None));
    let t1 = START.plus_ms(STEP_MS);
    governor.observe(bad(Hold::Hot), t1);
    assert_eq!(governor.allowance(t1), held(Hold::Hot, None));
    let t2 = t1.plus_ms(STEP_MS);
    governor.observe(FINE, t2);
    let until = t2.plus_ms(RETURN_AFTER_HEAT_MS);
    assert_eq!(governor.allowance(t2), held(Hold::Hot, Some(until)));
    // On battery again while it cools: both must be good for their whole time.
    let t3 = t2.plus_ms(STEP_MS);
    governor.observe(bad(Hold::Battery), t3);
    assert_eq!(governor.allowance(t3), held(Hold::Battery, None));
}

#[test]
fn of_two_waits_that_end_together_the_first_reason_is_shown() {
    let mut governor = Governor::new(Settings::default());
    let both = Conditions {
        metered: Signal::Known(true),
        on_battery: Signal::Known(true),
        ..FINE
    };
    governor.observe(both, START);
    governor.observe(FINE, START);
    let until = START.plus_ms(RETURN_AFTER_MS);
    assert_eq!(governor.allowance(START), held(Hold::Battery, Some(until)));
}

#[test]
fn a_wait_is_not_over_when_nobody_looked_meanwhile() {
    let mut governor = Governor::new(Settings::default());
    governor.observe(bad(Hold::Battery), START);
    let good = START.plus_ms(STEP_MS);
    governor.observe(FINE, good);
    let until = good.plus_ms(RETURN_AFTER_MS);
    assert_eq!(governor.next_change(good), None, "it takes another look");
    let much_later = until.plus_ms(3_600_000);
    assert_eq!(
        governor.allowance(much_later),
        held(Hold::Battery, Some(until))
    );
    // Two looks that are just near enough, and the same a moment too far apart.
    for (gap, work) in [(MAX_GAP_MS, true), (MAX_GAP_MS + 1, false)] {
        let mut governor = governor.clone();
        let second = good.plus_ms(gap);
        governor.observe(FINE, second);
        governor.observe(FINE, second.plus_ms(MAX_GAP_MS));
        assert_eq!(governor.allowance(until).work, work, "{gap}");
    }
}

#[test]
fn work_goes_on_in_the_last_conditions_until_the_next_ones() {
    let mut governor = Governor::new(Settings::default());
    governor.observe(FINE, START);
    let woken = START.plus_ms(3_600_000);
    assert_eq!(governor.allowance(woken), WORK);
    assert_eq!(governor.next_change(woken), None);
    governor.observe(FINE, woken);
    assert_eq!(governor.allowance(woken), WORK);
    governor.observe(bad(Hold::Battery), woken);
    assert_eq!(governor.allowance(woken), held(Hold::Battery, None));
}

#[test]
fn sleep_does_not_count_as_time_in_which_a_condition_was_good() {
    let mut governor = Governor::new(Settings::default());
    governor.observe(bad(Hold::Hot), START);
    let good = START.plus_ms(STEP_MS);
    governor.observe(FINE, good);
    let woken = good.plus_ms(3_600_000);
    governor.observe(FINE, woken);
    let until = woken.plus_ms(RETURN_AFTER_HEAT_MS);
    assert_eq!(governor.allowance(woken), held(Hold::Hot, Some(until)));
}

#[test]
fn a_clock_set_back_restarts_the_wait_and_does_not_stretch_it() {
    let mut governor = Governor::new(Settings::default());
    governor.observe(bad(Hold::Battery), START);
    governor.observe(FINE, START.plus_ms(STEP_MS));
    let earlier = Timestamp(START.0 - 86_400_000);
    governor.observe(FINE, earlier);
    let until = earlier.plus_ms(RETURN_AFTER_MS);
    assert_eq!(
        governor.allowance(earlier),
        held(Hold::Battery, Some(until))
    );
    keep(&mut governor, FINE, earlier, until);
    assert_eq!(governor.allowance(until), WORK);
    // Work that was already allowed goes on.
    let again = Timestamp(until.0 - 3_600_000);
    governor.observe(FINE, again);
    assert_eq!(governor.allowance(again), WORK);
}

#[test]
fn new_settings_act_at_once_and_leave_other_waits_alone() {
    let mut governor = Governor::new(Settings::default());
    governor.observe(bad(Hold::Battery), START);
    let mut allowed = Settings {
        on_battery: true,
        ..Settings::default()
    };
    governor.set(allowed.clone(), START);
    assert_eq!(governor.allowance(START), WORK, "allowed while bad");
    governor.set(Settings::default(), START);
    assert_eq!(governor.allowance(START), held(Hold::Battery, None));

    governor.observe(FINE, START);
    let until = START.plus_ms(RETURN_AFTER_MS);
    let other = Settings {
        cpu_percent: 80,
        ..Settings::default()
    };
    governor.set(other, START);
    assert_eq!(
        governor.allowance(START),
        held(Hold::Battery, Some(until)),
        "another setting does not shorten the wait"
    );
    allowed.cpu_percent = 80;
    governor.set(allowed, START);
    assert_eq!(governor.allowance(START), WORK, "allowed while waiting");
}

#[test]
fn codes_are_kebab_case_distinct_and_stable_in_the_view() {
    let holds = Hold::ALL.iter().map(|hold| {
        let code = hold.code();
        assert_eq!(serde_json::to_string(hold).unwrap(), format!("\"{code}\""));
        (code, hold.sentence())
    });
    let untold = Untold::ALL.iter().map(|it| (it.code(), it.sentence()));
    for texts in [holds.collect::<Vec<_>>(), untold.collect()] {
        for (at, (code, sentence)) in texts.iter().enumerate() {
            let letter = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.chars().all(letter), "{code}");
            assert!(sentence.ends_with('.'), "{sentence}");
            assert!(texts[..at].iter().all(|(other, _)| other != code), "{code}");
        }
    }
}

fn signal<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Signal<T>> {
    prop_oneof![
        4 => value.prop_map(Signal::Known),
        1 => Just(Signal::Unavailable),
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (
        (0..8_u8, 0..25_u8),
        signal(any::<bool>()),
        signal(any::<bool>()),
        signal(0..700_000_u64),
        signal(any::<bool>()),
        signal(0..4_u64 << 30),
        signal(0..=100_u8),
    )
        .prop_map(
            |(
                (weekday, hour),
                on_battery,
                metered,
                idle_ms,
                hot,
                disk_used_bytes,
                foreign_cpu_percent,
            )| {
                Conditions {
                    at: LocalTime { weekday, hour },
                    on_battery,
                    metered,
                    idle_ms,
                    hot,
                    disk_used_bytes,
                    foreign_cpu_percent,
                }
            },
        )
}

fn settings() -> impl Strategy<Value = Settings> {
    let schedule = proptest::option::of(any::<[u32; 7]>().prop_map(WeekSchedule));
    (any::<[bool; 4]>(), 30_000..600_000_u64, schedule).prop_map(
        |([only_when_idle, on_battery, on_metered, pause_when_hot], idle_after_ms, schedule)| {
            Settings {
                only_when_idle,
                idle_after_ms,
                on_battery,
                on_metered,
                pause_when_hot,
                schedule,
                ..Settings::default()
            }
        },
    )
}

/// The rule written down a second time, without the governor's table.
fn forbidden(settings: &Settings, now: &Conditions) -> bool {
    let idle = match now.idle_ms {
        Signal::Known(idle) => idle >= settings.idle_after_ms,
        Signal::Unavailable => false,
    };
    let LocalTime { weekday, hour } = now.at;
    (!settings.on_battery && now.on_battery == Signal::Known(true))
        || (!settings.on_metered && now.metered == Signal::Known(true))
        || (settings.pause_when_hot && now.hot == Signal::Known(true))
        || (settings.only_when_idle && !idle)
        || matches!(now.disk_used_bytes, Signal::Known(used) if used > settings.disk_bytes)
        || settings.schedule.is_some_and(|week| {
            weekday > 6 || hour > 23 || week.0[usize::from(weekday)] & (1 << hour) == 0
        })
}

proptest! {
    /// Whatever happens, in whatever order: no work while a condition is bad or unknown, and none
    /// until the last bad moment is long enough ago.
    #[test]
    fn there_is_never_work_in_bad_conditions_nor_soon_after(
        first in settings(),
        steps in proptest::collection::vec((conditions(), 0..40_000_u64, 0..6_u8), 1..80),
    ) {
        let mut governor = Governor::new(first.clone());
        let mut now = START;
        let mut last_bad: Option<Timestamp> = None;
        for (index, (conditions, gap, fine)) in steps.into_iter().enumerate() {
            // Mostly fine conditions, so that there is work at times.
            let conditions = if fine == 0 { conditions } else { FINE };
            if index > 0 {
                now = now.plus_ms(gap);
            }
            governor.observe(conditions, now);
            let is_bad = forbidden(&first, &conditions);
            if is_bad {
                last_bad = Some(now);
            }
            let allowance = governor.allowance(now);
            prop_assert_eq!(allowance.work, allowance.why_not.is_none());
            prop_assert!(!(allowance.work && is_bad));
            match last_bad {
                Some(bad) => {
                    prop_assert!(!allowance.work || now.since_ms(bad) >= RETURN_AFTER_MS);
                }
                None => prop_assert!(allowance.work),
            }
            // What is announced happens, and nothing before it; what is not announced does not.
            match governor.next_change(now) {
                Some(next) => {
                    prop_assert!(next > now);
                    prop_assert_eq!(governor.allowance(Timestamp(next.0 - 1)), allowance);
                    prop_assert!(governor.allowance(next).work);
                }
                None => prop_assert_eq!(governor.allowance(now.plus_ms(10_000_000)), allowance),
            }
        }
    }

    /// Conditions that turn bad again before the wait is over never let work flip on, and work is
    /// back once they stay good.
    #[test]
    fn oscillation_never_lets_work_return_and_calm_does(
        which in 0..BY_CONDITION.len(),
        swings in proptest::collection::vec((1..RETURN_AFTER_MS / STEP_MS, 1..30_u64), 1..20),
    ) {
        let hold = BY_CONDITION[which];
        let mut governor = Governor::new(strict());
        let mut now = START;
        governor.observe(FINE, now);
        prop_assert!(governor.allowance(now).work);
        for (good_steps, bad_steps) in swings {
            for step in 0..bad_steps + good_steps {
                now = now.plus_ms(STEP_MS);
                governor.observe(if step < bad_steps { bad(hold) } else { FINE }, now);
                let allowance = governor.allowance(now);
                prop_assert!(!allowance.work);
                prop_assert_eq!(allowance.why_not, Some(hold));
                prop_assert_eq!(allowance.until.is_some(), step >= bad_steps);
            }
        }
        let calm = now.plus_ms(RETURN_AFTER_HEAT_MS);
        keep(&mut governor, FINE, now.plus_ms(STEP_MS), calm);
        prop_assert_eq!(governor.allowance(calm), WORK);
    }
}
