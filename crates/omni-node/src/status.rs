//! The status file: the last view, for `omniswarm status` and for support when the program is gone.

use std::{io, path::Path};

use omni_types::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Name of the file in the data folder.
pub const STATUS_FILE: &str = "status.json";
/// Largest status file that is read, bytes.
pub const MAX_STATUS_BYTES: u64 = 4 << 20;

/// The last view with when and by whom it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status<V> {
    /// When, milliseconds since 1970.
    pub written_at_ms: Timestamp,
    /// Process that wrote it.
    pub process: u32,
    /// Whether that process has ended in good order since.
    pub ended: bool,
    /// The view.
    pub view: V,
}

/// Writes the file whole or not at all.
pub(crate) fn write<V: Serialize>(
    path: &Path,
    now: Timestamp,
    ended: bool,
    view: &V,
) -> io::Result<()> {
    let status = Status {
        written_at_ms: now,
        process: std::process::id(),
        ended,
        view,
    };
    let bytes = serde_json::to_vec_pretty(&status)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, &bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Reads the status of the node whose data folder this is.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn read<V: DeserializeOwned>(data: &Path) -> io::Result<Status<V>> {
    let path = data.join(STATUS_FILE);
    if std::fs::metadata(&path)?.len() > MAX_STATUS_BYTES {
        return Err(io::Error::other("the status file is too large"));
    }
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}
