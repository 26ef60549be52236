//! Double-entry ledger of integer amounts.
//!
//! ```text
//!             ┌── Post ──▶ posted      (counts in debits_posted / credits_posted)
//!  Pending ───┤
//!             └── Void ──▶ voided      (counts nowhere)
//!  Direct ───────────────▶ posted
//! ```
//!
//! Transfers are append-only and identified; balances are derived. Applying a transfer twice changes
//! nothing, applying another one under the same id is refused. After every operation the sum of
//! debits equals the sum of credits, and what was minted is paid, pending, in reserve or burned.
//!
//! Pure: no clock, no randomness, no storage.

mod account;

pub use account::Account;

use std::collections::BTreeMap;

use omni_types::{Micro, ReceiptId};
use thiserror::Error;

/// Identity of a transfer; a receipt's pending transfer has the receipt's own id.
pub type TransferId = ReceiptId;

/// One movement of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Moves at once.
    Direct {
        /// Identity.
        id: TransferId,
        /// Gives.
        debit: Account,
        /// Takes.
        credit: Account,
        /// How much, above zero.
        amount: Micro,
    },
    /// Sets aside until posted or voided.
    Pending {
        /// Identity.
        id: TransferId,
        /// Gives.
        debit: Account,
        /// Takes.
        credit: Account,
        /// How much, above zero.
        amount: Micro,
    },
    /// Makes a pending transfer final.
    Post {
        /// Identity.
        id: TransferId,
        /// The pending transfer.
        pending: TransferId,
    },
    /// Takes a pending transfer back.
    Void {
        /// Identity.
        id: TransferId,
        /// The pending transfer.
        pending: TransferId,
    },
}

impl Transfer {
    /// Identity.
    pub fn id(&self) -> TransferId {
        match self {
            Self::Direct { id, .. }
            | Self::Pending { id, .. }
            | Self::Post { id, .. }
            | Self::Void { id, .. } => *id,
        }
    }
}

/// What applying a transfer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Balances changed.
    New,
    /// The very same transfer was there already; nothing changed.
    AlreadyThere,
}

/// Why a transfer is refused; checked in the order listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Another transfer has this id.
    #[error("another transfer has this id")]
    ExistsDifferent,
    /// Debit and credit account are the same.
    #[error("debit and credit account are the same")]
    SameAccount,
    /// The amount is zero or above [`Micro::MAX`].
    #[error("the amount is out of range")]
    AmountOutOfRange,
    /// There is no such pending transfer.
    #[error("there is no such pending transfer")]
    PendingNotFound,
    /// The transfer named as pending is of another kind.
    #[error("the transfer named is not a pending one")]
    NotPending,
    /// Already posted.
    #[error("the pending transfer was already posted")]
    AlreadyPosted,
    /// Already voided.
    #[error("the pending transfer was already voided")]
    AlreadyVoided,
    /// The debit account has too little left.
    #[error("the account does not have that much")]
    InsufficientFunds,
    /// A balance would grow above [`Micro::MAX`].
    #[error("a balance would grow too large")]
    Overflow,
}

impl Refusal {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::ExistsDifferent => "exists-different",
            Self::SameAccount => "same-account",
            Self::AmountOutOfRange => "amount-out-of-range",
            Self::PendingNotFound => "pending-not-found",
            Self::NotPending => "not-pending",
            Self::AlreadyPosted => "already-posted",
            Self::AlreadyVoided => "already-voided",
            Self::InsufficientFunds => "insufficient-funds",
            Self::Overflow => "overflow",
        }
    }
}

/// The four sums of one account; they only grow, but for pending ones that are resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Given for good.
    pub debits_posted: Micro,
    /// Taken for good.
    pub credits_posted: Micro,
    /// Set aside to give.
    pub debits_pending: Micro,
    /// Set aside to take.
    pub credits_pending: Micro,
}

