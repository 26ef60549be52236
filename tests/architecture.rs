//! The dependency rule of `docs/ARCHITECTURE.md`, checked against what cargo says and what the
//! sources name.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Decide and calculate; no effects.
const PURE: [&str; 4] = ["omni-types", "omni-ledger", "omni-evolve", "omni-core"];

/// The workspace crates that each one may depend on, tests aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("omni-types", &[]),
    ("omni-ledger", &["omni-types"]),
    ("omni-evolve", &["omni-types"]),
    ("omni-core", &["omni-types", "omni-ledger", "omni-evolve"]),
    ("omni-sandbox", &["omni-types"]),
    ("omni-net", &["omni-types"]),
    ("omni-store", &["omni-types"]),
    (
        "omni-node",
        &[
            "omni-types",
            "omni-ledger",
            "omni-evolve",
            "omni-core",
            "omni-sandbox",
            "omni-net",
            "omni-store",
        ],
    ),
    (
        "omni-cli",
        &[
            "omni-types",
            "omni-ledger",
            "omni-evolve",
            "omni-core",
            "omni-node",
        ],
    ),
    (
        "omniswarm-desktop",
        &["omni-types", "omni-core", "omni-node"],
    ),
    ("labs", &[]),
];

/// What a pure crate must not reach, by exact name.
const EFFECTS: &[&str] = &[
    // runtimes, sockets, storage
    "async-std",
    "async-io",
    "futures",
    "hyper",
    "libsqlite3-sys",
    "mio",
    "polling",
    "reqwest",
    "rusqlite",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-util",
    "ureq",
    // the operating system
    "directories",
    "dirs",
    "keyring",
    "nix",
    "rustix",
    "sysinfo",
    "winapi",
    "windows",
    "windows-sys",
    // clocks
    "chrono",
    "coarsetime",
    "futures-timer",
    "humantime",
    "instant",
    "jiff",
    "quanta",
    "time",
    "web-time",
    // random sources
    "fastrand",
    "getrandom",
    "nanorand",
    "oorandom",
    "rand",
    "rand_chacha",
    "rand_core",
    "rand_pcg",
    "rand_xorshift",
    "uuid",
    // logs are effects too
    "log",
    "tracing",
    "tracing-core",
];

/// What a pure crate must not reach, by the beginning of the name.
const EFFECT_FAMILIES: &[&str] = &[
    "libp2p",
    "wasmtime",
    "wasmparser",
    "cranelift",
    "tauri",
    "wry",
    "gtk",
    "webkit2gtk",
];

/// Modules of the standard library that a pure crate must not name.
const EFFECT_MODULES: &[&str] = &["env", "fs", "io", "net", "os", "process", "thread", "time"];

/// Where the workspace is; cargo tells when it runs the test.
fn root() -> PathBuf {
    let tests = std::env::var("CARGO_MANIFEST_DIR").expect("run by cargo");
    Path::new(&tests).parent().unwrap().to_owned()
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command
        .cargo_path(cargo())
        .manifest_path(root().join("Cargo.toml"))
        .no_deps();
    command.exec().expect("cargo metadata")
}

