//! The kill switch as a file: thrown or lifted also while no node runs, and written before anything
//! else is done, so that no crash can undo it.
//!
//! The file says what was wanted last; the node that has written it into its log removes it.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

/// Name of the file in the data folder.
pub const SWITCH_FILE: &str = "switch.json";
/// Largest file that is read, bytes.
const MAX_BYTES: u64 = 256;

/// What the volunteer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "switch", rename_all = "kebab-case")]
pub enum Switch {
    /// Everything stops.
    Kill,
    /// Work is allowed again.
    Lift,
}

/// Writes what is wanted, whole or not at all, and waits until it is on disk.
///
/// # Errors
/// When the file cannot be written.
pub fn write(data: &Path, switch: Switch) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(data)?;
    io::Write::write_all(&mut file, &serde_json::to_vec(&switch)?)?;
    file.as_file().sync_all()?;
    file.persist(data.join(SWITCH_FILE))
        .map_err(|error| error.error)?;
    sync_folder(data)
}

/// What is wanted and not yet in the log. A file that cannot be understood means "stop": nobody
/// makes one who wants work to go on.
pub fn read(data: &Path) -> Option<Switch> {
    let path = data.join(SWITCH_FILE);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Ok(file) if file.len() <= MAX_BYTES => {}
        _ => return Some(Switch::Kill),
    }
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap_or(Switch::Kill)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(Switch::Kill),
    }
}

/// Removes the file: the log says it now.
pub(crate) fn clear(data: &Path) {
    if let Err(error) = std::fs::remove_file(data.join(SWITCH_FILE))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the switch file cannot be removed");
    }
}

#[cfg(unix)]
fn sync_folder(data: &Path) -> io::Result<()> {
    std::fs::File::open(data)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_data: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_wanted_last_is_read_and_anything_unclear_means_stop() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(read(data), None);
        write(data, Switch::Kill).unwrap();
        assert_eq!(read(data), Some(Switch::Kill));
        write(data, Switch::Lift).unwrap();
        assert_eq!(read(data), Some(Switch::Lift));
        clear(data);
        clear(data);
        assert_eq!(read(data), None);
        for unclear in [&b""[..], b"{", b"{\"switch\":\"maybe\"}", &[b' '; 300]] {
            std::fs::write(data.join(SWITCH_FILE), unclear).unwrap();
            assert_eq!(read(data), Some(Switch::Kill));
        }
        std::fs::remove_file(data.join(SWITCH_FILE)).unwrap();
        std::fs::create_dir(data.join(SWITCH_FILE)).unwrap();
        assert_eq!(read(data), Some(Switch::Kill));
    }
}
