//! Processes as `/proc` shows them.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How a sandbox child is told from other children.
const SANDBOX_MARK: &str = "__sandbox-child";
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is something, or fails when `limit` is over.
pub fn wait<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > limit {
            return Err(format!("not within {} ms: {what}", limit.as_millis()).into());
        }
        thread::sleep(LOOK);
    }
}

/// [`wait`] for a condition.
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<bool, Failed>,
) -> Result<(), Failed> {
    wait(what, limit, || Ok(look()?.then_some(())))
}

/// A program that was started for the test; it and its process group end with this value.
pub struct Started {
    child: Child,
}

impl Started {
    pub fn new(command: &mut Command) -> Result<Self, Failed> {
        let group = std::os::unix::process::CommandExt::process_group(command, 0);
        let child = group
            .spawn()
            .map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
        Ok(Self { child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, within `limit`.
    pub fn ended(&mut self, what: &str, limit: Duration) -> Result<ExitStatus, Failed> {
        wait(what, limit, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let children = descendants(self.pid());
        if let Some(group) = Pid::from_raw(self.pid() as i32) {
            // Fails when it has ended already.
            let _ = kill_process_group(group, Signal::KILL);
        }
        for pid in children {
            let _ = signal(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

pub fn signal(pid: u32, signal: Signal) -> Result<(), Failed> {
    let pid = Pid::from_raw(pid as i32).ok_or("no process has this number")?;
    Ok(kill_process(pid, signal)?)
}

/// State letter and parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Whether it runs; a dead process that nobody has waited for does not.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// State letter of a process, `T` when it is frozen.
pub fn state(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

pub fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|(state, of)| of == parent && state != 'Z'))
        .collect()
}

fn descendants(parent: u32) -> Vec<u32> {
    let mut all = children(parent);
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        let more = children(*pid);
        all.extend(more);
        next += 1;
    }
    all
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// The children in which skills run.
pub fn sandbox_children(app: u32) -> Vec<u32> {
    let is_sandbox = |pid: &u32| command_line(*pid).contains(SANDBOX_MARK);
    children(app).into_iter().filter(is_sandbox).collect()
}

/// The children in which pages are drawn.
pub fn web_processes(app: u32) -> Vec<u32> {
    let is_web = |pid: &u32| command_line(*pid).contains("WebKitWebProcess");
    children(app).into_iter().filter(is_web).collect()
}

/// The child that runs this very program.
pub fn child_running(parent: u32, program: &Path) -> Option<u32> {
    let runs =
        |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    children(parent).into_iter().find(runs)
}

/// A value in a process's environment.
fn environment(pid: u32, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mark = format!("{name}=");
    text.split('\0')
        .find_map(|line| Some(line.strip_prefix(&mark)?.to_owned()))
}

/// Internet sockets of the program and of its children other than the web view's, one line each.
/// The door through which WebDriver comes in is the test's own, and left out; a program that was
/// not started by WebDriver has none.
pub fn internet_sockets(app: u32) -> Vec<String> {
    let door = environment(app, "WEBKIT_INSPECTOR_SERVER")
        .and_then(|address| address.rsplit_once(':')?.1.parse::<u16>().ok());
    let mut processes = vec![app];
    processes.extend(descendants(app));
    let mut found = Vec::new();
    for pid in processes {
        if command_line(pid).contains("/WebKit") {
            continue;
        }
        let inodes = socket_inodes(pid);
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let lines = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            for line in lines.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let (Some(local), Some(remote), Some(inode)) =
                    (fields.get(1), fields.get(2), fields.get(9))
                else {
                    continue;
                };
                let is_door = door.is_some() && (port(local) == door || port(remote) == door);
                if inodes.contains(*inode) && !is_door {
                    found.push(format!("process {pid}: {table} {local} {remote}"));
                }
            }
        }
    }
    found
}

/// Port of an address such as `0100007F:D212`.
fn port(address: &str) -> Option<u16> {
    u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok()
}

fn socket_inodes(pid: u32) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return BTreeSet::new();
    };
    entries
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}
