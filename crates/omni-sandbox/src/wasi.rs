//! The few WASI functions a skill may call. Standard input, standard output, and nothing else of
//! the computer: no file, no directory, no argument, no environment, a clock that stands still, and
//! random numbers that follow from the seed.
//!
//! Every number from the skill is hostile: pointers and lengths reach memory only through checked
//! slices, and a bad one is answered with an error number.

use std::ops::Range;

use thiserror::Error;
use wasmtime::{Caller, Extern, Linker};

use crate::{admission::WASI_MODULE as WASI, guest::Guest};

/// What every clock shows, nanoseconds since 1970: the first second of 2000.
const CLOCK_NS: u64 = 946_684_800_000_000_000;
/// Most buffers in one read or write.
const MAX_BUFFERS: u32 = 1024;

/// Error numbers of WASI preview 1.
#[derive(Clone, Copy)]
enum Errno {
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Spipe = 70,
}

type Answer = Result<(), Errno>;

/// Ends a run from inside a function of the host.
#[derive(Debug, Error)]
pub(crate) enum Stop {
    #[error("exit with code {0}")]
    Exit(i32),
    #[error("too much output")]
    OutputTooLarge,
    #[error("the engine failed")]
    Engine,
}

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Defines every function on the allowlist of [`crate::admit`].
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker
        .func_wrap(WASI, "args_get", |_: u32, _: u32| 0)?
        .func_wrap(WASI, "args_sizes_get", no_strings)?
        .func_wrap(WASI, "environ_get", |_: u32, _: u32| 0)?
        .func_wrap(WASI, "environ_sizes_get", no_strings)?
        .func_wrap(WASI, "clock_time_get", clock)?
        .func_wrap(WASI, "fd_close", |fd: u32| number(standard(fd)))?
        .func_wrap(WASI, "fd_fdstat_get", fdstat)?
        .func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| Errno::Badf as i32)?
        .func_wrap(WASI, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| {
            Errno::Badf as i32
        })?
        .func_wrap(WASI, "fd_read", read)?
        .func_wrap(WASI, "fd_seek", |fd: u32, _: u64, _: u32, _: u32| {
            number(standard(fd).and(Err(Errno::Spipe)))
        })?
        .func_wrap(WASI, "fd_write", write)?
        .func_wrap(WASI, "proc_exit", |code: i32| -> wasmtime::Result<()> {
            Err(Stop::Exit(code).into())
        })?
        .func_wrap(WASI, "random_get", random)?
        .func_wrap(WASI, "sched_yield", || 0)?;
    Ok(())
}

fn number(answer: Answer) -> i32 {
    answer.map_or_else(|errno| errno as i32, |()| 0)
}

fn standard(fd: u32) -> Answer {
    if fd <= STDERR {
        Ok(())
    } else {
        Err(Errno::Badf)
    }
}

/// The memory of the skill and the state of its run.
fn parts<'a>(caller: &'a mut Caller<'_, Guest>) -> Result<(&'a mut [u8], &'a mut Guest), Errno> {
    let memory = caller
        .get_export("memory")
        .and_then(Extern::into_memory)
        .ok_or(Errno::Fault)?;
    Ok(memory.data_and_store_mut(caller))
}

fn range(pointer: u32, length: usize) -> Range<usize> {
    let start = pointer as usize;
    start..start.saturating_add(length)
}

fn slice(memory: &[u8], pointer: u32, length: usize) -> Result<&[u8], Errno> {
    memory.get(range(pointer, length)).ok_or(Errno::Fault)
}

fn slice_mut(memory: &mut [u8], pointer: u32, length: usize) -> Result<&mut [u8], Errno> {
    memory.get_mut(range(pointer, length)).ok_or(Errno::Fault)
}

fn put(memory: &mut [u8], pointer: u32, bytes: &[u8]) -> Answer {
    slice_mut(memory, pointer, bytes.len())?.copy_from_slice(bytes);
    Ok(())
}

