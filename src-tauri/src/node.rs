//! The node behind the window: being opened, at work, failed, or ended for good.
//!
//! ```text
//!   Opening ──▶ Open ──▶ Failed          end() leads to Ended from everywhere
//!      └──────────────────▲  └── use_session_identity() ──▶ Opening
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use omni_node::{
    Command, NodeError, NodeHandle, NodeView,
    embedded::{self, EmbeddedNode, EmbeddedOptions},
    identity::{self, KeySource},
    runner::SandboxRunner,
    view::Problem,
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::options::Options;

/// Volunteers' nodes of the built-in network besides the person's own.
const HELPERS: usize = 2;
/// Jobs at once for each node.
const SLOTS: usize = 1;
/// How long the node has to end in good order.
const END: Duration = Duration::from_secs(10);

/// The node, or why there is none.
#[derive(Debug)]
pub(crate) struct Node {
    options: Options,
    state: Mutex<State>,
    view: watch::Sender<NodeView>,
}

#[derive(Debug)]
enum State {
    Opening,
    Open {
        handle: NodeHandle<NodeView>,
        /// Data folder of a session identity; removed when the node ends.
        throwaway: Option<TempDir>,
    },
    Failed,
    Ended,
}

impl Node {
    /// Opens the node in the background. Nothing connects and nothing runs before the volunteer
    /// agrees.
    pub(crate) fn start(options: Options) -> Arc<Self> {
        let node = Arc::new(Self {
            options,
            state: Mutex::new(State::Opening),
            view: watch::Sender::new(NodeView::without_node(None)),
        });
        let key = node.options.key.clone();
        let data = node.options.data.clone();
        tauri::async_runtime::spawn(Arc::clone(&node).open(key, data, None));
        node
    }

    /// The view; changes wake the receiver.
    pub(crate) fn view(&self) -> watch::Receiver<NodeView> {
        self.view.subscribe()
    }

    /// Carries a command out; returns when its effects have begun.
    pub(crate) async fn command(&self, command: Command) -> Result<(), Problem> {
        let handle = self.with_state(|state| match state {
            State::Open { handle, .. } => Some(handle.clone()),
            _ => None,
        });
        let handle = handle.ok_or_else(|| problem(&NodeError::Ended))?;
        handle
            .command(command)
            .await
            .map_err(|error| problem(&error))
    }

    /// Goes on, after a failure, with a new key in a data folder of its own; both are gone when the
    /// program ends.
    pub(crate) fn use_session_identity(self: &Arc<Self>) -> Result<(), Problem> {
        let failed = self.with_state(|state| {
            let failed = matches!(state, State::Failed);
            if failed {
                *state = State::Opening;
            }
            failed
        });
        if !failed {
            return Ok(());
        }
        let throwaway = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => {
                self.with_state(|state| *state = State::Failed);
                return Err(problem(&NodeError::from(error)));
            }
        };
        self.view.send_replace(NodeView::without_node(None));
        let data = throwaway.path().to_owned();
        let open = Arc::clone(self).open(KeySource::Session, data, Some(throwaway));
        tauri::async_runtime::spawn(open);
        Ok(())
    }

    /// Ends the node for good: children are killed, connections and store closed.
    pub(crate) async fn end(&self) {
        let before = self.with_state(|state| std::mem::replace(state, State::Ended));
        if let State::Open { handle, throwaway } = before {
            close(handle).await;
            drop(throwaway);
        }
    }

    async fn open(self: Arc<Self>, key: KeySource, data: PathBuf, throwaway: Option<TempDir>) {
        let choice = self.options.choice.clone();
        // Key stores, key derivation and the replay of the log take their time.
        let opening = tokio::task::spawn_blocking(move || {
            private_folder(&data)?;
            let keypair = identity::load_or_create(&key)?;
            embedded::start(EmbeddedOptions {
                data,
                keypair,
                choice,
                helpers: HELPERS,
                slots: SLOTS,
                runner: Arc::new(SandboxRunner::current_exe()?),
                governed: true,
            })
        });
        let opened = opening.await.unwrap_or(Err(NodeError::Ended));
        let handle = match opened {
            Ok(EmbeddedNode { node, .. }) => node,
            Err(error) => return self.fail(&error),
        };
        let ended_meanwhile = self.with_state(|state| {
            let ended = matches!(state, State::Ended);
            if !ended {
                let handle = handle.clone();
                *state = State::Open { handle, throwaway };
            }
            ended
        });
        if ended_meanwhile {
            return close(handle).await;
        }
        self.follow(handle).await;
    }

    /// Shows what the node shows, until it ends.
    async fn follow(&self, handle: NodeHandle<NodeView>) {
        let mut view = handle.view();
        loop {
            let now = view.borrow_and_update().clone();
            self.view.send_replace(now);
            if view.changed().await.is_err() {
                break;
            }
        }
        // Ended in good order or not: unless it was asked to, it should not have.
        let error = handle.ended().await.err().unwrap_or(NodeError::Ended);
        self.fail(&error);
    }

    fn fail(&self, error: &NodeError) {
        let ended = self.with_state(|state| {
            let ended = matches!(state, State::Ended);
            if !ended {
                *state = State::Failed;
            }
            ended
        });
        if ended {
            return;
        }
        tracing::error!(code = error.code(), %error, "no node");
        let Problem { code, sentence } = problem(error);
        let failed = NodeView::without_node(Some((&code, &sentence)));
        self.view.send_replace(failed);
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn close(handle: NodeHandle<NodeView>) {
    match tokio::time::timeout(END, handle.stop()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(code = error.code(), %error, "the node ended badly"),
        Err(_) => tracing::error!("the node did not end in time"),
    }
}

fn problem(error: &NodeError) -> Problem {
    Problem {
        code: error.code().to_owned(),
        sentence: error.to_string(),
    }
}

/// Makes a folder that only its owner can look into.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
