//! File access on behalf of work stays inside the workspace, tried with real files.
#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use omni_node::workspace::{
    Entry, FolderLimits, MAX_FILES, MAX_FOLDERS, MAX_NAME_BYTES, ReadOnlyFolder, WorkFolder,
    Workspace, WorkspaceError, WorkspaceLimits,
};
use rustix::fs::{CWD, RenameFlags, renameat_with};

const SECRET: &[u8] = b"the volunteer's own";
const INSIDE: &[u8] = b"of the work";
const MAX_BYTES: u64 = 1 << 16;

/// A workspace beside a folder with a secret.
struct Place {
    _temporary: tempfile::TempDir,
    outside: PathBuf,
    root: PathBuf,
    workspace: Workspace,
    folder: WorkFolder,
}

impl Place {
    fn new() -> Self {
        Self::with(WorkspaceLimits::default())
    }

    fn with(limits: WorkspaceLimits) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let outside = temporary.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), SECRET).unwrap();
        let root = temporary.path().join("workspace");
        let workspace = Workspace::open_with(&root, limits).unwrap();
        let folder = workspace.scratch("one").unwrap();
        Self {
            _temporary: temporary,
            outside,
            root,
            workspace,
            folder,
        }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.root.join("one").join(name)
    }

    fn secret(&self) -> PathBuf {
        self.outside.join("secret")
    }

    #[track_caller]
    fn assert_outside_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.outside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(fs::read(self.secret()).unwrap(), SECRET);
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, WorkspaceError>) -> &'static str {
    match result {
        Ok(value) => panic!("not refused: {value:?}"),
        Err(error) => error.code(),
    }
}

/// Fails instead of hanging.
#[track_caller]
fn promptly<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let _ = sender.send(action());
    });
    receiver
        .recv_timeout(Duration::from_secs(90))
        .expect("the access hangs")
}

fn mkfifo(path: &Path) {
    let status = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn what_is_written_is_read_listed_counted_and_removed() {
    let place = Place::new();
    let folder = &place.folder;
    folder.write("b.txt", b"first").unwrap();
    folder.write("a.txt", INSIDE).unwrap();
    folder.write("b.txt", b"second").unwrap();
    assert_eq!(folder.read("b.txt", 6).unwrap(), b"second");
    assert_eq!(
        folder.list().unwrap(),
        [("a.txt", 11), ("b.txt", 6)].map(|(name, bytes)| Entry {
            name: name.to_owned(),
            bytes
        })
    );
    assert_eq!(place.workspace.used_bytes().unwrap(), 17);
    folder.remove("b.txt").unwrap();
    folder.remove("b.txt").unwrap();
    assert_eq!(code(folder.read("b.txt", 10)), "file-not-found");
    assert_eq!(place.workspace.used_bytes().unwrap(), 11);

    place.workspace.discard("one").unwrap();
    place.workspace.discard("one").unwrap();
    assert_eq!(place.workspace.used_bytes().unwrap(), 0);
    assert!(!place.root.join("one").exists());
    place.assert_outside_untouched();
}

#[test]
fn root_folders_and_files_are_for_this_user_alone() {
    let place = Place::new();
    place.folder.write("a", INSIDE).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.root), 0o700);
    assert_eq!(mode(&place.root.join("one")), 0o700);
    assert_eq!(mode(&place.inside("a")), 0o600);

    // An open one is closed to others at the next start.
    fs::set_permissions(&place.root, fs::Permissions::from_mode(0o777)).unwrap();
    Workspace::open(&place.root).unwrap();
    assert_eq!(mode(&place.root), 0o700);
}

#[test]
fn a_root_that_is_a_link_a_file_or_nothing_is_refused() {
    let place = Place::new();
    let link = place.root.with_file_name("link");
    symlink(&place.outside, &link).unwrap();
    assert_eq!(code(Workspace::open(&link)), "folder-is-link");
    assert_eq!(code(Workspace::open(&place.secret())), "not-a-folder");
    assert_eq!(code(Workspace::open(Path::new("/"))), "not-a-folder");
    assert_eq!(code(Workspace::open(Path::new(".."))), "not-a-folder");
    assert_eq!(
        code(Workspace::open(
            &place.root.with_file_name("no").join("root")
        )),
        "file-not-found"
    );
    place.assert_outside_untouched();
}

