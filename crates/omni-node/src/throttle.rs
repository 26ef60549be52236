//! Keeps our children within the share of the processor that the volunteer allows.
//!
//! ```text
//!                 cpu_ms of all children
//!                ┌──────────────────────┐
//!                ▼                      │
//!   percent ─▶ DutyCycle ─ on / off ─▶ children
//! ```
//!
//! All children run and stand still together, in turns of about [`PERIOD_MS`]. How long each turn
//! lasts follows from what they have really used. Without children, at 100 %, and when the children
//! cannot reach the limit anyway, nothing runs here and no timer is set.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// About how long one turn of running and standing still takes, milliseconds.
pub const PERIOD_MS: u64 = 100;
/// Shortest time that children run or stand still at a stretch, milliseconds.
const MIN_TURN_MS: f64 = 10.0;
/// Longest time until the next look, milliseconds.
const MAX_TURN_MS: f64 = 1000.0;
/// Time that was not used is kept for so long, milliseconds.
const KEPT_MS: f64 = 1000.0;
/// Time that was used too much is worked off for so long at most, milliseconds.
const OWED_MS: f64 = 2000.0;

/// A single-threaded child process that can be stopped and continued.
pub trait Throttled {
    /// Stops the child or lets it go on, whether or not it is paused as well. `false` when it is
    /// gone or cannot be stopped.
    fn throttle(&self, stopped: bool) -> bool;

    /// Processor time that it has used so far, milliseconds; `None` when that is not known, which
    /// counts as a whole core while it is not stopped.
    fn cpu_ms(&self) -> Option<u64>;
}

impl Throttled for omni_sandbox::Control {
    fn throttle(&self, stopped: bool) -> bool {
        Self::throttle(self, stopped)
    }

    fn cpu_ms(&self) -> Option<u64> {
        Self::cpu_ms(self)
    }
}

/// What the children do now and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Run, or stand still.
    pub on: bool,
    /// Until the next step, milliseconds, 10 ..= 1000; `None` until something changes.
    pub for_ms: Option<u64>,
}

/// The arithmetic: an account of processor time that fills at the allowed rate and is emptied by
/// what the children use. Pure.
#[derive(Clone, Debug)]
pub struct DutyCycle {
    /// Allowed processor time, milliseconds per millisecond.
    rate: f64,
    /// Processor cores of the machine.
    cores: f64,
    /// Processor time in hand, milliseconds; below zero when too much was used. `None` while there
    /// is nothing to limit.
    account_ms: Option<f64>,
}

impl DutyCycle {
    /// A limit of `percent` (more than 100 counts as 100) of a machine with so many `cores` (at
    /// least 1).
    pub fn new(percent: u8, cores: usize) -> Self {
        let cores = cores.clamp(1, 4096) as f64;
        Self {
            rate: f64::from(percent.min(100)) / 100.0 * cores,
            cores,
            account_ms: None,
        }
    }

    /// After `elapsed_ms` since the last step, in which the children used `used_ms` of processor
    /// time: what the `children` do next.
    pub fn step(&mut self, elapsed_ms: f64, used_ms: f64, children: usize) -> Turn {
        const ON: Turn = Turn {
            on: true,
            for_ms: None,
        };
        // The most they can use, milliseconds per millisecond; no more than 100 % ever.
        let most = self.cores.min(children as f64);
        if most <= self.rate {
            self.account_ms = None;
            return ON;
        }
        // What happened while there was nothing to limit does not count.
        let account_ms = self.account_ms.map_or(0.0, |account_ms| {
            let filled = account_ms + self.rate * positive(elapsed_ms) - positive(used_ms);
            filled.clamp(-self.rate * OWED_MS, self.rate * KEPT_MS)
        });
        self.account_ms = Some(account_ms);

        // While they run the account empties by this much each millisecond, if they get all of it.
        let drain = most - self.rate;
        // As long as they run in one turn when they use exactly what they may.
        let usual_ms = (PERIOD_MS as f64 * self.rate / most).max(MIN_TURN_MS);
        let needed_ms = usual_ms * drain;
        if account_ms >= needed_ms {
            turn(true, account_ms / drain)
        } else {
            turn(
                false,
                (needed_ms - account_ms) / self.rate.max(f64::EPSILON),
            )
        }
    }
}

