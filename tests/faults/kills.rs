//! kill -9 at random moments and at every point: nothing accepted is lost, nothing done is doubled; and each promise,
//! broken on purpose, is seen to be broken by the same audit.

use std::time::Duration;

use system_tests::harness::{faults, on_database};

use crate::apart::APART;
use crate::campaign::Campaign;
use crate::{seed, set, tell};

/// How long the rounds of a campaign go on, where not told otherwise.
const CAMPAIGN: Duration = Duration::from_secs(60);

#[test]
fn what_was_accepted_survives_crashes_at_random_and_at_every_point() {
    let rounds = set("CXENGAGE_KILLS");
    let mut campaign = Campaign::start(seed());
    let points: Vec<String> =
        faults().into_iter().filter(|(kind, _)| kind == "point").map(|(_, name)| name).collect();
    // The writer of a database has no transaction of its own to cut off: it is one statement.
    let here = |name: &str| !(on_database() && name.starts_with("record."));
    let points: Vec<_> = points.iter().filter(|name| !APART.contains(&name.as_str()) && here(name)).collect();
    let mut missed = Vec::new();
    for n in 0.. {
        let over = match rounds {
            Some(rounds) => campaign.rounds() >= rounds,
            None => campaign.took() > CAMPAIGN && n >= points.len(),
        };
        if over || !campaign.faults.is_empty() {
            break;
        }
        if n < points.len() || campaign.dice().chance(50) {
            let point = points[n % points.len()];
            // A start passes some points a few times only.
            let passage = if n < points.len() { 1 } else { campaign.dice().between(1, 12) };
            if !campaign.crash_at(point, passage, "") && n < points.len() {
                missed.push(point.as_str());
            }
        } else {
            campaign.kill_at_random("");
        }
    }
    campaign.audit();
    tell(&campaign.to_string());
    assert_eq!(campaign.faults, Vec::<String>::new(), "{campaign}");
    assert_eq!(missed, Vec::<&str>::new(), "points that nothing passed");
}

/// Runs rounds under a broken promise until the audit sees it, at most so many.
pub fn is_seen(name: &str, rounds: usize, mut round: impl FnMut(&mut Campaign, &str), telling: &str) {
    let mut campaign = Campaign::start(seed());
    let orders = format!("break:{name}");
    for _ in 0..rounds {
        round(&mut campaign, &orders);
        if campaign.faults.is_empty() {
            campaign.audit();
        }
        if !campaign.faults.is_empty() {
            break;
        }
    }
    tell(&format!("{name}: {campaign}: {}", campaign.faults.first().map_or("", String::as_str)));
    let seen = campaign.faults.iter().any(|fault| fault.contains(telling));
    assert!(seen, "{name} was broken and not seen ({telling}): {campaign}: {:#?}", campaign.faults);
}

#[test]
fn an_acknowledgement_before_the_commit_is_seen() {
    is_seen(
        "acknowledge-before-commit",
        8,
        |campaign, orders| campaign.kill_at_random(orders),
        "and is lost",
    );
}

#[test]
fn a_checkpoint_before_its_matches_is_seen() {
    let round = |campaign: &mut Campaign, orders: &str| {
        campaign.crash_at("match.append.before", 2, orders);
    };
    is_seen("checkpoint-before-match", 4, round, "lost [\"");
}

#[test]
fn a_key_that_is_not_looked_at_is_seen() {
    is_seen("no-dedup", 4, |campaign, orders| campaign.kill_at_random(orders), "is there as");
}

#[test]
fn a_stamp_that_falls_is_seen() {
    if on_database() {
        return; // it is the database that stamps, under its lock
    }
    is_seen("stamp-falls", 4, |campaign, orders| campaign.kill_at_random(orders), "a stamp falls");
}

#[test]
fn a_place_that_is_kept_before_its_rows_is_seen() {
    let round = |campaign: &mut Campaign, orders: &str| {
        // One passage for each read model of each batch: most have nothing to lose in it.
        let passage = campaign.dice().between(30, 90);
        campaign.crash_at("views.rows", passage, orders);
    };
    is_seen("place-before-rows", 60, round, "made anew differ");
}

#[test]
fn a_send_before_its_record_is_seen() {
    let slow = |orders: &str| format!("{orders},step.append.before=delay:15");
    let round = move |campaign: &mut Campaign, orders: &str| {
        let passage = campaign.dice().between(5, 30);
        campaign.crash_at("step.append.before", passage, &slow(orders));
    };
    is_seen("send-before-record", 10, round, "says nothing of it");
}

#[test]
fn a_send_that_is_made_again_without_a_word_is_seen() {
    let round = |campaign: &mut Campaign, orders: &str| {
        let passage = campaign.dice().between(1, 10);
        campaign.crash_at("send.answered", passage, orders);
    };
    is_seen("resend-silently", 10, round, "says nothing of it");
}
