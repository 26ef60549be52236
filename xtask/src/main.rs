//! Everything that is done to this repository: run, test, check, build.
//!
//! `cargo xtask run` and `cargo xtask test` are the two commands of the README; the others are their
//! parts.

mod fuzz;
mod packages;
mod skills;
mod step;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};

use crate::{
    packages::{DESKTOP_BUILD, DESKTOP_TEST, PROGRAM_BUILD, SKILL_BUILD},
    step::{run, title},
};

type Outcome = Result<(), String>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Run, test and check OmniSwarm")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build and start OmniSwarm on a private network on this computer, doing real research work
    Run {
        /// In the terminal, also when there is a screen
        #[arg(long)]
        terminal: bool,
        /// Further arguments for the program
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Build everything and run every test
    Test,
    /// Formatting, lints, generated files, pinned skills
    Check,
    /// Measure, and print the figures: sandbox, kill, limit (all when none is named)
    Bench {
        /// What to measure
        names: Vec<String>,
    },
    /// Write the window's TypeScript types anew, or check that they are fresh
    Codegen {
        /// Only check
        #[arg(long)]
        check: bool,
    },
    /// Fuzz what parses bytes from outside; fails on any finding
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Which targets; all of them when none is named
        targets: Vec<String>,
    },
    /// Build the WASM skills anew, or check that the pinned ones are what the sources give
    Skills {
        /// Only check
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Run {
            terminal,
            arguments,
        } => start(terminal, &arguments),
        Task::Test => test(),
        Task::Check => check(),
        Task::Bench { names } => bench(&names),
        Task::Codegen { check } => codegen(check),
        Task::Fuzz { seconds, targets } => fuzz::run_targets(&targets, seconds),
        Task::Skills { check } => skills(check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The top folder of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo, as it was called.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds the front end, when its sources are newer than what is built.
fn build_ui() -> Outcome {
    let ui = root().join("ui");
    let lock = ui.join("package-lock.json");
    let installed = ui.join("node_modules/.package-lock.json");
    if newer(&lock, &installed) {
        title("front end: npm ci");
        run(npm(&ui).args(["ci", "--no-audit", "--no-fund"]))?;
    }
    title("front end: build");
    run(npm(&ui).args(["run", "build"]))
}

fn npm(ui: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(ui);
    command
}

/// Whether `source` was changed after `made`, or `made` is not there.
fn newer(source: &Path, made: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified());
    match (time(source), time(made)) {
        (Ok(source), Ok(made)) => source > made,
        _ => true,
    }
}

fn start(terminal: bool, arguments: &[String]) -> Outcome {
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let system_has_screen = screen || cfg!(any(target_os = "windows", target_os = "macos"));
    if terminal || !system_has_screen {
        if !terminal {
            title("no screen here: the same network runs in the terminal");
        }
        packages::install(PROGRAM_BUILD)?;
        title("build the program");
        run(cargo().args(["build", "--package", "omni-cli"]))?;
        title("start (Ctrl-C ends everything)");
        let mut command = Command::new(target().join("debug/omniswarm"));
        command.arg("demo").args(arguments);
        return become_program(command);
    }
    packages::install(DESKTOP_BUILD)?;
    packages::need_node()?;
    build_ui()?;
    title("build the desktop program");
    run(cargo().args(["build", "--package", "omniswarm-desktop"]))?;
    title("start");
    let mut command = Command::new(target().join("debug/omniswarm-desktop"));
    command.args(arguments);
    become_program(command)
}

/// Puts the program in the place of this one, so that Ctrl-C and signals reach it alone.
#[cfg(unix)]
fn become_program(mut command: Command) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    let program = command.get_program().to_string_lossy();
    Err(format!("{program} does not start: {error}"))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Outcome {
    run(&mut command)
}

fn test() -> Outcome {
    packages::install(DESKTOP_BUILD)?;
    packages::install(DESKTOP_TEST)?;
    packages::need_node()?;
    build_ui()?;
    title("front end: lint and tests");
    let ui = root().join("ui");
    run(npm(&ui).args(["run", "lint"]))?;
    run(npm(&ui).args(["test"]))?;
    title("build everything");
    run(cargo().args(["build", "--workspace", "--all-targets"]))?;
    title("tests");
    // One test program after the other: those with real processes want the machine for themselves.
    run(cargo().args(["test", "--workspace", "--no-fail-fast"]))?;
    title("a real key store, on a message bus of its own");
    key_store_test()?;
    title("the sandbox in a release build: the same bytes as in a debug build");
    run(cargo().args(["test", "--release", "--package", "omni-sandbox"]))
}

/// Runs the key-store test with a fresh, unlocked key store: never with the one of the person who
/// calls this.
fn key_store_test() -> Outcome {
    // A short path: sockets lie in it.
    let home = std::env::temp_dir().join(format!("omniswarm-keys-{}", std::process::id()));
    std::fs::create_dir(&home).map_err(|error| error.to_string())?;
    let unlock = "printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
    let test = "identity::keyring::tests::the_key_store_gives_the_same_key_back";
    let script =
        format!("{unlock} && exec \"$0\" test --workspace --lib -- --ignored --exact {test}");
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-c", &script])
        .arg(cargo().get_program())
        .current_dir(root())
        .env("XDG_DATA_HOME", &home)
        .env("XDG_RUNTIME_DIR", &home);
    let outcome = run(&mut command);
    // The key store may still be putting its own files away.
    let _ = std::fs::remove_dir_all(&home);
    outcome
}

fn check() -> Outcome {
    title("formatting");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    // A package of its own.
    run(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    codegen(true)?;
    title("lints");
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--quiet"])
        .args(["--", "--deny", "warnings"]))?;
    skills(true)
}

/// Everything that is measured. The sandbox is built for release, because its speed is compared
/// with that of native code; what is measured of a node does not depend on it.
fn bench(names: &[String]) -> Outcome {
    const ALL: [&str; 3] = ["sandbox", "kill", "limit"];
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(&name.as_str())) {
        return Err(format!(
            "nothing called `{unknown}` is measured; there are {}",
            ALL.join(", ")
        ));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|other| other == name);
    packages::install(PROGRAM_BUILD)?;
    if wanted("sandbox") {
        title("sandbox: speed, starts, memory");
        run(cargo().args(["bench", "--package", "omni-sandbox", "--bench", "sandbox"]))?;
    }
    for name in ["kill", "limit"] {
        if wanted(name) {
            title(name);
            run(cargo()
                .args(["bench", "--profile", "dev", "--workspace"])
                .args(["--bench", "node", "--", name]))?;
        }
    }
    Ok(())
}

fn codegen(check: bool) -> Outcome {
    title(if check {
        "generated TypeScript is fresh"
    } else {
        "generate TypeScript"
    });
    let mut command = cargo();
    command.args(["test", "--quiet", "--lib"]);
    if check {
        // As in `test`, so that nothing is built twice.
        command.arg("--workspace");
    } else {
        command.args(["--package", "omni-node"]);
        command.env("OMNISWARM_UPDATE_GENERATED", "1");
    }
    command.arg("codegen::");
    run(&mut command)
}

fn skills(check: bool) -> Outcome {
    packages::install(SKILL_BUILD)?;
    title(if check {
        "pinned skills are what their sources give"
    } else {
        "build skills"
    });
    skills::build(&root(), check)
}
