//! Telling a node that runs in another program what to do: kill switch, pause, answers, limits.

use std::{io, path::Path, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use omni_node::{
    NodeView, clock,
    conditions::local_time,
    control::{self, Ask, Told},
    switch::{self, Switch},
    view::{GrantView, QuestionView, SettingsView},
};
use omni_types::{Answer, Scope};

use crate::{Common, output};

/// How long a node without a control socket has to notice the switch file.
const NOTICE: Duration = Duration::from_secs(5);
/// Time between two looks for that.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Args)]
pub(crate) struct PauseArgs {
    /// For how long
    #[arg(long = "for", value_enum, default_value = "resumed")]
    time: PauseTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PauseTime {
    /// For one hour
    Hour,
    /// Until tomorrow morning, 6 o'clock
    Tomorrow,
    /// Until `omniswarm resume`
    Resumed,
}

#[derive(Args)]
pub(crate) struct AnswerArgs {
    /// Number of the question
    question: u64,
    /// The answer
    #[arg(value_enum)]
    answer: YesNo,
    /// For how long a yes holds; one of those that the question offers
    #[arg(long = "for", value_enum, default_value = "once")]
    scope: ScopeChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScopeChoice {
    /// This one time
    Once,
    /// 24 hours
    Day,
    /// As long as the campaign runs
    Campaign,
}

#[derive(Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the limits
    Show,
    /// Change limits; what is not named stays
    Set(SetArgs),
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// Share of the whole computer's processors, per cent
    #[arg(long, value_parser = clap::value_parser!(u8).range(10..=100))]
    cpu_percent: Option<u8>,
    /// Pieces of work at once
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    cores: Option<u8>,
    /// Memory of all pieces of work together, mebibytes
    #[arg(long)]
    memory_mib: Option<u32>,
    /// Disk space, mebibytes
    #[arg(long)]
    disk_mib: Option<u32>,
    /// Only while nobody uses the computer
    #[arg(long)]
    only_when_idle: Option<bool>,
    /// Minutes without keyboard and mouse after which nobody uses it
    #[arg(long)]
    idle_minutes: Option<u32>,
    /// Also on battery
    #[arg(long)]
    on_battery: Option<bool>,
    /// Also on a metered connection
    #[arg(long)]
    on_metered: Option<bool>,
    /// Rest while the computer is hot
    #[arg(long)]
    pause_when_hot: Option<bool>,
    /// Hours to work in every day, such as 22-6, or `always`
    #[arg(long)]
    hours: Option<String>,
}

/// Asks the running node.
async fn ask(data: &Path, ask: Ask) -> anyhow::Result<NodeView> {
    match control::ask(data, &ask).await {
        Ok(Told::Done { view }) => Ok(view),
        Ok(Told::Refused { code, sentence }) => anyhow::bail!("{sentence} ({code})"),
        Err(error) => Err(error)
            .with_context(|| format!("no node runs with the data folder {}", data.display())),
    }
}

/// Whether an error of the socket means that nothing listens there.
fn nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::Unsupported
    )
}

/// The kill switch, thrown or lifted: written down first, then told to the node, if one runs.
async fn switch_to(data: &Path, wanted: Switch) -> anyhow::Result<()> {
    anyhow::ensure!(
        data.is_dir(),
        "no node has run with the data folder {}",
        data.display()
    );
    switch::write(data, wanted).context("the switch cannot be written down")?;
    let request = match wanted {
        Switch::Kill => Ask::Kill,
        Switch::Lift => Ask::Lift,
    };
    let what = match wanted {
        Switch::Kill => "stopped",
        Switch::Lift => "allowed again",
    };
    match control::ask::<serde_json::Value>(data, &request).await {
        Ok(Told::Done { .. }) => {
            output::line(&format!("Work on this computer is {what}."));
        }
        Ok(Told::Refused { code, sentence }) => anyhow::bail!("{sentence} ({code})"),
        Err(error) if nobody(&error) => {
            if noticed(data).await {
                output::line(&format!("Work on this computer is {what}."));
            } else {
                output::line(&format!(
                    "No node is running; from its next start on work is {what}."
                ));
            }
        }
        Err(error) => return Err(error).context("the node does not answer"),
    }
    Ok(())
}

