//! The node's memory on disk: one SQLite file with an append-only, hash-chained log of records, a
//! signed head, account balances and blobs.
//!
//! ```text
//!   record 1      record 2             record n
//!   hash 1 ──────▶ hash 2 ──── … ────▶ hash n        hash = H(hash before ‖ number ‖ body)
//!                                        ▲
//!                     head: count n, hash n, signed by the node
//! ```
//!
//! [`Store`] is the one writer; a lock file beside the database keeps a second program out.
//! [`Store::append`] writes records, balances and head in one transaction and returns only when they
//! are on disk (WAL, `synchronous=FULL`). [`Reader`] and [`verify_log`] read the same file, also while
//! the writer runs, and need no secret.
//!
//! # What the chain proves
//! A changed, removed, added or reordered record is found with its number, and so is a head that does
//! not belong to the records. Nobody without the node's key can make another history pass. What cannot
//! be seen from the file alone is an **older complete copy** put in place of the present one: its head
//! was signed by the same key. Nor can a file that is gone altogether: a new, empty log is begun. Whoever needs to notice that compares the head with one seen elsewhere.
//! The balances are derived from the records and are not covered by the chain: replay to check them.

mod chain;
mod error;
mod reader;
mod schema;
mod store;

pub use chain::PAGE_BYTES;
pub use error::{Broken, Error, Reason};
pub use reader::{Reader, read_entries, verify_log};
pub use store::{Balance, MAX_ACCOUNT_BYTES, MAX_BLOBS_BYTES, Store};
