//! Modules before they are compiled, and the frames between the sandbox and its child.

use omni_sandbox::fuzzing;
use omni_types::{ResourceLimits, canonical};
use serde::Serialize;

use crate::Seed;

/// Input: a module.
pub fn admission(data: &[u8]) -> bool {
    fuzzing::admission(data)
}

/// Input: one byte for the direction, then what comes through the pipe.
pub fn pipe(data: &[u8]) -> bool {
    match data {
        [] => false,
        [direction, frame @ ..] if direction % 2 == 0 => fuzzing::request(frame),
        [_, frame @ ..] => fuzzing::answer(frame),
    }
}

pub(crate) fn admission_seeds() -> Vec<Seed> {
    let bodies: [(&str, &[u8]); 5] = [
        ("empty", &[0x00, 0x0B]),
        // Writes through the import: four constants, call, drop.
        (
            "write",
            &[
                0x00, 0x41, 0x01, 0x41, 0x08, 0x41, 0x01, 0x41, 0x14, 0x10, 0x00, 0x1A, 0x0B,
            ],
        ),
        // A loop with two locals that counts down.
        (
            "loop",
            &[
                0x01, 0x02, 0x7F, 0x41, 0x0A, 0x21, 0x00, 0x03, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6B,
                0x22, 0x00, 0x0D, 0x00, 0x0B, 0x0B,
            ],
        ),
        // A vector constant, a float, a bulk copy, a call through the table.
        (
            "newer",
            &[
                0x00, 0xFD, 0x0C, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x1A, 0x44,
                0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x9F, 0x1A, 0x41, 0x00, 0x41, 0x08, 0x41, 0x04, 0xFC,
                0x0A, 0x00, 0x00, 0x41, 0x00, 0x11, 0x00, 0x00, 0x0B,
            ],
        ),
        // A table of branches out of two blocks.
        (
            "branches",
            &[
                0x00, 0x02, 0x40, 0x02, 0x40, 0x41, 0x01, 0x0E, 0x01, 0x00, 0x01, 0x0B, 0x0B, 0x0B,
            ],
        ),
    ];
    // No real skill: at its size a fuzzer has so much fewer tries that it sees less in the same time.
    let seed = |(name, body): (&str, &[u8])| (name.to_owned(), module(body));
    bodies.into_iter().map(seed).collect()
}

/// A small command with every section that a skill may have, around one function body.
fn module(body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        // All lengths here are below 128, so that one byte holds them.
        module.extend([id, content.len() as u8]);
        module.extend(content);
    };
    // () -> (), and four numbers to one.
    section(
        1,
        &[
            &[2, 0x60, 0, 0],
            &[0x60, 4, 0x7F, 0x7F, 0x7F, 0x7F, 1, 0x7F],
        ],
    );
    section(
        2,
        &[
            &[1, 22],
            b"wasi_snapshot_preview1",
            &[8],
            b"fd_write",
            &[0, 1],
        ],
    );
    section(3, &[&[1, 0]]);
    section(4, &[&[1, 0x70, 1, 1, 2]]);
    section(5, &[&[1, 1, 1, 2]]);
    section(6, &[&[1, 0x7E, 1, 0x42, 7, 0x0B]]);
    section(7, &[&[2, 6], b"memory", &[2, 0, 6], b"_start", &[0, 1]]);
    section(9, &[&[1, 0, 0x41, 0, 0x0B, 1, 1]]);
    section(10, &[&[1, body.len() as u8], body]);
    section(11, &[&[1, 0, 0x41, 8, 0x0B, 4], b"data"]);
    section(0, &[&[4], b"name"]);
    module
}

/// The pipe's messages, written down a second time: a change of the protocol has to be made here
/// as well.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Message<'a> {
    Prepare {
        limits: ResourceLimits,
    },
    Load {
        #[serde(with = "serde_bytes")]
        module: &'a [u8],
    },
    Run {
        #[serde(with = "serde_bytes")]
        input: &'a [u8],
        seed: u64,
    },
    Ready {
        raised: Raised,
    },
    Loaded,
    Refused,
    Output {
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    Failed {
        fault: Fault,
    },
}

#[derive(Serialize)]
struct Raised {
    up: u32,
    landlock: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Fault {
    ExitCode { code: i32 },
    MemoryLimit,
}

pub(crate) fn pipe_seeds() -> Vec<Seed> {
    let small = module(&[0x00, 0x0B]);
    let limits = ResourceLimits {
        memory_bytes: 64 << 20,
        output_bytes: 1024,
        segment_wall_ms: 10_000,
    };
    let prepare = Message::Prepare { limits };
    let load = Message::Load { module: &small };
    let raised = Raised {
        up: 0x3F,
        landlock: 4,
    };
    let run = Message::Run {
        input: b"input",
        seed: u64::MAX,
    };
    let failed = |fault| Message::Failed { fault };
    let messages = [
        (0, "prepare", prepare),
        (0, "load", load),
        (0, "run", run),
        (1, "ready", Message::Ready { raised }),
        (1, "loaded", Message::Loaded),
        (1, "refused", Message::Refused),
        (1, "output", Message::Output { bytes: b"output" }),
        (1, "exit-code", failed(Fault::ExitCode { code: -1 })),
        (1, "memory-limit", failed(Fault::MemoryLimit)),
    ];
    let seed = |(direction, name, message): (u8, &str, Message<'_>)| {
        let body = canonical::to_bytes(&message).expect("a seed can be encoded");
        let length = (body.len() as u32).to_be_bytes();
        (name.to_owned(), [&[direction], &length[..], &body].concat())
    };
    messages.into_iter().map(seed).collect()
}
