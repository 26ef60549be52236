//! A folder of the volunteer's own that a campaign may read.

use std::{ffi::OsString, path::Path, vec};

use cap_fs_ext::MetadataExt as _;
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata},
};

use super::{WorkspaceError, handle};

/// How much of a folder is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderLimits {
    /// Levels of folders below the chosen one; 0 reads only the files in it.
    pub max_depth: usize,
    /// Names looked at, of whatever kind.
    pub max_entries: usize,
    /// Files given out.
    pub max_files: usize,
    /// One file, bytes; larger ones are left out.
    pub max_file_bytes: u64,
    /// All files given out, bytes.
    pub max_total_bytes: u64,
}

impl Default for FolderLimits {
    fn default() -> Self {
        Self {
            max_depth: 8,
            max_entries: 20_000,
            max_files: 5_000,
            max_file_bytes: 1 << 20,
            max_total_bytes: 64 << 20,
        }
    }
}

/// A folder that the volunteer chose, by handle. There is nothing here that writes.
#[derive(Debug)]
pub struct ReadOnlyFolder {
    dir: Dir,
    device: u64,
}

impl ReadOnlyFolder {
    /// Opens the folder at a path that the volunteer chose.
    ///
    /// # Errors
    /// [`WorkspaceError::FolderIsLink`], [`WorkspaceError::NotAFolder`],
    /// [`WorkspaceError::FileNotFound`], or why the system refuses.
    pub fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let dir = match handle::parent(path)? {
            Some((parent, name)) => handle::open_folder(&parent, name)?,
            // The root of a file system.
            None => Dir::open_ambient_dir(path, ambient_authority())?,
        };
        let device = dir.dir_metadata()?.dev();
        Ok(Self { dir, device })
    }

    /// The text files in it and in the folders below, folder by folder in the order of names. Left
    /// out are links, hidden names, files with a second name elsewhere, other file systems, and what
    /// is not text (UTF-8 without zero bytes).
    ///
    /// # Errors
    /// When the folder itself cannot be listed.
    pub fn text_files(&self, limits: FolderLimits) -> Result<TextFiles, WorkspaceError> {
        let mut files = TextFiles {
            limits,
            device: self.device,
            levels: Vec::new(),
            entries: 0,
            files: 0,
            bytes: 0,
            left_out: 0,
            cut_short: false,
        };
        files.enter(self.dir.try_clone()?, String::new())?;
        Ok(files)
    }
}

/// One text of a chosen folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Where it is below the chosen folder, with `/` between the names.
    pub path: String,
    /// What it says.
    pub text: String,
}

#[derive(Debug)]
struct Level {
    dir: Dir,
    path: String,
    names: vec::IntoIter<OsString>,
}

/// The texts of a chosen folder, read one at a time.
#[derive(Debug)]
pub struct TextFiles {
    limits: FolderLimits,
    device: u64,
    levels: Vec<Level>,
    entries: usize,
    files: usize,
    bytes: u64,
    left_out: u64,
    cut_short: bool,
}

impl TextFiles {
    /// How many visible names were left out so far, because they are no text, too large, links, or
    /// not readable.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether a limit ended the reading or kept it out of a deeper folder.
    pub fn cut_short(&self) -> bool {
        self.cut_short
    }

    fn enter(&mut self, dir: Dir, path: String) -> Result<(), WorkspaceError> {
        let mut names = Vec::new();
        for entry in dir.entries()? {
            if self.entries >= self.limits.max_entries {
                self.cut_short = true;
                break;
            }
            self.entries += 1;
            names.push(entry?.file_name());
        }
        names.sort();
        self.levels.push(Level {
            dir,
            path,
            names: names.into_iter(),
        });
        Ok(())
    }

    /// Looks at one name: a text to give out, or a folder entered, or nothing.
    fn visit(&mut self, dir: &Dir, name: &OsString, path: &str) -> Option<TextFile> {
        let Some(plain) = name.to_str() else {
            self.left_out += 1;
            return None;
        };
        let found = dir.symlink_metadata(name);
        if plain.starts_with('.') || found.as_ref().is_ok_and(hidden) {
            return None;
        }
        let path = if path.is_empty() {
            plain.to_owned()
        } else {
            format!("{path}/{plain}")
        };
        if found.is_ok_and(|found| found.is_dir()) {
            if self.levels.len() > self.limits.max_depth {
                self.cut_short = true;
            } else if self.descend(dir, name, path).is_none() {
                self.left_out += 1;
            }
            return None;
        }
        let text = self.text(dir, name);
        if text.is_none() && !self.cut_short {
            self.left_out += 1;
        }
        text.map(|text| TextFile { path, text })
    }

    fn descend(&mut self, dir: &Dir, name: &OsString, path: String) -> Option<()> {
        let folder = handle::open_folder(dir, Path::new(name)).ok()?;
        if folder.dir_metadata().ok()?.dev() != self.device {
            return None;
        }
        self.enter(folder, path).ok()
    }

    fn text(&mut self, dir: &Dir, name: &OsString) -> Option<String> {
        let (file, found) = handle::open_file(dir, Path::new(name)).ok()?;
        if found.dev() != self.device {
            return None;
        }
        let left = self.limits.max_total_bytes.saturating_sub(self.bytes);
        if found.len() > left && found.len() <= self.limits.max_file_bytes {
            self.cut_short = true;
            self.levels.clear();
            return None;
        }
        let bytes =
            handle::read_bounded(file, found.len(), self.limits.max_file_bytes.min(left)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        if text.contains('\0') {
            return None;
        }
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        Some(text)
    }
}

impl Iterator for TextFiles {
    type Item = TextFile;

    fn next(&mut self) -> Option<TextFile> {
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            if self.files >= self.limits.max_files {
                self.cut_short = true;
                self.levels.clear();
                return None;
            }
            let path = level.path.clone();
            let Ok(dir) = level.dir.try_clone() else {
                self.left_out += 1;
                continue;
            };
            if let Some(text) = self.visit(&dir, &name, &path) {
                self.files += 1;
                return Some(text);
            }
        }
    }
}

/// Whether the system hides this name; a leading dot is looked at apart.
#[cfg(windows)]
fn hidden(found: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    const HIDDEN_OR_SYSTEM: u32 = 0x2 | 0x4;
    found.file_attributes() & HIDDEN_OR_SYSTEM != 0
}

/// Whether the system hides this name; a leading dot is looked at apart.
#[cfg(not(windows))]
fn hidden(_found: &Metadata) -> bool {
    false
}
