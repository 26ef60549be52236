//! Whether the volunteer's computer works now, by the volunteer's settings and the state of the
//! computer. Quick to yield, slow to return.
//!
//! ```text
//!            bad                good without interruption for `Hold::return_after_ms`
//!  no hold ──────▶ held, bad ─────▶ held, waiting ──────────────────────────────────▶ no hold
//!                      ▲    good         │ bad
//!                      └─────────────────┘
//! ```
//!
//! Every reason is tracked on its own; there is work when none holds. Conditions are believed until
//! the next ones come; a time in which nobody looked, such as a sleep of the computer, is never
//! counted as good.

use std::collections::BTreeMap;

use omni_types::{Settings, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a condition must be good before its hold is lifted, milliseconds.
pub const RETURN_AFTER_MS: u64 = 60_000;
/// The same for heat, milliseconds.
pub const RETURN_AFTER_HEAT_MS: u64 = 180_000;
/// Longest time between two observations that still counts as looking without interruption,
/// milliseconds.
pub const MAX_GAP_MS: u64 = 30_000;

/// What the computer says about one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal<T> {
    /// Its value.
    Known(T),
    /// This computer does not tell.
    #[default]
    Unavailable,
}

impl<T> Signal<T> {
    /// The value, if known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unavailable => None,
        }
    }
}

impl<T> From<Option<T>> for Signal<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unavailable, Self::Known)
    }
}

/// Weekday and hour where the volunteer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LocalTime {
    /// 0 (Monday) ..= 6.
    pub weekday: u8,
    /// 0 ..= 23.
    pub hour: u8,
}

/// State of the computer at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Conditions {
    /// Local weekday and hour.
    pub at: LocalTime,
    /// Runs on battery.
    pub on_battery: Signal<bool>,
    /// The connection is metered.
    pub metered: Signal<bool>,
    /// Time since keyboard or mouse was last used, milliseconds.
    pub idle_ms: Signal<u64>,
    /// Too hot to go on.
    pub hot: Signal<bool>,
    /// Disk space that the program's folder takes, bytes.
    pub disk_used_bytes: Signal<u64>,
    /// Processor time used by programs other than ours, percent of the whole machine, 0 ..= 100.
    /// It is shown and holds nothing back.
    pub foreign_cpu_percent: Signal<u8>,
}

