//! What a module may ask for: fifteen functions, by their exact names, with their exact parameters.

use omni_sandbox::{Refusal, SpawnError, admit};

use crate::{
    binary::{self, I32, I64, Parts, func_type},
    equipment::{Case, case, verdict},
};

const WASI: &str = "wasi_snapshot_preview1";

/// Parameters, `>`, results: `i` for 32 bits, `I` for 64.
type Signature = &'static str;

/// What may be imported.
pub const ALLOWED: &[(&str, Signature)] = &[
    ("args_get", "ii>i"),
    ("args_sizes_get", "ii>i"),
    ("clock_time_get", "iIi>i"),
    ("environ_get", "ii>i"),
    ("environ_sizes_get", "ii>i"),
    ("fd_close", "i>i"),
    ("fd_fdstat_get", "ii>i"),
    ("fd_prestat_dir_name", "iii>i"),
    ("fd_prestat_get", "ii>i"),
    ("fd_read", "iiii>i"),
    ("fd_seek", "iIii>i"),
    ("fd_write", "iiii>i"),
    ("proc_exit", "i>"),
    ("random_get", "ii>i"),
    ("sched_yield", ">i"),
];

/// The other functions of WASI preview 1, and what systems built on it add.
const WITHHELD: &[(&str, Signature)] = &[
    ("clock_res_get", "ii>i"),
    ("fd_advise", "iIIi>i"),
    ("fd_allocate", "iII>i"),
    ("fd_datasync", "i>i"),
    ("fd_fdstat_set_flags", "ii>i"),
    ("fd_fdstat_set_rights", "iII>i"),
    ("fd_filestat_get", "ii>i"),
    ("fd_filestat_set_size", "iI>i"),
    ("fd_filestat_set_times", "iIIi>i"),
    ("fd_pread", "iiiIi>i"),
    ("fd_pwrite", "iiiIi>i"),
    ("fd_readdir", "iiiIi>i"),
    ("fd_renumber", "ii>i"),
    ("fd_sync", "i>i"),
    ("fd_tell", "ii>i"),
    ("path_create_directory", "iii>i"),
    ("path_filestat_get", "iiiii>i"),
    ("path_filestat_set_times", "iiiiIIi>i"),
    ("path_link", "iiiiiii>i"),
    ("path_open", "iiiiiIIii>i"),
    ("path_readlink", "iiiiii>i"),
    ("path_remove_directory", "iii>i"),
    ("path_rename", "iiiiii>i"),
    ("path_symlink", "iiiii>i"),
    ("path_unlink_file", "iii>i"),
    ("poll_oneoff", "iiii>i"),
    ("proc_raise", "i>i"),
    ("sock_accept", "iii>i"),
    ("sock_recv", "iiiiii>i"),
    ("sock_send", "iiiii>i"),
    ("sock_shutdown", "ii>i"),
    ("sock_open", "iii>i"),
    ("sock_bind", "iii>i"),
    ("sock_connect", "iii>i"),
    ("sock_listen", "ii>i"),
    ("sock_addr_resolve", "iiiiii>i"),
    ("proc_exec", "iiii>"),
    ("proc_fork", "ii>i"),
    ("thread-spawn", "i>i"),
    ("callback_signal", "ii>"),
];

/// Modules that are not the one, for a function that would be allowed.
const OTHER_MODULES: &[&str] = &[
    "wasi_unstable",
    "wasi",
    "env",
    "",
    "wasix_32v1",
    "wasi_snapshot_preview2",
    "wasi_snapshot_preview",
    "wasi_snapshot_preview1_",
    "wasi_snapshot_preview1.fd",
    "wasi_snapshot_preview1 ",
    " wasi_snapshot_preview1",
    "wasi_snapshot_preview1\0",
    "WASI_SNAPSHOT_PREVIEW1",
    "Wasi_Snapshot_Preview1",
    "wasi-snapshot-preview1",
    "wasi:cli/stdout@0.2.0",
    // A Cyrillic letter, a letter of full width, a space of no width, a turn of direction.
    "w\u{430}si_snapshot_preview1",
    "\u{ff57}asi_snapshot_preview1",
    "wasi_\u{200b}snapshot_preview1",
    "\u{202e}wasi_snapshot_preview1",
];

/// Names that are not quite the one, in the right module.
const OTHER_NAMES: &[&str] = &[
    "FD_WRITE",
    "Fd_Write",
    "fd-write",
    "fd_write ",
    " fd_write",
    "fd_write\0",
    "fd_write\0path_open",
    "fd_write;path_open",
    "../fd_write",
    "fd_",
    "fd_writev",
    "",
    "*",
    "memory",
    "_start",
    "fd_wr\u{456}te",
    "\u{ff46}d_write",
    "fd\u{203f}write",
    "fd_write\u{200b}",
    "fd_write\u{301}",
    "\u{202e}etirw_df",
];

/// Kinds of imports that are no functions.
const NO_FUNCTIONS: &[(&str, &[u8])] = &[
    ("a table of functions", &[1, 0x70, 0, 1]),
    ("a table of foreign references", &[1, 0x6f, 0, 1]),
    ("a memory", &[2, 0, 1]),
    ("a memory with a maximum", &[2, 1, 1, 2]),
    ("a constant global", &[3, I32, 0]),
    ("a changeable global", &[3, I64, 1]),
];

fn types(letters: &str) -> Vec<u8> {
    let ty = |letter| if letter == 'i' { I32 } else { I64 };
    letters.chars().map(ty).collect()
}

