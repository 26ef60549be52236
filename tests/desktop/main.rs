//! The desktop program in a real window under Xvfb, with a real key store and a tray, driven
//! through WebDriver. Pictures of what was seen are in `target/desktop-shots`.
//!
//! Needs the Debian packages in `scenes::PROGRAMS`, and the program itself:
//! `cargo build -p omniswarm-desktop`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod display;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod safety;
#[cfg(target_os = "linux")]
mod scenes;
#[cfg(target_os = "linux")]
mod webdriver;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    // Each has a screen and three nodes to itself: together they would only wait for each other.
    arguments.test_threads = Some(1);
    let mut scenes = scenes::all();
    scenes.extend(safety::all());
    libtest_mimic::run(&arguments, scenes).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the desktop test drives WebKitGTK, which is on Linux only");
}