impl Balance {
    /// What the account can still give: taken for good, less given and set aside.
    pub fn available(&self) -> Micro {
        let given = u128::from(self.debits_posted.0) + u128::from(self.debits_pending.0);
        let left = u128::from(self.credits_posted.0).saturating_sub(given);
        Micro(u64::try_from(left).unwrap_or(u64::MAX))
    }
}

/// State of a reward in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Neither posted nor voided.
    Open,
    /// Final.
    Posted,
    /// Taken back.
    Voided,
}

/// Sums over the whole ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Brought into the world.
    pub minted: Micro,
    /// With nodes for good.
    pub paid: Micro,
    /// Set aside, not yet final.
    pub pending: Micro,
    /// Unspent budgets, reserve and development fund, less what is set aside.
    pub reserve: Micro,
    /// Taken out of the world.
    pub burned: Micro,
    /// Sum of debits equals sum of credits, posted and pending, and
    /// `minted = paid + pending + reserve + burned`.
    pub conserved: bool,
}

#[derive(Clone, Debug)]
struct Stored {
    transfer: Transfer,
    state: PendingState,
}

/// The books: every transfer and the balances they come to.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    transfers: BTreeMap<TransferId, Stored>,
    balances: BTreeMap<Account, Balance>,
}

impl Ledger {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one transfer.
    ///
    /// # Errors
    /// A [`Refusal`]; the books are then unchanged.
    pub fn apply(&mut self, transfer: Transfer) -> Result<Applied, Refusal> {
        if let Some(stored) = self.transfers.get(&transfer.id()) {
            return if stored.transfer == transfer {
                Ok(Applied::AlreadyThere)
            } else {
                Err(Refusal::ExistsDifferent)
            };
        }
        match transfer {
            Transfer::Direct {
                debit,
                credit,
                amount,
                ..
            } => self.move_amount(debit, credit, amount, false)?,
            Transfer::Pending {
                debit,
                credit,
                amount,
                ..
            } => self.move_amount(debit, credit, amount, true)?,
            Transfer::Post { pending, .. } => self.resolve(pending, PendingState::Posted)?,
            Transfer::Void { pending, .. } => self.resolve(pending, PendingState::Voided)?,
        }
        self.transfers.insert(
            transfer.id(),
            Stored {
                transfer,
                state: PendingState::Open,
            },
        );
        Ok(Applied::New)
    }

    fn move_amount(
        &mut self,
        debit: Account,
        credit: Account,
        amount: Micro,
        pending: bool,
    ) -> Result<(), Refusal> {
        if debit == credit {
            return Err(Refusal::SameAccount);
        }
        if amount == Micro::ZERO || amount > Micro::MAX {
            return Err(Refusal::AmountOutOfRange);
        }
        let mut giver = self.balance(debit);
        let mut taker = self.balance(credit);
        if !debit.may_go_negative() && giver.available() < amount {
            return Err(Refusal::InsufficientFunds);
        }
        let (given, taken) = if pending {
            (&mut giver.debits_pending, &mut taker.credits_pending)
        } else {
            (&mut giver.debits_posted, &mut taker.credits_posted)
        };
        *given = given.checked_add(amount).ok_or(Refusal::Overflow)?;
        *taken = taken.checked_add(amount).ok_or(Refusal::Overflow)?;
        self.balances.insert(debit, giver);
        self.balances.insert(credit, taker);
        Ok(())
    }

