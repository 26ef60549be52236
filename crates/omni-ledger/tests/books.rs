//! Tables and properties of the ledger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use omni_ledger::{Account, Applied, Ledger, Refusal, Transfer, TransferId};
use omni_types::{CampaignId, Micro, NodeId};
use proptest::prelude::*;

fn id(n: u8) -> TransferId {
    omni_types::ReceiptId([n; 32])
}

const BUDGET: Account = Account::Campaign(CampaignId([1; 32]));
const ANN: Account = Account::Node(NodeId([2; 32]));
const BEN: Account = Account::Node(NodeId([3; 32]));

fn mint(n: u8, amount: u64) -> Transfer {
    Transfer::Direct {
        id: id(n),
        debit: Account::Mint,
        credit: BUDGET,
        amount: Micro(amount),
    }
}

fn pending(n: u8, node: Account, amount: u64) -> Transfer {
    Transfer::Pending {
        id: id(n),
        debit: BUDGET,
        credit: node,
        amount: Micro(amount),
    }
}

fn post(n: u8, of: u8) -> Transfer {
    Transfer::Post {
        id: id(n),
        pending: id(of),
    }
}

fn void(n: u8, of: u8) -> Transfer {
    Transfer::Void {
        id: id(n),
        pending: id(of),
    }
}

fn check(transfers: &[Transfer], last: Result<Applied, Refusal>) -> Ledger {
    let mut ledger = Ledger::new();
    for (index, transfer) in transfers.iter().enumerate() {
        let result = ledger.apply(*transfer);
        assert!(ledger.totals().conserved, "after transfer {index}");
        if index + 1 == transfers.len() {
            assert_eq!(result, last);
        } else {
            assert!(result.is_ok(), "transfer {index}: {result:?}");
        }
    }
    ledger
}

#[test]
fn each_transfer_is_applied_or_refused_with_its_reason() {
    let same = Transfer::Direct {
        id: id(1),
        debit: ANN,
        credit: ANN,
        amount: Micro(1),
    };
    check(&[mint(1, 100)], Ok(Applied::New));
    check(&[mint(1, 100), mint(1, 100)], Ok(Applied::AlreadyThere));
    check(&[mint(1, 100), mint(1, 101)], Err(Refusal::ExistsDifferent));
    check(&[same], Err(Refusal::SameAccount));
    check(&[mint(1, 0)], Err(Refusal::AmountOutOfRange));
    check(&[mint(1, u64::MAX)], Err(Refusal::AmountOutOfRange));
    check(
        &[mint(1, 100), pending(2, ANN, 101)],
        Err(Refusal::InsufficientFunds),
    );
    check(
        &[mint(1, 100), pending(2, ANN, 60), pending(3, BEN, 60)],
        Err(Refusal::InsufficientFunds),
    );
    check(&[mint(1, 100), post(2, 9)], Err(Refusal::PendingNotFound));
    check(&[mint(1, 100), post(2, 1)], Err(Refusal::NotPending));
    check(
        &[mint(1, 100), pending(2, ANN, 10), post(3, 2), post(4, 2)],
        Err(Refusal::AlreadyPosted),
    );
    check(
        &[mint(1, 100), pending(2, ANN, 10), void(3, 2), post(4, 2)],
        Err(Refusal::AlreadyVoided),
    );
    check(
        &[mint(1, 100), pending(2, ANN, 10), post(3, 2), post(3, 2)],
        Ok(Applied::AlreadyThere),
    );
    check(
        &[mint(1, i64::MAX as u64), mint(2, 1)],
        Err(Refusal::Overflow),
    );
}

#[test]
fn a_posted_reward_is_paid_and_a_voided_one_goes_back() {
    let ledger = check(
        &[
            mint(1, 100),
            pending(2, ANN, 30),
            pending(3, BEN, 20),
            post(4, 2),
            void(5, 3),
        ],
        Ok(Applied::New),
    );
    let totals = ledger.totals();
    assert_eq!(totals.minted, Micro(100));
    assert_eq!(totals.paid, Micro(30));
    assert_eq!(totals.pending, Micro(0));
    assert_eq!(totals.reserve, Micro(70));
    assert_eq!(ledger.balance(BEN).credits_posted, Micro(0));
}

#[test]
fn account_names_can_be_read_back() {
    for account in [
        Account::Mint,
        BUDGET,
        ANN,
        Account::Development,
        Account::Reserve,
        Account::Burned,
    ] {
        assert_eq!(account.to_string().parse::<Account>().unwrap(), account);
    }
    assert!("node:".parse::<Account>().is_err());
    assert!("mint:1".parse::<Account>().is_err());
}

fn any_transfer() -> impl Strategy<Value = Transfer> {
    let account = prop_oneof![
        Just(Account::Mint),
        Just(BUDGET),
        Just(ANN),
        Just(BEN),
        Just(Account::Development),
        Just(Account::Reserve),
        Just(Account::Burned)
    ];
    let amount = prop_oneof![0u64..50, Just(i64::MAX as u64 - 10), any::<u64>()];
    (0u8..5, 0u8..12, 0u8..12, account.clone(), account, amount).prop_map(
        |(kind, own, other, debit, credit, amount)| match kind {
            0 | 1 => Transfer::Direct {
                id: id(own),
                debit,
                credit,
                amount: Micro(amount),
            },
            2 => Transfer::Pending {
                id: id(own),
                debit,
                credit,
                amount: Micro(amount),
            },
            3 => Transfer::Post {
                id: id(own),
                pending: id(other),
            },
            _ => Transfer::Void {
                id: id(own),
                pending: id(other),
            },
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_applied_credits_are_conserved_and_a_replay_changes_nothing(
        transfers in proptest::collection::vec(any_transfer(), 0..60)
    ) {
        let mut ledger = Ledger::new();
        let mut accepted = Vec::new();
        for transfer in transfers {
            let before: Vec<_> = ledger.balances().collect();
            match ledger.apply(transfer) {
                Ok(Applied::New) => accepted.push(transfer),
                Ok(Applied::AlreadyThere) | Err(_) => {
                    let after: Vec<_> = ledger.balances().collect();
                    prop_assert_eq!(before, after);
                }
            }
            let totals = ledger.totals();
            prop_assert!(totals.conserved, "{:?}", totals);
        }
        let before: Vec<_> = ledger.balances().collect();
        for transfer in &accepted {
            prop_assert_eq!(ledger.apply(*transfer), Ok(Applied::AlreadyThere));
        }
        let after: Vec<_> = ledger.balances().collect();
        prop_assert_eq!(before, after);
    }
}
