//! Standard output that may go away: a closed pipe is no reason to panic.

use std::io::{self, Write};

/// Writes one line; `false` when nobody reads any more.
pub(crate) fn line(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Writes one JSON value on one line.
pub(crate) fn json(value: &serde_json::Value) -> bool {
    line(&value.to_string())
}