fn get_u32(memory: &[u8], pointer: u32) -> Result<u32, Errno> {
    let bytes = slice(memory, pointer, 4)?;
    let bytes = bytes.try_into().map_err(|_| Errno::Fault)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Pointer and length of every buffer in the list, all of them checked to be inside the memory.
fn buffers(memory: &[u8], list: u32, count: u32) -> Result<Vec<(u32, usize)>, Errno> {
    if count > MAX_BUFFERS {
        return Err(Errno::Inval);
    }
    (0..count)
        .map(|index| {
            let entry = list.checked_add(index * 8).ok_or(Errno::Fault)?;
            let pointer = get_u32(memory, entry)?;
            let second = entry.checked_add(4).ok_or(Errno::Fault)?;
            let length = get_u32(memory, second)? as usize;
            slice(memory, pointer, length)?;
            Ok((pointer, length))
        })
        .collect()
}

/// No arguments and no environment: zero strings of zero bytes.
fn no_strings(mut caller: Caller<'_, Guest>, count: u32, bytes: u32) -> i32 {
    number(parts(&mut caller).and_then(|(memory, _)| {
        put(memory, count, &[0; 4])?;
        put(memory, bytes, &[0; 4])
    }))
}

fn clock(mut caller: Caller<'_, Guest>, id: u32, _precision: u64, time: u32) -> i32 {
    if id > 3 {
        return Errno::Inval as i32;
    }
    number(parts(&mut caller).and_then(|(memory, _)| put(memory, time, &CLOCK_NS.to_le_bytes())))
}

fn fdstat(mut caller: Caller<'_, Guest>, fd: u32, stat: u32) -> i32 {
    const RIGHT_READ: u64 = 1 << 1;
    const RIGHT_WRITE: u64 = 1 << 6;
    // File type (unknown, as for a pipe) and flags are zero; then rights, then rights to pass on.
    let mut bytes = [0; 24];
    let rights = if fd == STDIN { RIGHT_READ } else { RIGHT_WRITE };
    for (to, from) in bytes.iter_mut().skip(8).zip(rights.to_le_bytes()) {
        *to = from;
    }
    number(standard(fd).and_then(|()| put(parts(&mut caller)?.0, stat, &bytes)))
}

fn read(mut caller: Caller<'_, Guest>, fd: u32, list: u32, count: u32, done: u32) -> i32 {
    number(parts(&mut caller).and_then(|(memory, guest)| {
        if fd != STDIN {
            return Err(Errno::Badf);
        }
        let buffers = buffers(memory, list, count)?;
        slice(memory, done, 4)?;
        let before = guest.read;
        for (pointer, length) in buffers {
            let rest = guest.input.get(guest.read..).unwrap_or_default();
            let take = rest.get(..length).unwrap_or(rest);
            put(memory, pointer, take)?;
            guest.read += take.len();
        }
        let total = u32::try_from(guest.read - before).map_err(|_| Errno::Inval)?;
        put(memory, done, &total.to_le_bytes())
    }))
}

fn write(
    mut caller: Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    done: u32,
) -> wasmtime::Result<i32> {
    let mut flooded = false;
    let answer = parts(&mut caller).and_then(|(memory, guest)| {
        if fd != STDOUT && fd != STDERR {
            return Err(Errno::Badf);
        }
        let buffers = buffers(memory, list, count)?;
        let total: u64 = buffers.iter().map(|(_, length)| *length as u64).sum();
        let total = u32::try_from(total).map_err(|_| Errno::Inval)?;
        slice(memory, done, 4)?;
        // Standard error is read and thrown away.
        if fd == STDOUT {
            if guest.output.len().saturating_add(total as usize) > guest.output_limit {
                flooded = true;
                return Ok(());
            }
            for (pointer, length) in buffers {
                guest
                    .output
                    .extend_from_slice(slice(memory, pointer, length)?);
            }
        }
        put(memory, done, &total.to_le_bytes())
    });
    if flooded {
        return Err(Stop::OutputTooLarge.into());
    }
    Ok(number(answer))
}

fn random(mut caller: Caller<'_, Guest>, pointer: u32, length: u32) -> i32 {
    number(parts(&mut caller).and_then(|(memory, guest)| {
        for piece in slice_mut(memory, pointer, length as usize)?.chunks_mut(8) {
            for (to, from) in piece.iter_mut().zip(guest.draws.bits().to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }))
}
