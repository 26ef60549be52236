//! The desktop program: a tray icon and a window over the volunteer's node. No domain logic.
//!
//! ```text
//!   tray, window ── commands ──▶ Node ── omni_node::Command ──▶ event loop of omni-node
//!        ▲                        │
//!        └────── whole NodeView ──┘   (at most 4 per second, the last one always)
//! ```
//!
//! The window is made when it is asked for and destroyed when it is closed, so that no web view
//! costs memory while nobody looks. Closing it keeps the program at work where a tray icon can bring
//! it back; where the desktop shows no tray icons, closing it ends the program, so that nothing
//! ever works unseen.
//!
//! Choices from the environment: see [`options`].

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod language;
mod local;
mod node;
mod options;
mod pause;
mod quit;
mod show;
mod tray;
mod window;

use std::process::ExitCode;

use tauri::{Manager as _, RunEvent};

use crate::{language::Language, node::Node, options::Options};

fn main() -> ExitCode {
    // A sandbox child is this program too, and must not come near windows or keys.
    if std::env::args_os().nth(1).as_deref() == Some(std::ffi::OsStr::new(omni_node::CHILD_ARG)) {
        return omni_node::child_main();
    }
    options::start_log();
    match Options::from_environment().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omniswarm-desktop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    let app = tauri::Builder::default()
        // A second start ends here and brings the window of the first one up.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            window::show_soon(app);
        }))
        .invoke_handler(tauri::generate_handler![
            commands::view,
            commands::language,
            commands::agree,
            commands::withdraw,
            commands::pause,
            commands::resume,
            commands::stop_everything,
            commands::lift_stop,
            commands::answer,
            commands::revoke,
            commands::change_settings,
            commands::use_session_identity,
        ])
        .setup(|app| {
            let node = Node::start(options);
            app.manage(std::sync::Arc::clone(&node));
            let tray = tray::create(app.handle(), Language::of_system());
            show::start(app.handle(), &node, tray);
            quit::on_signal(app.handle())?;
            window::show(app.handle())?;
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        // No code: the last window was closed.
        if let RunEvent::ExitRequested {
            code: None, api, ..
        } = event
        {
            api.prevent_exit();
            if !tray::is_shown(app) {
                tracing::info!("no tray icon is shown here: the closed window ends the program");
                quit::quit(app);
            }
        }
    });
    Ok(())
}
