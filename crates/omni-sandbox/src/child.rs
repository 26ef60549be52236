//! The child's side: puts up its walls, then reads requests, compiles once, runs again and again.
//! Threads only, no event loop.

use std::{
    io,
    process::ExitCode,
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use omni_types::ResourceLimits;

use crate::{
    WallReport, WallSet,
    frame::{Answer, FrameError, Request, read_request, write_answer},
    guest::Skill,
    walls,
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
    let mut stdin = io::stdin().lock();
    let limits = match read_request(&mut stdin) {
        Ok(Request::Prepare { limits }) => limits,
        Ok(_) => return ExitCode::from(EXIT_PROTOCOL),
        Err(error) => return ended(error),
    };
    // One request is under way at a time; a parent that sends more breaks the protocol.
    let (requests, inbox) = sync_channel(1);
    let (raised, worker) = walls::raise(WallSet::ALL, &limits, || {
        // What a thread asks of the system while it starts would hit a wall later.
        let (started, start) = sync_channel(1);
        let work = move || {
            // Also when the thread panics: a child that cannot answer must not linger.
            let _end = EndOfProcess;
            if started.send(()).is_ok() {
                serve(&inbox, limits);
            }
        };
        let thread = thread::Builder::new().name("skill".into());
        thread.stack_size(WORKER_STACK_BYTES).spawn(work).ok()?;
        start.recv().ok()
    });
    if worker.is_none() {
        return ExitCode::from(EXIT_THREAD);
    }
    if say(&Answer::Ready { raised }).is_err() {
        return ExitCode::from(EXIT_PROTOCOL);
    }
    loop {
        match read_request(&mut stdin) {
            Ok(request) => {
                if requests.try_send(request).is_err() {
                    return ExitCode::from(EXIT_PROTOCOL);
                }
            }
            Err(error) => return ended(error),
        }
    }
}

fn ended(error: FrameError) -> ExitCode {
    match error {
        FrameError::Closed => ExitCode::SUCCESS,
        FrameError::Protocol => ExitCode::from(EXIT_PROTOCOL),
    }
}

/// Puts up the `chosen` walls around this process, as a child does that is to run under `limits`.
/// For tests that attack a wall from inside. `None` when the report makes no sense.
#[doc(hidden)]
pub fn raise_walls(chosen: WallSet, limits: &ResourceLimits) -> Option<WallReport> {
    let (raised, ()) = walls::raise(chosen, limits, || ());
    WallReport::read(raised)
}

struct EndOfProcess;

impl Drop for EndOfProcess {
    fn drop(&mut self) {
        std::process::exit(EXIT_ENDED);
    }
}

/// Answers requests until one of them ends the child: a failure, or a request out of order.
fn serve(inbox: &Receiver<Request>, limits: ResourceLimits) {
    let Ok(Request::Load { module }) = inbox.recv() else {
        return;
    };
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
