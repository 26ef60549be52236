//! The only place where files are touched on behalf of work.
//!
//! ```text
//! Workspace (root, 0700) -- scratch(id) --> WorkFolder -- read, write, remove, list --> flat files
//! ReadOnlyFolder (chosen by the volunteer) -- text_files --> text of regular files
//! ```
//!
//! Every access goes through a handle of the folder and one plain name below it, so that no text
//! and no change of the folders meanwhile leads outside. Links are never followed; what is not a
//! regular file with one name is refused by looking at the opened handle. Only the way to the root
//! itself is a path, and it is walked once.
//!
//! All functions block on the disk: asynchronous code calls them on a blocking thread.

mod error;
mod handle;
mod name;
mod read_only;

use std::{
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cap_std::fs::{Dir, DirBuilder, OpenOptions};

pub use error::WorkspaceError;
pub use name::MAX_NAME_BYTES;
pub use read_only::{FolderLimits, ReadOnlyFolder, TextFile, TextFiles};

/// Work folders in one workspace.
pub const MAX_FOLDERS: usize = 256;
/// Files in one work folder, also the most that is listed.
pub const MAX_FILES: usize = 1024;
/// Beginning of the names of files that are being written. No name of the work begins with a dot.
const TEMPORARY: &str = ".part-";

/// What the files of all work may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspaceLimits {
    /// All files together, bytes. While a file is being replaced, its earlier bytes come on top.
    pub max_bytes: u64,
    /// One file, bytes.
    pub max_file_bytes: u64,
}

impl Default for WorkspaceLimits {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            max_file_bytes: 64 << 20,
        }
    }
}

#[derive(Debug)]
struct Shared {
    root: Dir,
    /// Held while files change, so that two writers cannot pass the limit together.
    limits: Mutex<WorkspaceLimits>,
}