#[test]
fn a_root_of_someone_else_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let foreign = if rustix::process::geteuid().is_root() {
        let foreign = place.root.with_file_name("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&foreign, Some(12_345), None).unwrap();
        foreign
    } else {
        PathBuf::from("/usr")
    };
    let before = fs::metadata(&foreign).unwrap();
    assert_eq!(code(Workspace::open(&foreign)), "folder-foreign");
    let after = fs::metadata(&foreign).unwrap();
    assert_eq!((before.mode(), before.uid()), (after.mode(), after.uid()));
}

#[test]
fn names_that_are_no_plain_name_are_refused_everywhere() {
    let place = Place::new();
    let absolute = place.secret();
    let long = "n".repeat(MAX_NAME_BYTES + 1);
    for name in [
        "..",
        ".",
        "",
        "../../outside/secret",
        "../one",
        absolute.to_str().unwrap(),
        "a/b",
        "a\\b",
        "C:\\a",
        "a:b",
        "a\0",
        "CON",
        "nul.txt",
        "COM1.txt",
        "a.",
        "a ",
        ".part-1",
        "\u{ff0e}\u{ff0e}",
        "cafe\u{301}",
        long.as_str(),
    ] {
        for refused in [
            code(place.folder.read(name, MAX_BYTES)),
            code(place.folder.write(name, b"x")),
            code(place.folder.remove(name)),
            code(place.workspace.scratch(name)),
            code(place.workspace.discard(name)),
        ] {
            assert_eq!(refused, "name-not-allowed", "{name:?}");
        }
    }
    let longest = "n".repeat(MAX_NAME_BYTES);
    place.folder.write(&longest, INSIDE).unwrap();
    assert_eq!(place.folder.read(&longest, MAX_BYTES).unwrap(), INSIDE);
    place.assert_outside_untouched();
}

#[test]
fn a_name_that_only_differs_in_case_is_refused() {
    let place = Place::new();
    place.folder.write("Größe.txt", b"1").unwrap();
    assert_eq!(code(place.folder.write("größe.TXT", b"2")), "name-collides");
    assert_eq!(
        code(place.folder.write("GRÖSSE.txt", b"2")),
        "name-collides"
    );
    place.folder.write("Größe.txt", b"3").unwrap();
    assert_eq!(code(place.workspace.scratch("ONE")), "name-collides");
    place.workspace.scratch("one").unwrap();
}

#[test]
fn a_link_at_the_end_is_never_followed() {
    let place = Place::new();
    place.folder.write("inside", INSIDE).unwrap();
    for target in [
        place.secret(),
        PathBuf::from("../../outside/secret"),
        // Not even one that stays inside, and not one that leads nowhere.
        PathBuf::from("inside"),
        PathBuf::from("nowhere"),
    ] {
        let link = place.inside("link");
        symlink(&target, &link).unwrap();
        assert_eq!(code(place.folder.read("link", MAX_BYTES)), "link-refused");
        assert_eq!(code(place.folder.write("link", b"x")), "link-refused");
        let listed = place.folder.list().unwrap();
        assert!(listed.iter().all(|entry| entry.name != "link"));
        place.folder.remove("link").unwrap();
        assert!(fs::symlink_metadata(&link).is_err(), "the link itself goes");
        assert!(!place.inside("nowhere").exists());
        assert_eq!(place.folder.read("inside", MAX_BYTES).unwrap(), INSIDE);
    }
    place.assert_outside_untouched();
}

#[test]
fn a_link_in_the_middle_is_never_followed() {
    let place = Place::new();
    symlink(&place.outside, place.root.join("two")).unwrap();
    assert_eq!(code(place.workspace.scratch("two")), "link-refused");
    assert_eq!(code(place.workspace.discard("two")), "link-refused");
    // Also one that leads to another folder of the work.
    symlink("one", place.root.join("three")).unwrap();
    assert_eq!(code(place.workspace.scratch("three")), "link-refused");
    fs::write(place.root.join("four"), b"").unwrap();
    assert_eq!(code(place.workspace.scratch("four")), "not-a-folder");
    place.assert_outside_untouched();
}

