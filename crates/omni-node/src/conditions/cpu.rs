//! How busy other programs keep the computer.

use std::{fmt, time::Instant};

use omni_core::governor::Signal;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Processor time since any fixed moment, milliseconds.
type CpuMs = Box<dyn FnMut() -> u64 + Send>;

pub(super) struct Cpu {
    system: Option<System>,
    this: Option<Pid>,
    children_cpu_ms: CpuMs,
    /// When the last reading was, and what this program and its children had used by then,
    /// milliseconds.
    last: Option<(Instant, u64)>,
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Cpu {
    pub(super) fn new(children_cpu_ms: CpuMs) -> Self {
        Self {
            system: System::new().ok(),
            this: sysinfo::get_current_pid().ok(),
            children_cpu_ms,
            last: None,
        }
    }

    /// Processor time of other programs since the last reading, percent of the whole machine.
    /// Unavailable the first time.
    pub(super) fn read(&mut self) -> Signal<u8> {
        let Some(system) = &mut self.system else {
            return Signal::Unavailable;
        };
        system.refresh_cpu_usage();
        let mut own_ms = (self.children_cpu_ms)();
        if let Some(this) = self.this {
            let kind = ProcessRefreshKind::nothing().with_cpu();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[this]), true, kind);
            let used = system.process(this).map(|it| it.accumulated_cpu_time());
            own_ms = own_ms.saturating_add(used.unwrap_or(0));
        }
        let now = Instant::now();
        let Some((before, before_ms)) = self.last.replace((now, own_ms)) else {
            return Signal::Unavailable;
        };
        let elapsed_ms = now.saturating_duration_since(before).as_secs_f64() * 1000.0;
        foreign(
            system.global_cpu_usage(),
            own_ms.saturating_sub(before_ms),
            elapsed_ms * system.cpus().len() as f64,
        )
        .into()
    }
}

/// Share of other programs, percent of the whole machine, when all programs together use
/// `total_percent` and ours have used `own_ms` of the `machine_ms` that there were.
fn foreign(total_percent: f32, own_ms: u64, machine_ms: f64) -> Option<u8> {
    if !total_percent.is_finite() || !machine_ms.is_finite() || machine_ms <= 0.0 {
        return None;
    }
    let own_percent = own_ms as f64 / machine_ms * 100.0;
    let foreign = (f64::from(total_percent) - own_percent).clamp(0.0, 100.0);
    // Within 0 ..= 100 by now.
    Some(foreign.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ours_used_is_not_counted_as_foreign() {
        for (total, own_ms, machine_ms, expected) in [
            (0.0, 0, 4000.0, Some(0)),
            (100.0, 0, 4000.0, Some(100)),
            (60.0, 2000, 4000.0, Some(10)),
            (50.0, 2000, 4000.0, Some(0)),
            // The two are not measured at quite the same moment.
            (50.0, 2400, 4000.0, Some(0)),
            (120.0, 0, 4000.0, Some(100)),
            (-5.0, 0, 4000.0, Some(0)),
            (50.0, u64::MAX, 4000.0, Some(0)),
            (f32::NAN, 0, 4000.0, None),
            (f32::INFINITY, 0, 4000.0, None),
            (50.0, 0, 0.0, None),
            (50.0, 0, -1.0, None),
            (50.0, 0, f64::NAN, None),
        ] {
            assert_eq!(
                foreign(total, own_ms, machine_ms),
                expected,
                "{total} {own_ms}"
            );
        }
    }
}
