//! Whether the internet connection is metered.
//!
//! - Linux: what NetworkManager says, its guess included.
//! - Windows: the cost of the connection that leads to the internet.
//! - macOS: not known, there is no interface that can be used without Swift.

/// Tells whether the connection is metered each time it is called.
#[cfg(target_os = "linux")]
pub(super) fn source() -> impl FnMut() -> Option<bool> + Send + 'static {
    use super::bus::{Bus, Which};

    let mut system = Bus::new(Which::System);
    move || from_network_manager(&mut system)
}

#[cfg(target_os = "linux")]
fn from_network_manager(bus: &mut super::bus::Bus) -> Option<bool> {
    const NAME: &str = "org.freedesktop.NetworkManager";
    const PATH: &str = "/org/freedesktop/NetworkManager";
    const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

    let value: zbus::zvariant::OwnedValue =
        bus.call(NAME, PATH, PROPERTIES, "Get", &(NAME, "Metered"))?;
    from_code(u32::try_from(value).ok()?)
}

/// NetworkManager's code: 0 unknown, 1 yes, 2 no, 3 probably, 4 probably not.
#[cfg(target_os = "linux")]
fn from_code(code: u32) -> Option<bool> {
    match code {
        1 | 3 => Some(true),
        2 | 4 => Some(false),
        _ => None,
    }
}

/// Tells whether the connection is metered each time it is called.
#[cfg(windows)]
pub(super) fn source() -> impl FnMut() -> Option<bool> + Send + 'static {
    use windows::Networking::Connectivity::{NetworkCostType, NetworkInformation};

    || {
        let profile = NetworkInformation::GetInternetConnectionProfile().ok()?;
        match profile.GetConnectionCost().ok()?.NetworkCostType().ok()? {
            NetworkCostType::Unrestricted => Some(false),
            NetworkCostType::Fixed | NetworkCostType::Variable => Some(true),
            _ => None,
        }
    }
}

/// Nobody tells.
#[cfg(not(any(target_os = "linux", windows)))]
pub(super) fn source() -> impl FnMut() -> Option<bool> + Send + 'static {
    || None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::conditions::bus::{Bus, Which};

    #[test]
    fn the_codes_of_network_manager_are_understood() {
        let told = [None, Some(true), Some(false), Some(true), Some(false), None];
        for (code, expected) in (0..).zip(told) {
            assert_eq!(from_code(code), expected, "{code}");
        }
        assert_eq!(from_code(u32::MAX), None);
    }

    #[test]
    fn without_a_bus_nobody_tells() {
        let mut none = Bus::new(Which::At("unix:path=/nonexistent/bus".into()));
        assert_eq!(from_network_manager(&mut none), None);
    }
}
