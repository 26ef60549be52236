//! Questions, halts, pauses and limits of a volunteer's node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use omni_core::{
    Conditions, Denial, Input, LocalTime, Machine as _, Signal,
    confirmations::{DAY_MS, DECLINED_MS, MAX_OPEN, QUESTION_MS},
    governor::RETURN_AFTER_MS,
    machine::Command,
    policy::{Walls, policy_hash},
    volunteer::{DENIAL_MS, ORDERS_MS},
};
use omni_types::{
    Action, Answer, Campaign, DecisionVerdict, Digest, Keypair, Order, OrderKind, Record,
    Rejection, ReturnReason, RiskTier, Scope, Settings, SignedOrder, Timestamp, WorkRequest,
    order::MAX_HALT_MS,
};
use support::{
    NAME, Seat, Wanted, key,
    play::{Play, commits, is_ask, place},
};

// ---------------------------------------------------------------------------------- equipment

fn medium(campaign: &mut Campaign) {
    campaign.risk = RiskTier::Medium;
}

fn runs(wanted: &[Wanted]) -> bool {
    wanted.iter().any(|wanted| matches!(wanted, Wanted::Run(_)))
}

fn decided(wanted: &[Wanted]) -> Vec<(u64, Result<Option<u64>, Denial>)> {
    let one = |wanted: &Wanted| match wanted {
        Wanted::Decided(token, decision) => Some((
            *token,
            decision
                .as_ref()
                .map(|permit| permit.confirmed())
                .map_err(|denial| *denial),
        )),
        _ => None,
    };
    wanted.iter().filter_map(one).collect()
}

fn answer(play: &mut Play, question: u64, answer: Answer) -> Vec<Wanted> {
    play.give(Input::Command(Command::Answer { question, answer }))
}

fn decide(play: &mut Play, token: u64, action: &Action) -> Vec<Wanted> {
    let action = action.clone();
    play.give(Input::Decide { token, action })
}

/// Everything of medium risk, for the campaign of `play`.
fn medium_actions(play: &Play) -> Vec<Action> {
    let campaign = play.desk.campaign.id;
    let host = "data.example".to_owned();
    vec![
        Action::JoinCampaign {
            campaign,
            document: Digest::of(b"another document"),
            risk: RiskTier::Medium,
        },
        Action::FetchOutsideInput {
            campaign,
            host: host.clone(),
        },
        Action::ExceedLimits {
            campaign,
            memory_bytes: 2 << 30,
            disk_bytes: 3 << 30,
            cpu_percent: 90,
        },
        Action::ReadFolder {
            campaign,
            folder: "papers".to_owned(),
        },
        Action::SendDiagnostics {
            bundle: Digest::of(b"bundle"),
            host,
        },
        Action::ChangePayout {
            address: "account".to_owned(),
        },
    ]
}

fn open_questions(seat: &Seat) -> Vec<u64> {
    seat.volunteer
        .questions()
        .map(|question| question.number)
        .collect()
}

fn denials(seat: &Seat, rule: &str) -> usize {
    let is = |record: &Record| {
        matches!(record, Record::Decided(decision)
            if decision.verdict == DecisionVerdict::Denied && decision.rule == rule)
    };
    seat.log.iter().filter(|entry| is(&entry.record)).count()
}

// ---------------------------------------------------------------------------------- questions

