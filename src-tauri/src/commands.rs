//! What the window can ask for. Commands only send; what comes of them is in the next view.

use std::sync::Arc;

use omni_node::{
    Command, NodeView,
    view::{Problem, SettingsView},
};
use omni_types::{Answer, Scope, Settings};
use tauri::State;

use crate::{language, node::Node, pause::PauseUntil};

type Sent = Result<(), Problem>;

/// The present view.
#[tauri::command]
pub(crate) fn view(node: State<'_, Arc<Node>>) -> NodeView {
    node.view().borrow().clone()
}

/// The system's language, such as `de-DE`.
#[tauri::command]
pub(crate) fn language() -> Option<String> {
    language::system()
}

/// Agrees to a version of the policy.
#[tauri::command]
pub(crate) async fn agree(policy_version: u32, node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::Agree { policy_version }).await
}

/// Withdraws consent: work and connections end.
#[tauri::command]
pub(crate) async fn withdraw(node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::Withdraw).await
}

/// Holds work for a while or until it is resumed.
#[tauri::command]
pub(crate) async fn pause(until: PauseUntil, node: State<'_, Arc<Node>>) -> Sent {
    node.command(until.command()).await
}

/// Goes on after a pause.
#[tauri::command]
pub(crate) async fn resume(node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::Resume).await
}

/// The kill switch.
#[tauri::command]
pub(crate) async fn stop_everything(node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::Kill).await
}

/// Allows work again after the kill switch.
#[tauri::command]
pub(crate) async fn lift_stop(node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::LiftKill).await
}

/// Answers a question; a "yes" names for how long.
#[tauri::command]
pub(crate) async fn answer(
    question: String,
    yes: bool,
    scope: Option<Scope>,
    node: State<'_, Arc<Node>>,
) -> Sent {
    let command = answered(&question, yes, scope)?;
    node.command(command).await
}

/// Takes a "yes" back.
#[tauri::command]
pub(crate) async fn revoke(question: String, node: State<'_, Arc<Node>>) -> Sent {
    let question = number(&question)?;
    node.command(Command::Revoke { question }).await
}

/// Sets other limits and times; refuses values out of their ranges.
#[tauri::command]
pub(crate) async fn change_settings(settings: SettingsView, node: State<'_, Arc<Node>>) -> Sent {
    let command = changed(&settings)?;
    node.command(command).await
}

/// Goes on without a key store, with an identity that is gone when the program ends.
#[tauri::command]
pub(crate) async fn use_session_identity(node: State<'_, Arc<Node>>) -> Sent {
    node.use_session_identity()
}

fn answered(question: &str, yes: bool, scope: Option<Scope>) -> Result<Command, Problem> {
    let question = number(question)?;
    let answer = match (yes, scope) {
        (false, _) => Answer::No,
        (true, Some(scope)) => Answer::Yes(scope),
        // A "yes" that does not say for how long is none.
        (true, None) => return Err(bad_request()),
    };
    Ok(Command::Answer { question, answer })
}

fn changed(settings: &SettingsView) -> Result<Command, Problem> {
    match Settings::try_from(settings) {
        Ok(settings) => Ok(Command::Change(settings)),
        Err(_) => Err(problem(
            "settings-refused",
            "One of the values is out of its range.",
        )),
    }
}

fn number(question: &str) -> Result<u64, Problem> {
    question.parse().map_err(|_| bad_request())
}

fn bad_request() -> Problem {
    problem(
        "bad-request",
        "The window asked for something that does not exist.",
    )
}

fn problem(code: &str, sentence: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        sentence: sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Problem>) -> Option<String> {
        result.err().map(|problem| problem.code)
    }

    #[test]
    fn only_a_yes_with_a_scope_is_a_yes() {
        let check = |question, yes, scope, expected| {
            assert_eq!(answered(question, yes, scope).ok(), expected, "{question}");
        };
        let (question, bad) = (7, None);
        let no = Command::Answer {
            question,
            answer: Answer::No,
        };
        let day = Command::Answer {
            question,
            answer: Answer::Yes(Scope::Day),
        };
        check("7", true, Some(Scope::Day), Some(day));
        check("7", false, Some(Scope::Day), Some(no.clone()));
        check("7", false, None, Some(no));
        check("7", true, None, bad.clone());
        check("seven", true, Some(Scope::Day), bad.clone());
        check("-1", false, None, bad.clone());
        check("", false, None, bad);
    }

    #[test]
    fn limits_out_of_range_are_refused_with_a_code() {
        let good = SettingsView::from(&Settings::default());
        assert_eq!(code(changed(&good)), None);
        let bad = SettingsView {
            cpu_percent: 0,
            ..good
        };
        assert_eq!(code(changed(&bad)).as_deref(), Some("settings-refused"));
    }
}
