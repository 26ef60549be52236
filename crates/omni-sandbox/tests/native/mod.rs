//! Native code behind the walls: this program puts them up as a child does, and then tries one thing
//! that no skill may do. Nothing here needs a hole in the engine: it is what could happen after one.

use std::{
    fs, io,
    io::Write,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, symlink},
            net::{SocketAddr, UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use libtest_mimic::Trial;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use omni_sandbox::{Wall, WallSet, raise_walls};

use crate::{LIMITS, process_state, trial, wait_until_gone};

pub const PROBE_ARG: &str = "__native-probe";
pub const PROBE_PARENT_ARG: &str = "__native-probe-parent";

/// What the probe exits with when the system said no.
const DENIED: u8 = 10;
/// Longer than the first wall's address space.
const FAR_TOO_MUCH: usize = 64 << 30;

/// What the attempts are aimed at; every path and number is of this one test.
#[derive(Clone)]
struct Target {
    folder: PathBuf,
    /// A process that only waits.
    victim: Pid,
    /// A port that somebody listens at.
    port: u16,
    /// A descriptor that was left open.
    inherited: i32,
}

impl Target {
    /// A file that is there.
    fn file(&self) -> PathBuf {
        self.folder.join("file")
    }

    /// A file that is not there.
    fn new_file(&self) -> PathBuf {
        self.folder.join("new")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn abstract_socket(&self) -> SocketAddr {
        let name = self.folder.as_os_str().as_encoded_bytes();
        SocketAddr::from_abstract_name(name).unwrap()
    }

    fn to_args(&self) -> Vec<String> {
        let folder = self.folder.to_str().unwrap().to_owned();
        let numbers = [self.victim.as_raw(), self.port.into(), self.inherited];
        [folder]
            .into_iter()
            .chain(numbers.map(|number| number.to_string()))
            .collect()
    }

    fn from_args(args: &[String]) -> Self {
        Self {
            folder: (&args[0]).into(),
            victim: Pid::from_raw(args[1].parse().unwrap()),
            port: args[2].parse().unwrap(),
            inherited: args[3].parse().unwrap(),
        }
    }
}

type Attempt = fn(&Target) -> io::Result<()>;

/// Everything that is tried. Each returns `Ok` only when it got what it wanted.
const ATTEMPTS: &[(&str, Attempt)] = &[
    // Files.
    ("read-file", |t| fs::read(t.file()).map(drop)),
    ("list-root", |_| fs::read_dir("/").map(drop)),
    ("list-folder", |t| fs::read_dir(&t.folder).map(drop)),
    ("write-new-file", |t| fs::write(t.new_file(), b"x")),
    ("append-to-file", |t| {
        let mut file = fs::OpenOptions::new().append(true).open(t.file())?;
        file.write_all(b"x")
    }),
    ("truncate-file", |t| {
        done(nix::unistd::truncate(&t.file(), 0))
    }),
    ("remove-file", |t| fs::remove_file(t.file())),
    ("rename-file", |t| fs::rename(t.file(), t.new_file())),
    ("copy-by-link", |t| fs::hard_link(t.file(), t.new_file())),
    ("symbolic-link", |t| symlink(t.file(), t.new_file())),
    ("make-folder", |t| fs::create_dir(t.new_file())),
    ("make-pipe-file", |t| {
        done(nix::unistd::mkfifo(
            &t.new_file(),
            nix::sys::stat::Mode::S_IRUSR,
        ))
    }),
    ("change-mode", |t| {
        fs::set_permissions(t.file(), fs::Permissions::from_mode(0o777))
    }),
    ("own-memory-file", |_| {
        let mut options = fs::OpenOptions::new();
        options
            .read(true)
            .write(true)
            .open("/proc/self/mem")
            .map(drop)
    }),
    ("environment-of-other", |t| {
        fs::read(format!("/proc/{}/environ", t.victim)).map(drop)
    }),
    ("change-folder", |_| std::env::set_current_dir("/tmp")),
    ("inherited-file", |t| {
        // A number that is open has a file behind it.
        fs::metadata(format!("/proc/self/fd/{}", t.inherited)).map(drop)
    }),
    // Network and other programs' doors.
    ("tcp-connect", |t| {
        TcpStream::connect(("127.0.0.1", t.port)).map(drop)
    }),
    ("tcp-listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("udp-socket", |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("unix-connect", |t| {
        UnixStream::connect(t.socket()).map(drop)
    }),
    ("unix-listen", |t| {
        UnixListener::bind(t.new_file()).map(drop)
    }),
    ("abstract-connect", |t| {
        UnixStream::connect_addr(&t.abstract_socket()).map(drop)
    }),
    ("raw-socket", |_| {
        use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
        let (family, protocol) = (AddressFamily::Inet, SockProtocol::Raw);
        done(socket(family, SockType::Raw, SockFlag::empty(), protocol))
    }),
    ("netlink-socket", |_| {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        let family = AddressFamily::Netlink;
        done(socket(family, SockType::Raw, SockFlag::empty(), None))
    }),
    ("message-queue", |t| {
        use nix::mqueue::{MQ_OFlag, mq_open};
        let name = format!("/omni-sandbox-{}", t.victim);
        let mode = nix::sys::stat::Mode::S_IRUSR;
        let queue = mq_open(&*name, MQ_OFlag::O_CREAT | MQ_OFlag::O_RDONLY, mode, None);
        let _ = nix::mqueue::mq_unlink(&*name);
        done(queue)
    }),
    // Processes.
    ("replace-program", |_| Err(Command::new("/bin/true").exec())),
    ("start-program", |_| {
        let mut child = Command::new("/bin/true").spawn()?;
        child.wait().map(drop)
    }),
    ("start-thread", |_| {
        let thread = std::thread::Builder::new().spawn(|| ())?;
        thread.join().map_err(|_| io::Error::other("panicked"))
    }),
    ("trace-other", |t| done(nix::sys::ptrace::attach(t.victim))),
    ("read-memory-of-other", |t| {
        use nix::sys::uio::{RemoteIoVec, process_vm_readv};
        // Where most programs have some; a bad address would be another error than "not permitted".
        let remote = RemoteIoVec {
            base: 0x1000,
            len: 1,
        };
        let mut byte = [0];
        let mut local = [io::IoSliceMut::new(&mut byte)];
        match process_vm_readv(t.victim, &mut local, &[remote]) {
            Err(Errno::EFAULT) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }),
    ("handle-of-other", |t| {
        use rustix::process::{PidfdFlags, pidfd_open};
        let pid = rustix::process::Pid::from_raw(t.victim.as_raw()).unwrap();
        done(pidfd_open(pid, PidfdFlags::empty()))
    }),
    ("limits-of-other", |t| {
        use rustix::process::{Resource, Rlimit, prlimit};
        let pid = rustix::process::Pid::from_raw(t.victim.as_raw());
        let none = Rlimit {
            current: Some(0),
            maximum: None,
        };
        done(prlimit(pid, Resource::Core, none))
    }),
    ("end-other", |t| done(kill(t.victim, Signal::SIGTERM))),
    ("kill-other", |t| done(kill(t.victim, Signal::SIGKILL))),
    ("look-for-parent", |_| {
        done(kill(nix::unistd::getppid(), None))
    }),
    ("signal-everybody", |_| done(kill(Pid::from_raw(-1), None))),
    ("new-session", |_| done(nix::unistd::setsid())),
    // Namespaces and the file tree.
    ("mount", |t| {
        let (kind, none) = (Some("tmpfs"), None::<&str>);
        let flags = nix::mount::MsFlags::empty();
        done(nix::mount::mount(kind, &t.folder, kind, flags, none))
    }),
    ("change-root", |t| done(nix::unistd::chroot(&t.folder))),
    ("pivot-root", |t| {
        done(nix::unistd::pivot_root(&t.folder, &t.folder))
    }),
    ("own-network-space", |_| {
        done(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET))
    }),
    ("own-user-space", |_| {
        done(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER))
    }),
    ("enter-space", |_| {
        let nothing = nix::sched::CloneFlags::empty();
        done(nix::sched::setns(io::stdin().as_fd(), nothing))
    }),
    ("host-name", |_| {
        let same = nix::unistd::gethostname()?;
        done(nix::unistd::sethostname(same))
    }),
    // Descriptors of other kinds.
    ("memory-file", |_| {
        let flags = nix::sys::memfd::MFdFlags::empty();
        done(nix::sys::memfd::memfd_create("x", flags))
    }),
    ("watch-files", |_| {
        let flags = nix::sys::inotify::InitFlags::empty();
        done(nix::sys::inotify::Inotify::init(flags))
    }),
    ("wait-for-many", |_| {
        let flags = nix::sys::epoll::EpollCreateFlags::empty();
        done(nix::sys::epoll::Epoll::new(flags))
    }),
    ("new-pipe", |_| io::pipe().map(drop)),
    ("second-descriptor", |_| {
        io::stdin().as_fd().try_clone_to_owned().map(drop)
    }),
    // What was given up.
    ("limits-up", |_| {
        use nix::sys::resource::{Resource, setrlimit};
        done(setrlimit(Resource::RLIMIT_NOFILE, 1024, 1024))
    }),
    ("priority-up", |_| {
        done(rustix::process::setpriority_process(None, 0))
    }),
    ("capabilities-back", |_| {
        use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
        let all = CapabilitySet::KILL;
        let sets = CapabilitySets {
            effective: all,
            permitted: all,
            inheritable: CapabilitySet::empty(),
        };
        done(set_capabilities(None, sets))
    }),
    ("other-groups", |_| {
        done(nix::unistd::setgroups(&[nix::unistd::Gid::from_raw(1)]))
    }),
    ("other-user", |_| {
        done(nix::unistd::setuid(nix::unistd::Uid::from_raw(12_345)))
    }),
    ("privileges-back", |_| {
        done(rustix::thread::set_no_new_privs(false))
    }),
    ("dumpable-again", |_| {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        done(set_dumpable_behavior(DumpableBehavior::Dumpable))
    }),
    ("outlive-parent", |_| {
        done(rustix::process::set_parent_process_death_signal(None))
    }),
    ("other-processor", |_| {
        let any = nix::sched::CpuSet::new();
        done(nix::sched::sched_setaffinity(Pid::from_raw(0), &any))
    }),
    ("personality", |_| {
        done(nix::sys::personality::set(
            nix::sys::personality::Persona::empty(),
        ))
    }),
    ("much-memory", |_| {
        let mut much = Vec::<u8>::new();
        much.try_reserve_exact(FAR_TOO_MUCH)
            .map_err(|_| Errno::ENOMEM.into())
    }),
];

