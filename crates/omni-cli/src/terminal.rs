//! The live view in a terminal: a progress bar per unit, the best result against the published one,
//! receipts, rewards. Without a terminal the same in plain lines, one when something changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use omni_node::{
    NodeView, StewardView,
    embedded::EmbeddedNode,
    view::{Phase, RewardState, RunningView},
};
use tokio::sync::{mpsc, watch};

use crate::{output, remote, typed};

/// How often the view is drawn at most.
const FRAME: Duration = Duration::from_millis(200);
/// Receipts shown.
const RECEIPTS: usize = 5;

/// A running view.
pub(crate) struct Terminal {
    stop: mpsc::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Terminal {
    /// Draws once more and ends.
    pub(crate) async fn finish(self) {
        drop(self.stop);
        // A view that broke down must not hide the result.
        let _ = self.task.await;
    }
}

/// Starts drawing.
pub(crate) fn start(demo: &EmbeddedNode) -> Terminal {
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    let mut node = demo.node.view();
    let mut steward = demo.steward.clone();
    let mut helpers = demo.helpers.clone();
    let mut screen = Screen::new();
    let handle = demo.node.clone();
    let mut lines = typed::lines();
    let task = tokio::spawn(async move {
        loop {
            screen.draw(&snapshot(&mut node, &mut steward, &mut helpers));
            tokio::select! {
                _ = stopped.recv() => break,
                Some(line) = lines.recv() => {
                    if let Some(said) = typed::take(&handle, &line).await {
                        screen.say(&said);
                    }
                }
                _ = node.changed() => {}
                _ = steward.changed() => {}
                _ = helpers.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            tokio::select! {
                _ = stopped.recv() => break,
                () = tokio::time::sleep(FRAME) => {}
            }
        }
        screen.close();
    });
    Terminal { stop, task }
}

struct Snapshot {
    node: NodeView,
    steward: Option<StewardView>,
    helpers: Vec<NodeView>,
}

fn snapshot(
    node: &mut watch::Receiver<NodeView>,
    steward: &mut watch::Receiver<Option<StewardView>>,
    helpers: &mut watch::Receiver<Vec<NodeView>>,
) -> Snapshot {
    Snapshot {
        node: node.borrow_and_update().clone(),
        steward: steward.borrow_and_update().clone(),
        helpers: helpers.borrow_and_update().clone(),
    }
}

struct Screen {
    bars: MultiProgress,
    head: ProgressBar,
    best: ProgressBar,
    rewards: ProgressBar,
    receipts: Vec<ProgressBar>,
    units: BTreeMap<String, ProgressBar>,
    plain: bool,
    told: Told,
}

/// What plain lines have been written about.
#[derive(Default)]
struct Told {
    running: BTreeSet<String>,
    best: Option<u32>,
    receipts: BTreeSet<String>,
    generation: Option<u64>,
    questions: BTreeSet<String>,
    phase: Option<Phase>,
}

impl Screen {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let plain = bars.is_hidden();
        let text = |template: &str| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        let head = text("{spinner:.green} {wide_msg}");
        let best = text("  {wide_msg}");
        let rewards = text("  {wide_msg}");
        let receipts = (0..RECEIPTS).map(|_| text("    {wide_msg}")).collect();
        head.enable_steady_tick(Duration::from_millis(120));
        Self {
            bars,
            head,
            best,
            rewards,
            receipts,
            units: BTreeMap::new(),
            plain,
            told: Told::default(),
        }
    }

    /// A line above the bars, or just a line.
    fn say(&self, text: &str) {
        if self.plain || self.bars.println(text).is_err() {
            output::line(text);
        }
    }

    fn draw(&mut self, snapshot: &Snapshot) {
        for question in &snapshot.node.questions {
            if self.told.questions.insert(question.id.clone()) {
                self.say(&remote::question_text(question));
                self.say(&typed::hint(question));
            }
        }
        if self.told.phase != Some(snapshot.node.phase) {
            self.told.phase = Some(snapshot.node.phase);
            if let Some(line) = phase_line(&snapshot.node) {
                self.say(line);
            }
        }
        if self.plain {
            self.tell(snapshot);
        } else {
            self.paint(snapshot);
        }
    }

    fn paint(&mut self, snapshot: &Snapshot) {
        self.head.set_message(headline(snapshot));
        self.best.set_message(best_line(snapshot));
        self.rewards.set_message(rewards_line(&snapshot.node));
        for (place, bar) in self.receipts.iter().enumerate() {
            let line = snapshot.node.receipts.get(place).map(receipt_line);
            bar.set_message(line.unwrap_or_default());
        }
        let running = running(snapshot);
        let gone: Vec<String> = self
            .units
            .keys()
            .filter(|lease| !running.iter().any(|(_, unit)| unit.lease == **lease))
            .cloned()
            .collect();
        for lease in gone {
            if let Some(bar) = self.units.remove(&lease) {
                bar.finish_and_clear();
                self.bars.remove(&bar);
            }
        }
        for (who, unit) in running {
            let bar = self.units.entry(unit.lease.clone()).or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(unit.segments.into()));
                let template = "  {prefix:<14} {bar:30.cyan/blue} {pos}/{len} parts  {msg}";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_prefix(who);
                bar.set_message(format!("unit {}", short(&unit.unit)));
                bar
            });
            bar.set_position(unit.segments_done.into());
        }
    }

    /// One line for each new thing.
    fn tell(&mut self, snapshot: &Snapshot) {
        for (who, unit) in running(snapshot) {
            if self.told.running.insert(unit.lease.clone()) {
                output::line(&format!(
                    "{who}: working on unit {}, {} parts",
                    short(&unit.unit),
                    unit.segments
                ));
            }
        }
        if let Some(steward) = &snapshot.steward {
            let energy = steward.best.as_ref().map(|best| best.energy);
            if energy != self.told.best {
                self.told.best = energy;
                output::line(&best_line(snapshot));
            }
            if self.told.generation != Some(steward.generation) {
                self.told.generation = Some(steward.generation);
                output::line(&format!(
                    "generation {}, population {}",
                    steward.generation, steward.population
                ));
            }
        }
        let mut news = false;
        for receipt in snapshot.node.receipts.iter().rev() {
            if self.told.receipts.insert(receipt.id.clone()) {
                output::line(&receipt_line(receipt));
                news = true;
            }
        }
        if news {
            output::line(&rewards_line(&snapshot.node));
        }
        // Only what is on show can come up again.
        if self.told.receipts.len() > 1_000 {
            self.told.receipts = snapshot
                .node
                .receipts
                .iter()
                .map(|receipt| receipt.id.clone())
                .collect();
        }
        if self.told.running.len() > 1_000 {
            self.told.running.clear();
        }
    }

    fn close(&self) {
        for bar in self.units.values() {
            bar.finish_and_clear();
        }
        for bar in self
            .receipts
            .iter()
            .chain([&self.head, &self.best, &self.rewards])
        {
            bar.finish();
        }
    }
}

