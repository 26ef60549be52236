//! What every Unix has: priority, limits, closed files. On systems other than Linux this is all, and
//! untested: macOS has no sandbox with a safe interface.

use std::{fs, path::Path};

use omni_types::{ResourceLimits, work::MAX_SEGMENTS};
use rustix::process::{Resource, Rlimit, getpriority_process, getrlimit, nice, setrlimit};

#[cfg(not(target_os = "linux"))]
use super::{Stage, Walls, empty_environment};
use crate::parent::COMPILE_WALL_MS;
#[cfg(not(target_os = "linux"))]
use crate::report::Wall;

const LOWEST_PRIORITY: i32 = 19;
/// Processor time for starting and compiling, milliseconds.
const EXTRA_CPU_MS: u64 = 2 * COMPILE_WALL_MS as u64;
/// Open files. None can be opened on Linux; elsewhere the runtime library may need some for a moment.
const OPEN_FILES: u64 = if cfg!(target_os = "linux") { 0 } else { 16 };
/// Room for the compiler beside the skill's own memory, bytes.
#[cfg(target_os = "linux")]
const COMPILER_BYTES: u64 = 768 << 20;
/// Address space beside the skill's own memory, bytes. The engine reserves 4 GiB for a memory and
/// guards around it whatever its size, the C library 128 MiB for each thread; the rest is room.
#[cfg(target_os = "linux")]
const ADDRESS_SPACE_BYTES: u64 = 6 << 30;

#[cfg(not(target_os = "linux"))]
pub(super) struct Unix;

#[cfg(not(target_os = "linux"))]
impl Walls for Unix {
    const ALONE: Stage = &[
        (Wall::ClosedFiles, |_| closed_files(Path::new("/dev/fd"))),
        (Wall::EmptyEnvironment, empty_environment),
        (Wall::LowestPriority, lowest_priority),
    ];
    const TOGETHER: Stage = &[(Wall::ResourceLimits, resource_limits)];
}

/// Closes everything above standard error. `listing` shows one entry for each open descriptor, its
/// own among them.
pub(super) fn closed_files(listing: &Path) -> bool {
    let Some(open) = descriptors(listing) else {
        return false;
    };
    for descriptor in open {
        // Fails for the listing's own, which is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    descriptors(listing).is_some_and(|left| left.len() <= 1)
}

fn descriptors(listing: &Path) -> Option<Vec<i32>> {
    let entries = fs::read_dir(listing).ok()?;
    let numbers = entries.map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let numbers: Vec<i32> = numbers.collect::<Option<_>>()?;
    Some(numbers.into_iter().filter(|number| *number > 2).collect())
}

pub(super) fn lowest_priority(_: &ResourceLimits) -> bool {
    let _ = nice(LOWEST_PRIORITY);
    getpriority_process(None) == Ok(LOWEST_PRIORITY)
}

/// Lowers every limit, for good: without privileges, none can be raised again.
pub(super) fn resource_limits(limits: &ResourceLimits) -> bool {
    let mut wanted = vec![
        (Resource::Cpu, cpu_seconds(limits)),
        (Resource::Core, 0),
        // No byte goes to any file, and none can be opened: the pipes are already there.
        (Resource::Fsize, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
    ];
    // Elsewhere these count reserved address space too, or nothing at all.
    #[cfg(target_os = "linux")]
    wanted.extend([
        (
            Resource::Data,
            limits.memory_bytes.saturating_add(COMPILER_BYTES),
        ),
        (
            Resource::As,
            limits.memory_bytes.saturating_add(ADDRESS_SPACE_BYTES),
        ),
        (Resource::Msgqueue, 0),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ]);
    // Not `all`, which would leave the rest as they are after the first failure.
    wanted
        .into_iter()
        .fold(true, |up, (resource, most)| lowered(resource, most) && up)
}

/// A child serves one unit: it compiles, and runs each of at most [`MAX_SEGMENTS`] segments with one
/// thread, so it cannot use more processor time than the wall-clock limits allow.
fn cpu_seconds(limits: &ResourceLimits) -> u64 {
    let segments_ms = u64::from(limits.segment_wall_ms) * MAX_SEGMENTS as u64;
    (segments_ms + EXTRA_CPU_MS).div_ceil(1000)
}

fn lowered(resource: Resource, most: u64) -> bool {
    // What an administrator has set lower stays.
    let most = getrlimit(resource)
        .maximum
        .map_or(most, |max| max.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    let _ = setrlimit(resource, limit);
    getrlimit(resource) == limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_covers_a_whole_unit() {
        let seconds = |segment_wall_ms| {
            cpu_seconds(&ResourceLimits {
                memory_bytes: 0,
                output_bytes: 0,
                segment_wall_ms,
            })
        };
        assert_eq!(seconds(0), 60);
        assert_eq!(seconds(1000), 60 + 64);
        assert!(seconds(u32::MAX) > 64 * u64::from(u32::MAX / 1000));
    }
}
