//! What the functions that a skill has can do: asked with every descriptor and every bad pointer,
//! and by the bytes that come out.

use std::sync::{Arc, OnceLock};

use omni_sandbox::Failure;
use omni_types::seed::splitmix64;

use crate::{
    equipment::{Case, ECHO, LIMITS, case, run_once, skill, start, wait},
    imports::ALLOWED,
};

const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const SPIPE: u32 = 70;

/// Sentences for descriptors, and those that are tried.
const DESCRIPTORS: &[(&str, &[i32])] = &[
    ("standard input", &[0]),
    ("standard output", &[1]),
    ("standard error", &[2]),
    ("what would be the first folder", &[3]),
    ("the next seven descriptors", &[4, 5, 6, 7, 8, 9, 10]),
    ("the largest descriptor", &[i32::MAX]),
    ("negative descriptors", &[-1, i32::MIN]),
];

/// Functions with their other arguments, and the error number for each line of [`DESCRIPTORS`].
const ON_DESCRIPTORS: &[(&str, &str, [u32; 7])] = &[
    (
        "fd_read",
        "16 1 80",
        [0, BADF, BADF, BADF, BADF, BADF, BADF],
    ),
    ("fd_write", "128 1 80", [BADF, 0, 0, BADF, BADF, BADF, BADF]),
    (
        "fd_seek",
        "0 0 80",
        [SPIPE, SPIPE, SPIPE, BADF, BADF, BADF, BADF],
    ),
    ("fd_close", "", [0, 0, 0, BADF, BADF, BADF, BADF]),
    ("fd_fdstat_get", "2048", [0, 0, 0, BADF, BADF, BADF, BADF]),
    ("fd_prestat_get", "2048", [BADF; 7]),
    ("fd_prestat_dir_name", "2048 16", [BADF; 7]),
];

/// Lists of buffers at fixed places; there are 131072 bytes of memory.
const LISTS: &str = "
    ;; A good one; one that begins outside; one that is too long; one that wraps round.
    (i64.store (i32.const 16) (i64.const 0x0000000400000400))
    (i64.store (i32.const 32) (i64.const 0x0000000480000000))
    (i64.store (i32.const 48) (i64.const 0xffffffff00000400))
    (i64.store (i32.const 64) (i64.const 0xffffffffffffffff))
    ;; One that ends two bytes outside; a good one and a bad one; an empty one.
    (i64.store (i32.const 96) (i64.const 0x000000040001fffe))
    (i64.store (i32.const 112) (i64.const 0x0000000400000400))
    (i64.store (i32.const 120) (i64.const 0x8000000000000400))
    (i64.store (i32.const 128) (i64.const 0x0000000000000400))";

/// For reading and writing: what is wrong, list, count and place for the answer, error number.
const ON_LISTS: &[(&str, &str, u32)] = &[
    ("a buffer that begins outside", "32 1 80", FAULT),
    ("a buffer that ends outside", "96 1 80", FAULT),
    ("a buffer longer than all memory", "48 1 80", FAULT),
    ("a buffer that wraps round", "64 1 80", FAULT),
    ("a bad buffer behind a good one", "112 2 80", FAULT),
    ("a list that begins outside", "131072 1 80", FAULT),
    ("a list that ends outside", "131068 1 80", FAULT),
    ("a list that wraps round", "-8 2 80", FAULT),
    ("a list of 1025 buffers", "16 1025 80", INVAL),
    (
        "a list of two thousand million buffers",
        "16 2147483647 80",
        INVAL,
    ),
    ("a list of a negative number of buffers", "16 -1 80", INVAL),
    ("a place for the answer outside", "16 1 131072", FAULT),
    (
        "a place for the answer that ends outside",
        "16 1 131070",
        FAULT,
    ),
    ("a place for the answer that wraps round", "16 1 -1", FAULT),
];

