//! Passes views on to the window and the tray.

use std::{sync::Arc, time::Duration};

use tauri::{AppHandle, Emitter as _};

use crate::{node::Node, tray::Tray};

/// Event with the whole view.
const EVENT: &str = "node-view";
/// Shortest time between two views: 4 per second at most.
const PACE: Duration = Duration::from_millis(250);

/// Passes every view on, the first at once and the last in any case; those that come too fast in
/// between are left out.
pub(crate) fn start(app: &AppHandle, node: &Arc<Node>, mut tray: Option<Tray>) {
    let app = app.clone();
    let mut view = node.view();
    tauri::async_runtime::spawn(async move {
        loop {
            let now = view.borrow_and_update().clone();
            if let Some(tray) = &mut tray {
                tray.show(&now);
            }
            if let Err(error) = app.emit(EVENT, &now) {
                tracing::warn!(%error, "the window cannot be told");
            }
            drop(now);
            tokio::time::sleep(PACE).await;
            if view.changed().await.is_err() {
                break;
            }
        }
    });
}
