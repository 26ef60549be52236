//! Where each system keeps a program's data.

use std::path::PathBuf;

/// The data folder of this user, `None` when the system names no home folder. Linux:
/// `~/.local/share/omniswarm`; macOS: `~/Library/Application Support/org.OmniSwarm.OmniSwarm`;
/// Windows: `%APPDATA%\OmniSwarm\OmniSwarm\data`.
pub fn data() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("org", "OmniSwarm", "OmniSwarm")?;
    Some(dirs.data_dir().to_owned())
}
