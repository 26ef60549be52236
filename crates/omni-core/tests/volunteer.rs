//! A volunteer's node: consent, kill switch, work, results, receipts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::collections::BTreeSet;

use omni_core::{
    Input, Machine as _, RequestFailed,
    machine::Command,
    policy::{POLICY_VERSION, policy_hash},
    volunteer::{MAX_UNDELIVERED, RESULT_VALID_MS, RETRY_MS},
};
use omni_types::{
    Cid, Digest, Keypair, Lease, LeaseId, Posting, PostingOutcome, ReceiptProof, Record, Rejection,
    ReturnReason, Signed, WorkRequest, WorkResponse,
    wire::{News, NewsItem, NoWork},
};
use support::{
    Desk, Seat, Wanted, answer, honest, key, network,
    play::{Play, commits, is_ask, is_news, is_return, is_submit, place, request, requests},
    skill, volunteer_config,
};

#[test]
fn without_consent_nothing_happens_at_all() {
    let network = network("test");
    let mut seat = Seat::new(&network, "volunteer");
    assert!(seat.drain().is_empty());
    assert!(seat.found().is_empty());
    for _ in 0..10 {
        seat.now = seat.now.plus_ms(60_000);
        assert!(seat.give(Input::Tick).is_empty());
        assert_eq!(seat.volunteer.poll_timeout(), None);
    }
    let skill = Input::Skill {
        skill: skill(),
        available: true,
    };
    assert!(seat.give(skill).is_empty());
    for version in [0, POLICY_VERSION + 1, u32::MAX] {
        assert!(
            seat.command(Command::Agree {
                policy_version: version
            })
            .is_empty()
        );
    }
    assert!(seat.log.is_empty() && !seat.volunteer.is_online());
    let wanted = seat.agree();
    assert!(
        matches!(
            &wanted[..],
            [
                Wanted::Commit(_),
                Wanted::Network(true),
                Wanted::Throttle(50)
            ]
        ),
        "{wanted:?}"
    );
    assert!(seat.agree().is_empty(), "once is enough");
    assert_eq!(seat.volunteer.consent().unwrap().policy, policy_hash());
}

#[test]
fn consent_to_an_older_policy_is_no_consent() {
    let network = network("test");
    let entry = omni_types::Entry {
        at: support::START,
        record: Record::Consent {
            given: true,
            policy_version: 0,
            policy_hash: Digest([1; 32]),
        },
    };
    let config = volunteer_config(&network, key("volunteer"));
    let mut seat = Seat::open(&network, config, vec![entry], support::START);
    assert!(seat.drain().is_empty());
    assert_eq!(seat.volunteer.consent(), None);
    assert!(
        seat.agree()
            .iter()
            .any(|wanted| matches!(wanted, Wanted::Network(true)))
    );
}

#[test]
fn from_consent_to_receipt() {
    let mut play = Play::joined();
    assert_eq!(play.seat.volunteer.campaigns().count(), 1);
    let lease = play.lease();
    assert_eq!(
        play.seat.volunteer.running().count(),
        0,
        "the skill is not here yet"
    );
    let wanted = play.skill_ready();
    let Some(Wanted::Run(job)) = wanted
        .iter()
        .find(|wanted| matches!(wanted, Wanted::Run(_)))
    else {
        panic!("{wanted:?}")
    };
    assert_eq!(job.lease().id, lease.id);
    assert_eq!(job.permit().policy(), policy_hash());
    assert_eq!(play.seat.volunteer.running().next().unwrap().segments, 4);
    play.run();
    play.answer_all();
    assert_eq!(play.seat.volunteer.undelivered(), 0);
    play.verify();
    for _ in 0..3 {
        play.wait(2_000);
        play.answer_all();
    }
    let rewards = play.seat.volunteer.rewards();
    assert_eq!((rewards.receipts, rewards.pending.0), (1, 4_000));
    let (row, _) = play.seat.volunteer.receipts().next().unwrap();
    assert_eq!(row.unit, lease.unit);
    // The log alone gives the same.
    let again = play.seat.reopened();
    assert_eq!(again.volunteer.rewards(), rewards);
    assert_eq!(again.volunteer.receipts().count(), 1);
}

