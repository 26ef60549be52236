//! Builds the pinned WASM skills and checks that the pinned bytes are what the source gives.
//!
//! One plain compiler call per skill, with nothing in it that depends on where the checkout lies. The bytes do depend on
//! the compiler's version, so the catalogue names the one that was used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const CATALOGUE: &str = "skills/catalogue";
const TARGET: &str = "wasm32-wasi";
const PACKAGES: &str = "rustc libstd-rust-dev-wasm32 lld-14";
/// Names another compiler than the system's; it must have the target too.
const COMPILER_VARIABLE: &str = "SKILL_RUSTC";
const SYSTEM_COMPILER: &str = "/usr/bin/rustc";
/// A skill gets 16 MiB of linear memory at most, 1 MiB of it stack.
const OPTIONS: [&str; 18] = [
    "--edition=2021",
    "--crate-type=bin",
    "--target",
    TARGET,
    "-Copt-level=3",
    "-Clto=fat",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cdebuginfo=0",
    "-Cdebug-assertions=off",
    "-Coverflow-checks=off",
    "-Ctarget-feature=+simd128",
    "-Cstrip=symbols",
    // Part of what makes the bytes; the folder itself is not, and an empty one would be the checkout.
    "-Cincremental=target/skills",
    "-Clink-arg=--strip-all",
    "-Clink-arg=--max-memory=16777216",
    "-Clink-arg=-zstack-size=1048576",
    "-Dwarnings",
];

/// One line of `skills/catalogue/catalogue.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skill {
    name: String,
    version: String,
    kind: String,
    file: String,
    sha256: String,
    size: u64,
    built_with: String,
    source: String,
}

struct Compiler {
    program: PathBuf,
    version: String,
}

/// Builds every skill of the catalogue below `root`. Without `check` the pinned modules and the catalogue are rewritten;
/// with it nothing is written but the build folder.
///
/// # Errors
/// A sentence for the person at the terminal: no suitable compiler, a failed build, or (with `check`) every difference
/// between the pinned and the built bytes.
pub fn build(root: &Path, check: bool) -> Result<(), String> {
    // The compiler is started in the root, so paths given to it may not depend on the caller's folder.
    let root = &fs::canonicalize(root).map_err(|error| format!("{}: {error}", root.display()))?;
    let folder = root.join(CATALOGUE);
    let list = folder.join("catalogue.json");
    let mut skills: Vec<Skill> = serde_json::from_slice(&read(&list)?)
        .map_err(|error| format!("{}: {error}", list.display()))?;
    for skill in &skills {
        check_names(skill)?;
    }
    let compiler = find_compiler()?;
    let mut differences = Vec::new();
    for skill in &mut skills {
        let built = compile(root, &compiler, skill)?;
        let fresh = Skill {
            sha256: HEXLOWER.encode(&Sha256::digest(&built)),
            size: built.len() as u64,
            built_with: compiler.version.clone(),
            ..skill.clone()
        };
        let pinned = folder.join(&skill.file);
        if check {
            differences.extend(compare(skill, &fresh, &read(&pinned)?, &built));
        } else {
            write(&pinned, &built)?;
            println!(
                "{}: {} bytes, sha256 {}",
                skill.name, fresh.size, fresh.sha256
            );
            *skill = fresh;
        }
    }
    if !differences.is_empty() {
        return Err(differences.join("\n"));
    }
    if !check {
        let text = serde_json::to_string_pretty(&skills).map_err(|error| error.to_string())? + "\n";
        write(&list, text.as_bytes())?;
    }
    Ok(())
}

/// File names come from the catalogue: they may not lead out of the checkout.
fn check_names(skill: &Skill) -> Result<(), String> {
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let fine = plain(&skill.name)
        && plain(&skill.file)
        && !skill.file.starts_with('.')
        && skill
            .source
            .split('/')
            .all(|step| plain(step) && !step.starts_with('.'));
    if fine {
        Ok(())
    } else {
        Err(format!(
            "{:?}: the catalogue has a name or path that is not plain",
            skill.name
        ))
    }
}

