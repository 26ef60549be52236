//! The second wall around a skill: what the child process gives up before it reads a module.
//!
//! ```text
//!   main thread:  ALONE ──▶ start threads ──▶ TOGETHER ──▶ report ──▶ read the module
//! ```
//!
//! Some walls hold for one thread and those it starts later, so they come first; others would keep
//! threads from starting, so they come last. Every wall is looked at again after it has been put up:
//! what is reported is what is found.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(unix))]
mod other;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod system_calls;
#[cfg(unix)]
mod unix;

use omni_types::ResourceLimits;

#[cfg(target_os = "linux")]
use self::linux::Linux as System;
#[cfg(not(unix))]
use self::other::Other as System;
#[cfg(all(unix, not(target_os = "linux")))]
use self::unix::Unix as System;

use crate::report::{Raised, Wall, WallSet};

/// Walls and how to put them up; `true` when it stands.
type Stage = &'static [(Wall, fn(&ResourceLimits) -> bool)];

/// The walls of one system.
trait Walls {
    /// Put up, in this order, while the process has one thread.
    const ALONE: Stage;
    /// Put up, in this order, when all threads are there.
    const TOGETHER: Stage;

    /// Version of Landlock that is enforced, 0 for none.
    fn landlock() -> u8 {
        0
    }
}

/// Puts up the `chosen` walls for runs under `limits`, with `start_threads` at the one moment at
/// which threads can start under all of them.
pub(crate) fn raise<T>(
    chosen: WallSet,
    limits: &ResourceLimits,
    start_threads: impl FnOnce() -> T,
) -> (Raised, T) {
    let put_up = |stage: Stage| -> Vec<Wall> {
        let chosen = stage.iter().filter(|(wall, _)| chosen.contains(*wall));
        let mut up = Vec::new();
        for (wall, raise) in chosen {
            if raise(limits) {
                up.push(*wall);
            }
        }
        up
    };
    let mut up = put_up(System::ALONE);
    let started = start_threads();
    up.extend(put_up(System::TOGETHER));
    (Raised::new(WallSet::of(&up), System::landlock()), started)
}

/// What the child inherits as environment is what its parent gives it, so this only looks.
fn empty_environment(_: &ResourceLimits) -> bool {
    std::env::vars_os().next().is_none()
}
