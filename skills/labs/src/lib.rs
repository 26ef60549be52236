//! Low-autocorrelation binary sequences: search for s in {-1,+1}^N with small E = sum over k >= 1 of C_k^2, where
//! C_k = sum over i of s_i s_{i+k}.
//!
//! The whole skill is one pure function, [`run`]: request bytes in, answer bytes out, integers only, one seeded
//! generator, so the same request gives the same answer on every machine.
//!
//! ```text
//! request -> parse -> [ start (random, mutated or crossed parents) -> local search ]* until the budget is used -> answer
//! ```
//!
//! - Track [`Track::General`]: memetic tabu search (Gallardo, Cotta and Fernandez 2009).
//! - Track [`Track::Skew`]: self-avoiding walks (lssOrel; Boskovic, Brglez and Brest, arXiv:1406.5301) over
//!   skew-symmetric sequences of odd length.
//!
//! # How one flip is scored in constant time
//!
//! E is multilinear of degree 4, so the gain of flipping i is linear in the first derivative at i, and a move at j
//! changes that derivative by a second derivative. The quadruples that hold both i and j are those with equal
//! difference or equal sum, so the second derivative is made of the autocorrelation C_{|i-j|} and the
//! self-convolution V_{i+j} alone. A `Field` keeps C, V and the derivatives A; a move updates all of them in O(N), after
//! which the exact energies of all N neighbours are at hand. This replaces the usual O(N) sum per neighbour.
#![forbid(unsafe_code)]

mod field;
mod message;
mod search;
mod sequence;
mod tabu;
mod walk;

#[cfg(test)]
mod tests;

pub use message::{
    Answer, Refusal, Request, Track, MAX_BUDGET, MAX_LENGTH, MAX_REQUEST_BYTES, MIN_LENGTH,
    MIN_SKEW_LENGTH,
};

/// The skill: the bytes of a request in, the bytes of an answer out.
///
/// # Errors
/// The first rule that the request breaks.
pub fn run(stdin_bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let request = Request::decode(stdin_bytes)?;
    Ok(search::search(&request)?.encode())
}

/// E of a packed sequence of `length` elements, from scratch.
///
/// # Errors
/// [`Refusal::LengthOutOfRange`], [`Refusal::WrongSize`] or [`Refusal::PaddingSet`].
pub fn energy(packed: &[u8], length: u16) -> Result<u32, Refusal> {
    Track::General.check_length(length)?;
    if packed.len() != sequence::packed_bytes(length) {
        return Err(Refusal::WrongSize);
    }
    Ok(sequence::energy_of(&sequence::unpack(
        packed,
        Track::General,
        length,
    )?))
}
