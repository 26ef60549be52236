//! What is typed while the live view runs: answers to questions, pause, resume, kill.

use std::io::{BufRead as _, Read as _};

use omni_node::{Command, NodeHandle, NodeView, view::QuestionView};
use omni_types::{Answer, Scope};
use tokio::sync::mpsc;

/// Longest line that is read, bytes.
const MAX_LINE_BYTES: u64 = 256;
/// Lines that may wait.
const QUEUE: usize = 8;

/// Lines from standard input, until it ends. Read on a thread of its own, which ends with the
/// program.
pub(crate) fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let read = move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
            {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim().to_lowercase();
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    // Without it nothing can be typed, and every question ends as "no".
    let _ = std::thread::Builder::new().name("typed".into()).spawn(read);
    receiver
}

/// What to do, or what to say to somebody who typed something else.
fn meaning(line: &str, question: Option<&QuestionView>) -> Result<Option<Command>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = |answer| {
        let number = question.and_then(|question| question.id.parse().ok());
        match number {
            Some(question) => Ok(Some(Command::Answer { question, answer })),
            None => Err("no question is open".to_owned()),
        }
    };
    match words.as_slice() {
        [] => Ok(None),
        ["no"] => answer(Answer::No),
        ["yes", scope] => match *scope {
            "once" => answer(Answer::Yes(Scope::Once)),
            "day" => answer(Answer::Yes(Scope::Day)),
            "campaign" => answer(Answer::Yes(Scope::Campaign)),
            _ => Err("a yes holds for `once`, `day` or `campaign`".to_owned()),
        },
        ["yes"] => Err("say for how long: `yes once`, `yes day` or `yes campaign`".to_owned()),
        ["pause"] => Ok(Some(Command::Pause { until: None })),
        ["resume"] => Ok(Some(Command::Resume)),
        ["kill"] => Ok(Some(Command::Kill)),
        ["lift"] => Ok(Some(Command::LiftKill)),
        _ => Err(
            "type `yes day`, `yes campaign`, `no`, `pause`, `resume`, `kill` or `lift`".to_owned(),
        ),
    }
}

/// Carries out what was typed; what to say about it.
pub(crate) async fn take(node: &NodeHandle<NodeView>, line: &str) -> Option<String> {
    let view = node.view().borrow().clone();
    match meaning(line, view.questions.first()) {
        Ok(None) => None,
        Ok(Some(command)) => match node.command(command).await {
            Ok(()) => None,
            Err(error) => Some(error.to_string()),
        },
        Err(hint) => Some(hint),
    }
}

/// What is said about an open question, below its text.
pub(crate) fn hint(question: &QuestionView) -> String {
    let yes: Vec<String> = question
        .scopes
        .iter()
        .map(|scope| format!("`yes {scope}`"))
        .collect();
    format!("    Type {} or `no`, and Enter.", yes.join(" or "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use omni_node::view::ActionView;

    use super::*;

    #[test]
    fn only_a_plain_yes_with_its_time_is_a_yes() {
        let question = QuestionView {
            id: "3".to_owned(),
            action: ActionView::default(),
            asked_at_ms: "0".to_owned(),
            expires_at_ms: "0".to_owned(),
            scopes: vec!["day".to_owned()],
        };
        let yes = Command::Answer {
            question: 3,
            answer: Answer::Yes(Scope::Day),
        };
        assert_eq!(meaning("yes day", Some(&question)), Ok(Some(yes)));
        for line in ["yes", "y", "yes please", "yes day now", "ja", "1"] {
            assert!(meaning(line, Some(&question)).is_err(), "{line}");
        }
        assert!(meaning("yes day", None).is_err());
        assert_eq!(meaning("", Some(&question)), Ok(None));
    }
}
