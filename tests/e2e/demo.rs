//! `omniswarm demo`: the first minute of a new user.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    program::{self, Program, all_gone, descendants, run, until, until_within},
    turn,
};

/// Time from Ctrl-C to the end of the program.
const END: Duration = Duration::from_secs(20);
/// The search draws at random which results come first: most runs take half a minute, a few much longer.
const OPTIMUM: Duration = Duration::from_secs(400);

fn demo(folder: &Path, args: &[&str]) -> Command {
    let mut command = program::command(program::omniswarm(), folder);
    // As a new user starts it: nothing is set.
    command
        .env_remove("OMNISWARM_IDENTITY")
        .env_remove("OMNISWARM_PASSPHRASE")
        .arg("demo")
        .args(args);
    command
}

/// Energy of a sequence: the sum of its squared aperiodic autocorrelations.
fn energy(sequence: &str) -> i64 {
    let signs: Vec<i64> = sequence
        .chars()
        .map(|sign| match sign {
            '+' => 1,
            '-' => -1,
            other => panic!("{other} in a sequence"),
        })
        .collect();
    (1..signs.len())
        .map(|shift| {
            let pairs = signs.iter().zip(&signs[shift..]);
            pairs.map(|(a, b)| a * b).sum::<i64>().pow(2)
        })
        .sum()
}

/// Energy in the bundled table.
fn published(length: u16) -> i64 {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaigns/labs/best_known.csv");
    let table = fs::read_to_string(table).unwrap();
    let start = format!("{length},");
    let row = table.lines().find(|line| line.starts_with(&start)).unwrap();
    assert!(row.contains("proven_optimal"));
    row.split(',').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_question_is_asked_and_answered_in_the_terminal() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut command = demo(folder.path(), &["--length", "21", "--risk", "medium"]);
    let mut program = Program::start(command.stdin(Stdio::piped()), &logs, "demo");
    let said = |program: &Program, text: &str| program.output().contains(text);
    until("a question", || said(&program, "Question 1").then_some(()));
    // Enter, and a yes that does not say for how long, are no yes.
    program.type_line("");
    program.type_line("yes");
    until("a hint", || {
        said(&program, "say for how long").then_some(())
    });
    assert!(!said(&program, "working on unit"), "{}", program.output());
    program.type_line("yes day");
    until("a receipt", || said(&program, "receipt ").then_some(()));
    program.type_line("kill");
    until("stopped", || {
        said(&program, "Everything is stopped").then_some(())
    });
    let pid = program.pid();
    until("no skill runs", || {
        descendants(pid).is_empty().then_some(())
    });
    assert!(program.interrupt().success());
}

fn nothing_left_in(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "logs")
        .collect();
    assert!(left.is_empty(), "the demo left {left:?}");
}

fn finds_the_optimum(length: u16) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let text = length.to_string();
    let args = [
        "--campaign",
        "labs",
        "--length",
        &text,
        "--nodes",
        "3",
        "--until",
        "optimal",
        "--json",
    ];
    let mut demo = Program::start(&mut demo(folder.path(), &args), &logs, "demo");
    let mut children = BTreeSet::new();
    let pid = demo.pid();
    let status = until_within(OPTIMUM, "the demo ends", || {
        children.extend(descendants(pid));
        demo.try_wait()
    });
    assert!(status.success());
    assert!(!children.is_empty(), "nothing ran in a sandbox");
    all_gone(&children);
    nothing_left_in(folder.path());
    let output = demo.output();
    assert_eq!(output.lines().count(), 1, "{output}");
    let report: Value = serde_json::from_str(output.lines().next_back().unwrap()).unwrap();
    assert_eq!(report["campaign"], "labs");
    assert_eq!(report["length"], length);
    assert_eq!(report["end"], "optimal");
    assert_eq!(report["best_energy"], published(length));
    let sequence = report["sequence"].as_str().unwrap();
    assert_eq!(sequence.len(), usize::from(length));
    assert_eq!(energy(sequence), published(length));
    assert_eq!(report["conserved"], true);
    assert_eq!(report["ledger"]["conserved"], true);
    report
}

#[test]
fn the_demo_finds_a_proven_optimum() {
    let _turn = turn();
    assert_eq!(published(41), 108);
    // Every network draws its own seeds, and some are lucky before the first generation ends.
    let evolved = (0..6).map(|_| finds_the_optimum(41)).find(|report| {
        assert!(report["receipts"].as_u64().unwrap() >= 2, "{report}");
        report["generations"].as_u64().unwrap() >= 1
    });
    assert!(evolved.is_some(), "no run reached a second generation");
    finds_the_optimum(13);
}

#[test]
fn the_demo_ends_in_time_where_the_table_has_no_value() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let args = ["--length", "33", "--seconds", "5", "--json"];
    let output = run(&mut demo(folder.path(), &args));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["end"], "seconds");
    assert_eq!(report["published_energy"], Value::Null);
    assert_eq!(report["proven_optimal"], Value::Null);
    let sequence = report["sequence"].as_str().unwrap();
    assert_eq!(report["best_energy"], energy(sequence));
    assert_eq!(report["conserved"], true);
    nothing_left_in(folder.path());
}

#[test]
fn bad_arguments_are_named() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    for (args, named) in [
        (&["--length", "12"][..], "The length must be from 13 to 449"),
        (&["--length", "450"], "The length must be from 13 to 449"),
        (&["--length", "40", "--skew"], "odd for the skew track"),
        (&["--length", "many"], "--length"),
        (&["--nodes", "1"], "--nodes"),
        (&["--nodes", "33"], "--nodes"),
        (
            &["--campaign", "gold"],
            "There is no campaign called “gold”",
        ),
        (&["--seconds", "0"], "--seconds"),
    ] {
        let output = run(&mut demo(folder.path(), args));
        assert!(!output.status.success(), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(named), "{args:?}: {text}");
        assert!(!text.contains("panicked"), "{args:?}: {text}");
    }
    nothing_left_in(folder.path());
}

/// A demo that has shown its first receipt, with the children it has now.
fn running(folder: &Path) -> (Program, BTreeSet<program::Process>) {
    let logs = folder.join("logs");
    fs::create_dir(&logs).unwrap();
    let args = ["--length", "61", "--evaluations", "200000"];
    let demo = Program::start(&mut demo(folder, &args), &logs, "demo");
    until("the first receipt", || {
        let text = demo.output();
        text.lines()
            .any(|line| line.starts_with("receipt "))
            .then_some(())
    });
    let children = until("a sandbox child", || {
        let found = descendants(demo.pid());
        (!found.is_empty()).then_some(found)
    });
    (demo, children)
}

#[test]
fn an_interrupted_demo_ends_in_good_order() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (mut demo, mut children) = running(folder.path());
    children.extend(descendants(demo.pid()));
    program::signal(demo.pid(), rustix::process::Signal::INT);
    let status = demo.wait(END);
    assert_eq!(status.code(), Some(0));
    all_gone(&children);
    let text = demo.output();
    assert!(text.contains("books come out even"), "{text}");
    nothing_left_in(folder.path());
}

#[test]
fn the_children_of_a_killed_demo_die_with_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (demo, children) = running(folder.path());
    demo.kill();
    all_gone(&children);
}
