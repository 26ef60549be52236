//! Names, links and what else may stand in a folder: nothing of it leads out of the workspace.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use omni_node::workspace::{
    FolderLimits, MAX_FILES, MAX_FOLDERS, MAX_NAME_BYTES, ReadOnlyFolder, WorkFolder, Workspace,
    WorkspaceError, WorkspaceLimits,
};

use crate::equipment::{Case, case};

const SECRET: &[u8] = b"secret";
const INSIDE: &[u8] = b"inside";
const MAX_BYTES: u64 = 1000;
/// How long a race is run.
const RACE: Duration = Duration::from_millis(400);

/// A workspace with one folder and one file, and a secret beside it.
struct Place {
    _keep: tempfile::TempDir,
    outside: PathBuf,
    root: PathBuf,
    workspace: Workspace,
    folder: WorkFolder,
}

impl Place {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let outside = keep.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), SECRET).unwrap();
        let root = keep.path().join("root");
        let limits = WorkspaceLimits {
            max_bytes: MAX_BYTES,
            max_file_bytes: MAX_BYTES / 2,
        };
        let workspace = Workspace::open_with(&root, limits).unwrap();
        let folder = workspace.scratch("work").unwrap();
        folder.write("inside", INSIDE).unwrap();
        Self {
            _keep: keep,
            outside,
            root,
            workspace,
            folder,
        }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.root.join("work").join(name)
    }

    fn secret(&self) -> PathBuf {
        self.outside.join("secret")
    }

    fn assert_outside_untouched(&self) {
        let names = fs::read_dir(&self.outside).unwrap();
        assert_eq!(names.count(), 1);
        assert_eq!(fs::read(self.secret()).unwrap(), SECRET);
        assert_eq!(self.folder.read("inside", MAX_BYTES).unwrap(), INSIDE);
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, WorkspaceError>) -> &'static str {
    match result {
        Ok(value) => panic!("not refused: {value:?}"),
        Err(error) => error.code(),
    }
}

/// No name of a file: what it is, and the name.
fn names() -> Vec<(&'static str, String)> {
    let lines = [
        ("no name", ""),
        ("the folder itself", "."),
        ("the folder above", ".."),
        ("a way up", "../outside/secret"),
        ("a way down and up", "a/../../outside/secret"),
        ("a way up at the end", "inside/.."),
        ("a way with backslashes", "..\\outside\\secret"),
        ("a hidden name", ".profile"),
        ("three dots", "..."),
        ("an absolute way", "/etc/passwd"),
        ("a way below", "a/b"),
        ("a slash at the end", "inside/"),
        ("a drive", "C:\\secret"),
        ("a drive without a way", "C:secret"),
        ("a share", "\\\\server\\share"),
        ("a device way", "\\\\?\\C:\\secret"),
        ("a second stream", "inside::$DATA"),
        ("a zero byte", "inside\0.txt"),
        ("a new line", "in\nside"),
        ("an escape for terminals", "\u{1b}[2J"),
        ("a wild card", "in*de"),
        ("a question mark", "in?ide"),
        ("a short name", "PROGRA~1"),
        ("a home sign", "~"),
        ("a variable", "$HOME"),
        ("a dot at the end", "inside."),
        ("a space at the end", "inside "),
        ("a space in front", " inside"),
        ("the device CON", "CON"),
        ("the device nul with an ending", "nul.tar.gz"),
        ("the device Aux and a space", "Aux .txt"),
        ("the port com1", "com1"),
        ("the port LPT\u{b3}", "LPT\u{b3}"),
        ("the console's input", "CONIN$"),
        ("a wide slash", "a\u{ff0f}b"),
        ("a slash of fractions", "a\u{2044}b"),
        ("wide dots", "\u{ff0e}\u{ff0e}"),
        ("a leader of two dots", "\u{2025}"),
        ("a turn of direction", "a\u{202e}txt.exe"),
        ("a character without width", "in\u{200b}side"),
        ("a soft hyphen", "in\u{ad}side"),
        ("a mark of byte order", "\u{feff}inside"),
        ("a letter and its accent apart", "cafe\u{301}"),
        ("a sign that is another letter", "\u{212b}ngstrom"),
        ("a character of no text", "in\u{fffe}side"),
    ];
    let mut names: Vec<_> = lines.map(|(what, name)| (what, name.to_owned())).into();
    names.push(("a name that is too long", "a".repeat(MAX_NAME_BYTES + 1)));
    names.push((
        "a name of many bytes in few letters",
        "\u{6570}".repeat(MAX_NAME_BYTES / 3 + 1),
    ));
    names
}

