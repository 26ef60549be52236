//! Whether the computer runs on battery.

use std::path::Path;

use omni_core::governor::Signal;

/// Where Linux lists its power supplies.
pub(super) const ROOT: &str = "/sys/class/power_supply";

/// Whether the computer runs on battery. `root` is the folder of [`ROOT`]; only Linux uses it.
#[cfg(target_os = "linux")]
pub(super) fn read(root: &Path) -> Signal<bool> {
    sysfs::read(root)
}

/// Whether the computer runs on battery.
#[cfg(windows)]
pub(super) fn read(_root: &Path) -> Signal<bool> {
    use windows::System::Power::{BatteryStatus, PowerManager, PowerSupplyStatus};
    let supply = PowerManager::PowerSupplyStatus();
    let battery = PowerManager::BatteryStatus();
    match (supply, battery) {
        (Ok(PowerSupplyStatus::NotPresent), _) | (_, Ok(BatteryStatus::Discharging)) => {
            Signal::Known(true)
        }
        (Ok(_), _) => Signal::Known(false),
        (Err(_), _) => Signal::Unavailable,
    }
}

/// Whether the computer runs on battery.
#[cfg(target_os = "macos")]
pub(super) fn read(_root: &Path) -> Signal<bool> {
    from_remaining(objc2_io_kit::IOPSGetTimeRemainingEstimate())
}

/// Whether the computer runs on battery.
#[cfg(not(any(target_os = "linux", windows, target_os = "macos")))]
pub(super) fn read(_root: &Path) -> Signal<bool> {
    Signal::Unavailable
}

/// macOS tells the time until the batteries are empty, seconds: −2 with unlimited power, −1 while
/// that time is not known yet.
#[cfg(any(target_os = "macos", test))]
fn from_remaining(seconds: f64) -> Signal<bool> {
    if seconds == -2.0 {
        Signal::Known(false)
    } else if seconds == -1.0 || seconds >= 0.0 {
        Signal::Known(true)
    } else {
        Signal::Unavailable
    }
}

#[cfg(target_os = "linux")]
mod sysfs {
    use std::{
        fs::{self, File},
        io::Read,
        path::Path,
    };

    use omni_core::governor::Signal;

    /// Most power supplies that are looked at.
    const MAX_SUPPLIES: usize = 64;
    /// Longest value that is read, bytes.
    const MAX_VALUE_BYTES: u64 = 64;

    /// What one power supply says.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Supply {
        /// A plug, in use or not.
        Plug { online: bool },
        /// A battery or UPS of the computer.
        Battery(Charge),
        /// Nothing that the computer runs on, or unreadable.
        Other,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Charge {
        /// It is what the computer runs on.
        Drains,
        /// Charging, full or kept from charging: there is other power.
        Rests,
        /// It does not tell.
        Unknown,
    }

    pub(super) fn read(root: &Path) -> Signal<bool> {
        let Ok(entries) = fs::read_dir(root) else {
            return Signal::Unavailable;
        };
        let supplies = entries.flatten().take(MAX_SUPPLIES);
        judge(supplies.map(|entry| supply(&entry.path())))
    }

    /// A battery that drains decides, even beside a plug that is too weak; then the plugs do; then
    /// batteries at rest. A computer without any battery runs on mains.
    pub(super) fn judge(supplies: impl Iterator<Item = Supply>) -> Signal<bool> {
        let (mut plugged, mut unplugged) = (false, false);
        let (mut batteries, mut rests) = (false, false);
        for supply in supplies {
            match supply {
                Supply::Battery(Charge::Drains) => return Signal::Known(true),
                Supply::Battery(charge) => {
                    batteries = true;
                    rests |= charge == Charge::Rests;
                }
                Supply::Plug { online: true } => plugged = true,
                Supply::Plug { online: false } => unplugged = true,
                Supply::Other => {}
            }
        }
        if plugged || rests || !batteries {
            Signal::Known(false)
        } else if unplugged {
            Signal::Known(true)
        } else {
            Signal::Unavailable
        }
    }

    fn supply(folder: &Path) -> Supply {
        // The battery of a mouse or a headset.
        if value(folder, "scope").as_deref() == Some("Device") {
            return Supply::Other;
        }
        match value(folder, "type").as_deref() {
            Some("Battery" | "UPS") => {
                if value(folder, "present").as_deref() == Some("0") {
                    return Supply::Other;
                }
                Supply::Battery(match value(folder, "status").as_deref() {
                    Some("Discharging") => Charge::Drains,
                    Some("Charging" | "Full" | "Not charging") => Charge::Rests,
                    _ => Charge::Unknown,
                })
            }
            Some("Mains" | "USB" | "Wireless") => match value(folder, "online").as_deref() {
                Some("0") => Supply::Plug { online: false },
                // 2 is a programmable USB supply.
                Some("1" | "2") => Supply::Plug { online: true },
                _ => Supply::Other,
            },
            _ => Supply::Other,
        }
    }