#[test]
fn a_medium_campaign_runs_nothing_before_the_yes_and_ends_when_it_is_taken_back() {
    let mut play = Play::with(medium);
    assert!(!play.sent.iter().any(is_ask), "no work is asked for");
    let question = play.seat.volunteer.questions().next().unwrap().clone();
    assert_eq!(question.expires, question.asked.plus_ms(QUESTION_MS));
    assert_eq!(
        question.action,
        Action::JoinCampaign {
            campaign: play.desk.campaign.id,
            document: play.desk.campaign.id(),
            risk: RiskTier::Medium
        }
    );
    // It can be shown what is asked about, though it is not joined.
    assert!(
        play.seat
            .volunteer
            .campaign(play.desk.campaign.id)
            .is_some()
    );
    assert_eq!(play.seat.volunteer.campaigns().count(), 0);
    assert_eq!(
        play.seat.volunteer.idle_reason(play.seat.now),
        Some("not-confirmed")
    );

    let wanted = answer(&mut play, question.number, Answer::Yes(Scope::Campaign));
    let written = place(&wanted, |wanted| {
        commits(wanted, |record| matches!(record, Record::Answered { .. }))
    });
    let joined = place(&wanted, |wanted| {
        commits(wanted, |record| matches!(record, Record::CampaignJoined(_)))
    });
    assert!(written <= joined);
    play.answer_all();
    assert!(runs(&play.skill_ready()), "now it runs");

    let wanted = play.give(Input::Command(Command::Revoke {
        question: question.number,
    }));
    place(&wanted, |wanted| matches!(wanted, Wanted::KillJob));
    let lease = play.lease();
    place(&wanted, |wanted| {
        commits(wanted, |record| {
            matches!(record, Record::LeaseDropped { lease: id, reason: ReturnReason::Denied }
                if *id == lease.id)
        })
    });
    play.sent.clear();
    play.answer_all();
    for _ in 0..5 {
        play.wait(60_000);
        play.answer_all();
    }
    assert!(!play.sent.iter().any(is_ask), "and is not taken up again");
    assert!(open_questions(&play.seat).is_empty(), "nor asked again");
    assert!(!runs(&play.skill_ready()));
}

#[test]
fn a_high_campaign_is_neither_joined_nor_asked_about() {
    let mut play = Play::with(|campaign| campaign.risk = RiskTier::High);
    assert!(open_questions(&play.seat).is_empty());
    assert!(!play.sent.iter().any(is_ask));
    assert_eq!(play.seat.volunteer.campaigns().count(), 0);
    assert!(!runs(&play.skill_ready()));
    assert_eq!(denials(&play.seat, "not-allowed"), 1);
}

#[test]
fn silence_is_no_and_so_is_a_yes_that_comes_too_late() {
    for late in [false, true] {
        let mut play = Play::with(medium);
        let question = open_questions(&play.seat)[0];
        play.seat.now = play.seat.now.plus_ms(QUESTION_MS);
        let wanted = match late {
            false => play.give(Input::Tick),
            true => answer(&mut play, question, Answer::Yes(Scope::Day)),
        };
        place(&wanted, |wanted| {
            commits(wanted, |record| {
                matches!(
                    record,
                    Record::Answered {
                        answer: Answer::TimedOut,
                        ..
                    }
                )
            })
        });
        assert_eq!(play.seat.volunteer.counters().timed_out, 1);
        assert_eq!(play.seat.volunteer.counters().confirmed, 0);
        assert!(open_questions(&play.seat).is_empty());
        play.answer_all();
        assert!(!play.sent.iter().any(is_ask) && !runs(&play.skill_ready()));
    }
}

#[test]
fn the_machine_wakes_up_when_a_question_runs_out() {
    let play = Play::with(medium);
    let question = play.seat.volunteer.questions().next().unwrap();
    let (at, _) = play.seat.volunteer.poll_timeout().unwrap();
    assert!(at <= question.expires);
}

#[test]
fn every_medium_action_blocks_until_answered() {
    for (index, action) in medium_actions(&Play::joined()).into_iter().enumerate() {
        for given in [
            Answer::Yes(*omni_core::confirmations::scopes(&action).first().unwrap()),
            Answer::No,
        ] {
            let mut play = Play::joined();
            let token = index as u64;
            let wanted = decide(&mut play, token, &action);
            assert!(decided(&wanted).is_empty(), "{action:?} is not waited for");
            let question = open_questions(&play.seat)[0];
            let wanted = answer(&mut play, question, given);
            let expected = match given {
                Answer::Yes(_) => Ok(Some(question)),
                _ => Err(Denial::NotConfirmed),
            };
            assert_eq!(decided(&wanted), [(token, expected)], "{action:?}");
        }
        // Nobody is there: always no.
        let mut play = Play::joined();
        decide(&mut play, 7, &action);
        play.seat.now = play.seat.now.plus_ms(QUESTION_MS);
        let wanted = play.give(Input::Tick);
        assert_eq!(decided(&wanted), [(7, Err(Denial::NotConfirmed))]);
        // And it is not asked again for a while.
        let wanted = decide(&mut play, 8, &action);
        assert_eq!(decided(&wanted), [(8, Err(Denial::NotAskedAgain))]);
        play.seat.now = play.seat.now.plus_ms(DECLINED_MS);
        assert!(decided(&decide(&mut play, 9, &action)).is_empty());
    }
}

