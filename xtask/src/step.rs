//! Running one step and saying what it is.

use std::process::Command;

/// Says what comes next.
pub(crate) fn title(text: &str) {
    println!("\n== {text}");
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not start or does not succeed; names it.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    let name = words.join(" ");
    let status = command
        .status()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{name}` failed ({status})"))
    }
}
