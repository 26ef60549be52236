//! What was acknowledged survives kill -9 at any moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use omni_store::{Balance, Store};
use omni_types::{LogHead, Timestamp};
use support::{NETWORK, Place, entry, keypair};

const STORE: &str = "OMNI_STORE_CRASH_PATH";
const ROUNDS: u64 = 10;
const ACKNOWLEDGED: &str = "acknowledged ";

/// The program that is killed: appends one or several entries at a time, for ever, and says after
/// each append how far it is.
#[test]
#[ignore = "the child of `acknowledged_records_survive_kill_9`"]
fn child() {
    let path = std::env::var_os(STORE).unwrap();
    let mut store = Store::open(Path::new(&path), &keypair(), NETWORK).unwrap();
    loop {
        let count = store.head().count;
        let entries: Vec<_> = (1..=1 + count % 5)
            .map(|more| entry(count + more))
            .collect();
        let reached = count + entries.len() as u64;
        let balance = Balance {
            account: "reached".into(),
            debits_posted: reached,
            credits_posted: 0,
            debits_pending: 0,
            credits_pending: 0,
        };
        let head: LogHead = store
            .append(&entries, &[balance], Timestamp(count))
            .unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ACKNOWLEDGED}{}", head.count).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn acknowledged_records_survive_kill_9() {
    let place = Place::new();
    let mut draw = 0x2545_f491_u64;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env(STORE, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let wanted = 1 + (draw >> 33) % 60;
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = 0;
        let mut seen = 0;
        for line in out.lines() {
            // The child goes on while it dies: what it still says counts as well.
            let line = line.unwrap();
            let Some((_, number)) = line.split_once(ACKNOWLEDGED) else {
                continue;
            };
            acknowledged = number.parse().unwrap();
            seen += 1;
            if seen == wanted {
                child.kill().unwrap();
            }
        }
        let status = child.wait().unwrap();
        assert!(
            !status.success() && seen >= wanted,
            "round {round}: {status}"
        );

        let head = place.verify().unwrap();
        assert!(head.count >= acknowledged, "round {round}");
        let store = place.open().unwrap();
        assert_eq!(store.head(), head, "round {round}");
        let mut expected = 0;
        store
            .for_each(|seq, found| {
                expected += 1;
                assert_eq!((seq, found), (expected, entry(expected)));
                Ok::<_, omni_store::Error>(())
            })
            .unwrap();
        assert_eq!(expected, head.count);
        assert_eq!(store.balances().unwrap()[0].debits_posted, head.count);
    }
}
