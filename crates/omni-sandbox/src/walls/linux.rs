//! Linux: Landlock, seccomp, no privileges.

use std::{
    path::Path,
    sync::atomic::{AtomicU8, Ordering},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetError, RulesetStatus, Scope,
};
use omni_types::ResourceLimits;
use rustix::{
    process::{
        DumpableBehavior, Signal, dumpable_behavior, parent_process_death_signal,
        set_dumpable_behavior, set_parent_process_death_signal,
    },
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    },
};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::system_calls;
use super::{Stage, Walls, empty_environment, unix};
use crate::report::{Landlock, Wall};

/// Newest version of Landlock whose walls have been tried.
const NEWEST_LANDLOCK: ABI = ABI::V7;

/// What was enforced of Landlock, for the report.
static ENFORCED: AtomicU8 = AtomicU8::new(0);

pub(super) struct Linux;

impl Walls for Linux {
    const ALONE: Stage = &[
        (Wall::ClosedFiles, |_| {
            unix::closed_files(Path::new("/proc/self/fd"))
        }),
        (Wall::EmptyEnvironment, empty_environment),
        (Wall::LowestPriority, unix::lowest_priority),
        (Wall::NoCapabilities, no_capabilities),
        (Wall::NoNewPrivileges, no_new_privileges),
        (Wall::NotDumpable, not_dumpable),
        // After the capabilities: a change of privileges takes it back.
        (Wall::EndsWithParent, ends_with_parent),
        (Wall::Landlock, landlock),
    ];
    // Landlock opens a descriptor, and filter and limits keep threads from starting.
    const TOGETHER: Stage = &[
        (Wall::ResourceLimits, unix::resource_limits),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        (Wall::SystemCalls, system_calls::only_computing),
    ];

    fn landlock() -> u8 {
        ENFORCED.load(Ordering::SeqCst)
    }
}

fn no_capabilities(_: &ResourceLimits) -> bool {
    // Fails without privileges, and is not needed then.
    for (_, capability) in CapabilitySet::all().iter_names() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    let _ = clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    let _ = set_capabilities(None, none);
    capabilities(None) == Ok(none)
}

fn no_new_privileges(_: &ResourceLimits) -> bool {
    let _ = set_no_new_privs(true);
    no_new_privs() == Ok(true)
}

fn not_dumpable(_: &ResourceLimits) -> bool {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    dumpable_behavior() == Ok(DumpableBehavior::NotDumpable)
}

fn ends_with_parent(_: &ResourceLimits) -> bool {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    parent_process_death_signal() == Ok(Some(Signal::KILL))
}

/// No rule is added, so everything that Landlock handles is denied.
fn landlock(_: &ResourceLimits) -> bool {
    let restrict = || -> Result<u8, RulesetError> {
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST_LANDLOCK))?
            .handle_access(AccessNet::from_all(NEWEST_LANDLOCK))?
            .scope(Scope::from_all(NEWEST_LANDLOCK))?
            .create()?
            .restrict_self()?;
        let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
            return Ok(0);
        };
        if status.ruleset == RulesetStatus::NotEnforced {
            return Ok(0);
        }
        Ok(effective_abi.min(NEWEST_LANDLOCK) as u8)
    };
    let abi = restrict().unwrap_or(0);
    ENFORCED.store(abi, Ordering::SeqCst);
    Landlock { abi }.files()
}