fn turn(on: bool, for_ms: f64) -> Turn {
    Turn {
        on,
        // In range after the clamp.
        for_ms: Some(for_ms.clamp(MIN_TURN_MS, MAX_TURN_MS).ceil() as u64),
    }
}

/// The value, or zero for what is no amount.
fn positive(value: f64) -> f64 {
    if value.is_finite() {
        value.max(0.0)
    } else {
        0.0
    }
}

/// Holds a group of children to a limit. Dropping it, taking a child out of it, and a limit of
/// 100 % let them go on.
#[derive(Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Keeps one child in its [`Throttle`]. Dropping it takes the child out and lets it go on.
#[derive(Debug)]
pub struct Member {
    shared: Arc<Shared>,
    number: u64,
}

/// Tells how much processor time the children of a [`Throttle`] use.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    group: Mutex<Group>,
    changed: Condvar,
}

struct Group {
    cycle: DutyCycle,
    cores: usize,
    members: BTreeMap<u64, Entry>,
    next_number: u64,
    /// Whether the members run.
    on: bool,
    /// Something changed since the last step.
    changed: bool,
    closed: bool,
    /// Processor time of all members so far, those that are gone included, milliseconds.
    used_ms: u64,
    /// What is charged for members that do not tell theirs, milliseconds.
    supposed_ms: f64,
    /// When that was last looked at.
    looked: Instant,
}

struct Entry {
    child: Box<dyn Throttled + Send>,
    /// Processor time at the last look, milliseconds.
    cpu_ms: u64,
    /// Stopped by us and not let go on since.
    stopped: bool,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("cycle", &self.cycle)
            .field("members", &self.members.len())
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}

impl Throttle {
    /// Holds children to `percent` of this machine, see [`DutyCycle::new`].
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(percent: u8) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_cores(percent, cores)
    }

    fn with_cores(percent: u8, cores: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            group: Mutex::new(Group {
                cycle: DutyCycle::new(percent, cores),
                cores,
                members: BTreeMap::new(),
                next_number: 0,
                on: true,
                changed: false,
                closed: false,
                used_ms: 0,
                supposed_ms: 0.0,
                looked: Instant::now(),
            }),
            changed: Condvar::new(),
        });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("throttle".into())
            .spawn(move || its.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Takes a child in, for as long as what is returned lives.
    pub fn add(&self, child: impl Throttled + Send + 'static) -> Member {
        let cpu_ms = child.cpu_ms().unwrap_or(0);
        let entry = Entry {
            child: Box::new(child),
            cpu_ms,
            stopped: false,
        };
        let number = self.shared.change(|group| {
            group.measure();
            let number = group.next_number;
            group.next_number += 1;
            group.members.insert(number, entry);
            number
        });
        Member {
            shared: Arc::clone(&self.shared),
            number,
        }
    }

    /// Changes the limit.
    pub fn set_percent(&self, percent: u8) {
        self.shared.change(|group| {
            group.measure();
            group.cycle = DutyCycle::new(percent, group.cores);
            // Until the next step, which follows at once.
            group.set_on(true);
        });
    }

    /// A meter of these children, for as long as anybody likes.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.shared))
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.shared.change(|group| {
            group.closed = true;
            group.set_on(true);
        });
        if let Some(thread) = self.thread.take() {
            // Only a panic, of which the thread itself has told.
            let _ = thread.join();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.change(|group| {
            group.measure();
            if let Some(mut entry) = group.members.remove(&self.number) {
                entry.set_stopped(false);
            }
        });
    }
}

impl Meter {
    /// Processor time that the children have used since the [`Throttle`] was started, those that are
    /// gone included, milliseconds.
    pub fn cpu_ms(&self) -> u64 {
        let mut group = self.0.group();
        group.measure();
        group.used_ms
    }
}

