//! The rules of OmniSwarm without any effects: what a volunteer's node and a steward decide, given
//! verified messages, outcomes and the time.
//!
//! ```text
//!            Input + now                       Output, in order
//!  effects ──────────────▶ Volunteer/Steward ───────────────────▶ effects
//!                          (Machine)            Commit before the Send it justifies
//! ```
//!
//! Both machines are event-sourced: every durable change is a [`omni_types::Record`], state is
//! rebuilt by replaying the log, and nothing else survives a crash.
//!
//! Pure: no clock, no randomness, no storage, no network.

pub mod audit;
pub mod books;
pub mod charter;
pub mod confirmations;
pub mod governor;
pub mod machine;
pub mod orders;
pub mod policy;
pub mod quorum;
pub mod receipts;
mod roots;
pub mod steward;
pub mod volunteer;

pub use governor::{Allowance, Conditions, Governor, Hold, LocalTime, Signal, Untold};
pub use machine::{Command, Input, Job, Machine, Output, RequestFailed};
pub use policy::{Decision, Denial, Permit};
pub use steward::Steward;
pub use volunteer::Volunteer;