impl Shared {
    fn limits(&self) -> MutexGuard<'_, WorkspaceLimits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all files, as they are on the disk now.
    fn used_bytes(&self) -> Result<u64, WorkspaceError> {
        let mut used: u64 = 0;
        let mut folders = 0;
        for entry in self.root.entries()? {
            let entry = entry?;
            let Some(found) = gone_is_none(self.root.symlink_metadata(entry.file_name()))? else {
                continue;
            };
            if !found.is_dir() {
                used = used.saturating_add(found.len());
                continue;
            }
            folders += 1;
            if folders > MAX_FOLDERS {
                return Err(WorkspaceError::TooManyFiles { limit: MAX_FOLDERS });
            }
            match handle::open_folder(&self.root, Path::new(&entry.file_name())) {
                Ok(folder) => used = used.saturating_add(folder_bytes(&folder)?),
                // Went away or was replaced meanwhile.
                Err(
                    WorkspaceError::FileNotFound
                    | WorkspaceError::FolderIsLink
                    | WorkspaceError::NotAFolder,
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(used)
    }
}

fn folder_bytes(folder: &Dir) -> Result<u64, WorkspaceError> {
    let mut used: u64 = 0;
    for (count, entry) in folder.entries()?.enumerate() {
        if count > MAX_FILES {
            return Err(WorkspaceError::TooManyFiles { limit: MAX_FILES });
        }
        if let Some(found) = gone_is_none(folder.symlink_metadata(entry?.file_name()))? {
            used = used.saturating_add(found.len());
        }
    }
    Ok(used)
}

/// `None` for what is not there, or no longer.
fn gone_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder of all work, by handle. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workspace {
    shared: Arc<Shared>,
}

impl Workspace {
    /// Opens the workspace with the default limits; makes the folder when it is not there, for this
    /// user alone. The folder above it must exist.
    ///
    /// # Errors
    /// [`WorkspaceError::FolderIsLink`], [`WorkspaceError::NotAFolder`],
    /// [`WorkspaceError::FolderForeign`], or why the system refuses.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        Self::open_with(root, WorkspaceLimits::default())
    }

    /// As [`Self::open`], with limits.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(root: &Path, limits: WorkspaceLimits) -> Result<Self, WorkspaceError> {
        let (parent, name) = handle::parent(root)?.ok_or(WorkspaceError::NotAFolder)?;
        create_private(&parent, name)?;
        let root = handle::open_folder(&parent, name)?;
        make_private(&root)?;
        let shared = Shared {
            root,
            limits: Mutex::new(limits),
        };
        remove_unfinished(&shared.root)?;
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Changes what the files may take; files already there stay.
    pub fn set_limits(&self, limits: WorkspaceLimits) {
        *self.shared.limits() = limits;
    }

    /// The folder of one campaign or one piece of work; made when it is not there.
    ///
    /// # Errors
    /// [`WorkspaceError::NameNotAllowed`], [`WorkspaceError::NameCollides`],
    /// [`WorkspaceError::LinkRefused`], [`WorkspaceError::TooManyFiles`], or why the system refuses.
    pub fn scratch(&self, id: &str) -> Result<WorkFolder, WorkspaceError> {
        name::check(id)?;
        let _turn = self.shared.limits();
        let root = &self.shared.root;
        let others = refuse_collision(root, id, MAX_FOLDERS)?;
        if gone_is_none(root.symlink_metadata(id))?.is_none() {
            if others >= MAX_FOLDERS {
                return Err(WorkspaceError::TooManyFiles { limit: MAX_FOLDERS });
            }
            create_private(root, Path::new(id))?;
        }
        Ok(WorkFolder {
            dir: self.folder(id)?,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Removes the folder of one piece of work with all its files. One that is not there is none.
    ///
    /// # Errors
    /// [`WorkspaceError::NameNotAllowed`], [`WorkspaceError::LinkRefused`], or why the system
    /// refuses.
    pub fn discard(&self, id: &str) -> Result<(), WorkspaceError> {
        name::check(id)?;
        let _turn = self.shared.limits();
        let dir = match self.folder(id) {
            Err(WorkspaceError::FileNotFound) => return Ok(()),
            other => other?,
        };
        // Through the handle of what was looked at, not through the name once more.
        Ok(dir.remove_open_dir_all()?)
    }

    /// Bytes of all files, as they are on the disk now.
    ///
    /// # Errors
    /// [`WorkspaceError::TooManyFiles`], or why the system refuses.
    pub fn used_bytes(&self) -> Result<u64, WorkspaceError> {
        self.shared.used_bytes()
    }

    fn folder(&self, id: &str) -> Result<Dir, WorkspaceError> {
        handle::open_folder(&self.shared.root, Path::new(id)).map_err(|error| match error {
            WorkspaceError::FolderIsLink => WorkspaceError::LinkRefused,
            other => other,
        })
    }
}

/// A file in a work folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its plain name.
    pub name: String,
    /// Its length, bytes.
    pub bytes: u64,
}

/// The flat folder of one piece of work, by handle.
#[derive(Debug)]
pub struct WorkFolder {
    dir: Dir,
    shared: Arc<Shared>,
}

impl WorkFolder {
    /// Reads a whole file of at most `max_bytes`.
    ///
    /// # Errors
    /// [`WorkspaceError::NameNotAllowed`], [`WorkspaceError::FileNotFound`],
    /// [`WorkspaceError::LinkRefused`], [`WorkspaceError::NotARegularFile`],
    /// [`WorkspaceError::FileShared`], [`WorkspaceError::FileTooLarge`], or why the system refuses.
    pub fn read(&self, name: &str, max_bytes: u64) -> Result<Vec<u8>, WorkspaceError> {
        name::check(name)?;
        let (file, found) = handle::open_file(&self.dir, Path::new(name))?;
        handle::read_bounded(file, found.len(), max_bytes)
    }

    /// Writes a whole file: afterwards there is either all of the new one or the earlier one, also
    /// after a loss of power. A file that was there is replaced, never written into.
    ///
    /// # Errors
    /// [`WorkspaceError::NameNotAllowed`], [`WorkspaceError::NameCollides`],
    /// [`WorkspaceError::LinkRefused`], [`WorkspaceError::NotARegularFile`],
    /// [`WorkspaceError::FileTooLarge`], [`WorkspaceError::DiskLimit`],
    /// [`WorkspaceError::TooManyFiles`], [`WorkspaceError::DiskFull`], or why the system refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WorkspaceError> {
        name::check(name)?;
        let limits = self.shared.limits();
        let length = bytes.len() as u64;
        if length > limits.max_file_bytes {
            return Err(WorkspaceError::FileTooLarge {
                limit_bytes: limits.max_file_bytes,
            });
        }
        let others = refuse_collision(&self.dir, name, MAX_FILES)?;
        let earlier_bytes = match gone_is_none(self.dir.symlink_metadata(name))? {
            Some(found) => {
                handle::refuse_special(&found)?;
                found.len()
            }
            None if others >= MAX_FILES => {
                return Err(WorkspaceError::TooManyFiles { limit: MAX_FILES });
            }
            None => 0,
        };
        let used = self.shared.used_bytes()?.saturating_sub(earlier_bytes);
        if used.saturating_add(length) > limits.max_bytes {
            return Err(WorkspaceError::DiskLimit {
                limit_bytes: limits.max_bytes,
            });
        }
        let temporary = temporary_name()?;
        let written = self
            .write_new(&temporary, bytes)
            // Replaces the name itself, whatever it leads to by now.
            .and_then(|()| self.dir.rename(&temporary, &self.dir, name));
        if let Err(error) = written {
            // A file that stays behind is removed at the next start.
            let _ = self.dir.remove_file(&temporary);
            return Err(error.into());
        }
        sync_folder(&self.dir);
        Ok(())
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = self.dir.open_with(name, &options)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Removes a file, or a link itself. One that is not there is none.
    ///
    /// # Errors
    /// [`WorkspaceError::NameNotAllowed`], [`WorkspaceError::NotARegularFile`] for a folder, or why
    /// the system refuses.
    pub fn remove(&self, name: &str) -> Result<(), WorkspaceError> {
        name::check(name)?;
        let _turn = self.shared.limits();
        match gone_is_none(self.dir.symlink_metadata(name))? {
            None => Ok(()),
            Some(found) if found.is_dir() => Err(WorkspaceError::NotARegularFile),
            Some(_) => {
                gone_is_none(self.dir.remove_file(name))?;
                sync_folder(&self.dir);
                Ok(())
            }
        }
    }

    /// The regular files with plain names, by name; at most [`MAX_FILES`].
    ///
    /// # Errors
    /// [`WorkspaceError::TooManyFiles`], or why the system refuses.
    pub fn list(&self) -> Result<Vec<Entry>, WorkspaceError> {
        let mut entries = Vec::new();
        let mut plain = 0;
        for (count, entry) in self.dir.entries()?.enumerate() {
            let name = entry?.file_name();
            let name = name.to_str().filter(|name| name::check(name).is_ok());
            plain += usize::from(name.is_some());
            // One more of all kinds than of the work: the file that is being written.
            if count > MAX_FILES || plain > MAX_FILES {
                return Err(WorkspaceError::TooManyFiles { limit: MAX_FILES });
            }
            let Some(name) = name else {
                continue;
            };
            match gone_is_none(self.dir.symlink_metadata(name))? {
                Some(found) if found.is_file() => entries.push(Entry {
                    name: name.to_owned(),
                    bytes: found.len(),
                }),
                _ => {}
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }
}

/// Refuses a name that a case-insensitive file system may take for another one in the folder.
/// Returns how many others there are.
fn refuse_collision(dir: &Dir, name: &str, limit: usize) -> Result<usize, WorkspaceError> {
    let folded = name::fold(name);
    let mut others = 0;
    for entry in dir.entries()? {
        let other = entry?.file_name();
        let Some(other) = other.to_str() else {
            others += 1;
            continue;
        };
        if other == name {
            continue;
        }
        others += 1;
        if others > limit {
            return Err(WorkspaceError::TooManyFiles { limit });
        }
        if name::fold(other) == folded {
            return Err(WorkspaceError::NameCollides);
        }
    }
    Ok(others)
}

/// Makes a folder for this user alone; one that is there already is left as it is.
fn create_private(parent: &Dir, name: &Path) -> Result<(), WorkspaceError> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match parent.create_dir_with(name, &builder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// Sees that a folder belongs to this user, and shuts out all others.
#[cfg(unix)]
fn make_private(dir: &Dir) -> Result<(), WorkspaceError> {
    use cap_std::fs::{MetadataExt as _, Permissions, PermissionsExt as _};
    let found = dir.dir_metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(WorkspaceError::FolderForeign);
    }
    if found.mode() & 0o777 != 0o700 {
        dir.set_permissions(".", Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Elsewhere the folder inherits who may use it from the user's own data folder.
#[cfg(not(unix))]
fn make_private(_dir: &Dir) -> Result<(), WorkspaceError> {
    Ok(())
}

/// Removes what a program that ended in the middle of writing left behind.
fn remove_unfinished(root: &Dir) -> Result<(), WorkspaceError> {
    for entry in root.entries()?.take(MAX_FOLDERS) {
        let Ok(folder) = handle::open_folder(root, Path::new(&entry?.file_name())) else {
            continue;
        };
        for entry in folder.entries()?.take(MAX_FILES + 1) {
            let name = entry?.file_name();
            if name
                .to_str()
                .is_some_and(|name| name.starts_with(TEMPORARY))
            {
                gone_is_none(folder.remove_file(&name))?;
            }
        }
    }
    Ok(())
}

fn temporary_name() -> Result<String, WorkspaceError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| WorkspaceError::FileUnusable(io::ErrorKind::Other))?;
    Ok(format!("{TEMPORARY}{:016x}", u64::from_le_bytes(random)))
}

/// Makes a change of names last. Only some systems can and need to; the file itself is safe.
fn sync_folder(dir: &Dir) {
    #[cfg(unix)]
    if let Ok(folder) = dir.open(".") {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = dir;
}
