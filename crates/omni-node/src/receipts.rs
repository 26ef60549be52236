//! Listing and exporting this node's receipts, also while it runs.

use std::path::Path;

use omni_core::receipts::{EXPORT_FORMAT, Export};
use omni_store::Reader;
use omni_types::{
    NetworkId, NodeId, PostingOutcome, Receipt, ReceiptProof, Record, SignedCharter, Verified,
};

use crate::error::NodeError;

/// Entries read at once.
const PAGE: usize = 256;

/// A receipt in the log with what became of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The receipt.
    pub receipt: Verified<Receipt>,
    /// Receipt with evidence, for export.
    pub proof: ReceiptProof,
    /// Posted or voided; `None` while pending.
    pub outcome: Option<PostingOutcome>,
}

/// Every receipt in the log of `node` at `path`, oldest first.
///
/// # Errors
/// [`NodeError::Store`] when the log cannot be read or is broken.
pub fn list(path: &Path, network: NetworkId, node: NodeId) -> Result<Vec<Kept>, NodeError> {
    let reader = Reader::open(path, network, node)?;
    let mut kept: Vec<Kept> = Vec::new();
    let mut after = 0;
    loop {
        let page = reader.entries(after, PAGE)?;
        if page.is_empty() {
            return Ok(kept);
        }
        for (number, entry) in page {
            after = number;
            match entry.record {
                Record::ReceiptReceived { proof, .. } => kept.push(Kept {
                    receipt: proof.receipt.clone().verify_stored(network)?,
                    proof: *proof,
                    outcome: None,
                }),
                Record::PostingReceived { posting, .. } => {
                    let posting = posting.verify_stored(network)?;
                    let found = kept
                        .iter_mut()
                        .find(|kept| kept.receipt.id == posting.receipt);
                    if let Some(found) = found {
                        found.outcome = Some(posting.outcome);
                    }
                }
                _ => {}
            }
        }
    }
}

/// An export of receipts, with the charter that names the stewards.
pub fn export(network: NetworkId, charter: SignedCharter, kept: Vec<Kept>) -> Export {
    Export {
        format: EXPORT_FORMAT.to_owned(),
        network,
        charter,
        receipts: kept.into_iter().map(|kept| kept.proof).collect(),
    }
}
