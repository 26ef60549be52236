//! Every seed, and every input that was a finding once.

use std::{collections::BTreeSet, fs, path::Path};

use omni_fuzz::TARGETS;

#[test]
fn every_seed_is_accepted() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        let names: BTreeSet<&String> = seeds.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names.len(),
            seeds.len(),
            "{}: names are told apart",
            target.name
        );
        for (name, bytes) in &seeds {
            assert!((target.run)(bytes), "{} {name}", target.name);
        }
    }
}

#[test]
fn former_findings_are_none_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for target in TARGETS {
        let Ok(files) = fs::read_dir(folder.join(target.name)) else {
            continue;
        };
        for file in files {
            let path = file.expect("a file of the folder").path();
            println!("{}", path.display());
            (target.run)(&fs::read(path).expect("a readable file"));
        }
    }
}

#[test]
fn damaged_seeds_do_no_harm() {
    for target in TARGETS {
        for (_, bytes) in (target.seeds)() {
            damage(&bytes, target.run);
        }
    }
}

#[test]
fn a_damaged_skill_does_no_harm() {
    let skill = include_bytes!("../../skills/catalogue/labs.wasm");
    assert!(omni_fuzz::admission(skill));
    damage(skill, omni_fuzz::admission);
}

/// Runs pieces from the front of `bytes`, and `bytes` with one bit changed.
fn damage(bytes: &[u8], run: fn(&[u8]) -> bool) {
    let step = bytes.len() / 64 + 1;
    for place in (0..bytes.len()).step_by(step) {
        run(&bytes[..place]);
        let mut changed = bytes.to_vec();
        changed[place] ^= 0x20;
        run(&changed);
    }
}
