//! Passes views on to the window and the tray.

use std::{sync::Arc, time::Duration};

use omni_node::NodeView;
use tauri::{AppHandle, Emitter as _};

use crate::{node::Node, tray::Tray, window};

/// Event with the whole view.
const EVENT: &str = "node-view";
/// Shortest time between two views: 4 per second at most.
const PACE: Duration = Duration::from_millis(250);

/// Passes every view on, the first at once and the last in any case; those that come too fast in
/// between are left out. A new question brings the window up.
pub(crate) fn start(app: &AppHandle, node: &Arc<Node>, mut tray: Option<Tray>) {
    let app = app.clone();
    let mut view = node.view();
    let mut questions = Questions::default();
    tauri::async_runtime::spawn(async move {
        loop {
            let now = view.borrow_and_update().clone();
            if let Some(tray) = &mut tray {
                tray.show(&now);
            }
            if questions.has_new(&now) {
                window::ask_for_attention(&app);
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

/// The questions that the volunteer was called for.
#[derive(Debug, Default)]
struct Questions {
    /// Highest number so far; later questions have higher ones.
    last: u64,
}

impl Questions {
    /// Whether a question is there that was not there before.
    fn has_new(&mut self, view: &NodeView) -> bool {
        let numbers = view.questions.iter().filter_map(|it| it.id.parse().ok());
        let highest = numbers.max().unwrap_or(0);
        let new = highest > self.last;
        self.last = self.last.max(highest);
        new
    }
}

#[cfg(test)]
mod tests {
    use omni_node::view::{ActionView, QuestionView};

    use super::*;

    #[test]
    fn the_volunteer_is_called_once_for_each_question() {
        let mut questions = Questions::default();
        let mut check = |open: &[u64], new: bool| {
            let mut view = NodeView::without_node(None);
            view.questions = open
                .iter()
                .map(|number| QuestionView {
                    id: number.to_string(),
                    action: ActionView::default(),
                    asked_at_ms: "0".to_owned(),
                    expires_at_ms: "0".to_owned(),
                    scopes: Vec::new(),
                })
                .collect();
            assert_eq!(questions.has_new(&view), new, "{open:?}");
        };
        check(&[], false);
        check(&[1], true);
        check(&[1], false);
        check(&[1, 2], true);
        check(&[2], false);
        check(&[], false);
        check(&[2], false);
        check(&[3], true);
    }
}
