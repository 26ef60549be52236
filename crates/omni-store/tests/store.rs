//! What the store promises to its one writer and to readers beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use omni_store::{Balance, Error, PAGE_BYTES, Reader, Reason, Store, read_entries, verify_log};
use omni_types::{Cid, Entry, Keypair, LogHead, NetworkId, Timestamp, record::MAX_RECORD_BYTES};
use rusqlite::Connection;
use support::{NETWORK, Place, entry, keypair, unit};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn balance(account: &str, amount: u64) -> Balance {
    Balance {
        account: account.to_owned(),
        debits_posted: amount,
        credits_posted: 2,
        debits_pending: 3,
        credits_pending: 4,
    }
}

fn replay(store: &Store) -> Vec<Entry> {
    let mut entries = Vec::new();
    store
        .for_each(|_, entry| {
            entries.push(entry);
            Ok::<_, Error>(())
        })
        .unwrap();
    entries
}

#[test]
fn an_empty_store_has_a_signed_empty_head() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert_eq!(store.head(), LogHead::EMPTY);
    assert_eq!(place.verify(), Ok(LogHead::EMPTY));
    assert_eq!(store.entries(0, 10).unwrap(), vec![]);
    assert_eq!(store.entries(99, 10).unwrap(), vec![]);
    assert_eq!(replay(&store), vec![]);
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let place = Place::new();
    let entries: Vec<Entry> = (1..=9).map(entry).collect();
    let mut store = place.open().unwrap();
    store
        .append(&entries[..4], &[balance("a", 1), balance("b", 9)], NOW)
        .unwrap();
    let head = store
        .append(&entries[4..], &[balance("a", 5)], NOW)
        .unwrap();
    assert_eq!(head.count, 9);
    assert_eq!(store.append(&[], &[], NOW).unwrap(), head);
    drop(store);

    let store = place.open().unwrap();
    assert_eq!(store.head(), head);
    assert_eq!(place.verify(), Ok(head));
    assert_eq!(replay(&store), entries);
    let expected: Vec<_> = (4..=6).map(|number| (number, entry(number))).collect();
    assert_eq!(store.entries(3, 3).unwrap(), expected);
    assert_eq!(
        store.balances().unwrap(),
        vec![balance("a", 5), balance("b", 9)]
    );
}

#[test]
fn a_second_program_is_kept_out_until_the_first_ends() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert!(matches!(place.open(), Err(Error::AlreadyOpen)));
    drop(store);
    place.open().unwrap();
}

#[test]
fn a_reader_with_the_public_key_follows_the_running_writer() {
    let place = Place::new();
    let node = keypair().node_id();
    let mut store = place.open().unwrap();
    store.append(&[entry(1)], &[], NOW).unwrap();
    let reader = Reader::open(&place.path(), NETWORK, node).unwrap();
    assert_eq!(reader.entries(0, 10).unwrap(), vec![(1, entry(1))]);
    let head = store.append(&[entry(2), entry(3)], &[], NOW).unwrap();
    assert_eq!(reader.entries(1, 1).unwrap(), vec![(2, entry(2))]);
    assert_eq!(reader.head().unwrap(), head);
    assert_eq!(reader.verify().unwrap(), head);
    assert_eq!(
        read_entries(&place.path(), NETWORK, node, 2, 10).unwrap(),
        vec![(3, entry(3))]
    );
}

#[test]
fn reading_changes_nothing() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    store.append(&[entry(1)], &[], NOW).unwrap();
    drop(store);
    let before = std::fs::read(place.path()).unwrap();
    place.verify().unwrap();
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn records_that_are_only_in_the_write_ahead_log_are_verified_too() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let head = store
        .append(&[entry(1), entry(2), entry(3)], &[], NOW)
        .unwrap();
    // A copy of database and write-ahead log as a crash leaves them: no shared-memory file, no lock.
    let crashed = Place::new();
    let wal = |place: &Place| place.path().with_extension("db-wal");
    std::fs::copy(place.path(), crashed.path()).unwrap();
    std::fs::copy(wal(&place), wal(&crashed)).unwrap();
    assert_eq!(crashed.verify(), Ok(head));
    assert!(std::fs::metadata(wal(&crashed)).unwrap().len() > 0);
    assert_eq!(crashed.open().unwrap().head(), head);
}

