//! The running node: one event loop that joins the pure core with sandbox, network and store.
//! Commands go in, one whole view comes out.

pub mod audit;
pub mod campaigns;
pub mod catalogue;
pub mod clock;
#[cfg(test)]
mod codegen;
pub mod conditions;
pub mod control;
pub mod egress;
pub mod embedded;
mod error;
mod event_loop;
pub mod identity;
pub mod ledger;
pub mod node;
mod node_view;
pub mod paths;
pub mod permitted;
pub mod profile;
pub mod receipts;
pub mod runner;
mod safety_view;
pub mod status;
mod steward_view;
pub mod supernode;
pub mod switch;
pub mod throttle;
mod uplink;
pub mod view;
pub mod workspace;

pub use error::NodeError;
pub use event_loop::NodeHandle;
pub use omni_core::{Command, policy::POLICY_VERSION};
pub use steward_view::{StewardView, TotalsView};
pub use uplink::Network;
pub use view::NodeView;

/// First argument with which a program starts itself as a sandbox child.
pub use omni_sandbox::{self as sandbox, CHILD_ARG, child_main};
