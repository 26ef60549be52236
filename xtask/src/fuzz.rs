//! Fuzzing with libFuzzer and the stable compiler: coverage instrumentation is an LLVM pass that it
//! has too. Built in a target folder of its own, because instrumented code is another build of
//! everything.
//!
//! ```text
//!   fuzz/regressions/<target>/   findings of the past, kept
//!   target/fuzz/seeds/<target>/  written anew by the fuzz package
//!   target/fuzz/corpus/<target>/ what the fuzzer has found worth keeping
//!   target/fuzz/findings/<target>/ inputs that failed, and target/fuzz/<target>.log
//! ```

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Outcome, cargo,
    packages::{self, PROGRAM_BUILD},
    root,
    step::{run, title},
    target,
};

/// Every fuzz target.
const TARGETS: [&str; 4] = ["envelopes", "admission", "pipe", "text"];

/// What cargo-fuzz passes as well: a counter for each edge, and hooks at comparisons, so that the
/// fuzzer sees which values would lead it on.
const RUSTFLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];

/// One input may take this long, seconds, also on a busy machine.
const INPUT_SECONDS: u32 = 20;
/// Memory of one fuzzer, megabytes: no input may make it grow.
const MEMORY_MB: u32 = 1024;

/// Replays seeds and former findings, then fuzzes each of `names` (all when empty) for `seconds`.
///
/// # Errors
/// On a finding, when something cannot be built, or for a target that does not exist.
pub(crate) fn run_targets(names: &[String], seconds: u32) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        let known = TARGETS.join(", ");
        return Err(format!(
            "there is no fuzz target `{unknown}`; there are {known}"
        ));
    }
    if !cfg!(unix) {
        return Err("fuzzing works on Linux and macOS".to_owned());
    }
    packages::install(PROGRAM_BUILD)?;
    let folder = target().join("fuzz");
    let package = |command: &str| {
        let mut cargo = cargo();
        cargo
            .args([command, "--locked", "--manifest-path"])
            .arg(root().join("fuzz/Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder);
        cargo
    };

    title("seeds and former findings");
    run(package("test").args(["--quiet", "--no-default-features"]))?;
    let seeds = folder.join("seeds");
    // Seeds of an earlier state of the protocol are no seeds any more.
    let _ = fs::remove_dir_all(&seeds);
    run(package("run")
        .args([
            "--quiet",
            "--no-default-features",
            "--example",
            "seeds",
            "--",
        ])
        .arg(&seeds))?;

    title("build with coverage instrumentation");
    let host = host()?;
    // With a target named, cargo does not instrument build scripts.
    run(package("build")
        .args(["--release", "--bins", "--target", &host])
        .env("RUSTFLAGS", RUSTFLAGS.join(" ")))?;

    let programs = folder.join(&host).join("release");
    let mut failed = vec![];
    for name in TARGETS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        title(&format!("fuzz {name} for {seconds} s"));
        if !fuzz(&folder, &programs.join(name), name, seconds)? {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("findings in {}", failed.join(", ")))
    }
}

/// Runs one fuzzer to its end; whether it found nothing.
fn fuzz(folder: &Path, program: &Path, name: &str, seconds: u32) -> Result<bool, String> {
    let made = |kind: &str| -> Result<PathBuf, String> {
        let path = folder.join(kind).join(name);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    };
    let (corpus, seeds, findings) = (made("corpus")?, made("seeds")?, made("findings")?);
    let log = folder.join(format!("{name}.log"));
    let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let status = Command::new(program)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg("-print_final_stats=1")
        // The folder itself is the prefix, so it ends in a slash.
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .args([&corpus, &seeds])
        .args(Some(root().join("fuzz/regressions").join(name)).filter(|path| path.is_dir()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .status()
        .map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let bytes = fs::read(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    if status.success() {
        println!("{}", summary(&text));
        return Ok(true);
    }
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.len().saturating_sub(40);
    for line in lines.iter().skip(tail) {
        println!("{line}");
    }
    println!("\nfuzz {name}: a finding ({status})");
    println!("  log:   {}", log.display());
    println!("  input: in {}", findings.display());
    println!("  again: {} <input>", program.display());
    println!("  once it is mended, keep the input in fuzz/regressions/{name}/");
    Ok(false)
}

/// Executions and coverage in one line, from what libFuzzer writes.
fn summary(log: &str) -> String {
    let statistic = |name: &str| {
        let line = log.lines().rev().find(|line| line.contains(name))?;
        line.split_whitespace().last()
    };
    let progress = log.lines().rev().find(|line| line.contains(" cov: "));
    let after = |label: &str| {
        let mut words = progress?.split_whitespace();
        words.find(|word| *word == label)?;
        words.next()
    };
    format!(
        "{} executions, {} per second, {} edges covered, corpus {} (inputs/size), no finding",
        statistic("stat::number_of_executed_units").unwrap_or("?"),
        statistic("stat::average_exec_per_sec").unwrap_or("?"),
        after("cov:").unwrap_or("?"),
        after("corp:").unwrap_or("?"),
    )
}

/// The compiler's own target.
fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(root())
        .output()
        .map_err(|error| format!("rustc does not start: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc does not say for which system it builds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_takes_the_last_numbers() {
        let log = "#2 INITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 27Mb\n\
                   #99 NEW    cov: 23 ft: 40 corp: 7/1Kb lim: 4 exec/s: 0 rss: 27Mb L: 1/1\n\
                   Done 500 runs in 2 second(s)\n\
                   stat::number_of_executed_units: 500\n\
                   stat::average_exec_per_sec:     250\n";
        assert_eq!(
            summary(log),
            "500 executions, 250 per second, 23 edges covered, corpus 7/1Kb (inputs/size), no finding"
        );
        assert!(summary("").starts_with('?'));
    }

    #[test]
    fn every_target_is_in_the_package() {
        let package = include_str!("../../fuzz/Cargo.toml");
        for name in TARGETS {
            assert!(package.contains(&format!("path = \"fuzz_targets/{name}.rs\"")));
        }
        assert_eq!(package.matches("[[bin]]").count(), TARGETS.len());
    }
}
