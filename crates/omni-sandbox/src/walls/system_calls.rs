//! The filter of system calls: what an engine needs that compiles and computes between two pipes.
//!
//! Two filters are laid over each other, and of two answers the stricter counts: one ends the
//! process at every call that is not listed here, one answers harmless questions of the C library
//! with "not permitted", so that a library that asks others than today's does not stop all work.

use std::collections::BTreeMap;

use omni_types::ResourceLimits;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

type Error = Box<dyn std::error::Error>;

/// Needed, with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Makes fresh machine code visible to the other thread.
    libc::SYS_membarrier,
    // The pipes.
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // Threads that are there already; one that is just starting still has to say these two.
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // Traps of the skill, and going on after a pause.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Seeds of hash maps, and clocks where the library asks the kernel.
    libc::SYS_getrandom,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
];

/// Answered with "not permitted".
const REFUSED: &[libc::c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_getcpu,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getrusage,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_ppoll,
    libc::SYS_prlimit64,
    libc::SYS_getrlimit,
    libc::SYS_readlinkat,
    libc::SYS_sched_getaffinity,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// The same, older calls.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_stat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[libc::c_long] = &[];

/// Ends the process at every system call that computing does not need, in all threads. `true` when
/// it is in force.
pub(super) fn only_computing(_: &ResourceLimits) -> bool {
    let apply = || -> Result<(), Error> {
        // The second one forbids putting up another, so it comes last.
        apply_filter_all_threads(&refusals()?)?;
        apply_filter_all_threads(&allowlist()?)?;
        Ok(())
    };
    apply().is_ok()
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, Error> {
    // Calls of another instruction set end the process.
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, otherwise, listed, arch)?;
    Ok(filter.try_into()?)
}

fn refusals() -> Result<BpfProgram, Error> {
    let refused = REFUSED.iter().chain(REFUSED_OLD);
    let rules = refused.map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    program(rules, SeccompAction::Allow, refuse)
}

fn allowlist() -> Result<BpfProgram, Error> {
    let listed = ALLOWED.iter().chain(REFUSED).chain(REFUSED_OLD);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        listed.map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional()?);
    program(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// Needed, with some arguments only.
fn conditional() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    const PROTECTION: u8 = 2;
    const EXECUTE: u64 = libc::PROT_EXEC as u64;
    const WRITE: u64 = libc::PROT_WRITE as u64;
    let masked = |mask, value| when(PROTECTION, Compare::MaskedEq(mask), value);
    let me = u64::from(std::process::id());
    Ok(BTreeMap::from([
        // Memory is never writable and executable at once: code is written first and sealed then.
        (libc::SYS_mmap, vec![masked(EXECUTE, 0)?]),
        (
            libc::SYS_mprotect,
            vec![masked(EXECUTE, 0)?, masked(EXECUTE | WRITE, EXECUTE)?],
        ),
        // Ends this very process when it aborts.
        (libc::SYS_tgkill, vec![when(0, Compare::Eq, me)?]),
        // Names for threads and memory.
        (
            libc::SYS_prctl,
            vec![
                when(0, Compare::Eq, libc::PR_SET_NAME as u64)?,
                when(0, Compare::Eq, libc::PR_SET_VMA as u64)?,
            ],
        ),
    ]))
}

/// Holds when argument `index` compares so with `value`.
fn when(index: u8, compare: Compare, value: u64) -> Result<SeccompRule, Error> {
    let condition = SeccompCondition::new(index, Width::Dword, compare, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const FOREIGN_ARCH: u32 = 0x4000_0003;

    /// What the kernel would answer: a call's number, its instruction set and its arguments laid out
    /// as the kernel shows them to a filter.
    fn evaluate(program: &BpfProgram, arch: u32, call: u32, args: [u64; 6]) -> u32 {
        let mut data = vec![call, arch, 0, 0];
        for arg in args {
            data.extend([arg as u32, (arg >> 32) as u32]);
        }
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                0x20 => accumulator = data[step.k as usize / 4],
                0x54 => accumulator &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x25 => at += jump(accumulator > step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x06 => return step.k,
                other => panic!("an instruction no filter should need: {other:#x}"),
            }
        }
    }

    fn this_arch() -> u32 {
        // What the first filter accepts is this machine's.
        [0xc000_003e, 0xc000_00b7]
            .into_iter()
            .find(|arch| evaluate(&refusals().unwrap(), *arch, 0, [0; 6]) != KILL)
            .unwrap()
    }

    /// The stricter answer of both filters.
    fn answer(call: libc::c_long, args: [u64; 6]) -> u32 {
        let (call, arch) = (u32::try_from(call).unwrap(), this_arch());
        let answers =
            [refusals(), allowlist()].map(|program| evaluate(&program.unwrap(), arch, call, args));
        if answers.contains(&KILL) {
            KILL
        } else if answers.contains(&EPERM) {
            EPERM
        } else {
            assert_eq!(answers, [ALLOW, ALLOW]);
            ALLOW
        }
    }

    #[test]
    fn every_call_that_is_not_listed_ends_the_process() {
        let conditional = conditional().unwrap();
        for call in 0..1024 {
            let expected = if ALLOWED.contains(&call) {
                ALLOW
            } else if REFUSED.contains(&call) || REFUSED_OLD.contains(&call) {
                EPERM
            } else if conditional.contains_key(&call) {
                continue;
            } else {
                KILL
            };
            assert_eq!(answer(call, [0; 6]), expected, "{call}");
        }
    }

    #[test]
    fn the_ways_out_are_closed_by_name() {
        for call in [
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_sendto,
            libc::SYS_sendmsg,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_memfd_create,
            libc::SYS_memfd_secret,
            libc::SYS_bpf,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_name_to_handle_at,
            libc::SYS_open_by_handle_at,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_fsopen,
            libc::SYS_open_tree,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_chroot,
            libc::SYS_pivot_root,
            libc::SYS_init_module,
            libc::SYS_kexec_load,
            libc::SYS_reboot,
            libc::SYS_seccomp,
            libc::SYS_shmget,
            libc::SYS_mq_open,
            libc::SYS_unlinkat,
            libc::SYS_renameat2,
            libc::SYS_truncate,
            libc::SYS_setuid,
            libc::SYS_capset,
        ] {
            assert_eq!(answer(call, [0; 6]), KILL, "{call}");
        }
    }

    #[test]
    fn memory_is_never_writable_and_executable_at_once() {
        let [read, write, execute] =
            [libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC].map(|p| p as u64);
        for (call, protection, expected) in [
            (libc::SYS_mmap, 0, ALLOW),
            (libc::SYS_mmap, read | write, ALLOW),
            (libc::SYS_mmap, read | execute, KILL),
            (libc::SYS_mmap, read | write | execute, KILL),
            (libc::SYS_mprotect, 0, ALLOW),
            (libc::SYS_mprotect, read | write, ALLOW),
            (libc::SYS_mprotect, read | execute, ALLOW),
            (libc::SYS_mprotect, write | execute, KILL),
            (libc::SYS_mprotect, read | write | execute, KILL),
            (libc::SYS_pkey_mprotect, read | execute, KILL),
        ] {
            let answer = answer(call, [0, 4096, protection, 0, 0, 0]);
            assert_eq!(answer, expected, "{call} {protection}");
        }
    }

    #[test]
    fn signals_reach_nobody_else() {
        let me = u64::from(std::process::id());
        assert_eq!(answer(libc::SYS_tgkill, [me, 1, 6, 0, 0, 0]), ALLOW);
        for other in [me + 1, 0, 1, u64::from(u32::MAX)] {
            assert_eq!(answer(libc::SYS_tgkill, [other, 1, 9, 0, 0, 0]), KILL);
        }
    }

    #[test]
    fn the_process_cannot_change_what_it_is() {
        let option = |option: i32| answer(libc::SYS_prctl, [option as u64, 0, 0, 0, 0, 0]);
        assert_eq!(option(libc::PR_SET_NAME), ALLOW);
        for changed in [
            libc::PR_SET_DUMPABLE,
            libc::PR_SET_PDEATHSIG,
            libc::PR_SET_SECCOMP,
            libc::PR_SET_NO_NEW_PRIVS,
            libc::PR_SET_PTRACER,
            libc::PR_CAP_AMBIENT,
        ] {
            assert_eq!(option(changed), KILL, "{changed}");
        }
    }

    #[test]
    fn calls_of_another_instruction_set_end_the_process() {
        for program in [refusals(), allowlist()] {
            let program = program.unwrap();
            assert_eq!(evaluate(&program, FOREIGN_ARCH, 3, [0; 6]), KILL);
        }
        // The other way to number the calls of x86_64.
        #[cfg(target_arch = "x86_64")]
        assert_eq!(answer(libc::SYS_read | 0x4000_0000, [0; 6]), KILL);
    }
}
