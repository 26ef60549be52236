//! `omniswarm doctor`: what protects this computer, looked at afresh.

use std::process::ExitCode;

use clap::Subcommand;
use omni_node::sandbox;

use crate::output;

#[derive(Subcommand)]
pub(crate) enum DoctorCommand {
    /// Which walls stand around the sandbox on this computer
    Sandbox {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: DoctorCommand) -> anyhow::Result<ExitCode> {
    let DoctorCommand::Sandbox { json } = command;
    let report = sandbox::probe(&sandbox::Command::current_exe()?).await?;
    let all_up = report.all_up();
    if json {
        let walls: Vec<_> = report
            .walls()
            .iter()
            .map(|wall| {
                serde_json::json!({
                    "code": wall.wall.code(), "state": wall.state.code(),
                    "means": wall.wall.sentence(),
                })
            })
            .collect();
        output::json(&serde_json::json!({ "all_up": all_up, "walls": walls }));
    } else {
        for wall in report.walls() {
            output::line(&format!(
                "{:8} {:18} {}",
                wall.state.code(),
                wall.wall.code(),
                wall.wall.sentence()
            ));
        }
        output::line(if all_up {
            "Every wall is up. Work can run."
        } else {
            "A wall is missing. No work runs on this computer, unless the node is started with \
             --accept-missing-walls."
        });
    }
    Ok(if all_up {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
