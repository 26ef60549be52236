//! Which walls stand around a child, as the child reports and the parent reads it.

use serde::{Deserialize, Serialize};

/// One thing that a child process gives up before it sees a skill. Each is put up and reported on
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wall {
    /// Nothing was inherited but the two pipes to the parent and the empty error output.
    ClosedFiles,
    /// There are no environment variables.
    EmptyEnvironment,
    /// Everything else on the computer comes first (nice 19 on Unix).
    LowestPriority,
    /// Every capability of the superuser is dropped.
    NoCapabilities,
    /// No program can give privileges back.
    NoNewPrivileges,
    /// No other program of the same user can look into the process, and no dump of it is written.
    NotDumpable,
    /// The system ends the child when the program that started it ends.
    EndsWithParent,
    /// Landlock: no file can be reached, and, as far as [`Landlock`] tells, no TCP port, no signal
    /// and no abstract socket.
    Landlock,
    /// Limits on processor time, memory, files and processes.
    ResourceLimits,
    /// Seccomp: only the system calls that computing needs.
    SystemCalls,
}

impl Wall {
    /// Every wall, in the order of the bits of a [`WallSet`].
    pub const ALL: [Self; 10] = [
        Self::ClosedFiles,
        Self::EmptyEnvironment,
        Self::LowestPriority,
        Self::NoCapabilities,
        Self::NoNewPrivileges,
        Self::NotDumpable,
        Self::EndsWithParent,
        Self::Landlock,
        Self::ResourceLimits,
        Self::SystemCalls,
    ];

    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::ClosedFiles => "closed-files",
            Self::EmptyEnvironment => "empty-environment",
            Self::LowestPriority => "lowest-priority",
            Self::NoCapabilities => "no-capabilities",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::NotDumpable => "not-dumpable",
            Self::EndsWithParent => "ends-with-parent",
            Self::Landlock => "landlock",
            Self::ResourceLimits => "resource-limits",
            Self::SystemCalls => "system-calls",
        }
    }

    /// What the wall does, in one sentence a volunteer understands.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ClosedFiles => "The skill gets no file that another program has open.",
            Self::EmptyEnvironment => "The skill learns nothing from the settings of your session.",
            Self::LowestPriority => "Your own programs always come before the skill.",
            Self::NoCapabilities => "The skill has none of the rights of an administrator.",
            Self::NoNewPrivileges => "The skill can never get more rights.",
            Self::NotDumpable => "The skill's memory is never written to disk.",
            Self::EndsWithParent => "The skill ends when this program ends.",
            Self::Landlock => "The skill cannot reach any file.",
            Self::ResourceLimits => "The skill cannot use more memory and time than agreed.",
            Self::SystemCalls => "The skill cannot ask the system for anything but computing.",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Some of the walls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallSet(u32);

impl WallSet {
    /// All of them.
    pub const ALL: Self = Self((1 << Wall::ALL.len()) - 1);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Just these.
    pub fn of(walls: &[Wall]) -> Self {
        Self(walls.iter().fold(0, |bits, wall| bits | wall.bit()))
    }

    /// Whether it is one of them.
    pub fn contains(self, wall: Wall) -> bool {
        self.0 & wall.bit() != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Takes one wall out.
    pub(crate) fn remove(&mut self, wall: Wall) {
        self.0 &= !wall.bit();
    }
}

/// What a child tells of its walls. From a child it is hostile: it can claim walls that are not
/// there, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raised {
    /// Bits of a [`WallSet`].
    up: u32,
    /// Version of Landlock that is enforced, 0 for none.
    landlock: u8,
}

impl Raised {
    pub(crate) fn new(up: WallSet, landlock: u8) -> Self {
        Self { up: up.0, landlock }
    }

    /// `None` when it names walls that do not exist.
    pub(crate) fn walls(self) -> Option<WallSet> {
        let up = WallSet(self.up);
        (up.and(WallSet::ALL) == up).then_some(up)
    }
}

/// How far Landlock reaches on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landlock {
    /// Version of the interface that is enforced, 0 for none.
    pub abi: u8,
}

impl Landlock {
    /// First version that keeps files from being opened. Cutting one to length by its path is covered
    /// from the third on; the list of system calls forbids it in any case.
    pub(crate) const FILES: u8 = 1;
    /// First version that knows TCP.
    const NETWORK: u8 = 4;
    /// First version that knows signals and abstract sockets.
    const SCOPES: u8 = 6;

    /// No file can be reached.
    pub fn files(self) -> bool {
        self.abi >= Self::FILES
    }