/// While the check runs, another program puts a link in the place of a file or folder and back
/// again, each time in one step.
fn swapping<R>(name: &Path, target: &Path, check: impl FnOnce() -> R) -> R {
    struct Stop(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            if let Some(thread) = self.1.take() {
                let _ = thread.join();
            }
        }
    }
    fn is_link(path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
    }
    let beside = tempfile::tempdir().unwrap();
    let (name, target) = (name.to_owned(), target.to_owned());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        let link = beside.path().join("link");
        while !stopped.load(Ordering::Relaxed) {
            // A write has replaced the link.
            if !is_link(&name) && !is_link(&link) {
                let _ = fs::remove_file(&link);
                symlink(&target, &link).unwrap();
            }
            let _ = renameat_with(CWD, &link, CWD, &name, RenameFlags::EXCHANGE);
        }
        if is_link(&name) {
            let _ = renameat_with(CWD, &link, CWD, &name, RenameFlags::EXCHANGE);
        }
    });
    let _stop = Stop(stop, Some(thread));
    check()
}

/// Repeats until both outcomes were seen often, or for some seconds; both must be seen.
fn race(mut once: impl FnMut() -> bool) {
    let start = Instant::now();
    let (mut yes, mut no) = (0, 0);
    loop {
        let seconds = start.elapsed().as_secs();
        let enough = yes >= 20_000 && no >= 20_000;
        let both = yes > 0 && no > 0;
        if enough || (both && seconds >= 3) || seconds >= 60 {
            assert!(both, "no race: {yes} against {no}");
            return;
        }
        if once() {
            yes += 1;
        } else {
            no += 1;
        }
    }
}

#[test]
fn a_link_swapped_in_between_check_and_use_leads_nowhere() {
    let place = Place::new();
    place.folder.write("other", SECRET).unwrap();
    for target in [place.secret(), PathBuf::from("other")] {
        place.folder.write("name", INSIDE).unwrap();
        swapping(&place.inside("name"), &target, || {
            race(|| match place.folder.read("name", MAX_BYTES) {
                Ok(bytes) => {
                    assert_ne!(bytes, SECRET, "the link was followed");
                    true
                }
                Err(error) => {
                    let refused = error.code();
                    assert!(
                        ["link-refused", "file-unusable"].contains(&refused),
                        "{refused}"
                    );
                    false
                }
            });
            let mut round = 0;
            race(|| {
                round += 1;
                if round % 64 == 0 {
                    place.assert_outside_untouched();
                    assert_eq!(fs::read(place.inside("other")).unwrap(), SECRET);
                }
                place.folder.write("name", INSIDE).is_ok()
            });
        });
        place.assert_outside_untouched();
        assert_eq!(fs::read(place.inside("other")).unwrap(), SECRET);
        place.folder.remove("name").unwrap();
    }
}

#[test]
fn a_folder_swapped_for_a_link_leads_nowhere() {
    let place = Place::new();
    place.folder.write("secret", INSIDE).unwrap();
    swapping(&place.root.join("one"), &place.outside, || {
        race(|| match place.workspace.scratch("one") {
            Ok(work) => {
                if let Ok(bytes) = work.read("secret", MAX_BYTES) {
                    assert_eq!(bytes, INSIDE, "the link was followed");
                }
                let _ = work.write("new", b"x");
                assert!(!place.outside.join("new").exists());
                true
            }
            Err(_) => false,
        });
        // The folder that was opened before stays the same one.
        assert_eq!(place.folder.read("secret", MAX_BYTES).unwrap(), INSIDE);
    });
    place.assert_outside_untouched();
}

#[test]
fn a_root_replaced_after_it_was_opened_changes_nothing() {
    let place = Place::new();
    place.folder.write("a", INSIDE).unwrap();
    let moved = place.root.with_file_name("moved");
    fs::rename(&place.root, &moved).unwrap();
    fs::create_dir(place.outside.join("one")).unwrap();
    fs::write(place.outside.join("one").join("a"), SECRET).unwrap();
    symlink(&place.outside, &place.root).unwrap();

    let again = place.workspace.scratch("one").unwrap();
    assert_eq!(again.read("a", MAX_BYTES).unwrap(), INSIDE);
    again.write("b", INSIDE).unwrap();
    place.workspace.scratch("two").unwrap();
    assert!(moved.join("one/b").exists() && moved.join("two").exists());
    assert!(!place.outside.join("one/b").exists() && !place.outside.join("two").exists());
    place.workspace.discard("one").unwrap();
    assert_eq!(fs::read(place.outside.join("one/a")).unwrap(), SECRET);
    assert_eq!(code(Workspace::open(&place.root)), "folder-is-link");
}

