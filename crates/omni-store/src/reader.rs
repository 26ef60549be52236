//! Reading a log without the secret key, also while the node is writing it.

use std::path::Path;

use omni_types::{Entry, LogHead, NetworkId, NodeId};
use rusqlite::{Connection, OpenFlags};

use crate::{
    chain,
    error::{Broken, Error, Reason},
    schema,
    store::{Balance, balances},
};

/// A log opened read-only. Takes no lock: the node may be running, and each call sees one state of
/// the log, records and head belonging together.
///
/// After a crash the latest records are in the `-wal` file beside the database; it is read too, for
/// which the folder must be writable by this program.
pub struct Reader {
    conn: Connection,
    network: NetworkId,
    node: NodeId,
}

impl Reader {
    /// Opens the log of `node` on `network`.
    ///
    /// # Errors
    /// [`Error::Broken`] with [`Reason::NoLog`], [`Reason::UnreadableFile`] or
    /// [`Reason::UnknownSchema`].
    pub fn open(path: &Path, network: NetworkId, node: NodeId) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        schema::configure(&conn)?;
        schema::check(&conn)?;
        Ok(Self {
            conn,
            network,
            node,
        })
    }

    /// The signed head, its signature checked.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn head(&self) -> Result<LogHead, Error> {
        chain::signed_head(&self.conn, self.network, self.node)
    }

    /// Walks the whole log.
    ///
    /// # Errors
    /// [`Error::Broken`] with the place.
    pub fn verify(&self) -> Result<LogHead, Error> {
        let snapshot = self.conn.unchecked_transaction()?;
        chain::verify(&snapshot, self.network, self.node)
    }

    /// Walks the whole log as [`Reader::verify`] does, then gives every entry to `visit` in order, and
    /// returns the balances stored beside it: all from one state of the file.
    ///
    /// # Errors
    /// [`Error::Broken`] with the place; whatever `visit` returns.
    pub fn audit<E: From<Error>>(
        &self,
        mut visit: impl FnMut(u64, Entry) -> Result<(), E>,
    ) -> Result<(LogHead, Vec<Balance>), E> {
        let snapshot = self.conn.unchecked_transaction().map_err(Error::from)?;
        let head = chain::verify(&snapshot, self.network, self.node)?;
        chain::walk(&snapshot, LogHead::EMPTY, |seq, entry, _| {
            visit(seq, entry).map(|()| true)
        })?;
        Ok((head, balances(&snapshot)?))
    }

    /// Up to `limit` entries with numbers above `after`, in order; fewer when their bytes exceed
    /// [`crate::PAGE_BYTES`], and none at the end only. Head and end of the log are checked, and each
    /// entry against the one before.
    ///
    /// # Errors
    /// [`Error::Broken`] with the place.
    pub fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Entry)>, Error> {
        let snapshot = self.conn.unchecked_transaction()?;
        chain::verify_end(&snapshot, self.network, self.node)?;
        chain::page(&snapshot, after, limit)
    }
}

/// One page of the log at `path`: see [`Reader::entries`].
///
/// # Errors
/// As [`Reader::open`] and [`Reader::entries`].
pub fn read_entries(
    path: &Path,
    network: NetworkId,
    node: NodeId,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Entry)>, Error> {
    Reader::open(path, network, node)?.entries(after, limit)
}

/// Walks the log of `node` on `network` from the first record to the signed head. Needs no secret and
/// changes nothing. An older complete copy of the file passes: see the crate's documentation.
///
/// # Errors
/// Where and how the log is broken. A failure to read the file is [`Reason::UnreadableFile`].
pub fn verify_log(path: &Path, network: NetworkId, node: NodeId) -> Result<LogHead, Broken> {
    Reader::open(path, network, node)
        .and_then(|reader| reader.verify())
        .map_err(|error| match error {
            Error::Broken(broken) => broken,
            _ => Broken::new(0, Reason::UnreadableFile),
        })
}
