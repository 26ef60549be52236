//! The LABS skill as a WASI command: the request on standard input, the answer on standard output.
//!
//! A refused request ends the program with exit code 2 and one line `labs: <code>: <sentence>` on standard error; a
//! broken pipe ends it with exit code 1.
#![forbid(unsafe_code)]

// The WASM module is built by one plain compiler call, hence a module here and not a dependency.
#[allow(dead_code, unused_imports)]
#[path = "lib.rs"]
mod labs;

use std::io::{self, Read, Write};
use std::process::exit;

const BROKEN: i32 = 1;
const REFUSED: i32 = 2;

fn main() {
    let mut request = Vec::new();
    // One byte more than the longest request: enough to notice that it is too long, never more.
    let limit = labs::MAX_REQUEST_BYTES as u64 + 1;
    if io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut request)
        .is_err()
    {
        end(
            "input-unreadable",
            "standard input could not be read",
            BROKEN,
        );
    }
    let answer = match labs::run(&request) {
        Ok(answer) => answer,
        Err(refusal) => end(refusal.code(), refusal.sentence(), REFUSED),
    };
    let mut output = io::stdout().lock();
    if output
        .write_all(&answer)
        .and_then(|()| output.flush())
        .is_err()
    {
        end(
            "output-unwritable",
            "standard output could not be written",
            BROKEN,
        );
    }
}

// Not `ExitCode`: older compilers lower every failure to 1 on WASI.
fn end(code: &str, sentence: &str, exit_code: i32) -> ! {
    let mut errors = io::stderr().lock();
    for part in ["labs: ", code, ": ", sentence, "\n"] {
        // Nothing is left to be told when standard error is closed as well.
        if errors.write_all(part.as_bytes()).is_err() {
            break;
        }
    }
    exit(exit_code)
}
