//! How long a pause lasts.

use omni_node::{Command, clock, conditions::local_time};
use serde::Deserialize;

/// "For an hour", milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// How long a pause lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PauseUntil {
    /// For an hour from now.
    Hour,
    /// Until tomorrow morning, by this computer's clock.
    Tomorrow,
    /// Until the volunteer resumes.
    Resumed,
}

impl PauseUntil {
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Tomorrow, Self::Resumed];

    /// The command for a pause that begins now.
    pub(crate) fn command(self) -> Command {
        let now = clock::now();
        let until = match self {
            Self::Hour => Some(now.plus_ms(HOUR_MS)),
            Self::Tomorrow => Some(local_time::tomorrow(now)),
            Self::Resumed => None,
        };
        Command::Pause { until }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    #[test]
    fn a_pause_ends_when_it_says() {
        let until = |choice: PauseUntil| match choice.command() {
            Command::Pause { until } => until,
            other => panic!("{other:?}"),
        };
        let now = clock::now();
        let hour = until(PauseUntil::Hour).map(|until| until.0.abs_diff(now.0 + HOUR_MS));
        assert!(hour.is_some_and(|off_ms| off_ms < 60_000));
        assert!(until(PauseUntil::Tomorrow).is_some_and(|until| until > now));
        assert_eq!(until(PauseUntil::Resumed), None);
    }
}
