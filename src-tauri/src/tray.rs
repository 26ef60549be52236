//! The tray icon: state, menu, and whether the desktop shows it at all.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use omni_node::{Command, NodeView, view::Phase};
use tauri::{
    AppHandle, Manager as _,
    image::Image,
    include_image,
    menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::{TrayIcon, TrayIconBuilder},
};

use crate::{language::Language, node::Node, quit, window};

const ID: &str = "main";
const OPEN: &str = "open";
const PAUSE: &str = "pause";
const STOP: &str = "stop";
const QUIT: &str = "quit";

type Item = MenuItem<tauri::Wry>;

/// The tray icon with its menu.
pub(crate) struct Tray {
    icon: TrayIcon,
    state: Item,
    pause: Item,
    stop: Item,
    language: Language,
    shown: Option<Look>,
}

/// What the tray shows of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    phase: Phase,
    working: bool,
}

/// Puts the icon into the tray; `None` where this system cannot have one.
pub(crate) fn create(app: &AppHandle, language: Language) -> Option<Tray> {
    // On Linux the library behind the icon is looked for at run time, and its absence is a panic.
    match catch_unwind(AssertUnwindSafe(|| build(app, language))) {
        Ok(Ok(tray)) => Some(tray),
        Ok(Err(error)) => {
            tracing::warn!(%error, "no tray icon");
            None
        }
        Err(_) => {
            tracing::warn!("no tray icon: no appindicator library");
            None
        }
    }
}

fn build(app: &AppHandle, language: Language) -> tauri::Result<Tray> {
    let item = |id, text, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let state = item("state", language.state(Phase::Starting, false), false)?;
    let pause = item(PAUSE, language.pause(), false)?;
    let stop = item(STOP, language.stop(), false)?;
    let menu = Menu::with_items(
        app,
        &[
            &state,
            &PredefinedMenuItem::separator(app)?,
            &item(OPEN, language.open(), true)?,
            &pause,
            &stop,
            &PredefinedMenuItem::separator(app)?,
            &item(QUIT, language.quit(), true)?,
        ],
    )?;
    let icon = TrayIconBuilder::with_id(ID)
        .icon(image(Phase::Starting))
        .tooltip("OmniSwarm")
        .menu(&menu)
        .on_menu_event(chosen)
        .build(app)?;
    Ok(Tray {
        icon,
        state,
        pause,
        stop,
        language,
        shown: None,
    })
}

impl Tray {
    /// Shows a view.
    pub(crate) fn show(&mut self, view: &NodeView) {
        let look = Look {
            phase: view.phase,
            working: !view.running.is_empty(),
        };
        if self.shown == Some(look) {
            return;
        }
        match self.draw(look) {
            Ok(()) => self.shown = Some(look),
            Err(error) => tracing::warn!(%error, "the tray icon cannot be changed"),
        }
    }

    fn draw(&self, look: Look) -> tauri::Result<()> {
        let Look { phase, working } = look;
        let language = self.language;
        self.state.set_text(language.state(phase, working))?;
        self.pause.set_text(match phase {
            Phase::Paused => language.resume(),
            _ => language.pause(),
        })?;
        self.pause.set_enabled(matches!(
            phase,
            Phase::Starting | Phase::Running | Phase::Paused
        ))?;
        self.stop.set_text(match phase {
            Phase::Stopped => language.lift(),
            _ => language.stop(),
        })?;
        self.stop
            .set_enabled(!matches!(phase, Phase::ConsentNeeded | Phase::Failed))?;
        let before = self.shown.map(|shown| icon_name(shown.phase));
        if before != Some(icon_name(phase)) {
            self.icon.set_icon(Some(image(phase)))?;
        }
        Ok(())
    }
}

fn icon_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting | Phase::Running => "running",
        Phase::ConsentNeeded | Phase::Paused => "paused",
        Phase::Stopped | Phase::Failed => "stopped",
    }
}

fn image(phase: Phase) -> Image<'static> {
    match icon_name(phase) {
        "running" => include_image!("icons/tray-running.png"),
        "paused" => include_image!("icons/tray-paused.png"),
        _ => include_image!("icons/tray-stopped.png"),
    }
}

fn chosen(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::show_soon(app),
        QUIT => quit::quit(app),
        // What the entry says at the moment decides what it does.
        PAUSE => send(app, |phase| match phase {
            Phase::Paused => Command::Resume,
            _ => Command::Pause,
        }),
        STOP => send(app, |phase| match phase {
            Phase::Stopped => Command::LiftKill,
            _ => Command::Kill,
        }),
        _ => {}
    }
}

fn send(app: &AppHandle, command: fn(Phase) -> Command) {
    let node = Arc::clone(&app.state::<Arc<Node>>());
    tauri::async_runtime::spawn(async move {
        let command = command(node.view().borrow().phase);
        if let Err(problem) = node.command(command).await {
            tracing::warn!(code = problem.code, "the tray's command failed");
        }
    });
}

/// Whether the icon is there to be clicked.
pub(crate) fn is_shown(app: &AppHandle) -> bool {
    app.tray_by_id(ID).is_some() && desktop_shows_icons()
}

/// Asks the desktop whether anything shows tray icons: GNOME, for one, has nothing of its own.
#[cfg(target_os = "linux")]
fn desktop_shows_icons() -> bool {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let ask = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let watcher = zbus::blocking::Proxy::new(&bus, WATCHER, "/StatusNotifierWatcher", WATCHER)?;
        watcher.get_property("IsStatusNotifierHostRegistered")
    };
    ask().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn desktop_shows_icons() -> bool {
    true
}