#[test]
fn high_risk_has_no_permit_and_no_question() {
    for action in [
        Action::RunProgram,
        Action::WriteOutsideWorkspace,
        Action::OpenPort,
        Action::ChangeSettingsRemotely,
    ] {
        let mut play = Play::joined();
        let wanted = decide(&mut play, 1, &action);
        assert_eq!(decided(&wanted), [(1, Err(Denial::NotAllowed))]);
        assert!(open_questions(&play.seat).is_empty());
    }
}

#[test]
fn a_yes_holds_for_the_scope_that_was_chosen() {
    let campaign = Play::joined().desk.campaign.id;
    let action = Action::FetchOutsideInput {
        campaign,
        host: "data.example".to_owned(),
    };
    for (scope, again, next_day) in [
        (Scope::Once, false, false),
        (Scope::Day, true, false),
        (Scope::Campaign, true, true),
    ] {
        let mut play = Play::joined();
        decide(&mut play, 1, &action);
        answer(&mut play, 1, Answer::Yes(scope));
        let holds = |play: &mut Play, token| {
            let wanted = decide(play, token, &action);
            match decided(&wanted)[..] {
                [] => false,
                [(_, Ok(Some(1)))] => true,
                ref other => panic!("{other:?}"),
            }
        };
        if again {
            // Also after a restart.
            play.seat = play.seat.reopened();
            play.seat.drain();
        }
        assert_eq!(holds(&mut play, 2), again, "{scope:?}");
        if again {
            play.seat.now = play.seat.now.plus_ms(DAY_MS);
            assert_eq!(holds(&mut play, 3), next_day, "{scope:?}");
        }
        let other = Action::FetchOutsideInput {
            campaign,
            host: "other.example".to_owned(),
        };
        assert!(decided(&decide(&mut play, 4, &other)).is_empty());
    }
}

#[test]
fn a_yes_for_one_time_is_for_one_of_two_who_wait() {
    let mut play = Play::joined();
    let action = medium_actions(&play)[5].clone();
    decide(&mut play, 1, &action);
    assert!(decided(&decide(&mut play, 2, &action)).is_empty());
    assert_eq!(open_questions(&play.seat), [1], "one question for both");
    let wanted = answer(&mut play, 1, Answer::Yes(Scope::Once));
    assert_eq!(decided(&wanted), [(1, Ok(Some(1)))]);
    let wanted = answer(&mut play, 2, Answer::Yes(Scope::Once));
    assert_eq!(decided(&wanted), [(2, Ok(Some(2)))]);
}

#[test]
fn only_what_was_offered_can_be_answered() {
    let mut play = Play::joined();
    let action = Action::ChangePayout {
        address: "account".to_owned(),
    };
    decide(&mut play, 1, &action);
    for bad in [
        Answer::Yes(Scope::Day),
        Answer::Yes(Scope::Campaign),
        Answer::TimedOut,
    ] {
        assert!(answer(&mut play, 1, bad).is_empty(), "{bad:?}");
    }
    assert!(answer(&mut play, 2, Answer::Yes(Scope::Once)).is_empty());
    assert_eq!(open_questions(&play.seat), [1]);
}

#[test]
fn a_taken_back_answer_is_a_no() {
    let mut play = Play::joined();
    let action = medium_actions(&play)[3].clone();
    decide(&mut play, 1, &action);
    answer(&mut play, 1, Answer::Yes(Scope::Campaign));
    assert_eq!(play.seat.volunteer.grants(play.seat.now).count(), 1);
    play.give(Input::Command(Command::Revoke { question: 1 }));
    assert_eq!(play.seat.volunteer.grants(play.seat.now).count(), 0);
    let wanted = decide(&mut play, 2, &action);
    assert_eq!(decided(&wanted), [(2, Err(Denial::NotAskedAgain))]);
    let mut again = play.seat.reopened();
    again.drain();
    assert_eq!(again.volunteer.grants(again.now).count(), 0);
}

#[test]
fn stopping_and_withdrawing_answer_whoever_waits_with_no() {
    for (command, denial) in [
        (Command::Kill, Denial::Killed),
        (Command::Withdraw, Denial::NoConsent),
    ] {
        let mut play = Play::joined();
        let action = medium_actions(&play)[1].clone();
        decide(&mut play, 1, &action);
        let wanted = play.give(Input::Command(command.clone()));
        assert_eq!(decided(&wanted), [(1, Err(denial))]);
        let wanted = decide(&mut play, 2, &action);
        assert_eq!(decided(&wanted), [(2, Err(denial))]);
    }
}