/// Names of everything that a crate links when it is built by itself, on any system.
fn reached(krate: &str) -> BTreeSet<String> {
    // The features that count are those that the crate asks for, not those that its neighbours in
    // the workspace add; `cargo metadata` knows only the sum.
    let output = Command::new(cargo())
        .current_dir(root())
        .args([
            "tree",
            "--package",
            krate,
            "--edges",
            "normal",
            "--target",
            "all",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--locked"])
        .output()
        .expect("cargo tree");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The source without comments and without what comes after the tests begin.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let uncommented = shipped
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    uncommented.collect::<Vec<_>>().join("\n")
}

/// Modules of the standard library that the code names, in paths and in `use` groups.
fn std_modules(code: &str) -> BTreeSet<String> {
    let dense: String = code
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ::", "::")
        .replace(":: ", "::");
    let mut found = BTreeSet::new();
    for (at, _) in dense.match_indices("std::") {
        let rest = &dense[at + 5..];
        let path = match rest.strip_prefix('{') {
            Some(group) => group.split(';').next().unwrap_or_default(),
            None => rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default(),
        };
        let words = path.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(words.map(str::to_owned));
    }
    found
}

#[test]
fn pure_crates_reach_no_effects() {
    for krate in PURE {
        let reached = reached(krate);
        assert!(
            reached.contains(krate) && reached.len() > 3,
            "{krate}: {reached:?}"
        );
        let effects: Vec<&String> = reached
            .iter()
            .filter(|name| {
                EFFECTS.contains(&name.as_str())
                    || EFFECT_FAMILIES
                        .iter()
                        .any(|family| name.starts_with(family))
            })
            .collect();
        assert!(effects.is_empty(), "{krate} reaches {effects:?}");
    }
}

#[test]
fn pure_crates_name_no_effects_of_the_standard_library() {
    for krate in PURE {
        let files = sources(&root().join("crates").join(krate).join("src"));
        assert!(!files.is_empty());
        for file in files {
            let code = code(&file);
            let modules = std_modules(&code);
            for module in EFFECT_MODULES {
                assert!(
                    !modules.contains(*module),
                    "{} names std::{module}",
                    file.display()
                );
            }
            for word in [
                "SystemTime",
                "Instant::",
                "println!",
                "print!(",
                "dbg!",
                "rand::",
                "thread_rng",
                "unsafe ",
            ] {
                assert!(!code.contains(word), "{} names {word}", file.display());
            }
        }
    }
}

#[test]
fn effects_in_use_groups_are_seen() {
    let seen = |code: &str| std_modules(code).contains("time");
    assert!(seen("let t = std::time::Instant::now();"));
    assert!(seen(
        "use std::{collections::BTreeMap,\n    time::Duration};"
    ));
    assert!(seen("use ::std :: time;"));
    assert!(!seen(
        "let since = other::time(); use std::fmt; fn time() {}"
    ));
}

#[test]
fn arrows_point_down_only() {
    let metadata = metadata();
    let members: BTreeMap<&str, _> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, package) in &members {
        // Tests and the task runner stand above everything.
        if ["omniswarm-tests", "xtask"].contains(name) {
            continue;
        }
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no place in the layers"));
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            if dependency.kind != DependencyKind::Development && members.contains_key(other) {
                assert!(
                    allowed.contains(&other),
                    "{name} must not depend on {other}"
                );
            }
        }
    }
    for (name, _) in ARROWS {
        assert!(members.contains_key(name), "{name} is gone");
    }
}

#[test]
fn names_say_what_things_are() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let vague = [
            "util", "utils", "common", "helper", "helpers", "manager", "misc",
        ];
        let named = package.name.split('-').any(|word| vague.contains(&word));
        assert!(!named, "{} says nothing", package.name);
        let folder = package.manifest_path.parent().unwrap().join("src");
        for file in sources(folder.as_std_path()) {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(
                !vague.contains(&name.as_str()),
                "{} says nothing",
                file.display()
            );
            let code = code(&file);
            let words: Vec<&str> = code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .collect();
            for pair in words.windows(2) {
                let defines = ["struct", "enum", "trait", "type"].contains(&pair[0]);
                let vague = ["Manager", "Helper", "Util", "Utils", "Service"]
                    .iter()
                    .any(|end| pair[1].ends_with(end));
                assert!(
                    !(defines && vague),
                    "{} defines {}",
                    file.display(),
                    pair[1]
                );
            }
        }
    }
}

#[test]
fn plain_cargo_commands_do_not_need_the_desktop() {
    let metadata = metadata();
    let name_of = |id| &metadata[id].name;
    let by_default: Vec<String> = metadata
        .workspace_default_members
        .iter()
        .map(|id| name_of(id).to_string())
        .collect();
    assert!(by_default.contains(&"omni-node".to_owned()));
    assert!(
        !by_default.contains(&"omniswarm-desktop".to_owned()),
        "{by_default:?}"
    );
}

#[test]
fn the_desktop_program_holds_no_domain_logic() {
    let commands = root().join("src-tauri/src/commands.rs");
    let lines = fs::read_to_string(commands).unwrap().lines().count();
    assert!(lines < 300, "commands.rs has {lines} lines");
    for file in sources(&root().join("src-tauri/src")) {
        let code = code(&file);
        for word in [
            "Ledger",
            "quorum",
            "verify_strict",
            "rusqlite",
            "libp2p",
            "wasmtime",
        ] {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}

/// Sources of everything that ships and has effects, with the folder that a rule leaves out.
fn shipped_besides(exempt: &str) -> Vec<PathBuf> {
    let crates = ["omni-sandbox", "omni-store", "omni-node", "omni-cli"];
    let folders = crates
        .iter()
        .map(|krate| root().join("crates").join(krate).join("src"))
        .chain([root().join("src-tauri/src")]);
    let exempt = root().join(exempt);
    assert!(exempt.exists(), "{}", exempt.display());
    let files: Vec<PathBuf> = folders
        .flat_map(|folder| sources(&folder))
        .filter(|file| !file.starts_with(&exempt))
        .collect();
    assert!(files.len() > 40);
    files
}

#[test]
fn outgoing_connections_have_one_door() {
    for file in shipped_besides("crates/omni-node/src/egress") {
        let code = code(&file);
        for word in [
            "TcpStream",
            "UdpSocket",
            "TcpListener",
            "lookup_host",
            "ToSocketAddrs",
            "hyper::",
            "reqwest",
            "ureq",
            "tokio_rustls",
        ] {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}
