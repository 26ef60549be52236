//! `omniswarm policy`: what the node may do, why, and what it decided.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use omni_core::policy;
use omni_node::{
    audit::{self, Line},
    node::LOG_FILE,
    profile,
};
use omni_types::Answer;

use crate::{Common, output};

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Every action with its tier
    Show {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// What must hold before an action is taken
    Explain {
        /// Name of the action, as in `policy show`
        action: String,
    },
    /// What was decided, asked and answered, oldest first
    Audit {
        /// How many lines at most, from the end
        #[arg(long, default_value_t = 50)]
        last: usize,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(common: &Common, command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Show { json } => show(json),
        PolicyCommand::Explain { action } => return explain(&action),
        PolicyCommand::Audit { last, json } => show_audit(common, last, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(json: bool) {
    if json {
        let rules: Vec<_> = policy::RULES
            .iter()
            .map(|rule| {
                let checks: Vec<&str> = rule.checks.iter().map(|check| check.code()).collect();
                serde_json::json!({
                    "action": rule.action, "tier": policy::tier_name(rule.tier),
                    "checks": checks, "means": rule.means,
                })
            })
            .collect();
        output::json(&serde_json::json!({
            "version": policy::POLICY_VERSION, "hash": policy::policy_hash().to_string(),
            "rules": rules,
        }));
        return;
    }
    output::line(&format!(
        "Policy {}, {}. What is not listed is denied.",
        policy::POLICY_VERSION,
        policy::policy_hash()
    ));
    for rule in policy::RULES {
        let tier = policy::tier_name(rule.tier);
        output::line(&format!("{tier:7} {:24} {}", rule.action, rule.means));
    }
}

fn explain(action: &str) -> anyhow::Result<ExitCode> {
    let rule = policy::RULES
        .iter()
        .find(|rule| rule.action == action)
        .with_context(|| {
            format!("no rule names \"{action}\", so it is denied; see `omniswarm policy show`")
        })?;
    output::line(rule.means);
    let first = [
        "The kill switch is off and the network is not halted.",
        "You agreed to this version of the policy.",
    ];
    match rule.tier {
        omni_types::RiskTier::Low => {
            output::line("Low risk: done without asking, when all of this holds:");
            for line in first {
                output::line(&format!("- {line}"));
            }
            for check in rule.checks {
                output::line(&format!("- {} ({})", check.sentence(), check.code()));
            }
        }
        omni_types::RiskTier::Medium => {
            output::line("Medium risk: you are asked first, and silence means no. Besides:");
            for line in first {
                output::line(&format!("- {line}"));
            }
        }
        omni_types::RiskTier::High => {
            output::line("High risk: never done. There is no permit for it.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_audit(common: &Common, last: usize, json: bool) -> anyhow::Result<()> {
    let data = common.data()?;
    let profile = profile::Profile::read(&data)
        .with_context(|| format!("no node has run with the data folder {}", data.display()))?;
    let lines = audit::lines(&data.join(LOG_FILE), profile.network, profile.node, last)?;
    for line in &lines {
        let written = if json {
            output::json(&as_json(line))
        } else {
            output::line(&as_text(line))
        };
        if !written {
            break;
        }
    }
    Ok(())
}

fn answer_name(answer: Answer) -> (&'static str, Option<&'static str>) {
    match answer {
        Answer::Yes(scope) => ("yes", Some(scope.code())),
        Answer::No => ("no", None),
        Answer::TimedOut => ("timed-out", None),
    }
}

fn as_json(line: &Line) -> serde_json::Value {
    match line {
        Line::Decided(decision) => serde_json::json!({ "decided": decision }),
        Line::Asked {
            at,
            question,
            action,
        } => serde_json::json!({ "asked": {
            "at_ms": at.0.to_string(), "question": question, "action": action } }),
        Line::Answered {
            at,
            question,
            answer,
        } => {
            let (answer, scope) = answer_name(*answer);
            serde_json::json!({ "answered": {
                "at_ms": at.0.to_string(), "question": question, "answer": answer,
                "scope": scope } })
        }
        Line::Ended {
            at,
            question,
            revoked,
        } => serde_json::json!({ "ended": {
            "at_ms": at.0.to_string(), "question": question, "revoked": revoked } }),
    }
}

fn as_text(line: &Line) -> String {
    match line {
        Line::Decided(decision) => format!(
            "{} {:9} {:24} {} {}",
            decision.at_ms,
            decision.verdict,
            decision.action,
            decision.rule,
            decision.correlation.as_deref().unwrap_or("-")
        ),
        Line::Asked {
            at,
            question,
            action,
        } => format!("{} question  {action:24} number {question}", at.0),
        Line::Answered {
            at,
            question,
            answer,
        } => {
            let (answer, scope) = answer_name(*answer);
            format!(
                "{} answer    number {question}: {answer} {}",
                at.0,
                scope.unwrap_or("")
            )
        }
        Line::Ended {
            at,
            question,
            revoked,
        } => format!(
            "{} answer    number {question}: {}",
            at.0,
            if *revoked { "taken back" } else { "used" }
        ),
    }
}
