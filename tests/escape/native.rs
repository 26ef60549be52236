//! Machine code behind the walls, as it would be after a hole in the engine: this program puts them
//! up as a child does, and then tries one thing. Afterwards the other side looks whether anything
//! has happened.

use std::{
    fs, io,
    io::{Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, symlink},
            net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    errno::Errno,
    sys::{
        resource::{Resource, setrlimit},
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
    unistd::Pid,
};
use omni_sandbox::{EXPECTED_WALLS, Wall, WallSet, raise_walls};

use crate::equipment::{Case, LIMITS, case, process_state, wait_until};

pub const PROBE_ARG: &str = "__behind-walls";
pub const PARENT_ARG: &str = "__parent-of-walls";

/// What a probe exits with when the system said no.
const DENIED: u8 = 10;
const CONTENT: &[u8] = b"private";

/// What an attempt is aimed at.
struct Target {
    folder: PathBuf,
    /// A process that only waits, or the parent of the probe.
    other: Pid,
    port: u16,
}

impl Target {
    fn file(&self) -> PathBuf {
        self.folder.join("file")
    }

    fn new_file(&self) -> PathBuf {
        self.folder.join("new")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn abstract_socket(&self) -> SocketAddr {
        SocketAddr::from_abstract_name(self.folder.as_os_str().as_encoded_bytes()).unwrap()
    }
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It got what it wanted.
    Done,
    /// "Not permitted", and it lives.
    Refused,
    /// Ended by the system for the attempt.
    Ended,
}

use End::{Done, Ended, Refused};

type Attempt = fn(&Target) -> io::Result<()>;

fn done<T, E: Into<io::Error>>(result: Result<T, E>) -> io::Result<()> {
    result.map(drop).map_err(Into::into)
}

fn open(path: impl AsRef<Path>) -> io::Result<()> {
    done(fs::File::open(path))
}

/// Sends one signal to the other process.
fn send(t: &Target, signal: Option<Signal>) -> io::Result<()> {
    done(kill(t.other, signal))
}

/// What is tried behind every wall: what it is called, how it must end, and how it is done.
const ATTEMPTS: &[(&str, End, Attempt)] = &[
    // Files.
    ("reading a file of the user", Refused, |t| {
        done(fs::read(t.file()))
    }),
    ("listing the root", Refused, |_| done(fs::read_dir("/"))),
    ("listing the home folder", Refused, |t| {
        done(fs::read_dir(&t.folder))
    }),
    ("looking at a file", Refused, |t| {
        done(fs::metadata(t.file()))
    }),
    ("asking where it is", Refused, |_| {
        done(std::env::current_dir())
    }),
    ("following a link of the system", Refused, |_| {
        done(fs::read_link("/proc/self/exe"))
    }),
    ("creating a file in the home folder", Refused, |t| {
        done(fs::File::create(t.new_file()))
    }),
    ("creating a file in the folder for all", Refused, |_| {
        done(fs::File::create_new(
            std::env::temp_dir().join(format!("omni-escape-{}", std::process::id())),
        ))
    }),
    ("appending to a file", Refused, |t| {
        done(fs::OpenOptions::new().append(true).open(t.file()))
    }),
    ("emptying a file by its name", Ended, |t| {
        done(nix::unistd::truncate(&t.file(), 0))
    }),
    ("removing a file", Ended, |t| fs::remove_file(t.file())),
    ("renaming a file", Ended, |t| {
        fs::rename(t.file(), t.new_file())
    }),
    ("giving a file a second name", Ended, |t| {
        fs::hard_link(t.file(), t.new_file())
    }),
    ("making a link", Ended, |t| symlink(t.file(), t.new_file())),
    ("making a folder", Ended, |t| fs::create_dir(t.new_file())),
    ("removing a folder", Ended, |t| fs::remove_dir(&t.folder)),
    ("making a pipe with a name", Ended, |t| {
        done(nix::unistd::mkfifo(
            &t.new_file(),
            nix::sys::stat::Mode::S_IRUSR,
        ))
    }),
    ("changing the rights of a file", Ended, |t| {
        fs::set_permissions(t.file(), fs::Permissions::from_mode(0o777))
    }),
    ("changing the owner of a file", Ended, |t| {
        done(nix::unistd::chown(
            &t.file(),
            Some(nix::unistd::Uid::from_raw(1)),
            None,
        ))
    }),
    ("changing the folder", Ended, |t| {
        std::env::set_current_dir(&t.folder)
    }),
    ("reading the passwords of the system", Refused, |_| {
        open("/etc/shadow")
    }),
    ("reading its own memory file", Refused, |_| {
        open("/proc/self/mem")
    }),
    ("reading the memory of the first process", Refused, |_| {
        open("/proc/1/mem")
    }),
    ("reading the memory of another program", Refused, |t| {
        open(format!("/proc/{}/mem", t.other))
    }),
    ("reading the settings of another program", Refused, |t| {
        open(format!("/proc/{}/environ", t.other))
    }),
    ("opening a terminal", Refused, |_| open("/dev/tty")),
    ("opening the memory of the machine", Refused, |_| {
        open("/dev/mem")
    }),
    ("reopening its own input", Refused, |_| {
        open("/proc/self/fd/0")
    }),
    // Network.
    ("connecting to a TCP port", Ended, |t| {
        done(TcpStream::connect(("127.0.0.1", t.port)))
    }),
    ("listening at a TCP port", Ended, |_| {
        done(TcpListener::bind("127.0.0.1:0"))
    }),
    ("listening at every address", Ended, |_| {
        done(TcpListener::bind("[::]:0"))
    }),
    ("a UDP socket", Ended, |_| {
        done(UdpSocket::bind("127.0.0.1:0"))
    }),
    ("connecting to a socket with a name", Ended, |t| {
        done(UnixStream::connect(t.socket()))
    }),
    ("connecting to a socket without a file", Ended, |t| {
        done(UnixStream::connect_addr(&t.abstract_socket()))
    }),
    ("listening at a socket with a name", Ended, |t| {
        done(UnixListener::bind(t.new_file()))
    }),
    ("a datagram socket without a name", Ended, |_| {
        done(UnixDatagram::unbound())
    }),
    ("a pair of sockets", Ended, |_| done(UnixStream::pair())),
    ("a socket to the kernel", Ended, |_| {
        done(socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::empty(),
            None,
        ))
    }),
    ("a socket for raw packets", Ended, |_| {
        done(socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::empty(),
            None,
        ))
    }),
    ("a socket to the host of a virtual machine", Ended, |_| {
        done(socket(
            AddressFamily::Vsock,
            SockType::Stream,
            SockFlag::empty(),
            None,
        ))
    }),
    ("looking up a name", Ended, |_| {
        done(("localhost", 1).to_socket_addrs())
    }),
    // Processes.
    ("becoming another program", Ended, |_| {
        Err(Command::new("/bin/true").exec())
    }),
    ("starting another program", Ended, |_| {
        done(Command::new("/bin/true").status())
    }),
    ("starting a thread", Ended, |_| {
        done(std::thread::Builder::new().spawn(|| ()))
    }),
    ("tracing another process", Ended, |t| {
        done(nix::sys::ptrace::attach(t.other))
    }),
    ("asking to be traced", Ended, |_| {
        done(nix::sys::ptrace::traceme())
    }),
    ("a new session", Ended, |_| done(nix::unistd::setsid())),
    ("another group of processes", Ended, |t| {
        done(nix::unistd::setpgid(Pid::from_raw(0), t.other))
    }),
    (
        "asking who its parent is",
        Ended,
        |_| match nix::unistd::getppid().as_raw() {
            0.. => Ok(()),
            _ => Err(Errno::EPERM.into()),
        },
    ),
    ("a signal to every process", Ended, |_| {
        done(kill(Pid::from_raw(-1), None))
    }),
    ("a signal to its own group", Ended, |_| {
        done(kill(Pid::from_raw(0), None))
    }),
    ("asking another process for nothing", Ended, |t| {
        send(t, None)
    }),
    ("killing another process", Ended, |t| {
        send(t, Some(Signal::SIGKILL))
    }),
    // Kernel and rights.
    ("more open files", Refused, |_| {
        done(setrlimit(Resource::RLIMIT_NOFILE, 64, 64))
    }),
    ("more memory", Refused, |_| {
        done(setrlimit(Resource::RLIMIT_AS, 1 << 40, 1 << 40))
    }),
    ("files of any size", Refused, |_| {
        done(setrlimit(Resource::RLIMIT_FSIZE, 1 << 40, 1 << 40))
    }),
    ("a file in memory", Ended, |_| {
        done(nix::sys::memfd::memfd_create(
            "x",
            nix::sys::memfd::MFdFlags::empty(),
        ))
    }),
    ("watching files", Ended, |_| {
        done(nix::sys::inotify::Inotify::init(
            nix::sys::inotify::InitFlags::empty(),
        ))
    }),
    ("a new pipe", Ended, |_| done(io::pipe())),
    ("a second number for its input", Refused, |_| {
        done(io::stdin().as_fd().try_clone_to_owned())
    }),
    ("mounting", Ended, |t| {
        done(nix::mount::mount(
            Some("tmpfs"),
            &t.folder,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        ))
    }),
    ("unmounting", Ended, |t| done(nix::mount::umount(&t.folder))),
    ("another root", Ended, |t| {
        done(nix::unistd::chroot(&t.folder))
    }),
    ("a user space of its own", Ended, |_| {
        done(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER))
    }),
    ("a file space of its own", Ended, |_| {
        done(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS))
    }),
    ("another user", Ended, |_| {
        done(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)))
    }),
    ("another processor", Ended, |_| {
        done(nix::sched::sched_setaffinity(
            Pid::from_raw(0),
            &nix::sched::CpuSet::new(),
        ))
    }),
    ("dumps of itself", Ended, |_| {
        done(nix::sys::prctl::set_dumpable(true))
    }),
    ("outliving its parent", Ended, |_| {
        done(nix::sys::prctl::set_pdeathsig(None))
    }),
    ("another child-like ancestor", Ended, |_| {
        done(nix::sys::prctl::set_child_subreaper(true))
    }),
    ("waiting for children", Ended, |_| {
        done(nix::sys::wait::waitpid(
            None,
            Some(nix::sys::wait::WaitPidFlag::WNOHANG),
        ))
    }),
    // What is left to it.
    ("hearing the end of its input", Done, |_| {
        done(io::stdin().read(&mut [0]))
    }),
    ("speaking into its output", Done, |_| {
        writeln!(io::stdout(), "hello")
    }),
    ("speaking into its errors", Done, |_| {
        writeln!(io::stderr(), "hello")
    }),
    ("random numbers", Done, |_| {
        // The seeds of a hash map come from the system.
        done::<_, io::Error>(Ok(std::collections::HashMap::from([(1, 2)])))
    }),
    ("asking the time", Done, |_| {
        done::<_, io::Error>(Ok(std::time::SystemTime::now()))
    }),
    ("memory within its limit", Done, |_| {
        let mut some = Vec::<u8>::new();
        done(some.try_reserve_exact(64 << 20).map_err(io::Error::other))
    }),
];