/// What is seen without an attempt at anything.
const LOOKS: &[(&str, Attempt)] = &[
    ("is-dumpable", |_| {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        answer(dumpable_behavior()? == DumpableBehavior::Dumpable)
    }),
    ("can-gain-privileges", |_| {
        answer(!rustix::thread::no_new_privs()?)
    }),
    ("is-ordinary-priority", |_| {
        answer(rustix::process::getpriority_process(None)? < 19)
    }),
    ("has-environment", |_| {
        answer(std::env::vars_os().next().is_some())
    }),
    ("has-dumps", |_| {
        use nix::sys::resource::{Resource, getrlimit};
        answer(getrlimit(Resource::RLIMIT_CORE)? != (0, 0))
    }),
    ("has-endless-time", |_| {
        use nix::sys::resource::{Resource, getrlimit};
        let seconds = getrlimit(Resource::RLIMIT_CPU)?.1;
        // 64 segments and twice the time to compile.
        let most = 64 * u64::from(LIMITS.segment_wall_ms) / 1000 + 60;
        answer(seconds > most)
    }),
];

/// The same for every kind of result.
fn done<T, E: Into<io::Error>>(result: Result<T, E>) -> io::Result<()> {
    result.map(|_| ()).map_err(Into::into)
}

fn answer(yes: bool) -> io::Result<()> {
    if yes {
        Ok(())
    } else {
        Err(Errno::EPERM.into())
    }
}

