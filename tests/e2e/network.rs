//! A whole network of real processes on loopback, each with its own folder and key.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use omni_node::{
    identity::{KeySource, load_or_create},
    profile,
};
use omni_store::Reader;
use omni_types::{Entry, Keypair, NetworkId, NodeId, Record, SignedCharter};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, PASSPHRASE, Program, run, until};

/// A length whose optimum is not found at once, with pieces of work that take a moment.
const CAMPAIGN: [&str; 6] = [
    "--length",
    "37",
    "--evaluations",
    "4000",
    "--lease-seconds",
    "60",
];

pub struct Network {
    pub folder: TempDir,
    pub id: NetworkId,
    pub charter: PathBuf,
    supernode_address: String,
    pub steward: Option<Program>,
    pub nodes: Vec<Option<Program>>,
    pub supernode: Option<Program>,
}

impl Network {
    /// Supernode and steward.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further arguments of the steward.
    pub fn start_with(steward_args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let mut network = Self {
            id: NetworkId([0; 32]),
            charter: folder.path().join("charter.json"),
            supernode_address: String::new(),
            steward: None,
            nodes: Vec::new(),
            supernode: None,
            folder,
        };
        let steward = network.text("steward", &["identity"]);
        let charter = network.charter.to_str().unwrap().to_owned();
        let id = network.text(
            "root",
            &[
                "charter",
                "new",
                "--name",
                "e2e",
                "--steward",
                &steward,
                "--out",
                &charter,
            ],
        );
        network.id = id.parse().unwrap();
        let mut supernode = network.daemon("supernode", &["supernode"]);
        let ready = supernode.ready();
        ready["addresses"][0]
            .as_str()
            .unwrap()
            .clone_into(&mut network.supernode_address);
        network.supernode = Some(supernode);
        network.start_steward_with(steward_args);
        network
    }

    /// And `nodes` honest volunteers.
    pub fn with_nodes(nodes: usize) -> Self {
        let mut network = Self::start();
        for _ in 0..nodes {
            network.add_node();
        }
        network
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn logs(&self) -> PathBuf {
        self.data("logs")
    }

    /// A command of the program under test with this data folder.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = program::command(program::omniswarm(), self.folder.path());
        command.arg("--data-dir").arg(self.data(name)).args(args);
        command
    }

    pub fn run(&self, name: &str, args: &[&str]) -> Output {
        run(&mut self.command(name, args))
    }

    /// Standard output of a command that succeeds.
    pub fn text(&self, name: &str, args: &[&str]) -> String {
        let output = self.run(name, args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {err}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The JSON that a command prints, and whether it succeeded.
    pub fn json(&self, name: &str, args: &[&str]) -> (bool, Value) {
        let output = self.run(name, args);
        let text = String::from_utf8(output.stdout).unwrap();
        let value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"));
        (output.status.success(), value)
    }

    fn daemon(&self, name: &str, args: &[&str]) -> Program {
        let mut command = self.command(name, &["--log-format", "json"]);
        command.args(args).arg("--charter").arg(&self.charter);
        if !self.supernode_address.is_empty() {
            command.args(["--supernode", &self.supernode_address]);
        }
        Program::start(&mut command, &self.logs(), name)
    }

    pub fn start_steward(&mut self) {
        self.start_steward_with(&[]);
    }

    /// With further arguments.
    pub fn start_steward_with(&mut self, further: &[&str]) {
        let mut args = vec!["steward"];
        args.extend(CAMPAIGN);
        args.extend(further);
        let mut steward = self.daemon("steward", &args);
        steward.ready();
        self.steward = Some(steward);
    }

    pub fn node_name(number: usize) -> String {
        format!("node-{number}")
    }

    pub fn add_node(&mut self) -> usize {
        self.nodes.push(None);
        let number = self.nodes.len() - 1;
        self.start_node(number, &["--agree"]);
        number
    }

    pub fn start_node(&mut self, number: usize, args: &[&str]) {
        let mut all = vec!["node"];
        all.extend(args);
        let mut node = self.daemon(&Self::node_name(number), &all);
        node.ready();
        self.nodes[number] = Some(node);
    }

    /// A volunteer that lies from the moment that [`Network::let_lie`] is called.
    pub fn add_dishonest(&mut self, mode: &str) -> usize {
        let number = self.nodes.len();
        let name = Self::node_name(number);
        let program = env!("CARGO_BIN_EXE_omniswarm-test-dishonest");
        let mut command = program::command(program, self.folder.path());
        command
            .args(["--mode", mode, "--supernode", &self.supernode_address])
            .arg("--charter")
            .arg(&self.charter)
            .arg("--data-dir")
            .arg(self.data(&name))
            .arg("--from")
            .arg(self.data("lie"));
        let mut node = Program::start(&mut command, &self.logs(), &name);
        node.ready();
        self.nodes.push(Some(node));
        number
    }

    pub fn let_lie(&self) {
        fs::write(self.data("lie"), "").unwrap();
    }

    /// Ends everything in good order.
    pub fn stop(&mut self) {
        for node in &mut self.nodes {
            if let Some(node) = node.take() {
                assert!(node.interrupt().success());
            }
        }
        for program in [&mut self.steward, &mut self.supernode] {
            if let Some(program) = program.take() {
                assert!(program.interrupt().success());
            }
        }
    }

    // ---- what was written --------------------------------------------------------------------

    pub fn keypair(&self, name: &str) -> Keypair {
        load_or_create(&KeySource::EncryptedFile {
            path: self.data(name).join("identity.json"),
            passphrase: PASSPHRASE.to_owned().into(),
        })
        .unwrap()
    }

    pub fn node_id(&self, name: &str) -> NodeId {
        profile::Profile::read(&self.data(name)).unwrap().node
    }

    pub fn signed_charter(&self) -> SignedCharter {
        profile::read_charter(&self.charter).unwrap()
    }

    pub fn reader(&self, name: &str) -> Reader {
        let log = self.data(name).join(omni_node::node::LOG_FILE);
        Reader::open(&log, self.id, self.node_id(name)).unwrap()
    }

    /// The whole log, also while its program runs.
    pub fn log(&self, name: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        let audited = self.reader(name).audit(|_, entry| {
            entries.push(entry);
            Ok::<_, omni_store::Error>(())
        });
        audited.unwrap();
        entries
    }

    /// Waits until enough records of a log fit.
    pub fn await_records(
        &self,
        name: &str,
        count: usize,
        what: &str,
        fits: impl Fn(&Record) -> bool,
    ) {
        until(
            &format!("{count} times in the log of {name}: {what}"),
            || {
                let log = self.log(name);
                let found = log.iter().filter(|entry| fits(&entry.record)).count();
                (found >= count).then_some(())
            },
        );
    }

    pub fn await_receipts(&self, name: &str, count: usize) {
        self.await_records(name, count, "receipt", |record| {
            matches!(
                record,
                Record::ReceiptReceived { .. } | Record::ReceiptIssued(_)
            )
        });
    }

    /// Lines of a program's JSON log over all its runs.
    pub fn json_log(&self, name: &str) -> Vec<Value> {
        (1..)
            .map(|run| self.logs().join(format!("{name}.{run}.err")))
            .take_while(|path| path.exists())
            .flat_map(|path| {
                let text = fs::read_to_string(path).unwrap();
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect::<Vec<Value>>()
            })
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for path in files(&self.logs()) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(12);
            eprintln!("--- {}\n{}", path.display(), lines[last..].join("\n"));
        }
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}