#[test]
fn a_result_is_committed_before_it_is_sent() {
    let mut play = Play::joined();
    play.skill_ready();
    let wanted = play.run();
    let committed = place(&wanted, |wanted| {
        commits(wanted, |record| {
            matches!(record, Record::ResultCommitted(_))
        })
    });
    let sent = place(&wanted, |wanted| {
        matches!(wanted, Wanted::Request(_, WorkRequest::Submit(_)))
    });
    assert!(committed < sent, "{wanted:?}");
    let Wanted::Request(_, WorkRequest::Submit(submitted)) = &wanted[sent] else {
        panic!()
    };
    assert!(commits(
        &wanted[committed],
        |record| matches!(record, Record::ResultCommitted(result) if result == submitted)
    ));
}

#[test]
fn a_result_without_an_answer_is_sent_again_also_after_a_restart() {
    let mut play = Play::joined();
    play.skill_ready();
    let wanted = play.run();
    let id = request(&wanted, is_submit);
    let wanted = play.seat.give(Input::Response {
        id,
        response: Err(RequestFailed::TimedOut),
    });
    assert!(
        !requests(&wanted)
            .iter()
            .any(|(_, request)| is_submit(request)),
        "not at once"
    );
    play.seat.now = play.seat.now.plus_ms(RETRY_MS);
    let wanted = play.seat.give(Input::Tick);
    request(&wanted, is_submit);

    let mut seat = play.seat.reopened();
    assert_eq!(seat.volunteer.undelivered(), 1);
    let wanted = seat.drain();
    assert!(matches!(
        wanted[..],
        [
            Wanted::Commit(_),
            Wanted::Network(true),
            Wanted::Throttle(_)
        ]
    ));
    let wanted = seat.found();
    request(&wanted, is_submit);
    let (id, submit) = requests(&wanted)
        .into_iter()
        .find(|(_, request)| is_submit(request))
        .unwrap();
    play.desk.now = seat.now;
    let stored = play.desk.send(&seat.keypair, submit.clone());
    assert_eq!(play.desk.send(&seat.keypair, submit), stored);
    seat.receive(id, stored);
    assert_eq!(seat.volunteer.undelivered(), 0);
    let mut seat = seat.reopened();
    seat.drain();
    let wanted = seat.found();
    assert!(
        !requests(&wanted)
            .iter()
            .any(|(_, request)| is_submit(request)),
        "delivered once and for all"
    );
}

#[test]
fn stored_counts_only_for_the_result_that_was_sent() {
    let mut play = Play::joined();
    play.skill_ready();
    let wanted = play.run();
    let id = request(&wanted, is_submit);
    play.seat.receive(id, WorkResponse::Stored(Digest([1; 32])));
    assert_eq!(play.seat.volunteer.undelivered(), 1);
}

#[test]
fn a_refused_result_is_given_up_and_one_too_many_is_not() {
    let refuse = |rejection| {
        let mut play = Play::joined();
        play.skill_ready();
        let wanted = play.run();
        let id = request(&wanted, is_submit);
        play.seat.receive(id, WorkResponse::Refused(rejection));
        play.seat.volunteer.undelivered()
    };
    assert_eq!(refuse(Rejection::UnknownLease), 0);
    assert_eq!(refuse(Rejection::TooMany), 1);
}

#[test]
fn a_result_too_old_to_deliver_is_given_up() {
    let mut play = Play::joined();
    play.skill_ready();
    play.run();
    play.seat
        .give(Input::StewardLost(play.seat.network.steward.node_id()));
    play.seat.now = play.seat.now.plus_ms(RESULT_VALID_MS);
    play.seat.give(Input::Tick);
    assert_eq!(play.seat.volunteer.undelivered(), 0);
}

