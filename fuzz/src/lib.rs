//! What is fuzzed: each target is a function of bytes that must not panic, and asserts what must
//! hold for them. It returns whether the bytes were accepted to the end, which the seeds are.
#![forbid(unsafe_code)]

mod envelopes;
mod sandbox;
mod text;

pub use envelopes::envelopes;
pub use sandbox::{admission, pipe};
pub use text::text;

/// One input to start from: a name for its file, and its bytes.
pub type Seed = (String, Vec<u8>);

/// A target by name.
pub struct Target {
    /// Name of the fuzz target.
    pub name: &'static str,
    /// What it does with an input; says whether the input was accepted to the end.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Seed>,
}

/// Every target there is.
pub const TARGETS: &[Target] = &[
    Target {
        name: "envelopes",
        run: envelopes,
        seeds: envelopes::seeds,
    },
    Target {
        name: "admission",
        run: admission,
        seeds: sandbox::admission_seeds,
    },
    Target {
        name: "pipe",
        run: pipe,
        seeds: sandbox::pipe_seeds,
    },
    Target {
        name: "text",
        run: text,
        seeds: text::seeds,
    },
];
