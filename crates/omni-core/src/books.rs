//! From records to ledger transfers: the one mapping that stewards, volunteers and
//! `omniswarm ledger verify` share.

use omni_ledger::{Account, Balance, Ledger, PendingState, Refusal, Totals, Transfer, TransferId};
use omni_types::{
    Campaign, CampaignId, Digest, Micro, NetworkId, Posting, PostingOutcome, Receipt, Record,
    Rejection, Signed,
};
use thiserror::Error;

/// An account with its balance, as stored beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountBalance {
    /// Text form of the account.
    pub account: String,
    /// The balance.
    pub balance: Balance,
}

/// Why a record cannot be entered in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BookError {
    /// The signed document in the record does not verify.
    #[error("{0}")]
    Evidence(#[from] Rejection),
    /// The ledger refuses the transfer.
    #[error("{0}")]
    Transfer(#[from] Refusal),
}

impl BookError {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Evidence(rejection) => rejection.code(),
            Self::Transfer(refusal) => refusal.code(),
        }
    }
}

/// Mints a campaign's budget.
pub fn budget(campaign: &Campaign) -> Transfer {
    let id = Digest::of_parts("omniswarm/1/budget", &[&campaign.id.0]);
    Transfer::Direct {
        id: omni_types::ReceiptId(id.0),
        debit: Account::Mint,
        credit: Account::Campaign(campaign.id),
        amount: campaign.reward.budget,
    }
}

/// Sets a reward aside; the transfer has the receipt's id.
pub fn reward(receipt: &Receipt) -> Transfer {
    Transfer::Pending {
        id: receipt.id,
        debit: Account::Campaign(receipt.campaign),
        credit: Account::Node(receipt.node),
        amount: receipt.amount,
    }
}

/// Resolves a reward.
pub fn resolution(posting: &Posting) -> Transfer {
    let pending = posting.receipt;
    let id = Digest::of_parts("omniswarm/1/resolution", &[&pending.0]);
    let id = omni_types::ReceiptId(id.0);
    match posting.outcome {
        PostingOutcome::Posted => Transfer::Post { id, pending },
        PostingOutcome::Voided => Transfer::Void { id, pending },
    }
}

/// A ledger that is fed with records.
#[derive(Clone, Debug, Default)]
pub struct Books {
    ledger: Ledger,
    changed: std::collections::BTreeSet<Account>,
}

impl Books {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a transfer; entering it again changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`]; the books are then unchanged.
    pub fn enter(&mut self, transfer: Transfer) -> Result<(), Refusal> {
        self.ledger.apply(transfer)?;
        if let Some((debit, credit)) = self.ledger.accounts_of(&transfer) {
            self.changed.insert(debit);
            self.changed.insert(credit);
        }
        Ok(())
    }

    /// Enters what a record of the log of `network` says, if it says anything about credits. The
    /// signature inside is checked again.
    ///
    /// # Errors
    /// A [`BookError`].
    pub fn enter_record(&mut self, record: &Record, network: NetworkId) -> Result<(), BookError> {
        fn open<T: omni_types::Domain>(
            signed: &Signed<T>,
            network: NetworkId,
        ) -> Result<omni_types::Verified<T>, Rejection> {
            signed.clone().verify_stored(network)
        }
        let transfer = match record {
            Record::CampaignOpened(campaign) | Record::CampaignJoined(campaign) => {
                budget(&*open(campaign, network)?)
            }
            Record::ReceiptIssued(receipt) => reward(&*open(receipt, network)?),
            Record::ReceiptReceived { proof, .. } => reward(&*open(&proof.receipt, network)?),
            Record::PostingIssued(posting) | Record::PostingReceived { posting, .. } => {
                resolution(&*open(posting, network)?)
            }
            Record::Consent { .. }
            | Record::Kill { .. }
            | Record::Pause { .. }
            | Record::SettingsChanged(_)
            | Record::OrderTaken(_)
            | Record::Decided(_)
            | Record::Asked { .. }
            | Record::Answered { .. }
            | Record::AnswerUsed { .. }
            | Record::AnswerRevoked { .. }
            | Record::LeaseTaken(_)
            | Record::LeaseDropped { .. }
            | Record::ResultCommitted(_)
            | Record::ResultDelivered { .. }
            | Record::UnitCreated { .. }
            | Record::LeaseIssued(_)
            | Record::LeaseEnded { .. }
            | Record::ResultReceived(_)
            | Record::SampleDrawn { .. }
            | Record::VerifierDrawn { .. }
            | Record::VerdictReached(_)
            | Record::GenerationClosed { .. } => return Ok(()),
        };
        Ok(self.enter(transfer)?)
    }

    /// Balances that changed since the last call.
    pub fn take_changed(&mut self) -> Vec<AccountBalance> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|account| AccountBalance {
                account: account.to_string(),
                balance: self.ledger.balance(account),
            })
            .collect()
    }

    /// Every balance, in order of account.
    pub fn balances(&self) -> Vec<AccountBalance> {
        self.ledger
            .balances()
            .map(|(account, balance)| AccountBalance {
                account: account.to_string(),
                balance,
            })
            .collect()
    }

    /// What a campaign has left to promise.
    pub fn available(&self, account: Account) -> Micro {
        self.ledger.balance(account).available()
    }

    /// Balance of one account.
    pub fn balance(&self, account: Account) -> Balance {
        self.ledger.balance(account)
    }

    /// State of a reward.
    pub fn state(&self, receipt: TransferId) -> Option<PendingState> {
        self.ledger.pending_state(receipt)
    }

    /// Amount of a reward.
    pub fn amount(&self, receipt: TransferId) -> Option<Micro> {
        self.ledger.pending_amount(receipt)
    }

    /// The campaign that pays a reward.
    pub fn payer(&self, receipt: TransferId) -> Option<CampaignId> {
        let post = Transfer::Post {
            id: receipt,
            pending: receipt,
        };
        match self.ledger.accounts_of(&post)? {
            (Account::Campaign(campaign), _) => Some(campaign),
            _ => None,
        }
    }

    /// Sums over everything.
    pub fn totals(&self) -> Totals {
        self.ledger.totals()
    }
}
