//! The evolutionary search: what is kept, what the next units start from.
//!
//! Its state is a pure function of the campaign's parameters and the ordered, verified outputs: the
//! same log gives the same populations, byte for byte. No clock, no randomness but seeded draws.

pub mod labs;
pub mod published;
mod search;

pub use labs::{Candidate, OutputError};
pub use published::Published;
pub use search::{Search, UnitPlan};