#[test]
fn the_kill_switch_is_written_down_then_kills_then_disconnects() {
    let mut play = Play::joined();
    play.skill_ready();
    let lease = play.lease();
    let wanted = play.seat.command(Command::Kill);
    let written = place(&wanted, |wanted| {
        commits(wanted, |record| matches!(record, Record::Kill { on: true }))
    });
    let killed = place(&wanted, |wanted| matches!(wanted, Wanted::KillAll));
    let dropped = place(&wanted, |wanted| {
        commits(
            wanted,
            |record| matches!(record, Record::LeaseDropped { lease: id, reason: ReturnReason::Stopped } if *id == lease.id),
        )
    });
    let offline = place(&wanted, |wanted| matches!(wanted, Wanted::Network(false)));
    assert!(
        written < killed && killed < dropped && dropped < offline,
        "{wanted:?}"
    );
    assert_eq!(wanted.len(), 4);

    // Nothing starts it again but the volunteer.
    let dead = |seat: &mut Seat| {
        assert!(seat.volunteer.is_killed());
        assert!(seat.found().is_empty());
        assert!(
            seat.give(Input::Segment {
                lease: lease.id,
                segment: 0,
                output: vec![]
            })
            .is_empty()
        );
        assert!(
            seat.give(Input::Skill {
                skill: skill(),
                available: true
            })
            .is_empty()
        );
        assert!(seat.command(Command::Kill).is_empty());
        assert!(seat.agree().is_empty());
        assert!(seat.command(Command::Resume).is_empty());
        seat.now = seat.now.plus_ms(1_000_000);
        assert!(seat.give(Input::Tick).is_empty());
        assert_eq!(seat.volunteer.poll_timeout(), None);
    };
    dead(&mut play.seat);
    let mut again = play.seat.reopened();
    assert!(again.drain().is_empty());
    dead(&mut again);
    let wanted = again.command(Command::LiftKill);
    assert!(
        matches!(
            &wanted[..],
            [
                Wanted::Commit(_),
                Wanted::Network(true),
                Wanted::Throttle(_)
            ]
        ),
        "{wanted:?}"
    );
    assert!(!again.reopened().volunteer.is_killed());

    // Without a restart the lease is given back as well.
    play.seat.command(Command::LiftKill);
    let wanted = play.seat.found();
    let id = request(&wanted, is_return);
    let (_, back) = requests(&wanted)
        .into_iter()
        .find(|(other, _)| *other == id)
        .unwrap();
    assert_eq!(
        back,
        WorkRequest::Return {
            lease: lease.id,
            reason: ReturnReason::Stopped
        }
    );
}

#[test]
fn withdrawing_stops_work_and_network() {
    let mut play = Play::joined();
    play.skill_ready();
    let wanted = play.seat.command(Command::Withdraw);
    let written = place(&wanted, |wanted| {
        commits(wanted, |record| {
            matches!(record, Record::Consent { given: false, .. })
        })
    });
    let killed = place(&wanted, |wanted| matches!(wanted, Wanted::KillAll));
    let offline = place(&wanted, |wanted| matches!(wanted, Wanted::Network(false)));
    assert!(written < killed && killed < offline);
    assert!(play.seat.found().is_empty());
    assert!(play.seat.command(Command::Withdraw).is_empty());
    let mut again = play.seat.reopened();
    assert!(again.drain().is_empty() && again.volunteer.consent().is_none());
}

#[test]
fn pause_freezes_and_stays_over_a_restart() {
    let mut play = Play::joined();
    let wanted = play.seat.command(Command::Pause { until: None });
    assert!(
        matches!(&wanted[..], [Wanted::Commit(_), Wanted::Freeze(true)]),
        "{wanted:?}"
    );
    assert!(play.seat.command(Command::Pause { until: None }).is_empty());
    let wanted = play.skill_ready();
    assert!(
        !wanted.iter().any(|wanted| matches!(wanted, Wanted::Run(_))),
        "nothing starts while paused"
    );
    assert!(play.seat.reopened().volunteer.pause().is_some());
    let wanted = play.seat.command(Command::Resume);
    assert!(matches!(wanted[0], Wanted::Commit(_)) && matches!(wanted[1], Wanted::Freeze(false)));
    assert!(
        wanted.iter().any(|wanted| matches!(wanted, Wanted::Run(_))),
        "{wanted:?}"
    );
}

