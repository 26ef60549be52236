//! `omniswarm status`: the view that the node wrote last.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use omni_node::{NodeView, clock, status};

use crate::{Common, output};

/// A view older than this is called old, milliseconds.
const OLD_MS: u64 = 120_000;

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Print the whole view as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(common: &Common, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let nothing = || format!("no node has run with the data folder {}", data.display());
    let any: status::Status<serde_json::Value> = status::read(&data).with_context(nothing)?;
    if args.json {
        output::line(&serde_json::to_string_pretty(&any)?);
        return Ok(ExitCode::SUCCESS);
    }
    let age = clock::now().since_ms(any.written_at_ms);
    if any.ended {
        output::line("The node is not running. Its last state:");
    } else if age > OLD_MS {
        output::line(&format!(
            "The last word of the node is {} minutes old; it may not be running.",
            age / 60_000
        ));
    }
    match serde_json::from_value::<NodeView>(any.view.clone()) {
        Ok(view) => show(&view),
        // A steward's view: printed as it is.
        Err(_) => {
            output::line(&serde_json::to_string_pretty(&any.view)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(view: &NodeView) {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    output::line(&format!("state        {:?}", view.phase));
    if let Some(problem) = &view.problem {
        output::line(&format!(
            "problem      {} ({})",
            problem.sentence, problem.code
        ));
    }
    if let Some(hold) = &view.hold {
        output::line(&format!("held by      {}", hold.code));
    }
    if view.safety.walls_missing {
        let missing: Vec<&str> = view
            .safety
            .walls
            .iter()
            .filter(|wall| !wall.up)
            .map(|wall| wall.code.as_str())
            .collect();
        output::line(&format!("walls        MISSING: {}", missing.join(", ")));
    }
    for question in &view.questions {
        output::line(&format!(
            "question     {} {} (see `omniswarm questions`)",
            question.id, question.action.name
        ));
    }
    if let Some(reason) = &view.idle_reason {
        output::line(&format!("idle because {reason}"));
    }
    output::line(&format!("node         {}", text(&view.node)));
    output::line(&format!("network      {}", text(&view.network)));
    output::line(&format!(
        "connected    {} peers, supernode {}, steward {}",
        view.connection.peers,
        if view.connection.supernode {
            "yes"
        } else {
            "no"
        },
        if view.connection.steward { "yes" } else { "no" }
    ));
    for campaign in &view.campaigns {
        let best = campaign.best.as_ref().map_or("-".to_owned(), |best| {
            format!(
                "energy {} (merit factor {})",
                best.energy, best.merit_factor
            )
        });
        output::line(&format!(
            "campaign     {} · generation {} · best {best}",
            campaign.name, campaign.generation
        ));
    }
    for unit in &view.running {
        output::line(&format!(
            "running      unit {} · {} of {} parts",
            unit.unit, unit.segments_done, unit.segments
        ));
    }
    output::line(&format!(
        "decisions    {} permitted · {} denied · {} confirmed · {} refused · {} timed out · {} orders refused",
        view.safety.counters.permitted,
        view.safety.counters.denied,
        view.safety.counters.confirmed,
        view.safety.counters.refused,
        view.safety.counters.timed_out,
        view.safety.counters.orders_refused
    ));
    output::line(&format!(
        "rewards      {} receipts · {} final · {} pending · {} taken back",
        view.rewards.receipts, view.rewards.posted, view.rewards.pending, view.rewards.voided
    ));
}
