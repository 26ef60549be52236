//! The one writer.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use omni_types::{
    Cid, Entry, Keypair, LogHead, NetworkId, Signed, Timestamp, canonical,
    record::MAX_RECORD_BYTES, wire::MAX_BLOB_BYTES,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use crate::{chain, error::Error, schema};

/// Longest account name, bytes.
pub const MAX_ACCOUNT_BYTES: usize = 256;

/// Bytes of all blobs together; beyond it the oldest are dropped.
pub const MAX_BLOBS_BYTES: u64 = 256 << 20;

/// The head is checked without regard to time, so it never expires.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// The sums of one account, in millionths of a credit, each at most 2^63 − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Name of the account, at most [`MAX_ACCOUNT_BYTES`].
    pub account: String,
    /// Debits that are final.
    pub debits_posted: u64,
    /// Credits that are final.
    pub credits_posted: u64,
    /// Debits that may still be voided.
    pub debits_pending: u64,
    /// Credits that may still be voided.
    pub credits_pending: u64,
}

/// The open store. Nothing else can open it until it is dropped.
pub struct Store {
    // Before the lock, so that the database is closed when the lock goes.
    conn: Connection,
    keypair: Keypair,
    network: NetworkId,
    head: LogHead,
    _lock: File,
}

impl Store {
    /// Opens the store at `path`, creating it (readable by its owner only) when there is none; the
    /// folder must exist. Checks the signed head and the last record; [`Store::for_each`] checks all.
    ///
    /// # Errors
    /// [`Error::AlreadyOpen`]; [`Error::Broken`]; [`Error::UnsupportedFileSystem`];
    /// [`Error::DiskFull`]; [`Error::Io`]; [`Error::Sqlite`].
    pub fn open(path: &Path, keypair: &Keypair, network: NetworkId) -> Result<Self, Error> {
        let lock = private_file(&beside(path, ".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::AlreadyOpen),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // SQLite gives its companion files the mode of this one.
        private_file(path)?;
        sync_folder(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)?;
        schema::configure_writer(&conn)?;
        let first = sealed(LogHead::EMPTY, keypair, network, Timestamp(0))?;
        schema::migrate(&mut conn, first)?;
        schema::check(&conn)?;
        let head = chain::verify_end(&conn, network, keypair.node_id())?;
        Ok(Self {
            conn,
            keypair: keypair.clone(),
            network,
            head,
            _lock: lock,
        })
    }

    /// Adds `entries` to the log, sets the accounts in `balances` (others stay) and signs the new head,
    /// all or nothing. It is on disk when this returns: acknowledge to others only afterwards.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::OutOfRange`], [`Error::DiskFull`], [`Error::Sqlite`]; then
    /// nothing was added.
    pub fn append(
        &mut self,
        entries: &[Entry],
        balances: &[Balance],
        now: Timestamp,
    ) -> Result<LogHead, Error> {
        if entries.is_empty() && balances.is_empty() {
            return Ok(self.head);
        }
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut head = self.head;
        {
            let mut insert =
                tx.prepare_cached("INSERT INTO records (seq, body, hash) VALUES (?1, ?2, ?3)")?;
            for entry in entries {
                let body = canonical::to_bytes(entry)?;
                if body.len() > MAX_RECORD_BYTES {
                    return Err(Error::TooLarge);
                }
                head = head.extend(&body);
                insert.execute(params![column(head.count)?, body, head.hash.0])?;
            }
            let mut upsert = tx.prepare_cached(
                "INSERT OR REPLACE INTO balances
                     (account, debits_posted, credits_posted, debits_pending, credits_pending)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for balance in balances {
                if balance.account.len() > MAX_ACCOUNT_BYTES {
                    return Err(Error::TooLarge);
                }
                upsert.execute(params![
                    balance.account,
                    column(balance.debits_posted)?,
                    column(balance.credits_posted)?,
                    column(balance.debits_pending)?,
                    column(balance.credits_pending)?,
                ])?;
            }
        }
        if head != self.head {
            let signed = sealed(head, &self.keypair, self.network, now)?;
            tx.execute("UPDATE head SET signed = ?1 WHERE id = 1", params![signed])?;
        }
        tx.commit()?;
        self.head = head;
        Ok(head)
    }

    /// Number of entries and hash of the last.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// Up to `limit` entries with numbers above `after`, in order; fewer when their bytes exceed
    /// [`crate::PAGE_BYTES`], and none at the end only. Each is checked against the one before.
    ///
    /// # Errors
    /// [`Error::Broken`] with the place; [`Error::Sqlite`].
    pub fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Entry)>, Error> {
        chain::page(&self.conn, after, limit)
    }

    /// Gives every entry to `visit` in order, for replay. Holds one entry in memory at a time and
    /// checks the whole chain on the way, so a completed replay is a verified one.
    ///
    /// # Errors
    /// [`Error::Broken`] with the place; [`Error::Sqlite`]; whatever `visit` returns.
    pub fn for_each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(u64, Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let reached = chain::walk(&self.conn, LogHead::EMPTY, |seq, entry, _| {
            visit(seq, entry).map(|()| true)
        })?;
        chain::fits(self.head, reached).map_err(|broken| Error::from(broken).into())
    }

    /// All balances, by account name. Derived data: what counts is the replay of the log.
    ///
    /// # Errors
    /// [`Error::Sqlite`]; [`Error::OutOfRange`] for a negative number, which this program never writes.
    pub fn balances(&self) -> Result<Vec<Balance>, Error> {
        balances(&self.conn)
    }

    /// Keeps a blob, as the newest one, and drops the oldest beyond [`MAX_BLOBS_BYTES`].
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MAX_BLOB_BYTES`]; [`Error::DiskFull`]; [`Error::Sqlite`].
    pub fn put_blob(&mut self, bytes: &[u8]) -> Result<Cid, Error> {
        self.put_blob_within(bytes, MAX_BLOBS_BYTES)
    }

    fn put_blob_within(&mut self, bytes: &[u8], total: u64) -> Result<Cid, Error> {
        let size = bytes.len() as u64;
        if bytes.len() > MAX_BLOB_BYTES || size > total {
            return Err(Error::TooLarge);
        }
        let cid = Cid::of(bytes);
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let name = cid.to_bytes();
        tx.execute("DELETE FROM blobs WHERE cid = ?1", params![name])?;
        let mut used = amount(tx.query_row(
            "SELECT coalesce(sum(size), 0) FROM blobs",
            [],
            |row| row.get(0),
        )?)?;
        while used.saturating_add(size) > total {
            let (id, oldest): (i64, i64) = tx.query_row(
                "SELECT id, size FROM blobs ORDER BY id LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            tx.execute("DELETE FROM blobs WHERE id = ?1", params![id])?;
            used = used.saturating_sub(amount(oldest)?);
        }
        tx.execute(
            "INSERT INTO blobs (id, cid, size, body)
             VALUES ((SELECT coalesce(max(id), 0) + 1 FROM blobs), ?1, ?2, ?3)",
            params![name, column(size)?, bytes],
        )?;
        tx.commit()?;
        Ok(cid)
    }

    /// The blob called `cid`, when it is here and still has that content: a damaged one counts as
    /// absent, so it is fetched and put again.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn blob(&self, cid: Cid) -> Result<Option<Vec<u8>>, Error> {
        let body: Option<Option<Vec<u8>>> = self
            .conn
            .query_row(
                "SELECT CASE WHEN length(body) <= ?2 THEN body END FROM blobs WHERE cid = ?1",
                params![cid.to_bytes(), MAX_BLOB_BYTES as i64],
                |row| row.get(0),
            )
            .optional()?;
        Ok(body.flatten().filter(|bytes| cid.matches(bytes)))
    }
}

/// Every stored balance, by account name.
pub(crate) fn balances(conn: &Connection) -> Result<Vec<Balance>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT account, debits_posted, credits_posted, debits_pending, credits_pending
         FROM balances ORDER BY account",
    )?;
    let mut rows = statement.query([])?;
    let mut balances = Vec::new();
    while let Some(row) = rows.next()? {
        balances.push(Balance {
            account: row.get(0)?,
            debits_posted: amount(row.get(1)?)?,
            credits_posted: amount(row.get(2)?)?,
            debits_pending: amount(row.get(3)?)?,
            credits_pending: amount(row.get(4)?)?,
        });
    }
    Ok(balances)
}

/// A number as SQLite keeps it.
fn column(value: u64) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| Error::OutOfRange)
}

/// A number as it comes back from SQLite.
fn amount(column: i64) -> Result<u64, Error> {
    u64::try_from(column).map_err(|_| Error::OutOfRange)
}

fn sealed(
    head: LogHead,
    keypair: &Keypair,
    network: NetworkId,
    now: Timestamp,
) -> Result<Vec<u8>, Error> {
    let signed = Signed::seal(head, keypair, network, now, NEVER)?;
    Ok(canonical::to_bytes(signed.signed())?)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens or creates a file that only its owner can read and write.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// Makes the new file's name durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Other systems keep names durable by themselves.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn blobs_beyond_the_limit_push_out_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let keypair = Keypair::from_secret(&[1; 32]);
        let path = folder.path().join("store.db");
        let mut store = Store::open(&path, &keypair, NetworkId([7; 32])).unwrap();
        let a = store.put_blob_within(&[1; 40], 100).unwrap();
        let b = store.put_blob_within(&[2; 40], 100).unwrap();
        assert_eq!(store.put_blob_within(&[1; 40], 100).unwrap(), a);
        let c = store.put_blob_within(&[3; 30], 100).unwrap();
        assert_eq!(store.blob(b).unwrap(), None, "b became the oldest");
        assert_eq!(store.blob(a).unwrap(), Some(vec![1; 40]));
        assert_eq!(store.blob(c).unwrap(), Some(vec![3; 30]));
        assert!(matches!(
            store.put_blob_within(&[0; 101], 100),
            Err(Error::TooLarge)
        ));
        let whole = store.put_blob_within(&[4; 100], 100).unwrap();
        assert_eq!(store.blob(a).unwrap(), None);
        assert_eq!(store.blob(c).unwrap(), None);
        assert_eq!(store.blob(whole).unwrap(), Some(vec![4; 100]));
    }
}
