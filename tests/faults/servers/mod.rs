//! Servers on one database under load: they are killed, stand still for longer than their lease, and are stopped; the
//! database is started again, NATS is killed, stands still and loses everything. What was accepted is there, the
//! matches are those of a backtest, each once, no reaction is lost, and a send that went out twice says so. Beside each
//! proof stands a promise broken on purpose, which the same audit has to see.

mod cluster;
mod contested;
mod fences;
mod hurts;
mod publisher;
mod revoked;

use std::time::Duration;

use cluster::{Cluster, ENGINE, Shape};
use hurts::Hurt;

use crate::{seed, set};

/// How long the rounds of a proof go on at least, where not told otherwise.
const CAMPAIGN: Duration = Duration::from_secs(30);

/// Each of these once, then by dice until the time is over (or for as many rounds as `CXENGAGE_KILLS` says).
fn campaign(shape: Shape, hurts: &[Hurt]) {
    let rounds = set("CXENGAGE_KILLS").map(|rounds| rounds / 5);
    let mut cluster = Cluster::start(seed(), shape);
    for n in 0.. {
        let over = match rounds {
            Some(rounds) => cluster.rounds() >= rounds.max(hurts.len() as u64),
            None => cluster.runs() > CAMPAIGN && n >= hurts.len(),
        };
        if over || !cluster.faults.is_empty() {
            break;
        }
        let hurt = if n < hurts.len() { hurts[n] } else { *cluster.dice.one_of(hurts) };
        cluster.round(&format!("{hurt:?}"), |cluster| hurt.act(cluster));
    }
    cluster.assert_sound();
}

const OFTEN: &str = "break:checkpoints-often";

#[test]
fn two_servers_lose_and_double_nothing_when_the_one_at_work_is_killed_or_stands_still() {
    let shape = Shape { roles: &["all", "all"], nats: 0, orders: OFTEN };
    campaign(
        shape,
        &[
            Hurt::Kill(ENGINE),
            Hurt::Pause(ENGINE),
            Hurt::Database("immediate"),
            Hurt::Stop(ENGINE),
            Hurt::PauseApi,
        ],
    );
}

#[test]
fn roles_apart_lose_and_double_nothing_whichever_is_hurt_and_the_database_and_nats_too() {
    let roles = &["api", "api", "engine", "engine", "notifier", "notifier"];
    campaign(
        Shape { roles, nats: 1, orders: OFTEN },
        &[
            Hurt::Kill(ENGINE),
            Hurt::WipeNats,
            Hurt::Kill("notifier"),
            Hurt::KillApi,
            Hurt::Pause("notifier"),
            Hurt::Database("fast"),
            Hurt::KillNats,
            Hurt::Pause(ENGINE),
            Hurt::PauseApi,
            Hurt::PauseNats,
            Hurt::Database("immediate"),
        ],
    );
}

#[test]
fn one_of_three_servers_of_nats_that_is_killed_wiped_or_stands_still_takes_nothing_with_it() {
    let shape = Shape { roles: &["all", "all"], nats: 3, orders: OFTEN };
    campaign(shape, &[Hurt::WipeNats, Hurt::PauseNats, Hurt::KillNats, Hurt::Kill(ENGINE)]);
}

#[test]
fn servers_that_are_stopped_one_after_the_other_with_stuck_connections_answer_or_are_asked_again() {
    campaign(Shape { roles: &["all", "all"], nats: 0, orders: OFTEN }, &[Hurt::Roll]);
}

/// By how many minutes the clocks are off by which two servers have the database stamp, round by round: a database whose
/// clock jumps whenever another server writes. The last is the furthest, so that time goes on and everything ends.
const OFF: [[i64; 2]; 5] = [[0, -10], [-60, 5], [10, 9], [-1_440, 15], [20, 20]];

#[test]
fn a_clock_of_the_database_that_jumps_fires_loses_and_repeats_no_timer_and_early_ones_are_seen() {
    let shape = |orders| Shape { roles: &["all", "all"], nats: 0, orders };
    let mut cluster = Cluster::start(seed(), shape(OFTEN));
    for off in OFF {
        cluster.round(&format!("clocks off by {off:?} minutes"), |cluster| {
            cluster.clocks = off.iter().map(|minutes| minutes * 60_000).collect();
            Hurt::StartAgain.act(cluster);
        });
    }
    cluster.assert_sound();
    let mut broken = Cluster::start(seed(), shape("break:timers-early"));
    broken.round("clocks as they are", |cluster| Hurt::KillApi.act(cluster));
    broken.assert_seen("timers-early", "ends early");
}

#[test]
fn an_engine_that_stands_by_and_runs_ahead_is_seen() {
    // Matches come late into the record, so that some are missing at the kill.
    let orders = "break:stand-by-ahead,match.append.before=delay:300";
    let mut cluster = Cluster::start(seed(), Shape { roles: &["all", "all"], nats: 0, orders });
    until_seen(&mut cluster, 4, "stand-by-ahead", "lost [\"", |cluster| Hurt::Kill(ENGINE).act(cluster));
}

#[test]
fn rows_that_nats_lost_and_nobody_misses_are_seen() {
    let orders = "break:no-gap-check";
    let mut cluster = Cluster::start(seed(), Shape { roles: &["all"], nats: 1, orders });
    // The load goes on until rows come through NATS again: what came shortly before that is what is missed.
    let wiped = |cluster: &mut Cluster| {
        Hurt::WipeNats.act(cluster);
        cluster.answers(600);
    };
    until_seen(&mut cluster, 4, "no-gap-check", "lost [\"", wiped);
}

#[test]
fn an_answer_before_the_commit_is_seen_when_the_database_crashes() {
    let orders = "break:acknowledge-before-commit";
    let mut cluster = Cluster::start(seed(), Shape { roles: &["all"], nats: 0, orders });
    let crash = Hurt::Database("immediate");
    until_seen(&mut cluster, 4, "acknowledge-before-commit", "and is lost", |cluster| crash.act(cluster));
}

/// Does it until this is found wrong, at most so often.
#[track_caller]
fn until_seen(
    cluster: &mut Cluster,
    rounds: usize,
    broken: &str,
    telling: &str,
    hurt: impl Fn(&mut Cluster),
) {
    for n in 0..rounds {
        cluster.round(&format!("round {n}"), &hurt);
        if !cluster.has_seen(telling) {
            cluster.audit();
        }
        if cluster.has_seen(telling) {
            break;
        }
    }
    cluster.assert_seen(broken, telling);
}
