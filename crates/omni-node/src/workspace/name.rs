//! Names that mean the same one file on Linux, macOS and Windows.
//!
//! This keeps work portable and its files visible. That nothing outside the workspace is reached
//! does not depend on it: that rests on the directory handles.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::WorkspaceError;

/// Longest name, bytes of UTF-8; below every system's own limit, also with the beginning that a
/// temporary file gets.
pub const MAX_NAME_BYTES: usize = 128;

/// Punctuation that is plain in a file name everywhere. The tilde is not among it: on Windows
/// `LONGNA~1` is a second name of another file.
const PUNCTUATION: &[char] = &['-', '_', '.', '+', '=', '@', ',', '(', ')', ' '];

/// Names that Windows takes for devices, with any ending and in any case.
const DEVICES: &[&str] = &[
    "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$", "CONFIG$",
];

/// Checks that a text is one plain name.
///
/// # Errors
/// [`WorkspaceError::NameNotAllowed`] with the reason.
pub(super) fn check(name: &str) -> Result<(), WorkspaceError> {
    match fault(name) {
        Some(reason) => Err(WorkspaceError::NameNotAllowed(reason)),
        None => Ok(()),
    }
}

fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("it is too long");
    }
    // Everything else is refused: separators, streams, wild cards, control and invisible
    // characters, and what only looks like a dot or a slash.
    if let Some(refused) = name
        .chars()
        .find(|character| !character.is_alphanumeric() && !PUNCTUATION.contains(character))
    {
        return Some(match refused {
            '/' | '\\' => "it names a path",
            ':' => "it contains a colon",
            '\0' => "it contains a zero byte",
            _ => "it contains a character that is not a letter, a digit or plain punctuation",
        });
    }
    // Also refuses `.` and `..`; names of temporary files begin with a dot.
    if name.starts_with('.') {
        return Some("it begins with a dot");
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Some("it begins or ends with a space, or ends with a dot");
    }
    if is_device(name) {
        return Some("it is the name of a device");
    }
    if !ComposingNormalizerBorrowed::new_nfc().is_normalized(name) {
        return Some("it is not written in the normal form");
    }
    None
}

/// Whether Windows opens a device under this name, such as `con`, `NUL.tar.gz` or `COM¹`.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let upper = stem.to_uppercase();
    if DEVICES.contains(&upper.as_str()) {
        return true;
    }
    let Some(port) = upper
        .strip_prefix("COM")
        .or_else(|| upper.strip_prefix("LPT"))
    else {
        return false;
    };
    let mut characters = port.chars();
    matches!(
        (characters.next(), characters.next()),
        (Some('0'..='9' | '¹' | '²' | '³'), None)
    )
}

/// What two names have in common that a case-insensitive file system may take for one.
pub(super) fn fold(name: &str) -> String {
    // Up and down again also joins what has several lower-case forms, such as s and ſ, ß and ss.
    let folded = name.to_lowercase().to_uppercase().to_lowercase();
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(&folded)
        .into_owned()
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

    #[test]
    fn plain_names_pass() {
        for name in [
            "result.json",
            "a",
            "A b (1).txt",
            "größe.txt",
            "数据.csv",
            "console.log",
            "com10.txt",
            "nul0",
            "community",
            "a..b",
            "bafyreigh2akiscaildc.part",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn every_other_name_is_refused_with_its_reason() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for (name, reason) in [
            ("", "empty"),
            (long.as_str(), "too long"),
            (".", "begins with a dot"),
            ("..", "begins with a dot"),
            (".hidden", "begins with a dot"),
            ("../a", "path"),
            ("/etc/passwd", "path"),
            ("a/b", "path"),
            ("a\\b", "path"),
            ("C:\\a", "colon"),
            ("a:stream", "colon"),
            ("a\0b", "zero byte"),
            ("a\nb", "character"),
            ("a*", "character"),
            ("PROGRA~1", "character"),
            ("a.", "ends"),
            ("a ", "ends"),
            (" a", "begins"),
            ("CON", "device"),
            ("con", "device"),
            ("Nul.txt", "device"),
            ("NUL .txt", "device"),
            ("nul.tar.gz", "device"),
            ("COM1.txt", "device"),
            ("lpt9", "device"),
            ("COM\u{b9}", "device"),
            ("PRN.a.b", "device"),
            ("aux", "device"),
            // Looks like a slash, like dots, turns the direction, is invisible.
            ("a\u{ff0f}b", "character"),
            ("a\u{2215}b", "character"),
            ("\u{ff0e}\u{ff0e}", "character"),
            ("\u{2024}\u{2024}", "character"),
            ("a\u{202e}txt.exe", "character"),
            ("a\u{200b}", "character"),
            ("a\u{feff}", "character"),
            ("a\u{ad}b", "character"),
            // e and a combining accent; the Ångström sign, whose normal form is another letter.
            ("cafe\u{301}", "character"),
            ("\u{212b}", "normal form"),
        ] {
            match check(name) {
                Err(WorkspaceError::NameNotAllowed(given)) => {
                    assert!(given.contains(reason), "{name:?}: {given}");
                }
                other => panic!("{name:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn names_that_differ_in_case_fold_to_one() {
        for (one, other, same) in [
            ("Result.JSON", "result.json", true),
            ("GRÖSSE", "größe", true),
            ("\u{212a}elvin", "kelvin", true),
            ("ſtar", "STAR", true),
            ("a", "b", false),
            ("a1", "a2", false),
        ] {
            assert_eq!(fold(one) == fold(other), same, "{one} {other}");
        }
    }
}