#[test]
fn a_paused_node_asks_for_nothing() {
    let mut play = Play::joined();
    play.skill_ready();
    play.seat.command(Command::Pause { until: None });
    play.run();
    play.answer_all();
    for _ in 0..20 {
        let wanted = play.wait(2_000);
        assert!(!requests(&wanted).iter().any(|(_, request)| is_ask(request)));
        play.answer_all();
    }
}

#[test]
fn no_work_is_asked_for_with_an_unlisted_skill() {
    let mut play = Play::configured(
        |_| {},
        |config| config.allowlist = BTreeSet::from([Cid::of(b"something else")]),
    );
    play.seat.agree();
    let all = play.connect();
    assert!(
        !all.iter()
            .any(|wanted| matches!(wanted, Wanted::Fetch(_) | Wanted::Run(_))),
        "{all:?}"
    );
    assert!(!play.sent.iter().any(is_ask));
    assert!(
        !play
            .seat
            .log
            .iter()
            .any(|entry| matches!(entry.record, Record::LeaseTaken(_)))
    );
    assert_eq!(
        play.seat.volunteer.idle_reason(play.seat.now),
        Some("skill-not-allowed")
    );
}

/// A lease as the steward would sign it, changed.
fn changed_lease(play: &Play, change: impl FnOnce(&mut Lease)) -> WorkResponse {
    let mut lease = (*play.lease()).clone();
    lease.id = LeaseId([7; 16]);
    change(&mut lease);
    let sealed = Signed::seal(
        lease,
        &play.seat.network.steward,
        play.seat.network.id,
        play.seat.now,
        play.seat.now.plus_ms(9_000),
    );
    WorkResponse::Lease(sealed.unwrap().into_signed())
}

#[test]
fn leases_that_do_not_fit_are_not_taken() {
    type Change = fn(&mut Lease);
    let changes: &[(&str, Change)] = &[
        ("for another node", |lease| {
            lease.node = key("other").node_id()
        }),
        ("another skill", |lease| lease.skill = Cid::of(b"x")),
        ("higher limits", |lease| lease.limits.memory_bytes += 1),
        ("an unknown campaign", |lease| {
            lease.campaign = omni_types::CampaignId([1; 32])
        }),
        ("no segments", |lease| lease.segments.clear()),
        ("too much output", |lease| lease.limits.output_bytes = 9_000),
    ];
    for (name, change) in changes {
        let mut play = Play::joined();
        play.skill_ready();
        play.run();
        let taken = |seat: &Seat| {
            seat.log
                .iter()
                .filter(|entry| matches!(entry.record, Record::LeaseTaken(_)))
                .count()
        };
        let before = taken(&play.seat);
        let ask = play
            .open
            .iter()
            .position(|(_, request)| is_ask(request))
            .unwrap();
        let (id, _) = play.open.remove(ask);
        let response = changed_lease(&play, change);
        play.seat.receive(id, response);
        assert_eq!(taken(&play.seat), before, "{name}");
    }
}

#[test]
fn an_output_above_its_limit_ends_the_job() {
    let mut play = Play::joined();
    play.skill_ready();
    let lease = play.lease();
    let stray = Input::Segment {
        lease: lease.id,
        segment: 99,
        output: vec![],
    };
    assert!(play.seat.give(stray).is_empty());
    let output = vec![0; lease.limits.output_bytes as usize + 1];
    let wanted = play.seat.give(Input::Segment {
        lease: lease.id,
        segment: 0,
        output,
    });
    assert!(
        wanted
            .iter()
            .any(|wanted| matches!(wanted, Wanted::KillJob))
    );
    let dropped = |record: &Record| {
        matches!(
            record,
            Record::LeaseDropped {
                reason: ReturnReason::SkillFailed,
                ..
            }
        )
    };
    assert!(wanted.iter().any(|wanted| commits(wanted, dropped)));
    assert_eq!(play.seat.volunteer.running().count(), 0);
}

