//! `omniswarm demo`: a private network inside this program, on a real research problem, with a live
//! view. Supernode, steward and nodes talk over libp2p on loopback; every node has its own key, log
//! and sandbox children.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use omni_node::{
    Command, POLICY_VERSION, StewardView,
    embedded::{self, EmbeddedNode, EmbeddedOptions},
    runner::SandboxRunner,
};
use omni_types::Settings;

use crate::{
    Common, IdentityKind,
    daemon::{CampaignArgs, interrupted},
    identity, output, terminal,
};

#[derive(Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    campaign: CampaignArgs,
    /// Volunteers' nodes, at least 2: one works, another one checks; 3 can settle a disagreement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=32))]
    nodes: u8,
    /// Share of this computer's processors that the demo may use, per cent
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(10..=100))]
    cpu_percent: u8,
    /// When to end
    #[arg(long, value_enum, default_value = "interrupted")]
    until: Until,
    /// End after this many seconds in any case
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Print one JSON object as the last line, and nothing else on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// When interrupted (Ctrl-C)
    Interrupted,
    /// When the proven optimum of the bundled table is reached
    Optimal,
}

/// Why the demo came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Optimal,
    Seconds,
    Interrupted,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Seconds => "seconds",
            Self::Interrupted => "interrupted",
        }
    }
}

pub(crate) async fn run(common: &Common, args: DemoArgs) -> anyhow::Result<ExitCode> {
    let choice = args.campaign.choice()?;
    // Without a data folder everything is thrown away at the end.
    let throwaway = match &common.data_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("no temporary folder")?),
    };
    let (data, default) = match (&common.data_dir, &throwaway) {
        (Some(data), _) => (data.clone(), IdentityKind::Keyring),
        (None, Some(folder)) => (folder.path().to_owned(), IdentityKind::Session),
        (None, None) => (PathBuf::new(), IdentityKind::Session),
    };
    let keypair = {
        let (common, data) = (common.clone(), data.clone());
        let load = move || identity::load(&common, &data, default);
        tokio::task::spawn_blocking(load).await??
    };
    let started = tokio::time::Instant::now();
    let demo = embedded::start(EmbeddedOptions {
        data,
        keypair,
        choice,
        helpers: usize::from(args.nodes) - 1,
        slots: 1,
        runner: Arc::new(SandboxRunner::current_exe()?),
        // Somebody who starts a demo wants to see it run.
        governed: false,
    })?;
    let policy_version = POLICY_VERSION;
    demo.node.command(Command::Agree { policy_version }).await?;
    // A demo that was stopped or paused in an earlier run is asked for again by starting it.
    demo.node.command(Command::LiftKill).await?;
    demo.node.command(Command::Resume).await?;
    let settings = Settings {
        cpu_percent: args.cpu_percent,
        ..Settings::default()
    };
    demo.node.command(Command::Change(settings)).await?;

    let view = (!args.json).then(|| terminal::start(&demo));
    let end = wait(&demo, &args).await;
    let last = demo.steward.borrow().clone();
    // Stop in any case, then say what went wrong, if anything did.
    let stopped = demo.node.stop().await;
    if let Some(view) = view {
        view.finish().await;
    }
    let end = end?;
    stopped?;
    let last = last.context("the steward never came up")?;
    report(&args, end, &last, started.elapsed());
    Ok(ExitCode::SUCCESS)
}

async fn wait(demo: &EmbeddedNode, args: &DemoArgs) -> anyhow::Result<End> {
    let mut steward = demo.steward.clone();
    let optimal = async {
        if args.until == Until::Interrupted {
            std::future::pending::<()>().await;
        }
        // An error means that the network is gone; the node's end says why.
        if steward
            .wait_for(|view| view.as_ref().is_some_and(is_optimal))
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    };
    let seconds = async {
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = optimal => Ok(End::Optimal),
        () = seconds => Ok(End::Seconds),
        result = interrupted() => { result?; Ok(End::Interrupted) }
        ended = demo.node.ended() => {
            ended?;
            anyhow::bail!("the node ended by itself")
        }
    }
}

fn is_optimal(view: &StewardView) -> bool {
    match (&view.best, &view.published) {
        (Some(best), Some(published)) => {
            published.proven_optimal && best.energy <= published.energy
        }
        _ => false,
    }
}

fn report(args: &DemoArgs, end: End, view: &StewardView, took: Duration) {
    if args.json {
        output::json(&serde_json::json!({
            "campaign": args.campaign.campaign,
            "name": view.campaign,
            "length": view.length,
            "nodes": args.nodes,
            "end": end.name(),
            "seconds": took.as_millis() as u64 / 1000,
            "best_energy": view.best.as_ref().map(|best| best.energy),
            "merit_factor": view.best.as_ref().map(|best| &best.merit_factor),
            "sequence": view.best.as_ref().map(|best| &best.sequence),
            "published_energy": view.published.as_ref().map(|published| published.energy),
            "proven_optimal": view.published.as_ref().map(|published| published.proven_optimal),
            "generations": view.generation,
            "units_accepted": view.accepted,
            "units_rejected": view.rejected,
            "receipts": view.receipts,
            "ledger": view.totals,
            "conserved": view.totals.conserved,
        }));
        return;
    }
    output::line("");
    match &view.best {
        Some(best) => output::line(&format!(
            "Best verified result for length {}: energy {}, merit factor {}\n{}",
            view.length, best.energy, best.merit_factor, best.sequence
        )),
        None => output::line("No result was verified before the end."),
    };
    output::line(&format!(
        "{} units accepted, {} rejected, {} receipts; credits: {} paid, {} pending; books {}",
        view.accepted,
        view.rejected,
        view.receipts,
        view.totals.paid,
        view.totals.pending,
        if view.totals.conserved {
            "come out even"
        } else {
            "DO NOT come out even"
        }
    ));
}
