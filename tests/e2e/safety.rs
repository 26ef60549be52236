//! Kill switch, pause, questions, halts and limits of real nodes, told by the program in a terminal.

use std::{
    fs,
    time::{Duration, Instant},
};

use omni_node::{status::STATUS_FILE, switch::SWITCH_FILE};
use omni_types::{Answer, Record};
use serde_json::Value;

use crate::{
    network::Network,
    program::{Process, descendants, inet_sockets, until, until_within},
    turn,
};

/// Every skill is dead this long after the kill switch was thrown.
const KILL: Duration = Duration::from_millis(250);

impl Network {
    fn phase(&self, number: usize) -> Option<String> {
        let status = self.data(&Self::node_name(number)).join(STATUS_FILE);
        let status: Value = serde_json::from_slice(&fs::read(status).ok()?).ok()?;
        status["view"]["phase"].as_str().map(str::to_owned)
    }

    fn await_phase(&self, number: usize, phase: &str) {
        until(&format!("node {number} is {phase}"), || {
            (self.phase(number).as_deref() == Some(phase)).then_some(())
        });
    }

    /// Process ids of the sandbox children of a node, when there are any.
    fn await_children(&self, number: usize) -> Vec<u32> {
        let pid = self.nodes[number].as_ref().unwrap().pid();
        until("a skill runs", || {
            let children: Vec<u32> = descendants(pid).into_iter().map(Process::pid).collect();
            (!children.is_empty()).then_some(children)
        })
    }

