//! The whole product as its users run it: real processes of `omniswarm` on loopback, each with its own
//! folder and key, from the first lease to the receipt that an outsider proves.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod consent;
mod crashes;
mod demo;
mod dishonesty;
mod identities;
mod ledgers;
mod network;
mod outputs;
mod program;
mod receipts;
mod safety;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One network at a time: a small computer runs them one after the other faster than all at once.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
