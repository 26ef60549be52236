//! Ledger rows, and checking them against the log.

use std::path::Path;

use omni_core::books::{AccountBalance, Books};
use omni_ledger::Totals;
use omni_store::Reader;
use omni_types::{NetworkId, NodeId};

/// A balance as the store keeps it.
pub(crate) fn row(balance: &AccountBalance) -> omni_store::Balance {
    omni_store::Balance {
        account: balance.account.clone(),
        debits_posted: balance.balance.debits_posted.0,
        credits_posted: balance.balance.credits_posted.0,
        debits_pending: balance.balance.debits_pending.0,
        credits_pending: balance.balance.credits_pending.0,
    }
}

/// What a check of the books came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Records in the log.
    pub records: u64,
    /// Every balance, recomputed.
    pub balances: Vec<AccountBalance>,
    /// Sums.
    pub totals: Totals,
}

/// Where the books do not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the record, or 0 for the log as a whole.
    pub record: u64,
    /// The account, when it is a balance.
    pub account: Option<String>,
    /// Stable code, kebab case.
    pub code: &'static str,
    /// One sentence.
    pub sentence: String,
}

/// Walks the log of `node` at `path`, recomputes every balance from it and compares them with the
/// stored ones. Changes nothing, needs no secret, and may run beside the node.
///
/// # Errors
/// The first [`Mismatch`].
pub fn verify(path: &Path, network: NetworkId, node: NodeId) -> Result<Checked, Mismatch> {
    let reader = Reader::open(path, network, node)?;
    let mut books = Books::new();
    let (head, stored) = reader.audit(|record, entry| {
        let entered = books.enter_record(&entry.record, network);
        entered.map_err(|error| Mismatch {
            record,
            account: None,
            code: error.code(),
            sentence: error.to_string(),
        })
    })?;
    let recomputed = books.balances();
    compare(&recomputed, &stored)?;
    let totals = books.totals();
    if !totals.conserved {
        return Err(Mismatch {
            record: 0,
            account: None,
            code: "not-conserved",
            sentence: "The sums of the books do not come out even.".to_owned(),
        });
    }
    Ok(Checked {
        records: head.count,
        balances: recomputed,
        totals,
    })
}

fn compare(recomputed: &[AccountBalance], stored: &[omni_store::Balance]) -> Result<(), Mismatch> {
    let wrong = |account: &str, code, sentence: &str| Mismatch {
        record: 0,
        account: Some(account.to_owned()),
        code,
        sentence: format!("{sentence} {account}"),
    };
    for balance in recomputed {
        let found = stored.iter().find(|row| row.account == balance.account);
        match found {
            None => {
                let sentence = "No balance is stored for";
                return Err(wrong(&balance.account, "balance-missing", sentence));
            }
            Some(found) if *found != row(balance) => {
                let sentence = "The stored balance is not what the log comes to, for";
                return Err(wrong(&balance.account, "balance-wrong", sentence));
            }
            Some(_) => {}
        }
    }
    let known = |row: &&omni_store::Balance| {
        !recomputed
            .iter()
            .any(|balance| balance.account == row.account)
    };
    match stored.iter().find(known) {
        None => Ok(()),
        Some(row) => {
            let sentence = "A balance is stored that the log knows nothing of, for";
            Err(wrong(&row.account, "balance-unknown", sentence))
        }
    }
}

impl From<omni_store::Error> for Mismatch {
    fn from(error: omni_store::Error) -> Self {
        let (record, code, sentence) = match &error {
            omni_store::Error::Broken(broken) => {
                (broken.at, broken.reason.code(), broken.reason.sentence())
            }
            other => (0, other.code(), other.sentence()),
        };
        Self {
            record,
            account: None,
            code,
            sentence: sentence.to_owned(),
        }
    }
}