fn walls_of(list: &str) -> WallSet {
    let named = |wall: &Wall| list == "all" || list.split(',').any(|code| code == wall.code());
    let walls: Vec<Wall> = Wall::ALL.into_iter().filter(named).collect();
    WallSet::of(&walls)
}

/// Arguments: walls, what to attempt, what it is aimed at.
pub fn probe_main(args: &[String]) -> ExitCode {
    let target = Target::from_args(&args[2..]);
    let all = ATTEMPTS.iter().chain(LOOKS);
    let attempt = all.clone().find(|(name, _)| *name == args[1]);
    let report = raise_walls(walls_of(&args[0]), &LIMITS).unwrap();
    let up: Vec<&str> = report
        .walls()
        .iter()
        .filter(|found| found.is_up())
        .map(|found| found.wall.code())
        .collect();
    println!("{}", up.join(","));
    if args[1] == "hang" {
        loop {
            std::thread::park();
        }
    }
    match attempt.expect("an attempt of this name").1(&target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", error.raw_os_error().unwrap_or_default());
            ExitCode::from(DENIED)
        }
    }
}

/// Starts a probe that hangs behind one wall, says where it is, and hangs too.
#[allow(clippy::zombie_processes)]
pub fn probe_parent_main(args: &[String]) -> ExitCode {
    let target = Target {
        folder: "/nonexistent".into(),
        victim: Pid::from_raw(1),
        port: 1,
        inherited: 0,
    };
    let mut probe = Command::new(std::env::current_exe().unwrap());
    probe
        .args([PROBE_ARG, &args[0], "hang"])
        .args(target.to_args());
    let mut probe = probe.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = probe.stdout.take().unwrap();
    io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).unwrap();
    println!("{}", probe.id());
    loop {
        std::thread::park();
    }
}

