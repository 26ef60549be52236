//! The audit log of decisions, read from a node's log, also while the node runs.

use std::{collections::VecDeque, path::Path};

use omni_store::Reader;
use omni_types::{Answer, NetworkId, NodeId, Record, Timestamp};

use crate::{error::NodeError, safety_view, view::DecisionView};

/// Entries read at once.
const PAGE: usize = 256;

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A decision about an action.
    Decided(DecisionView),
    /// A question was asked.
    Asked {
        /// When.
        at: Timestamp,
        /// Its number.
        question: u64,
        /// About which action, by name.
        action: &'static str,
    },
    /// A question was answered, or its time ran out.
    Answered {
        /// When.
        at: Timestamp,
        /// Its number.
        question: u64,
        /// How.
        answer: Answer,
    },
    /// A "yes" was used up or taken back.
    Ended {
        /// When.
        at: Timestamp,
        /// Number of its question.
        question: u64,
        /// Taken back.
        revoked: bool,
    },
}

/// The last `most` lines of the audit log of `node` at `path`, oldest first.
///
/// # Errors
/// [`NodeError::Store`] when the log cannot be read or is broken.
pub fn lines(
    path: &Path,
    network: NetworkId,
    node: NodeId,
    most: usize,
) -> Result<Vec<Line>, NodeError> {
    let reader = Reader::open(path, network, node)?;
    let mut lines = VecDeque::new();
    let mut after = 0;
    loop {
        let page = reader.entries(after, PAGE)?;
        if page.is_empty() {
            return Ok(lines.into());
        }
        for (number, entry) in page {
            after = number;
            let at = entry.at;
            let line = match entry.record {
                Record::Decided(decision) => Line::Decided(safety_view::decided(at, &decision)),
                Record::Asked {
                    question, action, ..
                } => Line::Asked {
                    at,
                    question,
                    action: action.name(),
                },
                Record::Answered { question, answer } => Line::Answered {
                    at,
                    question,
                    answer,
                },
                Record::AnswerUsed { question } => Line::Ended {
                    at,
                    question,
                    revoked: false,
                },
                Record::AnswerRevoked { question } => Line::Ended {
                    at,
                    question,
                    revoked: true,
                },
                _ => continue,
            };
            if lines.len() >= most {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}