fn function_type(signature: &str) -> Vec<u8> {
    let (params, results) = signature.split_once('>').unwrap();
    func_type(&types(params), &types(results))
}

/// The same as text.
pub fn wat_type(signature: &str) -> String {
    let (params, results) = signature.split_once('>').unwrap();
    let words = |letters: &str| letters.replace('i', " i32").replace('I', " i64");
    format!("(param{}) (result{})", words(params), words(results))
}

fn importing(list: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut parts = Parts::new();
    for (module, name, signature) in list {
        parts.types.push(function_type(signature));
        let index = binary::leb(parts.types.len() as u64 - 1);
        let what = [vec![0], index].concat();
        parts
            .imports
            .push(binary::import(module.as_bytes(), name.as_bytes(), &what));
    }
    parts.module()
}

#[track_caller]
fn assert_not_allowed(bytes: &[u8]) {
    let found = verdict(bytes);
    assert_eq!(found.code(), "import-not-allowed");
    let SpawnError::Refused(Refusal::ImportNotAllowed { module, name }) = &found else {
        panic!("{found:?}");
    };
    // What the volunteer is shown is short and plain, whatever the names are.
    for shown in [module, name] {
        assert!(shown.len() <= 64 && shown.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}

/// Wrong in one way each.
fn disguises(signature: &str) -> Vec<(&'static str, String)> {
    let (params, results) = signature.split_once('>').unwrap();
    let mut wrong = vec![
        ("one parameter more", format!("{params}i>{results}")),
        ("another result", format!("{params}>{results}I")),
    ];
    wrong.push(match params.chars().next() {
        Some(_) => (
            "a wide first parameter",
            format!("I{}>{results}", &params[1..]),
        ),
        None => ("no result", format!("{params}>")),
    });
    wrong
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![case("every function of the list can be imported", || {
        let list: Vec<_> = ALLOWED
            .iter()
            .map(|(name, ty)| (WASI, *name, *ty))
            .collect();
        assert_eq!(
            admit(&importing(&list)).map(|found| found.functions()),
            Ok(1)
        );
    })];
    for (name, signature) in WITHHELD {
        cases.push(case(
            format!("the WASI function {name} is not allowed"),
            || {
                assert_not_allowed(&importing(&[(WASI, name, signature)]));
            },
        ));
    }
    for module in OTHER_MODULES {
        cases.push(case(
            format!("fd_write of the module {module:?} is not allowed"),
            || {
                assert_not_allowed(&importing(&[(module, "fd_write", "iiii>i")]));
            },
        ));
    }
    for name in OTHER_NAMES {
        cases.push(case(format!("{name:?} is not taken for fd_write"), || {
            assert_not_allowed(&importing(&[(WASI, name, "iiii>i")]));
        }));
    }
    for (what, bytes) in NO_FUNCTIONS {
        for (module, name) in [("env", "memory"), (WASI, "fd_write")] {
            let title = format!("{what} cannot be imported as {module}.{name}");
            cases.push(case(title, move || {
                let mut parts = Parts::new();
                parts
                    .imports
                    .push(binary::import(module.as_bytes(), name.as_bytes(), bytes));
                assert_not_allowed(&parts.module());
            }));
        }
    }
    for (name, signature) in ALLOWED {
        for (what, wrong) in disguises(signature) {
            cases.push(case(
                format!("{name} with {what} does not exist"),
                move || {
                    let found = verdict(&importing(&[(WASI, name, &wrong)]));
                    assert_eq!(found.code(), "import-signature");
                    assert_eq!(found, Refusal::ImportSignature { name }.into());
                },
            ));
        }
    }
    cases.push(case(
        "a forbidden import behind every allowed one is found",
        || {
            let mut list: Vec<_> = ALLOWED
                .iter()
                .map(|(name, ty)| (WASI, *name, *ty))
                .collect();
            list.push((WASI, "path_open", "iiiiiIIii>i"));
            assert_not_allowed(&importing(&list));
        },
    ));
    cases.push(case(
        "a forbidden import behind ten thousand allowed ones is found",
        || {
            let mut list = vec![(WASI, "sched_yield", ">i"); 10_000];
            list.push(("env", "system", "i>i"));
            assert_not_allowed(&importing(&list));
        },
    ));
    cases.push(case(
        "a forbidden name as long as names can be is shown short",
        || {
            assert_not_allowed(&importing(&[(
                &"x".repeat(100_000),
                &"y".repeat(100_000),
                ">",
            )]));
        },
    ));
    for (what, module, name) in [
        ("module", &b"wasi\xff"[..], &b"fd_write"[..]),
        ("name", WASI.as_bytes(), b"fd_write\xc0\x80"),
        (
            "name that is half a surrogate",
            WASI.as_bytes(),
            b"fd_write\xed\xa0\x80",
        ),
    ] {
        cases.push(case(
            format!("a {what} that is no text is no import"),
            move || {
                let mut parts = Parts::new();
                parts.imports.push(binary::import(module, name, &[0, 0]));
                assert_eq!(verdict(&parts.module()).code(), "malformed");
            },
        ));
    }
    cases.push(case(
        "an allowed function of a type that is not there does not exist",
        || {
            let mut parts = Parts::new();
            parts
                .imports
                .push(binary::import(WASI.as_bytes(), b"fd_write", &[0, 9]));
            assert_eq!(verdict(&parts.module()).code(), "import-signature");
        },
    ));
    cases
}