// ------------------------------------------------------------------------------ the other side

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It got what it wanted.
    Done,
    /// Ended by the system for the attempt.
    Ended,
    /// Told no.
    Denied(Errno),
}

use Outcome::{Denied, Done, Ended};

/// A folder with a file and a socket, a listening port and a process, all for one test, and whether
/// they are as they were.
struct Scene {
    target: Target,
    victim: std::process::Child,
    tcp: TcpListener,
    unix: UnixListener,
    r#abstract: UnixListener,
    /// Kept open in the probe.
    _left_open: fs::File,
}

const CONTENT: &[u8] = b"private";

impl Scene {
    fn set() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let home = std::env::home_dir().filter(|home| home.is_dir());
        let home = home.unwrap_or_else(std::env::temp_dir);
        let folder = home.join(format!(
            ".omni-sandbox-test-{}-{number}",
            std::process::id()
        ));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("file");
        fs::write(&file, CONTENT).unwrap();
        let left_open = fs::File::open(&file).unwrap();
        // Not closed when another program is started.
        rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
        let victim = Command::new("sleep").arg("600").spawn().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut target = Target {
            folder,
            victim: Pid::from_raw(victim.id().cast_signed()),
            port: tcp.local_addr().unwrap().port(),
            inherited: 0,
        };
        target.inherited = std::os::fd::AsRawFd::as_raw_fd(&left_open);
        let unix = UnixListener::bind(target.socket()).unwrap();
        let r#abstract = UnixListener::bind_addr(&target.abstract_socket()).unwrap();
        tcp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        r#abstract.set_nonblocking(true).unwrap();
        Self {
            target,
            victim,
            tcp,
            unix,
            r#abstract,
            _left_open: left_open,
        }
    }

    /// The walls that came up, and how the attempt ended.
    fn attempt(&self, walls: &str, name: &str, environment: bool) -> (String, Outcome) {
        let mut probe = Command::new(std::env::current_exe().unwrap());
        probe.env_clear();
        if environment {
            probe.env("SECRET", "x");
        }
        let output = probe
            .args([PROBE_ARG, walls, name])
            .args(self.target.to_args())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let mut lines = said.lines();
        let up = lines.next().unwrap_or_default().to_owned();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        let outcome = match (output.status.code(), signal) {
            (Some(0), _) => Done,
            (Some(code), _) if code == i32::from(DENIED) => {
                Denied(Errno::from_raw(lines.next().unwrap().parse().unwrap()))
            }
            (_, Some(signal)) if signal == Signal::SIGSYS as i32 => Ended,
            _ => panic!("{walls} {name}: {:?} {said}", output.status),
        };
        (up, outcome)
    }

    /// That nothing has been touched.
    fn check(&mut self) {
        let file = self.target.file();
        assert_eq!(fs::read(&file).unwrap(), CONTENT);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0);
        assert!(!fs::exists(self.target.new_file()).unwrap());
        assert_eq!(fs::read_dir(&self.target.folder).unwrap().count(), 2);
        assert!(matches!(process_state(self.victim.id()), Some('S' | 'R')));
        assert!(self.tcp.accept().is_err());
        assert!(self.unix.accept().is_err());
        assert!(self.r#abstract.accept().is_err());
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_dir_all(&self.target.folder);
    }
}

