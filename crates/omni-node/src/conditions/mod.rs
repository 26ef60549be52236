//! What this computer says about itself: power, network, heat, use, local time.
//!
//! ```text
//!   /sys, D-Bus, X11, ...  ──▶ Sensors::read ──▶ watch ──▶ event loop ──▶ governor
//!                                on a thread of its own
//! ```
//!
//! A sensor that is missing, slow or says nonsense gives [`Signal::Unavailable`]; none of them can
//! hold up the others. On Windows and macOS the sensors have not been tried on real computers.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use omni_core::governor::{Conditions, Signal};
use tokio::sync::watch;

use crate::clock;

mod asked;
mod battery;
#[cfg(target_os = "linux")]
mod bus;
mod cpu;
mod disk;
mod heat;
mod idle;
pub mod local_time;
mod metered;

use asked::Asked;

/// Time between two readings.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// Longest wait for a sensor that is asked over a connection.
pub const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// What changes slowly or costs more to ask is read once in so many readings.
const SLOW_EVERY: u32 = 3;

/// All sensors of this computer.
#[derive(Debug)]
pub struct Sensors {
    cpu: cpu::Cpu,
    heat: heat::Heat,
    idle: Asked<u64>,
    metered: Asked<bool>,
    folder: PathBuf,
    readings: u32,
    /// The last answers of the slow sensors.
    slow: Slow,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    on_battery: Signal<bool>,
    metered: Signal<bool>,
    hot: Signal<bool>,
    disk_used_bytes: Signal<u64>,
}

impl Sensors {
    /// Sensors of this computer, and of the program's `folder`. `children_cpu_ms` tells the processor time that our own children
    /// have used since any fixed moment, milliseconds; it must not block.
    pub fn new(folder: PathBuf, children_cpu_ms: impl FnMut() -> u64 + Send + 'static) -> Self {
        Self {
            cpu: cpu::Cpu::new(Box::new(children_cpu_ms)),
            heat: heat::Heat::new(),
            idle: Asked::new("idle-sensor", idle::source()),
            metered: Asked::new("network-sensor", metered::source()),
            folder,
            readings: 0,
            slow: Slow::default(),
        }
    }

    /// Reads all sensors. It may block for twice [`ANSWER_WAIT`]: not for the event loop.
    pub fn read(&mut self) -> Conditions {
        if self.readings.is_multiple_of(SLOW_EVERY) {
            self.slow = Slow {
                on_battery: battery::read(Path::new(battery::ROOT)),
                metered: self.metered.ask(ANSWER_WAIT),
                hot: self.heat.read(),
                disk_used_bytes: disk::used_bytes(&self.folder),
            };
        }
        self.readings = self.readings.wrapping_add(1);
        let Slow {
            on_battery,
            metered,
            hot,
            disk_used_bytes,
        } = self.slow;
        Conditions {
            at: local_time::local(clock::now()),
            on_battery,
            metered,
            idle_ms: self.idle.ask(ANSWER_WAIT),
            hot,
            disk_used_bytes,
            foreign_cpu_percent: self.cpu.read(),
        }
    }
}

/// Reads the sensors every [`INTERVAL`] on a thread of its own, until nobody listens any more.
/// `None` until the first reading. `folder` and `children_cpu_ms` as for [`Sensors::new`].
///
/// # Errors
/// When the system starts no thread.
pub fn watch(
    folder: PathBuf,
    children_cpu_ms: impl FnMut() -> u64 + Send + 'static,
) -> io::Result<watch::Receiver<Option<Conditions>>> {
    let (sender, receiver) = watch::channel(None);
    let run = move || {
        let mut sensors = Sensors::new(folder, children_cpu_ms);
        while sender.send(Some(sensors.read())).is_ok() {
            thread::sleep(INTERVAL);
        }
    };
    thread::Builder::new()
        .name("conditions".into())
        .spawn(run)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use super::*;

    #[test]
    fn a_reading_of_this_computer_is_bounded_in_time_and_in_range() {
        let mut sensors = Sensors::new(std::env::temp_dir(), || 0);
        for _ in 0..3 {
            let begin = Instant::now();
            let now = sensors.read();
            assert!(begin.elapsed() < Duration::from_secs(10));
            assert!(now.at.weekday < 7 && now.at.hour < 24, "{now:?}");
            assert!(now.foreign_cpu_percent.known().is_none_or(|it| it <= 100));
        }
    }

    #[tokio::test]
    async fn the_watch_gives_readings_and_ends_with_its_listener() {
        let (dropped, mut gone) = watch::channel(());
        let mut conditions = watch(std::env::temp_dir(), move || {
            let _ = &dropped;
            0
        })
        .unwrap();
        assert_eq!(*conditions.borrow(), None);
        let deadline = Duration::from_secs(30);
        let first = tokio::time::timeout(deadline, conditions.wait_for(Option::is_some));
        first.await.unwrap().unwrap();
        drop(conditions);
        // The thread drops the closure, and with it the sender, when it ends.
        let ended = tokio::time::timeout(deadline, gone.changed()).await;
        assert!(ended.unwrap().is_err());
    }
}
