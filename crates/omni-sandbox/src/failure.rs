//! Named reasons why a skill does not run, or did not run to its end.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Wall;

/// Why a module is not admitted. Its text (`Display`) is a sentence a volunteer understands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// More than [`crate::MAX_MODULE_BYTES`].
    #[error("The skill is larger than allowed.")]
    TooLarge,
    /// Not a valid WebAssembly module of the accepted feature set.
    #[error("The skill is damaged or uses features that are not allowed.")]
    Malformed,
    /// Imports something that is not on the allowlist. Both names are shortened and printable.
    #[error("The skill asks for \"{module}.{name}\", which no skill may use.")]
    ImportNotAllowed {
        /// Module part of the import.
        module: String,
        /// Name part of the import.
        name: String,
    },
    /// Imports an allowed function with parameters other than its own.
    #[error("The skill uses \"{name}\" in a way that does not exist.")]
    ImportSignature {
        /// Name of the allowed function.
        name: &'static str,
    },
    /// Exports no function `_start` without parameters and results.
    #[error("The skill has no beginning: it cannot be started.")]
    NoEntry,
    /// Does not export its memory under the name `memory`.
    #[error("The skill does not show its memory, so it cannot receive input.")]
    NoMemory,
    /// Has a start section, which would run before the limits of a run are known.
    #[error("The skill wants to run before it is started.")]
    StartFunction,
    /// Has more than one memory.
    #[error("The skill wants more than one memory.")]
    TooManyMemories,
    /// Its declared minimum memory is beyond the limit.
    #[error("The skill needs more memory than it may use.")]
    MemoryTooLarge,
    /// More than [`crate::MAX_FUNCTIONS`] functions.
    #[error("The skill has too many functions.")]
    TooManyFunctions,
    /// A function body of more than [`crate::MAX_FUNCTION_BYTES`].
    #[error("The skill has a function that is too large.")]
    FunctionTooLarge,
    /// More than [`crate::MAX_TABLES`] tables.
    #[error("The skill has too many tables.")]
    TooManyTables,
    /// A table of more than [`crate::MAX_TABLE_ELEMENTS`] elements.
    #[error("The skill has a table that is too large.")]
    TableTooLarge,
    /// Admitted, but the engine could not translate it.
    #[error("The skill could not be prepared on this computer.")]
    CannotCompile,
}

impl Refusal {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::ImportNotAllowed { .. } => "import-not-allowed",
            Self::ImportSignature { .. } => "import-signature",
            Self::NoEntry => "no-entry",
            Self::NoMemory => "no-memory",
            Self::StartFunction => "start-function",
            Self::TooManyMemories => "too-many-memories",
            Self::MemoryTooLarge => "memory-too-large",
            Self::TooManyFunctions => "too-many-functions",
            Self::FunctionTooLarge => "function-too-large",
            Self::TooManyTables => "too-many-tables",
            Self::TableTooLarge => "table-too-large",
            Self::CannotCompile => "cannot-compile",
        }
    }

    /// One sentence a volunteer understands.
    pub fn sentence(&self) -> String {
        self.to_string()
    }
}

/// What kind of instruction a skill failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrapKind {
    /// The skill gave up by itself (a panic in most languages).
    Unreachable,
    /// Read or wrote outside its memory.
    MemoryOutOfBounds,
    /// Read or wrote outside a table.
    TableOutOfBounds,
    /// Called an empty table slot.
    NullCall,
    /// Called a function with another signature.
    BadSignature,
    /// An integer does not fit.
    IntegerOverflow,
    /// Division by zero.
    DivisionByZero,
    /// A floating-point number that is no integer.
    BadConversion,
    /// Anything else.
    Other,
}

impl TrapKind {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::MemoryOutOfBounds => "memory-out-of-bounds",
            Self::TableOutOfBounds => "table-out-of-bounds",
            Self::NullCall => "null-call",
            Self::BadSignature => "bad-signature",
            Self::IntegerOverflow => "integer-overflow",
            Self::DivisionByZero => "division-by-zero",
            Self::BadConversion => "bad-conversion",
            Self::Other => "other",
        }
    }
}

/// Why there is no output. Its text (`Display`) is a sentence a volunteer understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The skill failed at an instruction.
    #[error("The skill failed while computing ({}).", .0.code())]
    Trap(TrapKind),
    /// The skill ended itself with a code other than 0.
    #[error("The skill ended with error code {0}.")]
    ExitCode(i32),
    /// The skill asked for more memory than it may use, and then failed.
    #[error("The skill needed more memory than it may use.")]
    MemoryLimit,
    /// The skill's calls were nested too deeply.
    #[error("The skill needed more stack than it may use.")]
    StackOverflow,
    /// The skill wrote more than it may.
    #[error("The skill produced more output than allowed.")]
    OutputTooLarge,
    /// The input is larger than [`omni_types::work::MAX_INPUT_BYTES`].
    #[error("The input of the skill is larger than allowed.")]
    InputTooLarge,
    /// The wall-clock limit was reached, pauses not counted. Local: no result and no vote.
    #[error("The skill took longer than allowed on this computer.")]
    TimedOut,
    /// [`crate::Control::kill`] was called.
    #[error("The skill was stopped at once, as asked.")]
    Killed,
    /// The child process ended without an answer, or had ended before.
    #[error("The process of the skill ended unexpectedly.")]
    ChildDied,
    /// The child process said something that it must not say.
    #[error("The process of the skill sent something damaged and was stopped.")]
    ChildProtocol,
    /// The child process asked the system for something that is not computing, and was ended by
    /// the system.
    #[error("The skill tried to leave its sandbox and was stopped.")]
    WallHit,
    /// A wall that this system is supposed to have could not be put up, so nothing was run.
    #[error("A protection is missing on this computer, so no work is done ({}).", .0.code())]
    WallMissing(Wall),
    /// The operating system did not start the child process.
    #[error("The process of the skill could not be started.")]
    CannotStart,
}

impl Failure {
    /// Stable code, kebab case; parameters are not part of it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::ExitCode(_) => "exit-code",
            Self::MemoryLimit => "memory-limit",
            Self::StackOverflow => "stack-overflow",
            Self::OutputTooLarge => "output-too-large",
            Self::InputTooLarge => "input-too-large",
            Self::TimedOut => "timed-out",
            Self::Killed => "killed",
            Self::ChildDied => "child-died",
            Self::ChildProtocol => "child-protocol",
            Self::WallHit => "wall-hit",
            Self::WallMissing(_) => "wall-missing",
            Self::CannotStart => "cannot-start",
        }
    }

    /// One sentence a volunteer understands.
    pub fn sentence(&self) -> String {
        self.to_string()
    }
}

/// Why [`crate::spawn`] gives no child.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpawnError {
    /// The module is not admitted: the same on every computer, except
    /// [`Refusal::CannotCompile`].
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something went wrong on this computer.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl SpawnError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Failed(failure) => failure.code(),
        }
    }
}
