//! The program `omniswarm`, for the people who run the network and for computers without a screen.

mod charter;
mod daemon;
mod demo;
mod doctor;
mod identity;
mod ledger;
mod order;
mod output;
mod policy;
mod receipts;
mod remote;
mod status;
mod terminal;
mod typed;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Lend your computer to open research, safely, and check what it did and earned.
#[derive(Parser)]
#[command(name = "omniswarm", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args, Clone)]
struct Common {
    /// Folder for everything that is kept [default: the system's folder for program data]
    #[arg(long, global = true, env = "OMNISWARM_DATA")]
    data_dir: Option<PathBuf>,
    /// Where the secret key of this node lives
    #[arg(long, global = true, value_enum, env = "OMNISWARM_IDENTITY")]
    identity: Option<IdentityKind>,
    /// File with the passphrase for `--identity file` [default: the environment variable
    /// OMNISWARM_PASSPHRASE]
    #[arg(long, global = true)]
    passphrase_file: Option<PathBuf>,
    /// Form of the log on standard error
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What to log, for example `info` or `omni_node=debug,warn`
    #[arg(long, global = true, env = "OMNISWARM_LOG")]
    log: Option<String>,
}

/// Where the secret key lives. There is no plain-text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IdentityKind {
    /// In the operating system's key store
    Keyring,
    /// In a file in the data folder, encrypted with a passphrase
    File,
    /// In memory only, new each time
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Real research on a private network inside this program, with a live view
    Demo(demo::DemoArgs),
    /// Run a volunteer's node
    Node(daemon::NodeArgs),
    /// Run a steward with its campaign
    Steward(daemon::StewardArgs),
    /// Run a supernode, the meeting point of a network
    Supernode(daemon::SupernodeArgs),
    /// Show what the node with this data folder is doing
    Status(status::StatusArgs),
    /// The kill switch: stop all work on this computer at once, also over restarts
    Kill,
    /// Allow work again after the kill switch, and end a pause
    Resume,
    /// Let work stand still, without losing it
    Pause(remote::PauseArgs),
    /// Show the questions that wait for an answer, and the answers in force
    Questions {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Answer a question
    Answer(remote::AnswerArgs),
    /// Take a yes back
    Revoke {
        /// Number of its question
        question: u64,
    },
    /// Limits of what the node may use, and when
    #[command(subcommand)]
    Settings(remote::SettingsCommand),
    /// What the node may do, and what it decided
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Halt a network, or lift the halt, with its root keys
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// Look at what protects this computer
    #[command(subcommand)]
    Doctor(doctor::DoctorCommand),
    /// Receipts of this node
    #[command(subcommand)]
    Receipts(receipts::ReceiptsCommand),
    /// The books of a node or steward
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Network charters
    #[command(subcommand)]
    Charter(charter::CharterCommand),
    /// Show the public name of this node's key, and make the key if there is none
    Identity,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let _program = arguments.next();
    if arguments.next().as_deref() == Some(std::ffi::OsStr::new(omni_node::CHILD_ARG)) {
        return omni_node::child_main();
    }
    let cli = Cli::parse();
    start_log(&cli.common, &cli.command);
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("omniswarm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(common: &Common, command: &Command) {
    let default = match command {
        // What libraries have to say is for their authors.
        Command::Node(_) | Command::Steward(_) | Command::Supernode(_) => {
            "info,libp2p_swarm=warn,rusqlite_migration=warn"
        }
        _ => "error",
    };
    let filter = common.log.as_deref().unwrap_or(default);
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter));
    match common.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let common = cli.common;
    match cli.command {
        Command::Receipts(command) => return receipts::run(&common, command),
        Command::Ledger(command) => return ledger::run(&common, command),
        Command::Status(args) => return status::run(&common, &args),
        Command::Charter(command) => return charter::run(&common, command),
        Command::Policy(command) => return policy::run(&common, command),
        Command::Identity => return identity::show(&common),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(&common, args).await,
            Command::Node(args) => daemon::node(&common, args).await,
            Command::Steward(args) => daemon::steward(&common, args).await,
            Command::Supernode(args) => daemon::supernode(&common, args).await,
            Command::Kill => remote::kill(&common).await,
            Command::Resume => remote::resume(&common).await,
            Command::Pause(args) => remote::pause(&common, args).await,
            Command::Questions { json } => remote::questions(&common, json).await,
            Command::Answer(args) => remote::answer(&common, args).await,
            Command::Revoke { question } => remote::revoke(&common, question).await,
            Command::Settings(command) => remote::settings(&common, command).await,
            Command::Order(command) => order::run(&common, command).await,
            Command::Doctor(command) => doctor::run(command).await,
            // Answered above, without a runtime.
            _ => Ok(ExitCode::SUCCESS),
        }
    })
}

impl Common {
    /// The data folder.
    fn data(&self) -> anyhow::Result<PathBuf> {
        self.data_dir
            .clone()
            .or_else(omni_node::paths::data)
            .ok_or_else(|| anyhow::anyhow!("this system names no data folder; use --data-dir"))
    }
}