    /// Content of a short file, trimmed.
    fn value(folder: &Path, name: &str) -> Option<String> {
        let file = File::open(folder.join(name)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_VALUE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8(bytes).ok()?.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn remaining_time_tells_battery_from_mains() {
        for (seconds, expected) in [
            (-2.0, Signal::Known(false)),
            (-1.0, Signal::Known(true)),
            (0.0, Signal::Known(true)),
            (5400.0, Signal::Known(true)),
            (-3.0, Signal::Unavailable),
            (f64::NAN, Signal::Unavailable),
            (f64::NEG_INFINITY, Signal::Unavailable),
        ] {
            assert_eq!(from_remaining(seconds), expected, "{seconds}");
        }
    }

    /// A tree of supplies, each a name with its files.
    #[cfg(target_os = "linux")]
    fn tree(supplies: &[Entry]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, files) in supplies {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            for (file, content) in *files {
                std::fs::write(folder.join(file), content).unwrap();
            }
        }
        root
    }

    /// Name of a supply and its files.
    #[cfg(target_os = "linux")]
    type Entry = (&'static str, &'static [(&'static str, &'static str)]);

    #[cfg(target_os = "linux")]
    #[test]
    fn the_power_supplies_of_linux_are_judged() {
        const AC_ON: Entry = ("AC", &[("type", "Mains\n"), ("online", "1\n")]);
        const AC_OFF: Entry = ("AC", &[("type", "Mains\n"), ("online", "0\n")]);
        const USB_ON: Entry = ("ucsi", &[("type", "USB\n"), ("online", "2\n")]);
        const DRAINS: Entry = (
            "BAT0",
            &[
                ("type", "Battery\n"),
                ("present", "1\n"),
                ("status", "Discharging\n"),
            ],
        );
        const FULL: Entry = ("BAT1", &[("type", "Battery\n"), ("status", "Full\n")]);
        const KEPT: Entry = (
            "BAT2",
            &[("type", "Battery\n"), ("status", "Not charging\n")],
        );
        const MUTE: Entry = ("BAT3", &[("type", "Battery\n"), ("status", "Unknown\n")]);
        const ABSENT: Entry = (
            "BAT4",
            &[
                ("type", "Battery\n"),
                ("present", "0\n"),
                ("status", "Discharging\n"),
            ],
        );
        const MOUSE: Entry = (
            "hid-mouse",
            &[
                ("type", "Battery\n"),
                ("scope", "Device\n"),
                ("status", "Discharging\n"),
            ],
        );
        const UPS: Entry = ("ups", &[("type", "UPS\n"), ("status", "Discharging\n")]);
        const ODD: Entry = ("odd", &[("type", "\u{0}\u{7f}Mains"), ("online", "yes")]);
        const AC_ODD: Entry = ("AC", &[("type", "Mains"), ("online", "-7")]);
        let cases: &[(&str, &[Entry], Signal<bool>)] = &[
            ("a desktop without any", &[], Signal::Known(false)),
            ("a desktop with a plug", &[AC_ON], Signal::Known(false)),
            ("a wireless mouse", &[MOUSE], Signal::Known(false)),
            ("a laptop on mains", &[AC_ON, FULL], Signal::Known(false)),
            ("kept from charging", &[AC_ON, KEPT], Signal::Known(false)),
            (
                "a laptop on battery",
                &[AC_OFF, DRAINS],
                Signal::Known(true),
            ),
            (
                "the second battery drains",
                &[AC_OFF, FULL, DRAINS],
                Signal::Known(true),
            ),
            ("a plug too weak", &[USB_ON, DRAINS], Signal::Known(true)),
            (
                "charged over USB",
                &[AC_OFF, USB_ON, MUTE],
                Signal::Known(false),
            ),
            (
                "a mute battery, unplugged",
                &[AC_OFF, MUTE],
                Signal::Known(true),
            ),
            ("a mute battery alone", &[MUTE], Signal::Unavailable),
            (
                "a mute battery, odd plug",
                &[MUTE, AC_ODD],
                Signal::Unavailable,
            ),
            ("no plug known, full", &[FULL], Signal::Known(false)),
            (
                "a slot without a battery",
                &[AC_OFF, ABSENT],
                Signal::Known(false),
            ),
            ("a UPS in a power cut", &[UPS], Signal::Known(true)),
            ("nonsense", &[ODD, ("empty", &[])], Signal::Known(false)),
        ];
        for (name, supplies, expected) in cases {
            assert_eq!(read(tree(supplies).path()), *expected, "{name}");
        }
        let root = tree(&[]);
        assert_eq!(read(&root.path().join("none")), Signal::Unavailable);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_end_and_a_file_in_place_of_a_folder_are_harmless() {
        let root = tree(&[("BAT0", &[("type", "Battery")])]);
        let endless = root.path().join("BAT0").join("status");
        std::os::unix::fs::symlink("/dev/zero", endless).unwrap();
        std::fs::write(root.path().join("file"), "Battery").unwrap();
        assert_eq!(read(root.path()), Signal::Unavailable);
    }
}
