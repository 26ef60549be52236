//! Calls over D-Bus that start nothing and fail quietly.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use zbus::{
    blocking::{Connection, connection::Builder},
    zvariant::{DynamicType, Type},
};

/// How long one call may take.
const CALL_WAIT: Duration = Duration::from_millis(400);
/// After a failed attempt to connect so many are left out.
const LEFT_OUT: u32 = 29;

/// Which bus.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// Of the whole computer.
    System,
    /// Of the volunteer's session.
    Session,
    /// At an address.
    #[cfg(test)]
    At(String),
}

/// A bus that is connected when first asked and again after it was lost. Connecting may hang.
#[derive(Debug)]
pub(super) struct Bus {
    which: Which,
    connection: Option<Connection>,
    patience: Patience,
}

impl Bus {
    pub(super) fn new(which: Which) -> Self {
        Self {
            which,
            connection: None,
            patience: Patience::default(),
        }
    }

    /// Calls a method of a service that runs already and gives what it answers.
    pub(super) fn call<B, R>(
        &mut self,
        name: &str,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Option<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        const BUS: &str = "org.freedesktop.DBus";
        if self.connection.is_none() {
            let which = &self.which;
            self.connection = self.patience.attempt(|| connect(which).ok());
        }
        let connection = self.connection.as_ref()?;
        // A call to a service that does not run would start it.
        let runs = connection
            .call_method(
                Some(BUS),
                "/org/freedesktop/DBus",
                Some(BUS),
                "NameHasOwner",
                &name,
            )
            .and_then(|reply| reply.body().deserialize::<bool>());
        match runs {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => {
                self.connection = None;
                self.patience.failed();
                return None;
            }
        }
        let reply = connection
            .call_method(Some(name), path, Some(interface), method, body)
            .ok()?;
        reply.body().deserialize().ok()
    }
}

fn connect(which: &Which) -> zbus::Result<Connection> {
    let builder = match which {
        Which::System => Builder::system()?,
        Which::Session => Builder::session()?,
        #[cfg(test)]
        Which::At(address) => Builder::address(address.as_str())?,
    };
    builder.method_timeout(CALL_WAIT).build()
}

/// Leaves attempts out after one that failed, so that what is not there is not looked for all the
/// time.
#[derive(Debug, Default)]
pub(super) struct Patience {
    left_out: u32,
}

impl Patience {
    /// Makes the attempt, unless one failed a short time ago.
    pub(super) fn attempt<T>(&mut self, attempt: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.left_out > 0 {
            self.left_out -= 1;
            return None;
        }
        let done = attempt();
        if done.is_none() {
            self.failed();
        }
        done
    }

    /// Something that had been there failed.
    pub(super) fn failed(&mut self) {
        self.left_out = LEFT_OUT;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{os::unix::net::UnixListener, time::Instant};

    use omni_core::governor::Signal;

    use super::*;
    use crate::conditions::asked::Asked;

    fn asked(which: Which) -> Asked<u64> {
        let mut bus = Bus::new(which);
        Asked::new("test-bus", move || {
            bus.call("org.example.Any", "/", "org.example.Any", "Get", &())
        })
    }

    #[test]
    fn no_bus_is_unavailable_at_once() {
        for address in ["unix:path=/nonexistent/bus", "nonsense", "", "unix:"] {
            let mut none = asked(Which::At(address.into()));
            let begin = Instant::now();
            assert_eq!(none.ask(Duration::from_secs(30)), Signal::Unavailable);
            assert!(begin.elapsed() < Duration::from_secs(20), "{address}");
        }
    }

    #[test]
    fn a_bus_that_never_answers_is_unavailable_within_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let _silent = UnixListener::bind(&path).unwrap();
        let mut silent = asked(Which::At(format!("unix:path={}", path.display())));
        let begin = Instant::now();
        assert_eq!(silent.ask(Duration::from_millis(50)), Signal::Unavailable);
        assert_eq!(silent.ask(Duration::from_secs(30)), Signal::Unavailable);
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn after_a_failure_attempts_are_left_out() {
        let mut patience = Patience::default();
        let mut made = 0;
        for _ in 0..=LEFT_OUT + 1 {
            let done: Option<()> = patience.attempt(|| {
                made += 1;
                None
            });
            assert_eq!(done, None);
        }
        assert_eq!(made, 2);
        let mut patience = Patience::default();
        assert_eq!(patience.attempt(|| Some(1)), Some(1));
        assert_eq!(patience.attempt(|| Some(2)), Some(2));
    }
}
