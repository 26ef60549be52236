//! System packages: named first, then installed when missing, on Debian and its relatives.

use std::process::{Command, Stdio};

use crate::step::{run, title};

/// To build the command-line program: SQLite and the crypto libraries compile C.
pub(crate) const PROGRAM_BUILD: &[&str] = &["build-essential", "pkg-config"];

/// To build the desktop program: GTK, WebKit and the tray.
pub(crate) const DESKTOP_BUILD: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
];

/// To drive the real window in a test: a screen in memory, a browser driver, a private message bus, a
/// key store, screenshots.
pub(crate) const DESKTOP_TEST: &[&str] = &[
    "xvfb",
    "webkit2gtk-driver",
    "dbus-x11",
    "gnome-keyring",
    "imagemagick",
];

/// To rebuild the skills: a compiler with the WASM target.
pub(crate) const SKILL_BUILD: &[&str] = &["rustc", "libstd-rust-dev-wasm32", "lld-14"];

/// Installs those packages that are missing.
///
/// # Errors
/// When they cannot be installed, with the command that a person can run.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    title(&format!("system packages that are missing: {list}"));
    if !answers("apt-get", "--version") {
        return Err(format!(
            "this system has no apt-get: install what corresponds to Debian's {list}, then call \
             this again"
        ));
    }
    let by_hand = format!("sudo apt-get install {list}");
    apt(&["update", "--quiet=2"]).map_err(|error| format!("{error}; by hand: {by_hand}"))?;
    let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments).map_err(|error| format!("{error}; by hand: {by_hand}"))
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let mut command = if is_root() {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.arg("apt-get");
        command
    };
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command)
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Checks that Node.js and npm are there; they are asked for, not installed.
///
/// # Errors
/// When they are missing.
pub(crate) fn need_node() -> Result<(), String> {
    if answers("node", "--version") && answers("npm", "--version") {
        Ok(())
    } else {
        Err("Node.js 20 or newer with npm is needed for the window: https://nodejs.org".to_owned())
    }
}
