//! Tables and their versions.

use std::time::Duration;

use rusqlite::{Connection, Transaction, config::DbConfig, params};
use rusqlite_migration::{HookError, M, MigrationDefinitionError, Migrations};

use crate::error::{Broken, Error, Reason};

/// How long one connection waits for another, milliseconds. Writer and readers of a write-ahead log
/// wait for each other only for moments (recovery, the end of a checkpoint).
const BUSY_MS: u64 = 5_000;

/// The version that [`migrate`] leads to.
pub(crate) const VERSION: i64 = 1;

/// The insert trigger leaves no gap and nothing to replace: `INSERT OR REPLACE` fires no delete trigger.
const VERSION_1: &str = "
CREATE TABLE records (
    seq  INTEGER PRIMARY KEY CHECK (seq >= 1),
    body BLOB NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER records_in_order BEFORE INSERT ON records
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM records)
BEGIN SELECT raise(ABORT, 'records are numbered without gaps'); END;
CREATE TRIGGER records_no_update BEFORE UPDATE ON records
BEGIN SELECT raise(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_no_delete BEFORE DELETE ON records
BEGIN SELECT raise(ABORT, 'records are append-only'); END;
CREATE TABLE head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    signed BLOB NOT NULL
) STRICT;
CREATE TABLE balances (
    account         TEXT PRIMARY KEY,
    debits_posted   INTEGER NOT NULL CHECK (debits_posted >= 0),
    credits_posted  INTEGER NOT NULL CHECK (credits_posted >= 0),
    debits_pending  INTEGER NOT NULL CHECK (debits_pending >= 0),
    credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    id   INTEGER PRIMARY KEY,
    cid  BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL CHECK (size >= 0),
    body BLOB NOT NULL
) STRICT;
";

/// Settings of every connection.
pub(crate) fn configure(conn: &Connection) -> Result<(), Error> {
    conn.busy_timeout(Duration::from_millis(BUSY_MS))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// Settings of the writing connection.
pub(crate) fn configure_writer(conn: &Connection) -> Result<(), Error> {
    configure(conn)?;
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::UnsupportedFileSystem);
    }
    conn.pragma_update(None, "synchronous", "full")?;
    // Without these two, macOS answers before the disk has written.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(())
}

/// Brings the file to [`VERSION`]. A new log gets `first_head` in the transaction that creates the
/// tables, so that a log without a head is never the work of this program.
pub(crate) fn migrate(conn: &mut Connection, first_head: Vec<u8>) -> Result<(), Error> {
    let write_head = move |tx: &Transaction<'_>| {
        tx.execute(
            "INSERT INTO head (id, signed) VALUES (1, ?1)",
            params![first_head],
        )
        .map(|_| ())
        .map_err(HookError::RusqliteError)
    };
    let migrations = Migrations::new(vec![M::up_with_hook(VERSION_1, write_head)]);
    migrations.to_latest(conn).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => Error::from(err),
        rusqlite_migration::Error::MigrationDefinition(
            MigrationDefinitionError::DatabaseTooFarAhead,
        )
        | rusqlite_migration::Error::InvalidUserVersion => unknown().into(),
        other => Error::Io(std::io::Error::other(other)),
    })
}

/// Checks that the file has the tables of [`VERSION`].
pub(crate) fn check(conn: &Connection) -> Result<(), Error> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Real tables only: a hostile file could have a view of that name that never ends.
    let tables: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('records', 'head')",
        [],
        |row| row.get(0),
    )?;
    if version == VERSION && tables == 2 {
        Ok(())
    } else {
        Err(unknown().into())
    }
}

fn unknown() -> Broken {
    Broken::new(0, Reason::UnknownSchema)
}