#[test]
fn withdrawing_takes_every_answer_back() {
    let mut play = Play::joined();
    let action = medium_actions(&play)[1].clone();
    decide(&mut play, 1, &action);
    answer(&mut play, 1, Answer::Yes(Scope::Campaign));
    play.give(Input::Command(Command::Withdraw));
    play.seat.agree();
    assert!(decided(&decide(&mut play, 2, &action)).is_empty());
}

#[test]
fn nobody_is_flooded_with_questions() {
    let mut play = Play::joined();
    let campaign = play.desk.campaign.id;
    for token in 0..20 {
        let host = format!("host{token}.example");
        let wanted = decide(
            &mut play,
            token,
            &Action::FetchOutsideInput { campaign, host },
        );
        let expected = match token < MAX_OPEN as u64 {
            true => vec![],
            false => vec![(token, Err(Denial::NotAskedAgain))],
        };
        assert_eq!(decided(&wanted), expected, "{token}");
    }
    assert_eq!(open_questions(&play.seat).len(), MAX_OPEN);
}

#[test]
fn a_question_survives_a_restart_and_still_runs_out() {
    let play = Play::with(medium);
    let mut again = play.seat.reopened();
    again.drain();
    assert_eq!(open_questions(&again).len(), 1);
    again.now = again.now.plus_ms(QUESTION_MS);
    again.give(Input::Tick);
    assert_eq!(again.volunteer.counters().timed_out, 1);
}

#[test]
fn a_campaign_above_the_volunteers_memory_is_asked_about() {
    let mut play = Play::with(|campaign| campaign.limits.memory_bytes = 200 << 20);
    assert!(play.sent.iter().any(is_ask), "within the careful limits");
    let settings = Settings {
        memory_bytes: 256 << 20,
        cores: 2,
        ..Settings::default()
    };
    play.skill_ready();
    let wanted = play.give(Input::Command(Command::Change(settings)));
    place(&wanted, |wanted| matches!(wanted, Wanted::KillJob));
    let question = play.seat.volunteer.questions().next().unwrap().clone();
    assert!(matches!(
        question.action,
        Action::ExceedLimits {
            memory_bytes: 209_715_200,
            ..
        }
    ));
    play.sent.clear();
    answer(&mut play, question.number, Answer::Yes(Scope::Day));
    play.answer_all();
    play.wait(60_000);
    play.answer_all();
    assert!(play.sent.iter().any(is_ask), "confirmed");
}

#[test]
fn a_helper_asks_nothing_and_borrows_the_volunteers_answers() {
    let mut play = Play::configured(medium, |config| config.helper = true);
    play.seat.agree();
    play.connect();
    assert!(open_questions(&play.seat).is_empty());
    assert!(!play.sent.iter().any(is_ask));
    let join = Action::JoinCampaign {
        campaign: play.desk.campaign.id,
        document: play.desk.campaign.id(),
        risk: RiskTier::Medium,
    };
    play.give(Input::Confirmed(vec![join]));
    play.answer_all();
    assert!(play.sent.iter().any(is_ask));
    play.skill_ready();
    let wanted = play.give(Input::Confirmed(vec![]));
    place(&wanted, |wanted| matches!(wanted, Wanted::KillJob));
    // Somebody else's node borrows nothing.
    let mut own = Play::with(medium);
    let join = own
        .seat
        .volunteer
        .questions()
        .next()
        .unwrap()
        .action
        .clone();
    own.give(Input::Confirmed(vec![join]));
    own.answer_all();
    assert!(!own.sent.iter().any(is_ask));
}

// ---------------------------------------------------------------------------------- halts

fn roots() -> [Keypair; 3] {
    [key("root one"), key("root two"), key("root three")]
}

/// An order for the usual network, signed by some of its roots.
fn order(
    (number, kind): (u64, OrderKind),
    signers: &[Keypair],
    (issued, expires): (Timestamp, Timestamp),
) -> SignedOrder {
    let ids: Vec<_> = roots().iter().map(Keypair::node_id).collect();
    let order = Order {
        number,
        kind,
        reason: "A fault was found.".to_owned(),
    };
    SignedOrder::seal(&order, NAME, (&ids, 2), signers, (issued, expires)).unwrap()
}