macro_rules! named {
    ($(#[doc = $doc:literal])+ $kind:ident {
        $($(#[doc = $line:literal])+ $name:ident = $code:literal, $sentence:literal;)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $kind {
            $($(#[doc = $line])+ $name,)+
        }

        impl $kind {
            /// Every one there is, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Stable code, kebab case.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence a volunteer understands.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

named! {
    /// Why there is no work now. Of several, the first in this order is shown.
    Hold {
        /// Outside the hours of the schedule.
        Schedule = "schedule", "The schedule has no work at this hour.";
        /// On battery.
        Battery = "battery", "The computer runs on battery.";
        /// The connection is metered.
        Metered = "metered", "The internet connection is metered.";
        /// The disk space that the volunteer gave is used up.
        Disk = "disk", "The program has used up the disk space that you gave it.";
        /// Too hot.
        Hot = "hot", "The computer is hot and cools down first.";
        /// Somebody uses the computer.
        InUse = "in-use", "Somebody is using the computer.";
        /// Only idle time may be used, and the computer does not tell when it is idle.
        IdleUnknown = "idle-unknown", "This computer does not tell whether somebody is using it, so work only while it is idle is not possible.";
        /// The state of the computer is not known yet.
        Settling = "settling", "The program has just started and looks at the computer first.";
    }
}

named! {
    /// What this computer does not tell. It is shown, so that nobody relies on a limit that cannot
    /// act.
    Untold {
        /// Whether it runs on battery.
        Battery = "battery-unknown", "This computer does not tell whether it runs on battery.";
        /// Whether the connection is metered.
        Metered = "metered-unknown", "This computer does not tell whether the internet connection is metered.";
        /// Whether somebody uses it.
        Idle = "idle-unknown", "This computer does not tell whether somebody is using it.";
        /// How hot it is.
        Heat = "heat-unknown", "This computer does not tell how hot it is.";
        /// How busy it is.
        Cpu = "cpu-unknown", "This computer does not tell how busy other programs keep it.";
    }
}

impl Hold {
    /// How long its condition must be good before it is lifted, milliseconds.
    pub fn return_after_ms(self) -> u64 {
        match self {
            Self::Hot => RETURN_AFTER_HEAT_MS,
            _ => RETURN_AFTER_MS,
        }
    }

    /// Whether the volunteer's settings forbid work in these conditions for this reason.
    fn is_bad(self, settings: &Settings, conditions: &Conditions) -> bool {
        let idle = conditions.idle_ms.known();
        match self {
            Self::Schedule => settings.schedule.is_some_and(|schedule| {
                let LocalTime { weekday, hour } = conditions.at;
                !schedule.allows(weekday, hour)
            }),
            Self::Battery => !settings.on_battery && conditions.on_battery == Signal::Known(true),
            Self::Metered => !settings.on_metered && conditions.metered == Signal::Known(true),
            Self::Disk => {
                let used = conditions.disk_used_bytes.known();
                used.is_some_and(|used| used > settings.disk_bytes)
            }
            Self::Hot => settings.pause_when_hot && conditions.hot == Signal::Known(true),
            Self::InUse => {
                settings.only_when_idle && idle.is_some_and(|idle| idle < settings.idle_after_ms)
            }
            Self::IdleUnknown => settings.only_when_idle && idle.is_none(),
            Self::Settling => false,
        }
    }

    /// Whether the two settings differ in what this reason depends on.
    fn differs(self, old: &Settings, new: &Settings) -> bool {
        match self {
            Self::Schedule => old.schedule != new.schedule,
            Self::Battery => old.on_battery != new.on_battery,
            Self::Metered => old.on_metered != new.on_metered,
            Self::Disk => old.disk_bytes != new.disk_bytes,
            Self::Hot => old.pause_when_hot != new.pause_when_hot,
            Self::InUse | Self::IdleUnknown => {
                old.only_when_idle != new.only_when_idle || old.idle_after_ms != new.idle_after_ms
            }
            Self::Settling => false,
        }
    }
}

/// Whether there is work, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Allowance {
    /// Work.
    pub work: bool,
    /// Why not; `None` exactly when there is work.
    pub why_not: Option<Hold>,
    /// When work returns if the conditions stay as they are; `None` while they are bad.
    pub until: Option<Timestamp>,
}

/// State of one hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The condition is bad.
    Bad,
    /// The condition is good since then, without interruption.
    GoodSince(Timestamp),
}

/// Decides when there is work. Call [`Governor::observe`] every few seconds, always well within
/// [`MAX_GAP_MS`]; what waits starts to wait again after a longer gap.
#[derive(Clone, Debug)]
pub struct Governor {
    settings: Settings,
    /// The last conditions and when they were observed.
    observed: Option<(Timestamp, Conditions)>,
    /// May hold entries whose wait is over until the next observation.
    held: BTreeMap<Hold, Phase>,
}

impl Governor {
    /// A governor that knows no conditions yet: no work, [`Hold::Settling`].
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            observed: None,
            held: BTreeMap::new(),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The last conditions.
    pub fn conditions(&self) -> Option<&Conditions> {
        self.observed.as_ref().map(|(_, conditions)| conditions)
    }

    /// What the computer does not tell; everything before the first observation.
    pub fn unavailable(&self) -> Vec<Untold> {
        let told = |untold: &Untold| {
            self.conditions().is_some_and(|now| match untold {
                Untold::Battery => now.on_battery.known().is_some(),
                Untold::Metered => now.metered.known().is_some(),
                Untold::Idle => now.idle_ms.known().is_some(),
                Untold::Heat => now.hot.known().is_some(),
                Untold::Cpu => now.foreign_cpu_percent.known().is_some(),
            })
        };
        let all = Untold::ALL.iter().copied();
        all.filter(|untold| !told(untold)).collect()
    }

    /// Takes new settings. They act at once in both directions: what the volunteer has just allowed
    /// or forbidden does not wait, whatever else is waiting goes on waiting.
    pub fn set(&mut self, settings: Settings, now: Timestamp) {
        let old = std::mem::replace(&mut self.settings, settings);
        self.held
            .retain(|hold, _| !hold.differs(&old, &self.settings));
        if let Some((_, conditions)) = self.observed {
            self.hold(&conditions, now);
        }
    }

    /// Takes the conditions of this moment.
    pub fn observe(&mut self, conditions: Conditions, now: Timestamp) {
        if let Some((seen, _)) = self.observed {
            let looked_until = now.min(seen.plus_ms(MAX_GAP_MS));
            self.held
                .retain(|hold, phase| !is_over(*hold, *phase, looked_until));
            // A clock that was set back says nothing about how long a condition has been good.
            if now < seen || now.since_ms(seen) > MAX_GAP_MS {
                for phase in self.held.values_mut() {
                    if *phase != Phase::Bad {
                        *phase = Phase::GoodSince(now);
                    }
                }
            }
        }
        self.observed = Some((now, conditions));
        self.hold(&conditions, now);
    }

    /// Whether there is work at this moment.
    pub fn allowance(&self, now: Timestamp) -> Allowance {
        let (why_not, until) = self.why_not(now).unzip();
        Allowance {
            work: why_not.is_none(),
            why_not,
            until: until.flatten(),
        }
    }

    /// When [`Governor::allowance`] changes next if nothing is observed until then; `None` when only
    /// an observation can change it.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let (seen, _) = self.observed?;
        let (_, until) = self.why_not(now)?;
        until.filter(|until| *until <= seen.plus_ms(MAX_GAP_MS))
    }

    /// The hold to show, and when it is lifted if it is waiting.
    fn why_not(&self, now: Timestamp) -> Option<(Hold, Option<Timestamp>)> {
        let Some((seen, _)) = self.observed else {
            return Some((Hold::Settling, None));
        };
        let bad = |(hold, phase): (&Hold, &Phase)| (*phase == Phase::Bad).then_some(*hold);
        if let Some(hold) = self.held.iter().find_map(bad) {
            return Some((hold, None));
        }
        let looked_until = now.min(seen.plus_ms(MAX_GAP_MS));
        let (until, hold) = self.last_to_return(looked_until)?;
        Some((hold, Some(until)))
    }

    /// Of the holds that wait, the one that is lifted last, and when.
    fn last_to_return(&self, now: Timestamp) -> Option<(Timestamp, Hold)> {
        self.held
            .iter()
            .filter(|(hold, phase)| !is_over(**hold, **phase, now))
            .filter_map(|(hold, phase)| match phase {
                Phase::Bad => None,
                Phase::GoodSince(since) => Some((since.plus_ms(hold.return_after_ms()), *hold)),
            })
            // Of those lifted together the first in the order of holds.
            .max_by_key(|(until, hold)| (*until, std::cmp::Reverse(*hold)))
    }

    /// Brings every hold to these conditions.
    fn hold(&mut self, conditions: &Conditions, now: Timestamp) {
        for &hold in Hold::ALL {
            if hold.is_bad(&self.settings, conditions) {
                self.held.insert(hold, Phase::Bad);
            } else if let Some(phase @ Phase::Bad) = self.held.get_mut(&hold) {
                *phase = Phase::GoodSince(now);
            }
        }
    }
}

/// Whether a hold in this phase is lifted.
fn is_over(hold: Hold, phase: Phase, now: Timestamp) -> bool {
    match phase {
        Phase::Bad => false,
        Phase::GoodSince(since) => now.since_ms(since) >= hold.return_after_ms(),
    }
}
