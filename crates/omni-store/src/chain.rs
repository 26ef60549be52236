//! Walking the hash chain: the one place that decides whether a log is in order.

use omni_types::{
    Digest, Entry, LogHead, NetworkId, NodeId, Rejection, Signed, canonical,
    record::MAX_RECORD_BYTES,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::{Broken, Error, Reason};

/// Bytes of record bodies after which a page of entries ends, whatever its limit.
pub const PAGE_BYTES: usize = 16 << 20;

/// Largest stored head, bytes; a real one has about 250.
const MAX_HEAD_BYTES: usize = 4 << 10;

/// Reads the records after `from` in order, checks each against the chain, gives it to `visit` with
/// its number and its size, and returns the head reached. One record is in memory at a time.
///
/// Stops early, without an error, when `visit` returns `false`.
pub(crate) fn walk<E: From<Error>>(
    conn: &Connection,
    from: LogHead,
    mut visit: impl FnMut(u64, Entry, usize) -> Result<bool, E>,
) -> Result<LogHead, E> {
    let mut head = from;
    // From the start, also what should not exist: numbers below 1.
    let first = match from.count {
        0 => i64::MIN,
        count => i64::try_from(count.saturating_add(1)).map_err(|_| Error::OutOfRange)?,
    };
    let at_record = |seq: u64, error: rusqlite::Error| match Error::from(error) {
        Error::Broken(broken) => Error::Broken(Broken { at: seq, ..broken }),
        other => other,
    };
    // The size is checked inside SQLite, before the body is loaded.
    let mut statement = conn
        .prepare_cached(
            "SELECT seq,
                    CASE WHEN typeof(body) = 'blob' AND length(body) <= ?2 THEN body END,
                    CASE WHEN typeof(hash) = 'blob' AND length(hash) = 32 THEN hash END
             FROM records WHERE seq >= ?1 ORDER BY seq",
        )
        .map_err(Error::from)?;
    let mut rows = statement
        .query(params![first, MAX_RECORD_BYTES as i64])
        .map_err(Error::from)?;
    loop {
        let seq = head.count.saturating_add(1);
        let Some(row) = rows.next().map_err(|error| at_record(seq, error))? else {
            return Ok(head);
        };
        let found: i64 = row.get(0).map_err(|error| at_record(seq, error))?;
        let found = u64::try_from(found).unwrap_or(0);
        if found == 0 {
            return Err(Error::from(Broken::new(0, Reason::ExtraRecord)).into());
        }
        if found != seq {
            return Err(Error::from(Broken::new(seq, Reason::MissingRecord)).into());
        }
        let body: Option<Vec<u8>> = row.get(1).map_err(|error| at_record(seq, error))?;
        let hash: Option<[u8; 32]> = row.get(2).map_err(|error| at_record(seq, error))?;
        let changed = || Error::from(Broken::new(seq, Reason::ChangedRecord));
        let body = body.ok_or_else(changed)?;
        let next = head.extend(&body);
        if hash != Some(next.hash.0) {
            return Err(changed().into());
        }
        let entry: Entry = canonical::from_bytes(&body, MAX_RECORD_BYTES)
            .map_err(|_| Error::from(Broken::new(seq, Reason::UndecodableRecord)))?;
        head = next;
        if !visit(seq, entry, body.len())? {
            return Ok(head);
        }
    }
}

/// Up to `limit` entries after number `after`, fewer when they have more than [`PAGE_BYTES`].
pub(crate) fn page(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Entry)>, Error> {
    let mut entries = Vec::new();
    let mut room = PAGE_BYTES;
    let last = last_record(conn)?.count;
    if limit == 0 || after >= last {
        return Ok(entries);
    }
    walk(conn, head_at(conn, after)?, |seq, entry, size| {
        entries.push((seq, entry));
        room = room.saturating_sub(size);
        Ok::<_, Error>(entries.len() < limit && room > 0)
    })?;
    Ok(entries)
}

/// Walks the whole log and checks that it ends where the signed head says.
pub(crate) fn verify(
    conn: &Connection,
    network: NetworkId,
    node: NodeId,
) -> Result<LogHead, Error> {
    let reached = walk(conn, LogHead::EMPTY, |_, _, _| Ok::<_, Error>(true))?;
    let head = signed_head(conn, network, node).map_err(|error| match error {
        Error::Broken(broken) => Error::Broken(Broken {
            at: reached.count,
            ..broken
        }),
        other => other,
    })?;
    fits(head, reached)?;
    Ok(head)
}

/// Checks the signed head against the last record only, which is quick however long the log is.
pub(crate) fn verify_end(
    conn: &Connection,
    network: NetworkId,
    node: NodeId,
) -> Result<LogHead, Error> {
    let last = last_record(conn)?;
    let head = signed_head(conn, network, node).map_err(|error| match error {
        Error::Broken(broken) => Error::Broken(Broken {
            at: last.count,
            ..broken
        }),
        other => other,
    })?;
    fits(head, last)?;
    if let Some(before) = last.count.checked_sub(1) {
        walk(conn, head_at(conn, before)?, |_, _, _| Ok::<_, Error>(true))?;
    }
    Ok(head)
}

pub(crate) fn fits(head: LogHead, reached: LogHead) -> Result<(), Broken> {
    let behind = Broken::new(head.count.saturating_add(1), Reason::HeadBehind);
    let ahead = Broken::new(reached.count.saturating_add(1), Reason::HeadAhead);
    match head.count.cmp(&reached.count) {
        std::cmp::Ordering::Less => Err(behind),
        std::cmp::Ordering::Greater => Err(ahead),
        std::cmp::Ordering::Equal if head.hash != reached.hash => {
            Err(Broken::new(reached.count, Reason::HeadMismatch))
        }
        std::cmp::Ordering::Equal => Ok(()),
    }
}

/// Number and stored hash of the last record, unchecked.
fn last_record(conn: &Connection) -> Result<LogHead, Error> {
    let last: Option<i64> = conn.query_row("SELECT max(seq) FROM records", [], |row| row.get(0))?;
    match u64::try_from(last.unwrap_or(0)) {
        Ok(count) => head_at(conn, count),
        Err(_) => Err(Broken::new(0, Reason::ExtraRecord).into()),
    }
}

/// The head after `count` records according to the stored hash, which is not checked here.
fn head_at(conn: &Connection, count: u64) -> Result<LogHead, Error> {
    if count == 0 {
        return Ok(LogHead::EMPTY);
    }
    let seq = i64::try_from(count).map_err(|_| Error::OutOfRange)?;
    let hash: Option<Option<[u8; 32]>> = conn
        .query_row(
            "SELECT CASE WHEN typeof(hash) = 'blob' AND length(hash) = 32 THEN hash END
             FROM records WHERE seq = ?1",
            params![seq],
            |row| row.get(0),
        )
        .optional()?;
    match hash {
        Some(Some(hash)) => Ok(LogHead {
            count,
            hash: Digest(hash),
        }),
        Some(None) => Err(Broken::new(count, Reason::ChangedRecord).into()),
        None => Err(Broken::new(count, Reason::MissingRecord).into()),
    }
}

/// The stored head when `node` signed it for `network`. Faults are reported at record 0: only the
/// caller knows how far the records reach.
pub(crate) fn signed_head(
    conn: &Connection,
    network: NetworkId,
    node: NodeId,
) -> Result<LogHead, Error> {
    let bytes: Option<Option<Vec<u8>>> = conn
        .query_row(
            "SELECT CASE WHEN typeof(signed) = 'blob' AND length(signed) <= ?1 THEN signed END
             FROM head WHERE id = 1",
            params![MAX_HEAD_BYTES as i64],
            |row| row.get(0),
        )
        .optional()?;
    let broken = |reason| Error::from(Broken::new(0, reason));
    let bytes = bytes
        .ok_or_else(|| broken(Reason::HeadMissing))?
        .ok_or_else(|| broken(Reason::HeadSignature))?;
    let head = canonical::from_bytes::<Signed<LogHead>>(&bytes, MAX_HEAD_BYTES)
        .and_then(|signed| signed.verify_stored(network))
        .and_then(|verified| verified.signed_by(node))
        .map_err(|rejection| {
            broken(match rejection {
                Rejection::WrongNetwork => Reason::HeadNetwork,
                Rejection::WrongSigner => Reason::HeadSigner,
                _ => Reason::HeadSignature,
            })
        })?;
    Ok(*head)
}
