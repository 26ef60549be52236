//! What a data folder belongs to: network, node and charter in plain files, so that receipts and
//! books can be read without the secret key, also while the node runs.

use std::{io, path::Path};

use omni_types::{NetworkId, NodeId, SignedCharter};
use serde::{Deserialize, Serialize};

/// Name of the file in the data folder.
pub const PROFILE_FILE: &str = "profile.json";
/// Name of the file with the charter in the data folder.
pub const CHARTER_FILE: &str = "charter.json";
/// Largest profile or charter that is read, bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Whose data folder this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The node.
    pub node: NodeId,
    /// The network it takes part in.
    pub network: NetworkId,
    /// Plain name of the network.
    pub network_name: String,
}

impl Profile {
    /// Writes the profile into a data folder.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        std::fs::write(data.join(PROFILE_FILE), serde_json::to_vec_pretty(self)?)
    }

    /// Reads the profile of a data folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(data: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&bounded(&data.join(PROFILE_FILE))?)?)
    }
}

/// Writes a charter into a file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_charter(path: &Path, charter: &SignedCharter) -> io::Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(charter)?)
}

/// Reads a charter; it is not verified.
///
/// # Errors
/// When the file cannot be read or is no charter.
pub fn read_charter(path: &Path) -> io::Result<SignedCharter> {
    Ok(serde_json::from_slice(&bounded(path)?)?)
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("the file is too large"));
    }
    std::fs::read(path)
}