#[test]
fn a_file_with_a_second_name_is_neither_read_nor_written_into() {
    let place = Place::new();
    fs::hard_link(place.secret(), place.inside("shared")).unwrap();
    assert_eq!(code(place.folder.read("shared", MAX_BYTES)), "file-shared");
    // Writing puts a new file under the name and leaves the other one alone.
    place.folder.write("shared", INSIDE).unwrap();
    assert_eq!(place.folder.read("shared", MAX_BYTES).unwrap(), INSIDE);
    place.assert_outside_untouched();
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let place = Place::new();
    mkfifo(&place.inside("pipe"));
    let _socket = UnixListener::bind(place.inside("socket")).unwrap();
    fs::create_dir(place.inside("folder")).unwrap();
    let folder = Arc::new(place.workspace.scratch("one").unwrap());
    for name in ["pipe", "socket", "folder"] {
        let folder = Arc::clone(&folder);
        let (read, write) =
            promptly(move || (folder.read(name, MAX_BYTES), folder.write(name, b"x")));
        assert_eq!(code(read), "not-a-regular-file", "{name}");
        assert_eq!(code(write), "not-a-regular-file", "{name}");
    }
    assert_eq!(folder.list().unwrap(), []);
    assert_eq!(code(folder.remove("folder")), "not-a-regular-file");
    folder.remove("pipe").unwrap();
}

#[test]
fn a_pipe_swapped_in_between_check_and_use_is_refused_without_waiting() {
    let place = Place::new();
    place.folder.write("name", INSIDE).unwrap();
    // Both stay in the folder: an open that sees a name leave it fails for that reason alone.
    let pipe = place.inside("pipe");
    mkfifo(&pipe);
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, name) = (Arc::clone(&stop), place.inside("name"));
    let swapper = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            renameat_with(CWD, &pipe, CWD, &name, RenameFlags::EXCHANGE).unwrap();
        }
    });
    let folder = place.workspace.scratch("one").unwrap();
    promptly(move || {
        race(|| match folder.read("name", MAX_BYTES) {
            Ok(bytes) => {
                assert_eq!(bytes, INSIDE, "the pipe was read");
                true
            }
            Err(error) => {
                assert_eq!(error.code(), "not-a-regular-file", "{error:?}");
                false
            }
        });
    });
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
}

#[test]
fn files_and_the_whole_workspace_are_bounded_in_bytes() {
    let place = Place::with(WorkspaceLimits {
        max_bytes: 100,
        max_file_bytes: 60,
    });
    let other = place.workspace.scratch("two").unwrap();
    assert_eq!(
        place.folder.write("a", &[0; 61]),
        Err(WorkspaceError::FileTooLarge { limit_bytes: 60 })
    );
    place.folder.write("a", &[0; 60]).unwrap();
    // The limit is of all folders together, and no file is left behind by a refusal.
    assert_eq!(
        other.write("b", &[0; 41]),
        Err(WorkspaceError::DiskLimit { limit_bytes: 100 })
    );
    assert_eq!(fs::read_dir(place.root.join("two")).unwrap().count(), 0);
    other.write("b", &[0; 40]).unwrap();
    assert_eq!(place.workspace.used_bytes().unwrap(), 100);
    // What a file had before does not count twice.
    place.folder.write("a", &[1; 60]).unwrap();
    assert_eq!(code(place.folder.write("c", &[1])), "disk-limit");
    place.folder.remove("a").unwrap();
    place.folder.write("c", &[1; 60]).unwrap();
    // A program that grows a file by other means does not lift the limit.
    fs::write(place.root.join("two").join("b"), [0; 1000]).unwrap();
    place.folder.remove("c").unwrap();
    assert_eq!(code(place.folder.write("c", &[1])), "disk-limit");

    assert_eq!(
        other.read("b", 999),
        Err(WorkspaceError::FileTooLarge { limit_bytes: 999 })
    );
    assert_eq!(other.read("b", 1000).unwrap().len(), 1000);

    place.workspace.set_limits(WorkspaceLimits::default());
    place.folder.write("c", &[1; 61]).unwrap();
}