fn halt(number: u64, at: Timestamp) -> SignedOrder {
    let times = (at, at.plus_ms(3_600_000));
    order((number, OrderKind::Halt), &roots()[..2], times)
}

fn give_order(play: &mut Play, order: SignedOrder) -> Vec<Wanted> {
    play.give(Input::Order(Box::new(order)))
}

#[test]
fn a_halt_is_written_down_then_kills_then_disconnects_and_ends_by_itself() {
    let mut play = Play::joined();
    play.skill_ready();
    let now = play.seat.now;
    let wanted = give_order(&mut play, halt(1, now));
    let written = place(&wanted, |wanted| {
        commits(wanted, |record| matches!(record, Record::OrderTaken(_)))
    });
    let killed = place(&wanted, |wanted| matches!(wanted, Wanted::KillAll));
    let offline = place(&wanted, |wanted| matches!(wanted, Wanted::Network(false)));
    assert!(written < killed && killed < offline, "{wanted:?}");
    assert!(!play.seat.volunteer.is_killed(), "a halt is no kill switch");

    // The volunteer can neither lift it nor work around it; a restart does not either.
    let mut again = play.seat.reopened();
    assert!(again.drain().is_empty());
    for command in [Command::LiftKill, Command::Resume] {
        assert!(again.command(command).is_empty());
    }
    assert!(again.found().is_empty());
    let (at, _) = again.volunteer.poll_timeout().unwrap();
    assert_eq!(at, now.plus_ms(3_600_000));
    again.now = at;
    let wanted = again.give(Input::Tick);
    place(&wanted, |wanted| matches!(wanted, Wanted::Network(true)));
    assert!(again.volunteer.halt(again.now).is_none());
}

#[test]
fn a_lift_ends_a_halt_early_and_an_old_halt_cannot_come_back() {
    let mut play = Play::joined();
    let now = play.seat.now;
    let first = halt(1, now);
    give_order(&mut play, first.clone());
    let lift = order(
        (2, OrderKind::Lift),
        &roots()[1..],
        (now, now.plus_ms(3_600_000)),
    );
    let wanted = give_order(&mut play, lift);
    place(&wanted, |wanted| matches!(wanted, Wanted::Network(true)));
    assert!(give_order(&mut play, first).is_empty());
    assert_eq!(play.seat.volunteer.counters().orders_refused, 1);
    assert!(play.seat.volunteer.is_online());
}

#[test]
fn forged_expired_and_foreign_orders_do_nothing_but_be_counted() {
    let at = Play::joined().seat.now;
    let hour = at.plus_ms(3_600_000);
    let stranger = [key("stranger one"), key("stranger two")];
    let kind = (9, OrderKind::Halt);
    let other_network = {
        let ids: Vec<_> = stranger.iter().map(Keypair::node_id).collect();
        let order = Order {
            number: 9,
            kind: OrderKind::Halt,
            reason: String::new(),
        };
        SignedOrder::seal(&order, NAME, (&ids, 2), &stranger, (at, hour)).unwrap()
    };
    let mut other_name = halt(9, at);
    other_name.name = "another".to_owned();
    let mut lower_threshold = order(kind, &roots()[..1], (at, hour));
    lower_threshold.threshold = 1;
    let mut twice = order(kind, &roots()[..1], (at, hour));
    twice.signatures.push(twice.signatures[0].clone());
    let mut mixed = order(kind, &roots()[..1], (at, hour));
    let other_times = order(kind, &roots()[1..2], (at, hour.plus_ms(1)));
    mixed.signatures.extend(other_times.signatures);
    let mut none = halt(9, at);
    none.signatures.clear();
    let mut many = halt(9, at);
    many.signatures = vec![many.signatures[0].clone(); 65];
    let too_long = (at, at.plus_ms(MAX_HALT_MS + 1));
    let old = Timestamp(at.0 - 10_000);
    let table = [
        ("one key of two", order(kind, &roots()[..1], (at, hour))),
        ("strangers", order(kind, &stranger, (at, hour))),
        ("another network", other_network),
        ("another name", other_name),
        ("a lower threshold", lower_threshold),
        ("one key twice", twice),
        ("two keys, two times", mixed),
        ("no signature", none),
        ("too many signatures", many),
        ("too long", order(kind, &roots()[..2], too_long)),
        ("expired", order(kind, &roots()[..2], (old, at))),
        (
            "of the future",
            order(
                kind,
                &roots()[..2],
                (at.plus_ms(10_000_000), at.plus_ms(20_000_000)),
            ),
        ),
    ];
    for (name, order) in table {
        let mut play = Play::joined();
        play.skill_ready();
        assert!(give_order(&mut play, order).is_empty(), "{name}");
        assert_eq!(play.seat.volunteer.counters().orders_refused, 1, "{name}");
        assert!(play.seat.volunteer.is_online(), "{name}");
        assert!(play.seat.volunteer.running().next().is_some(), "{name}");
    }
}

