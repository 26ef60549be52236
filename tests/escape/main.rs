//! Hostile modules, hostile children, hostile names and addresses against everything that keeps
//! work away from the computer. Every case is a line of a table, its name is a sentence, and what it
//! expects is the code of one refusal or failure.
//!
//! ```text
//! imports   what a module may ask for            child    a child process that was taken over
//! reach     what the functions it has can do     native   machine code behind the walls
//! modules   what is no module, or too large      files    names and links in the workspace
//! bombs     what is too much while it runs       egress   addresses, redirections and answers
//! ```
//!
//! The program is also its own child, honest and taken over.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod binary;
mod bombs;
#[cfg(unix)]
mod child;
mod egress;
mod equipment;
#[cfg(unix)]
mod files;
mod imports;
mod modules;
#[cfg(target_os = "linux")]
mod native;
mod reach;

use std::process::ExitCode;

use equipment::Case;
use libtest_mimic::{Arguments, Trial};

/// Fewer than these would mean that a table has lost its lines.
const FEWEST_CASES: usize = 200;
/// Most cases only wait for a process.
const CASES_AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(omni_sandbox::CHILD_ARG) => return omni_sandbox::child_main(),
        #[cfg(unix)]
        Some(child::FAKE_ARG) => return child::fake_main(&args[2..]),
        #[cfg(target_os = "linux")]
        Some(native::PROBE_ARG) => return native::probe_main(&args[2..]),
        #[cfg(target_os = "linux")]
        Some(native::PARENT_ARG) => return native::parent_main(&args[2..]),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    // Those that wait longest come first.
    let groups: Vec<(&str, Vec<Case>)> = vec![
        #[cfg(unix)]
        ("child", child::cases()),
        ("bombs", bombs::cases()),
        ("reach", reach::cases()),
        #[cfg(target_os = "linux")]
        ("native", native::cases()),
        #[cfg(unix)]
        ("files", files::cases()),
        ("egress", egress::cases()),
        ("modules", modules::cases()),
        ("imports", imports::cases()),
    ];
    let total = groups.iter().map(|(_, cases)| cases.len()).sum::<usize>();
    let counts: Vec<String> = groups
        .iter()
        .map(|(group, cases)| format!("{group} {}", cases.len()))
        .collect();
    let trials: Vec<Trial> = groups
        .into_iter()
        .flat_map(|(group, cases)| cases.into_iter().map(move |case| case.into_trial(group)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("cases: {}; in all {total}", counts.join(", "));
    }
    if cfg!(target_os = "linux") && total < FEWEST_CASES {
        eprintln!("fewer than {FEWEST_CASES} cases");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
