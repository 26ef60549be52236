//! The parts of the view that tell what is allowed, asked, held and decided.

use omni_core::{
    Hold, Volunteer,
    confirmations::{self, Grant, Question},
    orders::Halt,
    policy::{self, Walls},
    volunteer::{Counters, DecisionRow},
};
use omni_types::{
    Action, DecisionRecord, Rejection, Settings, TextLimit, Timestamp, WeekSchedule, screen,
    settings::WEEKDAYS,
};

use crate::view::{
    ActionView, CountersView, DecisionView, GrantView, HaltView, HoldView, QuestionView, RuleView,
    SafetyView, SettingsView, WallView,
};

const MIB: u64 = 1 << 20;
const MINUTE_MS: u64 = 60_000;

fn mib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX)
}

fn ms(at: Timestamp) -> String {
    at.0.to_string()
}

/// The policy's lines.
pub(crate) fn rules() -> Vec<RuleView> {
    policy::RULES
        .iter()
        .map(|rule| RuleView {
            action: rule.action.to_owned(),
            tier: policy::tier_name(rule.tier).to_owned(),
        })
        .collect()
}

pub(crate) fn hold((hold, until): (Hold, Option<Timestamp>)) -> HoldView {
    HoldView {
        code: hold.code().to_owned(),
        until_ms: until.map(ms),
    }
}

pub(crate) fn halt(halt: &Halt) -> HaltView {
    HaltView {
        expires_ms: ms(halt.expires),
        reason: screen(&halt.reason, TextLimit::TITLE)
            .ok()
            .map(|reason| reason.as_str().to_owned()),
    }
}

fn action(action: &Action, volunteer: &Volunteer) -> ActionView {
    let campaign = action.campaign();
    let known = campaign.and_then(|id| volunteer.campaign(id));
    let mut view = ActionView {
        name: action.name().to_owned(),
        campaign: campaign.map(|id| id.to_string()),
        title: known.map_or_else(Default::default, |campaign| {
            crate::node_view::shown(&campaign.title, TextLimit::TITLE)
        }),
        steward: known.map(|campaign| campaign.signer().to_string()),
        ..ActionView::default()
    };
    match action {
        Action::FetchOutsideInput { host, .. } | Action::SendDiagnostics { host, .. } => {
            view.host = Some(host.clone());
        }
        Action::ReadFolder { folder, .. } => view.folder = Some(folder.clone()),
        Action::ChangePayout { address } => view.address = Some(address.clone()),
        Action::ExceedLimits {
            memory_bytes,
            disk_bytes,
            cpu_percent,
            ..
        } => {
            view.memory_mib = (*memory_bytes > 0).then(|| mib(*memory_bytes));
            view.disk_mib = (*disk_bytes > 0).then(|| mib(*disk_bytes));
            view.cpu_percent = (*cpu_percent > 0).then_some(*cpu_percent);
        }
        _ => {}
    }
    view
}

pub(crate) fn question(question: &Question, volunteer: &Volunteer) -> QuestionView {
    QuestionView {
        id: question.number.to_string(),
        action: action(&question.action, volunteer),
        asked_at_ms: ms(question.asked),
        expires_at_ms: ms(question.expires),
        scopes: confirmations::scopes(&question.action)
            .iter()
            .map(|scope| scope.code().to_owned())
            .collect(),
    }
}

pub(crate) fn grant(grant: &Grant, volunteer: &Volunteer) -> GrantView {
    GrantView {
        id: grant.number.to_string(),
        action: action(&grant.action, volunteer),
        scope: grant.scope.code().to_owned(),
        since_ms: ms(grant.since),
        until_ms: grant.until.map(ms),
    }
}

pub(crate) fn safety(volunteer: &Volunteer, walls: &[WallView]) -> SafetyView {
    SafetyView {
        walls: walls.to_vec(),
        walls_missing: volunteer.walls() == Walls::Missing,
        untold: volunteer
            .untold()
            .iter()
            .map(|untold| untold.code().to_owned())
            .collect(),
        counters: counters(volunteer.counters()),
        decisions: volunteer.decisions().map(decision).collect(),
    }
}

fn counters(counters: Counters) -> CountersView {
    CountersView {
        permitted: counters.permitted.to_string(),
        denied: counters.denied.to_string(),
        confirmed: counters.confirmed.to_string(),
        refused: counters.refused.to_string(),
        timed_out: counters.timed_out.to_string(),
        orders_refused: counters.orders_refused.to_string(),
    }
}

fn decision(row: &DecisionRow) -> DecisionView {
    decided(row.at, &row.decision)
}

/// A line of the audit log as it is shown.
pub(crate) fn decided(at: Timestamp, decision: &DecisionRecord) -> DecisionView {
    DecisionView {
        at_ms: ms(at),
        action: decision.action.name().to_owned(),
        tier: decision.tier.map(|tier| policy::tier_name(tier).to_owned()),
        verdict: decision.verdict.code().to_owned(),
        rule: decision.rule.clone(),
        correlation: decision.correlation.clone(),
    }
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        Self {
            cpu_percent: settings.cpu_percent,
            cores: settings.cores,
            memory_mib: mib(settings.memory_bytes),
            disk_mib: mib(settings.disk_bytes),
            only_when_idle: settings.only_when_idle,
            idle_minutes: u32::try_from(settings.idle_after_ms.div_ceil(MINUTE_MS))
                .unwrap_or(u32::MAX),
            on_battery: settings.on_battery,
            on_metered: settings.on_metered,
            pause_when_hot: settings.pause_when_hot,
            schedule: settings.schedule.map(|week| week.0.to_vec()),
        }
    }
}

impl TryFrom<&SettingsView> for Settings {
    type Error = Rejection;

    /// The settings that the view names.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for a number out of range.
    fn try_from(view: &SettingsView) -> Result<Self, Rejection> {
        let schedule = match &view.schedule {
            None => None,
            Some(days) => {
                let days: [u32; WEEKDAYS] = days
                    .as_slice()
                    .try_into()
                    .map_err(|_| Rejection::Malformed)?;
                Some(WeekSchedule(days))
            }
        };
        let settings = Self {
            cpu_percent: view.cpu_percent,
            cores: view.cores,
            memory_bytes: u64::from(view.memory_mib) * MIB,
            disk_bytes: u64::from(view.disk_mib) * MIB,
            only_when_idle: view.only_when_idle,
            idle_after_ms: u64::from(view.idle_minutes) * MINUTE_MS,
            on_battery: view.on_battery,
            on_metered: view.on_metered,
            pause_when_hot: view.pause_when_hot,
            schedule,
        };
        settings.check()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn settings_survive_the_way_to_the_window_and_back() {
        let settings = Settings {
            schedule: Some(WeekSchedule([1, 2, 4, 8, 16, 32, 64])),
            only_when_idle: true,
            ..Settings::default()
        };
        let view = SettingsView::from(&settings);
        assert_eq!(Settings::try_from(&view), Ok(settings));
    }

    #[test]
    fn settings_out_of_range_are_not_taken() {
        let view = SettingsView::from(&Settings::default());
        for change in [
            (|view| view.cpu_percent = 5) as fn(&mut SettingsView),
            |view| view.cores = 0,
            |view| view.memory_mib = 0,
            |view| view.schedule = Some(vec![0; 6]),
            |view| view.schedule = Some(vec![1 << 24; 7]),
        ] {
            let mut bad = view.clone();
            change(&mut bad);
            assert_eq!(Settings::try_from(&bad), Err(Rejection::Malformed));
        }
    }
}
