//! The books can be recomputed by anyone, and every change to them is found with its place.

use std::{fs, path::Path};

use omni_node::node::LOG_FILE;
use rusqlite::Connection;
use serde_json::Value;

use crate::{network::Network, turn};

/// Changes a copy of the steward's log and has it verified.
fn verify_changed(network: &Network, change: impl Fn(&Connection)) -> Value {
    let copy = network.data("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    for name in [LOG_FILE, "profile.json"] {
        fs::copy(network.data("steward").join(name), copy.join(name)).unwrap();
    }
    let (valid, answer) = network.json("copy", &["ledger", "verify", "--json"]);
    assert!(valid, "the untouched copy: {answer}");
    let log = Connection::open(copy.join(LOG_FILE)).unwrap();
    for trigger in ["records_in_order", "records_no_update", "records_no_delete"] {
        log.execute_batch(&format!("DROP TRIGGER {trigger}"))
            .unwrap();
    }
    change(&log);
    drop(log);
    let plain = network.run("copy", &["ledger", "verify"]);
    assert_eq!(plain.status.code(), Some(1));
    let text = String::from_utf8(plain.stdout).unwrap();
    let (valid, answer) = network.json("copy", &["ledger", "verify", "--json"]);
    assert!(!valid, "{answer}");
    let code = answer["code"].as_str().unwrap();
    assert!(
        text.starts_with("NOT VALID") && text.contains(&format!("[{code}]")),
        "{text}"
    );
    answer
}

/// After an orderly end everything is in the one file; a reader may leave an empty file beside it.
fn all_in_one_file(folder: &Path) {
    let beside = fs::metadata(folder.join(format!("{LOG_FILE}-wal")));
    assert_eq!(beside.map_or(0, |beside| beside.len()), 0);
}

#[test]
fn the_books_hold_and_every_change_is_found() {
    let _turn = turn();
    let mut network = Network::with_nodes(3);
    network.await_receipts("steward", 6);
    network.await_receipts("node-0", 2);
    let names = ["steward", "node-0", "node-1", "node-2"];
    let verified = |network: &Network, name: &str| {
        let (valid, answer) = network.json(name, &["ledger", "verify", "--json"]);
        assert!(valid, "{name}: {answer}");
        assert_eq!(answer["ledger"]["conserved"], true);
        assert!(answer["records"].as_u64().unwrap() > 0);
        answer
    };
    for name in names {
        verified(&network, name);
    }
    network.stop();
    let answer = verified(&network, "steward");
    for name in &names[1..] {
        verified(&network, name);
    }
    let plain = network.text("steward", &["ledger", "verify"]);
    assert!(plain.starts_with("VALID"), "{plain}");
    all_in_one_file(&network.data("steward"));

    let last = answer["records"].as_i64().unwrap();
    for seq in [1, last / 2, last] {
        let answer = verify_changed(&network, |log| {
            let body: Vec<u8> = log
                .query_row("SELECT body FROM records WHERE seq = ?1", [seq], |row| {
                    row.get(0)
                })
                .unwrap();
            let mut changed = body.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            let rows = log.execute(
                "UPDATE records SET body = ?1 WHERE seq = ?2",
                (changed, seq),
            );
            assert_eq!(rows, Ok(1));
        });
        assert_eq!(
            (&answer["code"], &answer["record"]),
            (&"changed-record".into(), &seq.into())
        );
    }
    let middle = last / 2;
    let answer = verify_changed(&network, |log| {
        let rows = log.execute("DELETE FROM records WHERE seq = ?1", [middle]);
        assert_eq!(rows, Ok(1));
    });
    assert_eq!(
        (&answer["code"], &answer["record"]),
        (&"missing-record".into(), &middle.into())
    );
    let answer = verify_changed(&network, |log| {
        let rows = log.execute("DELETE FROM records WHERE seq = ?1", [last]);
        assert_eq!(rows, Ok(1));
    });
    assert_eq!(
        (&answer["code"], &answer["record"]),
        (&"head-ahead".into(), &last.into())
    );

    let account = format!("node:{}", network.node_id("node-0"));
    let answer = verify_changed(&network, |log| {
        let rows = log.execute(
            "UPDATE balances SET credits_posted = credits_posted + 1 WHERE account = ?1",
            [&account],
        );
        assert_eq!(rows, Ok(1));
    });
    assert_eq!(answer["code"], "balance-wrong");
    assert_eq!(answer["account"], account);
    let answer = verify_changed(&network, |log| {
        let rows = log.execute("DELETE FROM balances WHERE account = ?1", [&account]);
        assert_eq!(rows, Ok(1));
    });
    assert_eq!(answer["code"], "balance-missing");
    assert_eq!(answer["account"], account);
    let answer = verify_changed(&network, |log| {
        let rows = log.execute("INSERT INTO balances VALUES ('reserve', 0, 5, 0, 0)", []);
        assert_eq!(rows, Ok(1));
    });
    assert_eq!(answer["code"], "balance-unknown");
    assert_eq!(answer["account"], "reserve");
}
