//! Writes the inputs to start from: `seeds <folder>` makes `<folder>/<target>/<name>`.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| "corpus".into());
    let folder = PathBuf::from(folder);
    for target in omni_fuzz::TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in (target.seeds)() {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