/// Other functions with bad pointers and numbers.
const ON_POINTERS: &[(&str, u32)] = &[
    ("args_sizes_get 131072 80", FAULT),
    ("args_sizes_get 80 131069", FAULT),
    ("environ_sizes_get -4 80", FAULT),
    ("environ_sizes_get 80 -1", FAULT),
    ("args_get -1 -1", 0),
    ("environ_get -1 -1", 0),
    ("clock_time_get 0 0 131065", FAULT),
    ("clock_time_get 0 0 -1", FAULT),
    ("clock_time_get 4 0 80", INVAL),
    ("clock_time_get -1 0 80", INVAL),
    ("random_get 131072 1", FAULT),
    ("random_get 0 131073", FAULT),
    ("random_get 1 -1", FAULT),
    ("random_get -1 16", FAULT),
    ("random_get 131072 0", 0),
    ("fd_fdstat_get 0 131049", FAULT),
    ("fd_fdstat_get 1 -24", FAULT),
    ("sched_yield", 0),
];

fn wat_call(text: &str) -> String {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap();
    let (_, signature) = ALLOWED.iter().find(|(known, _)| *known == name).unwrap();
    let args: String = words
        .zip(signature.chars())
        .map(|(word, ty)| format!("({}.const {word})", if ty == 'I' { "i64" } else { "i32" }))
        .collect();
    format!("(call ${name} {args})")
}

/// Calls that are made one after the other in one child, by the first case that wants an answer.
struct Asked {
    calls: Vec<String>,
    answers: OnceLock<Vec<u32>>,
}

impl Asked {
    fn new(calls: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            calls,
            answers: OnceLock::new(),
        })
    }

    fn answer(&self, call: &str) -> u32 {
        let answers = self.answers.get_or_init(|| {
            let mut body = LISTS.to_owned();
            for (index, call) in self.calls.iter().enumerate() {
                let at = 4096 + 4 * index;
                body += &format!("(i32.store (i32.const {at}) {})\n", wat_call(call));
            }
            let length = 4 * self.calls.len();
            body += &format!("(call $print (i32.const 4096) (i32.const {length}))");
            let output = run_once(&skill(&body), &LIMITS, b"some input", 1).unwrap();
            output
                .chunks(4)
                .map(|number| u32::from_le_bytes(number.try_into().unwrap()))
                .collect()
        });
        let index = self.calls.iter().position(|known| known == call).unwrap();
        answers[index]
    }
}

fn asking() -> Vec<Case> {
    let mut cases = Vec::new();
    for (function, rest, expected) in ON_DESCRIPTORS {
        let call = |fd: &i32| format!("{function} {fd} {rest}");
        let all = DESCRIPTORS.iter().flat_map(|(_, fds)| fds.iter().map(call));
        let asked = Asked::new(all.collect());
        for ((what, fds), errno) in DESCRIPTORS.iter().zip(expected) {
            let calls: Vec<String> = fds.iter().map(call).collect();
            let asked = Arc::clone(&asked);
            let title = format!("{function} on {what} gives the error number {errno}");
            cases.push(case(title, move || {
                for call in calls {
                    assert_eq!(asked.answer(&call), *errno, "{call}");
                }
            }));
        }
    }
    let on_lists = |call: &str| {
        let lines = ON_LISTS.iter();
        let lines = lines.map(|(what, args, errno)| {
            (
                format!("{call} with {what}"),
                format!("{call} {args}"),
                *errno,
            )
        });
        lines.collect::<Vec<_>>()
    };
    let on_pointers = ON_POINTERS
        .iter()
        .map(|(call, errno)| ((*call).to_owned(), (*call).to_owned(), *errno));
    for lines in [
        on_lists("fd_read 0"),
        on_lists("fd_write 1"),
        on_pointers.collect(),
    ] {
        let asked = Asked::new(lines.iter().map(|(_, call, _)| call.clone()).collect());
        for (what, call, errno) in lines {
            let asked = Arc::clone(&asked);
            cases.push(case(
                format!("{what} gives the error number {errno}"),
                move || {
                    assert_eq!(asked.answer(&call), errno);
                },
            ));
        }
    }
    cases
}

/// What every program below gets.
const SEED: u64 = 0x0807_0605_0403_0201;
const INPUT: &[u8] = b"ABCDEFGH";