/// Whether a node without a control socket takes the switch file away in time.
async fn noticed(data: &Path) -> bool {
    let runs = omni_node::status::read::<serde_json::Value>(data)
        .is_ok_and(|status| !status.ended && clock::now().since_ms(status.written_at_ms) < 120_000);
    if !runs {
        return false;
    }
    let gone = async {
        while switch::read(data).is_some() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(NOTICE, gone).await.is_ok()
}

pub(crate) async fn kill(common: &Common) -> anyhow::Result<ExitCode> {
    switch_to(&common.data()?, Switch::Kill).await?;
    Ok(ExitCode::SUCCESS)
}

/// Lifts the kill switch and ends a pause.
pub(crate) async fn resume(common: &Common) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    switch_to(&data, Switch::Lift).await?;
    match control::ask::<serde_json::Value>(&data, &Ask::Resume).await {
        Ok(_) => {}
        Err(error) if nobody(&error) => {}
        Err(error) => return Err(error).context("the node does not answer"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn pause(common: &Common, args: PauseArgs) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let until = match args.time {
        PauseTime::Hour => Some(now.plus_ms(3_600_000)),
        PauseTime::Tomorrow => Some(local_time::tomorrow(now)),
        PauseTime::Resumed => None,
    };
    ask(&common.data()?, Ask::Pause { until }).await?;
    output::line(match args.time {
        PauseTime::Hour => "Paused for one hour.",
        PauseTime::Tomorrow => "Paused until tomorrow morning.",
        PauseTime::Resumed => "Paused until `omniswarm resume`.",
    });
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn questions(common: &Common, json: bool) -> anyhow::Result<ExitCode> {
    let view = ask(&common.data()?, Ask::View).await?;
    if json {
        output::json(&serde_json::json!({
            "questions": view.questions, "answers": view.grants,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    for question in &view.questions {
        output::line(&question_text(question));
    }
    if view.questions.is_empty() {
        output::line("No question is open.");
    }
    for grant in &view.grants {
        output::line(&grant_text(grant));
    }
    Ok(ExitCode::SUCCESS)
}

/// A question as the terminal asks it.
pub(crate) fn question_text(question: &QuestionView) -> String {
    let left = question
        .expires_at_ms
        .parse()
        .map_or(0, |at: u64| at.saturating_sub(clock::now().0));
    format!(
        "Question {}: {}\n    For how long: {}. Without an answer within {} minutes it is \"no\".",
        question.id,
        action_text(&question.action),
        question.scopes.join(" or "),
        left.div_ceil(60_000),
    )
}

fn grant_text(grant: &GrantView) -> String {
    format!(
        "You said yes ({}) to question {}: {}\n    Take it back with `omniswarm revoke {}`.",
        grant.scope,
        grant.id,
        action_text(&grant.action),
        grant.id
    )
}

fn action_text(action: &omni_node::view::ActionView) -> String {
    let title = action
        .title
        .get("en")
        .or_else(|| action.title.values().next());
    let campaign = match (title, &action.campaign) {
        (Some(title), _) => format!("the campaign \"{title}\""),
        (None, Some(id)) => format!("the campaign {}", id.get(..12).unwrap_or(id)),
        (None, None) => "the program".to_owned(),
    };
    let steward = action.steward.as_ref().map_or(String::new(), |steward| {
        format!(" (steward {})", steward.get(..16).unwrap_or(steward))
    });
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
    match action.name.as_str() {
        "join-campaign" => {
            format!("May this computer take part in {campaign}{steward}, which is of medium risk?")
        }
        "exceed-limits" => {
            let memory = action
                .memory_mib
                .map(|mib| format!("{mib} MiB of memory for one piece of work"));
            let disk = action.disk_mib.map(|mib| format!("{mib} MiB of disk"));
            let cpu = action
                .cpu_percent
                .map(|percent| format!("{percent} % of the processors"));
            let wanted: Vec<String> = [memory, disk, cpu].into_iter().flatten().collect();
            format!(
                "May {campaign}{steward} use more than your limits: {}?",
                wanted.join(", ")
            )
        }
        "fetch-outside-input" => format!(
            "May input data for {campaign}{steward} be fetched from {}, which the network's \
             charter does not list?",
            text(&action.host)
        ),
        "read-folder" => format!(
            "May {campaign}{steward} read the folder {}?",
            text(&action.folder)
        ),
        "send-diagnostics" => format!(
            "May a diagnostics bundle be sent to {}?",
            text(&action.host)
        ),
        "change-payout" => format!(
            "May rewards go to a new address, {}?",
            text(&action.address)
        ),
        other => format!("May {campaign} do this: {other}?"),
    }
}

pub(crate) async fn answer(common: &Common, args: AnswerArgs) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let id = args.question.to_string();
    let before = ask(&data, Ask::View).await?;
    let question = before
        .questions
        .iter()
        .find(|question| question.id == id)
        .with_context(|| format!("there is no open question {id}"))?;
    let (scope, name) = match args.scope {
        ScopeChoice::Once => (Scope::Once, "once"),
        ScopeChoice::Day => (Scope::Day, "day"),
        ScopeChoice::Campaign => (Scope::Campaign, "campaign"),
    };
    let answer = match args.answer {
        YesNo::No => Answer::No,
        YesNo::Yes => {
            anyhow::ensure!(
                question.scopes.iter().any(|offered| offered == name),
                "a yes to this question can hold for: {}; name it with --for",
                question.scopes.join(", ")
            );
            Answer::Yes(scope)
        }
    };
    let question = args.question;
    let after = ask(&data, Ask::Answer { question, answer }).await?;
    let open = after.questions.iter().any(|question| question.id == id);
    anyhow::ensure!(!open, "the answer was not taken");
    output::line("Answered.");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn revoke(common: &Common, question: u64) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let id = question.to_string();
    let before = ask(&data, Ask::View).await?;
    anyhow::ensure!(
        before.grants.iter().any(|grant| grant.id == id),
        "there is no yes to question {id} to take back"
    );
    ask(&data, Ask::Revoke { question }).await?;
    output::line("Taken back.");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn settings(
    common: &Common,
    command: SettingsCommand,
) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let mut view = ask(&data, Ask::View).await?;
    if let SettingsCommand::Set(args) = command {
        let settings = changed(view.settings, args)?;
        view = ask(&data, Ask::Change { settings }).await?;
    }
    output::line(&serde_json::to_string_pretty(&view.settings)?);
    for untold in &view.safety.untold {
        output::line(&format!("note: {}", untold_text(untold)));
    }
    Ok(ExitCode::SUCCESS)
}

fn untold_text(code: &str) -> String {
    omni_core::Untold::ALL
        .iter()
        .find(|untold| untold.code() == code)
        .map_or_else(|| code.to_owned(), |untold| untold.sentence().to_owned())
}

fn changed(old: SettingsView, args: SetArgs) -> anyhow::Result<SettingsView> {
    let schedule = match args.hours.as_deref() {
        None => old.schedule,
        Some("always") => None,
        Some(hours) => Some(vec![mask(hours)?; 7]),
    };
    Ok(SettingsView {
        cpu_percent: args.cpu_percent.unwrap_or(old.cpu_percent),
        cores: args.cores.unwrap_or(old.cores),
        memory_mib: args.memory_mib.unwrap_or(old.memory_mib),
        disk_mib: args.disk_mib.unwrap_or(old.disk_mib),
        only_when_idle: args.only_when_idle.unwrap_or(old.only_when_idle),
        idle_minutes: args.idle_minutes.unwrap_or(old.idle_minutes),
        on_battery: args.on_battery.unwrap_or(old.on_battery),
        on_metered: args.on_metered.unwrap_or(old.on_metered),
        pause_when_hot: args.pause_when_hot.unwrap_or(old.pause_when_hot),
        schedule,
    })
}

/// The hours from one to another, over midnight if need be.
fn mask(hours: &str) -> anyhow::Result<u32> {
    let parsed = hours.split_once('-').and_then(|(from, to)| {
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from < 24 && to <= 24 && from != to).then_some((from, to))
    });
    let (from, to) = parsed.context("hours are two numbers from 0 to 24, such as 22-6")?;
    let inside = |hour: u32| {
        if from < to {
            (from..to).contains(&hour)
        } else {
            hour >= from || hour < to
        }
    };
    Ok((0..24)
        .filter(|hour| inside(*hour))
        .fold(0, |mask, hour| mask | 1 << hour))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::mask;

    #[test]
    fn hours_may_go_over_midnight() {
        assert_eq!(mask("0-24").unwrap(), (1 << 24) - 1);
        assert_eq!(mask("8-10").unwrap(), 0b11 << 8);
        assert_eq!(mask("22-6").unwrap(), 0b11 << 22 | 0b11_1111);
        for bad in ["", "8", "8-8", "24-3", "1-25", "a-b"] {
            assert!(mask(bad).is_err(), "{bad}");
        }
    }
}