/// Signals to the parent; it must neither end nor stop.
const TO_PARENT: &[(&str, Attempt)] = &[
    ("SIGTERM", |t| send(t, Some(Signal::SIGTERM))),
    ("SIGKILL", |t| send(t, Some(Signal::SIGKILL))),
    ("SIGSTOP", |t| send(t, Some(Signal::SIGSTOP))),
    ("SIGINT", |t| send(t, Some(Signal::SIGINT))),
    ("SIGHUP", |t| send(t, Some(Signal::SIGHUP))),
    ("SIGSEGV", |t| send(t, Some(Signal::SIGSEGV))),
    ("SIGUSR1", |t| send(t, Some(Signal::SIGUSR1))),
    ("SIGALRM", |t| send(t, Some(Signal::SIGALRM))),
];

// ------------------------------------------------------------------------------------ the probe

/// Arguments: number of the attempt, whether at the parent, and what it is aimed at.
pub fn probe_main(args: &[String]) -> ExitCode {
    let number: usize = args[1].parse().unwrap();
    let attempt = match args[0].as_str() {
        "parent" => TO_PARENT[number].1,
        _ => ATTEMPTS[number].2,
    };
    let target = Target {
        folder: (&args[2]).into(),
        other: Pid::from_raw(args[3].parse().unwrap()),
        port: args[4].parse().unwrap(),
    };
    let report = raise_walls(WallSet::ALL, &LIMITS).unwrap();
    let up = report.walls().iter().filter(|found| found.is_up()).count();
    // Shows that whatever happens happens behind the walls.
    println!("{up} walls");
    match attempt(&target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", error.raw_os_error().unwrap_or_default());
            ExitCode::from(DENIED)
        }
    }
}

