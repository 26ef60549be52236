//! Whether the processor is too hot to go on.

use std::fmt;

use omni_core::governor::Signal;
use sysinfo::Components;

/// Too hot when the sensor does not tell its critical temperature, °C.
const HOT_CELSIUS: f32 = 85.0;
/// Too hot when so near to the critical temperature, °C.
const MARGIN_CELSIUS: f32 = 10.0;
/// Readings outside are not temperatures of a processor that runs, °C.
const PLAUSIBLE: std::ops::RangeInclusive<f32> = 1.0..=130.0;
/// Critical temperatures outside are no limits of a processor, °C.
const PLAUSIBLE_CRITICAL: std::ops::RangeInclusive<f32> = 60.0..=130.0;
/// Parts of the names of processor sensors on Linux (the driver's name), macOS and Windows.
const PROCESSOR: [&str; 9] = [
    "coretemp",
    "k10temp",
    "k8temp",
    "zenpower",
    "cpu",
    "soc_thermal",
    "pmu tdie",
    "package id",
    "x86_pkg_temp",
];

/// The temperature sensors.
pub(super) struct Heat {
    components: Option<Components>,
}

impl fmt::Debug for Heat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sensors = self.components.as_ref().map(|components| components.len());
        f.debug_struct("Heat").field("sensors", &sensors).finish()
    }
}

impl Heat {
    pub(super) fn new() -> Self {
        Self {
            components: Components::new().ok(),
        }
    }

    /// Whether the hottest part of the processor is too hot.
    pub(super) fn read(&mut self) -> Signal<bool> {
        let Some(components) = &mut self.components else {
            return Signal::Unavailable;
        };
        components.refresh(true);
        judge(components.iter().map(|component| Reading {
            label: component.label(),
            celsius: component.temperature(),
            critical: component.critical(),
        }))
    }
}

/// What one sensor says.
#[derive(Clone, Copy, Debug)]
struct Reading<'a> {
    label: &'a str,
    celsius: Option<f32>,
    critical: Option<f32>,
}

/// Whether any sensor of the processor is within [`MARGIN_CELSIUS`] of its critical temperature, or
/// at [`HOT_CELSIUS`] or above when that is not known. Unavailable without any usable sensor.
fn judge<'a>(readings: impl Iterator<Item = Reading<'a>>) -> Signal<bool> {
    let hot = readings.filter_map(|reading| {
        let label = reading.label.to_lowercase();
        let is_processor = PROCESSOR.iter().any(|part| label.contains(part));
        let celsius = reading.celsius.filter(|it| PLAUSIBLE.contains(it))?;
        let critical = reading
            .critical
            .filter(|it| PLAUSIBLE_CRITICAL.contains(it));
        let limit = critical.map_or(HOT_CELSIUS, |critical| critical - MARGIN_CELSIUS);
        is_processor.then_some(celsius >= limit)
    });
    hot.reduce(|any, hot| any || hot).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL: Signal<bool> = Signal::Known(false);
    const HOT: Signal<bool> = Signal::Known(true);

    fn check(expected: Signal<bool>, readings: &[(&str, Option<f32>, Option<f32>)]) {
        let judged = judge(readings.iter().map(|&(label, celsius, critical)| Reading {
            label,
            celsius,
            critical,
        }));
        assert_eq!(judged, expected, "{readings:?}");
    }

    #[test]
    fn the_hottest_processor_sensor_decides() {
        check(Signal::Unavailable, &[]);
        check(COOL, &[("coretemp Core 0", Some(89.9), Some(100.0))]);
        check(HOT, &[("coretemp Core 0", Some(90.0), Some(100.0))]);
        check(COOL, &[("k10temp Tctl", Some(84.9), None)]);
        check(HOT, &[("k10temp Tctl", Some(85.0), None)]);
        check(HOT, &[("CPU die", Some(85.0), None)]);
        check(COOL, &[("cpu_thermal temp1", Some(85.0), Some(110.0))]);
        check(
            HOT,
            &[
                ("coretemp Core 0", Some(40.0), Some(100.0)),
                ("coretemp Core 1", Some(95.0), Some(100.0)),
                ("coretemp Core 2", Some(40.0), Some(100.0)),
            ],
        );
    }

    #[test]
    fn other_sensors_and_odd_values_decide_nothing() {
        check(
            Signal::Unavailable,
            &[
                ("nvme Composite", Some(99.0), Some(84.8)),
                ("acpitz temp1", Some(95.0), None),
            ],
        );
        for odd in [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            -128.0,
            0.0,
            6553.5,
        ] {
            check(
                Signal::Unavailable,
                &[("coretemp Core 0", Some(odd), Some(100.0))],
            );
            // An impossible limit is none.
            check(COOL, &[("coretemp Core 0", Some(70.0), Some(odd))]);
            check(HOT, &[("coretemp Core 0", Some(86.0), Some(odd))]);
            check(
                HOT,
                &[
                    ("k10temp Tctl", Some(odd), None),
                    ("k10temp Tccd1", Some(91.0), None),
                ],
            );
        }
        check(
            Signal::Unavailable,
            &[("coretemp Core 0", None, Some(100.0))],
        );
    }
}
