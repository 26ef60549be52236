//! What people read is what the program does: the tables of the governance documents, compared with
//! the running policy and the walls of the sandbox.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{collections::BTreeMap, fs, path::Path};

use omni_core::{
    confirmations::{DAY_MS, DECLINED_MS, MAX_OPEN, QUESTION_MS, scopes},
    policy::{CEILING, Check, POLICY_VERSION, RULES, policy_hash, tier_name},
};
use omni_sandbox::Wall;
use omni_types::{Action, CampaignId, Digest, RiskTier, order::MAX_HALT_MS};

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// The rows of the table whose first heading is `heading`; it must be there once.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let lines: Vec<&str> = text.lines().collect();
    let heads: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| {
            line.starts_with('|')
                && cells(line)[0] == heading
                && lines
                    .get(at + 1)
                    .is_some_and(|next| next.starts_with("| ---"))
        })
        .map(|(at, _)| at)
        .collect();
    assert_eq!(heads.len(), 1, "tables with the heading {heading}");
    lines[heads[0] + 2..]
        .iter()
        .take_while(|line| line.starts_with('|'))
        .map(|line| cells(line))
        .collect()
}

/// Every table of the policy document, each by its first and second heading.
fn policy_tables(text: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut found = vec![];
    for (heading, second) in [
        ("policy", "value"),
        ("check", "what must hold"),
        ("what", "value"),
    ] {
        let section = text
            .split_once(&format!("| {heading} | {second} |"))
            .unwrap_or_else(|| panic!("no table {heading}"))
            .1;
        let whole = format!("| {heading} | {second} |{section}");
        let end = whole.find("\n\n").unwrap_or(whole.len());
        found.push((heading.to_owned(), table(&whole[..end], heading)));
    }
    found
}

/// The part of `text` that begins with the table with these headings.
fn from_table<'a>(text: &'a str, headings: &str) -> &'a str {
    let at = text
        .find(headings)
        .unwrap_or_else(|| panic!("no table {headings}"));
    let end = text[at..].find("\n\n").map_or(text.len(), |end| at + end);
    &text[at..end]
}

fn compare(text: &str) -> Result<(), String> {
    let same = |what: &str, read: Vec<Vec<String>>, running: Vec<Vec<String>>| {
        if read == running {
            Ok(())
        } else {
            Err(format!(
                "{what}:\n  read    {read:?}\n  running {running:?}"
            ))
        }
    };
    let row =
        |cells: &[&str]| -> Vec<String> { cells.iter().map(|cell| (*cell).to_owned()).collect() };
    let tables: BTreeMap<String, Vec<Vec<String>>> = policy_tables(text).into_iter().collect();
    same(
        "version and hash",
        tables["policy"].clone(),
        vec![
            row(&["version", &POLICY_VERSION.to_string()]),
            row(&["hash", &policy_hash().to_string()]),
        ],
    )?;
    let actions = table(from_table(text, "| action | tier |"), "action");
    let rules = RULES
        .iter()
        .map(|rule| {
            let checks: Vec<&str> = rule.checks.iter().map(|check| check.code()).collect();
            let checks = match checks.is_empty() {
                true => "-".to_owned(),
                false => checks.join(", "),
            };
            row(&[rule.action, tier_name(rule.tier), &checks, rule.means])
        })
        .collect();
    same("actions", actions, rules)?;
    let checks = [
        Check::WallsUp,
        Check::SkillListed,
        Check::WithinCeiling,
        Check::CampaignConfirmed,
        Check::WithinLimits,
    ];
    let checks = checks
        .iter()
        .map(|check| row(&[check.code(), check.sentence()]))
        .collect();
    same("checks", tables["check"].clone(), checks)?;
    let numbers: Vec<String> = tables["what"].iter().map(|row| row[1].clone()).collect();
    let running: Vec<String> = [
        CEILING.memory_bytes,
        CEILING.output_bytes.into(),
        CEILING.segment_wall_ms.into(),
        QUESTION_MS,
        DECLINED_MS,
        DAY_MS,
        MAX_HALT_MS,
    ]
    .iter()
    .map(u64::to_string)
    .collect();
    same("numbers", vec![numbers], vec![running])?;
    let answers = table(
        from_table(text, "| action | a \"yes\" can hold for |"),
        "action",
    );
    let running = medium_actions()
        .iter()
        .map(|action| {
            let scopes: Vec<&str> = scopes(action).iter().map(|scope| scope.code()).collect();
            row(&[action.name(), &scopes.join(", ")])
        })
        .collect();
    same("answers", answers, running)?;
    let open = format!("At most {MAX_OPEN} questions are open at once");
    if !text.contains(&open) {
        return Err(format!("it does not say: {open}"));
    }
    Ok(())
}

