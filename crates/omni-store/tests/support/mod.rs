//! A store in a throwaway folder, and the means to damage it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::PathBuf;

use omni_store::{Broken, Store, verify_log};
use omni_types::{Cid, Digest, Entry, Keypair, LogHead, NetworkId, Record, Timestamp, UnitId};
use rusqlite::Connection;
use tempfile::TempDir;

pub const NETWORK: NetworkId = NetworkId([7; 32]);

pub fn keypair() -> Keypair {
    Keypair::from_secret(&[1; 32])
}

pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("omniswarm.db")
    }

    pub fn open(&self) -> Result<Store, omni_store::Error> {
        Store::open(&self.path(), &keypair(), NETWORK)
    }

    pub fn verify(&self) -> Result<LogHead, Broken> {
        verify_log(&self.path(), NETWORK, keypair().node_id())
    }

    /// A plain connection without the triggers that keep the log append-only.
    pub fn intruder(&self) -> Connection {
        let conn = Connection::open(self.path()).unwrap();
        conn.execute_batch(
            "DROP TRIGGER records_in_order; DROP TRIGGER records_no_update;
             DROP TRIGGER records_no_delete;",
        )
        .unwrap();
        conn
    }
}

/// An entry that differs for every number.
pub fn entry(number: u64) -> Entry {
    let record = match number % 4 {
        0 => Record::Kill {
            on: number.is_multiple_of(8),
        },
        1 => Record::Consent {
            given: true,
            policy_version: number as u32,
            policy_hash: Digest::of(b"policy"),
        },
        2 => Record::SampleDrawn {
            unit: UnitId([number as u8; 16]),
            segments: (0..number as u32 % 50).collect(),
        },
        _ => unit(number, vec![number as u8; number as usize % 300]),
    };
    Entry {
        at: Timestamp(1_700_000_000_000 + number),
        record,
    }
}

/// A record with bytes of our choice in it.
pub fn unit(sequence: u64, input: Vec<u8>) -> Record {
    Record::UnitCreated {
        unit: UnitId([3; 16]),
        sequence,
        generation: 0,
        skill: Cid::of(b"skill"),
        input,
        seed: 5,
        segments: 1,
    }
}
