//! Doors that a permit opens, and nothing else: outgoing connections and files of work.
//!
//! ```text
//!   NodeHandle::permit(action) ── Permit ──▶ one fetch, one bundle, one folder
//! ```
//!
//! What is done is what the permit names: this host, this bundle, this folder, this campaign. A
//! permit is used up by its use.

use std::path::Path;

use omni_core::{Denial, Permit};
use omni_types::{Action, Digest};
use thiserror::Error;

use crate::{
    egress::{EgressError, Gate, Limits, Response},
    workspace::{ReadOnlyFolder, WorkFolder, Workspace, WorkspaceError},
};

/// Why a door stays shut.
#[derive(Debug, Error)]
pub enum DoorError {
    /// The permit is for something else.
    #[error("{0}")]
    Denied(Denial),
    /// The gate for outgoing connections refuses.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The workspace refuses.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl DoorError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Egress(error) => error.code(),
            Self::Workspace(error) => error.code(),
        }
    }
}

const NOT_FOR_THIS: DoorError = DoorError::Denied(Denial::NotAllowed);

/// Outgoing connections outside the peer-to-peer network, through a gate to the charter's hosts.
#[derive(Clone, Debug)]
pub struct Outside(pub Gate);

impl Outside {
    /// Fetches for a campaign: from the charter's hosts with a permit to fetch a blob, from the one
    /// host that was agreed to with a permit for outside input.
    ///
    /// # Errors
    /// [`DoorError`].
    pub async fn fetch(
        &self,
        permit: Permit,
        url: &str,
        limits: Limits,
    ) -> Result<Response, DoorError> {
        match permit.action() {
            Action::FetchBlob { .. } => Ok(self.0.get(url, limits).await?),
            Action::FetchOutsideInput { host, .. } => {
                Ok(self.0.only(host.clone())?.get(url, limits).await?)
            }
            _ => Err(NOT_FOR_THIS),
        }
    }

    /// Sends a diagnostics bundle: the very bytes that were agreed to, to the host that was agreed
    /// to.
    ///
    /// # Errors
    /// [`DoorError`].
    pub async fn send_diagnostics(
        &self,
        permit: Permit,
        url: &str,
        bundle: Vec<u8>,
        limits: Limits,
    ) -> Result<Response, DoorError> {
        match permit.action() {
            Action::SendDiagnostics { bundle: own, host } if *own == Digest::of(&bundle) => {
                let gate = self.0.only(host.clone())?;
                let kind = "application/octet-stream";
                Ok(gate.post(url, kind, bundle, limits).await?)
            }
            _ => Err(NOT_FOR_THIS),
        }
    }
}

/// The scratch folder of the campaign that the permit names. Blocks.
///
/// # Errors
/// [`DoorError`].
pub fn scratch(workspace: &Workspace, permit: &Permit) -> Result<WorkFolder, DoorError> {
    match permit.action() {
        Action::UseWorkspace { campaign } => {
            let name = campaign.to_string();
            Ok(workspace.scratch(&name)?)
        }
        _ => Err(NOT_FOR_THIS),
    }
}

/// The folder that the volunteer picked and agreed to, to be read. Blocks.
///
/// # Errors
/// [`DoorError`].
pub fn picked_folder(permit: &Permit) -> Result<ReadOnlyFolder, DoorError> {
    match permit.action() {
        Action::ReadFolder { folder, .. } => Ok(ReadOnlyFolder::open(Path::new(folder))?),
        _ => Err(NOT_FOR_THIS),
    }
}
