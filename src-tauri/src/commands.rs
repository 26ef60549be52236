//! What the window can ask for. Commands only send; what comes of them is in the next view.

use std::sync::Arc;

use omni_node::{Command, NodeView, view::Problem};
use tauri::State;

use crate::{language, node::Node};

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

/// Holds work until it is resumed.
#[tauri::command]
pub(crate) async fn pause(node: State<'_, Arc<Node>>) -> Sent {
    node.command(Command::Pause).await
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

/// Goes on without a key store, with an identity that is gone when the program ends.
#[tauri::command]
pub(crate) async fn use_session_identity(node: State<'_, Arc<Node>>) -> Sent {
    node.use_session_identity()
}
