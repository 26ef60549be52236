//! The pinned vectors of the catalogue are what this code computes. `UPDATE_VECTORS=1 cargo test -p labs --test vectors`
//! rewrites their outputs after a deliberate change.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::Path;

use data_encoding::HEXLOWER;
use labs::{run, Answer, Track};
use serde_json::Value;

#[test]
fn the_pinned_vectors_are_reproduced() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalogue/vectors.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut tracks = Vec::new();
    for vector in vectors
        .iter_mut()
        .filter(|vector| vector["skill"] == "labs")
    {
        let input = HEXLOWER
            .decode(vector["input_hex"].as_str().unwrap().as_bytes())
            .unwrap();
        let mut stdin = vector["seed"].as_u64().unwrap().to_le_bytes().to_vec();
        stdin.extend_from_slice(&input);
        let output = run(&stdin).unwrap();
        tracks.push(Answer::decode(&output).unwrap().track);
        vector["output_hex"] = HEXLOWER.encode(&output).into();
    }
    assert!(tracks.contains(&Track::General) && tracks.contains(&Track::Skew));
    let computed = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, computed).unwrap();
    } else {
        assert_eq!(computed, text);
    }
}
