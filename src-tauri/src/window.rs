//! The one window: made when it is asked for, destroyed when it is closed.

use tauri::{AppHandle, Manager as _, Url, UserAttentionType, WebviewWindowBuilder};

/// Its label, in `tauri.conf.json` too.
pub(crate) const LABEL: &str = "main";

/// Brings the window up, and makes it when there is none.
pub(crate) fn show(app: &AppHandle) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(LABEL) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    let config = app
        .config()
        .app
        .windows
        .iter()
        .find(|window| window.label == LABEL);
    let Some(config) = config.cloned() else {
        return Err(tauri::Error::WindowNotFound);
    };
    WebviewWindowBuilder::from_config(app, &config)?
        .on_navigation(is_ours)
        .build()?;
    Ok(())
}

/// Brings the window up when it is closed or minimised. One that is open somewhere only asks for
/// attention: it must not take the keyboard from whatever is being typed elsewhere.
pub(crate) fn ask_for_attention(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        return show_soon(app);
    };
    if window.is_minimized().unwrap_or(false) || !window.is_visible().unwrap_or(true) {
        return show_soon(app);
    }
    let wanted = Some(UserAttentionType::Informational);
    if let Err(error) = window.request_user_attention(wanted) {
        tracing::warn!(%error, "the window cannot ask for attention");
    }
}

/// [`show`] from a place that must not wait, such as a menu.
pub(crate) fn show_soon(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = show(&app) {
            tracing::error!(%error, "the window cannot be shown");
        }
    });
}

/// The window never leaves the program's own pages.
fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        // The form that Windows has.
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_pages_of_the_program_are_ours() {
        let check = |url: &str, ours| assert_eq!(is_ours(&url.parse().unwrap()), ours, "{url}");
        check("tauri://localhost/index.html", true);
        check("http://tauri.localhost/", true);
        check("tauri://elsewhere/", false);
        check("https://example.org/", false);
        check("https://tauri.localhost.example.org/", false);
        check("file:///etc/passwd", false);
        check("data:text/html,hello", false);
    }
}
