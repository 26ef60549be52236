//! Runs a skill in WASM inside a child process.
//!
//! ```text
//!   parent (tokio)                             child (threads only)
//!   admit ─ spawn ── Load{module, limits} ──▶  admit, compile once
//!                 ◀─ Loaded | Refused ───────
//!           run ──── Run{input, seed} ──────▶  new store and instance
//!                 ◀─ Output | Failed ────────
//!           kill = SIGKILL, pause = SIGSTOP, resume = SIGCONT
//! ```
//!
//! Two walls stand between a skill and the computer: [`admit`] lets a module import nothing but the
//! few WASI functions that this crate implements itself (no file, socket, environment, clock or real
//! randomness behind them), and the child process holds no key and no database. The parent treats
//! every byte of the child as hostile. Any failure ends the child.
//!
//! The program that uses this crate calls [`child_main`] first thing in `main` when its first
//! argument is [`CHILD_ARG`].

mod admission;
mod child;
mod engine;
mod failure;
mod frame;
mod guest;
mod parent;
mod spawner;
mod wasi;

pub use admission::{
    Admitted, MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_MODULE_BYTES, MAX_TABLE_ELEMENTS, MAX_TABLES,
    admit,
};
pub use child::{CHILD_ARG, child_main};
pub use engine::{MAX_WASM_STACK_BYTES, SANDBOX_VERSION, engine_config, engine_hash};
pub use failure::{Failure, Refusal, SpawnError, TrapKind};
pub use parent::{COMPILE_WALL_MS, Child, Command, Control, spawn};
