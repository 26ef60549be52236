//! The native build of the command: exit codes and the one line on standard error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use labs::{run, Request, Track, MAX_REQUEST_BYTES};

fn command(stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_labs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_writes_what_the_library_returns() {
    let request = Request {
        seed: 1,
        track: Track::General,
        length: 27,
        budget: 5_000,
        crossover_permille: 0,
        parents: Vec::new(),
    };
    let output = command(&request.encode());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, run(&request.encode()).unwrap());
    assert!(output.stderr.is_empty());
}

#[test]
fn a_refused_request_ends_with_code_2_and_one_named_line() {
    for (stdin, code) in [
        (vec![], "too-short"),
        (vec![0; MAX_REQUEST_BYTES + 1], "bad-magic"),
    ] {
        let output = command(&stdin);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with(&format!("labs: {code}: ")), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
