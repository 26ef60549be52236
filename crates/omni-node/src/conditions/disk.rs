//! How much disk space the program's folder takes.

use std::{fs, path::Path};

use omni_core::governor::Signal;

/// Most files and folders that are looked at; a folder with more is not ours alone.
const MAX_ENTRIES: usize = 20_000;

/// Size of all files below `folder`, bytes; links are not followed.
pub(super) fn used_bytes(folder: &Path) -> Signal<u64> {
    let mut folders = vec![folder.to_owned()];
    let mut entries = 0;
    let mut used = 0u64;
    while let Some(folder) = folders.pop() {
        let Ok(names) = fs::read_dir(&folder) else {
            return Signal::Unavailable;
        };
        for entry in names {
            entries += 1;
            if entries > MAX_ENTRIES {
                return Signal::Unavailable;
            }
            // What is gone in the meantime takes no space.
            let Ok((path, meta)) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))
            else {
                continue;
            };
            if meta.is_dir() {
                folders.push(path);
            } else {
                used = used.saturating_add(meta.len());
            }
        }
    }
    Signal::Known(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn files_below_the_folder_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(folder.path().join("one"), [0; 100]).unwrap();
        fs::write(below.join("two"), [0; 23]).unwrap();
        assert_eq!(used_bytes(folder.path()), Signal::Known(123));
        let nowhere = folder.path().join("nowhere");
        assert_eq!(used_bytes(&nowhere), Signal::Unavailable);
    }
}