/// Each wall by itself: walls, attempt, and how it must end.
const ALONE: &[(&str, &str, Outcome)] = &[
    ("closed-files", "inherited-file", Denied(Errno::ENOENT)),
    ("empty-environment", "has-environment", Denied(Errno::EPERM)),
    (
        "lowest-priority",
        "is-ordinary-priority",
        Denied(Errno::EPERM),
    ),
    (
        "lowest-priority,no-capabilities",
        "priority-up",
        Denied(Errno::EACCES),
    ),
    ("no-capabilities", "mount", Denied(Errno::EPERM)),
    ("no-capabilities", "change-root", Denied(Errno::EPERM)),
    ("no-capabilities", "own-network-space", Denied(Errno::EPERM)),
    ("no-capabilities", "host-name", Denied(Errno::EPERM)),
    ("no-capabilities", "other-groups", Denied(Errno::EPERM)),
    ("no-capabilities", "other-user", Denied(Errno::EPERM)),
    ("no-capabilities", "raw-socket", Denied(Errno::EPERM)),
    ("no-capabilities", "capabilities-back", Denied(Errno::EPERM)),
    (
        "no-new-privileges",
        "privileges-back",
        Denied(Errno::EINVAL),
    ),
    (
        "no-new-privileges",
        "can-gain-privileges",
        Denied(Errno::EPERM),
    ),
    ("not-dumpable", "is-dumpable", Denied(Errno::EPERM)),
    ("landlock", "read-file", Denied(Errno::EACCES)),
    ("landlock", "list-root", Denied(Errno::EACCES)),
    ("landlock", "list-folder", Denied(Errno::EACCES)),
    ("landlock", "write-new-file", Denied(Errno::EACCES)),
    ("landlock", "append-to-file", Denied(Errno::EACCES)),
    ("landlock", "truncate-file", Denied(Errno::EACCES)),
    ("landlock", "remove-file", Denied(Errno::EACCES)),
    ("landlock", "rename-file", Denied(Errno::EACCES)),
    ("landlock", "symbolic-link", Denied(Errno::EACCES)),
    ("landlock", "make-folder", Denied(Errno::EACCES)),
    ("landlock", "make-pipe-file", Denied(Errno::EACCES)),
    ("landlock", "own-memory-file", Denied(Errno::EACCES)),
    ("landlock", "environment-of-other", Denied(Errno::EACCES)),
    ("landlock", "replace-program", Denied(Errno::EACCES)),
    ("landlock", "start-program", Denied(Errno::EACCES)),
    ("landlock", "unix-listen", Denied(Errno::EACCES)),
    ("landlock", "mount", Denied(Errno::EPERM)),
    ("landlock", "trace-other", Denied(Errno::EPERM)),
    ("landlock", "read-memory-of-other", Denied(Errno::EPERM)),
    ("resource-limits", "read-file", Denied(Errno::EMFILE)),
    ("resource-limits", "udp-socket", Denied(Errno::EMFILE)),
    ("resource-limits", "new-pipe", Denied(Errno::EMFILE)),
    ("resource-limits", "memory-file", Denied(Errno::EMFILE)),
    (
        "resource-limits",
        "second-descriptor",
        Denied(Errno::EINVAL),
    ),
    ("resource-limits", "much-memory", Denied(Errno::ENOMEM)),
    ("resource-limits", "has-dumps", Denied(Errno::EPERM)),
    ("resource-limits", "has-endless-time", Denied(Errno::EPERM)),
    (
        "resource-limits,no-capabilities",
        "limits-up",
        Denied(Errno::EPERM),
    ),
    ("system-calls", "read-file", Denied(Errno::EPERM)),
    ("system-calls", "write-new-file", Denied(Errno::EPERM)),
    ("system-calls", "limits-up", Denied(Errno::EPERM)),
    ("system-calls", "truncate-file", Ended),
    ("system-calls", "remove-file", Ended),
    ("system-calls", "rename-file", Ended),
    ("system-calls", "make-folder", Ended),
    ("system-calls", "tcp-connect", Ended),
    ("system-calls", "tcp-listen", Ended),
    ("system-calls", "udp-socket", Ended),
    ("system-calls", "unix-connect", Ended),
    ("system-calls", "netlink-socket", Ended),
    ("system-calls", "replace-program", Ended),
    ("system-calls", "start-program", Ended),
    ("system-calls", "start-thread", Ended),
    ("system-calls", "trace-other", Ended),
    ("system-calls", "read-memory-of-other", Ended),
    ("system-calls", "handle-of-other", Ended),
    ("system-calls", "end-other", Ended),
    ("system-calls", "kill-other", Ended),
    ("system-calls", "look-for-parent", Ended),
    ("system-calls", "signal-everybody", Ended),
    ("system-calls", "new-session", Ended),
    ("system-calls", "mount", Ended),
    ("system-calls", "change-root", Ended),
    ("system-calls", "own-user-space", Ended),
    ("system-calls", "enter-space", Ended),
    ("system-calls", "memory-file", Ended),
    ("system-calls", "watch-files", Ended),
    ("system-calls", "wait-for-many", Ended),
    ("system-calls", "capabilities-back", Ended),
    ("system-calls", "privileges-back", Ended),
    ("system-calls", "dumpable-again", Ended),
    ("system-calls", "outlive-parent", Ended),
    ("system-calls", "personality", Ended),
];

