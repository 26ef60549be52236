//! Embeds the front end and the capabilities.

use std::{path::Path, process::ExitCode};

const FRONT_END: &str = "../ui/dist/index.html";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=../ui/dist");
    if !Path::new(FRONT_END).exists() {
        println!(
            "cargo::error=the front end is not built: run `cargo xtask run`, or `npm ci` and \
             `npm run build` in ui/"
        );
        return ExitCode::FAILURE;
    }
    tauri_build::build();
    ExitCode::SUCCESS
}
