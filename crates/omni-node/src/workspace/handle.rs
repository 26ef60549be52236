//! Opening by directory handle, without following links and without waiting.

use std::{io, path::Path};

use cap_fs_ext::{
    DirExt as _, FollowSymlinks, MetadataExt as _, OpenOptionsFollowExt as _,
    OpenOptionsSyncExt as _,
};
use cap_std::{
    ambient_authority,
    fs::{Dir, File, Metadata, OpenOptions},
};

use super::WorkspaceError;

/// The folder that holds the last part of a path, and that part; `None` when the path has no last
/// part that is a name, such as `/` or `..`. Links on the way to it are the caller's own choice.
pub(super) fn parent(path: &Path) -> Result<Option<(Dir, &Path)>, WorkspaceError> {
    let Some(name) = path.file_name() else {
        return Ok(None);
    };
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let dir = Dir::open_ambient_dir(parent, ambient_authority())?;
    Ok(Some((dir, Path::new(name))))
}

/// Opens a folder that is no link.
pub(super) fn open_folder(parent: &Dir, name: &Path) -> Result<Dir, WorkspaceError> {
    parent.open_dir_nofollow(name).map_err(|error| {
        // The open has failed already; this only finds the words for it.
        match parent.symlink_metadata(name) {
            Ok(found) if found.is_symlink() => WorkspaceError::FolderIsLink,
            Ok(found) if !found.is_dir() => WorkspaceError::NotAFolder,
            _ => error.into(),
        }
    })
}

/// Opens a regular file that has no other name, for reading.
///
/// # Errors
/// [`WorkspaceError::LinkRefused`], [`WorkspaceError::NotARegularFile`],
/// [`WorkspaceError::FileShared`], or why the system refuses.
pub(super) fn open_file(dir: &Dir, name: &Path) -> Result<(File, Metadata), WorkspaceError> {
    // Asked first because opening alone can do something to a device. What counts is the check of
    // the opened handle below: the name may lead elsewhere by then.
    refuse_special(&dir.symlink_metadata(name)?)?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = dir.open_with(name, &options).map_err(|error| {
        let found = dir.symlink_metadata(name);
        match found
            .map_err(WorkspaceError::from)
            .and_then(|found| refuse_special(&found))
        {
            Err(refused) => refused,
            Ok(()) => error.into(),
        }
    })?;
    let opened = file.metadata()?;
    refuse_special(&opened)?;
    if opened.nlink() > 1 {
        return Err(WorkspaceError::FileShared);
    }
    Ok((file, opened))
}

/// Refuses everything but a regular file.
pub(super) fn refuse_special(found: &Metadata) -> Result<(), WorkspaceError> {
    if found.is_symlink() {
        Err(WorkspaceError::LinkRefused)
    } else if !found.is_file() {
        Err(WorkspaceError::NotARegularFile)
    } else {
        Ok(())
    }
}

/// Reads a whole file, at most `max_bytes`.
pub(super) fn read_bounded(
    file: File,
    length: u64,
    max_bytes: u64,
) -> Result<Vec<u8>, WorkspaceError> {
    use io::Read as _;
    let too_large = WorkspaceError::FileTooLarge {
        limit_bytes: max_bytes,
    };
    if length > max_bytes {
        return Err(too_large);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // The file may grow while it is read.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large);
    }
    Ok(bytes)
}
