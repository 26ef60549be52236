//! `omniswarm receipts`: listing, exporting, and proving exported receipts offline.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;
use omni_core::receipts::{Export, MAX_EXPORT_BYTES};
use omni_node::{clock, node::LOG_FILE, profile, receipts};
use omni_types::{NetworkId, PostingOutcome, Rejection, Timestamp};

use crate::{Common, output};

#[derive(Subcommand)]
pub(crate) enum ReceiptsCommand {
    /// List the receipts in the data folder, also while the node runs
    List {
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Write receipts with all their evidence into a file that anyone can check
    Export {
        /// Where to write it
        #[arg(long)]
        out: PathBuf,
    },
    /// Prove exported receipts, offline
    Verify {
        /// The exported file
        file: PathBuf,
        /// The network that you trust, if you know it beforehand
        #[arg(long)]
        network: Option<NetworkId>,
        /// Check as of this moment, milliseconds since 1970 [default: now]
        #[arg(long)]
        at: Option<u64>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(common: &Common, command: ReceiptsCommand) -> anyhow::Result<ExitCode> {
    match command {
        ReceiptsCommand::List { json } => list(common, json),
        ReceiptsCommand::Export { out } => export(common, &out),
        ReceiptsCommand::Verify {
            file,
            network,
            at,
            json,
        } => verify(&file, network, at.map(Timestamp), json),
    }
}

fn kept(common: &Common) -> anyhow::Result<(profile::Profile, Vec<receipts::Kept>)> {
    let data = common.data()?;
    let profile = profile::Profile::read(&data)
        .with_context(|| format!("no node has run with the data folder {}", data.display()))?;
    let kept = receipts::list(&data.join(LOG_FILE), profile.network, profile.node)?;
    Ok((profile, kept))
}

fn list(common: &Common, json: bool) -> anyhow::Result<ExitCode> {
    let (_, kept) = kept(common)?;
    for kept in &kept {
        let state = match kept.outcome {
            None => "pending",
            Some(PostingOutcome::Posted) => "posted",
            Some(PostingOutcome::Voided) => "voided",
        };
        let receipt = &kept.receipt;
        let more = if json {
            output::json(&serde_json::json!({
                "id": receipt.id,
                "unit": receipt.unit,
                "campaign": receipt.campaign,
                "role": receipt.role,
                "segments": receipt.segments,
                "amount": receipt.amount.to_string(),
                "state": state,
                "issued_ms": receipt.issued(),
            }))
        } else {
            output::line(&format!(
                "{}  unit {}  {:?}  {} parts  {} credits  {state}",
                receipt.id, receipt.unit, receipt.role, receipt.segments, receipt.amount
            ))
        };
        if !more {
            break;
        }
    }
    if !json {
        output::line(&format!("{} receipts", kept.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn export(common: &Common, out: &std::path::Path) -> anyhow::Result<ExitCode> {
    let (profile, kept) = kept(common)?;
    let charter = profile::read_charter(&common.data()?.join(profile::CHARTER_FILE))
        .context("the data folder has no charter")?;
    let count = kept.len();
    let export = receipts::export(profile.network, charter, kept);
    std::fs::write(out, export.to_bytes()?)
        .with_context(|| format!("{} cannot be written", out.display()))?;
    output::line(&format!("{count} receipts written to {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

fn verify(
    file: &std::path::Path,
    network: Option<NetworkId>,
    at: Option<Timestamp>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .with_context(|| format!("{} cannot be opened", file.display()))?
        .take(MAX_EXPORT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    let now = at.unwrap_or_else(clock::now);
    let refused = |receipt: Option<usize>, rejection: Rejection| {
        if json {
            output::json(&serde_json::json!({
                "valid": false, "receipt": receipt,
                "code": rejection.code(), "sentence": rejection.sentence(),
            }));
        } else {
            let place = match receipt {
                Some(number) => format!("receipt {number}"),
                None => "the file".to_owned(),
            };
            output::line(&format!(
                "NOT VALID: {place}: {} [{}]",
                rejection.sentence(),
                rejection.code()
            ));
        }
        Ok(ExitCode::FAILURE)
    };
    let export = match Export::from_bytes(&bytes) {
        Ok(export) => export,
        Err(rejection) => return refused(None, rejection),
    };
    let receipts = match export.verify(network, now) {
        Ok(receipts) => receipts,
        Err(error) => return refused(error.receipt, error.rejection),
    };
    let mut sum = omni_types::Micro::ZERO;
    for receipt in &receipts {
        sum = sum
            .checked_add(receipt.amount)
            .context("the amounts are too large to add up")?;
    }
    if json {
        output::json(&serde_json::json!({
            "valid": true, "network": export.network,
            "receipts": receipts.len(), "credits": sum.to_string(),
        }));
    } else {
        output::line(&format!(
            "VALID: {} receipts, {sum} credits, network {}",
            receipts.len(),
            export.network
        ));
    }
    Ok(ExitCode::SUCCESS)
}