/// The parts of Landlock that not every system has.
const TCP: &[(&str, &str, Outcome)] = &[
    ("landlock", "tcp-connect", Denied(Errno::EACCES)),
    ("landlock", "tcp-listen", Denied(Errno::EACCES)),
];
const SCOPES: &[(&str, &str, Outcome)] = &[
    ("landlock", "abstract-connect", Denied(Errno::EPERM)),
    ("landlock", "end-other", Denied(Errno::EPERM)),
    ("landlock", "kill-other", Denied(Errno::EPERM)),
    ("landlock", "look-for-parent", Denied(Errno::EPERM)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = ATTEMPTS
        .iter()
        .map(|(name, _)| {
            trial(format!("native, every wall: {name}"), move || {
                let mut scene = Scene::set();
                let (up, outcome) = scene.attempt("all", name, false);
                assert_eq!(up, Wall::ALL.map(Wall::code).join(","));
                assert_ne!(outcome, Done);
                scene.check();
            })
        })
        .collect();
    let landlock = crate::wait(omni_sandbox::probe(
        &omni_sandbox::Command::current_exe().unwrap(),
    ))
    .unwrap()
    .landlock();
    let mut alone = ALONE.to_vec();
    if landlock.network() {
        alone.extend(TCP);
    }
    if landlock.scopes() {
        alone.extend(SCOPES);
    }
    trials.extend(alone.into_iter().map(|(walls, name, expected)| {
        trial(format!("native, only {walls}: {name}"), move || {
            let mut scene = Scene::set();
            let (up, outcome) = scene.attempt(walls, name, false);
            let mut wanted: Vec<&str> = walls.split(',').collect();
            wanted.sort_by_key(|code| Wall::ALL.iter().position(|wall| wall.code() == *code));
            assert_eq!(up, wanted.join(","));
            assert_eq!(outcome, expected);
            scene.check();
        })
    }));
    trials.push(trial(
        "native: what is told no can be done without walls",
        || {
            // Else the tables above would show nothing.
            for name in [
                "read-file",
                "list-root",
                "udp-socket",
                "tcp-listen",
                "start-program",
                "start-thread",
                "inherited-file",
                "memory-file",
                "is-dumpable",
                "can-gain-privileges",
                "has-endless-time",
                "look-for-parent",
                "new-pipe",
                "is-ordinary-priority",
                "tcp-connect",
                "abstract-connect",
                "handle-of-other",
            ] {
                let scene = Scene::set();
                assert_eq!(
                    scene.attempt("", name, false),
                    (String::new(), Done),
                    "{name}"
                );
            }
        },
    ));
    trials.push(trial("native: an environment is noticed", || {
        let scene = Scene::set();
        let (up, outcome) = scene.attempt("empty-environment", "has-environment", true);
        assert_eq!((up.as_str(), outcome), ("", Done));
    }));
    trials.push(trial("native: only ends-with-parent", || {
        ends_with_parent("ends-with-parent", true)
    }));
    trials.push(trial(
        "native: without walls it outlives its parent",
        || ends_with_parent("", false),
    ));
    trials
}

fn ends_with_parent(walls: &str, ends: bool) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([PROBE_PARENT_ARG, walls])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = parent.stdout.take().unwrap();
    io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Whatever comes out, nothing is left over.
    let _probe = KillOnDrop(Pid::from_raw(pid.cast_signed()));
    if ends {
        wait_until_gone(pid);
    } else {
        assert!(process_state(pid).is_some());
    }
}

struct KillOnDrop(Pid);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if process_state(self.0.as_raw().cast_unsigned()).is_some() {
            let _ = kill(self.0, Signal::SIGKILL);
        }
    }
}