/// Arguments: number of the signal. Starts a probe that is aimed at this process, and tells how it
/// ended, if it still can.
pub fn parent_main(args: &[String]) -> ExitCode {
    let me = std::process::id().to_string();
    let probe = Command::new(std::env::current_exe().unwrap())
        .args([PROBE_ARG, "parent", &args[0], "/nonexistent", &me, "0"])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&probe.stdout).into_owned();
    println!("{:?}", end(probe.status, &said));
    ExitCode::SUCCESS
}

// ------------------------------------------------------------------------------- the other side

/// How the probe ended; it must have come as far as the attempt.
fn end(status: std::process::ExitStatus, said: &str) -> End {
    let mut lines = said.lines();
    let walls = lines.next().unwrap_or_default();
    assert_eq!(walls, format!("{} walls", Wall::ALL.len()), "{status:?}");
    match (status.code(), status.signal()) {
        (Some(0), _) => Done,
        (Some(code), _) if code == i32::from(DENIED) => {
            let errno: i32 = lines.next().unwrap().parse().unwrap();
            assert_eq!(Errno::from_raw(errno), Errno::EPERM);
            Refused
        }
        (_, Some(signal)) if signal == Signal::SIGSYS as i32 => Ended,
        _ => panic!("{status:?} {said}"),
    }
}