    fn fails(&self, name: &str, args: &[&str]) -> String {
        let output = self.run(name, args);
        assert!(!output.status.success(), "{args:?} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    fn questions(&self, name: &str) -> Value {
        self.json(name, &["questions", "--json"]).1
    }
}

fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[test]
fn the_kill_switch_works_from_another_program_and_survives_a_restart() {
    let _turn = turn();
    let mut network = Network::with_nodes(2);
    network.await_receipts("node-0", 1);
    network.await_children(0);
    let pid = network.nodes[0].as_ref().unwrap().pid();
    let begun = Instant::now();
    network.text("node-0", &["kill"]);
    let told = begun.elapsed();
    assert!(descendants(pid).is_empty(), "a skill runs on");
    println!("`omniswarm kill` came back after {told:?}, with every skill dead");
    network.await_phase(0, "stopped");
    until("no socket", || (inet_sockets(pid) == 0).then_some(()));
    assert!(!network.data("node-0").join(SWITCH_FILE).exists());

    // The other node is not concerned; this one stays stopped over a restart.
    network.await_children(1);
    assert!(network.nodes[0].take().unwrap().interrupt().success());
    network.start_node(0, &["--agree"]);
    network.await_phase(0, "stopped");
    let pid = network.nodes[0].as_ref().unwrap().pid();
    assert_eq!(inet_sockets(pid), 0);
    assert!(descendants(pid).is_empty());

    network.text("node-0", &["resume"]);
    network.await_children(0);
    network.await_phase(0, "running");

    // Thrown while nothing runs, it holds from the next start on, and so does lifting it.
    assert!(network.nodes[0].take().unwrap().interrupt().success());
    let said = network.text("node-0", &["kill"]);
    assert!(said.contains("No node is running"), "{said}");
    network.start_node(0, &[]);
    network.await_phase(0, "stopped");
    assert!(network.nodes[0].take().unwrap().interrupt().success());
    network.text("node-0", &["resume"]);
    network.start_node(0, &[]);
    network.await_children(0);

    // Without the control socket the file alone does it.
    let socket = network.data("node-0").join("control.sock");
    fs::remove_file(&socket).unwrap();
    network.text("node-0", &["kill"]);
    network.await_phase(0, "stopped");
    network.stop();
}

#[test]
fn a_kill_that_is_only_a_file_yet_is_not_lost_when_the_node_dies() {
    let _turn = turn();
    let mut network = Network::with_nodes(1);
    network.await_children(0);
    let node = network.nodes[0].take().unwrap();
    let switch = r#"{"switch":"kill"}"#;
    fs::write(network.data("node-0").join(SWITCH_FILE), switch).unwrap();
    node.kill();
    network.start_node(0, &[]);
    network.await_phase(0, "stopped");
    let kills = |record: &Record| matches!(record, Record::Kill { on: true });
    network.await_records("node-0", 1, "kill", kills);
    network.stop();
}

#[test]
fn a_pause_stops_skills_where_they_are_and_loses_no_work() {
    let _turn = turn();
    let mut network = Network::with_nodes(2);
    let children = network.await_children(0);
    network.text("node-0", &["pause", "--for", "hour"]);
    network.await_phase(0, "paused");
    // Those that were there stand still; one may have come to its end before.
    for child in children {
        assert!(
            !matches!(state_of(child), Some('R' | 'S')),
            "{child} runs on"
        );
    }
    let dropped = |network: &Network| {
        let log = network.log("node-0");
        let is = |record: &Record| matches!(record, Record::LeaseDropped { .. });
        log.iter().filter(|entry| is(&entry.record)).count()
    };
    assert_eq!(dropped(&network), 0);
    // Over a restart it is still paused, with its end.
    assert!(network.nodes[0].take().unwrap().interrupt().success());
    network.start_node(0, &[]);
    network.await_phase(0, "paused");
    let (_, status) = network.json("node-0", &["status", "--json"]);
    assert!(status["view"]["pause"]["until_ms"].is_string(), "{status}");
    network.text("node-0", &["resume"]);
    network.await_receipts("node-0", 1);
    network.stop();
}

#[test]
fn a_medium_campaign_waits_for_the_yes_and_ends_when_it_is_taken_back() {
    let _turn = turn();
    let mut network = Network::start_with(&["--risk", "medium"]);
    network.add_node();
    network.add_node();
    let id = until("a question", || {
        let questions = network.questions("node-0");
        questions["questions"][0]["id"].as_str().map(str::to_owned)
    });
    let question = network.questions("node-0")["questions"][0].clone();
    assert_eq!(question["action"]["name"], "join-campaign");
    assert!(question["action"]["title"]["en"].is_string(), "{question}");
    assert_eq!(question["scopes"], serde_json::json!(["day", "campaign"]));
    let issued = |record: &Record| matches!(record, Record::LeaseIssued(_));
    assert!(
        !network
            .log("steward")
            .iter()
            .any(|entry| issued(&entry.record))
    );

    // A scope that was not offered, a question that is not there.
    let said = network.fails("node-0", &["answer", &id, "yes"]);
    assert!(said.contains("--for"), "{said}");
    network.fails("node-0", &["answer", "99", "no"]);
    until("the other node is asked too", || {
        let questions = network.questions("node-1");
        questions["questions"][0]["id"].as_str().map(|_| ())
    });
    network.text("node-1", &["answer", "1", "no"]);
    network.text("node-0", &["answer", &id, "yes", "--for", "day"]);
    network.await_children(0);
    // The node that said no got nothing.
    let taken = |record: &Record| matches!(record, Record::LeaseTaken(_));
    assert!(
        !network
            .log("node-1")
            .iter()
            .any(|entry| taken(&entry.record))
    );

    network.text("node-0", &["revoke", &id]);
    let pid = network.nodes[0].as_ref().unwrap().pid();
    until("no skill runs", || {
        descendants(pid).is_empty().then_some(())
    });
    let questions = network.questions("node-0");
    assert_eq!(questions["answers"], serde_json::json!([]), "{questions}");
    network.fails("node-0", &["revoke", &id]);

    let audit = network.text("node-0", &["policy", "audit", "--json", "--last", "1000"]);
    let lines: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let has = |what: &dyn Fn(&Value) -> bool| lines.iter().any(what);
    assert!(has(&|line| line["asked"]["action"] == "join-campaign"));
    assert!(has(
        &|line| line["answered"]["answer"] == "yes" && line["answered"]["scope"] == "day"
    ));
    assert!(has(&|line| line["ended"]["revoked"] == true));
    assert!(has(&|line| line["decided"]["action"] == "run-skill"
        && line["decided"]["verdict"] == "permitted"
        && line["decided"]["correlation"].is_string()));
    let answers = |record: &Record| {
        matches!(
            record,
            Record::Answered {
                answer: Answer::No,
                ..
            }
        )
    };
    network.await_records("node-1", 1, "no", answers);
    network.stop();
}

#[test]
fn a_signed_halt_stops_the_network_and_a_forged_one_does_nothing() {
    let _turn = turn();
    let mut network = Network::with_nodes(2);
    network.await_children(0);
    let charter = network.charter.to_str().unwrap().to_owned();
    let file = |name: &str| {
        network
            .folder
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (halt, lift, forged) = (file("halt.json"), file("lift.json"), file("forged.json"));
    let reason = "A fault was found.";
    let sign = |what: &str, out: &str| {
        let args = [
            "order",
            what,
            "--charter",
            &charter,
            "--reason",
            reason,
            "--out",
            out,
        ];
        network.run("root", &args)
    };
    assert!(sign("halt", &halt).status.success());
    // Another key is no root key of this network.
    let args = [
        "order",
        "halt",
        "--charter",
        &charter,
        "--reason",
        reason,
        "--out",
        &forged,
    ];
    network.fails("steward", &args);
    let mut changed: Value = serde_json::from_slice(&fs::read(&halt).unwrap()).unwrap();
    changed["threshold"] = 2.into();
    fs::write(&forged, changed.to_string()).unwrap();
    network.text("node-0", &["order", "send", &forged]);
    let (_, status) = network.json("node-0", &["questions", "--json"]);
    assert_eq!(status["questions"], serde_json::json!([]));
    until("the forged order is counted", || {
        let (_, status) = network.json("node-0", &["status", "--json"]);
        let counters = &status["view"]["safety"]["counters"];
        (counters["orders_refused"] == "1").then_some(())
    });
    assert_eq!(network.phase(0).as_deref(), Some("running"));

    // By hand to one node; over the steward to the other.
    let pid = network.nodes[0].as_ref().unwrap().pid();
    network.text("node-0", &["order", "check", &halt, "--charter", &charter]);
    network.text("node-0", &["order", "send", &halt]);
    until_within(KILL, "every skill is dead", || {
        descendants(pid).is_empty().then_some(())
    });
    network.await_phase(0, "halted");
    network.text("steward", &["order", "send", &halt]);
    network.await_phase(1, "halted");
    let pid = network.nodes[1].as_ref().unwrap().pid();
    until_within(KILL, "every skill is dead", || {
        descendants(pid).is_empty().then_some(())
    });
    until("no socket", || (inet_sockets(pid) == 0).then_some(()));

    // The volunteer's own resume does not lift it; a signed lift does.
    network.text("node-0", &["resume"]);
    network.await_phase(0, "halted");
    assert!(sign("lift", &lift).status.success());
    for name in ["steward", "node-0", "node-1"] {
        network.text(name, &["order", "send", &lift]);
    }
    network.await_children(0);
    // The halt of before cannot be played again.
    network.text("node-0", &["order", "send", &halt]);
    network.await_children(0);
    network.await_phase(0, "running");
    network.stop();
}

#[test]
fn limits_are_set_from_the_terminal_and_kept() {
    let _turn = turn();
    let mut network = Network::with_nodes(1);
    let set = ["settings", "set", "--cpu-percent", "30", "--hours", "22-6"];
    network.text("node-0", &set);
    assert!(network.nodes[0].take().unwrap().interrupt().success());
    network.start_node(0, &[]);
    let shown = network.text("node-0", &["settings", "show"]);
    assert!(shown.contains("\"cpu_percent\": 30"), "{shown}");
    assert!(shown.contains("\"schedule\": ["), "{shown}");
    network.fails("node-0", &["settings", "set", "--memory-mib", "1"]);
    network.stop();
}

#[test]
fn work_stands_still_when_the_disk_space_is_used_up() {
    let _turn = turn();
    let mut network = Network::with_nodes(1);
    network.await_children(0);
    let large = fs::File::create(network.data("node-0").join("large")).unwrap();
    large.set_len(3 << 30).unwrap();
    network.await_phase(0, "held");
    let (_, status) = network.json("node-0", &["status", "--json"]);
    assert_eq!(status["view"]["hold"]["code"], "disk", "{status}");
    // More room helps at once.
    network.text("node-0", &["settings", "set", "--disk-mib", "8192"]);
    network.await_phase(0, "running");
    network.stop();
}

#[test]
fn the_walls_are_up_here_and_the_policy_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = crate::program::command(crate::program::omniswarm(), folder.path());
        crate::program::run(command.args(args))
    };
    let doctor = run(&["doctor", "sandbox", "--json"]);
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    println!("{}", String::from_utf8_lossy(&doctor.stdout));
    assert!(doctor.status.success(), "{report}");
    assert_eq!(report["all_up"], true, "{report}");
    let shown = run(&["policy", "show"]);
    assert!(
        String::from_utf8(shown.stdout)
            .unwrap()
            .contains("run-skill")
    );
    let explained = run(&["policy", "explain", "run-skill"]);
    assert!(
        String::from_utf8(explained.stdout)
            .unwrap()
            .contains("walls-up")
    );
    assert!(!run(&["policy", "explain", "anything"]).status.success());
}
