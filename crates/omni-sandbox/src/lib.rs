//! Runs a skill in WASM inside a child process.
//!
//! ```text
//!   parent (tokio)                             child (threads only)
//!   admit ─ spawn ── Prepare{limits} ───────▶  put up every wall
//!                 ◀─ Ready{walls} ───────────
//!                 ── Load{module} ──────────▶  admit, compile once
//!                 ◀─ Loaded | Refused ───────
//!           run ──── Run{input, seed} ──────▶  new store and instance
//!                 ◀─ Output | Failed ────────
//!           kill = SIGKILL, pause and throttle = SIGSTOP, resume = SIGCONT
//! ```
//!
//! Two walls stand between a skill and the computer: [`admit`] lets a module import nothing but the
//! few WASI functions that this crate implements itself (no file, socket, environment, clock or real
//! randomness behind them), and the child process holds no key and no database and has given up
//! everything but computing before it sees a module: see [`Wall`]. The parent treats every byte of
//! the child as hostile. Any failure ends the child.
//!
//! The program that uses this crate calls [`child_main`] first thing in `main` when its first
//! argument is [`CHILD_ARG`].

mod admission;
#[cfg(feature = "engine")]
mod child;
#[cfg(feature = "engine")]
mod engine;
mod failure;
// Without the engine nobody speaks or has walls, and only fuzzing listens.
#[cfg_attr(not(feature = "engine"), allow(dead_code))]
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "engine")]
mod guest;
#[cfg(feature = "engine")]
mod parent;
#[cfg_attr(not(feature = "engine"), allow(dead_code))]
mod report;
#[cfg(feature = "engine")]
mod spawner;
#[cfg(feature = "engine")]
mod walls;
#[cfg(feature = "engine")]
mod wasi;

pub use admission::{
    Admitted, MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_MODULE_BYTES, MAX_TABLE_ELEMENTS, MAX_TABLES,
    admit,
};
#[doc(hidden)]
#[cfg(feature = "engine")]
pub use child::raise_walls;
#[cfg(feature = "engine")]
pub use child::{CHILD_ARG, child_main};
#[cfg(feature = "engine")]
pub use engine::{MAX_WASM_STACK_BYTES, SANDBOX_VERSION, engine_config, engine_hash};
pub use failure::{Failure, Refusal, SpawnError, TrapKind};
#[cfg(feature = "engine")]
pub use parent::{COMPILE_WALL_MS, Child, Command, Control, Requirement, probe, spawn};
pub use report::{EXPECTED_WALLS, Landlock, Wall, WallFound, WallReport, WallSet, WallState};
