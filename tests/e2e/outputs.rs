//! The same skill, input and seed give the same bytes wherever they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use omni_node::{catalogue, sandbox::Requirement};
use omni_types::{Record, ResourceLimits};
use serde_json::Value;

use crate::{network::Network, turn};

#[test]
fn three_nodes_get_the_same_bytes() {
    let _turn = turn();
    let mut network = Network::with_nodes(3);
    network.await_records("steward", 8, "verdict", |record| {
        matches!(record, Record::VerdictReached(_))
    });
    network.stop();
    let mut outputs = BTreeMap::new();
    for entry in network.log("steward") {
        if let Record::ResultReceived(result) = entry.record {
            let result = result.verify_stored(network.id).unwrap();
            for output in &result.outputs {
                outputs
                    .entry((result.unit, output.segment))
                    .or_insert_with(Vec::new)
                    .push((result.signer(), output.output.clone()));
            }
        }
    }
    let mut compared = BTreeSet::new();
    let mut different = BTreeSet::new();
    for ((unit, segment), all) in &outputs {
        let values: BTreeSet<_> = all.iter().map(|(_, output)| output).collect();
        assert_eq!(values.len(), 1, "unit {unit} segment {segment}");
        different.extend(values.into_iter().cloned());
        let nodes: BTreeSet<_> = all.iter().map(|(node, _)| *node).collect();
        if nodes.len() >= 2 {
            compared.extend(nodes);
        }
    }
    assert_eq!(
        compared.len(),
        3,
        "every node was compared with another one"
    );
    assert!(different.len() > 8, "the outputs are not all the same one");
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// What the sandbox of the shipped program gives is what the catalogue promises.
#[test]
fn the_shipped_program_gives_the_bytes_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../skills/catalogue/vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.is_empty());
    let command = omni_sandbox::Command {
        program: crate::program::omniswarm(),
        args: vec![omni_node::CHILD_ARG.into()],
    };
    let limits = ResourceLimits {
        memory_bytes: 32 << 20,
        output_bytes: 1024,
        segment_wall_ms: 60_000,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let module = Arc::new(catalogue::named("labs").unwrap().module.to_vec());
    runtime.block_on(async {
        for _ in 0..2 {
            let child = omni_sandbox::spawn(&command, &module, &limits, Requirement::All);
            let mut child = child.await.unwrap();
            for vector in &vectors {
                assert_eq!(vector["skill"], "labs");
                let seed = vector["seed"].as_u64().unwrap();
                let output = child.run(&unhex(&vector["input_hex"]), seed).await.unwrap();
                assert_eq!(output, unhex(&vector["output_hex"]));
            }
        }
    });
}
