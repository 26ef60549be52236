//! Every way of tampering with the log is found, with its place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use omni_store::{Error, Reason};
use omni_types::{Entry, Keypair, LogHead, Signed, Timestamp, canonical};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use support::{NETWORK, Place, entry, keypair, unit};

const COUNT: u64 = 10;
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn filled() -> Place {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let entries: Vec<Entry> = (1..=COUNT).map(entry).collect();
    store.append(&entries, &[], NOW).unwrap();
    place
}

fn head_of(bodies: &[Vec<u8>]) -> LogHead {
    bodies
        .iter()
        .fold(LogHead::EMPTY, |head, body| head.extend(body))
}

fn bodies(conn: &Connection) -> Vec<Vec<u8>> {
    let mut statement = conn
        .prepare("SELECT body FROM records ORDER BY seq")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Writes another history with a chain of its own, as somebody without the key can.
fn rewrite(conn: &Connection, bodies: &[Vec<u8>]) {
    conn.execute("DELETE FROM records", []).unwrap();
    let mut head = LogHead::EMPTY;
    for body in bodies {
        head = head.extend(body);
        conn.execute(
            "INSERT INTO records VALUES (?1, ?2, ?3)",
            params![head.count as i64, body, head.hash.0],
        )
        .unwrap();
    }
}

fn put_head(conn: &Connection, head: LogHead, keypair: &Keypair) {
    let signed = Signed::seal(head, keypair, NETWORK, NOW, Timestamp(u64::MAX)).unwrap();
    let bytes = canonical::to_bytes(signed.signed()).unwrap();
    conn.execute("UPDATE head SET signed = ?1", params![bytes])
        .unwrap();
}

/// Checks that `tamper` makes both verification and opening (or the replay after it) fail.
#[track_caller]
fn check(tamper: impl FnOnce(&Connection), at: u64, reason: Reason) {
    let place = filled();
    let conn = place.intruder();
    assert!(
        place.verify().is_ok(),
        "the triggers are not what is checked"
    );
    tamper(&conn);
    drop(conn);
    let broken = place.verify().unwrap_err();
    assert_eq!((broken.at, broken.reason), (at, reason));
    let replayed = place
        .open()
        .and_then(|store| store.for_each(|_, _| Ok::<_, Error>(())));
    assert!(
        matches!(replayed, Err(Error::Broken(_))),
        "the node starts on it"
    );
}

fn sql(text: &'static str) -> impl FnOnce(&Connection) {
    move |conn| conn.execute_batch(text).unwrap()
}

#[test]
fn a_removed_record_is_missed_wherever_it_was() {
    for seq in 1..=COUNT {
        let reason = if seq == COUNT {
            Reason::HeadAhead
        } else {
            Reason::MissingRecord
        };
        let remove = |conn: &Connection| {
            conn.execute("DELETE FROM records WHERE seq = ?1", params![seq as i64])
                .unwrap();
        };
        check(remove, seq, reason);
    }
}

#[test]
fn every_other_kind_of_tampering_is_found_with_its_place() {
    check(sql("DELETE FROM records"), 1, Reason::HeadAhead);
    check(
        sql("DELETE FROM records WHERE seq > 4"),
        5,
        Reason::HeadAhead,
    );
    check(
        sql("DELETE FROM records; DELETE FROM head"),
        0,
        Reason::HeadMissing,
    );
    check(sql("DELETE FROM head"), COUNT, Reason::HeadMissing);
    check(
        sql("UPDATE head SET signed = x'a0'"),
        COUNT,
        Reason::HeadSignature,
    );
    check(
        sql("UPDATE head SET signed = zeroblob(100000)"),
        COUNT,
        Reason::HeadSignature,
    );
    check(
        sql("UPDATE records SET body = zeroblob(5000000) WHERE seq = 3"),
        3,
        Reason::ChangedRecord,
    );
    check(
        sql("UPDATE records SET body = x'' WHERE seq = 3"),
        3,
        Reason::ChangedRecord,
    );
    check(
        sql("UPDATE records SET hash = zeroblob(32) WHERE seq = 10"),
        10,
        Reason::ChangedRecord,
    );
    check(
        sql(
            "UPDATE records SET seq = 99 WHERE seq = 4; UPDATE records SET seq = 4 WHERE seq = 7;
             UPDATE records SET seq = 7 WHERE seq = 99",
        ),
        4,
        Reason::ChangedRecord,
    );
    check(
        sql("INSERT INTO records SELECT 11, body, hash FROM records WHERE seq = 10"),
        11,
        Reason::ChangedRecord,
    );
    check(
        sql("INSERT INTO records SELECT 40, body, hash FROM records WHERE seq = 10"),
        11,
        Reason::MissingRecord,
    );
    check(
        sql("PRAGMA ignore_check_constraints = on;
             INSERT INTO records SELECT -1, body, hash FROM records WHERE seq = 10"),
        0,
        Reason::ExtraRecord,
    );
    check(sql("DROP TABLE head"), 0, Reason::UnknownSchema);
    check(
        sql("DROP TABLE records; CREATE VIEW records AS SELECT 1 AS seq, x'' AS body, x'' AS hash"),
        0,
        Reason::UnknownSchema,
    );
}

#[test]
fn another_history_with_a_chain_of_its_own_does_not_fit_the_signature() {
    let replaced = |conn: &Connection| {
        let mut history = bodies(conn);
        history[2] = canonical::to_bytes(&entry(77)).unwrap();
        rewrite(conn, &history);
    };
    check(replaced, COUNT, Reason::HeadMismatch);
    let continued = |conn: &Connection| {
        let mut history = bodies(conn);
        history.push(canonical::to_bytes(&entry(11)).unwrap());
        rewrite(conn, &history);
    };
    check(continued, COUNT + 1, Reason::HeadBehind);
    let no_record = |conn: &Connection| {
        let mut history = bodies(conn);
        history[5] = vec![0xff; 3];
        rewrite(conn, &history);
        put_head(conn, head_of(&history), &keypair());
    };
    check(no_record, 6, Reason::UndecodableRecord);
}

#[test]
fn a_head_that_is_old_or_forged_is_found() {
    let older = |conn: &Connection| {
        let history = bodies(conn);
        put_head(conn, head_of(&history[..6]), &keypair());
    };
    check(older, 7, Reason::HeadBehind);
    let empty = |conn: &Connection| put_head(conn, LogHead::EMPTY, &keypair());
    check(empty, 1, Reason::HeadBehind);
    let forged = |conn: &Connection| {
        put_head(
            conn,
            head_of(&bodies(conn)),
            &Keypair::from_secret(&[2; 32]),
        );
    };
    check(forged, COUNT, Reason::HeadSigner);
}

#[test]
fn any_changed_byte_of_the_head_is_found() {
    let place = filled();
    let conn = place.intruder();
    let good: Vec<u8> = conn
        .query_row("SELECT signed FROM head", [], |row| row.get(0))
        .unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x10;
        conn.execute("UPDATE head SET signed = ?1", params![bad])
            .unwrap();
        let broken = place.verify().unwrap_err();
        assert_eq!(broken.at, COUNT, "byte {index}");
        assert_eq!(broken.reason, Reason::HeadSignature, "byte {index}");
    }
}

#[test]
fn a_file_damaged_below_sqlite_never_passes_for_another_log() {
    let place = filled();
    let head = place.verify().unwrap();
    let good = std::fs::read(place.path()).unwrap();
    for index in (0..good.len()).step_by(37) {
        let mut bad = good.clone();
        bad[index] ^= 0x41;
        std::fs::write(place.path(), bad).unwrap();
        // Free space, blobs and balances may change; the log may not.
        if let Ok(found) = place.verify() {
            assert_eq!(found, head, "byte {index}");
        }
    }
}

#[test]
fn an_older_complete_copy_passes_as_the_documentation_says() {
    let place = filled();
    let old = std::fs::read(place.path()).unwrap();
    let mut store = place.open().unwrap();
    store.append(&[entry(11)], &[], NOW).unwrap();
    drop(store);
    std::fs::write(place.path(), old).unwrap();
    assert_eq!(place.verify().unwrap().count, COUNT);
}

fn batches() -> impl Strategy<Value = Vec<Vec<Entry>>> {
    let entry =
        (any::<u64>(), prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(number, input)| {
            Entry {
                at: Timestamp(number),
                record: unit(number, input),
            }
        });
    let entry = prop_oneof![entry, (0..100u64).prop_map(support::entry)];
    prop::collection::vec(prop::collection::vec(entry, 0..6), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_batches_verify_and_any_changed_byte_is_found_at_its_record(
        batches in batches(),
        record in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        flip in 1..=255u8,
        in_hash in any::<bool>(),
    ) {
        let place = Place::new();
        let mut store = place.open().unwrap();
        for batch in &batches {
            store.append(batch, &[], NOW).unwrap();
        }
        let entries: Vec<Entry> = batches.concat();
        let head = store.head();
        prop_assert_eq!(head.count, entries.len() as u64);
        prop_assert_eq!(place.verify(), Ok(head));
        let numbered: Vec<(u64, Entry)> = (1..).zip(entries).collect();
        prop_assert_eq!(store.entries(0, 1000).unwrap(), numbered.clone());
        drop(store);
        if numbered.is_empty() {
            return Ok(());
        }
        let seq = record.index(numbered.len()) as i64 + 1;
        let conn = place.intruder();
        let column = if in_hash { "hash" } else { "body" };
        let mut bytes: Vec<u8> = conn
            .query_row(
                &format!("SELECT {column} FROM records WHERE seq = ?1"),
                params![seq],
                |row| row.get(0),
            )
            .unwrap();
        let index = byte.index(bytes.len());
        bytes[index] ^= flip;
        conn.execute(
            &format!("UPDATE records SET {column} = ?1 WHERE seq = ?2"),
            params![bytes, seq],
        )
        .unwrap();
        let broken = place.verify().unwrap_err();
        prop_assert_eq!((broken.at, broken.reason), (seq as u64, Reason::ChangedRecord));
    }
}