/// What is said when work begins or ceases to be held.
fn phase_line(node: &NodeView) -> Option<&'static str> {
    match node.phase {
        Phase::Paused => Some("Paused. Type `resume` to go on."),
        Phase::Stopped => Some("Everything is stopped. Type `lift` to allow work again."),
        Phase::Halted => Some("The network's stewards have stopped all work for now."),
        Phase::Held => Some("Held by one of your limits."),
        Phase::ConsentNeeded | Phase::Starting | Phase::Running | Phase::Failed => None,
    }
}

fn running(snapshot: &Snapshot) -> Vec<(String, &RunningView)> {
    let own = snapshot
        .node
        .running
        .iter()
        .map(|unit| ("this node".to_owned(), unit));
    let helpers = snapshot
        .helpers
        .iter()
        .enumerate()
        .flat_map(|(place, view)| {
            let name = format!("helper {}", place + 1);
            view.running.iter().map(move |unit| (name.clone(), unit))
        });
    own.chain(helpers).collect()
}

fn headline(snapshot: &Snapshot) -> String {
    match (&snapshot.steward, snapshot.node.campaigns.first()) {
        (Some(steward), campaign) => {
            let title = campaign
                .and_then(|campaign| campaign.title.get("en"))
                .unwrap_or(&steward.campaign);
            format!(
                "{title} · generation {} · {} units accepted, {} rejected · Ctrl-C ends",
                steward.generation, steward.accepted, steward.rejected
            )
        }
        (None, _) => "Starting the network on this computer …".to_owned(),
    }
}

fn best_line(snapshot: &Snapshot) -> String {
    let Some(steward) = &snapshot.steward else {
        return String::new();
    };
    let published = match &steward.published {
        Some(published) => format!(
            "published best: energy {} (merit factor {}{})",
            published.energy,
            published.merit_factor,
            if published.proven_optimal {
                ", proven optimal"
            } else {
                ", not proven optimal"
            }
        ),
        None => "no published value in the bundled table".to_owned(),
    };
    match &steward.best {
        Some(best) => {
            let verdict = match &steward.published {
                Some(published) if best.energy < published.energy => {
                    " — better than the bundled table"
                }
                Some(published) if best.energy == published.energy => " — equal to the table",
                _ => "",
            };
            format!(
                "Best verified so far: energy {} (merit factor {}) · {published}{verdict}",
                best.energy, best.merit_factor
            )
        }
        None => format!("Nothing verified yet · {published}"),
    }
}

fn rewards_line(node: &NodeView) -> String {
    format!(
        "Rewards of this node: {} receipts · {} credits final · {} pending · {} taken back",
        node.rewards.receipts, node.rewards.posted, node.rewards.pending, node.rewards.voided
    )
}

fn receipt_line(receipt: &omni_node::view::ReceiptView) -> String {
    let state = match receipt.state {
        RewardState::Pending => "pending",
        RewardState::Posted => "final",
        RewardState::Voided => "taken back",
    };
    let role = if receipt.role == "work" {
        "work on"
    } else {
        "check of"
    };
    format!(
        "receipt {} for {role} unit {}: {} credits, {state}",
        short(&receipt.id),
        short(&receipt.unit),
        receipt.amount
    )
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