fn read_to(list: u32, buffers: &[(u32, u32)], done: u32) -> String {
    let mut text = String::new();
    for (index, (at, length)) in buffers.iter().enumerate() {
        let entry = list + 8 * index as u32;
        let value = u64::from(*at) | u64::from(*length) << 32;
        text += &format!("(i64.store (i32.const {entry}) (i64.const {value}))");
    }
    let count = buffers.len();
    text += &wat_call(&format!("fd_read 0 {list} {count} {done}"));
    format!("{text} drop")
}

fn print(at: u32, length: u32) -> String {
    format!("(call $print (i32.const {at}) (i32.const {length}))")
}

/// A sentence, a program, and what comes out.
type Program = (&'static str, String, Result<Vec<u8>, Failure>);

fn outputs() -> Vec<Program> {
    let ok = |bytes: &[u8]| Ok(bytes.to_vec());
    let call = |text: &str| format!("(drop {})", wat_call(text));
    let whole_input = [&SEED.to_le_bytes()[..], INPUT].concat();
    let untouched =
        "(i64.store (i32.const 64) (i64.const -1)) (i64.store (i32.const 72) (i64.const -1))";
    let stat = |rights: u64| [[0; 8], rights.to_le_bytes(), [0; 8]].concat();
    let exit = |code: i32| {
        (
            wat_call(&format!("proc_exit {code}")),
            Err(Failure::ExitCode(code)),
        )
    };
    let mut programs = vec![
        (
            "there are no arguments",
            [untouched, &call("args_sizes_get 64 68"), &print(64, 16)].concat(),
            ok(&[[0; 8], [0xff; 8]].concat()),
        ),
        (
            "there is no environment",
            [untouched, &call("environ_sizes_get 64 68"), &print(64, 16)].concat(),
            ok(&[[0; 8], [0xff; 8]].concat()),
        ),
        (
            "asking for arguments and environment writes nothing",
            [
                untouched,
                &call("args_get 64 72"),
                &call("environ_get 64 72"),
                &print(64, 16),
            ]
            .concat(),
            ok(&[0xff; 16]),
        ),
        (
            "every clock shows the first second of 2000",
            (0..4)
                .map(|id| call(&format!("clock_time_get {id} 0 {}", 64 + 8 * id)))
                .collect::<String>()
                + &print(64, 32),
            ok(&946_684_800_000_000_000_u64.to_le_bytes().repeat(4)),
        ),
        (
            "random numbers follow from the seed alone",
            call("random_get 64 20") + &print(64, 20),
            ok(&[
                splitmix64(SEED, 0),
                splitmix64(SEED, 1),
                splitmix64(SEED, 2),
            ]
            .map(u64::to_le_bytes)
            .concat()[..20]),
        ),
        (
            "standard input is seed and input",
            ECHO.to_owned(),
            ok(&whole_input),
        ),
        (
            "the end of the input stays the end",
            [
                read_to(16, &[(1024, 100)], 80).as_str(),
                &read_to(16, &[(1024, 100)], 80),
                &print(80, 4),
            ]
            .concat(),
            ok(&[0; 4]),
        ),
        (
            "seeking does not bring the input back",
            [
                read_to(16, &[(1024, 100)], 80).as_str(),
                call("fd_seek 0 0 0 80").as_str(),
                &read_to(16, &[(1024, 100)], 80),
                &print(80, 4),
            ]
            .concat(),
            ok(&[0; 4]),
        ),
        (
            "overlapping buffers are filled in turn",
            read_to(16, &[(1024, 8), (1028, 8)], 80) + &print(1024, 12),
            ok(&[&whole_input[..4], INPUT].concat()),
        ),
        (
            "a buffer over its own list is filled and no further one followed",
            read_to(512, &[(512, 16)], 80) + &print(512, 16),
            ok(&whole_input),
        ),
        (
            "a buffer over a later entry of its list does not change where that leads",
            read_to(512, &[(520, 8), (1024, 8)], 80) + &print(1024, 8),
            ok(INPUT),
        ),
        (
            "the count written into a buffer is only bytes",
            read_to(16, &[(1024, 16)], 1024) + &print(1024, 8),
            ok(&[16, 0, 0, 0, 5, 6, 7, 8]),
        ),
        (
            "a read that fails takes nothing of the input",
            [LISTS, &call("fd_read 0 112 2 80"), ECHO].concat(),
            ok(&whole_input),
        ),
        (
            "a write that fails writes nothing",
            [
                LISTS,
                &call("fd_write 1 112 2 80"),
                &call("fd_write 1 16 1 -1"),
            ]
            .concat(),
            ok(b""),
        ),
        (
            "one buffer twice is written twice",
            read_to(16, &[(1024, 16)], 80)
                + "(i64.store (i32.const 24) (i64.load (i32.const 16)))"
                + &call("fd_write 1 16 2 80"),
            ok(&whole_input.repeat(2)),
        ),
        (
            "standard error is no output",
            [
                read_to(16, &[(1024, 16)], 80).as_str(),
                &call("fd_write 2 16 1 80"),
            ]
            .concat(),
            ok(b""),
        ),
        (
            "closing standard output closes nothing",
            [&call("fd_close 1"), &call("fd_close 0"), ECHO].concat(),
            ok(&whole_input),
        ),
        (
            "standard input may be read and no more",
            call("fd_fdstat_get 0 64") + &print(64, 24),
            ok(&stat(1 << 1)),
        ),
        (
            "standard output may be written and no more",
            call("fd_fdstat_get 1 64") + &print(64, 24),
            ok(&stat(1 << 6)),
        ),
        (
            "all memory can be filled with random numbers and goes nowhere",
            call("random_get 0 131072"),
            ok(b""),
        ),
        (
            "exit code 0 keeps the output",
            format!("{ECHO} {} unreachable", wat_call("proc_exit 0")),
            ok(&whole_input),
        ),
    ];
    for (what, code) in [
        ("exit code 1 is a failure by its number", 1),
        ("exit code 256 is not taken for 0", 256),
        ("exit code -1 is a failure by its number", -1),
        (
            "the smallest exit code is a failure by its number",
            i32::MIN,
        ),
    ] {
        let (body, expected) = exit(code);
        programs.push((what, format!("{ECHO} {body}"), expected));
    }
    programs
}

/// Ors all memory together, then leaves something in it and in its growth.
const LEFTOVERS: &str = "
    (local $at i32) (local $found i64)
    (loop $next
        (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
    (i64.store (i32.const 64) (local.get $found))
    (i64.store (i32.const 72) (i64.extend_i32_u (i32.add (memory.size) (global.get $left))))
    (call $print (i32.const 64) (i32.const 16))
    (global.set $left (i32.const 7))
    (drop (memory.grow (i32.const 5)))
    (memory.fill (i32.const 0) (i32.const 0xaa) (i32.mul (memory.size) (i32.const 65536)))";

pub fn cases() -> Vec<Case> {
    let mut cases = asking();
    for (what, body, expected) in outputs() {
        cases.push(case(what, move || {
            assert_eq!(run_once(&skill(&body), &LIMITS, INPUT, SEED), expected);
        }));
    }
    cases.push(case("a run finds nothing of the run before", || {
        let more = "(global $left (mut i32) (i32.const 0))";
        let module = crate::equipment::skill_with(more, LEFTOVERS);
        wait(async {
            let mut child = start(&module, &LIMITS).await.unwrap();
            for seed in 0..3 {
                let output = child.run(INPUT, seed).await.unwrap();
                assert_eq!(output, [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
            }
        });
    }));
    cases.push(case(
        "random numbers differ by the seed and by nothing else",
        || {
            let module = skill(&format!(
                "(drop {}) {}",
                wat_call("random_get 64 64"),
                print(64, 64)
            ));
            let draw = |seed, input: &[u8]| run_once(&module, &LIMITS, input, seed).unwrap();
            assert_eq!(draw(7, b"one"), draw(7, b"another"));
            assert_ne!(draw(7, b"one"), draw(8, b"one"));
        },
    ));
    cases
}