#[test]
fn two_writers_do_not_pass_the_limit_together() {
    let place = Place::with(WorkspaceLimits {
        max_bytes: 100,
        max_file_bytes: 60,
    });
    for round in 0..50 {
        let together = Barrier::new(4);
        let written: usize = thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let folder = place.workspace.scratch(&format!("w{writer}")).unwrap();
                    let together = &together;
                    scope.spawn(move || {
                        together.wait();
                        usize::from(folder.write("a", &[0; 60]).is_ok())
                    })
                })
                .collect();
            writers
                .into_iter()
                .map(|writer| writer.join().unwrap())
                .sum()
        });
        assert_eq!(written, 1, "round {round}");
        for writer in 0..4 {
            place.workspace.discard(&format!("w{writer}")).unwrap();
        }
    }
}

#[test]
fn files_and_folders_are_bounded_in_number() {
    let place = Place::new();
    for number in 0..MAX_FILES {
        fs::write(place.inside(&format!("{number}")), b"").unwrap();
    }
    assert_eq!(code(place.folder.write("more", b"")), "too-many-files");
    place.folder.write("0", b"replaced").unwrap();
    assert_eq!(place.folder.list().unwrap().len(), MAX_FILES);
    fs::write(place.inside("more"), b"").unwrap();
    assert_eq!(code(place.folder.list()), "too-many-files");

    for number in 1..MAX_FOLDERS {
        place.workspace.scratch(&format!("f{number}")).unwrap();
    }
    assert_eq!(code(place.workspace.scratch("more")), "too-many-files");
    place.workspace.scratch("f1").unwrap();
}

#[test]
fn a_file_half_written_when_the_program_ended_is_removed_at_the_next_start() {
    let place = Place::new();
    place.folder.write("a", INSIDE).unwrap();
    fs::write(place.inside(".part-0123456789abcdef"), b"half").unwrap();
    let again = Workspace::open(&place.root).unwrap();
    assert!(!place.inside(".part-0123456789abcdef").exists());
    assert_eq!(again.used_bytes().unwrap(), INSIDE.len() as u64);
}

#[test]
fn discarding_removes_links_and_leaves_alone_where_they_lead() {
    let place = Place::new();
    symlink(&place.outside, place.inside("link")).unwrap();
    fs::create_dir(place.inside("folder")).unwrap();
    symlink(&place.outside, place.inside("folder").join("link")).unwrap();
    fs::hard_link(place.secret(), place.inside("shared")).unwrap();
    place.workspace.discard("one").unwrap();
    assert!(!place.root.join("one").exists());
    place.assert_outside_untouched();
}

// A folder that the volunteer chose.

fn tree() -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let chosen = temporary.path().join("chosen");
    fs::create_dir_all(chosen.join("b/c/d")).unwrap();
    fs::create_dir_all(chosen.join(".git")).unwrap();
    for (path, text) in [
        ("a.txt", "one"),
        ("b/x.md", "two"),
        ("b/c/y.md", "three"),
        ("b/c/d/z.md", "four"),
        ("zz.txt", "fünf"),
        (".hidden", "never"),
        (".git/config", "never"),
        ("../secret", "never"),
    ] {
        fs::write(chosen.join(path), text).unwrap();
    }
    temporary
}

fn paths(chosen: &Path, limits: FolderLimits) -> (Vec<String>, u64, bool) {
    let folder = ReadOnlyFolder::open(chosen).unwrap();
    let mut files = folder.text_files(limits).unwrap();
    let mut paths = Vec::new();
    for file in &mut files {
        assert_ne!(file.text, "never", "{}", file.path);
        paths.push(file.path);
    }
    (paths, files.left_out(), files.cut_short())
}