/// The whole output of a process, which is ended when it takes too long.
fn finish(mut process: Child) -> (std::process::ExitStatus, String) {
    let mut status = None;
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the process ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
    }));
    if ended.is_err() {
        process.kill().unwrap();
        status = Some(process.wait().unwrap());
    }
    let mut said = String::new();
    process.stdout.unwrap().read_to_string(&mut said).unwrap();
    (status.unwrap(), said)
}

/// A folder in the home folder with a file and a socket, a port and a process, and whether they are
/// as they were.
struct Scene {
    target: Target,
    victim: Child,
    tcp: TcpListener,
    unix: UnixListener,
    r#abstract: UnixListener,
}

impl Scene {
    fn set() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let home = std::env::home_dir().filter(|home| home.is_dir());
        let home = home.unwrap_or_else(std::env::temp_dir);
        let folder = home.join(format!(".omni-escape-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), CONTENT).unwrap();
        fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o600)).unwrap();
        let victim = Command::new("sleep").arg("600").spawn().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target {
            folder,
            other: Pid::from_raw(victim.id().cast_signed()),
            port: tcp.local_addr().unwrap().port(),
        };
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
        }
    }

    fn attempt(&self, number: usize) -> End {
        let probe = Command::new(std::env::current_exe().unwrap())
            .args([PROBE_ARG, "any", &number.to_string()])
            .arg(&self.target.folder)
            .arg(self.target.other.to_string())
            .arg(self.target.port.to_string())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = probe.id();
        let (status, said) = finish(probe);
        let left = std::env::temp_dir().join(format!("omni-escape-{pid}"));
        let found = fs::remove_file(left);
        assert!(found.is_err(), "a file was left in the folder for all");
        end(status, &said)
    }

    fn assert_untouched(&mut self) {
        let file = self.target.file();
        assert_eq!(fs::read(&file).unwrap(), CONTENT);
        let found = fs::metadata(&file).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(&self.target.folder).unwrap();
        assert_eq!(names.count(), 2, "the file and the socket");
        assert!(matches!(
            process_state(self.victim.id()),
            Some('S' | 'R' | 'D')
        ));
        let came = [
            self.tcp.accept().map(drop),
            self.unix.accept().map(drop),
            self.r#abstract.accept().map(drop),
        ];
        assert!(came.iter().all(Result::is_err), "somebody connected");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_dir_all(&self.target.folder);
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // How an attempt ends is told by the list of system calls, where there is one.
    if EXPECTED_WALLS != Wall::ALL {
        return cases;
    }
    for (number, (what, expected, _)) in ATTEMPTS.iter().enumerate() {
        let outcome = match expected {
            Done => "is left to it",
            Refused => "is not permitted",
            Ended => "ends it (wall-hit)",
        };
        cases.push(case(
            format!("behind the walls, {what} {outcome}"),
            move || {
                let mut scene = Scene::set();
                let found = scene.attempt(number);
                scene.assert_untouched();
                assert_eq!(found, *expected);
            },
        ));
    }
    for (number, (signal, _)) in TO_PARENT.iter().enumerate() {
        let title = format!("behind the walls, {signal} to the parent ends it (wall-hit)");
        cases.push(case(title, move || {
            let parent = Command::new(std::env::current_exe().unwrap())
                .args([PARENT_ARG, &number.to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (status, said) = finish(parent);
            assert!(status.success(), "the parent was hit: {status:?}");
            assert_eq!(said.trim(), "Ended");
        }));
    }
    cases
}
