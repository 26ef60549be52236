//! What can go wrong, each with a stable code.

use std::{fmt, io};

use omni_types::Rejection;
use rusqlite::ErrorCode;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $sentence:literal;)+) => {
        /// In which way a log is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Stable code, kebab case.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence a volunteer understands.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

reasons! {
    /// A number is left out between two records.
    MissingRecord = "missing-record", "A record is missing from the log.";
    /// Body and hash do not belong together, or do not follow from the record before.
    ChangedRecord = "changed-record", "A record of the log was changed.";
    /// The hash is right, but the body is no record that this program knows.
    UndecodableRecord = "undecodable-record", "A record of the log cannot be read by this version of the program.";
    /// A record with a number below 1.
    ExtraRecord = "extra-record", "The log holds a record that was not written by this program.";
    /// There is no signed head.
    HeadMissing = "head-missing", "The signed summary of the log is missing.";
    /// The signed head does not decode or its signature is wrong.
    HeadSignature = "head-signature", "The signature of the log is wrong.";
    /// The head is signed by another node's key.
    HeadSigner = "head-signer", "The log belongs to another identity.";
    /// The head is signed for another network.
    HeadNetwork = "head-network", "The log belongs to another network.";
    /// More records than the head has signed.
    HeadBehind = "head-behind", "The log holds records that its signature does not cover.";
    /// Fewer records than the head has signed.
    HeadAhead = "head-ahead", "Records at the end of the log are missing.";
    /// As many records as the head has signed, but not those.
    HeadMismatch = "head-mismatch", "The records are not the ones that were signed.";
    /// The file has no such tables or comes from a newer version.
    UnknownSchema = "unknown-schema", "The file has a form that this version of the program does not know.";
    /// SQLite cannot read the file from this record on.
    UnreadableFile = "unreadable-file", "The file of the log is damaged.";
    /// No file, or it cannot be opened.
    NoLog = "no-log", "There is no log at this place, or it cannot be opened.";
}

/// Where and how a log is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} ({} at record {at})", reason.sentence(), reason.code())]
pub struct Broken {
    /// Number of the first record that is not in order (records count from 1). For a head that is
    /// missing or not valid: the number of the last record, all up to it being in order.
    pub at: u64,
    /// In which way.
    pub reason: Reason,
}

impl Broken {
    pub(crate) fn new(at: u64, reason: Reason) -> Self {
        Self { at, reason }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program has this store open.
    AlreadyOpen,
    /// The log is not as it was written.
    Broken(#[from] Broken),
    /// A record above [`omni_types::record::MAX_RECORD_BYTES`], a blob above
    /// [`omni_types::wire::MAX_BLOB_BYTES`] or an account name above [`crate::MAX_ACCOUNT_BYTES`].
    TooLarge,
    /// A balance above 2^63 − 1, or more records than that.
    OutOfRange,
    /// The disk is full; nothing of the operation was kept.
    DiskFull,
    /// The file system cannot keep a write-ahead log (some network drives).
    UnsupportedFileSystem,
    /// Signing or encoding failed.
    Rejected(#[from] Rejection),
    /// Creating or locking a file failed.
    Io(#[from] io::Error),
    /// SQLite failed in another way.
    Sqlite(#[source] rusqlite::Error),
}

impl Error {
    /// Stable code, kebab case; for a broken log that of its [`Reason`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyOpen => "store-already-open",
            Self::Broken(broken) => broken.reason.code(),
            Self::TooLarge => "store-too-large",
            Self::OutOfRange => "store-out-of-range",
            Self::DiskFull => "disk-full",
            Self::UnsupportedFileSystem => "unsupported-file-system",
            Self::Rejected(rejection) => rejection.code(),
            Self::Io(_) => "store-io",
            Self::Sqlite(_) => "store-failed",
        }
    }

    /// One sentence a volunteer understands.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::AlreadyOpen => "OmniSwarm is already running with this data folder.",
            Self::Broken(broken) => broken.reason.sentence(),
            Self::TooLarge => "Something is larger than the store may hold.",
            Self::OutOfRange => "A number is larger than the store may hold.",
            Self::DiskFull => "The disk is full.",
            Self::UnsupportedFileSystem => {
                "The data folder is on a drive that cannot keep the data safe; choose a folder on a local disk."
            }
            Self::Rejected(rejection) => rejection.sentence(),
            Self::Io(_) => "A file in the data folder cannot be read or written.",
            Self::Sqlite(_) => "The database in the data folder cannot be read or written.",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Io(error) => write!(f, "{} ({}): {error}", self.sentence(), self.code()),
            Self::Sqlite(error) => write!(f, "{} ({}): {error}", self.sentence(), self.code()),
            _ => write!(f, "{} ({})", self.sentence(), self.code()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Broken(Broken::new(0, Reason::UnreadableFile))
            }
            Some(ErrorCode::CannotOpen) => Self::Broken(Broken::new(0, Reason::NoLog)),
            _ => Self::Sqlite(error),
        }
    }
}