#[test]
fn a_failed_append_leaves_no_trace() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let head = store.append(&[entry(1)], &[balance("a", 1)], NOW).unwrap();
    let large = Entry {
        at: NOW,
        record: unit(1, vec![0; MAX_RECORD_BYTES]),
    };
    let too_large = store.append(&[entry(2), large], &[balance("a", 2)], NOW);
    assert!(matches!(too_large, Err(Error::TooLarge)));
    let too_much = store.append(&[entry(2)], &[balance("a", i64::MAX as u64 + 1)], NOW);
    assert!(matches!(too_much, Err(Error::OutOfRange)));
    let long_name = store.append(&[entry(2)], &[balance(&"a".repeat(257), 1)], NOW);
    assert!(matches!(long_name, Err(Error::TooLarge)));
    assert_eq!(store.head(), head);
    assert_eq!(place.verify(), Ok(head));
    assert_eq!(store.balances().unwrap(), vec![balance("a", 1)]);
    store
        .append(&[entry(2)], &[balance("a", i64::MAX as u64)], NOW)
        .unwrap();
    assert_eq!(
        store.balances().unwrap(),
        vec![balance("a", i64::MAX as u64)]
    );
}

#[test]
fn a_page_of_large_records_ends_early_but_never_empty() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let count = PAGE_BYTES / (3 << 20) + 3;
    for number in 0..count {
        let record = unit(number as u64, vec![0; 3 << 20]);
        store
            .append(&[Entry { at: NOW, record }], &[], NOW)
            .unwrap();
    }
    let first = store.entries(0, 1000).unwrap();
    assert!(!first.is_empty() && first.len() < count);
    let rest = store.entries(first.len() as u64, 1000).unwrap();
    assert_eq!(first.len() + rest.len(), count);
}

#[test]
fn another_identity_or_network_cannot_open_it() {
    let place = Place::new();
    drop(place.open().unwrap());
    let stranger = Keypair::from_secret(&[2; 32]);
    let elsewhere = NetworkId([8; 32]);
    let code = |result: Result<Store, Error>| result.err().map(|error| error.code());
    assert_eq!(
        code(Store::open(&place.path(), &stranger, NETWORK)),
        Some("head-signer")
    );
    assert_eq!(
        code(Store::open(&place.path(), &keypair(), elsewhere)),
        Some("head-network")
    );
    let broken = verify_log(&place.path(), NETWORK, stranger.node_id()).unwrap_err();
    assert_eq!((broken.at, broken.reason), (0, Reason::HeadSigner));
}

#[test]
fn sql_cannot_change_a_record() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    store.append(&[entry(1), entry(2)], &[], NOW).unwrap();
    let conn = Connection::open(place.path()).unwrap();
    for sql in [
        "UPDATE records SET body = x'00' WHERE seq = 1",
        "DELETE FROM records WHERE seq = 2",
        "INSERT OR REPLACE INTO records SELECT 1, body, hash FROM records WHERE seq = 2",
        "INSERT INTO records SELECT 9, body, hash FROM records WHERE seq = 2",
    ] {
        assert!(conn.execute(sql, []).is_err(), "{sql}");
    }
    place.verify().unwrap();
}

#[test]
fn a_damaged_blob_counts_as_absent_and_can_be_put_again() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let cid = store.put_blob(b"skill").unwrap();
    assert_eq!(cid, Cid::of(b"skill"));
    assert_eq!(store.blob(cid).unwrap().as_deref(), Some(&b"skill"[..]));
    assert_eq!(store.blob(Cid::of(b"other")).unwrap(), None);
    Connection::open(place.path())
        .unwrap()
        .execute("UPDATE blobs SET body = x'00'", [])
        .unwrap();
    assert_eq!(store.blob(cid).unwrap(), None);
    store.put_blob(b"skill").unwrap();
    assert_eq!(store.blob(cid).unwrap().as_deref(), Some(&b"skill"[..]));
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.open().unwrap());
    Connection::open(place.path())
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert_eq!(place.open().err().unwrap().code(), "unknown-schema");
    assert_eq!(place.verify().unwrap_err().reason, Reason::UnknownSchema);
}

#[test]
fn what_is_no_log_is_named() {
    let place = Place::new();
    assert_eq!(place.verify().unwrap_err().reason, Reason::NoLog);
    std::fs::write(place.path(), [0x55; 9000]).unwrap();
    assert_eq!(place.verify().unwrap_err().reason, Reason::UnreadableFile);
    assert_eq!(place.open().err().unwrap().code(), "unreadable-file");
    std::fs::write(place.path(), []).unwrap();
    assert_eq!(place.verify().unwrap_err().reason, Reason::UnknownSchema);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    std::fs::write(place.path(), []).unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut store = place.open().unwrap();
    store.append(&[entry(1)], &[], NOW).unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert_eq!(files, 4, "database, write-ahead log, shared memory, lock");
}