#[test]
fn a_failed_job_is_given_back_with_its_reason() {
    for reason in [
        ReturnReason::TimedOut,
        ReturnReason::SkillFailed,
        ReturnReason::SkillRefused,
        ReturnReason::SkillUnavailable,
    ] {
        let mut play = Play::joined();
        play.skill_ready();
        let lease = play.lease().id;
        let wanted = play.seat.give(Input::JobFailed { lease, reason });
        let (_, back) = requests(&wanted)
            .into_iter()
            .find(|(_, request)| is_return(request))
            .unwrap();
        assert_eq!(back, WorkRequest::Return { lease, reason });
        assert!(play.seat.volunteer.idle_reason(play.seat.now).is_some());
    }
}

#[test]
fn a_skill_that_cannot_be_had_gives_the_lease_back_and_waits() {
    let mut play = Play::joined();
    let wanted = play.seat.give(Input::Skill {
        skill: skill(),
        available: false,
    });
    let (_, back) = requests(&wanted)
        .into_iter()
        .find(|(_, request)| is_return(request))
        .unwrap();
    assert!(matches!(
        back,
        WorkRequest::Return {
            reason: ReturnReason::SkillUnavailable,
            ..
        }
    ));
    assert_eq!(
        play.seat.volunteer.idle_reason(play.seat.now),
        Some("skill-unavailable")
    );
    assert!(!requests(&wanted).iter().any(|(_, request)| is_ask(request)));
}

#[test]
fn a_lease_that_runs_out_is_killed_and_dropped() {
    let mut play = Play::joined();
    play.skill_ready();
    let lease = play.lease();
    play.seat.now = lease.expires();
    let wanted = play.seat.give(Input::Tick);
    let killed = place(&wanted, |wanted| matches!(wanted, Wanted::KillJob));
    let dropped = |record: &Record| {
        matches!(
            record,
            Record::LeaseDropped {
                reason: ReturnReason::TimedOut,
                ..
            }
        )
    };
    assert!(killed < place(&wanted, |wanted| commits(wanted, dropped)));
}

#[test]
fn a_restart_takes_the_lease_up_again() {
    let mut play = Play::joined();
    play.skill_ready();
    let lease = play.lease();
    let mut seat = play.seat.reopened();
    let wanted = seat.drain();
    assert!(
        wanted
            .iter()
            .any(|wanted| matches!(wanted, Wanted::Fetch(_))),
        "{wanted:?}"
    );
    let wanted = seat.give(Input::Skill {
        skill: skill(),
        available: true,
    });
    assert!(
        wanted
            .iter()
            .any(|wanted| matches!(wanted, Wanted::Run(job) if job.lease().id == lease.id))
    );
}

#[test]
fn no_more_work_while_too_many_results_wait() {
    let mut play = Play::joined();
    play.skill_ready();
    // The steward hands out leases but never takes results.
    for _ in 0..MAX_UNDELIVERED * 2 {
        play.run();
        let open = std::mem::take(&mut play.open);
        for (id, request) in open {
            let wanted = if is_ask(&request) {
                play.desk.now = play.seat.now;
                // One node may hold only a few leases: the steward here forgets them at once.
                let number = id as u8;
                let mut response = changed_lease(&play, |lease| lease.id = LeaseId([number; 16]));
                if play.seat.volunteer.undelivered() > MAX_UNDELIVERED {
                    response = WorkResponse::NoWork {
                        reason: NoWork::Waiting,
                        retry_ms: 1,
                    };
                }
                play.seat.receive(id, response)
            } else {
                play.seat.give(Input::Response {
                    id,
                    response: Err(RequestFailed::TimedOut),
                })
            };
            play.note(&wanted);
        }
        play.wait(10);
    }
    assert_eq!(play.seat.volunteer.undelivered(), MAX_UNDELIVERED);
    assert_eq!(play.seat.volunteer.running().count(), 0);
}

