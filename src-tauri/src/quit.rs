//! Ending the program: the node first, then everything else.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tauri::{AppHandle, Manager as _};

use crate::node::Node;

static QUITTING: AtomicBool = AtomicBool::new(false);

/// Ends the node and then the program; once is enough.
pub(crate) fn quit(app: &AppHandle) {
    if QUITTING.swap(true, Ordering::SeqCst) {
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let node = Arc::clone(&app.state::<Arc<Node>>());
        node.end().await;
        app.exit(0);
    });
}

/// Quits when the system asks for it (end of the session, Ctrl-C in a terminal).
pub(crate) fn on_signal(app: &AppHandle) -> io::Result<()> {
    let app = app.clone();
    tauri::async_runtime::block_on(async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hangup = signal(SignalKind::hangup())?;
            tauri::async_runtime::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
                quit(&app);
            });
        }
        #[cfg(not(unix))]
        tauri::async_runtime::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                quit(&app);
            }
        });
        Ok(())
    })
}