fn find_compiler() -> Result<Compiler, String> {
    let program = std::env::var_os(COMPILER_VARIABLE)
        .map_or_else(|| PathBuf::from(SYSTEM_COMPILER), PathBuf::from);
    let missing = |why: &str| {
        format!(
            "{} cannot build skills: {why}. Install the Debian packages `{PACKAGES}`, or name a compiler that has the \
             target {TARGET} in {COMPILER_VARIABLE}.",
            program.display()
        )
    };
    let ask = |arguments: &[&str]| -> Result<String, String> {
        let output = Command::new(&program)
            .args(arguments)
            .output()
            .map_err(|error| missing(&error.to_string()))?;
        if !output.status.success() {
            return Err(missing(String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let version = ask(&["--version"])?;
    let libraries = ask(&["--print", "target-libdir", "--target", TARGET])?;
    if !Path::new(&libraries).is_dir() {
        return Err(missing(&format!(
            "its libraries for {TARGET} are not installed"
        )));
    }
    Ok(Compiler { program, version })
}

fn compile(root: &Path, compiler: &Compiler, skill: &Skill) -> Result<Vec<u8>, String> {
    let folder = root.join("target/skills");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let module = folder.join(&skill.file);
    let mut remap = std::ffi::OsString::from("--remap-path-prefix=");
    remap.push(root);
    remap.push("=.");
    let output = Command::new(&compiler.program)
        .current_dir(root)
        .env_remove("RUSTC_BOOTSTRAP")
        .args(OPTIONS)
        .arg(format!(
            "--crate-name={}",
            skill.name.replace(['-', '.'], "_")
        ))
        .arg(remap)
        .arg("-o")
        .arg(&module)
        .arg(&skill.source)
        .output()
        .map_err(|error| format!("{}: {error}", compiler.program.display()))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{}: {} did not build it:\n{}",
            skill.name,
            compiler.version,
            messages.trim()
        ));
    }
    read(&module)
}

/// What is different, one line each; nothing when the pinned skill is what the source gives.
fn compare(skill: &Skill, fresh: &Skill, pinned: &[u8], built: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let name = &skill.name;
    if pinned != built {
        let place = pinned.iter().zip(built).take_while(|(a, b)| a == b).count();
        lines.push(format!(
            "{name}: the pinned {} ({} bytes) is not what the source gives ({} bytes); first difference at byte {place}",
            skill.file,
            pinned.len(),
            built.len()
        ));
        if skill.built_with != fresh.built_with {
            lines.push(format!(
                "{name}: it was pinned with `{}` and rebuilt with `{}`: other compilers give other bytes, so check with \
                 the pinned one",
                skill.built_with, fresh.built_with
            ));
        }
    }
    let digest = HEXLOWER.encode(&Sha256::digest(pinned));
    if skill.sha256 != digest {
        lines.push(format!(
            "{name}: the catalogue's sha256 is {:?}, that of {} is {digest}",
            skill.sha256, skill.file
        ));
    }
    if skill.size != pinned.len() as u64 {
        lines.push(format!(
            "{name}: the catalogue's size is {}, that of {} is {}",
            skill.size,
            skill.file,
            pinned.len()
        ));
    }
    lines
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;

    fn skill(bytes: &[u8]) -> Skill {
        Skill {
            name: "labs".into(),
            version: "0.1.0".into(),
            kind: "compute".into(),
            file: "labs.wasm".into(),
            sha256: HEXLOWER.encode(&Sha256::digest(bytes)),
            size: bytes.len() as u64,
            built_with: "rustc 1".into(),
            source: "skills/labs/src/main.rs".into(),
        }
    }

    #[test]
    fn every_difference_is_said() {
        let pinned = skill(b"abc");
        assert!(compare(&pinned, &pinned, b"abc", b"abc").is_empty());
        let lines = compare(&pinned, &pinned, b"abc", b"abd");
        assert!(lines.len() == 1 && lines[0].contains("byte 2"), "{lines:?}");
        let newer = Skill {
            built_with: "rustc 2".into(),
            ..skill(b"abd")
        };
        let lines = compare(&pinned, &newer, b"abc", b"abd");
        assert!(
            lines.len() == 2 && lines[1].contains("`rustc 1`") && lines[1].contains("`rustc 2`"),
            "{lines:?}"
        );
        let wrong = Skill {
            sha256: "00".into(),
            size: 9,
            ..pinned.clone()
        };
        let lines = compare(&wrong, &pinned, b"abc", b"abc");
        assert!(
            lines.len() == 2 && lines[0].contains("sha256") && lines[1].contains("size"),
            "{lines:?}"
        );
    }

    #[test]
    fn the_catalogue_cannot_name_files_outside_the_checkout() {
        assert_eq!(check_names(&skill(b"")), Ok(()));
        for file in ["", "../labs.wasm", "/labs.wasm", ".hidden", "a\\b"] {
            assert!(
                check_names(&Skill {
                    file: file.into(),
                    ..skill(b"")
                })
                .is_err(),
                "{file}"
            );
        }
        for source in [
            "",
            "/etc/main.rs",
            "skills/../../main.rs",
            "skills//main.rs",
        ] {
            assert!(
                check_names(&Skill {
                    source: source.into(),
                    ..skill(b"")
                })
                .is_err(),
                "{source}"
            );
        }
    }

    #[test]
    fn the_pinned_files_agree_with_the_catalogue() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(CATALOGUE);
        let skills: Vec<Skill> =
            serde_json::from_slice(&read(&folder.join("catalogue.json")).unwrap()).unwrap();
        assert!(!skills.is_empty());
        for skill in skills {
            let pinned = read(&folder.join(&skill.file)).unwrap();
            assert_eq!(
                compare(&skill, &skill, &pinned, &pinned),
                Vec::<String>::new()
            );
        }
    }
}