#[test]
fn only_visible_regular_text_files_of_a_chosen_folder_are_read() {
    let temporary = tree();
    let chosen = temporary.path().join("chosen");
    fs::write(chosen.join("binary"), [0xff, 0xfe]).unwrap();
    fs::write(chosen.join("zeros"), "a\0b").unwrap();
    symlink(temporary.path().join("secret"), chosen.join("link")).unwrap();
    symlink("..", chosen.join("up")).unwrap();
    symlink("b", chosen.join("loop")).unwrap();
    fs::hard_link(temporary.path().join("secret"), chosen.join("shared")).unwrap();
    mkfifo(&chosen.join("pipe"));
    let _socket = UnixListener::bind(chosen.join("socket")).unwrap();

    let (found, left_out, cut_short) = promptly(move || paths(&chosen, FolderLimits::default()));
    assert_eq!(
        found,
        ["a.txt", "b/c/d/z.md", "b/c/y.md", "b/x.md", "zz.txt"]
    );
    assert_eq!(left_out, 8);
    assert!(!cut_short);
}

#[test]
fn a_chosen_folder_is_read_within_limits() {
    let temporary = tree();
    let chosen = temporary.path().join("chosen");
    let all = FolderLimits::default();
    for (limits, expected, short) in [
        (
            FolderLimits {
                max_depth: 0,
                ..all
            },
            vec!["a.txt", "zz.txt"],
            true,
        ),
        (
            FolderLimits {
                max_depth: 2,
                ..all
            },
            vec!["a.txt", "b/c/y.md", "b/x.md", "zz.txt"],
            true,
        ),
        (
            FolderLimits {
                max_files: 2,
                ..all
            },
            vec!["a.txt", "b/c/d/z.md"],
            true,
        ),
        (
            FolderLimits {
                max_file_bytes: 4,
                ..all
            },
            vec!["a.txt", "b/c/d/z.md", "b/x.md"],
            false,
        ),
        (
            FolderLimits {
                max_total_bytes: 7,
                ..all
            },
            vec!["a.txt", "b/c/d/z.md"],
            true,
        ),
        (
            FolderLimits {
                max_entries: 0,
                ..all
            },
            vec![],
            true,
        ),
    ] {
        let (found, _, cut_short) = paths(&chosen, limits);
        assert_eq!(
            (found, cut_short),
            (expected.into_iter().map(str::to_owned).collect(), short),
            "{limits:?}"
        );
    }
}

#[test]
fn a_chosen_folder_that_is_none_is_refused() {
    let temporary = tree();
    let link = temporary.path().join("link");
    symlink(temporary.path().join("chosen"), &link).unwrap();
    assert_eq!(code(ReadOnlyFolder::open(&link)), "folder-is-link");
    let file = temporary.path().join("secret");
    assert_eq!(code(ReadOnlyFolder::open(&file)), "not-a-folder");
    let none = temporary.path().join("none");
    assert_eq!(code(ReadOnlyFolder::open(&none)), "file-not-found");
}

#[test]
fn a_chosen_folder_does_not_lead_into_another_file_system() {
    // Where most systems have one file system below another that anybody may write into.
    let (above, below) = (Path::new("/dev"), Path::new("/dev/shm"));
    let device = |path| fs::metadata(path).map(|found| found.dev());
    if !matches!((device(above), device(below)), (Ok(above), Ok(below)) if above != below) {
        eprintln!("not tried: no other file system below /dev");
        return;
    }
    let Ok(file) = tempfile::Builder::new().prefix("seen").tempfile_in(below) else {
        eprintln!("not tried: /dev/shm is not for writing");
        return;
    };
    fs::write(file.path(), "never").unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    let limits = FolderLimits {
        max_depth: 1,
        max_file_bytes: 16,
        ..FolderLimits::default()
    };
    let read = |folder| {
        let folder = ReadOnlyFolder::open(folder).unwrap();
        let files = folder.text_files(limits).unwrap();
        files.map(|file| file.path).collect::<Vec<_>>()
    };
    assert!(read(below).iter().any(|path| path == name));
    assert!(read(above).iter().all(|path| !path.ends_with(name)));
}

#[test]
fn folders_swapped_for_links_while_a_chosen_folder_is_read_lead_nowhere() {
    let temporary = tree();
    let outside = temporary.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x.md"), "never").unwrap();
    let chosen = temporary.path().join("chosen");
    swapping(&chosen.join("b"), &outside, || {
        race(|| {
            let (found, _, _) = paths(&chosen, FolderLimits::default());
            found.iter().any(|path| path == "b/x.md")
        });
    });
}