/// A volunteer with one receipt still at the steward, and the open request for news.
fn with_news() -> (Play, u64, News) {
    let mut play = Play::joined();
    play.skill_ready();
    play.run();
    play.answer_all();
    play.verify();
    for _ in 0..200 {
        play.wait(500);
        if let Some(at) = play.open.iter().position(|(_, request)| is_news(request)) {
            let (id, request) = play.open.remove(at);
            play.desk.now = play.seat.now;
            let WorkResponse::News(news) = play.desk.send(&play.seat.keypair, request) else {
                panic!()
            };
            if !news.items.is_empty() {
                return (play, id, news);
            }
            play.receive(id, WorkResponse::News(news));
        }
    }
    panic!("no receipt comes");
}

fn receipts_in(seat: &Seat) -> usize {
    let receipt =
        |entry: &&omni_types::Entry| matches!(entry.record, Record::ReceiptReceived { .. });
    seat.log.iter().filter(receipt).count()
}

/// Asks for news again and answers with these.
fn news_again(play: &mut Play, news: News) -> Vec<Wanted> {
    for _ in 0..100 {
        play.wait(1_000);
        let open = std::mem::take(&mut play.open);
        for (id, request) in open {
            if is_news(&request) {
                let status = play.desk.send(&play.seat.keypair, request);
                let WorkResponse::News(fresh) = status else {
                    panic!()
                };
                let news = News {
                    status: fresh.status,
                    ..news
                };
                return play.receive(id, WorkResponse::News(news));
            }
            play.fail(id);
        }
        play.desk.now = play.seat.now;
    }
    panic!("no further look for news");
}

#[test]
fn a_replay_of_news_changes_nothing() {
    let (mut play, id, news) = with_news();
    play.receive(id, WorkResponse::News(news.clone()));
    assert_eq!(receipts_in(&play.seat), 1);
    let rewards = play.seat.volunteer.rewards();
    for last in [news.last, 0, u64::MAX] {
        let twice = News {
            items: [news.items.clone(), news.items.clone()].concat(),
            last,
            ..news.clone()
        };
        let wanted = news_again(&mut play, twice);
        assert!(
            !wanted
                .iter()
                .any(|wanted| matches!(wanted, Wanted::Commit(_))),
            "{last}: {wanted:?}"
        );
        assert_eq!(play.seat.volunteer.rewards(), rewards);
    }
    let again = play.seat.reopened();
    assert_eq!(again.volunteer.rewards(), rewards);
}

#[test]
fn postings_are_recorded_once_and_only_for_known_receipts() {
    let (mut play, id, news) = with_news();
    let NewsItem::Receipt(proof) = &news.items[0] else {
        panic!()
    };
    let receipt = proof
        .receipt
        .clone()
        .verify_stored(play.seat.network.id)
        .unwrap()
        .id;
    let me = play.seat.keypair.node_id();
    let sign = |play: &Play, by: &Keypair, posting: Posting| {
        let sealed = Signed::seal(
            posting,
            by,
            play.seat.network.id,
            play.seat.now,
            play.seat.now.plus_ms(1_000_000),
        );
        vec![NewsItem::Posting(sealed.unwrap().into_signed())]
    };
    let posted = Posting {
        receipt,
        node: me,
        outcome: PostingOutcome::Posted,
    };
    let steward = play.seat.network.steward.clone();
    let give = |play: &mut Play, items: Vec<NewsItem>| {
        let wanted = news_again(
            play,
            News {
                items,
                last: 5,
                ..news.clone()
            },
        );
        wanted
            .iter()
            .any(|wanted| matches!(wanted, Wanted::Commit(_)))
    };
    play.fail(id);
    let early = sign(&play, &steward, posted);
    assert!(!give(&mut play, early.clone()), "before its receipt");
    assert!(give(&mut play, news.items.clone()));
    for (items, why) in [
        (sign(&play, &key("thief"), posted), "by another key"),
        (
            sign(
                &play,
                &steward,
                Posting {
                    node: key("thief").node_id(),
                    ..posted
                },
            ),
            "for another node",
        ),
        (
            sign(
                &play,
                &steward,
                Posting {
                    receipt: omni_types::ReceiptId([1; 32]),
                    ..posted
                },
            ),
            "of another receipt",
        ),
    ] {
        assert!(!give(&mut play, items), "{why}");
    }
    let voided = sign(
        &play,
        &steward,
        Posting {
            outcome: PostingOutcome::Voided,
            ..posted
        },
    );
    assert!(give(&mut play, early.clone()));
    assert!(!give(&mut play, early));
    assert!(!give(&mut play, voided), "what is posted stays posted");
    let rewards = play.seat.volunteer.rewards();
    assert_eq!(
        (rewards.posted.0, rewards.pending.0, rewards.voided.0),
        (4_000, 0, 0)
    );
}

