//! `omniswarm ledger verify`: recomputes every balance from the record log.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;
use omni_node::{TotalsView, ledger, node::LOG_FILE, profile};
use omni_types::{NetworkId, NodeId};

use crate::{Common, output};

#[derive(Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check the record log and recompute every balance from it
    Verify {
        /// The log [default: the one in the data folder]
        #[arg(long)]
        log: Option<PathBuf>,
        /// Whose log it must be [default: as the data folder says]
        #[arg(long)]
        node: Option<NodeId>,
        /// Of which network it must be [default: as the data folder says]
        #[arg(long)]
        network: Option<NetworkId>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(common: &Common, command: LedgerCommand) -> anyhow::Result<ExitCode> {
    let LedgerCommand::Verify {
        log,
        node,
        network,
        json,
    } = command;
    let data = common.data()?;
    let (node, network) = match (node, network) {
        (Some(node), Some(network)) => (node, network),
        (node, network) => {
            let profile = profile::Profile::read(&data).with_context(|| {
                format!("no node has run with the data folder {}", data.display())
            })?;
            (
                node.unwrap_or(profile.node),
                network.unwrap_or(profile.network),
            )
        }
    };
    let path = log.unwrap_or_else(|| data.join(LOG_FILE));
    match ledger::verify(&path, network, node) {
        Ok(checked) => {
            let totals = TotalsView::from(checked.totals);
            if json {
                output::json(&serde_json::json!({
                    "valid": true, "records": checked.records,
                    "accounts": checked.balances.len(), "ledger": totals,
                }));
            } else {
                output::line(&format!(
                    "VALID: {} records, {} accounts; minted {} = paid {} + pending {} + reserve {} + burned {}",
                    checked.records,
                    checked.balances.len(),
                    totals.minted,
                    totals.paid,
                    totals.pending,
                    totals.reserve,
                    totals.burned
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(mismatch) => {
            if json {
                output::json(&serde_json::json!({
                    "valid": false, "record": mismatch.record, "account": mismatch.account,
                    "code": mismatch.code, "sentence": mismatch.sentence,
                }));
            } else {
                let place = match (&mismatch.account, mismatch.record) {
                    (Some(account), _) => format!("account {account}"),
                    (None, 0) => "the log".to_owned(),
                    (None, record) => format!("record {record}"),
                };
                output::line(&format!(
                    "NOT VALID: {place}: {} [{}]",
                    mismatch.sentence, mismatch.code
                ));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