#[test]
fn a_halt_comes_over_the_steward() {
    let mut play = Play::joined();
    play.skill_ready();
    let order = halt(1, play.seat.now);
    play.desk
        .steward
        .handle(Input::Order(Box::new(order.clone())), play.desk.now);
    play.desk.drain();
    play.wait(ORDERS_MS);
    assert!(
        play.sent
            .iter()
            .any(|request| matches!(request, WorkRequest::Orders { .. }))
    );
    let wanted = play.answer_all();
    place(&wanted, |wanted| matches!(wanted, Wanted::KillAll));
    assert!(!play.seat.volunteer.is_online());
    // The steward hands out nothing either, also after a restart.
    let mut desk = play.desk.reopened();
    desk.drain();
    assert_eq!(
        desk.no_work(&key("another")),
        omni_types::wire::NoWork::Halted
    );
    let before = desk.log.len();
    desk.steward.handle(Input::Order(Box::new(order)), desk.now);
    desk.drain();
    assert_eq!(desk.log.len(), before, "the same order changes nothing");
}

// ---------------------------------------------------------------------------------- pause, limits

#[test]
fn a_pause_has_its_end_also_over_a_restart() {
    let mut play = Play::joined();
    play.skill_ready();
    let end = play.seat.now.plus_ms(3_600_000);
    let until = Some(end);
    let wanted = play.give(Input::Command(Command::Pause { until }));
    place(&wanted, |wanted| matches!(wanted, Wanted::Freeze(true)));
    let mut again = play.seat.reopened();
    again.drain();
    assert_eq!(again.volunteer.pause().unwrap().until, until);
    again.now = end;
    let wanted = again.give(Input::Tick);
    place(&wanted, |wanted| matches!(wanted, Wanted::Freeze(false)));
    assert!(again.volunteer.pause().is_none());
    // Without an end only the volunteer ends it.
    play.give(Input::Command(Command::Pause { until: None }));
    play.seat.now = play.seat.now.plus_ms(1 << 40);
    play.give(Input::Tick);
    assert!(play.seat.volunteer.pause().is_some());
    let past = Some(Timestamp(play.seat.now.0 - 1));
    assert!(
        play.give(Input::Command(Command::Pause { until: past }))
            .is_empty(),
        "an end in the past is no pause"
    );
}

fn conditions(on_battery: bool) -> Conditions {
    Conditions {
        at: LocalTime {
            weekday: 0,
            hour: 12,
        },
        on_battery: Signal::Known(on_battery),
        metered: Signal::Unavailable,
        idle_ms: Signal::Unavailable,
        hot: Signal::Unavailable,
        disk_used_bytes: Signal::Unavailable,
        foreign_cpu_percent: Signal::Unavailable,
    }
}

#[test]
fn work_stands_still_on_battery_and_comes_back_slowly() {
    let mut play = Play::configured(|_| {}, |config| config.governed = true);
    let wanted = play.seat.agree();
    place(&wanted, |wanted| matches!(wanted, Wanted::Freeze(true)));
    play.connect();
    assert!(!play.sent.iter().any(is_ask), "nothing is known yet");
    play.give(Input::Conditions(conditions(false)));
    play.answer_all();
    assert!(runs(&play.skill_ready()));

    let wanted = play.give(Input::Conditions(conditions(true)));
    place(&wanted, |wanted| matches!(wanted, Wanted::Freeze(true)));
    assert_eq!(
        play.seat.volunteer.idle_reason(play.seat.now),
        None,
        "what is frozen is not idle"
    );
    let (hold, _) = play.seat.volunteer.hold(play.seat.now).unwrap();
    assert_eq!(hold.code(), "battery");
    play.seat.now = play.seat.now.plus_ms(1_000);
    play.give(Input::Conditions(conditions(false)));
    assert!(play.seat.volunteer.hold(play.seat.now).is_some());
    let mut woken = false;
    for _ in 0..(RETURN_AFTER_MS / 2_000) {
        play.seat.now = play.seat.now.plus_ms(2_000);
        let wanted = play.give(Input::Conditions(conditions(false)));
        woken |= wanted
            .iter()
            .any(|wanted| matches!(wanted, Wanted::Freeze(false)));
    }
    assert!(woken, "a minute later it goes on");
}

