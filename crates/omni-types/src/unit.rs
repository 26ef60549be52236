//! Integer units: money and time. No floating point anywhere near either.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Rejection;

/// An amount of credits in millionths, 0 ..= 2^63 − 1. Credits carry no promise of money.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micro(pub u64);

impl Micro {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, so that it also fits a signed 64-bit column.
    pub const MAX: Self = Self(i64::MAX as u64);
    /// One credit.
    pub const CREDIT: Self = Self(1_000_000);

    /// Sum, or `None` above [`Micro::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .filter(|sum| *sum <= Self::MAX)
    }

    /// Difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Product with a count, or `None` above [`Micro::MAX`].
    pub fn checked_mul(self, count: u64) -> Option<Self> {
        self.0
            .checked_mul(count)
            .map(Self)
            .filter(|product| *product <= Self::MAX)
    }
}

impl fmt::Display for Micro {
    /// Credits with six decimals, exact: `12.500000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl FromStr for Micro {
    type Err = Rejection;

    /// Parses the text form, with exactly six decimals.
    fn from_str(text: &str) -> Result<Self, Rejection> {
        let (whole, fraction) = text.split_once('.').ok_or(Rejection::Malformed)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() != 6 || !digits(whole) || !digits(fraction) {
            return Err(Rejection::Malformed);
        }
        let whole: u64 = whole.parse().map_err(|_| Rejection::Malformed)?;
        let fraction: u64 = fraction.parse().map_err(|_| Rejection::Malformed)?;
        Self::CREDIT
            .checked_mul(whole)
            .and_then(|credits| credits.checked_add(Self(fraction)))
            .ok_or(Rejection::Malformed)
    }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment plus `ms` milliseconds, saturating.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, zero when `earlier` is later.
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
