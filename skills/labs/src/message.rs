//! The bytes of requests and answers, and the names of what is wrong with them.

use super::sequence::{energy_of, packed_bytes, unpack};

/// Shortest sequence of the general track, in elements.
pub const MIN_LENGTH: u16 = 3;
/// Shortest sequence of the skew-symmetric track, in elements.
pub const MIN_SKEW_LENGTH: u16 = 5;
/// Longest sequence of either track, in elements.
pub const MAX_LENGTH: u16 = 449;
/// Largest budget, in flip evaluations.
pub const MAX_BUDGET: u64 = 1 << 40;
/// Longest request in bytes: seed, header and two parents of [`MAX_LENGTH`] elements.
pub const MAX_REQUEST_BYTES: usize = SEED_BYTES + HEADER_BYTES + 2 * 57;

const SEED_BYTES: usize = 8;
const HEADER_BYTES: usize = 18;
const ANSWER_HEADER_BYTES: usize = 32;
const REQUEST_MAGIC: [u8; 4] = *b"LAB1";
const ANSWER_MAGIC: [u8; 4] = *b"LABO";

/// Why a request (or an answer that is read back) is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Fewer bytes than the seed and the fixed header need.
    TooShort,
    /// The magic bytes are not those of this format.
    BadMagic,
    /// The track is neither 0 (general) nor 1 (skew-symmetric).
    UnknownTrack,
    /// More than two parents.
    TooManyParents,
    /// The length is outside the range of its track.
    LengthOutOfRange,
    /// A skew-symmetric sequence of even length does not exist.
    LengthEven,
    /// The budget is zero or above [`MAX_BUDGET`].
    BudgetOutOfRange,
    /// The crossover probability is above 1,000 permille.
    CrossoverOutOfRange,
    /// The total size does not follow from the header.
    WrongSize,
    /// A bit after the last element of a sequence is set.
    PaddingSet,
    /// A sequence of the skew track is not skew-symmetric.
    NotSkewSymmetric,
    /// A reserved byte of an answer is not zero, or its energy is not that of its sequence.
    AnswerInconsistent,
}

impl Refusal {
    /// Stable kebab-case name.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::TooShort => "too-short",
            Refusal::BadMagic => "bad-magic",
            Refusal::UnknownTrack => "unknown-track",
            Refusal::TooManyParents => "too-many-parents",
            Refusal::LengthOutOfRange => "length-out-of-range",
            Refusal::LengthEven => "length-even",
            Refusal::BudgetOutOfRange => "budget-out-of-range",
            Refusal::CrossoverOutOfRange => "crossover-out-of-range",
            Refusal::WrongSize => "wrong-size",
            Refusal::PaddingSet => "padding-set",
            Refusal::NotSkewSymmetric => "not-skew-symmetric",
            Refusal::AnswerInconsistent => "answer-inconsistent",
        }
    }

    /// One plain sentence for a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Refusal::TooShort => "the message is shorter than its fixed part",
            Refusal::BadMagic => "the message does not begin with the magic bytes of this format",
            Refusal::UnknownTrack => "the track must be 0 (general) or 1 (skew-symmetric)",
            Refusal::TooManyParents => "there may be at most two parents",
            Refusal::LengthOutOfRange => {
                "the length must be 3 to 449 (general) or 5 to 449 (skew-symmetric)"
            }
            Refusal::LengthEven => "the length of a skew-symmetric sequence must be odd",
            Refusal::BudgetOutOfRange => "the budget must be 1 to 2^40 flip evaluations",
            Refusal::CrossoverOutOfRange => "the crossover probability must be 0 to 1000 permille",
            Refusal::WrongSize => "the size of the message does not fit its header",
            Refusal::PaddingSet => "the bits after the end of a sequence must be zero",
            Refusal::NotSkewSymmetric => {
                "a sequence of the skew-symmetric track is not skew-symmetric"
            }
            Refusal::AnswerInconsistent => "the answer contradicts itself",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code(), self.sentence())
    }
}

impl std::error::Error for Refusal {}

/// Which sequences are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// Every sequence.
    General,
    /// Odd N with s_{m+i} = (-1)^i s_{m-i}, m = (N-1)/2.
    Skew,
}

