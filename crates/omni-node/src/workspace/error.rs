//! Why a file or folder is not used.

use std::io;

use thiserror::Error;

/// Why the workspace or a chosen folder refuses. The sentence can be shown to the volunteer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkspaceError {
    /// The name is not one plain name on every system.
    #[error("The work asked for a file name that is not allowed: {0}.")]
    NameNotAllowed(&'static str),
    /// The name differs from an existing one only in upper and lower case.
    #[error(
        "The work asked for a file name that some computers cannot tell from one already there."
    )]
    NameCollides,
    /// A link stands where a file or folder was expected.
    #[error("A link stands where a file of the work should be, and links are never followed.")]
    LinkRefused,
    /// A folder, pipe, socket or device stands where a file was expected.
    #[error("What should be a file of the work is something else, and is left alone.")]
    NotARegularFile,
    /// The same file has another name elsewhere.
    #[error("A file of the work is shared with another place on this computer, and is left alone.")]
    FileShared,
    /// There is no such file or folder.
    #[error("A file of the work is not there.")]
    FileNotFound,
    /// The file is larger than allowed.
    #[error("A file of the work is larger than the {limit_bytes} bytes allowed.")]
    FileTooLarge {
        /// Most bytes allowed.
        limit_bytes: u64,
    },
    /// The files of all work would take more than the volunteer allows.
    #[error("The files of the work would take more than the {limit_bytes} bytes of disk allowed.")]
    DiskLimit {
        /// Most bytes allowed in the whole workspace.
        limit_bytes: u64,
    },
    /// The disk itself is full.
    #[error("The disk of this computer is full.")]
    DiskFull,
    /// More files or folders than allowed.
    #[error("There are more than the {limit} files allowed in one place.")]
    TooManyFiles {
        /// Most files or folders allowed.
        limit: usize,
    },
    /// The folder to open is a link.
    #[error("This folder is a link. Please name the folder that it leads to.")]
    FolderIsLink,
    /// The folder to open belongs to another user of the computer.
    #[error("This folder belongs to someone else on this computer.")]
    FolderForeign,
    /// What should be opened as a folder is none.
    #[error("This is not a folder.")]
    NotAFolder,
    /// The system refuses for another reason.
    #[error("A file or folder of the work cannot be used ({0}).")]
    FileUnusable(io::ErrorKind),
}

impl WorkspaceError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameNotAllowed(_) => "name-not-allowed",
            Self::NameCollides => "name-collides",
            Self::LinkRefused => "link-refused",
            Self::NotARegularFile => "not-a-regular-file",
            Self::FileShared => "file-shared",
            Self::FileNotFound => "file-not-found",
            Self::FileTooLarge { .. } => "file-too-large",
            Self::DiskLimit { .. } => "disk-limit",
            Self::DiskFull => "disk-full",
            Self::TooManyFiles { .. } => "too-many-files",
            Self::FolderIsLink => "folder-is-link",
            Self::FolderForeign => "folder-foreign",
            Self::NotAFolder => "not-a-folder",
            Self::FileUnusable(_) => "file-unusable",
        }
    }
}

impl From<io::Error> for WorkspaceError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::FileNotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            kind => Self::FileUnusable(kind),
        }
    }
}
