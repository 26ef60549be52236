//! `omniswarm order`: halting a network and lifting the halt, with the network's root keys.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use omni_core::orders;
use omni_node::{
    clock,
    control::{self, Ask, Told},
    profile,
};
use omni_types::{Order, OrderKind, SignedOrder, order::MAX_HALT_MS};

use crate::{Common, IdentityKind, identity, output};

/// Longest order file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
const HOUR_MS: u64 = 3_600_000;

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Sign an order that stops every node of the network until it expires
    Halt {
        #[command(flatten)]
        sign: SignArgs,
        /// For how many hours, 1 to 720
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=MAX_HALT_MS / HOUR_MS))]
        hours: u64,
    },
    /// Sign an order that ends a halt
    Lift {
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Check an order against a charter, and print it
    Check {
        /// The order
        file: PathBuf,
        /// Charter of the network
        #[arg(long)]
        charter: PathBuf,
    },
    /// Hand an order to the node or steward that runs with this data folder
    Send {
        /// The order
        file: PathBuf,
    },
}

/// An order is signed by several people, one after the other: each adds a signature to the file.
#[derive(Args)]
pub(crate) struct SignArgs {
    /// Charter of the network
    #[arg(long)]
    charter: PathBuf,
    /// Why, one line of plain English
    #[arg(long)]
    reason: String,
    /// Where to write the order; when it is there already with the same contents, this data
    /// folder's key signs it too
    #[arg(long)]
    out: PathBuf,
}

pub(crate) async fn run(common: &Common, command: OrderCommand) -> anyhow::Result<ExitCode> {
    match command {
        OrderCommand::Halt { sign, hours } => {
            sign_order(common, &sign, OrderKind::Halt, hours * HOUR_MS)?;
        }
        OrderCommand::Lift { sign } => {
            sign_order(common, &sign, OrderKind::Lift, MAX_HALT_MS)?;
        }
        OrderCommand::Check { file, charter } => {
            let charter = profile::read_charter(&charter)
                .with_context(|| format!("{} is no charter", charter.display()))?;
            let verified = orders::verify(&read(&file)?, charter.network(), clock::now())
                .with_context(|| format!("the order {} does not hold", file.display()))?;
            output::line(&serde_json::to_string_pretty(&serde_json::json!({
                "network": charter.network(), "order": verified.order,
                "issued_ms": verified.issued.0.to_string(),
                "expires_ms": verified.expires.0.to_string(),
            }))?);
        }
        OrderCommand::Send { file } => {
            let order = Box::new(read(&file)?);
            let data = common.data()?;
            let told = control::ask::<serde_json::Value>(&data, &Ask::Order { order })
                .await
                .with_context(|| format!("nothing runs with the data folder {}", data.display()))?;
            match told {
                Told::Done { .. } => output::line("Handed over; it is carried out if it holds."),
                Told::Refused { code, sentence } => anyhow::bail!("{sentence} ({code})"),
            };
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn sign_order(
    common: &Common,
    args: &SignArgs,
    kind: OrderKind,
    valid_ms: u64,
) -> anyhow::Result<()> {
    omni_types::screen(&args.reason, omni_types::TextLimit::TITLE)
        .context("the reason cannot be shown to people")?;
    let charter = profile::read_charter(&args.charter)
        .with_context(|| format!("{} is no charter", args.charter.display()))?;
    let network = charter.network();
    let root = identity::load(common, &common.data()?, IdentityKind::Keyring)?;
    anyhow::ensure!(
        charter.roots.contains(&root.node_id()),
        "this key ({}) is no root key of the network",
        root.node_id()
    );
    let now = clock::now();
    let before = match args.out.exists() {
        true => Some(read(&args.out)?),
        false => None,
    };
    let signatures = before
        .as_ref()
        .map_or(&[][..], |order| &order.signatures[..]);
    let (order, issued, expires) = match signatures.first() {
        Some(first) => {
            let first = first.clone().verify(now, network)?;
            anyhow::ensure!(
                first.kind == kind && first.reason == args.reason,
                "{} is another order",
                args.out.display()
            );
            ((*first).clone(), first.issued(), first.expires())
        }
        None => {
            let number = now.0;
            let reason = args.reason.clone();
            let order = Order {
                number,
                kind,
                reason,
            };
            (order, now, now.plus_ms(valid_ms))
        }
    };
    let mut signed = SignedOrder::seal(
        &order,
        &charter.name,
        (&charter.roots, charter.threshold),
        &[root],
        (issued, expires),
    )?;
    signed.signatures.extend(signatures.iter().cloned());
    std::fs::write(&args.out, serde_json::to_vec_pretty(&signed)?)
        .with_context(|| format!("{} cannot be written", args.out.display()))?;
    let text = match orders::verify(&signed, network, now) {
        Ok(_) => "signed and complete".to_owned(),
        Err(omni_types::Rejection::QuorumNotReached) => format!(
            "signed by {} of the {} keys that it needs",
            signed.signatures.len(),
            signed.threshold
        ),
        Err(rejection) => return Err(rejection.into()),
    };
    output::line(&format!("{}: {text}", args.out.display()));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<SignedOrder> {
    let size = std::fs::metadata(file)
        .with_context(|| format!("{} cannot be read", file.display()))?
        .len();
    anyhow::ensure!(size <= MAX_FILE_BYTES, "the order is too large");
    serde_json::from_slice(&std::fs::read(file)?)
        .with_context(|| format!("{} is no order", file.display()))
}
