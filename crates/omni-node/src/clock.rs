//! The one place where the program reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use omni_types::Timestamp;

/// Now; zero on a computer whose clock is before 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