    fn resolve(&mut self, pending: TransferId, to: PendingState) -> Result<(), Refusal> {
        let stored = self
            .transfers
            .get(&pending)
            .ok_or(Refusal::PendingNotFound)?;
        let Transfer::Pending {
            debit,
            credit,
            amount,
            ..
        } = stored.transfer
        else {
            return Err(Refusal::NotPending);
        };
        match stored.state {
            PendingState::Open => {}
            PendingState::Posted => return Err(Refusal::AlreadyPosted),
            PendingState::Voided => return Err(Refusal::AlreadyVoided),
        }
        let mut giver = self.balance(debit);
        let mut taker = self.balance(credit);
        let less = |sum: Micro| sum.checked_sub(amount).ok_or(Refusal::Overflow);
        let more = |sum: Micro| sum.checked_add(amount).ok_or(Refusal::Overflow);
        giver.debits_pending = less(giver.debits_pending)?;
        taker.credits_pending = less(taker.credits_pending)?;
        if to == PendingState::Posted {
            giver.debits_posted = more(giver.debits_posted)?;
            taker.credits_posted = more(taker.credits_posted)?;
        }
        self.balances.insert(debit, giver);
        self.balances.insert(credit, taker);
        if let Some(stored) = self.transfers.get_mut(&pending) {
            stored.state = to;
        }
        Ok(())
    }

    /// Balance of one account, all zero when nothing touched it.
    pub fn balance(&self, account: Account) -> Balance {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// Every account that was ever touched, in order.
    pub fn balances(&self) -> impl Iterator<Item = (Account, Balance)> + '_ {
        self.balances
            .iter()
            .map(|(account, balance)| (*account, *balance))
    }

    /// State of a pending transfer, `None` when there is none with this id.
    pub fn pending_state(&self, id: TransferId) -> Option<PendingState> {
        self.transfers
            .get(&id)
            .filter(|stored| matches!(stored.transfer, Transfer::Pending { .. }))
            .map(|stored| stored.state)
    }

    /// Amount of a pending transfer, whatever became of it.
    pub fn pending_amount(&self, id: TransferId) -> Option<Micro> {
        match self.transfers.get(&id)?.transfer {
            Transfer::Pending { amount, .. } => Some(amount),
            _ => None,
        }
    }

    /// Accounts that a transfer of these books touches.
    pub fn accounts_of(&self, transfer: &Transfer) -> Option<(Account, Account)> {
        match transfer {
            Transfer::Direct { debit, credit, .. } | Transfer::Pending { debit, credit, .. } => {
                Some((*debit, *credit))
            }
            Transfer::Post { pending, .. } | Transfer::Void { pending, .. } => {
                let stored = self.transfers.get(pending)?;
                match stored.transfer {
                    Transfer::Pending { debit, credit, .. } => Some((debit, credit)),
                    _ => None,
                }
            }
        }
    }

    /// Sums over all accounts, and whether they are conserved.
    pub fn totals(&self) -> Totals {
        let mut sums = [0u128; 4];
        let (mut minted, mut paid, mut pending, mut reserve, mut burned) =
            (0i128, 0i128, 0i128, 0i128, 0i128);
        for (account, balance) in self.balances() {
            let parts = [
                balance.debits_posted,
                balance.credits_posted,
                balance.debits_pending,
                balance.credits_pending,
            ];
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += u128::from(part.0);
            }
            let posted = i128::from(balance.credits_posted.0) - i128::from(balance.debits_posted.0);
            let free = posted - i128::from(balance.debits_pending.0);
            pending += i128::from(balance.credits_pending.0);
            match account {
                Account::Mint => minted -= free,
                Account::Node(_) => paid += free,
                Account::Campaign(_) | Account::Development | Account::Reserve => reserve += free,
                Account::Burned => burned += free,
            }
        }
        let [debits, credits, debits_pending, credits_pending] = sums;
        let fits = [minted, paid, pending, reserve, burned]
            .iter()
            .all(|sum| (0..=i128::from(u64::MAX)).contains(sum));
        let micro = |sum: i128| Micro(u64::try_from(sum).unwrap_or(0));
        Totals {
            minted: micro(minted),
            paid: micro(paid),
            pending: micro(pending),
            reserve: micro(reserve),
            burned: micro(burned),
            conserved: fits
                && debits == credits
                && debits_pending == credits_pending
                && minted == paid + pending + reserve + burned,
        }
    }
}
