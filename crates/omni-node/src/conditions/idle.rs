//! How long nobody has used keyboard and mouse.
//!
//! - Linux: GNOME's shell over the session bus (also under Wayland), otherwise the X11 screen saver
//!   extension. Under Wayland without GNOME nobody tells: what X11 programs see there is not all.
//! - Windows: the last input of this session.
//! - macOS: the last input of any device.

/// Tells the time since the last input each time it is called, milliseconds.
#[cfg(target_os = "linux")]
pub(super) fn source() -> impl FnMut() -> Option<u64> + Send + 'static {
    use super::bus::{Bus, Which};

    const NAME: &str = "org.gnome.Mutter.IdleMonitor";
    const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";

    let mut session = Bus::new(Which::Session);
    let mut x11 = (!is_wayland(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty())))
        .then(|| x11::Display::new(None));
    move || {
        session
            .call::<_, u64>(NAME, PATH, NAME, "GetIdletime", &())
            .or_else(|| x11.as_mut()?.idle_ms())
    }
}

/// Whether this is a Wayland session, by the environment variables that are set.
#[cfg(target_os = "linux")]
fn is_wayland(is_set: impl Fn(&str) -> bool) -> bool {
    is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET")
}

#[cfg(target_os = "linux")]
mod x11 {
    use x11rb::{
        connection::Connection,
        protocol::{screensaver::ConnectionExt, xproto::Window},
        rust_connection::RustConnection,
    };

    use crate::conditions::bus::Patience;

    /// An X11 display that is connected when first asked and again after it was lost.
    pub(super) struct Display {
        name: Option<String>,
        connected: Option<(RustConnection, Window)>,
        patience: Patience,
    }

    impl Display {
        /// The display with this name, or the one of the environment.
        pub(super) fn new(name: Option<&str>) -> Self {
            Self {
                name: name.map(str::to_owned),
                connected: None,
                patience: Patience::default(),
            }
        }

        /// Time since the last input, milliseconds.
        pub(super) fn idle_ms(&mut self) -> Option<u64> {
            if self.connected.is_none() {
                let name = self.name.as_deref();
                self.connected = self.patience.attempt(|| connect(name));
            }
            let (connection, root) = self.connected.as_ref()?;
            let asked = connection.screensaver_query_info(*root).ok();
            let idle = asked.and_then(|reply| reply.reply().ok());
            if idle.is_none() {
                self.connected = None;
                self.patience.failed();
            }
            idle.map(|info| info.ms_since_user_input.into())
        }
    }

    fn connect(name: Option<&str>) -> Option<(RustConnection, Window)> {
        let (connection, screen) = RustConnection::connect(name).ok()?;
        let root = connection.setup().roots.get(screen)?.root;
        Some((connection, root))
    }
}

/// Tells the time since the last input each time it is called, milliseconds.
#[cfg(windows)]
pub(super) fn source() -> impl FnMut() -> Option<u64> + Send + 'static {
    || {
        // In this order: the last input is never after `now`.
        let last = winsafe::GetLastInputInfo().ok()?.dwTime;
        let now = winsafe::GetTickCount64();
        Some(since(last, now))
    }
}

/// Milliseconds from the last input to `now`, where the time of the input has lost its upper half.
#[cfg(any(windows, test))]
fn since(last: u32, now: u64) -> u64 {
    // The lower half of `now`.
    (now as u32).wrapping_sub(last).into()
}

/// Tells the time since the last input each time it is called, milliseconds.
#[cfg(target_os = "macos")]
pub(super) fn source() -> impl FnMut() -> Option<u64> + Send + 'static {
    use objc2_core_graphics::{CGEventSource, CGEventSourceStateID, CGEventType};

    /// Input of any kind.
    const ANY: CGEventType = CGEventType(u32::MAX);

    || {
        from_seconds(CGEventSource::seconds_since_last_event_type(
            CGEventSourceStateID::HIDSystemState,
            ANY,
        ))
    }
}

/// Whole milliseconds, or `None` for what is no time.
#[cfg(any(target_os = "macos", test))]
fn from_seconds(seconds: f64) -> Option<u64> {
    // A cast of a float saturates.
    (seconds >= 0.0).then_some((seconds * 1000.0) as u64)
}

/// Nobody tells.
#[cfg(not(any(target_os = "linux", windows, target_os = "macos")))]
pub(super) fn source() -> impl FnMut() -> Option<u64> + Send + 'static {
    || None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_may_wrap_around() {
        for (last, now, expected) in [
            (0, 0, 0),
            (1000, 1500, 500),
            (u32::MAX, 1 << 32, 1),
            (u32::MAX - 9, (5 << 32) + 20, 30),
        ] {
            assert_eq!(since(last, now), expected, "{last} {now}");
        }
    }

    #[test]
    fn odd_seconds_are_no_idle_time() {
        for (seconds, expected) in [
            (0.0, Some(0)),
            (1.5, Some(1500)),
            (f64::MAX, Some(u64::MAX)),
            (-1.0, None),
            (f64::NAN, None),
        ] {
            assert_eq!(from_seconds(seconds), expected, "{seconds}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn x11_is_not_asked_under_wayland() {
        for (set, expected) in [
            (vec!["DISPLAY"], false),
            (vec!["DISPLAY", "WAYLAND_DISPLAY"], true),
            (vec!["WAYLAND_SOCKET"], true),
            (vec![], false),
        ] {
            assert_eq!(is_wayland(|name| set.contains(&name)), expected, "{set:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_display_nobody_tells() {
        for name in [":4242", "", "nonsense"] {
            let mut display = x11::Display::new(Some(name));
            assert_eq!(display.idle_ms(), None, "{name}");
        }
    }
}
