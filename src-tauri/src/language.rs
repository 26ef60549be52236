//! The tray's texts in the system's language.

use omni_node::view::Phase;

use crate::pause::PauseUntil;

/// A language the program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

/// The system's language as a tag such as `de-DE`, when it names one.
pub(crate) fn system() -> Option<String> {
    sys_locale::get_locale()
}

impl Language {
    /// The system's language, or English.
    pub(crate) fn of_system() -> Self {
        Self::of_tag(system().as_deref())
    }

    fn of_tag(tag: Option<&str>) -> Self {
        match tag.and_then(|tag| tag.split(['-', '_', '.']).next()) {
            Some(code) if code.eq_ignore_ascii_case("de") => Self::German,
            _ => Self::English,
        }
    }

    fn pick(self, english: &'static str, german: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::German => german,
        }
    }

    /// What the node is doing; `working` when something runs right now.
    pub(crate) fn state(self, phase: Phase, working: bool) -> &'static str {
        match phase {
            Phase::ConsentNeeded => {
                self.pick("Waiting for your decision", "Wartet auf Ihre Entscheidung")
            }
            Phase::Starting => self.pick("Starting", "Startet"),
            Phase::Running if working => self.pick("Running", "Läuft"),
            Phase::Running => self.pick(
                "Ready, nothing to do right now",
                "Bereit, gerade nichts zu tun",
            ),
            Phase::Paused => self.pick("Paused", "Pausiert"),
            Phase::Held => self.pick(
                "Resting, because of your limits",
                "Ruht, wegen Ihrer Grenzen",
            ),
            Phase::Stopped => self.pick("Stopped", "Gestoppt"),
            Phase::Halted => self.pick(
                "Stopped by the network's stewards",
                "Von den Stewards des Netzes angehalten",
            ),
            Phase::Failed => self.pick("Not working", "Arbeitet nicht"),
        }
    }

    /// A pause that ends at this time.
    pub(crate) fn paused_until(self, time: &str) -> String {
        match self {
            Self::English => format!("Paused until {time}"),
            Self::German => format!("Pausiert bis {time}"),
        }
    }

    /// A question waits for an answer.
    pub(crate) fn question(self) -> &'static str {
        self.pick("Has a question for you", "Hat eine Frage an Sie")
    }

    pub(crate) fn open(self) -> &'static str {
        self.pick("Open OmniSwarm", "OmniSwarm öffnen")
    }

    pub(crate) fn pause(self) -> &'static str {
        self.pick("Pause", "Pause")
    }

    pub(crate) fn pause_until(self, until: PauseUntil) -> &'static str {
        match until {
            PauseUntil::Hour => self.pick("For 1 hour", "Für 1 Stunde"),
            PauseUntil::Tomorrow => {
                self.pick("Until tomorrow, 6 in the morning", "Bis morgen früh, 6 Uhr")
            }
            PauseUntil::Resumed => self.pick("Until I resume", "Bis ich fortsetze"),
        }
    }

    pub(crate) fn resume(self) -> &'static str {
        self.pick("Resume", "Fortsetzen")
    }

    pub(crate) fn stop(self) -> &'static str {
        self.pick("Stop everything", "Alles stoppen")
    }

    pub(crate) fn lift(self) -> &'static str {
        self.pick("Allow work again", "Arbeit wieder erlauben")
    }

    pub(crate) fn quit(self) -> &'static str {
        self.pick("Quit", "Beenden")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_chooses_a_language_we_have() {
        let check = |tag, language| assert_eq!(Language::of_tag(tag), language, "{tag:?}");
        check(Some("de"), Language::German);
        check(Some("de-AT"), Language::German);
        check(Some("DE_de.UTF-8"), Language::German);
        check(Some("den"), Language::English);
        check(Some("fr-FR"), Language::English);
        check(None, Language::English);
    }
}
