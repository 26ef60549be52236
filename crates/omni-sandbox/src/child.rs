//! The child's side: reads requests, compiles once, runs again and again. Threads only, no event
//! loop.

use std::{
    io,
    process::ExitCode,
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use crate::{
    frame::{Answer, FrameError, Request, read_request, write_answer},
    guest::Skill,
};

/// First argument of the program when it is to be a sandbox child.
pub const CHILD_ARG: &str = "__sandbox-child";

/// Stack of the thread that compiles and runs skills, bytes: the skill's own and room for the
/// compiler, whatever the system gives the main thread.
const WORKER_STACK_BYTES: usize = 16 << 20;

const EXIT_PROTOCOL: u8 = 2;
const EXIT_THREAD: u8 = 3;
const EXIT_ENDED: i32 = 4;

/// Serves one parent until it goes away; the program returns this from `main` at once.
///
/// The main thread does nothing but read, so that the child ends as soon as its parent does, even
/// while a skill loops.
pub fn child_main() -> ExitCode {
    rights::lower();
    // One request is under way at a time; a parent that sends more breaks the protocol.
    let (requests, inbox) = sync_channel(1);
    let worker = thread::Builder::new()
        .name("skill".into())
        .stack_size(WORKER_STACK_BYTES)
        .spawn(move || {
            // Also when the thread panics: a child that cannot answer must not linger.
            let _end = EndOfProcess;
            serve(&inbox)
        });
    if worker.is_err() {
        return ExitCode::from(EXIT_THREAD);
    }
    rights::no_more_threads();
    let mut stdin = io::stdin().lock();
    loop {
        match read_request(&mut stdin) {
            Ok(request) => {
                if requests.try_send(request).is_err() {
                    return ExitCode::from(EXIT_PROTOCOL);
                }
            }
            Err(FrameError::Closed) => return ExitCode::SUCCESS,
            Err(FrameError::Protocol) => return ExitCode::from(EXIT_PROTOCOL),
        }
    }
}

struct EndOfProcess;

impl Drop for EndOfProcess {
    fn drop(&mut self) {
        std::process::exit(EXIT_ENDED);
    }
}

/// Answers requests until one of them ends the child: a failure, or a request out of order.
fn serve(inbox: &Receiver<Request>) {
    let Ok(Request::Load { module, limits }) = inbox.recv() else {
        return;
    };
    rights::limit_data(&limits);
    let skill = Skill::compile(&module, limits);
    drop(module);
    let loaded = match skill {
        Some(_) => Answer::Loaded,
        None => Answer::Refused,
    };
    if say(&loaded).is_err() {
        return;
    }
    let Some(skill) = skill else {
        return;
    };
    while let Ok(Request::Run { input, seed }) = inbox.recv() {
        let answer = match skill.run(&input, seed) {
            Ok(bytes) => Answer::Output { bytes },
            Err(fault) => Answer::Failed { fault },
        };
        if say(&answer).is_err() || matches!(answer, Answer::Failed { .. }) {
            return;
        }
    }
}

fn say(answer: &Answer) -> Result<(), FrameError> {
    write_answer(&mut io::stdout().lock(), answer)
}

/// What the process gives up. Each is a second wall, so a system that refuses one still runs skills.
#[cfg(unix)]
mod rights {
    use omni_types::ResourceLimits;
    use rustix::process::{Resource, Rlimit, nice, setrlimit};

    /// Room for the compiler beside the skill's own memory, bytes.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const COMPILER_BYTES: u64 = 768 << 20;
    /// Open files: the three pipes and what the runtime library opens for a moment.
    const OPEN_FILES: u64 = 16;
    const LOWEST_PRIORITY: i32 = 19;

    fn limit(resource: Resource, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let _ = setrlimit(resource, limit);
    }

    pub(super) fn lower() {
        let _ = nice(LOWEST_PRIORITY);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        limit(Resource::Core, 0);
        limit(Resource::Fsize, 0);
        limit(Resource::Nofile, OPEN_FILES);
    }

    pub(super) fn no_more_threads() {
        limit(Resource::Nproc, 0);
    }

    pub(super) fn limit_data(limits: &ResourceLimits) {
        // Elsewhere the limit counts reserved address space too, which the engine needs a lot of.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        limit(
            Resource::Data,
            limits.memory_bytes.saturating_add(COMPILER_BYTES),
        );
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = limits;
    }
}

#[cfg(not(unix))]
mod rights {
    use omni_types::ResourceLimits;

    pub(super) fn lower() {}
    pub(super) fn no_more_threads() {}
    pub(super) fn limit_data(_limits: &ResourceLimits) {}
}