impl Shared {
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Group) -> T) -> T {
        let mut group = self.group();
        let result = change(&mut group);
        group.changed = true;
        drop(group);
        self.changed.notify_all();
        result
    }

    /// Steps until the throttle is dropped.
    fn run(&self) {
        let mut group = self.group();
        let mut last = Instant::now();
        let mut counted_ms = group.charged_ms();
        while !group.closed {
            group.changed = false;
            group.measure();
            let now = Instant::now();
            let elapsed_ms = ms_between(last, now);
            let used_ms = group.charged_ms() - counted_ms;
            (last, counted_ms) = (now, group.charged_ms());
            let children = group.members.len();
            let turn = group.cycle.step(elapsed_ms, used_ms, children);
            group.set_on(turn.on);
            group = self.wait(group, turn.for_ms.map(Duration::from_millis));
        }
    }

    /// Waits for the end of a turn or for a change.
    fn wait<'a>(
        &self,
        group: MutexGuard<'a, Group>,
        turn: Option<Duration>,
    ) -> MutexGuard<'a, Group> {
        let unchanged = |group: &mut Group| !group.changed;
        match turn {
            None => self
                .changed
                .wait_while(group, unchanged)
                .unwrap_or_else(PoisonError::into_inner),
            Some(turn) => {
                let waited = self.changed.wait_timeout_while(group, turn, unchanged);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl Group {
    /// Adds what the members have used since the last look.
    fn measure(&mut self) {
        let now = Instant::now();
        let elapsed_ms = ms_between(self.looked, now);
        self.looked = now;
        for entry in self.members.values_mut() {
            match entry.child.cpu_ms() {
                Some(cpu_ms) => {
                    let used_ms = cpu_ms.saturating_sub(entry.cpu_ms);
                    entry.cpu_ms = entry.cpu_ms.max(cpu_ms);
                    self.used_ms = self.used_ms.saturating_add(used_ms);
                }
                None if entry.stopped => {}
                None => self.supposed_ms += elapsed_ms,
            }
        }
    }

    /// What all members are charged for so far, milliseconds.
    fn charged_ms(&self) -> f64 {
        self.used_ms as f64 + self.supposed_ms
    }

    fn set_on(&mut self, on: bool) {
        self.on = on;
        for entry in self.members.values_mut() {
            entry.set_stopped(!on);
        }
    }
}

fn ms_between(earlier: Instant, later: Instant) -> f64 {
    later.saturating_duration_since(earlier).as_secs_f64() * 1000.0
}

impl Entry {
    fn set_stopped(&mut self, stopped: bool) {
        if self.stopped == stopped {
            return;
        }
        // One that cannot be stopped is not, and one that is gone need not go on.
        self.stopped = self.child.throttle(stopped) && stopped;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    /// A machine whose children do nothing but compute.
    struct Machine {
        cores: usize,
        children: usize,
        /// Share of what they could use that the children get, drawn anew in each turn.
        gets: std::ops::RangeInclusive<f64>,
        /// Most by which a turn ends too late, milliseconds.
        late_ms: u64,
        /// Processor time is told in steps of this, milliseconds.
        grain_ms: f64,
        draws: u64,
    }

    impl Machine {
        fn draw(&mut self) -> f64 {
            self.draws += 1;
            omni_types::seed::splitmix64(7, self.draws) as f64 / u64::MAX as f64
        }

        /// Percent of the machine that is used in each of `seconds` seconds.
        fn run(&mut self, percent: u8, seconds: usize) -> Vec<f64> {
            let mut cycle = DutyCycle::new(percent, self.cores);
            let most = self.cores.min(self.children) as f64;
            let (mut now_ms, mut used_ms, mut told_ms) = (0, 0.0, 0.0);
            let mut elapsed_ms = 0.0;
            let mut by_second = vec![0.0; seconds];
            while now_ms < seconds as u64 * 1000 {
                let tell_ms = (used_ms / self.grain_ms).floor() * self.grain_ms;
                let turn = cycle.step(elapsed_ms, tell_ms - told_ms, self.children);
                told_ms = tell_ms;
                let late_ms = (self.draw() * (self.late_ms + 1) as f64) as u64;
                let (least, most_share) = (*self.gets.start(), *self.gets.end());
                let gets = least + self.draw() * (most_share - least);
                let length_ms = turn.for_ms.map_or(1000, |for_ms| for_ms + late_ms);
                elapsed_ms = length_ms as f64;
                for _ in 0..length_ms {
                    let use_ms = if turn.on { most * gets } else { 0.0 };
                    used_ms += use_ms;
                    if let Some(second) = by_second.get_mut(now_ms as usize / 1000) {
                        *second += use_ms / (10.0 * self.cores as f64);
                    }
                    now_ms += 1;
                }
            }
            by_second
        }
    }

    fn average(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn the_use_comes_within_five_points_of_the_limit() {
        for percent in [10, 30, 50, 80] {
            for children in [1, 2, 8] {
                for (gets, late_ms, grain_ms) in [
                    (1.0..=1.0, 0, 0.001),
                    (1.0..=1.0, 3, 10.0),
                    (0.6..=1.0, 0, 0.001),
                    (0.3..=1.0, 10, 10.0),
                    (0.5..=0.5, 5, 10.0),
                ] {
                    let cores = 2;
                    let mut machine = Machine {
                        cores,
                        children,
                        gets: gets.clone(),
                        late_ms,
                        grain_ms,
                        draws: 7,
                    };
                    let seconds = machine.run(percent, 12);
                    let name = format!("{percent} % {children} {gets:?} {late_ms} {grain_ms}");
                    let lowest = 100.0 * children.min(cores) as f64 / cores as f64 * gets.start();
                    let limit = f64::from(percent);
                    let used = average(&seconds[2..]);
                    assert!(used < limit + 5.0, "{name}: {seconds:?}");
                    assert!(used > limit.min(lowest) - 5.0, "{name}: {seconds:?}");
                    // Not much more in any one second either.
                    let most = seconds.iter().copied().fold(0.0, f64::max);
                    assert!(most < limit + 10.0, "{name}: {seconds:?}");
                }
            }
        }
    }

    #[test]
    fn without_anything_to_limit_there_is_no_timer() {
        const FREE: Turn = Turn {
            on: true,
            for_ms: None,
        };
        for (percent, cores, children, free) in [
            (100, 2, 8, true),
            (255, 2, 8, true),
            (99, 2, 8, false),
            (10, 2, 0, true),
            // One child cannot use more than half of two cores.
            (50, 2, 1, true),
            (49, 2, 1, false),
            (80, 2, 1, true),
            (80, 0, 1, false),
        ] {
            let turn = DutyCycle::new(percent, cores).step(100.0, 0.0, children);
            assert_eq!(turn == FREE, free, "{percent} {cores} {children}");
        }
    }

    #[test]
    fn a_limit_begins_with_standing_still_and_what_was_before_does_not_count() {
        let mut cycle = DutyCycle::new(50, 2);
        assert!(!cycle.step(1e9, 0.0, 2).on, "hours before the first child");
        assert!(cycle.step(1e9, 0.0, 0).on);
        assert!(!cycle.step(1e9, 0.0, 2).on, "hours without children");
        assert!(cycle.step(50.0, 0.0, 2).on);
    }

    #[test]
    fn a_long_sleep_and_a_long_excess_are_forgiven() {
        let mut cycle = DutyCycle::new(10, 2);
        cycle.step(0.0, 0.0, 2);
        let turn = cycle.step(1e12, 0.0, 2);
        assert!(turn.on && turn.for_ms.unwrap() <= 200, "{turn:?}");
        let mut cycle = DutyCycle::new(10, 2);
        cycle.step(0.0, 0.0, 2);
        assert!(!cycle.step(0.0, 1e12, 2).on);
        assert!(cycle.step(2200.0, 0.0, 2).on);
    }

    /// Usual numbers and all others that there are.
    fn odd() -> impl Strategy<Value = f64> {
        let none = [f64::INFINITY, f64::NAN, f64::MAX, -1.0];
        prop_oneof![
            proptest::sample::select(none.to_vec()),
            proptest::num::f64::ANY,
            0.0..1000.0_f64
        ]
    }

    proptest! {
        /// Turns are bounded whatever is measured, and no measurement makes the account useless.
        #[test]
        fn odd_measurements_do_no_harm(
            percent in any::<u8>(),
            cores in 0..200_usize,
            steps in proptest::collection::vec(
                (
                    odd(),
                    odd(),
                    0..100_usize,
                ),
                1..50,
            ),
        ) {
            let mut cycle = DutyCycle::new(percent, cores);
            for (elapsed_ms, used_ms, children) in steps {
                let turn = cycle.step(elapsed_ms, used_ms, children);
                prop_assert!(turn.for_ms.is_none_or(|it| (10..=1000).contains(&it)));
                prop_assert!(turn.on || turn.for_ms.is_some());
            }
            // Soon they run again.
            let mut on = false;
            for _ in 0..5 {
                on |= cycle.step(1000.0, 0.0, 3).on;
            }
            prop_assert!(on || percent == 0);
        }

        #[test]
        fn any_limit_is_kept_by_any_machine(
            percent in 10..100_u8,
            cores in 1..17_usize,
            children in 1..33_usize,
            least in 0.2..1.0_f64,
            late_ms in 0..10_u64,
            draws in 0..u64::MAX / 2,
        ) {
            let grain_ms = 10.0;
            let mut machine = Machine { cores, children, gets: least..=1.0, late_ms, grain_ms, draws };
            let seconds = machine.run(percent, 12);
            let used = average(&seconds[2..]);
            let reach = 100.0 * children.min(cores) as f64 / cores as f64 * least;
            prop_assert!(used < f64::from(percent) + 5.0, "{:?}", seconds);
            prop_assert!(used > f64::from(percent).min(reach) - 5.0, "{:?}", seconds);
        }
    }

    /// A child that computes all the time while it is not stopped.
    #[derive(Clone, Debug)]
    struct Fake(Arc<Mutex<FakeState>>);

    #[derive(Debug)]
    struct FakeState {
        stopped: bool,
        stops: u32,
        looks: u32,
        used: Duration,
        since: Instant,
        tells: bool,
        obeys: bool,
    }

    impl Fake {
        fn new() -> Self {
            Self(Arc::new(Mutex::new(FakeState {
                stopped: false,
                stops: 0,
                looks: 0,
                used: Duration::ZERO,
                since: Instant::now(),
                tells: true,
                obeys: true,
            })))
        }

        fn get<T>(&self, get: impl FnOnce(&mut FakeState) -> T) -> T {
            get(&mut self.0.lock().unwrap())
        }

        #[track_caller]
        fn wait(&self, what: impl Fn(&FakeState) -> bool) {
            let begin = Instant::now();
            while !self.get(|state| what(state)) {
                assert!(begin.elapsed() < Duration::from_secs(20), "{self:?}");
                thread::yield_now();
            }
        }
    }

    impl Throttled for Fake {
        fn throttle(&self, stopped: bool) -> bool {
            self.get(|state| {
                if !state.obeys {
                    return false;
                }
                let now = Instant::now();
                if !state.stopped {
                    state.used += now - state.since;
                }
                state.since = now;
                state.stopped = stopped;
                state.stops += u32::from(stopped);
                true
            })
        }

        fn cpu_ms(&self) -> Option<u64> {
            self.get(|state| {
                state.looks += 1;
                let running = if state.stopped {
                    Duration::ZERO
                } else {
                    state.since.elapsed()
                };
                let ms = (state.used + running).as_millis().try_into().unwrap();
                state.tells.then_some(ms)
            })
        }
    }

    #[test]
    fn children_are_stopped_and_go_on_in_turns() {
        for tells in [true, false] {
            let throttle = Throttle::with_cores(50, 1).unwrap();
            let child = Fake::new();
            child.get(|state| state.tells = tells);
            let _member = throttle.add(child.clone());
            for stops in 1..=3 {
                child.wait(|state| state.stops >= stops);
                child.wait(|state| !state.stopped);
            }
            assert_eq!(throttle.meter().cpu_ms() > 0, tells);
        }
    }

    #[test]
    fn no_child_is_left_stopped() {
        type End = fn(Throttle, Member);
        let cases: [(&str, End); 4] = [
            ("the child is taken out", |throttle, member| {
                drop(member);
                std::mem::forget(throttle);
            }),
            ("the throttle is dropped", |throttle, member| {
                drop(throttle);
                std::mem::forget(member);
            }),
            ("the throttle first, then the child", |throttle, member| {
                drop(throttle);
                drop(member);
            }),
            ("no limit any more", |throttle, member| {
                throttle.set_percent(100);
                std::mem::forget((throttle, member));
            }),
        ];
        for (name, end) in cases {
            let throttle = Throttle::with_cores(10, 1).unwrap();
            let child = Fake::new();
            let member = throttle.add(child.clone());
            child.wait(|state| state.stopped);
            end(throttle, member);
            assert!(!child.get(|state| state.stopped), "{name}");
        }
    }

    #[test]
    fn without_a_limit_children_are_not_even_looked_at() {
        let throttle = Throttle::with_cores(100, 1).unwrap();
        let (child, other) = (Fake::new(), Fake::new());
        let _member = throttle.add(child.clone());
        // The second child's arrival is worked off after everything that the first one caused.
        let _other = throttle.add(other.clone());
        other.wait(|state| state.looks >= 2);
        let looks = child.get(|state| state.looks);
        let limited = Throttle::with_cores(50, 1).unwrap();
        let clock = Fake::new();
        let _clock = limited.add(clock.clone());
        clock.wait(|state| state.stops >= 4);
        // Two steps may have been due, no more.
        assert!(child.get(|state| state.looks) <= looks + 2);
        assert_eq!(child.get(|state| state.stops), 0);
    }

    #[test]
    fn the_limit_is_set_and_lifted_while_children_run() {
        let throttle = Throttle::with_cores(100, 1).unwrap();
        let child = Fake::new();
        let _member = throttle.add(child.clone());
        throttle.set_percent(30);
        child.wait(|state| state.stops >= 2);
        throttle.set_percent(100);
        let stops = child.get(|state| state.stops);
        assert!(!child.get(|state| state.stopped));
        throttle.set_percent(30);
        child.wait(|state| state.stops > stops);
    }

    #[test]
    fn a_child_that_cannot_be_stopped_does_not_disturb_the_others() {
        let throttle = Throttle::with_cores(80, 2).unwrap();
        let (free, child) = (Fake::new(), Fake::new());
        free.get(|state| state.obeys = false);
        let _free = throttle.add(free.clone());
        let _member = throttle.add(child.clone());
        child.wait(|state| state.stops >= 2);
        assert_eq!(free.get(|state| state.stops), 0);
    }

    #[test]
    fn the_meter_counts_children_that_are_gone() {
        let throttle = Throttle::with_cores(100, 1).unwrap();
        let meter = throttle.meter();
        assert_eq!(meter.cpu_ms(), 0);
        let child = Fake::new();
        child.get(|state| state.used = Duration::from_secs(100));
        let member = throttle.add(child.clone());
        assert!(
            meter.cpu_ms() < 50_000,
            "what it used before does not count"
        );
        child.get(|state| state.used += Duration::from_secs(60));
        drop(member);
        let used = meter.cpu_ms();
        assert!(used >= 60_000, "{used}");
        drop(throttle);
        assert_eq!(meter.cpu_ms(), used);
    }
}
