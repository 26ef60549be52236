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
    menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu},
    tray::{TrayIcon, TrayIconBuilder},
};

use crate::{language::Language, local, node::Node, pause::PauseUntil, quit, window};

const ID: &str = "main";
const OPEN: &str = "open";
const PAUSE_HOUR: &str = "pause-hour";
const PAUSE_TOMORROW: &str = "pause-tomorrow";
const PAUSE_RESUMED: &str = "pause-resumed";
const RESUME: &str = "resume";
const STOP: &str = "stop";
const QUIT: &str = "quit";

type Item = MenuItem<tauri::Wry>;

/// The tray icon with its menu.
pub(crate) struct Tray {
    icon: TrayIcon,
    state: Item,
    pause: Submenu<tauri::Wry>,
    resume: Item,
    stop: Item,
    language: Language,
    shown: Option<Look>,
}

/// What the tray shows of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    phase: Phase,
    working: bool,
    paused: bool,
    /// When the pause ends by itself, as the clock on the wall shows it.
    until: Option<String>,
    asks: bool,
}

impl Look {
    fn of(view: &NodeView, language: Language) -> Self {
        let pause = view.pause.as_ref();
        Self {
            phase: view.phase,
            working: !view.running.is_empty(),
            paused: pause.is_some(),
            until: pause
                .and_then(|pause| pause.until_ms.as_deref())
                .and_then(|until_ms| local::short_time(until_ms, language)),
            asks: !view.questions.is_empty(),
        }
    }

    /// The line that tells the state.
    fn state(&self, language: Language) -> String {
        match &self.until {
            _ if self.asks => language.question().to_owned(),
            Some(time) if self.phase == Phase::Paused => language.paused_until(time),
            _ => language.state(self.phase, self.working).to_owned(),
        }
    }
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
    let pause = Submenu::with_id(app, "pause", language.pause(), false)?;
    for until in PauseUntil::ALL {
        pause.append(&item(pause_id(until), language.pause_until(until), true)?)?;
    }
    let resume = item(RESUME, language.resume(), false)?;
    let stop = item(STOP, language.stop(), false)?;
    let menu = Menu::with_items(
        app,
        &[
            &state,
            &PredefinedMenuItem::separator(app)?,
            &item(OPEN, language.open(), true)?,
            &pause,
            &resume,
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
        resume,
        stop,
        language,
        shown: None,
    })
}

impl Tray {
    /// Shows a view.
    pub(crate) fn show(&mut self, view: &NodeView) {
        let look = Look::of(view, self.language);
        if self.shown.as_ref() == Some(&look) {
            return;
        }
        match self.draw(&look) {
            Ok(()) => self.shown = Some(look),
            Err(error) => tracing::warn!(%error, "the tray icon cannot be changed"),
        }
    }

    fn draw(&self, look: &Look) -> tauri::Result<()> {
        let phase = look.phase;
        let language = self.language;
        self.state.set_text(look.state(language))?;
        let can_pause = matches!(
            phase,
            Phase::Starting | Phase::Running | Phase::Held | Phase::Paused | Phase::Halted
        );
        self.pause.set_enabled(can_pause)?;
        self.resume.set_enabled(can_pause && look.paused)?;
        self.stop.set_text(match phase {
            Phase::Stopped => language.lift(),
            _ => language.stop(),
        })?;
        self.stop
            .set_enabled(!matches!(phase, Phase::ConsentNeeded | Phase::Failed))?;
        let before = self.shown.as_ref().map(|shown| icon_name(shown.phase));
        if before != Some(icon_name(phase)) {
            self.icon.set_icon(Some(image(phase)))?;
        }
        Ok(())
    }
}

fn icon_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting | Phase::Running => "running",
        Phase::ConsentNeeded | Phase::Paused | Phase::Held => "paused",
        Phase::Stopped | Phase::Halted | Phase::Failed => "stopped",
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
        PAUSE_HOUR => send(app, |_| PauseUntil::Hour.command()),
        PAUSE_TOMORROW => send(app, |_| PauseUntil::Tomorrow.command()),
        PAUSE_RESUMED => send(app, |_| PauseUntil::Resumed.command()),
        RESUME => send(app, |_| Command::Resume),
        // What the entry says at the moment decides what it does.
        STOP => send(app, |phase| match phase {
            Phase::Stopped => Command::LiftKill,
            _ => Command::Kill,
        }),
        _ => {}
    }
}

fn pause_id(until: PauseUntil) -> &'static str {
    match until {
        PauseUntil::Hour => PAUSE_HOUR,
        PauseUntil::Tomorrow => PAUSE_TOMORROW,
        PauseUntil::Resumed => PAUSE_RESUMED,
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

#[cfg(test)]
mod tests {
    use omni_node::view::{ActionView, PauseView, QuestionView};

    use super::*;

    fn view(phase: Phase) -> NodeView {
        let mut view = NodeView::without_node(None);
        view.phase = phase;
        view
    }

    #[test]
    fn the_state_line_says_what_matters_most() {
        let language = Language::English;
        let state = |view: &NodeView| Look::of(view, language).state(language);
        assert_eq!(
            state(&view(Phase::Running)),
            "Ready, nothing to do right now"
        );
        let mut paused = view(Phase::Paused);
        paused.pause = Some(PauseView { until_ms: None });
        assert_eq!(state(&paused), "Paused");
        let until_ms = Some("1764000000000".to_owned());
        paused.pause = Some(PauseView { until_ms });
        assert!(state(&paused).starts_with("Paused until "));
        paused.questions.push(QuestionView {
            id: "1".to_owned(),
            action: ActionView::default(),
            asked_at_ms: "0".to_owned(),
            expires_at_ms: "0".to_owned(),
            scopes: Vec::new(),
        });
        assert_eq!(state(&paused), "Has a question for you");
    }
}