/// Everything that can be asked about, in the order of the document.
fn medium_actions() -> Vec<Action> {
    let campaign = CampaignId([0; 32]);
    let host = String::new;
    vec![
        Action::JoinCampaign {
            campaign,
            document: Digest::of(b""),
            risk: RiskTier::Medium,
        },
        Action::ExceedLimits {
            campaign,
            memory_bytes: 0,
            disk_bytes: 0,
            cpu_percent: 0,
        },
        Action::FetchOutsideInput {
            campaign,
            host: host(),
        },
        Action::ReadFolder {
            campaign,
            folder: String::new(),
        },
        Action::SendDiagnostics {
            bundle: Digest::of(b""),
            host: host(),
        },
        Action::ChangePayout {
            address: String::new(),
        },
    ]
}

#[test]
fn the_policy_that_people_read_is_the_one_that_runs() {
    if let Err(difference) = compare(&document("governance/node-policy.md")) {
        panic!("docs/governance/node-policy.md is not what runs; {difference}");
    }
}

#[test]
fn any_changed_word_or_number_in_the_tables_is_noticed() {
    let text = document("governance/node-policy.md");
    let mut noticed = 0;
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split(" | ").collect();
        let heading = text
            .lines()
            .nth(number + 1)
            .is_some_and(|next| next.starts_with("| ---"));
        if !line.starts_with('|') || line.starts_with("| ---") || heading || cells.len() < 2 {
            continue;
        }
        // The last cell, and the whole row.
        let last = cells[cells.len() - 1];
        let changed = line.replace(last, &format!("not {last}"));
        for other in [changed, String::new()] {
            let changed: Vec<&str> = text
                .lines()
                .enumerate()
                .filter(|(at, _)| *at != number || !other.is_empty())
                .map(|(at, line)| if at == number { other.as_str() } else { line })
                .collect();
            // What describes a number in words may be worded as one likes.
            assert!(compare(&changed.join("\n")).is_err(), "{line} -> {other}");
            noticed += 1;
        }
    }
    assert!(noticed > 50, "{noticed}");
}

#[test]
fn the_walls_that_people_read_about_are_those_of_the_sandbox() {
    let rows = table(&document("THREATS.md"), "wall");
    let codes: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let walls: Vec<&str> = Wall::ALL.iter().map(|wall| wall.code()).collect();
    assert_eq!(codes, walls);
    for row in &rows {
        let expected = ["yes", "no"];
        assert!(
            row[1..]
                .iter()
                .all(|cell| expected.contains(&cell.as_str())),
            "{row:?}"
        );
    }
    let column = match std::env::consts::OS {
        "linux" => 1,
        "windows" => 3,
        _ => 2,
    };
    let named: Vec<&str> = rows
        .iter()
        .filter(|row| row[column] == "yes")
        .map(|row| row[0].as_str())
        .collect();
    let expected: Vec<&str> = Wall::ALL
        .iter()
        .filter(|wall| omni_sandbox::EXPECTED_WALLS.contains(wall))
        .map(|wall| wall.code())
        .collect();
    assert_eq!(named, expected, "walls without which no work runs here");
}