impl Track {
    /// The byte of this track in requests and answers.
    pub fn byte(self) -> u8 {
        match self {
            Track::General => 0,
            Track::Skew => 1,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, Refusal> {
        match byte {
            0 => Ok(Track::General),
            1 => Ok(Track::Skew),
            _ => Err(Refusal::UnknownTrack),
        }
    }

    pub(super) fn check_length(self, length: u16) -> Result<(), Refusal> {
        let least = match self {
            Track::General => MIN_LENGTH,
            Track::Skew => MIN_SKEW_LENGTH,
        };
        if length < least || length > MAX_LENGTH {
            return Err(Refusal::LengthOutOfRange);
        }
        if self == Track::Skew && length & 1 == 0 {
            return Err(Refusal::LengthEven);
        }
        Ok(())
    }
}

/// What one segment is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Seed of the generator of this segment.
    pub seed: u64,
    /// Which sequences are searched.
    pub track: Track,
    /// Number of elements N.
    pub length: u16,
    /// Upper bound of the work, in flip evaluations.
    pub budget: u64,
    /// Probability that a start is a crossover of two parents, in permille; without effect for fewer than two.
    pub crossover_permille: u16,
    /// Zero to two packed sequences to start from (bit i is byte i/8, bit i%8; 1 means +1).
    pub parents: Vec<Vec<u8>>,
}

impl Request {
    /// Reads the bytes of a request: 8 bytes of seed, then the input.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader(bytes);
        let seed = u64::from_le_bytes(reader.array()?);
        if reader.array::<4>()? != REQUEST_MAGIC {
            return Err(Refusal::BadMagic);
        }
        let [track, parent_count] = reader.array()?;
        let length = u16::from_le_bytes(reader.array()?);
        let budget = u64::from_le_bytes(reader.array()?);
        let crossover_permille = u16::from_le_bytes(reader.array()?);
        let track = Track::from_byte(track)?;
        if parent_count > 2 {
            return Err(Refusal::TooManyParents);
        }
        track.check_length(length)?;
        if budget == 0 || budget > MAX_BUDGET {
            return Err(Refusal::BudgetOutOfRange);
        }
        if crossover_permille > 1000 {
            return Err(Refusal::CrossoverOutOfRange);
        }
        let size = packed_bytes(length);
        if reader.0.len() != size * usize::from(parent_count) {
            return Err(Refusal::WrongSize);
        }
        let mut parents = Vec::new();
        for packed in reader.0.chunks_exact(size) {
            unpack(packed, track, length)?;
            parents.push(packed.to_vec());
        }
        Ok(Request {
            seed,
            track,
            length,
            budget,
            crossover_permille,
            parents,
        })
    }

    /// The bytes of this request. They are checked when they are decoded, not here.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_REQUEST_BYTES);
        bytes.extend_from_slice(&self.seed.to_le_bytes());
        bytes.extend_from_slice(&REQUEST_MAGIC);
        bytes.push(self.track.byte());
        bytes.push(u8::try_from(self.parents.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.budget.to_le_bytes());
        bytes.extend_from_slice(&self.crossover_permille.to_le_bytes());
        for parent in &self.parents {
            bytes.extend_from_slice(parent);
        }
        bytes
    }
}

/// What one segment found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which sequences were searched.
    pub track: Track,
    /// Number of elements N.
    pub length: u16,
    /// E of the best sequence.
    pub energy: u32,
    /// Flip evaluations used, at most the budget.
    pub evaluations: u64,
    /// Local searches started, at least 1; stays at its maximum instead of wrapping.
    pub restarts: u32,
    /// State of the generator at the end.
    pub generator: u64,
    /// The best sequence, packed; of equally good ones the first found.
    pub sequence: Vec<u8>,
}

impl Answer {
    /// Reads the bytes of an answer and recomputes its energy.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader(bytes);
        if reader.array::<4>()? != ANSWER_MAGIC {
            return Err(Refusal::BadMagic);
        }
        let [track, reserved] = reader.array()?;
        let length = u16::from_le_bytes(reader.array()?);
        let energy = u32::from_le_bytes(reader.array()?);
        let evaluations = u64::from_le_bytes(reader.array()?);
        let restarts = u32::from_le_bytes(reader.array()?);
        let generator = u64::from_le_bytes(reader.array()?);
        let track = Track::from_byte(track)?;
        track.check_length(length)?;
        if reader.0.len() != packed_bytes(length) {
            return Err(Refusal::WrongSize);
        }
        let signs = unpack(reader.0, track, length)?;
        if reserved != 0 || energy_of(&signs) != energy {
            return Err(Refusal::AnswerInconsistent);
        }
        let sequence = reader.0.to_vec();
        Ok(Answer {
            track,
            length,
            energy,
            evaluations,
            restarts,
            generator,
            sequence,
        })
    }

    /// The bytes of this answer.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ANSWER_HEADER_BYTES + self.sequence.len());
        bytes.extend_from_slice(&ANSWER_MAGIC);
        bytes.push(self.track.byte());
        bytes.push(0);
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.energy.to_le_bytes());
        bytes.extend_from_slice(&self.evaluations.to_le_bytes());
        bytes.extend_from_slice(&self.restarts.to_le_bytes());
        bytes.extend_from_slice(&self.generator.to_le_bytes());
        bytes.extend_from_slice(&self.sequence);
        bytes
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], Refusal> {
        let head = self.0.get(..SIZE).ok_or(Refusal::TooShort)?;
        let array = head.try_into().map_err(|_| Refusal::TooShort)?;
        self.0 = self.0.get(SIZE..).unwrap_or_default();
        Ok(array)
    }
}
