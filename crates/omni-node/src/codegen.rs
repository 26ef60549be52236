//! The window's TypeScript types are generated from the view and committed; this test fails when
//! they are stale. `cargo xtask codegen` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, fs, path::Path};

use ts_rs::TS as _;

use crate::view::NodeView;

const UPDATE: &str = "OMNISWARM_UPDATE_GENERATED";

fn files(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .expect("the folder with generated types")
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn generated_types_are_fresh() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated");
    let fresh = tempfile::tempdir().unwrap();
    let config = ts_rs::Config::new().with_out_dir(fresh.path());
    NodeView::export_all(&config).unwrap();
    let fresh = files(fresh.path());
    assert!(fresh.contains_key("NodeView.ts"));
    if std::env::var_os(UPDATE).is_some() {
        for stale in files(&committed).keys() {
            fs::remove_file(committed.join(stale)).unwrap();
        }
        for (name, text) in &fresh {
            fs::write(committed.join(name), text).unwrap();
        }
    }
    assert!(
        files(&committed) == fresh,
        "ui/src/generated is stale: run `cargo xtask codegen` and commit the result"
    );
}