#[test]
fn a_voided_reward_is_told_apart() {
    let (mut play, id, news) = with_news();
    play.receive(id, WorkResponse::News(news.clone()));
    let NewsItem::Receipt(proof) = &news.items[0] else {
        panic!()
    };
    let receipt = proof
        .receipt
        .clone()
        .verify_stored(play.seat.network.id)
        .unwrap()
        .id;
    let posting = Posting {
        receipt,
        node: play.seat.keypair.node_id(),
        outcome: PostingOutcome::Voided,
    };
    let steward = play.seat.network.steward.clone();
    let sealed = Signed::seal(
        posting,
        &steward,
        play.seat.network.id,
        play.seat.now,
        play.seat.now.plus_ms(1_000_000),
    );
    let items = vec![NewsItem::Posting(sealed.unwrap().into_signed())];
    news_again(
        &mut play,
        News {
            items,
            last: 2,
            ..news
        },
    );
    let rewards = play.seat.volunteer.rewards();
    assert_eq!(
        (rewards.posted.0, rewards.pending.0, rewards.voided.0),
        (0, 0, 4_000)
    );
    assert_eq!(play.seat.reopened().volunteer.rewards(), rewards);
}

#[test]
fn forged_and_foreign_receipts_are_not_recorded() {
    type Forge = fn(&Play, &ReceiptProof) -> ReceiptProof;
    fn resigned(
        proof: &ReceiptProof,
        own: &support::Network,
        signer: &Keypair,
        network: &support::Network,
    ) -> ReceiptProof {
        let receipt = proof.receipt.clone().verify_stored(own.id).unwrap();
        let sealed = Signed::seal(
            (*receipt).clone(),
            signer,
            network.id,
            receipt.issued(),
            receipt.expires(),
        );
        ReceiptProof {
            receipt: sealed.unwrap().into_signed(),
            ..proof.clone()
        }
    }
    let forgeries: &[(&str, Forge)] = &[
        ("by another key", |play, proof| {
            resigned(proof, &play.seat.network, &key("thief"), &play.seat.network)
        }),
        ("of another network", |play, proof| {
            let foreign = network("another");
            resigned(proof, &play.seat.network, &foreign.steward, &foreign)
        }),
        ("without evidence", |_, proof| ReceiptProof {
            rechecks: vec![],
            ..proof.clone()
        }),
        ("for another node", |play, _| {
            // A true receipt, but a verifier's.
            let mut desk = play.desk.reopened();
            let of_a = desk.proofs(&key("a"));
            let of_b = desk.proofs(&key("b"));
            of_a.into_iter().chain(of_b).next().unwrap()
        }),
    ];
    for (name, forge) in forgeries {
        let (mut play, id, news) = with_news();
        let NewsItem::Receipt(proof) = &news.items[0] else {
            panic!()
        };
        let forged = forge(&play, proof);
        let items = vec![NewsItem::Receipt(Box::new(forged))];
        play.receive(
            id,
            WorkResponse::News(News {
                items,
                ..news.clone()
            }),
        );
        assert_eq!(receipts_in(&play.seat), 0, "{name}");
        assert_eq!(play.seat.volunteer.rewards(), Default::default(), "{name}");
    }
}

#[test]
fn a_steward_of_no_charter_is_not_spoken_to() {
    let mut seat = Seat::new(&network("test"), "volunteer");
    seat.agree();
    assert!(
        seat.give(Input::StewardFound(key("stranger").node_id()))
            .is_empty()
    );
    assert_eq!(seat.volunteer.stewards(), 0);
    assert_eq!(seat.volunteer.poll_timeout(), None);
}