    /// No TCP port can be bound or connected to.
    pub fn network(self) -> bool {
        self.abi >= Self::NETWORK
    }

    /// No signal and no abstract socket reaches a process outside.
    pub fn scopes(self) -> bool {
        self.abi >= Self::SCOPES
    }
}

/// Whether a wall stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallState {
    /// It stands.
    Up,
    /// It should stand on this system and does not.
    Missing,
    /// This system has no such wall, so a skill runs without it.
    NotHere,
}

impl WallState {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Missing => "missing",
            Self::NotHere => "not-here",
        }
    }
}

/// One wall and whether it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallFound {
    /// The wall.
    pub wall: Wall,
    /// Whether it stands.
    pub state: WallState,
}

impl WallFound {
    /// Whether it stands.
    pub fn is_up(&self) -> bool {
        self.state == WallState::Up
    }
}

/// What a child has reported of its walls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallReport {
    walls: Vec<WallFound>,
    landlock: Landlock,
}

impl WallReport {
    /// `None` when the child names walls that do not exist.
    pub(crate) fn read(raised: Raised) -> Option<Self> {
        let landlock = Landlock {
            abi: raised.landlock,
        };
        let mut up = raised.walls()?;
        if !landlock.files() {
            up.remove(Wall::Landlock);
        }
        let state = |wall| match (up.contains(wall), EXPECTED_WALLS.contains(&wall)) {
            (true, _) => WallState::Up,
            (false, true) => WallState::Missing,
            (false, false) => WallState::NotHere,
        };
        let walls = Wall::ALL.map(|wall| WallFound {
            wall,
            state: state(wall),
        });
        Some(Self {
            walls: walls.into(),
            landlock,
        })
    }

    /// Of a child that has said nothing yet.
    #[cfg(feature = "engine")]
    pub(crate) fn nothing() -> Self {
        Self {
            walls: Vec::new(),
            landlock: Landlock { abi: 0 },
        }
    }

    /// Every wall of [`Wall::ALL`], also those that this system does not have.
    pub fn walls(&self) -> &[WallFound] {
        &self.walls
    }

    /// Whether every wall stands that this system is supposed to have.
    pub fn all_up(&self) -> bool {
        self.missing().is_empty()
    }

    /// The walls that this system is supposed to have and that do not stand.
    pub fn missing(&self) -> Vec<Wall> {
        let missing = |found: &&WallFound| found.state == WallState::Missing;
        self.walls.iter().filter(missing).map(|f| f.wall).collect()
    }

    /// How far Landlock reaches.
    pub fn landlock(&self) -> Landlock {
        self.landlock
    }
}

/// The walls that this system is supposed to have.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub const EXPECTED_WALLS: &[Wall] = &Wall::ALL;
#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
pub const EXPECTED_WALLS: &[Wall] = Wall::ALL.split_at(Wall::ALL.len() - 1).0;
/// Elsewhere the process boundary stands, and what can be had without a sandbox of the system's own.
#[cfg(all(unix, not(target_os = "linux")))]
pub const EXPECTED_WALLS: &[Wall] = &[
    Wall::EmptyEnvironment,
    Wall::LowestPriority,
    Wall::ResourceLimits,
];
/// Only the process boundary.
#[cfg(not(unix))]
pub const EXPECTED_WALLS: &[Wall] = &[];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bits_follow_the_list_and_codes_differ() {
        for (index, wall) in Wall::ALL.iter().enumerate() {
            assert_eq!(wall.bit(), 1 << index);
            assert!(wall.sentence().ends_with('.'));
        }
        let mut codes = Wall::ALL.map(Wall::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Wall::ALL.len());
    }

    #[test]
    fn walls_that_do_not_exist_are_no_report() {
        for up in [WallSet::ALL.0 + 1, u32::MAX, 1 << 31] {
            assert_eq!(WallReport::read(Raised { up, landlock: 7 }), None);
        }
    }

    #[test]
    fn without_landlock_its_wall_is_not_up() {
        for (landlock, up) in [(0, false), (1, true), (7, true), (255, true)] {
            let report = WallReport::read(Raised::new(WallSet::ALL, landlock)).unwrap();
            let found = report.walls().iter().find(|f| f.wall == Wall::Landlock);
            assert_eq!(found.unwrap().is_up(), up, "{landlock}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_reported_is_missing() {
        let report = WallReport::read(Raised::new(WallSet::NONE, 7)).unwrap();
        assert_eq!(report.missing(), EXPECTED_WALLS);
        assert!(!report.all_up());
        let report = WallReport::read(Raised::new(WallSet::ALL, 7)).unwrap();
        assert!(report.all_up());
    }
}