#[test]
fn limits_are_kept_and_wrong_ones_are_not_taken() {
    let mut play = Play::joined();
    let settings = Settings {
        cpu_percent: 30,
        cores: 2,
        ..Settings::default()
    };
    let wanted = play.give(Input::Command(Command::Change(settings.clone())));
    place(&wanted, |wanted| matches!(wanted, Wanted::Throttle(30)));
    let bad = Settings {
        cpu_percent: 3,
        ..settings.clone()
    };
    assert!(play.give(Input::Command(Command::Change(bad))).is_empty());
    let again = play.seat.reopened();
    assert_eq!(again.volunteer.settings(), settings);
}

// ---------------------------------------------------------------------------------- walls, audit

#[test]
fn nothing_runs_before_the_walls_are_known_or_where_one_is_missing() {
    for walls in [Walls::Unknown, Walls::Missing] {
        let mut play = Play::before_consent(|_| {});
        play.give(Input::Walls(walls));
        let wanted = play.seat.agree();
        play.note(&wanted);
        let wanted = play.seat.found();
        play.note(&wanted);
        play.answer_all();
        assert!(!play.sent.iter().any(is_ask), "{walls:?}");
        assert!(!runs(&play.skill_ready()), "{walls:?}");
        if walls == Walls::Missing {
            let reason = play.seat.volunteer.idle_reason(play.seat.now);
            assert_eq!(reason, Some("walls-missing"));
        }
        play.give(Input::Walls(Walls::Up));
        assert!(runs(&play.answer_all()), "{walls:?}");
    }
    // A lease taken before the walls fell is given back.
    let mut play = Play::joined();
    let mut again = play.seat.reopened();
    again.drain();
    again.give(Input::Walls(Walls::Missing));
    let skill = Input::Skill {
        skill: support::skill(),
        available: true,
    };
    play.seat = again;
    let wanted = play.give(skill);
    assert!(!runs(&wanted));
    assert_eq!(denials(&play.seat, "walls-missing"), 1);
}

#[test]
fn every_run_has_its_line_in_the_audit_log() {
    let mut play = Play::joined();
    play.skill_ready();
    let lease = play.lease();
    let line = play
        .seat
        .log
        .iter()
        .rev()
        .find_map(|entry| match &entry.record {
            Record::Decided(decision) if decision.action.name() == "run-skill" => Some(decision),
            _ => None,
        })
        .unwrap();
    assert_eq!(line.verdict, DecisionVerdict::Permitted);
    assert_eq!(line.correlation, Some(lease.unit.to_string()));
    assert_eq!(line.tier, Some(RiskTier::Low));
    let last = play.seat.volunteer.decisions().next().unwrap();
    assert_eq!(last.decision, *line);
    assert!(play.seat.volunteer.counters().permitted >= 3);
}

#[test]
fn denials_are_counted_and_cannot_fill_the_log() {
    let mut play = Play::joined();
    for token in 0..100 {
        decide(&mut play, token, &Action::RunProgram);
    }
    assert_eq!(denials(&play.seat, "not-allowed"), 1);
    assert_eq!(play.seat.volunteer.counters().denied, 100);
    play.seat.now = play.seat.now.plus_ms(DENIAL_MS);
    decide(&mut play, 100, &Action::RunProgram);
    assert_eq!(denials(&play.seat, "not-allowed"), 2);
    assert_eq!(play.seat.volunteer.counters().denied, 101);
    let mut again = play.seat.reopened();
    again.drain();
    assert_eq!(again.volunteer.counters().denied, 101);
}

#[test]
fn results_name_the_policy_that_permitted_them() {
    let mut play = Play::joined();
    play.skill_ready();
    play.run();
    let policies: Vec<Digest> = play
        .seat
        .log
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::ResultCommitted(result) => {
                let result = result.clone().verify_stored(play.seat.network.id);
                Some(result.map_err(|_: Rejection| ()).unwrap().policy)
            }
            _ => None,
        })
        .collect();
    assert_eq!(policies, [policy_hash()]);
}