/// Two stewards of one charter, one of them gone: its campaign must not keep the node awake.
#[test]
fn a_campaign_without_its_steward_lets_the_node_sleep() {
    let first = network("test");
    let second = support::Network {
        steward: key("second steward"),
        ..first.clone()
    };
    let config = omni_core::volunteer::Config {
        stewards: vec![first.steward.node_id(), second.steward.node_id()],
        ..volunteer_config(&first, key("volunteer"))
    };
    let campaigns = [&first, &second].map(|network| support::campaign(network, |_| {}));
    let log = [
        Record::Consent {
            given: true,
            policy_version: POLICY_VERSION,
            policy_hash: policy_hash(),
        },
        Record::CampaignJoined(campaigns[0].signed().clone()),
        Record::CampaignJoined(campaigns[1].signed().clone()),
    ]
    .map(|record| omni_types::Entry {
        at: support::START,
        record,
    });
    let mut seat = Seat::open(&first, config, log.to_vec(), support::START);
    seat.drain();
    let wanted = seat.found();
    for (id, _) in requests(&wanted) {
        seat.give(Input::Response {
            id,
            response: Err(RequestFailed::TimedOut),
        });
    }
    let (due, _) = seat.volunteer.poll_timeout().unwrap();
    assert!(due > seat.now);
}

/// Each campaign of one steward counts its news for itself.
#[test]
fn two_campaigns_of_one_steward_do_not_mix_up_their_news() {
    let (mut play, id, news) = with_news();
    let other = support::campaign(&play.seat.network, |campaign| {
        campaign.name = "another".to_owned();
        campaign.id =
            omni_types::CampaignId::derive(network("test").id, key("steward").node_id(), "another");
    });
    // Told of both campaigns after a restart that finds both in the log.
    let entry = omni_types::Entry {
        at: play.seat.now,
        record: Record::CampaignJoined(other.signed().clone()),
    };
    play.receive(id, WorkResponse::News(news.clone()));
    let NewsItem::Receipt(proof) = &news.items[0] else {
        panic!()
    };
    let receipt = proof
        .receipt
        .clone()
        .verify_stored(play.seat.network.id)
        .unwrap()
        .id;
    let posting = Posting {
        receipt,
        node: play.seat.keypair.node_id(),
        outcome: PostingOutcome::Posted,
    };
    let sealed = Signed::seal(
        posting,
        &play.seat.network.steward,
        play.seat.network.id,
        play.seat.now,
        play.seat.now.plus_ms(9),
    );
    play.seat.log.push(entry);
    let posting = sealed.unwrap().into_signed();
    play.seat.log.push(omni_types::Entry {
        at: play.seat.now,
        record: Record::PostingReceived {
            sequence: 40,
            posting,
        },
    });
    let mut seat = play.seat.reopened();
    seat.drain();
    let asked: Vec<(omni_types::CampaignId, u64)> = requests(&seat.found())
        .into_iter()
        .filter_map(|(_, request)| match request {
            WorkRequest::News { campaign, after } => Some((campaign, after)),
            _ => None,
        })
        .collect();
    assert!(asked.contains(&(other.id, 0)), "{asked:?}");
    assert!(asked.contains(&(play.desk.campaign.id, 40)), "{asked:?}");
}

#[test]
fn a_result_for_another_lease_of_the_same_node_is_its_own() {
    // Two slots work on two leases at once and do not mix up their segments.
    let mut desk = Desk::new(|_| {});
    let node = key("two slots");
    let leases = [desk.lease(&node), desk.lease(&node)];
    assert_ne!(leases[0].unit, leases[1].unit);
    for lease in &leases {
        let result = answer(&desk.network, &node, lease, honest(lease), desk.now);
        let response = desk.send(&node, WorkRequest::Submit(result.signed().clone()));
        assert_eq!(response, WorkResponse::Stored(result.id()));
    }
}