/// Puts something at a path; the second is the secret outside.
type Put = fn(&Path, &Path);

/// What stands where a file should be, and the codes of reading and writing.
const IN_PLACE_OF_A_FILE: &[(&str, Put, &str, &str)] = &[
    (
        "a link to a file outside",
        |at, secret| symlink(secret, at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link by a way up",
        |at, _| symlink("../../outside/secret", at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to a file inside",
        |at, _| symlink("inside", at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to a folder outside",
        |at, secret| symlink(secret.parent().unwrap(), at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to nowhere",
        |at, _| symlink("nowhere", at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to a file to be made outside",
        |at, secret| symlink(secret.with_file_name("new"), at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to itself",
        |at, _| symlink(at.file_name().unwrap(), at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to the process itself",
        |at, _| symlink("/proc/self/environ", at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a link to a device",
        |at, _| symlink("/dev/zero", at).unwrap(),
        "link-refused",
        "link-refused",
    ),
    (
        "a pipe that nobody feeds",
        |at, _| mkfifo(at, Mode::S_IRWXU).unwrap(),
        "not-a-regular-file",
        "not-a-regular-file",
    ),
    (
        "a socket",
        |at, _| drop(UnixListener::bind(at).unwrap()),
        "not-a-regular-file",
        "not-a-regular-file",
    ),
    (
        "a folder",
        |at, _| fs::create_dir(at).unwrap(),
        "not-a-regular-file",
        "not-a-regular-file",
    ),
    (
        "a file larger than is read",
        |at, _| fs::write(at, vec![0; MAX_BYTES as usize + 1]).unwrap(),
        "file-too-large",
        "ok",
    ),
    (
        "a file of a million million bytes with nothing in it",
        |at, _| fs::File::create(at).unwrap().set_len(1 << 40).unwrap(),
        "file-too-large",
        "ok",
    ),
    // It is replaced, never written into.
    (
        "a second name of a file outside",
        |at, secret| fs::hard_link(secret, at).unwrap(),
        "file-shared",
        "ok",
    ),
];

/// What stands where the folder of a piece of work should be, and the code.
const IN_PLACE_OF_A_FOLDER: &[(&str, Put, &str)] = &[
    (
        "a link to a folder outside",
        |at, secret| symlink(secret.parent().unwrap(), at).unwrap(),
        "link-refused",
    ),
    (
        "a link to another piece of work",
        |at, _| symlink("work", at).unwrap(),
        "link-refused",
    ),
    (
        "a link to the folder above",
        |at, _| symlink("..", at).unwrap(),
        "link-refused",
    ),
    (
        "a link to the root",
        |at, _| symlink("/", at).unwrap(),
        "link-refused",
    ),
    (
        "a link to nowhere",
        |at, _| symlink("nowhere", at).unwrap(),
        "link-refused",
    ),
    (
        "a file",
        |at, _| fs::write(at, b"x").unwrap(),
        "not-a-folder",
    ),
    (
        "a pipe",
        |at, _| mkfifo(at, Mode::S_IRWXU).unwrap(),
        "not-a-folder",
    ),
];

/// What stands where the whole workspace should be, and the code.
const IN_PLACE_OF_THE_ROOT: &[(&str, Put, &str)] = &[
    (
        "a link to a folder",
        |at, secret| symlink(secret.parent().unwrap(), at).unwrap(),
        "folder-is-link",
    ),
    (
        "a link to nowhere",
        |at, _| symlink("nowhere", at).unwrap(),
        "folder-is-link",
    ),
    (
        "a file",
        |at, _| fs::write(at, b"x").unwrap(),
        "not-a-folder",
    ),
    (
        "a pipe",
        |at, _| mkfifo(at, Mode::S_IRWXU).unwrap(),
        "not-a-folder",
    ),
];

/// Two names that some file systems take for one.
const COLLIDING: &[(&str, &str)] = &[
    ("result", "RESULT"),
    ("gr\u{f6}\u{df}e", "GR\u{d6}SSE"),
    ("star", "\u{17f}tar"),
    ("office", "o\u{fb03}ce"),
    ("i", "I"),
];

/// What stands in a chosen folder and is left out of it.
const LEFT_OUT: &[(&str, Put)] = &[
    ("a link to a file outside", |at, secret| {
        symlink(secret, at).unwrap()
    }),
    ("a link to a folder outside", |at, secret| {
        symlink(secret.parent().unwrap(), at).unwrap()
    }),
    ("a link round to itself", |at, _| symlink(".", at).unwrap()),
    ("a second name of a file outside", |at, secret| {
        fs::hard_link(secret, at).unwrap()
    }),
    ("a pipe that nobody feeds", |at, _| {
        mkfifo(at, Mode::S_IRWXU).unwrap()
    }),
    ("a socket", |at, _| drop(UnixListener::bind(at).unwrap())),
    ("a file without text", |at, _| {
        fs::write(at, b"a\0b").unwrap()
    }),
    ("a file of a million million bytes", |at, _| {
        fs::File::create(at).unwrap().set_len(1 << 40).unwrap()
    }),
];

fn written(result: Result<(), WorkspaceError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(error) => error.code(),
    }
}

/// Swaps a file or folder with a link or pipe, again and again, while the check runs.
fn swapping(at: &Path, put: Put, secret: &Path, mut check: impl FnMut()) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let over = AtomicBool::new(false);
    let decoy = at.with_file_name("decoy");
    put(&decoy, secret);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                // At every moment one of them is there.
                renameat_with(CWD, at, CWD, &decoy, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let begin = Instant::now();
            while begin.elapsed() < RACE {
                check();
            }
        }));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Opening it has failed; whoever asks then what stands there may find the file again.
fn assert_blocked(error: &WorkspaceError, code: &str) {
    assert!([code, "file-unusable"].contains(&error.code()), "{error:?}");
}

fn races() -> Vec<Case> {
    vec![
        case(
            "a link swapped in while a file is read is never followed",
            || {
                let place = Place::new();
                place.folder.write("mine", INSIDE).unwrap();
                swapping(
                    &place.inside("mine"),
                    |at, secret| symlink(secret, at).unwrap(),
                    &place.secret(),
                    || match place.folder.read("mine", MAX_BYTES) {
                        Ok(bytes) => assert_eq!(bytes, INSIDE),
                        Err(error) => assert_blocked(&error, "link-refused"),
                    },
                );
                place.assert_outside_untouched();
            },
        ),
        case(
            "a pipe swapped in while a file is read is not waited for",
            || {
                let place = Place::new();
                place.folder.write("mine", INSIDE).unwrap();
                swapping(
                    &place.inside("mine"),
                    |at, _| mkfifo(at, Mode::S_IRWXU).unwrap(),
                    &place.secret(),
                    || match place.folder.read("mine", MAX_BYTES) {
                        Ok(bytes) => assert_eq!(bytes, INSIDE),
                        Err(error) => assert_blocked(&error, "not-a-regular-file"),
                    },
                );
                place.assert_outside_untouched();
            },
        ),
        case(
            "a folder swapped for a link while it is opened leads nowhere",
            || {
                let place = Place::new();
                place
                    .workspace
                    .scratch("other")
                    .unwrap()
                    .write("secret", INSIDE)
                    .unwrap();
                let at = place.root.join("other");
                swapping(
                    &at,
                    |at, secret| symlink(secret.parent().unwrap(), at).unwrap(),
                    &place.secret(),
                    || {
                        match place.workspace.scratch("other") {
                            Ok(folder) => {
                                assert_eq!(folder.read("secret", MAX_BYTES).unwrap(), INSIDE);
                            }
                            // A link by the time that its handle is asked what it is.
                            Err(error) => assert_blocked(&error, "link-refused"),
                        }
                    },
                );
                place.assert_outside_untouched();
            },
        ),
    ]
}

fn quotas() -> Vec<Case> {
    vec![
        case("a file a byte too large is file-too-large", || {
            let place = Place::new();
            let large = vec![0; MAX_BYTES as usize / 2 + 1];
            assert_eq!(code(place.folder.write("large", &large)), "file-too-large");
            place.assert_outside_untouched();
        }),
        case("files that are too large together give disk-limit", || {
            let place = Place::new();
            let half = vec![0; MAX_BYTES as usize / 2];
            place.folder.write("one", &half).unwrap();
            assert_eq!(code(place.folder.write("two", &half)), "disk-limit");
            assert_eq!(
                place.workspace.used_bytes().unwrap(),
                500 + INSIDE.len() as u64
            );
        }),
        case(
            "files in many folders are too large together all the same",
            || {
                let place = Place::new();
                let other = place.workspace.scratch("other").unwrap();
                other.write("one", &[0; 400]).unwrap();
                let third = place.workspace.scratch("third").unwrap();
                third.write("one", &[0; 400]).unwrap();
                assert_eq!(code(place.folder.write("two", &[0; 400])), "disk-limit");
            },
        ),
        case(
            "a file that is replaced again and again is counted once",
            || {
                let place = Place::new();
                for _ in 0..20 {
                    place.folder.write("one", &[0; 400]).unwrap();
                }
                assert_eq!(
                    place.workspace.used_bytes().unwrap(),
                    400 + INSIDE.len() as u64
                );
            },
        ),
        case(
            "a file put there by somebody else counts towards the limit",
            || {
                let place = Place::new();
                fs::File::create(place.inside("strange"))
                    .unwrap()
                    .set_len(1 << 40)
                    .unwrap();
                assert_eq!(code(place.folder.write("more", b"x")), "disk-limit");
            },
        ),
        case("a file too many is too-many-files", || {
            let place = Place::new();
            for number in 1..MAX_FILES {
                fs::write(place.inside(&format!("f{number}")), b"").unwrap();
            }
            assert_eq!(code(place.folder.write("more", b"x")), "too-many-files");
        }),
        case("a folder too many is too-many-files", || {
            let place = Place::new();
            for number in 1..MAX_FOLDERS {
                fs::create_dir(place.root.join(format!("f{number}"))).unwrap();
            }
            assert_eq!(code(place.workspace.scratch("more")), "too-many-files");
        }),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, name) in names() {
        cases.push(case(format!("{what} is name-not-allowed"), move || {
            let place = Place::new();
            let refused = [
                code(place.folder.read(&name, MAX_BYTES)),
                code(place.folder.write(&name, b"x")),
                code(place.folder.remove(&name)),
                code(place.workspace.scratch(&name)),
                code(place.workspace.discard(&name)),
            ];
            assert_eq!(refused, ["name-not-allowed"; 5]);
            assert_eq!(place.folder.list().unwrap().len(), 1);
            place.assert_outside_untouched();
        }));
    }
    for (what, put, read, write) in IN_PLACE_OF_A_FILE {
        cases.push(case(
            format!("{what} in the place of a file is {read}"),
            move || {
                let place = Place::new();
                put(&place.inside("strange"), &place.secret());
                let begin = Instant::now();
                assert_eq!(code(place.folder.read("strange", MAX_BYTES)), *read);
                assert_eq!(written(place.folder.write("strange", b"x")), *write);
                assert!(
                    begin.elapsed() < Duration::from_secs(20),
                    "it was waited for"
                );
                place.assert_outside_untouched();
                // A link or a second name goes, and not where it leads.
                let _ = place.folder.remove("strange");
                place.assert_outside_untouched();
            },
        ));
    }
    for (what, put, expected) in IN_PLACE_OF_A_FOLDER {
        cases.push(case(
            format!("{what} in the place of a work folder is {expected}"),
            move || {
                let place = Place::new();
                put(&place.root.join("strange"), &place.secret());
                assert_eq!(code(place.workspace.scratch("strange")), *expected);
                assert_ne!(written(place.workspace.discard("strange")), "ok");
                place.assert_outside_untouched();
            },
        ));
    }
    for (what, put, expected) in IN_PLACE_OF_THE_ROOT {
        cases.push(case(
            format!("{what} in the place of the workspace is {expected}"),
            move || {
                let place = Place::new();
                let at = place.root.with_file_name("strange");
                put(&at, &place.secret());
                assert_eq!(code(Workspace::open(&at)), *expected);
                place.assert_outside_untouched();
            },
        ));
    }
    for (one, other) in COLLIDING {
        cases.push(case(
            format!("{other:?} beside {one:?} is name-collides"),
            move || {
                let place = Place::new();
                place.folder.write(one, INSIDE).unwrap();
                assert_eq!(code(place.folder.write(other, b"x")), "name-collides");
                place.workspace.scratch(one).unwrap();
                assert_eq!(code(place.workspace.scratch(other)), "name-collides");
                assert_eq!(place.folder.read(one, MAX_BYTES).unwrap(), INSIDE);
            },
        ));
    }
    for (what, put) in LEFT_OUT {
        cases.push(case(
            format!("{what} is left out of a chosen folder"),
            move || {
                let place = Place::new();
                let chosen = place.root.with_file_name("chosen");
                fs::create_dir(&chosen).unwrap();
                fs::write(chosen.join("text"), INSIDE).unwrap();
                put(&chosen.join("strange"), &place.secret());
                let folder = ReadOnlyFolder::open(&chosen).unwrap();
                let mut files = folder.text_files(FolderLimits::default()).unwrap();
                let found: Vec<String> = files.by_ref().map(|file| file.path).collect();
                assert_eq!(found, ["text"]);
                assert_eq!(files.left_out(), 1);
            },
        ));
    }
    cases.extend(races());
    cases.extend(quotas());
    cases
}
